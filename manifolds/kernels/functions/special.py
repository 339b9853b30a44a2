r"""Elementary functions that keep their digits and their derivatives at removable singularities.

    sinhc(s) = sinh(sqrt s)/sqrt s = sum s^k/(2k + 1)!,  and the like

============ ==================== ==================================================================
letter       name in the code     what it is
============ ==================== ==================================================================
s, t         s, t                 a squared length and its root, (..., 1) or any shape
q            q                    a squared sine or sinh of a length
z            z                    K s, of either sign: cs_K, sn_K are cos, sin or cosh, sinh of it
k            k                    1.0, or a tensor 1 that has the derivative of the curvature
============ ==================== ==================================================================

A function with a removable singularity takes the *squared* argument: sinhc is an entire function of
s, while in t autograd meets 0/0. Near s = 0 the Taylor polynomial is used, as many terms as float64
needs on the interval named by the cutoff; elsewhere the closed form, fed a harmless argument where
it is not used so that no NaN enters a gradient.

Domain: float32 or float64, as each function says; all of plain torch operations, so autograd,
double backward, ``torch.func`` and ``torch.compile`` go through.
Bound: 8 units of u (1 + kappa) in value and 32 in gradient, kappa the condition number.
Proof: validation/symbolic/series.py, "functions/series"
Proof: validation/symbolic/functions.py, "functions/cosm1c", "functions/log_sinhc"
Certificate: Lorentz.from_normal, Lorentz.to_normal, Sphere.from_normal, Lorentz.logdetexp
"""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from ..arithmetic.vectors import dot, norm

# On s <= 1 the k-th term of sinh(sqrt s)/sqrt s is at most 1/(2k+1)!, so twelve terms reach
# 1e-25: values and the first derivatives are exact to float64 rounding.
_ENTIRE_CUTOFF = 1.0
_ENTIRE_TERMS = 12

# asinh(sqrt q)/sqrt q has radius of convergence 1; on q <= 1/32 the k-th term is at most 2^-5k,
# so fourteen terms reach 2^-70.
_INVERSE_CUTOFF = 1 / 32
_INVERSE_TERMS = 14


def _taylor(coefficient: Callable[[int], float], terms: int) -> tuple[float, ...]:
    return tuple(coefficient(k) for k in range(terms))


_SN = _taylor(lambda k: 1 / math.factorial(2 * k + 1), _ENTIRE_TERMS)
_CM1 = _taylor(lambda k: 1 / math.factorial(2 * k + 2), _ENTIRE_TERMS)
# asin(sqrt q)/sqrt q = sum C(2k, k) q^k / (4^k (2k + 1))
_ASN = _taylor(lambda k: math.comb(2 * k, k) / (4**k * (2 * k + 1)), _INVERSE_TERMS)
# asin(sqrt q)^2 = sum_{k>=1} (4q)^k / (2 k^2 C(2k, k)), here divided by q
_ASN_SQUARED = _taylor(
    lambda k: 4 ** (k + 1) / (2 * (k + 1) ** 2 * math.comb(2 * k + 2, k + 1)), _INVERSE_TERMS
)
# The series of log(sinh(t)/t), t^2/6 - t^4/180 + ..., converges too slowly for a long interval:
# ``log_sinhc`` goes through log1p instead.


def _horner(coefficients: Sequence[float], s: Tensor) -> Tensor:
    """The polynomial in s, by one product and one sum a coefficient."""
    total = torch.full_like(s, coefficients[-1])
    for c in reversed(coefficients[:-1]):
        total = total * s + c
    return total


def _split(s: Tensor, cutoff: float) -> tuple[Tensor, Tensor, Tensor]:
    """(is s small, s or 0 for the polynomial, s or a harmless value for the closed form)."""
    small = s <= cutoff
    return small, s.where(small, 0.0), s.where(~small, 2 * cutoff)


# -- entire functions of s = t^2 -------------------------------------------------------------------


def sinhc(s: Tensor) -> Tensor:
    """sinh(sqrt s)/sqrt s for s >= 0; 1 at 0."""
    small, polynomial, closed = _split(s, _ENTIRE_CUTOFF)
    t = closed.sqrt()
    return torch.where(small, _horner(_SN, polynomial), t.sinh() / t)


def coshm1c(s: Tensor) -> Tensor:
    """(cosh(sqrt s) - 1)/s for s >= 0; 1/2 at 0.

    The plain difference loses 2/s roundings: at t = 0.01 in float32 it is 1e-3 off.
    """
    small, polynomial, closed = _split(s, _ENTIRE_CUTOFF)
    return torch.where(small, _horner(_CM1, polynomial), (closed.sqrt().cosh() - 1) / closed)


def sinhc_excess(s: Tensor) -> Tensor:
    """(sinh(sqrt s)/sqrt s - 1)/s for s >= 0; 1/6 at 0.

    The plain difference loses 6/s roundings: at t = 0.01 in float32 it is 6e-3 off.
    """
    small, polynomial, closed = _split(s, _ENTIRE_CUTOFF)
    t = closed.sqrt()
    return torch.where(small, _horner(_SN[1:], polynomial), (t.sinh() / t - 1) / closed)


def sinc(s: Tensor) -> Tensor:
    """sin(sqrt s)/sqrt s for s >= 0; 1 at 0."""
    small, polynomial, closed = _split(s, _ENTIRE_CUTOFF)
    t = closed.sqrt()
    return torch.where(small, _horner(_SN, -polynomial), t.sin() / t)


def cosm1c(s: Tensor) -> Tensor:
    """(cos(sqrt s) - 1)/s for s >= 0; -1/2 at 0."""
    small, polynomial, closed = _split(s, _ENTIRE_CUTOFF)
    half = closed.sqrt() / 2  # cos t - 1 = -2 sin^2(t/2), also next to the other zeros of cos t - 1
    return torch.where(small, -_horner(_CM1, -polynomial), -2 * half.sin().square() / closed)


def sinc_excess(s: Tensor) -> Tensor:
    """(sin(sqrt s)/sqrt s - 1)/s for s >= 0; -1/6 at 0."""
    small, polynomial, closed = _split(s, _ENTIRE_CUTOFF)
    t = closed.sqrt()
    return torch.where(small, -_horner(_SN[1:], -polynomial), (t.sin() / t - 1) / closed)


# -- tangents, and what they are missing -----------------------------------------------------------


def tanhc(s: Tensor) -> Tensor:
    """tanh(sqrt s)/sqrt s for s >= 0; 1 at 0."""
    small, polynomial, closed = _split(s, _ENTIRE_CUTOFF)
    t = closed.sqrt()
    series = _horner(_SN, polynomial) / (1 + polynomial * _horner(_CM1, polynomial))
    return torch.where(small, series, t.tanh() / t)


def tanc(s: Tensor) -> Tensor:
    """tan(sqrt s)/sqrt s for s >= 0; 1 at 0."""
    small, polynomial, closed = _split(s, _ENTIRE_CUTOFF)
    t = closed.sqrt()
    cosine = 1 - polynomial * _horner(_CM1, -polynomial)
    return torch.where(small, _horner(_SN, -polynomial) / cosine, t.tan() / t)


def coth_times(s: Tensor) -> Tensor:
    """t coth t at t = sqrt s, s >= 0; 1 at 0: the eigenvalue of Hess d^2/2 across a geodesic."""
    small, polynomial, closed = _split(s, _ENTIRE_CUTOFF)
    t = closed.sqrt()
    return torch.where(small, 1 / tanhc(polynomial), t / t.tanh())


def cot_times(s: Tensor) -> Tensor:
    """t cot t at t = sqrt s, 0 <= s < pi^2; 1 at 0."""
    small, polynomial, closed = _split(s, _ENTIRE_CUTOFF)
    t = closed.sqrt()
    series = (1 + polynomial * -_horner(_CM1, -polynomial)) / _horner(_SN, -polynomial)
    return torch.where(small, series, t / t.tan())


def coth_fraction(s: Tensor) -> Tensor:
    """s/(t coth t - 1) at t = sqrt s, 0 <= s <= 1, where the difference cancels; 3 at 0.

    Lambert's continued fraction 3 + s/(5 + s/(7 + ...)). The plain quotient loses 3/s roundings: of
    (cosh t - sinh(t)/t)/s at t = 0.01 in float32 it is 2e-3 off.
    """
    # On abs(s) <= 1 the truncation is at most 3e-9 at depth 4 and 5e-19 at depth 8 (7: 2e-16).
    depth = 4 if s.dtype == torch.float32 else 8
    total = 2 * depth + 1 + s / (2 * depth + 3)
    for k in range(depth - 1, 0, -1):
        total = 2 * k + 1 + s / total
    return total


def cot_fraction(s: Tensor) -> Tensor:
    """s/(1 - t cot t) at t = sqrt s, 0 <= s <= 1: 3 - s/(5 - s/(7 - ...)), 3 at 0."""
    return coth_fraction(-s)


def tanhc_missing(s: Tensor) -> Tensor:
    """(1 - tanh(t)/t)/s at t = sqrt s, s >= 0; 1/3 at 0.

    The plain difference loses 3/s roundings: at t = 0.01 in float32 it is 4e-4 off.
    """
    small, near, closed = _split(s, _ENTIRE_CUTOFF)
    fraction, t = coth_fraction(near), closed.sqrt()
    return torch.where(small, 1 / (fraction + near), (1 - t.tanh() / t) / closed)


# -- inverse functions, of a squared sine ----------------------------------------------------------


def asinhc(q: Tensor) -> Tensor:
    """asinh(sqrt q)/sqrt q for q >= 0; 1 at 0."""
    small, polynomial, closed = _split(q, _INVERSE_CUTOFF)
    t = closed.sqrt()
    return torch.where(small, _horner(_ASN, -polynomial), t.asinh() / t)


def asinh_squared(q: Tensor) -> Tensor:
    """asinh(sqrt q)^2 for q >= 0, smooth at 0 where its slope is 1."""
    small, polynomial, closed = _split(q, _INVERSE_CUTOFF)
    series = polynomial * _horner(_ASN_SQUARED, -polynomial)
    return torch.where(small, series, closed.sqrt().asinh().square())


def asin_squared(q: Tensor) -> Tensor:
    """asin(sqrt q)^2 for 0 <= q <= 1/2, smooth at 0 where its slope is 1."""
    small, polynomial, closed = _split(q, _INVERSE_CUTOFF)
    series = polynomial * _horner(_ASN_SQUARED, polynomial)
    return torch.where(small, series, closed.clamp(max=0.5).sqrt().asin().square())


def asinhc_halved(q: Tensor) -> Tensor:
    """``asinhc`` for -3/4 <= q <= 1, for q < 0 that of asin; its derivative has all digits.

    By halving asinh, sinh(a/2)^2 = sinh(a)^2/(2 (1 + cosh a)), until the series converges: the
    derivative of the closed form loses 3/q roundings.
    """
    # Three halvings bring q = 1 to 0.012 and q = -3/4 to -0.017, within the series' cutoff of 1/32.
    factor = torch.ones_like(q)
    for _ in range(3):
        quotient = 2 * (1 + (1 + q).sqrt())
        q, factor = q / quotient, 2 * factor / quotient.sqrt()
    return factor * _horner(_ASN, -q)


def long_asinh(t: Tensor) -> Tensor:
    """asinh(t) of a t of any length, whose square in asinh's derivative may overflow.

    Beyond 4/eps it is sign(t) log(2 |t|) to rounding: the next term is 1/(4 t^2).
    """
    large = t.abs() > 4 / torch.finfo(t.dtype).eps
    far, near = t.where(large, 1.0), t.where(~large, 0.0)
    return torch.where(large, far.sign() * (far.abs().log() + math.log(2)), near.asinh())


# -- logarithms, for volumes -----------------------------------------------------------------------


def log_sinhc(v: Tensor) -> Tensor:
    """log(sinh(t)/t) at t = |v|; 0 at 0, smooth there, about t far out, where sinh overflows."""
    s, t = _short_and_long(v)
    # log1p of (sinhc - 1), whose series starts at s/6: no digit is lost to the 1.
    series = (s * _horner(_SN[1:], s)).log1p()
    far = t + (-(-2 * t).exp()).log1p() - (2 * t).log()
    return torch.where(t <= 1, series, far)


def log_sinc(v: Tensor) -> Tensor:
    """log|sin(t)/t| at t = |v|; 0 at 0, smooth there, -inf at multiples of pi."""
    s, t = _short_and_long(v)
    series = (-s * _horner(_SN[1:], -s)).log1p()
    return torch.where(t <= 1, series, (t.sin() / t).abs().log())


def _short_and_long(v: Tensor) -> tuple[Tensor, Tensor]:
    """(|v|^2 or 0, |v| or 1): the first where |v| <= 1, smooth at 0, the second beyond."""
    # Beyond a square may overflow; NaN is beyond, and so comes out.
    t = norm(v)
    near = t <= 1
    short = v.where(near, 0.0)
    return dot(short, short), t.where(~near, 1.0)


def log_sinc_near(z: Tensor) -> Tensor:
    """log(sin(sqrt z)/sqrt z) for -1 <= z <= 1, of sinh for z < 0; 0 at 0, where it is smooth."""
    return (-z * _horner(_SN[1:], -z)).log1p()


# -- of a z = K t^2 of either sign -----------------------------------------------------------------

# The quotient sn_K(t)/t itself is ``generalized_trig.sinc_k``.


def signed_cs(z: Tensor) -> Tensor:
    """cs_K(t) at z = K t^2: cos(sqrt z), 1 at 0, cosh(sqrt -z)."""
    h, s = (-z).clamp(min=0), z.clamp(min=0)
    return 1 + torch.where(z < 0, h * coshm1c(h), s * cosm1c(s))


def signed_csm1c(z: Tensor) -> Tensor:
    """(cs_K(t) - 1)/z at z = K t^2, entire in z; -1/2 at 0."""
    return torch.where(z < 0, -coshm1c((-z).clamp(min=0)), cosm1c(z.clamp(min=0)))


def signed_snm1c(z: Tensor) -> Tensor:
    """(sn_K(t)/t - 1)/z at z = K t^2, for abs(z) <= 1; -1/6 at 0."""
    return -_horner(_SN[1:], -z.clamp(-1, 1))


# -- of a curvature -k, k = 1, that is learned -----------------------------------------------------

# ``k`` is the float 1.0, or a tensor 1 that has the derivative of the curvature: the value is that
# of k = 1, and the derivative by k is made of terms that do not cancel.


def curved(s: Tensor, k: float | Tensor) -> Tensor:
    """k s, of a k that is 1 but for its derivative."""
    return s if isinstance(k, float) else k * s
