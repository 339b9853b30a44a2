"""The training loop: same numbers after a stop, no decay where none belongs, refusals in words."""

import dataclasses
import json
import math
import os
import signal
import threading
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from spaceforms.datasets import CaptionMix, EmojiDataset
from spaceforms.models.encoders.tokenizer import Tokenizer
from spaceforms.models.encoders.transformers import TextEncoderConfig
from spaceforms.models.evaluation.run import load_run
from spaceforms.models.training import checkpoint, loop as train_module
from spaceforms.models.training.config import TrainConfig, build_model, from_json, to_json
from spaceforms.models.training.data import load_data, training_texts
from spaceforms.models.training.log import read_log
from spaceforms.models.training.loop import train
from spaceforms.models.training.optim import learning_rate, parameter_groups


def _weights(config: TrainConfig) -> dict[str, torch.Tensor]:
    return load_file(config.out / checkpoint.MODEL)


def _same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


@pytest.mark.parametrize("model", ["meru", "clip"])
def test_a_stopped_and_resumed_run_ends_with_the_same_bits(tiny, model, monkeypatch):
    whole = tiny("whole", model=model)
    assert train(whole)

    stopped = tiny("stopped", model=model)
    steps = 0
    real_step = train_module.train_step

    def interrupt_in_step_four(*args, **kwargs):
        nonlocal steps
        steps += 1
        if steps == 4:
            os.kill(os.getpid(), signal.SIGINT)
        return real_step(*args, **kwargs)

    monkeypatch.setattr(train_module, "train_step", interrupt_in_step_four)
    assert not train(stopped)
    assert not _same(_weights(whole), _weights(stopped))
    assert train(dataclasses.replace(stopped, resume=True))
    assert _same(_weights(whole), _weights(stopped))

    def log(config):
        lines = (config.out / checkpoint.METRICS).read_text().splitlines()
        return {
            row["step"]: {k: v for k, v in row.items() if k != "pairs_per_second"}
            for row in map(json.loads, lines)
        }

    assert log(stopped) == log(whole)


@pytest.mark.parametrize("moment", ["at step 2", "while the run begins"])
def test_a_run_killed_before_its_first_checkpoint_can_go_on_or_begin(tiny, monkeypatch, moment):
    whole, killed = tiny("whole"), tiny("killed")
    assert train(whole)
    name = "train_step" if moment == "at step 2" else "save_state"
    module = train_module if moment == "at step 2" else checkpoint
    real, calls = getattr(module, name), 0

    def kill(*args, **kwargs):
        nonlocal calls
        calls += 1
        if calls == 2 or name == "save_state":
            raise SystemExit("killed")
        return real(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(module, name, kill)
        with pytest.raises(SystemExit, match="killed"):
            train(killed)
    # Where no run can be resumed, none is in the way of a new one.
    assert train(dataclasses.replace(killed, resume=name == "train_step"))
    assert _same(_weights(whole), _weights(killed))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (checkpoint.STATE, None, r"has no state\.pt to go on from.*--overwrite"),
        (checkpoint.STATE, b"", "expected the state of a run, got something else or a part"),
        (checkpoint.STATE, b"half", "expected the state of a run, got something else or a part"),
        (checkpoint.STATE, "part", "expected the state of a run, got something else or a part"),
        (checkpoint.STATE, "list", "expected the state of a run, got something else or a part"),
        (
            checkpoint.STATE,
            "other",
            r"begun with another config\.json.*or this state is of another",
        ),
        (checkpoint.CONFIG, b"{}", "expected the configuration that"),
    ],
)
def test_a_run_with_a_broken_file_is_not_resumed_and_the_file_is_named(
    tiny, name, content, message
):
    config = tiny(epochs=1)
    train(config)
    path = config.out / name
    if content == "part":
        content = path.read_bytes()[:-1000]
    elif content == "list":
        torch.save([1, 2], path)
    elif content == "other":
        train(tiny("other", epochs=1, embed_dim=9))
        content = (tiny("other").out / name).read_bytes()
    if content is None:
        path.unlink()
    elif isinstance(content, bytes):
        path.write_bytes(content)
    with pytest.raises((ValueError, FileNotFoundError), match=message) as caught:
        train(dataclasses.replace(config, resume=True))
    assert str(path) in str(caught.value) or content is None
    assert "\n" not in str(caught.value)


def test_damaged_lines_of_the_log_are_left_out_and_told(tiny, capsys):
    config = tiny(epochs=1)
    train(config)
    path = config.out / checkpoint.METRICS
    before = path.read_bytes()
    deep = b"[" * 100_000
    for damaged in (b'{"loss": 1}', b"3", b'{"step', b"\xff\xfe\x00", b'{"step": "x"}', deep):
        path.write_bytes(damaged + b"\n" + before)
        with pytest.raises(ValueError, match=r"metrics\.jsonl: line 1: expected .*step"):
            read_log(path)
        capsys.readouterr()
        assert train(dataclasses.replace(config, resume=True))
        assert path.read_bytes() == before
        assert f"{path}: 1 lines are no rows of a log and left out" in capsys.readouterr().err


def test_half_a_line_of_the_log_is_dropped(tiny):
    config = tiny(epochs=1)
    train(config)
    path = config.out / checkpoint.METRICS
    before = path.read_text()
    path.write_text(before + '{"step": 3, "lo')
    assert train(dataclasses.replace(config, resume=True))
    assert path.read_text() == before


def test_a_run_knows_its_data_from_any_folder(tiny, small_data, monkeypatch, tmp_path):
    monkeypatch.chdir(small_data[0].parent)
    config = tiny(epochs=1, data=Path("small.npz"), concepts=Path("small.json"))
    train(config)
    monkeypatch.chdir(tmp_path)
    assert load_run(config.out).config.data == small_data[0].resolve()
    assert train(dataclasses.replace(load_run(config.out).config, resume=True))


def test_no_caption_is_the_name_of_a_concept_held_out(tiny):
    config = tiny(data=None, concepts=None, split="concept")
    data, split = load_data(config)
    mix = CaptionMix(languages=("en",), unspoken=split.unspoken)
    held_out = {c.name.lower() for c in data.concepts if c.split != "train"}
    texts = {text.lower() for text in training_texts(data, split, mix)}
    assert len(texts) > 1000
    assert not texts & held_out


def test_ctrl_c_says_how_to_go_on(tiny, monkeypatch, capsys):
    config = tiny()
    real_step = train_module.train_step

    def interrupt(*args, **kwargs):
        os.kill(os.getpid(), signal.SIGINT)
        return real_step(*args, **kwargs)

    monkeypatch.setattr(train_module, "train_step", interrupt)
    assert not train(config)
    said = capsys.readouterr().err
    assert f"Go on with: spaceforms train --out {config.out} --resume" in said
    assert "step 1 of 6" in said


def test_another_seed_gives_another_model_and_the_same_seed_the_same(tiny):
    runs = [tiny(name, seed=seed, epochs=1) for name, seed in (("a", 0), ("b", 0), ("c", 1))]
    for config in runs:
        train(config)
    a, b, c = map(_weights, runs)
    assert _same(a, b)
    assert not _same(a, c)


def test_training_lowers_the_loss(tiny):
    config = tiny(epochs=20, lr=1e-2)
    train(config)
    rows = [json.loads(r) for r in (config.out / checkpoint.METRICS).read_text().splitlines()]
    assert rows[-1]["contrastive"] < math.log(48) - 0.5  # log(48) is what an untrained model has
    # Three steps an epoch, a row every ten steps and at the end.
    assert [row["step"] for row in rows] == [10, 20, 30, 40, 50, 60]
    for row in rows:
        assert row["epoch"] == pytest.approx(row["step"] / 3, rel=1e-6)
        rate = learning_rate(row["step"] - 1, peak=1e-2, steps=60, warmup=0.1)
        assert row["lr"] == pytest.approx(rate, rel=1e-6)
        assert row["grad_norm"] > 0
        assert row["pairs_per_second"] > 0
        assert {"loss", "contrastive", "entailment", "scale", "curvature"} <= row.keys()
        assert not any(key.startswith("skipped") for key in row)


def test_training_works_in_a_thread_where_signals_cannot_be_caught(tiny):
    result = []
    thread = threading.Thread(target=lambda: result.append(train(tiny(epochs=1))))
    thread.start()
    thread.join()
    assert result == [True]


def test_a_run_is_not_overwritten_unless_asked_and_only_its_own_files_are(tiny):
    config = tiny(epochs=1)
    train(config)
    note = config.out / "my notes.txt"
    note.write_text("keep")
    old = config.out / checkpoint.evaluation_file(Path("some/other.npz"))
    old.write_text("{}")
    with pytest.raises(FileExistsError, match=r"--resume.*--overwrite"):
        train(config)
    train(dataclasses.replace(config, overwrite=True))
    assert note.read_text() == "keep"
    assert not old.exists()


def test_resuming_with_other_options_is_refused(tiny):
    config = tiny(epochs=1)
    train(config)
    with pytest.raises(ValueError, match="begun with another lr;"):
        train(dataclasses.replace(config, lr=1.0, resume=True))
    with pytest.raises(FileNotFoundError, match="no run to resume"):
        train(tiny("nowhere", resume=True))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"curvature": 1.0}, r"curvature is 1\.0"),
        ({"lr": float("nan")}, "lr is nan; expected a positive number"),
        ({"lr": -1.0}, r"lr is -1\.0"),
        ({"weight_decay": -0.1}, r"weight_decay is -0\.1; expected 0 or more"),
        ({"betas": (2.0, 0.98)}, r"betas is \(2\.0, 0\.98\); expected two numbers"),
        ({"clip_norm": -1.0}, r"clip_norm is -1\.0; expected a positive number"),
        ({"clip_norm": 0.0}, r"clip_norm is 0\.0"),
        ({"min_radius": 0.0}, r"min_radius is 0\.0; expected a positive number"),
        ({"entail_weight": -1.0}, r"entail_weight is -1\.0; expected 0 or more"),
        ({"resume": True, "overwrite": True}, "resume and overwrite are both set"),
    ],
)
def test_an_option_out_of_its_range_gets_a_sentence(tiny, options, message):
    with pytest.raises(ValueError, match=message):
        tiny(**options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"held_out": "foo"}, "held_out is 'foo', .* expected one of"),
        ({"languages": ("xx",)}, "expected languages of .*de, .*got xx"),
        ({"text": TextEncoderConfig(vocabulary=5, context=8, width=16, layers=0)}, "got 5"),
        ({"device": "cuda"}, "device is cuda, and torch finds none"),
    ],
)
def test_what_cannot_work_leaves_the_run_that_it_would_overwrite(
    tiny, options, message, monkeypatch
):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    config = tiny(epochs=1)
    train(config)
    before = {path: path.read_bytes() for path in config.out.iterdir()}
    with pytest.raises(ValueError, match=message):
        train(dataclasses.replace(config, overwrite=True, **options))
    assert {path: path.read_bytes() for path in config.out.iterdir()} == before


def test_a_loss_that_is_not_finite_stops_the_run_and_keeps_the_checkpoint(tiny, monkeypatch):
    config = tiny(epochs=1)
    train(config)
    before = (config.out / checkpoint.STATE).read_bytes()
    longer = tiny("nan", epochs=1)

    def poisoned(*args, **kwargs):
        return {"loss": float("nan"), "contrastive": float("nan")}, 1.0

    monkeypatch.setattr(train_module, "train_step", poisoned)
    with pytest.raises(FloatingPointError, match=r"step 1: the loss is nan.*contrastive nan"):
        train(longer)
    assert (config.out / checkpoint.STATE).read_bytes() == before
    assert load_run(longer.out).config == longer


@pytest.mark.parametrize("model", ["meru", "clip"])
def test_norms_biases_and_learned_scalars_are_not_decayed(tiny, model):
    network = build_model(tiny(model=model, text=dataclasses.replace(tiny().text, layers=1)), 300)
    decayed, free = parameter_groups(network, 0.3)
    assert decayed["weight_decay"] == 0.3
    assert free["weight_decay"] == 0.0
    named = {id(p): name for name, p in network.named_parameters()}
    not_decayed = {named[id(p)] for p in free["params"]}
    expected = {
        f"{prefix}.{name}".lstrip(".")
        for prefix, module in network.named_modules()
        for name, p in module.named_parameters(recurse=False)
        if name in ("bias", "in_proj_bias", "raw")
        or isinstance(module, torch.nn.LayerNorm | torch.nn.GroupNorm)
    }
    assert not_decayed == expected
    assert "contrastive.scale.raw" in not_decayed
    if model == "meru":
        assert {"manifold._magnitude.raw", "alpha.image.raw", "alpha.text.raw"} <= not_decayed
    assert len(decayed["params"]) + len(free["params"]) == len(list(network.parameters()))

    # And in fact: with zero gradients AdamW moves what is decayed and nothing else.
    before = {name: p.detach().clone() for name, p in network.named_parameters()}
    for p in network.parameters():
        p.grad = torch.zeros_like(p)
    torch.optim.AdamW(parameter_groups(network, 0.3), lr=0.1).step()
    moved = {n for n, p in network.named_parameters() if not torch.equal(p, before[n])}
    nonzero = {n for n, p in before.items() if p.any()}
    assert moved == nonzero - not_decayed


def test_the_learning_rate_rises_linearly_and_falls_as_a_cosine_to_almost_zero():
    rates = [learning_rate(s, peak=2.0, steps=100, warmup=0.1) for s in range(100)]
    assert rates[:10] == pytest.approx([0.2 * (k + 1) for k in range(10)])
    assert max(rates) == rates[9] == 2.0
    assert rates[55] == pytest.approx(1.0)
    assert rates[-1] < 2e-3
    assert learning_rate(0, peak=1.0, steps=3, warmup=0.0) == 1.0


def test_a_configuration_survives_json_and_nonsense_is_named():
    config = TrainConfig(out=Path("x"), model="clip", languages=("en", "de"), data=Path("d.npz"))
    assert from_json(to_json(config), where="here") == config
    with pytest.raises(ValueError, match=r"here: .*lr is -1"):
        from_json(to_json(config).replace("0.002", "-1"), where="here")
    with pytest.raises(ValueError, match="here: expected the configuration"):
        from_json('{"out": "x"}', where="here")


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("image_folder", 5, "image_folder is 5; expected a text or null"),
        ("text_folder", ["hf:x"], r"text_folder is \['hf:x'\]; expected a text or null"),
        ("tuning", 5, "tuning is 5; expected frozen or lora or full"),
        ("epochs", "3", "epochs is '3'; expected a whole number"),
        ("lr", True, "lr is True; expected a number"),
        ("betas", [0.9], r"betas is \[0.9\]; expected \[a number, a number\]"),
        ("languages", "en", "languages is 'en'; expected a list of a text each"),
        ("image", {"size": 24.5}, r"image\.size is 24\.5; expected a whole number"),
        ("data", 5, "data is 5; expected a text or null"),
    ],
)
def test_a_configuration_of_another_kind_is_named(name, value, words):
    content = json.loads(to_json(TrainConfig(out=Path("x")))) | {name: value}
    with pytest.raises(ValueError, match=rf"^here: .*writes, but {words}\.$"):
        from_json(json.dumps(content), where="here")


def test_a_run_loads_with_the_weights_and_the_words_it_was_saved_with(tiny):
    config = tiny(epochs=1)
    train(config)
    run = load_run(config.out)
    assert not run.model.training
    assert _same(dict(run.model.state_dict()), _weights(config))
    assert run.tokenizer.decode(run.tokenizer.encode(["red cat"])) == ["red cat"]
    with pytest.raises(FileNotFoundError, match=r"has no model\.safetensors, config\.json"):
        load_run(config.out / "nowhere")


def test_every_option_of_a_run_reaches_what_it_is_for(tiny, monkeypatch):
    steps, made, prepared, saved = [], [], [], []
    real, optimiser = train_module.train_step, torch.optim.AdamW

    def step(*args, **options):
        steps.append((args[1].param_groups[0]["lr"], args[1].param_groups[1]["lr"], options))
        return real(*args, **options)

    def adamw(groups, **options):
        made.append(([g["weight_decay"] for g in groups], options))
        return optimiser(groups, **options)

    monkeypatch.setattr(train_module, "train_step", step)
    monkeypatch.setattr(torch.optim, "AdamW", adamw)
    monkeypatch.setattr(train_module, "prepare", lambda *_, **options: prepared.append(options))
    monkeypatch.setattr(
        train_module, "save_state", lambda *args, **more: saved.append((args[3], more))
    )
    options = {"lr": 0.25, "betas": (0.5, 0.75), "weight_decay": 0.125, "clip_norm": 0.5}
    options |= {"micro_batch": 8, "precision": "bfloat16", "warmup": 0.5, "recompute": True}
    config = tiny(epochs=3, save_every=2, ema=0.5, **options)
    assert train(config)
    assert made == [([0.125, 0.0], {"lr": 0.25, "betas": (0.5, 0.75)})]
    assert prepared == [{"recompute": True, "compiled": False}]
    for k, (rate, other, given) in enumerate(steps):
        assert rate == other == learning_rate(k, peak=0.25, steps=9, warmup=0.5)
        assert given == {"device": "cpu", "clip_norm": 0.5, "half": True, "micro_batch": 8}
    assert len(steps) == 9
    assert [at for at, _ in saved] == [6, 9]
    assert all(more["ema"] is not None and more["data"] is None for _, more in saved)
    plain = tiny("plain", epochs=1)
    steps.clear()
    assert train(plain)
    assert all(
        not g["half"] and g["micro_batch"] is None and g["clip_norm"] == 1 for *_, g in steps
    )
    assert prepared[1] == {"recompute": False, "compiled": False}
    assert saved[-1][1]["ema"] is None


def test_one_step_of_training_clips_and_steps_and_leaves_what_is_not_finite(tiny):
    config = tiny(model="clip")
    data, _ = load_data(config)
    batch = EmojiDataset(data, augmentation=None).batch(range(12), 0)
    tokenizer = Tokenizer.train(data.names, vocabulary=300, context=8)
    norms = {}
    for clip in (1e9, 0.01):
        torch.manual_seed(0)
        model = build_model(config, len(tokenizer))
        before = [p.detach().clone() for p in model.parameters()]
        sgd = torch.optim.SGD(model.parameters(), lr=1.0)
        values, norms[clip] = train_module.train_step(
            model, sgd, batch, tokenizer, device="cpu", clip_norm=clip
        )
        moved = torch.stack(
            [(p - b).norm() for p, b in zip(model.parameters(), before, strict=True)]
        )
        # Plain descent of rate 1 moves by the gradient, whose norm is given before it is clipped.
        assert float(moved.norm().detach()) == pytest.approx(min(norms[clip], clip), rel=1e-3)
        assert set(values) == {"loss", "contrastive"}
    assert norms[1e9] == norms[0.01] > 0.01
    with torch.no_grad():
        next(model.parameters()).fill_(torch.nan)
    before = [p.detach().clone() for p in model.parameters()]
    _, norm = train_module.train_step(model, sgd, batch, tokenizer, device="cpu", clip_norm=1.0)
    assert math.isnan(norm)
    assert all(
        torch.equal(p, b) or p.isnan().any()
        for p, b in zip(model.parameters(), before, strict=True)
    )
