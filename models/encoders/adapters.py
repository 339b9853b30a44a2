"""Any image or text encoder as an encoder of the models: features of one width, maybe frozen.

Nothing is imported from other libraries: an encoder is known by what it offers and by the shape of
what it returns.

    ImageFeatures(timm.create_model("vit_small_patch16_224", num_classes=0), size=224)
    ImageFeatures(transformers.AutoModel.from_pretrained("facebook/dinov2-small"), size=224)
    TextFeatures(transformers.AutoModel.from_pretrained("bert-base-uncased"), pool="mean")
"""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, Literal, Self

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

Pool = Literal["own", "mean", "first"]
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_WIDTHS = ("width", "num_features", "hidden_size", "embed_dim", "projection_dim")


class _Features(nn.Module):
    """A module, the number of its features, how they are pooled, and whether it learns."""

    def __init__(self, module: nn.Module, width: int | None, pool: Pool, frozen: bool) -> None:
        super().__init__()
        where = type(self).__name__
        if pool not in ("own", "mean", "first"):
            raise ValueError(f"{where}: pool is {pool!r}; expected own, mean or first.")
        self.width = _width(module, where) if width is None else width
        self.pool: Pool = pool
        self.frozen = frozen
        self.module = module
        if frozen:
            module.requires_grad_(False)
            module.eval()

    def train(self, mode: bool = True) -> Self:
        """As for every module, but a frozen one stays in evaluation mode."""
        super().train(mode)
        if self.frozen:
            self.module.eval()
        return self

    def _run(self, batch: int, call: Callable[[], Any], mask: Tensor | None = None) -> Tensor:
        if batch == 0:  # of which many a module cannot infer the size of its heads
            return next(self.module.parameters(), torch.empty(0)).new_empty(0, self.width)
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.frozen):
            features = _pooled(call(), self.pool, self.width, mask, type(self).__name__)
        if features.shape[-1] != self.width:
            raise ValueError(
                f"{type(self).__name__}: {type(self.module).__name__} gave features "
                f"{tuple(features.shape)}; expected (B, {self.width}), or another width."
            )
        return features


class ImageFeatures(_Features):
    """An image encoder as one of :class:`ImageTextModel`: (B, 3, H, W) in [0, 1] -> (B, width).

    The encoder may return pooled features (B, D), tokens (B, N, D), a map (B, D, H, W) or
    (B, H, W, D), or what Hugging Face's models return. Of a timm model ``forward_features`` is
    called, and ``forward_head(..., pre_logits=True)`` for its own pooling, so a classifier on top
    plays no part.

    Args:
        module: the encoder.
        width: number of its features; asked of the module (``num_features``, ``width``,
            ``config.hidden_size``, ...) if None.
        pool: ``"own"`` takes the module's own pooled features where it has some and else the mean;
            ``"mean"`` the mean over tokens or cells, and ``"first"`` the first token.
        size: pictures are resized to this side first, bilinearly; not if None.
        mean, std: of the pixels of each channel in [0, 1]; ImageNet's, which most encoders were
            trained with.
        frozen: no gradients, and evaluation mode always.
    """

    def __init__(
        self,
        module: nn.Module,
        *,
        width: int | None = None,
        pool: Pool = "own",
        size: int | None = None,
        mean: tuple[float, float, float] = IMAGENET_MEAN,
        std: tuple[float, float, float] = IMAGENET_STD,
        frozen: bool = False,
    ) -> None:
        super().__init__(module, width, pool, frozen)
        self.size = size
        self.mean: Tensor
        self.std: Tensor
        self._pixels = (mean, std)
        self.register_buffer("mean", torch.empty(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.empty(1, 3, 1, 1), persistent=False)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Mean and deviation of the pixels as given; they are in no state."""
        for buffer, given in zip((self.mean, self.std), self._pixels, strict=True):
            buffer.copy_(torch.tensor(given).view(1, 3, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        if self.size is not None and images.shape[-2:] != (self.size, self.size):
            # antialias only matters where pictures shrink
            images = interpolate(
                images, (self.size, self.size), mode="bilinear", align_corners=False, antialias=True
            )
        images = (images - self.mean) / self.std
        return self._run(len(images), lambda: self._call(images))

    def _call(self, images: Tensor) -> Any:
        module: Any = self.module
        if not callable(getattr(module, "forward_features", None)):
            return module(images)
        features = module.forward_features(images)
        if self.pool == "own" and callable(getattr(module, "forward_head", None)):
            return module.forward_head(features, pre_logits=True)
        return features


class TextFeatures(_Features):
    """A text encoder as one of :class:`ImageTextModel`: token ids (B, L) -> (B, width).

    The encoder may return pooled features (B, D), tokens (B, L, D), or what Hugging Face's models
    return; it is given ``attention_mask`` if it takes one, and means leave padding out.

    Args:
        module: the encoder.
        width, pool, frozen: as in :class:`ImageFeatures`.
        padding: the id of padding tokens.
        ends_with_padding: whether the first of them is text, the token that ends it.
    """

    def __init__(
        self,
        module: nn.Module,
        *,
        width: int | None = None,
        pool: Pool = "own",
        padding: int = 0,
        ends_with_padding: bool = False,
        frozen: bool = False,
    ) -> None:
        super().__init__(module, width, pool, frozen)
        self.padding, self.ends_with_padding = padding, ends_with_padding
        self._takes_mask = "attention_mask" in inspect.signature(module.forward).parameters

    def forward(self, tokens: Tensor) -> Tensor:
        mask = tokens != self.padding
        if self.ends_with_padding:
            mask = mask | ((~mask).cumsum(-1) == 1)
        options = {"attention_mask": mask.long()} if self._takes_mask else {}
        return self._run(len(tokens), lambda: self.module(tokens, **options), mask)


def _width(module: nn.Module, where: str) -> int:
    config = getattr(module, "config", None)
    for owner in (module, config):
        for name in _WIDTHS:
            value = getattr(owner, name, None)
            if isinstance(value, int):
                return value
    sizes = getattr(config, "hidden_sizes", None)  # of networks that widen by stages
    if sizes:
        return int(sizes[-1])
    raise ValueError(
        f"{where}: {type(module).__name__} has none of {', '.join(_WIDTHS)}, itself or in a "
        "config; expected width, the number of its features."
    )


def _pooled(output: Any, pool: Pool, width: int, mask: Tensor | None, where: str) -> Tensor:
    """Features (B, width) of whatever an encoder returned."""
    x = output if isinstance(output, Tensor) else _tensor_of(output, pool, where)
    if x.ndim == 4 and pool != "first":
        channels_last = x.shape[-1] == width != x.shape[1]
        # (B, N, D), which the mean treats like tokens.
        x = x.flatten(1, 2) if channels_last else x.flatten(2).transpose(1, 2)
    if x.ndim == 2:
        return x
    if x.ndim != 3:
        raise ValueError(
            f"{where}: the encoder returned {tuple(x.shape)}; expected (B, D), (B, N, D) or, for a "
            "mean, a map of cells."
        )
    if pool == "first":
        return x[:, 0]
    if mask is None or mask.shape != x.shape[:2]:
        return x.mean(1)
    weight = mask.to(x.dtype)[:, :, None]
    # max(1): a text of padding only divides zeros by one.
    return (x * weight).sum(1) / weight.sum(1).clamp(min=1)


def _tensor_of(output: Any, pool: Pool, where: str) -> Tensor:
    """The part of a Hugging Face output, an object, a mapping or a tuple, that is wanted."""
    if isinstance(output, tuple):
        named: Mapping[str, Any] = dict(
            zip(("last_hidden_state", "pooler_output"), output, strict=False)
        )
    else:
        named = output if isinstance(output, Mapping) else getattr(output, "__dict__", {})
    own, hidden = named.get("pooler_output"), named.get("last_hidden_state")
    chosen = own if pool == "own" and own is not None else hidden
    if not isinstance(chosen, Tensor):
        raise ValueError(
            f"{where}: the encoder returned {', '.join(named) or type(output).__name__}; expected "
            "a tensor, or pooler_output or last_hidden_state."
        )
    return chosen
