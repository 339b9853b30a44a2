"""What the certificate judges beside the five manifolds: charts and a product."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch

from .charts import Factor, space_of
from .maps import Space
from .models import Array, Model, unit


@dataclass(frozen=True)
class ChartModel(Model):
    """A chart: klein, halfspace, hemisphere, normal, velocity, or ball (the plane)."""

    @property
    def turns(self) -> bool:  # type: ignore[override]
        """All but the half-space."""
        return self.chart != "halfspace"

    def reach(self, dtype: torch.dtype, radius: float) -> float:
        """The table in the docstring of ``convert``, a little less."""
        info = torch.finfo(dtype)
        if self.chart == "klein" and self.sign > 0:  # tan r, where the dtype holds it
            return math.atan(min(2.0**50, info.max / 64 / max(1.0, radius)))
        if self.sign > 0:
            return super().reach(dtype, radius) if self.chart == "ball" else math.pi
        if self.chart == "klein":
            return 0.495 * math.log(1 / info.eps)
        largest = 2.0**340 if dtype == torch.float64 else 2.0**40
        if self.chart == "halfspace":
            largest = min(largest, radius / info.tiny / 4, info.max / 4 / radius)
        if self.chart == "hemisphere":
            largest = min(largest, radius / info.tiny)
        return 0.99 * math.acosh(max(largest, 2.0))

    def point(self, r: Array, direction: Array) -> Array:
        """Coordinates at distance r in a direction: (S, 1), (S, n) -> (S, m)."""
        if self.chart == "klein":
            return np.asarray((np.tanh(r) if self.sign < 0 else np.tan(r)) * direction)
        if self.chart == "hemisphere":
            return np.concatenate([1 / np.cosh(r), np.tanh(r) * direction], axis=-1)
        if self.chart == "normal":
            return r * direction
        if self.chart == "velocity":
            return np.sinh(r) * direction
        if self.chart == "halfspace":
            s = np.sinh(r) * direction
            side, last = s[:, :-1], s[:, -1:]
            up = (1 + (side * side).sum(-1, keepdims=True)) / (np.cosh(r) + last.clip(min=0))
            depth = np.where(last > 0, up, np.cosh(r) - last.clip(max=0))
            return np.asarray(np.concatenate([side, np.ones_like(last)], axis=-1) / depth)
        return Model.point(self, r, direction)

    def tangent(self, x: Array, length: Array, lean: Array, rng: np.random.Generator) -> Array:
        """A tangent vector at x of a length, at an angle ``lean`` from the outward ray."""
        if self.chart == "ball":
            return super().tangent(x, length, lean, rng)
        if self.chart == "halfspace":  # conformal: at that angle from the vertical
            up = np.zeros_like(x)
            up[:, -1] = 1.0
            side = rng.standard_normal(x.shape)
            side[:, -1] = 0.0
            return np.asarray(length * x[:, -1:] * (np.cos(lean) * up + np.sin(lean) * unit(side)))
        free = x[:, 1:] if self.chart == "hemisphere" else x
        outward, size = unit(free), np.sqrt((free * free).sum(-1, keepdims=True))
        side = rng.standard_normal(free.shape)
        side = unit(side - (side * outward).sum(-1, keepdims=True) * outward)
        if self.chart == "hemisphere":
            c = x[:, :1]
            along, across = c * c, c
        elif self.chart == "klein":
            gap = 1 + self.sign * size * size
            along, across = gap, np.sqrt(gap)
        elif self.chart == "velocity":
            along, across = np.sqrt(1 + size * size), np.ones_like(size)
        else:
            sine = np.sin(size) if self.sign > 0 else np.sinh(size)
            along, across = np.ones_like(size), np.where(size > 0, size / sine, 1.0)
        vector = np.cos(lean) * along * outward + np.sin(lean) * across * side
        if self.chart == "hemisphere":
            vector = np.concatenate([-np.cos(lean) * c * size, vector], axis=-1)
        return np.asarray(length * vector)


FACTORS = (
    ("Lorentz", "hyperboloid", -1, -0.5, 2, 1.0),
    ("Sphere", "sphere", 1, 2.0, 2, 2.0),
    ("PoincareBall", "ball", -1, -1.5, 2, 0.5),
    ("Euclidean", "flat", 0, 0.0, 1, 1.0),
)
"""Of the product: name, chart, sign, K, dimension and weight."""


@dataclass(frozen=True)
class ProductModel(Model):
    """One product, l2, of a factor of each kind; lengths have units there, so R counts as 1."""

    turns: ClassVar[bool] = False

    def space(self) -> Space:
        """As the reference has it."""
        factors = [
            Factor(space_of(sign, chart), k, weight, n + (chart == "sphere"))
            for _, chart, sign, k, n, weight in FACTORS
        ]
        return space_of(self.sign, self.chart, tuple(factors))

    @property
    def coordinates(self) -> int:
        """Of a point or a vector: one more on a sphere."""
        return sum(factor[4] + (factor[1] == "sphere") for factor in FACTORS)

    def weight(self, name: str) -> float:
        """Of a factor, in the squared distance."""
        return next(weight for factor, *_, weight in FACTORS if factor == name)

    def parts(self) -> Iterator[tuple[Model, float, float, slice, slice]]:
        """(model, K, R, where its free coordinates are, where its normal coordinates are)."""
        free = normal = 0
        for name, chart, sign, k, n, _ in FACTORS:
            size = n + (chart == "sphere")
            r = 1 / math.sqrt(abs(k)) if k else 1.0
            yield (
                Model(name, chart, sign),
                k,
                r,
                slice(free, free + size),
                slice(normal, normal + n),
            )
            free, normal = free + size, normal + n

    def reach(self, dtype: torch.dtype, radius: float) -> float:
        """So that a vector of that length from there ends within the ball of any dtype."""
        return 1.6

    def holds(self, x: Array, k: float, dtype: torch.dtype) -> bool:
        """Whether each factor holds its part."""
        return all(part.holds(x[place], k, dtype) for part, k, _, place, _ in self.parts())

    def draw_dimension(self, rng: np.random.Generator, *, largest: int = 512) -> int:
        """The sum of the factors'."""
        return sum(factor[4] for factor in FACTORS)

    def point(self, r: Array, direction: Array) -> Array:
        """By normal coordinates."""
        parts = []
        for model, _, radius, _, place in self.parts():
            v = r * direction[:, place]
            size = np.sqrt((v * v).sum(-1, keepdims=True)) / radius
            parts.append(radius * model.point(size, unit(v)))
        return np.concatenate(parts, axis=-1)

    def tangent(self, x: Array, length: Array, lean: Array, rng: np.random.Generator) -> Array:
        """Of about that length in each factor."""
        return np.concatenate(
            [
                radius * model.tangent(x[:, place] / radius, length / radius, lean, rng)
                for model, _, radius, place, _ in self.parts()
            ],
            axis=-1,
        )

    def settled(self, x: Array) -> Array:
        """A point next to these coordinates."""
        return np.concatenate(
            [
                radius * model.settled(x[:, place] / radius)
                for model, _, radius, place, _ in self.parts()
            ],
            axis=-1,
        )


MODELS: dict[str, Model] = {
    model.name: model
    for model in (
        Model("Lorentz", "hyperboloid", -1),
        Model("PoincareBall", "ball", -1),
        Model("Sphere", "sphere", 1),
        Model("Euclidean", "flat", 0),
        Model("Stereographic", "ball", 0),
        ChartModel("Klein", "klein", -1),
        ChartModel("HalfSpace", "halfspace", -1),
        ChartModel("Hemisphere", "hemisphere", -1),
        ChartModel("NormalCoordinates", "normal", -1),
        ChartModel("ProperVelocity", "velocity", -1),
        ChartModel("StereographicPlane", "ball", 1),
        ChartModel("Gnomonic", "klein", 1),
        ChartModel("Azimuthal", "normal", 1),
        ProductModel("Product", "product", 0),
    )
}
"""Everything that the certificate judges, by name; Gnomonic and Azimuthal are ``Klein`` and
``NormalCoordinates`` of a sphere."""
