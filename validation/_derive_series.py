r"""The Taylor coefficients and the elementary identities of `manifolds/_numerics.py`.

A coefficient is proven for every k at once: the function obeys a linear differential equation, the
equation is a recurrence for its coefficients, and the closed form solves the recurrence.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import ulp
from typing import Any

import sympy as sp

from ..manifolds import _numerics
from ._derive import Cs, Derivation, K, Proof, Sn, elementary, equation

Form = Callable[..., Any]

k = sp.Symbol("k", integer=True, nonnegative=True)
t, s = sp.symbols("t s", positive=True)
_F = sp.symbols("f f' f''")


@dataclass(frozen=True)
class Series:
    """A function of the squared argument s, and what the code has of it.

    ``value`` is the function of t with s = ``square``(t). ``equation`` takes f, f', f'' and s and
    vanishes. ``used`` are the coefficients in the code, on abs(s) <= ``cutoff``. ``ratio`` bounds
    the quotient of consecutive coefficients.
    """

    name: str
    value: Any
    square: Any
    equation: Callable[..., Any]
    coefficient: Callable[[Any], Any]
    used: Sequence[float]
    cutoff: float
    ratio: Any


def _arcsine_squared_equation(f: Any, f1: Any, f2: Any, q: Any) -> Any:
    # Of h = q f = asin(sqrt q)^2: 2 q (1 - q) h'' + (1 - 2 q) h' = 1.
    return 2 * q * (1 - q) * (2 * f1 + q * f2) + (1 - 2 * q) * (f + q * f1) - 1


def _cosine_equation(f: Any, f1: Any, f2: Any, q: Any) -> Any:
    # Of h = q f = cosh(sqrt q) - 1: 4 q h'' + 2 h' = 1 + h.
    return 4 * q * (2 * f1 + q * f2) + 2 * (f + q * f1) - 1 - q * f


SERIES = (
    Series(
        "sinh(sqrt s)/sqrt s",
        Sn(-1, t) / t,
        t**2,
        lambda f, f1, f2, q: 4 * q * f2 + 6 * f1 - f,
        lambda i: 1 / sp.factorial(2 * i + 1),
        _numerics._SN,
        _numerics._ENTIRE_CUTOFF,
        sp.Rational(1, 4),
    ),
    Series(
        "(cosh(sqrt s) - 1)/s",
        (Cs(-1, t) - 1) / t**2,
        t**2,
        _cosine_equation,
        lambda i: 1 / sp.factorial(2 * i + 2),
        _numerics._CM1,
        _numerics._ENTIRE_CUTOFF,
        sp.Rational(1, 4),
    ),
    Series(
        "asin(sqrt s)/sqrt s",
        t / Sn(1, t),
        Sn(1, t) ** 2,
        lambda f, f1, f2, q: 2 * (1 - q) * (2 * q * f2 + 3 * f1) - (2 * q * f1 + f),
        lambda i: sp.binomial(2 * i, i) / (4**i * (2 * i + 1)),
        _numerics._ASN,
        _numerics._INVERSE_CUTOFF,
        sp.S.One,
    ),
    Series(
        "asin(sqrt s)^2/s",
        t**2 / Sn(1, t) ** 2,
        Sn(1, t) ** 2,
        _arcsine_squared_equation,
        lambda i: 4 ** (i + 1) / (2 * (i + 1) ** 2 * sp.binomial(2 * i + 2, i + 1)),
        _numerics._ASN_SQUARED,
        _numerics._INVERSE_CUTOFF,
        sp.S.One,
    ),
)


def _recurrence(series: Series, coefficient: Form, at: Any) -> Any:
    """The coefficient of s^at in the differential equation of sum a_k s^k."""
    total = sp.S.Zero
    for (power, *orders), factor in sp.Poly(series.equation(*_F, s), s, *_F).terms():
        if sum(orders) == 0:
            total += factor if at == power else 0
            continue
        order = orders.index(1)
        source = at - power + order
        if at.is_number and source < 0:
            continue
        total += factor * sp.ff(source, order) * coefficient(source)
    return total


def _over(bound: Any, limit: Any) -> Any:
    """0 if bound <= limit: an inequality between rationals as a residual."""
    return sp.Max(0, sp.nsimplify(bound) - limit)


def _prove_series(series: Series, form: Form) -> Proof:
    derivatives = [series.value]
    for _ in range(2):
        derivatives.append(derivatives[-1].diff(t) / series.square.diff(t))
    # Over a_k the factorials cancel.
    general = sp.combsimp(sp.expand_func(_recurrence(series, form, k) / form(k)))
    first = [_recurrence(series, form, sp.Integer(i)) for i in range(3)]
    at_zero = sp.limit(elementary(series.value, 1), t, 0)

    count, cutoff = len(series.used), sp.Rational(series.cutoff)
    quotient = sp.combsimp(form(k + 1) / form(k))
    numerator, denominator = sp.fraction(sp.together(series.ratio - quotient))
    signs = [*sp.Poly(numerator, k).all_coeffs(), *sp.Poly(denominator, k).all_coeffs()]

    # The j-th derivative has the terms j! C(i, j) a_i c^(i-j) for i >= N, and their quotients are
    # at most c ratio (N+1)/(N+1-j): a geometric series.
    tails = []
    for j in range(3):
        leading = sp.ff(count, j) * form(sp.Integer(count)) * cutoff ** (count - j)
        decay = cutoff * series.ratio * sp.Rational(count + 1, count + 1 - j)
        allowed = _ROUNDOFF / 8 * sp.factorial(j) * form(sp.Integer(j))
        tails.append(_over(leading / (1 - decay), allowed))

    rounding = [
        _over(abs(sp.Rational(c) - form(sp.Integer(i))), _ROUNDOFF * form(sp.Integer(i)))
        for i, c in enumerate(series.used)
    ]
    index = sp.Symbol("k")
    return Proof(
        (equation("a_k", form(index)),),
        {
            "the differential equation": [series.equation(*derivatives, series.square)],
            "it is this recurrence, for every k": [general],
            "and for the first k": first,
            "the value at 0": [at_zero - form(sp.S.Zero)],
            "the coefficients in the code, to half a unit in the last place": rounding,
            f"their quotients are at most {series.ratio}: no coefficient of a power of k in the "
            "difference is negative": [sp.Max(0, -c) for c in signs],
            f"remainder after {count} terms on |s| <= {cutoff}, of the value and two derivatives: "
            "at most 2^-56 of their size at 0": tails,
        },
    )


_ROUNDOFF = sp.Rational(ulp(1.0)) / 2


# -- elementary identities -------------------------------------------------------------------------

_P, _Q = sp.symbols("P Q", positive=True)


def _hyperbolic(e: Any) -> tuple[Any, Any]:
    """sinh and cosh of log e."""
    return (e - 1 / e) / 2, (e + 1 / e) / 2


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


def derivations() -> Iterator[Derivation]:
    """The functions of curvature, series and identities."""
    yield Derivation(
        "functions/sn and cs",
        "The functions in which all formulas are written: $f'' + K f = 0$ from $(0, 1)$ and its "
        "derivative. At K = 0 they are t and 1.",
        "one variable",
        unit_functions,
        _prove_unit_functions,
    )
    for series in SERIES:
        yield Derivation(
            f"functions/series: {series.name}",
            f"The Taylor coefficients of `{series.name}`, those in the code, and what is cut off. "
            "The trigonometric and hyperbolic partners have the same with alternating signs.",
            "one variable",
            series.coefficient,
            lambda form, series=series: _prove_series(series, form),
        )
    for name, (computed, _) in IDENTITIES.items():
        yield Derivation(
            f"functions/{name}",
            "The right-hand side is what the code computes, the left-hand side what it means.",
            "one variable",
            lambda computed=computed: computed,
            lambda form, name=name: _prove_identity(name, form),
        )
