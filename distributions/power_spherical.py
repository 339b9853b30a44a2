"""The power spherical law on the sphere."""

import torch
from torch import Tensor

from ..manifolds import Manifold, diameter
from ..manifolds.kernels.functions.special import cosm1c
from ._arguments import check_space
from .isotropic import Isotropic


class PowerSpherical(Isotropic):
    r"""The law of density proportional to :math:`(1 + \cos(d(x,\mu)/R))^\kappa` on the sphere.

    .. math:: p(x) = \frac{\Gamma(\alpha+\beta)}{2^{\alpha+\beta}\pi^\beta\,\Gamma(\alpha)}
              (1 + \mu\cdot x)^\kappa,\qquad \alpha = \beta + \kappa,\ \beta = n/2

    at R = 1 (De Cao & Aziz 2020). Like :class:`VonMisesFisher` with concentration
    kappa/2 near the centre, but 0 at the antipode. Their gamma functions cancel for a large kappa;
    the normaliser here is the same log-space rule as of the other laws, and the samples are
    quantiles, with gradients to rounding, where those of ``torch.distributions.Beta`` have four
    digits.

    Args:
        manifold: the sphere, of any radius; densities are by its volume, kappa is a pure number.
        loc: mu, points (..., m) of the sphere.
        concentration: kappa >= 0, a number or a tensor (...).
        validate_args: as in ``torch.distributions``.

    Shapes: batch (...), event (m,). ``mean`` and ``mode`` are loc, also at kappa = 0, where any
    point would do.

    Raises:
        TypeError: no manifold, or no floating-point tensor.
        ValueError: no sphere; shapes that do not fit; with ``validate_args``, a centre off the
            sphere or a negative concentration.
    """

    concentration: Tensor
    _names = ("concentration",)

    def __init__(
        self,
        manifold: Manifold,
        loc: Tensor,
        concentration: Tensor | float,
        *,
        validate_args: bool | None = None,
    ) -> None:
        check_space("PowerSpherical", manifold, sphere=True)
        super().__init__(manifold, loc, concentration, validate_args=validate_args)

    @property
    def mean_cosine(self) -> Tensor:
        """E cos(d(x, loc)/R) = kappa/(kappa + n), the mean resultant length: batch_shape."""
        return self._parameter / (self._parameter + self.n)

    def _log_kernel(self, square: Tensor, *parameters: Tensor) -> Tensor:
        (parameter,) = parameters
        # ((1 + cos)/2)^kappa, 1 at the centre. 1 + cos as a difference is noise near the antipode,
        # where the half-angle still has digits.
        z = self.manifold.curvature.to(square) * square
        near = z <= 1
        short = z.where(near, 0.0)
        half = z.where(~near, 1.0).sqrt() / 2
        return parameter * torch.where(
            near, (short * cosm1c(short) / 2).log1p(), 2 * half.cos().abs().log()
        )

    def _top(self, *parameters: Tensor) -> Tensor:
        (parameter,) = parameters
        return diameter(self.manifold).detach().to(parameter).expand(parameter.shape)
