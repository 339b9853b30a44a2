"""Hidden pairs told from pairs that are none: F1, MAP and mean rank."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from .measures import reconstruction
from .relation import Relation

_FALSE = 10  # pairs that are none, for each hidden pair
_SAMPLE = 2_000  # nodes whose ancestors are ranked
_PAIRS = 50_000  # that are judged
_BLOCK = 2**15  # pairs scored at a time


class Hidden(NamedTuple):
    """How well hidden pairs are found."""

    f1: float
    """Of one half of them, by the threshold that is best for the other half."""
    f1_of_yes: float
    """Of saying yes to everything."""
    map: float
    """Of hidden ancestors, among nodes that are none."""
    mean_rank: float
    pairs: int


@torch.no_grad()
def judged(
    whole: Relation,
    known: Relation,
    hidden: Relation,
    *,
    cost: Callable[[Tensor], Tensor],
    score: Callable[[Tensor, Tensor], Tensor],
    seed: int,
) -> Hidden:
    """Judge hidden pairs by their costs.

    A pair is told from ten that are none, five with another ancestor and five with another
    descendant, or ten with another ancestor where all are descendants (Ganea et al. 2018, section
    4). One half of the hidden pairs chooses the threshold, F1 is that of the other half.

    Args:
        whole: all pairs.
        known: those that were learned from.
        hidden: those that were not.
        cost: (B,) nodes -> (B, nodes), small for ancestors.
        score: (B,) nodes, (B,) others -> (B,), the same for single pairs.
        seed: of the halves and of pairs that are none.
    """
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(hidden.pairs), generator=generator)[:_PAIRS]
    child, ancestor = hidden.pairs[order].unbind(-1)
    marks = torch.cat([ancestor[:, None], whole.negatives(child, _FALSE, generator)], dim=1)
    rows = child[:, None].repeat(1, _FALSE + 1)
    below = _turned(whole)
    some = (below.room[ancestor] > 0).nonzero().squeeze(-1)
    half = slice(1 + _FALSE // 2, None)
    rows[some, half] = below.negatives(ancestor[some], _FALSE - _FALSE // 2, generator)
    marks[some, half] = ancestor[some, None]
    parts = -(-rows.numel() // _BLOCK)
    blocks = zip(*(x.flatten().tensor_split(parts) for x in (rows, marks)), strict=True)
    found = torch.cat([score(u, v) for u, v in blocks]).reshape(rows.shape).double()
    truth = torch.zeros(rows.shape, dtype=torch.bool)
    truth[:, 0] = True
    middle = len(rows) // 2
    _, threshold = best_f1(found[:middle].flatten(), truth[:middle].flatten())

    def unknown(block: Tensor) -> Tensor:
        """Costs of what was not learned: known ancestors are no candidates."""
        table = cost(block)
        for row, u in enumerate(block.tolist()):
            table[row, known.pairs[known.starts[u] : known.starts[u + 1], 1]] = torch.inf
        return table

    nodes = (hidden.starts[1:] > hidden.starts[:-1]).nonzero().squeeze(-1)
    nodes = nodes[torch.randperm(len(nodes), generator=generator)[:_SAMPLE]].sort().values
    ranks = reconstruction(hidden, nodes, unknown)
    return Hidden(
        f1_at(threshold, found[middle:].flatten(), truth[middle:].flatten()),
        f1_of_yes(truth[middle:].flatten()),
        *ranks,
        pairs=len(hidden.pairs),
    )


def _turned(relation: Relation) -> Relation:
    """The relation of descendants to ancestors, the other way round."""
    child, ancestor = relation.pairs.numpy().T
    order = np.lexsort((child, ancestor))
    return Relation(relation.nodes, ancestor[order], child[order], None)


def best_f1(score: Tensor, truth: Tensor) -> tuple[float, float]:
    """The best F1 of ``score <= threshold`` and that threshold."""
    order = score.argsort()
    score, hits = score[order], truth[order].double().cumsum(0)
    f1 = 2 * hits / (torch.arange(1, len(hits) + 1) + hits[-1])
    k = int(f1.argmax())
    return float(f1[k]), float(score[k])


def f1_at(threshold: float, score: Tensor, truth: Tensor) -> float:
    """F1 of ``score <= threshold``."""
    chosen = score <= threshold
    return float(2 * (chosen & truth).sum() / (chosen.sum() + truth.sum()))


def f1_of_yes(truth: Tensor) -> float:
    """F1 of saying yes to everything."""
    return float(2 * truth.sum() / (truth.sum() + truth.numel()))
