"""Pairs from a folder of pictures with a list of captions, or a text beside each picture."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any
from unicodedata import normalize

import numpy as np

from .caption_lists import LISTS, read_list
from .disk import MOST_TEXT, is_file, is_system, read_file
from .pair import CAPTIONS, Fault, Pair, captioned_pair, make_pair
from .pictures import OTHERS, SUFFIXES

# Folders so called hold parts of the data, and are no classes.
_PARTS = frozenset({"train", "training", "val", "valid", "validation", "dev", "test", "testing"})
_NAMED = 3  # faults that an error names
_RUN = frozenset({"config.json", "model.safetensors"})  # of a run, whose drawings are no data


class Folder:
    """The pictures of a folder that have captions.

    Captions are found, the first of these that is there: in ``captions.jsonl`` or
    ``metadata.jsonl``, a line a picture, ``{"file": "a/b.jpg", "caption": "..."}`` (also
    ``filename``, ``filepath``, ``image`` and their like, and ``captions``, ``text``, ``title``,
    ``label`` and theirs; a list of
    texts is drawn from; perhaps ``family`` and ``general``, as in a `Pair`); in
    ``captions.tsv``, a line ``a/b.jpg<TAB>caption``, several for several captions; in
    ``captions.csv`` or ``metadata.csv``, the same with commas, semicolons, tabs or bars, both
    under a header of the words above or none; beside each
    picture, at any depth, in a ``.txt``, ``.caption`` or ``.json`` of the same name, all lines of
    which are one caption; or, where no picture has a text beside it, in ``captions.json``, an array
    of objects as above, captions by names, ``{"a/b.jpg": ["...", "..."]}``, or what COCO has, or in
    ``captions.txt``, as in ``captions.csv``. A ``.json``
    without a caption, as downloaders leave them, hides no ``.txt``. Suffixes may be in capitals.

    A name in a list is a path in the folder. A picture that is not there and whose name has no
    folder is looked for in all folders below, and ``note`` says so; where there are several of the
    name none is taken.

    Where there is no text at all and all pictures lie in two or more folders of the folder, these
    are taken for classes: the name of its folder, with blanks for ``_`` and ``-``, is the caption
    of a picture, ``golden_retriever/1.jpg``, and ``note`` says so. Parts of data (``train``,
    ``test``), folders in folders and pictures beside folders are refused.

    What is skipped is counted and named, as `FAULTS` says: a picture without captions, a text
    without a picture, a picture of a format that is not read (HEIC, TIFF), a name in a list that
    leaves the folder, up to a tenth of a table's rows with too few or too many cells. Hidden files
    and folders, ``__MACOSX``, ``Thumbs.db`` and the like are no
    part of the data and are passed over.

    The list is held in memory, about half a kilobyte a pair; for millions of pairs, write shards.

    Args:
        path: the folder.
        links: whether files behind links that lead out of the folder are taken, as where pictures
            are linked from a store; links to folders never are. Without, what is taken lies in the
            folder: for a folder by someone else of which copies are made.

    Raises:
        FileNotFoundError: no folder, or one without any picture.
        ValueError: a list with a line that is neither, or a table with many; without ``links``, one
            that leads out of the folder.
    """

    def __init__(self, path: str | os.PathLike[str], *, links: bool = True) -> None:
        path = Path(path)
        if not path.is_dir():
            raise FileNotFoundError(f"{path}: expected a folder of pictures, found no such folder.")
        self.path = path
        self._inside = None if links else path.resolve()
        self._seen: Counter[str] = Counter()
        self._bare: list[Path] = []  # pictures without a caption of their own
        self.note = ""
        self._lower: dict[str, Path | None] | None = None  # pictures in folders below, by name
        self._moved: list[str] = []  # names in a list whose pictures are there
        lists = [path / name for name in LISTS if is_file(path / name)]
        entries: list[Pair | Fault] = []
        # Other programs call theirs so too: {"info": 1}, or the one caption of captions.jpg.
        if not lists or lists[0].suffix in (".json", ".txt"):
            entries = list(self._siblings())
        if any(isinstance(entry, Pair) for entry in entries):
            if lists:
                self.note = f"{lists[0].name} was not read: there are texts beside pictures"
        elif lists:
            try:
                self._check(lists[0])
            except (OSError, ValueError) as error:
                raise ValueError(f"{_words(error)}.") from None
            found = read_list(lists[0])
            entries = [e if isinstance(e, Fault) else self._listed(*e) for e in found]
        else:
            entries = self._classes() or entries
        if self._moved:
            self.note = (
                f"found in folders below: {len(self._moved):,} of the pictures that "
                f"{lists[0].name} names without a folder (the first: {self._moved[0]!r})"
            )
        self._pairs = [pair for pair in entries if isinstance(pair, Pair)]
        self._faults = [fault for fault in entries if isinstance(fault, Fault)]
        if not self._pairs:
            kinds = ", ".join(f"{n} {kind or 'without suffix'}" for kind, n in self._seen.items())
            first = "; ".join(str(f) for f in self._faults[:_NAMED])
            raise FileNotFoundError(
                f"{path}: expected pictures with captions ({', '.join(LISTS)}, a .txt beside "
                f"each picture, or a folder for each class) or .tar shards, found none"
                f"{f' among {kinds}' if kinds else ''}{f' ({first})' if first else ''}."
                f"{self._advice()}"
            )

    def __repr__(self) -> str:
        return f"Folder({self.path}, {len(self._pairs):,} pairs)"

    def _advice(self) -> str:
        """What the folder may have been meant as, in a sentence."""
        top = sorted({picture.relative_to(self.path).parts[0] for picture in self._bare})
        part = next((name for name in top if name.lower() in _PARTS), None)
        if part is not None:
            return f" Of data in parts take one: {self.path / part}."
        for other in sorted(self.path.iterdir()):
            suffix = other.suffix.lower()
            if suffix in (".csv", ".tsv", ".jsonl") and other.name not in LISTS:
                return f" If {other.name} is the list of captions, call it captions{suffix}."
        return ""

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

    def files(self) -> Iterator[Path]:
        """The picture files."""
        return (pair.path for pair in self._pairs)

    def _siblings(self) -> Iterator[Pair | Fault]:
        for here, folders, names in os.walk(self.path):
            folder = Path(here)
            if folder != self.path and _RUN.issubset(names):
                folders.clear()
                continue
            linked = sorted(f for f in folders if not is_system([f]) and (folder / f).is_symlink())
            for name in linked:
                yield Fault("files refused", f"{folder / name} is a link to a folder")
            folders[:] = sorted(f for f in folders if not is_system([f]))
            yield from self._beside(folder, sorted(n for n in names if not is_system([n])))

    def _beside(self, folder: Path, names: list[str]) -> Iterator[Pair | Fault]:
        """The pairs of one folder's own files."""
        paths = [folder / name for name in names]
        self._seen.update(path.suffix.lower() for path in paths)
        beside: dict[str, dict[str, Path]] = {}
        for path in paths:
            if path.suffix.lower() in CAPTIONS:
                beside.setdefault(path.stem, {}).setdefault(path.suffix.lower(), path)
        pictured = set[str]()
        for picture in paths:
            suffix = picture.suffix.lower()
            if suffix in OTHERS:
                pictured.add(picture.stem)
                expected = ", ".join(sorted(SUFFIXES))
                yield Fault("pictures unreadable", f"{picture}: expected one of {expected}")
            if suffix not in SUFFIXES:
                continue
            pictured.add(picture.stem)
            captions = beside.get(picture.stem)
            if captions is None:
                self._bare.append(picture)
                yield Fault("pairs incomplete", f"{picture} has no caption")
                continue
            try:
                for path in (picture, *captions.values()):
                    self._check(path)
                contents = {s: read_file(path, MOST_TEXT) for s, path in captions.items()}
            except (OSError, ValueError) as error:
                yield Fault("files refused", _words(error))
                continue
            key = picture.relative_to(self.path).with_suffix("").as_posix()
            yield from captioned_pair(key, contents, picture, str(folder))
        for stem in sorted(beside.keys() - pictured):
            for path in beside[stem].values():
                if path.suffix.lower() != ".json":  # programs leave those for other ends too
                    yield Fault("pairs incomplete", f"{path} has no picture")

    def _classes(self) -> list[Pair | Fault]:
        """The pictures by their folders' names, if all lie in folders of classes; else none."""
        classes = sorted({picture.parent for picture in self._bare})
        named = {folder.name.lower() for folder in classes}
        texts = self._seen.keys() & set(CAPTIONS)
        nested = any(folder.parent != self.path for folder in classes)
        if texts or nested or len(classes) < 2 or named & _PARTS:
            return []
        words = {folder: " ".join(re.split(r"[\s_-]+", folder.name)).strip() for folder in classes}
        self.note = (
            f"no captions: {len(classes):,} folders were taken for classes, and their names for "
            f"captions ({', '.join(map(repr, list(words.values())[:_NAMED]))}"
            f"{', ...' if len(classes) > _NAMED else ''})"
        )
        found: list[Pair | Fault] = []
        for picture in self._bare:
            key = picture.relative_to(self.path).with_suffix("").as_posix()
            try:
                self._check(picture)
            except (OSError, ValueError) as error:
                found.append(Fault("files refused", _words(error)))
                continue
            found.append(make_pair(key, words[picture.parent], picture))
        return found

    def _check(self, path: Path) -> None:
        """Refuse what is no regular file, and what lies elsewhere if links are not followed."""
        if path.exists() and not path.is_file():
            raise ValueError(f"{path}: expected a file, got a folder, a pipe or a device")
        if self._inside is not None and not path.resolve().is_relative_to(self._inside):
            raise ValueError(f"{path} leads out of the folder")

    def _listed(self, name: str, content: dict[str, Any], where: str) -> Pair | Fault:
        """The pair of a name in a list, which names pictures in the folder and nothing else."""
        if "\\" in name and not is_file(self.path / name):  # written on Windows
            name = name.replace("\\", "/")
        if name.startswith(f"{self.path.absolute().as_posix()}/"):
            name = name.removeprefix(f"{self.path.absolute().as_posix()}/")
        parts = PurePosixPath(name).parts
        if ".." in parts or name.startswith("/") or PureWindowsPath(name).drive:
            return Fault("files refused", f"{where}: {name[:200]!r} leads out of the folder")
        if PurePosixPath(name).suffix.lower() not in SUFFIXES:
            return Fault("files refused", f"{where}: {name[:200]!r} is no picture's name")
        # An accent is one sign in a list and two in a file's name, or the other way round.
        spelt = (
            self.path / some for some in (name, normalize("NFC", name), normalize("NFD", name))
        )
        picture = next(filter(is_file, spelt), None) or self._below(name) or self.path / name
        try:
            self._check(picture)
        except (OSError, ValueError) as error:
            return Fault("files refused", f"{where}: {_words(error)}")
        return make_pair(PurePosixPath(name).with_suffix("").as_posix(), content, picture)

    def _below(self, name: str) -> Path | None:
        """The one picture of that name in a folder of the folder."""
        if "/" in name:
            return None
        if self._lower is None:
            self._lower = {}
            for here, folders, names in os.walk(self.path):
                folders[:] = [f for f in folders if not is_system([f])]
                for other in names:
                    if Path(other).suffix.lower() in SUFFIXES:
                        twice = other in self._lower
                        self._lower[other] = None if twice else Path(here, other)
        found = self._lower.get(name)
        self._moved.extend([name] if found else [])
        return found


def _words(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename and error.strerror:
        return f"{error.filename}: {error.strerror.lower()}"
    return str(error)
