"""Numbers of edges between nodes, from many nodes at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .edges import Graph, Ints

_WORDS = 2**17  # of 64 sources each, that a step of the search goes through


def check_unweighted(graph: Graph, source: str, what: str) -> None:
    """Refuse weights where edges are counted."""
    if graph.weighted:
        raise ValueError(
            f"{source}: its edges have weights from {graph.weight.min():g} to "
            f"{graph.weight.max():g}; expected none for {what}, which counts edges, each as one. A "
            "weight says how often an edge is learned and is no length: leave the third field out."
        )


def steps_from(nodes: int, one: Ints, two: Ints) -> Callable[[Tensor], Tensor]:
    """A function (B,) -> (B, nodes) float64: edges on the shortest way, infinite where there is
    none.

    A breadth-first search from 64 sources costs what one costs: a node holds a bit for each, and a
    step is the bitwise "or" over its neighbours.

    Args:
        nodes: how many there are.
        one, two: (E,), the ends of the edges, which are walked both ways.
    """
    source, target = np.concatenate([one, two]), np.concatenate([two, one])
    order = np.argsort(target, kind="stable")
    source = source[order]
    reached_by, first = np.unique(target[order], return_index=True)

    def rows(index: Tensor) -> Tensor:
        wide = max(1, _WORDS // max(len(source), nodes)) * 64
        parts = [_search(part) for part in np.split(index.numpy(), range(wide, len(index), wide))]
        return torch.from_numpy(np.concatenate(parts))

    def _search(sources: Ints) -> NDArray[np.float64]:
        words, place = -(-len(sources) // 64), np.arange(len(sources))
        bit = np.left_shift(np.uint64(1), (place % 64).astype(np.uint64))
        seen = np.zeros((nodes, words), np.uint64)
        np.bitwise_or.at(seen, (sources, place // 64), bit)
        front, found, step = seen.copy(), np.zeros((nodes, len(sources)), np.uint8), 0
        while len(source):
            step += 1
            near = np.bitwise_or.reduceat(front[source], first, axis=0)
            new = near & ~seen[reached_by]
            if not new.any():
                break
            front[:] = 0
            front[reached_by] = new
            seen |= front
            if step == 256:
                found = found.astype(np.uint32)
            touched = reached_by[new.any(axis=1)]
            part = found[touched]
            np.copyto(part, step, where=_bits(front[touched], len(sources)))
            found[touched] = part
        distance = found.T.astype(np.float64)
        distance[~_bits(seen, len(sources)).T] = np.inf
        return distance

    return rows


def _bits(words: NDArray[np.uint64], count: int) -> NDArray[np.bool_]:
    """(k, words) -> (k, count)."""
    packed = words.astype("<u8").view(np.uint8)
    return np.unpackbits(packed, axis=1, count=count, bitorder="little").view(np.bool_)
