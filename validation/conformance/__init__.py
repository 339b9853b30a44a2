"""A conformance suite for any manifold."""
