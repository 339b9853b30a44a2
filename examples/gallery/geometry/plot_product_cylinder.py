"""
A product of spaces: something tree-like that goes round
========================================================

Data may be a tree in one respect and a cycle in another: a catalogue by season, say. On a
:class:`~spaceforms.manifolds.Product` each respect has a factor with a curvature of its own.
Here a binary tree by Sarkar's construction and a cycle of six seasons on a circle, without any
training, beside points of one curvature that are fitted.
"""

import matplotlib.pyplot as plt
import numpy as np
import torch

from spaceforms.manifolds import Euclidean, Lorentz, Manifold, Product, Sphere
from spaceforms.models.graphs.sarkar import directions, place, spanning_tree
from spaceforms.plotting import disk, geodesics


def apart(i: int, j: int) -> int:
    """Edges between two nodes of a binary tree, numbered by level."""
    return 0 if i == j else 1 + (apart((i - 1) // 2, j) if i > j else apart(i, (j - 1) // 2))


tree = torch.tensor([[apart(i, j) for j in range(15)] for i in range(15)], dtype=torch.float64)
steps = (torch.arange(6)[:, None] - torch.arange(6)).abs()
cycle = torch.minimum(steps, 6 - steps).double()
true = (tree[:, None, :, None] ** 2 + cycle[None, :, None, :] ** 2).sqrt().reshape(90, 90)
pairs = torch.triu_indices(90, 90, 1).unbind()

# %%
# Edges of the tree are 2 long, which the weight of its factor makes 1; the circle is 6 round.
child = np.arange(1, 15)
order, _, _ = spanning_tree(15, (child - 1) // 2, child)
normal = Lorentz().to_normal(
    Lorentz().from_space(torch.tensor(place(order, directions(3, 2), 2.0)))
)
space = Product([Lorentz(), Sphere((torch.pi / 3) ** 2)], dims=[2, 1], weights=[1 / 4, 1.0])
season = torch.arange(6, dtype=torch.float64).sub(2.5)[:, None]
first, second = space.factors[0].from_normal(normal), space.factors[1].from_normal(season)
points = torch.cat([first.repeat_interleave(6, 0), second.repeat(15, 1)], dim=-1)
error = {"product": (space.cdist(points, points) / true - 1)[pairs].abs().mean().item()}


def fit(space: Manifold, dims: int) -> float:
    """Mean relative error of the distances of points that are fitted to have little of it."""
    v = torch.randn(90, dims).requires_grad_()
    optimizer = torch.optim.Adam([v, *space.parameters()], lr=0.1)
    for _ in range(120):
        x = space.from_normal(v)
        off = space.cdist(x, x)[pairs] / true[pairs] - 1
        optimizer.zero_grad()
        off.square().mean().backward()
        optimizer.step()
    return off.abs().mean().item()


error["hyperbolic"], error["flat"] = fit(Lorentz(learnable=True), 3), fit(Euclidean(), 3)
print("mean relative error:", {name: f"{value:.1%}" for name, value in error.items()})

# %%
fig, (left, middle, right) = plt.subplots(1, 3, figsize=(10.5, 3.6))
left.bar(list(error), [100 * e for e in error.values()], color=["C1", "C0", "C0"], width=0.6)
left.set(ylabel="mean relative error of distances, %", title="three dimensions each")
disk(first, manifold=space.factors[0], ax=middle)
up = (child - 1) // 2
geodesics(first[up], first[1:], manifold=space.factors[0], ax=middle, color="#999999")
middle.set_title("first factor: where in the tree")
right.add_patch(plt.Circle((0, 0), 3 / torch.pi, fill=False, edgecolor="#333333"))
right.plot(*second.flip(-1).T, "o")
for k, place_ in enumerate(second.flip(-1) * 1.18, start=1):
    right.text(*place_, str(k), ha="center", va="center")
right.set(aspect="equal", xlim=(-1.3, 1.3), ylim=(-1.3, 1.3), title="second factor: which season")
right.set_axis_off()
plt.show()
