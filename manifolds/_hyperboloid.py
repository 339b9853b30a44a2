"""Kernels of the hyperboloid of curvature -1, on the space parts of points and tangent vectors.

``step`` is y - x throughout, T the time part sqrt(1 + |x|^2).
"""

import torch
from torch import Tensor

from ._numerics import chosen, dot, norm, power_of_two, seen_from, unit


def time(x: Tensor) -> Tensor:
    """T."""
    return (1 + dot(x, x)).sqrt()


def lift(x: Tensor) -> Tensor:
    """(T, x)."""
    return torch.cat([time(x), x], dim=-1)


def tangent(x: Tensor, v: Tensor) -> Tensor:
    """(v_t, v) with <(T, x), (v_t, v)> = 0."""
    return torch.cat([dot(x / time(x), v), v], dim=-1)


def across_along(x: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    """v in an orthonormal frame at x: a vector and one further, radial component.

    For |x| > 1 the radial component is x.v/(|x| T), split off first: far out v's radial part is
    T times longer in coordinates than on the manifold, and left inside one vector its rounding
    would cover the rest. For |x| <= 1, where nothing is lost, the frame is the one carried from
    the origin, smooth at x = 0 where a radial direction does not exist.
    """
    x2 = dot(x, x)
    far = x2 > 1
    t = (1 + x2).sqrt()
    direction = x / x2.where(far, 1.0).sqrt()  # x itself where it is short
    component = dot(direction, v)
    across = v - torch.where(far, component, component / (t * (1 + t))) * direction
    # Once more: what rounding left of the radial part would count in full.
    across = across - dot(direction, across).where(far, 0.0) * direction
    return across, (component / t).where(far, component * 0)


def outward(x: Tensor, y: Tensor, step: Tensor) -> tuple[Tensor, Tensor]:
    """(side, along): a positive multiple of log_x(y) in the frame of the outward ray at x.

    ``side`` is a vector orthogonal to x. Both are 0 at x = y, and at x = 0, where the ray does
    not exist.
    """
    tx, ty = time(x), time(y)
    _, size, side, reach, ahead = seen_from(x, y, step)
    # T_x reach - |x| T_y, rationalised where both terms are positive and may cancel.
    opposite = reach < 0
    total = (tx * reach + size * ty).where(~opposite & (size > 0), 1.0)
    swept = size * norm(side)
    difference = ahead * ((size + reach) / total) - swept * (swept / total)
    along = torch.where(opposite, tx * reach - size * ty, difference)
    return side * (size > 0), along * (size > 0)


def transport(x: Tensor, y: Tensor, step: Tensor, v: Tensor, h: Tensor) -> Tensor:
    """Space part of v at x, transported to y; h = sinh^2(d/2). Three forms, by where they are."""
    far_x, far_y = (dot(x, x) > 1).to(x.dtype), (dot(y, y) > 1).to(x.dtype)
    both = far_x * far_y
    # Where a form is not used it is given points for which it is defined, and all are finite.
    scale = power_of_two(v)  # the map is linear in v, whose products with points may overflow
    v = v / scale
    far = _transport_far(chosen(x, both), chosen(y, both), step * both, v)
    inwards = _transport_inwards(chosen(x, far_x), y * (1 - far_y), v, h)
    near = _transport_near(x * (1 - far_x), y * (1 - far_x), step * (1 - far_x), v, h)
    moved = near * ((1 - far_x) * scale)
    moved = torch.addcmul(moved, inwards, far_x * (1 - far_y) * scale)
    return torch.addcmul(moved, far, both * scale)


def _transport_near(x: Tensor, y: Tensor, step: Tensor, v: Tensor, h: Tensor) -> Tensor:
    """v + <y, v>/(1 + cosh d) (x + y); with x far out these terms would cancel."""
    tx, ty = time(x), time(y)
    # <y, v> = <y - x, v>, as <x, v> = 0; and 1 + cosh d = 2 (1 + h).
    product = dot(step, v) - dot(x / tx, v) * (dot(step, x + y) / (tx + ty))
    return v + product / (2 * (1 + h)) * (x + y)


def _transport_inwards(x: Tensor, y: Tensor, v: Tensor, h: Tensor) -> Tensor:
    """|x| > 1 >= |y|: radially to the origin, a rotation by the triangle's area, radially to y.

    The rotation is the gyration of p = y/(1 + T_y) and q = x/(1 + T_x) on the ball: with
    B w = q (p.w) - p (q.w), it is w + 2 ((1 - p.q) B w + B B w)/|1 - p.q + B|^2.
    """
    tx, ty = time(x), time(y)
    across, along = across_along(x, v)
    w = across + along * unit(x)[0]
    q, p = x / (1 + tx), y / (1 + ty)
    facing = 1 - dot(p, q)
    swung = q * dot(p, w) - p * dot(q, w)
    again = q * dot(p, swung) - p * dot(q, swung)
    turn = (1 + tx) * (1 + ty) / (2 * (1 + h))
    w = w + turn * (facing * swung + again)
    return w + dot(y, w) / (1 + ty) * y


def _transport_far(x: Tensor, y: Tensor, step: Tensor, v: Tensor) -> Tensor:
    r"""|x|, |y| > 1: a rotation of the frames of the outward rays at x and y.

    The geodesic meets the rays at angles whose difference phi is the sum of the triangle's angles
    at x and y less pi. By Napier's analogy, theta the angle at the origin,

    tan(phi/2) = -tan(theta/2) cosh((r_x + r_y)/2)/cosh((r_x - r_y)/2),

    to full relative accuracy. A rotation about the origin would have to be exact to a part in T,
    by which the radial component grows when the frame is left. Written in two multiples of e, the
    direction across the ray at x in which y lies: q = sin(theta) e, and ``turn`` whose length is
    |tan(phi/2)| or its inverse, the one that is 0 with theta. They need no norm and are smooth
    where they vanish.
    """
    tx, ty = time(x), time(y)
    across, along = across_along(x, v)
    outward_x, size_x, side, reach, _ = seen_from(x, y, step)
    outward_y, size_y = unit(y)
    q, cosine = side / size_y, reach / size_y
    spread = (1 + tx * ty + size_x * size_y).sqrt()  # of 1 + cosh(r_x + r_y)
    lengths = dot(step, x + y) / (size_x + size_y)  # |y| - |x|
    ratio = (2 + (lengths / spread).square()).sqrt() / spread
    ahead = cosine >= 0
    sign = torch.where(ahead, 1.0, -1.0)
    wide = 1 + sign * cosine  # 1 + |cosine|, with a slope where it is 0
    turn = q * torch.where(ahead, 1 / (wide * ratio), ratio / wide)
    # Its sine and cosine, never 1/(1 + turn^2): the square of that vanishes in a gradient.
    hypotenuse = (1 + dot(turn, turn)).sqrt()
    cos, sin = 1 / hypotenuse, turn / hypotenuse
    stay = sign * (1 - 2 * dot(sin, sin))  # cos(phi)
    cosine = sign * (1 - dot(q, q) / wide)
    swing, sway = dot(q, across), dot(sin, across)
    lateral = 2 * (cos * cosine * along + sway) * sin + sign * stay * swing / wide * q
    inward = stay * swing - 2 * cos * dot(q, sin) * along
    outward = stay * along + 2 * cos * sway
    return across - lateral - inward * outward_x + outward * ty * outward_y
