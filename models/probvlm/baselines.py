"""Other uncertainties of frozen embeddings, to hold ProbVLM against."""

import math
from typing import Any

import torch
from torch import Tensor, nn

from ...losses import inclusion_loss, match_probability_loss, sampled_sqdist
from ...losses.metrics import epistemic_variance
from ...manifolds import Euclidean
from ..image_text import Losses
from .model import Law, ProbVLM


class FrozenLocation(ProbVLM):
    """Normal laws about the embeddings themselves; only their scales are predicted."""

    def __init__(
        self,
        dim: int,
        *,
        hidden: int = 256,
        dropout: float = 0.1,
        centre: Tensor | None = None,
        spread: float = 1.0,
    ) -> None:
        super().__init__(
            dim,
            likelihood="gaussian",
            hidden=hidden,
            dropout=dropout,
            centre=centre,
            spread=spread,
        )

    def law(self, x: Tensor, modality: str, masks: list[Tensor] | None = None) -> Law:
        return super().law(x, modality, masks)._replace(loc=x)


class PFE(FrozenLocation):
    r"""Probabilistic face embeddings (Shi & Jain 2019), their loss between two modalities.

    The negative mutual likelihood score, :math:`-\log\int G_V G_T` of two normal laws, which is
    :math:`-\log N(z_V - z_T; 0, \sigma_V^2 + \sigma_T^2)` in each coordinate: eq. 4 of ProbVLM,
    without an approximation.
    """

    def loss(self, image: Tensor, text: Tensor, targets: Tensor | None = None) -> Losses:
        v, t = self.pair_laws(image, text)
        # A normal law of scale a has variance a^2/2.
        log_variance = torch.logaddexp(2 * v.log_scale, 2 * t.log_scale) - math.log(2)
        square = (v.loc - t.loc).square() * (-log_variance).exp()
        total = 0.5 * (square + log_variance + math.log(2 * math.pi)).mean()
        return Losses(total, {"overlap": total})


class PCME(FrozenLocation):
    r"""Probabilistic cross-modal embeddings (Chun 2024, PCME++) about frozen locations.

    Every pair of a batch matches with probability :math:`\sigma(b - a\,D)`, D the mean square
    distance of draws from its laws, in units of the embeddings' spread and over coordinates; a and
    b are learned, from 5. See :func:`spaceforms.losses.match_probability_loss`.
    """

    def __init__(
        self,
        dim: int,
        *,
        hidden: int = 256,
        dropout: float = 0.1,
        centre: Tensor | None = None,
        spread: float = 1.0,
    ) -> None:
        super().__init__(dim, hidden=hidden, dropout=dropout, centre=centre, spread=spread)
        self.log_slope = nn.Parameter(torch.empty(()))
        self.offset = nn.Parameter(torch.empty(()))
        self._reset_match()

    def _reset_match(self) -> None:
        nn.init.constant_(self.log_slope, math.log(5.0))
        nn.init.constant_(self.offset, 5.0)

    def reset_parameters(self) -> None:
        """The numbers of a match and of the embeddings as they were given."""
        super().reset_parameters()
        self._reset_match()

    def loss(self, image: Tensor, text: Tensor, targets: Tensor | None = None) -> Losses:
        v, t = self.pair_laws(image, text)
        total = self.matching(v, t, targets)
        return Losses(total, {"matching": total})

    def matching(self, v: Law, t: Law, targets: Tensor | None) -> Tensor:
        """The mean cross entropy of all pairs of the laws of pictures and of texts."""
        unit = self.spread * v.loc.shape[-1] ** 0.5
        # A normal law of scale a has variance a^2/2.
        variances = [(2 * law.log_scale).exp() / 2 / unit**2 for law in (v, t)]
        square = sampled_sqdist(
            v.loc[:, None] / unit,
            variances[0][:, None],
            t.loc / unit,
            variances[1],
            manifold=Euclidean(),
        )
        slope = self.log_slope.exp()
        return match_probability_loss(
            square, scale=slope, shift=self.offset, positives=targets, pseudo_weight=0.0
        )


class ProLIP(PCME):
    r"""Probabilistic language-image pre-training (Chun et al. 2025) about frozen locations.

    The pairwise loss of :class:`PCME`, summed over the texts of each picture as ProLIP's is over
    unit vectors (there :math:`a(\mu^\top\nu - \tfrac12\mathrm{tr}) + b` is the same function up to
    b), the inclusion of the picture's law in the caption's
    (:func:`spaceforms.losses.inclusion_loss`, H the mean over coordinates), and its bottleneck, the
    divergence of the laws' widths from the embeddings' spread, which keeps them from nothing.

    Inclusion of whole inputs in masked ones is not here: masks are for encoders that learn, and
    these are frozen.

    Args:
        inclusion_weight, bottleneck_weight: of the latter two; the best of a few on the packaged
            val concepts, where none did well.
    """

    def __init__(
        self,
        dim: int,
        *,
        inclusion_weight: float = 0.1,
        bottleneck_weight: float = 0.1,
        **sizes: Any,
    ) -> None:
        super().__init__(dim, **sizes)
        self.inclusion_weight, self.bottleneck_weight = inclusion_weight, bottleneck_weight

    def loss(self, image: Tensor, text: Tensor, targets: Tensor | None = None) -> Losses:
        laws = self.pair_laws(image, text)
        matching = len(text) * self.matching(laws[0], laws[1], targets)
        # A normal law of scale a has variance a^2/2; both in units of the spread, as means are.
        unit = self.spread
        v, t = (2 * (law.log_scale - unit.log()) - math.log(2) for law in laws)
        inclusion = inclusion_loss(
            laws[0].loc / unit, v, laws[1].loc / unit, t, scale=1 / image.shape[-1]
        )
        bottleneck = torch.stack([0.5 * (w.exp() - w - 1).mean() for w in (v, t)]).mean()
        total = matching + self.inclusion_weight * inclusion + self.bottleneck_weight * bottleneck
        parts = {"matching": matching, "inclusion": inclusion, "bottleneck": bottleneck}
        return Losses(total, parts)


def augmentation_variance(views: Tensor) -> Tensor:
    """Test-time data augmentation: mean variance over views of one picture, (V, B, d) -> (B,)."""
    return epistemic_variance(views).mean(-1)
