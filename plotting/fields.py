"""Functions on the plane, as colour or as level lines: densities, distances, angles."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..manifolds import Manifold
from ._axes import array, at_rest, axes, unit_of_length
from ._charts import held

_RESOLUTION, _GREY = 240, "#777777"


@torch.no_grad()
def field(
    function: Callable[[Tensor], Tensor],
    *,
    manifold: Manifold,
    ax: Any = None,
    levels: int | Sequence[float] | None = None,
    cmap: str | None = None,
    alpha: float = 0.9,
    resolution: int = _RESOLUTION,
) -> Any:
    """Draw the values of a function on the hyperbolic plane, below all points and lines.

    A law's density is ``lambda x: law.log_prob(x).exp()``, by the volume of the space and not of
    the paper; a distance ``lambda x: manifold.dist(p, x)``.

    Args:
        function: points (N, m) of ``manifold`` in float64 -> (N,).
        manifold: the space, of dimension 2.
        ax: axes of :func:`disk`; a new disk if None.
        levels: draw lines at these values, or so many of them, in place of colours.
        cmap, alpha: of colours, blue if None, or of lines, grey if None.
        resolution: values along a side of the picture.

    Returns:
        What matplotlib's ``pcolormesh`` or ``contour`` return; values outside of the plane and such
        as are not finite are masked.

    Raises:
        ValueError: a function that does not return one number a point.
    """
    where = "plotting.field"
    if ax is None:
        from .disk import disk

        ax = disk(manifold=manifold, chart="poincare" if manifold.sign < 0 else "normal").ax
    ax = axes(ax, where)
    chart = held(ax, manifold, where)
    sides = (ax.get_xlim(), ax.get_ylim())
    x, y = (np.linspace(low, high, resolution) for low, high in sides)
    xy = torch.from_numpy(np.stack(np.meshgrid(x, y), axis=-1))
    inside = chart.holds(xy)
    space = at_rest(manifold)
    points = space.from_normal(chart.normal(xy[inside]) * unit_of_length(space))
    found = array(function(points))
    if found.shape != (len(points),):
        raise ValueError(
            f"{where}: function made an array of shape {found.shape} of {len(points)} points; "
            f"expected ({len(points)},)."
        )
    values = np.full(inside.shape, np.nan)
    values[inside.numpy()] = found
    shown = np.ma.masked_invalid(values)
    if levels is not None:
        look = {"colors": _GREY} if cmap is None else {"cmap": cmap}
        return ax.contour(x, y, shown, levels, alpha=alpha, linewidths=0.7, zorder=0.3, **look)
    style = {
        "cmap": cmap or "Blues",
        "alpha": alpha,
        "zorder": 0.2,
        "shading": "gouraud",
        "rasterized": True,
    }
    return ax.pcolormesh(x, y, shown, **style)
