"""
Directions: von Mises-Fisher or power spherical?
================================================

Embeddings of unit length have laws on the sphere. The
:class:`~spaceforms.distributions.VonMisesFisher` law is the classical one;
:class:`~spaceforms.distributions.PowerSpherical` (De Cao & Aziz 2020) has a closed normaliser.
At equal mean cosine they differ in their tails. Both have samples with gradients here.
"""

import matplotlib.pyplot as plt
import torch

from spaceforms.distributions import PowerSpherical, VonMisesFisher
from spaceforms.manifolds import Sphere
from spaceforms.plotting import sphere

space = Sphere()
mode = space.from_normal(torch.tensor([0.5, -0.4], dtype=torch.float64))
# %%
# On the right the densities by the angle from the mode. Power spherical has the lighter tail near
# by, and none at the antipode, where its density is 0.
fig = plt.figure(figsize=(10.5, 3.8))
for k, kappa in enumerate((2.0, 20.0, 200.0), start=1):
    law = VonMisesFisher(space, mode, kappa)
    ax = fig.add_subplot(1, 4, k, projection="3d", title=f"von Mises-Fisher, κ = {kappa:g}")
    sphere(law.sample((600,)), manifold=space, size=3, ax=ax)
    ax.set_axis_off()
    ax.view_init(elev=35, azim=-40)
    ax.set_box_aspect((1, 1, 1), zoom=1.6)
a = VonMisesFisher(space, mode, 20.0).mean_cosine
laws = {
    "von Mises-Fisher": VonMisesFisher(space, space.origin(2).double(), 20.0),
    "power spherical": PowerSpherical(space, space.origin(2).double(), 2 * a / (1 - a)),
}
angle = torch.linspace(0, 3.1, 200, dtype=torch.float64)
x = space.from_normal(angle[:, None] * torch.tensor([1.0, 0.0]))
ax = fig.add_subplot(1, 4, 4)
for name, law in laws.items():
    ax.semilogy(torch.rad2deg(angle), law.log_prob(x).exp(), label=name)
    cosine = space.dist(space.origin(2).double(), law.sample((20_000,))).cos().mean()
    print(f"{name}: concentration {law.concentration:.1f}, mean cosine of samples {cosine:.4f}")
ax.set(
    xlabel="angle from the mode, degrees", title="density at mean cosine 0.95", ylim=(1e-16, 100)
)
ax.legend(fontsize=7, loc="lower left")
plt.show()
