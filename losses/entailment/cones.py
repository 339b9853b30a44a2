"""Entailment: what is particular lies in the cone of what is general."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Literal

from torch import Tensor
from torch.nn.functional import softplus

from ...manifolds import Manifold
from ...manifolds.checks import check_coordinates, check_number
from ..common import (
    Reduction,
    check_list,
    check_manifold,
    check_option,
    check_reduction,
    in_float32,
    reduce,
)
from .orders import ranked

Hinge = Literal["relu", "softplus", "leaky"]
Links = Literal["consecutive", "all"]


@dataclass(frozen=True)
class Cone:
    """The options of an entailment cone, checked; see :func:`entailment` for each."""

    where: str
    """The function that they are of, for its errors."""
    manifold: Manifold
    min_radius: float = 0.1
    aperture_scale: float = 1.0
    slack: float = 0.0
    hinge: Hinge = "relu"
    softness: float = 0.1

    def __post_init__(self) -> None:
        where = self.where
        check_manifold(where, self.manifold)
        check_option(where, "hinge", self.hinge, ("relu", "softplus", "leaky"))
        for name in ("aperture_scale", "softness"):
            value = getattr(self, name)
            check_number(where, name, value)
            if not 0 < value < math.inf:
                raise ValueError(f"{where}: {name} is {value}; expected a positive number.")
        check_number(where, "slack", self.slack)
        if not 0 <= self.slack < math.inf:
            raise ValueError(
                f"{where}: slack is {self.slack}; expected a non-negative number of radians. (For "
                "cones that are narrower take aperture_scale below 1.)"
            )

    def angles(self, **pair: Tensor) -> tuple[Tensor, Tensor]:
        """The angle of a child and its parent's aperture, in each factor of the space: (..., k).

        The pair, parent first, is named for errors.
        """
        check_coordinates(self.where, pair.items(), self.manifold.ambient_dim(0) + 1)
        parent, child = pair.values()
        return self.manifold.cones(parent, child, self.min_radius)

    def energy(self, **pair: Tensor) -> Tensor:
        """The hinge of a child outside its cone, averaged over the factors of the space: (...)."""
        angle, aperture = self.angles(**pair)
        excess = angle - self.aperture_scale * aperture - self.slack
        if self.hinge == "softplus":
            # torch's softplus(t, beta) is the identity above threshold: at 20, its default, that is
            # below rounding in float32, not in float64.
            return softplus(excess, 1 / self.softness, 40.0).mean(-1)
        penalty = excess.relu()
        if self.hinge == "leaky":
            # The leak is of the angle alone: with the aperture in it, a child deep inside would go
            # on to open its parent's cone.
            penalty = penalty + self.softness * angle
        return penalty.mean(-1)


def entailment(
    parent: Tensor,
    child: Tensor,
    *,
    manifold: Manifold,
    min_radius: float = 0.1,
    aperture_scale: float = 1.0,
    slack: float = 0.0,
    hinge: Hinge = "relu",
    softness: float = 0.1,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Penalty for a child outside its parent's entailment cone, on any manifold.

    .. math:: E(p, c) = h\bigl(\mathrm{ext}(p, c) - \eta\,\psi(p) - \sigma\bigr),

    ext the exterior angle, psi the half-aperture of :class:`Manifold`, h the hinge: with max(0, .),
    eta = 1 and sigma = 0 that is Ganea et al. 2018, eq. 33, and the entailment loss of Desai et al.
    2023 (MERU), where the text is the parent of its image. On :class:`Product` it is the mean over
    its factors' own cones (PHyCLIP, ICLR 2026).

    ============== =========================================== ================================
    ``hinge``      h(t)                                        child inside the cone
    ============== =========================================== ================================
    ``"relu"``     max(0, t)                                   loss 0, gradient 0
    ``"softplus"`` s log(1 + exp(t/s)); max(0, t) as s -> 0    gradient never 0, falls off with
                                                               the depth in units of s
    ``"leaky"``    max(0, t) + s ext                           gradient s of the angle, towards
                                                               the axis (UNCHA, CVPR 2026)
    ============== =========================================== ================================

    *What nests.* Cones with eta <= 1 contain the cones of their points, where sn(r/R) >= 2
    min_radius for the parent, and on the sphere within the hemisphere of the origin: loss 0 is then
    transitive. A parent nearer to the origin than that has a half-space, which need not contain
    the half-space of its point. With eta > 1, or sigma > 0, loss 0 is no order: it is not
    transitive. (By Clairaut's relation the edge of the eta-cone reaches a point with an angle of
    sine :math:`\sin(\eta\psi)\,\mathrm{sn}(r_p)/\mathrm{sn}(r_c)`, and that is at least
    :math:`\sin(\eta\psi(c))` for all of them only if eta <= 1.)

    At parent = child, and for a parent at the origin, the angle is 0 with gradient 0, so "relu"
    has loss 0 and gradient 0. A child exactly between the origin and its parent, ext = pi, has a
    gradient by the aperture only; it is a maximum of the angle.

    Args:
        parent: points (..., m).
        child: points (..., m).
        manifold: the space of both. On a sphere, keep points in the hemisphere of the origin.
        min_radius: see :meth:`Manifold.half_aperture`; 0.1 in the papers.
        aperture_scale: eta > 0, a factor on the half-aperture (HyCoCLIP: 0.7 between modalities,
            1.2 within one).
        slack: sigma >= 0 in radians, how far outside is not penalised.
        hinge: h, see above.
        softness: s > 0 of "softplus", radians, and of "leaky", a plain factor.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``: (...).

    Returns:
        Radians, in float32 (float64 for float64 inputs).

    Raises:
        ValueError: an option out of range, or shapes that do not fit.
    """
    where = "entailment"
    check_reduction(where, reduction)
    cone = Cone(where, manifold, min_radius, aperture_scale, slack, hinge, softness)
    parent, child = in_float32(where, parent=parent, child=child)
    return reduce(cone.energy(parent=parent, child=child), None, reduction)


def exclusion(
    parent: Tensor,
    child: Tensor,
    *,
    manifold: Manifold,
    margin: float = 0.1,
    min_radius: float = 0.1,
    aperture_scale: float = 1.0,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Penalty for what is no child inside a cone, or less than a margin outside it.

    .. math:: X(p, c) = \max\bigl(0,\ \gamma + \eta\,\psi(p) - \mathrm{ext}(p, c)\bigr),

    the hinge of :func:`entailment` mirrored at the cone's edge and moved out by gamma, so that it
    has a slope everywhere inside, where the negative term of Ganea et al. 2018, eq. 32
    (:func:`entailment_ranking`) has none. Entailment alone may open the cones until each holds
    everything; the two together set their width: true pairs open a cone, false ones close it.

    On :class:`Product` a child is in a cone if it is in those of all factors, so that the factor
    in which it is farthest outside is counted.

    Args:
        parent: points (..., m).
        child: points (..., m), none of them to lie in its parent's cone.
        manifold: the space of both. On a sphere, keep points in the hemisphere of the origin.
        margin: gamma >= 0 in radians.
        min_radius: see :meth:`Manifold.half_aperture`.
        aperture_scale: eta > 0, a factor on the half-aperture.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``: (...).

    Returns:
        Radians, in float32 (float64 for float64 inputs). At parent = child, and for a parent at the
        origin, the angle is 0 with gradient 0, and the penalty gamma + eta psi.

    Raises:
        ValueError: an option out of range, or shapes that do not fit.

    >>> import math, torch
    >>> from spaceforms.losses import exclusion
    >>> from spaceforms.manifolds import Euclidean
    >>> x = torch.tensor([[1.0, 0.0], [1.0, 1.0]])  # psi = asin(0.2) at the first, ext = pi/2
    >>> value = exclusion(x[0], x[1], manifold=Euclidean(), margin=math.pi / 2)
    >>> round(float(value), 4), round(math.asin(0.2), 4)
    (0.2014, 0.2014)
    """
    where = "exclusion"
    check_reduction(where, reduction)
    check_number(where, "margin", margin)
    if not 0 <= margin < math.inf:
        raise ValueError(f"{where}: margin is {margin}; expected a non-negative number of radians.")
    cone = Cone(where, manifold, min_radius, aperture_scale)
    parent, child = in_float32(where, parent=parent, child=child)
    angle, aperture = cone.angles(parent=parent, child=child)
    # A child is in a product's cone if it is in those of all factors, and so out of it if out of
    # one: the factor in which it is farthest outside counts.
    outside = (angle - aperture_scale * aperture).amax(-1)
    return reduce((margin - outside).relu(), None, reduction)


def entailment_ranking(
    parent: Tensor,
    child: Tensor,
    negative_parent: Tensor,
    negative_child: Tensor,
    *,
    manifold: Manifold,
    margin: float = 0.1,
    min_radius: float = 0.1,
    aperture_scale: float = 1.0,
    slack: float = 0.0,
    hinge: Hinge = "relu",
    softness: float = 0.1,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Children into their parents' cones, what is no child out of them by a margin.

    .. math:: L = E(p, c) + \sum_{k} \max\bigl(0,\ \gamma - E(p'_k, c'_k)\bigr),

    E the penalty of :func:`entailment` (Ganea et al. 2018, eq. 32). Without negatives all
    children may as well crowd on one ray.

    With ``hinge="relu"``, as in the paper, a negative *inside* a cone has E = 0 and no gradient:
    only those outside by less than the margin are pushed. With ``"leaky"`` and ``"softplus"`` those
    inside are pushed too; "leaky" needs a margin above softness times psi for that, "softplus" one
    above softness times log 2, its value at the edge.

    Args:
        parent: points (..., m).
        child: points (..., m).
        negative_parent: points (..., k, m), or (..., 1, m) for the same with all its children;
            the leading axes broadcast with those of parent and child.
        negative_child: points (..., k, m) or (..., 1, m).
        manifold, min_radius, aperture_scale, slack, hinge, softness: as in :func:`entailment`.
        margin: gamma > 0 in radians.
        reduction: over the positive pairs: ``"mean"``, ``"sum"`` or ``"none"``: (...).

    Returns:
        Radians, in float32 (float64 for float64 inputs).

    >>> import torch
    >>> from spaceforms.losses import entailment_ranking
    >>> from spaceforms.manifolds import PoincareBall
    >>> ball = PoincareBall()
    >>> x = ball.from_normal(torch.tensor([[0.5, 0.0], [1.5, 0.1], [0.0, 1.5]]))
    >>> loss = entailment_ranking(x[0], x[1], x[0], x[2:], manifold=ball)
    >>> float(loss)
    0.0
    """
    where = "entailment_ranking"
    check_reduction(where, reduction)
    cone = Cone(where, manifold, min_radius, aperture_scale, slack, hinge, softness)
    parent, child, other_parent, other_child = in_float32(
        where,
        parent=parent,
        child=child,
        negative_parent=negative_parent,
        negative_child=negative_child,
    )
    # (..., k) of k negatives beside (...) of the positive pairs; `ranked` sums over k.
    negative = cone.energy(negative_parent=other_parent, negative_child=other_child)
    positive = cone.energy(parent=parent, child=child)
    return ranked(where, positive, negative, margin, reduction)


def chain_entailment(
    levels: Sequence[Tensor],
    *,
    manifold: Manifold,
    links: Links = "consecutive",
    weights: Sequence[float] | None = None,
    min_radius: float = 0.1,
    aperture_scale: float = 1.0,
    slack: float = 0.0,
    hinge: Hinge = "relu",
    softness: float = 0.1,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Entailment down a chain such as group, subgroup, name, picture.

    The weighted mean of :func:`entailment` over pairs of levels, the more general one as parent:

    .. math:: L = \sum_{i<j} w_{ij} E(x_i, x_j) \Big/ \sum_{i<j} w_{ij}.

    Where cones nest, consecutive links at loss 0 make all links 0; short of that, all links
    also pull levels that are not neighbours. For a tree of many nodes see :class:`Hierarchy`.

    Args:
        levels: at least two batches of points (..., m), from general to particular; leading axes
            broadcast, so one point may stand above a batch.
        manifold, min_radius, aperture_scale, slack, hinge, softness: as in :func:`entailment`.
        links: ``"consecutive"``, (0, 1), (1, 2) and so on, or ``"all"``, (0, 1), (0, 2) and so on,
            (1, 2) and so on.
        weights: one non-negative number for each link, in that order, not all 0; equal if None.
        reduction: over the leading axes: ``"mean"``, ``"sum"`` or ``"none"``: (...).

    Returns:
        Radians, in float32 (float64 for float64 inputs).

    Raises:
        ValueError: fewer than two levels, or weights that are not one for each link.
    """
    where = "chain_entailment"
    check_reduction(where, reduction)
    check_option(where, "links", links, ("consecutive", "all"))
    check_list(where, "levels", levels)
    if len(levels) < 2:
        raise ValueError(
            f"{where}: there are {len(levels)} levels; expected two batches of points or more."
        )
    cone = Cone(where, manifold, min_radius, aperture_scale, slack, hinge, softness)
    names = [f"levels[{i}]" for i in range(len(levels))]
    points = in_float32(where, **dict(zip(names, levels, strict=True)))
    # Levels are named, so that an error says which of them does not fit.
    named = list(zip(names, points, strict=True))
    pairs = list(pairwise(named) if links == "consecutive" else combinations(named, 2))
    weighed = zip(_weights(where, weights, len(pairs)), pairs, strict=True)
    terms = [weight * cone.energy(**dict(pair)) for weight, pair in weighed]
    return reduce(sum(terms[1:], terms[0]), None, reduction)


def _weights(where: str, weights: Sequence[float] | None, count: int) -> list[float]:
    """Shares of 1."""
    if weights is None:
        return [1 / count] * count
    check_list(where, "weights", weights)
    for i, w in enumerate(weights):
        check_number(where, f"weights[{i}]", w)
    given = [float(w) for w in weights]
    if len(given) != count or not all(0 <= w < math.inf for w in given) or sum(given) == 0:
        raise ValueError(
            f"{where}: weights are {given} for {count} links; expected one non-negative number for "
            "each link, not all 0."
        )
    # The weights are shares of 1: the loss is a mean, whose size does not grow with the number of
    # links.
    return [w / sum(given) for w in given]
