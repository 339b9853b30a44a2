"""Principal components by horospherical projections, on hyperbolic space."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from ..manifolds import Lorentz, Manifold
from ..manifolds.checks import ArrayLike, check_coordinates, check_tensor, to_tensor
from ..manifolds.kernels.arithmetic.vectors import dot, normalize, sqrt0
from ..manifolds.kernels.hyperboloid.points import lift
from ..manifolds.space_form import times
from ._ascent import greatest
from ._frame import check_components, check_sample, from_frame, to_frame
from ._sets import enter, hyperbolic
from .distortion import Distortion, distortion, pairs
from .principal import tangent_axes

_SPACE = Lorentz()


@dataclass(frozen=True, eq=False)
class HoroPCA:
    """What :func:`horopca` returns: ideal points, and what projecting along horospheres loses."""

    manifold: Manifold
    mean: Tensor
    """(m,), the base point."""
    ideal_points: Tensor
    """Unit vectors (k, n), directions from the mean in the frame carried from the origin."""
    distortion: Distortion
    """What :meth:`transform` did to the points that were fitted."""

    def transform(self, x: ArrayLike) -> Tensor:
        """The projections in the k-dimensional space of the same model: (..., m) -> (..., m').

        The mean becomes the origin, the first ideal point the end of the first coordinate axis.
        """
        x = to_tensor("transform", "x", x)
        v = to_frame("transform", self.manifold, self.mean, x)
        z, _, _ = _projected(_SPACE._from_normal(v)[..., 1:], self.ideal_points.to(v.dtype))
        v = times(_SPACE._to_normal(lift(z)), self.manifold._radius_in(v.dtype), 1)
        return self.manifold.from_normal(v.to(x.dtype))

    def project(self, x: ArrayLike) -> Tensor:
        """The projections as points of the space itself: (..., m) -> (..., m)."""
        x = to_tensor("project", "x", x)
        v = to_frame("project", self.manifold, self.mean, x)
        v = _project(v, self.ideal_points.to(v.dtype))
        return from_frame("project", self.manifold, self.mean, v).to(x.dtype)


@torch.no_grad()
def horopca(
    manifold: Manifold, x: ArrayLike, n_components: int, *, mean: ArrayLike | None = None
) -> HoroPCA:
    r"""Principal components of hyperbolic points that keep their distances along geodesics.

    Nearest points of a submanifold draw together, exponentially with the distance from it.
    Horospherical projections (:func:`horospherical_projection`) do not: they are isometries on
    every submanifold that they can turn into their target. One ideal point after the other is
    chosen for the greatest variance of the projections

    .. math:: \sigma^2(p_1, \dots, p_j) = \frac{1}{N^2}\sum_{i, i'}
              d\bigl(\pi_{p_1\dots p_j}(x_i),\,\pi_{p_1\dots p_j}(x_{i'})\bigr)^2

    given those before it (Chami, Gu, Nguyen & Ré 2021, "HoroPCA", with the
    base point at the Fréchet mean as there), by LBFGS from the best of plus and minus the
    directions of :func:`tangent_pca`. Over all pairs, or 20,000 of them drawn with a fixed seed.

    Args:
        manifold: :class:`Lorentz` or :class:`PoincareBall`.
        x: points (N, m).
        n_components: at most the dimension and the number of points.
        mean: (m,), another base point; the Fréchet mean if None.

    Returns:
        The variance is at a local maximum, at least that of the best start; points beyond the
        spine are folded back (see there), and ``distortion`` says what that cost.

    Raises:
        TypeError: a space that is not hyperbolic.
        ValueError: no points, or too many components.
    """
    manifold, x = hyperbolic("horopca", manifold), to_tensor("horopca", "x", x)
    _, w, call = enter("horopca", manifold, x, None)
    check_sample("horopca", x, n_components)
    mean = manifold.mean(x) if mean is None else to_tensor("horopca", "mean", mean)
    check_coordinates("horopca", [("x", x[0]), ("mean", mean)], 1)
    v = to_frame("horopca", manifold, mean.double(), x.double())
    check_components(
        "horopca", n_components, min(v.shape), "the dimension and the number of points"
    )
    s = _SPACE._from_normal(v)[..., 1:]
    axes = tangent_axes(v, w.double())
    i, j = pairs(len(x))
    one = torch.eye(len(axes), v.shape[-1], dtype=v.dtype)[:0]
    total = _variance(s, i, j)
    for _ in range(n_components):
        value = partial(_variance_with, s, i, j, total.where(total > 0, 1.0), one)
        starts = torch.cat([axes, -axes])
        one = torch.cat([one, greatest(value, starts)[None]])
    found = HoroPCA(manifold, mean, one.to(call.dtype), Distortion(0.0, 1.0, 1.0))
    lost = distortion(x, found.transform(x), manifold=manifold)
    return HoroPCA(manifold, mean, found.ideal_points, lost)


def horospherical_projection(manifold: Manifold, x: ArrayLike, ideal_points: ArrayLike) -> Tensor:
    r"""Points turned about the geodesic hull of ideal points into that of these and the origin.

    The target M is the geodesic submanifold through the origin that has the ideal points
    p_1, ..., p_k at infinity, of dimension k. The projection of x lies on every horosphere about
    some p_j on which x lies: it has the same Busemann functions. Two points of M do, mirror images
    in the hull of the p_j alone (the spine), which turning about it brings x to; the one nearer
    to the origin is meant (Chami et al. 2021). So M's points on the origin's side of
    the spine stay where they are, those beyond it are folded back, and no distance grows.

    On the hyperboloid at K = -1 a horosphere about p is where :math:`x_t - x_s\cdot p` is constant.
    With z the part of :math:`x_s` in M, :math:`\rho` the length of the rest and c the vector of M
    with :math:`c\cdot p_j = 1` for all j, the points of M on those of x are those
    :math:`z + \beta c` whose time part is :math:`x_t + \beta`, and the one meant has

    .. math:: \beta = \frac{-\rho^2}{A + \sqrt{A^2 + (|c|^2 - 1)\rho^2}},\qquad
              A = x_t - c\cdot z

    for A > 0, on the origin's side of the spine; beyond it the same root is
    :math:`(A - \sqrt{\cdot})/(|c|^2 - 1)`. For one ideal point |c| = 1: the spine is that point,
    and the result lies on the geodesic to it. Nothing here cancels, and ideal points may come
    together.

    Args:
        manifold: :class:`Lorentz` or :class:`PoincareBall`.
        x: points (..., m).
        ideal_points: (k, n), k <= n linearly independent directions from the origin, of any
            length: on the ball R p_j is the ideal point itself.

    Returns:
        (..., m), points of M. Differentiable in x and the ideal points, but at the fold.

    Raises:
        TypeError: a space that is not hyperbolic.
        ValueError: ideal points of another dimension, or more than that.
    """
    where = "horospherical_projection"
    manifold, x = hyperbolic(where, manifold), to_tensor(where, "x", x)
    ideal_points = to_tensor(where, "ideal_points", ideal_points)
    (x,), call = manifold._to_unit(where, [("x", x)])
    n = x.shape[-1] - manifold.ambient_dim(0)
    check_tensor(where, "ideal_points", ideal_points)
    if ideal_points.ndim != 2 or ideal_points.shape[1] != n or not 1 <= len(ideal_points) <= n:
        raise ValueError(
            f"{where}: ideal_points have shape {tuple(ideal_points.shape)}; expected (k, {n}) with "
            f"1 <= k <= {n}, for x of shape {tuple(x.shape)}."
        )
    v = manifold._to_normal(x)
    v = _project(v, normalize(ideal_points.to(v.dtype))[0])
    return manifold._from_unit_point(manifold._from_normal(v), call)


def _project(v: Tensor, ideal: Tensor) -> Tensor:
    """Normal coordinates of the projection, from those of a point: (..., n) -> (..., n)."""
    z, axes, _ = _projected(_SPACE._from_normal(v)[..., 1:], ideal)
    return _SPACE._to_normal(lift(z @ axes))


def _projected(s: Tensor, ideal: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Space parts (..., n) turned into M: coordinates (..., k) in axes (k, n) of M, and c."""
    factor, axes = _triangular(ideal)
    ones = torch.ones_like(factor[:, :1])
    c = torch.linalg.solve_triangular(factor, ones, upper=False).squeeze(-1)
    z = s @ axes.mT
    rest = s - z @ axes
    rest = rest - (rest @ axes.mT) @ axes  # what rounding left of the other part
    square = dot(rest, rest)
    first, others = z[..., :1], z[..., 1:]
    time = (1 + dot(s, s)).sqrt()
    # c's first component is 1: x_t - z_1 as a quotient where it would cancel.
    ahead = first > 0
    outer = (time + first).where(ahead, 1.0)
    near = torch.where(ahead, (1 + square + dot(others, others)) / outer, time - first)
    a = near - others @ c[1:, None]
    excess = c[1:].square().sum()  # |c|^2 - 1
    root = sqrt0(a.square() + excess * square)
    side = a > 0
    beyond = (a - root).where(~side, 0.0) / excess.where(excess > 0, 1.0)
    beta = torch.where(side, -square / (a + root).where(side, 1.0), beyond)
    return z + beta * c, axes, c


def _triangular(ideal: Tensor) -> tuple[Tensor, Tensor]:
    """ideal = L axes, L lower triangular: the first axis is the first ideal point."""
    # Not from the Gram matrix: points an angle apart would count as an angle squared apart.
    q, r = torch.linalg.qr(ideal.mT)
    sign = torch.where(r.diagonal() < 0, -1.0, 1.0)
    return r.mT * sign, q.mT * sign[:, None]


def _variance(z: Tensor, i: Tensor, j: Tensor) -> Tensor:
    points = lift(z)
    x, y = points[i], points[j]
    return _SPACE._sqdist(x, y).sum() / max(len(i), 1)


def _variance_with(
    s: Tensor, i: Tensor, j: Tensor, total: Tensor, ideal: Tensor, q: Tensor
) -> Tensor:
    """Variance of the projections with one more ideal point, over the variance of the points."""
    ideal = torch.cat([ideal, normalize(q)[0][None]])
    apart = _triangular(ideal.detach())[0].diagonal().amin() > torch.finfo(q.dtype).eps
    if not bool(apart):  # two ideal points in one: no projection
        return (q * 0).sum()
    return _variance(_projected(s, ideal)[0], i, j) / total
