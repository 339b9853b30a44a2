"""The two towers of a pretrained image-text model, as encoders of the models here.

Nothing is imported from other libraries: a model is known by what it offers.

    clip = open_clip.create_model("ViT-B-32", pretrained=PATH)
    model = MERU(*from_open_clip(clip, frozen=True), embed_dim=128)

    clip = transformers.CLIPModel.from_pretrained(FOLDER)
    processor = transformers.CLIPProcessor.from_pretrained(FOLDER)
    model = MERU(*from_transformers(clip, processor), embed_dim=128)
"""

import copy
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from .adapters import ImageFeatures, TextFeatures

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)


class Towers(NamedTuple):
    """The encoders that every model here begins with: ``MERU(*towers, embed_dim=128)``."""

    image: ImageFeatures
    """Pictures (B, 3, H, W) in [0, 1], of any size -> features (B, width)."""
    text: TextFeatures
    """Token ids (B, L) of the pretrained model's own tokenizer -> features (B, width)."""


def from_open_clip(model: nn.Module, *, frozen: bool = False) -> Towers:
    """The towers of a model of open_clip, up to the features that it would compare by cosine.

    The projections are part of the towers, the normalisation is not: lengths are what the lift
    makes distances from the root of. The weights are the model's own, not copies.

    Args:
        model: with ``visual`` and ``encode_text``, and ``text`` if its text tower is a module.
        frozen: no gradients, and evaluation mode always.

    Raises:
        ValueError: something else.
    """
    visual = getattr(model, "visual", None)
    if not isinstance(visual, nn.Module) or not callable(getattr(model, "encode_text", None)):
        raise ValueError(
            f"from_open_clip: {type(model).__name__} has no visual and encode_text; expected a "
            "model of open_clip."
        )
    text = getattr(model, "text", None)
    if not isinstance(text, nn.Module):
        text = _TextHalf(model)
    size = _side(getattr(visual, "image_size", None), "from_open_clip")
    mean, std = getattr(visual, "image_mean", None), getattr(visual, "image_std", None)
    context = getattr(model, "context_length", getattr(text, "context_length", 77))
    return Towers(
        ImageFeatures(
            visual,
            width=_width_of(visual, torch.zeros(1, 3, size, size)),
            size=size,
            mean=_three(CLIP_MEAN if mean is None else mean),
            std=_three(CLIP_STD if std is None else std),
            frozen=frozen,
        ),
        TextFeatures(
            text, width=_width_of(text, torch.zeros(1, context, dtype=torch.long)), frozen=frozen
        ),
    )


def from_transformers(model: nn.Module, processor: Any, *, frozen: bool = False) -> Towers:
    """The towers of CLIP, SigLIP and their kin of transformers, up to the features they compare.

    SigLIP's texts are to be padded to its longest, as its processor does by
    ``padding="max_length"``.

    Args:
        model: with ``vision_model`` and ``text_model``, and ``visual_projection`` and
            ``text_projection`` if it has such layers.
        processor: of its pictures and texts, or of its pictures alone: the mean and deviation of
            the pixels and the id of padding are read from it.
        frozen: no gradients, and evaluation mode always.

    Raises:
        ValueError: a model without these, or a processor without mean and deviation.
    """
    towers = [getattr(model, f"{name}_model", None) for name in ("vision", "text")]
    if not all(isinstance(tower, nn.Module) for tower in towers):
        raise ValueError(
            f"from_transformers: {type(model).__name__} has no vision_model and text_model; "
            "expected CLIP, SigLIP or their kin. For one encoder alone there are ImageFeatures and "
            "TextFeatures."
        )
    pictures = getattr(processor, "image_processor", processor)
    mean, std = getattr(pictures, "image_mean", None), getattr(pictures, "image_std", None)
    if mean is None or std is None:
        raise ValueError(
            f"from_transformers: processor is a {type(processor).__name__}; expected the model's "
            "own, with image_mean and image_std."
        )
    vision, text = (
        _Projected(tower, getattr(model, f"{name}_projection", None))
        for tower, name in zip(towers, ("visual", "text"), strict=True)
    )
    size = _side(towers[0].config.image_size, "from_transformers")  # type: ignore[union-attr]
    tokenizer = getattr(processor, "tokenizer", None)
    padding = getattr(tokenizer, "pad_token_id", None)
    return Towers(
        ImageFeatures(
            vision, width=vision.width, size=size, mean=_three(mean), std=_three(std), frozen=frozen
        ),
        TextFeatures(
            text,
            width=text.width,
            padding=padding_of(model, padding),
            # CLIP pads with the token that ends a text, whose first one is text.
            ends_with_padding=padding == getattr(tokenizer, "eos_token_id", -1),
            frozen=frozen,
        ),
    )


def padding_of(model: nn.Module, padding: int | None) -> int:
    """The id of padding that a text encoder is to leave out; -1, which no token is, for none.

    SigLIP reads the last token of texts that are padded to one length, and is trained without a
    mask.
    """
    kind = str(getattr(getattr(model, "config", None), "model_type", ""))
    if kind.startswith("siglip"):
        return -1
    return 0 if padding is None else padding


class _TextHalf(nn.Module):
    """A model of which ``encode_text`` is used: without its picture tower and logits' scalars."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        half = copy.copy(model)  # the same weights in dictionaries of its own
        half._modules = {k: m for k, m in model._modules.items() if k != "visual"}
        half._parameters = {k: p for k, p in model._parameters.items() if "logit_" not in k}
        self.model = half

    def forward(self, tokens: Tensor) -> Tensor:
        features: Tensor = self.model.encode_text(tokens)  # type: ignore[operator]
        return features


class _Projected(nn.Module):
    """The pooled output of a tower, and a layer after it if there is one."""

    def __init__(self, tower: Any, projection: Any) -> None:
        super().__init__()
        self.tower, self.projection = tower, projection
        width = getattr(projection, "out_features", tower.config.hidden_size)
        # SigLIP's text tower has a head of its own.
        head = getattr(tower, "head", None)
        self.width: int = head.out_features if isinstance(head, nn.Linear) else width

    def forward(self, inputs: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        options = {} if attention_mask is None else {"attention_mask": attention_mask}
        pooled: Tensor = self.tower(inputs, **options).pooler_output
        return pooled if self.projection is None else self.projection(pooled)


@torch.no_grad()
def _width_of(module: nn.Module, example: Tensor) -> int:
    """How many features an input gives; batch norms see nothing of it."""
    modes = [(part, part.training) for part in module.modules()]
    some = next(module.parameters())
    dtype = some.dtype if example.is_floating_point() else example.dtype
    features: Tensor = module.eval()(example.to(some.device, dtype))
    for part, training in modes:
        part.training = training
    return features.shape[-1]


def _side(size: Any, where: str) -> int:
    sides = set(size) if isinstance(size, tuple | list) else {size}
    if len(sides) != 1 or not isinstance(side := sides.pop(), int):
        raise ValueError(f"{where}: image_size is {size!r}; expected the side of square pictures.")
    return side


def _three(values: Any) -> tuple[float, float, float]:
    red, green, blue = (float(v) for v in values)
    return red, green, blue
