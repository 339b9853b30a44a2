"""What holds of exponential maps, logarithms, transport and projections."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from .distance import turned
from .example import Situation, readable
from .properties import (
    VALUES,
    agree,
    exp_bound,
    grown,
    holds,
    log_bound,
    number,
    smallest,
    transport_bound,
)


@holds("expmap(x, 0) = x", "expmap", "x")
def exp_of_zero(m: Any, s: Situation, u: float) -> None:
    y = m.expmap(s.x, torch.zeros_like(s.x))
    allowed = VALUES * u * s.domain.grain(s.x)
    agree(f"expmap(x, 0) = {readable(y)}", s.domain.gap(s.x, y), allowed)


@holds("expmap(x, logmap(x, y)) = y", "expmap logmap", "xy")
def exp_inverts_log(m: Any, s: Situation, u: float) -> None:
    d = s.domain
    v = m.logmap(s.x, s.y)
    y = m.expmap(s.x, v)
    base = d.grain(s.x) * (1 + s.distance / d.radius) + s.distance + d.spread(s.x, v)
    allowed = VALUES * u * (grown(s, s.x, v, base) + d.grain(s.y)) + smallest(s)
    agree(f"expmap(x, logmap(x, y)) = {readable(y)}", d.gap(s.y, y), _near(s, allowed))


@holds("logmap(x, expmap(x, v)) = v", "expmap logmap", "xv")
def log_inverts_exp(m: Any, s: Situation, u: float) -> None:
    d = s.domain
    y = m.expmap(s.x, s.v)
    v = m.logmap(s.x, y)
    length = d.length(s.x, s.v)
    base = (1 + length / d.radius) * (d.grain(s.x) + length + d.spread(s.x, s.v))
    bound = d.focus(length) * (base + d.grain(y)) + d.spread(s.x, v)
    what = f"logmap(x, expmap(x, v)) = {readable(v)}"
    agree(what, d.length(s.x, (v - s.v).detach()), VALUES * u * bound + smallest(s))


@holds("|logmap(x, y)| = dist(x, y)", "logmap dist", "xy", curved=True)
def length_of_log(m: Any, s: Situation, u: float) -> None:
    v = m.logmap(s.x, s.y)
    length, d = s.domain.length(s.x, v), number(m.dist(s.x, s.y))
    # A shift of y across changes log's direction, not its length: no focus here. One of x changes
    # the metric by which the length is measured.
    bound = s.domain.grain(s.x) * (1 + s.distance / s.domain.radius) + s.domain.grain(s.y)
    bound += s.distance + s.domain.spread(s.x, v)
    what = f"logmap(x, y) has length {length:.9g} and dist(x, y) = {d:.9g}"
    agree(what, abs(length - d), VALUES * u * bound + smallest(s))


@holds("dist(exp(s v), exp(t v)) = |s - t| |v|", "expmap dist", "xv", curved=True)
def geodesic_speed(m: Any, s: Situation, u: float) -> None:
    early, late = 0.25 * s.v, 0.75 * s.v
    p, q = m.expmap(s.x, early), m.expmap(s.x, late)
    d, length = number(m.dist(p, q)), s.domain.length(s.x, s.v) / 2
    bound = exp_bound(s, s.x, early, p) + exp_bound(s, s.x, late, q) + length
    what = f"dist(exp(v/4), exp(3v/4)) = {d:.9g} and |v|/2 = {length:.9g}"
    agree(what, abs(d - length), VALUES * u * bound + smallest(s))


@holds("dist(exp(u), exp(v)) obeys the law of cosines", "expmap dist", "xuv", curved=True)
def law_of_cosines(m: Any, s: Situation, u: float) -> None:
    domain = s.domain
    p, q = m.expmap(s.x, s.u), m.expmap(s.x, s.v)
    a, b = domain.length(s.x, s.u), domain.length(s.x, s.v)
    sine, cosine = 0.0, 1.0
    if a > 0 and b > 0:
        e, f = s.u.double() / a, s.v.double() / b
        sine, cosine = domain.length(s.x, e - f) / 2, domain.length(s.x, e + f) / 2
    exact, d = domain.third_side(a, b, sine, cosine), number(m.dist(p, q))
    bound = exp_bound(s, s.x, s.u, p) + exp_bound(s, s.x, s.v, q) + exact
    what = f"dist(exp(u), exp(v)) = {d:.9g} and the law of cosines gives {exact:.9g}"
    agree(what, abs(d - exact), VALUES * u * bound + smallest(s))


@holds("rotations about the origin commute with expmap", "expmap", "xv", curved=True)
def exp_rotated(m: Any, s: Situation, u: float) -> None:
    x = s.domain.rounded(turned(s, s.x), s.dtype)
    v = s.domain.rounded_tangent(x, turned(s, s.v, s.x), s.dtype)
    y, image = m.expmap(s.x, s.v), m.expmap(x, v)
    what = f"expmap(x, v) = {readable(y)}, and {readable(image)} after a rotation of x and v"
    error = s.domain.gap(turned(s, y), image)
    allowed = VALUES * u * 2 * exp_bound(s, s.x, s.v, y) + smallest(s)
    agree(what, error, _near(s, allowed))


@holds("expmap, logmap and transport give points and tangent vectors", "expmap logmap", "xyv")
def results_on_the_manifold(m: Any, s: Situation, u: float) -> None:
    y = m.expmap(s.x, s.v)
    defect = float(s.domain.defect(y.detach()))
    agree(f"expmap(x, v) = {readable(y)} is off the manifold", defect, VALUES * u)
    vectors = {"logmap(x, y)": (s.x, m.logmap(s.x, s.y))}
    if m.transport is not None:
        vectors["transport(x, y, v)"] = (s.y, m.transport(s.x, s.y, s.v))
    for what, (x, vector) in vectors.items():
        w = vector.detach().double()
        off = float((w - s.domain.rounded_tangent(x, w, torch.float64)).norm())
        # y - x is known to a grain, so a short logarithm is tangent to a grain only.
        bound = float(w.norm()) * (1 + s.domain.grain(x) / s.domain.radius) + s.domain.grain(x)
        agree(f"{what} = {readable(vector)} is not tangent", off, VALUES * u * bound + smallest(s))


@holds("transport keeps inner products", "transport", "xyuv")
def transport_isometry(m: Any, s: Situation, u: float) -> None:
    d = s.domain
    a, b = m.transport(s.x, s.y, s.u), m.transport(s.x, s.y, s.v)
    before = number(d.inner(*(t.double() for t in (s.x, s.u, s.v))))
    after = number(d.inner(*(t.detach().double() for t in (s.y, a, b))))
    first, second = d.length(s.x, s.u), d.length(s.x, s.v)
    off = VALUES * u * transport_bound(s, s.u, a) + smallest(s)
    also = VALUES * u * transport_bound(s, s.v, b) + smallest(s)
    what = f"<u, v> = {before:.9g}, and {after:.9g} when both are transported to y"
    agree(what, abs(before - after), off * second + also * first + off * also)


@holds("transport to y and back is the identity", "transport", "xyv")
def transport_inverse(m: Any, s: Situation, u: float) -> None:
    moved = m.transport(s.x, s.y, s.v)
    back = m.transport(s.y, s.x, moved)
    bound = s.domain.focus(s.distance) * transport_bound(s, s.v, moved)
    what = f"v comes back from y as {readable(back)}"
    error = s.domain.length(s.x, (back - s.v).detach())
    agree(what, error, VALUES * u * bound + smallest(s))


@holds("transport carries logmap(x, y) to -logmap(y, x)", "transport logmap", "xy", curved=True)
def transport_of_velocity(m: Any, s: Situation, u: float) -> None:
    forth, back = m.logmap(s.x, s.y), m.logmap(s.y, s.x)
    moved = m.transport(s.x, s.y, forth)
    bound = log_bound(s, s.x, s.y, forth) + log_bound(s, s.y, s.x, back)
    bound += s.domain.focus(s.distance) * transport_bound(s, forth, moved)
    what = f"logmap(x, y) arrives as {readable(moved)} and logmap(y, x) = {readable(back)}"
    agree(what, s.domain.length(s.y, (moved + back).detach()), VALUES * u * bound)


@holds("transport is linear", "transport", "xyuv")
def transport_linear(m: Any, s: Situation, u: float) -> None:
    a, b = m.transport(s.x, s.y, s.u), m.transport(s.x, s.y, s.v)
    both = m.transport(s.x, s.y, 2 * s.u - s.v)
    bound = 2 * transport_bound(s, s.u, a) + transport_bound(s, s.v, b)
    what = f"2u - v arrives as {readable(both)} and its parts as {readable(2 * a - b)}"
    error = s.domain.length(s.y, (both - 2 * a + b).detach())
    agree(what, error, VALUES * u * bound + smallest(s))


@holds("proj is the identity on points, and idempotent", "proj", "xu")
def proj_idempotent(m: Any, s: Situation, u: float) -> None:
    p = m.proj(s.x)
    agree(f"proj(x) = {readable(p)}", s.domain.gap(s.x, p), VALUES * u * s.domain.grain(s.x))
    p = m.proj(s.x + s.u)  # off the manifold
    twice = m.proj(p)
    what = f"proj(x + u) = {readable(p)}, and {readable(twice)} when projected again"
    agree(what, s.domain.gap(p, twice), VALUES * u * s.domain.grain(p.detach()))


@holds("proj_tangent is the identity on tangent vectors, and idempotent", "proj_tangent", "xv")
def proj_tangent_idempotent(m: Any, s: Situation, u: float) -> None:
    d = s.domain
    for what, given in (("v", s.v), ("v + x", s.v + s.x)):
        once = m.proj_tangent(s.x, given)
        wanted, result = (s.v, once) if what == "v" else (once, m.proj_tangent(s.x, once))
        bound = d.spread(s.x, wanted) * (1 + d.grain(s.x) / d.radius)
        said = f"proj_tangent(x, {what}) = {readable(once)}"
        if what != "v":
            said += f", and {readable(result)} when projected again"
            bound += d.grain(s.x) * (1 + d.grain(s.x) / d.radius)
        error = d.length(s.x, (result - wanted).detach())
        agree(said, error, VALUES * u * bound + smallest(s))


@holds("<egrad2rgrad(x, g), w>_x = g.w for tangent w", "egrad2rgrad", "xv")
def gradient_represents(m: Any, s: Situation, u: float) -> None:
    d = s.domain
    g = covector(s.x)
    r = m.egrad2rgrad(s.x, g.clone()).detach()
    wanted = number((g.double() * s.v.double()).sum())
    got = number(d.inner(*(t.double() for t in (s.x, r, s.v))))
    a, b = d.length(s.x, r), d.length(s.x, s.v)
    bound = float(g.double().norm()) * float(s.v.double().norm())
    bound += a * b * (1 + d.grain(s.x) / d.radius)
    # Far out vectors are shorter than what rounding does to them: the second order counts as well.
    off, also = VALUES * u * d.spread(s.x, r), VALUES * u * d.spread(s.x, s.v)
    rounded = off * b + a * also + off * also
    what = f"with g = {readable(g)}, <egrad2rgrad(x, g), v> = {got:.9g} and g.v = {wanted:.9g}"
    agree(what, abs(got - wanted), VALUES * u * bound + rounded + smallest(s) * (1 + a))


def covector(x: Tensor) -> Tensor:
    """A vector with no zero and no symmetry in it."""
    return torch.arange(1, x.shape[-1] + 1, dtype=torch.float64).mul(1.7).sin().to(x.dtype)


def _near(s: Situation, allowed: float) -> float:
    """Coordinates measure a distance up to the radius of curvature; beyond they say nothing."""
    return allowed if not s.domain.curvature or allowed < s.domain.radius else math.inf
