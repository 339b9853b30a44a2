"""A vector at a point of the hyperboloid of curvature -1: its radial part, and what is left."""

from typing import NamedTuple

import torch
from torch import Tensor

from ._closed import minus
from ._numerics import dot


class Split(NamedTuple):
    """V = share X + side. Where X is near the origin nothing is split off: share is 0.

    Shapes (..., 1), but for ``side``. All but ``side`` at unit curvature.
    """

    side: Tensor
    share: Tensor
    ahead: Tensor
    """V.X"""
    square: Tensor
    """|side|^2"""
    rest: Tensor
    """side.X, what rounding left of the radial part; where nothing is split off, V.X"""
    left: Tensor
    """The same as a share of X; 0 where nothing is split off."""
    across: Tensor
    """|side|^2 without that"""


def split_off(v: Tensor, x: Tensor, x2: Tensor, far: Tensor, area: float | Tensor) -> Split:
    """Split where ``far`` is 1, not 0; x2 = |x|^2, and v, x are of a space of R^2 = ``area``.

    Far out the radial part of a vector is T times longer in coordinates than on the manifold, and
    its rounding would cover the rest. So it is split off as a share of X, not of X/|X|, whose
    rounding would be as bad, and what that leaves of it is known. Where even this is not enough,
    only an X along an axis has digits to lose, and there X/|X| is exact.
    """
    distant = (x2 * torch.finfo(x.dtype).eps > area).to(x.dtype)
    square = far * x2 + (1 - far) * area
    unit = 1 + distant * (square.sqrt() - 1)
    ray = x / unit
    ray2 = distant + (1 - distant) * square
    ahead = dot(v, ray)
    share = far * ahead / ray2
    side = minus(v, ray, share)
    square, rest = dot(side, side), dot(side, ray)
    left = far * rest / ray2
    across = torch.addcmul(square, rest, left, value=-1).clamp(min=0)
    back = unit / area
    return Split(
        side, share / unit, ahead * back, square / area, rest * back, left / unit, across / area
    )
