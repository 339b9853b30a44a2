"""
A product of spaces: something tree-like that goes round
========================================================

Data may be a tree in one respect and a cycle in another: a catalogue by season, say. On a
:class:`~spaceforms.manifolds.Product` each respect has a factor with its own curvature. Points
are fitted to the distances of tree x cycle by gradients through normal coordinates, on the
product and on spaces of one curvature with as many dimensions.
"""

import matplotlib.pyplot as plt
import torch

from spaceforms.manifolds import Euclidean, Lorentz, Manifold, Product, Sphere
from spaceforms.plotting import disk, sphere


def apart(i: int, j: int) -> int:
    """Edges between two nodes of a binary tree, numbered by level."""
    return 0 if i == j else 1 + (apart((i - 1) // 2, j) if i > j else apart(i, (j - 1) // 2))


tree = torch.tensor([[apart(i, j) for j in range(15)] for i in range(15)]).double()
steps = (torch.arange(6)[:, None] - torch.arange(6)).abs()
cycle = torch.minimum(steps, 6 - steps).double()
true = (tree[:, None, :, None] ** 2 + cycle[None, :, None, :] ** 2).sqrt().reshape(90, 90)


def fit(space: Manifold, dims: int) -> tuple[torch.Tensor, float]:
    """Points whose distances have the least relative error, and that error."""
    torch.manual_seed(0)
    v = (0.5 * torch.randn(90, dims)).requires_grad_()
    optimizer = torch.optim.Adam([v, *space.parameters()], lr=0.1)
    i, j = torch.triu_indices(90, 90, 1)
    for step in range(150):
        optimizer.param_groups[0]["lr"] = 0.1 * (1 - step / 150)
        x = space.from_normal(v)
        error = space.cdist(x, x)[i, j] / true[i, j] - 1
        optimizer.zero_grad()
        error.square().mean().backward()
        optimizer.step()
    return x.detach(), error.abs().mean().item()


# %%
found = {
    "product": fit(
        product := Product(
            [Lorentz(-1.0, learnable=True), Sphere(1.0, learnable=True)], dims=[2, 2]
        ),
        4,
    ),
    "hyperbolic": fit(Lorentz(-1.0, learnable=True), 4),
    "flat": fit(Euclidean(), 4),
    "sphere": fit(Sphere(0.1, learnable=True), 4),
}
for name, (_, error) in found.items():
    print(f"{name:10} mean relative error of distances {error:.1%}")
print("learned:", product)

# %%
# Each factor has found its part: the six copies of a node lie together on the disk, the fifteen
# nodes of a season on the circle.
points = found["product"][0]
fig = plt.figure(figsize=(10.5, 3.7))
bars, flat, round_ = (
    fig.add_subplot(1, 3, k, projection="3d" if k == 3 else None) for k in (1, 2, 3)
)
bars.bar(
    list(found),
    [100 * error for _, error in found.values()],
    color=["C1", "C0", "C0", "C0"],
    width=0.6,
)
bars.set(ylabel="mean relative error, %", title="four dimensions each")
levels = [f"level {(k // 6 + 1).bit_length() - 1}" for k in range(90)]
disk(points[:, :3], manifold=product.factors[0], labels=levels, size=12, ax=flat)
flat.set_title("first factor: the tree")
sphere(
    points[:, 3:],
    manifold=product.factors[1],
    labels=[f"season {k % 6 + 1}" for k in range(90)],
    ax=round_,
)
round_.set_axis_off()
round_.set_title("second factor: the cycle")
plt.show()
