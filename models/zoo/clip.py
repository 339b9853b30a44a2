"""CLIP: pictures and captions on the unit sphere, contrasted by their cosine."""

from typing import final

from torch import nn

from ...losses import InfoNCE
from ...manifolds import Sphere
from ..design import Design, designed
from ..image_text import ImageTextModel


@final
class CLIP(ImageTextModel):
    """Radford et al. 2021 (arXiv 2103.00020), figure 3.

    Features are divided by their norm, which makes them points of the unit sphere of dimension
    ``embed_dim - 1``; the logits are their inner products times a learned scale, 1/0.07 at first
    and below 100 always.

    Args:
        image_encoder, text_encoder: see :class:`ImageTextModel`.
        embed_dim: number of coordinates of a point.
    """

    name, summary = "clip", "unit sphere"

    @staticmethod
    def design(*, embed_dim: int = 128) -> Design:
        """See :meth:`ImageTextModel.design`."""
        sphere = Sphere(curvature=1.0)
        return Design(
            embed_dim=embed_dim,
            manifold=sphere,
            contrastive=InfoNCE(sphere, logits="inner"),
            lift="project",
        )

    @designed(design)
    def __init__(self, image_encoder: nn.Module, text_encoder: nn.Module, design: Design) -> None:
        super().__init__(image_encoder, text_encoder, **design.arguments())
