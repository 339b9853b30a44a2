"""Two processes give the gradients of one."""

import dataclasses
import itertools
import json
import os
import signal
import socket
import sys

import pytest
import torch
import torch.distributed as dist
from processes import spawn

from spaceforms.models import CLIP, MERU, distributed
from spaceforms.models.batch import Inputs
from spaceforms.models.training import loop as train_module
from spaceforms.models.training.checkpoint import METRICS, STATE
from spaceforms.models.training.config import TrainConfig
from spaceforms.models.training.step import gradients

BATCH, WIDTH, DIM = 6, 5, 4


class _Linear(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.width = WIDTH
        self.layer = torch.nn.Linear(7, WIDTH).double()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x)


def _model(name: str) -> torch.nn.Module:
    torch.manual_seed(0)
    kind = {"clip": CLIP, "meru": MERU}[name]
    return kind(_Linear(), _Linear(), embed_dim=DIM).double()


def _batch() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(BATCH, 7, generator=generator, dtype=torch.float64)
    y = torch.randn(BATCH, 7, generator=generator, dtype=torch.float64)
    return x, y, torch.tensor([0, 1, 2, 0, 3, 4])


def _gradients(
    name: str, rank: int, world: int, micro_batch: int | None = None
) -> dict[str, torch.Tensor]:
    model = _model(name)
    rows = slice(rank * BATCH // world, (rank + 1) * BATCH // world)
    inputs = Inputs(*(t[rows] for t in _batch()))
    gradients(model, inputs, micro_batch=micro_batch)
    distributed.average_gradients(model.parameters())
    return {n: p.grad for n, p in model.named_parameters() if p.grad is not None}


def _join(rank: int, world: int, port: int) -> None:
    torch.set_num_threads(1)
    os.environ.update(
        MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port), RANK=str(rank), WORLD_SIZE=str(world)
    )


def _port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def _work(rank: int, world: int, port: int, name: str, path: str) -> None:
    _join(rank, world, port)
    assert distributed.start("cpu") == (rank, world)
    try:
        for micro in (None, 1):
            torch.save(_gradients(name, rank, world, micro), f"{path}/{rank}-{micro}.pt")
        assert distributed.from_first(lambda: 7 + rank) == 7
        assert distributed.joined(["both", str(rank)]) == ["both", "0", "1"]
        dist.barrier()
    finally:
        distributed.stop()


@pytest.mark.parametrize("name", [pytest.param("clip", marks=pytest.mark.slow), "meru"])
def test_two_gloo_processes_have_the_gradients_of_one(name, tmp_path):
    alone = _gradients(name, 0, 1)
    spawn(_work, args=(2, _port(), name, str(tmp_path)), nprocs=2)
    for rank, micro in itertools.product(range(2), (None, 1)):
        together = torch.load(tmp_path / f"{rank}-{micro}.pt", weights_only=True)
        assert together.keys() == alone.keys()
        for key, value in alone.items():
            # The points pass through float32 once; sums are taken in another order.
            torch.testing.assert_close(together[key], value, rtol=1e-5, atol=1e-7)
            assert value.any() or key.startswith("alpha")


def _interrupted(rank: int, world: int, port: int, config: TrainConfig) -> None:
    _join(rank, world, port)
    real, calls = train_module.train_step, 0

    def step(*args, **kwargs):
        nonlocal calls
        calls += 1
        if rank == 1 and calls == 2:
            os.kill(os.getpid(), signal.SIGINT)
        if rank == 0 and calls == 3:
            raise AssertionError("rank 0 went on alone")
        return real(*args, **kwargs)

    train_module.train_step = step
    with (config.out.parent / f"{rank}.err").open("w") as sys.stderr:
        assert not train_module.train(config)


def test_ctrl_c_in_one_process_stops_all_at_one_step_and_is_told_once(tiny):
    config = tiny()
    spawn(_interrupted, args=(2, _port(), config), nprocs=2)
    assert torch.load(config.out / STATE, weights_only=True)["step"] == 2
    told = [(config.out.parent / f"{rank}.err").read_text() for rank in range(2)]
    assert "Stopped after step 2 of 6 and saved." in told[0]
    assert told[1] == ""
    assert train_module.train(dataclasses.replace(config, resume=True))


def _trained(rank: int, world: int, port: int, config: TrainConfig) -> None:
    _join(rank, world, port)
    with (config.out.parent / f"{rank}.err").open("w") as sys.stderr:
        assert train_module.train(config)


def test_two_processes_train_on_shards_like_one(tiny, small_shards):
    data = small_shards.parent / (small_shards.name + "/shard-{000000..000006}.tar")
    alone, pair = (tiny(name, data=data, concepts=None) for name in ("alone", "pair"))
    assert train_module.train(alone)
    spawn(_trained, args=(2, _port(), dataclasses.replace(pair, micro_batch=12)), nprocs=2)
    rows = [
        [json.loads(line) for line in (config.out / METRICS).read_text().splitlines()]
        for config in (alone, pair)
    ]
    assert len(rows[0]) == len(rows[1]) == 1  # the last of six steps
    for name, value in rows[0][0].items():
        if name != "pairs_per_second":
            # float32, and Adam divides a rounding error of a small gradient by that gradient.
            assert rows[1][0][name] == pytest.approx(value, rel=1e-3), name
    states = [torch.load(c.out / STATE, weights_only=True)["data"] for c in (alone, pair)]
    assert torch.equal(*states)
    told = [(pair.out.parent / f"{rank}.err").read_text() for rank in range(2)]
    assert "shards missing" in told[0]
    assert "shard-000006.tar" in told[0]
    assert told[1] == ""


def test_without_processes_gathering_is_nothing():
    x = torch.ones(2, requires_grad=True)
    assert distributed.gather(x) is x
    assert distributed.any_of(True, "cpu") is True
    distributed.average_gradients([x])
    assert x.grad is None
