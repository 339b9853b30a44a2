"""The functions of curvature, and the elementary identities behind the code's functions."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import sympy as sp

from .algebra import Cs, Derivation, K, Proof, Sn, elementary, equation

Form = Callable[..., Any]

t = sp.Symbol("t", positive=True)
_P, _Q = sp.symbols("P Q", positive=True)


def _hyperbolic(e: Any) -> tuple[Any, Any]:
    """sinh and cosh of log e."""
    return (e - 1 / e) / 2, (e + 1 / e) / 2


# asinh(sqrt(k) T)/sqrt k and its square by k and T, in coordinates t and k: T = sinh(t)/sqrt k.
_k = sp.Symbol("k", positive=True)
_T = Sn(-1, t) / sp.sqrt(_k)
_MISSING = (1 - Sn(-1, t) / Cs(-1, t) / t) / t**2


def _slopes(value: Any, argument: Any) -> tuple[Any, Any]:
    """(by the argument, by k where that is fixed)."""
    by_argument = value.diff(t) / argument.diff(t)
    return by_argument, value.diff(_k) - by_argument * argument.diff(_k)


# name: (what the code computes, what it is)
IDENTITIES: dict[str, tuple[Any, Any]] = {
    "sinh_ratio: sinh(t d)/sinh(d) from P = e^(t d), Q = e^d": (
        _P / _Q * (_P**-2 - 1) / (_Q**-2 - 1),
        _hyperbolic(_P)[0] / _hyperbolic(_Q)[0],
    ),
    "sinh_ratio: e^d = (sqrt h + sqrt(1 + h))^2, h = sinh(d/2)^2": (
        (Sn(-1, t / 2) + Cs(-1, t / 2)) ** 2,
        Sn(-1, t) + Cs(-1, t),
    ),
    "cosm1c: (cos t - 1)/t^2": (-2 * Sn(1, t / 2) ** 2 / t**2, (Cs(1, t) - 1) / t**2),
    "log_sinhc: exp of t + log1p(-e^(-2t)) - log(2t), Q = e^t": (
        _Q * (1 - _Q**-2) / (2 * t),
        _hyperbolic(_Q)[0] / t,
    ),
    "logmap's factor: (d/2)/(sn(d/2) cs(d/2)) = d/sn(d), of any curvature": (
        t / 2 / (Sn(K, t / 2) * Cs(K, t / 2)),
        t / Sn(K, t),
    ),
    "logmap far out: d tn(d/2) = 2 d/sn(d) sn(d/2)^2, of any curvature": (
        t * Sn(K, t / 2) / Cs(K, t / 2),
        2 * t / Sn(K, t) * Sn(K, t / 2) ** 2,
    ),
    "ball: 1 - tanh^2 = 1/(1 + sinh^2)": (
        1 / (1 + Sn(-1, t) ** 2),
        1 - (Sn(-1, t) / Cs(-1, t)) ** 2,
    ),
    "ball, to_normal: sn(r/2)^2 = |x|^2/gap at |x| = tn(r/2)": (
        (Sn(K, t / 2) / Cs(K, t / 2)) ** 2 / (1 + K * (Sn(K, t / 2) / Cs(K, t / 2)) ** 2),
        Sn(K, t / 2) ** 2,
    ),
    "asinh over a root, by T": (1 / Cs(-1, t), _slopes(t / sp.sqrt(_k), _T)[0]),
    "asinh over a root, by k": (
        -((t / sp.sqrt(_k)) ** 3) * _MISSING / 2,
        _slopes(t / sp.sqrt(_k), _T)[1],
    ),
    "asinh over a root, its square by T^2": (
        t / (Sn(-1, t) * Cs(-1, t)),
        _slopes(t**2 / _k, _T**2)[0],
    ),
    "asinh over a root, its square by k": (
        -((t**2 / _k) ** 2) * _MISSING,
        _slopes(t**2 / _k, _T**2)[1],
    ),
}


def _prove_identity(name: str, form: Form) -> Proof:
    computed, meant = form(), IDENTITIES[name][1]
    shown = equation(meant, computed)
    return Proof((shown,), {"the difference": [computed - meant]})


def unit_functions(curvature: Any) -> tuple[Any, Any]:
    """sn_K and cs_K by the sign of K."""
    return elementary(Sn(K, t), curvature), elementary(Cs(K, t), curvature)


def _prove_unit_functions(form: Form) -> Proof:
    radius = sp.Symbol("R", positive=True)
    shown = []
    residuals = {}
    for sign, name in ((1, "K > 0"), (-1, "K < 0")):
        curvature = sign / radius**2
        sn, cs = form(curvature)
        shown += [equation(Sn(K, t), sn), equation(Cs(K, t), cs)]
        residuals[f"{name}: sn'' + K sn = 0, sn(0) = 0, cs = sn', cs(0) = 1"] = [
            sn.diff(t, 2) + curvature * sn,
            sn.subs(t, 0),
            sn.diff(t) - cs,
            cs.subs(t, 0) - 1,
        ]
        # With p = tn(t/2): the rational parametrisation by which every proof here ends.
        half = form(curvature)[0].subs(t, t / 2) / form(curvature)[1].subs(t, t / 2)
        both = [
            sn - 2 * half / (1 + curvature * half**2),
            cs - (1 - curvature * half**2) / (1 + curvature * half**2),
        ]
        exponential = [e.rewrite(sp.exp).subs(t, 2 * radius * sp.log(_Q)) for e in both]
        residuals[f"{name}: rational in tn(t/2)"] = [sp.simplify(e) for e in exponential]
    return Proof(tuple(shown), residuals)


def _constant(value: Any) -> Any:
    return value


def derivations() -> Iterator[Derivation]:
    """sn and cs, and identities."""
    yield Derivation(
        "functions/sn and cs",
        "The functions in which all formulas are written: $f'' + K f = 0$ from $(0, 1)$ and its "
        "derivative. At K = 0 they are t and 1.",
        "one variable",
        unit_functions,
        _prove_unit_functions,
    )
    for name, (computed, _) in IDENTITIES.items():
        yield Derivation(
            f"functions/{name}",
            "The right-hand side is what the code computes, the left-hand side what it means.",
            "one variable",
            partial(_constant, computed),
            partial(_prove_identity, name),
        )
