"""What colours say: labels by a legend, ordered levels and numbers by a scale."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap, ListedColormap, Normalize, is_color_like
from numpy.typing import NDArray
from torch import Tensor

from ._axes import array, is_solid
from ._solid import Dots

# Okabe & Ito's colours, told apart by colour-blind readers too; when they run out, the next marker.
COLOURS = (
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7F6000", "#4D4D4D",
)  # fmt: skip
MARKERS = ("o", "^", "s", "D", "v", "P", "X", "*")
_MOST_LEVELS = 12  # with a line of the legend each
_NARROW = 4.5  # inches: on narrower figures the legend stands below


def ordered(count: int) -> list[Any]:
    """Colours of so many levels, from dark to light, legible on white."""
    return [tuple(c) for c in scale()(np.linspace(0, 1, count) if count > 1 else [0.0])]


def scale() -> Colormap:
    """Viridis without its palest end, which white paper swallows."""
    return ListedColormap(mpl.colormaps["viridis"](np.linspace(0, 0.9, 256)), "viridis-on-white")


def scatter(
    ax: Any,
    xyz: NDArray[np.float64],
    where: str,
    *,
    labels: Sequence[object] | None = None,
    color: Any = None,
    size: float = 18.0,
    sizes: Any = None,
    title: str | None = None,
    order: Sequence[object] | None = None,
    key: bool = True,
    **style: Any,
) -> list[Any]:
    """One collection a label or level, in order, with a legend; else one, of numbers with a bar."""
    if labels is not None and color is not None:
        raise ValueError(f"{where}: labels and color are both given; expected at most one of them.")
    area = _areas(sizes, len(xyz), size, where)
    kind, values = _kind(labels, color, len(xyz), where)
    if kind == "one":
        return [_dots(ax, xyz, values, area, **style)]
    if kind == "numbers":
        both = ScalarMappable(
            Normalize(values.min(), values.max()) if len(values) else None, scale()
        )
        dots = _dots(ax, xyz, both.to_rgba(values), area, **style)
        if key:
            bar(ax, both, title)
        return [dots]
    groups = sorted(set(values))
    if kind == "labels":
        groups = list(dict.fromkeys(values))
        first = {str(label): k for k, label in enumerate(order or ())}
        groups.sort(key=lambda group: first.get(group, len(first)))
    levels = ordered(len(groups))
    artists = []
    for k, group in enumerate(groups):
        chosen = np.array([value == group for value in values])
        named = kind == "labels"
        colour = COLOURS[k % len(COLOURS)] if named else levels[k]
        marker = MARKERS[k // len(COLOURS) % len(MARKERS)] if named else "o"
        own = area[chosen] if np.ndim(area) else area
        artists.append(
            _dots(ax, xyz[chosen], colour, own, marker=marker, label=str(group), **style)
        )
    if not key:
        return artists
    if artists and (kind == "labels" or len(groups) <= _MOST_LEVELS):
        legend(ax, title)
    elif artists:
        # A bar of levels: the collections have one colour each, so it has a mappable of its own.
        bar(ax, ScalarMappable(Normalize(groups[0], groups[-1]), scale()), title)
    return artists


def _dots(ax: Any, xyz: NDArray[np.float64], colour: Any, area: Any, **style: Any) -> Any:
    """One collection of points, on a disk or on a surface."""
    if not is_solid(ax):
        return ax.scatter(*xyz.T, color=colour, s=area, **style)
    style = {"marker": "o"} | style
    return ax.add_collection(Dots.at(xyz, colour, area, **style), autolim=False)


def legend(ax: Any, title: str | None = None) -> None:
    """Beside the picture, or below one of a column's width; its marks of one size."""
    figure = ax.get_figure(root=True)
    count = len(ax.get_legend_handles_labels()[0])
    style: dict[str, Any] = {"loc": "upper left", "bbox_to_anchor": (1.0, 1.0)}
    style["ncols"] = -(-count // 28)
    if figure.get_size_inches()[0] < _NARROW:
        style |= {"loc": "upper center", "bbox_to_anchor": (0.5, 0.0), "ncols": min(count, 3)}
        style |= {"columnspacing": 1.0, "handletextpad": 0.2, "fontsize": 7}
    shown = ax.legend(frameon=False, title=title, **style)
    for handle in shown.legend_handles:
        if hasattr(handle, "set_sizes"):
            handle.set(sizes=[24.0], alpha=1.0)


def bar(ax: Any, mappable: Any, title: str | None) -> None:
    """A scale beside one picture or several, or below narrow ones."""
    figure = ax.get_figure(root=True)
    below = figure.get_size_inches()[0] < _NARROW
    place: dict[str, Any] = {"location": "bottom"} if below else {"location": "right"}
    shown = figure.colorbar(mappable, ax=ax, shrink=0.6, aspect=22, pad=0.02, label=title, **place)
    shown.outline.set_visible(False)
    if below:
        shown.ax.tick_params(labelsize=7)
        shown.ax.xaxis.label.set_fontsize(8)


def _areas(sizes: Any, count: int, size: float, where: str) -> Any:
    if sizes is None:
        return size
    found = array(sizes).reshape(-1)
    if len(found) != count or not (np.isfinite(found) & (found >= 0)).all():
        raise ValueError(
            f"{where}: sizes are {len(found)} numbers for {count} points, the least "
            f"{found.min() if found.size else 'none'}; expected as many areas in square points."
        )
    return found


def _kind(labels: Any, color: Any, count: int, where: str) -> tuple[str, Any]:
    """What colours are to say, and of each point."""
    if labels is None and color is None:
        return "one", COLOURS[0]
    if labels is None and (isinstance(color, str) or _is_one(color)):
        if is_color_like(color):
            return "one", color
        raise ValueError(
            f"{where}: color is {color!r}; expected a colour, or for each point a label, a whole "
            "number (an ordered level) or another number."
        )
    given = color if labels is None else labels
    name = "labels" if labels is not None else "values of color"
    if len(given) != count:
        raise ValueError(
            f"{where}: there are {len(given)} {name} for {count} points; expected as many."
        )
    if labels is None and not isinstance(given, Tensor):
        given = np.asarray(given)
    if labels is None and (isinstance(given, Tensor) or given.dtype.kind in "iuf"):
        numbers = given.detach().cpu().numpy() if isinstance(given, Tensor) else given
        if numbers.dtype.kind in "iu" and numbers.ndim == 1:
            return "levels", numbers.tolist()
        if numbers.dtype.kind == "f":
            numbers = numbers.astype(np.float64)
            if numbers.ndim != 1 or not np.isfinite(numbers).all():
                raise ValueError(
                    f"{where}: color has shape {numbers.shape} and "
                    f"{int((~np.isfinite(numbers)).sum())} numbers that are not finite; expected "
                    "one finite number for each point."
                )
            return "numbers", numbers
    texts = [str(one.item() if isinstance(one, Tensor | np.generic) else one) for one in given]
    return "labels", texts


def _is_one(color: Any) -> bool:
    """Whether it is one colour by its numbers: a tuple, never an array or list of values."""
    return isinstance(color, tuple) and len(color) in (3, 4) and is_color_like(color)
