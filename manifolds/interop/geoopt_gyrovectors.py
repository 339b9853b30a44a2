"""geoopt's gyrovector operations on top of ours; see :mod:`geoopt_adapter`."""

from typing import Any

import torch
from torch import Tensor

from ..base import Manifold
from ..gyrovectors import Gyrovectors
from ..operations.hyperplanes import signed_distance
from .geoopt_adapter import GeooptAdapter, Map, leading, scalar, scaled_as, vector


class GyrovectorAdapter(GeooptAdapter):
    """That of a ball or of Stereographic, with geoopt's gyrovector operations."""

    __scaling__ = scaled_as(
        GeooptAdapter,
        {"dist2plane": (1,)},
        dict.fromkeys(("mobius_fn_apply", "mobius_fn_apply_chain")),
    )
    manifold: Gyrovectors

    @property
    def c(self) -> Tensor:
        """Minus the curvature."""
        return -self.manifold.curvature

    @property
    def radius(self) -> Tensor:
        """1/sqrt(abs(K)), infinite for K = 0."""
        return self.manifold.curvature.abs().rsqrt()

    def random_normal(
        self, *size: Any, mean: Tensor | float = 0.0, std: Tensor | float = 1.0, **options: Any
    ) -> Any:
        """Points exp_0(v), v normal of this mean, and of deviation std/sqrt(n) a coordinate: of
        length std whatever the dimension, as in geoopt."""
        _, n = self._size(size)
        return super().random_normal(*size, mean=mean, std=std / n**0.5, **options)

    def lambda_x(self, x: Tensor, *, dim: int = -1, keepdim: bool = False) -> Tensor:
        """The conformal factor 2/(1 + K|x|^2)."""

        def factor(x: Tensor) -> Tensor:
            e = torch.zeros_like(x)
            e[..., 0] = 1.0
            return self.manifold.norm(x, e)

        return scalar(factor, x, dim=dim, keepdim=keepdim)

    def mobius_add(self, x: Tensor, y: Tensor, *, dim: int = -1, project: bool = True) -> Tensor:
        """Möbius addition."""
        return vector(self.manifold.mobius_add, x, y, dim=dim)

    def mobius_sub(self, x: Tensor, y: Tensor, *, dim: int = -1, project: bool = True) -> Tensor:
        """x and minus y added."""
        return vector(self.manifold.mobius_add, x, -y, dim=dim)

    def mobius_coadd(self, x: Tensor, y: Tensor, *, dim: int = -1, project: bool = True) -> Tensor:
        """Coaddition."""
        return vector(self.manifold.coadd, x, y, dim=dim)

    def mobius_cosub(self, x: Tensor, y: Tensor, *, dim: int = -1, project: bool = True) -> Tensor:
        """Cosubtraction."""
        return vector(self.manifold.cosub, x, y, dim=dim)

    def mobius_scalar_mul(
        self, r: Tensor, x: Tensor, *, dim: int = -1, project: bool = True
    ) -> Tensor:
        """Möbius scalar multiplication, r of shape () or (..., 1)."""
        r = leading("mobius_scalar_mul", "r", r, dim)
        return vector(lambda x: self.manifold.mobius_scalar(r, x), x, dim=dim)

    def mobius_matvec(self, m: Tensor, x: Tensor, *, dim: int = -1, project: bool = True) -> Tensor:
        """Möbius matrix-vector multiplication."""
        return vector(lambda x: self.manifold.mobius_matvec(m, x), x, dim=dim)

    def mobius_pointwise_mul(
        self, w: Tensor, x: Tensor, *, dim: int = -1, project: bool = True
    ) -> Tensor:
        """The matrix-vector multiplication with diag(w)."""
        return self.mobius_fn_apply(lambda v: w * v, x, dim=dim)

    def mobius_fn_apply(
        self,
        fn: Map,
        x: Tensor,
        *args: Any,
        dim: int = -1,
        project: bool = True,
        **kwargs: Any,
    ) -> Tensor:
        """exp_0(fn(log_0(x)))."""
        return self.expmap0(fn(self.logmap0(x, dim=dim), *args, **kwargs), dim=dim)

    def mobius_fn_apply_chain(
        self, x: Tensor, *fns: Map, project: bool = True, dim: int = -1
    ) -> Tensor:
        """exp_0 of one function after another of log_0(x)."""
        v = self.logmap0(x, dim=dim)
        for fn in fns:
            v = fn(v)
        return self.expmap0(v, dim=dim)

    def gyration(self, x: Tensor, y: Tensor, z: Tensor, *, dim: int = -1) -> Tensor:
        """gyr[x, y] z."""
        return vector(self.manifold.gyration, x, y, z, dim=dim)

    def antipode(self, x: Tensor, *, dim: int = -1) -> Tensor:
        """The point farthest from x on a sphere, -x where there is none (K <= 0)."""
        return -x if self.manifold.sign <= 0 else vector(self._opposite, x, dim=dim)

    def _opposite(self, x: Tensor) -> Tensor:
        # Beyond the origin, in the direction of -x, by as much as makes pi R.
        v = self.manifold.to_normal(x)
        r = v.norm(dim=-1, keepdim=True)
        first = torch.eye(v.shape[-1], dtype=v.dtype, device=v.device)[0]
        ray = torch.where(r > 0, v / r.where(r > 0, 1.0), first)
        return self.manifold.from_normal((r - torch.pi * self.radius.to(v)) * ray)

    def dist2plane(
        self,
        x: Tensor,
        p: Tensor,
        a: Tensor,
        *,
        dim: int = -1,
        keepdim: bool = False,
        signed: bool = False,
        scaled: bool = False,
    ) -> Tensor:
        """Distance from x to the hyperplane through p normal to a; times abs(a) if ``scaled``."""

        def distance(x: Tensor, p: Tensor, a: Tensor) -> Tensor:
            value = signed_distance(self.manifold, x, p, a)
            value = value if signed else value.abs()
            return value * a.norm(dim=-1) if scaled else value

        return scalar(distance, x, p, a, dim=dim, keepdim=keepdim)


def adapter(manifold: Manifold) -> GeooptAdapter:
    """The one for a manifold."""
    kind = GyrovectorAdapter if isinstance(manifold, Gyrovectors) else GeooptAdapter
    return kind(manifold)
