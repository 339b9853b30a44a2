r"""Back along the rays to the origin: normal coordinates of a point, in one step.

    v = r/sn(r) x_s, r = asinh(|x_s|), atan2(|x_s|, x_t)    of the quadrics
    v = r/tanh(r/2) x, r = 2 artanh(|x|)                    of the ball

    by x: f g + slope (g.x) x,    slope = f'(q)/q,    and by R d/dR: -slope q^2 x

============ ==================== ==================================================================
letter       name in the code     what it is
============ ==================== ==================================================================
x, x_s       x                    a point of the ball, a space part on the quadrics, (..., n)
x_t          time                 the first coordinate on the sphere, (..., 1)
q, q^2       q, s                 |x| or |x_s| over R, (..., 1)
r            r                    the distance from the origin over R
f            f                    r/q
slope        slope                f'(q)/q
R, R^2       length, area         the radius: 1.0 or a tensor ()
============ ==================== ==================================================================

The slope of the inverse of q = F(r) r is -F'(r)/r (r/q)^3/q'(r), by which it has the digits near
the origin of that of F itself.

Domain: points up to the farthest of the dtype. The antipode of a sphere's origin, which has no
direction, is along the first axis.
Bound: 8 units of u (1 + kappa) in value and 32 in gradient, kappa the condition number.
Proof: validation/symbolic/radial.py, "radial/pull-back", "radial/inverse slopes"
Not proven: the derivative by R; tests/manifolds/test_curvature_gradient.py holds it.
Certificate: Lorentz.to_normal, PoincareBall.to_normal, Sphere.to_normal
Certificate: Lorentz.logmap0, PoincareBall.logmap0, Sphere.logmap0
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from ..arithmetic.custom_vjp import custom_vjp
from ..arithmetic.ranges import all_within
from ..arithmetic.vectors import dot, norm, normalize
from ..functions.special import cot_fraction, coth_fraction
from .maps import Saved, ball_slope, least, pulled, square_of, without

# Beyond sinh t = 10, t = 3, the factor t/sinh t exceeds the derivative along the ray, 1/cosh t, by
# more than 3, and what rounding leaves of the first along the ray would be as large a part of it.
_FAR = 100.0


def _hyperboloid_back_value(x: Tensor, radius: Tensor | None = None) -> Saved:
    """t/sinh(t) x of a space part x, |x| = R sinh t."""
    length = 1.0 if radius is None else radius
    s, dtype = square_of(x, radius), x.dtype
    huge = 2.0**80 if dtype == torch.float32 else 2.0**700
    if all_within(s, least(dtype), _FAR):
        f, c = _asinh_over(s)
        return Saved(f * x, f, c, s, s.new_zeros(()))
    fits = s < huge
    s = s.where(fits, huge)
    f, c = _asinh_over(s.clamp(min=least(dtype)))
    size = norm(x.where(~fits, 1.0)) / length
    f = torch.where(fits, f, (size.log() + math.log(2)) / size)
    return Saved(f * x, f, torch.where(fits, c, size), s, (s >= _FAR).to(dtype))


def _asinh_over(s: Tensor) -> tuple[Tensor, Tensor]:
    """(asinh(q)/q, sqrt(1 + q^2)) at s = q^2 > 0: by log1p, which is faster than torch's asinh."""
    q, c = s.sqrt(), (1 + s).sqrt()
    return (q + s / (1 + c)).log1p() / q, c


def _hyperboloid_back_slope(at: Saved) -> Tensor:
    """(1/c - f)/s: up to t = 1 by the slope of sinh(t)/t."""
    t2 = (at.f * at.f * at.s).clamp(max=1)
    near = at.f * at.f / (-at.c * coth_fraction(t2))
    return torch.where(t2 < 1, near, (1 / at.c - at.f) / at.s.clamp(min=1))


def _back_pull(slope: Tensor, inputs: Sequence[Tensor], at: Saved, g: Tensor) -> Tensor:
    """f g + slope (g.x) x; far out f times what is across x, and the part along it by itself."""
    x = inputs[0]
    if not at.beyond.dim():
        return pulled(inputs, at.f, slope, g, x, None)
    beyond = at.beyond > 0
    near = pulled(inputs, at.f, slope, g, x.where(~beyond, 0.0), None)
    ray, _ = normalize(x)
    far = torch.addcmul(at.f * without(g, ray), ray, dot(g, ray) / at.c)
    return torch.where(beyond, far, near)


def _hyperboloid_back_pull(
    inputs: Sequence[Tensor], saved: Sequence[Tensor], g: Tensor
) -> tuple[Tensor, ...]:
    at = Saved(*saved)
    return (_back_pull(_hyperboloid_back_slope(at), inputs, at, g),)


def _hyperboloid_back_radius_derivative(
    inputs: Sequence[Tensor], saved: Sequence[Tensor]
) -> tuple[Tensor, Tensor]:
    """-slope q^2 x."""
    at = Saved(*saved)
    derivative = -(_hyperboloid_back_slope(at) * at.s) * inputs[0]
    return derivative, torch.ones_like(at.s) > 0


def _ball_back_value(x: Tensor, radius: Tensor | None = None) -> Saved:
    """2 artanh(q)/q x, |x| = R q."""
    # As ``dist`` has it, by the point over R: at the rim another rounding of the square would be
    # another distance, by 0.3 R in float32.
    unit, eps = x if radius is None else x / radius, torch.finfo(x.dtype).eps
    # Of a point inside the ball only the rounding of the sum of squares may bring this to 1.
    s = dot(unit, unit).clamp(max=1 - eps)
    gap = 1 - s
    # artanh q = asinh(q/sqrt(1 - q^2)): there a rounding of q itself would be as much again.
    f = 2 * _asinh_over((s / gap).clamp(min=least(x.dtype)))[0] / gap.sqrt()
    return Saved(f * x, f, gap, s, s.new_zeros(()))


def _ball_back_slope(at: Saved) -> Tensor:
    """(2/c - f)/s: up to t/2 = 1 by the slope of tanh(t)/t."""
    inverse = at.f / 2
    t2 = (inverse * inverse * at.s).clamp(max=1)
    near = -inverse.pow(3) * ball_slope(1 / inverse, t2) / at.c
    return 2 * torch.where(t2 < 1, near, (1 / at.c - inverse) / at.s.clamp(min=0.5))


def _ball_back_pull(
    inputs: Sequence[Tensor], saved: Sequence[Tensor], g: Tensor
) -> tuple[Tensor, ...]:
    at = Saved(*saved)
    return (_back_pull(_ball_back_slope(at), inputs, at, g),)


def _ball_back_radius_derivative(
    inputs: Sequence[Tensor], saved: Sequence[Tensor]
) -> tuple[Tensor, Tensor]:
    """-slope q^2 x."""
    at = Saved(*saved)
    return -(_ball_back_slope(at) * at.s) * inputs[0], torch.ones_like(at.s) > 0


# Of a sphere's point, where cos r is below this the factor r/sin r exceeds 2.4.
_BEHIND = -0.5


def _sphere_back_value(x: Tensor, radius: Tensor | None = None) -> Saved:
    """r/sin(r) x_s of a point (x_t, x_s), r = atan2(|x_s|, x_t); that of the antipode, which has no
    direction, along the first axis."""
    length = 1.0 if radius is None else radius
    time, x = x[..., :1], x[..., 1:]
    size = norm(x)
    r = torch.atan2(size, time)
    c, s = time / length, size.square() / (length * length)
    if all_within(s, least(s.dtype), 2.0) and all_within(c, _BEHIND, 2.0):
        f = r * length / size
        return Saved(f * x, f, c, s, s.new_zeros(()))
    apart, opposite = size > 0, time < 0
    f = torch.where(apart, r * length / size.where(apart, 1.0), (~opposite).to(x.dtype))
    turn = torch.where(apart | ~opposite, 0.0, math.pi * length)
    result = torch.cat([f * x[..., :1] + turn, f * x[..., 1:]], dim=-1)
    return Saved(result, f, c, s, (c <= _BEHIND).to(x.dtype))


def _sphere_back_pull(
    inputs: Sequence[Tensor], saved: Sequence[Tensor], g: Tensor
) -> tuple[Tensor, ...]:
    """The gradient along the sphere: f times what of g is across x_s, and (g.e) (-sin r, cos r e),
    e = x_s/|x_s|. Next to the antipode f is beyond all bounds, so of what is across nothing may be
    left along e.
    """
    at, x = Saved(*saved), inputs[0][..., 1:]
    # (cos r - f)/sin^2 r: up to r = 1, where it cancels, by that of sin(r)/r.
    t2 = at.f * at.f * at.s
    near = at.f * at.f / cot_fraction(t2.clamp(max=1)) - (1 + at.f) / (1 + at.c.clamp(min=0))
    far = (at.c - at.f) / at.s.clamp(min=0.5)
    slope = torch.where((t2 < 1) & (at.c > 0), near, far)
    along = dot(g, x)
    by_time = -along if len(inputs) < 2 else -along / inputs[1]
    if not at.beyond.dim():
        by_x = pulled(inputs, at.f, slope, g, x, None)
        return (torch.cat([by_time, by_x], dim=-1),)
    behind = at.beyond > 0
    inside = pulled(inputs, at.f, slope, g, x.where(~behind, 0.0), None)
    ray, _ = normalize(x)
    outside = torch.addcmul(at.f * without(g, ray), ray, at.c * dot(g, ray))
    return (torch.cat([by_time, torch.where(behind, outside, inside)], dim=-1),)


from_hyperboloid = custom_vjp(
    _hyperboloid_back_value, _hyperboloid_back_pull, scaled=1, degree=1,
    radius_derivative=_hyperboloid_back_radius_derivative,
)  # fmt: skip
from_ball = custom_vjp(
    _ball_back_value, _ball_back_pull, scaled=1, degree=1,
    radius_derivative=_ball_back_radius_derivative,
)  # fmt: skip
from_sphere = custom_vjp(_sphere_back_value, _sphere_back_pull, scaled=1, degree=1)
