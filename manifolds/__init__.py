"""Geometry: complete Riemannian manifolds of constant curvature. Imports torch only."""

from .base import Manifold as Manifold
from .charts.chart import Chart as Chart
from .charts.chart_manifold import ChartManifold as ChartManifold
from .charts.convert import convert as convert, convert_vector as convert_vector
from .charts.models import (
    HalfSpace as HalfSpace,
    Hemisphere as Hemisphere,
    Klein as Klein,
    NormalCoordinates as NormalCoordinates,
    ProperVelocity as ProperVelocity,
    StereographicPlane as StereographicPlane,
)
from .checked import Checked as Checked
from .euclidean import Euclidean as Euclidean
from .interop.conventions import (
    curvature_from as curvature_from,
    curvature_to as curvature_to,
    from_geoopt as from_geoopt,
    points_from as points_from,
    points_to as points_to,
    to_geoopt as to_geoopt,
)
from .interop.geoopt import as_geoopt as as_geoopt
from .interop.parametrization import OnManifold as OnManifold, on_manifold as on_manifold
from .kernels.pairs.form import PairForm as PairForm, PairTerm as PairTerm
from .learnable_scalar import PositiveScalar as PositiveScalar, SignedScalar as SignedScalar
from .lorentz import Lorentz as Lorentz
from .operations.antipode import antipode as antipode
from .operations.curvature_tensor import (
    ricci as ricci,
    riemann as riemann,
    scalar_curvature as scalar_curvature,
    sectional as sectional,
)
from .operations.differential import (
    expmap_adjoint as expmap_adjoint,
    expmap_differential as expmap_differential,
    expmap_differential_inverse as expmap_differential_inverse,
    jacobi_field as jacobi_field,
    logmap_differential as logmap_differential,
    logmap_differential_base as logmap_differential_base,
    volume_density as volume_density,
)
from .operations.horospheres import (
    busemann as busemann,
    horosphere_distance as horosphere_distance,
    horosphere_project as horosphere_project,
    ideal_point as ideal_point,
    towards as towards,
)
from .operations.hyperplanes import (
    hyperplane as hyperplane,
    hyperplane_distance as hyperplane_distance,
    logits as logits,
    reflect as reflect,
    signed_distance as signed_distance,
)
from .operations.isometries import (
    Isometry as Isometry,
    factorwise as factorwise,
    point_reflection as point_reflection,
    recentre as recentre,
    reflection as reflection,
    rotation as rotation,
    translation as translation,
)
from .operations.volume import (
    ball_volume as ball_volume,
    diameter as diameter,
    injectivity_radius as injectivity_radius,
    log_ball_volume as log_ball_volume,
    log_sphere_area as log_sphere_area,
    sphere_area as sphere_area,
)
from .poincare_ball import PoincareBall as PoincareBall
from .product.space import Product as Product
from .sphere import Sphere as Sphere
from .stereographic import Stereographic as Stereographic

__all__ = [
    "Chart",
    "ChartManifold",
    "Checked",
    "Euclidean",
    "HalfSpace",
    "Hemisphere",
    "Isometry",
    "Klein",
    "Lorentz",
    "Manifold",
    "NormalCoordinates",
    "OnManifold",
    "PairForm",
    "PairTerm",
    "PoincareBall",
    "PositiveScalar",
    "Product",
    "ProperVelocity",
    "SignedScalar",
    "Sphere",
    "Stereographic",
    "StereographicPlane",
    "antipode",
    "as_geoopt",
    "ball_volume",
    "busemann",
    "convert",
    "convert_vector",
    "curvature_from",
    "curvature_to",
    "diameter",
    "expmap_adjoint",
    "expmap_differential",
    "expmap_differential_inverse",
    "factorwise",
    "from_geoopt",
    "horosphere_distance",
    "horosphere_project",
    "hyperplane",
    "hyperplane_distance",
    "ideal_point",
    "injectivity_radius",
    "jacobi_field",
    "log_ball_volume",
    "log_sphere_area",
    "logits",
    "logmap_differential",
    "logmap_differential_base",
    "on_manifold",
    "point_reflection",
    "points_from",
    "points_to",
    "recentre",
    "reflect",
    "reflection",
    "ricci",
    "riemann",
    "rotation",
    "scalar_curvature",
    "sectional",
    "signed_distance",
    "sphere_area",
    "to_geoopt",
    "towards",
    "translation",
    "volume_density",
]
