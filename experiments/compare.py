"""Paired comparison of two variants: mean difference, with a 95 % interval.

Runs are paired by seed. The interval is Student's over seeds. Recall is paired by concept too, and
other concepts could have given another answer just as other seeds could: seeds and concepts are
then two crossed random effects, and the halves of Student's intervals over seeds and over concepts
are added in squares (as Banerjee 1960, Sankhya 22, p. 357), the noise that both contain left out of
the latter.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Runs = Sequence[dict[str, Any]]
PAIRS = 5
"""Fewer pairs decide nothing: Student's quantile has then hardly begun to fall."""


@dataclass(frozen=True)
class Difference:
    """One variant's figure less another's, over so many seeds; with one the interval is NaN."""

    mean: float
    low: float
    high: float
    seeds: int

    def ahead(self, margin: float = 0.0) -> str:
        """Whether one is ahead of the other, or behind by no more than ``margin``."""
        return self._verdict(self.low > -margin, self.high < -margin)

    def within(self, margin: float) -> str:
        """Whether the two are no further apart than ``margin``."""
        return self._verdict(
            -margin < self.low <= self.high < margin, self.low > margin or self.high < -margin
        )

    def _verdict(self, holds: bool, fails: bool) -> str:
        if self.seeds < PAIRS or not (holds or fails):
            return "not decided"
        return "holds" if holds else "does not hold"


def hits(run: dict[str, Any], figure: str) -> NDArray[np.float64] | None:
    """Of a figure "DIRECTION R@k": for each concept the share of hits; None if it is another."""
    direction, separator, k = figure.rpartition(" R@")
    if not separator:
        return None
    ranks = run["figures"]["ranks"][direction]
    hit = (np.asarray(ranks["rank"]) < int(k)).astype(float)
    concept = np.asarray(ranks["concept"])
    count = np.bincount(concept)
    return np.asarray(np.bincount(concept, hit)[count > 0] / count[count > 0], dtype=np.float64)


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


def difference(
    runs: Runs,
    one: str,
    other: str | None,
    figure: str,
    at: dict[str, Any],
    *,
    number: float = 0.0,
) -> Difference | None:
    """One variant's figure less another's over their common seeds, or less a number if None.

    A seed counts where both runs have the figure. None if no seed does.
    """
    a = select(runs, one, at)
    b = a if other is None else select(runs, other, at)
    pairs = [
        (_by_concept(a[s], figure), _by_concept(b[s], figure)) for s in sorted(a.keys() & b.keys())
    ]
    # Columns are concepts only if each run has the same ones.
    if len({len(x) for pair in pairs for x in pair}) > 1:
        raise ValueError(f"{figure}: runs of {one} and {other} at {at} have other concepts.")
    found = [
        x - (number if other is None else y)
        for x, y in pairs
        if np.isfinite(x).all() and np.isfinite(y).all()
    ]
    if not found:
        return None
    table = np.stack(found)  # seeds by concepts; one column for the figure of a run
    half = np.hypot(_student(table.mean(1)), _student(table.mean(0), less=_noise(table)))
    mean, half = float(table.mean()), float(half) if len(table) > 1 else np.nan
    return Difference(mean, mean - half, mean + half, len(table))


def _by_concept(run: dict[str, Any], figure: str) -> NDArray[np.float64]:
    each = hits(run, figure)
    return np.array([value(run, figure)]) if each is None else each


def _student(values: NDArray[np.float64], *, less: float = 0.0) -> float:
    """Half of Student's 95 % interval of a mean, its variance ``less`` a part; 0 for one value."""
    if len(values) < 2:
        return 0.0
    variance = max(values.var(ddof=1) / len(values) - less, 0.0)
    return float(stats.t.ppf(0.975, len(values) - 1) * variance**0.5)


def _noise(table: NDArray[np.float64]) -> float:
    """The part of neither rows nor columns in the variance of a table's mean."""
    free = (table.shape[0] - 1) * (table.shape[1] - 1)
    rest = table - table.mean(1, keepdims=True) - table.mean(0) + table.mean()
    return float((rest**2).sum() / free / table.size) if free else 0.0
