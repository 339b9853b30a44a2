"""Geodesics, and cones whose sides are geodesics, on any picture of this room."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from matplotlib.collections import LineCollection
from numpy.typing import NDArray
from torch import Tensor

from ..manifolds import Manifold
from ..manifolds.checks import ArrayLike
from ._axes import an_axes, at_hand, at_rest, is_solid, unit_of_length
from ._charts import drawn
from ._colour import COLOURS
from ._solid import Lines, Shade, grown

_STEPS = 129  # points on a curve: a turn of a few degrees between two where it bends most
_FLAT = 5e-5  # of the width of the axes, by which a curve of fewer points may miss the geodesic
_RAYS = 65  # rays from an apex that fill its cone


class Cone(NamedTuple):
    """Artists of :func:`cone`."""

    sides: Any
    """The two sides, one collection."""
    fill: Any


def geodesics(
    x: ArrayLike,
    y: ArrayLike,
    *,
    manifold: Manifold,
    ax: Any = None,
    color: Any = COLOURS[0],
    linewidth: Any = 1.0,
    alpha: float = 1.0,
    zorder: float = 2.0,
) -> Any:
    """Draw the geodesic segments from x to y, as the manifold's own ``geodesic`` has them.

    Args:
        x, y: points (N, m) or (m,) of dimension 2; on the disk, of a hyperbolic manifold.
        manifold: their space.
        ax: axes of :func:`disk`, :func:`hyperboloid` or :func:`sphere`; a new disk, or for a
            Sphere a new sphere, if None.
        color, linewidth: of the lines; one, or N.
        alpha, zorder: of the lines.

    Returns:
        One collection of lines, a line a pair: as many as 100,000 are drawn in a second or two.
    """
    where = "plotting.geodesics"
    x, y = (at_hand(p, manifold, where, name) for name, p in (("x", x), ("y", y)))
    x, y = (p.reshape(-1, p.shape[-1]) for p in (x, y))
    count = max(len(x), len(y))
    x, y = (p.expand(count, -1) if len(p) == 1 else p for p in (x, y))
    ax = _picture(ax, manifold, where)
    manifold = at_rest(manifold)
    style = {
        "colors": color, "linewidths": linewidth, "alpha": alpha, "zorder": zorder,
        "capstyle": "round",
    }  # fmt: skip
    if is_solid(ax):
        curves = drawn(_paths(x, y, manifold, _STEPS), manifold, ax, where)
        lines = ax.add_collection(Lines(curves, **style), autolim=False)
        grown(ax, curves)
        return lines
    return ax.add_collection(
        LineCollection(on_page(x, y, manifold, ax, where), **style), autolim=False
    )


def on_page(
    x: Tensor, y: Tensor, manifold: Manifold, ax: Any, where: str
) -> list[NDArray[np.float64]]:
    """Geodesics on the page, each of as many points as it needs to look smooth."""
    rough = drawn(_paths(x, y, manifold, 9), manifold, ax, where)
    # Of a smooth curve the error of a chord falls as the square of the number of chords.
    chord, off = rough[:, 2::2] - rough[:, :-2:2], rough[:, 1:-1:2] - rough[:, :-2:2]
    length = np.linalg.norm(chord, axis=-1)
    across = np.abs(chord[..., 0] * off[..., 1] - chord[..., 1] * off[..., 0])
    bend = (across / np.where(length > 0, length, 1.0)).max(1)
    left, right = ax.get_xlim()
    wanted = np.sqrt(bend / (_FLAT * (right - left)))
    steps = np.select([wanted < 1e-3, wanted < 1, wanted < 4], [2, 9, 33], _STEPS)
    curves: list[Any] = [None] * len(rough)
    for count in (2, 9, 33, _STEPS):
        (chosen,) = np.nonzero(steps == count)
        if len(chosen):
            path = _paths(x[chosen], y[chosen], manifold, count)
            for k, curve in zip(chosen, drawn(path, manifold, ax, where), strict=True):
                curves[k] = curve
    return curves


@torch.no_grad()
def _paths(x: Tensor, y: Tensor, manifold: Manifold, count: int) -> Tensor:
    t = torch.linspace(0, 1, count, dtype=torch.float64)
    return manifold.geodesic(x[:, None], y[:, None], t)


def cone(
    apex: ArrayLike,
    *,
    manifold: Manifold,
    min_radius: float = 0.1,
    reach: float | None = None,
    ax: Any = None,
    color: str = COLOURS[1],
    alpha: float = 0.15,
) -> Cone:
    """Draw the entailment cone at a point.

    Its sides are the geodesic rays that leave the apex at the half-aperture from the outward
    direction: circular arcs on the disk, never the straight wedge that other drawings show.

    Args:
        apex: a point (m,) of dimension 2, not the origin (whose cone is everything).
        manifold: its space.
        min_radius: see :meth:`Manifold.half_aperture`.
        reach: length of the sides in units of 1/sqrt(abs(K)); to the boundary of the disk, 1 on
            surfaces if None.
        ax: as in :func:`geodesics`.
        color, alpha: of the cone; alpha is that of its inside.

    Returns:
        The two sides, and the inside up to ``reach`` from the apex.
    """
    if reach is not None and not reach > 0:
        raise ValueError(f"plotting.cone: reach is {reach}; expected a positive length.")
    apex = _apex(apex, manifold)
    ax = _picture(ax, manifold, "plotting.cone")
    solid = is_solid(ax)
    if reach is None:
        reach = 1.0 if solid else 14.0
    rays = drawn(_rays(apex, manifold, min_radius, reach, _RAYS), manifold, ax, "plotting.cone")
    if solid:
        sides = ax.add_collection(Lines(rays[[0, -1]], colors=color, linewidths=1.0), autolim=False)
        corners = rays[::4, ::4]  # a patch of them bends by a few degrees
        patches = np.stack(
            [corners[:-1, :-1], corners[1:, :-1], corners[1:, 1:], corners[:-1, 1:]], axis=2
        )
        inside = Shade(
            patches.reshape(-1, 4, 3), facecolor=color, alpha=alpha, linewidth=0, zorder=1.1
        )
        fill = ax.add_collection(inside, autolim=False)
        grown(ax, rays)
    else:
        sides = ax.add_collection(
            LineCollection(list(rays[[0, -1]]), colors=color, linewidths=1.0), autolim=False
        )
        outline = np.concatenate([rays[0], rays[:, -1], rays[-1, ::-1]])
        (fill,) = ax.fill(*outline.T, zorder=0, facecolor=color, alpha=alpha, linewidth=0)
    return Cone(sides, fill)


def cone_sides(
    apex: ArrayLike, *, manifold: Manifold, min_radius: float = 0.1, reach: float = 1.0
) -> Tensor:
    """Points (2, 129, m) of the manifold on the two sides of a cone, from the apex outwards.

    Args:
        apex, manifold, min_radius: as in :func:`cone`.
        reach: length of the sides in units of 1/sqrt(abs(K)).

    Raises:
        ValueError: an apex that is not one point of dimension 2, or is the origin.
    """
    return _rays(_apex(apex, manifold), manifold, min_radius, reach, 2)


def _apex(apex: ArrayLike, manifold: Manifold) -> Tensor:
    apex = at_hand(apex, manifold, "plotting.cone", "apex")
    if apex.ndim != 1 or apex.shape[0] - manifold.ambient_dim(0) != 2:
        raise ValueError(
            f"plotting.cone: apex has shape {tuple(apex.shape)} on {manifold}; expected one point "
            f"of dimension 2, shape ({manifold.ambient_dim(2)},)."
        )
    return apex


@torch.no_grad()
def _rays(apex: Tensor, manifold: Manifold, min_radius: float, reach: float, count: int) -> Tensor:
    """Points (count, 129, m) on geodesic rays from the apex that sweep its cone."""
    manifold = at_rest(manifold)
    v = manifold.to_normal(apex)
    if not v.any():
        raise ValueError(
            "plotting.cone: apex is the origin, whose cone is the whole space; expected another "
            "point."
        )
    outward = v / v.norm()
    sideways = torch.stack([-outward[1], outward[0]])
    psi = manifold.half_aperture(apex, min_radius)
    angles = psi * torch.linspace(1, -1, count, dtype=torch.float64).unsqueeze(-1)
    directions = angles.cos() * outward + angles.sin() * sideways
    # Transport from the origin along the ray keeps the ray's direction and all angles.
    tangents = manifold.transport0(apex, manifold.logmap0(manifold.from_normal(directions)))
    length = reach * unit_of_length(manifold)
    s = torch.linspace(0, length, _STEPS, dtype=torch.float64).unsqueeze(-1)
    return manifold.expmap(apex, s * tangents.unsqueeze(1))


def _picture(ax: Any, manifold: Manifold, where: str) -> Any:
    if ax is not None:
        return an_axes(ax, where)
    if manifold.sign > 0:
        from .surfaces import sphere

        return sphere(manifold=manifold).ax
    from .disk import disk

    return disk(manifold=manifold).ax
