"""Points that are near to everything: how much of a search they take, and distances without them.

Among points of many dimensions a few are the neighbours of most queries. In a curved space with
learned radii those near the root are: it is near to every point, whatever it shows.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..manifolds.checks import ArrayLike, check_integer, check_tensor, to_tensor


@torch.no_grad()
def hubness(distances: ArrayLike, k: int = 10) -> float:
    """Skewness of how often a point is among the k nearest of a query: 0 if all are as often.

    The mean cubed deviation of those counts over their standard deviation cubed; above 1 or so a
    few points take the places of the others. (Radovanovic, Nanopoulos and Ivanovic 2010, "Hubs in
    Space", equation 1.)

    Args:
        distances: (Q, N), of Q queries to N points, smaller is nearer. Of equal ones some are
            taken for nearer, often the same, which is unevenness too: of half types, in which many
            are equal, give the distances in float64.
        k: neighbours of a query, at most N; with N every point is one of every query, and the
            result is 0.

    Raises:
        TypeError: no numbers.
        ValueError: another shape, no query or point, k out of range, or a NaN.
    """
    d = _table("search.hubness", distances, k)
    counts = torch.bincount(d.topk(k, dim=1, largest=False).indices.flatten(), minlength=d.shape[1])
    # In whole numbers where all counts are equal: no skewness of rounding.
    off = (counts * d.shape[1] - k * d.shape[0]).double()
    spread = off.square().mean().sqrt()
    return float((off / spread).pow(3).mean()) if spread > 0 else 0.0


@torch.no_grad()
def csls(distances: ArrayLike, k: int = 10) -> Tensor:
    """Distances less how near each side is to the other set: d(x, y) - (r(x) + r(y)) / 2.

    r is the mean distance to the k nearest of the other set, so a point that is near to everything
    is no longer nearest to everything (cross-domain similarity local scaling, Conneau et al. 2018,
    section 2.3, where it is of similarities and twice as large). The order of a query's points
    depends on the other queries: take those that are asked in practice.

    Args:
        distances: (Q, N), of Q queries to N points, finite, smaller is nearer; of similarities
            take the negative.
        k: neighbours on both sides; where there are fewer all of them.

    Returns:
        (Q, N) in the dtype of the distances; no distances any more, and some are negative.

    Raises:
        TypeError: no numbers.
        ValueError: another shape, no query or point, k below 1, or a number that is not finite.
    """
    d = _table("search.csls", distances, k, at_most=False)
    if d.isinf().any():
        raise ValueError(
            f"search.csls: {int(d.isinf().sum()):,} distances are infinite; expected finite ones."
        )
    rows, columns = (
        d.topk(min(k, d.shape[axis]), dim=axis, largest=False).values.mean(axis, keepdim=True)
        for axis in (1, 0)
    )
    return d - rows / 2 - columns / 2  # their sum may overflow where the result does not


def _table(where: str, distances: ArrayLike, k: int, *, at_most: bool = True) -> Tensor:
    d = to_tensor(where, "distances", distances)
    check_tensor(where, "distances", d)
    check_integer(where, "k", k, 1)
    if d.ndim != 2 or not d.numel():
        raise ValueError(
            f"{where}: distances have shape {tuple(d.shape)}; expected (Q, N), of one query and "
            "one point at least."
        )
    if d.isnan().any():
        raise ValueError(f"{where}: {int(d.isnan().sum()):,} distances are NaN; expected numbers.")
    if at_most and k > d.shape[1]:
        raise ValueError(f"{where}: k is {k}; expected 1 to {d.shape[1]}, the number of points.")
    return d
