"""The table of all pairs a tile at a time: read once, and computed again for the gradient."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

from ...manifolds import PairForm

Span = slice
# Matrix products with odd numbers of columns take up to a fifth longer.
_ALIGNED = 8

NO_SECOND = (
    "The tiled form of a loss was asked for its second derivative (create_graph=True); expected "
    "first derivatives only: pass tile=None for the dense form."
)
Context = Any


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


class Pairs(NamedTuple):
    """A table of numbers of pairs of points: outer(sum of factor phi(h))."""

    form: PairForm
    tile: int
    dtype: torch.dtype
    """Of the matrix products."""


class Entries(NamedTuple):
    """Entries of the table known better than the products give them: one in each row, or none."""

    column: Tensor
    """(B,), -1 for none."""
    value: Tensor
    """(B,)."""


class Numbers(NamedTuple):
    """What the table depends on beside the points, each of shape () or (terms,)."""

    factors: Tensor
    """Of each term."""
    extra: Tensor
    """The reader's own number, such as a bias."""
    inner: tuple[Tensor, ...]
    """Radius or curvature of each term."""


def spans(size: int, tile: int) -> Iterator[slice]:
    """0 .. size in pieces of at most ``tile``."""
    for start in range(0, size, tile):
        yield slice(start, min(size, start + tile))


def features(pairs: Pairs, x: Tensor, inner: tuple[Tensor, ...], *, right: bool) -> list[Tensor]:
    """For each term (B, n + 2) and some zeros; the haversine is the product of left and right.

    In float64 and rounded once: a gap 1 - |x|^2 of float32 would have lost digits that the
    coordinates still have.
    """
    result = []
    for term, number in zip(pairs.form.terms, inner, strict=True):
        body, p, q = term.features(x[:, term.columns].double(), number)
        pad = body.new_zeros(body.shape[0], -(body.shape[1] + 2) % _ALIGNED)
        parts = (body * -0.5, pad, q, p) if right else (body, pad, p / 2, q / 2)
        result.append(torch.cat(parts, dim=1).to(pairs.dtype))
    return result


def all_features(
    pairs: Pairs, x: Tensor, inner: tuple[Tensor, ...], *, right: bool
) -> list[Tensor]:
    """The same a block at a time, without the temporaries of the whole."""
    whole: list[Tensor] = []
    for i in spans(x.shape[0], pairs.tile):
        block = features(pairs, x[i], inner, right=right)
        if not whole:
            whole = [b.new_empty(x.shape[0], b.shape[1]) for b in block]
        for w, b in zip(whole, block, strict=True):
            w[i] = b
    return whole


def one_tile(
    pairs: Pairs, left: list[Tensor], right: list[Tensor], numbers: Numbers
) -> tuple[Tensor, Callable[[Tensor], Iterator[tuple[Tensor, Tensor, Tensor | None]]]]:
    """The table of a tile, and the way from its gradient to (by h, by factor, by number) of each
    term."""
    total: Tensor | None = None
    kept = []
    factors = numbers.factors.to(pairs.dtype)
    terms = zip(pairs.form.terms, left, right, numbers.inner, strict=True)
    for k, (term, a, b, number) in enumerate(terms):
        if term.gated:
            size = a[:, -2:] @ b[:, -2:].T
            h = torch.addmm(size, a[:, :-2], b[:, :-2].T)
            noise = size.mul_(4 * torch.finfo(pairs.dtype).eps)
            h.mul_(torch.gt(h, noise, out=noise))
        else:
            h = a @ b.T
        value, pull = term.value(h, number)
        kept.append((value, pull))
        total = value * factors[k] if total is None else total.addcmul_(value, factors[k])
    assert total is not None
    sum_ = total
    if pairs.form.outer == "root":
        table = sum_.clamp(min=0).sqrt().neg_()
    elif pairs.form.outer == "square":
        table = -sum_.square()
    else:
        table = sum_

    def back(g: Tensor) -> Iterator[tuple[Tensor, Tensor, Tensor | None]]:
        if pairs.form.outer == "root":  # 0 at 0
            g = g * table / (2 * sum_ + torch.finfo(g.dtype).tiny)
        elif pairs.form.outer == "square":
            g = -2 * sum_ * g
        for k, (value, pull) in enumerate(kept):
            by_factor = torch.dot(value.reshape(-1), g.reshape(-1))
            by_h, by_number = pull(g * factors[k])
            yield by_h, by_factor, by_number

    return table, back


class Gradients(NamedTuple):
    """By what a table depends on; None where nobody asked."""

    x: Tensor | None
    y: Tensor | None
    entries: Tensor | None
    factors: Tensor
    extra: Tensor
    inner: list[Tensor]


def read_all(
    pairs: Pairs, reader: Reader, x: Tensor, y: Tensor, entries: Entries | None, numbers: Numbers
) -> list[Tensor]:
    """The reader's results over the whole table."""
    with torch.no_grad(), full_precision(x.device.type):
        results = reader.start(x.shape[0], y.shape[0], x)
        right = all_features(pairs, y, numbers.inner, right=True)
        for i in spans(x.shape[0], pairs.tile):
            left = features(pairs, x[i], numbers.inner, right=False)
            for j in spans(y.shape[0], pairs.tile):
                tile, _ = one_tile(pairs, left, [b[j] for b in right], numbers)
                for at, row in _hits(entries, i, j):
                    tile[at] = row.to(tile.dtype)
                reader.read(results, tile, i, j, numbers.extra)
    return results


def pull_all(
    pairs: Pairs,
    reader: Reader,
    x: Tensor,
    y: Tensor,
    entries: Entries | None,
    numbers: Numbers,
    results: list[Tensor],
    by: list[Tensor],
    needs: tuple[bool, bool],
) -> Gradients:
    """From gradients by the reader's results to those by everything, each tile computed again."""
    with torch.no_grad(), full_precision(x.device.type):
        by_x = torch.empty_like(x) if needs[0] else None
        by_y = torch.empty_like(y) if needs[1] else None
        by_value = None if entries is None else torch.zeros_like(entries.value)
        by_factors, by_extra = torch.zeros_like(numbers.factors), torch.zeros_like(numbers.extra)
        by_inner = [torch.zeros_like(n) for n in numbers.inner]
        right = all_features(pairs, y, numbers.inner, right=True)
        by_right = [torch.zeros_like(b) for b in right]
        for i in spans(x.shape[0], pairs.tile):
            left = features(pairs, x[i], numbers.inner, right=False)
            by_left = [torch.zeros_like(a) for a in left]
            for j in spans(y.shape[0], pairs.tile):
                some = [b[j] for b in right]
                tile, back = one_tile(pairs, left, some, numbers)
                hits = list(_hits(entries, i, j))
                for at, row in hits:
                    # In a copy: the terms need the product's own value.
                    tile = tile.clone().index_put_(at, row.to(tile.dtype))
                g, extra = reader.weigh(tile, i, j, results, by, numbers.extra)
                if extra is not None:
                    by_extra += extra
                for at, _ in hits:
                    assert by_value is not None
                    by_value[at[0] + i.start] += g[at].to(by_value.dtype)
                    g[at] = 0
                for k, (h, factor, number) in enumerate(back(g)):
                    by_factors[k] += factor
                    if number is not None:
                        by_inner[k] += number
                    if needs[0] or numbers.inner[k].requires_grad:
                        by_left[k].addmm_(h, some[k])
                    if needs[1] or numbers.inner[k].requires_grad:
                        by_right[k][j].addmm_(h.T, left[k])
            _chain(pairs, x[i], numbers, by_left, by_inner, by_x, i, right=False)
        del right
        for j in spans(y.shape[0], pairs.tile):
            _chain(pairs, y[j], numbers, [b[j] for b in by_right], by_inner, by_y, j, right=True)
    return Gradients(by_x, by_y, by_value, by_factors, by_extra, by_inner)


def _chain(
    pairs: Pairs,
    x: Tensor,
    numbers: Numbers,
    by: list[Tensor],
    by_inner: list[Tensor],
    into: Tensor | None,
    i: Span,
    *,
    right: bool,
) -> None:
    """From gradients by the features of a block to those by its points and by the numbers."""
    with torch.enable_grad():
        points = x.detach().requires_grad_()
        inner = tuple(n.detach().requires_grad_(n.requires_grad) for n in numbers.inner)
        made = features(pairs, points, inner, right=right)
    wanted = [points, *(n for n in inner if n.requires_grad)]
    found = torch.autograd.grad(made, wanted, by, allow_unused=True)
    if into is not None:
        into[i] = 0 if found[0] is None else found[0]
    rest = iter(found[1:])
    for k, n in enumerate(inner):
        if n.requires_grad and (g := next(rest)) is not None:
            by_inner[k] += g


def _hits(
    entries: Entries | None, i: Span, j: Span
) -> Iterator[tuple[tuple[Tensor, Tensor], Tensor]]:
    """Where in a tile the known entries are (once or not at all), and their values."""
    if entries is None:
        return
    column = entries.column[i]
    rows = ((column >= j.start) & (column < j.stop)).nonzero().squeeze(1)
    if rows.numel():
        yield (rows, column[rows] - j.start), entries.value[i][rows]


@contextmanager
def full_precision(device: str) -> Iterator[None]:
    """float32 products in float32, whatever the flags for TF32 and bfloat16 and autocast say."""
    with torch.autocast(device, enabled=False):
        if not hasattr(torch.backends.cuda.matmul, "fp32_precision"):  # before torch 2.9
            before = torch.get_float32_matmul_precision()
            torch.set_float32_matmul_precision("highest")
            try:
                yield
            finally:
                torch.set_float32_matmul_precision(before)
            return
        backends: Any = torch.backends
        flags = [backends.cuda.matmul, backends.mkldnn.matmul]
        held = [flag.fp32_precision for flag in flags]
        try:
            for flag in flags:
                flag.fp32_precision = "ieee"
            yield
        finally:
            for flag, value in zip(flags, held, strict=True):
                flag.fp32_precision = value


class _Sweep(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Context,
        pairs: Pairs,
        reader: Reader,
        fixed: int,
        column: Tensor | None,
        value: Tensor | None,
        x: Tensor,
        y: Tensor,
        factors: Tensor,
        extra: Tensor,
        *inner: Tensor,
    ) -> tuple[Tensor, ...]:
        entries = None if column is None or value is None else Entries(column, value)
        results = read_all(pairs, reader, x, y, entries, Numbers(factors, extra, inner))
        ctx.work = pairs, reader
        ctx.known = entries is not None
        ctx.save_for_backward(
            *(() if entries is None else entries), x, y, factors, extra, *inner, *results
        )
        ctx.terms = len(inner)
        ctx.mark_non_differentiable(*results[len(results) - fixed :])
        return tuple(results)

    @staticmethod
    def backward(ctx: Context, *by: Tensor) -> tuple[Any, ...]:
        if torch.is_grad_enabled():
            raise RuntimeError(NO_SECOND)
        pairs, reader = ctx.work
        saved = list(ctx.saved_tensors)
        entries = Entries(saved.pop(0), saved.pop(0)) if ctx.known else None
        x, y, factors, extra = saved[:4]
        asked = ctx.needs_input_grad
        inner = tuple(
            n.detach().requires_grad_(asked[9 + k]) for k, n in enumerate(saved[4 : 4 + ctx.terms])
        )
        numbers = Numbers(factors, extra, inner)
        results = saved[4 + ctx.terms :]
        found = pull_all(
            pairs, reader, x, y, entries, numbers, results, list(by), (asked[5], asked[6])
        )
        return (
            *(None, None, None, None, found.entries, found.x, found.y),
            *(found.factors, found.extra, *found.inner),
        )


def sweep(
    pairs: Pairs,
    reader: Reader,
    x: Tensor,
    y: Tensor,
    entries: Entries | None,
    numbers: Numbers,
    *,
    fixed: int = 0,
) -> list[Tensor]:
    """:func:`read_all` with gradients; the last ``fixed`` results have none."""
    column, value = (None, None) if entries is None else entries
    results: tuple[Tensor, ...] = _Sweep.apply(  # type: ignore[no-untyped-call]
        pairs, reader, fixed, column, value, x, y, numbers.factors, numbers.extra, *numbers.inner
    )
    return list(results)
