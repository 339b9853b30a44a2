"""How the hyperboloid's transport and its derivative are computed, at K = -1.

As `manifolds/kernels/hyperboloid/transport.py` has it: P v = V across X + c Y + e X,
V split along X where X is far from the origin.
"""

from collections.abc import Callable, Iterator
from typing import Any

import sympy as sp

from .algebra import Cs, Derivation, K, Proof, Sn, equation, euclidean_dot as dot
from .kernels import (
    HAVERSINE,
    NAMED_X,
    NAMED_Y,
    SPACE,
    VECTOR,
    P,
    Point,
    Q,
    V,
    frame_far,
    r,
    rho,
    theta,
)
from .quadric import transport

Form = Callable[..., Any]

Z = 2 + 2 * HAVERSINE  # 1 + cosh d


def seen_far(x: Point, y: Point) -> tuple[Any, Any, Any]:
    """(a, b, z) where abs(x), abs(y) > 1: P of the unit radial vector is b y + a x, z = 1 + cosh d.

    ``missing`` and ``longer`` as in the pair geometry.
    """
    reach = dot(y.space, x.space) / x.size
    missing, longer = y.size - reach, y.size - x.size
    z = 2 + longer**2 / (1 + x.time * y.time + x.size * y.size) + x.size * missing
    slope = longer * (x.size + y.size) / (x.size * y.time + y.size * x.time) - x.time * missing
    return (x.time + y.time) / (x.size * z), slope / z, z


def seen_outside(x: Point, y: Point) -> tuple[Any, Any, Any]:
    """The same where abs(x) > 1 >= abs(y)."""
    product = dot(y.space, x.space)
    z = 1 + x.time * y.time - product
    return (x.time + y.time) / (x.size * z), (x.time * product / x.size - x.size * y.time) / z, z


def seen_near(x: Point, y: Point) -> tuple[Any, Any, Any]:
    """The same where abs(x) <= 1, of no radial vector but of v for each x.v."""
    z = 1 + x.time * y.time - dot(y.space, x.space)
    return -y.time / (x.time * z), -y.time / (x.time * z), z


def split(x: Point, y: Point, v: Any, near: bool) -> tuple[Any, Any, Any, Any]:
    """v's part across x, its component along, y's part across x, and its share along x."""
    if near:
        return v, dot(x.space, v), y.space, sp.S.Zero
    share = dot(x.space, y.space) / x.size**2
    return *frame_far(x, v), y.space - share * x.space, share


def carried(x: Point, y: Point, v: Any, a: Any, b: Any, z: Any, near: bool = False) -> Any:
    """P v, and the factors c of y and e of x in it."""
    side_v, along, side, _ = split(x, y, v, near)
    c, e = dot(side, side_v) / z + along * b, dot(side, side_v) / z + along * a
    return side_v + c * y.space + e * x.space, c, e


def pulled(
    x: Point, y: Point, v: Any, g_time: Any, g: Any, a: Any, b: Any, z: Any,
    near: bool = False, both: bool = False,
) -> tuple[Any, Any, Any]:  # fmt: skip
    """Gradients by x, y and v of g.(P v), by space parts."""
    side_v, along, side, share = split(x, y, v, near)
    _, c, e = carried(x, y, v, a, b, z, near)
    lean = g_time / y.time
    on_x = dot(g, x.space) + lean * dot(x.space, y.space)
    on_y = dot(g, y.space) + lean * y.size**2
    k = (on_x + on_y) / z
    full = k + lean
    radial = (b * on_y + a * on_x) * (1 if near else 1 / (x.size * x.time))
    side_g = g if near else g - dot(g, x.space) / x.size**2 * x.space
    by_v = side_g + full * side + radial * x.space
    flat = -along / x.time**2 if near else along / (x.size * x.time)
    by_x = c * by_v - k * y.time / x.time * (side_v + flat * x.space)
    # P v as a covector at y.
    facing = dot(x.space, y.space) / y.size**2 if both else 0
    across_x = dot(side, side) / y.size**2 if both else 1
    rest = facing if both else -dot(x.space, y.space)
    rho = (c - dot(side, side_v) + e * rest) / y.time**2
    covector = side_v + (e * across_x + share * rho) * x.space + (rho - e * facing) * side
    return by_x, c * (g + lean * y.space) + full * covector, by_v


SEEN = {"far": seen_far, "outside": seen_outside, "near": seen_near}


def _exact(x: Point, y: Point, v: Any) -> Any:
    def full(point: Point) -> Any:
        return sp.Matrix([point.time, *point.space])

    def product(a: Any, b: Any) -> Any:
        return dot(a[1:, :], b[1:, :]) - a[0] * b[0]

    vector = sp.Matrix([dot(x.space, v) / x.time, *v])
    return transport(product, full(x), full(y), vector).subs(K, -1)


def _moving(radius: Any, angle: Any, turn: Any, lift: Any) -> Point:
    """The point at an angle from the first axis, turned in the plane and lifted out of it."""
    size = Sn(-1, radius)
    level = Cs(1, lift) * sp.Matrix([Cs(1, angle + turn), Sn(1, angle + turn), 0])
    return Point(size * (level + sp.Matrix([0, 0, Sn(1, lift)])), size, Cs(-1, radius))


def _prove_carried(form: Form) -> Proof:
    exact = _exact(P, Q, VECTOR)[1:, :]
    residuals: dict[str, Any] = {}
    for name, seen in SEEN.items():
        a, b, z = seen(P, Q)
        residuals[f"1 + cosh d, {name}"] = [z - Z]
        residuals[f"P v, {name}"] = list(form(P, Q, VECTOR, a, b, Z, name == "near")[0] - exact)
    shown = [equation(n, p) for n, p in zip("abz", seen_far(NAMED_X, NAMED_Y), strict=True)]
    c, e = form(NAMED_X, NAMED_Y, V, *sp.symbols("a b z"))[1:]
    w = sp.Symbol("{v_\\perp}") + sp.Symbol("c") * NAMED_Y.space + sp.Symbol("e") * NAMED_X.space
    transported = equation(r"P_{x\to y}\,v", w)
    return Proof((*shown, equation("c", c), equation("e", e), transported), residuals)


def _prove_pulled(form: Form) -> Proof:
    """Against the derivative of P v by each of three directions at x and at y, and by v."""
    v, g = sp.Matrix(sp.symbols("v_1:4")), sp.Matrix(sp.symbols("g_1:4"))
    g_time = sp.Symbol("g_0")
    alpha, beta = sp.symbols("alpha beta")
    residuals: dict[str, Any] = {}
    moving_x, moving_y = _moving(r, sp.S.Zero, alpha, beta), _moving(rho, theta, alpha, beta)
    moves: dict[int, tuple[Point, Any, Callable[[Point], Any]]] = {
        0: (moving_x, r, lambda x: _exact(x, Q, v)),
        1: (moving_y, rho, lambda y: _exact(P, y, v)),
    }
    for name, seen in SEEN.items():
        # Far out the same a and b, in a form of fewer terms.
        a, b, _ = seen(P, Q) if name == "near" else seen_outside(P, Q)
        found = form(P, Q, v, g_time, g, a, b, Z, name == "near", name == "far")
        for place, (point, radius, carry) in moves.items():
            moved = dot(sp.Matrix([g_time, *g]), carry(point))
            residuals[f"by {'xy'[place]}, {name}"] = [
                (moved.diff(s) - dot(found[place], point.space.diff(s))).subs({alpha: 0, beta: 0})
                for s in (radius, alpha, beta)
            ]
        exact = dot(sp.Matrix([g_time, *g]), _exact(P, Q, v))
        residuals[f"by v, {name}"] = [exact.diff(s) - d for s, d in zip(v, found[2], strict=True)]
    k, c, time_y, g_v = sp.symbols("k c T_y g_v")
    w_y = sp.Symbol(r"{(P\,v)_{\flat}}")
    ratio, vector, total = time_y / NAMED_X.time, sp.Symbol(r"{v_{\flat}}"), sp.Symbol("g")
    covector = NAMED_Y.space - ratio * NAMED_X.space
    shown = (
        equation(r"g_v", total + k * covector),
        equation(r"g_x", c * g_v - k * ratio * vector),
        equation(r"g_y", c * total + (k + sp.Symbol("g_t") / time_y) * w_y),
    )
    return Proof(shown, residuals)


def derivations() -> Iterator[Derivation]:
    """The transport and its derivative."""
    yield Derivation(
        "kernels/transport",
        "The transport from the part of v across x, $v_\\perp$, and its component along the ray: "
        "no sum of terms that are longer than what they add up to.",
        *(SPACE, carried, _prove_carried),
    )
    yield Derivation(
        "kernels/transport, slopes",
        "Its gradient by the vector and both points, put together in the same way: g is the given "
        "one with $g_t y/T_y$ for its time part, "
        "$k = \\langle g, x + y\\rangle/(1 + \\cosh d)$, and "
        "$v_\\flat = v - \\langle x, v\\rangle x/T_x^2$ at x.",
        *(SPACE, pulled, _prove_pulled),
    )
