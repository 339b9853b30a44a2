"""Retrieval and classification figures from a table of scores, each with its level of chance."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.floating]
Relevance = NDArray[np.bool_]


def recall_at(scores: Scores, relevant: Relevance, ks: tuple[int, ...] = (1, 5, 10)) -> list[float]:
    """Share of rows with a relevant column among the k best, for each k.

    A relevant column ranks behind every other column with the same score: a model that gives
    everything one score gets nothing for it.

    Args:
        scores: (rows, columns), larger is better.
        relevant: (rows, columns), at least one in each row.
        ks: the cut-offs.

    Raises:
        ValueError: a score that is not a number, which is neither more nor less than any other and
            would let a broken model win; or a row without a relevant column.
    """
    rank = rank_of(scores, relevant)
    return [float((rank < k).mean()) for k in ks]


def rank_of(scores: Scores, relevant: Relevance) -> NDArray[np.int64]:
    """How many other columns stand before each row's best relevant one, equals among them: (rows,).

    Arguments and errors as in :func:`recall_at`.
    """
    check_scores(scores)
    if not relevant.any(1).all():
        raise ValueError("recall_at: expected a relevant column in each row, got a row without.")
    best = np.where(relevant, scores, -np.inf).max(1, keepdims=True)
    return np.asarray(((scores >= best) & ~relevant).sum(1), np.int64)


def check_scores(scores: Scores) -> None:
    """Raise ValueError if a score is not a number: then there is no order, and no figure."""
    missing = int(np.isnan(scores).sum())
    if missing:
        raise ValueError(
            f"{missing:,} of {scores.size:,} scores are not numbers (NaN); expected those of a "
            "model whose weights and inputs are finite."
        )


def chance_recall_at(relevant: Relevance, ks: tuple[int, ...] = (1, 5, 10)) -> list[float]:
    """What :func:`recall_at` gives a random order: 1 - C(n - f, k)/C(n, k), f relevant of n."""
    n = relevant.shape[1]
    counts, rows = np.unique(relevant.sum(1), return_counts=True)
    share = rows / rows.sum()

    def miss(f: int, k: int) -> float:
        return math.comb(n - f, k) / math.comb(n, k) if k <= n else 0.0

    return [
        float(sum(r * (1 - miss(int(f), k)) for f, r in zip(counts, share, strict=True)))
        for k in ks
    ]


def accuracy(scores: Scores, label: NDArray[np.int64]) -> dict[str, float]:
    """Zero-shot accuracy of the best column: over pictures, over classes (macro), and by chance.

    Args:
        scores: (rows, classes).
        label: (rows,), the right column.

    Raises:
        ValueError: a score that is not a number.
    """
    check_scores(scores)
    right = scores.argmax(1) == label
    present = np.unique(label)
    return {
        "accuracy": float(right.mean()),
        "macro": float(np.mean([right[label == c].mean() for c in present])),
        "chance": 1 / scores.shape[1],
        "most frequent": float(np.bincount(label).max() / len(label)),
    }


def quantiles(values: NDArray[np.floating]) -> dict[str, float]:
    """Mean, quartiles and number."""
    low, median, high = np.quantile(values, [0.25, 0.5, 0.75])
    return {
        "mean": float(values.mean()),
        "25%": float(low),
        "median": float(median),
        "75%": float(high),
        "number": len(values),
    }
