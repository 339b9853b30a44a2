"""The Lorentz (hyperboloid) model of hyperbolic space."""

import math
from typing import final

import torch
from torch import Tensor

from ._numerics import (
    asinh_squared,
    asinhc,
    coshm1c,
    coth_times,
    dot,
    log_sinhc,
    norm,
    sinh_ratio,
    sinhc,
    unit,
)
from .base import Manifold


@final
class Lorentz(Manifold):
    r"""Hyperbolic space of curvature K < 0 as the upper sheet of a hyperboloid in R^(n+1).

    At K = -1, X, Y the space parts, :math:`T = \sqrt{1+|X|^2}`, :math:`h = \sinh^2(d/2)`:

    ============== =====================================================================
    point          :math:`-x_t^2 + |x_s|^2 = 1/K`, time first; origin (R, 0, ..., 0)
    metric         :math:`\langle u, v\rangle = -u_t v_t + u_s\cdot v_s` on
                   :math:`\langle x, v\rangle = 0`
    distance       :math:`2\,\mathrm{asinh}\sqrt h`
    expmap         :math:`\cosh|v|\,x + \sinh|v|\,v/|v|`
    logmap         :math:`\frac{d}{\sinh d}\,(y - \cosh d\,x)`
    transport      :math:`v + \frac{\langle y, v\rangle}{1 + \cosh d}\,(x + y)`
    ============== =====================================================================

    Sources: Nickel & Kiela 2018, section 3 (maps); Ratcliffe, "Foundations of Hyperbolic
    Manifolds", chapter 3 (model).

    The space part is the truth: the time part is redundant, is recomputed from it inside every
    map and its stored value is never read. So no point drifts off the hyperboloid, and rounding
    of the time part, which far out is as large as the unit of length, costs nothing. The time
    part of a tangent vector is treated the same way.

    The distance is the hyperbolic haversine in one of two forms, see ``_haversine``. A point may
    be as far from the origin as 28 R in float32 and 236 R in float64, where |x_s| is 2^40 R and
    2^340 R; maps pull longer results back to that radius.

    Args:
        curvature: K < 0.
        learnable: make K a parameter.
        bounds: ``(low, high)``, both negative, that a learnable K stays between.
    """

    sign = -1
    _extra_coordinates = 1

    def __init__(
        self,
        curvature: float = -1.0,
        *,
        learnable: bool = False,
        bounds: tuple[float, float] | None = None,
    ) -> None:
        super().__init__(curvature, learnable=learnable, bounds=bounds)

    # -- storage --------------------------------------------------------------------------------

    def space(self, x: Tensor) -> Tensor:
        """Space part x_s of a point: (..., n + 1) -> (..., n). What MERU stores."""
        return x[..., 1:]

    def time(self, x: Tensor) -> Tensor:
        """Time part sqrt(-1/K + |x_s|^2), recomputed from the space part: (..., n + 1) -> (...)."""
        return self.from_space(x[..., 1:])[..., 0]

    def from_space(self, s: Tensor) -> Tensor:
        """The point with space part s: (..., n) -> (..., n + 1)."""
        return self.proj(torch.cat([torch.zeros_like(s[..., :1]), s], dim=-1))

    def _origin(self, n: int) -> list[float]:
        return [1.0] + [0.0] * n

    def _proj(self, x: Tensor, dtype: torch.dtype) -> Tensor:
        # Three factors of this size, as in the rounding error of a transport, must not overflow
        # the dtype of the computation, nor one that of storage.
        computed = 2.0**40 if x.dtype == torch.float32 else 2.0**340
        limit = min(computed, torch.finfo(dtype).max / 2)
        s = x[..., 1:]
        length = norm(s)
        beyond = length > limit
        s = torch.where(beyond, s * (limit / length.where(beyond, 1.0)), s)
        return torch.cat([_time(s), s], dim=-1)

    def _proj_tangent(self, x: Tensor, v: Tensor) -> Tensor:
        return _tangent(x[..., 1:], v[..., 1:])

    def _defect(self, x: Tensor) -> Tensor:
        time = _time(x[..., 1:])
        return (x[..., :1] - time).abs() / time

    # -- tangent vectors ------------------------------------------------------------------------

    def _frame(self, x: Tensor, v: Tensor) -> Tensor:
        across, along = _across_along(x[..., 1:], v[..., 1:])
        return torch.cat([along, across], dim=-1)

    def _egrad2rgrad(self, x: Tensor, g: Tensor) -> Tensor:
        s = x[..., 1:]
        # Of the ambient gradient; that of a function of the space part alone has g_t = 0.
        return _tangent(s, g[..., 1:] + (dot(s, g[..., 1:]) + _time(s) * g[..., :1]) * s)

    # -- distance -------------------------------------------------------------------------------

    def _chord(self, x: Tensor, y: Tensor, step: Tensor) -> Tensor:
        radial, scale, cross = _haversine(x[..., 1:], y[..., 1:], step[..., 1:])
        return torch.cat([radial, scale * cross], dim=-1)

    def _pairwise_haversine(self, x: Tensor, y: Tensor) -> Tensor:
        x, y = x[..., 1:], y[..., 1:]
        product = _time(x) * _time(y).mT
        haversine = (product - x @ y.mT - 1) / 2
        # What the cancellation leaves of equal points is noise of this size: call it zero.
        noise = 2 * torch.finfo(x.dtype).eps * product
        return haversine.where(haversine > noise, haversine * 0)

    def _arc(self, half: Tensor) -> Tensor:
        return 2 * half.asinh()

    def _arc_squared(self, haversine: Tensor) -> Tensor:
        return 4 * asinh_squared(haversine)

    # -- geodesics ------------------------------------------------------------------------------

    def _expmap(self, x: Tensor, v: Tensor) -> Tensor:
        x, v = x[..., 1:], v[..., 1:]
        across, along = _across_along(x, v)
        length = norm(torch.cat([along, across], dim=-1))
        # cosh and sinh of the longest trip within the domain must not overflow.
        limit = 88.0 if x.dtype == torch.float32 else 709.0
        beyond = length > limit
        shorten = torch.where(beyond, limit / length.where(beyond, 1.0), 1.0)
        across, along, v = across * shorten, along * shorten, v * shorten
        s = dot(along, along) + dot(across, across)
        # Near the base point, or with the base point near the origin: x + (cosh - 1) x + ... gives
        # x back to the last bit for v = 0 and has every derivative there.
        polar = (dot(x, x) > 1) & (s > 1)
        s_plain = s.where(~polar, 0.0)
        plain = x + s_plain * coshm1c(s_plain) * x + sinhc(s_plain) * v
        # Far out cosh|v| x and sinh|v| v/|v| are huge and may cancel. In polar form, with mu the
        # cosine of the angle between v and the outward ray, the outward component is
        # (1 + mu)/2 sinh(r + |v|) + (1 - mu)/2 sinh(r - |v|).
        t = s.where(polar, 1.0).sqrt()
        direction, size = unit(x.where(polar, torch.ones_like(x)))
        mu = along / t
        less = dot(across, across) / (t * t * (1 + mu.abs()))  # 1 - |mu|
        plus = torch.where(mu >= 0, 2 - less, less)
        minus = torch.where(mu >= 0, less, 2 - less)
        r = size.asinh()
        outward = (plus * (r + t).clamp(max=limit).sinh() + minus * (r - t).sinh()) / 2
        far = direction * outward + sinhc(t * t) * across
        return _lift(torch.where(polar, far, plain))

    def _logmap(self, x: Tensor, y: Tensor, step: Tensor) -> Tensor:
        x, y, step = x[..., 1:], y[..., 1:], step[..., 1:]
        radial, scale, cross = _haversine(x, y, step)
        h = radial.square() + dot(scale * cross, scale * cross)
        factor = asinhc(h) / (1 + h).sqrt()
        # y - cosh(d) x = (y - x) - 2h x: no digit of a small step is lost to x.
        return _tangent(x, factor * step - 2 * (factor * h) * x)

    def _midpoint(self, x: Tensor, y: Tensor, step: Tensor) -> Tensor:
        x, y, step = x[..., 1:], y[..., 1:], step[..., 1:]
        radial, scale, cross = _haversine(x, y, step)
        h = radial.square() + dot(scale * cross, scale * cross)
        return _lift((x + y) / (2 * (1 + h).sqrt()))

    def _geodesic(self, x: Tensor, y: Tensor, step: Tensor, t: Tensor) -> Tensor:
        # Symmetric in the ends, exact at both.
        s = self._sqdist(x, y, step)
        return _lift(sinh_ratio(1 - t, s) * x[..., 1:] + sinh_ratio(t, s) * y[..., 1:])

    def _transport(self, x: Tensor, y: Tensor, step: Tensor, v: Tensor) -> Tensor:
        x, y, step, v = x[..., 1:], y[..., 1:], step[..., 1:], v[..., 1:]
        tx, ty = _time(x), _time(y)
        radial, scale, cross = _haversine(x, y, step)
        h = radial.square() + dot(scale * cross, scale * cross)
        # <y, v> = <y - x, v>, as <x, v> = 0; and 1 + cosh d = 2 (1 + h).
        product = dot(step, v) - dot(x / tx, v) * (dot(step, x + y) / (tx + ty))
        return _tangent(y, v + product / (2 * (1 + h)) * (x + y))

    # -- origin and cones -----------------------------------------------------------------------

    def _from_normal(self, v: Tensor) -> Tensor:
        limit = 88.0 if v.dtype == torch.float32 else 709.0
        length = norm(v)
        beyond = length > limit
        v = v * torch.where(beyond, limit / length.where(beyond, 1.0), 1.0)
        return _lift(sinhc(dot(v, v)) * v)

    def _to_normal(self, x: Tensor) -> Tensor:
        s = x[..., 1:]
        return asinhc(dot(s, s)) * s

    def _lift_tangent0(self, v: Tensor) -> Tensor:
        return torch.cat([torch.zeros_like(v[..., :1]), v], dim=-1)

    def _drop_tangent0(self, v: Tensor) -> Tensor:
        return v[..., 1:]

    def _sn_radius(self, x: Tensor) -> Tensor:
        return norm(x[..., 1:])

    def _outward(self, x: Tensor, y: Tensor, step: Tensor) -> tuple[Tensor, Tensor]:
        x, y, step = x[..., 1:], y[..., 1:], step[..., 1:]
        tx, ty = _time(x), _time(y)
        direction, size = unit(x)
        ahead = dot(direction, step)
        side = step - ahead * direction
        across = norm(side) * (size > 0)
        reach = size + ahead  # the component of y along the ray
        # T_x reach - |x| T_y, rationalised where both terms are positive and may cancel.
        opposite = reach < 0
        total = (tx * reach + size * ty).where(~opposite & (size > 0), 1.0)
        swept = size * across
        difference = ahead * ((size + reach) / total) - swept * (swept / total)
        along = torch.where(opposite, tx * reach - size * ty, difference)
        return across, along * (size > 0)

    def _log_sn_ratio(self, s: Tensor) -> Tensor:
        return log_sinhc(s)

    def _hessian_across(self, s: Tensor) -> Tensor:
        return coth_times(s)


# The kernels below take space parts only.


def _time(x: Tensor) -> Tensor:
    return (1 + dot(x, x)).sqrt()


def _lift(x: Tensor) -> Tensor:
    return torch.cat([_time(x), x], dim=-1)


def _tangent(x: Tensor, v: Tensor) -> Tensor:
    """(v_t, v) with <(T, x), (v_t, v)> = 0."""
    return torch.cat([dot(x / _time(x), v), v], dim=-1)


def _across_along(x: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    """v in an orthonormal frame at x: a vector and one further, radial component.

    For |x| > 1 the radial component is x.v/(|x| T), split off first: far out v's radial part is
    T times longer in coordinates than on the manifold, and left inside one vector its rounding
    would cover the rest. For |x| <= 1, where nothing is lost, the frame is the one carried from
    the origin, smooth at x = 0 where a radial direction does not exist.
    """
    x2 = dot(x, x)
    far = x2 > 1
    time = (1 + x2).sqrt()
    direction = x / x2.where(far, 1.0).sqrt()  # x itself where it is short
    component = dot(direction, v)
    across = v - torch.where(far, component, component / (time * (1 + time))) * direction
    return across, (component / time).where(far, component * 0)


def _haversine(x: Tensor, y: Tensor, step: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    r"""(a, f, V) with sinh^2(d/2) = a^2 + f^2 |V|^2, symmetric in x and y.

    Let s be the shorter and l the longer of the two, D = l - s, r the distance from the origin.

    * |s| > 1: the hyperbolic haversine, a radial and an angular part,
      sinh^2((r_l - r_s)/2) + |l||s| sin^2(theta/2). With
      sinh^2((r_l - r_s)/2) = (|l| - |s|)^2 / (2 (1 + T_l T_s + |l||s|)) and
      |l||s| sin^2(theta/2) = |s|/|l| |D - (|l| - |s|) s/|s||^2 / 4.
    * |s| <= 1: the ball's formula, the points brought there by x/(1 + T),
      (1 + T_s)/(1 + T_l) |D - (T_l - T_s) s/(1 + T_s)|^2 / 4, smooth at the origin, where the
      directions of the first form do not exist. Used further out it would cancel by a factor T.

    The differences of lengths come from D.(l + s), so every term is 0 at x = y and nothing
    cancels elsewhere.
    """
    x2, y2 = dot(x, x), dot(y, y)
    swap = x2 < y2
    l, s = torch.where(swap, y, x), torch.where(swap, x, y)
    l2, s2 = torch.where(swap, y2, x2), torch.where(swap, x2, y2)
    tl, ts = (1 + l2).sqrt(), (1 + s2).sqrt()
    step = torch.where(swap, step, -step)
    product = dot(step, l + s)  # |l|^2 - |s|^2

    far = s2 > 1
    length_l, length_s = l2.where(far, 1.0).sqrt(), s2.where(far, 1.0).sqrt()
    radial = product / (length_l + length_s)

    a = radial / (1 + tl * ts + length_l * length_s).sqrt() / math.sqrt(2)
    f = torch.where(far, length_s / length_l, (1 + ts) / (1 + tl)).sqrt() / 2
    share = torch.where(far, radial / length_s, product / (tl + ts) / (1 + ts))
    return a.where(far, a * 0), f, step - share * s
