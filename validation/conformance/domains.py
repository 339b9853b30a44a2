"""Where test examples live: points and tangent vectors, and how finely they can be told apart.

A domain knows the geometry, in float64 and closed form, of the set on which somebody's manifold
claims to work. It makes the examples from normal coordinates, and it says what one rounding of a
point or of a vector is worth as a length: that is the condition number of the problem, the only
thing the tolerances of the conformance suite are made of. Nothing here calls a manifold under test.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

_LARGEST_EXPONENT = 700.0  # cosh and sinh of more overflow float64


class Domain:
    r"""A chart of a complete Riemannian manifold, described about an origin.

    Subclass it for a manifold that is none of :class:`Flat`, :class:`Hypersphere`,
    :class:`Hyperboloid`, :class:`Ball` and :class:`Projected`; everything takes and returns float64
    tensors with coordinates on the last axis.

    Attributes:
        name: of the chart, for messages.
        curvature: the constant sectional curvature, or None: then properties that need it, the
            laws of cosines and of Jacobi fields, are skipped.
        injectivity: radius up to which exp is a diffeomorphism.
        extra: number of coordinates of a point beyond the dimension.
    """

    name: str = "domain"
    curvature: float | None = None
    injectivity: float = math.inf
    extra: int = 0

    def reach(self, dtype: torch.dtype) -> float:
        """The largest distance from the origin at which the dtype has points worth drawing."""
        raise NotImplementedError

    def point(self, v: Tensor) -> Tensor:
        """The point with normal coordinates v."""
        raise NotImplementedError

    def tangent(self, v: Tensor, w: Tensor) -> Tensor:
        """The vector at point(v) with components w in the frame transported from the origin."""
        raise NotImplementedError

    def inner(self, x: Tensor, u: Tensor, w: Tensor) -> Tensor:
        """Riemannian inner product."""
        raise NotImplementedError

    def rounded(self, x: Tensor, dtype: torch.dtype) -> Tensor:
        """x in a dtype, redundant coordinates recomputed from the rounded free ones."""
        return x.to(dtype)

    def rounded_tangent(self, x: Tensor, w: Tensor, dtype: torch.dtype) -> Tensor:
        """w in a dtype, tangent at the rounded point x."""
        del x
        return w.to(dtype)

    def defect(self, x: Tensor) -> Tensor:
        """How far x is off the set, relative to its size."""
        return torch.zeros_like(x[..., 0])

    def grain(self, x: Tensor) -> float:
        """Length of the displacement of x when its free coordinates change by their own size."""
        return self.length(x, x)

    def spread(self, x: Tensor, w: Tensor) -> float:
        """Length of the change of w when its free coordinates change by their own size."""
        return self.length(x, w)

    def growth(self, d: float) -> float:
        """By how much two geodesics can have parted at distance d: cosh(d sqrt(-K))."""
        if self.curvature is None or self.curvature >= 0:
            return 1.0
        return math.cosh(min(d * math.sqrt(-self.curvature), _LARGEST_EXPONENT))

    def focus(self, d: float) -> float:
        """By how much the logarithm amplifies at distance d: (d/R)/sin(d/R) on spheres."""
        if self.curvature is None or self.curvature <= 0 or d == 0:
            return 1.0
        angle = d * math.sqrt(self.curvature)
        sine = abs(math.sin(angle))
        return max(1.0, angle / sine) if sine > 0 else math.inf

    def translated(self, x: Tensor, step: float) -> Tensor | None:
        """The image of x under the isometry that moves the origin by ``step`` along the first axis.

        None if the chart has no such isometry.
        """
        del x, step
        return None

    def reflected(self, x: Tensor, normal: Tensor) -> Tensor:
        """The image of x when the normal coordinates are reflected across a vector.

        Here and in ``reflected_tangent``: that of the last n coordinates.
        """
        return self._reflected(x, normal)

    def reflected_tangent(self, x: Tensor, w: Tensor, normal: Tensor) -> Tensor:
        """The image of a vector w at x under the same reflection."""
        del x
        return self._reflected(w, normal)

    def _reflected(self, p: Tensor, normal: Tensor) -> Tensor:
        head, tail = p[: self.extra], p[self.extra :]
        return torch.cat([head, tail - 2 * (tail @ normal) / (normal @ normal) * normal])

    # -- derived --------------------------------------------------------------------------------

    @property
    def radius(self) -> float:
        """1/sqrt(abs(K)), 1 if K is 0 or not constant."""
        return 1 / math.sqrt(abs(self.curvature)) if self.curvature else 1.0

    def length(self, x: Tensor, w: Tensor) -> float:
        """Riemannian norm, in units in which nothing overflows."""
        x, w = x.detach().double(), w.detach().double()
        size = float(w.abs().max()) if w.numel() else 0.0
        if size == 0 or not math.isfinite(size):
            return size
        return size * math.sqrt(max(0.0, float(self.inner(x, w / size, w / size))))

    def gap(self, x: Tensor, y: Tensor) -> float:
        """Distance of two nearby points: the length at x of the difference of coordinates."""
        x, y = x.detach().double(), y.detach().double()
        return self.length(x, y - x)

    def distance(self, v: Tensor, w: Tensor) -> float:
        """Distance of the points with normal coordinates v and w, by the haversine law.

        Without a constant curvature the way through the origin, which is no shorter.
        """
        a, b = float(v.norm()), float(w.norm())
        if self.curvature is None:
            return a + b
        if a == 0 or b == 0:
            return self.third_side(a, b, 0.0, 1.0)
        return self.third_side(a, b, *half_angle(v / a, w / b))

    def third_side(self, a: float, b: float, sine: float, cosine: float) -> float:
        r"""Third side of a triangle with sides a, b about an angle, from half of the angle.

        .. math:: \mathrm{sn}^2(c/2) = \mathrm{sn}^2((a-b)/2)
                  + \mathrm{sn}(a)\,\mathrm{sn}(b)\sin^2(\theta/2)

        and on the sphere, where the sine says little of sides near pi, the same for the cosine.
        """
        if self.curvature is None:
            raise NotImplementedError(f"{self.name}: the law of cosines needs a curvature.")
        r = self.radius
        a, b = a / r, b / r
        if self.curvature == 0:
            return r * math.hypot(a - b, 2 * math.sqrt(a * b) * sine)
        if self.curvature > 0:
            both = math.sin(a) * math.sin(b)
            near = math.sin((a - b) / 2) ** 2 + both * sine**2
            far = math.cos((a + b) / 2) ** 2 + both * cosine**2
            return 2 * r * math.atan2(math.sqrt(max(0.0, near)), math.sqrt(max(0.0, far)))
        if a + b > _LARGEST_EXPONENT:  # the triangle is a tripod but for terms of e^-a and e^-b
            return r * max(abs(a - b), a + b + 2 * math.log(sine) if sine > 0 else 0.0)
        q = math.sinh((a - b) / 2) ** 2 + math.sinh(a) * math.sinh(b) * sine**2
        return 2 * r * math.asinh(math.sqrt(q))

    def __repr__(self) -> str:
        of = "" if self.curvature is None else f" of curvature {self.curvature:g}"
        return f"{self.name}{of}"


def half_angle(e: Tensor, f: Tensor) -> tuple[float, float]:
    """Sine and cosine of half the angle between unit vectors."""
    return float((e - f).norm()) / 2, float((e + f).norm()) / 2
