"""
How much room is there within a radius?
=======================================

The volume of a ball tells how many points a space can keep apart. It grows with the radius like
:math:`r^n` when flat, exponentially when the curvature is negative, and ends on a sphere. Far
out it is beyond any float, so there is its logarithm too.
"""

import matplotlib.pyplot as plt
import torch

from spaceforms.manifolds import Euclidean, Lorentz, Sphere, ball_volume, log_ball_volume

r = torch.linspace(0.02, 6, 200, dtype=torch.float64)
spaces = [Lorentz(-2.0), Lorentz(-1.0), Lorentz(-0.25), Euclidean(), Sphere(0.25), Sphere(1.0)]
colours = dict(zip(spaces, plt.get_cmap("coolwarm")([0.0, 0.1, 0.3, 0.5, 0.75, 1.0]), strict=True))
colours[spaces[3]] = "#333333"

# %%
# A binary tree with edges of length 1 has :math:`2^{r+1}` nodes within r steps of its root. In
# the hyperbolic plane the room grows faster than that; in no flat space it does.
fig, axes = plt.subplots(1, 2, figsize=(9.4, 3.8), sharex=True)
for ax, n in zip(axes, (2, 64), strict=True):
    for space in spaces:
        log10 = log_ball_volume(space, r, n) / torch.log(torch.tensor(10.0))
        ax.plot(r, log10, color=colours[space], label=f"K = {space.curvature.item():g}")
    ax.set(xlabel="radius", title=f"{n} dimensions")
axes[0].set(ylabel="volume, power of ten", ylim=(-2, 5))
axes[1].set_ylim(-60, 200)
axes[0].legend()
axes[0].plot(r, (r + 1) * 0.30103, color="#009E73", linestyle="--", label="nodes of a binary tree")
axes[0].legend(fontsize=7)
for space in (spaces[1], spaces[3]):
    print(f"{space}: area within radius 10: {ball_volume(space, 10.0, 2):,.0f}")
plt.show()
