"""The certificate: every map on every manifold in every dtype, over all regimes, and the promise.

A cell is one map on one manifold in one dtype. Its batches are drawn from seeds, so that the same
plan gives the same inputs everywhere.
"""

from __future__ import annotations

import math
import multiprocessing
import platform
import warnings
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from importlib.metadata import version
from typing import Any

import numpy as np
import torch

from ..exact.chart_models import MODELS
from ..exact.maps import BY_QUADRIC
from ..exact.operations import operations
from .backends import CPU, Backend
from .cases import Case, hard_cases, to_json
from .regimes import REGIMES
from .score import DEFINITIONS, DTYPES, Sample, judge_cases, run_batch

VALUES, GRADIENTS = 8.0, 32.0
"""The promise: error of values and of gradients in units of u (1 + kappa)."""
_BACK = "carried back from the end point as it is rounded, which the rounding moves by u cosh(r/R)"
_TURNS = "of a vector tangent at the end point as it is rounded, after many turns another one"
WEAKER: dict[tuple[str, str, str], str] = {
    **{
        (manifold, name, "value"): reason
        for manifold, reason in (
            ("Lorentz", _BACK),
            ("PoincareBall", _BACK),
            ("Sphere", _TURNS),
            ("Stereographic", f"{_TURNS}; of K < 0 {_BACK}"),
        )
        for name in ("expmap_adjoint", "expmap_differential_inverse")
    },
    (
        "Stereographic",
        "logmap_differential",
        "value",
    ): "next to antipodes, where it is put "
    "together from differences of points on both sides of the equator",
    **{
        (manifold, "translation.push", "value"): "by forward-mode derivatives, where the two sides "
        "of a radial part cancel in 1 + K x.x"
        for manifold in ("PoincareBall", "Stereographic")
    },
}
"""(manifold, map, quantity) -> why the promise is not made there."""
_WELL_CONDITIONED = 16.0
WORTH_KEEPING = 0.5
"""The share of the promise above which what a search finds is kept."""
HARD = "hard cases"
"""The regime of the cases of the file."""


@dataclass(frozen=True)
class Plan:
    """How much to draw."""

    count: int
    """Problems in a batch, of one curvature and dimension."""
    batches: int
    """Batches a regime."""
    largest: int
    """The largest dimension."""
    every: int = 1
    """Of the regimes of an operation only each so many-th is drawn."""
    maps_every: int = 1
    """Of the regimes of a map only each so many-th is drawn."""
    operation_batches: int = 0
    """Batches a regime of an operation; as many as of a map if 0."""


QUICK = Plan(count=1, batches=1, largest=32, every=13, maps_every=2)
FULL = Plan(count=2, batches=3, largest=512, every=2, operation_batches=1)
OPERATIONS = tuple(operations())
"""What is judged beside the maps of a manifold: charts, isometries, hyperplanes and so on."""


@dataclass(frozen=True)
class Row:
    """What came out for one quantity of one cell."""

    library: str
    manifold: str
    map: str
    dtype: str
    quantity: str
    """value; point, whether the value is one; gradient, by points, vectors and times; curvature,
    the gradient by log|K|"""
    worst: float
    """In units of u (1 + kappa)."""
    regime: str
    """Where that was."""
    percentile: float
    """The 99th, in the same units."""
    raw: float
    """The worst relative error among problems with kappa < 16."""
    problems: int
    """How many were drawn."""
    judged: int
    """How many have a result that the dtype can hold, and a derivative."""
    not_finite: int
    why_not: dict[str, int] = field(default_factory=dict)
    """Of what was not judged, how many for each reason."""
    hard: int = 0
    """How many problems are of the file of hard cases."""
    climbed: int = 0
    """Steps of a climbing search from the worst draw."""
    case: dict[str, Any] | None = None
    """The worst problem, exactly."""
    backend: str = CPU.name
    """Where and how it ran."""

    @property
    def promised(self) -> float:
        """The bound that is promised; infinite where none is."""
        if self.library != "spaceforms" or (self.manifold, self.map, self.quantity) in WEAKER:
            return math.inf
        if self.manifold in BY_QUADRIC and self.map not in OPERATIONS:
            return math.inf
        return VALUES if self.quantity in ("value", "point") else GRADIENTS

    @property
    def kept(self) -> bool:
        """Whether the promise is."""
        return self.promised == math.inf or (self.worst <= self.promised and self.not_finite == 0)


@dataclass(frozen=True)
class Task:
    """One regime of one cell: what a worker does at a time."""

    library: str
    manifold: str
    map: str
    dtype: str
    regime: str
    gradients: bool
    plan: Plan
    backend: Backend = CPU


def tasks(
    plan: Plan, *, libraries: Sequence[str] = ("spaceforms",), manifolds: Iterable[str] = MODELS,
    maps: Iterable[str] = DEFINITIONS, dtypes: Iterable[str] = DTYPES, backend: Backend = CPU,
) -> list[Task]:  # fmt: skip
    """Everything to be done. Peers are judged by their values in float64 and float32, and what is
    compiled are the methods of manifolds whose maps are written out."""
    return [
        Task(library, manifold, name, dtype, regime, library == "spaceforms", plan, backend)
        for library in libraries
        for manifold in manifolds
        for name in maps
        for dtype in dtypes
        if library == "spaceforms" or dtype in ("float64", "float32")
        for regime in [
            *_regimes(manifold, name, dtype, plan),
            *([HARD] if library == "spaceforms" and hard_of(manifold, name, dtype) else []),
        ]
        if library == "spaceforms" or name not in OPERATIONS
        if not backend.compiled or not (name in OPERATIONS or manifold in BY_QUADRIC)
    ]


def hard_of(manifold: str, name: str, dtype: str) -> list[Case]:
    """The hard cases of a cell."""
    return [c for c in hard_cases() if (c.manifold, c.map, c.dtype) == (manifold, name, dtype)]


def _regimes(manifold: str, name: str, dtype: str, plan: Plan) -> list[str]:
    """Those in which a model has the map: a share that depends on the cell."""
    definition = DEFINITIONS[name]
    if manifold not in definition.models:
        return []
    regimes = list(definition.regimes or REGIMES)
    few = name in OPERATIONS or manifold in BY_QUADRIC
    every = plan.every if few else plan.maps_every
    cell = zlib.crc32(f"{manifold} {name} {dtype}".encode())
    if every >= len(regimes):
        return [regimes[cell % len(regimes)]]
    return regimes[cell % every :: every]


def work(task: Task) -> tuple[Task, list[Sample]]:
    """The samples of a task; none if the library does not have the map."""
    torch.set_num_threads(1)
    samples: list[Sample] = []
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if task.regime == HARD:
            for case in hard_of(task.manifold, task.map, task.dtype):
                samples += judge_cases([case], gradients=task.gradients, backend=task.backend)
            return task, _with_the_worst_case(samples)
        batches = task.plan.operation_batches if task.map in OPERATIONS else 0
        for seed in range(batches or task.plan.batches):
            batch = run_batch(
                task.manifold, task.map, task.dtype, task.regime, count=task.plan.count,
                gradients=task.gradients, seed=seed, largest=task.plan.largest,
                library=task.library, backend=task.backend,
            )  # fmt: skip
            samples += batch or []
    return task, _with_the_worst_case(samples)


def _with_the_worst_case(samples: list[Sample]) -> list[Sample]:
    """Without the case but in the worst of each quantity: there are many, in many dimensions."""
    worst: dict[str, int] = {}
    for i, s in enumerate(samples):
        best = worst.get(quantity_of(s))
        if best is None or badness(s) > badness(samples[best]):
            worst[quantity_of(s)] = i
    kept = set(worst.values())
    return [s if i in kept else replace(s, case=None) for i, s in enumerate(samples)]


def badness(sample: Sample) -> float:
    """Units; infinite if it is not finite where it should be, negative if it is not judged."""
    return math.inf if not sample.finite else sample.units if sample.inside else -1.0


def certify(
    plan: Plan, *, processes: int = 1, progress: Callable[[int], object] = lambda _: None,
    **which: Any,
) -> list[Row]:  # fmt: skip
    """Run the certificate.

    Args:
        plan: QUICK, FULL or another.
        processes: that share the work.
        progress: called with 1 for each task done.
        **which: libraries, manifolds, maps, dtypes, all if not given; and the backend.
    """
    todo = tasks(plan, **which)
    found: dict[tuple[str, ...], list[tuple[str, Sample]]] = {}
    for task, samples in _done(todo, processes):
        progress(1)
        for sample in samples:
            key = (
                task.library, task.manifold, task.map, task.dtype, quantity_of(sample),
                task.backend.name,
            )  # fmt: skip
            found.setdefault(key, []).append((task.regime, sample))
    return [_row(key, pairs) for key, pairs in found.items()]


def _done(todo: list[Task], processes: int) -> Iterable[tuple[Task, list[Sample]]]:
    if processes <= 1:
        yield from map(work, todo)
        return
    # Not forked: torch's threads do not survive that.
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        yield from pool.imap(work, todo, chunksize=4)


def quantity_of(sample: Sample) -> str:
    """Which row a sample belongs to."""
    if sample.quantity in ("value", "point"):
        return sample.quantity
    return "curvature" if sample.quantity == "K" else "gradient"


def _row(key: tuple[str, ...], pairs: list[tuple[str, Sample]]) -> Row:
    judged = [(regime, s) for regime, s in pairs if s.inside and s.finite]
    regime, worst = max(judged, key=lambda pair: pair[1].units, default=("", None))
    units = [s.units for _, s in judged]
    raw = [s.raw for _, s in judged if s.condition < _WELL_CONDITIONED]
    bad = next((s for _, s in pairs if not s.finite and s.case is not None), worst)
    library, manifold, name, dtype, quantity, backend = key
    return Row(
        library=library, manifold=manifold, map=name, dtype=dtype, quantity=quantity,
        worst=worst.units if worst else 0.0, regime=regime,
        percentile=float(np.percentile(units, 99)) if units else 0.0,
        raw=max(raw, default=0.0), problems=len(pairs), judged=len(judged),
        not_finite=sum(not s.finite for _, s in pairs),
        why_not=dict(Counter(s.why_not for _, s in pairs if s.why_not)),
        hard=sum(regime == HARD for regime, _ in pairs),
        case=to_json(bad.case) if bad is not None and bad.case is not None else None,
        backend=backend,
    )  # fmt: skip


def report(rows: Sequence[Row], plan: Plan) -> dict[str, Any]:
    """Everything for a file: rows, and what they were made with."""
    return {
        "date": date.today().isoformat(),
        "spaceforms": version("spaceforms"),
        "torch": torch.__version__.split("+")[0],
        "python": platform.python_version(),
        "machine": platform.machine(),
        "plan": asdict(plan),
        "promise": {"values": VALUES, "gradients": GRADIENTS},
        "rows": [asdict(row if _telling(row) else replace(row, case=None)) for row in rows],
    }


def _telling(row: Row) -> bool:
    """Whether the worst problem of a row is worth its place in a file."""
    return not row.kept or row.worst > WORTH_KEEPING * row.promised
