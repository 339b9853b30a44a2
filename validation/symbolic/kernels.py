r"""The forms in which the hyperboloid's kernels compute: identities at K = -1.

What is subtracted in the textbook formulas is subtracted here before it is multiplied. A form is
written as the kernel is (`pair.py`, `exp.py` and `radial_split.py` of
`manifolds/kernels/hyperboloid`), on the space parts x, y of points at distances r, rho from the
origin and angle theta apart; T is the time part.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import sympy as sp

from .algebra import Cs, Derivation, K, Proof, Sn, equation, euclidean_dot as dot
from .quadric import expmap

Form = Callable[..., Any]

PLANE = "every n: two points and the origin span a plane"
SPACE = "every n: two points, the origin and a vector span 3 dimensions"

r, rho, theta = sp.symbols("r rho theta", positive=True)
across, along, beyond, length = sp.symbols("v_2 v_1 v_3 t", positive=True)


@dataclass(frozen=True)
class Point:
    """Space part, its length, the time part."""

    space: Any
    size: Any
    time: Any


def _point(radius: Any, angle: Any) -> Point:
    size = Sn(-1, radius)
    space = size * sp.Matrix([Cs(1, angle), Sn(1, angle), 0])
    return Point(space, size, Cs(-1, radius))


P = _point(r, sp.S.Zero)
Q = _point(rho, theta)
HAVERSINE = (P.time * Q.time - dot(P.space, Q.space) - 1) / 2  # (cosh d - 1)/2

# For printing.
NAMED_S, NAMED_L, NAMED_X, NAMED_Y = (Point(*sp.symbols(f"{x} |{x}| T_{x}")) for x in "slxy")
V, W = sp.symbols("v w")


# -- the distance ----------------------------------------------------------------------------------


def law_of_haversines(radius_x: Any, radius_y: Any, angle: Any) -> Any:
    """sn(d/2)^2 as a sum of terms of one sign, of any curvature."""
    radial = Sn(K, (radius_x - radius_y) / 2) ** 2
    return radial + Sn(K, radius_x) * Sn(K, radius_y) * Sn(1, angle / 2) ** 2


def _prove_law_of_haversines(form: Form) -> Proof:
    cosine = Cs(K, r) * Cs(K, rho) + K * Sn(K, r) * Sn(K, rho) * Cs(1, theta)
    shown = equation(Sn(K, sp.Symbol("d") / 2) ** 2, form(r, rho, theta))
    return Proof((shown,), {"(1 - K<x, y>)/(2 K)": [2 * K * form(r, rho, theta) - (1 - cosine)]})


def pair_far(x: Point, y: Point) -> tuple[Any, Any, Any, Any]:
    """(h, d_cosh, log_x, lateral) where abs(x), abs(y) > 1, y ahead of x."""
    y_radial = dot(y.space, x.space) / x.size
    lateral = y.space - y_radial / x.size * x.space
    missing = dot(lateral, lateral) / (y.size + y_radial)
    longer = missing + y_radial - x.size
    h = longer**2 / (2 * (1 + x.time * y.time + x.size * y.size)) + x.size * missing / 2
    gradient = x.time * missing - longer * (x.size + y.size) / (x.size * y.time + y.size * x.time)
    d_cosh = gradient / (x.size * x.time)
    return h, d_cosh, -(x.time**2) * d_cosh, lateral


def pair_near(x: Point, y: Point) -> tuple[Any, Any, Any, Any]:
    """The same by the ball's formula, smooth at the origin; lateral is all of y - x."""
    step = y.space - x.space
    inner = dot(step, x.space)
    time_gap = (2 * inner + dot(step, step)) / (x.time + y.time)
    share = time_gap / (1 + x.time)
    part = dot(step, step) + share * (share * dot(x.space, x.space) - 2 * inner)
    h = (1 + x.time) / (1 + y.time) / 4 * part
    return h, time_gap / x.time, -2 * h, step


def _prove_pair(form: Form) -> Proof:
    h, d_cosh, log_x, lateral = form(P, Q)
    z = 1 + 2 * HAVERSINE
    by_x = Q.time / P.time * P.space - Q.space
    by_y = P.time / Q.time * Q.space - P.space
    names = (r"h", r"\mathrm{d\_cosh}", r"\mathrm{log\_x}", r"\mathrm{lateral}")
    shown = tuple(equation(n, f) for n, f in zip(names, form(NAMED_X, NAMED_Y), strict=True))
    return Proof(
        shown,
        {
            "h = sinh(d/2)^2": [h - HAVERSINE],
            "d_cosh x - lateral = grad_x cosh d": list(d_cosh * P.space - lateral - by_x),
            "and -T_x/T_y times that = grad_y cosh d": list(P.time / Q.time * by_x + by_y),
            "log_x x + lateral = y - cosh(d) x": list(
                log_x * P.space + lateral - Q.space + z * P.space
            ),
        },
    )


# -- tangent vectors and geodesics -----------------------------------------------------------------

# v has components v_1 along the outward ray, v_2 and v_3 across it, in an orthonormal frame.
VECTOR = sp.Matrix([along * Cs(-1, r), across, beyond])


def frame_far(x: Point, v: Any) -> tuple[Any, Any]:
    """The part across x, and the component along it."""
    component = dot(x.space, v) / x.size
    return v - component / x.size * x.space, component / x.time


def frame_near(x: Point, v: Any) -> tuple[Any, Any]:
    """The frame carried from the origin, smooth at x = 0."""
    return v - dot(x.space, v) / (x.time * (1 + x.time)) * x.space, sp.S.Zero


def _prove_frame(form: Form) -> Proof:
    side, ahead = form(P, VECTOR)
    minkowski = dot(VECTOR, VECTOR) - (dot(P.space, VECTOR) / P.time) ** 2
    square = dot(side, side) + ahead**2
    named = zip((r"\text{across}", r"\text{along}"), form(NAMED_X, V), strict=True)
    return Proof(
        tuple(equation(name, part) for name, part in named),
        {
            "|v|^2 = v_s.v_s - v_t^2": [square - minkowski],
            "the components in the frame": [square - along**2 - across**2 - beyond**2],
        },
    )


def expmap_polar(radius: Any, trip: Any, cosine: Any) -> Any:
    """Outward component of exp_x(v), cosine that of v's angle with the outward ray."""
    out, back = Sn(-1, radius + trip), Sn(-1, radius - trip)
    return (1 + cosine) / 2 * out + (1 - cosine) / 2 * back


def _prove_expmap_polar(form: Form) -> Proof:
    mu = along / length
    v = sp.Matrix([along * Cs(-1, r), 0, 0])  # the part across has no outward component
    exact = expmap(P.space, v, length).subs(K, -1)[0]
    shown = equation("a", form(r, length, sp.Symbol("mu")))
    return Proof((shown,), {"cosh(t) x + sinh(t) v/t along the ray": [form(r, length, mu) - exact]})


def expmap_slopes(radius: Any, trip: Any, cosine: Any, sine: Any) -> tuple[Any, Any, Any]:
    """Derivatives of the outward component by r, by v's component along the ray and across it."""
    out, back = Cs(-1, radius + trip), Cs(-1, radius - trip)
    plus, minus = (1 + cosine) / 2, (1 - cosine) / 2
    by_trip = plus * out - minus * back
    share = Cs(-1, radius) * Sn(-1, trip) / trip
    along_ray = 4 * plus * minus * share + cosine * by_trip
    return plus * out + minus * back, along_ray, sine * (by_trip - cosine * share)


def _prove_expmap_slopes(form: Form) -> Proof:
    mu, nu = Cs(1, theta), Sn(1, theta)  # v = t (cos theta, sin theta)
    outward = expmap_polar(r, length, mu)
    by_length, by_angle = outward.diff(length), outward.diff(theta) / length
    by_r, along_ray, across_ray = form(r, length, mu, nu)
    names = (r"\partial a/\partial r", r"\partial a/\partial v_1", r"\partial a/\partial v_2")
    shown = form(r, length, *sp.symbols("mu nu"))
    return Proof(
        tuple(equation(name, part) for name, part in zip(names, shown, strict=True)),
        {
            "by r": [outward.diff(r) - by_r],
            "along the ray": [mu * by_length - nu * by_angle - along_ray],
            "across it": [nu * by_length + mu * by_angle - across_ray],
        },
    )


def gradient(x: Point, time: Any, space: Any) -> Any:
    """Space part of the Riemannian gradient from the time and space parts of the ambient one."""
    return space + (dot(x.space, space) + x.time * time) * x.space


def _prove_gradient(form: Form) -> Proof:
    g = sp.Symbol("g_0")
    g_space = sp.Matrix(sp.symbols("g_1:4"))
    w = form(P, g, g_space)

    def time(v: Any) -> Any:
        return dot(P.space, v) / P.time

    off = dot(w, VECTOR) - time(w) * time(VECTOR) - (dot(g_space, VECTOR) + g * time(VECTOR))
    shown = equation(r"\mathrm{grad}_s", form(NAMED_X, *sp.symbols("g_t g_s")))
    return Proof((shown,), {"<grad, v> = g.v for tangent v": [off]})


def derivations() -> Iterator[Derivation]:
    """Identities of the kernels."""
    rows: tuple[tuple[str, str, str, Form, Callable[[Form], Proof]], ...] = (
        (
            "law of haversines",
            "The distance as a sum of non-negative terms, for K of either sign.",
            *(PLANE, law_of_haversines, _prove_law_of_haversines),
        ),
        (
            "pair, far",
            "A pair of points, one seen from the other: distance, its gradient and the logarithm "
            "where both are far out, from sums of terms of one sign.",
            *(PLANE, pair_far, _prove_pair),
        ),
        (
            "pair, near",
            "The same where one is near the origin.",
            *(PLANE, pair_near, _prove_pair),
        ),
        (
            "frame, far",
            "The norm of a tangent vector from its parts across and along the outward ray.",
            *(SPACE, frame_far, _prove_frame),
        ),
        (
            "frame, near",
            "The same from the frame carried from the origin.",
            *(SPACE, frame_near, _prove_frame),
        ),
        (
            "expmap, polar",
            "The outward component of the exponential map as a sum of terms of one sign where "
            "they are large.",
            *(PLANE, expmap_polar, _prove_expmap_polar),
        ),
        (
            "expmap, slopes",
            "Its derivatives, in the same way.",
            *(PLANE, expmap_slopes, _prove_expmap_slopes),
        ),
        (
            "gradient",
            "egrad2rgrad on the hyperboloid, without its time part.",
            *(SPACE, gradient, _prove_gradient),
        ),
    )
    for name, claim, dimension, form, prove in rows:
        yield Derivation(f"kernels/{name}", claim, dimension, form, prove)
