"""Riemannian geometry in a chart, from nothing but the metric."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import sympy as sp


@dataclass(frozen=True)
class Metric:
    """A metric tensor g_ij in coordinates: everything else is computed from the two."""

    coordinates: tuple[Any, ...]
    matrix: Any

    @property
    def dim(self) -> int:
        """Number of coordinates."""
        return len(self.coordinates)

    @cached_property
    def inverse(self) -> Any:
        """g^ij."""
        return self.matrix.inv(method="ADJ").applyfunc(sp.cancel)

    @cached_property
    def christoffel(self) -> tuple[Any, ...]:
        """Matrices Gamma^k: Gamma^k_ij = g^kl (d_i g_lj + d_j g_li - d_l g_ij)/2."""
        x, g, n = self.coordinates, self.matrix, range(self.dim)

        def lowered(k: int, i: int, j: int) -> Any:
            return (g[k, j].diff(x[i]) + g[k, i].diff(x[j]) - g[i, j].diff(x[k])) / 2

        first = [sp.Matrix(self.dim, self.dim, lambda i, j, k=k: lowered(k, i, j)) for k in n]
        return tuple(
            sum((self.inverse[k, l] * first[l] for l in n), sp.zeros(self.dim)).applyfunc(sp.cancel)
            for k in n
        )

    def riemann(self, l: int, k: int, i: int, j: int) -> Any:
        """R^l_kij, the l-th component of R(e_i, e_j) e_k."""
        x, c = self.coordinates, self.christoffel
        quadratic = sum(c[l][i, m] * c[m][j, k] - c[l][j, m] * c[m][i, k] for m in range(self.dim))
        return c[l][j, k].diff(x[i]) - c[l][i, k].diff(x[j]) + quadratic

    def off_constant_curvature(self, curvature: Any) -> list[Any]:
        """Components of R(u, v)w - K (<v, w> u - <u, w> v): zero iff all sections have K."""
        g, n = self.matrix, range(self.dim)
        delta = sp.eye(self.dim)
        return [
            self.riemann(l, k, i, j) - curvature * (delta[l, i] * g[k, j] - delta[l, j] * g[k, i])
            for l in n
            for k in n
            for i in n
            for j in range(i)
        ]

    def connection(self, point: Sequence[Any], u: Any, v: Any) -> Any:
        """Gamma(u, v) at a point, a column: what a covariant derivative adds to the plain one."""
        at = dict(zip(self.coordinates, point, strict=True))
        return sp.Matrix([(u.T * c.xreplace(at) * v)[0] for c in self.christoffel])

    def euler_lagrange(self, velocity: Sequence[Any], acceleration: Sequence[Any]) -> list[Any]:
        """Euler-Lagrange expressions of the energy g(v, v)/2: zero along a geodesic."""
        v = sp.Matrix(velocity)
        energy = (v.T * self.matrix * v)[0] / 2
        steps = list(zip(self.coordinates, velocity, acceleration, strict=True))

        def rate(momentum: Any) -> Any:
            return sum(momentum.diff(x) * v + momentum.diff(v) * a for x, v, a in steps)

        return [rate(energy.diff(v)) - energy.diff(x) for x, v, _ in steps]

    def pullback(self, image: Sequence[Any], coordinates: tuple[Any, ...]) -> "Metric":
        """The metric that a map into this chart, given by its components, brings back."""
        jacobian = sp.Matrix(image).jacobian(coordinates)
        at = dict(zip(self.coordinates, image, strict=True))
        return Metric(coordinates, jacobian.T * self.matrix.xreplace(at) * jacobian)
