"""A tree on the disk: in a place of its own, or where its nodes were learned to be."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Any, NamedTuple

import numpy as np
import torch
from matplotlib.axes import Axes
from numpy.typing import NDArray
from torch import Tensor

from ..manifolds import Manifold, PoincareBall
from ..manifolds.checks import ArrayLike, to_tensor
from ._axes import FAINT
from ._charts import on_chart, shows
from .curves import geodesics
from .disk import Disk, disk
from .layout import tree_layout
from .names import names as write, room_for

Ints = NDArray[np.int64]
_LINE = "#8A8A8A"
_THICK, _THIN = 1.2, 0.35  # points, of the first edges and of the last
_FAR = 1.25  # of the rim's radius, beyond which the picture does not go for a name's sake
_BALL = PoincareBall(-1.0)


class Tree(NamedTuple):
    """What :func:`draw_tree` drew."""

    ax: Axes
    nodes: tuple[Any, ...]
    """The nodes, in the order of ``places``."""
    places: Tensor
    """(N, m) points: on the unit Poincaré ball by the layout, else the learned ones."""
    disk: Disk
    edges: Any
    """Lines of the tree, by node that has a parent."""
    others: Any
    """Faint lines of the edges that are not in the tree; None if there is none."""
    names: list[Any]
    named: tuple[Any, ...]
    """The nodes whose names are written."""


def draw_tree(
    edges: Iterable[tuple[Hashable, Hashable]],
    *,
    names: Mapping[Any, str] | Sequence[str] | bool = True,
    points: ArrayLike | None = None,
    manifold: Manifold | None = None,
    labels: Sequence[object] | Mapping[Any, object] | None = None,
    color: Any = None,
    ax: Axes | None = None,
    chart: str = "poincare",
    size: float | None = None,
    sizes: Any = None,
    edge: float | None = None,
    reach: float | None = None,
    weights: Any = None,
    most: int = 80,
    fontsize: float = 7.0,
    title: str | None = None,
    order: Sequence[object] | None = None,
) -> Tree:
    """Draw a tree on the hyperbolic plane, its edges as geodesics that do not cross.

    By :func:`tree_layout` where no points are given: every edge has the same length, the root is in
    the middle, and a subtree has a share of the rim as of the leaves. A node of several parents
    hangs on the first of them that is listed; its other edges are faint. Several roots are drawn
    about an empty middle.

    Args:
        edges: pairs (parent, child) of nodes: of whatever can be a key, or of row numbers of
            ``points``.
        names: of the nodes, by node, or by number; True: the nodes themselves as texts; False:
            none.
        points: (N, m), of dimension 2, where nodes 0 ... N - 1 were learned to be; they are drawn
            there instead.
        manifold: the points' space.
        labels, color, sizes, title, order: as in :func:`disk`, of the nodes in the order in which
            the edges name them (or of the points); ``labels`` by node too. The level in the tree if
            neither is given.
        ax: where to draw; a new figure if None.
        chart: as in :func:`disk`.
        size: area of a marker in square points; by the number of nodes if None.
        edge, reach, weights: of :func:`tree_layout`; weights in the order of the nodes.
        most: the largest number of names; nodes with more leaves below them come first.
        fontsize: of the names, in points.

    Raises:
        ValueError: no edges, a cycle, names or points that are not one a node.
    """
    where = "plotting.draw_tree"
    if hasattr(edges, "tolist"):  # of an array or a tensor two equal numbers may be two nodes
        edges = edges.tolist()
    pairs = [tuple(pair) for pair in edges]
    if any(len(pair) != 2 for pair in pairs) or not pairs:
        raise ValueError(
            f"{where}: edges has {len(pairs)} rows"
            + (" and not all are pairs" if pairs else "")
            + "; expected pairs (parent, child), at least one."
        )
    points = to_tensor(where, "points", points)
    nodes = _nodes(pairs, points, names, where)
    number = {node: k for k, node in enumerate(nodes)}
    ends = np.array([[number[a], number[b]] for a, b in pairs], dtype=np.int64)
    parent, others, leaves, level = _spanning(nodes, ends, where)
    if points is None:
        manifold = _BALL
        found = tree_layout(torch.from_numpy(parent), edge=edge, reach=reach, weights=weights)
        places = found.points
    elif manifold is None:
        raise ValueError(f"{where}: points are given without a manifold; expected their space.")
    else:
        places = points
    if isinstance(labels, Mapping):
        labels = [labels[node] for node in nodes]
    plain = labels is None and color is None
    size = size if size is not None else float(np.clip(1600 / len(nodes), 3, 22))
    picture = disk(
        places,
        manifold=manifold,
        labels=labels,
        color=torch.from_numpy(level) if plain else color,
        ax=ax,
        size=size,
        sizes=sizes,
        chart=chart,
        title=title,
        order=order,
    )
    ax = picture.ax
    if plain and (legend := ax.get_legend()) is not None:
        legend.remove()  # a level is where it is
    below = np.flatnonzero(parent >= 0)
    width = _THIN + (_THICK - _THIN) * 0.6 ** (level[below] - 1.0)
    width *= min(1.0, (400 / len(nodes)) ** 0.3)
    lines = geodesics(
        places[parent[below]], places[below], manifold=manifold, ax=ax, color=_LINE,
        linewidth=width, zorder=2,
    )  # fmt: skip
    faint = None
    if len(others):
        faint = geodesics(
            places[others[:, 0]], places[others[:, 1]], manifold=manifold, ax=ax, color=FAINT,
            linewidth=0.5, zorder=1.5,
        )  # fmt: skip
    written: list[Any] = []
    kept = np.empty(0, np.int64)
    if names is not False:
        texts = _texts(nodes, names)
        xy = on_chart(places, manifold, shows(ax), where)  # type: ignore[arg-type]
        rank = np.lexsort((np.arange(len(nodes)), level, -leaves))
        if chart != "half-plane" and len(nodes) <= most:  # otherwise not all have room anyway
            far = room_for(ax, xy, texts, fontsize)
            half = float(np.clip(far, ax.get_xlim()[1], _FAR * ax.get_xlim()[1]))
            ax.set(xlim=(-half, half), ylim=(-half, half))
        written, place = write(
            xy[rank], [texts[k] for k in rank], ax=ax, most=most, fontsize=fontsize
        )
        kept = rank[place]
    return Tree(
        ax, nodes, places, picture, lines, faint, written, tuple(nodes[k] for k in kept.tolist())
    )


def _nodes(
    pairs: list[tuple[Any, ...]], points: Tensor | None, names: Any, where: str
) -> tuple[Any, ...]:
    """Row numbers where rows have points or names, else nodes as the edges name them."""
    listed = tuple(dict.fromkeys(node for pair in pairs for node in pair))
    rows = None if points is None else len(points)
    if isinstance(names, Sequence) and not isinstance(names, str):
        if rows is not None and len(names) != rows:
            raise ValueError(
                f"{where}: there are {len(names)} names for {rows} points; expected as many."
            )
        rows = len(names)
    if rows is None:
        return listed
    for node in listed:
        if isinstance(node, bool) or not isinstance(node, int) or not 0 <= node < rows:
            raise ValueError(
                f"{where}: an edge names the node {node!r}; expected row numbers from 0 to "
                f"{rows - 1}, as points or names are given by row."
            )
    return tuple(range(rows))


def _texts(nodes: tuple[Any, ...], names: Any) -> list[str]:
    if names is True:
        return [str(node) for node in nodes]
    if isinstance(names, Mapping):
        return [str(names.get(node, "")) for node in nodes]
    return [str(name) for name in names]


def _spanning(nodes: tuple[Any, ...], ends: Ints, where: str) -> tuple[Ints, Ints, Ints, Ints]:
    """First parents, the edges that are left, the number of leaves below, and levels."""
    count = len(nodes)
    parent = np.full(count, -1, np.int64)
    others = []
    _no_cycle(nodes, ends, where)
    for k, (a, b) in enumerate(ends.tolist()):
        if parent[b] < 0:
            parent[b] = a
        elif parent[b] != a:
            others.append(k)
    order: list[int] = []
    level = np.zeros(count, np.int64)
    below: list[list[int]] = [[] for _ in nodes]
    for k in range(count):
        if parent[k] >= 0:
            below[parent[k]].append(k)
    order += np.flatnonzero(parent < 0).tolist()
    for node in order:
        for child in below[node]:
            level[child] = level[node] + 1
            order.append(child)
    leaves = np.array([not b for b in below], dtype=np.int64)
    for node in reversed(order):
        if parent[node] >= 0:
            leaves[parent[node]] += leaves[node]
    return parent, ends[others], leaves, level


def _no_cycle(nodes: tuple[Any, ...], ends: Ints, where: str) -> None:
    """Refuse edges that lead back to where they began."""
    above: dict[int, list[int]] = {}
    for a, b in ends.tolist():
        above.setdefault(b, []).append(a)
    try:
        TopologicalSorter(above).prepare()
    except CycleError as error:
        cycle = [str(nodes[k]) for k in error.args[1]]
        raise ValueError(
            f"{where}: {' -> '.join(cycle[:8])}{' ...' if len(cycle) > 8 else ''} is a cycle, each "
            "a parent of the next; expected a tree, or edges that never lead back."
        ) from None
