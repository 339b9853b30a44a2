"""Probability: laws on any manifold of ``..manifolds``, as ``torch.distributions.Distribution``.

All densities are with respect to the Riemannian volume.
"""

from . import _divergence
from .isotropic import Isotropic as Isotropic, OnManifold as OnManifold
from .power_spherical import PowerSpherical as PowerSpherical
from .riemannian_normal import RiemannianNormal as RiemannianNormal
from .uniform import UniformBall as UniformBall, UniformSphere as UniformSphere
from .von_mises_fisher import VonMisesFisher as VonMisesFisher
from .wrapped_normal import WrappedNormal as WrappedNormal

_divergence.register()

__all__ = [
    "Isotropic",
    "OnManifold",
    "PowerSpherical",
    "RiemannianNormal",
    "UniformBall",
    "UniformSphere",
    "VonMisesFisher",
    "WrappedNormal",
]
