"""Words as rectangles on the page, and what of a picture they would cover."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.image import BboxImage
from matplotlib.patches import Circle
from matplotlib.text import Text
from numpy.typing import NDArray

Corners = NDArray[np.float64]
"""(4, 2), in pixels, around the rectangle."""
_SEEN = 20_000  # dots and points of lines that words keep off, where there are more a share of them
_SAME = 0.5  # pixels, within which a dot is at a place
_HALF = 0.25  # points, of the width of a thin line


def meets(corners: Corners, others: NDArray[np.float64]) -> bool:
    """Whether a rectangle has points with one of others in common: no side has one alone."""
    if not len(others):
        return False
    apart = np.zeros(len(others), bool)
    for sides in (np.broadcast_to(corners, others.shape), others):
        for k in (0, 1):
            axis = sides[:, k + 1] - sides[:, k]  # (K, 2), perpendicular to the next side
            mine = corners @ axis.T  # (4, K)
            theirs = np.einsum("kij,kj->ki", others, axis)
            apart |= (mine.max(0) <= theirs.min(1)) | (mine.min(0) >= theirs.max(1))
    return not apart.all()


class Drawn(NamedTuple):
    """What is on an axes that words had better not cover, in pixels."""

    dots: NDArray[np.float64]
    """(N, 2)."""
    radii: NDArray[np.float64]
    """(N,), of the dots."""
    lines: NDArray[np.float64]
    """(M, 2), points on lines now and then."""

    def near(self, place: NDArray[np.float64], reach: float) -> Drawn:
        """What is within a distance along both axes, without dots at the place itself."""
        far = np.abs(self.dots - place).max(1)
        dots = (far > _SAME) & (far < reach + self.radii)
        lines = np.abs(self.lines - place).max(1) < reach
        return Drawn(self.dots[dots], self.radii[dots], self.lines[lines])

    def at(self, place: NDArray[np.float64]) -> float:
        """The radius of the largest dot at a place, 0 if there is none."""
        here = np.abs(self.dots - place).max(1) <= _SAME
        return float(self.radii[here].max(initial=0.0))

    def crossed(self, corners: Corners) -> int:
        """How many points of lines a rectangle covers."""
        along, across = _within(corners, self.lines)
        return int(((along < 0) & (across < 0)).sum())

    def gaps(self, corners: Corners) -> NDArray[np.float64]:
        """From a rectangle to the rims of the dots; negative of those that it covers."""
        along, across = _within(corners, self.dots)
        far: NDArray[np.float64] = np.hypot(along.clip(min=0), across.clip(min=0))
        return far - self.radii


def drawn(ax: Any, pixel: float) -> Drawn:
    """What words on an axes had better not cover; ``pixel``, of a point."""
    dots, radii, lines = [np.empty((0, 2))], [np.empty(0)], [np.empty((0, 2))]
    for artist in ax.collections:
        if artist.get_zorder() < 1:
            continue  # a backdrop
        if isinstance(artist, PathCollection):
            dots.append(np.asarray(artist.get_offsets(), dtype=np.float64))
            radii.append(np.sqrt(np.resize(artist.get_sizes(), len(dots[-1]))) / 2 * pixel)
        elif isinstance(artist, LineCollection):
            lines += [_along(np.asarray(segment)[:, :2]) for segment in artist.get_segments()]
    for rim in ax.patches:
        if isinstance(rim, Circle) and rim.get_zorder() >= 1:
            turn = np.linspace(0, 2 * np.pi, 361)
            lines.append(rim.get_radius() * np.stack([np.cos(turn), np.sin(turn)], axis=1))
    places, step = _some(ax, dots)
    return Drawn(places, np.concatenate(radii)[::step], _some(ax, lines)[0])


def _some(ax: Any, parts: Sequence[NDArray[np.float64]]) -> tuple[NDArray[np.float64], int]:
    points = np.concatenate(parts)
    step = max(1, -(-len(points) // _SEEN))
    points = points[::step]
    return (np.asarray(ax.transData.transform(points)) if len(points) else points), step


def _within(corners: Corners, points: NDArray[np.float64]) -> tuple[Any, Any]:
    """How far points are beyond the sides of a rectangle along its two axes; negative inside."""
    found = []
    for side in (corners[1] - corners[0], corners[3] - corners[0]):
        length = float(np.linalg.norm(side)) or 1.0
        place = (points - corners[0]) @ side / length
        found.append(np.abs(place - length / 2) - length / 2)
    return found[0], found[1]


def leader(dot: NDArray[np.float64], corners: Corners, pixel: float) -> tuple[Any, Corners]:
    """The line from a dot to a level word: where on the word it ends, and itself, a rectangle.

    The end is in shares of the word's width and height.
    """
    low, high = corners.min(0), corners.max(0)
    end = dot.clip(low, high)
    way = (dot - end) / (float(np.linalg.norm(dot - end)) or 1.0)
    beside = np.array([-way[1], way[0]]) * _HALF * pixel
    start = end + way * pixel  # off the word that it belongs to
    line: Corners = np.stack([start - beside, dot - beside, dot + beside, start + beside])
    return tuple((end - low) / (high - low)), line


def _along(line: NDArray[np.float64]) -> NDArray[np.float64]:
    """Some points on a line, wherever its own are."""
    t = np.linspace(0, len(line) - 1, 12)[1:-1]
    index = np.arange(len(line))
    return np.stack([np.interp(t, index, line[:, 0]), np.interp(t, index, line[:, 1])], axis=1)


def taken(ax: Any, pen: RendererAgg) -> NDArray[np.float64]:
    """Corners of what is on the axes already: other words, as they are turned, and thumbnails."""
    others = [o for o in (*ax.texts, *ax.findobj(BboxImage)) if o.get_visible()]
    return np.stack([_of_artist(o, pen) for o in others]) if others else np.empty((0, 4, 2))


def _of_artist(artist: Any, pen: RendererAgg) -> Corners:
    """The corners of an image, or of a text as it is turned."""
    if isinstance(artist, Text):  # without the line that an annotation may have
        box, degrees = Text.get_window_extent(artist, pen), artist.get_rotation()
        artist.set_rotation(0)
        size, angle = Text.get_window_extent(artist, pen).size, math.radians(degrees)
        artist.set_rotation(degrees)
    else:
        box, angle = artist.get_window_extent(pen), 0.0
        size = box.size
    centre = np.array([box.x0 + box.x1, box.y0 + box.y1]) / 2
    corners: Corners = turned(np.zeros(2), size, angle) + centre
    return corners


def turned(start: NDArray[np.float64], size: Any, angle: float) -> Corners:
    """The corners of a rectangle with its middle at start, turned about (0, 0)."""
    flat = start + 0.5 * np.array(size) * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
    c, s = math.cos(angle), math.sin(angle)
    corners: Corners = flat @ np.array([[c, s], [-s, c]])
    return corners
