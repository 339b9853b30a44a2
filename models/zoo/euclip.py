"""EuCLIP: MERU's losses in flat space, the control of every claim about curvature."""

from typing import Unpack, final

from torch import nn

from ...losses.pairwise.info_nce import Logits
from ...manifolds import Euclidean
from ..design import Design, designed, passing_on
from ..image_text import ImageTextModel
from .cones import Cones, with_cones


@final
class EuCLIP(ImageTextModel):
    """Chou & Alam 2024 (arXiv 2409.13079), written from the paper.

    Features are not divided by their norm; the logits are negative squared distances, and the
    cones are those of flat space, with the half-aperture asin(2 min_radius / |x|).

    Constants: lambda = 0.2 and min_radius = 0.1 as in MERU, whose control it is here; 0 for
    ``entail_weight`` gives the model without cones. The scalars alpha are MERU's too: they start
    the points at distance about 1, where a scale of 1/0.07 suits squared distances.

    Args:
        image_encoder, text_encoder: see :class:`ImageTextModel`.
        embed_dim: dimension of the space.
        logits: ``"neg_dist"`` for plain distances.
        entail_weight, chain_weight, exclude_weight, links, compositional: see
            :class:`ImageTextModel`.
        learn_alpha, fixed_radius: see there.
        min_radius: see :meth:`Manifold.half_aperture`.
        aperture_scale: the share of the half-aperture within which a child has no loss; below 1
            what is trained lies deeper in the cones, and more of what is not lies in them at all.
    """

    name, summary = "euclip", "flat space with cones"

    @staticmethod
    @passing_on(with_cones)
    def design(
        *,
        embed_dim: int = 128,
        logits: Logits = "neg_sqdist",
        **cones: Unpack[Cones],
    ) -> Design:
        """See :meth:`ImageTextModel.design`."""
        space = Euclidean()
        return with_cones(space, embed_dim, logits, **cones)

    @designed(design)
    def __init__(self, image_encoder: nn.Module, text_encoder: nn.Module, design: Design) -> None:
        super().__init__(image_encoder, text_encoder, **design.arguments())
