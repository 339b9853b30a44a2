"""Pairs of points of the hyperboloid of curvature -1: one seen from the other.

Points come as space parts X, Y; T = sqrt(1 + |X|^2). Every map of a pair needs the same few
numbers, found here with as few passes over the coordinates as keep all digits.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from .custom_vjp import custom_vjp, in_forward_mode, subtract_scaled
from .radial_split import outward_ray, split_off, squared
from .special import asinh_squared, coth_fraction, tanhc_missing
from .vectors import dot, largest_entry, norm, relative_to_ray

# On squared lengths above this the first form of ``pair_geometry``. The other one, of a point
# further out than one near the origin on its ray, loses a factor that is 9 at |X| = 1 and 4 here.
_FAR = 0.25


def _tiny(x: Tensor) -> tuple[float, float]:
    """The sum of squares of a step shorter than the first number loses digits to underflow; the
    second brings it back into range."""
    return (2.0**-31, 2.0**60) if x.dtype == torch.float32 else (2.0**-255, 2.0**500)


class PairGeometry(NamedTuple):
    """Y = X + ... as seen from X. All but ``side`` have shape (..., 1)."""

    side: Tensor
    """Of Y or of Y - X, whichever is shorter, what is left across X; all of it near the origin.
    Times ``scale``."""
    h: Tensor
    """sinh^2(d/2), times ``scale`` squared."""
    slope: Tensor
    """The gradient of cosh d by X is slope X - side."""
    bend: Tensor
    """Y - cosh(d) X is bend X + side, ..."""
    rise: Tensor
    """... and the time part of that."""
    part: Tensor
    """Y is part X + side."""
    tx: Tensor
    ty: Tensor
    scale: Tensor
    """1, or a power of two where the points are so near one another that squares underflow."""


def pair_geometry(
    x: Tensor, y: Tensor, radius: Tensor | None, difference: Tensor | None = None
) -> PairGeometry:
    r"""See :class:`Sight`. With :math:`r` the distance from the origin, two forms.

    * |X|, |Y| > 1/2: the hyperbolic haversine, a radial and an angular part,
      sinh^2((r_x - r_y)/2) + |X||Y| sin^2(theta/2), where
      sinh^2((r_x - r_y)/2) = (|Y| - |X|)^2 / (2 (1 + T_x T_y + |X||Y|)) and
      |X||Y| sin^2(theta/2) = |X| (|Y| - reach)/2, ``reach`` the component of Y along X. Ahead of X
      |Y| - reach is side^2/(|Y| + reach), and |Y| - |X| follows from it: as differences they would
      be rounding T times the size of the rest.
    * else: the ball's formula, the points brought there by X/(1 + T),
      (1 + T_x)/(1 + T_y) |Y - X (1 + T_y)/(1 + T_x)|^2 / 4, smooth at the origin, where the
      directions of the first form do not exist. Used further out it would cancel by a factor T.

    Points of about the same distance from the origin are taken by their difference, others are
    not: a difference of a long vector and a short one has the rounding of the long one.
    Selections are products with 0 and 1 of numbers kept finite: a mask costs ten times as much.
    """
    dtype = x.dtype

    area = 1.0 if radius is None else radius * radius
    square_x = dot(x, x)
    x2, y2 = square_x / area, dot(y, y) / area
    tx, ty = (1 + x2).sqrt(), (1 + y2).sqrt()
    far = (torch.minimum(x2, y2) > _FAR).to(dtype)
    ratio = (1 + ty) / (1 + tx)
    like = ((ratio - 1.25).abs() <= 0.75).to(dtype)  # between 1/2 and 2
    unlike = 1 - like

    known = difference
    step = subtract_scaled(y, x, like) if known is None else torch.addcmul(y * unlike, known, like)
    tiny, large = _tiny(x)
    longest = largest_entry(step)
    # In forward mode no: the step's direction of change need not be short, and would overflow.
    scale = 1 + (0 if in_forward_mode() else large) * like * (longest < tiny).to(dtype)
    step = step * scale
    # From here on what is of the first order in the step is times ``scale``, until divided by it.
    ray = outward_ray(x, square_x, far, area)
    split = split_off(step, ray)
    side, _, ahead, rest, left = split
    square, across = squared(split, ray)
    size_x, size_y = x2.clamp(min=_FAR).sqrt(), y2.clamp(min=_FAR).sqrt()
    along = (ahead + rest) / size_x
    reach = along / scale + like * size_x
    behind = torch.where(
        reach > 0, across / scale / (size_y + reach.abs()), (size_y - reach) * scale
    )
    longer = like * (behind + along) + unlike * (size_y - size_x)
    both = size_x * size_y
    h_far = longer.square() / (2 * (1 + tx * ty + both)) + size_x * (behind * scale) / 2
    turn = tx * behind - longer * (size_x + size_y) / (size_x * ty + size_y * tx)
    slope_far = turn / scale / (size_x * tx)
    ahead, left = ahead / scale, left / scale
    bend_far = -tx * tx * slope_far - left

    scales = scale * scale
    gain = (2 * ahead + square / scales) / (tx + ty)  # T_y - T_x
    # From the one nearer the origin: from the other, twice as far out, the terms are five times h.
    # (Not by torch.minimum, whose derivative is neither's where both are as far out.)
    inwards = (ratio < 1).to(dtype)
    outwards = 1 - inwards
    wide, least = outwards * ratio + inwards / ratio, outwards * x2 + inwards * y2
    share = gain * (outwards - inwards) / (1 + outwards * tx + inwards * ty)
    onwards = ahead - inwards * (2 * ahead + square / scales)
    h_like = (square + scales * share * (share * least - 2 * onwards)) / wide
    h_unlike = ((outwards * y2 + inwards * x2) / wide + wide * least) - 2 * ahead
    h_near = (like * h_like + unlike * h_unlike) / 4
    slope_near = (like * gain + unlike * ty) / tx

    near = 1 - far
    h = far * h_far + near * h_near
    slope = far * (slope_far + left) + near * slope_near
    bend = far * bend_far - near * (unlike + 2 * h / scales)
    # <X, .>/T_x; for far points without the part that rounding left in side.
    rise = far * (bend_far + left) * (x2 / tx) + near * (bend * (x2 / tx) + ahead / tx)
    part = like + far * (reach / size_x - like - left)
    return PairGeometry(side, h, slope, bend, rise, part, tx, ty, scale)


def _apart(seen: PairGeometry) -> tuple[Tensor, Tensor, Tensor]:
    """Whether the points differ; sinh(d/2), 1 if not, times ``scale``; cosh(d/2)."""
    apart = (seen.h > 0).to(seen.h.dtype)
    half = (seen.h + (1 - apart)).sqrt()
    return apart, half, (1 + seen.h / (seen.scale * seen.scale)).sqrt()


def _dist_value(x: Tensor, y: Tensor, radius: Tensor | None = None) -> tuple[Tensor, ...]:
    seen = pair_geometry(x[..., 1:], y[..., 1:], radius)
    apart, half, cosh = _apart(seen)
    d = 2 * (half / seen.scale).asinh() * apart
    weight = 0.5 * apart / (half * cosh)  # 1/sinh d
    if radius is not None:
        d, weight = d * radius, weight / radius
    return d, seen.side, seen.slope * seen.scale, weight, -seen.tx / seen.ty


def _sqdist_value(x: Tensor, y: Tensor, radius: Tensor | None = None) -> tuple[Tensor, ...]:
    seen = pair_geometry(x[..., 1:], y[..., 1:], radius)
    apart, half, cosh = _apart(seen)
    root = half / seen.scale
    d = 2 * root.asinh() * apart
    weight = 2 * (apart * d / (2 * root * cosh) + (1 - apart)) / seen.scale  # 2 d/sinh d
    # Where the points coincide the last term, which is 0, has the derivatives.
    square = d * d + (1 - apart) * 4 * (seen.h / seen.scale) / seen.scale
    if radius is not None:
        square = square * radius * radius
    return square, seen.side, seen.slope * seen.scale, weight, -seen.tx / seen.ty


def _pull(inputs: Sequence[Tensor], kept: Sequence[Tensor], g: Tensor) -> tuple[Tensor, ...]:
    """grad_x cosh d = T_y/T_x X - Y, and by Y the same times -T_x/T_y."""
    _, side, slope, weight, ratio = kept
    weight = weight * g
    by_x = subtract_scaled(inputs[0][..., 1:] * (weight * slope), side, weight)
    by_x = torch.cat([torch.zeros_like(weight), by_x], dim=-1)
    return by_x, by_x * ratio


def _haversine_value(x: Tensor, y: Tensor, radius: Tensor | None = None) -> tuple[Tensor, ...]:
    seen = pair_geometry(x[..., 1:], y[..., 1:], radius)
    weight = 0.5 / seen.scale
    if radius is not None:
        weight = weight / (radius * radius)
    h = seen.h / seen.scale / seen.scale
    return h, seen.side, seen.slope * seen.scale, weight, -seen.tx / seen.ty


def _stepped_value(x: Tensor, y: Tensor, step: Tensor) -> tuple[Tensor, ...]:
    seen = pair_geometry(x, y, None, step)
    h = seen.h / seen.scale / seen.scale
    return h, seen.side, seen.slope * seen.scale, 0.5 / seen.scale, -seen.tx / seen.ty


def _stepped_pull(
    inputs: Sequence[Tensor], kept: Sequence[Tensor], g: Tensor
) -> tuple[Tensor, ...]:
    # By the points alone: the step is their difference and has no share of its own.
    _, side, slope, weight, ratio = kept
    by_x = subtract_scaled(inputs[0] * (g * weight * slope), side, g * weight)
    return by_x, by_x * ratio, torch.zeros_like(by_x)


# -- the derivative by the radius, R d/dR at fixed space parts ------------------------------------


class Rise(NamedTuple):
    """How two points are apart in height. Shapes (..., 1), at unit curvature."""

    gain: Tensor
    """T_y - T_x"""
    tx: Tensor
    ty: Tensor


def rise(x: Tensor, y: Tensor, area: Tensor) -> Rise:
    """Of two space parts."""
    x2, y2 = dot(x, x) / area, dot(y, y) / area
    tx, ty = (1 + x2).sqrt(), (1 + y2).sqrt()
    # (T_y^2 - T_x^2)/(T_x + T_y), in an order in which nothing overflows.
    gain = dot((y - x) / (tx + ty), x + y) / area
    return Rise(gain, tx, ty)


def _dist_turn(inputs: Sequence[Tensor], kept: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """2R (d/2 - tanh(d/2) + (T_y - T_x)^2/(2 T_x T_y sinh d)) at unit curvature: 4 sinh^2(d/2) is
    |X - Y|^2 - (T_x - T_y)^2, and nothing cancels anywhere."""
    x, y, radius = inputs
    seen = rise(x[..., 1:], y[..., 1:], radius * radius)
    d = kept[0] / radius
    s = (d / 2).square()
    apart = d > 0
    share = seen.gain / d.where(apart, 1.0).sinh()
    flat = d * s * tanhc_missing(s) + (seen.gain / seen.tx) * (share / seen.ty)
    return radius * flat.where(apart, 0.0), torch.ones_like(apart)


def _sqdist_turn(inputs: Sequence[Tensor], kept: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    positive = kept[0] > 0
    d = kept[0].where(positive, 1.0).sqrt()
    own, everywhere = _dist_turn(inputs, [d])
    return (2 * d * own).where(positive, 0.0), everywhere


def bending(h: Tensor, x: Tensor, y: Tensor, radius: Tensor) -> Tensor:
    """R d/dR of h = sinh^2(d/2), (T_y - T_x)^2/(2 T_x T_y) - 2 h.

    Far out on one ray its two terms cancel by a factor T^2. There, of the radial and the angular
    part of h, see :func:`pair_geometry`, it is -2 h_r (1 + h_r)/(T_x T_y) - 2 h_a.
    """
    seen = rise(x, y, radius * radius)
    near = (seen.gain / seen.tx) * (seen.gain / seen.ty) / 2 - 2 * h
    far = torch.minimum(seen.tx, seen.ty) > 2**0.5
    some = torch.ones_like(x)
    step = ((y - x) / radius).where(far, 0.0)
    x, y = (x / radius).where(far, some), (y / radius).where(far, some)
    _, size, side, reach, ahead = relative_to_ray(x, y, step)
    size_y = norm(y)
    opposite = reach < 0
    total = (size_y + reach).where(~opposite, 1.0)
    behind = torch.where(opposite, size_y - reach, dot(side, side) / total)
    radial = (behind + ahead).square() / (1 + seen.tx * seen.ty + size * size_y) / 2
    turn = 2 * (radial / seen.tx) * ((1 + radial) / seen.ty) + size * behind
    return torch.where(far, -turn, near)


def _haversine_turn(inputs: Sequence[Tensor], kept: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    x, y, radius = inputs
    turn = bending(kept[0], x[..., 1:], y[..., 1:], radius)
    return turn, torch.ones_like(turn) > 0


# Of space parts whose difference is known to more digits than they have.
stepped_haversine = custom_vjp(_stepped_value, _stepped_pull, scaled=0, degree=0)
haversine = custom_vjp(_haversine_value, _pull, scaled=2, degree=0, turn=_haversine_turn)
dist = custom_vjp(_dist_value, _pull, scaled=2, degree=1, turn=_dist_turn)
sqdist = custom_vjp(_sqdist_value, _pull, scaled=2, degree=2, turn=_sqdist_turn)


def _log_value(x: Tensor, y: Tensor, radius: Tensor | None = None) -> tuple[Tensor, ...]:
    seen = pair_geometry(x[..., 1:], y[..., 1:], radius)
    apart, half, cosh = _apart(seen)
    root = half / seen.scale
    d, sinh = 2 * root.asinh(), 2 * root * cosh
    f = apart * d / sinh + (1 - apart)  # d/sinh d
    z = 1 + 2 * (seen.h / seen.scale) / seen.scale
    s = (d * d).clamp(max=1) * apart
    long = apart * (d > 1).to(s.dtype)
    sinh = sinh * long + (1 - long)
    shrunk = 1 / (z + sinh)  # e^-d
    fall = long * (d * shrunk / sinh - 1) / sinh + (1 - long) * f * f / coth_fraction(s)
    log = torch.addcmul(x[..., 1:] * (f * seen.bend), seen.side, f / seen.scale)
    time = f * seen.rise
    if radius is not None:
        time = time * radius
    result = torch.cat([time, log], dim=-1)
    # The derivative by z, less f <g, X>. With e = (Y - z X)/sinh d, the sum of <g, e> and <g, X>,
    # which may be of opposite signs and T times as large, is taken as <g, e + X>.
    plus = long * (seen.part - shrunk) + (1 - long)
    plus_time = long * (seen.rise + (sinh - 1) * seen.tx) + seen.tx
    by_x = (fall * seen.bend + f * plus) / sinh
    by_side = (fall + f * long) / sinh
    by_time = (fall * seen.rise + f * plus_time) / sinh
    return (
        *(result, seen.side, seen.slope, seen.tx, seen.ty, seen.scale, f, z),
        *(by_x, by_side, by_time),
    )


def _log_pull(inputs: Sequence[Tensor], kept: Sequence[Tensor], g: Tensor) -> tuple[Tensor, ...]:
    """Of f <g, Y - z X>, f = d/sinh d, z = cosh d."""
    _, side, slope, tx, ty, scale, f, z, on_x, on_side, on_time = kept
    x, y = inputs[0][..., 1:], inputs[1][..., 1:]
    gt, gs = g[..., :1], g[..., 1:]
    turn = on_x * dot(gs, x) + on_side / scale * dot(gs, side)
    if len(inputs) > 2:
        turn, gt = turn / (inputs[2] * inputs[2]), gt / inputs[2]
    turn = turn + on_time * gt
    swing = subtract_scaled(side * (turn / scale), x, turn * slope)
    by_x = subtract_scaled(subtract_scaled(swing, gs, f * z), x, f * z * gt / tx)
    by_y = torch.addcmul(gs * f, swing, -tx / ty)
    by_y = subtract_scaled(by_y, y, -f * gt / ty)
    zero = torch.zeros_like(z * gt)
    return torch.cat([zero, by_x], dim=-1), torch.cat([zero, by_y], dim=-1)


def _log_turn(inputs: Sequence[Tensor], kept: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Of f (y - z x), f = d/sinh d and z = cosh d, and of the time part that this has at x."""
    x, y, radius = inputs[0][..., 1:], inputs[1][..., 1:], inputs[2]
    h = _haversine_value(*inputs)[0]  # cosh d has no digits of it
    d2 = 4 * asinh_squared(h)
    short = d2 <= 1
    turn = 2 * bending(h, x, y, radius)
    tx = (1 + dot(x, x) / (radius * radius)).sqrt()
    f = kept[6]
    fall = f / coth_fraction(d2.where(short, 0.0))  # -f'/f by z
    near = -turn * (fall * kept[0][..., 1:] + f * x)
    # Of f - z f' and f' by themselves, and nothing cancels.
    h = h.where(~short, 1.0)
    d, sinh = d2.where(~short, 4.0).sqrt(), 2 * h.sqrt() * (1 + h).sqrt()
    coth = (1 + 2 * h) / sinh
    far = x * (coth - d / sinh / sinh) + (y / sinh) * (d * coth - 1)
    space = torch.where(short, near, -(turn / sinh) * far)
    time = carried_time(space, x, kept[0][..., :1], tx, radius)
    return time, torch.ones_like(turn) > 0


def carried_time(space: Tensor, x: Tensor, time: Tensor, tx: Tensor, radius: Tensor) -> Tensor:
    """With R d/dR of the time part x.v/(R T) of a vector from that of its space part."""
    return torch.cat([dot(x, space) / (radius * tx) - time / (tx * tx), space], dim=-1)


logmap = custom_vjp(_log_value, _log_pull, scaled=2, degree=1, turn=_log_turn)
