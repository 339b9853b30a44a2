r"""A pair of points of the unit sphere: distance, logarithm and midpoint.

    Y = cos(d) X + L,    L.X = 0,    sin d = |L|,    d = atan2(|L|, cos d)
    log_X Y = d/sin(d) L

    grad_X d = -L/sin d,    grad_Y d = cos(d) L/sin d - sin(d) X        (the ends of the arc)

============ ==================== ==================================================================
letter       name in the code     what it is
============ ==================== ==================================================================
X, Y         x/R, y/R             two points, (..., n + 1)
L            lateral              what of Y is across X, (..., n + 1)
cos d, sin d cosine, sine         (..., 1)
f            f                    d/sin d
R, R^2       length, area         the radius: 1.0 or a tensor ()
============ ==================== ==================================================================

Points come as they are stored, off the sphere by rounding; what is said of derivatives is meant
along it.

Domain: all pairs. The logarithm of an antipode, whose direction is not unique, is towards an axis.
Bound: 8 units of u (1 + kappa) in value and 32 in gradient, kappa the condition number.
Proof: validation/symbolic/quadric.py, "quadric/dist", "quadric/logmap", "quadric/midpoint"
Proof: validation/symbolic/sphere_forms.py, "quadric/atan2", "quadric/small steps"
Certificate: Sphere.dist, Sphere.sqdist, Sphere.logmap, Sphere.midpoint
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ..arithmetic.custom_vjp import custom_vjp, subtract_scaled
from ..arithmetic.ranges import all_within, in_forward_mode
from ..arithmetic.vectors import dot, normalize
from ..functions.special import cot_fraction

# The antipode's logarithm is towards the first axis, or towards the second where x is within 41
# degrees of the first: across x the axis has then at least sqrt(1 - 0.75^2) = 0.66 of its length.
_COSINE_TO_AXIS = 0.75


def _large(x: Tensor) -> float:
    """A power of two by which what is across X is longer, so that no square of it underflows.

    It is at most 1, so that no sum of squares overflows.
    """
    return 2.0**60 if x.dtype == torch.float32 else 2.0**500


class Arc(NamedTuple):
    """Y as seen from X, at unit curvature. All but the last but one have shape (..., 1)."""

    lateral: Tensor
    """What of Y is across X, in units of length, times ``scale``, (..., n + 1)."""
    cosine: Tensor
    """cos d: Y's component along X."""
    sine: Tensor
    """sin d: the length of what is across."""
    inverse_sine: Tensor
    """1/sin d, 0 where Y is X or -X."""
    distance: Tensor
    """d."""
    scale: Tensor
    """A number, (): 1, or a power of two where some points are so near one another, or antipodes,
    that squares underflow."""
    apart: Tensor
    """1, or 0 where Y is X or -X."""


def arc(x: Tensor, y: Tensor, radius: Tensor | None) -> Arc:
    """Two points (..., n + 1) of the sphere of a radius, the second as seen from the first."""
    product = _over_area(dot(x, y), radius)
    # By the nearest integer to cos d: near X what is across it is taken from Y - X, near -X
    # from Y + X, and between 60 and 120 degrees from Y. From Y itself it would keep what X is off
    # the sphere by along X: 6e-8 in float32, more than all of a shorter step.
    nearest = product.round()
    step = subtract_scaled(y, x, nearest)
    along = _over_area(dot(step, x), radius)
    lateral = subtract_scaled(step, x, along)
    cosine = nearest + along
    square = _over_area(dot(lateral, lateral), radius)
    if all_within(square, _least(x), 2.0):
        sine, one = square.sqrt(), square.new_ones(())
        return Arc(lateral, cosine, sine, 1 / sine, torch.atan2(sine, cosine), one, one)
    # Where squares may underflow, as those of a step of 1e-20 do, by a lateral part that is longer
    # by a power of two. The radius is taken as one between 1 and 2.
    if radius is None:
        scale, unit = x.new_full((), _large(x)), None
    else:
        two = radius.detach().log2().floor().exp2()
        scale, unit = _large(x) / two, radius / two
    lateral = lateral * scale
    square = _over_area(dot(lateral, lateral), unit)
    apart = (square > 0).to(x.dtype)
    sine = (square + (1 - apart)).sqrt() * (apart / _large(x))
    inverse = apart / (sine + (1 - apart))
    return Arc(lateral, cosine, sine, inverse, torch.atan2(sine, cosine), scale, apart)


def _over_area(product: Tensor, radius: Tensor | None) -> Tensor:
    """A product of two lengths, in units of R^2."""
    return product if radius is None else product / (radius * radius)


def _least(x: Tensor) -> float:
    """sin^2 d above which no square that counts underflows."""
    return 2.0**-40 if x.dtype == torch.float32 else 2.0**-200


# -- distance --------------------------------------------------------------------------------------


class Saved(NamedTuple):
    """What the pull-back of a function of d needs."""

    result: Tensor
    """The value, (..., 1)."""
    lateral: Tensor
    """As of :class:`Arc`, (..., n + 1)."""
    weight: Tensor
    """The derivative of the result by d, over sin d and over what ``lateral`` is longer by."""
    cosine: Tensor
    """cos d."""
    weighted_sine: Tensor
    """The derivative of the result by d, times sin d, over R."""


def _dist_value(x: Tensor, y: Tensor, radius: Tensor | None = None) -> Saved:
    """R d."""
    at = arc(x, y, radius)
    weight = at.inverse_sine / at.scale if at.apart.dim() else at.inverse_sine
    if radius is None:
        return Saved(at.distance, at.lateral, weight, at.cosine, at.sine)
    return Saved(at.distance * radius, at.lateral, weight / radius, at.cosine, at.sine / radius)


def _sqdist_value(x: Tensor, y: Tensor, radius: Tensor | None = None) -> Saved:
    """R^2 d^2."""
    at = arc(x, y, radius)
    d = at.distance
    here = (1 - at.apart) * (at.cosine > 0).to(x.dtype) if at.apart.dim() else 0.0
    slope = 2 * (d * at.inverse_sine + here)  # 2 d/sin d
    square = d * d
    if in_forward_mode():  # where the points coincide this, which is 0, has the derivatives
        step = at.lateral / at.scale
        square = square + here * _over_area(dot(step, step), radius)
    if radius is not None:
        square = square * (radius * radius)
    return Saved(square, at.lateral, slope / at.scale, at.cosine, slope * at.sine * at.sine)


def _pull(inputs: Sequence[Tensor], saved: Sequence[Tensor], g: Tensor) -> tuple[Tensor, ...]:
    """F'(d) grad d: -L/sin d by X, cos(d) L/sin d - sin(d) X by Y."""
    at = Saved(*saved)
    weight = at.weight * g
    by_y = at.lateral * (weight * at.cosine)
    return at.lateral * -weight, subtract_scaled(by_y, inputs[0], at.weighted_sine * g)


dist = custom_vjp(_dist_value, _pull, scaled=2, degree=1)
sqdist = custom_vjp(_sqdist_value, _pull, scaled=2, degree=2)


# -- the logarithm ---------------------------------------------------------------------------------


def aside(ends: Tensor) -> tuple[Tensor, Tensor]:
    """(the first or the second axis, (..., 2); the coordinate along it, (..., 1)).

    Args:
        ends: the first two coordinates of a unit vector, (..., 2). The first axis is taken unless
            the vector is near it.
    """
    first = (ends[..., :1].abs() <= _COSINE_TO_AXIS).to(ends.dtype)
    axis = torch.cat([first, 1 - first], dim=-1)
    return axis, (ends * axis).sum(-1, keepdim=True)


class SavedLog(NamedTuple):
    """What the pull-back of the logarithm needs. All but three have shape (..., 1)."""

    result: Tensor
    """log_x(y), (..., n + 1)."""
    lateral: Tensor
    """As of :class:`Arc`, (..., n + 1)."""
    f: Tensor
    """d/sin d."""
    cosine: Tensor
    """cos d."""
    sine: Tensor
    """sin d, 1 where the points are not apart."""
    scale: Tensor
    """As of :class:`Arc`, ()."""
    far: Tensor
    """1 where d > 1 and the points are no antipodes, else 0."""


def _log_value(x: Tensor, y: Tensor, radius: Tensor | None = None) -> SavedLog:
    """f L, f = d/sin d."""
    lateral, cosine, sine, inverse, d, scale, apart = arc(x, y, radius)
    far = (d > 1).to(x.dtype)
    if not apart.dim():
        f = d * inverse
        return SavedLog(lateral * f, lateral, f, cosine, sine, scale, far)
    length = 1.0 if radius is None else radius
    near = (cosine > 0).to(x.dtype)
    f = d * inverse + (1 - apart) * near
    # At the antipode any direction will do: towards an axis, less what of that is along x.
    axis, on_axis = aside(x[..., :2] / length)
    opposite = (1 - apart) * (1 - near) * torch.pi / (1 - on_axis * on_axis).sqrt()
    log = subtract_scaled(lateral * (f / scale), x, opposite * on_axis)
    log = torch.cat([log[..., :2] + axis * (opposite * length), log[..., 2:]], dim=-1)
    return SavedLog(log, lateral, f, cosine, sine + (1 - apart), scale, far * apart)


def _log_pull(inputs: Sequence[Tensor], saved: Sequence[Tensor], g: Tensor) -> tuple[Tensor, ...]:
    """Of f <g, Y - z X>, z = X.Y: near, f (dY - z dX - X dz) + f' (Y - z X) dz, dz = X.dY + Y.dX.

    For d > 1 by the directions of the arc: with e = L/sin d and r what of g is across X and e,

    by X: -(g.e + d g.X) e - f z r;    by Y: (g.e) (z e - sin d X) + f r.

    Next to the antipode f is beyond all bounds, and on a circle, where r is 0, nothing else is: so
    r is cleared of what rounding left of X and e in it.
    """
    at = SavedLog(*saved)
    lateral, f, cosine, far = at.lateral, at.f, at.cosine, at.far
    near = 1 - far
    # -df/d(cos d): the plain 1 - d cot d loses 3/d^2 to cancellation: up to d = 1 by a continued
    # fraction, beyond it is not needed.
    d = f * at.sine
    fall = f * f / cot_fraction((d * d).clamp(max=1))
    sine = far * at.sine + near
    x, inverse = inputs[0], 1 / (at.scale * sine)  # lateral inverse is e if far, or L
    length = 1.0 if len(inputs) < 3 else inputs[2]
    if len(inputs) > 2:
        inverse = inverse / length
    g_x, g_lateral = dot(g, x) / length, dot(g, lateral) * inverse
    rest = subtract_scaled(g, x, far * g_x / length)
    rest = subtract_scaled(rest, lateral, far * g_lateral * inverse)
    left_x, left_lateral = far * dot(rest, x) / length, far * dot(rest, lateral) * inverse
    rest = subtract_scaled(rest, x, left_x / length)
    rest = subtract_scaled(rest, lateral, left_lateral * inverse)
    by_cosine = (far + near * fall) * g_lateral + f * sine * g_x
    # Of each gradient the part along the sphere: near the antipode the other is far longer.
    by_x = lateral * (-by_cosine * inverse)
    by_x = subtract_scaled(by_x, x, -near * f * cosine * g_x / length)
    inwards = by_cosine * cosine - f * (cosine * g_x + g_lateral)
    by_y = lateral * ((far * cosine * g_lateral + near * inwards) * inverse)
    by_y = subtract_scaled(by_y, rest, -f)
    square = dot(lateral, lateral) * (inverse * inverse)
    across = near * (square * by_cosine + f * (cosine * g_x + g_lateral) * cosine)
    by_x = subtract_scaled(by_x, rest, f * cosine)
    return by_x, subtract_scaled(by_y, x, (across + far * sine * g_lateral) / length)


logmap = custom_vjp(_log_value, _log_pull, scaled=2, degree=1)


# -- the midpoint ----------------------------------------------------------------------------------


def halves(x: Tensor, y: Tensor, step: Tensor) -> tuple[Tensor, Tensor]:
    """(y - x, x + y) of unit vectors, the shorter of them made orthogonal to the longer.

    On the sphere they are orthogonal. Rounded points are off it, and near one another (or near
    antipodes) by more than they are apart.
    """
    both = x + y
    near = dot(step, step) <= 2
    long, short = torch.where(near, both, step), torch.where(near, step, both)
    short = short - dot(short, long) / dot(long, long) * long
    return torch.where(near, short, long), torch.where(near, long, short)


class SavedBisector(NamedTuple):
    """What the pull-back of the bisector needs."""

    result: Tensor
    """(X + Y)/|X + Y|, (..., n + 1)."""
    step: Tensor
    """Y - X, orthogonal to it, (..., n + 1)."""
    length: Tensor
    """|X + Y|, (..., 1)."""


def _bisector_value(x: Tensor, y: Tensor, step: Tensor) -> SavedBisector:
    """(X + Y)/|X + Y|; at antipodes, where that is 0, across X towards an axis."""
    step, both = halves(x, y, step)
    direction, length = normalize(both)
    axis, on_axis = (a.detach() for a in aside(x[..., :2]))
    axis = torch.cat([axis, torch.zeros_like(x[..., 2:])], dim=-1)
    any_direction = ((axis - on_axis * x) / (1 - on_axis * on_axis).sqrt()).detach()
    middle = torch.where(length == 0, any_direction, direction)  # NaN stays NaN
    return SavedBisector(middle, step, length)


def _bisector_pull(
    inputs: Sequence[Tensor], saved: Sequence[Tensor], g: Tensor
) -> tuple[Tensor, ...]:
    """With m the bisector, e the direction of Y - X, and q what of g is across both:

    by X: q/|X + Y| + (g.e) m/|Y - X|;    by Y: q/|X + Y| - (g.e) m/|Y - X|.

    Next to the antipode the first term is beyond all bounds, and on a circle it is nothing. Of
    points nearer than a right angle e is of no use, and the quotient by |X + Y| is good for both.
    """
    middle, step, length = SavedBisector(*saved)
    apart = (dot(step, step) > 2).to(g.dtype)
    far, size = step * apart, (dot(step, step) * apart + (1 - apart)).sqrt()
    along = dot(g, far) / size
    across = subtract_scaled(subtract_scaled(g, middle, dot(g, middle)), far, along / size)
    again = dot(across, far) / size  # what rounding left of it
    across = subtract_scaled(across, middle, dot(across, middle))
    across = subtract_scaled(across, far, again / size)
    across = across / length.where(length > 0, 1.0) * (length > 0).to(g.dtype)
    swing = middle * (along / size)
    return across + swing, across - swing, torch.zeros_like(across)


_bisector = custom_vjp(_bisector_value, _bisector_pull, scaled=0, degree=0)


def bisector(x: Tensor, y: Tensor, step: Tensor) -> Tensor:
    """Unit vector from the centre through the midpoint, of unit vectors x, y and step = y - x."""
    return _bisector(x, y, step, 1.0)


# -- the distance from the origin ------------------------------------------------------------------


class SavedSine(NamedTuple):
    """What the pull-back of sin r needs."""

    result: Tensor
    """sin r = |x_s|, (..., 1)."""
    direction: Tensor
    """x_s/|x_s|, (..., n)."""


def _sine_value(x: Tensor) -> SavedSine:
    """|x_s|, x_s all but the first coordinate."""
    direction, length = normalize(x[..., 1:])
    return SavedSine(length, direction)


def _sine_pull(inputs: Sequence[Tensor], saved: Sequence[Tensor], g: Tensor) -> tuple[Tensor, ...]:
    """cos r (-sin r, cos r x_s/|x_s|), the gradient along the sphere."""
    at = SavedSine(*saved)
    cosine = inputs[0][..., :1]
    outward = torch.cat([-at.result, cosine * at.direction], dim=-1)
    return (cosine * g * outward,)


_sine = custom_vjp(_sine_value, _sine_pull, scaled=0, degree=0)


def sine_of_radius(x: Tensor) -> Tensor:
    """sin(r) of a point at r from the origin, |x_s|. Its derivative along the sphere is cos(r)
    times that of r; the one off it is 1/cos(r) times longer, and next to the equator its rounding
    is all there is."""
    return _sine(x, 1.0)
