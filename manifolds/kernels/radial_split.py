"""A vector at a point of the hyperboloid of curvature -1: its radial part, and what is left."""

from typing import NamedTuple

import torch
from torch import Tensor

from .custom_vjp import subtract_scaled
from .vectors import dot


class Ray(NamedTuple):
    """A multiple of X, along which vectors are split. Shapes (..., 1), but for ``along``."""

    along: Tensor
    """X/unit"""
    unit: Tensor
    """1 where nothing is split off."""
    square: Tensor
    """|along|^2; where nothing is split off, not 0."""
    far: Tensor
    """1 where vectors are split, else 0."""
    area: float | Tensor
    """R^2 of the space that X and the vectors are of."""


class Split(NamedTuple):
    """V = share X + side. Where X is near the origin nothing is split off: share is 0.

    Shapes (..., 1), but for ``side``. All but ``side`` at unit curvature.
    """

    side: Tensor
    share: Tensor
    ahead: Tensor
    """V.X"""
    rest: Tensor
    """side.X, what rounding left of the radial part; where nothing is split off, V.X"""
    left: Tensor
    """The same as a share of X; 0 where nothing is split off."""


def outward_ray(
    x: Tensor, x2: Tensor, far: Tensor, area: float | Tensor, *, level: bool = False
) -> Ray:
    """The ray through x; x2 = |x|^2, ``far`` 1 where vectors are to be split along it, else 0.

    ``level``: of a length between 1 and 2, for vectors whose product with X may overflow.

    Far out the radial part of a vector is T times longer in coordinates than on the manifold, and
    its rounding would cover the rest. So it is split off as a share of X, not of X/|X|, whose
    rounding would be as bad, and what that leaves of it is known. Where even this is not enough,
    only an X along an axis has digits to lose, and there X/|X| is exact.
    """
    distant = (x2 * torch.finfo(x.dtype).eps > area).to(x.dtype)
    square = far * x2 + (1 - far) * area
    size = square.sqrt()
    if level:
        two = (1 - far) + far * size.detach().log2().floor().exp2()
        unit = two + distant * (size - two)
        return Ray(x / unit, unit, distant + (1 - distant) * (square / two / two), far, area)
    unit = 1 + distant * (size - 1)
    return Ray(x / unit, unit, distant + (1 - distant) * square, far, area)


def split_off(v: Tensor, ray: Ray) -> Split:
    """V in two parts, of the space that the ray is of."""
    ahead = dot(v, ray.along)
    share = ray.far * ahead / ray.square
    side = subtract_scaled(v, ray.along, share)
    rest = dot(side, ray.along)
    left = ray.far * rest / ray.square
    back = ray.unit / ray.area
    return Split(side, share / ray.unit, ahead * back, rest * back, left / ray.unit)


def squared(split: Split, ray: Ray) -> tuple[Tensor, Tensor]:
    """|side|^2, and the same without what rounding left of the radial part."""
    square = dot(split.side, split.side) / ray.area
    return square, torch.addcmul(square, split.rest, split.left, value=-1).clamp(min=0)
