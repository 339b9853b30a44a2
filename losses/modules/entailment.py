"""The losses of cones as modules."""

from torch import Tensor

from ...manifolds import Manifold, PositiveScalar
from ...manifolds.checks import check_min_radius, check_number, check_tensor
from ..common import Reduction, check_reduction
from ..entailment.cones import Cone, Hinge, entailment, exclusion
from ..entailment.likelihood import Plateau, check_law, cone_nll
from .scaled import ManifoldLoss


class EntailmentLoss(ManifoldLoss):
    """:func:`entailment` with its options held. It has nothing to learn.

    Args:
        manifold: the space of the points; not a submodule, as in :class:`InfoNCE`.
        min_radius, aperture_scale, slack, hinge, softness, reduction: as in :func:`entailment`.
    """

    def __init__(
        self,
        manifold: Manifold,
        *,
        min_radius: float = 0.1,
        aperture_scale: float = 1.0,
        slack: float = 0.0,
        hinge: Hinge = "relu",
        softness: float = 0.1,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__(manifold)
        # Cone is made for its checks. The options stay attributes, to be read and set one by one.
        Cone("EntailmentLoss", manifold, min_radius, aperture_scale, slack, hinge, softness)
        check_min_radius("EntailmentLoss", min_radius)
        check_reduction("EntailmentLoss", reduction)
        self.min_radius = min_radius
        self.aperture_scale = aperture_scale
        self.slack = slack
        self.hinge: Hinge = hinge
        self.softness = softness
        self.reduction: Reduction = reduction

    def forward(self, parent: Tensor, child: Tensor) -> Tensor:
        """The loss of children (..., m) against their parents (..., m)."""
        return entailment(
            parent,
            child,
            manifold=self.manifold,
            min_radius=self.min_radius,
            aperture_scale=self.aperture_scale,
            slack=self.slack,
            hinge=self.hinge,
            softness=self.softness,
            reduction=self.reduction,
        )

    def exclude(
        self,
        parent: Tensor,
        child: Tensor,
        *,
        margin: float = 0.1,
        reduction: Reduction | None = None,
    ) -> Tensor:
        """:func:`exclusion` of what is no child of a parent, (..., m) each, from the cones
        themselves, whatever share of them (``aperture_scale``) and how much more (``slack``) is
        asked of children; reduced as the loss is if ``reduction`` is None."""
        return exclusion(
            parent,
            child,
            manifold=self.manifold,
            margin=margin,
            min_radius=self.min_radius,
            reduction=reduction or self.reduction,
        )

    def extra_repr(self) -> str:
        """The options."""
        return (
            f"{self.manifold!r}, min_radius={self.min_radius:g}, "
            f"aperture_scale={self.aperture_scale:g}, slack={self.slack:g}, hinge={self.hinge!r}"
        )


class ConeLikelihood(ManifoldLoss):
    """:func:`cone_nll` with a learned scale, for all pairs or as the unit of a predicted one.

    Args:
        manifold: the space of the points; not a submodule, as in :class:`InfoNCE`.
        scale: the initial scale in radians.
        learnable: whether it is a parameter, kept positive.
        shape, plateau, min_radius, reduction: as in :func:`cone_nll`.
    """

    def __init__(
        self,
        manifold: Manifold,
        *,
        scale: float = 0.3,
        learnable: bool = True,
        shape: float = 1.0,
        plateau: Plateau = "cone",
        min_radius: float = 0.1,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__(manifold)
        check_number("ConeLikelihood", "scale", scale)
        check_law("ConeLikelihood", shape, plateau)
        check_min_radius("ConeLikelihood", min_radius)
        check_reduction("ConeLikelihood", reduction)
        self.scale = PositiveScalar(scale, learnable=learnable)
        self.shape = shape
        self.plateau: Plateau = plateau
        self.min_radius = min_radius
        self.reduction: Reduction = reduction

    def forward(self, parent: Tensor, child: Tensor, log_scale: Tensor | None = None) -> Tensor:
        """The loss of children (..., m) against their parents (..., m).

        ``log_scale`` (...), an output of a network, is the logarithm of each pair's scale over the
        learned one; None for 0.
        """
        if log_scale is not None:
            check_tensor("ConeLikelihood", "log_scale", log_scale)
        # The learned scale is the unit: a network that gives 0 starts at it, not at e^0 radians.
        scale: Tensor = self.scale()
        return cone_nll(
            parent,
            child,
            scale if log_scale is None else scale * log_scale.exp(),
            manifold=self.manifold,
            shape=self.shape,
            plateau=self.plateau,
            min_radius=self.min_radius,
            reduction=self.reduction,
        )

    def extra_repr(self) -> str:
        """Manifold and law."""
        return f"{self.manifold!r}, shape={self.shape:g}, plateau={self.plateau!r}"
