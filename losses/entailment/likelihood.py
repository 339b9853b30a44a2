"""Entailment as a likelihood: a law of the exterior angle whose scale may be predicted."""

import math
from typing import Literal

import torch
from torch import Tensor

from ...manifolds import Manifold
from ...manifolds.checks import check_amount, check_coordinates, check_number
from ..common import (
    Reduction,
    check_elementwise,
    check_manifold,
    check_option,
    check_reduction,
    in_float32,
    reduce,
)

Plateau = Literal["cone", "axis"]

_LARGEST = 300.0
"""Upper end of (L/s)^beta in the normaliser: beyond, exp(-x) has no part in it in any dtype for
beta >= 0.05, and the derivative of the incomplete gamma function would be infinity times 0."""


def cone_nll(
    parent: Tensor,
    child: Tensor,
    scale: Tensor | float,
    *,
    manifold: Manifold,
    shape: float = 1.0,
    plateau: Plateau = "cone",
    min_radius: float = 0.1,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Negative log-likelihood of a child's direction, seen from its parent.

    The exterior angle a of the child has the density of :func:`cone_log_prob`, on [0, pi]:

    .. math:: -\log p(a) = \Bigl(\frac{\max(0, a - \psi)}{s}\Bigr)^{\beta} + \log Z(\psi, s).

    With beta = 1 the first term is the hinge of :func:`entailment` over s: a fixed s is its
    weight, a predicted one lets the network say which pairs are doubtful (Kendall & Gal 2017, eq.
    5 with a Laplace law; UNCHA, CVPR 2026, has such a term without the normaliser of its law). The
    normaliser adds what a hinge lacks: a wide cone spreads its mass, so a parent that moves to
    the origin, where its cone takes in everything, pays for it.

    On :class:`Product` the angles of the factors are taken as independent, one scale for all:
    the sum over factors.

    Args:
        parent: points (..., m).
        child: points (..., m).
        scale: s > 0 in radians, a number or (...), such as exp of an output of the network.
        manifold: the space of both.
        shape: beta, 1 for Laplace, 2 for a Gaussian; from 0.05 on. A number: it is not learned.
        plateau: ``"cone"``: the density is flat over the parent's cone; ``"axis"``: psi = 0, it
            falls off from the axis of the cone on, whatever the cone's aperture.
        min_radius: see :meth:`Manifold.half_aperture`.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``: (...).

    Returns:
        Nats, in float32 (float64 for float64 inputs); negative where the density is above 1.
        Gradients are finite at coincident points and at the origin, where the angle has gradient
        0.
    """
    where = "cone_nll"
    check_reduction(where, reduction)
    check_law(where, shape, plateau)
    check_manifold(where, manifold)
    check_scale(where, scale)
    parent, child = in_float32(where, parent=parent, child=child)
    check_coordinates(where, [("parent", parent), ("child", child)], manifold.ambient_dim(0) + 1)
    angle, aperture = manifold.cones(parent, child, min_radius)
    # `scale` goes with the batch: the angle of one factor has the batch's shape.
    if isinstance(scale, Tensor):
        check_elementwise(where, parent=angle[..., 0], scale=scale)
    if plateau == "axis":
        aperture = torch.zeros_like(aperture)
    # `s` has an axis of one for the factors, which share it.
    s = scale.unsqueeze(-1) if isinstance(scale, Tensor) and scale.ndim > 0 else scale
    return reduce(-cone_log_prob(angle, aperture, s, shape=shape).sum(-1), None, reduction)


def cone_log_prob(
    angle: Tensor, aperture: Tensor, scale: Tensor | float, *, shape: float = 1.0
) -> Tensor:
    r"""Log-density on [0, pi] that is flat up to an aperture and falls off beyond it.

    .. math:: p(a) = \frac1Z e^{-t^\beta},\quad t = \frac{\max(0, a - \psi)}{s},\qquad
       Z = \psi + s\,\Gamma\bigl(1 + \tfrac1\beta\bigr)\,
           P\bigl(\tfrac1\beta, (\tfrac{\pi - \psi}{s})^\beta\bigr),

    P the regularised lower incomplete gamma function: a generalized Gaussian beyond psi, cut off at
    pi. By angle, not by solid angle. For s -> 0 it is uniform in the cone, for s -> infinity
    uniform on [0, pi].

    Args:
        angle: a in [0, pi], (...).
        aperture: psi in [0, pi/2], (...).
        scale: s > 0, a number or (...).
        shape: beta >= 0.05. Below 1 the density has a cusp at psi, where its gradient by the
            angle is taken as 0, its value inside.

    Returns:
        Nats, the broadcast shape; in float32 (float64 for float64 inputs). Not below minus the
        root of the largest number of that dtype, where the gradient ends.

    Raises:
        ValueError: a shape that is no number from 0.05 on, a scale that is a non-positive number,
            shapes that do not broadcast.
    """
    where = "cone_log_prob"
    check_law(where, shape, "cone")
    check_scale(where, scale)
    angle, aperture = in_float32(where, angle=angle, aperture=aperture)
    given = {"scale": scale} if isinstance(scale, Tensor) else {}
    check_elementwise(where, angle=angle, aperture=aperture, **given)
    working = torch.promote_types(angle.dtype, aperture.dtype)
    s = torch.as_tensor(scale, dtype=working, device=angle.device)
    # `excess` is how far beyond the plateau the angle is. Inside, t = 0 has a power whose slope is
    # inf for beta < 1: t is 1 there for the power, and the result is replaced by 0.
    excess = (angle - aperture).relu()
    outside = ~(excess <= 0)  # NaN too
    largest = torch.finfo(working).max
    # t^beta is kept below the root of the largest number, so that a sum of such terms does not
    # overflow either.
    t = (excess / s).clamp(max=largest ** min(0.5 / shape, 1.0)).where(outside, 1.0)
    fall = t.pow(shape).where(outside, 0.0)
    # log Z = log(psi + tail), the tail being the integral of e^-t^beta from the cone's edge to pi.
    beyond = math.pi - aperture
    # The clamp comes before the power, which would overflow: inf in `x` makes the gradient of the
    # incomplete gamma function NaN.
    limit = min(_LARGEST ** (1 / shape), largest)
    x = (beyond / s).clamp(max=limit).pow(shape)
    # Where x is below rounding the tail is L (1 - x/(1 + beta) + ...) = L. (There x may underflow
    # to 0, where the incomplete gamma function has a slope of inf.)
    flat = x < torch.finfo(working).eps
    mass = torch.special.gammainc(torch.full_like(x, 1 / shape), x.where(~flat, 1.0))
    tail = torch.where(flat, beyond, s * math.gamma(1 + 1 / shape) * mass)
    return -fall - (aperture + tail).log()


def check_law(where: str, shape: object, plateau: object) -> None:
    """Raises a ValueError for options out of range."""
    check_option(where, "plateau", plateau, ("cone", "axis"))
    check_number(where, "shape", shape)
    if not 0.05 <= float(shape) < math.inf:  # type: ignore[arg-type]
        raise ValueError(f"{where}: shape is {shape}; expected a number from 0.05 on.")


def check_scale(where: str, scale: Tensor | float) -> None:
    """Raises an error for a number that is no scale; a tensor's NaN is seen in the loss."""
    check_amount(where, "scale", scale)
    if not isinstance(scale, Tensor) and not 0 < scale < math.inf:
        raise ValueError(f"{where}: scale is {scale}; expected a positive number, or a tensor.")
