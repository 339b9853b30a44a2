"""Losses of pairs other than InfoNCE: sigmoid, NT-Xent, supervised contrastive, triplets."""

import math
from dataclasses import replace
from typing import Literal, get_args

import torch
from torch import Tensor

from ...manifolds import Manifold
from ...manifolds.checks import check_integer, check_integers, check_real
from ..common import (
    Reduction,
    check_manifold,
    check_option,
    check_points,
    check_positive,
    check_reduction,
    check_scalar,
    in_float32,
    reduce,
)
from .info_nce import SoftmaxProblem, cross_entropy, line_sums, reduced
from .logits import Logits, PairOptions, Precision, Tile, pairwise_logits
from .positives import Groups, Sides, mask_of, positives_of, weights_of
from .readers import PairMask, Positives, SigmoidReader
from .tile_table import spans
from .tiled import sweep

Mining = Literal["hard", "semi-hard"]


def sigmoid_pairs(
    x: Tensor,
    y: Tensor,
    *,
    manifold: Manifold,
    scale: Tensor | float,
    bias: Tensor | float,
    targets: Tensor | None = None,
    groups: Groups | None = None,
    logits: Logits = "neg_dist",
    tile: Tile = "auto",
    mask: Sides = None,
    weights: Tensor | None = None,
    precision: Precision = "auto",
    check_finite: bool = False,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Sigmoid loss: each pair by itself is told to belong together or not.

    .. math:: L_i = \sum_j \log\bigl(1 + e^{-z_{ij}(l_{ij} + b)}\bigr),\qquad z = \pm 1,

    with the logits l of :func:`info_nce` (Zhai et al. 2023, where l is the scaled cosine).
    A negative distance is never positive, so the bias that starts training near the prior of the
    pairs is positive, about s E[d]: :func:`sigmoid_bias` computes it.

    Args:
        x, y: points (B, m) and (C, m).
        manifold, scale, logits, tile, mask, precision, check_finite: as in :func:`info_nce`.
        bias: b.
        targets: None (x_i belongs to y_i), integers (B,), -1 for none, or a table (B, C) of
            numbers in [0, 1], the share in which z is +1.
        groups: as in :func:`info_nce`.
        weights: of each row, (B,), non-negative.
        reduction: ``"mean"`` over rows, ``"sum"``, or ``"none"``: (B,).

    Returns:
        A scalar in float32 (float64 for float64 inputs), or see ``reduction``.

    Raises:
        ValueError: see :func:`info_nce`.
    """
    where = "sigmoid_pairs"
    check_reduction(where, reduction)
    check_scalar(where, "bias", bias)
    if targets is not None:
        check_real(where, "targets", targets)
    options = PairOptions(where, manifold, scale, logits, tile, precision, check_finite)
    one_each = groups is None and (targets is None or targets.ndim == 1)
    table = options.table(x, y, apart=one_each, extra=bias)
    device, dtype = table.x.device, table.x.dtype
    positives = positives_of(where, targets, groups, table.shape, device, check=check_finite)
    compared = mask_of(where, mask, table.shape)
    of_rows, _ = weights_of(where, weights, table.shape, False, check=check_finite)
    # `known` are the logits of x_i and its own y_i, by manifold.dist, as in info_nce: float32
    # products would lose the digits of near pairs. A table of targets has no one column a row.
    reader = SigmoidReader(table.shape[1], compared, positives)
    known = None
    if positives.column is not None:
        known = table.known(positives.column, positives.diagonal)
    if table.tiling is None:
        whole = table.dense(known)
        rows = reader.whole(whole, torch.as_tensor(bias, dtype=whole.dtype, device=device))
    else:
        (rows,) = sweep(table.tiled(known), reader)
    if positives.refused is not None:
        rows = rows.masked_fill(positives.refused, torch.nan)
    # A row without a positive counts: all of its pairs are told to be apart.
    counted = None if compared is None else compared.rows
    return reduced(rows, counted, of_rows, reduction).to(dtype)


@torch.no_grad()
def sigmoid_bias(
    x: Tensor,
    y: Tensor,
    *,
    manifold: Manifold,
    scale: Tensor | float,
    logits: Logits = "neg_dist",
    columns: int | None = None,
) -> float:
    r"""The bias at which a mean pair is as probable as it is frequent.

    :math:`b = -\bar l - \log(C - 1)`, which is s E[d] - log(C - 1) for distances: the sigmoid of a
    mean logit plus b is 1/C, the share of positives among the pairs of a row.

    Args:
        x, y: points (B, m) and (C, m), such as a first batch; of more than 1,024 those are taken.
        manifold, scale, logits: as in :func:`sigmoid_pairs`.
        columns: C, if the batches in training are of another size.
    """
    check_points("sigmoid_bias", x=x, y=y)
    check_positive("sigmoid_bias", "scale", scale)
    if columns is not None:
        check_integer("sigmoid_bias", "columns", columns, 1)
    # A mean over 2^20 pairs is exact enough for a start, and their table is 4 MB in float32.
    some = pairwise_logits(x[:1024], y[:1024], manifold=manifold, scale=scale, logits=logits)
    number = y.shape[0] if columns is None else columns
    return -float(some.double().mean()) - math.log(max(number - 1, 1))


def nt_xent(
    x: Tensor,
    y: Tensor,
    *,
    manifold: Manifold,
    scale: Tensor | float,
    logits: Logits = "neg_dist",
    tile: Tile = "auto",
    mask: Tensor | None = None,
    weights: Tensor | None = None,
    decoupled: bool = False,
    precision: Precision = "auto",
    check_finite: bool = False,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""SimCLR's loss: of all 2B - 1 other points of two views, x_i's partner is y_i.

    :func:`info_nce` of the 2B points x, y against themselves, without the pairs of a point with
    itself (Chen et al. 2020, NT-Xent, with ``logits="inner"`` on the unit sphere).

    Args:
        x, y: the two views, (B, m) both.
        manifold, scale, logits, tile, decoupled, precision, check_finite: as in :func:`info_nce`.
        mask: (B,) bool, which pairs of views take part.
        weights: (B,), non-negative.
        reduction: ``"mean"``, ``"sum"``, or ``"none"``: (2B,), those of x first.

    Raises:
        ValueError: see :func:`info_nce`.
    """
    where = "nt_xent"
    check_reduction(where, reduction)
    check_points(where, x=x, y=y)
    x, y = in_float32(where, x=x, y=y)
    rows = x.shape[0]
    if rows != y.shape[0]:
        raise ValueError(
            f"{where}: x has {rows} points and y has {y.shape[0]}; expected two views of the same."
        )
    for name, value in (("mask", mask), ("weights", weights)):
        if value is not None:
            check_real(where, name, value)
        if value is not None and value.shape != (rows,):
            raise ValueError(f"{where}: {name} has shape {tuple(value.shape)}; expected ({rows},).")
    # The 2B points are rows and columns both: row i of x has its partner in column B + i, and row B
    # + i, which is y_i, has it in column i.
    points = torch.cat([x, y])
    partner = torch.arange(2 * rows, device=x.device).roll(rows)
    options = PairOptions(where, manifold, scale, logits, tile, precision, check_finite)
    table = options.table(points, points, apart=True)
    twice = None if mask is None else torch.cat([mask, mask])
    views = mask_of(where, twice, table.shape) or PairMask()
    # The partner is half a batch on, and half a batch on from there is the point itself.
    compared = replace(views, skip=partner.roll(rows))
    problem = SoftmaxProblem(table, Positives(column=partner), compared, decoupled=decoupled)
    losses = cross_entropy(line_sums(problem).rows, 0.0)
    twice = None if weights is None else torch.cat([weights, weights])
    of_rows, _ = weights_of(where, twice, table.shape, False, check=check_finite)
    return reduced(*losses, of_rows, reduction).to(x.dtype)


def supervised_contrastive(
    x: Tensor,
    labels: Tensor,
    *,
    manifold: Manifold,
    scale: Tensor | float,
    logits: Logits = "neg_dist",
    tile: Tile = "auto",
    mask: Tensor | None = None,
    weights: Tensor | None = None,
    precision: Precision = "auto",
    check_finite: bool = False,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Supervised contrastive loss: points of one label belong together.

    .. math:: L_i = -\frac{1}{|P_i|}\sum_{p\in P_i}\log\frac{e^{l_{ip}}}{\sum_{k\ne i} e^{l_{ik}}},

    :math:`P_i` the other points of i's label (Khosla et al. 2020, eq. 2, :math:`L^{sup}_{out}`). A
    point that is alone with its label is left out of the mean and is 0 under ``"none"``.

    Args:
        x: points (B, m).
        labels: integers (B,).
        manifold, scale, logits, tile, precision, check_finite: as in :func:`info_nce`.
        mask: (B,) bool, which points take part.
        weights: (B,), non-negative.
        reduction: ``"mean"``, ``"sum"``, or ``"none"``: (B,).

    Raises:
        ValueError: see :func:`info_nce`.
    """
    where = "supervised_contrastive"
    check_reduction(where, reduction)
    options = PairOptions(where, manifold, scale, logits, tile, precision, check_finite)
    table = options.table(x, x, apart=False)
    check_integers(where, "labels", labels)
    if labels.shape != table.shape[:1]:
        raise ValueError(
            f"{where}: labels have shape {tuple(labels.shape)}; expected {table.shape[:1]}, one of "
            "each point of x."
        )
    positives = positives_of(where, None, (labels, labels), table.shape, table.x.device)
    taken = mask_of(where, mask, table.shape) or PairMask()
    # A point is no positive of its own: skipped, it leaves both the softmax and the positives.
    itself = torch.arange(table.shape[0], device=table.x.device)
    compared = replace(taken, skip=itself)
    losses = cross_entropy(line_sums(SoftmaxProblem(table, positives, compared)).rows, 0.0)
    of_rows, _ = weights_of(where, weights, table.shape, False, check=check_finite)
    return reduced(*losses, of_rows, reduction).to(table.x.dtype)


def triplet(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor | None = None,
    *,
    manifold: Manifold,
    margin: float = 0.2,
    squared: bool = False,
    mining: Mining = "hard",
    groups: Groups | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Triplet loss: the positive nearer than the negative by a margin.

    .. math:: L = \max\bigl(0,\ d(a, p) - d(a, n) + \mathrm{margin}\bigr)

    (Schroff et al. 2015, with ``squared``).

    Args:
        anchor, positive: points (B, m), in pairs.
        negative: points (B, m); None to take, for each anchor, one of the positives of others:

            * ``mining="hard"``: the nearest (Hermans et al. 2017).
            * ``mining="semi-hard"``: the nearest of those farther than the anchor's own, or if
              there is none the farthest (Schroff et al. 2015).

            The choice has no gradient. It is made in memory of B, by blocks of rows.
        manifold: the space of all.
        margin: a distance (a squared one if ``squared``), positive.
        squared: compare squared distances.
        mining: see ``negative``.
        groups: integers (B,) of anchors and of positives; what has the same number is no
            negative. Each pair its own if None.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``: (B,). An anchor to which everything belongs
            is left out of the mean and is 0 under ``"none"``.

    Returns:
        A scalar in float32 (float64 for float64 inputs), or see ``reduction``.

    Raises:
        ValueError: shapes that do not pair, an empty batch, a margin that is not positive.
    """
    where = "triplet"
    check_reduction(where, reduction)
    check_option(where, "mining", mining, get_args(Mining))
    check_manifold(where, manifold)
    check_positive(where, "margin", margin)
    given = {} if negative is None else {"negative": negative}
    check_points(where, False, anchor=anchor, positive=positive, **given)
    sizes = {p.shape[0] for p in (anchor, positive, *given.values())}
    if len(sizes) > 1:
        raise ValueError(
            f"{where}: batches of {sorted(sizes)} points; expected as many positives (and "
            "negatives) as anchors."
        )
    anchor, positive, *rest = in_float32(where, anchor=anchor, positive=positive, **given)
    distance = manifold.sqdist if squared else manifold.dist
    # Distances of pairs, (B,): only the choice of negatives below needs those of all pairs.
    near = distance(anchor, positive)
    if rest:
        far, counted = distance(anchor, rest[0]), None
    else:
        own = torch.arange(anchor.shape[0], device=anchor.device)
        of = (own, own) if groups is None else groups
        # positives_of is called for its checks alone, which say what is wrong with groups.
        positives_of(where, None, of, (anchor.shape[0],) * 2, anchor.device)
        # The distance to the mined negative is computed anew, with a gradient, for B pairs: through
        # the table of all pairs the same gradient would cost memory of B^2.
        index = _mined(
            *(anchor, positive, near.detach(), of),
            squared=squared,
            manifold=manifold,
            mining=mining,
        )
        counted = index >= 0
        # A row without a negative, -1, takes any point here, and its loss is set to 0 below.
        far = distance(anchor, positive[index.clamp(min=0)])
    loss = (near - far + margin).relu()
    if counted is not None:
        loss = loss.where(counted, 0.0)
    return reduce(loss, counted, reduction)


@torch.no_grad()
def _mined(
    anchor: Tensor,
    positive: Tensor,
    near: Tensor,
    groups: Groups,
    *,
    squared: bool,
    manifold: Manifold,
    mining: Mining,
) -> Tensor:
    """The column of each anchor's negative, -1 for none."""
    found = []
    # A block of rows holds 512 B distances. They only choose: the accuracy of a table (matmul) is
    # enough.
    for i in spans(anchor.shape[0], 512):
        d = manifold.cdist(anchor[i], positive, squared=squared, matmul=True)
        other = groups[0][i, None] != groups[1][None]
        # A row without any other point gets column 0 from argmin, which the last line takes back.
        index = d.masked_fill(~other, torch.inf).argmin(1)
        # The semi-hard negative is the nearest one beyond the positive, or where all are nearer
        # than that the farthest, which violates least.
        if mining == "semi-hard":
            farther = other & (d > near[i, None])
            nearest = d.masked_fill(~farther, torch.inf).argmin(1)
            farthest = d.masked_fill(~other, -torch.inf).argmax(1)
            index = torch.where(farther.any(1), nearest, farthest)
        found.append(index.where(other.any(1), -1))
    return torch.cat(found)
