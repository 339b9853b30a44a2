"""From many dimensions to two, saying how much was lost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ..manifolds import Euclidean, Lorentz, Manifold, PoincareBall, Sphere, Stereographic
from ..manifolds.checks import ArrayLike
from ..stats import horopca
from ..stats.distortion import of_pairs
from ._axes import at_hand, at_rest, unit_of_length

PLANES: dict[int, Callable[[], Manifold]] = {
    -1: lambda: PoincareBall(-1.0),
    0: Euclidean,
    1: lambda: Sphere(1.0),
}
"""Of dimension two, by the sign of their curvature."""
METHODS = ("components", "horopca")


class Projection(NamedTuple):
    """Points of two dimensions and what the projection did to them."""

    points: Tensor
    """(N, m), of ``manifold``: (N, 2) of the unit Poincaré ball or of flat space, (N, 3) of the
    unit sphere."""
    name: str
    """The method in a few words, for a title."""
    distortion: float
    """Mean over pairs of abs(drawn/true - 1); true distances in units of 1/sqrt(abs(K))."""
    rank_correlation: float
    """Spearman's correlation of drawn and true distances."""
    manifold: Manifold
    """The plane that the points are of: hyperbolic, spherical or flat as their space was, of
    curvature -1, 1 or 0."""

    @property
    def chart(self) -> str:
        """Of :func:`disk`, in which they can be drawn."""
        return "poincare" if self.manifold.sign < 0 else "normal"

    @property
    def losses(self) -> str:
        """What the picture costs, in a few words."""
        return (
            f"mean distortion of distances {self.distortion:.0%}, "
            f"rank correlation {self.rank_correlation:.2f}"
        )

    @property
    def title(self) -> str:
        """Name and losses, to be put over or under the picture."""
        return f"{self.name}\n{self.losses}"


@torch.no_grad()
def project_disk(
    points: ArrayLike,
    *,
    manifold: Manifold,
    center: ArrayLike | None = None,
    groups: Sequence[object] | None = None,
    method: str = "components",
) -> Projection:
    """Bring points of any manifold and dimension to the plane of their kind.

    Hyperbolic points come to the Poincaré disk, those of a sphere to the sphere of two dimensions,
    flat ones to flat space, all in units of 1/sqrt(abs(K)). The distance of each point from the
    centre is kept (on the disk up to 36, where float64 ends it). Its direction is that of its first
    two principal components in the tangent space at the centre, after the mean is taken away:
    points of contrastive models all lie in one narrow cone, and without that the picture would be
    one dot. What is lost is the common direction and what lies across the two components, and the
    result says how much: more than 100 coordinates do not fit into two. Points of dimension 1 or 2
    keep their direction too.

    Args:
        points: (N, m).
        manifold: their space.
        center: (m,), the point drawn in the middle; the origin if None.
        groups: N labels (modalities, levels). Each group then loses its own mean, and the
            components are those of what is left: a gap between modalities would be the first
            component otherwise.
        method: "components", as said; or "horopca" of hyperbolic points (:func:`stats.horopca`,
            Chami et al. 2021), which keeps Busemann functions of two ideal points in place of the
            radius. ``center``, the Fréchet mean if None, is in the middle then.

    The measured losses are over all pairs, or 20,000 of them drawn with a fixed seed.
    """
    where = "plotting.project_disk"
    x, given = at_hand(points, manifold, where), manifold
    n = x.shape[-1] - manifold.ambient_dim(0)
    if x.ndim != 2 or not len(x) or n < 1:
        raise ValueError(
            f"{where}: points have shape {tuple(x.shape)} on {manifold}; "
            f"expected (N, m) with N >= 1 and m > {manifold.ambient_dim(0)}."
        )
    if groups is not None and len(groups) != len(x):
        raise ValueError(
            f"{where}: there are {len(groups)} groups for {len(x)} points; expected as many."
        )
    if method not in METHODS:
        raise ValueError(f"{where}: method is {method!r}; expected one of {', '.join(METHODS)}.")
    if method == "horopca" and (manifold.sign >= 0 or groups is not None or n < 2):
        raise ValueError(
            f"{where}: method is 'horopca' on {manifold} in dimension {n}"
            + ("" if groups is None else " with groups")
            + "; expected hyperbolic points of dimension 2 or more, and no groups."
        )
    shape = x.shape[1:]
    x, manifold = of_fixed_sign(x, at_rest(manifold))
    radius = unit_of_length(manifold)
    base = manifold.origin(n, dtype=torch.float64)
    if center is not None:
        base = at_hand(center, given, where, "center")
        if base.shape != shape:
            raise ValueError(
                f"{where}: center has shape {tuple(base.shape)}; expected one point, ({shape[0]},)."
            )
        base, _ = of_fixed_sign(base, given)
    if method == "horopca":
        return _horopca(x, manifold, None if center is None else base)
    tangents = manifold.transport0_inverse(base, manifold.logmap(base, x))
    v = manifold.to_normal(manifold.expmap0(tangents)) / radius
    r = manifold.dist(base, x).unsqueeze(-1) / radius
    name = "radius and direction kept"
    if n > 2:
        v = _components(_centred(v, groups))
        name = "radius kept, direction by the first two principal components"
        name += " of what is left after the mean" + ("" if groups is None else " of each level")
    plane = PLANES[(manifold.sign > 0) - (manifold.sign < 0)]()
    flat = plane.from_normal(r * _directions(torch.nn.functional.pad(v, (0, 2 - v.shape[1]))))
    distortion, correlation = of_pairs(x, flat, manifold=manifold, image=plane)
    return Projection(flat, name, distortion, correlation, plane)


@torch.no_grad()
def of_fixed_sign(points: Tensor, manifold: Manifold) -> tuple[Tensor, Manifold]:
    """Points of ``Stereographic``, whose unit of length is 1 at any K, on the space of the same K
    whose unit is 1/sqrt(abs(K)), in float64; others as they are."""
    if not isinstance(manifold, Stereographic):
        return points, manifold
    k = float(manifold.curvature)
    space = Lorentz(k) if k < 0 else Sphere(k) if k else Euclidean()
    return space.from_normal(at_rest(manifold).to_normal(points.double())), space


def _horopca(x: Tensor, manifold: Manifold, mean: Tensor | None) -> Projection:
    found = horopca(manifold, x, 2, mean=mean)
    plane = PLANES[-1]()
    flat = plane.from_normal(manifold.to_normal(found.transform(x)) / unit_of_length(manifold))
    distortion, correlation = of_pairs(x, flat, manifold=manifold, image=plane)
    name = "horospherical projection to two principal ideal points"
    return Projection(flat, name, distortion, correlation, plane)


def _centred(v: Tensor, groups: Sequence[object] | None) -> Tensor:
    """v less its mean, or each group less its own."""
    if groups is None:
        rest = v - v.mean(0)
    else:
        numbers = {group: k for k, group in enumerate(dict.fromkeys(groups))}
        member = torch.tensor([numbers[group] for group in groups])
        sums = torch.zeros(len(numbers), v.shape[1], dtype=v.dtype).index_add_(0, member, v)
        rest = v - (sums / member.bincount().unsqueeze(1))[member]
    # What is left of equal points is rounding, and has no direction.
    return rest.where(rest.abs() > 1e-12 * v.abs().max(), 0.0)


def _components(v: Tensor) -> Tensor:
    """The first one or two principal components: (N, n) -> (N, k)."""
    _, _, axes = torch.linalg.svd(v, full_matrices=False)
    axes = axes[:2]
    # An axis has no sign of its own: take the one whose largest coordinate is positive.
    largest = axes.gather(1, axes.abs().argmax(1, keepdim=True))
    return v @ torch.where(largest < 0, -axes, axes).T


def _directions(plane: Tensor) -> Tensor:
    """Unit vectors; to the right where there is no direction, so that the radius is still kept."""
    length = plane.norm(dim=-1, keepdim=True)
    right = torch.tensor([1.0, 0.0], dtype=plane.dtype)
    return torch.where(length > 0, plane / length.where(length > 0, 1.0), right)
