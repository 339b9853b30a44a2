"""Formulas on tensors at unit curvature: what every manifold is made of. Imports torch only."""
