"""The geometric median of points, by Weiszfeld's and Newton's steps."""

from __future__ import annotations

import torch
from torch import Tensor

from ..manifolds import Manifold
from ..manifolds.checks import ArrayLike, to_tensor
from ..manifolds.kernels.arithmetic.vectors import dot, norm, normalize
from ..manifolds.solvers.frechet_mean import amid
from ..manifolds.solvers.newton import (
    Steps,
    best,
    descend,
    in_coordinates,
    last_step,
    logs,
    moved,
    newton_steps,
)
from ._sets import enter

# Shares of Vardi & Zhang's step away from the best of the points that are tried.
_SHARES = (1.0, 1 / 4, 1 / 64)


def geometric_median(manifold: Manifold, x: ArrayLike, weights: ArrayLike | None = None) -> Tensor:
    r"""The point that minimises :math:`\sum_i w_i\,d(m, x_i)`.

    Points of less than half of the weight cannot carry it off, however far away they are.

    If one of the points is a minimum, it is returned as it is. That is so exactly if the unit
    vectors towards the others pull less than it weighs,

    .. math:: \Bigl|\sum_{x_i\ne x_j} w_i\frac{\log_{x_j}x_i}{d(x_i, x_j)}\Bigr|_{x_j}
              \le \sum_{x_i=x_j} w_i

    (Fletcher, Venkatasubramanian & Joshi 2009, "The geometric median on Riemannian manifolds",
    after Kuhn 1973). Otherwise the search starts from the best of the points, leaves it along that
    pull, and can meet none of them again, because it never goes uphill. Its steps are Newton's,
    which converge quadratically, or Weiszfeld's (Fletcher et al.), which always descend,
    whichever leads lower.

    Differentiable in x, in the weights and in the curvature by implicit differentiation, as
    :meth:`Manifold.mean` is: where the median is no point of the set the derivative is exact; where
    it is one, the identity in that point (and zero in all others, which can be moved a little
    without moving it). The number of steps depends on the points: like the mean, the median does
    not go under ``vmap`` or into a full graph.

    Args:
        manifold: the space.
        x: points (..., k, m).
        weights: (..., k), non-negative with a positive sum; equal if None.

    Returns:
        (..., m). On Euclidean and hyperbolic spaces it is unique unless the points lie on one
        geodesic; there the minima may be a whole segment, and an end of it is returned. On the
        sphere it is unique for points of a convex set of diameter below pi R/2 (Fletcher et al.,
        theorem 1); beyond, a local minimum that no single point of the set beats, and antipodes
        pull in the direction :meth:`Manifold.logmap` names.

    Raises:
        ValueError: no points; weights that are negative, not finite or all zero, or of another
            shape.
    """
    where = "geometric_median"
    given, weights = to_tensor(where, "x", x), to_tensor(where, "weights", weights)
    x, w, call = enter(where, manifold, given, weights)
    shape = torch.broadcast_shapes(x.shape[:-1], w.shape[:-1])  # type: ignore[no-untyped-call]
    given, x = given.expand(*shape, x.shape[-1]), x.expand(*shape, x.shape[-1])
    w = w.expand(*shape, 1)

    def cost(m: Tensor) -> Tensor:
        base = m.unsqueeze(-2)
        return (w * manifold._dist(base, x)).sum(-2)

    with torch.no_grad():
        costs = torch.cat([cost(x[..., i, :]) for i in range(x.shape[-2])], dim=-1)
        index = costs.argmin(-1, keepdim=True).unsqueeze(-1)
        index = index.expand(*index.shape[:-1], x.shape[-1])
        vertex = x.gather(-2, index).squeeze(-2)
        optimal, away = _leaving(manifold, vertex, x, w)
        starts = [vertex, *(moved(manifold, vertex, share * away) for share in _SHARES)]
        if manifold.sign <= 0:
            # One minimum; and a vertex may be so far out that directions there are only rounding.
            starts += amid(manifold, x, w)
            lower = best(starts, cost)[1] < (1 - 64 * torch.finfo(x.dtype).eps) * cost(vertex)
            optimal = optimal & ~lower
        m, settled = descend(manifold, starts, cost, lambda m: _steps(manifold, m, x, w))
        # A pull too weak for the dtype to follow is none. (NaN is not too weak.)
        stayed = (m == vertex).all(-1, keepdim=True) & ~costs.amin(-1, keepdim=True).isnan()
        optimal = optimal | stayed
    elsewhere = last_step(manifold, m, _steps(manifold, m, x, w).newton, settled)
    elsewhere = manifold._from_unit_point(elsewhere, call)
    return torch.where(optimal, given.gather(-2, index).squeeze(-2), elsewhere)


def _directions(manifold: Manifold, m: Tensor, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Unit vectors towards the points (0 towards m itself), the inverses of the distances (0 for
    none), and the eigenvalue of Hess d^2/2 across the geodesics."""
    v = logs(manifold, m, x)
    direction, length = normalize(v)
    with torch.no_grad():
        inverse = torch.where(length > 0, 1 / length.where(length > 0, 1.0), 0.0)
        across = manifold._hessian_across(dot(v, v))
    return direction, inverse, across


def _leaving(manifold: Manifold, vertex: Tensor, x: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
    """Whether one of the points is the median, and if it is not a step that leads lower.

    The step is that of Vardi & Zhang 2000: Weiszfeld's for the other points, shortened by the
    share of their pull that the vertex's own weight takes up.
    """
    direction, inverse, across = _directions(manifold, vertex, x)
    pull = (w * direction).sum(-2)
    weight = w.where(inverse == 0, 0.0).sum(-2)
    # Points on one geodesic may pull with exactly the weight: not more, but for rounding.
    optimal = norm(pull) <= weight + 8 * torch.finfo(x.dtype).eps
    stiff = (w * across.clamp(min=1.0) * inverse).sum(-2)
    share = (1 - weight / norm(pull).where(~optimal, 1.0)) / stiff.where(~optimal, 1.0)
    step = (share * pull).where(~optimal, 0.0)
    return optimal, in_coordinates(manifold, vertex, step)


def _steps(manifold: Manifold, m: Tensor, x: Tensor, w: Tensor) -> Steps:
    """Newton's step at m, and Weiszfeld's as the careful one.

    The Hessian of the distance to x is cs(d)/sn(d) across the geodesic and 0 along it.
    """
    direction, inverse, across = _directions(manifold, m, x)
    with torch.no_grad():
        bend = w * across * inverse
        largest = (w * across.clamp(min=1.0) * inverse).sum(-2)
        largest = largest.where(largest > 0, 1.0)
    return newton_steps(
        manifold,
        m,
        (w * direction).sum(-2),
        direction.detach(),
        along=-bend,
        across=bend.sum(-2),
        largest=largest,
    )
