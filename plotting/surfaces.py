"""The hyperboloid and the sphere in space."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor

from ..manifolds import Lorentz, Manifold, Sphere
from ._axes import FAINT, axes, on_surface, one_scale, scatter_by_label


class Surface(NamedTuple):
    """Artists of :func:`hyperboloid` and :func:`sphere`."""

    ax: Any
    wireframe: Any
    points: list[Any]


def hyperboloid(
    points: Tensor | None = None,
    *,
    manifold: Manifold | None = None,
    labels: Sequence[object] | None = None,
    reach: float | None = None,
    ax: Any = None,
    size: float = 18.0,
) -> Surface:
    """Draw the hyperboloid in space, the time axis up, and points of the hyperbolic plane on it.

    Args:
        points: (N, m), of dimension 2 on any hyperbolic model.
        manifold: their space; Lorentz() if None. Drawn at curvature -1.
        labels: N labels; a colour and a line of the legend for each.
        reach: distance from the origin up to which the surface is drawn, in units of
            1/sqrt(-K); up to the farthest point, at least 1.5, if None.
        ax: a 3-D axes; a new figure if None.
        size: area of a marker in square points.

    Raises:
        ValueError: points not of dimension 2, a manifold that is not hyperbolic.
    """
    where = "plotting.hyperboloid"
    manifold = manifold or Lorentz()
    if manifold.sign >= 0:
        raise ValueError(f"{where}: manifold is {manifold}; expected a hyperbolic one.")
    xyz = None if points is None else on_surface(points, manifold, where)
    if reach is None:
        farthest = 0.0 if xyz is None or not xyz.size else math.acosh(xyz[..., 2].max())
        reach = max(1.5, 1.05 * farthest)
    ax = axes(ax, where, solid=True, width=6.0 if labels is None else 7.4)
    wireframe = _wireframe(ax, np.sinh, np.cosh, np.linspace(0, reach, 13))
    _name_axes(ax, "time")
    return _with_points(ax, wireframe, xyz, labels, size, where)


def sphere(
    points: Tensor | None = None,
    *,
    manifold: Manifold | None = None,
    labels: Sequence[object] | None = None,
    ax: Any = None,
    size: float = 18.0,
) -> Surface:
    """Draw the sphere in space, its origin up, and points on it.

    Args:
        points: (N, m), of dimension 2 on any model of the sphere; (N, 3) on Sphere.
        manifold: their space; Sphere() if None. Drawn with radius 1.
        labels, ax, size: as in :func:`hyperboloid`.

    Raises:
        ValueError: points not of dimension 2, a manifold that is not a sphere.
    """
    where = "plotting.sphere"
    manifold = manifold or Sphere()
    if manifold.sign <= 0:
        raise ValueError(f"{where}: manifold is {manifold}; expected a Sphere.")
    xyz = None if points is None else on_surface(points, manifold, where)
    ax = axes(ax, where, solid=True, width=6.0 if labels is None else 7.4)
    wireframe = _wireframe(ax, np.sin, np.cos, np.linspace(0, np.pi, 25))
    _name_axes(ax, "towards the origin")
    return _with_points(ax, wireframe, xyz, labels, size, where)


def _wireframe(ax: Any, sn: Any, cs: Any, distances: Any) -> Any:
    """Circles about the origin at the given distances, and rays."""
    r, angles = np.meshgrid(distances, np.linspace(0, 2 * np.pi, 49))
    x, y, z = sn(r) * np.cos(angles), sn(r) * np.sin(angles), cs(r)
    count = len(distances) - 1
    return ax.plot_wireframe(x, y, z, rcount=24, ccount=count, color=FAINT, linewidth=0.5)


def _with_points(
    ax: Any, wireframe: Any, xyz: Any, labels: Sequence[object] | None, size: float, where: str
) -> Surface:
    artists: list[Any] = []
    if xyz is not None:
        style = {"s": size, "linewidths": 0, "depthshade": False}
        artists = scatter_by_label(ax, xyz.reshape(-1, 3), labels, where, **style)
    one_scale(ax)
    return Surface(ax, wireframe, artists)


def _name_axes(ax: Any, up: str) -> None:
    ax.patch.set_visible(False)  # it would cover the neighbour's labels
    ax.set(xlabel="first coordinate", ylabel="second coordinate", zlabel=up)
    for axis in (ax.xaxis, ax.yaxis, ax.zaxis):
        axis.set_major_locator(_few_ticks())
        axis.pane.set_visible(False)


def _few_ticks() -> Any:
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(4, steps=[1, 2, 5, 10], prune="both")
