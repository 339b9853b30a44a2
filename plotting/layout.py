r"""Where the nodes of a tree go on the hyperbolic plane: every edge of one length, none crossing.

After Lamping, Rao and Pirolli (1995, "A focus+context technique based on hyperbolic geometry for
visualizing large hierarchies", section 3.1): each node has a wedge for all that is below it, and
its children divide the wedge. Here a wedge is the union of the geodesic rays from a node to an arc
of ideal points, and a node's arc is divided among its children in proportion to their leaves. A
child c lies on the ray from its parent v to the middle of its arc, at the length of an edge.

1. The rays from c to the ends of its arc are asymptotic to those from v, so the wedge of c lies in
   the part of v's wedge over the same arc: wedges of siblings are disjoint, for every length t of
   the edges. With beta and alpha the angles of the two rays with the edge,
   :math:`\tan(\alpha/2) = e^t \tan(\beta/2)`: room grows as the tree does.
2. The edge from v to c meets the wedge of c in c alone, as long as alpha stays below pi. It is kept
   to 5/6 pi, which leaves room for that edge.

So edges meet in common ends only, and without that limit a subtree's share of the rim is its share
of the leaves.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ._axes import array

Ints = NDArray[np.int64]
_WIDEST = 5 / 6 * math.pi  # half of a wedge
_LONGEST = 1.5  # an edge whose length nobody chose
_REACH = 15.0  # beyond, neighbours on the rim are nearer than float64 tells


class TreeLayout(NamedTuple):
    """A tree's places, as :func:`tree_layout` finds them."""

    points: Tensor
    """(N, 2), on the unit Poincaré ball."""
    arcs: Tensor
    """(N, 2), where a node's part of the rim begins and ends, in radians, anticlockwise."""
    level: Tensor
    """(N,), edges from the root."""
    edge: float
    """Length of every edge."""


def tree_layout(
    parent: Sequence[int] | Tensor,
    *,
    edge: float | None = None,
    reach: float | None = None,
    weights: Any = None,
) -> TreeLayout:
    """Place a tree on the hyperbolic plane of curvature -1, the root in the middle.

    Args:
        parent: N numbers: the parent of each node, -1 of a root. Children are placed clockwise in
            the order of their numbers, from the top. Of several roots the middle is left empty.
        edge: length of all edges. If None, at most 1.5 and such that the mean of L leaves is at
            most r = 1.2 + 0.3 log(L) from the middle, as a circle grows with its radius, and the
            deepest node at most ``reach``.
        reach: where edge is None, the largest distance from the middle, at most 15; r + 2 if None.
        weights: N positive numbers, those of leaves count; all alike if None.

    Raises:
        ValueError: parents that are no nodes, or a cycle; an edge or a reach that is not positive
            or leads too far; weights that are not positive.
    """
    where = "plotting.tree_layout"
    if np.ndim(parent) != 1:
        raise ValueError(
            f"{where}: parent has shape {tuple(np.shape(parent))}; expected N numbers, the parent "
            "of each node. Pairs (parent, child) are what draw_tree takes."
        )
    above = np.asarray(array(parent), dtype=np.int64)
    count = len(above)
    if not count or above.max() >= count or above.min() < -1:
        raise ValueError(
            f"{where}: parent holds {count} numbers"
            + (f" from {above.min()} to {above.max()}" if count else "")
            + f"; expected at least one, each from -1 to {count - 1}."
        )
    generations = _generations(above, where)
    edge = _length(edge, reach, above, generations, where)
    weight = _weights(weights, above, generations, where)

    level = np.zeros(count, np.int64)
    place = np.zeros(count, complex)
    arcs = np.zeros((count, 2))  # clockwise from the top here
    arcs[:, 1] = 2 * np.pi
    alone = len(generations[0]) == 1
    for depth, nodes in enumerate(generations):
        level[nodes] = depth
        if depth == 0 and alone:
            continue
        base = above[nodes]
        begin, end = arcs[base].T
        centre = np.where(base < 0, 0, place[base])
        if depth == 0:
            begin, end = np.zeros(len(nodes)), np.full(len(nodes), 2 * np.pi)
        first, last = _shares(base, weight[nodes])
        arcs[nodes, 0] = begin + first * (end - begin)
        arcs[nodes, 1] = begin + last * (end - begin)
        aim = _ideal(arcs[nodes].mean(1))
        place[nodes] = _back(math.tanh(edge / 2) * _moved(aim, centre), centre)
        arcs[nodes] = _narrowed(arcs[nodes], place[nodes], aim)
    return TreeLayout(
        torch.from_numpy(np.stack([place.real, place.imag], axis=1)),
        torch.from_numpy(np.pi / 2 - arcs[:, ::-1]),
        torch.from_numpy(level),
        edge,
    )


def _generations(above: Ints, where: str) -> list[Ints]:
    """Nodes by level, those of one parent beside each other and in order."""
    order = np.argsort(above, kind="stable")
    first = np.searchsorted(above[order], np.arange(-1, len(above) + 1))
    found = [order[: first[1]]]
    while True:
        last = found[-1]
        below = [order[first[v + 1] : first[v + 2]] for v in last.tolist()]
        level = np.concatenate(below) if below else last[:0]
        if not len(level):
            break
        found.append(level)
    placed = sum(map(len, found))
    if placed < len(above):
        missing = np.setdiff1d(np.arange(len(above)), np.concatenate(found))
        raise ValueError(
            f"{where}: {len(missing)} nodes have no root above them, as node {missing[0]}: there "
            "is a cycle; expected a tree."
        )
    return found


def _length(
    edge: float | None, reach: float | None, above: Ints, generations: list[Ints], where: str
) -> float:
    alone = len(generations[0]) == 1
    height = max(len(generations) - alone, 1)
    if reach is not None and not 0 < reach <= _REACH:
        raise ValueError(f"{where}: reach is {reach}; expected a positive distance up to {_REACH}.")
    if edge is None:
        leaf = ~np.isin(np.arange(len(above)), above)
        counts = np.array([np.count_nonzero(leaf[nodes]) for nodes in generations])
        depth = float((counts * (np.arange(len(counts)) + (not alone))).sum() / counts.sum())
        middling = 1.2 + 0.3 * math.log(counts.sum())
        farthest = min(middling + 2, _REACH) if reach is None else reach
        return min(_LONGEST, farthest / height, middling / max(depth, 1.0))
    if not 0 < edge * height <= _REACH:
        raise ValueError(
            f"{where}: edge is {edge}, with {height} levels a radius of {edge * height:g}; "
            f"expected a positive length, and up to {_REACH}."
        )
    return float(edge)


def _weights(weights: Any, above: Ints, generations: list[Ints], where: str) -> NDArray[np.float64]:
    """Of each node the sum over the leaves below it."""
    own = np.ones(len(above)) if weights is None else array(weights).reshape(-1)
    if len(own) != len(above) or not (np.isfinite(own) & (own > 0)).all():
        raise ValueError(
            f"{where}: weights are {len(own)} numbers for {len(above)} nodes, the least "
            f"{own.min() if own.size else 'none'}; expected as many, positive and finite."
        )
    inner = np.zeros(len(above), bool)
    inner[above[above >= 0]] = True
    total = np.where(inner, 0.0, own)
    for nodes in generations[:0:-1]:
        np.add.at(total, above[nodes], total[nodes])
    return total


def _shares(base: Ints, weight: NDArray[np.float64]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Where each child's part of its parent's arc begins and ends, from 0 to 1."""
    ends = weight.cumsum()
    _, first, group = np.unique(base, return_index=True, return_inverse=True)
    # Those of one parent stand beside each other, but parents need not be in order.
    before = np.concatenate([[0.0], ends])[first]
    total = np.bincount(group, weight)
    return (ends - weight - before[group]) / total[group], (ends - before[group]) / total[group]


def _narrowed(arcs: NDArray[Any], place: NDArray[Any], aim: NDArray[Any]) -> NDArray[Any]:
    """Arcs that are seen from their nodes under no more than the widest angle."""
    ahead = _moved(aim, place)
    found = arcs.copy()
    for k, side in enumerate((1, -1)):
        seen = side * np.angle(_moved(_ideal(arcs[:, k]), place) / ahead)
        # An arc of more than half of the rim is seen the other way round by its sign alone.
        wide = (seen > _WIDEST) | (seen < 0) & (np.abs(arcs[:, k] - arcs.mean(1)) > 1e-9)
        limit = _back(ahead * np.exp(1j * side * _WIDEST), place) / aim
        found[wide, k] = arcs.mean(1)[wide] - np.angle(limit)[wide]
    return found


def _ideal(clockwise: NDArray[Any]) -> NDArray[Any]:
    """Points of the rim."""
    found: NDArray[Any] = np.exp(1j * (np.pi / 2 - clockwise))
    return found


def _moved(z: NDArray[Any], centre: NDArray[Any]) -> NDArray[Any]:
    """The isometry of the disk that takes a point to 0 and turns nothing there."""
    found: NDArray[Any] = (z - centre) / (1 - centre.conj() * z)
    return found


def _back(z: NDArray[Any], centre: NDArray[Any]) -> NDArray[Any]:
    return _moved(z, -centre)
