"""The charts: what their metrics are, that their curvature is K, and that they are one space.

Dimension. The metrics of the graph, the ball and the Klein chart are invariant under O(n), that of
the half-space under the rotations of its n - 1 horizontal coordinates and, like the others, under
the reflections that fix the origin's axis. The points that a set of isometries fixes are a totally
geodesic submanifold, and what reflections fix here is the same chart with fewer coordinates. So
whatever speaks of a point and k vectors happens in the span of all of them: curvature (a point and
two vectors) in dimension 3, the geodesic equation (a point and a vector) in dimension 2, and what
is proven there holds in every dimension.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import product
from typing import Any

import sympy as sp

from ._derive import Cs, Derivation, Inner, K, Proof, Sn, equation, tn
from ._metric import Metric

Form = Callable[..., Any]

EVERY_N = "every n: checked for n = 2 and 3, and {} span at most {} dimensions"
CURVATURE = EVERY_N.format("a point and a plane in its tangent space", 3)
GEODESIC = "every n: checked for n = 2, as a point and a velocity span 2 dimensions"

R = sp.Symbol("R", positive=True)


def coordinates(n: int, letter: str = "x") -> tuple[Any, ...]:
    """x_1, ..., x_n."""
    return sp.symbols(f"{letter}_1:{n + 1}", real=True)


def _square(x: Sequence[Any]) -> Any:
    return sum(c**2 for c in x)


# -- the metrics -----------------------------------------------------------------------------------


def euclidean(x: Sequence[Any]) -> Any:
    """R^n."""
    return sp.eye(len(x))


def graph(x: Sequence[Any]) -> Any:
    """Space part of a point of the sphere or the hyperboloid."""
    s = sp.Matrix(x)
    return sp.eye(len(x)) + K * s * s.T / (1 - K * _square(x))


def ball(x: Sequence[Any]) -> Any:
    """Poincaré ball; for K > 0 the stereographic chart of the sphere."""
    return 4 / (1 + K * _square(x)) ** 2 * sp.eye(len(x))


def klein(x: Sequence[Any]) -> Any:
    """Klein ball, where geodesics are straight; for K > 0 the gnomonic chart."""
    s, w = sp.Matrix(x), 1 + K * _square(x)
    return sp.eye(len(x)) / w - K * s * s.T / w**2


def half_space(x: Sequence[Any]) -> Any:
    """Upper half-space x_n > 0, for K < 0."""
    return sp.eye(len(x)) / (-K * x[-1] ** 2)


def polar(x: Sequence[Any]) -> Any:
    """Geodesic polar coordinates (r, theta) or (r, theta, phi) about the origin."""
    square = Sn(K, x[0]) ** 2
    return sp.diag(1, *([square, square * Sn(1, x[1]) ** 2][: len(x) - 1]))


@cache
def metric(form: Form, n: int) -> Metric:
    """The chart's metric on named coordinates, with what was computed from it so far."""
    x = sp.symbols("r theta phi", positive=True)[:n] if form is polar else coordinates(n)
    return Metric(x, form(x))


# -- Christoffel symbols and curvature -------------------------------------------------------------


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
    ball: _conformal(lambda x: [-2 * K * c / (1 + K * _square(x)) for c in x]),
    klein: lambda x, k, i, j: -K * (x[i] * int(j == k) + x[j] * int(i == k)) / (1 + K * _square(x)),
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


# -- isometries ------------------------------------------------------------------------------------


def from_ball_to_graph(y: Sequence[Any]) -> list[Any]:
    """Stereographic projection backwards: the space part on the quadric."""
    return [2 * c / (1 + K * _square(y)) for c in y]


def from_ball_to_klein(y: Sequence[Any]) -> list[Any]:
    """Both lie on one line through the origin."""
    return [2 * c / (1 - K * _square(y)) for c in y]


def from_ball_to_half_space(y: Sequence[Any]) -> list[Any]:
    """Inversion in the sphere of radius sqrt(2) R about (0, ..., 0, -R)."""
    pole = [0] * (len(y) - 1) + [R]
    reach = _square([a + b for a, b in zip(y, pole, strict=True)])
    return [2 * R**2 * (a + b) / reach - b for a, b in zip(y, pole, strict=True)]


def from_polar_to_ball(x: Sequence[Any]) -> list[Any]:
    """from_normal in polar coordinates: the point at distance r in a direction."""
    radius = tn(K, x[0] / 2)
    if len(x) == 2:
        return [radius * Cs(1, x[1]), radius * Sn(1, x[1])]
    sine = radius * Sn(1, x[1])
    return [radius * Cs(1, x[1]), sine * Cs(1, x[2]), sine * Sn(1, x[2])]


def _prove_isometry(source: Form, target: Form, image: Form) -> Proof:
    residuals: dict[str, list[Any]] = {}
    shown: tuple[sp.Basic, ...] = ()
    for n in (2, 3):
        here, there = metric(source, n), metric(target, n)
        y = here.coordinates if source is polar else coordinates(n, "y")
        here = Metric(y, source(y))
        pulled = there.pullback(image(y), y).matrix - here.matrix
        # The half-space is placed by its radius: K = -1/R^2.
        placed = {K: -1 / R**2} if target is half_space else {}
        residuals[f"pulled-back metric, n = {n}"] = [e.subs(placed) for e in pulled]
        if n == 2:
            shown = (equation(r"\varphi", sp.Matrix(image(y))),)
    return Proof(shown, residuals)


def _prove_magnifying_glass(chart: Form, scaled: Form) -> Proof:
    x = coordinates(3)
    residuals = {}
    for sign in (-1, 1):
        unit = Metric(x, chart(x).subs(K, sign))
        pulled = unit.pullback(scaled(x), x).matrix * R**2
        off = pulled - chart(x).subs(K, sign / R**2)
        residuals[f"R^2 times the pulled-back unit metric, K = {sign}/R^2"] = list(off)
    return Proof((equation("g_{K}(x)", R**2 * sp.Symbol(r"{g_{\pm 1}(x/R)}")),), residuals)


# -- the list --------------------------------------------------------------------------------------

CHARTS: dict[str, tuple[Form, str]] = {
    "euclidean": (euclidean, "Euclidean space"),
    "graph": (graph, "The space part of the sphere (K > 0) and of the hyperboloid (K < 0)"),
    "ball": (ball, "The Poincaré ball (for K > 0: the stereographic chart)"),
    "klein": (klein, "The Klein ball (for K > 0: the gnomonic chart)"),
    "half-space": (half_space, "The upper half-space (K < 0)"),
    "polar": (polar, "Geodesic polar coordinates"),
}
# name: source, target, map, which points and vectors the claim is about
ISOMETRIES: dict[str, tuple[Form, Form, Form, str, int]] = {
    "ball to graph": (ball, graph, from_ball_to_graph, "a point and a vector", 2),
    "ball to klein": (ball, klein, from_ball_to_klein, "a point and a vector", 2),
    "ball to half-space": (
        *(ball, half_space, from_ball_to_half_space),
        *("the pole's axis, a point and a vector", 3),
    ),
    "polar to ball": (polar, ball, from_polar_to_ball, "a point and a vector", 2),
}


def derivations() -> Iterator[Derivation]:
    """Charts and isometries."""
    for name, (chart, words) in CHARTS.items():

        def of(prove: Form, chart: Form = chart) -> Form:
            return lambda form: prove(chart, form)

        yield Derivation(
            f"charts/{name}: Christoffel symbols",
            f"{words}: the metric and its Christoffel symbols (printed for n = 2).",
            "every n: a symbol has three indices, and n = 2 and 3 were checked",
            CHRISTOFFEL[chart],
            of(_prove_christoffel),
        )
        constant = sp.S.Zero if chart is euclidean else K
        yield Derivation(
            f"charts/{name}: curvature",
            "The sectional curvature is constant"
            + (", and it is 0." if chart is euclidean else ", and it is K."),
            CURVATURE,
            lambda constant=constant: constant,
            of(_prove_curvature),
        )
        yield Derivation(
            f"charts/{name}: geodesic equation",
            "The geodesic equation.",
            GEODESIC,
            _acceleration,
            of(_prove_geodesic),
        )
    for name, (source, target, image, what, span) in ISOMETRIES.items():
        yield Derivation(
            f"isometries/{name}",
            "The map is an isometry: it pulls the target's metric back to the source's.",
            EVERY_N.format(what, span),
            image,
            lambda form, source=source, target=target: _prove_isometry(source, target, form),
        )
    for chart in (graph, ball):
        yield Derivation(
            f"isometries/magnifying glass: {chart.__name__}",
            "The space of curvature $K = \\pm 1/R^2$ is the unit one with points divided by R and "
            "lengths multiplied by R: kernels are written for K = -1, 0 and 1 only.",
            "n = 3, and every n as above",
            lambda x: [c / R for c in x],
            lambda form, chart=chart: _prove_magnifying_glass(chart, form),
        )
