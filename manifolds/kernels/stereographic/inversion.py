r"""Points beyond the equator of the kappa-stereographic model of K > 0, inverted in the equator.

    x -> x/(k |x|^2),    curvature K -> k^2/K,    v -> (v - 2 (e.v) e)/(k |x|^2),    e = x/|x|

============ ==================== ==================================================================
letter       name in the code     what it is
============ ==================== ==================================================================
K            k                    the curvature, (), with its derivative
k            number               the same number without a derivative
k |x|^2      square               (..., 1); 1 on the equator
x, v         source, v            a point and a vector at it, (..., n)
============ ==================== ==================================================================

Next to infinity what depends on K is 1/(k|x|^2) of the terms that a map is made of, and a
derivative by K is what they leave of one another. The inversion by a *number* k is an isometry onto
the model of curvature k^2/K but for the unit of length; there the same points are next to the
origin, where every map is smooth in K.

Domain: K > 0 and points up to the edge; elsewhere points are left as they are.
Bound: 2 units of u: a quotient and a product; the maps keep 8 in value and 32 in gradient.
Proof: none, the rotation of the sphere by pi, with tn(pi/2 - t) = 1/(k tn t).
Certificate: Stereographic.expmap, Stereographic.logmap, Stereographic.transport
"""

from typing import NamedTuple

import torch
from torch import Tensor

from ..arithmetic.vectors import dot, normalize
from .conformal import kdot
from .points import at_infinity

# k|x|^2 from which on the exponential map at x goes by the inversion: up to there its derivative by
# K loses less than a bit.
_FAR = 4.0


class Inverted(NamedTuple):
    """Points in the inverted chart where ``beyond`` says so, else as they are."""

    beyond: Tensor
    """Where the chart is the inverted one, (..., 1)."""
    number: Tensor
    """k without a derivative, ()."""
    k: Tensor
    """The curvature of the chart, (..., 1)."""
    x: Tensor
    """The point in the chart, (..., n)."""
    source: Tensor
    """The point as it is, (..., n)."""
    square: Tensor
    """k|x|^2 of the source; 1 where it is not beyond."""

    def enter(self, v: Tensor) -> Tensor:
        """A vector at the source, in the chart."""
        return torch.where(self.beyond, self._mirrored(v) / self.square, v)

    def leave(self, v: Tensor) -> Tensor:
        """The inverse of ``enter``."""
        return torch.where(self.beyond, self._mirrored(v) * self.square, v)

    def point(self, y: Tensor, side: Tensor) -> Tensor:
        """A point of the chart, brought back; if that is at infinity, on the side of ``side``.

        Near the source it is that and a difference, so that the same point comes back to the bit.
        """
        some = y.where(self.beyond, 1.0)
        square = kdot(self.number, some, some)
        # The origin of the chart is infinity: there is no quotient, only a side.
        infinite = self.beyond & ~(square > 0)
        square = square.where(self.beyond & ~infinite, 1.0)
        x, step = self.x.where(self.beyond, 1.0), some - self.x.where(self.beyond, 1.0)
        x2 = kdot(self.number, x, x).where(self.beyond, 1.0)
        close = _close(self.number, step, x2, square)
        there = self.source + _difference(self.number, x, some, step, x2, square)
        back = torch.where(close, there, some / square)
        return at_infinity(infinite, side, torch.where(self.beyond, back, y))

    def _mirrored(self, v: Tensor) -> Tensor:
        ray, _ = normalize(self.source.where(self.beyond, 1.0))
        return v - 2 * dot(ray, v) * ray


def inverted(k: Tensor, x: Tensor) -> Inverted:
    """One point."""
    number = k.detach()
    x2 = kdot(number, x, x)
    return _inverted(k, number, x, x2, (k > 0) & (x2 > _FAR) & _within(x2))


def inverted_pair(
    k: Tensor, x: Tensor, y: Tensor, step: Tensor, *, on_the_whole: bool = False
) -> tuple[Inverted, Inverted, Tensor]:
    """Two points and their step, in the inverted chart where both are beyond the equator.

    With one of them next to the origin a length at it is 1 + 1/x^2 over 1/x^2 in the chart, whose
    derivative by x is what the two leave of one another. Of a transport to 300 R on a line, in
    float32, it would be 1 % off.

    Args:
        on_the_whole: invert where k|x||y| > 1, also if one of the points is not beyond.
    """
    number = k.detach()
    x2, y2 = kdot(number, x, x), kdot(number, y, y)
    out = x2 * y2 > 1 if on_the_whole else torch.minimum(x2, y2) > 1
    # Where k|x|^2 is 1/(k|y|^2) the two are as far from the origin as from infinity, on the whole.
    beyond = (k > 0) & out & _within(x2) & _within(y2)
    a, b = (_inverted(k, number, *of, beyond) for of in ((x, x2), (y, y2)))
    close = _close(number, step, a.square, b.square)
    short = _difference(number, x, y, step, a.square, b.square)
    there = torch.where(close, short, b.x - a.x)
    return a, b, torch.where(beyond, there, step)


def _inverted(k: Tensor, number: Tensor, x: Tensor, x2: Tensor, beyond: Tensor) -> Inverted:
    # number^2/k is k in value, and its derivative by k is that of the inverted curvature.
    curvature = torch.where(beyond, number * (number / k.where(beyond, 1.0)), k)
    square = x2.where(beyond, 1.0)
    return Inverted(beyond, number, curvature, x / square, x, square)


def _within(square: Tensor) -> Tensor:
    """Whether k|x|^2 is that of a point, with a factor 2 of room: see ``edge``.

    The inverse of what is longer may underflow.
    """
    return square.sqrt() <= 32 / torch.finfo(square.dtype).eps


def _close(k: Tensor, step: Tensor, x2: Tensor, y2: Tensor) -> Tensor:
    """Whether the step between two points is less than half as long as the longer of them."""
    return 4 * kdot(k, step, step) < torch.maximum(x2, y2)


def _difference(k: Tensor, x: Tensor, y: Tensor, step: Tensor, x2: Tensor, y2: Tensor) -> Tensor:
    """y/y2 - x/x2, the squares with the factor k, from the step y - x."""
    return (step - kdot(k, step, x + y) / x2 * x) / y2
