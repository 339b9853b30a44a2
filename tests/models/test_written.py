"""What is written is whole or not there: full disks, failing writes, kills and signals."""

import contextlib
import dataclasses
import multiprocessing
import os
import random
import resource
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from matplotlib.figure import Figure
from safetensors.torch import load_file

from spaceforms.__main__ import main
from spaceforms.datasets import disk, write_shards
from spaceforms.manifolds import Lorentz
from spaceforms.models.encoders.frozen import Features, save_features
from spaceforms.models.evaluation.figures import saved
from spaceforms.models.evaluation.run import load_run
from spaceforms.models.training import checkpoint, loop as train_module
from spaceforms.models.training.checkpoint import CONFIG, MODEL
from spaceforms.models.training.config import TrainConfig
from spaceforms.models.training.log import Log
from spaceforms.models.training.loop import train
from spaceforms.search import build_index, load_index


@contextlib.contextmanager
def full_disk() -> Iterator[None]:
    """No file can be longer than a few bytes: what a quota does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def _features(path: Path) -> None:
    labels = torch.zeros(3, dtype=torch.int64).numpy()
    save_features(
        Features(torch.zeros(3, 4).numpy(), torch.zeros(1, 4).numpy(), labels, labels), path
    )


def _index(path: Path) -> None:
    space = Lorentz()
    build_index(space, space.from_normal(torch.ones(9, 3))).save(path.parent)


WRITERS: dict[str, Callable[[Path], object]] = {
    "features.npz": _features,
    "curve.png": lambda path: saved(Figure(), path, 50),
    "index.faiss": _index,
    "shard-000000.tar": lambda path: write_shards([("a", ".png", b"x" * 99, {})], path.parent),
    "table.json": lambda path: disk.write_text(path, "x" * 99),
    "metrics.jsonl": lambda path: Log(path, 0).write(step=1, **{f"part {k}": k for k in range(9)}),
}


@pytest.mark.parametrize("name", WRITERS)
def test_a_full_disk_gets_a_sentence_and_leaves_what_was_there(name, tmp_path):
    path = tmp_path / name
    if name not in ("shard-000000.tar", "metrics.jsonl"):  # which begin where nothing is
        WRITERS[name](path)
    before = {p: p.read_bytes() for p in tmp_path.iterdir()}
    with full_disk(), pytest.raises(OSError, match=r"could not be written: [Ff]ile too large"):
        WRITERS[name](path)
    after = {p: p.read_bytes() for p in tmp_path.iterdir()}
    if name == "metrics.jsonl":
        assert len(after.pop(path)) <= 64  # a part of a line, which a reader leaves out
    assert after == before


def test_an_index_that_replaces_another_is_that_one_or_the_old_one(tmp_path, monkeypatch):
    space = Lorentz()
    indexes = [build_index(space, space.from_normal(torch.full((9, 3), k))) for k in (0.5, 1.0)]
    indexes[0].save(tmp_path)
    real, calls = os.replace, []

    def second_fails(*args):
        calls.append(args)
        if len(calls) == 2:
            raise OSError(5, "Input/output error")
        return real(*args)

    monkeypatch.setattr(os, "replace", second_fails)
    with pytest.raises(OSError, match=r"Index.save: .*Input/output error"):
        indexes[1].save(tmp_path)
    with pytest.raises(ValueError, match="its content is not what was saved"):
        load_index(tmp_path)  # of two indexes: not in silence
    assert not list(tmp_path.glob("*.part"))


# -- a file system that fails once ----------------------------------------------------------------
class Failing:
    """The n-th of the calls that a checkpoint makes of the system fails; writers leave a half."""

    def __init__(self, monkeypatch, n: int) -> None:
        self.count, self.n = 0, n
        for module, name in (
            (os, "replace"),
            (os, "fsync"),
            (torch, "save"),
            (checkpoint, "save_file"),
            (Path, "write_text"),
        ):
            monkeypatch.setattr(module, name, self._wrapped(getattr(module, name)))

    def _wrapped(self, call: Callable[..., object]) -> Callable[..., object]:
        def wrapper(*args, **kwargs):
            self.count += 1
            if self.count == self.n:
                path = next((a for a in args if isinstance(a, Path)), None)
                if path is not None and path.name.endswith(".part") and path.exists():
                    path.write_bytes(b"half")
                raise OSError(5, "Input/output error")
            return call(*args, **kwargs)

        return wrapper


def _resumed_or_begun(config: TrainConfig) -> bool:
    return train(dataclasses.replace(config, resume=(config.out / CONFIG).exists()))


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """Where the weights of a run that nothing disturbed are kept."""
    return tmp_path_factory.mktemp("whole") / MODEL


def _check_same(config: TrainConfig, whole: Path) -> None:
    if not whole.exists():
        undisturbed = dataclasses.replace(config, out=whole.parent / "run", resume=False)
        assert train(undisturbed)
        shutil.copy(undisturbed.out / MODEL, whole)
    ours, theirs = load_file(config.out / MODEL), load_file(whole)
    assert all(torch.equal(ours[k], theirs[k]) for k in theirs)
    assert not list(config.out.glob("*.part"))


def _fail_and_go_on(tiny, whole, n: int) -> bool:
    """Whether the n-th call came at all."""
    config = tiny(save_every=1)
    with pytest.MonkeyPatch.context() as patch:
        failing = Failing(patch, n)
        try:
            assert train(config)
        except OSError as error:
            assert f"{config.out}" in str(error)  # noqa: PT017
            assert "could not be written: input/output error" in str(error)  # noqa: PT017
        else:
            assert failing.count < n
            return False
    assert not list(config.out.glob("*.part"))
    if (config.out / CONFIG).exists():
        load_run(config.out)
    assert _resumed_or_begun(config)
    _check_same(config, whole)
    return True


@pytest.mark.parametrize("n", [5, 17])
def test_a_write_that_fails_leaves_a_run_that_goes_on_to_the_same_bits(tiny, whole, n):
    assert _fail_and_go_on(tiny, whole, n)


@pytest.mark.slow
def test_every_write_may_fail(tiny, whole):
    n = 1
    while _fail_and_go_on(tiny, whole, n):
        shutil.rmtree(tiny().out)
        n += 1
    assert n > 20


# -- kills and signals ----------------------------------------------------------------------------
def _train(config: TrainConfig) -> None:
    torch.set_num_threads(1)
    # Neither the progress bar nor its end is of interest.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    train(config)


@pytest.mark.slow
def test_a_run_killed_fifty_times_goes_on_to_the_same_bits(tiny, whole, capsys):
    config = tiny(save_every=1)
    _check_same_after = dataclasses.replace(config)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["spaceforms.models.training.loop", "spaceforms.datasets"])
    draw = random.Random(int(os.environ.get("SPACEFORMS_FUZZ_SEED", "0")))
    kills = finished = 0
    while kills < 50:
        if config.out.exists() and finished:
            shutil.rmtree(config.out)
            finished = False
        resume = (config.out / CONFIG).exists()
        process = context.Process(target=_train, args=(dataclasses.replace(config, resume=resume),))
        process.start()
        process.join(draw.uniform(0.1, 4))
        if process.is_alive():
            process.kill()
            process.join()
            kills += 1
            if (config.out / CONFIG).exists():
                load_run(config.out)
        else:
            assert process.exitcode == 0
            finished = True
            _check_same(_check_same_after, whole)
    assert _resumed_or_begun(config)
    _check_same(config, whole)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("at", ["build_model", "begin_run", "tqdm"])
def test_a_signal_before_the_first_step_stops_and_says_what_was_saved(
    tiny, monkeypatch, capsys, number, at
):
    before = signal.getsignal(number)
    config, real = tiny(), getattr(train_module, at)

    def signalled(*args, **kwargs):
        os.kill(os.getpid(), number)
        time.sleep(0.1)  # for the handler
        return real(*args, **kwargs)

    monkeypatch.setattr(train_module, at, signalled)
    monkeypatch.setattr("spaceforms.models.cli._parse", lambda *args: config)
    assert main(["train", "--out", str(config.out)]) == 130
    said = capsys.readouterr().err
    if at == "tqdm":
        assert (
            f"stopped; go on from what was saved with: spaceforms train --out {config.out}" in said
        )
    else:
        assert "spaceforms train: stopped; nothing was saved yet." in said
    assert signal.getsignal(number) == before
    monkeypatch.undo()
    assert _resumed_or_begun(config)


def test_a_folder_that_is_deleted_while_it_is_trained_into_gets_a_sentence(tiny, monkeypatch):
    config, real = tiny(save_every=1), train_module.train_step

    def step(*args, **kwargs):
        shutil.rmtree(config.out, ignore_errors=True)
        return real(*args, **kwargs)

    monkeypatch.setattr(train_module, "train_step", step)
    with pytest.raises(
        OSError, match=r"run/model\.safetensors: could not be written: no such file"
    ):
        train(config)
    assert not config.out.exists()
