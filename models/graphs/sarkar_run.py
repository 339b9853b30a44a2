"""``spaceforms embed --method sarkar``: a graph's tree in its place, and what that kept."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...stats import reconstruction, worst_distortion
from ..terminal import say
from .config import EmbedOptions, make_space
from .edges import Graph
from .embedding import Embedding
from .paths import check_unweighted, steps_from
from .sarkar import (
    Numbers,
    Tree,
    digits_for,
    directions,
    edge_for,
    exact_rows,
    place,
    proven_distortion,
    smallest_angle,
    spanning_tree,
)

_FLOAT64 = 15  # decimal digits
_LARGEST = 300.0  # radius in float64, whose frames would overflow at twice that
_MEASURED, _MEASURED_EXACTLY = 2_000, 200  # nodes, among all


def sarkar_embedding(options: EmbedOptions, graph: Graph) -> tuple[Embedding, dict[str, Any]]:
    """Points, and the figures of the construction.

    Raises:
        ValueError: weights of edges, or edges so long that float64 overflows.
    """
    check_unweighted(graph, options.edges, "--method sarkar")
    began = time.perf_counter()
    nodes = len(graph.names)
    tree, left_out, added = spanning_tree(nodes, graph.parent, graph.child)
    if left_out:
        say(f"No tree: a spanning tree leaves out {left_out:,} of {len(graph.parent):,} edges.")
    if added:
        say(
            f"{added + 1:,} components: joined by {added:,} edge{'s' * (added > 1)} from the "
            "middle of the largest."
        )
    unit = directions(tree.degree, options.dim, options.seed)
    angle = smallest_angle(unit)
    height = max(tree.height, 1)
    edge = (
        _longest_edge(height, options.digits or _FLOAT64)
        if options.distortion is None
        else edge_for(1 + options.distortion, angle)
    )
    radius = edge * height
    wanted = digits_for(radius, edge)
    if wanted > _FLOAT64:
        say(_too_far(options.digits, edge, radius, wanted))
    if options.digits is None and radius > _LARGEST:
        raise ValueError(
            f"edges of length {edge:.3g} put the farthest node at a radius of {radius:.0f}, where "
            f"float64 overflows; expected at most {_LARGEST:.0f}: a larger --distortion, a larger "
            f"--dim, or --digits {wanted}."
        )
    points = place(tree, unit, edge, options.digits)
    space = make_space(options.manifold)
    embedding = Embedding(
        graph.names,
        space.from_normal(_normal(points)),
        space,
        parent=torch.from_numpy(graph.parent),
        child=torch.from_numpy(graph.child),
    )
    proven = proven_distortion(edge, angle)
    found: dict[str, Any] = {
        "seconds": time.perf_counter() - began,
        "edge": edge,
        "height": tree.height,
        "degree": tree.degree,
        "angle": angle,
        "radius": radius,
        "digits_wanted": wanted,
        "digits": options.digits,
        "edges_left_out": left_out,
        "edges_added": added,
        "proven_distortion": proven if math.isfinite(proven) else None,
    }
    stored = embedding.points

    def rows(block: Tensor) -> Tensor:
        distance: Tensor = space.cdist(stored[block], stored)
        return distance

    found["stored"] = _kept(rows, tree, graph, _MEASURED)
    if options.digits is not None:
        exact = exact_rows(points, options.digits)
        found["exact"] = _kept(exact, tree, graph, _MEASURED_EXACTLY)
    return embedding, found


def _too_far(digits: int | None, edge: float, radius: float, wanted: int) -> str:
    """That float64 does not hold the points, in words."""
    said = (
        f"Edges of length {edge:.3g} put the farthest node at a radius of {radius:.0f}, where "
        f"distances take {wanted:,} decimal digits of coordinates; float64 has {_FLOAT64}, which "
        "end near 36. The points stored are rounded to it, and their figures are those of "
    )
    if digits is None:
        return f"{said}rounding: the construction itself is measured with --digits {wanted}."
    short = f", for which {digits:,} are too few" if digits < wanted else ""
    return f"{said}rounding; those of all digits stand below{short}."


def _longest_edge(height: int, digits: int) -> float:
    """With which the whole tree is within reach of so many digits."""
    low, high = 1e-3, digits * math.log(10)
    for _ in range(60):
        middle = (low + high) / 2
        inside = digits_for(middle * height, middle) <= digits
        low, high = (middle, high) if inside else (low, middle)
    return low


def _normal(points: Numbers) -> Tensor:
    """Normal coordinates in float64."""
    if points.dtype != object:
        x = torch.from_numpy(points)
        length = x.norm(dim=-1, keepdim=True)
        scale: Tensor = length.asinh() / length.clamp(min=1e-300)
        return x * scale
    found = np.zeros(points.shape)
    for row, x in zip(found, points, strict=True):
        length = x @ x
        if length > 0:
            length = length**0.5
            context = type(length).context
            row[:] = [float(value * context.asinh(length) / length) for value in x]
    return torch.from_numpy(found)


def _kept(rows: Any, tree: Tree, graph: Graph, most: int) -> dict[str, float]:
    """How neighbours along an edge rank, and the worst distortion of the tree's own metric."""
    nodes = len(graph.names)
    one, two = torch.from_numpy(graph.parent), torch.from_numpy(graph.child)
    both = torch.unique(torch.stack([torch.cat([one, two]), torch.cat([two, one])], dim=1), dim=0)
    chosen = torch.arange(nodes)
    if nodes > most:
        chosen = torch.randperm(nodes, generator=torch.Generator().manual_seed(0))[:most]
    below = np.flatnonzero(tree.parent >= 0)
    steps = steps_from(nodes, tree.parent[below], below)
    ranks = reconstruction(rows, both, count=nodes, points=chosen)
    worst = worst_distortion(steps, rows, count=nodes, points=chosen)
    return ranks._asdict() | worst._asdict()
