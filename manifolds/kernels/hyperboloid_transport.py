"""Parallel transport on the hyperboloid of curvature -1, with its derivative written out.

On space parts P v = V + c (X + Y), c = <y, v>/(1 + cosh d). Far out V's radial part is T times
longer in coordinates than on the manifold and must not be left to cancel; so V, and on the way
back the gradient, are split along X, and what the radial parts add up to is written down.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from .custom_vjp import custom_vjp, subtract_scaled
from .hyperboloid_pair import Rise, carried_time, rise
from .radial_split import Ray, Split, outward_ray, split_off
from .vectors import dot, norm, normalize, relative_to_ray


class _Pair(NamedTuple):
    """Y as seen from X. Shapes (..., 1), but for ``side``; at unit curvature, but for ``side``."""

    side: Tensor
    """Y's part across X over T_y; all of Y where X is near the origin."""
    rest: Tensor
    """side.X T_y, what rounding left of the radial part; where nothing is split off, Y.X"""
    left: Tensor
    """The same as a share of X; 0 where nothing is split off."""
    square: Tensor
    """|Y's part across X|^2"""
    part: Tensor
    """Y is part X + T_y side, but for ``left``; 0 where nothing is split off."""
    product: Tensor
    """X.Y"""
    a: Tensor
    """P takes the unit radial vector at x to b Y + a X, for X far out; ..."""
    b: Tensor
    """... else V to V + b (X.V) (X + Y) + ..., a = b."""
    z: Tensor
    """1 + cosh d"""
    x2: Tensor
    y2: Tensor
    tx: Tensor
    ty: Tensor
    far: Tensor
    """1 where |X| > 1, else 0."""
    both: Tensor
    """The same of |Y| too."""


def _pair(x: Tensor, y: Tensor, area: float | Tensor) -> tuple[_Pair, Ray]:
    """1 + cosh d is sinh^2(d/2) of ``hyperboloid_pair``, twice, and 2, where both points are far
    out; else nothing cancels in 1 + T_x T_y - X.Y."""
    square_x = dot(x, x)
    x2, y2 = square_x / area, dot(y, y) / area
    tx, ty = (1 + x2).sqrt(), (1 + y2).sqrt()
    far = (x2 > 1).to(x.dtype)
    both = far * (y2 > 1).to(x.dtype)
    like = far * (((1 + ty) / (1 + tx) - 1.25).abs() <= 0.75).to(x.dtype)  # between 1/2 and 2

    ray = outward_ray(x, square_x, far, area, level=True)
    side, share, ahead, rest, left = split_off(subtract_scaled(y, x, like), ray)
    square = (dot(side, side) / area - rest * left).clamp(min=0)
    # No product with a vector overflows now.
    side = side / ty if torch.is_grad_enabled() else side.div_(ty)
    product = like * x2 + ahead + far * rest
    part = far * (like + share)

    size_x, size_y = x2.clamp(min=1).sqrt(), y2.clamp(min=1).sqrt()
    reach = product / size_x  # Y.X/|X|
    backwards = (reach < 0).to(x.dtype)
    behind = (1 - backwards) * square / (size_y + reach.abs()) + backwards * (size_y - reach)
    longer = like * (behind + (ahead + rest) / size_x) + (1 - like) * (size_y - size_x)
    sizes = size_x * size_y
    z = both * (2 + longer.square() / (1 + tx * ty + sizes) + size_x * behind)
    z = z + (1 - both) * (1 + tx * ty - product)
    # <y, v> for a unit radial v, T_x Y.X/|X| - |X| T_y.
    slope = both * (longer * (size_x + size_y) / (size_x * ty + size_y * tx) - tx * behind)
    slope = slope + (far - both) * (tx * reach - size_x * ty)
    b = (slope - (1 - far) * ty / tx) / z
    a = far * (tx + ty) / (size_x * z) + (1 - far) * b
    return _Pair(side, rest, left, square, part, product, a, b, z, x2, y2, tx, ty, far, both), ray


def _along(pair: _Pair, v: Split) -> Tensor:
    """V's radial component on the manifold; where nothing is split off, X.V"""
    size = pair.x2.clamp(min=1).sqrt()
    return pair.far * (v.ahead + v.rest) / (size * pair.tx) + (1 - pair.far) * v.ahead


def _value(x: Tensor, y: Tensor, v: Tensor, radius: Tensor | None = None) -> tuple[Tensor, ...]:
    """P v = V across X + c Y + e X."""
    x, y, v = x[..., 1:], y[..., 1:], v[..., 1:]
    length = 1.0 if radius is None else radius
    area = length * length
    pair, ray = _pair(x, y, area)
    parts = split_off(v, ray)
    along = _along(pair, parts)
    swept = dot(parts.side, pair.side) / area
    across = swept * (pair.ty / pair.z) - parts.left * (pair.rest / pair.z)  # <y, v across x>/z
    c, e = across + along * pair.b, across + along * pair.a
    moved = subtract_scaled(subtract_scaled(parts.side, y, -c), x, parts.left - e)
    # Of the space part as it was rounded: from a far x to a y near the origin that is T_x times the
    # rounding off what it should be.
    result = torch.cat([dot(y / (pair.ty * length), moved), moved], dim=-1)
    return result, parts.side, *ray[:3], along, parts.left, across, c, e, *pair


def _pull(inputs: Sequence[Tensor], kept: Sequence[Tensor], g: Tensor) -> tuple[Tensor, ...]:
    """With k = g.(x + y)/(1 + cosh d), in ambient coordinates:

    by v, p = g + k y; by x, c p + (g_t - k T_y)/T_x v; by y, c g + k P v: covectors, so that of a
    vector u at x stands U - u_t X/T_x. What has no lateral digits left is not subtracted: Pv - ...
    at y is put together from what is across X and, both points being far out, X's part across Y.
    """
    _, side_v, direction, unit, square, along, left_v, across, c, e = kept[:10]
    pair = _Pair(*kept[10:])
    length = 1.0 if len(inputs) < 4 else inputs[3]
    area = length * length
    x, gs = inputs[0][..., 1:], g[..., 1:]
    tx, ty, far, both = pair.tx, pair.ty, pair.far, pair.both
    split = split_off(gs, Ray(direction, unit, square, far, area))
    lean = g[..., :1] / (ty * length)  # the time part moves as Y does, over T_y
    share = far * pair.product / (pair.x2 + (1 - far))  # Y's along X
    on_x = split.ahead + far * split.rest
    on_y = (dot(split.side, pair.side) / area) * ty - split.left * pair.rest + share * on_x
    on_x, on_y = on_x + lean * pair.product, on_y + lean * pair.y2
    k = (on_x + on_y) / pair.z
    full = k + lean

    size = pair.x2.clamp(min=1).sqrt()
    radial = (pair.b * on_y + pair.a * on_x) * (far / (size * tx) + (1 - far))
    by_v = subtract_scaled(split.side, pair.side, -full * ty)
    by_v = subtract_scaled(by_v, x, split.left + full * pair.left - radial)

    turn = -k * ty / tx
    flat = along * (far / (size * tx) - (1 - far) / (tx * tx)) - left_v
    by_x = subtract_scaled(subtract_scaled(by_v * c, side_v, -turn), x, -turn * flat)

    # P v at y as a covector is side_v + (w - left) X + reach side.
    inverse = both / (pair.y2 + (1 - both))
    facing = pair.product * inverse
    rho = c / (ty * ty) - across * (pair.z / (ty * ty))
    rho = rho + e * ((facing - (1 - both) * pair.product) / (ty * ty))
    w = e * (pair.square * inverse + (1 - both)) + share * rho
    reach = rho - e * facing
    on_side = full * reach + c * lean
    by_y = subtract_scaled(gs * c, side_v, -full)
    by_y = subtract_scaled(by_y, pair.side, -on_side * ty)
    by_y = subtract_scaled(by_y, x, full * (left_v - w) + on_side * pair.left - c * lean * share)
    zero = torch.zeros_like(lean * c)
    return tuple(torch.cat([zero, d], dim=-1) for d in (by_x, by_y, by_v))


def _turn(inputs: Sequence[Tensor], kept: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """R d/dR at fixed space parts, near the origin and farther out."""
    x, y, v, radius = *(u[..., 1:] for u in inputs[:3]), inputs[3]
    seen = rise(x, y, radius * radius)
    near = (torch.maximum(seen.tx, seen.ty) <= 4) & (torch.minimum(seen.tx, seen.ty) <= 1.5)
    far = _turn_far(x, y, v, kept[0][..., 1:], radius, seen)
    space = torch.where(near, _turn_near(x, y, v, radius, seen), far)
    return carried_time(space, y, kept[0][..., :1], seen.ty, radius), torch.ones_like(near)


def _turn_near(x: Tensor, y: Tensor, v: Tensor, radius: Tensor, seen: Rise) -> Tensor:
    """What moves of V + c (x + y) is c = <y, v>/(1 + cosh d)."""
    area, tx, ty = radius * radius, seen.tx, seen.ty
    xv = dot(x, v) / area
    z = 1 + tx * ty - dot(x, y) / area
    c = (dot(y - x, v) / area - seen.gain / tx * xv) / z
    square = (seen.gain / tx) * (seen.gain / ty)
    # Of <y, v> = y.v - (T_y/T_x) x.v over R^2, and of 1 + cosh d.
    inner = seen.gain * (tx + ty) / (tx * tx * tx * ty) * xv / z
    own = inner - 2 * c - c * (square - 2 * (z - 2)) / z
    return own * (x + y)


def _turn_far(x: Tensor, y: Tensor, v: Tensor, moved: Tensor, radius: Tensor, seen: Rise) -> Tensor:
    r"""In the frames of the outward rays e at x and y, n across them in the plane of both.

    With theta the angle between the rays and A the area of the triangle of x, y and the origin,
    P turns a vector (alpha, beta) by phi = -(theta + A), and its coordinates are T alpha along e.
    With q = tanh(r_x/2) tanh(r_y/2), p = tanh r_x tanh r_y and u = (1 - q) cos(theta/2)
    + i (1 + q) sin(theta/2), phi is -2 arg u, and R d/dR phi = -p sin phi. So nothing is left that
    is longer than the sum: far out, where a change of R moves all points by about as much, that is
    1/T^2 of P v and of what it owes to each input.

    With one end near the origin, where the rays may be at a right angle and the whole as short as
    that end is near, from P v itself, ``moved``, and with what is left of it there by itself.
    """
    tx, ty = seen.tx, seen.ty
    x, y, step = x / radius, y / radius, (y - x) / radius
    size_x, size_y = norm(x), norm(y)
    # At the origin, which has no outward ray, that of the other point.
    alone = (size_x == 0) | (size_y == 0)
    ray_y = torch.where(size_y == 0, x, y)
    ray_x = torch.where(size_x == 0, y, x)
    e, _, side, reach, _ = relative_to_ray(ray_x, ray_y, step.where(~alone, 0.0))
    length = norm(ray_y)
    length = length.where(length > 0, 1.0)
    cos, sin = reach / length, norm(side) / length
    n = normalize(side)[0]

    half = ((1 + cos.abs()) / 2).sqrt()
    c, s = (torch.where(o, sin / half / 2, half) for o in (cos < 0, cos >= 0))
    q = (size_x / (1 + tx)) * (size_y / (1 + ty))
    c, s = c * 2 * ((tx + ty) / (1 + tx)) / (1 + ty) / (1 + q), s * (1 + q)
    root = (c * c + s * s).sqrt()
    c, s = c / root, s / root
    sin_phi, cos_phi = -2 * c * s, (c - s) * (c + s)

    h_x, h_y = size_x / tx, size_y / ty  # tanh r
    p = h_x * h_y
    fall = -(seen.gain / tx) / ty * (1 / tx + 1 / ty)  # 1/T_y^2 - 1/T_x^2
    total = h_x + h_y
    share = fall / total.where(total > 0, 1.0)
    along = dot(v, e)
    side_v = subtract_scaled(v, e, along)
    alpha = (along + dot(side_v, e)) * (
        ty / tx
    )  # times T_y, by which it is too short for a product
    beta = dot(side_v, n) - dot(side_v, e) * dot(e, n)
    # One end near: a' e_y + b' n_y is P v in the plane, and cos A, sin A from 1 - q e^(-i theta).
    real, imaginary = 1 - q * cos, q * sin
    whole = real * real + imaginary * imaginary
    cos_a, sin_a = (real - imaginary) * (real + imaginary) / whole, 2 * real * imaginary / whole
    cos_b, sin_b = cos * cos_a - sin * sin_a, -(sin * cos_a + cos * sin_a)
    e_y, n_y, turned_along = cos * e + sin * n, cos * n - sin * e, alpha / ty * cos_b - beta * sin_b
    turned_across = alpha / ty * sin_b + beta * cos_b
    lifted = size_y * (size_y / (1 + ty)) * cos_b * e_y + cos_a * e - sin_a * n
    mixed = h_x * h_x * (alpha / ty) * lifted - y / ty * dot(y / ty, moved)
    mixed = mixed + p * sin_b * (ty * turned_across * e_y - turned_along * n_y)

    radial = alpha * (cos_phi * fall + p * sin_phi * sin_phi)
    radial = radial + ty * beta * sin_phi * (c * c * (p + h_y * h_y) - s * s * h_y * share)
    angular = alpha / ty * sin_phi * (s * s * (p + h_x * h_x) + c * c * h_x * share)
    angular = angular + beta * p * sin_phi * sin_phi
    one_near = torch.minimum(tx, ty) <= 1.5
    return torch.where(one_near, mixed, e_y * radial + n_y * angular)


transport = custom_vjp(_value, _pull, scaled=2, degree=0, turn=_turn)
