"""A checkpoint of Hyper3-CLIP (arXiv 2608.29313), from a file that the user has, as a model here.

Only names are known here: the two backbones are the user's, made by timm and transformers as the
checkpoint wants them, and so is the file.

    vision = timm.create_model("vit_base_patch16_224", num_classes=0, global_pool="avg")
    text = transformers.CLIPTextModel(transformers.CLIPTextConfig.from_pretrained(FOLDER))
    model = load_hyper3("model.safetensors", vision, text)
"""

import os
from collections.abc import Mapping
from typing import Any

from safetensors.torch import load_file
from torch import Tensor, nn

from ..models import MERU, ImageFeatures, TextFeatures
from .checkpoints import load_image_text

__all__ = ["load_hyper3"]

_TEXT = "text_encoder.backbone."
_TEXT_PREFIX = "text_model."  # of transformers 4; gone in 5
NAMES = {
    "image": "vision_encoder.backbone.",
    "text": _TEXT,
    "image_projection": "image_proj.",
    "text_projection": "text_proj.",
    "image_log_alpha": "visual_alpha",
    "text_log_alpha": "textual_alpha",
    "log_curvature": "log_curv",
    # The scales of its three contrasts, and what pools patches by a query in training alone.
    "unused": [
        *("logit_scale", "global_logit_scale", "local_logit_scale", "global_local_logit_scale"),
        "query_pooling.",
    ],
}


def load_hyper3(
    weights: str | os.PathLike[str] | Mapping[str, Tensor],
    vision: nn.Module,
    text: nn.Module,
    *,
    size: int | None = 224,
    padding: int = 49407,
    **pixels: Any,
) -> MERU:
    """A :class:`~spaceforms.models.MERU` with the encoders, heads and space of Hyper3-CLIP.

    :func:`~spaceforms.integrations.checkpoints.load_image_text` says which points it has.
    ``encode_image``, ``encode_text`` and all that measures points here take it as their own.

    Args:
        weights: a .safetensors file, or its tensors by name.
        vision: the backbone of pictures, (B, 3, H, W) -> (B, D).
        text: the backbone of texts, CLIP's; its ``pooler_output`` (B, D) is taken.
        size: side of the pictures.
        padding: id of padding tokens, which is that of the text's end too.
        pixels: ``mean`` and ``std`` of the pictures' pixels; ImageNet's if not given, which it was
            trained with.

    Raises:
        ValueError: names in the file that are not known, or missing, or shapes that do not fit; all
            are listed.
    """
    state = dict(weights) if isinstance(weights, Mapping) else load_file(weights)
    wanted = text.state_dict().keys()

    def renamed(key: str) -> str:
        rest = key.removeprefix(_TEXT)
        if rest == key or rest in wanted:
            return key
        short = rest.removeprefix(_TEXT_PREFIX)
        return _TEXT + (short if short in wanted else _TEXT_PREFIX + rest)

    return load_image_text(
        {renamed(key): value for key, value in state.items()},
        NAMES,
        ImageFeatures(vision, size=size, **pixels),
        TextFeatures(text, padding=padding, ends_with_padding=True),
    )
