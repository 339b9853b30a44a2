"""The Poincaré ball model of hyperbolic space."""

from typing import Any, final

import torch
from torch import Tensor

from .gyrovectors import Gyrovectors
from .kernels.arithmetic.limits import brought_within, rim
from .kernels.arithmetic.ray_components import ray_components
from .kernels.arithmetic.vectors import Number, dot, expanded, norm
from .kernels.functions.curved_asinh import asinh_over
from .kernels.functions.special import curved
from .kernels.hyperboloid.geodesic import between, from_nearer_end
from .kernels.radial import back as radial_back, maps as radial_maps
from .kernels.stereographic import ball_exp, conformal
from .space_form import Context, held, times, unit_pair


@final
class PoincareBall(Gyrovectors):
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
        learnable: make K a parameter, which a ``state_dict`` has; a fixed K is in none.
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

    def _holds(self, x: Tensor) -> Tensor:
        # Openness is not a matter of tolerance: in float64, or the sum of squares would have one.
        return norm(x.double()) < 1

    def _defect(self, x: Tensor) -> Tensor:
        return torch.where(self._holds(x), 0.0, torch.inf)

    def _orthonormal(self, x: Tensor, v: Tensor, k: Number = 1.0) -> Tensor:
        return conformal.orthonormal(-k, x, v)

    def _half_chord(self, x: Tensor, y: Tensor, step: Tensor) -> Tensor:
        return conformal.half_chord(-1.0, x, y, step)

    def _pair_features(self, x: Tensor, k: Number = 1.0) -> tuple[Tensor, Tensor, Tensor]:
        return conformal.pair_features(-k, x)

    def _expmap(self, x: Tensor, v: Tensor, k: Number = 1.0) -> Tensor:
        return ball_exp.EXPMAP[x.dtype](x, v, _radius(k))

    def _expmap_at(self, x: Tensor, v: Tensor, call: Context) -> Tensor:
        return ball_exp.EXPMAP[call.dtype](x, v, call.radius)

    def _logmap(self, x: Tensor, y: Tensor, step: Tensor, k: Number = 1.0) -> Tensor:
        return conformal.logmap(-k, x, y, step)

    def _geodesic(self, x: Tensor, y: Tensor, step: Tensor, t: Tensor, **curved: Any) -> Tensor:
        return self._by_both_ends(x, y, step, t, **curved)

    def _behind(self, x: Tensor, y: Tensor, step: Tensor, t: Tensor, **curved_: Any) -> Tensor:
        k = curved_.get("k", 1.0)
        half = asinh_over(norm(conformal.half_chord(-k, x, y, step)), k)
        gap, far = conformal.gap(-k, x), half > 0.5
        way = conformal.heading(-k, x.where(far, 0.0), step.where(far, 1.0), gap)
        way = torch.where(far, way, conformal.logmap(-k, x, y, step))
        return ball_exp.EXPMAP_AT[x.dtype](
            x, way, t * torch.where(far, gap * half, 1.0), _radius(k)
        )

    def _between(self, x: Tensor, y: Tensor, step: Tensor, t: Tensor, k: Number = 1.0) -> Tensor:
        x, y, step, p = from_nearer_end(x, y, step, t)
        gap_x, gap_y = conformal.gap(-k, x), conformal.gap(-k, y)
        h = curved(dot(step, step), k) / (gap_x * gap_y)
        return between(x, step, gap_x, gap_y, h, p)

    def _dist(self, x: Tensor, y: Tensor, radius: Number = 1.0) -> Tensor:
        length, k = held(radius)
        half = norm(conformal.half_chord(-k, *unit_pair(x, y, length)))
        return times(self._arc(half, k=k), length, 1)

    def _sqdist(self, x: Tensor, y: Tensor, radius: Number = 1.0) -> Tensor:
        length, k = held(radius)
        chord = conformal.half_chord(-k, *unit_pair(x, y, length))
        return times(self._arc_squared(dot(chord, chord), k=k), length, 2)

    def _logmap_at(self, x: Tensor, y: Tensor, radius: float | Tensor) -> Tensor:
        length, k = held(radius)
        return times(conformal.logmap(-k, *unit_pair(x, y, length)), length, 1)

    def _transport_at(self, x: Tensor, y: Tensor, v: Tensor, radius: float | Tensor) -> Tensor:
        length, k = held(radius)
        return conformal.transport(-k, *unit_pair(x, y, length), v)

    def _midpoint(self, x: Tensor, y: Tensor, step: Tensor, k: Number = 1.0) -> Tensor:
        of_x, of_y = 1 / conformal.gap(-k, x), 1 / conformal.gap(-k, y)
        z = conformal.kdot(-k, step, step) * of_x * of_y
        above = conformal.cosine_less_one(z)
        near = conformal.near_midpoint(-k, x, y, step, of_x, of_y, z)
        return torch.where(above <= 1, near, (of_x * x + of_y * y) / (of_x + of_y + above))

    def _transport(self, x: Tensor, y: Tensor, step: Tensor, v: Tensor, k: Number = 1.0) -> Tensor:
        return conformal.transport(-k, x, y, step, v)

    def _difference(self, x: Tensor, y: Tensor, step: Tensor, k: Number = 1.0) -> Tensor:
        return conformal.difference(-k, x, y, step)

    def _gyration(self, x: Tensor, y: Tensor, step: Tensor, v: Tensor, k: Number = 1.0) -> Tensor:
        gap_x, gap_y = conformal.gap(-k, x), conformal.gap(-k, y)
        denominator = gap_x * gap_y - conformal.kdot(-k, step, step)
        return conformal.gyration(-k, x, step, v, gap_x, denominator)

    def _coadd(self, x: Tensor, y: Tensor, total: Tensor, k: Number = 1.0) -> Tensor:
        return conformal.coadd(-k, x, y, total)

    def _egrad2rgrad(self, x: Tensor, g: Tensor, k: Number = 1.0) -> Tensor:
        return conformal.raised(-k, x, g)

    def _from_normal(self, v: Tensor, k: Number = 1.0) -> Tensor:
        return radial_maps.TO_BALL[v.dtype](v, _radius(k))

    def _from_normal_at(self, v: Tensor, call: Context) -> Tensor:
        return radial_maps.TO_BALL[call.dtype](v, call.radius)

    def _to_normal(self, x: Tensor, k: Number = 1.0) -> Tensor:
        return radial_back.from_ball(x, _radius(k))

    def _to_normal_at(self, x: Tensor, radius: float | Tensor) -> Tensor:
        return radial_back.from_ball(x, radius)

    def _lift_tangent0(self, v: Tensor) -> Tensor:
        return v / 2

    def _drop_tangent0(self, v: Tensor) -> Tensor:
        return 2 * v

    def _warp(self, x: Tensor, k: Number = 1.0) -> Tensor:
        length = conformal.warp(-k, x)
        return length if isinstance(k, float) else k.sqrt() * length

    def _log_polar(
        self, x: Tensor, y: Tensor, step: Tensor, k: Number = 1.0
    ) -> tuple[Tensor, Tensor]:
        size, across, _, ahead = ray_components(x, y, step)
        along = conformal.log_along_ray(-k, conformal.gap(-k, x), size, ahead, across)
        return across * (size > 0), along * (size > 0)


def _radius(k: Number) -> Number:
    return k if isinstance(k, float) else k.rsqrt()
