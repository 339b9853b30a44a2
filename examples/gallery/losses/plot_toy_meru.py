"""
A toy MERU: contrast, and cones for a hierarchy
===============================================

MERU (Desai et al. 2023) pulls a picture to its caption by InfoNCE and pushes it into the
caption's cone by an entailment loss. Here six captions have forty pictures each, all free
points of the hyperbolic plane, with the contrastive loss alone and with both.
"""

import matplotlib.pyplot as plt
import torch

from spaceforms.losses import EntailmentLoss, InfoNCE
from spaceforms.manifolds import Lorentz, PoincareBall, convert
from spaceforms.plotting import cone, disk

space, ball = Lorentz(curvature=-1.0), PoincareBall(curvature=-1.0)
captions, each = 6, 40
owner = torch.arange(captions).repeat_interleave(each)


def train(weight: float) -> tuple[torch.Tensor, torch.Tensor, float]:
    """Captions and pictures as points, and the share of pictures in their caption's cone."""
    torch.manual_seed(0)
    text, image = (0.5 * torch.randn(n, 2) for n in (captions, captions * each))
    normal = [t.requires_grad_() for t in (text, image)]
    contrast = InfoNCE(space, scale=2.0, learnable=False)
    entail = EntailmentLoss(space, min_radius=0.2)
    optimizer = torch.optim.Adam(normal, lr=0.03)
    for _ in range(150):
        x, y = map(space.from_normal, normal)
        loss = contrast(y, x, targets=owner) + weight * entail(x[owner], y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    inside = space.exterior_angle(x[owner], y) <= space.half_aperture(x[owner], 0.2)
    return x.detach(), y.detach(), inside.float().mean().item()


# %%
# The cones of the captions are drawn over the pictures. Contrast alone knows no order.
fig, axes = plt.subplots(1, 2, figsize=(9.4, 4.8))
for ax, (name, weight) in zip(
    axes, {"contrast alone": 0.0, "contrast and entailment": 2.0}.items(), strict=True
):
    x, y, share = train(weight)
    disk(manifold=space, rings=(1, 2, 3), ax=ax)
    ax.scatter(*convert(y, space, ball).T, c=[f"C{k}" for k in owner], s=8, zorder=3)
    colours = [f"C{k}" for k in range(captions)]
    ax.scatter(*convert(x, space, ball).T, c=colours, s=70, edgecolor="white", zorder=4)
    for apex, colour in zip(x, colours, strict=True):
        cone(apex, manifold=space, min_radius=0.2, color=colour, ax=ax)
    ax.set_title(f"{name}: {share:.0%} of the pictures in their cone")
    radius = [space.dist(space.origin(2), p).mean().item() for p in (x, y)]
    print(f"{name}: mean radius of captions {radius[0]:.2f}, of pictures {radius[1]:.2f}")
plt.show()
