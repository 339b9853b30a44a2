"""What docs/architecture.md and the files of a forge say of the house is so."""

import re
import runpy
import sys
import tomllib
import xml.etree.ElementTree as ET
from pathlib import Path
from types import FrameType
from typing import Any

import torch

from spaceforms.manifolds import Lorentz

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
STRUCTURE: dict[str, Any] = runpy.run_path(str(ROOT / "docs/structure.py"))


def test_the_tree_on_the_page_has_the_folders_that_there_are() -> None:
    tree = re.search(r"```text\n(manifolds/.*?)```", PAGE, re.DOTALL)
    assert tree is not None
    listed, room = [], ""
    for indent, name in re.findall(r"^( *)(\w[\w/]*)/ ", tree[1], re.MULTILINE):
        room = room if indent else name
        listed.append(f"{room}/{name}" if indent else name)
    assert sorted(listed) == sorted(STRUCTURE["rooms"]())
    assert all((ROOT / folder / "__init__.py").is_file() for folder in listed)


def test_the_life_of_a_distance_is_the_one_on_the_page() -> None:
    steps = re.findall(r"^\d+\. `(manifolds/\S+\.py)`, `(\w+)`:", PAGE, re.MULTILINE)
    assert len(steps) == 10
    called: list[tuple[str, str]] = []

    def note(frame: FrameType, event: str, _: object) -> None:
        _, slash, path = frame.f_code.co_filename.rpartition("/manifolds/")
        if event == "call" and slash:
            called.append((f"manifolds/{path}", frame.f_code.co_name))

    # Not near each other, and not near the origin.
    manifold = Lorentz(curvature=-0.5)
    x, y = manifold.from_normal(torch.tensor([[2.0, 1.0], [-1.0, 3.0]]))
    before = sys.getprofile()
    sys.setprofile(note)
    try:
        manifold.dist(x, y)
    finally:
        sys.setprofile(before)
    rest = iter(called)
    assert [step for step in steps if step not in rest] == [], called


def test_every_layer_that_is_kept_is_a_folder_or_a_file_that_says_what_it_is() -> None:
    for room in ("manifolds", "models"):
        table = STRUCTURE["layer_table"](room)
        rows = re.findall(r"^\| `(\S+)` \| (.+) \|$", table, re.MULTILINE)
        units = {p.stem for p in (ROOT / room).iterdir() if p.suffix == ".py" or p.is_dir()}
        assert {name.removesuffix("/").removesuffix(".py") for name, _ in rows} == {
            unit for unit in units if not unit.startswith("__")
        }


def test_the_pictures_show_every_room_and_no_circle_between_rooms() -> None:
    arrows, floors = STRUCTURE["arrows"], STRUCTURE["floors"]
    rooms = arrows()
    floor, back = floors(rooms)
    assert not back
    assert floor["manifolds"] == floor["datasets"] == 0
    assert not floors(arrows("manifolds"))[1]
    svg = ET.fromstring(STRUCTURE["picture"](rooms))
    texts = {text.text for text in svg.iter("{http://www.w3.org/2000/svg}text")}
    assert texts == {room for room in STRUCTURE["rooms"]() if "/" not in room}


def test_an_import_that_closes_a_circle_is_seen_and_one_that_follows_is_left_out() -> None:
    graph = {"a": {"b": 1, "c": 1}, "b": {"c": 1}, "c": {}}
    assert STRUCTURE["floors"](graph) == ({"c": 0, "b": 1, "a": 2}, set())
    assert STRUCTURE["necessary"](graph) == {("a", "b"), ("b", "c")}
    assert STRUCTURE["floors"]({**graph, "c": {"a": 1}})[1] == {("c", "a")}


def test_every_kernel_is_in_the_table_and_what_it_names_exists() -> None:
    names = []
    for name, words, _, proofs, _ in STRUCTURE["kernels"]():
        assert words, name
        names.append(name)
        for proof in proofs:
            file, _, quoted = proof.partition(", ")
            if file.endswith(".py"):
                source = (ROOT / file).read_text(encoding="utf-8")
                assert re.findall(r'"([^"]+)"', quoted), proof
                assert source, proof
    folder = ROOT / "manifolds/kernels"
    files = {p.relative_to(folder).with_suffix("") for p in folder.rglob("*.py")}
    assert set(names) == {str(file) for file in files if file.name != "__init__"}
    table = STRUCTURE["kernel_table"]()
    assert all(f"* - `{name}`" in table for name in names)


# -- what a forge runs -----------------------------------------------------------------------------


def make_targets() -> set[str]:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    return set(re.findall(r"^([a-z-]+):.*## ", text, re.MULTILINE))


def test_workflows_and_hooks_call_what_there_is() -> None:
    files = [path for path in (ROOT / ".github").rglob("*") if path.is_file()]
    files.append(ROOT / ".pre-commit-config.yaml")
    assert {path.name for path in files} >= {"ci.yml", "nightly.yml", "release.yml"}
    for path in files:
        text = path.read_text(encoding="utf-8")
        assert "\t" not in text, path
        for script in re.findall(r"(?<![\w/])\.ci/\w+", text):
            assert (ROOT / script).stat().st_mode & 0o111, f"{path.name}: {script}"
        for target in re.findall(r"\bmake ([a-z-]+)", text):
            assert target in make_targets(), f"{path.name}: make {target}"
        for file in re.findall(r"(?<![\w/.-])[\w/]+\.(?:txt|toml|md)\b", text):
            assert (ROOT / file).is_file(), f"{path.name}: {file}"


def test_ci_runs_on_every_python_that_the_package_names_and_on_the_oldest_torch() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = re.findall(r"Python :: (3\.\d+)", "\n".join(project["classifiers"]))
    ci = (ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8")
    matrix = re.search(r"python: \[(.*)\]", ci)
    assert matrix is not None
    assert re.findall(r"3\.\d+", matrix[1]) == named
    (oldest,) = (re.match(r"torch>=(\S+)", d)[1] for d in project["dependencies"] if "torch" in d)  # type: ignore[index]
    assert f'TORCH: "{oldest}.0"' in ci
