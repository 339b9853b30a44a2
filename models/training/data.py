"""Where a run's batches come from: the packaged pictures, a folder, or shards."""

from collections.abc import Generator, Iterable, Iterator
from itertools import islice
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from ...datasets import (
    Batch,
    CaptionMix,
    EmojiData,
    EmojiDataset,
    Folder,
    Pair,
    Pairs,
    Split,
    Stream,
    load_emoji,
    open_pairs,
)
from ...datasets.disk import digest
from ...datasets.pair import number
from ...datasets.share import Part, is_npz
from ...datasets.stream import STATE_WIDTH, fingerprint, lanes_for
from .. import distributed
from ..registry import MODELS
from ..terminal import say
from .config import TrainConfig

_SAMPLE = 100_000
"""Pairs whose captions a vocabulary is learned from."""


class Feed(Protocol):
    """This process's share of every batch, and what else a run asks of its data."""

    @property
    def pairs(self) -> int:
        """In an epoch, over all processes."""

    @property
    def fingerprint(self) -> int:
        """Differs if the data are others."""

    @property
    def compared(self) -> float:
        """The share of the contents that it is of."""

    def texts(self) -> Iterable[str]:
        """What the vocabulary may learn from."""

    def start(self) -> Tensor:
        """The state before the first batch, int64 (lanes of this process, columns)."""

    def batches(self, step: int, state: Tensor) -> Generator[tuple[Batch, Tensor]]:
        """The batches from a step on, without end, each with the state after it."""

    def named(self) -> list[str]:
        """The first things that were skipped, in words."""


def open_feed(config: TrainConfig, rank: int, world: int) -> Feed:
    """The data of a configuration.

    Raises:
        FileNotFoundError, ValueError: data that are not there, or options they cannot serve.
    """
    if config.data is None or is_npz(config.data):
        feed: Feed = EmojiFeed(config, rank, world)
    else:
        pairs = open_pairs(config.data)
        if isinstance(pairs, Folder) and pairs.note and rank == 0:
            say(f"{config.data}: {pairs.note}.")
        if config.share_held_out:
            pairs = Part(pairs, config.share_held_out, held_out=False)
        feed = StreamFeed(config, pairs, rank, world)
    distributed.check_equal(feed.fingerprint, "data")
    return feed


def load_data(config: TrainConfig) -> tuple[EmojiData, Split]:
    """The pictures of a configuration, at the image encoder's size, and their split."""
    if not is_npz(config.data):
        raise ValueError(f"{config.data}: expected an .npz of pictures, got a folder or shards.")
    data = load_emoji(config.data, config.concepts, size=config.side)
    return data, data.split(config.split, held_out=config.held_out)


def training_texts(data: EmojiData, split: Split, mix: CaptionMix) -> list[str]:
    """The names and keywords of trained concepts: what a vocabulary may learn from."""
    trained = sorted({int(c) for c in data.concept[split.train]})
    concepts = [data.concepts[c] for c in trained]
    names = [c.name_in(language) for c in concepts for language in mix.languages]
    return names + [word for c in concepts for word in mix.words_of(c)]


def fingerprint_of(data: EmojiData) -> int:
    """A number that changes when pictures, labels or concepts do, and not when files are moved."""
    arrays = (data.images, data.vendor, data.concept)
    parts = [np.ascontiguousarray(array).tobytes() for array in arrays]
    words = repr((data.vendors, data.concepts)).encode("utf-8", "surrogatepass")
    return number(digest([*parts, words]))


class EmojiFeed:
    """Pictures in memory, in a new order every epoch."""

    def __init__(self, config: TrainConfig, rank: int, world: int) -> None:
        self.data, self.split = load_data(config)
        self.mix = CaptionMix(languages=config.languages, unspoken=self.split.unspoken)
        self.dataset = EmojiDataset(
            self.data,
            self.split.train,
            mix=self.mix,
            augmentation=config.augmentation,
            two_views=MODELS[config.model].two_views,
            seed=config.seed,
        )
        self.pairs = len(self.dataset)
        self.fingerprint, self.compared = fingerprint_of(self.data), 1.0
        self._size, self._rank, self._world = config.batch_size, rank, world

    def texts(self) -> list[str]:
        """See :func:`training_texts`."""
        return training_texts(self.data, self.split, self.mix)

    def start(self) -> Tensor:
        """Nothing: the step says it all."""
        return torch.zeros(0, STATE_WIDTH, dtype=torch.int64)

    def batches(self, step: int, state: Tensor) -> Generator[tuple[Batch, Tensor]]:
        """Consecutive rows of each batch for each process, as gathering joins them."""
        while True:
            epoch, k = divmod(step, self.pairs // self._size)
            order = self.dataset.order(epoch)[k * self._size : (k + 1) * self._size]
            share = order.reshape(self._world, -1)[self._rank]
            yield self.dataset.batch(share, epoch), state
            step += 1

    def named(self) -> list[str]:
        """Nothing is skipped."""
        return []


class StreamFeed:
    """Pictures decoded as they are needed, from a folder or from shards."""

    def __init__(self, config: TrainConfig, pairs: Pairs, rank: int, world: int) -> None:
        self.source = pairs
        levels = 0
        if config.design().uses_general:
            levels = len(next((pair.general for pair in self._pairs()), ()))
            if not levels:
                raise ValueError(
                    f"{config.model} with these options is trained on texts above its captions, "
                    f"and the first pair of {config.data} has none; expected a list of them, the "
                    'most general first, under "general" in each pair\'s JSON, or another model, '
                    "or one without --compositional and with --chain-weight 0."
                )
        # Not of the number of processes, on which the order must not depend.
        lanes = config.readers or lanes_for(pairs.parts(), config.batch_size)
        self.stream = Stream(
            pairs,
            size=config.side,
            batch_size=config.batch_size,
            lanes=lanes,
            rank=rank,
            world=world,
            seed=config.seed,
            buffer=config.buffer,
            augmentation=config.augmentation,
            two_views=MODELS[config.model].two_views,
            levels=levels,
            workers=config.workers,
        )
        self.fingerprint, self.compared = fingerprint(pairs)
        # One process counts for all.
        self.pairs = config.pairs or distributed.from_first(pairs.count)
        self.start, self.named = self.stream.start, self.stream.named

    def texts(self) -> Generator[str]:
        """The captions of the first pairs, and the texts above them."""
        for pair in islice(self._pairs(), _SAMPLE):
            yield from pair.captions
            yield from pair.general

    def _pairs(self) -> Iterator[Pair]:
        return (item for item in self.source.in_order() if isinstance(item, Pair))

    def batches(self, step: int, state: Tensor) -> Generator[tuple[Batch, Tensor]]:
        """See :class:`~spaceforms.datasets.Stream`."""
        del step  # the state says it all
        return self.stream.batches(state)
