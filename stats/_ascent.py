"""The direction in which something is greatest."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ..manifolds.kernels.arithmetic.vectors import normalize

_ROUNDS = 200


def greatest(value: Callable[[Tensor], Tensor], starts: Tensor) -> Tensor:
    """The unit vector (n,) of greatest ``value``, by LBFGS from the best of ``starts`` (k, n).

    ``value`` must not depend on the vector's length beyond what this makes of it, and be of the
    size of 1. A local maximum, never below the best start.
    """
    with torch.no_grad():
        values = torch.stack([value(start) for start in starts])
    start = starts[values.argmax()]
    q = start.clone().requires_grad_()
    optimiser = torch.optim.LBFGS(
        [q],
        max_iter=_ROUNDS,
        tolerance_grad=1e-12,
        tolerance_change=1e-15,
        line_search_fn="strong_wolfe",
    )

    def closure() -> Tensor:
        optimiser.zero_grad()
        loss = -value(normalize(q)[0])
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    with torch.enable_grad():
        optimiser.step(closure)  # type: ignore[no-untyped-call]
    found = normalize(q.detach())[0]
    with torch.no_grad():
        better = bool(value(found) >= values.max())  # not if NaN
    return found if better else start
