"""Captions drawn from a concept's names and keywords."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .concept import Concept
from .draws import uniform

_STREAM = 1
_MAX_WORDS = 8


@dataclass(frozen=True)
class CaptionMix:
    """How often a caption is what: shares of three kinds, which add up to 1.

    `name` alone ("dog"), `name_and_words` (the name, then 1 to `max_words` keywords: "dog, pet,
    faithful"), `words` (1 to `max_words` keywords only: "pet, animal"). A concept without keywords
    is always called by its name. `languages` lists the languages of the names, each equally
    likely; "en" is English, others are those of the data, for instance "de" or "ja". Keywords
    whose `str.casefold()` is in `unspoken` are never drawn: see `Split.unspoken`.
    """

    name: float = 0.4
    name_and_words: float = 0.3
    words: float = 0.3
    max_words: int = 3
    languages: tuple[str, ...] = ("en",)
    unspoken: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        shares = (self.name, self.name_and_words, self.words)
        if min(shares) < 0 or abs(sum(shares) - 1) > 1e-6:
            raise ValueError(f"CaptionMix: expected three shares that add up to 1, got {shares}")
        if not 1 <= self.max_words <= _MAX_WORDS:
            raise ValueError(
                f"CaptionMix: expected max_words in 1..{_MAX_WORDS}, got {self.max_words}"
            )
        if not self.languages:
            raise ValueError("CaptionMix: expected at least one language, got none")

    def words_of(self, concept: Concept) -> list[str]:
        """The keywords of a concept that may be drawn."""
        return [word for word in concept.words if word.casefold() not in self.unspoken]


NAMES_ONLY = CaptionMix(1.0, 0.0, 0.0)


def draw_captions(
    concepts: Sequence[Concept],
    items: NDArray[np.int64],
    *,
    seed: int,
    epoch: int,
    mix: CaptionMix | None = None,
) -> list[str]:
    """One caption for each concept; that of row k depends on (seed, epoch, items[k]) alone.

    Args:
        concepts: one concept a row.
        items: a number for each row, that of the picture, so that two pictures of a concept get
            captions of their own.
    """
    mix = mix or CaptionMix()
    table = uniform(items, 3 + mix.max_words, seed=seed, epoch=epoch, stream=_STREAM)
    return [_draw(concept, row, mix) for concept, row in zip(concepts, table, strict=True)]


def _draw(concept: Concept, row: NDArray[np.float64], mix: CaptionMix) -> str:
    name = concept.name_in(mix.languages[int(row[0] * len(mix.languages))])
    words = mix.words_of(concept)
    if row[1] < mix.name or not words:
        return name
    count = min(len(words), 1 + int(row[2] * mix.max_words))
    for k in range(count):  # the first `count` steps of a Fisher-Yates shuffle
        other = k + int(row[3 + k] * (len(words) - k))
        words[k], words[other] = words[other], words[k]
    drawn = words[:count]
    return ", ".join([name, *drawn] if row[1] < mix.name + mix.name_and_words else drawn)
