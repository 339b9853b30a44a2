"""What every statistic does first: look at a set of points and its weights."""

from __future__ import annotations

from torch import Tensor

from ..manifolds import Checked, Lorentz, PoincareBall
from ..manifolds._sets import check_set, normalised
from ..manifolds.base import Manifold, check_manifold
from ..manifolds.unit import Call


def enter(
    op: str, manifold: Manifold, x: Tensor, weights: Tensor | None, *, look: bool = True
) -> tuple[Tensor, Tensor, Call]:
    """Points (..., k, m) at unit curvature, weights (..., k, 1) with sum 1, the way back."""
    check_manifold(op, manifold)
    (x,), call = manifold._enter(op, [("x", x)])
    check_set(op, x)
    return x, normalised(op, x, weights, look=look).unsqueeze(-1), call


def model(manifold: Manifold) -> Manifold:
    """The manifold itself, not one that checks its values."""
    return manifold.manifold if isinstance(manifold, Checked) else manifold


def check_hyperbolic(where: str, manifold: Manifold) -> None:
    """Reject what is no model of hyperbolic space."""
    if not isinstance(manifold, Manifold) or not isinstance(
        model(manifold), Lorentz | PoincareBall
    ):
        raise TypeError(f"{where}: manifold is {manifold!r}; expected Lorentz or PoincareBall.")
