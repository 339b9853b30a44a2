"""InfoNCE of the batch of all processes, which goes round them in a ring.

Each process keeps its own rows x. The blocks of y travel: at each step every process has one, reads
the tiles of its x against it, and passes it on. After as many steps as there are processes each
block has met all rows and is home again.

========================  ==========================================  ==========================
                          stays                                       travels with a block of y
========================  ==========================================  ==========================
forwards                  sums of rows                                sums of its columns
backwards                 gradients of x, scale and curvature         gradient of the block
========================  ==========================================  ==========================

Sums over parts of a row or column are put together by :meth:`LineSums.combine`.
"""

from typing import Any

import torch
from torch import Tensor

from ...manifolds import Manifold
from ...manifolds.checks import check_integer
from .info_nce import SoftmaxProblem, check_smoothing, cross_entropy, line_sums
from .logits import Logits, PairOptions, Precision
from .positives import Groups, mask_of, positives_of, weights_of
from .processes import Context, Group, Ring
from .readers import LineSums, PairMask, Positives, SoftmaxReader, SoftmaxSums
from .tables import Gradients, KnownEntries, TiledTable
from .tiled import pull_all, read_all

__all__ = ["ring_info_nce"]


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
        The same scalar in every process; its gradients as ``losses.distributed`` says. Equal to
        ``info_nce(x, y, tile=tile)`` where there is one process.

    Raises:
        ValueError: see :func:`info_nce`.
    """
    where = "ring_info_nce"
    check_smoothing(where, label_smoothing)
    check_integer(where, "tile", tile, 1)
    options = PairOptions(where, manifold, scale, logits, tile, precision, check_finite=False)
    table = options.table(x, y, apart=groups is None)
    positives = positives_of(where, None, groups, table.shape, table.x.device)
    compared = mask_of(where, mask, table.shape)
    shares = weights_of(where, weights, table.shape, symmetric)
    ring = Ring(x.shape[0], x.device, group)
    if groups is None and logits == "inner":
        # Positives are read off the table, as groups (line_sums), of equal number in the whole
        # batch: this process's rows come behind those of the processes before it.
        numbers = torch.arange(x.shape[0], device=x.device) + ring.before
        positives = Positives(groups=(numbers, numbers))
    problem = SoftmaxProblem(table, positives, compared, symmetric, label_smoothing)

    def read(known: KnownEntries | None) -> SoftmaxSums:
        tiled = table.tiled(known)
        # All must agree on float32 or float64: a tile's gradient is found by the process that found
        # its value, but the loss should not depend on who that is.
        tiling = tiled.tiling._replace(dtype=ring.widest(tiled.tiling.dtype))
        tiled = tiled._replace(tiling=tiling)
        work = _Work(ring, tiled, problem)
        results = _RingSums.apply(work, *tiled.tensors())  # type: ignore[no-untyped-call]
        return SoftmaxSums.of(results)

    sums = line_sums(problem, read)
    total: Tensor | float = 0.0
    for line, share in zip(sums[: 1 + symmetric], shares, strict=False):
        losses = cross_entropy(line, label_smoothing)
        own = losses.counted.to(losses.loss.dtype)
        own = own if share is None else own * share.to(own.dtype)
        # The mean is of the whole batch: numerator and denominator are added up over processes.
        both = ring.total(torch.stack([(losses.loss * own).sum(), own.sum().detach()]))
        total = total + both[0] / both[1].detach().where(both[1] > 0, 1.0)
    assert isinstance(total, Tensor)
    return (total / (2 if symmetric else 1)).to(table.x.dtype)


class _Work:
    """One InfoNCE over a ring: what is not a tensor with a gradient."""

    def __init__(self, ring: Ring, table: TiledTable, problem: SoftmaxProblem) -> None:
        self.ring, self.tiling, self.problem = ring, table.tiling, problem

    def luggage(self) -> list[Tensor]:
        """What goes with a block of y: who takes part, and the groups."""
        mask, groups = self.problem.mask, self.problem.positives.groups
        # bool goes as bytes: not every backend sends it.
        taken = [] if mask is None or mask.columns is None else [mask.columns.to(torch.uint8)]
        return taken + ([] if groups is None else [groups[1]])

    def reader(self, luggage: list[Tensor], step: int) -> SoftmaxReader:
        """Of the tiles of this process's x against the block that is here."""
        problem, rest = self.problem, list(luggage)
        mask, positives = problem.mask, problem.positives
        if mask is not None:
            taken = None if mask.columns is None else rest.pop(0).bool()
            mask = PairMask(rows=mask.rows, columns=taken)
        if positives.groups is not None:
            positives = Positives(groups=(positives.groups[0], rest.pop(0)))
        columns = self.ring.sizes[self.ring.owner(step)]
        smoothed = problem.label_smoothing > 0
        return SoftmaxReader(columns, mask, positives, problem.symmetric, smoothed, False)


class _RingSums(torch.autograd.Function):
    """The sums of a whole batch: of this process's rows, and of this process's columns."""

    @staticmethod
    def forward(ctx: Context, work: _Work, *tensors: Tensor | None) -> tuple[Tensor, ...]:
        ring, table = work.ring, TiledTable.of(work.tiling, tensors)
        block, luggage = table.y.detach(), work.luggage()
        rows: LineSums | None = None
        columns: LineSums | None = None  # of the block that is here, over the rows that it has met
        for step in range(ring.world):
            # The next block is on its way while this one is read.
            last = step + 1 == ring.world
            coming = None if last else ring.send([block, *luggage], step)
            reader = work.reader(luggage, step)
            # A row's positive is in the process's own block, the one of step 0.
            here = table._replace(y=block, known=table.known if step == 0 else None)
            found = SoftmaxSums.of(read_all(here, reader))
            rows = found.rows if rows is None else rows.combine(found.rows)
            columns = found.columns if columns is None else columns.combine(found.columns)
            # The sums of its columns go with a block, and come home at the end. Those that nobody
            # asked for are empty: a message of nothing has no length that both sides agree on.
            full = [name for name in LineSums._fields if getattr(columns, name).numel()]
            arrived = ring.send([getattr(columns, name) for name in full], step).wait()
            columns = _put(columns, full, arrived)
            if coming is not None:
                block, *luggage = coming.wait()
        assert rows is not None
        assert columns is not None
        results = SoftmaxSums(rows, columns).tensors()
        ctx.work, ctx.given = work, len(tensors)
        ctx.save_for_backward(*tensors, *results)
        ctx.mark_non_differentiable(*reader.constants(results))
        return tuple(results)

    @staticmethod
    def backward(ctx: Context, *by: Tensor) -> tuple[Any, ...]:
        if torch.is_grad_enabled():
            raise RuntimeError(
                "ring_info_nce was asked for its second derivative (create_graph=True); expected "
                "first derivatives only."
            )
        work: _Work = ctx.work
        ring, saved = work.ring, list(ctx.saved_tensors)
        asked = ctx.needs_input_grad[1:]  # behind work
        table = TiledTable.of(work.tiling, saved[: ctx.given], asked)
        results, gradients = SoftmaxSums.of(saved[ctx.given :]), SoftmaxSums.of(by)
        # With a block go its columns' sums and the gradients by them. (A weight or a count has no
        # gradient, and is not asked for by the reader.)
        of_columns = results.columns, gradients.columns
        names = [n for n in ("lse", "near", "total") if getattr(results.columns, n).numel()]
        luggage, size = work.luggage(), len(names)
        cargo = [table.y.detach(), *luggage]
        cargo += [getattr(line, name) for line in of_columns for name in names]
        by_block = torch.zeros_like(table.y)
        total: Gradients | None = None
        for step in range(ring.world):
            last = step + 1 == ring.world
            coming = None if last else ring.send(cargo, step)
            block, *rest = cargo
            luggage, sums = rest[: len(luggage)], rest[len(luggage) :]
            here = table._replace(y=block, known=table.known if step == 0 else None)
            so_far = results._replace(columns=_put(results.columns, names, sums[:size]))
            by_sums = gradients._replace(columns=_put(gradients.columns, names, sums[size:]))
            reader = work.reader(luggage, step)
            found = pull_all(here, reader, so_far.tensors(), by_sums.tensors(), (True, True))
            assert found.y is not None
            # The gradient of a block is on its way with it, one step behind: it is home after the
            # last.
            (by_block,) = ring.send([by_block + found.y], step).wait()
            total = found if total is None else _sum(total, found)
            if coming is not None:
                cargo = coming.wait()
        assert total is not None
        return None, *total._replace(y=by_block).tensors()


def _put(line: LineSums, names: list[str], sums: list[Tensor]) -> LineSums:
    """The sums of these names in the place of the line's own."""
    return line._replace(**dict(zip(names, sums, strict=True)))


def _sum(one: Gradients, other: Gradients) -> Gradients:
    """Of two blocks. Known entries are in the first alone, and y's go another way."""
    assert one.x is not None
    assert other.x is not None
    return one._replace(
        x=one.x + other.x,
        factors=one.factors + other.factors,
        inner=[a + b for a, b in zip(one.inner, other.inner, strict=True)],
    )
