"""From many dimensions to the disk, saying how much was lost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ..manifolds import Manifold, PoincareBall

_PAIRS = 20_000


class Projection(NamedTuple):
    """Points on the disk and what the projection did to them."""

    points: Tensor
    """(N, 2), in the unit Poincaré ball."""
    name: str
    """The method in a few words, for a title."""
    distortion: float
    """Mean over pairs of abs(drawn/true - 1); true distances in units of 1/sqrt(abs(K))."""
    rank_correlation: float
    """Spearman's correlation of drawn and true distances."""

    @property
    def title(self) -> str:
        """Name and losses, to be put over the picture."""
        return (
            f"{self.name}\nmean distortion of distances {self.distortion:.0%}, "
            f"rank correlation {self.rank_correlation:.2f}"
        )


@torch.no_grad()
def project_disk(
    points: Tensor,
    *,
    manifold: Manifold,
    center: Tensor | None = None,
    groups: Sequence[object] | None = None,
) -> Projection:
    """Bring points of any manifold and dimension to the Poincaré disk.

    The distance of each point from the centre is kept exactly; its direction is that of its first
    two principal components in the tangent space at the centre, after the mean is taken away:
    points of contrastive models all lie in one narrow cone, and without that the picture would be
    one dot. What is lost is the common direction and what lies across the two components, and the
    result says how much: more than 100 coordinates do not fit into two.

    Args:
        points: (N, m).
        manifold: their space.
        center: (m,), the point drawn in the middle; the origin if None.
        groups: N labels (modalities, levels). Each group then loses its own mean, and the
            components are those of what is left: a gap between modalities would be the first
            component otherwise.

    The measured losses are over all pairs, or 20,000 of them drawn with a fixed seed.
    """
    x = points.detach().double().cpu()
    n = x.shape[-1] - manifold.ambient_dim(0)
    origin = manifold.cpu().origin(n, dtype=torch.float64).detach()
    base = origin if center is None else center.detach().double().cpu()
    tangents = manifold.transport0_inverse(base, manifold.logmap(base, x))
    radius = torch.as_tensor(manifold.radius).detach()
    v = manifold.to_normal(manifold.expmap0(tangents)) / radius
    r = manifold.dist(base, x).unsqueeze(-1) / radius
    if n > 2:
        v = _centred(v, groups)
        _, _, axes = torch.linalg.svd(v, full_matrices=False)
        plane = v @ axes[:2].T
        # An axis has no sign of its own: take the one that points where most points are.
        plane = plane * torch.where(plane.sum(0) < 0, -1.0, 1.0)
    else:
        plane = torch.nn.functional.pad(v, (0, 2 - n))
    length = plane.norm(dim=-1, keepdim=True)
    ball = PoincareBall(-1.0)
    flat = ball.from_normal(torch.where(length > 0, plane / length.where(length > 0, 1.0), 0.0) * r)
    distortion, correlation = _losses(x, flat, manifold, ball)
    name = "radius kept, direction by the first two principal components"
    if n > 2:
        name += " of what is left after the mean" + ("" if groups is None else " of each level")
    return Projection(flat, name, distortion, correlation)


def _centred(v: Tensor, groups: Sequence[object] | None) -> Tensor:
    if groups is None:
        return v - v.mean(0)
    if len(groups) != len(v):
        raise ValueError(
            f"plotting.project_disk: there are {len(groups)} groups for {len(v)} points; expected "
            "as many."
        )
    numbers = {group: k for k, group in enumerate(dict.fromkeys(groups))}
    member = torch.tensor([numbers[group] for group in groups])
    means = torch.zeros(len(numbers), v.shape[1], dtype=v.dtype).index_add_(0, member, v)
    return v - (means / member.bincount().unsqueeze(1))[member]


def _losses(x: Tensor, flat: Tensor, manifold: Manifold, ball: PoincareBall) -> tuple[float, float]:
    i, j = torch.triu_indices(len(x), len(x), 1)
    if len(i) > _PAIRS:
        chosen = torch.randperm(len(i), generator=torch.Generator().manual_seed(0))[:_PAIRS]
        i, j = i[chosen], j[chosen]
    true = manifold.dist(x[i], x[j]) / torch.as_tensor(manifold.radius).detach()
    drawn = ball.dist(flat[i], flat[j])
    apart = true > 0
    if not apart.any():
        return 0.0, 1.0
    true, drawn = true[apart], drawn[apart]
    ranks = torch.stack([d.argsort().argsort().double() for d in (true, drawn)])
    correlation = torch.corrcoef(ranks)[0, 1] if len(true) > 1 else torch.ones(())
    return float((drawn / true - 1).abs().mean()), float(correlation)
