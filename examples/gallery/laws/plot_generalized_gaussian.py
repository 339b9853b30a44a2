"""
What does the shape of a generalized Gaussian do?
=================================================

The law :math:`e^{-(|x - m|/a)^b}/Z` is Laplace's for b = 1, normal for b = 2, and nears the
uniform one. ProbVLM predicts m, a and b of each embedding. On a manifold :math:`|x - m|` is the
distance, and Z is that of the space:
:class:`~spaceforms.distributions.RiemannianGeneralizedGaussian`.
"""

import matplotlib.pyplot as plt
import torch

from spaceforms.distributions import GeneralizedGaussian, RiemannianGeneralizedGaussian
from spaceforms.manifolds import PoincareBall
from spaceforms.plotting import disk

x = torch.linspace(-3, 3, 601, dtype=torch.float64)
# %%
# On the hyperbolic plane scales are chosen so that the mean distance from the centre is about 1
# each: heavy tails, the normal law, a disk with an edge. Below b = 1 there is no such law: the
# area grows faster than it falls.
fig, axes = plt.subplots(1, 4, figsize=(11.5, 3.1), width_ratios=[1.5, 1, 1, 1])
for b in (0.5, 1.0, 2.0, 8.0):
    law = GeneralizedGaussian(0.0, 1.0, b)
    axes[0].plot(x, law.log_prob(x).exp(), label=f"b = {b:g}")
    print(f"b = {b:g}: variance {law.variance:.3f}, entropy {law.entropy():.3f} nats")
axes[0].set(xlabel="x", ylabel="density, a = 1", ylim=(0, 1.05))
axes[0].legend()
ball = PoincareBall()
centre = ball.from_normal(torch.tensor([0.7, 0.3], dtype=torch.float64))
for ax, (b, a) in zip(axes[1:], ((1.0, 0.45), (2.0, 0.95), (16.0, 1.4)), strict=True):
    sample = RiemannianGeneralizedGaussian(ball, centre, a, b).sample((800,))
    disk(sample, manifold=ball, size=3, rings=(1, 2, 3), ax=ax)
    ax.plot(*centre, "+", color="#D55E00", markersize=10, markeredgewidth=1.5, zorder=5)
    ax.set_title(f"b = {b:g}, a = {a:g}")
    print(f"b = {b:g}: mean distance {ball.dist(sample, centre).mean():.2f}")
plt.show()
