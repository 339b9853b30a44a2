"""Small pictures at the places of their points."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.image import BboxImage
from matplotlib.transforms import Bbox, TransformedBbox
from numpy.typing import NDArray

from ..manifolds import Manifold
from ._axes import axes
from ._charts import on_page


def thumbnails(
    places: Any,
    images: NDArray[np.uint8],
    *,
    ax: Any = None,
    manifold: Manifold | None = None,
    size: float = 0.075,
    most: int = 150,
) -> tuple[list[Any], NDArray[np.int64]]:
    """Draw pictures where they do not cover each other, first come first served.

    Args:
        places: (N, 2) in the coordinates of ``ax``; with ``manifold``, points (N, m) of it.
        images: (N, H, W, 3) uint8. White pixels are transparent.
        ax: a 2-D axes; a new one, with ``manifold`` a new disk, if None.
        manifold: the hyperbolic plane that ``places`` are points of.
        size: side of a thumbnail in coordinates of ``ax``, on the page too whatever the layout.
        most: the largest number to draw.

    Returns:
        The artists and the indices of what was drawn.
    """
    where = "plotting.thumbnails"
    if ax is None and manifold is not None:
        from .disk import disk

        ax = disk(manifold=manifold, chart="poincare" if manifold.sign < 0 else "normal").ax
    ax = axes(ax, where)
    xy = on_page(places, manifold, ax, where)
    images = np.asarray(images)
    if len(xy) != len(images):
        raise ValueError(
            f"{where}: there are {len(images)} images for {len(xy)} places; expected as many."
        )
    if images.ndim != 4 or images.shape[-1] != 3 or images.dtype != np.uint8:
        raise ValueError(
            f"{where}: images have shape {images.shape} and dtype {images.dtype}; expected "
            "(N, H, W, 3) of uint8."
        )
    kept = _apart(xy, size, most)
    artists = []
    for k in kept:
        opaque = (images[k] < 250).any(-1, keepdims=True)
        rgba = np.concatenate([images[k], np.where(opaque, 255, 0).astype(np.uint8)], axis=-1)
        # In data coordinates, so that no layout that comes later makes them overlap.
        left, bottom = xy[k] - size / 2
        frame = Bbox.from_bounds(left, bottom, size, size)
        image = BboxImage(TransformedBbox(frame, ax.transData), origin="upper", zorder=4)
        image.set_data(rgba)
        artists.append(ax.add_artist(image))
    return artists, kept


def _apart(xy: NDArray[np.float64], size: float, most: int) -> NDArray[np.int64]:
    """Indices of places, each at least ``size`` from those before it along one of the axes."""
    kept: list[int] = []
    for k, place in enumerate(xy):
        if len(kept) == most:
            break
        if not kept or np.abs(xy[kept] - place).max(1).min() >= size:
            kept.append(k)
    return np.asarray(kept, dtype=np.int64)
