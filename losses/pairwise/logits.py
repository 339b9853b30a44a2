"""Logits of all pairs, in either of two ways, and the checks of what the pair losses are given."""

import math
from collections.abc import Callable
from typing import Any, Literal, NamedTuple, get_args

import torch
from torch import Tensor

from ...manifolds import Manifold, PairForm
from ...manifolds.checks import check_amount, check_tensor
from ..common import check_manifold, check_option, in_float32
from .tiled import NO_SECOND, Numbers, Pairs, features, spans

Logits = Literal["neg_dist", "neg_sqdist", "inner"]
Precision = Literal["auto", "float32", "float64"]
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
# What a logit of float32 products may be off by before "auto" takes float64.
_TOLERANCE = 1e-3


class Table(NamedTuple):
    """The logits of all pairs of x (B, m) and y (C, m), not yet computed."""

    x: Tensor
    y: Tensor
    manifold: Manifold
    scale: Tensor | float
    logits: Logits
    pairs: Pairs | None
    """How to compute them by tiles; None for the dense way."""
    numbers: Numbers | None

    @property
    def shape(self) -> tuple[int, int]:
        """(B, C)."""
        return self.x.shape[0], self.y.shape[0]

    def dense(self) -> Tensor:
        """All of them, (B, C), differentiable."""
        return pairwise_logits(
            self.x, self.y, manifold=self.manifold, scale=self.scale, logits=self.logits
        )

    def of_pairs(self, x: Tensor, y: Tensor) -> Tensor:
        """Of x_i and y_i, (B,), with the accuracy of ``manifold.dist``. Not for ``"inner"``."""
        one = self.manifold.dist if self.logits == "neg_dist" else self.manifold.sqdist
        if self.pairs is None:
            return -self.scale * one(x, y)
        if any(p.requires_grad for p in self.manifold.parameters()):
            return -self.scale * one(x, y)
        found: Tensor = _ByBlocks.apply(one, x, y)  # type: ignore[no-untyped-call]
        return -self.scale * found


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
    check_option(where, "logits", logits, get_args(Logits))
    check_amount(where, "scale", scale)
    x, y = in_float32(where, x=x, y=y)
    check_points(where, x=x, y=y)
    if logits == "inner":
        similarity = manifold.cinner(x, y, matmul=True)
    else:
        similarity = -manifold.cdist(x, y, squared=logits == "neg_sqdist", matmul=True)
    return scale * similarity


def table_of(
    where: str,
    x: Tensor,
    y: Tensor,
    *,
    manifold: Manifold,
    scale: Tensor | float,
    logits: Logits,
    tile: Tile,
    precision: Precision,
    apart: bool,
    check_finite: bool,
    extra: Tensor | float = 0.0,
) -> Table:
    """Check points, manifold, scale and options, and choose how to compute.

    ``apart`` says that every row's positive is computed apart from the table.
    """
    check_manifold(where, manifold)
    check_option(where, "logits", logits, get_args(Logits))
    check_option(where, "precision", precision, get_args(Precision))
    check_points(where, check_finite=check_finite, x=x, y=y)
    check_positive(where, "scale", scale, check=check_finite)
    check_tile(where, tile)
    x, y = in_float32(where, x=x, y=y)
    dense = Table(x, y, manifold, scale, logits, None, None)
    if tile is None or (tile == "auto" and x.shape[0] * y.shape[0] <= _DENSE):
        return dense
    if tile == "auto" and (torch.compiler.is_compiling() or _in_a_transform()):
        return dense
    if _in_a_transform():
        raise ValueError(
            f"{where}: tile is {tile} under torch.func, which the tiled form does not go under; "
            "expected tile=None or 'auto', which are dense there."
        )
    form = manifold.pair_form(_KINDS[logits], x.shape[-1])
    if form is None:
        if tile == "auto":
            return dense
        raise ValueError(
            f"{where}: tile is {tile} on {manifold!r}, whose {logits} is no sum of functions of "
            "bilinear forms; expected tile=None."
        )
    if manifold._checks:
        with torch.no_grad():  # O(B), for its checks
            manifold.dist(x, x[:1])
            manifold.dist(y, y[:1])
    numbers = _numbers(form, scale, extra, logits, x.device)
    side = _SIDE if tile == "auto" else tile
    pairs = Pairs(form, side, torch.float64)
    if x.dtype == torch.float32:
        accurate = precision == "float32"
        if precision == "auto":
            accurate = apart and _rounding(pairs, numbers, x, y) <= _TOLERANCE
        if accurate:
            pairs = pairs._replace(dtype=torch.float32)
    return Table(x, y, manifold, scale, logits, pairs, numbers)


def check_tile(where: str, tile: object) -> None:
    """Raises a ValueError for what is no way to compute a table."""
    proper = tile == "auto" if isinstance(tile, str) else isinstance(tile, int) and tile > 0
    if tile is not None and not proper:
        raise ValueError(
            f"{where}: tile is {tile!r}; expected 'auto', None or a positive number of rows."
        )


def _numbers(
    form: PairForm,
    scale: Tensor | float,
    extra: Tensor | float,
    logits: Logits,
    device: torch.device,
) -> Numbers:
    def number(value: Tensor | float) -> Tensor:
        return torch.as_tensor(value, dtype=torch.float64, device=device)

    s = number(scale).squeeze()
    # Inside outer(sum), whence by the inverse of outer.
    gain = {"same": s if logits == "inner" else -s, "root": s * s, "square": s.sqrt()}[form.outer]
    factors = gain * torch.stack([number(term.factor) for term in form.terms])
    return Numbers(factors, number(extra), tuple(number(term.number) for term in form.terms))


@torch.no_grad()
def _rounding(pairs: Pairs, numbers: Numbers, x: Tensor, y: Tensor) -> float:
    """What rounding float32 products can do to the logit of a pair a unit apart.

    2^-23 times the largest (p q + q p)/2, which bounds |X.Y|/2 too, times the derivative of the
    logit by h, at most 2 times the term's factor for a distance there (1/sinh 1, 1, 1/sin 1 times
    1 or 2) and 4 for a square.
    """
    worst = torch.zeros(len(pairs.form.terms), dtype=torch.float64, device=x.device)
    largest = []
    for points in (x, y):
        most = [worst.new_zeros(2) for _ in pairs.form.terms]
        for i in spans(points.shape[0], pairs.tile):
            for k, f in enumerate(features(pairs, points[i], numbers.inner, right=False)):
                most[k] = torch.maximum(most[k], f[:, -2:].amax(0))
        largest.append(torch.stack(most))
    one, other = largest
    size = 2 * (one[:, 0] * other[:, 1] + one[:, 1] * other[:, 0])
    factors = numbers.factors.abs().sqrt() if pairs.form.outer != "same" else numbers.factors.abs()
    return float((size * factors * 4 * 2.0**-24).sum())


def check_points(where: str, check_finite: bool = False, **points: Tensor) -> None:
    """Raise a sentence unless all are batches (B, m) of points of one width."""
    for name, p in points.items():
        check_tensor(where, name, p)
    shapes = {name: tuple(p.shape) for name, p in points.items()}
    said = " and ".join(f"{name} has shape {shape}" for name, shape in shapes.items())
    if any(len(shape) != 2 for shape in shapes.values()):
        raise ValueError(f"{where}: {said}; expected batches of points, (B, m) and (C, m).")
    if any(shape[0] == 0 for shape in shapes.values()):
        raise ValueError(f"{where}: {said}; expected at least one point in each.")
    if len({shape[1] for shape in shapes.values()}) > 1:
        raise ValueError(
            f"{where}: {said}; expected points of one manifold, with equally many coordinates."
        )
    if check_finite:
        for name, p in points.items():
            bad = ~p.detach().isfinite().all(-1)
            if bool(bad.any()):
                raise ValueError(
                    f"{where}: {name} has {int(bad.sum())} rows of {p.shape[0]} that are not "
                    f"finite, the first is row {int(bad.nonzero()[0])}; expected finite numbers."
                )


def check_positive(where: str, name: str, value: Tensor | float, *, check: bool = False) -> None:
    """Raise a sentence for a number that is not positive and finite; a tensor's, only where
    :func:`can_look` or told to ``check``. A tensor's NaN passes: it is seen in the loss."""
    check_amount(where, name, value)
    if isinstance(value, Tensor):
        if not (check or can_look(value)):
            return
        wrong = (value <= 0) | value.isposinf()
        if not bool(wrong.any()):
            return
        value = float(value[wrong].flatten()[0])
    if not 0 < value < math.inf:
        raise ValueError(f"{where}: {name} is {value}; expected a positive number, finite.")


def can_look(x: Tensor) -> bool:
    """Whether a tensor's values can be read at no cost: a device would be waited for, and a
    transform has none yet."""
    return x.device.type == "cpu" and not torch.compiler.is_compiling() and not _in_a_transform()


def _in_a_transform() -> bool:
    return torch._C._functorch.peek_interpreter_stack() is not None
