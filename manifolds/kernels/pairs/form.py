r"""A function of all pairs as matrix products: for whoever cannot hold the table of the pairs.

    h_xy = (p_x q_y + q_x p_y - X_x.X_y)/2 = sn(d/2)^2,    value_xy = outer(sum factor phi(h_xy))

============ ==================== ==================================================================
letter       name in the code     what it is
============ ==================== ==================================================================
h            h                    the haversine sn(d/2)^2, (..., p, q): one matrix product
X, p, q      features             of points (..., m): (..., n), (..., 1), (..., 1)
phi          value                d, d^2 or cs(d) from h, with its pull-back
number       number               the radius, or the curvature where a space has any sign of it, ()
============ ==================== ==================================================================

Domain: unit space forms of any sign; an h within its rounding counts as 0.
Bound: 8 units of u (1 + kappa) in value and 32 in gradient, kappa with the cancellation in h.
Proof: validation/symbolic/kernels.py, "kernels/law of haversines"
Certificate: Lorentz.cdist.matmul, Sphere.cdist.matmul, PoincareBall.cdist.matmul
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from ..arithmetic.ranges import can_look
from ..arithmetic.vectors import Number
from ..functions.special import tanhc_missing

Kind = Literal["dist", "sqdist", "inner"]
Pull = Callable[[Tensor], tuple[Tensor, Tensor | None]]


class PairTerm(NamedTuple):
    r"""One function of the haversine :math:`h_{xy} = (p_x q_y + q_x p_y - X_x\cdot X_y)/2`."""

    columns: slice
    """Which coordinates of the points it reads."""
    features: Callable[[Tensor, Number], tuple[Tensor, Tensor, Tensor]]
    """(X (..., n), p (..., 1), q (..., 1)) of points (..., m), differentiable."""
    value: Callable[[Tensor, Number], tuple[Tensor, Pull]]
    """phi(h), and the way from a gradient by it to those by h and by the number."""
    number: Number
    """The radius, or the curvature of a space that is more than its radius; shape ()."""
    factor: Number
    """What phi is multiplied by."""
    gated: bool
    """Whether an h within its rounding, 4 eps (p q + q p)/2, counts as 0, with gradient 0."""


class PairForm(NamedTuple):
    """outer(sum of factor * phi(h) over the terms)."""

    terms: tuple[PairTerm, ...]
    """One, or one for each factor of a product."""
    outer: Literal["same", "root", "square"] = "same"
    """What is done with the sum: nothing, its square root or its square."""


@dataclass(frozen=True)
class UnitValue:
    """phi of a unit space form, from h: d, d^2 or cs(d) in the normalisation of ``cinner``.

    A class, so that who computes phi elsewhere, as on a GPU, can read which one it is.
    """

    kind: Kind
    sign: int
    """Of the curvature."""
    at_coincidence: float
    """cs(0) in that normalisation."""
    curved: bool = False
    """Whether the number is k, the value 1 with the derivative of the curvature -k; then ``sign``
    is -1."""

    def __call__(self, h: Tensor, _: Number) -> tuple[Tensor, Pull]:
        """phi(h), and its pull-back."""
        return self._form(h) if self.kind == "inner" else self._arc(h)

    def _form(self, h: Tensor) -> tuple[Tensor, Pull]:
        def pull(g: Tensor) -> tuple[Tensor, Tensor | None]:
            return -2 * g, -self.at_coincidence * g.sum() if self.curved else None

        return self.at_coincidence - 2 * h, pull

    def _arc(self, h: Tensor) -> tuple[Tensor, Pull]:
        # half is sinh(d)/2, d/2 or sin(d)/2, and its inverse the derivative of d by h. Operations
        # are in place and none is a torch.where: on a tile of pairs each costs as much as the rest.
        kind, sign = self.kind, self.sign
        square = h if sign == 0 else torch.addcmul(h, h, h, value=-sign)
        if sign > 0:  # an h within rounding of 1 is an antipode, with gradient 0
            noise = 4 * torch.finfo(h.dtype).eps
            square = torch.gt(square, noise, out=torch.empty_like(h)).mul_(square)
        half = square.sqrt() if sign == 0 else square.sqrt_()
        if sign < 0:
            d = (half + h).mul_(2).log1p_()
        else:
            d = 2 * half if sign == 0 else torch.atan2(2 * half, 1 - 2 * h)

        def pull(g: Tensor) -> tuple[Tensor, Tensor | None]:
            tiny = torch.finfo(h.dtype).tiny  # below every square that is not 0: it only avoids 0/0
            by_number = None
            if self.curved:
                # d is 2 asinh(sqrt(k h))/sqrt k at fixed h. Its derivative by k at k = 1 is
                # tanh(d/2) - d/2, here without the difference, of which s/3 is all that is left.
                s = d.square() / 4
                bend = -s * d * tanhc_missing(s) / 2
                by_number = (g * bend if kind == "dist" else 2 * g * d * bend).sum()
            if kind == "dist":  # g/half, 0 where half is
                if can_look(half) and bool(half.amin() > 0):
                    return g / half, by_number
                return torch.div(half, half.square().add_(tiny)).mul_(g), by_number
            if sign == 0:
                return 4 * g, None
            # 2 d/half, whose limit is 4
            return (d + tiny**0.5).div_(half + tiny**0.5 / 2).mul_(g).mul_(2), by_number

        return d if kind == "dist" else d.square(), pull


def value_by_autograd(
    function: Callable[[Tensor, Tensor], Tensor],
) -> Callable[..., tuple[Tensor, Pull]]:
    """phi(number, h) of a space whose curvature may have any sign, by autograd."""

    def value(h: Tensor, number: Number) -> tuple[Tensor, Pull]:
        with torch.enable_grad():
            at = h.detach().requires_grad_()
            k = torch.as_tensor(number).detach().to(h).requires_grad_()
            result = function(k, at)

        def pull(g: Tensor) -> tuple[Tensor, Tensor]:
            by_h, by_k = torch.autograd.grad(result, (at, k), g, allow_unused=True)
            assert by_h is not None
            return by_h, torch.zeros_like(k) if by_k is None else by_k

        return result.detach(), pull

    return value
