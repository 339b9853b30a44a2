"""Sets of points and their weights: what a mean, a median or a centroid is taken of."""

import torch
from torch import Tensor

from ..checks import check_broadcast, check_real


def check_set(where: str, x: Tensor) -> None:
    """Reject what is no set of points (..., k, m)."""
    if x.ndim < 2 or x.shape[-2] == 0:
        raise ValueError(
            f"{where}: x has shape {tuple(x.shape)}; expected a set of points (..., k, m), k > 0."
        )


def check_weights(where: str, x: Tensor, weights: Tensor | None) -> Tensor:
    """Weights (..., k) in the dtype of the points (..., k, m), 1 if None; no look at values."""
    if weights is None:
        return torch.ones(x.shape[:-1], dtype=x.dtype, device=x.device)
    check_real(where, "weights", weights)
    if weights.shape[-1:] != x.shape[-2:-1]:
        raise ValueError(
            f"{where}: weights have shape {tuple(weights.shape)} for x of shape {tuple(x.shape)}; "
            f"expected (..., {x.shape[-2]}), one weight a point."
        )
    check_broadcast(where, "the tensor weights", weights, weights.shape[:-1], x.shape[:-2])
    return weights.to(x.dtype)


def normalised(where: str, x: Tensor, weights: Tensor | None) -> Tensor:
    """Weights with sum 1, (..., k)."""
    if weights is None:
        return torch.full(x.shape[:-1], 1 / x.shape[-2], dtype=x.dtype, device=x.device)
    w = check_weights(where, x, weights)
    total = w.sum(-1, keepdim=True)
    good = ((w >= 0) & (total > 0) & total.isfinite()).all(-1, keepdim=True)
    # Newton's method looks at values too: one look more costs nothing.
    if not bool(good.all()):
        raise ValueError(
            f"{where}: of {w.numel()} weights {int((w < 0).sum())} are negative and "
            f"{int((~w.isfinite()).sum())} not finite, and the least sum of a set is "
            f"{total.min().item():g}; expected non-negative weights with a positive, finite sum."
        )
    return w / total
