"""How well distances say who lies above whom: MAP and mean rank; and what does without points."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ...stats import Reconstruction, reconstruction as ranked, related_ranks
from .edges import Graph
from .paths import steps_from
from .relation import Relation, descendants

_NODES = 20_000  # more than these, and a sample is measured
_SAMPLE = 2_000
_CHEAP = 10**10  # distances looked at, step by step


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


def ranks(relation: Relation, nodes: Tensor, cost: Callable[[Tensor], Tensor]) -> Tensor:
    """Those whose mean :func:`reconstruction` has, of each ancestor of each node."""
    return related_ranks(cost, relation.pairs, count=relation.nodes, points=nodes)


def popularity(relation: Relation) -> Callable[[Tensor], Tensor]:
    """A cost without geometry: who has more descendants is cheaper, for everyone."""
    below = -torch.from_numpy(descendants(relation)).double()
    return lambda nodes: below.expand(len(nodes), -1)


def graph_metric(graph: Graph, nodes: Tensor) -> Callable[[Tensor], Tensor] | None:
    """The number of edges between two nodes, either way up; None where that would take long.

    What distances would be if the graph itself, and not its order, were embedded without a loss.
    """
    count = len(graph.names)
    if count * len(nodes) * 20 > _CHEAP:
        return None
    steps = steps_from(count, graph.parent, graph.child)

    def cost(block: Tensor) -> Tensor:
        found = steps(block)
        # What is not reached is farther than all that is.
        return found.where(found.isfinite(), float(count))

    return cost
