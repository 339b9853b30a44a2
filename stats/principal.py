"""Principal components of points: in the tangent space at the mean, and of exact projections."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from ..manifolds import Manifold
from ..manifolds.checks import ArrayLike, check_coordinates, check_tensor, to_tensor
from ..manifolds.kernels.arithmetic.vectors import normalize
from ..manifolds.manifold_checks import check_manifold, check_one
from ..manifolds.operations.isometries_of_products import product_of
from ..manifolds.space_form import times
from ._ascent import greatest
from ._foot import coordinates, distance
from ._frame import (
    check_components,
    check_sample,
    from_frame,
    in_radii,
    to_frame,
    upright,
    vectors_of_frame,
)
from ._sets import enter


@dataclass(frozen=True, eq=False)
class PrincipalGeodesics:
    """A mean, and the directions from it in which points vary most.

    What :func:`tangent_pca` and :func:`pga` return. The first j directions span a geodesic
    submanifold through the mean, a copy of the j-dimensional space of the same curvature.
    """

    manifold: Manifold
    mean: Tensor
    """(m,)."""
    axes: Tensor
    """The directions (k, n), orthonormal, in the orthonormal frame carried from the origin."""
    variances: Tensor
    """(k,): what each direction explains of ``total_variance``. The mean square of its scores for
    :func:`tangent_pca`, the decrease of the mean squared distance from the submanifold for
    :func:`pga`; all n of them add up to the whole."""
    total_variance: Tensor
    """(): the mean squared distance of the points from the mean."""
    exact: bool
    """Whether scores are those of the nearest points (:func:`pga`), or of the logarithms."""

    @property
    def components(self) -> Tensor:
        """The directions as tangent vectors at the mean, (k, m), orthonormal in its metric."""
        return vectors_of_frame("components", self.manifold, self.mean, self.axes)

    @property
    def explained_variance_ratio(self) -> Tensor:
        """``variances`` over ``total_variance``, (k,); 0 where there is no variance."""
        some = self.total_variance > 0
        return torch.where(some, self.variances / self.total_variance.where(some, 1.0), 0.0)

    def transform(self, x: ArrayLike) -> Tensor:
        """Scores of points: (..., m) -> (..., k), signed lengths along the directions.

        If ``exact``, the normal coordinates of the nearest point of the submanifold; otherwise
        the components of log_mean(x), whose square adds up to at most d(mean, x)^2. They agree
        for points of the submanifold, on Euclidean space, and to third order near the mean.
        """
        x = to_tensor("transform", "x", x)
        v = to_frame("transform", self.manifold, self.mean, x)
        scores = coordinates(self.manifold, v, self.axes.to(v.dtype), self.exact)
        return times(scores, self.manifold._radius_in(v.dtype), 1).to(x.dtype)

    def inverse_transform(self, scores: ArrayLike) -> Tensor:
        """The points of the submanifold with given scores: (..., k) -> (..., m)."""
        scores = to_tensor("inverse_transform", "scores", scores)
        check_tensor("inverse_transform", "scores", scores)
        if scores.shape[-1:] != self.axes.shape[:1]:
            raise ValueError(
                f"inverse_transform: scores have shape {tuple(scores.shape)}; expected "
                f"(..., {len(self.axes)}), one for each component."
            )
        v = in_radii(self.manifold, scores) @ self.axes.to(scores.dtype)
        return from_frame("inverse_transform", self.manifold, self.mean, v)

    def project(self, x: ArrayLike) -> Tensor:
        """The points of the submanifold with the scores of x: (..., m) -> (..., m).

        If ``exact`` these are the nearest points of it. The other ones are not: they lie at the
        foot of a perpendicular in the tangent space, which far out is another point.
        """
        return self.inverse_transform(self.transform(x))


@torch.no_grad()
def tangent_pca(
    manifold: Manifold,
    x: ArrayLike,
    n_components: int,
    weights: ArrayLike | None = None,
    *,
    mean: ArrayLike | None = None,
) -> PrincipalGeodesics:
    r"""Principal components of the logarithms of points at their mean.

    The eigenvectors of :math:`\sum_i w_i\log_\mu(x_i)\log_\mu(x_i)^T` in an orthonormal frame at
    the mean :math:`\mu` (Fletcher et al. 2004, "Principal geodesic analysis", algorithm 2, where it
    is the approximation of :func:`pga`). Closed, fast, and blind to how geodesics spread: of far
    points it overestimates what lies across.

    Args:
        manifold: the space. On a :class:`Product`, under its l2 metric and with its weights, a
            direction may have parts in several factors.
        x: points (N, m).
        n_components: k, at most the dimension and the number of points.
        weights: (N,), non-negative with a positive sum; equal if None.
        mean: (m,), another centre; the Fréchet mean if None.

    Returns:
        Nothing of it is differentiable in x; its methods are in their arguments. An axis has no
        sign of its own: its largest coordinate is positive. Where several directions have equal
        variance any basis of them is as good, and one is returned.

    Raises:
        ValueError: no points, weights that do not fit, or too many components.
        NotImplementedError: a product under another metric than l2.
    """
    check_manifold("tangent_pca", manifold)
    if manifold._family == "product":
        product_of(manifold)._needs_l2("tangent_pca")
    mean, v, w, dtype = _centred("tangent_pca", manifold, x, n_components, weights, mean)
    axes = tangent_axes(v, w)[:n_components]
    return _result(manifold, mean, v, w, axes, False, dtype)


@torch.no_grad()
def pga(
    manifold: Manifold,
    x: ArrayLike,
    n_components: int,
    weights: ArrayLike | None = None,
    *,
    mean: ArrayLike | None = None,
) -> PrincipalGeodesics:
    r"""Principal geodesic analysis: geodesic submanifolds that pass nearest to the points.

    .. math:: v_j = \arg\min_{|v|=1,\,v\perp v_1,\dots,v_{j-1}}
              \sum_i w_i\,d\bigl(x_i, S(v_1,\dots,v_{j-1},v)\bigr)^2

    S(V) the geodesic submanifold through the mean that V spans (Fletcher et al. 2004; without their
    linearisation, as Sommer et al. 2010, "Manifold valued statistics, exact principal geodesic
    analysis and the effect of linear approximations"). Of the two definitions in use, the least
    distance and the greatest variance of the projections, the first is taken: on the sphere a point
    a quarter of a turn away projects anywhere, and the second seeks such points.

    On a space form the nearest point of S needs no iteration: it is the orthogonal projection in
    the embedding space, and its distance the side of a right triangle, :math:`\sinh h = \sinh r
    \sin\varphi` (sin on the sphere). On a :class:`Product` S(V) is no geodesic submanifold, and the
    analysis is refused. Each direction is found by LBFGS from the best of those of
    :func:`tangent_pca`: a local minimum, never worse than that.

    Arguments, result and errors as in :func:`tangent_pca`.
    """
    why = "what directions in several factors span is not a geodesic submanifold; see tangent_pca"
    check_one("pga", manifold, why)
    mean, v, w, dtype = _centred("pga", manifold, x, n_components, weights, mean)
    tangent = tangent_axes(v, w)
    total = (w * v).mul(v).sum()
    axes = v.new_zeros(0, v.shape[-1])
    for _ in range(n_components):
        # What is left of the tangent axes. The squares of all these add up to at least 1.
        left = tangent - (tangent @ axes.mT) @ axes
        starts = normalize(left[left.square().sum(-1) > 1 / (2 * len(left))])[0]
        value = partial(_explained, manifold, v, w / total.where(total > 0, 1.0), axes)
        axes = torch.cat([axes, upright(_across(greatest(value, starts), axes)[None])])
    return _result(manifold, mean, v, w, axes, True, dtype)


def _across(q: Tensor, axes: Tensor) -> Tensor:
    """The unit vector along q's part across orthonormal axes."""
    for _ in range(2):  # once more for what rounding left of the other part
        q = q - (q @ axes.mT) @ axes
    return normalize(q)[0]


def _explained(manifold: Manifold, v: Tensor, w: Tensor, axes: Tensor, q: Tensor) -> Tensor:
    """The negative mean squared distance from the submanifold of axes and one more direction."""
    axes = torch.cat([axes, _across(q, axes)[None]])
    return -(w * distance(manifold, v, axes).square()).sum()


def _centred(
    where: str,
    manifold: Manifold,
    x: ArrayLike,
    n_components: int,
    weights: ArrayLike | None,
    mean: ArrayLike | None,
) -> tuple[Tensor, Tensor, Tensor, torch.dtype]:
    """The mean, normal coordinates about it in units of R and the weights (N, 1), in float64."""
    x, weights = to_tensor(where, "x", x), to_tensor(where, "weights", weights)
    _, w, call = enter(where, manifold, x, weights)
    check_sample(where, x, n_components)
    mean = manifold.mean(x, weights) if mean is None else to_tensor(where, "mean", mean)
    check_coordinates(where, [("x", x[0]), ("mean", mean)], 1)
    v = to_frame(where, manifold, mean.double(), x.double())
    available = min(v.shape)
    check_components(where, n_components, available, "the dimension and the number of points")
    return mean, v, w.double(), call.dtype


def tangent_axes(v: Tensor, w: Tensor) -> Tensor:
    """Principal axes of vectors about 0, (min(N, n), n)."""
    axes: Tensor = torch.linalg.svd(w.sqrt() * v, full_matrices=False)[2]
    return upright(axes)


def _result(
    manifold: Manifold,
    mean: Tensor,
    v: Tensor,
    w: Tensor,
    axes: Tensor,
    exact: bool,
    dtype: torch.dtype,
) -> PrincipalGeodesics:
    square = torch.as_tensor(manifold._radius_in(torch.float64), dtype=torch.float64).square()
    total = (w * v.square()).sum()
    if exact:
        nested = [
            (w * distance(manifold, v, axes[: j + 1]).square()).sum() for j in range(len(axes))
        ]
        variances = -torch.stack([total, *nested]).diff()
    else:
        variances = (w * coordinates(manifold, v, axes, False).square()).sum(0)
    variances, total = (square * variances).to(dtype), (square * total).to(dtype)
    return PrincipalGeodesics(manifold, mean, axes.to(dtype), variances, total, exact)
