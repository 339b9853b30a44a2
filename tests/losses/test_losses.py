"""Losses against independent dense formulas, identities, limits and refusals."""

import inspect
import math

import pytest
import torch
from cases import CASES, points
from torch.autograd import gradcheck
from torch.nn.functional import cross_entropy

from spaceforms.losses import (
    ConeLikelihood,
    EntailmentLoss,
    InfoNCE,
    entailment,
    functional,
    info_nce,
)
from spaceforms.manifolds import Lorentz, PoincareBall, Sphere

F64 = torch.float64


def _dense(logits, table):
    """Soft cross entropy of rows and columns, written with torch's own."""
    rows = cross_entropy(logits, table / table.sum(1, keepdim=True))
    columns = cross_entropy(logits.T, (table / table.sum(0, keepdim=True)).T)
    return (rows + columns) / 2


@pytest.mark.parametrize("logits", ["neg_dist", "neg_sqdist", "inner"])
def test_info_nce_is_the_dense_formula_on_every_manifold(manifold, logits):
    x, y = points(manifold, 6, 3, seed=1), points(manifold, 6, 3, seed=2)
    similarity = {
        "neg_dist": lambda: -manifold.cdist(x, y),
        "neg_sqdist": lambda: -manifold.cdist(x, y, squared=True),
        "inner": lambda: manifold.cinner(x, y),
    }[logits]()
    loss = info_nce(x, y, manifold=manifold, scale=3.0, logits=logits)
    torch.testing.assert_close(
        loss, _dense(3 * similarity, torch.eye(6, dtype=F64)), rtol=1e-12, atol=1e-13
    )


def test_several_positives_share_the_mass_of_their_row():
    space = Lorentz()
    x, y = points(space, 6, 3, seed=1), points(space, 6, 3, seed=2)
    family = torch.tensor([0, 1, 0, 2, 2, 2])
    table = family[:, None] == family[None]
    loss = info_nce(x, y, manifold=space, scale=2.0, targets=table)
    wanted = _dense(-2 * space.cdist(x, y), table.double())
    torch.testing.assert_close(loss, wanted, rtol=1e-12, atol=0)
    # Equal logits everywhere: log of the number of columns, whatever the positives.
    one = x[:1].expand(6, -1)
    assert info_nce(one, one, manifold=space, scale=2.0, targets=table).item() == pytest.approx(
        math.log(6)
    )


def test_reductions_and_sides_agree():
    space = PoincareBall()
    x, y = points(space, 5, 2, seed=1), points(space, 5, 2, seed=2)
    options = {"manifold": space, "scale": 4.0}
    both = info_nce(x, y, **options, reduction="none")
    assert both.shape == (5, 2)
    rows = info_nce(x, y, **options, symmetric=False, reduction="none")
    columns = info_nce(y, x, **options, symmetric=False, reduction="none")
    torch.testing.assert_close(both, torch.stack([rows, columns], 1), rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(info_nce(x, y, **options), both.mean(), rtol=1e-13, atol=0)
    torch.testing.assert_close(
        info_nce(x, y, **options, reduction="sum"), both.sum() / 2, rtol=1e-13, atol=0
    )
    labels = torch.tensor([2, 0, 1, 4, 3])
    by_label = info_nce(x, y, **options, symmetric=False, targets=labels)
    permuted = info_nce(x, y[labels], **options, symmetric=False)
    torch.testing.assert_close(by_label, permuted, rtol=1e-13, atol=0)


def test_rows_without_a_positive_count_for_nothing():
    space = Lorentz()
    x, y = points(space, 4, 2, seed=1), points(space, 6, 2, seed=2)
    table = torch.zeros(4, 6)
    table[0, 1] = table[2, 5] = 1
    options = {"manifold": space, "scale": 4.0, "symmetric": False}
    rows = info_nce(x, y, **options, targets=table, reduction="none")
    assert rows[1] == rows[3] == 0
    mean = info_nce(x, y, **options, targets=table)
    torch.testing.assert_close(mean, (rows[0] + rows[2]) / 2, rtol=1e-13, atol=0)
    assert info_nce(x, y, **options, targets=0 * table) == 0


def test_info_nce_differentiates_in_points_scale_and_curvature():
    space = Lorentz(-0.7, learnable=True).double()
    u = torch.randn(4, 2, dtype=F64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    v = torch.randn(4, 2, dtype=F64, generator=torch.Generator().manual_seed(1)).requires_grad_()
    s = torch.tensor(3.0, dtype=F64, requires_grad=True)
    (raw,) = space.parameters()

    def loss(u, v, s, raw):
        return torch.func.functional_call(_Loss(space), {"space._magnitude.raw": raw}, (u, v, s))

    assert gradcheck(loss, (u, v, s, raw.detach().clone().requires_grad_()))


class _Loss(torch.nn.Module):
    def __init__(self, space):
        super().__init__()
        self.space = space

    def forward(self, u, v, s):
        x, y = self.space.from_normal(u), self.space.from_normal(v)
        return info_nce(x, y, manifold=self.space, scale=s) + entailment(x, y, manifold=self.space)


def test_coincident_pairs_and_the_origin_have_finite_gradients(manifold):
    for dtype in (F64, torch.float32):
        x = points(manifold, 4, 3, seed=1, dtype=dtype)
        x = torch.cat([x, x[:2], manifold.origin(3, dtype=dtype).detach().expand(2, -1)])
        x = x.detach().requires_grad_()
        loss = info_nce(x, x, manifold=manifold, scale=50.0) + entailment(
            x, x.flip(0), manifold=manifold
        )
        (gradient,) = torch.autograd.grad(loss, x)
        assert loss.isfinite()
        assert gradient.isfinite().all()


@pytest.mark.parametrize("manifold", CASES, indirect=True)  # a promise of ours
def test_half_precision_inputs_and_autocast_are_float32_inside(manifold):
    x, y = (points(manifold, 6, 3, seed=s).to(torch.bfloat16) for s in (1, 2))
    for loss in (
        lambda a, b: info_nce(a, b, manifold=manifold, scale=20.0),
        lambda a, b: entailment(a, b, manifold=manifold),
    ):
        wanted = loss(x.float(), y.float())
        with torch.autocast("cpu", dtype=torch.bfloat16):
            result = loss(x, y)
        assert result.dtype == torch.float32
        assert torch.equal(result, wanted)


def test_entailment_is_zero_with_zero_gradient_inside_the_cone_and_positive_outside(manifold):
    r = torch.as_tensor(manifold.radius, dtype=F64).detach()
    parent = manifold.from_normal(torch.tensor([0.5, 0, 0], dtype=F64) * r).detach()
    inside = (
        manifold.from_normal(torch.tensor([1.2, 0.05, 0], dtype=F64) * r).detach().requires_grad_()
    )
    outside = (
        manifold.from_normal(torch.tensor([0.2, 0.6, 0], dtype=F64) * r).detach().requires_grad_()
    )
    loss = entailment(parent, inside, manifold=manifold)
    assert loss == 0
    assert (torch.autograd.grad(loss, inside)[0] == 0).all()
    loss = entailment(parent, outside, manifold=manifold)
    wanted = manifold.exterior_angle(parent, outside) - manifold.half_aperture(parent)
    assert loss == wanted
    assert loss > 0
    assert torch.autograd.grad(loss, outside)[0].abs().sum() > 0
    assert entailment(parent, parent, manifold=manifold) == 0
    wider = entailment(parent, outside, manifold=manifold, aperture_scale=1.5)
    assert wider < loss
    batch = torch.stack([inside, outside])
    none = entailment(parent, batch, manifold=manifold, reduction="none")
    assert none.shape == (2,)
    assert none.sum() == entailment(parent, batch, manifold=manifold, reduction="sum")


def test_modules_own_their_learnable_scalars_and_nothing_else():
    space = Lorentz(-1.0, learnable=True)
    loss = InfoNCE(space)
    assert [name for name, _ in loss.named_parameters()] == ["scale.raw"]
    assert loss.scale().item() == pytest.approx(1 / 0.07, rel=1e-15, abs=0)
    assert list(EntailmentLoss(space).parameters()) == []
    assert list(InfoNCE(space, learnable=False).parameters()) == []
    x, y = points(space, 4, 2, seed=1), points(space, 4, 2, seed=2)
    assert torch.equal(loss(x, y), info_nce(x, y, manifold=space, scale=loss.scale()))
    assert torch.equal(
        EntailmentLoss(space, min_radius=0.2)(x, y),
        entailment(x, y, manifold=space, min_radius=0.2),
    )
    assert "Lorentz" in repr(loss)
    with torch.no_grad():
        loss.scale.raw.fill_(50.0)
    assert loss.scale().item() <= 100.0


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            {"targets": torch.tensor([0, 3, 1])},
            r"targets have 3 at row 1; expected columns from 0 to 2, or -1 for none",
        ),
        ({"targets": torch.ones(3, 4)}, r"targets have shape \(3, 4\).*a table \(3, 3\)"),
        ({"logits": "cosine"}, r"logits is 'cosine'; expected one of neg_dist, neg_sqdist, inner"),
        ({"reduction": "max"}, r"reduction is 'max'; expected one of none, mean, sum"),
        ({"y": torch.zeros(4, 3)}, r"x has 3 points and y has 4 with targets None"),
        ({"x": torch.zeros(3)}, r"expected batches of points, \(B, m\) and \(C, m\)"),
    ],
)
def test_refusals_are_sentences(change, sentence):
    arguments = {"x": torch.ones(3, 3), "y": torch.ones(3, 3), "manifold": Sphere(), "scale": 1.0}
    arguments |= change
    with pytest.raises(ValueError, match=sentence):
        info_nce(arguments.pop("x"), arguments.pop("y"), **arguments)
    with pytest.raises(ValueError, match=r"aperture_scale is 0; expected a positive number"):
        entailment(torch.ones(3), torch.ones(3), manifold=CASES["Lorentz(-1)"], aperture_scale=0)


REDUCED = [
    name
    for name, function in vars(functional).items()
    if inspect.isfunction(function) and "reduction" in inspect.signature(function).parameters
]


def _arguments(name: str) -> dict[str, object]:
    """Something for every argument that must be given, by its name."""
    space = Sphere(1.0)
    generator = torch.Generator().manual_seed(0)
    four = space.random_normal(4, 3, generator=generator, dtype=torch.float64)
    flat = torch.rand(4, 3, generator=generator, dtype=torch.float64)
    known = {
        "manifold": space,
        **{"scale": 2.0, "bias": -1.0, "shift": 1.0, "prior": 0.1},
        **{"labels": torch.arange(4), "levels": [four, four], "ids": [torch.arange(4)] * 2},
        **{
            "logits": flat[:, 0],
            "matched": torch.tensor([True, False] * 2),
            "sqdist": flat @ flat.T,
        },
        **{"local": four[:, None].expand(4, 2, 4)},
        **dict.fromkeys(("x", "y", "parent", "child", "image", "text", "anchor", "positive"), four),
        **dict.fromkeys(
            ("part_image", "part_text", "image_keys", "text_keys", "point", "keys"), four
        ),
        **{n: four[:, None].expand(4, 2, 4) for n in ("negative_parent", "negative_child")},
        **dict.fromkeys(("parent_radius", "child_radius"), flat[:, 0]),
        **dict.fromkeys(("negative_parent_radius", "negative_child_radius"), flat[:, :2]),
    }
    if name in ("generalized_gaussian_nll", "probvlm_surrogate_nll", "cross_nll"):
        known = dict.fromkeys(
            (*("x", "loc", "log_scale", "shape", "inverse_scale", "loc_v", "log_scale_v"),
             *("shape_v", "loc_t", "log_scale_t", "shape_t", "z_v", "z_t")), flat + 1
        )  # fmt: skip
    if name == "inclusion_loss":
        known |= dict.fromkeys(("loc_x", "log_var_x", "loc_y", "log_var_y"), flat)
    if name == "masked_language_loss":
        known |= {"logits": flat, "labels": torch.tensor([0, 1, 2, -100])}
    required = inspect.signature(getattr(functional, name)).parameters.values()
    return {p.name: known[p.name] for p in required if p.default is p.empty}


@pytest.mark.parametrize("name", REDUCED)
def test_every_loss_is_a_mean_unless_asked_and_refuses_other_reductions(name):
    loss, given = getattr(functional, name), _arguments(name)
    mean = loss(**given)
    assert mean.ndim == 0
    assert torch.equal(mean, loss(**given, reduction="mean"))
    each, total = (loss(**given, reduction=r) for r in ("none", "sum"))
    parts = each if isinstance(each, tuple) else (each,)
    if len(parts) == 1 and each.ndim == 1:
        torch.testing.assert_close(each.sum(), total)
    # It is info_nce itself, on the points of one modality, and may say so.
    called = f"(info_nce|{name})" if name == "intra_modal_contrastive" else name
    for wrong in ("max", None, "Mean"):
        sentence = rf"{called}: reduction is {wrong!r}; expected one of none, mean, sum\."
        with pytest.raises(ValueError, match=sentence):
            loss(**given, reduction=wrong)


@pytest.mark.parametrize("kind", [ConeLikelihood, EntailmentLoss, InfoNCE])
def test_a_module_names_itself_when_its_manifold_is_none(kind):
    with pytest.raises(TypeError, match=f"{kind.__name__}: manifold is"):
        kind("Lorentz")
