"""Words beside points, as many as can be read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.image import BboxImage
from matplotlib.patheffects import withStroke
from matplotlib.transforms import Bbox
from numpy.typing import NDArray

from ..manifolds import Manifold
from ._axes import axes, on_page


def names(
    places: Any,
    texts: Sequence[str],
    *,
    ax: Any = None,
    manifold: Manifold | None = None,
    most: int = 24,
    fontsize: float = 7.0,
) -> tuple[list[Any], NDArray[np.int64]]:
    """Write texts beside their points where they cover no other text and no thumbnail.

    First come, first served.

    Args:
        places: (N, 2) in the coordinates of ``ax``; with ``manifold``, points (N, m) of it.
        texts: N texts.
        ax: a 2-D axes; a new disk if None.
        manifold: the hyperbolic plane that ``places`` are points of.
        most: the largest number to write.
        fontsize: in points.

    Returns:
        The artists and the indices of what was written.

    The extent of a text on the page is known only once the axes has its place: give the figure
    its size, title and legend first.
    """
    where = "plotting.names"
    xy = on_page(places, manifold, where)
    if len(texts) != len(xy):
        raise ValueError(
            f"{where}: there are {len(texts)} texts for {len(xy)} places; expected as many."
        )
    if ax is None and manifold is not None:
        from .disk import disk

        ax = disk(manifold=manifold).ax
    ax = axes(ax, where)
    ax.get_figure(root=True).draw_without_rendering()  # the layout decides where the axes lies
    page = ax.get_window_extent()
    halo = [withStroke(linewidth=2.0, foreground="white")]
    artists: list[Any] = []
    taken: list[Bbox] = [
        other.get_window_extent().padded(2.0) for other in (*ax.texts, *ax.findobj(BboxImage))
    ]
    kept: list[int] = []
    for k, (place, text) in enumerate(zip(xy, texts, strict=True)):
        if len(kept) == most:
            break
        artist = ax.annotate(
            text, tuple(place), xytext=(3, 3), textcoords="offset points",
            fontsize=fontsize, zorder=5, path_effects=halo,
        )  # fmt: skip
        box = artist.get_window_extent().padded(2.0)
        inside = page.x0 <= box.x0 and box.x1 <= page.x1 and page.y0 <= box.y0 and box.y1 <= page.y1
        if not inside or any(box.overlaps(other) for other in taken):
            artist.remove()
            continue
        artists.append(artist)
        taken.append(box)
        kept.append(k)
    return artists, np.asarray(kept, dtype=np.int64)
