r"""The functions of geometry through curvature 0: of z = K s, s a squared length, of either sign.

    sinc_k(z) = sin(sqrt z)/sqrt z for z > 0, 1 at 0, sinh(sqrt(-z))/sqrt(-z) for z < 0

============ ==================== ==================================================================
letter       name in the code     what it is
============ ==================== ==================================================================
z            z                    K t^2, t a length, (..., 1) or any shape
K            k                    the curvature, ()
v            v                    a vector of length t, (..., n)
S, C         half_turn(z)         a multiple of (sin(sqrt z)/sqrt z, cos(sqrt z)), both finite
============ ==================== ==================================================================

Each is one entire function of z, or an analytic one, real on the whole line. Written as such, its
derivative by K at K = 0 is s times that by z, and there is no limit to take. Each function here is
put together from the two of ``special``, both of which use the same Taylor polynomial about 0, so
that the seam at z = 0 cannot be seen in any derivative.

Domain: float32 or float64, as each function says.
Bound: 8 units of u (1 + kappa) in value and 32 in gradient, kappa the condition number.
Proof: validation/symbolic/series.py, "functions/series"
Proof: validation/symbolic/functions.py, "functions/sn and cs"
Certificate: Stereographic.from_normal, Stereographic.to_normal, Stereographic.logdetexp
"""

from collections.abc import Callable

import torch
from torch import Tensor

from ..arithmetic.ranges import sign_seen
from ..arithmetic.vectors import Number, dot, norm
from .special import (
    asinhc,
    asinhc_halved,
    cot_times,
    coth_times,
    log_sinc,
    log_sinc_near,
    log_sinhc,
    sinc,
    sinhc,
    tanc,
    tanhc,
)

Function = Callable[[Tensor], Tensor]

# sin^2 of half of a right angle on the sphere. Beyond it the slope of asin, 1/cos, exceeds 2^0.5
# and grows without bound: the length is then taken from the cosine.
RIGHT_ANGLE = 0.5


def _by_sign(z: Tensor, spherical: Function, hyperbolic: Function) -> Tensor:
    """The one of z where z > 0, else the other of -z, each fed 0 where it is not used; one alone
    where z is seen to need no other."""
    if sign := sign_seen(z):
        return spherical(z) if sign > 0 else hyperbolic(-z)
    above = z > 0
    return torch.where(above, spherical(z.where(above, 0.0)), hyperbolic(-z.where(~above, 0.0)))


def sinc_k(z: Tensor) -> Tensor:
    """sin(sqrt z)/sqrt z; 1 at 0."""
    return _by_sign(z, sinc, sinhc)


def tanc_k(z: Tensor) -> Tensor:
    """tan(sqrt z)/sqrt z; 1 at 0."""
    return _by_sign(z, tanc, tanhc)


def asinc_k(z: Tensor) -> Tensor:
    """asin(sqrt z)/sqrt z for z <= 3/4; 1 at 0."""
    # By halving from z = -1 on: the derivative by z, on which that of a distance by K depends, has
    # all its digits then, of which the closed form loses 3/z.
    near = z >= -1
    halved = asinhc_halved(-z.where(near, 0.0))
    return torch.where(near, halved, asinhc(-z.where(~near, -1.0)))


def asinc(k: Number, z: Tensor) -> Tensor:
    """``asinc_k`` of z = k q^2 for a k that may be a tensor; for a number k < 0, by which there is
    no derivative, in fewer steps."""
    return asinhc(-z) if isinstance(k, float) else asinc_k(z)


def ctn_times(z: Tensor) -> Tensor:
    """sqrt(z) cot(sqrt z); 1 at 0."""
    return _by_sign(z, cot_times, coth_times)


def half_turn(z: Tensor) -> tuple[Tensor, Tensor]:
    """(S, C), a multiple of (sin(sqrt z)/sqrt z, cos(sqrt z))."""
    # C is 1 on the hyperbolic side and up to z = 1/2, where neither tanh nor tan overflows; beyond
    # it goes through 0 and only the pair itself is finite.
    near = z <= RIGHT_ANGLE
    inner, outer = z.where(near, 0.0), z.where(~near, 1.0)
    return torch.where(near, tanc_k(inner), sinc(outer)), torch.where(near, 1.0, outer.sqrt().cos())


def log_sinc_k(v: Tensor, k: Tensor) -> Tensor:
    """log|sin(sqrt z)/sqrt z| at z = k |v|^2; 0 at 0, about sqrt(-z) far out on the left."""
    far = k.detach().abs().sqrt() * norm(v.detach()) > 1
    # Near, of the square, smooth in k and v at 0. Far, of sqrt|k| v, whose square may overflow.
    short = v.where(~far, 0.0)
    long = k.abs().where(far, 1.0).sqrt() * v.where(far, 0.0)
    spherical, hyperbolic = log_sinc(long.where(k > 0, 0.0)), log_sinhc(long.where(k <= 0, 0.0))
    return log_sinc_near(dot(k * short, short)) + spherical + hyperbolic
