"""Contrastive loss: softmax cross-entropy over the distances of all pairs.

The plain dense case reads as :func:`info_nce` says it. :func:`line_sums` takes log sum e^l of each
row and column of the table, and the logit of its positive; :func:`cross_entropy` is their
difference; :func:`reduced` the mean.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from ...manifolds import Manifold
from ...manifolds.checks import check_number, check_real
from ..common import Reduction, check_reduction
from .fused import try_with
from .logits import Logits as Logits, PairOptions, Precision, Table, Tile
from .positives import Groups, Sides, mask_of, positives_of, weights_of
from .readers import LineSums, PairMask, Positives, SoftmaxReader, SoftmaxSums
from .tables import KnownEntries
from .tiled import sweep


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

    *Accuracy.* float16 and bfloat16 are computed in float32, whatever autocast and TF32 say. Logits
    come from matrix products, of a kind that goes by the device (``Manifold.cdist`` has the table):
    float64, or where that is slow three float32 ones (``"split"``), or one float32 one where there
    is no float64. On a CPU the tiled form takes one float32 product where it is good enough. It
    gives sn(d/2)^2 to 4e-7 c(r_x) c(r_y), with c = cosh(r/R) on hyperbolic space, 1 on the sphere
    and half of :math:`|x|^2 + |y|^2` for c c on flat space, so that the logit of a pair at distance
    d is off by at most 4e-7 s R c c/sinh(d/R), and a coincident pair by 1.3e-3 s R sqrt(c c);
    ``"split"`` gives it to 2^-b of that, b = 7 for 512 coordinates and 8 for 128; Triton kernels,
    which do the tiles on CUDA, have a table on the page of large batches. The positive of
    each row, the pair that is near, is therefore taken from ``manifold.dist``, ``sqdist`` or
    ``cinner`` (but for tables and ``groups``).

    *No waiting.* On a GPU nothing looks at a value, but with ``check_finite``: the queue of the
    device is never waited for. A column out of range or a weight below 0, an error on a CPU, is
    then NaN in the loss.

    Args:
        x: points (B, m).
        y: points (C, m).
        manifold: the space of both.
        scale: s > 0, the inverse temperature: one number, or a tensor of one.
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
        precision: of the products of float32 points: ``"float64"``, ``"split"`` or ``"float32"``,
            see above. ``"auto"`` goes by the device; where that says float64, and on a CPU, the
            tiled form takes float32 if it moves no logit of a pair at distance R (1 on flat space)
            by more than 1e-3 (not for tables and groups), which is twice as fast.
        check_finite: raise for points that are not finite, naming tensor and row; and for scales,
            weights and targets out of range on a GPU too, which is then waited for.
        reduction: ``"mean"`` over rows with a positive (the mean of rows' and columns' means if
            symmetric), ``"sum"``, or ``"none"``: (B,), or (B, 2) with the columns' losses beside
            if symmetric and B = C.

    Returns:
        A scalar in float32 (float64 for float64 inputs), or see ``reduction``.

    Raises:
        ValueError: shapes that do not fit, an empty batch, an unknown option, numbers out of range,
            a scale of several numbers.

    At coincident points the distance has gradient 0, so a row whose positive coincides gets its
    gradient from the other entries alone; nothing is NaN.
    """
    where = "info_nce"
    check_reduction(where, reduction)
    check_smoothing(where, label_smoothing)
    if targets is not None:
        check_real(where, "targets", targets)
    options = PairOptions(where, manifold, scale, logits, tile, precision, check_finite)
    # one_each: a row has at most one positive, in a column that is known without a table.
    one_each = groups is None and (targets is None or targets.ndim == 1)
    table = options.table(x, y, apart=one_each)
    device, dtype = table.x.device, table.x.dtype
    positives = positives_of(where, targets, groups, table.shape, device, check=check_finite)
    compared = mask_of(where, mask, table.shape)
    problem = SoftmaxProblem(table, positives, compared, symmetric, label_smoothing, decoupled)
    both = line_sums(problem)
    sums = (both.rows, both.columns) if symmetric else (both.rows,)
    losses = [cross_entropy(line, label_smoothing) for line in sums]
    shares = weights_of(where, weights, table.shape, symmetric, check=check_finite)
    found = [reduced(*line, w, reduction) for line, w in zip(losses, shares, strict=False)]
    if not symmetric:
        return found[0].to(dtype)
    rows, columns = found
    if reduction != "none":
        return ((rows + columns) / 2).to(dtype)
    if rows.shape != columns.shape:
        raise ValueError(
            f"{where}: reduction is 'none' for {rows.shape[0]} rows and {columns.shape[0]} "
            "columns; expected equal numbers (or symmetric=False) to put them side by side."
        )
    return torch.stack([rows, columns], dim=1).to(dtype)


class SoftmaxProblem(NamedTuple):
    """All that a softmax cross-entropy over a table of pairs is of; see :func:`info_nce`."""

    table: Table
    """Of the logits l."""
    positives: Positives
    """Where p is not 0."""
    mask: PairMask | None = None
    """Which pairs are compared; None for all."""
    symmetric: bool = False
    label_smoothing: float = 0.0
    decoupled: bool = False


def line_sums(
    problem: SoftmaxProblem, read: Callable[[KnownEntries | None], SoftmaxSums] | None = None
) -> SoftmaxSums:
    """The sums over rows, and over columns if symmetric, that the losses are made of.

    ``read`` takes them from the table, whose known entries it gets; if None they are taken from the
    dense table or by tiles, as the table says. Losses over processes have a way of their own.
    """
    table, positives, mask = problem.table, problem.positives, problem.mask
    columns, column = table.shape[1], positives.column
    known = None
    if column is not None:
        known = table.known(column, positives.diagonal)
    if read is not None:
        sums = read(known)
    else:
        smoothed, decoupled = problem.label_smoothing > 0, problem.decoupled
        reader = SoftmaxReader(columns, mask, positives, problem.symmetric, smoothed, decoupled)
        if table.tiling is None:
            sums = reader.whole(table.dense(known))
        else:
            sums = SoftmaxSums.of(sweep(table.tiled(known), reader))
    if known is None:
        return _refused(sums, positives.refused)
    # The known positives, which the reader left out: one a row, any number a column.
    at = known.column.clamp(min=0)
    kept = known.column >= 0 if mask is None else mask.of_pairs(at) & (known.column >= 0)
    mass = kept.to(sums.rows.lse.dtype)
    near = known.value.to(mass.dtype).where(kept, 0.0)
    rows, of_columns = sums.rows.with_positives(near, mass), sums.columns
    if problem.symmetric:
        zero = torch.zeros(columns, dtype=near.dtype, device=near.device)
        of_columns = of_columns.with_positives(
            zero.index_add(0, at, near), zero.index_add(0, at, mass)
        )
    return _refused(SoftmaxSums(rows, of_columns), positives.refused)


def _refused(sums: SoftmaxSums, rows: Tensor | None) -> SoftmaxSums:
    """NaN in the rows whose positive there is not."""
    if rows is None:
        return sums
    near, mass = (x.masked_fill(rows, torch.nan) for x in (sums.rows.near, sums.rows.mass))
    return SoftmaxSums(sums.rows.with_positives(near, mass), sums.columns)


class Losses(NamedTuple):
    """Of rows or of columns, and which of them count."""

    loss: Tensor
    counted: Tensor


def cross_entropy(line: LineSums, smoothing: float) -> Losses:
    """log sum e^l less the mean logit of the positives; 0 where there is no positive.

    Smoothed, the share ``smoothing`` of the target is spread over all that are compared.
    """
    # A line counts with a positive and something to compare it with. Not "mass > 0": a weight that
    # is NaN must show in the loss, and neither comparison is true of it.
    counted = ~(line.mass <= 0) & (line.lse != -torch.inf)
    # A line that does not count has -inf and 0/0 here, whose gradients are NaN even where the
    # result is thrown away: so its terms are replaced before they meet.
    lse, near = line.lse.where(counted, 0.0), line.near.where(counted, 0.0)
    loss = lse - (1 - smoothing) * near / line.mass.where(counted, 1.0)
    if smoothing > 0:
        total = line.total.where(counted, 0.0)
        loss = loss - smoothing * total / line.number.where(counted, 1.0)
    return Losses(loss, counted)


def reduced(
    loss: Tensor, counted: Tensor | None, weights: Tensor | None, reduction: Reduction
) -> Tensor:
    """Weighted; the mean over what is counted, which is everything if None."""
    share = torch.ones_like(loss) if counted is None else counted.to(loss.dtype)
    if weights is not None:
        share = share * weights.to(loss.dtype)
        loss = loss * weights.to(loss.dtype)
    if reduction == "none":
        return loss
    total = loss.sum()
    if reduction == "sum":
        return total
    mass = share.sum()
    # Of nothing counted the mean is 0, with gradient 0.
    return total / mass.where(mass > 0, 1.0)


def check_smoothing(where: str, label_smoothing: float) -> None:
    """Raises an error for what is no share of a target."""
    check_number(where, "label_smoothing", label_smoothing)
    if not 0 <= label_smoothing < 1:
        raise ValueError(
            f"{where}: label_smoothing is {label_smoothing}; expected a number in [0, 1)."
        )


try_with(info_nce)
