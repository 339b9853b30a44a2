"""The nearest point of a geodesic submanifold through the centre, in normal coordinates about it.

v (..., n) are coordinates of points, in units of R, and ``axes`` (k, n) an orthonormal basis of the
submanifold's tangent space. On a space form the nearest point is the orthogonal projection in the
embedding space, brought back, and its distance the side of a right triangle, sinh h = sinh r sin
phi (sin on the sphere).
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor

from ..manifolds import Lorentz, Manifold, Sphere, Stereographic
from ..manifolds.kernels.arithmetic.vectors import dot, norm
from ..manifolds.kernels.functions.generalized_trig import asinc_k, sinc_k
from ..manifolds.kernels.functions.special import cosm1c, signed_cs, sinc, sinhc
from ..manifolds.kernels.hyperboloid.points import lift
from ..manifolds.kernels.stereographic.conformal import kdot
from ..manifolds.kernels.stereographic.hyperplanes import signed_length

_HYPERBOLIC, _SPHERE = Lorentz(), Sphere()


def coordinates(manifold: Manifold, v: Tensor, axes: Tensor, exact: bool) -> Tensor:
    """Coordinates (..., k) along the axes of v, or of the nearest point to exp(v)."""
    b = v @ axes.mT
    if exact and manifold._family == "kappa":
        return _coordinates_of_any_sign(_k(manifold, v), v, b, axes)
    if not exact or manifold.sign == 0:
        return b
    if manifold.sign > 0:
        return _SPHERE._to_normal(_SPHERE._proj(_below(v, b), v.dtype))
    # The projection of (cosh r, sinh(r)/r v), brought back to the hyperboloid: its space part is
    # b/hypot(r/sinh r, |v across the axes|).
    ratio = 1 / sinhc(dot(v, v))
    return _HYPERBOLIC._to_normal(lift(b / norm(torch.cat([ratio, v - b @ axes], dim=-1))))


def distance(manifold: Manifold, v: Tensor, axes: Tensor) -> Tensor:
    """Distance of exp(v) from the submanifold, (..., 1)."""
    b = v @ axes.mT
    rest = norm(v - b @ axes)
    if manifold._family == "kappa":
        k = _k(manifold, v)
        time, space = _embedded(k, v, b)
        root = k.where(k > 0, 1.0).sqrt()
        return signed_length(
            k, sinc_k(kdot(k, v, v)) * rest, norm(torch.cat([time, root * space], dim=-1))
        )
    if manifold.sign > 0:
        return torch.atan2(sinc(dot(v, v)) * rest, norm(_below(v, b)))
    return (sinhc(dot(v, v)) * rest).asinh() if manifold.sign < 0 else rest


def _below(v: Tensor, b: Tensor) -> Tensor:
    """exp(v) on the sphere, projected to the vectors that the origin and the axes span."""
    s = dot(v, v)
    return torch.cat([1 + s * cosm1c(s), sinc(s) * b], dim=-1)


def _k(manifold: Manifold, like: Tensor) -> Tensor:
    return cast(Stereographic, manifold)._k(like)


def _embedded(k: Tensor, v: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """That of exp(v) for every K: (cs r, sn(r)/r b), r = |v|."""
    z = kdot(k, v, v)
    return signed_cs(z), sinc_k(z) * b


def _coordinates_of_any_sign(k: Tensor, v: Tensor, b: Tensor, axes: Tensor) -> Tensor:
    """With (t, s) the projection and N its length, the nearest point has the half distance whose sn
    is |s|/sqrt(2 N (N + t)); beyond a right angle its distance is that of atan2."""
    time, space = _embedded(k, v, b)
    across = sinc_k(kdot(k, v, v)) * (v - b @ axes)
    root = k.where(k > 0, 1.0).sqrt()
    # N^2 = t^2 + k|s|^2 = 1 - k|across|^2, of terms of one sign.
    spherical = norm(torch.cat([time, root * space], dim=-1))
    other = (1 - kdot(k.where(k <= 0, 0.0), across, across)).sqrt()
    length = torch.where(k > 0, spherical, other)
    beyond = (k > 0) & (time < 0)
    size = (2 * length * (length + time)).where(~beyond, 1.0)
    half = space.where(~beyond, 0.0) / size.sqrt()
    near = 2 * asinc_k(kdot(k, half, half)) * half
    long = norm(space.where(beyond, 1.0))
    angle = torch.atan2(root * long, time.where(beyond, 1.0))
    return torch.where(beyond, angle / (root * long) * space, near)
