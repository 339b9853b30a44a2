"""
One geodesic in four models
===========================

The hyperbolic plane has many coordinates. :func:`~spaceforms.manifolds.convert` takes points
from one model to another: the same three geodesics are arcs on the Poincaré disk, straight in
Klein's, half circles above the half-plane's edge, and plane sections of the hyperboloid.
"""

import matplotlib.pyplot as plt
import torch

from spaceforms.manifolds import HalfSpace, Klein, Lorentz, PoincareBall, convert
from spaceforms.plotting import geodesics, hyperboloid

lorentz = Lorentz()
ends = torch.tensor(
    [[[-1.6, 0.3], [1.3, 1.2]], [[-0.6, -1.9], [1.5, -0.4]], [[-1.2, 1.3], [0.3, -1.6]]]
)
x, y = lorentz.from_normal(ends.double()).unbind(1)
path = lorentz.geodesic(x[:, None], y[:, None], torch.linspace(0, 1, 101, dtype=torch.float64))

# %%
# A distance does not depend on the model.
models = {"Poincaré disk": PoincareBall(), "Klein disk": Klein(), "upper half-plane": HalfSpace()}
for name, model in models.items():
    d = model.dist(convert(x, lorentz, model), convert(y, lorentz, model))
    print(f"{name:17}", [f"{value:.12f}" for value in d.tolist()])

# %%
fig = plt.figure(figsize=(11, 3))
grid = fig.add_gridspec(1, 4, width_ratios=[1, 1, 1.25, 1.2])
for k, (name, model) in enumerate(models.items(), start=1):
    ax = fig.add_subplot(grid[k - 1], aspect="equal", title=name)
    for curve, end in zip(
        convert(path, lorentz, model), convert(torch.stack([x, y], 1), lorentz, model), strict=True
    ):
        (line,) = ax.plot(*curve.T)
        ax.plot(*end.T, "o", color=line.get_color(), markersize=4)
    ax.set_axis_off()
    if name == "upper half-plane":
        ax.axhline(0, color="#333333", linewidth=1.2)
    else:
        ax.add_patch(plt.Circle((0, 0), 1, fill=False, edgecolor="#333333", linewidth=1.2))
        ax.set(xlim=(-1.03, 1.03), ylim=(-1.03, 1.03))
solid = fig.add_subplot(grid[3], projection="3d", title="hyperboloid")
hyperboloid(manifold=lorentz, reach=2.0, ax=solid)
for k in range(3):
    geodesics(x[k], y[k], manifold=lorentz, ax=solid, color=f"C{k}", linewidth=1.6)
solid.view_init(elev=40, azim=-80)
solid.set_box_aspect((1, 1, 0.38), zoom=1.5)
solid.set_axis_off()
plt.show()
