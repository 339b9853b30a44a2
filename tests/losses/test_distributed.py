"""Several gloo processes have the loss and the gradients of one."""

import os
import socket
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from processes import spawn

from spaceforms.losses import info_nce, nt_xent
from spaceforms.losses.distributed import gather, ring_info_nce
from spaceforms.manifolds import Lorentz, Manifold, PoincareBall, Product, Sphere

F64 = torch.float64
WIDTH, DIM = 5, 4


class Model(torch.nn.Module):
    """Two linear encoders, a space and a scale, all learnt."""

    def __init__(self, space: Manifold) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.one, self.other, self.scale = (
            torch.nn.Parameter(torch.randn(size, generator=generator, dtype=F64))
            for size in ((WIDTH, DIM), (WIDTH, DIM), ())
        )
        self.space = space.double()

    def forward(self, x, y):
        x, y = self.space.from_normal(x @ self.one / 3), self.space.from_normal(y @ self.other / 3)
        return x, y, {"manifold": self.space, "scale": 3 * self.scale.exp()}


CASES = {
    "Lorentz": (lambda: Lorentz(-0.7, learnable=True), {}),
    "Lorentz, rows": (lambda: Lorentz(-0.7), {"symmetric": False, "label_smoothing": 0.1}),
    "ball, groups": (lambda: PoincareBall(-1.2, learnable=True), {"groups": True}),
    "ball, weights": (
        PoincareBall,
        {"weights": True, "mask": True, "label_smoothing": 0.1, "logits": "neg_sqdist"},
    ),
    "sphere": (Sphere, {"logits": "inner"}),
    "product": (lambda: Product([Lorentz(learnable=True), Sphere()], metric="l1"), {}),
}


def _batch(sizes, options):
    generator = torch.Generator().manual_seed(1)
    total = sum(sizes)
    x, y = (torch.randn(total, WIDTH, generator=generator, dtype=F64) for _ in range(2))
    family = torch.arange(total) % 4
    extra = {k: v for k, v in options.items() if k not in ("groups", "weights", "mask")}
    rows = {
        "groups": (family, family.roll(1)),
        "weights": torch.rand(total, generator=generator, dtype=F64),
        "mask": torch.arange(total) % 5 != 2,
    }
    return x, y, {k: v for k, v in rows.items() if k in options}, extra


def _cut(value, rows):
    return tuple(v[rows] for v in value) if isinstance(value, tuple) else value[rows]


def _averaged(model):
    for p in model.parameters():
        p.grad = torch.zeros_like(p) if p.grad is None else p.grad
        dist.all_reduce(p.grad)
        p.grad /= dist.get_world_size()
    return [p.grad for p in model.parameters()]


def _check(case, sizes, rank):
    make, options = CASES[case]
    x, y, of_rows, extra = _batch(sizes, options)
    alone = Model(make())
    a, b, given = alone(x, y)
    wanted = info_nce(a, b, tile=None, **of_rows, **extra, **given)
    wanted.backward()
    rows = slice(sum(sizes[:rank]), sum(sizes[: rank + 1]))
    for way in ("gather", "ring"):
        model = Model(make())
        a, b, given = model(x[rows], y[rows])
        mine = {k: _cut(v, rows) for k, v in of_rows.items()}
        if way == "ring":
            loss = ring_info_nce(a, b, tile=3, **mine, **extra, **given)
        else:
            every = {
                k: tuple(gather(w) for w in v) if isinstance(v, tuple) else gather(v)
                for k, v in mine.items()
            }
            loss = info_nce(gather(a), gather(b), tile=None, **every, **extra, **given)
        loss.backward()
        torch.testing.assert_close(loss, wanted, rtol=1e-12, atol=1e-12)
        for found, p in zip(_averaged(model), alone.parameters(), strict=True):
            right = torch.zeros_like(p) if p.grad is None else p.grad
            torch.testing.assert_close(
                found, right, rtol=1e-6 if p.dtype == torch.float32 else 1e-11, atol=1e-11
            )


def _work(rank, world, port):
    torch.set_num_threads(1)
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    dist.init_process_group("gloo", rank=rank, world_size=world)
    try:
        _check("Lorentz", [4] * world, rank)
        for case in CASES:
            _check(case, list(range(2, 2 + world)), rank)
        # A gather of none, and of integers.
        some = torch.arange(3 * rank).view(-1, 3)
        assert gather(some).shape == (sum(range(world)), 3)
        # What knows nothing of processes is right on gathered points.
        x = torch.randn(2, 4, generator=torch.Generator().manual_seed(rank), dtype=F64)
        loss = nt_xent(gather(x), gather(-x), manifold=Sphere(), scale=1.0, logits="inner")
        every = loss.new_empty(world)
        dist.all_gather(list(every.split(1)), loss.view(1))
        assert (every == loss).all()
        dist.barrier()
    finally:
        dist.destroy_process_group()
    # A group that anything keeps has threads, which abort a process that ends while they let go of
    # their last tensors.
    assert not [name for name in _threads() if "gloo" in name]


def _threads() -> list[str]:
    """The names of this process's threads, where the system tells (Linux)."""
    return [path.read_text() for path in Path("/proc/self/task").glob("*/comm")]


def _port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


@pytest.mark.parametrize("world", [2, pytest.param(4, marks=pytest.mark.slow)])
def test_gather_and_ring_have_the_gradients_of_one_process(world):
    spawn(_work, args=(world, _port()), nprocs=world)


@pytest.mark.parametrize("case", CASES)
def test_alone_a_ring_is_the_tiled_loss_and_a_gather_is_nothing(case):
    make, options = CASES[case]
    x, y, of_rows, extra = _batch([7], options)
    one, other = Model(make()), Model(make())
    a, b, given = one(x, y)
    assert gather(a) is a
    loss = ring_info_nce(a, b, tile=3, **of_rows, **extra, **given)
    loss.backward()
    a, b, given = other(x, y)
    wanted = info_nce(a, b, tile=3, **of_rows, **extra, **given)
    wanted.backward()
    torch.testing.assert_close(loss, wanted, rtol=1e-13, atol=1e-13)
    for p, q in zip(one.parameters(), other.parameters(), strict=True):
        if q.grad is not None:
            torch.testing.assert_close(p.grad, q.grad, rtol=1e-11, atol=1e-12)
