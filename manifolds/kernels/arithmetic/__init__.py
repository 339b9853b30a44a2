"""Vectors in floating point: lengths, components, limits of a dtype, derivatives written out."""
