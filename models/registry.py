"""The models by name, and what each can be asked for."""

import inspect
from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import nn

from .image_text import ImageTextModel
from .tcl.model import TCL
from .zoo.clip import CLIP
from .zoo.euclip import EuCLIP
from .zoo.hycoclip import HyCoCLIP
from .zoo.meru import MERU
from .zoo.phyclip import PHyCLIP
from .zoo.sphere_cones import SphereCones

Model = Literal["meru", "clip", "euclip", "sphere-cones", "hycoclip", "phyclip", "tcl"]
MODELS: dict[str, type[ImageTextModel]] = {
    "meru": MERU,
    "clip": CLIP,
    "euclip": EuCLIP,
    "sphere-cones": SphereCones,
    "hycoclip": HyCoCLIP,
    "phyclip": PHyCLIP,
    "tcl": TCL,
}
OPTIONS = (
    "curvature",
    "learn_curvature",
    "logits",
    "entail_weight",
    "chain_weight",
    "exclude_weight",
    "links",
    "compositional",
    "factors",
    "learn_alpha",
    "fixed_radius",
    "min_radius",
    "aperture_scale",
    "momentum",
    "queue_size",
    "distill",
    "intra_weight",
    "local_weight",
    "fusion_weight",
    "fusion_layers",
)
"""Arguments of the models' constructors that are options of a run."""


def make_model(
    name: str,
    image_encoder: nn.Module,
    text_encoder: nn.Module,
    *,
    embed_dim: int,
    options: Mapping[str, Any],
) -> ImageTextModel:
    """The model of a name with the options that are given, its own constants for all others."""
    return MODELS[name](image_encoder, text_encoder, embed_dim=embed_dim, **options)


def check_options(name: str, embed_dim: int, options: Mapping[str, Any]) -> None:
    """Raise a ValueError for options that the model does not have or cannot be trained with."""
    if name not in MODELS:
        raise ValueError(f"model is {name!r}; expected one of {', '.join(MODELS)}.")
    known = inspect.signature(MODELS[name].__init__).parameters
    for option, value in options.items():
        if option not in known:
            own = ", ".join(o for o in OPTIONS if o in known) or "no options"
            raise ValueError(
                f"{option} is {value} for the model {name}, which has {own}; expected it left out."
            )
    _small(name, embed_dim, options)


def uses_general(name: str, embed_dim: int, options: Mapping[str, Any]) -> bool:
    """Whether the model with these options is trained on the texts above its captions."""
    return _small(name, embed_dim, options).uses_general


def _small(name: str, embed_dim: int, options: Mapping[str, Any]) -> ImageTextModel:
    # The model itself knows best: a small one is built, and the run's random numbers left alone.
    with torch.random.fork_rng(devices=[]):
        return make_model(name, _OneFeature(), _OneFeature(), embed_dim=embed_dim, options=options)


class _OneFeature(nn.Module):
    """Stands for an encoder of pictures and of texts, with parts."""

    width, side, vocabulary = 1, 2, 3
