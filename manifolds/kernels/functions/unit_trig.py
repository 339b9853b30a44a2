r"""The sine of the unit space forms and what follows from it, K = -1, 0 or 1 by its sign.

    sn(t) = sinh t, t, sin t        a circle of radius t is 2 pi sn(t) long
    d     = 2 asn(sn(d/2))          the distance, from what maps find without cancellation

============== ==================== ================================================================
letter         name in the code     what it is
============== ==================== ================================================================
K              sign                 the curvature: -1, 0 or 1, a number of Python's
sn(d/2)        half                 sine of half the distance d, (..., 1), not negative
sn^2(d/2)      haversine            its square
k              k                    1, with the derivative of the curvature -k; K < 0 only
============== ==================== ================================================================

Domain: half >= 0; on the sphere what rounding leaves above 1 counts as 1.
Bound: 2 units of u (1 + kappa) in value.
Proof: validation/symbolic/functions.py, "functions/sn and cs"
Certificate: Lorentz.dist, Sphere.dist, Euclidean.dist, Lorentz.logdetexp, Sphere.logdetexp
"""

import math

import torch
from torch import Tensor

from .curved_asinh import asinh_over, asinh_squared_over
from .special import asin_squared, cot_times, coth_times, log_sinc, log_sinhc


def arc(sign: int, half: Tensor, k: float | Tensor = 1.0) -> Tensor:
    """The distance d from sn(d/2) >= 0; k is 1 with the derivative of the curvature."""
    if sign < 0:
        return 2 * asinh_over(half, k)
    return 2 * half.clamp(max=1.0).asin() if sign else 2 * half


def arc_squared(sign: int, haversine: Tensor, k: float | Tensor = 1.0) -> Tensor:
    """The squared distance d^2 from sn(d/2)^2, smooth at 0; k as for :func:`arc`."""
    if sign < 0:
        return 4 * asinh_squared_over(haversine, k)
    if sign == 0:
        return 4 * haversine
    # Beyond a right angle by the other side: asin at 1 - h has lost sqrt(h) of the digits.
    near = haversine <= 0.5
    far = 2 * (math.pi / 2 - (1 - haversine).clamp(0, 0.5).sqrt().asin())
    return torch.where(near, 4 * asin_squared(haversine), far.square())


def log_sn_ratio(sign: int, v: Tensor) -> Tensor:
    """log|sn(t)/t| at t = |v|, (..., n) -> (..., 1); 0 at 0."""
    if sign == 0:
        return v[..., :1] * 0
    return log_sinhc(v) if sign < 0 else log_sinc(v)


def hessian_across(sign: int, s: Tensor) -> Tensor:
    """t cs(t)/sn(t) at t = sqrt(s): the eigenvalue of Hess d^2/2 across the geodesic; 1 at 0."""
    if sign == 0:
        return torch.ones_like(s)
    return coth_times(s) if sign < 0 else cot_times(s)
