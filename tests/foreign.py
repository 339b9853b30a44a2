"""A manifold as a user writes one, by CONTRIBUTING: hyperbolic space in Klein's coordinates."""

from __future__ import annotations

import torch
from torch import Tensor

from spaceforms.manifolds import Lorentz, Manifold

_HYPERBOLOID = Lorentz(-1.0)


def _dot(a: Tensor, b: Tensor) -> Tensor:
    return (a * b).sum(-1, keepdim=True)


def _lift(x: Tensor) -> Tensor:
    """The point of the hyperboloid on the line through the centre and (1, x)."""
    t = (1 - _dot(x, x)).rsqrt()
    return torch.cat([t, t * x], dim=-1)


def _drop(y: Tensor) -> Tensor:
    return y[..., 1:] / (1 + _dot(y[..., 1:], y[..., 1:])).sqrt()


def _push(x: Tensor, v: Tensor) -> Tensor:
    """The differential of ``_lift`` at x."""
    t = _lift(x)[..., :1]
    slope = t**3 * _dot(x, v)
    return torch.cat([slope, t * v + slope * x], dim=-1)


def _pull(x: Tensor, w: Tensor) -> Tensor:
    """The inverse of ``_push``."""
    return (w[..., 1:] - _dot(x, w[..., 1:]) * x) / _lift(x)[..., :1]


class Klein(Manifold):
    """The open ball of radius 1/sqrt(-K) in which geodesics are straight lines."""

    sign = -1

    def __init__(self, curvature: float = -1.0, **options) -> None:
        super().__init__(curvature, **options)

    def _proj(self, x, dtype):
        limit = 1 - 2 * torch.finfo(dtype).eps
        square = _dot(x, x)
        outside = square > limit**2
        return torch.where(outside, limit * x * square.where(outside, 1.0).rsqrt(), x)

    def _proj_tangent(self, x, v):
        return v

    def _defect(self, x):
        return torch.where(_dot(x, x) < 1, 0.0, torch.inf).to(x.dtype)

    def _orthonormal(self, x, v):
        return _HYPERBOLOID._orthonormal(_lift(x), _push(x, v))

    def _pair_features(self, x):
        return _HYPERBOLOID._pair_features(_lift(x))

    def _dist(self, x, y, radius=1.0):
        return radius * _HYPERBOLOID._dist(_lift(x / radius), _lift(y / radius))

    def _sqdist(self, x, y, radius=1.0):
        return radius**2 * _HYPERBOLOID._sqdist(_lift(x / radius), _lift(y / radius))

    def _expmap(self, x, v):
        return _drop(_HYPERBOLOID._expmap(_lift(x), _push(x, v)))

    def _logmap(self, x, y, step):
        return _pull(x, _HYPERBOLOID._logmap(_lift(x), _lift(y), step))

    def _transport(self, x, y, step, v):
        a, b = _lift(x), _lift(y)
        return _pull(y, _HYPERBOLOID._transport(a, b, b - a, _push(x, v)))

    def _egrad2rgrad(self, x, g):
        # The inverse of the metric, (1 - |x|^2)(1 - x x^T).
        return (1 - _dot(x, x)) * (g - _dot(x, g) * x)

    def _from_normal(self, v):
        return _drop(_HYPERBOLOID._from_normal(v))

    def _to_normal(self, x):
        return _HYPERBOLOID._to_normal(_lift(x))

    def _warp(self, x):
        return _HYPERBOLOID._warp(_lift(x))

    def _log_polar(self, x, y, step):
        a, b = _lift(x), _lift(y)
        return _HYPERBOLOID._log_polar(a, b, b - a)
