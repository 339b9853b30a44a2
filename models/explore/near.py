"""The nearest points of every point, by the distance of their own space."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...manifolds import Manifold, PoincareBall

_CELLS = 2**22  # distances of a block
_SPARE = 8  # candidates more than are wanted
_BALL = PoincareBall(-1.0)


@dataclass(frozen=True)
class Near:
    """Neighbours of N points."""

    index: NDArray[np.int64]
    """(N, k), the nearest first, not the point itself."""
    distance: NDArray[np.float64]
    """(N, k), less the bias of the neighbour where there is one."""
    inwards: NDArray[np.int64]
    """(N,), the nearest point of those that are nearer to the middle, or -1 where there is none."""


@torch.no_grad()
def nearest(
    points: Tensor,
    *,
    manifold: Manifold,
    k: int,
    radius: Tensor,
    bias: Tensor | None = None,
) -> Near:
    """The k nearest of every point, and the next one on a way inwards.

    Candidates come from a table in blocks, in float64 in normal coordinates: on hyperbolic space
    sinh²(d/2) = abs(x-y)²/((1-abs(x)²)(1-abs(y)²)) on the ball, without cancellation. They are
    ranked by ``manifold.dist``.

    Args:
        points: (N, m) of a hyperbolic or flat space.
        manifold: their space.
        k: how many; all others if there are fewer.
        radius: (N,), distances from the middle.
        bias: (N,), by how much each point is nearer to all.
    """
    count = len(points)
    k = min(k, count - 1)
    places, weight = _chart(points, manifold)
    wanted = min(k + _SPARE, count - 1)
    rows = max(1, _CELLS // count)
    found: list[tuple[Tensor, Tensor, Tensor]] = []
    for here in torch.split(torch.arange(count), rows):
        table = torch.cdist(places[here], places, compute_mode="donot_use_mm_for_euclid_dist")
        if weight is not None:
            table *= weight
        if bias is not None:  # the rows' own weight counts now
            length = table if weight is None else 2 * (table * weight[here, None]).asinh()
            scale = float(manifold.radius)
            table = (length if weight is None else length * scale) - bias.double()
        table[torch.arange(len(here)), here] = torch.inf
        candidates = table.topk(wanted, largest=False).indices
        distance = manifold.dist(points[here, None], points[candidates]).double()
        if bias is not None:
            distance = distance - bias[candidates].double()
        order = distance.argsort(stable=True)[:, :k]
        outer = radius[None] >= radius[here, None]
        best, inner = table.masked_fill_(outer, torch.inf).min(1)
        found.append(
            (
                candidates.gather(1, order),
                distance.gather(1, order),
                inner.where(best.isfinite(), -1),
            )
        )
    whole = (torch.cat(part).numpy() for part in zip(*found, strict=True))
    return Near(*whole)


def _chart(points: Tensor, manifold: Manifold) -> tuple[Tensor, Tensor | None]:
    """Places (N, n) and weights (N,): weighted Euclidean distances of places rank neighbours."""
    v = manifold.to_normal(points.double())
    if manifold.sign == 0:
        return v, None
    v = v / float(manifold.radius)
    return _BALL.from_normal(v), (v.norm(dim=-1) / 2).cosh()
