"""The climbing search: from the worst problem that was drawn to a worse one near it.

A maximum of a few draws is a random number. Here the inputs of the worst draw are moved, one or
several at a time, by steps of all sizes, and what is worse is gone on from, for a time.
"""

from __future__ import annotations

import math
import multiprocessing
import time
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from .cases import Case, from_json, moved, seed_of, to_json
from .certificate import WORTH_KEEPING, Row, badness, quantity_of
from .score import DEFINITIONS, judge_cases

CLIMBED = "climbing"
"""The regime of what was found so."""
_LARGEST = 64  # numbers of an input: a step in more dimensions costs a second


@dataclass(frozen=True)
class Climb:
    """Where to begin, and for how long."""

    case: Case
    quantity: str
    units: float
    seconds: float
    steps: int | None = None
    """At most so many."""


def climb(task: Climb) -> tuple[Case, float, int]:
    """The worst case that was found, its units (infinite if it is not finite), and the steps."""
    torch.set_num_threads(1)
    best, worst, steps = task.case, task.units, 0
    rng = np.random.default_rng(seed_of(task.case, task.quantity))
    definition, end = DEFINITIONS[best.map], time.monotonic() + task.seconds
    gradients = task.quantity not in ("value", "point")
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        while time.monotonic() < end and worst < math.inf and steps != task.steps:
            steps += 1
            other = moved(best, definition, rng, 10 ** rng.uniform(-8, 0))
            if not other.holds(definition):
                continue
            samples = judge_cases([other], gradients=gradients)
            found = max(
                (badness(s) for s in samples if quantity_of(s) == task.quantity), default=-1.0
            )
            if found >= worst:
                best, worst = other, found
    return best, worst, steps


def climb_all(
    rows: Sequence[Row], *, minutes: float, processes: int = 1, seconds: float = 4.0
) -> tuple[list[Row], list[Case]]:
    """Climb from the worst of the cells that come nearest to their promise.

    Args:
        rows: what the certificate found.
        minutes: for all.
        processes: that share the work.
        seconds: for a cell.

    Returns:
        The rows with what was found, and the cases worth keeping.
    """
    ways = [
        (row, from_json(row.case))
        for row in rows
        if row.library == "spaceforms" and row.case is not None
        and row.quantity != "point" and math.isfinite(row.worst)
    ]  # fmt: skip
    ways = [(row, case) for row, case in ways if max(map(len, case.inputs)) <= _LARGEST]
    ways.sort(key=lambda way: -way[0].worst / min(way[0].promised, 1e6))
    count = max(1, int(60 * minutes * processes / seconds))
    todo = [Climb(case, row.quantity, row.worst, seconds) for row, case in ways[:count]]
    found = dict(zip((id(row) for row, _ in ways[:count]), _climbed(todo, processes), strict=True))
    made, kept = [], []
    for row in rows:
        if id(row) not in found:
            made.append(row)
            continue
        case, units, steps = found[id(row)]
        changed = replace(row, climbed=steps)
        if units > row.worst:
            bad = units == math.inf
            changed = replace(
                changed, worst=row.worst if bad else units, regime=CLIMBED, case=to_json(case),
                not_finite=row.not_finite + bad,
            )  # fmt: skip
        if units > WORTH_KEEPING * row.promised:
            kept.append(replace(case, why=f"{row.quantity}: {units:.3g} units, by climbing"))
        made.append(changed)
    return made, kept


def _climbed(todo: list[Climb], processes: int) -> Iterable[tuple[Case, float, int]]:
    if processes <= 1:
        return [climb(task) for task in todo]
    # Not forked: torch's threads do not survive that.
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        return pool.map(climb, todo, chunksize=1)
