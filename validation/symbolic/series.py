r"""The Taylor coefficients of `manifolds/kernels/functions/special.py`.

A coefficient is proven for every k at once: the function obeys a linear differential equation, the
equation is a recurrence for its coefficients, and the closed form solves the recurrence.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from math import ulp
from typing import Any

import sympy as sp

from ...manifolds.kernels.functions import special
from .algebra import Cs, Derivation, Proof, Sn, elementary, equation

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
        special._SN,
        special._ENTIRE_CUTOFF,
        sp.Rational(1, 4),
    ),
    Series(
        "(cosh(sqrt s) - 1)/s",
        (Cs(-1, t) - 1) / t**2,
        t**2,
        _cosine_equation,
        lambda i: 1 / sp.factorial(2 * i + 2),
        special._CM1,
        special._ENTIRE_CUTOFF,
        sp.Rational(1, 4),
    ),
    Series(
        "asin(sqrt s)/sqrt s",
        t / Sn(1, t),
        Sn(1, t) ** 2,
        lambda f, f1, f2, q: 2 * (1 - q) * (2 * q * f2 + 3 * f1) - (2 * q * f1 + f),
        lambda i: sp.binomial(2 * i, i) / (4**i * (2 * i + 1)),
        special._ASN,
        special._INVERSE_CUTOFF,
        sp.S.One,
    ),
    Series(
        "asin(sqrt s)^2/s",
        t**2 / Sn(1, t) ** 2,
        Sn(1, t) ** 2,
        _arcsine_squared_equation,
        lambda i: 4 ** (i + 1) / (2 * (i + 1) ** 2 * sp.binomial(2 * i + 2, i + 1)),
        special._ASN_SQUARED,
        special._INVERSE_CUTOFF,
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
    return sp.Max(0, bound - limit)


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
        # Without decay there is no bound, and the closed form of the sum would be negative.
        tails.append(_over(leading / (1 - decay) if decay < 1 else sp.oo, allowed))

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


def derivations() -> Iterator[Derivation]:
    """Taylor coefficients."""
    for series in SERIES:
        yield Derivation(
            f"functions/series: {series.name}",
            f"The Taylor coefficients of `{series.name}`, those in the code, and what is cut off. "
            "The trigonometric and hyperbolic partners have the same with alternating signs.",
            "one variable",
            series.coefficient,
            partial(_prove_series, series),
        )
