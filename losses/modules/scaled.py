"""What the modules of the contrastive losses share: a manifold, logits and a temperature."""

from typing import Any, get_args

from torch import nn

from ...manifolds import Manifold, PositiveScalar
from ...manifolds.checks import check_number
from ..common import Reduction, check_manifold, check_option, check_reduction
from ..pairwise.logits import Logits, Precision, Tile, check_tile


class ManifoldLoss(nn.Module):
    """A loss of points of a manifold, which it does not own."""

    def __init__(self, manifold: Manifold) -> None:
        super().__init__()
        check_manifold(type(self).__name__, manifold)
        # nn.Module does not look into tuples: the manifold's parameters stay the model's, where
        # they would else be in the state_dict of both.
        self._manifold = (manifold,)

    @property
    def manifold(self) -> Manifold:
        """The space of the points."""
        return self._manifold[0]


class Scaled(ManifoldLoss):
    """A loss with a learned inverse temperature; see :class:`InfoNCE` for the arguments."""

    def __init__(
        self,
        manifold: Manifold,
        scale: float,
        max_scale: float | None,
        learnable: bool,
        logits: Logits,
        tile: Tile,
        precision: Precision,
        reduction: Reduction,
    ) -> None:
        super().__init__(manifold)
        name = type(self).__name__
        check_option(name, "logits", logits, get_args(Logits))
        check_number(name, "scale", scale)
        if max_scale is not None:
            check_number(name, "max_scale", max_scale)
        check_option(name, "precision", precision, get_args(Precision))
        check_reduction(name, reduction)
        check_tile(name, tile)
        if max_scale is not None and not 0 < scale < max_scale:
            raise ValueError(
                f"{name}: scale is {scale} with max_scale {max_scale}; expected a positive scale "
                "below max_scale."
            )
        # The upper bound is what the papers have; the lower one is far from anything a run visits,
        # for PositiveScalar takes both or none.
        bounds = None if max_scale is None else (scale * 1e-6, max_scale)
        self.scale = PositiveScalar(scale, bounds=bounds, learnable=learnable)
        self.logits: Logits = logits
        self.tile: Tile = tile
        self.precision: Precision = precision
        self.reduction: Reduction = reduction

    def _options(self) -> dict[str, Any]:
        return {
            "manifold": self.manifold,
            "scale": self.scale(),
            "logits": self.logits,
            "tile": self.tile,
            "precision": self.precision,
            "reduction": self.reduction,
        }

    def extra_repr(self) -> str:
        """Manifold and logits."""
        return f"{self.manifold!r}, logits={self.logits!r}"
