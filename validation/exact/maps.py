"""The maps of the space forms at any precision, written from their definitions.

Every map is defined once, on the unit space form embedded in R^(k+1): the hyperboloid, the sphere,
or the plane t = 1 with the degenerate bilinear form. A model (Lorentz, ball, sphere, flat) is a
chart: how its free coordinates give an embedded point, and the differential of that. Nothing here
is taken from the torch code: textbook formulas, which lose all digits in float32, are right when
there are digits to lose.

Numbers are those of a *field*: mpmath by default, or rigorous balls from python-flint. Vectors are
lists of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import mpmath

Vector = list[Any]
POINT, TANGENT, TANGENT0, NORMAL, COVECTOR, SCALAR = (
    "point", "tangent", "tangent0", "normal", "covector", "scalar",
)  # fmt: skip
NUMBER, VECTOR, DIRECTION = "number", "vector", "direction"
"""Of operations only: a length or a factor; any vector of R^n; one of which only the direction
counts, often that of the first point or its opposite."""
TIME, LEAST = "time", "least"
"""Numbers and no vectors: the time of a geodesic, the least radius of a cone."""


@dataclass(frozen=True)
class Space:
    """The unit space form of curvature ``sign`` with the chart of one model."""

    sign: int
    chart: str
    """hyperboloid, ball (for any sign, the stereographic projection), sphere or flat."""
    field: Any = mpmath.mp

    # -- the embedded space ---------------------------------------------------------------------

    def dot(self, a: Vector, b: Vector) -> Any:
        """The bilinear form: -tt' + ss', tt' + ss' or ss' by the sign."""
        return self.sign * a[0] * b[0] + _dot(a[1:], b[1:])

    def sn(self, t: Any) -> Any:
        """sinh, identity or sine."""
        f = self.field
        return f.sinh(t) if self.sign < 0 else f.sin(t) if self.sign > 0 else t

    def cs(self, t: Any) -> Any:
        """cosh, 1 or cosine."""
        f = self.field
        return f.cosh(t) if self.sign < 0 else f.cos(t) if self.sign > 0 else t * 0 + 1

    def length(self, v: Vector) -> Any:
        """Norm of a tangent vector."""
        square = self.dot(v, v)
        return self.field.sqrt(square) if square > 0 else square * 0

    def origin(self, like: Vector) -> Vector:
        """(1, 0, ..., 0)."""
        zero = like[0] * 0
        return [zero + 1] + [zero] * (len(like) - 1)

    def dist(self, x: Vector, y: Vector) -> Any:
        """arccosh(-<x, y>), the norm of the difference, or arccos <x, y>."""
        if self.sign == 0:
            return self.length(_minus(y, x))
        c = self.sign * self.dot(x, y)
        if self.sign < 0:
            return self.field.acosh(c) if c > 1 else c * 0
        return self.field.acos(c) if -1 < c < 1 else c * 0 + (0 if c > 0 else self.field.pi)

    def exp(self, x: Vector, v: Vector) -> Vector:
        """cs|v| x + sn|v| v/|v|: the geodesic from x with velocity v, at time 1."""
        t = self.length(v)
        ratio = self.sn(t) / t if t > 0 else t + 1
        c = self.cs(t)
        return [c * a + ratio * b for a, b in zip(x, v, strict=True)]

    def log(self, x: Vector, y: Vector) -> Vector:
        """The tangent vector at x of length d that points to y: d/sn(d) (y - cs(d) x)."""
        d = self.dist(x, y)
        if not d > 0:
            return [a * 0 for a in x]
        ratio, c = d / self.sn(d), self.cs(d)
        return [ratio * (b - c * a) for a, b in zip(x, y, strict=True)]

    def transport(self, x: Vector, y: Vector, v: Vector) -> Vector:
        """v - <log_x y, v>/d^2 (log_x y + log_y x): Absil, Mahony & Sepulchre 2008, ex. 8.1.1."""
        d = self.dist(x, y)
        if not d > 0:
            return list(v)
        there, back = self.log(x, y), self.log(y, x)
        share = self.dot(there, v) / d**2
        return [c - share * (a + b) for a, b, c in zip(there, back, v, strict=True)]

    def angle(self, x: Vector, y: Vector) -> Any:
        """At x between the outward ray and the geodesic to y; 0 where it is not defined."""
        inward, there = self.log(x, self.origin(x)), self.log(x, y)
        a, b = self.length(inward), self.length(there)
        if not (a > 0 and b > 0):
            return x[0] * 0
        # 2 atan2(|u - v|, |u + v|) of unit vectors: the angle from two of its triangles.
        u, v = [-c / a for c in inward], [c / b for c in there]
        return 2 * self._atan2(self.length(_minus(u, v)), self.length(_plus(u, v)))

    def _atan2(self, y: Any, x: Any) -> Any:
        return self.field.atan(y / x) if x > 0 else self.field.pi / 2

    # -- the charts -----------------------------------------------------------------------------

    def lift(self, c: Vector) -> Vector:
        """Embedded point of free coordinates."""
        if self.chart == "hyperboloid":
            return [self.field.sqrt(1 + _dot(c, c)), *c]
        if self.chart == "sphere":
            size = self.field.sqrt(_dot(c, c))
            return [a / size for a in c]
        if self.chart == "ball":
            p2 = self.sign * _dot(c, c)
            return [(1 - p2) / (1 + p2)] + [2 * a / (1 + p2) for a in c]
        return [c[0] * 0 + 1, *c]

    def drop(self, x: Vector) -> Vector:
        """Free coordinates of an embedded point."""
        if self.chart == "sphere":
            return x
        return [a / (1 + x[0]) for a in x[1:]] if self.chart == "ball" else x[1:]

    def push(self, c: Vector, v: Vector) -> Vector:
        """Embedded tangent vector of one in free coordinates: the differential of ``lift``."""
        if self.chart == "hyperboloid":
            return [_dot(c, v) / self.field.sqrt(1 + _dot(c, c)), *v]
        if self.chart == "sphere":
            share = _dot(c, v) / _dot(c, c)
            return [b - share * a for a, b in zip(c, v, strict=True)]
        if self.chart == "ball":
            gap, cv = 1 + self.sign * _dot(c, c), self.sign * _dot(c, v)
            space = [2 * b / gap - 4 * cv * a / gap**2 for a, b in zip(c, v, strict=True)]
            return [-4 * cv / gap**2, *space]
        return [v[0] * 0, *v]

    def pull(self, x: Vector, v: Vector) -> Vector:
        """Free coordinates of an embedded tangent vector at x: the differential of ``drop``."""
        if self.chart == "sphere":
            return v
        if self.chart == "ball":
            t = 1 + x[0]
            return [b / t - a * v[0] / t**2 for a, b in zip(x[1:], v[1:], strict=True)]
        return v[1:]

    def sharp(self, c: Vector, g: Vector) -> Vector:
        """G^-1 g in free coordinates, G the metric in the chart; g has the ambient coordinates."""
        if self.chart == "sphere":
            return self.push(c, g)
        if self.chart == "hyperboloid":  # the time part is a function of the free coordinates
            t = self.field.sqrt(1 + _dot(c, c))
            g = [b + g[0] * a / t for a, b in zip(c, g[1:], strict=True)]
        k = len(c)
        unit = [[c[0] * 0 + (i == j) for j in range(k)] for i in range(k)]
        basis = [self.push(c, e) for e in unit]
        metric = [[self.dot(a, b) for b in basis] for a in basis]
        return _solve(metric, g)


# -- the table of maps ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Definition:
    """A map of the public interface on free coordinates at unit curvature.

    ``inputs`` and ``output`` are kinds of arguments; ``scale`` says by which power of the unit of
    length R the output is multiplied, ``scaled`` which inputs are divided by R before. What comes
    after is for operations that not every manifold has, or not in every regime.
    """

    inputs: tuple[str, ...]
    output: str
    function: Callable[..., Any]
    scale: int = 1
    scaled: tuple[bool, ...] = ()
    models: tuple[str, ...] = ("Lorentz", "PoincareBall", "Sphere", "Euclidean", "Stereographic")
    """Which of the certificate's models have it."""
    regimes: tuple[str, ...] | None = None
    """Which regimes differ in what it takes; None for all."""
    gradients: bool = True
    """Whether gradients are judged too."""
    takes: tuple[str, ...] = ()
    """Options of the function: dimension (n), unit (R), least (a radius as
    a length)."""
    target: str = ""
    """The model whose coordinates the output has, if another."""
    velocity: int | None = None
    """Which input is the velocity of a geodesic that may end beyond every dtype."""
    end: Callable[..., Vector] | None = None
    """The embedded point that the dtype must be able to hold, where it is not the output."""
    dimension: int | None = None
    """The only dimension, for a function that does not commute with rotations."""
    absolute: Callable[..., Any] | None = None
    """An absolute error that is promised beside the relative one, at unit curvature, or None."""
    base: int | None = None
    """Which input a tangent vector that comes out is at; None: at ``end``, or at the origin."""


BY_QUADRIC = ("Klein", "HalfSpace", "ProperVelocity", "NormalCoordinates")
"""Models that give a chart alone, whose maps are those of their quadric: measured, not promised."""


def definitions() -> dict[str, Definition]:
    """Every map by name."""

    def geodesic(s: Space, x: Vector, y: Vector, time: Vector) -> Vector:
        a, b = s.lift(x), s.lift(y)
        return s.drop(s.exp(a, [time[0] * c for c in s.log(a, b)]))

    def expmap(s: Space, x: Vector, v: Vector) -> Vector:
        return s.drop(s.exp(s.lift(x), s.push(x, v)))

    def logmap(s: Space, x: Vector, y: Vector) -> Vector:
        a = s.lift(x)
        return s.pull(a, s.log(a, s.lift(y)))

    def from_normal(s: Space, v: Vector) -> Vector:
        zero = v[0] * 0
        return s.drop(s.exp([zero + 1] + [zero] * len(v), [zero, *v]))

    def to_normal(s: Space, x: Vector) -> Vector:
        a = s.lift(x)
        return s.log(s.origin(a), a)[1:]

    def transport(s: Space, x: Vector, y: Vector, v: Vector) -> Vector:
        a, b = s.lift(x), s.lift(y)
        return s.pull(b, s.transport(a, b, s.push(x, v)))

    def aperture(s: Space, x: Vector, min_radius: Vector, unit: Any = 1) -> Any:
        a = s.lift(x)
        sn, least = s.sn(s.dist(s.origin(a), a)), min_radius[0] * unit
        sine = 2 * least / sn if sn > 2 * least else None
        return s.field.pi / 2 + x[0] * 0 if sine is None else s.field.asin(sine)

    def logdetexp(s: Space, x: Vector, v: Vector, dimension: int = 0) -> Any:
        length = s.length(s.push(x, v))
        ratio = s.sn(length) / length if length > 0 else length + 1
        return (dimension - 1) * s.field.log(abs(ratio))

    def pair(name: str, function: Callable[..., Any], scale: int) -> tuple[str, Definition]:
        def on_embedded(s: Space, x: Vector, y: Vector) -> Any:
            return function(s, s.lift(x), s.lift(y))

        return name, Definition((POINT, POINT), SCALAR, on_embedded, scale, (True, True))

    def inner(s: Space, x: Vector, u: Vector, v: Vector) -> Any:
        return s.dot(s.push(x, u), s.push(x, v))

    def norm(s: Space, x: Vector, v: Vector) -> Any:
        return s.length(s.push(x, v))

    both, one = (True, True), (True, False)
    table = {
        "proj": Definition((POINT,), POINT, lambda s, x: s.drop(s.lift(x)), 1, (True,)),
        "inner": Definition((POINT, TANGENT, TANGENT), SCALAR, inner, 0, (True, False, False)),
        "norm": Definition((POINT, TANGENT), SCALAR, norm, 0, one),
        "egrad2rgrad": Definition(
            (POINT, COVECTOR), TANGENT, lambda s, x, g: s.sharp(x, g), 0, one, base=0
        ),
        **dict(
            [
                pair("dist", lambda s, a, b: s.dist(a, b), 1),
                pair("cdist", lambda s, a, b: s.dist(a, b), 1),
                pair("sqdist", lambda s, a, b: s.dist(a, b) ** 2, 2),
                pair("exterior_angle", lambda s, a, b: s.angle(a, b), 0),
            ]
        ),
        "expmap": Definition((POINT, TANGENT), POINT, expmap, 1, both, velocity=1),
        "logmap": Definition((POINT, POINT), TANGENT, logmap, 1, both, base=0),
        "geodesic": Definition((POINT, POINT, TIME), POINT, geodesic, 1, (*both, False)),
        "midpoint": Definition(
            (POINT, POINT), POINT, lambda s, x, y: geodesic(s, x, y, [(x[0] * 0 + 1) / 2]), 1, both
        ),
        "from_normal": Definition((NORMAL,), POINT, from_normal, 1, (True,)),
        "to_normal": Definition((POINT,), NORMAL, to_normal, 1, (True,)),
        "expmap0": Definition(
            (TANGENT0,), POINT, lambda s, v: from_normal(s, _normal_of(s, v)), 1, (True,)
        ),
        "logmap0": Definition(
            (POINT,), TANGENT0, lambda s, x: _tangent0_of(s, to_normal(s, x)), 1, (True,)
        ),
        "transport": Definition(
            (POINT, POINT, TANGENT), TANGENT, transport, 0, (True, True, False), base=1
        ),
        "half_aperture": Definition(
            (POINT, LEAST), SCALAR, aperture, 0, (True, False), takes=("least",)
        ),
        "logdetexp": Definition((POINT, TANGENT), SCALAR, logdetexp, 0, both, takes=("dimension",)),
    }
    # Not proj and cdist, which are others again, nor what has tangent vectors at the origin, whose
    # coordinates each chart has in its own way.
    alike = table.keys() - {"proj", "cdist", "expmap0", "logmap0"}
    return {
        name: replace(d, models=(*d.models, *BY_QUADRIC)) if name in alike else d
        for name, d in table.items()
    }


def _normal_of(s: Space, v: Vector) -> Vector:
    """Normal coordinates of a tangent vector at the origin: the ball's metric there is 4."""
    return [2 * a for a in v] if s.chart == "ball" else v


def _tangent0_of(s: Space, v: Vector) -> Vector:
    return [a / 2 for a in v] if s.chart == "ball" else v


def _dot(a: Sequence[Any], b: Sequence[Any]) -> Any:
    total = a[0] * b[0] if a else 0
    for p, q in zip(a[1:], b[1:], strict=True):
        total = total + p * q
    return total


def _minus(a: Vector, b: Vector) -> Vector:
    return [p - q for p, q in zip(a, b, strict=True)]


def _plus(a: Vector, b: Vector) -> Vector:
    return [p + q for p, q in zip(a, b, strict=True)]


def _solve(matrix: list[Vector], right: Vector) -> Vector:
    """Gaussian elimination; the matrix is symmetric and positive definite: no pivoting needed."""
    rows = [[*row, b] for row, b in zip(matrix, right, strict=True)]
    k = len(rows)
    for i in range(k):
        for j in range(i + 1, k):
            share = rows[j][i] / rows[i][i]
            rows[j] = [a - share * b for a, b in zip(rows[j], rows[i], strict=True)]
    solution: Vector = [rows[0][0] * 0] * k
    for i in reversed(range(k)):
        rest = sum((rows[i][j] * solution[j] for j in range(i + 1, k)), rows[0][0] * 0)
        solution[i] = (rows[i][k] - rest) / rows[i][i]
    return solution
