"""Points and sums of several processes: gathered, added up, and passed on in a ring."""

from typing import Any

import torch
import torch.distributed as dist

# Its functions have as defaults the group that there is when it is imported. Where torch itself
# imports it later, for a product's maps for instance, they keep a group that was destroyed, whose
# threads then let go of their last tensor while Python ends: "terminate called without an active
# exception", in 3 of 13 runs with those threads starved.
import torch.distributed.nn.functional
from torch import Tensor

from ...manifolds.checks import check_real

Context = Any
Group = Any
"""A torch.distributed.ProcessGroup, or None for all processes."""


def gather(x: Tensor, *, group: Group = None) -> Tensor:
    """Rows of all processes in order of rank, with gradients: (B_r, ...) -> (sum of B_r, ...).

    Processes may bring different numbers of rows, or none. The gradient of a process's rows is the
    sum of the gradients that all processes have for them (not those of its own copy alone, as
    ``torch.distributed.all_gather`` and a slice put in would have it). x itself if there is one
    process.
    """
    check_real("gather", "x", x)
    if not dist.is_initialized() or dist.get_world_size(group) == 1:
        return x
    return _Gather.apply(x, group)  # type: ignore[no-any-return, no-untyped-call]


def sizes_of(rows: int, device: torch.device, *, group: Group = None) -> list[int]:
    """The number of rows of each process, in order of rank."""
    mine = torch.tensor([rows], device=device)
    all_ = [torch.empty_like(mine) for _ in range(dist.get_world_size(group))]
    dist.all_gather(all_, mine, group=group)
    return [int(n) for n in all_]


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Context, x: Tensor, group: Group) -> Tensor:
        sizes = sizes_of(x.shape[0], x.device, group=group)
        ctx.sizes, ctx.group = sizes, group
        # all_gather wants one shape of all: shorter batches are padded, and cut again.
        padded = x.new_zeros(max(sizes), *x.shape[1:])
        padded[: x.shape[0]] = x
        parts = [torch.empty_like(padded) for _ in sizes]
        dist.all_gather(parts, padded, group=group)
        return torch.cat([part[:n] for part, n in zip(parts, sizes, strict=True)])

    @staticmethod
    def backward(ctx: Context, gradient: Tensor) -> tuple[Tensor, None]:
        # Everyone's loss depends on everyone's rows. (An all-reduce and a cut, because gloo has no
        # reduce-scatter in the oldest torch supported.)
        gradient = gradient.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(gradient, group=ctx.group)
        rank = dist.get_rank(ctx.group)
        start = sum(ctx.sizes[:rank])
        return gradient[start : start + ctx.sizes[rank]], None


class _Total(torch.autograd.Function):
    """The sum over processes; its gradient the sum of theirs, as in :class:`_Gather`."""

    @staticmethod
    def forward(ctx: Context, x: Tensor, group: Group) -> Tensor:
        ctx.group = group
        total = x.clone()
        dist.all_reduce(total, group=group)
        return total

    @staticmethod
    def backward(ctx: Context, gradient: Tensor) -> tuple[Tensor, None]:
        gradient = gradient.clone()
        dist.all_reduce(gradient, group=ctx.group)
        return gradient, None


class Ring:
    """The processes in a ring, and how many rows each has."""

    def __init__(self, rows: int, device: torch.device, group: Group) -> None:
        self.group = group
        self.alone = not dist.is_initialized() or dist.get_world_size(group) == 1
        self.rank = 0 if self.alone else dist.get_rank(group)
        self.sizes = [rows] if self.alone else sizes_of(rows, device, group=group)
        self.world = len(self.sizes)
        # The rows of the processes before this one: where its own begin in the whole batch.
        self.before = sum(self.sizes[: self.rank])

    def owner(self, step: int) -> int:
        """Whose block is here at a step."""
        return (self.rank - step) % self.world

    def send(self, cargo: list[Tensor], step: int) -> "Passing":
        """Begin to pass what is here at a step on, and to receive what is next."""
        return Passing(self, cargo, step)

    def total(self, x: Tensor) -> Tensor:
        """The sum over processes, with gradients."""
        return x if self.alone else _Total.apply(x, self.group)  # type: ignore[no-untyped-call]

    def widest(self, dtype: torch.dtype) -> torch.dtype:
        """float64 if any process has it."""
        # A dtype is no tensor to send: 1 for float64, and the largest of all decides.
        flag = torch.tensor(int(dtype == torch.float64))
        if not self.alone:
            flag = flag.to(self.device)
            dist.all_reduce(flag, dist.ReduceOp.MAX, group=self.group)
        return torch.float64 if bool(flag) else dtype

    @property
    def device(self) -> torch.device:
        """Where the backend's messages live."""
        nccl = dist.get_backend(self.group) == "nccl"
        return torch.device("cuda", torch.cuda.current_device()) if nccl else torch.device("cpu")


class Passing:
    """Tensors on their way round the ring, each with one row for each point of a block."""

    def __init__(self, ring: Ring, cargo: list[Tensor], step: int) -> None:
        self._requests: list[Any] = []
        self.arrived = cargo
        if ring.alone or not cargo:
            return
        # What comes is the block of the process behind, which may be of another size.
        rows = ring.sizes[ring.owner(step + 1)]
        self.arrived = [t.new_empty(rows, *t.shape[1:]) for t in cargo]
        self._sent = [t.contiguous() for t in cargo]  # alive until they are there
        # Sends and receives are begun together: all processes sending first would wait for each
        # other.
        ahead, behind = ((ring.rank + s) % ring.world for s in (1, -1))
        if ring.group is not None:
            ahead, behind = (dist.get_global_rank(ring.group, r) for r in (ahead, behind))
        operations = [dist.P2POp(dist.isend, t, ahead, ring.group) for t in self._sent]
        operations += [dist.P2POp(dist.irecv, t, behind, ring.group) for t in self.arrived]
        self._requests = dist.batch_isend_irecv(operations)

    def wait(self) -> list[Tensor]:
        """What arrived."""
        for request in self._requests:
            request.wait()
        return self.arrived
