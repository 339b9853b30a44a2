"""The mutants of mutation.py: where a small fault can be put into a module, and the module with it.

Left alone is what no test can or should see: docstrings, annotations, wording, the looks of
pictures, imports, `assert` (which narrows types), `__all__`, arguments of what is symmetric.
"""

import ast
import difflib
import random
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

SWAPS: dict[type, type] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.Pow: ast.Mult,
    ast.FloorDiv: ast.Mult, ast.Mod: ast.FloorDiv, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
    ast.And: ast.Or, ast.Or: ast.And,
}  # fmt: skip
# What no test on one machine sees: help, assertions, the device and encoding where there is one.
UNSEEN = {"strict", "frozen", "slots", "doc", "help", "description", "stacklevel", "device"}
UNSEEN |= {"encoding"}
# The looks of a picture where they are constants: as free as the wording of a message.
LOOKS = {"linewidth", "linewidths", "fontsize", "alpha", "zorder", "pad", "zoom", "figsize"}
LOOKS |= {"layout", "frameon", "prune"}
COMMUTATIVE = {"min", "max", "minimum", "maximum", "hypot", "dot", "equal", "allclose", "isclose"}
ANNOTATIONS = {"annotation", "returns", "type_params", "type_comment"}


@dataclass(frozen=True)
class Site:
    """A place in a tree; each of ``changes`` puts a fault there, into the tree itself."""

    node: ast.AST
    statement: ast.stmt
    owner: ast.AST  # the function, class or module whose body holds the statement
    changes: list[tuple[str, Callable[[], None]]]


def _constants(value: object, key: bool) -> list[object]:
    match value:
        case bool():
            return [not value]
        case int():
            return [value + 1, value - 1] if value else [1]
        case float():
            return [value * 1.5, -value] if value else [1.0]
        case str() if key:
            return [value + "_"]
    return []


def _expressions(node: ast.AST, wording: bool, key: bool) -> Iterator[tuple[str, ast.expr]]:
    """What an expression may become; ``wording``: part of a message; ``key``: strings count."""
    match node:
        case ast.BinOp(left, op, right) if type(op) in SWAPS and not wording:
            yield "operator", ast.BinOp(left, SWAPS[type(op)](), right)
        case ast.BoolOp(op, values):
            yield "operator", ast.BoolOp(SWAPS[type(op)](), values)
            yield "condition dropped", values[0]
            yield "condition dropped", values[-1]
        case ast.Compare(left, [op], right) if type(op) in SWAPS:
            yield "comparison", ast.Compare(left, [SWAPS[type(op)]()], right)
        case ast.UnaryOp(_, operand):
            yield "sign or not dropped", operand
        case ast.IfExp(_, body, orelse):
            yield from (("branch", body), ("branch", orelse))
        case ast.Constant(value):
            yield from (("constant", ast.Constant(v)) for v in _constants(value, key))
        case ast.FormattedValue():
            yield "value left out of a message", ast.Constant("")
        case ast.Call(func, [a, b, *rest], keywords) if not wording:
            same = ast.unparse(func).split(".")[-1] in COMMUTATIVE
            if not same and not any(isinstance(x, ast.Starred) for x in (a, b)):
                yield "arguments swapped", ast.Call(func, [b, a, *rest], keywords)


def _statements(node: ast.AST) -> Iterator[tuple[str, ast.stmt]]:
    match node:
        case ast.Expr(ast.Call()) | ast.AugAssign() | ast.Continue() | ast.Break():
            yield "statement dropped", ast.Pass()
        case ast.Assign([ast.Attribute() | ast.Subscript()]):
            yield "statement dropped", ast.Pass()
        case ast.If(_, [ast.Raise()], []):
            yield "refusal dropped", ast.Pass()
        case ast.If(_, body, orelse):
            yield "branch", ast.If(ast.Constant(True), body, orelse)
            yield "branch", ast.If(ast.Constant(False), body, orelse)


def _left_alone(node: ast.AST) -> bool:
    match node:
        case ast.Assert() | ast.Import() | ast.ImportFrom():
            return True
        case ast.Expr(ast.Constant()):  # docstrings, and the ellipses of stubs
            return True
        case ast.Assign([ast.Name("__all__")]) | ast.If(ast.Name("TYPE_CHECKING")):
            return True
        case ast.FunctionDef(decorator_list=marks):
            return any(ast.unparse(m).endswith(("overload", "abstractmethod")) for m in marks)
        case ast.Call(ast.Name("cast" | "TypeVar" | "NewType")):
            return True
        case ast.keyword(name, value) if name in LOOKS:
            return not any(isinstance(n, ast.Name | ast.Call) for n in ast.walk(value))
        case ast.keyword(name):
            return name in UNSEEN
    return False


def sites(tree: ast.Module) -> list[Site]:
    """All places of a module where a small fault can be put."""
    found: list[Site] = []

    def visit(parent: ast.AST, statement: ast.stmt | None, owner: ast.AST, wording: bool) -> None:
        wording = wording or isinstance(parent, ast.Raise | ast.JoinedStr)
        wording = wording or (isinstance(parent, ast.Call) and "warn" in ast.unparse(parent.func))
        for name, value in ast.iter_fields(parent):
            if name in ANNOTATIONS:
                continue
            for k, node in enumerate(value if isinstance(value, list) else [value]):
                if not isinstance(node, ast.AST) or _left_alone(node):
                    continue
                at = node if isinstance(node, ast.stmt) else statement

                def change(new: ast.AST | None, p=parent, n=name, i=k) -> Callable[[], None]:
                    def apply() -> None:
                        if not isinstance(getattr(p, n), list):
                            setattr(p, n, new)
                        elif new is None:
                            del getattr(p, n)[i]
                        else:
                            getattr(p, n)[i] = new

                    return apply

                key = isinstance(
                    parent, ast.Compare | ast.Subscript | ast.arguments | ast.AnnAssign
                )
                new = [*_expressions(node, wording, key), *_statements(node)]
                changes = [(label, change(n)) for label, n in new]
                if isinstance(node, ast.keyword) and node.arg and not wording:
                    changes.append(("keyword dropped", change(None)))
                if isinstance(parent, ast.comprehension) and name == "ifs":
                    changes.append(("filter dropped", change(None)))
                if changes and at is not None:
                    found.append(Site(node, at, owner, changes))
                inside = isinstance(parent, ast.FunctionDef | ast.ClassDef) and name == "body"
                visit(node, at, parent if inside else owner, wording)

    visit(tree, None, tree, False)
    return found


@dataclass
class Mutant:
    """One fault, and what became of it."""

    path: str
    module: str
    site: int
    change: int
    line: int = 0
    operator: str = ""
    diff: str = ""
    status: str = ""
    killer: str = ""  # the test that failed
    tests: int = 0
    seconds: float = 0.0

    @property
    def room(self) -> str:
        return self.path.split("/")[0]

    def trees(self) -> tuple[ast.Module, Site]:
        """The mutated module, and the site in a module without the mutant."""
        text = Path(self.path).read_text(encoding="utf-8")
        before, after = ast.parse(text), ast.parse(text)
        site = sites(before)[self.site]
        self.operator, apply = sites(after)[self.site].changes[self.change]
        apply()
        ast.fix_missing_locations(after)
        lines = difflib.unified_diff(*(ast.unparse(t).splitlines() for t in (before, after)), n=0)
        self.diff = "\n".join(s for s in lines if s[:2] not in ("--", "++", "@@"))
        self.line = getattr(site.node, "lineno", site.statement.lineno)
        return after, site


def modules() -> dict[str, str]:
    """Path of each source below the current folder -> its module, as pyproject.toml says."""
    table = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    found = {}
    for package in table["packages"]:
        folders = table["package-dir"]
        room, inside = package, ""
        while room and room not in folders:
            room, _, last = room.rpartition(".")
            inside = f"/{last}{inside}"
        base = folders[room] + inside
        for file in sorted(Path(base).glob("*.py")):
            found[str(file)] = package if file.stem == "__init__" else f"{package}.{file.stem}"
    return found


def drawn(rooms: list[str], seed: int) -> Iterator[Mutant]:
    """Mutants at random: the sites of all rooms in random order, one of the changes of each."""
    every = [
        Mutant(path, module, k, len(site.changes))
        for path, module in modules().items()
        if not rooms or path.split("/")[0] in rooms
        for k, site in enumerate(sites(ast.parse(Path(path).read_text(encoding="utf-8"))))
    ]
    chance = random.Random(seed)
    chance.shuffle(every)
    for mutant in every:
        mutant.change = chance.randrange(mutant.change)
        mutant.trees()
        if mutant.diff:
            yield mutant
