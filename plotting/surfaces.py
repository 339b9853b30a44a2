"""The hyperboloid and the sphere in space."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.colors import to_rgb

from ..manifolds import Lorentz, Manifold, Sphere
from ..manifolds.checks import ArrayLike
from ._axes import axes, on_surface
from ._colour import scatter
from ._solid import Faces, Lines, Quadric, grown, hold

_PAPER, _SHADE = "#FFFFFF", "#8FA3B5"  # of the surface where light falls on it and where none does
_LIGHT = np.array([0.35, -0.5, 0.79])
_GRATICULE = "#8C9AA8"
_VIEW = (24.0, -60.0)  # elevation and azimuth in degrees


class Surface(NamedTuple):
    """Artists of :func:`hyperboloid` and :func:`sphere`."""

    ax: Any
    wireframe: Any
    """Circles about the origin and rays, one collection."""
    points: list[Any]
    surface: Any
    """The shaded surface."""


def hyperboloid(
    points: ArrayLike | None = None,
    *,
    manifold: Manifold | None = None,
    labels: Sequence[object] | None = None,
    color: Any = None,
    reach: float | None = None,
    ax: Any = None,
    size: float = 18.0,
    sizes: Any = None,
    title: str | None = None,
    key: bool = True,
    view: tuple[float, float] = _VIEW,
) -> Surface:
    """Draw the hyperboloid in space, the time axis up, and points of the hyperbolic plane on it.

    What the surface hides is faint, from wherever it is looked at (``ax.view_init``).

    Args:
        points: (N, m), of dimension 2 on any hyperbolic model.
        manifold: their space; Lorentz() if None. Drawn at curvature -1.
        labels, color, size, sizes, title, key: as in :func:`disk`.
        reach: distance from the origin up to which the surface is drawn, in units of
            1/sqrt(-K); up to the farthest point, at least 1.5, if None.
        ax: a 3-D axes; a new figure if None.
        view: elevation and azimuth of the eye in degrees.

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
    shape = Quadric(-1, math.cosh(reach))
    return _drawn(
        xyz, where, ax, np.sinh, np.cosh, reach, view, shape, labels=labels, color=color,
        size=size, sizes=sizes, title=title, key=key,
    )  # fmt: skip


def sphere(
    points: ArrayLike | None = None,
    *,
    manifold: Manifold | None = None,
    labels: Sequence[object] | None = None,
    color: Any = None,
    ax: Any = None,
    size: float = 18.0,
    sizes: Any = None,
    title: str | None = None,
    key: bool = True,
    view: tuple[float, float] = _VIEW,
) -> Surface:
    """Draw the sphere in space, its origin up, and points on it.

    What the surface hides is faint, from wherever it is looked at (``ax.view_init``).

    Args:
        points: (N, m), of dimension 2 on any model of the sphere; (N, 3) on Sphere.
        manifold: their space; Sphere() if None. Drawn with radius 1.
        labels, color, ax, size, sizes, title, key, view: as in :func:`hyperboloid`.

    Raises:
        ValueError: points not of dimension 2, a manifold that is not a sphere.
    """
    where = "plotting.sphere"
    manifold = manifold or Sphere()
    if manifold.sign <= 0:
        raise ValueError(f"{where}: manifold is {manifold}; expected a Sphere.")
    xyz = None if points is None else on_surface(points, manifold, where)
    shape = Quadric(1, 1.0)
    return _drawn(
        xyz, where, ax, np.sin, np.cos, math.pi, view, shape, labels=labels, color=color,
        size=size, sizes=sizes, title=title, key=key,
    )  # fmt: skip


def _drawn(
    xyz: Any,
    where: str,
    ax: Any,
    sn: Callable[[Any], Any],
    cs: Callable[[Any], Any],
    reach: float,
    view: tuple[float, float],
    shape: Quadric,
    **style: Any,
) -> Surface:
    """A surface and points on it."""
    plain = style["labels"] is None and style["color"] is None
    ax = axes(ax, where, solid=True, width=5.0 if plain else 6.2)
    wireframe, surface = _surface(ax, sn, cs, reach, view, shape)
    points = []
    if xyz is not None:
        points = scatter(ax, xyz.reshape(-1, 3), where, linewidths=0, zorder=3, **style)
        grown(ax, xyz)
    return Surface(ax, wireframe, points, surface)


def _surface(
    ax: Any,
    sn: Callable[[Any], Any],
    cs: Callable[[Any], Any],
    reach: float,
    view: Any,
    shape: Quadric,
) -> tuple[Any, Any]:
    """The surface up to a distance from its origin, and circles and rays on it."""
    ax.computed_zorder = False  # points lie on the surface, not behind what of it is nearer
    ax.set_proj_type("ortho")
    ax.view_init(elev=view[0], azim=view[1])
    ax.set_axis_off()
    ax.patch.set_visible(False)  # it would cover the neighbour's labels
    hold(ax, shape)

    def at(r: Any, angle: Any) -> Any:
        r, angle = np.broadcast_arrays(r, angle)
        return np.stack([sn(r) * np.cos(angle), sn(r) * np.sin(angle), cs(r)], axis=-1)

    turn, out = np.linspace(0, 2 * np.pi, 73), np.linspace(0, reach, 37)
    grid = at(out, turn[:, None])
    sign = float(shape.sign)
    normal = (grid[:-1, :-1] + grid[1:, 1:]) * np.array([1.0, 1.0, sign]) * sign
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    bright = (0.5 + 0.5 * (normal @ (_LIGHT / np.linalg.norm(_LIGHT)))[..., None]) ** 0.8
    shades = np.array(to_rgb(_SHADE)) * (1 - bright) + np.array(to_rgb(_PAPER)) * bright
    corners = np.stack([grid[:-1, :-1], grid[1:, :-1], grid[1:, 1:], grid[:-1, 1:]], axis=2)
    surface = Faces(corners.reshape(-1, 4, 3), shades.reshape(-1, 3), zorder=1)
    ax.add_collection(surface, autolim=False)
    circles = at(np.linspace(0, reach, 7)[1:, None], np.linspace(0, 2 * np.pi, 97))
    rays = at(np.linspace(0, reach, 97), np.arange(12)[:, None] * np.pi / 6)
    lines = Lines(
        np.concatenate([circles, rays]), colors=_GRATICULE, linewidths=0.4, alpha=0.8, zorder=1.2
    )
    ax.add_collection(lines, autolim=False)
    grown(ax, grid)
    return lines, surface
