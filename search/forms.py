"""Each manifold's distance as what FAISS can rank: an inner product, or a Euclidean distance."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator

import torch
from torch import Tensor

from ..manifolds import Euclidean, Lorentz, Manifold, PoincareBall, Sphere, convert

_UNIT = 2.0**-24  # of float32, in which FAISS computes
_ROWS = 2**14


class Form(ABC):
    """Vectors of points and queries whose product (or distance) is monotone in the distance.

    ``value`` is a growing function of the distance; FAISS has it with an error that ``noise``
    bounds. So it is known when no point that FAISS left out can be nearer than those it gave.
    """

    squared_distances = False
    """Whether FAISS is to rank by the squared Euclidean distance, and not by -inner product."""
    between_keys = True
    """Whether the product of two keys means anything, as FAISS's graphs of points suppose."""

    def __init__(self, space: Manifold, points: Tensor) -> None:
        self.space = space
        self.radius = float(space.radius)
        self.prepare(points)

    @abstractmethod
    def prepare(self, points: Tensor) -> None:
        """What depends on the whole set."""

    @abstractmethod
    def keys(self, points: Tensor) -> Tensor:
        """(N, d) float64, of points."""

    @abstractmethod
    def queries(self, points: Tensor) -> Tensor:
        """(Q, d) float64, of the same kind of points, to be multiplied with the keys."""

    @abstractmethod
    def value(self, queries: Tensor, distance: Tensor) -> Tensor:
        """What FAISS would give for a distance if it made no error: (Q, m), (Q) -> (Q)."""

    @abstractmethod
    def noise(self, queries: Tensor, distance: Tensor) -> Tensor:
        """Bound of FAISS's error for points up to a distance from the query: (Q, m), (Q) -> (Q).

        A sum of d products has an error of at most d units of the sum of their sizes; the
        roundings of the factors add two, the others' lower order one more.
        """


class Hyperbolic(Form):
    """cosh(d/R) = -<q, x>, of the points on the unit hyperboloid, divided by both time parts.

    By the query's and by the largest of all points', so that nothing overflows in float32.
    """

    between_keys = False  # it lacks the minus sign of time

    def prepare(self, points: Tensor) -> None:
        self.largest = max(self._lifted(block)[:, 0].max() for block in blocks(points))

    def _lifted(self, points: Tensor) -> Tensor:
        space = self.space
        if isinstance(space, PoincareBall):
            space = Lorentz(float(space.curvature))
            points = convert(points, self.space, space)
        return space.proj(points) / self.radius  # the time part as it is, not as it was stored

    def keys(self, points: Tensor) -> Tensor:
        return self._lifted(points) / self.largest

    def queries(self, points: Tensor) -> Tensor:
        x = self._lifted(points)
        x = x / x[:, :1]
        return torch.cat([-x[:, :1], x[:, 1:]], dim=-1)

    def value(self, queries: Tensor, distance: Tensor) -> Tensor:
        return (distance / self.radius).cosh() / self._lifted(queries)[:, 0] / self.largest

    def noise(self, queries: Tensor, distance: Tensor) -> Tensor:
        x = self._lifted(queries)
        # A point at that distance is at most as much farther out than the query.
        farthest = (x[:, 0].acosh() + distance / self.radius).clamp(max=700.0).cosh()
        size = 2 * (farthest / self.largest).clamp(max=1.0)
        count = x.shape[-1] + 3
        return count * (_UNIT * size + torch.finfo(torch.float32).tiny)


class Spherical(Form):
    """-cos(d/R) = -q.x of unit vectors."""

    def prepare(self, points: Tensor) -> None:
        pass

    def keys(self, points: Tensor) -> Tensor:
        return self.space.proj(points) / self.radius

    def queries(self, points: Tensor) -> Tensor:
        return self.keys(points)

    def value(self, queries: Tensor, distance: Tensor) -> Tensor:
        return -(distance / self.radius).cos()

    def noise(self, queries: Tensor, distance: Tensor) -> Tensor:
        return torch.full_like(distance, (queries.shape[-1] + 3) * _UNIT)


class Flat(Form):
    """The squared distance, from the mean of all points: FAISS expands the square."""

    squared_distances = True

    def prepare(self, points: Tensor) -> None:
        self.centre = points.double().mean(0)
        size = max((block - self.centre).abs().max() for block in blocks(points))
        self.scale = size if size > 0 else torch.ones_like(size)

    def keys(self, points: Tensor) -> Tensor:
        return (points - self.centre) / self.scale

    def queries(self, points: Tensor) -> Tensor:
        return self.keys(points)

    def value(self, queries: Tensor, distance: Tensor) -> Tensor:
        return (distance / self.scale).square()

    def noise(self, queries: Tensor, distance: Tensor) -> Tensor:
        # |q|^2 + |x|^2 - 2 q.x, with |x| <= |q| + d; d^2 moves by 2 d (|q| + |x|) units when the
        # vectors are rounded.
        size: Tensor = 2 * self.keys(queries).norm(dim=-1) + distance / self.scale
        return (queries.shape[-1] + 10) * _UNIT * size.square()


def blocks(points: Tensor) -> Iterator[Tensor]:
    """Rows in float64, as many at a time as fit into a cache."""
    for start in range(0, len(points), _ROWS):
        yield points[start : start + _ROWS].double()


def form_of(manifold: Manifold, points: Tensor) -> Form:
    """The form of a manifold for a set of points (N, m)."""
    for kind, form in _FORMS.items():
        if isinstance(manifold, kind):
            return form(manifold, points)
    known = ", ".join(kind.__name__ for kind in _FORMS)
    raise TypeError(f"search: manifold is a {type(manifold).__name__}; expected one of {known}.")


def at_rest(manifold: Manifold) -> Manifold:
    """The manifold with its curvature of now, fixed."""
    manifold = manifold._unchecked
    if isinstance(manifold, Lorentz | PoincareBall | Sphere):
        return type(manifold)(float(manifold.curvature.detach()))
    return manifold


_FORMS: dict[type[Manifold], type[Form]] = {
    Lorentz: Hyperbolic,
    PoincareBall: Hyperbolic,
    Sphere: Spherical,
    Euclidean: Flat,
}
