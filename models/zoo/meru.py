"""MERU: pictures and captions in hyperbolic space, captions above their pictures."""

from typing import Unpack, final

from torch import nn

from ...losses.pairwise.info_nce import Logits
from ..design import Design, designed, passing_on
from ..image_text import ImageTextModel
from .cones import Cones, with_cones
from .spaces import hyperboloid


@final
class MERU(ImageTextModel):
    r"""Desai et al. 2023 (arXiv 2304.09172), written from the paper.

    Features, times a learned scalar of their modality, are normal coordinates at the origin of
    the hyperboloid. The loss is :math:`L_{con} + \lambda L_{ent}`: InfoNCE on negative distances,
    and the hinge that puts a picture into the entailment cone of its caption.

    Constants as in the paper: curvature -1 at first, learned between -10 and -0.1; the scalars
    1/sqrt(embed_dim) at first, at most 1; the scale 1/0.07 at first, below 100; lambda = 0.2;
    min_radius = 0.1. Bounds are kept smoothly (:class:`PositiveScalar`) where the paper clamps.

    The paper's ablations are ``entail_weight=0``, ``learn_curvature=False`` and
    ``logits="inner"``.

    Args:
        image_encoder, text_encoder: see :class:`ImageTextModel`.
        embed_dim: dimension n of the hyperboloid; points have n + 1 coordinates.
        curvature: the initial one.
        learn_curvature: False keeps it.
        logits: ``"inner"`` for the Lorentz inner product in place of the distance.
        entail_weight, chain_weight, exclude_weight, links, compositional: see
            :class:`ImageTextModel`.
        learn_alpha, fixed_radius: see there.
        min_radius: see :meth:`Manifold.half_aperture`.
        aperture_scale: the share of the half-aperture within which a child has no loss; below 1
            what is trained lies deeper in the cones, and more of what is not lies in them at all.
    """

    name, summary = "meru", "hyperboloid with entailment cones"

    @staticmethod
    @passing_on(with_cones)
    def design(
        *,
        embed_dim: int = 128,
        curvature: float = -1.0,
        learn_curvature: bool = True,
        logits: Logits = "neg_dist",
        **cones: Unpack[Cones],
    ) -> Design:
        """See :meth:`ImageTextModel.design`."""
        space = hyperboloid(curvature, learnable=learn_curvature)
        return with_cones(space, embed_dim, logits, **cones)

    @designed(design)
    def __init__(self, image_encoder: nn.Module, text_encoder: nn.Module, design: Design) -> None:
        super().__init__(image_encoder, text_encoder, **design.arguments())
