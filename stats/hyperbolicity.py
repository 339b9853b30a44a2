"""Gromov's four-point hyperbolicity of a finite metric space."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..manifolds import Manifold
from ..manifolds.checks import check_integer
from ._rows import Distances, blocks, drawn, rows_of, table_of

_CELLS = 2**20  # numbers of a step, which has about ten such tables
_DRAWN = 100_000  # quadruples for the mean
_NORMAL = 1.959964  # quantile of 0.975


@dataclass(frozen=True)
class Hyperbolicity:
    """What :func:`delta_hyperbolicity` found, in units of the distances."""

    delta: float
    """The largest four-point delta of all quadruples that were looked at: never above the true
    one."""
    upper: float
    """What the true one cannot exceed; equal to ``delta`` if that is exact."""
    diameter: float
    """The largest distance; of a sample, the largest that was seen."""
    relative: float
    """2 delta / diameter, from 0 (a tree) to 1; 0 if all points coincide."""
    mean: float
    """The mean delta of quadruples of different points."""
    interval: tuple[float, float]
    """Of that mean, at 95 % by the normal law; it covers chance, and is no statement on
    ``delta``."""
    points: int
    """How many points were looked at among each other: all, or those of a sample."""
    quadruples: int
    """How many quadruples were looked at, each with its three sums."""

    @property
    def exact(self) -> bool:
        """Whether every quadruple was looked at, or excluded by a bound."""
        return self.delta == self.upper


@torch.no_grad()
def delta_hyperbolicity(
    distances: Distances,
    *,
    manifold: Manifold | None = None,
    count: int | None = None,
    max_points: int = 2000,
    budget: int = 2 * 10**9,
    seed: int = 0,
) -> Hyperbolicity:
    r"""Gromov's delta by the four-point condition: 0 for a tree, and larger the less tree-like.

    Of four points let :math:`S_1 \ge S_2 \ge S_3` be the sums :math:`d(a,b) + d(c,d)`,
    :math:`d(a,c) + d(b,d)`, :math:`d(a,d) + d(b,c)`. The delta of the quadruple is
    :math:`(S_1 - S_2)/2`, that of the space the largest of all quadruples (Gromov 1987, section
    1.1; the convention of SageMath). It is at most half the diameter, whence
    ``relative`` is 2 delta / diameter. Other conventions: without the half (2 delta); the condition
    at one base point w, :math:`\max \min\{(x|y)_w, (y|z)_w\} - (x|z)_w`, which a (max, min)
    product of matrices gives and which is between delta/2 and delta (Fournier, Ismail and Vigneron
    2015); and by thin triangles, up to a factor. Known values: a cycle of n = 4k + r nodes has
    k - 1/2 for r = 1 and k else, an n by n grid n - 1, the hyperbolic plane of curvature -1 log 2.

    The search is that of Cohen, Coudert and Lancin (2015) with the bounds of Borassi, Coudert,
    Crescenzi and Marino (2015): pairs (a, b) by falling distance; since 2 delta of a quadruple is
    at most the smaller distance of the two pairs whose sum is the largest, it ends where d(a, b)
    falls to twice the delta found. A pair that is not far apart (a or b lies on the way from the
    other to a third point) is left out, and of c and d only those remain that keep
    :math:`d(a,b) - |d(a,c) - d(b,c)|` and
    :math:`\min\{\max_d d(c,d), d(a,b)\} + (d(a,b) - d(a,c) - d(b,c))/2` above it. Points that hang
    on another one, :math:`d(x,y) = d(x,x') + d(x',y)` for all y, change no delta and are taken off
    first, which leaves one point of a tree. Worst cases take the fourth power of n: the search
    gives up after ``budget`` steps, and then ``upper`` is what the bounds leave.

    Args:
        distances: (n, n), a metric; or points (n, m) of ``manifold``; or a function that for
            indices (B,) gives their distances from all, (B, n). The triangle inequality is not
            checked.
        manifold: the space of the points.
        count: n, where ``distances`` is a function.
        max_points: of more, so many are drawn and their delta among each other is found. It is
            then a lower bound, and ``upper`` the least eccentricity (the diameter is at most twice
            it).
        budget: numbers that are computed at most; so many take about five seconds of one core.
            That is enough for a tree, a grid, a cycle or a random graph of 2,000 nodes, and for 300
            to 500 points of a cloud, whose deltas are hardly different.
        seed: of the quadruples for the mean, and of the sample.

    Raises:
        TypeError, ValueError: no table of finite distances, or no points.

    >>> import torch
    >>> square = torch.tensor([[0.0, 1, 2, 1], [1, 0, 1, 2], [2, 1, 0, 1], [1, 2, 1, 0]])
    >>> delta_hyperbolicity(square).delta
    1.0
    """
    where = "delta_hyperbolicity"
    for name, value in (("max_points", max_points), ("budget", budget)):
        check_integer(where, name, value, 1)
    check_integer(where, "seed", seed, 0)
    rows, count = rows_of(where, "distances", distances, manifold, count)
    index = drawn(count, max_points, seed)
    table = table_of(where, "distances", rows, index, count)
    mean, interval, largest = _by_chance(table, seed)
    diameter, looked = float(table.max()), 0
    delta, upper = largest, _by_tree(table)
    if upper > delta:
        search = _Search(table, largest, budget)
        delta, left = search.run()
        upper, looked = min(upper, left), search.looked
    if len(index) < count:
        reach = torch.cat([rows(part).amax(dim=1) for part in blocks(index, count)])
        diameter, upper = float(reach.max()), float(reach.min())
    relative = 2 * delta / diameter if diameter > 0 else 0.0
    return Hyperbolicity(
        delta, max(upper, delta), diameter, relative, mean, interval, len(index), looked
    )


def _by_chance(table: Tensor, seed: int) -> tuple[float, tuple[float, float], float]:
    """Mean, its interval and the largest delta of quadruples of different points."""
    if len(table) < 4:
        return 0.0, (0.0, 0.0), 0.0
    generator = torch.Generator().manual_seed(seed)
    four = torch.randint(len(table), (_DRAWN, 4), generator=generator)
    ordered = four.sort(dim=1).values
    a, b, c, d = four[(ordered[:, 1:] != ordered[:, :-1]).all(1)].unbind(1)
    sums = torch.stack(
        [table[a, b] + table[c, d], table[a, c] + table[b, d], table[a, d] + table[b, c]]
    )
    two = sums.topk(2, dim=0).values
    delta = (two[0] - two[1]) / 2
    if not len(delta):
        return 0.0, (0.0, 0.0), 0.0
    mean = float(delta.mean())
    half = _NORMAL * float(delta.std(correction=0)) / len(delta) ** 0.5
    return mean, (mean - half, mean + half), float(delta.max())


class _Search:
    """Pairs by falling distance, until none can hold a larger delta."""

    def __init__(self, table: Tensor, delta: float, budget: int) -> None:
        self.table = table[(kept := _without_pendants(table))][:, kept]
        self.twice = 2 * delta
        # Twice a delta of integers is one, so that a bound must be 1 above the one that is known.
        whole = bool((table == table.round()).all()) and float(table.max()) < 2**20
        self.least = 0.5 if whole else 0.0
        if whole:  # sums of four are exact in float32 too, which takes half the time
            self.table = self.table.float()
        self.looked, self.left = 0, budget

    def run(self) -> tuple[float, float]:
        """The largest delta, and what it cannot exceed."""
        table = self.table
        count = len(table)
        self.reach = table.amax(dim=1)
        a, b = torch.triu_indices(count, count, 1)
        length, order = table[a, b].sort(descending=True)
        a, b = a[order], b[order]
        start, size = 0, 8
        while start < len(length) and float(length[start]) > self.twice + self.least:
            if self.left <= 0:
                return self.twice / 2, float(length[start]) / 2
            part = slice(start, start + size)
            self._look(a[part], b[part], length[part])
            start += size
            # Small at first: the delta of the first pairs spares most of the work on the others.
            size = min(2 * size, max(8, _CELLS // count))
        return self.twice / 2, self.twice / 2

    def _look(self, a: Tensor, b: Tensor, length: Tensor) -> None:
        from_a, from_b, along = self.table[a], self.table[b], length[:, None]
        self.left -= 8 * from_a.numel()
        gap = (from_a - from_b).abs()
        apart = ~((gap >= along) & (from_a.maximum(from_b) > along)).any(1)
        wanted = self.twice + self.least
        within = along - gap > wanted
        farthest = self.reach.expand_as(gap).minimum(along)
        within &= farthest + (along - from_a - from_b) / 2 > wanted
        counts = within.sum(1).where(apart, 0)
        for part in _of_like_size(counts):
            self._pairs_within(a[part], from_a[part], from_b[part], along[part], within[part])

    def _pairs_within(
        self, a: Tensor, from_a: Tensor, from_b: Tensor, along: Tensor, within: Tensor
    ) -> None:
        most = int(within.sum(1).max())
        found, place = within.to(torch.uint8).topk(most, dim=1)
        # At c = a the two largest sums are equal: what a fills up has no delta above 0.
        c = torch.where(found > 0, place, a[:, None])
        ac, bc = from_a.gather(1, c), from_b.gather(1, c)
        cd = self.table[c[:, :, None], c[:, None, :]]
        other = (ac[:, :, None] + bc[:, None, :]).maximum(bc[:, :, None] + ac[:, None, :])
        largest = float((cd - other + along[:, :, None]).max())
        self.twice = max(self.twice, largest)
        self.looked += cd.numel()
        self.left -= 8 * cd.numel()


def _by_tree(table: Tensor) -> float:
    """A bound from above: twice the delta at a base point, bounded by Gromov's tree.

    With A the products at the point, the tree of Gromov (1987, section 6.1) has for them A*, the
    largest over chains of the least link, which is above the (max, min) product of A with itself;
    that delta is the largest difference of the latter and A.
    """
    base = int(table[0].argmax())
    out = table[base]
    product = (out[:, None] + out - table) / 2
    # A* by a maximum spanning tree: the chain to a new node ends with its link to the tree.
    chains = product.clone()
    link, parent = product[base].clone(), torch.full_like(out, base, dtype=torch.int64)
    inside = torch.zeros(len(out), dtype=torch.bool)
    inside[base] = True
    for _ in range(len(out) - 1):
        new = int(link.where(~inside, -torch.inf).argmax())
        chain = chains[int(parent[new])].minimum(link[new])
        chains[new] = chain.where(inside, chains[new])
        chains[:, new] = chain.where(inside, chains[:, new])
        inside[new] = True
        nearer = product[new] > link
        link, parent = link.maximum(product[new]), parent.masked_fill(nearer, new)
    chains.diagonal().copy_(product.diagonal())
    gap = float((chains - product).max())
    slack = 16 * torch.finfo(table.dtype).eps * float(table.max())
    return 2 * gap if gap > slack else 0.0


def _of_like_size(counts: Tensor) -> list[Tensor]:
    """Indices of counts above 1, in parts whose largest tables together are of a step's size."""
    order = counts.argsort(descending=True)
    order = order[counts[order] > 1]
    parts, start = [], 0
    while start < len(order):
        size = max(1, _CELLS // int(counts[order[start]]) ** 2)
        parts.append(order[start : start + size])
        start += size
    return parts


def _without_pendants(table: Tensor) -> Tensor:
    """Indices of what is left when all points that hang on another are taken off, in turn."""
    kept = torch.arange(len(table))
    slack = 16 * torch.finfo(table.dtype).eps * float(table.max())
    while len(kept) > 1:
        part = table[kept][:, kept].fill_diagonal_(torch.inf)
        step, nearest = part.min(dim=1)
        part.fill_diagonal_(0)
        # At y = x the way by x' is 2 d(x, x').
        longer = (step[:, None] + part[nearest] - part).fill_diagonal_(0)
        hangs = longer.abs().amax(1) <= slack
        hangs &= ~_first_of_each_pair(hangs, nearest)
        if not bool(hangs.any()):
            return kept
        kept = kept[~hangs]
    return kept


def _first_of_each_pair(hangs: Tensor, nearest: Tensor) -> Tensor:
    """Of points that hang on a point which hangs itself, those that stay for now."""
    here = torch.arange(len(nearest))
    return hangs & hangs[nearest] & ((nearest[nearest] != here) | (here < nearest))
