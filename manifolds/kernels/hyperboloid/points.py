r"""The hyperboloid of curvature -k by space parts: points, tangent vectors, frames.

    T = sqrt(1 + k |x|^2),    point (T/sqrt k, x),    tangent vector (sqrt(k) x.v/T, v)

============ ==================== ==================================================================
letter       name in the code     what it is
============ ==================== ==================================================================
x, v         x, v                 space parts of a point and of a vector, (..., n)
T            time(x, k)           sqrt(k) times the time part, (..., 1)
k            k                    1.0, or a tensor 1 that has the derivative of the curvature
s            step                 y - x, (..., n)
============ ==================== ==================================================================

Domain: |x| up to ``limits.farthest``.
Bound: 8 units of u (1 + kappa) in value and 32 in gradient, kappa the condition number.
Proof: validation/symbolic/kernels.py, "kernels/frame, far", "kernels/frame, near"
Proof: validation/symbolic/cones.py, "cones/exterior angle: Lorentz"
Certificate: Lorentz.norm, Lorentz.inner, Lorentz.exterior_angle
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ..arithmetic.custom_vjp import custom_vjp, direction as ray_of
from ..arithmetic.limits import brought_within, farthest
from ..arithmetic.ranges import all_below
from ..arithmetic.ray_components import ray_components
from ..arithmetic.vectors import Number, dot, expanded, norm, relative_to_ray
from ..functions.special import curved


def time(x: Tensor, k: Number = 1.0) -> Tensor:
    """T, (..., 1)."""
    return (1 + curved(dot(x, x), k)).sqrt()


def lift(x: Tensor, k: Number = 1.0) -> Tensor:
    """The point (T/sqrt k, x), (..., n + 1)."""
    t = time(x, k)
    return torch.cat([t if isinstance(k, float) else t * k.rsqrt(), x], dim=-1)


def tangent(x: Tensor, v: Tensor, k: Number = 1.0) -> Tensor:
    """The vector (v_t, v), (..., n + 1), with <(T/sqrt k, x), (v_t, v)> = 0."""
    t = dot(x / time(x, k), v)
    return torch.cat([t if isinstance(k, float) else t * k.sqrt(), expanded(v, t)], dim=-1)


def across_along(x: Tensor, v: Tensor, k: Number = 1.0) -> tuple[Tensor, Tensor]:
    """v in an orthonormal frame at x: a vector (..., n) and one further, radial component times
    sqrt k, (..., 1).

    For |x| > 1 the radial component is x.v/(|x| T), split off first: far out v's radial part is
    T times longer in coordinates than on the manifold, and left inside one vector its rounding
    would cover the rest. For |x| <= 1, where nothing is lost, the frame is the one carried from
    the origin, smooth at x = 0 where a radial direction does not exist.
    """
    x2 = dot(x, x)
    far = x2 > 1
    direction = torch.where(far, ray_of(x.where(far, 1.0)), x)  # x itself where it is short
    component = dot(direction, v)
    t = (1 + curved(x2.where(~far, 0.0), k)).sqrt()
    across = v - torch.where(far, component, curved(component, k) / (t * (1 + t))) * direction
    # Twice: what rounding left of the radial part, u T of it, would count in full.
    across = across - dot(direction, across).where(far, 0.0) * direction
    # Over |x| and T/|x| one after the other: a gradient by T itself may be below the smallest
    # number of float32, where T is 2^40; and of T/|x| the derivative by k is 1/T^2.
    long = x.where(far, 1.0)
    steepness = (1 + 1 / dot(long, long) / k).sqrt()
    along = component / norm(long) / steepness
    return across, along.where(far, component * 0)


def polar(plus: Tensor, minus: Tensor, e_r: Tensor, e_t: Tensor, sign: int) -> Tensor:
    """plus sinh(r + t) + minus sinh(r - t) for the sign -1, with cosh for 1; from e^r and e^t.

    With plus and minus (1 + m)/2 and (1 - m)/2 it is the component along the outward ray of the
    point at distance t in a direction of cosine m, where cosh t sinh r + m sinh t cosh r cancels.
    """
    # Each way as quotients of numbers above 1: next to the inverse of a quotient of e^-400 its
    # derivative overflows.
    out = plus * e_r * e_t + sign * (plus / e_r / e_t)
    return (out + minus * (e_r / e_t + sign * (e_t / e_r))) / 2


def outward(x: Tensor, y: Tensor, step: Tensor, k: Number = 1.0) -> tuple[Tensor, Tensor]:
    """(lateral, along): a positive multiple of log_x(y) in the frame of the outward ray at x.

    ``lateral`` is a vector (..., n) orthogonal to x, ``along`` a number (..., 1). Both are 0 at
    x = y, and at x = 0, where the ray does not exist.
    """
    _, size, lateral, radial, ahead = relative_to_ray(x, y, step)
    along = _along(x, y, size, radial, ahead, size * norm(lateral), k)
    return lateral * (size > 0), along * (size > 0)


def polar_log(x: Tensor, y: Tensor, step: Tensor, k: Number = 1.0) -> tuple[Tensor, Tensor]:
    """(across, along) of ``outward``, across the length of ``lateral``: (..., 1) both."""
    at = ray_components(x, y, step)
    along = _along(x, y, at.size, at.radial, at.ahead, at.size * at.across, k)
    return at.across * (at.size > 0), along * (at.size > 0)


def _along(
    x: Tensor, y: Tensor, size: Tensor, radial: Tensor, ahead: Tensor, area: Tensor, k: Number
) -> Tensor:
    """T_x radial - |x| T_y, area = |x| |lateral|."""
    # Where y is on x's side of the origin both terms are positive and cancel: of a step of 1
    # outwards at r = 9, in float32, it is 4.0 for 1.18. There it is over the sum of the two,
    # (radial - |x|)(|x| + radial) - k (|x| |lateral|)^2.
    tx, ty = time(x, k), time(y, k)
    opposite = radial < 0
    total = (tx * radial + size * ty).where(~opposite & (size > 0), 1.0)
    difference = ahead * ((size + radial) / total) - area * (curved(area, k) / total)
    return torch.where(opposite, tx * radial - size * ty, difference)


# -- the point above a space part ------------------------------------------------------------------


class Saved(NamedTuple):
    """What the pull-back needs."""

    result: Tensor
    """(sqrt(R^2 + |x|^2), x), (..., n + 1)."""
    beyond: Tensor
    """1 where x is pulled back, else 0; of shape () if no row is."""


def _point_value(x: Tensor, radius: Tensor | None, largest: float) -> Saved:
    """Args: x (..., n); ``largest`` of the dtype that is stored in, half of its largest number."""
    length = 1.0 if radius is None else radius
    square = dot(x, x)
    # Half a square, below which none is beyond: the limit is not less than the least of these.
    least = min(farthest(x.dtype), largest / 1e3) ** 2 / 4
    if all_below(square / (length * length) + square, least):
        return Saved(
            torch.cat([(length * length + square).sqrt(), x], dim=-1), square.new_zeros(())
        )
    limit = (farthest(x.dtype) * length + 0 * square).clamp(max=largest)
    size = norm(x)
    beyond = (size > limit).to(x.dtype)
    x = brought_within(x, limit)
    square = dot(x, x)
    return Saved(torch.cat([(length * length + square).sqrt(), x], dim=-1), beyond)


def _point_pull(inputs: Sequence[Tensor], saved: Sequence[Tensor], g: Tensor) -> tuple[Tensor, ...]:
    """g_s + g_t x/t; beyond the edge what of limit/|x| g_s is across x."""
    at, x = Saved(*saved), inputs[0]
    g_time, g = g[..., :1], g[..., 1:]
    if not at.beyond.dim():
        return (torch.addcmul(g, x, g_time / at.result[..., :1]),)
    beyond = at.beyond > 0
    inside = torch.addcmul(g, x.where(~beyond, 0.0), g_time / at.result[..., :1])
    long = x.where(beyond, 1.0)
    ray = ray_of(long)
    across = g - dot(ray, g) * ray
    across = across - dot(ray, across) * ray
    return (torch.where(beyond, norm(at.result[..., 1:]) / norm(long) * across, inside),)


def _point_radius_derivative(
    inputs: Sequence[Tensor], saved: Sequence[Tensor]
) -> tuple[Tensor, Tensor]:
    """Of sqrt(R^2 + |x|^2) it is R^2 over it; of x nothing."""
    x, radius = inputs
    time = radius * (radius / saved[0][..., :1])
    return torch.cat([time, torch.zeros_like(x)], dim=-1), torch.ones_like(time) > 0


def _point(stored: torch.dtype) -> Callable[..., Tensor]:
    largest = torch.finfo(stored).max / 2

    def value(x: Tensor, radius: Tensor | None = None) -> Saved:
        return _point_value(x, radius, largest)

    return custom_vjp(
        value, _point_pull, scaled=1, degree=1, radius_derivative=_point_radius_derivative
    )


# The point with a space part, or where that is beyond the farthest that the stored dtype can hold,
# the farthest on its ray.
POINT = {t: _point(t) for t in (torch.float64, torch.float32, torch.bfloat16, torch.float16)}
