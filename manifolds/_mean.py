"""The Fréchet mean of a set of points, by Newton's method, with implicit differentiation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ._checks import check_broadcast
from ._numerics import dot, norm, unit

if TYPE_CHECKING:
    from .base import Manifold

# From a centroid, quadratic convergence reaches rounding in three to six steps, after a few more
# far out. The cap is for sets that have no unique mean (points all around a sphere).
_STEPS = 64


def frechet_mean(manifold: Manifold, x: Tensor, weights: Tensor | None) -> Tensor:
    """See :meth:`Manifold.mean`; x of shape (..., k, m) at unit curvature, result not projected."""
    where = f"{type(manifold).__name__}.mean"
    if x.ndim < 2 or x.shape[-2] == 0:
        raise ValueError(
            f"{where}: x has shape {tuple(x.shape)}; expected a set of points (..., k, m), k > 0."
        )
    w = _weights(where, x, weights).unsqueeze(-1)
    tolerance = 4 * torch.finfo(x.dtype).eps
    with torch.no_grad():
        m = manifold._centroid(x, w)
        for _ in range(_STEPS):
            newton, careful = _steps(manifold, m, x, w)
            m = _better(manifold, x, w, _moved(manifold, m, newton), _moved(manifold, m, careful))
            if bool((norm(manifold._frame(m, newton)) <= tolerance).all()):
                break
    # One step from the converged point, this time with gradients: its derivative is that of the
    # implicit function theorem, -(D_m F)^-1 D_x F for F = sum w log_m x = 0.
    return manifold._expmap(m, _steps(manifold, m, x, w)[0])


def _weights(where: str, x: Tensor, weights: Tensor | None) -> Tensor:
    """Weights with sum 1, (..., k)."""
    if weights is None:
        return torch.full(x.shape[:-1], 1 / x.shape[-2], dtype=x.dtype, device=x.device)
    if not isinstance(weights, Tensor):
        raise TypeError(
            f"{where}: weights are a {type(weights).__name__}; expected None or a torch.Tensor."
        )
    if weights.shape[-1:] != x.shape[-2:-1]:
        raise ValueError(
            f"{where}: weights have shape {tuple(weights.shape)} for x of shape {tuple(x.shape)}; "
            f"expected (..., {x.shape[-2]}), one weight a point."
        )
    check_broadcast(where, "the tensor weights", weights, weights.shape[:-1], x.shape[:-2])
    w = weights.to(x.dtype)
    total = w.sum(-1, keepdim=True)
    # Newton's method looks at values too: one look more costs nothing.
    if not bool(((w >= 0) & (total > 0) & total.isfinite()).all()):
        raise ValueError(
            f"{where}: of {w.numel()} weights {int((w < 0).sum())} are negative and "
            f"{int((~w.isfinite()).sum())} not finite, and the least sum of a set is "
            f"{total.min().item():g}; expected non-negative weights with a positive, finite sum."
        )
    return w / total


def _moved(manifold: Manifold, m: Tensor, step: Tensor) -> Tensor:
    return manifold._proj(manifold._expmap(m, step), m.dtype)


def _better(manifold: Manifold, x: Tensor, w: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """Of two candidates the one with the smaller sum of squared distances."""

    def cost(m: Tensor) -> Tensor:
        base = m.unsqueeze(-2)
        return (w * manifold._sqdist(base, x, x - base)).sum(-2)

    return torch.where(cost(a) <= cost(b), a, b)


def _steps(manifold: Manifold, m: Tensor, x: Tensor, w: Tensor) -> tuple[Tensor, Tensor]:
    """Newton's step at m and a careful one, solved for in the frame carried from the origin.

    In that frame the Hessian of sum w d^2/2 is the sum of w (l l^T + c (1 - l l^T)), l the unit
    vector towards x and c = d cs(d)/sn(d) (Karcher 1977, appendix C). The careful step is the
    gradient over sum w max(c, 1), which never goes uphill (Zhang & Sra 2016, lemma 6): far out
    Newton's overshoots.
    """
    base, origin = m.unsqueeze(-2), manifold._unit_origin(m)
    logs = manifold._drop_tangent0(
        manifold._transport(base, origin, origin - base, manifold._logmap(base, x, x - base))
    )
    gradient = (w * logs).sum(-2)
    with torch.no_grad():
        direction, _ = unit(logs)
        across = manifold._hessian_across(dot(logs, logs))
        identity = torch.eye(logs.shape[-1], dtype=m.dtype, device=m.device)
        hessian = (w * across).sum(-2).unsqueeze(-1) * identity
        hessian = hessian + torch.einsum(
            "...ki,...kj->...ij", w * (1 - across) * direction, direction
        )
        # Singular for points all around a sphere, which have no mean to be found.
        solvable = torch.linalg.inv_ex(hessian).info.unsqueeze(-1).unsqueeze(-1) == 0
        hessian = hessian.where(solvable, identity)
        largest = (w * across.clamp(min=1.0)).sum(-2)

    def at_m(step: Tensor) -> Tensor:
        return manifold._transport(origin, m, m - origin, manifold._lift_tangent0(step))

    return at_m(torch.linalg.solve(hessian, gradient)), at_m(gradient / largest)
