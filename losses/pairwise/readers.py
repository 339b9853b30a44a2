"""What the losses read off the table of all pairs, whole or tile by tile."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from .tiled import Span

ALL = slice(None)


@dataclass(frozen=True)
class Compared:
    """Which pairs are compared; None leaves nobody out."""

    pairs: Tensor | None = None
    """(B, C) bool."""
    rows: Tensor | None = None
    """(B,) bool."""
    columns: Tensor | None = None
    """(C,) bool."""
    skip: Tensor | None = None
    """(B,), one column that each row is not compared with, such as itself."""

    def at(self, i: Span, j: Span, columns: int) -> Tensor | None:
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


@dataclass(frozen=True)
class Positives:
    """Which pairs belong together, by how much; at most one of the three."""

    table: Tensor | None = None
    """(B, C)."""
    groups: tuple[Tensor, Tensor] | None = None
    """(B,) and (C,): those of equal number."""
    column: Tensor | None = None
    """(B,), -1 for none."""

    def at(self, i: Span, j: Span, columns: int, dtype: torch.dtype) -> Tensor | None:
        """Of a tile; None where it is known by ``column``."""
        if self.table is not None:
            return self.table[i, j].to(dtype)
        if self.groups is not None:
            return (self.groups[0][i, None] == self.groups[1][None, j]).to(dtype)
        return None


class Side(NamedTuple):
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


@dataclass(frozen=True)
class SoftmaxReader:
    """Reads :class:`Side` for rows, and for columns if symmetric, one after the other.

    Five results a side, all with a gradient but the last two. They come in the order (three of the
    rows, three of the columns, two of the rows, two of the columns).
    """

    columns: int
    compared: Compared
    positives: Positives
    symmetric: bool
    smoothed: bool
    decoupled: bool

    def start(self, rows: int, columns: int, like: Tensor) -> list[Tensor]:
        """Nothing read."""

        def empty(size: int, asked: bool, value: float = 0.0) -> Tensor:
            shape = (size if asked else 0,)
            return torch.full(shape, value, dtype=torch.float64, device=like.device)

        weighed = self.positives.column is None
        found, fixed = [], []
        for size, asked in ((rows, True), (columns, self.symmetric)):
            found += [empty(size, asked, -torch.inf), empty(size, asked and weighed)]
            found += [empty(size, asked and self.smoothed)]
            fixed += [empty(size, asked and weighed), empty(size, asked and self.smoothed)]
        return found + fixed

    def parts(
        self, tile: Tensor, i: Span, j: Span
    ) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        """(compared, of those in the softmax, weights of positives) of a tile."""
        kept = self.compared.at(i, j, self.columns)
        share = self.positives.at(i, j, self.columns, tile.dtype)
        if share is not None and kept is not None:
            share = share * kept
        among = kept
        if self.decoupled:
            if share is not None:
                away = share <= 0
            else:
                assert self.positives.column is not None
                index = torch.arange(self.columns, device=tile.device)[j]
                away = self.positives.column[i, None] != index
            among = _both(kept, away)
        return kept, among, share

    def read(self, so_far: list[Tensor], tile: Tensor, i: Span, j: Span, extra: Tensor) -> None:
        """See :class:`Reader`."""
        kept, among, share = self.parts(tile, i, j)
        known = tile if kept is None or (share is None and not self.smoothed) else tile * kept
        for side, (at, axis) in enumerate(((i, 1), (j, 0))[: 1 + self.symmetric]):
            lse, near, total = so_far[3 * side : 3 * side + 3]
            mass, count = so_far[6 + 2 * side : 8 + 2 * side]
            if share is not None:
                near[at] += (known * share).sum(axis)
                mass[at] += share.sum(axis)
            if self.smoothed:
                total[at] += known.sum(axis)
                count[at] += tile.shape[axis] if kept is None else kept.expand_as(tile).sum(axis)
            read = tile if among is None else tile.masked_fill(~among, -torch.inf)
            lse[at] = torch.logaddexp(lse[at], read.logsumexp(axis).to(lse.dtype))

    def weigh(
        self, tile: Tensor, i: Span, j: Span, results: list[Tensor], by: list[Tensor], extra: Tensor
    ) -> tuple[Tensor, None]:
        """See :class:`Reader`."""
        kept, among, share = self.parts(tile, i, j)
        g: Tensor | None = None
        for side, at in enumerate((i, j)[: 1 + self.symmetric]):
            lse, by_lse = (part[3 * side][at].to(tile.dtype) for part in (results, by))
            # Of what was compared with nothing, no share.
            lse = lse.where(lse != -torch.inf, torch.inf)
            if side == 0:
                g = torch.sub(tile, lse[:, None]).exp_().mul_(by_lse[:, None])
            else:
                assert g is not None
                g.addcmul_(torch.sub(tile, lse).exp_(), by_lse)
        assert g is not None
        if among is not None:
            g.masked_fill_(~among, 0.0)
        for side, at in enumerate((i, j)[: 1 + self.symmetric]):
            near, total = (by[3 * side + n] for n in (1, 2))
            if share is not None:
                own = near[at].to(g.dtype)
                g.addcmul_(share, own[:, None] if side == 0 else own)
            if self.smoothed:
                own = total[at].to(g.dtype)
                own = own[:, None] if side == 0 else own
                g = g + own if kept is None else g.addcmul_(kept.to(g.dtype), own)
        return g, None

    def whole(self, table: Tensor) -> list[Tensor]:
        """The same results of a table that fits in memory, differentiable as torch has it."""
        kept, among, share = self.parts(table, ALL, ALL)
        known = table if kept is None else table.where(kept, 0.0)
        found, fixed = [], []
        for axis in (1, 0)[: 1 + self.symmetric]:
            read = table
            if among is not None:
                some = among.expand_as(table).any(axis, keepdim=True)
                # Of what is compared with nothing the logarithm is put in by hand: its gradient
                # would be NaN.
                read = table.masked_fill(~among & some, -torch.inf)
            lse = read.logsumexp(axis)
            if among is not None:
                lse = lse.where(some.squeeze(axis), -torch.inf)
            empty = lse[:0]
            weighed, smoothed = share is not None, self.smoothed
            found += [lse, (known * share).sum(axis) if share is not None else empty]
            found += [known.sum(axis) if smoothed else empty]
            fixed += [share.sum(axis) if weighed and share is not None else empty]
            every = torch.ones_like(table) if kept is None else kept.expand_as(table)
            fixed += [every.sum(axis).to(table.dtype) if smoothed else empty]
        if not self.symmetric:
            empty = found[0][:0]
            found, fixed = [*found, empty, empty, empty], [*fixed, empty, empty]
        return found + fixed

    @staticmethod
    def sides(results: list[Tensor]) -> tuple[Side, Side]:
        """Of rows and of columns."""
        return Side(*results[:3], *results[6:8]), Side(*results[3:6], *results[8:10])


@dataclass(frozen=True)
class SigmoidReader:
    """Reads the sum of softplus(l + b) over each row, and of weight (l + b) over its positives."""

    columns: int
    compared: Compared
    positives: Positives

    def start(self, rows: int, columns: int, like: Tensor) -> list[Tensor]:
        """Nothing read."""
        return [torch.zeros(rows, dtype=torch.float64, device=like.device)]

    def _share(self, tile: Tensor, i: Span, j: Span) -> tuple[Tensor | None, Tensor]:
        share = self.positives.at(i, j, self.columns, tile.dtype)
        if share is None:
            assert self.positives.column is not None
            index = torch.arange(self.columns, device=tile.device)[j]
            share = (self.positives.column[i, None] == index).to(tile.dtype)
        return self.compared.at(i, j, self.columns), share

    def read(self, so_far: list[Tensor], tile: Tensor, i: Span, j: Span, extra: Tensor) -> None:
        """See :class:`Reader`."""
        so_far[0][i] += self._loss(tile, i, j, extra).sum(1)

    def _loss(self, tile: Tensor, i: Span, j: Span, extra: Tensor) -> Tensor:
        kept, share = self._share(tile, i, j)
        shifted = tile + extra.to(tile.dtype)
        # -log sigmoid(l + b) of a positive is softplus(l + b) - (l + b).
        loss = torch.logaddexp(shifted, torch.zeros_like(shifted)) - share * shifted
        return loss if kept is None else loss * kept

    def weigh(
        self, tile: Tensor, i: Span, j: Span, results: list[Tensor], by: list[Tensor], extra: Tensor
    ) -> tuple[Tensor, Tensor]:
        """See :class:`Reader`."""
        kept, share = self._share(tile, i, j)
        g = ((tile + extra.to(tile.dtype)).sigmoid() - share) * by[0][i, None].to(tile.dtype)
        if kept is not None:
            g = g * kept
        return g, g.sum(dtype=extra.dtype)

    def whole(self, table: Tensor, extra: Tensor) -> Tensor:
        """The same of a table that fits in memory."""
        return self._loss(table, ALL, ALL, extra).sum(1)


def _both(one: Tensor | None, other: Tensor) -> Tensor:
    return other if one is None else one & other
