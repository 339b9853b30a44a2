"""Where a dtype ends: what results it can hold, and which vectors lead beyond every dtype."""

from __future__ import annotations

import math

import numpy as np
import torch
from mpmath import mp

from .chart_models import MODELS
from .conditioning import Answer, Argument, Problem, norm_of
from .maps import NORMAL, POINT, TANGENT0, Definition
from .models import Model
from .yardstick import unit_arguments

_FARTHEST = 750.0  # a tangent vector longer than this ends outside every dtype


def too_long(
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


def inside_of(
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
        return bool(size < (1 - 3.5 * torch.finfo(dtype).eps) * radius)
    return True


def within_reach(
    model: Model, definition: Definition, problem: Problem, radius: float, dtype: torch.dtype
) -> bool:
    """Whether the dtype can hold the point where the result is."""
    target = MODELS[definition.target] if definition.target else model
    if model.sign == 0 or definition.end is None:
        return True
    with mp.workdps(problem.digits):
        t = definition.end(model.space(), *unit_arguments(definition, problem, mp.mpf(radius)))[0]
        reach = mp.mpf(target.reach(dtype, radius))
        return bool(t <= mp.cosh(reach) if model.sign < 0 else t >= mp.cos(reach))
