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
    ProbVLM,
    SphereCones,
    TextEncoder,
    TextEncoderConfig,
    image_text,
)
from spaceforms.models.batch import Inputs, Level
from spaceforms.models.training.step import gradients

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


@pytest.mark.parametrize("kind", [CLIP, MERU, EuCLIP, SphereCones, HyCoCLIP])
def test_a_step_looks_at_no_value_on_a_device(kind):
    model = kind(ImageEncoder(IMAGE), TextEncoder(TEXT), embed_dim=6).to("meta")
    losses = gradients(model, _inputs(levels=kind is HyCoCLIP))
    assert losses.total.is_meta
    assert all(p.grad is not None and p.grad.is_meta for p in model.image_encoder.parameters())


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
