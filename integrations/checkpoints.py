"""A checkpoint of an image-text model on the hyperboloid, in whatever names, as a model here.

The file, the two encoders and the names are the user's; names may stand in a file of their own:

    # names.toml: what stands here, and what it is called there
    image = "eyes."
    text = "words."
    image_projection = "eyes_head."
    text_projection = "words_head."
    image_log_alpha = "eyes_log_scale"
    text_log_alpha = "words_log_scale"
    log_curvature = "log_k"
    unused = ["temperature"]

    model = load_image_text("model.safetensors", "names.toml", image_encoder, text_encoder)
"""

import json
import math
import os
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import load_file
from torch import Tensor, nn

from ..manifolds import PositiveScalar
from ..models import MERU, ImageFeatures, TextFeatures

__all__ = ["load_image_text"]

_PARTS = ("image", "text", "image_projection", "text_projection")
_SCALARS = ("image_log_alpha", "text_log_alpha", "log_curvature")


def load_image_text(
    weights: str | os.PathLike[str] | Mapping[str, Tensor],
    names: str | os.PathLike[str] | Mapping[str, Any],
    image_encoder: nn.Module,
    text_encoder: nn.Module,
    *,
    clamp: tuple[float, float] = (0.1, 10.0),
) -> MERU:
    r"""A :class:`~spaceforms.models.MERU` with encoders, projections and space of a checkpoint.

    Its points are :math:`\exp_0(e^{\alpha} (W f + b))` on the hyperboloid of curvature
    :math:`-e^{c}`, e to the power of c kept within ``clamp``: MERU's formula (Desai et al. 2023,
    eq. 6), and that of the models that followed it. Curvature and alphas are fixed at what the
    checkpoint has; its losses are not here, so the model is for use and not for going on.

    Args:
        weights: a .safetensors file, or tensors by name; of a file that torch wrote,
            ``torch.load(path, weights_only=True)`` or what it holds under a name.
        names: a mapping, or a .toml or .json file of one. ``image``, ``text``,
            ``image_projection`` and ``text_projection`` are what the names of the encoders' and
            projections' weights begin with (W and, if there is one, b are ``weight`` and ``bias``);
            ``image_log_alpha``, ``text_log_alpha`` and ``log_curvature`` are names of scalars, and
            one that is left out is 0. ``unused`` lists names, or beginnings that end with a dot, of
            what may be there and is not wanted.
        image_encoder: as of every :class:`~spaceforms.models.ImageTextModel`; of
            :class:`~spaceforms.models.ImageFeatures` the module inside takes the weights.
        text_encoder: the same with :class:`~spaceforms.models.TextFeatures`.
        clamp: least and largest :math:`e^{c}`; MERU's.

    Raises:
        ValueError: names that are not known in ``names``; names in the weights that are not known,
            or missing, or shapes that do not fit; all are listed.
    """
    state = dict(weights) if isinstance(weights, Mapping) else load_file(weights)
    known = _read_names(names)
    parts: dict[str, nn.Module] = {
        known["image"]: _inside(image_encoder),
        known["text"]: _inside(text_encoder),
    }
    heads: list[nn.Linear] = []
    for part, encoder in (("image_projection", image_encoder), ("text_projection", text_encoder)):
        prefix = known[part]
        rows = len(state.get(f"{prefix}weight", ()))
        heads.append(nn.Linear(_width(encoder), rows, bias=f"{prefix}bias" in state))
        parts[prefix] = heads[-1]
    scalars = {name: known[name] for name in _SCALARS if name in known}
    own, faults = _shared_out(state, parts, scalars.values(), known.get("unused", ()))
    faults += [f"missing {key}" for key in scalars.values() if key not in state]
    for prefix, module in parts.items():
        faults += _misfits(prefix, module.state_dict(), own[prefix])
    if faults:
        raise ValueError(
            "load_image_text: the weights do not fit the encoders and the names that were given: "
            f"{'; '.join(sorted(faults))}."
        )
    for prefix, module in parts.items():
        module.load_state_dict(own[prefix])
    value = {name: math.exp(state[key].double().item()) for name, key in scalars.items()}
    curvature = min(max(value.get("log_curvature", 1.0), clamp[0]), clamp[1])
    model = MERU(
        image_encoder,
        text_encoder,
        embed_dim=heads[0].out_features,
        curvature=-curvature,
        learn_curvature=False,
        learn_alpha=False,
    )
    model.image_projection, model.text_projection = heads
    assert model.alpha is not None
    for modality in ("image", "text"):
        alpha = value.get(f"{modality}_log_alpha", 1.0)
        model.alpha[modality] = PositiveScalar(alpha, learnable=False)
    return model.eval()


def _read_names(names: str | os.PathLike[str] | Mapping[str, Any]) -> dict[str, Any]:
    if isinstance(names, Mapping):
        where, found = "names", dict(names)
    else:
        where, text = str(names), Path(names).read_text(encoding="utf-8")
        found = tomllib.loads(text) if where.endswith(".toml") else json.loads(text)
    wrong = [name for name in found if name not in (*_PARTS, *_SCALARS, "unused")]
    wrong += [f"no {name}" for name in _PARTS if name not in found]
    wrong += [name for name in found if name != "unused" and not isinstance(found[name], str)]
    if wrong:
        raise ValueError(
            f"load_image_text: {where} has {', '.join(wrong)}; expected texts under "
            f"{', '.join(_PARTS)}, and if they are there {', '.join(_SCALARS)} and a list, unused."
        )
    return found


def _inside(encoder: nn.Module) -> nn.Module:
    return encoder.module if isinstance(encoder, ImageFeatures | TextFeatures) else encoder


def _width(encoder: nn.Module) -> int:
    width = getattr(encoder, "width", None)
    if not isinstance(width, int):
        raise ValueError(
            f"load_image_text: {type(encoder).__name__} has no integer width; expected an encoder "
            "of ImageTextModel, such as ImageFeatures(module) or TextFeatures(module)."
        )
    return width


def _shared_out(
    state: Mapping[str, Tensor],
    parts: Mapping[str, nn.Module],
    scalars: Iterable[str],
    unused: Iterable[str],
) -> tuple[dict[str, dict[str, Tensor]], list[str]]:
    """The weights of each part by their names in it, and those that are of none."""
    own: dict[str, dict[str, Tensor]] = {prefix: {} for prefix in parts}
    passed = {*scalars, *unused}
    beginnings = tuple(name for name in passed if name.endswith("."))
    faults = []
    # The longest that fits: "text_head." before "text".
    prefixes = sorted(parts, key=len, reverse=True)
    for key, value in state.items():
        prefix = next((p for p in prefixes if key.startswith(p)), None)
        if key in passed or key.startswith(beginnings):
            continue
        if prefix is None:
            faults.append(f"not known {key}")
        else:
            own[prefix][key.removeprefix(prefix)] = value
    return own, faults


def _misfits(prefix: str, there: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> list[str]:
    faults = [f"missing {prefix}{key}" for key in there.keys() - given.keys()]
    faults += [f"not known {prefix}{key}" for key in given.keys() - there.keys()]
    return faults + [
        f"{prefix}{key} of shape {tuple(given[key].shape)} for {tuple(there[key].shape)}"
        for key in there.keys() & given.keys()
        if there[key].shape != given[key].shape
    ]
