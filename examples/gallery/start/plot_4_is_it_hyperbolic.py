"""
Is my data hyperbolic?
======================

Distances alone can tell, before anything is trained. Gromov's delta is 0 for a tree; and the
curvature that fits best is the one at which points of few dimensions miss the least of the
distances. Three metrics whose answer is known:
"""

import matplotlib.pyplot as plt
import torch

from spaceforms.manifolds import Euclidean
from spaceforms.stats import best_curvature, delta_hyperbolicity


def steps(edges: list[tuple[int, int]], count: int) -> torch.Tensor:
    """Numbers of edges between all pairs of nodes."""
    d = torch.full((count, count), torch.inf, dtype=torch.float64).fill_diagonal_(0)
    for a, b in edges:
        d[a, b] = d[b, a] = 1
    for k in range(count):
        d = torch.minimum(d, d[:, k, None] + d[k])
    return d


n = 127
cloud = torch.randn(n, 5, dtype=torch.float64)
data = {
    "binary tree": steps([((k - 1) // 2, k) for k in range(1, n)], n),
    "cycle": steps([(k, (k + 1) % n) for k in range(n)], n),
    "normal cloud": Euclidean().cdist(cloud, cloud),
}

# %%
# Delta is half of the diameter at worst, so the relative one goes from 0 to 1.
for name, distances in data.items():
    delta = delta_hyperbolicity(distances, budget=10**8)
    mean = 2 * delta.mean / delta.diameter
    print(f"{name:12} 2 delta/diameter {delta.relative:.2f} at worst, {mean:.3f} in the mean")

# %%
# The stress at each curvature, in units of the diameter. The tree would have it as negative as is
# tried, the cycle is a great circle, of diameter pi R, and the cloud is flat.
fig, ax = plt.subplots(figsize=(7, 4))
for name, distances in data.items():
    found = best_curvature(distances, dim=5)
    k, stress = torch.tensor(found.profile).T
    (line,) = ax.plot(k * found.diameter**2, stress, label=name)
    best = found.curvature * found.diameter**2
    ax.plot(best, found.stress, "o", color=line.get_color(), clip_on=False)
    print(
        f"{name:12}  K diameter^2 = {best:7.1f}, stress {found.stress:.3f} ({found.flat:.3f} flat)"
    )
ax.set_xscale("symlog", linthresh=1)
ax.axvline(0, color="#999999", linewidth=0.8, linestyle=":")
ax.set(
    xlabel="curvature, in units of 1/diameter²", ylabel="stress in five dimensions", ylim=(0, None)
)
ax.legend()
plt.show()
