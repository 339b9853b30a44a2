r"""The exponential map of the hyperboloid of curvature -1.

    exp_X V = cosh(t) X + sinh(t)/t V,    t^2 = |V|^2 - (X.V)^2/T^2

far out, for t > 1, its component along the outward ray as

    a = (1 + mu)/2 sinh(r + t) + (1 - mu)/2 sinh(r - t),    mu = cos of the angle of V and the ray

============ ==================== ==================================================================
letter       name in the code     what it is
============ ==================== ==================================================================
X, V         x/R, v/R             space parts of a point and of a vector, (..., n)
T            tx                   X's time part, sqrt(1 + |X|^2), (..., 1)
r            (e_r = e^r)          distance of X from the origin: |X| = sinh r
t            t                    the Riemannian length of V; s = t^2
z, f         z, f                 cosh t, sinh(t)/t
V's parts    radial, lateral      its component along the ray on the manifold, and what is across
mu           mu                   radial/t
R, R^2       length, area         the radius: 1.0 or a tensor ()
============ ==================== ==================================================================

Domain: |X| up to ``limits.farthest``, t up to ``limits.longest``, to which a longer V is cut. What
ends beyond the farthest point that the stored dtype can hold is pulled back to it along its ray. So
the cut shows only of a way from r > 14.6 (float64: 113.6) inwards through the origin.
Bound: 8 units of u (1 + kappa) in value and 32 in gradient, kappa the condition number.
Proof: validation/symbolic/quadric.py, "quadric/expmap"
Proof: validation/symbolic/kernels.py, "kernels/expmap, polar", "kernels/expmap, slopes"
Not proven: the derivative by R; tests/manifolds/test_curvature_gradient.py holds it.
Certificate: Lorentz.expmap
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ..arithmetic.custom_vjp import custom_vjp, subtract_scaled
from ..arithmetic.limits import farthest, longest
from ..arithmetic.ranges import all_below, all_within, runs_as_written
from ..arithmetic.vectors import dot, joined, largest_entry, normalize
from ..functions.special import coth_fraction, sinhc
from .radial_split import Ray, lateral_squares, outward_ray, split_radially


class Saved(NamedTuple):
    """What the pull-back needs. All but ``result`` and ``lateral`` have shape (..., 1).

    The result's space part is y = edge_factor (y_on_x x + y_on_lateral lateral).
    """

    result: Tensor
    """exp_x(v), (..., n + 1)."""
    lateral: Tensor
    """V's part across X, of V cut by its largest coordinate, (..., n), in units of length."""
    y_on_x: Tensor
    """The multiple of X in Y before it is pulled back."""
    y_on_lateral: Tensor
    """The multiple of ``lateral`` in it."""
    y2: Tensor
    """|Y|^2 before it is pulled back."""
    inner_x: Tensor
    """X.Y before it is pulled back."""
    inner_lateral: Tensor
    """lateral.Y before it is pulled back."""
    edge_factor: Tensor
    """What Y is multiplied by; less than 1 beyond the farthest point."""
    inside: Tensor
    """1 where Y is not pulled back, else 0."""
    ty: Tensor
    """Y's time part."""
    z: Tensor
    """cosh t."""
    f: Tensor
    """sinh(t)/t."""
    shortening: Tensor
    """What V was multiplied by, once by its largest coordinate and once by its length."""
    length_factor: Tensor
    """The second of the two."""
    kappa: Tensor
    """X.V/T^2: t dt = (V - kappa X).(dV - kappa dX)."""
    by_length_on_x: Tensor
    """The multiple of X in dY/dt / t."""
    by_length_on_lateral: Tensor
    """The multiple of ``lateral`` in it."""
    x_on_x: Tensor
    """The multiple of X, for each <g, X>, in the gradient by X, but for what z multiplies."""
    x_on_lateral: Tensor
    """The same for each <g, lateral>."""
    v_on_x: Tensor
    """The multiple of X, for each <g, X>, in the gradient by V, but for what f multiplies."""
    v_on_lateral: Tensor
    """The same for each <g, lateral>."""
    polar_over_x2: Tensor
    """1/|X|^2 where the polar form is used, else 0: splits g along X there; () if nowhere."""


class _Vector(NamedTuple):
    """V, cut to ``limits.longest`` and split along X. All but ``lateral`` have shape (..., 1)."""

    lateral: Tensor
    """V's part across X, (..., n), in units of length, cut by its largest coordinate only."""
    coefficient: Tensor
    """V's radial part as a multiple of X; 0 where ``far`` is 0."""
    inner: Tensor
    """V.X."""
    residual: Tensor
    """lateral.X where ``far`` is 0, else 0."""
    radial: Tensor
    """V's outward component on the manifold."""
    square: Tensor
    """|V|^2 of the coordinates where ``far`` is 0, else as the next."""
    lateral_square: Tensor
    """The square of what is across X."""
    s: Tensor
    """t^2."""
    t: Tensor
    """V's Riemannian length."""
    still: Tensor
    """1 where V is 0, else 0."""
    length_factor: Tensor
    """What V was multiplied by for its length."""
    shortening: Tensor
    """That, times what V was multiplied by for its largest coordinate."""


def _cut_and_split(
    x: Tensor, v: Tensor, size: Tensor, tx: Tensor, far: Tensor, ray: Ray, length: float | Tensor
) -> _Vector:
    """v (..., n) at x, ``size`` |X|, ``length`` R."""
    limit = longest(x.dtype)
    near = 1 - far
    # A vector with a coordinate of T limit is at least ``limit`` long: products with a longer one
    # could overflow.
    if isinstance(length, float) and all_within(v, -limit, limit):
        cut = tx.new_ones(())
    else:
        cut = (limit * tx * length / largest_entry(v)).clamp(max=1).detach()
        v = v * cut
    split = split_radially(v, ray)
    square, lateral_square = lateral_squares(split, ray)
    radial = (split.inner_x + split.residual) / (size * tx)
    # What rounding left of the radial part in ``lateral`` goes where it belongs: a derivative
    # multiplies it by what is T e^t times longer than all the rest.
    lateral = subtract_scaled(split.lateral, x, split.residual_coefficient)
    coefficient = split.radial_coefficient + split.residual_coefficient
    residual = near * split.residual
    square = near * square + far * lateral_square
    # t^2: far out a sum of squares; near the origin T^2 <= 2, and the difference keeps its digits.
    s_near = (square - (split.inner_x / tx).square()).clamp(min=0)
    s = far * (radial * radial + lateral_square) + near * s_near
    still = (s == 0).to(x.dtype)  # the root of 0 has no derivative
    t = (s + still).sqrt() - still
    factor = limit / t.clamp(min=limit)
    t, radial = t * factor, radial * factor
    coefficient, inner = coefficient * factor, split.inner_x * factor
    lateral_square, square = lateral_square * factor.square(), square * factor.square()
    s = s * factor.square()
    return _Vector(
        lateral, coefficient, inner, residual, radial, square, lateral_square, s, t, still, factor,
        cut * factor,
    )  # fmt: skip


class _Polar(NamedTuple):
    """Y's outward component a in polar form, and its derivatives. Shapes (..., 1)."""

    outward: Tensor
    """a."""
    by_r: Tensor
    """da/dr."""
    by_t: Tensor
    """da/dt at a fixed angle."""
    mu: Tensor
    """The cosine of the angle between V and the outward ray."""
    sine_square: Tensor
    """1 - mu^2."""
    t: Tensor
    """t, at least 1: nearer the form is not used, and only kept finite."""


def _polar(vector: _Vector, size: Tensor, tx: Tensor) -> _Polar:
    """a = (1 + mu)/2 sinh(r + t) + (1 - mu)/2 sinh(r - t), for |X| > 1 and t > 1.

    Inwards by more than r the two terms of the plain form are e^r times longer than their sum: at
    r = 8.5, t = 8 in float32 it is 0.25 for 0.52.
    """
    limit = longest(size.dtype)
    t = vector.t.clamp(min=1)
    mu = vector.radial / t
    out = (vector.radial >= 0).to(size.dtype)
    less = vector.lateral_square / (t * t * (1 + mu.abs()))  # 1 - |mu|
    plus = (out * (2 - less) + (1 - out) * less) / 2  # (1 + mu)/2, where it is small from ``less``
    minus = ((1 - out) * (2 - less) + out * less) / 2  # (1 - mu)/2
    # e^(r + t) and e^(r - t) from e^r = |X| + T: r itself, rounded, would bring r units of error.
    e_r = size + tx
    e_out = torch.minimum(vector.t, limit - e_r.log()).exp() * e_r
    e_in = e_r / vector.t.exp()
    cosh_out, cosh_in = (e_out + 1 / e_out) / 2, (e_in + 1 / e_in) / 2
    outward = plus * (e_out - 1 / e_out) / 2 + minus * (e_in - 1 / e_in) / 2
    by_r = plus * cosh_out + minus * cosh_in
    by_t = plus * cosh_out - minus * cosh_in
    return _Polar(outward, by_r, by_t, mu, 4 * plus * minus, t)


def _value(x: Tensor, v: Tensor, radius: Tensor | None, largest: float) -> Saved:
    """exp_x(v) of (..., n + 1) each, and what the pull-back needs.

    Args:
        largest: of the dtype that the result is stored in, half of its largest number.
    """
    x, v = x[..., 1:], v[..., 1:]
    dtype = x.dtype
    length = 1.0 if radius is None else radius
    area = length * length
    square_x = dot(x, x)
    x2 = square_x / area
    tx = (1 + x2).sqrt()
    far = (x2 > 1).to(dtype)
    near = 1 - far
    ray = outward_ray(x, square_x, far, area)
    size = x2.clamp(min=1).sqrt()
    vector = _cut_and_split(x, v, size, tx, far, ray, length)
    lateral, coefficient, residual = vector.lateral, vector.coefficient, vector.residual
    inner, radial, square = vector.inner, vector.radial, vector.square
    s, t, still, length_factor = vector.s, vector.t, vector.still, vector.length_factor

    # z and f; where V is 0 the last terms, which are 0, have the derivatives by s.
    z = t.cosh() + still * (s / 2)
    f = (t.sinh() + still) / (t + still) + still * (s / 6)
    small = (t <= 1).to(dtype)
    # 2 df/ds = (z - f)/s, which loses 3/s to cancellation: up to t = 1 by a continued fraction.
    fall = (z - f) / s.clamp(min=1)
    fall = small * f / coth_fraction(s.clamp(max=1)) + (1 - small) * fall

    # Y's outward component: in polar form far out for t > 1, else as it is.
    polar = far * (1 - small)
    outward = size * z + radial * tx * f
    y_on_x = z + f * coefficient
    nowhere = all_below(polar, 0.5)
    if not nowhere:
        plain = 1 - polar
        a = _polar(vector, size, tx)
        mu, by_t = a.mu, a.by_t
        outward = polar * a.outward + plain * outward
        y_on_x = polar * outward / size + plain * y_on_x

    # Y, pulled back to the edge, and its time part from the space part as it was rounded: from
    # ``y2`` it would be T times the rounding off that.
    y_on_lateral = f * length_factor
    y2 = outward.square() + f * f * vector.lateral_square
    y2_near = z * z * (near * x2) + 2 * z * f * (near * inner) + f * f * (near * square)
    y2 = far * y2 + y2_near.clamp(min=0)
    edge = (largest / length + 0 * y2).clamp(max=farthest(dtype))
    edge_factor = edge / torch.maximum(y2, edge * edge).sqrt()
    y = torch.addcmul(x * (y_on_x * edge_factor), lateral, y_on_lateral * edge_factor)
    ty = (1 + edge_factor * edge_factor * y2).sqrt()
    stored = (area + dot(y, y)).sqrt()
    result = torch.cat([stored, y], dim=-1)

    kappa = far * (radial * size / tx) + near * (inner / (tx * tx))
    lean = far * radial / (size * tx) - near * kappa  # V - kappa X = lean X + lateral
    by_length_on_x = f + fall * coefficient
    by_length_on_lateral = fall * length_factor
    v_on_x, v_on_lateral = lean * by_length_on_x, lean * by_length_on_lateral
    x_on_x, x_on_lateral = -kappa * v_on_x, -kappa * v_on_lateral
    if not nowhere:
        # The derivative in the frame of X/|X| and what is across, V = radial T X/|X| + lateral:
        # with a the outward component, da/dr, da/dV_1 and da/dV_2 are ``by_r``, ``by_radial`` and
        # ``lateral/t (by_t - mu T f)``; across the ray it is f and, by V's length, ``fall``.
        by_radial = a.sine_square * tx * f + mu * by_t
        radial_on_x, radial_on_lateral = by_radial / size, fall * radial * length_factor
        of_length = (by_t - mu * tx * f) / (a.t * size)
        # Without -z/|X|^2, and v_on_x without -f/|X|^2: the pull-back splits g, which comes
        # without its part along X.
        of_x = a.by_r / (tx * size * size) - radial / (tx * tx) * radial_on_x
        by_length_on_x = polar * of_length + plain * by_length_on_x
        x_on_x = polar * of_x + plain * x_on_x
        x_on_lateral = plain * x_on_lateral - polar * radial / (tx * tx) * radial_on_lateral
        v_on_x = polar * radial_on_x / (tx * size) + plain * v_on_x
        v_on_lateral = polar * radial_on_lateral / (tx * size) + plain * v_on_lateral
    return Saved(
        result,
        lateral,
        y_on_x,
        y_on_lateral,
        y2,
        inner_x=y_on_x * x2 + y_on_lateral * residual,
        inner_lateral=y_on_x * residual + y_on_lateral * (square / length_factor.square()),
        edge_factor=edge_factor,
        inside=(edge_factor >= 1).to(dtype),
        ty=ty,
        z=z,
        f=f,
        shortening=vector.shortening,
        length_factor=length_factor,
        kappa=kappa,
        by_length_on_x=by_length_on_x,
        by_length_on_lateral=by_length_on_lateral,
        x_on_x=x_on_x,
        x_on_lateral=x_on_lateral,
        v_on_x=v_on_x,
        v_on_lateral=v_on_lateral,
        polar_over_x2=polar.new_zeros(()) if nowhere else polar / (size * size),
    )


def _pull(inputs: Sequence[Tensor], saved: Sequence[Tensor], g: Tensor) -> tuple[Tensor, ...]:
    """dY = z dX + f dV + (dY/dt / t) (t dt) and t dt = (V - kappa X).(dV - kappa dX). So, with q
    the gradient by Y's space part, g_s + (g_t/T_y) Y, and D = q.(dY/dt)/t (``by_length``):

    by X, z q - kappa D (V - kappa X);    by V, f q + D (V - kappa X).

    Beyond the edge q is what of g_s is across Y. In the polar form what is along X is written down.
    """
    at = Saved(*saved)
    x, g_time, g_space = inputs[0][..., 1:], g[..., :1], g[..., 1:]
    length = inputs[2] if len(inputs) > 2 else 1.0
    g_x, g_lateral = dot(g_space, x) / length, dot(g_space, at.lateral) / length
    # q = edge_factor g_s + on_y Y: the time part's share, or beyond the edge what is left across Y.
    over_y2 = (1 - at.inside) * at.edge_factor / (at.y2 + at.inside)
    on_y = at.inside * g_time / at.ty
    on_y = on_y - ((over_y2 * at.y_on_x) * g_x + (over_y2 * at.y_on_lateral) * g_lateral)
    q_x = at.edge_factor * g_x + on_y * at.inner_x
    q_lateral = at.edge_factor * g_lateral + on_y * at.inner_lateral
    by_length = at.by_length_on_x * q_x + at.by_length_on_lateral * q_lateral
    # In the polar form what of g and of Y is along X is in the coefficients of X, where its
    # derivative may be by orders of magnitude less than z or f: on a line there is nothing else.
    along = on_y * at.y_on_x
    if at.polar_over_x2.dim():
        g_space = subtract_scaled(g_space, x, at.polar_over_x2 * g_x / length)
        along = along * (at.polar_over_x2 == 0).to(x.dtype)
        along = along - at.edge_factor * at.polar_over_x2 * dot(g_space, x) / length
    x_x = at.x_on_x * q_x + at.x_on_lateral * q_lateral + at.z * along
    x_lateral = at.z * on_y * at.y_on_lateral - at.kappa * at.length_factor * by_length
    v_x = at.v_on_x * q_x + at.v_on_lateral * q_lateral + at.f * along
    v_lateral = at.f * on_y * at.y_on_lateral + at.length_factor * by_length

    def assembled(on_g: Tensor, on_x: Tensor, on_lateral: Tensor) -> Tensor:
        total = joined(torch.zeros_like(on_x), on_g, g_space)
        space = total[..., 1:]
        if torch.is_grad_enabled() or not runs_as_written():
            space = subtract_scaled(space, x, -on_x / length)
            space = subtract_scaled(space, at.lateral, -on_lateral / length)
            return torch.cat([total[..., :1], space], dim=-1)
        space.addcmul_(x, on_x / length).addcmul_(at.lateral, on_lateral / length)
        return total

    cut = at.shortening
    return (
        assembled(at.z * at.edge_factor, x_x, x_lateral),
        assembled(at.f * at.edge_factor * cut, v_x * cut, v_lateral * cut),
    )


def _radius_derivative(inputs: Sequence[Tensor], saved: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """R d/dR at fixed x and v, for |V| <= 1 or |X| > 1. With m the cosine of the angle between V
    and the outward ray, t changes by -t w, w = (1 - m^2) + m^2/T^2, r by -tanh r, and m by
    m (1 - m^2) tanh^2 r; of the time part it is that of sqrt(R^2 + |y|^2).
    """
    x, v, radius = inputs[0][..., 1:], inputs[1][..., 1:], inputs[2]
    area = radius * radius
    x2 = dot(x, x) / area
    t2 = 1 + x2  # T^2
    ray, size = normalize(x / radius)
    along = dot(ray, v)
    lateral = subtract_scaled(v, ray, along)
    residual = dot(ray, lateral)
    lateral, along = subtract_scaled(lateral, ray, residual), (along + residual) / radius
    lateral_square = dot(lateral, lateral) / area
    radial_square = along * along / t2
    s = lateral_square + radial_square
    short = s <= 1
    holds = (short | (x2 > 1)) & (Saved(*saved).inside > 0) & (s <= longest(x.dtype) ** 2)

    # Short: Y's derivative is that of z X + f V by s alone.
    near = s.where(short, 0.0)
    f = sinhc(near)
    space = -(lateral_square + radial_square / t2) * (f * x + f / coth_fraction(near) * v)

    # Long, from far out: of the polar form, by t, r and m.
    long = holds & ~short
    t, tx = s.where(long, 1.0).sqrt(), t2.sqrt()
    m = (along / (t * tx)).where(long, 1.0)
    m_less = (lateral_square / (t * t)).where(long, 0.0)  # 1 - m^2
    less = m_less / (1 + m.abs()) / 2  # (1 - |m|)/2
    plus, minus = torch.where(m > 0, 1 - less, less), torch.where(m > 0, less, 1 - less)
    e_r, e_t = size + tx, t.exp()
    e_out, e_in = e_r * e_t, e_r / e_t
    by_t = plus * (e_out + 1 / e_out) / 2 - minus * (e_in + 1 / e_in) / 2
    t_fall = m_less + (1 - m_less) / t2  # w
    sinh = t.sinh()
    outward = m * sinh * (1 + m_less * x2) / tx - by_t * t * t_fall
    far = ray * (outward * radius) - lateral * ((t.cosh() - sinh / t) * t_fall)
    space = torch.where(long, far, space)
    y = saved[0]
    time = (area + dot(y[..., 1:], space)) / y[..., :1]
    return torch.cat([time, space], dim=-1), holds


def _map(stored: torch.dtype) -> Callable[..., Tensor]:
    largest = torch.finfo(stored).max / 2

    def value(x: Tensor, v: Tensor, radius: Tensor | None = None) -> Saved:
        return _value(x, v, radius, largest)

    return custom_vjp(value, _pull, scaled=2, degree=1, radius_derivative=_radius_derivative)


# By the dtype that the result is stored in: float16 ends at 65504, before the farthest point.
EXPMAP = {t: _map(t) for t in (torch.float64, torch.float32, torch.bfloat16, torch.float16)}
