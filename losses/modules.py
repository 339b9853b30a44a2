"""Losses as modules. They own their learnable scalars and nothing else."""

from typing import get_args

from torch import Tensor, nn

from ..manifolds import Manifold, PositiveScalar
from ._common import Reduction, check_manifold
from .cones import entailment
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
        min_radius, aperture_scale, reduction: as in :func:`entailment`.
    """

    def __init__(
        self,
        manifold: Manifold,
        *,
        min_radius: float = 0.1,
        aperture_scale: float = 1.0,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__()
        check_manifold("EntailmentLoss", manifold)
        for name, value in (("min_radius", min_radius), ("aperture_scale", aperture_scale)):
            if not value > 0:
                raise ValueError(f"EntailmentLoss: {name} is {value}; expected a positive number.")
        self._manifold = (manifold,)
        self.min_radius = min_radius
        self.aperture_scale = aperture_scale
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
            reduction=self.reduction,
        )

    def extra_repr(self) -> str:
        """The options."""
        return (
            f"{self.manifold!r}, min_radius={self.min_radius:g}, "
            f"aperture_scale={self.aperture_scale:g}"
        )
