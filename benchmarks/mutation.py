"""Mutation testing: how many small faults, put into the library one at a time, do the tests see?

    python benchmarks/mutation.py --count 300 --seed 0 --minutes 40 [--rooms losses stats]
    python benchmarks/mutation.py --again        # the survivors of the last run once more

1. The map (mutation_map.py). Every test of the fast suite runs once under `coverage`, which notes
   the lines that it reaches and its time. Kept in OUT/map.json; only test files that changed, or
   that reach a source that changed, run again. On one core it takes about twice the suite's time.
2. The mutants. Places are drawn at random, uniformly over all of all rooms (mutants.py): an
   operator, a comparison, a sign, `not` or `~` dropped, a constant, a default, arguments dropped or
   swapped, a statement or a refusal dropped, a branch always or never taken, a value that a message
   prints left out. A mutant counts ("quiet") when the package still imports ("loud" if not) and a
   test reaches the line ("unreached" if none does).
3. The verdict. A process that has imported torch, pytest and their like, but nothing of this
   library, forks a child for each mutant. An import hook gives the child the mutated module (no
   file is changed), and pytest runs in it, one test file after another, those of the same room
   first, in each the fastest test first: first the tests that reach the line, then the others that
   reach the file (caches and fixtures hide who reaches a line), until one fails (killed), one
   takes ten times its time (timeout, also a kill), or SECONDS of processor time are spent
   (survived). What a test starts as another process of Python does not see the mutant.
4. The control. Each test that killed something runs once without a mutant. One that fails there
   has killed nothing, and its mutants are judged again without it.

The same seed and sources give the same mutants. Results: a table by room, the survivors with their
differences, OUT/results.json. Reasons for survivors that stay: benchmarks/mutation_survivors.md.
"""

import argparse
import ast
import gc
import importlib
import importlib.util
import json
import os
import resource
import signal
import sys
import time
import traceback
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import asdict
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import Any

from mutants import Mutant, drawn
from mutation_map import QUIET, Map

PRELOAD = (
    "torch torch._dynamo torch.func torch.distributions numpy hypothesis sympy mpmath geoopt "
    "matplotlib.pyplot mpl_toolkits.mplot3d tyro tqdm tokenizers safetensors.torch PIL.Image faiss"
)
KILLED, SURVIVED, TIMEOUT, LOUD, UNREACHED = "killed", "survived", "timeout", "loud", "unreached"


# -- the verdict ----------------------------------------------------------------------------------


class Installed(SourceFileLoader):
    """A finder and loader that gives one module the code of a mutated tree."""

    def __init__(self, module: str, path: str, tree: ast.Module) -> None:
        super().__init__(module, path)
        self.tree = tree

    def find_spec(self, name: str, path: object = None, target: object = None) -> Any:
        if name != self.name:
            return None
        package = [str(Path(self.path).parent)] if self.path.endswith("__init__.py") else None
        return importlib.util.spec_from_file_location(
            name, self.path, loader=self, submodule_search_locations=package
        )

    def get_code(self, fullname: str) -> Any:
        return compile(self.tree, self.path, "exec", dont_inherit=True)


def _child(
    mutant: Mutant | None, runs: list[list[tuple[str, float]]], budget: float
) -> dict[str, Any]:
    """In the child: install the mutant, run the tests, say what came of it."""
    import pytest

    if mutant:
        location = Path("src", *mutant.module.split("."))
        init = location / "__init__.py"
        file = str((init if init.exists() else location.with_suffix(".py")).absolute())
        sys.meta_path.insert(0, Installed(mutant.module, file, mutant.trees()[0]))
        try:
            importlib.import_module(mutant.module)
        except BaseException:
            return {"status": LOUD}
    failed: list[str] = []
    count = 0

    class Selected:
        def __init__(self, tests: list[tuple[str, float]]) -> None:
            self.seconds = dict(tests)
            self.order = {test: k for k, (test, _) in enumerate(tests)}

        def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
            chosen = [item for item in items if item.nodeid in self.order]
            items[:] = sorted(chosen, key=lambda item: self.order[item.nodeid])

        @pytest.hookimpl(wrapper=True, tryfirst=True)
        def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
            nonlocal count
            count += 1
            if mutant and time.process_time() > budget:
                item.session.shouldstop = "the budget is spent"
            # The default action of SIGPROF ends the process, whatever it is doing.
            signal.setitimer(signal.ITIMER_PROF, 20 + 10 * self.seconds[item.nodeid])
            result = yield
            signal.setitimer(signal.ITIMER_PROF, 0)
            return result

        def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
            if report.failed:
                failed.append(report.nodeid)

    for tests in runs:
        arguments = [*QUIET, *(["-x"] if mutant else []), tests[0][0].split("::")[0]]
        code = pytest.main(arguments, plugins=[Selected(tests)])
        if mutant and (failed or code not in (0, 2, 5)):
            return {
                "status": KILLED,
                "killer": failed[0] if failed else tests[0][0],
                "tests": count,
            }
        if mutant and code == 2 and time.process_time() <= budget:  # an error while collecting
            return {"status": KILLED, "killer": tests[0][0], "tests": count}
        if mutant and time.process_time() > budget:
            break
    return {"status": SURVIVED, "failed": failed, "tests": count}


def forked(
    mutant: Mutant | None, runs: list[list[tuple[str, float]]], budget: float, log: Path
) -> dict[str, Any]:
    """What `_child` says in a process of its own; the end of that process by a signal: timeout."""
    start = time.monotonic()
    reading, writing = os.pipe()
    if (child := os.fork()) == 0:
        os.setsid()
        resource.setrlimit(resource.RLIMIT_DATA, (8 << 30, 8 << 30))
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        for stream in (1, 2):
            os.dup2(output, stream)
        try:
            os.write(writing, json.dumps(_child(mutant, runs, budget)).encode())
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    os.close(writing)
    while (ended := os.waitpid(child, os.WNOHANG)) == (0, 0):
        if time.monotonic() - start > 120 + 10 * budget:
            os.killpg(child, signal.SIGKILL)
        time.sleep(0.02)
    with os.fdopen(reading, "rb") as pipe:
        said = pipe.read()
    if not os.WIFSIGNALED(ended[1]) and not said:
        raise RuntimeError(f"the child failed, see {log}: {log.read_text()[-2000:]}")
    answer: dict[str, Any] = json.loads(said) if said else {"status": TIMEOUT}
    return answer | {"seconds": round(time.monotonic() - start, 1)}


# -- the command ----------------------------------------------------------------------------------


def judge(mutant: Mutant, reached: Map, options: argparse.Namespace, banned: set[str]) -> None:
    """Fill in what becomes of a mutant."""
    near, runs = reached.plan(mutant.path, mutant.trees()[1])
    runs = [kept for tests in runs if (kept := [t for t in tests if t[0] not in banned])]
    if not near:
        mutant.status = UNREACHED
        return
    for name, value in forked(mutant, runs, options.seconds, options.out / "log.txt").items():
        if name in ("status", "killer", "tests", "seconds"):
            setattr(mutant, name, value)


def control(mutants: list[Mutant], reached: Map, options: argparse.Namespace) -> set[str]:
    """The tests that fail without any mutant, here, of those that killed one."""
    by_file: dict[str, dict[str, float]] = defaultdict(dict)
    for test in {m.killer for m in mutants if m.status == KILLED}:
        file = test.split("::")[0]
        by_file[file][test] = reached.entries[file]["seconds"][test]
    runs = [list(tests.items()) for tests in by_file.values()]
    return set(forked(None, runs, 600, options.out / "control.txt").get("failed", ()))


def table(mutants: list[Mutant]) -> str:
    """The score by room, as Markdown."""
    rows = ["| room | quiet | killed | timeout | survived | score | unreached | loud |"]
    rows.append("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for room in [*sorted({m.room for m in mutants}), "all"]:
        n = Counter(m.status for m in mutants if room in (m.room, "all"))
        dead = n[KILLED] + n[TIMEOUT]
        quiet = dead + n[SURVIVED]
        counts = [quiet, n[KILLED], n[TIMEOUT], n[SURVIVED], f"{100 * dead / max(quiet, 1):.1f} %"]
        rows.append(f"| {' | '.join(map(str, [room, *counts, n[UNREACHED], n[LOUD]]))} |")
    return "\n".join(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--count", type=int, default=300, help="quiet mutants")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=40, help="no new mutant after these")
    parser.add_argument("--seconds", type=float, default=30, help="processor time for a mutant")
    parser.add_argument("--rooms", nargs="*", default=[])
    parser.add_argument("--out", type=Path, default=Path("runs/mutation"))
    parser.add_argument("--again", action="store_true", help="judge the last survivors again")
    parser.add_argument("--preload", default=PRELOAD, help=argparse.SUPPRESS)
    options = parser.parse_args()
    sys.path[:0] = [str(Path("src").absolute()), str(Path.cwd())]
    start = time.monotonic()
    options.out.mkdir(parents=True, exist_ok=True)
    reached = Map(options.out / "map.json")
    for name in ("pytest", *options.preload.split()):
        importlib.import_module(name)
    gc.freeze()
    file = options.out / "results.json"
    old = [Mutant(**m) for m in json.loads(file.read_text())["mutants"]] if file.exists() else []
    pending: Iterator[Mutant] = drawn(options.rooms, options.seed)
    done: list[Mutant] = []
    if options.again:
        done = [m for m in old if m.status not in (SURVIVED, UNREACHED)]
        pending = iter([m for m in old if m.status in (SURVIVED, UNREACHED)])
        options.count = len(old)
    banned: set[str] = set()

    def judge_all(mutants: Iterator[Mutant]) -> None:
        while sum(m.status in (KILLED, SURVIVED, TIMEOUT) for m in done) < options.count:
            if time.monotonic() - start > 60 * options.minutes:
                break
            if (mutant := next(mutants, None)) is None:
                break
            judge(mutant, reached, options, banned)
            done.append(mutant)
            print(
                f"{len(done)} {mutant.status} {mutant.path}:{mutant.line} {mutant.seconds} s "
                f"{mutant.killer}",
                flush=True,
            )
            what = {"seed": options.seed, "mutants": [asdict(m) for m in done]}
            file.write_text(json.dumps(what, indent=1), encoding="utf-8")

    judge_all(pending)
    if banned := control(done, reached, options):
        print("fail without a mutant:", *sorted(banned))
        wrong = [m for m in done if m.killer in banned]
        done = [m for m in done if m.killer not in banned]
        judge_all(iter(wrong))
    for m in done:
        if m.status in (SURVIVED, UNREACHED):
            print(f"\n{m.path}:{m.line} {m.status}, {m.operator}\n{m.diff}")
    print(f"\nseed {options.seed}, {time.monotonic() - start:.0f} s\n{table(done)}")


if __name__ == "__main__":
    main()
