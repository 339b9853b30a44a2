"""From a set of points to one: weighted centroids."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..manifolds import Manifold, PositiveScalar
from ..manifolds.checks import check_coordinates, check_number, check_tensor
from ..stats import centroid
from ._layer import Layer


class Pool(Layer):
    """The weighted centroid of each set of points, by :func:`spaceforms.stats.centroid`.

    Over the neighbours in a graph use that function's ``index``.

    Args:
        manifold: the space of the points; a submodule.

    ``forward`` takes points (..., k, m), and gives points (..., m).
    """

    def __init__(self, manifold: Manifold) -> None:
        super().__init__(manifold)

    def forward(
        self, x: Tensor, weights: Tensor | None = None, mask: Tensor | None = None
    ) -> Tensor:
        """The centroid of points (..., k, m) with weights (..., k), equal if None.

        ``mask`` (..., k) is True at the points that count; of a set of which none does the centroid
        is the origin. What stands at the others need not be a point, but finite.
        """
        check_coordinates("Pool", [("x", x)], 1, sets=True)
        if mask is not None:
            check_tensor("Pool", "mask", mask, (torch.bool,))
            ones = torch.ones_like(mask, dtype=torch.promote_types(x.dtype, torch.float32))
            weights = (ones if weights is None else weights) * mask
            rest = self.manifold.origin(
                x.shape[-1] - self.manifold._extra_coordinates, dtype=x.dtype, device=x.device
            )
            x = torch.where(mask.unsqueeze(-1), x, rest)
        return centroid(self.manifold, x, weights)


class AttentionPool(Layer):
    r"""The centroid with weights by distance from a learned point, the query q.

    .. math:: w_i = \operatorname{softmax}_i\bigl(-\tau\,d(q, x_i)\bigr)

    (the attention of Gulcehre et al. 2019, "Hyperbolic attention networks", section 3.2, with one
    query). At the start q is the origin and :math:`\tau` is 1.

    Args:
        manifold: the space of the points; a submodule, so that a learnable curvature is learned.
        n: its dimension.
        temperature: the initial :math:`\tau`, an inverse length, learned and kept positive.
        device, dtype: of the query.

    ``forward`` takes points (..., k, m), and gives points (..., m).
    """

    def __init__(
        self,
        manifold: Manifold,
        n: int,
        *,
        temperature: float = 1.0,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(manifold, n)
        check_number("AttentionPool", "temperature", temperature)
        self.query = nn.Parameter(torch.zeros(n, device=device, dtype=dtype))
        """In normal coordinates."""
        self.temperature = PositiveScalar(temperature)

    def reset_parameters(self) -> None:
        """The query is the origin again, the temperature the one given."""
        nn.init.zeros_(self.query)
        self.temperature.reset_parameters()

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """The centroid of points (..., k, m); ``mask`` as in :class:`Pool`."""
        check_coordinates("AttentionPool", [("x", x)], 1, sets=True)
        self._check(x)
        distance = self.manifold.dist(self.manifold.from_normal(self.query), x)
        logits = -distance.to(torch.promote_types(x.dtype, torch.float32)) * self.temperature()
        if mask is not None:
            check_tensor("AttentionPool", "mask", mask, (torch.bool,))
            logits = logits.where(mask, torch.finfo(logits.dtype).min)
        return Pool.forward(self, x, logits.softmax(-1), mask)  # type: ignore[arg-type]
