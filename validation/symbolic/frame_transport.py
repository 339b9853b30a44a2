"""The hyperboloid's transport as isometries have it, by components in frames, at K = -1."""

from collections.abc import Callable, Iterator
from typing import Any

import sympy as sp

from .algebra import Cs, Derivation, K, Proof, equation, euclidean_dot as dot
from .kernels import (
    HAVERSINE,
    SPACE,
    VECTOR,
    P,
    Point,
    Q,
    W,
    frame_far,
    r,
    rho,
)
from .quadric import transport

Form = Callable[..., Any]


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

    v = sp.Matrix([dot(P.space, VECTOR) / P.time, *VECTOR])
    return transport(product, full(P), full(Q), v).subs(K, -1)[1:, :]


def _off(w: Any) -> dict[str, Any]:
    return {"the transport": list(w - _exact_transport())}


def _prove_transport_inwards(form: Form) -> Proof:
    p, q, k = sp.symbols("p q k")
    product = equation("B w", swing(p, q, W))
    turned = W + k * ((1 - dot(p, q)) * sp.Symbol("{B w}") + sp.Symbol("{B B w}"))
    shown = (product, equation(r"\mathrm{gyr}[p, -q]\,w", turned))
    residuals = _off(form(P, Q, VECTOR, HAVERSINE))
    ends = [x.space / (1 + x.time) for x in (Q, P)]
    area = 1 - 2 * dot(*ends) + dot(ends[0], ends[0]) * dot(ends[1], ends[1])
    turn = (1 + P.time) * (1 + Q.time) / (2 * (1 + HAVERSINE))
    residuals["k from the time parts: (1 + T_x)(1 + T_y)/(2(1 + h))"] = [turn - 2 / area]
    return Proof(shown, residuals)


def _prove_transport_far(form: Form) -> Proof:
    x, y = P.size, Q.size
    spread = 1 + P.time * Q.time + x * y
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
            "the transport, where cos(theta) >= 0": list(form(P, Q, VECTOR, k, True) - exact),
            "the transport, where cos(theta) < 0": list(form(P, Q, VECTOR, k, False) - exact),
        },
    )


def derivations() -> Iterator[Derivation]:
    """Forms of the transport."""
    rows: tuple[tuple[str, str, str, Form, Callable[[Form], Proof]], ...] = (
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
    )
    for name, claim, dimension, form, prove in rows:
        yield Derivation(f"kernels/{name}", claim, dimension, form, prove)
