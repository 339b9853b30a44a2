"""What is minimised: contrastive and entailment losses on any manifold of ``..manifolds``.

Functions are in ``functional`` as well; modules own what a loss learns or remembers.
"""

from . import functional as functional
from .functional import (
    chain_contrastive as chain_contrastive,
    compositional_contrastive as compositional_contrastive,
    compositional_entailment as compositional_entailment,
    cross_modal_alignment as cross_modal_alignment,
    distilled_targets as distilled_targets,
    donsker_varadhan_bound as donsker_varadhan_bound,
    entailment as entailment,
    hard_negatives as hard_negatives,
    info_nce as info_nce,
    info_nce_bound as info_nce_bound,
    intra_modal_contrastive as intra_modal_contrastive,
    jensen_shannon_bound as jensen_shannon_bound,
    local_mutual_information as local_mutual_information,
    mask_tokens as mask_tokens,
    masked_language_loss as masked_language_loss,
    match_probability as match_probability,
    match_probability_loss as match_probability_loss,
    matching_loss as matching_loss,
    nwj_bound as nwj_bound,
    pairwise_logits as pairwise_logits,
    pool_patches as pool_patches,
    pseudo_positives as pseudo_positives,
    sampled_sqdist as sampled_sqdist,
)
from .modules import EntailmentLoss as EntailmentLoss, InfoNCE as InfoNCE
from .momentum import momentum_update as momentum_update
from .queue import PointQueue as PointQueue

__all__ = [
    "EntailmentLoss",
    "InfoNCE",
    "PointQueue",
    "chain_contrastive",
    "compositional_contrastive",
    "compositional_entailment",
    "cross_modal_alignment",
    "distilled_targets",
    "donsker_varadhan_bound",
    "entailment",
    "functional",
    "hard_negatives",
    "info_nce",
    "info_nce_bound",
    "intra_modal_contrastive",
    "jensen_shannon_bound",
    "local_mutual_information",
    "mask_tokens",
    "masked_language_loss",
    "match_probability",
    "match_probability_loss",
    "matching_loss",
    "momentum_update",
    "nwj_bound",
    "pairwise_logits",
    "pool_patches",
    "pseudo_positives",
    "sampled_sqdist",
]
