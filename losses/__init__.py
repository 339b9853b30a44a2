"""What is minimised: contrastive and entailment losses on any manifold of ``..manifolds``."""

from . import functional as functional
from .functional import (
    chain_entailment as chain_entailment,
    cone_log_prob as cone_log_prob,
    cone_nll as cone_nll,
    entailment as entailment,
    entailment_ranking as entailment_ranking,
    info_nce as info_nce,
    order_embedding as order_embedding,
    order_ranking as order_ranking,
    radial_order as radial_order,
)
from .hierarchy import Hierarchy as Hierarchy
from .modules import (
    ConeLikelihood as ConeLikelihood,
    EntailmentLoss as EntailmentLoss,
    InfoNCE as InfoNCE,
)

__all__ = [
    "ConeLikelihood",
    "EntailmentLoss",
    "Hierarchy",
    "InfoNCE",
    "chain_entailment",
    "cone_log_prob",
    "cone_nll",
    "entailment",
    "entailment_ranking",
    "functional",
    "info_nce",
    "order_embedding",
    "order_ranking",
    "radial_order",
]
