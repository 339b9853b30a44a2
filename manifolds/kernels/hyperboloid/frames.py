r"""Tangent vectors of the hyperboloid of curvature -1 by components in a frame, far out as near.

    V = a X/|X| T + L,    components (a, L),    |V|^2 = a^2 + |L|^2
    log_X Y sinh(d)/d,    exp_X of it,    P V from X to Y as a rotation by the triangle's area

==================== ==================== ==========================================================
letter               name in the code     what it is
==================== ==================== ==========================================================
X, Y                 x, y                 space parts of points, (..., n)
V                    v                    the space part of a vector, (..., n)
(a, L)               w                    its components, (..., n + 1), the radial one first
s                    step                 Y - X, (..., n)
h                    h                    sinh^2(d/2), (..., 1)
T                    time(x)              sqrt(1 + |X|^2), (..., 1)
==================== ==================== ==========================================================

The coordinates of a vector at X are T = cosh r times longer along the ray through X than across it.
A vector kept in coordinates has no lateral digits left where T is beyond the inverse rounding; its
components in the frame of ``hyperboloid.across_along`` have all. For |X| <= 1 that frame is the one
carried from the origin and the radial component 0.

Domain: |X| up to ``limits.farthest``; of ``sinh_exp`` no limit on d.
Bound: 8 units of u (1 + kappa) in value, kappa the condition number.
Proof: validation/symbolic/kernels.py, "kernels/frame, far", "kernels/frame, near"
Proof: validation/symbolic/kernels.py, "kernels/expmap, polar"
Certificate: Lorentz.translation, Lorentz.rotation, Lorentz.reflection, Lorentz.jacobi_field
Certificate: Lorentz.expmap_differential, Lorentz.logmap_differential
"""

from __future__ import annotations

import torch
from torch import Tensor

from ..arithmetic.error_free import lateral
from ..arithmetic.limits import farthest
from ..arithmetic.vectors import dot, norm, normalize, relative_to_ray
from ..functions.special import coshm1c, sinhc
from .dist import stepped_haversine
from .geodesic import exp_of
from .points import across_along, polar, time


def split(x: Tensor, v: Tensor) -> Tensor:
    """Components of the vector with space part v."""
    across, along = across_along(x, v)
    far = _far(x)
    exact = lateral(x.detach().where(far, 1.0), v.detach())
    across = torch.where(far, exact + (across - across.detach()), across)
    return torch.cat([along, across], dim=-1)


def join(x: Tensor, w: Tensor) -> Tensor:
    """Space part of the vector with components w."""
    along, across, t = w[..., :1], w[..., 1:], time(x)
    near = dot(x, across) / (1 + t) * x
    return across + torch.where(_far(x), along * t * _ray(x), near)


def split_carried(x: Tensor, w: Tensor) -> Tensor:
    """Components of a vector given in the frame that is carried from the origin along the ray."""
    ray = _ray(x)
    along = dot(ray, w)
    across = w - along * ray
    return torch.cat([along, across - dot(ray, across) * ray], dim=-1)


def join_carried(x: Tensor, w: Tensor) -> Tensor:
    """The inverse of split_carried."""
    return w[..., 1:] + w[..., :1] * _ray(x)


def sinh_log(x: Tensor, y: Tensor, step: Tensor) -> tuple[Tensor, Tensor]:
    """log_x y made sinh d long, in components, and sinh^2(d/2)."""
    far, h = _far(x), stepped_haversine(x, y, step, 1.0)
    outer = x.where(far, 1.0)
    _, size, side, reach, ahead = relative_to_ray(outer, y, torch.where(far, step, y - 1))
    # As in hyperboloid.outward, T_x reach - |x| T_y is rationalised where it is a difference; but
    # without a norm, since forward-mode derivatives of one overflow next to the origin.
    ty, opposite = time(y), reach < 0
    total = (time(outer) * reach + size * ty).where(~opposite, 1.0)
    swept = size * side
    difference = ahead * ((size + reach) / total) - dot(swept / total, swept)
    along = torch.where(opposite, time(outer) * reach - size * ty, difference)
    inner, t = (
        x.where(~far, 0.0),
        time(x.where(~far, 0.0)),
    )  # far out products overflow in gradients
    near = (step - 2 * h * inner).where(~far, 0.0)
    near = near - dot(inner, near) / (t * (1 + t)) * inner
    return torch.cat([along.where(far, 0.0), torch.where(far, side, near)], dim=-1), h


def sinh_exp(x: Tensor, w: Tensor, h: Tensor) -> Tensor:
    """Space part of exp_x of the vector in the direction of w, d long; the inverse of sinh_log.

    The length itself is not formed: the exponential of a rounded d would be off by d units, up to
    56 in float32 and 472 in float64. And so there is no limit on d.
    """
    ray, outer, radial, inwards = _radially(x, w, h)
    direct = x + torch.where(_far(x), ray * outer + w[..., 1:], 2 * h * x + join(x, w))
    return torch.where(inwards, ray * radial + w[..., 1:], direct)


def _radially(x: Tensor, w: Tensor, h: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Of exp_x, x far out: (the ray, what the component along it grows by, or if that cancels the
    component itself, and whether it does)."""
    far = _far(x)
    along, t = w[..., :1], time(x)
    ray, size = normalize(x.where(far, 1.0))
    outer = 2 * h * size + t * along
    # Inwards |x| cosh d and T sinh d cancel. With mu the cosine of the angle to the ray the radial
    # part is (1 + mu)/2 sinh(r + d) + (1 - mu)/2 sinh(r - d), from e^r and e^d.
    inwards = far & (along < 0) & (h > 1 / 16)
    direction, _ = normalize(w.where(inwards, -1.0))
    less = dot(direction[..., 1:], direction[..., 1:]) / (1 - direction[..., :1])  # 1 + mu
    reached = h.where(inwards, 1.0)
    e_r = size + (1 + size.square()).sqrt()
    return ray, outer, polar(less / 2, 1 - less / 2, e_r, exp_of(reached), -1), inwards


def turned_along(x: Tensor, v: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
    """(y, w in components there): y = exp_x(v), w carried along; v, w in components.

    The turn is found from v, not from y: what rounding moves y by, next to v, would turn w as well.
    """
    square = dot(v, v)
    half, growth = square / 4, sinhc(square)
    h = half * sinhc(half).square()
    heading = growth * v
    y, side = sinh_exp(x, heading, h), heading[..., 1:]
    limit = farthest(x.dtype)  # whose square does not overflow
    back = limit / norm(y.detach()).clamp(min=limit)
    y, side = back * y, back * side
    both = _far(x) & _far(y)
    outer_x, outer_y = x.where(both, 1.0), y.where(both, 1.0)
    ray, outer, radial, inwards = _radially(outer_x, heading, h)
    size_x, size_y = norm(outer_x), norm(outer_y)
    reach = back * torch.where(inwards, radial, size_x + outer)
    far = _turned_at(ray, size_x, size_y, side.where(both, 0.0), reach.where(both, 1.0), w)
    some = torch.zeros_like(x)
    short = torch.where(both, some, x), torch.where(both, some, y)
    lever = side.where(~both, 0.0) / (1 + time(short[1]))
    return y, torch.where(both, far, _turned_near(*short, lever, h.where(~both, 0.0), w))


def moved_along(
    x: Tensor, v: Tensor, near: Tensor, whole: Tensor, along: Tensor, aside: Tensor
) -> Tensor:
    """Space part at exp_x(v) of a Jacobi field, v and the field's parts at x in components.

    What is across the geodesic is, in the ambient space, one vector all along it; the velocity is
    sinh(t) x + cosh(t) v/t. So nothing has to be known of the end point, where the vector's
    coordinates are again cosh r times longer along the ray than across it. ``near`` where |v| <= 1:
    there ``along`` is the product of v and the field, else the component.
    """
    square = dot(v, v)
    s, t = square.where(near, 0.0), norm(v.where(~near, 1.0))
    bend = sinhc(s) * x + coshm1c(s) * join(x, v)
    short = join(x, whole) + along * bend
    direction = v.where(~near, 1.0) / t
    sinh, cosh = t.sinh(), t.cosh()
    velocity = sinh * x + cosh * join(x, direction)
    # Inwards the two cancel: there from e^r and e^t, as in ``sinh_exp``.
    c, across = direction[..., :1], direction[..., 1:]
    inwards = _far(x) & (c < 0)
    ray, size = normalize(x.where(inwards, 1.0))
    less = dot(across, across) / (1 - c.where(inwards, -1.0))  # 1 + c
    e_r, e_t = size + (1 + size.square()).sqrt(), t.where(inwards, 1.0).exp()
    outer = polar(less / 2, less / 2 - 1, e_r, e_t, 1)
    velocity = torch.where(inwards, outer * ray + cosh * across, velocity)
    return torch.where(near, short, along * velocity + join(x, aside))


def turned(x: Tensor, y: Tensor, step: Tensor, w: Tensor) -> Tensor:
    """Parallel transport from x to y, of components to components."""
    both = _far(x) & _far(y)
    some = torch.ones_like(x)
    far = _turned_far(x.where(both, some), y.where(both, some), step.where(both, 0.0), w)
    short = torch.where(both, some * 0, x), torch.where(both, some * 0, y)
    h = stepped_haversine(*short, torch.where(both, some * 0, step), 1.0)
    lever = short[1] / (1 + time(short[1]))
    return torch.where(both, far, _turned_near(*short, lever, h, w))


def _turned_near(x: Tensor, y: Tensor, lever: Tensor, h: Tensor, w: Tensor) -> Tensor:
    """|x| <= 1 or |y| <= 1: radially to the origin, a rotation by the triangle's area, out again.

    The rotation is the gyration of p = y/(1 + T_y) and q = x/(1 + T_x) on the ball: with
    B w = q (p.w) - p (q.w), it is w + 2 ((1 - p.q) B w + B B w)/|1 - p.q + B|^2. ``lever`` is p, or
    p less a multiple of x, of which B is the same.
    """
    tx, ty = time(x), time(y)
    w = join_carried(x, w)
    q, p = x / (1 + tx), y / (1 + ty)
    facing = 1 - dot(p, q)
    swung = q * dot(lever, w) - lever * dot(q, w)
    again = q * dot(lever, swung) - lever * dot(q, swung)
    turn = (1 + tx) * (1 + ty) / (2 * (1 + h))
    return split_carried(y, w + turn * (facing * swung + again))


def _turned_far(x: Tensor, y: Tensor, step: Tensor, w: Tensor) -> Tensor:
    """|x|, |y| > 1: a rotation of the frames of the outward rays at x and y."""
    outward_x, size_x, side, reach, _ = relative_to_ray(x, y, step)
    return _turned_at(outward_x, size_x, norm(y), side, reach, w)


def _turned_at(
    ray: Tensor, size_x: Tensor, size_y: Tensor, side: Tensor, reach: Tensor, w: Tensor
) -> Tensor:
    r"""The same of y = reach ray + side, ``ray`` the direction of x.

    The geodesic meets the rays at angles whose difference phi is the sum of the triangle's angles
    at x and y less pi. By Napier's analogy, theta the angle at the origin,

    tan(phi/2) = -tan(theta/2) cosh((r_x + r_y)/2)/cosh((r_x - r_y)/2),

    to full relative accuracy. Written in two multiples of e, the direction across the ray at x in
    which y lies: q = sin(theta) e, and ``turn`` whose length is |tan(phi/2)| or its inverse, the
    one that is 0 with theta. They need no norm and are smooth where they vanish.
    """
    tx, ty = (1 + size_x.square()).sqrt(), (1 + size_y.square()).sqrt()
    along, across = w[..., :1], w[..., 1:]
    q, cosine = side / size_y, reach / size_y
    spread = (1 + tx * ty + size_x * size_y).sqrt()  # of 1 + cosh(r_x + r_y)
    ratio = (2 + ((size_y - size_x) / spread).square()).sqrt() / spread
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
    return torch.cat([stay * along + 2 * cos * sway, across - lateral - inward * ray], dim=-1)


def _far(x: Tensor) -> Tensor:
    return dot(x, x) > 1


def _ray(x: Tensor) -> Tensor:
    """x/|x| far out, 0 where no ray is needed."""
    far = _far(x)
    return normalize(x.where(far, 1.0))[0].where(far, 0.0)
