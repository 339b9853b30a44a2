"""How geodesics spread: log|det D exp| by the Jacobi equation, and the Hessian of the distance."""

from collections.abc import Callable, Iterator
from typing import Any

import sympy as sp

from .algebra import Cs, Derivation, K, Proof, Sn, equation, gram
from .chart_metrics import metric, polar
from .quadric import EVERY_N, covariant_derivative, expmap, rate_along, t

Form = Callable[..., Any]

a, b, c, e, f = sp.symbols("a b c e f", positive=True)
LENGTH = sp.Symbol(r"\left|v\right|", positive=True)

# x, v of length a, and two vectors w_1, w_2 to move v by.
(_X, _V, _W1, _W2), _DOT = gram(
    [[1 / K, 0, 0, 0], [0, a**2, b, e], [0, b, c, f], [0, e, f, sp.Symbol("g")]]
)


def logdetexp(n: Any, length: Any) -> Any:
    """(n - 1) log(sn(|v|)/|v|)."""
    return (n - 1) * sp.log(Sn(K, length) / length)


def _variation(w: Any) -> Any:
    """d/dv of exp_x(t v) in direction w: the Jacobi field that is 0 at x and leaves it with w."""
    step = sp.Symbol("epsilon")
    v = _V + step * w
    curve = expmap(_X, v * t, sp.sqrt(_DOT(v, v)) * t)
    return curve.diff(step).subs(step, 0)


def _prove_logdetexp(form: Form) -> Proof:
    curve = expmap(_X, _V * t, a * t)
    velocity = curve.diff(t)
    one, other = _variation(_W1), _variation(_W2)
    first = sp.Matrix(rate_along(_DOT, curve, one))
    second = covariant_derivative(_DOT, curve, velocity, first, first.diff(t))
    curvature = K * (_DOT(velocity, velocity) * one - _DOT(one, velocity) * velocity)
    q = (Sn(K, a) / a) ** 2
    radial = b * e / a**2
    # D exp* D exp is the identity along v and q across it: of determinant q^(n - 1).
    pulled = (_DOT(one, other)).subs(t, 1) - (radial + q * (f - radial))
    n = sp.Symbol("n", positive=True)
    off = 2 * form(n, a) - (n - 1) * 2 * sp.log(Sn(K, a) / a)
    return Proof(
        (equation(r"\log\left|\det D\exp_{x}(v)\right|", form(n, LENGTH)),),
        {
            "Jacobi equation, J'' + R(J, x')x' = 0": list(second + curvature),
            "J(0) = 0": list(one.subs(t, 0)),
            "J'(0) = w": list(first.subs(t, 0) - _W1),
            "<D exp w_1, D exp w_2>: 1 along v, (sn(|v|)/|v|)^2 across it": [pulled],
            "log of the determinant of that, with n - 1 directions across": [off],
        },
    )


def hessian_across(r: Any) -> Any:
    """r cs(r)/sn(r): the eigenvalue of Hess d^2/2 across the geodesic."""
    return r * Cs(K, r) / Sn(K, r)


def _prove_hessian(form: Form) -> Proof:
    chart = metric(polar, 3)
    r = chart.coordinates[0]
    half = r**2 / 2
    hessian = sp.Matrix(3, 3, lambda i, j: half.diff(r, 2) if i == j == 0 else 0)
    hessian -= half.diff(r) * chart.christoffel[0]
    expected = sp.diag(1, form(r), form(r)) * chart.matrix
    return Proof(
        (equation(r"\lambda_\perp", form(sp.Symbol("r"))),),
        {"Hessian d_i d_j f - Gamma^k_ij d_k f of f = r^2/2": list(hessian - expected)},
    )


def derivations() -> Iterator[Derivation]:
    """Volume and Hessian."""
    yield Derivation(
        "volume/logdetexp",
        "The volume change of the exponential map, from Jacobi fields, whose curvature term is "
        "that of constant curvature K. Ball and half-space inherit it: they are isometric.",
        EVERY_N + "; n enters as the number of directions across v",
        logdetexp,
        _prove_logdetexp,
    )
    yield Derivation(
        "volume/hessian",
        "The Hessian of half the squared distance, Newton's matrix of the Fréchet mean: 1 along "
        "the geodesic and this across it.",
        "every n: checked for n = 3, as a point and two vectors across the ray span 3 dimensions",
        hessian_across,
        _prove_hessian,
    )
