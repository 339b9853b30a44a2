"""``spaceforms certify``: measure every map and say whether the promise is kept."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro


@dataclass(frozen=True)
class CertifyOptions:
    """Measure the accuracy of every map against a reference at 100 digits and more.

    Errors are counted in units of u (1 + kappa): what rounding the inputs alone may do is one unit.
    The exit status is 1 if the promise (8 for values, 32 for gradients, nothing that is not finite)
    is broken.
    """

    full: bool = False
    """Many problems, in up to 1000 dimensions (25 minutes on two cores); few by default."""
    quick: bool = False
    """Few problems, up to dimension 32 (under 2 minutes on two cores): the default, said aloud."""
    manifold: tuple[str, ...] = ()
    """Only these: Lorentz, PoincareBall, Sphere, Euclidean, Stereographic, Klein, HalfSpace, ..."""
    map: tuple[str, ...] = ()
    """Only these: dist, expmap, logmap, ..., convert (to every chart), busemann, ..."""
    dtype: tuple[str, ...] = ()
    """Only these: float64, float32, bfloat16, float16."""
    against: tuple[Literal["geoopt", "textbook"], ...] = ()
    """Judge these on the same inputs too: geoopt (extra optim), or the formulas of textbooks."""
    json: Path | None = None
    """Write all figures to this file."""
    minutes: Annotated[float, tyro.conf.arg(metavar="N")] = 0.0
    """Climb from the worst draws for so long, after all is drawn."""
    keep: Path | None = None
    """Add what climbing found, above half of the promise, to this file of hard cases."""
    device: str = "cpu"
    """Where the maps run: cpu, cuda, mps; the reference is computed on the processor."""
    compiled: bool = False
    """Judge the maps as torch.compile makes them; a minute a map, space and dtype."""
    processes: Annotated[int, tyro.conf.arg(metavar="N")] = 0
    """That share the work; as many as there are cores if 0."""


def certify(argv: Sequence[str]) -> int:
    """``spaceforms certify``; 0 if the promise is kept, 1 if not, 2 for a wrong call."""
    try:
        options = tyro.cli(CertifyOptions, args=list(argv), prog="spaceforms certify")
        return _run(options)
    except SystemExit as done:
        return int(done.code or 0)
    except (ValueError, OSError) as error:
        print(f"spaceforms certify: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("spaceforms certify: stopped.", file=sys.stderr)
        return 130


def _run(options: CertifyOptions) -> int:
    # Each worker has one thread; set before torch is imported there.
    os.environ["OMP_NUM_THREADS"] = "1"
    from tqdm import tqdm

    from .certificate.backends import Backend
    from .certificate.cases import hard_cases, keep
    from .certificate.certificate import FULL, QUICK, certify as run, report, tasks
    from .certificate.climb import climb_all
    from .certificate.report import as_text
    from .certificate.score import DEFINITIONS, DTYPES
    from .exact.chart_models import MODELS

    if options.full and options.quick:
        raise ValueError("both --quick and --full are given; expected one of them.")
    backend = Backend(options.device, options.compiled)
    backend.check()
    if options.minutes > 0 and backend != Backend():
        raise ValueError(
            f"--minutes is {options.minutes:g} with the backend {backend.name!r}; expected none: "
            "climbing is done eagerly on the processor, and what it finds is replayed everywhere."
        )
    which: dict[str, Any] = {
        "libraries": ("spaceforms", *options.against),
        "manifolds": _chosen("--manifold", options.manifold, list(MODELS)),
        "maps": _chosen("--map", _with_targets(options.map, DEFINITIONS), list(DEFINITIONS)),
        "dtypes": _chosen("--dtype", options.dtype, list(DTYPES)),
        "backend": backend,
    }
    if options.processes < 0:
        raise ValueError(f"--processes is {options.processes}; expected 0 or more.")
    if not options.minutes >= 0:
        raise ValueError(f"--minutes is {options.minutes}; expected 0 or more.")
    plan = FULL if options.full else QUICK
    processes = options.processes or len(os.sched_getaffinity(0))
    count = len(tasks(plan, **which))
    if not count:
        alone = ", or they are operations or charts, which are not compiled" * backend.compiled
        raise ValueError(
            f"nothing to measure: no manifold that was asked for has a map that was{alone}; "
            "expected other --manifold or --map."
        )
    with tqdm(total=count, unit=" tasks", disable=None) as bar:
        rows = run(plan, processes=processes, progress=bar.update, **which)
    if options.minutes > 0:
        rows, found = climb_all(rows, minutes=options.minutes, processes=processes)
        if options.keep is not None:
            keep([*(hard_cases(options.keep)), *found], options.keep)
            print(f"{len(found)} cases added to {options.keep}")
    print(as_text(rows))
    if backend != Backend():
        print(f"Backend: {backend.name}.")
    if options.json is not None:
        options.json.write_text(json.dumps(report(rows, plan), indent=1) + "\n", encoding="utf-8")
        print(f"Written to {options.json}")
    broken = [row for row in rows if not row.kept]
    for row in broken:
        print(
            f"Broken: {row.manifold}.{row.map} in {row.dtype}, {row.quantity}: worst "
            f"{row.worst:.3g} units in the regime {row.regime!r}, promised {row.promised:g}; "
            f"{row.not_finite} not finite of {row.problems}."
        )
    if not broken:
        own = [row for row in rows if row.library == "spaceforms"]
        judged, problems = sum(row.judged for row in own), sum(row.problems for row in own)
        print(f"The promise is kept: {judged:,} results judged of {problems:,}.")
    return 1 if broken else 0


def _with_targets(wanted: Sequence[str], known: Iterable[str]) -> list[str]:
    """``convert`` stands for convert:Klein and all others."""
    names = list(known)
    found = [[n for n in names if n.startswith(f"{name}:")] or [name] for name in wanted]
    return [name for some in found for name in some]


def _chosen(option: str, wanted: Sequence[str], known: Sequence[str]) -> Sequence[str]:
    for name in wanted:
        if name not in known:
            raise ValueError(f"{option} is {name!r}; expected some of {', '.join(known)}.")
    return wanted or known
