"""Distances that are those of the graph."""

from __future__ import annotations

import torch
from torch import Tensor

from ..edges import Graph
from ..measures import graph_metric
from ..relation import Relation
from .method import Batch, Method, Nodes

_SOURCES = 2_048  # nodes from which distances are known, at most
_NUMBERS = 2**26  # distances that are held, at most


class Stress(Method):
    r"""Distances proportional to the number of edges between two nodes, by the stress

    .. math:: \sum_{u, v} \Bigl(\frac{s\,d(x_u, x_v)}{d_G(u, v)} - 1\Bigr)^2,

    the relative distortion (Sala et al. 2018; of the form of Sammon 1969), over pairs drawn by
    chance, one of them among at most 2,048 nodes of a large graph, and only such as are connected.
    s = 1: an edge is a unit of length, so that curvature matters.
    """

    summary = "distances like the number of edges between nodes (Sala et al. 2018)"
    rate = 0.1

    def prepare(self, graph: Graph) -> None:
        """Walk the graph."""
        nodes = len(graph.names)
        edges = len(graph.parent)
        count = max(1, min(nodes, _SOURCES, _NUMBERS // nodes, 2 * 10**9 // (40 * edges) - 1))
        generator = torch.Generator().manual_seed(0)
        self.sources = torch.randperm(nodes, generator=generator)[:count].sort().values
        walk = graph_metric(graph, self.sources)
        if walk is None:
            raise ValueError(
                f"the graph has {edges:,} edges; expected one on which distances can be counted: "
                "--method distances takes larger ones."
            )
        found = torch.cat(
            [walk(block).to(torch.int32) for block in self.sources.tensor_split(-(-count // 64))]
        )
        self.steps = found  # as many as nodes: not connected

    def draw(
        self, relation: Relation, rows: Tensor, negatives: int, generator: torch.Generator
    ) -> Batch:
        """Sources and other nodes, by chance; ``rows`` says no more than how many."""
        place = torch.randint(len(self.sources), (len(rows),), generator=generator)
        others = torch.randint(relation.nodes, (len(rows), negatives + 1), generator=generator)
        return Batch(self.sources[place], others, target=self.steps[place[:, None], others].float())

    def loss(self, node: Nodes, others: Nodes, batch: Batch, temperature: Tensor) -> Tensor:
        """The mean squared relative error; of a node with itself and others out of reach, 0."""
        assert batch.target is not None
        counted = (batch.target > 0) & (batch.target < self.steps.shape[1])
        length = batch.target.where(counted, 1.0)
        error = self.cost(node, others) / length - 1
        return error.square().where(counted, 0.0).sum(-1) / counted.sum(-1).clamp(min=1)

    @torch.no_grad()
    def figures(self, every: Nodes) -> dict[str, float]:
        """The mean of the relative error, and the largest over the smallest quotient."""
        total, count = 0.0, 0
        low, high = torch.inf, 0.0
        blocks = torch.arange(len(self.sources)).tensor_split(-(-len(self.sources) // 64))
        for block in blocks:
            steps = self.steps[block]
            counted = (steps > 0) & (steps < self.steps.shape[1])
            distance = self.cost(every[self.sources[block]][:, None], every).double()
            quotient = (distance / steps.clamp(min=1))[counted]
            total += float((quotient - 1).abs().sum())
            count += len(quotient)
            low, high = min(low, float(quotient.min())), max(high, float(quotient.max()))
        return {"mean_distortion": total / max(count, 1), "worst_distortion": high / low}

    def cost(self, node: Nodes, others: Nodes) -> Tensor:
        """The distance."""
        distance: Tensor = self.space.dist(node.points, others.points)
        return distance
