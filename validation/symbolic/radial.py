"""Maps along rays, to normal coordinates and back, and a pair of points by the ball's coordinates.

As `manifolds/kernels/radial/maps.py`, `radial/back.py` and `hyperboloid/pair.py` have them.
"""

from collections.abc import Callable, Iterator
from typing import Any

import sympy as sp

from .algebra import Cs, Derivation, K, Proof, Sn, equation, euclidean_dot as dot, tn
from .kernels import PLANE, Point, _prove_pair

Form = Callable[..., Any]

RAY = "every n: a vector and a gradient span a plane"
t = sp.Symbol("t", positive=True)


def pull_back(g_time: Any, g: Any, v: Any, length: Any) -> Any:
    """The gradient by v of g_time cs(t) + g.(sn(t)/t v)."""
    f = Sn(K, length) / length
    slope = (Cs(K, length) - f) / length**2
    return f * g + (slope * dot(g, v) - K * g_time * f) * v


def _prove_pull_back(form: Form) -> Proof:
    """At a vector along the first axis."""
    v, g = (sp.Matrix(sp.symbols(f"{name}_1:3", real=True)) for name in "vg")
    g_time, length = sp.Symbol("g_t", real=True), sp.sqrt(dot(v, v))
    value = g_time * Cs(K, length) + Sn(K, length) / length * dot(g, v)
    at = dict(zip(v, (t, 0), strict=True))
    found = form(g_time, g, v.subs(at), t)
    f, slope = Sn(K, t) / t, (Cs(K, t) - Sn(K, t) / t) / t**2
    shown = equation("f", f), equation(r"\mathrm{slope}", slope)
    by_v = [value.diff(c).subs(at) - d for c, d in zip(v, found, strict=True)]
    return Proof(shown, {"by v": by_v})


def ball_slope(f: Any, s: Any) -> Any:
    """d(tanh(u)/u)/du over u, of f = tanh(u)/u and s = u^2."""
    return (1 - f) / s - f**2


def _prove_ball_slope(form: Form) -> Proof:
    f = tn(-1, t) / t
    shown = (equation(r"\tfrac{f'(t)}{t}", form(sp.Symbol("f"), t**2)),)
    # Of y = f v/2 at half the length, by v: a factor 1/2, and two of 1/2 from t = |v|/2.
    whole = (tn(-1, t / 2) / t).diff(t) / t
    eighth = form(f, t**2).subs(t, t / 2) / 8
    return Proof(shown, {"of tanh(t)/t": [f.diff(t) / t - form(f, t**2)], "y": [whole - eighth]})


def inverse_slope(slope: Any, f: Any, derivative: Any) -> Any:
    """d(r/q)/dq over q, from that of q/r by r over r, f = r/q and dq/dr."""
    return -slope * f**3 / derivative


def _prove_inverse_slope(form: Form) -> Proof:
    residuals = {}
    for name, q in (("sinh", Sn(-1, t)), ("tanh", tn(-1, t)), ("sin", Sn(1, t))):
        q_t, f = q.diff(t), t / q
        residuals[name] = [f.diff(t) / q_t / q - form((q / t).diff(t) / t, f, q_t)]
    # What the sphere's pull-back has: cos r along the ray, r/sin r across it.
    c, s = Cs(1, t), Sn(1, t)
    f, fraction = t / s, t**2 / (1 - t * c / s)
    along_less_across = f**2 / fraction - (1 + f) / (1 + c)
    residuals["cos r - r/sin r, over sin^2 r"] = [(c - f) / s**2 - along_less_across]
    names = sp.symbols(r"\mathrm{slope} f q'")
    return Proof((equation(r"\tfrac{f'(q)}{q}", form(*names)),), residuals)


def pair_by_ball(x: Point, y: Point) -> tuple[Any, Any, Any, Any]:
    """(h, d_cosh, log_x, lateral), as those of ``kernels``."""
    above_x, above_y = 1 + x.time, 1 + y.time
    lateral = y.space - above_y / above_x * x.space
    inner, square = dot(x.space, lateral) / above_x, dot(lateral, lateral) / above_y / 2
    h = above_x * square / 2
    return h, (inner + square) / x.time, inner - x.time * square, lateral


def derivations() -> Iterator[Derivation]:
    """The maps and their slopes."""
    yield Derivation(
        "radial/pull-back",
        "The gradient of the map from normal coordinates to a quadric, (cs(t), f v) with "
        "$f = \\mathrm{sn}(t)/t$, is f g and a multiple of v.",
        RAY,
        pull_back,
        _prove_pull_back,
    )
    yield Derivation(
        "radial/slopes",
        "The slope of $f = \\tanh(t)/t$, of the map from normal coordinates to the ball.",
        "one variable",
        ball_slope,
        _prove_ball_slope,
    )
    yield Derivation(
        "radial/inverse slopes",
        "The slope of $f = r/q(r)$ as a function of q, from that of $q(r)/r$, which does not "
        "cancel near 0.",
        "one variable",
        inverse_slope,
        _prove_inverse_slope,
    )
    yield Derivation(
        "radial/pair by the ball",
        "The haversine of two points of the hyperboloid, the gradient of $\\cosh d$ and the "
        "direction of the logarithm, from the difference in the ball's coordinates.",
        PLANE,
        pair_by_ball,
        _prove_pair,
    )
