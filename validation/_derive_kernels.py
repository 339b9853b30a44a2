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
from ._derive_quadric import expmap, transport

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


_P = _point(r, sp.S.Zero)
_Q = _point(rho, theta)
_HAVERSINE = (_P.time * _Q.time - dot(_P.space, _Q.space) - 1) / 2  # (cosh d - 1)/2

# For printing.
_S, _L, _NX, _NY = (Point(*sp.symbols(f"{x} |{x}| T_{x}")) for x in "slxy")
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
    radial, sagitta, lateral = form(_P, _Q)
    h = Sn(-1, r) * Sn(-1, rho) * Sn(1, theta / 2) ** 2
    s, l = _S, _L
    shown = equation(
        r"\sinh^2\tfrac{r_l - r_s}{2}",
        (l.size - s.size) ** 2 / (2 * (1 + l.time * s.time + l.size * s.size)),
    )
    return Proof(
        (shown,),
        {
            "radial part: sinh((r_l - r_s)/2)^2": [radial - Sn(-1, (r - rho) / 2) ** 2],
            "the two others: |l||s| sin(theta/2)^2": [sagitta + lateral - h],
            "sum: sinh(d/2)^2": [radial + sagitta + lateral - _HAVERSINE],
        },
    )


def _prove_chord_near(form: Form) -> Proof:
    shown = equation(r"\sinh^2\tfrac{d}{2}", form(_S, _L))
    return Proof((shown,), {"sinh(d/2)^2": [form(_P, _Q) - _HAVERSINE]})


# -- tangent vectors and geodesics -----------------------------------------------------------------

# v has components v_1 along the outward ray, v_2 and v_3 across it, in an orthonormal frame.
_V = sp.Matrix([along * Cs(-1, r), across, beyond])


def frame_far(x: Point, v: Any) -> tuple[Any, Any]:
    """The part across x, and the component along it."""
    component = dot(x.space, v) / x.size
    return v - component / x.size * x.space, component / x.time


def frame_near(x: Point, v: Any) -> tuple[Any, Any]:
    """The frame carried from the origin, smooth at x = 0."""
    return v - dot(x.space, v) / (x.time * (1 + x.time)) * x.space, sp.S.Zero


def _prove_frame(form: Form) -> Proof:
    side, ahead = form(_P, _V)
    minkowski = dot(_V, _V) - (dot(_P.space, _V) / _P.time) ** 2
    square = dot(side, side) + ahead**2
    named = zip((r"\text{across}", r"\text{along}"), form(_NX, V), strict=True)
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
    exact = expmap(_P.space, v, length).subs(K, -1)[0]
    shown = equation("a", form(r, length, sp.Symbol("mu")))
    return Proof((shown,), {"cosh(t) x + sinh(t) v/t along the ray": [form(r, length, mu) - exact]})


# -- transport -------------------------------------------------------------------------------------


def transport_near(x: Point, y: Point, v: Any, h: Any) -> Any:
    """v + <y, v>/(1 + cosh d) (x + y) from the step y - x, h = sinh(d/2)^2."""
    step = y.space - x.space
    time_step = dot(step, x.space + y.space) / (x.time + y.time)
    product = dot(step, v) - dot(x.space / x.time, v) * time_step
    return v + product / (2 * (1 + h)) * (x.space + y.space)


def transport_inwards(x: Point, y: Point, v: Any, h: Any) -> Any:
    """Radially to the origin, a gyration, radially to y."""
    side, ahead = frame_far(x, v)
    w = side + ahead / x.size * x.space
    q, p = x.space / (1 + x.time), y.space / (1 + y.time)
    w = gyration(p, q, w, (1 + x.time) * (1 + y.time) / (2 * (1 + h)))
    return w + dot(y.space, w) / (1 + y.time) * y.space


def swing(p: Any, q: Any, w: Any) -> Any:
    """B w, the infinitesimal rotation in the plane of p and q."""
    return q * dot(p, w) - p * dot(q, w)


def gyration(p: Any, q: Any, w: Any, turn: Any) -> Any:
    """gyr[p, -q] w, with turn = 2/(1 - 2 p.q + |p|^2 |q|^2)."""
    swung = swing(p, q, w)
    return w + turn * ((1 - dot(p, q)) * swung + swing(p, q, swung))


def napier(radius_x: Any, radius_y: Any) -> Any:
    """cosh((r_x - r_y)/2)/cosh((r_x + r_y)/2): the angles at x and y from theta."""
    return Cs(-1, (radius_x - radius_y) / 2) / Cs(-1, (radius_x + radius_y) / 2)


def rotation(q2: Any, wide: Any, ratio: Any, facing: bool) -> tuple[Any, Any, Any]:
    """-sin(phi)/|q|, (1 - |cos phi|)/q^2 and (1 - |cos theta|)/q^2 from q^2 = sin(theta)^2.

    ``wide`` is 1 + |cos theta|; facing is whether cos theta >= 0.
    """
    near, far = wide * ratio, 1 if facing else ratio
    total = q2 * far**2 + (near if facing else wide) ** 2
    return 2 * near / total, 2 * far**2 / total, 1 / wide


def transport_far(x: Point, y: Point, v: Any, ratio: Any, facing: bool) -> Any:
    """A rotation of the frames of the outward rays, by Napier's analogy."""
    sides, ahead = frame_far(x, v)
    direction = x.space / x.size
    reach = dot(direction, y.space)
    q, cosine = (y.space - reach * direction) / y.size, reach / y.size
    q2 = dot(q, q)
    sign = 1 if facing else -1
    sine, turn, bend = rotation(q2, 1 + sign * cosine, ratio, facing)
    swept = dot(q, sides)
    cosine_phi = sign * (1 - q2 * turn)
    ahead_y = cosine_phi * ahead + sine * swept
    lateral = sign * (1 - q2 * bend) * sine * ahead + (turn + bend - q2 * turn * bend) * swept
    inward = cosine_phi * swept - q2 * sine * ahead
    return sides - lateral * q - inward * direction + ahead_y * y.time * y.space / y.size


def _exact_transport() -> Any:
    def full(point: Point) -> Any:
        return sp.Matrix([point.time, *point.space])

    def product(a: Any, b: Any) -> Any:
        return dot(a[1:, :], b[1:, :]) - a[0] * b[0]

    v = sp.Matrix([dot(_P.space, _V) / _P.time, *_V])
    return transport(product, full(_P), full(_Q), v).subs(K, -1)[1:, :]


def _off(w: Any) -> dict[str, Any]:
    return {"the transport": list(w - _exact_transport())}


def _prove_transport_near(form: Form) -> Proof:
    shown = equation(r"P_{x\to y}\,v", form(_NX, _NY, V, sp.Symbol("h")))
    return Proof((shown,), _off(form(_P, _Q, _V, _HAVERSINE)))


def _prove_transport_inwards(form: Form) -> Proof:
    p, q, k = sp.symbols("p q k")
    product = equation("B w", swing(p, q, W))
    turned = W + k * ((1 - dot(p, q)) * sp.Symbol("{B w}") + sp.Symbol("{B B w}"))
    shown = (product, equation(r"\mathrm{gyr}[p, -q]\,w", turned))
    residuals = _off(form(_P, _Q, _V, _HAVERSINE))
    ends = [x.space / (1 + x.time) for x in (_Q, _P)]
    area = 1 - 2 * dot(*ends) + dot(ends[0], ends[0]) * dot(ends[1], ends[1])
    turn = (1 + _P.time) * (1 + _Q.time) / (2 * (1 + _HAVERSINE))
    residuals["k from the time parts: (1 + T_x)(1 + T_y)/(2(1 + h))"] = [turn - 2 / area]
    return Proof(shown, residuals)


def _prove_transport_far(form: Form) -> Proof:
    x, y = _P.size, _Q.size
    spread = 1 + _P.time * _Q.time + x * y
    squared = (2 + (y - x) ** 2 / spread) / spread
    exact, k = _exact_transport(), napier(r, rho)
    named = (r"-\sin\varphi/|q|", r"(1 - \cos\varphi)/q^2", r"(1 - \cos\theta)/q^2")
    parts = rotation(sp.Symbol("q") ** 2, sp.Symbol("c"), sp.Symbol("k"), True)
    shown = [equation("k", napier(*sp.symbols("r_x r_y")))]
    shown += [equation(name, part) for name, part in zip(named, parts, strict=True)]
    return Proof(
        tuple(shown),
        {
            "k^2 from the space and time parts": [squared - k**2],
            "the transport, where cos(theta) >= 0": list(form(_P, _Q, _V, k, True) - exact),
            "the transport, where cos(theta) < 0": list(form(_P, _Q, _V, k, False) - exact),
        },
    )


def gradient(x: Point, time: Any, space: Any) -> Any:
    """Space part of the Riemannian gradient from the time and space parts of the ambient one."""
    return space + (dot(x.space, space) + x.time * time) * x.space


def _prove_gradient(form: Form) -> Proof:
    g = sp.Symbol("g_0")
    g_space = sp.Matrix(sp.symbols("g_1:4"))
    w = form(_P, g, g_space)

    def time(v: Any) -> Any:
        return dot(_P.space, v) / _P.time

    off = dot(w, _V) - time(w) * time(_V) - (dot(g_space, _V) + g * time(_V))
    shown = equation(r"\mathrm{grad}_s", form(_NX, *sp.symbols("g_t g_s")))
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
            "transport, near",
            "The transport from differences of space parts.",
            *(SPACE, transport_near, _prove_transport_near),
        ),
        (
            "transport, inwards",
            "The transport as a gyration between radial transports, p and q being x and y on the "
            "ball and $k = 2/(1 - 2\\langle p, q\\rangle + |p|^2|q|^2)$.",
            *(SPACE, transport_inwards, _prove_transport_inwards),
        ),
        (
            "transport, far",
            "The transport as a rotation of the frames of the outward rays by $\\varphi$, k from "
            "Napier's analogy, $q = \\sin\\theta$ and $c = 1 + \\cos\\theta$ (for $\\cos\\theta "
            "\\ge 0$).",
            *(SPACE, transport_far, _prove_transport_far),
        ),
        (
            "gradient",
            "egrad2rgrad on the hyperboloid, without its time part.",
            *(SPACE, gradient, _prove_gradient),
        ),
    )
    for name, claim, dimension, form, prove in rows:
        yield Derivation(f"kernels/{name}", claim, dimension, form, prove)
