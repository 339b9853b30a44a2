"""What a run is evaluated on: its own pictures that were held out, or others."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...datasets import EmojiData, load_emoji, open_pairs
from ...datasets.emoji import PICTURES
from ...datasets.pair import Pair
from ...datasets.share import Part, is_held_out, is_npz, load_pairs
from ...datasets.stream import fingerprint
from ..training.checkpoint import Checkpoint, read_fingerprint
from ..training.data import fingerprint_of, load_data
from .hierarchy import level_texts

MOST = 10_000
"""Pictures of a folder or of shards that are tested at most: each is compared with every text."""
_NAMED = 3
_MOST_TEXTS = 2000  # pictures of a folder or of shards whose captions can be met
_SIZE = 64  # of pictures that no encoder asks for
_TEST = 0.2  # of the families of a folder that no run has split
_FEW = 10  # pictures of whose uncertainty nothing can be said


class RunPictures(NamedTuple):
    """Pictures, the sets of them that are tested, the main one first; whether they were trained on,
    in words, and where they are from."""

    data: EmojiData
    sets: Mapping[str, NDArray[np.int64]]
    seen: str
    source: Path


class NothingHeldOut(ValueError):
    """A run was trained on all of its pictures, and no others are given."""


def run_pictures(
    run: Checkpoint, data: Path | None = None, concepts: Path | None = None, *, most: int = MOST
) -> RunPictures:
    """The pictures to test a run on.

    Args:
        run: a trained run.
        data: a folder, shards, or an .npz of the packaged format. What the run was trained on, also
            where it lies elsewhere now, stands for the run's own held-out pictures, as does None;
            of others all are one test set.
        concepts: other concepts for the pictures of an .npz, own or other.
        most: folders and shards: how many pictures at most.

    Raises:
        NothingHeldOut: the run was trained on all of its pictures.
        FileNotFoundError: the data are not there.
    """
    if most < 1:
        raise ValueError(f"most is {most}; expected at least 1.")
    try:
        return _run_pictures(run, data, concepts, most)
    except FileNotFoundError as error:
        if data is not None:
            raise
        raise FileNotFoundError(
            f"{error} It is what {run.folder} was trained on; where it is now can be given by "
            "--data."
        ) from error


def _run_pictures(
    run: Checkpoint, data: Path | None, concepts: Path | None, most: int
) -> RunPictures:
    config = run.config
    source = data or config.val or config.data or PICTURES
    if not is_npz(source):
        if concepts is not None:
            raise ValueError(f"concepts is {concepts}; expected none with a folder or shards.")
        return _pictures_of_pairs(run, source, given=data is not None, most=most)
    own = data is None or is_own(run, data, concepts)
    if own and data is not None:  # where they are now
        config = dataclasses.replace(config, data=data, concepts=_own_concepts(run, concepts))
    if not own:
        pictures = load_emoji(source, concepts, size=config.side)
        every = {"file": np.arange(len(pictures))}
        return RunPictures(pictures, every, "unknown, the file does not tell", source)
    pictures, split = load_data(config)
    if not split.tests:
        raise NothingHeldOut(
            f"{run.folder} was trained on all of its pictures: its split {split.kind!r} holds none "
            "out. Expected some to test on; other pictures are evaluated with --data."
        )
    if concepts is not None:
        pictures = load_emoji(source, concepts, size=config.side)
    return RunPictures(pictures, split.tests, f"no, held out by the split {config.split!r}", source)


def way_pictures(
    run: Checkpoint, data: Path | None = None
) -> tuple[EmojiData, NDArray[np.int64], list[str]]:
    """Where ways to the root begin: pictures and which of them, the run's held-out ones or others;
    and what ways can meet: the captions of these, and the texts above them, each once."""
    pictures, tests, _, _ = run_pictures(run, data, most=_MOST_TEXTS)
    index = next(iter(tests.values()))
    levels = level_texts(pictures, index).values()
    return pictures, index, list(dict.fromkeys(text for level in levels for text in level))


def known_texts(run: Checkpoint) -> list[str]:
    """The captions of a run's held-out pictures, and the texts above them, each once."""
    return way_pictures(run)[2]


def all_pictures(
    run: Checkpoint | None,
    data: Path | None = None,
    concepts: Path | None = None,
    *,
    most: int = MOST,
) -> EmojiData:
    """All pictures of a run, or others, with what is held out from training as their split.

    Of a run's own folder or shards, with those that ``--val`` named, the held-out pairs' families
    that no training pair has are "test", all others "train"; of another folder or shards, or where
    those are next to none, a fifth of the families.

    Args:
        run: whose pictures, and for whose image encoder.
        data: others, or where its own are now.
        concepts: of an .npz.
        most: folders and shards: how many pictures at most.
    """
    size = None if run is None else run.config.side
    own = run is not None and (data is None or is_own(run, data))
    if own and run is not None:
        data, concepts = data or run.config.data, concepts or run.config.concepts
    if data is None or is_npz(data):
        return load_emoji(data, concepts, size=size)
    sources = [open_pairs(data)]
    share = run.config.share_held_out if own and run is not None else 0.0
    if own and run is not None and run.config.val is not None:
        # All of these are trained on, and a picture there may have the name of one of them.
        trained = {p.family for p in sources[0].in_order() if isinstance(p, Pair)}
        sources.append(open_pairs(run.config.val))
        found = load_pairs(*sources, size=size or _SIZE, most=most)
    else:
        found = load_pairs(*sources, size=size or _SIZE, most=most)
        trained = {p.family for p in found.pairs if not is_held_out(p.key, share)}
    test = {p.family for p in found.pairs} - trained
    if sum(p.family in test for p in found.pairs) < _FEW:
        if share or len(sources) > 1:
            print(
                "Captions of held-out pictures are those of training pictures too: uncertainty is "
                "tested on a fifth of all captions, which the run has learned.",
                file=sys.stderr,
            )
        test = {p.family for p in found.pairs if is_held_out(p.family, _TEST)}
    concepts_of = tuple(
        dataclasses.replace(c, split="test" if c.family in test else "train")
        for c in found.data.concepts
    )
    return dataclasses.replace(found.data, concepts=concepts_of)


def is_own(run: Checkpoint, data: Path, concepts: Path | None = None) -> bool:
    """Whether these are the data that a run was trained on, wherever they lie."""
    own = run.config.data or PICTURES
    if data.resolve() == own or is_npz(data) != is_npz(own):
        return data.resolve() == own
    known = read_fingerprint(run.folder)
    if is_npz(data):
        own_concepts, size = _own_concepts(run, concepts), run.config.side
        return fingerprint_of(load_emoji(data, own_concepts, size=size)) == known
    return fingerprint(open_pairs(data))[0] == known


def _own_concepts(run: Checkpoint, concepts: Path | None) -> Path | None:
    """The run's own concepts; those given where they were moved."""
    own = run.config.concepts
    return concepts if own is not None and not own.is_file() else own


def _pictures_of_pairs(run: Checkpoint, source: Path, *, given: bool, most: int) -> RunPictures:
    config, pairs = run.config, open_pairs(source)
    name, seen = "pictures", "unknown, the data do not tell"
    if not given and config.val is not None:
        name, seen = "val", "no, unless they are among the training pictures too"
    elif not given or is_own(run, source):
        if not config.share_held_out:
            raise NothingHeldOut(
                f"{run.folder} was trained on all pairs of its data: val_share is 0. Expected some "
                "to test on; other pictures are evaluated with --data."
            )
        pairs = Part(pairs, config.share_held_out, held_out=True)
        name, seen = "held out", f"no, held out by val_share {config.share_held_out:g}"
    found = load_pairs(pairs, size=config.side, most=most)
    if found.skipped:
        named = "\n".join(f"  {words}" for words in found.skipped[:_NAMED])
        print(f"Skipped: {len(found.skipped)}. The first:\n{named}", file=sys.stderr)
    return RunPictures(found.data, {name: np.arange(len(found.data))}, seen, source)
