"""Means in closed form: the centroid, which is Lorentz's, Einstein's and Ungar's midpoint too."""

from __future__ import annotations

import torch
from torch import Tensor

from ..manifolds import Euclidean, Lorentz, Manifold, PoincareBall, Product, Sphere, Stereographic
from ..manifolds.charts.through_quadric import point, through_quadric
from ..manifolds.checks import ArrayLike, check_device, check_integer, check_integers, to_tensor
from ..manifolds.kernels.arithmetic.vectors import dot, normalize
from ..manifolds.kernels.hyperboloid.points import lift
from ..manifolds.kernels.stereographic import conformal, maps as stereographic_maps
from ..manifolds.manifold_checks import check_known
from ..manifolds.solvers.weights import check_set, check_weights
from ..manifolds.space_form import divided, times
from ._members import Members
from ._sets import hyperbolic


def centroid(
    manifold: Manifold,
    x: ArrayLike,
    weights: ArrayLike | None = None,
    *,
    index: ArrayLike | None = None,
    size: int | None = None,
) -> Tensor:
    r"""The weighted centroid: the normalised weighted sum of points, as vectors of the flat space
    around the manifold.

    .. math:: \mu = R\,\frac{s}{\sqrt{\lvert\langle s, s\rangle\rvert}},\qquad
              s = \sum_i w_i x_i

    On the hyperboloid with the Minkowski product (Law et al. 2019, "Lorentzian distance learning",
    theorem 3.3: it minimises :math:`\sum_i w_i\,d_L^2(x_i, \mu)`, the squared Lorentzian distance
    :math:`d_L^2 = -2R^2 - 2\langle x_i,\mu\rangle = 4R^2\sinh^2(d/2R)`); on the ball the same point
    of hyperbolic space; on the sphere the extrinsic mean, which minimises
    :math:`\sum_i w_i\sin^2(d/2R)`; on Euclidean space the weighted mean; on Stereographic all of
    these by the sign of K, smooth in K through 0; on a product that of each factor, whatever its
    metric. It goes with every isometry, :math:`\mu(g x_1, g x_2, \dots) = g\mu`. It equals the
    Fréchet mean (:meth:`Manifold.mean`, which iterates) for two points of equal weight, and in the
    limit of points close together; with points far apart the hyperbolic one leans towards the
    farthest, the more the farther they are.

    :math:`-\langle s, s\rangle` is not taken as a difference of squares, which loses all digits at
    distance 8 in float32: with e the direction of s's space part it is :math:`(s_t + |s_s|)
    \sum_i w_i(x_{i,t} - x_{i,s}\cdot e)`, where every term is a positive number of its own.

    Args:
        manifold: the space.
        x: points (..., k, m).
        weights: (..., k), non-negative; equal if None. Their values are not looked at, so that
            this goes under ``vmap`` and into a full graph: the centroid of a set with a weight that
            is negative or not finite is NaN, and that of a set of no weight is the origin.
        index: (k,) integers from 0 to ``size`` - 1, the set that each point belongs to: then the
            sum is over the points of each set. On a graph with edges j -> i,
            ``centroid(manifold, x[j], weights, index=i, size=len(x))`` is the centroid of the
            neighbours of every node. A set without points has the origin.
        size: how many sets there are; needed with ``index``.

    Returns:
        (..., m), with an index (..., size, m). Differentiable in x, the weights and the curvature.
        Sphere, and Stereographic for K > 0: for points that balance, s = 0, the origin, with
        gradient 0.

    Raises:
        TypeError: a space of another kind, or an index that is no tensor of integers.
        ValueError: no points, weights or an index of another shape, or only one of index and size.
    """
    op = "centroid"
    check_known(op, manifold)
    x, weights = to_tensor(op, "x", x), to_tensor(op, "weights", weights)
    return _centroid(manifold, x, weights, to_tensor(op, "index", index), size)


@through_quadric("x", give=point)
def _centroid(
    manifold: Manifold, x: Tensor, weights: Tensor | None, index: Tensor | None, size: int | None
) -> Tensor:
    op = "centroid"
    (x,), call = manifold._to_unit(op, [("x", x)])
    if index is None:
        check_set(op, x)
    members = _members(op, x, index, size)
    w, empty = members.shares(check_weights(op, x, weights).unsqueeze(-1))
    total = _unit_centroid(manifold._unchecked, x, w, empty, members)
    return manifold._from_unit_point(total if index is not None else total.squeeze(-2), call)


def lorentz_centroid(manifold: Manifold, x: ArrayLike, weights: ArrayLike | None = None) -> Tensor:
    """The Lorentz centroid of Law et al. 2019: :func:`centroid`, on hyperbolic models only.

    Raises:
        TypeError: a space that is not hyperbolic.
    """
    return centroid(hyperbolic("lorentz_centroid", manifold), x, weights)


def einstein_midpoint(manifold: Manifold, x: ArrayLike, weights: ArrayLike | None = None) -> Tensor:
    r"""Einstein's midpoint: in Klein coordinates k_i, the mean with weights :math:`\gamma_i w_i`.

    .. math:: m = \frac{\sum_i w_i\gamma_i k_i}{\sum_i w_i\gamma_i},\qquad
              \gamma_i = \frac{1}{\sqrt{1 - |k_i|^2}}

    at K = -1 (Gulcehre et al. 2019, "Hyperbolic attention networks"; Ungar 2005). Since
    :math:`\gamma_i` is the time part of the point on the hyperboloid and :math:`\gamma_i k_i` its
    space part, this *is* the :func:`centroid` with the same weights, and is computed as such: in
    Klein coordinates points are lost twice as early. Hyperbolic models only.

    Raises:
        TypeError: a space that is not hyperbolic.
    """
    return centroid(hyperbolic("einstein_midpoint", manifold), x, weights)


def gyromidpoint(manifold: Manifold, x: ArrayLike, weights: ArrayLike | None = None) -> Tensor:
    r"""The Möbius gyromidpoint of points x_i of the ball.

    .. math:: m = \tfrac12\otimes\frac{\sum_i w_i\lambda_i x_i}{\sum_i w_i(\lambda_i - 1)},\qquad
              \lambda_i = \frac{2}{1 - |x_i|^2}

    at K = -1 (Ungar 2010, "Barycentric calculus in Euclidean and hyperbolic geometry"; geoopt's
    ``weighted_midpoint`` is this). :math:`\lambda_i x_i` is the point's space part on the
    hyperboloid and :math:`\lambda_i - 1` its time part, and :math:`\frac12\otimes` goes from Klein
    to Poincaré coordinates: it *is* the :func:`centroid` with the same weights, and is computed as
    such. Hyperbolic models only.

    Raises:
        TypeError: a space that is not hyperbolic.
    """
    return centroid(hyperbolic("gyromidpoint", manifold), x, weights)


def _members(op: str, x: Tensor, index: Tensor | None, size: int | None) -> Members:
    if index is None:
        if size is not None:
            raise ValueError(f"{op}: size is {size} and index is None; expected both or neither.")
        return Members(-2)
    check_integers(op, "index", index)
    check_device(op, "index", index, {"x": x})
    if size is None:
        raise ValueError(f"{op}: size is None; expected the number of sets that index counts.")
    check_integer(op, "size", size, 0, "a number of sets, an integer")
    if x.ndim < 2 or index.shape != x.shape[-2:-1]:
        raise ValueError(
            f"{op}: index has shape {tuple(index.shape)} for x of shape {tuple(x.shape)}; expected "
            "x (..., k, m) and one index a point, (k,)."
        )
    return Members(-2, index.long(), size)


def _unit_centroid(
    manifold: Manifold, x: Tensor, w: Tensor, empty: Tensor, members: Members
) -> Tensor:
    """In units of R, not projected; the axis of the points becomes that of the sets."""
    match manifold:
        case Lorentz():
            return _on_hyperboloid(x[..., 1:], w, empty, members)
        case PoincareBall():
            return _on_ball(x, w, empty, members)
        case Stereographic():
            return _of_any_sign(manifold, x, w, empty, members)
        case Product():
            return _of_factors(manifold, x, w, empty, members)
    assert isinstance(manifold, Sphere | Euclidean)
    return members.sum(w * x)


def _on_hyperboloid(x: Tensor, w: Tensor, empty: Tensor, members: Members) -> Tensor:
    """From space parts (..., k, n)."""
    time = (1 + dot(x, x)).sqrt()
    total = members.sum(w * x)
    axis, length = normalize(total)
    e = members.spread(axis)
    along = dot(x, e)
    # x_t - x.e with x_t^2 = 1 + |x|^2: over the sum where that is positive.
    across = x - along * e
    ahead = along > 0
    less = (1 + dot(across, across)) / (time + along).where(ahead, 1.0)
    less = torch.where(ahead, less, time - along)
    square = (members.sum(w * time) + length + empty) * (members.sum(w * less) + empty)
    return lift(total / square.sqrt())


def _on_ball(x: Tensor, w: Tensor, empty: Tensor, members: Members) -> Tensor:
    """The hyperboloid's space part is 2x/(1 - |x|^2), its time part 2/(1 - |x|^2) - 1."""
    # (1 - |x|)(1 + |x|), and not below what the rounding of |x| can bring it to.
    length = normalize(x)[1]
    gap = ((1 - length) * (1 + length)).clamp(min=torch.finfo(x.dtype).eps)
    space = members.sum(2 * w / gap * x)
    time = members.sum(w * (1 + dot(x, x)) / gap) + empty
    axis, size = normalize(space)
    # x_t - x_s.e = |x - e|^2/(1 - |x|^2) for a unit vector e; 1 + |x|^2 over the gap for e = 0.
    apart = x - members.spread(axis)
    less = torch.where(size > 0, members.sum(w * dot(apart, apart) / gap), time)
    return space / (time + ((time + size) * less).sqrt())


def _of_any_sign(
    manifold: Stereographic, x: Tensor, w: Tensor, empty: Tensor, members: Members
) -> Tensor:
    """At the curvature k itself; the embedded point is (2/g - 1, 2x/g), g = 1 + k|x|^2."""
    if manifold._same is not None:
        radius = manifold._same.radius
        unit = _unit_centroid(manifold._same, divided(x, radius), w, empty, members)
        return times(unit, radius, 1)
    k = manifold._k(x)
    gap = conformal.gap(k, x)
    space, time = members.sum(2 * w / gap * x), members.sum(w * (2 / gap - 1)) + empty
    balanced = (time == 0) & (space == 0).all(-1, keepdim=True)
    time = time.where(~balanced, 1.0)
    # T^2 + k|S|^2, as it stands where it is not much less than T^2: that is smooth through k = 0.
    # Else, k < 0 and q = sqrt(-k), as on the ball, (T + q|S|) sum w |q x - e|^2/g.
    lost = conformal.kdot(k, space, space)
    far = -2 * lost > time.square()
    root = (-k).where(k < 0, 1.0).sqrt()
    axis, size = normalize(space.where(far, 1.0))
    apart = root * x - members.spread(axis)
    less = members.sum(w * dot(apart, apart) / gap).where(far, 1.0)
    square = torch.where(far, (time + root * size) * less, time.square() + lost.where(~far, 0.0))
    return stereographic_maps.from_embedding(k, space, time, square, space)


def _of_factors(product: Product, x: Tensor, w: Tensor, empty: Tensor, members: Members) -> Tensor:
    """Of each factor; of equal factors in one call."""
    inside = Members(members.axis - 1, members.of, members.size)
    w_, empty_ = w.unsqueeze(-2), empty.unsqueeze(-2)
    parts = []
    for group, own in zip(product._groups, product._layout.gather(x), strict=True):
        kernels = product._kernels_of(group)
        check_known("centroid", kernels)
        if group.by_radius or (group.one_object and kernels._family != "chart"):
            radius = product._radius_of(group, own)
            found = _unit_centroid(kernels, divided(own, radius), w_, empty_, inside)
            parts.append(times(found, radius, 1))
            continue
        size = None if members.of is None else members.size
        each = [
            centroid(product._factor(i), own[..., j, :], w[..., 0], index=members.of, size=size)
            for j, i in enumerate(group.members)
        ]
        found = torch.stack(each, dim=-2)
        parts.append(found if members.of is not None else found.unsqueeze(-3))
    return product._join(parts)
