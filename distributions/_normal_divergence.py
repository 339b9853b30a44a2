"""Kullback-Leibler divergences of normal laws about one centre, for ``kl_divergence``."""

import torch
from torch import Tensor
from torch.distributions import Distribution, register_kl

from ..manifolds import Product
from .riemannian_normal import RiemannianNormal
from .wrapped_normal import WrappedNormal

_Normal = WrappedNormal | RiemannianNormal


def _check(p: _Normal, q: _Normal) -> None:
    """One space and, but on flat space, one centre. The centres are looked at."""
    _check_space("kl_divergence", p, q)
    if isinstance(p.manifold, Product):
        raise NotImplementedError(
            "kl_divergence: there is no closed form here on a product; monte_carlo_kl(p, q) "
            "estimates it, and of laws that are products of one law a factor it is a sum."
        )
    k = p.manifold.curvature.item()
    if k != 0 and not bool((p.loc == q.loc).all()):
        raise NotImplementedError(
            f"kl_divergence: the centres of two {type(p).__name__} laws differ, where there is no "
            "closed form on a curved space; monte_carlo_kl(p, q) estimates it."
        )


def _check_space(where: str, p: Distribution, q: Distribution) -> None:
    """Densities by the volumes of two spaces have no ratio that means something."""
    one, other = getattr(p, "manifold", None), getattr(q, "manifold", None)
    if one is None or other is None:
        return
    if repr(one) != repr(other) or p.event_shape != q.event_shape:
        raise ValueError(
            f"{where}: p is on {one!r}, events {tuple(p.event_shape)}, and q on {other!r}, events "
            f"{tuple(q.event_shape)}; expected one space."
        )


def _of_wrapped(p: WrappedNormal, q: WrappedNormal) -> Tensor:
    """That of the vectors, whose volumes under exp are the same for both."""
    _check(p, q)
    if p.manifold.sign > 0:
        raise NotImplementedError(
            "kl_divergence: wrapped laws on the sphere have no density that is one term; take "
            "RiemannianNormal or VonMisesFisher, or monte_carlo_kl(p, q) of the shortest vectors."
        )
    a, b = p.scale.double(), q.scale.double()
    apart = torch.zeros_like(b)
    if p.manifold.sign == 0:
        apart = (p.manifold.logmap(p.loc, q.loc).double() / b).square()
    ratio = a / b
    total = (((ratio - 1) * (ratio + 1) + apart) / 2 - ratio.log()).sum(-1)
    return total.to(torch.promote_types(p.loc.dtype, q.loc.dtype))


def _of_riemannian(p: RiemannianNormal, q: RiemannianNormal) -> Tensor:
    """log Z_q - log Z_p + E_p d^2 (1/2 b^2 - 1/2 a^2)."""
    _check(p, q)
    a, b = p.scale.double(), q.scale.double()
    more = (a / b - 1) * (a / b + 1) / (2 * a.square())
    square = p.mean_sqdist.double()
    away = p.manifold.sqdist(p.loc, q.loc).double() / (2 * b.square())  # 0, or of flat space
    total = q.log_normaliser().double() - p.log_normaliser().double() + square * more + away
    return total.to(torch.promote_types(p.loc.dtype, q.loc.dtype))


def monte_carlo_kl(p: Distribution, q: Distribution, samples: int = 1000) -> tuple[Tensor, Tensor]:
    r"""An estimate of the divergence KL(p | q) and its standard error, from samples of p.

    The mean of :math:`\log p(x) - \log q(x)` over x from p: unbiased, with gradients where p has
    ``rsample``. For laws that ``torch.distributions.kl_divergence`` has no closed form of, as two
    wrapped normal laws about different centres, the posterior and the prior of a hyperbolic VAE
    (Nagano et al. 2019; Mathieu et al. 2019 take one sample a datum).

    Args:
        p, q: laws of one event shape, whose batches broadcast.
        samples: two or more.

    Returns:
        (value, error), each of the batch's shape. The error is the samples' deviation over
        sqrt(samples), without gradients.

    Raises:
        ValueError: fewer than two samples, or laws on two spaces.
    """
    _check_space("monte_carlo_kl", p, q)
    if samples < 2:
        raise ValueError(f"monte_carlo_kl: samples is {samples}; expected two or more.")
    size = torch.Size((samples,))
    x = p.rsample(size) if p.has_rsample else p.sample(size)
    ratio = p.log_prob(x) - q.log_prob(x)
    return ratio.mean(0), ratio.detach().std(0) / samples**0.5


def register() -> None:
    """Tell torch of them."""
    register_kl(WrappedNormal, WrappedNormal)(_of_wrapped)  # type: ignore[no-untyped-call]
    register_kl(RiemannianNormal, RiemannianNormal)(_of_riemannian)  # type: ignore[no-untyped-call]
