"""What the columns of an edge list are called, in headers and in keys of JSON."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

# What columns of a header and keys of JSON are called.
UPPER = frozenset(
    ["parent", "hypernym", "ancestor", "id2", "boss", "manager", "category", "class", "superclass"]
)
_LOWER = frozenset(
    ["child", "hyponym", "descendant", "id1", "employee", "report", "subcategory", "subclass"]
)
# These say which comes first, and not which is above: an order that is asked for counts.
_FIRST = frozenset(["source", "from", "head", "subject"])
_SECOND = frozenset(["target", "to", "tail", "object"])
# Of a table of nodes, each with the node above it.
NODE = frozenset(["id", "name", "node", "key", "code", "item", "term", "title", "label"])
_RELATION = frozenset(["relation", "relationship", "rel", "predicate", "edge"])
_WEIGHT = frozenset(["weight"])


class Columns(NamedTuple):
    """Which cells of a header, or which keys, name what."""

    upper: int
    lower: int
    relation: int | None
    weight: int | None
    definite: bool
    """Whether the words say which end is above."""

    @property
    def known(self) -> set[int]:
        """The cells that have a meaning."""
        return {k for k in self[:4] if k is not None}


def columns_of(cells: Sequence[str]) -> Columns | None:
    """What the cells of a header or the keys of an object name; None if not two ends of edges."""
    words = [frozenset(re.split(r"[\s_-]+", cell.strip().lower())) for cell in cells]

    def place(known: frozenset[str]) -> int | None:
        # "subclass_of" is the name of a relation, not of a column; one word alone comes first.
        found = [k for k, some in enumerate(words) if some & known and "of" not in some]
        return min(found, key=lambda k: (len(words[k]), k), default=None)

    for upper, lower in ((UPPER, _LOWER), (_FIRST, _SECOND), (UPPER | _FIRST, _LOWER | _SECOND)):
        one, two = place(upper), place(lower)
        if one is not None and two is not None and one != two:
            return Columns(one, two, place(_RELATION), place(_WEIGHT), upper is not _FIRST)
    one = place(UPPER)
    if one is None:
        return None
    # A node is called by the word that "parent_id" or "parent name" has too, else by the only one.
    shared = words[one] & NODE
    nodes = [k for k, some in enumerate(words) if k != one and some <= (shared or NODE) and some]
    return Columns(one, nodes[0], None, place(_WEIGHT), True) if len(nodes) == 1 else None
