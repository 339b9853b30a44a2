"""All losses as pure functions: tensors positional, options by name, geometry explicit."""

from .cone_likelihood import cone_log_prob as cone_log_prob, cone_nll as cone_nll
from .cones import (
    chain_entailment as chain_entailment,
    entailment as entailment,
    entailment_ranking as entailment_ranking,
)
from .contrastive import info_nce as info_nce, pairwise_logits as pairwise_logits
from .orders import (
    order_embedding as order_embedding,
    order_ranking as order_ranking,
    radial_order as radial_order,
)

__all__ = [
    "chain_entailment",
    "cone_log_prob",
    "cone_nll",
    "entailment",
    "entailment_ranking",
    "info_nce",
    "order_embedding",
    "order_ranking",
    "pairwise_logits",
    "radial_order",
]
