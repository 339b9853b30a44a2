"""The structure of the code, read from the code: layers, imports and kernels.

conf.py calls :func:`write_all` when the documentation is built; by hand:

    python docs/structure.py OUT            # layers.md, kernels.md, rooms.svg, manifolds.svg, ...

Only files are read: nothing of the library is imported.
"""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
Arrows = dict[str, dict[str, int]]
DRAWN = ("manifolds", "losses", "models")
"""Rooms whose inside is drawn."""

_WIDTH, _HEIGHT, _GAP, _FLOOR, _MARGIN = 128, 34, 22, 84, 20  # of boxes, in pixels


def rooms() -> list[str]:
    """The rooms and the folders in them that are packaged, as paths."""
    names = PROJECT["tool"]["setuptools"]["packages"]
    return [n.removeprefix("spaceforms.").replace(".", "/") for n in names if "." in n]


def imported(path: Path) -> Iterator[tuple[str, ...]]:
    """What a file imports from the library, types and functions' own imports included: the parts of
    a path under ROOT, of which the last may be a name in a file."""
    package = path.relative_to(ROOT).parts[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - node.level + 1]
            module = tuple(node.module.split(".")) if node.module else ()
            for alias in node.names:
                yield (*base, *module, alias.name)


def arrows(room: str | None = None) -> Arrows:
    """How often each room imports each other one; or within a room each folder and file."""
    depth = 0 if room is None else 1
    found: Arrows = {}
    for folder in [room] if room else [r for r in rooms() if "/" not in r]:
        for path in sorted((ROOT / folder).rglob("*.py")):
            here = path.relative_to(ROOT).with_suffix("").parts
            if here[depth] == "__init__":
                continue
            targets = found.setdefault(here[depth], {})
            for there in imported(path):
                if there[:depth] != here[:depth] or len(there) <= depth:
                    continue
                if there[depth] != here[depth] and _is_unit(there[: depth + 1]):
                    targets[there[depth]] = targets.get(there[depth], 0) + 1
    return found


def _is_unit(parts: tuple[str, ...]) -> bool:
    place = ROOT.joinpath(*parts)
    return place.is_dir() or place.with_suffix(".py").is_file()


def floors(graph: Arrows) -> tuple[dict[str, int], set[tuple[str, str]]]:
    """The floor of each unit, above all that it imports; and the imports that close a circle."""
    floor: dict[str, int] = {}
    back: set[tuple[str, str]] = set()

    def visit(unit: str, above: tuple[str, ...]) -> int:
        if unit not in floor:
            below = [0]
            for target in sorted(graph.get(unit, {})):
                if target in (*above, unit):
                    back.add((unit, target))
                else:
                    below.append(1 + visit(target, (*above, unit)))
            floor[unit] = max(below)
        return floor[unit]

    for unit in sorted(graph):
        visit(unit, ())
    return floor, back


def necessary(graph: Arrows) -> set[tuple[str, str]]:
    """The imports that do not follow from others: those that a reader needs to see."""
    floor, back = floors(graph)
    reached: dict[str, set[str]] = {}
    for unit in sorted(floor, key=lambda u: floor[u]):
        direct = {t for t in graph.get(unit, {}) if (unit, t) not in back}
        reached[unit] = direct.union(*(reached[t] for t in direct))
    return {
        (unit, target)
        for unit, targets in graph.items()
        for target in targets
        if (unit, target) not in back
        and not any(target in reached[t] for t in targets if t != target and (unit, t) not in back)
    }


def picture(graph: Arrows) -> str:
    """An SVG: a box for each unit, what it imports below it. An arrow that follows from others is
    left out; one that closes a circle is red."""
    floor, back = floors(graph)
    top = max(floor.values())
    rows = [sorted(u for u in floor if floor[u] == f) for f in range(top, -1, -1)]
    place: dict[str, float] = {}
    for row in rows:  # under the middle of what imports it, as far as there is room
        wanted = {}
        for k, unit in enumerate(row):
            users = [place[u] for u in place if unit in graph.get(u, {})]
            wanted[unit] = sum(users) / len(users) if users else k - (len(row) - 1) / 2
        at = -1e9
        for unit in sorted(row, key=lambda u: wanted[u]):
            place[unit] = at = max(at + 1, wanted[unit])
        shift = sum(place[u] - wanted[u] for u in row) / len(row)
        for unit in row:
            place[unit] -= shift
    left = min(place.values())
    x = {u: _MARGIN + (place[u] - left) * (_WIDTH + _GAP) + _WIDTH / 2 for u in place}
    y = {u: _MARGIN + (top - floor[u]) * _FLOOR for u in place}
    width, height = max(x.values()) + _WIDTH / 2 + _MARGIN, _MARGIN * 2 + top * _FLOOR + _HEIGHT
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" '
        'font-family="sans-serif" font-size="13">',
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" '
        'markerHeight="7" orient="auto"><path d="M0 0 L8 4 L0 8 z" fill="#667"/></marker></defs>',
        '<rect width="100%" height="100%" fill="#fff"/>',
    ]
    for a, b in sorted(necessary(graph) | back):
        colour = "#c00" if (a, b) in back else "#667"
        start, end = (x[a], y[a] + _HEIGHT), (x[b], y[b])
        bend = (end[1] - start[1]) / 2
        lines.append(
            f'<path d="M{start[0]:.0f} {start[1]:.0f} C{start[0]:.0f} {start[1] + bend:.0f} '
            f'{end[0]:.0f} {end[1] - bend:.0f} {end[0]:.0f} {end[1]:.0f}" fill="none" '
            f'stroke="{colour}" marker-end="url(#tip)"><title>{a} imports {b}</title></path>'
        )
    for unit in sorted(place):
        lines.append(
            f'<rect x="{x[unit] - _WIDTH / 2:.0f}" y="{y[unit]:.0f}" width="{_WIDTH}" '
            f'height="{_HEIGHT}" rx="5" fill="#eef2fa" stroke="#557"/>'
            f'<text x="{x[unit]:.0f}" y="{y[unit] + 22:.0f}" text-anchor="middle">'
            f"{escape(unit)}</text>"
        )
    return "\n".join([*lines, "</svg>", ""])


def layers(room: str) -> list[list[str]]:
    """The layers that import-linter keeps in a room, from the top."""
    for contract in PROJECT["tool"]["importlinter"]["contracts"]:
        if contract.get("containers") == [f"spaceforms.{room}"]:
            return [layer.split(" | ") for layer in contract["layers"]]
    return []


def first_line(path: Path) -> str:
    """What a file or a folder says that it is."""
    source = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    words = ast.get_docstring(ast.parse(source.read_text(encoding="utf-8"))) or ""
    return " ".join(words.partition("\n\n")[0].split())


def layer_table(room: str) -> str:
    """The layers of a room as a table of Markdown."""
    lines = ["| layer | what stands there |", "| --- | --- |"]
    for layer in layers(room):
        for unit in layer:
            name = f"`{unit}/`" if (ROOT / room / unit).is_dir() else f"`{unit}.py`"
            lines.append(f"| {name} | {_cell(first_line(ROOT / room / unit))} |")
    return "\n".join([*lines, ""])


def kernels() -> Iterator[tuple[str, str, str, list[str], list[str]]]:
    """Of each file of kernels: its place, what it says that it is, its formulas, the files and
    names of their proofs, and the cells of the certificate. What a file does not say is empty."""
    folder = ROOT / "manifolds/kernels"
    for path in sorted(folder.rglob("*.py")):
        if path.stem == "__init__":
            continue
        text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        head, _, rest = text.partition("\n\n")
        formulas = re.match(r"(?:(?: {4}.*)?\n)*", rest + "\n\n")
        proofs = re.findall(r"^Proof: (.+)$", text, re.MULTILINE)
        cells = re.findall(r"^Certificate: (.+)$", text, re.MULTILINE)
        yield (
            str(path.relative_to(folder).with_suffix("")),
            " ".join(head.split()),
            formulas[0].strip("\n") if formulas else "",
            proofs,
            [cell.strip() for line in cells for cell in line.split(",")],
        )


def kernel_table() -> str:
    """Kernel, formula, proof and certificate as a table of MyST, from the heads of the files."""
    lines = ["````{list-table}", ":header-rows: 1", ":class: kernels", ""]
    rows = [["kernel", "formula", "proof", "cells of the certificate"]]
    for name, head, formulas, proofs, cells in kernels():
        formula = f"```text\n{_dedented(formulas)}\n```" if formulas else ""
        rows.append(
            [
                f"`{name}`\n\n{_escaped(head)}",
                formula,
                "\n\n".join(map(_proof, proofs)),
                "\n\n".join(f"`{cell.rstrip('.')}`" for cell in cells),
            ]
        )
    for row in rows:
        for k, cell in enumerate(row):
            first, *more = cell.split("\n")
            lines.append(f"{'  -' if k else '* -'} {first}".rstrip())
            lines += [f"    {line}".rstrip() for line in more]
    return "\n".join([*lines, "````", ""])


def _proof(words: str) -> str:
    """A proof: the file and the names in it, or a sentence that there is none."""
    file, comma, names = words.partition(", ")
    if not (comma and (ROOT / file).is_file()):
        return _escaped(words)
    quoted = re.findall(r'"([^"]+)"', names)
    return f"`{file}`: " + "; ".join(quoted)


def _escaped(words: str) -> str:
    return re.sub(r"([|*_<\[\]])", r"\\\1", words.replace("``", "`"))


def _cell(words: str) -> str:
    return re.sub(r":\w+:`~?([^`]*)`", r"`\1`", words).replace("``", "`").replace("|", "\\|")


def _dedented(text: str) -> str:
    return "\n".join(line[4:] for line in text.split("\n"))


def write_all(folder: Path) -> None:
    """Write all tables and pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    written = {"kernels.md": kernel_table(), "rooms.svg": picture(arrows())}
    for room in DRAWN:
        written[f"{room}.svg"] = picture(arrows(room))
        if layers(room):
            written[f"{room}_layers.md"] = layer_table(room)
    for name, text in written.items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write_all(Path(sys.argv[1]))
