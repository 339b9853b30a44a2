"""Losses of all pairs of a batch, whole, in tiles and over processes."""
