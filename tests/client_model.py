"""A model as others have it: an encoder, a space, a loss; and pairs for it."""

import torch

from spaceforms import losses
from spaceforms.manifolds import Lorentz

SEED = torch.Generator().manual_seed(0)
A = torch.randn(32, 6, generator=SEED)
B = A + 0.1 * torch.randn(32, 6, generator=SEED)


class Model(torch.nn.Module):
    """An encoder, a space and a loss with a learned scale."""

    def __init__(self, curvature=-1.0):
        super().__init__()
        self.encoder = torch.nn.Linear(6, 6)
        self.space = Lorentz(curvature, learnable=True, bounds=(-10.0, -0.1))
        self.criterion = losses.InfoNCE(self.space)

    def forward(self, a, b):
        x, y = (self.space.from_normal(self.encoder(v)) for v in (a, b))
        return self.criterion(x, y)
