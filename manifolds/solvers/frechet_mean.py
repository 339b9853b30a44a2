"""The Fréchet mean of a set of points, by Newton's method, with implicit differentiation."""

from __future__ import annotations

import torch
from torch import Tensor

from ..checks import check_coordinates
from ..kernels.arithmetic.vectors import dot, expanded, normalize
from ..space_form import SpaceForm
from .newton import Steps, descend, last_step, logs, newton_steps
from .weights import check_set, normalised

# Fractions of the way from the origin to the centroid where the search may begin. With points 100 R
# out in all directions the mean is near the origin, but the centroid 50 R off, where the steps back
# are too short and their directions only rounding.
_STARTS = (1.0, 1 / 2, 1 / 4, 0.0)


def frechet_mean(
    manifold: SpaceForm, x: Tensor, weights: Tensor | None, start: Tensor | None
) -> Tensor:
    """See :meth:`Manifold.mean`; x of shape (..., k, m) at unit curvature, result not projected."""
    where = f"{type(manifold).__name__}.mean"
    check_set(where, x)
    w = normalised(where, x, weights).unsqueeze(-1)

    def cost(m: Tensor) -> Tensor:
        base = m.unsqueeze(-2)
        return (w * manifold._sqdist(base, x)).sum(-2)

    with torch.no_grad():
        starts = amid(manifold, x, w)
        if start is not None:
            check_coordinates(where, [("x", x[..., 0, :]), ("start", start)], 1)
            (start,), _ = manifold._to_unit("mean", [("start", start)])
            start = expanded(start.to(x.dtype), x[..., 0, :], w[..., 0, :])
            # One minimum: a start at the edge of the dtype, where directions are only rounding,
            # need not be taken. Several: the start says which.
            starts = [start] if manifold.sign > 0 else [start, *starts]
        m, settled = descend(manifold, starts, cost, lambda m: _steps(manifold, m, x, w))
    return last_step(manifold, m, _steps(manifold, m, x, w).newton, settled)


def amid(manifold: SpaceForm, x: Tensor, w: Tensor) -> list[Tensor]:
    """Points amid x (..., k, m) of weights w (..., k, 1), the best of which is a good start."""
    centroid = manifold._centroid(x, w)
    if manifold.sign > 0:  # several basins: the one of the centroid is promised
        return [centroid]
    v = manifold._to_normal(centroid)
    return [manifold._proj(manifold._from_normal(share * v), x.dtype) for share in _STARTS]


def _steps(manifold: SpaceForm, m: Tensor, x: Tensor, w: Tensor) -> Steps:
    """Newton's step at m and a careful one, solved for in the frame carried from the origin.

    In that frame the Hessian of sum w d^2/2 is the sum of w (l l^T + c (1 - l l^T)), l the unit
    vector towards x and c = d cs(d)/sn(d) (Karcher 1977, appendix C). The careful step is the
    gradient over sum w max(c, 1), which never goes uphill (after Zhang & Sra 2016): far out
    Newton's overshoots.
    """
    v = logs(manifold, m, x)
    with torch.no_grad():
        direction, _ = normalize(v)
        across = manifold._hessian_across(dot(v, v))
    return newton_steps(
        manifold,
        m,
        (w * v).sum(-2),
        direction,
        along=w * (1 - across),
        across=(w * across).sum(-2),
        largest=(w * across.clamp(min=1.0)).sum(-2),
    )
