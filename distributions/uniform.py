"""Uniform laws: on a geodesic ball of any space, and on the whole sphere."""

import math
from typing import Any, Self

import torch
from torch import Tensor
from torch.distributions import Distribution, constraints

from ..manifolds import Manifold, diameter, log_ball_volume
from ..manifolds.checks import check_amount, check_coordinates
from ..manifolds.kernels.arithmetic.vectors import norm, normalize
from ..manifolds.kernels.radial.law import RadialLaw, uniform_law
from ..manifolds.operations.volume import check_dimension, log_sn_ratio
from ._arguments import check_space, working
from ._centred import OnManifold
from .isotropic import Isotropic


class UniformBall(Isotropic):
    r"""The uniform law on the geodesic ball of a radius about a centre.

    The density is 1/volume (see :func:`spaceforms.manifolds.ball_volume`) at distances up to the
    radius, 0 beyond: ``log_prob`` is -inf there. Its gradient in the radius is that of the volume;
    the jump at the edge has none. Samples are differentiable in centre, radius and K. On the
    sphere a radius from pi R on is the whole sphere.

    Args:
        manifold: the space.
        radius: a length > 0, a number or a tensor (...), of the batch.
        n: dimension of the space; may be left out with a centre.
        centre: points (..., m); the origin if None.
        validate_args: as in ``torch.distributions``.

    Shapes: batch (...), event (m,).

    Raises:
        TypeError: no manifold, or no floating-point tensor.
        ValueError: neither n nor a centre, or two that disagree; shapes that do not fit; with
            ``validate_args``, a centre off the manifold or a radius that is not positive.
    """

    radius: Tensor
    _names = ("radius",)

    def __init__(
        self,
        manifold: Manifold,
        radius: Tensor | float,
        n: int | None = None,
        centre: Tensor | None = None,
        *,
        validate_args: bool | None = None,
    ) -> None:
        check_space("UniformBall", manifold)
        if centre is None:
            if n is None:
                raise ValueError("UniformBall: n and centre are None; expected one of them.")
            check_dimension("UniformBall", n)
            check_amount("UniformBall", "radius", radius)
            given = isinstance(radius, Tensor)
            dtype, device = (radius.dtype, radius.device) if given else (None, None)  # type: ignore[union-attr]
            centre = manifold.origin(n, dtype=dtype, device=device)
        else:
            check_coordinates("UniformBall", [("centre", centre)], manifold.ambient_dim(1))
            if n is not None:
                check_dimension("UniformBall", n)
        if n is not None and centre.shape[-1:] != (manifold.ambient_dim(n),):
            raise ValueError(
                f"UniformBall: centre has shape {tuple(centre.shape)} and n is {n}; expected "
                f"(..., {manifold.ambient_dim(n)})."
            )
        super().__init__(manifold, centre, radius, validate_args=validate_args)

    @property
    def arg_constraints(self) -> dict[str, constraints.Constraint]:
        """The centre lies on the manifold; the radius is positive."""
        return {"loc": OnManifold(self.manifold), "radius": constraints.positive}

    def log_normaliser(self) -> Tensor:
        """Logarithm of the volume, batch_shape, float64."""
        return log_ball_volume(self.manifold, self._parameter.double(), self.n)

    def entropy(self) -> Tensor:
        """Logarithm of the volume: batch_shape."""
        return self.log_normaliser().to(working(self.loc, self._parameter)[0])

    @property
    def mean_sqdist(self) -> Tensor:
        """Mean squared distance from the centre: batch_shape."""
        reach = self._reach().squeeze(-1)
        mean = reach.square() * self._law().expectation(torch.square)
        return mean.to(working(self.loc, self._parameter)[0])

    def _log_kernel(self, square: Tensor, *parameters: Tensor) -> Tensor:
        (parameter,) = parameters
        # A point made at the radius may be a few roundings beyond.
        inside = square <= (parameter * (1 + 16 * torch.finfo(self.loc.dtype).eps)).square()
        return torch.where(inside, 0.0, -math.inf).to(square)

    def _square(self, loc: Tensor, value: Tensor) -> Tensor:
        # A point far out is known to the rounding of its coordinates only, as a length eps R sn(r)
        # across the ray: at 12 R in float32 as much as 1/100. So much nearer a point may be.
        manifold, eps = self.manifold._unchecked, torch.finfo(self.loc.dtype).eps
        rounding = torch.zeros_like(loc[..., 0])
        with torch.no_grad():
            for x in (loc, value):
                r = norm(manifold.to_normal(x)).squeeze(-1)
                rounding = rounding + 8 * eps * r * log_sn_ratio(manifold, r).exp()
        nearer = (manifold.dist(loc, value) - rounding).clamp(min=0)
        return nearer.square()

    def _reach(self) -> Tensor:
        radius = self._parameter.double().unsqueeze(-1)
        return radius.minimum(diameter(self.manifold).to(radius))

    def _law(self) -> RadialLaw:
        # Of the distance as a fraction of the radius, so that the range does not move with it.
        return uniform_law(self.n, lambda t: log_sn_ratio(self.manifold, t), self._reach())

    def _distances(self, u: Tensor, *, implicit: bool) -> Tensor:
        return self._reach() * self._law().quantile(u, implicit=implicit)


class UniformSphere(Distribution):
    r"""The uniform law on the whole sphere: density 1/area.

    A sample is a standard normal vector of n + 1 components brought to the sphere (Muller 1959).
    It has no parameter but a learnable curvature.

    Args:
        manifold: the sphere.
        n: its dimension.
        dtype, device: of samples; torch's defaults if None.
        validate_args: as in ``torch.distributions``.

    Shapes: batch (), event (m,). There is no mean, every point being one.

    Raises:
        TypeError: no manifold.
        ValueError: no sphere, or n is no integer of at least 1.
    """

    has_rsample = True
    arg_constraints: dict[str, constraints.Constraint] = {}  # noqa: RUF012  # as torch has it

    def __init__(
        self,
        manifold: Manifold,
        n: int,
        *,
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
        validate_args: bool | None = None,
    ) -> None:
        check_space("UniformSphere", manifold, sphere=True)
        check_dimension("UniformSphere", n)
        self.manifold = manifold
        self.n = n
        self._like = torch.empty((), dtype=dtype, device=device)
        event_shape = torch.Size([manifold.ambient_dim(n)])
        super().__init__(torch.Size(), event_shape, validate_args=validate_args)

    @property
    def support(self) -> constraints.Constraint:
        """The sphere."""
        return OnManifold(self.manifold)

    def __repr__(self) -> str:
        return f"UniformSphere({self.manifold!r}, n={self.n})"

    def expand(self, batch_shape: Any, _instance: Any = None) -> Self:
        """The same law with its batch axes expanded."""
        new: Self = type(self).__new__(type(self)) if _instance is None else _instance
        new.manifold, new.n, new._like = self.manifold, self.n, self._like
        Distribution.__init__(new, torch.Size(batch_shape), self._event_shape, validate_args=False)
        new._validate_args = self._validate_args
        return new

    def entropy(self) -> Tensor:
        """Logarithm of the area: batch_shape, in the dtype of samples."""
        area = log_ball_volume(self.manifold, diameter(self.manifold), self.n)
        return area.to(self._like).expand(self._batch_shape)

    def log_prob(self, value: Tensor) -> Tensor:
        """Minus the logarithm of the area at points (..., m) -> (...)."""
        if self._validate_args:
            self._validate_sample(value)
        shape = torch.broadcast_shapes(self._batch_shape, value.shape[:-1])  # type: ignore[no-untyped-call]
        area = log_ball_volume(self.manifold, diameter(self.manifold), self.n)
        return (-area).to(value).expand(shape)

    def rsample(self, sample_shape: Any = torch.Size()) -> Tensor:  # noqa: B008
        """Points (sample_shape + batch_shape, m), differentiable in a learnable K."""
        shape = self._extended_shape(torch.Size(sample_shape))[:-1]
        z = torch.randn((*shape, self.n + 1), dtype=self._like.dtype, device=self._like.device)
        direction, length = normalize(z[..., 1:])
        angle = torch.atan2(norm(length), z[..., :1])
        return self.manifold.from_normal(self.manifold.radius * angle * direction).to(z.dtype)
