"""A share of hits with the interval that it is known to."""

from __future__ import annotations

from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class Share(NamedTuple):
    """A share and the ends of its interval, all in [0, 1]."""

    share: float
    low: float
    high: float


def share_interval(
    hit: NDArray[Any], cluster: NDArray[Any] | None = None, *, level: float = 0.95
) -> Share:
    r"""The share of hits, with Wilson's interval for as many hits as are worth a draw of their own.

    Several pictures of one concept are hit or missed together: n of them tell less than n concepts
    would. With p the share and V the variance of p between clusters,

    .. math:: V = \frac{C}{C-1}\frac{n-1}{n}\,\frac1{n^2}\sum_{c=1}^C
              \Bigl(\sum_{i\in c}(h_i - p)\Bigr)^2,

    the effective number is :math:`p(1-p)/V`, at most n; where all hits are equal, V says nothing
    and it is C (Korn & Graubard 1998). Wilson's interval (1927) is taken with that number: it never
    leaves [0, 1] and is not empty where p is 0 or 1. Where each item is its own cluster it is
    Wilson's own.

    Args:
        hit: (n,), 0 or 1.
        cluster: (n,), equal where items belong together; each its own if None.
        level: how often such an interval holds the share that it is drawn from.

    Raises:
        ValueError: no items, numbers that are neither 0 nor 1, shapes that differ, or a level
            outside of (0, 1).
    """
    where = "share_interval"
    hits = np.asarray(hit, dtype=np.float64)
    if hits.ndim != 1 or not len(hits) or not np.isin(hits, (0.0, 1.0)).all():
        raise ValueError(
            f"{where}: hit has shape {hits.shape} and values from {hits.min(initial=np.inf):g} to "
            f"{hits.max(initial=-np.inf):g}; expected (n,) of 0 and 1, n > 0."
        )
    if not 0 < level < 1:
        raise ValueError(f"{where}: level is {level}; expected a number between 0 and 1.")
    n, p = len(hits), float(hits.mean())
    groups = np.arange(n) if cluster is None else np.asarray(cluster)
    if groups.shape != hits.shape:
        raise ValueError(
            f"{where}: cluster has shape {groups.shape} and hit {hits.shape}; expected one shape."
        )
    _, place = np.unique(groups, return_inverse=True)
    sums = np.bincount(place, hits - p)
    count = len(sums)
    effective = float(count)
    if 0 < p < 1 and count > 1:
        variance = count / (count - 1) * (n - 1) / n * float(sums @ sums) / n**2
        # Clusters whose sums are all 0 have no variance between them: n is then the most there is.
        effective = min(n, p * (1 - p) / variance) if variance > 0 else float(n)
    z2 = NormalDist().inv_cdf((1 + level) / 2) ** 2
    middle = (p + z2 / (2 * effective)) / (1 + z2 / effective)
    spread = z2 * (p * (1 - p) / effective + z2 / (4 * effective**2))
    half = spread**0.5 / (1 + z2 / effective)
    # At p = 0 the low end is middle - half = 0 but for rounding, and 1 likewise.
    return Share(p, min(p, max(0.0, middle - half)), max(p, min(1.0, middle + half)))
