"""Geometry: complete Riemannian manifolds of constant curvature. Imports torch only."""

from ._geoopt import as_geoopt as as_geoopt
from .base import Manifold as Manifold
from .checked import Checked as Checked
from .euclidean import Euclidean as Euclidean
from .horospheres import (
    busemann as busemann,
    horosphere_distance as horosphere_distance,
    horosphere_project as horosphere_project,
    ideal_point as ideal_point,
    towards as towards,
)
from .hyperplanes import (
    hyperplane as hyperplane,
    hyperplane_distance as hyperplane_distance,
    logits as logits,
    reflect as reflect,
    signed_distance as signed_distance,
)
from .isometries import (
    Isometry as Isometry,
    point_reflection as point_reflection,
    recentre as recentre,
    reflection as reflection,
    rotation as rotation,
    translation as translation,
)
from .lorentz import Lorentz as Lorentz
from .poincare_ball import PoincareBall as PoincareBall
from .scalar import PositiveScalar as PositiveScalar
from .sphere import Sphere as Sphere

__all__ = [
    "Checked",
    "Euclidean",
    "Isometry",
    "Lorentz",
    "Manifold",
    "PoincareBall",
    "PositiveScalar",
    "Sphere",
    "as_geoopt",
    "busemann",
    "horosphere_distance",
    "horosphere_project",
    "hyperplane",
    "hyperplane_distance",
    "ideal_point",
    "logits",
    "point_reflection",
    "recentre",
    "reflect",
    "reflection",
    "rotation",
    "signed_distance",
    "towards",
    "translation",
]
