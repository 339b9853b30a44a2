"""Pairs of points of the unit sphere: distance and logarithm, with derivatives written out.

Y = part X + side, side across X: so cos d = part and sin d = |side|. Points come as they are
stored, off the sphere by rounding; what is said of derivatives is meant along it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from .custom_vjp import custom_vjp, in_forward_mode, subtract_scaled
from .special import cot_fraction
from .vectors import dot, normalize


# Nothing across X is longer than 1: so much larger, no sum of squares overflows, nor does one lose
# digits to underflow.
def _larger(x: Tensor) -> float:
    return 2.0**60 if x.dtype == torch.float32 else 2.0**500


class Arc(NamedTuple):
    side: Tensor
    """At unit curvature, times ``_larger``."""
    part: Tensor
    sine: Tensor
    apart: Tensor
    """1, or 0 where Y is X or -X."""
    distance: Tensor


def arc(x: Tensor, y: Tensor, radius: Tensor | None) -> Arc:
    """Near X the part across it is taken from Y - X, near -X from Y + X: no digit is lost."""
    length = 1.0 if radius is None else radius
    area = length * length
    larger = _larger(x) / length
    product = dot(x, y) / area
    nearest = (product > 0.5).to(x.dtype) - (product < -0.5).to(x.dtype)
    step = subtract_scaled(y, x, nearest)
    ahead = dot(step, x) / area
    side = subtract_scaled(step, x, ahead)
    side = side * larger if torch.is_grad_enabled() else side.mul_(larger)
    square = dot(side, side)
    apart = (square > 0).to(x.dtype)
    sine = (square + (1 - apart)).sqrt() * (apart / _larger(x))
    part = nearest + ahead
    return Arc(side, part, sine, apart, torch.atan2(sine, part))


def _dist_value(x: Tensor, y: Tensor, radius: Tensor | None = None) -> tuple[Tensor, ...]:
    side, part, sine, apart, d = arc(x, y, radius)
    length = 1.0 if radius is None else radius
    weight = apart / (sine + (1 - apart)) / _larger(x)
    return d * length, side, weight, part, sine / length


def _sqdist_value(x: Tensor, y: Tensor, radius: Tensor | None = None) -> tuple[Tensor, ...]:
    side, part, sine, apart, d = arc(x, y, radius)
    length = 1.0 if radius is None else radius
    here = (1 - apart) * (part > 0).to(x.dtype)
    slope = 2 * (apart * d / (sine + (1 - apart)) + here)
    weight = slope * (length / _larger(x))
    square = d * d
    if in_forward_mode():  # where the points coincide this, which is 0, has the derivatives
        step = side / _larger(x)
        square = square + here * dot(step, step)
    return square * (length * length), side, weight, part, slope * sine * sine


def _pull(inputs: Sequence[Tensor], kept: Sequence[Tensor], g: Tensor) -> tuple[Tensor, ...]:
    """-side/sin d by X, and (cos d side/sin d - sin d X) by Y: the ends of the arc."""
    _, side, weight, part, across = kept
    weight = weight * g
    return side * -weight, subtract_scaled(side * (weight * part), inputs[0], across * g)


dist = custom_vjp(_dist_value, _pull, scaled=2, degree=1)
sqdist = custom_vjp(_sqdist_value, _pull, scaled=2, degree=2)


def aside(ends: Tensor) -> tuple[Tensor, Tensor]:
    """Which of the first two axes is well away from a unit vector, given the vector's first two
    coordinates: the first one if it is, as (..., 2); and the coordinate along it, (..., 1)."""
    first = (ends[..., :1].abs() <= 0.75).to(ends.dtype)
    axis = torch.cat([first, 1 - first], dim=-1)
    return axis, (ends * axis).sum(-1, keepdim=True)


def _log_value(x: Tensor, y: Tensor, radius: Tensor | None = None) -> tuple[Tensor, ...]:
    side, part, sine, apart, d = arc(x, y, radius)
    length = 1.0 if radius is None else radius
    near = (part > 0).to(x.dtype)
    f = apart * d / (sine + (1 - apart)) + (1 - apart) * near  # d/sin d
    # At the antipode any direction will do: towards an axis.
    axis, on_axis = aside(x[..., :2] / length)
    opposite = (1 - apart) * (1 - near) * torch.pi / (1 - on_axis * on_axis).sqrt()
    larger = _larger(x)
    log = subtract_scaled(side * (f * length / larger), x, opposite * on_axis)
    log = torch.cat([log[..., :2] + axis * (opposite * length), log[..., 2:]], dim=-1)
    # -d f/d cos d: (1 - d cot d)/sin^2 d, by a continued fraction where the difference cancels.
    s = (d * d).clamp(max=1)
    far = (d > 1).to(x.dtype) * apart
    sine = far * sine + (1 - far)
    return log, side, f, part, (1 - far) * f * f / cot_fraction(s), sine, far


def _log_pull(inputs: Sequence[Tensor], kept: Sequence[Tensor], g: Tensor) -> tuple[Tensor, ...]:
    """Of f <g, Y - z X>, f = d/sin d, z = X.Y; for d > 1 by the directions of the arc.

    With e = side/sin d and r what of g is across X and e, that is -(g.e + d g.X) e - f z r by X
    and (g.e) (z e - sin d X) + f r by Y. Next to the antipode f is beyond all bounds, and on a
    circle, where r is 0, nothing else is: so r is cleared of what rounding left of X and e in it.
    """
    _, side, f, part, fall, sine, far = kept
    x, inverse = inputs[0], 1 / (_larger(inputs[0]) * sine)
    length = 1.0 if len(inputs) < 3 else inputs[2]
    near = 1 - far
    g_x, g_side = dot(g, x) / length, dot(g, side) * inverse
    rest = subtract_scaled(subtract_scaled(g, x, far * g_x / length), side, far * g_side * inverse)
    again_x, again = far * dot(rest, x) / length, far * dot(rest, side) * inverse
    rest = subtract_scaled(subtract_scaled(rest, x, again_x / length), side, again * inverse)
    turn = (far + near * fall) * g_side + f * sine * g_x
    # Of each gradient the part along the sphere: near the antipode the other is far longer.
    by_x = subtract_scaled(side * (-turn * inverse), x, -near * f * part * g_x / length)
    short = turn * part - f * (part * g_x + g_side)
    by_y = subtract_scaled(side * ((far * part * g_side + near * short) * inverse), rest, -f)
    across = near * (
        dot(side, side) * (inverse * inverse) * turn + f * (part * g_x + g_side) * part
    )
    return subtract_scaled(by_x, rest, f * part), subtract_scaled(
        by_y, x, (across + far * sine * g_side) / length
    )


logmap = custom_vjp(_log_value, _log_pull, scaled=2, degree=1)


def halves(x: Tensor, y: Tensor, step: Tensor) -> tuple[Tensor, Tensor]:
    """(y - x, x + y), the shorter of them made orthogonal to the longer.

    So they are on the sphere. Rounded points are off it, and near one another (or near antipodes)
    by more than they are apart.
    """
    both = x + y
    near = dot(step, step) <= 2
    long, short = torch.where(near, both, step), torch.where(near, step, both)
    short = short - dot(short, long) / dot(long, long) * long
    return torch.where(near, short, long), torch.where(near, long, short)


def _bisector_value(x: Tensor, y: Tensor, step: Tensor) -> tuple[Tensor, ...]:
    step, both = halves(x, y, step)
    direction, length = normalize(both)
    # At the antipode that of the logarithm's any direction: towards an axis.
    axis, share = (a.detach() for a in aside(x[..., :2]))
    axis = torch.cat([axis, torch.zeros_like(x[..., 2:])], dim=-1)
    any_direction = ((axis - share * x) / (1 - share * share).sqrt()).detach()
    middle = torch.where(length == 0, any_direction, direction)  # NaN stays NaN
    return middle, step, length


def _bisector_pull(
    inputs: Sequence[Tensor], kept: Sequence[Tensor], g: Tensor
) -> tuple[Tensor, ...]:
    """What of g is across the plane of X and Y over |X + Y|, and in it, with e that of Y - X,
    (g.e) times the middle over |Y - X|, by X and by Y less that: next to the antipode the first is
    beyond all bounds, and on a circle it is nothing. Of points nearer than a right angle the plane
    is of no use, and the quotient by |X + Y| is good for both."""
    middle, step, length = kept
    apart = (dot(step, step) > 2).to(g.dtype)
    far, size = step * apart, (dot(step, step) * apart + (1 - apart)).sqrt()
    along = dot(g, far) / size
    across = subtract_scaled(subtract_scaled(g, middle, dot(g, middle)), far, along / size)
    again = dot(across, far) / size
    across = subtract_scaled(
        subtract_scaled(across, middle, dot(across, middle)), far, again / size
    )
    across = across / length.where(length > 0, 1.0) * (length > 0).to(g.dtype)
    swing = middle * (along / size)
    return across + swing, across - swing, torch.zeros_like(across)


_bisector = custom_vjp(_bisector_value, _bisector_pull, scaled=0, degree=0)


def bisector(x: Tensor, y: Tensor, step: Tensor) -> Tensor:
    """Unit vector from the centre through the midpoint."""
    return _bisector(x, y, step, 1.0)


def _sine_value(x: Tensor) -> tuple[Tensor, ...]:
    side, length = normalize(x[..., 1:])
    return length, side


def _sine_pull(inputs: Sequence[Tensor], kept: Sequence[Tensor], g: Tensor) -> tuple[Tensor, ...]:
    length, side = kept
    towards = torch.cat([-length, inputs[0][..., :1] * side], dim=-1)
    return (inputs[0][..., :1] * g * towards,)


_sine = custom_vjp(_sine_value, _sine_pull, scaled=0, degree=0)


def sine_of_radius(x: Tensor) -> Tensor:
    """sin(r) of a point at r from the origin, |X_s|. Its derivative along the sphere is cos(r)
    times that of r; the one off it is 1/cos(r) times longer, and next to the equator its rounding
    is all there is."""
    return _sine(x, 1.0)
