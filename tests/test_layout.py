"""The house: which folder is which package, who may import whom, and what an import costs."""

import ast
import importlib
import inspect
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import spaceforms

ROOT = Path(__file__).resolve().parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
SETUPTOOLS = PYPROJECT["tool"]["setuptools"]
ROOMS = sorted(
    name.removeprefix("spaceforms.") for name in SETUPTOOLS["packages"] if name.count(".") == 1
)
NOT_ROOMS = {"tests", "docs", "examples", "benchmarks", "build", "dist", "runs", "src"}

each_room = pytest.mark.parametrize("room", ROOMS)


def imports(source: Path, *, inside_functions: bool) -> Iterator[str]:
    """Names of the modules that a file imports absolutely."""
    pending: list[ast.AST] = [ast.parse(source.read_text())]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            assert node.module is not None
            yield node.module
        elif inside_functions or not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            pending.extend(ast.iter_child_nodes(node))


def loaded_by(statement: str) -> set[str]:
    """Names of the modules of a fresh interpreter after a statement."""
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", f"import sys; {statement}; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(result.stdout.split())


def top(names: set[str]) -> set[str]:
    return {name.partition(".")[0] for name in names}


def test_every_folder_with_an_init_is_a_room_that_is_packaged() -> None:
    folders = {
        path.parent.name
        for path in ROOT.glob("*/__init__.py")
        if path.parent.name not in NOT_ROOMS and not path.parent.name.startswith(".")
    }
    assert folders == set(ROOMS)
    assert SETUPTOOLS["package-dir"] == {
        "": "src",
        **{f"spaceforms.{room}": room for room in ROOMS},
    }


def test_every_folder_inside_a_room_that_holds_code_is_packaged() -> None:
    folders = {
        f"spaceforms.{'.'.join(path.parent.relative_to(ROOT).parts)}"
        for room in ROOMS
        for path in (ROOT / room).rglob("*.py")
    }
    assert folders <= set(SETUPTOOLS["packages"])


@each_room
def test_a_room_is_imported_from_its_folder(room: str) -> None:
    module = importlib.import_module(f"spaceforms.{room}")
    assert module.__file__ is not None
    assert Path(module.__file__).samefile(ROOT / room / "__init__.py")


def test_the_links_for_static_tools_are_relative_and_complete() -> None:
    links = {path.name: path for path in (ROOT / "src/spaceforms").iterdir() if path.is_symlink()}
    assert set(links) == set(ROOMS)
    for room, link in links.items():
        assert link.readlink() == Path("../..") / room


@each_room
def test_rooms_import_rooms_by_relative_path_only(room: str) -> None:
    wrong = [
        f"{source.relative_to(ROOT)} imports {name}"
        for source in (ROOT / room).rglob("*.py")
        for name in imports(source, inside_functions=True)
        if name.partition(".")[0] in {"spaceforms", *ROOMS}
    ]
    assert not wrong


def test_manifolds_import_torch_and_the_standard_library_only() -> None:
    loaded = loaded_by("import spaceforms.manifolds")
    inside = [name.split(".") for name in loaded if name.startswith("spaceforms.manifolds.")]
    sources = [ROOT / "manifolds/__init__.py"]
    files = [ROOT.joinpath(*parts[1:]) for parts in inside]
    sources += [f / "__init__.py" if f.is_dir() else f.with_suffix(".py") for f in files]
    wrong = [
        f"{source.relative_to(ROOT)} imports {name}"
        for source in sources
        for name in imports(source, inside_functions=False)
        if name.partition(".")[0] not in {"torch", *sys.stdlib_module_names}
    ]
    assert not wrong
    # And nothing comes in by a side door, beyond what torch loads for itself.
    new = top(loaded) - top(loaded_by("import torch"))
    assert new <= {"spaceforms", *sys.stdlib_module_names}


def test_importing_the_roof_loads_nothing_heavy() -> None:
    heavy = {"torch", "numpy", "matplotlib", "tyro"}
    assert heavy.isdisjoint(loaded_by("import spaceforms, spaceforms.__main__"))


def test_the_import_contract_holds() -> None:
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def public(module: ModuleType) -> Iterator[tuple[str, object]]:
    for name in getattr(module, "__all__", dir(module)):
        thing = getattr(module, name)
        if not name.startswith("_") and (inspect.isclass(thing) or inspect.isfunction(thing)):
            yield name, thing


@each_room
def test_every_public_name_has_a_docstring(room: str) -> None:
    module = importlib.import_module(f"spaceforms.{room}")
    silent = [] if module.__doc__ else [room]
    for name, thing in public(module):
        if not vars(thing).get("__doc__", thing.__doc__):
            silent.append(name)
        if not inspect.isclass(thing):
            continue
        for member, value in vars(thing).items():
            method = inspect.isroutine(value) or isinstance(value, property)
            # getdoc follows inheritance: an override may rely on what it overrides.
            if method and not member.startswith("_") and not inspect.getdoc(getattr(thing, member)):
                silent.append(f"{name}.{member}")
    assert not silent


def test_the_version_is_the_same_everywhere() -> None:
    version = PYPROJECT["project"]["version"]
    citation = re.search(r"^version: (\S+)$", (ROOT / "CITATION.cff").read_text(), re.MULTILINE)
    newest = re.search(r"^## (\d\S*)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert citation is not None
    assert newest is not None
    assert citation[1].strip('"') == newest[1] == version == spaceforms.__version__


def test_every_direct_dependency_is_pinned() -> None:
    def name(requirement: str) -> str:
        return re.split(r"[\[<>=! ]", requirement)[0].lower()

    pins = dict(
        line.lower().split("==")
        for line in (ROOT / "constraints.txt").read_text().splitlines()
        if line and not line.startswith("#")
    )
    extras = PYPROJECT["project"]["optional-dependencies"]
    wanted = PYPROJECT["project"]["dependencies"] + extras["dev"] + extras["docs"]
    wanted += [
        r for extra in ("optim", "validation", "plot", "train", "search") for r in extras[extra]
    ]
    assert {name(requirement) for requirement in wanted} - {"spaceforms"} <= set(pins)
    assert pins["torch"] == "2.13.0"


def test_in_the_parent_of_a_checkout_of_this_name_the_rooms_are_those_of_the_checkout(
    tmp_path: Path,
) -> None:
    # What CONTRIBUTING.md says of it: no file of the roof may be needed by a room.
    (tmp_path / "spaceforms").symlink_to(ROOT)
    found = "print(*(util.find_spec(f'spaceforms.{name}').origin for name in sys.argv[1:]))"
    result = subprocess.run(
        [sys.executable, "-S", "-c", f"import sys; from importlib import util; {found}", *ROOMS],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        env={},
    )
    assert result.stdout.split() == [
        str(tmp_path / "spaceforms" / room / "__init__.py") for room in ROOMS
    ]
    for room in ROOMS:
        for path in (ROOT / room).rglob("*.py"):
            roof = "." * (len(path.relative_to(ROOT).parts))
            for name in re.findall(
                rf"^\s*from {re.escape(roof)}(\w+)", path.read_text(), re.MULTILINE
            ):
                assert name in ROOMS, path
