"""A table of all pairs by Triton kernels: :func:`read_all` and :func:`pull_all` of ``tiled``."""

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ...manifolds.kernels.pairs.form import UnitValue
from ...manifolds.kernels.pairs.products import full_precision, leading_bits, noise
from .fused import Operand, operand
from .readers import SigmoidReader, SoftmaxReader, SoftmaxSums
from .tables import Gradients, Reader, TiledTable, chain
from .tile_table import Span, spans

# Rows and columns of a tile, whose gradient is the largest thing here: 128 MB in bfloat16.
SIDE = 8192


class Blocks(NamedTuple):
    """What one program has, and how it goes along the bodies."""

    rows: int
    columns: int
    step: int
    """Bytes of a row of bodies that are in flight at a time."""
    warps: int = 8
    stages: int = 3


# As large as registers allow when compiled for sm_90: of 128 x 128 the backward kernel spills 1,600
# bytes a thread, of 128 x 64 16, and 144 with "split". The forward one spills 592 with "split".
FORWARD = Blocks(128, 128, 128)
BACKWARD = Blocks(128, 64, 128)


def read_all(table: TiledTable, reader: Reader) -> list[Tensor]:
    """The reader's results over the whole table."""
    tiling, x, y, coefficients, _ = table
    with torch.no_grad():
        launch = Launch(table, reader)
        results = reader.start(x.shape[0], y.shape[0], x)
        right = operand(tiling, y, coefficients.inner, right=True)
        for i in spans(x.shape[0], SIDE):
            left = operand(tiling, x[i], coefficients.inner, right=False)
            for j in spans(y.shape[0], SIDE):
                launch.read(results, left, right.rows(j), i, j)
    return results


def pull_all(
    table: TiledTable,
    reader: Reader,
    results: list[Tensor],
    by: list[Tensor],
    needs: tuple[bool, bool],
) -> Gradients:
    """From gradients by the reader's results to those by everything, each tile computed again."""
    tiling, x, y, coefficients, known = table
    tiling = tiling._replace(dtype=torch.float32)
    inner = coefficients.inner
    with torch.no_grad(), full_precision(x.device.type):
        launch = Launch(table, reader)
        right = operand(tiling, y, inner, right=True)
        into = Pulled.start(table, right)
        by_x = torch.empty_like(x) if needs[0] else None
        by_y = torch.empty_like(y) if needs[1] else None
        # A radius or curvature acts through the features of both sides too.
        left_too, right_too = (need or inner[0].requires_grad for need in needs)
        by_right = x.new_zeros(y.shape[0], right.plain.shape[1] + 2)
        factor = launch.factor
        for i in spans(x.shape[0], SIDE):
            left = operand(tiling, x[i], inner, right=False)
            by_left = x.new_zeros(left.plain.shape[0], left.plain.shape[1] + 2)
            for j in spans(y.shape[0], SIDE):
                some = right.rows(j)
                g, of_rows, of_columns = launch.pull(results, by, left, some, i, j, into)
                if left_too:
                    _add_product(by_left, g, some.plain, of_rows)
                if right_too:
                    _add_product(by_right[j], g.T, left.plain, of_columns)
            chain(tiling, x, inner, [by_left.mul_(factor)], [into.number], by_x, i, right=False)
        every = slice(0, y.shape[0])
        chain(tiling, y, inner, [by_right.mul_(factor)], [into.number], by_y, every, right=True)
    by_value = None
    if known is not None and into.known is not None:
        by_value = into.known.to(known.value.dtype)
    return Gradients(by_x, by_y, by_value, into.factor, into.extra, [into.number])


def _add_product(into: Tensor, g: Tensor, bodies: Tensor, of_gaps: Tensor) -> None:
    """into (rows, K + 2) += (g bodies, of_gaps)."""
    if g.dtype == into.dtype:
        into[:, :-2].addmm_(g, bodies)
    else:
        into[:, :-2].add_(g @ bodies)
    into[:, -2:].add_(of_gaps)


def _grid(blocks: Blocks, rows: int, columns: int) -> tuple[int, int]:
    return math.ceil(rows / blocks.rows), math.ceil(columns / blocks.columns)


class Pulled(NamedTuple):
    """Where gradients are added, and the memory of one tile's."""

    tile: Tensor
    known: Tensor | None
    """By the known values."""
    factor: Tensor
    extra: Tensor
    number: Tensor

    @classmethod
    def start(cls, table: TiledTable, right: Operand) -> "Pulled":
        """Nothing added."""
        size = min(SIDE, table.x.shape[0]) * min(SIDE, table.y.shape[0])
        known = None if table.known is None else table.x.new_zeros(table.x.shape[0])
        numbers = (
            table.coefficients.factors,
            table.coefficients.extra,
            table.coefficients.inner[0],
        )
        return cls(right.plain.new_empty(size), known, *(torch.zeros_like(n) for n in numbers))


class Launch:
    """Both kernels on the tiles of one table."""

    def __init__(self, table: TiledTable, reader: object) -> None:
        from ..kernels import tile

        self.kernels: Any = tile
        self.sigmoid = isinstance(reader, SigmoidReader)
        self.symmetric = isinstance(reader, SoftmaxReader) and reader.symmetric
        self.split = table.tiling.fused == "split"
        self.factor, self.bias = (
            table.coefficients.factors.float(),
            table.coefficients.extra.float(),
        )
        self.column = self.value = None
        if table.known is not None:
            self.column, self.value = table.known.column, table.known.value.float()
        (self.term,) = table.tiling.form.terms
        law = self.term.value
        assert isinstance(law, UnitValue)
        self.law = law

    def _arguments(
        self, blocks: Blocks, left: Operand, right: Operand, i: Span, j: Span
    ) -> dict[str, Any]:
        n, law = left.body.shape[1], self.law
        rounding = 4 * torch.finfo(torch.float32).eps
        if self.split:
            rounding = 2 * noise("split", n)
        # The leading bits are products of TF32's 11 bits and less, and exact, but of three
        # coordinates and fewer, which have 12.
        exact = "tf32" if leading_bits(n) <= 11 else "ieee"
        none = self.factor
        return {
            "a": left.body,
            "b": right.body,
            "a_row": left.body.stride(0),
            "b_row": right.body.stride(0),
            "a_rest": left.rest,
            "b_rest": right.rest,
            "rest_row": left.rest.stride(0),
            "a_gaps": left.gaps,
            "b_gaps": right.gaps,
            "a_gap_row": left.gaps.stride(0),
            "b_gap_row": right.gaps.stride(0),
            "factor": self.factor,
            "bias": self.bias,
            "column": none if self.column is None else self.column[i],
            "known": none if self.value is None else self.value[i],
            "first": j.start,
            "rows": left.body.shape[0],
            "columns": right.body.shape[0],
            "K": n,
            "K2": left.rest.shape[1],
            "M": blocks.rows,
            "N": blocks.columns,
            "STEP": blocks.step // left.body.element_size(),
            "PRECISION": exact if self.split else "tf32x3",
            "REST_PRECISION": "tf32x3",
            "SPLIT": self.split,
            "ROUNDING": rounding if self.term.gated else -1.0,
            "NOISE": 4 * torch.finfo(torch.float32).eps,
            "KIND": ("dist", "sqdist", "inner").index(law.kind),
            "SIGN": law.sign,
            "AT": law.at_coincidence,
            "KNOWN": self.column is not None,
            "WIDEN": not left.body.is_cuda,
            "SIGMOID": self.sigmoid,
            "SYMMETRIC": self.symmetric,
            "num_warps": blocks.warps,
            "num_stages": blocks.stages,
        }

    def read(self, results: list[Tensor], left: Operand, right: Operand, i: Span, j: Span) -> None:
        """Add the sums of a tile to the results."""
        rows, columns = left.body.shape[0], right.body.shape[0]
        grid = _grid(FORWARD, rows, columns)
        of_rows = left.gaps.new_empty(grid[1], rows, dtype=torch.float32)
        of_columns = left.gaps.new_empty(grid[0], columns, dtype=torch.float32)
        self.kernels.forward[grid](
            **self._arguments(FORWARD, left, right, i, j), of_rows=of_rows, of_columns=of_columns
        )
        if self.sigmoid:
            results[0][i] += of_rows.sum(0, dtype=results[0].dtype)
            return
        sums = SoftmaxSums.of(results)
        for line, at, found in ((sums.rows, i, of_rows), (sums.columns, j, of_columns)):
            if line.lse.numel():
                lse = found.to(line.lse.dtype).logsumexp(0)
                line.lse[at] = torch.logaddexp(line.lse[at], lse)

    def pull(
        self,
        results: list[Tensor],
        by: list[Tensor],
        left: Operand,
        right: Operand,
        i: Span,
        j: Span,
        into: Pulled,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """G of a tile, and G b_gaps (rows, 2), G^T a_gaps (columns, 2); sums are added."""
        rows, columns = left.body.shape[0], right.body.shape[0]
        grid = _grid(BACKWARD, rows, columns)

        def new(*shape: int) -> Tensor:
            return left.gaps.new_empty(*shape, dtype=torch.float32)

        none = self.factor
        row_lse = column_lse = column_by = none
        if self.sigmoid:
            row_by = by[0][i]
        else:
            sums, by_sums = SoftmaxSums.of(results), SoftmaxSums.of(by)
            row_lse, row_by = sums.rows.lse[i].float(), by_sums.rows.lse[i]
            if self.symmetric:
                column_lse = sums.columns.lse[j].float()
                column_by = by_sums.columns.lse[j].float()
        g = into.tile[: rows * columns].view(rows, columns)
        blocks = grid[0] * grid[1]
        by_factor, by_bias, by_number = new(blocks), new(blocks), new(blocks)
        row_gaps, column_gaps = new(grid[1], 2, rows), new(grid[0], 2, columns)
        self.kernels.backward[grid](
            **self._arguments(BACKWARD, left, right, i, j),
            row_lse=row_lse,
            row_by=row_by.float(),
            column_lse=column_lse,
            column_by=column_by,
            grad=g,
            by_known=none if into.known is None else into.known[i],
            by_factor=by_factor,
            by_bias=by_bias,
            by_number=by_number,
            row_gaps=row_gaps,
            column_gaps=column_gaps,
            CURVED=self.law.curved,
        )
        into.factor.add_(by_factor.sum(dtype=into.factor.dtype))
        if self.sigmoid:
            into.extra.add_(by_bias.sum(dtype=into.extra.dtype))
        if self.law.curved:
            into.number.add_(by_number.sum(dtype=into.number.dtype) * self.factor[0])
        return g, row_gaps.sum(0).T, column_gaps.sum(0).T
