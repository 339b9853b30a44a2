"""
Multinomial logistic regression on each geometry
================================================

A class is a hyperplane, its logit the signed distance from it (Ganea et al. 2018):
:func:`~spaceforms.manifolds.hyperplane` makes one of a direction and an offset,
:func:`~spaceforms.manifolds.logits` measures. The same parameters on three spaces give regions
with geodesic hyperplanes of each.
"""

import matplotlib.pyplot as plt
import torch
from matplotlib.colors import ListedColormap

from spaceforms.manifolds import Euclidean, PoincareBall, Stereographic, hyperplane, logits

turn = torch.arange(5, dtype=torch.float64) * 2 * torch.pi / 5 + 0.3
direction = torch.stack([turn.cos(), turn.sin()], dim=-1)
offset = torch.tensor([0.5, 0.9, 0.4, 0.7, 1.0], dtype=torch.float64)
axis = torch.linspace(-1.6, 1.6, 400, dtype=torch.float64)
xy = torch.stack(torch.meshgrid(axis, axis, indexing="xy"), dim=-1)

# %%
# The hyperplanes are drawn where a logit is 0. On hyperbolic space they may all be disjoint,
# which is how it holds more classes than its dimension.
spaces = {
    "hyperbolic, K = -1": PoincareBall(-1.0),
    "flat": Euclidean(),
    "sphere, K = 1": Stereographic(1.0),
}
colours = ListedColormap(["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00"])
fig, axes = plt.subplots(1, 3, figsize=(11, 3.9))
for ax, (name, space) in zip(axes, spaces.items(), strict=True):
    rim = 0.999 if space.sign < 0 else torch.inf
    inside = xy.norm(dim=-1) < rim
    p, a = hyperplane(space, direction, offset)
    value = logits(space, xy * inside[..., None], p, a)
    region = value.argmax(-1).double().masked_fill(~inside, torch.nan)
    ax.pcolormesh(*xy.unbind(-1), region, cmap=colours, vmin=0, vmax=4, alpha=0.5, rasterized=True)
    for k in range(5):
        level = value[..., k].masked_fill(~inside, torch.nan)
        ax.contour(*xy.unbind(-1), level, levels=[0], colors=[colours(k)], linewidths=1.8)
    if space.sign < 0:
        ax.add_patch(plt.Circle((0, 0), 1, fill=False, edgecolor="#333333", linewidth=1.2))
    half = 1.03 if space.sign < 0 else 1.6
    ax.set(aspect="equal", xlim=(-half, half), ylim=(-half, half), title=name)
    ax.set_axis_off()
    at_origin = logits(space, space.origin(2).double(), p, a)
    print(f"{name}: logits at the origin {at_origin.numpy().round(2)}")
plt.show()
