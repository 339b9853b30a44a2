"""What holds of distances, inner products and norms."""

from __future__ import annotations

from typing import Any

import torch

from .example import Situation
from .properties import VALUES, agree, holds, number, smallest


def _pair_bound(s: Situation, d: float) -> float:
    """B of a distance: it moves by no more than its ends do."""
    return d + s.domain.grain(s.x) + s.domain.grain(s.y)


@holds("dist(x, x) = 0", "dist", "x")
def dist_to_itself(m: Any, s: Situation, u: float) -> None:
    d = number(m.dist(s.x, s.x.clone()))
    agree(f"dist(x, x) = {d:.6g}", abs(d), VALUES * u * s.domain.grain(s.x))


@holds("dist(x, y) >= 0", "dist", "xy")
def dist_nonnegative(m: Any, s: Situation, u: float) -> None:
    d = number(m.dist(s.x, s.y))
    agree(f"dist(x, y) = {d:.6g}", -d, 0.0)


@holds("dist(x, y) = dist(y, x)", "dist", "xy")
def dist_symmetric(m: Any, s: Situation, u: float) -> None:
    d, back = number(m.dist(s.x, s.y)), number(m.dist(s.y, s.x))
    allowed = VALUES * u * _pair_bound(s, s.distance)
    agree(f"dist(x, y) = {d:.9g} and dist(y, x) = {back:.9g}", abs(d - back), allowed)


@holds("dist(x, z) <= dist(x, y) + dist(y, z)", "dist", "xyz")
def triangle_inequality(m: Any, s: Situation, u: float) -> None:
    a, b, c = (number(m.dist(*p)) for p in ((s.x, s.y), (s.y, s.z), (s.x, s.z)))
    grains = sum(s.domain.grain(p) for p in (s.x, s.y, s.z))
    what = f"dist(x, z) = {c:.9g} and dist(x, y) + dist(y, z) = {a:.9g} + {b:.9g}"
    agree(what, c - a - b, VALUES * u * (a + b + 2 * grains))


@holds("dist(x, y) obeys the haversine law of its curvature", "dist", "xy", curved=True)
def dist_value(m: Any, s: Situation, u: float) -> None:
    d = number(m.dist(s.x, s.y))
    what = f"dist(x, y) = {d:.9g} and the distance is {s.distance:.9g}"
    agree(what, abs(d - s.distance), VALUES * u * _pair_bound(s, s.distance) + smallest(s))


@holds("sqdist(x, y) = dist(x, y)^2", "sqdist", "xy", curved=True)
def sqdist_value(m: Any, s: Situation, u: float) -> None:
    d2, moved = number(m.sqdist(s.x, s.y)), VALUES * u * _pair_bound(s, s.distance)
    what = f"sqdist(x, y) = {d2:.9g} and the distance is {s.distance:.9g}"
    least = torch.finfo(s.dtype).smallest_normal
    agree(what, abs(d2 - s.distance**2), 2 * s.distance * moved + moved**2 + least)


@holds("inner is the metric", "inner", "xuv")
def inner_value(m: Any, s: Situation, u: float) -> None:
    d = s.domain
    value = number(m.inner(s.x, s.u, s.v))
    exact = number(d.inner(*(t.double() for t in (s.x, s.u, s.v))))
    a, b = d.length(s.x, s.u), d.length(s.x, s.v)
    bound = a * b * (1 + d.grain(s.x) / d.radius) + d.spread(s.x, s.u) * b
    bound += d.spread(s.x, s.v) * a
    # A product of subnormal numbers is 0, and should be.
    least = torch.finfo(s.dtype).smallest_normal
    what = f"inner(x, u, v) = {value:.9g} and the metric gives {exact:.9g}"
    agree(what, abs(value - exact), VALUES * u * bound + least)


@holds("norm(x, v)^2 = <v, v>_x", "norm", "xv")
def norm_value(m: Any, s: Situation, u: float) -> None:
    d = s.domain
    value, exact = number(m.norm(s.x, s.v)), d.length(s.x, s.v)
    bound = exact * (1 + d.grain(s.x) / d.radius) + d.spread(s.x, s.v)
    what = f"norm(x, v) = {value:.9g} and the metric gives {exact:.9g}"
    agree(what, abs(value - exact), VALUES * u * bound + torch.finfo(s.dtype).smallest_normal)


@holds("rotations about the origin leave dist alone", "dist", "xy", curved=True)
def dist_rotated(m: Any, s: Situation, u: float) -> None:
    x, y = (s.domain.rounded(turned(s, p), s.dtype) for p in (s.x, s.y))
    d, after = number(m.dist(s.x, s.y)), number(m.dist(x, y))
    what = f"dist(x, y) = {d:.9g}, and {after:.9g} after a rotation of both"
    agree(what, abs(d - after), VALUES * u * 2 * _pair_bound(s, s.distance) + smallest(s))


@holds("translations leave dist alone", "dist", "xy", curved=True)
def dist_translated(m: Any, s: Situation, u: float) -> None:
    # By 0.7 R along the first axis, computed in float64 and rounded; e^0.7 is its Lipschitz
    # constant in coordinates.
    domain, r = s.domain, s.domain.radius
    images = [domain.translated(p.double(), 0.7 * r) for p in (s.x, s.y)]
    if images[0] is None or images[1] is None:
        return
    x, y = (domain.rounded(p, s.dtype) for p in images if p is not None)
    d, moved = number(m.dist(s.x, s.y)), number(m.dist(x, y))
    bound = 3 * (_pair_bound(s, s.distance) + 2 * r) + domain.grain(x) + domain.grain(y)
    what = f"dist(x, y) = {d:.9g}, and {moved:.9g} after both are moved by {0.7 * r:.3g}"
    agree(what, abs(d - moved), VALUES * u * bound)


def turned(s: Situation, p: torch.Tensor, at: torch.Tensor | None = None) -> torch.Tensor:
    """The image of a point, or of a vector at one, under a reflection through the origin, in
    float64."""
    p = p.detach().double()
    n = len(p) - s.domain.extra
    normal = torch.arange(1, n + 1, dtype=torch.float64).sqrt()
    if at is None:
        return s.domain.reflected(p, normal)
    return s.domain.reflected_tangent(at.detach().double(), p, normal)
