"""Newton's method for a function on a manifold that is a sum over points, safeguarded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ..kernels.arithmetic.vectors import dot
from ..space_form import SpaceForm

# Three to eight steps are usual, a dozen or two far out. The cap is for sets without a unique
# minimum (points all around a sphere).
_STEPS = 64

# Fractions of Newton's step that are tried beside it. Far out a sum of distances is that of a tree,
# almost linear or quadratic by pieces: a whole step ends behind the next branching, and a careful
# one long before.
_FRACTIONS = (1 / 2, 1 / 4, 1 / 16, 1 / 64)
_MULTIPLES = (1, 4, 16, 64)


class Steps(NamedTuple):
    """Tangent vectors at a point, (..., m), along which to go on."""

    newton: Tensor
    gradient_step: Tensor
    """One that does not go uphill."""
    decrement: Tensor
    """Gradient times Newton's step, (..., 1): twice the decrease that it promises."""


def descend(
    manifold: SpaceForm,
    starts: Sequence[Tensor],
    cost: Callable[[Tensor], Tensor],
    steps: Callable[[Tensor], Steps],
) -> tuple[Tensor, Tensor]:
    """The minimum of ``cost`` from the best of several starting points, at unit curvature.

    Returns:
        The point (..., m), and whether Newton's step from it is settled (..., 1): within what the
        rounding of the cost allows. It is not where that step is longer and yet leads no lower,
        among points as far out as the dtype can hold or around a sphere.
    """
    m, least = best(starts, cost)
    decrement = torch.full_like(least, torch.inf)
    settled = done = torch.zeros_like(least, dtype=torch.bool)
    for _ in range(_STEPS):
        step = steps(m)
        before, decrement = decrement, step.decrement
        # Where the promised decrease is within the cost's rounding, the cost cannot say what is
        # better: Newton's step is, until it no longer shrinks (by half; the decrement goes by 4).
        settled = decrement.abs() <= 64 * torch.finfo(m.dtype).eps * least
        done = done | (settled & (decrement.abs() >= before.abs() / 4))
        if bool(done.all()):
            break
        whole = moved(manifold, m, step.newton)
        value = cost(whole)
        # As usual amid the points: the step does what it promises, and no other is tried. (On a
        # sphere it may promise an ascent.)
        enough = (decrement > 0) & (value <= least - decrement / 4)
        if bool((settled | done | enough).all()):
            m = torch.where(done, m, whole)
            least = torch.where(done | settled, least, value)
            continue
        tries = [step.newton * fraction for fraction in _FRACTIONS]
        tries += [step.gradient_step * multiple for multiple in _MULTIPLES]
        better, lower = best([whole, *(moved(manifold, m, v) for v in tries)], cost)
        done = done | ~(settled | (lower < least))
        m = torch.where(done, m, torch.where(settled, whole, better))
        least = torch.where(done | settled, least, lower)
    return m, settled


def best(candidates: Sequence[Tensor], cost: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor]:
    """Of several points (..., m) the one of least cost, and its cost (..., 1)."""
    m = candidates[0]
    least = cost(m)
    for other in candidates[1:]:
        value = cost(other)
        lower = value < least
        m, least = torch.where(lower, other, m), torch.where(lower, value, least)
    return m, least


def moved(manifold: SpaceForm, m: Tensor, step: Tensor) -> Tensor:
    return manifold._proj(manifold._expmap(m, step), m.dtype)


def last_step(manifold: SpaceForm, m: Tensor, step: Tensor, settled: Tensor) -> Tensor:
    """m moved by Newton's step, this time with gradients.

    From a converged point without gradients, the derivative of one Newton step is that of the
    implicit function theorem, -(D_m F)^-1 D_x F for a gradient F(m, x) = 0. A step that is not
    settled is only rounding: it has the derivative still, but no value.
    """
    return manifold._expmap(m, torch.where(settled, step, step - step.detach()))


def logs(manifold: SpaceForm, m: Tensor, x: Tensor) -> Tensor:
    """log_m x of x (..., k, m) in the frame carried from the origin: (..., k, n)."""
    base, origin = m.unsqueeze(-2), manifold._unit_origin(m)
    v = manifold._logmap(base, x, x - base)
    return manifold._drop_tangent0(manifold._transport(base, origin, origin - base, v))


def in_coordinates(manifold: SpaceForm, m: Tensor, v: Tensor) -> Tensor:
    """The tangent vector at m with the components v in the frame carried from the origin."""
    origin = manifold._unit_origin(m)
    return manifold._transport(origin, m, m - origin, manifold._lift_tangent0(v))


def newton_steps(
    manifold: SpaceForm,
    m: Tensor,
    gradient: Tensor,
    directions: Tensor,
    *,
    along: Tensor,
    across: Tensor,
    largest: Tensor,
) -> Steps:
    """Steps down a function whose Hessian is ``across`` times 1 plus the sum of ``along`` l l^T.

    Args:
        manifold, m: the space, and where the steps start, (..., m).
        gradient: the negative gradient, (..., n), in the frame carried from the origin.
        directions: the unit vectors l, (..., k, n), in the same frame.
        along: what each of them adds to the Hessian, (..., k, 1).
        across: the Hessian of what is orthogonal to all of them, (..., 1).
        largest: a bound of the Hessian's eigenvalues, (..., 1), which makes the step along the
            gradient a careful one.
    """
    count, n = directions.shape[-2:]
    few = count < n
    with torch.no_grad():
        rows = directions
        if few:  # coordinates in the span of the directions: k numbers a vector, not n
            basis, upper = torch.linalg.qr(directions.mT)
            rows = upper.mT
        identity = torch.eye(rows.shape[-1], dtype=m.dtype, device=m.device)
        hessian = across.unsqueeze(-1) * identity + (along * rows).mT @ rows
        factors, pivots, info = torch.linalg.lu_factor_ex(hessian)
        # Singular for points all around a sphere, or on one geodesic.
        singular = (info != 0)[..., None, None]
        factors = torch.where(singular, identity, factors)
        unswapped = torch.arange(1, 1 + rows.shape[-1], dtype=pivots.dtype, device=m.device)
        pivots = torch.where(singular[..., 0], unswapped, pivots)
    column = gradient.unsqueeze(-1)
    if few:
        inside = basis.mT @ column
        solved = basis @ torch.linalg.lu_solve(factors, pivots, inside)
        outside = (column - basis @ inside) / across.where(across != 0, 1.0).unsqueeze(-1)
        newton = (solved + outside).squeeze(-1)
    else:
        newton = torch.linalg.lu_solve(factors, pivots, column).squeeze(-1)
    decrement = dot(gradient, newton).detach()
    at_m = in_coordinates(manifold, m, newton), in_coordinates(manifold, m, gradient / largest)
    return Steps(*at_m, decrement)
