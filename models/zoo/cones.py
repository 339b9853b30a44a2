"""MERU's losses on any space of constant curvature: what MERU, EuCLIP and SphereCones are."""

from typing import TypedDict

from ...losses import EntailmentLoss, InfoNCE
from ...losses.entailment.cones import Links
from ...losses.pairwise.info_nce import Logits
from ...manifolds import Manifold
from ..design import Design


class Cones(TypedDict, total=False):
    """The options of :func:`with_cones`, for models that hand them on."""

    entail_weight: float
    chain_weight: float
    exclude_weight: float
    links: Links
    compositional: bool
    learn_alpha: bool
    fixed_radius: float | None
    min_radius: float
    aperture_scale: float


def with_cones(
    space: Manifold,
    embed_dim: int,
    logits: Logits,
    *,
    entail_weight: float = 0.2,
    chain_weight: float = 0.0,
    exclude_weight: float = 0.0,
    links: Links = "consecutive",
    compositional: bool = False,
    learn_alpha: bool = True,
    fixed_radius: float | None = None,
    min_radius: float = 0.1,
    aperture_scale: float = 1.0,
) -> Design:
    """InfoNCE and cones on a space, with MERU's constants; options as in :class:`MERU`."""
    return Design(
        embed_dim=embed_dim,
        manifold=space,
        contrastive=InfoNCE(space, logits=logits),
        entailment=EntailmentLoss(space, min_radius=min_radius, aperture_scale=aperture_scale),
        entail_weight=entail_weight,
        chain_weight=chain_weight,
        exclude_weight=exclude_weight,
        links=links,
        compositional=compositional,
        learn_alpha=learn_alpha,
        fixed_radius=fixed_radius,
    )
