"""The map of mutation.py: which test reaches which line of the library, and how long it takes.

python benchmarks/mutation_map.py OUT.json tests/test_x.py ...     # as mutation.py calls it
"""

import ast
import hashlib
import json
import os
import re
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mutants import Site, modules

QUIET = ["-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:cov"]
QUIET += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]  # of what was imported before


def _digest(path: str) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest() if Path(path).is_file() else ""


def record(tests: list[str], out: Path) -> None:
    """Run tests under `coverage`: for each test file its tests' seconds, and who reaches a line."""
    import coverage
    import pytest

    folders = sorted({str(Path(path).parent) for path in modules()})
    measure = coverage.Coverage(data_file=None, source=folders, branch=False, config_file=False)
    seconds: dict[str, float] = {}
    failed: set[str] = set()

    class Recorder:
        @pytest.hookimpl(wrapper=True, tryfirst=True)
        def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
            measure.switch_context(item.nodeid)
            start = time.process_time()
            result = yield
            seconds[item.nodeid] = round(time.process_time() - start, 3)
            measure.switch_context("")
            return result

        def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
            if report.failed:
                failed.add(report.nodeid)

    measure.start()
    pytest.main([*QUIET, *tests], plugins=[Recorder()])
    measure.stop()
    data = measure.get_data()
    found: dict[str, Any] = {}
    for test, value in seconds.items():
        if test not in failed:
            entry = found.setdefault(test.split("::")[0], {"seconds": {}, "lines": {}})
            entry["seconds"][test] = value
    for path in data.measured_files():
        source = os.path.relpath(path)
        for line, contexts in data.contexts_by_lineno(path).items():
            for test in set(contexts) - {""} - failed:
                lines = found[test.split("::")[0]]["lines"].setdefault(source, {})
                lines.setdefault(str(line), []).append(test)
    for test_file, entry in found.items():
        entry["digests"] = {p: _digest(p) for p in (test_file, *entry["lines"])}
    out.write_text(json.dumps(found), encoding="utf-8")


class Map:
    """Who reaches what: kept in a file, brought up to date where digests differ."""

    def __init__(self, file: Path) -> None:
        self.entries: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
        present = [str(p) for p in sorted(Path("tests").rglob("test_*.py"))]
        stale = [
            path
            for path in present
            if any(
                _digest(p) != d
                for p, d in self.entries.get(path, {}).get("digests", {"": "x"}).items()
            )
        ]
        self.entries = {p: e for p, e in self.entries.items() if p in present and p not in stale}
        if stale:
            print(f"mapping {len(stale)} test files", flush=True)
            part = file.with_suffix(".part.json")
            command = [sys.executable, __file__, str(part), *stale]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            # A file without one test (all slow, or skipped) is kept, so that it is not run again.
            new = {p: {"seconds": {}, "lines": {}, "digests": {p: _digest(p)}} for p in stale}
            self.entries |= new | json.loads(part.read_text())
            file.write_text(json.dumps(self.entries), encoding="utf-8")
            part.unlink()
        self.text = {
            path: Path(path).read_text(encoding="utf-8").splitlines() for path in modules()
        }

    def reach(self, path: str, lines: range | None) -> set[str]:
        """The tests that reach one of these lines of a source; None for any line."""
        found: set[str] = set()
        for entry in self.entries.values():
            reached = entry["lines"].get(path, {})
            for line in reached if lines is None else map(str, lines):
                found.update(reached.get(line, ()))
        return found

    def plan(self, path: str, site: Site) -> tuple[set[str], list[list[tuple[str, float]]]]:
        """The tests that reach a site, and the runs in their order: (test, seconds) by file."""
        node, statement = site.node, site.statement
        last = statement.end_lineno or statement.lineno
        if isinstance(body := getattr(statement, "body", None), list):
            last = max(statement.lineno, body[0].lineno - 1)
        at = range(statement.lineno, last + 1)
        if (line := getattr(node, "lineno", None)) and line in at:
            inner = range(line, min(last, node.end_lineno or line) + 1)
            near = self.reach(path, inner) or self.reach(path, at)
        else:
            near = self.reach(path, at)
        if isinstance(statement, ast.FunctionDef) or not isinstance(site.owner, ast.FunctionDef):
            # A default, a constant, a field: run when the module is imported, seen by its users.
            near = near | self._users(path, statement)
        all_of_file = self.reach(path, None)
        runs = []
        for group in (near, all_of_file - near):
            by_file: dict[str, list[tuple[str, float]]] = defaultdict(list)
            for test in group:
                file = test.split("::")[0]
                by_file[file].append((test, self.entries[file]["seconds"][test]))

            def rank(file: str) -> tuple[bool, float, str]:
                same = Path(file).parts[1] == Path(path).parts[0]
                share = sum(t.split("::")[0] == file for t in all_of_file)
                return not same, -share / len(self.entries[file]["seconds"]), file

            runs += [
                sorted(by_file[f], key=lambda t: (t[1], t[0])) for f in sorted(by_file, key=rank)
            ]
        return near, runs

    def _users(self, path: str, statement: ast.stmt) -> set[str]:
        if isinstance(statement, ast.FunctionDef):
            return self.reach(path, range(statement.lineno, (statement.end_lineno or 0) + 1))
        targets = getattr(statement, "targets", [getattr(statement, "target", None)])
        names = {n.id for t in targets if t for n in ast.walk(t) if isinstance(n, ast.Name)}
        found: set[str] = set()
        for name in names:
            word = re.compile(rf"\b{name}\b")
            for other, text in self.text.items():
                for k, line in enumerate(text, start=1):
                    if word.search(line):
                        found |= self.reach(other, range(k, k + 1))
        return found or self.reach(path, None)


if __name__ == "__main__":
    sys.path[:0] = [str(Path("src").absolute()), str(Path.cwd())]
    record(sys.argv[2:], Path(sys.argv[1]))
