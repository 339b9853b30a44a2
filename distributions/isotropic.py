"""Laws whose density depends on the distance from a centre only."""

import math
from typing import Any

import torch
from torch import Tensor
from torch.distributions import constraints

from ..manifolds import Manifold
from ..manifolds.kernels.arithmetic.vectors import normalize
from ..manifolds.kernels.radial.law import RadialLaw
from ..manifolds.operations.radial_frame import from_components
from ..manifolds.operations.volume import log_area_of_unit_sphere, log_sn_ratio
from ._arguments import as_parameter, as_stored, broadcast, check_arguments, working
from ._centred import Centred, OnManifold


class Isotropic(Centred):
    r"""A law of density :math:`e^{k(d(x, \mu))}/Z` with one parameter of the kernel k, or several.

    In n dimensions the distance from the centre has the density
    :math:`\omega_{n-1}\,\mathrm{sn}_K(t)^{n-1}\,e^{k(t)}/Z` and the direction is uniform, so
    the normaliser, the entropy, moments and samples are integrals and quantiles of one variable.
    They are taken in logarithms and in float64, to rounding, whatever n (see
    ``kernels.radial.law``); the closed forms, where there are any, lose all their digits by n = 30
    to 40.

    ``rsample`` takes the quantile of a uniform number for the distance and a normal vector for the
    direction: differentiable in centre, parameters and a learnable curvature (implicit
    reparametrisation, Figurnov, Mohamed & Mnih 2018; derivatives of first order). No sample is
    rejected. Points too far out for the dtype are pulled back to its edge, as by ``expmap``.

    A subclass gives ``_names``, the attributes that hold the parameters, ``_log_kernel`` and
    ``_top``.
    """

    def __init__(
        self,
        manifold: Manifold,
        loc: Tensor,
        *parameters: Tensor | float,
        validate_args: bool | None = None,
    ) -> None:
        where = type(self).__name__
        check_arguments(where, manifold, loc)
        batch_shape = loc.shape[:-1]
        tensors = {}
        for name, value in zip(self._names, parameters, strict=True):
            tensors[name] = as_parameter(where, name, value, loc)
            like = loc.new_empty(()).expand(*batch_shape, 0)
            batch_shape = broadcast(where, name, tensors[name].shape, like)
        self.manifold = manifold
        self.loc = loc.expand(*batch_shape, loc.shape[-1])
        for name, tensor in tensors.items():
            setattr(self, name, tensor.expand(batch_shape))
        super().__init__(batch_shape, loc.shape[-1:], validate_args=validate_args)

    # -- what a law gives -----------------------------------------------------------------------

    def _log_kernel(self, square: Tensor, *parameters: Tensor) -> Tensor:
        """k as a function of the squared distance, in which it is smooth."""
        raise NotImplementedError

    def _top(self, *parameters: Tensor) -> Tensor:
        """A distance beyond which there is nothing, or nothing to speak of."""
        raise NotImplementedError

    @property
    def _parameter(self) -> Tensor:
        """The only one."""
        (parameter,) = self._parameters
        return parameter

    def _columns(self) -> list[Tensor]:
        """In float64, with one axis behind those of the batch, for distances."""
        return [p.double().unsqueeze(-1) for p in self._parameters]

    # -- torch.distributions --------------------------------------------------------------------

    @property
    def arg_constraints(self) -> dict[str, constraints.Constraint]:
        """The centre lies on the manifold; the parameters are not negative."""
        return {
            "loc": OnManifold(self.manifold),
            **dict.fromkeys(self._names, constraints.nonnegative),
        }

    @property
    def mean(self) -> Tensor:
        """The Fréchet mean: the centre, by symmetry."""
        return self.loc

    @property
    def mode(self) -> Tensor:
        """The point of highest density: the centre."""
        return self.loc

    def log_prob(self, value: Tensor) -> Tensor:
        """Logarithm of the density at points (..., m) -> (...), smooth at the centre."""
        if self._validate_args:
            self._validate_sample(value)
        dtype, compute = working(self.loc, *self._parameters, value)
        square = self._square(self.loc.to(compute), value.to(compute)).double()
        kernel = self._log_kernel(square, *(p.double() for p in self._parameters))
        return (kernel - self.log_normaliser()).to(dtype)

    def log_normaliser(self) -> Tensor:
        """log Z, batch_shape, float64: of the integral of the kernel over the manifold."""
        return self._law().log_normaliser() + log_area_of_unit_sphere(self.n)

    def entropy(self) -> Tensor:
        """Differential entropy, log Z - E k, by quadrature: batch_shape."""
        law, parameters = self._law(), self._columns()
        kernel = law.expectation(lambda t: self._log_kernel(t.square(), *parameters))
        total = law.log_normaliser() + log_area_of_unit_sphere(self.n) - kernel
        return total.to(working(self.loc, *self._parameters)[0])

    @property
    def mean_sqdist(self) -> Tensor:
        """Mean squared distance from the centre, the Fréchet variance: batch_shape."""
        mean = self._law().expectation(torch.square)
        return mean.to(working(self.loc, *self._parameters)[0])

    def rsample(self, sample_shape: Any = torch.Size()) -> Tensor:  # noqa: B008
        """Points (sample_shape + batch_shape, m) with gradients."""
        return self._draw(torch.Size(sample_shape), implicit=True)

    def sample(self, sample_shape: Any = torch.Size()) -> Tensor:  # noqa: B008
        """Points (sample_shape + batch_shape, m) without gradients."""
        with torch.no_grad():
            return self._draw(torch.Size(sample_shape), implicit=False)

    def _square(self, loc: Tensor, value: Tensor) -> Tensor:
        """The squared distance, as it is given to the kernel."""
        return self.manifold._unchecked.sqdist(loc, value)

    # -- the distance ---------------------------------------------------------------------------

    def _law(self) -> RadialLaw:
        """Of the distance from the centre."""
        parameters = self._columns()
        n, manifold = self.n, self.manifold

        def log_density(t: Tensor) -> Tensor:
            kernel = self._log_kernel(t.square(), *parameters)
            if n == 1:  # 0 times log 0 is not 0
                return kernel
            return (n - 1) * (t.log() + log_sn_ratio(manifold, t)) + kernel

        return RadialLaw(log_density, self._top(*(p.detach() for p in parameters)))

    def _distances(self, u: Tensor, *, implicit: bool) -> Tensor:
        return self._law().quantile(u, implicit=implicit)

    def _draw(self, sample_shape: torch.Size, *, implicit: bool) -> Tensor:
        dtype, compute = working(self.loc, *self._parameters)
        device = self.loc.device
        shape = self._extended_shape(sample_shape)[:-1]
        count = math.prod(sample_shape)
        u = torch.rand((*self._batch_shape, count), dtype=torch.float64, device=device)
        t = self._distances(u, implicit=implicit).movedim(-1, 0).reshape(shape)
        z = torch.randn((*shape, self.n), dtype=compute, device=device)
        return around(self.manifold, self.loc.to(compute), t.to(compute), z, dtype)


def around(
    manifold: Manifold, loc: Tensor, distance: Tensor, z: Tensor, dtype: torch.dtype
) -> Tensor:
    """The points at a distance (...) from loc (..., m) in the directions of z (..., n)."""
    manifold = manifold._unchecked
    direction, _ = normalize(z)
    v = from_components(manifold, loc.expand(*z.shape[:-1], -1), distance.unsqueeze(-1) * direction)
    return as_stored(manifold, manifold.expmap(loc, v), dtype)
