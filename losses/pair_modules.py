"""The losses of ``pairs`` as modules. They own their learnable scalars and nothing else."""

from typing import Any, get_args

from torch import Tensor, nn

from ..manifolds import Manifold, SignedScalar
from ..manifolds.checks import check_number
from .common import Reduction, check_manifold, check_option
from .pairwise.logits import Logits, Precision, Tile, check_positive
from .pairwise.pairs import Mining, nt_xent, sigmoid_pairs, supervised_contrastive, triplet
from .scaled import Scaled


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
        check_number("SigmoidPairs", "bias", bias)
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

    def forward(self, x: Tensor, labels: Tensor, **options: Any) -> Tensor:
        """The loss of points (B, m); options as in :func:`supervised_contrastive`."""
        return supervised_contrastive(x, labels, **self._options(), **options)


class Triplet(nn.Module):
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
        super().__init__()
        check_manifold("Triplet", manifold)
        check_positive("Triplet", "margin", margin)
        check_option("Triplet", "mining", mining, get_args(Mining))
        check_option("Triplet", "reduction", reduction, get_args(Reduction))
        self._manifold = (manifold,)
        self.margin = margin
        self.squared = squared
        self.mining: Mining = mining
        self.reduction: Reduction = reduction

    @property
    def manifold(self) -> Manifold:
        """The space of the points."""
        return self._manifold[0]

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
