r"""Maps along the rays from the origin: a vector times a function of its length, in one step.

    y = f v, f = sn(t)/t,      and the first coordinate R cs(t)   of the quadrics
    y = f v, f = tanh(t/2)/t                                      of the ball

    by v: f g + slope (g.v) v,    slope = f'(t)/t,    and by R d/dR: -slope t^2 v

============ ==================== ==================================================================
letter       name in the code     what it is
============ ==================== ==================================================================
K            sign                 the curvature, -1 of the hyperboloid and 1 of the sphere
v, g         v, g                 normal coordinates (..., n), over R in the formulas; a gradient
t, t^2       t, s                 the length of v, (..., 1); of the ball half of it
f, cs        f, c                 the factor, and cosh t or cos t
slope        slope                f'(t)/t
R, R^2       length, area         the radius: 1.0 or a tensor ()
============ ==================== ==================================================================

Domain: v of any length; what ends beyond the farthest point that the stored dtype can hold is
pulled back to it.
Bound: 8 units of u (1 + kappa) in value and 32 in gradient, kappa the condition number.
Proof: validation/symbolic/radial.py, "radial/pull-back", "radial/slopes"
Not proven: the derivative by R; tests/manifolds/test_curvature_gradient.py holds it.
Certificate: Lorentz.from_normal, PoincareBall.from_normal, Sphere.from_normal
Certificate: Lorentz.expmap0, PoincareBall.expmap0, Sphere.expmap0
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ..arithmetic.custom_vjp import custom_vjp, subtract_scaled
from ..arithmetic.limits import brought_within, farthest, longest, longest_before_tanh, rim
from ..arithmetic.ranges import all_within, can_look
from ..arithmetic.vectors import dot, joined, largest_entry, norm, normalize
from ..functions.special import cot_fraction, coth_fraction


def least(dtype: torch.dtype) -> float:
    """A squared length from which on the root has all digits, and below which f is 1, c is 1."""
    return 2.0**-80 if dtype == torch.float32 else 2.0**-160


class Saved(NamedTuple):
    """What the pull-backs need, also of the way back. All but ``result`` have shape (..., 1)."""

    result: Tensor
    """y, (..., n + 1) or (..., n)."""
    f: Tensor
    """What v is multiplied by."""
    c: Tensor
    """cosh t or cos t; of what is brought back q'(t); of no use on the way to the ball."""
    s: Tensor
    """t^2 of what f is taken of; of what is brought back q^2."""
    beyond: Tensor
    """1 where y is pulled back to the edge or so far that its part along v is kept by itself, else
    0; of shape () if no row is."""


def square_of(v: Tensor, radius: Tensor | None) -> Tensor:
    """|v|^2 in units of R."""
    return dot(v, v) if radius is None else dot(v, v) / (radius * radius)


def pulled(
    inputs: Sequence[Tensor], f: Tensor, slope: Tensor, g: Tensor, v: Tensor, more: Tensor | None
) -> Tensor:
    """f g + (slope (g.v) + more) v, the slope being that at R = 1."""
    on_v = slope * dot(g, v)
    if len(inputs) > 1:
        on_v = on_v / (inputs[1] * inputs[1])
    return torch.addcmul(g * f, v, on_v if more is None else on_v + more)


def without(g: Tensor, ray: Tensor) -> Tensor:
    """g's part across a unit vector; twice, for what rounding leaves along it."""
    g = subtract_scaled(g, ray, dot(ray, g))
    return subtract_scaled(g, ray, dot(ray, g))


def _quadric_value(v: Tensor, radius: Tensor | None, sign: int, largest: float) -> Saved:
    """(R c, f v).

    Args:
        largest: of the dtype that the result is stored in, half of its largest number.
    """
    length = 1.0 if radius is None else radius
    dtype = v.dtype
    s = square_of(v, radius)
    if _is_ordinary(s, length, sign, largest):
        t = s.sqrt()
        c, sn = (t.cosh(), t.sinh()) if sign < 0 else (t.cos(), t.sin())
        f = sn / t
        first = c if radius is None else c * radius
        return Saved(joined(first, f, v), f, c, s, s.new_zeros(()))
    # A vector whose square may overflow is cut by its largest entry first.
    most = longest(dtype) if sign < 0 else torch.finfo(dtype).max ** 0.25
    cut = (most * length / largest_entry(v)).clamp(max=1).detach()
    short = v * cut
    s = square_of(short, radius)
    t = s.clamp(least(dtype), most * most if sign < 0 else torch.finfo(dtype).max).sqrt()
    c, sn = (t.cosh(), t.sinh()) if sign < 0 else (t.cos(), t.sin())
    f = sn / t
    if sign < 0:
        edge = (largest / length + 0 * s).clamp(max=farthest(dtype))
        beyond = sn > edge
        f = torch.where(beyond, edge / s.where(beyond, 1.0).sqrt(), f)
        c = torch.where(beyond, (1 + edge * edge).sqrt(), c)
    else:
        beyond = cut < 1
    result = torch.cat([c * length, f * short], dim=-1)
    return Saved(result, f * cut, c, s, beyond.to(dtype))


def _is_ordinary(s: Tensor, length: float | Tensor, sign: int, largest: float) -> bool:
    """Whether it is seen that no vector of squared length s is cut, pulled back or nearly 0."""
    if not can_look(s):
        return False
    end = 2.0**60  # of the sphere, by whose length its vectors are not cut
    if sign < 0:
        size = length if isinstance(length, float) else length.detach().amax().item()
        end = 0.9 * math.asinh(min(largest / size, farthest(s.dtype))) ** 2
    return all_within(s, least(s.dtype), end)


def _quadric_slope(sign: int, at: Saved) -> Tensor:
    """(c - f)/s, f'(t)/t: up to t = 1, where it cancels, by a continued fraction; times -K."""
    short = at.s.clamp(max=1)
    near = at.f / coth_fraction(short) if sign < 0 else at.f / -cot_fraction(short)
    return torch.where(at.s <= 1, near, (at.c - at.f) / at.s.clamp(min=1))


def _quadric_pull(
    sign: int, inputs: Sequence[Tensor], saved: Sequence[Tensor], g: Tensor
) -> tuple[Tensor, ...]:
    """f g_s + (slope (g_s.v) - K g_t f) v; beyond the edge what of f g_s is across v."""
    at, v = Saved(*saved), inputs[0]
    g_time, g = g[..., :1], g[..., 1:]
    by_time = at.f * g_time
    if len(inputs) > 1:
        by_time = by_time / inputs[1]
    if sign > 0:
        by_time = -by_time
    slope = _quadric_slope(sign, at)
    if not at.beyond.dim():
        return (pulled(inputs, at.f, slope, g, v, by_time),)
    beyond = at.beyond > 0
    inside = pulled(inputs, at.f, slope, g, v.where(~beyond, 0.0), by_time)
    return (torch.where(beyond, at.f * without(g, normalize(v)[0]), inside),)


def _quadric_radius_derivative(
    sign: int, inputs: Sequence[Tensor], saved: Sequence[Tensor]
) -> tuple[Tensor, Tensor]:
    """-slope t^2 v and R (c + K t^2 f); beyond the edge, which is fixed, R/c of R c."""
    at, (v, radius) = Saved(*saved), inputs
    inside = at.beyond < 0.5
    space = -(_quadric_slope(sign, at) * at.s * inside) * v
    time = radius * torch.where(inside, at.c + sign * at.s * at.f, (sign < 0) / at.c)
    return torch.cat([time, space.where(inside, 0.0)], dim=-1), torch.ones_like(at.s) > 0


def _quadric(sign: int, stored: torch.dtype) -> Callable[..., Tensor]:
    largest = torch.finfo(stored).max / 2

    def value(v: Tensor, radius: Tensor | None = None) -> Saved:
        return _quadric_value(v, radius, sign, largest)

    def pull(inputs: Sequence[Tensor], saved: Sequence[Tensor], g: Tensor) -> tuple[Tensor, ...]:
        return _quadric_pull(sign, inputs, saved, g)

    def radius_derivative(
        inputs: Sequence[Tensor], saved: Sequence[Tensor]
    ) -> tuple[Tensor, Tensor]:
        return _quadric_radius_derivative(sign, inputs, saved)

    return custom_vjp(value, pull, scaled=1, degree=1, radius_derivative=radius_derivative)


def _ball_value(v: Tensor, radius: Tensor | None, last: float) -> Saved:
    """f v, f = tanh(t/2)/t; ``last`` is the norm of the farthest points."""
    length = 1.0 if radius is None else radius
    dtype = v.dtype
    s = square_of(v, radius) / 4  # (t/2)^2
    if all_within(s, least(dtype), 0.9 * math.atanh(last) ** 2):
        t = s.sqrt()
        f = t.tanh() / t / 2
        return Saved(f * v, f, s.new_zeros(()), s, s.new_zeros(()))
    most = longest_before_tanh(dtype)
    cut = (2 * most * length / largest_entry(v)).clamp(max=1).detach()
    short = v * cut
    s = square_of(short, radius) / 4
    t = s.clamp(min=least(dtype)).sqrt()
    f = t.tanh() / t / 2
    result = f * short
    size, limit = norm(result), last * length
    beyond = size > limit
    f = torch.where(beyond, f * (limit / size.where(beyond, 1.0)), f) * cut
    result = brought_within(result, limit)
    return Saved(result, f, s.new_zeros(()), s, beyond.to(dtype))


def ball_slope(f: Tensor, s: Tensor) -> Tensor:
    """(1 - f)/s - f^2 of f = tanh(t)/t, s = t^2: up to t = 1 by a continued fraction."""
    missing = 1 / (coth_fraction(s.clamp(max=1)) + s)
    return torch.where(s <= 1, missing, (1 - f) / s.clamp(min=1)) - f * f


def _ball_pull(inputs: Sequence[Tensor], saved: Sequence[Tensor], g: Tensor) -> tuple[Tensor, ...]:
    """f g + slope (g.v) v; beyond the edge what of f g is across v."""
    at, v = Saved(*saved), inputs[0]
    slope = ball_slope(2 * at.f, at.s) / 8
    if not at.beyond.dim():
        return (pulled(inputs, at.f, slope, g, v, None),)
    beyond = at.beyond > 0
    inside = pulled(inputs, at.f, slope, g, v.where(~beyond, 0.0), None)
    return (torch.where(beyond, at.f * without(g, normalize(v)[0]), inside),)


def _ball_radius_derivative(
    inputs: Sequence[Tensor], saved: Sequence[Tensor]
) -> tuple[Tensor, Tensor]:
    """-slope t^2 v; beyond the edge, which grows with R, all of the point."""
    at, v = Saved(*saved), inputs[0]
    inside = at.beyond < 0.5
    slope = (ball_slope(2 * at.f, at.s) * at.s).where(inside, 0.0)
    return torch.where(inside, -slope / 2 * v, at.result), torch.ones_like(at.s) > 0


def _ball(stored: torch.dtype) -> Callable[..., Tensor]:
    last = rim(stored)

    def value(v: Tensor, radius: Tensor | None = None) -> Saved:
        return _ball_value(v, radius, last)

    return custom_vjp(
        value, _ball_pull, scaled=1, degree=1, radius_derivative=_ball_radius_derivative
    )


_DTYPES = (torch.float64, torch.float32, torch.bfloat16, torch.float16)
# By the dtype that the result is stored in, as ``hyperboloid.exp.EXPMAP``.
TO_HYPERBOLOID = {t: _quadric(-1, t) for t in _DTYPES}
TO_SPHERE = {t: _quadric(1, t) for t in _DTYPES}
TO_BALL = {t: _ball(t) for t in _DTYPES}
