"""
How near is a point to infinity?
================================

A Busemann function is the distance from an ideal point, an end of the space, less that of the
origin. Its level sets are horocycles: circles that touch the rim, all at equal distances from
each other. It plays the part of a coordinate :math:`-\\xi\\cdot x` where there are no straight
lines.
"""

import matplotlib.pyplot as plt
import torch

from spaceforms.manifolds import PoincareBall, busemann, horosphere_project, towards
from spaceforms.plotting import disk, geodesics

ball = PoincareBall()
ideal = torch.tensor([0.8, 0.6], dtype=torch.float64)
axis = torch.linspace(-0.998, 0.998, 500, dtype=torch.float64)
xy = torch.stack(torch.meshgrid(axis, axis, indexing="xy"), dim=-1)
inside = xy.norm(dim=-1) < 0.998
height = busemann(ball, xy * inside[..., None], ideal).masked_fill(~inside, torch.nan)

# %%
# Geodesics to the ideal point cross every horocycle at a right angle, and between two of them all
# have one length. So the nearest point of a horocycle lies on such a geodesic.
x = ball.from_normal(torch.tensor([[-1.6, 0.7], [0.4, -1.9], [-0.9, -1.1]], dtype=torch.float64))
foot = horosphere_project(ball, x, ideal, 0.0)
print("Busemann values:", busemann(ball, x, ideal))
print("distance to the horocycle through the origin:", ball.dist(x, foot))

fig, ax = plt.subplots(figsize=(6, 5.2))
disk(x, manifold=ball, size=30, ax=ax)
shade = ax.contourf(
    *xy.unbind(-1), height, levels=range(-5, 6), cmap="RdBu", alpha=0.6, zorder=0.1, extend="both"
)
ax.contour(
    *xy.unbind(-1), height, levels=range(-5, 6), colors="#666666", linewidths=0.6, linestyles="-"
)
geodesics(x, towards(ball, x, ideal, 12.0), manifold=ball, ax=ax, color="#333333", linewidth=0.9)
ax.plot(*foot.T, "o", color="#D55E00", markersize=5, zorder=4)
fig.colorbar(shade, ax=ax, label="Busemann function", shrink=0.8)
plt.show()
