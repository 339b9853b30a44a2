"""
Look at it from elsewhere: recentre by an isometry
==================================================

On the disk what is far from the middle is too small to be seen. An isometry moves any point
into the middle and changes no distance: :func:`~spaceforms.manifolds.translation` along a
geodesic, :func:`~spaceforms.manifolds.recentre` of a whole set.
:func:`~spaceforms.plotting.recentring` animates the way there.
"""

import math

import matplotlib.pyplot as plt
import torch

from spaceforms.manifolds import PoincareBall, recentre, translation
from spaceforms.plotting import disk, geodesics

ball, depth = PoincareBall(), 6
level = torch.cat([torch.full((2**d,), d) for d in range(depth + 1)])
turn = torch.cat([(torch.arange(2**d) + 0.5) / 2**d for d in range(depth + 1)]) * 2 * math.pi
tree = ball.from_normal(0.8 * level[:, None] * torch.stack([turn.cos(), turn.sin()], -1).double())
children = torch.arange(1, len(tree))

# %%
# The same tree three times: from its root, from a node of the third level, and recentred so that
# the mean of one branch of the fourth level is the origin.
node = 9
branch = (turn > turn[20] - math.pi / 16) & (turn < turn[20] + math.pi / 16) & (level >= 4)
_, about_branch = recentre(ball, tree[branch])
views = {
    "as it was placed": lambda x: x,
    "a node of level 3 in the middle": translation(ball, tree[node], ball.origin(2).double()),
    "the mean of a branch in the middle": about_branch,
}

fig, axes = plt.subplots(1, 3, figsize=(11, 3.9))
for ax, (name, view) in zip(axes, views.items(), strict=True):
    seen = view(tree)
    disk(seen, manifold=ball, labels=["the branch" if b else "tree" for b in branch], size=9, ax=ax)
    ax.get_legend().remove()
    geodesics(
        seen[(children - 1) // 2],
        seen[children],
        manifold=ball,
        ax=ax,
        color="#999999",
        linewidth=0.6,
    )
    ax.set_title(name)
    print(f"{name}: mean distance of two leaves {ball.cdist(seen[-64:], seen[-64:]).mean():.9f}")
plt.show()
