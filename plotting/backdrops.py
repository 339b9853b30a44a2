"""Faint backdrops of the hyperbolic plane: grids, horocycles, equidistants, tilings.

Each draws on an axes of :func:`disk`, in the chart that it shows, below all points and lines.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from matplotlib.collections import LineCollection
from numpy.typing import NDArray
from torch import Tensor

from ..manifolds import PoincareBall
from ._axes import FAINT, axes
from ._charts import held, on_chart

_BALL = PoincareBall(-1.0)
_STEPS = 193
_END = 9.0  # distance from the middle at which the rim is as good as reached
_MOST = 20_000  # tiles
_TOP = 7.0  # largest reach of a tiling


def polar_grid(
    distances: Sequence[float] = (1, 2, 3), *, rays: int = 12, ax: Any = None, **style: Any
) -> LineCollection:
    """Draw circles of equal distance from the origin, and rays from it at equal angles.

    Args:
        distances: of the circles, in units of 1/sqrt(-K).
        rays: how many.
        ax: axes of :func:`disk`; a new Poincaré disk if None.
        style: of the lines: ``color``, ``linewidth``, ``alpha``, ``zorder``.

    Returns:
        One collection: the circles, then the rays.

    Raises:
        ValueError: a distance that is not positive, a negative number of rays.
    """
    where = "plotting.polar_grid"
    if rays < 0 or not all(0 < d < math.inf for d in distances):
        raise ValueError(
            f"{where}: distances are {list(distances)} and rays {rays}; expected positive "
            "distances and at least 0 rays."
        )
    turn = torch.linspace(0, 2 * math.pi, _STEPS, dtype=torch.float64)
    out = torch.linspace(0, _END, _STEPS, dtype=torch.float64)
    lines = [_polar(torch.full_like(turn, d), turn) for d in distances]
    lines += [_polar(out, torch.full_like(out, 2 * math.pi * k / rays)) for k in range(rays)]
    return _drawn([_BALL.from_normal(line) for line in lines], ax, where, style)


def horocycles(
    direction: float = 0.0,
    levels: Sequence[float] = (-2, -1, 0, 1, 2),
    *,
    ax: Any = None,
    **style: Any,
) -> LineCollection:
    """Draw the horocycles about an ideal point: where its Busemann function has given values.

    Args:
        direction: angle of the ideal point, in radians.
        levels: values of ``busemann``, in units of 1/sqrt(-K); negative ones are nearer to the
            ideal point than the origin.
        ax, style: as in :func:`polar_grid`.

    Returns:
        One line a level.
    """
    # With the ideal point straight up in the half-plane a horocycle is at one height, e^-level, and
    # its points are at x = e^-level s for lengths s along it.
    s = torch.sinh(torch.linspace(-_END, _END, 2 * _STEPS, dtype=torch.float64) / 2)
    lines = []
    for level in levels:
        height = math.exp(-level)
        flat = torch.stack([2 * s * height, torch.full_like(s, height)], dim=-1)
        lines.append(_from_half_plane(flat, direction))
    return _drawn(lines, ax, "plotting.horocycles", style)


def equidistants(
    direction: float = 0.0,
    offset: float = 0.0,
    distances: Sequence[float] = (-1, -0.5, 0, 0.5, 1),
    *,
    ax: Any = None,
    **style: Any,
) -> LineCollection:
    """Draw a geodesic (a hyperplane of the plane) and the curves at a distance from it.

    Args:
        direction: angle of its normal at the point of it nearest to the origin, in radians.
        offset: of that point from the origin along the normal, in units of 1/sqrt(-K).
        distances: signed, of the curves; 0 is the geodesic itself.
        ax, style: as in :func:`polar_grid`.

    Returns:
        One line a distance.
    """
    # Fermi coordinates (t, d) along and off the geodesic through the origin, on the hyperboloid;
    # then a boost by the offset along the normal.
    t = torch.linspace(-_END, _END, 2 * _STEPS, dtype=torch.float64)
    move = torch.from_numpy(_boost(offset))
    lines = []
    for distance in distances:
        c, s = math.cosh(distance), math.sinh(distance)
        x = torch.stack([c * t.cosh(), torch.full_like(t, s), c * t.sinh()], dim=-1)
        lines.append(_from_hyperboloid(x @ move.T, direction))
    return _drawn(lines, ax, "plotting.equidistants", style)


def tiling(
    p: int = 7,
    q: int = 3,
    *,
    reach: float = 4.0,
    center: str = "face",
    ax: Any = None,
    **style: Any,
) -> LineCollection:
    r"""Draw the regular tiling {p, q} by p-gons, q at each vertex.

    Its edges have the length a with :math:`\cosh(a/2) = \cos(\pi/p)/\sin(\pi/q)`, and the vertices
    of a tile are at the distance R from its middle, :math:`\cosh R = \cot(\pi/p)\cot(\pi/q)`
    (Coxeter 1954, "Regular honeycombs in hyperbolic space", section 2).

    Args:
        p, q: with 1/p + 1/q < 1/2.
        reach: tiles are drawn whose middle is within this distance of the origin, at most 7.
        center: what is at the origin, the middle of a "face" or a "vertex".
        ax, style: as in :func:`polar_grid`.

    Returns:
        One geodesic an edge.

    Raises:
        ValueError: p and q of no tiling of the hyperbolic plane; a reach of more than 20,000 tiles.
    """
    where = "plotting.tiling"
    if p < 3 or q < 3 or (p - 2) * (q - 2) <= 4:
        raise ValueError(
            f"{where}: {{p, q}} is {{{p}, {q}}}; expected 1/p + 1/q < 1/2, both at least 3: others "
            "tile the sphere or flat space."
        )
    if center not in ("face", "vertex"):
        raise ValueError(f"{where}: center is {center!r}; expected 'face' or 'vertex'.")
    if not 0 <= reach <= _TOP:
        raise ValueError(f"{where}: reach is {reach}; expected a distance from 0 to {_TOP:g}.")
    ends = _edges(p, q, reach, at_vertex=center == "vertex", where=where)
    points = _from_hyperboloid(torch.from_numpy(ends), 0.0)
    t = torch.linspace(0, 1, 17, dtype=torch.float64)
    return _drawn(list(_BALL.geodesic(points[:, :1], points[:, 1:], t)), ax, where, style)


def _edges(p: int, q: int, reach: float, *, at_vertex: bool, where: str) -> NDArray[np.float64]:
    """(E, 2, 3), the ends of edges on the hyperboloid, each edge once."""
    corner = math.acosh(1 / (math.tan(math.pi / p) * math.tan(math.pi / q)))
    inner = math.acosh(math.cos(math.pi / q) / math.sin(math.pi / p))  # to the middle of an edge
    turns = [_turn(2 * math.pi * k / p) for k in range(p)]
    # A neighbour: a half turn about the middle of an edge.
    steps = [r @ _boost(inner) @ _turn(math.pi) @ _boost(-inner) @ np.linalg.inv(r) for r in turns]
    start = _turn(0.0)
    if at_vertex:
        start = _boost(-corner) @ _turn(math.pi / p)  # a vertex is at the angle -pi/p
    vertex = [r @ _turn(-math.pi / p) @ _boost(corner) @ np.array([1.0, 0, 0]) for r in turns]
    found, seen = [start], {_key(start[:, 0])}
    for tile in found:
        for step in steps:
            new = tile @ step
            middle = new[:, 0]
            if middle[0] <= math.cosh(reach) * (1 + 1e-9) and _key(middle) not in seen:
                seen.add(_key(middle))
                found.append(new)
        if len(found) > _MOST:
            raise ValueError(
                f"{where}: more than {_MOST:,} tiles within {reach:g} of the origin; expected a "
                "smaller reach."
            )
    corners = np.stack(found) @ np.stack([*vertex, vertex[0]], axis=1)  # (T, 3, p + 1)
    ends = np.stack([corners[:, :, :-1], corners[:, :, 1:]], axis=-1)  # (T, 3, p, 2)
    ends = np.moveaxis(ends, 1, -1).reshape(-1, 2, 3)
    middles = ends.sum(1)
    kept = list({_key(m): k for k, m in reversed(list(enumerate(middles)))}.values())
    return ends[sorted(kept)]


def _turn(angle: float) -> NDArray[np.float64]:
    c, s = math.cos(angle), math.sin(angle)
    return np.array([[1.0, 0, 0], [0, c, -s], [0, s, c]])


def _boost(length: float) -> NDArray[np.float64]:
    c, s = math.cosh(length), math.sinh(length)
    return np.array([[c, s, 0.0], [s, c, 0], [0, 0, 1]])


def _key(x: NDArray[np.float64]) -> tuple[float, ...]:
    """A point, rounded: others are at least as far in coordinates as in the space, rounding errors
    1e-12 of a time of at most cosh 7."""
    return tuple(np.round(x[1:], 4) + 0.0)


def _polar(r: Tensor, angle: Tensor) -> Tensor:
    return torch.stack([r * angle.cos(), r * angle.sin()], dim=-1)


def _from_half_plane(x: Tensor, direction: float) -> Tensor:
    """The half-plane's point at infinity goes to the rim at an angle: (..., 2) -> the ball."""
    z = torch.complex(x[..., 0], x[..., 1])
    w = (z - 1j) / (z + 1j) * complex(math.cos(direction), math.sin(direction))
    return _BALL.proj(torch.stack([w.real, w.imag], dim=-1))


def _from_hyperboloid(x: Tensor, direction: float) -> Tensor:
    """Turned by an angle: (..., 3) -> the ball."""
    y = x[..., 1:] / (1 + x[..., :1])
    c, s = math.cos(direction), math.sin(direction)
    return _BALL.proj(
        torch.stack([c * y[..., 0] - s * y[..., 1], s * y[..., 0] + c * y[..., 1]], -1)
    )


def _drawn(lines: list[Tensor], ax: Any, where: str, style: dict[str, Any]) -> LineCollection:
    """Lines of points on the ball, in the chart that the axes shows."""
    if ax is None:
        from .disk import disk

        ax = disk(manifold=_BALL).ax
    ax = axes(ax, where)
    chart = held(ax, _BALL, where)
    curves = [on_chart(line, _BALL, chart, where) for line in lines]
    plain: dict[str, Any] = {"color": FAINT, "linewidth": 0.5, "alpha": 0.8, "zorder": 0.4}
    return ax.add_collection(LineCollection(curves, **(plain | style)), autolim=False)  # type: ignore[no-any-return]
