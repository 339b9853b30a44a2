"""The curved spaces of the models, their curvature learned within a factor of ten."""

import math

from ...manifolds import Lorentz, Sphere

# Beyond it sqrt(abs(K)) times the distances that features start at leaves what float32 resolves.
_LARGEST = 1e4


def hyperboloid(curvature: float, *, learnable: bool) -> Lorentz:
    """A Lorentz space; a learnable curvature stays between 10 times and 1/10 of the initial one
    (Desai et al. 2023: from -10 to -0.1)."""
    _check(curvature, -1, "a negative number")
    bounds = (10 * curvature, curvature / 10) if learnable else None
    return Lorentz(curvature, learnable=learnable, bounds=bounds)


def sphere(curvature: float, *, learnable: bool) -> Sphere:
    """A sphere; a learnable curvature stays within a factor of 10."""
    _check(curvature, 1, "a positive number")
    bounds = (curvature / 10, 10 * curvature) if learnable else None
    return Sphere(curvature, learnable=learnable, bounds=bounds)


def _check(curvature: float, sign: int, expected: str) -> None:
    if not (1 / _LARGEST <= sign * curvature <= _LARGEST and math.isfinite(curvature)):
        low, high = sorted((sign / _LARGEST, sign * _LARGEST))
        raise ValueError(
            f"curvature is {curvature}; expected {expected} between {low:g} and {high:g}."
        )
