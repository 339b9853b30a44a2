"""Inputs that people meet, and inputs that break libraries.

Everything is drawn at unit curvature in polar form about the origin, in float64, then scaled to the
curvature and rounded to the dtype: what comes out of the rounding is the exact input of a problem.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..exact.models import Array, Model, unit


@dataclass(frozen=True)
class Draw:
    """Points and tangent vectors at unit curvature, in free coordinates."""

    x: Array
    y: Array
    u: Array
    v: Array


@dataclass
class Source:
    """What a regime draws from."""

    model: Model
    rng: np.random.Generator
    count: int
    n: int
    reach: float

    def uniform(self, low: float, high: float) -> Array:
        """Numbers (S, 1)."""
        return self.rng.uniform(low, high, (self.count, 1))

    def scattered(self, low: float, high: float) -> Array:
        """Numbers (S, 1), uniform in their logarithm."""
        return np.exp(self.uniform(math.log(low), math.log(high)))

    def direction(self) -> Array:
        """Unit vectors (S, n), a quarter of them along coordinate axes."""
        z = unit(self.rng.standard_normal((self.count, self.n)))
        axis = np.eye(self.n)[self.rng.integers(self.n, size=self.count)]
        return np.where(self.uniform(0, 1) < 0.25, axis, z)

    def lean(self) -> Array:
        """Angles from the outward ray: mixed, radial or across."""
        fixed = self.rng.choice([0.0, math.pi, math.pi / 2], size=(self.count, 1))
        return np.where(self.uniform(0, 1) < 0.5, self.uniform(0, math.pi), fixed)

    def tangents(self, x: Array, length: Array) -> tuple[Array, Array]:
        """Two tangent vectors at x of about one length."""
        tilt = self.lean()
        return (
            self.model.tangent(x, length * self.uniform(0.5, 1), tilt, self.rng),
            self.model.tangent(x, length, self.lean(), self.rng),
        )

    def towards(self, x: Array) -> Array:
        """Unit vectors (S, n): along x, against it, next to either, or any."""
        tilt = self.scattered(1e-8, 1e-2) * (self.uniform(0, 1) < 0.7)
        sign = self.rng.choice([-1.0, 1.0], size=(self.count, 1))
        near = sign * unit(unit(x) + tilt * self.direction())
        any_way = (self.uniform(0, 1) < 0.3) | ~near.any(-1, keepdims=True)
        return np.where(any_way, self.direction(), near)

    def within(self, high: float) -> float:
        """A distance the model has."""
        return min(high, 0.95 * self.reach)


def _everyday(s: Source) -> Draw:
    x = s.model.point(s.uniform(0.1, s.within(3.0)), s.direction())
    y = s.model.point(s.uniform(0.1, s.within(3.0)), s.direction())
    return Draw(x, y, *s.tangents(x, s.uniform(0.1, s.within(2.0))))


def _near_origin(s: Source) -> Draw:
    x = s.model.point(s.scattered(1e-8, 0.1), s.direction())
    y = s.model.point(s.scattered(1e-8, 0.1), s.direction())
    return Draw(x, y, *s.tangents(x, s.scattered(1e-8, 1.0)))


def _far(s: Source) -> Draw:
    x = s.model.point(s.uniform(s.within(2.5), s.reach), s.direction())
    y = s.model.point(s.uniform(s.within(2.5), s.reach), s.direction())
    return Draw(x, y, *s.tangents(x, s.uniform(0.1, s.within(5.0))))


def _edge(s: Source) -> Draw:
    x = s.model.point(s.reach * s.uniform(0.98, 1.0), s.direction())
    y = s.model.point(s.uniform(0.0, s.reach), s.direction())
    return Draw(x, y, *s.tangents(x, s.scattered(1e-4, s.within(3.0))))


def _step(s: Source, x: Array, separation: Array) -> Draw:
    away = s.model.tangent(x, separation, s.lean(), s.rng)
    return Draw(x, s.model.settled(x + away), *s.tangents(x, separation))


def _close(s: Source) -> Draw:
    x = s.model.point(s.uniform(0.01, s.within(4.0)), s.direction())
    return _step(s, x, s.scattered(1e-8, 0.1))


def _close_far(s: Source) -> Draw:
    x = s.model.point(s.uniform(s.within(3.0), s.reach), s.direction())
    return _step(s, x, s.scattered(1e-8, 0.1))


def _radial(s: Source) -> Draw:
    direction = s.direction()
    x = s.model.point(s.uniform(0.0, s.within(6.0)), direction)
    y = s.model.point(s.uniform(0.0, s.within(6.0)), direction)
    lean = s.rng.choice([0.0, math.pi], size=(s.count, 1))
    length = s.uniform(0.0, s.within(3.0))
    u, v = (s.model.tangent(x, length, lean, s.rng) for _ in range(2))
    return Draw(x, y, u, v)


def _opposite(s: Source) -> Draw:
    direction = s.direction()
    x = s.model.point(s.uniform(0.0, s.within(6.0)), direction)
    tilt = s.scattered(1e-8, 1e-2) * (s.uniform(0, 1) < 0.7)
    y = s.model.point(s.uniform(0.0, s.within(6.0)), -unit(direction + tilt * s.direction()))
    return Draw(x, y, *s.tangents(x, s.uniform(0.1, s.within(2.0))))


def _coincident(s: Source) -> Draw:
    x = s.model.point(s.uniform(0.0, s.within(6.0)), s.direction())
    return Draw(x, x.copy(), np.zeros_like(x), np.zeros_like(x))


def _origin(s: Source) -> Draw:
    origin = s.model.point(np.zeros((s.count, 1)), s.direction())
    other = s.model.point(s.scattered(1e-6, s.within(8.0)), s.direction())
    first = s.uniform(0, 1) < 0.5
    x, y = np.where(first, origin, other), np.where(first, other, origin)
    return Draw(x, y, *s.tangents(x, s.scattered(1e-6, s.within(4.0))))


def _antipodal(s: Source) -> Draw:
    x = s.model.point(s.uniform(0.0, s.reach), s.direction())
    if s.model.sign <= 0:  # nothing is antipodal: the mirror image in the origin
        return Draw(x, -x, *s.tangents(x, s.uniform(0.1, s.within(3.0))))
    draw = _step(s, s.model.antipode(x), s.scattered(1e-8, 1e-1))
    length = math.pi * (1 - s.scattered(1e-8, 1e-1))
    return Draw(x, draw.y, *s.tangents(x, length))


def _tiny(s: Source) -> Draw:
    x = s.model.point(s.uniform(0.0, s.within(4.0)), s.direction())
    y = s.model.point(s.scattered(1e-40, 1e-12), s.direction())
    return Draw(x, y, *s.tangents(x, s.scattered(1e-42, 1e-12)))


def _huge(s: Source) -> Draw:
    x = s.model.point(s.uniform(0.0, s.within(4.0)), s.direction())
    y = s.model.point(s.uniform(0.0, s.reach), s.direction())
    return Draw(x, y, *s.tangents(x, s.scattered(8.0, 1e30)))


_THRESHOLDS = (
    0.5, math.sqrt(0.5), 1.0, math.sqrt(2), 2.0, math.asinh(0.5), math.asinh(1), math.asinh(2),
    2 * math.atanh(0.5), math.pi / 4, math.pi / 2, 2 * math.asinh(1), 2 * math.asin(0.5), 1 / 16,
    math.sqrt(1 / 32), math.sqrt(1 / 8),
)  # fmt: skip
"""Lengths at which formulas change: sinh r, tanh(r/2), d, d^2 or a cosine is 1, 1/2, 2 or 1/32."""
_RATIOS = (0.5, 1.0, 2.0, math.sqrt(0.5), math.sqrt(2))


def _rounding_away(s: Source) -> Array:
    """Factors that are 1, or off it by one rounding or a few of some dtype."""
    u = s.rng.choice([2.0**-53, 2.0**-24, 2.0**-9, 2.0**-12], size=(s.count, 1))
    return np.asarray(1 + s.rng.integers(-3, 4, size=(s.count, 1)) * u)


def _thresholds(s: Source) -> Draw:
    at = s.rng.choice([r for r in _THRESHOLDS if r < s.within(4.0)] or [s.within(1.0)],
                      size=(s.count, 1))  # fmt: skip
    direction = s.direction()
    x = s.model.point(at * _rounding_away(s), direction)
    y = s.model.point(
        (at * s.rng.choice(_RATIOS, size=(s.count, 1))).clip(max=s.within(4.0)) * _rounding_away(s),
        np.where(s.uniform(0, 1) < 0.5, s.direction(), s.rng.choice([-1.0, 1.0]) * direction),
    )
    length = s.rng.choice(_THRESHOLDS, size=(s.count, 1)) * _rounding_away(s)
    return Draw(x, y, *s.tangents(x, length.clip(max=s.within(4.0))))


def _through(s: Source) -> Draw:
    """Inwards, to the origin, next to it, and out again."""
    direction = s.direction()
    r = s.uniform(0.0, s.reach / 2)
    x = s.model.point(r, direction)
    far = s.rng.choice([0.5, 1.0, 2.0, 1.5], size=(s.count, 1)) * _rounding_away(s)
    far = np.where(s.uniform(0, 1) < 0.5, far, 0.9 + s.uniform(0, 1) * s.reach / r.clip(1e-3))
    tilt = s.scattered(1e-12, 1e-4) * (s.uniform(0, 1) < 0.3)
    u, v = (
        s.model.tangent(x, (r * far).clip(max=r + 0.9 * s.reach), math.pi - tilt, s.rng)
        for _ in range(2)
    )
    y = s.model.point((r * (far - 1)).clip(0, 0.95 * s.reach), -direction)
    return Draw(x, y, u, v)


def _conjugate(s: Source) -> Draw:
    """On a sphere next to where geodesics meet again; elsewhere at those lengths."""
    x = s.model.point(s.uniform(0.0, s.within(3.0)), s.direction())
    turns = s.rng.integers(1, 4, size=(s.count, 1)) * math.pi
    length = turns * (1 + s.rng.choice([-1, 1]) * s.scattered(1e-15, 1e-2))
    y = s.model.point(s.uniform(0.0, s.within(3.0)), s.direction())
    return Draw(x, y, *s.tangents(x, length))


REGIMES: dict[str, Callable[[Source], Draw]] = {
    "everyday": _everyday,
    "near the origin": _near_origin,
    "far": _far,
    "edge": _edge,
    "close": _close,
    "close, far": _close_far,
    "radial": _radial,
    "opposite": _opposite,
    "coincident": _coincident,
    "origin": _origin,
    "antipodal": _antipodal,
    "tiny": _tiny,
    "huge": _huge,
    "thresholds": _thresholds,
    "through the origin": _through,
    "conjugate": _conjugate,
}
