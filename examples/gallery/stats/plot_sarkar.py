"""
How long must the edges of a tree be?
=====================================

Sarkar's construction puts a tree into hyperbolic space without training. The longer its edges,
the nearer the distances are to numbers of edges, and the farther out the leaves, up to where
float64 ends. A tree of 121 nodes with three children each, in two dimensions:
"""

import matplotlib.pyplot as plt
import numpy as np
import torch

from spaceforms.manifolds import Lorentz
from spaceforms.models.graphs.sarkar import (
    directions,
    place,
    proven_distortion,
    smallest_angle,
    spanning_tree,
)
from spaceforms.plotting import disk, geodesics
from spaceforms.stats import worst_distortion

nodes = 121
child = np.arange(1, nodes)
tree, _, _ = spanning_tree(nodes, (child - 1) // 3, child)
unit = directions(tree.degree, 2)


def points(edge: float) -> torch.Tensor:
    """The tree with edges of this length on the hyperboloid."""
    s = torch.tensor(place(tree, unit, edge))
    return torch.cat([(1 + s.square().sum(-1, keepdim=True)).sqrt(), s], dim=-1)


steps = torch.full((nodes, nodes), torch.inf, dtype=torch.float64).fill_diagonal_(0)
for k in tree.order.tolist()[1:]:
    steps[k] = steps[:, k] = torch.minimum(steps[k], steps[tree.parent[k]] + 1)

# %%
# The measured distortion beside what is proven. The last edges are longer than float64 holds.
space, edges = Lorentz(), torch.linspace(0.6, 10.2, 17).tolist()
measured = [worst_distortion(steps, points(e), manifold=space).distortion for e in edges]
proven = [proven_distortion(e, smallest_angle(unit)) for e in edges]
for e in (2.0, 4.0, 8.0):
    found = worst_distortion(steps, points(e), manifold=space).distortion
    print(f"edges of length {e}: leaves at radius {tree.height * e:.0f}, distortion {found:.3f}")

fig, axes = plt.subplots(1, 3, figsize=(11, 3.7), width_ratios=[1, 1, 1.2])
for ax, edge in zip(axes[:2], (0.9, 1.8), strict=True):
    x = points(edge)
    disk(x, manifold=space, size=4, ax=ax)
    below = torch.tensor(tree.order[1:])
    geodesics(
        x[torch.tensor(tree.parent)[below]],
        x[below],
        manifold=space,
        ax=ax,
        linewidth=0.7,
        color="#999999",
    )
    ax.set_title(f"edges of length {edge}")
axes[2].plot(edges, measured, ".-", label="measured")
axes[2].plot(edges, proven, ":", color="#333333", label="proven bound")
axes[2].set(xlabel="length of an edge", ylabel="worst distortion", ylim=(1, 3))
axes[2].legend()
plt.show()
