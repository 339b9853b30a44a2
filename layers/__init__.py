"""Layers, few and exact: modules of points, on every manifold and smooth through K = 0.

What there is not (convolution, attention blocks, recurrent cells), and who has it, is on the page
:doc:`/guides/layers`.
"""

from .hyperplanes import (
    from_signed_distances as from_signed_distances,
    hyperplane_scores as hyperplane_scores,
)
from .lift import Lift as Lift, Tangent as Tangent
from .linear import MLR as MLR, Linear as Linear
from .norm import Norm as Norm
from .pool import AttentionPool as AttentionPool, Pool as Pool

__all__ = [
    "MLR",
    "AttentionPool",
    "Lift",
    "Linear",
    "Norm",
    "Pool",
    "Tangent",
    "from_signed_distances",
    "hyperplane_scores",
]
