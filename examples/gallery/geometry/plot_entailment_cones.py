"""
How wide is an entailment cone?
===============================

In an entailment cone lies what a point entails. Its half-aperture follows from its radius by
Clairaut's relation, :math:`\\sin\\psi = \\mathrm{const}/\\mathrm{sn}(r)`, the one law by which
the cone of every point inside lies inside too (Ganea et al. 2018), on each space of constant
curvature.
"""

import matplotlib.pyplot as plt
import torch

from spaceforms.manifolds import Euclidean, Lorentz, PoincareBall, Sphere
from spaceforms.plotting import cone, disk

# %%
# On the right a chain of four points, each in the cone of the one before. The exterior angle says
# so: at each apex the angle between outwards and the next point is below the half-aperture.
fig, (left, right) = plt.subplots(1, 2, figsize=(9.4, 4.3), width_ratios=[1.1, 1])
r = torch.linspace(0.02, 3.1, 300, dtype=torch.float64)
rays = r[:, None] * torch.tensor([1.0, 0.0], dtype=torch.float64)
for space in (Lorentz(-1.0), Euclidean(), Sphere(1.0)):
    psi = space.half_aperture(space.from_normal(rays), 0.2)
    left.plot(r, torch.rad2deg(psi), label=f"K = {space.curvature.item():g}")
left.set(xlabel="radius of the apex", ylabel="half-aperture, degrees", ylim=(0, 92))
left.legend()
ball = PoincareBall()
turn = torch.tensor([0.5, 0.42, 0.455, 0.45], dtype=torch.float64)
chain = ball.from_normal(
    torch.tensor([[0.5], [1.0], [1.6], [2.3]]) * torch.stack([turn.cos(), turn.sin()], -1)
)
disk(chain, manifold=ball, size=22, rings=(1, 2, 3), ax=right)
for apex, colour in zip(chain, ("#0072B2", "#56B4E9", "#009E73", "#E69F00"), strict=True):
    cone(apex, manifold=ball, min_radius=0.2, color=colour, alpha=0.25, ax=right)
angle, psi = ball.cones(chain[:-1], chain[1:], 0.2)
print("exterior angles", torch.rad2deg(angle).flatten().numpy().round(1))
print("half-apertures ", torch.rad2deg(psi).flatten().numpy().round(1))
plt.show()
