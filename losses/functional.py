"""All losses as pure functions: tensors positional, options by name, geometry explicit."""

from .cones import entailment as entailment
from .contrastive import info_nce as info_nce, pairwise_logits as pairwise_logits
from .generalized_gaussian import (
    bounded_shape as bounded_shape,
    cross_nll as cross_nll,
    generalized_gaussian_nll as generalized_gaussian_nll,
    log_overlap as log_overlap,
    probvlm_surrogate_nll as probvlm_surrogate_nll,
)

__all__ = [
    "bounded_shape",
    "cross_nll",
    "entailment",
    "generalized_gaussian_nll",
    "info_nce",
    "log_overlap",
    "pairwise_logits",
    "probvlm_surrogate_nll",
]
