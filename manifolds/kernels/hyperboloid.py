"""Kernels of the hyperboloid of curvature -1, on the space parts of points and tangent vectors.

``step`` is y - x throughout, T the time part sqrt(1 + |x|^2).
"""

import torch
from torch import Tensor

from .custom_vjp import direction as ray_of
from .special import curved
from .vectors import dot, norm, relative_to_ray

Number = float | Tensor


def time(x: Tensor, k: Number = 1.0) -> Tensor:
    """T, at the curvature -k; k = 1 but for its derivative."""
    return (1 + curved(dot(x, x), k)).sqrt()


def lift(x: Tensor, k: Number = 1.0) -> Tensor:
    """(T, x)."""
    t = time(x, k)
    return torch.cat([t if isinstance(k, float) else t * k.rsqrt(), x], dim=-1)


def tangent(x: Tensor, v: Tensor, k: Number = 1.0) -> Tensor:
    """(v_t, v) with <(T, x), (v_t, v)> = 0."""
    t = dot(x / time(x, k), v)
    return torch.cat([t if isinstance(k, float) else t * k.sqrt(), v], dim=-1)


def across_along(x: Tensor, v: Tensor, k: Number = 1.0) -> tuple[Tensor, Tensor]:
    """v in an orthonormal frame at x: a vector and one further, radial component times sqrt k.

    For |x| > 1 the radial component is x.v/(|x| T), split off first: far out v's radial part is
    T times longer in coordinates than on the manifold, and left inside one vector its rounding
    would cover the rest. For |x| <= 1, where nothing is lost, the frame is the one carried from
    the origin, smooth at x = 0 where a radial direction does not exist.
    """
    x2 = dot(x, x)
    far = x2 > 1
    direction = torch.where(far, ray_of(x.where(far, 1.0)), x)  # x itself where it is short
    component = dot(direction, v)
    t = (1 + curved(x2.where(~far, 0.0), k)).sqrt()
    across = v - torch.where(far, component, curved(component, k) / (t * (1 + t))) * direction
    # Once more: what rounding left of the radial part would count in full.
    across = across - dot(direction, across).where(far, 0.0) * direction
    # Over |x| and T/|x| one after the other: a gradient by T itself may be below the smallest
    # number of float32, where T is 2^40; and of T/|x| the derivative by k is 1/T^2.
    long = x.where(far, 1.0)
    steepness = (1 + 1 / dot(long, long) / k).sqrt()
    along = component / norm(long) / steepness
    return across, along.where(far, component * 0)


def outward(x: Tensor, y: Tensor, step: Tensor, k: Number = 1.0) -> tuple[Tensor, Tensor]:
    """(side, along): a positive multiple of log_x(y) in the frame of the outward ray at x.

    ``side`` is a vector orthogonal to x. Both are 0 at x = y, and at x = 0, where the ray does
    not exist.
    """
    tx, ty = time(x, k), time(y, k)
    _, size, side, reach, ahead = relative_to_ray(x, y, step)
    # T_x reach - |x| T_y, rationalised where both terms are positive and may cancel.
    opposite = reach < 0
    total = (tx * reach + size * ty).where(~opposite & (size > 0), 1.0)
    swept = size * norm(side)
    difference = ahead * ((size + reach) / total) - swept * (curved(swept, k) / total)
    along = torch.where(opposite, tx * reach - size * ty, difference)
    return side * (size > 0), along * (size > 0)
