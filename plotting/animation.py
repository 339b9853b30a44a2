"""A picture that moves: points carried by isometries until another one is in the middle."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from matplotlib.animation import FuncAnimation
from torch import Tensor

from ..manifolds import Manifold, translation
from ..manifolds.checks import ArrayLike, to_tensor
from ._axes import at_hand, at_rest
from ._charts import held, on_chart
from .curves import geodesics, on_page
from .disk import disk

_REST = 0.2  # of the frames, before and after the way


def recentring(
    points: ArrayLike,
    center: ArrayLike,
    *,
    manifold: Manifold,
    edges: ArrayLike | None = None,
    frames: int = 48,
    back: bool = False,
    interval: int = 50,
    ax: Any = None,
    edge_color: Any = "#999999",
    edge_width: float = 0.6,
    **style: Any,
) -> FuncAnimation:
    r"""Animate how points look from the origin, then from further and further towards a centre.

    With c(s) the point at the share s of the geodesic from the origin to the centre, frame by frame
    all points are moved by the translation that takes c(s) to the origin. These isometries are one
    group, :math:`g_s g_t = g_{s+t}`: nothing but the place that is looked from changes, no distance
    does, and each point moves on one curve, an equidistant of that geodesic. s begins and ends
    slowly.

    A notebook shows it by ``HTML(animation.to_jshtml())``; ``animation.save("recentring.gif",
    writer="pillow")`` keeps it. Keep the animation in a variable for as long as it is to run.

    Args:
        points: (N, m), of dimension 2 on any model of the space.
        center: (m,), what comes into the middle.
        manifold: their space.
        edges: (E, 2) rows of points, drawn as geodesics.
        frames: how many pictures.
        back: whether it goes back to the origin, so that it can be repeated without a jump.
        interval: milliseconds from one picture to the next.
        ax: where to draw; a new figure if None.
        edge_color, edge_width: of the edges, in points.
        style: of :func:`disk`: ``labels``, ``color``, ``size``, ``rings``, ``chart``, ``title`` ...

    Raises:
        ValueError: points, a centre or edges that are none, fewer than two frames.
    """
    where = "plotting.recentring"
    x, middle = (
        at_hand(p, manifold, where, name, plane=True)
        for name, p in (("points", points), ("center", center))
    )
    if x.ndim != 2 or middle.ndim != 1:
        raise ValueError(
            f"{where}: points have shape {tuple(x.shape)} and center {tuple(middle.shape)}; "
            f"expected (N, {x.shape[-1]}) and one point, ({x.shape[-1]},)."
        )
    if frames < 2:
        raise ValueError(f"{where}: frames is {frames}; expected at least 2.")
    ends = None if edges is None else _ends(to_tensor(where, "edges", edges), len(x), where)
    space = at_rest(manifold)
    origin = space.origin(2, dtype=torch.float64)

    def seen(share: float) -> Tensor:
        """The points from a share of the way."""
        at = space.geodesic(origin, middle, torch.tensor(share, dtype=torch.float64))
        return space.proj(translation(space, at, origin)(x))

    picture = disk(x, manifold=manifold, ax=ax, **style)
    ax, chart = picture.ax, held(picture.ax, manifold, where)
    lines = None
    if ends is not None:
        lines = geodesics(
            x[ends[:, 0]], x[ends[:, 1]], manifold=space, ax=ax, color=edge_color,
            linewidth=edge_width,
        )  # fmt: skip
    rows = _rows(on_chart(x, space, chart, where), picture.points)

    def draw(frame: int) -> list[Any]:
        moved = seen(_share(frame / (frames - 1), back=back))
        xy = on_chart(moved, space, chart, where)
        for dots, own in zip(picture.points, rows, strict=True):
            dots.set_offsets(xy[own])
        if lines is None or ends is None:
            return list(picture.points)
        lines.set_segments(on_page(moved[ends[:, 0]], moved[ends[:, 1]], space, ax, where))
        return [*picture.points, lines]

    return FuncAnimation(ax.get_figure(root=True), draw, frames=frames, interval=interval)


def _share(t: float, *, back: bool) -> float:
    """Of the way at a share of the time: at rest, there with a soft start and end, and back."""
    if back:
        t = 1 - abs(2 * t - 1)
    t = min(max((t - _REST) / (1 - 2 * _REST), 0.0), 1.0)
    return t * t * (3 - 2 * t)


def _ends(edges: Tensor, count: int, where: str) -> Tensor:
    whole = not (edges.is_floating_point() or edges.is_complex())
    if edges.ndim != 2 or edges.shape[1] != 2 or not whole:
        raise ValueError(
            f"{where}: edges have shape {tuple(edges.shape)} and dtype {edges.dtype}; expected "
            "(E, 2) row numbers."
        )
    if len(edges) and not 0 <= int(edges.min()) <= int(edges.max()) < count:
        raise ValueError(
            f"{where}: edges name rows from {int(edges.min())} to {int(edges.max())}; expected "
            f"rows of {count} points."
        )
    return edges.cpu().long()


def _rows(xy: Any, collections: list[Any]) -> list[Any]:
    """Of each collection the rows of its points; of points at one place any of them."""
    place = {tuple(p): k for k, p in enumerate(xy.tolist())}
    return [
        np.array([place[tuple(p)] for p in np.asarray(dots.get_offsets()).tolist()], dtype=np.int64)
        for dots in collections
    ]
