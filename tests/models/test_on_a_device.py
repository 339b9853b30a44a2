"""No step of training looks at a value on a device: see tests/losses/test_on_a_device.py."""

from contextlib import nullcontext

import pytest
import torch

from spaceforms.models import (
    CLIP,
    MERU,
    TCL,
    EuCLIP,
    General,
    HyCoCLIP,
    ImageEncoder,
    ImageEncoderConfig,
    PHyCLIP,
    ProbVLM,
    SphereCones,
    TextEncoder,
    TextEncoderConfig,
    image_text,
)
from spaceforms.models.batch import Inputs, Level
from spaceforms.models.encoders.presets import IMAGE_SIZES, TEXT_SIZES
from spaceforms.models.training.step import gradients, prepare

IMAGE = ImageEncoderConfig(size=16, widths=(8, 16), blocks=(0, 0), group=8)
TEXT = TextEncoderConfig(vocabulary=40, context=8, width=12, layers=1)
ROWS = 4


@pytest.fixture(autouse=True)
def _no_autocast(monkeypatch):
    """Which "meta" has not; it is switched off here anyway."""
    monkeypatch.setattr(torch, "autocast", lambda *args, **options: nullcontext())


def _inputs(*, levels=False):
    tokens = torch.ones(ROWS, 6, dtype=torch.long, device="meta")
    family = torch.zeros(ROWS, dtype=torch.long, device="meta")
    general = (Level(tokens[:2], family, family),) if levels else ()
    return Inputs(torch.empty(ROWS, 3, 16, 16, device="meta"), tokens, family, general)


def _learns(model, inputs, **how):
    """A step whose loss and gradients are on "meta", where a look at a value is an error."""
    assert gradients(model, inputs, **how).total.is_meta
    assert all(p.grad is not None and p.grad.is_meta for p in model.image_encoder.parameters())


@pytest.mark.parametrize("kind", [CLIP, MERU, EuCLIP, SphereCones, HyCoCLIP, PHyCLIP])
def test_a_step_looks_at_no_value_on_a_device(kind):
    model = kind(ImageEncoder(IMAGE), TextEncoder(TEXT), embed_dim=6).to("meta")
    _learns(model, _inputs(levels=kind in (HyCoCLIP, PHyCLIP)))


def test_a_step_of_the_demo_looks_at_no_value_on_a_device():
    """Its recipe has every term that texts above captions have."""
    options = {"links": "all", "chain_weight": 0.2, "exclude_weight": 1.0, "compositional": True}
    model = MERU(ImageEncoder(IMAGE), TextEncoder(TEXT), embed_dim=6, min_radius=0.4, **options)
    _learns(model.to("meta"), _inputs(levels=True))


@pytest.mark.parametrize(("kind", "size"), [(CLIP, "small"), (MERU, "base")])
def test_a_step_of_vision_transformers_in_parts_looks_at_no_value_on_a_device(kind, size):
    """With activations computed again."""
    image, text = IMAGE_SIZES[size], TEXT_SIZES[size]
    model = kind(ImageEncoder(image), TextEncoder(text), embed_dim=512).to("meta")
    prepare(model, recompute=True, compiled=False)
    rows = 512
    tokens = torch.ones(rows, text.context, dtype=torch.long, device="meta")
    family = torch.zeros(rows, dtype=torch.long, device="meta")
    pictures = torch.empty(rows, 3, image.size, image.size, device="meta")
    _learns(model, Inputs(pictures, tokens, family, ()), micro_batch=256)


def test_a_step_of_tcl_looks_at_no_value_on_a_device():
    """Without the fusion encoder, whose masked words are picked out: all logits of all words of a
    vocabulary would be hundreds of times the memory."""
    options = {"queue_size": 16, "intra_weight": 0.5, "fusion_weight": 0.0}
    model = TCL(ImageEncoder(IMAGE), TextEncoder(TEXT), embed_dim=6, **options).to("meta")
    for _ in range(2):  # the first has an empty queue
        assert gradients(model, _inputs()).total.is_meta
        model.after_step()


def test_texts_above_captions_have_the_same_loss_where_nobody_counts_them(monkeypatch):
    torch.manual_seed(0)
    model = HyCoCLIP(ImageEncoder(IMAGE), TextEncoder(TEXT), embed_dim=6)
    points = [model.manifold.random_normal(7, 6) for _ in range(4)]
    node = torch.tensor([0, 1, 0, 2, 1, 0, 3])
    # Equal where the node is.
    general = [General(x[node], node) for x in points[2:]]
    one = model.loss(points[0], points[1], general=general).total
    monkeypatch.setattr(image_text, "can_look", lambda x: False)
    other = model.loss(points[0], points[1], general=general).total
    torch.testing.assert_close(one, other, rtol=1e-6, atol=0)


def test_a_step_of_probvlm_looks_at_no_value_on_a_device():
    model = ProbVLM(6, hidden=16, centre=torch.zeros(6), spread=0.5).to("meta")
    image, text = torch.empty(2, ROWS, 6, device="meta")
    total = model.loss(image, text).total
    total.backward()
    assert total.is_meta
