"""
A graph network on the hyperboloid
==================================

``spaceforms.layers`` has a linear layer by distances to hyperplanes, and ``stats.centroid`` the
centroid of every node's neighbours in closed form: together a graph convolution. Here on a
binary tree, of which a third of the nodes are labelled, by which quarter of the tree they are in:
"""

import matplotlib.pyplot as plt
import torch
from torch import nn

from spaceforms.layers import MLR, Lift, Linear, Tangent
from spaceforms.manifolds import Lorentz
from spaceforms.plotting import disk, geodesics
from spaceforms.stats import centroid

child = torch.arange(1, 127)
parent, itself = (child - 1) // 2, torch.arange(127)
source, target = torch.cat([child, parent, itself]), torch.cat([parent, child, itself])
top = itself.clone()
while (top > 6).any():
    top = torch.where(top > 6, (top - 1) // 2, top)
label, known = (top - 3).clamp(min=0), torch.rand(127) < 1 / 3


class Round(nn.Module):
    """A linear layer, the centroid of the neighbours, an activation."""

    def __init__(self, space: Lorentz, n: int, out: int) -> None:
        super().__init__()
        self.linear, self.activation = Linear(space, n, out), Tangent(space, nn.Tanh())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.linear(x)
        x = centroid(self.linear.manifold, x[source], index=target, size=len(x))
        return self.activation(x)


# %%
space = Lorentz(curvature=-1.0)
features = nn.Parameter(torch.randn(127, 8))
network = nn.Sequential(Lift(space, 8), Round(space, 8, 8), Round(space, 8, 2))
classify = MLR(space, 2, 4)
parameters = [features, *network.parameters(), *classify.parameters()]
optimizer = torch.optim.Adam(parameters, lr=0.03)
for _ in range(100):
    score = classify(network(features))
    loss = nn.functional.cross_entropy(score[known], label[known])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
rest = ~known & (itself > 2)
points = network(features).detach()
accuracy = (classify(points).argmax(-1) == label)[rest].float().mean()
print(f"accuracy on the nodes without a label: {accuracy:.1%}; chance is 25%")

# %%
# The points of the last layer, and the tree's edges between them.
fig, ax = plt.subplots(figsize=(5.5, 4.6), layout="constrained")
geodesics(points[parent], points[child], manifold=space, ax=ax, color="#bbbbbb", linewidth=0.6)
disk(points, manifold=space, color=[f"part {k + 1}" for k in label.tolist()], ax=ax)
ax.set_title("127 nodes, after two rounds")
plt.show()
