r"""Functions of the distance of two points of the hyperboloid of curvature -1.

    d = 2 asinh(sqrt h),    h = sinh^2(d/2) as ``hyperboloid.pair`` has it
    grad_X cosh d = (T_y/T_x) X - Y,    grad_Y cosh d = -(T_x/T_y) grad_X cosh d

============== ==================== ================================================================
letter         name in the code     what it is
============== ==================== ================================================================
X, Y           x, y                 space parts (..., n), over R; the time parts are never read
T_x, T_y       tx, ty               time parts, sqrt(1 + |X|^2), (..., 1)
d, h           d, haversine         the distance, and sinh^2(d/2), (..., 1)
R, R^2         radius, area         the radius: None, for 1, or a tensor ()
============== ==================== ================================================================

Points come as they are stored, (..., n + 1) in units of length.

Domain: |X|, |Y| up to ``limits.farthest``; coincident points are 0 apart, with gradient 0.
Bound: 8 units of u (1 + kappa) in value and 32 in gradient, kappa the condition number.
Proof: validation/symbolic/kernels.py, "kernels/pair, far", "kernels/pair, near"
Proof: validation/symbolic/radial.py, "radial/pair by the ball"
Not proven: the derivative by R; tests/manifolds/test_curvature_gradient.py holds it.
Certificate: Lorentz.dist, Lorentz.sqdist, Lorentz.midpoint
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ..arithmetic.custom_vjp import custom_vjp, subtract_scaled
from ..arithmetic.ranges import runs_as_written
from ..arithmetic.vectors import joined
from ..functions.special import tanhc_missing
from .pair import (
    PairGeometry,
    half_distance,
    haversine_by_log_radius,
    pair_geometry,
    time_gap,
    twice_asinh,
)


class Saved(NamedTuple):
    """What the pull-back of a function of h needs."""

    result: Tensor
    """The value, (..., 1)."""
    lateral: Tensor
    """As of ``hyperboloid.pair.PairGeometry``: times ``scale``, (..., n), in units of length."""
    d_cosh: Tensor
    """As there, times ``scale``."""
    weight: Tensor
    """The derivative of the result by cosh d, over R^2 and over ``scale``."""
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
    pair = pair_geometry(x[..., 1:], y[..., 1:], radius)
    apart, half, cosh = half_distance(pair)
    weight = 0.5 / (half * cosh)  # 1/sinh d
    if pair.scale.dim():
        d, weight = twice_asinh(half / pair.scale, cosh) * apart, weight * apart
    else:
        d = twice_asinh(half, cosh)
    if radius is not None:
        d, weight = d * radius, weight / radius
    return _saved(d, pair, weight)


def _sqdist_value(x: Tensor, y: Tensor, radius: Tensor | None = None) -> Saved:
    """R^2 d^2."""
    pair = pair_geometry(x[..., 1:], y[..., 1:], radius)
    apart, half, cosh = half_distance(pair)
    root = half / pair.scale
    d = twice_asinh(root, cosh) * apart
    weight = 2 * (apart * d / (2 * root * cosh) + (1 - apart)) / pair.scale  # 2 d/sinh d
    square = d * d
    if pair.scale.dim():
        # Where the points coincide this, which is 0, has the derivatives: d^2 is 4h to leading
        # order, and the root of 0 has none.
        square = square + (1 - apart) * 4 * (pair.haversine / pair.scale) / pair.scale
    if radius is not None:
        square = square * radius * radius
    return _saved(square, pair, weight)


def _haversine_value(x: Tensor, y: Tensor, radius: Tensor | None = None) -> Saved:
    """sinh^2(d/2)."""
    pair = pair_geometry(x[..., 1:], y[..., 1:], radius)
    weight = 0.5 / pair.scale
    if radius is not None:
        weight = weight / (radius * radius)
    return _saved(pair.haversine / pair.scale / pair.scale, pair, weight)


def _saved(value: Tensor, pair: PairGeometry, weight: Tensor) -> Saved:
    d_cosh = pair.d_cosh * pair.scale if pair.scale.dim() else pair.d_cosh
    return Saved(value, pair.lateral, d_cosh, weight, -pair.tx / pair.ty)


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
