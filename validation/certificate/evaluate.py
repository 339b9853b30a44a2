"""The torch side of a batch: inputs in a dtype, results and gradients of a library."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ... import manifolds
from ...manifolds import Manifold
from ..exact.chart_models import FACTORS, MODELS, ProductModel
from ..exact.maps import (
    COVECTOR,
    DIRECTION,
    LEAST,
    NORMAL,
    NUMBER,
    POINT,
    SCALAR,
    TANGENT,
    TANGENT0,
    TIME,
    VECTOR,
    Definition,
)
from ..exact.models import Model
from .backends import CPU, Backend
from .calls import CALLS, build_chart, build_product, convert_by_name
from .regimes import Draw, Source

TIMES = (
    0.0, 1e-12, 1e-6, 1e-3, 0.25, 0.5, 0.75, 1 - 1e-6, 1.0, 1 + 1e-6, 3.0, -2.0, 50.0,
)  # fmt: skip
"""Times of geodesics that are drawn beside random ones: the ends, next to them, and outside."""
LEASTS = (1e-6, 1e-3, 0.1, 0.5, 1.0)
"""Least radii of cones."""
_EMBEDDED = ("hyperboloid", "sphere")  # whose coordinates have one along the axis of the origin


def build(manifold: str, k: float, *, learnable: bool = False) -> Any:
    """The manifold of that class and curvature, or the chart."""
    if manifold == "Product":
        return build_product()
    if type(MODELS[manifold]) is not Model:
        return build_chart(manifold, k, learnable=learnable)
    kind = getattr(manifolds, manifold)
    return kind() if k == 0 else kind(k, learnable=learnable)


def make(library: str, manifold: str, k: float) -> Any:
    """The manifold as a library has it."""
    if library == "spaceforms":
        return build(manifold, k)
    from .baselines import PEERS

    return PEERS[library](manifold, k)


def has_time(model: Model, kind: str) -> bool:
    """Whether the free coordinates of a kind of argument begin with one along the origin's axis."""
    if kind in (NUMBER, TIME, LEAST):  # which is all there is of it: the rest is 0, or not there
        return True
    if model.chart in ("sphere", "hemisphere"):
        return kind in (POINT, TANGENT, COVECTOR)
    return model.chart == "hyperboloid" and kind == COVECTOR


def draw_inputs(
    model: Model, definition: Definition, regime: Callable[[Source], Draw], source: Source,
    radius: float, dtype: torch.dtype,
) -> list[Tensor]:  # fmt: skip
    """Free coordinates in the dtype, what the exact problem is about."""
    draw = regime(source)
    points, tangents, made = [draw.x, draw.y], [draw.u, draw.v], []
    if definition.inputs.count(POINT) > len(points):  # another of the regime, or the first again
        points.append(np.where(source.uniform(0, 1) < 0.25, draw.x, regime(source).y))
    if definition.inputs.count(TANGENT) > len(tangents):
        tangents.insert(0, source.tangents(draw.x, source.uniform(0.1, source.within(2.0)))[0])
    for kind, scaled in zip(definition.inputs, definition.scaled, strict=True):
        if kind == TIME:
            some = source.rng.choice(TIMES, size=(source.count, 1))
            value = np.where(source.uniform(0, 1) < 0.25, source.uniform(-1.0, 2.0), some)
        elif kind == LEAST:  # a number of Python's, the same for all
            value = np.full((source.count, 1), source.rng.choice(LEASTS))
        elif kind == POINT:
            value = radius * points.pop(0)
        elif kind == TANGENT:
            value = radius * tangents.pop()
        elif kind == NUMBER:
            alone = len(definition.inputs) == 1
            size = model.distance(draw.x if alone else draw.y)
            sign = 1.0 if alone else source.rng.choice([-1.0, 1.0], size=size.shape)
            value = sign * size * (radius if scaled or alone else 1.0)
            if alone:  # a radius that is not rounded to 0, of which there is no logarithm
                value = value.clip(min=torch.finfo(dtype).tiny)
            value = np.concatenate([value, np.zeros((source.count, source.n))], axis=-1)
        elif kind == VECTOR:
            value = source.scattered(1e-3, 1e3) * source.direction()
        elif kind == DIRECTION:
            free = draw.x[:, model.chart == "sphere" :]
            value = source.scattered(0.1, 10.0) * source.towards(free)
        elif kind == COVECTOR:
            size = draw.x.shape[1] + (model.chart == "hyperboloid")
            value = source.rng.standard_normal((source.count, size))
            if has_time(model, kind):  # often nearly normal, as at a minimum
                normal = draw.x
                if model.chart == "hyperboloid":
                    time = np.sqrt(1 + (draw.x * draw.x).sum(-1, keepdims=True))
                    normal = np.concatenate([-time, draw.x], axis=-1) / time
                nearly = np.where(source.uniform(0, 1) < 0.5, source.scattered(1e-16, 1.0), 1e300)
                value = np.where(nearly < 1e299, normal + nearly.clip(max=1) * value, value)
        else:  # at the origin
            length = np.sqrt((draw.v * draw.v).sum(-1, keepdims=True))
            value = radius * length * source.direction()
        made.append(_rounded(torch.from_numpy(value), dtype))
    return made


def _rounded(x: Tensor, dtype: torch.dtype) -> Tensor:
    # Too long for the dtype: shortened, not clamped, which would turn a tangent vector.
    largest = torch.finfo(dtype).max / 8
    return (x * (largest / x.abs().amax(-1, keepdim=True)).clamp(max=1.0)).to(dtype)


def draw_cotangent(
    model: Model, definition: Definition, source: Source, dtype: torch.dtype
) -> Tensor | None:
    if definition.output == SCALAR or not definition.gradients:
        return None
    size = source.n + has_time(model, definition.output)
    if isinstance(model, ProductModel):
        size = model.coordinates
    return torch.from_numpy(source.rng.standard_normal((source.count, size))).to(dtype)


def _stored(model: Model, kinds: Sequence[str], free: Sequence[Tensor], k: float) -> list[Tensor]:
    """Coordinates as libraries take them: on the hyperboloid with the redundant time part."""
    if isinstance(model, ProductModel):
        parts = [
            _stored(factor, kinds, [x[..., place] for x in free], k)
            for factor, k, _, place, _ in model.parts()
        ]
        return [torch.cat(part, dim=-1) for part in zip(*parts, strict=True)]
    if model.chart != "hyperboloid":
        zero = model.chart == "sphere"  # where tangent vectors at the origin have one
        return [
            torch.cat([x[..., :1] * 0, x], dim=-1) if zero and kind == TANGENT0 else x
            for kind, x in zip(kinds, free, strict=True)
        ]
    stored: list[Tensor] = []
    for kind, x in zip(kinds, free, strict=True):
        wide = x.cpu().double()  # not every device has float64
        if kind == POINT:
            time = (1 / abs(k) + (wide * wide).sum(-1, keepdim=True)).sqrt()
            stored.append(torch.cat([time.to(x), x], dim=-1))
        elif kind == TANGENT:
            first = free[0].cpu().double()
            time = (1 / abs(k) + (first * first).sum(-1, keepdim=True)).sqrt()
            part = (first / time * wide).sum(-1, keepdim=True)
            stored.append(torch.cat([part.to(x), x], dim=-1))
        elif kind == TANGENT0:
            stored.append(torch.cat([x[..., :1] * 0, x], dim=-1))
        else:
            stored.append(x)
    return stored


def _free(model: Model, kind: str, stored: Tensor) -> Tensor:
    if kind in (NORMAL, SCALAR, VECTOR) or has_time(model, kind):
        return stored
    if isinstance(model, ProductModel):
        sizes = [n + (chart in _EMBEDDED) for _, chart, _, _, n, _ in FACTORS]
        parts = torch.split(stored, sizes, dim=-1)
        return torch.cat(
            [_free(part[0], kind, x) for part, x in zip(model.parts(), parts, strict=True)],
            dim=-1,
        )
    return stored[..., 1:] if model.chart in _EMBEDDED else stored


def call(manifold: Any, name: str, arguments: Sequence[Tensor]) -> Tensor:
    """A map by its name, batched: cdist pairs each point with one other."""
    if ":" in name:
        return convert_by_name(manifold, name, arguments)
    if name in CALLS:
        return CALLS[name](manifold, *arguments)
    return getattr(manifold, name)(*arguments)  # type: ignore[no-any-return]


def evaluate(
    model: Model, name: str, definition: Definition, inputs: list[Tensor],
    cotangent: Tensor | None, k: float, gradients: bool, manifold: Any, backend: Backend = CPU,
) -> tuple[Tensor, Tensor, list[Tensor]]:  # fmt: skip
    """The output as it is stored, in free coordinates, and gradients by each input and log|K|."""
    cell = type(manifold).__name__, name, str(inputs[0].dtype)
    target = MODELS[definition.target] if definition.target else model
    free = [x.clone().requires_grad_(gradients) for x in inputs]

    def output(space: Any, values: Sequence[Tensor]) -> Tensor:
        there = [backend.moved(x) for x in _stored(model, definition.inputs, values, k)]
        return call(backend.ready(space, cell), name, there).cpu()

    whole = output(manifold, free)
    result = _free(target, definition.output, whole)
    if not gradients:
        return whole.detach(), result.detach(), []
    if not result.requires_grad:
        return whole, result, [torch.zeros_like(x) for x in free]
    w = torch.ones_like(result) if cotangent is None else cotangent
    found = torch.autograd.grad(result, free, w, allow_unused=True)
    derivatives = [
        torch.zeros_like(x) if g is None else g for x, g in zip(free, found, strict=True)
    ]
    if k != 0 and isinstance(manifold, Manifold):
        rows = []
        for row in range(len(w)):  # one curvature a row, so that each has a gradient of its own
            space = build(model.name, k, learnable=True)
            if result.dtype == torch.float64:
                space = space.double()
            one = output(space, [x[row].detach() for x in inputs])
            one = _free(target, definition.output, one)
            if not one.requires_grad:
                rows.append(torch.zeros((), dtype=torch.float64))
                continue
            (g,) = torch.autograd.grad(one, list(space.parameters()), w[row], allow_unused=True)
            if g is not None and model.name == "Stereographic":
                g = g.double() * k  # its parameter is K, not log|K|
            rows.append(torch.zeros((), dtype=torch.float64) if g is None else g.double())
        derivatives.append(torch.stack(rows))
    return whole.detach(), result.detach(), derivatives
