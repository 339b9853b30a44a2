r"""The maps of Sphere and Lorentz, on vectors known by their inner products: for every n.

A point is (xi, x_s) with xi = sqrt(abs(K)) x_t, so that both spaces are one quadric,
<x, x> = xi^2/K + |x_s|^2 = 1/K, for K of either sign. Its space part is the graph chart, whose
Christoffel symbols K g_ij x^k turn the chart's covariant derivative W' + Gamma(x', W) into
W' + K <x', W> x, first proof below; the rest is the algebra of the vectors that a map is about.
"""

from collections.abc import Callable, Iterator
from typing import Any

import sympy as sp

from .algebra import Cs, Derivation, Inner, K, Proof, Sn, equation, euclidean_dot, gram
from .chart_metrics import coordinates, graph, metric

Form = Callable[..., Any]
Product = Callable[[Any, Any], Any]

EVERY_N = "every n: vectors enter by their inner products only"

t = sp.Symbol("t", real=True)
# The length of v, the components of a vector w along and across v, and a distance.
a, b, c, d = sp.symbols("a b c d", positive=True)
# For printing, where a vector is a symbol.
X, Y, V = sp.symbols("x y v")
LENGTH = sp.Symbol(r"\left|v\right|", positive=True)


def expmap(x: Any, v: Any, length: Any) -> Any:
    """cs(|v|) x + sn(|v|) v/|v|."""
    return Cs(K, length) * x + Sn(K, length) / length * v


def haversine(dot: Product, x: Any, y: Any) -> Any:
    """sn(d/2)^2."""
    return dot(y - x, y - x) / 4


def logmap(x: Any, y: Any, dist: Any) -> Any:
    """d/sn(d) (y - cs(d) x)."""
    return dist / Sn(K, dist) * (y - Cs(K, dist) * x)


def transport(dot: Product, x: Any, y: Any, v: Any) -> Any:
    """v - K <y, v>/(1 + cs(d)) (x + y), with cs(d) = K <x, y>."""
    return v - K * dot(y, v) / (1 + K * dot(x, y)) * (x + y)


def geodesic(x: Any, y: Any, dist: Any, time: Any) -> Any:
    """From x at time 0 to y at time 1."""
    return (Sn(K, (1 - time) * dist) * x + Sn(K, time * dist) * y) / Sn(K, dist)


def midpoint(x: Any, y: Any, dist: Any) -> Any:
    """(x + y)/(2 cs(d/2))."""
    return (x + y) / (2 * Cs(K, dist / 2))


def covariant_derivative(dot: Product, point: Any, velocity: Any, w: Any, rate: Any) -> Any:
    """D/dt W of a tangent field with rate W': what must be added to W' to make it tangent."""
    return rate + K * dot(velocity, w) * point


def rate_along(dot: Product, curve: Any, w: Any) -> list[Any]:
    return list(covariant_derivative(dot, curve, curve.diff(t), w, w.diff(t)))


# A point, a tangent vector v of length a, and another one w.
(POINT, VELOCITY, VECTOR), DOT = gram([[1 / K, 0, 0], [0, a**2, b], [0, b, c]])
# Two points at distance d.
(FIRST, SECOND), PAIR_DOT = gram([[1 / K, Cs(K, d) / K], [Cs(K, d) / K, 1 / K]])


def ray() -> Any:
    """The geodesic with position x and velocity v at t = 0, proven to be one."""
    return expmap(POINT, VELOCITY * t, a * t)


def _prove_connection(derivative: Form) -> Proof:
    chart = metric(graph, 3)
    x = sp.Matrix(chart.coordinates)
    u, w = (sp.Matrix(coordinates(3, letter)) for letter in "uw")
    xi = sp.Symbol("xi")  # with xi^2 = 1 - K |x|^2, so xi u_xi = -K x.u for a tangent vector

    def full(s: Any) -> Any:
        return sp.Matrix([-K * x.dot(s) / xi, *s])

    def dot(p: Any, q: Any) -> Any:
        return p[0] * q[0] / K + euclidean_dot(p[1:, :], q[1:, :])

    # W' is free in its space part; the part along xi follows by differentiating tangency.
    change = sp.Matrix(coordinates(3, "z"))
    xi_rate = full(u)[0]
    along = (-K * (u.dot(w) + x.dot(change)) - xi_rate * full(w)[0]) / xi
    rate = sp.Matrix([along, *change])
    covariant = derivative(dot, sp.Matrix([xi, *x]), full(u), full(w), rate)
    in_chart = change + chart.connection(chart.coordinates, u, w)
    inner = dot(full(u), full(w)) - (u.T * chart.matrix * w)[0]
    on_quadric = {K: (1 - xi**2) / x.dot(x)}
    names = sp.symbols(r"x {\dot{x}} W {\dot{W}}")
    shown = covariant_derivative(Inner, *names)
    return Proof(
        (equation(r"\tfrac{D}{dt}W", shown),),
        {
            "the chart's metric": [inner.subs(on_quadric)],
            "the chart's covariant derivative": [
                e.subs(on_quadric) for e in covariant - full(in_chart)
            ],
        },
    )


def _prove_expmap(form: Form) -> Proof:
    curve = form(POINT, VELOCITY * t, a * t)
    velocity = curve.diff(t)
    shown = equation(r"\exp_{x}(v)", form(X, V, LENGTH))
    return Proof(
        (shown,),
        {
            "geodesic equation, D/dt of the velocity": rate_along(DOT, curve, velocity),
            "<x, x> = 1/K along it": [DOT(curve, curve) - 1 / K],
            "starts at x": list(curve.subs(t, 0) - POINT),
            "with velocity v": list(velocity.subs(t, 0) - VELOCITY),
        },
    )


def _prove_dist(form: Form) -> Proof:
    # A function of <x, y> alone: its differential is known on the span of x and y, and is 0 on
    # the orthogonal complement.
    step = sp.Symbol("epsilon")
    differential = sp.Matrix(
        [form(PAIR_DOT, FIRST, SECOND + step * e).diff(step).subs(step, 0) for e in (FIRST, SECOND)]
    )
    product = sp.Matrix([[PAIR_DOT(e, f) for f in (FIRST, SECOND)] for e in (FIRST, SECOND)])
    ambient = product.inv(method="ADJ") * differential
    gradient = ambient - K * PAIR_DOT(ambient, SECOND) * SECOND
    h = form(PAIR_DOT, FIRST, SECOND)
    shown = equation(Sn(K, d / 2) ** 2, form(Inner, X, Y))
    return Proof(
        (shown,),
        {
            "length of the geodesic: sn(|v| t/2)^2 at exp_x(t v)": [
                form(DOT, POINT, ray()) - Sn(K, a * t / 2) ** 2
            ],
            # of h = sn(d/2)^2: |grad h|^2 = sn(d/2)^2 cs(d/2)^2 |grad d|^2
            "eikonal equation, |grad d| = 1": [PAIR_DOT(gradient, gradient) - h * (1 - K * h)],
        },
    )


def _prove_logmap(form: Form) -> Proof:
    end = ray().subs(t, 1)
    back = form(FIRST, SECOND, d)
    return Proof(
        (equation(r"\log_{x}(y)", form(X, Y, d)),),
        {
            "log_x(exp_x(v)) = v": list(form(POINT, end, a) - VELOCITY),
            "exp_x(log_x(y)) = y": list(expmap(FIRST, back, d) - SECOND),
            "|log_x(y)| = d": [PAIR_DOT(back, back) - d**2],
            "tangent at x": [PAIR_DOT(back, FIRST)],
        },
    )


def _prove_transport(form: Form) -> Proof:
    curve = ray()
    w = form(DOT, POINT, curve, VECTOR)
    return Proof(
        (equation(r"P_{x\to y}\,v", form(Inner, X, Y, V)),),
        {
            "D/dt W = 0 along the geodesic": rate_along(DOT, curve, w),
            "the identity at y = x": list(w.subs(t, 0) - VECTOR),
            "tangent at y": [DOT(w, curve)],
            "an isometry": [DOT(w, w) - c],
        },
    )


def _prove_geodesic(form: Form) -> Proof:
    curve = form(FIRST, SECOND, d, t)
    return Proof(
        (equation(r"\gamma(t)", form(X, Y, d, t)),),
        {"exp_x(t log_x(y))": list(curve - expmap(FIRST, t * logmap(FIRST, SECOND, d), t * d))},
    )


def _prove_midpoint(form: Form) -> Proof:
    return Proof(
        (equation("m", form(X, Y, d)),),
        {
            "the geodesic at t = 1/2": list(
                form(FIRST, SECOND, d) - geodesic(FIRST, SECOND, d, sp.Rational(1, 2))
            )
        },
    )


def derivations() -> Iterator[Derivation]:
    """Maps on the quadric."""
    yield Derivation(
        "quadric/connection",
        "The covariant derivative along a curve of the quadric, hence its geodesic equation: with "
        "W the velocity, $D W/dt = 0$.",
        "every n: a point and two vectors span 3 dimensions, checked there",
        covariant_derivative,
        _prove_connection,
    )
    for name, claim, form, prove in (
        ("expmap", "The exponential map.", expmap, _prove_expmap),
        ("dist", "The distance.", haversine, _prove_dist),
        ("logmap", "The logarithm, the inverse of the exponential map.", logmap, _prove_logmap),
        ("transport", "Parallel transport along the geodesic.", transport, _prove_transport),
        ("geodesic", "The geodesic between two points.", geodesic, _prove_geodesic),
        ("midpoint", "The midpoint.", midpoint, _prove_midpoint),
    ):
        yield Derivation(f"quadric/{name}", claim, EVERY_N, form, prove)
