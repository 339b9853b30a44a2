"""Some pairs of a folder or of shards held out from the others, and pairs as pictures in memory."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .concept import Concept
from .emoji import EmojiData
from .pair import Fault, Pair, Pairs, number
from .pictures import decode

_RANGE = 2.0**63  # of `number`


def is_held_out(key: str, share: float) -> bool:
    """Whether a pair is one of the share that is held out.

    It hangs on the pair's key alone: pictures that come or go, another seed, other shards or
    processes move no other picture from one side to the other.
    """
    return number(f"held out/{key}") < share * _RANGE


class Part:
    """The pairs of a folder or of shards that are held out, or all others.

    Args:
        pairs: all of them.
        share: about how many are held out, from 0 to below 1.
        held_out: which side this is.
    """

    def __init__(self, pairs: Pairs, share: float, *, held_out: bool) -> None:
        self.pairs, self.share, self.held_out = pairs, share, held_out

    def __repr__(self) -> str:
        return f"{self.pairs!r}, {'held out' if self.held_out else 'to train on'}"

    def _mine(self, items: Iterator[Pair | Fault]) -> Iterator[Pair | Fault]:
        for item in items:
            if isinstance(item, Fault) or is_held_out(item.key, self.share) == self.held_out:
                yield item

    def one_pass(self, lane: int, lanes: int, rng: Any, buffer: int) -> Iterator[Pair | Fault]:
        """See `Pairs`."""
        return self._mine(self.pairs.one_pass(lane, lanes, rng, buffer))

    def in_order(self) -> Iterator[Pair | Fault]:
        """See `Pairs`."""
        return self._mine(self.pairs.in_order())

    def count(self) -> int:
        """The number of pairs on this side, counted."""
        return sum(isinstance(item, Pair) for item in self.in_order())

    def parts(self) -> int:
        """See `Pairs`."""
        return self.pairs.parts()

    def names(self) -> Iterator[str]:
        """Those of all pairs: what the sides are made of."""
        return self.pairs.names()

    def files(self) -> Iterator[Path]:
        """Those of all pairs."""
        return self.pairs.files()


class Pictures(NamedTuple):
    """Pairs in memory, the pair of each picture, and what was skipped, in words."""

    data: EmojiData
    pairs: list[Pair]
    skipped: list[str]


def load_pairs(*pairs: Pairs, size: int, most: int = 10_000) -> Pictures:
    """Decode pairs into the form that the packaged pictures have.

    A picture's concept is its first caption, equal captions being one; its other captions are the
    concept's keywords. The most general text above it is its group and the least general one its
    subgroup, if all have as many; else both are empty.

    Args:
        pairs: a folder, shards, or a part of them; of several all.
        size: side in pixels.
        most: how many are taken; if there are more, some by chance, always the same ones.

    Raises:
        ValueError: not one of the pictures can be read.
    """
    found: list[Pair] = []
    skipped: list[str] = []

    def good() -> Iterator[tuple[int, Pair]]:
        for k, item in enumerate(chain.from_iterable(some.in_order() for some in pairs)):
            if isinstance(item, Pair):
                yield k, item
            else:
                skipped.append(str(item))

    chosen = heapq.nsmallest(most, good(), key=lambda row: number(row[1].key))
    images: list[NDArray[np.uint8]] = []
    for _, pair in sorted(chosen, key=lambda row: row[0]):
        try:
            images.append(decode(pair.read(), size))
            found.append(pair)
        except (ValueError, OSError) as error:
            skipped.append(f"pictures unreadable: {pair.path}: {pair.key}: {error}")
    if not found:
        raise ValueError(
            f"{', '.join(map(repr, pairs))}: expected pictures with captions, found none that can "
            f"be read{f' ({skipped[0]})' if skipped else ''}."
        )
    levels = {len(pair.general) for pair in found}
    deep = levels.pop() if len(levels) == 1 else 0
    place: dict[str, int] = {}
    concepts: list[Concept] = []
    for pair in found:
        name = pair.captions[0]
        if name.casefold() not in place:
            place[name.casefold()] = len(concepts)
            concepts.append(
                Concept(
                    name=name,
                    group=pair.general[0] if deep else "",
                    subgroup=pair.general[-1] if deep > 1 else "",
                    family=pair.family,
                    split="train",
                    keywords=pair.captions[1:],
                )
            )
    data = EmojiData(
        images=np.stack(images),
        vendor=np.zeros(len(found), np.int64),
        concept=np.array([place[pair.captions[0].casefold()] for pair in found]),
        vendors=("pictures",),
        concepts=tuple(concepts),
    )
    return Pictures(data, found, skipped)


def is_npz(path: Path | None) -> bool:
    """Whether a path of data is a file of the packaged format, or nothing, which is the package's
    own; else it is a folder or shards."""
    return path is None or path.suffix == ".npz"
