"""The part of a gradient that is defined where points and vectors have a coordinate too many."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from .chart_models import ProductModel
from .conditioning import Answer, Argument, Array, norm_of
from .maps import COVECTOR, LEAST, POINT, TANGENT, TIME, Definition
from .models import Model

_PRODUCT = ProductModel("Product", "product", 0)


def along_sphere(
    definition: Definition, arguments: list[Argument], derivatives: list[Tensor], name: str,
    kind: str,
) -> Tensor:  # fmt: skip
    """The part of a gradient that is defined: along the sphere, a vector at x moving with x."""
    place = 0 if kind == "K" else argument_names(definition).index(name)
    g = derivatives[place if kind != "K" else -1].double().numpy().astype(np.longdouble)
    if kind not in (POINT, TANGENT, COVECTOR) or not np.isfinite(g).all():
        return torch.from_numpy(g.astype(np.float64))
    base = place if kind == POINT else 0
    x = ambient(arguments[base])
    if place == 0:
        for j, other in enumerate(definition.inputs):
            if other == TANGENT:
                normal = derivatives[j].double().numpy().astype(np.longdouble) @ x / (x @ x)
                if not np.isfinite(normal):  # by a vector so short that its gradient overflows
                    continue
                g = g - normal * ambient(arguments[j])
    if kind != COVECTOR:
        g = g - x * (x @ g) / (x @ x)
    return torch.from_numpy(g.astype(np.float64))


def along_factors(
    definition: Definition, arguments: list[Argument], derivatives: list[Tensor], place: int,
    found: Tensor,
) -> Tensor:  # fmt: skip
    """That of a product, in the factor that is a sphere."""
    _, part = _sphere()
    some = [Argument(a.time, a.space[part]) if not a.number else a for a in arguments]
    cut = [d[part] if not a.number else d for d, a in zip(derivatives, arguments, strict=False)]
    name = argument_names(definition)[place]
    along = along_sphere(definition, some, cut, name, definition.inputs[place])
    made = found.double().clone()
    made[part] = along
    return made


def moved_with(
    model: Model, definition: Definition, arguments: list[Argument], exacts: list[Answer],
    radius: float,
) -> Array:  # fmt: skip
    """What the gradients by vectors, as well as they can be known, are worth in the one by their
    base point, if that is on a sphere: they are a part of it, the vectors moving with the point."""
    share = np.zeros_like(exacts[0].spread)
    place = slice(None)
    if isinstance(model, ProductModel):
        radius, place = _sphere()
    elif model.chart != "sphere":
        return share
    for g, v, kind in zip(exacts, arguments, definition.inputs, strict=False):
        if kind == TANGENT:
            worth = norm_of(g.value[place]) + norm_of(g.spread[place])
            share[place] += worth / radius * np.abs(ambient(v)[place])
    return share


def _sphere() -> tuple[float, slice]:
    """The radius of a product's factor that is one, and where its coordinates are."""
    return next((r, free) for m, _, r, free, _ in _PRODUCT.parts() if m.chart == "sphere")


def ambient(argument: Argument) -> Array:
    time = [] if argument.time is None else [argument.time]
    return np.concatenate([time, argument.space]).astype(np.longdouble)


def argument_names(definition: Definition) -> list[str]:
    points, tangents = iter("xyz"), iter("vuwa")
    return [
        next(points) if kind == POINT else "t" if kind == TIME else
        "min_radius" if kind == LEAST else next(tangents)
        for kind in definition.inputs
    ]  # fmt: skip
