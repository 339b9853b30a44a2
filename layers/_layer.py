"""What every layer has: its manifold, and points of the dimension that it was made for."""

from __future__ import annotations

from torch import Tensor, nn

from ..manifolds import Manifold
from ..manifolds.checks import check_coordinates, check_integer
from ..manifolds.manifold_checks import check_known
from ._factors import Factor, factors


class Layer(nn.Module):
    """A layer of points of a manifold. The manifold is a submodule: what it learns, a layer learns.

    Args:
        manifold: the space of the points.
        n: its dimension; None for any.
    """

    def __init__(self, manifold: Manifold, n: int | None = None) -> None:
        super().__init__()
        name = type(self).__name__
        check_known(name, manifold)
        self.manifold = manifold
        self.n = n
        if n is not None:
            check_integer(name, "n", n, 1, "the dimension of the space, an integer")
            self._factors(n)

    def _factors(self, n: int) -> list[Factor]:
        return factors(type(self).__name__, self.manifold, n)

    def _check(self, x: Tensor, *, normal: bool = False) -> None:
        """Refuse what are no points of the dimension, or no normal coordinates of them."""
        name = type(self).__name__
        check_coordinates(name, [("x", x)], 1)
        assert self.n is not None
        wanted = self.n if normal else self.manifold.ambient_dim(self.n)
        if x.shape[-1] != wanted:
            what = "features" if normal else f"coordinates, those of a point of {self.manifold}"
            raise ValueError(
                f"{name}: x has shape {tuple(x.shape)}; expected {wanted} {what} of dimension "
                f"{self.n}, on the last axis."
            )

    def extra_repr(self) -> str:
        """The dimension; the manifold is shown as a submodule."""
        return "" if self.n is None else f"n={self.n}"
