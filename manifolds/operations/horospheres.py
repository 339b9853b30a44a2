"""Points at infinity, the Busemann functions that measure how near they are, and horospheres."""

from __future__ import annotations

import torch
from torch import Tensor

from ..base import Manifold
from ..charts.through_quadric import point, through_quadric
from ..checks import check_amount, check_broadcast, check_tensor
from ..kernels.arithmetic.custom_vjp import direction, with_radius_derivative
from ..kernels.arithmetic.limits import farthest_apart
from ..kernels.arithmetic.vectors import dot, norm, normalize
from ..kernels.functions.special import tanhc_missing
from ..kernels.hyperboloid import frames as hyperboloid_frames
from ..kernels.hyperboloid.points import time
from ..space_form import Context
from .moving_frame import embedded, from_space_part, space_part, tangents
from .open_form import open_form


@through_quadric("x")
def busemann(manifold: Manifold, x: Tensor, ideal: Tensor) -> Tensor:
    r"""Busemann function of an ideal point: the distance to infinity, less that of the origin.

    .. math:: B_\xi(x) = \lim_{t\to\infty} d(x, \gamma_\xi(t)) - t,

    :math:`\gamma_\xi` the ray from the origin with direction :math:`\xi`. At K = -1 on the
    hyperboloid :math:`\log(x_t - \xi\cdot x_s)`, on the ball
    :math:`\log(|\xi - x|^2/(1 - |x|^2))` (Bridson & Haefliger 1999, chapter II.8), on Euclidean
    space :math:`-\xi\cdot x`; in general R B(x/R).

    B is 0 at the origin, falls at unit speed towards the ideal point (to :math:`-\infty`), is
    convex and 1-Lipschitz with a gradient of norm 1 everywhere. An isometry g changes it by a
    constant, :math:`B_{g\xi}(gx) = B_\xi(x) + \mathrm{const}`.

    On Stereographic with K < 0 it is that of the ball, and at K = 0, where the point with normal
    coordinates v is v/2, :math:`-2\xi\cdot x`: its limit. The difference is of the order of
    sqrt(-K), so the derivative by K has no limit at 0, and at K = 0 itself there is none. The same
    holds for the other functions here.

    Near the ray :math:`x_t - \xi\cdot x_s` is a difference of two numbers of size
    :math:`e^r` that is :math:`e^{-r}`; it is computed as
    :math:`(1 + |x_\perp|^2)/(x_t + \xi\cdot x_s)`, :math:`x_\perp` the part of the space part
    across :math:`\xi`.

    Args:
        manifold: Lorentz, PoincareBall, Euclidean, or Stereographic with K <= 0.
        x: points (..., m).
        ideal: directions :math:`\xi` at the origin, (..., n): the ideal point is the end of the ray
            ``from_normal(t ideal)``. Of any positive length, which does not matter; zero is no
            direction.

    Returns:
        (...), a signed length.

    Raises:
        TypeError: on a product.
        ValueError: for K > 0, where there are no ideal points, and for shapes that do not match.
    """
    manifold, x, _ = open_form("busemann", manifold, x)
    x_, xi, call = _entered("busemann", manifold, x, ideal, hold=True)
    if manifold.sign == 0:
        return manifold._from_unit_scalar(-dot(xi, x_), call, 1)
    s = space_part(manifold, x_)
    _, b = _decomposed(s, xi)
    square = dot(s, s)
    near = square <= 1
    # b - 1, of which no digit is lost to the 1 near the origin.
    small = (square / (1 + time(s)) - dot(xi, s)).where(near, 0.0)
    value = torch.where(near, small.log1p(), b.where(~near, 1.0).log())

    def turn(factor: Tensor) -> Tensor:
        own = space_part(manifold, factor * x_)
        return _turn(own, xi, carried=not embedded(manifold))

    value = with_radius_derivative(value, call.curved.get("k", 1.0), turn)
    return manifold._from_unit_scalar(value, call, 1)


def _turn(s: Tensor, xi: Tensor, *, carried: bool) -> Tensor:
    r"""R d/dR of R B(x/R), over R: B - 1 + 1/(b T), b = e^B, s held fixed.

    Near the origin all of this cancels but terms of third order on the ray, of second across it.
    There with c = sinh(rho) the component along xi, l the rest, T_c = cosh(rho) and
    L = l^2 e^rho/(T + T_c) it is (tanh rho - rho) - c l^2/((T + T_c) T T_c) + log(1 + L)
    - l^2/(b T). ``carried``: s is 2x/(1 - x.x) with x held fixed, which moves it by T - 1 times
    itself.
    """
    lateral, b = _decomposed(s, xi)
    square, t = dot(s, s), time(s)
    near = square <= 1
    c, l2 = dot(xi, s), dot(lateral, lateral)
    # The slope of B by log s, 1 - 1/(b T).
    slope = (l2 - c * b) / b / t
    far = b.where(~near, 1.0).log() - slope
    c, l2 = c.where(near, 0.0), l2.where(near, 0.0)
    t_c, t_near = (1 + c * c).sqrt(), time(s.where(near, 0.0))
    rho, both = c.asinh(), t_near + t_c
    share = l2 * (t_c + c) / both  # T_c + c is e^rho, c >= -1 here
    own = -rho * rho.square() * tanhc_missing(rho.square()) - c * l2 / (both * t_near * t_c)
    own = own + share.log1p() - l2 / (b.where(near, 1.0) * t_near)
    own = torch.where(near, own, far)
    if carried:
        own = own - square / (1 + t) * slope
    return own


def horosphere_distance(
    manifold: Manifold, x: Tensor, ideal: Tensor, level: Tensor | float
) -> Tensor:
    r"""Signed distance to the horosphere :math:`\{B_\xi = c\}`, negative on the ideal point's side.

    It is B(x) - c: a horosphere is a level set of :func:`busemann`, and through every point passes
    the geodesic to the ideal point, which meets all of them at right angles. On Euclidean space
    horospheres are hyperplanes.

    Args:
        manifold, x, ideal: as for :func:`busemann`.
        level: c, a number or a tensor that broadcasts with the leading axes. At c = 0 the
            horosphere passes through the origin.
    """
    where = "horosphere_distance"
    check_amount(where, "level", level)
    height = busemann(manifold, x, ideal)
    if isinstance(level, Tensor):
        check_broadcast(where, "level", level, level.shape, height.shape)
    return height - level


@through_quadric("x", give=point)
def horosphere_project(
    manifold: Manifold, x: Tensor, ideal: Tensor, level: Tensor | float
) -> Tensor:
    """The nearest point of a horosphere, on the geodesic through x to the ideal point.

    Args:
        manifold, x, ideal, level: as for :func:`horosphere_distance`.

    Returns:
        (..., m). A point too far out for its dtype is pulled back as by :meth:`Manifold.expmap`.
    """
    op = "horosphere_project"
    manifold, x, scale = open_form(op, manifold, x)
    s, xi, call = _enter(op, manifold, x, ideal)
    c = _length(f"{manifold._name}.{op}", "level", level, s, xi, call)
    lateral, b = _decomposed(s, xi)
    if manifold.sign == 0:
        return manifold._from_unit_point(lateral - c * xi, call) / scale
    # No horosphere farther out has a point that the dtype can hold.
    farthest = farthest_apart(s.dtype) / 2
    c = c.clamp(-farthest, farthest)
    # In horospherical coordinates, the lateral part l and e^B, the component along xi is
    # |l|^2/(2 e^B) - sinh B, and l shrinks with e^B. The way t = B(x) - c is not taken: its
    # rounding would be magnified, and on the ray to xi the result does not depend on x.
    shrink = c.exp() / b
    component = shrink * (dot(lateral, lateral) / b) / 2 - c.sinh()
    moved = shrink * lateral + component * xi
    return manifold._from_unit_point(from_space_part(manifold, moved), call)


@through_quadric("x", give=point)
def towards(manifold: Manifold, x: Tensor, ideal: Tensor, t: Tensor | float) -> Tensor:
    r"""The point at distance t from x on the geodesic to an ideal point.

    On the hyperboloid, at K = -1 and with :math:`k = (1, \xi)`,
    :math:`e^{-t}x + \frac{\sinh t}{-\langle k, x\rangle}\,k`. ``busemann`` falls by t on the way,
    and two points that go towards the same ideal point come together.

    Args:
        manifold, x, ideal: as for :func:`busemann`.
        t: a length, number or tensor (...); negative for away from the ideal point.

    Returns:
        (..., m). A point too far out for its dtype is pulled back as by :meth:`Manifold.expmap`.
    """
    manifold, x, scale = open_form("towards", manifold, x)
    s, xi, call = _enter("towards", manifold, x, ideal)
    length = _length(f"{manifold._name}.towards", "t", t, s, xi, call)
    if manifold.sign == 0:
        return manifold._from_unit_point(s + length * xi, call) / scale
    longest = farthest_apart(s.dtype)
    t = length.clamp(-longest, longest)
    lateral, b = _decomposed(s, xi)
    shrink, near = (-t).exp(), dot(s, s) <= 1
    # Gives x back to the last bit for t = 0.
    plain = shrink * s + t.where(near, 0.0).sinh() / b * xi
    # Far out these two cancel on the way out of the horosphere. In horospherical coordinates, the
    # lateral part l and b = e^B, x.xi is ((1 + |l|^2)/b - b)/2, and both shrink by e^-t.
    component = (1 / (shrink * b) + shrink * (dot(lateral, lateral) / b) - shrink * b) / 2
    moved = torch.where(near, plain, shrink * lateral + component * xi)
    return manifold._from_unit_point(from_space_part(manifold, moved), call)


@through_quadric("x", vectors={"v": "x"})
def ideal_point(manifold: Manifold, x: Tensor, v: Tensor) -> Tensor:
    r"""The ideal point in which the geodesic from x with velocity v ends.

    At K = -1 on the hyperboloid, with v of length 1, the direction of the space part of x + v, a
    null vector. ``towards(manifold, x, ideal_point(manifold, x, v), t)`` is
    :math:`\exp_x(tv/\lVert v\rVert)`, and an isometry takes the end of a ray to the end of its
    image, ``ideal_point(manifold, g(x), g.push(x, v))``.

    Args:
        manifold: as for :func:`busemann`.
        x: points (..., m).
        v: tangent vectors (..., m) there, of any positive length.

    Returns:
        A unit vector (..., n): the direction at the origin in which the same ideal point is seen.
        For v = 0, which goes nowhere, the direction of x itself, or 0 at the origin.
    """
    op = "ideal_point"
    manifold, x, _ = open_form(op, manifold, x)
    (x_, v_), call = manifold._to_unit(op, [("x", x)], [("v", v)])
    kept = tangents(manifold)
    w, _ = normalize(kept.frame(x_, kept.enter(x_, v_)))
    if manifold.sign == 0:
        return manifold._from_unit_vector(w, call)
    s = space_part(manifold, x_)
    far = dot(s, s) > 1
    along, across, t = w[..., :1], w[..., 1:], time(s)
    ray, size = normalize(s.where(far, 1.0))
    # Inwards the radial parts of x and v cancel; from along^2 = 1 - |across|^2.
    inwards = far & (along < 0)
    product = t * along
    opposite = ((t * norm(across)).square() - 1) / (size - product).where(inwards, 1.0)
    radial = torch.where(inwards, opposite, size + product)
    null = torch.where(far, ray * radial + across, s + hyperboloid_frames.join(s, w))
    return manifold._from_unit_vector(normalize(null)[0], call)


def _decomposed(s: Tensor, xi: Tensor) -> tuple[Tensor, Tensor]:
    """(the part of s across xi, x_t - xi.x_s), without cancellation."""
    component = dot(xi, s)
    lateral = s - component * xi
    lateral = lateral - dot(xi, lateral) * xi  # what rounding left along xi counts in full
    t, ahead = time(s), component > 0
    total = (t + component).where(ahead, 1.0)
    return lateral, torch.where(ahead, (1 + dot(lateral, lateral)) / total, t - component)


def _enter(op: str, manifold: Manifold, x: Tensor, ideal: Tensor) -> tuple[Tensor, Tensor, Context]:
    """(the space part of x at unit curvature, or x itself on flat space; xi; the way back)."""
    x_, xi, call = _entered(op, manifold, x, ideal)
    return space_part(manifold, x_) if manifold.sign else x_, xi, call


def _entered(
    op: str, manifold: Manifold, x: Tensor, ideal: Tensor, *, hold: bool = False
) -> tuple[Tensor, Tensor, Context]:
    """(x at unit curvature, xi, the way back)."""
    (x_,), call = manifold._to_unit(op, [("x", x)], hold=hold)
    where, n = f"{manifold._name}.{op}", x.shape[-1] - manifold._extra_coordinates
    check_tensor(where, "ideal", ideal)
    if ideal.ndim == 0 or ideal.shape[-1] != n:
        raise ValueError(
            f"{where}: ideal has shape {tuple(ideal.shape)} and x has shape {tuple(x.shape)}; "
            f"expected directions at the origin, with {n} coordinates on the last axis."
        )
    if ideal.device != x.device:
        raise ValueError(
            f"{where}: x is on {x.device} and ideal is on {ideal.device}; expected both on one "
            "device."
        )
    check_broadcast(where, "ideal", ideal, ideal.shape[:-1], x.shape[:-1])
    dtype = torch.promote_types(x.dtype, ideal.dtype)
    working = torch.promote_types(dtype, torch.float32)
    xi = direction(ideal.to(working))
    return x_.to(working), xi, call.in_dtype(dtype)


def _length(
    where: str, name: str, value: Tensor | float, s: Tensor, xi: Tensor, call: Context
) -> Tensor:
    """A length given by the user, in units of R, (..., 1)."""
    check_amount(where, name, value)
    length = torch.as_tensor(value, dtype=s.dtype, device=s.device)
    leading = torch.broadcast_shapes(s.shape[:-1], xi.shape[:-1])  # type: ignore[no-untyped-call]
    check_broadcast(where, name, length, length.shape, leading)
    return (length / call.radius).unsqueeze(-1)
