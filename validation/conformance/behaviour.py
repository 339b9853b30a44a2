"""What holds of every map whatever it computes: shapes, dtypes, arguments, corners."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import Tensor

from .example import Situation, readable
from .maps import covector
from .properties import ARGUMENTS, VALUES, Broken, agree, exp_bound, holds, number

_VALUES = [name for name in ARGUMENTS if not name.startswith("is_")]


def _arguments(s: Situation, name: str) -> list[Tensor]:
    return [getattr(s, f).clone() for f in ARGUMENTS[name]]


def _results(m: Any, s: Situation, names: Iterable[str]) -> Iterator[tuple[str, Tensor]]:
    """Each map's result; a map that raises is for maps_run to report, not for every property."""
    for name in names:
        call = getattr(m, name)
        if call is not None:
            with contextlib.suppress(Exception):
                yield name, call(*_arguments(s, name))


@holds("every map takes its arguments", "", "xyuv", corners=False)
def maps_run(m: Any, s: Situation, u: float) -> None:
    for name, fields in ARGUMENTS.items():
        if (call := getattr(m, name)) is not None:
            try:
                call(*_arguments(s, name))
            except Exception as error:
                raised = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
                raise Broken(f"{name}({', '.join(fields)}) raised {raised}") from None


@holds("no map gives NaN or infinity, whatever point or vector it is given", "", "xyuv", huge=True)
def finite_values(m: Any, s: Situation, u: float) -> None:
    # An inner product of huge vectors, a squared length or a gradient times the inverse metric may
    # be out of the dtype's range in exact arithmetic.
    names = [name for name in _VALUES if name not in ("inner", "sqdist", "egrad2rgrad")]
    for name, result in _results(m, s, names):
        if not result.isfinite().all():
            raise Broken(f"{name}({', '.join(ARGUMENTS[name])}) = {readable(result)}")


@holds("no gradient is NaN or infinite", "", "xyv", huge=True)
def finite_gradients(m: Any, s: Situation, u: float) -> None:
    for name in ("dist", "sqdist", "expmap", "logmap", "transport"):
        call = getattr(m, name)
        # At antipodes directions to y are many, and logmap has no derivative.
        if call is None or (name in ("logmap", "transport") and s.relation == "antipodal"):
            continue
        arguments = [a.requires_grad_() for a in _arguments(s, name)]
        result = call(*arguments)
        result = (result * covector(result)).sum() if result.ndim else result
        gradients = torch.autograd.grad(result, arguments, allow_unused=True)
        for field, g in zip(ARGUMENTS[name], gradients, strict=True):
            if g is not None and not g.isfinite().all():
                raise Broken(f"the gradient of {name} in {field} is {readable(g)}")


@holds("no map changes its arguments in place", "", "xyuv", corners=False)
def arguments_unchanged(m: Any, s: Situation, u: float) -> None:
    for name in _VALUES:
        call = getattr(m, name)
        before, given = _arguments(s, name), _arguments(s, name)
        if call is not None:
            with contextlib.suppress(Exception):
                call(*given)
        for field, a, b in zip(ARGUMENTS[name], before, given, strict=True):
            if not torch.equal(a, b):
                said = "g" if name == "egrad2rgrad" and field == "v" else field
                raise Broken(f"{name} has changed {said} from {readable(a)} to {readable(b)}")


@holds("a result has the dtype of its arguments", "", "xyuv", corners=False)
def dtype_kept(m: Any, s: Situation, u: float) -> None:
    for name, result in _results(m, s, _VALUES):
        if result.dtype != s.dtype:
            raise Broken(f"{name} gives {result.dtype} for {s.dtype}")


@holds("leading axes broadcast: a batch is its rows one by one", "", "xyuv", corners=False)
def broadcasting(m: Any, s: Situation, u: float) -> None:
    # x, u, v with leading axes (3, 1); y with (2,).
    scale = torch.tensor([1.0, 0.5, -0.25], dtype=s.dtype).view(3, 1, 1)
    batch = {"x": s.x.expand(3, 1, -1), "u": scale * s.u, "v": scale * s.v}
    batch["y"] = torch.stack([s.y, s.x])
    for name, single in _results(m, s, _VALUES):
        call, fields = getattr(m, name), ARGUMENTS[name]
        result = call(*(batch[f] for f in fields))
        axes = [tuple(batch[f].shape[:-1]) for f in fields]
        leading: tuple[int, ...] = torch.broadcast_shapes(*axes)  # type: ignore[no-untyped-call]
        if result.shape != (*leading, *single.shape):
            raise Broken(
                f"{name} of leading axes {', '.join(map(str, axes))} has shape "
                f"{tuple(result.shape)}; expected {(*leading, *single.shape)}"
            )
        rows = [
            call(*(batch[f][j] if f == "y" else batch[f][i, 0] for f in fields))
            for i in range(leading[0])
            for j in range(leading[1])
        ]
        each = torch.stack(rows).view(result.shape)
        # Vectorised and scalar code may differ in the last place, and conditioning amplifies it.
        bound = exp_bound(s, s.x, s.v, s.y) + float(each.detach().double().abs().max())
        error = float((result - each).detach().double().abs().max())
        agree(f"{name} of a batch differs from {name} of its rows", error, VALUES * u * bound)


@holds("is_point and is_tangent say yes to points and tangent vectors", "is_point", "xv")
def points_are_recognised(m: Any, s: Situation, u: float) -> None:
    if not bool(m.is_point(s.x)):
        raise Broken("is_point(x) is false")
    if m.is_tangent is not None and not bool(m.is_tangent(s.x, s.v)):
        raise Broken("is_tangent(x, v) is false")


@holds("random_normal spreads as its std says", "random_normal dist", "x", once=True)
def random_normal_spread(m: Any, s: Situation, u: float) -> None:
    sizes, n, number_of_points = [], len(s.normal["x"]), 4000
    origin = s.domain.rounded(s.domain.point(torch.zeros(n, dtype=torch.float64)), s.dtype)
    for std in (0.1, 0.2):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            x = m.random_normal(number_of_points, n, std * s.domain.radius, s.dtype)
        sizes.append(number(m.dist(origin, x).double().square().mean().sqrt()))
    what = (
        f"the mean distance from the origin grows by a factor of {sizes[1] / sizes[0]:.3g} when "
        "std doubles"
    )
    # The same seed: on flat space the factor is 2 exactly; 0.2 R is nearly flat.
    agree(what, abs(sizes[1] / sizes[0] - 2), 0.1)
