"""The pages of the reference, read from the rooms: a summary of a room, and a page for each file.

conf.py calls :func:`write_all` when the documentation is built. What a room's ``__init__`` imports
from one file is one family; its title is the class, if it is one, or the file's name, and its order
that of the imports. Every word on the pages is a docstring's.
"""

import ast
import importlib
import inspect
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def families(room: str, file: str = "__init__") -> dict[str, list[str]]:
    """Public names of a room by the file they are imported from, as "operations.isometries".

    What ``import *`` takes is looked up where it is taken from; submodules are left to the page.
    """
    found: dict[str, list[str]] = {}
    for node in ast.walk(ast.parse((ROOT / room / f"{file}.py").read_text(encoding="utf-8"))):
        if not isinstance(node, ast.ImportFrom) or node.level != 1 or not node.module:
            continue
        names = [alias.asname or alias.name for alias in node.names]
        if names == ["*"]:
            for module, more in families(room, node.module).items():
                found.setdefault(module, []).extend(more)
        elif public := [name for name in names if not name.startswith("_")]:
            found.setdefault(node.module, []).extend(public)
    return found


def title(module: str, names: list[str]) -> str:
    """Of a family's page."""
    return names[0] if len(names) == 1 else module.rpartition(".")[2].replace("_", " ").capitalize()


def definition(room: str, name: str) -> str:
    """The directive that prints the docstring of a name."""
    found = getattr(importlib.import_module(f"spaceforms.{room}"), name)
    kind = "data"
    if inspect.isclass(found):
        kind = "exception" if issubclass(found, BaseException) else "class"
    elif callable(found):
        kind = "function"
    return f".. auto{kind}:: {name}\n"


def family_page(room: str, module: str, names: list[str]) -> str:
    """The docstring of the file's first line, and that of each name."""
    text = (ROOT / room / Path(*module.split("."))).with_suffix(".py")
    about = ""
    if len(names) > 1 and text.is_file():
        said = ast.get_docstring(ast.parse(text.read_text(encoding="utf-8"))) or ""
        about = said.partition("\n\n")[0].replace("\n", " ") + "\n\n"
    blocks = "\n".join(definition(room, name) for name in names)
    return (
        f"# {title(module, names)}\n\n```{{eval-rst}}\n{about}"
        f".. currentmodule:: spaceforms.{room}\n\n{blocks}```\n"
    )


def summary(room: str, found: dict[str, list[str]]) -> str:
    """Tables of all names of a room, first those with a page each, then the families; and the
    hidden tree of the pages."""
    alone = [names[0] for names in found.values() if len(names) == 1]
    tables = [("", alone)] if alone else []
    for module, names in found.items():
        if len(names) > 1:
            tables.append((f"**[{title(module, names)}]({room}/{slug(module)}.md)**\n\n", names))
    text = ""
    for head, names in tables:
        rows = "".join(f"   {name}\n" for name in names)
        text += (
            f"{head}```{{eval-rst}}\n.. currentmodule:: spaceforms.{room}\n\n"
            f".. autosummary::\n   :nosignatures:\n\n{rows}```\n\n"
        )
    tree = "\n".join(f"{room}/{slug(module)}" for module in found)
    return f"{text}\n```{{toctree}}\n:hidden:\n\n{tree}\n```\n"


def slug(module: str) -> str:
    """The name of a family's page."""
    return module.replace(".", "_")


def write_all(folder: Path, generated: Path) -> None:
    """Write FOLDER/ROOM/FAMILY.md, and GENERATED/ROOM.md, which the page of a room includes."""
    generated.mkdir(parents=True, exist_ok=True)
    for page in folder.glob("*.md"):
        room = page.stem
        if not (ROOT / room / "__init__.py").is_file():
            continue
        found = families(room)
        (folder / room).mkdir(exist_ok=True)
        pages = {folder / room / f"{slug(m)}.md": family_page(room, m, n) for m, n in found.items()}
        for old in set((folder / room).glob("*.md")) - {*pages}:
            old.unlink()
        said = inspect.getdoc(importlib.import_module(f"spaceforms.{room}")) or ""
        pages[generated / f"{room}.md"] = (
            f"```{{eval-rst}}\n.. module:: spaceforms.{room}\n\n{said}\n```\n\n"
            f"{summary(room, found)}"
        )
        for path, text in pages.items():
            if not path.is_file() or path.read_text(encoding="utf-8") != text:
                path.write_text(text, encoding="utf-8")
