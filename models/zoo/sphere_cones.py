"""Cones on the sphere: MERU's losses under positive curvature, a control."""

from typing import Unpack, final

from torch import nn

from ...losses.pairwise.info_nce import Logits
from ..design import Design, designed, passing_on
from ..image_text import ImageTextModel
from .cones import Cones, with_cones
from .spaces import sphere


@final
class SphereCones(ImageTextModel):
    """MERU (Desai et al. 2023) with the hyperboloid replaced by a hemisphere.

    Entailment cones nest on every space of constant curvature, on the sphere up to the equator (by
    Clairaut's relation, see :meth:`Manifold.half_aperture`), so their features' lengths r become
    distances (pi/2) R tanh(r / ((pi/2) R)) from the pole. Everything else is MERU's, and what this
    model does as well as MERU is not owed to negative curvature.

    Args:
        image_encoder, text_encoder: see :class:`ImageTextModel`.
        embed_dim: dimension n of the sphere; points have n + 1 coordinates.
        curvature: the initial one, positive.
        learn_curvature: learn it within a factor of 10.
        logits: ``"inner"`` for the cosine in place of the angle.
        entail_weight, chain_weight, exclude_weight, links, compositional: see
            :class:`ImageTextModel`.
        learn_alpha, fixed_radius: see there.
        min_radius: see :meth:`Manifold.half_aperture`.
        aperture_scale: the share of the half-aperture within which a child has no loss; below 1
            what is trained lies deeper in the cones, and more of what is not lies in them at all.
    """

    name, summary = "sphere-cones", "hemisphere with cones"

    @staticmethod
    @passing_on(with_cones)
    def design(
        *,
        embed_dim: int = 128,
        curvature: float = 1.0,
        learn_curvature: bool = True,
        logits: Logits = "neg_dist",
        **cones: Unpack[Cones],
    ) -> Design:
        """See :meth:`ImageTextModel.design`."""
        space = sphere(curvature, learnable=learn_curvature)
        return with_cones(space, embed_dim, logits, **cones)

    @designed(design)
    def __init__(self, image_encoder: nn.Module, text_encoder: nn.Module, design: Design) -> None:
        super().__init__(image_encoder, text_encoder, **design.arguments())
