"""How well distances say who lies above whom: MAP and mean rank; and what does without points."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from .edges import Graph
from .relation import Relation, descendants

_CELLS = 2**21  # distances of a block, which take ten numbers each and more
_NODES = 20_000  # more than these, and a sample is measured
_SAMPLE = 2_000
_CHEAP = 2 * 10**9  # additions


class Reconstruction(NamedTuple):
    """Averages over nodes that have an ancestor (MAP), and over pairs (the mean rank)."""

    map: float
    mean_rank: float


def measured_nodes(relation: Relation) -> Tensor:
    """Nodes that have an ancestor and are measured: all, or of a large graph 2,000 by chance."""
    nodes = (relation.starts[1:] > relation.starts[:-1]).nonzero().squeeze(-1)
    if relation.nodes <= _NODES or len(nodes) <= _SAMPLE:
        return nodes
    chosen = torch.randperm(len(nodes), generator=torch.Generator().manual_seed(0))[:_SAMPLE]
    return nodes[chosen].sort().values


def reconstruction(
    relation: Relation, nodes: Tensor, cost: Callable[[Tensor], Tensor]
) -> Reconstruction:
    """Rank every node by its cost for each of ``nodes``, and see where the ancestors stand.

    The rank of an ancestor is one more than the number of nodes that are cheaper and are no
    ancestor; MAP is the mean over nodes of the average precision, the mean over its ancestors in
    their order of i/(i + those cheaper ones) (Nickel and Kiela 2017). A tie counts half. The node
    itself is no candidate, its descendants are.

    Args:
        relation: who lies above whom.
        nodes: (N,), each with an ancestor.
        cost: (B,) nodes -> (B, nodes) in float64, small for ancestors.
    """
    precision, ranks, pairs = 0.0, 0.0, 0
    begin, size = relation.starts[nodes], relation.starts[nodes + 1] - relation.starts[nodes]
    rows = max(1, _CELLS // relation.nodes)
    for start in range(0, len(nodes), rows):
        block = slice(start, start + rows)
        own, most = size[block], int(size[block].max())
        table = cost(nodes[block]).clone(memory_format=torch.contiguous_format)
        within = torch.arange(most) < own[:, None]
        place = (begin[block][:, None] + torch.arange(most)).clamp(max=len(relation.pairs) - 1)
        ancestor = relation.pairs[place, 1]
        right = table.gather(1, ancestor).where(within, torch.inf).sort(dim=1).values
        # Ancestors and the node itself are no candidates: they fall behind all.
        table.scatter_(1, nodes[block][:, None], torch.inf)
        table.scatter_(1, ancestor.where(within, nodes[block][:, None]), torch.inf)
        # Candidates cheaper than the i-th ancestor, by how many ancestors each is behind; those
        # that are as cheap are half.
        cheaper = torch.zeros(len(own), most, dtype=torch.float64)
        for strictly in (False, True):
            behind = torch.searchsorted(right, table, right=strictly)
            counts = torch.zeros(len(own), most + 1, dtype=torch.float64)
            counts.scatter_add_(1, behind, torch.ones_like(table))
            cheaper += counts.cumsum(1)[:, :most] / 2
        i = torch.arange(1, most + 1)
        precision += float((i / (i + cheaper)).where(within, 0.0).sum(1).div(own).sum())
        ranks += float((cheaper + 1).where(within, 0.0).sum())
        pairs += int(own.sum())
    return Reconstruction(precision / len(nodes), ranks / pairs)


def popularity(relation: Relation) -> Callable[[Tensor], Tensor]:
    """A cost without geometry: who has more descendants is cheaper, for everyone."""
    below = -torch.from_numpy(descendants(relation)).double()
    return lambda nodes: below.expand(len(nodes), -1)


def graph_metric(graph: Graph, nodes: Tensor) -> Callable[[Tensor], Tensor] | None:
    """The number of edges between two nodes, either way up; None where that would take long.

    What distances would be if the graph itself, and not its order, were embedded without a loss.
    """
    one = torch.from_numpy(graph.parent)
    two = torch.from_numpy(graph.child)
    source, target = torch.cat([one, two]), torch.cat([two, one])
    if len(source) * len(nodes) * 20 > _CHEAP:
        return None
    count = len(graph.names)

    def cost(block: Tensor) -> Tensor:
        found = torch.full((count, len(block)), torch.inf, dtype=torch.float64)
        found[block, torch.arange(len(block))] = 0
        reached, steps = torch.isfinite(found), 0
        while True:
            near = torch.zeros(count, len(block)).index_add_(0, target, reached[source].float())
            new = (near > 0) & ~reached
            if not bool(new.any()):
                # What is not reached is farther than all that is.
                return found.where(reached, float(count)).T
            steps += 1
            found = found.masked_fill(new, steps)
            reached = reached | new

    return cost
