"""Euclidean space."""

from typing import final

import torch
from torch import Tensor

from .base import Manifold
from .kernels.arithmetic.ray_components import ray_components
from .kernels.arithmetic.vectors import dot, expanded, norm


@final
class Euclidean(Manifold):
    r"""Euclidean space R^n, K = 0: the flat control every curved claim needs.

    ============== ==============================================
    point          x in R^n; origin 0
    metric         :math:`\langle u, v\rangle = u\cdot v`
    distance       :math:`|x - y|`
    expmap, logmap :math:`x + v`, :math:`y - x`
    transport      identity
    ============== ==============================================

    The unit of length R is 1, so cones and their ``min_radius`` mean what they mean on a curved
    space near its origin.
    """

    sign = 0
    _family = "unit"

    def __init__(self) -> None:
        super().__init__(0.0)

    def _proj(self, x: Tensor, dtype: torch.dtype) -> Tensor:
        return x

    def _proj_tangent(self, x: Tensor, v: Tensor) -> Tensor:
        return expanded(v, x)

    def _defect(self, x: Tensor) -> Tensor:
        return torch.zeros_like(x[..., :1])

    def _orthonormal(self, x: Tensor, v: Tensor) -> Tensor:
        return self._proj_tangent(x, v)

    def _half_chord(self, x: Tensor, y: Tensor, step: Tensor) -> Tensor:
        return step / 2

    def _pair_features(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        square = dot(x, x)
        return x, square / 2, torch.ones_like(square)

    def _expmap(self, x: Tensor, v: Tensor) -> Tensor:
        return x + v

    def _logmap(self, x: Tensor, y: Tensor, step: Tensor) -> Tensor:
        return step

    def _midpoint(self, x: Tensor, y: Tensor, step: Tensor) -> Tensor:
        return x / 2 + y / 2

    def _transport(self, x: Tensor, y: Tensor, step: Tensor, v: Tensor) -> Tensor:
        return expanded(v, x, y)

    def _egrad2rgrad(self, x: Tensor, g: Tensor) -> Tensor:
        return self._proj_tangent(x, g)

    def _from_normal(self, v: Tensor) -> Tensor:
        return v

    def _to_normal(self, x: Tensor) -> Tensor:
        return x

    def _warp(self, x: Tensor) -> Tensor:
        return norm(x)

    def _log_polar(self, x: Tensor, y: Tensor, step: Tensor) -> tuple[Tensor, Tensor]:
        size, across, _, ahead = ray_components(x, y, step)
        return across * (size > 0), ahead * (size > 0)
