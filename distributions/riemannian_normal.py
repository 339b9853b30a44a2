"""The Riemannian normal law: the exponential of minus the squared distance."""

import math

from torch import Tensor
from torch.distributions import constraints

from ..manifolds import Manifold, diameter
from ._centred import OnManifold
from .isotropic import Isotropic

# Within sqrt(2 * 46) standard deviations lies all but 1e-20 of a normal law, and of one that
# falls faster.
_TAIL = 9.7


class RiemannianNormal(Isotropic):
    r"""The law of density :math:`e^{-d(x,\mu)^2/2\sigma^2}/Z` by volume (Pennec 2006).

    .. math:: Z(\sigma) = \frac{2\pi^{n/2}}{\Gamma(n/2)}
              \int_0^{\mathrm{diam}} e^{-t^2/2\sigma^2}\,\mathrm{sn}_K(t)^{n-1}\,dt

    (Said, Bombrun & Berthoumieu 2014; Mathieu et al. 2019, with the
    alternating sum of error functions that is exact for n up to about 30 and noise beyond.) Here by
    a log-space rule in float64 at any n, differentiable in sigma and K. It is the law of maximal
    entropy for its mean and mean squared distance, and its maximum-likelihood location is the
    Fréchet mean.

    On hyperbolic space the distance settles near :math:`(n-1)\sigma^2\sqrt{-K}`, not near
    :math:`\sigma\sqrt n`: for wide laws in many dimensions that is farther than a point of the
    dtype can be, and samples are pulled back. On the sphere the law becomes the uniform one for
    large sigma.

    Args:
        manifold: the space.
        loc: the centre, points (..., m).
        scale: sigma > 0, a length: a number or a tensor (...), of the *batch*.
        validate_args: as in ``torch.distributions``.

    Shapes: batch (...), event (m,).

    Raises:
        TypeError: no manifold, or no floating-point tensor.
        ValueError: shapes that do not fit; with ``validate_args``, a centre off the manifold or a
            scale that is not positive.
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

    @property
    def arg_constraints(self) -> dict[str, constraints.Constraint]:
        """The centre lies on the manifold; the scale is positive."""
        return {"loc": OnManifold(self.manifold), "scale": constraints.positive}

    def _log_kernel(self, square: Tensor, *parameters: Tensor) -> Tensor:
        (parameter,) = parameters
        return -square / (2 * parameter.square())

    def _top(self, *parameters: Tensor) -> Tensor:
        (parameter,) = parameters
        # Where (n - 1) ct(t) = t/sigma^2 the density is highest, and t ct(t) <= 1 + t sqrt(-K).
        across = self.n - 1
        bend = (-self.manifold.curvature.detach()).clamp(min=0).sqrt().to(parameter)
        mode = across * parameter.square() * bend + math.sqrt(across) * parameter
        return (mode + _TAIL * parameter).minimum(diameter(self.manifold).detach().to(parameter))
