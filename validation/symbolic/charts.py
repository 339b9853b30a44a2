"""The charts: their Christoffel symbols, that their curvature is K, and their geodesics.

Dimension. The metrics of the graph, the ball and the Klein chart are invariant under O(n), that of
the half-space under the rotations of its n - 1 horizontal coordinates: under many reflections.
The points that a set of isometries fixes are a totally geodesic submanifold, and what reflections
fix here is the same chart with fewer coordinates. So whatever speaks of a point and k vectors
happens in the span of all of them (and of the vertical, which a vector may be assumed to be):
Christoffel symbols and curvature (a point and two vectors) in dimension 3, the geodesic equation (a
point and a vector) in dimension 2, and what is proven there holds in every dimension.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import product
from typing import Any

import sympy as sp

from .algebra import Cs, Derivation, Inner, K, Proof, Sn, equation
from .chart_metrics import ball, euclidean, graph, half_space, klein, metric, polar, square
from .metric import Metric

Form = Callable[..., Any]

EVERY_N = "every n: checked for n = 2 and 3, and {} span {} dimensions"
GEODESIC = "every n: checked for n = 2, as a point and a velocity span 2 dimensions"
POLAR = "n = 2 and 3, and every n by the isometry with the ball"


def _conformal(gradient: Callable[[Sequence[Any]], Any]) -> Form:
    def symbol(x: Sequence[Any], k: int, i: int, j: int) -> Any:
        f, delta = gradient(x), sp.eye(len(x))
        return delta[k, i] * f[j] + delta[k, j] * f[i] - delta[i, j] * f[k]

    return symbol


def _polar_symbol(x: Sequence[Any], k: int, i: int, j: int) -> Any:
    c, s = Cs(K, x[0]), Sn(K, x[0])
    across = {(1, 0, 1): c / s, (2, 0, 2): c / s, (2, 1, 2): None, (1, 2, 2): None}
    if k == 0 and i == j:
        return -s * c * (polar(x)[i, i] / s**2 if i else 0)
    if i > j:
        i, j = j, i
    if (k, i, j) in across and 0 in (i, j):
        return across[k, i, j]
    if (k, i, j) == (2, 1, 2):
        return Cs(1, x[1]) / Sn(1, x[1])
    if (k, i, j) == (1, 2, 2):
        return -Sn(1, x[1]) * Cs(1, x[1])
    return sp.S.Zero


CHRISTOFFEL: dict[Form, Form] = {
    euclidean: lambda x, k, i, j: sp.S.Zero,
    graph: lambda x, k, i, j: K * graph(x)[i, j] * x[k],
    ball: _conformal(lambda x: [-2 * K * c / (1 + K * square(x)) for c in x]),
    klein: lambda x, k, i, j: -K * (x[i] * int(j == k) + x[j] * int(i == k)) / (1 + K * square(x)),
    half_space: _conformal(lambda x: [0] * (len(x) - 1) + [-1 / x[-1]]),
    polar: _polar_symbol,
}


def _prove_christoffel(chart: Form, symbol: Form) -> Proof:
    shown = [equation("g", metric(chart, 2).matrix)]
    x = metric(chart, 2).coordinates
    for k, i, j in product(range(2), repeat=3):
        value = metric(chart, 2).christoffel[k][i, j]
        if i <= j and value != 0:
            up, *down = _latex([x[k], x[i], x[j]])
            name = rf"\Gamma^{{{up}}}_{{{' '.join(down)}}}"
            shown.append(equation(name, sp.factor(value)))
    off = [
        metric(chart, n).christoffel[k][i, j] - symbol(metric(chart, n).coordinates, k, i, j)
        for n in (2, 3)
        for k, i, j in product(range(n), repeat=3)
    ]
    return Proof(tuple(shown), {"the metric's Christoffel symbols are these": off})


def _prove_curvature(chart: Form, curvature: Form) -> Proof:
    value = curvature()
    shown = equation(r"R(u, v)\,w", _curvature_tensor(value))
    residuals = {
        f"R(u, v)w from the metric, n = {n}": metric(chart, n).off_constant_curvature(value)
        for n in (2, 3)
    }
    return Proof((shown,), residuals)


def _curvature_tensor(value: Any) -> Any:
    u, v, w = sp.symbols("u v w")
    return value * (Inner(v, w) * u - Inner(u, w) * v)


def _prove_geodesic(chart: Form, acceleration: Form) -> Proof:
    space = metric(chart, 2)
    velocity = sp.symbols(" ".join(rf"\dot{{{x}}}" for x in _latex(space.coordinates)))
    v = sp.Matrix(velocity)
    a = acceleration(space, v)
    shown = [
        equation(rf"\ddot{{{x}}}", sp.factor(a[k])) for k, x in enumerate(_latex(space.coordinates))
    ]
    off = space.euler_lagrange(velocity, list(a))
    return Proof(tuple(shown), {"Euler-Lagrange equations of the energy g(v, v)/2": off})


def _latex(symbols: Sequence[Any]) -> list[str]:
    return [sp.latex(s) for s in symbols]


def _acceleration(space: Metric, v: Any) -> Any:
    return -space.connection(space.coordinates, v, v)


CHARTS: dict[str, tuple[Form, str]] = {
    "euclidean": (euclidean, "Euclidean space"),
    "graph": (graph, "The space part of the sphere (K > 0) and of the hyperboloid (K < 0)"),
    "ball": (ball, "The Poincaré ball (for K > 0: the stereographic chart)"),
    "klein": (klein, "The Klein ball (for K > 0: the gnomonic chart)"),
    "half-space": (half_space, "The upper half-space (K < 0)"),
    "polar": (polar, "Geodesic polar coordinates"),
}


def _constant(value: Any) -> Any:
    return value


def derivations() -> Iterator[Derivation]:
    """Christoffel symbols, curvature and geodesic equation of each chart."""
    for name, (chart, words) in CHARTS.items():
        dimension = POLAR if chart is polar else EVERY_N.format("a point and two vectors", 3)
        curvature = sp.S.Zero if chart is euclidean else K
        yield Derivation(
            f"charts/{name}: Christoffel symbols",
            f"{words}: the metric and its Christoffel symbols (printed for n = 2).",
            dimension,
            CHRISTOFFEL[chart],
            partial(_prove_christoffel, chart),
        )
        yield Derivation(
            f"charts/{name}: curvature",
            f"The sectional curvature is constant, and it is {curvature}.",
            dimension,
            partial(_constant, curvature),
            partial(_prove_curvature, chart),
        )
        yield Derivation(
            f"charts/{name}: geodesic equation",
            "The geodesic equation.",
            POLAR if chart is polar else GEODESIC,
            _acceleration,
            partial(_prove_geodesic, chart),
        )
