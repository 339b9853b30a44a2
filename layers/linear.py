"""Fully connected layers, whose outputs are distances to learned hyperplanes."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..manifolds import Manifold
from ..manifolds.checks import check_integer
from ._factors import factors, needs_l2
from ._layer import Layer
from .hyperplanes import from_signed_distances, hyperplane_scores


class _Hyperplanes(Layer):
    """Learned hyperplanes and the scores of points."""

    def __init__(
        self,
        manifold: Manifold,
        n: int,
        count: int,
        std: float,
        offset: bool,
        device: torch.device | str | None,
        dtype: torch.dtype | None,
    ) -> None:
        super().__init__(manifold, n)
        needs_l2(type(self).__name__, manifold)
        shape = (count,) if len(self._factors(n)) == 1 else (count, len(self._factors(n)))
        self._std = std
        self.weight = nn.Parameter(torch.empty(count, n, device=device, dtype=dtype))
        self.offset: nn.Parameter | None = None
        if offset:
            self.offset = nn.Parameter(torch.empty(shape, device=device, dtype=dtype))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weight anew and let all hyperplanes go through the origin."""
        nn.init.normal_(self.weight, std=self._std)
        if self.offset is not None:
            nn.init.zeros_(self.offset)

    def scores(self, x: Tensor) -> Tensor:
        """:func:`hyperplane_scores` of the points: (..., m) -> (..., count)."""
        self._check(x)
        return hyperplane_scores(self.manifold, x, self.weight, self.offset)


class MLR(_Hyperplanes):
    r"""Multinomial logistic regression: the logits are scaled signed distances to hyperplanes.

    Ganea et al. 2018 (Hyperbolic Neural Networks) in the parameters of Shimizu et al. 2021 (++): a
    direction in normal coordinates and a signed length for each class, see
    :func:`hyperplane_scores`; ``nn.Linear`` at K = 0, with bias :math:`-|z_k| r_k`.

    At the start the directions are normal with variance 1/n and the offsets 0.

    Args:
        manifold: the space of the points; a submodule, so that a learnable curvature is learned.
        n: its dimension.
        classes: how many there are.
        offset: whether the hyperplanes may leave the origin.
        device, dtype: of the parameters.

    ``forward`` takes points (..., ambient_dim(n)) and gives logits (..., classes).
    """

    def __init__(
        self,
        manifold: Manifold,
        n: int,
        classes: int,
        *,
        offset: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        check_integer("MLR", "classes", classes, 1, "a number of classes, an integer")
        check_integer("MLR", "n", n, 1, "the dimension of the space, an integer")
        super().__init__(manifold, n, classes, n**-0.5, offset, device, dtype)

    def forward(self, x: Tensor) -> Tensor:
        """Logits of points: (..., m) -> (..., classes)."""
        return self.scores(x)

    def extra_repr(self) -> str:
        """The numbers that it was made with."""
        return f"n={self.n}, classes={len(self.weight)}, offset={self.offset is not None}"


class Linear(_Hyperplanes):
    r"""A fully connected layer: the coordinates of the result are distances to hyperplanes.

    With the scores :math:`v_k(x) = |z_k|\,\delta_k(x)` of :func:`hyperplane_scores` the result is
    the point whose signed distances to the coordinate hyperplanes are :math:`v_k`,
    :func:`from_signed_distances`: the layer of Shimizu et al. 2021 (Hyperbolic Neural Networks++),
    section 3.2, on the ball, and of the same points on every other model. At K = 0 it is
    ``nn.Linear`` of normal coordinates, with bias :math:`-|z_k| r_k`; on Stereographic it is smooth
    in K through there. On the sphere distances to hyperplanes are coordinates of the open
    hemisphere, and only near the origin may they be any: see :func:`from_signed_distances`; keep
    them below R/sqrt(out).

    At the start the directions are normal with variance 1/out and the offsets 0: points keep their
    distance from the origin, in the mean of squares and where that is small beside R.

    Args:
        manifold: the space of the points; a submodule, so that a learnable curvature is learned.
        n: its dimension.
        out: the dimension of the result.
        target: the space of the result; the same as that of the points if None.
        offset: whether the hyperplanes may leave the origin.
        device, dtype: of the parameters.

    ``forward`` takes points (..., ambient_dim(n)) and gives points (..., ambient_dim(out)).
    """

    def __init__(
        self,
        manifold: Manifold,
        n: int,
        out: int,
        *,
        target: Manifold | None = None,
        offset: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        check_integer("Linear", "out", out, 1, "the dimension of the result, an integer")
        super().__init__(manifold, n, out, out**-0.5, offset, device, dtype)
        self.target = manifold if target is None else target
        factors("Linear", self.target, out)

    def forward(self, x: Tensor) -> Tensor:
        """(..., m) -> (..., target.ambient_dim(out))."""
        return from_signed_distances(self.target, self.scores(x))

    def extra_repr(self) -> str:
        """The numbers that it was made with."""
        return f"n={self.n}, out={len(self.weight)}, offset={self.offset is not None}"
