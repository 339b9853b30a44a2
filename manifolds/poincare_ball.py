"""The Poincaré ball model of hyperbolic space."""

from typing import Any, final

import torch
from torch import Tensor

from .base import Manifold
from .kernels import ball_exp
from .kernels.custom_vjp import direction
from .kernels.geodesic import between, from_nearer_end
from .kernels.limits import brought_within, rim
from .kernels.special import (
    asinh_over,
    asinhc_at,
    curved,
    tanhc,
)
from .kernels.vectors import clip_norm, dot, expanded, norm, relative_to_ray
from .space_form import Context, Number, held, times, unit_pair


@final
class PoincareBall(Manifold):
    r"""Hyperbolic space of curvature K < 0 as a ball of radius R = 1/sqrt(-K) in R^n.

    At K = -1, with :math:`u_x = 1 - |x|^2`, :math:`s = y - x` and
    :math:`q = |s|^2/(u_x u_y) = \sinh^2(d/2)`:

    ============== =====================================================================
    point          :math:`|x| < R`, n coordinates; origin 0
    metric         :math:`\lambda_x^2\,u\cdot v`, :math:`\lambda_x = 2/u_x`
    distance       :math:`2\,\mathrm{asinh}\sqrt q`
    expmap         :math:`x\oplus w`, :math:`w = \tanh(|v|/u_x)\,v/|v|`
    logmap         :math:`\frac{\mathrm{asinh}\sqrt q}{\sqrt q\sqrt{1+q}}\,
                   \frac{u_x s - |s|^2 x}{u_y}`
    transport      :math:`\frac{u_y}{u_x}\,\mathrm{gyr}[y, -x]\,v`
    ============== =====================================================================

    The maps are those of Ganea, Bécigneul & Hofmann 2018, section 2 (after Ungar 2008), rewritten
    as sums of terms that vanish with s: the Möbius denominator is
    :math:`u_x u_w + |x+w|^2`, never :math:`1 + 2x\cdot w + |x|^2|w|^2`, and the distance is not
    taken through artanh. Measured against the textbook forms these keep three to ten more digits.

    A point cannot be nearer to the boundary than its dtype can tell from it: maps pull their
    results back to norm (1 - 3 eps) R, which is distance 15.5 R from the origin in float32, 35.6 R
    in float64. (The hyperboloid, :class:`Lorentz`, reaches 28 R and 236 R.)

    Args:
        curvature: K < 0.
        learnable: make K a parameter.
        bounds: ``(low, high)``, both negative, that a learnable K stays between.
    """

    sign = -1
    _family = "unit"
    _takes_curvature = True

    def __init__(
        self,
        curvature: float = -1.0,
        *,
        learnable: bool = False,
        bounds: tuple[float, float] | None = None,
    ) -> None:
        super().__init__(curvature, learnable=learnable, bounds=bounds)

    def _proj(self, x: Tensor, dtype: torch.dtype, k: Number = 1.0) -> Tensor:
        limit = rim(dtype)
        return brought_within(x, limit if isinstance(k, float) else limit * k.rsqrt())

    def _proj_tangent(self, x: Tensor, v: Tensor) -> Tensor:
        return expanded(v, x)

    def _defect(self, x: Tensor) -> Tensor:
        # Openness is not a matter of tolerance: in float64, or the sum of squares would have one.
        return torch.where(norm(x.double()) < 1, 0.0, torch.inf)

    def _orthonormal(self, x: Tensor, v: Tensor, k: Number = 1.0) -> Tensor:
        return 2 / _gap(x, k) * v

    def _half_chord(self, x: Tensor, y: Tensor, step: Tensor) -> Tensor:
        return _half_chord(x, y, step, 1.0)

    def _pair_features(self, x: Tensor, k: Number = 1.0) -> tuple[Tensor, Tensor, Tensor]:
        gap = _gap(x, k)
        return 2 * x / gap, 2 * dot(x, x) / gap, 1 / gap

    def _expmap(self, x: Tensor, v: Tensor, k: Number = 1.0) -> Tensor:
        return ball_exp.EXPMAP[x.dtype](x, v, _radius(k))

    def _expmap_at(self, x: Tensor, v: Tensor, call: Context) -> Tensor:
        return ball_exp.EXPMAP[call.dtype](x, v, call.radius)

    def _logmap(self, x: Tensor, y: Tensor, step: Tensor, k: Number = 1.0) -> Tensor:
        return _logmap(x, y, step, k)

    def _geodesic(self, x: Tensor, y: Tensor, step: Tensor, t: Tensor, **curved: Any) -> Tensor:
        return self._by_both_ends(x, y, step, t, **curved)

    def _behind(self, x: Tensor, y: Tensor, step: Tensor, t: Tensor, **curved_: Any) -> Tensor:
        k = curved_.get("k", 1.0)
        # By its direction and its length, each with a derivative of its own: in one by a logarithm
        # that leads far out 1 - |y|^2 of the part across is longer than all of that along.
        gap, half = _gap(x, k), asinh_over(norm(_half_chord(x, y, step, k)), k)
        far = half > 0.5
        way = direction((gap * step - curved(dot(step, step), k) * x).where(far, 1.0))
        way = torch.where(far, way, _logmap(x, y, step, k))
        return ball_exp.EXPMAP_AT[x.dtype](
            x, way, t * torch.where(far, gap * half, 1.0), _radius(k)
        )

    def _between(self, x: Tensor, y: Tensor, step: Tensor, t: Tensor, k: Number = 1.0) -> Tensor:
        x, y, step, p = from_nearer_end(x, y, step, t)
        gap_x, gap_y = _gap(x, k), _gap(y, k)
        h = curved(dot(step, step), k) / (gap_x * gap_y)
        return between(x, step, gap_x, gap_y, h, p)

    def _dist(self, x: Tensor, y: Tensor, radius: Number = 1.0) -> Tensor:
        length, k = held(radius)
        half = norm(_half_chord(*unit_pair(x, y, length), k))
        return times(self._arc(half, k=k), length, 1)

    def _sqdist(self, x: Tensor, y: Tensor, radius: Number = 1.0) -> Tensor:
        length, k = held(radius)
        chord = _half_chord(*unit_pair(x, y, length), k)
        square = dot(chord, chord)
        return times(self._arc_squared(square, k=k), length, 2)

    def _logmap_at(self, x: Tensor, y: Tensor, radius: float | Tensor) -> Tensor:
        length, k = held(radius)
        return times(_logmap(*unit_pair(x, y, length), k), length, 1)

    def _transport_at(self, x: Tensor, y: Tensor, v: Tensor, radius: float | Tensor) -> Tensor:
        length, k = held(radius)
        return _transport(*unit_pair(x, y, length), v, k)

    def _midpoint(self, x: Tensor, y: Tensor, step: Tensor, k: Number = 1.0) -> Tensor:
        # The Minkowski sum of the hyperboloid points, brought back by x_s/(1 + x_t): the mean of
        # x and y with weights a and b, less what the geodesic is bent by.
        h = curved(dot(step, step), k) / (_gap(x, k) * _gap(y, k))
        above = h / (1 + (1 + h).sqrt())  # cosh(d/2) - 1
        a, b = 1 / _gap(x, k), 1 / _gap(y, k)
        total = a + b + above
        # Of points near one another as the chord's middle and terms that vanish with the step,
        # which keep the digits of the derivative by k; of points far apart that difference is one
        # of 1e15 units for x = -y at 30 R in float64.
        lean = -curved(dot(step, x + y), k) * a * b  # a - b
        near = (x + y) / 2 - (lean * step + above * (x + y)) / (2 * total)
        return torch.where(above <= 1, near, (a * x + b * y) / total)

    def _transport(self, x: Tensor, y: Tensor, step: Tensor, v: Tensor, k: Number = 1.0) -> Tensor:
        return _transport(x, y, step, v, k)

    def _egrad2rgrad(self, x: Tensor, g: Tensor, k: Number = 1.0) -> Tensor:
        return (_gap(x, k) / 2).square() * g

    def _from_normal(self, v: Tensor, k: Number = 1.0) -> Tensor:
        v = _saturated(v / 2, 1.0)
        return tanhc(curved(dot(v, v), k)) * v

    def _to_normal(self, x: Tensor, k: Number = 1.0) -> Tensor:
        gap = _gap(x, k)
        return 2 * asinhc_at(curved(dot(x, x), k) / gap, k) / gap.sqrt() * x

    def _lift_tangent0(self, v: Tensor) -> Tensor:
        return v / 2

    def _drop_tangent0(self, v: Tensor) -> Tensor:
        return 2 * v

    def _warp(self, x: Tensor, k: Number = 1.0) -> Tensor:
        length = 2 * norm(x) / _gap(x, k)
        return length if isinstance(k, float) else k.sqrt() * length

    def _log_polar(
        self, x: Tensor, y: Tensor, step: Tensor, k: Number = 1.0
    ) -> tuple[Tensor, Tensor]:
        # As the step and what bends it. Times 1 - |x|^2 all of a short step far out would move
        # alike with k, and the angle's derivative be 1/|step| times less than that of either part.
        _, length, side, _, ahead = relative_to_ray(x, y, step)
        across = norm(side)
        bend = length * (ahead * ahead + across * across) / _gap(x, k)
        return across * (length > 0), (ahead - curved(bend, k)) * (length > 0)


def _radius(k: Number) -> Number:
    return k if isinstance(k, float) else k.rsqrt()


def _gap(x: Tensor, k: Number = 1.0) -> Tensor:
    """1 - k|x|^2, at least eps: for a representable point inside the ball it is 4 eps or more, and
    only the rounding of the sum of squares can bring it lower, or below 0."""
    return (1 - curved(dot(x, x), k)).clamp(min=torch.finfo(x.dtype).eps)


def _half_chord(x: Tensor, y: Tensor, step: Tensor, k: Number) -> Tensor:
    return step / (_gap(x, k) * _gap(y, k)).sqrt()


def _logmap(x: Tensor, y: Tensor, step: Tensor, k: Number) -> Tensor:
    gap_x, gap_y = _gap(x, k), _gap(y, k)
    square = curved(dot(step, step), k)
    q = square / (gap_x * gap_y)
    return asinhc_at(q, k) / (1 + q).sqrt() * (gap_x * step - square * x) / gap_y


def sinh_log_along(x: Tensor, y: Tensor, step: Tensor, n: Tensor, k: Number) -> Tensor:
    """The component of log_x y, made sinh(sqrt(k) d)/sqrt k long, along a unit vector.

    Of products with n, not of a vector times n: what they are rounded by is the same in the
    derivative by k.
    """
    bend = curved(dot(step, step), k) / _gap(x, k)
    return 2 * (dot(step, n) - bend * dot(x, n)) / _gap(y, k)


def _transport(x: Tensor, y: Tensor, step: Tensor, v: Tensor, k: Number) -> Tensor:
    gap_x, gap_y = _gap(x, k), _gap(y, k)
    square, sv, xv, xs = (
        curved(dot(a, b), k) for a, b in ((step, step), (step, v), (x, v), (x, step))
    )
    # gyr[y, -x] v = v + 2 (a s + b x)/D with every term carrying a factor s: Ungar's closed
    # form has A y - B x, two nearly equal vectors, in its place.
    a = 2 * xs * xv - gap_x * xv - curved(dot(x, x), k) * sv
    b = gap_x * sv - square * xv
    gyrated = v + 2 * (a * step + b * x) / (gap_x * gap_y + square)
    return gap_y / gap_x * gyrated


def _saturated(v: Tensor, divisor: Tensor | float) -> Tensor:
    """v/divisor, divisor <= 1, shortened to a length whose tanh is 1 in v's dtype if longer."""
    limit = 32.0 if v.dtype == torch.float32 else 64.0
    return clip_norm(clip_norm(v, limit) / divisor, limit)  # twice: the quotient may overflow
