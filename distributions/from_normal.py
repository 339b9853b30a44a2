"""Normal coordinates as a transform, for ``TransformedDistribution`` and normalising flows."""

from typing import Any

import torch
from torch import Tensor
from torch.distributions import constraints
from torch.distributions.transforms import Transform

from ..manifolds import Manifold
from ..manifolds.manifold_checks import check_manifold
from ._centred import OnManifold


class FromNormal(Transform):
    r"""Points of a manifold from their normal coordinates: :math:`x = \exp_0(v)`.

    A law p of vectors v becomes one of points, whose density by volume is

    .. math:: \log p(x) = \log p(v) - (n-1)\log\frac{\mathrm{sn}_K(|v|)}{|v|}

    so ``TransformedDistribution(law, FromNormal(space))`` of any law of vectors, a mixture or a
    flow, has the density that the laws of this room have. Of independent normal components it is
    :class:`WrappedNormal` at the origin. On Euclidean and hyperbolic space exp is one to one; on
    the sphere only within :math:`|v| < \pi R`, and the law of v must lie there.

    ``log_abs_det_jacobian`` is :math:`(n-1)\log(\mathrm{sn}_K(|v|)/|v|)`, (...). Shapes:
    (..., n) <-> (..., m).

    Args:
        manifold: the space, or a product.
        cache_size: as in ``torch.distributions``: 1 keeps the last pair.

    Raises:
        TypeError: no manifold.

    >>> import torch
    >>> from torch.distributions import Independent, Normal, TransformedDistribution
    >>> from spaceforms.manifolds import Lorentz
    >>> normal = Independent(Normal(torch.zeros(2), torch.tensor([0.5, 2.0])), 1)
    >>> law = TransformedDistribution(normal, FromNormal(Lorentz()))
    >>> law.rsample((5,)).shape
    torch.Size([5, 3])
    """

    bijective = True
    domain = constraints.real_vector
    manifold: Manifold

    def __init__(self, manifold: Manifold, cache_size: int = 0) -> None:
        check_manifold("FromNormal", manifold)
        self.manifold = manifold
        self.codomain = OnManifold(manifold)
        super().__init__(cache_size=cache_size)

    def with_cache(self, cache_size: int = 1) -> "FromNormal":
        """The same with another cache."""
        return self if cache_size == self._cache_size else FromNormal(self.manifold, cache_size)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FromNormal) and other.manifold is self.manifold

    __hash__ = Transform.__hash__

    def __repr__(self) -> str:
        return f"FromNormal({self.manifold!r})"

    def _call(self, v: Tensor) -> Tensor:
        return self.manifold.from_normal(v)

    def _inverse(self, x: Tensor) -> Tensor:
        return self.manifold.to_normal(x)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        """Of vectors x, as torch calls them; y, their points, is not looked at."""
        origin = self.manifold.origin(x.shape[-1], dtype=x.dtype, device=x.device)
        return self.manifold.logdetexp(origin, self.manifold._lift_tangent0(x))

    def forward_shape(self, shape: Any) -> torch.Size:
        """(..., n) -> (..., m)."""
        return torch.Size((*shape[:-1], self.manifold.ambient_dim(shape[-1])))

    def inverse_shape(self, shape: Any) -> torch.Size:
        """(..., m) -> (..., n)."""
        return torch.Size((*shape[:-1], shape[-1] - self.manifold.ambient_dim(0)))
