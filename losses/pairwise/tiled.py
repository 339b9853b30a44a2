"""The table of all pairs a tile at a time: read once, and computed again for the gradient.

A table of B x C logits does not fit in memory where B and C are tens of thousands, but it is only a
means: a loss wants sums over its rows and columns. So one tile is made at a time, a
:class:`Reader` adds what it needs of it to its results, and the tile is dropped. The backward pass
makes each tile again and asks the reader for the gradient by its entries.

What makes tiles cheap is :class:`PairForm`: of each pair a logit is a function of inner products of
features, so that a tile is one matrix product and a few elementwise passes.

Letters: i and j are the rows and columns of a tile, slices of 0..B and 0..C; h is a term's matrix
of inner products in a tile; g is a gradient by a tile's entries.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, Protocol, Self

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

    def constants(self, results: list[Tensor]) -> list[Tensor]:
        """Those of the results that do not depend on the table, and have no gradient."""
        ...


class Tiling(NamedTuple):
    """How a table is computed by tiles: as outer(sum of factor phi(h)) of pairs of points."""

    form: PairForm
    side: int
    """Rows and columns of a tile, at most."""
    dtype: torch.dtype
    """Of the matrix products."""


class KnownEntries(NamedTuple):
    """Entries of the table known better than the products give them: one in each row, or none."""

    column: Tensor
    """(B,), -1 for none."""
    value: Tensor
    """(B,)."""


class Coefficients(NamedTuple):
    """What the table depends on beside the points, each of shape () or (terms,)."""

    factors: Tensor
    """Of each term."""
    extra: Tensor
    """The reader's own number, such as a bias."""
    inner: tuple[Tensor, ...]
    """Radius or curvature of each term."""


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
        column, value = (None, None) if self.known is None else self.known
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


def spans(size: int, tile: int) -> Iterator[slice]:
    """0 .. size in pieces of at most ``tile``."""
    for start in range(0, size, tile):
        yield slice(start, min(size, start + tile))


def features(tiling: Tiling, x: Tensor, inner: tuple[Tensor, ...], *, right: bool) -> list[Tensor]:
    """For each term (B, n + 2) and some zeros; h, the haversine, is the product of left and right.

    With body u and gaps p, q of a point, h = (p q' + q p')/2 - u.u'/2: the last two columns are p/2
    and q/2 on the left, q and p on the right, and the factor -1/2 of the bodies is on the right.
    """
    result = []
    for term, number in zip(tiling.form.terms, inner, strict=True):
        # Features are computed in float64 and rounded once: a gap 1 - |x|^2 of float32 would have
        # lost digits that the coordinates still have.
        body, p, q = term.features(x[:, term.columns].double(), number)
        # The zeros stand between body and gaps: the gaps stay the last two columns.
        pad = body.new_zeros(body.shape[0], -(body.shape[1] + 2) % _ALIGNED)
        parts = (body * -0.5, pad, q, p) if right else (body, pad, p / 2, q / 2)
        result.append(torch.cat(parts, dim=1).to(tiling.dtype))
    return result


def all_features(
    tiling: Tiling, x: Tensor, inner: tuple[Tensor, ...], *, right: bool
) -> list[Tensor]:
    """The same a block at a time, without the float64 temporaries of the whole."""
    whole: list[Tensor] = []
    for i in spans(x.shape[0], tiling.side):
        block = features(tiling, x[i], inner, right=right)
        if not whole:
            whole = [b.new_empty(x.shape[0], b.shape[1]) for b in block]
        for w, b in zip(whole, block, strict=True):
            w[i] = b
    return whole


class TermGradient(NamedTuple):
    """What one term passes back from a tile."""

    h: Tensor
    """By its matrix of inner products, of the shape of the tile."""
    factor: Tensor
    number: Tensor | None
    """By its radius or curvature, where the function of h depends on it."""


def one_tile(
    tiling: Tiling, left: list[Tensor], right: list[Tensor], coefficients: Coefficients
) -> tuple[Tensor, Callable[[Tensor], Iterator[TermGradient]]]:
    """The table of a tile, and the way from its gradient to those of its terms, in their order."""
    total: Tensor | None = None
    kept = []
    factors = coefficients.factors.to(tiling.dtype)
    terms = zip(tiling.form.terms, left, right, coefficients.inner, strict=True)
    for k, (term, a, b, number) in enumerate(terms):
        if term.gated:
            # Near coincident points the gaps' product and the bodies' cancel, and what is left is
            # rounding: h below 4 eps of the gaps' product is taken as 0. Without it a root of h
            # would turn an error of eps into a distance of sqrt(eps). Both products are computed
            # in the memory of one, `size`.
            size = a[:, -2:] @ b[:, -2:].T
            h = torch.addmm(size, a[:, :-2], b[:, :-2].T)
            noise = size.mul_(4 * torch.finfo(tiling.dtype).eps)
            h.mul_(torch.gt(h, noise, out=noise))
        else:
            h = a @ b.T
        value, pull = term.value(h, number)
        kept.append((value, pull))
        total = value * factors[k] if total is None else total.addcmul_(value, factors[k])
    assert total is not None
    # The closure below reads the sum: it must not be rebound.
    sum_ = total
    if tiling.form.outer == "root":
        table = sum_.clamp(min=0).sqrt().neg_()
    elif tiling.form.outer == "square":
        table = -sum_.square()
    else:
        table = sum_

    def back(g: Tensor) -> Iterator[TermGradient]:
        if tiling.form.outer == "root":
            # The slope of -sqrt(s) is table/(2 s). At s = 0 the table is 0 too: tiny in the
            # denominator makes 0/0 a 0, the gradient that a distance has at coincident points.
            g = g * table / (2 * sum_ + torch.finfo(g.dtype).tiny)
        elif tiling.form.outer == "square":
            g = -2 * sum_ * g
        for k, (value, pull) in enumerate(kept):
            by_factor = torch.dot(value.reshape(-1), g.reshape(-1))
            by_h, by_number = pull(g * factors[k])
            yield TermGradient(by_h, by_factor, by_number)

    return table, back


def read_all(table: TiledTable, reader: Reader) -> list[Tensor]:
    """The reader's results over the whole table."""
    tiling, x, y, coefficients, known = table
    with torch.no_grad(), full_precision(x.device.type):
        results = reader.start(x.shape[0], y.shape[0], x)
        # The features of y are needed once for every block of rows and are kept, C (n + 2)
        # numbers; those of x are needed once.
        right = all_features(tiling, y, coefficients.inner, right=True)
        for i in spans(x.shape[0], tiling.side):
            left = features(tiling, x[i], coefficients.inner, right=False)
            for j in spans(y.shape[0], tiling.side):
                tile, _ = one_tile(tiling, left, [b[j] for b in right], coefficients)
                for at, value in _hits(known, i, j):
                    tile[at] = value.to(tile.dtype)
                reader.read(results, tile, i, j, coefficients.extra)
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
    tiling, x, y, coefficients, known = table
    inner = coefficients.inner
    with torch.no_grad(), full_precision(x.device.type):
        by_x = torch.empty_like(x) if needs[0] else None
        by_y = torch.empty_like(y) if needs[1] else None
        by_value = None if known is None else torch.zeros_like(known.value)
        by_factors = torch.zeros_like(coefficients.factors)
        by_extra = torch.zeros_like(coefficients.extra)
        by_inner = [torch.zeros_like(n) for n in inner]
        right = all_features(tiling, y, inner, right=True)
        # Gradients go to features first, which is one product a tile, and from features to points
        # once a block (_chain). A row's block is finished when its tiles are; a column's gets
        # something from every block of rows and waits for the end.
        by_right = [torch.zeros_like(b) for b in right]
        for i in spans(x.shape[0], tiling.side):
            left = features(tiling, x[i], inner, right=False)
            by_left = [torch.zeros_like(a) for a in left]
            for j in spans(y.shape[0], tiling.side):
                some = [b[j] for b in right]
                tile, back = one_tile(tiling, left, some, coefficients)
                hits = list(_hits(known, i, j))
                for at, value in hits:
                    # The tile is copied first: `back` needs the product's own value, the slope
                    # being that of the product.
                    tile = tile.clone().index_put_(at, value.to(tile.dtype))
                g, extra = reader.weigh(tile, i, j, results, by, coefficients.extra)
                if extra is not None:
                    by_extra += extra
                for at, _ in hits:
                    # The gradient of a known entry is its value's. The product there was not used
                    # and gets none.
                    assert by_value is not None
                    by_value[at[0] + i.start] += g[at].to(by_value.dtype)
                    g[at] = 0
                for k, found in enumerate(back(g)):
                    by_factors[k] += found.factor
                    if found.number is not None:
                        by_inner[k] += found.number
                    # A radius or curvature acts through the features of both sides too.
                    if needs[0] or inner[k].requires_grad:
                        by_left[k].addmm_(found.h, some[k])
                    if needs[1] or inner[k].requires_grad:
                        by_right[k][j].addmm_(found.h.T, left[k])
            _chain(tiling, x[i], inner, by_left, by_inner, by_x, i, right=False)
        # These features, and their gradients which are still needed, are the largest tensors here.
        del right
        for j in spans(y.shape[0], tiling.side):
            _chain(tiling, y[j], inner, [b[j] for b in by_right], by_inner, by_y, j, right=True)
    return Gradients(by_x, by_y, by_value, by_factors, by_extra, by_inner)


def _chain(
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
    """From gradients by the features of a block to those by its points and by the numbers."""
    # One block goes through autograd: features are cheap next to the products, and their formula
    # stays the manifold's alone.
    with torch.enable_grad():
        points = x.detach().requires_grad_()
        numbers = tuple(n.detach().requires_grad_(n.requires_grad) for n in inner)
        made = features(tiling, points, numbers, right=right)
    wanted = [points, *(n for n in numbers if n.requires_grad)]
    # allow_unused: on flat space no feature depends on the radius.
    found = torch.autograd.grad(made, wanted, by, allow_unused=True)
    if into is not None:
        into[i] = 0 if found[0] is None else found[0]
    rest = iter(found[1:])
    for k, n in enumerate(numbers):
        if n.requires_grad and (g := next(rest)) is not None:
            by_inner[k] += g


def _hits(
    known: KnownEntries | None, i: Span, j: Span
) -> Iterator[tuple[tuple[Tensor, Tensor], Tensor]]:
    """Where in a tile the known entries are (once or not at all), and their values."""
    if known is None:
        return
    column = known.column[i]
    # -1, for no entry, is before every tile.
    rows = ((column >= j.start) & (column < j.stop)).nonzero().squeeze(1)
    if rows.numel():
        yield (rows, column[rows] - j.start), known.value[i][rows]


@contextmanager
def full_precision(device: str) -> Iterator[None]:
    """float32 products in float32, whatever the flags for TF32 and bfloat16 and autocast say."""
    # TF32 keeps 10 bits of each factor: h, a small difference of products, would have none.
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
