r"""A vector at a point of the hyperboloid of curvature -1: its radial part, and what is left.

    V = a X + L,    a = V.X/|X|^2,    L.X = 0 but for rounding

==================== ==================== ==========================================================
letter               name in the code     what it is
==================== ==================== ==========================================================
X, V                 x/R, v/R             space parts of a point and of a vector, (..., n); x and v
                                          come as they are stored, in units of length
a                    radial_coefficient   V's radial part as a multiple of X, (..., 1)
L                    lateral              what is left, (..., n), in units of length
L.X                  residual             0 but for rounding, (..., 1)
L.X/|X|^2          residual_coefficient the same as a multiple of X, (..., 1)
R^2                  area                 1.0 or a tensor
==================== ==================== ==========================================================

Domain: X of any length up to ``limits.farthest``; where ``far`` is 0, next to the origin, nothing
is split off: a = 0 and L = V.
Bound: none of its own; the maps made of it keep 8 units of u (1 + kappa) in value, 32 in gradient.
Proof: validation/symbolic/kernels.py, "kernels/frame, far", "kernels/frame, near"
Certificate: Lorentz.dist, Lorentz.expmap, Lorentz.transport
"""

from typing import NamedTuple

import torch
from torch import Tensor

from ..arithmetic.custom_vjp import subtract_scaled
from ..arithmetic.ranges import all_below
from ..arithmetic.vectors import dot


class Ray(NamedTuple):
    """A multiple of X, along which vectors are split. Shapes (..., 1), but for ``vector``."""

    vector: Tensor
    """x/unit, (..., n)."""
    unit: Tensor
    """The length that x is divided by; 1 where nothing is split off, () if that is everywhere."""
    square: Tensor
    """|vector|^2, a divisor: where nothing is split off it is some number that is not 0."""
    far: Tensor
    """1 where vectors are split, else 0."""
    area: float | Tensor
    """R^2 of the space that x and the vectors are of."""


class RadialSplit(NamedTuple):
    """V = radial_coefficient X + lateral. All but ``lateral`` at unit curvature, (..., 1)."""

    lateral: Tensor
    """V without its radial part, (..., n), in the vector's own units; all of V where ``far`` is
    0."""
    radial_coefficient: Tensor
    """V.X/|X|^2; 0 where ``far`` is 0."""
    inner_x: Tensor
    """V.X."""
    residual: Tensor
    """lateral.X, what rounding left of the radial part; where ``far`` is 0, V.X."""
    residual_coefficient: Tensor
    """lateral.X/|X|^2; 0 where ``far`` is 0."""


def of_like_distance(ratio: Tensor) -> Tensor:
    """1 where a ratio (1 + T_y)/(1 + T_x) is between 1/2 and 2, else 0.

    Two points of about the same distance from the origin: their difference says more than they do.
    """
    # As one comparison. The bound itself is a choice: where one length is at most twice the other,
    # the rounding of the difference is at most that of its terms.
    return ((ratio - 1.25).abs() <= 0.75).to(ratio.dtype)


def outward_ray(
    x: Tensor, x2: Tensor, far: Tensor, area: float | Tensor, *, level: bool = False
) -> Ray:
    """The ray through x, for ``split_radially``.

    Args:
        x: space parts (..., n), in units of length.
        x2: |x|^2, (..., 1).
        far: 1 where vectors are to be split along x, else 0, (..., 1).
        area: R^2.
        level: whether ``vector`` is to have a length between 1 and 2, for vectors whose product
            with x may overflow.
    """
    # The radial part of a vector is T times longer in coordinates than on the manifold. As a
    # multiple of X/|X|, which is rounded, it would leave u T of its length in ``lateral``: 2e-4 of
    # the vector at r = 9 in float32. As a multiple of x it leaves what rounding the product does,
    # and that, ``residual``, is known.
    # Beyond |X|^2 = 1/eps even this is not enough. But there only an x along an axis, of which the
    # other coordinates are 0, has lateral digits to lose, and of that x/|x| is exact.
    distance = x2 * torch.finfo(x.dtype).eps - area
    square = far * x2 + (1 - far) * area
    if not level and all_below(distance, 0.0):
        return Ray(x, x.new_ones(()), square, far, area)
    distant = (distance > 0).to(x.dtype)
    size = square.sqrt()
    if level:
        # A power of two rounds nothing; it has no derivative, and needs none, as it cancels.
        two = (1 - far) + far * size.detach().log2().floor().exp2()
        unit = two + distant * (size - two)
        return Ray(x / unit, unit, distant + (1 - distant) * (square / two / two), far, area)
    unit = 1 + distant * (size - 1)
    return Ray(x / unit, unit, distant + (1 - distant) * square, far, area)


def split_radially(v: Tensor, ray: Ray) -> RadialSplit:
    """The vector v (..., n), of the space that the ray is of, in two parts."""
    inner = dot(v, ray.vector)
    coefficient = ray.far * inner / ray.square
    lateral = subtract_scaled(v, ray.vector, coefficient)
    # The coefficient is rounded, so ``lateral`` still has u V.X along X. A second subtraction would
    # be a pass over the coordinates; the number alone is enough.
    residual = dot(lateral, ray.vector)
    residual_coefficient = ray.far * residual / ray.square
    # From multiples of ``vector`` to multiples of X, and to inner products with it.
    to_x = ray.unit / ray.area
    return RadialSplit(
        lateral,
        coefficient / ray.unit,
        inner * to_x,
        residual * to_x,
        residual_coefficient / ray.unit,
    )


def lateral_squares(split: RadialSplit, ray: Ray) -> tuple[Tensor, Tensor]:
    """|lateral|^2 at unit curvature, as it is and without what rounding left along X."""
    square = dot(split.lateral, split.lateral) / ray.area
    without = torch.addcmul(square, split.residual, split.residual_coefficient, value=-1)
    return square, without.clamp(min=0)
