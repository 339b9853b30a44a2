"""Entailment: what is particular lies in the cone of what is general."""

from torch import Tensor

from ..manifolds import Manifold
from ._common import Reduction, check_option, in_float32, reduce


def entailment(
    parent: Tensor,
    child: Tensor,
    *,
    manifold: Manifold,
    min_radius: float = 0.1,
    aperture_scale: float = 1.0,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Penalty for a child outside its parent's entailment cone, on any of the four manifolds.

    .. math:: L = \max\bigl(0,\ \mathrm{ext}(p, c) - \eta\,\psi(p)\bigr),

    ext the exterior angle and psi the half-aperture of :class:`Manifold` (Ganea et al. 2018, eq.
    33, without its margin term for negatives; Desai et al. 2023, eq. 7). In MERU the text is the
    parent of its image.

    A child inside the cone has loss and gradient 0. At parent = child, and for a parent at the
    origin, the loss is 0 with gradient 0.

    Args:
        parent: points (..., m).
        child: points (..., m).
        manifold: the space of both. On the sphere, keep points in the hemisphere of the origin.
        min_radius: see :meth:`Manifold.half_aperture`; 0.1 in the papers.
        aperture_scale: eta, the factor on the half-aperture. Up to 1 the cones still nest; above
            1 (HyCoCLIP has 1.2 inside a modality) it is a slack in the hinge and entailment is no
            longer transitive.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``: (...).

    Returns:
        Radians, in float32 (float64 for float64 inputs).
    """
    where = "entailment"
    check_option(where, "reduction", reduction, ("none", "mean", "sum"))
    if not aperture_scale > 0:
        raise ValueError(
            f"{where}: aperture_scale is {aperture_scale}; expected a positive number."
        )
    parent, child = in_float32(where, parent=parent, child=child)
    angle = manifold.exterior_angle(parent, child)
    penalty = (angle - aperture_scale * manifold.half_aperture(parent, min_radius)).relu()
    return reduce(penalty, None, reduction)
