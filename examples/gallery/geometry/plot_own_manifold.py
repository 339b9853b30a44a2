"""
A manifold of my own
====================

A model of hyperbolic space needs two methods: where its points lie, and the way back.
:class:`~spaceforms.manifolds.ChartManifold` derives all other maps, and the losses, laws,
statistics and pictures follow. Here the band model, the strip :math:`|x_2| < \\pi/2`, whose
middle line is a geodesic that is as long on paper as in the space.
"""

import matplotlib.pyplot as plt
import torch

from spaceforms.manifolds import ChartManifold, PoincareBall, convert
from spaceforms.validation import check_manifold


class Band(ChartManifold):
    """The strip between -pi/2 and pi/2 with the metric (dx_1² + dx_2²)/cos² x_2."""

    signs = (-1,)

    def _holds(self, x):
        return x[..., 1:].abs() < torch.pi / 2

    def _embed(self, x):
        along, across = x[..., :1], x[..., 1:]
        return across.cos() / along.cosh(), torch.cat(
            [along.tanh(), across.sin() / along.cosh()], -1
        )

    def _drop(self, c, d, dtype):
        along, across = d[..., :1], d[..., 1:]
        return torch.cat([torch.asinh(along / torch.hypot(c, across)), torch.atan2(across, c)], -1)


# %%
# Distances are those of the ball, by another road. And the conformance suite tries every property
# of a Riemannian manifold on it; here is one of its 45.
band, ball = Band(), PoincareBall()
x, y = ball.random_normal(2, 1000, 2, dtype=torch.float64)
other = band.dist(convert(x, ball, band), convert(y, ball, band))
print(f"distances of 1,000 pairs differ by {(other - ball.dist(x, y)).abs().max():.0e} at most")
some = ["exp_inverts_log"]
print(check_manifold(band, n=2, examples=4, max_radius=2.0, properties=some))

# %%
# What equally long steps from one point look like: circles of radius 1, and geodesics.
fig, ax = plt.subplots(figsize=(9, 3.6))
turn = torch.linspace(0, 2 * torch.pi, 181, dtype=torch.float64)
circle = torch.stack([turn.cos(), turn.sin()], dim=-1)
for k, centre in enumerate(
    torch.tensor([[-3.0, 0], [-1.5, 0.7], [0, -0.9], [1.5, 0], [3.0, 1.1]]).double()
):
    u = band.transport0(centre, band.logmap0(band.from_normal(circle)))
    ax.plot(*band.expmap(centre, u).T, color=f"C{k}")
    ax.plot(*centre, ".", color=f"C{k}")
    rays = band.geodesic(
        centre, band.expmap(centre, 3 * u[::15])[:, None], torch.linspace(0, 1, 60).double()
    )
    ax.plot(*rays.permute(2, 1, 0), color=f"C{k}", alpha=0.25, linewidth=0.8)
ax.axhline(torch.pi / 2, color="#333333")
ax.axhline(-torch.pi / 2, color="#333333")
ax.set(aspect="equal", xlim=(-5, 5), ylim=(-1.62, 1.62))
ax.set_axis_off()
plt.show()
