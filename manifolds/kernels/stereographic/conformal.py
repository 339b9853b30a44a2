r"""The conformal chart of a space of curvature K: what the ball and the stereographic model share.

    lambda_x = 2/g_x,    g_x = 1 + K |x|^2,    sn(d/2)^2 = |s|^2/(g_x g_y)
    log_x y  = asn(q)/(q sqrt(1 - K q^2)) (g_x s + K |s|^2 x)/g_y,    q = sn(d/2)
    P v      = g_y/g_x gyr[y, -x] v,    gyr[y, -x] v = v + 2 (a s - b x)/(g_x g_y - K |s|^2)

============ ==================== ==================================================================
letter       name in the code     what it is
============ ==================== ==================================================================
K            k                    the curvature: a tensor (), of either sign or 0, or the float -1.0
                                  of a ball of radius 1
x, y         x, y                 points, (..., n)
s            step                 y - x, (..., n)
g_x          gap(k, x)            1 + K |x|^2, (..., 1)
z            z                    K sn(d/2)^2, (..., 1)
a, b         a, b                 2 K x.s K x.v + g_x K x.v - K|x|^2 K s.v  and
                                  g_x K s.v + K |s|^2 K x.v, over K
============ ==================== ==================================================================

Every term that is added to 1, to x or to v has the factor s, so that what two points near one
another differ by keeps its digits; and K stands before each product and nowhere else, so that a
derivative by K is a sum of what depends on it. The textbook's 1 + 2K x.y + K^2 |x|^2 |y|^2 is
g_x g_y - K |s|^2.

These forms are whole for K <= 0. For K > 0 points go to infinity and pairs of them to antipodes;
``stereographic.points`` and ``stereographic.maps`` say from where on they write them otherwise.

Domain: K <= 0 and points up to ``limits.rim``; K > 0 and points less than a right angle apart.
Bound: 8 units of u (1 + kappa) in value and 32 in gradient, kappa the condition number.
Proof: validation/symbolic/ball.py, "ball/dist", "ball/logmap", "ball/transport", "ball/midpoint"
Certificate: PoincareBall.dist, PoincareBall.logmap, PoincareBall.transport, PoincareBall.midpoint
Certificate: Stereographic.dist, Stereographic.logmap, Stereographic.transport
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..arithmetic.custom_vjp import direction
from ..arithmetic.vectors import Number, dot, norm
from ..functions.generalized_trig import asinc

# The largest product that is summed is this times the dtype's largest number: a million of them may
# be added, and be multiplied by a k of order 1, before the sum overflows.
ROOM = 2.0**-20


def kdot(k: Number, x: Tensor, y: Tensor) -> Tensor:
    """k x.y, which is 0 for k = 0 whatever x and y: no square overflows, in no gradient either.

    A product of two coordinates beyond ``ROOM`` is cut off: for k != 0 no point is that long.
    """
    if isinstance(k, float):
        return k * dot(x, y)
    largest = torch.finfo(x.dtype).max * ROOM
    return k * (x * y).clamp(-largest, largest).sum(-1, keepdim=True)


def gap(k: Number, x: Tensor) -> Tensor:
    """1 + k|x|^2, for k < 0 at least eps: for a representable point inside the ball it is 4 eps or
    more, and only the rounding of the sum of squares can bring it lower, or below 0."""
    return (1 + kdot(k, x, x)).clamp(min=torch.finfo(x.dtype).eps)


def half_chord(k: Number, x: Tensor, y: Tensor, step: Tensor) -> Tensor:
    """A vector of norm sn(d/2), (..., n)."""
    return step / (gap(k, x) * gap(k, y)).sqrt()


def toward(k: Number, x: Tensor, step: Tensor, gap_x: Tensor) -> Tensor:
    """g_x s + k|s|^2 x, of the direction of log_x(y) and |s| cs(d/2) sqrt(g_x g_y) long."""
    return gap_x * step + kdot(k, step, step) * x


def logmap(k: Number, x: Tensor, y: Tensor, step: Tensor) -> Tensor:
    """log_x(y), (..., n)."""
    gap_x, gap_y = gap(k, x), gap(k, y)
    z = kdot(k, step, step) / (gap_x * gap_y)
    return log_from(k, z, gap_y, toward(k, x, step, gap_x))


def log_from(k: Number, z: Tensor, gap_y: Tensor, way: Tensor) -> Tensor:
    """log_x(y) from z and ``toward``: asn(q)/(q sqrt(1 - z)) is d/sn(d)."""
    return asinc(k, z) / (1 - z).sqrt() / gap_y * way


def half_to_normal(k: Number, x: Tensor, gap_x: Tensor, z: Tensor) -> Tensor:
    """atn(|x|) x/|x|, half of the normal coordinates, from z = k|x|^2/g_x.

    By asn, since 1 + k|x|^2 is known as well as |x| and atanh would lose it.
    """
    return asinc(k, z) / gap_x.sqrt() * x


def sinh_log_along(k: Number, x: Tensor, y: Tensor, step: Tensor, n: Tensor) -> Tensor:
    """The component of log_x y, made sn(d) long, along a unit vector n of the chart, (..., 1).

    Of products with n, not of a vector times n: what they are rounded by is the same in the
    derivative by k.
    """
    bend = kdot(k, step, step) / gap(k, x)
    return 2 * (dot(step, n) + bend * dot(x, n)) / gap(k, y)


def log_along_ray(k: Number, gap_x: Tensor, size: Tensor, ahead: Tensor, across: Tensor) -> Tensor:
    """A multiple of log_x(y)'s component along the ray of x, that across it being the step's.

    As the step and what bends it. Times g_x all of a short step far out would move alike with k,
    and the angle's derivative be 1/|s| times less than that of either part.

    Args:
        size: |x|.
        ahead, across: the step's component along the ray, and the length of what is across.
    """
    return ahead + size * (kdot(k, ahead, ahead) + kdot(k, across, across)) / gap_x


def transport(k: Number, x: Tensor, y: Tensor, step: Tensor, v: Tensor) -> Tensor:
    """Parallel transport of v from x to y, (..., n)."""
    gap_x, gap_y = gap(k, x), gap(k, y)
    denominator = gap_x * gap_y - kdot(k, step, step)
    return gap_y / gap_x * gyration(k, x, step, v, gap_x, denominator)


def gyration(
    k: Number, x: Tensor, step: Tensor, v: Tensor, gap_x: Tensor, denominator: Tensor
) -> Tensor:
    """gyr[y, -x] v, (..., n): Ungar's closed form has A y - B x, two nearly equal vectors, in
    place of the terms with a factor s.

    Args:
        denominator: g_x g_y - k|s|^2, which is 0 at antipodes.
    """
    k_s2, k_x2 = kdot(k, step, step), kdot(k, x, x)
    k_sv, k_xv, k_xs = kdot(k, step, v), kdot(k, x, v), kdot(k, x, step)
    a = 2 * k_xs * k_xv + gap_x * k_xv - k_x2 * k_sv
    b = gap_x * k_sv + k_s2 * k_xv
    return v + 2 * (a * step - b * x) / denominator


def difference(k: Number, x: Tensor, y: Tensor, step: Tensor) -> Tensor:
    """(-x) (+) y for k <= 0, of length tn(d/2)."""
    gap_x, gap_y = gap(k, x), gap(k, y)
    return toward(k, x, step, gap_x) / (gap_x * gap_y - kdot(k, step, step))


def coadd(k: Number, x: Tensor, y: Tensor, both: Tensor) -> Tensor:
    """(g_y x + g_x y)/(1 - k^2|x|^2|y|^2) for k <= 0, both = x + y."""
    gap_x, gap_y = gap(k, x), gap(k, y)
    return coadd_above(k, x, y, both, gap_x, gap_y) / coadd_below(k, x, y, gap_x, gap_y)


def coadd_above(
    k: Number, x: Tensor, y: Tensor, both: Tensor, gap_x: Tensor, gap_y: Tensor
) -> Tensor:
    """The numerator, from x + y where that is short, so that what opposite vectors leave has its
    digits."""
    apart = x - y
    opposite = 4 * dot(both, both) < dot(apart, apart)
    close = (gap_x + gap_y) / 2 * both - kdot(k, both, apart) / 2 * apart
    return torch.where(opposite, close, gap_y * x + gap_x * y)


def coadd_below(k: Number, x: Tensor, y: Tensor, gap_x: Tensor, gap_y: Tensor) -> Tensor:
    """The denominator for k <= 0 as a sum of terms of one sign, which 1 - k^2|x|^2|y|^2 is not."""
    return (gap_x * (1 - kdot(k, y, y)) + gap_y * (1 - kdot(k, x, x))) / 2


def near_midpoint(
    k: Number, x: Tensor, y: Tensor, step: Tensor, of_x: Tensor, of_y: Tensor, z: Tensor
) -> Tensor:
    """The midpoint as the chord's middle and terms that vanish with the step, (..., n).

    The sum of the two embedded points, brought back: a mean of x and y with the weights 1/g_x and
    1/g_y, less what the geodesic is bent by. Written so it keeps the digits of the derivative by k
    of points near one another; of points far apart the difference is one of 1e15 units for x = -y
    at 30 R in float64.

    Args:
        of_x, of_y: 1/g_x and 1/g_y.
    """
    above = cosine_less_one(z)
    lean = kdot(k, step, x + y) * of_x * of_y  # 1/g_x - 1/g_y
    return (x + y) / 2 - (lean * step + above * (x + y)) / (2 * (of_x + of_y + above))


def cosine_less_one(z: Tensor) -> Tensor:
    """cs(d/2) - 1, (..., 1)."""
    return -z / (1 + (1 - z).sqrt())


def heading(k: Number, x: Tensor, step: Tensor, gap_x: Tensor) -> Tensor:
    """The unit vector of log_x(y), by its own derivative; x is not y.

    In one with its length by a logarithm, far out what that leaves of the part across is g_y of it,
    longer than all of that along.
    """
    return direction(toward(k, x, step, gap_x))


def pair_features(k: Number, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(X, p, q) with sn(d/2)^2 = (p_x q_y + q_x p_y - X_x.X_y)/2."""
    gap_x = gap(k, x)
    return 2 * x / gap_x, 2 * dot(x, x) / gap_x, 1 / gap_x


def orthonormal(k: Number, x: Tensor, v: Tensor) -> Tensor:
    """v in the orthonormal frame at x, (..., n)."""
    return 2 / gap(k, x) * v


def raised(k: Number, x: Tensor, g: Tensor) -> Tensor:
    """The Riemannian gradient from the Euclidean one: g over lambda_x^2."""
    return (gap(k, x) / 2).square() * g


def warp(k: Number, x: Tensor) -> Tensor:
    """sn(r), r the distance from the origin, (..., 1)."""
    return 2 * norm(x) / gap(k, x)
