"""PHyCLIP: a product of hyperbolic spaces under the l1 metric, each with its own curvature."""

from typing import ClassVar, final

import torch
from torch import Tensor, nn

from ...losses import EntailmentLoss, InfoNCE
from ...losses.entailment.cones import Links
from ...manifolds import PositiveScalar, Product
from ..design import Design, designed
from ..image_text import MODALITIES, ImageTextModel
from ..model_options import Option
from .spaces import hyperboloid


@final
class PHyCLIP(ImageTextModel):
    """Yoshikawa & Matsubara 2026 (PHyCLIP, ICLR), written from the paper's formulas.

    A point is k points of hyperbolic spaces of dimension ``embed_dim / k``: a hierarchy in each
    factor, conjunction across them. The distance is the mean of the factors' distances (the l1
    metric; the paper writes their sum, which is k times it and which the learned scale makes the
    same but for its bound of 100). A caption entails its picture in every factor: the hinge is the
    mean over factors.

    Constants: factors of dimension 8; in each a curvature of its own, -1 at first, and a scalar
    alpha of its own for each modality, 1/sqrt(8) at first; the rest as in :class:`MERU`.

    Args:
        image_encoder, text_encoder: see :class:`ImageTextModel`.
        embed_dim: dimension of the product.
        factors: k, a divisor of embed_dim; ``embed_dim / 8`` if None.
        curvature, learn_curvature: of every factor.
        entail_weight, chain_weight, exclude_weight, links, compositional, learn_alpha: see
            :class:`ImageTextModel`.
        min_radius: see :meth:`Manifold.half_aperture`.
    """

    name, summary = "phyclip", "product of hyperboloids"
    own_options: ClassVar = {
        "factors": Option(
            "phyclip: the number of factors, a divisor of embed-dim.",
            unset="one for 8 coordinates",
        )
    }

    @staticmethod
    def design(
        *,
        embed_dim: int = 128,
        factors: int | None = None,
        curvature: float = -1.0,
        learn_curvature: bool = True,
        entail_weight: float = 0.2,
        chain_weight: float = 0.0,
        exclude_weight: float = 0.0,
        links: Links = "consecutive",
        compositional: bool = False,
        min_radius: float = 0.1,
        learn_alpha: bool = True,
    ) -> Design:
        """See :meth:`ImageTextModel.design`."""
        k = max(1, embed_dim // 8) if factors is None else factors
        if k < 1 or embed_dim % k:
            raise ValueError(
                f"PHyCLIP: embed_dim is {embed_dim} with {k} factors; expected a multiple of the "
                "number of factors, which is embed_dim / 8 unless given."
            )
        n = embed_dim // k
        space = Product(
            [hyperboloid(curvature, learnable=learn_curvature) for _ in range(k)],
            dims=[n] * k,
            metric="l1",
            weights=[1 / k] * k,
        )
        return Design(
            embed_dim=embed_dim,
            manifold=space,
            contrastive=InfoNCE(space),
            entailment=EntailmentLoss(space, min_radius=min_radius),
            entail_weight=entail_weight,
            chain_weight=chain_weight,
            exclude_weight=exclude_weight,
            links=links,
            compositional=compositional,
            learn_alpha=learn_alpha,
        )

    @designed(design)
    def __init__(self, image_encoder: nn.Module, text_encoder: nn.Module, design: Design) -> None:
        super().__init__(image_encoder, text_encoder, **design.arguments())
        assert isinstance(design.manifold, Product)
        k = len(design.manifold.factors)
        scales = {
            m: FactorScales(k, design.embed_dim // k, learnable=design.learn_alpha)
            for m in MODALITIES
        }
        self.alpha = nn.ModuleDict(scales)


class FactorScales(nn.Module):
    """A scalar for each factor, repeated over its normal coordinates: (k n,).

    1/sqrt(n) at first and at most 1, like MERU's, over k: the normal coordinates of a product
    whose lengths are multiplied by 1/k are so much shorter than those of its factors.
    """

    def __init__(self, factors: int, n: int, *, learnable: bool) -> None:
        super().__init__()
        start = n**-0.5
        # A scalar of one dimension starts at the bound of 1, where nothing could be learned.
        bounds = (start * 1e-3, max(1.0, 2 * start)) if learnable else None
        self.each = nn.ModuleList(
            PositiveScalar(start, bounds=bounds, learnable=learnable) for _ in range(factors)
        )
        self.n = n

    def forward(self) -> Tensor:
        scales = torch.stack([scale() for scale in self.each]) / len(self.each)
        return scales.repeat_interleave(self.n).float()
