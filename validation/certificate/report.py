"""The certificate as text for a terminal and as a page of the documentation."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

from ..exact.chart_models import MODELS
from ..exact.maps import BY_QUADRIC
from ..exact.operations import HYPERBOLIC_CHARTS, SPHERICAL_CHARTS
from .backends import CPU
from .certificate import FULL, OPERATIONS, WEAKER, Row
from .regimes import REGIMES
from .score import DEFINITIONS, DTYPES

_QUANTITIES = ("value", "gradient", "curvature")


def as_text(rows: Sequence[Row]) -> str:
    """A line a map, manifold and dtype: worst and 99th percentile of values and gradients."""
    heads = ("library", "manifold", "map", "dtype", "values", "99 %", "gradients", "99 %", "by K",
             "judged", "not finite")  # fmt: skip
    widths = (11, 19, 33, 9, 9, 9, 10, 9, 9, 14, 12)
    lines = ["".join(f"{h:<{w}}" if k < 4 else f"{h:>{w}}" for k, (h, w) in
                     enumerate(zip(heads, widths, strict=True)))]  # fmt: skip
    for (library, manifold, name, dtype), cell in _cells(rows).items():
        value, gradient, k = (cell.get(q) for q in _QUANTITIES)
        numbers = [
            _number(row, field)
            for row, field in (
                (value, "worst"), (value, "percentile"), (gradient, "worst"),
                (gradient, "percentile"), (k, "worst"),
            )
        ]  # fmt: skip
        some = list(cell.values())
        problems = f"{sum(row.judged for row in some)}/{sum(row.problems for row in some)}"
        not_finite = sum(row.not_finite for row in some)
        mark = "" if all(row.kept for row in some) else "  promise broken"
        if "point" in cell and cell["point"].worst > 0:
            mark += ", results that are no points"
        words = "".join(f"{t:<{w}}" for t, w in
                        zip((library, manifold, name, dtype), widths, strict=False))  # fmt: skip
        tail = "".join(f"{t:>{w}}" for t, w in
                       zip((*numbers, problems, not_finite), widths[4:], strict=False))  # fmt: skip
        lines.append(words + tail + mark)
    own = [row for row in rows if row.library == "spaceforms"]
    return "\n".join([*lines, *([_totals(own)] if own else [])])


def _totals(rows: Sequence[Row]) -> str:
    """What was judged and what was not, and of the latter why."""
    drawn, judged = sum(row.problems for row in rows), sum(row.judged for row in rows)
    why: Counter[str] = Counter()
    for row in rows:
        why.update(row.why_not)
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in why.most_common())
    empty = sorted({f"{r.manifold}.{r.map} ({r.dtype}, {r.quantity})" for r in rows
                    if not r.judged})  # fmt: skip
    hard, climbed = sum(row.hard for row in rows), sum(row.climbed for row in rows)
    text = f"Judged: {judged:,} of {drawn:,} results"
    text += f"; not judged: {reasons}." if reasons else "."
    text += f" Of hard cases: {hard:,} results; {climbed:,} steps of climbing."
    if empty:
        shown = ", ".join(empty[:12]) + (f" and {len(empty) - 12} more" if len(empty) > 12 else "")
        text += f" Nothing judged in: {shown}."
    return text


def as_page(result: dict[str, Any]) -> str:
    """The page ``docs/accuracy.md`` of a report that was read from its file."""
    everywhere = [Row(**row) for row in result["rows"]]
    rows = [row for row in everywhere if row.backend == CPU.name]
    made = ", ".join(f"{k} {result[k]}" for k in ("spaceforms", "torch", "python"))
    own = [row for row in rows if row.library == "spaceforms"]
    total, judged = sum(row.problems for row in own), sum(row.judged for row in own)
    plan = result["plan"]
    parts = [
        "# Accuracy",
        f"Written by `spaceforms certify` on {result['date']} ({made}, {result['machine']}): "
        f"{total:,} results of ours, {judged:,} of them judged one by one against mpmath at 100 "
        "digits and more.",
        _EXPLANATION.format(
            values=result["promise"]["values"],
            gradients=result["promise"]["gradients"],
            regimes=", ".join(REGIMES),
            **plan,
        ),
        "## The promise",
        _promise(rows),
        *(
            f"## {manifold}{_BY_QUADRIC * (manifold in BY_QUADRIC)}\n\n{_table(rows, manifold)}"
            for manifold in MODELS
            if any(row.manifold == manifold and row.map not in OPERATIONS for row in rows)
        ),
        *_operations(rows),
        *_elsewhere(everywhere),
        "## Beside geoopt and the textbook",
        "The same inputs in float32, the time part of points on the hyperboloid computed in "
        "float64 and rounded. In brackets the results that are NaN or infinite and should not be, "
        "of as many problems as ours has. *raw* is the worst relative error of a well-conditioned "
        "problem (kappa below 16), results that underflow among them.",
        peers_table(rows),
    ]
    return "\n\n".join(parts) + "\n"


_BY_QUADRIC = ", by way of the quadric: measured, not promised"
_EXPLANATION = """\
The error of a result is counted in units of u (1 + kappa): u is the unit roundoff of the dtype (for
bfloat16 and float16 that of their own), kappa the componentwise condition number of the problem,
the norm of |Df||x| over that of f, x the inputs as they are stored (free coordinates: the space
part on the hyperboloid; and numbers such as a time). One unit is what rounding the inputs alone may
do. Where a corner of the box |dx| <= u|x| says more than the first order, it counts. The promise is
at most {values:g} for values and {gradients:g} for gradients, and no result that is not finite.

It is made of the whole vector, by its norm, and not of each of its coordinates. A point is judged
twice: by the norm of the error of its coordinates, and by its Riemannian distance from the exact
point, in units of how far rounding the inputs moves it and rounding its own coordinates does; a
tangent vector so too, by its Riemannian norm. The worse counts. Every point that comes out must
besides be one, in its dtype (`is_point`, and the equation that defines the manifold), also where it
was pulled back to the edge and is not judged otherwise.

Gradients are those of the product of the output with a random vector, by each input, by times, and
by log abs(K) with the stored coordinates fixed: a problem of its own, in units of
u (|f_K| + |Df_K||x|), f_K the exact derivative. A gradient that is 0 whatever rounding does to the
inputs is measured by those by the other inputs. On the sphere the part of a gradient along the
sphere is judged, a tangent vector moving with its base point; a gradient by K is defined there only
for maps from vectors at the origin.

Drawn: {batches} batches of {count} problems in each of the regimes {regimes}; dimensions 1 to
{largest}, now and then 1000; abs(K) 1 for one half, between 1e-6 and 1e3 for most others, and from
1e-12 to 1e8; radius from 1e-8 to the edge of the dtype; times at, next to and far outside the
ends of a geodesic, least radii of cones from 1e-6 to 1. To these come the hard cases, found by
attacks and by a climbing search, which every run replays.

What is not judged, but must be finite (or infinite where a number is beyond the dtype), and is
counted: results beyond the edge of the dtype, which are pulled back to it; gradients at kinks (a
distance at coincident points, what is within rounding of a cut locus); where rounding the inputs
leaves hardly a digit of the value; what is within three digits of overflow. "none" is a cell of
which nothing was judged."""


def _promise(rows: Sequence[Row]) -> str:
    own = [row for row in rows if row.library == "spaceforms"]
    lines = [
        "| | worst value | worst gradient | worst gradient by K | not finite |",
        "|---|---|---|---|---|",
    ]
    for dtype in DTYPES:
        line = [f"| {dtype} "]
        for quantity in _QUANTITIES:
            some = [
                r
                for r in own
                if r.dtype == dtype and r.quantity == quantity and math.isfinite(r.promised)
            ]
            if some:
                worst = max(some, key=lambda r: r.worst)
                line.append(f"| {worst.worst:.3g} ({worst.manifold}.{worst.map}) ")
            else:
                line.append("| ")
        bad = sum(r.not_finite for r in own if r.dtype == dtype and math.isfinite(r.promised))
        lines.append("".join(line) + f"| {bad} |")
    return (
        "\n".join(lines)
        + "\n\n"
        + _totals(own)
        + _judged_by_dtype(own)
        + (_not_kept(own) + _not_promised(own))
    )


def kept(own: Sequence[Row]) -> str:
    """A sentence: how many cells keep the promise, of those that it is made for."""
    parts = []
    for what, of in (("values", ("value", "point")), ("gradients", ("gradient",)),
                     ("gradients by K", ("curvature",))):  # fmt: skip
        some = [r for r in own if r.quantity in of and r.judged and r.promised < math.inf]
        parts.append(f"of {what} in {sum(r.kept for r in some):,} of {len(some):,} cells")
    return f"The promise is kept {', '.join(parts)} (a cell is one map of one space in one dtype)."


def _not_kept(own: Sequence[Row]) -> str:
    """The table of what breaks the promise."""
    cells = dict.fromkeys((r.manifold, r.map, r.quantity) for r in own if not r.kept)
    lines = [
        "| breaks the promise | worst, " + " | ".join(DTYPES) + " |",
        "|---" * (len(DTYPES) + 1) + "|",
        *(f"| {_by_dtype(own, *cell)} |" for cell in cells),
    ]
    return "\n\n" + kept(own) + ("\n\n" + "\n".join(lines) if cells else "")


def _judged_by_dtype(own: Sequence[Row]) -> str:
    lines = [
        "| | judged | not judged | results that are no points | hard cases |",
        "|---" * 5 + "|",
    ]
    for dtype in DTYPES:
        some = [row for row in own if row.dtype == dtype]
        if some:
            drawn, judged = sum(r.problems for r in some), sum(r.judged for r in some)
            points = sum(r.quantity == "point" and r.worst > 0 for r in some)
            lines.append(f"| {dtype} | {judged:,} | {drawn - judged:,} | in {points} cells | "
                         f"{sum(r.hard for r in some):,} |")  # fmt: skip
    return "\n\n" + "\n".join(lines)


def _not_promised(own: Sequence[Row]) -> str:
    """The table of what is measured and not promised, with the worst found and the reason."""
    lines = [
        "| not promised | worst, " + " | ".join(DTYPES) + " | why |",
        "|---" * (len(DTYPES) + 2) + "|",
    ]
    measured = {(r.manifold, r.map, r.quantity) for r in own}
    lines += [f"| {_by_dtype(own, *cell)} | {why} |" for cell, why in WEAKER.items()
              if cell in measured]  # fmt: skip
    return "\n\n" + "\n".join(lines) if len(lines) > 2 else ""


def _by_dtype(own: Sequence[Row], manifold: str, name: str, quantity: str) -> str:
    """The name of a cell and its worst in each dtype."""
    found = {
        r.dtype: r.worst
        for r in own
        if (r.manifold, r.map, r.quantity) == (manifold, name, quantity)
    }
    of = "" if quantity == "value" else f", {quantity}"
    numbers = [f"{found[dtype]:.2g}" if dtype in found else "" for dtype in DTYPES]
    return " | ".join([f"`{manifold}.{name}`{of}", *numbers])


def _table(rows: Sequence[Row], manifold: str) -> str:
    dtypes = [d for d in DTYPES if any(r.dtype == d for r in rows)]
    lines = ["| map | " + " | ".join(dtypes) + " |", "|---" * (len(dtypes) + 1) + "|"]
    for name in DEFINITIONS:
        if name in OPERATIONS or not any((r.manifold, r.map) == (manifold, name) for r in rows):
            continue
        cells = []
        for dtype in dtypes:
            found = {
                r.quantity: r
                for r in rows
                if (r.library, r.manifold, r.map, r.dtype) == ("spaceforms", manifold, name, dtype)
            }
            cells.append(" / ".join(_number(found.get(q), "worst") for q in _QUANTITIES))
        lines.append(f"| `{name}` | " + " | ".join(cells) + " |")
    return "Worst value / gradient / gradient by log abs(K):\n\n" + "\n".join(lines)


_ELSEWHERE = """\
The same problems, judged as above, where the maps run otherwise than eagerly on the processor: as
`torch.compile` makes them, each method one graph, or on another device. Worst value / gradient /
gradient by log abs(K), and on the right of the bar the same on the processor, eagerly, of as many
problems as were drawn for the table above. {untried}"""


def _elsewhere(rows: Sequence[Row]) -> list[str]:
    """A table a backend; what the backends are that nobody has run."""
    backends = list(dict.fromkeys(r.backend for r in rows if r.backend != CPU.name))
    if not backends:
        return []
    accelerated = any(not b.startswith("cpu") for b in backends)
    untried = "" if accelerated else "No accelerator was at hand: of those nothing is known here."
    parts = ["## Compiled, and elsewhere", _ELSEWHERE.format(untried=untried).strip()]
    eager = {
        (r.manifold, r.map, r.dtype, r.quantity): r
        for r in rows
        if r.backend == CPU.name and r.library == "spaceforms"
    }
    for backend in backends:
        own = [r for r in rows if r.backend == backend]
        dtypes = [d for d in DTYPES if any(r.dtype == d for r in own)]
        lines = ["| map | " + " | ".join(dtypes) + " |", "|---" * (len(dtypes) + 1) + "|"]
        there = {(r.manifold, r.map, r.dtype, r.quantity): r for r in own}
        for manifold, name in dict.fromkeys((r.manifold, r.map) for r in own):
            cells = [
                " &#124; ".join(
                    " / ".join(
                        _number(some.get((manifold, name, dtype, q)), "worst") for q in _QUANTITIES
                    )
                    for some in (there, eager)
                )
                for dtype in dtypes
            ]
            lines.append(f"| `{manifold}.{name}` | " + " | ".join(cells) + " |")
        parts += [f"### {backend}", kept(own), "\n".join(lines)]
    return parts


_CHARTS = """\
Worst value of `convert` / `convert_vector` in float64, then in float32, from the model of a line to
that of a column. A result is judged where the target can hold the point; on Gnomonic (`Klein` of a
sphere) that is the half of the sphere about the origin. Azimuthal is `NormalCoordinates` of a
sphere."""
_OTHERS = """\
Worst values, and gradients by points and by log abs(K) where they are judged. In half of the
regimes that differ for an operation, {batches} batches each. What is not promised is marked with a
star; the reason is above. The product has a hyperboloid, a sphere, a ball and a line as factors."""


def _operations(rows: Sequence[Row]) -> list[str]:
    """Sections on what is no map of a manifold; none if nothing of that was run."""
    own = {
        (r.manifold, r.map, r.dtype, r.quantity): r
        for r in rows
        if r.library == "spaceforms" and r.map in OPERATIONS
    }
    parts = []
    if any(name.startswith("convert") for _, name, _, _ in own):
        parts += ["## Charts", _CHARTS]
        for charts in (list(HYPERBOLIC_CHARTS), list(SPHERICAL_CHARTS)):
            lines = ["| from | " + " | ".join(charts) + " |", "|---" * (len(charts) + 1) + "|"]
            for source in charts:
                pairs = [_pair(own, source, target) for target in charts]
                lines.append(f"| {source} | " + " | ".join(pairs) + " |")
            parts.append("\n".join(lines))
    cells = list(dict.fromkeys((m, n) for m, n, _, _ in own if not n.startswith("convert")))
    cells.sort(key=lambda cell: (OPERATIONS.index(cell[1]), list(MODELS).index(cell[0])))
    if cells:
        lines = [
            "| operation | of | " + " | ".join(DTYPES) + " |",
            "|---" * (len(DTYPES) + 2) + "|",
        ]
        for manifold, name in cells:
            star = "*" * any((manifold, name, q) in WEAKER for q in _QUANTITIES)
            numbers = [
                " / ".join(
                    _number(own[manifold, name, dtype, q], "worst")
                    for q in _QUANTITIES
                    if (manifold, name, dtype, q) in own
                )
                for dtype in DTYPES
            ]
            lines.append(f"| `{name}`{star and chr(92) + star} | {manifold} | "
                         + " | ".join(numbers) + " |")  # fmt: skip
        text = _OTHERS.format(batches=FULL.operation_batches)
        parts += ["## Operations", text, "\n".join(lines)]
    return parts


def _pair(own: dict[tuple[str, str, str, str], Row], source: str, target: str) -> str:
    """One cell of the table of charts."""
    shown = [
        " / ".join(
            _number(own.get((source, f"{kind}:{target}", dtype, "value")), "worst")
            for kind in ("convert", "convert_vector")
        )
        for dtype in ("float64", "float32")
    ]
    return "" if source == target else ", ".join(shown)


def peers_table(rows: Sequence[Row], dtype: str = "float32") -> str:
    """Worst units and raw errors of values: ours, geoopt's and the textbook's."""
    libraries = [
        lib for lib in ("spaceforms", "geoopt", "textbook") if any(r.library == lib for r in rows)
    ]
    lines = [
        "| | " + " | ".join(f"{lib} | raw" for lib in libraries) + " |",
        "|---" * (2 * len(libraries) + 1) + "|",
    ]
    for (manifold, name), found in _by_map(rows, dtype).items():
        if len(found) < 2 or manifold == "Euclidean":
            continue
        cells = []
        for library in libraries:
            row = found.get(library)
            if row is None:
                cells += ["", ""]
                continue
            bad = f" ({row.not_finite})" if row.not_finite else ""
            cells += [f"{row.worst:.2g}{bad}", f"{row.raw:.1g}"]
        lines.append(f"| {manifold}.{name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _by_map(rows: Sequence[Row], dtype: str) -> dict[tuple[str, str], dict[str, Row]]:
    found: dict[tuple[str, str], dict[str, Row]] = {}
    for row in rows:
        if row.dtype == dtype and row.quantity == "value":
            found.setdefault((row.manifold, row.map), {})[row.library] = row
    return found


def _cells(rows: Sequence[Row]) -> dict[tuple[str, str, str, str], dict[str, Row]]:
    cells: dict[tuple[str, str, str, str], dict[str, Row]] = {}
    for row in rows:
        key = (row.library, row.manifold, row.map, row.dtype)
        cells.setdefault(key, {})[row.quantity] = row
    return cells


def _number(row: Row | None, field: str) -> str:
    if row is None:
        return ""
    return f"{getattr(row, field):.2g}" if row.judged else "none"
