"""
Which sign should my curvature have?
====================================

On :class:`~spaceforms.manifolds.Stereographic` one chart holds the spheres, flat space and the
hyperbolic spaces, and every map is smooth in K through 0. So K may be learned across 0, and its
gradient there is finite.
"""

import matplotlib.pyplot as plt
import torch

from spaceforms.manifolds import Stereographic

curvatures = torch.linspace(-2, 2, 41).tolist()
u, v = torch.tensor([[0.9, 0.0], [0.2, 1.1]], dtype=torch.float64)


def measured(k: float) -> tuple[float, float]:
    """The distance of the ends of two arms at the origin, and its derivative by K."""
    space = Stereographic(curvature=k, learnable=True)
    d = space.dist(space.from_normal(u), space.from_normal(v))
    (slope,) = torch.autograd.grad(d, space.parameters())
    return d.item(), slope.item()


distance, slope = zip(*map(measured, curvatures), strict=True)
for k in (-1e-9, 0.0, 1e-9):
    print(f"K = {k:6.0e}: distance {measured(k)[0]:.12f}, derivative {measured(k)[1]:.12f}")

# %%
# The same two arms are joined by a longer third side the more negative K is, as triangles get
# thin.
fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3.8), width_ratios=[1, 1.1])
left.plot(curvatures, distance, label="distance of the ends")
left.plot(curvatures, slope, label="its derivative by K")
left.axvline(0, color="#999999", linewidth=0.8, linestyle=":")
left.set(xlabel="curvature K")
left.legend()
t = torch.linspace(0, 1, 101, dtype=torch.float64)
colours = plt.get_cmap("coolwarm")
for k in (-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0):
    space = Stereographic(curvature=k)
    side = space.to_normal(space.geodesic(space.from_normal(u), space.from_normal(v), t))
    right.plot(*side.T, color=colours((k + 2) / 4) if k else "#333333", label=f"K = {k:g}")
right.plot([u[0], 0, v[0]], [u[1], 0, v[1]], "o-", color="#999999", markersize=4, linewidth=1)
right.set(aspect="equal", xlim=(-0.05, 1.5), title="the third side, in normal coordinates")
right.legend(fontsize=7, loc="upper right")
plt.show()
