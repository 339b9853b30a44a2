"""All losses as pure functions: tensors positional, options by name, geometry explicit."""

from .common import public_names as _public_names
from .entailment.compositional import (
    chain_contrastive as chain_contrastive,
    compositional_contrastive as compositional_contrastive,
    compositional_entailment as compositional_entailment,
)
from .entailment.cones import (
    chain_entailment as chain_entailment,
    entailment as entailment,
    entailment_ranking as entailment_ranking,
    exclusion as exclusion,
)
from .entailment.disks import disk_distance as disk_distance, disk_ranking as disk_ranking
from .entailment.likelihood import cone_log_prob as cone_log_prob, cone_nll as cone_nll
from .entailment.orders import (
    order_embedding as order_embedding,
    order_ranking as order_ranking,
    radial_order as radial_order,
)
from .entailment.shadows import (
    shadow_distance as shadow_distance,
    shadow_ranking as shadow_ranking,
)
from .pairwise.debiased import debiased_info_nce as debiased_info_nce
from .pairwise.info_nce import info_nce as info_nce
from .pairwise.logits import pairwise_logits as pairwise_logits
from .pairwise.pairs import (
    nt_xent as nt_xent,
    sigmoid_bias as sigmoid_bias,
    sigmoid_pairs as sigmoid_pairs,
    supervised_contrastive as supervised_contrastive,
    triplet as triplet,
)
from .probabilistic.generalized_gaussian import (
    bounded_shape as bounded_shape,
    cross_nll as cross_nll,
    generalized_gaussian_nll as generalized_gaussian_nll,
    log_overlap as log_overlap,
    probvlm_surrogate_nll as probvlm_surrogate_nll,
)
from .probabilistic.inclusion import (
    gaussian_inclusion as gaussian_inclusion,
    inclusion_loss as inclusion_loss,
)
from .probabilistic.mutual_information import (
    donsker_varadhan_bound as donsker_varadhan_bound,
    info_nce_bound as info_nce_bound,
    jensen_shannon_bound as jensen_shannon_bound,
    nwj_bound as nwj_bound,
)
from .probabilistic.uncertain_pairs import (
    match_probability as match_probability,
    match_probability_loss as match_probability_loss,
    pseudo_positives as pseudo_positives,
    sampled_sqdist as sampled_sqdist,
)
from .tcl.contrasts import (
    cross_modal_alignment as cross_modal_alignment,
    distilled_targets as distilled_targets,
    intra_modal_contrastive as intra_modal_contrastive,
    local_mutual_information as local_mutual_information,
    pool_patches as pool_patches,
)
from .tcl.matching import (
    hard_negatives as hard_negatives,
    mask_tokens as mask_tokens,
    masked_language_loss as masked_language_loss,
    matching_loss as matching_loss,
)

globals()["__all__"] = _public_names(globals())
