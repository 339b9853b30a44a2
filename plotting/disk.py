"""The hyperbolic plane on paper: the Poincaré disk, the Klein disk, the half-plane."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.patches import Circle

from ..manifolds import Manifold
from ..manifolds.checks import ArrayLike
from ._axes import axes
from ._charts import chart_of, hold, on_chart, rings as draw_rings
from ._colour import scatter


class Disk(NamedTuple):
    """Artists of :func:`disk`."""

    ax: Axes
    boundary: Any
    """The rim: a circle, on the half-plane a line; None where the chart is all of the plane."""
    points: list[Any]
    rings: list[Circle]


def disk(
    points: ArrayLike | None = None,
    *,
    manifold: Manifold,
    labels: Sequence[object] | None = None,
    color: Any = None,
    ax: Axes | None = None,
    size: float = 18.0,
    sizes: Any = None,
    rings: Sequence[float] = (),
    reach: float | None = None,
    chart: str = "poincare",
    title: str | None = None,
    order: Sequence[object] | None = None,
    key: bool = True,
) -> Disk:
    """Draw the hyperbolic plane and points of it on the Poincaré disk, or in another chart.

    The picture is that of curvature -1 whatever the manifold's: of curvature K it shows distances
    in units of 1/sqrt(abs(K)). What is drawn on the axes later, geodesics, cones, names, is drawn
    in the same chart.

    Args:
        points: (N, m), of dimension 2 on any model of the space; None for an empty picture.
        manifold: the points' space.
        labels: N labels; a colour and a line of the legend for each.
        color: one colour; or for each point a label (as ``labels``), a whole number (an ordered
            level: from dark to light, with a legend, with a bar if there are more than 12) or a
            floating-point number (a bar). Instead of ``labels``.
        ax: where to draw; a new figure if None.
        size: area of a marker in square points.
        sizes: N of them instead.
        rings: distances from the origin at which to draw a faint circle with its number.
        reach: show the disk only up to this distance from the origin, for points that all lie near
            it; ``rings`` then keep the scale in sight. The whole disk if None.
        chart: "poincare", where angles are true; "klein", where geodesics are straight;
            "half-plane", the origin at (0, 1); or "normal", normal coordinates at the origin, where
            distances and directions from it are true: also of the sphere and of flat space, which
            have no other chart here.
        title: of the legend or of the bar.
        order: labels that come first in the legend, and take the first colours, in this order;
            the others follow as they appear.
        key: whether to draw the legend or the bar.

    Returns:
        The axes, the boundary, one collection a label or level (or a single one) and one circle a
        ring (by distance).

    Raises:
        TypeError: points that are no numbers, an ax that is no Axes.
        ValueError: points not of dimension 2 or not of the manifold, a manifold that is not
            hyperbolic in a chart that is, labels, colours or sizes that are not one a point, an ax
            of 3 dimensions.
    """
    where = "plotting.disk"
    shown = chart_of(chart, manifold, where)
    if reach is not None and not reach > 0:
        raise ValueError(f"{where}: reach is {reach}; expected a positive distance.")
    xy = None if points is None else on_chart(points, manifold, shown, where).reshape(-1, 2)
    wide = labels is not None or color is not None
    ax = axes(ax, where, width=6.2 if wide else 5.0)
    hold(ax, shown)
    boundary = shown.frame(ax, xy, reach)
    circles = draw_rings(ax, shown, rings)
    artists: list[Any] = []
    if xy is not None:
        style: dict[str, Any] = {"labels": labels, "color": color, "size": size, "sizes": sizes}
        style |= {
            "title": title,
            "order": order,
            "key": key,
            "linewidths": 0,
            "alpha": 0.9,
            "zorder": 3,
        }
        artists = scatter(ax, xy, where, **style)
    return Disk(ax, boundary, artists, circles)
