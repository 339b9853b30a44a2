"""From a picture to the root along a geodesic, and the texts that are met on the way."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ...manifolds import Manifold
from .cone_margin import cone_margin

ROOT = -1
"""What stands for the root among the indices of texts."""
_POINTS = 16  # ways at once
_BLOCK = 32  # texts whose cones are looked at at once


class Way(NamedTuple):
    """The texts on one way, each once, in the order met, and the share of the way where each is
    first met: 0 at the picture, 1 at the root. The last is ``ROOT``."""

    texts: list[int]
    at: list[float]


@torch.no_grad()
def traverse(
    points: Tensor,
    texts: Tensor,
    root: Tensor,
    *,
    manifold: Manifold,
    min_radius: float | None = None,
    steps: int = 50,
) -> list[Way]:
    """Walk from every point to the root and note the nearest text at each step.

    The image traversals of Desai et al. 2023 (MERU): the geodesic is cut evenly into ``steps``
    points, both ends included. At each the nearest text is taken among those whose entailment cone
    contains it, and the root, which contains everything; texts met twice are listed once.

    Args:
        points: where to start, (B, m).
        texts: points of captions, (T, m).
        root: (m,), the origin, or for a model without one the point of the empty caption.
        manifold: the space of them all.
        min_radius: of the cones; None for a model without cones, whose texts are all allowed.
        steps: points on each way, at least 2.
    """
    if steps < 2:
        raise ValueError(f"traverse: steps is {steps}; expected at least 2.")
    times = torch.linspace(0, 1, steps, dtype=points.dtype)
    ways = []
    for some in points.split(_POINTS):  # type: ignore[no-untyped-call]
        lines = manifold.geodesic(some[:, None], root, times)
        nearest = nearest_above(
            lines.flatten(0, 1), texts, root, manifold=manifold, min_radius=min_radius
        )
        ways += [_way(row, times.tolist()) for row in nearest.view(-1, steps).tolist()]
    return ways


def _way(nearest: Sequence[int], times: Sequence[float]) -> Way:
    first: dict[int, float] = {}
    for k, time in zip(nearest, times, strict=True):
        first.setdefault(k, time)
    # The root closes the way, also where it was met before a text was.
    at = first.pop(ROOT)
    return Way([*first, ROOT], [*first.values(), max(at, *first.values(), 0.0)])


@torch.no_grad()
def nearest_above(
    points: Tensor,
    texts: Tensor,
    root: Tensor,
    *,
    manifold: Manifold,
    min_radius: float | None = None,
) -> Tensor:
    """The nearest text to each point of those whose cone holds it, or ``ROOT`` if that is as near.

    Shapes: (N, m), (T, m), (m,) -> (N,) int64.
    """
    # By one matrix product in float64: the order of texts does not hang on their last digits.
    distance = manifold.cdist(points.double(), texts.double(), matmul=True)
    to_root = manifold.dist(points.double(), root.double())
    # Texts from the nearest on, a block at a time: angles cost far more than distances, and a
    # point needs only those of the texts before its answer.
    order = distance.argsort(dim=1)
    found = torch.full((len(points),), ROOT, dtype=torch.int64)
    open_rows = torch.arange(len(points))
    for start in range(0, len(texts), _BLOCK):
        block = order[open_rows, start : start + _BLOCK]
        near = distance[open_rows].gather(1, block) < to_root[open_rows, None]
        held = near
        if min_radius is not None:
            margin = cone_margin(
                texts[block], points[open_rows, None], manifold=manifold, min_radius=min_radius
            )
            held = near & (margin <= 0)
        some, first = held.any(1), held.float().argmax(1)
        found[open_rows[some]] = block[some, first[some]]
        # Where the last of the block is no nearer than the root, none after it is.
        open_rows = open_rows[~some & near[:, -1]]
        if not len(open_rows):
            break
    return found


def captions(way: Way, texts: Sequence[str]) -> list[str]:
    """The texts of a way as words, ``[ROOT]`` the last."""
    return ["[ROOT]" if k == ROOT else texts[k] for k in way.texts]
