"""Contrastive loss: softmax cross-entropy over the distances of all pairs."""

from typing import NamedTuple

import torch
from torch import Tensor

from ...manifolds import Manifold
from ...manifolds.checks import check_number, check_real
from ..common import Reduction, check_option
from .logits import Logits, Precision, Table, Tile, pairwise_logits, table_of
from .positives import Groups, Sides, compared_of, positives_of, weights_of
from .readers import Compared, Positives, Side, SoftmaxReader
from .tiled import Entries, sweep

__all__ = ["Logits", "info_nce", "pairwise_logits"]


def info_nce(
    x: Tensor,
    y: Tensor,
    *,
    manifold: Manifold,
    scale: Tensor | float,
    targets: Tensor | None = None,
    groups: Groups | None = None,
    logits: Logits = "neg_dist",
    symmetric: bool = True,
    tile: Tile = "auto",
    mask: Sides = None,
    weights: Sides = None,
    label_smoothing: float = 0.0,
    decoupled: bool = False,
    precision: Precision = "auto",
    check_finite: bool = False,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Contrastive loss between two batches of points: x_i should be nearer to y_i than to any y_j.

    With logits :math:`l_{ij} = -s\,d(x_i, y_j)` (or :math:`-s\,d^2`, or
    :math:`s\,\langle x_i, y_j\rangle`) and targets :math:`p_{ij}`,

    .. math:: L_i = -\sum_j p_{ij}\log\frac{e^{l_{ij}}}{\sum_k e^{l_{ik}}},

    and, if symmetric, the mean of that and the same over columns (Radford et al. 2021, figure 3,
    with ``logits="inner"`` on the unit sphere; Desai et al. 2023 with ``"neg_dist"`` on
    Lorentz).

    *Several positives.* ``targets`` or ``groups`` may say that several pairs belong together (two
    pictures of one concept in a batch are not negatives of each other). They share the target mass
    of their row equally, so the smallest possible loss of a row with k positives is log k.

    *Dense and tiled.* Dense, all B C logits are kept for the gradient, several times over. Tiled,
    they are computed tile by tile with a running log-sum-exp of rows and columns, and once more in
    the backward pass, in memory of B + C points (after Milakov & Gimelshein 2018 and Rabe &
    Staats 2021). Values and gradients are equal up to rounding; the tiled form has no
    second derivative and runs eagerly.

    *Accuracy.* float16 and bfloat16 are computed in float32, whatever autocast and TF32 say. Dense
    logits come from one float64 product. The tiled form of float32 points takes float32 products
    where they are good enough: they give sn(d/2)^2 to 4e-7 c(r_x) c(r_y), with c = cosh(r/R) on
    hyperbolic space, 1 on the sphere and half of :math:`|x|^2 + |y|^2` for c c on flat space, so
    that the logit of a pair at distance d is off by at most 4e-7 s R c c/sinh(d/R), and a
    coincident pair by 1.3e-3 s R sqrt(c c). The positive of each row, the pair that is near, is
    therefore taken from ``manifold.dist`` (but for tables, ``groups`` and ``"inner"``).

    Args:
        x: points (B, m).
        y: points (C, m).
        manifold: the space of both.
        scale: s > 0, the inverse temperature.
        targets: None (x_i belongs to y_i, B = C); integers (B,), the positive column of each row,
            -1 for none; or (B, C), boolean (positives) or non-negative weights, normalised along
            each row (for the columns' half, along each column), constants for the gradient. A row
            without any positive is left out of the mean and is 0 under ``"none"``.
        groups: in place of targets, integers (B,) and (C,): points of equal number belong
            together. As a table of these would, but in memory of B + C.
        logits: what the softmax is taken of.
        symmetric: average the losses of rows and columns.
        tile: None, dense; a number, the side of a tile; ``"auto"``, dense up to B C = 2^20 and
            tiles of 512 beyond. (Dense under ``torch.compile`` and ``torch.func``, and for products
            with the max metric or of products.)
        mask: what takes part, boolean: (B, C), pairs that are compared (False for a known false
            negative, which is then no positive either); (B,) for B = C, whether x_i and y_i do
            (False for padding); or a pair of (B,) and (C,), either of which may be None.
        weights: of each row, (B,), and if symmetric of each column: the same for B = C, or a pair
            of (B,) and (C,). Non-negative. Under ``"mean"`` the mean is weighted.
        label_smoothing: e in [0, 1): p becomes (1 - e) p + e/n over the n compared in the row.
        decoupled: leave the positives out of the denominator (Yeh et al. 2022).
        precision: of the products of float32 points in the tiled form. ``"auto"`` takes float32
            where it moves no logit of a pair at distance R (1 on flat space) by more than 1e-3,
            else float64, which halves the speed; float64 for tables and groups.
        check_finite: raise for points that are not finite, naming tensor and row; and for scales
            and targets below 0 on a GPU too, which would otherwise have to be waited for.
        reduction: ``"mean"`` over rows with a positive (the mean of rows' and columns' means if
            symmetric), ``"sum"``, or ``"none"``: (B,), or (B, 2) with the columns' losses beside
            if symmetric and B = C.

    Returns:
        A scalar in float32 (float64 for float64 inputs), or see ``reduction``.

    Raises:
        ValueError: shapes that do not fit, an empty batch, an unknown option, numbers out of range.

    At coincident points the distance has gradient 0, so a row whose positive coincides gets its
    gradient from the other entries alone; nothing is NaN.
    """
    where = "info_nce"
    check_option(where, "reduction", reduction, ("none", "mean", "sum"))
    check_smoothing(where, label_smoothing)
    if targets is not None:
        check_real(where, "targets", targets)
    one_each = groups is None and (targets is None or targets.ndim == 1)
    apart = one_each and logits != "inner"
    table = table_of(
        where,
        x,
        y,
        manifold=manifold,
        scale=scale,
        logits=logits,
        tile=tile,
        precision=precision,
        apart=one_each,
        check_finite=check_finite,
    )
    positives = positives_of(
        where, targets, groups, table.shape, table.x.device, check=check_finite
    )
    compared = compared_of(where, mask, table.shape)
    job = Job(table, positives, compared, symmetric, label_smoothing, decoupled, apart)
    rows, columns = softmax_losses(job)
    of_rows, of_columns = weights_of(where, weights, table.shape, symmetric)
    one = reduced(*rows, of_rows, reduction)
    if columns is None:
        return one.to(table.x.dtype)
    other = reduced(*columns, of_columns, reduction)
    if reduction == "none":
        if one.shape != other.shape:
            raise ValueError(
                f"{where}: reduction is 'none' for {one.shape[0]} rows and {other.shape[0]} "
                "columns; expected equal numbers (or symmetric=False) to put them side by side."
            )
        return torch.stack([one, other], dim=1).to(table.x.dtype)
    return ((one + other) / 2).to(table.x.dtype)


def check_smoothing(where: str, label_smoothing: float) -> None:
    """Raises an error for what is no share of a target."""
    check_number(where, "label_smoothing", label_smoothing)
    if not 0 <= label_smoothing < 1:
        raise ValueError(
            f"{where}: label_smoothing is {label_smoothing}; expected a number in [0, 1)."
        )


class Job(NamedTuple):
    table: Table
    positives: Positives
    compared: Compared
    symmetric: bool
    label_smoothing: float
    decoupled: bool
    apart: bool
    """Whether each row's one positive is computed apart from the table."""


class Losses(NamedTuple):
    """Of rows or of columns, and which of them count."""

    loss: Tensor
    counted: Tensor


def softmax_losses(job: Job) -> tuple[Losses, Losses | None]:
    """The losses of rows, and of columns if symmetric; 0 where there is no positive."""
    return _losses_of(job, *softmax_sides(job))


def softmax_sides(job: Job) -> tuple[Side, Side]:
    """The sums that they are made of."""
    table, positives, columns = job.table, job.positives, job.table.shape[1]
    index = positives.column
    if index is not None and not job.apart:
        numbers = torch.arange(columns, device=index.device)
        positives, index = Positives(groups=(index, numbers)), None
    reader = SoftmaxReader(
        columns,
        job.compared,
        positives,
        job.symmetric,
        job.label_smoothing > 0,
        job.decoupled,
    )
    entries = None
    if index is not None:
        known = in_column_order(table.y, index)
        value = table.of_pairs(table.x, known)
        entries = Entries(index, value)
    if table.pairs is None:
        results = reader.whole(with_entries_in(table.dense(), entries))
    else:
        assert table.numbers is not None
        results = sweep(table.pairs, reader, table.x, table.y, entries, table.numbers, fixed=4)
    return _sides_of(job, results, entries)


def losses_of(
    job: Job, results: list[Tensor], entries: Entries | None
) -> tuple[Losses, Losses | None]:
    """From what was read of the table to the losses of rows and columns."""
    return _losses_of(job, *_sides_of(job, results, entries))


def _sides_of(job: Job, results: list[Tensor], entries: Entries | None) -> tuple[Side, Side]:
    of_rows, of_columns = SoftmaxReader.sides(results)
    if entries is None:
        return of_rows, of_columns
    return _with_entries(job, entries, of_rows, of_columns)


def _losses_of(job: Job, of_rows: Side, of_columns: Side) -> tuple[Losses, Losses | None]:
    return (
        _cross_entropy(of_rows, job.label_smoothing),
        _cross_entropy(of_columns, job.label_smoothing) if job.symmetric else None,
    )


def with_entries_in(logits: Tensor, entries: Entries | None) -> Tensor:
    """The table with what is known better in its place."""
    if entries is None:
        return logits
    rows = (entries.column >= 0).nonzero().squeeze(1)
    at = (rows, entries.column[rows])
    return logits.index_put(at, entries.value[rows].to(logits.dtype))


def in_column_order(y: Tensor, index: Tensor) -> Tensor:
    """y[index], y itself if they are all of it in order: a copy is as large as the points."""
    if torch.compiler.is_compiling():  # a graph cannot look
        return y[index.clamp(min=0)]
    in_order = index.shape[0] == y.shape[0] and bool(
        (index == torch.arange(y.shape[0], device=y.device)).all()
    )
    return y if in_order else y[index.clamp(min=0)]


def _with_entries(job: Job, entries: Entries, rows: Side, columns: Side) -> tuple[Side, Side]:
    """Put in what is known of the positives: one a row, any number a column."""
    index, size = entries.column, job.table.shape[1]
    some = index >= 0
    kept = _kept_at(job.compared, index.clamp(min=0), size) & some
    mass = kept.to(rows.lse.dtype)
    near = entries.value.to(rows.lse.dtype).where(kept, 0.0)
    rows = rows._replace(near=near, mass=mass)
    if job.symmetric:
        at = index.clamp(min=0)
        zero = torch.zeros(size, dtype=near.dtype, device=near.device)
        columns = columns._replace(
            near=zero.index_add(0, at, near), mass=zero.index_add(0, at, mass)
        )
    return rows, columns


def _kept_at(compared: Compared, index: Tensor, size: int) -> Tensor:
    """Whether the pairs (i, index_i) are compared, (B,)."""
    kept = torch.ones_like(index, dtype=torch.bool)
    if compared.pairs is not None:
        kept = kept & compared.pairs.gather(1, index[:, None]).squeeze(1)
    if compared.rows is not None:
        kept = kept & compared.rows
    if compared.columns is not None:
        kept = kept & compared.columns[index]
    if compared.skip is not None:
        kept = kept & (compared.skip != index)
    return kept


def _cross_entropy(side: Side, smoothing: float) -> Losses:
    # Not ">": NaN is to be seen.
    counted = ~(side.mass <= 0) & (side.lse != -torch.inf)
    loss = side.lse.where(counted, 0.0) - (1 - smoothing) * side.near.where(
        counted, 0.0
    ) / side.mass.where(counted, 1.0)
    if smoothing > 0:
        loss = loss - smoothing * side.total.where(counted, 0.0) / side.number.where(counted, 1.0)
    return Losses(loss, counted)


def reduced(loss: Tensor, counted: Tensor, weights: Tensor | None, reduction: Reduction) -> Tensor:
    """Weighted; the mean over what is counted."""
    share = counted.to(loss.dtype)
    if weights is not None:
        share = share * weights.to(loss.dtype)
        loss = loss * weights.to(loss.dtype)
    if reduction == "none":
        return loss
    total = loss.sum()
    if reduction == "sum":
        return total
    mass = share.sum()
    return total / mass.where(mass > 0, 1.0)
