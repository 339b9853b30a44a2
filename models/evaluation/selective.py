"""Whether a model's own confidence tells right retrieval from wrong: risk and coverage."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...losses.metrics import aurc
from .retrieval import rank_of


def confidence_doubts(logits: Tensor) -> dict[str, Tensor]:
    """How uncertain a choice among columns is by its own logits, (N, C) -> (N,), larger for more.

    "probability" is 1 less the largest of the softmax (Hendrycks & Gimpel 2017), "margin" minus the
    difference of the two largest logits, "entropy" that of the softmax. With one column all are 0.
    """
    best = logits.topk(min(2, logits.shape[1]), dim=1).values
    log_p = logits.log_softmax(1)
    return {
        "probability": -torch.expm1(log_p.amax(1)),
        "margin": best[:, -1] - best[:, 0],
        "entropy": -(log_p.exp() * log_p).sum(1),
    }


def selective_figures(logits: Tensor, right: NDArray[np.bool_]) -> dict[str, float]:
    """The area under the curve of risk and coverage (AURC) of retrieval at 1, by each doubt.

    The mean share of errors among the most certain, over all shares taken (Geifman & El-Yaniv
    2017): "random" is that of an order that knows nothing, 1 - R@1, and "best" that of one that
    knows all.

    Args:
        logits: (N, C), what the model compares by.
        right: (N, C), at least one in each row.
    """
    loss = torch.from_numpy((rank_of(logits.numpy(), right) > 0).astype(np.float64))
    areas = {name: aurc(doubt, loss) for name, doubt in confidence_doubts(logits).items()}
    return {**areas, "random": float(loss.mean()), "best": aurc(loss, loss)}


def selective_lines(figures: dict[str, Any]) -> list[str]:
    """These figures of both directions as lines of a table."""
    columns = next(iter(figures.values()))
    lines = [f"  {'AURC by its own confidence':28}" + "".join(f"{name:>12}" for name in columns)]
    for direction, found in figures.items():
        lines.append(f"  {direction:28}" + "".join(f"{v:12.3f}" for v in found.values()))
    return lines
