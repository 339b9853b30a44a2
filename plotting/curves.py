"""Geodesics, and cones whose sides are geodesics, on any picture of this room."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..manifolds import Manifold
from ._axes import COLOURS, axes, drawn, is_solid

_STEPS = 65


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
        ax: axes of :func:`disk`, :func:`hyperboloid` or :func:`sphere`; a new disk if None.
        color, linewidth, alpha: of the lines.

    Returns:
        One line a pair.
    """
    ax = _picture(ax, manifold)
    with torch.no_grad():
        x, y = (p.detach().double().reshape(-1, p.shape[-1]) for p in (x, y))
        t = torch.linspace(0, 1, _STEPS, dtype=torch.float64)
        path = manifold.geodesic(x[:, None], y[:, None], t)
    curves = drawn(path, manifold, ax, "plotting.geodesics")
    style = {"color": color, "linewidth": linewidth, "alpha": alpha, "solid_capstyle": "round"}
    return [ax.plot(*curve.T, **style)[0] for curve in curves]


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
        reach: length of the sides in units of 1/sqrt(abs(K)); to the boundary of the disk, 1.5 on
            surfaces if None.
        ax: as in :func:`geodesics`.
        color, alpha: of the cone; alpha is that of its inside.

    Returns:
        The two sides and, on the disk, the filled inside (None on surfaces).
    """
    ax = _picture(ax, manifold)
    sides = cone_sides(
        apex,
        manifold=manifold,
        min_radius=min_radius,
        reach=reach or (1.5 if is_solid(ax) else 14.0),
    )
    curves = drawn(sides, manifold, ax, "plotting.cone")
    lines = [ax.plot(*curve.T, color=color, linewidth=1.0)[0] for curve in curves]
    if is_solid(ax):
        return Cone(lines, None)
    left, right = curves
    start, stop = (math.atan2(*end[::-1]) for end in (left[-1], right[-1]))
    sweep = (stop - start + math.pi) % (2 * math.pi) - math.pi  # the short way round
    angles = start + sweep * np.linspace(0, 1, _STEPS)
    radius = np.hypot(*left[-1])
    rim = radius * np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    outline = np.concatenate([left, rim, right[::-1]])
    (fill,) = ax.fill(*outline.T, facecolor=color, alpha=alpha, linewidth=0, zorder=0)
    return Cone(lines, fill)


@torch.no_grad()
def cone_sides(
    apex: Tensor, *, manifold: Manifold, min_radius: float = 0.1, reach: float = 1.5
) -> Tensor:
    """Points (2, 65, m) of the manifold on the two sides of a cone, from the apex outwards.

    Raises:
        ValueError: an apex that is not one point of dimension 2, or is the origin.
    """
    apex = apex.detach().double()
    if apex.ndim != 1 or apex.shape[0] - manifold.ambient_dim(0) != 2:
        raise ValueError(
            f"plotting.cone: apex has shape {tuple(apex.shape)} on {manifold}; expected one point "
            f"of dimension 2, shape ({manifold.ambient_dim(2)},)."
        )
    v = manifold.to_normal(apex)
    if not v.any():
        raise ValueError("plotting.cone: apex is the origin; its cone is the whole space.")
    outward = v / v.norm()
    sideways = torch.stack([-outward[1], outward[0]])
    psi = manifold.half_aperture(apex, min_radius)
    directions = torch.stack(
        [psi.cos() * outward + sign * psi.sin() * sideways for sign in (1, -1)]
    )
    # Transport from the origin along the ray keeps the ray's direction and all angles.
    tangents = manifold.transport0(apex, manifold.logmap0(manifold.from_normal(directions)))
    s = torch.linspace(0, reach, _STEPS, dtype=torch.float64)[:, None] * manifold.radius
    return manifold.expmap(apex, s * tangents[:, None])


def _picture(ax: Any, manifold: Manifold) -> Any:
    if ax is not None:
        return ax
    if manifold.sign > 0:
        from .surfaces import sphere

        return sphere(manifold=manifold).ax
    from .disk import disk

    return disk(manifold=manifold, ax=axes(None)).ax
