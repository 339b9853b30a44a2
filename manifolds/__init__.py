"""Geometry: complete Riemannian manifolds of constant curvature. Imports torch only."""

from ._chart import Chart as Chart
from ._convert import convert as convert, convert_vector as convert_vector
from ._geoopt import as_geoopt as as_geoopt
from .base import Manifold as Manifold
from .charts import (
    HalfSpace as HalfSpace,
    Hemisphere as Hemisphere,
    Klein as Klein,
    NormalCoordinates as NormalCoordinates,
    StereographicPlane as StereographicPlane,
)
from .checked import Checked as Checked
from .euclidean import Euclidean as Euclidean
from .interop import (
    curvature_from as curvature_from,
    curvature_to as curvature_to,
    from_geoopt as from_geoopt,
    points_from as points_from,
    points_to as points_to,
    to_geoopt as to_geoopt,
)
from .lorentz import Lorentz as Lorentz
from .poincare_ball import PoincareBall as PoincareBall
from .scalar import PositiveScalar as PositiveScalar
from .sphere import Sphere as Sphere

__all__ = [
    "Chart",
    "Checked",
    "Euclidean",
    "HalfSpace",
    "Hemisphere",
    "Klein",
    "Lorentz",
    "Manifold",
    "NormalCoordinates",
    "PoincareBall",
    "PositiveScalar",
    "Sphere",
    "StereographicPlane",
    "as_geoopt",
    "convert",
    "convert_vector",
    "curvature_from",
    "curvature_to",
    "from_geoopt",
    "points_from",
    "points_to",
    "to_geoopt",
]
