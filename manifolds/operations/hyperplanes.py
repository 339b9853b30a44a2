"""Hyperplanes (totally geodesic hypersurfaces): distances, reflections, logits of classifiers."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor

from ..base import Manifold
from ..charts.through_quadric import through_quadric
from ..checks import check_broadcast, check_coordinates, check_tensor
from ..kernels.arithmetic.custom_vjp import direction, with_radius_derivative
from ..kernels.arithmetic.vectors import dot, norm, normalize, scale_of
from ..kernels.functions.curved_asinh import asinh_over
from ..kernels.functions.special import long_asinh, tanhc_missing
from ..kernels.hyperboloid import frames as hyperboloid_frames
from ..kernels.hyperboloid.pair import time_gap
from ..kernels.hyperboloid.points import time
from ..kernels.stereographic import conformal, hyperplanes as stereographic_hyperplanes
from ..manifold_checks import check_known, check_one
from ..space_form import Context, divided, times
from .isometries import reflection
from .isometries_of_products import product_of
from .moving_frame import Tangents, embedded, space_part, tangents

if TYPE_CHECKING:
    from ..stereographic import Stereographic


_NONE = "hyperplanes are those of the factors of a product"


@through_quadric("x", "p", vectors={"a": "p"})
def signed_distance(manifold: Manifold, x: Tensor, p: Tensor, a: Tensor) -> Tensor:
    r"""Signed distance from x to the hyperplane through p with normal vector a.

    The hyperplane is :math:`\{\exp_p v : \langle v, a\rangle_p = 0\}`. With
    :math:`v = \log_p x` and sn = sinh, id, sin by the sign of K,

    .. math:: \mathrm{sn}\Bigl(\frac{\delta}{R}\Bigr) =
              \mathrm{sn}\Bigl(\frac{\lVert v\rVert}{R}\Bigr)\cos\angle(v, a)

    (the law of sines in the right-angled triangle). On Stereographic it is smooth in K through 0.
    On Lorentz at K = -1 that is
    :math:`\mathrm{asinh}(\langle x, a\rangle/\lVert a\rVert)`, on Sphere
    :math:`\mathrm{asin}(x\cdot a/|a|)`, on Euclidean :math:`(x-p)\cdot a/|a|`, on PoincareBall
    Ganea et al. 2018 (Hyperbolic Neural Networks), theorem 5, with a sign. Positive on the side
    that a points to; the direction of the gradient by x is that of the nearest point's geodesic.

    Args:
        manifold: the space, but no :class:`Product`: the hypersurface of such v is not totally
            geodesic there, nor is its distance known in closed form, unless a is of one factor.
        x: points (..., m).
        p: points (..., m) of the hyperplanes.
        a: normals (..., m), tangent at p, of any positive length, which does not matter. For
            a = 0 the result is 0.

    Returns:
        (...). On the sphere between -pi R/2 and pi R/2, the poles of the hyperplane, where the
        gradient is 0.
    """
    check_one("signed_distance", manifold, _NONE)
    check_known("signed_distance", manifold)
    op = "signed_distance"
    sine, cosine, _, call = _sine(op, manifold, x, p, a, hold=True)
    k = call.curved.get("k", 1.0)
    if isinstance(k, float):
        return manifold._from_unit_scalar(_arc(manifold, sine, cosine), call, 1)
    if not embedded(manifold):
        return manifold._from_unit_scalar(asinh_over(sine, k), call, 1)
    (p_, x_, a_), _ = manifold._to_unit(op, [("p", p), ("x", x)], [("a", a)], hold=True)
    value = with_radius_derivative(
        _arc(manifold, sine, cosine), k, lambda f: _turn(manifold, f * p_, f * x_, a_)
    )
    return manifold._from_unit_scalar(value, call, 1)


def hyperplane_distance(manifold: Manifold, x: Tensor, p: Tensor, a: Tensor) -> Tensor:
    """Distance from x to the hyperplane through p with normal a: abs of :func:`signed_distance`.

    Its gradient is 0 on the hyperplane. Shapes: three (..., m) -> (...).
    """
    return signed_distance(manifold, x, p, a).abs()


def reflect(manifold: Manifold, x: Tensor, p: Tensor, a: Tensor) -> Tensor:
    """x reflected in the hyperplane through p with normal a: ``reflection(manifold, p, a)(x)``.

    Shapes: three (..., m) -> (..., m).
    """
    return reflection(manifold, p, a)(x)


def hyperplane(manifold: Manifold, direction: Tensor, offset: Tensor) -> tuple[Tensor, Tensor]:
    r"""The hyperplane at a distance from the origin: (p, a) from n + 1 free parameters.

    p is the point at distance ``offset`` from the origin in the given direction, and a the
    direction carried there, of length ``|direction|``: the parameters of Shimizu et al. 2021
    (Hyperbolic Neural Networks++), section 3.1. A pair of a free p and a free a has n - 1
    parameters too many, and far out an a whose lateral part has no digits left.

    Args:
        manifold: the space.
        direction: (..., n), in the standard frame at the origin.
        offset: (...), a signed length.

    Returns:
        p (..., m) and a (..., m), for :func:`signed_distance` or :func:`logits`.
    """
    check_one("hyperplane", manifold, f"{_NONE}, and logits takes one of each")
    check_coordinates("hyperplane", [("direction", direction)], 1)
    check_tensor("hyperplane", "offset", offset)
    check_broadcast("hyperplane", "offset", offset, offset.shape, direction.shape[:-1])
    ray, _ = normalize(direction)
    p = manifold.from_normal(offset.unsqueeze(-1) * ray)
    return p, manifold.transport0(p, manifold._lift_tangent0(direction.expand(*p.shape[:-1], -1)))


@through_quadric("x", "p", vectors={"a": "p"})
def logits(manifold: Manifold, x: Tensor, p: Tensor, a: Tensor, *, matmul: bool = False) -> Tensor:
    r"""Logits of multinomial logistic regression: one hyperplane a class.

    .. math:: \ell_k(x) = \lVert a_k\rVert_{p_k}\,\delta_k(x),

    :math:`\delta_k` the signed distance to the hyperplane of class k: Ganea et al. 2018
    (Hyperbolic Neural Networks), equation 25, on every space form; on Euclidean space
    :math:`a_k\cdot(x - p_k)`. On an l2 :class:`Product` the sum over the factors, with their
    weights, :math:`\ell_k(x) = \sum_i w_i\,\ell_{k,i}(x_i)` (the classifier of Tabaghi et al. 2021,
    "Linear classifiers in product space forms"): the sum of a hyperplane's logits in each factor.
    That is no distance to a hyperplane of the product, but of flat factors, where it is. (The l2
    norm of the factors' logits with the sign of a sum, which others take, jumps with that sign.)

    Args:
        manifold: the space.
        x: points (..., m).
        p, a: points and normals (..., C, m); leading axes broadcast with those of x.
        matmul: False takes each pair by itself, as accurately as :func:`signed_distance`, in
            memory of the points' number times C m. True goes through one matrix product in
            float64, without the m: :math:`\mathrm{sn}(\delta/R)` then carries an absolute error
            of a few 1e-16 times cs(r_x/R) cs(r_p/R), r the distances from the origin. For
            float32 input that is below its own rounding up to where that product is 1e8.

    Returns:
        (..., C).

    Raises:
        NotImplementedError: a product under another metric than l2.
    """
    op = "logits"
    check_known(op, manifold)
    least = 1 + manifold._extra_coordinates
    check_coordinates(f"{manifold._name}.{op}", [("x", x)], least)
    sets = [("x", x.unsqueeze(-2)), ("p", p), ("a", a)]
    check_coordinates(f"{manifold._name}.{op}", sets, least, sets=True)
    if manifold._family == "product":
        return _sum_of_logits(manifold, x, p, a, matmul=matmul)
    if not matmul:
        sine, cosine, length, call = _sine(op, manifold, x.unsqueeze(-2), p, a)
        return manifold._from_unit_scalar(length * _arc(manifold, sine, cosine), call, 1)
    (x_,), call = manifold._to_unit(op, [("x", x)], least=torch.float64)
    (p_, a_), _ = manifold._to_unit(op, [("p", p)], [("a", a)], least=torch.float64)
    dtype = torch.promote_types(torch.promote_types(x.dtype, p.dtype), a.dtype)
    normal, length = _dual(manifold, p_, a_)
    ambient = _ambient(manifold, x_)
    sine = (normal @ ambient.unsqueeze(-1)).squeeze(-1) if p.ndim > 2 else ambient @ normal.mT
    if manifold._family == "kappa":
        cosine = stereographic_hyperplanes.cosine_from_sine(_k(manifold, sine), sine)
    else:
        cosine = ((1 - sine) * (1 + sine)).clamp(min=0).sqrt() if manifold.sign > 0 else sine
    value = length.squeeze(-1) * _arc(manifold, sine, cosine)
    return manifold._from_unit_vector(value, call.in_dtype(dtype), 1)


def _turn(manifold: Manifold, p: Tensor, x: Tensor, a: Tensor) -> Tensor:
    r"""R d/dR of R delta, over R, on the hyperboloid at fixed space parts.

    With s = sinh(delta), q = |p| times a's radial component, a of length 1, and T_x - T_p the
    gain, (delta - tanh delta) - (q/T_p) (q s/T_p - gain (1/T_p + 1/T_x))/cosh(delta).
    """
    kept = tangents(manifold)
    normal = direction(kept.frame(p, kept.enter(p, a / scale_of(a))))
    s = dot(kept.frame(p, kept.sine(p, x, x - p)), normal)
    delta = _arc(manifold, s, s)
    p, x = p[..., 1:], x[..., 1:]
    seen = time_gap(p, x, torch.ones_like(s))
    far = dot(p, p) > 1
    # Components in a frame: far out the radial one first, else carried from the origin.
    q = torch.where(far, norm(p) * normal[..., :1], dot(p, normal[..., 1:])) / seen.tx
    shrunk = 2 * (-delta.abs()).exp() / (1 + (-2 * delta.abs()).exp())  # 1/cosh
    bend = q * delta.tanh() - shrunk * seen.gap * (1 / seen.tx + 1 / seen.ty)
    return delta * delta.square() * tanhc_missing(delta.square()) - q * bend


def _sine(
    op: str, manifold: Manifold, x: Tensor, p: Tensor, a: Tensor, *, hold: bool = False
) -> tuple[Tensor, Tensor, Tensor, Context]:
    """(sn(delta), cos(delta) on the sphere, |a|, the way back), at unit curvature; held, on the
    ball of the curvature -k and over sqrt k."""
    (p_, x_, a_), call = manifold._to_unit(op, [("p", p), ("x", x)], [("a", a)], hold=hold)
    # The ball is conformal: its own logarithm has all lateral digits, and is cheaper.
    of_any_sign = manifold._family == "kappa"
    kept = tangents(manifold) if of_any_sign or embedded(manifold) else Tangents(manifold)
    step = divided(x.to(x_.dtype) - p.to(p_.dtype), call.radius)
    scale = scale_of(a_)  # so that no product is subnormal or overflows
    frame = kept.frame(p_, kept.enter(p_, a_ / scale))
    normal, length = direction(frame), scale * norm(frame)
    if manifold.sign < 0 and type(kept) is Tangents:
        sine = conformal.sinh_log_along(-call.curved.get("k", 1.0), p_, x_, step, normal)
        return sine, sine, length, call
    towards = kept.frame(p_, kept.sine(p_, x_, step))
    sine = dot(towards, normal)
    if of_any_sign:
        chord, across = manifold._half_chord(p_, x_, step), towards - sine * normal
        return (
            sine,
            stereographic_hyperplanes.cosine_from_chord(_k(manifold, x_), chord, across),
            length,
            call,
        )
    if manifold.sign <= 0:
        return sine, sine, length, call
    # Of x alone: of the chord to p, points that are off the sphere by 6 u make 12 u of a cosine.
    return sine, norm(x_ - sine * normal), length, call


def _arc(manifold: Manifold, sine: Tensor, cosine: Tensor) -> Tensor:
    """The distance of this sn, on the sphere by atan2: asin has half of its digits at the poles."""
    if manifold._family == "kappa":
        return stereographic_hyperplanes.signed_length(_k(manifold, sine), sine, cosine)
    if manifold.sign == 0:
        return sine
    if manifold.sign > 0:
        return torch.atan2(sine, cosine)
    return long_asinh(sine)


def _k(manifold: Manifold, like: Tensor) -> Tensor:
    return cast("Stereographic", manifold)._k(like)


def _ambient(manifold: Manifold, x: Tensor) -> Tensor:
    """Coordinates in which sn(delta) is linear."""
    if manifold._family == "kappa":
        return stereographic_hyperplanes.embedding(_k(manifold, x), x)
    if manifold.sign > 0 and embedded(manifold):
        return x
    if manifold.sign == 0:
        return torch.cat([torch.ones_like(x[..., :1]), x], dim=-1)
    s = space_part(manifold, x)
    return torch.cat([time(s), s], dim=-1)


def _dual(manifold: Manifold, p: Tensor, a: Tensor) -> tuple[Tensor, Tensor]:
    """The linear form that is sn(delta) of ``_ambient``, and |a|."""
    frame, length = normalize(tangents(manifold).frame(p, tangents(manifold).enter(p, a)))
    if manifold._family == "kappa":
        return stereographic_hyperplanes.dual(_k(manifold, p), p, frame), length
    if manifold.sign > 0 and embedded(manifold):
        return frame, length
    if manifold.sign == 0:
        return torch.cat([-dot(p, frame), frame], dim=-1), length
    s = space_part(manifold, p)
    normal = hyperboloid_frames.join(s, frame)
    return torch.cat([-dot(s / time(s), normal), normal], dim=-1), length


def _sum_of_logits(manifold: Manifold, x: Tensor, p: Tensor, a: Tensor, *, matmul: bool) -> Tensor:
    """Logits on a product; of equal factors in one call."""
    named = [("p", p), ("x", x.unsqueeze(-2))]
    (p_, x_, a_), call = manifold._to_unit("logits", named, [("a", a)])
    product = product_of(manifold)
    product._needs_l2("logits")
    gathered = map(product._layout.gather, (x_.squeeze(-2), p_, a_))
    total = []
    for group, own, *planes in zip(product._groups, *gathered, strict=True):
        # Of the factors g of a group: (..., g, m) and twice (..., g, C, m).
        base, normal = (t.transpose(-2, -3) for t in planes)
        if group.one_object:
            factor = product._factor(group.members[0])
            each = logits(factor, own, base, normal, matmul=matmul)
        else:
            rows = [
                logits(
                    product._factor(i),
                    own[..., j, :],
                    base[..., j, :, :],
                    normal[..., j, :, :],
                    matmul=matmul,
                )
                for j, i in enumerate(group.members)
            ]
            each = torch.stack(rows, dim=-2)
        total.append(times(each, product._scale_of(group, each), 2).sum(-2))
    return manifold._from_unit_vector(torch.stack(total).sum(0), call)
