"""The sphere, embedded in Euclidean space."""

from typing import Any, final

import torch
from torch import Tensor

from .base import Manifold
from .kernels.arithmetic.ray_components import ray_components
from .kernels.arithmetic.vectors import Number, dot, expanded, norm, normalize
from .kernels.pairs.products import Products, noise
from .kernels.radial import back as radial_back, maps as radial_maps
from .kernels.sphere import exp as sphere_exp, pair as sphere_pair, transport as sphere_transport
from .space_form import Context, divided


@final
class Sphere(Manifold):
    r"""The n-sphere of curvature K > 0: radius R = 1/sqrt(K) in R^(n+1).

    ============== =================================================================
    point          :math:`|x|^2 = 1/K`, n + 1 coordinates; origin (R, 0, ..., 0)
    metric         :math:`\langle u, v\rangle = u\cdot v` on :math:`x\cdot v = 0`
    distance       :math:`R\,\mathrm{atan2}(|y-(x\cdot y)x|, x\cdot y)` at K = 1, at most pi R
    expmap         :math:`\cos(|v|/R)\,x + R\sin(|v|/R)\,v/|v|`
    logmap         :math:`\frac{d}{\sin d}\,(y - \cos d\,x)` at K = 1
    transport      :math:`v - \frac{y\cdot v}{1 + x\cdot y}(x+y)` at K = 1
    ============== =================================================================

    Source: Absil, Mahony & Sepulchre 2008, examples 5.4.1 and 8.1.1.

    Each function takes its difference from y - x near x and from y + x near -x, so neither
    coincident nor antipodal points lose digits. At exact antipodes, where the geodesic is not
    unique, the one towards the first coordinate axis is taken, towards the second where x is near
    the first. Gradients by points are along the sphere for ``dist``, ``sqdist`` and ``logmap``.

    Args:
        curvature: K > 0.
        learnable: make K a parameter, which a ``state_dict`` has; a fixed K is in none.
        bounds: ``(low, high)`` that a learnable K stays between.
    """

    sign = 1
    _family = "unit"
    _extra_coordinates = 1

    def __init__(
        self,
        curvature: float = 1.0,
        *,
        learnable: bool = False,
        bounds: tuple[float, float] | None = None,
    ) -> None:
        super().__init__(curvature, learnable=learnable, bounds=bounds)

    def _proj(self, x: Tensor, dtype: torch.dtype) -> Tensor:
        direction, length = normalize(x)
        return torch.where(length == 0, self._unit_origin(x), direction)  # NaN stays NaN

    def _proj_tangent(self, x: Tensor, v: Tensor) -> Tensor:
        # Twice: of a nearly normal vector the first leaves mostly rounding, which is not tangent.
        # And along x/|x|: of a point rounded to bfloat16, 4e-3 off the sphere, x itself would leave
        # a share of 1e-5 of the normal part.
        ray, _ = normalize(x)
        v = v - dot(ray, v) * ray
        return v - dot(ray, v) * ray

    def _defect(self, x: Tensor) -> Tensor:
        return (norm(x) - 1).abs()

    def _orthonormal(self, x: Tensor, v: Tensor) -> Tensor:
        return expanded(v, x)

    def _half_chord(self, x: Tensor, y: Tensor, step: Tensor) -> Tensor:
        return step / 2

    def _dist(self, x: Tensor, y: Tensor, radius: Number = 1.0) -> Tensor:
        return sphere_pair.dist(x, y, radius)

    def _sqdist(self, x: Tensor, y: Tensor, radius: Number = 1.0) -> Tensor:
        return sphere_pair.sqdist(x, y, radius)

    def _logmap_at(self, x: Tensor, y: Tensor, radius: float | Tensor) -> Tensor:
        return sphere_pair.logmap(x, y, radius)

    @property
    def _form_is_dot(self) -> bool:
        return True  # 1 - 2 h would lose the digits of points at a right angle

    def _pair_features(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        # |x - y|^2/4, not (1 - x.y)/2: a point rounded to float32 is off the sphere by a relative
        # 1e-7, which the second would take for a distance. And of x/|x|: next to antipodes what a
        # point of float16 is off the sphere by would be the square of an angle.
        x, _ = normalize(x)
        square = dot(x, x)
        return x, square / 2, torch.ones_like(square)

    def _pairwise_haversine(
        self, x: Tensor, y: Tensor, kind: Products = "float64", **curved: Any
    ) -> Tensor:
        haversine = super()._pairwise_haversine(x, y, kind, **curved)
        # 1 - h of antipodes is noise as h of coincident points is, |X| = |Y| = 1 in both.
        rounded = 4 * torch.finfo(haversine.dtype).eps
        antipodal = 1 - haversine <= max(rounded, 2 * noise(kind, x.shape[-1]))
        return haversine.where(~antipodal, haversine * 0 + 1)

    def _expmap(self, x: Tensor, v: Tensor) -> Tensor:
        return sphere_exp.expmap(x, v, 1.0)

    def _expmap_at(self, x: Tensor, v: Tensor, call: Context) -> Tensor:
        return sphere_exp.expmap(x, v, call.radius)

    def _logmap(self, x: Tensor, y: Tensor, step: Tensor) -> Tensor:
        return sphere_pair.logmap(x, y, 1.0)

    def _centroid(self, x: Tensor, w: Tensor) -> Tensor:
        return self._proj((w * x).sum(-2), x.dtype)

    def _midpoint(self, x: Tensor, y: Tensor, step: Tensor) -> Tensor:
        return sphere_pair.bisector(x, y, step)

    def _transport(self, x: Tensor, y: Tensor, step: Tensor, v: Tensor) -> Tensor:
        return sphere_transport.transport(x, y, v)

    def _transport_at(self, x: Tensor, y: Tensor, v: Tensor, radius: float | Tensor) -> Tensor:
        # In units of R: of v = 1e-35 at R = 1e-4 the products would underflow in float32. It does
        # not depend on R.
        number = radius.detach() if isinstance(radius, Tensor) else radius
        return sphere_transport.transport(divided(x, number), divided(y, number), v)

    def _egrad2rgrad(self, x: Tensor, g: Tensor) -> Tensor:
        return self._proj_tangent(x, g)

    def _from_normal(self, v: Tensor) -> Tensor:
        return radial_maps.TO_SPHERE[v.dtype](v, 1.0)

    def _from_normal_at(self, v: Tensor, call: Context) -> Tensor:
        return radial_maps.TO_SPHERE[call.dtype](v, call.radius)

    def _to_normal(self, x: Tensor) -> Tensor:
        return radial_back.from_sphere(x, 1.0)

    def _to_normal_at(self, x: Tensor, radius: float | Tensor) -> Tensor:
        return radial_back.from_sphere(x, radius)

    def _warp(self, x: Tensor) -> Tensor:
        return sphere_pair.sine_of_radius(x)

    def _log_polar(self, x: Tensor, y: Tensor, step: Tensor) -> tuple[Tensor, Tensor]:
        sine, across, reach, ahead = ray_components(x[..., 1:], y[..., 1:], step[..., 1:])
        close = dot(step, step) < 1
        # cos(r_x) y_s - sin(r_x) y_t along the ray, as a difference from x where y is near.
        along = torch.where(
            close, x[..., :1] * ahead - sine * step[..., :1], x[..., :1] * reach - sine * y[..., :1]
        )
        return across * (sine > 0), along * (sine > 0)
