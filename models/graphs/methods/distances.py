"""A softmax over distances."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from .method import Batch, Method, Nodes


class Distances(Method):
    r"""Of a node u and an ancestor v, :math:`-\log\operatorname{softmax}` of
    :math:`(b_v - d(x_u, x_v))/T` among v and nodes that are no ancestor of u, b a bias that may
    be left out (Nickel and Kiela 2017, eq. 6)."""

    summary = "a softmax over distances (Nickel and Kiela 2017)"
    number = "bias"

    def loss(self, node: Nodes, others: Nodes, batch: Batch, temperature: Tensor) -> Tensor:
        """The cross-entropy."""
        logits = -self.cost(node, others) / temperature
        first = torch.zeros(len(logits), dtype=torch.int64)
        return F.cross_entropy(logits, first, reduction="none")

    def cost(self, node: Nodes, others: Nodes) -> Tensor:
        """The distance, less the bias."""
        distance: Tensor = self.space.dist(node.points, others.points)
        return distance if others.number is None else distance - others.number

    def table(self, nodes: Nodes, every: Nodes) -> Tensor:
        """The same of all pairs."""
        origin = self.space.origin(
            every.points.shape[-1] - self.space.ambient_dim(0), dtype=every.points.dtype
        )
        # The product's rounding goes with cosh^2 of the radius: 1e-8 at 9, where the other way's is
        # as large in float32; farther out that is the more accurate one.
        near = float(self.space.dist(origin, every.points).max()) < 9
        x, y = nodes.points, every.points
        if near:
            x, y = x.double(), y.double()
        distance = self.space.cdist(x, y, matmul=near).double()
        return distance if every.number is None else distance - every.number.double()
