"""Modules made on ``meta`` and emptied: what FSDP and accelerate do with large models."""

import pytest
import torch

from spaceforms import losses
from spaceforms.manifolds import Lorentz, PoincareBall, Product, Sphere, Stereographic
from spaceforms.models import ImageEncoder, ProbVLM
from spaceforms.models.probvlm.baselines import PCME, ProLIP

MODULES = {
    "Lorentz": lambda: Lorentz(-2.5, learnable=True),
    "PoincareBall, bounds": lambda: PoincareBall(-2.5, learnable=True, bounds=(-3.0, -1.0)),
    "Sphere": lambda: Sphere(2.5, learnable=True),
    "Stereographic": lambda: Stereographic(-0.5, learnable=True),
    "Product": lambda: Product([Lorentz(-2.5, learnable=True), Sphere(0.5, learnable=True)]),
    "PointQueue": lambda: losses.PointQueue(Lorentz(), 3, size=4),
    "ProbVLM": lambda: ProbVLM(4, hidden=8),
    "PCME": lambda: PCME(4, hidden=8),
    "ProLIP": lambda: ProLIP(4, hidden=8),
    "ImageEncoder": ImageEncoder,
}


@pytest.mark.parametrize("name", MODULES)
def test_a_module_made_on_meta_and_emptied_is_reset_to_what_was_given(name):
    fresh = MODULES[name]()
    with torch.device("meta"):
        module = MODULES[name]()
    module.to_empty(device="cpu")
    for t in (*module.parameters(), *module.buffers()):
        t.detach().fill_(7)
    for part in module.modules():
        if callable(getattr(part, "reset_parameters", None)):
            part.reset_parameters()
    for key, value in fresh.named_buffers():
        assert torch.equal(dict(module.named_buffers())[key], value), key
    for key, value in fresh.named_parameters():
        found = dict(module.named_parameters())[key]
        assert not (found == 7).all(), key
        if value.ndim == 0:
            assert torch.equal(found, value), key
