"""An exponential moving average of a model's weights."""

import torch
from torch import Tensor, nn

from ...losses import rising_momentum


class Ema:
    """Weights averaged over the last 1 / (1 - decay) steps or so (Polyak and Juditsky 1992).

    In step t the average moves by 1 - min(decay, (1 + t) / (10 + t)) towards the weights, so that
    a short run is not an average of its initial weights. Buffers and integers are copied.

    Args:
        model: its weights are the first average.
        decay: between 0 and 1, 0.999 for instance.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        if not 0 < decay < 1:
            raise ValueError(f"Ema: decay is {decay}; expected a number between 0 and 1.")
        self.decay = decay
        self.weights = {name: value.detach().clone() for name, value in model.state_dict().items()}
        self._learned = {name for name, p in model.named_parameters() if p.is_floating_point()}

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        """Move towards the weights after step ``step``, counted from 0."""
        share = 1 - rising_momentum(self.decay, step)
        now = model.state_dict()
        for name, mean in self.weights.items():
            if name in self._learned:
                mean.lerp_(now[name], share)
            else:
                mean.copy_(now[name])

    def load(self, weights: dict[str, Tensor]) -> None:
        """Go on from the averages of a checkpoint."""
        if weights.keys() != self.weights.keys():
            raise ValueError("Ema: expected the averages of the same model, got those of another.")
        for name, value in weights.items():
            self.weights[name].copy_(value)
