"""Run experiments.

    python experiments/run.py [NAME ...] [--quick] [--jobs 2] [--minutes M] [--out FOLDER]

Each run is a process with one thread of its own; what has run already is not run again. All runs
are reported, none is chosen; --minutes begins no more runs of an experiment after that time, seed
after seed (0: none, what has run is collected), and the results say how many were planned.
A run's figures are written to FOLDER/NAME/RUN/figures.json, and those of all runs, without their
weights, to experiments/results/NAME.json (--quick: to FOLDER/NAME.json), from which
`python experiments/report.py` makes the page.
"""

import argparse
import dataclasses
import json
import math
import os
import platform
import subprocess
import sys
import time
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from datetime import date
from pathlib import Path
from typing import Any

import claims
import plan
import torch
from compare import value
from measure import frozen_pair_is_here
from tqdm import tqdm

RESULTS = plan.HERE / "results"
FIGURES = "figures.json"


def main() -> int:
    """The command; 1 if a run failed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(plan.names())}")
    parser.add_argument("--quick", action="store_true", help="the cut-down set")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="runs at a time")
    parser.add_argument("--minutes", type=float, default=math.inf, help="begin none after")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--out", type=Path, default=Path("runs/experiments"))
    options = parser.parse_args()
    if options.jobs < 1 or not options.minutes >= 0:
        parser.error(
            f"jobs is {options.jobs} and minutes {options.minutes}; expected at least 1 and "
            "at least 0."
        )
    try:
        plans = [plan.read(name, quick=options.quick) for name in options.names or plan.names()]
        for p in plans:  # a claim about nothing should be known before hours of runs, not after
            claims.read(p.name)
    except (ValueError, FileNotFoundError) as error:
        parser.error(str(error))
    if not frozen_pair_is_here():  # then earlier results stay as they are
        for p in plans:
            if p.kind == "heads":
                print(f'{p.name} is left out: it needs pip install "spaceforms[frozen]".')
        plans = [p for p in plans if p.kind != "heads"]
    folder = options.out / ("quick" if options.quick else "full")
    failed = 0
    for planned in plans:
        began = time.monotonic()
        until = began + 60 * options.minutes
        how = {"jobs": options.jobs, "device": options.device, "until": until}
        p, tried, errors = tune(planned, folder / planned.name / "tuning", **how)
        results, more = run(p, folder / p.name, **how)
        errors |= more
        failed += len(errors)
        target = folder if options.quick else RESULTS
        target.mkdir(parents=True, exist_ok=True)
        content = {
            "title": p.title,
            "question": p.question,
            "kind": p.kind,
            "quick": options.quick,
            "date": str(date.today()),
            "torch": torch.__version__,
            "machine": f"{os.cpu_count()} cores, {platform.machine()}, {options.device}",
            "seconds": round(sum(r["figures"]["values"]["seconds"] for r in results)),
            "planned": len(planned.runs),
            "tuning": tried,
            "runs": results,
            "failed": errors,
        }
        path = target / f"{p.name}.json"
        path.write_text(as_text(content), encoding="utf-8")
        print(f"{p.name}: {len(results)} of {len(planned.runs)} runs, written to {path}")
        for name, text in errors.items():
            print(f"{p.name}/{name} failed:\n{text}", file=sys.stderr)
    return 1 if failed else 0


def as_text(content: dict[str, Any]) -> str:
    """JSON with a line for each entry and each run: thousands of ranks, but a readable diff."""
    runs = ",\n".join(json.dumps(run, separators=(",", ":")) for run in content["runs"])
    lines = [
        f'"{key}": ' + (f"[\n{runs}\n]" if key == "runs" else json.dumps(value))
        for key, value in content.items()
    ]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def tune(
    p: plan.Plan, folder: Path, **how: Any
) -> tuple[plan.Plan, list[dict[str, Any]], dict[str, str]]:
    """The plan with the settings that were best, what was tried, and what failed."""
    if not p.tuning:
        return p, [], {}
    results, errors = run(dataclasses.replace(p, runs=p.tuning), folder, **how)
    tried = [
        {key: r[key] for key in ("variant", "at", "setting")} | {"value": value(r, p.figure)}
        for r in results
    ]
    return plan.tuned(p, tried), tried, {f"tuning/{name}": e for name, e in errors.items()}


def run(
    p: plan.Plan, folder: Path, *, jobs: int, device: str, until: float
) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """The figures of all runs, in order, and what the failed ones said."""
    found: dict[str, dict[str, Any]] = {}
    errors: dict[str, str] = {}
    with ThreadPoolExecutor(jobs) as pool, tqdm(total=len(p.runs), desc=p.name) as bar:
        waiting: dict[Future[dict[str, Any] | None], str] = {
            pool.submit(_one, p.kind, spec, folder / spec.name, device, until): spec.name
            for spec in p.runs
        }
        for done in as_completed(waiting):
            try:
                if (figures := done.result()) is not None:
                    found[waiting[done]] = figures
            except Exception as error:  # whatever it was, the other runs go on
                errors[waiting[done]] = str(error) or repr(error)
            bar.update()
    results = [
        {"variant": s.variant, "at": s.at, "seed": s.seed, "figures": found[s.name]}
        | ({"setting": s.setting} if s.setting else {})
        for s in p.runs
        if s.name in found
    ]
    return results, errors


def _one(
    kind: str, spec: plan.RunSpec, folder: Path, device: str, until: float
) -> dict[str, Any] | None:
    """The figures of one run: those there are of the same options, or those of a new process.

    None if it is too late to begin one.
    """
    task = {"kind": kind, "options": spec.options, "device": device}
    done = folder / FIGURES
    if done.is_file():
        content = json.loads(done.read_text(encoding="utf-8"))
        if content["task"] == task:
            return dict(content["figures"])
    if time.monotonic() >= until:
        return None
    folder.mkdir(parents=True, exist_ok=True)
    environment = os.environ | {"OMP_NUM_THREADS": "1", "MPLBACKEND": "Agg"}
    process = subprocess.run(
        [sys.executable, str(plan.HERE / "measure.py"), str(folder), json.dumps(task)],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    (folder / "log.txt").write_text(process.stdout + process.stderr, encoding="utf-8")
    if process.returncode:
        # What a progress bar wrote before is of no use here; what was killed says nothing.
        said = process.stderr[max(process.stderr.rfind("Traceback"), 0) :][-2000:].strip()
        raise RuntimeError(said or f"ended with exit status {process.returncode}, without a word.")
    content = json.loads(done.read_text(encoding="utf-8"))
    return dict(content["figures"])


if __name__ == "__main__":
    sys.exit(main())
