"""How well distances say who lies above whom: MAP and mean rank; and what does without points."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ...stats import Reconstruction, reconstruction as ranked
from .edges import Graph
from .relation import Relation, descendants

_NODES = 20_000  # more than these, and a sample is measured
_SAMPLE = 2_000
_CHEAP = 2 * 10**9  # additions


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
    """The measure :func:`spaceforms.stats.reconstruction` of ancestors: where they stand among all
    nodes but the node itself, whose descendants count as wrong.

    Args:
        relation: who lies above whom.
        nodes: (N,), each with an ancestor.
        cost: (B,) nodes -> (B, nodes) in float64, small for ancestors.
    """
    return ranked(cost, relation.pairs, count=relation.nodes, points=nodes)


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
