"""A checkpoint of Hyper3-CLIP (arXiv 2608.29313), from a file that the user has, as a model here.

Only names are known here: the two backbones are the user's, made by timm and transformers as the
checkpoint wants them, and so is the file.

    vision = timm.create_model("vit_base_patch16_224", num_classes=0, global_pool="avg")
    text = transformers.CLIPTextModel(transformers.CLIPTextConfig.from_pretrained(FOLDER))
    model = load_hyper3("model.safetensors", vision, text)
"""

import math
import os
from collections.abc import Mapping
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from ..manifolds import PositiveScalar
from ..models import MERU, ImageFeatures, TextFeatures

__all__ = ["load_hyper3"]

_SCALARS = ("visual_alpha", "textual_alpha", "log_curv")  # logarithms
# The scales of its three contrasts, and what pools patches by a query in training alone.
_UNUSED = ("logit_scale", "global_logit_scale", "local_logit_scale", "global_local_logit_scale")
_TEXT_PREFIX = "text_model."  # of transformers 4; gone in 5


def load_hyper3(
    weights: str | os.PathLike[str] | Mapping[str, Tensor],
    vision: nn.Module,
    text: nn.Module,
    *,
    size: int | None = 224,
    padding: int = 49407,
    **pixels: Any,
) -> MERU:
    r"""A :class:`~spaceforms.models.MERU` with the encoders, heads and space of Hyper3-CLIP.

    Its points are :math:`\exp_0(e^{\alpha} (W f + b))` on the hyperboloid of curvature
    :math:`-e^{c}`, e to the power of alpha and c kept between 0.1 and 10: ``encode_image``,
    ``encode_text`` and all that measures points here take it as their own. Curvature and alphas are
    fixed at what the file has. Its losses are not here, so it is for use and not for going on.

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
    image = ImageFeatures(vision, size=size, **pixels)
    words = TextFeatures(text, padding=padding, ends_with_padding=True)
    parts: dict[str, nn.Module] = {
        "vision_encoder.backbone.": vision,
        "text_encoder.backbone.": text,
    }
    for name, width in (("image_proj.", image.width), ("text_proj.", words.width)):
        rows = len(state.get(f"{name}bias", ()))
        parts[name] = nn.Linear(width, rows)
    own: dict[str, dict[str, Tensor]] = {name: {} for name in parts}
    unknown: list[str] = []
    wanted = text.state_dict().keys()
    for key, value in state.items():
        part = next((name for name in parts if key.startswith(name)), None)
        if part is None:
            if key not in (*_SCALARS, *_UNUSED) and not key.startswith("query_pooling."):
                unknown.append(key)
            continue
        rest = key.removeprefix(part)
        if parts[part] is text and rest not in wanted:
            short = rest.removeprefix(_TEXT_PREFIX)
            rest = short if short in wanted else _TEXT_PREFIX + rest
        own[part][rest] = value
    faults = [f"not known {key}" for key in unknown]
    faults += [f"missing {key}" for key in _SCALARS if key not in state]
    for name, module in parts.items():
        there, given = module.state_dict(), own[name]
        faults += [f"missing {name}{key}" for key in there.keys() - given.keys()]
        faults += [f"not known {name}{key}" for key in given.keys() - there.keys()]
        faults += [
            f"{name}{key} of shape {tuple(given[key].shape)} for {tuple(there[key].shape)}"
            for key in there.keys() & given.keys()
            if there[key].shape != given[key].shape
        ]
    if faults:
        raise ValueError(
            "load_hyper3: the weights do not fit the two backbones and the names that are known: "
            f"{'; '.join(sorted(faults))}."
        )
    for name, module in parts.items():
        module.load_state_dict(own[name])
    curvature = min(max(_exp(state["log_curv"]), 0.1), 10.0)
    heads = parts["image_proj."], parts["text_proj."]
    model = MERU(
        image,
        words,
        embed_dim=heads[0].out_features,  # type: ignore[arg-type]
        curvature=-curvature,
        learn_curvature=False,
        learn_alpha=False,
    )
    model.image_projection, model.text_projection = heads  # type: ignore[assignment]
    assert model.alpha is not None
    for modality, key in (("image", "visual_alpha"), ("text", "textual_alpha")):
        model.alpha[modality] = PositiveScalar(_exp(state[key]), learnable=False)
    return model.eval()


def _exp(logarithm: Tensor) -> float:
    return math.exp(float(logarithm.detach().to(torch.float64)))
