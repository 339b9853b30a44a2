"""Paired comparison of two variants: mean difference, with a 95 % interval.

Recall is paired by concept and seed. Its interval is a bootstrap over concepts of the differences'
means over seeds: it says how far other concepts could have given another answer, with these seeds.
A figure of a whole run is paired by seed alone; its interval is Student's, and needs two seeds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Runs = Sequence[dict[str, Any]]
RESAMPLES = 2000


@dataclass(frozen=True)
class Difference:
    """One variant's figure less another's."""

    mean: float
    low: float
    high: float
    seeds: int

    def verdict(self, margin: float = 0.0) -> str:
        """Whether one is ahead of the other, or behind by no more than ``margin``."""
        if self.low > -margin:
            return "holds"
        if self.high < -margin:
            return "does not hold"
        return "not decided"


def hits(run: dict[str, Any], figure: str) -> NDArray[np.float64] | None:
    """Of a figure "DIRECTION R@k": for each concept the share of hits; None if it is another."""
    direction, separator, k = figure.rpartition(" R@")
    if not separator:
        return None
    ranks = run["figures"]["ranks"][direction]
    hit = (np.asarray(ranks["rank"]) < int(k)).astype(float)
    concept = np.asarray(ranks["concept"])
    return np.bincount(concept, hit)[np.unique(concept)] / np.bincount(concept)[np.unique(concept)]


def value(run: dict[str, Any], figure: str) -> float:
    """A run's figure; NaN if it has none."""
    each = hits(run, figure)
    return float(run["figures"]["values"].get(figure, np.nan)) if each is None else each.mean()


def select(runs: Runs, variant: str, at: dict[str, Any]) -> dict[int, dict[str, Any]]:
    """Runs of a variant at a place of the grid, by seed."""
    return {
        r["seed"]: r
        for r in runs
        if r["variant"] == variant and all(r["at"].get(k) == v for k, v in at.items())
    }


def distance(
    runs: Runs, one: str, figure: str, number: float, at: dict[str, Any]
) -> Difference | None:
    """How far a figure is from a number, with a minus: -|figure - number|, by seed; 0 is best."""
    chosen = select(runs, one, at)
    each = -np.abs([value(r, figure) - number for r in chosen.values()])
    if not len(each) or not np.isfinite(each).all():
        return None
    return Difference(each.mean(), each.min(), each.max(), len(each))


def difference(
    runs: Runs, one: str, other: str | None, figure: str, at: dict[str, Any]
) -> Difference | None:
    """One less other over their common seeds, or one less 0 if other is None.

    None where there are not enough of them.
    """
    a = select(runs, one, at)
    b = a if other is None else select(runs, other, at)
    seeds = sorted(a.keys() & b.keys())
    if not seeds:
        return None
    if other is not None and hits(a[seeds[0]], figure) is not None:
        pairs = [(hits(a[s], figure), hits(b[s], figure)) for s in seeds]
        each = np.mean([x - y for x, y in pairs if x is not None and y is not None], axis=0)
        generator = np.random.default_rng(0)
        draws = each[generator.integers(len(each), size=(RESAMPLES, len(each)))].mean(1)
        low, high = np.quantile(draws, [0.025, 0.975])
        return Difference(each.mean(), low, high, len(seeds))
    each = np.asarray([value(a[s], figure) for s in seeds])
    if other is not None:
        each = each - [value(b[s], figure) for s in seeds]
    if len(seeds) < 2 or not np.isfinite(each).all():
        return None
    half = stats.t.ppf(0.975, len(each) - 1) * each.std(ddof=1) / len(each) ** 0.5
    return Difference(each.mean(), each.mean() - half, each.mean() + half, len(seeds))
