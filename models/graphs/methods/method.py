"""What a method of embedding a graph is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from ....manifolds import Manifold
from ..edges import Graph
from ..relation import Relation


@dataclass(frozen=True)
class Nodes:
    """Nodes as a method sees them."""

    points: Tensor
    """(..., m)."""
    number: Tensor | None = None
    """(...): the method's own number of each, if it has one."""

    def __getitem__(self, index: Any) -> Nodes:
        return Nodes(self.points[index], None if self.number is None else self.number[index])


@dataclass(frozen=True)
class Batch:
    """What a step learns from: for each of B nodes others."""

    node: Tensor
    """(B,), indices of nodes."""
    others: Tensor
    """(B, k): where pairs are learned, an ancestor first and then nodes that are none."""
    weight: Tensor | None = None
    """(B,), of the rows in the mean; equal if None."""
    target: Tensor | None = None
    """(B, k), what a method that learns no pairs wants to have there."""


class Method(ABC):
    """A loss to learn by, and a score to judge by.

    An object belongs to one space, and to one graph once :meth:`prepare` was called.
    """

    summary: ClassVar[str]
    """For the guide and errors."""
    number: ClassVar[str | None] = None
    """What the number of each node is called, if the method has one, here and in files."""
    pretrained: ClassVar[float] = 0.0
    """The share of the steps in which distances are learned first."""
    rate: ClassVar[float] = 1.0
    """Of the learning rate, after that."""
    wider: ClassVar[bool] = True
    """Whether it may begin in more dimensions than it ends in."""

    def __init__(self, space: Manifold) -> None:
        self.space = space
        self.check()

    def check(self) -> None:
        """Raise a ValueError for a space that the method is not defined on."""
        return

    def prepare(self, graph: Graph) -> None:
        """Look at the graph before the first step."""
        return

    def figures(self, every: Nodes) -> dict[str, float]:
        """What else the method is judged by, by name."""
        return {}

    def place(self, normal: Tensor) -> Tensor:
        """(..., n) -> (..., m): points from what is learned, normal coordinates if not said."""
        points: Tensor = self.space.from_normal(normal)
        return points

    def draw(
        self, relation: Relation, rows: Tensor, negatives: int, generator: torch.Generator
    ) -> Batch:
        """What a step learns from: pairs (rows of ``relation.pairs``) and nodes that are none."""
        node, ancestor = relation.pairs[rows].unbind(-1)
        wrong = relation.negatives(node, negatives, generator)
        weight = None if relation.weight is None else relation.weight[rows]
        return Batch(node, torch.cat([ancestor[:, None], wrong], dim=1), weight)

    @abstractmethod
    def loss(self, node: Nodes, others: Nodes, batch: Batch, temperature: Tensor) -> Tensor:
        """Nodes (B, 1) and others (B, k) -> (B,)."""

    @abstractmethod
    def cost(self, node: Nodes, others: Nodes) -> Tensor:
        """How little each of ``others`` looks like an ancestor of ``node``: (...)."""

    def table(self, nodes: Nodes, every: Nodes) -> Tensor:
        """Costs of all pairs, (B,) and (N,) -> (B, N)."""
        return self.cost(nodes[:, None], every)


class MarginMethod(Method):
    r"""A method whose cost is a penalty: small for true pairs, and by a margin larger for others.

    .. math:: \max(0, E) + \sum_k \max(0, \gamma - E_k)
    """

    margin: ClassVar[float] = 1.0

    def loss(self, node: Nodes, others: Nodes, batch: Batch, temperature: Tensor) -> Tensor:
        """Of the first of the others, an ancestor, and of the rest, which are none."""
        energy = self.cost(node, others)
        return energy[:, 0].relu() + (self.margin - energy[:, 1:]).relu().sum(-1)
