"""How far outside its parent's cone a child is, in a model's space, a product's included."""

from torch import Tensor

from ...manifolds import Manifold


def cone_margin(
    parent: Tensor, child: Tensor, *, manifold: Manifold, min_radius: float = 0.1
) -> Tensor:
    """Exterior angle less half-aperture, in radians: at most 0 iff the child is in the cone.

    Points (..., m), (..., m) -> (...). In a product the largest of the factors' margins: a child is
    in the cone if it is in every factor's.
    """
    angle, aperture = manifold.cones(parent, child, min_radius)
    return (angle - aperture).amax(-1)
