"""The table of all pairs a tile at a time: read once, and computed again for the gradient.

A table of B x C logits does not fit in memory where B and C are tens of thousands, but it is only a
means: a loss wants sums over its rows and columns. So one tile is made at a time, a
:class:`Reader` adds what it needs of it to its results, and the tile is dropped. The backward pass
makes each tile again and asks the reader for the gradient by its entries.

Letters: i and j are the rows and columns of a tile, slices of 0..B and 0..C; g is a gradient by a
tile's entries.
"""

from typing import Any, NamedTuple, Self

import torch
from torch import Tensor

from ...manifolds.kernels.arithmetic.ranges import can_look
from ...manifolds.kernels.pairs.products import full_precision
from . import fused_sweep
from .fused import is_plain
from .tables import Gradients, KnownEntries, Reader, TiledTable, chain, within
from .tile_table import Span, Tiling, haversines, spans, strips, table_of, whole_side

NO_SECOND = (
    "The tiled form of a loss was asked for its second derivative (create_graph=True); expected "
    "first derivatives only: pass tile=None for the dense form."
)
Context = Any


def read_all(table: TiledTable, reader: Reader) -> list[Tensor]:
    """The reader's results over the whole table."""
    if table.tiling.fused is not None and is_plain(reader):
        return fused_sweep.read_all(table, reader)
    tiling, x, y, coefficients, known = table
    with torch.no_grad(), full_precision(x.device.type):
        results = reader.start(x.shape[0], y.shape[0], x)
        # The features of y are needed once for every block of rows and are kept, C (n + 2)
        # numbers; those of x are needed once.
        right = whole_side(tiling, y, coefficients.inner, right=True)
        for i in spans(x.shape[0], tiling.side):
            left = whole_side(tiling, x[i], coefficients.inner, right=False)
            for j in spans(y.shape[0], tiling.side):
                h = haversines(tiling, left, right.rows(j))
                near = _near(known, i, j)
                for s in strips(h[0]):
                    tile, _ = table_of(tiling, [whole[s] for whole in h], coefficients)
                    at = within(i, s)
                    if near is not None:
                        Known.of(near, at, j, tile).put(tile)
                    reader.read(results, tile, at, j, coefficients.extra)
    return results


def pull_all(
    table: TiledTable,
    reader: Reader,
    results: list[Tensor],
    by: list[Tensor],
    needs: tuple[bool, bool],
) -> Gradients:
    """From gradients by the reader's results to those by everything, each tile computed again.

    ``needs`` says whether those by x and by y are wanted: each costs a matrix product a tile.
    """
    if table.tiling.fused is not None and is_plain(reader):
        return fused_sweep.pull_all(table, reader, results, by, needs)
    tiling, x, y, coefficients, known = table
    inner = coefficients.inner
    with torch.no_grad(), full_precision(x.device.type):
        by_x = torch.empty_like(x) if needs[0] else None
        by_y = torch.empty_like(y) if needs[1] else None
        by_value = None if known is None else torch.zeros_like(known.value)
        by_factors = torch.zeros_like(coefficients.factors)
        by_extra = torch.zeros_like(coefficients.extra)
        by_inner = [torch.zeros_like(n) for n in inner]
        right = whole_side(tiling, y, inner, right=True)
        # Gradients go to features first, which is one product a tile, and from features to points
        # once a block (_chain). A row's block is finished when its tiles are; a column's gets
        # something from every block of rows and waits for the end.
        by_right = [torch.zeros_like(b) for b in right.plain]
        # A term's factor is put before the sums over tiles, not before each of their entries.
        factors = coefficients.factors.to(tiling.dtype)
        for i in spans(x.shape[0], tiling.side):
            left = whole_side(tiling, x[i], inner, right=False)
            by_left = [torch.zeros_like(a) for a in left.plain]
            for j in spans(y.shape[0], tiling.side):
                some = right.rows(j)
                h = haversines(tiling, left, some)
                near = _near(known, i, j)
                for s in strips(h[0]):
                    strip, at = [whole[s] for whole in h], within(i, s)
                    tile, back = table_of(tiling, strip, coefficients)
                    own = None if near is None else Known.of(near, at, j, tile)
                    before = None if own is None else own.put(tile)
                    g, extra = reader.weigh(tile, at, j, results, by, coefficients.extra)
                    if extra is not None:
                        by_extra += extra
                    if own is not None:
                        # The gradient of a known entry is its value's. The product there was not
                        # used and gets none; its value is put back, the slope being that of the
                        # product.
                        assert by_value is not None
                        assert before is not None
                        by_value[at] += own.cut(g).to(by_value.dtype)
                        own.take(tile, before)
                    for k, found in enumerate(back(g)):
                        if found.factor is not None:
                            by_factors[k] += found.factor
                        if found.number is not None:
                            by_inner[k] += found.number * factors[k]
                        # h is not read again: its memory takes the gradient by it.
                        strip[k].copy_(found.h)
                for k, by_h in enumerate(h):
                    # A radius or curvature acts through the features of both sides too.
                    if needs[0] or inner[k].requires_grad:
                        by_left[k].addmm_(by_h, some.plain[k])
                    if needs[1] or inner[k].requires_grad:
                        by_right[k][j].addmm_(by_h.T, left.plain[k])
            for b, factor in zip(by_left, factors, strict=True):
                b.mul_(factor)
            chain(tiling, x, inner, by_left, by_inner, by_x, i, right=False)
        # These features, and their gradients which are still needed, are the largest tensors here.
        del right
        for b, factor in zip(by_right, factors, strict=True):
            b.mul_(factor)
        every = slice(0, y.shape[0])
        chain(tiling, y, inner, by_right, by_inner, by_y, every, right=True)
    return Gradients(by_x, by_y, by_value, by_factors, by_extra, by_inner)


def _near(known: KnownEntries | None, i: Span, j: Span) -> KnownEntries | None:
    """The known entries; None where they are seen to be in no row i and column j."""
    if known is None or not can_look(known.column):
        return known
    column = known.column[i]
    return known if bool(((column >= j.start) & (column < j.stop)).any()) else None


class Known(NamedTuple):
    """The known entries of a tile, one of each row or none; found without a look at the columns."""

    row: Tensor
    """0, 1, ... of the tile."""
    column: Tensor
    """Of the tile; any where the row has none here."""
    here: Tensor
    """(rows,) bool."""
    value: Tensor

    @classmethod
    def of(cls, known: KnownEntries, i: Span, j: Span, tile: Tensor) -> Self:
        """Those in rows i and columns j."""
        column = known.column[i]
        # -1, for no entry, is before every tile.
        here = (column >= j.start) & (column < j.stop)
        at = (column - j.start).clamp(0, j.stop - j.start - 1)
        row = torch.arange(column.shape[0], device=column.device)
        return cls(row, at, here, known.value[i].to(tile.dtype))

    def put(self, tile: Tensor) -> Tensor:
        """Put the values into a tile; returns what was there, for :meth:`take`."""
        before = tile[self.row, self.column]
        tile[self.row, self.column] = torch.where(self.here, self.value, before)
        return before

    def take(self, tile: Tensor, before: Tensor) -> None:
        """Undo :meth:`put`."""
        tile[self.row, self.column] = before

    def cut(self, g: Tensor) -> Tensor:
        """Of a gradient by the tile that by the values, (rows,), in whose place it gets 0."""
        own = g[self.row, self.column]
        g[self.row, self.column] = own.where(~self.here, 0.0)
        return own.where(self.here, 0.0)


class _Sweep(torch.autograd.Function):
    """:func:`read_all` forwards and :func:`pull_all` backwards."""

    @staticmethod
    def forward(
        ctx: Context, tiling: Tiling, reader: Reader, *tensors: Tensor | None
    ) -> tuple[Tensor, ...]:
        results = read_all(TiledTable.of(tiling, tensors), reader)
        ctx.work, ctx.given = (tiling, reader), len(tensors)
        ctx.save_for_backward(*tensors, *results)
        ctx.mark_non_differentiable(*reader.constants(results))
        return tuple(results)

    @staticmethod
    def backward(ctx: Context, *by: Tensor) -> tuple[Any, ...]:
        if torch.is_grad_enabled():
            raise RuntimeError(NO_SECOND)
        tiling, reader = ctx.work
        saved = list(ctx.saved_tensors)
        tensors, results = saved[: ctx.given], saved[ctx.given :]
        asked = ctx.needs_input_grad[2:]  # behind tiling and reader
        table = TiledTable.of(tiling, tensors, asked)
        # x and y are the third and fourth of the tensors.
        found = pull_all(table, reader, results, list(by), (asked[2], asked[3]))
        return None, None, *found.tensors()


def sweep(table: TiledTable, reader: Reader) -> list[Tensor]:
    """:func:`read_all` with gradients."""
    results: tuple[Tensor, ...] = _Sweep.apply(  # type: ignore[no-untyped-call]
        table.tiling, reader, *table.tensors()
    )
    return list(results)
