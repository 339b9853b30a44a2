"""Disk embeddings."""

from __future__ import annotations

from torch import Tensor

from ....losses import disk_distance
from .method import MarginMethod, Nodes


class Disks(MarginMethod):
    """Each node is a disk with a centre and a radius, of any sign, within those of its ancestors
    (Suzuki et al. 2019)."""

    summary = "disks within disks (Suzuki et al. 2019)"
    number = "radius"

    def cost(self, node: Nodes, others: Nodes) -> Tensor:
        """The length by which a node's disk reaches out of those of others."""
        if node.number is None or others.number is None:
            raise TypeError("disk: there are no radii; expected one a node.")
        return disk_distance(
            others.points, node.points, others.number, node.number, manifold=self.space
        )
