"""InfoNCE where some of the negatives belong to their row unknown to anyone."""

import math

import torch
from torch import Tensor

from ...manifolds import Manifold
from ...manifolds.checks import check_number
from ..common import Reduction, check_reduction
from .info_nce import SoftmaxProblem, line_sums, reduced
from .logits import Logits, PairOptions, Precision, Tile
from .positives import positives_of
from .readers import LineSums


def debiased_info_nce(
    x: Tensor,
    y: Tensor,
    *,
    manifold: Manifold,
    scale: Tensor | float,
    prior: float,
    floor: float = 0.0,
    logits: Logits = "neg_dist",
    symmetric: bool = True,
    tile: Tile = "auto",
    precision: Precision = "auto",
    check_finite: bool = False,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""InfoNCE whose negatives are corrected for those that are of the row's own kind.

    The others of a batch are drawn from all, and a share :math:`\tau` of them belongs to the row as
    its positive does. What true negatives would give is estimated from both: with logits l as in
    :func:`info_nce` and N = B - 1 others,

    .. math::
        g_i = \max\Bigl\{\frac{1}{1 - \tau}\Bigl(\frac1N\sum_{j\ne i} e^{l_{ij}}
            - \tau e^{l_{ii}}\Bigr),\ \mathrm{floor}\Bigr\},\qquad
        L_i = -\log\frac{e^{l_{ii}}}{e^{l_{ii}} + N g_i}

    (Chuang et al. 2020, eqs. 7 and 8, with one positive). At :math:`\tau = 0` it is
    :func:`info_nce`. Where the estimate is no more than 0 and so is the floor, the loss and its
    gradient are 0.

    Args:
        x, y: points (B, m) both; x_i belongs to y_i.
        manifold, scale, logits, symmetric, tile, precision, check_finite: as in :func:`info_nce`.
        prior: the share :math:`\tau` in [0, 1); 1/classes where classes are equally frequent.
        floor: the least that g may be, the exponential of the least logit there is: the paper's
            :math:`e^{-s}` for ``"inner"`` on the unit sphere, 0 where distances have no end.
        reduction: ``"mean"`` (of rows' and columns' means if symmetric), ``"sum"``, or ``"none"``:
            (B,), or (B, 2) with the columns' losses beside if symmetric.

    Returns:
        A scalar in float32 (float64 for float64 inputs), or see ``reduction``.

    Raises:
        ValueError: see :func:`info_nce`; a prior or a floor out of range; a batch of one.
    """
    where = "debiased_info_nce"
    check_reduction(where, reduction)
    check_number(where, "prior", prior)
    check_number(where, "floor", floor)
    if not 0 <= prior < 1:
        raise ValueError(f"{where}: prior is {prior}; expected a share in [0, 1).")
    if not 0 <= floor < math.inf:
        raise ValueError(f"{where}: floor is {floor}; expected a number of at least 0.")
    options = PairOptions(where, manifold, scale, logits, tile, precision, check_finite)
    table = options.table(x, y, apart=True)
    positives = positives_of(where, None, None, table.shape, table.x.device)
    # `others` is N of the docstring, which the estimate of g divides by.
    others = table.shape[0] - 1
    if others < 1:
        raise ValueError(f"{where}: a batch of one point; expected others beside it.")
    # Decoupled, the positive is not in lse: it is over the others alone.
    problem = SoftmaxProblem(table, positives, symmetric=symmetric, decoupled=True)
    lines = line_sums(problem)[: 1 + symmetric]
    losses = [_debiased(line, others, prior, floor).to(table.x.dtype) for line in lines]
    if reduction == "none":
        return torch.stack(losses, dim=1) if symmetric else losses[0]
    means = [reduced(loss, None, None, reduction) for loss in losses]
    return sum(means[1:], means[0]) / len(means)


def _debiased(line: LineSums, others: int, prior: float, floor: float) -> Tensor:
    """The losses of rows or columns from log sum e^l over the others, and l of the positive."""
    mean = line.lse - math.log(others)
    # e^ahead is e^l of the positive over the others' mean, and `rest` is (1 - tau) g over that
    # mean. The clamp is short of where the exponential overflows: its slope, inf, times 0 would be
    # NaN.
    ahead = (line.near - mean).clamp(max=math.log(torch.finfo(mean.dtype).max) / 2)
    rest = 1 - prior * ahead.exp()
    # Where rest <= 0 there is nothing left and g is the floor. The logarithm is not taken there:
    # its NaN would be in the gradient even of rows that do not use it.
    known = rest > 0
    log_g = mean + rest.where(known, 1.0).log() - math.log1p(-prior)
    log_g = log_g.where(known, -torch.inf)
    # A floor of 0 needs no clamp: log_g = -inf is the least there is.
    if floor > 0:
        log_g = log_g.clamp(min=math.log(floor))
    # The loss is -log(e^l/(e^l + N g)) = log(1 + e^gap): neither exponential overflows.
    gap = log_g + math.log(others) - line.near
    return torch.logaddexp(gap, torch.zeros_like(gap))
