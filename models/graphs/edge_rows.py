"""Rows of an edge list: how lines of text and JSON fall into names, a relation and a weight."""

from __future__ import annotations

import csv
import gzip
import json
import math
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, Literal, NamedTuple

from ...datasets.disk import MOST_TABLE, MOST_TEXT, open_file, printable
from ..words import counted
from .edge_columns import NODE, UPPER, Columns, columns_of
from .edge_documents import edges_of

Order = Literal["parent-child", "child-parent"]

_ARROWS = "->", "=>", "→"
_SIGNS = {"\t": "a tab", ",": "a comma", ";": "a semicolon"}
_WANTED = (
    'an object {"parent": ..., "child": ...} or a list [parent, child] a line, or one array of them'
)
_SHOWN = 60  # characters of a line in a message
_NUMBERED = NODE | {"", "index", "unnamed: 0"}  # also a column that counts the rows
# networkx.write_edgelist writes what it knows of an edge behind it, {} or {'weight': 1}. A name may
# have braces too. Looked for up to the last brace, "a{ { { {" would take the square of its length.
_KNOWN = re.compile(r"""[\t ,;]\{(?:\}\Z|'[^']*':|"[^"]*":)""")
_KNOWN_WEIGHT = re.compile(r"""['"]weight['"]: (?:np\.\w+\()?([-+.\w]+)""")
_WHOLE = re.compile(r"[-+]?\d+"), re.compile(r"[-+]?\d+\.0")
_FOREIGN = (
    (re.compile(rb"PK\x03\x04|\xd0\xcf\x11\xe0"), "a spreadsheet or an archive"),
    (re.compile(rb"PAR1[\0-\x1f]|SQLite format 3\0"), "Parquet or SQLite"),
    (re.compile(rb"\x93NUMPY|\x89HDF|\x80[\x02-\x05]"), "arrays or a pickle"),
    (re.compile(rb"\s*<(\?xml|graphml|gexf|rdf:RDF|!DOCTYPE)"), "XML"),
    (re.compile(rb"%%MatrixMarket"), "a matrix of Matrix Market"),
    (re.compile(rb"\(.*\)[^()]*;\s*$"), "a tree in Newick's form"),
    (re.compile(rb"(graph\s*(\[\s*)?$|Creator \")"), "GML"),
)
"""How other forms of graphs begin, two of which would fall into names."""


class Row(NamedTuple):
    """One edge as it is written: its ends in the order of the list, and what else is said of it."""

    one: str
    two: str
    relation: str | None = None
    weight: str | None = None


class Rows:
    """The rows of one file, read once.

    Attributes:
        order: the one asked for, or that of a header.
        notes: what was taken for what, in words.
        arrow: whether names have an arrow between them.
        roots: how many rows of nodes have no node above.
        remarks: how many lines begin with a ``#``; of those before the first row, which are mostly
            remarks, those of as many fields.
        shortened: how many names lost the ``.0`` that made them another's.
    """

    def __init__(self, path: str, order: Order | None) -> None:
        self.path, self.order, self.notes, self.arrow = path, order, list[str](), False
        self.number = self.roots = self.remarks = self.shortened = 0
        self._edge: int | None = None  # in an array, which has no lines
        self._third: str | None = None  # what a third field is, by the first row
        self._keys: dict[tuple[str, ...], Columns] = {}
        self._between = "blanks"
        self._before: list[str] = []  # lines before the first row that begin with a #

    def __iter__(self) -> Iterator[Row]:
        with self._opened() as file:
            lines = self._lines(file)
            first = next(lines, None)
            if first is None:
                return
            name = self.path.lower().removesuffix(".gz")
            if name.endswith((".jsonl", ".ndjson", ".json")) or first.lstrip()[0] in "{[":
                yield from filter(None, map(self._of_json, self._values(first, lines)))
                return
            split = self._split(first)
            cells = split(first)
            self.remarks = sum(self._as_wide(line, split, len(cells)) for line in self._before)
            headed = self._headed(cells)
            if headed is None:
                yield self._plain(cells)
            yield from filter(None, map(headed or self._plain, map(split, lines)))

    def _as_wide(self, line: str, split: Callable[[str], list[str]], width: int) -> bool:
        """Whether a line that begins with a # may be an edge, of a node "#tag"; "# a remark" of
        words is none."""
        try:
            cells = split(line)
        except ValueError:
            return False
        return len(cells) == width and cells[0].strip() != "#"

    def wrong(self, expected: str, got: str) -> ValueError:
        """What is said of the row that was read last."""
        where = self.number if self._edge is None else f" edge {self._edge:,}"
        return ValueError(f"{self.path}:{where}: expected {expected}, got {got}.")

    # -- lines ----------------------------------------------------------------------------------

    @contextmanager
    def _opened(self) -> Iterator[BinaryIO]:
        with open_file(self.path) as file:
            packed = file.read(2) == b"\x1f\x8b"
            file.seek(0)
            if not packed:
                yield file
                return
            try:
                with gzip.GzipFile(fileobj=file) as unpacked:
                    yield unpacked  # type: ignore[misc]
            except (EOFError, gzip.BadGzipFile, OSError) as error:
                raise ValueError(
                    f"{self.path}: expected a whole gzip file, got one that breaks off or is "
                    f"damaged after line {self.number} ({error})."
                ) from error

    def _lines(self, file: BinaryIO) -> Iterator[str]:
        """Lines that say something, without their ends."""
        told, size = False, 0
        while raw := file.readline(MOST_TEXT + 1):
            self.number += 1
            if len(raw) > MOST_TEXT:
                raise self.wrong("a line of text", f"more than {MOST_TEXT:,} bytes without an end")
            if self.number == 1:
                if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
                    raise self.wrong("text in UTF-8", "UTF-16; save it as UTF-8")
                raw = raw.removeprefix(b"\xef\xbb\xbf")
                other = next((name for sign, name in _FOREIGN if sign.match(raw)), None)
                if other is not None:
                    raise self.wrong(
                        "text, a parent and a child a line", f"{other}; save it as .csv"
                    )
            try:
                line = raw.decode()
            except UnicodeDecodeError as error:
                byte = raw[error.start]
                raise self.wrong(
                    "text in UTF-8", f"the byte 0x{byte:02x} at column {error.start + 1}"
                ) from None
            line = line.rstrip("\r\n")
            if "\0" in line:
                raise self.wrong("text", "a zero byte")
            parts = line.split("\r") if "\r" in line else (line,)  # old Macs end lines by CR alone
            for k, part in enumerate(parts):
                self.number += k > 0
                stripped = part.lstrip()
                if stripped.startswith("#"):
                    self.remarks += told
                    size += len(part)
                    if not told and size <= MOST_TEXT:
                        self._before.append(part)
                elif stripped:
                    told = True
                    yield part

    # -- text -----------------------------------------------------------------------------------

    def _split(self, first: str) -> Callable[[str], list[str]]:
        """How lines like the first one fall into fields."""
        names, known = _parted(first)
        if not known:
            return self._split_names(first)
        self._third = "weight"
        split = self._split_names(names)
        return lambda line: self._of_networkx(line, split)

    def _split_names(self, first: str) -> Callable[[str], list[str]]:
        if _has_arrow(first):
            self.arrow, self._between = True, "an arrow"
            return self._of_arrow
        signs = ",;\t" if self.path.lower().removesuffix(".gz").endswith(".csv") else "\t,;"
        sign = next((s for s in signs if s in first), None)
        if sign is None:
            return self._of_words
        self._between = _SIGNS[sign]

        def fields(line: str) -> list[str]:
            return self._quoted(line, sign) if '"' in line else line.split(sign)

        return fields

    def _of_networkx(self, line: str, names: Callable[[str], list[str]]) -> list[str]:
        ends, known = _parted(line)
        if not known:
            raise self.wrong(
                "what is known of an edge in braces, as in the first line", _short(line)
            )
        weight = _KNOWN_WEIGHT.search(known)
        return [*names(ends), weight.group(1) if weight else ""]

    def _of_arrow(self, line: str) -> list[str]:
        ends = re.split(
            "|".join(_ARROWS), line.strip().rstrip(";")
        )  # a line of DOT ends in a semicolon
        return [end.strip().removeprefix('"').removesuffix('"') for end in ends]

    def _of_words(self, line: str) -> list[str]:
        if '"' not in line:
            return line.split()
        return [word for word in self._quoted(line.strip().replace("\t", " "), " ") if word]

    def _quoted(self, line: str, sign: str) -> list[str]:
        reader = csv.reader([line], delimiter=sign, strict=True, skipinitialspace=sign != "\t")
        try:
            return next(reader)
        except csv.Error as error:
            said = "a quote that is not closed" if "unexpected end" in f"{error}" else f"{error}"
            raise self.wrong("quotes in pairs around a name", said) from None

    def _headed(self, cells: list[str]) -> Callable[[list[str]], Row | None] | None:
        """How rows under a header are read, which may say that the child comes first; None if the
        first row is no header."""
        columns = columns_of(cells)
        words = {cell.strip().lower() for cell in cells}
        if columns is None:
            if words & UPPER and len(words & NODE) > 1:  # by which of them are nodes named above?
                raise self.wrong("a header with columns parent and child", _listed(cells))
            return None
        others = sorted(set(range(len(cells))) - columns.known)
        if len(cells) == 3 and others and cells[others[0]].strip().lower() not in _NUMBERED:
            if others != [2]:
                return None  # an edge with a relation
            others = []  # a third column whose name says nothing has weights
        if others:
            named = ", ".join(printable(cells[k].strip()) or "one without a name" for k in others)
            self.notes.append(f"columns left out: {named[:_SHOWN]}")
        one, two = sorted(columns[:2])
        found: Order = "parent-child" if columns.upper < columns.lower else "child-parent"
        names = f"'{cells[one].strip().lower()}, {cells[two].strip().lower()}'"
        if self.order is None:
            self.order = found
            self.notes.append(f"the header {names} was taken for the order {found}")
        elif self.order != found:
            self.notes.append(
                f"the header {names} says {found}; the order asked for, {self.order}, was taken"
            )
        if (one, two) == (0, 1) and columns.relation is None and len(cells) < 4 and not others:
            self._third = "weight"
            return lambda row: self._hung(self._plain(row), columns.upper, columns.definite)

        def take(row: list[str]) -> Row | None:
            if len(row) != len(cells):
                raise self.wrong(
                    f"{len(cells)} columns as in the header, with {self._between} between them",
                    _listed(row),
                )
            relation, weight = (None if k is None else row[k] for k in columns[2:4])
            edge = Row(row[one], row[two], relation, weight)
            return self._hung(edge, int(columns.upper > columns.lower), columns.definite)

        return take

    def _hung(self, row: Row, upper: int, definite: bool) -> Row | None:
        """A row of a node and the node above it, which end that is; None for a root, which has
        none. Beside nodes 1, 2, 3 pandas writes nodes above as 1.0 and 2.0, since roots have none.
        Where no word says which end is above, the row as it is."""
        ends = [row.one, row.two]
        if not definite:
            return row
        if not ends[upper].strip() and ends[1 - upper].strip():
            self.roots += 1
            return None
        short, long = _WHOLE
        if long.fullmatch(ends[upper].strip()) and short.fullmatch(ends[1 - upper].strip()):
            ends[upper] = ends[upper].strip().removesuffix(".0")
            self.shortened += 1
        return row._replace(one=ends[0], two=ends[1])

    def _plain(self, row: list[str]) -> Row:
        """A row that no header explains: two names and perhaps a weight, or a relation between
        them, whichever the first row has."""
        if len(row) not in ((2,) if self.arrow else (2, 3)):
            raise self.wrong(
                f"two names and perhaps a weight, with {self._between} between them", _listed(row)
            )
        third = row[2].strip() if len(row) == 3 else ""
        if third and _has_arrow(row[1]):
            raise self.wrong("arrows between names in all lines or in none", _listed(row))
        if self._third is None:
            self._third = "name" if third and not _is_number(third) else "weight"
        if self._third == "weight":
            return Row(row[0], row[1], weight=third or None)
        if len(row) == 2 or _is_number(third):
            raise self.wrong(
                "a name, a relation and a name as in the first line (where names are numbers, with "
                f"a header: head, relation, tail), with {self._between} between them",
                _listed(row),
            )
        return Row(row[0], third, row[1])

    # -- JSON -----------------------------------------------------------------------------------

    def _values(self, first: str, lines: Iterator[str]) -> Iterator[Any]:
        """A value a line, or those of the one array that the file is."""
        try:
            found = json.loads(first)
        except (ValueError, RecursionError):
            found = None
        edges = isinstance(found, list) and all(isinstance(x, list | dict) for x in found[:1])
        if found is None or edges or (isinstance(found, dict) and edges_of(found) is not None):
            yield from self._document(first, lines)
            return
        yield self._parsed(first)
        yield from map(self._parsed, lines)

    def _document(self, first: str, lines: Iterator[str]) -> Iterator[Any]:
        number, parts, size = self.number, [first], len(first)
        for line in lines:
            parts.append(line)
            size += len(line)
            if size > MOST_TABLE:
                raise self.wrong(
                    f"a document of at most {MOST_TABLE:,} letters, or an edge a line", "more"
                )
        try:
            found = json.loads("\n".join(parts))
        except (ValueError, RecursionError):
            self.number = number
            raise self.wrong(_WANTED, _short(first)) from None
        if isinstance(found, dict):
            found, notes = edges_of(found) or (None, [])
            self.notes.extend(notes)
        if not isinstance(found, list):
            self.number = number
            raise self.wrong(_WANTED, _short(first))
        for self._edge, value in enumerate(found, 1):
            yield value

    def _parsed(self, line: str) -> Any:
        try:
            return json.loads(line)
        except (ValueError, RecursionError):
            raise self.wrong(_WANTED, _short(line)) from None

    def _of_json(self, value: Any) -> Row | None:
        turned = definite = False
        if isinstance(value, dict):
            columns = self._named(tuple(value))
            row = [None if k is None else list(value.values())[k] for k in columns[:4]]
            definite = columns.definite
            if definite and (row[0] is None or _is_nan(row[0])) and row[1] is not None:
                row[0] = ""  # a root, whose parent pandas writes as NaN
            turned = self.order == "child-parent" and definite  # keys say which is which
            if turned:
                row[:2] = row[1::-1]
            ends, more = row[:2], row[2:]
        elif isinstance(value, list):
            ends, more = value, []
        else:
            raise self.wrong(_WANTED, _short(json.dumps(value)))
        for k, cell in enumerate((*ends, *(x for x in more if x is not None))):
            named = isinstance(cell, str | int | float) and not isinstance(cell, bool)
            if not named or (k < 2 and _is_nan(cell)):
                raise self.wrong("names that are text or numbers", _short(json.dumps(cell)))
        if not more:
            return self._plain([str(cell) for cell in ends])
        relation, weight = (None if cell is None else str(cell) for cell in more)
        edge = Row(str(ends[0]), str(ends[1]), relation, weight)
        return self._hung(edge, int(turned), definite)

    def _named(self, keys: tuple[str, ...]) -> Columns:
        """What the keys of an object name."""
        if keys not in self._keys:
            columns = columns_of(keys)
            if columns is None:
                raise self.wrong(_WANTED, f"the keys {_short(', '.join(keys))}")
            one, two = keys[columns.upper], keys[columns.lower]
            if not self._keys and {one, two} != {"parent", "child"}:
                turned = self.order == "child-parent" and not columns.definite
                above = "child and parent" if turned else "parent and child"
                self.notes.append(f"the keys '{one}, {two}' were taken for {above}")
            self._keys[keys] = columns
        return self._keys[keys]


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)


def _parted(line: str) -> tuple[str, str]:
    """The names of a line and what networkx knows of their edge, in braces; nothing if no more
    stands behind the names."""
    line = line.rstrip()
    known = _KNOWN.search(line) if line.endswith("}") else None
    return (line, "") if known is None else (line[: known.start()], line[known.start() :])


def _has_arrow(line: str) -> bool:
    """Whether an arrow stands between two names, and no other sign that may."""
    ends = line.rstrip().removesuffix(";")  # a line of DOT ends in a semicolon
    return any(arrow in ends for arrow in _ARROWS) and not any(sign in ends for sign in _SIGNS)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _listed(row: list[str]) -> str:
    return f"{counted(len(row), 'column')}: {_short(' | '.join(row))}"


def _short(text: str) -> str:
    text = printable(text)
    return repr(text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "...")
