"""Distances for libraries of NumPy: scikit-learn, UMAP, TorchDR, SciPy.

They take distances in three ways: a table of all (``metric="precomputed"``), the nearest of each
point (UMAP's ``precomputed_knn``, scikit-learn's sparse graphs), or a function of two vectors,
called for each pair. The first two are the manifold's own distances. The third is for what can be
handed over in no other way.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from ..manifolds import Manifold
from ..manifolds.extras import import_extra
from ..manifolds.manifold_checks import check_manifold
from ..search import brute_force
from ..search.brute import check_sets

Metric = Callable[[Any, Any], float]


@torch.no_grad()
def distance_matrix(
    space: Manifold, points: Tensor | ArrayLike, others: Tensor | ArrayLike | None = None
) -> NDArray[np.float64]:
    """All distances (N, M) of points (N, m) and others (M, m), of points and themselves if None.

    For ``metric="precomputed"``. Float64, to some 1e-8 cs(r/R), below which two points count as one
    (``Manifold.cdist`` with ``matmul=True``); of points and themselves it is symmetric, with zeros
    on the diagonal.
    """
    x = _points(points)
    y = x if others is None else _points(others)
    table = space.cdist(x, y, matmul=True)
    if others is None:
        table = table.fill_diagonal_(0.0)
    found: NDArray[np.float64] = table.numpy()
    return found


def nearest_neighbours(
    space: Manifold, points: Tensor | ArrayLike, k: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The k nearest of each point, itself first: indices and distances, both (N, k).

    What UMAP takes: ``umap.UMAP(precomputed_knn=(*nearest_neighbours(space, x, 15), None))``. By
    comparing all pairs in blocks: time N^2, memory N k.

    Raises:
        ValueError: k below 1 or above N, points that are no table or not finite.
    """
    x = _points(points)
    check_sets("nearest_neighbours", space, x, x, k)
    found = brute_force(space, x, x, min(k + 1, len(x)), matmul=True)
    own = torch.arange(len(x))[:, None]
    # Of points that coincide another may come first: a point is put first in its own row, and what
    # is farthest falls out.
    others = found.indices != own
    order = others.long().argsort(dim=1, stable=True)[:, :k]
    indices, distances = found.indices.gather(1, order), found.distances.gather(1, order)
    indices[:, :1], distances[:, :1] = own, 0.0
    return indices.numpy(), distances.numpy()


def neighbour_graph(space: Manifold, points: Tensor | ArrayLike, k: int) -> Any:
    """The same as a ``scipy.sparse.csr_matrix`` (N, N), rows sorted by distance.

    What scikit-learn takes where its documentation says "sparse graph, precomputed":
    ``DBSCAN(metric="precomputed").fit(neighbour_graph(space, x, 50))``.

    Raises:
        ModuleNotFoundError: SciPy is not installed.
    """
    sparse = import_extra("neighbour_graph", "scipy.sparse", None)
    indices, distances = nearest_neighbours(space, points, k)
    count, width = indices.shape
    starts = np.arange(0, count * width + 1, width)
    return sparse.csr_matrix((distances.ravel(), indices.ravel(), starts), shape=(count, count))


def metric(space: Manifold, *, compiled: bool = False) -> Metric:
    r"""The distance of two vectors of normal coordinates (n) as a function of numbers, not tensors.

    For ``metric=`` of scikit-learn and UMAP, which call it for each pair: 7 microseconds for ten
    coordinates, and 0.6 with ``compiled``, where ``space.dist`` takes 150 to 350. By

    .. math:: \mathrm{sn}^2\tfrac{d}{2} = \mathrm{sn}^2\tfrac{r - s}{2}
       + \mathrm{sn}\,r\,\mathrm{sn}\,s\,\sin^2\tfrac{\theta}{2},

    r and s the lengths in units of R, theta the angle, sn = sinh, identity or sin: a few float64
    units of relative error, on hyperbolic space while r + s < 700, on the sphere but for the last
    1e-8 before antipodes.

    Args:
        space: Lorentz, PoincareBall, Sphere, Euclidean or one of their charts, with its curvature
            of now.
        compiled: by numba, which UMAP wants for more than 4,096 points.

    Raises:
        NotImplementedError: a product, which has no one curvature.
        ValueError: by the function, of vectors of unequal lengths.
        ModuleNotFoundError: ``compiled`` without numba.
    """
    check_manifold("metric", space)
    sign, length = space.sign, space.radius
    radius = float(length.detach()) if isinstance(length, Tensor) else length
    sn, asn = {-1: (math.sinh, math.asinh), 0: (_same, _same), 1: (math.sin, _asin)}[sign]
    if compiled:
        njit = import_extra("metric(compiled=True)", "numba", None).njit
        sn, asn = (njit(f) if f in (_same, _asin) else f for f in (sn, asn))

    def distance(u: Any, v: Any) -> float:
        if len(u) != len(v):  # the sentence is a constant, which numba can compile
            raise ValueError("metric: the two vectors have unequal lengths; expected equal ones.")
        r, s, chord = 0.0, 0.0, 0.0
        for i in range(len(u)):
            r += u[i] * u[i]
            s += v[i] * v[i]
        r, s = math.sqrt(r), math.sqrt(s)
        if r > 0.0 and s > 0.0:
            for i in range(len(u)):
                step = u[i] / r - v[i] / s
                chord += step * step
        r, s = r / radius, s / radius
        half = sn((r - s) / 2)
        return 2 * radius * asn(math.sqrt(half * half + sn(r) * sn(s) * (chord / 4)))

    made: Metric = njit(distance) if compiled else distance
    return made


def _same(x: float) -> float:
    return x


def _asin(x: float) -> float:
    return math.asin(min(x, 1.0))


def _points(points: Tensor | ArrayLike) -> Tensor:
    if isinstance(points, Tensor):
        return points.detach().cpu().double()
    return torch.from_numpy(np.asarray(points, np.float64))
