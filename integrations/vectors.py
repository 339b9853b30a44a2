"""Vectors for a database that knows dot products: FAISS, pgvector, Qdrant and others."""

from __future__ import annotations

import torch
from torch import Tensor

from ..manifolds import Manifold
from ..manifolds.checks import ArrayLike, check_integer, check_integers, check_tensor, to_tensor
from ..search import Neighbours
from ..search.brute import check_sets, nearest
from ..search.forms import at_rest, blocks, form_of

_UNIT = 2.0**-24  # of float32
_PAIRS = 2**18  # pairs of query and candidate that are measured at once


class Vectors:
    """Points as float32 vectors whose dot product with a query's vector orders them by distance.

    Store ``keys`` under the metric "inner product" (pgvector: ``<#>``, Qdrant: ``Dot``, FAISS:
    ``METRIC_INNER_PRODUCT``), ask with ``queries(x)``: a larger product is a nearer point. The
    product comes out of float32, which far out tells less than the distance does; so ask for more
    than wanted and let ``rerank`` measure them.

    Hyperbolic space is (x_s, x_t) of the hyperboloid, and a query has the minus sign of time; both
    are divided by a time part. The sphere's vectors are its points; flat space has one number more,
    half of the squared length. A query's vector is not a key's: an index that builds a graph of
    keys by their products among each other (HNSW) builds a poor one on hyperbolic space. The guide
    has figures.

    Attributes:
        keys: (N, d) float32, in the order of the points.
    """

    def __init__(self, space: Manifold, points: Tensor) -> None:
        check_sets("features", space, points, None, 1)
        self.space, self.points = at_rest(space), points.detach().cpu()
        self._form = form_of(self.space, self.points)
        self.keys = torch.cat([self._keys(block).float() for block in blocks(self.points)])

    def _keys(self, points: Tensor) -> Tensor:
        keys = self._form.keys(points)
        if self._form.squared_distances:
            keys = torch.cat([keys, keys.square().sum(-1, keepdim=True) / 2], dim=-1)
        return keys

    def queries(self, points: ArrayLike) -> Tensor:
        """(Q, m) -> (Q, d) float32, to be multiplied with the keys."""
        return self._queries(_rows("queries", "points", points)).float()

    def _queries(self, points: Tensor) -> Tensor:
        queries = self._form.queries(points)
        if self._form.squared_distances:
            queries = torch.cat([queries, -torch.ones_like(queries[:, :1])], dim=-1)
        return queries

    def product(self, points: ArrayLike, distance: ArrayLike) -> Tensor:
        """What the product with a point at a distance is without rounding: (Q, m), (Q) -> (Q).

        Float64. It falls as the distance grows.
        """
        points, distance = (
            _rows("product", "points", points),
            _rows("product", "distance", distance),
        )
        value = self._form.value(points, distance)
        if self._form.squared_distances:
            flat: Tensor = (self._form.queries(points).square().sum(-1) - value) / 2
            return flat
        return -value

    def bound(self, points: ArrayLike, distance: ArrayLike) -> Tensor:
        """How far a float32 product may be off for points up to a distance: (Q, m), (Q) -> (Q).

        Of d products summed in any order, each of two rounded numbers: d + 3 units of 2^-24 of the
        sum of their sizes.
        """
        points, distance = _rows("bound", "points", points), _rows("bound", "distance", distance)
        if not self._form.squared_distances:
            noise: Tensor = self._form.noise(points, distance)
            return noise
        length = self._form.queries(points).norm(dim=-1)
        reach = length + self._form.value(points, distance).sqrt()
        size: Tensor = length * reach + reach.square() / 2
        tiny = torch.finfo(torch.float32).tiny
        return (self.keys.shape[1] + 3) * (_UNIT * size + tiny)

    @torch.no_grad()
    def rerank(self, queries: ArrayLike, candidates: ArrayLike, k: int) -> Neighbours:
        """The k nearest of each query's candidates, by the space's own distance in float64.

        Args:
            queries: points (Q, m).
            candidates: (Q, c) rows of the points, as the database gave them; -1 for none.
            k: at most c.
        """
        rows = _rows("rerank", "queries", queries)
        candidates = to_tensor("Vectors.rerank", "candidates", candidates)
        check_integers("Vectors.rerank", "candidates", candidates)
        check_integer("Vectors.rerank", "k", k, 1)
        if candidates.ndim != 2 or len(candidates) != len(rows) or candidates.shape[1] < k:
            raise ValueError(
                f"Vectors.rerank: candidates are {tuple(candidates.shape)} for {len(rows)} "
                f"queries and k is {k}; expected (Q, c) with c at least k."
            )
        candidates = candidates.cpu().long()
        found = []
        step = max(1, _PAIRS // candidates.shape[1])
        for start in range(0, len(rows), step):
            some, where = rows[start : start + step], candidates[start : start + step]
            d = self.space.dist(some.unsqueeze(1), self.points[where].double())
            found.append(nearest(d.where(where >= 0, torch.inf), where, k))
        distances, indices = (torch.cat(parts) for parts in zip(*found, strict=True))
        return Neighbours(distances, indices)

    def complete(
        self, queries: ArrayLike, distances: ArrayLike, last: ArrayLike, *, key_error: float = 0.0
    ) -> Tensor:
        """Whether the reranked neighbours are the nearest of all points, for certain: (Q) bool.

        Of a database that compared the query with every key (no HNSW, no unvisited cells), the
        points that it left out have products of at most ``last``. If that is below the product of
        the k-th neighbour by more than both errors, none of them is nearer.

        Args:
            queries: points (Q, m).
            distances: (Q, k) of :meth:`rerank`.
            last: (Q) the smallest product that the database gave for the query.
            key_error: the largest Euclidean norm of a key minus what the database stores for it:
                0 for float32; of a quantised index the largest norm of ``keys - reconstructed``.
        """
        queries, last = _rows("complete", "queries", queries), _rows("complete", "last", last)
        farthest = _rows("complete", "distances", distances)[:, -1]
        size = self._queries(queries).norm(dim=-1)
        error = self.bound(queries, farthest) + key_error * size
        sure: Tensor = self.product(queries, farthest) - error > last
        return sure


def _rows(method: str, name: str, given: ArrayLike) -> Tensor:
    """What a method is given, arrays of a database too, as float64 on the CPU."""
    where = f"Vectors.{method}"
    value = to_tensor(where, name, given)
    check_tensor(where, name, value)
    return value.detach().cpu().double()


def features(space: Manifold, points: Tensor) -> Vectors:
    """Vectors of points (N, m) for a database of dot products; see :class:`Vectors`.

    >>> import torch
    >>> from spaceforms.manifolds import Lorentz
    >>> space = Lorentz()
    >>> points = space.from_normal(torch.randn(1000, 8))
    >>> vectors = features(space, points)
    >>> products = vectors.queries(points[:5]) @ vectors.keys.T  # what a database computes
    >>> vectors.rerank(points[:5], products.topk(20).indices, k=3).indices[:, 0].tolist()
    [0, 1, 2, 3, 4]

    Args:
        space: Lorentz, PoincareBall, Sphere, Euclidean or one of their charts; a learnable
            curvature is that of now.
        points: (N, m), finite. They are kept, on the CPU, to measure by.

    Raises:
        TypeError: a manifold without such vectors, or no floating-point tensor.
        ValueError: shapes or numbers that are no points.
    """
    return Vectors(space, points)
