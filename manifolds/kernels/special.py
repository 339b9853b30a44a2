"""Elementary functions that keep their digits and their derivatives at removable singularities.

Everything here works on float32 or float64 tensors and is made of plain torch operations, so
autograd, double backward, ``torch.func`` and ``torch.compile`` go through it.

A function with a removable singularity takes the *squared* argument: ``sinh(sqrt(s))/sqrt(s)`` is
an entire function of s, while in t = sqrt(s) autograd meets 0/0. Near s = 0 the Taylor polynomial
is used, as many terms as float64 needs on the interval named by the cutoff; elsewhere the closed
form, fed a harmless argument where it is not used so that no NaN enters a gradient.
"""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from .vectors import dot, norm

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
# log(sinh(t)/t) = t^2/6 - t^4/180 + t^6/2835 - ...: too slowly convergent for a long interval, so
# logsn goes through expm1 and log1p instead; see there.


def _horner(coefficients: Sequence[float], s: Tensor) -> Tensor:
    total = torch.full_like(s, coefficients[-1])
    for c in reversed(coefficients[:-1]):
        total = total * s + c
    return total


def _split(s: Tensor, cutoff: float) -> tuple[Tensor, Tensor, Tensor]:
    """(is s small, s or 0 for the polynomial, s or a harmless value for the closed form)."""
    small = s <= cutoff
    return small, s.where(small, 0.0), s.where(~small, 2 * cutoff)


def sinhc(s: Tensor) -> Tensor:
    """sinh(sqrt s)/sqrt s for s >= 0; 1 at 0."""
    small, polynomial, closed = _split(s, _ENTIRE_CUTOFF)
    t = closed.sqrt()
    return torch.where(small, _horner(_SN, polynomial), t.sinh() / t)


def coshm1c(s: Tensor) -> Tensor:
    """(cosh(sqrt s) - 1)/s for s >= 0; 1/2 at 0. The plain difference loses s/2 to rounding."""
    small, polynomial, closed = _split(s, _ENTIRE_CUTOFF)
    return torch.where(small, _horner(_CM1, polynomial), (closed.sqrt().cosh() - 1) / closed)


def sinc(s: Tensor) -> Tensor:
    """sin(sqrt s)/sqrt s for s >= 0; 1 at 0."""
    small, polynomial, closed = _split(s, _ENTIRE_CUTOFF)
    t = closed.sqrt()
    return torch.where(small, _horner(_SN, -polynomial), t.sin() / t)


def cosm1c(s: Tensor) -> Tensor:
    """(cos(sqrt s) - 1)/s for s >= 0; -1/2 at 0."""
    small, polynomial, closed = _split(s, _ENTIRE_CUTOFF)
    half = closed.sqrt() / 2
    return torch.where(small, -_horner(_CM1, -polynomial), -2 * half.sin().square() / closed)


def tanhc(s: Tensor) -> Tensor:
    """tanh(sqrt s)/sqrt s for s >= 0; 1 at 0."""
    small, polynomial, closed = _split(s, _ENTIRE_CUTOFF)
    t = closed.sqrt()
    series = _horner(_SN, polynomial) / (1 + polynomial * _horner(_CM1, polynomial))
    return torch.where(small, series, t.tanh() / t)


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


def curved(s: Tensor, k: float | Tensor) -> Tensor:
    """k s, of a k that is 1 but for its derivative."""
    return s if isinstance(k, float) else k * s


def asinh_over(t: Tensor, k: float | Tensor) -> Tensor:
    """asinh(sqrt(k) t)/sqrt k, its derivative by k without cancellation; k as in ``curved``."""
    if isinstance(k, float):
        return t.asinh()
    q = k * t * t
    near = q <= 1
    root = k.sqrt()
    far = (root * t.where(~near, 1.0)).asinh() / root
    short = t.where(near, 0.0)
    return torch.where(near, short * asinhc_halved(k * short * short), far)


def asinh_squared_over(q: Tensor, k: float | Tensor) -> Tensor:
    """asinh(sqrt(k q))^2/k, smooth at 0 where its slope is 1; as ``asinh_over``."""
    if isinstance(k, float):
        return asinh_squared(q)
    near = k * q <= 1
    short = q.where(near, 0.0)
    far = (k * q.where(~near, 1.0)).sqrt().asinh().square() / k
    return torch.where(near, short * asinhc_halved(k * short).square(), far)


def asinhc_at(q: Tensor, k: float | Tensor) -> Tensor:
    """``asinhc`` of a q with the factor k, as ``asinh_over``."""
    if isinstance(k, float):
        return asinhc(q)
    near = q <= 1
    halved = asinhc_halved(q.where(near, 0.0))
    return torch.where(near, halved, asinhc(q.where(~near, 1.0)))


def asinhc_halved(q: Tensor) -> Tensor:
    """``asinhc`` for -3/4 <= q <= 1, ``asinc(-q)`` for q < 0; its derivative has all digits.

    By halving asinh, sinh(a/2)^2 = sinh(a)^2/(2 (1 + cosh a)), until the series converges; that of
    the closed form loses a factor 3/q.
    """
    factor = torch.ones_like(q)
    for _ in range(3):
        quotient = 2 * (1 + (1 + q).sqrt())
        q, factor = q / quotient, 2 * factor / quotient.sqrt()
    return factor * _horner(_ASN, -q)


def asin_squared(q: Tensor) -> Tensor:
    """asin(sqrt q)^2 for 0 <= q <= 1/2, smooth at 0 where its slope is 1."""
    small, polynomial, closed = _split(q, _INVERSE_CUTOFF)
    series = polynomial * _horner(_ASN_SQUARED, polynomial)
    return torch.where(small, series, closed.clamp(max=0.5).sqrt().asin().square())


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
    """(|v|^2 or 0, |v| or 1): the first where |v| <= 1 and smooth at 0, the second beyond, where
    a square may overflow. NaN is beyond."""
    t = norm(v)
    near = t <= 1
    short = v.where(near, 0.0)
    return dot(short, short), t.where(~near, 1.0)


def coth_times(s: Tensor) -> Tensor:
    """t coth t at t = sqrt s, s >= 0; 1 at 0. (The eigenvalue of a Hessian across the geodesic.)"""
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

    Lambert's continued fraction 3 + s/(5 + s/(7 + ...)), as far as the dtype needs on s <= 1.
    """
    depth = 4 if s.dtype == torch.float32 else 8
    total = 2.0 * depth + 3 + 0 * s
    for k in range(depth, 0, -1):
        total = 2 * k + 1 + s / total
    return total


def tanhc_missing(s: Tensor) -> Tensor:
    """(1 - tanh(t)/t)/s at t = sqrt s, s >= 0; 1/3 at 0. The plain difference loses s/3."""
    small, near, closed = _split(s, _ENTIRE_CUTOFF)
    fraction, t = coth_fraction(near), closed.sqrt()
    return torch.where(small, 1 / (fraction + near), (1 - t.tanh() / t) / closed)


def cot_fraction(s: Tensor) -> Tensor:
    """s/(1 - t cot t) at t = sqrt s, 0 <= s <= 1: 3 - s/(5 - s/(7 - ...)), 3 at 0."""
    return coth_fraction(-s)


def signed_sn(z: Tensor) -> Tensor:
    """sn_K(t)/t at z = K t^2, entire in z: sin(sqrt z)/sqrt z, 1 at 0, sinh(sqrt -z)/sqrt -z."""
    return torch.where(z < 0, sinhc((-z).clamp(min=0)), sinc(z.clamp(min=0)))


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


def sinhc_excess(s: Tensor) -> Tensor:
    """(sinh(sqrt s)/sqrt s - 1)/s for s >= 0; 1/6 at 0. The plain difference loses s/6."""
    small, polynomial, closed = _split(s, _ENTIRE_CUTOFF)
    t = closed.sqrt()
    return torch.where(small, _horner(_SN[1:], polynomial), (t.sinh() / t - 1) / closed)


def sinc_excess(s: Tensor) -> Tensor:
    """(sin(sqrt s)/sqrt s - 1)/s for s >= 0; -1/6 at 0."""
    small, polynomial, closed = _split(s, _ENTIRE_CUTOFF)
    t = closed.sqrt()
    return torch.where(small, -_horner(_SN[1:], -polynomial), (t.sin() / t - 1) / closed)


def tanc(s: Tensor) -> Tensor:
    """tan(sqrt s)/sqrt s for s >= 0; 1 at 0."""
    small, polynomial, closed = _split(s, _ENTIRE_CUTOFF)
    t = closed.sqrt()
    cosine = 1 - polynomial * _horner(_CM1, -polynomial)
    return torch.where(small, _horner(_SN, -polynomial) / cosine, t.tan() / t)


def log_sinc_near(z: Tensor) -> Tensor:
    """log(sin(sqrt z)/sqrt z) for -1 <= z <= 1, of sinh for z < 0; 0 at 0, where it is smooth."""
    return (-z * _horner(_SN[1:], -z)).log1p()
