"""Edge lists: files of `parent child [weight]` a line, and the hierarchies that are packaged."""

from __future__ import annotations

import csv
import gzip
import json
import math
import os
import re
from array import array
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray

from ...datasets import Taxonomy, load_mammals, load_wordnet_nouns
from ...datasets.disk import MOST_TEXT, digest, open_file, printable

Order = Literal["parent-child", "child-parent"]
Ints = NDArray[np.int64]

PACKAGED = {"wordnet:mammals": load_mammals, "wordnet:nouns": load_wordnet_nouns}

_UPPER = frozenset(
    [
        "parent",
        "source",
        "from",
        "head",
        "hypernym",
        "ancestor",
        "id2",
        "boss",
        "manager",
        "category",
        "class",
        "superclass",
    ]
)
_LOWER = frozenset(
    [
        "child",
        "target",
        "to",
        "tail",
        "hyponym",
        "descendant",
        "id1",
        "employee",
        "report",
        "subcategory",
        "subclass",
    ]
)
_SHOWN = 60  # characters of a line in a message


@dataclass(frozen=True, eq=False)
class Graph:
    """Named nodes and directed edges, each once and none from a node to itself."""

    names: tuple[str, ...]
    parent: Ints
    """The upper end of each edge, (E,)."""
    child: Ints
    """The lower end of each edge, (E,)."""
    weight: NDArray[np.float64]
    """(E,), 1 where the list has none; that of an edge that came twice is the sum."""
    notes: tuple[str, ...] = field(default=())
    """What was left out or merged in reading, in words."""
    weighted: bool = False
    """Whether the list says a weight other than 1 anywhere."""

    def digest(self) -> str:
        """Of names, edges and weights: the same for the same graph, wherever its file lies."""
        parts = (self.parent.tobytes(), self.child.tobytes(), self.weight.tobytes())
        return digest(["\n".join(self.names).encode(), *parts])


def read_graph(source: str, order: Order | None = None) -> Graph:
    """Read an edge list, or take a packaged hierarchy.

    Args:
        source: a path, or ``wordnet:mammals``, ``wordnet:nouns``, or the nouns below one of them,
            ``wordnet:bird.n.01``.
        order: which end of an edge is written first; what the header says if None, the parent
            where there is none.

    Raises:
        OSError: there is no such file.
        ValueError: a line that is no edge, which the sentence names by file and number.
    """
    if source.startswith("wordnet:"):
        taxonomy = _packaged(source)
        weight = np.ones(len(taxonomy.edges), np.float64)
        return _graph(list(taxonomy.names), taxonomy.parent, taxonomy.child, weight, [])
    return _Reader(source, order).read()


def _packaged(source: str) -> Taxonomy:
    """``wordnet:mammals``, ``wordnet:nouns``, or of the nouns what is below one of them."""
    if source in PACKAGED:
        return PACKAGED[source]()
    nouns, name = load_wordnet_nouns(), source.removeprefix("wordnet:")
    if name not in nouns.names:
        raise ValueError(
            f"edges is {source}; expected {', '.join(PACKAGED)}, wordnet: and a noun as "
            "bird.n.01, or a file."
        )
    found = nouns.below(name)
    if not len(found.edges):
        raise ValueError(f"edges is {source}; expected a noun with others below it.")
    return found


class _Reader:
    """One file on its way to a graph. Names are kept once, ends of edges as numbers in arrays."""

    def __init__(self, path: str, order: Order | None) -> None:
        self.path, self.order, self.number = path, order, 0
        self.place: dict[str, int] = {}
        self.first, self.second, self.weight = array("q"), array("q"), array("d")
        self.notes: list[str] = []

    def read(self) -> Graph:
        fields: Callable[[str], list[str]] | None = None
        with self._opened() as file:
            for text in self._lines(file):
                if fields is None:
                    fields = self._split(text)
                    row = fields(text)
                    if self._is_header(row):
                        continue
                    self._add(row)
                else:
                    self._add(fields(text))
        if not self.first:
            raise ValueError(f"{self.path}: expected edges, one a line, got none.")
        names = list(self.place)
        one, two = (np.frombuffer(a, np.int64) for a in (self.first, self.second))
        ends = np.bincount(one, minlength=len(names)) + np.bincount(two, minlength=len(names))
        if len(one) > 2 and ends[one[0]] == ends[two[0]] == 1:
            a, b = (printable(names[k]) for k in (one[0], two[0]))
            self.notes.append(
                f"the first line, '{a}, {b}', is an edge of its own: if it is a header, take it "
                "out or name the columns parent and child"
            )
        if self.order == "child-parent":
            one, two = two, one
        if (one == two).all():
            raise ValueError(f"{self.path}: expected edges between different nodes, got none.")
        weight = np.frombuffer(self.weight, np.float64)
        graph = _graph(names, one, two, weight, self.notes)
        return replace(graph, weighted=bool((weight != 1).any()))

    def wrong(self, expected: str, got: str) -> ValueError:
        return ValueError(f"{self.path}:{self.number}: expected {expected}, got {got}.")

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
        while raw := file.readline(MOST_TEXT + 1):
            self.number += 1
            if len(raw) > MOST_TEXT:
                raise self.wrong("a line of text", f"more than {MOST_TEXT:,} bytes without an end")
            if self.number == 1:
                if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
                    raise self.wrong("text in UTF-8", "UTF-16; save it as UTF-8")
                raw = raw.removeprefix(b"\xef\xbb\xbf")
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
                if stripped and not stripped.startswith("#"):
                    yield part

    # -- fields ---------------------------------------------------------------------------------

    def _split(self, first: str) -> Callable[[str], list[str]]:
        """How lines like the first one fall into fields."""
        name = self.path.lower().removesuffix(".gz")
        if name.endswith((".jsonl", ".ndjson", ".json")) or first.lstrip()[0] in "{[":
            return self._of_json
        signs = ",;\t" if name.endswith(".csv") else "\t,;"
        sign = next((s for s in signs if s in first), None)
        if sign is None:
            return self._of_words
        self.between = {"\t": "a tab", ",": "a comma", ";": "a semicolon"}[sign]

        def fields(line: str) -> list[str]:
            return self._quoted(line, sign) if '"' in line else line.split(sign)

        return fields

    between = "blanks"

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

    def _of_json(self, line: str) -> list[str]:
        wanted = 'an object {"parent": ..., "child": ...} or a list [parent, child] a line'
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            raise self.wrong(wanted, _short(line)) from None
        if isinstance(found, dict):
            if not {"parent", "child"} <= set(found):
                raise self.wrong(wanted, f"the keys {_short(', '.join(map(str, found)))}")
            row = [found["parent"], found["child"]]
            if self.order == "child-parent":  # keys say which is which
                row.reverse()
            row += [found["weight"]] if found.get("weight") is not None else []
        elif isinstance(found, list):
            row = found
        else:
            raise self.wrong(wanted, _short(line))
        for value in row:
            if isinstance(value, bool) or not isinstance(value, str | int | float):
                raise self.wrong("names that are text or numbers", _short(json.dumps(value)))
        return [str(value) for value in row]

    def _is_header(self, row: list[str]) -> bool:
        """Whether the first line names columns, which may say that the child comes first."""
        one, two = (x.strip().lower() for x in (*row, "", "")[:2])
        first, second = (frozenset(re.split(r"[\s_-]+", x)) for x in (one, two))
        if first & _UPPER and second & _LOWER:
            found: Order = "parent-child"
        elif first & _LOWER and second & _UPPER:
            found = "child-parent"
        else:
            return False
        if self.order is None:
            self.order = found
            self.notes.append(f"the header '{one}, {two}' was taken for the order {found}")
        elif self.order != found:
            self.notes.append(
                f"the header '{one}, {two}' says {found}; the order asked for, {self.order}, was "
                "taken"
            )
        return True

    def _add(self, row: list[str]) -> None:
        if len(row) not in (2, 3):
            one = "column" if len(row) == 1 else "columns"
            raise self.wrong(
                f"two names and perhaps a weight, with {self.between} between them",
                f"{len(row)} {one}: {_short(' | '.join(row))}",
            )
        for ends, name in ((self.first, row[0].strip()), (self.second, row[1].strip())):
            if not name:
                raise self.wrong("two names", f"an empty one: {_short(' | '.join(row))}")
            if "\n" in name or "\r" in name or "\0" in name:
                raise self.wrong("names of one line", _short(name))
            ends.append(self.place.setdefault(name, len(self.place)))
        weight = 1.0
        if len(row) == 3 and row[2].strip():
            try:
                weight = float(row[2])
            except ValueError:
                weight = math.nan
            if not 0 < weight < math.inf:
                raise self.wrong("a positive number for a weight", _short(row[2]))
        self.weight.append(weight)


def _short(text: str) -> str:
    text = printable(text)
    return repr(text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "...")


def _graph(
    names: list[str],
    parent: Ints,
    child: Ints,
    weight: NDArray[np.float64],
    notes: list[str],
) -> Graph:
    """A graph without the edges that are none."""
    loops = parent == child
    if loops.any():
        named = ", ".join(printable(names[k]) for k in np.unique(parent[loops])[:3])
        notes.append(f"{_count(int(loops.sum()), 'self-loop')} left out (the first: {named})")
        parent, child, weight = parent[~loops], child[~loops], weight[~loops]
    keys, back = np.unique(parent * len(names) + child, return_inverse=True)
    if len(keys) < len(parent):
        notes.append(f"{_count(len(parent) - len(keys), 'duplicate')} merged")
    summed = np.bincount(back.reshape(-1), weight, len(keys)).astype(np.float64)
    return Graph(tuple(names), keys // len(names), keys % len(names), summed, tuple(notes))


def _count(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def shape_in_words(graph: Graph) -> str:
    """Nodes, edges, roots and components, in a sentence."""
    nodes, edges = len(graph.names), len(graph.parent)
    roots = int((np.bincount(graph.child, minlength=nodes) == 0).sum())
    parts = len(np.unique(components(nodes, graph.parent, graph.child)))
    words = [_count(nodes, "node"), _count(edges, "edge"), _count(roots, "root")]
    return f"{', '.join(words)}, {_count(parts, 'component')}."


def components(nodes: int, parent: Ints, child: Ints) -> Ints:
    """For each node the least node that it hangs together with, (nodes,)."""
    label = np.arange(nodes)
    while True:
        low = np.minimum(label[parent], label[child])
        new = label.copy()
        # The roots of both ends' trees are hooked to the lower of the two, then paths are halved
        # until each node points to its root.
        np.minimum.at(new, label[parent], low)
        np.minimum.at(new, label[child], low)
        while not np.array_equal(new, new[new]):
            new = new[new]
        if np.array_equal(new, label):
            return label
        label = new


def name_of(path: str) -> str:
    """What a graph is called in a title."""
    return os.path.basename(path) or path
