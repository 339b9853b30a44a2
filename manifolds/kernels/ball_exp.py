"""The exponential map of the ball of curvature -1, with its derivative written out."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from .custom_vjp import custom_vjp, subtract_scaled
from .geodesic import multiple
from .limits import rim
from .special import coth_fraction, tanhc_missing
from .vectors import dot, largest_entry


def _value(x: Tensor, v: Tensor, radius: Tensor | None, last: float) -> tuple[Tensor, ...]:
    r"""x (+) w = x + gap (w + |w|^2 x)/D, gap = 1 - |x|^2, w = tanh(t) v/|v|, t = |v|/gap.

    w + |w|^2 x is x + w less (1 - |w|^2) x.

    D = gap (1 - |w|^2) + |x + w|^2, a sum of terms of one sign. A zero vector gives x back to the
    last bit.
    """
    length = 1.0 if radius is None else radius
    area, dtype = length * length, x.dtype
    gap = (1 - dot(x, x) / area).clamp(min=torch.finfo(dtype).eps)
    # A coordinate of v/gap beyond this, and tanh is 1.
    limit = 32.0 if dtype == torch.float32 else 64.0
    largest = largest_entry(v).clamp(min=torch.finfo(dtype).tiny)
    shrunk = torch.minimum(1 / (gap * length), limit / largest)
    v = v * shrunk
    s = dot(v, v)
    small = (s <= 1).to(dtype)
    near, t = s * small, s.clamp(min=1).sqrt()
    fraction = coth_fraction(near)
    # tanh(t)/t, what of it is missing to 1, over t^2; and 1 - tanh^2.
    f = small / (1 + near / fraction) + (1 - small) * t.clamp(max=limit).tanh() / t
    missing = small * f / fraction + (1 - small) * (1 - f) / (t * t)
    w2 = s * f * f
    gap_w = small * (1 - near * f * f) + (1 - small) / t.clamp(max=limit).cosh().square()

    # x + w, where |w| is near 1 as x + v/|v| less what is missing of it: of x inwards and far, so
    # that w leads through the origin and out again, little more than the rounding of w is left.
    far = 1 - small
    ray = v / (small + far * t)
    whole = torch.addcmul(x, ray, (small * f + far) * length)
    both = subtract_scaled(whole, ray, far * gap_w / (1 + f * t) * length)
    square = dot(both, both) / area
    d = gap * gap_w + square
    # There 1 - |x|^2 has a rounding that y does not depend on: |w|^2 - |x|^2 is (w - x).(w + x).
    inwards = far * (dot(x, both) / area).clamp(max=0)
    reached = (far * gap_w + far * square - 2 * inwards) * (inwards < 0)
    reached = reached + gap * (inwards >= 0)
    y = torch.addcmul(x, subtract_scaled(both, x, gap_w), reached / (reached * gap_w + square))
    edge = last * length
    inside = edge / dot(y, y).clamp(min=edge * edge).sqrt()
    numbers = (f, missing - f * f, gap, gap_w, w2, s, d, dot(v, both) / length, inside)
    return y * inside, v, both, shrunk, *numbers


def _gradients(
    x: Tensor, length: Tensor | float, kept: Sequence[Tensor], g: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """By x and by v, that times v, and whether v is long.

    With q = (w + |w|^2 x)/D, by w at fixed x gap/D times the rotation
    g + 2 (g.x) w - 2 (g.q) (x + |x|^2 w), and by x at fixed w (1 + gap |w|^2/D) g - 2 (g.q) y.

    Of x + |x|^2 w and w + |w|^2 x, that vanish with D, x + w is taken as it is.
    """
    y, v, both, shrunk, f, fall, gap, gap_w, w2, s, d, v_both, inside = kept
    g_x, g_v, g_both = dot(g, x) / length, dot(g, v), dot(g, both) / length
    # Beyond the edge the part along y = on_x x + on_both (x + w), there of length 1, has no effect.
    on_x, on_both = 1 - gap * gap_w / d, gap / d
    beyond = (inside < 1).to(x.dtype) * (on_x * g_x + on_both * g_both)
    x2, both2 = 1 - gap, d - gap * gap_w
    x_w = (both2 - x2 - w2) / 2
    x_both = x2 + x_w
    g_x = g_x - beyond * (on_x * x2 + on_both * x_both)
    g_both = g_both - beyond * (on_x * x_both + on_both * both2)
    g_v = g_v - beyond * (on_x * x_w + on_both * (w2 + x_w)) / f

    g_q = (g_both - gap_w * g_x) / d
    v_h = on_both * (g_v + 2 * g_x * f * s - 2 * g_q * (v_both - gap * f * s))
    by_v = f * (2 * (g_x + gap * g_q) + beyond * on_x)
    by_both = (2 * g_q + beyond * (on_x + on_both)) / length
    turned = subtract_scaled(subtract_scaled(g, v, -by_v), both, by_both)
    # Of a long vector the part along v is taken apart: it counts as 1 - |w|^2, the rest as |w|/t.
    long = (s > 1).to(x.dtype)
    inverse = long / s.clamp(min=1)
    along = inverse * dot(turned, v)
    turned = subtract_scaled(turned, v, along)
    rest = inverse * dot(turned, v)
    by_v = on_both * (gap_w * along - f * rest) + (1 - long) * fall * v_h
    straight = 1 + gap * w2 / d
    share = inside * shrunk * length
    by_v = subtract_scaled(turned * (f * on_both * share), v, -by_v * share)
    by_x = subtract_scaled(g * (straight * inside), y, (2 * g_q + straight * beyond) / length)
    numbers = (f, gap, gap_w, w2, s, d, straight)
    by_x_long = inside * _by_x_long(
        x, subtract_scaled(g, y, beyond / length), v, both, length, *numbers
    )
    by_x = (1 - long) * by_x + long * by_x_long
    by_x = subtract_scaled(by_x, x, -2 * inside * gap_w * v_h / (gap * length))
    # Of a long vector not as a product with by_v, whose part across v is far longer.
    lengthwise = long * inside * length * on_both * gap_w * along * s
    return by_x, by_v, lengthwise, long


def _pull(inputs: Sequence[Tensor], kept: Sequence[Tensor], g: Tensor) -> tuple[Tensor, ...]:
    return _gradients(inputs[0], _length(inputs, 2), kept, g)[:2]


def _pull_at(inputs: Sequence[Tensor], kept: Sequence[Tensor], g: Tensor) -> tuple[Tensor, ...]:
    """By x, v and t, of t v."""
    x, v, t = inputs[:3]
    by_x, by_way, lengthwise, long = _gradients(x, _length(inputs, 3), kept, g)
    by_t = (1 - long) * dot(by_way, v) + long * lengthwise / (long * t + (1 - long))
    return by_x, by_way * t, by_t


def _length(inputs: Sequence[Tensor], place: int) -> Tensor | float:
    """The radius, if it is among the inputs."""
    return inputs[place] if len(inputs) > place else 1.0


def _by_x_long(
    x: Tensor, g: Tensor, v: Tensor, both: Tensor, length: Tensor | float,
    f: Tensor, gap: Tensor, gap_w: Tensor, w2: Tensor, s: Tensor, d: Tensor, straight: Tensor,
) -> Tensor:  # fmt: skip
    """The gradient by x at fixed w, of a long vector.

    With e = w/|w| and p what of x is across it, e becomes A e - 2 |w| (1 + x.w)/D straight p, and
    A = (1 - |w|^2 + 2 |p|^2 |w|^2)/D + 2 gap |w|^4 |p|^2/D^2: on a line, where x runs along w, the
    (1 - |w|^2)/D that is left of numbers of order 1.
    """
    root = s.clamp(min=1).sqrt()
    ray, size = v / root, f * root
    (on_ray, across), (position, side) = (_split(u, ray) for u in (g, x / length))
    side2 = dot(side, side)
    a = size * dot(both, ray) / length + gap_w  # 1 + x.w
    along = (gap_w + 2 * side2 * w2) / d + 2 * gap * (w2 / d) * (w2 / d) * side2
    total = subtract_scaled(ray * (along * on_ray), side, 2 * on_ray * straight * size * a / d)
    q = w2 * dot(across, side) / d
    out = position + gap * size * a / d  # of y, along the ray
    total = total + subtract_scaled(across * straight, side, 2 * q * straight)
    return subtract_scaled(total, ray, 2 * q * out)


def _split(u: Tensor, ray: Tensor) -> tuple[Tensor, Tensor]:
    """u's component along a unit vector, and what is across it."""
    along = dot(u, ray)
    side = subtract_scaled(u, ray, along)
    rest = dot(side, ray)  # what rounding left of it
    return along + rest, subtract_scaled(side, ray, rest)


def _turn(inputs: Sequence[Tensor], kept: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """R d/dR at fixed x and v for t <= 1: of w = tanh(t)/t v/gap, t = |v|/gap, and of the sum, with
    D = 1 + 2 x.w + |x|^2 |w|^2. All is of the first order in v, as the derivative is."""
    x, v, radius = inputs
    area = radius * radius
    x2, v2 = dot(x, x) / area, dot(v, v) / area
    gap = (1 - x2).clamp(min=torch.finfo(x.dtype).eps)
    s = v2 / gap / gap
    there = (s <= 1) & (kept[-1] >= 1)
    s = s.where(there, 0.0)
    missing = tanhc_missing(s)
    f = 1 - s * missing
    w = v.where(there, 0.0) * (f / gap)
    w2, xw = dot(w, w) / area, dot(x, w) / area
    d = 1 + 2 * xw + x2 * w2
    # Of each factor by itself: gap, then w, of which this is the share, then D.
    of_gap = 2 * x2
    of_both = (f * f - missing) * s * (1 + of_gap / gap) / f  # of w and gap together
    of_w = of_both - of_gap / gap
    of_d = (2 * xw * (of_w - 2) + x2 * w2 * (2 * of_w - 4)) / d
    on_x = gap * w2 / d * (of_gap / gap + 2 * of_w - 2 - of_d)
    on_w = gap / d * (of_both - of_d)
    return x * on_x + w * on_w, there


def _turn_at(inputs: Sequence[Tensor], kept: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    x, v, t, radius = inputs
    return _turn((x, multiple(t, v), radius), kept)


def _map(stored: torch.dtype) -> Callable[..., Tensor]:
    last = rim(stored)

    def value(x: Tensor, v: Tensor, radius: Tensor | None = None) -> tuple[Tensor, ...]:
        return _value(x, v, radius, last)

    return custom_vjp(value, _pull, scaled=2, degree=1, radius_derivative=_turn)


def _map_at(stored: torch.dtype) -> Callable[..., Tensor]:
    last = rim(stored)

    def value(x: Tensor, v: Tensor, t: Tensor, radius: Tensor | None = None) -> tuple[Tensor, ...]:
        return _value(x, multiple(t, v), radius, last)

    return custom_vjp(value, _pull_at, scaled=2, degree=1, radius_derivative=_turn_at)


# By the dtype of what is stored: the farther from the boundary, the fewer digits it has.
EXPMAP = {t: _map(t) for t in (torch.float64, torch.float32, torch.bfloat16, torch.float16)}
# Of t v, differentiated by t where that is 1 - |y|^2 of the derivative by v.
EXPMAP_AT = {t: _map_at(t) for t in (torch.float64, torch.float32)}
