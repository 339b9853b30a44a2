"""Edge lists: files of `parent child [weight]` or `head relation tail` a line, and the hierarchies
that are packaged."""

from __future__ import annotations

import math
import os
from array import array
from dataclasses import dataclass, field, replace
from unicodedata import is_normalized, normalize

import numpy as np
from numpy.typing import NDArray

from ...datasets import Taxonomy, load_mammals, load_wordnet_nouns
from ...datasets.disk import digest, printable
from ..words import counted
from .edge_rows import Order, Row, Rows

Ints = NDArray[np.int64]

PACKAGED = {"wordnet:mammals": load_mammals, "wordnet:nouns": load_wordnet_nouns}

_NAMED, _SHOWN = 10, 60  # relations, and letters of a name, in a message


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


def read_graph(source: str, order: Order | None = None, relation: str | None = None) -> Graph:
    """Read an edge list, or take a packaged hierarchy. Names are in Unicode's form NFC.

    Args:
        source: a path, or ``wordnet:mammals``, ``wordnet:nouns``, or the nouns below one of them,
            ``wordnet:bird.n.01``.
        order: which end of an edge is written first; what the header says if None, the parent
            where there is none.
        relation: of triples (head, relation, tail) those that are taken, several with commas
            between; the only one if None.

    Raises:
        OSError: there is no such file.
        ValueError: a line that is no edge, which the sentence names by file and number; triples of
            several relations, which it names.
    """
    if source.startswith("wordnet:"):
        if relation is not None:
            raise ValueError(f"relation is {relation!r}; expected none for {source}.")
        taxonomy = _packaged(source)
        weight = np.ones(len(taxonomy.edges), np.float64)
        return _graph(list(taxonomy.names), taxonomy.parent, taxonomy.child, weight, [])
    return _Reader(source, order, relation).read()


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

    def __init__(self, path: str, order: Order | None, relation: str | None) -> None:
        self.path, self.relation = path, relation
        self.rows = Rows(path, order)
        self.place: dict[str, int] = {}
        self.first, self.second, self.weight = array("q"), array("q"), array("d")
        self.relations: dict[str, int] = {}
        self.kind = array("q")  # of each edge its relation, if the list has any
        self.respelt: set[str] = set()

    def read(self) -> Graph:
        for row in self.rows:
            self._add(row)
        if not self.first:
            raise ValueError(f"{self.path}: expected edges, one a line, got none.")
        notes, names = self.rows.notes, list(self.place)
        if self.rows.roots:
            notes.append(f"{counted(self.rows.roots, 'row')} without a parent taken for roots")
        if self.rows.shortened:
            words = counted(self.rows.shortened, "parent")
            notes.append(f"{words} written as 1.0 beside nodes as 1 taken for the same numbers")
        if self.rows.remarks:
            words = counted(self.rows.remarks, "line that begins", "lines that begin")
            notes.append(f"{words} with # left out as comments")
        if self.respelt:
            words = counted(len(self.respelt), "name was", "names were")
            notes.append(f"{words} put into Unicode's composed form (NFC)")
        one, two = (np.frombuffer(a, np.int64) for a in (self.first, self.second))
        weight = np.frombuffer(self.weight, np.float64)
        if self.relations or self.relation is not None:
            chosen = np.flatnonzero(self._chosen())
            one, two, weight = one[chosen], two[chosen], weight[chosen]
            used, ends = np.unique(np.concatenate([one, two]), return_inverse=True)
            one, two = ends.reshape(2, -1)
            names = [names[k] for k in used]
        ends = np.bincount(one, minlength=len(names)) + np.bincount(two, minlength=len(names))
        a, b = (printable(names[k]) for k in (one[0], two[0]))
        if self.relations or self.rows.arrow:
            if self.rows.order == "child-parent":
                a, b = b, a
            notes.append(f"{self._taken()}, {a!r} above {b!r}; --order has the other way round")
        elif len(one) > 2 and ends[one[0]] == ends[two[0]] == 1:
            notes.append(
                f"the first line, '{a}, {b}', is an edge of its own: if it is a header, take it "
                "out or name the columns parent and child"
            )
        if self.rows.order == "child-parent":
            one, two = two, one
        if (one == two).all():
            raise ValueError(f"{self.path}: expected edges between different nodes, got none.")
        graph = _graph(names, one, two, weight, notes)
        return replace(graph, weighted=bool((weight != 1).any()))

    def _add(self, row: Row) -> None:
        for ends, text in ((self.first, row.one), (self.second, row.two)):
            name = text.strip()
            if not name:
                raise self.rows.wrong("two names", f"an empty one: '{row.one} | {row.two}'")
            if "\n" in name or "\r" in name or "\0" in name:
                raise self.rows.wrong("names of one line", repr(printable(name)[:_SHOWN]))
            if not is_normalized("NFC", name):
                self.respelt.add(name)
                name = normalize("NFC", name)
            ends.append(self.place.setdefault(name, len(self.place)))
        if (row.relation is None) == bool(self.kind) and len(self.weight):
            raise self.rows.wrong("a relation in all rows or in none", f"{row.relation!r}")
        if row.relation is not None:
            name = normalize("NFC", row.relation.strip())
            self.kind.append(self.relations.setdefault(name, len(self.relations)))
        weight = 1.0
        if row.weight is not None and row.weight.strip():
            try:
                weight = float(row.weight)
            except ValueError:
                weight = math.nan
            if not 0 < weight < math.inf:
                shown = repr(printable(row.weight)[:_SHOWN])
                raise self.rows.wrong("a positive number for a weight", shown)
        self.weight.append(weight)

    # -- relations ------------------------------------------------------------------------------

    def _chosen(self) -> NDArray[np.bool_]:
        """Whether each edge is of a relation that was asked for, or of the only one."""
        if not self.relations:
            raise ValueError(
                f"relation is {self.relation!r}; expected none for {self.path}, whose edges have "
                "no relations."
            )
        kind = np.frombuffer(self.kind, np.int64)
        wanted = self._wanted()
        count = np.bincount(kind)
        each = sorted(self.relations, key=lambda name: -count[self.relations[name]])
        shown = [f"{printable(n)[:_SHOWN]} ({count[self.relations[n]]:,})" for n in each[:_NAMED]]
        more = f" and {len(each) - _NAMED:,} more" if len(each) > _NAMED else ""
        listed = f"{', '.join(shown)}{more}"
        if wanted is None and len(each) > 1:
            raise ValueError(
                f"{self.path}: expected parent and child, or one relation between them, got "
                f"{len(each):,} relations: {listed}. Choose by `spaceforms embed --relation NAME`, "
                "several with commas between."
            )
        unknown = [name for name in wanted or () if name not in self.relations]
        if unknown:
            raise ValueError(
                f"relation is {self.relation!r} and {self.path} has no {unknown[0]!r}; expected "
                f"some of its relations: {listed}."
            )
        return np.isin(kind, [self.relations[name] for name in wanted or each])

    def _wanted(self) -> list[str] | None:
        if self.relation is None:
            return None
        asked = normalize("NFC", self.relation.strip())
        if asked in self.relations:  # a name may have a comma
            return [asked]
        return list(dict.fromkeys(part.strip() for part in asked.split(",")))

    def _taken(self) -> str:
        above = "above" if self.rows.order != "child-parent" else "below"
        if not self.relations:
            return f"what stands before the arrow was taken to be {above} what stands behind it"
        names = ", ".join(repr(printable(n)[:_SHOWN]) for n in (self._wanted() or self.relations))
        return f"of the relation {names} the first end was taken to be {above} the second"


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
        notes.append(f"{counted(int(loops.sum()), 'self-loop')} left out (the first: {named})")
        parent, child, weight = parent[~loops], child[~loops], weight[~loops]
    keys, back = np.unique(parent * len(names) + child, return_inverse=True)
    if len(keys) < len(parent):
        notes.append(f"{counted(len(parent) - len(keys), 'duplicate')} merged")
    summed = np.bincount(back.reshape(-1), weight, len(keys)).astype(np.float64)
    return Graph(tuple(names), keys // len(names), keys % len(names), summed, tuple(notes))


def shape_in_words(graph: Graph) -> str:
    """Nodes, edges, roots and components, in a sentence."""
    nodes, edges = len(graph.names), len(graph.parent)
    roots = int((np.bincount(graph.child, minlength=nodes) == 0).sum())
    parts = len(np.unique(components(nodes, graph.parent, graph.child)))
    words = [counted(nodes, "node"), counted(edges, "edge"), counted(roots, "root")]
    return f"{', '.join(words)}, {counted(parts, 'component')}."


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
