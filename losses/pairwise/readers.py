"""What the losses read off the table of all pairs, whole or tile by tile.

Two readers of one table of logits l (B, C): :class:`SoftmaxReader`, for losses that compare the
entries of a row or column with each other, and :class:`SigmoidReader`, for those that take each
entry by itself. Each has the same sums twice: ``whole``, of a table in memory, which autograd
differentiates, and ``start``, ``read`` and ``weigh``, tile by tile with the gradient written out
(:class:`spaceforms.losses.pairwise.tables.Reader`). Tests hold the one against the other.

Letters: i and j are the rows and columns of a tile; ``axis`` is the one summed over, 1 for a sum
of each row and 0 for one of each column.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

import torch
from torch import Tensor

from ...manifolds.kernels.arithmetic.ranges import all_below, can_look
from ...manifolds.kernels.pairs.products import widest
from .tile_table import Span

ALL = slice(None)


@dataclass(frozen=True)
class PairMask:
    """Which pairs are compared; None leaves nobody out."""

    pairs: Tensor | None = None
    """(B, C) bool."""
    rows: Tensor | None = None
    """(B,) bool."""
    columns: Tensor | None = None
    """(C,) bool."""
    skip: Tensor | None = None
    """(B,), one column that each row is not compared with, such as itself."""

    def tile(self, i: Span, j: Span, columns: int) -> Tensor | None:
        """Of a tile, bool, or None for all of it; the table has so many columns."""
        kept = None if self.pairs is None else self.pairs[i, j]
        if self.rows is not None:
            kept = _both(kept, self.rows[i, None])
        if self.columns is not None:
            kept = _both(kept, self.columns[None, j])
        if self.skip is not None:
            index = torch.arange(columns, device=self.skip.device)[j]
            kept = _both(kept, self.skip[i, None] != index)
        return kept

    def of_pairs(self, column: Tensor) -> Tensor:
        """Whether row i is compared with its own of these columns, (B,)."""
        kept = torch.ones_like(column, dtype=torch.bool)
        if self.pairs is not None:
            kept = kept & self.pairs.gather(1, column[:, None]).squeeze(1)
        if self.rows is not None:
            kept = kept & self.rows
        if self.columns is not None:
            kept = kept & self.columns[column]
        if self.skip is not None:
            kept = kept & (self.skip != column)
        return kept


@dataclass(frozen=True)
class Positives:
    """Which pairs belong together, by how much; one of the three."""

    table: Tensor | None = None
    """(B, C)."""
    groups: tuple[Tensor, Tensor] | None = None
    """(B,) and (C,): those of equal number."""
    column: Tensor | None = None
    """(B,), -1 for none."""
    diagonal: bool = False
    """Whether row i has column i."""
    refused: Tensor | None = None
    """(B,) bool, rows whose column there is not: their loss is NaN. None where somebody looked."""

    def tile(self, i: Span, j: Span, dtype: torch.dtype) -> Tensor | None:
        """Weights of a tile; None where they are known by ``column``."""
        if self.table is not None:
            return self.table[i, j].to(dtype)
        if self.groups is not None:
            return (self.groups[0][i, None] == self.groups[1][None, j]).to(dtype)
        return None


class LineSums(NamedTuple):
    """Sums over each row (or each column) of the table l; empty where not asked for."""

    lse: Tensor
    """log of the sum of e^l over what is compared."""
    near: Tensor
    """Sum of positive weight times l."""
    total: Tensor
    """Sum of l."""
    mass: Tensor
    """Sum of positive weights."""
    number: Tensor
    """How many are compared."""

    def with_positives(self, near: Tensor, mass: Tensor) -> "LineSums":
        """The same with other positives. (Torch 2.6 compiles no ``_replace``.)"""
        return LineSums(self.lse, near, self.total, mass, self.number)

    def combine(self, other: Self) -> Self:
        """The sums over two parts of the lines, from those over each."""
        lse = torch.logaddexp(self.lse, other.lse)
        rest = (a + b for a, b in zip(self[1:], other[1:], strict=True))
        return type(self)(lse, *rest)


class SoftmaxSums(NamedTuple):
    """What a softmax loss is made of."""

    rows: LineSums
    columns: LineSums
    """All empty where the loss is of rows only."""

    @classmethod
    def of(cls, results: Sequence[Tensor]) -> Self:
        """From the list that autograd functions give, the tensors of the rows first."""
        size = len(LineSums._fields)
        return cls(LineSums(*results[:size]), LineSums(*results[size:]))

    def tensors(self) -> list[Tensor]:
        """That list."""
        return [*self.rows, *self.columns]


@dataclass(frozen=True)
class SoftmaxReader:
    """Reads :class:`SoftmaxSums`."""

    columns: int
    """C."""
    mask: PairMask | None
    positives: Positives
    """If by ``column``, ``near`` and ``mass`` stay empty: who knows them puts them in."""
    symmetric: bool
    """Whether columns are asked for."""
    smoothed: bool
    """Whether ``total`` and ``number`` are asked for."""
    decoupled: bool
    """Whether positives are left out of ``lse``."""

    def whole(self, table: Tensor) -> SoftmaxSums:
        """Of a table that fits in memory, differentiable as torch has it."""
        kept = among = weights = None
        # Plain InfoNCE has nothing to choose: all are compared, and the positives known by column.
        if self.mask is not None or self.positives.column is None or self.decoupled:
            kept, among, weights = self._chosen(table, ALL, ALL)
        l = table if kept is None else table.where(kept, 0.0)
        found = []
        for axis in (1, 0)[: 1 + self.symmetric]:
            read = table
            if among is not None:
                # logsumexp over an empty set is -inf with gradient NaN, so that lines without any
                # compared pair are read unmasked, and their -inf is filled in below.
                some = among.expand_as(table).any(axis, keepdim=True)
                read = table.masked_fill(~among & some, -torch.inf)
            lse = read.logsumexp(axis)
            if among is not None:
                lse = lse.where(some.squeeze(axis), -torch.inf)
            near = total = mass = number = lse[:0]
            if weights is not None:
                near, mass = (l * weights).sum(axis), weights.sum(axis)
            if self.smoothed:
                every = torch.ones_like(table) if kept is None else kept.expand_as(table)
                total, number = l.sum(axis), every.sum(axis).to(table.dtype)
            found.append(LineSums(lse, near, total, mass, number))
        if not self.symmetric:
            empty = lse[:0]
            found.append(LineSums(empty, empty, empty, empty, empty))
        return SoftmaxSums(*found)

    def _chosen(
        self, tile: Tensor, i: Span, j: Span
    ) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        """(compared, of those in the softmax, weights of positives) of a tile.

        None for all of it, and for weights that are known by column.
        """
        kept = None if self.mask is None else self.mask.tile(i, j, self.columns)
        weights = self.positives.tile(i, j, tile.dtype)
        if weights is not None and kept is not None:
            # What is not compared is no positive either.
            weights = weights * kept
        among = kept
        if self.decoupled:
            if weights is not None:
                away = weights <= 0
            else:
                assert self.positives.column is not None
                index = torch.arange(self.columns, device=tile.device)[j]
                away = self.positives.column[i, None] != index
            among = _both(kept, away)
        return kept, among, weights

    def start(self, rows: int, columns: int, like: Tensor) -> list[Tensor]:
        """Nothing read."""

        def empty(size: int, asked: bool, value: float = 0.0) -> Tensor:
            # Sums are float64 whatever the tiles are, where there is one: a row of 1e5 logits is a
            # sum over some 200 tiles.
            shape = (size if asked else 0,)
            return torch.full(shape, value, dtype=widest(like.device), device=like.device)

        weighed = self.positives.column is None
        found = []
        for size, asked in ((rows, True), (columns, self.symmetric)):
            found.append(
                LineSums(
                    lse=empty(size, asked, -torch.inf),
                    near=empty(size, asked and weighed),
                    total=empty(size, asked and self.smoothed),
                    mass=empty(size, asked and weighed),
                    number=empty(size, asked and self.smoothed),
                )
            )
        return SoftmaxSums(*found).tensors()

    def read(self, so_far: list[Tensor], tile: Tensor, i: Span, j: Span, extra: Tensor) -> None:
        """See :class:`Reader`."""
        kept, among, weights = self._chosen(tile, i, j)
        # `l` has 0 for what is not compared. It is one more tile of memory, made for sums of l
        # alone.
        summed = weights is not None or self.smoothed
        l = tile * kept if summed and kept is not None else tile
        sums = SoftmaxSums.of(so_far)
        read = tile if among is None else tile.masked_fill(~among, -torch.inf)
        shared, shift = _exponentials(read)
        for line, at, axis in ((sums.rows, i, 1), (sums.columns, j, 0))[: 1 + self.symmetric]:
            if weights is not None:
                line.near[at] += (l * weights).sum(axis)
                line.mass[at] += weights.sum(axis)
            if self.smoothed:
                line.total[at] += l.sum(axis)
                line.number[at] += (
                    tile.shape[axis] if kept is None else kept.expand_as(tile).sum(axis)
                )
            # lse runs: the logarithm of e^a of what was read before and e^b of this tile.
            if shared is None:
                lse = read.logsumexp(axis).to(line.lse.dtype)
            else:
                lse = shared.sum(axis).to(line.lse.dtype).log_() + shift
            line.lse[at] = torch.logaddexp(line.lse[at], lse)

    def weigh(
        self, tile: Tensor, i: Span, j: Span, results: list[Tensor], by: list[Tensor], extra: Tensor
    ) -> tuple[Tensor, None]:
        r"""See :class:`Reader`. By an entry the sums of its row have the derivatives

        :math:`e^{l - lse}` (lse), the weight (near) and 1 (total), and those of its column too.
        """
        kept, among, weights = self._chosen(tile, i, j)
        sums, by_sums = SoftmaxSums.of(results), SoftmaxSums.of(by)
        # Each line: its sums, the gradients by them, its part of the tile, whether it is of rows.
        lines = [(sums.rows, by_sums.rows, i, True), (sums.columns, by_sums.columns, j, False)]
        lines = lines[: 1 + self.symmetric]
        g: Tensor | None = None
        for line, by_line, at, is_rows in lines:
            lse, by_lse = line.lse[at].to(tile.dtype), by_line.lse[at].to(tile.dtype)
            # A line with nothing to compare has lse = -inf and no part in anything: e^(l - inf)
            # is 0, where e^(l + inf) would be inf and times a gradient of 0 NaN.
            lse = lse.where(lse != -torch.inf, torch.inf)
            # The tile's memory is the limit: e^(l - lse) is made in one buffer a side, and the
            # second is added to the first.
            if is_rows:
                g = torch.sub(tile, lse[:, None]).exp_().mul_(by_lse[:, None])
            else:
                assert g is not None
                g.addcmul_(torch.sub(tile, lse).exp_(), by_lse)
        assert g is not None
        if among is not None:
            g.masked_fill_(~among, 0.0)
        for _, by_line, at, is_rows in lines:
            if weights is not None:
                own = by_line.near[at].to(g.dtype)
                g.addcmul_(weights, own[:, None] if is_rows else own)
            if self.smoothed:
                own = by_line.total[at].to(g.dtype)
                own = own[:, None] if is_rows else own
                g = g + own if kept is None else g.addcmul_(kept.to(g.dtype), own)
        return g, None

    def constants(self, results: list[Tensor]) -> list[Tensor]:
        """Weights and counts do not depend on the logits."""
        return [x for line in SoftmaxSums.of(results) for x in (line.mass, line.number)]


@dataclass(frozen=True)
class SigmoidReader:
    """Reads the sum over each row of softplus(l + b) less, of its positives, weight (l + b).

    b, a bias, is the reader's own number, ``extra``.
    """

    columns: int
    """C."""
    mask: PairMask | None
    positives: Positives

    def whole(self, table: Tensor, extra: Tensor) -> Tensor:
        """Of a table that fits in memory, (B,), differentiable as torch has it."""
        return self._loss(table, ALL, ALL, extra).sum(1)

    def _chosen(self, tile: Tensor, i: Span, j: Span) -> tuple[Tensor | None, Tensor | None]:
        """(compared, None for all; weights of positives, None if none is seen) of a tile."""
        weights = self.positives.tile(i, j, tile.dtype)
        if weights is None:
            column = self.positives.column
            assert column is not None
            index = torch.arange(self.columns, device=tile.device)[j]
            here = (column[i] >= index[0]) & (column[i] <= index[-1])
            if not can_look(here) or bool(here.any()):
                weights = (column[i, None] == index).to(tile.dtype)
        return None if self.mask is None else self.mask.tile(i, j, self.columns), weights

    def start(self, rows: int, columns: int, like: Tensor) -> list[Tensor]:
        """Nothing read."""
        return [torch.zeros(rows, dtype=widest(like.device), device=like.device)]

    def read(self, so_far: list[Tensor], tile: Tensor, i: Span, j: Span, extra: Tensor) -> None:
        """See :class:`Reader`."""
        so_far[0][i] += self._loss(tile, i, j, extra).sum(1)

    def _loss(self, tile: Tensor, i: Span, j: Span, extra: Tensor) -> Tensor:
        kept, weights = self._chosen(tile, i, j)
        shifted = tile + extra.to(tile.dtype)
        # -log sigmoid(l + b) of a positive is softplus(l + b) - (l + b).
        loss = _softplus(shifted)
        if weights is not None:
            loss = loss - weights * shifted
        return loss if kept is None else loss * kept

    def weigh(
        self, tile: Tensor, i: Span, j: Span, results: list[Tensor], by: list[Tensor], extra: Tensor
    ) -> tuple[Tensor, Tensor]:
        """See :class:`Reader`. By an entry, and by b, sigmoid(l + b) less the weight."""
        kept, weights = self._chosen(tile, i, j)
        g = (tile + extra.to(tile.dtype)).sigmoid_()
        if weights is not None:
            g.sub_(weights)
        g.mul_(by[0][i, None].to(tile.dtype))
        if kept is not None:
            g = g * kept
        return g, g.sum(dtype=extra.dtype)

    def constants(self, results: list[Tensor]) -> list[Tensor]:
        """None: every sum depends on the logits."""
        return []


def _softplus(t: Tensor) -> Tensor:
    """log(1 + e^t) to the last digit, where torch's own is t itself from t = 20 on."""
    # log1p(e^t) as it stands is right until e^t overflows, and takes half the time of logaddexp.
    if not torch.is_grad_enabled() and all_below(t, math.log(torch.finfo(t.dtype).max)):
        return t.exp().log1p_()
    return torch.logaddexp(t, torch.zeros_like(t))


def _exponentials(l: Tensor) -> tuple[Tensor | None, Tensor]:
    """e^(l - shift) of a tile, for sums of its rows and of its columns, and the shift.

    None where they may be too far apart for one shift, or nobody may look. A line's own shift, its
    largest logit, takes a third of the time more for each line.
    """
    if not can_look(l):
        return None, l
    low, high = l.amin(), l.amax()
    # Within 0.7 log(max) of the shift no e^(l - shift) and no sum of a tile of them overflows or
    # has lost digits: 62 either way in float32. Infinities and NaN are beyond.
    reach = 0.7 * math.log(torch.finfo(l.dtype).max)
    if not bool(high - low <= 2 * reach):
        return None, l
    shift = (low + high) / 2
    return torch.sub(l, shift).exp_(), shift


def _both(one: Tensor | None, other: Tensor) -> Tensor:
    return other if one is None else one & other
