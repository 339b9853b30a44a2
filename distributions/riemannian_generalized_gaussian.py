"""The Riemannian generalized Gaussian law: a power of the distance in the exponent."""

import torch
from torch import Tensor
from torch.distributions import constraints

from ..manifolds import Manifold, diameter
from ._arguments import check_values
from ._centred import OnManifold
from ._power_numerics import power
from .isotropic import Isotropic

# Where d log(density)/d log t is below -70, twice as far out the density is below 2^-70 = 1e-21.
_STEEP = 70.0
# The search for that place, in log(t/a): to the last bit.
_LOW, _HIGH, _BISECTIONS = -50.0, 300.0, 64
# In units of the radius of curvature; no point of any dtype is as far.
_FARTHEST = 1e12


class RiemannianGeneralizedGaussian(Isotropic):
    r"""The law of density :math:`e^{-(d(x,\mu)/a)^b}/Z` by volume.

    .. math:: Z = \frac{2\pi^{n/2}}{\Gamma(n/2)}
              \int_0^{\mathrm{diam}} e^{-(t/a)^b}\,\mathrm{sn}_K(t)^{n-1}\,dt

    by the log-space rule of :class:`RiemannianNormal`, which is the shape 2 with scale
    :math:`\sqrt2\,\sigma`; on Euclidean space Z is :math:`\omega_{n-1}\,a^n\,\Gamma(n/b)/b`. It is
    a law of the distance alone, the same in all directions;
    :class:`WrappedGeneralizedGaussian` is one of components.

    *On hyperbolic space* volume grows like :math:`e^{(n-1)t\sqrt{-K}}`, so Z is finite only for
    b > 1, or b = 1 with :math:`a < 1/((n-1)\sqrt{-K})`; on a line always. There are no heavy tails:
    for those take :class:`WrappedGeneralizedGaussian`. For b near 1 and wide scales the distance
    settles near :math:`a\,((n-1)\,a\sqrt{-K}/b)^{1/(b-1)}`, soon farther than a point of the dtype
    can be.

    Args:
        manifold: the space.
        loc: the centre, points (..., m).
        scale: a > 0, a length: a number or a tensor (...), of the *batch*.
        shape: b > 0, likewise; the rule has 1e-12 from 0.3 up.
        validate_args: as in ``torch.distributions``.

    Shapes: batch (...), event (m,).

    Raises:
        TypeError: no manifold, or no floating-point tensor.
        ValueError: shapes that do not fit; with ``validate_args``, a centre off the manifold, a
            scale or shape that is not positive, or a pair of them with which no law is: Z is
            infinite, or its mass lies beyond 1e12 radii of curvature.
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
        if self._validate_args and manifold.sign <= 0:
            self._check_normaliser()

    @property
    def arg_constraints(self) -> dict[str, constraints.Constraint]:
        """The centre lies on the manifold; scale and shape are positive."""
        return {
            "loc": OnManifold(self.manifold),
            "scale": constraints.positive,
            "shape": constraints.positive,
        }

    def _bend(self, like: Tensor) -> Tensor:
        """sqrt(-K), 0 on the sphere."""
        return (-self.manifold.curvature.detach()).clamp(min=0).sqrt().to(like)

    def _check_normaliser(self) -> None:
        where = type(self).__name__
        a, b = self.scale.detach().double(), self.shape.detach().double()
        growth = (self.n - 1) * self._bend(a)
        finite = (b > 1) | ((b == 1) & (a * growth < 1)) | (growth == 0)
        k = self.manifold.curvature.item()
        check_values(
            where,
            "shape",
            b,
            finite,
            f"more than 1, or 1 with a scale below 1/((n - 1) sqrt(-K)), for a finite normaliser "
            f"at K = {k:g}, n = {self.n}",
        )
        far = self._top(a, b) * self._bend(a)
        check_values(
            where,
            "scale",
            a,
            far < _FARTHEST,
            f"one whose law does not lie beyond {_FARTHEST:g} radii of curvature",
        )

    def _log_kernel(self, square: Tensor, *parameters: Tensor) -> Tensor:
        scale, shape = parameters
        relative = square / scale.square()
        # At the centre a power of 1 has a slope.
        return -torch.where(shape == 2, relative, power(relative, shape / 2))

    def _top(self, *parameters: Tensor) -> Tensor:
        r"""Where :math:`b\,(t/a)^b - (n-1)\,t\,\mathrm{ct}(t)` passes 70, twice.

        The ratio of both terms grows with t, so once positive the difference grows.
        """
        scale, shape = parameters
        bend = self._bend(scale)
        low = torch.full_like(scale * shape, _LOW)
        high = torch.full_like(low, _HIGH)
        for _ in range(_BISECTIONS):
            y = (low + high) / 2
            t = bend * scale * y.exp()
            across = (self.n - 1) * torch.where(t > 0, t / t.where(t > 0, 1.0).tanh(), 1.0)
            near = shape * (shape * y).exp() < across + _STEEP
            low, high = torch.where(near, y, low), torch.where(near, high, y)
        top = 2 * scale * high.exp()
        return top.minimum(diameter(self.manifold).detach().to(top))
