r"""Functions of the distance of two points of the hyperboloid of curvature -1.

    d = 2 asinh(sqrt h),    h = sinh^2(d/2)
    h = (1 + T_x)(1 + T_y) |Y/(1 + T_y) - X/(1 + T_x)|^2/4       near enough, and not next to one
                                                                 another
    h as ``hyperboloid_pair`` has it                             else

============== ==================== ================================================================
letter         name in the code     what it is
============== ==================== ================================================================
X, Y           x, y                 space parts (..., n), over R; the time parts are never read
T_x, T_y       tx, ty               time parts, sqrt(1 + |X|^2), (..., 1)
d, h           d, haversine         the distance, and sinh^2(d/2), (..., 1)
q              q                    |Y/(1 + T_y) - X/(1 + T_x)|^2, (..., 1)
R, R^2         radius, area         the radius: None, for 1, or a tensor ()
============== ==================== ================================================================

Points come as they are stored, (..., n + 1) in units of length.

Domain: |X|, |Y| up to ``limits.farthest``; coincident points are 0 apart, with gradient 0.
Bound: 8 units of u (1 + kappa) in value and 32 in gradient, kappa the condition number.
Proof: validation/symbolic/kernels.py, "kernels/law of haversines"
Proof: validation/symbolic/radial.py, "radial/ball's form of the distance"
Not proven: the derivative by R; tests/manifolds/test_curvature_gradient.py holds it.
Certificate: Lorentz.dist, Lorentz.sqdist, Lorentz.midpoint
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from .custom_vjp import custom_vjp, subtract_scaled
from .hyperboloid_pair import (
    half_distance,
    haversine_by_log_radius,
    pair_geometry,
    time_gap,
    twice_asinh,
)
from .ranges import all_below, all_within, can_look, runs_as_written
from .special import tanhc_missing
from .vectors import dot, joined

# Up to this |X|^2, r = 2.49, one form is good for all points that are not next to one another: the
# ball's, whose coordinates X/(1 + T) are rounded by 1 + T times as much as a step along the ray.
_NEAR_ENOUGH = 36.0


class Distance(NamedTuple):
    """What functions of the distance are made of. All but ``lateral`` have shape (..., 1)."""

    lateral: Tensor
    """grad_X cosh d is ``factor`` (d_cosh X - lateral)/scale, (..., n), in units of length."""
    d_cosh: Tensor
    """The multiple of X there."""
    factor: Tensor
    """1, or 1 + T_y of the ball's form."""
    half: Tensor
    """scale sinh(d/2), 1 where the points coincide."""
    cosh: Tensor
    """cosh(d/2)."""
    d: Tensor
    """The distance."""
    ratio: Tensor
    """-T_x/T_y."""
    haversine: Tensor
    """sinh^2(d/2)."""
    apart: Tensor
    """1 where the points differ, else 0."""
    scale: Tensor
    """As of ``hyperboloid_pair.PairGeometry``."""


def _distance(x: Tensor, y: Tensor, radius: Tensor | None) -> Distance:
    """Of two space parts (..., n) in units of length: of each pair by the form that is good for it.

    Where values can be looked at, the one for all pairs is computed of those alone that need it.
    """
    near, ordinary = _by_ball(x, y, radius)
    if ordinary is None:
        return near
    looks = can_look(ordinary) and not torch.is_grad_enabled()
    if not looks or (radius is not None and radius.dim()):
        rest = _by_any(x, y, radius)
        return Distance(*(torch.where(ordinary, a, b) for a, b in zip(near, rest, strict=True)))
    rows = (~ordinary).flatten().nonzero().squeeze(-1)
    shape = near.lateral.shape
    some = (z.expand(shape).reshape(-1, shape[-1])[rows] for z in (x, y))
    rest = _by_any(*some, radius)
    for whole, part in zip(near, rest, strict=True):
        whole.view(-1, whole.shape[-1])[rows] = part
    return near


def _by_ball(x: Tensor, y: Tensor, radius: Tensor | None) -> tuple[Distance, Tensor | None]:
    """By the ball's form, and where it is good, (..., 1); None for everywhere.

    With x' = X/(1 + T_x) and q = |y' - x'|^2,

        h = (1 + T_x)(1 + T_y) q/4,
        grad_X cosh d = (1 + T_y) (((X.(y' - x')/(1 + T_x) + q/2)/T_x) X - (y' - x')).
    """
    x2, y2 = dot(x, x), dot(y, y)
    if radius is not None:
        area = radius * radius
        x2, y2 = x2 / area, y2 / area
    tx, ty = (1 + x2).sqrt(), (1 + y2).sqrt()
    above_x, above_y = 1 + tx, 1 + ty
    lateral = torch.addcdiv(y / above_y, x, above_x, value=-1)
    q, m = dot(lateral, lateral), dot(x, lateral)
    if radius is not None:
        q, m = q / area, m / area
    d_cosh = (m / above_x + q / 2) / tx
    h = above_x * above_y * q / 4
    farthest, ratio = torch.maximum(x2, y2), -tx / ty
    least = 2.0**-40 if x.dtype == torch.float32 else 2.0**-200
    everywhere = all_below(farthest, _NEAR_ENOUGH) and all_within(q, least, 2.0**60)
    ordinary = None if everywhere else (farthest < _NEAR_ENOUGH) & (q > least)
    if ordinary is not None:
        h = h.where(ordinary, 1.0)  # of no use elsewhere, but finite with its derivative
    half, cosh = h.sqrt(), (1 + h).sqrt()
    d = twice_asinh(half, cosh)
    one = h.new_ones(()) if everywhere else torch.ones_like(h)
    scale = one if everywhere else one.clone()
    return Distance(lateral, d_cosh, above_y, half, cosh, d, ratio, h, one, scale), ordinary


def _by_any(x: Tensor, y: Tensor, radius: Tensor | None) -> Distance:
    """By :func:`hyperboloid_pair.pair_geometry`, which is good for all pairs."""
    pair = pair_geometry(x, y, radius)
    apart, half, cosh = half_distance(pair)
    root = half / pair.scale
    d, h = twice_asinh(root, cosh) * apart, pair.haversine / pair.scale / pair.scale
    d_cosh, ratio = pair.d_cosh * pair.scale, -pair.tx / pair.ty
    one = torch.ones_like(h)
    return Distance(pair.lateral, d_cosh, one, half, cosh, d, ratio, h, apart, pair.scale)


class Saved(NamedTuple):
    """What the pull-back of a function of h needs."""

    result: Tensor
    """The value, (..., 1)."""
    lateral: Tensor
    """As of :class:`Distance`, (..., n)."""
    d_cosh: Tensor
    """As of :class:`Distance`."""
    weight: Tensor
    """The derivative of the result by cosh d, times ``factor`` over ``scale``, over R^2."""
    ratio: Tensor
    """-T_x/T_y."""


def _pull(inputs: Sequence[Tensor], saved: Sequence[Tensor], g: Tensor) -> tuple[Tensor, ...]:
    """f'(cosh d) grad cosh d: by X that is d_cosh X - lateral, by Y the same times -T_x/T_y."""
    pair = Saved(*saved)
    weight = pair.weight * g
    on_x, x = weight * pair.d_cosh, inputs[0][..., 1:]
    if torch.is_grad_enabled() or not runs_as_written():
        by_x = subtract_scaled(x * on_x, pair.lateral, weight)
        by_x = torch.cat([torch.zeros_like(weight), by_x], dim=-1)
    else:
        by_x = joined(torch.zeros_like(weight), weight, pair.lateral)
        space = by_x[..., 1:]
        torch.addcmul(space.neg_(), x, on_x, out=space)
    return by_x, by_x * pair.ratio


def _dist_value(x: Tensor, y: Tensor, radius: Tensor | None = None) -> Saved:
    """R d."""
    at = _distance(x[..., 1:], y[..., 1:], radius)
    weight = 0.5 * at.factor * at.apart / (at.half * at.cosh)  # of 1/sinh d
    d = at.d
    if radius is not None:
        d, weight = d * radius, weight / radius
    return Saved(d, at.lateral, at.d_cosh, weight, at.ratio)


def _sqdist_value(x: Tensor, y: Tensor, radius: Tensor | None = None) -> Saved:
    """R^2 d^2."""
    at = _distance(x[..., 1:], y[..., 1:], radius)
    # Of 2 d/sinh d.
    slope = at.d * at.scale / (at.half * at.cosh) + 2 * (1 - at.apart)
    # Where the points coincide the second term, which is 0, has the derivatives: d^2 is 4h to
    # leading order, and the root of 0 has none.
    square = at.d * at.d
    if at.apart.dim():
        square = square + (1 - at.apart) * 4 * at.haversine
    if radius is not None:
        square = square * radius * radius
    return Saved(square, at.lateral, at.d_cosh, slope * at.factor / at.scale, at.ratio)


def _haversine_value(x: Tensor, y: Tensor, radius: Tensor | None = None) -> Saved:
    """sinh^2(d/2)."""
    return _haversine_of(_distance(x[..., 1:], y[..., 1:], radius), radius)


def _haversine_of(at: Distance, radius: Tensor | None) -> Saved:
    weight = 0.5 * at.factor / at.scale
    if radius is not None:
        weight = weight / (radius * radius)
    return Saved(at.haversine, at.lateral, at.d_cosh, weight, at.ratio)


def _stepped_value(x: Tensor, y: Tensor, step: Tensor) -> Saved:
    """sinh^2(d/2) of space parts at R = 1 and their difference."""
    pair = pair_geometry(x, y, None, step)
    h = pair.haversine / pair.scale / pair.scale
    weight = 0.5 / pair.scale
    return Saved(h, pair.lateral, pair.d_cosh * pair.scale, weight, -pair.tx / pair.ty)


def _stepped_pull(
    inputs: Sequence[Tensor], saved: Sequence[Tensor], g: Tensor
) -> tuple[Tensor, ...]:
    """As ``_pull``, by the points alone: the step is their difference, not a variable."""
    pair = Saved(*saved)
    weight = g * pair.weight
    by_x = subtract_scaled(inputs[0] * (weight * pair.d_cosh), pair.lateral, weight)
    return by_x, by_x * pair.ratio, torch.zeros_like(by_x)


# -- the derivative by the radius, R d/dR at fixed space parts ------------------------------------


def _dist_radius_derivative(
    inputs: Sequence[Tensor], saved: Sequence[Tensor]
) -> tuple[Tensor, Tensor]:
    """2 R (d/2 - tanh(d/2) + (T_y - T_x)^2/(2 T_x T_y sinh d)).

    4 sinh^2(d/2) is |X - Y|^2 - (T_x - T_y)^2, so nothing cancels anywhere.
    """
    x, y, radius = inputs
    heights = time_gap(x[..., 1:], y[..., 1:], radius * radius)
    d = saved[0] / radius
    s = (d / 2).square()
    apart = d > 0
    share = heights.gap / d.where(apart, 1.0).sinh()
    total = d * s * tanhc_missing(s) + (heights.gap / heights.tx) * (share / heights.ty)
    return radius * total.where(apart, 0.0), torch.ones_like(apart)


def _sqdist_radius_derivative(
    inputs: Sequence[Tensor], saved: Sequence[Tensor]
) -> tuple[Tensor, Tensor]:
    """2 d times that of d."""
    positive = saved[0] > 0
    d = saved[0].where(positive, 1.0).sqrt()
    derivative, everywhere = _dist_radius_derivative(inputs, [d])
    return (2 * d * derivative).where(positive, 0.0), everywhere


def _haversine_radius_derivative(
    inputs: Sequence[Tensor], saved: Sequence[Tensor]
) -> tuple[Tensor, Tensor]:
    x, y, radius = inputs
    derivative = haversine_by_log_radius(saved[0], x[..., 1:], y[..., 1:], radius)
    return derivative, torch.ones_like(derivative) > 0


stepped_haversine = custom_vjp(_stepped_value, _stepped_pull, scaled=0, degree=0)
haversine = custom_vjp(
    _haversine_value, _pull, scaled=2, degree=0, radius_derivative=_haversine_radius_derivative
)
dist = custom_vjp(_dist_value, _pull, scaled=2, degree=1, radius_derivative=_dist_radius_derivative)
sqdist = custom_vjp(
    _sqdist_value, _pull, scaled=2, degree=2, radius_derivative=_sqdist_radius_derivative
)
