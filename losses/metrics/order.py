"""Whether uncertainty tells right items from wrong ones: by bins, and by leaving items out."""

import math
from dataclasses import dataclass
from itertools import permutations

import torch
from torch import Tensor

from ...manifolds.checks import check_integer, check_real


@dataclass(frozen=True)
class Calibration:
    r"""What :func:`calibration` finds; for a perfect uncertainty S is -1 and ``score`` 1."""

    uncertainty: Tensor
    """Mean uncertainty of each bin, (bins,), from the most certain one on."""
    hit: Tensor
    """Mean hit of each bin, (bins,)."""
    count: Tensor
    """Items in each bin, (bins,): equal but for one."""
    spearman: float
    """S, the rank correlation of a bin's number with its mean hit; 0 if all hits are equal."""
    p_value: float
    """The chance of an S as far from 0, either way, had uncertainty nothing to do with hits."""
    squared_correlation: float
    """The square of Pearson's correlation of a bin's number with its mean hit."""
    r2: float
    """1 - residual/total sum of squares of the least-squares line of hits on mean uncertainty."""

    @property
    def score(self) -> float:
        """-S R^2, R^2 the squared correlation: the figure of merit of ProbVLM's table 1."""
        return -self.spearman * self.squared_correlation


def calibration(
    uncertainty: Tensor,
    hit: Tensor,
    *,
    bins: int = 10,
    orders: int = 10_000,
    seed: int = 0,
) -> Calibration:
    r"""Whether items of more uncertainty are hit less often, in bins of equal numbers of items.

    The items are sorted by uncertainty and cut into bins; S is Spearman's correlation of the bins'
    numbers with their mean hits, R^2 that of a line (Upadhyay et al. 2023, section 4). Items of
    equal uncertainty share their mean hit, so their order does not count.

    *S has few values*: with 5 bins 21 of them, and 1 - 2/120 of all orders lie between -1 and 1. So
    read it with its p-value, which is over orders of the bins: all of them up to 7 bins, else a
    random sample with the observed one counted in, so it is never 0 (Phipson & Smyth 2010).

    Args:
        uncertainty: (N,), finite.
        hit: (N,), a number that should fall with uncertainty, such as recall at 1: 0 or 1.
        bins: how many, 3 to N.
        orders: how many random orders of the bins, where not all are taken.
        seed: of the random orders.

    Returns:
        A :class:`Calibration`, float64 on the CPU.

    Raises:
        ValueError: shapes that differ, numbers that are not finite, too few or too many bins.
    """
    where = "calibration"
    u, h = _items(where, uncertainty, hit, "hit")
    check_integer(where, "bins", bins, 3)
    check_integer(where, "orders", orders, 1)
    check_integer(where, "seed", seed, 0)
    if not 3 <= bins <= len(u):
        raise ValueError(f"{where}: bins is {bins} for {len(u)} items; expected 3 to {len(u)}.")
    order = u.argsort(stable=True)
    parts = order.tensor_split(bins)
    # Items of equal uncertainty may fall into two bins, by their order in the data, which is
    # chance: with the mean hit of all of them, it does not matter which.
    h = _shared(u, h)
    mean_u, mean_h = (torch.stack([x[part].mean() for part in parts]) for x in (u, h))
    level = torch.arange(bins, dtype=torch.float64)
    ranks = _ranks(mean_h)
    rank_orders = ranks[_orders(bins, orders, seed)]
    spearman = _correlation(level, ranks)
    others = _correlation(level, rank_orders).abs()
    # The observed order counts as extreme itself: 1e-12 is for the rounding of its S.
    extreme = others >= spearman.abs() - 1e-12
    exact = math.factorial(bins) <= _ALL
    count = extreme.sum().item()
    # In a sample of orders the observed one is counted in: p is then never 0.
    p = count / len(others) if exact else (1 + count) / (1 + len(others))
    return Calibration(
        uncertainty=mean_u,
        hit=mean_h,
        count=torch.tensor([len(part) for part in parts]),
        spearman=spearman.item(),
        p_value=p,
        squared_correlation=_correlation(level, mean_h).square().item(),
        r2=_line_r2(mean_u, mean_h),
    )


# All orders are tried up to 7 bins, which have 5,040.
_ALL = 5040


def _orders(bins: int, count: int, seed: int) -> Tensor:
    """All orders of the bins, or a random sample of them: (count, bins)."""
    if math.factorial(bins) <= _ALL:
        return torch.tensor(list(permutations(range(bins))))
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(count, bins, generator=generator, dtype=torch.float64).argsort(-1)


def _ranks(x: Tensor) -> Tensor:
    """Ranks from 0, the mean one for ties that rounding may have parted."""
    near = 1e-12 * x.abs().max()
    below = (x[:, None] - x[None] > near).sum(1).double()
    equal = ((x[:, None] - x[None]).abs() <= near).sum(1).double()
    return below + (equal - 1) / 2


def _correlation(x: Tensor, y: Tensor) -> Tensor:
    """Pearson's, in the last axis; 0 where one is constant."""
    x, y = x - x.mean(-1, keepdim=True), y - y.mean(-1, keepdim=True)
    product = (x.square().sum(-1) * y.square().sum(-1)).sqrt()
    return torch.where(product > 0, (x * y).sum(-1) / product.where(product > 0, 1.0), 0.0)


def _line_r2(x: Tensor, y: Tensor) -> float:
    x, y = x - x.mean(), y - y.mean()
    total, spread = y.square().sum(), x.square().sum()
    if total == 0 or spread == 0:
        return 0.0
    # The least-squares line goes through the means, which are 0 here: it has a slope alone.
    residual = y - (x * y).sum() / spread * x
    return (1 - residual.square().sum() / total).item()


def risk_coverage(uncertainty: Tensor, loss: Tensor) -> tuple[Tensor, Tensor]:
    r"""Mean loss of the most certain k of N items, for k = 1 to N.

    (Geifman & El-Yaniv 2017.) Items of equal uncertainty share their mean loss.

    Args:
        uncertainty: (N,), finite.
        loss: (N,), such as 1 - hit.

    Returns:
        (coverage k/N, risk), both (N,), float64 on the CPU.

    Raises:
        ValueError: shapes that differ, no items, or numbers that are not finite.
    """
    u, l = _items("risk_coverage", uncertainty, loss, "loss")
    k = torch.arange(1, len(u) + 1, dtype=torch.float64)
    # The risk at coverage k/N is the mean loss of the k most certain items.
    shared = _shared(u, l)[u.argsort(stable=True)]
    return k / len(u), shared.cumsum(0) / k


def aurc(uncertainty: Tensor, loss: Tensor, *, excess: bool = False) -> float:
    """Area under the risk-coverage curve, the mean risk over all coverages; smaller is better.

    With ``excess``, less the area of the best order there is, that of the loss itself (Geifman,
    Uziel & El-Yaniv 2019). Arguments and errors as in :func:`risk_coverage`.
    """
    area = risk_coverage(uncertainty, loss)[1].mean().item()
    # The best order there is, by the loss itself, has a risk too where some items are wrong.
    return area - risk_coverage(loss, loss)[1].mean().item() if excess else area


def _items(where: str, uncertainty: Tensor, value: Tensor, name: str) -> tuple[Tensor, Tensor]:
    check_real(where, "uncertainty", uncertainty)
    check_real(where, name, value)
    if uncertainty.ndim != 1 or uncertainty.shape != value.shape or not len(value):
        raise ValueError(
            f"{where}: uncertainty has shape {tuple(uncertainty.shape)} and {name} "
            f"{tuple(value.shape)}; expected (N,) both, with N > 0."
        )
    u, v = (x.detach().double().cpu() for x in (uncertainty, value))
    for label, x in (("uncertainty", u), (name, v)):
        if not x.isfinite().all():
            first = x[~x.isfinite()][0].item()
            raise ValueError(f"{where}: {label} holds {first:g}; expected finite numbers.")
    return u, v


def _shared(key: Tensor, value: Tensor) -> Tensor:
    """Each value replaced by the mean of those of the same key."""
    _, group = torch.unique(key, return_inverse=True)
    size = int(group.max()) + 1
    total, count = (
        torch.zeros(size, dtype=value.dtype).index_add(0, group, x)
        for x in (value, torch.ones_like(value))
    )
    mean: Tensor = (total / count)[group]
    return mean
