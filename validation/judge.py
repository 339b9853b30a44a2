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

from .cases import Case, draw, turns
from .chart_models import MODELS, ProductModel
from .conditioning import Answer, Argument, Array, Problem, long_of, norm_of
from .evaluation import evaluate, has_time, make
from .models import Model
from .reference import (
    COVECTOR,
    LEAST,
    NORMAL,
    POINT,
    SCALAR,
    TANGENT,
    TANGENT0,
    TIME,
    Definition,
    definitions as all_definitions,
)
from .reference_operations import operations
from .yardstick import blocks, distance, length, reduced, rooted, stored

DEFINITIONS = {**all_definitions(), **operations()}
"""Every map and operation by name."""
DTYPES = {str(d).removeprefix("torch."): d for d in (
    torch.float64, torch.float32, torch.bfloat16, torch.float16,
)}  # fmt: skip
_PI = np.longdouble("3.14159265358979323846264338327950288")
_FARTHEST = 750.0  # a tangent vector longer than this ends outside every dtype
EDGE, KINK, NO_DIGITS, OVERFLOW, UNDEFINED = (
    "beyond the edge", "kink", "no digits", "overflow", "undefined",
)  # fmt: skip
"""Why a result is not judged: the dtype cannot hold it; there is no derivative; rounding the inputs
leaves hardly a digit; a number on the way is too large for the dtype; what a point of the sphere is
depends on K."""
_CORNERS = 6
_NOTHING = 1e-35  # of the size of the others, a gradient is 0: what difference quotients leave
_PRODUCT = ProductModel("Product", "product", 0)


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
    largest: int = 512, library: str = "spaceforms",
) -> list[Sample] | None:  # fmt: skip
    """Draw ``count`` problems of one regime and judge the results.

    Args:
        manifold, name, dtype, regime: keys of MODELS, DEFINITIONS, DTYPES and REGIMES.
        count: how many; all of one curvature and dimension.
        gradients: whether to judge gradients too.
        seed: what distinguishes batches.
        largest: the largest dimension.
        library: spaceforms, geoopt or textbook, on the same inputs.

    Returns:
        One sample a problem and quantity; None if the library does not have the map.
    """
    cases = draw(
        manifold, name, DEFINITIONS[name], dtype, regime, count=count, seed=seed, largest=largest
    )
    if library != "spaceforms" and not hasattr(make(library, manifold, cases[0].k), name):
        return None
    return judge_cases(cases, gradients=gradients, library=library)


def judge_cases(
    cases: list[Case], *, gradients: bool = True, library: str = "spaceforms"
) -> list[Sample]:
    """Evaluate cases, all of one map, curvature and dimension, and judge the results."""
    one = cases[0]
    model, definition, dtype = one.model, DEFINITIONS[one.map], DTYPES[one.dtype]
    k, radius = one.k, 1.0 if one.k == 0 else 1 / math.sqrt(abs(one.k))
    space = make(library, one.manifold, k)
    inputs = [torch.cat(some) for some in zip(*(case.tensors() for case in cases), strict=True)]
    weights = [w for w in (case.cotangents() for case in cases) if w is not None]
    cotangent = torch.cat(weights) if weights else None
    whole, results, derivatives = evaluate(
        model, one.map, definition, inputs, cotangent, k, gradients and definition.gradients, space
    )
    target = MODELS[definition.target] if definition.target else model
    samples = []
    for row, case in enumerate(cases):
        arguments = [
            _argument(model, kind, x[row])
            for kind, x in zip(definition.inputs, inputs, strict=True)
        ]
        made = _judge(
            model, one.map, definition, arguments,
            None if cotangent is None else _argument(target, definition.output, cotangent[row]),
            results[row], [d[row] for d in derivatives], k, radius, dtype,
        )  # fmt: skip
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
    names = [*_argument_names(definition), "K"]
    if _too_long(definition, arguments, radius, model):
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
        inside = _inside(model, definition, answer, radius, dtype)
    else:
        inside = _within_reach(model, definition, problem, radius, dtype)
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
    corners = _Corners(problem_at, arguments, cotangent, dtype)
    if value.inside and value.finite:
        length_ = _by_length(target, model, definition, problem, answer, result, radius, dtype, n)
        value = replace(value, units=max(value.units, length_))
        if value.units > 4:
            wider = replace(answer, spread=corners.spread(-1, answer))
            again = _sample("value", wider, result, dtype, why_not, n)
            length_ = _by_length(
                target, model, definition, problem, wider, result, radius, dtype, n,
                corners.points(),
            )  # fmt: skip
            value = replace(value, units=max(again.units, length_))
    samples = [value]
    # Where the rounding of the inputs leaves hardly a digit of the value, a gradient such as
    # v/|v| may turn round within it, and what a first-order condition number says is void.
    info, size = torch.finfo(dtype), norm_of(answer.value)
    if name == "exterior_angle":  # which has its kink at pi as well
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
                computed = _along_factors(definition, arguments, derivatives, i, found)
            if model.chart == "sphere":
                if kind == "K" and POINT in definition.inputs:
                    samples.append(Sample(q, 0.0, 0.0, math.inf, True, UNDEFINED))
                    continue
                computed = _along_sphere(definition, arguments, derivatives, q, kind)
                if i == 0:  # with its share of the gradients by vectors, as these are stored
                    shares = [
                        norm_of(g.value) / radius * np.abs(_ambient(v))
                        for g, v, by in zip(exacts, arguments, definition.inputs, strict=False)
                        if by == TANGENT and norm_of(g.value) > 0
                    ]
                    unit = replace(unit, spread=sum(shares, start=unit.spread))
            others = _of_the_others(problem, exacts, None if kind == "K" else i, radius)
            if norm_of(unit.value) + norm_of(unit.spread) <= _NOTHING * others:
                unit = replace(unit, spread=unit.spread + others)
            small = torch.float32 if q == "K" and dtype != torch.float64 else dtype
            sample = _sample(q, unit, computed, small, why_not, n)
            if sample.inside and sample.finite and sample.units > 16:
                wider = replace(unit, spread=corners.spread(i, unit))
                sample = _sample(q, wider, computed, small, why_not, n)
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
        extra = definition.absolute(model.space(), *_unit_arguments(definition, problem, r))
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


class _Corners:
    """The problem at corners of the box |dx| <= u|x|, where a first-order bound falls short."""

    def __init__(
        self, problem_at: Any, arguments: list[Argument], cotangent: Argument | None,
        dtype: torch.dtype,
    ) -> None:  # fmt: skip
        self.u = torch.finfo(dtype).eps / 2
        rng = np.random.default_rng(0)
        vectors = arguments + ([] if cotangent is None else [cotangent])
        self._made: list[Problem] = []

        def signs(number: int) -> list[Array]:
            made = []
            for place, v in enumerate(vectors):
                size = len(v.space) + (v.time is not None)
                one = np.full(size, 1.0 if (number >> place) % 2 else -1.0)
                made.append(self.u * (one if number < 4 else rng.choice([-1.0, 1.0], size=size)))
            return made

        self._problem_at, self._signs = problem_at, signs

    def problems(self) -> list[Problem]:
        """One a corner, made when they are wanted."""
        if not self._made:
            self._made = [self._problem_at(self._signs(number)) for number in range(_CORNERS)]
        return self._made

    def points(self) -> list[Array]:
        """The values there."""
        return [p.full(p.long_value(), p.output_time, p.scalar) for p in self.problems()]

    def spread(self, place: int, answer: Answer) -> Array:
        """What the corners say of the value (place -1) or a gradient, if more than first order."""
        best = answer.spread
        ends = (
            self.points() if place < 0 else [problem.slopes()[place] for problem in self.problems()]
        )
        for end in ends:
            change = np.abs(end - answer.value) / self.u
            if np.isfinite(change).all() and norm_of(change) > norm_of(best):
                best = change
        return best


def _by_length(
    target: Model, model: Model, definition: Definition, problem: Problem, answer: Answer,
    result: Tensor, radius: float, dtype: torch.dtype, coordinates: int,
    corners: list[Array] | None = None,
) -> float:  # fmt: skip
    """The error of a point or a tangent vector as a length, in units of what rounding is worth.

    That is u times how far the inputs' rounding moves it, and the rounding of its coordinates.
    """
    point, time = definition.output == POINT, problem.output_time
    if not point and definition.output != TANGENT:
        return 0.0
    values = np.atleast_1d(result.double().numpy())
    with mp.workdps(problem.digits):
        r = 1 / mp.sqrt(abs(problem.k)) if problem.k else mp.mpf(1)
        if point:
            base = problem.f
        elif definition.base is not None:
            base = problem.z[definition.base]
        elif definition.end is not None and definition.target == "":
            end = definition.end(model.space(), *_unit_arguments(definition, problem, r))
            base = [r * c for c in target.space().drop(end)]
        else:
            return 0.0
        some = list(blocks(target, base, r))
        found = reduced(problem, values, time)
        if point:
            error = distance(target, problem.f, found, r)
        else:
            error = length(some, [a - b for a, b in zip(found, problem.f, strict=True)])
        spread = problem.zeros(time, False)
        for argument, j in zip(problem.arguments, problem.jacobian, strict=True):
            spread = spread + problem.spread_of(rooted(some, j).T, time, False, argument)
        moved = norm_of(spread)
        u = torch.finfo(dtype).eps / 2
        for corner in corners or []:
            other = reduced(problem, corner, time)
            far = (
                distance(target, problem.f, other, r) if point
                else length(some, [a - b for a, b in zip(other, problem.f, strict=True)])
            )  # fmt: skip
            moved = max(moved, long_of(far / mp.mpf(u)))
        rounding = stored(problem, some, answer.value, time)
        scale = max(long_of(max(along, across)) for _, along, across, _ in some)
        underflow = 8 * torch.finfo(dtype).tiny * u * math.sqrt(coordinates) * scale
        allowed = u * (moved + rounding) + underflow
        if not np.isfinite(allowed):
            return 0.0
        return float(long_of(error) / allowed) if error != mp.inf else math.inf


def _unit_arguments(definition: Definition, problem: Problem, r: Any) -> list[Any]:
    return [
        [c / r for c in v] if by else v for v, by in zip(problem.z, definition.scaled, strict=True)
    ]


def _argument_names(definition: Definition) -> list[str]:
    points, tangents = iter("xyz"), iter("vuwa")
    return [
        next(points) if kind == POINT else "t" if kind == TIME else
        "min_radius" if kind == LEAST else next(tangents)
        for kind in definition.inputs
    ]  # fmt: skip


def _too_long(
    definition: Definition, arguments: list[Argument], radius: float, model: Model
) -> bool:
    if model.sign >= 0:
        return False
    for kind, argument in zip(definition.inputs, arguments, strict=True):
        alone = len(definition.inputs) == 1 and kind in (TANGENT0, NORMAL)
        if alone and norm_of(argument.space) / radius > _FARTHEST:
            return True
    if definition.velocity is not None:
        x, v = arguments[0].space / radius, arguments[definition.velocity].space / radius
        if model.chart == "ball":
            return bool(2 * norm_of(v) / (1 - norm_of(x) ** 2) > _FARTHEST)
        x2 = np.dot(x, x)
        along = np.dot(x, v) / math.sqrt(1 + x2) if x2 < 1e300 else 0.0
        return bool(norm_of(v) - abs(along) > _FARTHEST or norm_of(v) > 1e6 * math.sqrt(1 + x2))
    return False


def _inside(
    model: Model, definition: Definition, answer: Answer, radius: float, dtype: torch.dtype
) -> bool:
    """Whether the dtype can hold the result."""
    size = norm_of(answer.value)
    if definition.output == POINT and model.chart == "hyperboloid":
        limit = 2.0**340 if dtype == torch.float64 else 2.0**40
        return bool(size < 0.99 * min(limit * radius, torch.finfo(dtype).max / 2))
    if definition.output == POINT and model.chart == "ball" and model.sign > 0:
        info = torch.finfo(dtype)
        return bool(size < 0.9 * min(16 / info.eps * radius, info.max / 4))
    if definition.output == POINT and model.chart == "ball" and model.sign < 0:
        return bool(size < (1 - 2.5 * torch.finfo(dtype).eps) * radius)
    return True


def _within_reach(
    model: Model, definition: Definition, problem: Problem, radius: float, dtype: torch.dtype
) -> bool:
    """Whether the dtype can hold the point where the result is."""
    target = MODELS[definition.target] if definition.target else model
    if model.sign == 0 or definition.end is None:
        return True
    with mp.workdps(problem.digits):
        t = definition.end(model.space(), *_unit_arguments(definition, problem, mp.mpf(radius)))[0]
        reach = mp.mpf(target.reach(dtype, radius))
        return bool(t <= mp.cosh(reach) if model.sign < 0 else t >= mp.cos(reach))


def _along_sphere(
    definition: Definition, arguments: list[Argument], derivatives: list[Tensor], name: str,
    kind: str,
) -> Tensor:  # fmt: skip
    """The part of a gradient that is defined: along the sphere, a vector at x moving with x."""
    place = 0 if kind == "K" else _argument_names(definition).index(name)
    g = derivatives[place if kind != "K" else -1].double().numpy().astype(np.longdouble)
    if kind not in (POINT, TANGENT, COVECTOR) or not np.isfinite(g).all():
        return torch.from_numpy(g.astype(np.float64))
    base = place if kind == POINT else 0
    x = _ambient(arguments[base])
    if place == 0:
        for j, other in enumerate(definition.inputs):
            if other == TANGENT:
                normal = derivatives[j].double().numpy().astype(np.longdouble) @ x / (x @ x)
                if not np.isfinite(normal):  # by a vector so short that its gradient overflows
                    continue
                g = g - normal * _ambient(arguments[j])
    if kind != COVECTOR:
        g = g - x * (x @ g) / (x @ x)
    return torch.from_numpy(g.astype(np.float64))


def _along_factors(
    definition: Definition, arguments: list[Argument], derivatives: list[Tensor], place: int,
    found: Tensor,
) -> Tensor:  # fmt: skip
    """That of a product, in the factor that is a sphere."""
    part = next(f for m, _, _, f, _ in _PRODUCT.parts() if m.chart == "sphere")
    some = [Argument(a.time, a.space[part]) if not a.number else a for a in arguments]
    cut = [d[part] if not a.number else d for d, a in zip(derivatives, arguments, strict=False)]
    name = _argument_names(definition)[place]
    along = _along_sphere(definition, some, cut, name, definition.inputs[place])
    made = found.double().clone()
    made[part] = along
    return made


def _ambient(argument: Argument) -> Array:
    time = [] if argument.time is None else [argument.time]
    return np.concatenate([time, argument.space]).astype(np.longdouble)


def _sample(
    quantity: str, answer: Answer, computed: Tensor, dtype: torch.dtype, why_not: str,
    coordinates: int,
) -> Sample:  # fmt: skip
    values = np.atleast_1d(computed.double().numpy()).astype(np.longdouble)
    size = norm_of(answer.value)
    finite = bool(np.isfinite(values).all())
    if not np.isfinite(size) or size > torch.finfo(dtype).max / 2:
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
    underflow = 8 * torch.finfo(dtype).tiny * u * math.sqrt(coordinates)
    allowed = u * (size + norm_of(answer.spread)) + underflow
    error = norm_of(values - answer.value) if finite else np.longdouble(math.inf)
    raw = float(error / size) if size > 0 else (0.0 if error == 0 else math.inf)
    if not np.isfinite(allowed):
        why_not = why_not or OVERFLOW
    units = float(error / allowed) if not why_not else 0.0
    return Sample(quantity, units, raw, answer.condition, finite, why_not)
