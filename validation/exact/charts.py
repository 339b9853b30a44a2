"""The charts that are no manifolds, at any precision: where a point lies, and no more.

Differentials are difference quotients of that, as the definition has them, with a step so small
that what it leaves off is below all digits that are looked at.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .maps import Space, Vector, _dot

_STEP = 100  # digits; the quotient is central, so that twice as many are right


def slope(curve: Any, field: Any) -> Vector:
    """Velocity at 0 of a curve of vectors."""
    h = field.mpf(10) ** -_STEP
    return [(a - b) / (2 * h) for a, b in zip(curve(h), curve(-h), strict=True)]


@dataclass(frozen=True)
class ChartSpace(Space):
    """The unit space form with coordinates of a chart: klein, halfspace, hemisphere, normal
    or velocity.

    Each is defined by the embedded point (T, X): X/T; (X_1, ..., X_{n-1}, 1)/(T - X_n);
    (1/T, X/T); r X/|X| with r the distance from the origin; X.
    """

    def lift(self, c: Vector) -> Vector:
        """Embedded point of free coordinates."""
        f = self.field
        if self.chart == "klein":  # (T, X) = (1, x) up to length, which the form gives
            ray = [c[0] * 0 + 1, *c]
            size = f.sqrt(self.sign * self.dot(ray, ray))
            return [a / size for a in ray]
        if self.chart == "velocity":  # the space part
            return [f.sqrt(1 + _dot(c, c)), *c]
        if self.chart == "hemisphere":  # what a multiple of (1, X) with T above 0 has for length
            size = f.sqrt(_dot(c, c))
            return [size / c[0], *[a / c[0] for a in c[1:]]]
        if self.chart == "halfspace":
            side, h = c[:-1], c[-1]
            depth = 1 / h  # T - X_n, and (T - X_n)(T + X_n) = 1 + the other squares
            other = (1 + depth**2 * _dot(side, side)) / depth
            return [(other + depth) / 2, *[a * depth for a in side], (other - depth) / 2]
        return self.exp([c[0] * 0 + 1] + [c[0] * 0] * len(c), [c[0] * 0, *c])

    def drop(self, x: Vector) -> Vector:
        """Free coordinates of an embedded point."""
        if self.chart == "klein":
            return [a / x[0] for a in x[1:]]
        if self.chart == "velocity":
            return x[1:]
        if self.chart == "hemisphere":
            return [1 / x[0], *[a / x[0] for a in x[1:]]]
        if self.chart == "halfspace":
            depth = x[0] - x[-1]
            return [*[a / depth for a in x[1:-1]], 1 / depth]
        return self.log(self.origin(x), x)[1:]

    def push(self, c: Vector, v: Vector) -> Vector:
        """Embedded tangent vector: how ``lift`` moves."""
        if self.chart == "hemisphere":  # a vector of the sphere, as its points are
            share = _dot(c, v) / _dot(c, c)
            v = [b - share * a for a, b in zip(c, v, strict=True)]
        return slope(
            lambda h: self.lift([a + h * b for a, b in zip(c, v, strict=True)]), self.field
        )

    def pull(self, x: Vector, v: Vector) -> Vector:
        """Free coordinates of an embedded tangent vector: how ``drop`` moves along a geodesic."""
        return slope(lambda h: self.drop(self.exp(x, [h * b for b in v])), self.field)


@dataclass(frozen=True)
class Factor:
    """A factor of a product: its space, curvature, weight, and number of free coordinates."""

    space: Space
    curvature: float
    weight: float
    size: int


@dataclass(frozen=True)
class ProductSpace(Space):
    """A product with free coordinates side by side; the maps are those of its factors."""

    factors: tuple[Factor, ...] = ()

    def each(self, *vectors: Vector) -> Any:
        """(space, R, weight, the vectors' parts) of each factor."""
        start = 0
        for part in self.factors:
            end = start + part.size
            k = abs(self.field.mpf(part.curvature))
            r = 1 / self.field.sqrt(k) if k else self.field.mpf(1)
            yield part.space, r, part.weight, [v[start:end] for v in vectors]
            start = end


def space_of(sign: int, chart: str, factors: tuple[Factor, ...] = ()) -> Space:
    """The reference's space with a chart."""
    if factors:
        return ProductSpace(sign, chart, factors=factors)
    if chart in ("klein", "halfspace", "hemisphere", "normal", "velocity"):
        return ChartSpace(sign, chart)
    return Space(sign, chart)
