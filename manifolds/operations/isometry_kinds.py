"""The kinds of isometries, each by what it does at one point."""

from __future__ import annotations

from abc import abstractmethod
from typing import final

import torch
from torch import Tensor

from ..base import Manifold
from ..checks import check_broadcast, check_coordinates
from ..kernels.arithmetic.vectors import scale_of
from ..manifold_checks import check_one
from ..space_form import divided
from .isometry import Isometry
from .moving_frame import tangents


@final
class Rotation(Isometry):
    """An orthogonal map of the tangent space at the origin; see :func:`rotation`."""

    _op = "rotation"

    def __init__(self, manifold: Manifold, q: Tensor) -> None:
        check_one("rotation", manifold, "factorwise takes a rotation of each factor of a product")
        super().__init__(manifold)
        check_coordinates("rotation", [("q", q)], 1, sets=True)
        if q.shape[-1] != q.shape[-2]:
            raise ValueError(
                f"rotation: q has shape {tuple(q.shape)}; expected square matrices (..., n, n)."
            )
        self.q = q

    def __call__(self, x: Tensor) -> Tensor:
        (x_,), call = self.manifold._to_unit(self._op, [("x", x)])
        turned = self._turned(self._op, x_)
        call = call.in_dtype(torch.promote_types(call.dtype, self.q.dtype))
        return self.manifold._from_unit_point(turned, call)

    def inverse(self) -> Isometry:
        return Rotation(self.manifold, self.q.mT)

    def _origin(self) -> Tensor:
        return self.manifold.origin(self.q.shape[-1], dtype=self.q.dtype, device=self.q.device)

    def _turned(self, op: str, x: Tensor) -> Tensor:
        extra = self.manifold._extra_coordinates
        n = x.shape[-1] - extra
        if self.q.shape[-1] != n:
            raise ValueError(
                f"{self.manifold._name}.{op}: x has shape {tuple(x.shape)}, dimension "
                f"{n}, and q has shape {tuple(self.q.shape)}; expected the same dimension."
            )
        if self.q.device != x.device:
            raise ValueError(
                f"{self.manifold._name}.{op}: x is on {x.device} and q is on {self.q.device}; "
                "expected both on one device."
            )
        check_broadcast(op, "q", self.q, self.q.shape[:-2], x.shape[:-1])
        # In float64, as every matrix product of a manifold: autocast and TF32 leave that alone.
        q, wide = self.q.double(), x[..., extra:].double()
        turned = wide @ q.mT if q.ndim == 2 else (q @ wide.unsqueeze(-1)).squeeze(-1)
        turned = turned.to(torch.promote_types(x.dtype, self.q.dtype))
        fixed = x[..., :extra].to(turned.dtype).expand(*turned.shape[:-1], extra)
        return torch.cat([fixed, turned], dim=-1)


class _Based(Isometry):
    """An isometry given by what it does at one point, p."""

    p: Tensor

    @abstractmethod
    def _image(self, p: Tensor, x: Tensor, step: Tensor) -> Tensor:
        """The image of x at unit curvature, not projected; ``step`` is x - p."""

    def __call__(self, x: Tensor) -> Tensor:
        (x_, p_), call = self.manifold._to_unit(self._op, [("x", x), ("p", self.p)])
        working = torch.promote_types(call.dtype, torch.float32)
        # Subtracted before the division by R.
        step = divided(x.to(working) - self.p.to(working), call.radius)
        return self.manifold._from_unit_point(self._image(p_, x_, step), call)

    def _origin(self) -> Tensor:
        n = self.p.shape[-1] - self.manifold._extra_coordinates
        return self.manifold.origin(n, dtype=self.p.dtype, device=self.p.device)


@final
class Translation(_Based):
    """The transvection along the geodesic from p to q; see :func:`translation`."""

    _op = "translation"

    def __init__(self, manifold: Manifold, p: Tensor, q: Tensor) -> None:
        super().__init__(manifold)
        manifold._to_unit(self._op, [("p", p), ("q", q)])  # raises if they are no points
        dtype = torch.promote_types(p.dtype, q.dtype)
        self.p, self.q = p.to(dtype), q.to(dtype)

    def _image(self, p: Tensor, x: Tensor, step: Tensor) -> Tensor:
        kept, dtype = tangents(self.manifold), x.dtype
        ends = self.p.to(dtype), self.q.to(dtype)
        p, q, way, _, _ = self.manifold._unchecked._pair_to_unit(self._op, *ends)
        w, rest = kept.log(p, x, step)
        return kept.exp(q, kept.transport(p, q, way, w), rest)

    def inverse(self) -> Isometry:
        return Translation(self.manifold, self.q, self.p)


@final
class Reflection(_Based):
    """The reflection in a hyperplane; see :func:`reflection`."""

    _op = "reflection"

    def __init__(self, manifold: Manifold, p: Tensor, a: Tensor) -> None:
        check_one(
            "reflection",
            manifold,
            "a product has no reflection but those of its factors (what a normal with parts in "
            "several of them is orthogonal to bends), which factorwise takes",
        )
        super().__init__(manifold)
        manifold._to_unit(self._op, [("p", p)], [("a", a)])
        dtype = torch.promote_types(p.dtype, a.dtype)
        self.p, self.a = p.to(dtype), a.to(dtype)

    def _image(self, p: Tensor, x: Tensor, step: Tensor) -> Tensor:
        kept, a = tangents(self.manifold), self.a.to(x.dtype)
        a = kept.enter(p, a / scale_of(a))  # only its direction counts: none is subnormal
        return kept.mirrored(p, x, step, a)

    def inverse(self) -> Isometry:
        return self


@final
class PointReflection(_Based):
    """The geodesic symmetry at a point; see :func:`point_reflection`."""

    _op = "point_reflection"

    def __init__(self, manifold: Manifold, p: Tensor) -> None:
        super().__init__(manifold)
        manifold._to_unit(self._op, [("p", p)])
        self.p = p

    def _image(self, p: Tensor, x: Tensor, step: Tensor) -> Tensor:
        kept = tangents(self.manifold)
        w, rest = kept.log(p, x, step)
        return kept.exp(p, -w, rest)

    def inverse(self) -> Isometry:
        return self
