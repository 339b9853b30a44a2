"""What an isometry is, and products of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import final

import torch
from torch import Tensor

from ..base import Manifold
from ..kernels.arithmetic.vectors import expanded, scale_of
from ..manifold_checks import check_known
from .moving_frame import embedded


class Isometry(ABC):
    r"""A map g of a manifold onto itself with :math:`d(g(x), g(y)) = d(x, y)`.

    ``g(x)`` is the image of a point, ``g.push(x, v)`` the image of a tangent vector at x under the
    differential, ``g.inverse()`` the inverse and ``g @ h`` the map that does h first. Make one by
    :func:`translation`, :func:`rotation`, :func:`reflection`, :func:`point_reflection`,
    :func:`recentre` or, of a :class:`Product`, :func:`factorwise`.

    The tensors an isometry is made of may have leading axes: a batch of isometries, which
    broadcasts with the points it is given. Everything is differentiable, in the points, in those
    tensors and in a learnable curvature; the manifold is kept, not copied, so a curvature that
    changes changes the isometry too.

    >>> import torch
    >>> from spaceforms.manifolds import Lorentz, translation
    >>> space = Lorentz()
    >>> p, q, x = (space.from_normal(torch.tensor([r, 0.0])) for r in (1.0, 3.0, 0.5))
    >>> g = translation(space, p, q)
    >>> [round(r, 4) for r in space.to_normal(g(x)).tolist()]
    [2.5, 0.0]
    >>> bool(space.dist((g.inverse() @ g)(x), x) < 1e-6)
    True
    """

    _op = "isometry"
    """The function that made it, for messages."""

    def __init__(self, manifold: Manifold) -> None:
        check_known(self._op, manifold)
        self.manifold = manifold

    @abstractmethod
    def __call__(self, x: Tensor) -> Tensor:
        """The image g(x) of a point: (..., m) -> (..., m)."""

    def push(self, x: Tensor, v: Tensor) -> Tensor:
        r"""The image of a tangent vector v at x, a tangent vector at g(x): the differential at x.

        An isometry of tangent spaces, :math:`P_{g(p)\to g(x)}\,Dg_p\,P_{x\to p}` for any p.
        Taken by forward-mode differentiation of g itself: far out on the hyperboloid, where a
        vector's coordinates are cosh r times longer along the ray than across it, that keeps
        digits which three transports one after another lose. On the ball it loses digits to
        1 - abs(g(x))^2 where the image is far out: ``docs/accuracy.md`` has how many; the same
        isometry of :class:`Lorentz` does not.

        Shapes: (..., m), (..., m) -> (..., m).
        """
        # Raises if they do not fit.
        self.manifold._to_unit(f"{self._op}.push", [("x", x)], [("v", v)])
        dtype = torch.promote_types(x.dtype, v.dtype)
        # Contiguous: forward mode refuses a point that several vectors share.
        x, v = expanded(x.to(dtype), v).contiguous(), expanded(v.to(dtype), x)
        scale = scale_of(v)  # linear in v, whose products with points may overflow
        image: Tensor = torch.func.jvp(self, (x,), (v / scale,))[1]
        return scale * image

    @abstractmethod
    def inverse(self) -> Isometry:
        """The isometry that undoes this one."""

    def _origin(self) -> Tensor:
        """The origin, in the dimension and dtype of this isometry; of those with a matrix."""
        raise NotImplementedError

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
            ValueError: on PoincareBall and Stereographic, whose isometries are not linear, and on
                Product, whose factors have a matrix each.
        """
        one = self.manifold._family == "unit"
        if not one or not (embedded(self.manifold) or self.manifold.sign == 0):
            raise ValueError(
                f"{type(self).__name__}.matrix: the manifold is {self.manifold}, whose isometries "
                "are not linear in its coordinates; expected Lorentz, Sphere or Euclidean."
            )
        origin = self._origin()
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

    def inverse(self) -> Isometry:
        return Composition(tuple(part.inverse() for part in reversed(self.parts)))

    def _origin(self) -> Tensor:
        return self.parts[0]._origin()

    def __repr__(self) -> str:
        return " @ ".join(repr(part) for part in self.parts)


def _factors(g: Isometry) -> tuple[Isometry, ...]:
    return g.parts if isinstance(g, Composition) else (g,)
