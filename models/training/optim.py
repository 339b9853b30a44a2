"""AdamW's parameter groups and the learning rate of a step."""

import math
from typing import Any

from torch import Tensor, nn


def parameter_groups(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Two groups: matrices, decayed; and norms, biases and learned scalars, not decayed.

    What is not decayed has fewer than two axes: gains and biases are vectors, scales, alphas and
    the curvature have no axis. (MERU's optimiser asked for the same and, by ``0.0 or 0.2``, got
    decay on all of them.)
    """
    decayed: list[Tensor] = []
    free: list[Tensor] = []
    for parameter in model.parameters():
        if parameter.requires_grad:
            (decayed if parameter.ndim >= 2 else free).append(parameter)
    return [
        {"params": decayed, "weight_decay": weight_decay},
        {"params": free, "weight_decay": 0.0},
    ]


def learning_rate(step: int, *, peak: float, steps: int, warmup: float) -> float:
    """Linear rise over the first ``warmup`` share of the steps, then a cosine to 0.

    Args:
        step: 0 <= step < steps.
        peak: the highest value.
        steps: length of the run.
        warmup: share of the steps in the rise.
    """
    rise = warmup * steps
    if step + 1 <= rise:
        return peak * (step + 1) / rise
    return peak * 0.5 * (1 + math.cos(math.pi * (step - rise) / max(steps - rise, 1)))
