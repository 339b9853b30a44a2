"""Small pictures at the places of their points."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.offsetbox import AnnotationBbox, OffsetImage
from numpy.typing import NDArray


def thumbnails(
    places: NDArray[np.floating],
    images: NDArray[np.uint8],
    *,
    ax: Axes,
    size: float = 0.075,
    most: int = 150,
) -> tuple[list[Any], NDArray[np.int64]]:
    """Draw pictures where they do not cover each other, first come first served.

    Args:
        places: (N, 2) in the coordinates of ``ax``.
        images: (N, H, W, 3) uint8. White around a picture's content is made transparent.
        ax: the axes.
        size: side of a thumbnail in coordinates of ``ax``.
        most: the largest number to draw.

    Returns:
        The artists and the indices of what was drawn.
    """
    places = np.asarray(places, dtype=np.float64)
    if len(places) != len(images):
        raise ValueError(
            f"plotting.thumbnails: there are {len(images)} images for {len(places)} places; "
            "expected as many."
        )
    kept: list[int] = []
    for k, place in enumerate(places):
        if len(kept) == most:
            break
        if not kept or np.abs(places[kept] - place).max(1).min() >= size:
            kept.append(k)
    figure = ax.get_figure(root=True)
    if figure is None:
        raise ValueError("plotting.thumbnails: ax belongs to no figure; expected one that does.")
    width = figure.get_size_inches()[0] * figure.dpi * ax.get_position().width
    low, high = ax.get_xlim()
    zoom = size * width / (high - low) / images.shape[2] * 72 / figure.dpi
    artists = []
    for k in kept:
        image = images[k]
        opaque = (image < 250).any(-1, keepdims=True)
        rgba = np.concatenate([image, np.where(opaque, 255, 0).astype(np.uint8)], axis=-1)
        box = AnnotationBbox(OffsetImage(rgba, zoom=zoom), tuple(places[k]), frameon=False, pad=0)
        artists.append(ax.add_artist(box))
    return artists, np.asarray(kept, dtype=np.int64)
