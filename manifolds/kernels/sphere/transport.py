r"""Parallel transport on the unit sphere.

    P v = v - alpha b,    alpha = 2 <S, v>/|b|^2    or    2 <b, v>/|b|^2,    b = X + Y, S = Y - X

    by v: g - kappa S    or    g - kappa b,    kappa = 2 <b, g>/|b|^2

the second of each, a reflection across b, of points more than a right angle apart.

============ ==================== ==================================================================
letter       name in the code     what it is
============ ==================== ==================================================================
X, Y         x, y                 two points, (..., n + 1)
v, g         v, g                 a vector tangent at X and a gradient, (..., n + 1)
S            step                 Y - X
b            both                 X + Y; far apart what of it is across S, over a power of two
c            scale                that power of two
alpha        alpha                (..., 1)
kappa        kappa                the same of g, (..., 1)
============ ==================== ==================================================================

Points are off the sphere by rounding; what is said of derivatives by them is meant along it.

Domain: all pairs. At an antipode, where the way is not unique, by way of an axis.
Bound: 8 units of u (1 + kappa) in value and 32 in gradient, kappa the condition number.
Proof: validation/symbolic/quadric.py, "quadric/transport"
Proof: validation/symbolic/sphere_transport.py, "quadric/transport on the sphere, slopes"
Certificate: Sphere.transport
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ..arithmetic.custom_vjp import custom_vjp, subtract_scaled
from ..arithmetic.ranges import all_below, all_within
from ..arithmetic.vectors import binary_scale, dot
from .pair import aside


class Saved(NamedTuple):
    """What the pull-back needs."""

    result: Tensor
    """P v, (..., n + 1)."""
    step: Tensor
    """Y - X, (..., n + 1)."""
    both: Tensor
    """b, (..., n + 1)."""
    square: Tensor
    """|b|^2, (..., 1)."""
    alpha: Tensor
    """(..., 1)."""
    far: Tensor
    """1 where the points are more than a right angle apart, else 0; () if none are."""
    inverse_scale: Tensor
    """1/c, 0 at an antipode, (..., 1); 1 and () if no b was divided."""


def _value(x: Tensor, y: Tensor, v: Tensor) -> Saved:
    """v - alpha b."""
    step, both = y - x, x + y
    square, one = dot(both, both), x.new_ones(())
    length = dot(step, step)
    # x.v = 0, so y.v = (y - x).v, which keeps its digits where y is near x; 1 + x.y is |x + y|^2/2.
    inner = dot(step, v)
    if all_below(length - square, 0.0):
        alpha = inner / (square / 2)  # of v near the largest number 2 v is infinite
        return Saved(
            subtract_scaled(v, both, alpha), step, both, square, alpha, 0 * one, one
        )  # fmt: skip
    apart = length > square
    far = apart.to(x.dtype)
    # Across y - x: of points rounded off the sphere x + y is not, and near antipodes by more than
    # it is long. What is left may be a millionth of x + y, and of that the rounding is along the
    # step: on a circle, where kappa is 1 even there, it is cleared of that too.
    for _ in range(2 if x.shape[-1] == 2 else 1):
        both = subtract_scaled(both, step, far * dot(both, step) / length.where(apart, 1.0))
    square, inverse_scale = dot(both, both), one
    if not all_within(square, _least(x), torch.finfo(x.dtype).max ** 0.5):
        scale = binary_scale(both).where(apart, 1.0)
        opposite = apart & (square == 0) & (both == 0).all(-1, keepdim=True)
        both = torch.where(opposite, _any_across(x), both / scale)
        square = dot(both, both)
        inverse_scale = (~opposite).to(x.dtype) / scale
    alpha = torch.where(apart, dot(both, v), inner) / (square / 2)
    return Saved(
        subtract_scaled(v, both, alpha), step, both, square, alpha, far, inverse_scale
    )  # fmt: skip


def _least(x: Tensor) -> float:
    """|b|^2 above which no square that counts underflows."""
    return 2.0**-60 if x.dtype == torch.float32 else 2.0**-400


def _any_across(x: Tensor) -> Tensor:
    """An axis, less what of it is along x; without a derivative."""
    x = x.detach()
    ray = x / dot(x, x).sqrt()
    axis, on_axis = aside(ray[..., :2])
    return torch.cat([axis, torch.zeros_like(x[..., 2:])], dim=-1) - on_axis * ray


def _pull(inputs: Sequence[Tensor], saved: Sequence[Tensor], g: Tensor) -> tuple[Tensor, ...]:
    """With w = kappa v + alpha g, near one another

    by X: w - 2 alpha g + alpha kappa b;    by Y: alpha kappa b - w,

    and far apart, w' being what of w is across b and S, and sigma = <w, S>/|S|^2,

    by X: -w' - sigma b;    by Y: sigma b - w'.

    Next to the antipode the length of w' is beyond all bounds, and on a circle, where it is 0,
    nothing else is: so it is cleared twice, of what rounding left of b and S in it.
    """
    at, v = Saved(*saved), inputs[2]
    step, both, alpha, far = at.step, at.both, at.alpha, at.far
    kappa = 2 * dot(both, g) / at.square
    w = torch.addcmul(kappa * v, g, alpha)
    if not far.dim():
        on_both = alpha * kappa
        by_v = subtract_scaled(g, step, kappa)
        by_y = subtract_scaled(both * on_both, w, at.inverse_scale)
        by_x = torch.addcmul(w, both, on_both)
        return subtract_scaled(by_x, g, 2 * alpha), by_y, by_v
    near, apart = 1 - far, far > 0
    length = torch.where(apart, dot(step, step), 1.0)
    sigma = dot(w, step) / length
    on_both = torch.where(apart, sigma, alpha * kappa)
    by_v = subtract_scaled(g, torch.where(apart, both, step), kappa)
    for _ in range(2):
        on_step, on_b = far * dot(w, step) / length, far * dot(w, both) / at.square
        w = subtract_scaled(subtract_scaled(w, step, on_step), both, on_b)
    w = w * (near + far * at.inverse_scale)
    by_y = both * on_both - w
    by_x = torch.addcmul(w, both, on_both) * (near - far)
    return subtract_scaled(by_x, g, 2 * near * alpha), by_y, by_v


_transport = custom_vjp(_value, _pull, scaled=0, degree=0)


def transport(x: Tensor, y: Tensor, v: Tensor) -> Tensor:
    """v, (..., n + 1), along the geodesic from x to y."""
    return _transport(x, y, v, 1.0)
