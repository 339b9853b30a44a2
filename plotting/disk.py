"""The Poincaré disk."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.patches import Circle
from torch import Tensor

from ..manifolds import Manifold
from ._axes import INK, axes, on_disk, scatter_by_label


class Disk(NamedTuple):
    """Artists of :func:`disk`."""

    ax: Axes
    boundary: Circle
    points: list[Any]


def disk(
    points: Tensor | None = None,
    *,
    manifold: Manifold,
    labels: Sequence[object] | None = None,
    ax: Axes | None = None,
    size: float = 18.0,
) -> Disk:
    """Draw the Poincaré disk and points of the hyperbolic plane on it.

    The disk is that of curvature -1 whatever the manifold's: a picture of curvature K shows
    distances in units of 1/sqrt(-K).

    Args:
        points: (N, m), of dimension 2 on Lorentz or PoincareBall; None for an empty disk.
        manifold: the points' space.
        labels: N labels; a colour and a line of the legend for each.
        ax: where to draw; a new figure if None.
        size: area of a marker in square points.

    Returns:
        The axes, the boundary circle and one collection a label.

    Raises:
        ValueError: points not of dimension 2, a manifold that is not hyperbolic, too few labels.
    """
    ax = axes(ax)
    boundary = Circle((0, 0), 1, fill=False, edgecolor=INK, linewidth=1.2)
    ax.add_patch(boundary)
    ax.set(xlim=(-1.03, 1.03), ylim=(-1.03, 1.03), aspect="equal")
    ax.set_axis_off()
    artists: list[Any] = []
    if points is not None:
        xy = on_disk(points, manifold, "plotting.disk").reshape(-1, 2)
        artists = scatter_by_label(ax, xy, labels, s=size, linewidths=0, alpha=0.85, zorder=3)
    return Disk(ax, boundary, artists)
