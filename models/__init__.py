"""Reference models: CLIP, MERU and their kin, training and evaluation (extra ``train``)."""

from .accumulate import cached_backward as cached_backward
from .adapters import ImageFeatures as ImageFeatures, TextFeatures as TextFeatures
from .checkpoint import load_run as load_run
from .clip import CLIP as CLIP
from .cones import cone_margin as cone_margin
from .ema import Ema as Ema
from .encoders import (
    ImageEncoder as ImageEncoder,
    ImageEncoderConfig as ImageEncoderConfig,
    TextEncoder as TextEncoder,
    TextEncoderConfig as TextEncoderConfig,
)
from .entailment import General as General
from .euclip import EuCLIP as EuCLIP
from .hycoclip import HyCoCLIP as HyCoCLIP
from .image_text import ImageTextModel as ImageTextModel, Losses as Losses
from .meru import MERU as MERU
from .phyclip import PHyCLIP as PHyCLIP
from .probvlm import Law as Law, ProbVLM as ProbVLM, Uncertainty as Uncertainty
from .probvlm_baselines import PCME as PCME, PFE as PFE
from .run import Met as Met, Near as Near, Ranked as Ranked, Run as Run
from .sphere_cones import SphereCones as SphereCones
from .tcl import TCL as TCL
from .tokenizer import Tokenizer as Tokenizer
from .traversal import Way as Way, traverse as traverse
from .tree_metrics import (
    cone_scores as cone_scores,
    path_scores as path_scores,
    tree_scores as tree_scores,
)

__all__ = [
    "CLIP",
    "MERU",
    "PCME",
    "PFE",
    "TCL",
    "Ema",
    "EuCLIP",
    "General",
    "HyCoCLIP",
    "ImageEncoder",
    "ImageEncoderConfig",
    "ImageFeatures",
    "ImageTextModel",
    "Law",
    "Losses",
    "Met",
    "Near",
    "PHyCLIP",
    "ProbVLM",
    "Ranked",
    "Run",
    "SphereCones",
    "TextEncoder",
    "TextEncoderConfig",
    "TextFeatures",
    "Tokenizer",
    "Uncertainty",
    "Way",
    "cached_backward",
    "cone_margin",
    "cone_scores",
    "load_run",
    "path_scores",
    "traverse",
    "tree_scores",
]
