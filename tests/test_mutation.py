"""The mutation tester on a project of a dozen lines: what it finds, and that it finds it again."""

import ast
import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).resolve().parents[1] / "benchmarks" / "mutation.py"
SOURCE = '''"""A module."""
LIMIT = 3  # a constant that a test sees through its user


def half(x: int, scale: int = 2) -> float:
    """Half of what is not negative."""
    if x < 0:
        raise ValueError(f"half: x is {x}; expected at least 0.")
    return x / scale


def limited(x):
    return min(x, LIMIT)


def reached_but_not_tested(x):
    return x * 7


def not_reached(x):
    return x - 5
'''
TESTS = """import pytest
from toy.mod import half, limited, reached_but_not_tested


def test_half():
    assert half(0) == 0 and half(-0.0) == 0 and half(6) == 3 and half(6, 3) == 2
    with pytest.raises(ValueError, match="x is -1; expected"):
        half(-1)


def test_limited():
    assert limited(9) == 3 and limited(2) == 2


def test_nothing():
    reached_but_not_tested(1)
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "src" / "toy").mkdir(parents=True)
    (tmp_path / "tests").mkdir()
    (tmp_path / "src" / "toy" / "__init__.py").write_text("")
    (tmp_path / "src" / "toy" / "mod.py").write_text(SOURCE)
    (tmp_path / "tests" / "test_mod.py").write_text(TESTS)
    (tmp_path / "pyproject.toml").write_text(
        '[tool.setuptools]\npackages = ["toy"]\npackage-dir = { "" = "src" }\n'
        '[tool.pytest.ini_options]\naddopts = "--import-mode=importlib"\n'
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def tool(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(TOOL.parent))
    spec = importlib.util.spec_from_file_location("mutation", TOOL)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "mutation", module)
    spec.loader.exec_module(module)
    return module


def test_places_are_found_again_by_their_seed_and_each_mutant_differs_in_one(project, tool):
    one, two, other = ([(m.line, m.diff) for m in tool.drawn([], seed)] for seed in (0, 0, 1))
    assert one == two != other
    changed = "\n".join(diff for _, diff in one)
    assert all(diff.count("\n-") == 0 or "raise" in diff for _, diff in one)
    for wanted in ("LIMIT = ", "scale: int=", "x is ;", "+    pass", "min(x, LIMIT)"):
        assert (wanted in changed) == (wanted != "min(x, LIMIT)"), wanted
    for line in ('"""', "-> ", "expected at most"):  # nothing of docstrings and wording
        assert not any(d.startswith(f"-{line}") or "_expected" in d for _, d in one)
    source = (project / "src" / "toy" / "mod.py").read_text()
    for mutant in tool.drawn(["src"], 3):
        assert ast.dump(mutant.trees()[0]) != ast.dump(ast.parse(source))
    assert list(tool.drawn(["elsewhere"], 0)) == []


def test_what_a_test_sees_is_killed_and_the_rest_is_listed(project, monkeypatch):
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    command = [sys.executable, str(TOOL), "--preload", "", "--minutes", "2", "--seconds", "20"]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr
    mutants = json.loads((project / "runs/mutation/results.json").read_text())["mutants"]
    first = {name: SOURCE[: SOURCE.index(f"def {name}")].count("\n") + 1 for name in
             ("reached_but_not_tested", "not_reached")}  # fmt: skip
    for mutant in mutants:
        if mutant["line"] > first["not_reached"]:
            assert mutant["status"] == "unreached"
        elif mutant["line"] > first["reached_but_not_tested"]:
            assert mutant["status"] == "survived"
            assert f"src/toy/mod.py:{mutant['line']} survived" in said.stdout
        else:
            assert mutant["status"] == "killed", mutant
            assert mutant["killer"].startswith("tests/test_mod.py::test_")
    assert len({m["status"] for m in mutants}) == 3
    assert (project / "src" / "toy" / "mod.py").read_text() == SOURCE
