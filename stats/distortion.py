"""What bringing points to another space does to them."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from ..manifolds import Manifold
from ..manifolds.checks import ArrayLike, check_coordinates, to_tensor
from ..manifolds.manifold_checks import check_manifold
from ._frame import in_radii
from ._rows import Distances, blocks, rows_of
from ._sets import enter

_PAIRS = 20_000


class Distortion(NamedTuple):
    """What a map of points did to their distances, those of each space in units of its R."""

    relative: float
    """Mean over pairs of abs(new/true - 1); 0 for an isometry."""
    rank_correlation: float
    """Spearman's correlation of new and true distances; 1 for a monotone map of distances."""
    variance_kept: float
    """The new points' Fréchet variance over the true ones'; above 1 if the map spreads them."""


@torch.no_grad()
def distortion(
    x: ArrayLike, y: ArrayLike, *, manifold: Manifold, image: Manifold | None = None
) -> Distortion:
    """Compare points with what became of them.

    Over all pairs, or over 20,000 of them drawn with a fixed seed where there are more. Pairs of
    coincident points of x, which have no relative error, are left out; with none left there is no
    distortion.

    Args:
        x: (N, m), points of ``manifold``.
        y: (N, m'), the same points on ``image``, the manifold itself if None. It may have another
            dimension, model or curvature.

    Raises:
        ValueError: no points, or two numbers of points.
    """
    x, y = to_tensor("distortion", "x", x), to_tensor("distortion", "y", y)
    image = manifold if image is None else image
    relative, correlation = of_pairs(x, y, manifold=manifold, image=image)
    true = _in_radii(manifold, x)
    # Of equal points the mean is one of them but for rounding, which is no variance.
    varied = true > 0 and bool((x != x[:1]).any())
    kept = float(_in_radii(image, y) / true) if varied else 1.0
    return Distortion(relative, correlation, kept)


class WorstDistortion(NamedTuple):
    """The worst that a map did to a distance, either way."""

    distortion: float
    """expansion * contraction; 1 for an isometry and for a change of scale."""
    expansion: float
    """The largest new/true."""
    contraction: float
    """The largest true/new; infinite where two different points became one."""


@torch.no_grad()
def worst_distortion(
    true: Distances,
    new: Distances,
    *,
    manifold: Manifold | None = None,
    count: int | None = None,
    points: ArrayLike | None = None,
) -> WorstDistortion:
    r"""The multiplicative distortion :math:`\max_{ij} \frac{d'_{ij}}{d_{ij}} \cdot \max_{ij}
    \frac{d_{ij}}{d'_{ij}}` of a map, over all pairs, in blocks of about two million distances.

    It does not change when either metric is multiplied by a number (Sala et al. 2018, section 2).
    Pairs at true distance 0, or at an infinite one (of two components of a graph), are left out;
    without any other the map is an isometry.

    Args:
        true: (n, n), or a function that for indices (B,) gives their distances from all, (B, n).
        new: likewise, or points (n, m) of ``manifold``.
        manifold: the space of the new points.
        count: n, where ``true`` is a function.
        points: (k,) indices; pairs of these and all others are looked at, not all pairs.

    Raises:
        TypeError, ValueError: no such tables, or of two numbers of points.

    >>> import torch
    >>> line = torch.tensor([[0.0, 1, 3], [1, 0, 2], [3, 2, 0]])
    >>> star = torch.tensor([[0.0, 1, 3], [1, 0, 4], [3, 4, 0]])
    >>> worst_distortion(line, star)
    WorstDistortion(distortion=2.0, expansion=2.0, contraction=1.0)
    """
    where = "worst_distortion"
    before, count = rows_of(where, "true", true, None, count, metric=False)
    after, other = rows_of(where, "new", new, manifold, count, metric=False)
    if other != count:
        raise ValueError(f"{where}: true has {count} points and new {other}; expected as many.")
    points = torch.arange(count) if points is None else to_tensor(where, "points", points)
    expansion, contraction = 0.0, 0.0
    for block in blocks(points, count):
        d, image = before(block), after(block)
        apart = (d > 0) & d.isfinite()
        if bool(apart.any()):
            ratio = image[apart] / d[apart]
            expansion = max(expansion, float(ratio.max()))
            contraction = max(
                contraction, 1 / least if (least := float(ratio.min())) else torch.inf
            )
    if not contraction:
        return WorstDistortion(1.0, 1.0, 1.0)
    worst = torch.inf if contraction == torch.inf else expansion * contraction
    return WorstDistortion(worst, expansion, contraction)


def frechet_variance(
    manifold: Manifold,
    x: ArrayLike,
    weights: ArrayLike | None = None,
    *,
    mean: ArrayLike | None = None,
) -> Tensor:
    r"""The mean squared distance from the Fréchet mean, :math:`\sum_i w_i\,d(m, x_i)^2`.

    Args:
        manifold: the space.
        x: points (..., k, m).
        weights: (..., k), as in :meth:`Manifold.mean`; here too they are divided by their sum.
        mean: (..., m), another point instead of the mean.

    Returns:
        (...). 0 for one point.
    """
    where = "frechet_variance"
    x, weights = to_tensor(where, "x", x), to_tensor(where, "weights", weights)
    _, w, _ = enter(where, manifold, x, weights)
    mean = manifold.mean(x, weights) if mean is None else to_tensor(where, "mean", mean)
    check_coordinates(where, [("x", x[..., 0, :]), ("mean", mean)], 1)
    return (w.squeeze(-1) * manifold.sqdist(mean.unsqueeze(-2), x)).sum(-1)


def _in_radii(manifold: Manifold, x: Tensor) -> Tensor:
    return in_radii(manifold, in_radii(manifold, frechet_variance(manifold, x.double())))


@torch.no_grad()
def of_pairs(x: Tensor, y: Tensor, *, manifold: Manifold, image: Manifold) -> tuple[float, float]:
    """The first two of ``distortion``, which need no mean."""
    for space in (manifold, image):
        check_manifold("distortion", space)
    check_coordinates("distortion", [("x", x)], manifold.ambient_dim(1))
    check_coordinates("distortion", [("y", y)], image.ambient_dim(1))
    if x.ndim != 2 or y.ndim != 2 or len(x) != len(y) or not len(x):
        raise ValueError(
            f"distortion: x has shape {tuple(x.shape)} and y {tuple(y.shape)}; expected (N, m) and "
            "(N, m'), N > 0."
        )
    i, j = pairs(len(x))
    true = in_radii(manifold, manifold.dist(x[i], x[j]).double())
    drawn = in_radii(image, image.dist(y[i], y[j]).double())
    apart = ~(true <= 0)  # NaN too, which is to be seen
    true, drawn = true[apart], drawn[apart]
    if not len(true):
        return 0.0, 1.0
    relative = float((drawn / true - 1).abs().mean())
    return relative, _correlation(_ranks(true), _ranks(drawn))


def pairs(count: int) -> tuple[Tensor, Tensor]:
    """Indices of all pairs, or of 20,000 drawn with a fixed seed."""
    if count * (count - 1) // 2 <= _PAIRS:
        i, j = torch.triu_indices(count, count, 1)
        return i, j
    # Two different ends: j is i moved on by 1 to count - 1 places.
    generator = torch.Generator().manual_seed(0)
    i = torch.randint(count, (_PAIRS,), generator=generator)
    return i, (i + torch.randint(1, count, (_PAIRS,), generator=generator)) % count


def _ranks(values: Tensor) -> Tensor:
    """Ranks, equal values sharing the mean of theirs."""
    _, inverse, counts = torch.unique(values, return_inverse=True, return_counts=True)
    means: Tensor = counts.cumsum(0) - (counts - 1) / 2
    return means[inverse].double()


def _correlation(a: Tensor, b: Tensor) -> float:
    a, b = a - a.mean(), b - b.mean()
    size = float(a.norm() * b.norm())
    return float(a @ b) / size if not size <= 0 else 1.0
