"""The Poincaré disk."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.patches import Circle
from torch import Tensor

from ..manifolds import Manifold
from ._axes import FAINT, INK, axes, on_disk, scatter_by_label

_ANGLE = 0.2  # from the vertical, where rings carry their numbers


class Disk(NamedTuple):
    """Artists of :func:`disk`."""

    ax: Axes
    boundary: Circle
    points: list[Any]
    rings: list[Circle]


def disk(
    points: Tensor | None = None,
    *,
    manifold: Manifold,
    labels: Sequence[object] | None = None,
    ax: Axes | None = None,
    size: float = 18.0,
    rings: Sequence[float] = (),
    reach: float | None = None,
) -> Disk:
    """Draw the Poincaré disk and points of the hyperbolic plane on it.

    The disk is that of curvature -1 whatever the manifold's: a picture of curvature K shows
    distances in units of 1/sqrt(-K).

    Args:
        points: (N, m), of dimension 2 on any hyperbolic model; None for an empty disk.
        manifold: the points' space.
        labels: N labels; a colour and a line of the legend for each.
        ax: where to draw; a new figure if None.
        size: area of a marker in square points.
        rings: distances from the origin at which to draw a faint circle with its number.
        reach: show the disk only up to this distance from the origin, for points that all lie near
            it; ``rings`` then keep the scale in sight. The whole disk if None.

    Returns:
        The axes, the boundary circle, one collection a label and one circle a ring (by distance).

    Raises:
        TypeError: points that are no tensor, an ax that is no Axes.
        ValueError: points not of dimension 2 or not of the manifold, a manifold that is not
            hyperbolic, too few labels, an ax of 3 dimensions.
    """
    if manifold.sign >= 0:
        raise ValueError(
            f"plotting.disk: manifold is {manifold}; expected a hyperbolic one, Lorentz or "
            "PoincareBall (project_disk brings points of any manifold to the disk)."
        )
    if reach is not None and not reach > 0:
        raise ValueError(f"plotting.disk: reach is {reach}; expected a positive distance.")
    xy = None if points is None else on_disk(points, manifold, "plotting.disk").reshape(-1, 2)
    ax = axes(ax, "plotting.disk", width=6.0 if labels is None else 7.4)
    boundary = Circle((0, 0), 1, fill=False, edgecolor=INK, linewidth=1.2)
    ax.add_patch(boundary)
    half = 1.03 * (1.0 if reach is None else math.tanh(reach / 2))
    ax.set(xlim=(-half, half), ylim=(-half, half), aspect="equal")
    ax.set_axis_off()
    circles = _rings(ax, rings, half)
    artists: list[Any] = []
    if xy is not None:
        style = {"s": size, "linewidths": 0, "alpha": 0.85, "zorder": 3}
        artists = scatter_by_label(ax, xy, labels, "plotting.disk", **style)
    return Disk(ax, boundary, artists, circles)


def _rings(ax: Axes, distances: Sequence[float], half: float) -> list[Circle]:
    """Circles about the origin with their hyperbolic radius on them, where there is room for it."""
    circles = []
    written = 0.0
    for distance in sorted(distances):
        radius = math.tanh(distance / 2)
        circle = Circle((0, 0), radius, fill=False, edgecolor=FAINT, linewidth=0.6, zorder=0.5)
        ax.add_patch(circle)
        circles.append(circle)
        if min(radius - written, 1 - radius) > 0.05 * half:
            written = radius
            ax.text(
                radius * math.sin(_ANGLE),
                radius * math.cos(_ANGLE),
                f"{distance:g}",
                color="#777777",
                fontsize=7,
                horizontalalignment="center",
                verticalalignment="center",
                clip_on=True,
                zorder=0.6,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
            )
    return circles
