"""open_clip and timm themselves, with random weights and with a stand-in for torchvision.

A wheel of torchvision does not load beside a CPU build of torch. These models do not use it: only
their reading of pictures does.
"""

import importlib.abc
import importlib.machinery
import sys
import warnings
from unittest.mock import MagicMock

import pytest
import torch

from spaceforms.models import MERU, ImageFeatures, from_open_clip


class StandIn(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Every module of torchvision is there and does nothing."""

    def find_spec(self, name, path, target=None):
        ours = name.partition(".")[0] == "torchvision"
        return importlib.machinery.ModuleSpec(name, self, is_package=True) if ours else None

    def create_module(self, spec):
        module = MagicMock(name=spec.name)
        module.__path__, module.__spec__, module.__version__ = [], spec, "0.28.0"
        return module

    def exec_module(self, module):
        pass


sys.meta_path.insert(0, StandIn())
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import timm
    from open_clip.model import CLIP, CLIPTextCfg, CLIPVisionCfg, CustomTextCLIP
sys.meta_path.pop(0)
for found in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
    del sys.modules[found]  # other tests of the session look for it

VISION = CLIPVisionCfg(layers=2, width=32, head_width=16, patch_size=8, image_size=32)
TIMM = CLIPVisionCfg(timm_model_name="vit_tiny_patch16_224", timm_pool="avg", image_size=224)
TEXT = CLIPTextCfg(context_length=10, vocab_size=50, width=24, heads=2, layers=2)
TOKENS = torch.randint(1, 50, (2, 10), generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("kind", [CLIP, CustomTextCLIP])
@pytest.mark.parametrize("vision", [VISION, TIMM], ids=["own", "timm"])
def test_the_towers_give_the_features_of_encode_image_and_encode_text(kind, vision):
    torch.manual_seed(0)
    clip = kind(12, vision, TEXT).eval()
    image, text = from_open_clip(clip)
    assert image.width == text.width == 12
    pixels = torch.rand(2, 3, image.size, image.size)
    assert torch.equal(image(pixels), clip.encode_image((pixels - image.mean) / image.std))
    assert torch.equal(text(TOKENS), clip.encode_text(TOKENS))
    model = MERU(image, text, embed_dim=8)
    model.loss(*model(pixels, TOKENS)).total.backward()
    assert all(p.grad is not None for p in model.parameters())


@pytest.mark.parametrize(
    "name", ["resnet18", "vit_tiny_patch16_224", "convnext_atto", "swin_tiny_patch4_window7_224"]
)
def test_encoders_of_timm_are_taken_as_they_are(name):
    torch.manual_seed(0)
    module = timm.create_model(name, num_classes=0).eval()
    encoder, pixels = ImageFeatures(module), torch.rand(1, 3, 224, 224)
    wanted = module((pixels - encoder.mean) / encoder.std)
    assert torch.equal(encoder(pixels), wanted)
    assert encoder.width == wanted.shape[1]
