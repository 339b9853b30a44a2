"""Other coordinates of the space forms: manifolds by way of the quadric."""

from typing import Any, final

import torch
from torch import Tensor

from ..base import Manifold
from ..kernels.arithmetic.limits import brought_within, longest, rim
from ..kernels.arithmetic.vectors import clip_norm, dot, norm, normalize
from ..kernels.functions.special import asinhc, sinc, sinc_excess, sinhc, sinhc_excess, tanhc
from ..kernels.stereographic.conformal import gap
from ..sphere import Sphere
from .chart import (
    Embedded,
    Frame,
    beyond,
    is_far,
    joined,
    lateral,
    outward,
    quadric,
    split,
)
from .chart_manifold import ChartManifold
from .of_manifolds import BallChart, SpacePartChart, huge


@final
class Klein(ChartManifold):
    r"""The Klein ball, where geodesics are straight; for K > 0 the gnomonic plane.

    :math:`x = X/T` of the hyperboloid's space and time part (of the sphere's, for K > 0), times
    the unit of length R: for K < 0 the ball :math:`|x| < R`, for K > 0 all of R^n, which shows
    the open hemisphere about the origin; points of the other one are put at its edge. The metric
    is :math:`u\cdot v/w - K (x\cdot u)(x\cdot v)/w^2`, :math:`w = 1 + K|x|^2` (Ratcliffe,
    "Foundations of Hyperbolic Manifolds", section 6.1). Holds half of the ball's radius:
    :math:`|x| = (1-3\,\mathrm{eps})R` is 7.8 R from the origin in float32, 17.8 R in float64.
    """

    signs = (-1, 1)

    def _holds(self, x: Tensor) -> Tensor:
        return norm(x) < 1 if self.sign < 0 else super()._holds(x)

    def _embed(self, x: Tensor) -> Embedded:
        if self.sign < 0:
            return gap(-1.0, x).sqrt(), x
        x = clip_norm(x, huge(x.dtype))
        t = (1 + dot(x, x)).rsqrt()
        return t, t * x

    def _drop(self, c: Tensor, d: Tensor, dtype: torch.dtype) -> Tensor:
        if self.sign < 0:
            return brought_within(d, rim(dtype))
        return d / c.clamp(min=1 / huge(dtype))

    def _to_frame(self, x: Tensor, t: Tensor, s: Tensor, v: Tensor) -> Frame:
        return split(t, s, v, t, t * t, -self.sign * t / (1 + t))

    def _from_frame(self, t: Tensor, s: Tensor, w: Frame) -> Tensor:
        if self.sign > 0:
            t = t.clamp(min=1 / huge(t.dtype))
        return joined(t, s, w, 1 / t, 1 / (t * t), self.sign / (t * t * (1 + t)))


@final
class ProperVelocity(SpacePartChart, ChartManifold):
    r"""Hyperbolic space on all of R^n by the space part of the hyperboloid's point, K < 0.

    :math:`x = R\,X`, of length :math:`R\sinh(r/R)`: what MERU stores, and the proper velocities
    of special relativity (Ungar 2008, "Analytic Hyperbolic Geometry", section 3.10; Chen et al.
    2025 have layers on it). Metric :math:`u\cdot v + K (x\cdot u)(x\cdot v)/(1 - K|x|^2)`. No edge
    is near: it holds as far as :class:`Lorentz`.
    """


@final
class StereographicPlane(BallChart, ChartManifold):
    r"""The sphere from the antipode of the origin, K > 0: the plane R^n, where angles are true.

    :math:`x = R\,X/(1+T)`, X and T the last and the first coordinates of the point of the unit
    sphere; metric :math:`\lambda_x^2\,u\cdot v` with :math:`\lambda_x = 2/(1+K|x|^2)`: the formulas
    of :class:`PoincareBall` with the other sign of K. The antipode itself has no image; it is put
    far out on the first axis.
    """

    signs = (1,)

    def __init__(self, curvature: float | Manifold = 1.0, **options: Any) -> None:
        ChartManifold.__init__(self, curvature, **options)


@final
class Hemisphere(ChartManifold):
    r"""Hyperbolic space on the upper half of a sphere of radius R in R^(n+1), K < 0.

    :math:`x = R\,(1/T,\ X/T)`, the first coordinate positive as the sphere's at its origin; it is
    the Klein ball lifted onto the sphere, and what the stereographic projection of the sphere from
    a point of the equator takes to the half-space. Metric :math:`R^2\,u\cdot v/x_0^2` on
    :math:`x\cdot v = 0`. Near the equator the first coordinate tells points apart that the
    Klein ball cannot: it holds as far as :class:`Lorentz` does, 28 R in float32 and 236 R in
    float64, but 10.4 R in float16.
    """

    _extra_coordinates = 1

    def _holds(self, x: Tensor) -> Tensor:
        return x[..., :1] > 0

    def _proj_tangent(self, x: Tensor, v: Tensor) -> Tensor:
        return lateral(normalize(x)[0], v)

    def _embed(self, x: Tensor) -> Embedded:
        x = torch.cat([x[..., :1].clamp(min=1 / beyond(x.dtype)), x[..., 1:]], dim=-1)
        point, _ = normalize(x)
        return point[..., :1], point[..., 1:]

    def _drop(self, c: Tensor, d: Tensor, dtype: torch.dtype) -> Tensor:
        return torch.cat([c, d], dim=-1)

    def _to_frame(self, x: Tensor, t: Tensor, s: Tensor, v: Tensor) -> Frame:
        height, v = v[..., :1], v[..., 1:]
        # Along the ray v_s is T times shorter than v_0: the length is in v_0, unless near the
        # origin, where v_0 is 0 and X changes by (v_s - X v_0) T.
        far = is_far(t)
        direction, size = outward(t, s)
        near = split(t, s, t * (v - s * height), torch.ones_like(t), 1 / t, -1 / (t * (1 + t)))
        along = -t * (t / size) * height
        across = torch.where(far, t * lateral(direction, v), near.across)
        return Frame(across, along.where(far, 0.0))

    def _from_frame(self, t: Tensor, s: Tensor, w: Frame) -> Tensor:
        flat = joined(t, s, w, 1 / t, 1 / (t * t), -1 / (t * t * (1 + t)))
        _, size = outward(t, s)
        height = -torch.where(is_far(t), size * w.along, dot(s, w.across)) / (t * t)
        return torch.cat([height, flat], dim=-1)

    def _reach(self, dtype: torch.dtype, radius: float | Tensor) -> float | Tensor:
        return radius / torch.finfo(dtype).tiny


@final
class HalfSpace(ChartManifold):
    r"""The upper half-space :math:`x_n > 0` of R^n, K < 0.

    :math:`x = R\,(X_1, \dots, X_{n-1}, 1)/(T - X_n)` of the hyperboloid's point; the origin is
    (0, ..., 0, R) and the last axis points up there. Metric :math:`R^2\,u\cdot v/x_n^2`
    (Ratcliffe, "Foundations of Hyperbolic Manifolds", section 4.6). The boundary's point at
    infinity is the far end of the last axis. Heights run from :math:`R e^{-r}` to
    :math:`R e^r` at distance r from the origin, so the chart holds as far as :class:`Lorentz`
    does, 28 R in float32 and 236 R in float64, but 9.0 R in float16; near the origin, however, it
    has only the absolute precision of its coordinates, eps R.
    """

    def _holds(self, x: Tensor) -> Tensor:
        return x[..., -1:] > 0

    def _embed(self, x: Tensor) -> Embedded:
        z, h = self._parts(x)
        square = dot(z, z)
        # |x|^2 - 1, exact near the origin, where h is near 1.
        last = (h - 1) * (h + 1) + square
        total = 1 + square + h * h
        return 2 * h / total, torch.cat([2 * z, last], dim=-1) / total

    def _parts(self, x: Tensor) -> tuple[Tensor, Tensor]:
        # Horizontals and height; what lies beyond the reach of Lorentz is brought to 4 times that,
        # for squares not to overflow, and pulled back by ``within``.
        reach = beyond(x.dtype)
        z = x[..., :-1]
        if z.shape[-1]:  # none on the line
            z = clip_norm(z, reach)
        lowest = (1 + dot(z.detach(), z.detach())) / (4 * reach)
        return z, x[..., -1:].clamp(max=2 * reach).maximum(lowest)

    def _drop(self, c: Tensor, d: Tensor, dtype: torch.dtype) -> Tensor:
        side, last = d[..., :-1], d[..., -1:]
        below = last <= 0
        # 1 - d_n without cancellation, as c^2 + |d|^2 = 1.
        up = (c * c + dot(side, side)) / (1 + last.where(~below, 0.0))
        depth = torch.where(below, 1 - last.where(below, 0.0), up)
        return torch.cat([side, c], dim=-1) / depth

    def _to_frame(self, x: Tensor, t: Tensor, s: Tensor, v: Tensor) -> Frame:
        z, h = self._parts(x)
        far, mirror = is_far(t), torch.cat([z, -1 - h], dim=-1)
        # The ray's own direction here has components of very different sizes, and near the boundary
        # is nearly vertical: v is split along it before it is turned.
        ray, direction = self._ray(t, s, z, h), outward(t, s)[0]
        aside = lateral(direction, _mirrored(mirror, _upside_down(lateral(ray, v))))
        whole = _mirrored(mirror, _upside_down(v))
        return Frame(torch.where(far, aside, whole) / h, (dot(ray, v) / h).where(far, 0.0))

    def _from_frame(self, t: Tensor, s: Tensor, w: Frame) -> Tensor:
        side, depth = _depth(t, s)
        far, ray = is_far(t), self._ray(t, s, side / depth, 1 / depth)
        v = _upside_down(_mirrored(torch.cat([side, -1 - depth], dim=-1), w.across))
        return torch.where(far, lateral(ray, v) + w.along * ray, v) / depth

    def _ray(self, t: Tensor, s: Tensor, z: Tensor, h: Tensor) -> Tensor:
        """Gradient of the distance from the origin, of Euclidean length 1."""
        _, size = outward(t, s)
        # The differential of (1 + |z|^2 + h^2)/2h = cosh r, times h/sinh r.
        return normalize(torch.cat([z, (h - (1 + dot(z, z)) / h) / 2], dim=-1) / size)[0]

    def _reach(self, dtype: torch.dtype, radius: float | Tensor) -> float | Tensor:
        info = torch.finfo(dtype)  # heights from R/2T to 2TR
        lowest, highest = radius / info.tiny / 4, info.max / 4 / radius
        if isinstance(lowest, Tensor):
            return torch.minimum(lowest, torch.as_tensor(highest))
        return min(lowest, float(highest))


def _depth(t: Tensor, s: Tensor) -> tuple[Tensor, Tensor]:
    """All of s but the last coordinate, and t less that one, without cancellation."""
    side, last = s[..., :-1], s[..., -1:]
    below = last <= 0
    up = (1 + dot(side, side)) / (t + last.where(~below, 0.0))
    return side, torch.where(below, t - last.where(below, 0.0), up)


def _upside_down(v: Tensor) -> Tensor:
    return torch.cat([v[..., :-1], -v[..., -1:]], dim=-1)


def _mirrored(normal: Tensor, v: Tensor) -> Tensor:
    direction, _ = normalize(normal)
    return v - 2 * dot(direction, v) * direction


@final
class NormalCoordinates(ChartManifold):
    r"""Normal (polar) coordinates about the origin, any K: the v of ``Manifold.from_normal``.

    The length of v is the distance from the origin, its direction that of the geodesic: geodesic
    polar coordinates (r, :math:`\theta`) are r = |v| and the direction's angles. Metric
    :math:`dr^2 + \mathrm{sn}_K(r)^2\,d\theta^2`. The best coordinates to store: they hold any
    radius to full relative precision, near and far. On the sphere :math:`|v| < \pi R` reaches
    every point but the antipode; longer vectors go round.
    """

    signs = (-1, 0, 1)

    def _embed(self, x: Tensor) -> Embedded:
        if self.sign == 0:
            return torch.ones_like(x[..., :1]), x
        if self.sign > 0:
            point = _SPHERE.from_normal(x)
            return point[..., :1], point[..., 1:]
        x = clip_norm(x, longest(x.dtype))
        square = dot(x, x)
        return (1 + square * sinhc(square).square()).rsqrt(), tanhc(square) * x

    def _drop(self, c: Tensor, d: Tensor, dtype: torch.dtype) -> Tensor:
        if self.sign == 0:
            return d
        if self.sign > 0:
            return _SPHERE.to_normal(torch.cat([c, d], dim=-1))
        # As Lorentz.to_normal, but c has a derivative in the radius only, d in the direction.
        t, s = quadric(-1, c, d)
        far = is_far(t)
        direction, size = outward(t, d)
        near = s.where(~far, 0.0)
        return torch.where(far, (size / c).asinh() * direction, asinhc(dot(near, near)) * near)

    def _factors(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """sn(r)/r and (sn(r)/r - 1)/r^2 at r = |x|."""
        if self.sign < 0:
            x = clip_norm(x, longest(x.dtype))
        square = dot(x, x)
        if self.sign < 0:
            return sinhc(square), sinhc_excess(square)
        return sinc(square), sinc_excess(square)

    def _to_frame(self, x: Tensor, t: Tensor, s: Tensor, v: Tensor) -> Frame:
        if self.sign == 0:
            return Frame(v, torch.zeros_like(t))
        across, excess = self._factors(x)
        return split(t, s, v, across, torch.ones_like(t), -excess / across.square())

    def _from_frame(self, t: Tensor, s: Tensor, w: Frame) -> Tensor:
        if self.sign == 0:
            return w.across
        x = self._drop(*quadric(self.sign, t, s), s.dtype)
        across, excess = self._factors(x)
        # Far out the sine of r would bring the rounding of r, and at an antipode nothing else.
        far = is_far(t)
        _, size = outward(t, s)
        across = torch.where(far, size / norm(x.where(far, 1.0)), across)
        return joined(t, s, w, 1 / across, torch.ones_like(t), excess / across**3)


_SPHERE = Sphere(1.0)
