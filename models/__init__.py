"""Reference models: CLIP, MERU and their kin, training and evaluation (extra ``train``)."""

from . import _needs as _needs  # first, for its sentence
from .encoders.adapters import ImageFeatures as ImageFeatures, TextFeatures as TextFeatures
from .encoders.tokenizer import Tokenizer as Tokenizer
from .encoders.towers import (
    Towers as Towers,
    from_open_clip as from_open_clip,
    from_transformers as from_transformers,
)
from .encoders.transformers import (
    ImageEncoder as ImageEncoder,
    ImageEncoderConfig as ImageEncoderConfig,
    TextEncoder as TextEncoder,
    TextEncoderConfig as TextEncoderConfig,
)
from .entailment import General as General
from .evaluation.classify import features_of as features_of
from .evaluation.cone_margin import cone_margin as cone_margin
from .evaluation.probe import LinearProbe as LinearProbe, fit_probe as fit_probe
from .evaluation.prompts import (
    class_points as class_points,
    read_prompts as read_prompts,
    zero_shot as zero_shot,
)
from .evaluation.run import (
    Met as Met,
    Near as Near,
    Ranked as Ranked,
    Run as Run,
    load_run as load_run,
)
from .evaluation.selective import selective_figures as selective_figures
from .evaluation.shares import Share as Share, share_interval as share_interval
from .evaluation.shifts import shift_figures as shift_figures
from .evaluation.traversal import Way as Way, traverse as traverse
from .evaluation.tree_metrics import (
    cone_scores as cone_scores,
    path_scores as path_scores,
    tree_scores as tree_scores,
)
from .graphs.embedding import (
    Embedding as Embedding,
    Neighbour as Neighbour,
    load_embedding as load_embedding,
)
from .image_text import ImageTextModel as ImageTextModel, Losses as Losses
from .probvlm.baselines import PCME as PCME, PFE as PFE, ProLIP as ProLIP
from .probvlm.model import Law as Law, ProbVLM as ProbVLM, Uncertainty as Uncertainty
from .tcl.model import TCL as TCL
from .training.ema import Ema as Ema
from .training.grad_cache import cached_backward as cached_backward
from .zoo.clip import CLIP as CLIP
from .zoo.euclip import EuCLIP as EuCLIP
from .zoo.hycoclip import HyCoCLIP as HyCoCLIP
from .zoo.meru import MERU as MERU
from .zoo.phyclip import PHyCLIP as PHyCLIP
from .zoo.sphere_cones import SphereCones as SphereCones

__all__ = [
    "CLIP",
    "MERU",
    "PCME",
    "PFE",
    "TCL",
    "Ema",
    "Embedding",
    "EuCLIP",
    "General",
    "HyCoCLIP",
    "ImageEncoder",
    "ImageEncoderConfig",
    "ImageFeatures",
    "ImageTextModel",
    "Law",
    "LinearProbe",
    "Losses",
    "Met",
    "Near",
    "Neighbour",
    "PHyCLIP",
    "ProLIP",
    "ProbVLM",
    "Ranked",
    "Run",
    "Share",
    "SphereCones",
    "TextEncoder",
    "TextEncoderConfig",
    "TextFeatures",
    "Tokenizer",
    "Towers",
    "Uncertainty",
    "Way",
    "cached_backward",
    "class_points",
    "cone_margin",
    "cone_scores",
    "features_of",
    "fit_probe",
    "from_open_clip",
    "from_transformers",
    "load_embedding",
    "load_run",
    "path_scores",
    "read_prompts",
    "selective_figures",
    "share_interval",
    "shift_figures",
    "traverse",
    "tree_scores",
    "zero_shot",
]
