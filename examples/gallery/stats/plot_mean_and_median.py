"""
Which centre is not carried off by outliers?
============================================

The Fréchet mean minimises the sum of squared distances, the geometric median that of distances. On
a space where far points are very far, the difference is large. Sixty points, and others that belong
elsewhere:
"""

import matplotlib.pyplot as plt
import torch

from spaceforms.manifolds import PoincareBall
from spaceforms.plotting import disk
from spaceforms.stats import geometric_median, lorentz_centroid

ball = PoincareBall()
normal = torch.randn(100, 2, dtype=torch.float64)
cloud = ball.from_normal(torch.tensor([-0.5, 0.3]) + 0.35 * normal[:60])
outliers = ball.from_normal(torch.tensor([3.2, -1.2]) + 0.4 * normal[60:])
centres = {
    "Fréchet mean": ball.mean,
    "geometric median": lambda x: geometric_median(ball, x),
    "Lorentz centroid": lambda x: lorentz_centroid(ball, x),
}

# %%
# Distances from the mean of the cloud alone, as outliers are added. The Lorentz centroid, which is
# cheap, weighs the farthest points most of all.
goal = ball.mean(cloud)
fig, (left, right) = plt.subplots(1, 2, figsize=(9.4, 4.3), width_ratios=[1, 1.1])
disk(torch.cat([cloud, outliers[:12]]), manifold=ball, rings=(1, 2, 3), size=10, ax=left)
counts = range(0, 41, 4)
for k, (name, centre) in enumerate(centres.items(), start=1):
    found = torch.stack([centre(torch.cat([cloud, outliers[:count]])) for count in counts])
    away = ball.dist(goal, found)
    style = {"color": f"C{k}", "markersize": 14, "markeredgecolor": "white"}
    left.plot(*found[3], "*", zorder=5, **style)
    right.plot(counts, away, ".-", color=f"C{k}", label=name)
    print(f"{name:17} with 12 outliers {away[3]:.3f} from the mean of the others")
left.set_title("sixty points and twelve outliers")
right.set(xlabel="outliers beside sixty points", ylabel="distance from their mean", ylim=(0, None))
right.legend()
plt.show()
