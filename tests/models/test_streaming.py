"""Training on folders and shards: same numbers after a stop, what is skipped is told."""

import dataclasses
import json
import os
import re
import shutil
import signal
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file

from spaceforms.__main__ import main
from spaceforms.datasets import CaptionMix, EmojiDataset, Pair, Shards, Stream, write_shards
from spaceforms.datasets.stream import STATE_WIDTH, fingerprint
from spaceforms.models.evaluation.run import load_run
from spaceforms.models.registry import MODELS
from spaceforms.models.training import (
    checkpoint,
    data as feed_module,
    log as log_module,
    loop as train_module,
)
from spaceforms.models.training.config import TrainConfig, build_model, check_sizes, differences
from spaceforms.models.training.data import load_data, training_texts
from spaceforms.models.training.loop import train


def _rows(config: TrainConfig) -> list[dict[str, float]]:
    lines = (config.out / checkpoint.METRICS).read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    return [{k: v for k, v in row.items() if k != "pairs_per_second"} for row in rows]


def _weights(config: TrainConfig, name: str = checkpoint.MODEL) -> dict[str, torch.Tensor]:
    return load_file(config.out / name)


def _same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


@pytest.fixture
def stop(monkeypatch):
    """A function (configuration, step) that trains until Ctrl-C in a step."""

    def run(config: TrainConfig, step: int) -> None:
        real, calls = train_module.train_step, 0

        def interrupt(*args, **kwargs):
            nonlocal calls
            calls += 1
            if calls == step:
                os.kill(os.getpid(), signal.SIGINT)
            return real(*args, **kwargs)

        with monkeypatch.context() as patch:
            patch.setattr(train_module, "train_step", interrupt)
            assert not train(config)

    return run


@pytest.fixture
def broken(small_shards, tmp_path) -> Path:
    """Shards of which one is missing, one is cut, and one has a picture that is none."""
    folder = tmp_path / "broken"
    shutil.copytree(small_shards, folder)
    (folder / "sizes.json").unlink()
    (folder / "shard-000001.tar").unlink()
    cut = folder / "shard-000002.tar"
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])
    bad = folder / "shard-000003.tar"
    content = bytearray(bad.read_bytes())
    at = content.index(b"\x89PNG")
    content[at : at + 8] = bytes(8)
    bad.write_bytes(content)
    return folder / "shard-{000000..000005}.tar"


@pytest.mark.parametrize("ema", [0.0, 0.9])
def test_a_run_on_shards_stopped_in_an_epoch_ends_with_the_same_bits(
    tiny, broken, stop, capsys, ema
):
    options = {"data": broken, "concepts": None, "batch_size": 16, "epochs": 3, "ema": ema}
    whole, stopped = tiny("whole", **options), tiny("stopped", **options)
    assert train(whole)
    told = capsys.readouterr().err
    stop(stopped, 8)
    assert train(dataclasses.replace(stopped, resume=True, workers=0))
    assert _same(_weights(whole), _weights(stopped))
    assert _rows(stopped) == _rows(whole)
    assert (whole.out / checkpoint.EMA).exists() == bool(ema)
    if ema:
        assert _same(_weights(whole, checkpoint.EMA), _weights(stopped, checkpoint.EMA))
        assert not _same(_weights(whole), _weights(whole, checkpoint.EMA))

    last = _rows(whole)[-1]
    for kind in ("shards missing", "shards cut short", "pictures unreadable"):
        count = last[f"skipped, {kind}"]
        assert 2 <= count <= 4, kind  # once a pass, and the passes of two lanes are not in step
        assert f"{count} {kind}" in told
    for name in ("shard-000001.tar", "shard-000002.tar", "shard-000003.tar: shard-000003/"):
        assert name in told
    assert "pairs a second" in told
    assert "skipped, captions empty" not in last


def test_the_averages_can_be_evaluated(tiny):
    config = tiny(epochs=1, ema=0.9)
    train(config)
    run = load_run(config.out, ema=True)
    assert _same(dict(run.model.state_dict()), _weights(config, checkpoint.EMA))
    assert main(["evaluate", str(config.out), "--ema"]) == 0
    other = tiny("without", epochs=1)
    train(other)
    with pytest.raises(ValueError, match="trained without --ema"):
        load_run(other.out, ema=True)


def test_from_emoji_to_shards_to_a_folder_to_a_run(tiny, small_data, tmp_path, capsys):
    shards, again = tmp_path / "a", tmp_path / "b"
    pictures, concepts = map(str, small_data)
    words = ["--data", pictures, "--concepts", concepts, "--per-shard", "50"]
    assert main(["shards", "--out", str(shards), *words]) == 0
    assert "Written: 4 shards" in capsys.readouterr().out
    assert main(["shards", "--out", str(shards), *words]) == 1
    assert "holds shards already" in capsys.readouterr().err
    assert main(["shards", "--out", str(again), "--data", str(shards), "--per-shard", "80"]) == 0
    assert sorted(p.name for p in again.iterdir())[:2] == ["shard-000000.tar", "shard-000001.tar"]
    config = tiny(data=again, concepts=None, epochs=8, lr=1e-2)
    assert train(config)
    assert _rows(config)[0]["step"] == 10
    assert _rows(config)[-1]["contrastive"] < 3.6  # log(48) = 3.87 is what an untrained model has
    assert main(["evaluate", str(config.out)]) == 1
    assert "trained on all pairs of its data: val_share is 0" in capsys.readouterr().err
    test = ["--data", pictures, "--concepts", concepts]
    assert main(["evaluate", str(config.out), *test]) == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"micro_batch": 7}, "micro_batch is 7 and a process has 48 pairs of a batch"),
        ({"micro_batch": 0}, "micro_batch is 0"),
        ({"readers": 8}, "readers is 8 and .* has 6 shards"),
        ({"readers": 5}, "batch_size is 48 with 5 readers"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_written(
    tiny, small_shards, options, message
):
    config = tiny(data=small_shards, concepts=None, **options)
    with pytest.raises(ValueError, match=message):
        train(config)
    assert not config.out.exists()


@pytest.mark.parametrize("options", [{"model": "hycoclip"}, {"chain_weight": 0.1}])
def test_models_with_texts_above_captions_train_on_shards_that_have_them(
    tiny, small_shards, tmp_path, options
):
    config = tiny(data=small_shards, concepts=None, epochs=6, lr=1e-2, **options)
    assert train(config)
    first, last = _rows(config)[0], _rows(config)[-1]
    assert 0 < last["chain"] < first["chain"]

    bare = tmp_path / "bare"
    rows = [
        (pair.key.replace("/", "-"), pair.suffix, pair.read(), {"caption": list(pair.captions)})
        for pair in Shards(small_shards).in_order()
    ]
    write_shards(rows, bare, per_shard=30)
    config = dataclasses.replace(config, data=bare, out=tmp_path / "refused")
    with pytest.raises(ValueError, match="is trained on texts above its captions, and the first"):
        train(config)
    assert not config.out.exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ema": 1.0}, r"ema is 1\.0; expected a number from 0 to below 1"),
        ({"readers": -1}, "readers is -1; expected 0 or more"),
        ({"buffer": 0}, "buffer is 0; expected at least 1"),
    ],
)
def test_an_option_out_of_its_range_gets_a_sentence(tiny, options, message):
    with pytest.raises(ValueError, match=message):
        tiny(**options)


def test_a_run_is_not_resumed_on_other_data(tiny, small_shards, tmp_path, stop):
    data = tmp_path / "data"
    shutil.copytree(small_shards, data)
    config = tiny(data=data, concepts=None)
    stop(config, 2)
    (data / "shard-000005.tar").rename(data / "shard-000009.tar")
    with pytest.raises(ValueError, match="begun on other data: files or captions have come"):
        train(dataclasses.replace(config, resume=True))


def test_a_picture_that_makes_nan_stops_the_run_and_names_the_gradient(tiny, monkeypatch):
    config = tiny(epochs=1)
    real, calls = EmojiDataset.batch, 0

    def poisoned(self, positions, epoch):
        nonlocal calls
        calls += 1
        batch = real(self, positions, epoch)
        if calls == 2:
            batch.image[0, 0, 0, 0] = float("nan")
        return batch

    monkeypatch.setattr(EmojiDataset, "batch", poisoned)
    with pytest.raises(
        FloatingPointError,
        match=r"step 2: the loss is nan \(loss nan, contrastive nan.*gradient of image_encoder\.",
    ):
        train(config)
    # The checkpoint of step 0 is whole and good.
    assert all(bool(torch.isfinite(w).all()) for w in _weights(config).values())
    assert train(dataclasses.replace(config, resume=True))


def test_micro_batches_recomputation_and_bfloat16_train_like_a_plain_run(tiny):
    plain, other = tiny("plain"), tiny("other", micro_batch=16, recompute=True)
    half = tiny("half", precision="bfloat16", micro_batch=24)
    for config in (plain, other, half):
        assert train(config)
    a, b, c = (_rows(config)[-1] for config in (plain, other, half))
    assert b["loss"] == pytest.approx(a["loss"], rel=1e-4)
    assert c["loss"] == pytest.approx(a["loss"], rel=2e-2)
    assert c["loss"] != a["loss"]


@pytest.mark.slow
def test_a_compiled_run_trains_like_a_plain_one(tiny):
    plain, fast = tiny("plain"), tiny("fast", compile=True)
    assert train(plain)
    assert train(fast)
    assert _rows(fast)[-1]["loss"] == pytest.approx(_rows(plain)[-1]["loss"], rel=1e-4)
    assert _weights(fast).keys() == _weights(plain).keys()


def test_compile_compiles_both_encoders_and_nothing_else(tiny, monkeypatch):
    compiled = []
    monkeypatch.setattr(torch.nn.Module, "compile", lambda self, *a, **k: compiled.append(self))
    assert train(tiny(epochs=1, compile=True))
    kinds = [type(m).__name__ for m in compiled]
    assert kinds == ["ImageEncoder", "TextEncoder"]


def test_dropout_draws_other_masks_each_step_and_the_same_after_a_stop(tiny, stop, monkeypatch):
    def dropping(config, vocabulary):
        model = build_model(config, vocabulary)
        model.image_projection.register_forward_pre_hook(
            lambda module, args: (torch.nn.functional.dropout(args[0], 0.5, module.training),)
        )
        return model

    monkeypatch.setattr(train_module, "build_model", dropping)
    whole, stopped = tiny("whole"), tiny("stopped")
    assert train(whole)
    stop(stopped, 2)
    assert train(dataclasses.replace(stopped, resume=True))
    assert _same(_weights(whole), _weights(stopped))


def test_tensorboard_gets_the_rows_of_the_log_or_a_sentence(tiny, monkeypatch):
    written = []

    class Writer:
        def __init__(self, folder, purge_step):
            written.append((folder, purge_step))

        def add_scalar(self, name, value, step):
            written.append((name, value, step))

        def close(self):
            written.append("closed")

    module = "torch.utils.tensorboard"
    monkeypatch.setitem(sys.modules, module, SimpleNamespace(SummaryWriter=Writer))
    config = tiny(epochs=1, tensorboard=True)
    assert train(config)
    assert written[0] == (str(config.out), 1)
    assert written[-1] == "closed"
    rows = {name: value for name, value, step in written[1:-1] if step == 3}
    assert rows.keys() > {"loss", "scale", "curvature", "grad_norm", "lr"}
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ValueError, match=r"tensorboard is not installed; .* pip install"):
        train(tiny("none", tensorboard=True))
    assert not tiny("none").out.exists()
    with pytest.raises(ValueError, match="not installed"):
        log_module.board_writer()


def test_a_stream_of_pairs_gets_every_option_of_its_run(tiny, small_shards, monkeypatch):
    given = {}

    def stream(pairs, **options):
        given.clear()
        given.update(options)
        return Stream(pairs, **options)

    monkeypatch.setattr(feed_module, "Stream", stream)
    options = {"seed": 7, "readers": 2, "workers": 3, "buffer": 11, "pairs": 99}
    config = tiny(model="clip", data=small_shards, concepts=None, **options)
    monkeypatch.setattr(MODELS["clip"], "two_views", True)
    feed = feed_module.open_feed(config, 1, 2)
    assert given == {
        **{"size": 16, "batch_size": 48, "lanes": 2, "rank": 1, "world": 2, "seed": 7},
        **{"buffer": 11, "augmentation": config.augmentation, "two_views": True, "levels": 0},
        "workers": 3,
    }
    assert feed.pairs == 99
    assert (feed.fingerprint, feed.compared) == fingerprint(Shards(small_shards))
    assert feed.fingerprint != 0
    assert feed.start().shape == (1, STATE_WIDTH)
    # Where nothing is said: a power of two of readers, and the pairs counted.
    bare = dataclasses.replace(config, model="hycoclip", readers=0, pairs=0)
    assert feed_module.open_feed(bare, 0, 1).pairs == 160
    assert (given["lanes"], given["levels"], given["two_views"]) == (4, 2, False)
    texts = list(feed_module.open_feed(bare, 0, 1).texts())
    pairs = [p for p in Shards(small_shards).in_order() if isinstance(p, Pair)]
    assert texts == [text for p in pairs for text in (*p.captions, *p.general)]
    monkeypatch.setattr(feed_module, "_SAMPLE", 2)
    texts = list(feed_module.open_feed(bare, 0, 1).texts())
    assert texts == [text for p in pairs[:2] for text in (*p.captions, *p.general)]


def test_processes_share_the_batches_of_the_packaged_format_in_their_order(tiny):
    config = tiny(model="clip", seed=5, languages=("en", "de"))
    whole, *parts = (feed_module.open_feed(config, *who) for who in ((0, 1), (0, 2), (1, 2)))
    data, split = load_data(config)
    assert whole.pairs == len(split.train) == 160
    assert whole.mix.languages == ("en", "de")
    assert whole.mix.unspoken == split.unspoken
    assert whole.dataset.augmentation == config.augmentation
    assert not whole.dataset.two_views
    assert (whole.named(), whole.start().shape) == ([], (0, STATE_WIDTH))
    assert whole.texts() == training_texts(data, split, whole.mix)
    step = 2  # the last of an epoch of three, and the first of the next one
    streams = [feed.batches(step, feed.start()) for feed in (whole, *parts)]
    for k in range(2):
        (one, _), (a, _), (b, _) = (next(stream) for stream in streams)
        epoch, place = divmod(step + k, 3)
        order = whole.dataset.order(epoch)[48 * place : 48 * place + 48]
        assert one.index.tolist() == split.train[order].tolist()
        assert torch.equal(torch.cat([a.index, b.index]), one.index)
        assert a.caption + b.caption == one.caption
        assert one.caption == whole.dataset.batch(order, epoch).caption
    two = feed_module.open_feed(dataclasses.replace(config, model="tcl"), 0, 1)
    assert two.dataset.two_views
    names = training_texts(data, split, CaptionMix(languages=("de",)))
    assert data.concepts[data.concept[split.train[0]]].name_in("de") in names


def test_a_folder_is_no_set_of_pictures_to_hold_out_from(tiny, small_shards):
    sentence = f"{small_shards}: expected an .npz of pictures, got a folder"
    with pytest.raises(ValueError, match=sentence):
        load_data(tiny(data=small_shards))


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("epochs", 1, 0),
        ("batch_size", 1, 0),
        ("embed_dim", 1, 0),
        ("save_every", 1, 0),
        ("warmup", 0.0, -0.1),
        ("warmup", 1.0, 1.1),
        ("lr", 1e-9, 0.0),
        ("lr", 1e9, float("inf")),
        ("clip_norm", 1e-9, float("nan")),
        ("clip_norm", 1e9, float("inf")),
        ("weight_decay", 0.0, -1e-9),
        ("weight_decay", 1e9, float("inf")),
        ("betas", (0.0, 0.5), (-0.1, 0.5)),
        ("betas", (0.5, 0.0), (0.5, 1.0)),
        ("ema", 0.0, -0.1),
        ("ema", 0.99, 1.0),
        ("readers", 0, -1),
        ("workers", 0, -1),
        ("pairs", 0, -1),
        ("buffer", 1, 0),
    ],
)
def test_options_at_the_ends_of_their_ranges(tiny, name, good, bad):
    assert getattr(tiny(model="clip", **{name: good}), name) == good
    with pytest.raises(ValueError, match=re.escape(f"{name} is {bad}; expected")):
        tiny(model="clip", **{name: bad})


def test_a_queue_holds_a_batch_or_nothing(tiny):
    for size in (None, 0, 48, 49):
        assert tiny(model="tcl", queue_size=size).queue_size == size
    with pytest.raises(ValueError, match="queue_size is 47 with batch_size 48; expected a queue"):
        tiny(model="tcl", queue_size=47)


def test_batches_are_shared_evenly_and_cut_evenly(tiny):
    config = tiny(model="clip", micro_batch=8)
    for world in (1, 2, 3, 6):
        check_sizes(config, world)
    with pytest.raises(ValueError, match="batch_size is 48 with 5 processes; expected a multiple"):
        check_sizes(config, 5)
    with pytest.raises(ValueError, match="micro_batch is 8 and a process has 12 pairs of a batch"):
        check_sizes(config, 4)
    check_sizes(dataclasses.replace(config, micro_batch=1), 48)
    with pytest.raises(ValueError, match="micro_batch is 0 and a process has 48 pairs"):
        check_sizes(dataclasses.replace(config, micro_batch=0), 1)


def test_runs_differ_by_their_own_options_and_not_by_those_of_the_process(tiny):
    config = tiny()
    same = {"out": Path("x"), "device": "cpu", "save_every": 3, "workers": 1, "tensorboard": True}
    assert differences(config, dataclasses.replace(config, **same, resume=True)) == []
    assert differences(config, dataclasses.replace(config, overwrite=True)) == []
    other = dataclasses.replace(config, seed=3, lr=1.0, readers=2)
    assert differences(config, other) == ["lr", "seed", "readers"]
