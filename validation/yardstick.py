"""What an error is measured by: the metric of a chart, and what rounding is worth in it.

In free coordinates every metric here is across^2 on what is across the ray from the origin and
along^2 on what is along it, so its root is across (1 - e e^T) + along e e^T, e the direction of the
base point. A product has one such block a factor.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from mpmath import mp

from .chart_models import ProductModel
from .conditioning import Array, Problem, long_of, longs_of
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
    gap = 1 + model.sign * mp.fdot(y, y)
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
