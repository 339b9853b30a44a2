"""Every kernel's file begins with its formula, letters, domain, bound, proof and certificate.

The proof it names exists in the file that it names, and so do the certificate's cells.
"""

import ast
import importlib
import re
from functools import cache
from pathlib import Path

import pytest

from spaceforms.manifolds import kernels
from spaceforms.validation.certificate.score import DEFINITIONS

FOLDER = Path(kernels.__file__).parent
FILES = sorted(path for path in FOLDER.rglob("*.py") if path.name != "__init__.py")


def _place(path: Path) -> str:
    return str(path.relative_to(FOLDER).with_suffix(""))


def _docstring(path: Path) -> str:
    found = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    assert found, f"{_place(path)} has no docstring"
    return found


def _lines(docstring: str, word: str) -> list[str]:
    """What follows ``word:`` at the beginning of a line."""
    return re.findall(rf"^{word}: (.+)$", docstring, flags=re.MULTILINE)


@cache
def _names(file: str) -> list[str]:
    """The names of the derivations of validation/symbolic/<file>."""
    module = importlib.import_module(f"spaceforms.validation.symbolic.{file}")
    return [derivation.name for derivation in module.derivations()]


def unproven(docstring: str) -> list[str]:
    """What is wrong with the lines ``Proof: validation/symbolic/<file>.py, "name", "name"``.

    A name may stand for several, "functions/series" for "functions/series: asin(sqrt s)^2/s".
    """
    lines = _lines(docstring, "Proof")
    if not lines:
        return ["no line Proof:"]
    if len(lines) == 1 and re.fullmatch(r"none, \S.*", lines[0]):
        return []
    wrong = []
    for line in lines:
        match = re.fullmatch(r'validation/symbolic/(\w+)\.py((?:, "[^"]+")+)', line)
        if match is None:
            wrong.append(line)
            continue
        for name in re.findall(r'"([^"]+)"', match[2]):
            known = _names(match[1])
            if not any(n == name or n.startswith(f"{name}: ") for n in known):
                wrong.append(f"{name} in {match[1]}.py")
    return wrong


def uncertified(docstring: str) -> list[str]:
    """What is wrong with the lines ``Certificate: Lorentz.dist, Lorentz.sqdist``."""
    lines = _lines(docstring, "Certificate")
    if not lines:
        return ["no line Certificate:"]
    wrong = []
    for cell in ", ".join(lines).split(", "):
        manifold, _, name = cell.partition(".")
        if name not in DEFINITIONS or manifold not in DEFINITIONS[name].models:
            wrong.append(cell)
    return wrong


@pytest.mark.parametrize("path", FILES, ids=_place)
def test_a_kernel_names_a_proof_and_a_cell_that_exist(path: Path) -> None:
    docstring = _docstring(path)
    assert unproven(docstring) == []
    assert uncertified(docstring) == []


@pytest.mark.parametrize("path", FILES, ids=_place)
def test_a_kernel_begins_with_its_formula_and_its_letters(path: Path) -> None:
    docstring = _docstring(path)
    _, formula, *_ = docstring.split("\n\n")
    assert all(line.startswith("    ") for line in formula.splitlines()), "no formula"
    assert re.search(r"^=+ +=+", docstring, flags=re.MULTILINE), "no table of letters"
    for word in ("Domain", "Bound"):
        assert _lines(docstring, word), f"no line {word}:"


def _tuples(path: Path) -> list[ast.ClassDef]:
    return [
        node
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef)
        and any(isinstance(base, ast.Name) and base.id == "NamedTuple" for base in node.bases)
    ]


@pytest.mark.parametrize("path", FILES, ids=_place)
def test_every_field_of_a_named_tuple_has_a_sentence(path: Path) -> None:
    for tuple_ in _tuples(path):
        body = tuple_.body[1:]  # after its docstring
        fields = [node for node in body if isinstance(node, ast.AnnAssign)]
        said = [
            node
            for node, after in zip(body, [*body[1:], None], strict=True)
            if isinstance(node, ast.AnnAssign) and isinstance(after, ast.Expr)
        ]
        assert said == fields, f"{_place(path)}: a field of {tuple_.name} says nothing"


@pytest.mark.parametrize(
    "line",
    [
        'Proof: validation/symbolic/kernels.py, "kernels/no such derivation"',
        'Proof: validation/symbolic/ball.py, "kernels/gradient"',
        "Proof: somewhere",
        "Proof: none",
        "",
    ],
)
def test_a_proof_that_does_not_exist_is_found_out(line: str) -> None:
    assert unproven(f"A kernel.\n\n{line}\n")


@pytest.mark.parametrize(
    "line",
    ["Certificate: Lorentz.no_such_map", "Certificate: Klein.proj", "Certificate: Lorentz", ""],
)
def test_a_cell_that_does_not_exist_is_found_out(line: str) -> None:
    assert uncertified(f"A kernel.\n\n{line}\n")
