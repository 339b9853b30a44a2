"""geoopt.Manifold on top of ours. Imported by ``as_geoopt`` only: it needs geoopt."""

from collections.abc import Callable
from typing import Any

import geoopt
import torch
from geoopt.manifolds.base import ScalingInfo
from geoopt.utils import size2shape
from torch import Tensor

from ..base import Manifold
from ..product.space import Product

Map = Callable[..., Tensor]


def scaled_as(base: Any, *tables: dict[str, Any]) -> Any:
    """What ``geoopt.Scaled`` is to do with each method: powers of the scale by which results (a
    tuple) or named arguments (a dict) are multiplied, None where there is no scaled one."""
    known = base.__scaling__.copy()
    for name, powers in {k: v for table in tables for k, v in table.items()}.items():
        named = isinstance(powers, dict)
        info = ScalingInfo(**powers) if named else ScalingInfo(*powers or ())
        known[name] = info if powers is not None else ScalingInfo.NotCompatible
    return known


class GeooptAdapter(geoopt.Manifold):  # type: ignore[misc]
    """See :func:`as_geoopt`.

    ``dim`` is the axis of the coordinates, as in geoopt. ``project`` and ``norm_tan`` change
    nothing: what is returned is a point in any case, and no vector is rescaled.
    """

    ndim = 1
    __scaling__ = scaled_as(
        geoopt.Manifold,
        dict.fromkeys(("logmap0", "logmap0back", "dist0"), (1,)),
        {"expmap0": {"u": -1}, "geodesic_unit": {"t": -1}},
        {law: {"std": -1} for law in ("random", "random_normal", "wrapped_normal")},
    )

    def __init__(self, manifold: Manifold) -> None:
        super().__init__()
        self.manifold = manifold

    @property
    def reversible(self) -> bool:
        """Whether geoopt's samplers may be used: on Euclidean space and the sphere.

        The exponential map is reversible on every manifold. But the samplers take a standard
        normal vector of the ambient space, through ``egrad2rgrad``, for a standard normal tangent
        vector, and its Euclidean length for its length. Both are so only where the metric is that
        of the ambient space; on the hyperbolic models they would sample another density, without a
        word, where geoopt now refuses.
        """
        m = self.manifold
        return all(part.sign >= 0 for part in (m.factors if isinstance(m, Product) else [m]))

    @property
    def name(self) -> str:
        """What geoopt prints for the manifold."""
        return f"spaceforms {self.manifold!r}"

    @property
    def k(self) -> Tensor:
        """What geoopt calls the curvature: of a hyperboloid R^2, of a ball and Stereographic K."""
        if isinstance(self.manifold, Product):
            raise AttributeError(f"{self.manifold!r} has no one curvature, which k would be.")
        k = self.manifold.curvature
        return -1 / k if type(self.manifold).__name__ == "Lorentz" else k

    # -- maps -----------------------------------------------------------------------------------

    def retr(
        self, x: Tensor, u: Tensor, *, norm_tan: bool = True, project: bool = True, dim: int = -1
    ) -> Tensor:
        """The retraction: the exponential map itself."""
        return vector(self.manifold.expmap, x, u, dim=dim)

    def expmap(
        self, x: Tensor, u: Tensor, *, norm_tan: bool = True, project: bool = True, dim: int = -1
    ) -> Tensor:
        """Exponential map."""
        return vector(self.manifold.expmap, x, u, dim=dim)

    def logmap(self, x: Tensor, y: Tensor, *, dim: int = -1) -> Tensor:
        """Logarithm."""
        return vector(self.manifold.logmap, x, y, dim=dim)

    def expmap0(self, u: Tensor, *, project: bool = True, dim: int = -1) -> Tensor:
        """Exponential map at the origin."""
        return vector(self.manifold.expmap0, u, dim=dim)

    def logmap0(self, y: Tensor, *, dim: int = -1) -> Tensor:
        """Logarithm at the origin."""
        return vector(self.manifold.logmap0, y, dim=dim)

    def logmap0back(self, x: Tensor, *, dim: int = -1) -> Tensor:
        """The logarithm of the origin at x."""
        return vector(lambda x: self.manifold.logmap(x, self._origin_at(x)), x, dim=dim)

    def geodesic(self, t: Tensor, x: Tensor, y: Tensor, *, dim: int = -1) -> Tensor:
        """The point at time t of the geodesic that is at x at 0 and at y at 1.

        Args:
            t: () or, to broadcast with points, (..., 1), as geoopt's.
        """
        t = leading("geodesic", "t", t, dim)
        return vector(lambda x, y: self.manifold.geodesic(x, y, t), x, y, dim=dim)

    def geodesic_unit(
        self, t: Tensor, x: Tensor, u: Tensor, *, dim: int = -1, project: bool = True
    ) -> Tensor:
        """The point at distance t from x in the direction of u, whatever its length."""

        def go(t: Tensor, x: Tensor, u: Tensor) -> Tensor:
            length = self.manifold.norm(x, u).unsqueeze(-1)
            return self.manifold.expmap(x, t * u / length.where(length > 0, 1.0))

        return vector(go, t, x, u, dim=dim)

    # -- lengths --------------------------------------------------------------------------------

    def inner(
        self, x: Tensor, u: Tensor, v: Tensor | None = None, *, keepdim: bool = False, dim: int = -1
    ) -> Tensor:
        """Riemannian inner product, of u with itself if v is None."""
        return scalar(self.manifold.inner, x, u, u if v is None else v, dim=dim, keepdim=keepdim)

    def norm(self, x: Tensor, u: Tensor, *, keepdim: bool = False, dim: int = -1) -> Tensor:
        """Riemannian norm."""
        return scalar(self.manifold.norm, x, u, dim=dim, keepdim=keepdim)

    def dist(self, x: Tensor, y: Tensor, *, keepdim: bool = False, dim: int = -1) -> Tensor:
        """Geodesic distance."""
        return scalar(self.manifold.dist, x, y, dim=dim, keepdim=keepdim)

    def dist2(self, x: Tensor, y: Tensor, *, keepdim: bool = False, dim: int = -1) -> Tensor:
        """Squared geodesic distance."""
        return scalar(self.manifold.sqdist, x, y, dim=dim, keepdim=keepdim)

    def dist0(self, x: Tensor, *, keepdim: bool = False, dim: int = -1) -> Tensor:
        """Distance from the origin."""
        m = self.manifold
        return scalar(lambda x: m.dist(self._origin_at(x), x), x, dim=dim, keepdim=keepdim)

    def cdist(self, x: Tensor, y: Tensor) -> Tensor:
        """All distances between two sets."""
        return self.manifold.cdist(x, y)

    # -- vectors --------------------------------------------------------------------------------

    def proju(self, x: Tensor, u: Tensor, *, dim: int = -1) -> Tensor:
        """Tangent vector at x from ambient coordinates."""
        return vector(self.manifold.proj_tangent, x, u, dim=dim)

    def projx(self, x: Tensor, *, dim: int = -1) -> Tensor:
        """Point of the manifold from ambient coordinates."""
        return vector(self.manifold.proj, x, dim=dim)

    def egrad2rgrad(self, x: Tensor, u: Tensor, *, dim: int = -1) -> Tensor:
        """Riemannian gradient from the Euclidean one; u is left as it was."""
        return vector(self.manifold.egrad2rgrad, x, u, dim=dim)

    def transp(self, x: Tensor, y: Tensor, v: Tensor, *, dim: int = -1) -> Tensor:
        """Parallel transport from x to y."""
        return vector(self.manifold.transport, x, y, v, dim=dim)

    def transp0(self, y: Tensor, u: Tensor, *, dim: int = -1) -> Tensor:
        """Parallel transport from the origin to y."""
        return vector(self.manifold.transport0, y, u, dim=dim)

    def transp0back(self, x: Tensor, u: Tensor, *, dim: int = -1) -> Tensor:
        """Parallel transport from x to the origin."""
        return vector(self.manifold.transport0_inverse, x, u, dim=dim)

    def retr_transp(
        self, x: Tensor, u: Tensor, v: Tensor, *, dim: int = -1
    ) -> tuple[Tensor, Tensor]:
        """The point that u leads to, and v transported to it.

        Both are made tangent first: geoopt's SGRHMC steps along vectors that are not.
        """
        y = self.expmap(x, self.proju(x, u, dim=dim), dim=dim)
        return y, self.transp(x, y, self.proju(x, v, dim=dim), dim=dim)

    expmap_transp = retr_transp

    def transp_follow_retr(self, x: Tensor, u: Tensor, v: Tensor, *, dim: int = -1) -> Tensor:
        """v transported to the point that u leads to."""
        return self.retr_transp(x, u, v, dim=dim)[1]

    def transp_follow_expmap(
        self, x: Tensor, u: Tensor, v: Tensor, *, dim: int = -1, project: bool = True
    ) -> Tensor:
        """v transported to the point that u leads to."""
        return self.retr_transp(x, u, v, dim=dim)[1]

    # -- points ---------------------------------------------------------------------------------

    def random_normal(
        self,
        *size: Any,
        mean: Tensor | float = 0.0,
        std: Tensor | float = 1.0,
        dtype: torch.dtype | None = None,
        device: torch.device | None = None,
    ) -> "geoopt.ManifoldTensor":
        """Points exp_0(v), v normal of this mean and deviation in the tangent space's coordinates.

        On a ball, where a vector at the origin is half as long in coordinates as it is, that is a
        law twice as wide as ``random_normal`` of the manifold itself.

        Args:
            size: the shape, its last entry the number of ambient coordinates.
        """
        shape, n = self._size(size)
        v = torch.randn(*shape[:-1], n, dtype=dtype, device=device) * std + mean
        at_origin = v.new_zeros(*shape[:-1], shape[-1] - n)
        point = self.manifold.expmap0(torch.cat([at_origin, v], dim=-1))
        return geoopt.ManifoldTensor(point, manifold=self)

    def wrapped_normal(
        self,
        *size: Any,
        mean: Tensor,
        std: Tensor | float = 1.0,
        dtype: torch.dtype | None = None,
        device: torch.device | None = None,
    ) -> "geoopt.ManifoldTensor":
        """Points exp_mean(v), v normal of deviation ``std``, a length, in the tangent space at
        ``mean`` (Mathieu et al. 2019)."""
        shape, n = self._size(size)
        z = std * torch.randn(*shape[:-1], n, dtype=dtype or mean.dtype, device=mean.device)
        v = self.manifold.logmap0(self.manifold.from_normal(z))
        point = self.manifold.expmap(mean, self.manifold.transport0(mean, v))
        return geoopt.ManifoldTensor(point.to(device), manifold=self)

    def random_uniform(
        self,
        *size: Any,
        dtype: torch.dtype | None = None,
        device: torch.device | None = None,
    ) -> "geoopt.ManifoldTensor":
        """Points uniform by volume: on the whole sphere, elsewhere within a unit of length of the
        origin."""
        shape, n = self._size(size)
        point = self.manifold.random_uniform(*shape[:-1], n, dtype=dtype, device=device)
        return geoopt.ManifoldTensor(point, manifold=self)

    def random(
        self, *size: Any, mean: Tensor | float = 0.0, std: Tensor | float = 1.0, **options: Any
    ) -> "geoopt.ManifoldTensor":
        """geoopt's name for a law: uniform on the sphere, elsewhere :meth:`random_normal`."""
        if type(self.manifold).__name__ == "Sphere":
            return self.random_uniform(*size, **options)
        return self.random_normal(*size, mean=mean, std=std, **options)

    def origin(
        self,
        *size: Any,
        dtype: torch.dtype | None = None,
        device: torch.device | None = None,
        seed: int | None = None,
    ) -> "geoopt.ManifoldTensor":
        """The origin, of the shape ``size``; its last entry counts ambient coordinates."""
        shape, n = self._size(size)
        point = self.manifold.origin(n, dtype=dtype, device=device).detach()
        return geoopt.ManifoldTensor(point.expand(shape).clone(), manifold=self)

    def _size(self, size: Any) -> tuple[tuple[int, ...], int]:
        """The shape, and the dimension that its last entry stands for."""
        shape = size2shape(*size)
        return shape, shape[-1] - self.manifold.ambient_dim(0)

    def _origin_at(self, x: Tensor) -> Tensor:
        n = x.shape[-1] - self.manifold.ambient_dim(0)
        return self.manifold.origin(n, dtype=x.dtype, device=x.device)

    def _check_point_on_manifold(
        self, x: Tensor, *, atol: float = 1e-5, rtol: float = 1e-5
    ) -> tuple[bool, str | None]:
        del atol, rtol  # ours come from the dtype
        good = bool(self.manifold.is_point(x).all())
        return good, None if good else f"not all points lie on {self.manifold!r}"

    def _check_vector_on_tangent(
        self, x: Tensor, u: Tensor, *, atol: float = 1e-5, rtol: float = 1e-5
    ) -> tuple[bool, str | None]:
        del atol, rtol
        good = bool(self.manifold.is_tangent(x, u).all())
        return good, None if good else f"not all vectors are tangent to {self.manifold!r}"


def vector(function: Map, *tensors: Tensor, dim: int) -> Tensor:
    """A map of points or vectors whose coordinates are along ``dim``."""
    if dim == -1:
        return function(*tensors)
    return function(*(_last(x, dim) for x in tensors)).movedim(-1, dim)


def scalar(function: Map, *tensors: Tensor, dim: int, keepdim: bool) -> Tensor:
    value = function(*(_last(x, dim) for x in tensors))
    return value.unsqueeze(dim) if keepdim else value


def _last(x: Tensor, dim: int) -> Tensor:
    return x if dim == -1 or x.ndim == 0 else x.movedim(dim, -1)


def leading(where: str, name: str, t: Tensor, dim: int) -> Tensor:
    """geoopt's factor, () or (..., 1), as it is here, (...)."""
    t = torch.as_tensor(t)
    if t.ndim == 0:
        return t
    if t.shape[dim] != 1:
        raise ValueError(
            f"as_geoopt: {where}: {name} has shape {tuple(t.shape)}; expected () or, to broadcast "
            f"with points, a size of 1 along dim = {dim}."
        )
    return t.squeeze(dim)
