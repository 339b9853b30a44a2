"""Pairs from a folder of pictures with a list of captions, or a text beside each picture."""

from __future__ import annotations

import csv
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any
from unicodedata import normalize

import numpy as np

from .disk import MOST_TABLE, MOST_TEXT, is_file, is_system, open_file, read_file, to_text
from .pair import CAPTIONS, KEYS, Fault, Pair, captioned_pair, make_pair, parse
from .pictures import OTHERS, SUFFIXES

LISTS = (
    *("captions.jsonl", "metadata.jsonl", "captions.tsv", "captions.csv", "metadata.csv"),
    *("captions.json", "captions.txt"),
)
_NAMES = (
    *("file", "file_name", "image", "filename", "filepath", "file_path", "image_path"),
    *("image_name", "path"),
)
_LABEL = "label"
_WORDS = (*KEYS, "title", "description", "prompt", "comment", _LABEL)  # the first that is there
_EXPECTED = f"one of {', '.join(_NAMES)} and one of {', '.join(_WORDS)}"
# Folders so called hold parts of the data, and are no classes.
_PARTS = frozenset({"train", "training", "val", "valid", "validation", "dev", "test", "testing"})
# The share of a table's rows that may have too few or too many cells, as one of Flickr30k's 158,915
# has: of more the separator is another, or the header's names are.
_BROKEN = 0.1
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
            read = {".jsonl": self._jsonl, ".json": self._json}.get(lists[0].suffix, self._table)
            entries = list(read(lists[0]))
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

    def _table(self, path: Path) -> Iterator[Pair | Fault]:
        """A list of lines with a name and a caption, and perhaps a header and more columns."""
        faults: list[Fault] = []
        broken: list[ValueError] = []  # rows that are no pair
        number = good = 0

        def lines() -> Iterator[str]:
            nonlocal number
            for k, line, fault in _lines(path):
                number = k
                faults.extend([fault] if fault else [])
                yield line.removeprefix("\ufeff") + "\n"

        def wrong(expected: str, got: str) -> ValueError:
            return ValueError(f"{path}: line {number}: expected {expected}, got {got}.")

        read = lines()
        first = next(read, "")
        tabs = path.suffix == ".tsv"  # in which a quote within a cell is a sign like any other
        plain = _unquoted if tabs else str
        signs = [c for c in ("\t" if tabs else "\t,;|") if c in first]
        sign = min(signs, key=first.index, default="\t" if tabs else ",")
        every = chain([first] if first else [], read)
        rows: Iterator[list[str]] = (
            (line.rstrip("\n").split(sign) for line in every)
            if tabs
            else csv.reader(every, delimiter=sign, strict=True)
        )
        row_of = f"file{'<TAB>' if sign == chr(9) else sign}caption"
        captions: dict[str, list[str]] = {}
        name, caption, label, width = 0, 1, False, 2
        try:
            for k, row in enumerate(rows):
                header = [plain(cell).strip().lower() for cell in row]
                if k == 0 and not any(Path(cell).suffix in SUFFIXES for cell in header):
                    found = _columns(header)
                    if found is None and (len(row) > 2 or not tabs):
                        raise wrong(f"a header with {_EXPECTED}", repr(", ".join(header)[:200]))
                    name, caption = found or (0, 1)
                    label = header[caption : caption + 1] == [_LABEL]
                    width = max(width, len(row))
                    continue
                if len(row) <= max(name, caption):
                    broken.append(wrong(row_of, repr(sign.join(row)[:60])))
                    continue
                while len(row) > width and not row[-1].strip():  # spreadsheets end lines so
                    row.pop()
                if len(row) > width and caption == width - 1 and (tabs or k):
                    row[caption:] = [sign.join(row[caption:])]
                if len(row) > width:
                    expected = (
                        f"{row_of}, with quotes around a caption that has {sign!r} in it, or a "
                        "header that says which column it is"
                    )
                    broken.append(wrong(expected, repr(sign.join(row)[:60])))
                    continue
                if label and row[caption].strip().isdecimal():
                    raise wrong("words under 'label'", f"a number, {row[caption][:60]!r}")
                good += 1
                captions.setdefault(plain(row[name]).strip(), []).append(plain(row[caption]))
        except csv.Error as error:
            most = csv.field_size_limit()
            if "field limit" in str(error):
                raise wrong(f"at most {most:,} letters in a cell", "more") from error
            raise ValueError(
                f"{path}: line {number}: expected quotes in pairs, {error}."
            ) from error
        if len(broken) > (len(broken) + good) * _BROKEN:
            raise broken[0]
        yield from faults
        yield from (Fault("pairs incomplete", f"{error}".removesuffix(".")) for error in broken)
        for file, texts in captions.items():
            yield self._listed(file, {"caption": texts}, str(path))

    def _jsonl(self, path: Path) -> Iterator[Pair | Fault]:
        faults: list[Fault] = []

        def objects() -> Iterator[tuple[Any, str]]:
            for k, line, fault in _lines(path):
                where = f"{path}: line {k}"
                faults.extend([fault] if fault else [])
                try:
                    yield parse(line), where
                except ValueError as error:
                    raise ValueError(f"{where}: expected a JSON object, but {error}.") from error

        yield from self._objects(objects())
        yield from faults

    def _json(self, path: Path) -> Iterator[Pair | Fault]:
        data = read_file(path, MOST_TABLE)
        try:
            content = parse(data)
        except ValueError as error:
            raise ValueError(f"{path}: expected JSON, but {error}.") from error
        if isinstance(content, dict):
            by_name = _of_coco(content, path) if "annotations" in content else content
            content = [{"file": name, "caption": texts} for name, texts in by_name.items()]
        if not isinstance(content, list):
            raise ValueError(f"{path}: expected objects, got {type(content).__name__}.")
        yield from self._objects((x, f"{path}: entry {k}") for k, x in enumerate(content, 1))

    def _objects(self, objects: Iterable[tuple[Any, str]]) -> Iterator[Pair | Fault]:
        """The pairs of objects, each with where it stands. Those of one name are one pair, with the
        captions of all and what else the first says: a list may have an object a caption."""
        found: dict[str, tuple[dict[str, Any], str]] = {}
        for content, where in objects:
            name = _name_of(content, where)
            texts = next((content[word] for word in _WORDS if word in content), "")
            first = {
                "caption": [],
                "family": content.get("family"),
                "general": content.get("general"),
            }
            pair, _ = found.setdefault(name, (first, where))
            pair["caption"].extend(texts if isinstance(texts, list) else [texts])
        for name, (content, where) in found.items():
            yield self._listed(name, content, where)

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


def _name_of(content: Any, where: str) -> str:
    """The name of the picture that an object is about, under whatever word."""
    if not isinstance(content, dict):
        raise ValueError(f"{where}: expected a JSON object, got {type(content).__name__}.")
    name = next((content[n] for n in _NAMES if n in content), None)
    if name is None:
        keys = ", ".join(content)[:200]
        raise ValueError(f"{where}: expected {_EXPECTED}, got the keys {keys!r}.")
    if not isinstance(name, str):
        raise ValueError(f"{where}: expected a text for a picture's name, got {name!r}.")
    return name


def _of_coco(content: dict[str, Any], path: Path) -> dict[str, list[Any]]:
    """The captions of each picture in an annotation file of COCO."""
    captions: dict[str, list[Any]] = {}
    try:
        names = {image["id"]: image["file_name"] for image in content["images"]}
        for one in content["annotations"]:
            captions.setdefault(names[one["image_id"]], []).append(one["caption"])
    except (KeyError, TypeError) as error:
        raise ValueError(
            f"{path}: expected images with id and file_name, and annotations with image_id and "
            f"caption, as COCO has them, got others ({error!r:.80})."
        ) from error
    return captions


def _columns(header: list[str]) -> tuple[int, int] | None:
    """Which columns have the pictures' names and the captions, if the header says so."""
    name = next((header.index(n) for n in _NAMES if n in header), None)
    caption = next((header.index(n) for n in _WORDS if n in header), None)
    return None if name is None or caption is None else (name, caption)


def _unquoted(cell: str) -> str:
    """What csv writes between quotes, if the cell is all of that and its inner quotes are doubled;
    else the cell as it is."""
    inner = cell[1:-1]
    whole = len(cell) > 1 and cell[0] == cell[-1] == '"' and '"' not in inner.replace('""', "")
    return inner.replace('""', '"') if whole else cell


def _lines(path: Path) -> Iterator[tuple[int, str, Fault | None]]:
    """The lines of a list that are not empty, each with its number and, if some of its bytes are
    not UTF-8, a fault. Only line feeds and carriage returns end a line: U+2028 and its like stand
    in captions.

    Raises:
        ValueError: a line of more than `MOST_TEXT` bytes.
    """
    number = 0
    with open_file(path) as file:
        if file.read(2) in (b"\xff\xfe", b"\xfe\xff"):
            raise ValueError(f"{path}: expected UTF-8, got UTF-16.")
        file.seek(0)
        while record := file.readline(MOST_TEXT + 1):
            if len(record) > MOST_TEXT:
                raise ValueError(
                    f"{path}: line {number + 1}: expected at most {MOST_TEXT:,} bytes, got more."
                )
            for part in record.rstrip(b"\r\n").split(b"\r"):
                number += 1
                text, whole = to_text(part)
                if text.strip():
                    where = f"{path}: line {number}"
                    yield number, text, None if whole else Fault("captions not UTF-8", where)


def _words(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename and error.strerror:
        return f"{error.filename}: {error.strerror.lower()}"
    return str(error)
