"""
Which two components keep the tree?
===================================

To two dimensions by tangent PCA, which is linear algebra at the mean, or by HoroPCA, which
projects along horospheres and so keeps distances along geodesics (Chami et al. 2021). A binary
tree that lies askew in eight dimensions, with noise:
"""

import math

import matplotlib.pyplot as plt
import torch

from spaceforms.manifolds import Lorentz, rotation
from spaceforms.plotting import disk, geodesics
from spaceforms.stats import distortion, horopca, tangent_pca

space, depth = Lorentz(), 4
level = torch.cat([torch.full((2**d,), float(d)) for d in range(depth + 1)]).double()
turn = (
    torch.cat([(torch.arange(2**d) + 0.5) / 2**d for d in range(depth + 1)]).double() * 2 * math.pi
)
plane = level[:, None] * torch.stack([turn.cos(), turn.sin()], dim=-1)
noise = 0.25 * torch.randn(len(level), 6, dtype=torch.float64)
askew = torch.linalg.qr(torch.randn(8, 8, dtype=torch.float64)).Q
points = rotation(space, askew)(space.from_normal(torch.cat([plane, noise], dim=-1)))

# %%
# ``transform`` of the one gives scores in the tangent space, that of the other points of the
# plane.
tangent = tangent_pca(space, points, 2)
flat = space.from_normal(tangent.transform(points))
horo = horopca(space, points, 2)
pictures = {
    "tangent PCA": (flat, distortion(points, flat, manifold=space)),
    "HoroPCA": (horo.transform(points), horo.distortion),
}

# %%
fig, axes = plt.subplots(1, 2, figsize=(9.4, 4.8))
children = torch.arange(1, len(points))
for ax, (name, (drawn, lost)) in zip(axes, pictures.items(), strict=True):
    disk(
        drawn,
        manifold=space,
        labels=[f"level {d:.0f}" for d in level],
        size=10,
        rings=(1, 3, 5),
        ax=ax,
    )
    ax.get_legend().remove()
    geodesics(
        drawn[(children - 1) // 2],
        drawn[children],
        manifold=space,
        ax=ax,
        color="#999999",
        linewidth=0.6,
    )
    ax.set_title(f"{name}: {lost.relative:.1%} mean relative error")
    print(name, lost)
plt.show()
