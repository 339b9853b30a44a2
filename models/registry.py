"""The models by name, and what each can be asked for."""

import inspect
from collections.abc import Mapping
from typing import Any

from torch import nn

from . import zoo
from .design import Design
from .image_text import ImageTextModel
from .model_options import SHARED, Option
from .tcl.model import TCL

MODELS: dict[str, type[ImageTextModel]] = {
    model.name: model
    for model in (*vars(zoo).values(), TCL)
    if isinstance(model, type) and issubclass(model, ImageTextModel)
}


def parameters(name: str) -> Mapping[str, inspect.Parameter]:
    """What a model is designed by: its options, and what is no option of a run."""
    return inspect.signature(MODELS[name].design).parameters


def own_options(name: str) -> list[str]:
    """The options of a model."""
    return [option for option in options() if option in parameters(name)]


def options() -> dict[str, Option]:
    """The options of all models: what several have, then what one has alone."""
    found = dict(SHARED)
    for model in MODELS.values():
        found |= model.own_options
    return found


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


def design_of(name: str, embed_dim: int, options: Mapping[str, Any]) -> Design:
    """The space and the losses of a model.

    Raises:
        ValueError: no such model, options that it does not have or cannot be trained with.
    """
    if name not in MODELS:
        raise ValueError(f"model is {name!r}; expected one of {', '.join(MODELS)}.")
    for option, value in options.items():
        if option not in parameters(name):
            own = ", ".join(own_options(name)) or "no options"
            raise ValueError(
                f"{option} is {value} for the model {name}, which has {own}; expected it left out."
            )
    design = MODELS[name].design(embed_dim=embed_dim, **options)
    design.check(MODELS[name].__name__)
    return design
