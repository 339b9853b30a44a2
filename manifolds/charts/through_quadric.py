"""Operations that know coordinates, on the models that they do not know: by way of the quadric."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import torch
from torch import Tensor

from .chart_manifold import ChartManifold
from .convert import convert, convert_vector

P = ParamSpec("P")
T = TypeVar("T")

Give = Callable[[ChartManifold, Any, torch.dtype], Any]
"""What becomes of a result: of the model, the result on the quadric, the dtype of the arguments."""


def number(model: ChartManifold, value: Tensor, dtype: torch.dtype) -> Tensor:
    """A result that has no coordinates."""
    return value.to(dtype)


def point(model: ChartManifold, q: Tensor, dtype: torch.dtype) -> Tensor:
    """A result that is a point."""
    return convert(q, model.quadric, model).to(dtype)


def through_quadric(
    *points: str, vectors: Mapping[str, str] | None = None, give: Give = number
) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Let an operation (manifold, ...) take a :class:`ChartManifold`: its quadric takes its place.

    Args:
        points: the arguments that are points.
        vectors: the arguments that are tangent vectors, and the argument at which they are.
        give: what becomes of the result: :func:`number`, :func:`point`, or one's own.
    """
    vectors = vectors or {}

    def decorate(operation: Callable[P, T]) -> Callable[P, T]:
        signature = inspect.signature(operation)

        @wraps(operation)
        def on_any_model(*args: P.args, **options: P.kwargs) -> T:
            manifold = args[0] if args else options.get("manifold")
            if not isinstance(manifold, ChartManifold):
                return operation(*args, **options)
            bound = signature.bind(*args, **options)
            given = bound.arguments
            named = [(name, given[name]) for name in points]
            tangents = [(name, given[name]) for name in vectors]
            dtypes = [v.dtype for v in given.values() if _is_real(v)]
            for name, x in named:
                at = [(v, w) for v, w in tangents if vectors[v] == name]
                manifold._to_unit(operation.__name__.removeprefix("_"), [(name, x)], at)
            space = manifold.quadric
            for name, at_point in vectors.items():
                base = given[at_point].double()
                given[name] = convert_vector(base, given[name].double(), manifold, space)
            for name, x in named:
                given[name] = convert(x.double(), manifold, space)
            given[next(iter(signature.parameters))] = space
            result = operation(*bound.args, **bound.kwargs)
            return give(manifold, result, _promoted(dtypes))  # type: ignore[no-any-return]

        return on_any_model

    return decorate


def _is_real(value: object) -> bool:
    return isinstance(value, Tensor) and value.is_floating_point()


def _promoted(dtypes: list[torch.dtype]) -> torch.dtype:
    dtype = dtypes[0]
    for other in dtypes[1:]:
        dtype = torch.promote_types(dtype, other)
    return dtype
