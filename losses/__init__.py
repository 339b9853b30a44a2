"""What is minimised, and how its outcome is judged: losses on any manifold of ``..manifolds``.

Contrastive and entailment losses, and the likelihood of generalized Gaussian laws; the measures of
an uncertainty are in ``losses.metrics``.
"""

from . import functional as functional, metrics as metrics
from .functional import (
    entailment as entailment,
    generalized_gaussian_nll as generalized_gaussian_nll,
    info_nce as info_nce,
)
from .modules import EntailmentLoss as EntailmentLoss, InfoNCE as InfoNCE

__all__ = [
    "EntailmentLoss",
    "InfoNCE",
    "entailment",
    "functional",
    "generalized_gaussian_nll",
    "info_nce",
    "metrics",
]
