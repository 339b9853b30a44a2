"""Batches from a folder or from shards: decoded, shuffled, shared among processes and threads.

The unit is the *lane*. A batch is made of equally many pairs from each lane, a lane reads its own
part of every pass, and a process has consecutive lanes. So what a batch holds depends on the seed
and the number of lanes, and not on how many processes or threads there are; and a stopped run goes
on when each lane is told where it was.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .augment import Augmentation, to_float
from .caption_lists import LISTS
from .dataset import Batch, GeneralTexts
from .disk import content_digest, digest
from .draws import uniform
from .folder import Folder
from .pair import FAULTS, Fault, Pair, Pairs, number
from .pictures import OTHERS, SUFFIXES, decode
from .shards import Shards, shards_in

_STREAM = 3
_AHEAD = 2  # batches under way while one is trained on
_EMPTY = 20  # passes without one good pair, after which a lane gives up
_NAMED = 5  # faults of a lane that are kept by name
_PASS, _TAKEN, _GOOD = range(3)  # the first columns of a lane's state; then a count for each fault
STATE_WIDTH = 3 + len(FAULTS)
_SIDED = frozenset({"left", "right", "clockwise", "sign", "text", "letter", "word"})


def open_pairs(path: str | os.PathLike[str], *, links: bool = True) -> Pairs:
    """A pattern of shards or a folder of them: `Shards`; a folder of pictures: `Folder`.

    Args:
        path: of the data.
        links: as in `Folder`.

    Raises:
        FileNotFoundError: nothing is there, or no pictures with captions in it.
        ValueError: another file, or a folder of pictures and shards; the sentence says what to do.
    """
    path = Path(path)
    if path.is_dir():
        shards = shards_in(path)
        pictures = (p for p in path.iterdir() if p.suffix.lower() in SUFFIXES)
        if shards and (picture := next(pictures, None)):
            raise ValueError(
                f"{path}: expected pictures or .tar shards, found both ({picture.name}, "
                f"{shards[0].name}). Name the shards by a pattern, or move them."
            )
        return Shards(path) if shards else Folder(path, links=links)
    expected = (
        "a folder of pictures with captions, or shards (shard-{0000..0099}.tar, or a folder of "
        "them)"
    )
    if path.suffix.lower() != ".tar":
        if path.exists():
            raise ValueError(f"{path}: expected {expected}, found {_found(path)}.")
        raise FileNotFoundError(f"{path}: found no such file or folder; expected {expected}.")
    return Shards(path)


def _found(path: Path) -> str:
    """A file that is no data, and what would make it some."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if ".tar" in suffixes or suffixes[-1:] == [".tgz"]:
        return "a compressed tar; unpack it into a folder, or decompress it into a .tar"
    if suffixes[-1:] in ([".zip"], [".7z"], [".rar"], [".gz"]):
        return "an archive; unpack it into a folder"
    if suffixes[-1:] in ([".csv"], [".tsv"], [".jsonl"], [".json"], [".parquet"], [".txt"]):
        return f"a list; a folder is read by its list if that is named {', '.join(LISTS)}"
    if suffixes[-1:] and suffixes[-1] in SUFFIXES | OTHERS:
        return "one picture"
    return f"a file with the suffix {path.suffix!r}"


def fingerprint(pairs: Pairs) -> tuple[int, float]:
    """A number that changes when the captions or pictures that pairs are read from do, and not when
    they are moved to another place; and the share of the contents that it is of: see
    `content_digest`."""
    contents, share = content_digest(pairs.files())
    return number(f"{digest(map(_bytes, pairs.names()))}/{contents}"), share


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def lanes_for(parts: int, batch_size: int) -> int:
    """The largest power of two, up to 64, that divides the batch and leaves a part to each lane."""
    powers = (1, 2, 4, 8, 16, 32, 64)
    return max(n for n in powers if n == 1 or (n <= parts and batch_size % n == 0))


@dataclass(frozen=True, slots=True)
class _Rows:
    """Some pairs of one lane, and the lane's state after them."""

    views: list[Tensor]
    caption: list[str]
    family: list[int]
    index: list[int]
    general: list[tuple[str, ...]]
    state: Tensor


class _Lane:
    """The endless stream of one lane: pass after pass, what is no pair counted and skipped."""

    def __init__(self, stream: Stream, lane: int, state: Tensor) -> None:
        self._stream, self._lane = stream, lane
        self.state = [int(value) for value in state]
        self.named: list[Fault] = []
        self._empty = 0
        # Replay, without decoding, what was taken of the pass; its faults are counted already.
        taken, counts = self.state[_TAKEN], self.state[3:]
        self._rows = self._pass()
        for _ in range(taken):
            self._next()
        self.state[_TAKEN], self.state[3:] = taken, counts

    def take(self, count: int) -> _Rows:
        """The next pairs."""
        images: list[NDArray[np.uint8]] = []
        captions: list[str] = []
        families, indices, draws, general = [], [], [], []
        levels = self._stream.levels
        while len(images) < count:
            pair = self._next()
            if levels and len(pair.general) != levels:
                where = f"{pair.path}: {pair.key}: {len(pair.general)} general texts, not {levels}"
                self._skip(Fault("pairs incomplete", where))
                continue
            try:
                image = decode(pair.read(), self._stream.size)
            except (ValueError, OSError) as error:
                self._skip(Fault("pictures unreadable", f"{pair.path}: {pair.key}: {error}"))
                continue
            self.state[_GOOD] += 1
            images.append(image)
            # A pair looks different in each pass, whatever batch it is in.
            draws.append(number(f"{self.state[_PASS]}/{pair.key}"))
            row = uniform(np.array(draws[-1:]), 1, seed=self._stream.seed, epoch=0, stream=_STREAM)
            captions.append(pair.captions[int(row[0, 0] * len(pair.captions))])
            families.append(number(pair.family))
            general.append(pair.general[:levels])
            indices.append(number(pair.key))
        batch = to_float(np.stack(images))
        views = [batch] * (2 if self._stream.two_views else 1)
        if self._stream.augmentation is not None:
            sided = [not _SIDED.isdisjoint(caption.lower().split()) for caption in captions]
            views = [
                self._stream.augmentation(
                    batch,
                    np.array(draws),
                    seed=self._stream.seed,
                    epoch=0,
                    mirrorable=~np.array(sided),
                    view=k,
                )
                for k in range(len(views))
            ]
        return _Rows(views, captions, families, indices, general, torch.tensor(self.state))

    def _pass(self) -> Iterator[Pair | Fault]:
        stream = self._stream
        # Equal in all lanes, which agree by it on the order of the shards.
        rng = np.random.default_rng([stream.seed & 0xFFFFFFFFFFFFFFFF, self.state[_PASS]])
        return stream.pairs.one_pass(self._lane, stream.lanes, rng, stream.buffer)

    def _next(self) -> Pair:
        while True:
            for item in self._rows:
                if isinstance(item, Pair):
                    self.state[_TAKEN] += 1
                    return item
                self._skip(item)
            # A lane may draw nothing but a missing shard, in one pass.
            self._empty = 0 if self.state[_GOOD] else self._empty + 1
            if self._empty >= _EMPTY:
                why = "; ".join(str(f) for f in self.named) or "it is empty"
                raise ValueError(
                    f"{self._stream.pairs}: a reader found no pair that can be used in its parts "
                    f"of {_EMPTY} passes ({why})."
                )
            self.state[_PASS] += 1
            self.state[_TAKEN] = self.state[_GOOD] = 0
            self._rows = self._pass()

    def _skip(self, fault: Fault) -> None:
        self.state[3 + FAULTS.index(fault.kind)] += 1
        if len(self.named) < _NAMED and fault not in self.named:
            self.named.append(fault)


class Stream:
    """Batches of pairs without end; an iterator with a state.

    Args:
        pairs: a `Folder` or `Shards`.
        size: side of a picture in pixels.
        batch_size: pairs in a batch of all processes together; a multiple of ``lanes``.
        lanes: parallel streams, over all processes; a multiple of ``world``.
        rank, world: which of how many processes this is.
        seed: of order, captions and augmentation.
        buffer: pairs in the shuffle buffer of a lane (shards only).
        augmentation: how pictures are moved and coloured; None leaves them alone.
        two_views: whether batches have a second view of each picture.
        levels: how many texts above its captions each pair of a batch has, `Batch.general`; pairs
            with another number are skipped and counted. 0 for none.
        workers: threads that decode and augment ahead; 0 does it when a batch is asked for. Pillow
            and torch let other threads run while they compute.

    Raises:
        ValueError: numbers that do not divide as they must, or more lanes than shards or pairs.
    """

    def __init__(
        self,
        pairs: Pairs,
        *,
        size: int,
        batch_size: int,
        lanes: int = 1,
        rank: int = 0,
        world: int = 1,
        seed: int = 0,
        buffer: int = 1024,
        augmentation: Augmentation | None = None,
        two_views: bool = False,
        levels: int = 0,
        workers: int = 0,
    ) -> None:
        if lanes < 1 or lanes % world:
            raise ValueError(
                f"readers is {lanes} with {world} processes; expected a multiple of the processes."
            )
        if batch_size % lanes:
            raise ValueError(
                f"batch_size is {batch_size} with {lanes} readers; expected a multiple."
            )
        if lanes > pairs.parts():
            raise ValueError(
                f"readers is {lanes} and {pairs} has {pairs.parts()} shards; expected a shard for "
                "each reader: fewer readers and processes, or smaller shards."
            )
        if buffer < 1 or workers < 0:
            raise ValueError(
                f"buffer is {buffer} and workers {workers}; expected buffer >= 1 and workers >= 0."
            )
        self.pairs, self.size, self.lanes, self.seed = pairs, size, lanes, seed
        self.buffer, self.augmentation, self.two_views = buffer, augmentation, two_views
        self.levels = levels
        self._own = range(rank * lanes // world, (rank + 1) * lanes // world)
        self._rows, self._workers = batch_size // lanes, min(workers, len(self._own))
        self._lanes: list[_Lane] = []

    def start(self) -> Tensor:
        """The state of this process's lanes before the first batch, (lanes / world, columns)."""
        return torch.zeros(len(self._own), STATE_WIDTH, dtype=torch.int64)

    def batches(self, state: Tensor | None = None) -> Generator[tuple[Batch, Tensor]]:
        """This process's share of each batch, and the state from which the next one follows."""
        state = self.start() if state is None else state
        self._lanes = [_Lane(self, k, row) for k, row in zip(self._own, state, strict=True)]
        if not self._workers:
            while True:
                yield _joined([lane.take(self._rows) for lane in self._lanes])
        # One thread a lane at most, and always the same one: a lane's pairs keep their order.
        pools = [ThreadPoolExecutor(1, "spaceforms-data") for _ in range(self._workers)]
        ahead: deque[list[Future[_Rows]]] = deque()
        try:
            while True:
                while len(ahead) < _AHEAD:
                    ahead.append(
                        [
                            pools[k % len(pools)].submit(lane.take, self._rows)
                            for k, lane in enumerate(self._lanes)
                        ]
                    )
                yield _joined([rows.result() for rows in ahead.popleft()])
        finally:
            for pool in pools:
                pool.shutdown(wait=True, cancel_futures=True)

    def named(self) -> list[str]:
        """The first faults that this process met, in words."""
        found = dict.fromkeys(str(f) for lane in self._lanes for f in lane.named)
        return list(found)[:_NAMED]


def skipped(state: Tensor) -> dict[str, int]:
    """How many of each fault a state counts, over all passes; kinds without any are left out."""
    totals = state[:, 3:].sum(0).tolist() if len(state) else []
    return {kind: count for kind, count in zip(FAULTS, totals, strict=False) if count}


def _joined(parts: list[_Rows]) -> tuple[Batch, Tensor]:
    def numbers(name: Callable[[_Rows], list[int]]) -> Tensor:
        return torch.tensor([value for part in parts for value in name(part)])

    family = numbers(lambda part: part.family)
    general = [texts for part in parts for texts in part.general]
    image, *view = (torch.cat(same) for same in zip(*(part.views for part in parts), strict=True))
    batch = Batch(
        image=image,
        caption=[caption for part in parts for caption in part.caption],
        concept=family,
        family=family,
        index=numbers(lambda part: part.index),
        general=tuple(_level(texts) for texts in zip(*general, strict=True)),
        view=view[0] if view else None,
    )
    return batch, torch.stack([part.state for part in parts])


def _level(texts: tuple[str, ...]) -> GeneralTexts:
    """One level above a batch, from the text above each caption."""
    each = dict.fromkeys(texts)
    row = {text: k for k, text in enumerate(each)}
    return GeneralTexts(
        texts=list(each),
        place=torch.tensor([row[text] for text in texts]),
        node=torch.tensor([number(text) for text in texts]),
    )
