"""What all laws about a point of a manifold share."""

from typing import Any, Self

import torch
from torch import Tensor
from torch.distributions import Distribution, constraints

from ..manifolds import Manifold


class OnManifold(constraints.Constraint):
    """Points of a manifold, by :meth:`Manifold.is_point`; the last axis is the event."""

    is_discrete = False
    event_dim = 1

    def __init__(self, manifold: Manifold) -> None:
        self.manifold = manifold
        super().__init__()

    def check(self, value: Tensor) -> Tensor:
        """(..., m) -> (...) bool."""
        return self.manifold.is_point(value)

    def __repr__(self) -> str:
        return f"OnManifold({self.manifold!r})"


class Centred(Distribution):
    """A law about ``loc``, (*batch_shape, m), with parameters in the attributes ``_names``.

    Each parameter has the batch's shape, followed by that of :meth:`_axes`.
    """

    has_rsample = True
    _names: tuple[str, ...]
    manifold: Manifold
    loc: Tensor

    def _axes(self) -> tuple[int, ...]:
        """Of a parameter, behind those of the batch."""
        return ()

    @property
    def _parameters(self) -> tuple[Tensor, ...]:
        return tuple(getattr(self, name) for name in self._names)

    @property
    def support(self) -> constraints.Constraint:
        """The manifold."""
        return OnManifold(self.manifold)

    @property
    def n(self) -> int:
        """Dimension of the space."""
        return self._event_shape[0] - self.manifold.ambient_dim(0)

    def __repr__(self) -> str:
        shapes = ", ".join(
            f"{name}: {tuple(getattr(self, name).shape)}" for name in ("loc", *self._names)
        )
        return f"{type(self).__name__}({self.manifold!r}, {shapes})"

    def expand(self, batch_shape: Any, _instance: Any = None) -> Self:
        """The same law with its batch axes expanded."""
        new: Self = type(self).__new__(type(self)) if _instance is None else _instance
        batch_shape = torch.Size(batch_shape)
        new.manifold = self.manifold
        new.loc = self.loc.expand(*batch_shape, self._event_shape[0])
        for name in self._names:
            setattr(new, name, getattr(self, name).expand(*batch_shape, *self._axes()))
        Distribution.__init__(new, batch_shape, self._event_shape, validate_args=False)
        new._validate_args = self._validate_args
        return new
