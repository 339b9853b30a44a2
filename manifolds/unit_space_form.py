"""What one manifold must give, at unit curvature, and what follows from it there."""

from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor

from .kernels.arithmetic.vectors import Number, norm
from .kernels.functions import unit_trig
from .kernels.hyperboloid.geodesic import from_nearer_end, multiple
from .kernels.pairs.products import Products, inner_products, noise


class UnitSpaceForm(ABC):
    """The kernels of a space form of curvature -1, 0 or 1.

    All keep the last axis and check nothing. Those that are given ``curved`` have the curvature in
    their formulas: see :func:`~spaceforms.manifolds.space_form.held`.
    """

    _extra_coordinates: int = 0

    @property
    def _name(self) -> str:
        return type(self).__name__

    @property
    def sign(self) -> int:
        """Sign of the curvature: -1, 0 or 1; an attribute of a class that has one sign."""
        raise NotImplementedError(f"{self._name}: the class has no sign; expected -1, 0 or 1.")

    @property
    def _form_at_coincidence(self) -> int | None:
        """cinner(x, x) at unit curvature; None on flat space, where it depends on x."""
        return self.sign or None

    @property
    def _form_is_dot(self) -> bool:
        """Whether cinner is the inner product of the coordinates."""
        return self._form_at_coincidence is None

    # -- what a manifold must give, at unit curvature -------------------------------------------

    @abstractmethod
    def _proj(self, x: Tensor, dtype: torch.dtype) -> Tensor:
        """The point of the manifold nearest in kind to x that ``dtype`` can hold."""

    @abstractmethod
    def _proj_tangent(self, x: Tensor, v: Tensor) -> Tensor: ...

    def _holds(self, x: Tensor) -> Tensor:
        """Whether coordinates are in the open set that the model is, (..., m) -> (..., 1)."""
        return torch.ones_like(x[..., :1], dtype=torch.bool)

    @abstractmethod
    def _defect(self, x: Tensor) -> Tensor:
        """How far x is off the manifold, relative to its size; 0 on it."""

    @abstractmethod
    def _orthonormal(self, x: Tensor, v: Tensor) -> Tensor:
        """Components of v whose Euclidean inner products are the Riemannian ones at x."""

    def _half_chord(self, x: Tensor, y: Tensor, step: Tensor) -> Tensor:
        """A vector of Euclidean norm sn(d/2): sinh(d/2), d/2 or sin(d/2) by the sign of K.

        Here and below ``step`` is y - x, subtracted before the division by R: the difference of
        two points divided first would carry the rounding of both. Not needed where ``_dist`` and
        ``_sqdist`` do without it; ``_haversine`` then goes by the distance, if it does not too.
        """
        raise NotImplementedError

    @abstractmethod
    def _pair_features(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(X, p, q) of (..., m): (..., n), (..., 1) and (..., 1), p and q not negative.

        sn(d/2)^2 is the bilinear form (p_x q_y + q_x p_y - X_x.X_y)/2, and that is how the
        distances of all pairs become one matrix product.
        """

    def _pairwise_haversine(
        self, x: Tensor, y: Tensor, kind: Products = "float64", **curved: Any
    ) -> Tensor:
        """sn(d/2)^2 of (..., p, m) against (..., q, m) -> (..., p, q) by matrix products of a kind.

        In the dtype of the points, or in float32 if the products are.
        """
        (a, p, q), (b, r, s) = (self._pair_features(z, **curved) for z in (x, y))
        size = p * s.mT + q * r.mT
        haversine = (size - inner_products(a, b, kind)) / 2
        # What the cancellation leaves of equal points is noise of this size: call it zero.
        beneath = noise(kind, a.shape[-1]) * size
        haversine = haversine.where(haversine > beneath, haversine * 0)
        return haversine if kind == "float64" else haversine.float()

    @abstractmethod
    def _expmap(self, x: Tensor, v: Tensor) -> Tensor: ...

    @abstractmethod
    def _logmap(self, x: Tensor, y: Tensor, step: Tensor) -> Tensor: ...

    @abstractmethod
    def _transport(self, x: Tensor, y: Tensor, step: Tensor, v: Tensor) -> Tensor: ...

    @abstractmethod
    def _egrad2rgrad(self, x: Tensor, g: Tensor) -> Tensor: ...

    @abstractmethod
    def _from_normal(self, v: Tensor) -> Tensor: ...

    @abstractmethod
    def _to_normal(self, x: Tensor) -> Tensor: ...

    @abstractmethod
    def _warp(self, x: Tensor) -> Tensor:
        """sn(r), r the distance from the origin: the warping function of the metric at x."""

    @abstractmethod
    def _log_polar(self, x: Tensor, y: Tensor, step: Tensor) -> tuple[Tensor, Tensor]:
        """(across, along): a positive multiple of log_x(y)'s components across and along the
        outward ray at x; across >= 0."""

    def _cone_parts(self, x: Tensor, y: Tensor, step: Tensor, **curved: Any) -> Tensor:
        """``_warp`` and the two of ``_log_polar`` of each factor: (..., k, 3)."""
        parts = torch.broadcast_tensors(
            self._warp(x, **curved), *self._log_polar(x, y, step, **curved)
        )  # type: ignore[no-untyped-call]
        return torch.stack(parts, dim=-1)

    # -- what follows from these, the sign and the number of coordinates -------------------------

    def _origin(self, n: int) -> list[float]:
        """Coordinates of the origin of the n-dimensional space: (1, 0, ..., 0) if embedded, 0."""
        return [1.0] * self._extra_coordinates + [0.0] * n

    def _unit_origin(self, x: Tensor) -> Tensor:
        """The origin of the space of x (..., m), shape (m,), in its dtype and on its device."""
        n = x.shape[-1] - self._extra_coordinates
        return torch.tensor(self._origin(n), dtype=x.dtype, device=x.device)

    def _lift_tangent0(self, v: Tensor) -> Tensor:
        """A vector in normal coordinates as a tangent vector at the origin."""
        return torch.cat([torch.zeros_like(v[..., :1]), v], -1) if self._extra_coordinates else v

    def _drop_tangent0(self, v: Tensor) -> Tensor:
        """The inverse of ``_lift_tangent0``."""
        return v[..., self._extra_coordinates :]

    def _arc(self, half: Tensor, **curved: Any) -> Tensor:
        """The distance d from sn(d/2) >= 0."""
        return unit_trig.arc(self.sign, half, **curved)

    def _arc_squared(self, haversine: Tensor, **curved: Any) -> Tensor:
        """The squared distance d^2 from sn(d/2)^2, smooth at 0."""
        return unit_trig.arc_squared(self.sign, haversine, **curved)

    def _log_sn_ratio(self, v: Tensor) -> Tensor:
        """log|sn(t)/t| at t = |v|."""
        return unit_trig.log_sn_ratio(self.sign, v)

    def _hessian_across(self, s: Tensor) -> Tensor:
        """t cs(t)/sn(t) at t = sqrt(s): eigenvalue of Hess d^2/2 across the geodesic."""
        return unit_trig.hessian_across(self.sign, s)

    def _geodesic(self, x: Tensor, y: Tensor, step: Tensor, t: Tensor, **curved: Any) -> Tensor:
        """At any real t, (..., 1)."""
        return self._behind(*from_nearer_end(x, y, step, t), **curved)

    def _behind(self, x: Tensor, y: Tensor, step: Tensor, t: Tensor, **curved: Any) -> Tensor:
        """The same at t <= 1/2, where x is the nearer end."""
        return self._expmap(x, multiple(t, self._logmap(x, y, step, **curved)), **curved)

    def _between(self, x: Tensor, y: Tensor, step: Tensor, t: Tensor) -> Tensor:
        """The same at 0 <= t <= 1."""
        return self._geodesic(x, y, step, t)

    def _by_both_ends(self, x: Tensor, y: Tensor, step: Tensor, t: Tensor, **curved: Any) -> Tensor:
        """``_geodesic`` of a manifold that has a ``_between`` of its own."""
        beyond = (t < 0) | (t > 1)
        outside = UnitSpaceForm._geodesic(self, x, y, step, t.where(beyond, 0.0), **curved)
        inside = self._between(x, y, step, t.where(~beyond, 0.0), **curved)
        return torch.where(beyond, outside, inside)

    def _midpoint(self, x: Tensor, y: Tensor, step: Tensor) -> Tensor:
        return self._between(x, y, step, torch.full_like(step[..., :1], 0.5))

    def _centroid(self, x: Tensor, w: Tensor) -> Tensor:
        """A point amid x (..., k, m) of weights w (..., k, 1), to search for a mean from."""
        return self._from_normal((w * self._to_normal(x)).sum(-2))

    def _norm(self, x: Tensor, v: Tensor, **curved: Any) -> Tensor:
        return norm(self._orthonormal(x, v, **curved))

    def _unit_frame(self, x: Tensor, v: Tensor, k: Number = 1.0) -> Tensor:
        """``_frame`` in units of R."""
        if isinstance(k, float):
            return self._orthonormal(x, v)
        return k.sqrt() * self._orthonormal(x, v, k=k)  # type: ignore[call-arg]

    def _logdetexp(self, x: Tensor, v: Tensor, **curved: Any) -> Tensor:
        n = x.shape[-1] - self._extra_coordinates
        return (n - 1) * self._log_sn_ratio(self._unit_frame(x, v, **curved))
