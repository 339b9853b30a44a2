"""Lists of captions as people have them: lines of JSON, JSON, tables of lines."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from .disk import MOST_TABLE, MOST_TEXT, open_file, read_file, to_text
from .pair import KEYS, Fault, parse
from .pictures import SUFFIXES

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
# The share of a table's rows that may have too few or too many cells, as one of Flickr30k's 158,915
# has: of more the separator is another, or the header's names are.
_BROKEN = 0.1


class Listed(NamedTuple):
    """What a list says of a picture: its name, what is known of it, and where it stands."""

    name: str
    content: dict[str, Any]
    where: str


def read_list(path: Path) -> Iterator[Listed | Fault]:
    """The pictures of one of `LISTS`, in the order of their first mention; see `Folder`.

    Raises:
        ValueError: a list with a line that is neither, or a table with many.
    """
    read = {".jsonl": _jsonl, ".json": _json}.get(path.suffix, _table)
    return read(path)


def _table(path: Path) -> Iterator[Listed | Fault]:
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
        raise ValueError(f"{path}: line {number}: expected quotes in pairs, {error}.") from error
    if len(broken) > (len(broken) + good) * _BROKEN:
        raise broken[0]
    yield from faults
    yield from (Fault("pairs incomplete", f"{error}".removesuffix(".")) for error in broken)
    for file, texts in captions.items():
        yield Listed(file, {"caption": texts}, str(path))


def _jsonl(path: Path) -> Iterator[Listed | Fault]:
    faults: list[Fault] = []

    def objects() -> Iterator[tuple[Any, str]]:
        for k, line, fault in _lines(path):
            where = f"{path}: line {k}"
            faults.extend([fault] if fault else [])
            try:
                yield parse(line), where
            except ValueError as error:
                raise ValueError(f"{where}: expected a JSON object, but {error}.") from error

    yield from _objects(objects())
    yield from faults


def _json(path: Path) -> Iterator[Listed | Fault]:
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
    yield from _objects((x, f"{path}: entry {k}") for k, x in enumerate(content, 1))


def _objects(objects: Iterable[tuple[Any, str]]) -> Iterator[Listed]:
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
        yield Listed(name, content, where)


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
