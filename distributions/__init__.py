"""Probability: laws on any manifold, as ``torch.distributions.Distribution``.

All densities are with respect to the Riemannian volume. ``GeneralizedGaussian`` is a law on the
line.
"""

from . import _divergence, _normal_divergence, _power_divergence
from ._centred import OnManifold as OnManifold
from ._normal_divergence import monte_carlo_kl as monte_carlo_kl
from .from_normal import FromNormal as FromNormal
from .generalized_gaussian import GeneralizedGaussian as GeneralizedGaussian
from .isotropic import Isotropic as Isotropic
from .power_spherical import PowerSpherical as PowerSpherical
from .riemannian_generalized_gaussian import (
    RiemannianGeneralizedGaussian as RiemannianGeneralizedGaussian,
)
from .riemannian_normal import RiemannianNormal as RiemannianNormal
from .uniform import UniformBall as UniformBall, UniformSphere as UniformSphere
from .von_mises_fisher import VonMisesFisher as VonMisesFisher
from .wrapped import Wrapped as Wrapped
from .wrapped_generalized_gaussian import WrappedGeneralizedGaussian as WrappedGeneralizedGaussian
from .wrapped_normal import WrappedNormal as WrappedNormal

_divergence.register()
_normal_divergence.register()
_power_divergence.register()

__all__ = [
    "FromNormal",
    "GeneralizedGaussian",
    "Isotropic",
    "OnManifold",
    "PowerSpherical",
    "RiemannianGeneralizedGaussian",
    "RiemannianNormal",
    "UniformBall",
    "UniformSphere",
    "VonMisesFisher",
    "Wrapped",
    "WrappedGeneralizedGaussian",
    "WrappedNormal",
    "monte_carlo_kl",
]
