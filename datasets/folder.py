"""Pairs from a folder of pictures with a list of captions, or a text beside each picture."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from .pair import Fault, Pair, make_pair
from .pictures import SUFFIXES

LISTS = ("captions.jsonl", "metadata.jsonl", "captions.tsv")


class Folder:
    """The pictures of a folder that have captions.

    Captions are found, the first of these that is there: in ``captions.jsonl`` or
    ``metadata.jsonl``, a line a picture, ``{"file": "a/b.jpg", "caption": "..."}`` (also
    ``file_name`` or ``image``, and ``captions`` or ``text``; a list of texts is drawn from; perhaps
    ``family`` and ``general``, as in a `Pair`); in
    ``captions.tsv``, a line ``a/b.jpg<TAB>caption``, several for several captions; or beside each
    picture, at any depth, in a ``.txt`` or ``.json`` of the same name.

    The list is held in memory, about half a kilobyte a pair; for millions of pairs, write shards.

    Args:
        path: the folder.

    Raises:
        FileNotFoundError: no folder, or one without any picture.
        ValueError: a list with a line that is neither.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        path = Path(path)
        if not path.is_dir():
            raise FileNotFoundError(f"{path}: expected a folder of pictures, found no such folder.")
        self.path = path
        found = next((path / name for name in LISTS if (path / name).is_file()), None)
        if found is None:
            entries = list(self._siblings())
        else:
            entries = list(_tsv(found) if found.suffix == ".tsv" else _jsonl(found))
        self._pairs = [pair for pair in entries if isinstance(pair, Pair)]
        self._faults = [fault for fault in entries if isinstance(fault, Fault)]
        if not self._pairs:
            raise FileNotFoundError(
                f"{path}: expected pictures with captions ({', '.join(LISTS)}, or a .txt beside "
                "each picture) or .tar shards, found none."
            )

    def __repr__(self) -> str:
        return f"Folder({self.path}, {len(self._pairs):,} pairs)"

    def one_pass(
        self, lane: int, lanes: int, rng: np.random.Generator, buffer: int
    ) -> Iterator[Pair | Fault]:
        """Every lanes-th pair of a permutation of all; no buffer is needed."""
        del buffer
        yield from self._faults[lane::lanes]
        for k in rng.permutation(len(self._pairs))[lane::lanes]:
            yield self._pairs[k]

    def in_order(self) -> Iterator[Pair | Fault]:
        """All pairs in the order of the list, or of their names."""
        yield from self._faults
        yield from self._pairs

    def count(self) -> int:
        """The number of pairs."""
        return len(self._pairs)

    def parts(self) -> int:
        """As many lanes as pairs."""
        return len(self._pairs)

    def names(self) -> Iterator[str]:
        """Keys and captions."""
        return ("\t".join((pair.key, *pair.captions)) for pair in self._pairs)

    def _siblings(self) -> Iterator[Pair | Fault]:
        for picture in sorted(self.path.rglob("*")):
            if picture.suffix.lower() not in SUFFIXES:
                continue
            key = picture.relative_to(self.path).with_suffix("").as_posix()
            text, meta = picture.with_suffix(".txt"), picture.with_suffix(".json")
            if meta.is_file():
                yield make_pair(key, _object(meta.read_bytes(), str(meta)), picture)
            elif text.is_file():
                yield make_pair(key, text.read_text("utf-8", "replace"), picture)
            else:
                yield Fault("pairs incomplete", f"{picture} has no caption")


def _tsv(path: Path) -> Iterator[Pair | Fault]:
    captions: dict[str, list[str]] = {}
    for k, line in enumerate(path.read_text(encoding="utf-8").splitlines()):
        name, tab, caption = line.partition("\t")
        if not line.strip() or (k == 0 and Path(name).suffix.lower() not in SUFFIXES):
            continue  # a first line that names no picture is a header
        if not tab:
            raise ValueError(f"{path}: line {k + 1}: expected file<TAB>caption, got {line[:60]!r}.")
        captions.setdefault(name, []).append(caption)
    for name, texts in captions.items():
        yield make_pair(_key(name), {"caption": texts}, path.parent / name)


def _jsonl(path: Path) -> Iterator[Pair | Fault]:
    for k, line in enumerate(path.read_text(encoding="utf-8").splitlines()):
        if not line.strip():
            continue
        content = _object(line.encode(), f"{path}: line {k + 1}")
        name = next((content[n] for n in ("file", "file_name", "image") if n in content), None)
        if not isinstance(name, str):
            raise ValueError(f"{path}: line {k + 1}: expected a text under 'file', got {name!r}.")
        yield make_pair(_key(name), content, path.parent / name)


def _key(name: str) -> str:
    return Path(name).with_suffix("").as_posix()


def _object(content: bytes, where: str) -> dict[str, Any]:
    try:
        value = json.loads(content)
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{where}: expected a JSON object, but {error}.") from error
    if not isinstance(value, dict):
        raise ValueError(f"{where}: expected a JSON object, got {type(value).__name__}.")
    return value
