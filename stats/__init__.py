"""Statistics of points: means, the median, principal components, and what is lost to them.

The Fréchet mean itself is a method of every manifold, :meth:`Manifold.mean`, as are
:meth:`Manifold.midpoint` and :meth:`Manifold.geodesic`, the interpolation between two points.
"""

from .centroids import (
    einstein_midpoint as einstein_midpoint,
    gyromidpoint as gyromidpoint,
    lorentz_centroid as lorentz_centroid,
)
from .distortion import (
    Distortion as Distortion,
    distortion as distortion,
    frechet_variance as frechet_variance,
)
from .horopca import (
    HoroPCA as HoroPCA,
    horopca as horopca,
    horospherical_projection as horospherical_projection,
)
from .median import geometric_median as geometric_median
from .principal import (
    PrincipalGeodesics as PrincipalGeodesics,
    pga as pga,
    tangent_pca as tangent_pca,
)

__all__ = [
    "Distortion",
    "HoroPCA",
    "PrincipalGeodesics",
    "distortion",
    "einstein_midpoint",
    "frechet_variance",
    "geometric_median",
    "gyromidpoint",
    "horopca",
    "horospherical_projection",
    "lorentz_centroid",
    "pga",
    "tangent_pca",
]
