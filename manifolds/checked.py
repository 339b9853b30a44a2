"""A manifold that looks at every value it is given and every value it returns."""

from copy import copy
from typing import TypeVar

from .base import Manifold
from .manifold_checks import check_manifold

M = TypeVar("M", bound=Manifold)


def Checked(manifold: M) -> M:
    """The same manifold, checking values: for debugging, tests and data from elsewhere.

    Every argument must be finite, points must lie on the manifold and tangent vectors be tangent
    at their base point; every result must be finite and, if a point, on the manifold. Tolerances
    are those of :meth:`Manifold.is_point` and :meth:`Manifold.is_tangent` in the dtype that a value
    was given in, also where it is computed with in a wider one. The checks read values back from an
    accelerator, so they are made by none of the manifolds unless asked for.

    >>> import torch
    >>> from spaceforms.manifolds import Checked, PoincareBall
    >>> ball = Checked(PoincareBall())
    >>> ball.dist(torch.tensor([0.5, 0.5]), torch.tensor([0.8, 0.9]))
    Traceback (most recent call last):
    ValueError: PoincareBall.dist: y has 1 of 1 points off the manifold, \
the first at index (): [0.8, 0.9]; expected points of PoincareBall(curvature=-1).

    Args:
        manifold: the manifold to check; it stays as it is.

    Returns:
        A manifold of the same class that shares its curvature, learnable or not, with the first.

    Raises:
        TypeError: manifold is none.
        ValueError: from any method of the result, naming the operation, the argument, how many
            entries are wrong and the first of them.
    """
    check_manifold("Checked", manifold)
    watchful = copy(manifold)
    watchful._checks = True
    return watchful
