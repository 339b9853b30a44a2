"""An isometry from one tangent map: x goes to exp_c(L log_b x), written for each model.

b, c, x are points of the unit space, ``step`` is x - b, and ``tangent_map`` is a linear isometry L
of the tangent space at b onto the one at c. There is one isometry g of a space form with g(b) = c
and this differential at b; since g takes geodesics to geodesics and commutes with parallel
transport, L gives the image of every point and of every vector.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ._hyperboloid import across_along, haversine
from ._numerics import asinhc, dot, unit

if TYPE_CHECKING:
    from .base import Manifold

TangentMap = Callable[[Tensor], Tensor]


def embedded(manifold: Manifold) -> bool:
    """Whether points are ambient coordinates with the origin's first: hyperboloid or sphere."""
    return manifold._extra_coordinates == 1


def carried(
    manifold: Manifold, b: Tensor, c: Tensor, x: Tensor, step: Tensor, tangent_map: TangentMap
) -> Tensor:
    """g(x), not projected."""
    if embedded(manifold) and manifold.sign > 0:
        # Linear in x, so that antipodes, where the logarithm jumps, are points like others.
        share = dot(b, step)
        return c + share * c + tangent_map(step - share * b)
    image = tangent_map(manifold._logmap(b, x, step))
    if embedded(manifold):
        reached = _from_direction(c[..., 1:], image[..., 1:], haversine(*_space(b, x, step)))
        # The projection that follows never reads the time part.
        return torch.cat([torch.ones_like(reached[..., :1]), reached], dim=-1)
    return manifold._expmap(c, image)


def pushed(
    manifold: Manifold,
    b: Tensor,
    c: Tensor,
    x: Tensor,
    y: Tensor,
    step: Tensor,
    v: Tensor,
    tangent_map: TangentMap,
) -> Tensor:
    """The differential of g at x, of v, with y = g(x): to b, by L to c, to y."""
    if embedded(manifold) and manifold.sign > 0:
        share = dot(b, v)
        return manifold._proj_tangent(y, share * c + tangent_map(v - share * b))
    at_c = tangent_map(manifold._transport(x, b, -step, v))
    return manifold._transport(c, y, y - c, at_c)


def _space(*points: Tensor) -> list[Tensor]:
    return [x[..., 1:] for x in points]


def _from_direction(c: Tensor, v: Tensor, h: Tensor) -> Tensor:
    """Space part of exp_c of the vector in the direction of v whose length d has sinh^2(d/2) = h.

    As Lorentz._expmap, but a length that comes from two points is never taken by itself: e^d is
    (sqrt h + sqrt(1 + h))^2, whereas the exponential of a rounded d is off by d units, up to 56
    in float32 and 472 in float64. And it has no limit on d.
    """
    polar = (dot(c, c) > 1) & (h > 1)
    near = h.where(~polar, 0.0)
    # sinh(d)/d, v being d long.
    plain = c + 2 * near * c + (1 + near).sqrt() / asinhc(near) * v
    # Far out c cosh d and v sinh(d)/d are huge and may cancel; see Lorentz._expmap.
    across, along = across_along(c, v)
    some = torch.ones_like(h)
    direction, _ = unit(torch.cat([along, across], dim=-1).where(polar, some))
    along, across = direction[..., :1], direction[..., 1:]
    outwards = along >= 0
    less = dot(across, across) / (1 + torch.where(outwards, along, -along))
    plus = torch.where(outwards, 2 - less, less)
    minus = torch.where(outwards, less, 2 - less)
    root, slope = h.where(polar, some).sqrt(), (1 + h.where(polar, some)).sqrt()
    ray, size = unit(c.where(polar, some))
    e_d, e_r = (root + slope).square(), size + (1 + size.square()).sqrt()
    e_out, e_in = plus * e_d * e_r, e_r / e_d
    outward = (e_out - plus / e_d / e_r + minus * (e_in - 1 / e_in)) / 4
    return torch.where(polar, ray * outward + 2 * root * slope * across, plain)
