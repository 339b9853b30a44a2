"""A tree or a directed acyclic graph as who lies above whom, and pairs that do not."""

from collections import deque
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from ...manifolds.checks import check_integer, check_integers, check_real

Corrupt = Literal["either", "parent", "child"]


class Hierarchy:
    """All pairs (ancestor, descendant) of a tree or DAG, and negatives that are none of them.

    Built from direct edges, whose two ends are named: lists of edges have both orders. An
    edge that follows from others, or comes twice, changes nothing but ``distance``. Everything is
    on the CPU, int64 and without gradients: indices into a table of points.

    >>> from spaceforms.losses import Hierarchy
    >>> diamond = Hierarchy(parent=[0, 0, 1, 2], child=[1, 2, 3, 3])
    >>> diamond.pairs.tolist()
    [[0, 1], [0, 2], [0, 3], [1, 3], [2, 3]]
    >>> diamond.distance.tolist(), diamond.depth.tolist()
    ([1, 1, 2, 1, 1], [0, 1, 1, 2])

    Args:
        parent: whole numbers (E,), a list, an array or a tensor: the upper end of each edge.
        child: whole numbers (E,), the lower ends.
        nodes: how many nodes there are, 0 to nodes - 1; one more than the largest index if None.

    Attributes:
        nodes: the number of nodes.
        pairs: the transitive closure (P, 2), each row (ancestor, descendant), sorted.
        distance: (P,), the fewest edges from the one to the other; 1 for a direct edge.
        depth: (nodes,), the most edges from a root, so that a parent's is smaller than its
            child's; 0 for a root.

    Raises:
        ValueError: a cycle, which the sentence names; indices out of range; lists of different
            lengths.

    Time and memory go with the number of pairs, not with the square of the number of nodes.
    """

    def __init__(
        self,
        *,
        parent: Sequence[int] | Tensor,
        child: Sequence[int] | Tensor,
        nodes: int | None = None,
    ) -> None:
        upper, lower = _indices("parent", parent), _indices("child", child)
        if len(upper) != len(lower):
            raise ValueError(
                f"Hierarchy: parent has {len(upper)} entries and child has {len(lower)}; expected "
                "the two ends of each edge."
            )
        most = max((*upper, *lower), default=-1)
        if nodes is not None:
            check_integer("Hierarchy", "nodes", nodes, 0)
        self.nodes = most + 1 if nodes is None else nodes
        if most >= self.nodes or min((*upper, *lower), default=0) < 0:
            raise ValueError(
                f"Hierarchy: the edges' indices run from {min((*upper, *lower))} to {most}; "
                f"expected 0 to {self.nodes - 1}, as there are {self.nodes} nodes."
            )
        above: list[set[int]] = [set() for _ in range(self.nodes)]
        for p, c in zip(upper, lower, strict=True):
            above[c].add(p)
        # ancestors[c][a] is the fewest edges from a down to c. From the top on, a node's ancestors
        # are its parents and theirs, which are known when it is reached.
        ancestors: list[dict[int, int]] = [{} for _ in range(self.nodes)]
        depth = [0] * self.nodes
        for node in _from_the_top(above):
            for p in above[node]:
                depth[node] = max(depth[node], depth[p] + 1)
                # `nodes` stands for infinity: no path without a cycle has so many edges.
                for a, d in ((p, 0), *ancestors[p].items()):
                    ancestors[node][a] = min(d + 1, ancestors[node].get(a, self.nodes))
        rows = sorted((a, c, d) for c, each in enumerate(ancestors) for a, d in each.items())
        table = torch.tensor(rows, dtype=torch.int64).reshape(-1, 3)
        self.pairs = table[:, :2].contiguous()
        self.distance = table[:, 2].contiguous()
        self.depth = torch.tensor(depth, dtype=torch.int64)
        self._tables = [self._excluded(end) for end in (0, 1)]

    def __repr__(self) -> str:
        return f"Hierarchy({self.nodes} nodes, {len(self.pairs)} pairs)"

    def contains(self, parent: Tensor, child: Tensor) -> Tensor:
        """Whether parent is an ancestor of child: indices (...), (...) -> (...) bool.

        A node is not its own ancestor.
        """
        check_integers("Hierarchy.contains", "parent", parent)
        check_integers("Hierarchy.contains", "child", child)
        # A pair (a, c) as one number a nodes + c. The pairs are sorted, and so are these: a search
        # finds one in log P steps, where a table of all pairs of nodes would be nodes^2.
        known = self.pairs[:, 0] * self.nodes + self.pairs[:, 1]
        wanted = parent * self.nodes + child
        if not len(known):
            return torch.zeros_like(wanted, dtype=torch.bool)
        place = torch.searchsorted(known, wanted).clamp(max=len(known) - 1)
        return known[place] == wanted

    def negatives(
        self,
        pairs: Tensor,
        count: int,
        *,
        corrupt: Corrupt = "either",
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """For each pair, ``count`` pairs that share one end with it and are not in the closure.

        The other end is uniform over all nodes that are neither the kept one nor related to it in
        that way; the reversed pair is among them. Exact, without rejection: the k-th node that is
        not in a sorted list is found by counting.

        Args:
            pairs: (B, 2), rows (parent, child), such as rows of ``pairs``.
            count: k, how many for each.
            corrupt: the end that is replaced: ``"child"``, ``"parent"``, or ``"either"``, each with
                probability 1/2, or the one that can be where the other has no candidate (the
                children of a root that is above all).
            generator: of the random numbers.

        Returns:
            (B, k, 2), rows (parent, child).

        Raises:
            ValueError: a pair without any such negative, which the sentence names.
        """
        where = "Hierarchy.negatives"
        if corrupt not in ("either", "parent", "child"):
            raise ValueError(
                f"{where}: corrupt is {corrupt!r}; expected one of either, parent, child."
            )
        check_real(where, "pairs", pairs)
        if pairs.ndim != 2 or pairs.shape[-1] != 2 or pairs.is_floating_point():
            raise ValueError(
                f"{where}: pairs have shape {tuple(pairs.shape)} and dtype {pairs.dtype}; expected "
                "whole numbers (B, 2)."
            )
        check_integer(where, "count", count, 1)
        pairs = pairs.cpu().long()
        if len(pairs) and not (int(pairs.min()) >= 0 and int(pairs.max()) < self.nodes):
            raise ValueError(
                f"{where}: pairs have indices from {int(pairs.min())} to {int(pairs.max())}; "
                f"expected 0 to {self.nodes - 1}."
            )
        tables = self._tables
        # How many candidates there are when end e is kept.
        room = [self.nodes - sizes[pairs[:, e]] for e, (_, _, sizes) in enumerate(tables)]
        # keep_parent says which end is kept: room[0] is for the parent, whose child is drawn anew.
        keep_parent = torch.rand(len(pairs), count, generator=generator) < 0.5
        if corrupt == "either":
            keep_parent = (keep_parent | (room[1] == 0)[:, None]) & (room[0] > 0)[:, None]
            room_left = torch.maximum(room[0], room[1])
        else:
            keep_parent = torch.full_like(keep_parent, corrupt == "child")
            room_left = room[0] if corrupt == "child" else room[1]
        if len(pairs) and int(room_left.min()) == 0:
            p, c = pairs[int(room_left.argmin())].tolist()
            raise ValueError(
                f"{where}: the pair ({p}, {c}) has no negative with corrupt={corrupt!r}, as all "
                "nodes are related to the end that stays; expected pairs that have one."
            )
        result = pairs[:, None, :].repeat(1, count, 1)
        uniform = torch.rand(len(pairs), count, dtype=torch.float64, generator=generator)
        # Both ends are drawn for every pair, from the same uniform numbers, and one of them is
        # used.
        for end, kept in ((0, keep_parent), (1, ~keep_parent)):
            admitted = room[end][:, None]
            rank = (uniform * admitted).long().minimum(admitted - 1)  # the product may round up
            other = self._at_rank(tables[end], pairs[:, end, None], rank)
            result[..., 1 - end] = torch.where(kept, other, result[..., 1 - end])
        return result

    def _excluded(self, end: int) -> tuple[Tensor, Tensor, Tensor]:
        """For each node at ``end``, what the other end may not be: itself and its relatives.

        (node * (nodes + 1) + i-th excluded - i, the start of each node's run, its length): the
        first is sorted, and i-th excluded - i is how many admitted nodes come before it.
        """
        own = torch.arange(self.nodes)
        node = torch.cat([self.pairs[:, end], own])
        other = torch.cat([self.pairs[:, 1 - end], own])
        order = (node * self.nodes + other).argsort()
        node, other = node[order], other[order]
        sizes = torch.bincount(node, minlength=self.nodes)
        starts = sizes.cumsum(0) - sizes
        before = other - (torch.arange(len(node)) - starts[node])
        return node * (self.nodes + 1) + before, starts, sizes

    def _at_rank(self, table: tuple[Tensor, Tensor, Tensor], node: Tensor, rank: Tensor) -> Tensor:
        """The node of this rank among those not excluded."""
        keys, starts, _ = table
        # `passed` counts the excluded ones, of this node and of all before it, that have at most
        # `rank` admitted ones before them. Less the start of its run these are the node's own, and
        # the admitted node of this rank stands so many places further on.
        passed = torch.searchsorted(keys, node * (self.nodes + 1) + rank, right=True)
        return rank + passed - starts[node]


def _indices(name: str, given: object) -> list[int]:
    if isinstance(given, str) or not hasattr(given, "__len__"):
        raise TypeError(
            f"Hierarchy: {name} is a {type(given).__name__}; expected a list of whole numbers, or "
            "an array or a tensor of them."
        )
    try:
        table = torch.as_tensor(given)
    except (TypeError, ValueError, RuntimeError) as error:
        raise TypeError(f"Hierarchy: {name} is no list of whole numbers: {error}.") from None
    check_real("Hierarchy", name, table)
    if table.numel() == 0:
        return []
    if table.ndim != 1 or table.is_floating_point() or table.dtype == torch.bool:
        raise ValueError(
            f"Hierarchy: {name} has shape {tuple(table.shape)} and dtype {table.dtype}; expected a "
            "list of whole numbers."
        )
    indices: list[int] = table.tolist()
    return indices


def _from_the_top(above: Sequence[set[int]]) -> list[int]:
    """The nodes in an order in which parents come before their children (Kahn 1962)."""
    below: list[list[int]] = [[] for _ in above]
    for node, parents in enumerate(above):
        for p in parents:
            below[p].append(node)
    # waiting[c] is how many of c's parents are still to come.
    waiting = [len(parents) for parents in above]
    ready = deque(node for node, left in enumerate(waiting) if left == 0)
    order = []
    while ready:
        node = ready.popleft()
        order.append(node)
        for c in below[node]:
            waiting[c] -= 1
            if waiting[c] == 0:
                ready.append(c)
    if len(order) < len(above):
        raise ValueError(
            f"Hierarchy: {_a_cycle(above, waiting)} is a cycle, each node a parent of the next; "
            "expected a tree or a directed acyclic graph."
        )
    return order


def _a_cycle(above: Sequence[set[int]], waiting: Sequence[int]) -> str:
    """One of the cycles. A node that was never ready has a parent that was not either."""
    # The path goes up from parent to waiting parent, which there always is, until a node comes
    # again.
    path = [next(node for node, left in enumerate(waiting) if left)]
    while len(set(path)) == len(path):
        path.append(min(p for p in above[path[-1]] if waiting[p]))
    cycle = path[path.index(path[-1]) :]
    return " -> ".join(map(str, reversed(cycle)))
