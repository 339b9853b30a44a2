r"""A pair of points of the hyperboloid of curvature -1: the numbers that its maps are made of.

    h = sinh^2(d/2) = sinh^2((r_x - r_y)/2) + |X| |Y| sin^2(theta/2)      both far out
                    = (1 + T_x)/(1 + T_y) |Y - X (1 + T_y)/(1 + T_x)|^2/4   else

    grad_X cosh d = (T_y/T_x) X - Y,    grad_Y cosh d = -(T_x/T_y) grad_X cosh d

============== ==================== ================================================================
letter         name in the code     what it is
============== ==================== ================================================================
X, Y           x, y                 space parts (..., n), over R; the time parts are never read
T_x, T_y       tx, ty               time parts, sqrt(1 + |X|^2), (..., 1)
r_x, r_y       (not computed)       distances from the origin, |X| = sinh(r_x)
theta          (not computed)       the angle between X and Y
d, h           haversine            the distance, and sinh^2(d/2), (..., 1)
R, R^2         radius, area         the radius: None, for 1, or a tensor ()
s              step                 Y - X
============== ==================== ================================================================

Points come as they are stored, (..., n + 1) in units of length. Every map of a pair needs the same
few numbers, :class:`PairGeometry`, found with as few passes over the coordinates as keep all
digits.

Domain: |X|, |Y| up to ``limits.farthest``; coincident points are 0 apart, with gradient 0.
Bound: 8 units of u (1 + kappa) in value and 32 in gradient, kappa the condition number.
Proof: validation/symbolic/kernels.py, "kernels/law of haversines"
Proof: validation/symbolic/kernels.py, "kernels/pair, far", "kernels/pair, near"
Proof: validation/symbolic/radial.py, "radial/pair by the ball"
Not proven: the derivative by R; tests/manifolds/test_curvature_gradient.py holds it.
Certificate: Lorentz.dist, Lorentz.sqdist, Lorentz.logmap, Lorentz.transport
"""

from typing import NamedTuple

import torch
from torch import Tensor

from ..arithmetic.custom_vjp import subtract_scaled
from ..arithmetic.ranges import all_below, all_within, can_look, in_forward_mode
from ..arithmetic.vectors import dot, largest_entry, norm, relative_to_ray
from .radial_split import lateral_squares, of_like_distance, outward_ray, split_radially


def _short(x: Tensor) -> tuple[float, float]:
    """(the length below which a step's sum of squares loses digits to underflow, a power of two
    that brings it back into range)."""
    # A square below 2^-126 (2^-1022) is subnormal. The first number leaves room for coordinates
    # 2^-32 (2^-256) times as long as the longest, whose digits count in none that is promised.
    return (2.0**-31, 2.0**60) if x.dtype == torch.float32 else (2.0**-255, 2.0**500)


class PairGeometry(NamedTuple):
    """Y as seen from X. All but ``lateral`` have shape (..., 1)."""

    lateral: Tensor
    """What is across X of Y or of Y - X, whichever is shorter, times ``scale``, (..., n); all of it
    where one of the points is near the origin."""
    haversine: Tensor
    """sinh^2(d/2), times ``scale`` squared."""
    d_cosh: Tensor
    """grad_X cosh d is d_cosh X - lateral."""
    log_x: Tensor
    """Y - cosh(d) X is log_x X + lateral."""
    log_time: Tensor
    """The time part of Y - cosh(d) X."""
    y_on_x: Tensor
    """Y is y_on_x X + lateral."""
    tx: Tensor
    """X's time part."""
    ty: Tensor
    """Y's time part."""
    scale: Tensor
    """1, or a power of two where the points are so near one another that squares underflow; of
    shape () if no points are so near."""


def pair_geometry(
    x: Tensor, y: Tensor, radius: Tensor | None, difference: Tensor | None = None
) -> PairGeometry:
    """Two space parts (..., n) in units of length: each pair by the form that is good for it.

    Where values can be looked at, the one for all pairs is computed of those alone that need it.

    Args:
        x, y: the space parts.
        radius: R, or None for 1.
        difference: y - x, where that is known to more digits than x and y have.
    """
    if difference is not None:
        return _by_any(x, y, radius, difference)
    near, ordinary = _by_ball(x, y, radius)
    if ordinary is None:
        return near
    looks = can_look(ordinary) and not torch.is_grad_enabled()
    if not looks or (radius is not None and radius.dim()):
        rest = _by_any(x, y, radius)
        return PairGeometry(*(torch.where(ordinary, a, b) for a, b in zip(near, rest, strict=True)))
    if ordinary.dim() == 1:  # of one pair
        return _by_any(x, y, radius)
    rows = (~ordinary).squeeze(-1).nonzero(as_tuple=True)
    some_x, some_y = (z.expand(near.lateral.shape)[rows] for z in (x, y))
    rest = _by_any(some_x, some_y, radius)
    for name, part in zip(PairGeometry._fields, rest, strict=True):
        if name not in ("tx", "ty"):  # both forms have the same, of the shape of one point
            getattr(near, name)[rows] = part
    return near


def _by_ball(x: Tensor, y: Tensor, radius: Tensor | None) -> tuple[PairGeometry, Tensor | None]:
    """By the points of the ball X/(1 + T), and where that is good, (..., 1); None for everywhere.

    With L = Y - X (1 + T_y)/(1 + T_x), which is 1 + T_y times the difference of those,

        h = (1 + T_x)/(1 + T_y) |L|^2/4,
        grad_X cosh d = (X.L/(1 + T_x) + |L|^2/(1 + T_y)/2)/T_x X - L,
        Y - cosh(d) X = (X.L/(1 + T_x) - T_x |L|^2/(1 + T_y)/2) X + L.
    """
    x2, y2 = dot(x, x), dot(y, y)
    if radius is not None:
        area = radius * radius
        x2, y2 = x2 / area, y2 / area
    tx, ty = (1 + x2).sqrt(), (1 + y2).sqrt()
    above_x, above_y = 1 + tx, 1 + ty
    y_on_x = above_y / above_x
    lateral = subtract_scaled(y, x, y_on_x)
    square, inner = dot(lateral, lateral), dot(x, lateral)
    if radius is not None:
        square, inner = square / area, inner / area
    h = square / y_on_x / 4
    inner_part, square_part = inner / above_x, square / above_y / 2
    log_x = inner_part - tx * square_part
    log_time = inner / tx + log_x * (x2 / tx)  # T_x^3 T_y may overflow
    d_cosh = (inner_part + square_part) / tx
    # Up to |X|^2 = 25, r = 2.31, this is good for all points that are at least 1/2 apart: the
    # ball's coordinates X/(1 + T) are rounded by T times as much as a step along the ray, and by
    # 1/d times as much as the distance, which of points nearer to one another keeps its digits.
    # Farther out it is good where h > T_x T_y/64, at angles above 15 degrees: L = 2 sqrt(h T_y/T_x)
    # is rounded by 1.5 u T_y, and so h by 1.5 u sqrt(T_x T_y/h) of itself, 12 u at the most, which
    # is an absolute 12 u of a distance above 1.2. Squares of what is above 2^60 may overflow.
    # (Numbers of the function and not of the file: under dynamic=True the compiler makes inputs of
    # the latter, and where this is inlined twice torch 2.13 loses the second.)
    near_enough, least, wide, most = 25.0, 1 / 16, 64.0, 2.0**60
    # Smaller looks first: of points next to the origin the mask itself would be half the work.
    near = all_below(x2, near_enough) and all_below(y2, near_enough)
    ordinary = None
    if not (near and all_within(h, least, most)):
        good = (torch.maximum(x2, y2) < near_enough) | (tx * ty < wide * h)
        ordinary = good & (h > least) & (h < most)
        if can_look(ordinary) and bool(ordinary.all()):
            ordinary = None
    scale = h.new_ones(()) if ordinary is None else torch.ones_like(h)
    pair = PairGeometry(lateral, h, d_cosh, log_x, log_time, y_on_x, tx, ty, scale)
    return pair, ordinary


def _by_any(
    x: Tensor, y: Tensor, radius: Tensor | None, difference: Tensor | None = None
) -> PairGeometry:
    r"""Two space parts (..., n) in units of length, seen from the first; two forms.

    * |X|, |Y| > 1/2: the hyperbolic haversine, a radial and an angular part, where
      sinh^2((r_x - r_y)/2) = (|Y| - |X|)^2/(2 (1 + T_x T_y + |X||Y|)) and
      |X||Y| sin^2(theta/2) = |X| (|Y| - y_radial)/2, ``y_radial`` the component of Y along X.
    * else: the ball's formula, the points brought there by X/(1 + T), which is smooth at the
      origin, where the directions of the first form do not exist.

    Args:
        x, y: the space parts.
        radius: R, or None for 1.
        difference: y - x, where that is known to more digits than x and y have.
    """
    # Both forms are computed and added as far * a + near * b with far, near 0 or 1: a torch.where
    # costs three times a product of (4096, 1) numbers. So both must be finite, as 0 * inf is NaN.
    dtype = x.dtype

    area = 1.0 if radius is None else radius * radius
    square_x = dot(x, x)
    x2, y2 = square_x / area, dot(y, y) / area
    tx, ty = (1 + x2).sqrt(), (1 + y2).sqrt()
    # Points are far out where |X|^2 is above this. The form of the others, of a point further out
    # than one near the origin on its ray, loses a factor that is 9 at |X| = 1 and 4 here.
    far_square = 0.25
    far = (torch.minimum(x2, y2) > far_square).to(dtype)
    ratio = (1 + ty) / (1 + tx)
    # Points of about the same distance from the origin are taken by their difference, which is then
    # exact to the points' own rounding. Others are not: the difference of a long vector and a short
    # one has the rounding of the long one.
    alike = of_like_distance(ratio)
    unlike = 1 - alike
    if difference is None:
        step = subtract_scaled(y, x, alike)
    else:
        step = torch.addcmul(y * unlike, difference, alike)
    short, large = _short(x)
    longest = largest_entry(step)
    # In forward mode no: the step's direction of change need not be short, and would overflow.
    scale = 1 + (0 if in_forward_mode() else large) * alike * (longest < short).to(dtype)
    # From here on what is of the first order in the step is times ``scale``, until divided by it.
    step = step * scale

    # Far out: what of the step is along X and what is across.
    ray = outward_ray(x, square_x, far, area)
    split = split_radially(step, ray)
    lateral, inner = split.lateral, split.inner_x
    residual, residual_x = split.residual, split.residual_coefficient
    square, lateral_square = lateral_squares(split, ray)
    size_x, size_y = x2.clamp(min=far_square).sqrt(), y2.clamp(min=far_square).sqrt()
    radial = (inner + residual) / size_x
    y_radial = radial / scale + alike * size_x
    # |Y| - y_radial and |Y| - |X|, times ``scale``. Where Y is on X's side of the origin the first
    # is lateral^2/(|Y| + y_radial), and the second follows from it: as differences both would be
    # rounding, T times the size of the rest.
    missing = torch.where(
        y_radial > 0,
        lateral_square / scale / (size_y + y_radial.abs()),
        (size_y - y_radial) * scale,
    )
    longer = alike * (missing + radial) + unlike * (size_y - size_x)
    sizes = size_x * size_y
    h_far = longer.square() / (2 * (1 + tx * ty + sizes)) + size_x * (missing * scale) / 2
    # |X| T_x d_cosh, of T_x T_y - |X||Y| = 1/(T_x T_y + |X||Y|) and the like.
    gradient = tx * missing - longer * (size_x + size_y) / (size_x * ty + size_y * tx)
    d_cosh_far = gradient / scale / (size_x * tx)
    inner, residual_x = inner / scale, residual_x / scale
    log_x_far = -tx * tx * d_cosh_far - residual_x

    # Near the origin.
    scales = scale * scale
    time_gap = (2 * inner + square / scales) / (tx + ty)  # T_y - T_x
    # From the one nearer the origin: from the other, twice as far out, the terms are five times h.
    # Not by torch.minimum, whose derivative is neither's where both are as far out.
    inwards = (ratio < 1).to(dtype)
    outwards = 1 - inwards
    ratio_up = outwards * ratio + inwards / ratio  # at least 1
    nearer_square = outwards * x2 + inwards * y2
    share = time_gap * (outwards - inwards) / (1 + outwards * tx + inwards * ty)
    inner_nearer = inner - inwards * (2 * inner + square / scales)  # the step with the nearer one
    h_alike = (square + scales * share * (share * nearer_square - 2 * inner_nearer)) / ratio_up
    h_unlike = ((outwards * y2 + inwards * x2) / ratio_up + ratio_up * nearer_square) - 2 * inner
    h_near = (alike * h_alike + unlike * h_unlike) / 4
    d_cosh_near = (alike * time_gap + unlike * ty) / tx

    near = 1 - far
    h = far * h_far + near * h_near
    d_cosh = far * (d_cosh_far + residual_x) + near * d_cosh_near
    log_x = far * log_x_far - near * (unlike + 2 * h / scales)
    # The time part of v is X.V/T_x; far out without what rounding left of X in ``lateral``, which
    # is not part of the vector but of its representation.
    log_time = far * (log_x_far + residual_x) * (x2 / tx) + near * (log_x * (x2 / tx) + inner / tx)
    y_on_x = alike + far * (y_radial / size_x - alike - residual_x)
    return PairGeometry(lateral, h, d_cosh, log_x, log_time, y_on_x, tx, ty, scale)


def half_distance(pair: PairGeometry) -> tuple[Tensor, Tensor, Tensor]:
    """(1 where the points differ, else 0; ``scale`` sinh(d/2), 1 where they do not; cosh(d/2))."""
    h = pair.haversine
    if not pair.scale.dim():  # none coincide
        return pair.scale, h.sqrt(), (1 + h).sqrt()
    apart = (h > 0).to(h.dtype)
    return apart, (h + (1 - apart)).sqrt(), (1 + h / (pair.scale * pair.scale)).sqrt()


def twice_asinh(sinh: Tensor, cosh: Tensor) -> Tensor:
    """2 asinh(sinh): by log1p, a tenth of the time of torch's asinh on a CPU."""
    return 2 * (sinh + sinh * sinh / (1 + cosh)).log1p()


# -- the derivative by the radius, R d/dR at fixed space parts ------------------------------------


class TimeGap(NamedTuple):
    """How two points are apart in height. Shapes (..., 1), at unit curvature."""

    gap: Tensor
    """T_y - T_x."""
    tx: Tensor
    """X's time part."""
    ty: Tensor
    """Y's time part."""


def time_gap(x: Tensor, y: Tensor, area: Tensor) -> TimeGap:
    """T_y - T_x = (Y - X).(X + Y)/(T_x + T_y) of two space parts (..., n) in units of length."""
    x2, y2 = dot(x, x) / area, dot(y, y) / area
    tx, ty = (1 + x2).sqrt(), (1 + y2).sqrt()
    # The step is divided before the product is taken: T^2 may overflow where the gap does not.
    return TimeGap(dot((y - x) / (tx + ty), x + y) / area, tx, ty)


def haversine_by_log_radius(h: Tensor, x: Tensor, y: Tensor, radius: Tensor) -> Tensor:
    """R d/dR of h = sinh^2(d/2) at fixed space parts: (T_y - T_x)^2/(2 T_x T_y) - 2 h.

    Far out on one ray the two terms cancel by a factor T^2. There, of the radial and the angular
    part of h, see :func:`pair_geometry`, it is -2 h_r (1 + h_r)/(T_x T_y) - 2 h_a.
    """
    heights = time_gap(x, y, radius * radius)
    near = (heights.gap / heights.tx) * (heights.gap / heights.ty) / 2 - 2 * h
    far = torch.minimum(heights.tx, heights.ty) > 2**0.5  # |X|, |Y| > 1
    some = torch.ones_like(x)
    step = ((y - x) / radius).where(far, 0.0)
    x, y = (x / radius).where(far, some), (y / radius).where(far, some)
    _, size_x, lateral, y_radial, radial = relative_to_ray(x, y, step)
    size_y = norm(y)
    # |Y| - y_radial, as in ``pair_geometry``.
    opposite = y_radial < 0
    total = (size_y + y_radial).where(~opposite, 1.0)
    missing = torch.where(opposite, size_y - y_radial, dot(lateral, lateral) / total)
    h_radial = (missing + radial).square() / (1 + heights.tx * heights.ty + size_x * size_y) / 2
    fall = 2 * (h_radial / heights.tx) * ((1 + h_radial) / heights.ty) + size_x * missing
    return torch.where(far, -fall, near)


def with_time_by_log_radius(
    space: Tensor, x: Tensor, time: Tensor, tx: Tensor, radius: Tensor
) -> Tensor:
    """R d/dR of a vector at x, from that of its space part: of the time part x.v/(R T) it is
    x.(R dv/dR)/(R T) - v_t/T^2."""
    return torch.cat([dot(x, space) / (radius * tx) - time / (tx * tx), space], dim=-1)
