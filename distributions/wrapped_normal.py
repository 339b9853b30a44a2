"""The wrapped normal law: a normal vector at the centre, sent out by exp."""

import math

import torch
from torch import Tensor

from ..manifolds import Manifold
from .wrapped import Wrapped


class WrappedNormal(Wrapped):
    r"""The law of :math:`\exp_\mu(v)` for a normal vector v at the centre (Nagano et al. 2019).

    The components of v in the orthonormal frame carried from the origin to :math:`\mu` by parallel
    transport are independent and normal with the standard deviations ``scale``. By volume, with
    :math:`v = \log_\mu x`,

    .. math:: \log p(x) = \log\mathcal N(v; 0, \mathrm{diag}\,\sigma^2)
              - (n-1)\log\frac{\mathrm{sn}_K(|v|)}{|v|}

    (Nagano et al. 2019, for K = -1). On Euclidean and hyperbolic space, where exp is one
    to one, this is the density.

    *On the sphere* infinitely many v lead to one x, and for n >= 2 the density of the wrapped law,
    a sum over them, is infinite at :math:`\mu` and at its antipode: shells of v meet there in one
    point. ``log_prob`` is the term of the shortest v alone, the density of the wrapped law
    restricted to :math:`|v| < \pi R` (so Skopek et al. 2020). It integrates to the probability of
    that, 1 - 3e-6 for n = 2 and scale 0.625 R, 0.93 for scale 1.36 R; ``rsample`` draws from the
    whole wrapped law. For wide laws take :class:`RiemannianNormal` or
    :class:`VonMisesFisher`, which are proper.

    Args:
        manifold: the space.
        loc: the centre, points (..., m).
        scale: standard deviations > 0, lengths. A number or a tensor of shape () for one of all
            components; else (..., n), or (..., 1) for one of a whole batch entry: the last axis is
            that of components.
        validate_args: as in ``torch.distributions``.

    Shapes: batch (...), event (m,).

    Raises:
        TypeError: no manifold, or no floating-point tensor.
        ValueError: shapes that do not fit; with ``validate_args``, a centre off the manifold or a
            scale that is not positive.

    Samples are differentiable in loc, scale and a learnable curvature, to any order. Points too
    far out for the dtype are pulled back to its edge, as by ``expmap``.
    """

    scale: Tensor
    _names = ("scale",)

    def __init__(
        self,
        manifold: Manifold,
        loc: Tensor,
        scale: Tensor | float,
        *,
        validate_args: bool | None = None,
    ) -> None:
        super().__init__(manifold, loc, scale, validate_args=validate_args)

    def _log_density(self, v: Tensor) -> Tensor:
        scale = self.scale.double()
        log_unit = self.n / 2 * math.log(2 * math.pi)
        return -(v / scale).square().sum(-1) / 2 - scale.log().sum(-1) - log_unit

    def _vector(self, shape: torch.Size, dtype: torch.dtype) -> Tensor:
        z = torch.randn((*shape, self.n), dtype=dtype, device=self.loc.device)
        return self.scale.to(dtype) * z
