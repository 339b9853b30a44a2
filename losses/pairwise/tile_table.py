"""A tile of the table of all pairs: the features of points, and the logits that are made of them.

What makes tiles cheap is :class:`PairForm`: of each pair a logit is a function of inner products of
features, so that a tile is one matrix product (three, where float32 alone would not do and float64
is slow) and a few elementwise passes.

Letters: i and j are the rows and columns of a tile, slices of 0..B and 0..C; h is a term's matrix
of inner products in a tile; g is a gradient by a tile's entries.
"""

from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from ...manifolds import PairForm
from ...manifolds.kernels.arithmetic.ranges import can_look
from ...manifolds.kernels.pairs.products import noise, split, widest

Span = slice
# Matrix products with odd numbers of columns take up to a fifth longer.
_ALIGNED = 8
# Points whose features are computed together: 0.5 MB in float64 in 512 dimensions.
BLOCK = 128
# Entries of a strip, for each thread of a CPU: 128 KB in float32, so that the handful of tensors
# that the elementwise passes go through stay in a core's second cache. In tiles of 512 x 512 the
# same passes take twice as long.
_STRIP = 2**17


Fused = Literal["bfloat16", "float32", "split"]
"""Products of bodies in a Triton kernel: of bfloat16 points, which lose nothing in them; of float32
in three parts (TF32 x 3); of leading bits, exact, beside the rest."""


class Tiling(NamedTuple):
    """How a table is computed by tiles: as outer(sum of factor phi(h)) of pairs of points."""

    form: PairForm
    side: int
    """Rows and columns of a tile, at most."""
    dtype: torch.dtype
    """Of the matrix products."""
    split: bool = False
    """Three float32 products in place of one (``manifolds/kernels/pairs/products.py``)."""
    fused: Fused | None = None
    """By Triton kernels, where they know the reader (``fused.py``); None where they are not."""


class Coefficients(NamedTuple):
    """What the table depends on beside the points, each of shape () or (terms,)."""

    factors: Tensor
    """Of each term."""
    extra: Tensor
    """The reader's own number, such as a bias."""
    inner: tuple[Tensor, ...]
    """Radius or curvature of each term."""


class Parts(NamedTuple):
    """The features of one term, for three float32 products."""

    high: Tensor
    """(B, n), the leading bits of the bodies."""
    rest: Tensor
    """(B, 2n): on the left those and what is left of them; on the right what is left, and all."""
    gaps: Tensor
    """(B, 2) in float64."""


class Side(NamedTuple):
    """The features of points, of each term."""

    plain: list[Tensor]
    """In the dtype of the products, see :func:`features`."""
    parts: list[Parts]
    """Empty but for split products."""

    def rows(self, j: Span) -> "Side":
        """Some of them."""
        parts = [Parts(*(p[j] for p in each)) for each in self.parts]
        return Side([b[j] for b in self.plain], parts)


def spans(size: int, tile: int) -> Iterator[slice]:
    """0 .. size in pieces of at most ``tile``."""
    for start in range(0, size, tile):
        yield slice(start, min(size, start + tile))


Features = tuple[Tensor, Tensor, Tensor]


def wide_features(tiling: Tiling, x: Tensor, inner: tuple[Tensor, ...]) -> Iterator[Features]:
    """Of each term body (B, n) and gaps p, q (B, 1), in float64 where there is one.

    They are rounded once, from it: a gap 1 - |x|^2 of float32 would have lost digits that the
    coordinates still have.
    """
    for term, number in zip(tiling.form.terms, inner, strict=True):
        yield term.features(x[:, term.columns].to(widest(x.device)), number)


def features(tiling: Tiling, x: Tensor, inner: tuple[Tensor, ...], *, right: bool) -> list[Tensor]:
    """Of each term, in the dtype of the products; h, the haversine, is that of left and right."""
    return [_row(f, tiling.dtype, right) for f in wide_features(tiling, x, inner)]


def _row(f: Features, dtype: torch.dtype, right: bool) -> Tensor:
    """Features in one row, (B, n + 2) and some zeros.

    With body u and gaps p, q of a point, h = (p q' + q p')/2 - u.u'/2: the last two columns are p/2
    and q/2 on the left, q and p on the right, and the factor -1/2 of the bodies is on the right.
    """
    body, p, q = (each.to(dtype) for each in f)
    # The zeros stand between body and gaps: the gaps stay the last two columns.
    pad = body.new_zeros(body.shape[0], -(body.shape[1] + 2) % _ALIGNED)
    return torch.cat((body * -0.5, pad, q, p) if right else (body, pad, p / 2, q / 2), dim=1)


def side_of(tiling: Tiling, x: Tensor, inner: tuple[Tensor, ...], *, right: bool) -> Side:
    """The features of some points."""
    plain, parts = [], []
    for f in wide_features(tiling, x, inner):
        plain.append(_row(f, tiling.dtype, right))
        if tiling.split:
            wide = _row(f, widest(x.device), right)
            body = wide[:, :-2]
            high, low = split(body)
            rest = (low, body.float()) if right else (high, low)
            parts.append(Parts(high, torch.cat(rest, dim=1), wide[:, -2:].clone()))
    return Side(plain, parts)


def whole_side(tiling: Tiling, x: Tensor, inner: tuple[Tensor, ...], *, right: bool) -> Side:
    """The same a block at a time, without the float64 temporaries of the whole."""
    whole: Side | None = None
    for i in spans(x.shape[0], BLOCK):
        block = side_of(tiling, x[i], inner, right=right)
        if whole is None:

            def empty(b: Tensor) -> Tensor:
                return b.new_empty(x.shape[0], b.shape[1])

            parts = [Parts(*(empty(b) for b in each)) for each in block.parts]
            whole = Side([empty(b) for b in block.plain], parts)
        into = whole.rows(i)
        for w, b in zip(into.plain, block.plain, strict=True):
            w.copy_(b)
        for each, made in zip(into.parts, block.parts, strict=True):
            for w, b in zip(each, made, strict=True):
                w.copy_(b)
    assert whole is not None
    return whole


def strips(tile: Tensor) -> Iterator[Span]:
    """The rows of a tile in pieces for elementwise passes; in one on a device, where each is a
    launch."""
    rows, columns = tile.shape
    high = _STRIP * torch.get_num_threads() // columns if tile.is_cpu else rows
    return spans(rows, max(1, high))


class TermGradient(NamedTuple):
    """What one term passes back from a strip of a tile, without its factor."""

    h: Tensor
    """By its matrix of inner products, of the shape of the strip."""
    factor: Tensor | None
    """By its factor, if that is asked for."""
    number: Tensor | None
    """By its radius or curvature, where the function of h depends on it."""


def haversines(tiling: Tiling, left: Side, right: Side) -> list[Tensor]:
    """Each term's h of a tile."""
    if tiling.split:
        return [
            _split_haversine(a, b, gated=term.gated)
            for term, a, b in zip(tiling.form.terms, left.parts, right.parts, strict=True)
        ]
    found = [a @ b.T for a, b in zip(left.plain, right.plain, strict=True)]
    _gate(tiling, found, left, right)
    return found


def _gate(tiling: Tiling, h: list[Tensor], left: Side, right: Side) -> None:
    """Make each term's h 0 where it is within its rounding.

    Near coincident points the gaps' product and the bodies' cancel, and what is left is rounding: h
    below 4 eps of the gaps' product is taken as 0. Without it a root of h would turn an error of
    eps into a distance of sqrt(eps).
    """
    for term, part, a, b in zip(tiling.form.terms, h, left.plain, right.plain, strict=True):
        if not term.gated or tiling.split:
            continue
        rounding = 4 * torch.finfo(tiling.dtype).eps
        p, q = a[:, -2:], b[:, -2:]
        # A product of the largest gaps is above all of them: where one look at the smallest h is
        # enough, which is nearly everywhere, four passes are saved.
        if can_look(part) and bool(part.amin() > (p.amax(0) * q.amax(0)).sum() * rounding):
            continue
        size = (p @ q.T).mul_(rounding)
        part.mul_(torch.gt(part, size, out=size))


def table_of(
    tiling: Tiling, h: list[Tensor], coefficients: Coefficients
) -> tuple[Tensor, Callable[[Tensor], Iterator[TermGradient]]]:
    """The table of a strip from its h, and the way from its gradient to those of its terms."""
    total: Tensor | None = None
    kept = []
    factors = coefficients.factors.to(tiling.dtype)
    asked = coefficients.factors.requires_grad
    for k, (term, number) in enumerate(zip(tiling.form.terms, coefficients.inner, strict=True)):
        value, pull = term.value(h[k], number)
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
        for value, pull in kept:
            by_factor = torch.dot(value.reshape(-1), g.reshape(-1)) if asked else None
            by_h, by_number = pull(g)
            yield TermGradient(by_h, by_factor, by_number)

    return table, back


def _split_haversine(a: Parts, b: Parts, *, gated: bool) -> Tensor:
    """h of a tile by three float32 products; what is within their rounding is 0 if ``gated``."""
    # The products of the bodies' leading bits, `exact`, have no rounding: what cancels near
    # coincident points is they and the gaps' products, which are float64.
    exact = a.high @ b.high.T
    (p, q), (s, r) = a.gaps.T.unsqueeze(-1), b.gaps.T.unsqueeze(-2)
    size = (p * s).addcmul_(q, r)
    h = (size + exact).add_(a.rest @ b.rest.T)
    if gated:
        # `size` is half of what that share is of.
        h.mul_(h > size.mul_(2 * noise("split", a.high.shape[1])))
    found: Tensor = h.float()
    return found
