"""What is minimised: contrastive and entailment losses on any manifold of ``..manifolds``."""

from . import functional as functional
from .functional import entailment as entailment, info_nce as info_nce
from .modules import EntailmentLoss as EntailmentLoss, InfoNCE as InfoNCE

__all__ = ["EntailmentLoss", "InfoNCE", "entailment", "functional", "info_nce"]
