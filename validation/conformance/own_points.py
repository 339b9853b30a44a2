"""The domain of a manifold whose coordinates are not known here: the points that it makes itself.

Of the manifold only its definition is taken, what ``from_normal`` and ``to_normal`` say of which
point has which normal coordinates. Distances are those of the law of cosines, and the metric is
what the derivative of ``from_normal`` makes of it by Gauss' lemma: along a ray as it is, across it
sn(r)/r times as long. So the maps under test are judged by none of themselves.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ...manifolds import Manifold
from .domains import Domain

_FARTHEST = 1e3
"""Radii, of the largest sample, where the dtype could hold more: as on flat space."""
_KEPT = 0.05
"""What a coordinate's rounding may change of a radius, for points to be worth drawing there."""
_STEEPEST = 2.0**30
"""By how much the frame's vectors may differ in length, for float64 to tell components apart."""


class OwnPoints(Domain):
    """The points of somebody's :class:`Manifold`, of constant curvature."""

    def __init__(self, manifold: Manifold, curvature: float) -> None:
        self.name = type(manifold).__name__
        self.manifold = manifold
        self.curvature = curvature
        self.extra = manifold.ambient_dim(0)
        if curvature > 0:
            self.injectivity = math.pi * self.radius
        self._jacobians: dict[tuple[float, ...], Tensor] = {}

    def reach(self, dtype: torch.dtype) -> float:
        """As far as the radius survives that a point is rounded, and vectors have components."""
        limit = min(_FARTHEST * self.radius, 0.99 * self.injectivity)
        r = self.radius / 8
        while 1.1 * r < limit and self._survives(1.1 * r, dtype):
            r *= 1.1
        return r

    def _survives(self, r: float, dtype: torch.dtype) -> bool:
        v = torch.tensor([3 * r / 5, 4 * r / 5], dtype=torch.float64)
        x = self.point(v).detach()
        kept = self.manifold.to_normal(self.manifold.proj(x.to(dtype))).detach().double()
        if not float((kept.norm() - r).abs()) <= _KEPT * r:
            return False
        frame = self._jacobian(x)
        return bool(frame.isfinite().all()) and float(torch.linalg.cond(frame)) <= _STEEPEST

    def point(self, v: Tensor) -> Tensor:
        """``from_normal``."""
        return self.manifold.from_normal(v)

    def tangent(self, v: Tensor, w: Tensor) -> Tensor:
        """The derivative of ``from_normal``, of w that is r/sn(r) times as long across the ray."""
        v, w = torch.broadcast_tensors(v, w)  # type: ignore[no-untyped-call]
        # A derivative is linear in w, but products inside of it overflow for |w| of 1e200.
        size = w.detach().abs().amax(-1, keepdim=True)
        size = size.where((size > 0) & size.isfinite(), 1.0)
        w = w / size
        square = (v * v).sum(-1, keepdim=True)
        some = square > 0
        along = (v * w).sum(-1, keepdim=True) / square.where(some, 1.0) * v
        r = square.where(some, 1.0).sqrt()
        across = (w - along) * torch.where(some, r / self._sn(r), 1.0)
        moved: Tensor = torch.func.jvp(self.point, (v,), (along + across,))[1]
        return size * moved

    def inner(self, x: Tensor, u: Tensor, w: Tensor) -> Tensor:
        """Of the components in the frame that is carried from the origin."""
        a, b = self._components(x, u), self._components(x, w)
        return (a * b).sum(-1)

    def rounded(self, x: Tensor, dtype: torch.dtype) -> Tensor:
        """By ``proj``, if there is a redundant coordinate."""
        x = x.to(dtype)
        return self.manifold.proj(x.double()).to(dtype) if self.extra else x

    def rounded_tangent(self, x: Tensor, w: Tensor, dtype: torch.dtype) -> Tensor:
        """Of the tangent space, if that is less than all vectors."""
        if not self.extra:
            return w.to(dtype)
        x = x.detach().double()
        return (self._components(x, w) @ self._jacobian(x).mT).to(dtype)

    def defect(self, x: Tensor) -> Tensor:
        """What is left of x by way of its normal coordinates; they lose r units on the way."""
        x = x.double()
        v = self.manifold.to_normal(x)
        off: Tensor = (self.point(v) - x).norm(dim=-1) / x.norm(dim=-1).clamp(min=self.radius)
        return off / (1 + v.norm(dim=-1) / self.radius) if self.extra else off * 0

    def grain(self, x: Tensor) -> float:
        """Of all changes of the coordinates by their own size: which are free is not known."""
        return self.spread(x, x)

    def spread(self, x: Tensor, w: Tensor) -> float:
        """Likewise: a change across the ray is of another length than one along it."""
        each = torch.diag(w.detach().double())
        size = float(each.abs().max())
        if size == 0 or not math.isfinite(size):
            return size
        return size * float(self._components(x.detach().double(), each / size).norm())

    def reflected(self, x: Tensor, normal: Tensor) -> Tensor:
        """Of the normal coordinates."""
        return self.point(_mirrored(self.manifold.to_normal(x), normal)).detach()

    def reflected_tangent(self, x: Tensor, w: Tensor, normal: Tensor) -> Tensor:
        """Of normal coordinates and components."""
        image = _mirrored(self._components(x, w), normal)
        return self.tangent(_mirrored(self.manifold.to_normal(x), normal), image).detach()

    def _sn(self, r: Tensor) -> Tensor:
        k = self.curvature or 0.0
        root = math.sqrt(abs(k))
        return r if k == 0 else (root * r).sin() / root if k > 0 else (root * r).sinh() / root

    def _components(self, x: Tensor, w: Tensor) -> Tensor:
        """In the frame carried from the origin: (m,), (..., m) -> (..., n)."""
        flat = w.reshape(-1, w.shape[-1]).mT
        found: Tensor = torch.linalg.lstsq(self._jacobian(x), flat).solution
        return found.mT.reshape(*w.shape[:-1], -1)

    def _jacobian(self, x: Tensor) -> Tensor:
        """The vectors of that frame as columns, (m, n)."""
        key = tuple(x.tolist())
        if key not in self._jacobians:
            if len(self._jacobians) > 4096:
                self._jacobians.clear()
            v = self.manifold.to_normal(x.detach()).detach()
            frame = torch.eye(v.shape[-1], dtype=v.dtype)
            self._jacobians[key] = torch.stack([self.tangent(v, e) for e in frame], -1).detach()
        return self._jacobians[key]


def _mirrored(v: Tensor, normal: Tensor) -> Tensor:
    return v - 2 * (v @ normal).unsqueeze(-1) / (normal @ normal) * normal
