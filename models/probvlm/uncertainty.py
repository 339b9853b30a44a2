"""What uncertainties are worth on concepts that nothing was trained on."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...losses.metrics import aurc, calibration, interval_coverage, pit
from ..evaluation.retrieval import check_scores, recall_at
from ..image_text import ImageTextModel
from .model import Law, ProbVLM

LEVELS = (0.5, 0.9, 0.95)
"""Probabilities of the central intervals whose coverage is reported."""


@torch.no_grad()
def likelihood_figures(model: ProbVLM, image: Tensor, text: Tensor) -> dict[str, Any]:
    """How well laws of embeddings hold data, row by row a pair (B, d).

    "intra" are laws at their own embeddings, "cross" at those of the other modality; each for
    "image", the laws of pictures, and "text". NLL is in nats a coordinate, that of the density,
    whatever was minimised. Coverage is the share of coordinates inside of the central intervals of
    50, 90 and 95 %, "PIT" the largest distance of the chances' distribution from the uniform one
    (Kolmogorov & Smirnov).
    """
    model = model.eval()
    image_law, text_law = model(image, text)
    cases = {
        "intra": {"image": (image_law, image), "text": (text_law, text)},
        "cross": {"image": (image_law, text), "text": (text_law, image)},
    }
    result: dict[str, Any] = {}
    for kind, laws in cases.items():
        each = {modality: _law_figures(law, x) for modality, (law, x) in laws.items()}
        mean = {k: float(np.mean([e[k] for e in each.values()])) for k in each["image"]}
        result[kind] = {**mean, **each}
    shapes = torch.cat([image_law.shape.flatten(), text_law.shape.flatten()]).double()
    low, median, high = shapes.quantile(torch.tensor([0.05, 0.5, 0.95]).double()).tolist()
    return {**result, "shape": {"5%": low, "median": median, "95%": high}}


def _law_figures(law: Law, x: Tensor) -> dict[str, float]:
    distribution = law.distribution()
    chances = pit(x.double(), law.loc.double(), law.log_scale.double().exp(), law.shape.double())
    covered = interval_coverage(chances, torch.tensor(LEVELS)).tolist()
    ordered = chances.flatten().sort().values
    steps = torch.arange(len(ordered) + 1, dtype=torch.float64) / len(ordered)
    apart = torch.maximum((ordered - steps[:-1]).abs().max(), (ordered - steps[1:]).abs().max())
    return {
        "NLL": float(-distribution.log_prob(x).double().mean()),
        **{f"coverage {level:.0%}": c for level, c in zip(LEVELS, covered, strict=True)},
        "PIT": float(apart),
    }


@torch.no_grad()
def retrieval_scores(model: ImageTextModel, images: Tensor, texts: Tensor) -> NDArray[np.floating]:
    """Minus the distances of all pairs of points, (B, m) and (C, m) -> (B, C)."""
    return -model.manifold.cdist(images.double(), texts.double(), matmul=True).numpy()


def hits_at_1(scores: NDArray[np.floating], right: NDArray[np.bool_]) -> Tensor:
    """For each row whether its best column is a right one, (B,) of 0 and 1."""
    check_scores(scores)
    best = np.where(right, scores, -np.inf).max(1)
    wrong = np.where(right, -np.inf, scores).max(1)
    return torch.from_numpy((best > wrong).astype(np.float64))


def recalls(scores: NDArray[np.floating], right: NDArray[np.bool_]) -> dict[str, float]:
    """R@1, R@5 and R@10."""
    return {f"R@{k}": r for k, r in zip((1, 5, 10), recall_at(scores, right), strict=True)}


def calibration_figures(
    uncertainties: Mapping[str, Tensor], hit: Tensor, *, bins: int = 10
) -> dict[str, Any]:
    """How each uncertainty (B,) goes with hits (B,), retrieval's recall at 1.

    S is the rank correlation of the bins' numbers with their recall (-1 is best), R2 the squared
    correlation, -S R2 ProbVLM's figure of merit, p the chance of an S as far from 0 by any order of
    the bins. AURC is the mean risk of the most certain ones over all coverages, for a random order
    1 - recall. See :func:`spaceforms.losses.metrics.calibration`. "mean" is the uncertainty's own.
    """
    result: dict[str, Any] = {"recall at 1": float(hit.mean())}
    for name, u in uncertainties.items():
        found = calibration(u, hit, bins=bins)
        result[name] = {
            "mean": float(u.mean()),
            "S": found.spearman,
            "R2": found.squared_correlation,
            "-S R2": found.score,
            "p": found.p_value,
            "AURC": aurc(u, 1 - hit),
            "recall by bin": found.hit.tolist(),
        }
    return result
