"""The generalized Gaussian law on the line: from heavy tails over Laplace and normal to uniform."""

import math
from typing import Any, Self

import torch
from torch import Tensor
from torch.distributions import Distribution, constraints
from torch.distributions.utils import broadcast_all

from ._arguments import as_parameter, check_values, working
from ._power_fit import fit
from ._power_numerics import cdf, log_normaliser, power, quantile, with_shape_slope


class GeneralizedGaussian(Distribution):
    r"""The law of density :math:`\exp(-|x - m|^b/a^b) / 2a\,\Gamma(1 + 1/b)` on the line.

    Also called exponential power or generalized normal law (Subbotin 1923; Nadarajah 2005), scipy's
    ``gennorm``. The shape b sets the tails:

    ========== ==========================================================================
    b          law
    ========== ==========================================================================
    1          Laplace's, of scale a
    2          the normal one, of standard deviation :math:`a/\sqrt 2`, not a
    to 0       heavier and heavier tails; all moments are finite
    to inf     the uniform law on [m - a, m + a]; shape = inf itself is not in the domain
    ========== ==========================================================================

    With :math:`r = |x - m|/a`, the derivatives of ``log_prob`` are :math:`(b r^b - 1)/a` by the
    scale, :math:`\psi(1 + 1/b)/b^2 - r^b\log r` by the shape and
    :math:`b\,r^{b-1}\,\mathrm{sgn}(x-m)/a` by the location. *At x = m* all are defined for every
    shape: -1/a, the digamma term alone, and 0, which is the derivative for b > 1, a subgradient for
    b = 1, and for b < 1, where the density has a cusp, the mean of both sides' slopes. Near such a
    cusp the slope by m grows without bound, as it truly does.

    ``log_prob`` is computed in the dtype of the inputs, float16 and bfloat16 in float32; ``cdf``,
    ``icdf`` and the slope of samples by the shape in float64 for shapes from 0.05 up (below, the
    sums that they are made of want more terms). Where :math:`r^b` is beyond the largest number of
    the dtype ``log_prob`` is -inf: for b = 8 in float32, from r = 6.5e4 on.

    Args:
        loc: m, a number or a tensor.
        scale: a > 0, a number or a tensor.
        shape: b > 0, finite, a number or a tensor.
        validate_args: as in ``torch.distributions``.

    Shapes: batch that of the three broadcast, event ().

    Raises:
        TypeError: an argument that is no number and no floating-point tensor.
        ValueError: shapes that do not broadcast; with ``validate_args``, a scale that is not
            positive, or a shape outside its domain.

    ``kl_divergence`` knows pairs of these laws, and of one with torch's ``Normal`` or ``Laplace``:
    in closed form where the locations agree or the second law is a ``Normal``, else by a quadrature
    of one variable, to rounding and differentiable in all parameters, which takes some 700
    evaluations of the density for each entry of the batch.
    """

    arg_constraints = {  # noqa: RUF012 (torch declares it so)
        "loc": constraints.real,
        "scale": constraints.positive,
        "shape": constraints.positive,
    }
    support = constraints.real
    has_rsample = True

    def __init__(
        self,
        loc: Tensor | float,
        scale: Tensor | float,
        shape: Tensor | float,
        *,
        validate_args: bool | None = None,
    ) -> None:
        where = "GeneralizedGaussian"
        given = {"loc": loc, "scale": scale, "shape": shape}
        like = next((t for t in given.values() if isinstance(t, Tensor)), torch.empty(()))
        tensors = {k: as_parameter(where, k, value, like) for k, value in given.items()}
        try:
            self.loc, self.scale, self.shape = broadcast_all(*tensors.values())
        except RuntimeError:
            shapes = ", ".join(f"{k} {tuple(t.shape)}" for k, t in tensors.items())
            raise ValueError(
                f"{where}: the parameters have shapes {shapes}; expected shapes that broadcast."
            ) from None
        super().__init__(self.loc.shape, validate_args=False)
        self._validate_args = (
            Distribution._validate_args if validate_args is None else validate_args
        )
        if self._validate_args:
            check_values(where, "loc", self.loc, self.loc.isfinite(), "finite numbers")
            positive = (self.scale > 0) & self.scale.isfinite()
            check_values(where, "scale", self.scale, positive, "positive, finite numbers")
            positive = (self.shape > 0) & self.shape.isfinite()
            check_values(where, "shape", self.shape, positive, "positive, finite numbers")

    @classmethod
    def fit(
        cls,
        x: Tensor,
        *,
        loc: Tensor | float | None = None,
        shape: Tensor | float | None = None,
        weights: Tensor | None = None,
        dim: int | tuple[int, ...] | None = None,
        bounds: tuple[float, float] = (0.05, 300.0),
    ) -> Self:
        r"""The law of greatest likelihood for data x.

        Given m and b, :math:`a^b = b\,\overline{|x-m|^b}`. Given m, b solves

        .. math:: \psi(1 + 1/b) + \log\bigl(b\,\overline{r^b}\bigr)
                  - b\,\frac{\overline{r^b\log r}}{\overline{r^b}} = 0,\qquad r = |x - m|,

        by Newton's method inside of a bracket, from the shape whose ratio of moments
        :math:`E x^2/(E|x|)^2` the data have (Varanasi & Aazhang 1989). m, if
        not given, takes turns with b: for b >= 1 it is the minimum of the convex
        :math:`\sum|x-m|^b`; for b < 1, where every datum is a local maximum of the likelihood, the
        best of the 65 data around the median.

        Args:
            x: the data.
            loc: m if it is known (0 for residuals), broadcasting with the result; None to fit it.
            shape: b if it is known, likewise.
            weights: non-negative, broadcasting with x; None for equal ones.
            dim: the axes to fit along, one law for each entry of the others; None for all.
            bounds: the range of b. Where the likelihood has its maximum outside, b is the bound:
                so for data of two values, and for many residuals that are exactly zero, which
                make it grow without limit as b falls to 0.

        Returns:
            A law of batch shape that of x without ``dim``, in the dtype of x, without gradient.

        Raises:
            TypeError: x or weights is no floating-point tensor.
            ValueError: no data, data that are not finite or all equal to m, negative weights or a
                sum of 0, shapes that do not broadcast, bounds that are no range.
        """
        return cls(*fit(x, loc=loc, shape=shape, weights=weights, dim=dim, bounds=bounds))

    def expand(self, batch_shape: Any, _instance: Any = None) -> Self:
        """The same law with its batch axes expanded."""
        new: Self = type(self).__new__(type(self)) if _instance is None else _instance
        batch_shape = torch.Size(batch_shape)
        for name in ("loc", "scale", "shape"):
            setattr(new, name, getattr(self, name).expand(batch_shape))
        Distribution.__init__(new, batch_shape, validate_args=False)
        new._validate_args = self._validate_args
        return new

    # -- moments --------------------------------------------------------------------------------

    @property
    def mean(self) -> Tensor:
        """m, which is the median too."""
        return self.loc

    @property
    def mode(self) -> Tensor:
        """m."""
        return self.loc

    @property
    def log_variance(self) -> Tensor:
        r"""Logarithm of the variance :math:`a^2\,\Gamma(3/b)/\Gamma(1/b)`.

        The variance itself is beyond float32 for b < 0.086 at a = 1. As b grows it tends to
        :math:`a^2/3`.
        """
        dtype, compute = working(self.loc, self.scale, self.shape)
        inverse = 1 / self.shape.to(compute)
        # Gamma(1 + y) = y Gamma(y): the gamma functions of 1/b and 3/b are infinite at b = inf.
        ratio = (1 + 3 * inverse).lgamma() - (1 + inverse).lgamma() - math.log(3)
        return (2 * self.scale.to(compute).log() + ratio).to(dtype)

    @property
    def variance(self) -> Tensor:
        r""":math:`a^2\,\Gamma(3/b)/\Gamma(1/b)`; see :attr:`log_variance`."""
        return self.log_variance.to(working(self.loc)[1]).exp().to(self.log_variance.dtype)

    @property
    def stddev(self) -> Tensor:
        """The root of the variance, finite also where the variance is not."""
        return (self.log_variance.to(working(self.loc)[1]) / 2).exp().to(self.log_variance.dtype)

    def entropy(self) -> Tensor:
        r"""Differential entropy :math:`1/b + \log 2a\,\Gamma(1 + 1/b)`, in nats."""
        dtype, compute = working(self.loc, self.scale, self.shape)
        shape = self.shape.to(compute)
        return (1 / shape + log_normaliser(self.scale.to(compute), shape)).to(dtype)

    # -- density, distribution function, quantiles ----------------------------------------------

    def log_prob(self, value: Tensor) -> Tensor:
        """Logarithm of the density at value (...); see the class for its derivatives."""
        if self._validate_args:
            self._validate_sample(value)
        dtype, compute = working(self.loc, self.scale, self.shape, value)
        loc, scale, shape = (t.to(compute) for t in (self.loc, self.scale, self.shape))
        z = (value.to(compute) - loc) / scale
        return (-power(z, shape) - log_normaliser(scale, shape)).to(dtype)

    def cdf(self, value: Tensor) -> Tensor:
        """The chance of a smaller value (...).

        Differentiable in all parameters, the shape too. For the chance of a larger one take
        ``cdf(2 * loc - value)``, which keeps its digits in the upper tail.
        """
        if self._validate_args:
            self._validate_sample(value)
        dtype, compute = working(self.loc, self.scale, self.shape, value)
        z = (value.to(compute) - self.loc.to(compute)) / self.scale.to(compute)
        return cdf(z, self.shape).to(dtype)

    def icdf(self, value: Tensor) -> Tensor:
        """The quantile at chances in [0, 1]; -inf at 0, inf at 1. Differentiable like ``cdf``."""
        if self._validate_args:
            inside = (value >= 0) & (value <= 1)
            check_values("GeneralizedGaussian.icdf", "value", value, inside, "chances in [0, 1]")
        dtype, _ = working(self.loc, self.scale, self.shape, value)
        z = quantile(value, self.shape)
        return (self.loc.double() + self.scale.double() * z).to(dtype)

    def rsample(self, sample_shape: Any = torch.Size()) -> Tensor:  # noqa: B008
        r"""Samples (sample_shape + batch_shape), with gradients of first order in all parameters.

        :math:`m + a\,V\,G^{1/b}` with V uniform on (-1, 1) and G gamma distributed of order 1 + 1/b
        (Khinchine's mixture; Devroye 1986, chapter IV.6): nothing underflows. The common
        :math:`\pm G^{1/b}` with G of order 1/b has no sample in (-0.4, 0.4) of a law of shape 100
        in float32. The derivative by b is that of the quantile at the sample's own chance.
        """
        dtype, compute = working(self.loc, self.scale, self.shape)
        size = self._extended_shape(torch.Size(sample_shape))
        loc, scale, shape = (t.to(compute).expand(size) for t in (self.loc, self.scale, self.shape))
        with torch.no_grad():
            # rand gives multiples of eps/2 below 1; shifted by half a step V is symmetric and
            # neither 0 nor 1.
            step = torch.finfo(compute).eps
            v = 2 * torch.rand(size, dtype=compute, device=loc.device) - (1 - step / 2)
            inverse = 1 / shape.detach()  # in forward mode no_grad is not enough
            z = v * torch._standard_gamma(1 + inverse).pow(inverse)
        return (loc + scale * with_shape_slope(z, shape).to(compute)).to(dtype)

    # -- information ----------------------------------------------------------------------------

    def fisher_information(self) -> Tensor:
        r"""Information of one observation about (loc, scale, shape): batch_shape + (3, 3).

        With y = 1/b (Agrò 1995, with b for his p and a for his scale),

        .. math:: I_{mm} = \frac{b\,\Gamma(2-y)}{a^2\,\Gamma(1+y)},\quad I_{aa} = \frac b{a^2},
                  \quad I_{ab} = -\frac{1+\psi(1+y)}{ab},

        .. math:: I_{bb} = y^3\bigl((1+y)\,(\psi'(2+y) + \psi(2+y)^2) - y\,\psi(1+y)^2\bigr),

        and 0 between the location and the others. :math:`I_{mm}` is inf for b <= 1/2: at such cusps
        the location is found faster than at the rate :math:`1/\sqrt N`.
        """
        dtype, _ = working(self.loc, self.scale, self.shape)
        a, b = self.scale.double(), self.shape.double()
        y = 1 / b
        sharp = y >= 2
        gammas = (2 - y.where(~sharp, 1.0)).lgamma() - (1 + y).lgamma()
        mm = (b * gammas.exp() / a.square()).where(~sharp, torch.inf)
        ab = -(1 + (1 + y).digamma()) * y / a
        across = (1 + y) * (torch.polygamma(1, 2 + y) + (2 + y).digamma().square())
        bb = y**3 * (across - y * (1 + y).digamma().square())
        none = torch.zeros_like(a)
        rows = ((mm, none, none), (none, b / a.square(), ab), (none, ab, bb))
        return torch.stack([torch.stack(row, -1) for row in rows], -2).to(dtype)
