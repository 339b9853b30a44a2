"""Points to search among, and how many of the nearest were found."""

import torch
from torch import Tensor

from spaceforms.manifolds import Manifold
from spaceforms.search import Neighbours


def clusters(space: Manifold, count: int, dim: int, radius: float, seed: int) -> Tensor:
    """Points (count, dim + 1) in float32 in cones about a hundred directions."""
    fixed = torch.Generator().manual_seed(0)
    generator = torch.Generator().manual_seed(seed)
    centres = torch.randn(100, dim, generator=fixed)
    v = centres[torch.randint(100, (count,), generator=generator)]
    v = v + torch.randn(count, dim, generator=generator) / 2
    length = radius * (1 + torch.randn(count, 1, generator=generator) / 10)
    return space.from_normal(length * v / v.norm(dim=-1, keepdim=True))


def families(
    space: Manifold, count: int, dim: int, radius: float, seed: int, siblings: float, parents: int
) -> Tensor:
    """Points (count, dim + 1) in float32 about parents at one distance from the origin."""
    fixed = torch.Generator().manual_seed(0)
    generator = torch.Generator().manual_seed(seed)
    v = torch.randn(parents, dim, generator=fixed, dtype=torch.float64)
    parent = space.from_normal(radius * v / v.norm(dim=-1, keepdim=True))
    parent = parent[torch.randint(parents, (count,), generator=generator)]
    step = torch.randn(count, dim + 1, generator=generator, dtype=torch.float64)
    step[:, 0] = 0
    step = space.transport0(parent, siblings * step / dim**0.5)
    return space.expmap(parent, step).float()


def recall(found: Neighbours, true: Neighbours) -> float:
    """Share of the true neighbours that were found; a point as near as the k-th is one."""
    last = true.distances[:, -1:] * (1 + 1e-5)  # what the matrix product resolves, far out
    return float((found.distances <= last).float().mean())
