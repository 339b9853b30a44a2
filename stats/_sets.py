"""What every statistic does first: look at a set of points and its weights."""

from __future__ import annotations

from torch import Tensor

from ..manifolds import Checked, Lorentz, PoincareBall
from ..manifolds._kappa_forms import ball_of
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


def hyperbolic(where: str, manifold: Manifold) -> Manifold:
    """The manifold, or the ball of its points; rejects what is no model of hyperbolic space."""
    if isinstance(manifold, Manifold):
        if isinstance(model(manifold), Lorentz | PoincareBall):
            return manifold
        if manifold._family == "kappa" and manifold.sign < 0:
            return ball_of(manifold)
    raise TypeError(
        f"{where}: manifold is {manifold!r}; expected Lorentz, PoincareBall or Stereographic with "
        "K < 0."
    )
