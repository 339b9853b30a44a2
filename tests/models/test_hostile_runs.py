"""Runs, vocabularies and checkpoints that were damaged, swapped or made to harm."""

import dataclasses
import io
import json
import os
import pickle
import resource
import shutil
import signal
import sys
import time
import warnings
import zipfile
from pathlib import Path

import hostile
import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from spaceforms.__main__ import main
from spaceforms.datasets import Shards, write_shards
from spaceforms.models import distributed
from spaceforms.models.encoders.tokenizer import Tokenizer
from spaceforms.models.evaluation.run import load_run
from spaceforms.models.training import checkpoint, loop as train_module
from spaceforms.models.training.checkpoint import (
    CONFIG,
    MODEL,
    STATE,
    TOKENIZER,
)
from spaceforms.models.training.config import TrainConfig
from spaceforms.models.training.loop import train
from spaceforms.models.training.run_folder import own_folder


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """Where a run of an epoch is kept."""
    return tmp_path_factory.mktemp("trained") / "run"


@pytest.fixture
def run(tiny, trained, tmp_path) -> TrainConfig:
    """A run of an epoch, to be harmed."""
    config = tiny(epochs=1, out=trained)
    if not trained.exists():
        assert train(config)
    shutil.copytree(trained, tmp_path / "run")
    return dataclasses.replace(config, out=tmp_path / "run")


def _resumed(config: TrainConfig, **changed) -> TrainConfig:
    return dataclasses.replace(config, resume=True, **changed)


# -- weights --------------------------------------------------------------------------------------
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused_and_named(run, value, capsys):
    weights = load_file(run.out / MODEL)
    weights["image_projection.weight"][0, 0] = value
    save_file(weights, run.out / MODEL)  # without a digest, as by another program
    with pytest.raises(
        ValueError, match=r"model\.safetensors: expected finite weights.*image_proj"
    ):
        load_run(run.out)
    assert main(["evaluate", str(run.out)]) == 1
    assert "expected finite weights" in capsys.readouterr().err
    assert not (run.out / "evaluation.json").exists()


def test_weights_of_another_program_without_a_digest_are_read(run):
    weights = load_file(run.out / MODEL)
    save_file(weights, run.out / MODEL)
    assert torch.equal(
        load_run(run.out).model.state_dict()["image_projection.weight"],
        weights["image_projection.weight"],
    )


@pytest.mark.parametrize("name", [MODEL, STATE])
def test_no_flipped_bit_is_loaded(run, name):
    path = run.out / name
    whole = path.read_bytes()
    wanted = load_file(run.out / MODEL)
    rng = np.random.default_rng(0)
    loaded = 0
    places = (*rng.integers(len(whole), size=24), *range(0, 12, 2), *range(-22, 0, 2))
    for at in places:
        damaged = bytearray(whole)
        damaged[at] ^= 1 << int(rng.integers(8))
        path.write_bytes(damaged)
        try:
            if name == MODEL:
                found = dict(load_run(run.out).model.state_dict())
            else:
                model = load_run(run.out).model
                torch.nn.init.zeros_(model.image_projection.weight)
                optimizer = torch.optim.AdamW(train_module.parameter_groups(model, 0.1))
                checkpoint.load_state(run.out, model, optimizer)
                found = dict(model.state_dict())
        except ValueError as error:
            assert str(path) in str(error)  # noqa: PT017
            continue
        loaded += 1  # in padding, or in a field that says nothing about the numbers
        assert all(torch.equal(found[k], wanted[k]) for k in wanted), at
    assert loaded < len(places) / 2


class Harm:
    """What a pickle would start."""

    def __reduce__(self):
        return os.mkdir, ("harmed",)


def _state(folder: Path, harm: str) -> None:
    path = folder / STATE
    if harm == "a pickle that runs a program":
        path.write_bytes(pickle.dumps(Harm()))
    elif harm == "an archive with a pickle that runs a program":
        torch.save({"step": 1, "model": Harm()}, path)
    elif harm == "a bomb":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("archive/data.pkl", bytes(10**7))
    elif harm == "a link to /dev/zero":
        path.unlink()
        path.symlink_to("/dev/zero")
    elif harm == "moments of another":
        state = torch.load(path, weights_only=True)
        torch.save(state | {"optimizer": {"state": {}, "param_groups": []}}, path)


@pytest.mark.parametrize(
    "harm",
    [
        "a pickle that runs a program",
        "an archive with a pickle that runs a program",
        "a bomb",
        "a link to /dev/zero",
        "moments of another",
    ],
)
def test_a_state_made_to_harm_is_refused(run, harm, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    _state(run.out, harm)
    with pytest.raises((ValueError, OSError), match=r"state\.pt"):
        train(_resumed(run))
    assert not (tmp_path / "harmed").exists()


CONFIGS = {
    "empty": b"",
    "no object": b"[]",
    "nested deep": hostile.DEEP,
    "a number of 10,000 digits": b'{"epochs": ' + b"9" * 10_000 + b"}",
    "not UTF-8": b"\xff\xff",
}
CHANGES = {
    "a billion layers": {"layers": 10**9},
    "widths of a million": {"widths": [2**20, 2**20], "group": 1},
    "pictures a mile wide": {"size": 2**40},
    "half as wide": {"widths": [8, 8]},
}


@pytest.mark.parametrize("name", [*CONFIGS, *CHANGES, "a billion coordinates"])
def test_a_configuration_made_to_harm_is_refused_at_once(run, name):
    path = run.out / CONFIG
    content = CONFIGS.get(name)
    if content is None:
        raw = json.loads(path.read_text())
        raw["image"] |= CHANGES.get(name, {})
        raw["embed_dim"] = 10**9 if name == "a billion coordinates" else raw["embed_dim"]
        content = json.dumps(raw).encode()
    path.write_bytes(content)
    began = time.process_time()
    with pytest.raises(ValueError, match=r"config\.json"):
        load_run(run.out)
    assert time.process_time() - began < 2


# -- vocabularies ---------------------------------------------------------------------------------
def _tokenizer(**parts) -> bytes:
    content = json.loads(Tokenizer.train(["a cat"], vocabulary=300)._backend.to_str())
    content["model"] |= parts.pop("model", {})
    return json.dumps(content | parts).encode()


def _ids() -> dict[str, int]:
    return json.loads(_tokenizer())["model"]["vocab"]


def _renumbered(change: int) -> dict[str, int]:
    ids = _ids()
    return ids | {max(ids, key=ids.__getitem__): change}


PADDING = {"strategy": {"Fixed": 2**40}, "direction": "Right", "pad_to_multiple_of": None}
PADDING |= {"pad_id": 0, "pad_type_id": 0, "pad_token": "<pad>"}
TOKENIZERS = {
    "empty": lambda: b"",
    "no object": lambda: b"{}",
    "nested deep": lambda: hostile.DEEP,
    "padding of a terabyte": lambda: _tokenizer(padding=PADDING),
    "a normaliser of its own": lambda: _tokenizer(
        normalizer={"type": "Prepend", "prepend": "x" * 9}
    ),
    "a splitter of its own": lambda: _tokenizer(pre_tokenizer={"type": "Whitespace"}),
    "no end": lambda: _tokenizer(post_processor=None),
    "no maximal length": lambda: _tokenizer(truncation=None),
    "a length of 10^12": lambda: _tokenizer(truncation={"max_length": 10**12}),
    "an id of 10^12": lambda: _tokenizer(model={"vocab": _renumbered(10**12)}),
    "an id twice": lambda: _tokenizer(model={"vocab": _renumbered(5)}),
    "an id below 0": lambda: _tokenizer(model={"vocab": _renumbered(-1)}),
    "an id that is a text": lambda: _tokenizer(model={"vocab": _renumbered("x")}),
    "bytes missing": lambda: _tokenizer(model={"vocab": {"<pad>": 0, "<end>": 1}, "merges": []}),
    "a merge of what is not there": lambda: _tokenizer(model={"merges": [["zz", "yy"]]}),
    "a merge of three": lambda: _tokenizer(model={"merges": [["a", "b", "c"]]}),
    "not UTF-8": lambda: b"\xff\xff{",
}


@pytest.mark.parametrize("name", TOKENIZERS)
def test_a_vocabulary_made_to_harm_is_refused_at_once(name, tmp_path):
    path = tmp_path / TOKENIZER
    path.write_bytes(TOKENIZERS[name]())
    with pytest.raises(ValueError, match=r"tokenizer\.json: expected a tokenizer's JSON") as caught:
        Tokenizer.load(path)
    assert len(str(caught.value)) < 500


# -- resumption -----------------------------------------------------------------------------------
@pytest.fixture
def stopped(monkeypatch):
    """A function that trains a configuration until a signal comes in its second step."""

    def until(config: TrainConfig, number: int = signal.SIGINT) -> TrainConfig:
        real, calls = train_module.train_step, 0

        def step(*args, **kwargs):
            nonlocal calls
            calls += 1
            if calls == 2:
                os.kill(os.getpid(), number)
            return real(*args, **kwargs)

        with monkeypatch.context() as patch:
            patch.setattr(train_module, "train_step", step)
            assert not train(config)
        return config

    return until


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_sigterm_and_sighup_save_and_say_how_to_go_on_to_the_same_bits(
    tiny, stopped, number, capsys
):
    before = signal.getsignal(number)
    config = stopped(tiny("stopped"), number)
    assert f"Go on with: spaceforms train --out {config.out} --resume" in capsys.readouterr().err
    assert signal.getsignal(number) == before
    assert train(_resumed(config))
    whole = tiny("whole")
    assert train(whole)
    ours, theirs = load_file(config.out / MODEL), load_file(whole.out / MODEL)
    assert all(torch.equal(ours[k], theirs[k]) for k in theirs)


def test_a_signal_that_was_ignored_stays_so(tiny, monkeypatch):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup leaves it
    try:
        with train_module.polite_interrupt() as interrupted:
            os.kill(os.getpid(), signal.SIGHUP)
            assert not interrupted()
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("changed", ["a pixel", "a label", "the name of a concept"])
def test_a_run_is_not_resumed_on_other_arrays(tiny, small_data, tmp_path, stopped, changed):
    pictures, concepts = tmp_path / "p.npz", tmp_path / "c.json"
    for old, new in zip(small_data, (pictures, concepts), strict=True):
        shutil.copy(old, new)
    config = stopped(tiny(data=pictures, concepts=concepts))
    arrays = dict(np.load(pictures))
    if changed == "a pixel":
        arrays["palette"][5, 3, 1] ^= 1
    elif changed == "a label":
        arrays["concept"][0] = 1 - arrays["concept"][0]
    else:
        concepts.write_text(concepts.read_text().replace('"name": "', '"name": "x', 1))
    np.savez(pictures, **arrays)
    with pytest.raises(ValueError, match=r"state\.pt: the run was begun on other data"):
        train(_resumed(config))


@pytest.fixture
def folder(tmp_path) -> Path:
    """A folder of thirty pictures of one size, each with a text."""
    path = tmp_path / "pictures"
    path.mkdir()
    for k in range(30):
        Image.new("RGB", (20, 20), (8 * k, 90, 40)).save(path / f"{k}.bmp")
        (path / f"{k}.txt").write_text(f"number {k}")
    return path


@pytest.mark.parametrize("shards", [False, True])
def test_a_run_is_not_resumed_on_replaced_pictures_and_goes_on_if_data_are_moved(
    tiny, folder, tmp_path, stopped, shards
):
    data = folder
    if shards:
        data = tmp_path / "shards"
        assert main(["shards", "--data", str(folder), "--out", str(data)]) == 0
    config = stopped(tiny(data=data, concepts=None, batch_size=10))
    target = next(data.glob("*.tar")) if shards else data / "7.bmp"
    whole = bytearray(target.read_bytes())
    at = whole.index(b"BM", 3 * 512 if shards else 0) + 54 + 11  # a pixel of a picture, same size
    whole[at] ^= 1
    kept = target.read_bytes()
    target.write_bytes(whole)
    with pytest.raises(ValueError, match="begun on other data"):
        train(_resumed(config))
    target.write_bytes(kept)
    moved = tmp_path / "elsewhere"
    data.rename(moved)
    assert main(["train", "--resume", "--out", str(config.out), "--data", str(moved)]) == 0
    assert load_run(config.out).config.data == moved


def test_of_large_data_it_is_told_how_much_of_them_was_compared(
    tiny, folder, stopped, monkeypatch, capsys
):
    monkeypatch.setattr("spaceforms.datasets.disk._WHOLE", 2**10)
    monkeypatch.setattr("spaceforms.datasets.disk._MOST_READ", 2**19)
    config = stopped(tiny(data=folder, concepts=None, batch_size=10))
    assert "were compared" not in capsys.readouterr().err
    assert train(_resumed(config))
    said = capsys.readouterr().err
    assert f"{folder}: more than 4 GiB: all names and sizes were compared" in said
    assert "and 25.00% of the contents." in said


def test_a_run_is_not_resumed_with_another_tokenizer_or_an_edited_configuration(tiny, stopped):
    config = stopped(tiny())
    kept = {name: (config.out / name).read_bytes() for name in (TOKENIZER, CONFIG)}
    other = json.loads(kept[TOKENIZER])  # of the same size: two tokens have changed their places
    ids = other["model"]["vocab"]
    ids["a"], ids["b"] = ids["b"], ids["a"]
    (config.out / TOKENIZER).write_text(json.dumps(other))
    with pytest.raises(ValueError, match=r"begun with another tokenizer\.json"):
        train(_resumed(config))
    with pytest.raises(ValueError, match=r"tokenizer\.json: expected the tokenizer that the model"):
        load_run(config.out)
    (config.out / TOKENIZER).write_bytes(kept[TOKENIZER])
    edited = kept[CONFIG].replace(b'"lr": 0.002', b'"lr": 0.004')
    (config.out / CONFIG).write_bytes(edited)
    with pytest.raises(ValueError, match=r"begun with another config\.json"):
        train(_resumed(load_run(config.out).config))
    (config.out / CONFIG).write_bytes(kept[CONFIG])
    assert train(_resumed(config))


def test_unequal_data_of_two_processes_are_refused_in_both(monkeypatch):
    def gathered(values, value):
        values[:] = [7, 7, 8]

    monkeypatch.setattr(distributed.dist, "is_initialized", lambda: True)
    monkeypatch.setattr(distributed.dist, "get_world_size", lambda: 3)
    monkeypatch.setattr(distributed.dist, "all_gather_object", gathered)
    with pytest.raises(ValueError, match="data of process 2 are not those of process 0"):
        distributed.check_equal(7, "data")


# -- disks, terminals and other processes ---------------------------------------------------------
class Broken(io.StringIO):
    """A stream whose reader has gone."""

    def write(self, text: str) -> int:
        raise BrokenPipeError(32, "Broken pipe")

    def flush(self) -> None:
        raise BrokenPipeError(32, "Broken pipe")


@pytest.mark.parametrize("stream", [None, Broken(), "closed"])
def test_training_goes_on_where_standard_error_is_gone(tiny, monkeypatch, stream):
    if stream == "closed":
        stream = io.StringIO()
        stream.close()
    monkeypatch.setattr(sys, "stderr", stream)
    assert train(tiny(epochs=1))


def test_two_runs_do_not_train_in_one_folder(run):
    before = {path: path.read_bytes() for path in run.out.iterdir()}
    with own_folder(run.out):
        for again in (_resumed(run), dataclasses.replace(run, overwrite=True)):
            with pytest.raises(FileExistsError, match=f"{run.out}: another process is training"):
                train(again)
    assert {path: path.read_bytes() for path in run.out.iterdir()} == before
    assert train(dataclasses.replace(run, overwrite=True))


def test_a_full_disk_gets_a_sentence_and_leaves_the_last_checkpoint_and_nothing_half(run):
    before = {path: path.read_bytes() for path in run.out.iterdir()}
    state = torch.load(run.out / STATE, weights_only=True)
    model = load_run(run.out).model
    optimizer = torch.optim.AdamW(model.parameters())
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))  # what a quota does: a write fails
    try:
        with pytest.raises(OSError, match=r"model\.safetensors: could not be written: .*--resume"):
            checkpoint.save_state(run.out, model, optimizer, state["step"] + 1)
        with pytest.raises(OSError, match=r"state\.pt: could not be written: .*--resume"):
            checkpoint._write(run.out / STATE, lambda path: torch.save(state, path))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert {path: path.read_bytes() for path in run.out.iterdir()} == before


def test_a_planted_link_is_not_followed(run, tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("mine")
    for name in (STATE, MODEL, CONFIG, TOKENIZER, checkpoint.METRICS):
        (run.out / f"{name}.part").symlink_to(victim)
    assert train(dataclasses.replace(run, overwrite=True))
    assert not list(run.out.glob("*.part"))
    (run.out / checkpoint.METRICS).unlink()
    (run.out / checkpoint.METRICS).symlink_to(victim)
    assert train(_resumed(run))
    assert victim.read_text() == "mine"


# -- copies ---------------------------------------------------------------------------------------
@pytest.mark.parametrize("listed", [False, True])
def test_shards_hold_nothing_from_outside_of_the_folder(folder, tmp_path, capsys, listed):
    secret = tmp_path / "secret.png"
    secret.write_bytes(hostile.GOOD + b"secret picture")
    words = tmp_path / "words"
    words.write_text("secret words")
    (folder / "linked.png").symlink_to(secret)
    if listed:
        names = ["../secret.png", str(secret), "linked.png", "/etc/passwd", "0.bmp", "0.txt"]
        lines = [json.dumps({"file": name, "caption": "a"}) for name in names]
        (folder / "captions.jsonl").write_text("\n".join(lines))
    else:
        (folder / "linked.txt").write_text("a")
        (folder / "0.txt").unlink()
        (folder / "0.txt").symlink_to(words)
        (folder / "1.bmp").write_bytes(b"root:x:0:0:secret")
    out = tmp_path / "out"
    assert main(["shards", "--data", str(folder), "--out", str(out)]) == 0
    content = b"".join(path.read_bytes() for path in out.glob("*.tar"))
    assert b"secret" not in content
    assert b"root:" not in content
    assert Shards(out).count() == (1 if listed else 28)
    told = capsys.readouterr().err
    assert ("5 files refused" in told) == listed
    assert "leads out of the folder" in told
    assert listed or "1 picture unreadable" in told


def test_a_lone_surrogate_is_written_and_read(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        write_shards([("a", ".png", hostile.GOOD, {"caption": "a \ud800 cat"})], tmp_path)
        (pair,) = Shards(tmp_path).in_order()
    assert pair.captions == ("a \ufffd cat",)


# -- numbers that are not finite ------------------------------------------------------------------
@pytest.mark.parametrize("mode", ["stop", "skip"])
def test_a_batch_that_is_not_finite_stops_or_is_left_out_and_its_pair_is_named(
    tiny, monkeypatch, capsys, mode
):
    config, real, calls = tiny(not_finite=mode), train_module.inputs_of, []

    def inputs_of(model, batch, *args, **kwargs):
        calls.append(batch)
        inputs = real(model, batch, *args, **kwargs)
        if batch is calls[min(1, len(calls) - 1)] and len(calls) > 1:  # asked again to name it
            inputs.images[7, 0, 3, 3] = float("nan")
        return inputs

    monkeypatch.setattr(train_module, "inputs_of", inputs_of)
    if mode == "stop":
        with pytest.raises(FloatingPointError, match="step 2: the loss is nan") as caught:
            train(config)
        said = str(caught.value)
    else:
        assert train(config)
        said = capsys.readouterr().err
        (row,) = map(json.loads, (config.out / checkpoint.METRICS).read_text().splitlines())
        assert row["steps left out"] == 1
        assert np.isfinite(row["loss"])
    assert f"the picture of pair 7 ({calls[1].caption[7]!r}) of 48" in said
