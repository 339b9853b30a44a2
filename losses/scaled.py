"""What the modules of the contrastive losses share: a manifold, logits and a temperature."""

from typing import Any, get_args

from torch import nn

from ..manifolds import Manifold, PositiveScalar
from ..manifolds.checks import check_number
from .common import Reduction, check_manifold, check_option
from .pairwise.logits import Logits, Precision, Tile, check_tile


class Scaled(nn.Module):
    """A loss with a learned inverse temperature; see :class:`InfoNCE` for the arguments."""

    def __init__(
        self,
        manifold: Manifold,
        *,
        scale: float,
        max_scale: float | None,
        learnable: bool,
        logits: Logits,
        tile: Tile,
        precision: Precision,
        reduction: Reduction,
    ) -> None:
        super().__init__()
        name = type(self).__name__
        check_manifold(name, manifold)
        check_option(name, "logits", logits, get_args(Logits))
        check_number(name, "scale", scale)
        if max_scale is not None:
            check_number(name, "max_scale", max_scale)
        check_option(name, "precision", precision, get_args(Precision))
        check_option(name, "reduction", reduction, get_args(Reduction))
        check_tile(name, tile)
        if max_scale is not None and not 0 < scale < max_scale:
            raise ValueError(
                f"{name}: scale is {scale} with max_scale {max_scale}; expected a positive scale "
                "below max_scale."
            )
        # In a tuple, nn.Module does not see it and its parameters stay the model's.
        self._manifold = (manifold,)
        # A lower bound far from anything a run visits: the upper one is what the papers have.
        bounds = None if max_scale is None else (scale * 1e-6, max_scale)
        self.scale = PositiveScalar(scale, bounds=bounds, learnable=learnable)
        self.logits: Logits = logits
        self.tile: Tile = tile
        self.precision: Precision = precision
        self.reduction: Reduction = reduction

    @property
    def manifold(self) -> Manifold:
        """The space of the points."""
        return self._manifold[0]

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
