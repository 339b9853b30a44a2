"""Paired comparison of two variants: mean difference, with a 95 % interval.

Runs are paired by seed. The interval is Student's over seeds. Recall is paired by concept too, and
other concepts could have given another answer just as other seeds could: seeds and concepts are
then two crossed random effects, and the halves of Student's intervals over seeds and over concepts
are added in squares (as Banerjee 1960, Sankhya 22, p. 357), the noise that both contain left out of
the latter.

A difference that decides nothing says how many seeds would decide it. With n seeds an interval of
half-width h(n) = hypot(t(0.975) s / sqrt(n), c) clears a margin at distance d in four of five
repetitions if h(n) + t(0.8) s / sqrt(n) <= d, where s is the standard deviation over seeds, c the
half of the concepts, which more seeds do not shrink, and t Student's quantiles for n - 1 degrees of
freedom. For c = 0 that is the textbook's n >= (t(0.975) + t(0.8))^2 s^2 / d^2 (as Cohen 1988,
chapter 2). s and d are taken to be as measured, so from few seeds the answer is one of magnitude.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Runs = Sequence[dict[str, Any]]
PAIRS = 5
"""Fewer pairs decide nothing: Student's quantile has then hardly begun to fall."""
MOST = 1000
"""Seeds: what would need more is not asked for exactly."""


@dataclass(frozen=True)
class Difference:
    """One variant's figure less another's, over so many seeds; with one the interval is NaN.

    ``spread`` is the standard deviation over seeds and ``fixed`` the half of the interval that is
    due to concepts, which more seeds do not shrink.
    """

    mean: float
    low: float
    high: float
    seeds: int
    spread: float = field(default=np.nan, compare=False)
    fixed: float = field(default=0.0, compare=False)

    def ahead(self, margin: float = 0.0) -> str:
        """Whether one is ahead of the other, or behind by no more than ``margin``."""
        return self._verdict(self.low > -margin, self.high < -margin)

    def within(self, margin: float) -> str:
        """Whether the two are no further apart than ``margin``."""
        return self._verdict(
            -margin < self.low <= self.high < margin, self.low > margin or self.high < -margin
        )

    def seeds_ahead(self, margin: float = 0.0) -> int | None:
        """Seeds with which `ahead` would be decided in four of five cases; at least `PAIRS`.

        `MOST` + 1 stands for more than `MOST`; None if one seed has no spread to go by.
        """
        return self._seeds(abs(self.mean + margin))

    def seeds_within(self, margin: float) -> int | None:
        """As `seeds_ahead`, for `within`."""
        return self._seeds(abs(abs(self.mean) - margin))

    def _seeds(self, distance: float) -> int | None:
        if self.seeds < 2:
            return None
        n = np.arange(PAIRS, MOST + 1)
        error = self.spread / n**0.5
        half = np.hypot(stats.t.ppf(0.975, n - 1) * error, self.fixed)
        enough = half + stats.t.ppf(0.8, n - 1) * error <= distance
        return int(n[enough.argmax()]) if enough.any() else MOST + 1

    def _verdict(self, holds: bool, fails: bool) -> str:
        if self.seeds < PAIRS:
            return "too few seeds"
        if not (holds or fails):
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
    mean, n = float(table.mean()), len(table)
    fixed = _student(table.mean(0), less=_noise(table))
    half = float(np.hypot(_student(table.mean(1)), fixed)) if n > 1 else np.nan
    spread = float(table.mean(1).std(ddof=1)) if n > 1 else np.nan
    return Difference(mean, mean - half, mean + half, n, spread, fixed)


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
