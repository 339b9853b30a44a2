"""Statistics of points: means, the median, principal components, and what is lost to them; and of
distances: hyperbolicity, the curvature that fits, distortion, ranks.

The Fréchet mean itself is a method of every manifold, :meth:`Manifold.mean`, as are
:meth:`Manifold.midpoint` and :meth:`Manifold.geodesic`, the interpolation between two points.
Arrays of NumPy and nested lists are taken as well as tensors; results are tensors.
"""

from .centroids import (
    centroid as centroid,
    einstein_midpoint as einstein_midpoint,
    gyromidpoint as gyromidpoint,
    lorentz_centroid as lorentz_centroid,
)
from .curvature import BestCurvature as BestCurvature, best_curvature as best_curvature
from .distortion import (
    Distortion as Distortion,
    WorstDistortion as WorstDistortion,
    distortion as distortion,
    frechet_variance as frechet_variance,
    worst_distortion as worst_distortion,
)
from .horopca import (
    HoroPCA as HoroPCA,
    horopca as horopca,
    horospherical_projection as horospherical_projection,
)
from .hyperbolicity import (
    Hyperbolicity as Hyperbolicity,
    delta_hyperbolicity as delta_hyperbolicity,
)
from .median import geometric_median as geometric_median
from .principal import (
    PrincipalGeodesics as PrincipalGeodesics,
    pga as pga,
    tangent_pca as tangent_pca,
)
from .ranking import (
    Reconstruction as Reconstruction,
    mean_average_precision as mean_average_precision,
    mean_rank as mean_rank,
    reconstruction as reconstruction,
    related_ranks as related_ranks,
)

__all__ = [
    "BestCurvature",
    "Distortion",
    "HoroPCA",
    "Hyperbolicity",
    "PrincipalGeodesics",
    "Reconstruction",
    "WorstDistortion",
    "best_curvature",
    "centroid",
    "delta_hyperbolicity",
    "distortion",
    "einstein_midpoint",
    "frechet_variance",
    "geometric_median",
    "gyromidpoint",
    "horopca",
    "horospherical_projection",
    "lorentz_centroid",
    "mean_average_precision",
    "mean_rank",
    "pga",
    "reconstruction",
    "related_ranks",
    "tangent_pca",
    "worst_distortion",
]
