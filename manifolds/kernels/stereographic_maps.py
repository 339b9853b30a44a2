"""Maps of the kappa-stereographic model; see ``stereographic_points`` for the conventions."""

import math

import torch
from torch import Tensor

from . import ball_exp
from .custom_vjp import direction
from .generalized_trig import RIGHT_ANGLE, asinc_k, half_turn, tanc_k
from .geodesic import between, multiple
from .stereographic_points import (
    Half,
    at_infinity,
    chord,
    facing,
    gap,
    half,
    kdot,
    separation,
)
from .vectors import binary_scale, dot, norm, normalize

# With k|x|^2 and k|y|^2 at most 1/8 nothing is near antipodal, the sum above is at least (7/8)^2.
# Of two points more than a right angle apart one is beyond: tan^2(pi/8) > 1/8.
_BEYOND = 1 / 8

_APART = math.sinh(1 / 2) ** 2
"""sinh^2(d/2) of points d = R apart."""

_FACING = 1 / 2
"""-k x.y, 1 for antipodes, from which on what vanishes there has lost a bit."""


def logmap(k: Tensor, x: Tensor, y: Tensor, step: Tensor) -> Tensor:
    """The logarithm; at antipodes along the line to y, through the origin."""
    way = half(k, x, y, step)
    near = asinc_k(way.z) / (1 - way.z).sqrt() / gap(k, y) * separation(k, x, y, step)
    return torch.where(way.far, gap(k, x) * way.length * _direction(way, step), near)


def _direction(way: Half, step: Tensor) -> Tensor:
    """The unit vector of log_x(y) where that is far. Next to antipodes the heading is short, and
    what rounding leaves along it in the direction's derivative would be all there is on a line."""
    nowhere = (way.heading == 0).all(-1, keepdim=True)
    return direction(torch.where(nowhere, step, way.heading).where(way.far, 1.0))


def saturated(k: Tensor, a: Tensor) -> Tensor:
    """A vector of half the length: for k < 0 not longer than tanh can tell."""
    limit = 32.0 if a.dtype == torch.float32 else 64.0
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

    Of hyperbolic space, by a long vector, that of the ball: through the origin and out again x and
    w are nearly opposite.
    """
    # Beyond 1/eps turns no digit of the end is known, and of its derivative by k, which may be
    # beyond the dtype, two parts of opposite signs would be NaN.
    with torch.no_grad():
        turns = k.abs().sqrt() * (norm(v) / gap(k, x))
        lost = (k > 0) & (turns > 1 / torch.finfo(v.dtype).eps)
    k = torch.where(lost, k.detach(), k)
    gap_x, short = gap(k, x), saturated(k, v)
    u = within_one_turn(k, saturated(k, short / gap_x))  # the quotient may overflow
    k_u2 = kdot(k, u, u)
    ratio, c = half_turn(k_u2)
    w = ratio * u
    # gap_x u by way of the quotient would owe K two numbers of the size of v that cancel.
    short = torch.where((u == short / gap_x).all(-1, keepdim=True), short, gap_x * u)
    near = shot(k, x, c * w, w, c * c, u, ahead=c * ratio * short)
    long = k_u2 < -1
    radius = (-k).where(long, 1.0).rsqrt()  # at k = -1e-300 its derivative is infinite
    far = ball_exp.EXPMAP[x.dtype](x.where(long, 0.0), v.where(long, 1.0), radius)
    return torch.where(long, far, near)


def shot(
    k: Tensor, x: Tensor, half: Tensor, w: Tensor, c2: Tensor, side: Tensor, ahead: Tensor
) -> Tensor:
    """x (+) w/c from ``half`` = c w, a vector w' of the length of w, c^2, and ``ahead`` = g_x c w;
    if that is at infinity, there on the side of the vector ``side``."""
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
    # From x, so that a zero vector gives x back to the last bit; for k > 0 and x far out by a long
    # way as a sum, because what is left of a long x has its rounding.
    way = (ahead - gap_x * k_w2 * x) / shape
    far = ((c2 - 2 * k_xh - k_w2) * x + ahead) / shape
    long = (k_x2 > 1) & (4 * kdot(k, way, way) > k_x2)
    return at_infinity(infinite, side, torch.where(long, far, x + way))


def amid(k: Tensor, space: Tensor, time: Tensor, square: Tensor, side: Tensor) -> Tensor:
    """The point whose embedding is a multiple of (time, 2 space), of squared length ``square``.

    space/(time + root), in its other form where the time is negative, towards infinity; at infinity
    on the side of the vector ``side``.
    """
    k_space2 = kdot(k, space, space)
    root = torch.where(k > 0, time.square() + k_space2, square).sqrt()
    behind = time < 0
    infinite = behind & ~(k_space2 > 0)
    inverse = (root - time) / k_space2.where(behind & ~infinite, 1.0)
    x = space * torch.where(behind, inverse, 1 / (time + root).where(~behind, 1.0))
    return at_infinity(infinite, side, x)


def midpoint(k: Tensor, x: Tensor, y: Tensor, step: Tensor) -> Tensor:
    """The point amid the two embedded ones; across more than a right angle by the geodesic.

    Of points near one another, in units of R, as the chord's middle and terms that vanish with the
    step, as on the ball: the derivative by k of the whole is a difference of two sums otherwise.
    """
    across = chord(k, x, y, step)
    z = kdot(k, across, across)
    far = z > RIGHT_ANGLE
    gap_x, gap_y = gap(k, x), gap(k, y)
    time = (1 / gap_x + 1 / gap_y - 1).where(~far, 1.0)
    mean = amid(k, x / gap_x + y / gap_y, time, 1 - z.where(~far, 0.0), x)
    close = 4 * z.abs() <= (1 / gap_x + 1 / gap_y).clamp(max=1)
    above = -z.where(close, 0.0) / (1 + (1 - z.where(close, 0.0)).sqrt())  # cs(d/2) - 1
    lean = kdot(k, step, x + y) / (gap_x * gap_y)  # 1/gap_x - 1/gap_y
    total = (1 / gap_x + 1 / gap_y + above).where(close, 1.0)
    middle = (x + y) / 2 - (lean * step + above * (x + y)) / (2 * total)
    # From the end that is nearer the origin: the derivative by a point next to infinity is what
    # those of a long vector from it and of the way back leave of one another.
    swap = dot(x, x) > dot(y, y)
    ends = torch.where(swap, y, x), torch.where(swap, x, y), torch.where(swap, -step, step)
    other = torch.where(far, geodesic(k, *ends, torch.full_like(z, 0.5)), mean)
    return torch.where(close, middle, other)


def geodesic(k: Tensor, x: Tensor, y: Tensor, step: Tensor, t: Tensor) -> Tensor:
    """The point at time t <= 1/2, from x; of hyperbolic space for t > 0 by both ends, and for t < 0
    of far ones as on the ball, by the direction and the length."""
    along = expmap(k, x, multiple(t, logmap(k, x, y, step)))
    both = (k < 0) & (t > 0)
    gap_x, gap_y = gap(k, x), gap(k, y)
    h = (-kdot(k, step, step)).where(k < 0, 0.0) / (gap_x * gap_y)
    inside = between(x, step, gap_x, gap_y, h.where(both, 0.0), t.where(both, 0.0))
    back = (k < 0) & (t < 0) & (h > _APART)
    radius = (-k).where(back, 1.0).rsqrt()
    way = direction(separation(k, x, y, step).where(back, 1.0))
    time = t * gap_x * radius * h.where(back, 1.0).sqrt().asinh()
    behind = ball_exp.EXPMAP_AT[x.dtype](x.where(back, 0.0), way, time.where(back, 0.0), radius)
    return torch.where(both, inside, torch.where(back, behind, along))


def from_normal(k: Tensor, v: Tensor) -> Tensor:
    """tn(|v|/2) v/|v|."""
    v = within_one_turn(k, saturated(k, v / 2))
    return tanc_k(kdot(k, v, v)) * v


def to_normal(k: Tensor, x: Tensor) -> Tensor:
    """2 atn(|x|) x/|x|, for k < 0 by asinh, to which 1 + k|x|^2 is known; for k > 0 by atan."""
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
    near = asinc_k(z.where(~far, 0.0)) / gap_x.sqrt() * x
    return 2 * torch.where(far, angle * ray, near)


def _beyond(k: Tensor, x: Tensor, y: Tensor) -> Tensor:
    return (kdot(k, x, x) > _BEYOND) | (kdot(k, y, y) > _BEYOND)


def gyration(k: Tensor, x: Tensor, y: Tensor, step: Tensor, v: Tensor) -> Tensor:
    """gyr[y, -x] v.

    Every term of the correction has a factor s, as on the ball. Where points may be antipodal: in
    the plane of x and y it is the rotation by twice the argument of 1 + k y x*, that is by twice
    the angle from x/|x| to ``facing``, and so it is two reflections.
    """
    scale = binary_scale(v)  # the map is linear in v, whose products with points may overflow
    v = v / scale
    gap_x, gap_y = gap(k, x), gap(k, y)
    beyond, some = _beyond(k, x, y), torch.ones_like(x)
    k_sv, k_xv, k_xs = kdot(k, step, v), kdot(k, x, v), kdot(k, x, step)
    k_x2, k_s2 = kdot(k, x, x), kdot(k, step, step)
    a = 2 * k_xs * k_xv + gap_x * k_xv - k_x2 * k_sv
    b = gap_x * k_sv + k_s2 * k_xv
    near = v + 2 * (a * step - b * x) / (gap_x * gap_y - k_s2).where(~beyond, 1.0)
    first, ray, other = facing(k, x.where(beyond, some), y.where(beyond, some))
    nowhere = (other == 0).all(-1, keepdim=True)
    other = direction(torch.where(nowhere, ray, other))
    for mirror in (ray.where(first, other), other.where(first, ray)):
        v = v - 2 * dot(mirror, v) * mirror
    return torch.where(beyond, v, near) * scale


def difference(k: Tensor, x: Tensor, y: Tensor, step: Tensor) -> Tensor:
    """(-x) (+) y, of length tn(d/2)."""
    way = half(k, x, y, step)
    shape = (gap(k, x) * gap(k, y) - kdot(k, step, step)).where(~way.far, 1.0)
    infinite = way.far & (way.cosine == 0)
    cosine = way.cosine.where(way.far & ~infinite, 0.5)
    tangent = (1 - cosine.square()).sqrt() / cosine
    long = tangent * k.where(way.far, 1.0).rsqrt() * _direction(way, step)
    return at_infinity(infinite, y, torch.where(way.far, long, separation(k, x, y, step) / shape))


def coadd(k: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """(g_y x + g_x y)/(1 - k^2|x|^2|y|^2)."""
    gap_x, gap_y = gap(k, x), gap(k, y)
    both, apart = x + y, x - y
    # From x + y where it is short, so that opposite vectors leave their digits.
    opposite = 4 * dot(both, both) < dot(apart, apart)
    close = (gap_x + gap_y) / 2 * both - kdot(k, both, apart) / 2 * apart
    total = torch.where(opposite, close, gap_y * x + gap_x * y)
    k_x2, k_y2 = kdot(k, x, x), kdot(k, y, y)
    # Of terms of one sign, for k < 0.
    hyperbolic = (gap_x * (1 - k_y2) + gap_y * (1 - k_x2)) / 2
    shape = torch.where(k > 0, 1 - k_x2 * k_y2, hyperbolic)
    # Of antipodes both vanish.
    facing = (k > 0) & (kdot(k, x, y) < -_FACING)
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
