"""Shadow cones."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from ....losses import shadow_distance
from ....losses.entailment.shadows import Shadow
from ....manifolds import Product
from .method import MarginMethod, Nodes

SIZE = 0.1


class Umbral(MarginMethod):
    """The ball of a descendant lies in the full shadow that its ancestor's ball casts (Yu et al.
    2024). Points begin as those of distances."""

    summary = "shadows of balls in a point's light (Yu et al. 2024)"
    pretrained = 0.5
    rate = 0.1
    margin = 0.1
    shadow: ClassVar[Shadow] = "umbral"

    def check(self) -> None:
        """A product has no one light."""
        if isinstance(self.space, Product):
            raise ValueError(
                f"the manifold is a product; expected a space of one curvature for {self.shadow} "
                "shadows, which are those of one light: --method cones or disk takes products."
            )

    def cost(self, node: Nodes, others: Nodes) -> Tensor:
        """The length from a node to the edge of the shadows of others: at most 0 within."""
        return shadow_distance(
            others.points, node.points, manifold=self.space, shadow=self.shadow, size=SIZE
        )


class Penumbral(Umbral):
    """A descendant is where its ancestor hides some of a ball's light (Yu et al. 2024)."""

    summary = "half-shadows of points in a ball's light (Yu et al. 2024)"
    shadow = "penumbral"
