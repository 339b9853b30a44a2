"""Products of manifolds, their equal factors computed together."""
