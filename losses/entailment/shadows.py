"""Shadow cones: what is particular lies in the shadow that what is general casts."""

import math
from typing import Literal

import torch
from torch import Tensor

from ...manifolds import Manifold
from ...manifolds.checks import check_coordinates, check_number
from ...manifolds.kernels.arithmetic.vectors import atan2_0, normalize, sqrt0
from ...manifolds.kernels.functions.generalized_trig import asinc_k, sinc_k
from ...manifolds.manifold_checks import check_one
from ..common import Reduction, check_option, check_reduction, in_float32
from .orders import ranked

Shadow = Literal["umbral", "penumbral"]
_ONE_ORIGIN = "its factors have no light in common, and a shadow is that of one light"


def shadow_distance(
    parent: Tensor,
    child: Tensor,
    *,
    manifold: Manifold,
    shadow: Shadow = "umbral",
    size: float = 0.1,
) -> Tensor:
    r"""How far a child is outside its parent's shadow cone; inside, minus the way to its edge.

    A light is at the origin (Yu et al. 2024, "Shadow cones", for hyperbolic space).

    ============= ======================== ======================= ==============================
    ``shadow``    the light                a point stands for      child in the cone if
    ============= ======================== ======================= ==============================
    "umbral"      a point                  a ball of radius s      its ball is in the full shadow
                                                                   of its parent's
    "penumbral"   a ball of radius s       a point                 some of the light is hidden by
                                                                   the parent, on tangents to the
                                                                   light
    ============= ======================== ======================= ==============================

    With sn = sinh, id, sin by the sign of the curvature (at unit curvature),
    :math:`\sin\alpha(x) = \mathrm{sn}(s)/\mathrm{sn}(r_x)`, theta the angle at the origin and
    ext the exterior angle, the distance to the edge is

    .. math:: \text{umbral: } \mathrm{asn}\bigl(\mathrm{sn}(r_c)\sin(\theta - \alpha(p))\bigr) + s,
              \qquad \text{penumbral: }
              \mathrm{asn}\bigl(\mathrm{sn}(d(p, c))\sin(\mathrm{ext} - \alpha(p))\bigr),

    where the foot on the edge lies behind the parent, and d(p, c) where it does not: the edge
    begins at the parent. The edge of an umbral cone keeps the distance s from the tangent of the
    parent's ball; that of a penumbral cone is a geodesic, and the cone is that of
    :func:`entailment` with 2 min_radius = sn(s).

    *Other spaces.* Both are defined wherever light goes straight: in flat space shadows are what
    one expects, and on the sphere they close at the antipode, so points are to be kept in the
    hemisphere of the origin. A product has no one light and is refused.

    *Transitive* where the parent is farther than s from the origin. A parent nearer than that
    (its ball holds the light, or it is in the light) has alpha = pi/2 with gradient 0.

    Args:
        parent: points (..., m).
        child: points (..., m).
        manifold: the space of both, of one curvature.
        shadow: which of the two.
        size: s > 0, a length.

    Returns:
        (...): a length with a sign, in float32 (float64 for float64 inputs): at most 0 in the cone.
        At parent = child s - s = 0 for "umbral" and 0 for "penumbral".

    Raises:
        TypeError: a product.
        ValueError: an option out of range, or shapes that do not fit.

    >>> import math, torch
    >>> from spaceforms.losses import shadow_distance
    >>> from spaceforms.manifolds import Euclidean
    >>> x = torch.tensor([[2.0, 0.0], [3.0, 0.0], [0.0, 3.0]])
    >>> found = shadow_distance(x[0], x[1:], manifold=Euclidean(), shadow="penumbral", size=1.0)
    >>> [round(value, 4) for value in found.tolist()]  # alpha = 30 degrees
    [-0.5, 3.6056]
    """
    where = "shadow_distance"
    _check(where, manifold, shadow, size)
    parent, child = in_float32(where, parent=parent, child=child)
    return _distance(where, manifold, shadow, size, parent=parent, child=child)


def shadow_ranking(
    parent: Tensor,
    child: Tensor,
    negative_parent: Tensor,
    negative_child: Tensor,
    *,
    manifold: Manifold,
    shadow: Shadow = "umbral",
    size: float = 0.1,
    margin: float = 1.0,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Children into their parents' shadows, what is no child out of them by a margin.

    .. math:: L = \max\bigl(0, S(p, c)\bigr)
                  + \sum_k \max\bigl(0,\ \gamma - S(p'_k, c'_k)\bigr),

    S the signed length of :func:`shadow_distance`, so that a negative inside a shadow is pushed
    too, which :func:`entailment_ranking` with its relu does not do.

    Args:
        parent: points (..., m).
        child: points (..., m).
        negative_parent: points (..., k, m) or (..., 1, m).
        negative_child: points (..., k, m) or (..., 1, m).
        manifold, shadow, size: as in :func:`shadow_distance`.
        margin: gamma > 0, a length.
        reduction: over the positive pairs: ``"mean"``, ``"sum"`` or ``"none"``: (...).

    Returns:
        A length, in float32 (float64 for float64 inputs).
    """
    where = "shadow_ranking"
    check_reduction(where, reduction)
    _check(where, manifold, shadow, size)
    p, c, q, d = in_float32(
        where,
        parent=parent,
        child=child,
        negative_parent=negative_parent,
        negative_child=negative_child,
    )
    positive = _distance(where, manifold, shadow, size, parent=p, child=c).relu()
    negative = _distance(where, manifold, shadow, size, negative_parent=q, negative_child=d)
    return ranked(where, positive, negative, margin, reduction)


def _check(where: str, manifold: Manifold, shadow: Shadow, size: float) -> None:
    check_one(where, manifold, _ONE_ORIGIN)
    check_option(where, "shadow", shadow, ("umbral", "penumbral"))
    check_number(where, "size", size)
    if not 0 < size < math.inf:
        raise ValueError(f"{where}: size is {size}; expected a positive length.")


def _distance(
    where: str, manifold: Manifold, shadow: Shadow, size: float, **pair: Tensor
) -> Tensor:
    check_coordinates(where, pair.items(), manifold.ambient_dim(0) + 1)
    parent, child = pair.values()
    k = manifold.curvature.to(parent)
    p, r_p = normalize(manifold.to_normal(parent))
    half = _sn(torch.as_tensor(size).to(parent), k)
    sn_p = _sn(r_p, k)
    clear = sn_p > half
    alpha = torch.where(clear, (half / sn_p.where(clear, 2 * half)).asin(), math.pi / 2)
    apart = manifold.dist(parent, child)[..., None]
    if shadow == "penumbral":
        beta = manifold.exterior_angle(parent, child)[..., None] - alpha
        found = torch.where(beta.cos() > 0, _asn(_sn(apart, k) * beta.sin(), k), apart)
        return found.squeeze(-1)
    c, r_c = normalize(manifold.to_normal(child))
    p, c = p + torch.zeros_like(c), c + torch.zeros_like(p)
    # By halves: the angle of nearly parallel directions has all its digits.
    angle = 2 * atan2_0(_length(p - c), _length(p + c))
    beta, sn_c = angle - alpha, _sn(r_c, k)
    across = sn_c * beta.sin()
    # Where the foot on the tangent is beyond that of the parent, which is the tangent point:
    # sn of both is compared, sn(r) cos(angle) over cs of the distance from the tangent.
    foot = sn_c * beta.cos() / sqrt0(1 - k * across.square())
    begin = sn_p * alpha.cos() / sqrt0(1 - k * half.square())
    return torch.where(foot >= begin, _asn(across, k) + size, apart).squeeze(-1)


def _length(x: Tensor) -> Tensor:
    return sqrt0(x.square().sum(-1, keepdim=True))


def _sn(length: Tensor, k: Tensor) -> Tensor:
    """sinh, the identity or sin of a length, for the curvature K."""
    return length * sinc_k(k * length.square())


def _asn(x: Tensor, k: Tensor) -> Tensor:
    """Its inverse; on the sphere of sn <= 1/sqrt(K), to a right angle."""
    z = k * x.square()
    near = z <= 0.5
    far = x.sign() * atan2_0(sqrt0(z), sqrt0(1 - z)) / sqrt0(k).where(k > 0, 1.0)
    return torch.where(near, x * asinc_k(z.where(near, 0.0)), far.where(~near, 0.0))
