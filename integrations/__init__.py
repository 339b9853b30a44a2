"""Entrances into other libraries, a file each, which is imported by its own name.

``import spaceforms.integrations.sentence_transformers`` imports that library; the room itself
imports none of them, so that what it holds can be used wherever torch is.
"""

from .embedding_similarity import Similarity as Similarity, similarity as similarity

__all__ = ["Similarity", "similarity"]
