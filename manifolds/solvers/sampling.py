"""Random points of any manifold, in normal coordinates about its origin."""

from __future__ import annotations

import math
from numbers import Integral
from typing import Any

import torch
from torch import Tensor

from ..checks import check_number
from ..kernels.arithmetic.vectors import norm
from ..space_form import SpaceForm

_NODES = 4096


def random_normal(manifold: SpaceForm, size: tuple[int, ...], std: float, **options: Any) -> Tensor:
    """The v of :meth:`Manifold.random_normal`'s points; ``options`` as for ``torch.randn``."""
    _check_size(manifold, "random_normal", size)
    check_number(f"{type(manifold).__name__}.random_normal", "std", std)
    if not 0 <= std < math.inf:
        raise ValueError(
            f"{type(manifold).__name__}.random_normal: std is {std}; expected a finite number, "
            "not negative."
        )
    return std * torch.randn(size, **options)


def random_uniform(
    manifold: SpaceForm, size: tuple[int, ...], radius: float | None, **options: Any
) -> Tensor:
    """The v of :meth:`Manifold.random_uniform`'s points; ``options`` as for ``torch.randn``."""
    _check_size(manifold, "random_uniform", size)
    k = manifold.curvature.item()
    sign = (k > 0) - (k < 0)
    unit_length = abs(k) ** -0.5 if sign else 1.0
    largest = math.pi * unit_length if sign > 0 else math.inf
    if radius is None:
        radius = min(largest, 1.0) if sign <= 0 else largest
    check_number(f"{type(manifold).__name__}.random_uniform", "radius", radius)
    if not 0 < radius <= largest * (1 + 1e-12):
        raise ValueError(
            f"{type(manifold).__name__}.random_uniform: radius is {radius}; expected a positive "
            f"number{f', at most pi R = {largest:g}' if sign > 0 else ''}."
        )
    z = torch.randn(size, **options)
    t = torch.rand((*size[:-1], 1), **{**options, "dtype": z.dtype})
    reach = radius / unit_length
    r = _radius_uniform_in_ball(t, n=size[-1], reach=reach, sign=sign)
    return unit_length * r * z / norm(z)


def _check_size(manifold: SpaceForm, op: str, size: tuple[int, ...]) -> None:
    whole: tuple[object, ...] = size
    good = all(isinstance(k, Integral) and int(k) >= 0 for k in whole)
    if not size or not good or int(size[-1]) < 1:
        raise ValueError(
            f"{type(manifold).__name__}.{op}: size is {size}; expected leading sizes and then the "
            "dimension n >= 1 of the space."
        )


def _radius_uniform_in_ball(t: Tensor, *, n: int, reach: float, sign: int) -> Tensor:
    """Distances from the origin of points uniform in a geodesic ball of the unit space form.

    The density is proportional to sn(r)^(n-1) on [0, reach]. Its logarithm is integrated by the
    trapezium rule on 4,096 nodes relative to its maximum, so n in the hundreds and reach in the
    tens neither overflow nor vanish.

    Args:
        t: uniform numbers in [0, 1), any shape.
        n: the dimension, at least 1.
        reach: radius of the ball at unit curvature.
        sign: sign of the curvature.
    """
    r = torch.linspace(0, reach, _NODES + 1, dtype=torch.float64, device=t.device)
    inner = r[1:]
    if sign < 0:  # log sinh r without overflow
        log_sn = inner + (-(-2 * inner).exp()).log1p() - torch.log(torch.tensor(2.0))
    elif sign > 0:
        log_sn = inner.sin().clamp(min=torch.finfo(torch.float64).tiny).log()
    else:
        log_sn = inner.log()
    log_density = (n - 1) * log_sn
    density = (log_density - log_density.max()).exp()
    start = torch.ones(1, dtype=r.dtype, device=r.device) if n == 1 else r[:1] * 0
    density = torch.cat([start, density])
    cumulative = torch.cumulative_trapezoid(density, r)
    cumulative = torch.cat([r[:1] * 0, cumulative / cumulative[-1]])
    u = t.double()
    right = torch.searchsorted(cumulative, u, right=True).clamp(1, _NODES)
    low, high = cumulative[right - 1], cumulative[right]
    share = (u - low) / (high - low).where(high > low, 1.0)
    return (r[right - 1] + share * (r[right] - r[right - 1])).to(t.dtype)
