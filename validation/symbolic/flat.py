"""The maps of Euclidean: K = 0, from the same definitions, so that no manifold goes unproven."""

from collections.abc import Callable, Iterator
from typing import Any

import sympy as sp

from .algebra import Derivation, Inner, Proof, equation, euclidean_dot
from .chart_metrics import coordinates, euclidean, metric

Form = Callable[..., Any]

PLANE = "every n: a point and two vectors span 3 dimensions, checked there"

t = sp.Symbol("t", real=True)
X, Y, V = sp.symbols("x y v")
_P, _Q, _V, _W = (sp.Matrix(coordinates(3, letter)) for letter in "pqvw")


def expmap(x: Any, v: Any) -> Any:
    """x + v."""
    return x + v


def haversine(dot: Form, x: Any, y: Any) -> Any:
    """(d/2)^2."""
    return dot(y - x, y - x) / 4


def logmap(x: Any, y: Any) -> Any:
    """y - x."""
    return y - x


def transport(x: Any, y: Any, v: Any) -> Any:
    """The identity."""
    return v


def logdetexp(n: int) -> Any:
    """No volume changes."""
    return sp.S.Zero * n


def _covariant(curve: Any, w: Any) -> list[Any]:
    return list(w.diff(t) + metric(euclidean, 3).connection(list(curve), curve.diff(t), w))


def _prove_expmap(form: Form) -> Proof:
    curve = form(_P, t * _V)
    return Proof(
        (equation(r"\exp_{x}(v)", form(X, V)),),
        {
            "geodesic equation": _covariant(curve, curve.diff(t)),
            "starts at x": list(curve.subs(t, 0) - _P),
            "with velocity v": list(curve.diff(t).subs(t, 0) - _V),
        },
    )


def _prove_dist(form: Form) -> Proof:
    h = form(euclidean_dot, _P, _Q)
    slope = sp.Matrix([h.diff(c) for c in _Q])
    along = form(euclidean_dot, _P, _P + t * _V) - euclidean_dot(_V, _V) * t**2 / 4
    return Proof(
        (equation(sp.Symbol("d") ** 2 / 4, form(Inner, X, Y)),),
        {
            "length of the geodesic": [along],
            "eikonal equation, |grad d| = 1": [euclidean_dot(slope, slope) - h],
        },
    )


def _prove_logmap(form: Form) -> Proof:
    return Proof(
        (equation(r"\log_{x}(y)", form(X, Y)),),
        {
            "log_x(exp_x(v)) = v": list(form(_P, expmap(_P, _V)) - _V),
            "exp_x(log_x(y)) = y": list(expmap(_P, form(_P, _Q)) - _Q),
        },
    )


def _prove_transport(form: Form) -> Proof:
    curve = expmap(_P, t * _V)
    w = form(_P, curve, _W)
    return Proof(
        (equation(r"P_{x\to y}\,v", form(X, Y, V)),),
        {
            "D/dt W = 0 along the geodesic": _covariant(curve, w),
            "the identity at y = x": list(w.subs(t, 0) - _W),
        },
    )


def _prove_logdetexp(form: Form) -> Proof:
    jacobian = expmap(_P, _V).jacobian(_V)
    return Proof(
        (equation(r"\log\left|\det D\exp_{x}\right|", form(3)),),
        {"determinant of the differential": [sp.exp(form(3)) - jacobian.det()]},
    )


def derivations() -> Iterator[Derivation]:
    """Maps of Euclidean space."""
    for name, claim, form, prove in (
        ("expmap", "The exponential map.", expmap, _prove_expmap),
        ("dist", "The distance.", haversine, _prove_dist),
        ("logmap", "The logarithm.", logmap, _prove_logmap),
        ("transport", "Parallel transport.", transport, _prove_transport),
        ("logdetexp", "The volume change of the exponential map.", logdetexp, _prove_logdetexp),
    ):
        yield Derivation(f"flat/{name}", claim, PLANE, form, prove)
