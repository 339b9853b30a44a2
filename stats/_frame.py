"""Points as normal coordinates about a centre, in the frame carried there from the origin."""

from __future__ import annotations

import torch
from torch import Tensor

from ..manifolds import Manifold
from ..manifolds.checks import check_integer
from ..manifolds.solvers.newton import in_coordinates, logs
from ..manifolds.space_form import divided


def to_frame(op: str, manifold: Manifold, center: Tensor, x: Tensor) -> Tensor:
    """log_center x of points (..., m), in units of R: (..., n)."""
    (center, x), _ = manifold._to_unit(op, [("mean", center), ("x", x)])
    v = logs(manifold, center, x)  # of one point (m,) as of a set of one
    return v.reshape(*x.shape[:-1], v.shape[-1])


def from_frame(op: str, manifold: Manifold, center: Tensor, v: Tensor) -> Tensor:
    """The inverse of ``to_frame``: (..., n) -> (..., m)."""
    (center,), call = manifold._to_unit(op, [("mean", center)])
    step = in_coordinates(manifold, center, v.to(center.dtype))
    return manifold._from_unit_point(manifold._expmap(center, step), call)


def vectors_of_frame(op: str, manifold: Manifold, center: Tensor, v: Tensor) -> Tensor:
    """Tangent vectors at the centre with components v of length as they are: (..., m)."""
    (center,), call = manifold._to_unit(op, [("mean", center)])
    return manifold._from_unit_vector(in_coordinates(manifold, center, v.to(center.dtype)), call)


def in_radii(manifold: Manifold, length: Tensor) -> Tensor:
    """A length, or coordinates that are lengths, in units of R."""
    return divided(length, manifold._radius_in(length.dtype))


def check_sample(where: str, x: Tensor, n_components: int) -> None:
    """Reject what is no set (N, m) of points with that many components."""
    if x.ndim != 2 or len(x) < 1:
        raise ValueError(
            f"{where}: x has shape {tuple(x.shape)}; expected one set of points (N, m), N > 0."
        )
    check_integer(where, "n_components", n_components, 1)
    wrong = int((~x.isfinite()).any(-1).sum())
    if wrong:
        raise ValueError(
            f"{where}: {wrong} of {len(x)} points of x are not finite; expected finite points."
        )


def check_components(where: str, n_components: int, available: int, why: str) -> None:
    """Reject a number of components that there are not."""
    if not 1 <= n_components <= available:
        raise ValueError(
            f"{where}: n_components is {n_components}; expected 1 to {available}, {why}."
        )


def upright(axes: Tensor) -> Tensor:
    """Axes (k, n), which have no sign of their own, with their largest coordinates positive."""
    largest = axes.gather(-1, axes.abs().argmax(-1, keepdim=True))
    return torch.where(largest < 0, -axes, axes)
