r"""Functions of the standard generalized Gaussian: density :math:`e^{-|z|^b}/2\Gamma(1+1/b)`.

Its distribution function is an incomplete gamma function, which torch has without a derivative by
the shape, and whose inverse torch does not have. Here are both, in float64, from two sums: with
:math:`a = 1/b,\ x = |z|^b`,

.. math:: P(a, x) = \frac{|z|\,e^{-x}}{\Gamma(1+a)}\,S,\quad
          S = \sum_{k\ge0}\frac{x^k}{(a+1)\cdots(a+k)}\quad\text{(DLMF 8.7.1)},

.. math:: Q(a, x) = \frac{|z|\,e^{-x}}{\Gamma(1+a)}\,a J,\quad
          J = \frac1x\int_0^\infty e^{-w}\,(1+w/x)^{a-1}\,dw\quad\text{(DLMF 8.6.5)},

the first for x < a + 1, the second beyond: no term is negative, nothing cancels. All is made of
plain torch operations; a recorded step keeps autograd from storing the terms.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from ..manifolds.kernels.arithmetic.custom_vjp import custom_vjp
from ..manifolds.kernels.arithmetic.ranges import in_forward_mode

# For x < a + 1 the terms fall below 1e-18 of the sum after 20 (a = 0) to 53 (a = 20) of them.
_TERMS = 56
# Newton's method comes from the side where it cannot overshoot; the slowest case for shapes of 0.05
# to 300, the chance 1/4 at shape 300, needs nine steps, of which the last is below.
_NEWTON = 9


def _exponential_rule(step: float, low: float, high: float) -> tuple[list[float], list[float]]:
    """Nodes and weights for the integral of e^-w f(w) over w > 0: trapezia in w = exp(t - e^-t).

    With these limits the error is 1e-15 for f = (1 + w/x)^(a-1), x > a + 1, a <= 40, and for that
    times log(1 + w/x) (Takahasi & Mori 1974).
    """
    nodes, weights = [], []
    for k in range(math.ceil(low / step), math.floor(high / step) + 1):
        t = step * k
        w = math.exp(t - math.exp(-t))
        nodes.append(w)
        weights.append(step * (1 + math.exp(-t)) * w * math.exp(-w))
    return nodes, weights


_NODES, _WEIGHTS = _exponential_rule(0.15, -3.8, 4.65)


def power(z: Tensor, shape: Tensor) -> Tensor:
    """|z|^b with its derivatives, which are 0 at z = 0 for any b > 0.

    There d/db |z|^b = |z|^b log|z| tends to 0, and 0 is a subgradient by z for b >= 1; for b < 1
    it is the mean of the slopes of both sides, which are infinite. The second derivative by z at 0
    is right for b = 2 and b > 2, and 0 for b < 2, where there is none.
    """
    apart = z != 0
    r = z.abs().where(apart, 1.0)
    # Zeros alone are squared: 2 z of the largest z is inf, and in the gradient 0 times it NaN.
    return torch.where(apart, r.pow(shape), (shape == 2).to(z) * z.where(~apart, 0.0).square())


def log_normaliser(scale: Tensor, shape: Tensor) -> Tensor:
    """log of 2 a Gamma(1 + 1/b)."""
    return scale.log() + log_unit_normaliser(shape)


def log_unit_normaliser(shape: Tensor) -> Tensor:
    """log of 2 Gamma(1 + 1/b). (lgamma(1/b) - log b cancels for large b.)"""
    return math.log(2) + (1 + 1 / shape).lgamma()


def _density(z: Tensor, shape: Tensor) -> Tensor:
    return (-power(z, shape) - log_unit_normaliser(shape)).exp()


def _sums(z: Tensor, shape: Tensor) -> tuple[Tensor, ...]:
    """(whether x < a + 1, x, |z|, S - 1, its T = -dS/da, a J, a L = a dJ/da), each where it is."""
    a = 1 / shape
    # The largest numbers would meet e^-x = 0 in a product.
    size = z.abs().clamp(max=1e300)
    x = power(size, shape)
    near = x < a + 1
    below, above = x.where(near, 0.0), x.where(~near, a + 1)
    term, harmonic = torch.ones_like(x), torch.zeros_like(x)
    s, t = torch.zeros_like(x), torch.zeros_like(x)
    for k in range(1, _TERMS + 1):
        term = term * below / (a + k)
        harmonic = harmonic + 1 / (a + k)
        s = s + term
        t = t + term * harmonic
    j, el = torch.zeros_like(x), torch.zeros_like(x)
    for node, weight in zip(_NODES, _WEIGHTS, strict=True):
        log = (node / above).log1p()
        value = weight * ((a - 1) * log).exp()
        j = j + value
        el = el + value * log
    return near, x, size, s, t, a * j / above, a * el / above


def _tails(z: Tensor, shape: Tensor) -> tuple[Tensor, Tensor]:
    """(P(a, x), Q(a, x)), the chances of |Z| < |z| and > |z|, each to rounding where it is < 1/2.

    Beyond x = a + 1 it is Q that is small, before it P is at most 2/3.
    """
    near, x, size, s, _, aj, _ = _sums(z, shape)
    # By halves, because e^-x may be subnormal where the product is not.
    half = (-(x + (1 + 1 / shape).lgamma()) / 2).exp()
    part = size * half * half * torch.where(near, 1 + s, aj)
    return torch.where(near, part, 1 - part), torch.where(near, 1 - part, part)


def shape_slope(z: Tensor, shape: Tensor) -> Tensor:
    r"""dz/db at a fixed chance F(z; b), odd in z; 0 at 0. It is -(dF/db)/F'(z) from the sums."""
    a = 1 / shape
    near, _, size, s, t, aj, al = _sums(z, shape)
    log_x = shape * size.where(size > 0, 1.0).log()
    psi = (1 + a).digamma()
    low = log_x * s - psi * (1 + s) - t
    high = -(log_x * (1 + aj) + (1 - a * psi) * (aj / a) + al)
    return z * a.square() * torch.where(near, low, high)


def _cdf_value(z: Tensor, shape: Tensor) -> tuple[Tensor]:
    _, q = _tails(z, shape)
    return (torch.where(z < 0, q / 2, 1 - q / 2),)


def _cdf_pull(inputs: Sequence[Tensor], kept: Sequence[Tensor], g: Tensor) -> tuple[Tensor, Tensor]:
    z, shape = inputs
    by_z = g * _density(z, shape)
    return by_z, -by_z * shape_slope(z, shape)


def _quantile_value(chance: Tensor, shape: Tensor) -> tuple[Tensor]:
    r"""Newton's method for log P or log Q, whichever is below 1/2, in y = log|z|.

    Both are concave in y, so from a start where the function is too small no step overshoots:
    :math:`P \le |z|/\Gamma(1+a)` on the left, and on the right
    :math:`x \le a + \sqrt{2aL} + L,\ L = -\log Q` (Boucheron, Lugosi & Massart 2013, section 2.4).
    """
    outside = 2 * torch.minimum(chance, 1 - chance)
    inside = (2 * chance - 1).abs()
    proper = (inside > 0) & (outside > 0)
    inner = inside < 0.5
    wanted = torch.where(inner, inside, outside).where(proper, 0.5).log()
    with torch.no_grad():
        a = 1 / shape
        bound = a + (-2 * a * wanted).sqrt() - wanted
        y = torch.where(inner, wanted + (1 + a).lgamma(), bound.log() * a)
        for _ in range(_NEWTON):
            y = y - _miss(y, shape, wanted, inner)
    # Once more, to carry the derivatives of the implicit function where they are taken.
    y = y - _miss(y, shape, wanted, inner)
    size = torch.where(proper, y.exp(), torch.where(outside > 0, 0.0, torch.inf))
    return (torch.where(chance < 0.5, -size, size),)


def _miss(y: Tensor, shape: Tensor, wanted: Tensor, inner: Tensor) -> Tensor:
    """A step of Newton's method in y; in logarithms, as Q at the start may be below all numbers."""
    near, x, _, s, _, aj, _ = _sums(y.exp(), shape)
    front = y - x - (1 + 1 / shape).lgamma()
    part = front + torch.where(near, s.log1p(), aj.where(~near, 1.0).log())
    # The other tail, where it is the one that is wanted.
    other = (-part.where(near != inner, -1.0).exp()).log1p()
    log = torch.where(near == inner, part, other)
    rate = (front - log).exp().detach()
    return (log - wanted) / torch.where(inner, rate, -rate)


def _quantile_pull(
    inputs: Sequence[Tensor], kept: Sequence[Tensor], g: Tensor
) -> tuple[Tensor, Tensor]:
    z, shape = kept[0], inputs[1]
    finite = z.isfinite()
    z = z.where(finite, 0.0)
    by_chance = (1 / _density(z, shape)).where(finite, torch.inf)
    return g * by_chance, g * shape_slope(z, shape).where(finite, 0.0)


def _draw_value(z: Tensor, shape: Tensor) -> tuple[Tensor]:
    if torch.is_grad_enabled() or in_forward_mode():  # not inside of the recorded step
        return (z + shape_slope(z, shape).detach() * (shape - shape.detach()),)
    return (z.clone(),)


def _draw_pull(
    inputs: Sequence[Tensor], kept: Sequence[Tensor], g: Tensor
) -> tuple[Tensor, Tensor]:
    return g, g * shape_slope(*inputs)


_cdf = custom_vjp(_cdf_value, _cdf_pull, scaled=0, degree=0)
_quantile = custom_vjp(_quantile_value, _quantile_pull, scaled=0, degree=0)
_draw = custom_vjp(_draw_value, _draw_pull, scaled=0, degree=0)


def cdf(z: Tensor, shape: Tensor) -> Tensor:
    """The chance of less than z, float64, with derivatives by both."""
    return _cdf(z.double(), shape.double(), 1.0)


def quantile(chance: Tensor, shape: Tensor) -> Tensor:
    """The z with that chance of less, float64, with derivatives by both; +-inf at 0 and 1."""
    return _quantile(chance.double(), shape.double(), 1.0)


def with_shape_slope(z: Tensor, shape: Tensor) -> Tensor:
    """Draws z, whose derivative by the shape is that at a fixed chance (of first order only)."""
    return _draw(z.double(), shape.double(), 1.0)
