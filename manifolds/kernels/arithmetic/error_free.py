r"""The part of a vector across another, from products without rounding.

    L = v - (v.x/|x|^2) x

============ ==================== ==================================================================
letter       name in the code     what it is
============ ==================== ==================================================================
x, v         x, v                 two vectors, (..., n), x != 0
L            lateral(x, v)        the part of v across x, (..., n)
pivot        pivot                the largest coordinate of x, (..., 1)
============ ==================== ==================================================================

Domain: float32 or float64, x of any length but 0; without a derivative.
Bound: 8 units of u of L itself, however much longer v is.
Proof: none, error-free products by Dekker 1971 and Veltkamp.
Certificate: Lorentz.translation, Lorentz.reflection
"""

import torch
from torch import Tensor

from .vectors import binary_scale, dot, normalize

# Veltkamp's constant: by its product with this a float64 of 53 bits falls apart into two halves of
# 26 bits and a sign, whose products are exact.
_HALVES = 2.0**27 + 1


def lateral(x: Tensor, v: Tensor) -> Tensor:
    """The part of v across x != 0, to full relative precision; no derivative.

    The plain v - (v.x/|x|^2) x has the rounding of v. A vector that is all but parallel to x, as
    one along the ray far out on the hyperboloid, may be T times longer than its lateral part.
    """
    # So a multiple of x is taken from v that leaves 0 of one coordinate, the pivot's, and exact
    # differences of products of the others; what is left of it along x is no longer than what is
    # across, and two projections take it off.
    x, v = torch.broadcast_tensors(x, v)  # type: ignore[no-untyped-call]
    scale = binary_scale(v)
    wide, w = (x / binary_scale(x)).double(), (v / scale).double()
    place = wide.abs().argmax(-1, keepdim=True)
    pivot = wide.gather(-1, place)
    # Products of numbers that were float32 are exact in float64.
    difference = _minor if x.dtype == torch.float64 else _plain_minor
    rest = difference(w, pivot, wide, w.gather(-1, place)) / pivot
    ray, _ = normalize(wide)
    for _ in range(2):
        rest = rest - dot(ray, rest) * ray
    return scale * rest.to(v.dtype)


def _plain_minor(a: Tensor, b: Tensor, c: Tensor, d: Tensor) -> Tensor:
    """a b - c d, of products that are exact as they are."""
    return a * b - c * d


def _minor(a: Tensor, b: Tensor, c: Tensor, d: Tensor) -> Tensor:
    """a b - c d to the last bit but one: the products' roundings are taken along."""
    (first, low), (second, below) = _product(a, b), _product(c, d)
    return (first - second) + (low - below)


def _product(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """The rounded product, and what rounding took from it (Dekker 1971)."""
    product = a * b
    (a1, a2), (b1, b2) = _halves(a), _halves(b)
    return product, ((a1 * b1 - product) + a1 * b2 + a2 * b1) + a2 * b2


def _halves(a: Tensor) -> tuple[Tensor, Tensor]:
    """The upper 26 bits, and the rest (Veltkamp)."""
    high = _HALVES * a
    high = high - (high - a)
    return high, a - high
