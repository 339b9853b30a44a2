"""What a user may get wrong beyond the first method he calls, and what he must not lose."""

import numpy as np
import pytest
import torch
from cases import points

from spaceforms.manifolds import (
    Checked,
    Lorentz,
    PoincareBall,
    PositiveScalar,
    Sphere,
    as_geoopt,
)

L, X = Lorentz(), Lorentz().from_normal(torch.ones(4, 2) / 2)
NAN = torch.full((3, 3), torch.nan)


@pytest.mark.parametrize(
    ("call", "kind", "sentence"),
    [
        (lambda: L.cdist(X, None), TypeError, "Lorentz.cdist: y is a NoneType"),
        (
            lambda: L.cdist(X, X[:, :2]),
            ValueError,
            r"Lorentz.cdist: y has shape \(4, 2\) and x has shape \(4, 3\)",
        ),
        (lambda: L.cinner(X, torch.tensor(1.0)), ValueError, "Lorentz.cinner: y has shape"),
        (lambda: L.cinner(X, X[0]), ValueError, "expected a set of points"),
        (
            lambda: L.cinner(X.expand(2, 4, 3), X.expand(3, 4, 3)),
            ValueError,
            r"y has shape \(3, 4, 3\), which does not broadcast with the leading axes \(2,\)",
        ),
        (
            lambda: L.geodesic(X, X, torch.ones(3)),
            ValueError,
            r"Lorentz.geodesic: t has shape \(3,\), which does not",
        ),
        (lambda: L.origin(0), ValueError, "n is 0; expected a dimension, an integer of at least 1"),
        (lambda: L.origin(2.5), ValueError, "origin: n is 2.5; expected a dimension, an integer"),
        (lambda: L.random_normal(4, 2, std=-1), ValueError, "std is -1; expected a finite number"),
        (lambda: L.mean(X, torch.zeros(4)), ValueError, "expected non-negative weights"),
        (lambda: L.mean(X, torch.tensor([3, 1, 1, -1.0])), ValueError, "4 weights 1 are negative"),
        (lambda: L.mean(X, X[:, 0] * torch.inf), ValueError, "4 not finite"),
        (lambda: L.mean(X, [1.0] * 4), TypeError, "weights is a list; expected a torch.Tensor"),
        (
            lambda: L.mean(X.expand(3, 4, 3), torch.ones(2, 4)),
            ValueError,
            r"weights has shape \(2, 4\), which does not broadcast with the leading axes \(3,\)",
        ),
        (lambda: as_geoopt("x"), TypeError, "as_geoopt: manifold is a str; expected a Manifold"),
        (lambda: Lorentz("a"), TypeError, "Lorentz: curvature is a str"),
        (
            lambda: Lorentz(-1.0, learnable=True, bounds=(-5,)),
            ValueError,
            "expected two finite numbers",
        ),
        (
            lambda: Lorentz(-1.0, learnable=True, bounds=(-torch.inf, -0.1)),
            ValueError,
            r"Lorentz: bounds are \(-inf, -0.1\); expected two finite",
        ),
        (lambda: PositiveScalar(1.0, bounds=3.0), ValueError, "PositiveScalar: bounds are 3.0"),
        (lambda: PositiveScalar("a"), TypeError, "PositiveScalar: value is a str"),
    ],
)
def test_a_wrong_argument_gets_a_sentence(call, kind, sentence):
    with pytest.raises(kind, match=sentence):
        call()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
def test_a_cast_keeps_every_digit_of_the_initial_value(dtype):
    space = Lorentz(-0.7, learnable=True, bounds=(-3.0, -0.1)).to(dtype)
    assert space.curvature.item() == -0.7
    assert PositiveScalar(0.3).to(dtype)().item() == 0.3


def test_a_module_made_on_the_meta_device_gets_its_memory_and_then_its_state():
    saved = Lorentz(-0.7, learnable=True)
    with torch.device("meta"):
        space = Lorentz(-1.0, learnable=True)
    space = space.to_empty(device="cpu")
    space.load_state_dict(saved.state_dict())
    assert space.curvature.item() == -0.7


def test_a_state_outside_the_bounds_is_refused_and_changes_nothing():
    space = Lorentz(-2.0, learnable=True, bounds=(-3.0, -1.0))
    state = Lorentz(-0.7, learnable=True, bounds=(-3.0, -0.1)).state_dict()
    sentence = (
        r"_magnitude\.initial is 0\.7 in the state and the bounds are \(1\.0, 3\.0\); expected"
    )
    with pytest.raises(RuntimeError, match=sentence):
        space.load_state_dict(state)
    assert space.curvature.item() == -2.0
    space.load_state_dict(Lorentz(-2.5, learnable=True).state_dict())
    assert space.curvature.item() == -2.5


@pytest.mark.parametrize("number", [-1, np.float32(-1), np.int64(-1)])
def test_a_curvature_may_be_any_real_number(number):
    assert repr(Lorentz(number)) == "Lorentz(curvature=-1)"


def test_cdist_checks_values_under_its_own_name():
    with pytest.raises(ValueError, match=r"Lorentz\.cdist: y has 4 of 4 points off the manifold"):
        Checked(L).cdist(X, 2 * X)


def test_nan_is_no_point():
    for space in (Sphere(), Lorentz(), PoincareBall()):
        points = space.from_normal(NAN)
        assert points.isnan().any(-1).all()
        assert not space.is_point(points).any()
        assert space.proj(points).isnan().any(-1).all()
        assert space.half_aperture(points).isnan().all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("space", [Lorentz(), Lorentz(-0.3), PoincareBall()])
def test_the_mean_of_far_points_is_where_their_logarithms_add_up_to_nothing(space, dtype):
    generator = torch.Generator().manual_seed(0)
    for r in (1.0, 6.0, 12.0):
        u = torch.nn.functional.normalize(torch.randn(20, 4, 3, generator=generator), dim=-1)
        x = space.from_normal((r * u).to(dtype))
        m = space.mean(x)
        residual = space.norm(m, space.logmap(m.unsqueeze(-2), x).mean(-2))
        # Each logarithm has an error of a few units of its length.
        assert residual.max() < 32 * torch.finfo(dtype).eps * 2 * r * space.radius


def test_float16_points_of_a_large_space_stay_within_the_dtype():
    far = Lorentz(-0.05).from_normal(torch.tensor([400.0, 0.0], dtype=torch.float16))
    assert far.isfinite().all()


def test_the_precision_of_float32_products_has_no_effect(manifold):
    x, y = (points(manifold, 20, 16, seed=seed, dtype=torch.float32) for seed in (1, 2))
    forms = (
        lambda: manifold.cdist(x, y, matmul=True),
        lambda: manifold.cinner(x, y),
        lambda: manifold.dist(x, y),
    )
    before = [form() for form in forms]
    precision = torch.get_float32_matmul_precision()
    try:
        torch.set_float32_matmul_precision("medium")
        for form, expected in zip(forms, before, strict=True):
            assert torch.equal(form(), expected)
    finally:
        torch.set_float32_matmul_precision(precision)
