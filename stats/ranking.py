"""How well distances say who is related to whom: mean rank and mean average precision."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from ..manifolds import Manifold
from ..manifolds.checks import ArrayLike, check_integers, to_tensor
from ._rows import Distances, blocks, rows_of


class Reconstruction(NamedTuple):
    """Averages over points that have a related one (MAP), and over pairs (the mean rank)."""

    map: float
    mean_rank: float


@torch.no_grad()
def reconstruction(
    distances: Distances,
    pairs: ArrayLike,
    *,
    manifold: Manifold | None = None,
    count: int | None = None,
    points: ArrayLike | None = None,
) -> Reconstruction:
    """Rank all points by their distance from each one, and see where its related ones stand.

    The rank of a related point is one more than the number of points that are nearer and are not
    related; MAP is the mean over points of the average precision, the mean over its related points
    in their order of i/(i + those nearer ones) (Nickel and Kiela 2017). A tie counts half, as it
    does on the average where ties are broken by chance. The point itself is no candidate. Of
    ``pairs`` (u, v) only v is looked for from u: both ways of an undirected edge are two pairs.
    Memory is that of blocks of about two million distances.

    Args:
        distances: (n, n), any numbers, small for the related; or points (n, m) of ``manifold``; or
            a function that for indices (B,) gives their distances from all, (B, n).
        pairs: (P, 2) integers, each pair once.
        manifold: the space of the points.
        count: n, where ``distances`` is a function.
        points: (k,) indices of those that are measured; all with a related point if None.

    Raises:
        TypeError, ValueError: no such table, pairs that are none of n points, or a point without
            a related one.

    >>> import torch
    >>> line = torch.tensor([[0.0, 1, 3], [1, 0, 2], [3, 2, 0]])
    >>> reconstruction(line, torch.tensor([[0, 1], [2, 0]]))
    Reconstruction(map=0.75, mean_rank=1.5)
    """
    precision, ranks, measured, total = 0.0, 0.0, 0, 0
    for within, nearer in _nearer("reconstruction", distances, pairs, manifold, count, points):
        own = within.sum(1)
        i = torch.arange(1, within.shape[1] + 1)
        precision += float((i / (i + nearer)).where(within, 0.0).sum(1).div(own).sum())
        ranks += float((nearer + 1).where(within, 0.0).sum())
        measured, total = measured + len(own), total + int(own.sum())
    return Reconstruction(precision / measured, ranks / total)


@torch.no_grad()
def related_ranks(
    distances: Distances,
    pairs: ArrayLike,
    *,
    manifold: Manifold | None = None,
    count: int | None = None,
    points: ArrayLike | None = None,
) -> Tensor:
    """The ranks whose mean is :func:`mean_rank`, of all pairs: (R,) float64, by their points.

    Arguments, errors and ties as for :func:`reconstruction`; the ranks of one point's related ones
    are in their order.

    >>> import torch
    >>> line = torch.tensor([[0.0, 1, 3], [1, 0, 2], [3, 2, 0]])
    >>> related_ranks(line, torch.tensor([[0, 1], [2, 0]]))
    tensor([1., 2.], dtype=torch.float64)
    """
    found = _nearer("related_ranks", distances, pairs, manifold, count, points)
    return torch.cat([(nearer + 1)[within] for within, nearer in found])


def _nearer(
    where: str,
    distances: Distances,
    pairs: ArrayLike,
    manifold: Manifold | None,
    count: int | None,
    points: ArrayLike | None,
) -> Iterator[tuple[Tensor, Tensor]]:
    """By blocks of points: which of (B, most) are related ones, and how many others are nearer."""
    rows, count = rows_of(where, "distances", distances, manifold, count, metric=False)
    pairs = _sorted(where, to_tensor(where, "pairs", pairs), count)
    sizes = torch.bincount(pairs[:, 0], minlength=count)
    starts = sizes.cumsum(0) - sizes
    if points is None:
        points = sizes.nonzero().squeeze(-1)
    else:
        points = to_tensor(where, "points", points)
        _check_points(where, points, sizes)
    for block in blocks(points, count):
        begin, own = starts[block], sizes[block]
        most = int(own.max())
        table = rows(block).clone(memory_format=torch.contiguous_format)
        within = torch.arange(most) < own[:, None]
        place = (begin[:, None] + torch.arange(most)).clamp(max=len(pairs) - 1)
        related = pairs[place, 1]
        right = table.gather(1, related).where(within, torch.inf).sort(dim=1).values
        # Related points and the point itself are no candidates: they fall behind all.
        table.scatter_(1, block[:, None], torch.inf)
        table.scatter_(1, related.where(within, block[:, None]), torch.inf)
        # Candidates nearer than the i-th related point, by how many of these each is behind; those
        # that are as near are half.
        nearer = torch.zeros(len(own), most, dtype=torch.float64)
        for strictly in (False, True):
            behind = torch.searchsorted(right, table, right=strictly)
            counts = torch.zeros(len(own), most + 1, dtype=torch.float64)
            counts.scatter_add_(1, behind, torch.ones_like(table))
            nearer += counts.cumsum(1)[:, :most] / 2
        yield within, nearer


def mean_average_precision(
    distances: Distances,
    pairs: ArrayLike,
    *,
    manifold: Manifold | None = None,
    count: int | None = None,
    points: ArrayLike | None = None,
) -> float:
    """The first of :func:`reconstruction`, which has both for the price of one; 1 at best."""
    return reconstruction(distances, pairs, manifold=manifold, count=count, points=points).map


def mean_rank(
    distances: Distances,
    pairs: ArrayLike,
    *,
    manifold: Manifold | None = None,
    count: int | None = None,
    points: ArrayLike | None = None,
) -> float:
    """The second of :func:`reconstruction`, which has both for the price of one; 1 at best."""
    return reconstruction(distances, pairs, manifold=manifold, count=count, points=points).mean_rank


def _sorted(where: str, pairs: Tensor, count: int) -> Tensor:
    check_integers(where, "pairs", pairs)
    if pairs.ndim != 2 or pairs.shape[1] != 2 or not len(pairs):
        raise ValueError(f"{where}: pairs has shape {tuple(pairs.shape)}; expected (P, 2), P > 0.")
    low, high = int(pairs.min()), int(pairs.max())
    if low < 0 or high >= count:
        raise ValueError(
            f"{where}: pairs has indices from {low} to {high}; expected them from 0 to {count - 1}."
        )
    if bool((pairs[:, 0] == pairs[:, 1]).any()):
        raise ValueError(f"{where}: pairs has one of a point and itself; expected different ends.")
    keys = (pairs[:, 0].long() * count + pairs[:, 1]).sort().values
    if bool((keys[1:] == keys[:-1]).any()):
        raise ValueError(f"{where}: pairs has one that comes twice; expected each once.")
    return torch.stack([keys // count, keys % count], dim=1)


def _check_points(where: str, points: Tensor, sizes: Tensor) -> None:
    check_integers(where, "points", points)
    if points.ndim != 1 or not len(points):
        raise ValueError(f"{where}: points has shape {tuple(points.shape)}; expected (k,), k > 0.")
    if int(points.min()) < 0 or int(points.max()) >= len(sizes):
        raise ValueError(
            f"{where}: points has indices from {int(points.min())} to {int(points.max())}; "
            f"expected them from 0 to {len(sizes) - 1}."
        )
    if bool((sizes[points.long()] == 0).any()):
        raise ValueError(f"{where}: points has one without a pair; expected a related point each.")
