"""Tangent vectors anywhere as n components, in the standard frame carried from the origin."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor

if TYPE_CHECKING:
    from ..base import Manifold


def from_components(manifold: Manifold, x: Tensor, v: Tensor) -> Tensor:
    """The tangent vector at x (..., m) with components v (..., n): (..., m), of length |v|."""
    return manifold.transport0(x, manifold._lift_tangent0(v))


def components(manifold: Manifold, x: Tensor, v: Tensor) -> Tensor:
    """The inverse of :func:`from_components`: (..., m), (..., m) -> (..., n)."""
    return manifold._drop_tangent0(manifold.transport0_inverse(x, v))
