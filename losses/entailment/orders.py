"""Orders without angles: by coordinates, and by distance from the origin."""

import math

from torch import Tensor

from ...manifolds import Manifold
from ...manifolds.checks import check_coordinates, check_number
from ..common import Reduction, check_manifold, check_reduction, in_float32, reduce


def order_embedding(parent: Tensor, child: Tensor, *, reduction: Reduction = "mean") -> Tensor:
    r"""How far a child is from having every coordinate at least its parent's.

    .. math:: E(p, c) = |\max(0,\ p - c)|^2

    (Vendrov et al. 2016, who keep coordinates non-negative: the origin is then above all).
    The cone at p is the orthant :math:`p + \mathbb R_+^n`, so loss 0 is transitive. Coordinates are
    those of flat space; on another manifold take ``to_normal`` of its points. For negatives the
    paper's term is :math:`\max(0, \alpha - E(p', c'))`: :func:`order_ranking`.

    Args:
        parent: coordinates (..., n).
        child: coordinates (..., n).
        reduction: ``"mean"``, ``"sum"`` or ``"none"``: (...).

    Returns:
        A squared length, in float32 (float64 for float64 inputs); smooth, gradient 0 inside.
    """
    where = "order_embedding"
    check_reduction(where, reduction)
    parent, child = in_float32(where, parent=parent, child=child)
    return reduce(_order(where, parent=parent, child=child), None, reduction)


def order_ranking(
    parent: Tensor,
    child: Tensor,
    negative_parent: Tensor,
    negative_child: Tensor,
    *,
    margin: float = 1.0,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""The order of coordinates for children, broken by a margin for what is no child.

    .. math:: L = E(p, c) + \sum_k \max\bigl(0,\ \alpha - E(p'_k, c'_k)\bigr),

    E as in :func:`order_embedding` (Vendrov et al. 2016). A negative in order has E = 0
    and no gradient, as with the relu of :func:`entailment_ranking`.

    Args:
        parent: coordinates (..., n).
        child: coordinates (..., n).
        negative_parent: coordinates (..., k, n) or (..., 1, n).
        negative_child: coordinates (..., k, n) or (..., 1, n).
        margin: alpha > 0, a squared length.
        reduction: over the positive pairs: ``"mean"``, ``"sum"`` or ``"none"``: (...).

    Returns:
        A squared length, in float32 (float64 for float64 inputs).
    """
    where = "order_ranking"
    check_reduction(where, reduction)
    p, c, q, d = in_float32(
        where,
        parent=parent,
        child=child,
        negative_parent=negative_parent,
        negative_child=negative_child,
    )
    return ranked(
        where,
        _order(where, parent=p, child=c),
        _order(where, negative_parent=q, negative_child=d),
        margin,
        reduction,
    )


def radial_order(
    parent: Tensor,
    child: Tensor,
    *,
    manifold: Manifold,
    margin: float = 0.0,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Penalty for a child that is not farther from the origin than its parent by a margin.

    .. math:: L = \max\bigl(0,\ r(p) + \mu - r(c)\bigr),\qquad r(x) = d(\mathrm{origin}, x).

    Depth by radius alone, with no word on directions; on :class:`Product` the radius is that of its
    metric. At the origin, where the radius has no derivative, its gradient is 0.

    Args:
        parent: points (..., m).
        child: points (..., m).
        manifold: the space of both.
        margin: mu >= 0, a length.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``: (...).

    Returns:
        A length, in float32 (float64 for float64 inputs).
    """
    where = "radial_order"
    check_reduction(where, reduction)
    check_manifold(where, manifold)
    check_number(where, "margin", margin)
    if not 0 <= margin < math.inf:
        raise ValueError(f"{where}: margin is {margin}; expected a non-negative length.")
    parent, child = in_float32(where, parent=parent, child=child)
    check_coordinates(where, [("parent", parent), ("child", child)], manifold.ambient_dim(0) + 1)
    # dist has gradient 0 at coincident points, so that a point at the origin gets none.
    inner, outer = (_radius(manifold, x) for x in (parent, child))
    return reduce((inner + margin - outer).relu(), None, reduction)


def ranked(
    where: str, positive: Tensor, negative: Tensor, margin: float, reduction: Reduction
) -> Tensor:
    """Energies of positive pairs (...) and of k negative ones for each (..., k), as a loss."""
    check_number(where, "margin", margin)
    if not 0 < margin < math.inf:
        raise ValueError(f"{where}: margin is {margin}; expected a positive number.")
    # Without the axis of the k negatives the sum would be over pairs, and broadcast in silence.
    if negative.ndim <= positive.ndim:
        raise ValueError(
            f"{where}: there are positive pairs of shape {tuple(positive.shape)} and negative ones "
            f"of shape {tuple(negative.shape)}; expected an axis more, (..., k), for the k "
            "negatives of each pair: points (..., k, m)."
        )
    return reduce(positive + (margin - negative).relu().sum(-1), None, reduction)


def _order(where: str, **pair: Tensor) -> Tensor:
    check_coordinates(where, pair.items(), 1)
    parent, child = pair.values()
    return (parent - child).relu().square().sum(-1)


def _radius(manifold: Manifold, x: Tensor) -> Tensor:
    # ambient_dim(0) is the number of extra coordinates: m = n + that in all of the models.
    n = x.shape[-1] - manifold.ambient_dim(0)
    return manifold.dist(manifold.origin(n, dtype=x.dtype, device=x.device), x)
