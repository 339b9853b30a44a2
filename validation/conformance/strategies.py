"""Hypothesis strategies for points and tangent vectors, corners included.

Everything is drawn in polar form about the origin, a direction and a distance, so that it shrinks
to what people can read: distance 1 along the first axis.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from hypothesis import strategies as st
from torch import Tensor

from .adapters import as_subject
from .domains import Domain
from .example import Situation

_READABLE = 8
"""Dimensions up to which a direction is drawn as small integers; beyond, from a seed."""
RELATIONS = (
    "apart",
    "coincident",
    "near",
    "on one ray",
    "opposite",
    "x at the origin",
    "y at the origin",
    "antipodal",
    "nearly antipodal",
)
"""How y lies to x. Without antipodes, on spaces of infinite diameter, these are left out."""


def directions(n: int) -> st.SearchStrategy[Tensor]:
    """Unit vectors (n,) in float64: of small integers, so with axes and diagonals among them."""
    if n > _READABLE:
        return st.integers(0, 2**31 - 1).map(lambda seed: _unit(_scatter(seed, n)))
    entries = st.tuples(*[st.integers(-4, 4)] * n)
    return entries.map(lambda e: _unit(torch.tensor(e, dtype=torch.float64)))


def radii(limit: float, *, corners: bool = True) -> st.SearchStrategy[float]:
    """Distances up to a limit: plain ones, and with ``corners`` 0, tiny ones and the limit."""
    plain = [r for r in (1.0, 0.5, 2.0, 0.1) if r <= limit] or [limit]
    end = min(limit, 3.0 * plain[0])
    middle = st.integers(1, 50).map(lambda k: k / 50 * end)
    if not corners:
        return st.one_of(st.sampled_from(plain), middle)
    anywhere = st.integers(0, 50).map(lambda k: k / 50 * limit)
    tiny = st.sampled_from([0.0, 1e-3, 1e-6, 1e-12, 1e-30])
    return st.one_of(st.sampled_from(plain), middle, tiny, anywhere)


def lengths(limit: float, dtype: torch.dtype, *, corners: bool = True) -> st.SearchStrategy[float]:
    """Lengths of tangent vectors; with ``corners`` subnormal ones too."""
    smallest = torch.finfo(dtype).smallest_normal
    subnormal = st.sampled_from([smallest, smallest / 8])
    some = radii(limit, corners=corners)
    return st.one_of(some, some, subnormal) if corners else some


def situations(
    domain: Domain,
    n: int,
    dtype: torch.dtype,
    *,
    fields: str = "xy",
    corners: bool = True,
    huge: bool = False,
    max_radius: float | None = None,
) -> st.SearchStrategy[Situation]:
    """Points and tangent vectors in special position as often as not.

    Args:
        domain: where.
        n: the dimension.
        dtype: of the tensors.
        fields: which of x, y, z, u, v are wanted.
        corners: False for everyday examples only: moderate distances, generic position.
        huge: whether tangent vectors may reach beyond what the space or the dtype holds.
        max_radius: largest distance from the origin; the domain's reach if None.
    """
    reach = min(domain.reach(dtype), math.inf if max_radius is None else max_radius)
    closed = math.isfinite(domain.injectivity)
    kinds = [r for r in RELATIONS if closed or "antipodal" not in r]
    if not corners:  # within the hemisphere, and not further than float32 resolves well
        reach = min(reach, 0.45 * domain.injectivity, 2.0 * domain.radius)
        kinds = ["apart"]

    radius, direction = radii(reach, corners=corners), directions(n)
    relations = st.sampled_from(kinds)
    longest = 0.9 * domain.injectivity if closed and corners else reach
    size = lengths(longest, dtype, corners=corners)
    too_long = st.sampled_from([t for t in (30.0, 1e4, 1e20) if t < torch.finfo(dtype).max])

    @st.composite
    def situation(draw: Any) -> Situation:
        def somewhere() -> Tensor:
            place: Tensor = draw(radius) * draw(direction)
            return place

        relation = draw(relations) if "y" in fields else "apart"
        x = somewhere()
        if relation == "x at the origin":
            x = torch.zeros_like(x)
        if "antipodal" in relation and domain.injectivity - float(x.norm()) > domain.reach(dtype):
            relation = "opposite"  # the antipode of x is no point of the chart
        normal = {"x": x}
        if "y" in fields:
            normal["y"] = _related(draw, relation, x, somewhere, domain)
        if "z" in fields:
            normal["z"] = somewhere()
        frame = {}
        # No further than there is room for points: beyond, exp can be asked for finite values only.
        room = math.inf if closed or not corners else max(0.0, reach - float(x.norm()))
        for name in ("u", "v"):
            if name in fields:
                length = min(draw(size), room)
                if huge and draw(st.booleans()):
                    length = draw(too_long)
                frame[name] = length * draw(direction)
        if "v" in frame and "u" in frame and corners and draw(st.booleans()):
            frame["v"] = float(frame["v"].norm()) * _unit(frame["u"])
        return Situation(domain, dtype, relation, normal, frame)

    return situation()


def points(
    manifold: Any, n: int, dtype: torch.dtype = torch.float64, *, max_radius: float | None = None
) -> st.SearchStrategy[Tensor]:
    """Points of a manifold's n-dimensional space: the origin, near it, anywhere, at the far edge.

    Args:
        manifold: one of ours or geoopt's, a ``Subject``, or a ``Domain``.
        n: the dimension.
        dtype: of the tensors.
        max_radius: largest distance from the origin; what the dtype can hold if None.
    """
    strategy = situations(_domain(manifold), n, dtype, fields="x", max_radius=max_radius)
    return strategy.map(lambda s: s.x)


def point_pairs(
    manifold: Any, n: int, dtype: torch.dtype = torch.float64, *, max_radius: float | None = None
) -> st.SearchStrategy[tuple[Tensor, Tensor]]:
    """Pairs of points: generic, coincident, close, collinear with the origin, antipodal.

    The arguments are those of :func:`points`.
    """
    strategy = situations(_domain(manifold), n, dtype, fields="xy", max_radius=max_radius)
    return strategy.map(lambda s: (s.x, s.y))


def tangent_vectors(
    manifold: Any,
    n: int,
    dtype: torch.dtype = torch.float64,
    *,
    max_radius: float | None = None,
    huge: bool = True,
) -> st.SearchStrategy[tuple[Tensor, Tensor]]:
    """Pairs of a point and a tangent vector there: zero, subnormal, tiny, plain, huge.

    ``huge=False`` keeps expmap(x, v) within reach of the dtype. The other arguments are those of
    :func:`points`.
    """
    options = {"fields": "xv", "max_radius": max_radius, "huge": huge}
    strategy = situations(_domain(manifold), n, dtype, **options)  # type: ignore[arg-type]
    return strategy.map(lambda s: (s.x, s.v))


def _domain(manifold: Any) -> Domain:
    return manifold if isinstance(manifold, Domain) else as_subject(manifold).domain


def _related(draw: Any, relation: str, x: Tensor, somewhere: Any, domain: Domain) -> Tensor:
    if relation == "coincident":
        return x
    if relation in ("antipodal", "nearly antipodal"):
        opposite = (float(x.norm()) - domain.injectivity) * _unit(x)
        step = 0.0 if relation == "antipodal" else draw(st.sampled_from([1e-2, 1e-4, 1e-8]))
        away: Tensor = opposite + step * draw(directions(len(x)))
        return away
    if relation == "y at the origin":
        return torch.zeros_like(x)
    if relation == "near":
        step = draw(st.sampled_from([1e-2, 1e-4, 1e-8, 1e-12]))
        beside: Tensor = x + step * draw(directions(len(x)))
        return beside
    y: Tensor = somewhere()
    if relation in ("on one ray", "opposite"):
        sign = 1.0 if relation == "on one ray" else -1.0
        return sign * float(y.norm()) * _unit(x)
    return y


def _scatter(seed: int, n: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, generator=generator, dtype=torch.float64)


def _unit(v: Tensor) -> Tensor:
    """v/|v|; the first axis for the zero vector."""
    scale = float(v.abs().max())
    e: Tensor = v / scale if scale > 0 else torch.eye(len(v), dtype=v.dtype)[0]
    unit: Tensor = e / e.norm()
    return unit
