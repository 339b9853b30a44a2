"""A manifold from a chart alone: all maps by way of the hyperboloid, the sphere or flat space."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from ..base import Manifold
from ..euclidean import Euclidean
from ..kernels.arithmetic.vectors import Number, dot, norm, scale_of
from ..lorentz import Lorentz
from ..space_form import Context, divided, times
from ..sphere import Sphere
from .chart import Chart, Frame, is_far, lateral, outward, quadric, within
from .of_manifolds import FlatChart, LorentzChart, SphereChart

_QUADRICS: dict[int, tuple[Manifold, Chart]] = {
    -1: (Lorentz(-1.0), LorentzChart(-1.0)),
    0: (Euclidean(), FlatChart(0.0)),
    1: (Sphere(1.0), SphereChart(1.0)),
}
"""The space forms as quadrics, whose kernels do the work, and their charts."""


class ChartManifold(Chart, Manifold):
    r"""A model of a space form that says where its points lie, and no more.

    A subclass gives two methods at unit curvature, ``_embed`` and ``_drop``: the point of the
    sphere or hemisphere from coordinates, and back. If coordinates are not all of R^n, ``_holds``
    says which are; what signs of the curvature there are, ``signs``. Tangent vectors follow by
    forward-mode derivatives; ``_to_frame`` and ``_from_frame``, written out, keep their digits far
    out too. With :math:`\phi` from the coordinates to the quadric (the
    hyperboloid, flat space or the sphere) every map is that of the quadric,

    .. math:: \exp_x v = \phi^{-1}\bigl(\exp_{\phi(x)} D\phi_x v\bigr),\qquad
              d(x, y) = d\bigl(\phi(x), \phi(y)\bigr),

    as in Manifolds.jl (``Hyperbolic.jl``). So it has all methods of :class:`Manifold`, and
    isometries, hyperplanes, horospheres, losses, laws, statistics, search and pictures take it.

    Everything is computed in float64: points near an edge of a chart differ in their last digits
    only, and on the quadric those are first ones. In float32 the result is as good as the input is;
    float64 input loses what its own rounding is worth there (``docs/accuracy.md``).

    Args:
        curvature: the sectional curvature K, or a manifold (Lorentz, PoincareBall, Sphere,
            Euclidean): this one then shares its curvature, learnable or not.
        learnable: make K a parameter, which a ``state_dict`` has; a fixed K is in none.
        bounds: ``(low, high)`` that a learnable K stays between.

    Raises:
        TypeError: curvature is neither a number nor one of those manifolds.
        ValueError: the curvature's sign is not one that the chart has; learnable or bounds beside a
            manifold, which has its own.
    """

    _family = "chart"

    def __init__(
        self,
        curvature: float | Manifold = -1.0,
        *,
        learnable: bool = False,
        bounds: tuple[float, float] | None = None,
    ) -> None:
        nn.Module.__init__(self)
        if not isinstance(self.signs, tuple) or not {*self.signs} <= {-1, 0, 1}:
            raise TypeError(
                f"{self._name}: signs is {self.signs!r}; expected a tuple of the signs of the "
                "curvature that the class has, of -1, 0 and 1."
            )
        self.manifold = self._space(curvature, learnable=learnable, bounds=bounds)

    # -- the curvature, which is the manifold's --------------------------------------------------

    @property
    def radius(self) -> float | Tensor:
        """1/sqrt(abs(K)), the unit of length; 1 on flat space."""
        return self.manifold.radius

    @property
    def _magnitude(self) -> Any:  # type: ignore[override]
        return self.manifold._magnitude

    def extra_repr(self) -> str:
        """The curvature, and whether it is learned."""
        return self.manifold.extra_repr()

    __repr__ = Manifold.__repr__

    @property
    def quadric(self) -> Manifold:
        """Lorentz, Euclidean or Sphere with the same curvature, shared if it is learned."""
        kind = type(_QUADRICS[self.sign][0])
        if isinstance(self.manifold, kind):
            return self.manifold
        space: Manifold = cast(Any, kind)()
        space._magnitude = self._magnitude
        return space

    # -- to the quadric and back, at unit curvature ----------------------------------------------

    def _to_unit(
        self,
        op: str,
        points: Sequence[tuple[str, Tensor]],
        tangents: Sequence[tuple[str, Tensor]] = (),
        *,
        least: torch.dtype = torch.float64,
        **options: Any,
    ) -> tuple[list[Tensor], Context]:
        del least
        return super()._to_unit(op, points, tangents, least=torch.float64, **options)

    def _embedded(self, x: Tensor, reach: float | Tensor = torch.inf) -> tuple[Tensor, Tensor]:
        found = self._embed(x)
        n = x.shape[-1] - self._extra_coordinates
        wanted = [(*x.shape[:-1], 1), (*x.shape[:-1], n)]
        shapes = [tuple(a.shape) for a in found] if isinstance(found, tuple) else [tuple(x.shape)]
        if shapes != wanted:
            raise ValueError(
                f"{self._name}._embed: for coordinates {tuple(x.shape)} the result has the shapes "
                f"{shapes}; expected a pair (c, d) of {wanted[0]} and {wanted[1]}."
            )
        c, d = found
        return within(c, d, reach) if self.sign < 0 else (c, d)

    def _dropped(self, c: Tensor, d: Tensor, dtype: torch.dtype) -> Tensor:
        x = self._drop(c, d, dtype)
        wanted = (*d.shape[:-1], d.shape[-1] + self._extra_coordinates)
        if x.shape != wanted:
            raise ValueError(
                f"{self._name}._drop: for d {tuple(d.shape)} the result has shape "
                f"{tuple(x.shape)}; expected {wanted}, one coordinate more if the class sets "
                "_extra_coordinates = 1."
            )
        return x

    def _to_frame(self, x: Tensor, t: Tensor, s: Tensor, v: Tensor) -> Frame:
        # torch writes into what it differentiates, which expanded tensors do not allow.
        x, v = x.contiguous(), v.contiguous()
        by_c, by_d = torch.func.jvp(self._embed, (x,), (v,))[1]
        if self.sign < 0:  # of (1, s)/t
            by_d = (by_d - s * by_c) * t
            by_c = -by_c * t * t
        moved = torch.cat([by_c, by_d], dim=-1) if self.sign else by_d
        return _QUADRICS[self.sign][1]._to_frame(moved, t, s, moved)

    def _from_frame(self, t: Tensor, s: Tensor, w: Frame) -> Tensor:
        moved = _QUADRICS[self.sign][1]._from_frame(t, s, w)
        by_c, by_d = moved[..., :1], moved[..., 1:]
        if self.sign == 0:
            by_c, by_d = torch.zeros_like(t), moved
        c, d = (1 / t, s / t) if self.sign < 0 else (t, s)
        if self.sign < 0:
            by_c, by_d = -by_c / (t * t), (by_d - s * by_c / t) / t
        at = tuple(a.contiguous() for a in torch.broadcast_tensors(c, by_c))  # type: ignore[no-untyped-call]
        to = tuple(a.contiguous() for a in torch.broadcast_tensors(d, by_d))  # type: ignore[no-untyped-call]
        result: Tensor = torch.func.jvp(
            lambda c, d: self._drop(c, d, c.dtype), (at[0], to[0]), (at[1], to[1])
        )[1]
        return result

    def _into(self, x: Tensor) -> Tensor:
        return _QUADRICS[self.sign][1]._drop(*self._embedded(x), x.dtype)

    def _into_vector(self, x: Tensor, v: Tensor) -> Tensor:
        x, v = torch.broadcast_tensors(x, v)  # type: ignore[no-untyped-call]
        t, s = quadric(self.sign, *self._embedded(x))
        scale = scale_of(v)
        frame = self._to_frame(x, t, s, v / scale)
        return scale * _QUADRICS[self.sign][1]._from_frame(t, s, frame)

    def _out(self, q: Tensor, dtype: torch.dtype | None = None) -> Tensor:
        dtype = dtype or q.dtype
        c, d = _QUADRICS[self.sign][1]._embed(q)
        if self.sign < 0:
            c, d = within(c, d, self._reach(dtype, self._radius_in(q.dtype)))
        return self._dropped(c, d, dtype)

    def _out_vector(self, q: Tensor, w: Tensor) -> Tensor:
        q, w = torch.broadcast_tensors(q, w)  # type: ignore[no-untyped-call]
        chart = _QUADRICS[self.sign][1]
        t, s = quadric(self.sign, *chart._embed(q))
        scale = scale_of(w)
        return scale * self._from_frame(t, s, chart._to_frame(q, t, s, w / scale))

    # -- kernels ---------------------------------------------------------------------------------

    def _proj(self, x: Tensor, dtype: torch.dtype) -> Tensor:
        reach = self._reach(dtype, self._radius_in(x.dtype))
        return self._dropped(*self._embedded(x, reach), dtype)

    def _defect(self, x: Tensor) -> Tensor:
        off, inside = norm(self._proj(x, x.dtype) - x) / (1 + norm(x)), self._holds(x)
        if inside.shape != off.shape:
            raise ValueError(
                f"{self._name}._holds: for coordinates {tuple(x.shape)} the result has shape "
                f"{tuple(inside.shape)}; expected {tuple(off.shape)}."
            )
        return torch.where(inside, off, torch.inf)

    def _proj_tangent(self, x: Tensor, v: Tensor) -> Tensor:
        if self._extra_coordinates == 0:
            return v.expand(torch.broadcast_shapes(x.shape, v.shape))  # type: ignore[no-untyped-call]
        return self._out_vector(self._into(x), self._into_vector(x, v))

    def _components(self, x: Tensor, v: Tensor) -> tuple[Tensor, Tensor, Frame]:
        x, v = torch.broadcast_tensors(x, v)  # type: ignore[no-untyped-call]
        t, s = quadric(self.sign, *self._embedded(x))
        return t, s, self._to_frame(x, t, s, v)

    def _orthonormal(self, x: Tensor, v: Tensor) -> Tensor:
        _, _, frame = self._components(x, v)
        return torch.cat([frame.along, frame.across], dim=-1)

    def _pair_features(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return self._kernels._pair_features(self._into(x))

    @property
    def _kernels(self) -> Manifold:
        return _QUADRICS[self.sign][0]

    def _dist(self, x: Tensor, y: Tensor, radius: Number = 1.0) -> Tensor:
        x, y = (self._into(divided(z, radius)) for z in (x, y))
        return times(self._kernels._dist(x, y), radius, 1)

    def _sqdist(self, x: Tensor, y: Tensor, radius: Number = 1.0) -> Tensor:
        x, y = (self._into(divided(z, radius)) for z in (x, y))
        return times(self._kernels._sqdist(x, y), radius, 2)

    def _haversine(self, x: Tensor, y: Tensor, radius: Number = 1.0) -> Tensor:
        x, y = (self._into(divided(z, radius)) for z in (x, y))
        return self._kernels._haversine(x, y)

    def _expmap(self, x: Tensor, v: Tensor) -> Tensor:
        return self._out(self._kernels._expmap(self._into(x), self._into_vector(x, v)))

    def _logmap(self, x: Tensor, y: Tensor, step: Tensor) -> Tensor:
        p, q = self._into(x), self._into(y)
        return self._out_vector(p, self._kernels._logmap(p, q, q - p))

    def _geodesic(self, x: Tensor, y: Tensor, step: Tensor, t: Tensor, **curved: Any) -> Tensor:
        p, q = self._into(x), self._into(y)
        return self._out(self._kernels._geodesic(p, q, q - p, t))

    def _midpoint(self, x: Tensor, y: Tensor, step: Tensor) -> Tensor:
        p, q = self._into(x), self._into(y)
        return self._out(self._kernels._midpoint(p, q, q - p))

    def _transport(self, x: Tensor, y: Tensor, step: Tensor, v: Tensor) -> Tensor:
        p, q = self._into(x), self._into(y)
        w = self._kernels._transport(p, q, q - p, self._into_vector(x, v))
        return self._out_vector(q, w)

    def _egrad2rgrad(self, x: Tensor, g: Tensor) -> Tensor:
        # v = J w with w orthonormal components: g.v = (J^T g).w, so the gradient is J J^T g.
        x, g = torch.broadcast_tensors(x, g)  # type: ignore[no-untyped-call]
        t, s = quadric(self.sign, *self._embedded(x))
        far, ray = is_far(t), outward(t, s)[0]

        def coordinates(w: Tensor) -> Tensor:
            along = dot(ray, w).where(far, 0.0)
            return self._from_frame(t, s, Frame(torch.where(far, lateral(ray, w), w), along))

        transposed = torch.func.vjp(coordinates, torch.zeros_like(s))[1]
        return coordinates(*transposed(g))

    def _from_normal(self, v: Tensor) -> Tensor:
        return self._out(self._kernels._from_normal(v))

    def _to_normal(self, x: Tensor) -> Tensor:
        return self._kernels._to_normal(self._into(x))

    def _unit_origin(self, x: Tensor) -> Tensor:
        n = x.shape[-1] - self._extra_coordinates
        c = torch.ones(1, dtype=x.dtype, device=x.device)
        return self._drop(c, torch.zeros(n, dtype=x.dtype, device=x.device), x.dtype)

    def _origin(self, n: int) -> list[float]:
        like = torch.empty(n + self._extra_coordinates, dtype=torch.float64)
        origin: list[float] = self._unit_origin(like).tolist()
        return origin

    def _lift_tangent0(self, v: Tensor) -> Tensor:
        t = torch.ones_like(v[..., :1])
        return self._from_frame(t, torch.zeros_like(v), Frame(v, torch.zeros_like(t)))

    def _drop_tangent0(self, v: Tensor) -> Tensor:
        origin = self._unit_origin(v).expand_as(v)
        t = torch.ones_like(v[..., :1])
        s = torch.zeros_like(v[..., self._extra_coordinates :])
        return self._to_frame(origin, t, s, v).across

    def _warp(self, x: Tensor) -> Tensor:
        return self._kernels._warp(self._into(x))

    def _log_polar(self, x: Tensor, y: Tensor, step: Tensor) -> tuple[Tensor, Tensor]:
        p, q = self._into(x), self._into(y)
        return self._kernels._log_polar(p, q, q - p)
