"""The losses of pairs as modules."""

from typing import Any, get_args

from torch import Tensor

from ...manifolds import Manifold, SignedScalar
from ...manifolds.checks import check_number
from ..common import Reduction, check_option, check_positive, check_reduction
from ..pairwise.info_nce import info_nce
from ..pairwise.logits import Logits, Precision, Tile
from ..pairwise.pairs import Mining, nt_xent, sigmoid_pairs, supervised_contrastive, triplet
from .scaled import ManifoldLoss, Scaled


class InfoNCE(Scaled):
    """:func:`info_nce` with a learned inverse temperature.

    Args:
        manifold: the space of the points. It is not a submodule: a learnable curvature belongs to
            the model that makes the points, and is not among ``parameters()`` of the loss. A model
            that does not hold the space: give the optimiser ``manifold.parameters()`` as well.
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
        super().__init__(manifold, scale, max_scale, learnable, logits, tile, precision, reduction)
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


class SigmoidPairs(Scaled):
    """:func:`sigmoid_pairs` with a learned inverse temperature and a learned bias.

    Args:
        manifold, max_scale, learnable: as in :class:`InfoNCE`; learnable is of both scalars.
        bias: the initial bias, from :func:`sigmoid_bias` of a first batch. SigLIP's -10 is for
            cosines; for negative distances it has the wrong sign.
        scale: initial inverse temperature, 10 in SigLIP.
        logits, tile, precision, reduction: as in :func:`sigmoid_pairs`.
    """

    def __init__(
        self,
        manifold: Manifold,
        *,
        bias: float,
        scale: float = 10.0,
        max_scale: float | None = 100.0,
        learnable: bool = True,
        logits: Logits = "neg_dist",
        tile: Tile = "auto",
        precision: Precision = "auto",
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__(manifold, scale, max_scale, learnable, logits, tile, precision, reduction)
        check_number("SigmoidPairs", "bias", bias)
        # The bias has either sign: positive for distances, negative for SigLIP's cosines.
        self.bias = SignedScalar(bias, learnable=learnable)

    def forward(
        self, x: Tensor, y: Tensor, targets: Tensor | None = None, **options: Any
    ) -> Tensor:
        """The loss of points x (B, m) against y (C, m); options as in :func:`sigmoid_pairs`."""
        return sigmoid_pairs(x, y, targets=targets, bias=self.bias(), **self._options(), **options)


class NTXent(Scaled):
    """:func:`nt_xent` with an inverse temperature, fixed unless ``learnable``.

    Args:
        manifold, max_scale: as in :class:`InfoNCE`.
        scale: the inverse temperature.
        logits, tile, decoupled, precision, reduction: as in :func:`nt_xent`.
    """

    def __init__(
        self,
        manifold: Manifold,
        *,
        scale: float = 10.0,
        max_scale: float | None = 100.0,
        learnable: bool = False,
        logits: Logits = "neg_dist",
        tile: Tile = "auto",
        decoupled: bool = False,
        precision: Precision = "auto",
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__(manifold, scale, max_scale, learnable, logits, tile, precision, reduction)
        self.decoupled = decoupled

    def forward(self, x: Tensor, y: Tensor, **options: Any) -> Tensor:
        """The loss of two views (B, m); options as in :func:`nt_xent`."""
        return nt_xent(x, y, decoupled=self.decoupled, **self._options(), **options)


class SupervisedContrastive(Scaled):
    """:func:`supervised_contrastive` with an inverse temperature, fixed unless ``learnable``.

    Args:
        manifold, max_scale: as in :class:`InfoNCE`.
        scale: the inverse temperature.
        logits, tile, precision, reduction: as in :func:`supervised_contrastive`.
    """

    def __init__(
        self,
        manifold: Manifold,
        *,
        scale: float = 10.0,
        max_scale: float | None = 100.0,
        learnable: bool = False,
        logits: Logits = "neg_dist",
        tile: Tile = "auto",
        precision: Precision = "auto",
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__(manifold, scale, max_scale, learnable, logits, tile, precision, reduction)

    def forward(self, x: Tensor, labels: Tensor, **options: Any) -> Tensor:
        """The loss of points (B, m); options as in :func:`supervised_contrastive`."""
        return supervised_contrastive(x, labels, **self._options(), **options)


class Triplet(ManifoldLoss):
    """:func:`triplet` with its options held. It has nothing to learn.

    Args:
        manifold: the space of the points; not a submodule, as in :class:`InfoNCE`.
        margin, squared, mining, reduction: as in :func:`triplet`.
    """

    def __init__(
        self,
        manifold: Manifold,
        *,
        margin: float = 0.2,
        squared: bool = False,
        mining: Mining = "hard",
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__(manifold)
        check_positive("Triplet", "margin", margin)
        check_option("Triplet", "mining", mining, get_args(Mining))
        check_reduction("Triplet", reduction)
        self.margin = margin
        self.squared = squared
        self.mining: Mining = mining
        self.reduction: Reduction = reduction

    def forward(
        self, anchor: Tensor, positive: Tensor, negative: Tensor | None = None, **options: Any
    ) -> Tensor:
        """The loss of points (B, m), mined if there are no negatives."""
        return triplet(
            anchor,
            positive,
            negative,
            manifold=self.manifold,
            margin=self.margin,
            squared=self.squared,
            mining=self.mining,
            reduction=self.reduction,
            **options,
        )

    def extra_repr(self) -> str:
        """The options."""
        return f"{self.manifold!r}, margin={self.margin:g}, mining={self.mining!r}"
