"""An embedding as pictures: the points, the tree that they were made of, ranks of ancestors."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor

from ...datasets.disk import printable, replacing
from ...manifolds import Euclidean, Manifold, PoincareBall, Product, recentre
from ...plotting import (
    caption,
    disk,
    draw_tree,
    geodesics,
    names,
    project_disk,
    rank_histogram,
    save,
)
from .embedding import Embedding
from .relation import Relation, descendants
from .spanning import branches, spanning_tree

DISK, PLANE, TREE, RANKS = "disk", "plane", "tree", "ranks"
PICTURES = (DISK, PLANE, TREE, RANKS)
"""Their files, less the format."""
_EDGES = 4_000  # drawn, those of the most general nodes first
_NODES = 20_000  # of a tree that is drawn
_FEW, _NAMED, _NAMED_OF_MANY = 300, 80, 40  # nodes, and names
_OFFERED, _LETTERS = 400, 32  # names that are tried, and their letters
# Distance from the middle of the farthest point drawn, in curvature radii, of a hundred nodes and
# of two thousand: a few points are seen better where there is room between them and the rim.
_NEAR, _FAR = 3.2, 5.0
_NONE = "other"
_BALL = PoincareBall(-1.0)


class Layout(NamedTuple):
    """Where the nodes are drawn."""

    places: Tensor
    """(N, m), points of the plane."""
    plane: Manifold
    """Of dimension two."""
    said: str
    """What was done."""


def draw(
    embedding: Embedding,
    relation: Relation,
    folder: Path,
    *,
    title: str,
    formats: Sequence[str] = ("png",),
    ranks: Mapping[str, Tensor] | None = None,
) -> list[Path]:
    """Draw an embedding into a folder: its points, its tree, its ranks; the files' paths.

    Args:
        embedding: what to draw.
        relation: who lies above whom.
        folder: where to write.
        title: short, over each picture.
        formats: "png", "svg", "pdf".
        ranks: of ancestors, by what they are ranked by; no picture of them if None.
    """
    space = embedding.manifold
    hyperbolic = not isinstance(space, Product) and space.sign < 0
    general = np.argsort(-descendants(relation), kind="stable")
    branch = _branches(embedding)
    with warnings.catch_warnings():  # a name in letters that the font lacks is drawn as boxes
        warnings.filterwarnings("ignore", "Glyph .* missing from")
        layout = _on_plane(embedding, general, hyperbolic=hyperbolic)
        points = _points(embedding, layout, general, branch, title)
        figures = {DISK if hyperbolic else PLANE: points}
        if len(embedding) <= _NODES and _has_order(embedding):
            figures[TREE] = _tree(embedding, branch, title)
        if ranks:
            figures[RANKS] = _ranked(ranks, title)
        return [
            _written(figure, folder / f"{name}.{kind}", kind)
            for name, figure in figures.items()
            for kind in formats
        ]


def _written(figure: Figure, path: Path, kind: str) -> Path:
    with replacing(path) as part:
        save(figure, part, format=kind)
    return path


@torch.no_grad()
def _centred(embedding: Embedding, general: NDArray[np.int64]) -> Tensor:
    """Points moved by the isometry that takes the most general node to the origin."""
    points = embedding.points.double()
    space = embedding.manifold
    _, move = recentre(space, points[[int(general[0])]])
    return space.proj(move(points))


@torch.no_grad()
def _on_plane(embedding: Embedding, general: NDArray[np.int64], *, hyperbolic: bool) -> Layout:
    points, space = _centred(embedding, general), embedding.manifold
    if isinstance(space, Product) or space.sign == 0:
        return _flat(space.to_normal(points))
    found = project_disk(points, manifold=space)
    said = f"Points around the most general node: {found.name}; {found.losses}."
    if not hyperbolic:
        return Layout(found.points, found.manifold, said)
    v = _BALL.to_normal(found.points)
    farthest = float(v.norm(dim=-1).max())
    size = np.clip(np.log(len(v) / 100) / np.log(20), 0, 1)
    reach = _NEAR + (_FAR - _NEAR) * float(size)
    if farthest <= reach:
        return Layout(found.points, _BALL, said)
    # At ten units all points would lie on the boundary.
    share = reach / farthest
    said += f" Distances from the middle are drawn at {share:.0%} of their length."
    return Layout(_BALL.from_normal(v * share), _BALL, said)


def _flat(v: Tensor) -> Layout:
    """Normal coordinates on their first two principal components."""
    if v.shape[1] <= 2:
        flat = torch.nn.functional.pad(v, (0, 2 - v.shape[1]))
        return Layout(flat, Euclidean(), "Normal coordinates at the most general node.")
    _, sizes, axes = torch.linalg.svd(v - v.mean(0), full_matrices=False)
    share = float(sizes[:2].square().sum() / sizes.square().sum().clamp(min=1e-300))
    said = (
        "Normal coordinates at the most general node, their first two principal components "
        f"({share:.0%} of the variance)."
    )
    return Layout(v @ axes[:2].T, Euclidean(), said)


def _points(
    embedding: Embedding,
    layout: Layout,
    general: NDArray[np.int64],
    branch: list[str],
    title: str,
) -> Figure:
    figure, ax = _canvas(title)
    disk(
        layout.places,
        manifold=layout.plane,
        labels=branch,
        order=_by_size(branch),
        ax=ax,
        size=float(np.clip(3000 / len(branch), 4, 22)),
        chart="poincare" if layout.plane.sign < 0 else "normal",
    )
    rank = _ranks(general)
    parent, child = embedding.parent, embedding.child
    order = np.argsort(rank[parent] + rank[child], kind="stable")[:_EDGES]
    geodesics(
        layout.places[parent[order]], layout.places[child[order]], manifold=layout.plane, ax=ax,
        color="#555555", linewidth=float(np.clip(150 / len(order), 0.25, 0.7)), alpha=0.5,
    )  # fmt: skip
    _legend(ax)
    caption(ax, layout.said)
    first = general[:_OFFERED]
    names(
        layout.places[first], [_short(embedding.names[k]) for k in first], ax=ax,
        manifold=layout.plane, most=_most(embedding), fontsize=6.5,
    )  # fmt: skip
    return figure


def _tree(embedding: Embedding, branch: list[str], title: str) -> Figure:
    figure, ax = _canvas(title)
    said = (
        "The edges as they are listed, in hyperbolic space, all of one length; nothing is learned."
    )
    if len(set(embedding.child.tolist())) < len(embedding.child):
        said += " Of several parents the first is drawn, the edges from others are faint."
    caption(ax, said)  # before the names, which need to know what room is left
    draw_tree(
        zip(embedding.parent.tolist(), embedding.child.tolist(), strict=True),
        names=[_short(name) for name in embedding.names],
        labels=branch,
        order=_by_size(branch),
        ax=ax,
        most=_most(embedding),
        fontsize=6.5,
    )
    _legend(ax)
    return figure


def _most(embedding: Embedding) -> int:
    """Names that are written: of many nodes fewer, for their points to be seen."""
    return _NAMED if len(embedding) <= _FEW else _NAMED_OF_MANY


def _by_size(branch: list[str]) -> list[str]:
    """Branches, the largest first and what is in none last."""
    return sorted(dict.fromkeys(branch), key=lambda b: (b == _NONE, -branch.count(b)))


def _ranked(ranks: Mapping[str, Tensor], title: str) -> Figure:
    figure = Figure(figsize=(5.0, 2.9), layout="constrained")
    ax = figure.add_subplot()
    rank_histogram(ranks, ax=ax)
    ax.set_title(title, fontsize=10)
    ax.set_xlabel("rank of an ancestor among the nodes that are none")
    return figure


def _canvas(title: str) -> tuple[Figure, Any]:
    figure = Figure(figsize=(7.4, 6.2), layout="constrained")
    ax = figure.add_subplot()
    ax.set_title(_short(title), fontsize=11)
    return figure, ax


def _legend(ax: Any) -> None:
    shown = ax.get_legend()
    for text in shown.get_texts():
        text.set_fontsize(8)


def _has_order(embedding: Embedding) -> bool:
    """Whether no edges lead back to where they began."""
    above: dict[int, list[int]] = {}
    for a, b in zip(embedding.parent.tolist(), embedding.child.tolist(), strict=True):
        above.setdefault(b, []).append(a)
    try:
        TopologicalSorter(above).prepare()
    except CycleError:
        return False
    return True


def _ranks(general: NDArray[np.int64]) -> NDArray[np.int64]:
    """Of each node, how many are more general."""
    rank = np.empty(len(general), np.int64)
    rank[general] = np.arange(len(general))
    return rank


def _short(name: str) -> str:
    """A name as it can be drawn: matplotlib reads what is between two dollars as a formula."""
    name = printable(name).replace("$", r"\$")
    return name if len(name) <= _LETTERS else name[: _LETTERS - 1] + "…"


def _branches(embedding: Embedding) -> list[str]:
    """For each node the branch that it is in, as the page to explore colours them."""
    parent, child = embedding.parent.numpy(), embedding.child.numpy()
    heads, of = branches(spanning_tree(len(embedding), parent, child))
    called = [*(_short(embedding.names[head]) for head in heads), _NONE]
    return [called[k] for k in of.tolist()]
