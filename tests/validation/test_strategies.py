"""Where examples come from: domains against themselves, and strategies that reach their corners."""

import pytest
import torch
from hypothesis import given, settings, strategies as st

from spaceforms.manifolds import Lorentz
from spaceforms.validation import (
    Ball,
    Domain,
    Flat,
    Hyperboloid,
    Hypersphere,
    Projected,
    point_pairs,
    points,
    tangent_vectors,
)

F64, F32 = torch.float64, torch.float32
DOMAINS = {
    "flat": Flat(),
    "sphere": Hypersphere(2.5),
    "hyperboloid": Hyperboloid(-0.3),
    "ball": Ball(-0.3),
    "projected sphere": Projected(2.5),
    "projected plane": Projected(0.0),
}


@pytest.mark.parametrize("name", DOMAINS)
def test_strategies_give_points_vectors_and_corners(name):
    domain = DOMAINS[name]
    seen = set()

    @given(point_pairs(domain, 2, F32), tangent_vectors(domain, 2, F32), st.data())
    @settings(max_examples=150, derandomize=True, database=None)
    def look(pair, vector, data):
        x, y = pair
        for p in (x, y, data.draw(points(domain, 2, F32, max_radius=0.5))):
            assert p.dtype == F32
            assert float(domain.defect(p)) < 1e-6
        seen.update({"coincident"} if torch.equal(x, y) else set())
        seen.update({"antipodal"} if torch.equal(x, -y) and x.any() else set())
        seen.update({"origin"} if not x[domain.extra :].any() else set())
        x, v = vector
        size = domain.length(x, v)
        seen.update({"zero"} if size == 0 else {"tiny"} if size < 1e-30 else set())
        seen.update({"huge"} if size > 1e3 else set())

    look()
    assert {"coincident", "origin", "zero", "tiny", "huge"} <= seen
    # In the chart of the projected sphere antipodes are antipodes up to rounding.
    assert "antipodal" in seen or domain.curvature <= 0 or domain.extra == 0


def test_strategies_take_manifolds():
    @given(points(Lorentz(-4.0), 2, F64, max_radius=1.0))
    @settings(max_examples=30, derandomize=True, database=None)
    def look(x):
        assert Lorentz(-4.0).is_point(x)
        assert float(Lorentz(-4.0).dist(Lorentz(-4.0).origin(2, dtype=F64), x)) <= 1 + 1e-15

    look()


@pytest.mark.parametrize("name", DOMAINS)
def test_a_domain_is_one_geometry(name):
    """Normal coordinates, the metric, the law of cosines and the isometries agree."""
    domain = DOMAINS[name]
    generator = torch.Generator().manual_seed(0)
    zero = torch.zeros(3, dtype=F64)
    for _ in range(20):
        v, w, a, b = 0.5 * torch.randn(4, 3, generator=generator, dtype=F64)
        x = domain.point(v)
        u, t = domain.tangent(v, a), domain.tangent(v, b)
        # The frame is orthonormal, and its vectors are tangent.
        assert float(domain.inner(x, u, t)) == pytest.approx(float(a @ b), rel=1e-12, abs=1e-14)
        torch.testing.assert_close(domain.rounded_tangent(x, u, F64), u, rtol=1e-12, atol=1e-14)
        # The gap of points close by is their distance, before and after an isometry: to first
        # order in 1e-7, and no better than 1e-16/1e-7.
        near = v + 1e-7 * w
        y = domain.point(near)
        assert domain.gap(x, y) == pytest.approx(domain.distance(v, near), rel=1e-6)
        moved = [domain.translated(p, 0.7) for p in (x, y)]
        assert domain.gap(*moved) == pytest.approx(domain.distance(v, near), rel=1e-6)
        assert domain.distance(v, zero) == pytest.approx(float(v.norm()), rel=1e-14, abs=0)
        assert domain.distance(v, w) == pytest.approx(domain.distance(w, v), rel=1e-14, abs=0)


def test_a_domain_of_ones_own_says_what_is_missing():
    for call in (lambda d: d.point(torch.zeros(2)), lambda d: d.reach(F64)):
        with pytest.raises(NotImplementedError):
            call(Domain())
    assert Domain().translated(torch.zeros(2), 1.0) is None
    assert repr(Ball(-0.3)) == "ball of curvature -0.3"
