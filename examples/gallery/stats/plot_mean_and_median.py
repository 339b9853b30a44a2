"""
Which centre is not carried off by outliers?
============================================

The Fréchet mean minimises the sum of squared distances, the geometric median that of distances.
On a space where far points are very far, the difference is large. A cloud of 60 points and 12
that belong elsewhere:
"""

import matplotlib.pyplot as plt
import torch

from spaceforms.manifolds import PoincareBall
from spaceforms.plotting import disk
from spaceforms.stats import geometric_median, lorentz_centroid

ball = PoincareBall()
true = torch.tensor([-0.5, 0.3], dtype=torch.float64)
cloud = ball.from_normal(true + 0.35 * torch.randn(60, 2, dtype=torch.float64))
outliers = ball.from_normal(
    torch.tensor([3.2, -1.2]) + 0.4 * torch.randn(12, 2, dtype=torch.float64)
)
points = torch.cat([cloud, outliers])

# %%
# Distances from the mean of the cloud alone. The Lorentz centroid, which is cheap, weighs the
# farthest points most of all.
goal = ball.mean(cloud)
centres = {
    "Fréchet mean": ball.mean(points),
    "geometric median": geometric_median(ball, points),
    "Lorentz centroid": lorentz_centroid(ball, points),
}
for name, centre in centres.items():
    print(f"{name:17} {ball.dist(goal, centre):.3f} from the mean of the cloud")

# %%
# How far each is pulled as outliers are added.
fig, (left, right) = plt.subplots(1, 2, figsize=(9.4, 4.3), width_ratios=[1, 1.1])
disk(points, manifold=ball, rings=(1, 2, 3), size=10, ax=left)
counts = range(0, 41, 4)
many = ball.from_normal(torch.tensor([3.2, -1.2]) + 0.4 * torch.randn(40, 2, dtype=torch.float64))
for k, (name, find) in enumerate(
    {
        "Fréchet mean": ball.mean,
        "geometric median": lambda x: geometric_median(ball, x),
        "Lorentz centroid": lambda x: lorentz_centroid(ball, x),
    }.items(),
    start=1,
):
    left.plot(
        *centres[name],
        "*",
        color=f"C{k}",
        markersize=13,
        markeredgecolor="white",
        zorder=5,
        label=name,
    )
    right.plot(
        counts,
        [ball.dist(goal, find(torch.cat([cloud, many[:c]]))) for c in counts],
        ".-",
        color=f"C{k}",
        label=name,
    )
right.set(
    xlabel="outliers beside 60 points", ylabel="distance from the mean of the 60", ylim=(0, None)
)
right.legend()
plt.show()
