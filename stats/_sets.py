"""What every statistic does first: look at a set of points and its weights."""

from __future__ import annotations

from torch import Tensor

from ..manifolds import ChartManifold, Lorentz, PoincareBall
from ..manifolds.base import Manifold
from ..manifolds.manifold_checks import check_manifold
from ..manifolds.operations.open_form import ball_of
from ..manifolds.solvers.weights import check_set, normalised
from ..manifolds.space_form import Context


def enter(
    op: str, manifold: Manifold, x: Tensor, weights: Tensor | None
) -> tuple[Tensor, Tensor, Context]:
    """Points (..., k, m) at unit curvature, weights (..., k, 1) with sum 1, the way back."""
    check_manifold(op, manifold)
    (x,), call = manifold._to_unit(op, [("x", x)])
    check_set(op, x)
    return x, normalised(op, x, weights).unsqueeze(-1), call


def hyperbolic(where: str, manifold: Manifold) -> Manifold:
    """The manifold, or the ball of its points; rejects what is no model of hyperbolic space."""
    if isinstance(manifold, Manifold):
        if isinstance(manifold, Lorentz | PoincareBall):
            return manifold
        if isinstance(manifold, ChartManifold) and manifold.sign < 0:
            return manifold
        if manifold._family == "kappa" and manifold.sign < 0:
            return ball_of(manifold)
    raise TypeError(
        f"{where}: manifold is {manifold!r}; expected Lorentz, PoincareBall or Stereographic with "
        "K < 0."
    )
