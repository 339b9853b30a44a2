"""Every number of half precision, through every map of one number: 65,536 inputs a dtype."""

import mpmath as mp
import numpy as np
import pytest
import torch

from spaceforms.manifolds import Euclidean, Lorentz, PoincareBall, Sphere, Stereographic

HALVES = {"float16": torch.float16, "bfloat16": torch.bfloat16}
VALUES = 8  # the promise, in units u (1 + kappa)


def numbers(dtype):
    """All finite ones, (N,)."""
    bits = torch.arange(-(2**15), 2**15, dtype=torch.int32).to(torch.int16)
    every = bits.view(dtype)
    return every[every.isfinite()]


# The last coordinate of a point of the line at a signed distance v of the origin, its derivative by
# v as a function of it, the way back, and whether points end at 1. On the line hyperbolic space is
# sinh and tanh, the sphere is sin and tan. That numpy has them is checked against mpmath below.
TANH = (lambda v: np.tanh(v / 2), lambda x: (1 - x * x) / 2, lambda x: 2 * np.arctanh(x), True)
TAN = (lambda v: np.tan(v / 2), lambda x: (1 + x * x) / 2, lambda x: 2 * np.arctan(x), False)
LINES = {
    "Lorentz": (Lorentz(), np.sinh, lambda x: np.hypot(1, x), np.arcsinh, False),
    "PoincareBall": (PoincareBall(), *TANH),
    "Stereographic(-1)": (Stereographic(-1.0), *TANH),
    "Stereographic(1)": (Stereographic(1.0), *TAN),
    "Sphere": (Sphere(), np.sin, lambda x: np.sqrt((1 - x) * (1 + x)), None, False),
    "Euclidean": (Euclidean(), lambda v: v, np.ones_like, lambda x: x, False),
}


def judged(found, wanted, dtype, kappa):
    """The worst error of what is representable, in units u (|f| + |x f'|); and how many."""
    u = torch.finfo(dtype).eps / 2
    found, limit = found.double().numpy(), torch.finfo(dtype)
    # From half of the largest number on a hyperboloid's points are pulled back.
    some = np.isfinite(wanted) & (abs(wanted) < 0.49 * limit.max)
    # Half of the spacing of subnormal numbers is an error that no relative one can be below.
    error = (abs(found - wanted) - limit.smallest_normal * u).clip(min=0)
    size = u * (abs(wanted) + kappa)
    units = np.divide(error, size, out=np.zeros_like(error), where=some & (size > 0))
    return units[some].max(), int(some.sum())


@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("name", LINES)
def test_every_number_becomes_a_point_within_the_promise(name, dtype):
    dtype = HALVES[dtype]
    space, there, slope, _, ends = LINES[name]
    v = numbers(dtype)
    x = space.from_normal(v[:, None])
    assert x.dtype == dtype
    assert space.is_point(x).all()
    wide = v.double().numpy()
    with np.errstate(all="ignore"):
        wanted = there(wide)
        kappa = abs(wide) * slope(wanted)
    eps = torch.finfo(dtype).eps
    if ends:  # beyond, points are pulled back
        wanted = np.where(abs(wanted) < 1 - 16 * eps, wanted, np.nan)
    if name == "Stereographic(1)":  # likewise, next to the pole at infinity
        wanted = np.where(abs(wanted) < 1 / eps, wanted, np.nan)
    worst, count = judged(x[:, -1], wanted, dtype, kappa)
    assert worst <= VALUES
    assert count > 30_000


@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("name", [name for name in LINES if name != "Sphere"])
def test_every_point_of_the_line_has_its_number_and_its_distance(name, dtype):
    dtype = HALVES[dtype]
    space, _, slope, back, _ = LINES[name]
    x = numbers(dtype)[:, None]
    point = space.from_space(x) if name == "Lorentz" else x
    point = point[space.is_point(point)]
    wide = point[:, -1].double().numpy()
    wanted, kappa = back(wide), abs(wide) / slope(wide)
    worst, count = judged(space.to_normal(point)[:, 0], wanted, dtype, kappa)
    assert worst <= VALUES
    assert count > 30_000
    distance = space.dist(space.origin(1, dtype=dtype), point)
    worst, _ = judged(distance, abs(wanted), dtype, kappa)
    assert worst <= VALUES


@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("name", LINES)
def test_what_is_not_finite_is_no_point_near_the_origin(name, dtype):
    space, dtype = LINES[name][0], HALVES[dtype]
    origin = space.origin(1, dtype=dtype)
    nothing = space.from_normal(torch.tensor([[torch.nan]], dtype=dtype))
    assert nothing.isnan().any()
    for end in (torch.inf, -torch.inf):
        far = space.dist(origin, space.from_normal(torch.tensor([[end]], dtype=dtype)))
        assert not far.isfinite() or far > 3


@pytest.mark.parametrize("dtype", HALVES)
def test_the_yardstick_is_right(dtype):
    """numpy's functions of float64, at numbers of each size, against 30 digits."""
    some = numbers(HALVES[dtype])[::997].double().numpy()
    with mp.workdps(400):
        for function, exact in (
            (np.sinh, mp.sinh),
            (np.tanh, mp.tanh),
            (np.arcsinh, mp.asinh),
            (np.sin, mp.sin),
            (np.arctan, mp.atan),
        ):
            for v in some:
                with np.errstate(over="ignore"):
                    found = float(function(v))
                if np.isfinite(found):
                    assert abs(found - exact(mp.mpf(float(v)))) <= 4e-16 * abs(found)
