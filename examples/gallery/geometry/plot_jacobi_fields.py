"""
How fast do neighbouring geodesics part?
========================================

A Jacobi field is the vector from a geodesic to an infinitely near one. Of two that start at one
point it grows like sin, like t, or like sinh, by the sign of the curvature: that is why the
sphere has antipodes, and why a tree fits into hyperbolic space.
"""

import matplotlib.pyplot as plt
import torch

from spaceforms.manifolds import Stereographic, jacobi_field

times = torch.linspace(0, 4, 101, dtype=torch.float64)
curvatures = (-1.0, -0.25, 0.0, 0.25, 1.0)
colours = plt.get_cmap("coolwarm")

# %%
# Left: geodesics that leave one point at an angle, per radian. Right: geodesics that start
# parallel, one unit apart.
fig, axes = plt.subplots(1, 2, figsize=(9.4, 3.8))
for k in curvatures:
    space = Stereographic(curvature=k)
    x = space.origin(2, dtype=torch.float64)
    unit = 1 / space.norm(x, torch.eye(2, dtype=torch.float64)[0])
    v, w = torch.eye(2, dtype=torch.float64) * unit
    zero = torch.zeros_like(w)
    colour = colours((k + 1) / 2) if k else "#333333"
    for ax, value, slope in ((axes[0], zero, w), (axes[1], w, zero)):
        keep = times < 3.1 if k == 1 else times < 4.01  # beyond the antipode is beyond the chart
        t = times[keep]
        field = jacobi_field(space, x, v, value, slope, t[:, None].squeeze(-1))
        length = space.norm(space.expmap(x, t[:, None] * v), field)
        ax.plot(t, length, color=colour, label=f"K = {k:g}")
axes[0].set(xlabel="time", ylabel="length of the field", title="from one point", ylim=(0, 8))
axes[1].set(xlabel="time", title="parallel at the start", ylim=(0, 8))
axes[0].legend()
plt.show()
