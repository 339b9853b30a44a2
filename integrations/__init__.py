"""Entrances into other libraries, a file each, which is imported by its own name.

``import spaceforms.integrations.sentence_transformers`` imports that library; the room itself
imports none of them, so that what it holds can be used wherever torch is.
"""

from .distances import (
    distance_matrix as distance_matrix,
    metric as metric,
    nearest_neighbours as nearest_neighbours,
    neighbour_graph as neighbour_graph,
)
from .embedding_similarity import Similarity as Similarity, similarity as similarity
from .vectors import Vectors as Vectors, features as features

__all__ = [
    "Similarity",
    "Vectors",
    "distance_matrix",
    "features",
    "metric",
    "nearest_neighbours",
    "neighbour_graph",
    "similarity",
]
