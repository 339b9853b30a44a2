"""What a hierarchy makes of a model's answers, radii, cones and ways to the root.

Everything here is numpy on arrays of indices and numbers;
:mod:`spaceforms.models.evaluation.hierarchy` takes them from a run.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

TREE = ("TIE", "LCA", "Jaccard", "precision", "recall")
Table = NDArray[np.float64]


def tree_tables(paths: Sequence[Sequence[Hashable]]) -> dict[str, Table]:
    r"""How wrong each class is for each other one, by their places in a tree.

    With A the nodes from the root to a class, both included, p the class predicted and t the true
    one (Kosmopoulos et al. 2015; Pal et al. 2025, HyCoCLIP):

    ============= ============================================== ==============
    ``TIE``       :math:`|A_p \triangle A_t|`, the edges between  0 if right
    ``LCA``       :math:`|A_p \setminus A_t| + 1`                 1 if right
    ``Jaccard``   :math:`|A_p \cap A_t| / |A_p \cup A_t|`         1 if right
    ``precision`` :math:`|A_p \cap A_t| / |A_p|`                  1 if right
    ``recall``    :math:`|A_p \cap A_t| / |A_t|`                  1 if right
    ============= ============================================== ==============

    LCA, as HyCoCLIP has it, looks at the predicted class's side only: an ancestor of the truth has
    LCA 1.

    Args:
        paths: for each class its nodes, the root first; a node has one parent.

    Returns:
        Name -> (classes, classes), rows predicted and columns true.
    """
    place = {node: k for k, node in enumerate({node: None for path in paths for node in path})}
    member = np.zeros((len(paths), len(place)))
    for row, path in zip(member, paths, strict=True):
        row[[place[node] for node in path]] = 1
    common, size = member @ member.T, member.sum(1)
    predicted, true = size[:, None], size[None]
    return {
        "TIE": predicted + true - 2 * common,
        "LCA": predicted - common + 1,
        "Jaccard": common / (predicted + true - common),
        "precision": common / predicted,
        "recall": common / true,
    }


def tree_scores(
    predicted: NDArray[np.int64], true: NDArray[np.int64], paths: Sequence[Sequence[Hashable]]
) -> dict[str, dict[str, float]]:
    """Means of :func:`tree_tables` over answers, and what a blind guess gets.

    Args:
        predicted, true: (N,) indices of classes.
        paths: as there; the guess is a class drawn evenly from all of them.
    """
    return {
        name: {"mean": float(table[predicted, true].mean()), "chance": float(table[:, true].mean())}
        for name, table in tree_tables(paths).items()
    }


def spearman(a: NDArray[np.floating], b: NDArray[np.floating]) -> float:
    """Spearman's rank correlation, equal values sharing the mean of their ranks; NaN if either is
    constant."""
    ranks = [_ranks(np.asarray(v, np.float64)) for v in (a, b)]
    x, y = (r - r.mean() for r in ranks)
    size = np.linalg.norm(x) * np.linalg.norm(y)
    return float(x @ y / size) if size > 0 else float("nan")


def cone_scores(margin: NDArray[np.floating], below: NDArray[np.bool_]) -> dict[str, float]:
    """How well cones tell the children of their nodes from others.

    - ``AUC``: the probability that a true pair is deeper inside its cone (or less outside) than a
      false one, ties counting one half; 0.5 by chance.
    - ``contained``: the share of true pairs inside; 1 is perfect.
    - ``falsely contained``: the share of false pairs inside; 0 is perfect.

    Cones may rank well and hold nothing, or hold everything: none of the three says it all.

    Args:
        margin: (...) angle less half-aperture, at most 0 inside: see
            :func:`spaceforms.models.evaluation.cone_margin.cone_margin`.
        below: (...) whether it is a true pair; some are and some are not.
    """
    true, false = margin[below], margin[~below]
    ranks = _ranks(np.concatenate([true, false]))[: len(true)]
    # Mann and Whitney's U: pairs in which the true margin is the larger one.
    larger = ranks.sum() - len(true) * (len(true) + 1) / 2
    return {
        "AUC": float(1 - larger / (len(true) * len(false))),
        "contained": float((true <= 0).mean()),
        "falsely contained": float((false <= 0).mean()),
    }


def path_scores(
    found: Sequence[Collection[int]], wanted: Sequence[Collection[int]]
) -> dict[str, float]:
    """Precision and recall of what was met on the way to the root, as means over ways.

    As in Alper & Averbuch-Elor 2024 (HierarCaps): the texts found on a way against the
    texts above its picture. A way on which nothing was found has precision 0.
    """
    common = [len(set(f) & set(w)) for f, w in zip(found, wanted, strict=True)]
    precision = [c / len(set(f)) if f else 0.0 for c, f in zip(common, found, strict=True)]
    recall = [c / len(set(w)) for c, w in zip(common, wanted, strict=True)]
    return {"precision": float(np.mean(precision)), "recall": float(np.mean(recall))}


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks from 1, equal values sharing the mean of theirs."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    means = np.cumsum(counts) - (counts - 1) / 2
    return np.asarray(means[inverse], np.float64)
