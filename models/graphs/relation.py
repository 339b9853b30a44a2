"""Who lies above whom, as arrays: the pairs that are learned, and nodes that are no ancestor."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...datasets.disk import printable
from .edges import Graph, Ints

_MOST_PAIRS = 50_000_000


class Relation:
    """Pairs (child, ancestor) sorted by both, and what is none of them.

    Unlike ``losses.Hierarchy`` it takes relations that are no order too, keeps nothing but arrays
    (16 bytes a pair), and draws only the end that eq. 6 of Nickel and Kiela (2017) replaces: a
    third of the time.

    Attributes:
        nodes: the number of nodes.
        pairs: (P, 2) int64, rows (child, ancestor).
        weight: (P,) float32, 1 on the average; None if all weigh the same.
        starts: (nodes + 1,), where each child's pairs begin.
    """

    def __init__(self, nodes: int, child: Ints, ancestor: Ints, weight: Tensor | None) -> None:
        self.nodes, self.weight = nodes, weight
        self.pairs = torch.from_numpy(np.stack([child, ancestor], axis=1))
        counts = np.bincount(child, minlength=nodes)
        self.starts = torch.from_numpy(np.concatenate([[0], counts.cumsum()]))
        # Of each child what no negative may be: its ancestors and itself, in order. The i-th of
        # them, x, has x - i admitted nodes before it; `_keys` holds child (nodes + 1) + x - i,
        # which is sorted.
        keys = np.concatenate([child * nodes + ancestor, np.arange(nodes) * (nodes + 1)])
        keys.sort()
        owner, other = keys // nodes, keys % nodes
        begin = self.starts[:-1].numpy() + np.arange(nodes)
        before = other - (np.arange(len(keys)) - begin[owner])
        self._keys = torch.from_numpy(owner * (nodes + 1) + before)
        self._begin = torch.from_numpy(begin)
        self.room = nodes - 1 - torch.from_numpy(counts)
        """(nodes,), how many nodes are neither the node nor above it."""

    def negatives(self, child: Tensor, count: int, generator: torch.Generator) -> Tensor:
        """(B,) -> (B, count): nodes that are neither the child nor above it, uniform, exact."""
        room = self.room[child][:, None]
        uniform = torch.rand(len(child), count, dtype=torch.float64, generator=generator)
        rank = (uniform * room).long().minimum(room - 1)  # the product may round up
        wanted = child[:, None] * (self.nodes + 1) + rank
        passed = torch.searchsorted(self._keys, wanted, right=True)
        return rank + passed - self._begin[child][:, None]


def relation_of(graph: Graph, *, closure: bool) -> Relation:
    """The pairs of a graph: all of its transitive closure, or its edges as they are.

    Raises:
        ValueError: the closure of a graph with a cycle, or one too large to hold.
    """
    nodes = len(graph.names)
    if closure:
        child, ancestor = _closure(graph)
        return Relation(nodes, child, ancestor, None)
    order = np.lexsort((graph.parent, graph.child))
    weight = torch.from_numpy(graph.weight[order] / graph.weight.mean()).float()
    equal = bool((weight == 1).all())
    return Relation(nodes, graph.child[order], graph.parent[order], None if equal else weight)


def _closure(graph: Graph) -> tuple[Ints, Ints]:
    """All (child, ancestor), sorted."""
    nodes = len(graph.names)
    by_child = np.argsort(graph.child, kind="stable")
    parents, first = graph.parent[by_child], _starts(graph.child, nodes)
    found = np.empty(2 * len(parents), np.int64)  # ancestors, one node's after the other's
    begin, size = np.zeros(nodes, np.int64), np.zeros(nodes, np.int64)
    used = 0
    for level in levels(graph):
        # The ancestors of a level are its parents and theirs, which are known by now.
        up = parents[_ranges(first[level], first[level + 1])]
        owner = np.repeat(level, first[level + 1] - first[level])
        above = found[_ranges(begin[up], begin[up] + size[up])]
        keys = np.concatenate([owner * nodes + up, np.repeat(owner, size[up]) * nodes + above])
        keys.sort()  # np.unique, which hashes first, takes three times as long
        keys = keys[np.concatenate([[True], keys[1:] != keys[:-1]])[: len(keys)]]
        if used + len(keys) > _MOST_PAIRS:
            raise ValueError(
                f"the transitive closure has more than {_MOST_PAIRS:,} pairs (ancestor, "
                "descendant); expected a flatter hierarchy, or --closure False, which takes the "
                "edges as they are."
            )
        while used + len(keys) > len(found):
            found = np.concatenate([found, np.empty_like(found)])
        found[used : used + len(keys)] = keys % nodes
        counts = np.bincount(np.searchsorted(level, keys // nodes), minlength=len(level))
        begin[level], size[level] = used + counts.cumsum() - counts, counts
        used += len(keys)
    every = np.arange(nodes)
    return np.repeat(every, size), found[_ranges(begin, begin + size)]


def levels(graph: Graph) -> Iterator[Ints]:
    """Nodes in an order in which all parents of a level were in earlier ones, each level sorted.

    Raises:
        ValueError: a cycle, named by its nodes.
    """
    nodes = len(graph.names)
    by_parent = np.argsort(graph.parent, kind="stable")
    children, first = graph.child[by_parent], _starts(graph.parent, nodes)
    waiting = np.bincount(graph.child, minlength=nodes)
    level, seen = np.flatnonzero(waiting == 0), 0
    while len(level):
        seen += len(level)
        yield level
        below, counts = np.unique(
            children[_ranges(first[level], first[level + 1])], return_counts=True
        )
        waiting[below] -= counts
        level = below[waiting[below] == 0]
    if seen < nodes:
        raise ValueError(
            f"{_a_cycle(graph, waiting)} is a cycle, each a parent of the next; expected a "
            "hierarchy, or --closure False, which takes the edges as they are."
        )


def _a_cycle(graph: Graph, waiting: Ints) -> str:
    """One of the cycles: a node that waits has a parent that waits too."""
    stuck = (waiting[graph.child] > 0) & (waiting[graph.parent] > 0)
    up = dict(zip(graph.child[stuck].tolist(), graph.parent[stuck].tolist(), strict=True))
    path, place = [next(iter(up))], dict[int, int]()
    while path[-1] not in place:
        place[path[-1]] = len(path) - 1
        path.append(up[path[-1]])
    cycle = [printable(graph.names[k]) for k in reversed(path[place[path[-1]] :])]
    if len(cycle) > 8:
        cycle = [*cycle[:4], f"({len(cycle) - 7} more)", *cycle[-3:]]
    return " -> ".join(cycle)


def _starts(values: Ints, nodes: int) -> Ints:
    counts = np.bincount(values, minlength=nodes)
    return np.concatenate([[0], counts.cumsum()]).astype(np.int64)


def _ranges(begin: Ints, end: Ints) -> Ints:
    """All of begin[0], ..., end[0] - 1, begin[1], ..., one run after the other."""
    size = end - begin
    total = size.cumsum()
    shift = np.repeat(begin - (total - size), size)
    found: Ints = np.arange(len(shift)) + shift
    return found


def split(relation: Relation, graph: Graph, share: float, seed: int) -> tuple[Relation, Relation]:
    """The pairs that are shown, and a share of those that are no edges, hidden.

    Raises:
        ValueError: no pair follows from others.
    """
    pairs = relation.pairs.numpy()
    edges = np.sort(graph.child * relation.nodes + graph.parent)
    keys = pairs[:, 0] * relation.nodes + pairs[:, 1]
    place = np.searchsorted(edges, keys).clip(max=len(edges) - 1)
    implied = np.flatnonzero(edges[place] != keys)
    count = round(share * len(implied))
    if count < 2:
        raise ValueError(
            f"of {len(pairs):,} pairs {len(implied):,} follow from others; expected enough of them "
            "to hide two or more, in a hierarchy of three levels or more and with its closure."
        )
    generator = torch.Generator().manual_seed(seed)
    chosen = implied[torch.randperm(len(implied), generator=generator)[:count].numpy()]
    hidden = np.zeros(len(pairs), dtype=bool)
    hidden[chosen] = True
    child, ancestor = pairs.T
    return (
        Relation(relation.nodes, child[~hidden], ancestor[~hidden], None),
        Relation(relation.nodes, child[hidden], ancestor[hidden], None),
    )


def descendants(relation: Relation) -> NDArray[np.int64]:
    """How many nodes each lies above, (nodes,)."""
    above = relation.pairs[:, 1].numpy()
    return np.bincount(above, minlength=relation.nodes).astype(np.int64)
