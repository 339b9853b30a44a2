"""
Nearest neighbours for other libraries
======================================

UMAP takes nearest neighbours, scikit-learn tables of distances:
``spaceforms.integrations`` makes both of the points of any manifold. The nearest on the ball are
not the nearest in its coordinates: towards the rim what looks like a short step is a long one.
"""

import matplotlib.pyplot as plt
import torch

from spaceforms.integrations import distance_matrix, nearest_neighbours
from spaceforms.manifolds import Euclidean, PoincareBall
from spaceforms.plotting import disk, geodesics

ball = PoincareBall(curvature=-1.0)
points = ball.random_uniform(150, 2, radius=3.5)
table = distance_matrix(ball, points)
true, _ = nearest_neighbours(ball, points, k=4)  # each point first in its row
seen, _ = nearest_neighbours(Euclidean(), points, k=4)
same = [len({*a} & {*b}) for a, b in zip(true[:, 1:].tolist(), seen[:, 1:].tolist(), strict=True)]
print(
    f"distances up to {table.max():.1f}; {sum(same) / 450:.0%} of the neighbours by coordinates too"
)

# %%
fig, axes = plt.subplots(1, 2, figsize=(9, 4.2), layout="constrained")
for ax, found, title in zip(axes, (true, seen), ("by distance", "by coordinates"), strict=True):
    ends = torch.as_tensor(found[:, 1:]).flatten()
    starts = torch.arange(150).repeat_interleave(3)
    geodesics(points[starts], points[ends], manifold=ball, ax=ax, color="#999999", linewidth=0.7)
    disk(points, manifold=ball, color=ball.dist(ball.origin(2), points), ax=ax)
    ax.set_title(f"the three nearest, {title}")
plt.show()
