"""Means in closed form: the Lorentz centroid, which is also Einstein's and Ungar's midpoint."""

from __future__ import annotations

import torch
from torch import Tensor

from ..manifolds import Euclidean, Lorentz, Manifold, PoincareBall, Sphere
from ..manifolds.charts.through_quadric import point, through_quadric
from ..manifolds.checks import ArrayLike, to_tensor
from ..manifolds.kernels.hyperboloid import lift
from ..manifolds.kernels.vectors import dot, normalize
from ._sets import enter, hyperbolic, model


def lorentz_centroid(manifold: Manifold, x: ArrayLike, weights: ArrayLike | None = None) -> Tensor:
    r"""The normalised weighted sum of points, as vectors of the embedding space.

    .. math:: \mu = R\,\frac{\sum_i w_i x_i}{\sqrt{\lvert\langle s, s\rangle\rvert}},\qquad
              s = \sum_i w_i x_i

    On the hyperboloid with the Minkowski product (Law et al. 2019, "Lorentzian distance learning",
    theorem 3.3: it minimises :math:`\sum_i w_i\,d_L^2(x_i, \mu)`, the squared Lorentzian distance
    :math:`d_L^2 = -2R^2 - 2\langle x_i,\mu\rangle = 4R^2\sinh^2(d/2R)`); on the ball the same point
    of hyperbolic space; on the sphere the extrinsic mean, which minimises
    :math:`\sum_i w_i\sin^2(d/2R)`; on Euclidean space the weighted mean. It equals the Fréchet mean
    for two points of equal weight, and in the limit of points close together; with points far
    apart the hyperbolic one leans towards the farthest, the more the farther they are.

    :math:`-\langle s, s\rangle` is not taken as a difference of squares, which loses all digits at
    distance 8 in float32: with e the direction of s's space part it is :math:`(s_t + |s_s|)
    \sum_i w_i(x_{i,t} - x_{i,s}\cdot e)`, where every term is a positive number of its own.

    Args:
        manifold: the space.
        x: points (..., k, m).
        weights: (..., k), non-negative with a positive sum; equal if None. Their values are not
            looked at, so that this goes under ``vmap`` and into a full graph: the centroid of a
            set with a negative weight or none above 0 is NaN.

    Returns:
        (..., m). Differentiable in x, the weights and the curvature. Sphere: for points that
        balance, s = 0, the origin, with gradient 0.

    Raises:
        TypeError: a space of another kind.
        ValueError: no points, or weights of another shape.
    """
    where = "lorentz_centroid"
    return _lorentz_centroid(
        manifold, to_tensor(where, "x", x), to_tensor(where, "weights", weights)
    )


@through_quadric("x", give=point)
def _lorentz_centroid(manifold: Manifold, x: Tensor, weights: Tensor | None) -> Tensor:
    x, w, call = enter("lorentz_centroid", manifold, x, weights, look=False)
    match model(manifold):
        case Lorentz():
            centroid = _on_hyperboloid(x[..., 1:], w)
        case PoincareBall():
            centroid = _on_ball(x, w)
        case Sphere() | Euclidean():
            centroid = (w * x).sum(-2)
        case _:
            raise TypeError(
                f"lorentz_centroid: manifold is {manifold!r}; expected Lorentz, PoincareBall, "
                "Sphere or Euclidean."
            )
    return manifold._from_unit_point(centroid, call)


def einstein_midpoint(manifold: Manifold, x: ArrayLike, weights: ArrayLike | None = None) -> Tensor:
    r"""Einstein's midpoint: in Klein coordinates k_i, the mean with weights :math:`\gamma_i w_i`.

    .. math:: m = \frac{\sum_i w_i\gamma_i k_i}{\sum_i w_i\gamma_i},\qquad
              \gamma_i = \frac{1}{\sqrt{1 - |k_i|^2}}

    at K = -1 (Gulcehre et al. 2019, "Hyperbolic attention networks"; Ungar 2005). Since
    :math:`\gamma_i` is the time part of the point on the hyperboloid and :math:`\gamma_i k_i` its
    space part, this *is* the Lorentz centroid with the same weights, and is computed as such: in
    Klein coordinates points are lost twice as early. Arguments, result and errors as in
    :func:`lorentz_centroid`; hyperbolic models only.

    Raises:
        TypeError: a space that is not hyperbolic.
    """
    manifold = hyperbolic("einstein_midpoint", manifold)
    return lorentz_centroid(manifold, x, weights)


def gyromidpoint(manifold: Manifold, x: ArrayLike, weights: ArrayLike | None = None) -> Tensor:
    r"""The Möbius gyromidpoint of points x_i of the ball.

    .. math:: m = \tfrac12\otimes\frac{\sum_i w_i\lambda_i x_i}{\sum_i w_i(\lambda_i - 1)},\qquad
              \lambda_i = \frac{2}{1 - |x_i|^2}

    at K = -1 (Ungar 2010, "Barycentric calculus in Euclidean and hyperbolic geometry"; geoopt's
    ``weighted_midpoint`` is this). :math:`\lambda_i x_i` is the point's space part on the
    hyperboloid and :math:`\lambda_i - 1` its time part, and :math:`\frac12\otimes` goes from Klein
    to Poincaré coordinates: it *is* the Lorentz centroid with the same weights, and is computed as
    such. Arguments, result and errors as in :func:`lorentz_centroid`; hyperbolic models only.

    Raises:
        TypeError: a space that is not hyperbolic.
    """
    manifold = hyperbolic("gyromidpoint", manifold)
    return lorentz_centroid(manifold, x, weights)


def _on_hyperboloid(x: Tensor, w: Tensor) -> Tensor:
    """From space parts (..., k, n)."""
    time = (1 + dot(x, x)).sqrt()
    total = (w * x).sum(-2)
    axis, length = normalize(total)
    e = axis.unsqueeze(-2)
    along = dot(x, e)
    # x_t - x.e with x_t^2 = 1 + |x|^2: over the sum where that is positive.
    across = x - along * e
    ahead = along > 0
    less = (1 + dot(across, across)) / (time + along).where(ahead, 1.0)
    less = torch.where(ahead, less, time - along)
    square = ((w * time).sum(-2) + length) * (w * less).sum(-2)
    return lift(total / square.sqrt())


def _on_ball(x: Tensor, w: Tensor) -> Tensor:
    """The hyperboloid's space part is 2x/(1 - |x|^2), its time part 2/(1 - |x|^2) - 1."""
    # (1 - |x|)(1 + |x|), and not below what the rounding of |x| can bring it to.
    length = normalize(x)[1]
    gap = ((1 - length) * (1 + length)).clamp(min=torch.finfo(x.dtype).eps)
    space = (2 * w / gap * x).sum(-2)
    time = (w * (1 + dot(x, x)) / gap).sum(-2)
    axis, size = normalize(space)
    # x_t - x_s.e = |x - e|^2/(1 - |x|^2) for a unit vector e; 1 + |x|^2 over the gap for e = 0.
    apart = x - axis.unsqueeze(-2)
    less = torch.where(size > 0, (w * dot(apart, apart) / gap).sum(-2), time)
    return space / (time + ((time + size) * less).sqrt())
