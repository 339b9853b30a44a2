"""ProbVLM: its likelihoods against the laws, its variances, its parts, and a run end to end."""

import importlib.util
import json
import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy import stats
from torch.distributions import Laplace, Normal

from spaceforms.__main__ import main
from spaceforms.datasets import load_emoji
from spaceforms.distributions import GeneralizedGaussian
from spaceforms.models import CLIP, MERU, ProbVLM
from spaceforms.models.encoders import frozen
from spaceforms.models.probvlm import run as probvlm_run
from spaceforms.models.probvlm.alignment_heads import (
    GivenFeatures,
    coordinates,
    fit_heads,
    make_parts,
)
from spaceforms.models.probvlm.baselines import PCME, PFE, ProLIP, augmentation_variance
from spaceforms.models.probvlm.config import ProbVLMConfig
from spaceforms.models.probvlm.contents import Contents, contents, contents_figures
from spaceforms.models.probvlm.run import as_table, run
from spaceforms.models.probvlm.train import Pairs, train_adapters, train_heads
from spaceforms.models.probvlm.uncertainty import calibration_figures, hits_at_1, likelihood_figures

DIM = 6


def _model(kind=ProbVLM, **options):
    """A model whose heads are not flat, and embeddings to try it on."""
    torch.manual_seed(0)
    model = kind(DIM, hidden=16, centre=torch.linspace(-1, 1, DIM), spread=0.5, **options)
    for parameter in model.adapters.parameters():
        torch.nn.init.normal_(parameter, std=0.15)
    return model.double().eval(), torch.randn(2, 9, DIM, dtype=torch.float64)


@pytest.mark.parametrize("likelihood", ["generalized_gaussian", "gaussian", "laplace"])
@torch.no_grad()
def test_the_loss_is_the_likelihood_of_the_laws_of_torch_and_scipy(likelihood):
    model, (image, text) = _model(likelihood=likelihood, cross_weight=0.3)
    laws = model(image, text)

    def minus_log_density(law, x):
        scale = law.log_scale.exp()
        if likelihood == "gaussian":
            return -Normal(law.loc, scale / math.sqrt(2)).log_prob(x)
        if likelihood == "laplace":
            return -Laplace(law.loc, scale).log_prob(x)
        values = -stats.gennorm.logpdf(x.numpy(), law.shape.numpy(), law.loc.numpy(), scale.numpy())
        return torch.from_numpy(values)

    intra = sum(
        minus_log_density(law, x).mean() for law, x in zip(laws, (image, text), strict=True)
    )
    cross = sum(
        minus_log_density(law, x).mean() for law, x in zip(laws, (text, image), strict=True)
    )
    losses = model.loss(image, text)
    torch.testing.assert_close(losses.parts["intra"], intra, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(losses.parts["cross"], cross, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(losses.total, intra + 0.3 * cross, rtol=1e-12, atol=1e-12)


@torch.no_grad()
def test_laws_move_and_stretch_with_the_embeddings():
    """Standardised inside: a + s x has the law of x, moved by a and stretched by s."""
    model, (image, _) = _model()
    other = ProbVLM(DIM, hidden=16, centre=3 + 7 * model.centre, spread=3.5).double().eval()
    other.adapters.load_state_dict(model.adapters.state_dict())
    one, two = model.law(image, "image"), other.law(3 + 7 * image, "image")
    close = {"rtol": 1e-12, "atol": 1e-12}
    torch.testing.assert_close(two.loc, 3 + 7 * one.loc, **close)
    torch.testing.assert_close(two.log_scale, one.log_scale + math.log(7), **close)
    torch.testing.assert_close(two.shape, one.shape, **close)


def test_a_new_adapter_gives_scale_one_spread_and_the_middle_shape():
    model = ProbVLM(DIM, spread=0.25)
    law = model.law(torch.randn(3, DIM), "text")
    torch.testing.assert_close(law.log_scale.exp(), torch.full((3, DIM), 0.25))
    torch.testing.assert_close(law.shape, torch.full((3, DIM), math.sqrt(0.3 * 8)))


def test_the_predicted_shape_and_scale_keep_a_gradient_and_their_bounds():
    model = ProbVLM(DIM)
    adapter = model.adapters["image"]
    for bias in (-9.0, 9.0):
        for head in (adapter.scale, adapter.shape):
            torch.nn.init.constant_(head.bias, bias)
        law = model.law(torch.randn(3, DIM), "image")
        assert ((law.shape > 0.3) & (law.shape < 8)).all()
        assert (law.log_scale.exp() > 1e-3).all()
        assert (law.log_scale.exp() < 1e2).all()
        (law.shape.sum() + law.log_scale.sum()).backward()
        assert (adapter.shape.bias.grad != 0).all()
        assert (adapter.scale.bias.grad != 0).all()


@pytest.mark.parametrize("passes", [1, 7])
def test_uncertainty_does_not_depend_on_batch_mates(passes):
    model, (image, _) = _model()
    whole = model.uncertainty(image, "image", passes=passes)
    order = torch.randperm(len(image))
    mixed = model.uncertainty(image[order], "image", passes=passes)
    alone = [model.uncertainty(row[None], "image", passes=passes) for row in image]
    for name in whole._fields:
        value = getattr(whole, name)
        # Matrix products of other sizes round otherwise.
        close = {"rtol": 1e-10, "atol": 1e-14}
        torch.testing.assert_close(getattr(mixed, name), value[order], **close)
        torch.testing.assert_close(torch.cat([getattr(a, name) for a in alone]), value, **close)
    assert (whole.epistemic > 0).all() == (passes > 1)


@torch.no_grad()
def test_epistemic_variance_is_that_of_dropout():
    """Against torch's own dropout, whose masks are drawn for each row: same law of the location."""
    model, (image, _) = _model()
    one = image[:1]
    many = 10_000
    model.train()
    locations = model.law(one.expand(many, DIM), "image").loc
    wanted = locations.var(0).mean()
    found = model.uncertainty(one, "image", passes=1000).epistemic
    # A variance from N samples of finite kurtosis k has relative error sqrt((k - 1)/N), averaged
    # over coordinates at worst as large; five of them with k < 6.
    assert abs(found / wanted - 1) < 5 * math.sqrt(5 / 1000)


@torch.no_grad()
def test_aleatoric_is_the_mean_variance_of_the_laws():
    model, (image, _) = _model(dropout=0.0)
    law = model.law(image, "image")
    variance = stats.gennorm.var(law.shape.numpy(), scale=law.log_scale.exp().numpy())
    found = model.uncertainty(image, "image", passes=3)
    np.testing.assert_allclose(found.aleatoric.numpy(), variance.mean(-1), rtol=1e-10)
    assert (found.epistemic == 0).all()


def test_the_published_objective_fits_one_shape_whatever_the_data():
    """The shape of least lgamma(1/b): 1/b = 1.4616, the minimum of the gamma function."""
    for law in (Laplace(0.0, 1.0), Normal(0.0, 1.0)):
        torch.manual_seed(0)
        image, text = law.sample((2, 200, 2))
        model = ProbVLM(2, likelihood="surrogate", dropout=0.0, hidden=4)
        free = [p for p in model.parameters() if p.ndim == 1]  # one law for all
        optimizer = torch.optim.Adam(free, lr=0.1)
        for _ in range(100):
            optimizer.zero_grad()
            model.loss(image, text).total.backward()
            optimizer.step()
        shape = model.eval().law(image, "image").shape
        torch.testing.assert_close(shape, torch.full_like(shape, 1 / 1.4616), rtol=0.01, atol=0)


def test_adapters_recover_the_law_of_the_noise():
    """Text = picture + noise of one scale and shape: that is what the picture's law should be."""
    torch.manual_seed(0)
    image = torch.randn(4000, 2)
    text = image + GeneralizedGaussian(0.0, 0.5, 1.0).sample(image.shape)
    config = ProbVLMConfig("-", "-", epochs=15, hidden=32, dropout=0.0, intra_weight=0.0, lr=5e-3)
    model = train_adapters(
        config, "generalized_gaussian", image, text, torch.arange(4000), np.arange(4000)
    )
    law = model.law(image, "image")
    assert abs(law.shape.median() - 1.0) < 0.15
    assert abs(law.log_scale.exp().median() - 0.5) < 0.1
    figures = likelihood_figures(model, image, text)
    covered = figures["cross"]["image"]["coverage 90%"]
    # 8,000 residuals of a law that is fitted: five standard errors and what the network lacks.
    assert abs(covered - 0.9) < 5 * math.sqrt(0.9 * 0.1 / 8_000) + 0.01


@torch.no_grad()
def test_pfe_is_the_mutual_likelihood_by_quadrature():
    model, (image, text) = _model(PFE)
    v, t = model(image, text)
    z = torch.linspace(-30, 30, 20_001, dtype=torch.float64).view(-1, 1, 1)
    one = Normal(v.loc, v.log_scale.exp() / math.sqrt(2)).log_prob(z)
    other = Normal(t.loc, t.log_scale.exp() / math.sqrt(2)).log_prob(z)
    # The densities vanish at both ends, so the trapezoidal rule is a plain sum.
    wanted = -((one + other).logsumexp(0) + math.log(60 / 20_000)).mean()
    torch.testing.assert_close(model.loss(image, text).total, wanted, rtol=1e-9, atol=1e-9)


@torch.no_grad()
def test_pcme_compares_by_the_mean_square_distance_of_draws():
    model, (image, text) = _model(PCME)
    v, t = (law.distribution() for law in model(image, text))
    torch.manual_seed(0)
    draws = (v.sample((20_000,))[:, :, None] - t.sample((20_000,))[:, None]).square().mean(-1)
    logits = 5 - 5 * draws.mean(0) / 0.25
    wanted = torch.nn.functional.binary_cross_entropy_with_logits(logits, torch.eye(9).double())
    torch.testing.assert_close(model.loss(image, text).total, wanted, rtol=0.02, atol=0)


@torch.no_grad()
def test_prolip_adds_what_pictures_lie_in_and_how_far_widths_are_from_the_spread():
    """Against torch's own divergence and the integrals' closed form of one coordinate."""
    sizes = {"hidden": 16, "centre": torch.linspace(-1, 1, DIM), "spread": 0.5}
    torch.manual_seed(0)
    model = ProLIP(DIM, inclusion_weight=0.3, bottleneck_weight=0.2, **sizes).double().eval()
    for parameter in model.adapters.parameters():
        torch.nn.init.normal_(parameter, std=0.15)
    image, text = torch.randn(2, 9, DIM, dtype=torch.float64)
    losses = model.loss(image, text)
    pcme = PCME(DIM, **sizes).double().eval()
    pcme.load_state_dict(model.state_dict())
    matching = 9 * pcme.loss(image, text).total
    torch.testing.assert_close(losses.parts["matching"], matching, rtol=1e-12, atol=0)
    one, other = (
        Normal(law.loc / 0.5, law.log_scale.exp() / math.sqrt(2) / 0.5)
        for law in model(image, text)
    )
    unit = torch.distributions.kl_divergence
    wanted = [unit(Normal(0.0, law.scale), Normal(0.0, 1.0)).mean() for law in (one, other)]
    torch.testing.assert_close(losses.parts["bottleneck"], sum(wanted) / 2, rtol=1e-10, atol=0)
    # log of the integral of p^2 q: the densities vanish at both ends.
    z = torch.linspace(-25, 25, 20_001, dtype=torch.float64).view(-1, 1, 1)
    p, q = one.log_prob(z), other.log_prob(z)
    h = ((2 * p + q).logsumexp(0) - (p + 2 * q).logsumexp(0)).mean(-1)
    wanted = torch.log1p((-h).exp()).mean()
    torch.testing.assert_close(losses.parts["inclusion"], wanted, rtol=1e-9, atol=1e-9)
    total = matching + 0.3 * wanted + 0.2 * losses.parts["bottleneck"]
    torch.testing.assert_close(losses.total, total, rtol=1e-9, atol=0)


def test_variance_over_views_is_zero_for_equal_views_and_a_variance_else():
    views = torch.randn(5, 3, DIM)
    torch.testing.assert_close(
        augmentation_variance(views), torch.from_numpy(views.numpy().var(0).mean(-1))
    )
    assert (augmentation_variance(views[:1].expand(4, 3, DIM)) == 0).all()


def test_parts_share_no_family_and_hold_every_held_out_concept_back(features):
    data = features[1]
    parts = make_parts(data, share=0.3, seed=2)
    families = [set(data.family[data.concept[rows]]) for rows in parts]
    for k, one in enumerate(families):
        for other in families[:k]:
            assert not one & other
    assert sum(map(len, parts)) == len(data)
    sides = {name: {data.concepts[c].split for c in data.concept[rows]}
             for name, rows in parts._asdict().items()}  # fmt: skip
    assert sides == {"heads": {"train"}, "adapters": {"train"}, "val": {"val"}, "test": {"test"}}
    assert abs(len(families[0]) / (len(families[0]) + len(families[1])) - 0.3) < 0.001
    with pytest.raises(ValueError, match="make_parts: share is 1"):
        make_parts(data, share=1.0)


def test_heads_standardise_by_what_they_are_made_from_and_learn_to_align():
    torch.manual_seed(0)
    hidden = torch.randn(60, 8)
    image, text = hidden @ torch.randn(8, 12) + 5, hidden @ torch.randn(8, 9)
    image[:, 3] = 2.0  # a feature that says nothing
    given = GivenFeatures(image)
    out = given(image)
    torch.testing.assert_close(out.mean(0), torch.zeros(12), atol=1e-5, rtol=0)
    assert (out[:, 3] == 0).all()
    model = CLIP(given, GivenFeatures(text), embed_dim=8)
    history = fit_heads(model, image, text, torch.arange(60), epochs=60, batch_size=30, lr=1e-2)
    assert history[-1] < 0.2 * history[0]
    scores = model.encode_image(image) @ model.encode_text(text).T
    right = np.eye(60, dtype=bool)
    assert hits_at_1(scores.detach().numpy(), right).mean() > 0.9


def test_rows_are_normalised_after_columns_where_asked_and_so_are_heads_that_have_radii():
    torch.manual_seed(0)
    some = torch.randn(60, 12) * (0.5 + torch.rand(60, 1)) + 3
    out = GivenFeatures(some, layer_norm=True)(some)
    plain = GivenFeatures(some)(some)
    wanted = (plain - plain.mean(1, keepdim=True)) / plain.std(1, keepdim=True, correction=0)
    torch.testing.assert_close(out, wanted, rtol=1e-4, atol=1e-5)  # its epsilon, 1e-5
    pairs = SimpleNamespace(image=some, text=some, family=torch.arange(60))
    for model, normalised in (("meru", True), ("euclip", True), ("clip", False)):
        config = ProbVLMConfig("-", "-", model=model, embed_dim=4, head_epochs=1)
        heads = train_heads(config, pairs, np.arange(60))
        assert heads.image_encoder.layer_norm is normalised


def test_coordinates_are_normal_ones_where_a_model_lifts_by_them():
    features = torch.randn(20, 5)
    meru = MERU(GivenFeatures(features), GivenFeatures(features), embed_dim=3)
    points = meru.encode_image(features)
    x = coordinates(meru, points)
    assert x.shape == (20, 3)
    origin = meru.manifold.origin(3)
    torch.testing.assert_close(x.norm(dim=-1), meru.manifold.dist(origin, points))
    clip = CLIP(GivenFeatures(features), GivenFeatures(features), embed_dim=3)
    assert coordinates(clip, clip.encode_image(features)).norm(dim=-1).allclose(torch.ones(20))


def test_coordinates_go_back_to_the_points_and_those_off_the_sphere_to_the_nearest():
    features = torch.randn(20, 5)
    for model in (CLIP, MERU):
        heads = model(GivenFeatures(features), GivenFeatures(features), embed_dim=3)
        points = heads.encode_image(features)
        x = coordinates(heads, points)
        torch.testing.assert_close(heads.from_coordinates(x), points, rtol=1e-5, atol=1e-6)
        if model is CLIP:
            torch.testing.assert_close(heads.from_coordinates(3 * x), points)


@pytest.mark.parametrize("kind", [CLIP, MERU])
def test_what_a_narrow_law_holds_is_the_nearest_picture_and_a_wide_one_holds_many(kind):
    torch.manual_seed(0)
    features = torch.randn(40, 5)
    heads = kind(GivenFeatures(features), GivenFeatures(features), embed_dim=4).eval()
    pictures = heads.encode_image(features).detach()
    x = coordinates(heads, heads.encode_text(features[:6])).detach()
    laws = ProbVLM(4, hidden=8, likelihood="gaussian", spread=float(x.std()))
    found = {}
    for width in (-30.0, 3.0):  # of the logistic function: the least scale, and nearly the largest
        torch.nn.init.constant_(laws.adapters["text"].scale.bias, width)
        found[width] = contents(laws.eval(), heads, x, "text", pictures, samples=16, seed=1)
    points = heads.from_coordinates(laws.law(x, "text").loc.detach())
    for k, point in enumerate(points):
        nearest = int(heads.manifold.dist(point, pictures).argmin())
        assert found[-30.0].location[k] == found[3.0].location[k] == nearest
    narrow, wide = (contents_figures(f, np.arange(40), f.location.numpy()) for f in found.values())
    assert narrow["location"] == wide["location"] == 1
    assert narrow["samples"] > 0.9
    assert wide["samples"] < 0.5
    assert wide["different"] > 3 * narrow["different"]
    before = torch.get_rng_state()
    again = contents(laws, heads, x, "text", pictures, samples=16, seed=1)
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(again.samples, found[3.0].samples)
    with pytest.raises(ValueError, match="contents: samples is 0"):
        contents(laws, heads, x, "text", pictures, samples=0)


def test_contents_are_counted_by_kind():
    held = Contents(torch.tensor([0, 2]), torch.tensor([[0, 0, 1, 2], [2, 3, 2, 2]]))
    found = contents_figures(held, np.array([7, 7, 8, 9]), np.array([7, 9]))
    assert found == {"location": 0.5, "samples": 0.5, "chance": 3 / 8, "different": 5 / 8}


def test_calibration_knows_a_good_uncertainty_from_a_bad_one():
    generator = torch.Generator().manual_seed(0)
    u = torch.rand(2000, generator=generator)
    hit = (torch.rand(2000, generator=generator) > u).double()
    other = torch.rand(2000, generator=generator)
    figures = calibration_figures({"good": u, "reversed": 1 - u, "none": other}, hit)
    assert figures["good"]["-S R2"] > 0.9
    assert figures["good"]["p"] < 0.01
    assert figures["reversed"]["-S R2"] < -0.9
    assert figures["good"]["AURC"] < figures["none"]["AURC"] < figures["reversed"]["AURC"]


@pytest.fixture(scope="module")
def features(tmp_path_factory):
    """Random features of the packaged pictures, in which a concept can be known."""
    data = load_emoji(size=16)
    generator = np.random.default_rng(0)
    meaning = generator.normal(size=(len(data.names), 12))
    text = meaning @ generator.normal(size=(12, 24))
    image = meaning[data.concept] @ generator.normal(size=(12, 32))
    image += generator.normal(size=image.shape) * generator.uniform(0, 4, size=(len(image), 1))
    path = tmp_path_factory.mktemp("features") / "features.npz"
    found = frozen.Features(
        image.astype(np.float32), text.astype(np.float32), data.concept, data.vendor
    )
    frozen.save_features(found, path)
    return path, data


SMALL = {"embed_dim": 8, "head_epochs": 2, "epochs": 2, "hidden": 16, "passes": 3}


def test_what_is_held_out_is_never_learned_from(features, tmp_path, monkeypatch):
    """Other features of the held-out concepts change no weight."""
    path, data = features
    monkeypatch.setattr(probvlm_run, "load_emoji", lambda *paths: data)  # which takes a second
    found = frozen.load_features(path)
    parts = make_parts(data)
    held_out = np.concatenate([parts.val, parts.test])
    found.image[held_out] = 99.0
    found.text[np.unique(data.concept[held_out])] = -99.0
    frozen.save_features(found, tmp_path / "other.npz")
    weights = []
    for k, source in enumerate((path, tmp_path / "other.npz")):
        run(ProbVLMConfig(source, tmp_path / str(k), methods=("generalized_gaussian",), **SMALL))
        files = [tmp_path / str(k) / f"{n}.safetensors" for n in ("heads", "generalized_gaussian")]
        weights.append([file.read_bytes() for file in files])
    assert weights[0] == weights[1]


@pytest.mark.slow
def test_the_command_runs_end_to_end(features, tmp_path, capsys):
    path, data = features
    found = frozen.load_features(path)
    view = tmp_path / "view.npz"
    rows, moved = make_parts(data).test, found.image + np.float32(0.1)
    frozen.save_features(found._replace(image=frozen.spread(moved[rows], rows, len(data))), view)
    words = ["probvlm", str(path), "--out", str(tmp_path), "--select", "50", "--views", str(view)]
    for name, value in SMALL.items():
        words += [f"--{name.replace('_', '-')}", str(value)]
    assert main(words) == 0
    result = json.loads((tmp_path / "probvlm.json").read_text())
    out = capsys.readouterr().out
    assert "covered, cross" in out
    assert "AURC" in out
    assert sum(result["pictures"].values()) == len(data)
    assert result["names tested"] == sum(c.split == "test" for c in data.concepts)
    assert set(result["methods"]) == {
        *("generalized_gaussian", "gaussian", "laplace", "surrogate"),
        *("pfe", "pcme", "prolip", "last_layer", "ttda"),
    }
    ttda = result["methods"].pop("ttda")["image uncertainty"]
    last_layer = result["methods"].pop("last_layer")
    assert set(last_layer) == {"image uncertainty", "text uncertainty"}
    assert last_layer["text uncertainty"]["total"]["mean"] > 0
    assert ttda["recall at 1"] == result["retrieval"]["image"]["R@1"]
    for figures in result["methods"].values():
        assert math.isfinite(figures["cross"]["NLL"])
        assert 0 < figures["cross"]["coverage 50%"] < figures["cross"]["coverage 95%"] <= 1
        assert len(figures["image uncertainty"]["total"]["recall by bin"]) == 10
        held = figures["contents"]["family"]
        assert 0 < held["chance"] < 0.05
        assert 1 / 8 <= held["different"] <= 1
    pictures = ("reliability", "risk_coverage", "certainty", "contents")
    assert all((tmp_path / f"{name}.png").is_file() for name in pictures)
    assert set(result["selection"]) >= {"none", "random", "most uncertain", "least uncertain"}


def test_views_that_are_not_there_are_told_before_anything_is_trained(features, tmp_path, capsys):
    path, _ = features
    words = ["--out", str(tmp_path / "out"), "--views", str(tmp_path / "nowhere.npz")]
    assert main(["probvlm", str(path), *words]) == 1
    assert "nowhere.npz: no such file" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_views_are_no_features_to_learn_from(features, tmp_path):
    path, data = features
    found, rows = frozen.load_features(path), make_parts(data).test
    view = found._replace(image=frozen.spread(found.image[rows], rows, len(data)))
    frozen.save_features(view, tmp_path / "view.npz")
    missing = len(data) - len(rows)
    with pytest.raises(ValueError, match=f"{missing} of {len(data)} pictures .* have no finite"):
        run(ProbVLMConfig(tmp_path / "view.npz", tmp_path / "out", **SMALL))
    assert not (tmp_path / "out").exists()


def test_features_of_a_run_stand_in_for_the_frozen_pair(tiny, tmp_path, monkeypatch, capsys):
    from spaceforms.models.training.loop import train

    config = tiny("run", split="vendor", held_out="emojione", epochs=1)
    train(config)
    out = tmp_path / "f.npz"
    where = ["--data", str(config.data), "--concepts", str(config.concepts)]
    assert main(["features", "--run", str(config.out), "--out", str(out), *where]) == 0
    assert "was trained on every concept" in capsys.readouterr().err
    found = frozen.load_features(out)
    data = load_emoji(config.data, config.concepts, size=16)
    assert found.image.shape == (len(data), 16)
    assert found.text.shape == (len(data.names), 16)
    other = tmp_path / "view.npz"
    words = ["features", "--run", str(config.out), "--out", str(other), "--augmented", "1"]
    assert main([*words, *where]) == 0
    view = frozen.load_features(other)
    assert (view.text == found.text).all()
    test = make_parts(data).test
    assert (view.image[test] != found.image[test]).any(1).all()
    assert np.isfinite(view.image[test]).all()
    assert np.isnan(np.delete(view.image, test, 0)).all()  # views are of what is judged
    assert main(["probvlm", str(out), "--out", str(tmp_path / "p")]) == 1
    assert "expected features of it" in capsys.readouterr().err

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert main(["features", "--out", str(tmp_path / "x.npz")]) == 2
    assert "spaceforms features --run RUN" in capsys.readouterr().err


def test_wrong_options_are_named():
    with pytest.raises(ValueError, match="ProbVLM: likelihood is 'cauchy'; expected one of"):
        ProbVLM(3, likelihood="cauchy")
    with pytest.raises(ValueError, match="ProbVLM: dim is 0; expected at least 1"):
        ProbVLM(0)
    with pytest.raises(ValueError, match=r"text has shape \(4, 2\); expected embeddings of 3 coo"):
        ProbVLM(3).loss(torch.zeros(4, 3), torch.zeros(4, 2))
    with pytest.raises(ValueError, match="expected 0 or more, and not both 0"):
        ProbVLM(3, intra_weight=0.0, cross_weight=0.0)
    with pytest.raises(ValueError, match="passes is 0; expected at least 1"):
        ProbVLM(3).uncertainty(torch.zeros(1, 3), "image", passes=0)
    with pytest.raises(ValueError, match="epochs is 0; expected at least 1"):
        ProbVLMConfig("f.npz", "out", epochs=0)


@pytest.mark.parametrize("kind", [ProbVLM, PFE, PCME, ProLIP])
def test_a_loss_is_of_pairs_and_of_some(kind):
    """One row would be broadcast against thirty, and the mean of none is NaN."""
    model = kind(3)
    for rows, others in ((1, 30), (300, 5), (0, 0)):
        sentence = (
            rf"^{kind.__name__}\.loss: image has shape \({rows}, 3\) and text \({others}, 3\); "
            r"expected pairs row by row, both \(B, 3\) with B >= 1\."
        )
        with pytest.raises(ValueError, match=sentence):
            model.loss(torch.zeros(rows, 3), torch.zeros(others, 3))
    with pytest.raises(ValueError, match=r"\.loss: image has shape \(3,\)"):
        model.loss(torch.zeros(3), torch.zeros(3))
    with pytest.raises(TypeError, match=r"ProbVLM: image is a ndarray; expected a torch\.Tensor"):
        model.loss(np.zeros((2, 3)), torch.zeros(2, 3))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_embeddings_of_any_dtype_are_computed_in_that_of_the_model(dtype):
    x = torch.linspace(-1, 1, 6).reshape(2, 3).to(dtype)
    model = ProbVLM(3)
    wanted = model.uncertainty(x.float(), "image", passes=2)
    assert all(map(torch.equal, model.uncertainty(x, "image", passes=2), wanted))
    assert model.loss(x, x).total.isfinite()


def test_an_uncertainty_of_what_is_no_embedding_gets_a_sentence():
    model, x = ProbVLM(3), torch.zeros(2, 3)
    with pytest.raises(ValueError, match="modality is 'picture'; expected one of image, text"):
        model.uncertainty(x, "picture")
    with pytest.raises(ValueError, match="modality is 'picture'; expected one of image, text"):
        model.law(x, "picture")
    with pytest.raises(TypeError, match=r"image is a ndarray; expected a torch\.Tensor"):
        model.uncertainty(x.numpy(), "image")


def test_pairs_put_each_picture_with_its_name(features):
    path, data = features
    pairs = Pairs(frozen.load_features(path), data)
    k = 1234
    assert torch.equal(pairs.text[k], pairs.names[data.concept[k]])
    assert pairs.family[k] == data.family[data.concept[k]]


def test_the_table_has_every_figure_in_its_place():
    kinds = ("S", "R2", "-S R2", "p", "AURC")

    def uncertainty(k: int) -> dict[str, object]:
        return {"total": {name: k + j / 10 for j, name in enumerate(kinds)}, "recall at 1": 0.5}

    def method(k: int) -> dict[str, object]:
        coverage = {f"coverage {p}": k + 0.1 * j for j, p in enumerate(("50%", "90%", "95%"), 4)}
        return {
            "intra": {"NLL": k + 0.1},
            "cross": {"NLL": k + 0.2, **coverage},
            "shape": {"median": k + 0.75},
            "image uncertainty": uncertainty(k + 10),
            "text uncertainty": uncertainty(k + 20),
        }

    result = {
        **{"model": "Heads", "manifold": "Sphere()", "pictures": {"train": 1234, "test": 56}},
        "retrieval": {"image": {"R@1": 0.125, "R@5": 0.25}, "text": {"R@1": 0.5, "R@5": 0.75}},
        "methods": {
            **{"one": method(1), "two": method(2)},
            "ttda": {"image uncertainty": uncertainty(3)},
        },
        "selection": {"added": 7, "pool": 89, "none": 0.625, "random": 0.875},
    }
    lines = as_table(result).splitlines()
    assert lines[0] == "Heads on Sphere(); pictures: train 1,234, test 56"

    def rows(*words: str) -> list[list[float]]:
        found = [x for x in lines if x.split()[: len(words)] == list(words)]
        return [[float(w) for w in x.split()[len(words) :] if w[0].isdigit()] for x in found]

    assert rows("retrieval", "by", "image") == [[0.125, 0.25]]
    assert rows("retrieval", "by", "text") == [[0.5, 0.75]]
    law = {k: [k + 0.1, k + 0.2, k + 0.4, k + 0.5, k + 0.6, k + 0.75] for k in (1, 2)}
    calibration = {k: [k + j / 10 for j in range(5)] for k in (3, 11, 12, 21, 22)}
    assert rows("one") == [law[1], calibration[11], calibration[21]]
    assert rows("two") == [law[2], calibration[12], calibration[22]]
    assert rows("ttda") == [calibration[3]]
    assert rows("ttda", "total") == [calibration[3]]
    (first, second) = [k for k, x in enumerate(lines) if x.split()[1:2] == ["uncertainty"]]
    assert (lines[first].split()[0], lines[second].split()[0]) == ("image", "text")
    assert first < lines.index(next(x for x in lines if x.split()[:1] == ["ttda"])) < second
    for k in (first, second):
        assert lines[k].split()[2:] == ["S", "R2", "-S", "R2", "p", "AURC"]
    assert "  R@1 with 7 of 89 more pictures: none 0.625, random 0.875" in lines
    del result["selection"]
    assert "more pictures" not in as_table(result)


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        *((n, 1, 0) for n in ("embed_dim", "head_epochs", "epochs", "batch_size")),
        *((n, 1, 0) for n in ("hidden", "passes")),
        ("dropout", 0.0, -0.1),
        ("dropout", 0.99, 1.0),
        ("select", 0, -1),
        ("bins", 3, 2),
    ],
)
def test_options_at_the_ends_of_their_ranges(name, good, bad):
    assert getattr(ProbVLMConfig("f.npz", "out", **{name: good}), name) == good
    with pytest.raises(ValueError, match=rf"{name}( is)? {bad}\b.*; expected"):
        ProbVLMConfig("f.npz", "out", **{name: bad})


def test_features_of_other_pictures_or_with_holes_are_refused(features, tmp_path):
    path, data = features
    found = frozen.load_features(path)
    pairs = probvlm_run._checked(path, data, np.arange(len(data)))
    assert torch.equal(pairs.image, torch.from_numpy(found.image))
    other = tmp_path / "other.npz"
    frozen.save_features(found._replace(text=found.text[:-1]), other)
    with pytest.raises(ValueError, match=r"other.npz: .*expected"):
        probvlm_run._checked(other, data, np.arange(3))
    frozen.save_features(found._replace(concept=found.concept[::-1].copy()), other)
    sizes = f"other.npz: {len(data)} pictures of {len(data.names)} names, and the data has "
    with pytest.raises(ValueError, match=f"{sizes}{len(data)} of {len(data.names)} in its order"):
        probvlm_run._checked(other, data, np.arange(3))
    image = found.image.copy()
    image[[2, 5], 0] = np.nan, np.inf
    frozen.save_features(found._replace(image=image), other)
    with pytest.raises(ValueError, match="2 of 6 pictures that are needed have no finite features"):
        probvlm_run._checked(other, data, np.arange(6))
    probvlm_run._checked(other, data, np.array([0, 1, 3, 4]))
