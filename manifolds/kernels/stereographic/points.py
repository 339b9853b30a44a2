r"""Points and distances of the kappa-stereographic model, for a curvature k of any sign.

    sn(d/2)^2 = |s|^2/(g_x g_y),    cs(d/2)^2 = (1 + 2k x.y + k^2 |x|^2 |y|^2)/(g_x g_y)
    d = 2 asn(sn(d/2))

with sn t = sin(sqrt(k) t)/sqrt k, cs t = cos(sqrt(k) t), entire in k, and asn the inverse of sn.

============ ==================== ==================================================================
letter       name in the code     what it is
============ ==================== ==================================================================
k            k                    the curvature, (), of the dtype of the vectors
x, y         x, y                 points, (..., n)
s            step                 y - x, (..., n)
g_x          gap(k, x)            1 + k |x|^2, (..., 1); the metric is (2/g_x)^2 dx.dx
sn(d/2)      chord (a vector)     its norm is sn(d/2)
z            z                    k sn(d/2)^2, the sine squared of half of the angle for k > 0
R            k.abs().rsqrt()      the radius, where k is not 0
============ ==================== ==================================================================

For k > 0 points go to infinity, the antipode of the origin, and pairs of them to antipodes. What
would cancel there is a squared length that is known as a vector: 1 + 2k x.y + k^2|x|^2|y|^2 is
|x/|x| + k|x|y|^2. As a vector it has the rounding of x and y and no more.

Domain: |x| up to ``edge``; all k, also 0.
Bound: 8 units of u (1 + kappa) in value and 32 in gradient, kappa the condition number.
Proof: validation/symbolic/ball.py, "ball/dist"
Certificate: Stereographic.dist, Stereographic.sqdist, Stereographic.cdist, Stereographic.proj
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from ..arithmetic.limits import brought_within, rim
from ..arithmetic.vectors import dot, norm, normalize, sqrt0
from ..functions.generalized_trig import RIGHT_ANGLE, asinc_k
from . import conformal
from .conformal import gap, kdot

# Points are far apart where sin^2 of the half distance is above this, 120 degrees. The arcsine has
# the slope 2 there, so that its rounding is little more than its argument's. Taken from a right
# angle on, the form by antipodes would cancel in the derivative by k, of points next to the origin,
# where that is a twentieth of the distance.
_FAR = 0.75


def log_along_ray(
    k: Tensor, length: Tensor, across: Tensor, reach: Tensor, ahead: Tensor
) -> Tensor:
    """A multiple of log_x(y)'s component along the ray of x, that across it being the step's:

    ahead + k|x||s|^2/g_x = (ahead (1 + k|x| reach) + k|x| across^2)/g_x.

    Args:
        length: |x|.
        across: the length of what of the step is across the ray.
        reach: y's component along the ray.
        ahead: that less |x|.
    """
    # Points near one another take the left side: on the right one all terms move alike with k, and
    # their derivative by k is a difference. The two terms on the left may cancel for others.
    # Beyond the equator numerator and denominator are over k: in 1/k + |x|^2 it hardly counts.
    beyond = kdot(k, length, length) > 1
    one, k = torch.where(beyond, 1 / k.where(beyond, 1.0), 1.0), torch.where(beyond, 1.0, k)
    gap = (one + kdot(k, length, length)).clamp(min=torch.finfo(ahead.dtype).eps)
    bend, turn = length * kdot(k, across, across), one + kdot(k, length, reach)
    close = 4 * (ahead * ahead + across * across) < length * length
    left = conformal.log_along_ray(k, gap, length, ahead, across)
    return torch.where(close, left, (ahead * turn + bend) / gap)


def edge(k: Tensor, dtype: torch.dtype) -> Tensor:
    """sqrt|k| times the norm of the last points.

    For k < 0 it is the rim of the ball. For k > 0 the distance to infinity, 2 R/(sqrt(k) |x|), is
    then eps/8 R, less than the rounding of pi R, the distance to the origin.
    """
    return torch.where(k < 0, torch.full_like(k, rim(dtype)), 16 / torch.finfo(dtype).eps)


def longest_norm(working: torch.dtype, dtype: torch.dtype) -> float:
    """The largest norm of a point for k != 0: its square does not overflow, with a factor 2^22 of
    room for a sum, nor does it the dtype with a factor 4.

    Args:
        working: the dtype of the computation.
        dtype: that of the stored points.
    """
    return min(math.sqrt(torch.finfo(working).max) * 2.0**-11, torch.finfo(dtype).max / 4)


def norm_over_radius(k: Tensor, x: Tensor) -> Tensor:
    """|x|/R, 0 for k = 0."""
    return k.abs().sqrt() * norm(x)


def pulled_back(k: Tensor, x: Tensor, dtype: torch.dtype) -> Tensor:
    """x, or where it lies beyond the last points or beyond the dtype, one of them."""
    most, last = longest_norm(x.dtype, dtype), edge(k, dtype)
    fixed = (last * k.detach().abs().rsqrt()).clamp(max=most)
    # The limit's derivative by k is infinite at abs(k) = 1e-300, and 0 times it is NaN: it is taken
    # of points beyond the limit only.
    beyond = (k != 0) & (norm(x.detach()) > fixed)
    limit = (last * k.abs().where(beyond, 1.0).rsqrt()).clamp(max=most)
    return torch.where(k == 0, x, brought_within(x, limit.where(beyond, fixed)))


def chord(k: Tensor, x: Tensor, y: Tensor, step: Tensor) -> Tensor:
    """A vector of norm sn(d/2)."""
    across, gap_x, gap_y = _chord_and_gaps(k, x, y, step)
    return across / gap_x.sqrt() / gap_y.sqrt()


def haversine(k: Tensor, x: Tensor, y: Tensor, step: Tensor) -> Tensor:
    """sn(d/2)^2, (..., 1).

    Not the square of ``chord``, in which each root and each quotient counts twice: next to
    antipodes, where rounding the points does nothing to it, 9.8 units of u where this is 4.1.
    """
    across, gap_x, gap_y = _chord_and_gaps(k, x, y, step)
    return dot(across, across) / (gap_x * gap_y)


def _chord_and_gaps(k: Tensor, x: Tensor, y: Tensor, step: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """A vector and two numbers, by whose roots it is divided to be sn(d/2) long.

    Two points on the whole beyond the equator are inverted in it, x/(k|x|^2), an isometry: else the
    gradient at a point far out is what two long vectors leave of one another.
    """
    k_x2, k_y2 = kdot(k, x, x), kdot(k, y, y)
    beyond = (k > 0) & (k_x2 * k_y2 > 1)
    x2, y2 = k_x2.where(beyond, 1.0), k_y2.where(beyond, 1.0)
    # The images' difference: of points near one another it is the reflection of theirs, which has
    # no rounding of a subtraction.
    near = 4 * kdot(k, step, step) < torch.maximum(k_x2, k_y2)
    reflected = (x2 * step - kdot(k, step, x + y) * x) / (x2 * y2)
    mirrored = torch.where(near, reflected, y / y2 - x / x2)
    gap_x = torch.where(beyond, 1 + 1 / x2, gap(k, x))
    gap_y = torch.where(beyond, 1 + 1 / y2, gap(k, y))
    return torch.where(beyond, mirrored, step), gap_x, gap_y


def half_cosine_vector(k: Tensor, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(is x the longer, l/|l|, l/|l| + k|l|o), l the longer of x and y and o the other.

    The last has the length cs(d/2) sqrt(g_x g_y), as ``chord`` has sn(d/2): 0 at antipodes, and
    without a square that cancels.
    """
    swap = kdot(k, x, x) < kdot(k, y, y)
    direction, length = normalize(torch.where(swap, y, x))
    return ~swap, direction, direction + k * length * torch.where(swap, x, y)


class HalfDistance(NamedTuple):
    """Half of the distance d, and its direction. All but ``heading`` have shape (..., 1)."""

    z: Tensor
    """k sn^2(d/2); 0 where ``far``."""
    far: Tensor
    """Whether d is beyond 120 degrees."""
    length: Tensor
    """d/2 where ``far``."""
    cosine: Tensor
    """cs(d/2)."""
    heading: Tensor
    """A vector of the direction of log_x(y) where ``far``, (..., n); 0 at antipodes."""


def half_distance(k: Tensor, x: Tensor, y: Tensor, step: Tensor) -> HalfDistance:
    """Half of the way from x to y.

    Beyond 120 degrees it is pi R/2 less half of the way from the antipode of the longer of the two,
    -l/(k|l|^2): asin(1 - u) is off by sqrt(2 u), 3e-4 in float32, and of two long vectors the
    chord is what they leave of one another.
    """
    across = chord(k, x, y, step)
    far = kdot(k, across, across) > _FAR
    some, k_far = torch.ones_like(x), k.where(far, 1.0)
    swap = dot(x, x) < dot(y, y)
    longer, other = torch.where(swap, y, x).where(far, some), torch.where(swap, x, y)
    antipode = -longer / (k_far * dot(longer, longer))
    other = other.where(far, antipode)
    back = other - antipode
    rest = norm(chord(k_far, antipode, other, back))
    angle = rest * asinc_k((k_far * rest * rest).clamp(max=RIGHT_ANGLE))
    near = across.where(~far, 0.0)
    z = kdot(k, near, near)
    cosine = torch.where(far, k_far.sqrt() * rest, (1 - z).sqrt())
    # The line from x to y meets the antipode of x, there with its vectors mirrored in x; or, from x
    # in the other direction, the antipode of y.
    behind = separation(k_far, antipode, other, back)
    ray, _ = normalize(longer)
    mirrored = behind - 2 * dot(ray, behind) * ray
    ahead = separation(k_far, other, antipode, -back)
    heading = torch.where(swap, -ahead, mirrored)
    return HalfDistance(z, far, math.pi / 2 * k_far.rsqrt() - angle, cosine, heading)


def dist(k: Tensor, x: Tensor, y: Tensor, step: Tensor) -> Tensor:
    """The distance."""
    way = half_distance(k, x, y, step)
    return 2 * torch.where(way.far, way.length, norm(chord(k, x, y, step)) * asinc_k(way.z))


def sqdist(k: Tensor, x: Tensor, y: Tensor, step: Tensor) -> Tensor:
    """Its square, smooth at 0."""
    way, across = half_distance(k, x, y, step), chord(k, x, y, step)
    near = dot(across, across) * asinc_k(way.z).square()
    return 4 * torch.where(way.far, way.length.square(), near)


def half_distance_of_haversine(k: Tensor, haversine: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(z, far, length) of :class:`HalfDistance` from sn^2(d/2) alone; far from a right angle on.

    Near the antipode sn^2 is 1 - (gap/2)^2 in units of R: a gap below sqrt(eps) cannot be seen, and
    1 - sn^2 <= 4 eps, which is noise, is taken for an antipode.
    """
    z = k * haversine
    far = z > RIGHT_ANGLE
    rest = 1 - z.where(far, RIGHT_ANGLE)
    rest = rest.where(rest > 4 * torch.finfo(z.dtype).eps, rest * 0)
    angle = math.pi / 2 - sqrt0(rest).asin()
    return z.where(~far, 0.0), far, angle * k.where(far, 1.0).rsqrt()


def dist_from_half_sine(k: Tensor, half: Tensor) -> Tensor:
    """The distance from sn(d/2)."""
    z, far, length = half_distance_of_haversine(k, half.square())
    return 2 * torch.where(far, length, half * asinc_k(z))


def dist_from_haversine(k: Tensor, haversine: Tensor) -> Tensor:
    """The distance from sn(d/2)^2, gradient 0 at 0."""
    return dist_from_half_sine(k, sqrt0(haversine))


def sqdist_from_haversine(k: Tensor, haversine: Tensor) -> Tensor:
    """The squared distance from sn(d/2)^2."""
    z, far, length = half_distance_of_haversine(k, haversine)
    return 4 * torch.where(far, length.square(), haversine * asinc_k(z).square())


def separation(k: Tensor, x: Tensor, y: Tensor, step: Tensor) -> Tensor:
    """``conformal.toward``, also of a pair on the two sides of the equator."""
    # Where x is beyond the equator and y is not near it, both terms are long and their sum is not:
    # there it is written in y.
    gap_x = gap(k, x)
    apart = (gap_x > 2) & (4 * kdot(k, step, step) > gap_x)
    away = gap_x * y - (1 + 2 * kdot(k, x, y) - kdot(k, y, y)) * x
    return torch.where(apart, away, conformal.toward(k, x, step, gap_x))


def at_infinity(where: Tensor, direction: Tensor, x: Tensor) -> Tensor:
    """x, or where it is at infinity a vector in a direction, to be pulled back to the edge."""
    longest = torch.finfo(x.dtype).max / 8  # so that its norm and its double do not overflow
    return torch.where(where, longest * normalize(direction.where(where, 1.0))[0], x)
