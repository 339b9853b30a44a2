"""Retrieval in two steps: the nearest by distance, and those in the order of a fusion encoder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...datasets import EmojiData
from ...datasets.augment import to_float
from ..tcl.matching import Features
from ..tcl.model import TCL
from .retrieval import Scores
from .run import CHUNK, Run

NEAREST = 16
"""How many are put in order."""


def can_rerank(run: Run) -> bool:
    """Whether the model has a fusion encoder."""
    return isinstance(run.model, TCL) and run.model.matcher is not None


def reranked(
    run: Run,
    data: EmojiData,
    index: NDArray[np.int64],
    texts: Sequence[str],
    logits: Scores,
    *,
    nearest: int = NEAREST,
) -> tuple[Scores, Scores]:
    r"""Scores of pictures by texts and of texts by pictures, of each row's nearest alone.

    The ``nearest`` columns of a row by ``logits`` get the sum of both logits, the contrast's l and
    matching's m, all others -inf: right for figures at cut-offs up to ``nearest``.

    Why the sum: matching learns to tell pairs from negatives that were drawn with probability
    proportional to :math:`e^l`, so that at its optimum

    .. math:: m(i, t) = \log\frac{p(i, t)}{p(i)\,p(t)} - l(i, t) - \log(1/Z_i + 1/Z_t),

    Z the means of :math:`e^l` over the row and the column. It says what the contrast does not know:
    where the contrast is perfect, and where fusion has learned nothing, m has no order of its own.
    (Li et al. 2021 and TCL order by m alone; BLIP by m and the cosine.)

    Args:
        run: of a model with a fusion encoder.
        data: the pictures' source.
        index: the pictures, N.
        texts: M captions.
        logits: (N, M), of the contrast, which negatives were drawn by.
        nearest: number of columns that are put in order in each row.

    Returns:
        (N, M) and (M, N).
    """
    tables = logits, logits.T
    chosen = [_best(table, nearest) for table in tables]
    rows, columns = np.nonzero(chosen[0] | chosen[1].T)
    both = np.full(logits.shape, -np.inf)
    both[rows, columns] = logits[rows, columns] + _match(run, data, index, texts, rows, columns)
    return tuple(  # type: ignore[return-value]
        np.where(mine, table, -np.inf) for mine, table in zip(chosen, (both, both.T), strict=True)
    )


def _best(scores: Scores, k: int) -> NDArray[np.bool_]:
    mask = np.zeros(scores.shape, np.bool_)
    order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    np.put_along_axis(mask, order, True, axis=1)
    return mask


@torch.no_grad()
def _match(
    run: Run,
    data: EmojiData,
    index: NDArray[np.int64],
    texts: Sequence[str],
    rows: NDArray[Any],
    columns: NDArray[Any],
) -> NDArray[np.floating]:
    model = run.model
    assert isinstance(model, TCL)
    device = model.steps.device
    tokens = run.tokenizer.encode(texts).to(device)
    words, masks = zip(*(model.text_features(t) for t in torch.split(tokens, CHUNK)), strict=True)
    word, mask = torch.cat(words), torch.cat(masks)
    parts = np.array_split(index, max(1, -(-len(index) // CHUNK)))
    cells = torch.cat([model.image_features(to_float(data.images[p]).to(device)) for p in parts])
    found: list[Tensor] = []
    for k in range(0, len(rows), CHUNK):
        i, j = (torch.from_numpy(n[k : k + CHUNK]).to(device) for n in (rows, columns))
        found.append(model.match(Features(cells[i], word[j], mask[j])).double().cpu())
    return torch.cat(found).numpy()
