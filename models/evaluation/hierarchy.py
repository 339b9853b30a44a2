"""What a run makes of the hierarchy of its data: from points to the figures of tree_metrics."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...datasets import EmojiData
from ...manifolds import Manifold
from .cone_margin import cone_margin
from .traversal import traverse
from .tree_metrics import cone_scores, path_scores, spearman, tree_scores

TEXTS = ("group", "subgroup", "name")
_MOST = 200  # pictures whose cones and ways are measured, evenly chosen
_CHUNK = 64


def levels_of(data: EmojiData) -> tuple[str, ...]:
    """The levels of ``TEXTS`` that the data have texts for: all of them, or fewer for pictures of
    a folder or of shards, which may have nothing above their captions."""
    some = {"group": any(c.group for c in data.concepts)}
    some["subgroup"] = any(c.subgroup for c in data.concepts)
    return tuple(level for level in TEXTS if some.get(level, True))


def level_texts(data: EmojiData, index: NDArray[np.int64]) -> dict[str, list[str]]:
    """The captions of a set of pictures' groups and subgroups, and its names."""
    hierarchy = data.hierarchy
    concepts = np.unique(data.concept[index])
    texts = {}
    for level in levels_of(data)[:-1]:
        nodes = np.unique(hierarchy.ancestor(level)[concepts])
        texts[level] = [hierarchy.text(n) for n in nodes]
    return {**texts, "name": [data.names[c] for c in concepts]}


def level_nodes(data: EmojiData, index: NDArray[np.int64]) -> dict[str, NDArray[np.int64]]:
    """Nodes of the hierarchy above a set of pictures, by level, each once and ascending."""
    hierarchy, concepts = data.hierarchy, np.unique(data.concept[index])
    return {level: np.unique(hierarchy.ancestor(level)[concepts]) for level in levels_of(data)}


def tree_figures(
    scores: NDArray[np.floating],
    concept: NDArray[np.int64],
    candidates: NDArray[np.int64],
    data: EmojiData,
) -> dict[str, Any]:
    """:func:`tree_scores` of the best name for each picture, in both hierarchies of the data.

    "groups" is everything > group > subgroup > name; "WordNet" the hypernyms of the concepts that
    have a synset, for their pictures among their names only.

    Args:
        scores: (N, C), larger is better.
        concept: (N,) the pictures' concepts, among the candidates.
        candidates: (C,) concepts, ascending.
        data: where they are from.
    """
    hierarchy = data.hierarchy
    true = np.searchsorted(candidates, concept)
    paths = [hierarchy.path(hierarchy.concept_node[c]) for c in candidates]
    figures = {"groups": tree_scores(scores.argmax(1), true, paths)}
    linked = np.array([bool(data.concepts[c].wnpath) for c in candidates])
    if linked[true].any():
        columns, rows = np.flatnonzero(linked), linked[true]
        figures["WordNet"] = tree_scores(
            scores[np.ix_(rows, linked)].argmax(1),
            np.searchsorted(columns, true[rows]),
            [data.concepts[c].wnpath for c in candidates[columns]],
        )
    return figures


def depth_figures(
    radii: Mapping[str, NDArray[np.floating]], data: EmojiData, index: NDArray[np.int64]
) -> dict[str, float]:
    """Spearman's correlation of depth and distance from the root, within one modality each.

    Across modalities it measures the gap between them: pictures are deeper than all texts, and
    farther out in any model that tells the two apart. "texts" has the levels group, subgroup and
    name for depths; "names" and "pictures" the depths in WordNet. What is constant is left out.
    """
    levels = levels_of(data)
    depths = [np.full(len(radii[level]), depth) for depth, level in enumerate(levels)]
    radius = np.concatenate([radii[level] for level in levels])
    figures = {"texts": spearman(np.concatenate(depths), radius)}
    depth = np.array([len(c.wnpath) for c in data.concepts])
    sets = {"names": np.unique(data.concept[index]), "pictures": data.concept[index]}
    for name, concepts in sets.items():
        r = radii["name" if name == "names" else "picture"]
        linked = depth[concepts] > 0
        if not linked.any():
            continue
        figures[f"{name}, WordNet"] = spearman(depth[concepts][linked], r[linked])
    return {name: value for name, value in figures.items() if np.isfinite(value)}


@torch.no_grad()
def cone_figures(
    points: Mapping[str, Tensor],
    data: EmojiData,
    index: NDArray[np.int64],
    *,
    manifold: Manifold,
    min_radius: float,
) -> dict[str, dict[str, float]]:
    """:func:`cone_scores` within the texts, of texts above pictures, and of each pair of levels.

    Args:
        points: of the levels of the data and of "picture", for the pictures ``index``, in the
            order of :func:`level_nodes`.
        data: where they are from.
        index: the pictures.
        manifold: the space of the points.
        min_radius: of its cones.
    """
    nodes = level_nodes(data, index)
    texts = torch.cat([points[level] for level in nodes])
    node = np.concatenate([nodes[level] for level in nodes])
    level = np.repeat(list(nodes), [len(n) for n in nodes.values()])
    chosen = _evenly(len(index))
    pictures = data.hierarchy.concept_node[data.concept[index]][chosen]
    children = {
        "texts": (texts, node, level),
        "pictures": (points["picture"][chosen], pictures, np.full(len(chosen), "picture")),
    }
    # Names stand above pictures only.
    parents = {"texts": len(node) - len(nodes["name"]), "pictures": len(node)}
    figures = {}
    for name, (child, place, child_level) in children.items():
        count = parents[name]
        if not count:  # captions with nothing above them
            continue
        above = [set(data.hierarchy.path(n)) for n in place]
        below = np.array([[n in nodes_above for nodes_above in above] for n in node[:count]], bool)
        below = below.reshape(count, len(above))
        same = node[:count, None] == place[None]
        wanted = ~same if name == "texts" else np.ones_like(same)  # a text is in its own cone
        margin = _margins(texts[:count], child, manifold, min_radius)
        pairs = {name: wanted}
        for k, upper in enumerate(nodes):
            for lower in [*nodes, "picture"][k + 1 :]:
                of = (level[:count, None] == upper) & (child_level == lower)
                pairs[f"{upper} > {lower}"] = of
        for pair, of in pairs.items():
            # They may all be below one text.
            if len(np.unique(below[of])) == 2:
                figures[pair] = cone_scores(margin[of], below[of])
    return figures


@torch.no_grad()
def aperture_figures(
    points: Mapping[str, Tensor], *, manifold: Manifold, min_radius: float
) -> dict[str, float]:
    """The median half-aperture of the texts of each level, in degrees, the narrowest factor's in a
    product.

    At 90 the cone is a half-space, as all are at radii where sn(r/R) <= 2 min_radius: it holds what
    lies beyond the hyperplane through its text, and need not hold the half-spaces of what it holds.
    """
    found = {}
    for level in TEXTS:
        if level in points:
            x = points[level].double()
            narrowest = manifold.cones(x, x, min_radius)[1].amin(-1)
            found[level] = math.degrees(float(narrowest.median()))
    return found


def _margins(
    parent: Tensor, child: Tensor, manifold: Manifold, min_radius: float
) -> NDArray[np.floating]:
    parts = [
        cone_margin(parent[k : k + _CHUNK, None], child, manifold=manifold, min_radius=min_radius)
        for k in range(0, len(parent), _CHUNK)
    ]
    return torch.cat(parts).double().numpy()


def way_figures(
    points: Mapping[str, Tensor],
    root: Tensor,
    data: EmojiData,
    index: NDArray[np.int64],
    *,
    manifold: Manifold,
    min_radius: float | None,
) -> dict[str, float]:
    """:func:`path_scores` of the ways from pictures to the root, among the texts of all levels.

    What should be met is the picture's name, subgroup and group. Arguments as in
    :func:`cone_figures`, and the root, (m,); ``min_radius`` is None for a model without cones.
    """
    nodes = level_nodes(data, index)
    node = np.concatenate([nodes[level] for level in nodes])
    chosen = _evenly(len(index))
    ways = traverse(
        points["picture"][chosen],
        torch.cat([points[level] for level in nodes]),
        root,
        manifold=manifold,
        min_radius=min_radius,
    )
    concept = data.hierarchy.concept_node[data.concept[index]][chosen]
    known = set(node.tolist())  # without the root, and without levels that have no text
    wanted = [[n for n in data.hierarchy.path(c) if n in known] for c in concept]
    return path_scores([[int(node[k]) for k in way.texts[:-1]] for way in ways], wanted)


def _evenly(count: int) -> NDArray[np.int64]:
    return np.unique(np.linspace(0, count - 1, min(count, _MOST)).round().astype(np.int64))
