"""What a derivation is, and the algebra that decides whether a residual is zero."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from math import lcm, prod
from typing import Any

import sympy as sp
from sympy.core.function import ArgumentIndexError
from sympy.polys.fields import FracField

# One curvature for all: every formula below holds for K > 0 and for K < 0, as sn_K and cs_K are
# analytic in K.
K = sp.Symbol("K")


@dataclass(frozen=True)
class Proof:
    """Equations to print, and expressions that must vanish, each under the words for what it is."""

    shown: tuple[sp.Basic, ...]
    residuals: Mapping[str, Iterable[sp.Expr]]

    def failures(self) -> list[str]:
        """The names of the residuals that are not identically zero."""
        return [name for name, parts in self.residuals.items() if not all(map(vanishes, parts))]


@dataclass(frozen=True)
class Derivation:
    """A claim about a closed form, and its proof.

    Attributes:
        name: section and subject, ``"ball/expmap"``.
        claim: what is proven, one sentence (Markdown).
        dimension: in which dimension, and the argument that carries it there.
        form: the closed form.
        prove: makes the proof for a closed form, which is an argument so that a wrong one can be
            seen to fail.
    """

    name: str
    claim: str
    dimension: str
    form: Callable[..., Any]
    prove: Callable[[Callable[..., Any]], Proof]

    def proof(self) -> Proof:
        """The proof for the form as it stands."""
        return self.prove(self.form)


class Sn(sp.Function):  # type: ignore[misc]  # sympy has no types
    r"""sn_K(t), the solution of f'' + K f = 0 with f(0) = 0, f'(0) = 1: sin(sqrt(K) t)/sqrt(K)."""

    nargs = 2

    @classmethod
    def eval(cls, curvature: Any, t: Any) -> Any:
        if t.is_zero:
            return sp.S.Zero
        return t if curvature.is_zero else None

    def fdiff(self, argindex: int = 2) -> Any:
        if argindex != 2:
            raise ArgumentIndexError(self, argindex)
        return Cs(*self.args)

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        return _function(printer, self, (r"\sin", r"\sinh", r"\mathrm{sn}_{K}"), exp)


class Cs(sp.Function):  # type: ignore[misc]
    r"""cs_K = sn_K', the solution with f(0) = 1, f'(0) = 0: cos(sqrt(K) t)."""

    nargs = 2

    @classmethod
    def eval(cls, curvature: Any, t: Any) -> Any:
        return sp.S.One if t.is_zero or curvature.is_zero else None

    def fdiff(self, argindex: int = 2) -> Any:
        if argindex != 2:
            raise ArgumentIndexError(self, argindex)
        return -self.args[0] * Sn(*self.args)

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        return _function(printer, self, (r"\cos", r"\cosh", r"\mathrm{cs}_{K}"), exp)


def tn(curvature: Any, t: Any) -> Any:
    """tn_K = sn_K/cs_K."""
    return Sn(curvature, t) / Cs(curvature, t)


def _function(printer: Any, f: Any, names: tuple[str, str, str], exp: str | None) -> str:
    curvature, t = f.args
    name = names[0] if curvature == 1 else names[1] if curvature == -1 else names[2]
    power = "" if exp is None else f"^{{{exp}}}"
    return rf"{name}{power}\!\left({printer.doprint(t)}\right)"


def elementary(expression: Any, curvature: Any) -> Any:
    """The expression with sn and cs of a positive or negative curvature as sin, cos, sinh, cosh."""

    def trigonometric(k: Any, t: Any) -> tuple[Any, Any]:
        k = k.subs(K, curvature)
        root = sp.sqrt(abs(k))
        if k.is_negative:
            return sp.sinh(root * t) / root, sp.cosh(root * t)
        return sp.sin(root * t) / root, sp.cos(root * t)

    return expression.replace(Sn, lambda k, t: trigonometric(k, t)[0]).replace(
        Cs, lambda k, t: trigonometric(k, t)[1]
    )


# -- when is an expression zero? -------------------------------------------------------------------


def vanishes(expression: Any) -> bool:
    """Whether the expression is identically zero, by exact algebra.

    Angles are reduced by the addition theorems to a few independent ones, each of which is
    parametrised rationally by the tangent of its half: sn = 2 p/(1 + K p^2),
    cs = (1 - K p^2)/(1 + K p^2). What is left is a rational function over the rationals, and its
    normal form is 0 or it is not. (A root or a logarithm is a variable of its own there: an
    identity that needs to know more of it is missed, but none is accepted that does not hold.)
    """
    reduced = algebraic(sp.sympify(expression))
    variables = _variables(reduced)
    # A value that is not zero settles it; the normal form of what is wrong may be out of reach.
    some = {v: sp.QQ(sp.prime(i + 2), sp.prime(i + 3)) for i, v in enumerate(variables)}
    with suppress(ZeroDivisionError):
        if _evaluated(reduced, some, sp.QQ) != 0:
            return False
    # Walked term by term: the field cancels as it goes, where expanding the whole would not end.
    field = FracField([*variables, sp.Dummy()], sp.QQ)  # which needs one generator at least
    known = dict(zip(variables, field.gens, strict=False))
    return bool(_evaluated(reduced, known, field) == 0)


def _variables(expression: Any) -> list[Any]:
    """Whatever in the expression is not arithmetic."""
    found: set[Any] = set()
    pending = [expression]
    while pending:
        e = pending.pop()
        if e.is_Add or e.is_Mul:
            pending.extend(e.args)
        elif e.is_Pow and e.exp.is_Integer:
            pending.append(e.base)
        elif not e.is_Rational:
            found.add(e)
    return sorted(found, key=sp.default_sort_key)


def _evaluated(expression: Any, known: dict[Any, Any], field: Any) -> Any:
    """The expression in a field, for given values of its variables."""
    known = dict(known)

    def value(e: Any) -> Any:
        if e not in known:
            if e.is_Rational:
                known[e] = field(sp.QQ(e.p, e.q))
            elif e.is_Add:
                known[e] = sum(map(value, e.args), field.zero)
            elif e.is_Mul:
                known[e] = prod(map(value, e.args), start=field.one)
            else:
                power = value(e.base) ** abs(int(e.exp))
                known[e] = power if e.exp.is_positive else field.one / power
        return known[e]

    return value(expression)


def algebraic(expression: Any) -> Any:
    """The expression with every sn and cs as a rational function of half-angle tangents."""
    units: dict[tuple[Any, Any], int] = {}
    angles = expression.atoms(Sn, Cs)
    for f in angles:
        for term in sp.Add.make_args(sp.expand(f.args[1])):
            multiple, base = term.as_coeff_Mul()
            key = (f.args[0], base)
            units[key] = lcm(units.get(key, 1), int(multiple.q))
    tangents = {key: sp.Dummy(f"p{i}") for i, key in enumerate(units)}

    def pair(f: Any) -> tuple[Any, Any]:
        k = f.args[0]
        total = (sp.S.Zero, sp.S.One)
        for term in sp.Add.make_args(sp.expand(f.args[1])):
            multiple, base = term.as_coeff_Mul()
            p = tangents[k, base]
            one = (2 * p / (1 + k * p**2), (1 - k * p**2) / (1 + k * p**2))
            times = int(multiple * units[k, base])
            for _ in range(abs(times)):
                total = _added(k, total, one if times > 0 else (-one[0], one[1]))
        return total

    return expression.xreplace({f: pair(f)[0 if isinstance(f, Sn) else 1] for f in angles})


def _added(k: Any, a: tuple[Any, Any], b: tuple[Any, Any]) -> tuple[Any, Any]:
    return a[0] * b[1] + a[1] * b[0], a[1] * b[1] - k * a[0] * b[0]


def equation(left: Any, right: Any) -> Any:
    """left = right, to print as it stands; left may be a name in LaTeX."""
    if isinstance(left, str):
        left = sp.Symbol(f"{{{left}}}")  # braces: sympy shall read no indices into the name
    return sp.Eq(left, right, evaluate=False)


# -- vectors ---------------------------------------------------------------------------------------


class Inner(sp.Function):  # type: ignore[misc]
    """The inner product of two named vectors: for printing, where a vector is a symbol."""

    nargs = 2

    def _latex(self, printer: Any, exp: str | None = None) -> str:
        x, y = (printer.doprint(v) for v in self.args)
        power = "" if exp is None else f"^{{{exp}}}"
        if x == y:
            square = rf"\left|{x}\right|^{{2}}"
            return square if exp is None else rf"\left({square}\right){power}"
        return rf"\left\langle {x}, {y}\right\rangle{power}"


def gram(matrix: Any) -> tuple[list[Any], Callable[[Any, Any], Any]]:
    """Vectors e_1, ... known by their inner products only, and the product of combinations of them.

    What is proven of such vectors is proven in every dimension.
    """
    product = sp.Matrix(matrix)
    size = product.shape[0]

    def dot(x: Any, y: Any) -> Any:
        return (x.T * product * y)[0]

    return [sp.eye(size)[:, i] for i in range(size)], dot


def euclidean_dot(x: Any, y: Any) -> Any:
    """Sum of products of coordinates; of symbols, for printing, their named product."""
    if not isinstance(x, sp.MatrixBase):
        return Inner(x, y)
    return (x.T * y)[0]
