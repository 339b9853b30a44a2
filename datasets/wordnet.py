"""WordNet noun hierarchies: the whole (Nickel and Kiela 2017) and the mammals."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .disk import MOST_TABLE, read_arrays, read_file, to_text
from .emoji import FILES


@dataclass(frozen=True, eq=False)
class Taxonomy:
    """Named nodes and direct edges (child, parent), (E, 2) int64; a node may have many parents.

    The ends have names, so that none is taken for the other:
    ``losses.Hierarchy(parent=taxonomy.parent, child=taxonomy.child)``.
    """

    names: tuple[str, ...]
    edges: NDArray[np.int64]

    @property
    def child(self) -> NDArray[np.int64]:
        """The lower end of each edge, (E,)."""
        return self.edges[:, 0]

    @property
    def parent(self) -> NDArray[np.int64]:
        """The upper end of each edge, (E,)."""
        return self.edges[:, 1]

    def below(self, name: str) -> Taxonomy:
        """The part of it that a node and all below it make up.

        Raises:
            ValueError: no node has this name.
        """
        if name not in self.names:
            raise ValueError(f"Taxonomy.below: name is {name!r}; expected that of a node.")
        children: dict[int, list[int]] = {}
        for child, parent in self.edges.tolist():
            children.setdefault(parent, []).append(child)
        found, waiting = set[int](), [self.names.index(name)]
        while waiting:
            node = waiting.pop()
            if node not in found:
                found.add(node)
                waiting += children.get(node, [])
        kept = sorted(found)
        place = np.full(len(self.names), -1)
        place[kept] = np.arange(len(kept))
        edges = place[self.edges]
        return Taxonomy(tuple(self.names[k] for k in kept), edges[(edges >= 0).all(axis=1)])

    def closure(self) -> NDArray[np.int64]:
        """All pairs (node, ancestor), sorted, shape (pairs, 2); ValueError if there is a cycle."""
        parents: list[list[int]] = [[] for _ in self.names]
        for child, parent in self.edges.tolist():
            parents[child].append(parent)
        above: list[set[int] | None] = [None] * len(self.names)
        for start in range(len(self.names)):
            stack, open_nodes = [start], set[int]()
            while stack:  # depth first without recursion: paths may be longer than Python allows
                node = stack[-1]
                waiting = [p for p in parents[node] if above[p] is None]
                if above[node] is not None or not waiting:
                    above[node] = set(parents[node]).union(*(above[p] or () for p in parents[node]))
                    open_nodes.discard(stack.pop())
                elif node in open_nodes:
                    raise ValueError(f"Taxonomy: {self.names[node]!r} lies above itself")
                else:
                    open_nodes.add(node)
                    stack.extend(waiting)
        pairs = [(node, up) for node, ups in enumerate(above) for up in sorted(ups or ())]
        return np.asarray(pairs, np.int64).reshape(-1, 2)


def load_wordnet_nouns(path: str | PathLike[str] | None = None) -> Taxonomy:
    """WordNet 3.0 nouns: 82,115 synsets, 84,427 direct edges, 743,241 in the closure.

    Hypernym and instance-hypernym edges together, as in Nickel and Kiela (NeurIPS 2017), whose
    count of the closure this is.
    """
    source = FILES / "nouns_3.0_direct.npz" if path is None else Path(path)
    arrays = read_arrays(source, ("names", "edges"))
    try:
        names = tuple(bytes(arrays["names"]).decode("utf-8").split("\n"))
    except UnicodeDecodeError as error:
        raise ValueError(f"{source}: expected names in UTF-8, but {error}") from error
    edges = arrays["edges"]
    if edges.ndim != 2 or edges.shape[1] != 2 or not np.issubdtype(edges.dtype, np.integer):
        raise ValueError(
            f"{source}: expected edges (E, 2) of integers, got {edges.shape} {edges.dtype}"
        )
    if edges.size and not 0 <= int(edges.min()) <= int(edges.max()) < len(names):
        raise ValueError(
            f"{source}: edges must lie in 0..{len(names) - 1}, got {edges.min()}..{edges.max()}"
        )
    return Taxonomy(names, edges.astype(np.int64))


# Below mammal.n.01 alone, and with nothing below them: Nickel and Kiela have all but these.
_UNPUBLISHED = frozenset({"tusker.n.01", "female_mammal.n.01"})


def load_mammals(path: str | PathLike[str] | None = None, *, published: bool = False) -> Taxonomy:
    """The nouns below mammal.n.01: 1,182 synsets, 6,542 pairs in the closure.

    Args:
        path: a file of the same kind in place of the packaged one.
        published: those of the tables of Nickel and Kiela (NeurIPS 2017), 1,180 and 6,540: without
            tusker.n.01 and female_mammal.n.01.
    """
    source = FILES / "mammals_3.0_direct.tsv" if path is None else Path(path)
    text, _ = to_text(read_file(source, MOST_TABLE))
    rows = [line.rstrip("\r").split("\t") for line in text.split("\n") if line.strip()]
    for number, row in enumerate(rows, 1):
        if len(row) != 2:
            raise ValueError(f"{source}: line {number}: expected child<tab>parent, got {row}")
    if published:
        rows = [row for row in rows if row[0] not in _UNPUBLISHED]
    names = tuple(sorted({name for row in rows for name in row}))
    place = {name: k for k, name in enumerate(names)}
    return Taxonomy(names, np.asarray([[place[name] for name in row] for row in rows], np.int64))
