"""Edges of JSON documents that hold a whole graph."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from ...datasets.disk import printable
from ..words import counted
from .edge_columns import columns_of

_SHOWN = 60  # letters of a name in a message


def edges_of(document: dict[str, Any]) -> tuple[list[Any], list[str]] | None:
    """The edges of a graph or tree, and notes on what was taken for what; None of anything else.

    As networkx writes it (``node_link_data``: a list under ``links`` or ``edges``), as D3 reads it
    (a ``name`` or an ``id``, and ``children`` that are such trees or names; or ``links`` between
    places in a list of ``nodes``), columns as pandas writes them, ``{"parent": ["animal",
    "animal"], "child": ["dog", "cat"]}``, or lists of children by their parent, ``{"animal":
    ["dog", "cat"]}``.
    """
    for key in ("links", "edges"):
        if isinstance(document.get(key), list):
            return _linked(document[key], document.get("nodes"))
    if isinstance(document.get("children"), list):
        return _nested(document)
    if not document or not all(isinstance(below, list) for below in document.values()):
        return None
    if len(set(map(len, document.values()))) == 1 and columns_of(tuple(document)):
        rows = zip(*document.values(), strict=True)
        return [dict(zip(document, row, strict=True)) for row in rows], []
    return [[parent, child] for parent, below in document.items() for child in below], []


def _linked(edges: list[Any], nodes: Any) -> tuple[list[Any], list[str]]:
    """Edges between names; those between places in a list of nodes, as D3 had them up to its third
    version, with the nodes' names for these."""
    if not isinstance(nodes, list) or not all(isinstance(edge, dict) for edge in edges):
        return edges, []
    ends = [edge.get(key) for edge in edges for key in ("source", "target")]
    ids = {str(node["id"]) for node in nodes if isinstance(node, dict) and "id" in node}
    called = [_called(node, "id") if isinstance(node, dict) else node for node in nodes]
    places = all(type(end) is int and 0 <= end < len(nodes) for end in ends)
    # Of numbers that are ids too, as networkx has them, ids are meant.
    if not places or ids.issuperset(map(str, ends)) or None in called:
        return edges, []
    notes = ["source and target were taken for places in the list of nodes", *_repeated(called)]
    return [
        edge | {key: called[edge[key]] for key in ("source", "target")} for edge in edges
    ], notes


def _nested(document: dict[str, Any]) -> tuple[list[Any], list[str]]:
    """The edges of a tree. Nodes are called by their ids where all have one: names come twice,
    "other" below each of ten."""
    nodes = list(_below(document))
    parents = [node for node in nodes if isinstance(node, dict)]
    key = "id" if len(parents) == len(nodes) and all("id" in node for node in nodes) else "name"

    def called(node: Any) -> Any:
        return _called(node, key) if isinstance(node, dict) else node

    edges = [[called(node), called(child)] for node in parents for child in _children(node)]
    return edges, _repeated(map(called, nodes))


def _below(document: dict[str, Any]) -> Iterator[Any]:
    """All nodes of a tree, itself among them."""
    waiting: list[Any] = [document]  # a tree may be deeper than Python calls itself
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node, dict):
            waiting.extend(reversed(_children(node)))


def _children(node: dict[str, Any]) -> list[Any]:
    found = node.get("children")
    return found if isinstance(found, list) else []


def _called(node: dict[str, Any], first: str) -> Any:
    return next((node[key] for key in (first, "name", "id", "label") if key in node), None)


def _repeated(called: Iterable[Any]) -> list[str]:
    """A note on names that several nodes have, if there are any."""
    count = Counter(str(name).strip() for name in called)
    twice = [name for name, n in count.items() if n > 1]
    if not twice:
        return []
    words = counted(len(twice), "name")
    shown = printable(twice[0])[:_SHOWN]
    return [
        f"{words} of several nodes of the document taken for one node each (the first: {shown})"
    ]
