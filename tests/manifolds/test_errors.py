"""Bad input gets a sentence: what was got, what was expected, where."""

import pytest
import torch
from cases import CASES, points

from spaceforms.manifolds import (
    Checked,
    Euclidean,
    Lorentz,
    PoincareBall,
    PositiveScalar,
    Sphere,
    Stereographic,
)

L = Lorentz()


@pytest.mark.parametrize(
    ("call", "kind", "sentence"),
    [
        (lambda: Lorentz(1.0), ValueError, r"Lorentz: curvature is 1\.0; expected the negative"),
        (
            lambda: PoincareBall(0.0),
            ValueError,
            r"curvature is 0\.0; expected the negative",
        ),
        (lambda: Sphere(-1.0), ValueError, r"Sphere: curvature is -1\.0; expected the positive"),
        (lambda: Lorentz(float("nan")), ValueError, r"curvature is nan"),
        (
            lambda: Lorentz(-1.0, learnable=True, bounds=(-0.5, -0.1)),
            ValueError,
            r"low < curv",
        ),
        (lambda: Lorentz(-1.0, learnable=True, bounds=(-2.0, 3.0)), ValueError, r"away from 0"),
        (lambda: Lorentz(-1.0, bounds=(-2.0, -0.5)), ValueError, r"learnable is False"),
        (
            lambda: L.dist(torch.ones(3), torch.ones(4)),
            ValueError,
            r"Lorentz\.dist: y has shape \(4,\) and x has shape \(3,\); expected the same number",
        ),
        (
            lambda: L.dist(torch.ones(3, dtype=torch.int64), torch.ones(3)),
            TypeError,
            r"Lorentz\.dist: x has dtype torch\.int64; expected a floating-point tensor",
        ),
        (lambda: L.dist([1.0], torch.ones(3)), TypeError, r"x is a list; expected a torch\.Tensor"),
        (lambda: L.proj(torch.ones(1)), ValueError, r"expected at least 2 coordinates"),
        (lambda: L.proj(torch.tensor(1.0)), ValueError, r"x has shape \(\); expected at least"),
        (
            lambda: L.dist(torch.ones(3), torch.ones(3, device="meta")),
            ValueError,
            r"y is on meta and x is on cpu; expected both on one device",
        ),
        (
            lambda: L.dist(torch.ones(4, 3), torch.ones(5, 3)),
            ValueError,
            r"does not broadcast with the leading axes \(4,\)",
        ),
        (
            lambda: L.cdist(torch.ones(3), torch.ones(2, 3)),
            ValueError,
            r"x has shape \(3,\); expected a set of points",
        ),
        (
            lambda: L.half_aperture(torch.ones(3), 0.0),
            ValueError,
            r"min_radius is 0\.0",
        ),
        (L.random_normal, ValueError, r"size is \(\); expected leading sizes"),
        (lambda: Sphere().random_uniform(2, 3, radius=4.0), ValueError, r"at most pi R = 3\.14159"),
        (lambda: L.mean(torch.ones(3)), ValueError, r"expected a set of points \(\.\.\., k, m\)"),
        (
            lambda: L.mean(torch.ones(2, 3), torch.ones(3)),
            ValueError,
            r"weights have shape \(3,\).*expected \(\.\.\., 2\), one weight a point",
        ),
        (lambda: PositiveScalar(-1.0), ValueError, r"value is -1\.0; expected a positive number"),
        (lambda: PositiveScalar(1.0, bounds=(1.0, 2.0)), ValueError, r"both strictly"),
        (lambda: Checked(3), TypeError, r"manifold is a int; expected a Manifold"),
    ],
)
def test_the_sentence_names_what_was_got_and_expected_and_where(call, kind, sentence):
    with pytest.raises(kind, match=sentence):
        call()


def test_checked_passes_good_values_through_unchanged(manifold):
    checked = Checked(manifold)
    x, y = points(manifold, 4, 3, seed=1), points(manifold, 4, 3, seed=2)
    v = manifold.logmap(x, y)
    for name, arguments in {
        "dist": (x, y), "logmap": (x, y), "expmap": (x, v), "transport": (x, y, v),
        "inner": (x, v, v), "midpoint": (x, y), "to_normal": (x,), "half_aperture": (x,),
        "exterior_angle": (x, y), "cdist": (x, y), "mean": (x,),
        "egrad2rgrad": (x, torch.ones_like(x)),
        "logmap0": (x,), "transport0_inverse": (x, v),
    }.items():  # fmt: skip
        assert torch.equal(getattr(checked, name)(*arguments), getattr(manifold, name)(*arguments))
    assert list(checked.parameters()) == list(manifold.parameters())
    assert checked.sign == manifold.sign
    assert torch.equal(checked.curvature, manifold.curvature)
    assert repr(checked) == f"Checked({manifold!r})"


def test_checked_names_the_operation_the_argument_and_the_first_offender():
    checked = Checked(PoincareBall())
    good = torch.zeros(3, 2)
    bad = torch.tensor([[0.1, 0.2], [0.8, 0.9], [2.0, 0.0]])
    sentence = (
        r"PoincareBall\.dist: y has 2 of 3 points off the manifold, the first at index \(1,\): "
        r"\[0\.8, 0\.9\]; expected points of PoincareBall"
    )
    with pytest.raises(ValueError, match=sentence):
        checked.dist(good, bad)
    lorentz = Checked(Lorentz())
    x = Lorentz().from_normal(torch.tensor([1.0, 0.0]))
    with pytest.raises(ValueError, match=r"Lorentz\.expmap: v has 1 of 1 vectors that are not tan"):
        lorentz.expmap(x, torch.tensor([1.0, 0.0, 0.0]))
    with pytest.raises(ValueError, match=r"Lorentz\.logmap: x has 1 of 1 points off"):
        lorentz.logmap(x * torch.nan, x)
    with pytest.raises(ValueError, match=r"egrad2rgrad: g has 1 of 3 numbers that are not finite"):
        lorentz.egrad2rgrad(x, torch.tensor([0.0, torch.inf, 0.0]))
    assert torch.equal(checked.proj(bad), PoincareBall().proj(bad))
    assert Checked(Lorentz()).space(x).shape == (2,)


def test_a_positive_scalar_stays_in_its_bounds_and_never_stops_learning():
    scalar = PositiveScalar(3.0, bounds=(0.5, 10.0))
    assert scalar().item() == 3.0
    for direction in (1.0, -1.0):
        for _ in range(1000):
            scalar.zero_grad()
            (direction * scalar()).backward()
            assert scalar.raw.grad != 0
            with torch.no_grad():
                scalar.raw -= 0.01 * scalar.raw.grad.sign()
            assert 0.5 < scalar().item() < 10.0
    assert abs(PositiveScalar(0.3)().item() - 0.3) == 0
    assert list(PositiveScalar(2.0, learnable=False).state_dict()) == []


def test_is_point_and_is_tangent_see_what_is_off():
    for name, manifold in CASES.items():
        x = points(manifold, 5, 3, seed=1)
        assert manifold.is_point(x).all()
        in_chart = isinstance(manifold, (PoincareBall, Stereographic))
        if manifold.sign != 0 and not (in_chart and manifold.sign > 0):  # where all of R^n is
            assert not manifold.is_point(x * (1e3 if in_chart else 1.001)).any(), name
        assert not manifold.is_point(x * torch.nan).any()
        if manifold.ambient_dim(3) == 4:
            assert not manifold.is_tangent(x, x).any()
    assert repr(Euclidean()) == "Euclidean()"
    assert repr(Lorentz(-0.3)) == "Lorentz(curvature=-0.3)"
