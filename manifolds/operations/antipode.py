"""Antipodes: the points farthest from given ones on a sphere."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor

from ..base import Manifold
from ..charts.through_quadric import point, through_quadric
from ..kernels.arithmetic.vectors import normalize
from ..kernels.stereographic.points import at_infinity
from ..manifold_checks import check_known
from ..product.space import Product
from ..stereographic import Stereographic


@through_quadric("x", give=point)
def antipode(manifold: Manifold, x: Tensor) -> Tensor:
    r"""The point at distance pi R from x on a sphere: (..., m) -> (..., m).

    Sphere: -x. Stereographic with K > 0: :math:`-x/(K|x|^2)`, that of the origin, which is at
    infinity, at the edge of the chart in the direction of the first axis; for a learnable K,
    whose sign is not looked at, NaN where K <= 0. On a product of spheres that of each factor. An
    involution that goes with every isometry.

    Raises:
        ValueError: a space of K <= 0, where no point is farthest.
    """
    op = "antipode"
    check_known(op, manifold)
    if manifold._family == "product":
        product = cast(Product, manifold)
        parts = zip(product.factors, product.split(x), strict=True)
        return product.join([antipode(factor, part) for factor, part in parts])
    (x,), call = manifold._to_unit(op, [("x", x)])
    if manifold._family != "kappa":
        if manifold.sign <= 0:
            raise ValueError(f"{op}: the manifold is {manifold}; expected a space of K > 0.")
        return manifold._from_unit_point(-x, call)
    space = cast(Stereographic, manifold)
    if not space._curvature.learnable and space.sign <= 0:
        raise ValueError(f"{op}: the manifold is {manifold}; expected a space of K > 0.")
    k = space._k(x)
    ray, length = normalize(x)
    origin = length == 0
    axis = torch.zeros_like(x).index_fill(-1, torch.zeros((), dtype=torch.long, device=x.device), 1)
    # K |x| may vanish beside |x|: two quotients.
    far = -ray / k.where(k > 0, torch.nan) / length.where(~origin, 1.0)
    return manifold._from_unit_point(at_infinity(origin & (k > 0), axis, far), call)
