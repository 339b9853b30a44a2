"""
A law on the hyperboloid
========================

Two laws are called normal on a manifold. :class:`~spaceforms.distributions.WrappedNormal` sends
a normal vector at the centre out along geodesics;
:class:`~spaceforms.distributions.RiemannianNormal` has the density
:math:`e^{-d^2/2\\sigma^2}/Z` by volume. Both are ``torch.distributions``, with exact densities
and samples that carry gradients.
"""

import matplotlib.pyplot as plt
import torch

from spaceforms.distributions import RiemannianNormal, WrappedNormal
from spaceforms.manifolds import Lorentz, PoincareBall, convert
from spaceforms.plotting import disk

space, ball = Lorentz(), PoincareBall()
centre = space.from_normal(torch.tensor([0.9, 0.4], dtype=torch.float64))
laws = {
    "wrapped normal, scales 0.8 and 0.3": WrappedNormal(
        space, centre, torch.tensor([0.8, 0.3]).double()
    ),
    "Riemannian normal, scale 0.5": RiemannianNormal(space, centre, 0.5),
}

# %%
# Densities are by hyperbolic area, :math:`4\,/(1 - |x|^2)^2` of the disk's. A sum over a grid
# shows that they integrate to 1.
axis = torch.linspace(-0.999, 0.999, 400, dtype=torch.float64)
xy = torch.stack(torch.meshgrid(axis, axis, indexing="xy"), dim=-1)
inside = xy.norm(dim=-1) < 0.999
xy = xy * inside[..., None]
area = 4 / (1 - xy.square().sum(-1)) ** 2 * (axis[1] - axis[0]) ** 2

fig, axes = plt.subplots(1, 2, figsize=(9.4, 4.9))
for ax, (name, law) in zip(axes, laws.items(), strict=True):
    density = law.log_prob(convert(xy, ball, space)).exp().where(inside, 0.0)
    disk(law.sample((300,)), manifold=space, rings=(1, 2, 3), size=3, ax=ax)
    levels = density.max() * torch.tensor([0.01, 0.1, 0.3, 0.6, 0.9])
    ax.contourf(
        *xy.unbind(-1), density, levels=[*levels, density.max()], cmap="Oranges", zorder=0.2
    )
    ax.set_title(name)
    print(f"{name}: integral {(density * area).sum():.4f}")
plt.show()
