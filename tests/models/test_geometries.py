"""The models that share ImageTextModel, each against its definition in textbook formulas."""

import dataclasses
import json
import math

import pytest
import torch

from spaceforms.datasets import EmojiDataset
from spaceforms.losses import EntailmentLoss, InfoNCE, exclusion
from spaceforms.manifolds import Lorentz, Sphere
from spaceforms.models import (
    CLIP,
    MERU,
    EuCLIP,
    General,
    HyCoCLIP,
    ImageTextModel,
    PHyCLIP,
    SphereCones,
    cli,
)
from spaceforms.models.encoders.presets import IMAGE_SIZES, TEXT_SIZES
from spaceforms.models.encoders.tokenizer import Tokenizer
from spaceforms.models.encoders.transformers import ImageEncoder, TextEncoder, TextEncoderConfig
from spaceforms.models.evaluation.evaluate import evaluate
from spaceforms.models.evaluation.run import load_run
from spaceforms.models.registry import MODELS, options
from spaceforms.models.training.config import TrainConfig, build_model, from_json, to_json
from spaceforms.models.training.data import load_data
from spaceforms.models.training.loop import train, train_step
from spaceforms.models.zoo.phyclip import FactorScales
from spaceforms.models.zoo.spaces import hyperboloid, sphere

DIM, BATCH = 6, 9


class Features(torch.nn.Module):
    width = 5

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x


def _points(model, *, general=0):
    """Points of random features in float64, which textbook formulas need."""
    torch.manual_seed(0)
    texts = [torch.randn(BATCH, 5) for _ in range(1 + general)]
    return [p.detach().double() for p in model(torch.randn(BATCH, 5), *texts)]


def _make(kind, **options):
    torch.manual_seed(1)
    return kind(Features(), Features(), embed_dim=DIM, **options)


def _info_nce(logits):
    target = torch.arange(len(logits))
    rows = torch.nn.functional.cross_entropy(logits, target)
    return (rows + torch.nn.functional.cross_entropy(logits.T, target)) / 2


def _lorentz_cone(parent, child, scale=1.0):
    """The hinge of MERU's equations 5 to 7 at curvature -1."""
    inner = (parent[:, 1:] * child[:, 1:]).sum(1) - parent[:, 0] * child[:, 0]
    norm = parent[:, 1:].norm(dim=1)
    angle = torch.acos((child[:, 0] + parent[:, 0] * inner) / (norm * (inner**2 - 1).sqrt()))
    return (angle - scale * torch.asin((0.2 / norm).clamp(max=1))).relu().mean()


def _lorentz_excluded(parent, child, below, scale=1.0):
    """The mean of max(0, margin + aperture - angle) over each parent and the children of the four
    rows before it that are not below it, in a loop."""
    found = []
    for i in range(BATCH):
        for j in ((i - s) % BATCH for s in (1, 2, 3, 4)):
            if not below[i][j]:
                p, c = parent[i : i + 1], child[j : j + 1]
                inner = (p[:, 1:] * c[:, 1:]).sum() - p[0, 0] * c[0, 0]
                norm = p[:, 1:].norm()
                angle = torch.acos((c[0, 0] + p[0, 0] * inner) / (norm * (inner**2 - 1).sqrt()))
                aperture = torch.asin((0.2 / norm).clamp(max=1))
                found.append((0.1 + scale * aperture - angle).relu())
    return torch.stack(found).mean()


def _lorentz_distances(x, y):
    return torch.acosh(x[:, :1] * y[:, 0] - x[:, 1:] @ y[:, 1:].T)


def _same(got, wanted):
    # acos and acosh near 1 lose half the digits.
    torch.testing.assert_close(got, wanted, rtol=1e-6, atol=1e-7)


def test_euclip_has_squared_distances_and_flat_cones():
    model = _make(EuCLIP)
    x, y = _points(model)
    logits = -((x[:, None] - y[None]) ** 2).sum(-1) / 0.07
    cosine = torch.nn.functional.cosine_similarity(y, x - y)
    cones = (cosine.acos() - (0.2 / y.norm(dim=1)).clamp(max=1).asin()).relu().mean()
    losses = model.loss(x, y)
    _same(losses.parts["contrastive"], _info_nce(logits))
    _same(losses.parts["entailment"], cones)
    _same(losses.total, _info_nce(logits) + 0.2 * cones)


def test_cones_on_the_hemisphere_are_those_of_spherical_trigonometry():
    model = _make(SphereCones, curvature=4.0)
    x, y = (2 * p for p in _points(model))  # on the unit sphere
    distance = torch.acos(y @ x.T)
    radius_x, radius_y = x[:, 0].acos(), y[:, 0].acos()
    # The angle at y in the triangle with the pole and x, from its supplement.
    d = distance.diagonal()
    at_y = torch.acos((radius_x.cos() - d.cos() * radius_y.cos()) / (d.sin() * radius_y.sin()))
    cones = (math.pi - at_y - (0.2 / radius_y.sin()).clamp(max=1).asin()).relu().mean()
    losses = model.loss(x / 2, y / 2)
    _same(losses.parts["contrastive"], _info_nce(-distance.T / 2 / 0.07))
    _same(losses.parts["entailment"], cones)


def test_features_of_any_length_stay_in_the_hemisphere_and_short_ones_are_normal_coordinates():
    model = _make(SphereCones)
    v = torch.randn(BATCH, DIM, dtype=torch.float64)
    for length in (0.0, 1e-30, 1e-3, 1.0, 1e4):
        w = (length * v).requires_grad_()
        points = model.lift(w, "image")
        assert (points[:, 0] >= -2 * torch.finfo(points.dtype).eps).all()
        points.sum().backward()
        assert w.grad.isfinite().all()
    short = model.manifold.to_normal(model.lift(1e-3 * v, "image"))
    torch.testing.assert_close(short, 1e-3 * DIM**-0.5 * v, rtol=1e-5, atol=0)


def test_hycoclip_contrasts_and_entails_along_the_chain():
    model = _make(HyCoCLIP)
    x, y, group, subgroup = _points(model, general=2)
    node = torch.tensor([0, 0, 0, 1, 1, 1, 1, 2, 2])
    finer = torch.tensor([0, 0, 1, 2, 2, 3, 3, 4, 5])
    group, subgroup = group[node], subgroup[finer]

    contrastive = 2 * _info_nce(-_lorentz_distances(x, y) / 0.07)
    for points, label in ((group, node), (subgroup, finer)):
        log_p = (-_lorentz_distances(points, x) / 0.07).log_softmax(1)
        rows = [-log_p[k, label == label[k]].mean() for k in range(BATCH)]
        contrastive = contrastive + torch.stack(rows).mean()
    contrastive = contrastive / 4
    inside = _lorentz_cone(y, x, 0.7)
    chain = _lorentz_cone(group, subgroup, 1.2) + _lorentz_cone(subgroup, y, 1.2)

    losses = model.loss(x, y, general=[General(group, node), General(subgroup, finer)])
    _same(losses.parts["contrastive"], contrastive)
    _same(losses.parts["entailment"], inside)
    _same(losses.parts["chain"], chain)
    _same(losses.total, contrastive + 0.1 * inside + 0.1 * chain)


def test_what_is_not_below_a_text_is_kept_out_of_its_cone():
    model = _make(MERU, chain_weight=0.3, exclude_weight=2.0, links="all", compositional=True)
    x, y = _points(model)
    # Each text stands above what is not its own, or no penalty would be seen.
    u, v = model.manifold.to_normal(x), model.manifold.to_normal(y)
    y = model.manifold.from_normal(v).detach()
    x = model.manifold.from_normal(1.5 * v.roll(-1, 0) + 0.1 * u).detach()
    node = torch.tensor([0, 0, 0, 1, 1, 1, 1, 2, 2])
    finer = torch.tensor([0, 0, 1, 2, 2, 3, 3, 4, 5])
    group, subgroup = (
        model.manifold.from_normal(a * v.roll(1, 0) + 0.05 * u.roll(k, 0)).detach()[rows]
        for a, k, rows in ((0.4, 1, [0, 3, 7]), (0.5, 2, [0, 2, 3, 5, 7, 8]))
    )
    group, subgroup = group[node], subgroup[finer]
    family = torch.tensor([0, 1, 2, 3, 4, 4, 5, 6, 7])
    own = family[:, None] == family[None]
    of_group, of_subgroup = node[:, None] == node[None], finer[:, None] == finer[None]
    links = [(group, c, of_group) for c in (subgroup, y, x)]
    links += [(subgroup, c, of_subgroup) for c in (y, x)]
    chain = sum(_lorentz_cone(p, c) for p, c, _ in links)
    outside = sum(_lorentz_excluded(p, c, below) for p, c, below in links)
    excluded = _lorentz_excluded(y, x, own)
    assert excluded > 0
    assert outside > 0

    losses = model.loss(x, y, own, general=[General(group, node), General(subgroup, finer)])
    _same(losses.parts["chain"], chain)
    _same(losses.parts["entailment exclusion"], excluded)
    _same(losses.parts["chain exclusion"], outside)
    p = losses.parts
    cones = 0.2 * (p["entailment"] + 2 * excluded) + 0.3 * (chain + 2 * outside)
    _same(losses.total, p["contrastive"] + cones)


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_a_batch_of_few_rows_excludes_what_it_has(rows):
    model = _make(MERU, exclude_weight=1.0)
    # All about one ray, pictures farther out than texts: in the cones of the others too.
    features = torch.linspace(1, 2, DIM) + 0.1 * torch.randn(rows, DIM)
    x, y = (
        model.lift(scale * features, kind).detach().double()
        for scale, kind in ((1.0, "image"), (0.2, "text"))
    )
    found = model.loss(x, y).parts["entailment exclusion"]
    assert (found > 0.1) == (rows > 1)
    wanted = [
        exclusion(y[i], x[j], manifold=model.manifold)
        for i in range(rows)
        for j in range(rows)
        if i != j
    ]
    _same(found, torch.stack(wanted).mean() if wanted else x.new_zeros(()))


@pytest.mark.parametrize("kind", [MERU, EuCLIP, SphereCones, PHyCLIP, HyCoCLIP])
def test_every_model_with_cones_can_exclude(kind):
    model = _make(kind, exclude_weight=1.0)
    features = torch.randn(2, BATCH, DIM, requires_grad=True)
    x, y = model.lift(features[0], "image"), model.lift(3 * features[0], "text")
    node = torch.zeros(BATCH, dtype=torch.long)
    losses = model.loss(x, y.roll(1, 0), general=[General(y[:1].expand_as(y), node)])
    found = losses.parts["entailment exclusion"]
    assert found >= 0
    (gradient,) = torch.autograd.grad(losses.total, features)
    assert gradient.isfinite().all()


def test_phyclip_is_the_mean_over_factors_with_curvatures_of_their_own():
    model = _make(PHyCLIP, factors=3)
    with torch.no_grad():
        for k, factor in enumerate(model.manifold.factors):
            factor._magnitude.raw.fill_(0.3 * k - 0.2)
    curvatures = model.manifold.curvatures.tolist()
    assert len(set(curvatures)) == 3
    x, y = _points(model)
    assert x.shape == (BATCH, 9)
    distance, cones = 0, 0
    for k, curvature in enumerate(curvatures):
        size = (-curvature) ** 0.5
        a, b = (size * p[:, 3 * k : 3 * k + 3] for p in (x, y))
        distance = distance + _lorentz_distances(a, b) / size / 3
        cones = cones + _lorentz_cone(b, a) / 3
    losses = model.loss(x, y)
    # Curvatures are kept in float32 by the points and in float64 by the test.
    close = {"rtol": 1e-4, "atol": 0}
    torch.testing.assert_close(losses.parts["contrastive"], _info_nce(-distance / 0.07), **close)
    torch.testing.assert_close(losses.parts["entailment"], cones, **close)


def test_every_factor_starts_at_distance_about_one():
    torch.manual_seed(1)
    model = PHyCLIP(Features(), Features(), embed_dim=512)
    points, _ = model(torch.randn(200, 5), torch.randn(200, 5))
    parts = model.manifold.split(points)
    assert len(parts) == 64
    radii = torch.stack([Lorentz(-1.0).to_normal(p).norm(dim=1) for p in parts])
    assert radii.mean().item() == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("name", sorted(set(MODELS) - {"tcl"}))  # see test_tcl.py
def test_every_parameter_of_every_model_learns(name):
    torch.manual_seed(1)
    model = MODELS[name](Features(), Features(), embed_dim=8)
    texts = [torch.randn(BATCH, 5) for _ in range(3)]
    image, text, *above = model(torch.randn(BATCH, 5), *texts)
    node = torch.zeros(BATCH, dtype=torch.int64)
    general = [General(points, node) for points in above]
    model.loss(image, text, general=general if model.uses_general else ()).total.backward()
    gradients = {n: p.grad for n, p in model.named_parameters()}
    assert all(g is not None and g.isfinite().all() for g in gradients.values())
    assert [n for n, g in gradients.items() if not g.any()] == []
    assert all(p.ndim == 0 for n, p in model.named_parameters() if "projection" not in n)


@pytest.mark.parametrize("kind", [MERU, EuCLIP, SphereCones])
def test_a_fixed_radius_is_that_of_every_point(kind):
    model = _make(kind, fixed_radius=0.7)
    assert model.alpha is None
    x, y = model(torch.randn(BATCH, 5), 100 * torch.randn(BATCH, 5))
    root = model.root(torch.zeros(1, dtype=torch.int64))
    for points in (x, y):
        radii = model.manifold.dist(root, points)
        torch.testing.assert_close(radii, torch.full((BATCH,), 0.7), rtol=1e-6, atol=0)
    model.loss(x, y).total.backward()
    assert model.text_projection.weight.grad.isfinite().all()


def test_an_ablation_is_an_option():
    fixed = _make(MERU, learn_curvature=False, learn_alpha=False, entail_weight=0.0)
    learned = {n for n, _ in fixed.named_parameters() if "projection" not in n}
    assert learned == {"contrastive.scale.raw"}
    x, y = _points(fixed)
    losses = fixed.loss(x, y)
    assert losses.total.item() == losses.parts["contrastive"].item()
    inner = _make(MERU, logits="inner")
    x, y = _points(inner)
    product = x[:, 1:] @ y[:, 1:].T - x[:, :1] * y[:, 0]
    _same(inner.loss(x, y).parts["contrastive"], _info_nce(product / 0.07))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": "clip", "entail_weight": 0.2}, "entail_weight is 0.2 for the model clip"),
        (
            {"model": "clip", "curvature": -1.0},
            "curvature is -1.0 for the model clip, which",
        ),
        ({"model": "euclip", "curvature": -1.0}, "curvature is -1.0 for the model euclip"),
        ({"model": "sphere-cones", "curvature": -1.0}, "curvature is -1.0; expected a positive"),
        ({"model": "meru", "curvature": 1.0}, "curvature is 1.0; expected a negative"),
        ({"model": "meru", "curvature": -1e9}, "expected a negative number between -10000 and"),
        ({"model": "meru", "curvature": math.nan}, "curvature is nan"),
        ({"model": "phyclip", "embed_dim": 100, "factors": 16}, "100 with 16 factors; expected"),
        ({"model": "phyclip", "factors": 0}, "with 0 factors"),
        ({"model": "meru", "factors": 2}, "factors is 2 for the model meru"),
        ({"model": "phyclip", "logits": "inner"}, "logits is inner for the model phyclip"),
        ({"model": "meru", "min_radius": 0.6}, "min_radius is 0.6; expected less than 0.588"),
        ({"model": "sphere-cones", "min_radius": 0.45}, "min_radius is 0.45; expected less than"),
        ({"model": "meru", "fixed_radius": 0.1}, "min_radius is 0.1; expected less than 0.0501"),
        ({"model": "sphere-cones", "fixed_radius": 1.6}, "below that of the equator, 1.571"),
        ({"model": "meru", "fixed_radius": 0.0}, "fixed_radius is 0.0; expected a positive"),
        ({"model": "euclip", "chain_weight": -0.1}, "chain_weight is -0.1; expected 0 or more"),
        ({"model": "poincare"}, "model is 'poincare'; expected one of meru, clip"),
    ],
)
def test_what_cannot_work_is_refused_before_training(tmp_path, options, message):
    before = torch.random.get_rng_state()
    with pytest.raises(ValueError, match=message.replace("(", r"\(")):
        TrainConfig(out=tmp_path, **options)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_chains_without_general_texts_are_named():
    model = _make(MERU, chain_weight=0.1)
    with pytest.raises(ValueError, match=r"MERU.loss: general is empty; expected the texts above"):
        model.loss(*_points(model))


def test_a_configuration_of_two_models_ago_still_loads(tmp_path):
    """Runs were once written with the hyperboloid's options whatever their model."""
    for model in ("meru", "clip"):
        config = TrainConfig(out=tmp_path, model=model)
        text = to_json(config)
        old = {"curvature": -1.0, "entail_weight": 0.2, "min_radius": 0.1}
        raw = {k: v for k, v in json.loads(text).items() if k not in options()} | old
        read = from_json(json.dumps(raw), where="here")
        assert read.model_options() == (old if model == "meru" else {})
        assert isinstance(build_model(read, 300), MERU if model == "meru" else CLIP)
        assert from_json(text, where="here") == config


@pytest.mark.parametrize("model", sorted(set(MODELS) - {"meru", "clip"}))
def test_every_model_trains_and_is_evaluated_and_resumes(tiny, model):
    config = tiny(model=model, epochs=1)
    assert train(config)
    result = evaluate(load_run(config.out))
    assert result["model"] == model
    assert all(math.isfinite(v) for v in result["scalars"].values())
    assert train(dataclasses.replace(config, resume=True))


def test_a_step_on_the_chain_uses_the_groups_and_subgroups_of_the_batch(tiny):
    """Against the loss written out with a text a row, in place of each text once."""
    config = tiny(model="hycoclip")
    data, split = load_data(config)
    tokenizer = Tokenizer.train(data.names, vocabulary=300, context=8)
    batch = EmojiDataset(data, split.train).batch(range(24), 0)
    torch.manual_seed(0)
    model = build_model(config, len(tokenizer))
    concepts = [data.concepts[c] for c in batch.concept]
    general = []
    for level in ("group", "subgroup"):
        labels = [getattr(c, level) for c in concepts]
        captions = [label.replace("-", " ").lower() for label in labels]
        node = torch.tensor([sorted(set(labels)).index(label) for label in labels])
        general.append(General(model.encode_text(tokenizer.encode(captions)), node))
    family = batch.family[:, None] == batch.family[None]
    points = model(batch.image, tokenizer.encode(batch.caption))
    wanted = model.loss(*points, family, general=general)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    got, _ = train_step(model, optimizer, batch, tokenizer, device="cpu", clip_norm=1.0)
    assert got["loss"] == pytest.approx(wanted.total.item(), rel=1e-5)
    assert got["chain"] == pytest.approx(wanted.parts["chain"].item(), rel=1e-5)


def test_named_encoders_are_what_the_options_start_from(tmp_path):
    config = TrainConfig(out=tmp_path, encoders="small", text=TextEncoderConfig(width=64))
    assert (config.image, config.text.width) == (IMAGE_SIZES["small"], 64)
    assert from_json(to_json(config), where="here") == config
    words = ["--out", str(tmp_path), "--encoders", "base", "--image.size", "32"]
    config = cli._parse("train", TrainConfig, words, cli._defaults(words))
    assert config.image == dataclasses.replace(IMAGE_SIZES["base"], size=32)
    assert config.text == TEXT_SIZES["base"]
    with pytest.raises(ValueError, match="encoders is 'huge'; expected one of tiny, small, base"):
        TrainConfig(out=tmp_path, encoders="huge")


@pytest.mark.parametrize(("size", "millions"), [("small", 22), ("base", 86)])
def test_small_and_base_are_of_the_size_of_the_vision_transformers_they_are_named_after(
    size, millions
):
    """Touvron et al. 2021 (arXiv 2012.12877), table 1."""
    with torch.device("meta"):
        encoder = ImageEncoder(IMAGE_SIZES[size])
        TextEncoder(TEXT_SIZES[size])
        assert encoder(torch.rand(2, 3, 64, 64)).shape == (2, encoder.width)
    count = sum(p.numel() for p in encoder.parameters()) / 1e6
    assert count == pytest.approx(millions, rel=0.05)


def test_cones_on_points_of_the_whole_sphere_and_weights_without_cones_are_refused():
    sphere = Sphere(1.0)
    make = {"embed_dim": DIM, "manifold": sphere, "contrastive": InfoNCE(sphere)}
    with pytest.raises(ValueError, match="beyond the hemisphere of the origin"):
        ImageTextModel(
            Features(), Features(), **make, lift="project", entailment=EntailmentLoss(sphere)
        )
    with pytest.raises(ValueError, match=r"chain_weight is 0.1 without cones; expected 0"):
        ImageTextModel(Features(), Features(), **make, chain_weight=0.1)
    with pytest.raises(ValueError, match="lift is 'exp'; expected normal or project"):
        ImageTextModel(Features(), Features(), **make, lift="exp")


@pytest.mark.parametrize(("make", "sign"), [(hyperboloid, -1), (sphere, 1)])
def test_a_learned_curvature_stays_within_a_factor_of_ten(make, sign):
    fixed, learned = (make(sign * 0.5, learnable=b) for b in (False, True))
    for space in (fixed, learned):
        assert float(space.curvature.detach()) == pytest.approx(sign * 0.5)
    assert not list(fixed.parameters())
    (parameter,) = learned.parameters()
    for value, bound in ((100.0, 5.0), (-100.0, 0.05)):
        with torch.no_grad():
            parameter.fill_(value)
        assert float(learned.curvature.detach()) == pytest.approx(sign * bound, rel=1e-4)
    for size in (1e-4, 1e4):
        assert float(make(sign * size, learnable=False).curvature) == pytest.approx(sign * size)
    low, high = ("-10000", "-0.0001") if sign < 0 else ("0.0001", "10000")
    for wrong in (sign * 0.99e-4, sign * 1.01e4, -sign * 1.0, math.nan, sign * math.inf, 0.0):
        with pytest.raises(ValueError, match=rf"curvature is {wrong}; .* between {low} and {high}"):
            make(wrong, learnable=False)


def test_the_scale_of_a_factor_of_one_dimension_starts_inside_its_bounds_and_learns():
    scales = FactorScales(2, 1, learnable=True)
    first = scales()
    torch.testing.assert_close(first.detach(), torch.tensor([0.5, 0.5]))
    first.sum().backward()
    assert all(p.grad != 0 for p in scales.parameters())
    for value, bound in ((100.0, 2.0), (-100.0, 1e-3)):  # of each, over the number of factors
        with torch.no_grad():
            for p in scales.parameters():
                p.fill_(value)
        torch.testing.assert_close(
            scales().detach(), torch.full((2,), bound / 2), rtol=1e-3, atol=0
        )
