r"""Lengths, directions and scales of vectors over the last axis, which is kept.

    x.y,    |x| = c |x/c|,    c the power of two below the largest entry

============ ==================== ==================================================================
letter       name in the code     what it is
============ ==================== ==================================================================
x, y, v      x, y, v              vectors, (..., n); results are (..., 1) or (..., n)
c            binary_scale(x)      a power of two: dividing by it rounds nothing
s            s                    a squared length, (..., 1)
============ ==================== ==================================================================

Domain: float32 or float64, coordinates of any finite size; all of plain torch operations. A norm
has gradient 0 at the zero vector: the subgradient of least length.
Bound: a norm or an inner product of n terms is a sum of n roundings, 8 units of u (1 + kappa).
Proof: none, the definitions.
Certificate: Euclidean.norm, Euclidean.inner, Euclidean.dist
"""

from typing import NamedTuple

import torch
from torch import Tensor

from .ranges import all_within, can_look, runs_as_written

Number = float | Tensor

# -- products and norms ----------------------------------------------------------------------------


def dot(x: Tensor, y: Tensor) -> Tensor:
    """Euclidean inner product over the last axis, which is kept: shape (..., 1)."""
    return (x * y).sum(-1, keepdim=True)


def _plain_square(x: Tensor) -> tuple[Tensor, Tensor] | None:
    """(x, |x|^2), if it is seen that no square that counts overflows or underflows.

    The first is a view, in which what x's uses add to its gradient comes together first, as it does
    in the scaled vector of the form for all vectors.
    """
    if not can_look(x):
        return None
    x = x.view_as(x)
    square = dot(x, x)
    # From 2^-40 on a square that is subnormal, below 2^-126, counts in none of the 24 digits.
    # Above 2^40 the gradient by the square, 1/(2 |x|) of that by the norm, may be subnormal where
    # that is not: of 2^-101 at |x| = 2^38 in float32.
    low, high = (2.0**-40, 2.0**40) if x.dtype == torch.float32 else (2.0**-200, 2.0**400)
    return (x, square) if all_within(square, low, high) else None


def norm(x: Tensor) -> Tensor:
    """Euclidean norm over the last axis, kept: shape (..., 1); gradient 0 at x = 0.

    The vector is divided by the power of two below its largest entry first: the plain sum of
    squares loses every digit below 1e-19 and overflows above 1e19 in float32. A power of two,
    because dividing by it rounds nothing.
    """
    plain = _plain_square(x)
    if plain is not None:
        return plain[1].sqrt()
    scale = binary_scale(x)
    scaled = x / scale
    return sqrt0((scaled * scaled).sum(-1, keepdim=True)) * scale


def normalize(x: Tensor) -> tuple[Tensor, Tensor]:
    """(x/|x|, |x|), with the zero vector as the direction of the zero vector.

    By the scaled vector, see ``norm``: finite coordinates have a direction even where the length is
    beyond the dtype, as that of two coordinates of 3e38 is in float32.
    """
    plain = _plain_square(x)
    if plain is not None:
        length = plain[1].sqrt()
        return plain[0] / length, length
    scale = binary_scale(x)
    scaled = x / scale
    length = sqrt0(dot(scaled, scaled))
    return scaled / length.where(length > 0, 1.0), length * scale


def clip_norm(v: Tensor, limit: float) -> Tensor:
    """v, cut to the length ``limit`` if it is longer; the factor has no derivative.

    For what is done with a direction alone, beyond the limit.
    """
    # Twice, first by the largest entry: the square of a long vector may overflow.
    with torch.no_grad():
        factor = (limit / largest_entry(v)).clamp(max=1)
        length = torch.linalg.vector_norm(v * factor, dim=-1, keepdim=True)
        factor = factor * (limit / length).clamp(max=1)
    cut: Tensor = v * factor
    return cut


def joined(first: Tensor, factor: Tensor, v: Tensor) -> Tensor:
    """(first, factor v), (..., n + 1), first (..., 1): written once where nothing is recorded."""
    if torch.is_grad_enabled() or not runs_as_written():
        return torch.cat([first, factor * v], dim=-1)
    shapes = first.shape, factor.shape, (*v.shape[:-1], 1)
    shape = torch.broadcast_shapes(*shapes)  # type: ignore[no-untyped-call]
    whole = v.new_empty((*shape[:-1], v.shape[-1] + 1))
    whole[..., :1] = first
    torch.mul(v, factor, out=whole[..., 1:])
    return whole


class RelativeToRay(NamedTuple):
    """y as seen along the ray from the origin through x."""

    ray: Tensor
    """x/|x|, (..., n)."""
    size: Tensor
    """|x|, (..., 1)."""
    lateral: Tensor
    """y's part across x, (..., n)."""
    radial: Tensor
    """y's component along the ray, (..., 1)."""
    ahead: Tensor
    """That less |x|, (..., 1)."""


def relative_to_ray(x: Tensor, y: Tensor, step: Tensor) -> RelativeToRay:
    """Two vectors (..., n), the second relative to the first; step = y - x."""
    direction, size = normalize(x)
    # From y, unless it is near x, at less than half of its length; then from y - x. A difference of
    # a long vector and a short one has the rounding of the long one.
    close = 4 * dot(step, step) < dot(y, y)
    other = torch.where(close, step, y)
    component = dot(direction, other)
    across = other - component * direction
    across = across - dot(direction, across) * direction  # what rounding left of the other part
    along = torch.where(close, size + component, component)
    ahead = torch.where(close, component, component - size)
    return RelativeToRay(direction, size, across, along, ahead)


# -- scales ----------------------------------------------------------------------------------------


def largest_entry(x: Tensor) -> Tensor:
    """Largest absolute value of a coordinate, kept: shape (..., 1); without a derivative."""
    return x.detach().abs().amax(-1, keepdim=True)


def binary_scale(x: Tensor) -> Tensor:
    """The power of two below the largest entry, 1 for the zero vector: shape (..., 1)."""
    largest = largest_entry(x)
    # Not below the smallest normal number, whose inverse is the largest that does not overflow.
    ordinary = (largest >= torch.finfo(x.dtype).tiny) & largest.isfinite()
    scale = largest.where(ordinary, 1.0).log2().floor().exp2()
    return scale.where(ordinary | (largest == 0), torch.finfo(x.dtype).tiny)


def scale_of(v: Tensor) -> Tensor:
    """``binary_scale`` of the finite coordinates.

    The time part of a tangent vector, which is redundant and not read, may be beyond the dtype
    where its space part is not.
    """
    return binary_scale(v.detach().nan_to_num(0.0, 0.0, 0.0))


def expanded(v: Tensor, *others: Tensor) -> Tensor:
    """v with the leading axes of all broadcast; a view."""
    shapes = [other.shape for other in others]
    return v.expand(torch.broadcast_shapes(v.shape, *shapes))  # type: ignore[no-untyped-call]


# -- functions whose derivative at 0 is chosen -----------------------------------------------------


def sqrt0(s: Tensor) -> Tensor:
    """Square root of s >= 0, gradient 0 at s <= 0 (the plain one: inf, NaN after a product)."""
    positive = s > 0
    return s.where(positive, 1.0).sqrt().where(positive, s * 0)


def atan2_0(y: Tensor, x: Tensor) -> Tensor:
    """atan2(y, x) with value and gradient 0 at the origin, where the angle is not defined.

    Of subnormal numbers the derivative, one over their size, is beyond the dtype: there it is 0.
    """
    if can_look(y):
        square = y.detach().square() + x.detach().square()
        if all_within(square, 2.0**-40, 2.0**60):
            return torch.atan2(y, x)
    # Its derivative divides by x^2 + y^2, which may overflow or vanish where their ratio is fine.
    both = torch.cat([x, y], dim=-1)
    scale = binary_scale(both)
    subnormal = largest_entry(both) < 8 * torch.finfo(y.dtype).tiny
    y, x = y.detach().where(subnormal, y), x.detach().where(subnormal, x)
    defined = (y != 0) | (x != 0)
    return torch.atan2((y / scale).where(defined, 0.0), (x / scale).where(defined, 1.0))
