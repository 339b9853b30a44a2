"""All distances, in blocks: what an index is measured by, and what it falls back on."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from ..manifolds import Manifold
from ..manifolds.checks import ArrayLike, check_integer, check_tensor, to_tensor
from ..manifolds.manifold_checks import check_manifold

_BLOCK = 2**22  # numbers of a block: 32 MB in float64


class Neighbours(NamedTuple):
    """The k nearest points of each query, nearest first."""

    distances: Tensor
    """(..., k), in the dtype of the points and the queries."""
    indices: Tensor
    """(..., k), int64, rows of the points; -1 (and distance inf) where an index found fewer."""


@torch.no_grad()
def brute_force(
    manifold: Manifold, points: ArrayLike, queries: ArrayLike, k: int, *, matmul: bool = False
) -> Neighbours:
    """The k nearest points by ``manifold.cdist`` of all pairs, in blocks: no index at all.

    Args:
        manifold: the space.
        points: (N, m).
        queries: (..., m).
        k: how many, at most N.
        matmul: as in :meth:`Manifold.cdist`: one matrix product in float64 is many times faster
            and resolves what is farther apart than about 1e-8 cs(r).

    Raises:
        TypeError: not a manifold, or no floating-point tensors.
        ValueError: shapes that do not agree, k out of range, or numbers that are not finite.
    """
    here = "search.brute_force"
    points, queries = to_tensor(here, "points", points), to_tensor(here, "queries", queries)
    check_tensor(here, "queries", queries)
    rows = check_sets(here, manifold, points, queries, k)
    dtype = torch.promote_types(points.dtype, queries.dtype)
    found = []
    pairs = 1 if matmul else points.shape[-1]
    most = max(1, _BLOCK // pairs)
    height = max(1, min(256, most // 4096))
    for first in range(0, len(rows), height):
        some = rows[first : first + height].double()
        near = torch.full((len(some), 0), torch.inf, dtype=torch.float64, device=rows.device)
        where = near.long()
        for start in range(0, len(points), step := max(k, most // len(some))):
            block = points[start : start + step].double()
            d = manifold.cdist(some, block, matmul=matmul)
            index = torch.arange(start, start + len(block), device=rows.device).expand(d.shape)
            near, where = nearest(torch.cat([near, d], -1), torch.cat([where, index], -1), k)
        found.append((near, where))
    leading = queries.shape[:-1]
    return Neighbours(
        torch.cat([d for d, _ in found]).reshape(*leading, k).to(dtype),
        torch.cat([i for _, i in found]).reshape(*leading, k),
    )


def nearest(distances: Tensor, indices: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k smallest of each row, sorted, with their indices."""
    near, order = distances.topk(min(k, distances.shape[-1]), largest=False)
    return near, indices.gather(-1, order)


def check_sets(
    where: str, manifold: Manifold, points: Tensor, queries: Tensor | None, k: int
) -> Tensor:
    """Reject what cannot be searched; the queries (or the points) as rows (Q, m)."""
    check_manifold(where, manifold)
    named = [("points", points)] + ([("queries", queries)] if queries is not None else [])
    for name, value in named:
        check_tensor(where, name, value)
    least = 1 + manifold.ambient_dim(0)
    if points.ndim != 2 or not len(points) or points.shape[1] < least:
        raise ValueError(
            f"{where}: points have shape {tuple(points.shape)}; expected (N, m) with N >= 1 and "
            f"m >= {least}."
        )
    if not points.isfinite().all():
        raise ValueError(f"{where}: points have entries that are not finite; expected finite.")
    if queries is None:
        return points
    if queries.ndim < 1 or queries.shape[-1] != points.shape[1]:
        raise ValueError(
            f"{where}: queries have shape {tuple(queries.shape)} and points "
            f"{tuple(points.shape)}; expected the same number of coordinates on the last axis."
        )
    if not queries.isfinite().all():
        raise ValueError(f"{where}: queries have entries that are not finite; expected finite.")
    check_integer(where, "k", k, 1)
    if not 1 <= k <= len(points):
        raise ValueError(f"{where}: k is {k}; expected 1 to {len(points)}, the number of points.")
    return queries.reshape(-1, queries.shape[-1])
