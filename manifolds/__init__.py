"""Geometry: complete Riemannian manifolds of constant curvature. Imports torch only."""

from ._geoopt import as_geoopt as as_geoopt
from .base import Manifold as Manifold
from .checked import Checked as Checked
from .euclidean import Euclidean as Euclidean
from .lorentz import Lorentz as Lorentz
from .poincare_ball import PoincareBall as PoincareBall
from .scalar import PositiveScalar as PositiveScalar
from .sphere import Sphere as Sphere
from .stereographic import Stereographic as Stereographic

__all__ = [
    "Checked",
    "Euclidean",
    "Lorentz",
    "Manifold",
    "PoincareBall",
    "PositiveScalar",
    "Sphere",
    "Stereographic",
    "as_geoopt",
]
