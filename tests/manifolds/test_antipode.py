"""Antipodes: by their distance, on three models, and against geoopt."""

import math

import pytest
import torch
from cases import normal

from spaceforms.manifolds import (
    Euclidean,
    Lorentz,
    Product,
    Sphere,
    Stereographic,
    StereographicPlane,
    antipode,
)

F64 = torch.float64
EPS = torch.finfo(F64).eps
SPACES = {
    "Sphere": Sphere(0.6),
    "Stereographic": Stereographic(0.6),
    "learnable": Stereographic(0.6, learnable=True),
    "chart": StereographicPlane(0.6),
}


@pytest.mark.parametrize("name", SPACES)
def test_it_is_half_around_the_sphere_and_its_own_inverse(name):
    space = SPACES[name]
    x, y = (space.from_normal(0.8 * normal(9, 3, seed=s)) for s in (1, 2))
    z = antipode(space, x)
    assert space.is_point(z).all()
    half = math.pi / 0.6**0.5
    torch.testing.assert_close(space.dist(x, z), torch.full((9,), half, dtype=F64))
    # The distances of any point from a point and from its antipode add up to half a turn.
    both = space.dist(y, x) + space.dist(y, z)
    torch.testing.assert_close(both, torch.full((9,), half, dtype=F64), rtol=32 * EPS, atol=0)
    torch.testing.assert_close(antipode(space, z), x, rtol=64 * EPS, atol=64 * EPS)


def test_the_origins_is_at_the_edge_of_the_chart_and_has_finite_gradients():
    for dtype in (torch.float16, torch.float32, F64):
        space = Stereographic(0.6, learnable=True)
        x = torch.zeros(2, 3, dtype=dtype, requires_grad=True)
        z = antipode(space, x)
        assert z.dtype == dtype
        assert z.isfinite().all()
        assert (z[:, 0] > 100).all()
        (slope,) = torch.autograd.grad(z.sum(), x)
        assert slope.isfinite().all()


def test_it_is_geoopts():
    geoopt = pytest.importorskip("geoopt")
    x = Stereographic(0.6).from_normal(0.8 * normal(9, 3, seed=1))
    theirs = geoopt.Stereographic(torch.tensor(0.6, dtype=F64)).antipode(x)
    torch.testing.assert_close(antipode(Stereographic(0.6), x), theirs, rtol=1e-9, atol=1e-9)


def test_of_a_product_it_is_that_of_each_factor_and_elsewhere_there_is_none():
    space = Product([Sphere(), Stereographic(0.5)], dims=[2, 2])
    x = space.from_normal(0.5 * normal(4, 4, seed=1))
    parts = [antipode(m, p) for m, p in zip(space.factors, space.split(x), strict=True)]
    assert torch.equal(antipode(space, x), torch.cat(parts, -1))
    for flat in (Lorentz(), Euclidean(), Stereographic(-0.3), Stereographic(0.0)):
        with pytest.raises(
            ValueError, match=r"antipode: the manifold is .*; expected a space of K > 0"
        ):
            antipode(flat, flat.origin(3))
    assert antipode(Stereographic(-0.3, learnable=True), torch.ones(3) * 0.1).isnan().all()
