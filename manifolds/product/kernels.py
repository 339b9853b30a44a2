"""The kernels of a product: those of its factors, equal factors in one call."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ..base import Manifold
from ..kernels.arithmetic.vectors import Number, norm
from ..kernels.pairs.products import Products
from ..space_form import Context, divided, times
from .factors import Factors
from .layout import side_by_side
from .pairwise import all_distances


class ProductKernels(Factors):
    """The kernels of :class:`Product`."""

    # -- points and tangent vectors -------------------------------------------------------------

    def _unit_origin(self, x: Tensor) -> Tensor:
        parts = []
        for group, part in zip(self._groups, self._layout.gather(x), strict=True):
            one = self._kernels_of(group)._unit_origin(part)
            parts.append(times(one.expand(part.shape[-2:]), self._radius_of(group, part), 1))
        return self._join(parts)

    def _origin(self, n: int) -> list[float]:
        like = torch.empty(self.ambient_dim(n), dtype=torch.float64)
        origin: list[float] = self._unit_origin(like).tolist()
        return origin

    def _proj(self, x: Tensor, dtype: torch.dtype) -> Tensor:
        parts = []
        for group, part in zip(self._groups, self._layout.gather(x), strict=True):
            radius, curved = self._held_of(group, part)
            point = divided(part, radius)
            if isinstance(radius, Tensor) and radius.ndim > 0 and dtype == torch.float16:
                # The farthest point that float16 can store depends on the factor's own radius.
                each = [
                    self._factor(i)._proj(
                        point[..., j, :], dtype, **{name: k[j] for name, k in curved.items()}
                    )
                    for j, i in enumerate(group.members)
                ]
                projected = torch.stack(each, dim=-2)
            else:
                projected = self._kernels_of(group)._proj(point, dtype, **curved)
            parts.append(times(projected, radius, 1))
        return self._join(parts)

    def _judged(self, check: str, *tensors: Tensor) -> Tensor:
        gathered = zip(*(self._layout.gather(t) for t in tensors), strict=True)
        good = []
        for group, parts in zip(self._groups, gathered, strict=True):
            if group.one_object:
                good.append(getattr(self._kernels_of(group), check)(*parts).all(-1))
                continue
            for j, i in enumerate(group.members):
                good.append(getattr(self._factor(i), check)(*(p[..., j, :] for p in parts)))
        return torch.stack(good).all(0)

    def _norm(self, x: Tensor, v: Tensor, **curved: Any) -> Tensor:
        return self._combined(self._each("_norm", [x], [v], scale=1, hold=True))

    def _defect(self, x: Tensor) -> Tensor:
        defects = [d.amax(-2) for d in self._each("_defect", [x])]
        return torch.cat(defects, dim=-1).amax(-1, keepdim=True)

    def _proj_tangent(self, x: Tensor, v: Tensor) -> Tensor:
        return self._join(self._each("_proj_tangent", [x], [v]))

    def _orthonormal(self, x: Tensor, v: Tensor) -> Tensor:
        self._needs_l2("inner")
        return side_by_side(
            [f.flatten(-2) for f in self._each("_orthonormal", [x], [v], scale=1, hold=True)]
        )

    def _egrad2rgrad(self, x: Tensor, g: Tensor) -> Tensor:
        self._needs_l2("egrad2rgrad")
        return self._join(self._each("_egrad2rgrad", [x], [g], scale=-2, hold=True))

    # -- distances ------------------------------------------------------------------------------

    def _combined(self, lengths: Sequence[Tensor]) -> Tensor:
        """The product's length from those of the groups' factors, (..., g, 1): (..., 1)."""
        each = side_by_side([t.squeeze(-1) for t in lengths])
        if self.metric == "l1":
            return each.sum(-1, keepdim=True)
        return norm(each) if self.metric == "l2" else each.amax(-1, keepdim=True)

    def _dist(self, x: Tensor, y: Tensor, radius: Number = 1.0) -> Tensor:
        return self._combined(self._each_at("_dist", x, y, scale=1))

    def _sqdist(self, x: Tensor, y: Tensor, radius: Number = 1.0) -> Tensor:
        if self.metric != "l2":
            return self._dist(x, y, radius).square()
        squares = self._each_at("_sqdist", x, y, scale=2)
        return side_by_side([s.squeeze(-1) for s in squares]).sum(-1, keepdim=True)

    # With sn(d/2) of the unit space defined as d/2, as on Euclidean space.

    def _arc(self, half: Tensor, **curved: Any) -> Tensor:
        return 2 * half

    def _arc_squared(self, haversine: Tensor, **curved: Any) -> Tensor:
        return 4 * haversine

    def _pair_features(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        self._has_no("pair features", "one form of all pairs; expected pair_form")

    def _pairwise_haversine(
        self, x: Tensor, y: Tensor, kind: Products = "float64", **curved: Any
    ) -> Tensor:
        return all_distances(self, x, y, squared=True, matmul=kind) / 4

    # -- geodesics, transport, volume -----------------------------------------------------------

    def _expmap(self, x: Tensor, v: Tensor) -> Tensor:
        return self._expmap_at(x, v, Context("expmap", 1.0, x.dtype, {}))

    def _expmap_at(self, x: Tensor, v: Tensor, call: Context) -> Tensor:
        parts = []
        gathered = zip(self._groups, self._layout.gather(x), self._layout.gather(v), strict=True)
        for group, point, vector in gathered:
            own = call._replace(radius=self._radius_of(group, point))
            parts.append(self._kernels_of(group)._expmap_at(point, vector, own))
        return self._join(parts)

    def _logmap(self, x: Tensor, y: Tensor, step: Tensor) -> Tensor:
        return self._logmap_at(x, y, 1.0)

    def _logmap_at(self, x: Tensor, y: Tensor, radius: float | Tensor) -> Tensor:
        return self._join(self._each_at("_logmap_at", x, y))

    def _geodesic(self, x: Tensor, y: Tensor, step: Tensor, t: Tensor, **curved: Any) -> Tensor:
        return self._join(self._each("_geodesic", [x, y, step], shared=[t], power=1, hold=True))

    def _between(self, x: Tensor, y: Tensor, step: Tensor, t: Tensor) -> Tensor:
        return self._join(self._each("_between", [x, y, step], shared=[t], power=1, hold=True))

    def _midpoint(self, x: Tensor, y: Tensor, step: Tensor) -> Tensor:
        return self._join(self._each("_midpoint", [x, y, step], power=1, hold=True))

    def _transport(self, x: Tensor, y: Tensor, step: Tensor, v: Tensor) -> Tensor:
        return self._transport_at(x, y, v, 1.0)

    def _transport_at(self, x: Tensor, y: Tensor, v: Tensor, radius: float | Tensor) -> Tensor:
        return self._join(self._each_at("_transport_at", x, y, v))

    def _logdetexp(self, x: Tensor, v: Tensor, **curved: Any) -> Tensor:
        each = self._each("_logdetexp", [x, v], hold=True)
        return side_by_side([t.squeeze(-1) for t in each]).sum(-1, keepdim=True)

    def _mean(self, x: Tensor, weights: Tensor | None, start: Tensor | None) -> Tensor:
        self._needs_l2("mean")
        if x.ndim < 2 or x.shape[-2] == 0:
            raise ValueError(
                f"Product.mean: x has shape {tuple(x.shape)}; expected a set of points (..., k, m),"
                " k > 0."
            )
        # A mean of each factor's own (..., g, k, m), with the same weights.
        batched = isinstance(weights, Tensor) and weights.ndim > 0
        own = weights.unsqueeze(-2) if batched else weights  # type: ignore[union-attr]
        starts = [None] * len(self._groups) if start is None else self._layout.gather(start)
        parts = []
        for group, part, near in zip(self._groups, self._layout.gather(x), starts, strict=True):
            sets = part.transpose(-2, -3)
            if group.one_object:
                parts.append(self._kernels_of(group).mean(sets, own, start=near))
            else:
                each = enumerate(self._factor(i) for i in group.members)
                nears = [
                    None if near is None else near[..., j, :] for j in range(len(group.members))
                ]
                means = [f.mean(sets[..., j, :, :], weights, start=nears[j]) for j, f in each]
                parts.append(torch.stack(means, dim=-2))
        return self._join(parts)

    # -- normal coordinates ---------------------------------------------------------------------

    def _from_normal(self, v: Tensor) -> Tensor:
        self._check("from_normal", "v", v, normal=True)
        parts = []
        for group, part in zip(self._groups, self._layout.gather(v, normal=True), strict=True):
            radius, curved = self._held_of(group, part)
            unscaled = divided(divided(part, self._scale_of(group, part)), radius)
            point = self._kernels_of(group)._from_normal(unscaled, **curved)
            parts.append(times(point, radius, 1))
        return self._join(parts)

    def _to_normal(self, x: Tensor) -> Tensor:
        return self._join(self._each("_to_normal", [x], power=1, scale=1, hold=True))

    def _lift_tangent0(self, v: Tensor) -> Tensor:
        parts = []
        for group, part in zip(self._groups, self._layout.gather(v, normal=True), strict=True):
            unscaled = divided(part, self._scale_of(group, part))
            parts.append(self._kernels_of(group)._lift_tangent0(unscaled))
        return self._join(parts)

    def _drop_tangent0(self, v: Tensor) -> Tensor:
        return self._join(self._each("_drop_tangent0", [], [v], scale=1))

    # -- cones: those of each factor; one that is the product's own if it has a single one -------

    def _cone_parts(self, x: Tensor, y: Tensor, step: Tensor, **curved: Any) -> Tensor:
        each = self._each("_cone_parts", [x, y, step], hold=True)
        joined: Tensor = self._join([parts.flatten(-2) for parts in each])
        return joined.unflatten(-1, (-1, 3))  # type: ignore[no-untyped-call,no-any-return]

    def _warp(self, x: Tensor) -> Tensor:
        factor, (x,) = self._only("half_aperture", x)
        return factor._warp(x)

    def _log_polar(self, x: Tensor, y: Tensor, step: Tensor) -> tuple[Tensor, Tensor]:
        factor, (x, y, step) = self._only("exterior_angle", x, y, step)
        return factor._log_polar(x, y, step)

    def _only(self, op: str, *lengths: Tensor) -> tuple[Manifold, list[Tensor]]:
        if len(self._which) > 1:
            self._has_no(
                op,
                "cones; expected one factor (the method cones gives those of each factor)",
            )
        factor = self._factor(0)
        radius = factor._radius_in(lengths[0].dtype)
        return factor, [divided(x, radius) for x in lengths]

    # What only logdetexp and mean of a space form are made of; the product has its own.

    def _log_sn_ratio(self, v: Tensor) -> Tensor:
        self._has_no("logdetexp", "function sn")

    def _hessian_across(self, s: Tensor) -> Tensor:
        self._has_no("mean", "function sn")
