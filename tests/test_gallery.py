"""The gallery, without running it: a title and a picture each, and every room in use."""

import ast
import importlib
import re
from pathlib import Path

import pytest
from test_layout import ROOMS

GALLERY = Path(__file__).resolve().parents[1] / "examples/gallery"
EXAMPLES = sorted(GALLERY.glob("*/plot_*.py"))

each_example = pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)


def imported(path: Path) -> list[tuple[str, str]]:
    """(module, name) of what an example imports from the library."""
    return [
        (node.module, alias.name)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("spaceforms")
        for alias in node.names
    ]


def title(path: Path) -> str:
    docstring = ast.get_docstring(ast.parse(path.read_text()))
    assert docstring is not None
    first, line, blank = docstring.splitlines()[:3]
    assert line == "=" * len(first)
    assert not blank
    return first


def test_there_are_two_dozen_examples_each_of_its_own_title() -> None:
    assert len(EXAMPLES) >= 24
    assert len({title(path) for path in EXAMPLES}) == len(EXAMPLES)


def test_every_folder_has_a_heading_and_examples() -> None:
    folders = [GALLERY, *{path.parent for path in EXAMPLES}]
    assert all((folder / "GALLERY_HEADER.rst").is_file() for folder in folders)
    # A file of another name would be shown without its picture, or not at all.
    assert sorted(GALLERY.rglob("*.py")) == EXAMPLES


@pytest.mark.parametrize("room", ROOMS)
def test_every_room_is_used(room: str) -> None:
    modules = {module for path in EXAMPLES for module, _ in imported(path)}
    assert any(f"{module}.".startswith(f"spaceforms.{room}.") for module in modules)


@each_example
def test_an_example_says_something_and_draws(path: Path) -> None:
    text = path.read_text()
    prose = ast.get_docstring(ast.parse(text))
    assert prose is not None
    assert len(prose.splitlines()) > 4
    # A figure is kept and closed at the end of its cell: what a later one drew would be lost.
    cells = text.split("\n# %%\n")
    assert len(cells) > 1
    made = [bool(re.search(r"plt\.(subplots|figure)\(", cell)) for cell in cells]
    assert made == ["\nplt.show()\n" in cell for cell in cells]
    assert any(made)
    assert "print(" in text or "label" in text
    code = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert len(code) - len(prose.splitlines()) < 100


@each_example
def test_what_an_example_imports_is_public(path: Path) -> None:
    found = imported(path)
    assert found
    for module, name in found:
        assert not any(part.startswith("_") for part in [name, *module.split(".")[:-1]])
        assert hasattr(importlib.import_module(module), name)
