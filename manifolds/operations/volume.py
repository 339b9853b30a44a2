"""Volumes of geodesic balls and areas of geodesic spheres, in any dimension and in logarithms."""

import math
from fractions import Fraction
from functools import cache

import torch
from torch import Tensor

from ..base import Manifold
from ..checks import check_amount, check_integer
from ..kernels.radial.law import uniform_law
from ..manifold_checks import check_manifold

_PI = Fraction("3.14159265358979323846264338327950288419716939937510582097494")
# In so many dimensions the area of the unit sphere, 1e-185, still is a number of float64 that a
# power may be multiplied with; in more the exponential of the logarithm has to do.
_POWERS = 300


def injectivity_radius(manifold: Manifold) -> Tensor:
    r"""The radius within which exp is one to one: :math:`\pi/\sqrt K` for K > 0, else infinite.

    A length, shape (), float64; differentiable in a learnable K.
    """
    check_manifold("injectivity_radius", manifold)
    k = manifold.curvature.double()
    positive = k > 0
    return torch.where(positive, math.pi * k.where(positive, 1.0).rsqrt(), math.inf)


def diameter(manifold: Manifold) -> Tensor:
    r"""The largest distance of two points: :math:`\pi/\sqrt K` for K > 0, else infinite.

    On a space form it is the injectivity radius. A length, shape (), float64.
    """
    check_manifold("diameter", manifold)
    return injectivity_radius(manifold)


def log_sphere_area(manifold: Manifold, radius: Tensor | float, n: int) -> Tensor:
    r"""Logarithm of :func:`sphere_area`; -inf where the area is 0.

    Args:
        manifold: the space.
        radius: a length, a number or a tensor (...).
        n: dimension of the *space*; that of the geodesic sphere is n - 1.

    Returns:
        (...) in the dtype of ``radius`` (float64 for a number), computed in float64.
    """
    r, dtype = _lengths("log_sphere_area", manifold, radius, n)
    inside = _has_sphere(manifold, r, n)
    s = r.where(inside, _harmless(manifold, r))
    area = log_area_of_unit_sphere(n) + s.where(s.isnan(), 0.0)
    if n > 1:
        area = area + (n - 1) * (s.log() + log_sn_ratio(manifold, s))
    return area.where(inside, -math.inf).to(dtype)


def sphere_area(manifold: Manifold, radius: Tensor | float, n: int) -> Tensor:
    r"""Area of the geodesic sphere of a radius in the n-dimensional space.

    .. math:: A(r) = \frac{2\pi^{n/2}}{\Gamma(n/2)}\,\mathrm{sn}_K(r)^{n-1},\qquad
              \mathrm{sn}_K(r) = \sin(\sqrt K r)/\sqrt K,\ r,\ \sinh(\sqrt{-K} r)/\sqrt{-K}

    (Gray, "Tubes", 2nd ed. 2004). 0 at r = 0 but for n = 1, where the sphere is two
    points; 0 for r < 0 (in a tensor: as a number it is refused) and beyond the diameter, where
    there is none. Differentiable in r and in a
    learnable K: dA/dr at 0 is 0, 2 pi for n = 2. For large n use :func:`log_sphere_area`, whose
    exponential this is from n = 301 on: in float64 its relative error is then abs(log A) units in
    the last place.

    Args:
        manifold: the space.
        radius: a length, a number or a tensor (...).
        n: dimension of the *space*.

    Returns:
        (...) in the dtype of ``radius`` (float64 for a number).

    Raises:
        ValueError: n is no integer of at least 1, or a number is negative.
    """
    r, dtype = _lengths("sphere_area", manifold, radius, n)
    inside = _has_sphere(manifold, r, n) & (r != 0)
    s = r.where(inside, _harmless(manifold, r))
    if n > _POWERS:
        area = log_sphere_area(manifold, s, n).exp()
    else:
        area = _times_power(area_of_unit_sphere(n), s * log_sn_ratio(manifold, s).exp(), n - 1)
    at_zero = {1: 2 + 0 * r, 2: 2 * math.pi * r}.get(n, 0 * r)
    # Two points whatever r, but of NaN.
    area = area.where(~r.isnan(), r)
    return torch.where(inside, area, at_zero.where(r == 0, 0.0)).to(dtype)


def log_ball_volume(manifold: Manifold, radius: Tensor | float, n: int) -> Tensor:
    r"""Logarithm of :func:`ball_volume`; -inf for r <= 0.

    By quadrature of the logarithm's exponential, relative to its peak, on the shell that holds the
    mass: the closed alternating sums lose all digits by n = 40, and the incomplete beta function
    that they stand for is not in torch. On the upper half of a sphere as the whole less the rest,
    so that the derivative keeps its digits there too.

    Args:
        manifold: the space.
        radius: a length, a number or a tensor (...).
        n: dimension of the space, from 1 to many thousands.

    Returns:
        (...) in the dtype of ``radius`` (float64 for a number), computed in float64. Its error is
        that of the rounding of r and of the result.
    """
    r, dtype = _lengths("log_ball_volume", manifold, radius, n)
    inside = ~(r <= 0)  # so that NaN stays NaN
    s = r.where(inside, _harmless(manifold, r))
    length, share = _integral(manifold, s, n)
    volume = n * length.log() + share + log_area_of_unit_sphere(n)
    return volume.where(inside, -math.inf).to(dtype)


def ball_volume(manifold: Manifold, radius: Tensor | float, n: int) -> Tensor:
    r"""Volume of the geodesic ball of a radius in the n-dimensional space.

    .. math:: V(r) = \frac{2\pi^{n/2}}{\Gamma(n/2)}\int_0^r\mathrm{sn}_K(t)^{n-1}\,dt

    (Gray, "Tubes", 2nd ed. 2004): :math:`2\pi(\cosh r - 1)` for n = 2, K = -1. 0 for
    r <= 0; from the diameter on the volume of the whole sphere, with derivative 0. Differentiable
    in r, with derivative :func:`sphere_area`, and in a learnable K. For large n use
    :func:`log_ball_volume`.

    Args:
        manifold: the space.
        radius: a length, a number or a tensor (...).
        n: dimension of the space.

    Returns:
        (...) in the dtype of ``radius`` (float64 for a number).

    Raises:
        ValueError: n is no integer of at least 1, or a number is negative.
    """
    r, dtype = _lengths("ball_volume", manifold, radius, n)
    inside = ~(r <= 0)  # so that NaN stays NaN
    s = r.where(inside, _harmless(manifold, r))
    if n > _POWERS:
        volume = log_ball_volume(manifold, s, n).exp()
    else:
        length, share = _integral(manifold, s, n)
        volume = _times_power(area_of_unit_sphere(n), length, n) * share.exp()
        if manifold.sign > 0:
            # Of the whole in closed form: a power of the rounded length pi R/2 has n times its
            # rounding, and there the volume hardly depends on r.
            root = manifold.curvature.to(s).pow(-n / 4)
            upper = s > diameter(manifold).to(s) / 2
            whole = area_of_unit_sphere(n + 1) * root * root * (1 - _missing(manifold, s, n))
            volume = torch.where(upper, whole, volume)
    # At r = 0 the logarithm has no derivative, the volume has: that of 2 r for n = 1, else 0.
    at_zero = 2 * r.where(r == 0, 0.0) if n == 1 else 0 * r
    return torch.where(inside, volume, at_zero).to(dtype)


def _lengths(
    where: str, manifold: Manifold, radius: Tensor | float, n: int
) -> tuple[Tensor, torch.dtype]:
    """The radius in float64, and the dtype to return."""
    check_manifold(where, manifold)
    check_dimension(where, n)
    check_amount(where, "radius", radius)
    if isinstance(radius, Tensor):
        return radius.double(), radius.dtype
    if radius < 0:
        raise ValueError(f"{where}: radius is {radius}; expected a length, not negative.")
    return torch.tensor(float(radius), dtype=torch.float64), torch.float64


def check_dimension(where: str, n: object) -> None:
    """Reject a dimension that is no integer of at least 1."""
    check_integer(where, "n", n, 1, "the dimension of the space, an integer")


def _harmless(manifold: Manifold, r: Tensor) -> Tensor:
    """A radius with nothing special about it."""
    return torch.as_tensor(manifold.radius).detach().to(r)


def _has_sphere(manifold: Manifold, r: Tensor, n: int) -> Tensor:
    """Where there are points at distance r, and where r is NaN, which stays so."""
    return ~((r < 0) if n == 1 else (r <= 0)) & ~(r > diameter(manifold).to(r.device))


def log_area_of_unit_sphere(n: int) -> float:
    return math.log(2) + n / 2 * math.log(math.pi) - math.lgamma(n / 2)


@cache
def area_of_unit_sphere(n: int) -> float:
    """2 pi^(n/2)/Gamma(n/2) to its last digit: a power of a rounded pi has n/2 times its error."""
    k = n // 2
    if n % 2 == 0:
        return float(2 * _PI**k / math.factorial(k - 1))
    return float(2 * _PI**k * 4**k * math.factorial(k) / math.factorial(2 * k))


def log_sn_ratio(manifold: Manifold, t: Tensor) -> Tensor:
    """log(sn_K(t)/t) of lengths (...)."""
    return manifold._log_sn_ratio((t / manifold.radius).unsqueeze(-1)).squeeze(-1)


def _integral(manifold: Manifold, r: Tensor, n: int) -> tuple[Tensor, Tensor]:
    """(b, log(I/b^n)), I the integral of sn_K^(n-1) from 0 to r > 0 and b a length."""
    if manifold.sign <= 0:
        return r, _log_monotone(manifold, r, n)
    half = diameter(manifold).to(r.device) / 2
    lower = r <= half
    low = _log_monotone(manifold, r.where(lower, half), n)
    whole = _log_monotone(manifold, half + 0 * r, n) + math.log(2)
    high = whole + (-_missing(manifold, r, n)).log1p()
    return torch.where(lower, r, half), torch.where(lower, low, high)


def _missing(manifold: Manifold, r: Tensor, n: int) -> Tensor:
    """The share of the whole sphere that is beyond r, for r beyond the equator; else 0."""
    half = diameter(manifold).to(r.device) / 2
    rest = 2 * half - r
    upper = (r > half) & ~(rest <= 0)
    rest = rest.where(upper, half)
    quarter = _log_monotone(manifold, half + 0 * r, n)
    share = n * (rest / half).log() + (_log_monotone(manifold, rest, n) - quarter)
    return (share.exp() / 2).where(upper, 0.0)


def _log_monotone(manifold: Manifold, r: Tensor, n: int) -> Tensor:
    """The same with b = r, where sn rises."""
    if n == 1:
        return 0 * r
    law = uniform_law(n, lambda t: log_sn_ratio(manifold, t), r.unsqueeze(-1))
    return law.log_normaliser()


def _times_power(factor: float, base: Tensor, power: int) -> Tensor:
    """factor base^power, in two halves: the power may over- or underflow where this does not."""
    half = power // 2
    return factor * base.pow(half) * base.pow(power - half)
