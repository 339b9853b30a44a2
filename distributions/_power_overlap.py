"""The integral of the product of two generalized Gaussian densities on one line."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ..manifolds.kernels.arithmetic.custom_vjp import custom_vjp
from ..manifolds.kernels.radial.law import RadialLaw
from ._power_numerics import log_unit_normaliser, power

# All but e^-50 of a law lies where its exponent is below.
_TAIL = 50.0
_BISECTIONS = 60
# Entries at a time: a table of nodes is 10 KB for each.
_AT_ONCE = 1024
# Exponents beyond would meet inf - inf.
_LARGEST = 1e300


def log_overlap(
    apart: Tensor, log_scale: Tensor, shape: Tensor, other_log_scale: Tensor, other_shape: Tensor
) -> Tensor:
    r"""log of the integral of g(x; 0, a, b) g(x; L, c, d) over x, for L >= 0: all (...), float64.

    The line is cut at both centres, and between them once more, into four parts in each of which
    the integrand rises to one maximum and falls. Between the centres its logarithm
    :math:`-(s/a)^b - ((L-s)/c)^d` has the slope of the sign of

    .. math:: h(s) = \mathrm{const} + (d-1)\log(L-s) - (b-1)\log s,

    which is monotone, or concave (b < 1 <= d), or convex (d < 1 <= b): so beside one maximum inside
    there is at most one minimum, in the range where h grows, and that is where to cut.

    Gradients are the means of those of the logarithm, by the same rule: nothing of its nodes is
    kept for the backward pass.
    """
    inputs = torch.broadcast_tensors(  # type: ignore[no-untyped-call]
        *(t.double() for t in (apart, log_scale, shape, other_log_scale, other_shape))
    )
    normalisers = log_scale + log_unit_normaliser(shape.double())
    normalisers = normalisers + other_log_scale + log_unit_normaliser(other_shape.double())
    pieces = zip(*(t.flatten().split(_AT_ONCE) for t in inputs), strict=True)
    total = torch.cat([_kernel(*piece, 1.0) for piece in pieces]).reshape(inputs[0].shape)
    return total - normalisers


def _cut(
    apart: Tensor, log_scale: Tensor, shape: Tensor, other_log_scale: Tensor, other_shape: Tensor
) -> Tensor:
    """Where to cut, as a part of the way from the first centre to the second: in (0, 1)."""
    one, other = shape - 1, other_shape - 1
    level = (shape - other_shape) * apart.log() - shape.log() + other_shape.log()
    level = level + shape * log_scale - other_shape * other_log_scale
    turn = one.abs() / (one.abs() + other.abs()).clamp(min=1e-300)
    low = turn.where((one >= 0) & (other < 0), 0.0)
    high = turn.where((one < 0) & (other >= 0), 1.0)
    for _ in range(_BISECTIONS):
        w = (low + high) / 2
        rising = other * (-w).log1p() - one * w.log() - level > 0
        low, high = torch.where(rising, low, w), torch.where(rising, w, high)
    # Where both are convex there is no minimum: anywhere.
    w = ((low + high) / 2).where((one < 0) | (other < 0), 0.5)
    return w.clamp(1e-12, 1 - 1e-12)


class _Parts:
    """The four parts in the last axis but one: before the first centre, between, beyond."""

    def __init__(self, *inputs: Tensor) -> None:
        apart, log_scale, shape, other_log_scale, other_shape = (t[..., None, None] for t in inputs)
        proper = apart > 0
        self.safe = apart.where(proper, 1.0)
        self.log_scales, self.shapes = (log_scale, other_log_scale), (shape, other_shape)
        with torch.no_grad():
            cut = _cut(self.safe, log_scale, shape, other_log_scale, other_shape)
            reach = [
                (a + torch.log(a.new_tensor(_TAIL)) / b).clamp(-690, 690).exp()
                for a, b in zip(self.log_scales, self.shapes, strict=True)
            ]
            top = torch.cat([reach[0], cut, 1 - cut, reach[1]], -2)
        none = torch.zeros_like(apart)
        middle = self.safe
        # The distances from both centres are start + t slope.
        self.starts = (
            torch.cat([none, none, middle, apart], -2),
            torch.cat([apart, middle, none, none], -2),
        )
        ones = torch.ones_like(apart)
        self.slopes = (
            torch.cat([ones, middle, -middle, ones], -2),
            torch.cat([ones, -middle, middle, ones], -2),
        )
        self.between = torch.cat([none, ones, ones, none], -2)
        self.law = RadialLaw(self._log_density, top)
        # Nothing is between centres that coincide.
        empty = (self.between > 0) & ~proper
        self.logs = self.law.log_normaliser().masked_fill(empty.squeeze(-1), -torch.inf)

    def relative(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """The distances from both centres, in units of their scales."""
        one, other = (
            (start + slope * t) * (-log_scale).exp()
            for start, slope, log_scale in zip(
                self.starts, self.slopes, self.log_scales, strict=True
            )
        )
        return one, other

    def exponents(self, t: Tensor) -> tuple[Tensor, Tensor]:
        one, other = (
            power(z, b).clamp(max=_LARGEST)
            for z, b in zip(self.relative(t), self.shapes, strict=True)
        )
        return one, other

    def _log_density(self, t: Tensor) -> Tensor:
        one, other = self.exponents(t)
        return self.between * self.safe.log() - one - other

    def slopes_of_log(self, t: Tensor) -> Tensor:
        """By distance, log scale, shape, log scale, shape: (5, ..., 4, nodes)."""
        by_scale, by_shape, pull = [], [], []
        for z, e, a, b in zip(
            self.relative(t), self.exponents(t), self.log_scales, self.shapes, strict=True
        ):
            size = z.clamp(min=1e-300)
            by_scale.append(b * e)
            by_shape.append(-e * size.log())
            pull.append(b * e / size * (-a).exp())
        inside = (1 - by_scale[0] - by_scale[1]) / self.safe
        # Before the first centre only the second one moves away, and beyond the second the first.
        outside = torch.cat([-pull[1][..., :1, :], inside[..., 1:3, :], -pull[0][..., 3:, :]], -2)
        return torch.stack([outside, by_scale[0], by_shape[0], by_scale[1], by_shape[1]])


def _kernel_value(*inputs: Tensor) -> tuple[Tensor]:
    return (_Parts(*inputs[:5]).logs.logsumexp(-1),)


def _kernel_pull(inputs: Sequence[Tensor], kept: Sequence[Tensor], g: Tensor) -> tuple[Tensor, ...]:
    parts = _Parts(*inputs[:5])
    slopes = parts.law.expectation(parts.slopes_of_log)
    return tuple(g * slope for slope in (parts.logs.softmax(-1) * slopes).sum(-1))


_kernel = custom_vjp(_kernel_value, _kernel_pull, scaled=0, degree=0)
