"""What a chart must give, at unit curvature, and the curvature it shares with a manifold."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple, cast

import torch
from torch import Tensor

from ..base import Manifold
from ..checks import check_number
from ..euclidean import Euclidean
from ..kernels.arithmetic.limits import farthest
from ..kernels.arithmetic.vectors import dot, normalize
from ..lorentz import Lorentz
from ..sphere import Sphere

Embedded = tuple[Tensor, Tensor]
"""A point (c, d) of the unit sphere in R^(1+n): c (..., 1) and d (..., n).

On the sphere the point itself, on hyperbolic space that of the hemisphere, (1, X)/T. There every
chart is a rational function of it, bounded and without cancellation, and so are the derivatives:
the space part X of the hyperboloid gives the same values, but its derivative is T times as large
along the ray as across, and the chain rule through it loses that factor in digits.
"""


class Frame(NamedTuple):
    """A tangent vector in the orthonormal frame that is carried from the origin along the ray.

    Far out it is ``across``, orthogonal to the ray, and the component ``along`` it. Half-space,
    hemisphere, normal coordinates and Lorentz hold these two to full relative precision each,
    though their sizes differ by the time part T of the point: in one vector the rounding of the
    larger would cover the smaller. Near the origin, where a ray has no direction, ``across`` is the
    whole vector and ``along`` is 0.
    """

    across: Tensor
    along: Tensor


class Chart(ABC):
    """Coordinates of a space form: where its points lie on the sphere or hemisphere, and frames.

    :func:`convert` and :func:`convert_vector` go from one chart to another. Coordinates have the
    unit of length of the space, R = 1/sqrt(abs(K)), as those of the manifolds do. A chart with all
    the maps of a manifold is a :class:`ChartManifold`.

    Args:
        curvature: the sectional curvature K, or the manifold that the chart is of: the chart then
            shares its curvature, learnable or not.

    Raises:
        TypeError: curvature is neither a number nor a manifold.
        ValueError: the curvature's sign is not one that the chart has.
    """

    signs: ClassVar[Sequence[int]] = (-1,)
    """Signs of the curvature that the chart has."""
    _extra_coordinates: int = 0

    def __init__(self, curvature: float | Manifold = -1.0) -> None:
        self.manifold = self._space(curvature)

    @classmethod
    def _space(cls, curvature: float | Manifold, **options: Any) -> Manifold:
        name = cls.__name__
        space: Manifold | None
        if isinstance(curvature, Manifold):
            space = curvature._unchecked
            if space._family == "chart":
                space = cast(Manifold, space.manifold)
            if space._family != "unit":
                raise TypeError(
                    f"{name}: curvature is {curvature}; expected a number, Lorentz, PoincareBall, "
                    "Sphere or Euclidean."
                )
            if any(options.values()):
                raise ValueError(
                    f"{name}: curvature is {curvature}, with its own options; expected no "
                    "learnable and no bounds beside it."
                )
        else:
            check_number(name, "curvature", curvature)
            space = _of_curvature(float(curvature), **options)
        if space is None or space.sign not in cls.signs:
            names = {-1: "negative", 0: "zero", 1: "positive"}
            wanted = " or ".join(names[sign] for sign in cls.signs)
            raise ValueError(
                f"{name}: curvature is {curvature}; expected a {wanted} sectional curvature or a "
                "manifold that has one."
            )
        return space

    @property
    def sign(self) -> int:
        """Sign of the curvature."""
        return self.manifold.sign

    @property
    def curvature(self) -> Tensor:
        """The sectional curvature K, shape (); differentiable if it is learnable."""
        return self.manifold.curvature

    def ambient_dim(self, n: int) -> int:
        """Number of coordinates of a point of the n-dimensional space."""
        return n + self._extra_coordinates

    def __repr__(self) -> str:
        return f"{type(self).__name__}(curvature={self.curvature.item():g})"

    # -- at unit curvature, the last axis kept --------------------------------------------------

    @abstractmethod
    def _embed(self, x: Tensor) -> Embedded:
        """The point of the unit sphere."""

    @abstractmethod
    def _drop(self, c: Tensor, d: Tensor, dtype: torch.dtype) -> Tensor:
        """Coordinates of a point of the unit sphere, off an edge to which ``dtype`` may round."""

    @abstractmethod
    def _to_frame(self, x: Tensor, t: Tensor, s: Tensor, v: Tensor) -> Frame:
        """v at x in the frame; (t, s) is the point of the quadric, t^2 = 1 - K |s|^2."""

    @abstractmethod
    def _from_frame(self, t: Tensor, s: Tensor, w: Frame) -> Tensor:
        """The inverse of ``_to_frame``."""

    def _reach(self, dtype: torch.dtype, radius: float | Tensor) -> float | Tensor:
        """The largest cosh(r/R) of a point whose coordinates, times R, ``dtype`` can hold."""
        del dtype, radius
        return torch.inf


def _of_curvature(curvature: float, **options: Any) -> Manifold | None:
    if curvature < 0:
        return Lorentz(curvature, **options)
    if curvature > 0:
        return Sphere(curvature, **options)
    return Euclidean() if curvature == 0 else None


def beyond(dtype: torch.dtype) -> float:
    """Twice the largest space part that Lorentz computes with, so that no product overflows."""
    return 2 * farthest(dtype)


def within(c: Tensor, d: Tensor, reach: float | Tensor) -> Embedded:
    """The point of the hemisphere, pulled back along its ray if 1/c is larger than the reach."""
    most = beyond(c.dtype) / 2
    reach = reach.detach().clamp(max=most) if isinstance(reach, Tensor) else min(reach, most)
    outside = c * reach < 1
    direction, _ = normalize(d.where(outside, 1.0))
    edge = torch.full_like(c, 1.0) / reach
    far = (1 - edge.square()).sqrt() * direction
    return torch.where(outside, edge, c), torch.where(outside, far, d)


def quadric(sign: int, c: Tensor, d: Tensor) -> tuple[Tensor, Tensor]:
    """(t, s) on the hyperboloid or the sphere; of (t, s) it gives (c, d) back."""
    return (1 / c, d / c) if sign < 0 else (c, d)


def is_far(t: Tensor) -> Tensor:
    """Whether vectors are split along the ray: about 0.9 R out, where a direction is safe."""
    return (t - 1).abs() > 0.4


def outward(t: Tensor, s: Tensor) -> tuple[Tensor, Tensor]:
    """Direction of s and |s|, where they are used, far out."""
    return normalize(s.where(is_far(t), 1.0))


def lateral(direction: Tensor, v: Tensor) -> Tensor:
    """v's part orthogonal to the direction; twice, for what rounding leaves of the other part."""
    v = v - dot(direction, v) * direction
    return v - dot(direction, v) * direction


def split(t: Tensor, s: Tensor, v: Tensor, across: Tensor, along: Tensor, excess: Tensor) -> Frame:
    """The frame of v whose parts across and along s are to be multiplied by the two factors.

    ``excess`` is (along - across)/|s|^2, finite at s = 0.
    """
    far = is_far(t)
    direction, _ = outward(t, s)
    near = across * v + excess.where(~far, 0.0) * dot(s, v) * s
    aside = across * lateral(direction, v)
    return Frame(torch.where(far, aside, near), (along * dot(direction, v)).where(far, 0.0))


def joined(t: Tensor, s: Tensor, w: Frame, across: Tensor, along: Tensor, excess: Tensor) -> Tensor:
    """A vector whose parts across and along s are those of the frame times the two factors."""
    far = is_far(t)
    direction, _ = outward(t, s)
    near = excess.where(~far, 0.0) * dot(s, w.across) * s
    return across * w.across + torch.where(far, along * w.along * direction, near)
