"""Laws of a tangent vector of independent components at the centre, sent out by exp."""

from typing import Any

import torch
from torch import Tensor
from torch.distributions import constraints

from ..manifolds import Manifold
from ..manifolds.operations.radial_frame import components, from_components
from ._arguments import as_parameter, as_stored, broadcast, check_arguments, working
from ._centred import Centred, OnManifold


class Wrapped(Centred):
    r"""The law of :math:`\exp_\mu(v)`, the components of v independent.

    They are those in the orthonormal frame carried from the origin to :math:`\mu` by parallel
    transport. By volume, with :math:`v = \log_\mu x` and g their densities,

    .. math:: \log p(x) = \sum_i\log g_i(v_i) - (n-1)\log\frac{\mathrm{sn}_K(|v|)}{|v|}

    (Nagano et al. 2019, for K = -1). On Euclidean and hyperbolic space, where exp is one
    to one, this is the density; for the sphere see the subclasses.

    A subclass gives ``_names``, the attributes that hold parameters of the components, all
    positive, ``_log_density`` and ``_vector``.
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
        n = loc.shape[-1] - manifold.ambient_dim(0)
        batch_shape = loc.shape[:-1]
        tensors = {}
        for name, value in zip(self._names, parameters, strict=True):
            tensor = as_parameter(where, name, value, loc)
            if tensor.ndim and tensor.shape[-1] not in (1, n):
                raise ValueError(
                    f"{where}: {name} has shape {tuple(tensor.shape)}; expected (), (..., 1) or "
                    f"(..., {n}), the last axis that of the components of a tangent vector."
                )
            like = loc.new_empty(()).expand(*batch_shape, 0)
            batch_shape = broadcast(where, name, tensor.shape[:-1], like)
            tensors[name] = tensor
        self.manifold = manifold
        self.loc = loc.expand(*batch_shape, loc.shape[-1])
        for name, tensor in tensors.items():
            setattr(self, name, tensor.expand(*batch_shape, n))
        super().__init__(batch_shape, loc.shape[-1:], validate_args=validate_args)

    # -- what a law gives -----------------------------------------------------------------------

    def _log_density(self, v: Tensor) -> Tensor:
        """Of components v (..., n), float64: (...)."""
        raise NotImplementedError

    def _vector(self, shape: torch.Size, dtype: torch.dtype) -> Tensor:
        """Random components, (*shape, n), with gradients."""
        raise NotImplementedError

    def _axes(self) -> tuple[int, ...]:
        return (self.n,)

    # -- torch.distributions --------------------------------------------------------------------

    @property
    def arg_constraints(self) -> dict[str, constraints.Constraint]:
        """The centre lies on the manifold; the parameters are positive."""
        positive = constraints.independent(constraints.positive, 1)  # type: ignore[no-untyped-call]
        return {"loc": OnManifold(self.manifold), **dict.fromkeys(self._names, positive)}

    @property
    def mean(self) -> Tensor:
        """The Fréchet mean: the centre, by symmetry (on the sphere, of laws narrow enough)."""
        return self.loc

    @property
    def mode(self) -> Tensor:
        """The centre, on Euclidean and hyperbolic space.

        Raises:
            NotImplementedError: on the sphere, where the density grows towards the antipode again.
        """
        if self.manifold.sign > 0:
            raise NotImplementedError(f"{type(self).__name__}.mode: there is none on the sphere.")
        return self.loc

    def log_prob(self, value: Tensor) -> Tensor:
        """Logarithm of the density at points (..., m) -> (...); see the class for the sphere."""
        if self._validate_args:
            self._validate_sample(value)
        dtype, compute = working(self.loc, *self._parameters, value)
        manifold, loc = self.manifold._unchecked, self.loc.to(compute)
        v = manifold.logmap(loc, value.to(compute))
        inside = self._log_density(components(manifold, loc, v).double())
        return (inside - manifold.logdetexp(loc, v)).to(dtype)

    def rsample(self, sample_shape: Any = torch.Size()) -> Tensor:  # noqa: B008
        """Points (sample_shape + batch_shape, m) with gradients."""
        dtype, compute = working(self.loc, *self._parameters)
        shape = self._extended_shape(torch.Size(sample_shape))
        z = self._vector(shape[:-1], compute)
        manifold, loc = self.manifold._unchecked, self.loc.to(compute).expand(shape)
        sample = manifold.expmap(loc, from_components(manifold, loc, z))
        return as_stored(manifold, sample, dtype)
