"""Isometries of a product: one of each factor, equal factors together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, final

import torch
from torch import Tensor

from ..base import Manifold
from ..manifold_checks import check_manifold
from ..product.factors import Factors
from .isometry import Isometry

Act = Callable[..., Tensor]


class _Block(NamedTuple):
    """The isometries of a group of factors; None for the identity."""

    members: Sequence[Isometry | None]
    together: bool
    """Whether one isometry takes the whole group, (..., g, m)."""


@final
class Factorwise(Isometry):
    """An isometry of each factor of a product, side by side; see :func:`factorwise`."""

    _op = "factorwise"

    def __init__(self, manifold: Manifold, blocks: Sequence[_Block]) -> None:
        super().__init__(manifold)
        self._blocks = tuple(blocks)

    def __call__(self, x: Tensor) -> Tensor:
        _, call = self.manifold._to_unit(self._op, [("x", x)])
        image = self._each(lambda g, y: g(y), x)
        return self.manifold._from_unit_stored(image, call.in_dtype(image.dtype))

    def push(self, x: Tensor, v: Tensor) -> Tensor:
        """See :meth:`Isometry.push`: that of each factor."""
        self.manifold._to_unit(f"{self._op}.push", [("x", x)], [("v", v)])
        return self._each(lambda g, y, w: g.push(y, w), x, v)

    def inverse(self) -> Isometry:
        inverses = [
            block._replace(members=[g and g.inverse() for g in block.members])
            for block in self._blocks
        ]
        return Factorwise(self.manifold, inverses)

    def _each(self, act: Act, *tensors: Tensor) -> Tensor:
        """``act(g, *parts)`` of every factor, the last part itself where g is None."""
        layout = product_of(self.manifold)._layout
        images = []
        for block, *parts in zip(self._blocks, *map(layout.gather, tensors), strict=True):
            if block.together:
                (g,) = block.members
                images.append(parts[-1] if g is None else act(g, *parts))
                continue
            each = []
            for j, g in enumerate(block.members):
                own = [part[..., j, :] for part in parts]
                each.append(own[-1] if g is None else act(g, *own))
            images.append(torch.stack(torch.broadcast_tensors(*each), dim=-2))  # type: ignore[no-untyped-call]
        return layout.join(images)


def product_of(manifold: Manifold) -> Factors:
    """The product itself, looking at no values."""
    inner = manifold._unchecked
    assert isinstance(inner, Factors)
    return inner


def factor_by_factor(
    op: str, manifold: Manifold, make: Callable[..., Isometry], **points: Tensor
) -> Isometry:
    """``make(factor, *points of it)`` of every factor; of a factor listed several times at once."""
    manifold._to_unit(op, list(points.items()))  # raises if they are no points
    product = product_of(manifold)
    gathered = map(product._layout.gather, points.values())
    blocks = []
    for group, *parts in zip(product._groups, *gathered, strict=True):
        if group.one_object:
            members = [make(product._factor(group.members[0]), *parts)]
        else:
            members = [
                make(product._factor(i), *(part[..., j, :] for part in parts))
                for j, i in enumerate(group.members)
            ]
        blocks.append(_Block(members, group.one_object))
    return Factorwise(manifold, blocks)


def factorwise(manifold: Manifold, isometries: Sequence[Isometry | None]) -> Isometry:
    r"""The isometry of a product that is a given one on each factor.

    :math:`g(x_1, \dots, x_k) = (g_1(x_1), \dots, g_k(x_k))`, an isometry whatever the metric and
    the weights. Products have others too, which are none of each factor: those that swap equal
    factors, and rotations of several Euclidean ones together.

    >>> import torch
    >>> from spaceforms.manifolds import Lorentz, Product, Sphere, factorwise, rotation
    >>> space = Product([Lorentz(), Sphere()], dims=[2, 3])
    >>> turn = rotation(space.factors[1], torch.eye(3).roll(1, 0))
    >>> g = factorwise(space, [None, turn])
    >>> x = space.from_normal(torch.tensor([0.5, 0.0, 1.0, 0.0, 0.0]))
    >>> [round(c, 4) for c in space.to_normal(g(x)).tolist()]
    [0.5, 0.0, 0.0, 1.0, 0.0]

    Args:
        manifold: a :class:`Product`.
        isometries: one for each factor, of the object ``manifold.factors[i]``; None for the
            identity.

    Raises:
        TypeError: a manifold that is no product; what is no isometry.
        ValueError: another number of isometries than of factors, or of another manifold object.
    """
    check_manifold("factorwise", manifold)
    if manifold._family != "product":
        raise TypeError(f"factorwise: manifold is {manifold!r}; expected a Product.")
    if not isinstance(isometries, Sequence):
        raise TypeError(
            f"factorwise: isometries is a {type(isometries).__name__}; expected a list, one a "
            "factor."
        )
    product, isometries = product_of(manifold), list(isometries)
    k = len(product._which)
    if len(isometries) != k:
        raise ValueError(
            f"factorwise: there are {len(isometries)} isometries; expected {k}, one a factor."
        )
    for i, g in enumerate(isometries):
        if g is None:
            continue
        if not isinstance(g, Isometry):
            raise TypeError(
                f"factorwise: isometry {i} is a {type(g).__name__}; expected an Isometry or None."
            )
        if g.manifold is not product._factor(i):
            raise ValueError(
                f"factorwise: isometry {i} is of {g.manifold}; expected one of the factor itself, "
                f"the object factors[{i}], {product._factor(i)}."
            )
    blocks = [_Block([isometries[i] for i in group.members], False) for group in product._groups]
    return Factorwise(manifold, blocks)
