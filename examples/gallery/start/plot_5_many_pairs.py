"""
InfoNCE of many pairs without a table
=====================================

A contrastive batch of B pairs has B² distances, and their gradient needs them all, several
times over. :func:`~spaceforms.losses.functional.info_nce` computes them tile by tile, and once
more in the backward pass, in memory of B points. Value and gradient are those of the table.
"""

import matplotlib.pyplot as plt
import torch
from torch.autograd.graph import saved_tensors_hooks

from spaceforms.losses.functional import info_nce
from spaceforms.manifolds import Lorentz

space = Lorentz(curvature=-1.0)


def held(batch: int, tile: int | None) -> tuple[float, torch.Tensor]:
    """Megabytes that are kept for the backward pass, and the gradient."""
    features = torch.randn(2, batch, 32, generator=torch.Generator().manual_seed(0))
    features.requires_grad_()
    kept: dict[int, int] = {}

    def keep(t: torch.Tensor) -> torch.Tensor:
        kept[t.untyped_storage().data_ptr()] = t.untyped_storage().nbytes()
        return t

    with saved_tensors_hooks(keep, lambda t: t):
        x, y = space.from_normal(features)
        loss = info_nce(x, y, manifold=space, scale=10.0, tile=tile)
    loss.backward()
    return sum(kept.values()) / 2**20, features.grad


# %%
# The same gradient:
_, dense = held(1024, tile=None)
_, tiled = held(1024, tile=256)
print(f"largest difference {(dense - tiled).abs().max():.1e}, of {dense.abs().max():.1e}")

# %%
# A table for 32,768 pairs has a thousand million entries, and its gradient needs some of these.
# Tiles have what they need from the points. The time is that of two products of matrices more.
sizes = {None: [256, 512, 1024, 2048], 512: [256, 512, 1024, 2048, 4096]}
memory = {tile: [held(b, tile)[0] for b in batches] for tile, batches in sizes.items()}

fig, ax = plt.subplots(figsize=(6.4, 4))
ax.loglog(sizes[None], memory[None], "o-", label="a table of all pairs")
ax.loglog(
    [2048, 32768],
    [memory[None][-1], memory[None][-1] * 256],
    ":",
    color="C0",
    label="the same, by its square",
)
ax.loglog(sizes[512], memory[512], "o-", label="tiles of 512")
ax.loglog([4096, 32768], [memory[512][-1], memory[512][-1] * 8], ":", color="C1")
ax.set(xlabel="pairs in the batch", ylabel="kept for the gradient, MB")
ax.set_xticks([256, 1024, 4096, 32768], ["256", "1,024", "4,096", "32,768"])
ax.minorticks_off()
ax.legend()
plt.show()
