"""All losses as pure functions: tensors positional, options by name, geometry explicit."""

from .cones import entailment as entailment
from .contrastive import info_nce as info_nce, pairwise_logits as pairwise_logits

__all__ = ["entailment", "info_nce", "pairwise_logits"]
