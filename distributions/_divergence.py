"""Kullback-Leibler divergences that are one quadrature or none, for ``kl_divergence``."""

import torch
from torch import Tensor
from torch.distributions import register_kl

from .isotropic import Isotropic
from .power_spherical import PowerSpherical
from .uniform import UniformSphere
from .von_mises_fisher import VonMisesFisher, cosine_less_1


def _check(p: VonMisesFisher | PowerSpherical, q: VonMisesFisher | UniformSphere) -> None:
    k, other = p.manifold.curvature.item(), q.manifold.curvature.item()
    if p.n != q.n or k != other:
        raise ValueError(
            f"kl_divergence: p is on the {p.n}-sphere of curvature {k:g}, q on the {q.n}-sphere "
            f"of curvature {other:g}; expected one sphere."
        )


def _of_two(p: VonMisesFisher, q: VonMisesFisher) -> Tensor:
    """log Z_q - log Z_p + E_p(k_p - k_q), where E_p x = A(kappa_p) mu_p."""
    _check(p, q)
    square = p.manifold.sqdist(p.loc, q.loc).double()
    k = p.manifold.curvature.to(square)
    less = p.mean_cosine_less_1()
    between = cosine_less_1(k * square)
    # The cosine of the angle to q's centre has mean A cos(between); all are less 1 here.
    to_q = less * (1 + between) + between
    kappa_p, kappa_q = p.concentration.double(), q.concentration.double()
    total = q.log_normaliser() - p.log_normaliser() + kappa_p * less - kappa_q * to_q
    return total.to(torch.promote_types(p.loc.dtype, q.loc.dtype))


def _from_uniform(p: VonMisesFisher | PowerSpherical, q: UniformSphere) -> Tensor:
    """log area less the entropy."""
    _check(p, q)
    return q.entropy().to(p.loc.dtype) - p.entropy()


def register() -> None:
    """Tell torch of them."""
    pairs: list[tuple[type[Isotropic], type, object]] = [
        (VonMisesFisher, VonMisesFisher, _of_two),
        (VonMisesFisher, UniformSphere, _from_uniform),
        (PowerSpherical, UniformSphere, _from_uniform),
    ]
    for p, q, function in pairs:
        register_kl(p, q)(function)  # type: ignore[no-untyped-call]
