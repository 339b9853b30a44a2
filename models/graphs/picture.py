"""An embedding as a picture: the root in the middle, edges as geodesics, names of the general."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor

from ...datasets.disk import printable, replacing
from ...manifolds import Manifold, PoincareBall, Product, recentre
from ...plotting import disk, names, project_disk
from .embedding import Embedding
from .relation import Relation, descendants

DISK, PLANE = "disk.png", "plane.png"
_EDGES = 4_000  # drawn, those of the most general nodes first
_NAMED = 28
_BRANCHES = 7  # with a colour of their own
_STEPS = 33  # points on a geodesic
_OFFERED, _LETTERS = 400, 32  # names that are tried, and their letters
_SPLITS = 50
_REACH = 5.0  # distance from the middle of the farthest point drawn, in curvature radii
_NONE = "other"
_BALL = PoincareBall(-1.0)


class Layout(NamedTuple):
    """Where the nodes are drawn."""

    places: Tensor
    """(N, 2): on the Poincaré disk, or on the plane."""
    title: str


def draw(embedding: Embedding, relation: Relation, folder: Path, *, title: str) -> Path:
    """Draw an embedding into a folder; the picture's path."""
    space = embedding.manifold
    hyperbolic = not isinstance(space, Product) and space.sign < 0
    path = folder / (DISK if hyperbolic else PLANE)
    general = np.argsort(-descendants(relation), kind="stable")
    layout = _on_disk(embedding, general) if hyperbolic else _on_plane(embedding, general)
    with warnings.catch_warnings():  # a name in letters that the font lacks is drawn as boxes
        warnings.filterwarnings("ignore", "Glyph .* missing from")
        figure = _figure(embedding, layout, general, title, hyperbolic=hyperbolic)
        with replacing(path) as part:
            figure.savefig(part, dpi=150, format="png")
    return path


@torch.no_grad()
def _centred(embedding: Embedding, general: NDArray[np.int64]) -> Tensor:
    """Points moved by the isometry that takes the most general node to the origin."""
    points = embedding.points.double()
    space = embedding.manifold
    _, move = recentre(space, points[[int(general[0])]])
    return space.proj(move(points))


@torch.no_grad()
def _on_disk(embedding: Embedding, general: NDArray[np.int64]) -> Layout:
    found = project_disk(_centred(embedding, general), manifold=embedding.manifold)
    v = _BALL.to_normal(found.points)
    farthest = float(v.norm(dim=-1).max())
    if farthest <= _REACH:
        return Layout(found.points, found.title)
    # At ten units all points would lie on the boundary.
    share = _REACH / farthest
    title = f"{found.title}\ndistances from the middle drawn at {share:.0%} of their length"
    return Layout(_BALL.from_normal(v * share), title)


@torch.no_grad()
def _on_plane(embedding: Embedding, general: NDArray[np.int64]) -> Layout:
    """Normal coordinates at the most general node, on their first two principal components."""
    space: Manifold = embedding.manifold
    v = space.to_normal(_centred(embedding, general))
    if v.shape[1] == 1:
        return Layout(torch.cat([v, torch.zeros_like(v)], dim=1), "normal coordinates")
    if v.shape[1] == 2:
        return Layout(v, "normal coordinates at the most general node")
    _, sizes, axes = torch.linalg.svd(v - v.mean(0), full_matrices=False)
    share = float(sizes[:2].square().sum() / sizes.square().sum().clamp(min=1e-300))
    name = f"normal coordinates, first two principal components ({share:.0%} of the variance)"
    return Layout(v @ axes[:2].T, name)


def _figure(
    embedding: Embedding,
    layout: Layout,
    general: NDArray[np.int64],
    title: str,
    *,
    hyperbolic: bool,
) -> Any:
    figure = Figure(figsize=(9.0, 7.2), layout="constrained")
    ax = figure.add_subplot()
    xy = layout.places.numpy()
    branches = _branches(embedding, general)
    # Colours go by order: that of the largest branch is first, that of what is in none last.
    nodes = general[np.argsort([branches[k] == _NONE for k in general], kind="stable")]
    labels = [branches[k] for k in nodes]
    size = float(np.clip(4000 / len(xy), 4, 24))
    if hyperbolic:
        disk(layout.places[nodes], manifold=_BALL, labels=labels, ax=ax, size=size)
    else:
        _plane(ax, xy[nodes], labels, size)
    legend = ax.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, fontsize=8)
    for handle in legend.findobj(PathCollection):
        handle.set_sizes([24])
    ax.set_title(f"{title}\n{layout.title}", fontsize=9)
    ax.add_collection(_edges(embedding, layout, general, hyperbolic=hyperbolic), autolim=False)
    first = general[:_OFFERED]
    names(xy[first], [_short(embedding.names[k]) for k in first], ax=ax, most=_NAMED, fontsize=7)
    return figure


def _plane(ax: Any, xy: NDArray[np.float64], labels: list[str], size: float) -> None:
    """Points of flat coordinates, one collection a label."""
    span = float(np.abs(xy).max()) * 1.05 or 1.0
    ax.set(xlim=(-span, span), ylim=(-span, span), aspect="equal")
    ax.set_axis_off()
    for label in dict.fromkeys(labels):
        here = np.array([other == label for other in labels])
        ax.scatter(*xy[here].T, s=size, linewidths=0, alpha=0.85, zorder=3, label=label)


@torch.no_grad()
def _edges(
    embedding: Embedding, layout: Layout, general: NDArray[np.int64], *, hyperbolic: bool
) -> LineCollection:
    """Geodesics of the picture for the edges, of a large graph for the most general ones."""
    rank = _ranks(general)
    parent, child = embedding.parent, embedding.child
    order = np.argsort(rank[parent] + rank[child], kind="stable")[:_EDGES]
    upper, lower = (layout.places[end[order]] for end in (parent, child))
    if hyperbolic:
        t = torch.linspace(0, 1, _STEPS, dtype=torch.float64)
        curves = _BALL.geodesic(upper[:, None], lower[:, None], t).numpy()
    else:
        curves = torch.stack([upper, lower], dim=1).numpy()
    width = float(np.clip(150 / len(order), 0.25, 0.8))
    return LineCollection(list(curves), colors="#555555", linewidths=width, alpha=0.5, zorder=2)


def _ranks(general: NDArray[np.int64]) -> NDArray[np.int64]:
    """Of each node, how many are more general."""
    rank = np.empty(len(general), np.int64)
    rank[general] = np.arange(len(general))
    return rank


def _short(name: str) -> str:
    """A name as it can be drawn: matplotlib reads what is between two dollars as a formula."""
    name = printable(name).replace("$", r"\$")
    return name if len(name) <= _LETTERS else name[: _LETTERS - 1] + "…"


def _branches(embedding: Embedding, general: NDArray[np.int64]) -> list[str]:
    """For each node the branch that it is in: below the most general node, or a piece of such."""
    parent, child = embedding.parent.numpy(), embedding.child.numpy()
    rank = _ranks(general)
    heads = {int(general[0])}
    # The most general branch falls into its children until there are enough.
    for _ in range(_SPLITS):
        if len(heads) >= _BRANCHES:
            break
        head = min((h for h in heads if (parent == h).any()), key=rank.__getitem__, default=None)
        if head is None:
            break
        heads.remove(head)
        heads |= set(child[parent == head].tolist())
    label = np.full(len(rank), -1)
    for head in sorted(heads, key=rank.__getitem__)[:_BRANCHES]:
        level = np.array([head])
        while len(level):
            label[level] = head
            below = np.unique(child[np.isin(parent, level)])
            level = below[label[below] == -1]
    return [_NONE if head < 0 else _short(embedding.names[head]) for head in label]
