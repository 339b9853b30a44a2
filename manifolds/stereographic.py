"""The kappa-stereographic model: hyperbolic, flat or spherical space by the sign of one number."""

from collections.abc import Callable
from functools import wraps
from typing import Any, cast, final

import torch
from torch import Tensor

from .base import Manifold
from .euclidean import Euclidean
from .gyrovectors import Gyrovectors
from .kernels.arithmetic.limits import brought_within, rim
from .kernels.arithmetic.ray_components import ray_components
from .kernels.arithmetic.vectors import Number, expanded, norm
from .kernels.functions.generalized_trig import ctn_times, log_sinc_k
from .kernels.pairs.form import Kind, PairForm, PairTerm, UnitValue, value_by_autograd
from .kernels.stereographic import (
    conformal,
    maps as stereographic_maps,
    points as stereographic_points,
)
from .kernels.stereographic.inversion import inverted, inverted_pair
from .learnable_scalar import SignedScalar
from .poincare_ball import PoincareBall
from .space_form import divided, times

# The sizes of a fixed K < 0 that go by the ball. Lengths are divided by R there, whose squares
# vanish or overflow for a K that is next to 0 or beyond all bounds.
_AS_BALL = (1e-12, 1e12)

Kernel = Callable[..., Tensor]


def _by_one_sign(vectors: int, power: int = 1, doubled: int = 0) -> Callable[[Kernel], Kernel]:
    """A kernel that a K of known sign takes from the ball of curvature K or from flat space.

    Args:
        vectors: how many arguments, from the first, are divided by the ball's radius R.
        power: of R, by which the result is multiplied.
        doubled: the power of 2 by which flat space's is: its points are half as long here.
    """

    def chosen_for(kernel: Kernel) -> Kernel:
        @wraps(kernel)
        def chosen(self: "Stereographic", *arguments: Any, **options: Any) -> Tensor:
            if self._same is None:
                return kernel(self, *arguments, **options)
            other = getattr(self._same, kernel.__name__)
            if self._same.sign == 0:
                return times(other(*arguments, **options), 2.0, doubled)
            radius = self._same.radius
            unit = [divided(v, radius) for v in arguments[:vectors]]
            return times(other(*unit, *arguments[vectors:], **options), radius, power)

        return chosen

    return chosen_for


@final
class Stereographic(Gyrovectors):
    r"""The space of curvature K, of either sign or 0, in one chart of R^n, smooth in K.

    With :math:`g_x = 1 + K|x|^2`, :math:`s = y - x` and
    :math:`q = |s|^2/(g_x g_y) = \mathrm{sn}_K^2(d/2)`:

    ============== =====================================================================
    point          :math:`|x|^2 < -1/K` for K < 0; any x in R^n for K >= 0; origin 0
    metric         :math:`\lambda_x^2\,u\cdot v`, :math:`\lambda_x = 2/g_x`
    distance       :math:`2\,\mathrm{asn}_K\sqrt q`; :math:`2|s|` at K = 0
    expmap         :math:`x\oplus w`, :math:`w = \mathrm{tn}_K(|v|/g_x)\,v/|v|`
    logmap         :math:`\frac{\mathrm{asn}_K\sqrt q}{\sqrt q\sqrt{1 - Kq}}\,
                   \frac{g_x s + K|s|^2 x}{g_y}`
    transport      :math:`\frac{g_y}{g_x}\,\mathrm{gyr}[y, -x]\,v`
    ============== =====================================================================

    with :math:`\mathrm{sn}_K t = \sin(\sqrt K t)/\sqrt K`, tn likewise, asn the inverse
    (Bachmann, Bécigneul & Ganea 2020, section 2; the sums as in :class:`PoincareBall`).

    For K < 0 this is ``PoincareBall(K)``. For K > 0 it is the sphere of radius R = 1/sqrt(K),
    projected from the antipode of the origin, which is at infinity and is not a point of the chart;
    maps pull what comes nearer to it than rounding can tell, :math:`|x| > 16R/\mathrm{eps}`, or
    what the dtype cannot hold and square (float32: 9e15), back to there. For K = 0 the metric is
    :math:`4\,u\cdot v`: the point with normal coordinates v is v/2, so that ``from_normal(v)`` is
    at distance |v| for every K.

    *Through 0.* Every map is a function of K times a squared length, entire or analytic at 0, so
    value, gradient and derivative by K are exact there too: a learnable K may change its sign. It
    is not scaled by R, which is infinite at K = 0; lengths are lengths, ``radius`` is 1, and
    ``min_radius`` of the cones is a length for every K (on ``PoincareBall(K)`` it counts in R).
    ``cinner`` is :math:`(\cos_K d - 1)/K = -2\,\mathrm{sn}_K^2(d/2)`: that of the other
    manifolds without its constant 1/K.

    A K that is fixed and has a ball, or is 0, takes the forms of :class:`PoincareBall` or of flat
    space. Of any other K both sides of 0 are computed to choose from; that of the sign alone where
    values may be looked at, on the CPU and eagerly.

    At exact antipodes, possible for K > 0, every geodesic leads to y; the one through the origin is
    taken.

    Args:
        curvature: K, any finite number.
        learnable: make K a parameter, additive and without a constraint of sign, which a
            ``state_dict`` has; a fixed K is in none.
        bounds: ``(low, high)`` that a learnable K stays between.
    """

    _family = "kappa"
    _same: Manifold | None
    """The space of a fixed K that has the same points up to a factor, and cheaper kernels."""

    def __init__(
        self,
        curvature: float = 0.0,
        *,
        learnable: bool = False,
        bounds: tuple[float, float] | None = None,
    ) -> None:
        super().__init__(curvature, learnable=learnable, bounds=bounds)

    # -- curvature ------------------------------------------------------------------------------

    @property
    def _wanted(self) -> str:
        return "finite"

    def _admits(self, curvature: float) -> bool:
        return True

    def _hold(self, curvature: float, learnable: bool, bounds: tuple[float, float] | None) -> None:
        self._curvature = SignedScalar(curvature, bounds=bounds, learnable=learnable)
        same: Manifold | None = None
        if not learnable and _AS_BALL[0] <= -curvature <= _AS_BALL[1]:
            same = PoincareBall(curvature)
        elif not learnable and curvature == 0:
            same = Euclidean()
        # Not as a submodule: it has no state, and is no part of this one but another form of it.
        object.__setattr__(self, "_same", same)

    @property
    def curvature(self) -> Tensor:
        """The sectional curvature K, shape (), float64; differentiable if it is learnable."""
        k: Tensor = self._curvature()
        return k

    @property
    def sign(self) -> int:
        """Sign of the current K; that of a learnable K is read back from its device."""
        k = self.curvature.item() if self._curvature.learnable else self._curvature.value
        return (k > 0) - (k < 0)

    @property
    def _form_at_coincidence(self) -> int | None:
        return 0

    def extra_repr(self) -> str:
        """The constructor's arguments, with the current curvature."""
        options = ", learnable=True" if self._curvature.learnable else ""
        if self._curvature.bounds is not None:
            low, high = self._curvature.bounds
            options += f", bounds=({low:g}, {high:g})"
        return f"curvature={self.curvature.item():g}{options}"

    def _k(self, x: Tensor) -> Tensor:
        """K as a number of x's dtype, shape ()."""
        if self._curvature.learnable:
            return self.curvature.to(x)
        return torch.full((), self._curvature.value, dtype=x.dtype, device=x.device)

    # -- points and vectors ---------------------------------------------------------------------

    def _proj(self, x: Tensor, dtype: torch.dtype) -> Tensor:
        if self._same is None:
            return stereographic_points.pulled_back(self._k(x), x, dtype)
        if self._same.sign == 0:
            return x
        most = stereographic_points.longest_norm(x.dtype, dtype)
        return brought_within(x, min(rim(dtype) * cast(float, self._same.radius), most))

    def _proj_tangent(self, x: Tensor, v: Tensor) -> Tensor:
        return expanded(v, x)

    def _defect(self, x: Tensor) -> Tensor:
        # Openness is not a matter of tolerance; nor is the edge, but its own points are inside. In
        # float64, or the sum of squares would have a tolerance.
        wide = x.double()
        k = self._k(wide)
        limit = torch.where(k < 0, 1.0, 2 * stereographic_points.edge(k, x.dtype))
        inside = stereographic_points.norm_over_radius(k, wide) < limit
        short = (k == 0) | (norm(wide) <= 2 * stereographic_points.longest_norm(x.dtype, x.dtype))
        return torch.where(inside & short, 0.0, torch.inf)

    def _orthonormal(self, x: Tensor, v: Tensor) -> Tensor:
        return conformal.orthonormal(self._k(x), x, v)

    def _egrad2rgrad(self, x: Tensor, g: Tensor) -> Tensor:
        return conformal.raised(self._k(x), x, g)

    # -- distances ------------------------------------------------------------------------------

    @_by_one_sign(3, doubled=1)
    def _half_chord(self, x: Tensor, y: Tensor, step: Tensor) -> Tensor:
        return stereographic_points.chord(self._k(x), x, y, step)

    def _haversine(self, x: Tensor, y: Tensor, radius: Number = 1.0) -> Tensor:
        if self._same is not None:
            return super()._haversine(x, y, radius)
        return stereographic_points.haversine(self._k(x), x, y, y - x)

    def _dist(self, x: Tensor, y: Tensor, radius: Number = 1.0) -> Tensor:
        if self._same is not None:  # with R, by which not the points but their step is divided
            return times(self._same._dist(x, y, self._same.radius), 1 + (self._same.sign == 0), 1)
        return stereographic_points.dist(self._k(x), x, y, y - x)

    def _sqdist(self, x: Tensor, y: Tensor, radius: Number = 1.0) -> Tensor:
        if self._same is not None:
            return times(self._same._sqdist(x, y, self._same.radius), 1 + (self._same.sign == 0), 2)
        return stereographic_points.sqdist(self._k(x), x, y, y - x)

    def _pair_features(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return conformal.pair_features(self._k(x), x)

    def pair_form(self, kind: Kind, m: int) -> PairForm:
        """See :meth:`Manifold.pair_form`; the number is K."""
        k = (
            self.curvature
            if self._curvature.learnable
            else torch.tensor(self._curvature.value, dtype=torch.float64)
        )
        functions = {
            "dist": stereographic_points.dist_from_haversine,
            "sqdist": stereographic_points.sqdist_from_haversine,
        }
        value = (
            UnitValue("inner", 0, 0.0) if kind == "inner" else value_by_autograd(functions[kind])
        )

        def features(x: Tensor, number: Number) -> tuple[Tensor, Tensor, Tensor]:
            return conformal.pair_features(torch.as_tensor(number).to(x), x)

        term = PairTerm(slice(0, m), features, value, k, 1.0, kind != "inner")
        return PairForm((term,))

    def _arc(self, half: Tensor, **curved: Any) -> Tensor:
        return stereographic_points.dist_from_half_sine(self._k(half), half)

    def _arc_squared(self, haversine: Tensor, **curved: Any) -> Tensor:
        return stereographic_points.sqdist_from_haversine(self._k(haversine), haversine)

    # -- maps -----------------------------------------------------------------------------------

    @_by_one_sign(2)
    def _expmap(self, x: Tensor, v: Tensor) -> Tensor:
        at = inverted(self._k(x), x)
        return at.point(stereographic_maps.expmap(at.k, at.x, at.enter(v)), v)

    @_by_one_sign(3)
    def _logmap(self, x: Tensor, y: Tensor, step: Tensor) -> Tensor:
        at, to, way = inverted_pair(self._k(x), x, y, step)
        return at.leave(stereographic_maps.logmap(at.k, at.x, to.x, way))

    @_by_one_sign(3)
    def _geodesic(self, x: Tensor, y: Tensor, step: Tensor, t: Tensor, **curved: Any) -> Tensor:
        return super()._geodesic(x, y, step, t, **curved)

    def _behind(self, x: Tensor, y: Tensor, step: Tensor, t: Tensor, **curved: Any) -> Tensor:
        at, to, way = inverted_pair(self._k(x), x, y, step)
        return at.point(stereographic_maps.geodesic(at.k, at.x, to.x, way, t), step)

    @_by_one_sign(3)
    def _midpoint(self, x: Tensor, y: Tensor, step: Tensor) -> Tensor:
        at, to, way = inverted_pair(self._k(x), x, y, step, on_the_whole=True)
        return at.point(stereographic_maps.midpoint(at.k, at.x, to.x, way), step)

    def _centroid(self, x: Tensor, w: Tensor) -> Tensor:
        k = self._k(x)
        gap = conformal.gap(k, x)
        space, time = (w * 2 * x / gap).sum(-2), (w * (2 / gap - 1)).sum(-2)
        # On the sphere the normal coordinates of points around infinity have no useful mean.
        among = stereographic_maps.from_embedding(
            k, space, time, torch.ones_like(time), x[..., 0, :]
        )
        return torch.where(k > 0, among, super()._centroid(x, w))

    @_by_one_sign(4)
    def _transport(self, x: Tensor, y: Tensor, step: Tensor, v: Tensor) -> Tensor:
        at, to, way = inverted_pair(self._k(x), x, y, step)
        ratio = conformal.gap(at.k, to.x) / conformal.gap(at.k, at.x)
        return to.leave(ratio * stereographic_maps.gyration(at.k, at.x, to.x, way, at.enter(v)))

    @_by_one_sign(1, doubled=-1)
    def _from_normal(self, v: Tensor) -> Tensor:
        return stereographic_maps.from_normal(self._k(v), v)

    @_by_one_sign(1, doubled=1)
    def _to_normal(self, x: Tensor) -> Tensor:
        return stereographic_maps.to_normal(self._k(x), x)

    def _lift_tangent0(self, v: Tensor) -> Tensor:
        return v / 2

    def _drop_tangent0(self, v: Tensor) -> Tensor:
        return 2 * v

    def _difference(self, x: Tensor, y: Tensor, step: Tensor, **curved: Any) -> Tensor:
        return stereographic_maps.difference(self._k(x), x, y, step)

    def _gyration(self, x: Tensor, y: Tensor, step: Tensor, v: Tensor, **curved: Any) -> Tensor:
        return stereographic_maps.gyration(self._k(x), x, y, step, v)

    def _coadd(self, x: Tensor, y: Tensor, total: Tensor, **curved: Any) -> Tensor:
        return stereographic_maps.coadd(self._k(x), x, y, total)

    # -- volume and cones -----------------------------------------------------------------------

    def _warp(self, x: Tensor) -> Tensor:
        return conformal.warp(self._k(x), x)

    def _log_polar(self, x: Tensor, y: Tensor, step: Tensor) -> tuple[Tensor, Tensor]:
        length, across, reach, ahead = ray_components(x, y, step)
        along = stereographic_points.log_along_ray(self._k(x), length, across, reach, ahead)
        return across * (length > 0), along * (length > 0)

    def _log_sn_ratio(self, v: Tensor) -> Tensor:
        return log_sinc_k(v, self._k(v))

    def _hessian_across(self, s: Tensor) -> Tensor:
        return ctn_times(self._k(s) * s)
