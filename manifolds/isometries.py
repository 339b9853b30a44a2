"""Isometries as objects: they act on points and on vectors, compose and invert."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import final

import torch
from torch import Tensor

from ._checks import check_broadcast, check_coordinates
from ._frames import embedded
from ._numerics import dot, unit
from ._tangents import tangents
from .base import Manifold, check_manifold
from .unit import Call, divided


class Isometry(ABC):
    r"""A map g of a manifold onto itself with :math:`d(g(x), g(y)) = d(x, y)`.

    ``g(x)`` is the image of a point, ``g.push(x, v)`` the image of a tangent vector at x under the
    differential, ``g.inverse()`` the inverse and ``g @ h`` the map that does h first. Make one by
    :func:`translation`, :func:`rotation`, :func:`reflection`, :func:`point_reflection` or
    :func:`recentre`.

    The tensors an isometry is made of may have leading axes: a batch of isometries, which
    broadcasts with the points it is given. Everything is differentiable, in the points, in those
    tensors and in a learnable curvature; the manifold is kept, not copied, so a curvature that
    changes changes the isometry too.
    """

    def __init__(self, manifold: Manifold) -> None:
        check_manifold(type(self).__name__, manifold)
        self.manifold = manifold

    @abstractmethod
    def __call__(self, x: Tensor) -> Tensor:
        """The image g(x) of a point: (..., m) -> (..., m)."""

    @abstractmethod
    def push(self, x: Tensor, v: Tensor) -> Tensor:
        """The differential at x: v, tangent at x, to a vector at g(x); two (..., m) -> (..., m)."""

    @abstractmethod
    def inverse(self) -> Isometry:
        """The isometry that undoes this one."""

    @abstractmethod
    def _origin(self) -> Tensor:
        """The origin, in the dimension and dtype of this isometry."""

    def __matmul__(self, other: Isometry) -> Isometry:
        return self.compose(other) if isinstance(other, Isometry) else NotImplemented

    def compose(self, other: Isometry) -> Isometry:
        """``g @ h``: g(h(x)). Products are kept as lists and applied one by one.

        (``torch.compile`` knows this name; the operator, between objects, it does not.)

        Raises:
            ValueError: the two act on different manifold objects.
        """
        parts = (*_factors(self), *_factors(other))
        if any(part.manifold is not self.manifold for part in parts):
            raise ValueError(
                f"{type(self).__name__}.compose: the factors act on {self.manifold} and "
                f"{other.manifold}; expected isometries of one and the same manifold object."
            )
        return Composition(parts)

    def matrix(self) -> Tensor:
        """The matrix of g, (..., n + 1, n + 1).

        Lorentz: in O(n, 1), time first, and Sphere: in O(n + 1), both acting on ambient
        coordinates, of any curvature. Euclidean: ((Q, t), (0, 1)) acting on (x, 1).

        For use elsewhere. On the hyperboloid its entries are as large as cosh of the distance by
        which the origin is moved, so a product with it cancels where g(x) itself does not.

        Raises:
            ValueError: on the ball, whose isometries are not linear.
        """
        origin = self._origin()
        if not embedded(self.manifold) and self.manifold.sign != 0:
            raise ValueError(
                f"{type(self).__name__}.matrix: the manifold is {self.manifold}, whose isometries "
                "are not linear in its coordinates; expected Lorentz, Sphere or Euclidean."
            )
        image = self(origin)
        n = origin.shape[-1] - self.manifold._extra_coordinates
        axes = torch.eye(n, dtype=origin.dtype, device=origin.device)
        basis = self.manifold._lift_tangent0(axes)
        columns = torch.stack([self.push(origin, e) for e in basis], dim=-1)
        if embedded(self.manifold):
            return torch.cat([(image / self.manifold.radius).unsqueeze(-1), columns], dim=-1)
        top = torch.cat([columns, image.unsqueeze(-1)], dim=-1)
        row = torch.zeros_like(top[..., :1, :])
        return torch.cat([top, row + (torch.arange(n + 1, device=row.device) == n)], dim=-2)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.manifold!r})"


@final
class Composition(Isometry):
    """Isometries applied one after another, the last of the list first."""

    def __init__(self, parts: tuple[Isometry, ...]) -> None:
        super().__init__(parts[0].manifold)
        self.parts = parts

    def __call__(self, x: Tensor) -> Tensor:
        for part in reversed(self.parts):
            x = part(x)
        return x

    def push(self, x: Tensor, v: Tensor) -> Tensor:
        for part in reversed(self.parts):
            x, v = part(x), part.push(x, v)
        return v

    def inverse(self) -> Isometry:
        return Composition(tuple(part.inverse() for part in reversed(self.parts)))

    def _origin(self) -> Tensor:
        return self.parts[0]._origin()

    def __repr__(self) -> str:
        return " @ ".join(repr(part) for part in self.parts)


def _factors(g: Isometry) -> tuple[Isometry, ...]:
    return g.parts if isinstance(g, Composition) else (g,)


@final
class Rotation(Isometry):
    """An orthogonal map of the tangent space at the origin; see :func:`rotation`."""

    def __init__(self, manifold: Manifold, q: Tensor) -> None:
        super().__init__(manifold)
        check_coordinates("rotation", [("q", q)], 1, sets=True)
        if q.shape[-1] != q.shape[-2]:
            raise ValueError(
                f"rotation: q has shape {tuple(q.shape)}; expected square matrices (..., n, n)."
            )
        self.q = q

    def __call__(self, x: Tensor) -> Tensor:
        (x_,), call = self.manifold._enter("rotation", [("x", x)])
        turned = self._turned("rotation", x_)
        call = call._replace(dtype=torch.promote_types(call.dtype, self.q.dtype))
        return self.manifold._leave_point(turned, call)

    def push(self, x: Tensor, v: Tensor) -> Tensor:
        op = "rotation.push"
        (x_, v_), call = self.manifold._enter(op, [("x", x)], [("v", v)])
        call = call._replace(dtype=torch.promote_types(call.dtype, self.q.dtype))
        turned = self.manifold._proj_tangent(self._turned(op, x_), self._turned(op, v_))
        return self.manifold._leave_vector(turned, call)

    def inverse(self) -> Isometry:
        return Rotation(self.manifold, self.q.mT)

    def _origin(self) -> Tensor:
        return self.manifold.origin(self.q.shape[-1], dtype=self.q.dtype, device=self.q.device)

    def _turned(self, op: str, x: Tensor) -> Tensor:
        extra = self.manifold._extra_coordinates
        n = x.shape[-1] - extra
        if self.q.shape[-1] != n:
            raise ValueError(
                f"{self.manifold._name}.{op}: x has shape {tuple(x.shape)}, dimension "
                f"{n}, and q has shape {tuple(self.q.shape)}; expected the same dimension."
            )
        check_broadcast(op, "q", self.q, self.q.shape[:-2], x.shape[:-1])
        # In float64, as every matrix product of a manifold: autocast and TF32 leave that alone.
        q, wide = self.q.double(), x[..., extra:].double()
        turned = wide @ q.mT if q.ndim == 2 else (q @ wide.unsqueeze(-1)).squeeze(-1)
        turned = turned.to(torch.promote_types(x.dtype, self.q.dtype))
        fixed = x[..., :extra].to(turned.dtype).expand(*turned.shape[:-1], extra)
        return torch.cat([fixed, turned], dim=-1)


class _Based(Isometry):
    """An isometry given by the image of one point, p, and by its differential there."""

    p: Tensor
    _op: str

    @abstractmethod
    def _differential(self, dtype: torch.dtype) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
        """The image of p and the differential there, of vectors as ``_tangents`` keeps them."""

    def __call__(self, x: Tensor) -> Tensor:
        (x_, p_), call = self.manifold._enter(self._op, [("x", x), ("p", self.p)])
        c, differential = self._differential(x_.dtype)
        return self.manifold._leave_point(self._moved(x_, p_, c, differential, x, call), call)

    def push(self, x: Tensor, v: Tensor) -> Tensor:
        op, kept = f"{self._op}.push", tangents(self.manifold)
        (x_, p_, v_), call = self.manifold._enter(op, [("x", x), ("p", self.p)], [("v", v)])
        c, differential = self._differential(x_.dtype)
        y = self.manifold._proj(self._moved(x_, p_, c, differential, x, call), call.dtype)
        w, rest = kept.pull(p_, x_, self._step(x, call), v_)
        return self.manifold._leave_vector(kept.push(c, y, differential(w), rest), call)

    def _moved(
        self,
        x_unit: Tensor,
        p: Tensor,
        c: Tensor,
        differential: Callable[[Tensor], Tensor],
        x: Tensor,
        call: Call,
    ) -> Tensor:
        kept = tangents(self.manifold)
        w, rest = kept.log(p, x_unit, self._step(x, call))
        return kept.exp(c, differential(w), rest)

    def _step(self, x: Tensor, call: Call) -> Tensor:
        """x - p, subtracted before the division by R."""
        working = torch.promote_types(call.dtype, torch.float32)
        return divided(x.to(working) - self.p.to(working), call.radius)

    def _origin(self) -> Tensor:
        n = self.p.shape[-1] - self.manifold._extra_coordinates
        return self.manifold.origin(n, dtype=self.p.dtype, device=self.p.device)


@final
class Translation(_Based):
    """The transvection along the geodesic from p to q; see :func:`translation`."""

    _op = "translation"

    def __init__(self, manifold: Manifold, p: Tensor, q: Tensor) -> None:
        super().__init__(manifold)
        manifold._enter(self._op, [("p", p), ("q", q)])  # raises if they are no points
        dtype = torch.promote_types(p.dtype, q.dtype)
        self.p, self.q = p.to(dtype), q.to(dtype)

    def _differential(self, dtype: torch.dtype) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
        space, kept = self.manifold, tangents(self.manifold)
        p, q, step, _, _ = space._enter_pair(self._op, self.p.to(dtype), self.q.to(dtype))
        return q, lambda w: kept.transport(p, q, step, w)

    def inverse(self) -> Isometry:
        return Translation(self.manifold, self.q, self.p)


@final
class Reflection(_Based):
    """The reflection in a hyperplane; see :func:`reflection`."""

    _op = "reflection"

    def __init__(self, manifold: Manifold, p: Tensor, a: Tensor) -> None:
        super().__init__(manifold)
        manifold._enter(self._op, [("p", p)], [("a", a)])
        dtype = torch.promote_types(p.dtype, a.dtype)
        self.p, self.a = p.to(dtype), a.to(dtype)

    def _differential(self, dtype: torch.dtype) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
        space, kept = self.manifold, tangents(self.manifold)
        (p, a), _ = space._enter(self._op, [("p", self.p.to(dtype))], [("a", self.a.to(dtype))])
        a = kept.enter(p, a)
        direction, length = unit(kept.frame(p, a))
        normal = a / length.where(length > 0, 1.0)
        return p, lambda w: w - 2 * dot(direction, kept.frame(p, w)) * normal

    def inverse(self) -> Isometry:
        return self


@final
class PointReflection(_Based):
    """The geodesic symmetry at a point; see :func:`point_reflection`."""

    _op = "point_reflection"

    def __init__(self, manifold: Manifold, p: Tensor) -> None:
        super().__init__(manifold)
        manifold._enter(self._op, [("p", p)])
        self.p = p

    def _differential(self, dtype: torch.dtype) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
        (p,), _ = self.manifold._enter(self._op, [("p", self.p.to(dtype))])
        return p, torch.neg

    def inverse(self) -> Isometry:
        return self


def translation(manifold: Manifold, p: Tensor, q: Tensor) -> Isometry:
    r"""The translation along the geodesic from p to q that takes p to q (a boost, a transvection).

    .. math:: g(x) = \exp_q\bigl(P_{p\to q}\log_p x\bigr),\qquad
              Dg_x = P_{q\to g(x)}\,P_{p\to q}\,P_{x\to p}:

    the isometry whose differential along that geodesic is parallel transport (Helgason 1978,
    chapter IV, theorem 3.3). Euclidean: x + q - p. Lorentz: the boost in the plane of p and q.
    PoincareBall: the Möbius translation :math:`q\oplus\mathrm{gyr}[q, -p](-p\oplus x)`. Sphere:
    the rotation in the plane of p and q; at antipodes, along the geodesic that
    :meth:`Manifold.logmap` names. The identity if p = q. Its inverse takes q to p.

    No matrix and no logarithm's length is formed on the hyperboloid, where the entries of the one
    cancel and the exponential of the other would magnify its rounding by the length itself.

    Args:
        manifold: the space.
        p, q: points (..., m); leading axes make a batch of isometries.

    Raises:
        TypeError, ValueError: p and q are not tensors of points of one space.
    """
    return Translation(manifold, p, q)


def rotation(manifold: Manifold, q: Tensor) -> Isometry:
    """The isometry that fixes the origin and turns normal coordinates by an orthogonal matrix.

    g(from_normal(v)) = from_normal(q v). It multiplies the space part on Lorentz, the last n
    coordinates on Sphere and all coordinates on PoincareBall and Euclidean. det q may be -1.

    Args:
        manifold: the space.
        q: orthogonal matrices (..., n, n). That they are orthogonal is not checked, and a matrix
            orthogonal up to rounding is a rotation up to rounding.

    Raises:
        TypeError, ValueError: q is not a tensor of square matrices.
    """
    return Rotation(manifold, q)


def reflection(manifold: Manifold, p: Tensor, a: Tensor) -> Isometry:
    r"""The reflection in the hyperplane through p with normal vector a.

    :math:`g(x) = \exp_p(v - 2\langle v, \hat a\rangle_p\,\hat a)`, :math:`v = \log_p x`, with
    :math:`\hat a = a/\lVert a\rVert_p`. An involution that fixes the points of the hyperplane
    (see :func:`signed_distance`) and no others. With a = 0, which is the normal of nothing, it is
    the identity.

    Args:
        manifold: the space.
        p: points (..., m) of the hyperplanes.
        a: tangent vectors (..., m) there, of any length.
    """
    return Reflection(manifold, p, a)


def point_reflection(manifold: Manifold, p: Tensor) -> Isometry:
    r"""The geodesic symmetry at p, :math:`g(x) = \exp_p(-\log_p x)`: an involution.

    ``point_reflection(m, midpoint(p, q)) @ point_reflection(m, p)`` is ``translation(m, p, q)``
    (Helgason 1978, chapter IV, section 3).

    Args:
        manifold: the space.
        p: points (..., m).
    """
    return PointReflection(manifold, p)


def recentre(
    manifold: Manifold, x: Tensor, weights: Tensor | None = None
) -> tuple[Tensor, Isometry]:
    """Move a set of points so that its Fréchet mean is the origin.

    Args:
        manifold: the space.
        x: points (..., k, m).
        weights: (..., k), as :meth:`Manifold.mean` takes them.

    Returns:
        The moved points (..., k, m), and the translation of the mean to the origin; of batch shape
        (..., 1), so that it takes sets (..., k', m) as it took x.
    """
    check_manifold("recentre", manifold)
    mean = manifold.mean(x, weights).unsqueeze(-2)
    origin = manifold.origin(
        mean.shape[-1] - manifold._extra_coordinates, dtype=mean.dtype, device=mean.device
    )
    g = Translation(manifold, mean, origin)
    return g(x), g
