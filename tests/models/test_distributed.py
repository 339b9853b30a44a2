"""Two processes give the gradients of one."""

import os
import socket

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from spaceforms.models import CLIP, MERU, distributed

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


def _gradients(name: str, rank: int, world: int) -> dict[str, torch.Tensor]:
    model = _model(name)
    rows = slice(rank * BATCH // world, (rank + 1) * BATCH // world)
    x, y, family = (t[rows] for t in _batch())
    image, text = (distributed.gather(p.double()) for p in model(x, y))
    family = distributed.gather(family)
    model.loss(image, text, family[:, None] == family[None]).total.backward()
    distributed.average_gradients(model.parameters())
    return {n: p.grad for n, p in model.named_parameters() if p.grad is not None}


def _work(rank: int, world: int, port: int, name: str, path: str) -> None:
    torch.set_num_threads(1)
    os.environ.update(
        MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port), RANK=str(rank), WORLD_SIZE=str(world)
    )
    assert distributed.start("cpu") == (rank, world)
    try:
        torch.save(_gradients(name, rank, world), f"{path}/{rank}.pt")
        dist.barrier()
    finally:
        distributed.stop()


@pytest.mark.parametrize("name", ["clip", "meru"])
def test_two_gloo_processes_have_the_gradients_of_one(name, tmp_path):
    alone = _gradients(name, 0, 1)
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    mp.spawn(_work, args=(2, port, name, str(tmp_path)), nprocs=2)
    for rank in range(2):
        together = torch.load(tmp_path / f"{rank}.pt", weights_only=True)
        assert together.keys() == alone.keys()
        for key, value in alone.items():
            # The points pass through float32 once; sums are taken in another order.
            torch.testing.assert_close(together[key], value, rtol=1e-5, atol=1e-7)
            assert value.any() or key.startswith("alpha")


def test_without_processes_gathering_is_nothing():
    x = torch.ones(2, requires_grad=True)
    assert distributed.gather(x) is x
    distributed.average_gradients([x])
    assert x.grad is None
