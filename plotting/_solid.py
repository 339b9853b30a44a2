"""Dots and lines on a surface in space, those on its hidden side faint whatever the view."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from matplotlib.collections import LineCollection, PathCollection, PolyCollection
from matplotlib.colors import to_rgba_array
from matplotlib.markers import MarkerStyle
from matplotlib.path import Path
from matplotlib.transforms import IdentityTransform
from mpl_toolkits.mplot3d import proj3d
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_DIM = 0.25  # of its opacity keeps what is hidden
_ZOOM = 1.3  # without an axes box there is room
_HELD, _BOX = "_spaceforms_surface", "_spaceforms_box"


class Quadric(NamedTuple):
    """The sphere x.x = 1 or the hyperboloid's sheet x.x - z^2 = -1, up to a height."""

    sign: int
    top: float

    def hides(self, points: Floats, eye: Floats) -> NDArray[np.bool_]:
        """Whether the surface is met once more on the way from its points to the eye: (..., 3)."""
        form = np.array([1.0, 1.0, float(self.sign)])
        across = float(eye @ (form * eye))
        if abs(across) < 1e-12:  # along an asymptote: no second time
            return np.zeros(points.shape[:-1], bool)
        way = -2 * (points @ (form * eye)) / across
        height = points[..., 2] + way * eye[2]
        above = height >= (1.0 if self.sign < 0 else -1.0) - 1e-9
        found: NDArray[np.bool_] = (way > 1e-9) & above & (height <= self.top + 1e-9)
        return found


def hold(ax: Any, surface: Quadric) -> None:
    """Keep with an axes what surface it shows."""
    setattr(ax, _HELD, surface)


def eye(ax: Any) -> Floats:
    """The direction to the eye of an axes of one scale, seen from infinity."""
    up, round_ = np.deg2rad([ax.elev, ax.azim])
    return np.array([np.cos(up) * np.cos(round_), np.cos(up) * np.sin(round_), np.sin(up)])


def hidden(ax: Any, points: Floats) -> NDArray[np.bool_]:
    """Which points the surface of an axes hides, as it is looked at now."""
    surface = getattr(ax, _HELD, None)
    return np.zeros(points.shape[:-1], bool) if surface is None else surface.hides(points, eye(ax))


class Lines(LineCollection):
    """Lines in space whose hidden parts are faint."""

    def __init__(self, curves: Floats, **style: Any) -> None:
        super().__init__([], **style)
        self.curves = curves
        """(N, points, 3)."""
        self._shades, self._widths = self.get_colors(), np.atleast_1d(self.get_linewidth())

    def do_3d_projection(self) -> float:
        """Put the lines on the page, in pieces that are seen or not; the depth of the nearest."""
        pieces, shades, widths, depth = [], [], [], np.inf
        ax: Any = self.axes
        unseen = hidden(ax, self.curves)
        for k, curve in enumerate(self.curves):
            x, y, z = proj3d.proj_transform(*curve.T, ax.M)
            depth = min(depth, float(np.min(z)))
            cuts = np.flatnonzero(np.diff(unseen[k])).tolist()
            ends = [0, *(cut + 1 for cut in cuts), len(curve) - 1]
            for start, stop in pairwise(ends):
                pieces.append(np.stack([x[start : stop + 1], y[start : stop + 1]], axis=1))
                shades.append(_faint(self._shades[k % len(self._shades)], unseen[k][start]))
                widths.append(self._widths[k % len(self._widths)])
        self.set(segments=pieces, color=shades, linewidth=widths, alpha=None)
        return depth


class Dots(PathCollection):
    """Points in space that are faint where they are hidden, the near ones before the far."""

    points: Floats = np.empty((0, 3))
    """(N, 3)."""
    areas: Floats
    """(N,), in square points."""
    colours: Any
    """(N, 4), or (1, 4) for all."""

    @classmethod
    def at(cls, points: Floats, colours: Any, areas: Any, marker: str, **style: Any) -> Dots:
        """Markers of so many square points."""
        shape = MarkerStyle(marker)
        path = shape.get_path().transformed(shape.get_transform())
        self = cls([path], sizes=np.atleast_1d(areas), **style)
        self.points, self.areas = points, np.broadcast_to(areas, len(points))
        self.colours = to_rgba_array(colours, style.get("alpha"))
        self.set(facecolor=self.colours, alpha=None, transform=IdentityTransform())
        return self

    def do_3d_projection(self) -> float:
        """Put the points on the page; the depth of the nearest."""
        if not len(self.points):
            return np.inf
        ax: Any = self.axes
        x, y, z = (np.asarray(c) for c in proj3d.proj_transform(*self.points.T, ax.M))
        order = np.argsort(-z, kind="stable")
        shades = np.broadcast_to(self.colours, (len(self.points), 4))
        unseen = hidden(ax, self.points)
        shades = np.array([_faint(c, h) for c, h in zip(shades, unseen, strict=True)])
        self.set_offset_transform(ax.transData)
        self.set(offsets=np.stack([x, y], axis=1)[order], facecolor=shades[order])
        self.set_sizes(self.areas[order])
        return float(z.min())


class Faces(PolyCollection):
    """All of a surface in space, the far parts first. Opaque: else seams would show."""

    def __init__(self, corners: Floats, colours: Any, **style: Any) -> None:
        super().__init__([], linewidths=0.5, **style)
        self.corners = corners
        """(N, corners, 3)."""
        self._shades = to_rgba_array(colours)

    def do_3d_projection(self) -> float:
        """Put the faces on the page; the depth of the nearest."""
        flat, depth = _flat(self.corners, self.axes)
        order = np.argsort(-depth, kind="stable")
        self.set_verts(list(flat[order]))
        # Edges of the faces' own colours, or seams would show.
        self.set(facecolor=self._shades[order], edgecolor=self._shades[order])
        return float(depth.min())


class Shade(PathCollection):
    """A part of a surface in space, as far as the surface does not hide it: one path without
    seams."""

    def __init__(self, corners: Floats, **style: Any) -> None:
        super().__init__([], **style)
        self.corners = corners
        """(N, corners, 3)."""

    def do_3d_projection(self) -> float:
        """Put what is seen on the page; the depth of the nearest."""
        flat, depth = _flat(self.corners, self.axes)
        seen = flat[~hidden(self.axes, self.corners.mean(1))]
        closed = np.concatenate([seen, seen[:, :1]], axis=1)
        codes = [Path.MOVETO, *[Path.LINETO] * (seen.shape[1] - 1), Path.CLOSEPOLY]
        path = Path(closed.reshape(-1, 2), codes * len(seen)) if len(seen) else Path([[0, 0]])
        self.set_paths([path])
        return float(depth.min())


def _flat(corners: Floats, ax: Any) -> tuple[Floats, Floats]:
    """Corners on the page and the depth of each face."""
    x, y, z = proj3d.proj_transform(*corners.reshape(-1, 3).T, ax.M)
    flat = np.stack([x, y], axis=1).reshape(*corners.shape[:2], 2)
    return flat, np.asarray(z).reshape(flat.shape[:2]).mean(1)


def _faint(colour: Any, unseen: bool) -> Any:
    return (*colour[:3], colour[3] * (_DIM if unseen else 1.0))


def grown(ax: Any, points: Floats) -> None:
    """Make room for points, on one scale."""
    if not points.size:
        return
    flat = points.reshape(-1, 3)
    box = np.stack([flat.min(0), flat.max(0)])
    before = getattr(ax, _BOX, None)
    if before is not None:
        box = np.stack([np.minimum(box[0], before[0]), np.maximum(box[1], before[1])])
    setattr(ax, _BOX, box)
    room = 0.01 * (box[1] - box[0])
    for part, low, high in zip("xyz", box[0] - room, box[1] + room, strict=True):
        ax.set(**{f"{part}lim": (low, high)})
    ax.set_box_aspect(box[1] - box[0], zoom=_ZOOM)
