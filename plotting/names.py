"""Words beside points, as many as can be read."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.image import BboxImage
from matplotlib.patches import Circle
from matplotlib.patheffects import withStroke
from matplotlib.text import Text
from numpy.typing import NDArray

from ..manifolds import Manifold
from ._axes import INK, axes
from ._charts import on_page, shows

Corners = NDArray[np.float64]
_GAP = 4.0  # points between a point and its word
_AIR = 0.8  # points that words keep from each other
_INNER = 0.7  # of the rim's radius: nearer to the middle words are level, farther out they are rays
_DOT = 6.0  # covering one is as bad as so many points of lines
_FARTHER = (11.0, 18.0, 26.0)  # points from a point whose word finds no room beside it
_LEADER = {"arrowstyle": "-", "linewidth": 0.4, "color": INK, "shrinkA": 0, "shrinkB": 0}
_TRIED = 8  # for each word that is wanted
_SEEN = 20_000  # dots and points of lines that words keep off, where there are more a share of them
_BESIDE = (
    ("left", "center"), ("right", "center"), ("left", "bottom"), ("left", "top"),
    ("right", "bottom"), ("right", "top"), ("center", "bottom"), ("center", "top"),
)  # fmt: skip
_WAY = {"left": 1, "center": 0, "right": -1, "bottom": 1, "top": -1}


class _Spot(NamedTuple):
    """One way to write a word beside its point."""

    shift: tuple[float, float]
    ha: str
    va: str
    angle: float


def names(
    places: Any,
    texts: Sequence[str],
    *,
    ax: Any = None,
    manifold: Manifold | None = None,
    most: int = 60,
    fontsize: float = 7.0,
    importance: Any = None,
    radial: bool | None = None,
) -> tuple[list[Any], NDArray[np.int64]]:
    """Write texts beside their points where they cover no other text and no thumbnail.

    The most important first. Each stands where it covers fewest dots and lines of those places that
    are free: to the sides, above and below, near the rim of a disk outwards along the radius, and
    if none of these is free up to 26 points away with a thin line to its point.

    Args:
        places: (N, 2) in the coordinates of ``ax``; with ``manifold``, points (N, m) of it.
        texts: N texts.
        ax: a 2-D axes; a new disk if None.
        manifold: the space that ``places`` are points of.
        most: the largest number to write.
        fontsize: in points.
        importance: N numbers; in the order given if None. Where ``most`` are wanted, at most the
            8 ``most`` most important are tried.
        radial: whether words near the rim may follow the radius; where ``ax`` shows a disk if None.

    Returns:
        The artists and the indices of what was written, the most important first.

    The extent of a text on the page is known only once the axes has its place: give the figure
    its size, title and legend first.
    """
    where = "plotting.names"
    if ax is None and manifold is not None:
        from .disk import disk

        ax = disk(manifold=manifold, chart="poincare" if manifold.sign < 0 else "normal").ax
    ax = axes(ax, where)
    xy = on_page(places, manifold, ax, where)
    if len(texts) != len(xy):
        raise ValueError(
            f"{where}: there are {len(texts)} texts for {len(xy)} places; expected as many."
        )
    order = _order(importance, len(xy), where)
    chart = shows(ax)
    if radial is None:
        radial = chart is not None and chart.radial
    figure = ax.get_figure(root=True)
    figure.draw_without_rendering()  # the layout decides where the axes lies
    pixel = figure.dpi / 72  # a point in pixels
    page = ax.get_window_extent()
    dots = ax.transData.transform(xy) if len(xy) else np.empty((0, 2))
    middle, rim = ax.transData.transform([(0.0, 0.0), (1.0, 0.0)])
    inner = _INNER * float(np.linalg.norm(rim - middle)) if radial else math.inf
    drawn = _drawn(ax)
    pen = _pen(figure)
    taken = _taken(ax, pen)
    halo = [withStroke(linewidth=1.8, foreground="white", alpha=0.85)]

    def word(k: int, **more: Any) -> Any:
        return ax.annotate(
            texts[k], tuple(xy[k]), xytext=(0, 0), textcoords="offset points",
            fontsize=fontsize, zorder=5, path_effects=halo, rotation_mode="anchor", **more,
        )  # fmt: skip

    artists: list[Any] = []
    kept: list[int] = []
    for k in order[: _TRIED * most].tolist():
        if len(kept) == most:
            break
        text = word(k)
        size = text.get_window_extent(pen).size / pixel
        best = None
        for spots in (_spots(dots[k] - middle, inner), _farther()):
            least = math.inf
            for spot in spots:
                corners = _corners(dots[k], spot, size, pixel)
                inside = (corners >= page.min).all() and (corners <= page.max).all()
                if not inside or _meets(corners, taken):
                    continue
                covered = _covered(corners, drawn)
                if covered < least:
                    best, least = (spot, corners), covered
                if not covered:
                    break
            if best is not None:
                break
        if best is None:
            text.remove()
            continue
        spot, corners = best
        if math.hypot(*spot.shift) > 2 * _GAP:
            text.remove()
            text = word(k, arrowprops=_LEADER)
        text.set(
            horizontalalignment=spot.ha,
            verticalalignment=spot.va,
            rotation=math.degrees(spot.angle),
        )
        text.set_position(spot.shift)
        artists.append(text)
        taken = np.concatenate([taken, corners[None]])
        kept.append(k)
    return artists, np.asarray(kept, dtype=np.int64)


def room_for(ax: Any, xy: NDArray[np.float64], texts: Sequence[str], fontsize: float) -> float:
    """How far a picture about (0, 0) must go for words that follow the radius to fit beside xy."""
    figure = ax.get_figure(root=True)
    figure.draw_without_rendering()
    half = min(ax.get_window_extent().size) / 2
    pixel = figure.dpi / 72
    probe, pen = ax.text(0, 0, "", fontsize=fontsize), _pen(figure)
    need = 0.0
    for (x, y), text in zip(xy, texts, strict=True):
        probe.set_text(text)
        width, height = probe.get_window_extent(pen).size
        r = math.hypot(x, y) or 1.0
        for along, across in ((abs(x) / r, abs(y) / r), (abs(y) / r, abs(x) / r)):
            # So wide is the word along this axis, in shares of the half of the picture.
            own = ((width + (_GAP + 2) * pixel) * along + height / 2 * across) / half
            need = max(need, r * along / max(1 - own, 0.2))
    probe.remove()
    return need


def _pen(figure: Any) -> RendererAgg:
    """What measures words: one for all, as a figure would make another each time."""
    width, height = figure.get_size_inches() * figure.dpi
    return RendererAgg(width, height, figure.dpi)  # type: ignore[no-untyped-call]


def _order(importance: Any, count: int, where: str) -> NDArray[np.int64]:
    if importance is None:
        return np.arange(count)
    found = np.asarray(importance, dtype=np.float64).reshape(-1)
    if len(found) != count or not np.isfinite(found).all():
        raise ValueError(
            f"{where}: importance has {len(found)} numbers for {count} places; expected as many, "
            "all finite."
        )
    return np.argsort(-found, kind="stable")


def _spots(out: NDArray[np.float64], inner: float) -> Iterator[_Spot]:
    """Where a word may stand, the best first."""
    level = [
        _Spot((_GAP * _WAY[ha] * (0.75 if va != "center" else 1), _GAP / 2 * _WAY[va]), ha, va, 0.0)
        for ha, va in _BESIDE
    ]
    if not np.isfinite(inner) or not (length := float(np.linalg.norm(out))):
        yield from level
        return
    angle = math.atan2(out[1], out[0])
    flipped = out[0] < 0
    away = (_GAP * out[0] / length, _GAP * out[1] / length)
    turned = angle + math.pi if flipped else angle
    rays = [
        _Spot(away, "right" if flipped else "left", "center", turned),
        _Spot((-away[0], -away[1]), "left" if flipped else "right", "center", turned),
    ]
    yield from rays[:1] + level + rays[1:] if length > inner else level + rays


def _farther() -> Iterator[_Spot]:
    """Where a word may stand with a line to its point, the nearest first."""
    for far in _FARTHER:
        for k in range(12):
            c, s = math.cos(math.pi * k / 6), math.sin(math.pi * k / 6)
            ha = "left" if c > 0.3 else "right" if c < -0.3 else "center"
            va = "bottom" if s > 0.8 else "top" if s < -0.8 else "center"
            yield _Spot((far * c, far * s), ha, va, 0.0)


def _corners(dot: NDArray[np.float64], spot: _Spot, size: Any, pixel: float) -> Corners:
    """The corners of a word on the page, turned about its anchor."""
    start = np.array([_WAY[spot.ha] * size[0], _WAY[spot.va] * size[1]]) * pixel / 2
    box = _turned(start, (size + 2 * _AIR) * pixel, spot.angle)
    return dot + np.array(spot.shift) * pixel + box


def _meets(corners: Corners, others: NDArray[np.float64]) -> bool:
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


def _covered(corners: Corners, drawn: Sequence[tuple[float, NDArray[np.float64]]]) -> float:
    """How much a rectangle covers of what is drawn, by its weight."""
    one, two = corners[1] - corners[0], corners[3] - corners[0]
    found = 0.0
    for weight, points in drawn:
        p = points - corners[0]
        a, b = p @ one / (one @ one), p @ two / (two @ two)
        found += weight * int(((a > 0) & (a < 1) & (b > 0) & (b < 1)).sum())
    return found


def _drawn(ax: Any) -> list[tuple[float, NDArray[np.float64]]]:
    """Pixels of dots, and of lines now and then, that words had better not cover."""
    dots, lines = [np.empty((0, 2))], [np.empty((0, 2))]
    for artist in ax.collections:
        if artist.get_zorder() < 1:
            continue  # a backdrop
        if isinstance(artist, PathCollection):
            dots.append(np.asarray(artist.get_offsets(), dtype=np.float64))
        elif isinstance(artist, LineCollection):
            lines += [_along(np.asarray(segment)[:, :2]) for segment in artist.get_segments()]
    for rim in ax.patches:
        if isinstance(rim, Circle) and rim.get_zorder() >= 1:
            turn = np.linspace(0, 2 * np.pi, 361)
            lines.append(rim.get_radius() * np.stack([np.cos(turn), np.sin(turn)], axis=1))
    found = []
    for weight, parts in ((_DOT, dots), (1.0, lines)):
        points = np.concatenate(parts)
        points = points[:: max(1, -(-len(points) // _SEEN))]
        if len(points):
            found.append((weight, np.asarray(ax.transData.transform(points))))
    return found


def _along(line: NDArray[np.float64]) -> NDArray[np.float64]:
    """Some points on a line, wherever its own are."""
    t = np.linspace(0, len(line) - 1, 12)[1:-1]
    index = np.arange(len(line))
    return np.stack([np.interp(t, index, line[:, 0]), np.interp(t, index, line[:, 1])], axis=1)


def _taken(ax: Any, pen: RendererAgg) -> NDArray[np.float64]:
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
    corners: Corners = _turned(np.zeros(2), size, angle) + centre
    return corners


def _turned(start: NDArray[np.float64], size: Any, angle: float) -> Corners:
    """The corners of a rectangle with its middle at start, turned about (0, 0)."""
    flat = start + 0.5 * np.array(size) * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
    c, s = math.cos(angle), math.sin(angle)
    corners: Corners = flat @ np.array([[c, s], [-s, c]])
    return corners
