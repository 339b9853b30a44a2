"""The flat charts that a picture can show, and which of them an axes holds."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from matplotlib.patches import Circle
from numpy.typing import NDArray
from torch import Tensor

from ..manifolds import HalfSpace, Klein, Manifold, PoincareBall
from ..manifolds.checks import ArrayLike
from ._axes import FAINT, INK, array, in_plane, is_solid, on_surface

CHARTS = ("poincare", "klein", "half-plane", "normal")
_MODELS: dict[str, Manifold] = {
    "poincare": PoincareBall(-1.0),
    "klein": Klein(-1.0),
    "half-plane": HalfSpace(-1.0),
}
_RIM = {"linewidth": 1.2, "edgecolor": INK, "fill": False}
_HELD = "_spaceforms_chart"
_ANGLE = 0.2  # from the vertical, where rings carry their numbers


class Chart(NamedTuple):
    """A chart, and the sign of the curvature of what is drawn in it."""

    name: str
    sign: int

    def page(self, v: Tensor) -> NDArray[np.float64]:
        """Normal coordinates at unit curvature -> coordinates of the axes, (..., 2)."""
        return array(v if self.name == "normal" else _MODELS[self.name].from_normal(v))

    def normal(self, xy: Tensor) -> Tensor:
        """The way back: coordinates of the axes within the chart -> normal coordinates."""
        found: Tensor = xy if self.name == "normal" else _MODELS[self.name].to_normal(xy)
        return found

    def holds(self, xy: Tensor) -> Tensor:
        """Whether places are within the chart."""
        rim = 1.0 if self.name != "normal" else math.pi if self.sign > 0 else math.inf
        within: Tensor = xy[..., 1] > 0 if self.name == "half-plane" else xy.norm(dim=-1) < rim
        return within

    @property
    def radial(self) -> bool:
        """Whether the origin is in the middle, and rays from it are straight."""
        return self.name != "half-plane"

    def radius(self, distance: float) -> float:
        """Of the circle about the origin that holds the points at a distance from it."""
        scale = {"poincare": lambda r: math.tanh(r / 2), "klein": math.tanh, "normal": float}
        return float(scale[self.name](distance) if self.radial else math.sinh(distance))

    def circle(self, distance: float, **style: Any) -> Circle:
        """The points at a distance from the origin: in all of these charts a circle."""
        height = 0.0 if self.radial else math.cosh(distance)
        return Circle((0.0, height), self.radius(distance), **style)

    def frame(self, ax: Any, xy: NDArray[np.float64] | None, reach: float | None) -> Any:
        """Draw the boundary and set the limits; the boundary, None of a plane without one."""
        ax.set(aspect="equal")
        ax.set_axis_off()
        farthest = 1.0 if xy is None or not xy.size else float(np.abs(xy).max()) or 1.0
        if not self.radial:
            if reach is None:
                low, high = (-3.0, 3.0) if xy is None or not xy.size else _span(xy[..., 0])
                top = max(1.0, 1.08 * (4.0 if xy is None or not xy.size else xy[..., 1].max()))
            else:
                low, high, top = -math.sinh(reach), math.sinh(reach), math.exp(reach)
            ax.set(xlim=(low, high), ylim=(-0.02 * top, top))
            return ax.axhline(0.0, color=INK, linewidth=1.2, zorder=1)
        if self.name == "normal":
            whole = math.pi if self.sign > 0 else farthest
            half = 1.03 * (whole if reach is None else reach)
            boundary = Circle((0, 0), math.pi, **_RIM) if self.sign > 0 else None
        else:
            half = 1.03 * (1.0 if reach is None else self.radius(reach))
            boundary = Circle((0, 0), 1.0, **_RIM)
        if boundary is not None:
            ax.add_patch(boundary)
        ax.set(xlim=(-half, half), ylim=(-half, half))
        return boundary


def _span(x: NDArray[np.float64]) -> tuple[float, float]:
    """Limits around numbers, the origin's 0 among them."""
    low, high = min(0.0, float(x.min())), max(0.0, float(x.max()))
    room = 0.06 * max(high - low, 1.0)
    return low - room, high + room


def chart_of(name: str, manifold: Manifold, where: str) -> Chart:
    """The chart of a name, if it shows the manifold."""
    if name not in CHARTS:
        raise ValueError(f"{where}: chart is {name!r}; expected one of {', '.join(CHARTS)}.")
    if name != "normal" and manifold.sign >= 0:
        also = "sphere draws its points on the sphere, " if manifold.sign > 0 else ""
        raise ValueError(
            f"{where}: manifold is {manifold}; expected a hyperbolic one, as Lorentz or "
            f"PoincareBall, in the chart {name!r} ({also}chart='normal' draws those of any "
            "manifold in normal coordinates)."
        )
    return Chart(name, 0 if manifold.sign == 0 else int(math.copysign(1, manifold.sign)))


def hold(ax: Any, chart: Chart) -> None:
    """Keep with an axes what it shows, for what is drawn on it later."""
    setattr(ax, _HELD, chart)


def held(ax: Any, manifold: Manifold, where: str) -> Chart:
    """What a 2-D axes shows, the Poincaré disk if nothing was said, if that shows the manifold."""
    chart = getattr(ax, _HELD, None)
    if chart is None:
        return chart_of("poincare", manifold, where)
    if chart_of(chart.name, manifold, where).sign != chart.sign:
        raise ValueError(
            f"{where}: manifold is {manifold}, but ax shows a space of curvature of the sign "
            f"{chart.sign}; expected one of its kind, or another ax."
        )
    return chart  # type: ignore[no-any-return]


def shows(ax: Any) -> Chart | None:
    """What an axes shows, if a function of this room made it a chart."""
    found: Chart | None = getattr(ax, _HELD, None)
    return found


def on_chart(
    points: ArrayLike, manifold: Manifold, chart: Chart, where: str
) -> NDArray[np.float64]:
    """Points of dimension 2 in the coordinates of a chart: (..., m) -> (..., 2)."""
    return chart.page(in_plane(points, manifold, where))


def rings(ax: Any, chart: Chart, distances: Any) -> list[Circle]:
    """Circles about the origin with their radius on them, where there is room for it."""
    left, right = ax.get_xlim()
    half = (right - left) / 2
    circles = []
    written = 0.0
    for distance in sorted(distances):
        circle = chart.circle(distance, fill=False, edgecolor=FAINT, linewidth=0.6, zorder=0.5)
        ax.add_patch(circle)
        circles.append(circle)
        radius = circle.get_radius()
        last = 1.0 if chart.name in ("poincare", "klein") else math.inf
        if min(radius - written, last - radius) > 0.05 * half:
            written = radius
            x, y = (0.0, 0.0) if chart.radial else (0.0, math.cosh(distance))
            ax.text(
                x + radius * math.sin(_ANGLE),
                y + radius * math.cos(_ANGLE),
                f"{distance:g}",
                color="#777777",
                fontsize=7,
                horizontalalignment="center",
                verticalalignment="center",
                clip_on=True,
                zorder=0.6,
                bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},
            )
    return circles


def on_page(places: Any, manifold: Manifold | None, ax: Any, where: str) -> NDArray[np.float64]:
    """Places given in the coordinates of a 2-D axes, or as points of what it shows."""
    if manifold is not None:
        return on_chart(places, manifold, held(ax, manifold, where), where)
    xy = array(places)
    if xy.ndim != 2 or xy.shape[1] != 2:
        raise ValueError(
            f"{where}: places have shape {xy.shape} without a manifold; expected (N, 2), or the "
            "manifold that they are points of."
        )
    return xy


def drawn(points: ArrayLike, manifold: Manifold, ax: Any, where: str) -> NDArray[np.float64]:
    """Points in the coordinates of the picture that ``ax`` holds."""
    if is_solid(ax):
        return on_surface(points, manifold, where)
    return on_chart(points, manifold, held(ax, manifold, where), where)
