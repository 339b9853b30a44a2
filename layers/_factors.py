"""The space forms that a manifold is made of, and where their coordinates are."""

from __future__ import annotations

from typing import NamedTuple, cast

from ..manifolds import Manifold, Product
from ..manifolds.manifold_checks import check_known


class Factor(NamedTuple):
    """A space form in a product, or by itself."""

    space: Manifold
    points: slice
    """Where its points' coordinates are."""
    normals: slice
    """Where its normal coordinates are."""
    scale: float
    """The number that its lengths are multiplied by in the product."""


def factors(where: str, manifold: Manifold, n: int) -> list[Factor]:
    """Those of the n-dimensional space: the space itself, or of a product each, nested ones too."""
    check_known(where, manifold)
    if manifold._family != "product":
        return [Factor(manifold, slice(0, manifold.ambient_dim(n)), slice(0, n), 1.0)]
    product = cast(Product, manifold)
    if not product._fits(n):
        raise ValueError(f"{where}: the dimension is {n}; expected {product._expected(False)}.")
    found = []
    for i, space in enumerate(product.factors):
        start, first = product._layout.start(i, n), product._layout.start(i, n, normal=True)
        for own in factors(where, space, product._layout.dim(i, n)):
            found.append(
                Factor(
                    own.space,
                    slice(start + own.points.start, start + own.points.stop),
                    slice(first + own.normals.start, first + own.normals.stop),
                    own.scale * product._scales[i],
                )
            )
    return found


def needs_l2(where: str, manifold: Manifold) -> None:
    """Refuse a product whose metric has no inner product."""
    if manifold._family == "product":
        product = cast(Product, manifold)
        product._needs_l2(where)
        for factor in product.factors:
            needs_l2(where, factor)
