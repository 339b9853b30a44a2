"""What a fusion encoder is asked: which pairs belong together, and which word is missing."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from ...losses import hard_negatives, masked_language_loss, matching_loss
from .fusion import FusionEncoder


class Features(NamedTuple):
    """What a fusion encoder takes: features of patches (B, P, w), of tokens (B, L, w'), and which
    tokens there are (B, L)."""

    patches: Tensor
    words: Tensor
    mask: Tensor

    def rows(self, patches: Tensor, words: Tensor) -> "Features":
        """The pictures of some rows (N,) beside the captions of others (N,)."""
        return Features(self.patches[patches], self.words[words], self.mask[words])


class Matcher(nn.Module):
    """A :class:`FusionEncoder` with a layer for each question.

    Args:
        width: of tokens.
        image_width: of patches.
        layers: blocks of the encoder.
        vocabulary: number of words there are to guess.
    """

    def __init__(self, width: int, image_width: int, *, layers: int, vocabulary: int) -> None:
        super().__init__()
        self.encoder = FusionEncoder(width, image_width, layers=layers)
        self.belongs = nn.Linear(width, 1)
        self.word = nn.Linear(width, vocabulary)

    def match(self, features: Features) -> Tensor:
        """Logits (B,) of "this caption is of this picture", of the mean over the tokens."""
        fused = self.encoder(features.words, features.mask, features.patches)
        weight = features.mask.to(fused.dtype)[:, :, None]
        mean = (fused * weight).sum(1) / weight.sum(1).clamp(min=1)
        logits: Tensor = self.belongs(mean).squeeze(-1)
        return logits.float()

    def guess(self, features: Features, asked: Tensor) -> Tensor:
        """Logits (N, vocabulary) of the words at the N places that are ``asked`` (B, L) for."""
        # Only these go through the widest layer.
        fused = self.encoder(features.words, features.mask, features.patches)
        logits: Tensor = self.word(fused[asked])
        return logits


def match_loss(
    matcher: Matcher,
    features: Features,
    similarity: Tensor,
    same: Tensor,
    *,
    generator: torch.Generator,
) -> Tensor:
    """ITM: each pair, its picture with a hard caption, its caption with a hard picture.

    Args:
        matcher: what is asked.
        features: of B pairs.
        similarity: logits (B, B) of pictures by captions, which negatives are drawn by.
        same: (B, B), which are no negatives.
        generator: of the draws.
    """
    caption = hard_negatives(similarity, same, generator=generator)
    picture = hard_negatives(similarity.T, same, generator=generator)
    own = torch.arange(len(same), device=same.device)
    there = torch.ones_like(caption.found)
    logits = matcher.match(
        features.rows(torch.cat([own, own, picture.column]), torch.cat([own, caption.column, own]))
    )
    return matching_loss(
        logits,
        torch.cat([there, ~there, ~there]),
        counted=torch.cat([there, caption.found, picture.found]),
    )


def language_loss(
    matcher: Matcher,
    features: Features,
    labels: Tensor,
    *,
    asked: Tensor,
    teacher: tuple[Matcher, Features],
    weight: float,
) -> Tensor:
    """MLM, with the picture in sight, and with a momentum model's guesses.

    Args:
        matcher: what is asked.
        features: of captions with holes.
        labels: (B, L), what was there.
        asked: (B, L), where it is asked for.
        teacher: the momentum model and its features of the same.
        weight: alpha, the teacher's share in the targets.
    """
    with torch.no_grad():
        guess = teacher[0].guess(teacher[1], asked)
    return masked_language_loss(
        matcher.guess(features, asked), labels[asked], teacher=guess, weight=weight
    )
