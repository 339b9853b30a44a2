"""The Lorentz (hyperboloid) model of hyperbolic space."""

from typing import Any, final

import torch
from torch import Tensor

from .base import Manifold
from .checks import check_coordinates
from .kernels.arithmetic.limits import brought_within, farthest
from .kernels.arithmetic.vectors import Number, dot, norm
from .kernels.functions.special import curved
from .kernels.hyperboloid import (
    dist as hyperboloid_dist,
    exp as hyperboloid_exp,
    log as hyperboloid_log,
    transport as hyperboloid_transport,
)
from .kernels.hyperboloid.geodesic import NEAR, behind, sinh_ratios
from .kernels.hyperboloid.points import POINT, across_along, lift, polar_log, tangent, time
from .kernels.radial import back as radial_back, maps as radial_maps
from .space_form import Context


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
    part of a tangent vector is treated the same way. A NaN there changes nothing, therefore;
    ``is_point``, ``is_tangent`` and :class:`Checked` do look at it, and refuse it.

    The distance is the hyperbolic haversine in one of two forms: see
    ``hyperboloid.pair.pair_geometry``. A point may be as far from the origin as 28 R in float32 and
    236 R in float64, where |x_s| is 2^40 R and 2^340 R; maps pull longer results back to there.
    ``expmap`` goes at most 43 R in float32 and 350 R in float64: enough from anywhere outwards, not
    from the farthest points inwards through the origin and as far out again.

    Args:
        curvature: K < 0.
        learnable: make K a parameter, which a ``state_dict`` has; a fixed K is in none.
        bounds: ``(low, high)``, both negative, that a learnable K stays between.
    """

    sign = -1
    _family = "unit"
    _extra_coordinates = 1
    _takes_curvature = True

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
        check_coordinates(f"{self._name}.from_space", [("s", s)], 1)
        call = self._call("from_space", s.dtype)
        s = s.to(torch.promote_types(s.dtype, torch.float32))
        return self._from_unit_stored(POINT[call.dtype](s, call.radius), call)

    def _proj(self, x: Tensor, dtype: torch.dtype, k: Number = 1.0) -> Tensor:
        computed = farthest(x.dtype)
        radius = self._radius_in(x.dtype)
        if isinstance(radius, Tensor):
            radius = radius.detach()
        stored = torch.finfo(dtype).max / 2 / radius
        limit = stored.clamp(max=computed) if isinstance(stored, Tensor) else min(computed, stored)
        return lift(brought_within(x[..., 1:], limit), k)

    def _proj_at(self, x: Tensor, call: Context) -> Tensor:
        return POINT[call.dtype](x[..., 1:], call.radius)

    def _proj_tangent(self, x: Tensor, v: Tensor) -> Tensor:
        return tangent(x[..., 1:], v[..., 1:])

    def _defect(self, x: Tensor) -> Tensor:
        t = time(x[..., 1:])
        return (x[..., :1] - t).abs() / t

    # -- tangent vectors ------------------------------------------------------------------------

    def _orthonormal(self, x: Tensor, v: Tensor, k: Number = 1.0) -> Tensor:
        across, along = across_along(x[..., 1:], v[..., 1:], k)
        return torch.cat([along if isinstance(k, float) else along * k.rsqrt(), across], dim=-1)

    def _unit_frame(self, x: Tensor, v: Tensor, k: Number = 1.0) -> Tensor:
        across, along = across_along(x[..., 1:], v[..., 1:], k)
        return torch.cat([along, across if isinstance(k, float) else across * k.sqrt()], dim=-1)

    def _egrad2rgrad(self, x: Tensor, g: Tensor, k: Number = 1.0) -> Tensor:
        s, t = x[..., 1:], lift(x[..., 1:], k)[..., :1]
        # Of the ambient gradient; that of a function of the space part alone has g_t = 0.
        radial = curved(dot(s, g[..., 1:]) + t * g[..., :1], k)
        return tangent(s, g[..., 1:] + radial * s, k)

    # -- distance -------------------------------------------------------------------------------

    def _dist(self, x: Tensor, y: Tensor, radius: Number = 1.0) -> Tensor:
        return hyperboloid_dist.dist(x, y, radius)

    def _sqdist(self, x: Tensor, y: Tensor, radius: Number = 1.0) -> Tensor:
        return hyperboloid_dist.sqdist(x, y, radius)

    def _haversine(self, x: Tensor, y: Tensor, radius: Number = 1.0) -> Tensor:
        return hyperboloid_dist.haversine(x, y, radius)

    def _logmap_at(self, x: Tensor, y: Tensor, radius: float | Tensor) -> Tensor:
        return hyperboloid_log.logmap(x, y, radius)

    def _expmap_at(self, x: Tensor, v: Tensor, call: Context) -> Tensor:
        return hyperboloid_exp.EXPMAP[call.dtype](x, v, call.radius)

    def _pair_features(self, x: Tensor, k: Number = 1.0) -> tuple[Tensor, Tensor, Tensor]:
        # T_x T_y - 1 by way of T - 1, which near the origin is small and has all its digits.
        s = x[..., 1:]
        square = dot(s, s)
        rise = square / (1 + (1 + curved(square, k)).sqrt())
        return s, rise, 1 + curved(rise, k) / 2

    # -- geodesics ------------------------------------------------------------------------------

    def _expmap(self, x: Tensor, v: Tensor, k: Number = 1.0) -> Tensor:
        return hyperboloid_exp.EXPMAP[x.dtype](x, v, _radius(k))

    def _logmap(self, x: Tensor, y: Tensor, step: Tensor, k: Number = 1.0) -> Tensor:
        return hyperboloid_log.logmap(x, y, _radius(k))

    def _midpoint(self, x: Tensor, y: Tensor, step: Tensor, k: Number = 1.0) -> Tensor:
        h = hyperboloid_dist.haversine(x, y, _radius(k))
        return lift((x[..., 1:] + y[..., 1:]) / (2 * (1 + h).sqrt()), k)

    def _geodesic(self, x: Tensor, y: Tensor, step: Tensor, t: Tensor, **curved: Any) -> Tensor:
        return self._by_both_ends(x, y, step, t, **curved)

    def _behind(self, x: Tensor, y: Tensor, step: Tensor, t: Tensor, **curved: Any) -> Tensor:
        k = curved.get("k", 1.0)
        s, h = x[..., 1:], hyperboloid_dist.haversine(x, y, _radius(k))
        # Where the ends are close their distance and the direction of the way have no derivative
        # of their own to build on: it is 0/0 where they coincide.
        far = (dot(s, s) > 1) & (h > NEAR)
        near = super()._behind(x, y, step, t.where(~far, 0.0), **curved)
        apart = s.where(far, 2.0), y[..., 1:], step[..., 1:]
        reached = behind(*apart, h.where(far, 1.0), t.where(far, 0.0), k)
        return torch.where(far, torch.cat([torch.zeros_like(h), reached], dim=-1), near)

    def _between(self, x: Tensor, y: Tensor, step: Tensor, t: Tensor, k: Number = 1.0) -> Tensor:
        # Symmetric in the ends, exact at both.
        swap = t > 0.5
        h = hyperboloid_dist.haversine(x, y, _radius(k))
        a, b, _ = sinh_ratios(torch.where(swap, 1 - t, t), h)
        by_x, by_y = torch.where(swap, b, a), torch.where(swap, a, b)
        return lift(by_x * x[..., 1:] + by_y * y[..., 1:], k)

    def _transport(self, x: Tensor, y: Tensor, step: Tensor, v: Tensor, k: Number = 1.0) -> Tensor:
        return hyperboloid_transport.transport(x, y, v, _radius(k))

    def _transport_at(self, x: Tensor, y: Tensor, v: Tensor, radius: float | Tensor) -> Tensor:
        return hyperboloid_transport.transport(x, y, v, radius)

    # -- origin and cones -----------------------------------------------------------------------

    def _from_normal(self, v: Tensor, k: Number = 1.0) -> Tensor:
        return radial_maps.TO_HYPERBOLOID[v.dtype](v, _radius(k))

    def _from_normal_at(self, v: Tensor, call: Context) -> Tensor:
        return radial_maps.TO_HYPERBOLOID[call.dtype](v, call.radius)

    def _to_normal(self, x: Tensor, k: Number = 1.0) -> Tensor:
        return radial_back.from_hyperboloid(x[..., 1:], _radius(k))

    def _to_normal_at(self, x: Tensor, radius: float | Tensor) -> Tensor:
        return radial_back.from_hyperboloid(x[..., 1:], radius)

    def _warp(self, x: Tensor, k: Number = 1.0) -> Tensor:
        length = norm(x[..., 1:])
        return length if isinstance(k, float) else k.sqrt() * length

    def _log_polar(
        self, x: Tensor, y: Tensor, step: Tensor, k: Number = 1.0
    ) -> tuple[Tensor, Tensor]:
        return polar_log(x[..., 1:], y[..., 1:], step[..., 1:], k)


def _radius(k: Number) -> Number:
    """That of the curvature -k."""
    return k if isinstance(k, float) else k.rsqrt()
