"""What is minimised, and how its outcome is judged: losses on any manifold.

Contrastive and entailment losses, and the likelihood of generalized Gaussian laws; the measures of
an uncertainty are in ``losses.metrics``.
"""

from . import distributed as distributed, functional as functional, metrics as metrics
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

# Functions and classes have a __module__; of the modules three are public. (Computed as in
# functional.py, and for its reason not assigned by name.)
globals()["__all__"] = sorted(
    name
    for name, thing in globals().items()
    if not name.startswith("_")
    and (hasattr(thing, "__module__") or name in ("distributed", "functional", "metrics"))
)
