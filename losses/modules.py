"""Losses as modules. They own their learnable scalars and nothing else."""

from typing import Any, get_args

from torch import Tensor, nn

from ..manifolds import Manifold, PositiveScalar
from ..manifolds.checks import check_min_radius, check_number, check_tensor
from .common import Reduction, check_manifold, check_option
from .entailment.cones import Hinge, check_hinge, entailment, exclusion
from .entailment.likelihood import Plateau, check_law, cone_nll
from .pairwise.info_nce import info_nce
from .pairwise.logits import Logits, Precision, Tile
from .scaled import Scaled


class InfoNCE(Scaled):
    """:func:`info_nce` with a learned inverse temperature.

    Args:
        manifold: the space of the points. It is not a submodule: a learnable curvature belongs to
            the model that makes the points.
        scale: initial inverse temperature; CLIP and MERU start at 1/0.07 (Radford et al. 2021).
        max_scale: the scale stays strictly below it, smoothly (see :class:`PositiveScalar`); 100
            in the papers, as a hard clamp. None for no bound.
        learnable: whether the scale is a parameter.
        logits, symmetric, tile, label_smoothing, decoupled, precision, reduction: as in
            :func:`info_nce`.
    """

    def __init__(
        self,
        manifold: Manifold,
        *,
        scale: float = 1 / 0.07,
        max_scale: float | None = 100.0,
        learnable: bool = True,
        logits: Logits = "neg_dist",
        symmetric: bool = True,
        tile: Tile = "auto",
        label_smoothing: float = 0.0,
        decoupled: bool = False,
        precision: Precision = "auto",
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__(
            manifold,
            scale=scale,
            max_scale=max_scale,
            learnable=learnable,
            logits=logits,
            tile=tile,
            precision=precision,
            reduction=reduction,
        )
        self.symmetric = symmetric
        self.label_smoothing = label_smoothing
        self.decoupled = decoupled

    def forward(
        self, x: Tensor, y: Tensor, targets: Tensor | None = None, **options: Any
    ) -> Tensor:
        """The loss of points x (B, m) against y (C, m).

        targets, and by name groups, mask, weights and check_finite, as in :func:`info_nce`.
        """
        return info_nce(
            x,
            y,
            targets=targets,
            symmetric=self.symmetric,
            label_smoothing=self.label_smoothing,
            decoupled=self.decoupled,
            **self._options(),
            **options,
        )

    def extra_repr(self) -> str:
        """Manifold, logits and symmetry."""
        return f"{super().extra_repr()}, symmetric={self.symmetric}"


class EntailmentLoss(nn.Module):
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
        super().__init__()
        check_manifold("EntailmentLoss", manifold)
        check_hinge("EntailmentLoss", aperture_scale, slack, hinge, softness)
        check_min_radius("EntailmentLoss", min_radius)
        check_option("EntailmentLoss", "reduction", reduction, get_args(Reduction))
        self._manifold = (manifold,)
        self.min_radius = min_radius
        self.aperture_scale = aperture_scale
        self.slack = slack
        self.hinge: Hinge = hinge
        self.softness = softness
        self.reduction: Reduction = reduction

    @property
    def manifold(self) -> Manifold:
        """The space of the points."""
        return self._manifold[0]

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


class ConeLikelihood(nn.Module):
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
        super().__init__()
        check_manifold("ConeLikelihood", manifold)
        check_number("ConeLikelihood", "scale", scale)
        check_law("ConeLikelihood", shape, plateau)
        check_min_radius("ConeLikelihood", min_radius)
        check_option("ConeLikelihood", "reduction", reduction, get_args(Reduction))
        self._manifold = (manifold,)
        self.scale = PositiveScalar(scale, learnable=learnable)
        self.shape = shape
        self.plateau: Plateau = plateau
        self.min_radius = min_radius
        self.reduction: Reduction = reduction

    @property
    def manifold(self) -> Manifold:
        """The space of the points."""
        return self._manifold[0]

    def forward(self, parent: Tensor, child: Tensor, log_scale: Tensor | None = None) -> Tensor:
        """The loss of children (..., m) against their parents (..., m).

        ``log_scale`` (...), an output of a network, is the logarithm of each pair's scale over the
        learned one; None for 0.
        """
        if log_scale is not None:
            check_tensor("ConeLikelihood", "log_scale", log_scale)
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
