"""TCL: its loss from its parts, its momentum and queues, its run on real pictures, re-ranking."""

import copy
import dataclasses
import json
import os
import signal

import pytest
import torch
from processes import spawn
from safetensors.torch import load_file

from spaceforms.losses import info_nce
from spaceforms.losses.functional import intra_modal_contrastive, local_mutual_information
from spaceforms.manifolds import Lorentz
from spaceforms.models import (
    TCL,
    ImageEncoder,
    ImageEncoderConfig,
    TextEncoder,
    TextEncoderConfig,
    distributed,
)
from spaceforms.models.batch import Inputs
from spaceforms.models.evaluation.evaluate import as_table, evaluate
from spaceforms.models.evaluation.run import load_run
from spaceforms.models.tcl.matching import Features
from spaceforms.models.training import loop as train_module
from spaceforms.models.training.checkpoint import METRICS, MODEL
from spaceforms.models.training.config import TrainConfig, build_model
from spaceforms.models.training.loop import train

IMAGE = ImageEncoderConfig(size=16, widths=(8, 16), blocks=(0, 0), group=8)
TEXT = TextEncoderConfig(vocabulary=40, context=8, width=12, layers=1)
SPACES = {"sphere": 1.0, "flat": 0.0, "hyperboloid": -1.0}


def _model(**options):
    torch.manual_seed(0)
    options = {"embed_dim": 6, "queue_size": 16, **options}
    return TCL(ImageEncoder(IMAGE), TextEncoder(TEXT), **options)


def _inputs(rows=8, seed=1):
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.randint(2, 39, (rows, 6), generator=generator)
    tokens[::2, 4:] = 0
    tokens[:, 3] = 1
    family = torch.arange(rows)
    family[-1] = 0
    return Inputs(torch.rand(rows, 3, 16, 16, generator=generator), tokens, family)


@pytest.mark.parametrize("space", SPACES)
def test_before_the_first_step_the_contrasts_are_those_of_the_points_themselves(space):
    """The copies are equal to the encoders then, there is no other view, and alpha is 0."""
    model = _model(curvature=SPACES[space], queue_size=0, intra_weight=0.5, fusion_weight=0.3)
    inputs = _inputs()
    losses = model.training_loss(inputs)
    image, text = model(inputs.images, inputs.tokens)
    same = inputs.family[:, None] == inputs.family
    options = {
        "manifold": model.manifold,
        "scale": model.contrastive.scale(),
        "logits": model.contrastive.logits,
    }
    parts = losses.parts
    wanted = info_nce(image, text, targets=same, **options)
    torch.testing.assert_close(parts["alignment"], wanted, rtol=1e-5, atol=1e-6)
    wanted = (
        intra_modal_contrastive(image, image, positives=same, **options)
        + intra_modal_contrastive(text, text, positives=same, **options)
    ) / 2
    torch.testing.assert_close(parts["intra"], wanted, rtol=1e-5, atol=1e-6)
    cells = model.lift(model.image_projection(model.image_encoder.local(inputs.images)), "image")
    words = model.lift(model.text_projection(model.text_encoder.local(inputs.tokens)), "text")
    there = inputs.tokens != 0
    wanted = (
        local_mutual_information(image, cells, same=same, **options)
        + local_mutual_information(text, words, mask=there, same=same, **options)
    ) / 2
    torch.testing.assert_close(parts["local"], wanted, rtol=1e-5, atol=1e-6)
    total = (parts["alignment"] + 0.5 * parts["intra"] + parts["local"]) / 2.5
    total = total + 0.3 * (parts["matching"] + parts["language"])
    torch.testing.assert_close(losses.total, total, rtol=1e-6, atol=0)


def test_copies_follow_the_moving_average_exactly_and_queues_hold_the_keys():
    model, inputs = _model(momentum=0.9), _inputs()
    inputs = dataclasses.replace(inputs, view=inputs.images.flip(-1))
    wanted = {n: p.detach().clone() for n, p in model.teacher.named_parameters()}
    for step in range(3):
        keys = model.keys(inputs.view, inputs.tokens)
        optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
        model.training_loss(inputs).total.backward()
        optimizer.step()
        optimizer.zero_grad()
        model.after_step()
        named = dict(model.named_parameters())
        for name, before in wanted.items():
            m = min(0.9, (1 + step) / (10 + step))
            wanted[name] = m * before + (1 - m) * named[name].detach()
        # The last batch of the ring of 16: places 0..7 or 8..15.
        place = slice(8 * (step % 2), 8 * (step % 2) + 8)
        torch.testing.assert_close(
            model.contrasts.image_queue()[0][place], keys.image, rtol=0, atol=1e-6
        )
        torch.testing.assert_close(
            model.contrasts.text_queue()[0][place], keys.text, rtol=0, atol=1e-6
        )
        assert torch.equal(model.contrasts.image_queue()[1][place], inputs.family)
    for name, p in model.teacher.named_parameters():
        torch.testing.assert_close(p, wanted[name], rtol=1e-5, atol=1e-7)
        assert not torch.equal(p, named[name]) or not p.any()
    assert model.steps == 3


@pytest.mark.parametrize("space", SPACES)
def test_all_that_learns_has_a_gradient_and_the_copies_none(space):
    model = _model(curvature=SPACES[space])
    # Blocks that start as the identity hide what is behind them: give them any weights.
    with torch.no_grad():
        for p in model.parameters():
            if p.requires_grad and p.ndim > 1:
                p.add_(0.1 * torch.randn_like(p))
    model.after_step()
    for seed in (1, 2):
        model.training_loss(_inputs(seed=seed)).total.backward()
        model.after_step()
    for name, p in model.named_parameters():
        if name.startswith("teacher."):
            assert not p.requires_grad
        else:
            assert p.grad is not None, name
            assert p.grad.isfinite().all()
            # A key's bias adds one number to all logits of a query: only rounding is left of it.
            assert p.grad.any(), name


@pytest.mark.slow
def test_matching_learns_which_pairs_belong_together():
    """Of eight pairs: a third of what is asked matches, which alone gives the entropy 0.64."""
    model, inputs = _model(fusion_weight=1.0), _inputs()
    learned = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.Adam(learned, lr=1e-2)
    for _ in range(150):
        optimizer.zero_grad()
        losses = model.training_loss(inputs)
        losses.total.backward()
        optimizer.step()
        model.after_step()
    assert losses.parts["matching"] < 0.4
    with torch.no_grad():
        cells = model.image_features(inputs.images)
        words, mask = model.text_features(inputs.tokens)
        own = model.match(Features(cells, words, mask))
        other = model.match(Features(cells, words.roll(3, 0), mask.roll(3, 0)))
    assert own.mean() > other.mean() + 3


def test_a_manifold_may_be_given_and_parts_may_be_left_out():
    space = Lorentz(-0.5)
    model = _model(manifold=space, fusion_weight=0.0, local_weight=0.0, queue_size=0)
    assert model.manifold is space
    losses = model.training_loss(_inputs())
    assert set(losses.parts) == {"alignment", "intra"}
    with pytest.raises(ValueError, match="fusion_weight is 0, so there is no fusion encoder"):
        model.match(Features(torch.ones(1, 4, 16), torch.ones(1, 3, 12), torch.ones(1, 3) > 0))


def test_draws_are_those_of_the_step_and_no_global_generator_is_touched():
    model, inputs = _model(), _inputs()
    before = torch.get_rng_state()
    one = model.training_loss(inputs).total
    two = model.training_loss(inputs).total
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(one, two)
    model.load_state_dict(model.state_dict() | {"steps": model.steps + 1})
    assert not torch.equal(model.training_loss(inputs).total, one)


def _small(tiny, name="run", **options):
    return tiny(name, model="tcl", queue_size=96, momentum=0.9, **options)


def test_a_stopped_and_resumed_run_ends_with_the_same_bits(tiny, monkeypatch):
    whole, stopped = _small(tiny, "whole"), _small(tiny, "stopped")
    assert train(whole)
    steps, real = 0, train_module.train_step

    def interrupt_in_step_four(*args, **kwargs):
        nonlocal steps
        steps += 1
        if steps == 4:
            os.kill(os.getpid(), signal.SIGINT)
        return real(*args, **kwargs)

    monkeypatch.setattr(train_module, "train_step", interrupt_in_step_four)
    assert not train(stopped)
    assert train(dataclasses.replace(stopped, resume=True))
    a, b = (load_file(config.out / MODEL) for config in (whole, stopped))
    assert a.keys() == b.keys()
    assert all(torch.equal(a[name], b[name]) for name in a)
    assert a["steps"] == 6
    assert a["contrasts.image_queue.pushed"] == 6 * 48


def test_it_learns_real_pictures_and_is_evaluated_with_and_without_re_ranking(tiny):
    config = _small(tiny, epochs=20, lr=1e-2)
    train(config)
    rows = [json.loads(r) for r in (config.out / METRICS).read_text().splitlines()]
    for part in ("alignment", "intra", "local", "language"):
        assert rows[-1][part] < rows[0][part], part
    run = load_run(config.out)
    result = evaluate(run)
    (test,) = result["tests"].values()
    for way in ("image to text", "text to image"):
        plain, again = (test[f"{way}, {how}"]["recall"] for how in ("by id", "re-ranked"))
        assert plain["10"] > 2 * test[f"{way}, by id"]["chance"]["10"]
        assert again["10"] > 2 * test[f"{way}, by id"]["chance"]["10"]
    assert "re-ranked" in as_table(result)
    learned = sum(p.numel() for p in run.model.parameters() if p.requires_grad)
    assert result["parameters"] == learned < sum(p.numel() for p in run.model.parameters())


@pytest.mark.parametrize("space", ["flat", "hyperboloid"])
def test_a_run_on_another_space_trains_and_is_evaluated(tiny, space):
    config = _small(tiny, epochs=1, curvature=SPACES[space], fusion_weight=0.0)
    assert train(config)
    result = evaluate(load_run(config.out))
    (test,) = result["tests"].values()
    assert "image to text, re-ranked" not in test


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"queue_size": 47}, "queue_size is 47 with batch_size 48; expected a queue of at least"),
        ({"queue_size": -1}, "queue_size is -1; expected 0 or more"),
        ({"momentum": 1.5}, r"momentum is 1\.5; expected 0 to 1"),
        ({"distill": -0.1}, r"distill is -0\.1; expected 0 to 1"),
        ({"local_weight": -1.0}, r"local_weight is -1\.0; expected 0 or more"),
        ({"pool": 0}, "pool is 0; expected at least 1"),
        ({"entail_weight": 0.1}, r"entail_weight is 0\.1 for the model tcl"),
        ({"curvature": 0.0, "learn_curvature": True}, "learn_curvature is set with curvature 0"),
        ({"model": "clip", "momentum": 0.9}, r"momentum is 0\.9 for the model clip"),
    ],
)
def test_what_cannot_work_is_refused_before_training(tiny, options, message):
    with pytest.raises(ValueError, match=message):
        tiny(**{"model": "tcl", **options})


def test_encoders_without_parts_are_refused():
    one = dataclasses.replace(IMAGE, widths=(8, 16, 16, 16), blocks=(0,) * 4)
    with pytest.raises(ValueError, match=r"a grid of 1 x 1 cells with pool 1; expected more than"):
        TCL(ImageEncoder(one), TextEncoder(TEXT), embed_dim=4)
    with pytest.raises(ValueError, match=r"a grid of 4 x 4 cells with pool 3"):
        TCL(ImageEncoder(IMAGE), TextEncoder(TEXT), embed_dim=4, pool=3)

    class Whole(torch.nn.Module):
        width = 5

    with pytest.raises(ValueError, match="Whole has side None; expected an encoder with parts"):
        TCL(Whole(), TextEncoder(TEXT), embed_dim=4)


def test_by_default_the_grid_has_parts_and_the_vocabulary_a_mask(tmp_path):
    config = TrainConfig(out=tmp_path, model="tcl")
    model = build_model(config, 300)
    assert model.side == 4
    assert model.mask_id == 300
    assert model.text_encoder.vocabulary == 301


def _contrast_gradients(rank, world):
    model = _model(fusion_weight=0.0).double()
    whole = _inputs()
    rows = slice(rank * 8 // world, (rank + 1) * 8 // world)
    tokens = whole.tokens[rows]
    if world > 1 and rank == 1:  # processes pad to their own longest text
        tokens = tokens[:, :6]
    model.training_loss(
        Inputs(whole.images[rows].double(), tokens, whole.family[rows])
    ).total.backward()
    distributed.average_gradients([p for p in model.parameters() if p.requires_grad])
    model.after_step()
    gradients = {n: p.grad for n, p in model.named_parameters() if p.grad is not None}
    return gradients | {f"queue {k}": v for k, v in enumerate(model.contrasts.image_queue())}


def _work(rank, world, port, path):
    torch.set_num_threads(1)
    os.environ.update(
        MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port), RANK=str(rank), WORLD_SIZE=str(world)
    )
    distributed.start("cpu")
    try:
        torch.save(_contrast_gradients(rank, world), f"{path}/{rank}.pt")
        distributed.barrier()
    finally:
        distributed.stop()


def test_two_processes_have_the_contrasts_gradients_and_the_queue_of_one(tmp_path):
    import socket

    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = int(s.getsockname()[1])
    alone = _contrast_gradients(0, 1)
    spawn(_work, args=(2, port, str(tmp_path)), nprocs=2)
    for rank in range(2):
        together = torch.load(tmp_path / f"{rank}.pt", weights_only=True)
        assert together.keys() == alone.keys()
        for name, value in alone.items():
            # Points pass through float32; sums are taken in another order.
            torch.testing.assert_close(together[name], value, rtol=1e-4, atol=1e-6)


def test_a_copy_of_a_model_goes_on_alone():
    model = _model()
    other = copy.deepcopy(model)
    model.training_loss(_inputs()).total.backward()
    model.after_step()
    assert len(other.contrasts.image_queue) == 0
    assert other.steps == 0
