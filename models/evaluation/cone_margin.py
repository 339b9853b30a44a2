"""Cones of a model's space, a product's included: how far outside its parent's cone a child is."""

import torch
from torch import Tensor, nn

from ...losses import EntailmentLoss, exclusion
from ...losses.common import Reduction
from ...manifolds import Lorentz, Manifold, Product


def cone_margin(
    parent: Tensor, child: Tensor, *, manifold: Manifold, min_radius: float = 0.1
) -> Tensor:
    """Exterior angle less half-aperture, in radians: at most 0 iff the child is in the cone.

    Points (..., m), (..., m) -> (...). In a product of Lorentz spaces the largest of the factors'
    margins: a child is in the cone if it is in every factor's.
    """
    if isinstance(manifold, Product):
        a, b, unit = in_units(parent, manifold), in_units(child, manifold), Lorentz(-1.0)
        return (unit.exterior_angle(a, b) - unit.half_aperture(a, min_radius)).amax(-1)
    return manifold.exterior_angle(parent, child) - manifold.half_aperture(parent, min_radius)


class FactorCones(nn.Module):
    """:func:`spaceforms.losses.entailment` in every factor, and the mean over factors and rows.

    A cone knows its space by r/R alone, so that the factors of all curvatures are one call on the
    unit hyperboloid.

    Args:
        manifold: a product of Lorentz spaces of one dimension; not a submodule.
        min_radius: see :meth:`Manifold.half_aperture`.
    """

    def __init__(self, manifold: Product, *, min_radius: float = 0.1) -> None:
        super().__init__()
        self._manifold = (manifold,)
        self.min_radius = min_radius
        self.unit = EntailmentLoss(Lorentz(-1.0), min_radius=min_radius)

    def forward(self, parent: Tensor, child: Tensor) -> Tensor:
        """The loss of children (..., m) against their parents (..., m)."""
        (product,) = self._manifold
        loss: Tensor = self.unit(in_units(parent, product), in_units(child, product))
        return loss

    def exclude(
        self, parent: Tensor, child: Tensor, *, margin: float = 0.1, reduction: Reduction = "mean"
    ) -> Tensor:
        """:func:`spaceforms.losses.exclusion` of what is no child of a parent, (..., m) each."""
        (product,) = self._manifold
        return exclusion(
            parent,
            child,
            manifold=product,
            margin=margin,
            min_radius=self.min_radius,
            reduction=reduction,
        )


def in_units(x: Tensor, product: Product) -> Tensor:
    """Points of equal factors, each over its radius: (..., m) -> (..., k, n + 1)."""
    parts = torch.stack(product.split(x), dim=-2)
    return parts * product.curvatures.abs().sqrt().to(x.dtype)[:, None]
