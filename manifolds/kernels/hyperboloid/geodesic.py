r"""The point of a geodesic through x at t = 0 and y at t = 1, at any real t.

    between the ends    a X + b Y,  a = sinh((1 - t) d)/sinh d,  b = sinh(t d)/sinh d
    beyond x            |X| cosh tau + m T sinh tau along the ray, sinh tau n across;  tau = -t d

============ ==================== ==================================================================
letter       name in the code     what it is
============ ==================== ==================================================================
X, Y         x, y                 points: of any model, or space parts of the hyperboloid, (..., n)
d, h         d, h                 the distance, and sinh^2(d/2), (..., 1)
t            t                    the time, (..., 1)
p            p                    the time from the nearer end, at most 1/2, (..., 1)
a, b, c      a, b, c              the weights, and (1 - a - b)/2
m, n         m, cross             the way's component along the outward ray at X, and what is across
============ ==================== ==================================================================

* Beyond the ends by the exponential map, from the end that is nearer: from the other one the vector
  leads all the way back through both, and its rounding grows with the way.
* Between the ends of hyperbolic space by both of them at once. Far out on opposite sides of the
  origin a vector from either is rounded to a length of eps times the distance, which at x = -y =
  20 R in float64 moves the midpoint by 1e8 roundings of the ends.

Either is of the first order in p, in value and in every derivative by the farther end.

Domain: any real t; a point beyond the edge of the dtype is pulled back to it by the caller.
Bound: 8 units of u (1 + kappa) in value and 32 in gradient, kappa the condition number.
Proof: validation/symbolic/quadric.py, "quadric/geodesic"
Proof: validation/symbolic/kernels.py, "kernels/expmap, polar"
Proof: validation/symbolic/functions.py, "functions/sinh_ratio"
Certificate: Lorentz.geodesic, PoincareBall.geodesic, Stereographic.geodesic
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from ..arithmetic.custom_vjp import custom_vjp, direction
from ..arithmetic.limits import longest
from ..arithmetic.vectors import Number, dot, largest_entry, norm
from ..functions.special import asinh_squared, coshm1c, sinhc
from .points import outward, polar

# Up to this sinh^2(d/2), d = 0.96, the weights are entire functions of d^2, by their series; beyond
# they are powers of e^d.
NEAR = 0.25


def from_nearer_end(
    x: Tensor, y: Tensor, step: Tensor, t: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """(the end that is nearer at time t, the other, their step, the time from the first)."""
    swap = t > 0.5
    turned = torch.where(swap, -step, step)
    return torch.where(swap, y, x), torch.where(swap, x, y), turned, torch.where(swap, 1 - t, t)


def multiple(t: Tensor, v: Tensor) -> Tensor:
    """t v, cut off before it overflows: a number times the zero vector is that, and no NaN."""
    limit = torch.finfo(v.dtype).max / 4 / largest_entry(v)
    return t.clamp(-limit, limit) * v


def _power_value(e: Tensor, p: Tensor) -> tuple[Tensor]:
    return (e.pow(p),)


def _power_pull(
    inputs: Sequence[Tensor], saved: Sequence[Tensor], g: Tensor
) -> tuple[Tensor, Tensor]:
    """d(e^p) = e^p (p de/e + log(e) dp)."""
    # The plain p e^(p - 1) is off by log(e) = d roundings of p - 1, up to 57 in float32.
    e, p = inputs
    return g * p * (saved[0] / e), g * saved[0] * e.log()


_power = custom_vjp(_power_value, _power_pull, scaled=0, degree=0)


def behind(x: Tensor, y: Tensor, step: Tensor, h: Tensor, p: Tensor, k: Number) -> Tensor:
    r"""The space part of the point of the hyperboloid at time p < 0, from space parts, for |X| > 1.

    Not by a logarithm: its coordinates along the ray are T times longer than on the manifold, and
    their rounding turns the way by eps T. For tau > 1 with the hyperbolic functions of r + tau and
    r - tau, as ``hyperboloid.exp`` has them: through the origin and out again, the two terms of the
    plain form are longer than their sum.

    Args:
        x, y, step: space parts of the ends (..., n), and y - x.
        h: sinh^2(d/2).
        p: the time.
        k: 1.0, or 1 with the derivative of the curvature -k. T/sqrt(k) is sqrt(1/k + |X|^2), whose
            derivative by k is 1/T^2 of it, as that of the result is on a ray.
    """
    d = 2 * h.sqrt().asinh()
    p = -torch.maximum(p, (-longest(x.dtype) / d).detach())  # beyond that, past the edge anyway
    lateral, along = outward(x, y, step, k)
    way = direction(torch.cat([-along, -lateral], dim=-1))
    m, cross = way[..., :1], way[..., 1:]
    tau = p * d
    short = tau <= 1
    square = tau.square().where(short, 0.0)
    # e^tau: as a power of e^d where d is so long that its rounding would count, as in
    # ``sinh_ratios``.
    by_power = ~short & (h > NEAR)
    by_exp = ~short & ~by_power
    power = _power(exp_of(h.where(by_power, 1.0)), p.where(by_power, 1.0), 1.0)
    grown = torch.where(by_power, power, tau.where(by_exp, 1.0).exp())

    root = k if isinstance(k, float) else k.sqrt()
    size = norm(x)
    t = (1 / k + size.square()).sqrt()  # T/sqrt k
    sinh = torch.where(short, tau * sinhc(square), (grown - 1 / grown) / 2)
    near = size * (square * coshm1c(square)) + m * t * sinh  # the component along the ray less |X|
    less = dot(cross, cross) / (1 + m.abs()) / 2  # (1 - |m|)/2
    plus, minus = torch.where(m > 0, 1 - less, less), torch.where(m > 0, less, 1 - less)
    far = polar(plus, minus, root * (size + t), grown, -1)
    added = torch.where(short, near, far / root) / size * x + sinh / root * cross
    return torch.where(short, x + added, added)


def exp_of(h: Tensor) -> Tensor:
    """e^d, d > 0 with sinh^2(d/2) = h: without the rounding of d."""
    return (h.sqrt() + (1 + h).sqrt()).square()


def sinh_ratios(p: Tensor, h: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    r"""(a, b, c): sinh((1 - p)d)/sinh d, sinh(p d)/sinh d and (1 - a - b)/2, for 0 <= p <= 1/2.

    h = sinh^2(d/2) >= 0. With X and Y on the hyperboloid a X + b Y is the point of the geodesic.
    """
    # 1 - a, b and c are p times something smooth, and made of terms that are: the difference of two
    # hyperbolic sines has the rounding of the longer, and in the derivative by y, which vanishes
    # with p, that is all there is.
    small = h <= NEAR
    near, far = h.where(small, 0.0), h.where(~small, 2 * NEAR)
    s = 4 * asinh_squared(near)
    rise = p * p * s * coshm1c(p * p * s)  # cosh(p d) - 1
    b_near = p * sinhc(p * p * s) / sinhc(s)
    less_near = b_near * (1 + 2 * near) - rise  # 1 - a

    # Far out by powers of e^d: the exponential of p d would have the rounding of d, up to 57
    # units in float32 and 473 in float64, in its result.
    e = exp_of(far)
    d = e.log()
    shrunk = -(-2 * d).expm1()  # 1 - e^(-2d)
    ahead = _power(e, p, 1.0)
    b_far = ahead / e * -(-2 * p * d).expm1() / shrunk
    # sinh((1 - p)d)/sinh d = e^(-p d) (1 - ``over``)
    over = (2 * p * d).expm1() * (-2 * d).exp() / shrunk
    slope = 1 / ahead
    less_far = over * slope - (-p * d).expm1()

    b = torch.where(small, b_near, b_far)
    a = torch.where(small, 1 - less_near, slope * (1 - over))
    c_near = near * b_near - rise / 2
    return a, b, torch.where(small, c_near, (less_far - b_far) / 2)


def between(x: Tensor, step: Tensor, gap_x: Tensor, gap_y: Tensor, h: Tensor, p: Tensor) -> Tensor:
    """The point of a ball at time 0 <= p <= 1/2, from x: (..., n).

    That of the hyperboloid is a X + b Y, X = 2x/gap_x, and S of it is brought back as S/(1 + T):
    here written as x and what is added to it, so that p = 0 gives x to the last bit.

    Args:
        x, step: an end, and the way y - x to the other.
        gap_x, gap_y: 1 + K|x|^2 of the ends.
        h: sinh^2(d/2).
        p: the time.
    """
    a, b, c = sinh_ratios(p, h)
    to_y = b / gap_y
    return x + (to_y * step - c * x) / (a / gap_x + to_y + c)
