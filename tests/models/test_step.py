"""Micro-batches, recomputation, compilation, precision and averages: the same training."""

import copy

import pytest
import torch
from torch import Tensor, nn

from spaceforms.models import CLIP, MERU, HyCoCLIP, ImageEncoder, ImageEncoderConfig, Losses
from spaceforms.models.batch import AfterStep, Inputs, Level, OwnLoss
from spaceforms.models.training import grad_cache
from spaceforms.models.training.ema import Ema
from spaceforms.models.training.faults import Bounds, Faults, explain
from spaceforms.models.training.grad_cache import cached_backward
from spaceforms.models.training.recompute import recompute_blocks
from spaceforms.models.training.step import gradients

ROWS, MICRO = 12, 4


class _Dropping(nn.Module):
    """An encoder with dropout, in float64."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.width = 6
        self.net = nn.Sequential(nn.Linear(5, 16), nn.GELU(), nn.Dropout(p), nn.Linear(16, 6))

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)


def _model(kind: type, p: float) -> nn.Module:
    torch.manual_seed(0)
    model = kind(_Dropping(p), _Dropping(p), embed_dim=4).double()
    # encode_image() casts features to float32, as training wants it; here it would hide an error.
    model.encode_image = lambda x: model.lift(
        model.image_projection(model.image_encoder(x)), "image"
    )
    model.encode_text = lambda x: model.lift(model.text_projection(model.text_encoder(x)), "text")
    return model


def _inputs() -> Inputs:
    generator = torch.Generator().manual_seed(1)
    x, y = torch.randn(2, ROWS, 5, generator=generator, dtype=torch.float64)
    return Inputs(x, y, torch.arange(ROWS) // 2)


def _gradients(model: nn.Module) -> dict[str, Tensor]:
    return {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("p", [0.0, 0.4])
@pytest.mark.parametrize("kind", [CLIP, MERU])
def test_micro_batches_have_the_gradient_of_the_whole_batch(kind, p):
    inputs, model = _inputs(), _model(kind, p)
    torch.manual_seed(2)
    cached = gradients(model, inputs, micro_batch=MICRO)
    ended, ours = torch.get_rng_state(), _gradients(model)

    # The definition: every graph kept, one backward pass. Same chunks, so the same masks.
    model = _model(kind, p)
    torch.manual_seed(2)
    points = [model(c.images, c.tokens) for c in inputs.chunks(MICRO)]
    image, text = (torch.cat(parts) for parts in zip(*points, strict=True))
    loss = model.loss(image, text, inputs.family[:, None] == inputs.family[None])
    loss.total.backward()
    theirs = _gradients(model)
    assert torch.equal(torch.get_rng_state(), ended)
    assert ours.keys() == theirs.keys()
    # Products of other shapes are summed in another order: a few units per sum, and the largest
    # sums are over ROWS rows and 16 units, of terms up to the largest gradient.
    eps = torch.finfo(torch.float64).eps
    top = max(float(g.abs().max()) for g in theirs.values())
    for name, gradient in theirs.items():
        assert float((ours[name] - gradient).abs().max()) <= 64 * ROWS * eps * top, name
    assert float(cached.total) == pytest.approx(float(loss.total.detach()), rel=64 * eps, abs=0)
    if not p:  # without dropout the plain step is one more definition
        model = _model(kind, p)
        gradients(model, inputs)
        for name, gradient in _gradients(model).items():
            assert float((ours[name] - gradient).abs().max()) <= 64 * ROWS * eps * top, name


def test_masks_that_are_not_replayed_would_give_another_gradient(monkeypatch):

    inputs, grads = _inputs(), []
    for replay in (True, False):
        model = _model(MERU, 0.4)
        torch.manual_seed(2)
        if not replay:
            monkeypatch.setattr(grad_cache, "_set", lambda states: None)
        gradients(model, inputs, micro_batch=MICRO)
        grads.append(_gradients(model)["image_encoder.net.0.weight"])
    assert float((grads[0] - grads[1]).norm() / grads[0].norm()) > 0.1


def test_adding_up_losses_of_micro_batches_is_not_the_gradient_of_the_batch():
    inputs = _inputs()
    whole, summed = _model(CLIP, 0.0), _model(CLIP, 0.0)
    gradients(whole, inputs)
    for chunk in inputs.chunks(MICRO):
        gradients(summed, chunk)
    a, b = (_gradients(m)["image_encoder.net.0.weight"] for m in (whole, summed))
    assert float((a - b / 3).norm() / a.norm()) > 0.1


def test_a_frozen_encoder_gets_no_gradient_and_stops_nothing():
    inputs, model = _inputs(), _model(MERU, 0.0)
    for part in (model.image_encoder, model.image_projection):
        part.requires_grad_(False)
    model.encode_image = lambda x: model.image_projection(model.image_encoder(x))
    model.loss = lambda image, text, targets, general: Losses(
        (text[:, 1:] - image).square().sum(), {}
    )
    gradients(model, inputs, micro_batch=MICRO)
    assert all("image" not in name for name in _gradients(model))
    assert _gradients(model)["text_encoder.net.0.weight"].any()


def test_any_function_can_be_cached():
    weight = torch.tensor([2.0, 3.0], dtype=torch.float64, requires_grad=True)
    chunks = list(torch.arange(8, dtype=torch.float64).view(4, 2))
    loss = cached_backward(
        lambda c: (weight * c[:, None],), chunks, lambda x: Losses((x.sum(1) ** 2).sum(), {})
    )
    # The loss is (sum w)^2 sum c^2, whose gradient by each weight is 2 (sum w) sum c^2.
    assert float(loss.total) == 25 * 140
    assert weight.grad.tolist() == [2 * 5 * 140] * 2
    assert not loss.total.requires_grad


def test_recomputed_blocks_have_the_same_values_gradients_and_names():
    config = ImageEncoderConfig(size=16, widths=(8, 16), blocks=(1, 0), layers=1, heads=2, group=8)
    torch.manual_seed(0)
    plain = ImageEncoder(config)
    other = copy.deepcopy(plain)
    with torch.no_grad():
        for a, b in zip(plain.parameters(), other.parameters(), strict=True):
            b.copy_(a.normal_(std=0.1))
    assert recompute_blocks(other) >= 3
    assert plain.state_dict().keys() == other.state_dict().keys()
    images = torch.rand(3, 3, 16, 16)
    kept = []
    for encoder in (plain, other):
        sizes = []

        def note(t: Tensor, sizes: list[int] = sizes) -> Tensor:
            sizes.append(t.numel())
            return t

        with torch.autograd.graph.saved_tensors_hooks(note, lambda t: t):
            out = encoder(images)
        out.square().sum().backward()
        kept.append(sum(sizes))
    assert kept[1] < kept[0] / 2
    for (name, a), (_, b) in zip(plain.named_parameters(), other.named_parameters(), strict=True):
        assert torch.equal(a.grad, b.grad), name


def test_bfloat16_encoders_leave_points_and_losses_in_float32(monkeypatch):
    torch.manual_seed(0)
    model = MERU(_Dropping(0.0), _Dropping(0.0), embed_dim=4)
    seen = {}
    model.image_projection.register_forward_hook(lambda m, i, o: seen.update(features=o.dtype))
    inputs = Inputs(*(t.float() for t in (_inputs().images, _inputs().tokens)), _inputs().family)
    grads = {}
    for half, micro in ((False, None), (True, None), (True, MICRO)):
        model.zero_grad()
        losses = gradients(model, inputs, half=half, micro_batch=micro)
        assert seen["features"] == (torch.bfloat16 if half else torch.float32)
        assert losses.total.dtype == torch.float32
        grads[half, micro] = torch.cat([g.flatten() for g in _gradients(model).values()])
    full, half, micro = grads.values()
    assert full.dtype == half.dtype == torch.float32
    # Features are rounded to 8 bits; a gradient of this small a batch is some of their differences.
    assert 0 < float((half - full).norm() / full.norm()) < 0.1
    # A weight's gradient is rounded to 8 bits for each micro-batch.
    assert float((micro - half).norm() / half.norm()) < 0.02


def test_averages_follow_the_weights_by_their_definition():
    model = nn.Sequential(nn.Linear(2, 1, bias=False), nn.BatchNorm1d(1))
    ema = Ema(model, 0.7)
    expected = model[0].weight.detach().clone().double()
    for step in range(30):
        with torch.no_grad():
            model[0].weight.normal_()
        model[1].num_batches_tracked += 1
        ema.update(model, step)
        decay = min(0.7, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * model[0].weight.detach().double()
    # One rounding a step, damped by the decay after it.
    assert torch.allclose(ema.weights["0.weight"].double(), expected, rtol=0, atol=4e-7)
    assert int(ema.weights["1.num_batches_tracked"]) == 30
    other = Ema(model, 0.7)
    other.load(ema.weights)
    assert torch.equal(other.weights["0.weight"], ema.weights["0.weight"])
    with pytest.raises(ValueError, match="the same model"):
        other.load({})
    with pytest.raises(ValueError, match=r"decay is 1\.0"):
        Ema(model, 1.0)


def test_what_is_not_finite_is_named():
    model = _model(MERU, 0.0)
    losses = {"loss": 1.0, "contrastive": 1.0}
    assert explain(3, losses, 1.0, model) is None
    gradients(model, _inputs())
    model.text_encoder.net[0].bias.grad[2] = float("inf")
    said = explain(3, losses, float("inf"), model)
    assert said.startswith("step 3: the gradients' norm is inf (loss 1, contrastive 1, scale 14")
    assert said.endswith("Not finite: gradient of text_encoder.net.0.bias.")
    with torch.no_grad():
        for p in model.image_encoder.parameters():
            p.fill_(float("nan"))
    said = explain(3, losses | {"loss": float("nan")}, 1.0, model)
    assert "the loss is nan" in said
    assert "Not finite: parameter image_encoder.net.0.weight, image_encoder.net.0.bias, " in said
    assert " and 1 more; gradient of" in said


def test_a_model_may_bring_its_own_loss_and_work_after_a_step():
    from spaceforms.datasets import Batch
    from spaceforms.models.encoders.tokenizer import Tokenizer
    from spaceforms.models.training.loop import train_step

    class Own(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones(()))
            self.called: list[str] = []

        def training_loss(self, inputs: Inputs) -> Losses:
            self.called.append("loss")
            total = self.weight * inputs.images.sum()
            return Losses(total, {"own": total})

        def after_step(self) -> None:
            self.called.append(f"after {float(self.weight.detach()):g}")

    model = Own()
    assert isinstance(model, OwnLoss)
    assert isinstance(model, AfterStep)
    assert not isinstance(_model(CLIP, 0.0), OwnLoss | AfterStep)
    labels = torch.zeros(1, dtype=torch.int64)
    batch = Batch(torch.ones(1, 3, 2, 2), ["a"], labels, labels, labels)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    options = {"device": "cpu", "clip_norm": 1.0}
    losses, norm = train_step(
        model, optimizer, batch, Tokenizer.train([], vocabulary=258), **options
    )
    assert losses == {"loss": 12.0, "own": 12.0}
    assert norm == 12.0
    assert model.called == ["loss", "after 0.5"]
    # A gradient that is not finite moves nothing.
    bad = Batch(torch.full((1, 3, 2, 2), float("nan")), ["a"], labels, labels, labels)
    train_step(model, optimizer, bad, Tokenizer.train([], vocabulary=258), **options)
    assert model.called == ["loss", "after 0.5", "loss"]
    assert float(model.weight.detach()) == 0.5


def test_micro_batches_of_a_model_with_texts_above_its_captions_have_the_same_gradient():
    generator = torch.Generator().manual_seed(3)
    inputs = _inputs()
    # Three subgroups and two groups, whose texts stand once and above many captions.
    below = torch.arange(ROWS) % 3
    levels = [
        Level(torch.randn(n, 5, generator=generator, dtype=torch.float64), place, place + 10)
        for n, place in ((2, below.clamp(max=1)), (3, below))
    ]
    inputs = Inputs(inputs.images, inputs.tokens, inputs.family, tuple(levels))
    found = []
    for micro in (None, MICRO, 5):
        model = _model(HyCoCLIP, 0.0)
        losses = gradients(model, inputs, micro_batch=micro)
        found.append((float(losses.total.detach()), _gradients(model)))
    assert losses.parts["chain"] > 0
    (value, whole), *others = found
    eps = torch.finfo(torch.float64).eps
    top = max(float(g.abs().max()) for g in whole.values())
    for other, parts in others:
        assert other == pytest.approx(value, rel=64 * eps, abs=0)
        assert parts.keys() == whole.keys()
        for name, gradient in whole.items():
            assert float((parts[name] - gradient).abs().max()) <= 64 * ROWS * eps * top, name


def test_pairs_that_are_not_finite_are_named(monkeypatch):
    model, inputs = _model(MERU, 0.0), _inputs()
    captions = [f"caption {k}" for k in range(ROWS)]
    losses = {"loss": float("nan")}
    inputs.images[5, 2] = float("nan")
    said = explain(1, losses, 1.0, model, inputs, captions)
    assert said.endswith(f"finite: the picture of pair 5 ('caption 5') of {ROWS}.")
    inputs = _inputs()
    inputs.tokens[[3, 8]] = float("inf")  # which stand here for what an encoder cannot take
    said = explain(1, losses, 1.0, model, inputs, captions)
    assert "the points of pair 3 ('caption 3'), 8 ('caption 8') of 12." in said
    inputs = _inputs()

    def loss(image, text, targets, general):
        # The square root's slope at 0 is infinite, where the value is finite.
        total = (image[7] - image[7].detach()).square().sum().sqrt() + text.sum()
        return Losses(total, {})

    monkeypatch.setattr(model, "loss", loss)
    said = explain(1, {"loss": 1.0}, float("nan"), model, inputs, captions)
    assert "the gradient by pair 7 ('caption 7') of 12." in said
    inputs.images.fill_(float("inf"))
    assert "the picture of all 12 pairs." in explain(1, losses, 1.0, model, inputs)


def test_steps_that_are_not_finite_are_left_out_where_that_was_asked_for(tmp_path, capsys):
    faults = Faults("skip", tmp_path)
    for step in range(30):
        faults.judge(f"step {step}: the loss is nan." if step % 3 else None)
    assert faults.count == 20
    assert capsys.readouterr().err.count("Left out: step") == 3
    faults.judge(None)
    for _ in range(8):
        faults.judge("step 31: the loss is nan.")
    faults.judge("step 31: the loss is nan.")
    with pytest.raises(FloatingPointError, match=r"nan\. It is step 10 of these in a row\."):
        faults.judge("step 32: the loss is nan.")
    with pytest.raises(FloatingPointError, match="--not-finite skip leaves such steps out"):
        Faults("stop", tmp_path).judge("step 1: the loss is nan.")


def test_a_scalar_at_its_bound_is_told_once():
    model = _model(MERU, 0.0)
    bounds = Bounds(model)
    assert bounds.told(1) == []
    with torch.no_grad():
        model.contrastive.scale.raw.fill_(20.0)
        model.manifold._magnitude.raw.fill_(-20.0)
    told = bounds.told(2)
    assert len(told) == 2
    assert any("step 2: contrastive.scale is 100, at its bound 100: it has all" in t for t in told)
    assert any("the size of the curvature is 0.1, at its bound 0.1" in t for t in told)
    assert bounds.told(3) == []
