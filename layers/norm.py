"""Batch normalisation of points."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..manifolds import Manifold, translation
from ..manifolds.checks import check_number
from ..stats import centroid
from ._layer import Layer


class Norm(Layer):
    r"""Riemannian batch normalisation: centre, and scale about the centre.

    .. math:: y = \tau_\beta\Bigl(\exp_0\Bigl(\frac{s}{\sqrt{\sigma^2 + \epsilon}}
              \,\log_0\tau_\mu^{-1} x\Bigr)\Bigr),\qquad
              \sigma^2 = \frac1N\sum_i d(x_i, \mu)^2,

    :math:`\tau_p` the translation that takes the origin to p, :math:`\mu` the batch's
    :func:`~spaceforms.stats.centroid` in closed form: Lou et al. 2020 ("Differentiating through the
    Fréchet mean"), algorithm 2, with Bdeir et al. 2024 ("Fully hyperbolic convolutional neural
    networks") for the centroid and the way through the origin. The points' root mean square
    distance from their centre becomes the learned length s, 1 at first, and their centre the
    learned point :math:`\beta`, at first the origin. On a product :math:`\sigma` and s are numbers
    of each factor.

    At K = 0 it is batch normalisation with one variance, that of all coordinates together.

    Args:
        manifold: the space of the points; a submodule, so that a learnable curvature is learned.
        n: its dimension.
        momentum: the share of a new batch in the running statistics, in (0, 1]: the running centre
            goes that part of the geodesic to the batch's.
        eps: added to the variance. A batch of one point, or of equal ones, goes to
            :math:`\beta`.
        affine: whether s and beta are parameters.
        device, dtype: of parameters and statistics.

    ``forward`` takes points (..., m), all leading axes of them the batch, and gives points of that
    shape. In training the statistics are the batch's; in evaluation those kept in the buffers
    ``running_mean``, in normal coordinates, so that it is a point whatever becomes of a learnable
    curvature, and ``running_var``.
    """

    running_mean: Tensor
    running_var: Tensor

    def __init__(
        self,
        manifold: Manifold,
        n: int,
        *,
        momentum: float = 0.1,
        eps: float = 1e-5,
        affine: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(manifold, n)
        check_number("Norm", "momentum", momentum)
        check_number("Norm", "eps", eps)
        if not 0 < momentum <= 1:
            raise ValueError(f"Norm: momentum is {momentum}; expected a number in (0, 1].")
        if not eps > 0:
            raise ValueError(f"Norm: eps is {eps}; expected a positive number.")
        self.momentum, self.eps = float(momentum), float(eps)
        self._slices = [f.normals for f in self._factors(n)]
        of_factors = torch.empty(len(self._slices), device=device, dtype=dtype)
        of_points = torch.empty(n, device=device, dtype=dtype)
        self.register_buffer("running_mean", of_points.clone())
        self.register_buffer("running_var", of_factors.clone())
        self.scale = nn.Parameter(of_factors) if affine else None
        self.bias = nn.Parameter(of_points) if affine else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """No scale, no shift, and statistics of centred points at root mean square distance 1."""
        nn.init.zeros_(self.running_mean)
        nn.init.ones_(self.running_var)
        if self.scale is not None and self.bias is not None:
            nn.init.ones_(self.scale)
            nn.init.zeros_(self.bias)

    def forward(self, x: Tensor) -> Tensor:
        """(..., m) -> (..., m)."""
        self._check(x)
        space, batch = self.manifold, x.reshape(-1, x.shape[-1])
        if self.training and batch.shape[0] == 0:
            raise ValueError(
                f"Norm: x has shape {tuple(x.shape)}; expected at least one point in training."
            )
        kept = space.from_normal(self.running_mean.to(x.dtype))
        mean = centroid(space, batch) if self.training else kept
        origin = space.from_normal(torch.zeros_like(self.running_mean, dtype=x.dtype))
        v = space.to_normal(translation(space, mean, origin)(batch))
        wide = v.to(torch.promote_types(v.dtype, torch.float32))
        if self.training:
            squares = [wide[:, s].square().sum(-1).mean() for s in self._slices]
            variance = torch.stack(squares)
            self._keep(space.geodesic(kept, mean, self.momentum), variance)
        else:
            variance = self.running_var.to(wide.dtype)
        factor = (variance + self.eps).rsqrt()
        if self.scale is not None:
            factor = factor * self.scale
        parts = [wide[:, s] * factor[i] for i, s in enumerate(self._slices)]
        y = space.from_normal(torch.cat(parts, dim=-1).to(x.dtype))
        if self.bias is not None:
            y = translation(space, origin, space.from_normal(self.bias.to(x.dtype)))(y)
        return y.reshape(x.shape)

    @torch.no_grad()
    def _keep(self, mean: Tensor, variance: Tensor) -> None:
        self.running_mean.copy_(self.manifold.to_normal(mean.detach()))
        self.running_var.lerp_(variance.detach().to(self.running_var.dtype), self.momentum)

    def extra_repr(self) -> str:
        """The numbers that it was made with."""
        affine = self.scale is not None
        return f"n={self.n}, momentum={self.momentum:g}, eps={self.eps:g}, affine={affine}"
