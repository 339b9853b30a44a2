"""
Nearest neighbours among many points
====================================

:func:`~spaceforms.search.build_index` lets FAISS find candidates and ranks them by the
manifold's own distance. An index of cells looks at a part of the points only: the more cells
are probed, the more of the true neighbours are found.
"""

import faiss
import matplotlib.pyplot as plt
import torch

from spaceforms.manifolds import Lorentz
from spaceforms.search import brute_force, build_index

space = Lorentz()
centres = 0.4 * torch.randn(100, 16)
points = space.from_normal(centres[torch.randint(100, (10_000,))] + 0.25 * torch.randn(10_000, 16))
queries = points[:300]

# %%
# All distances, for the truth; an exact index; and one of 64 cells.
true = brute_force(space, points, queries, 10, matmul=True).indices
exact = build_index(space, points).search(queries, 10).indices
cells = build_index(space, points, factory="IVF64,Flat")


def recall(found: torch.Tensor) -> float:
    """The share of the ten nearest that was found."""
    return (found[:, :, None] == true[:, None]).any(1).float().mean().item()


probes = [1, 2, 4, 8, 16, 32, 64]
found = []
for probe in probes:
    faiss.extract_index_ivf(cells.faiss_index).nprobe = probe
    found.append(recall(cells.search(queries, 10).indices))
print(f"exact index {recall(exact):.3f}; 1 of 64 cells {found[0]:.3f}, 8 cells {found[3]:.3f}")

# %%
# Neighbours in the space are not those of the features' Euclidean distance, least of all far out.
v = space.to_normal(points)
flat = torch.cdist(v[:300], v).topk(10, largest=False).indices
fig, ax = plt.subplots(figsize=(6, 3.8))
ax.plot([p / 64 for p in probes], found, "o-", label="64 cells")
ax.axhline(recall(exact), color="#333333", linewidth=1, label="flat index, all points")
ax.axhline(recall(flat), color="C1", linestyle="--", label="Euclidean distance of the features")
ax.set_xscale("log", base=2)
ax.set(
    xlabel="share of the cells that is looked at",
    ylabel="share of the ten nearest found",
    ylim=(0, 1.05),
)
ax.legend(loc="lower right")
plt.show()
