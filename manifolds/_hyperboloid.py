"""Kernels of the hyperboloid of curvature -1, on the space parts of points and tangent vectors.

``step`` is y - x throughout, T the time part sqrt(1 + |x|^2).
"""

import math

import torch
from torch import Tensor

from ._numerics import dot, norm, power_of_two, seen_from, unit


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


def chord(x: Tensor, y: Tensor, step: Tensor) -> Tensor:
    r"""A vector (..., n + 2) of norm sinh(d/2), symmetric in x and y.

    Let s be the shorter and l the longer of the two, D = l - s, r the distance from the origin.

    * |s| > 1: the hyperbolic haversine, a radial and an angular part,
      sinh^2((r_l - r_s)/2) + |l||s| sin^2(theta/2). With
      sinh^2((r_l - r_s)/2) = (|l| - |s|)^2 / (2 (1 + T_l T_s + |l||s|)) and
      |l||s| sin^2(theta/2) = |s|/|l| |V|^2 / 4, V = D - (|l| - |s|) s/|s|, whose component
      along s is l.s/|s| - |l| = -|D_across|^2 / (|l| + l.s/|s|): far out, taken as a difference,
      it would be rounding T times the size of the rest.
    * |s| <= 1: the ball's formula, the points brought there by x/(1 + T),
      (1 + T_s)/(1 + T_l) |D - (T_l - T_s) s/(1 + T_s)|^2 / 4, smooth at the origin, where the
      directions of the first form do not exist. Used further out it would cancel by a factor T.

    The differences of lengths come from D.(l + s), so every term is 0 at x = y and nothing
    cancels elsewhere.
    """
    x2, y2 = dot(x, x), dot(y, y)
    swap = x2 < y2
    l, s = torch.where(swap, y, x), torch.where(swap, x, y)
    l2, s2 = torch.where(swap, y2, x2), torch.where(swap, x2, y2)
    tl, ts = (1 + l2).sqrt(), (1 + s2).sqrt()
    step = torch.where(swap, step, -step)
    product = dot(step, l + s)  # |l|^2 - |s|^2

    far = s2 > 1
    length_l, length_s = l2.where(far, 1.0).sqrt(), s2.where(far, 1.0).sqrt()
    radial = product / (length_l + length_s) / (1 + tl * ts + length_l * length_s).sqrt()
    # The part of D along s is taken away as a multiple of s, not of s/|s|, whose rounding would
    # count T times where D is radial; and twice, because what the first time leaves of it would.
    # Where twice is not enough only s along an axis has a lateral part to lose, and s/|s| is exact.
    distant = s2 * torch.finfo(x.dtype).eps > 1
    along_s = torch.where(distant, s / length_s, s)
    square, size = (t.where(far & ~distant, 1.0) for t in (s2, length_s))
    share = dot(step, along_s) / square
    across = step - torch.where(far, share, product / (tl + ts) / (1 + ts)) * along_s
    across = across - (dot(across, along_s) / square).where(far, 0.0) * along_s
    ahead = share * size
    reach = length_s + ahead  # l.s/|s|
    behind = reach < 0
    total = (length_l + reach).where(far & ~behind, 1.0)
    along = torch.where(behind, reach - length_l, -dot(across, across) / total)
    scale = torch.where(far, length_s / length_l, (1 + ts) / (1 + tl)).sqrt() / 2
    parts = [radial.where(far, 0.0) / math.sqrt(2), scale * along.where(far, 0.0), scale * across]
    return torch.cat(parts, dim=-1)


def haversine(x: Tensor, y: Tensor, step: Tensor) -> Tensor:
    """sinh^2(d/2)."""
    half = chord(x, y, step)
    return dot(half, half)


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


def transport(x: Tensor, y: Tensor, step: Tensor, v: Tensor) -> Tensor:
    """Space part of v at x, transported to y. Three forms, by where the points are."""
    far_x, far_y = dot(x, x) > 1, dot(y, y) > 1
    both = far_x & far_y
    # Where a form is not used it is given points for which it is defined.
    some = torch.ones_like(x)
    scale = power_of_two(v)  # the map is linear in v, whose products with points may overflow
    v = v / scale
    x_far, y_far, y_near = x.where(far_x, some), y.where(both, some), y.where(~far_y, some * 0)
    far = _transport_far(x.where(both, some), y_far, step.where(both, 0.0), v)
    inwards = _transport_inwards(x_far, y_near, y_near - x_far, v)
    near = _transport_near(x, y, step, v)
    return torch.where(far_x, torch.where(far_y, far, inwards), near) * scale


def _transport_near(x: Tensor, y: Tensor, step: Tensor, v: Tensor) -> Tensor:
    """v + <y, v>/(1 + cosh d) (x + y); with x far out these terms would cancel."""
    tx, ty = time(x), time(y)
    # <y, v> = <y - x, v>, as <x, v> = 0; and 1 + cosh d = 2 (1 + h).
    product = dot(step, v) - dot(x / tx, v) * (dot(step, x + y) / (tx + ty))
    return v + product / (2 * (1 + haversine(x, y, step))) * (x + y)


def _transport_inwards(x: Tensor, y: Tensor, step: Tensor, v: Tensor) -> Tensor:
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
    turn = (1 + tx) * (1 + ty) / (2 * (1 + haversine(x, y, step)))
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
