"""Disk embeddings: what is particular is a disk within the disk of what is general."""

from torch import Tensor

from ...manifolds import Manifold
from ...manifolds.checks import check_coordinates
from ..common import (
    Reduction,
    check_elementwise,
    check_manifold,
    check_reduction,
    in_float32,
)
from .orders import ranked


def disk_distance(
    parent: Tensor,
    child: Tensor,
    parent_radius: Tensor,
    child_radius: Tensor,
    *,
    manifold: Manifold,
) -> Tensor:
    r"""How far a child's disk reaches out of its parent's; within, minus the way to its edge.

    .. math:: D(p, c) = d(x_p, x_c) - r_p + r_c \le 0
              \iff \text{the closed ball of } c \text{ lies in that of } p

    (Suzuki et al. 2019, "Hyperbolic disk embeddings for directed acyclic graphs", eq. 2), where no
    ball is larger than the space. Radii of any sign are an order too: D satisfies
    the triangle inequality, so loss 0 is transitive on every manifold, products too. (Order
    embeddings and cones are disks of other spaces: section 4 there.)

    Args:
        parent: points (..., m).
        child: points (..., m).
        parent_radius: (...), of any sign.
        child_radius: (...), of any sign.
        manifold: the space of both.

    Returns:
        (...): a length with a sign, in float32 (float64 for float64 inputs).

    Raises:
        ValueError: shapes that do not fit.

    >>> import torch
    >>> from spaceforms.losses import disk_distance
    >>> from spaceforms.manifolds import Euclidean
    >>> x, r = torch.tensor([[0.0, 0.0], [3.0, 4.0]]), torch.tensor([7.0, 1.0])
    >>> float(disk_distance(x[0], x[1], r[0], r[1], manifold=Euclidean()))
    -1.0
    """
    where = "disk_distance"
    check_manifold(where, manifold)
    ends = {"parent": parent, "child": child}
    radii = {"parent_radius": parent_radius, "child_radius": child_radius}
    return _distance(where, manifold, ends, radii)


def disk_ranking(
    parent: Tensor,
    child: Tensor,
    parent_radius: Tensor,
    child_radius: Tensor,
    negative_parent: Tensor,
    negative_child: Tensor,
    negative_parent_radius: Tensor,
    negative_child_radius: Tensor,
    *,
    manifold: Manifold,
    margin: float = 1.0,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Disks of children into those of their parents, what is no child out of them by a margin.

    .. math:: L = \max\bigl(0, D(p, c)\bigr) + \sum_k \max\bigl(0,\ \mu - D(p'_k, c'_k)\bigr),

    D as in :func:`disk_distance` (Suzuki et al. 2019, eq. 9).

    Args:
        parent, child: points (..., m).
        parent_radius, child_radius: (...).
        negative_parent, negative_child: points (..., k, m) or (..., 1, m).
        negative_parent_radius, negative_child_radius: (..., k) or (..., 1).
        manifold: the space of all.
        margin: mu > 0, a length.
        reduction: over the positive pairs: ``"mean"``, ``"sum"`` or ``"none"``: (...).

    Returns:
        A length, in float32 (float64 for float64 inputs).
    """
    where = "disk_ranking"
    check_reduction(where, reduction)
    check_manifold(where, manifold)
    ends = {"parent": parent, "child": child}
    radii = {"parent_radius": parent_radius, "child_radius": child_radius}
    positive = _distance(where, manifold, ends, radii)
    ends = {"negative_parent": negative_parent, "negative_child": negative_child}
    radii = {
        "negative_parent_radius": negative_parent_radius,
        "negative_child_radius": negative_child_radius,
    }
    negative = _distance(where, manifold, ends, radii)
    return ranked(where, positive.relu(), negative, margin, reduction)


def _distance(
    where: str, manifold: Manifold, ends: dict[str, Tensor], radii: dict[str, Tensor]
) -> Tensor:
    """Of two points and their radii, each parent first and named for errors."""
    p, c, r, s = in_float32(where, **ends, **radii)
    check_coordinates(where, zip(ends, (p, c), strict=True), manifold.ambient_dim(0) + 1)
    apart = manifold.dist(p, c)
    check_elementwise(where, distance=apart, **dict(zip(radii, (r, s), strict=True)))
    return apart - r + s
