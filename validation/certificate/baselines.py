"""The same maps as geoopt has them, and as textbooks write them, for comparison."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


class Geoopt:
    """geoopt's manifold of a curvature under our names; only the maps it has are attributes."""

    def __init__(self, manifold: str, k: float) -> None:
        import geoopt

        self.radius = 1.0 if k == 0 else 1 / math.sqrt(abs(k))
        self._unit = manifold == "Sphere"  # geoopt has the sphere of radius 1 only
        if manifold == "Lorentz":
            self._peer: Any = geoopt.Lorentz(k=torch.tensor(1 / abs(k), dtype=torch.float64))
        elif manifold == "PoincareBall":
            self._peer = geoopt.PoincareBall(c=torch.tensor(abs(k), dtype=torch.float64))
        elif manifold == "Stereographic":
            self._peer = geoopt.Stereographic(k=torch.tensor(k, dtype=torch.float64))
        else:
            self._peer = geoopt.Sphere() if self._unit else geoopt.Euclidean(ndim=1)
        same = ("dist", "expmap", "logmap", "inner", "norm", "egrad2rgrad", "expmap0", "logmap0")
        other = {"sqdist": "dist2", "transport": "transp", "proj": "projx"}
        if self._unit:
            del other["transport"]  # its transp is a projection, not parallel transport
        self._names = {**dict(zip(same, same, strict=True)), **other}

    def __getattr__(self, name: str) -> Callable[..., Tensor]:
        peer = self.__dict__.get("_peer")
        theirs = self.__dict__.get("_names", {}).get(name)
        if theirs is None or not hasattr(peer, theirs):
            raise AttributeError(name)

        def call(*arguments: Tensor) -> Tensor:
            dtype, values = arguments[0].dtype, list(arguments)
            if name == "norm" and type(peer).__name__ == "Lorentz":
                values = values[1:]
            powers = {"dist": 1, "sqdist": 2, "expmap": 1, "logmap": 1, "proj": 1}
            if self._unit:
                linear = name not in powers
                values = [
                    v if linear and i > (name == "transport") else v / self.radius
                    for i, v in enumerate(values)
                ]
            # Without keepdim its ball's inner product pairs every row with every other.
            keep = {"keepdim": True} if name == "inner" else {}
            result: Tensor = getattr(peer, theirs)(*values, **keep)
            result = result.squeeze(-1) if keep else result
            if self._unit and name in powers:
                result = result * self.radius ** powers[name]
            return result.to(dtype)

        return call


class Textbook:
    """Distances, exp and log in the form that papers print them."""

    def __init__(self, manifold: str, k: float) -> None:
        self._k, self._c = k, math.sqrt(abs(k))
        for name in ("dist", "expmap", "logmap"):
            own = getattr(self, f"_{name}_{manifold}", None)
            if own is not None:
                setattr(self, name, own)

    def _dist_Lorentz(self, x: Tensor, y: Tensor) -> Tensor:
        return torch.acosh(self._k * _minkowski(x, y)).squeeze(-1) / self._c

    def _expmap_Lorentz(self, x: Tensor, v: Tensor) -> Tensor:
        t = self._c * _minkowski(v, v).sqrt()
        return t.cosh() * x + t.sinh() * v / t

    def _logmap_Lorentz(self, x: Tensor, y: Tensor) -> Tensor:
        a = self._k * _minkowski(x, y)
        return torch.acosh(a) / (a * a - 1).sqrt() * (y - a * x)

    def _dist_PoincareBall(self, x: Tensor, y: Tensor) -> Tensor:
        # Ganea et al. 2018: by Moebius addition and artanh.
        return 2 / self._c * torch.atanh(self._c * self._add(-x, y).norm(dim=-1))

    def _expmap_PoincareBall(self, x: Tensor, v: Tensor) -> Tensor:
        size = v.norm(dim=-1, keepdim=True)
        scale = self._c / (1 + self._k * (x * x).sum(-1, keepdim=True))
        return self._add(x, (scale * size).tanh() * v / (self._c * size))

    def _logmap_PoincareBall(self, x: Tensor, y: Tensor) -> Tensor:
        d = self._add(-x, y)
        size: Tensor = d.norm(dim=-1, keepdim=True)
        gap = 1 + self._k * (x * x).sum(-1, keepdim=True)
        result: Tensor = gap / self._c * torch.atanh(self._c * size) * d / size
        return result

    def _add(self, x: Tensor, y: Tensor) -> Tensor:
        xy, x2, y2 = ((a * b).sum(-1, keepdim=True) for a, b in ((x, y), (x, x), (y, y)))
        c = -self._k
        numerator: Tensor = (1 + 2 * c * xy + c * y2) * x + (1 - c * x2) * y
        return numerator / (1 + 2 * c * xy + c * c * x2 * y2)

    def _dist_Sphere(self, x: Tensor, y: Tensor) -> Tensor:
        return torch.acos(self._k * (x * y).sum(-1)) / self._c

    def _expmap_Sphere(self, x: Tensor, v: Tensor) -> Tensor:
        t: Tensor = self._c * v.norm(dim=-1, keepdim=True)
        return t.cos() * x + t.sin() * v / t

    def _logmap_Sphere(self, x: Tensor, y: Tensor) -> Tensor:
        a = self._k * (x * y).sum(-1, keepdim=True)
        return torch.acos(a) / (1 - a * a).sqrt() * (y - a * x)


def _minkowski(x: Tensor, y: Tensor) -> Tensor:
    return (x[..., 1:] * y[..., 1:]).sum(-1, keepdim=True) - x[..., :1] * y[..., :1]


PEERS: dict[str, Callable[[str, float], Any]] = {"geoopt": Geoopt, "textbook": Textbook}
