"""What is minimised, and how its outcome is judged: losses on any manifold.

Contrastive and entailment losses, and the likelihood of generalized Gaussian laws; the measures of
an uncertainty are in ``losses.metrics``.
"""

from . import distributed as distributed, functional as functional, metrics as metrics
from .common import public_names as _public_names
from .entailment.hierarchy import Hierarchy as Hierarchy
from .functional import *  # noqa: F403  (the one list of the functions is there)
from .modules.entailment import ConeLikelihood as ConeLikelihood, EntailmentLoss as EntailmentLoss
from .modules.pairwise import (
    InfoNCE as InfoNCE,
    NTXent as NTXent,
    SigmoidPairs as SigmoidPairs,
    SupervisedContrastive as SupervisedContrastive,
    Triplet as Triplet,
)
from .pairwise.queue import PointQueue as PointQueue
from .tcl.momentum import momentum_update as momentum_update, rising_momentum as rising_momentum

globals()["__all__"] = _public_names(globals(), "distributed", "functional", "metrics")
