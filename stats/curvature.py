"""The constant curvature at which points embed best with given distances."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ..manifolds import Euclidean, Lorentz, Manifold, Sphere
from ..manifolds.checks import check_integer
from ._rows import Distances, drawn, rows_of, table_of

_LONGEST = 20.0  # curvature radii of the diameter: cosh(20) still leaves 8 digits to float64
_STEPS = 24  # curvatures of each sign on the grid
_GOLDEN = (math.sqrt(5) - 1) / 2
_WIDTH = 1e-8  # of the last bracket, of the diameter's curvature


@dataclass(frozen=True)
class BestCurvature:
    """What :func:`best_curvature` found."""

    curvature: float
    """K, in units of 1/length^2."""
    stress: float
    """What the embedding at K misses; 0 if the distances are those of points of that space."""
    flat: float
    """The same at K = 0."""
    dim: int
    """The dimension in which the points were embedded."""
    at_end: bool
    """Whether K is the most negative or most positive one that was tried."""
    profile: tuple[tuple[float, float], ...]
    """Pairs (K, stress) of a grid from negative to positive, for ``curvature`` to be judged by: a
    wide valley decides little."""
    points: int
    """How many points were embedded."""
    diameter: float
    """The largest distance of these; K diameter^2 has no unit."""


@torch.no_grad()
def best_curvature(
    distances: Distances,
    dim: int,
    *,
    manifold: Manifold | None = None,
    count: int | None = None,
    max_points: int = 500,
    seed: int = 0,
) -> BestCurvature:
    r"""The curvature K of any sign at which the points embed best in dimension ``dim``.

    For each K the points are placed by an eigendecomposition, and K is judged by what the placement
    does to distances, the stress :math:`\sqrt{\sum (\hat d - d)^2/\sum d^2}` over pairs (Kruskal
    1964). Distances d are those of points of the space of curvature K and dimension n if and only
    if :math:`\cosh(\sqrt{-K}\,d)` has one positive and at most n negative eigenvalues, the rest 0,
    for K < 0; :math:`\cos(\sqrt K\,d)` at most n + 1 positive ones and none negative, for K > 0;
    the centred :math:`-d^2/2` at most n positive ones and none negative, for K = 0 (Schoenberg
    1935; Wilson, Hancock, Pekalska and Duin 2014; for K < 0 Keller-Ressel and Nargang 2020, hydra).
    The eigenvectors are then coordinates, and the stress is 0; at another K, or in too small a
    dimension, or of points with noise, the eigenvalues of the wrong kind and the smallest ones are
    left out. That minimises the error of the matrix, not the stress: at K where the points do not
    fit, an embedding trained for the stress misses less. In too small a dimension most of what does
    not fit looks negatively curved: distances of a cloud in many dimensions are nearly equal, as
    those between the leaves of a star.

    K is searched on a grid of :math:`|K| D^2` up to 400 for K < 0 and up to :math:`\pi^2` for
    K > 0, D the diameter, and by golden sections about the best one. Of a table multiplied by c it
    is divided by c^2. What it does not say: of a tree distances fit the better the more negative K
    is, in enough digits (Sarkar 2011), so that its K is where the placement stops to be good, not a
    property of the tree; and that distances fit says nothing about how well an order, or a
    neighbourhood, can be read off.

    Args:
        distances: (n, n), or points (n, m) of ``manifold``, or a function that for indices (B,)
            gives their distances from all, (B, n).
        dim: dimension of the embedding, at least 1. With that of the points or a larger one their
            own curvature has stress 0.
        manifold: the space of the points.
        count: n, where ``distances`` is a function.
        max_points: of more, so many are drawn.
        seed: of that sample.

    Raises:
        TypeError, ValueError: no table of finite distances, or no two different points.

    >>> import torch
    >>> from spaceforms.manifolds import Sphere
    >>> sphere = Sphere(0.25)
    >>> v = torch.randn(30, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    >>> x = sphere.from_normal(v)
    >>> round(best_curvature(x, 2, manifold=sphere).curvature, 6)
    0.25
    """
    where = "best_curvature"
    check_integer(where, "dim", dim, 1)
    check_integer(where, "max_points", max_points, 2)
    check_integer(where, "seed", seed, 0)
    rows, count = rows_of(where, "distances", distances, manifold, count)
    table = table_of(where, "distances", rows, drawn(count, max_points, seed), count)
    diameter = float(table.max())
    if not diameter > 0:
        raise ValueError(f"{where}: all distances are 0; expected two different points.")
    table = table / diameter
    longest = [_LONGEST * (k / _STEPS) ** 2 for k in range(_STEPS, 0, -1)]
    widest = [math.pi * k / _STEPS for k in range(1, _STEPS + 1)]
    grid = [*(-r * r for r in longest), 0.0, *(r * r for r in widest)]
    found = [_stress(table, k, dim) for k in grid]
    best = min(range(len(grid)), key=found.__getitem__)
    low, high = grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)]
    k, stress = _golden(table, dim, low, high)
    if stress > found[best]:
        k, stress = grid[best], found[best]
    unit = 1 / diameter**2
    at_end = min(k - grid[0], grid[-1] - k) < 1e-3
    profile = tuple((x * unit, s) for x, s in zip(grid, found, strict=True))
    return BestCurvature(
        k * unit, stress, found[_STEPS], dim, at_end, profile, len(table), diameter
    )


def _golden(table: Tensor, dim: int, low: float, high: float) -> tuple[float, float]:
    """Where the stress is least between two curvatures, if it falls and then rises."""
    inner, outer = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    left, right = _stress(table, inner, dim), _stress(table, outer, dim)
    while high - low > _WIDTH * max(1.0, abs(low)):
        if left <= right:
            high, outer, right = outer, inner, left
            inner = high - _GOLDEN * (high - low)
            left = _stress(table, inner, dim)
        else:
            low, inner, left = inner, outer, right
            outer = low + _GOLDEN * (high - low)
            right = _stress(table, outer, dim)
    return (inner, left) if left <= right else (outer, right)


def _stress(table: Tensor, k: float, dim: int) -> float:
    """Of the placement in the space of curvature k, for a table of diameter 1."""
    space, points = _placed(table, k, dim)
    length = 1.0 if k == 0 else abs(k) ** 0.5
    missed = space.cdist(points, points, matmul=True) / length - table
    return float(missed.norm() / table.norm())


def _placed(table: Tensor, k: float, dim: int) -> tuple[Manifold, Tensor]:
    """Points at curvature -1, 0 or 1 by the leading eigenvectors."""
    angle = abs(k) ** 0.5 * table
    if k < 0:
        values, vectors = torch.linalg.eigh(angle.cosh())
        return _HYPERBOLIC, _HYPERBOLIC.from_space(_scaled(-values[:dim], vectors[:, :dim]))
    if k > 0:
        values, vectors = torch.linalg.eigh(angle.cos())
        return _SPHERE, _SPHERE.proj(_scaled(values[-dim - 1 :], vectors[:, -dim - 1 :]))
    gram = -table.square() / 2
    gram = gram - gram.mean(0) - gram.mean(1, keepdim=True) + gram.mean()
    values, vectors = torch.linalg.eigh(gram)
    return _FLAT, _scaled(values[-dim:], vectors[:, -dim:])


def _scaled(values: Tensor, vectors: Tensor) -> Tensor:
    """Coordinates, 0 where the eigenvalue has the wrong sign."""
    return vectors * values.clamp(min=0).sqrt()


_HYPERBOLIC, _SPHERE, _FLAT = Lorentz(-1.0), Sphere(1.0), Euclidean()
