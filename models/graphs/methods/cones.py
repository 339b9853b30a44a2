"""Entailment cones."""

from __future__ import annotations

from torch import Tensor

from .method import MarginMethod, Nodes

MIN_RADIUS = 0.1


class Cones(MarginMethod):
    """A descendant lies in the cone of its ancestor: the exterior angle there is at most the
    half-aperture, and of what is no descendant larger by a margin (Ganea et al. 2018, eq. 32 and
    33; of a product that of its worst factor). Points begin as those of distances."""

    summary = "entailment cones (Ganea et al. 2018)"
    pretrained = 0.5
    rate = 0.1
    margin = 0.03

    def cost(self, node: Nodes, others: Nodes) -> Tensor:
        """By how much the angle is larger than the aperture: at most 0 in the cone."""
        angle, aperture = self.space.cones(others.points, node.points, MIN_RADIUS)
        return (angle - aperture).amax(-1)
