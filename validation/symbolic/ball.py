r"""The maps of PoincareBall, in its own chart: the geodesic equation is solved there once more.

Nothing here goes through the hyperboloid. The chart is rotated so that the geodesic starts in the
direction of the first axis; a vector out of the plane of x and v has a third component. These are
all the dimensions that a point, a velocity and a transported vector span, so n = 3 is every n.
"""

from collections.abc import Callable, Iterator
from typing import Any

import sympy as sp

from .algebra import Cs, Derivation, Inner, K, Proof, Sn, equation, euclidean_dot, tn
from .chart_metrics import ball, metric

Form = Callable[..., Any]
Product = Callable[[Any, Any], Any]

PLANE = "every n: a point and a vector span 2 dimensions, checked there"
SPACE = "every n: a point and two vectors span 3 dimensions, checked there"

t = sp.Symbol("t", real=True)
p, q = sp.symbols("p q", real=True)
# Half the Riemannian length of v, whose direction is the first axis.
sigma = sp.Symbol("sigma", positive=True)
# For printing, where a vector is a symbol and s = y - x.
X, Y, V, S, W = sp.symbols("x y v s w")
U_X, U_Y, DIST = sp.symbols("u_x u_y d")
LENGTH = sp.Symbol(r"\left|v\right|", positive=True)


def gap(dot: Product, x: Any) -> Any:
    """1 + K |x|^2, twice the inverse of the conformal factor."""
    return 1 + K * dot(x, x)


def expmap(dot: Product, x: Any, v: Any, length: Any) -> Any:
    """x (+) w, w = tn(|v|/gap) v/|v|, as x plus what vanishes with v."""
    w = tn(K, length / gap(dot, x)) / length * v
    return x + mobius_step(dot, x, w)


def mobius_step(dot: Product, x: Any, w: Any) -> Any:
    """x (+) w - x, the denominator a sum of positive terms for K < 0."""
    numerator = gap(dot, x) * (w - K * dot(w, w) * x)
    return numerator / (gap(dot, x) * gap(dot, w) - K * dot(x + w, x + w))


def haversine(dot: Product, x: Any, y: Any) -> Any:
    """sn(d/2)^2."""
    return dot(y - x, y - x) / (gap(dot, x) * gap(dot, y))


def logmap(dot: Product, x: Any, y: Any, dist: Any) -> Any:
    """d/sn(d) (gap_x s + K |s|^2 x)/gap_y, s = y - x."""
    s = y - x
    return dist / Sn(K, dist) * (gap(dot, x) * s + K * dot(s, s) * x) / gap(dot, y)


def midpoint(dot: Product, x: Any, y: Any, dist: Any) -> Any:
    """The sum of the hyperboloid points, brought back to the ball."""
    u, w = gap(dot, x), gap(dot, y)
    return (x / u + y / w) / (1 / u + 1 / w - 1 + Cs(K, dist / 2))


def transport(dot: Product, x: Any, y: Any, v: Any) -> Any:
    """gap_y/gap_x gyr[y, -x] v, every term of the gyration carrying a factor s = y - x."""
    s, u, w = y - x, gap(dot, x), gap(dot, y)
    along = 2 * -K * dot(x, s) * dot(x, v) - u * dot(x, v) + K * dot(x, x) * dot(s, v)
    across = u * dot(s, v) + K * dot(s, s) * dot(x, v)
    turned = v - 2 * K * (along * s + across * x) / (u * w - K * dot(s, s))
    return w / u * turned


def from_normal(v: Any, length: Any) -> Any:
    """tn(|v|/2) v/|v|."""
    return tn(K, length / 2) / length * v


def _abbreviated(name: Any, value: Any) -> tuple[Any, ...]:
    """The equation with s = y - x and u the gaps, and what of them it uses."""
    value = value.xreplace({Y - X: S, X - Y: -S})
    value = value.xreplace({gap(Inner, X): U_X, gap(Inner, Y): U_Y})
    gaps = [equation(u, gap(Inner, x)) for u, x in ((U_X, X), (U_Y, Y)) if value.has(u)]
    return (equation(name, value), *gaps)


_AT = sp.Matrix([p, q])
_GAP = gap(euclidean_dot, _AT)
# The velocity, of Euclidean length sigma gap: any length is one such.
_SPEED = sigma * _GAP
_VELOCITY = sp.Matrix([_SPEED, 0])


def _ray(form: Form = expmap) -> Any:
    return form(euclidean_dot, _AT, t * _VELOCITY, t * _SPEED)


def _covariant(n: int, curve: Any, w: Any) -> Any:
    """D/dt W, from the Christoffel symbols of the chart."""
    chart = metric(ball, n)
    return w.diff(t) + chart.connection(list(curve), curve.diff(t), w)


def _prove_expmap(form: Form) -> Proof:
    curve = _ray(form)
    velocity = curve.diff(t)
    w = tn(K, LENGTH / gap(Inner, X)) / LENGTH * V
    where = [equation(W, w.xreplace({gap(Inner, X): U_X}))]
    return Proof(
        (*_abbreviated(r"\exp_{x}(v)", form(Inner, X, V, LENGTH).xreplace({w: W})), *where),
        {
            "geodesic equation": list(_covariant(2, curve, velocity)),
            "starts at x": list(curve.subs(t, 0) - _AT),
            "with velocity v": list(velocity.subs(t, 0) - _VELOCITY),
        },
    )


def _prove_dist(form: Form) -> Proof:
    y = sp.Matrix(sp.symbols("y_1:3", real=True))
    h = form(euclidean_dot, _AT, y)
    slope = sp.Matrix([h.diff(c) for c in y])
    square = (slope.T * metric(ball, 2).inverse.subs(_at(y)) * slope)[0]
    return Proof(
        _abbreviated(Sn(K, DIST / 2) ** 2, form(Inner, X, Y)),
        {
            "length of the geodesic: sn(|v| t/2)^2 at exp_x(t v)": [
                form(euclidean_dot, _AT, _ray()) - Sn(K, sigma * t) ** 2
            ],
            # of h = sn(d/2)^2: |grad h|^2 = sn(d/2)^2 cs(d/2)^2 |grad d|^2
            "eikonal equation, |grad d| = 1": [square - h * (1 - K * h)],
        },
    )


def _at(point: Any) -> dict[Any, Any]:
    return dict(zip(metric(ball, len(point)).coordinates, point, strict=True))


def _prove_logmap(form: Form) -> Proof:
    end = _ray().subs(t, 1)
    back = form(euclidean_dot, _AT, end, 2 * sigma)
    # The other way round, for any y: the Möbius step by w, with w = tn(|v|/gap) v/|v| for v the
    # logarithm, whose factor d/sn(d) and length d drop out as tn(d/2) = sn(d)/(1 + cs(d)).
    y = sp.Matrix(sp.symbols("y_1:3", real=True))
    h = haversine(euclidean_dot, _AT, y)
    direction = form(euclidean_dot, _AT, y, DIST) * Sn(K, DIST) / DIST
    # |v| = d gap/2 and sn(d) (1 + cs(d))^-1 (sn(d))^-1 = 1/(2 (1 - K h))
    w = direction / _GAP / (1 - K * h)
    return Proof(
        _abbreviated(r"\log_{x}(y)", form(Inner, X, Y, DIST)),
        {
            "log_x(exp_x(v)) = v": list(back - _VELOCITY),
            "exp_x(log_x(y)) = y": list(_AT + mobius_step(euclidean_dot, _AT, w) - y),
        },
    )


def _prove_midpoint(form: Form) -> Proof:
    end = _ray().subs(t, 1)
    half = form(euclidean_dot, _AT, end, 2 * sigma)
    return Proof(
        _abbreviated("m", form(Inner, X, Y, DIST)),
        {"the geodesic at t = 1/2": list(half - _ray().subs(t, sp.Rational(1, 2)))},
    )


def _prove_transport(form: Form) -> Proof:
    def lifted(x: Any) -> Any:
        return sp.Matrix([*x, 0])

    tangent, tau = tn(K, sigma * t), sp.Symbol("tau")
    ray = _ray().applyfunc(lambda e: sp.cancel(e.subs(tangent, tau))).subs(tau, tangent)
    start, curve = lifted(_AT), lifted(ray)
    still = {t: 0}
    residuals = {}
    for name, v in (
        ("along v", [1, 0, 0]),
        ("across it, in the plane of x and v", [0, 1, 0]),
        ("out of the plane", [0, 0, 1]),
    ):
        w = form(euclidean_dot, start, curve, sp.Matrix(v))
        residuals[f"D/dt W = 0, W {name}"] = list(_covariant(3, curve, w))
        residuals[f"the identity at y = x, W {name}"] = list(w.subs(still) - sp.Matrix(v))
    return Proof(_abbreviated(r"P_{x\to y}\,v", form(Inner, X, Y, V)), residuals)


def _prove_from_normal(form: Form) -> Proof:
    # Radial: at the origin a vector of Riemannian length 2 sigma is v/2 in coordinates.
    origin = sp.zeros(2, 1)
    v = sp.Matrix([2 * sigma, 0])
    off = form(v, 2 * sigma) - expmap(euclidean_dot, origin, v / 2, sigma)
    shown = equation("x", form(V, LENGTH))
    unit = metric(ball, 2).matrix.subs(_at(origin))[0, 0]
    return Proof(
        (shown,),
        {"exp at the origin of v/2": list(off), "where |v/2| is |v|/2 by 2": [unit - 4]},
    )


def derivations() -> Iterator[Derivation]:
    """Maps on the ball."""
    for name, claim, dimension, form, prove in (
        ("expmap", "The exponential map.", PLANE, expmap, _prove_expmap),
        ("dist", "The distance.", PLANE, haversine, _prove_dist),
        ("logmap", "The logarithm.", PLANE, logmap, _prove_logmap),
        ("midpoint", "The midpoint.", PLANE, midpoint, _prove_midpoint),
        ("transport", "Parallel transport along the geodesic.", SPACE, transport, _prove_transport),
        ("from_normal", "Normal coordinates.", PLANE, from_normal, _prove_from_normal),
    ):
        yield Derivation(f"ball/{name}", claim, dimension, form, prove)
