"""What every picture needs: an axes to draw on, numbers to draw, and a chart to draw them in."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from numpy.typing import NDArray
from torch import Tensor

from ..manifolds import Manifold
from ..manifolds.checks import ArrayLike, check_real, to_tensor

INK = "#333333"
FAINT = "#BBBBBB"
_OFF = 0.02  # of their size: what a point may be off its manifold, twice the rounding of bfloat16


def axes(
    ax: Axes | None, where: str, *, solid: bool = False, width: float = 5.0, height: float = 5.0
) -> Any:
    """``ax``, or the axes of a new figure."""
    if ax is None:
        return new_figure(width, height).add_subplot(projection="3d" if solid else None)
    if is_solid(an_axes(ax, where)) != solid:
        raise ValueError(
            f"{where}: ax has {3 if is_solid(ax) else 2} dimensions; expected an Axes of "
            + ("3 (projection='3d')." if solid else "2.")
        )
    return ax


def new_figure(width: float, height: float) -> Any:
    """A figure of pyplot's: a notebook shows it below its cell, ``plt.show()`` in a window."""
    from matplotlib import pyplot  # here: who draws on axes of their own needs no backend

    return pyplot.figure(figsize=(width, height), layout="constrained")


def an_axes(ax: Any, where: str) -> Any:
    """``ax``, if that is what it is."""
    if not isinstance(ax, Axes):
        raise TypeError(f"{where}: ax is a {type(ax).__name__}; expected a matplotlib Axes.")
    return ax


def array(x: Any) -> NDArray[np.float64]:
    """Numbers of a tensor on any device, of an array or of a list, in float64."""
    if isinstance(x, Tensor):
        return np.asarray(x.detach().cpu().double().numpy())
    return np.asarray(x, dtype=np.float64)


def is_solid(ax: Any) -> bool:
    """Whether an axes has three dimensions."""
    return getattr(ax, "name", "") == "3d"


def at_rest(manifold: Manifold) -> Manifold:
    """A copy of a manifold on the CPU: a picture neither moves the caller's nor trains it."""
    return copy.deepcopy(manifold).cpu().requires_grad_(False)


def unit_of_length(manifold: Manifold) -> float:
    """1/sqrt(abs(K)) as a number, 1 if K is 0: of ``Stereographic`` too, whose radius is 1."""
    k = abs(float(torch.as_tensor(manifold.curvature, dtype=torch.float64).detach()))
    return k**-0.5 if k else 1.0


def on_surface(points: ArrayLike, manifold: Manifold, where: str) -> NDArray[np.float64]:
    """Points of a surface in space, the axis of the origin up: (..., m) -> (..., 3)."""
    if manifold.sign == 0:
        raise ValueError(
            f"{where}: manifold is {manifold}; expected a curved one on a 3-D axes, Lorentz, "
            "PoincareBall or Sphere."
        )
    v = in_plane(points, manifold, where)
    r = v.norm(dim=-1, keepdim=True)
    if manifold.sign > 0:
        along, share = r.cos(), torch.sinc(r / torch.pi)
    else:
        along = r.cosh()
        share = torch.where(r > 0, r.sinh() / r.where(r > 0, 1.0), 1.0)
    return array(torch.cat([share * v, along], dim=-1))


def at_hand(
    points: ArrayLike, manifold: Manifold, where: str, name: str = "points", *, plane: bool = False
) -> Tensor:
    """Points of any dimension, or of a plane, in float64 on the CPU, if they are points."""
    points = to_tensor(where, name, points)
    check_real(where, name, points)
    if points.ndim == 0 or points.shape[-1] <= manifold.ambient_dim(0):
        raise ValueError(
            f"{where}: {name} has shape {tuple(points.shape)}; expected more than "
            f"{manifold.ambient_dim(0)} coordinates on the last axis, as {manifold} has them."
        )
    n = points.shape[-1] - manifold.ambient_dim(0)
    if plane and n != 2:
        raise ValueError(
            f"{where}: {name} have shape {tuple(points.shape)}, dimension {n} on {manifold}; "
            "expected dimension 2 (project them first with project_disk)."
        )
    points = points.detach().cpu().double()
    finite = points.isfinite().all(-1)
    if not finite.all():
        raise ValueError(
            f"{where}: {int((~finite).sum())} of {finite.numel()} rows of {name} are not finite; "
            "expected finite coordinates."
        )
    # That of ``Stereographic`` is 1 whatever its K.
    radius = float(torch.as_tensor(manifold.radius).detach())
    off = at_rest(manifold)._defect(points / radius).squeeze(-1) > _OFF
    if off.any():
        raise ValueError(
            f"{where}: {int(off.sum())} of {off.numel()} rows of {name} are no points of "
            f"{manifold}, whose unit of length is {radius:g}; expected points of it "
            "(manifold.from_normal makes them of features)."
        )
    return points


@torch.no_grad()
def in_plane(points: ArrayLike, manifold: Manifold, where: str) -> Tensor:
    """Normal coordinates of points of dimension 2 at unit curvature, in float64 on the CPU."""
    points = at_hand(points, manifold, where, plane=True)
    found: Tensor = at_rest(manifold).to_normal(points) / unit_of_length(manifold)
    return found
