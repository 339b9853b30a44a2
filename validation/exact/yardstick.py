"""What an error is measured by: the metric of a chart, and what rounding is worth in it.

In free coordinates every metric here is across^2 on what is across the ray from the origin and
along^2 on what is along it, so its root is across (1 - e e^T) + along e e^T, e the direction of the
base point. A product has one such block a factor.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from mpmath import mp
from torch import Tensor

from .chart_models import ProductModel
from .conditioning import Answer, Array, Problem, long_of, longs_of, norm_of
from .maps import POINT, TANGENT, Definition
from .models import Model

Block = tuple[slice, Any, Any, list[Any]]
"""Where the coordinates of a factor are, along, across, and the direction e."""


def blocks(model: Model, base: list[Any], radius: Any) -> Iterator[Block]:
    """The root of the metric at a base point in free coordinates; a length, divided by one of x."""
    if isinstance(model, ProductModel):
        for part, _, r, place, _ in model.parts():
            weight = mp.sqrt(mp.mpf(model.weight(part.name)))
            for _, along, across, e in blocks(part, base[place], mp.mpf(r)):
                yield place, weight * along, weight * across, e
        return
    x = [c / radius for c in base]
    square, sign = mp.fdot(x, x), model.sign
    size = mp.sqrt(square)
    e = [c / size for c in x] if size > 0 else [c * 0 for c in x]
    along = across = mp.mpf(1)
    if model.chart == "hyperboloid":
        along = 1 / mp.sqrt(1 + square)
    elif model.chart == "ball":
        along = across = 2 / (1 + sign * square)
    elif model.chart == "velocity":
        along = 1 / mp.sqrt(1 + square)
    elif model.chart == "klein":
        gap = 1 + sign * square
        along, across = 1 / gap, 1 / mp.sqrt(abs(gap))
    elif model.chart == "halfspace":
        along = across = 1 / x[-1]
    elif model.chart == "hemisphere":
        along = across = 1 / x[0]
    elif model.chart == "normal" and size > 0:
        across = (mp.sin(size) if sign > 0 else mp.sinh(size)) / size
    yield slice(None), along, across, e


def rooted(some: list[Block], rows: list[list[Any]]) -> Array:
    """The reduced Jacobian (inputs, outputs), its outputs multiplied by the root of the metric."""
    made = []
    for row in rows:
        new = list(row)
        for place, along, across, e in some:
            part = row[place]
            share = (along - across) * mp.fdot(e, part)
            new[place] = [across * c + share * d for c, d in zip(part, e, strict=True)]
        made.append(new)
    return longs_of(made)


def stored(problem: Problem, some: list[Block], value: Array, time: bool) -> Any:
    """What rounding the coordinates of a value is worth as a length, in units of the rounding."""
    total = np.longdouble(0)
    size = np.abs(value)
    for place, along_, across_, e in some:
        along, across = long_of(along_), long_of(across_)
        if place == slice(None):
            direction = np.abs(problem.full(longs_of([e])[0], time, False))
        else:
            direction = np.abs(longs_of([e])[0])
        part = size[place]
        square = direction * direction
        rest = (direction * part).sum() - direction * part
        entry = np.abs(across * (1 - square) + along * square) * part
        entry = entry + np.abs(along - across) * direction * rest
        total = total + (entry * entry).sum()
    return np.sqrt(total)


def length(some: list[Block], vector: list[Any]) -> Any:
    """Riemannian norm of a vector in reduced coordinates."""
    total = mp.mpf(0)
    for place, along, across, e in some:
        part = vector[place]
        share = mp.fdot(e, part)
        rest = [c - share * d for c, d in zip(part, e, strict=True)]
        total += across**2 * mp.fdot(rest, rest) + (along * share) ** 2
    return mp.sqrt(total)


def distance(model: Model, a: list[Any], b: list[Any], radius: Any) -> Any:
    """Of points in reduced coordinates, by the reference; infinite if one is no point."""
    if isinstance(model, ProductModel):
        total = mp.mpf(0)
        for part, _, r, place, _ in model.parts():
            d = distance(part, a[place], b[place], mp.mpf(r))
            total += model.weight(part.name) * d**2
        return mp.sqrt(total)
    space = model.space()
    x, y = ([c / radius for c in v] for v in (a, b))
    # Of an exact point too: so far out its gap has no digit left at any precision.
    gap = min(1 + model.sign * mp.fdot(c, c) for c in (x, y))
    outside = (
        (model.sign < 0 and model.chart in ("ball", "klein") and gap <= 0)
        or (model.chart == "halfspace" and y[-1] <= 0)
        or (model.chart == "hemisphere" and y[0] <= 0)
    )
    if outside:
        return mp.inf
    return radius * space.dist(space.lift(x), space.lift(y))


def reduced(problem: Problem, values: Array, time: bool) -> list[Any]:
    """A computed vector in the basis of the problem, and what of it is outside the span."""
    exact = [mp.mpf(float(c)) for c in values]
    head, rest = exact[:time], exact[time:]
    inside = []
    for q in problem.basis:
        share = mp.fdot(q, rest)
        rest = [c - share * d for c, d in zip(rest, q, strict=True)]
        inside.append(share)
    return head + inside + ([mp.sqrt(mp.fdot(rest, rest))] if problem.extra else [])


def by_length(
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
            end = definition.end(model.space(), *unit_arguments(definition, problem, r))
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


def unit_arguments(definition: Definition, problem: Problem, r: Any) -> list[Any]:
    return [
        [c / r for c in v] if by else v for v, by in zip(problem.z, definition.scaled, strict=True)
    ]
