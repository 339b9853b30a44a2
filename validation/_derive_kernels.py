r"""The forms in which the hyperboloid's kernels compute: identities at K = -1.

What is subtracted in the textbook formulas is subtracted here before it is multiplied. A form is
written as the kernel is (`manifolds/_hyperboloid.py`, `manifolds/lorentz.py`), on the space parts
x, y of points at distances r, rho from the origin and angle theta apart; T is the time part.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import sympy as sp

from ._derive import Cs, Derivation, K, Proof, Sn, equation, euclidean_dot as dot
from ._derive_quadric import expmap

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


def chord_far(s: Point, l: Point) -> tuple[Any, Any, Any]:
    """Squares of the parts of the chord where abs(s) > 1: radial, along s, across s."""
    step = l.space - s.space
    product = dot(step, l.space + s.space)  # |l|^2 - |s|^2
    root = 1 + l.time * s.time + l.size * s.size
    radial = (product / (l.size + s.size)) ** 2 / root / 2
    ahead = dot(step, s.space) / s.size
    lateral = step - ahead / s.size * s.space
    sagitta = -dot(lateral, lateral) / (l.size + s.size + ahead)
    scale = s.size / l.size / 4
    return radial, scale * sagitta**2, scale * dot(lateral, lateral)


def chord_near(s: Point, l: Point) -> Any:
    """Square of the chord where abs(s) <= 1, the ball's formula."""
    step = l.space - s.space
    share = dot(step, l.space + s.space) / (l.time + s.time) / (1 + s.time)
    part = step - share * s.space
    return (1 + s.time) / (1 + l.time) / 4 * dot(part, part)


def _prove_chord_far(form: Form) -> Proof:
    radial, sagitta, lateral = form(P, Q)
    h = Sn(-1, r) * Sn(-1, rho) * Sn(1, theta / 2) ** 2
    s, l = NAMED_S, NAMED_L
    shown = equation(
        r"\sinh^2\tfrac{r_l - r_s}{2}",
        (l.size - s.size) ** 2 / (2 * (1 + l.time * s.time + l.size * s.size)),
    )
    return Proof(
        (shown,),
        {
            "radial part: sinh((r_l - r_s)/2)^2": [radial - Sn(-1, (r - rho) / 2) ** 2],
            "the two others: |l||s| sin(theta/2)^2": [sagitta + lateral - h],
            "sum: sinh(d/2)^2": [radial + sagitta + lateral - HAVERSINE],
        },
    )


def _prove_chord_near(form: Form) -> Proof:
    shown = equation(r"\sinh^2\tfrac{d}{2}", form(NAMED_S, NAMED_L))
    return Proof((shown,), {"sinh(d/2)^2": [form(P, Q) - HAVERSINE]})


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
            "chord, far",
            "The hyperbolic haversine of `chord` for abs(s) > 1, s the shorter and l the longer "
            "space part: radial and angular parts without a difference of lengths.",
            *(PLANE, chord_far, _prove_chord_far),
        ),
        (
            "chord, near",
            "The form of `chord` for abs(s) <= 1, smooth at the origin.",
            *(PLANE, chord_near, _prove_chord_near),
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
            "gradient",
            "egrad2rgrad on the hyperboloid, without its time part.",
            *(SPACE, gradient, _prove_gradient),
        ),
    )
    for name, claim, dimension, form, prove in rows:
        yield Derivation(f"kernels/{name}", claim, dimension, form, prove)
