r"""The exponential map of the ball of curvature -1.

    exp_x v = x (+) w = x + gap_x (w + |w|^2 x)/D,    w = tanh(t) v/|v|,    t = |v|/gap_x
    D = gap_x gap_w + |x + w|^2,    gap_x = 1 - |x|^2,    gap_w = 1 - |w|^2 = 1/cosh^2 t

============ ==================== ==================================================================
letter       name in the code     what it is
============ ==================== ==================================================================
x, v         x, v                 a point and a vector, (..., n); over R in the formulas
w            f v                  what the vector is added as; f = tanh(t)/t, v over gap_x by now
t, t^2       t, s                 half of v's Riemannian length, (..., 1)
gap_x, gap_w gap, gap_w           (..., 1)
D            d                    the Möbius sum's denominator, (..., 1)
x + w        total                (..., n), in units of length
R, R^2       length, area         the radius: 1.0 or a tensor ()
============ ==================== ==================================================================

The sum is added to x: a zero vector gives x back to the last bit. D is made of terms of one sign,
where the textbook's 1 + 2 x.w + |x|^2 |w|^2 cancels: of x = 1 - 1e-5 and w = -1 + 2e-5 in float32
it is 0 for 9e-10.

Domain: |x| up to ``limits.rim`` of the stored dtype, v of any length; a result beyond is pulled
back to the rim.
Bound: 8 units of u (1 + kappa) in value and 32 in gradient, kappa the condition number.
Proof: validation/symbolic/ball.py, "ball/expmap"
Proof: validation/symbolic/ball_exp_gradients.py, "ball/expmap, slopes"
Not proven: the derivative by R; tests/manifolds/test_curvature_gradient.py holds it.
Certificate: PoincareBall.expmap, PoincareBall.geodesic
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ..arithmetic.custom_vjp import custom_vjp, subtract_scaled
from ..arithmetic.limits import longest_before_tanh, rim
from ..arithmetic.vectors import dot, largest_entry
from ..functions.special import coth_fraction, tanhc_missing
from ..hyperboloid.geodesic import multiple


class Saved(NamedTuple):
    """What the pull-back needs. All but the first three have shape (..., 1), at unit curvature."""

    result: Tensor
    """exp_x(v), (..., n)."""
    v: Tensor
    """v times ``shortening``, of length t, (..., n)."""
    total: Tensor
    """x + w, (..., n), in units of length."""
    shortening: Tensor
    """What v was multiplied by: 1/(gap R), or less where tanh is 1 anyway."""
    f: Tensor
    """tanh(t)/t."""
    fall: Tensor
    """df/dt / t."""
    gap: Tensor
    """1 - |x|^2."""
    gap_w: Tensor
    """1 - |w|^2."""
    w2: Tensor
    """|w|^2."""
    s: Tensor
    """t^2."""
    d: Tensor
    """D."""
    v_total: Tensor
    """v.(x + w)."""
    inside: Tensor
    """What the result was multiplied by; less than 1 beyond the rim."""


def _value(x: Tensor, v: Tensor, radius: Tensor | None, last: float) -> Saved:
    """exp_x(v) of (..., n) each, and what the pull-back needs.

    Args:
        last: the rim of the dtype that the result is stored in.
    """
    length = 1.0 if radius is None else radius
    area, dtype = length * length, x.dtype
    gap = (1 - dot(x, x) / area).clamp(min=torch.finfo(dtype).eps)
    # v over gap, or where a coordinate of that is beyond ``limit``, where tanh is 1, shorter: the
    # square of a longer one may overflow.
    limit = longest_before_tanh(dtype)
    largest = largest_entry(v).clamp(min=torch.finfo(dtype).tiny)
    shortening = torch.minimum(1 / (gap * length), limit / largest)
    v = v * shortening
    s = dot(v, v)
    small = (s <= 1).to(dtype)
    near, t = s * small, s.clamp(min=1).sqrt()
    # f, (1 - f)/t^2 and gap_w. The plain 1 - tanh(t)/t loses 3/t^2: up to t = 1 by the continued
    # fraction of coth. The plain 1 - tanh^2 is 0 in float32 from t = 9: beyond 1 by cosh.
    fraction = coth_fraction(near)
    f = small / (1 + near / fraction) + (1 - small) * t.clamp(max=limit).tanh() / t
    missing = small * f / fraction + (1 - small) * (1 - f) / (t * t)
    w2 = s * f * f
    gap_w = small * (1 - near * f * f) + (1 - small) / t.clamp(max=limit).cosh().square()

    # x + w. Where |w| is near 1 as x + v/|v| less what is missing of it, gap_w/(1 + |w|): from far
    # out through the origin and out again x + w is little more than the rounding of w.
    far = 1 - small
    ray = v / (small + far * t)
    ends = torch.addcmul(x, ray, (small * f + far) * length)
    total = subtract_scaled(ends, ray, far * gap_w / (1 + f * t) * length)
    square = dot(total, total) / area
    d = gap * gap_w + square
    # The factor gap_x of the sum. Inwards gap_x has a rounding that the result does not depend on:
    # there it is gap_w + |w|^2 - |x|^2, and |w|^2 - |x|^2 is (w - x).(w + x).
    inwards = far * (dot(x, total) / area).clamp(max=0)
    factor = (far * gap_w + far * square - 2 * inwards) * (inwards < 0)
    factor = factor + gap * (inwards >= 0)
    # w + |w|^2 x is x + w less gap_w x.
    y = torch.addcmul(x, subtract_scaled(total, x, gap_w), factor / (factor * gap_w + square))
    edge = last * length
    inside = edge / dot(y, y).clamp(min=edge * edge).sqrt()
    fall = missing - f * f
    v_total = dot(v, total) / length
    return Saved(
        y * inside, v, total, shortening, f, fall, gap, gap_w, w2, s, d, v_total, inside
    )  # fmt: skip


def _gradients(
    x: Tensor, length: Tensor | float, at: Saved, g: Tensor
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """(by x; by v; the derivative by v's length, times v's length; 1 where v is long).

    With q = (w + |w|^2 x)/D and t = |v|/gap_x:

    by w at fixed x    gap_x/D (g + 2 (g.x) w - 2 (g.q) (x + |x|^2 w))
    by x at fixed w    (1 + gap_x |w|^2/D) g - 2 (g.q) y
    by v               (f by_w + fall (v.by_w) v)/gap_x
    by x, of gap_x     2 gap_w (v.by_w)/gap_x x

    x + |x|^2 w and w + |w|^2 x vanish with D: in both x + w is taken as it is.
    """
    v, total, f, gap, gap_w, w2, s, d = at.v, at.total, at.f, at.gap, at.gap_w, at.w2, at.s, at.d
    y = at.result
    g_x, g_v, g_total = dot(g, x) / length, dot(g, v), dot(g, total) / length
    # Beyond the rim the part of g along y = on_x x + on_total (x + w), there of length 1, has no
    # effect: ``beyond`` is that part, and the three products are those of what is left.
    on_x, on_total = 1 - gap * gap_w / d, gap / d
    beyond = (at.inside < 1).to(x.dtype) * (on_x * g_x + on_total * g_total)
    x2, total2 = 1 - gap, d - gap * gap_w
    x_w = (total2 - x2 - w2) / 2
    x_total = x2 + x_w
    g_x = g_x - beyond * (on_x * x2 + on_total * x_total)
    g_total = g_total - beyond * (on_x * x_total + on_total * total2)
    g_v = g_v - beyond * (on_x * x_w + on_total * (w2 + x_w)) / f

    g_q = (g_total - gap_w * g_x) / d
    v_by_w = on_total * (g_v + 2 * g_x * f * s - 2 * g_q * (at.v_total - gap * f * s))
    v_factor = f * (2 * (g_x + gap * g_q) + beyond * on_x)
    total_factor = (2 * g_q + beyond * (on_x + on_total)) / length
    turned = subtract_scaled(subtract_scaled(g, v, -v_factor), total, total_factor)  # by_w D/gap_x
    # Of a long vector the part along v is taken apart: it counts as 1 - |w|^2, the rest as |w|/t.
    long = (s > 1).to(x.dtype)
    inverse = long / s.clamp(min=1)
    along = inverse * dot(turned, v)
    turned = subtract_scaled(turned, v, along)
    residual = inverse * dot(turned, v)
    v_factor = on_total * (gap_w * along - f * residual) + (1 - long) * at.fall * v_by_w
    straight = 1 + gap * w2 / d
    scale = at.inside * at.shortening * length
    by_v = subtract_scaled(turned * (f * on_total * scale), v, -v_factor * scale)
    by_x = subtract_scaled(g * (straight * at.inside), y, (2 * g_q + straight * beyond) / length)
    across_y = subtract_scaled(g, y, beyond / length)
    by_x_long = at.inside * _by_x_long(x, across_y, length, at, straight)
    by_x = (1 - long) * by_x + long * by_x_long
    by_x = subtract_scaled(by_x, x, -2 * at.inside * gap_w * v_by_w / (gap * length))
    # Not as a product with by_v, whose part across v is far longer.
    lengthwise = long * at.inside * length * on_total * gap_w * along * s
    return by_x, by_v, lengthwise, long


def _by_x_long(x: Tensor, g: Tensor, length: Tensor | float, at: Saved, straight: Tensor) -> Tensor:
    """The gradient by x at fixed w, of a long vector.

    With e = w/|w| and p what of x is across it, e becomes A e - 2 |w| (1 + x.w)/D straight p, and

    A = (1 - |w|^2 + 2 |p|^2 |w|^2)/D + 2 gap_x |w|^4 |p|^2/D^2:

    on a line, where x runs along w, A is the gap_w/D that numbers of order 1 leave of one another.
    """
    gap, gap_w, w2, s, d = at.gap, at.gap_w, at.w2, at.s, at.d
    root = s.clamp(min=1).sqrt()
    ray, size = at.v / root, at.f * root
    (on_ray, across), (position, lateral) = (_split(u, ray) for u in (g, x / length))
    lateral_square = dot(lateral, lateral)
    a = size * dot(at.total, ray) / length + gap_w  # 1 + x.w
    along = (gap_w + 2 * lateral_square * w2) / d
    along = along + 2 * gap * (w2 / d) * (w2 / d) * lateral_square
    by_x = subtract_scaled(ray * (along * on_ray), lateral, 2 * on_ray * straight * size * a / d)
    q = w2 * dot(across, lateral) / d
    y_on_ray = position + gap * size * a / d
    by_x = by_x + subtract_scaled(across * straight, lateral, 2 * q * straight)
    return subtract_scaled(by_x, ray, 2 * q * y_on_ray)


def _split(u: Tensor, ray: Tensor) -> tuple[Tensor, Tensor]:
    """u's component along a unit vector, and what is across it."""
    along = dot(u, ray)
    lateral = subtract_scaled(u, ray, along)
    residual = dot(lateral, ray)  # what rounding left of it
    return along + residual, subtract_scaled(lateral, ray, residual)


def _pull(inputs: Sequence[Tensor], saved: Sequence[Tensor], g: Tensor) -> tuple[Tensor, ...]:
    """By x and v."""
    return _gradients(inputs[0], _radius(inputs, 2), Saved(*saved), g)[:2]


def _pull_at(inputs: Sequence[Tensor], saved: Sequence[Tensor], g: Tensor) -> tuple[Tensor, ...]:
    """By x, v and t, of t v."""
    x, v, t = inputs[:3]
    by_x, by_tv, lengthwise, long = _gradients(x, _radius(inputs, 3), Saved(*saved), g)
    by_t = (1 - long) * dot(by_tv, v) + long * lengthwise / (long * t + (1 - long))
    return by_x, by_tv * t, by_t


def _radius(inputs: Sequence[Tensor], place: int) -> Tensor | float:
    """The radius, if it is among the inputs."""
    return inputs[place] if len(inputs) > place else 1.0


def _radius_derivative(inputs: Sequence[Tensor], saved: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """R d/dR at fixed x and v for t <= 1: of w = tanh(t)/t v/gap, t = |v|/gap, and of the sum, with
    D = 1 + 2 x.w + |x|^2 |w|^2. All is of the first order in v, as the derivative is."""
    x, v, radius = inputs
    area = radius * radius
    x2, v2 = dot(x, x) / area, dot(v, v) / area
    gap = (1 - x2).clamp(min=torch.finfo(x.dtype).eps)
    s = v2 / gap / gap
    holds = (s <= 1) & (Saved(*saved).inside >= 1)
    s = s.where(holds, 0.0)
    missing = tanhc_missing(s)
    f = 1 - s * missing
    w = v.where(holds, 0.0) * (f / gap)
    w2, xw = dot(w, w) / area, dot(x, w) / area
    d = 1 + 2 * xw + x2 * w2
    # The logarithmic derivatives: of gap (times gap), of w and gap together, of w, of D.
    of_gap = 2 * x2
    of_both = (f * f - missing) * s * (1 + of_gap / gap) / f
    of_w = of_both - of_gap / gap
    of_d = (2 * xw * (of_w - 2) + x2 * w2 * (2 * of_w - 4)) / d
    on_x = gap * w2 / d * (of_gap / gap + 2 * of_w - 2 - of_d)
    on_w = gap / d * (of_both - of_d)
    return x * on_x + w * on_w, holds


def _radius_derivative_at(
    inputs: Sequence[Tensor], saved: Sequence[Tensor]
) -> tuple[Tensor, Tensor]:
    """The same of t v."""
    x, v, t, radius = inputs
    return _radius_derivative((x, multiple(t, v), radius), saved)


def _map(stored: torch.dtype) -> Callable[..., Tensor]:
    last = rim(stored)

    def value(x: Tensor, v: Tensor, radius: Tensor | None = None) -> Saved:
        return _value(x, v, radius, last)

    return custom_vjp(value, _pull, scaled=2, degree=1, radius_derivative=_radius_derivative)


def _map_at(stored: torch.dtype) -> Callable[..., Tensor]:
    last = rim(stored)

    def value(x: Tensor, v: Tensor, t: Tensor, radius: Tensor | None = None) -> Saved:
        return _value(x, multiple(t, v), radius, last)

    return custom_vjp(value, _pull_at, scaled=2, degree=1, radius_derivative=_radius_derivative_at)


# By the dtype that the result is stored in: the nearer to the rim, the fewer digits it has.
EXPMAP = {t: _map(t) for t in (torch.float64, torch.float32, torch.bfloat16, torch.float16)}
# exp_x(t v), differentiated by t, whose derivative is 1 - |y|^2 of that by v.
EXPMAP_AT = {t: _map_at(t) for t in (torch.float64, torch.float32)}
