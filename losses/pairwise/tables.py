"""What a sweep over the table of all pairs is given and gives, whoever makes its tiles.

``tiled`` makes them with torch, ``fused`` with Triton kernels.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol, Self

import torch
from torch import Tensor

from .tile_table import BLOCK, Coefficients, Span, Tiling, features, spans


class Reader(Protocol):
    """What is made of the table: sums over its rows and columns, and their derivative."""

    def start(self, rows: int, columns: int, like: Tensor) -> list[Tensor]:
        """The results before the first tile."""
        ...

    def read(self, so_far: list[Tensor], tile: Tensor, i: Span, j: Span, extra: Tensor) -> None:
        """Add a tile of the table, rows i and columns j, to the results. May overwrite the tile."""
        ...

    def weigh(
        self, tile: Tensor, i: Span, j: Span, results: list[Tensor], by: list[Tensor], extra: Tensor
    ) -> tuple[Tensor, Tensor | None]:
        """The gradient by the tile, from those by the results; and that by ``extra``."""
        ...

    def constants(self, results: list[Tensor]) -> list[Tensor]:
        """Those of the results that do not depend on the table, and have no gradient."""
        ...


class KnownEntries(NamedTuple):
    """Entries of the table known better than the products give them: one in each row, or none."""

    column: Tensor
    """(B,), -1 for none."""
    value: Tensor
    """(B,)."""
    diagonal: bool = False
    """Whether they are those of x_i and y_i; then nobody need ask the columns."""


class TiledTable(NamedTuple):
    """All that the entries of a table are made of."""

    tiling: Tiling
    x: Tensor
    """Points (B, m)."""
    y: Tensor
    """Points (C, m)."""
    coefficients: Coefficients
    known: KnownEntries | None

    def tensors(self) -> list[Tensor | None]:
        """In the order in which autograd gets them: :meth:`of` takes them back."""
        column, value = (None, None) if self.known is None else self.known[:2]
        factors, extra, inner = self.coefficients
        return [column, value, self.x, self.y, factors, extra, *inner]

    @classmethod
    def of(
        cls, tiling: Tiling, tensors: Sequence[Any], asked: Sequence[bool] | None = None
    ) -> Self:
        """From :meth:`tensors`; ``asked`` of each, whether its gradient is wanted."""
        column, value, x, y, factors, extra, *inner = tensors
        if asked is not None:
            # pull_all differentiates the features by these numbers where they ask for it. They are
            # detached, as saved tensors may hang on the graph of the forward pass.
            wanted = asked[len(asked) - len(inner) :]
            inner = [n.detach().requires_grad_(w) for n, w in zip(inner, wanted, strict=True)]
            factors = factors.detach().requires_grad_(asked[4])
        known = None if column is None else KnownEntries(column, value)
        return cls(tiling, x, y, Coefficients(factors, extra, tuple(inner)), known)


class Gradients(NamedTuple):
    """By what a table depends on; None where nobody asked."""

    x: Tensor | None
    y: Tensor | None
    known: Tensor | None
    """By the values of the known entries."""
    factors: Tensor
    extra: Tensor
    inner: list[Tensor]

    def tensors(self) -> list[Tensor | None]:
        """In the order of :meth:`TiledTable.tensors`; indices of columns have none."""
        return [None, self.known, self.x, self.y, self.factors, self.extra, *self.inner]


def within(i: Span, s: Span) -> Span:
    """Rows s of rows i."""
    return slice(i.start + s.start, i.start + s.stop)


def chain(
    tiling: Tiling,
    x: Tensor,
    inner: tuple[Tensor, ...],
    by: list[Tensor],
    by_inner: list[Tensor],
    into: Tensor | None,
    i: Span,
    *,
    right: bool,
) -> None:
    """From gradients by the features of points i to those by the points and by the numbers."""
    if into is None and not any(n.requires_grad for n in inner):
        return
    # Blocks go through autograd: features are cheap next to the products, and their formula stays
    # the manifold's alone.
    for s in spans(i.stop - i.start, BLOCK):
        at = within(i, s)
        with torch.enable_grad():
            points = x[at].detach().requires_grad_()
            numbers = tuple(n.detach().requires_grad_(n.requires_grad) for n in inner)
            made = features(tiling, points, numbers, right=right)
        wanted = [points, *(n for n in numbers if n.requires_grad)]
        # allow_unused: on flat space no feature depends on the radius.
        found = torch.autograd.grad(made, wanted, [b[s] for b in by], allow_unused=True)
        if into is not None:
            into[at] = 0 if found[0] is None else found[0]
        rest = iter(found[1:])
        for k, n in enumerate(numbers):
            if n.requires_grad and (g := next(rest)) is not None:
                by_inner[k] += g
