r"""One vector in components along and across the ray through another, in one step.

    x = |x| e,    y = p e + l,    l = q m across e,    d = p - |x|

    by y:  (a_p + a_d) e + a_q m
    by x:  (a_s - a_d) e + ((a_p + a_d) q - a_q p)/|x| m

============ ==================== ==================================================================
letter       name in the code     what it is
============ ==================== ==================================================================
x, y         x, y                 vectors, (..., n)
y - x        step                 their difference, as it was before x and y were rounded
e, |x|       ray, size            the direction of x, the zero vector where x = 0, and its length
p            radial               the component of y along e
l, q, m      lateral, across      y's part across e, its length and direction, which is 0 where l is
d            ahead                p less |x|, of the step where y is near
a_s, ...     g                    the gradients of |x|, q, p and d
============ ==================== ==================================================================

Where y is near x, at less than half of its length, components are those of y - x: a difference of a
long vector and a short one has the rounding of the long one. The part across is orthogonalised
twice, for what rounding leaves of the other.

Domain: finite vectors, x = 0 and y = 0 included; a NaN goes through.
Bound: 8 units of u (1 + kappa) in value and 32 in gradient, kappa the condition number.
Proof: none, d e = (1 - e e^T) dx/|x| and d q = m . dl.
Certificate: Lorentz.exterior_angle, PoincareBall.exterior_angle, Sphere.exterior_angle
Certificate: Euclidean.exterior_angle, Stereographic.exterior_angle
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from .custom_vjp import custom_vjp, subtract_scaled
from .vectors import dot, normalize


class RayComponents(NamedTuple):
    """Numbers, (..., 1)."""

    size: Tensor
    """|x|."""
    across: Tensor
    """The length of y's part across x."""
    radial: Tensor
    """y's component along x."""
    ahead: Tensor
    """That less |x|."""


class Saved(NamedTuple):
    """What the pull-back needs."""

    result: Tensor
    """The four, (..., 4)."""
    ray: Tensor
    """x/|x|, (..., n)."""
    side: Tensor
    """The direction of y's part across it, (..., n)."""


def ray_components(x: Tensor, y: Tensor, step: Tensor) -> RayComponents:
    """Those of y relative to the ray through x; step = y - x, of which there is no derivative but
    that by x and y."""
    return RayComponents(*_components(x, y, step, 1.0).chunk(4, dim=-1))


def _value(x: Tensor, y: Tensor, step: Tensor) -> Saved:
    ray, size = normalize(x)
    close = 4 * dot(step, step) < dot(y, y)
    other = torch.where(close, step, y)
    component = dot(ray, other)
    lateral = subtract_scaled(other, ray, component)
    lateral = subtract_scaled(lateral, ray, dot(ray, lateral))
    side, across = normalize(lateral)
    size = size.expand(across.shape)
    radial = torch.where(close, size + component, component)
    ahead = torch.where(close, component, component - size)
    return Saved(torch.cat([size, across, radial, ahead], dim=-1), ray, side)


def _pull(
    inputs: Sequence[Tensor], saved: Sequence[Tensor], g: Tensor
) -> tuple[Tensor, Tensor, None]:
    at = Saved(*saved)
    size, across, radial, _ = at.result.chunk(4, dim=-1)
    # Next to 0 a derivative may be beyond the dtype: a large number then, not infinity, of which
    # the product with a coordinate 0 or the sum with its like would be NaN.
    most = torch.finfo(g.dtype).max / 8
    g_size, g_across, g_radial, g_ahead = g.clamp(-most, most).chunk(4, dim=-1)
    g_across = g_across.where(across > 0, 0.0)
    along = g_radial + g_ahead
    by_y = torch.addcmul(along * at.ray, g_across, at.side)
    turn = (along * across - g_across * radial) / size.where(size > 0, 1.0)
    turn = turn.clamp(-most, most).where(size > 0, 0.0)
    by_x = torch.addcmul((g_size - g_ahead) * at.ray, turn, at.side)
    return by_x, by_y, None


_components = custom_vjp(_value, _pull, scaled=3, degree=0)
