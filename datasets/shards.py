"""Pairs from tar archives in the WebDataset layout, and how to write them.

A shard is an uncompressed tar in which the files of a pair stand beside each other under one key:
``000017.jpg`` with ``000017.txt`` (the caption) or ``000017.json`` (an object with ``caption``, a
text or a list of texts, and perhaps ``family``, which pairs are positives of each other, and
``general``, the texts above the captions). img2dataset writes COCO, RedCaps, CC12M and LAION like
this.
"""

from __future__ import annotations

import itertools
import json
import math
import os
import re
import tarfile
from collections.abc import Iterable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from .disk import (
    MOST_TABLE,
    MOST_TEXT,
    is_file,
    is_system,
    open_file,
    read_file,
    replacing,
    write_text,
)
from .pair import CAPTIONS, Fault, Pair, captioned_pair, parse
from .pictures import SUFFIXES
from .tar import Member, members

SIZES = "sizes.json"
"""Beside shards: {"shard-000000.tar": 1000, ...}, which saves counting (open_clip's convention)."""
_MOST_NAMES = 10**6  # that a pattern may stand for


class Shards:
    """The pairs of the shards that a pattern names.

    Pictures are read in place when their turn comes: what waits in a shuffle buffer is a position
    in a file, so a buffer of thousands is cheap and a stopped run finds its place by reading
    headers only. The files are on a local or mounted file system.

    Args:
        pattern: ``shard-{0000..0099}.tar``, ``{train,val}-*.tar``, one ``.tar``, or a folder of
            them. What is there under the very name is taken, whatever signs are in it. A shard that
            a brace pattern names and that is not there is a fault of the pass.

    Raises:
        FileNotFoundError: not one shard is there.
    """

    def __init__(self, pattern: str | os.PathLike[str]) -> None:
        self.pattern = str(pattern)
        self.shards: list[Path] = []
        for path in _expanded(Path(pattern)):
            if path.is_dir():
                self.shards += shards_in(path)
            elif any(c in path.name for c in "*?[") and not path.exists():
                self.shards += sorted(path.parent.glob(path.name))
            else:
                self.shards.append(path)
        if not any(map(is_file, self.shards)):
            raise FileNotFoundError(
                f"{self.pattern}: expected .tar shards, found none of {len(self.shards)} names."
            )

    def __repr__(self) -> str:
        return f"Shards({self.pattern}, {len(self.shards)} shards)"

    def one_pass(
        self, lane: int, lanes: int, rng: np.random.Generator, buffer: int
    ) -> Iterator[Pair | Fault]:
        """Every lanes-th shard of a permutation of all, one after the other through a buffer of
        ``buffer`` pairs, from which each next one is drawn at random."""
        order = rng.permutation(len(self.shards))[lane::lanes]
        held: list[Pair] = []
        # The lanes part here: the same draws in all of them would be no harm, but no sense either.
        rng = np.random.default_rng([int(rng.integers(2**63)), lane])
        for item in itertools.chain.from_iterable(map(self._read, order)):
            if isinstance(item, Fault):
                yield item
            elif len(held) < buffer:
                held.append(item)
            else:
                k = int(rng.integers(buffer))
                held[k], out = item, held[k]
                yield out
        for k in rng.permutation(len(held)):
            yield held[k]

    def in_order(self) -> Iterator[Pair | Fault]:
        """All pairs as they are stored."""
        return itertools.chain.from_iterable(map(self._read, range(len(self.shards))))

    def count(self) -> int:
        """The number of pairs: from `SIZES` beside the shards if it has them all, else counted."""
        total = 0
        for shard, sizes in ((s, _sizes(s.parent / SIZES)) for s in self.shards):
            if shard.name not in sizes:
                return sum(isinstance(item, Pair) for item in self.in_order())
            total += sizes[shard.name] if shard.is_file() else 0
        return total

    def parts(self) -> int:
        """A shard is read by one lane."""
        return len(self.shards)

    def names(self) -> Iterator[str]:
        """The names of the shards."""
        return (shard.name for shard in self.shards)

    def files(self) -> Iterator[Path]:
        """The shards."""
        return iter(self.shards)

    def _read(self, index: int) -> Iterator[Pair | Fault]:
        return read_shard(self.shards[index])


def shards_in(folder: Path) -> list[Path]:
    """The shards in a folder, by their suffix."""
    found = (p for p in folder.iterdir() if p.suffix.lower() == ".tar" and not is_system([p.name]))
    return sorted(found)


def read_shard(path: Path) -> Iterator[Pair | Fault]:
    """The pairs of one shard in their order, without their pictures' bytes."""
    try:
        file = open_file(path)
        total = os.fstat(file.fileno()).st_size
    except FileNotFoundError:
        yield Fault("shards missing", str(path))
        return
    except OSError as error:
        yield Fault("files refused", f"{path}: {error}")
        return
    with file:
        key, files = "", dict[str, Member]()
        cut: str | None = None
        try:
            for member in members(file, total):
                folder, slash, name = member.name.rpartition("/")
                if is_system(member.name.split("/")):
                    continue
                stem, _, suffix = name.partition(".")
                if folder + slash + stem != key:
                    yield from _pair(path, key, files, file)
                    key, files = folder + slash + stem, {}
                if member.regular:
                    files["." + suffix.lower()] = member
                else:
                    yield Fault("files refused", f"{path}: {member.name} is no regular file")
        except (ValueError, OSError) as error:
            cut = str(error)
        yield from _pair(path, key, files, file)
        if cut is not None:
            yield Fault("shards cut short", f"{path}: {cut}")


def _pair(path: Path, key: str, files: dict[str, Member], file: BinaryIO) -> Iterator[Pair | Fault]:
    if not files:
        return
    suffix = next((s for s in files if s in SUFFIXES), None)
    if suffix is None or not files.keys() & set(CAPTIONS):
        yield Fault("pairs incomplete", f"{path}: {key} has {', '.join(sorted(files))[:200]}")
        return
    contents = dict[str, bytes]()
    for kind in files.keys() & set(CAPTIONS):
        if files[kind].size > MOST_TEXT:
            where = f"{path}: {files[kind].name}: expected at most {MOST_TEXT:,} bytes"
            yield Fault("files refused", f"{where}, got {files[kind].size:,}")
            return
        file.seek(files[kind].start)
        contents[kind] = file.read(files[kind].size)
    # Keys of two shards may be the same numbers.
    key, picture = f"{path.stem}/{key}", files[suffix]
    yield from captioned_pair(key, contents, path, str(path), suffix, picture.start, picture.size)


def _sizes(path: Path) -> dict[str, int]:
    if not is_file(path):
        return {}
    try:
        sizes = {name: int(count) for name, count in parse(read_file(path, MOST_TABLE)).items()}
    except (ValueError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError(f'{path}: expected {{"shard.tar": 1000, ...}}, but {error}.') from error
    if min(sizes.values(), default=0) < 0:
        raise ValueError(f'{path}: expected {{"shard.tar": 1000, ...}}, got a number below 0.')
    return sizes


def _expanded(pattern: Path) -> list[Path]:
    """The paths that a pattern stands for: itself if it is there; and no braces of its folder are
    expanded if that is there."""
    if pattern.exists():
        return [pattern]
    if pattern.parent.is_dir():
        return [pattern.parent / name for name in expand_braces(pattern.name)]
    return list(map(Path, expand_braces(str(pattern))))


def expand_braces(pattern: str) -> list[str]:
    """The names that a pattern stands for: ``{00..02}`` counts, with leading zeros kept, and
    ``{a,b}`` lists; several braces multiply. Other names stand for themselves.

    Raises:
        ValueError: more than a million names.
    """
    parts = re.split(r"\{([^{}]*)\}", pattern)
    choices = [[part] if k % 2 == 0 else _choices(part) for k, part in enumerate(parts)]
    count = math.prod(map(len, choices))
    if count > _MOST_NAMES:
        raise ValueError(f"{pattern}: expected at most {_MOST_NAMES:,} names, got {count:,}.")
    return ["".join(words) for words in itertools.product(*choices)]


def _choices(inside: str) -> list[str]:
    counted = re.fullmatch(r"([0-9]{1,18})\.\.([0-9]{1,18})", inside)
    if counted is None:
        return inside.split(",") if "," in inside else [f"{{{inside}}}"]
    low, high = counted.groups()
    numbers = range(int(low), int(high) + 1)
    if len(numbers) > _MOST_NAMES:
        raise ValueError(
            f"{{{inside}}}: expected at most {_MOST_NAMES:,} names, got {len(numbers):,}."
        )
    return [f"{k:0{len(low)}}" for k in numbers]


def check_shards_folder(folder: Path) -> None:
    """Raise FileExistsError if shards here would stand among others, or among pictures: a folder
    with shards is read as shards, and its pictures would be lost to view."""
    if not folder.is_dir():
        return
    pictures = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    for what, found in (("shards already", shards_in(folder)), ("pictures", pictures)):
        if found:
            raise FileExistsError(f"{folder} holds {what} ({found[0].name}); name another folder.")


def write_shards(
    pairs: Iterable[tuple[str, str, bytes, dict[str, Any]]],
    folder: str | os.PathLike[str],
    *,
    per_shard: int = 1000,
) -> list[Path]:
    """Write pairs as shards ``shard-000000.tar``, ... and their `SIZES`; the paths.

    The same pairs give the same bytes. A shard has its name when it is whole.

    Args:
        pairs: key, suffix of the picture file (".png"), its bytes, and the JSON object, whose
            ``caption`` is a text or a list of texts.
        folder: made if it is not there; it must hold no shards yet.
        per_shard: pairs in a shard.

    Raises:
        FileExistsError: the folder holds shards.
        ValueError: ``per_shard`` below 1, or no pairs.
    """
    if per_shard < 1:
        raise ValueError(f"write_shards: per_shard is {per_shard}; expected at least 1.")
    folder = Path(folder)
    check_shards_folder(folder)
    folder.mkdir(parents=True, exist_ok=True)
    sizes: dict[str, int] = {}
    rows = iter(pairs)
    while chunk := list(itertools.islice(rows, per_shard)):
        path = folder / f"shard-{len(sizes):06}.tar"
        with (
            replacing(path) as part,
            tarfile.open(part, "w", format=tarfile.USTAR_FORMAT) as tar,
        ):
            for key, suffix, picture, content in chunk:
                # A lone surrogate has no UTF-8; \\ud800 is what JSON itself writes for it.
                text = json.dumps(content, ensure_ascii=False).encode("utf-8", "backslashreplace")
                for name, data in ((key + suffix, picture), (key + ".json", text)):
                    member = tarfile.TarInfo(name)
                    member.size = len(data)
                    tar.addfile(member, BytesIO(data))
        sizes[path.name] = len(chunk)
    if not sizes:
        raise ValueError("write_shards: expected at least one pair, got none.")
    write_text(folder / SIZES, json.dumps(sizes, indent=1) + "\n")
    return [folder / name for name in sizes]
