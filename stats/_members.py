"""Which points of an axis belong to one set: all of them, or those of one index."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Members(NamedTuple):
    """Points along an axis, counted from the end, and the sets that they belong to."""

    axis: int
    of: Tensor | None = None
    """The set of each point, (k,); one set of all of them if None."""
    size: int = 1
    """How many sets there are."""

    def sum(self, values: Tensor) -> Tensor:
        """Sums over the points of each set: the axis of length k has length ``size`` then."""
        if self.of is None:
            return values.sum(self.axis, keepdim=True)
        shape = list(values.shape)
        shape[self.axis] = self.size
        return values.new_zeros(shape).index_add(self.axis, self.of, values)

    def spread(self, values: Tensor) -> Tensor:
        """For each point what its set has; the inverse way."""
        return values if self.of is None else values.index_select(self.axis, self.of)

    def shares(self, weights: Tensor) -> tuple[Tensor, Tensor]:
        """Weights (..., k, 1) with sum 1 in each set, and where a set has none, (..., size, 1).

        The weights of a set in which one is negative or not finite are NaN.
        """
        good = (weights >= 0) & weights.isfinite()
        bad = self.sum((~good).to(weights.dtype)) > 0
        total = self.sum(weights.where(good, 0.0))
        empty = (total == 0) & ~bad
        shares = weights.where(good, 0.0) / self.spread(total.where(total > 0, 1.0))
        return torch.where(self.spread(bad), torch.nan, shares), empty
