"""Kullback-Leibler divergences of generalized Gaussian laws, for ``kl_divergence``."""

import math

import torch
from torch import Tensor
from torch.distributions import Laplace, Normal, register_kl

from ..manifolds.kernels.radial.law import RadialLaw
from ._arguments import working
from ._power_numerics import log_normaliser
from .generalized_gaussian import GeneralizedGaussian

# All but e^-46 = 1e-20 of a gamma law.
_NEGLIGIBLE = 46.0
# Of which there is nothing below, where a rule on subnormal numbers would fail.
_TINY = 1e-200


def log_moment(b: Tensor, k: Tensor) -> Tensor:
    """log E|Z|^k of a standard law of shape b: of Gamma((k+1)/b)/Gamma(1/b)."""
    return (1 + (k + 1) / b).lgamma() - (1 + 1 / b).lgamma() - (k + 1).log()


def log_shifted_moment(b: Tensor, k: Tensor, shift: Tensor) -> Tensor:
    r"""log E|Z + d|^k of a standard law of shape b, d > 0, by quadrature; all (...), float64.

    Z is :math:`V G^{1/b}` with V uniform on (-1, 1). For one r the mean over V is elementary,

    .. math:: \frac{(d + r)^{k+1} \pm |d - r|^{k+1}}{2 r (k + 1)}\qquad(+\text{ for } r > d),

    and what is left is one integral over the gamma law of G, of order 1 + 1/b, in two parts that
    meet where r = d: in each the integrand is smooth and has one maximum.
    """
    b, k, shift = (t.unsqueeze(-1) for t in torch.broadcast_tensors(b, k, shift))  # type: ignore[no-untyped-call]
    with torch.no_grad():
        # The k-th power of r shifts the order of G: its tail as in ``_quantile_value``.
        order = 1 + (2 + k) / b
        top = order + (2 * order * _NEGLIGIBLE).sqrt() + _NEGLIGIBLE
        meet = (b * shift.log()).exp().clamp(min=_TINY)
        end = torch.minimum(meet, top)
        # Should they meet beyond the mass, the second part starts there and has next to none.
        start = torch.minimum(meet, 2 * top)

    def gamma(g: Tensor) -> Tensor:
        return g.log() / b - g - (1 + 1 / b).lgamma()

    def inner(g: Tensor) -> Tensor:
        """r < d."""
        ratio = (g.log() / b - shift.log()).exp().clamp(max=1 - 2**-53)
        up, down = ratio.log1p(), (-ratio).log1p()
        powers = (k + 1) * up + (-((k + 1) * (down - up)).expm1()).log()
        return gamma(g) + k * shift.log() + powers - (2 * ratio * (k + 1)).log()

    def outer(over: Tensor) -> Tensor:
        """r > d."""
        g = start + over
        log_r = g.log() / b
        ratio = (shift.log() - log_r).exp().clamp(max=1 - 2**-53)
        up, down = ratio.log1p(), (-ratio).log1p()
        powers = (k + 1) * up + ((k + 1) * (down - up)).exp().log1p()
        return gamma(g) + k * log_r + powers - (2 * (k + 1)).log()

    parts = [RadialLaw(inner, end).log_normaliser(), RadialLaw(outer, top).log_normaliser()]
    return torch.logaddexp(*parts)


def _of_two(p: GeneralizedGaussian, q: GeneralizedGaussian) -> Tensor:
    """log(Z_q/Z_p) - 1/b_p + E_p|x - m_q|^b_q/a_q^b_q."""
    b, k = p.shape.double(), q.shape.double()
    shift = (p.loc.double() - q.loc.double()).abs() / p.scale.double()
    apart = shift > 0
    shifted = log_shifted_moment(b, k, shift.where(apart, 1.0))
    return _assembled(p, q, torch.where(apart, shifted, log_moment(b, k)))


def _assembled(p: GeneralizedGaussian, q: GeneralizedGaussian, moment: Tensor) -> Tensor:
    b, k = p.shape.double(), q.shape.double()
    ap, aq = p.scale.double(), q.scale.double()
    cross = (k * (ap.log() - aq.log()) + moment).exp()
    total = log_normaliser(aq, k) - log_normaliser(ap, b) - 1 / b + cross
    return total.to(working(p.loc, p.scale, p.shape, q.loc, q.scale, q.shape)[0])


def _generalized(law: Normal | Laplace) -> GeneralizedGaussian:
    if isinstance(law, Normal):
        scale, shape = math.sqrt(2) * law.scale, 2.0
    else:
        scale, shape = law.scale, 1.0
    return GeneralizedGaussian(law.loc, scale, shape, validate_args=False)


def _to_normal(p: GeneralizedGaussian, q: Normal) -> Tensor:
    """The second moment is closed."""
    other = _generalized(q)
    shift = (p.loc.double() - q.loc.double()) / p.scale.double()
    moment = log_moment(p.shape.double(), other.shape.double())
    return _assembled(p, other, (moment.exp() + shift.square()).log())


def _to_laplace(p: GeneralizedGaussian, q: Laplace) -> Tensor:
    return _of_two(p, _generalized(q))


def _from_either(p: Normal | Laplace, q: GeneralizedGaussian) -> Tensor:
    return _of_two(_generalized(p), q)


def register() -> None:
    """Tell torch of them."""
    pairs: list[tuple[type, type, object]] = [
        (GeneralizedGaussian, GeneralizedGaussian, _of_two),
        (GeneralizedGaussian, Normal, _to_normal),
        (GeneralizedGaussian, Laplace, _to_laplace),
        (Normal, GeneralizedGaussian, _from_either),
        (Laplace, GeneralizedGaussian, _from_either),
    ]
    for p, q, function in pairs:
        register_kl(p, q)(function)  # type: ignore[no-untyped-call]
