"""Tangent spaces as isometries see them: vectors kept so that nothing is lost on the way.

An isometry is known from the image c of one point b and from its differential L there: it takes x
to exp_c(L log_b x). Each calculus below says how a vector is kept between log and exp. Everything
is at unit curvature, with the last axis kept; ``step`` is x - b.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor

from ..kernels.arithmetic.vectors import dot, norm, normalize
from ..kernels.hyperboloid import frames as hyperboloid_frames
from ..kernels.hyperboloid.points import tangent, time
from ..kernels.stereographic import (
    conformal,
    maps as stereographic_maps,
    points as stereographic_points,
)

if TYPE_CHECKING:
    from ..base import Manifold
    from ..stereographic import Stereographic


def embedded(manifold: Manifold) -> bool:
    """Whether points are ambient coordinates, the origin's axis first: hyperboloid or sphere."""
    return manifold._extra_coordinates == 1


def tangents(manifold: Manifold) -> Tangents:
    """The calculus for a manifold."""
    if manifold._family == "kappa":
        return KappaTangents(manifold)
    if manifold.sign < 0:
        return HyperbolicTangents(manifold)
    return SphereTangents(manifold) if embedded(manifold) else Tangents(manifold)


class Tangents:
    """Vectors in the manifold's coordinates, by the manifold's own maps."""

    def __init__(self, manifold: Manifold) -> None:
        self.manifold = manifold

    def enter(self, b: Tensor, v: Tensor) -> Tensor:
        """A tangent vector, as it is kept."""
        return v

    def frame(self, b: Tensor, w: Tensor) -> Tensor:
        """Of a kept vector, components whose Euclidean inner products are the Riemannian ones."""
        return self.manifold._orthonormal(b, w)

    def transport(self, b: Tensor, x: Tensor, step: Tensor, w: Tensor) -> Tensor:
        """Parallel transport of a kept vector from b to x."""
        return self.manifold._transport(b, x, step, w)

    def log(self, b: Tensor, x: Tensor, step: Tensor) -> tuple[Tensor, Tensor]:
        """(a vector towards x, what else of x ``exp`` needs)."""
        return self.manifold._logmap(b, x, step), step

    def exp(self, c: Tensor, w: Tensor, rest: Tensor) -> Tensor:
        """The inverse of ``log``; a point, not projected."""
        return self.manifold._expmap(c, w)

    def mirrored(self, b: Tensor, x: Tensor, step: Tensor, a: Tensor) -> Tensor:
        """x in the hyperplane through b with normal a, a kept vector; a point, not projected.

        As x and a multiple of a: by way of b what x has in the hyperplane, and keeps, would be
        rounded as b is.
        """
        w, _ = self.log(b, x, step)
        frame, length = normalize(self.frame(b, a))
        return x - 2 * dot(frame, self.frame(b, w)) * (a / length.where(length > 0, 1.0))

    def sine(self, b: Tensor, x: Tensor, step: Tensor) -> Tensor:
        """The kept vector towards x that is sn(d) long; here on flat space, where that is d."""
        return self.log(b, x, step)[0]


class SphereTangents(Tangents):
    """Isometries are linear maps of the ambient space: x is cos(d) b and a vector sin(d) long.

    So antipodes, where logarithm and transport jump, are points like others.
    """

    def enter(self, b: Tensor, v: Tensor) -> Tensor:
        # A rounded vector is not tangent, and a linear form of it would see that of every point.
        return self.manifold._proj_tangent(b, v)

    def log(self, b: Tensor, x: Tensor, step: Tensor) -> tuple[Tensor, Tensor]:
        # Next to the antipode from x + b: a difference of long vectors has their rounding.
        short = torch.where(dot(step, step) <= 2, step, x + b)
        return short - dot(b, short) * b, dot(b, step)

    def exp(self, c: Tensor, w: Tensor, rest: Tensor) -> Tensor:
        return c + rest * c + w

    def sine(self, b: Tensor, x: Tensor, step: Tensor) -> Tensor:
        return self.log(b, x, step)[0]


class HyperbolicTangents(Tangents):
    """Vectors by components in a frame, points reached without their distance.

    See ``hyperboloid.frames``. For both models: the ball's points are brought to the hyperboloid at
    the cost of a rounding of each coordinate; its vectors are the same components over half of
    1 - |x|^2.
    """

    def enter(self, b: Tensor, v: Tensor) -> Tensor:
        return self.entered(space_part(self.manifold, b), v)

    def entered(self, s: Tensor, v: Tensor) -> Tensor:
        """``enter`` at the point whose space part is s."""
        if embedded(self.manifold):
            return hyperboloid_frames.split(s, v[..., 1:])
        # By the 1 - |x|^2 that the space part has, as on the way back: another rounding of it
        # would be another factor.
        return hyperboloid_frames.split_carried(s, (1 + time(s)) * v)

    def left(self, s: Tensor, w: Tensor) -> Tensor:
        """The inverse of ``entered``."""
        if embedded(self.manifold):
            return tangent(s, hyperboloid_frames.join(s, w))
        return hyperboloid_frames.join_carried(s, w) / (1 + time(s))

    def frame(self, b: Tensor, w: Tensor) -> Tensor:
        return w

    def transport(self, b: Tensor, x: Tensor, step: Tensor, w: Tensor) -> Tensor:
        return hyperboloid_frames.turned(*self._spaces(b, x, step), w)

    def log(self, b: Tensor, x: Tensor, step: Tensor) -> tuple[Tensor, Tensor]:
        return hyperboloid_frames.sinh_log(*self._spaces(b, x, step))

    def exp(self, c: Tensor, w: Tensor, rest: Tensor) -> Tensor:
        reached = hyperboloid_frames.sinh_exp(space_part(self.manifold, c), w, rest)
        return from_space_part(self.manifold, reached)

    def mirrored(self, b: Tensor, x: Tensor, step: Tensor, a: Tensor) -> Tensor:
        w, h = self.log(b, x, step)
        normal, _ = normalize(a)
        across = 2 * dot(normal, w) * normal
        s = space_part(self.manifold, x)
        near = dot(s, s) <= 1
        # Far out x and the multiple of a may cancel, where the way by b does not.
        difference = hyperboloid_frames.join(space_part(self.manifold, b), across.where(near, 0.0))
        direct = from_space_part(self.manifold, s - difference)
        return torch.where(near, direct, self.exp(b, w - across, h))

    def sine(self, b: Tensor, x: Tensor, step: Tensor) -> Tensor:
        return self.log(b, x, step)[0]

    def _spaces(self, b: Tensor, x: Tensor, step: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        s = space_part(self.manifold, b), space_part(self.manifold, x)
        return *s, space_step(self.manifold, b, x, step)


class KappaTangents(Tangents):
    """Vectors by components in the conformal frame, points by half of the way: for every K.

    With d the distance, sn(d/2) cs(d/2) in the direction of x, and sn(d/2): rational in the
    coordinates, so smooth in K through 0 and, for K > 0, at antipodes. And isometries are rotations
    of the components, since the model is conformal.
    """

    def __init__(self, manifold: Manifold) -> None:
        super().__init__(manifold)
        self.space = cast("Stereographic", manifold)

    def enter(self, b: Tensor, v: Tensor) -> Tensor:
        return self.manifold._orthonormal(b, v)

    def frame(self, b: Tensor, w: Tensor) -> Tensor:
        return w

    def transport(self, b: Tensor, x: Tensor, step: Tensor, w: Tensor) -> Tensor:
        return self.space._gyration(b, x, step, w)

    def log(self, b: Tensor, x: Tensor, step: Tensor) -> tuple[Tensor, Tensor]:
        k = self.space._k(step)
        half = (
            stereographic_points.separation(k, b, x, step)
            / conformal.gap(k, b)
            / conformal.gap(k, x)
        )
        return half, stereographic_points.chord(k, b, x, step)

    def exp(self, c: Tensor, w: Tensor, rest: Tensor) -> Tensor:
        k, antipode = self.space._k(c), (w == 0).all(-1, keepdim=True)
        side = torch.where(antipode, rest, w)
        k_h = conformal.kdot(k, rest, rest)
        # What rounding left of |w| = sn cs would count as often as the way is long.
        far = k_h < -1 / 16
        length, kept = norm(rest.where(far, 1.0)), norm(w.where(far, 1.0))
        w = w * (length * (1 - k_h).where(far, 1.0).sqrt() / kept).where(far, 1.0)
        direct = stereographic_maps.mobius_step(
            k, c, w, rest, 1 - k_h, side, ahead=conformal.gap(k, c) * w
        )
        # Past the origin of a hyperbolic space and far out again: there the rounding of a sum that
        # starts at c counts as often as c is near the edge, that of a hyperboloid's point does not.
        inwards = (conformal.kdot(k, c, c) < -1 / 8) & (dot(c, w) < 0) & (k_h < -1 / 16)
        root = (-k).where(k < 0, 1.0).sqrt()
        there, w = root * c.where(inwards, 0.0), root * w.where(inwards, 0.0)
        s = space_part(self.manifold, there)
        h = (-k_h).where(inwards, 0.0)
        s = hyperboloid_frames.sinh_exp(s, hyperboloid_frames.split_carried(s, 2 * w), h)
        return torch.where(inwards, from_space_part(self.manifold, s) / root, direct)

    def mirrored(self, b: Tensor, x: Tensor, step: Tensor, a: Tensor) -> Tensor:
        k = self.space._k(step)
        w, rest = self.log(b, x, step)
        normal, _ = normalize(a)
        height = 2 * dot(normal, w)
        there = self.exp(b, w - height * normal, rest)
        # As on the ball, where the way by b is far.
        open_ = (k < 0) & (conformal.kdot(k, b, b) < -1 / 8)
        root = (-k).where(k < 0, 1.0).sqrt()
        point, other, way = (root * v.where(open_, 0.0) for v in (b, x, step))
        turned = hyperboloid_frames.split_carried(space_part(self.manifold, point), normal)
        mirror = HyperbolicTangents(self.manifold).mirrored(point, other, way, turned)
        there = torch.where(open_, mirror / root, there)
        # In coordinates (2/g - 1, 2x/g) it is linear: x and a multiple of a vector, over a number.
        # By way of b what x has in the hyperplane, and keeps, would be rounded as b is.
        share = 2 * dot(b, normal) / conformal.gap(k, b)
        height = conformal.gap(k, x) * height
        below = 1 + k * share * height
        near = (4 * below > 1) & (conformal.kdot(k, x, x).abs() < 1)
        direct = (x - height * (normal - k * share * b)) / below.where(near, 1.0)
        return torch.where(near, direct, there)

    def sine(self, b: Tensor, x: Tensor, step: Tensor) -> Tensor:
        return 2 * self.log(b, x, step)[0]


def space_part(manifold: Manifold, x: Tensor) -> Tensor:
    """Of a point of Lorentz or PoincareBall at unit curvature, the space part."""
    # On the ball a rounding of the difference is one of |x|, and moves the point as much.
    return x[..., 1:] if embedded(manifold) else 2 * x / conformal.gap(-1.0, x)


def space_step(manifold: Manifold, x: Tensor, y: Tensor, step: Tensor) -> Tensor:
    """The difference of the space parts of y and x, from y - x."""
    if embedded(manifold):
        return step[..., 1:]
    # From the same rounded 1 - |x|^2 and 1 - |y|^2 as the points themselves: near the boundary the
    # difference of two other space parts would be another vector altogether.
    gap_x, gap_y = conformal.gap(-1.0, x), conformal.gap(-1.0, y)
    return 2 * (step + (gap_x - gap_y) / gap_x * x) / gap_y


def from_space_part(manifold: Manifold, s: Tensor) -> Tensor:
    """The point of this space part, not projected: on Lorentz that gives the time part."""
    # Beyond the farthest point of either model, so the projection will pull it back; but squares of
    # longer ones, and products in the derivative of that, overflow.
    single, deep = s.dtype == torch.float32, embedded(manifold)
    longest = 2.0 ** ((60 if deep else 30) if single else (400 if deep else 60))
    s = s * (longest / norm(s.detach()).clamp(min=longest))
    if embedded(manifold):
        return torch.cat([torch.ones_like(s[..., :1]), s], dim=-1)
    return s / (1 + time(s))
