"""Processes that train together: one that is lost, stopped or hangs is named, and all end."""

import dataclasses
import multiprocessing
import os
import shutil
import signal
import socket
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from spaceforms.models import distributed
from spaceforms.models.training import loop as train_module, watch
from spaceforms.models.training.checkpoint import MODEL, STATE
from spaceforms.models.training.config import TrainConfig

# -- in one process, over a store that is a dictionary --------------------------------------------


class Store:
    """What the watch asks of a torch.distributed store."""

    def __init__(self) -> None:
        self.values: dict[str, bytes] = {}
        self.gone = False

    def _check(self) -> None:
        if self.gone:
            raise RuntimeError("Connection reset by peer")

    def set(self, key: str, value: str) -> None:
        self._check()
        self.values[key] = value.encode()

    def check(self, keys: list[str]) -> bool:
        self._check()
        return all(key in self.values for key in keys)

    def get(self, key: str) -> bytes:
        return self.values[key]

    def compare_set(self, key: str, expected: str, desired: str) -> None:
        assert expected == ""
        self.values.setdefault(key, desired.encode())


@pytest.fixture
def processes(monkeypatch):
    """A function (world) -> store and the watches of all processes; periods take 5 ms."""
    monkeypatch.setattr(watch, "PERIOD", 0.005)
    # As if every main thread waited in a collective; and none is ended.
    monkeypatch.setattr(watch, "_in_collective", lambda: True)
    monkeypatch.setattr(watch.os, "_exit", lambda status: None)
    made = []

    def make(world: int) -> tuple[Store, list[watch._Watch]]:
        store = Store()
        made.extend(watch._Watch(rank, world, store, "Go on.") for rank in range(world))
        return store, made

    yield make
    for one in made:
        one.close()
    # A thread that is left would end the tests as soon as the true _exit is back.
    for thread in (thread for one in made for thread in one._threads):
        thread.join(60)
        assert not thread.is_alive()


def _said(capsys, count: int) -> list[str]:
    lines: list[str] = []
    until = time.monotonic() + 10
    while len(lines) < count and time.monotonic() < until:
        time.sleep(0.01)
        lines += capsys.readouterr().err.splitlines()
    return lines


def test_a_process_without_a_sign_of_life_is_named_by_all_others(processes, capsys, monkeypatch):
    _, (_, gone, _) = processes(3)
    time.sleep(0.05)
    gone._saying = True
    monkeypatch.setattr(gone, "_round", lambda: None)
    one, other = _said(capsys, 2)
    assert one == other
    assert one == (
        "spaceforms train: process 1 of 3 gave no sign of life for 20 s: it was killed, has "
        "crashed or is stopped. Go on."
    )


def test_one_that_ends_with_an_error_tells_the_others_why(processes, capsys):
    _, (_, ending) = processes(2)
    ending.tell(OSError("no space\n left."))
    assert _said(capsys, 1) == [
        "spaceforms train: process 1 of 2 has ended: OSError: no space left. Go on."
    ]


def test_a_store_that_is_gone_was_the_first_process_or_what_started_all(
    processes, capsys, monkeypatch
):
    store, (first, _) = processes(2)
    first._saying = True
    store.gone = True
    (line,) = _said(capsys, 1)
    assert line.startswith("spaceforms train: process 0 of 2 gave no sign of life")
    monkeypatch.setenv("TORCHELASTIC_USE_AGENT_STORE", "True")
    store, (*_, another) = processes(2)
    store.gone = True
    assert _said(capsys, 2)[-1].startswith("spaceforms train: torchrun gave no sign of life")
    assert another._lost is not None


def test_one_that_hangs_is_named_with_its_place(processes, monkeypatch):
    _, (waiting, hanging) = processes(2)
    hanging._saying = True
    # The one that asks has come out of its collective, by the error.
    monkeypatch.setattr(watch, "_in_collective", lambda: False)
    said = waiting.explained(RuntimeError("Timed out waiting 600000ms for recv"))
    assert said.startswith("process 1 of 2 hangs: the others waited for it as long as --timeout")
    assert f"{watch.__file__}, line " in said


def test_who_has_finished_is_not_missed(processes, capsys):
    _, (_, done) = processes(2)
    done.close()
    time.sleep(3 * watch.QUIET * watch.PERIOD)
    assert capsys.readouterr().err == ""


# -- with processes -------------------------------------------------------------------------------


def _port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def _child(rank: int, world: int, port: int, config: TrainConfig, harm: str, who: int) -> None:
    torch.set_num_threads(1)
    os.environ.update(
        MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port), RANK=str(rank), WORLD_SIZE=str(world)
    )
    real, calls = train_module.train_step, 0

    def step(*args, **kwargs):
        nonlocal calls
        calls += 1
        if rank == who and calls == 2 and harm:
            (config.out.parent / "harmed").touch()
            if harm == "hang":
                time.sleep(300)
            elif harm == "error":
                raise MemoryError("no memory\nleft.")
            else:
                os.kill(os.getpid(), getattr(signal, harm))
        return real(*args, **kwargs)

    train_module.train_step = step
    sys.stderr = (config.out.parent / f"{rank}.err").open("w", buffering=1)
    try:
        train_module.train(config)
    except (OSError, ValueError, MemoryError) as error:
        print(error, file=sys.stderr)
        sys.exit(1)


def _train(world: int, configs: list[TrainConfig], harm: str = "", who: int = -1) -> list[str]:
    """What the processes wrote; those that were not harmed have ended within 30 s of the harm."""
    context, port = multiprocessing.get_context("spawn"), _port()
    started = [
        context.Process(target=_child, args=(rank, world, port, config, harm, who), daemon=True)
        for rank, config in enumerate(configs)
    ]
    parent = configs[0].out.parent
    for process in started:
        process.start()
    try:
        while harm and not (parent / "harmed").exists():
            time.sleep(0.1)
            alive = all(process.is_alive() for process in started)
            assert alive or (parent / "harmed").exists()
        for rank, process in enumerate(started):
            if rank != who or harm in ("hang", "error"):
                process.join(30 if harm else 120)
                assert process.exitcode is not None, rank
        if harm:
            assert time.time() - (parent / "harmed").stat().st_mtime < 30
    finally:
        for process in started:
            process.kill()
            process.join()
    return [(parent / f"{rank}.err").read_text() for rank in range(world)]


HARMS = {
    "SIGKILL": "gave no sign of life for 8 s: it was killed, has crashed or is stopped. What was",
    "SIGSTOP": "gave no sign of life for 20 s: it was killed, has crashed or is stopped. What was",
    "error": "has ended: MemoryError: no memory left. What was saved in",
    "hang": "hangs: the others waited for it as long as --timeout says. It is in",
}


@pytest.mark.slow
@pytest.mark.parametrize("harm", HARMS)
@pytest.mark.parametrize(("world", "who"), [(2, 0), (2, 1), (4, 2)])
def test_all_end_within_thirty_seconds_and_name_the_lost_one(tiny, world, who, harm):
    config = tiny(timeout=8 if harm == "hang" else 600)
    told = _train(world, [config] * world, harm, who)
    for rank, words in enumerate(told):
        if rank != who:
            assert f"process {who} of {world} {HARMS[harm]}" in words, (rank, words)
            assert "when the cause is mended go on with --resume." in words
    assert not list(config.out.glob("*.part"))
    assert train_module.train(dataclasses.replace(config, resume=True))


@pytest.mark.slow
def test_unequal_data_are_refused_before_the_first_step(tiny, small_data, tmp_path):
    config = tiny()
    other = tmp_path / "other.npz"
    shutil.copy(small_data[0], other)
    with other.open("r+b") as file:  # a pixel of another colour
        import numpy as np

        arrays = dict(np.load(other))
        arrays["palette"][0, 0, 0] ^= 1
        file.seek(0)
        np.savez(file, **arrays)
    told = _train(2, [config, dataclasses.replace(config, data=other)])
    for words in told:
        assert "the data of process 1 are not those of process 0" in words
    assert not config.out.exists()


@pytest.mark.slow
@pytest.mark.parametrize("shards", [False, True])
def test_a_run_goes_on_with_another_number_of_processes(tiny, small_shards, shards, tmp_path):
    data = {"data": Path(small_shards), "concepts": None, "readers": 4} if shards else {}
    alone, split = tiny("alone", **data), tiny("split", **data)
    assert train_module.train(alone)
    # One epoch by two processes, the next by four, the last by one.
    for world, until in ((2, 2), (4, 4)):
        configs = [dataclasses.replace(split, resume=until > 2)] * world
        told = _train(world, configs, "SIGINT", world - 1)
        assert f"Stopped after step {until} of 6" in told[0]
        (tmp_path / "harmed").unlink()
    state = torch.load(split.out / STATE, weights_only=True)
    assert state["step"] == 4
    assert train_module.train(dataclasses.replace(split, resume=True))
    ours, theirs = load_file(split.out / MODEL), load_file(alone.out / MODEL)
    for name, value in theirs.items():
        # Sums are taken in another order, and Adam divides a rounding error of a small gradient
        # by that gradient: a step of the size of the learning rate.
        torch.testing.assert_close(ours[name], value, rtol=1e-2, atol=2e-3, msg=name)


def test_a_number_of_processes_that_cannot_share_the_batches_is_refused(tiny, monkeypatch):
    config = tiny()
    monkeypatch.setattr(distributed, "start", lambda device, timeout: (0, 5))
    with pytest.raises(ValueError, match="batch_size is 48 with 5 processes; expected a multiple"):
        train_module.train(config)


def test_processes_that_do_not_come_get_a_sentence(monkeypatch):
    for name, value in {"RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("MASTER_PORT", str(_port()))
    with pytest.raises(ConnectionError, match=r"process 0: expected all 2 processes .* 1 s"):
        distributed.start("cpu", 1)
