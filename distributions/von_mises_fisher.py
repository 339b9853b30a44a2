"""The von Mises-Fisher law on the sphere."""

from torch import Tensor

from ..manifolds import Manifold, diameter
from ..manifolds.kernels.functions.special import cosm1c
from ._arguments import check_space
from .isotropic import Isotropic


class VonMisesFisher(Isotropic):
    r"""The law of density proportional to :math:`e^{\kappa\cos(d(x,\mu)/R)}` on the sphere.

    On the unit sphere in :math:`\mathbb R^p`, p = n + 1, :math:`\cos d = \mu\cdot x` and

    .. math:: p(x) = \frac{\kappa^{p/2-1}}{(2\pi)^{p/2} I_{p/2-1}(\kappa)}\,e^{\kappa\,\mu\cdot x},
              \qquad E[\mu\cdot x] = A(\kappa) = \frac{I_{p/2}(\kappa)}{I_{p/2-1}(\kappa)}

    (Mardia & Jupp 2000, section 9.3; Davidson et al. 2018). The Bessel function, in no torch
    beyond order 1, is its Poisson integral (DLMF 10.32.2) over the angle, in logarithms and in
    float64: any dimension, any :math:`\kappa \ge 0`, and its derivative by :math:`\kappa` is A to
    rounding, as the mean of :math:`\cos d - 1`, a sum of one sign.

    Samples are quantiles of the angle, not Wood's (1994) accepted and rejected ones, so they have
    gradients in :math:`\kappa` as well. kappa = 0 is the uniform law.

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
        check_space("VonMisesFisher", manifold, sphere=True)
        super().__init__(manifold, loc, concentration, validate_args=validate_args)

    @property
    def mean_cosine(self) -> Tensor:
        """A(kappa) = E cos(d(x, loc)/R), the mean resultant length: batch_shape."""
        return (1 + self.mean_cosine_less_1()).to(self._parameter.dtype)

    def mean_cosine_less_1(self) -> Tensor:
        """A(kappa) - 1, to rounding also where A is nearly 1: batch_shape, float64."""
        k = self.manifold.curvature
        return self._law().expectation(lambda t: cosine_less_1(k * t.square()))

    def _log_kernel(self, square: Tensor, *parameters: Tensor) -> Tensor:
        (parameter,) = parameters
        # Less kappa, which at 1e6 would leave ten digits of the normaliser.
        return parameter * cosine_less_1(self.manifold.curvature.to(square) * square)

    def _top(self, *parameters: Tensor) -> Tensor:
        (parameter,) = parameters
        return diameter(self.manifold).detach().to(parameter).expand(parameter.shape)


def cosine_less_1(z: Tensor) -> Tensor:
    """cos(sqrt z) - 1."""
    return z * cosm1c(z)
