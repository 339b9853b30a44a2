"""Distances of a finite metric space: as a table, as points, or as a function that gives rows."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from ..manifolds import Manifold
from ..manifolds.checks import INTEGERS, ArrayLike, check_coordinates, check_integer, to_tensor
from ..manifolds.manifold_checks import check_manifold

Rows = Callable[[Tensor], Tensor]
"""(B,) indices -> (B, n), the distances of these points from all."""
Distances = ArrayLike | Callable[[Tensor], ArrayLike]
"""What users give: a table (n, n), points of a manifold, or such a function."""

CELLS = 2**21  # numbers of a block


def rows_of(
    where: str,
    name: str,
    distances: Distances,
    manifold: Manifold | None,
    count: int | None,
    *,
    metric: bool = True,
) -> tuple[Rows, int]:
    """Rows in float64, and how many points there are.

    Args:
        where, name: function and argument, for sentences.
        distances: (n, n), or points (n, m) if there is a manifold, or a function.
        manifold: of the points.
        count: n, needed for a function alone.
        metric: whether a table must be symmetric, with zeros on its diagonal and none below zero.

    Raises:
        TypeError: neither a real tensor nor a function.
        ValueError: a table that is none of distances.
    """
    if callable(distances) and not isinstance(distances, Tensor):
        if count is None:
            raise ValueError(f"{where}: count is None; expected n where {name} is a function.")
        check_integer(where, "count", count, 1)
        return _looked_at(where, name, distances, count), count
    if manifold is not None:
        check_manifold(where, manifold)
        points = to_tensor(where, name, distances)
        check_coordinates(where, [(name, points)], manifold.ambient_dim(1))
        if points.ndim != 2 or not len(points):
            raise ValueError(
                f"{where}: {name} has shape {tuple(points.shape)}; expected points (n, m), n > 0."
            )
        points = points.detach().double()
        return _looked_at(where, name, lambda i: manifold.cdist(points[i], points), len(points)), (
            len(points)
        )
    distances = to_tensor(where, name, distances)
    if isinstance(distances, Tensor) and distances.dtype in INTEGERS:  # numbers of edges
        distances = distances.double()
    check_coordinates(where, [(name, distances)], 1)
    table = distances.detach()
    if table.ndim != 2 or table.shape[0] != table.shape[1] or not len(table):
        raise ValueError(
            f"{where}: {name} has shape {tuple(table.shape)}; expected a square table (n, n) of "
            "distances, or points and manifold=."
        )
    if metric:
        _check_metric(where, name, table)
    elif bool(table.isnan().any()):
        raise ValueError(f"{where}: {name} holds NaN; expected numbers.")
    return (lambda i: table[i].double()), len(table)


def _looked_at(where: str, name: str, rows: Callable[[Tensor], ArrayLike], count: int) -> Rows:
    def look(index: Tensor) -> Tensor:
        found = to_tensor(where, name, rows(index))
        if not isinstance(found, Tensor) or found.shape != (len(index), count):
            got = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
            raise ValueError(
                f"{where}: {name} gives {got} for {len(index)} indices; expected a tensor "
                f"{(len(index), count)}."
            )
        if bool(found.isnan().any()):
            raise ValueError(f"{where}: {name} gives NaN; expected numbers.")
        return found.detach().double()

    return look


def _check_metric(where: str, name: str, table: Tensor) -> None:
    largest = float(table.abs().max())
    # torch.cdist and others take the root of squares by matrix products, rounded by eps largest^2:
    # where a distance is 0 that is sqrt(eps) largest, and no two halves of a table round alike. The
    # table is in float64 here, but may have been made in float32.
    slack = 4 * torch.finfo(torch.float32).eps ** 0.5 * largest
    if not largest < torch.inf:
        what = "NaN" if math.isnan(largest) else "infinite ones"
        raise ValueError(f"{where}: {name} holds {what}; expected finite distances.")
    if bool((table < 0).any()):
        raise ValueError(
            f"{where}: {name} holds {float(table.min()):g}; expected no distance below 0."
        )
    if float(table.diagonal().abs().max()) > slack or float((table - table.mT).abs().max()) > slack:
        raise ValueError(
            f"{where}: {name} is no table of distances; expected a symmetric one with zeros on its "
            "diagonal."
        )


def blocks(index: Tensor, count: int) -> list[Tensor]:
    """Indices in parts, of which each has rows of about two million numbers together."""
    return list(torch.split(index, max(1, CELLS // count)))


def drawn(count: int, size: int, seed: int) -> Tensor:
    """Indices of all points if there are no more than ``size``, of as many by chance if there
    are."""
    if count <= size:
        return torch.arange(count)
    generator = torch.Generator().manual_seed(seed)
    return torch.randperm(count, generator=generator)[:size].sort().values


def table_of(where: str, name: str, rows: Rows, index: Tensor, count: int) -> Tensor:
    """(k, k), the distances of these points among themselves, symmetric."""
    table = torch.cat([rows(part)[:, index] for part in blocks(index, count)])
    _check_metric(where, name, table)
    table = (table + table.mT) / 2
    return table.fill_diagonal_(0)
