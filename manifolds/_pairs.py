"""Tables of all pairs of a product, added up factor by factor in the memory of one table."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from ._layout import column
from ._numerics import power_of_two, sqrt0
from .unit import times

if TYPE_CHECKING:
    from .base import Manifold
    from .product import Product

# Tables of fewer numbers than this (half a MB in float64) are computed several factors at a time:
# up to there a call costs the same however little it computes.
_TOGETHER = 2**16


class _Chunk(NamedTuple):
    """Some equal factors: their points (..., c, p, m) and (..., c, q, m)."""

    manifold: Manifold
    members: list[int]
    x: Tensor
    y: Tensor


def _chunks(product: Product, x: Tensor, y: Tensor, *, matmul: bool) -> Iterator[_Chunk]:
    leading = torch.broadcast_shapes(x.shape[:-2], y.shape[:-2])  # type: ignore[no-untyped-call]
    pairs = math.prod((*leading, x.shape[-2], y.shape[-2]))
    parts = zip(
        product._groups, product._layout.gather(x), product._layout.gather(y), strict=True
    )
    for group, a, b in parts:
        a, b = a.transpose(-2, -3), b.transpose(-2, -3)
        numbers = pairs * (1 if matmul else a.shape[-1])
        size = max(1, _TOGETHER // max(1, numbers)) if product._one_object(group) else 1
        for s in range(0, len(group), size):
            chosen = group[s : s + size]
            yield _Chunk(
                product._factor(chosen[0]),
                chosen,
                a[..., s : s + size, :, :],
                b[..., s : s + size, :, :],
            )


def all_distances(
    product: Product, x: Tensor, y: Tensor, *, squared: bool, matmul: bool
) -> Tensor:
    """See :meth:`Product.cdist`; x and y in the dtype of the computation."""
    chunks = list(_chunks(product, x, y, matmul=matmul))

    def scaled(chunk: _Chunk, a: Tensor, b: Tensor, square: bool = False) -> Tensor:
        table = chunk.manifold.cdist(a, b, squared=square, matmul=matmul)
        return _times(table, [product._scales[i] for i in chunk.members], 2 if square else 1)

    if product.metric == "l2" and squared:
        return _total(chunks, lambda chunk, a, b: scaled(chunk, a, b, True).sum(-3))
    if product.metric == "l2":
        # In float64 the square of no float32 distance overflows or vanishes; that of a float64
        # distance may, unless the table is divided by the largest first. (A matrix product has
        # squared the coordinates already.)
        scale: Tensor | float = 1.0
        if x.dtype == torch.float64 and not matmul:
            with torch.no_grad():
                scale = power_of_two(_largest(chunks, scaled)[0].unsqueeze(-1)).squeeze(-1)

        def share(chunk: _Chunk, a: Tensor, b: Tensor) -> Tensor:
            table = scaled(chunk, a, b).double()
            over = scale.unsqueeze(-3) if isinstance(scale, Tensor) else scale
            return (table / over).square().sum(-3)

        square = _total(chunks, share)
        return (sqrt0(square) * scale).to(x.dtype)
    if product.metric == "l1":
        total = _total(chunks, lambda chunk, a, b: scaled(chunk, a, b).sum(-3))
    else:
        with torch.no_grad():
            total, winner = _largest(chunks, scaled)
        if torch.is_grad_enabled():  # the same numbers, with the gradient of the largest factor

            def won(chunk: _Chunk, a: Tensor, b: Tensor) -> Tensor:
                members = torch.tensor(chunk.members, device=a.device)[:, None, None]
                return scaled(chunk, a, b).where(winner.unsqueeze(-3) == members, 0.0).sum(-3)

            total = _total(chunks, won)
    return total.square() if squared else total


def all_inner(product: Product, x: Tensor, y: Tensor) -> Tensor:
    """See :meth:`Product.cinner`; x and y in float64."""

    def inner(chunk: _Chunk, a: Tensor, b: Tensor) -> Tensor:
        weights = [product.weights[i] for i in chunk.members]
        return _times(chunk.manifold.cinner(a, b), weights, 1).sum(-3)

    return _total(list(_chunks(product, x, y, matmul=True)), inner)


def _times(table: Tensor, scales: list[float], power: int) -> Tensor:
    """(..., c, p, q) with each of the c factors multiplied by a power of its scale."""
    scale = column(scales, table)
    return times(table, scale.unsqueeze(-1) if isinstance(scale, Tensor) else scale, power)


def _largest(
    chunks: list[_Chunk], table: Callable[[_Chunk, Tensor, Tensor], Tensor]
) -> tuple[Tensor, Tensor]:
    """The largest of the factors' tables and the first factor that has it."""
    best, winner = None, None
    for chunk in chunks:
        value, index = table(chunk, chunk.x, chunk.y).max(-3)
        factor = torch.tensor(chunk.members, device=index.device)[index]
        if best is None or winner is None:
            best, winner = value, factor
        else:
            winner = torch.where((value > best) | value.isnan(), factor, winner)
            best = torch.maximum(best, value)
    assert best is not None
    assert winner is not None
    return best, winner


def _total(chunks: list[_Chunk], table: Callable[[_Chunk, Tensor, Tensor], Tensor]) -> Tensor:
    """Sum of a table over the chunks, each computed again when the gradient is asked for."""
    total: Tensor | None = None
    again = len(chunks) > 1 and torch.is_grad_enabled() and not _in_a_transform()
    for chunk in chunks:
        if again:
            part = checkpoint(
                table, chunk, chunk.x, chunk.y, use_reentrant=False, preserve_rng_state=False
            )
        else:
            part = table(chunk, chunk.x, chunk.y)
        total = part if total is None else total + part
    assert total is not None
    return total


def _in_a_transform() -> bool:
    """Whether torch.func is at work, in which tensors cannot be dropped and computed again."""
    return torch._C._functorch.peek_interpreter_stack() is not None
