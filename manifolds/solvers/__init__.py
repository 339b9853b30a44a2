"""Means, minimisers and samples of any manifold."""
