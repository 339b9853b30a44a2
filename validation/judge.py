"""One batch of problems: evaluated in torch, judged against the reference.

The error of a result is counted in units of what the problem allows: u (|f| + |Df||x|), u the unit
roundoff of the dtype. That is u (1 + kappa) relative to |f|, and makes sense where f is 0. A result
that the dtype cannot hold (beyond the documented edge, or its overflow) must be finite and no more.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from mpmath import mp
from torch import Tensor

from .chart_models import MODELS
from .conditioning import Answer, Argument, Array, Problem
from .evaluation import (
    MIN_RADIUS,
    TIME,
    draw_cotangent,
    draw_inputs,
    evaluate,
    has_time,
    make,
)
from .models import Model
from .reference import (
    COVECTOR,
    NORMAL,
    POINT,
    SCALAR,
    TANGENT,
    TANGENT0,
    Definition,
    definitions as all_definitions,
)
from .reference_operations import operations
from .regimes import REGIMES, Source

DEFINITIONS = {**all_definitions(min_radius=MIN_RADIUS, t=TIME), **operations(t=TIME)}
"""Every map and operation by name."""
DTYPES = {str(d).removeprefix("torch."): d for d in (
    torch.float64, torch.float32, torch.bfloat16, torch.float16,
)}  # fmt: skip
_PI = np.longdouble("3.14159265358979323846264338327950288")
_FARTHEST = 750.0  # a tangent vector longer than this ends outside every dtype


@dataclass
class Sample:
    """One quantity of one problem."""

    quantity: str
    """value, or the gradient by x, y, u, v, ... or K"""
    units: float
    """Error over u (|f| + |Df||x|); infinite if not finite where it should be."""
    raw: float
    """Error over |f|."""
    condition: float
    finite: bool
    inside: bool
    """Whether the dtype can hold the exact result, so that ``units`` means something."""


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
    model, definition, torch_dtype = MODELS[manifold], DEFINITIONS[name], DTYPES[dtype]
    model = model.of_batch(list(REGIMES).index(regime) + seed)
    rng = np.random.default_rng(_seed(manifold, name, dtype, regime, seed))
    k, n = model.draw_curvature(rng), model.draw_dimension(rng, largest=largest)
    if not _turns(model, definition):
        n = min(n, definition.dimension or 8)
    radius = 1.0 if k == 0 else 1 / math.sqrt(abs(k))
    space = make(library, manifold, k)
    if library != "spaceforms" and not hasattr(space, name):
        return None
    gradients = gradients and definition.gradients
    source = Source(model, rng, count, n, model.reach(torch_dtype, radius))
    inputs = draw_inputs(model, definition, REGIMES[regime], source, radius, torch_dtype)
    cotangent = draw_cotangent(model, definition, source, torch_dtype)
    results, derivatives = evaluate(model, name, definition, inputs, cotangent, k, gradients, space)
    samples = []
    for row in range(count):
        arguments = [
            _argument(model, kind, x[row])
            for kind, x in zip(definition.inputs, inputs, strict=True)
        ]
        samples += _judge(
            model, name, definition, arguments,
            None if cotangent is None else _argument(model, definition.output, cotangent[row]),
            results[row], [d[row] for d in derivatives], k, radius, torch_dtype,
        )  # fmt: skip
    return samples


def _turns(model: Model, definition: Definition) -> bool:
    """Whether the problem commutes with rotations about the origin."""
    target = MODELS[definition.target] if definition.target else model
    return model.turns and target.turns and definition.dimension is None


def _seed(*parts: Any) -> int:
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:8], "big")


# -- judging -------------------------------------------------------------------------------------


def _argument(model: Model, kind: str, value: Tensor) -> Argument:
    numbers = value.double().numpy()
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
            Sample(q, 0.0, 0.0, math.inf, ok, False)
            for q, ok in zip(["value", *names], finite_all, strict=False)
        ]
    n = len(arguments[0].space)
    target = MODELS[definition.target] if definition.target else model
    problem = Problem(
        _exact(model, definition, n, radius), arguments, cotangent=cotangent,
        output_time=has_time(target, definition.output), curvature=k,
        scalar=definition.output == SCALAR, turns=_turns(model, definition),
    )  # fmt: skip
    answer = problem.value()
    if definition.end is None:
        inside = _inside(model, definition, answer, radius, dtype)
    else:
        inside = _within_reach(model, definition, problem, radius, dtype)
    # A point at the end of a long vector moves by a factor of e^(what rounding does to the
    # length): beyond the first digit, what a first-order condition number says is void.
    known = (definition.output != POINT and definition.end is None) or bool(
        _size(answer.spread) * torch.finfo(dtype).eps <= 2 * _size(answer.value)
    )
    samples = [_sample("value", answer, result, dtype, inside and known, n)]
    if definition.end is not None and not inside:
        # At the edge to which its point is put a result may overflow, and a vector have no end.
        vector = bool(definition.target) and definition.output == TANGENT
        samples = [replace(samples[0], finite=vector or not bool(result.isnan().any()))]
    # Where the rounding of the inputs leaves hardly a digit of the value, a gradient such as
    # v/|v| may turn round within it, and what a first-order condition number says is void.
    info, size = torch.finfo(dtype), _size(answer.value)
    if name == "exterior_angle":  # which has its kink at pi as well
        size = min(size, abs(_PI - answer.value[0]))
    known = _size(answer.spread) * info.eps <= size / 16
    known = bool(known and (size == 0 or size > info.tiny / info.eps))
    # Nor is it judged within three digits of overflow, where a product on the way is beyond it.
    overflows = definition.output != POINT and size + _size(answer.spread) > 1e-3 * info.max
    if derivatives and not overflows:
        for q, exact, found, kind in zip(
            names, problem.gradients(), derivatives, [*definition.inputs, "K"], strict=False
        ):
            computed, answer = found, exact
            if model.chart == "sphere":
                if kind == "K" and POINT in definition.inputs:
                    continue  # what a point of the sphere is depends on K
                computed, gauge = _along_sphere(definition, arguments, derivatives, q, kind)
                answer = replace(exact, spread=exact.spread + gauge)
            small = torch.float32 if q == "K" and dtype != torch.float64 else dtype
            samples.append(_sample(q, answer, computed, small, inside and known, n))
    return samples


def _argument_names(definition: Definition) -> list[str]:
    points, tangents = iter("xyz"), iter("vuw")
    return [next(points) if kind == POINT else next(tangents) for kind in definition.inputs]


def _too_long(
    definition: Definition, arguments: list[Argument], radius: float, model: Model
) -> bool:
    if model.sign >= 0:
        return False
    for kind, argument in zip(definition.inputs, arguments, strict=True):
        alone = len(definition.inputs) == 1 and kind in (TANGENT0, NORMAL)
        if alone and _size(argument.space) / radius > _FARTHEST:
            return True
    if definition.velocity is not None:
        x, v = arguments[0].space / radius, arguments[definition.velocity].space / radius
        if model.chart == "ball":
            return bool(2 * _size(v) / (1 - _size(x) ** 2) > _FARTHEST)
        x2 = np.dot(x, x)
        along = np.dot(x, v) / math.sqrt(1 + x2) if x2 < 1e300 else 0.0
        return bool(_size(v) - abs(along) > _FARTHEST or _size(v) > 1e6 * math.sqrt(1 + x2))
    return False


def _inside(
    model: Model, definition: Definition, answer: Answer, radius: float, dtype: torch.dtype
) -> bool:
    """Whether the dtype can hold the result."""
    size = _size(answer.value)
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
        scaled = [
            [c / mp.mpf(radius) for c in v] if by else v
            for v, by in zip(problem.z, definition.scaled, strict=True)
        ]
        t = definition.end(model.space(), *scaled)[0]
        reach = mp.mpf(target.reach(dtype, radius))
        return bool(t <= mp.cosh(reach) if model.sign < 0 else t >= mp.cos(reach))


def _along_sphere(
    definition: Definition, arguments: list[Argument], derivatives: list[Tensor], name: str,
    kind: str,
) -> tuple[Tensor, Any]:  # fmt: skip
    """The part of a gradient that is defined: along the sphere, a vector at x moving with x.

    And the size of what was taken away, whose rounding the rest inherits.
    """
    place = 0 if kind == "K" else _argument_names(definition).index(name)
    g = derivatives[place if kind != "K" else -1].double().numpy().astype(np.longdouble)
    if kind not in (POINT, TANGENT, COVECTOR) or not np.isfinite(g).all():
        return torch.from_numpy(g.astype(np.float64)), 0.0
    base = place if kind == POINT else 0
    x, whole = _ambient(arguments[base]), g
    if place == 0:
        for j, other in enumerate(definition.inputs):
            if other == TANGENT:
                normal = derivatives[j].double().numpy().astype(np.longdouble) @ x / (x @ x)
                if not np.isfinite(normal):  # by a vector so short that its gradient overflows
                    continue
                g = g - normal * _ambient(arguments[j])
    if kind != COVECTOR:
        g = g - x * (x @ g) / (x @ x)
    return torch.from_numpy(g.astype(np.float64)), np.abs(whole - g)


def _ambient(argument: Argument) -> Array:
    return np.concatenate([[argument.time], argument.space]).astype(np.longdouble)


def _sample(
    quantity: str, answer: Answer, computed: Tensor, dtype: torch.dtype, inside: bool,
    coordinates: int,
) -> Sample:  # fmt: skip
    values = np.atleast_1d(computed.double().numpy()).astype(np.longdouble)
    if not np.isfinite(_size(answer.value)) or _size(answer.value) > torch.finfo(dtype).max / 2:
        inside = False
        # The dtype cannot hold a number this large: infinity says so, NaN would say nothing.
        finite = not bool(np.isnan(values).any())
        return Sample(quantity, 0.0, 0.0, answer.condition, finite, inside)
    finite = bool(np.isfinite(values).all())
    if quantity != "value" and not inside:
        finite = not bool(np.isnan(values).any())  # may overflow, as where a point is pulled back
    if not answer.smooth:
        return Sample(quantity, 0.0, 0.0, answer.condition, finite, False)
    if np.isnan(_size(answer.spread)):  # the problem is at the end of its domain
        return Sample(quantity, 0.0, 0.0, answer.condition, finite, False)
    u = torch.finfo(dtype).eps / 2
    # The smallest positive numbers: coordinates, and a few steps on the way, may underflow.
    underflow = 8 * torch.finfo(dtype).tiny * u * math.sqrt(coordinates)
    allowed = u * (_size(answer.value) + _size(answer.spread)) + underflow
    error = _size(values - answer.value) if finite else np.longdouble(math.inf)
    size = _size(answer.value)
    raw = float(error / size) if size > 0 else (0.0 if error == 0 else math.inf)
    units = float(error / allowed) if np.isfinite(allowed) else 0.0
    return Sample(quantity, units, raw, answer.condition, finite, inside)


def _size(v: Array) -> Any:
    v = np.asarray(v, dtype=np.longdouble)
    return np.sqrt((v * v).sum())
