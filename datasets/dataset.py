"""Pairs of a picture and a caption, for training."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypedDict

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from .augment import Augmentation, to_float
from .captions import CaptionMix, draw_captions
from .concept import Concept
from .draws import permutation
from .emoji import EmojiData


class Item(TypedDict):
    """One pair; `concept` and `family` say which other pairs are not its negatives."""

    image: Tensor
    caption: str
    concept: int
    family: int
    index: int


@dataclass(frozen=True, eq=False)
class GeneralTexts:
    """One level above a batch's captions, such as their groups.

    `texts`, each once, and `place` (B,) int64, the text above each caption. `node` (B,) int64 is
    equal where the text is, also between the batches of several processes.
    """

    texts: list[str]
    place: Tensor
    node: Tensor


@dataclass(frozen=True, eq=False)
class Batch:
    """B pairs: `image` (B, 3, S, S) float32 in [0, 1], captions, and labels (B,) int64.

    Pairs of equal `concept`, or of equal `family`, are positives of each other. `general` are the
    levels of texts above the captions from the most general, empty for data without any. `view` is
    another view of each picture, like `image`, drawn from the law of `image` and independently.
    """

    image: Tensor
    caption: list[str]
    concept: Tensor
    family: Tensor
    index: Tensor
    general: tuple[GeneralTexts, ...] = ()
    view: Tensor | None = None

    def __len__(self) -> int:
        return len(self.caption)


class EmojiDataset(Dataset[Item]):
    """Pictures `indices` of `data`, each with a caption drawn anew every epoch.

    A map-style dataset for `torch.utils.data.DataLoader`; `batch` and `batches` make whole batches
    at once and are faster. What item i looks like in epoch e depends on (seed, e, i) and nothing
    else: not on the batch it is in, the number of workers, or whether the run was interrupted.

    Args:
        data: what `load_emoji` returns.
        indices: the pictures to use, for instance `data.by_vendor().train`; all by default.
        mix: how captions are drawn.
        augmentation: how pictures are moved and coloured; None leaves them alone.
        two_views: whether batches have a second view of each picture.
        seed: changes every draw.
    """

    def __init__(
        self,
        data: EmojiData,
        indices: NDArray[np.int64] | None = None,
        *,
        mix: CaptionMix | None = None,
        augmentation: Augmentation | None = None,
        two_views: bool = False,
        seed: int = 0,
    ) -> None:
        self.data = data
        self.indices = np.arange(len(data)) if indices is None else np.asarray(indices, np.int64)
        self.mix = mix or CaptionMix()
        unknown = set(self.mix.languages) - data.languages
        if unknown:
            raise ValueError(
                f"EmojiDataset: expected languages of {', '.join(sorted(data.languages))}, "
                f"got {', '.join(sorted(unknown))}"
            )
        self.augmentation = augmentation
        self.two_views = two_views
        self.seed = seed
        self.epoch = 0
        self._mirrorable = np.asarray([mirrorable(c) for c in data.concepts])

    def __len__(self) -> int:
        return len(self.indices)

    def set_epoch(self, epoch: int) -> None:
        """The epoch of the items to come, for loaders that ask item by item."""
        self.epoch = epoch

    def order(self, epoch: int) -> NDArray[np.int64]:
        """Positions 0..len-1 in the order of one epoch."""
        return permutation(len(self), seed=self.seed, epoch=epoch)

    def batch(self, positions: Sequence[int] | NDArray[np.int64], epoch: int) -> Batch:
        """The pairs at `positions` (of 0..len-1) as they look in one epoch."""
        index = self.indices[np.asarray(positions, np.int64)]
        concept = self.data.concept[index]
        drawn = to_float(self.data.images[index])
        views = [drawn] * (2 if self.two_views else 1)
        if self.augmentation is not None:
            views = [
                self.augmentation(
                    drawn,
                    index,
                    seed=self.seed,
                    epoch=epoch,
                    mirrorable=self._mirrorable[concept],
                    view=k,
                )
                for k in range(len(views))
            ]
        chosen = [self.data.concepts[c] for c in concept]
        return Batch(
            image=views[0],
            caption=draw_captions(chosen, index, seed=self.seed, epoch=epoch, mix=self.mix),
            concept=torch.from_numpy(concept),
            family=torch.from_numpy(self.data.family[concept]),
            index=torch.from_numpy(index),
            general=tuple(self._general(level, concept) for level in ("group", "subgroup")),
            view=views[1] if self.two_views else None,
        )

    def _general(self, level: str, concept: NDArray[np.int64]) -> GeneralTexts:
        hierarchy = self.data.hierarchy
        node = hierarchy.ancestor(level)[concept]
        nodes, place = np.unique(node, return_inverse=True)
        return GeneralTexts(
            texts=[hierarchy.text(n) for n in nodes],
            place=torch.from_numpy(place),
            node=torch.from_numpy(node),
        )

    def batches(self, size: int, epoch: int, *, start: int = 0) -> Iterator[Batch]:
        """The full batches of one epoch from number `start` on; a short rest is left out."""
        if not 1 <= size <= len(self):
            raise ValueError(f"EmojiDataset.batches: expected size in 1..{len(self)}, got {size}")
        order = self.order(epoch)
        for k in range(start, len(self) // size):
            yield self.batch(order[k * size : (k + 1) * size], epoch)

    def __getitem__(self, position: int) -> Item:
        if not -len(self) <= position < len(self):
            raise IndexError(f"EmojiDataset: expected a position below {len(self)}, got {position}")
        return self.__getitems__([position])[0]

    def __getitems__(self, positions: list[int]) -> list[Item]:
        """Several items at once; a `DataLoader` uses this where it can."""
        batch = self.batch(positions, self.epoch)
        return [
            Item(
                image=batch.image[k],
                caption=batch.caption[k],
                concept=int(batch.concept[k]),
                family=int(batch.family[k]),
                index=int(batch.index[k]),
            )
            for k in range(len(batch))
        ]


def mirrorable(concept: Concept) -> bool:
    """Whether a concept's picture still shows it in a mirror.

    Signs, letters, clocks and flags do not survive it, nor what has a side in its name.
    """
    if concept.group in ("Symbols", "Flags") or concept.subgroup in ("time", "hand-single-finger"):
        return False
    sided = ("left", "right", "clock", "button", "moon", "numbers", "letters", "input")
    return not any(part in word for word in concept.name.split() for part in sided)
