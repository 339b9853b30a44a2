"""The models of space forms as the certificate meets them: how points and vectors are drawn."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from .charts import space_of
from .maps import Space

Array = NDArray[np.float64]
DIMENSIONS = (1, 2, 2, 3, 3, 8, 8, 32, 128, 512)
_MANY, _RARE = 1000, 0.02
_MOST = 8  # dimensions where there is no rotation to reduce a problem by


@dataclass(frozen=True)
class Model:
    """A model of a space form as the certificate meets it."""

    name: str
    chart: str
    sign: int
    turns: ClassVar[bool] = True
    """Whether rotations about the origin turn the coordinates; none does those of a half-space."""

    def space(self) -> Space:
        """As the reference has it."""
        return space_of(self.sign, self.chart)

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
            outward = unit(pole - (pole * x).sum(-1, keepdims=True) * x)
        else:
            outward = unit(x)
        side = rng.standard_normal(x.shape)
        if self.chart == "sphere":
            side -= (side * x).sum(-1, keepdims=True) * x
        side = unit(side - (side * outward).sum(-1, keepdims=True) * outward)
        x2 = (x * x).sum(-1, keepdims=True)
        along = np.cos(lean) * (np.sqrt(1 + x2) if self.chart == "hyperboloid" else 1.0)
        vector = length * (along * outward + np.sin(lean) * side)
        if self.chart == "sphere":  # once more: near the pole the ray above is tangent to 1e-8
            for _ in range(2):
                vector = vector - (vector * x).sum(-1, keepdims=True) / x2 * x
        if self.chart == "ball":
            vector = vector * (1 + self.sign * x2) / 2
        return np.asarray(vector)

    def settled(self, x: Array) -> Array:
        """A point next to these coordinates."""
        return np.asarray(unit(x)) if self.chart == "sphere" else x

    def distance(self, x: Array) -> Array:
        """From the origin, (S, 1)."""
        size = np.sqrt((x * x).sum(-1, keepdims=True))
        if self.chart == "sphere":
            height = np.sqrt((x[:, 1:] * x[:, 1:]).sum(-1, keepdims=True))
            return np.asarray(np.arctan2(height, x[:, :1]))
        if self.chart == "hyperboloid":
            return np.asarray(np.arcsinh(size))
        if self.chart == "ball" and self.sign:
            half = np.arctan(size) if self.sign > 0 else np.arctanh(size.clip(max=1 - 1e-16))
            return np.asarray(2 * half)
        return np.asarray(size * (2 if self.chart == "ball" else 1))

    def holds(self, x: Array, k: float, dtype: torch.dtype) -> bool:
        """Whether coordinates are those of a point that the dtype holds, as a draw is."""
        radius = 1 / math.sqrt(abs(k)) if k else 1.0
        unit_x, sign = x / radius, self.sign
        size = math.sqrt(float(unit_x @ unit_x))
        if self.chart == "sphere":
            return abs(size - 1) < 4 * torch.finfo(dtype).eps
        if self.chart == "halfspace":
            up = float(unit_x[-1])
            r = math.acosh(max(1.0, (1 + size * size) / (2 * up))) if up > 0 else math.inf
        elif self.chart == "hemisphere":
            r = math.acosh(max(1.0, size / unit_x[0])) if unit_x[0] > 0 else math.inf
        elif self.chart == "klein" and sign < 0:
            r = math.atanh(size) if size < 1 else math.inf
        elif self.chart == "klein":
            r = math.atan(size)
        elif self.chart == "ball" and sign < 0:
            r = 2 * math.atanh(size) if size < 1 else math.inf
        elif self.chart in ("hyperboloid", "velocity"):
            r = math.asinh(size)
        else:
            r = float(self.distance(unit_x[None])[0, 0]) if self.chart != "normal" else size
        return r <= 1.005 * self.reach(dtype, radius)

    def antipode(self, x: Array) -> Array:
        """Of points of a sphere."""
        return -x if self.chart == "sphere" else -x / (x * x).sum(-1, keepdims=True).clip(1e-30)

    def of_batch(self, number: int) -> Model:
        """The model of the sign that a batch has: each in turn, of a model of every sign."""
        return self if self.name != "Stereographic" else replace(self, sign=(-1, 1, 0)[number % 3])

    def draw_curvature(self, rng: np.random.Generator, *, extremes: bool = True) -> float:
        """K of a batch: 1 in size for half of them, else between 1e-6 and 1e3, or beyond that.

        ``extremes`` is false in a dtype of small range, where R is no number if K is so small.
        """
        if self.sign == 0:
            return 0.0
        kind = rng.uniform()
        low, high = (-6, 3) if kind < 0.85 or not extremes else (3, 8) if kind < 0.93 else (-12, -6)
        return self.sign * (1.0 if kind < 0.5 else float(10 ** rng.uniform(low, high)))

    def draw_dimension(self, rng: np.random.Generator, *, largest: int = 512) -> int:
        """n of a batch; one of many dimensions now and then."""
        most = largest if self.turns else min(largest, _MOST)
        many = rng.uniform() < _RARE and largest >= 512 and self.turns
        return _MANY if many else int(rng.choice([n for n in DIMENSIONS if n <= most]))


def unit(v: Any) -> Any:
    """Divided by its length; 0 stays."""
    size = np.sqrt((v * v).sum(-1, keepdims=True))
    return v / np.where(size > 0, size, 1.0)
