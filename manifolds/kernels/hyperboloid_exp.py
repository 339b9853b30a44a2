"""The exponential map of the hyperboloid of curvature -1, with its derivative written out."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from .custom_vjp import custom_vjp, subtract_scaled
from .radial_split import outward_ray, split_off, squared
from .special import coth_fraction, sinhc
from .vectors import dot, largest_entry, normalize


def farthest(dtype: torch.dtype) -> float:
    """Length of the space part of the farthest points: three factors of this size, as in the
    rounding error of a transport, must not overflow."""
    return 2.0**40 if dtype == torch.float32 else 2.0**340


def longest(dtype: torch.dtype) -> float:
    """A length beyond the farthest point, whose sinh and its square do not overflow."""
    return 43.0 if dtype == torch.float32 else 350.0


def _value(x: Tensor, v: Tensor, radius: Tensor | None, largest: float) -> tuple[Tensor, ...]:
    r"""y = cosh(t) X + sinh(t)/t V, t^2 = |V|^2 - (X.V)^2/T^2.

    Far out and for t > 1 the two terms are huge and may cancel. There in polar form, with mu the
    cosine of the angle between V and the outward ray: the outward component is
    (1 + mu)/2 sinh(r + t) + (1 - mu)/2 sinh(r - t), from e^r = |X| + T: r itself would bring its
    rounding, hundreds of units.
    """
    x, v = x[..., 1:], v[..., 1:]
    dtype, limit = x.dtype, longest(x.dtype)
    length = 1.0 if radius is None else radius
    area = length * length
    square_x = dot(x, x)
    x2 = square_x / area
    tx = (1 + x2).sqrt()
    # A vector with a coordinate of T limit is at least ``limit`` long: products with a longer one
    # could overflow. What is longer than ``limit`` ends beyond the farthest point.
    largest_v = largest_entry(v)
    cut = (limit * tx * length / largest_v).clamp(max=1).detach()
    v = v * cut
    far = (x2 > 1).to(dtype)
    near = 1 - far
    ray = outward_ray(x, square_x, far, area)
    split = split_off(v, ray)
    side, share, ahead, rest, left = split
    square, across = squared(split, ray)
    size = x2.clamp(min=1).sqrt()
    radial = (ahead + rest) / (size * tx)  # V's outward component on the manifold
    # What rounding left of it in ``side`` goes where it belongs: a derivative multiplies it by what
    # is longer than all the rest by T e^t.
    side, share, rest = subtract_scaled(side, x, left), share + left, near * rest
    square = near * square + far * across
    s = far * (radial * radial + across) + near * (square - (ahead / tx).square()).clamp(min=0)
    # Of s = 0 the root has no derivative.
    still = (s == 0).to(dtype)
    t = (s + still).sqrt() - still
    short = limit / t.clamp(min=limit)  # 1 for all that is not
    t, radial, share, ahead = t * short, radial * short, share * short, ahead * short
    across, square = across * short.square(), square * short.square()
    s = s * short.square()
    # At s = 0 the last terms, which are 0, have the derivatives by s.
    z = t.cosh() + still * (s / 2)
    f = (t.sinh() + still) / (t + still) + still * (s / 6)
    small = (t <= 1).to(dtype)
    fall = (z - f) / s.clamp(min=1)  # 2 df/ds; where it cancels, by a continued fraction
    fall = small * f / coth_fraction(s.clamp(max=1)) + (1 - small) * fall

    polar = far * (1 - small)
    plain = 1 - polar
    t_ = t.clamp(min=1)
    mu = radial / t_
    out = (radial >= 0).to(dtype)
    less = across / (t_ * t_ * (1 + mu.abs()))  # 1 - |mu|
    # (1 + mu)/2 and (1 - mu)/2, the small one from ``less``.
    plus = (out * (2 - less) + (1 - out) * less) / 2
    minus_ = ((1 - out) * (2 - less) + out * less) / 2
    e_r = size + tx
    e_out = torch.minimum(t, limit - e_r.log()).exp() * e_r
    e_in = e_r / t.exp()
    d_out, d_in = (e_out + 1 / e_out) / 2, (e_in + 1 / e_in) / 2
    outward = plus * (e_out - 1 / e_out) / 2 + minus_ * (e_in - 1 / e_in) / 2
    by_r = plus * d_out + minus_ * d_in
    by_t = plus * d_out - minus_ * d_in
    outward = polar * outward + plain * (size * z + radial * tx * f)
    on_x = polar * outward / size + plain * (z + f * share)
    on_side = f * short

    y2 = outward.square() + f * f * across
    y2_near = z * z * (near * x2) + 2 * z * f * (near * ahead) + f * f * (near * square)
    y2 = far * y2 + y2_near.clamp(min=0)
    edge = (largest / length + 0 * y2).clamp(max=farthest(dtype))
    back = edge / torch.maximum(y2, edge * edge).sqrt()  # 1 for all that is not beyond the edge
    y = torch.addcmul(x * (on_x * back), side, on_side * back)
    ty = (1 + back * back * y2).sqrt()
    # Of the space part as it was rounded, which far out is T times the rounding off ``y2``.
    stored = (area + dot(y, y)).sqrt()
    result = torch.cat([stored, y], dim=-1)

    # The derivative, of V = short (share X + side), in the frame of X/|X| and what is across.
    beta = fall * radial
    by_radial = 4 * plus * minus_ * tx * f + mu * by_t
    bend = polar * (by_t - mu * tx * f) / (t_ * size) + plain * (f + fall * share)
    kappa = far * (radial * size / tx) + near * (ahead / (tx * tx))
    e_x, e_side = bend, fall * short
    r_x, r_side = by_radial / size, beta * short
    lean = far * radial / (size * tx) - near * kappa  # V - kappa X = lean X + side
    # Without -z/|X|^2, and b_x without -f/|X|^2: in the polar form the gradient comes without its
    # part along X.
    a_x = polar * (by_r / (tx * size * size) - radial / (tx * tx) * r_x)
    a_x = a_x - plain * kappa * lean * e_x
    a_side = -polar * radial / (tx * tx) * r_side - plain * kappa * lean * e_side
    b_x = polar * r_x / (tx * size) + plain * lean * e_x
    b_side = polar * r_side / (tx * size) + plain * lean * e_side
    y_x = on_x * x2 + on_side * rest
    y_side = on_x * rest + on_side * (square / short.square())
    inside = (back >= 1).to(dtype)
    return (
        *(result, side, on_x, on_side, y2, y_x, y_side, back, inside, ty, z, f, cut * short),
        *(short, kappa, e_x, e_side, a_x, a_side, b_x, b_side),
        polar / (size * size),
    )


def _pull(inputs: Sequence[Tensor], kept: Sequence[Tensor], g: Tensor) -> tuple[Tensor, ...]:
    """See the end of _value."""
    _, side, on_x, on_side, y2, y_x, y_side, back, inside, ty, z, f, cut, *turns = kept
    short, kappa, e_x, e_side, a_x, a_side, b_x, b_side, split = turns
    x, gt, gs = inputs[0][..., 1:], g[..., :1], g[..., 1:]
    length = inputs[2] if len(inputs) > 2 else 1.0
    g_x, g_side = dot(gs, x) / length, dot(gs, side) / length
    # What acts on y: the time part's share, or beyond the edge what is left across y.
    shrunk = (1 - inside) * back / (y2 + inside)
    on_y = inside * gt / ty - ((shrunk * on_x) * g_x + (shrunk * on_side) * g_side)
    q_x, q_side = back * g_x + on_y * y_x, back * g_side + on_y * y_side
    turn = e_x * q_x + e_side * q_side
    # Of g and of y what is along X is in the coefficients of X, where its derivative may be by
    # orders of magnitude less than z or f: on a line there is nothing else.
    gs = subtract_scaled(gs, x, split * g_x / length)
    along = on_y * on_x * (split == 0).to(x.dtype) - back * split * dot(gs, x) / length
    x_x = a_x * q_x + a_side * q_side + z * along
    x_side = z * on_y * on_side - kappa * short * turn
    v_x = b_x * q_x + b_side * q_side + f * along
    v_side = f * on_y * on_side + short * turn

    def assembled(on_g: Tensor, on_x: Tensor, on_side: Tensor) -> Tensor:
        total = subtract_scaled(gs * on_g, x, -on_x / length)
        total = subtract_scaled(total, side, -on_side / length)
        return torch.cat([torch.zeros_like(on_x), total], dim=-1)

    return (
        assembled(z * back, x_x, x_side),
        assembled(f * back * cut, v_x * cut, v_side * cut),
    )


def _turn(inputs: Sequence[Tensor], kept: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """R d/dR at fixed x and v, for |V| <= 1 or |X| > 1. With m the cosine of the angle between V
    and the outward ray, t changes by -t w, w = (1 - m^2) + m^2/T^2, r by -tanh r, and m by
    m (1 - m^2) tanh^2 r; of the time part it is that of sqrt(R^2 + |y|^2).
    """
    x, v, radius = inputs[0][..., 1:], inputs[1][..., 1:], inputs[2]
    area = radius * radius
    x2 = dot(x, x) / area
    t2 = 1 + x2
    ray, size = normalize(x / radius)
    along = dot(ray, v)
    side = subtract_scaled(v, ray, along)
    rest = dot(ray, side)
    side, along = subtract_scaled(side, ray, rest), (along + rest) / radius
    across = dot(side, side) / area
    radial = along * along / t2
    s = across + radial
    short = s <= 1
    there = (short | (x2 > 1)) & (kept[8] > 0) & (s <= longest(x.dtype) ** 2)

    near = s.where(short, 0.0)
    f = sinhc(near)
    own = -(across + radial / t2) * (f * x + f / coth_fraction(near) * v)

    long = there & ~short
    t, tx = s.where(long, 1.0).sqrt(), t2.sqrt()
    m, lean = (along / (t * tx)).where(long, 1.0), (across / (t * t)).where(long, 0.0)  # 1 - m^2
    less = lean / (1 + m.abs()) / 2  # (1 - |m|)/2
    plus, back = torch.where(m > 0, 1 - less, less), torch.where(m > 0, less, 1 - less)
    e_r, e_t = size + tx, t.exp()
    out, into = e_r * e_t, e_r / e_t
    by_t = plus * (out + 1 / out) / 2 - back * (into + 1 / into) / 2
    slower = lean + (1 - lean) / t2
    sinh = t.sinh()
    outward = m * sinh * (1 + lean * x2) / tx - by_t * t * slower
    far = ray * (outward * radius) - side * ((t.cosh() - sinh / t) * slower)
    own = torch.where(long, far, own)
    y = kept[0]
    time = (area + dot(y[..., 1:], own)) / y[..., :1]
    return torch.cat([time, own], dim=-1), there


def _map(stored: torch.dtype) -> Callable[..., Tensor]:
    largest = torch.finfo(stored).max / 2

    def value(x: Tensor, v: Tensor, radius: Tensor | None = None) -> tuple[Tensor, ...]:
        return _value(x, v, radius, largest)

    return custom_vjp(value, _pull, scaled=2, degree=1, turn=_turn)


# By the dtype of what is stored: its range may end before the farthest point.
EXPMAP = {t: _map(t) for t in (torch.float64, torch.float32, torch.bfloat16, torch.float16)}
