r"""The exponential map of the unit sphere.

    exp_x v = cos(t) x + sin(t)/t v,    t = |v|,    over its length

    by x: c g_y;    by v: f g_y + (fall (g_y.v) - f (g_y.x)) v,    g_y = g - (g.y) y

============ ==================== ==================================================================
letter       name in the code     what it is
============ ==================== ==================================================================
x, v         x, v                 a point and a tangent vector, (..., n + 1); over R in the formulas
t, t^2       t, s                 the vector's length, (..., 1)
c, f         c, f                 cos t, sin(t)/t
fall         fall                 df/dt / t = (c - f)/t^2
R, R^2       length, area         the radius: 1.0 or a tensor ()
============ ==================== ==================================================================

Domain: x on the sphere up to rounding, v of any length.
Bound: 8 units of u (1 + kappa) in value and 32 in gradient, kappa the condition number.
Proof: validation/symbolic/quadric.py, "quadric/expmap"
Proof: validation/symbolic/sphere_exp_gradients.py, "quadric/expmap on the sphere, slopes"
Certificate: Sphere.expmap
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ..arithmetic.custom_vjp import custom_vjp, subtract_scaled
from ..arithmetic.vectors import dot
from ..functions.special import cot_fraction


class Saved(NamedTuple):
    """What the pull-back needs. All but ``result`` have shape (..., 1)."""

    result: Tensor
    """exp_x(v), (..., n + 1)."""
    c: Tensor
    """cos t."""
    f: Tensor
    """sin(t)/t."""
    fall: Tensor
    """(cos t - sin(t)/t)/t^2, 0 where the square of v overflows."""
    s: Tensor
    """t^2, cut off at the dtype's largest number."""


def _value(x: Tensor, v: Tensor, radius: Tensor | None = None) -> Saved:
    """cos(t) x + sin(t)/t v, brought back to the sphere, which x is off by rounding."""
    length = 1.0 if radius is None else radius
    area, dtype = length * length, x.dtype
    s = (dot(v, v) / area).clamp(max=torch.finfo(dtype).max)
    # Of a vector whose square overflows nothing is known but that it ends on the sphere: it is
    # given a t that is longer still, and hardly a derivative.
    endless = (s >= torch.finfo(dtype).max / 2).to(dtype)
    moves = (s > 0).to(dtype)  # the root of s = 0 has no derivative
    t = (s + (1 - moves)).sqrt() * (1 + endless * s.detach().sqrt())
    c = t.cos() * moves + (1 - moves)
    f = t.sin() / t * moves + (1 - moves)
    # The plain (c - f)/t^2 loses 3/t^2 to cancellation: up to t = 1 by a continued fraction.
    small = (s <= 1).to(dtype)
    far = (1 - small - endless) * (c - f) / s.clamp(min=1)
    fall = far - small * f / cot_fraction(s.clamp(max=1))
    y = torch.addcmul(x * c, v, f)
    # A point of float32 is 6e-8 off the sphere, and without this every step would add its own.
    y = y * (length / dot(y, y).sqrt())
    return Saved(y, c, f, fall, s)


def _pull(inputs: Sequence[Tensor], saved: Sequence[Tensor], g: Tensor) -> tuple[Tensor, ...]:
    """As the head of the file has it. What g has along y moves nothing, y being of length R."""
    at = Saved(*saved)
    c, f = at.c, at.f
    x, v = inputs[0], inputs[1]
    length = 1.0 if len(inputs) < 3 else inputs[2]
    area = length * length
    # g.v overflows only where ``fall`` is 0: cut off, the product is 0 and not NaN.
    most = torch.finfo(g.dtype).max
    g_x, g_v = dot(g, x), dot(g, v).clamp(min=-most, max=most)
    g_y = c * g_x + f * g_v
    slope = at.fall * (g_v - g_y * f * at.s) - f * (g_x - g_y * c)
    by_x = subtract_scaled(g * c, at.result, c * g_y / area)
    by_v = subtract_scaled(g * f, at.result, f * g_y / area)
    return by_x, subtract_scaled(by_v, v, -slope / area)


expmap = custom_vjp(_value, _pull, scaled=2, degree=1)
