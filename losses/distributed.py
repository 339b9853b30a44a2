"""The only losses and functions that know of processes: all others take the points they are given.

Both ways here give every process the loss of the whole batch, and to its own points W times the
gradient of that, W the number of processes: averaged over processes, as DistributedDataParallel
does, the gradients of all parameters are then those of one process with the whole batch.
"""

from typing import Any

import torch
import torch.distributed as dist

# Its functions have as defaults the group that there is when it is imported. Where torch itself
# imports it later, for a product's maps for instance, they keep a group that was destroyed, whose
# threads then let go of their last tensor while Python ends: "terminate called without an active
# exception", in 3 of 13 runs with those threads starved.
import torch.distributed.nn.functional
from torch import Tensor

from ..manifolds import Manifold
from ..manifolds.checks import check_integer, check_real
from .pairwise.info_nce import Job, check_smoothing, losses_of
from .pairwise.logits import Logits, Precision, table_of
from .pairwise.positives import Groups, compared_of, positives_of, weights_of
from .pairwise.readers import Compared, Positives, SoftmaxReader
from .pairwise.tiled import Entries, Gradients, Numbers, Pairs, pull_all, read_all

__all__ = ["gather", "ring_info_nce"]

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


def ring_info_nce(
    x: Tensor,
    y: Tensor,
    *,
    manifold: Manifold,
    scale: Tensor | float,
    groups: Groups | None = None,
    logits: Logits = "neg_dist",
    symmetric: bool = True,
    tile: int = 512,
    mask: Tensor | None = None,
    weights: Tensor | None = None,
    label_smoothing: float = 0.0,
    precision: Precision = "auto",
    group: Group = None,
) -> Tensor:
    r"""The mean :func:`info_nce` of the batch of all processes, none of which ever holds it.

    The blocks of y go round the ring of processes and meet each other's x, tile by tile, with
    the sums of their columns; the sums of rows stay (after Liu et al. 2023, "Ring Attention", and
    Cheng et al. 2025). The backward pass goes round once more, the gradient of a block
    travelling with it. Memory: the points of three processes.

    Args:
        x: this process's points (B_r, m), at least one; B_r may differ between processes.
        y: this process's points (B_r, m); x_i belongs to y_i.
        manifold: the space of both, of the same curvature in all processes.
        groups: integers (B_r,) of x and of y; points of equal number, of whatever process, belong
            together.
        scale, logits, symmetric, label_smoothing, precision: as in :func:`info_nce`.
        tile: the side of a tile.
        mask: (B_r,) bool, False for padding.
        weights: (B_r,), of rows and of columns.
        group: the processes; all if None.

    Returns:
        The same scalar in every process; its gradients as this module says. Equal to
        ``info_nce(x, y, tile=tile)`` where there is one process.

    Raises:
        ValueError: see :func:`info_nce`.
    """
    where = "ring_info_nce"
    check_smoothing(where, label_smoothing)
    check_integer(where, "tile", tile, 1)
    apart = groups is None and logits != "inner"
    table = table_of(
        where,
        *(x, y),
        manifold=manifold,
        scale=scale,
        logits=logits,
        tile=tile,
        precision=precision,
        apart=groups is None,
        check_finite=False,
    )
    assert table.pairs is not None
    assert table.numbers is not None
    positives = positives_of(where, None, groups, table.shape, table.x.device)
    compared = compared_of(where, mask, table.shape)
    rows_share, columns_share = weights_of(where, weights, table.shape, symmetric)
    ring = Ring(x.shape[0], x.device, group)
    if groups is None and not apart:  # of equal number in the whole batch
        numbers = torch.arange(x.shape[0], device=x.device) + ring.before
        positives = Positives(groups=(numbers, numbers))
    # All must agree: a tile's gradient is found by the process that found its value, but the loss
    # should not depend on who that is.
    pairs = table.pairs._replace(dtype=ring.widest(table.pairs.dtype))
    entries = None
    if apart:
        assert positives.column is not None
        entries = Entries(positives.column, table.of_pairs(table.x, table.y))
    job = Job(table, positives, compared, symmetric, label_smoothing, False, apart)
    column, value = (None, None) if entries is None else entries
    results = _Ring.apply(  # type: ignore[no-untyped-call]
        *(_Work(ring, pairs, job), column, value, table.x, table.y),
        *(table.numbers.factors, *table.numbers.inner),
    )
    of_rows, of_columns = losses_of(job, list(results), entries)
    total: Tensor | float = 0.0
    for losses, share in ((of_rows, rows_share), (of_columns, columns_share)):
        if losses is None:
            continue
        own = losses.counted.to(losses.loss.dtype)
        own = own if share is None else own * share.to(own.dtype)
        both = torch.stack([(losses.loss * own).sum(), own.sum().detach()])
        sums = ring.total(both)
        total = total + sums[0] / sums[1].detach().where(sums[1] > 0, 1.0)
    assert isinstance(total, Tensor)
    return (total / (2 if symmetric else 1)).to(table.x.dtype)


class Ring:
    """The processes in a ring, and how many rows each has."""

    def __init__(self, rows: int, device: torch.device, group: Group) -> None:
        self.group = group
        self.alone = not dist.is_initialized() or dist.get_world_size(group) == 1
        self.rank = 0 if self.alone else dist.get_rank(group)
        self.sizes = [rows] if self.alone else sizes_of(rows, device, group=group)
        self.world = len(self.sizes)
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
        rows = ring.sizes[ring.owner(step + 1)]
        self.arrived = [t.new_empty(rows, *t.shape[1:]) for t in cargo]
        self._sent = [t.contiguous() for t in cargo]  # alive until they are there
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


class _Work:
    """One InfoNCE over a ring."""

    def __init__(self, ring: Ring, pairs: Pairs, job: Job) -> None:
        self.ring, self.pairs, self.job = ring, pairs, job

    def luggage(self) -> list[Tensor]:
        """What goes with a block of y: who takes part, and the groups."""
        job = self.job
        taken = [] if job.compared.columns is None else [job.compared.columns.to(torch.uint8)]
        return taken + ([] if job.positives.groups is None else [job.positives.groups[1]])

    def reader(self, luggage: list[Tensor], step: int) -> SoftmaxReader:
        """Of the tiles of this process's x against the block that is here."""
        job, rest = self.job, list(luggage)
        columns = self.ring.sizes[self.ring.owner(step)]
        taken = None if job.compared.columns is None else rest.pop(0).bool()
        if job.positives.groups is not None:
            positives = Positives(groups=(job.positives.groups[0], rest.pop(0)))
        else:
            positives = Positives(column=job.positives.column)
        compared = Compared(None, job.compared.rows, taken)
        smoothed = job.label_smoothing > 0
        return SoftmaxReader(columns, compared, positives, job.symmetric, smoothed, False)


_COLUMNS = (3, 4, 5, 8, 9)
_SUMS = (1, 2, 6, 7)


class _Ring(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Context,
        work: _Work,
        column: Tensor | None,
        value: Tensor | None,
        x: Tensor,
        y: Tensor,
        factors: Tensor,
        *inner: Tensor,
    ) -> tuple[Tensor, ...]:
        ring = work.ring
        entries = None if column is None or value is None else Entries(column, value)
        numbers = Numbers(factors, factors.new_zeros(()), inner)
        block, luggage = y.detach(), work.luggage()
        rows: list[Tensor] = []
        columns: list[Tensor] = []
        for step in range(ring.world):
            # The next block is on its way while this one is read.
            last = step + 1 == ring.world
            coming = None if last else ring.send([block, *luggage], step)
            reader = work.reader(luggage, step)
            here = entries if step == 0 else None
            found = read_all(work.pairs, reader, x, block, here, numbers)
            if step == 0:
                rows, columns = list(found), [found[k] for k in _COLUMNS]
            else:
                rows[0] = torch.logaddexp(rows[0], found[0])
                for k in _SUMS:
                    rows[k] = rows[k] + found[k]
                columns[0] = torch.logaddexp(columns[0], found[3])
                columns[1:] = [a + found[k] for a, k in zip(columns[1:], _COLUMNS[1:], strict=True)]
            # The sums of its columns go with a block, and come home at the end.
            full = [k for k, c in enumerate(columns) if c.numel()]
            for k, c in zip(full, ring.send([columns[k] for k in full], step).wait(), strict=True):
                columns[k] = c
            if coming is not None:
                block, *luggage = coming.wait()
        for k, c in zip(_COLUMNS, columns, strict=True):
            rows[k] = c
        ctx.work, ctx.known = work, entries is not None
        ctx.terms = len(inner)
        ctx.save_for_backward(*(() if entries is None else entries), x, y, factors, *inner, *rows)
        ctx.mark_non_differentiable(*rows[6:])
        return tuple(rows)

    @staticmethod
    def backward(ctx: Context, *by: Tensor) -> tuple[Any, ...]:
        if torch.is_grad_enabled():
            raise RuntimeError(
                "ring_info_nce was asked for its second derivative (create_graph=True); expected "
                "first derivatives only."
            )
        work: _Work = ctx.work
        ring, saved = work.ring, list(ctx.saved_tensors)
        entries = Entries(saved.pop(0), saved.pop(0)) if ctx.known else None
        x, y, factors = saved[:3]
        asked = ctx.needs_input_grad
        inner = tuple(
            n.detach().requires_grad_(asked[6 + k]) for k, n in enumerate(saved[3 : 3 + ctx.terms])
        )
        numbers = Numbers(factors, factors.new_zeros(()), inner)
        results = saved[3 + ctx.terms :]
        # With a block go its columns' log-sum-exp, the gradients by their sums, and its own.
        full = [k for k in (3, 4, 5) if results[k].numel()]
        luggage = work.luggage()
        block = [y.detach(), *luggage]
        block += [results[k] for k in full] + [by[k] for k in full]
        by_block = torch.zeros_like(y)
        total: Gradients | None = None
        for step in range(ring.world):
            last = step + 1 == ring.world
            coming = None if last else ring.send(block, step)
            start = 1 + len(luggage)
            reader = work.reader(block[1:start], step)
            so_far, gradients = list(results), list(by)
            for n, k in enumerate(full):
                so_far[k] = block[start + n]
                gradients[k] = block[start + len(full) + n]
            here = entries if step == 0 else None
            found = pull_all(
                *(work.pairs, reader, x, block[0], here, numbers),
                *(so_far, gradients, (True, True)),
            )
            assert found.y is not None
            by_block = by_block + found.y
            total = found if total is None else _sum(total, found)
            (by_block,) = ring.send([by_block], step).wait()
            if coming is not None:
                block = coming.wait()
        assert total is not None
        return None, None, total.entries, total.x, by_block, total.factors, *total.inner


def _sum(one: Gradients, other: Gradients) -> Gradients:
    assert one.x is not None
    assert other.x is not None
    return one._replace(
        x=one.x + other.x,
        factors=one.factors + other.factors,
        inner=[a + b for a, b in zip(one.inner, other.inner, strict=True)],
    )
