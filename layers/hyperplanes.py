r"""Distances to hyperplanes and back: what :class:`Linear` and :class:`MLR` compute.

    sn(delta_k/R) = cs(r_k/R) X.z_k/|z_k| - T sn(r_k/R),        v_k = |z_k| delta_k
    X_k = sn(d_k/R),    T = sqrt(1 - sum X_k^2) by the sign of K

in units of R, (T, X) the point of the quadric: its time and space part.
"""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import Tensor

from ..manifolds import Euclidean, Lorentz, Manifold, Sphere, Stereographic
from ..manifolds.charts.through_quadric import point, through_quadric
from ..manifolds.checks import check_coordinates, check_device, check_tensor
from ..manifolds.kernels.arithmetic.limits import farthest
from ..manifolds.kernels.arithmetic.vectors import dot, normalize
from ..manifolds.kernels.functions.generalized_trig import sinc_k
from ..manifolds.kernels.functions.special import long_asinh
from ..manifolds.kernels.pairs.products import inner_products, products_on, widest
from ..manifolds.kernels.stereographic.conformal import kdot
from ..manifolds.kernels.stereographic.hyperplanes import cosine_from_sine, embedding, signed_length
from ..manifolds.manifold_checks import check_known, check_manifold
from ._factors import factors, needs_l2


def hyperplane_scores(
    manifold: Manifold, x: Tensor, direction: Tensor, offset: Tensor | None = None
) -> Tensor:
    r"""Signed distances of points to hyperplanes, each times the length of its direction.

    .. math:: v_k(x) = |z_k|\,\delta_k(x),

    :math:`\delta_k` the :func:`~spaceforms.manifolds.signed_distance` to the hyperplane that is
    orthogonal, at distance :math:`r_k`, to the ray from the origin in the direction :math:`z_k`:
    the scores of Shimizu et al. 2021 (Hyperbolic Neural Networks++), equation 6, on every space
    form, and the logits of a classifier (:func:`~spaceforms.manifolds.logits` of
    :func:`~spaceforms.manifolds.hyperplane`, in fewer steps). At K = 0 they are
    :math:`z_k\cdot v - |z_k| r_k`, v the normal coordinates of x: ``torch.nn.functional.linear``
    with the bias :math:`-|z_k| r_k`. On Stereographic they are smooth in K through 0. On an l2
    product they are the sum over the factors, with a part of the direction and an offset each.

    One product of matrices, in float64 where the device is good at it, so that sn(delta/R) carries
    an absolute error of a few 1e-16 times cs(r_x/R) cs(r_k/R) beside its own rounding.

    Args:
        manifold: the space, of dimension n.
        x: points (..., m).
        direction: (C, n), in normal coordinates. Of a zero direction the score is 0.
        offset: signed lengths (C,), or (C, F) for a product of F space forms; 0 if None. On a
            hyperbolic space one beyond what the dtype can hold (28 R in float32) is taken as that.

    Returns:
        (..., C), of the dtype that x, direction and offset promote to.

    Raises:
        TypeError: a space whose coordinates are not known.
        ValueError: shapes that do not fit.
        NotImplementedError: a product under another metric than l2.
    """
    op = "hyperplane_scores"
    check_known(op, manifold)
    needs_l2(op, manifold)
    check_coordinates(op, [("x", x)], 1 + manifold._extra_coordinates)
    check_coordinates(op, [("direction", direction)], 1, sets=True)
    n = x.shape[-1] - manifold._extra_coordinates
    if direction.ndim != 2 or direction.shape[-1] != n:
        raise ValueError(
            f"{op}: direction has shape {tuple(direction.shape)} and x has shape {tuple(x.shape)}, "
            f"points of dimension {n}; expected direction (C, {n})."
        )
    check_device(op, "direction", direction, {"x": x})
    parts = factors(op, manifold, n)
    shape = (len(direction), len(parts)) if len(parts) > 1 else (len(direction),)
    if offset is None:
        offset = direction.new_zeros(shape)
    check_tensor(op, "offset", offset)
    check_device(op, "offset", offset, {"x": x})
    if offset.shape != shape and offset.shape != (len(direction), len(parts)):
        raise ValueError(
            f"{op}: offset has shape {tuple(offset.shape)} for {len(direction)} directions on "
            f"{manifold}; expected {shape}."
        )
    dtype = torch.promote_types(torch.promote_types(x.dtype, direction.dtype), offset.dtype)
    manifold._to_unit(op, [("x", x)])
    offset = offset.reshape(len(direction), len(parts))
    total = [
        _scores(f.space, x[..., f.points], direction[:, f.normals], offset[:, j], f.scale)
        for j, f in enumerate(parts)
    ]
    return manifold._result(
        (torch.stack(total).sum(0) if len(total) > 1 else total[0]).to(dtype), op
    )


@through_quadric(give=point)
def from_signed_distances(manifold: Manifold, d: Tensor) -> Tensor:
    r"""The point whose signed distances to the coordinate hyperplanes are given.

    The hyperplanes go through the origin, the k-th of them orthogonal to the k-th coordinate axis:

    .. math:: x_k = R\,\mathrm{sn}(d_k/R)

    are the space part of the point on the hyperboloid (with sn = sinh; equation 8 of Shimizu et al.
    2021, Hyperbolic Neural Networks++, in the coordinates of the ball), d itself at K = 0, and on
    the sphere (sn = sin) all coordinates but the first. On Stereographic it is smooth in K through
    0; on a product it is that of each factor. Where there is no such point:

    - *Hyperbolic.* There always is one; d_k beyond what the dtype can hold (28 R in float32, 236 R
      in float64) is taken as that.
    - *Sphere.* No point is farther than pi R/2 from a hyperplane, and :math:`u = \sum_k
      \sin^2(d_k/R)` is at most 1. Of a d_k beyond pi R/2 the pole is taken, and for u > 1/2, more
      than pi R/4 from the origin, the point in the same direction at distance R atan(2u) from it,
      which is in the open hemisphere always. Value and gradient are continuous there. For the whole
      sphere use ``from_normal``.

    Args:
        manifold: the space.
        d: signed lengths (..., n).

    Returns:
        (..., ambient_dim(n)).
    """
    op = "from_signed_distances"
    check_manifold(op, manifold)
    check_coordinates(op, [("d", d)], 1)
    parts = factors(op, manifold, d.shape[-1])
    if manifold._family == "product":
        points = [from_signed_distances(f.space, d[..., f.normals] / f.scale) for f in parts]
        return manifold._result(torch.cat(points, dim=-1), op)
    v = d.to(torch.promote_types(d.dtype, torch.float32))
    if isinstance(manifold, Euclidean):
        return manifold._from_unit_stored(v, manifold._call(op, d.dtype))
    k = _curvature(manifold, v)
    root = k.abs().where(k != 0, 1.0).sqrt()
    reach = torch.where(k > 0, math.pi / 2, math.asinh(farthest(v.dtype)) / root.sign())
    limit = torch.where(k == 0, math.inf, reach / root)
    v = v.clamp(-limit, limit)
    space = _sn(manifold, k, root, v)
    call = manifold._call(op, d.dtype)
    if isinstance(manifold, Lorentz):
        x = manifold._proj_at(torch.nn.functional.pad(space, (1, 0)), call)
        return manifold._from_unit_stored(x, call)
    time, space = _on_quadric(k, space)
    if isinstance(manifold, Sphere):
        space = torch.cat([time / root, space], dim=-1)
    else:
        space = space / (1 + time)
    unit = space if manifold._family == "kappa" else space * root
    return manifold._from_unit_point(unit, call)


def _sn(manifold: Manifold, k: Tensor, root: Tensor, t: Tensor) -> Tensor:
    """sinh, id or sin of t/R, times R; by the sign of K, where that is known, in fewer steps."""
    sign = _fixed_sign(manifold)
    if sign is None:
        return t * sinc_k(k * t.square())
    if sign == 0:
        return t
    return ((root * t).sinh() if sign < 0 else (root * t).sin()) / root


def _on_quadric(k: Tensor, space: Tensor) -> tuple[Tensor, Tensor]:
    """(T, X) from X; for k > 0 drawn into the hemisphere beyond a right angle/2."""
    u = kdot(k, space, space)
    far = u > 0.5
    time = (1 - u.where(~far, 0.0)).sqrt()
    beyond = u.where(far, 1.0)
    cosine = (1 + 4 * beyond.square()).rsqrt()
    drawn = space * (2 * beyond.sqrt() * cosine)
    return torch.where(far, cosine, time), torch.where(far, drawn, space)


@through_quadric("x")
def _scores(
    manifold: Manifold, x: Tensor, direction: Tensor, offset: Tensor, scale: float
) -> Tensor:
    """Of one space form, whose lengths are multiplied by the scale."""
    wide = widest(x.device)
    kind = "float64" if x.dtype == torch.float64 else products_on(x.device)
    working = torch.promote_types(x.dtype, torch.float32)
    x, z, r = x.to(wide), direction.to(wide), offset.to(wide).unsqueeze(-1) / scale
    ray, length = normalize(z)
    if isinstance(manifold, Euclidean):
        delta = inner_products(x, ray, kind) - r.squeeze(-1)
        return (length.squeeze(-1) * scale * delta).to(working)
    k = _curvature(manifold, x)
    ambient = _embedding(manifold, k, x)
    root = k.abs().where(k != 0, 1.0).sqrt()
    limit = torch.where(k < 0, math.asinh(farthest(working)) / root, math.inf)
    r = r.clamp(-limit, limit)
    half = _sn(manifold, k, root, r / 2)
    dual = torch.cat([-_sn(manifold, k, root, r), (1 - 2 * k * half.square()) * ray], dim=-1)
    sine = inner_products(ambient, dual, kind)
    return length.squeeze(-1).to(working) * scale * _arc(manifold, k, root, sine, working)


def _arc(manifold: Manifold, k: Tensor, root: Tensor, sine: Tensor, working: torch.dtype) -> Tensor:
    """The length whose sn is given; by the sign of K, where that is known, in fewer steps."""
    sign = _fixed_sign(manifold)
    if sign == 0:
        return sine.to(working)
    short, root = sine.to(working), root.to(working)
    if sign == -1:
        return long_asinh(root * short) / root
    # The cosine of the sine as it is, in float64: next to the poles it is what is left of 1.
    cosine = cosine_from_sine(k, sine).to(working)
    if sign == 1:
        return torch.atan2(root * short, cosine) / root
    return signed_length(k.to(working), short, cosine)


def _fixed_sign(manifold: Manifold) -> int | None:
    """That of K; None if K is learned and may change it."""
    if manifold._family != "kappa":
        return manifold.sign
    learned = cast(Stereographic, manifold)._curvature.learnable
    return None if learned else manifold.sign


def _embedding(manifold: Manifold, k: Tensor, x: Tensor) -> Tensor:
    """(T, X), X a length, (..., n + 1)."""
    if isinstance(manifold, Lorentz):
        s = x[..., 1:]
        return torch.cat([(1 - k * dot(s, s)).sqrt(), s], dim=-1)
    if isinstance(manifold, Sphere):
        x, _ = normalize(x)
        return torch.cat([x[..., :1], x[..., 1:] / k.sqrt()], dim=-1)
    return embedding(k, x)


def _curvature(manifold: Manifold, like: Tensor) -> Tensor:
    if manifold._family == "kappa":
        return cast(Stereographic, manifold)._k(like)
    return manifold.curvature.to(like)
