r"""The maps of Sphere and Lorentz, on vectors known by their inner products: for every n.

A point is (xi, x_s) with xi = sqrt(abs(K)) x_t, so that both spaces are one quadric,
<x, x> = xi^2/K + |x_s|^2 = 1/K, for K of either sign. Its space part is the graph chart, whose
Christoffel symbols K g_ij x^k turn the chart's covariant derivative W' + Gamma(x', W) into
W' + K <x', W> x, first proof below; the rest is the algebra of the vectors that a map is about.
"""

from collections.abc import Callable, Iterator
from typing import Any

import sympy as sp

from ._derive import Cs, Derivation, Inner, K, Proof, Sn, equation, euclidean_dot, gram
from ._derive_charts import coordinates, graph, metric

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


def _along(dot: Product, curve: Any, w: Any) -> list[Any]:
    return list(covariant_derivative(dot, curve, curve.diff(t), w, w.diff(t)))


# A point, a tangent vector v of length a, and another one w.
(_X, _V, _W), _DOT = gram([[1 / K, 0, 0], [0, a**2, b], [0, b, c]])
# Two points at distance d.
(_P, _Q), _DOT2 = gram([[1 / K, Cs(K, d) / K], [Cs(K, d) / K, 1 / K]])


def _ray() -> Any:
    """The geodesic with position x and velocity v at t = 0, proven to be one."""
    return expmap(_X, _V * t, a * t)


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
    curve = form(_X, _V * t, a * t)
    velocity = curve.diff(t)
    shown = equation(r"\exp_{x}(v)", form(X, V, LENGTH))
    return Proof(
        (shown,),
        {
            "geodesic equation, D/dt of the velocity": _along(_DOT, curve, velocity),
            "<x, x> = 1/K along it": [_DOT(curve, curve) - 1 / K],
            "starts at x": list(curve.subs(t, 0) - _X),
            "with velocity v": list(velocity.subs(t, 0) - _V),
        },
    )


def _prove_dist(form: Form) -> Proof:
    # A function of <x, y> alone: its differential is known on the span of x and y, and is 0 on
    # the orthogonal complement.
    step = sp.Symbol("epsilon")
    differential = sp.Matrix(
        [form(_DOT2, _P, _Q + step * e).diff(step).subs(step, 0) for e in (_P, _Q)]
    )
    product = sp.Matrix([[_DOT2(e, f) for f in (_P, _Q)] for e in (_P, _Q)])
    ambient = product.inv(method="ADJ") * differential
    gradient = ambient - K * _DOT2(ambient, _Q) * _Q
    h = form(_DOT2, _P, _Q)
    shown = equation(Sn(K, d / 2) ** 2, form(Inner, X, Y))
    return Proof(
        (shown,),
        {
            "length of the geodesic: sn(|v| t/2)^2 at exp_x(t v)": [
                form(_DOT, _X, _ray()) - Sn(K, a * t / 2) ** 2
            ],
            # of h = sn(d/2)^2: |grad h|^2 = sn(d/2)^2 cs(d/2)^2 |grad d|^2
            "eikonal equation, |grad d| = 1": [_DOT2(gradient, gradient) - h * (1 - K * h)],
        },
    )


def _prove_logmap(form: Form) -> Proof:
    end = _ray().subs(t, 1)
    back = form(_P, _Q, d)
    return Proof(
        (equation(r"\log_{x}(y)", form(X, Y, d)),),
        {
            "log_x(exp_x(v)) = v": list(form(_X, end, a) - _V),
            "exp_x(log_x(y)) = y": list(expmap(_P, back, d) - _Q),
            "|log_x(y)| = d": [_DOT2(back, back) - d**2],
            "tangent at x": [_DOT2(back, _P)],
        },
    )


def _prove_transport(form: Form) -> Proof:
    curve = _ray()
    w = form(_DOT, _X, curve, _W)
    return Proof(
        (equation(r"P_{x\to y}\,v", form(Inner, X, Y, V)),),
        {
            "D/dt W = 0 along the geodesic": _along(_DOT, curve, w),
            "the identity at y = x": list(w.subs(t, 0) - _W),
            "tangent at y": [_DOT(w, curve)],
            "an isometry": [_DOT(w, w) - c],
        },
    )


def _prove_geodesic(form: Form) -> Proof:
    curve = form(_P, _Q, d, t)
    return Proof(
        (equation(r"\gamma(t)", form(X, Y, d, t)),),
        {"exp_x(t log_x(y))": list(curve - expmap(_P, t * logmap(_P, _Q, d), t * d))},
    )


def _prove_midpoint(form: Form) -> Proof:
    return Proof(
        (equation("m", form(X, Y, d)),),
        {"the geodesic at t = 1/2": list(form(_P, _Q, d) - geodesic(_P, _Q, d, sp.Rational(1, 2)))},
    )


def small_steps(dot: Product, x: Any, y: Any) -> tuple[Any, Any, Any, Any]:
    """y - cs(d) x from y - x and from y + x; cs(d) and 1 + cs(d) from h = sn(d/2)^2."""
    h = haversine(dot, x, y)
    opposite = x + y - K * dot(x, x + y) * x
    return (y - x) + 2 * K * h * x, opposite, 1 - 2 * K * h, 2 * (1 - K * h)


def _prove_small_steps(form: Form) -> Proof:
    near, opposite, cosine, more = form(_DOT2, _P, _Q)
    exact = _Q - Cs(K, d) * _P
    h = sp.Symbol("h")
    shown = [
        equation(Y - Cs(K, d) * X, (Y - X) + 2 * K * h * X),
        equation(1 + Cs(K, d), 2 * (1 - K * h)),
    ]
    return Proof(
        tuple(shown),
        {
            "from y - x": list(near - exact),
            "from y + x": list(opposite - exact),
            "cs(d) = 1 - 2 K h": [cosine - Cs(K, d)],
            "1 + cs(d) = 2 (1 - K h)": [more - 1 - Cs(K, d)],
        },
    )


def kahan(dot: Product, x: Any, y: Any) -> Any:
    """K tn(d/2)^2 = |x - y|^2/|x + y|^2."""
    return dot(x - y, x - y) / dot(x + y, x + y)


def _prove_kahan(form: Form) -> Proof:
    half = K * Sn(K, d / 2) ** 2 / Cs(K, d / 2) ** 2
    return Proof(
        (equation(half, form(Inner, X, Y)),),
        {"tn(d/2)^2 from the law of cosines": [form(_DOT2, _P, _Q) - half]},
    )


def reflection(dot: Product, x: Any, y: Any, v: Any) -> Any:
    """Transport to near the antipode: in the hyperplane orthogonal to the bisector x + y."""
    both = x + y
    return v - 2 * dot(both, v) / dot(both, both) * both


def _prove_reflection(form: Form) -> Proof:
    # y = exp_x(v): <x + y, w> = <y, w> for w tangent at x.
    end = _ray().subs(t, 1)
    return Proof(
        (equation(r"P_{x\to y}\,v", form(Inner, X, Y, V)),),
        {"the transport": list(form(_DOT, _X, end, _W) - transport(_DOT, _X, end, _W))},
    )


def gradient(dot: Product, x: Any, g: Any) -> Any:
    """The Riemannian gradient from the ambient one: its tangential part."""
    return g - K * dot(x, g) * x


def _prove_gradient(form: Form) -> Proof:
    # g with <x, g> = b and <v, g> = c for any tangent v.
    (x, v, g), dot = gram([[1 / K, 0, b], [0, a**2, c], [b, c, d]])
    r = form(dot, x, g)
    return Proof(
        (equation(r"\mathrm{grad}", form(Inner, X, sp.Symbol("g"))),),
        {"<grad, v> = <g, v> for tangent v": [dot(r, v) - c], "tangent at x": [dot(r, x)]},
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
        ("gradient", "The Riemannian gradient (egrad2rgrad).", gradient, _prove_gradient),
        (
            "small steps",
            "Of near points, what is small is computed from $y - x$, with $h = "
            "\\mathrm{sn}_K(d/2)^2$; of nearly antipodal ones from $y + x$.",
            small_steps,
            _prove_small_steps,
        ),
        ("atan2", "Sphere's distance by Kahan's arctangent.", kahan, _prove_kahan),
        (
            "reflection",
            "Sphere's transport to near the antipode, a reflection.",
            reflection,
            _prove_reflection,
        ),
    ):
        yield Derivation(f"quadric/{name}", claim, EVERY_N, form, prove)
