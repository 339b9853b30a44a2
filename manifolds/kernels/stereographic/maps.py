r"""Maps of the kappa-stereographic model, for a curvature k of any sign.

    exp_x v = x (+) w,    w = tn(t) v/|v|,    t = |v|/g_x
    log_x y = asn(q)/(q sqrt(1 - k q^2)) (g_x s + k |s|^2 x)/g_y,    q = sn(d/2)
    P v     = g_y/g_x gyr[y, -x] v
    x (+) y = ((1 - 2k x.y - k|y|^2) x + g_x y)/(1 - 2k x.y + k^2 |x|^2 |y|^2)

============ ==================== ==================================================================
letter       name in the code     what it is
============ ==================== ==================================================================
k, x, y, s   k, x, y, step        see ``stereographic.points``, with sn, tn, asn
g_x          gap_x                1 + k |x|^2, (..., 1)
v            v                    a tangent vector, (..., n)
u            u                    half of it, (..., n): v/g_x, whose length tn is taken of
S, C         ratio, c             tn(t)/t = S/C, both finite where tn is not: ``half_turn``
w            w                    S u, so that the way is w/c
============ ==================== ==================================================================

Domain: points up to the edge, v of any length, all k, also 0.
Bound: 8 units of u (1 + kappa) in value and 32 in gradient, kappa the condition number.
Proof: validation/symbolic/ball.py, "ball/expmap", "ball/logmap", "ball/transport"
Proof: validation/symbolic/ball.py, "ball/midpoint", "ball/from_normal"
Certificate: Stereographic.expmap, Stereographic.logmap, Stereographic.transport
Certificate: Stereographic.midpoint, Stereographic.gyration, Stereographic.coadd
"""

import math

import torch
from torch import Tensor

from ..arithmetic.custom_vjp import direction
from ..arithmetic.limits import longest_before_tanh
from ..arithmetic.vectors import binary_scale, dot, norm, normalize
from ..functions.generalized_trig import RIGHT_ANGLE, half_turn, tanc_k
from ..hyperboloid.geodesic import between, multiple
from . import ball_exp, conformal
from .conformal import gap, kdot
from .points import HalfDistance, at_infinity, chord, half_cosine_vector, half_distance, separation

# With k|x|^2 and k|y|^2 at most this nothing is near antipodal: 1 + 2k x.y + k^2|x|^2|y|^2, which
# is 0 at antipodes, is at least (7/8)^2. Of two points more than a right angle apart one is beyond:
# tan^2(pi/8) > 1/8.
_BEYOND = 1 / 8

# sinh^2(d/2) of points d = R apart, from which on a way back beyond the first is by a direction.
_APART = math.sinh(1 / 2) ** 2

# -k x.y, which is 1 for antipodes, from which on 1 + k x.y has lost a bit.
_OPPOSITE = 1 / 2


def logmap(k: Tensor, x: Tensor, y: Tensor, step: Tensor) -> Tensor:
    """The logarithm; at antipodes along the line to y, through the origin."""
    way = half_distance(k, x, y, step)
    near = conformal.log_from(k, way.z, gap(k, y), separation(k, x, y, step))
    return torch.where(way.far, gap(k, x) * way.length * _direction(way, step), near)


def _direction(way: HalfDistance, step: Tensor) -> Tensor:
    """The unit vector of log_x(y) where that is far.

    Next to antipodes the heading is short: what rounding leaves along it in the derivative of
    heading/|heading| would be all there is on a line.
    """
    nowhere = (way.heading == 0).all(-1, keepdim=True)
    return direction(torch.where(nowhere, step, way.heading).where(way.far, 1.0))


def clip_before_tanh(k: Tensor, a: Tensor) -> Tensor:
    """A vector of half the length: for k < 0 not longer than tanh can tell."""
    limit = longest_before_tanh(a.dtype)
    beyond = (k < 0) & (k.abs().sqrt() * norm(a.detach()) > limit)
    direction, _ = normalize(a.where(beyond, 1.0))
    return torch.where(beyond, limit * k.abs().where(beyond, 1.0).rsqrt() * direction, a)


def within_one_turn(k: Tensor, a: Tensor) -> Tensor:
    """A vector of half the length: for k > 0 reduced modulo pi R, as its square may overflow."""
    length = norm(a)
    beyond = (k > 0) & (k.abs().sqrt() * length > math.pi)
    long = length.where(beyond, 1.0)
    turn = torch.remainder(long, math.pi * k.where(beyond, 1.0).rsqrt()) / long
    return turn.where(beyond, 1.0) * a


def expmap(k: Tensor, x: Tensor, v: Tensor) -> Tensor:
    """x (+) w/c, (w, c) the sine and the cosine of half of the way: finite where the sum is not.

    In hyperbolic space a long vector goes by ``ball_exp``: through the origin and out again x and w
    are nearly opposite.
    """
    # Beyond 1/eps turns no digit of the end is known, and of its derivative by k, which may be
    # beyond the dtype, two parts of opposite signs would be NaN.
    with torch.no_grad():
        turns = k.abs().sqrt() * (norm(v) / gap(k, x))
        lost = (k > 0) & (turns > 1 / torch.finfo(v.dtype).eps)
    k = torch.where(lost, k.detach(), k)
    gap_x, short = gap(k, x), clip_before_tanh(k, v)
    u = within_one_turn(k, clip_before_tanh(k, short / gap_x))  # the quotient may overflow
    k_u2 = kdot(k, u, u)
    ratio, c = half_turn(k_u2)
    w = ratio * u
    # gap_x u by way of the quotient would owe K two numbers of the size of v that cancel.
    short = torch.where((u == short / gap_x).all(-1, keepdim=True), short, gap_x * u)
    near = mobius_step(k, x, c * w, w, c * c, u, ahead=c * ratio * short)
    long = k_u2 < -1
    radius = (-k).where(long, 1.0).rsqrt()  # at k = -1e-300 its derivative is infinite
    far = ball_exp.EXPMAP[x.dtype](x.where(long, 0.0), v.where(long, 1.0), radius)
    return torch.where(long, far, near)


def mobius_step(
    k: Tensor, x: Tensor, half: Tensor, w: Tensor, c2: Tensor, side: Tensor, ahead: Tensor
) -> Tensor:
    """The Möbius sum x (+) w/c.

    Args:
        half: c w, (..., n).
        w: w, or any vector of its length.
        c2: c^2, (..., 1).
        side: a vector: if the sum is at infinity, it is there on the side of this.
        ahead: g_x c w, as the caller has it with fewer roundings.
    """
    gap_x, k_w2, k_x2 = gap(k, x), kdot(k, w, w), kdot(k, x, x)
    k_xh = kdot(k, x, half)
    way = half - k_w2 * x
    # The denominator c^2 - 2c k x.w + k^2|x|^2|w|^2 is |way|^2/|w|^2, which does not cancel.
    small = k_w2.abs() * (1 + k_x2.abs()) <= c2 / 4
    scale = binary_scale(w.where(~small, 1.0))  # of two long vectors the squares overflow
    far_way, far_w = way / scale, (w / scale).where(~small, 1.0)
    ratio = dot(far_way, far_way) / dot(far_w, far_w)
    shape = torch.where(small, c2 - 2 * k_xh + k_x2 * k_w2, ratio)
    infinite = shape <= 0
    shape = shape.where(~infinite, 1.0)
    # It is taken from x, so that a zero vector gives x back to the last bit; but as one sum for
    # k > 0, x far out and a long way, where what is left of a long x would have its rounding.
    way = (ahead - gap_x * k_w2 * x) / shape
    far = ((c2 - 2 * k_xh - k_w2) * x + ahead) / shape
    long = (k_x2 > 1) & (4 * kdot(k, way, way) > k_x2)
    return at_infinity(infinite, side, torch.where(long, far, x + way))


def from_embedding(k: Tensor, space: Tensor, time: Tensor, square: Tensor, side: Tensor) -> Tensor:
    """The point whose embedding (2/g - 1, 2x/g) is a multiple of (time, 2 space): the mean's.

    It is space/(time + root), root the length; where the time is negative, towards infinity,
    (root - time)/(k |space|^2) space, in which nothing cancels.

    Args:
        square: the squared length of (time, 2 space) for k <= 0.
        side: a vector: if the point is at infinity, it is there on the side of this.
    """
    k_space2 = kdot(k, space, space)
    root = torch.where(k > 0, time.square() + k_space2, square).sqrt()
    behind = time < 0
    infinite = behind & ~(k_space2 > 0)
    inverse = (root - time) / k_space2.where(behind & ~infinite, 1.0)
    x = space * torch.where(behind, inverse, 1 / (time + root).where(~behind, 1.0))
    return at_infinity(infinite, side, x)


def midpoint(k: Tensor, x: Tensor, y: Tensor, step: Tensor) -> Tensor:
    """The middle of the two embedded points; across more than a right angle by the geodesic.

    Points near one another, in units of R, take the chord's middle and terms that vanish with the
    step, as on the ball: else the derivative by k is a difference of two sums.
    """
    across = chord(k, x, y, step)
    z = kdot(k, across, across)
    far = z > RIGHT_ANGLE
    of_x, of_y = 1 / gap(k, x), 1 / gap(k, y)
    time = (of_x + of_y - 1).where(~far, 1.0)
    mean = from_embedding(k, of_x * x + of_y * y, time, 1 - z.where(~far, 0.0), x)
    close = 4 * z.abs() <= (of_x + of_y).clamp(max=1)
    middle = conformal.near_midpoint(k, x, y, step, of_x, of_y, z.where(close, 0.0))
    # From the end that is nearer the origin: the derivative by a point next to infinity is what
    # those of a long vector from it and of the way back leave of one another.
    swap = dot(x, x) > dot(y, y)
    ends = torch.where(swap, y, x), torch.where(swap, x, y), torch.where(swap, -step, step)
    other = torch.where(far, geodesic(k, *ends, torch.full_like(z, 0.5)), mean)
    return torch.where(close, middle, other)


def geodesic(k: Tensor, x: Tensor, y: Tensor, step: Tensor, t: Tensor) -> Tensor:
    """The point at time t <= 1/2, from x.

    In hyperbolic space it is found from both ends for t > 0, and for t < 0, where they are more
    than R apart, by the direction and the length: see ``geodesic``.
    """
    along = expmap(k, x, multiple(t, logmap(k, x, y, step)))
    both = (k < 0) & (t > 0)
    gap_x, gap_y = gap(k, x), gap(k, y)
    h = (-kdot(k, step, step)).where(k < 0, 0.0) / (gap_x * gap_y)
    inside = between(x, step, gap_x, gap_y, h.where(both, 0.0), t.where(both, 0.0))
    back = (k < 0) & (t < 0) & (h > _APART)
    radius = (-k).where(back, 1.0).rsqrt()
    way = conformal.heading(k, x.where(back, 0.0), step.where(back, 1.0), gap_x)
    time = t * gap_x * radius * h.where(back, 1.0).sqrt().asinh()
    behind = ball_exp.EXPMAP_AT[x.dtype](x.where(back, 0.0), way, time.where(back, 0.0), radius)
    return torch.where(both, inside, torch.where(back, behind, along))


def from_normal(k: Tensor, v: Tensor) -> Tensor:
    """tn(|v|/2) v/|v|."""
    v = within_one_turn(k, clip_before_tanh(k, v / 2))
    return tanc_k(kdot(k, v, v)) * v


def to_normal(k: Tensor, x: Tensor) -> Tensor:
    """2 atn(|x|) x/|x|; beyond a right angle by atan."""
    gap_x = gap(k, x)
    z = kdot(k, x, x) / gap_x
    far = z > RIGHT_ANGLE
    k_far = k.where(far, 1.0)
    ray, length = normalize(x.where(far, 1.0))
    if x.shape[-1] == 1:
        # A direction on a line has no derivative. What rounding leaves of that of x/|x| costs the
        # one along the ray, 2/(1 + k|x|^2), as many digits as |x|/R has.
        ray = ray.sign()
    angle = (k_far.sqrt() * length).atan() * k_far.rsqrt()
    near = conformal.half_to_normal(k, x, gap_x, z.where(~far, 0.0))
    return 2 * torch.where(far, angle * ray, near)


def _beyond(k: Tensor, x: Tensor, y: Tensor) -> Tensor:
    return (kdot(k, x, x) > _BEYOND) | (kdot(k, y, y) > _BEYOND)


def gyration(k: Tensor, x: Tensor, y: Tensor, step: Tensor, v: Tensor) -> Tensor:
    """gyr[y, -x] v.

    Where points may be antipodal it is two
    reflections: in the plane of x and y, as complex numbers, the rotation by twice the argument of
    1 + k y x*, that is by twice the angle from x/|x| to ``half_cosine_vector``.
    """
    scale = binary_scale(v)  # the map is linear in v, whose products with points may overflow
    v = v / scale
    gap_x, gap_y = gap(k, x), gap(k, y)
    beyond, some = _beyond(k, x, y), torch.ones_like(x)
    denominator = (gap_x * gap_y - kdot(k, step, step)).where(~beyond, 1.0)
    near = conformal.gyration(k, x, step, v, gap_x, denominator)
    first, ray, other = half_cosine_vector(k, x.where(beyond, some), y.where(beyond, some))
    nowhere = (other == 0).all(-1, keepdim=True)
    other = direction(torch.where(nowhere, ray, other))
    for mirror in (ray.where(first, other), other.where(first, ray)):
        v = v - 2 * dot(mirror, v) * mirror
    return torch.where(beyond, v, near) * scale


def difference(k: Tensor, x: Tensor, y: Tensor, step: Tensor) -> Tensor:
    """(-x) (+) y, of length tn(d/2)."""
    way = half_distance(k, x, y, step)
    shape = (gap(k, x) * gap(k, y) - kdot(k, step, step)).where(~way.far, 1.0)
    infinite = way.far & (way.cosine == 0)
    cosine = way.cosine.where(way.far & ~infinite, 0.5)
    tangent = (1 - cosine.square()).sqrt() / cosine
    long = tangent * k.where(way.far, 1.0).rsqrt() * _direction(way, step)
    return at_infinity(infinite, y, torch.where(way.far, long, separation(k, x, y, step) / shape))


def coadd(k: Tensor, x: Tensor, y: Tensor, both: Tensor) -> Tensor:
    """(g_y x + g_x y)/(1 - k^2|x|^2|y|^2), both = x + y."""
    gap_x, gap_y = gap(k, x), gap(k, y)
    total = conformal.coadd_above(k, x, y, both, gap_x, gap_y)
    shape = torch.where(
        k > 0, 1 - kdot(k, x, x) * kdot(k, y, y), conformal.coadd_below(k, x, y, gap_x, gap_y)
    )
    # At antipodes numerator and denominator vanish both.
    facing = (k > 0) & (kdot(k, x, y) < -_OPPOSITE)
    other, below = _coadd_facing(k, x.where(facing, 0.0), y.where(facing, 0.0))
    total, shape = torch.where(facing, other, total), torch.where(facing, below, shape)
    nothing = (total == 0).all(-1, keepdim=True)
    infinite = (shape == 0) & ~nothing
    return at_infinity(infinite, total, total / shape.where(shape != 0, 1.0))


def _coadd_facing(k: Tensor, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Numerator and denominator of a coaddition next to antipodes.

    With c = k x.y and w the part across x, the longer, of y, they are

    (1 + c)(x + y) + k|w|^2 x + k x.(x - y) w  and  (1 - c)(1 + c) - k|x|^2 k|w|^2,

    so it is one rounded 1 + c with which both vanish; and on a line through the origin, where the
    quotient is as well conditioned as elsewhere, 1 + c is left out.
    """
    swap = dot(x, x) < dot(y, y)
    x, y = torch.where(swap, y, x), torch.where(swap, x, y)
    ray, _ = normalize(x)
    both, apart = x + y, x - y
    across = torch.where(4 * dot(both, both) < dot(apart, apart), both, y)
    across = across - dot(ray, across) * ray
    across = across - dot(ray, across) * ray
    on_line = (across == 0).all(-1, keepdim=True)
    c, k_w2 = kdot(k, x, y), kdot(k, across, across)
    plus = (1 + c).where(~on_line, 1.0)
    total = plus * both + k_w2 * x + kdot(k, x, apart) * across
    return total, (1 - c) * plus - kdot(k, x, x) * k_w2
