r"""The logarithm of the hyperboloid of curvature -1.

    log_X Y = d/sinh(d) (Y - cosh(d) X),    d = 2 asinh(sqrt h)

    grad_X cosh d = (T_y/T_x) X - Y,    grad_Y cosh d = -(T_x/T_y) grad_X cosh d

============== ==================== ================================================================
letter         name in the code     what it is
============== ==================== ================================================================
X, Y           x, y                 space parts (..., n), over R; the time parts are never read
T_x, T_y       tx, ty               time parts, sqrt(1 + |X|^2), (..., 1)
d, h           d, haversine         the distance, and sinh^2(d/2) as ``hyperboloid.pair`` has it
f, z           f, z                 d/sinh d and cosh d, (..., 1)
R              radius               the radius: None, for 1, or a tensor ()
============== ==================== ================================================================

Points come as they are stored, (..., n + 1) in units of length.

Domain: |X|, |Y| up to ``limits.farthest``; at coincident points 0, with the identity as derivative.
Bound: 8 units of u (1 + kappa) in value and 32 in gradient, kappa the condition number.
Proof: validation/symbolic/quadric.py, "quadric/logmap"
Proof: validation/symbolic/kernels.py, "kernels/pair, far", "kernels/pair, near"
Proof: validation/symbolic/radial.py, "radial/pair by the ball"
Not proven: the derivative by R; tests/manifolds/test_curvature_gradient.py holds it.
Certificate: Lorentz.logmap
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ..arithmetic.custom_vjp import custom_vjp, subtract_scaled
from ..arithmetic.vectors import dot
from ..functions.special import asinh_squared, coth_fraction
from .pair import (
    half_distance,
    haversine_by_log_radius,
    pair_geometry,
    twice_asinh,
    with_time_by_log_radius,
)


class Saved(NamedTuple):
    """What the pull-back of the logarithm needs. All but two have shape (..., 1)."""

    result: Tensor
    """log_x(y), (..., n + 1)."""
    lateral: Tensor
    """As of ``hyperboloid.pair.PairGeometry``: times ``scale``, (..., n), in units of length."""
    d_cosh: Tensor
    """grad_X cosh d is d_cosh X - lateral."""
    tx: Tensor
    """X's time part."""
    ty: Tensor
    """Y's time part."""
    scale: Tensor
    """As of ``hyperboloid.pair.PairGeometry``."""
    f: Tensor
    """d/sinh d."""
    z: Tensor
    """cosh d."""
    by_inner_x: Tensor
    """What <g, X> counts in the derivative of <g, log> by z."""
    by_inner_lateral: Tensor
    """What <g, lateral> counts there."""
    by_time: Tensor
    """What g's time part counts there."""


def _value(x: Tensor, y: Tensor, radius: Tensor | None = None) -> Saved:
    """f (Y - z X), f = d/sinh d, z = cosh d."""
    pair = pair_geometry(x[..., 1:], y[..., 1:], radius)
    apart, half, cosh = half_distance(pair)
    root = half / pair.scale
    d, sinh = twice_asinh(root, cosh), 2 * root * cosh
    f = apart * d / sinh + (1 - apart)
    z = 1 + 2 * (pair.haversine / pair.scale) / pair.scale
    s = (d * d).clamp(max=1) * apart
    long = apart * (d > 1).to(s.dtype)
    sinh = sinh * long + (1 - long)
    e_less = 1 / (z + sinh)  # e^-d
    # -df/dz = (d coth d - 1)/sinh^2 d, which is 0/0 at d = 0: up to d = 1 by a continued fraction.
    fall = long * (d * e_less / sinh - 1) / sinh + (1 - long) * f * f / coth_fraction(s)
    log = torch.addcmul(x[..., 1:] * (f * pair.log_x), pair.lateral, f / pair.scale)
    time = f * pair.log_time
    if radius is not None:
        time = time * radius
    result = torch.cat([time, log], dim=-1)
    # The derivative by z, less f <g, X>. With e = (Y - z X)/sinh d, the sum of <g, e> and <g, X>,
    # which may be of opposite signs and T times as large, is taken as <g, e + X>.
    plus = long * (pair.y_on_x - e_less) + (1 - long)
    plus_time = long * (pair.log_time + (sinh - 1) * pair.tx) + pair.tx
    return Saved(
        result, pair.lateral, pair.d_cosh, pair.tx, pair.ty, pair.scale, f, z,
        by_inner_x=(fall * pair.log_x + f * plus) / sinh,
        by_inner_lateral=(fall + f * long) / sinh,
        by_time=(fall * pair.log_time + f * plus_time) / sinh,
    )  # fmt: skip


def _pull(inputs: Sequence[Tensor], saved: Sequence[Tensor], g: Tensor) -> tuple[Tensor, ...]:
    """d(f <g, Y - z X>) = f <g, dY - z dX> + (f' <g, Y - z X> - f <g, X>) dz, and dz as of
    ``hyperboloid.dist``; g's time part reaches the space parts by T, dT = X.dX/T."""
    at = Saved(*saved)
    x, y = inputs[0][..., 1:], inputs[1][..., 1:]
    g_time, g_space = g[..., :1], g[..., 1:]
    by_z = at.by_inner_x * dot(g_space, x)
    by_z = by_z + at.by_inner_lateral / at.scale * dot(g_space, at.lateral)
    if len(inputs) > 2:
        by_z, g_time = by_z / (inputs[2] * inputs[2]), g_time / inputs[2]
    by_z = by_z + at.by_time * g_time
    # By way of z, and then directly.
    through_z = subtract_scaled(at.lateral * (by_z / at.scale), x, by_z * at.d_cosh)
    by_x = subtract_scaled(through_z, g_space, at.f * at.z)
    by_x = subtract_scaled(by_x, x, at.f * at.z * g_time / at.tx)
    by_y = torch.addcmul(g_space * at.f, through_z, -at.tx / at.ty)
    by_y = subtract_scaled(by_y, y, -at.f * g_time / at.ty)
    zero = torch.zeros_like(at.z * g_time)
    return torch.cat([zero, by_x], dim=-1), torch.cat([zero, by_y], dim=-1)


def _radius_derivative(inputs: Sequence[Tensor], saved: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """That of f (y - z x), f = d/sinh d and z = cosh d, with the time part that it has at x."""
    x, y, radius = inputs[0][..., 1:], inputs[1][..., 1:], inputs[2]
    pair = pair_geometry(x, y, radius)  # cosh d has no digits of it
    h = pair.haversine / pair.scale / pair.scale
    d2 = 4 * asinh_squared(h)
    short = d2 <= 1
    by_log_radius = 2 * haversine_by_log_radius(h, x, y, radius)  # of z
    tx = (1 + dot(x, x) / (radius * radius)).sqrt()
    f = Saved(*saved).f
    fall = f / coth_fraction(d2.where(short, 0.0))  # -f'/f by z
    near = -by_log_radius * (fall * saved[0][..., 1:] + f * x)
    # The derivatives by z of f - z f' and f' by themselves: in their sum nothing cancels.
    h = h.where(~short, 1.0)
    d, sinh = d2.where(~short, 4.0).sqrt(), 2 * h.sqrt() * (1 + h).sqrt()
    coth = (1 + 2 * h) / sinh
    far = x * (coth - d / sinh / sinh) + (y / sinh) * (d * coth - 1)
    space = torch.where(short, near, -(by_log_radius / sinh) * far)
    time = with_time_by_log_radius(space, x, saved[0][..., :1], tx, radius)
    return time, torch.ones_like(by_log_radius) > 0


logmap = custom_vjp(_value, _pull, scaled=2, degree=1, radius_derivative=_radius_derivative)
