"""Logits of all pairs, in either of two ways, and the checks of what the pair losses are given."""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, get_args

import torch
from torch import Tensor

from ...manifolds import Manifold, PairForm
from ...manifolds.kernels.pairs.products import (
    Products,
    in_a_transform,
    products,
    products_on,
    traced,
    widest,
)
from ..common import (
    can_look,
    check_manifold,
    check_option,
    check_points,
    check_positive,
    check_scalar,
    in_float32,
)
from .fused import fused_products
from .tables import KnownEntries, TiledTable
from .tile_table import BLOCK, Coefficients, Tiling, spans, wide_features
from .tiled import NO_SECOND

Logits = Literal["neg_dist", "neg_sqdist", "inner"]
Precision = Literal["auto", "float32", "split", "float64"]
_LOGITS, _PRECISION = get_args(Logits), get_args(Precision)
Function = Callable[[Tensor, Tensor], Tensor]
Tile = int | Literal["auto"] | None

_KINDS: dict[str, Literal["dist", "sqdist", "inner"]] = {
    "neg_dist": "dist",
    "neg_sqdist": "sqdist",
    "inner": "inner",
}
# Up to 1024 x 1024 the table and what autograd keeps of it are some 50 MB, and one large product
# is as fast as many small ones.
_DENSE = 2**20
_SIDE = 512
# A logit may be off by this much by float32 products before "auto" takes float64 ones (on a CPU).
_TOLERANCE = 1e-3


class Table(NamedTuple):
    """The logits of all pairs of x (B, m) and y (C, m), not yet computed."""

    x: Tensor
    y: Tensor
    shape: tuple[int, int]
    """(B, C)."""
    manifold: Manifold
    scale: Tensor | float
    logits: Logits
    tiling: Tiling | None = None
    """How to compute them by tiles; None for the dense way."""
    coefficients: Coefficients | None = None
    """Those of the tiles."""
    products: Products | None = None
    """Those of the dense way; by the device if None."""

    def dense(self, known: KnownEntries | None = None) -> Tensor:
        """All of them, (B, C), differentiable, with what is known better in its place."""
        with nullcontext() if self.products is None or traced() else products(self.products):
            if self.logits == "inner":
                similarity = self.manifold.cinner(self.x, self.y, matmul=True)
            else:
                squared = self.logits == "neg_sqdist"
                similarity = -self.manifold.cdist(self.x, self.y, squared=squared, matmul=True)
        table = self.scale * similarity
        if known is None:
            return table
        rows, column = torch.arange(table.shape[0], device=table.device), known.column
        value = known.value.to(table.dtype)
        if not known.diagonal:
            # A row without any puts its first entry in place of itself: which rows have one is
            # never asked, for a GPU would have to be waited for.
            column = column.clamp(min=0)
            value = value.where(known.column >= 0, table[rows, column])
        return table.index_put((rows, column), value)

    def tiled(self, known: KnownEntries | None) -> TiledTable:
        """All of them, for a sweep over tiles."""
        assert self.tiling is not None
        assert self.coefficients is not None
        return TiledTable(self.tiling, self.x, self.y, self.coefficients, known)

    def known(self, column: Tensor, diagonal: bool = False) -> KnownEntries:
        """The logits of one column a row, (B,), with the accuracy of ``manifold.dist``.

        -1 is for a row without any. ``diagonal`` says that row i has column i.
        """
        # On the diagonal y is taken as it is: a copy by index is as large as the points.
        y = self.y if diagonal else self.y[column.clamp(min=0)]
        one = _ONE_PAIR[self.logits](self.manifold)
        factor = self.scale if self.logits == "inner" else -self.scale
        # A manifold that learns is not cut into blocks: _ByBlocks has no gradient for its
        # parameters.
        if self.tiling is None or any(p.requires_grad for p in self.manifold.parameters()):
            return KnownEntries(column, factor * one(self.x, y), diagonal)
        found: Tensor = _ByBlocks.apply(one, self.x, y)  # type: ignore[no-untyped-call]
        return KnownEntries(column, factor * found, diagonal)


def _inner(manifold: Manifold) -> Function:
    """``cinner`` of pairs: (B, m), (B, m) -> (B,)."""

    def one(x: Tensor, y: Tensor) -> Tensor:
        return manifold.cinner(x.unsqueeze(-2), y.unsqueeze(-2))[..., 0, 0]

    return one


_ONE_PAIR: dict[str, Callable[[Manifold], Function]] = {
    "neg_dist": lambda manifold: manifold.dist,
    "neg_sqdist": lambda manifold: manifold.sqdist,
    "inner": _inner,
}


class _ByBlocks(torch.autograd.Function):
    """A function of pairs of rows, computed again for the gradient, block by block.

    A distance has several temporaries of the size of its points. (Not for a function with
    parameters, which would get no gradient.)
    """

    @staticmethod
    def forward(ctx: Any, function: Function, x: Tensor, y: Tensor) -> Tensor:
        ctx.function = function
        ctx.save_for_backward(x, y)
        blocks = spans(x.shape[0], _SIDE)
        return torch.cat([function(x[i], y[i]) for i in blocks])

    @staticmethod
    def backward(ctx: Any, *by: Tensor) -> tuple[None, Tensor, Tensor]:
        if torch.is_grad_enabled():
            raise RuntimeError(NO_SECOND)
        x, y = ctx.saved_tensors
        found = torch.empty_like(x), torch.empty_like(y)
        for i in spans(x.shape[0], _SIDE):
            with torch.enable_grad():
                pair = x[i].detach().requires_grad_(), y[i].detach().requires_grad_()
                value = ctx.function(*pair)
            for whole, part in zip(found, torch.autograd.grad(value, pair, by[0][i]), strict=True):
                whole[i] = part
        return None, *found


def pairwise_logits(
    x: Tensor, y: Tensor, *, manifold: Manifold, scale: Tensor | float, logits: Logits = "neg_dist"
) -> Tensor:
    """Scale * (-dist, -sqdist or inner product) of all pairs: (B, m), (C, m) -> (B, C).

    In float32, or float64 if an input is.
    """
    where = "pairwise_logits"
    check_manifold(where, manifold)
    check_option(where, "logits", logits, _LOGITS)
    check_scalar(where, "scale", scale)
    x, y = in_float32(where, x=x, y=y)
    check_points(where, x=x, y=y)
    return Table(x, y, (len(x), len(y)), manifold, scale, logits).dense()


@dataclass(frozen=True, eq=False)
class PairOptions:
    """The options that all losses of all pairs have, checked; see :func:`info_nce` for each."""

    where: str
    """The function that they are of, for its errors."""
    manifold: Manifold
    scale: Tensor | float
    logits: Logits
    tile: Tile
    precision: Precision
    check_finite: bool

    def __post_init__(self) -> None:
        check_manifold(self.where, self.manifold)
        check_option(self.where, "logits", self.logits, _LOGITS)
        check_option(self.where, "precision", self.precision, _PRECISION)
        check_positive(self.where, "scale", self.scale, check=self.check_finite)
        check_tile(self.where, self.tile)

    def table(self, x: Tensor, y: Tensor, *, apart: bool, extra: Tensor | float = 0.0) -> Table:
        """Check the points, and choose how the logits are computed.

        ``apart`` says that every row's positive is computed apart from the table, ``extra`` what
        the reader's own number is.
        """
        where, manifold, tile = self.where, self.manifold, self.tile
        check_points(where, check_finite=self.check_finite, x=x, y=y)
        given = x, y
        x, y = in_float32(where, x=x, y=y)
        rows, columns = x.shape[0], y.shape[0]
        asked = None if self.precision == "auto" else self.precision
        dense = Table(x, y, (rows, columns), manifold, self.scale, self.logits, products=asked)
        if tile is None or (tile == "auto" and rows * columns <= _DENSE):
            return dense
        if tile == "auto" and (torch.compiler.is_compiling() or in_a_transform()):
            return dense
        if in_a_transform():
            raise ValueError(
                f"{where}: tile is {tile} under torch.func, which the tiled form does not go "
                "under; expected tile=None or 'auto', which are dense there."
            )
        form = manifold.pair_form(_KINDS[self.logits], x.shape[-1])
        if form is None:
            if tile == "auto":
                return dense
            raise ValueError(
                f"{where}: tile is {tile} on {manifold!r}, whose {self.logits} is no sum of "
                "functions of bilinear forms; expected tile=None."
            )
        if manifold._checks:
            # Tiles are made of features of the points, which nothing checks. One column of
            # distances, O(B), makes the manifold look at each point.
            with torch.no_grad():
                manifold.dist(x, x[:1])
                manifold.dist(y, y[:1])
        coefficients = _coefficients(form, self.scale, extra, self.logits, x.device)
        tiling = Tiling(form, _SIDE if tile == "auto" else tile, widest(x.device))
        tiling = tiling._replace(fused=fused_products(form, *given, self.precision))
        if x.dtype == torch.float32:
            kind = asked or products_on(x.device)
            if asked is None and kind == "float64" and apart and can_look(x):
                # On a CPU float32 products are the faster, where they will do.
                enough = _rounding(tiling, coefficients, x, y) <= _TOLERANCE
                kind = "float32" if enough else kind
            if kind != "float64":
                tiling = tiling._replace(dtype=torch.float32, split=kind == "split")
        return dense._replace(tiling=tiling, coefficients=coefficients)


def check_tile(where: str, tile: object) -> None:
    """Raises a ValueError for what is no way to compute a table."""
    proper = tile == "auto" if isinstance(tile, str) else isinstance(tile, int) and tile > 0
    if tile is not None and not proper:
        raise ValueError(
            f"{where}: tile is {tile!r}; expected 'auto', None or a positive number of rows."
        )


def _coefficients(
    form: PairForm,
    scale: Tensor | float,
    extra: Tensor | float,
    logits: Logits,
    device: torch.device,
) -> Coefficients:
    def number(value: Tensor | float) -> Tensor:
        return torch.as_tensor(value, dtype=widest(device), device=device)

    s = number(scale).squeeze()
    # The scale stands before outer(sum) and the factors inside of it, so that the scale goes in by
    # the inverse of outer: squared under a root, as a root under a square. The minus sign of a
    # distance is in those two already (one_tile).
    gain = {"same": s if logits == "inner" else -s, "root": s * s, "square": s.sqrt()}[form.outer]
    factors = gain * torch.stack([number(term.factor) for term in form.terms])
    return Coefficients(factors, number(extra), tuple(number(term.number) for term in form.terms))


@torch.no_grad()
def _rounding(tiling: Tiling, coefficients: Coefficients, x: Tensor, y: Tensor) -> float:
    """What rounding float32 products can do to the logit of a pair a unit apart.

    2^-23 times the largest (p q + q p)/2, which bounds |X.Y|/2 too, times the derivative of the
    logit by h, at most 2 times the term's factor for a distance there (1/sinh 1, 1, 1/sin 1 times
    1 or 2) and 4 for a square.
    """
    worst = torch.zeros(len(tiling.form.terms), dtype=torch.float64, device=x.device)
    largest = []
    for points in (x, y):
        most = [worst.new_zeros(2) for _ in tiling.form.terms]
        for i in spans(points.shape[0], BLOCK):
            for k, (_, p, q) in enumerate(wide_features(tiling, points[i], coefficients.inner)):
                most[k] = torch.maximum(most[k], torch.cat((p, q), dim=1).amax(0))
        largest.append(torch.stack(most))
    one, other = largest
    size = (one[:, 0] * other[:, 1] + one[:, 1] * other[:, 0]) / 2
    factors = coefficients.factors.abs()
    if tiling.form.outer != "same":
        # Under a root the factors hold s^2 (_coefficients), and the logit moves with s.
        factors = factors.sqrt()
    return float((size * factors * 4 * 2.0**-24).sum())
