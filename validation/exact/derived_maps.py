"""More maps at any precision: transport from the origin, means, forms of all pairs, products.

From their definitions, as in ``reference``; what is promised of the maps that go by one matrix
product in float64 is an absolute error, which ``absolute`` gives.
"""

from __future__ import annotations

from typing import Any

from .charts import ProductSpace
from .maps import (
    COVECTOR,
    LEAST,
    POINT,
    SCALAR,
    TANGENT,
    TANGENT0,
    TIME,
    Definition,
    Space,
    Vector,
    _dot,
    _normal_of,
    _solve,
    _tangent0_of,
    definitions,
)

_EVERY = ("Lorentz", "PoincareBall", "Sphere", "Euclidean", "Stereographic")
_CURVED = ("Lorentz", "PoincareBall", "Sphere")
_MEAN = (
    "everyday", "near the origin", "far", "close", "close, far", "radial", "coincident", "origin",
    "tiny", "thresholds",
)  # fmt: skip
_PRODUCT = (
    "everyday", "near the origin", "far", "close", "close, far", "radial", "opposite", "coincident",
    "origin", "tiny", "thresholds",
)  # fmt: skip
_NAN = float("nan")


def more() -> dict[str, Definition]:
    """Every one of them by name."""
    maps = definitions()
    aperture, angle = maps["half_aperture"], maps["exterior_angle"]

    def transport0(s: Space, y: Vector, v: Vector) -> Vector:
        a = s.lift(y)
        start = [v[0] * 0, *_normal_of(s, v)]
        return s.pull(a, s.transport(s.origin(a), a, start))

    def transport0_inverse(s: Space, x: Vector, v: Vector) -> Vector:
        a = s.lift(x)
        return _tangent0_of(s, s.transport(a, s.origin(a), s.push(x, v))[1:])

    def proj_tangent(s: Space, x: Vector, v: Vector) -> Vector:
        return s.push(x, v) if s.chart == "sphere" else v[s.chart == "hyperboloid" :]

    def form(s: Space, x: Vector, y: Vector) -> Any:
        value = s.dot(s.lift(x), s.lift(y))
        if s.sign == 0 and s.chart == "ball":
            return -(s.dist(s.lift(x), s.lift(y)) ** 2) / 2
        return value

    def form_from_0(s: Space, x: Vector, y: Vector) -> Any:
        """(cos_K(d) - 1)/K, -d^2/2 where K is 0."""
        d = s.dist(s.lift(x), s.lift(y))
        return -2 * s.sign * s.sn(d / 2) ** 2 * s.sign if s.sign else -(d**2) / 2

    def resolution(s: Space, x: Vector, y: Vector) -> Any:
        """What counts as 0 in a product of the size cs(r_x) cs(r_y), 4 u of it, and its roundings.

        Six units of float64, ``size`` being 4 cs(r_x)^2 cs(r_y)^2 far out.
        """
        a, b = s.lift(x), s.lift(y)
        size = (1 + _dot(a, a)) * (1 + _dot(b, b))
        return 3 * s.field.mpf(2) ** -53 * s.field.sqrt(size)

    def apart(s: Space, x: Vector, y: Vector) -> Any:
        """By how much a distance moves when sn^2(d/2) does by that."""
        d, change = s.dist(s.lift(x), s.lift(y)), resolution(s, x, y)
        square = (s.sn(d / 2) if s.sign else d / 2) ** 2

        def back(h: Any) -> Any:
            root = s.field.sqrt(max(h, h * 0))
            if s.sign < 0:
                return 2 * s.field.asinh(root)
            return 2 * (s.field.asin(min(root, root * 0 + 1)) if s.sign else root)

        return back(square + change) - back(square - change)

    def mean(s: Space, *points: Vector) -> Vector:
        return s.drop(_mean(s, [s.lift(p) for p in points]))

    two, both = (POINT, POINT), (True, True)
    return {
        "transport0": Definition(
            (POINT, TANGENT0), TANGENT, transport0, 0, (True, False), base=0
        ),
        "transport0_inverse": Definition(
            (POINT, TANGENT), TANGENT0, transport0_inverse, 0, (True, False)
        ),
        "proj_tangent": Definition(
            (POINT, COVECTOR), TANGENT, proj_tangent, 0, (True, False), base=0
        ),
        "mean": Definition((POINT,) * 3, POINT, mean, 1, (True,) * 3, models=_EVERY,
                           regimes=_MEAN, gradients=False),
        "cinner": Definition(two, SCALAR, form, 2, both, models=(*_CURVED, "Euclidean"),
                             gradients=False),
        "cinner.from_0": Definition(two, SCALAR, form_from_0, 2, both, models=("Stereographic",),
                                    gradients=False),
        "cdist.matmul": Definition(two, SCALAR, maps["dist"].function, 1, both, models=_EVERY,
                                   gradients=False, absolute=apart),
        "cones.angle": Definition(
            (POINT, POINT, LEAST), SCALAR, lambda s, x, y, least: angle.function(s, x, y), 0,
            (True, True, False),
        ),
        "cones.aperture": Definition(
            (POINT, POINT, LEAST), SCALAR,
            lambda s, x, y, least, **unit: aperture.function(s, x, least, **unit), 0,
            (True, True, False), takes=("least",),
        ),
    }  # fmt: skip


def _mean(s: Space, points: list[Vector]) -> Vector:
    """Newton's method on the sum of squared distances, whose Hessian a space form has in closed
    form: 1 along each logarithm, d/tn(d) across it. NaN where it may have several minima."""
    f = s.field
    count = len(points)
    m = [sum(c) / count for c in zip(*points, strict=True)]
    if s.sign:
        size = f.sqrt(s.sign * s.dot(m, m))
        if not size > 0:
            return [c * _NAN for c in m]
        m = [c / size for c in m]
    if s.sign > 0 and any(s.dot(m, p) < f.cos(f.mpf("1.3")) for p in points):
        return [c * _NAN for c in m]
    goal = f.mpf(10) ** (-f.dps // 2)
    for _ in range(80):
        logs = [s.log(m, p) for p in points]
        total = [sum(c) / count for c in zip(*logs, strict=True)]
        basis = _tangent_basis(s, m)
        matrix = [[f.mpf(0)] * len(basis) for _ in basis]
        for v in logs:
            d = s.length(v)
            across = d * s.cs(d) / s.sn(d) if d > 0 else d + 1
            parts = [s.dot(v, e) / d if d > 0 else d for e in basis]
            for i, a in enumerate(parts):
                for j, b in enumerate(parts):
                    matrix[i][j] += (across * (i == j) + (1 - across) * a * b) / count
        step = _solve(matrix, [s.dot(total, e) for e in basis])
        move = [sum(a * e[i] for a, e in zip(step, basis, strict=True)) for i in range(len(m))]
        size = s.length(move)
        if size > 1:  # far from the minimum the Hessian of another point is no guide
            move = [c / size for c in move]
        m = s.exp(m, move)
        if s.sign:
            scale = f.sqrt(s.sign * s.dot(m, m))
            m = [c / scale for c in m]
        if size < goal:
            return m
    return [c * _NAN for c in m]


def _tangent_basis(s: Space, m: Vector) -> list[Vector]:
    """Orthonormal tangent vectors at an embedded point."""
    if s.sign == 0:
        return [[m[0] * 0 + (i == j) for i in range(len(m))] for j in range(1, len(m))]
    basis: list[Vector] = []
    order = sorted(range(len(m)), key=lambda j: abs(m[j]))
    axes = order[:-1] if s.sign > 0 else range(1, len(m))
    for j in axes:
        v = [m[0] * 0 + (i == j) for i in range(len(m))]
        share = s.sign * s.dot(v, m)
        v = [a - share * b for a, b in zip(v, m, strict=True)]
        for e in basis:
            share = s.dot(v, e)
            v = [a - share * b for a, b in zip(v, e, strict=True)]
        size = s.length(v)
        basis.append([c / size for c in v])
    return basis


# -- products ------------------------------------------------------------------------------------


def products() -> dict[str, Definition]:
    """Distances of each metric, and the maps of the factors side by side."""
    maps = definitions()

    def each(s: ProductSpace, x: Vector, y: Vector) -> Any:
        for part, r, weight, both in s.each(x, y):
            a, b = ([c / r for c in v] for v in both)
            yield weight, r * part.dist(part.lift(a), part.lift(b))

    def l2(s: ProductSpace, x: Vector, y: Vector) -> Any:
        return s.field.sqrt(sum(w * d**2 for w, d in each(s, x, y)))

    def squared(s: ProductSpace, x: Vector, y: Vector) -> Any:
        return sum(w * d**2 for w, d in each(s, x, y))

    def l1(s: ProductSpace, x: Vector, y: Vector) -> Any:
        return sum(w * d for w, d in each(s, x, y))

    def most(s: ProductSpace, x: Vector, y: Vector) -> Any:
        return max(w * d for w, d in each(s, x, y))

    def mapped(name: str) -> Any:
        definition = maps[name]

        def function(s: ProductSpace, *vectors: Vector) -> Vector:
            count = len([kind for kind in definition.inputs if kind != TIME])
            times, result = vectors[count:], []
            for part, r, _, some in s.each(*vectors[:count]):
                scaled = [
                    [c / r for c in v] if by else v
                    for v, by in zip(some, definition.scaled, strict=False)
                ]
                found = definition.function(part, *scaled, *times)
                result += [r**definition.scale * c for c in found]
            return result

        return function

    def inner(s: ProductSpace, x: Vector, u: Vector, v: Vector) -> Any:
        total = x[0] * 0
        for part, r, weight, (a, b, c) in s.each(x, u, v):
            total += weight * maps["inner"].function(part, [p / r for p in a], b, c)
        return total

    def norm(s: ProductSpace, x: Vector, v: Vector) -> Any:
        return s.field.sqrt(inner(s, x, v, v))

    points, vector = (POINT, POINT), (POINT, TANGENT)
    table: tuple[tuple[str, tuple[str, ...], str, Any, int | None], ...] = (
        ("dist", points, SCALAR, l2, None),
        ("sqdist", points, SCALAR, squared, None),
        ("dist.l1", points, SCALAR, l1, None),
        ("dist.max", points, SCALAR, most, None),
        ("norm", vector, SCALAR, norm, None),
        ("inner", (POINT, TANGENT, TANGENT), SCALAR, inner, None),
        ("expmap", vector, POINT, mapped("expmap"), None),
        ("logmap", points, TANGENT, mapped("logmap"), 0),
        ("geodesic", (POINT, POINT, TIME), POINT, mapped("geodesic"), None),
        ("midpoint", points, POINT, mapped("midpoint"), None),
        ("transport", (POINT, POINT, TANGENT), TANGENT, mapped("transport"), 1),
    )
    return {
        f"product_{name}": Definition(
            inputs, output, function, 1, (True,) * len(inputs), models=("Product",),
            regimes=_PRODUCT, base=base,
        )
        for name, inputs, output, function, base in table
    }  # fmt: skip
