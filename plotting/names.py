"""Words beside points, as many as can be read."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

from ..manifolds import Manifold
from ._axes import INK, axes
from ._charts import on_page, shows
from ._words import Corners, Drawn, drawn, leader, meets, taken, turned

_GAP = 4.0  # points between a point and its word, and more where its dot is large
_OFF = 1.5  # points between a dot and its word at least
_AIR = 0.8  # points that words keep from each other
_INNER = 0.7  # of the rim's radius: nearer to the middle words are level, farther out they are rays
_DOT = 12.0  # covering one is as bad as so many points of lines
_ANOTHER = 6.0  # and standing beside another's dot as so many
_BESIDE_ANOTHER = 2.0  # points from a dot, of whose name a word has the looks
_LED = 5.0  # and having a line to its point as so many
_DENSE = 8 * _DOT  # where a word covers more, no place farther away is free
_FARTHER = (11.0, 18.0, 26.0)  # points from a point whose word finds no room beside it
_LEADER = {
    "arrowstyle": "-", "linewidth": 0.4, "color": INK, "shrinkA": 0, "shrinkB": 0, "patchA": None,
}  # fmt: skip
_TRIED = 8  # for each word that is wanted
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

    The most important first. Each stands where it covers fewest dots and lines, and stands beside
    fewest dots of others, of those places that are free: to the sides, above and below, near the
    rim of a disk outwards along the radius, and where none of these is good up to 26 points away
    with a thin line to its point, which crosses no other text.

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
    whole = drawn(ax, pixel)
    pen = _pen(figure)
    others = taken(ax, pen)
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
        near = whole.near(dots[k], (np.linalg.norm(size) + _FARTHER[-1] + 2 * _GAP) * pixel)
        gap = max(_GAP, whole.at(dots[k]) / pixel + _OFF)
        best, least = None, math.inf
        for spots, led in ((_spots(dots[k] - middle, inner, gap), False), (_farther(), True)):
            for spot in spots:
                corners = _corners(dots[k], spot, size, pixel)
                inside = (corners >= page.min).all() and (corners <= page.max).all()
                if not inside or meets(corners, others):
                    continue
                cost, end, parts = _cost(near, corners, pixel), None, corners[None]
                if led:
                    end, line = leader(dots[k], corners, pixel)
                    if meets(line, others):
                        continue
                    cost += _LED + _DOT * int((near.gaps(line) < 0).sum())
                    parts = np.stack([corners, line])
                if cost < least:
                    best, least = (spot, end, parts), cost
                if cost <= _LED * led:
                    break
            if least <= _LED or _DENSE < least < math.inf:
                break
        if best is None:
            text.remove()
            continue
        spot, end, parts = best
        if end is not None:
            text.remove()
            text = word(k, arrowprops=_LEADER | {"relpos": end})
        text.set(
            horizontalalignment=spot.ha,
            verticalalignment=spot.va,
            rotation=math.degrees(spot.angle),
        )
        text.set_position(spot.shift)
        artists.append(text)
        others = np.concatenate([others, parts])
        kept.append(k)
    return artists, np.asarray(kept, dtype=np.int64)


def _cost(near: Drawn, corners: Corners, pixel: float) -> float:
    """How bad a place is: of the dots that a word covers there or might be taken for the name of,
    and of the points of lines."""
    gaps = near.gaps(corners)
    beside = int((gaps < _BESIDE_ANOTHER * pixel).sum())
    return _DOT * int((gaps < 0).sum()) + _ANOTHER * beside + near.crossed(corners)


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


def _spots(out: NDArray[np.float64], inner: float, gap: float) -> Iterator[_Spot]:
    """Where a word may stand, the best first."""
    level = [
        _Spot((gap * _WAY[ha] * (0.75 if va != "center" else 1), gap / 2 * _WAY[va]), ha, va, 0.0)
        for ha, va in _BESIDE
    ]
    if not np.isfinite(inner) or not (length := float(np.linalg.norm(out))):
        yield from level
        return
    angle = math.atan2(out[1], out[0])
    flipped = out[0] < 0
    away = (gap * out[0] / length, gap * out[1] / length)
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
    box = turned(start, (size + 2 * _AIR) * pixel, spot.angle)
    return dot + np.array(spot.shift) * pixel + box
