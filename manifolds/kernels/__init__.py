"""Formulas on tensors at unit curvature: what every manifold is made of. Imports torch only.

Each file begins with its formula, a table of its letters, its domain, the bound that it promises,
the derivation in ``validation/symbolic`` that proves it, and the cells of the certificate
(``docs/accuracy.md``) that judge it. What a backward pass needs is a named tuple ``Saved``.

A unit is u (1 + kappa): u the unit roundoff of the dtype, kappa the condition number of the
problem. (``docs/accuracy.md`` says which cells break the promise, and which have none.)

The folders of models and of what models share stand on ``functions``, that on ``arithmetic``.
"""
