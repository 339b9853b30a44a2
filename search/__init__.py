"""Nearest neighbours: FAISS finds candidates, our distance ranks them (extra `search`).

Points and queries are tensors, arrays of NumPy or nested lists; results are tensors.
"""

from .brute import Neighbours as Neighbours, brute_force as brute_force
from .hubness import csls as csls, hubness as hubness
from .index import Index as Index, build_index as build_index, load_index as load_index

__all__ = ["Index", "Neighbours", "brute_force", "build_index", "csls", "hubness", "load_index"]
