"""Losses as modules. They own their learnable scalars and nothing else."""

from typing import get_args

from torch import Tensor, nn

from ..manifolds import Manifold, PositiveScalar
from ._common import Reduction, check_manifold
from .cone_likelihood import Plateau, check_law, cone_nll
from .cones import Hinge, check_hinge, entailment
from .contrastive import Logits, info_nce


class InfoNCE(nn.Module):
    """:func:`info_nce` with a learned inverse temperature.

    Args:
        manifold: the space of the points. It is not a submodule: a learnable curvature belongs to
            the model that makes the points.
        scale: initial inverse temperature; CLIP and MERU start at 1/0.07 (Radford et al. 2021,
            section 2.5).
        max_scale: the scale stays strictly below it, smoothly (see :class:`PositiveScalar`); 100
            in the papers, as a hard clamp. None for no bound.
        learnable: whether the scale is a parameter.
        logits, symmetric, reduction: as in :func:`info_nce`.
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
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__()
        check_manifold("InfoNCE", manifold)
        if logits not in get_args(Logits):
            raise ValueError(
                f"InfoNCE: logits is {logits!r}; expected one of {', '.join(get_args(Logits))}."
            )
        if max_scale is not None and not 0 < scale < max_scale:
            raise ValueError(
                f"InfoNCE: scale is {scale} with max_scale {max_scale}; expected a positive scale "
                "below max_scale."
            )
        # In a tuple, nn.Module does not see it and its parameters stay the model's.
        self._manifold = (manifold,)
        # A lower bound far from anything a run visits: the upper one is what the papers have.
        bounds = None if max_scale is None else (scale * 1e-6, max_scale)
        self.scale = PositiveScalar(scale, bounds=bounds, learnable=learnable)
        self.logits: Logits = logits
        self.symmetric = symmetric
        self.reduction: Reduction = reduction

    @property
    def manifold(self) -> Manifold:
        """The space of the points."""
        return self._manifold[0]

    def forward(self, x: Tensor, y: Tensor, targets: Tensor | None = None) -> Tensor:
        """The loss of points x (B, m) against y (C, m); targets as in :func:`info_nce`."""
        return info_nce(
            x,
            y,
            manifold=self.manifold,
            scale=self.scale(),
            targets=targets,
            logits=self.logits,
            symmetric=self.symmetric,
            reduction=self.reduction,
        )

    def extra_repr(self) -> str:
        """Manifold, logits and symmetry."""
        return f"{self.manifold!r}, logits={self.logits!r}, symmetric={self.symmetric}"


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
        if not min_radius > 0:
            raise ValueError(
                f"EntailmentLoss: min_radius is {min_radius}; expected a positive number."
            )
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
        check_law("ConeLikelihood", shape, plateau)
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
