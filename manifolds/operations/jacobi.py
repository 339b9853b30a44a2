"""Vectors along a geodesic, kept so that their parts along and across it have all digits.

Far out in hyperbolic space a vector's coordinates are cosh r times longer along the ray than
across it, so that what is across is lost in them; there vectors are kept by components in a frame,
see ``hyperboloid.frames``. Lengths are real ones, K included; the last axis is kept.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from ..base import Manifold
from ..kernels.arithmetic.limits import farthest_apart
from ..kernels.arithmetic.vectors import clip_norm, dot, normalize, scale_of
from ..kernels.functions.generalized_trig import sinc_k
from ..kernels.functions.special import asinhc, signed_cs, sinc, sinhc
from ..kernels.hyperboloid import frames as hyperboloid_frames
from ..kernels.hyperboloid.points import lift, tangent
from ..kernels.sphere import pair as sphere_pair
from ..lorentz import Lorentz
from ..poincare_ball import PoincareBall
from ..space_form import divided
from ..sphere import Sphere
from .curvature_tensor import curvature_at, inner
from .moving_frame import HyperbolicTangents, embedded, space_part
from .open_form import ball_of


class Field(NamedTuple):
    """The vector of a Jacobi field at x, before it is carried along, and its parts."""

    near: Tensor
    """Whether v is short, at most R."""
    whole: Tensor
    along: Tensor
    """Its component along v, (..., 1); where v is short K <v, w>."""
    aside: Tensor
    """What is left, a kept vector; where v is short, of no meaning."""


def kept_vectors(manifold: Manifold) -> Kept:
    """How vectors of the manifold are kept."""
    if manifold._family == "kappa" and manifold.sign < 0:
        return KeptInFrames(ball_of(manifold))
    if isinstance(manifold, Lorentz | PoincareBall):
        return KeptInFrames(manifold)
    return KeptOnSphere(manifold) if isinstance(manifold, Sphere) else Kept(manifold)


class Kept:
    """In the manifold's coordinates."""

    def __init__(self, manifold: Manifold) -> None:
        self.manifold = manifold

    def enter(self, x: Tensor, v: Tensor) -> Tensor:
        """A tangent vector at x, as it is kept."""
        return v

    def leave(self, x: Tensor, w: Tensor) -> Tensor:
        """The inverse of ``enter``."""
        return w

    def product(self, x: Tensor, a: Tensor, b: Tensor) -> Tensor:
        """Inner product of kept vectors, (..., 1)."""
        return inner(self.manifold, x, a, b)

    def squared(self, x: Tensor, v: Tensor) -> Tensor:
        """K |v|^2, (..., 1)."""
        # The square of a long vector may overflow, and 0 times infinity is no number.
        square = self.product(x, v, v).clamp(max=torch.finfo(v.dtype).max)
        return curvature_at(self.manifold, x) * square

    def log(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor | None]:
        """(log_x y as it is kept, d/sn(d) where that is known better than from the length)."""
        return self.manifold.logmap(x, y), None

    def parts(self, x: Tensor, direction: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
        """(component along a unit vector, what is left), twice for what rounding leaves of it."""
        along = self.product(x, direction, w)
        aside = w - along * direction
        rest = self.product(x, direction, aside)
        return along + rest, aside - rest * direction

    def cotangent(self, x: Tensor, y: Tensor, z: Tensor) -> Tensor:
        """d cs_K(d)/sn_K(d), z = K d^2; through the derivative of log cosh, not as a quotient."""
        del x, y
        far = z < -1
        t = (-z).where(far, 1.0).sqrt()
        return torch.where(far, t / t.tanh(), signed_cs(z) / sinc_k(z))

    def transport(self, x: Tensor, y: Tensor, w: Tensor) -> Tensor:
        """Parallel transport of a kept vector from x to y."""
        return self.manifold.transport(x, y, w)

    def carried(self, x: Tensor, v: Tensor, field: Field) -> Tensor:
        """A field carried along the geodesic of velocity v, in coordinates."""
        w = field.whole
        if self.manifold.sign <= 0:
            return self.manifold.transport(x, self.manifold.expmap(x, v), w)
        middle, y, short = self._halfway(x, v)
        w = torch.where(short, w, self.manifold.transport(x, middle, w))
        return self.manifold.transport(middle, y, w)

    def carried_back(self, x: Tensor, v: Tensor, w: Tensor) -> Tensor:
        """The inverse of ``carried``."""
        if self.manifold.sign <= 0:
            return self.manifold.transport(self.manifold.expmap(x, v), x, w)
        middle, y, short = self._halfway(x, v)
        w = self.manifold.transport(y, middle, w)
        return torch.where(short, w, self.manifold.transport(middle, x, w))

    def _halfway(self, x: Tensor, v: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """exp_x(v/2), x itself if v is short; exp_x(v), v less its full turns; and
        whether it is short, less than a quarter of one: then one transport will do.

        A full turn carries a vector to itself, and of two points the transport is along the shorter
        arc: each half of what is left, at most half a turn, is one.
        """
        turn = 2 * math.pi * curvature_at(self.manifold, x).rsqrt()
        length = self.manifold.norm(x, v).unsqueeze(-1)
        long = length > turn / 2
        rest = length - turn * (length / turn).detach().round()
        v = torch.where(long, rest / length.where(long, 1.0) * v, v)
        short = length < turn / 4
        middle = torch.where(short, x, self.manifold.expmap(x, v / 2))
        return middle, self.manifold.expmap(x, v), short


class KeptOnSphere(Kept):
    """As Kept, with sine and cosine of a distance from the points, not from its length: next to the
    antipode that has no digits of what is left of half a turn, and at a right angle none of the
    cosine."""

    def log(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor | None]:
        d, sine, _ = self._arc(x, y)
        return self.manifold.logmap(x, y), torch.where(d > 1, d / sine, 1 / sinc(d * d))

    def parts(self, x: Tensor, direction: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
        # What rounding left of it along x goes too: next to the antipode what is aside is
        # multiplied by 1/sin d, up to 1/eps and more, and on a circle there is nothing else. Each
        # time the rest is an eps of what it was.
        ray, _ = normalize(x)
        aside, total = w, torch.zeros_like(w[..., :1])
        for _ in range(3):
            aside = aside - dot(ray, aside) * ray
            along = dot(direction, aside)
            aside, total = aside - along * direction, total + along
        return total, aside

    def cotangent(self, x: Tensor, y: Tensor, z: Tensor) -> Tensor:
        d, sine, cosine = self._arc(x, y)
        return torch.where(d > 1, d * cosine / sine, super().cotangent(x, y, z))

    def _arc(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(d, sin d, cos d) at unit curvature; no sine is 0: at the antipode, where there is no
        bound, it is what the dtype can tell from it."""
        arc = sphere_pair.arc(x, y, curvature_at(self.manifold, x).rsqrt())
        return arc.distance, arc.sine.where(arc.sine > 0, torch.finfo(x.dtype).eps), arc.cosine


class KeptInFrames(Kept):
    """By components in an orthonormal frame: for Lorentz and PoincareBall.

    Points are space parts at unit curvature, from beginning to end: next to the ball's boundary
    the rounding of an end point to the ball's coordinates is large in 1 - |y|^2.
    """

    def __init__(self, manifold: Manifold) -> None:
        super().__init__(manifold)
        self.frame = HyperbolicTangents(manifold)

    def enter(self, x: Tensor, v: Tensor) -> Tensor:
        scale = scale_of(v)  # a product with x may overflow
        return scale * self.frame.enter(self._unit(x), v / scale)

    def leave(self, x: Tensor, w: Tensor) -> Tensor:
        return self.frame.left(self._space(x), w)

    def product(self, x: Tensor, a: Tensor, b: Tensor) -> Tensor:
        return dot(a, b)

    def squared(self, x: Tensor, v: Tensor) -> Tensor:
        # The number that ``carried`` finds the end point from: on the ball the sinh of the length
        # and the end's 1 - |y|^2 cancel, and with another rounding of it, K |v|^2, the result was
        # off by 9.9 units of u (1 + kappa) at 11 R in float32.
        v = divided(v, self._radius(x))
        return -dot(v, v)

    def log(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor | None]:
        w, h = self.frame.log(*self._pair(x, y))
        ratio = asinhc(h) / (1 + h).sqrt()
        return w * ratio * curvature_at(self.manifold, x).neg().rsqrt(), ratio

    def transport(self, x: Tensor, y: Tensor, w: Tensor) -> Tensor:
        return self.frame.transport(*self._pair(x, y), w)

    def parts(self, x: Tensor, direction: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
        # What is left along the ray by itself: far out it counts more than what is across.
        (c, a), (radial, across) = (torch.tensor_split(u, [1], dim=-1) for u in (direction, w))
        inside = dot(a, across)
        along = c * radial + inside
        rest = across - along * a
        aside = torch.cat([dot(a, a) * radial - c * inside, rest], dim=-1)
        left = dot(direction, aside)
        return along + left, torch.cat([aside[..., :1], rest - left * a], dim=-1)

    def carried(self, x: Tensor, v: Tensor, field: Field) -> Tensor:
        start, w = self._space(x), self._velocity(x, v)
        if not embedded(self.manifold):
            end, moved = hyperboloid_frames.turned_along(start, w, field.whole)
            return self.frame.left(end, moved)
        end = divided(self.manifold.expmap(x, v), self._radius(x))[..., 1:]
        along = torch.where(field.near, -self._radius(x) * field.along, field.along)
        moved = hyperboloid_frames.moved_along(
            start, w, field.near, field.whole, along, field.aside
        )
        return tangent(end, moved)

    def carried_back(self, x: Tensor, v: Tensor, w: Tensor) -> Tensor:
        start = self._space(x)
        end = self._end(x, start, v)
        return hyperboloid_frames.turned(end, start, start - end, self.frame.entered(end, w))

    def _end(self, x: Tensor, start: Tensor, v: Tensor) -> Tensor:
        """Space part of exp_x(v)."""
        if embedded(self.manifold):
            return divided(self.manifold.expmap(x, v), self._radius(x))[..., 1:]
        w = self._velocity(x, v)
        square = dot(w, w)
        half = square / 4
        end = hyperboloid_frames.sinh_exp(start, sinhc(square) * w, half * sinhc(half).square())
        return _HYPERBOLOID._proj(lift(end), x.dtype)[..., 1:]

    def _velocity(self, x: Tensor, v: Tensor) -> Tensor:
        """v by components at unit curvature."""
        scale = scale_of(v)
        w = divided(self.frame.entered(self._space(x), v / scale) * scale, self._radius(x))
        # Not beyond what two points of the dtype can be apart, where squares would overflow.
        return clip_norm(w, farthest_apart(x.dtype))

    def _radius(self, x: Tensor) -> float | Tensor:
        return self.manifold._radius_in(x.dtype)

    def _unit(self, x: Tensor) -> Tensor:
        return divided(x, self._radius(x))

    def _space(self, x: Tensor) -> Tensor:
        return space_part(self.manifold, self._unit(x))

    def _pair(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return self._unit(x), self._unit(y), divided(y - x, self._radius(x))


_HYPERBOLOID = Lorentz(-1.0)
