"""One batch of problems: evaluated in torch, judged against the reference.

The error of a result is counted in units of what the problem allows: u (|f| + |Df||x|), u the unit
roundoff of the dtype. That is u (1 + kappa) relative to |f|, and makes sense where f is 0. A result
that the dtype cannot hold (beyond the documented edge, or its overflow) must be finite and no more.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from mpmath import mp
from torch import Tensor

from ..exact.chart_models import MODELS
from ..exact.conditioning import Answer, Argument, Array, Problem, long_of, norm_of
from ..exact.corners import Corners
from ..exact.edge import inside_of, too_long, within_reach
from ..exact.maps import (
    LEAST,
    POINT,
    SCALAR,
    TANGENT,
    TIME,
    Definition,
    definitions as all_definitions,
)
from ..exact.models import Model
from ..exact.operations import operations
from ..exact.tangential import along_factors, along_sphere, argument_names, moved_with
from ..exact.yardstick import by_length, unit_arguments
from .backends import CPU, Backend
from .cases import Case, draw, turns
from .evaluate import evaluate, has_time, make

DEFINITIONS = {**all_definitions(), **operations()}
"""Every map and operation by name."""
DTYPES = {str(d).removeprefix("torch."): d for d in (
    torch.float64, torch.float32, torch.bfloat16, torch.float16,
)}  # fmt: skip
_PI = np.longdouble("3.14159265358979323846264338327950288")
EDGE, KINK, NO_DIGITS, OVERFLOW, UNDEFINED = (
    "beyond the edge", "kink", "no digits", "overflow", "undefined",
)  # fmt: skip
"""Why a result is not judged: the dtype cannot hold it; there is no derivative; rounding the inputs
leaves hardly a digit; a number on the way is too large for the dtype; there is no one right answer,
as for the mean of points of a sphere that balance, or by K where what a point is depends on K."""
_NOTHING = 1e-35  # of the size of the others, a gradient is 0: what difference quotients leave


@dataclass
class Sample:
    """One quantity of one problem."""

    quantity: str
    """value, point (whether the value is one), or the gradient by x, y, u, v, t, ... or K"""
    units: float
    """Error over u (|f| + |Df||x|); infinite if not finite where it should be."""
    raw: float
    """Error over |f|."""
    condition: float
    finite: bool
    why_not: str = ""
    """Why it is not judged; empty if it is."""
    case: Case | None = None

    @property
    def inside(self) -> bool:
        """Whether ``units`` means something."""
        return not self.why_not


def run_batch(
    manifold: str, name: str, dtype: str, regime: str, *, count: int, gradients: bool, seed: int,
    largest: int = 512, library: str = "spaceforms", backend: Backend = CPU,
) -> list[Sample] | None:  # fmt: skip
    """Draw ``count`` problems of one regime and judge the results.

    Args:
        manifold, name, dtype, regime: keys of MODELS, DEFINITIONS, DTYPES and REGIMES.
        count: how many; all of one curvature and dimension.
        gradients: whether to judge gradients too.
        seed: what distinguishes batches.
        largest: the largest dimension.
        library: spaceforms, geoopt or textbook, on the same inputs.
        backend: where and how it runs.

    Returns:
        One sample a problem and quantity; None if the library does not have the map.
    """
    cases = draw(
        manifold, name, DEFINITIONS[name], dtype, regime, count=count, seed=seed, largest=largest
    )
    if library != "spaceforms" and not hasattr(make(library, manifold, cases[0].k), name):
        return None
    return judge_cases(cases, gradients=gradients, library=library, backend=backend)


def judge_cases(
    cases: list[Case], *, gradients: bool = True, library: str = "spaceforms",
    backend: Backend = CPU,
) -> list[Sample]:  # fmt: skip
    """Evaluate cases, all of one map, curvature and dimension, and judge the results."""
    one = cases[0]
    model, definition, dtype = one.model, DEFINITIONS[one.map], DTYPES[one.dtype]
    k, radius = one.k, 1.0 if one.k == 0 else 1 / math.sqrt(abs(one.k))
    space = make(library, one.manifold, k)
    inputs = [torch.cat(some) for some in zip(*(case.tensors() for case in cases), strict=True)]
    weights = [w for w in (case.cotangents() for case in cases) if w is not None]
    cotangent = torch.cat(weights) if weights else None
    whole, results, derivatives = evaluate(
        model, one.map, definition, inputs, cotangent, k, gradients and definition.gradients, space,
        backend,
    )  # fmt: skip
    target = MODELS[definition.target] if definition.target else model
    samples = []
    for row, case in enumerate(cases):
        arguments = [
            _argument(model, kind, x[row])
            for kind, x in zip(definition.inputs, inputs, strict=True)
        ]
        try:
            made = _judge(
                model, one.map, definition, arguments,
                None if cotangent is None else _argument(target, definition.output, cotangent[row]),
                results[row], [d[row] for d in derivatives], k, radius, dtype,
            )  # fmt: skip
        except ZeroDivisionError:  # where the definition says nothing, as at infinity
            ok = not bool(results[row].isnan().any())
            made = [Sample("value", 0.0, 0.0, math.inf, ok, UNDEFINED)]
        if definition.output == POINT and library == "spaceforms":
            made.append(_is_point(target, space, definition, whole[row], k, made[0]))
        samples += [replace(sample, case=case) for sample in made]
    return samples


def _is_point(
    target: Model, space: Any, definition: Definition, result: Tensor, k: float, value: Sample
) -> Sample:
    """Whether a result is a point: for the library, and by the equation that defines one."""
    if definition.target:
        space = make("spaceforms", definition.target, k)
    ok = bool(result.isfinite().all())
    if hasattr(space, "is_point"):
        ok = ok and bool(space.is_point(result))
    x = result.double().numpy().astype(np.longdouble)
    u = np.longdouble(torch.finfo(result.dtype).eps) / 2
    if target.chart == "hyperboloid":
        time = np.sqrt(1 / abs(np.longdouble(k)) + (x[1:] * x[1:]).sum())
        ok = ok and bool(abs(x[0] - time) <= 16 * u * math.sqrt(len(x)) * time)
    if target.chart == "ball" and target.sign < 0:
        ok = ok and bool(norm_of(x) * np.sqrt(abs(np.longdouble(k))) < 1)
    return Sample("point", 0.0 if ok else math.inf, 0.0, 0.0, True)


# -- judging -------------------------------------------------------------------------------------


def _argument(model: Model, kind: str, value: Tensor) -> Argument:
    numbers = value.double().numpy()
    if kind in (TIME, LEAST):
        return Argument(float(numbers[0]), numbers[1:])
    if has_time(model, kind):
        return Argument(float(numbers[0]), numbers[1:])
    return Argument(None, numbers)


def _exact(model: Model, definition: Definition, n: int, radius: float) -> Any:
    """The reference on reduced arguments as a function of curvature."""
    space = model.space()
    options: dict[str, Any] = {"dimension": n} if "dimension" in definition.takes else {}
    # The least radius of a cone is a length on the one manifold that has no unit of length.
    lengths = model.name == "Stereographic" and "least" in definition.takes

    def function(z: list[list[Any]], k: Any) -> list[Any]:
        r = 1 / space.field.sqrt(abs(k)) if k else space.field.mpf(1)
        values = [
            [c / r for c in v] if scaled else v
            for v, scaled in zip(z, definition.scaled, strict=True)
        ]
        if lengths:
            options["unit"] = radius / r
        elif "unit" in definition.takes:
            options["unit"] = r
        out = definition.function(space, *values, **options)
        factor = r**definition.scale
        return [factor * out] if definition.output == SCALAR else [factor * c for c in out]

    return function


def _judge(
    model: Model, name: str, definition: Definition, arguments: list[Argument],
    cotangent: Argument | None, result: Tensor, derivatives: list[Tensor], k: float,
    radius: float, dtype: torch.dtype,
) -> list[Sample]:  # fmt: skip
    finite = bool(result.isfinite().all())
    if definition.end is not None:  # a vector may overflow where its point is pulled back
        finite = not bool(result.isnan().any())
    names = [*argument_names(definition), "K"]
    if too_long(definition, arguments, radius, model):
        finite_all = [finite, *(not bool(d.isnan().any()) for d in derivatives)]
        return [
            Sample(q, 0.0, 0.0, math.inf, ok, EDGE)
            for q, ok in zip(["value", *names], finite_all, strict=False)
        ]
    n = len(arguments[0].space)
    target = MODELS[definition.target] if definition.target else model

    def problem_at(corner: list[Array] | None) -> Problem:
        return Problem(
            _exact(model, definition, n, radius), arguments, cotangent=cotangent,
            output_time=has_time(target, definition.output), curvature=k,
            scalar=definition.output == SCALAR, turns=turns(model, definition), corner=corner,
        )  # fmt: skip

    problem = problem_at(None)
    answer = problem.value()
    if definition.end is None:
        inside = inside_of(model, definition, answer, radius, dtype)
    else:
        inside = within_reach(model, definition, problem, radius, dtype)
    # A point at the end of a long vector moves by a factor of e^(what rounding does to the
    # length): beyond the first digit, what a first-order condition number says is void.
    known = (definition.output != POINT and definition.end is None) or bool(
        norm_of(answer.spread) * torch.finfo(dtype).eps <= 2 * norm_of(answer.value)
    )
    why_not = "" if inside and known else EDGE if not inside else NO_DIGITS
    value = _sample("value", answer, result, dtype, why_not, n)
    if definition.absolute is not None and value.inside and value.finite:
        value = replace(value, units=_with_absolute(model, definition, problem, answer, result,
                                                    radius, dtype))  # fmt: skip
        return [value]
    if definition.end is not None and not inside:
        # At the edge to which its point is put a result may overflow, and a vector have no end.
        vector = bool(definition.target) and definition.output == TANGENT
        value = replace(value, finite=vector or not bool(result.isnan().any()))
    corners = Corners(problem_at, arguments, cotangent, dtype)
    if value.inside and value.finite:
        length_ = by_length(target, model, definition, problem, answer, result, radius, dtype, n)
        value = replace(value, units=max(value.units, length_))
        if value.units > 4:
            wider = replace(answer, spread=corners.spread(-1, answer))
            again = _sample("value", wider, result, dtype, why_not, n)
            length_ = by_length(
                target, model, definition, problem, wider, result, radius, dtype, n,
                corners.points(),
            )  # fmt: skip
            value = replace(value, units=max(again.units, length_))
    samples = [value]
    # Where the rounding of the inputs leaves hardly a digit of the value, a gradient such as
    # v/|v| may turn round within it, and what a first-order condition number says is void.
    info, size = torch.finfo(dtype), norm_of(answer.value)
    if name in ("exterior_angle", "cones.angle"):  # which has its kink at pi as well
        size = min(size, abs(_PI - answer.value[0]))
    known = norm_of(answer.spread) * info.eps <= size / 16
    known = bool(known and (size == 0 or size > info.tiny / info.eps))
    why_not = "" if inside and known else EDGE if not inside else NO_DIGITS
    # Nor is it judged within three digits of overflow, where a product on the way is beyond it.
    overflows = definition.output != POINT and size + norm_of(answer.spread) > 1e-3 * info.max
    if derivatives and overflows:
        samples += [
            Sample(q, 0.0, 0.0, math.inf, True, OVERFLOW)
            for q, _, kind in zip(names, derivatives, [*definition.inputs, "K"], strict=False)
            if kind != LEAST
        ]
    elif derivatives:
        exacts = problem.gradients()
        for i, (q, exact, found, kind) in enumerate(zip(
            names, exacts, derivatives, [*definition.inputs, "K"], strict=False
        )):  # fmt: skip
            computed, unit = found, exact
            if kind == LEAST:
                continue
            if model.name == "Product" and kind in (POINT, TANGENT):
                computed = along_factors(definition, arguments, derivatives, i, found)
            if model.chart == "sphere":
                if kind == "K" and POINT in definition.inputs:
                    samples.append(Sample(q, 0.0, 0.0, math.inf, True, UNDEFINED))
                    continue
                computed = along_sphere(definition, arguments, derivatives, q, kind)
            if i == 0:
                moving = moved_with(model, definition, arguments, exacts, radius)
                unit = replace(unit, spread=unit.spread + moving)
            others = _of_the_others(problem, exacts, None if kind == "K" else i, radius)
            if norm_of(unit.value) + norm_of(unit.spread) <= _NOTHING * others:
                unit = replace(unit, spread=unit.spread + others)
            small = torch.float32 if q == "K" and dtype != torch.float64 else dtype
            # A curvature of either sign is learned as it is, not by its logarithm.
            stored = abs(k) if q == "K" and model.name == "Stereographic" else 1.0
            sample = _sample(q, unit, computed, small, why_not, n, stored)
            if sample.inside and sample.finite and sample.units > 16:
                wider = replace(unit, spread=corners.spread(i, unit))
                sample = _sample(q, wider, computed, small, why_not, n, stored)
                if sample.units > 16 and corners.torn(answer):  # by a cut locus: it is a kink's
                    sample = _sample(q, wider, computed, small, KINK, n, stored)
            samples.append(sample)
    return samples


def _with_absolute(
    model: Model, definition: Definition, problem: Problem, answer: Answer, result: Tensor,
    radius: float, dtype: torch.dtype,
) -> float:  # fmt: skip
    """Where an absolute error is promised beside the one by condition."""
    assert definition.absolute is not None
    with mp.workdps(problem.digits):
        r = mp.mpf(radius)
        extra = definition.absolute(model.space(), *unit_arguments(definition, problem, r))
        extra = long_of(r**definition.scale * extra)
    u = torch.finfo(dtype).eps / 2
    allowed = u * (norm_of(answer.value) + norm_of(answer.spread)) + extra
    error = norm_of(np.atleast_1d(result.double().numpy()) - answer.value)
    return float(error / allowed) if allowed > 0 else 0.0


def _of_the_others(problem: Problem, exacts: list[Answer], place: int | None, radius: float) -> Any:
    """What a gradient that is 0, whatever rounding does to the inputs, is measured by.

    The largest of what the other arguments' gradients make of these, over the size of its own.
    """
    sizes = []
    for argument in problem.arguments:
        time = [] if argument.time is None else [argument.time]
        sizes.append(float(norm_of(np.array([*time, *argument.space]))))
    whole = max(norm_of(g.value) * size for g, size in zip(exacts, sizes, strict=False))
    return whole / (1.0 if place is None else max(sizes[place], radius))


def _sample(
    quantity: str, answer: Answer, computed: Tensor, dtype: torch.dtype, why_not: str,
    coordinates: int, unit: float = 1.0,
) -> Sample:  # fmt: skip
    """``unit``: what the number that the dtype had to hold is multiplied by in ``computed``."""
    values = np.atleast_1d(computed.double().numpy()).astype(np.longdouble)
    size = norm_of(answer.value)
    finite = bool(np.isfinite(values).all())
    if not np.isfinite(size) or size > torch.finfo(dtype).max / 2 * min(1.0, unit):
        # The dtype cannot hold a number this large: infinity says so, NaN would say nothing.
        finite = not bool(np.isnan(values).any())
        why_not = why_not or (UNDEFINED if np.isnan(size) else OVERFLOW)
        return Sample(quantity, 0.0, 0.0, answer.condition, finite, why_not)
    if quantity != "value" and why_not:
        finite = not bool(np.isnan(values).any())  # may overflow, as where a point is pulled back
    # Of NaN the problem is at the end of its domain.
    if not answer.smooth or np.isnan(norm_of(answer.spread)):
        why_not = why_not or KINK
    u = torch.finfo(dtype).eps / 2
    # The smallest positive numbers: coordinates, and a few steps on the way, may underflow.
    underflow = 8 * torch.finfo(dtype).tiny * u * math.sqrt(coordinates) * max(1.0, unit)
    allowed = u * (size + norm_of(answer.spread)) + underflow
    error = norm_of(values - answer.value) if finite else np.longdouble(math.inf)
    raw = float(error / size) if size > 0 else (0.0 if error == 0 else math.inf)
    if not np.isfinite(allowed):
        why_not = why_not or OVERFLOW
    units = float(error / allowed) if not why_not else 0.0
    return Sample(quantity, units, raw, answer.condition, finite, why_not)
