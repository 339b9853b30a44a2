"""HyCoCLIP: MERU with what captions are made of above them, contrasted and entailing."""

from typing import final

from torch import nn

from ...losses import EntailmentLoss, InfoNCE
from ...losses.entailment.cones import Links
from ..design import Design, designed
from ..image_text import ImageTextModel
from .spaces import hyperboloid


@final
class HyCoCLIP(ImageTextModel):
    """Pal et al. 2025 (arXiv 2410.06912), written from the paper, for texts above a caption.

    In the paper a picture's parts are boxes with noun phrases. Here the part of a caption is what
    it belongs to: group > subgroup > caption > picture, given by the concepts of the data. These
    general texts are contrasted with the pictures, as rows only (a text of a whole group is no
    wrong answer to a picture of it), and each entails the next.

    Constants as in the paper: MERU's; the half-apertures are multiplied by 0.7 between a caption
    and its picture and by 1.2 within the texts (above 1 a slack: cones no longer nest, see
    :func:`spaceforms.losses.entailment`); every link has the weight 0.1, half of MERU's lambda.

    Args:
        image_encoder, text_encoder: see :class:`ImageTextModel`.
        embed_dim: dimension n of the hyperboloid; points have n + 1 coordinates.
        curvature, learn_curvature, min_radius: as in :class:`MERU`.
        entail_weight: of the caption's cone.
        chain_weight: of each of the cones above it.
        exclude_weight, links: see :class:`ImageTextModel`.
        aperture_scale: of the caption's cone.
        chain_aperture_scale: of the cones above it.
        learn_alpha: see :class:`ImageTextModel`.
    """

    name, summary = "hycoclip", "meru with groups and subgroups above captions"

    @staticmethod
    def design(
        *,
        embed_dim: int = 128,
        curvature: float = -1.0,
        learn_curvature: bool = True,
        entail_weight: float = 0.1,
        chain_weight: float = 0.1,
        exclude_weight: float = 0.0,
        links: Links = "consecutive",
        min_radius: float = 0.1,
        aperture_scale: float = 0.7,
        chain_aperture_scale: float = 1.2,
        learn_alpha: bool = True,
    ) -> Design:
        """See :meth:`ImageTextModel.design`."""
        space = hyperboloid(curvature, learnable=learn_curvature)
        return Design(
            embed_dim=embed_dim,
            manifold=space,
            contrastive=InfoNCE(space),
            entailment=EntailmentLoss(space, min_radius=min_radius, aperture_scale=aperture_scale),
            entail_weight=entail_weight,
            chain_weight=chain_weight,
            exclude_weight=exclude_weight,
            links=links,
            above=EntailmentLoss(space, min_radius=min_radius, aperture_scale=chain_aperture_scale),
            compositional=True,
            learn_alpha=learn_alpha,
        )

    @designed(design)
    def __init__(self, image_encoder: nn.Module, text_encoder: nn.Module, design: Design) -> None:
        super().__init__(image_encoder, text_encoder, **design.arguments())
