"""Isometries of a model that is known by its chart: those of its quadric, seen through it."""

from __future__ import annotations

from typing import final

import torch
from torch import Tensor

from ..base import Manifold
from ..charts.chart_manifold import ChartManifold
from ..charts.convert import convert, convert_vector
from ..kernels.arithmetic.vectors import expanded
from .isometry import Isometry


@final
class Conjugate(Isometry):
    r""":math:`\phi^{-1}\circ g\circ\phi` for an isometry g of the quadric.

    Results have the wider of two dtypes: the points' and that of what g was made of.
    """

    def __init__(self, model: ChartManifold, inner: Isometry, dtype: torch.dtype) -> None:
        super().__init__(model)
        self.model, self.inner, self.dtype = model, inner, dtype

    def __call__(self, x: Tensor) -> Tensor:
        space, q = self._at("isometry", x)
        dtype = torch.promote_types(x.dtype, self.dtype)
        return convert(self.inner(q), space, self.model).to(dtype)

    def push(self, x: Tensor, v: Tensor) -> Tensor:
        self.manifold._to_unit("push", [("x", x)], [("v", v)])  # raises if they do not fit
        dtype = torch.promote_types(torch.promote_types(x.dtype, v.dtype), self.dtype)
        x, v = expanded(x.double(), v), expanded(v.double(), x)
        space, q = self._at("push", x)
        w = self.inner.push(q, convert_vector(x, v, self.model, space))
        return convert_vector(self.inner(q), w, space, self.model).to(dtype)

    def _at(self, op: str, x: Tensor) -> tuple[Manifold, Tensor]:
        self.manifold._to_unit(op, [("x", x)])
        space = self.inner.manifold
        return space, convert(x.double(), self.model, space)

    def inverse(self) -> Isometry:
        return Conjugate(self.model, self.inner.inverse(), self.dtype)

    def __repr__(self) -> str:
        return f"{type(self.inner).__name__}({self.manifold!r})"
