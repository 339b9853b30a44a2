"""Order embeddings."""

from __future__ import annotations

from torch import Tensor

from ....losses import order_embedding
from ....manifolds import Euclidean
from .method import MarginMethod, Nodes


class OrderEmbedding(MarginMethod):
    """A descendant has every coordinate at least its ancestor's; all are positive, so that the
    origin is above all (Vendrov et al. 2016)."""

    summary = "coordinates in order, of flat space (Vendrov et al. 2016)"
    rate = 0.3
    wider = False

    def check(self) -> None:
        """An order of coordinates is one of flat space."""
        if not isinstance(self.space, Euclidean):
            raise ValueError(
                f"the manifold is {self.space}; expected --manifold euclidean for --method order, "
                "which compares the coordinates of flat space."
            )

    def place(self, normal: Tensor) -> Tensor:
        """No coordinate is negative."""
        return normal.abs()

    def cost(self, node: Nodes, others: Nodes) -> Tensor:
        """The squared length of what the coordinates of others are too large."""
        x, y = others.points, node.points
        return order_embedding(x, y.expand_as(x) if y.ndim == x.ndim else y, reduction="none")
