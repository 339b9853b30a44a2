"""Pictures beside each other, and words under them."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ..manifolds import Manifold
from ._axes import INK, at_hand, is_solid, new_figure
from ._charts import CHARTS
from .curves import geodesics
from .disk import Disk, disk
from .projection import project_disk
from .surfaces import Surface, sphere

_LETTER = 0.55  # width of a letter, in sizes of the font


def small_multiples(
    panels: Sequence[tuple[Any, ...]],
    *,
    manifold: Manifold | None = None,
    labels: Sequence[object] | None = None,
    color: Any = None,
    edges: Any = None,
    columns: int | None = None,
    width: float = 2.1,
    size: float = 6.0,
    chart: str = "poincare",
    title: str | None = None,
) -> list[Disk | Surface]:
    """Draw sets of points side by side, each in a space of its own: by curvature, dimension, step.

    Hyperbolic points are drawn in a chart, a sphere's on the sphere, flat ones as they are; points
    of more than two dimensions by :func:`project_disk`, with what that costs under the picture.

    Args:
        panels: (title, points) or (title, points, manifold), points (N, m).
        manifold: the space of panels that name none.
        labels, color, title: as in :func:`disk`, the same for all panels; the legend is drawn once.
        edges: (E, 2) rows of points, drawn as geodesics.
        columns: of panels; as many as there are, at most four, if None.
        width: of a panel, in inches.
        size: area of a marker in square points.
        chart: of the hyperbolic panels, as in :func:`disk`.

    Returns:
        What :func:`disk` or :func:`sphere` return, one a panel; ``[0].ax.get_figure()`` is the
        picture.

    Raises:
        ValueError: no panels, or one without a manifold.
    """
    where = "plotting.small_multiples"
    if not panels:
        raise ValueError(f"{where}: panels is empty; expected (title, points) at least once.")
    if chart not in CHARTS:
        raise ValueError(f"{where}: chart is {chart!r}; expected one of {', '.join(CHARTS)}.")
    columns = columns or min(len(panels), 4)
    rows = math.ceil(len(panels) / columns)
    legend = labels is not None or color is not None
    figure = new_figure(width * columns + (1.1 if legend else 0), (width + 0.45) * rows)
    drawn: list[Disk | Surface] = []
    for k, panel in enumerate(panels):
        name, points = panel[:2]
        space = panel[2] if len(panel) > 2 else manifold
        if space is None:
            raise ValueError(
                f"{where}: panel {name!r} has no manifold; expected (title, points, manifold), or "
                "manifold for all."
            )
        below = None
        points = at_hand(points, space, where)
        if points.shape[-1] - space.ambient_dim(0) != 2:
            flat = project_disk(points, manifold=space)
            points, space, below = flat.points, flat.manifold, flat.losses
        solid = space.sign > 0
        ax = figure.add_subplot(rows, columns, k + 1, projection="3d" if solid else None)
        key = k == min(columns, len(panels)) - 1
        style: dict[str, Any] = {"labels": labels, "color": color, "size": size}
        style |= {"title": title, "key": key}
        if solid:
            drawn.append(sphere(points, manifold=space, ax=ax, **style))
        else:
            own = chart if space.sign < 0 else "normal"
            drawn.append(disk(points, manifold=space, ax=ax, chart=own, **style))
        if edges is not None:
            _edges(points, space, edges, ax)
        ax.set_title(str(name), fontsize=9)
        if below:
            caption(ax, below, fontsize=6.5)
    return drawn


def _edges(points: Tensor, space: Manifold, edges: Any, ax: Any) -> None:
    ends = torch.as_tensor(edges)
    geodesics(
        points[ends[:, 0]], points[ends[:, 1]], manifold=space, ax=ax, color="#999999",
        linewidth=0.4, zorder=2,
    )  # fmt: skip


def caption(ax: Any, text: str, *, fontsize: float = 7.5) -> Any:
    """Write under a picture what was done to make it, in lines as wide as the picture.

    Args:
        ax: the picture's axes.
        text: what to write; its own line ends are kept.
        fontsize: in points.
    """
    figure = ax.get_figure(root=True)
    inches = ax.get_position().width * figure.get_size_inches()[0]
    letters = max(20, int(inches * 72 / (_LETTER * fontsize)))
    lines = [line for part in text.split("\n") for line in textwrap.wrap(part, letters)]
    write = ax.text2D if is_solid(ax) else ax.text
    return write(
        0.5, -0.02, "\n".join(lines), transform=ax.transAxes, fontsize=fontsize, color=INK,
        ha="center", va="top",
    )  # fmt: skip
