"""From features to points, and what is done to features done to points."""

from __future__ import annotations

from torch import Tensor, nn

from ..manifolds import Manifold, PositiveScalar
from ..manifolds.checks import check_coordinates, check_number
from ..manifolds.manifold_checks import check_manifold
from ._layer import Layer


class Lift(Layer):
    r"""Features as points: their multiples are normal coordinates.

    .. math:: x = \exp_0(\alpha v),

    with a learned scale :math:`\alpha`, at first :math:`1/\sqrt n`, by which features of variance 1
    become points at distance about 1 from the origin (Desai et al. 2023, MERU, section 3.2). The
    scale is kept positive, as :class:`~spaceforms.manifolds.PositiveScalar` says.

    Args:
        manifold: the space of the points; a submodule, so that a learnable curvature is learned.
        n: its dimension.
        scale: the initial scale; 1/sqrt(n) if None.
        learnable: whether it is a parameter.

    ``forward`` takes features (..., n) and gives points (..., ambient_dim(n)); the way back is
    ``manifold.to_normal(x)``.
    """

    def __init__(
        self,
        manifold: Manifold,
        n: int,
        *,
        scale: float | None = None,
        learnable: bool = True,
    ) -> None:
        super().__init__(manifold, n)
        if scale is not None:
            check_number("Lift", "scale", scale)
        self.scale = PositiveScalar(n**-0.5 if scale is None else scale, learnable=learnable)

    def reset_parameters(self) -> None:
        """Back to the initial scale."""
        self.scale.reset_parameters()

    def forward(self, v: Tensor) -> Tensor:
        """(..., n) -> (..., ambient_dim(n))."""
        check_coordinates("Lift", [("v", v)], 1)
        self._check(v, normal=True)
        return self.manifold.from_normal(v * self.scale())


class Tangent(Layer):
    r"""Any module of features as one of points: activation, dropout, a linear map at the origin.

    .. math:: f^\otimes(x) = \exp_0(f(\log_0 x))

    in normal coordinates: the Möbius version of f of Ganea et al. 2018 (Hyperbolic Neural
    Networks), section 3.1, on every manifold. ``Tangent(space, nn.ReLU())`` is an activation,
    ``Tangent(space, nn.Dropout(0.1))`` dropout, which pulls what is left of a point away from the
    origin by 1/(1 - p) as it does a vector. At K = 0 it is f itself.

    Args:
        manifold: the space of the points; a submodule, so that a learnable curvature is learned.
        module: takes features (..., n) and gives features (..., n').
        target: the space of the result; the same as that of the points if None.

    ``forward`` takes points (..., ambient_dim(n)) and gives points (..., target.ambient_dim(n')).
    """

    def __init__(
        self, manifold: Manifold, module: nn.Module, *, target: Manifold | None = None
    ) -> None:
        super().__init__(manifold)
        if not isinstance(module, nn.Module):
            raise TypeError(
                f"Tangent: module is a {type(module).__name__}; expected a torch.nn.Module such as "
                "nn.ReLU()."
            )
        check_manifold("Tangent", manifold if target is None else target)
        self.module = module
        self.target = manifold if target is None else target

    def forward(self, x: Tensor) -> Tensor:
        """(..., m) -> (..., m')."""
        features: Tensor = self.module(self.manifold.to_normal(x))
        return self.target.from_normal(features)
