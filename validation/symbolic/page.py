r"""The geometry of the library, derived by sympy from the metrics and proven by exact algebra.

Each :class:`Derivation` states a closed form that the library uses and leaves expressions that
must vanish if it does what defines it: the geodesic equation for an exponential map, D/dt = 0 for
a transport, the eikonal equation for a distance. They vanish symbolically, for symbolic curvature,
not up to a tolerance.

>>> from spaceforms.validation.symbolic.page import derivations
>>> names = [d.name for d in derivations()]
>>> derivation = derivations()[names.index("quadric/expmap")]
>>> derivation.proof().failures()
[]
>>> derivation.prove(lambda x, v, length: x + v).failures()[0]
'geodesic equation, D/dt of the velocity'

``python -m spaceforms.validation.symbolic.page`` proves them all; with a path it also writes
the page of the documentation that prints them.
"""

import re
import sys
from collections.abc import Iterator
from functools import cache
from itertools import chain
from pathlib import Path
from time import perf_counter
from typing import Any

from sympy.printing.latex import LatexPrinter

from . import (
    ball,
    ball_exp_gradients,
    charts,
    cones,
    flat,
    frame_transport,
    functions,
    isometries,
    kernels,
    quadric,
    radial,
    series,
    sphere_exp_gradients,
    sphere_forms,
    sphere_transport,
    transport_pullback,
    volume,
)
from .algebra import Derivation as Derivation, Proof as Proof
from .metric import Metric as Metric


@cache
def derivations() -> tuple[Derivation, ...]:
    """All derivations, in the order in which they build on each other. Nothing is computed yet."""
    modules = (
        functions,
        series,
        charts,
        isometries,
        flat,
        quadric,
        sphere_exp_gradients,
        sphere_transport,
        sphere_forms,
        ball,
        ball_exp_gradients,
        volume,
        cones,
        kernels,
        radial,
        transport_pullback,
        frame_transport,
    )
    return tuple(chain.from_iterable(module.derivations() for module in modules))


# -- the page --------------------------------------------------------------------------------------

_HEADINGS = {
    "functions": "Functions",
    "charts": "Charts",
    "isometries": "One space in many charts",
    "flat": "Euclidean",
    "quadric": "Sphere and Lorentz",
    "ball": "PoincareBall",
    "volume": "Volume and Hessian",
    "cones": "Cones",
    "kernels": "The hyperboloid's kernels",
    "radial": "Maps along rays",
}

_OPENING = r"""# Derivations

<!-- Written by spaceforms.validation.symbolic.page; do not edit. -->

Every formula on this page is printed from the sympy object that was proven, by the program that
proved it. A proof starts from the metric: Christoffel symbols and the curvature tensor are computed
from it, and a closed form is put into what defines it. What must vanish is listed; sympy found each
line to be exactly zero, for symbolic $K$, when this page was written. The same derivations are
tests, and wrong formulas are tests that they fail.

$\mathrm{sn}_K$ and $\mathrm{cs}_K$ are the sine and cosine of curvature $K$, $s$ the step $y - x$,
$d$ the distance. On the sphere and the hyperboloid, points have one more coordinate
$\xi = \sqrt{|K|}\,x_t$ and $\langle x, y\rangle = \xi_x\xi_y/K + x_s\cdot y_s$, so that
$\langle x, x\rangle = 1/K$ on both; elsewhere $\langle x, y\rangle$ is the sum of products of
coordinates.

**Why dimension 2 or 3 is enough.** The charts are invariant under reflections of their coordinates,
and what a set of isometries fixes is totally geodesic: the same chart with fewer coordinates. So a
claim about a point and k vectors holds in every dimension if it holds in the span of them. Where
vectors enter by their inner products only, no dimension was chosen at all.
"""


def page() -> str:
    """The documentation page: all derivations in Markdown and LaTeX."""
    return "\n".join([_OPENING, *_sections()])


def write_page(path: str | Path) -> None:
    """Prove everything and write the page; the file is left alone if nothing changed."""
    path, text = Path(path), page()
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def _sections() -> Iterator[str]:
    heading = None
    for derivation in derivations():
        section, _, subject = derivation.name.partition("/")
        if section != heading:
            heading = section
            yield f"## {_HEADINGS[section]}\n"
        proof = derivation.proof()
        failures = proof.failures()
        if failures:
            raise ArithmeticError(
                f"symbolic: {derivation.name} is not proven, {failures} do not vanish; "
                "expected exact zeros."
            )
        yield f"### {_plain(subject)}\n"
        yield f"{derivation.claim}\n"
        if proof.shown:
            printer = _Printer()
            lines = [f"{printer.doprint(e.lhs)} &= {printer.doprint(e.rhs)}" for e in proof.shown]
            joined = " \\\\\n".join(lines)
            yield f"$$\n\\begin{{aligned}}\n{joined}\n\\end{{aligned}}\n$$\n"
        yield f"*Dimension:* {_plain(derivation.dimension)}. *Zero, exactly:*\n"
        yield "".join(f"- {_plain(name)}\n" for name in proof.residuals)


class _Printer(LatexPrinter):  # type: ignore[misc]  # sympy has no types
    """LaTeX with y - x in place of -x + y."""

    def _as_ordered_terms(self, expr: Any, order: Any = None) -> list[Any]:
        terms = super()._as_ordered_terms(expr, order=order)
        return sorted(terms, key=lambda term: bool(term.could_extract_minus_sign()))


def _plain(text: str) -> str:
    """Text in which no character is Markdown's."""
    return re.sub(r"([\\`*_<>\[\]|])", r"\\\1", text)


def main(arguments: list[str]) -> int:
    """Prove all, say how long each took; then write the page if a path is given."""
    wrong = 0
    for derivation in derivations():
        start = perf_counter()
        failures = derivation.proof().failures()
        wrong += bool(failures)
        verdict = f"not zero: {'; '.join(failures)}" if failures else "proven"
        print(f"{perf_counter() - start:6.2f} s  {derivation.name}: {verdict}")
    if arguments and not wrong:
        write_page(arguments[0])
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
