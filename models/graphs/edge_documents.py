"""Edges of JSON documents that hold a whole graph."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def edges_of(document: dict[str, Any]) -> list[Any] | None:
    """The edges of a graph or tree; None of anything else.

    As networkx writes it (``node_link_data``: a list under ``links`` or ``edges``), as D3 reads it
    (a ``name``, and ``children`` that are such trees or names), or lists of children by their
    parent, ``{"animal": ["dog", "cat"]}``.
    """
    for key in ("links", "edges"):
        if isinstance(document.get(key), list):
            return list(document[key])
    if isinstance(document.get("children"), list):
        return list(_nested(document))
    if document and all(isinstance(below, list) for below in document.values()):
        return [[parent, child] for parent, below in document.items() for child in below]
    return None


def _nested(document: dict[str, Any]) -> Iterator[list[Any]]:
    waiting = [document]  # a tree may be deeper than Python calls itself
    while waiting:
        node = waiting.pop()
        for child in node.get("children") or []:
            if isinstance(child, dict):
                waiting.append(child)
            yield [_called(node), _called(child) if isinstance(child, dict) else child]


def _called(node: dict[str, Any]) -> Any:
    return next((node[key] for key in ("name", "id", "label") if key in node), None)
