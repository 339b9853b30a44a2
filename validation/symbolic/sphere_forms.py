"""Other forms of the maps of Sphere and Lorentz, for points nearly equal or nearly antipodal.

As `manifolds/kernels/sphere/pair.py` has them.
"""

from collections.abc import Callable, Iterator
from typing import Any

import sympy as sp

from .algebra import Cs, Derivation, Inner, K, Proof, Sn, equation, gram
from .quadric import (
    DOT,
    EVERY_N,
    FIRST,
    PAIR_DOT,
    POINT,
    SECOND,
    VECTOR,
    Product,
    V,
    X,
    Y,
    a,
    b,
    c,
    d,
    haversine,
    ray,
    t,
    transport,
)

Form = Callable[..., Any]


def small_steps(dot: Product, x: Any, y: Any) -> tuple[Any, Any, Any, Any]:
    """y - cs(d) x from y - x and from y + x; cs(d) and 1 + cs(d) from h = sn(d/2)^2."""
    h = haversine(dot, x, y)
    opposite = x + y - K * dot(x, x + y) * x
    return (y - x) + 2 * K * h * x, opposite, 1 - 2 * K * h, 2 * (1 - K * h)


def _prove_small_steps(form: Form) -> Proof:
    near, opposite, cosine, more = form(PAIR_DOT, FIRST, SECOND)
    exact = SECOND - Cs(K, d) * FIRST
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
        {"tn(d/2)^2 from the law of cosines": [form(PAIR_DOT, FIRST, SECOND) - half]},
    )


def reflection(dot: Product, x: Any, y: Any, v: Any) -> Any:
    """Transport to near the antipode: in the hyperplane orthogonal to the bisector x + y."""
    both = x + y
    return v - 2 * dot(both, v) / dot(both, both) * both


def _prove_reflection(form: Form) -> Proof:
    # y = exp_x(v): <x + y, w> = <y, w> for w tangent at x.
    end = ray().subs(t, 1)
    off = form(DOT, POINT, end, VECTOR) - transport(DOT, POINT, end, VECTOR)
    return Proof(
        (equation(r"P_{x\to y}\,v", form(Inner, X, Y, V)),),
        {"the transport": list(off)},
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
    """Forms that keep their digits."""
    for name, claim, form, prove in (
        (
            "small steps",
            "Of near points, what is small is computed from $y - x$, with $h = "
            "\\mathrm{sn}_K(d/2)^2$; of nearly antipodal ones from $y + x$.",
            *(small_steps, _prove_small_steps),
        ),
        ("atan2", "Sphere's distance by Kahan's arctangent.", kahan, _prove_kahan),
        (
            "reflection",
            "Sphere's transport to near the antipode, a reflection.",
            *(reflection, _prove_reflection),
        ),
        ("gradient", "The Riemannian gradient (egrad2rgrad).", gradient, _prove_gradient),
    ):
        yield Derivation(f"quadric/{name}", claim, EVERY_N, form, prove)
