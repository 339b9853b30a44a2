"""Tables of all pairs of a product, added up factor by factor in the memory of one table."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from ..base import Manifold
from ..kernels.arithmetic.vectors import binary_scale, sqrt0
from ..kernels.pairs.form import Kind, PairForm
from ..kernels.pairs.products import Products, in_a_transform, widest
from ..space_form import divided, times
from .factors import Factors
from .layout import column

# Tables of fewer numbers than this (half a MB in float64) are computed several factors at a time:
# up to there a call costs the same however little it computes.
_TOGETHER = 2**16


class _Chunk(NamedTuple):
    """Some equal factors: their points (..., c, p, m) and (..., c, q, m)."""

    manifold: Manifold
    members: tuple[int, ...]
    x: Tensor
    y: Tensor
    radius: float | Tensor | None
    """A number or (c, 1, 1); None for a manifold that is more than its radius."""


def _chunks(product: Factors, x: Tensor, y: Tensor, *, matmul: Products | None) -> Iterator[_Chunk]:
    leading = torch.broadcast_shapes(x.shape[:-2], y.shape[:-2])  # type: ignore[no-untyped-call]
    pairs = math.prod((*leading, x.shape[-2], y.shape[-2]))
    parts = zip(product._groups, product._layout.gather(x), product._layout.gather(y), strict=True)
    for group, of_x, of_y in parts:
        a, b = of_x.transpose(-2, -3), of_y.transpose(-2, -3)
        numbers = pairs * (1 if matmul else a.shape[-1])
        size = max(1, _TOGETHER // max(1, numbers))
        radius = product._radius_of(group, a) if group.by_radius else None
        for s in range(0, len(group.members), size):
            some = slice(s, s + size)
            own = radius
            if isinstance(radius, Tensor) and radius.ndim > 0:
                own = radius[some].unsqueeze(-1)
            members = group.members[some]
            yield _Chunk(
                product._factor(members[0]), members, a[..., some, :, :], b[..., some, :, :], own
            )


def _distances(chunk: _Chunk, *, squared: bool, matmul: Products | None) -> Tensor:
    """All distances within each factor, (..., c, p, q).

    As ``Manifold.cdist`` computes them, but with the radius as an argument: what is computed again
    in the backward pass must not look up a parameter that may by then be another.
    """
    manifold, _, x, y, radius = chunk
    if radius is None:
        plain = manifold._unchecked
        return plain._all_distances(x, y, squared=squared, matmul=matmul)
    if matmul is not None:
        haversine = manifold._pairwise_haversine(divided(x, radius), divided(y, radius), matmul)
        arc = manifold._arc_squared(haversine) if squared else manifold._arc(sqrt0(haversine))
        return times(arc, radius, 2 if squared else 1)
    own = radius.unsqueeze(-1) if isinstance(radius, Tensor) and radius.ndim > 0 else radius
    pairs = manifold._sqdist if squared else manifold._dist
    return pairs(x.unsqueeze(-2), y.unsqueeze(-3), own).squeeze(-1)


def all_distances(
    product: Factors, x: Tensor, y: Tensor, *, squared: bool, matmul: Products | None
) -> Tensor:
    """See :meth:`Product.cdist`; x and y in the dtype of the computation."""
    chunks = list(_chunks(product, x, y, matmul=matmul))

    def scaled(chunk: _Chunk, *, squared: bool = False) -> Tensor:
        table = _distances(chunk, squared=squared, matmul=matmul)
        return _times(table, [product._scales[i] for i in chunk.members], 2 if squared else 1)

    if product.metric == "l2" and squared:
        return _total(chunks, lambda chunk: scaled(chunk, squared=True).sum(-3))
    if product.metric == "l2":
        # In float64 the square of no float32 distance overflows or vanishes; that of a float64
        # distance may, unless the table is divided by the largest first. (A matrix product has
        # squared the coordinates already.)
        scale: Tensor | float = 1.0
        if x.dtype == torch.float64 and not matmul:
            with torch.no_grad():
                scale = binary_scale(_largest(chunks, scaled)[0].unsqueeze(-1)).squeeze(-1)

        def share(chunk: _Chunk) -> Tensor:
            over = scale.unsqueeze(-3) if isinstance(scale, Tensor) else scale
            return (scaled(chunk).to(widest(x.device)) / over).square().sum(-3)

        return (sqrt0(_total(chunks, share)) * scale).to(x.dtype)
    if product.metric == "l1":
        total = _total(chunks, lambda chunk: scaled(chunk).sum(-3))
    else:
        with torch.no_grad():
            total, winner = _largest(chunks, scaled)
        if torch.is_grad_enabled():  # the same numbers, with the gradient of the largest factor

            def won(chunk: _Chunk) -> Tensor:
                members = torch.tensor(chunk.members, device=x.device)[:, None, None]
                return scaled(chunk).where(winner.unsqueeze(-3) == members, 0.0).sum(-3)

            total = _total(chunks, won)
    return total.square() if squared else total


def all_inner(product: Factors, x: Tensor, y: Tensor, *, matmul: Products | None) -> Tensor:
    """See :meth:`Product.cinner`; x and y in float64."""
    parts = zip(product.factors, product._split(x), product._split(y), strict=True)
    chunks = [_Chunk(f, (i,), a, b, None) for i, (f, a, b) in enumerate(parts)]

    def weighted(chunk: _Chunk) -> Tensor:
        table = chunk.manifold._unchecked._all_inner(chunk.x, chunk.y, matmul=matmul)
        return table * product.weights[chunk.members[0]]

    return _total(chunks, weighted)


def _times(table: Tensor, scales: list[float], power: int) -> Tensor:
    """(..., c, p, q) with each of the c factors multiplied by a power of its scale."""
    scale = column(scales, table)
    return times(table, scale.unsqueeze(-1) if isinstance(scale, Tensor) else scale, power)


def _largest(chunks: list[_Chunk], table: Callable[[_Chunk], Tensor]) -> tuple[Tensor, Tensor]:
    """The largest of the factors' tables and the first factor that has it."""
    best, winner = None, None
    for chunk in chunks:
        value, index = table(chunk).max(-3)
        factor = torch.tensor(chunk.members, device=index.device)[index]
        if best is None or winner is None:
            best, winner = value, factor
        else:
            winner = torch.where((value > best) | value.isnan(), factor, winner)
            best = torch.maximum(best, value)
    assert best is not None
    assert winner is not None
    return best, winner


def _total(chunks: list[_Chunk], table: Callable[[_Chunk], Tensor]) -> Tensor:
    """Sum of a table over the chunks, each computed again when the gradient is asked for."""
    total: Tensor | None = None
    # Under torch.func tensors cannot be dropped and computed again.
    again = len(chunks) > 1 and torch.is_grad_enabled() and not in_a_transform()
    for chunk in chunks:
        stateless = chunk.radius is not None or not any(True for _ in chunk.manifold.parameters())
        if again and stateless:
            part = checkpoint(table, chunk, use_reentrant=False, preserve_rng_state=False)
        else:
            part = table(chunk)
        total = part if total is None else total + part
    assert total is not None
    return total


def sum_of_forms(product: Factors, kind: Kind, m: int) -> PairForm | None:
    """:meth:`Manifold.pair_form` of a product: the terms of its factors, each with its weight."""
    if kind == "inner":
        product._needs_l2("cinner")
    if product.metric == "max" or product._nested:
        return None
    n = m - product._extra_coordinates
    inside: Kind = "sqdist" if kind != "inner" and product.metric == "l2" else kind
    if product.metric == "l1":
        inside = "dist"
    terms = []
    for i, (factor, weight) in enumerate(zip(product.factors, product.weights, strict=True)):
        start = product._layout.start(i, n)
        width = factor.ambient_dim(product._layout.dim(i, n))
        form = factor.pair_form(inside, width)
        if form is None or len(form.terms) != 1 or form.outer != "same":
            return None
        (term,) = form.terms
        columns = slice(start, start + width)
        terms.append(term._replace(columns=columns, factor=term.factor * weight))
    if kind == "dist" and product.metric == "l2":
        return PairForm(tuple(terms), "root")
    return PairForm(
        tuple(terms), "square" if kind == "sqdist" and product.metric == "l1" else "same"
    )
