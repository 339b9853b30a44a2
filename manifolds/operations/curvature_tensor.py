"""The curvature tensor of a space form and its contractions."""

import torch
from torch import Tensor

from ..base import Manifold
from ..checks import check_coordinates
from ..manifold_checks import check_manifold
from .volume import check_dimension


def riemann(manifold: Manifold, x: Tensor, u: Tensor, v: Tensor, w: Tensor) -> Tensor:
    r"""Curvature tensor :math:`R(u, v)w = K(\langle v, w\rangle u - \langle u, w\rangle v)` at x.

    The sign is that of :math:`R(u,v)w = \nabla_u\nabla_v w - \nabla_v\nabla_u w - \nabla_{[u,v]}w`
    (Lee, "Introduction to Riemannian Manifolds", 2018, proposition 8.36; O'Neill and do Carmo have
    the opposite), so :math:`\langle R(u,v)v, u\rangle` is K times the squared area of u and v, and
    carried around the small parallelogram u, v, -u, -v a vector w changes by :math:`-R(u,v)w`.

    Shapes: five (..., m) -> (..., m), tangent at x.
    """
    vectors = [("u", u), ("v", v), ("w", w)]
    manifold, (x, u, v, w), dtype = entered("riemann", manifold, [("x", x)], vectors)
    first, second = inner(manifold, x, v, w), inner(manifold, x, u, w)
    result = curvature_at(manifold, x) * (first * u - second * v)
    return manifold.proj_tangent(x, result).to(dtype)


def sectional(manifold: Manifold, x: Tensor, u: Tensor, v: Tensor) -> Tensor:
    r"""Sectional curvature of the plane of u and v at x: K, whatever the plane.

    :math:`\langle R(u,v)v, u\rangle/(|u|^2|v|^2 - \langle u, v\rangle^2)`, of which nothing is
    computed: it is K for all u, v that span a plane, and by continuity K where they do not.

    Shapes: three (..., m) -> (...).

    Raises:
        ValueError: the space has one dimension only, so there is no plane.
    """
    manifold, (x, *_), dtype = entered("sectional", manifold, [("x", x)], [("u", u), ("v", v)])
    if _dimension(manifold, x) < 2:
        raise ValueError(
            f"sectional: x has shape {tuple(x.shape)}, a point of a space of 1 dimension; expected "
            "2 dimensions or more, a line has no planes."
        )
    shape = torch.broadcast_shapes(x.shape, u.shape, v.shape)[:-1]  # type: ignore[no-untyped-call]
    return curvature_at(manifold, x).to(dtype).expand(shape)


def ricci(manifold: Manifold, x: Tensor, u: Tensor, v: Tensor) -> Tensor:
    r"""Ricci curvature :math:`\mathrm{Ric}(u, v) = (n-1)K\langle u, v\rangle` at x.

    The trace of :math:`w\mapsto R(w, u)v`. Shapes: three (..., m) -> (...).
    """
    manifold, (x, u, v), dtype = entered("ricci", manifold, [("x", x)], [("u", u), ("v", v)])
    ratio = (_dimension(manifold, x) - 1) * curvature_at(manifold, x)
    return (ratio * manifold.inner(x, u, v)).to(dtype)


def scalar_curvature(manifold: Manifold, n: int) -> Tensor:
    """Scalar curvature n (n - 1) K of the n-dimensional space, the trace of Ricci: shape ()."""
    check_manifold("scalar_curvature", manifold)
    check_dimension("scalar_curvature", n)
    return n * (n - 1) * manifold.curvature


def inner(manifold: Manifold, x: Tensor, u: Tensor, v: Tensor) -> Tensor:
    """The inner product with its axis kept, (..., 1)."""
    return manifold.inner(x, u, v).unsqueeze(-1)


def curvature_at(manifold: Manifold, x: Tensor) -> Tensor:
    """K as a number of x's dtype and device."""
    return manifold.curvature.to(x)


def _dimension(manifold: Manifold, x: Tensor) -> int:
    return x.shape[-1] - manifold.ambient_dim(0)


def entered(
    where: str,
    manifold: Manifold,
    points: list[tuple[str, Tensor]],
    vectors: list[tuple[str, Tensor]],
    *,
    elsewhere: bool = False,
) -> tuple[Manifold, list[Tensor], torch.dtype]:
    """The space to compute on; the arguments, checked and promoted to the dtype of the computation;
    and that of the result.

    The vectors are at the first point, unless the last of them is ``elsewhere``: of that one
    :class:`Checked` asks only that it be finite.
    """
    check_manifold(where, manifold)
    named = [*points, *vectors]
    check_coordinates(where, named, manifold.ambient_dim(1))
    dtype = named[0][1].dtype
    for _, value in named:
        dtype = torch.promote_types(dtype, value.dtype)
    working = torch.promote_types(dtype, torch.float32)
    if manifold._unchecked is not manifold:
        manifold._to_unit(where, points, vectors[:-1] if elsewhere else vectors)
        if elsewhere:
            manifold._to_unit(where, points, vectors[-1:], covector=True)
    return manifold._unchecked, [value.to(working) for _, value in named], dtype
