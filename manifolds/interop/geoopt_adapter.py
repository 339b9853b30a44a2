"""geoopt.Manifold on top of ours. Imported by ``as_geoopt`` only: it needs geoopt."""

import warnings
from typing import Any

import torch
from torch import Tensor

with warnings.catch_warnings():
    # geoopt 0.5.1 decorates with torch.jit.script at import; nothing of ours uses those functions.
    warnings.filterwarnings("ignore", message=r".*torch\.jit.*")
    import geoopt

from ..base import Manifold


class GeooptAdapter(geoopt.Manifold):  # type: ignore[misc]
    """See :func:`as_geoopt`."""

    ndim = 1

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
        return self.manifold.sign >= 0

    @property
    def name(self) -> str:
        """What geoopt prints for the manifold."""
        return f"spaceforms {self.manifold!r}"

    def retr(self, x: Tensor, u: Tensor) -> Tensor:
        """The retraction: the exponential map itself."""
        return self.manifold.expmap(x, u)

    def expmap(self, x: Tensor, u: Tensor) -> Tensor:
        """Exponential map."""
        return self.manifold.expmap(x, u)

    def logmap(self, x: Tensor, y: Tensor) -> Tensor:
        """Logarithm."""
        return self.manifold.logmap(x, y)

    def inner(
        self, x: Tensor, u: Tensor, v: Tensor | None = None, *, keepdim: bool = False
    ) -> Tensor:
        """Riemannian inner product, of u with itself if v is None."""
        value = self.manifold.inner(x, u, u if v is None else v)
        return value.unsqueeze(-1) if keepdim else value

    def norm(self, x: Tensor, u: Tensor, *, keepdim: bool = False) -> Tensor:
        """Riemannian norm."""
        value = self.manifold.norm(x, u)
        return value.unsqueeze(-1) if keepdim else value

    def proju(self, x: Tensor, u: Tensor) -> Tensor:
        """Tangent vector at x from ambient coordinates."""
        return self.manifold.proj_tangent(x, u)

    def projx(self, x: Tensor) -> Tensor:
        """Point of the manifold from ambient coordinates."""
        return self.manifold.proj(x)

    def egrad2rgrad(self, x: Tensor, u: Tensor) -> Tensor:
        """Riemannian gradient from the Euclidean one; u is left as it was."""
        return self.manifold.egrad2rgrad(x, u)

    def transp(self, x: Tensor, y: Tensor, v: Tensor) -> Tensor:
        """Parallel transport from x to y."""
        return self.manifold.transport(x, y, v)

    def retr_transp(self, x: Tensor, u: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """The point that u leads to, and v transported to it.

        Both are made tangent first: geoopt's SGRHMC steps along vectors that are not.
        """
        y = self.manifold.expmap(x, self.proju(x, u))
        return y, self.manifold.transport(x, y, self.proju(x, v))

    def dist(self, x: Tensor, y: Tensor, *, keepdim: bool = False) -> Tensor:
        """Geodesic distance."""
        value = self.manifold.dist(x, y)
        return value.unsqueeze(-1) if keepdim else value

    def dist2(self, x: Tensor, y: Tensor, *, keepdim: bool = False) -> Tensor:
        """Squared geodesic distance."""
        value = self.manifold.sqdist(x, y)
        return value.unsqueeze(-1) if keepdim else value

    def cdist(self, x: Tensor, y: Tensor) -> Tensor:
        """All distances between two sets."""
        return self.manifold.cdist(x, y)

    def random(
        self,
        *size: Any,
        dtype: torch.dtype | None = None,
        device: torch.device | None = None,
        **_: Any,
    ) -> "geoopt.ManifoldTensor":
        """Wrapped normal points; the last entry of size counts ambient coordinates."""
        n = size[-1] - self.manifold.ambient_dim(0)
        points = self.manifold.random_normal(*size[:-1], n, dtype=dtype, device=device)
        return geoopt.ManifoldTensor(points, manifold=self)

    def origin(
        self,
        *size: Any,
        dtype: torch.dtype | None = None,
        device: torch.device | None = None,
        **_: Any,
    ) -> "geoopt.ManifoldTensor":
        """The origin, of the shape ``size``; its last entry counts ambient coordinates."""
        n = size[-1] - self.manifold.ambient_dim(0)
        point = self.manifold.origin(n, dtype=dtype, device=device).detach()
        return geoopt.ManifoldTensor(point.expand(size).clone(), manifold=self)

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
