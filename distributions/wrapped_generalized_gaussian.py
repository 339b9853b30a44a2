"""The wrapped generalized Gaussian law: heavy or light tails in each direction, sent out by exp."""

import torch
from torch import Tensor

from ..manifolds import Manifold
from ._power_numerics import log_normaliser, power
from .generalized_gaussian import GeneralizedGaussian
from .wrapped import Wrapped


class WrappedGeneralizedGaussian(Wrapped):
    r"""The law of :math:`\exp_\mu(v)`, the components of v of generalized Gaussian laws.

    The components in the orthonormal frame carried from the origin to :math:`\mu` by parallel
    transport are independent, of scales a and shapes b each its own. By volume, with
    :math:`v = \log_\mu x`,

    .. math:: \log p(x) = -\sum_i\Bigl[\Bigl(\frac{|v_i|}{a_i}\Bigr)^{b_i}
              + \log 2a_i\,\Gamma(1 + 1/b_i)\Bigr] - (n-1)\log\frac{\mathrm{sn}_K(|v|)}{|v|}

    (the density of :class:`GeneralizedGaussian`; the volume as in Nagano et al. 2019).
    Shape 2 with scale :math:`\sqrt2\,\sigma` is :class:`WrappedNormal`. For b below 2 the law
    depends on the frame also where all components have one scale: it is a product law, not one of
    |v|; see :class:`RiemannianGeneralizedGaussian` for that.

    On Euclidean and hyperbolic space, where exp is one to one, this is the density, for every
    shape: the only one of the two laws that has heavy tails on hyperbolic space. *On the sphere* it
    is that of the law restricted to :math:`|v| < \pi R`, as with :class:`WrappedNormal`, and
    integrates to the chance of that, which heavy tails make small: for one dimension, a = 0.4 R and
    b = 0.5 it is 0.77.

    Args:
        manifold: the space.
        loc: the centre, points (..., m).
        scale: a > 0, lengths: a number or a tensor of shape () for one of all components; else
            (..., n), or (..., 1) for one of a whole batch entry: the last axis is that of
            components.
        shape: b > 0, likewise.
        validate_args: as in ``torch.distributions``.

    Shapes: batch (...), event (m,).

    Raises:
        TypeError: no manifold, or no floating-point tensor.
        ValueError: shapes that do not fit; with ``validate_args``, a centre off the manifold or a
            scale or shape that is not positive.

    All gradients are defined where a component of v is 0, as those of
    :class:`GeneralizedGaussian`. Samples are differentiable in loc, scale and a learnable
    curvature to any order, in shape to the first. Points too far out for the dtype are pulled back
    to its edge.
    """

    scale: Tensor
    shape: Tensor
    _names = ("scale", "shape")

    def __init__(
        self,
        manifold: Manifold,
        loc: Tensor,
        scale: Tensor | float,
        shape: Tensor | float,
        *,
        validate_args: bool | None = None,
    ) -> None:
        super().__init__(manifold, loc, scale, shape, validate_args=validate_args)

    def _log_density(self, v: Tensor) -> Tensor:
        scale, shape = self.scale.double(), self.shape.double()
        return -(power(v / scale, shape) + log_normaliser(scale, shape)).sum(-1)

    def _vector(self, shape: torch.Size, dtype: torch.dtype) -> Tensor:
        scale, own = self.scale.to(dtype), self.shape.to(dtype)
        law = GeneralizedGaussian(torch.zeros_like(scale), scale, own, validate_args=False)
        return law.rsample(shape[: len(shape) - len(self._batch_shape)])
