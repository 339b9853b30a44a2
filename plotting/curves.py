"""Geodesics, and cones whose sides are geodesics, on any picture of this room."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from mpl_toolkits.mplot3d.art3d import Poly3DCollection
from torch import Tensor

from ..manifolds import Manifold
from ._axes import COLOURS, an_axes, at_hand, at_rest, drawn, is_solid, one_scale, unit_of_length

_STEPS = 129  # points on a curve: a turn of a few degrees between two where it bends most
_RAYS = 65  # rays from an apex that fill its cone


class Cone(NamedTuple):
    """Artists of :func:`cone`."""

    sides: list[Any]
    fill: Any


def geodesics(
    x: Tensor,
    y: Tensor,
    *,
    manifold: Manifold,
    ax: Any = None,
    color: str = COLOURS[0],
    linewidth: float = 1.0,
    alpha: float = 1.0,
) -> list[Any]:
    """Draw the geodesic segments from x to y, as the manifold's own ``geodesic`` has them.

    Args:
        x, y: points (N, m) or (m,) of dimension 2; on the disk, of a hyperbolic manifold.
        manifold: their space.
        ax: axes of :func:`disk`, :func:`hyperboloid` or :func:`sphere`; a new disk, or for a
            Sphere a new sphere, if None.
        color, linewidth, alpha: of the lines.

    Returns:
        One line a pair.
    """
    where = "plotting.geodesics"
    x, y = (at_hand(p, manifold, where, name) for name, p in (("x", x), ("y", y)))
    x, y = (p.reshape(-1, p.shape[-1]) for p in (x, y))
    t = torch.linspace(0, 1, _STEPS, dtype=torch.float64)
    with torch.no_grad():
        path = at_rest(manifold).geodesic(x[:, None], y[:, None], t)
    ax = _picture(ax, manifold, where)
    curves = drawn(path, manifold, ax, where)
    style = {"color": color, "linewidth": linewidth, "alpha": alpha, "solid_capstyle": "round"}
    lines = [ax.plot(*curve.T, **style)[0] for curve in curves]
    if is_solid(ax):
        one_scale(ax)  # the curves may have widened its limits
    return lines


def cone(
    apex: Tensor,
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
    sides = [ax.plot(*ray.T, color=color, linewidth=1.0)[0] for ray in (rays[0], rays[-1])]
    outline = np.concatenate([rays[0], rays[:, -1], rays[-1, ::-1]])
    style = {"facecolor": color, "alpha": alpha, "linewidth": 0}
    if solid:
        fill = ax.add_collection3d(Poly3DCollection([outline], **style))
        one_scale(ax)
    else:
        (fill,) = ax.fill(*outline.T, zorder=0, **style)
    return Cone(sides, fill)


def cone_sides(
    apex: Tensor, *, manifold: Manifold, min_radius: float = 0.1, reach: float = 1.0
) -> Tensor:
    """Points (2, 129, m) of the manifold on the two sides of a cone, from the apex outwards.

    Args:
        apex, manifold, min_radius: as in :func:`cone`.
        reach: length of the sides in units of 1/sqrt(abs(K)).

    Raises:
        ValueError: an apex that is not one point of dimension 2, or is the origin.
    """
    return _rays(_apex(apex, manifold), manifold, min_radius, reach, 2)


def _apex(apex: Tensor, manifold: Manifold) -> Tensor:
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
