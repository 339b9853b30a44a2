"""What a drawing needs of a graph: a way to a root for every node, depths, branches."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

_BRANCHES = 7  # with a colour of their own
_SPLITS = 50


class Tree(NamedTuple):
    """A spanning forest of a directed graph, by shortest ways from its roots."""

    up: Ints
    """(N,), the next node on a shortest way to a root; -1 for a root."""
    depth: Ints
    """(N,), edges on that way."""
    below: Ints
    """(N,), nodes whose way leads through this one."""
    order: Ints
    """(N,), nodes from the most to the least general: by ``below``, then by depth."""


def spanning_tree(count: int, parent: Ints, child: Ints) -> Tree:
    """Shortest ways along edges, child to parent, of N nodes to the nearest root.

    A root is a node without a parent. Where a component has none, a cycle, its node of most
    children is taken for one.

    Args:
        count: N.
        parent, child: (E,), the ends of the edges.
    """
    start = np.searchsorted(parent[np.argsort(parent, kind="stable")], np.arange(count + 1))
    children = child[np.argsort(parent, kind="stable")]
    up, depth = np.full(count, -1), np.full(count, -1)
    roots = np.flatnonzero(np.bincount(child, minlength=count) == 0)
    busiest = iter(np.argsort(start[:-1] - start[1:], kind="stable"))
    ranked: list[Ints] = []
    while True:
        depth[roots] = 0
        level, steps = roots, 0
        while len(level):
            ranked.append(level)
            steps += 1
            sizes = start[level + 1] - start[level]
            first = np.repeat(start[level] - np.cumsum(sizes) + sizes, sizes)
            below = children[first + np.arange(sizes.sum())]
            above = np.repeat(level, sizes)
            new = depth[below] < 0
            found, which = np.unique(below[new], return_index=True)
            depth[found], up[found] = steps, above[new][which]
            level = found
        rest = next((k for k in busiest if depth[k] < 0), None)
        if rest is None:
            break
        roots = np.array([rest])
    below = np.zeros(count, np.int64)
    for level in reversed(ranked):
        inner = level[up[level] >= 0]
        np.add.at(below, up[inner], below[inner] + 1)
    return Tree(up, depth, below, np.lexsort((depth, -below)))


def branches(tree: Tree, most: int = _BRANCHES) -> tuple[list[int], Ints]:
    """The largest branches, and for each node which of them it is in.

    The largest node falls into its children until there are ``most`` of them or none that can.

    Returns:
        Heads, the largest first, and for each node (N,) its place in that list, or its length for
        a node above or outside of all.
    """
    count = len(tree.up)
    children: dict[int, list[int]] = {}
    for node, above in enumerate(tree.up.tolist()):
        children.setdefault(above, []).append(node)
    rank = np.empty(count, np.int64)
    rank[tree.order] = np.arange(count)
    heads = set(children.get(-1, []))
    for _ in range(_SPLITS):
        if len(heads) >= most:
            break
        head = min((h for h in heads if h in children), key=rank.__getitem__, default=None)
        if head is None:
            break
        heads = (heads - {head}) | set(children[head])
    chosen = sorted(heads, key=rank.__getitem__)[:most]
    label = np.full(count, len(chosen))
    label[chosen] = np.arange(len(chosen))
    kept = set(chosen)
    for node in np.argsort(tree.depth, kind="stable").tolist():
        if node not in kept and tree.up[node] >= 0:
            label[node] = label[tree.up[node]]
    return chosen, label
