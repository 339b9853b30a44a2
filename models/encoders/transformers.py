"""The encoders of the reference models: plain torch, from a batch to features.

Any module that maps a batch to features (B, width) and has an integer `width` can stand in for
either. Nothing here depends on the other items of a batch (no batch normalisation), so features,
and with gathered features the gradients, are the same however a batch is spread over processes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

# Mean and standard deviation of the training pictures' channels, in [0, 1].
_MEAN = (0.832, 0.783, 0.733)
_STD = (0.268, 0.265, 0.330)


@dataclass(frozen=True)
class ImageEncoderConfig:
    """A convolutional stem, then transformer blocks on the grid it leaves.

    The default is a plain CNN down to one cell: for a few CPU minutes on small pictures a wider net
    without residual blocks, which sees more epochs, did best of the ones tried.

    Args:
        size: side of the pictures in pixels; must be divisible by 2 ** len(widths).
        widths: channels of each stage; every stage halves the side.
        blocks: residual blocks (two 3x3 convolutions) in each stage.
        layers: transformer blocks after the last stage; 0 for a plain CNN.
        heads: attention heads; must divide the last width if layers > 0.
        group: channels normalised together by each group norm; must divide every width.
        mean: of the pixels of each channel, in [0, 1]; taken off inside the encoder.
        std: of the pixels of each channel; divided by inside the encoder.
    """

    size: int = 32
    widths: tuple[int, ...] = (48, 96, 192, 384, 384)
    blocks: tuple[int, ...] = (0, 0, 0, 0, 0)
    layers: int = 0
    heads: int = 4
    group: int = 16
    mean: tuple[float, float, float] = _MEAN
    std: tuple[float, float, float] = _STD

    def __post_init__(self) -> None:
        if not self.widths or len(self.widths) != len(self.blocks):
            raise ValueError(
                "ImageEncoderConfig: expected as many blocks as widths and at least one, "
                f"got widths={self.widths}, blocks={self.blocks}"
            )
        if min(self.widths) < 1 or min(self.blocks) < 0 or self.layers < 0:
            raise ValueError(
                "ImageEncoderConfig: expected widths >= 1, blocks >= 0 and layers >= 0, "
                f"got {self.widths}, {self.blocks}, {self.layers}"
            )
        if self.size < 1 or self.size % 2 ** len(self.widths):
            raise ValueError(
                f"ImageEncoderConfig: {len(self.widths)} stages each halve the side, so size must "
                f"be divisible by {2 ** len(self.widths)}, got {self.size}"
            )
        if self.group < 1 or any(width % self.group for width in self.widths):
            raise ValueError(
                f"ImageEncoderConfig: group must divide every width, got group={self.group}, "
                f"widths={self.widths}"
            )
        if self.layers:
            _check_heads("ImageEncoderConfig", self.widths[-1], self.heads)
        if min(self.std) <= 0:
            raise ValueError(f"ImageEncoderConfig: expected std > 0, got {self.std}")


@dataclass(frozen=True)
class TextEncoderConfig:
    """A transformer over tokens, pooled by the mean.

    Args:
        vocabulary: number of tokens, padding (0) included.
        context: the most tokens of a text.
        width: of the embeddings and of the transformer.
        layers: transformer blocks; 0 leaves a bag of tokens.
        heads: attention heads; must divide the width if layers > 0.
    """

    vocabulary: int = 2048
    context: int = 24
    width: int = 128
    layers: int = 1
    heads: int = 4

    def __post_init__(self) -> None:
        if self.vocabulary < 2 or self.context < 1 or self.width < 1 or self.layers < 0:
            raise ValueError(
                "TextEncoderConfig: expected vocabulary >= 2, context >= 1, width >= 1 and "
                f"layers >= 0, got {self.vocabulary}, {self.context}, {self.width}, {self.layers}"
            )
        if self.layers:
            _check_heads("TextEncoderConfig", self.width, self.heads)


class ImageEncoder(nn.Module):
    """Pictures (B, 3, S, S) in [0, 1] -> features (B, width).

    Stages of a strided convolution and pre-activation residual blocks (He et al., arXiv
    1603.05027) with group norm (Wu and He, arXiv 1803.08494), then transformer blocks. Features
    are the mean over the grid of layer-normed channels.
    """

    def __init__(self, config: ImageEncoderConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or ImageEncoderConfig()
        self.width = config.widths[-1]
        self.mean: Tensor
        self.std: Tensor
        self.register_buffer("mean", torch.empty(1, 3, 1, 1), persistent=True)
        self.register_buffer("std", torch.empty(1, 3, 1, 1), persistent=True)
        self.reset_parameters()
        stages: list[nn.Module] = []
        before = 3
        for width, blocks in zip(config.widths, config.blocks, strict=True):
            if before == 3:
                stages.append(_conv(3, width, 5, stride=2))
            else:
                # Two convolutions with nothing between them would be one linear map.
                stages += [nn.GroupNorm(before // config.group, before), nn.ReLU()]
                stages.append(_conv(before, width, 3, stride=2))
            stages.extend(_ConvBlock(width, config.group) for _ in range(blocks))
            before = width
        self.stages = nn.Sequential(*stages)
        side = config.size // 2 ** len(config.widths)
        self.side = side
        self.transformer = _Transformer(self.width, config.layers, config.heads, side * side)
        # The layout convolutions are written for on GPUs; on CPU it makes no difference.
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def reset_parameters(self) -> None:
        """Mean and deviation of the pixels as configured; the layers have their own."""
        self.mean.copy_(torch.tensor(self.config.mean).view(1, 3, 1, 1))
        self.std.copy_(torch.tensor(self.config.std).view(1, 3, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        return self.local(images).mean(1)

    def local(self, images: Tensor) -> Tensor:
        """Features of each cell of the grid, (B, side * side, width), in reading order."""
        size = self.config.size
        if (
            images.ndim != 4
            or images.shape[1:] != (3, size, size)
            or not images.is_floating_point()
        ):
            raise ValueError(
                f"ImageEncoder: expected floating-point images (B, 3, {size}, {size}), "
                f"got {tuple(images.shape)} {images.dtype}"
            )
        images = ((images - self.mean) / self.std).contiguous(memory_format=torch.channels_last)
        grid = self.stages(images)
        return cast(Tensor, self.transformer(grid.flatten(2).transpose(1, 2)))


class TextEncoder(nn.Module):
    """Token ids (B, L), 0 where padded on the right -> features (B, width).

    Every token sees every other (no causal mask: nothing is generated), and features are the mean
    over the tokens, the end token included. A text without tokens has features 0.
    """

    def __init__(self, config: TextEncoderConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or TextEncoderConfig()
        self.width, self.vocabulary = config.width, config.vocabulary
        self.embedding = nn.Embedding(config.vocabulary, config.width)
        nn.init.normal_(self.embedding.weight, std=0.02)
        self.transformer = _Transformer(config.width, config.layers, config.heads, config.context)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.pool(self.local(tokens), tokens)

    @staticmethod
    def pool(local: Tensor, tokens: Tensor) -> Tensor:
        """The mean of features (B, L, width) over the tokens that are not padding."""
        weight = (tokens != 0).to(local.dtype)[:, :, None]
        # max(1): an empty text divides zeros by one.
        return (local * weight).sum(1) / weight.sum(1).clamp(min=1)

    def local(self, tokens: Tensor) -> Tensor:
        """Features of each token, (B, L, width); those of padding mean nothing."""
        if tokens.ndim != 2 or tokens.shape[1] > self.config.context or tokens.is_floating_point():
            raise ValueError(
                f"TextEncoder: expected token ids (B, L) with L <= {self.config.context}, "
                f"got {tuple(tokens.shape)} {tokens.dtype}"
            )
        mask = tokens != 0
        # As in Vaswani et al. (arXiv 1706.03762, 3.4): without the factor a few steps of the blocks
        # are larger than the embeddings they add to, and training is much slower.
        try:
            embedded = self.embedding(tokens)
        except IndexError:
            raise ValueError(
                f"TextEncoder: token ids are from {tokens.min()} to {tokens.max()}; expected 0 to "
                f"{self.vocabulary - 1}, as the vocabulary has {self.vocabulary} tokens."
            ) from None
        return cast(Tensor, self.transformer(embedded * self.width**0.5, mask))


class _ConvBlock(nn.Module):
    """x + conv(act(norm(conv(act(norm(x)))))), the identity at the start of training."""

    def __init__(self, width: int, group: int) -> None:
        super().__init__()
        self.norm1 = nn.GroupNorm(width // group, width)
        self.conv1 = _conv(width, width, 3)
        self.norm2 = nn.GroupNorm(width // group, width)
        self.conv2 = _conv(width, width, 3)
        nn.init.zeros_(self.conv2.weight)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv1(functional.relu(self.norm1(x)))
        return x + cast(Tensor, self.conv2(functional.relu(self.norm2(y))))


class _Transformer(nn.Module):
    """Learned positions, pre-norm transformer blocks and a final norm, on (B, L, width)."""

    def __init__(self, width: int, layers: int, heads: int, length: int) -> None:
        super().__init__()
        # Without attention nothing uses an order, and a bag of tokens should not see one.
        self.positions = nn.Parameter(torch.zeros(length, width)) if layers else None
        self.blocks = nn.ModuleList(_AttentionBlock(width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width)

    def reset_parameters(self) -> None:
        """No place distinguished."""
        if self.positions is not None:
            nn.init.zeros_(self.positions)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        if self.positions is not None:
            x = x + self.positions[: x.shape[1]]
        for block in self.blocks:
            x = block(x, mask)
        return cast(Tensor, self.norm(x))


class _AttentionBlock(nn.Module):
    """One pre-norm transformer block, the identity at the start of training."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1 = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.norm2 = nn.LayerNorm(width)
        self.up = nn.Linear(width, 4 * width)
        self.down = nn.Linear(4 * width, width)
        for linear, std in ((self.qkv, width**-0.5), (self.up, (2 * width) ** -0.5)):
            nn.init.normal_(linear.weight, std=std)
            nn.init.zeros_(linear.bias)
        # The block starts as the identity, so a text starts as the bag of its words.
        for linear in (self.out, self.down):
            nn.init.zeros_(linear.weight)
            nn.init.zeros_(linear.bias)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        batch, length, width = x.shape
        qkv = self.qkv(self.norm1(x)).view(batch, length, 3, self.heads, width // self.heads)
        query, key, value = qkv.permute(2, 0, 3, 1, 4)
        # (B, 1, 1, L): no token looks at padding. A text of padding only would have nothing to
        # look at and get NaN, so every token may look at the first.
        if mask is not None:
            first = torch.arange(length, device=x.device) == 0
            mask = (mask | first)[:, None, None, :]
        y = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        x = x + self.out(y.transpose(1, 2).reshape(batch, length, width))
        return x + cast(Tensor, self.down(functional.gelu(self.up(self.norm2(x)))))


def _conv(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Conv2d:
    conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=inputs == 3)
    nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
    return conv


def _check_heads(where: str, width: int, heads: int) -> None:
    if heads < 1 or width % heads:
        raise ValueError(f"{where}: heads must divide the width {width}, got {heads}")
