"""
A hyperbolic classifier with plain AdamW
========================================

Parameters that are normal coordinates need no Riemannian optimiser: a layer's output goes
through ``from_normal``, hyperplanes come from a direction and an offset, and AdamW sees numbers
without constraints. Two spirals, with a small network in front and its curvature learned too:
"""

import matplotlib.pyplot as plt
import torch
from torch import nn

from spaceforms.manifolds import PoincareBall, hyperplane, logits


class Classifier(nn.Module):
    """Two layers, the exponential map, and one hyperplane a class."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 2))
        self.ball = PoincareBall(curvature=-1.0, learnable=True)
        self.direction = nn.Parameter(torch.randn(classes, 2))
        self.offset = nn.Parameter(torch.zeros(classes))

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        point = self.ball.from_normal(self.features(x))
        return point, logits(self.ball, point, *hyperplane(self.ball, self.direction, self.offset))


t = torch.rand(600).sqrt() * 2.2 * torch.pi
label = torch.arange(600) % 2
arm = t + torch.pi * label
data = torch.stack([t * arm.cos(), t * arm.sin()], dim=-1) / 4 + 0.05 * torch.randn(600, 2)

# %%
model = Classifier(2)
optimizer = torch.optim.AdamW(model.parameters(), lr=0.03)
for _ in range(300):
    loss = nn.functional.cross_entropy(model(data)[1], label)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
points, score = model(data)
accuracy = (score.argmax(-1) == label).float().mean()
print(f"accuracy {accuracy:.1%}, learned K = {model.ball.curvature:.2f}")

# %%
# The data with the learned boundary, and where the network puts them on the ball.
with torch.no_grad():
    axis = torch.linspace(-2.1, 2.1, 300)
    xy = torch.stack(torch.meshgrid(axis, axis, indexing="xy"), dim=-1)
    gap = model(xy)[1].diff(dim=-1).squeeze(-1)
    fig, (left, right) = plt.subplots(1, 2, figsize=(9, 4.4))
    left.contourf(*xy.unbind(-1), gap.clamp(-6, 6), levels=12, cmap="RdBu_r", alpha=0.45)
    left.contour(*xy.unbind(-1), gap, levels=[0], colors="#333333", linewidths=1)
    for k in range(2):
        left.plot(*data[label == k].T, ".", color=f"C{k}", markersize=4)
        unit = points[label == k] / model.ball.radius  # drawn as a ball of radius 1
        right.plot(*unit.T, ".", color=f"C{k}", markersize=4, label=f"class {k}")
right.add_patch(plt.Circle((0, 0), 1, fill=False, edgecolor="#333333", linewidth=1.2))
right.set(aspect="equal", xlim=(-1.03, 1.03), ylim=(-1.03, 1.03), title="on the ball")
right.set_axis_off()
left.set(aspect="equal", title="the data, and the difference of the logits")
left.set_axis_off()
plt.show()
