"""A transformer in which the tokens of a caption look at the patches of a picture."""

import math
from typing import cast

from torch import Tensor, nn
from torch.nn import functional


class FusionEncoder(nn.Module):
    """Blocks of self-attention of tokens, attention to patches, and a perceptron, pre-normed.

    Every block starts as the identity, so a fused caption starts as the caption (Li et al. 2021,
    ALBEF, has the upper six layers of a BERT for it).

    Args:
        width: of tokens, and of the result.
        image_width: of patches.
        layers: number of blocks.
    """

    def __init__(self, width: int, image_width: int, *, layers: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(_Block(width, image_width) for _ in range(layers))
        self.norm = nn.LayerNorm(width)

    def forward(self, tokens: Tensor, mask: Tensor, patches: Tensor) -> Tensor:
        """Tokens (B, L, width), which of them there are (B, L), patches (B, P, image_width) ->
        (B, L, width)."""
        # A text of padding only would have nothing to look at: every token may look at the first.
        mask = mask.clone()
        mask[:, 0] = True
        for block in self.blocks:
            tokens = block(tokens, mask[:, None, None, :], patches)
        return cast(Tensor, self.norm(tokens))


class _Block(nn.Module):
    def __init__(self, width: int, image_width: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width)
        self.own = _Attention(width, width)
        self.norm2 = nn.LayerNorm(width)
        self.cross = _Attention(width, image_width)
        self.norm3 = nn.LayerNorm(width)
        self.up = nn.Linear(width, 4 * width)
        self.down = nn.Linear(4 * width, width)
        nn.init.normal_(self.up.weight, std=(2 * width) ** -0.5)
        for value in (self.up.bias, self.down.weight, self.down.bias):
            nn.init.zeros_(value)

    def forward(self, x: Tensor, mask: Tensor, patches: Tensor) -> Tensor:
        y = self.norm1(x)
        x = x + self.own(y, y, mask)
        x = x + self.cross(self.norm2(x), patches, None)
        return x + cast(Tensor, self.down(functional.gelu(self.up(self.norm3(x)))))


class _Attention(nn.Module):
    def __init__(self, width: int, other: int) -> None:
        super().__init__()
        self.heads = math.gcd(width, 4)
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(other, 2 * width)
        self.out = nn.Linear(width, width)
        nn.init.normal_(self.query.weight, std=width**-0.5)
        nn.init.normal_(self.key_value.weight, std=other**-0.5)
        for value in (self.query.bias, self.key_value.bias, self.out.weight, self.out.bias):
            nn.init.zeros_(value)

    def forward(self, x: Tensor, y: Tensor, mask: Tensor | None) -> Tensor:
        def heads(z: Tensor) -> Tensor:  # (B, N, width) -> (B, heads, N, width / heads)
            batch, number, width = z.shape
            return z.view(batch, number, self.heads, width // self.heads).transpose(1, 2)

        key, value = self.key_value(y).chunk(2, -1)
        found = functional.scaled_dot_product_attention(
            heads(self.query(x)), heads(key), heads(value), attn_mask=mask
        )
        return cast(Tensor, self.out(found.transpose(1, 2).flatten(2)))
