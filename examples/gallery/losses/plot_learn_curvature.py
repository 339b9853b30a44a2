"""
Learn the curvature of my data
==============================

With ``learnable=True`` the curvature is a parameter like any other, and distances carry exact
gradients to it. Points are drawn on a hyperbolic plane and on a sphere; from their distances
alone, K and the points are found by Adam, from a start that is flat.
"""

import matplotlib.pyplot as plt
import torch

from spaceforms.manifolds import Lorentz, Manifold, Sphere, Stereographic


def learned(true: Manifold) -> list[float]:
    """The curvature after each step, from distances of 24 points."""
    generator = torch.Generator().manual_seed(0)
    points = true.random_normal(24, 2, std=0.7, generator=generator, dtype=torch.float64)
    wanted = true.cdist(points, points)
    space = Stereographic(curvature=0.0, learnable=True)
    v = true.to_normal(points) + 0.1 * torch.randn(24, 2, generator=generator, dtype=torch.float64)
    v.requires_grad_()
    optimizer = torch.optim.Adam([v, *space.parameters()], lr=0.05)
    path = []
    for _ in range(80):
        x = space.from_normal(v)
        loss = (space.cdist(x, x) - wanted).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        path.append(space.curvature.item())
    return path


# %%
fig, ax = plt.subplots(figsize=(6.6, 4))
spaces = [Lorentz(-1.0), Lorentz(-0.4), Sphere(0.8)]
for k, true in enumerate(spaces):
    path = learned(true)
    ax.plot(path, color=f"C{k}", label=f"distances of {true}")
    ax.axhline(true.curvature.item(), color=f"C{k}", linewidth=0.7, linestyle=":")
    print(f"{true}: found K = {path[-1]:.4f}")
ax.set(xlabel="step", ylabel="curvature", ylim=(-1.4, 1.5))
ax.legend(fontsize=7)
plt.show()
