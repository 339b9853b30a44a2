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
import os
import re
import tarfile
from collections.abc import Iterable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from .pair import Fault, Pair, make_pair
from .pictures import SUFFIXES

SIZES = "sizes.json"
"""Beside shards: {"shard-000000.tar": 1000, ...}, which saves counting (open_clip's convention)."""
_BLOCK = 512


class Shards:
    """The pairs of the shards that a pattern names.

    Pictures are read in place when their turn comes: what waits in a shuffle buffer is a position
    in a file, so a buffer of thousands is cheap and a stopped run finds its place by reading
    headers only. The files are on a local or mounted file system.

    Args:
        pattern: ``shard-{0000..0099}.tar``, ``{train,val}-*.tar``, one ``.tar``, or a folder of
            them. A shard that a brace pattern names and that is not there is a fault of the pass.

    Raises:
        FileNotFoundError: not one shard is there.
    """

    def __init__(self, pattern: str | os.PathLike[str]) -> None:
        self.pattern = str(pattern)
        self.shards: list[Path] = []
        for name in expand_braces(self.pattern):
            path = Path(name)
            if path.is_dir():
                self.shards += sorted(path.glob("*.tar"))
            elif any(c in path.name for c in "*?["):
                self.shards += sorted(path.parent.glob(path.name))
            else:
                self.shards.append(path)
        if not any(shard.is_file() for shard in self.shards):
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

    def _read(self, index: int) -> Iterator[Pair | Fault]:
        return read_shard(self.shards[index])


def read_shard(path: Path) -> Iterator[Pair | Fault]:
    """The pairs of one shard in their order, without their pictures' bytes."""
    try:
        total = path.stat().st_size
        tar = tarfile.open(path, "r:")  # noqa: SIM115  (closed below; here only its errors matter)
    except FileNotFoundError:
        yield Fault("shards missing", str(path))
        return
    except (tarfile.ReadError, OSError) as error:
        yield Fault("shards cut short", f"{path}: {error}")
        return
    with tar:
        key, files = "", dict[str, tarfile.TarInfo]()
        cut = None
        while True:
            try:
                member = tar.next()
            except (tarfile.ReadError, OSError) as error:
                cut = str(error)
                break
            if member is None:
                break
            if member.offset_data + member.size > total:
                cut = f"{member.name} ends after the file does"
                break
            if not member.isfile():
                continue
            folder, slash, name = member.name.rpartition("/")
            stem, _, suffix = name.partition(".")
            if folder + slash + stem != key:
                yield from _pair(path, key, files, tar)
                key, files = folder + slash + stem, {}
            files["." + suffix.lower()] = member
        yield from _pair(path, key, files, tar)
        # tarfile takes a broken header for the end, which is a block of zeros.
        if cut is None and not _is_end(path, tar.offset):
            cut = "no end mark after its last whole file"
        if cut is not None:
            yield Fault("shards cut short", f"{path}: {cut}")


def _pair(
    path: Path, key: str, files: dict[str, tarfile.TarInfo], tar: tarfile.TarFile
) -> Iterator[Pair | Fault]:
    if not files:
        return
    suffix = next((s for s in files if s in SUFFIXES), None)
    if suffix is None or not files.keys() & {".txt", ".json"}:
        yield Fault("pairs incomplete", f"{path}: {key} has {', '.join(sorted(files))}")
        return
    content: Any = {}
    if ".json" in files:
        try:
            content = json.loads(_content(tar, files[".json"]))
        except (json.JSONDecodeError, UnicodeDecodeError):
            content = {}
        content = content if isinstance(content, dict) else {}
    if not content.keys() & {"caption", "captions", "text"} and ".txt" in files:
        content = {**content, "caption": _content(tar, files[".txt"]).decode("utf-8", "replace")}
    # Keys of two shards may be the same numbers.
    key = f"{path.stem}/{key}"
    yield make_pair(key, content, path, suffix, files[suffix].offset_data, files[suffix].size)


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = tar.extractfile(member)
    assert file is not None  # a regular file has a content
    return file.read()


def _is_end(path: Path, offset: int) -> bool:
    with path.open("rb") as file:
        file.seek(offset)
        return file.read(_BLOCK) == bytes(_BLOCK)


def _sizes(path: Path) -> dict[str, int]:
    if not path.is_file():
        return {}
    try:
        return {name: int(count) for name, count in json.loads(path.read_bytes()).items()}
    except (ValueError, TypeError, AttributeError) as error:
        raise ValueError(f'{path}: expected {{"shard.tar": 1000, ...}}, but {error}.') from error


def expand_braces(pattern: str) -> list[str]:
    """The names that a pattern stands for: ``{00..02}`` counts, with leading zeros kept, and
    ``{a,b}`` lists; several braces multiply. Other names stand for themselves."""
    parts = re.split(r"\{([^{}]*)\}", pattern)
    choices = [[part] if k % 2 == 0 else _choices(part) for k, part in enumerate(parts)]
    return ["".join(words) for words in itertools.product(*choices)]


def _choices(inside: str) -> list[str]:
    counted = re.fullmatch(r"(\d+)\.\.(\d+)", inside)
    if counted is None:
        return inside.split(",") if "," in inside else [f"{{{inside}}}"]
    low, high = counted.groups()
    return [f"{k:0{len(low)}}" for k in range(int(low), int(high) + 1)]


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
    folder.mkdir(parents=True, exist_ok=True)
    if found := next(folder.glob("*.tar"), None):
        raise FileExistsError(f"{folder} holds shards already ({found.name}); name another folder.")
    sizes: dict[str, int] = {}
    rows = iter(pairs)
    while chunk := list(itertools.islice(rows, per_shard)):
        path = folder / f"shard-{len(sizes):06}.tar"
        part = path.with_suffix(".part")
        with tarfile.open(part, "w", format=tarfile.USTAR_FORMAT) as tar:
            for key, suffix, picture, content in chunk:
                text = json.dumps(content, ensure_ascii=False).encode()
                for name, data in ((key + suffix, picture), (key + ".json", text)):
                    member = tarfile.TarInfo(name)
                    member.size = len(data)
                    tar.addfile(member, BytesIO(data))
        os.replace(part, path)
        sizes[path.name] = len(chunk)
    if not sizes:
        raise ValueError("write_shards: expected at least one pair, got none.")
    (folder / SIZES).write_text(json.dumps(sizes, indent=1) + "\n", encoding="utf-8")
    return [folder / name for name in sizes]
