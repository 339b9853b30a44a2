"""Contrastive loss: softmax cross-entropy over the distances of all pairs."""

from typing import Literal

import torch
from torch import Tensor

from ..manifolds import Manifold
from ._common import Reduction, check_option, in_float32, reduce

Logits = Literal["neg_dist", "neg_sqdist", "inner"]


def info_nce(
    x: Tensor,
    y: Tensor,
    *,
    manifold: Manifold,
    scale: Tensor | float,
    targets: Tensor | None = None,
    logits: Logits = "neg_dist",
    symmetric: bool = True,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Contrastive loss between two batches of points: x_i should be nearer to y_i than to any y_j.

    With logits :math:`l_{ij} = -s\,d(x_i, y_j)` (or :math:`-s\,d^2`, or
    :math:`s\,\langle x_i, y_j\rangle`) and targets :math:`p_{ij}`,

    .. math:: L_i = -\sum_j p_{ij}\log\frac{e^{l_{ij}}}{\sum_k e^{l_{ik}}},

    and, if symmetric, the mean of that and the same over columns (Radford et al. 2021, figure 3,
    with ``logits="inner"`` on the unit sphere; Desai et al. 2023, section 3.2, with
    ``"neg_dist"`` on Lorentz).

    *Several positives.* ``targets`` may say that several pairs belong together (two pictures of
    one concept in a batch are not negatives of each other). They share the target mass of their
    row equally, so the smallest possible loss of a row with k positives is log k.

    Logits are computed in float64 from one matrix product and used in float32 or better, whatever
    the inputs' dtype and autocast: at scale 100 a distance rounded to bfloat16 is off by half a
    unit of the logit.

    Args:
        x: points (B, m).
        y: points (C, m).
        manifold: the space of both.
        scale: s > 0, the inverse temperature.
        targets: None (x_i belongs to y_i, B = C); integers (B,), the positive column of each row;
            or (B, C), boolean (positives) or non-negative weights, normalised along each row (for
            the columns' half, along each column). A row without any positive is left out of the
            mean and is 0 under ``"none"``.
        logits: what the softmax is taken of.
        symmetric: average the losses of rows and columns. Needs targets for columns as well:
            None or (B, C).
        reduction: ``"mean"`` over rows with a positive (the mean of rows' and columns' means if
            symmetric), ``"sum"``, or ``"none"``: (B,), or (B, 2) with the columns' losses beside
            if symmetric and B = C.

    Returns:
        A scalar in float32 (float64 for float64 inputs), or see ``reduction``.

    Raises:
        ValueError: shapes that do not fit, an unknown option, integer targets with symmetric.

    At coincident points the distance has gradient 0, so a row whose positive coincides gets its
    gradient from the other entries alone; nothing is NaN.
    """
    where = "info_nce"
    check_option(where, "reduction", reduction, ("none", "mean", "sum"))
    if x.ndim != 2 or y.ndim != 2:
        raise ValueError(
            f"{where}: x has shape {tuple(x.shape)} and y has shape {tuple(y.shape)}; expected two "
            "batches of points, (B, m) and (C, m)."
        )
    table = pairwise_logits(x, y, manifold=manifold, scale=scale, logits=logits)
    weights = _targets(where, targets, table, symmetric)
    rows = _soft_cross_entropy(table, weights)
    if not symmetric:
        return reduce(rows, weights.sum(1) > 0, reduction)
    columns = _soft_cross_entropy(table.T, weights.T)
    if reduction == "none":
        if rows.shape != columns.shape:
            raise ValueError(
                f"{where}: reduction is 'none' for {rows.shape[0]} rows and {columns.shape[0]} "
                "columns; expected equal numbers (or symmetric=False) to put them side by side."
            )
        return torch.stack([rows, columns], dim=1)
    one = reduce(rows, weights.sum(1) > 0, reduction)
    other = reduce(columns, weights.sum(0) > 0, reduction)
    return (one + other) / 2


def pairwise_logits(
    x: Tensor, y: Tensor, *, manifold: Manifold, scale: Tensor | float, logits: Logits = "neg_dist"
) -> Tensor:
    """Scale * (-dist, -sqdist or inner product) of all pairs: (B, m), (C, m) -> (B, C).

    In float32, or float64 if an input is.
    """
    check_option("pairwise_logits", "logits", logits, ("neg_dist", "neg_sqdist", "inner"))
    x, y = in_float32("pairwise_logits", x=x, y=y)
    if logits == "inner":
        similarity = manifold.cinner(x, y)
    else:
        similarity = -manifold.cdist(x, y, squared=logits == "neg_sqdist", matmul=True)
    return scale * similarity


def _targets(where: str, targets: Tensor | None, table: Tensor, symmetric: bool) -> Tensor:
    """Weights (B, C), not normalised."""
    rows, columns = table.shape
    if targets is None:
        if rows != columns:
            raise ValueError(
                f"{where}: x has {rows} points and y has {columns} with targets None; expected "
                "equal numbers, or targets that say which belong together."
            )
        return torch.eye(rows, dtype=table.dtype, device=table.device)
    if not isinstance(targets, Tensor):
        raise TypeError(
            f"{where}: targets are a {type(targets).__name__}; expected None or a tensor."
        )
    if targets.ndim == 1 and targets.shape[0] == rows and not targets.is_floating_point():
        if symmetric:
            raise ValueError(
                f"{where}: targets are integers of shape {tuple(targets.shape)} with symmetric "
                "True; expected a (B, C) table for the columns' half, or symmetric=False."
            )
        return torch.nn.functional.one_hot(targets.long(), columns).to(table.dtype)
    if targets.shape != table.shape:
        raise ValueError(
            f"{where}: targets have shape {tuple(targets.shape)} and dtype {targets.dtype}; "
            f"expected None, integers ({rows},), or a table ({rows}, {columns})."
        )
    return targets.to(table.dtype)


def _soft_cross_entropy(table: Tensor, weights: Tensor) -> Tensor:
    """Cross entropy of each row with its normalised weights; 0 for a row of zeros."""
    mass = weights.sum(1, keepdim=True)
    share = weights / mass.where(mass > 0, 1.0)
    return -(share * table.log_softmax(1)).sum(1)
