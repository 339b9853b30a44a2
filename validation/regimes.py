"""Inputs that people meet, and inputs that break libraries.

Everything is drawn at unit curvature in polar form about the origin, in float64, then scaled to the
curvature and rounded to the dtype: what comes out of the rounding is the exact input of a problem.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

Array = NDArray[np.float64]
DIMENSIONS = (2, 2, 3, 3, 8, 8, 32, 128, 512)


@dataclass(frozen=True)
class Model:
    """A model of a space form as the certificate meets it."""

    name: str
    chart: str
    sign: int

    def reach(self, dtype: torch.dtype, radius: float) -> float:
        """The largest distance from the origin to draw, at unit curvature."""
        if self.sign > 0 and self.chart == "ball":  # the antipode of the origin is at infinity
            return 2 * math.atan(min(4 / torch.finfo(dtype).eps, torch.finfo(dtype).max / 8))
        if self.sign > 0:
            return math.pi
        if self.chart == "ball" and self.sign < 0:
            return 0.99 * math.log(1 / torch.finfo(dtype).eps)
        if self.sign == 0:
            return 1e3
        largest = 2.0**40 if dtype != torch.float64 else 2.0**340
        return 0.99 * math.asinh(min(largest, torch.finfo(dtype).max / (4 * max(1.0, radius))))

    def point(self, r: Array, direction: Array) -> Array:
        """Free coordinates at distance r in a direction: (S, 1), (S, n) -> (S, m)."""
        if self.chart == "hyperboloid":
            return np.sinh(r) * direction
        if self.chart == "ball":
            half = r / 2
            return (
                np.tanh(half) if self.sign < 0 else np.tan(half) if self.sign else half
            ) * direction
        if self.chart == "sphere":
            return np.concatenate([np.cos(r), np.sin(r) * direction], axis=-1)
        return r * direction

    def tangent(self, x: Array, length: Array, lean: Array, rng: np.random.Generator) -> Array:
        """A tangent vector at x of a length, at an angle ``lean`` from the outward ray."""
        if self.chart == "sphere":
            pole = np.zeros_like(x)
            pole[:, 0] = -1.0
            outward = _unit(pole - (pole * x).sum(-1, keepdims=True) * x)
        else:
            outward = _unit(x)
        side = rng.standard_normal(x.shape)
        if self.chart == "sphere":
            side -= (side * x).sum(-1, keepdims=True) * x
        side = _unit(side - (side * outward).sum(-1, keepdims=True) * outward)
        x2 = (x * x).sum(-1, keepdims=True)
        along = np.cos(lean) * (np.sqrt(1 + x2) if self.chart == "hyperboloid" else 1.0)
        vector = length * (along * outward + np.sin(lean) * side)
        if self.chart == "sphere":  # once more: near the pole the ray above is tangent to 1e-8
            for _ in range(2):
                vector = vector - (vector * x).sum(-1, keepdims=True) / x2 * x
        if self.chart == "ball":
            vector = vector * (1 + self.sign * x2) / 2
        return np.asarray(vector)

    def antipode(self, x: Array) -> Array:
        """Of points of a sphere."""
        return -x if self.chart == "sphere" else -x / (x * x).sum(-1, keepdims=True).clip(1e-30)

    def of_batch(self, number: int) -> Model:
        """The model of the sign that a batch has: each in turn, of a model of every sign."""
        return self if self.name != "Stereographic" else replace(self, sign=(-1, 1, 0)[number % 3])


MODELS = {
    model.name: model
    for model in (
        Model("Lorentz", "hyperboloid", -1),
        Model("PoincareBall", "ball", -1),
        Model("Sphere", "sphere", 1),
        Model("Euclidean", "flat", 0),
        Model("Stereographic", "ball", 0),
    )
}


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
        z = _unit(self.rng.standard_normal((self.count, self.n)))
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
    y = x + away
    if s.model.chart == "sphere":
        y = _unit(y)
    return Draw(x, y, *s.tangents(x, separation))


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
    y = s.model.point(s.uniform(0.0, s.within(6.0)), -_unit(direction + tilt * s.direction()))
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
}


def curvature(model: Model, rng: np.random.Generator) -> float:
    """K of a batch: 1 in size half of the time, else between 1e-6 and 1e3."""
    if model.sign == 0:
        return 0.0
    plain = rng.uniform() < 0.5
    return model.sign * (1.0 if plain else float(10 ** rng.uniform(-6, 3)))


def dimension(rng: np.random.Generator, *, largest: int = 512) -> int:
    """n of a batch."""
    return int(rng.choice([n for n in DIMENSIONS if n <= largest]))


def _unit(v: Any) -> Any:
    size = np.sqrt((v * v).sum(-1, keepdims=True))
    return v / np.where(size > 0, size, 1.0)
