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
    """The maps in the form that papers print them; only those that a paper has are attributes.

    Hyperboloid: Nickel & Kiela 2018, Chami et al. 2019 (transport), Desai et al. 2023, "MERU", (the
    lift and its inverse, of space parts; cones). Ball: Ganea, Becigneul & Hofmann 2018, "Hyperbolic
    neural networks" (maps) and "Hyperbolic entailment cones". Sphere: Absil, Mahony & Sepulchre
    2008.
    """

    def __init__(self, manifold: str, k: float) -> None:
        self._k, self._c = k, math.sqrt(abs(k))
        suffix = f"_{manifold}"
        for name in dir(self):
            if name.endswith(suffix):
                setattr(self, name[1 : -len(suffix)], getattr(self, name))
        if hasattr(self, "dist"):
            self.sqdist = lambda x, y: self.dist(x, y).square()

    # -- the hyperboloid ---------------------------------------------------------------------------

    def _dist_Lorentz(self, x: Tensor, y: Tensor) -> Tensor:
        return torch.acosh(self._k * _minkowski(x, y)).squeeze(-1) / self._c

    def _expmap_Lorentz(self, x: Tensor, v: Tensor) -> Tensor:
        t = self._c * _minkowski(v, v).sqrt()
        return t.cosh() * x + t.sinh() * v / t

    def _logmap_Lorentz(self, x: Tensor, y: Tensor) -> Tensor:
        a = self._k * _minkowski(x, y)
        return torch.acosh(a) / (a * a - 1).sqrt() * (y - a * x)

    def _transport_Lorentz(self, x: Tensor, y: Tensor, v: Tensor) -> Tensor:
        return v - self._k * _minkowski(y, v) / (1 + self._k * _minkowski(x, y)) * (x + y)

    def _from_space_Lorentz(self, s: Tensor) -> Tensor:
        return torch.cat([((s * s).sum(-1, keepdim=True) - 1 / self._k).sqrt(), s], dim=-1)

    def _proj_Lorentz(self, x: Tensor) -> Tensor:
        return self._from_space_Lorentz(x[..., 1:])

    def _from_normal_Lorentz(self, v: Tensor) -> Tensor:
        t = self._c * _norm(v)
        return self._from_space_Lorentz(t.sinh() * v / t)

    def _to_normal_Lorentz(self, x: Tensor) -> Tensor:
        a = self._c * x[..., :1]
        return torch.acosh(a) / (a * a - 1).sqrt() * x[..., 1:]

    def _expmap0_Lorentz(self, v: Tensor) -> Tensor:
        return self._from_normal_Lorentz(v[..., 1:])

    def _logmap0_Lorentz(self, x: Tensor) -> Tensor:
        return torch.nn.functional.pad(self._to_normal_Lorentz(x), (1, 0))

    def _half_aperture_Lorentz(self, x: Tensor, min_radius: float = 0.1) -> Tensor:
        return torch.asin(2 * min_radius / (self._c * x[..., 1:].norm(dim=-1)))

    def _exterior_angle_Lorentz(self, x: Tensor, y: Tensor) -> Tensor:
        a = -self._k * _minkowski(x, y)
        size = _norm(x[..., 1:])
        cosine = (y[..., :1] + x[..., :1] * a) / (size * (a * a - 1).sqrt())
        return torch.acos(cosine).squeeze(-1)

    # -- the ball ----------------------------------------------------------------------------------

    def _dist_PoincareBall(self, x: Tensor, y: Tensor) -> Tensor:
        return 2 / self._c * torch.atanh(self._c * self._add(-x, y).norm(dim=-1))

    def _expmap_PoincareBall(self, x: Tensor, v: Tensor) -> Tensor:
        size = _norm(v)
        scale = self._c / (1 + self._k * (x * x).sum(-1, keepdim=True))
        return self._add(x, (scale * size).tanh() * v / (self._c * size))

    def _logmap_PoincareBall(self, x: Tensor, y: Tensor) -> Tensor:
        d = self._add(-x, y)
        size: Tensor = _norm(d)
        gap = 1 + self._k * (x * x).sum(-1, keepdim=True)
        result: Tensor = gap / self._c * torch.atanh(self._c * size) * d / size
        return result

    def _transport_PoincareBall(self, x: Tensor, y: Tensor, v: Tensor) -> Tensor:
        turned = self._add(-self._add(y, -x), self._add(y, self._add(-x, v)))
        gap_x, gap_y = (1 + self._k * (z * z).sum(-1, keepdim=True) for z in (x, y))
        return gap_y / gap_x * turned

    def _proj_PoincareBall(self, x: Tensor) -> Tensor:
        size = _norm(x)
        most = (1 - 4 * torch.finfo(x.dtype).eps) / self._c
        return torch.where(size > most, x / size * most, x)

    def _expmap0_PoincareBall(self, v: Tensor) -> Tensor:
        size = self._c * _norm(v)
        return size.tanh() * v / size

    def _logmap0_PoincareBall(self, x: Tensor) -> Tensor:
        size = self._c * _norm(x)
        return torch.atanh(size) * x / size

    def _from_normal_PoincareBall(self, v: Tensor) -> Tensor:
        return self._expmap0_PoincareBall(v / 2)

    def _to_normal_PoincareBall(self, x: Tensor) -> Tensor:
        return 2 * self._logmap0_PoincareBall(x)

    def _half_aperture_PoincareBall(self, x: Tensor, min_radius: float = 0.1) -> Tensor:
        size = self._c * x.norm(dim=-1)
        return torch.asin(min_radius * (1 - size * size) / size)

    def _exterior_angle_PoincareBall(self, x: Tensor, y: Tensor) -> Tensor:
        x, y = self._c * x, self._c * y
        xy, x2, y2 = ((a * b).sum(-1) for a, b in ((x, y), (x, x), (y, y)))
        below = (x2.sqrt() * (x - y).norm(dim=-1)) * (1 + x2 * y2 - 2 * xy).sqrt()
        return torch.acos((xy * (1 + x2) - x2 * (1 + y2)) / below)

    def _add(self, x: Tensor, y: Tensor) -> Tensor:
        xy, x2, y2 = ((a * b).sum(-1, keepdim=True) for a, b in ((x, y), (x, x), (y, y)))
        c = -self._k
        numerator: Tensor = (1 + 2 * c * xy + c * y2) * x + (1 - c * x2) * y
        return numerator / (1 + 2 * c * xy + c * c * x2 * y2)

    # -- the sphere --------------------------------------------------------------------------------

    def _dist_Sphere(self, x: Tensor, y: Tensor) -> Tensor:
        return torch.acos(self._k * (x * y).sum(-1)) / self._c

    def _expmap_Sphere(self, x: Tensor, v: Tensor) -> Tensor:
        t: Tensor = self._c * _norm(v)
        return t.cos() * x + t.sin() * v / t

    def _logmap_Sphere(self, x: Tensor, y: Tensor) -> Tensor:
        a = self._k * (x * y).sum(-1, keepdim=True)
        return torch.acos(a) / (1 - a * a).sqrt() * (y - a * x)

    def _transport_Sphere(self, x: Tensor, y: Tensor, v: Tensor) -> Tensor:
        xy, yv = ((a * b).sum(-1, keepdim=True) for a, b in ((x, y), (y, v)))
        return v - self._k * yv / (1 + self._k * xy) * (x + y)

    def _proj_Sphere(self, x: Tensor) -> Tensor:
        return x / (self._c * _norm(x))

    def _from_normal_Sphere(self, v: Tensor) -> Tensor:
        t = self._c * _norm(v)
        return torch.cat([t.cos() / self._c, t.sin() * v / t], dim=-1)

    def _to_normal_Sphere(self, x: Tensor) -> Tensor:
        a = self._c * x[..., :1]
        return torch.acos(a) / (1 - a * a).sqrt() * x[..., 1:]

    def _expmap0_Sphere(self, v: Tensor) -> Tensor:
        return self._from_normal_Sphere(v[..., 1:])

    def _logmap0_Sphere(self, x: Tensor) -> Tensor:
        return torch.nn.functional.pad(self._to_normal_Sphere(x), (1, 0))

    # -- flat space --------------------------------------------------------------------------------

    def _dist_Euclidean(self, x: Tensor, y: Tensor) -> Tensor:
        return _norm(x - y).squeeze(-1)

    def _expmap_Euclidean(self, x: Tensor, v: Tensor) -> Tensor:
        return x + v

    def _logmap_Euclidean(self, x: Tensor, y: Tensor) -> Tensor:
        return y - x

    def _half_aperture_Euclidean(self, x: Tensor, min_radius: float = 0.1) -> Tensor:
        return torch.asin(2 * min_radius / x.norm(dim=-1))

    def _exterior_angle_Euclidean(self, x: Tensor, y: Tensor) -> Tensor:
        x2, y2, d2 = ((a * a).sum(-1) for a in (x, y, x - y))
        return torch.acos((y2 - x2 - d2) / (2 * (x2 * d2).sqrt()))


def _norm(x: Tensor) -> Tensor:
    length: Tensor = x.norm(dim=-1, keepdim=True)
    return length


def _minkowski(x: Tensor, y: Tensor) -> Tensor:
    return (x[..., 1:] * y[..., 1:]).sum(-1, keepdim=True) - x[..., :1] * y[..., :1]


PEERS: dict[str, Callable[[str, float], Any]] = {"geoopt": Geoopt, "textbook": Textbook}
