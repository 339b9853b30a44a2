r"""Parallel transport on the hyperboloid of curvature -1.

    P v = v + c (x + y),    c = <y, v>/(1 + cosh d)        (ambient)
        = L + c Y + e X                                    (space parts, L what of V is across X)

    by v: p = g + k y;    by x: c p + (g_t - k T_y)/T_x v;    by y: c g + k P v,
    k = g.(x + y)/(1 + cosh d)                             (ambient covectors)

============ ==================== ==================================================================
letter       name in the code     what it is
============ ==================== ==================================================================
X, Y, V      x/R, y/R, v          space parts of two points and a vector at X, (..., n)
T_x, T_y     tx, ty               time parts of the points, (..., 1)
L            lateral              V's part across X; all of V where X is near the origin
c, e         c, e                 the multiples of Y and X in P v, (..., 1)
1 + cosh d   z                    (..., 1)
g            g, (g_t, g_s)        gradient of the result, (..., n + 1)
R, R^2       length, area         the radius: 1.0 or a tensor ()
============ ==================== ==================================================================

Far out V's radial part is T times longer in coordinates than on the manifold and must not be left
to cancel; so V, and on the way back the gradient, are split along X, and what the radial parts add
up to is written down.

Domain: |X|, |Y| up to ``limits.farthest``, V of any length.
Bound: 8 units of u (1 + kappa) in value and 32 in gradient, kappa the condition number.
Proof: validation/symbolic/quadric.py, "quadric/transport"
Proof: validation/symbolic/transport_pullback.py, "kernels/transport", "kernels/transport, slopes"
Proof: validation/symbolic/frame_transport.py, "kernels/transport, far"
Not proven: the derivative by R; tests/manifolds/test_curvature_gradient.py holds it.
Certificate: Lorentz.transport
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ..arithmetic.custom_vjp import custom_vjp, subtract_scaled
from ..arithmetic.vectors import dot, norm, normalize, relative_to_ray
from .pair import TimeGap, time_gap, with_time_by_log_radius
from .radial_split import RadialSplit, Ray, of_like_distance, outward_ray, split_radially


class _Pair(NamedTuple):
    """Y as seen from X. Shapes (..., 1), but for ``lateral``; at unit curvature, but for it."""

    lateral: Tensor
    """Y's part across X over T_y, (..., n), in units of length; all of Y over T_y where ``far`` is
    0."""
    residual: Tensor
    """lateral.X T_y, what rounding left of the radial part; where ``far`` is 0, Y.X."""
    residual_coefficient: Tensor
    """The same over |X|^2; 0 where ``far`` is 0."""
    lateral_square: Tensor
    """|Y's part across X|^2."""
    y_on_x: Tensor
    """Y is y_on_x X + T_y lateral, but for ``residual_coefficient``; 0 where ``far`` is 0."""
    inner: Tensor
    """X.Y."""
    a: Tensor
    """P takes the unit radial vector at x to b Y + a X where ``far`` is 1. Where it is 0, a = b."""
    b: Tensor
    """Where ``far`` is 0, P takes V to V + b (X.V) (X + Y) + ..."""
    z: Tensor
    """1 + cosh d."""
    x2: Tensor
    """|X|^2."""
    y2: Tensor
    """|Y|^2."""
    tx: Tensor
    """X's time part."""
    ty: Tensor
    """Y's time part."""
    far: Tensor
    """1 where |X| > 1, else 0."""
    both_far: Tensor
    """1 where |Y| > 1 too, else 0."""


class Saved(NamedTuple):
    """What the pull-back needs, besides the fields of :class:`_Pair`, which follow."""

    result: Tensor
    """P v, (..., n + 1)."""
    lateral_v: Tensor
    """V's part across X, (..., n); all of V where ``far`` is 0."""
    ray_vector: Tensor
    """The ray's vector, (..., n): see :class:`Ray`."""
    ray_unit: Tensor
    """The ray's unit, (..., 1)."""
    ray_square: Tensor
    """The ray's square, (..., 1)."""
    radial_v: Tensor
    """V's radial component on the manifold, (..., 1); X.V where ``far`` is 0."""
    residual_v: Tensor
    """What rounding left of V's radial part in ``lateral_v``, as a multiple of X, (..., 1)."""
    across: Tensor
    """<y, v's part across x>/(1 + cosh d), (..., 1)."""
    c: Tensor
    """The multiple of Y in P v, (..., 1)."""
    e: Tensor
    """The multiple of X in P v, (..., 1)."""


_OWN = len(Saved._fields)


def _pair(x: Tensor, y: Tensor, area: float | Tensor) -> tuple[_Pair, Ray]:
    """1 + cosh d is twice ``hyperboloid.pair``'s sinh^2(d/2), and 2, where both points are far out;
    else nothing cancels in 1 + T_x T_y - X.Y."""
    square_x = dot(x, x)
    x2, y2 = square_x / area, dot(y, y) / area
    tx, ty = (1 + x2).sqrt(), (1 + y2).sqrt()
    far = (x2 > 1).to(x.dtype)
    both_far = far * (y2 > 1).to(x.dtype)
    alike = far * of_like_distance((1 + ty) / (1 + tx))

    ray = outward_ray(x, square_x, far, area, level=True)
    step = split_radially(subtract_scaled(y, x, alike), ray)
    lateral, inner_step, residual = step.lateral, step.inner_x, step.residual
    lateral_square = dot(lateral, lateral) / area - residual * step.residual_coefficient
    lateral_square = lateral_square.clamp(min=0)
    # Over T_y no product with a vector overflows. In place where autograd does not look: one tensor
    # of (..., n) less.
    lateral = lateral / ty if torch.is_grad_enabled() else lateral.div_(ty)
    inner = alike * x2 + inner_step + far * residual
    y_on_x = far * (alike + step.radial_coefficient)

    # |Y| - y_radial and |Y| - |X| from the lateral part, as in ``hyperboloid.pair``.
    size_x, size_y = x2.clamp(min=1).sqrt(), y2.clamp(min=1).sqrt()
    y_radial = inner / size_x
    backwards = (y_radial < 0).to(x.dtype)
    missing = (1 - backwards) * lateral_square / (size_y + y_radial.abs())
    missing = missing + backwards * (size_y - y_radial)
    longer = alike * (missing + (inner_step + residual) / size_x)
    longer = longer + (1 - alike) * (size_y - size_x)
    sizes = size_x * size_y
    z = both_far * (2 + longer.square() / (1 + tx * ty + sizes) + size_x * missing)
    z = z + (1 - both_far) * (1 + tx * ty - inner)
    # <y, v> for a unit radial v, T_x y_radial - |X| T_y.
    slope = longer * (size_x + size_y) / (size_x * ty + size_y * tx) - tx * missing
    slope = both_far * slope + (far - both_far) * (tx * y_radial - size_x * ty)
    b = (slope - (1 - far) * ty / tx) / z
    a = far * (tx + ty) / (size_x * z) + (1 - far) * b
    pair = _Pair(
        lateral, residual, step.residual_coefficient, lateral_square, y_on_x, inner, a, b, z,
        x2, y2, tx, ty, far, both_far,
    )  # fmt: skip
    return pair, ray


def _radial(pair: _Pair, v: RadialSplit) -> Tensor:
    """V's radial component on the manifold; where nothing is split off, X.V."""
    size = pair.x2.clamp(min=1).sqrt()
    far = pair.far * (v.inner_x + v.residual) / (size * pair.tx)
    return far + (1 - pair.far) * v.inner_x


def _value(x: Tensor, y: Tensor, v: Tensor, radius: Tensor | None = None) -> tuple[Tensor, ...]:
    """P v = L + c Y + e X, and what the pull-back needs: ``Saved`` and ``_Pair``."""
    x, y, v = x[..., 1:], y[..., 1:], v[..., 1:]
    length = 1.0 if radius is None else radius
    area = length * length
    pair, ray = _pair(x, y, area)
    split = split_radially(v, ray)
    radial = _radial(pair, split)
    inner = dot(split.lateral, pair.lateral) / area
    across = inner * (pair.ty / pair.z) - split.residual_coefficient * (pair.residual / pair.z)
    c, e = across + radial * pair.b, across + radial * pair.a
    moved = subtract_scaled(split.lateral, y, -c)
    moved = subtract_scaled(moved, x, split.residual_coefficient - e)
    # The time part is that of the space part as it was rounded: from a far x to a y near the origin
    # that is T_x times the rounding off what it should be.
    result = torch.cat([dot(y / (pair.ty * length), moved), moved], dim=-1)
    saved = Saved(
        result, split.lateral, ray.vector, ray.unit, ray.square, radial,
        split.residual_coefficient, across, c, e,
    )  # fmt: skip
    return *saved, *pair


def _pull(inputs: Sequence[Tensor], saved: Sequence[Tensor], g: Tensor) -> tuple[Tensor, ...]:
    """As the head of the file has it, of covectors: for a vector u at x stands U - u_t X/T_x.

    What has no lateral digits left is not subtracted: P v - ... at y is put together from what is
    across X and, both points being far out, X's part across Y.
    """
    at, pair = Saved(*saved[:_OWN]), _Pair(*saved[_OWN:])
    c, e = at.c, at.e
    length = 1.0 if len(inputs) < 4 else inputs[3]
    area = length * length
    x, g_space = inputs[0][..., 1:], g[..., 1:]
    tx, ty, far, both_far = pair.tx, pair.ty, pair.far, pair.both_far
    split = split_radially(g_space, Ray(at.ray_vector, at.ray_unit, at.ray_square, far, area))
    lean = g[..., :1] / (ty * length)  # the time part moves as Y does, over T_y
    y_share = far * pair.inner / (pair.x2 + (1 - far))  # Y's along X, as a multiple of X
    on_x = split.inner_x + far * split.residual  # g_s.X, and then with the time part's share
    on_y = (dot(split.lateral, pair.lateral) / area) * ty
    on_y = on_y - split.residual_coefficient * pair.residual + y_share * on_x
    on_x, on_y = on_x + lean * pair.inner, on_y + lean * pair.y2
    k = (on_x + on_y) / pair.z
    full = k + lean

    # By v: g + k y.
    size = pair.x2.clamp(min=1).sqrt()
    radial = (pair.b * on_y + pair.a * on_x) * (far / (size * tx) + (1 - far))
    by_v = subtract_scaled(split.lateral, pair.lateral, -full * ty)
    to_x = split.residual_coefficient + full * pair.residual_coefficient - radial
    by_v = subtract_scaled(by_v, x, to_x)

    # By x: c p - k T_y/T_x v, v as a covector.
    k_v = -k * ty / tx
    v_on_x = at.radial_v * (far / (size * tx) - (1 - far) / (tx * tx)) - at.residual_v
    by_x = subtract_scaled(by_v * c, at.lateral_v, -k_v)
    by_x = subtract_scaled(by_x, x, -k_v * v_on_x)

    # By y: c g + k P v. P v at y as a covector is lateral_v + (w - residual_v) X + reach lateral.
    inverse = both_far / (pair.y2 + (1 - both_far))
    x_share = pair.inner * inverse  # X's along Y, as a multiple of Y
    rho = c / (ty * ty) - at.across * (pair.z / (ty * ty))
    rho = rho + e * ((x_share - (1 - both_far) * pair.inner) / (ty * ty))
    w = e * (pair.lateral_square * inverse + (1 - both_far)) + y_share * rho
    reach = rho - e * x_share
    on_lateral = full * reach + c * lean
    by_y = subtract_scaled(g_space * c, at.lateral_v, -full)
    by_y = subtract_scaled(by_y, pair.lateral, -on_lateral * ty)
    to_x = full * (at.residual_v - w) + on_lateral * pair.residual_coefficient - c * lean * y_share
    by_y = subtract_scaled(by_y, x, to_x)
    zero = torch.zeros_like(lean * c)
    return tuple(torch.cat([zero, d], dim=-1) for d in (by_x, by_y, by_v))


def _radius_derivative(inputs: Sequence[Tensor], saved: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """R d/dR at fixed space parts, near the origin and farther out."""
    x, y, v, radius = *(u[..., 1:] for u in inputs[:3]), inputs[3]
    heights = time_gap(x, y, radius * radius)
    tx, ty = heights.tx, heights.ty
    # Near, the form in ambient coordinates: farther out its terms cancel by powers of T.
    near = (torch.maximum(tx, ty) <= _NEAR_FARTHER) & (torch.minimum(tx, ty) <= _NEAR_NEARER)
    far = _by_radius_far(x, y, v, saved[0][..., 1:], radius, heights)
    space = torch.where(near, _by_radius_near(x, y, v, radius, heights), far)
    space = with_time_by_log_radius(space, y, saved[0][..., :1], ty, radius)
    return space, torch.ones_like(near)


# T of the farther and of the nearer of two points (r = 2.1 and 1.0) up to which the form in ambient
# coordinates is taken. Beyond the second both points have an outward ray to build frames on.
_NEAR_FARTHER, _NEAR_NEARER = 4, 1.5


def _by_radius_near(x: Tensor, y: Tensor, v: Tensor, radius: Tensor, heights: TimeGap) -> Tensor:
    """In V + c (X + Y) the number c = <y, v>/(1 + cosh d) alone depends on R."""
    area, tx, ty = radius * radius, heights.tx, heights.ty
    xv = dot(x, v) / area
    z = 1 + tx * ty - dot(x, y) / area
    c = (dot(y - x, v) / area - heights.gap / tx * xv) / z
    square = (heights.gap / tx) * (heights.gap / ty)
    # Of <y, v> = y.v - (T_y/T_x) x.v over R^2, and of 1 + cosh d.
    inner = heights.gap * (tx + ty) / (tx * tx * tx * ty) * xv / z
    by_radius = inner - 2 * c - c * (square - 2 * (z - 2)) / z
    return by_radius * (x + y)


def _by_radius_far(
    x: Tensor, y: Tensor, v: Tensor, moved: Tensor, radius: Tensor, heights: TimeGap
) -> Tensor:
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
    tx, ty = heights.tx, heights.ty
    x, y, step = x / radius, y / radius, (y - x) / radius
    size_x, size_y = norm(x), norm(y)
    # The frame (e, n) at x, and theta. The origin has no outward ray: it takes the other point's.
    at_origin = (size_x == 0) | (size_y == 0)
    ray_y = torch.where(size_y == 0, x, y)
    ray_x = torch.where(size_x == 0, y, x)
    e, _, lateral, y_radial, _ = relative_to_ray(ray_x, ray_y, step.where(~at_origin, 0.0))
    length = norm(ray_y)
    length = length.where(length > 0, 1.0)
    cos, sin = y_radial / length, norm(lateral) / length
    n = normalize(lateral)[0]

    # u/|u| = c + i s, and phi. The half angle by the root of what does not cancel, 1 + |cos|.
    half = ((1 + cos.abs()) / 2).sqrt()
    c, s = (torch.where(o, sin / half / 2, half) for o in (cos < 0, cos >= 0))
    q = (size_x / (1 + tx)) * (size_y / (1 + ty))
    # 1 - q is 2 (T_x + T_y)/((1 + T_x)(1 + T_y)(1 + q)): far out q is 1 - 2 e^-r to rounding.
    c, s = c * 2 * ((tx + ty) / (1 + tx)) / (1 + ty) / (1 + q), s * (1 + q)
    root = (c * c + s * s).sqrt()
    c, s = c / root, s / root
    sin_phi, cos_phi = -2 * c * s, (c - s) * (c + s)

    # v = alpha' e + beta n, alpha = T_y alpha': alpha' is too short for a product.
    tanh_x, tanh_y = size_x / tx, size_y / ty  # tanh r
    p = tanh_x * tanh_y
    fall = -(heights.gap / tx) / ty * (1 / tx + 1 / ty)  # 1/T_y^2 - 1/T_x^2
    total = tanh_x + tanh_y
    share = fall / total.where(total > 0, 1.0)  # tanh_x - tanh_y
    along = dot(v, e)
    lateral_v = subtract_scaled(v, e, along)
    alpha = (along + dot(lateral_v, e)) * (ty / tx)
    beta = dot(lateral_v, n) - dot(lateral_v, e) * dot(e, n)

    # One end near the origin: P v in the plane is along e_y and across n_y, turned by theta + A,
    # and cos A, sin A are of (1 - q e^(-i theta))^2.
    real, imaginary = 1 - q * cos, q * sin
    whole = real * real + imaginary * imaginary
    cos_a, sin_a = (real - imaginary) * (real + imaginary) / whole, 2 * real * imaginary / whole
    cos_phi_near, sin_phi_near = cos * cos_a - sin * sin_a, -(sin * cos_a + cos * sin_a)
    e_y, n_y = cos * e + sin * n, cos * n - sin * e
    moved_along = alpha / ty * cos_phi_near - beta * sin_phi_near
    moved_across = alpha / ty * sin_phi_near + beta * cos_phi_near
    lifted = size_y * (size_y / (1 + ty)) * cos_phi_near * e_y + cos_a * e - sin_a * n
    near = tanh_x * tanh_x * (alpha / ty) * lifted - y / ty * dot(y / ty, moved)
    near = near + p * sin_phi_near * (ty * moved_across * e_y - moved_along * n_y)

    # Both far out: the derivatives of T alpha' and of the angle, each a sum of what is as short.
    radial = alpha * (cos_phi * fall + p * sin_phi * sin_phi)
    radial = radial + ty * beta * sin_phi * (c * c * (p + tanh_y * tanh_y) - s * s * tanh_y * share)
    angular = alpha / ty * sin_phi * (s * s * (p + tanh_x * tanh_x) + c * c * tanh_x * share)
    angular = angular + beta * p * sin_phi * sin_phi
    one_near = torch.minimum(tx, ty) <= _NEAR_NEARER
    return torch.where(one_near, near, e_y * radial + n_y * angular)


transport = custom_vjp(_value, _pull, scaled=2, degree=0, radius_derivative=_radius_derivative)
