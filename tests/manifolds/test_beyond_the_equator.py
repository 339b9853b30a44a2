"""Stereographic of K > 0 next to infinity, where what depends on K is little of all there is.

The right values, and derivatives by K at fixed coordinates, are those of the sums of gyrovectors at
many digits (``gyro_reference``).
"""

import gyro_reference as exact
import mpmath as mp
import pytest
import torch
from cases import normal, value_and_slope
from reference import numbers

from spaceforms.manifolds import Stereographic

F64 = torch.float64
U = 2.0**-53
FAR = [3.0, 1e2, 1e4, 1e6]
MAPS = {
    "dist": (lambda m, x, y, v: m.dist(x, y), "xy"),
    "expmap": (lambda m, x, y, v: m.expmap(x, v), "xv"),
    "logmap": (lambda m, x, y, v: m.logmap(x, y), "xy"),
    "transport": (lambda m, x, y, v: m.transport(x, y, v), "xyv"),
    "geodesic": (lambda m, x, y, v: m.geodesic(x, y, 0.25), "xy"),
    "midpoint": (lambda m, x, y, v: m.midpoint(x, y), "xy"),
    "exterior_angle": (lambda m, x, y, v: m.exterior_angle(x, y), "xy"),
}


@pytest.mark.parametrize("far", FAR)
@pytest.mark.parametrize("name", MAPS)
@pytest.mark.parametrize("k", [1.0, 3.7e-4])
def test_the_derivative_by_curvature_has_its_digits_however_far_out(name, far, k):
    function, kinds = MAPS[name]
    r = far * k**-0.5
    # At 1/far from infinity and from one another; the vector is about as long.
    arguments = {
        "x": normal(2, seed=5, length=r),
        "y": normal(2, seed=6, length=1.7 * r),
        "v": normal(2, seed=3, length=0.6 * r),
    }
    value, slope = value_and_slope(function, k, *arguments.values())
    wanted, wanted_slope = exact.at(
        getattr(exact, name), k, *(numbers(arguments[c]) for c in kinds)
    )
    for computed, right in ((value, wanted), (slope, wanted_slope)):
        size = max(abs(c) for c in right)
        assert size > 0
        for a, b in zip(computed.tolist(), right, strict=True):
            assert abs(mp.mpf(a) - b) <= 32 * U * size


@pytest.mark.parametrize("far", FAR)
def test_no_way_out_there_gives_the_point_back(far):
    space = Stereographic(1.0)
    x = normal(20, 3, length=far)
    assert torch.equal(space.expmap(x, torch.zeros_like(x)), x)
    assert torch.equal(space.geodesic(x, 1.3 * x, 0.0), x)
    assert torch.equal(space.midpoint(x, x), x)
    assert not space.logmap(x, x).any()


def test_what_is_no_point_is_met_by_the_plain_formulas():
    x = torch.tensor([3e30, 1e30], dtype=F64, requires_grad=True)
    space = Stereographic(1.0)
    (slope,) = torch.autograd.grad(space.expmap(x, torch.ones_like(x)).sum(), x)
    assert slope.isfinite().all()


@pytest.mark.parametrize("way", [(0.8, 0.6), (1.0, 0.0)])
def test_the_midpoint_of_a_far_point_and_a_near_one_has_the_gradient_by_both(way):
    """By way of the far one its gradient, 1/|x|^2 of the others, is what two of these leave."""
    x = torch.tensor([3e3, -1e3], dtype=F64)
    y = torch.tensor([c / 2 for c in way], dtype=F64)
    space = Stereographic(1.0)
    jacobian = torch.autograd.functional.jacobian(lambda x: space.midpoint(x, y), x)
    with mp.workdps(60):
        h = mp.mpf(10) ** -25
        for i in range(2):
            ends = []
            for sign in (1, -1):
                moved = numbers(x)
                moved[i] += sign * h
                ends.append(exact.midpoint(mp.mpf(1), moved, numbers(y)))
            right = [(a - b) / (2 * h) for a, b in zip(*ends, strict=True)]
            size = max(abs(c) for c in right)
            for a, b in zip(jacobian[:, i].tolist(), right, strict=True):
                assert abs(a - b) <= 64 * U * size


def test_the_midpoint_is_the_same_from_both_ends():
    space = Stereographic(1.0)
    x, y = normal(50, 3, seed=1, length=5.0), normal(50, 3, seed=2, length=0.5)
    assert torch.equal(space.midpoint(x, y), space.midpoint(y, x))


@pytest.mark.parametrize(("a", "b"), [(0.007, 283.0), (2e-4, 2e5)])
def test_from_next_to_the_origin_to_far_out_on_a_line_slopes_are_those_of_the_arc(a, b):
    """On a line of K = 1 all is said by tan of half the arc."""
    m, u = Stereographic(1.0), 2.0**-24
    x, y = (torch.tensor([c], requires_grad=True) for c in (a, b))
    p, q = (mp.mpf(c.item()) for c in (x, y))
    angle = mp.atan(q) - mp.atan(p)
    at = mp.atan(p) + angle / 4
    slopes = {
        "logmap": (m.logmap(x, y), 2 * p * angle - 1, (1 + p**2) / (1 + q**2)),
        "transport": (
            m.transport(x, y, torch.ones(1)),
            -(1 + q**2) * 2 * p / (1 + p**2) ** 2,
            2 * q / (1 + p**2),
        ),
        "geodesic": (
            m.geodesic(x, y, 0.25),
            mp.mpf(3) / 4 * mp.sec(at) ** 2 / (1 + p**2),
            mp.mpf(1) / 4 * mp.sec(at) ** 2 / (1 + q**2),
        ),
        "to_normal": (m.to_normal(x) + m.to_normal(y), 2 / (1 + p**2), 2 / (1 + q**2)),
    }
    for name, (result, *right) in slopes.items():
        for got, want in zip(torch.autograd.grad(result, (x, y)), right, strict=True):
            assert abs(got.item() / want - 1) < 32 * u, name
