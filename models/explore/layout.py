"""Points of any dimension on the disk or on the plane, in polar coordinates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...manifolds import Manifold, PoincareBall, Product
from ...plotting import project_disk, tree_layout
from ...stats import tangent_pca

_BALL = PoincareBall(-1.0)


class Layout(NamedTuple):
    """Where points are drawn."""

    polar: NDArray[np.float64]
    """(N, 2): distance from the middle, in units of 1/sqrt(abs(K)), and direction."""
    radius: NDArray[np.float64]
    """(N,), distances from the middle of the points themselves, in the same units. On the disk
    these are the drawn ones."""
    hyperbolic: bool
    """The Poincaré disk; the plane otherwise."""
    note: str
    """What was done and what it lost, a sentence."""


def check_space(manifold: Manifold, source: object) -> None:
    """Raise ValueError, in a sentence, for a space that the page has no picture of."""
    if isinstance(manifold, Product) or manifold.sign > 0:
        kind = "a product" if isinstance(manifold, Product) else "a sphere"
        raise ValueError(
            f"{source}: expected points of a hyperbolic or a flat space, got {kind}, {manifold}; "
            "no disk or plane shows its distances. `spaceforms embed` and `spaceforms plot` draw "
            "other spaces."
        )


@torch.no_grad()
def lay_out(
    points: Tensor,
    *,
    manifold: Manifold,
    center: Tensor | None = None,
    groups: Sequence[object] | None = None,
) -> Layout:
    """Bring points to two dimensions.

    Hyperbolic ones by :func:`spaceforms.plotting.project_disk`; flat ones by their first two
    principal components.

    Args:
        points: (N, m), of a hyperbolic or flat space.
        manifold: their space.
        center: (m,), what is in the middle; the origin if None.
        groups: N labels, each of which loses a mean of its own, as in ``project_disk``.
    """
    dim = points.shape[-1] - manifold.ambient_dim(0)
    if manifold.sign < 0:
        found = project_disk(points, manifold=manifold, center=center, groups=groups)
        v = _BALL.to_normal(found.points)
        note = "Distances are those of the points themselves."
        if dim > 2:
            note = (
                f"Drawn from {dim} dimensions: {found.name}. Mean distortion of distances "
                f"{found.distortion:.0%}, rank correlation {found.rank_correlation:.2f}."
            )
        polar = _polar(v)
        return Layout(polar, polar[:, 0], True, note)
    note = "Distances are those of the points themselves."
    points = points.double()
    if dim <= 2:
        v = points - (0 if center is None else center.double())
        radius = v.norm(dim=-1)
    else:
        parts = tangent_pca(manifold, points, min(2, len(points)), mean=center)
        v = parts.transform(points)
        radius = manifold.dist(parts.mean, points)
        share = float(parts.explained_variance_ratio.sum())
        note = (
            f"Drawn from {dim} dimensions: the first two principal components, {share:.0%} of the "
            "variance."
        )
    polar = _polar(torch.nn.functional.pad(v, (0, 2 - v.shape[1])))
    return Layout(polar, radius.numpy(), False, note)


def of_tree(up: NDArray[np.int64]) -> NDArray[np.float64]:
    """Where a forest's own layout has its nodes on the disk, (N, 2) as ``Layout.polar``.

    Args:
        up: (N,), of each node the one above, -1 of a root.
    """
    return _polar(_BALL.to_normal(tree_layout(torch.from_numpy(up)).points))


def _polar(v: Tensor) -> NDArray[np.float64]:
    x, y = v.unbind(-1)
    return torch.stack([torch.hypot(x, y), torch.atan2(y, x)], dim=-1).numpy()
