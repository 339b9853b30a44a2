"""Pairs of uncertain points: PCME++'s closed-form distance and its matching loss, on any manifold.

Chun 2024, "Improved Probabilistic Image-Text Representations" (arXiv 2305.18171). A picture or a
caption is a wrapped normal law: a mean point and variances of the components in the orthonormal
frame carried to it from the origin, of :class:`spaceforms.distributions.WrappedNormal`.
"""

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from ...manifolds import Euclidean, Manifold, Product
from ...manifolds.checks import (
    check_broadcast,
    check_coordinates,
    check_integer,
    check_number,
    check_real,
    check_tensor,
)
from ...manifolds.kernels.arithmetic.vectors import normalize, sqrt0
from ...manifolds.operations.radial_frame import components, from_components
from ..common import (
    Reduction,
    check_manifold,
    check_option,
    check_reduction,
    check_scalar,
    in_float32,
    reduce,
)


def sampled_sqdist(
    mean_x: Tensor,
    var_x: Tensor,
    mean_y: Tensor,
    var_y: Tensor,
    *,
    manifold: Manifold,
    method: Literal["second_order", "monte_carlo"] = "second_order",
    samples: int = 16,
    generator: torch.Generator | None = None,
) -> Tensor:
    r"""Expected squared distance of two independent wrapped normal points.

    With :math:`X = \exp_x u`, :math:`Y = \exp_y v`, u and v normal with diagonal covariances
    :math:`\Sigma_x, \Sigma_y`, and d = d(x, y), to second order in the standard deviations

    .. math:: E\,d^2(X, Y) = d^2 + \mathrm{tr}\,\Sigma_x + \mathrm{tr}\,\Sigma_y
              + (c(d) - 1)\bigl(\mathrm{tr}\,\Sigma_x - e^\top\Sigma_x e
              + \mathrm{tr}\,\Sigma_y - f^\top\Sigma_y f\bigr) + O(\sigma^4),

    e at x and f at y the unit vectors towards each other: half the Hessian of :math:`d^2` in one
    point is 1 along the geodesic and :math:`c(d) = d\,\mathrm{cs}_K(d)/\mathrm{sn}_K(d)` across
    (Karcher 1977, appendix C); odd orders vanish, u and v being symmetric and independent. On
    Euclidean space c = 1 and the formula, then Chun's, is exact. Across short
    distances c - 1 is about :math:`-K d^2/3`.

    The result is kept between :math:`(d - s)^2` (0 if s > d) and :math:`(d + s)^2`,
    :math:`s = \sqrt{\mathrm{tr}\,\Sigma_x} + \sqrt{\mathrm{tr}\,\Sigma_y}`, which the true value
    never leaves by the triangle inequality. That matters for wide laws and near the antipodes of a
    sphere, where :math:`d^2` has no second derivative and c goes to minus infinity.

    Args:
        mean_x, mean_y: points (..., m); leading axes broadcast, so (B, 1, m) and (C, m) are all
            pairs.
        var_x, var_y: variances >= 0, (..., n), or (..., 1) for one of all components, which spares
            the directions e and f.
        manifold: the space.
        method: ``"second_order"`` as above, or ``"monte_carlo"``: the mean over sampled pairs,
            unbiased at any variance and differentiable in means and variances.
        samples: number of pairs of points for ``"monte_carlo"``.
        generator: of those; torch's own if None.

    Returns:
        (...), in float32 (float64 for float64 inputs).

    Raises:
        TypeError: second order on a :class:`Product`, which has no one c: take the sum over its
            factors, or sample.
        ValueError: shapes that do not fit.
    """
    where = "sampled_sqdist"
    check_option(where, "method", method, ("second_order", "monte_carlo"))
    check_integer(where, "samples", samples, 1)
    check_manifold(where, manifold)
    # in_float32 is called for its checks first: the shapes below are those of tensors.
    in_float32(where, mean_x=mean_x, var_x=var_x, mean_y=mean_y, var_y=var_y)
    means = [("mean_x", mean_x), ("mean_y", mean_y)]
    check_coordinates(where, means, manifold.ambient_dim(0) + 1)
    n = mean_x.shape[-1] - manifold.ambient_dim(0)
    for name, var in (("var_x", var_x), ("var_y", var_y)):
        if var.ndim < 1 or var.shape[-1] not in (1, n):
            raise ValueError(
                f"{where}: {name} has shape {tuple(var.shape)}; expected (..., 1) or (..., {n}), "
                "the last axis that of the components of a tangent vector."
            )
        of = mean_x if name == "var_x" else mean_y
        check_broadcast(where, name, var, var.shape[:-1], of.shape[:-1])
    mean_x, var_x, mean_y, var_y = in_float32(
        where, mean_x=mean_x, var_x=var_x, mean_y=mean_y, var_y=var_y
    )
    if method == "monte_carlo":
        x = _samples(manifold, mean_x, var_x, n, samples, generator)
        y = _samples(manifold, mean_y, var_y, n, samples, generator)
        return _mean_over_samples(manifold, x, y)
    if isinstance(manifold, Product):
        raise TypeError(
            f"{where}: manifold is {manifold!r} with method 'second_order'; expected one space "
            "form (its factors one by one), or method 'monte_carlo'."
        )
    # The letters of the docstring: total_x is tr Sigma_x, `excess` is c(d) - 1.
    total_x, total_y = _trace(var_x, n), _trace(var_y, n)
    square = manifold.sqdist(mean_x, mean_y)
    if isinstance(manifold, Euclidean):
        return square + total_x + total_y
    radius = manifold.radius
    # _hessian_across is c(d) at unit curvature, of the squared distance in radii.
    excess = manifold._hessian_across((square / radius**2)[..., None]).squeeze(-1) - 1
    across_x = total_x - _along(manifold, mean_x, mean_y, var_x)
    across_y = total_y - _along(manifold, mean_y, mean_x, var_y)
    result = square + total_x + total_y + excess * (across_x + across_y)
    # The second order has no bound of its own: with wide laws, or near an antipode where c is -inf,
    # it would be negative. The true value stays between these two (docstring).
    d, s = sqrt0(square), sqrt0(total_x) + sqrt0(total_y)
    return result.maximum((d - s).relu() ** 2).minimum((d + s) ** 2)


def match_probability(sqdist: Tensor, *, scale: Tensor | float, shift: Tensor | float) -> Tensor:
    r"""Probability that two laws belong together, :math:`\sigma(-a\,d^2 + b)` (Chun 2024).

    Args:
        sqdist: of :func:`sampled_sqdist`, any shape.
        scale: a > 0.
        shift: b; a and b start at 5 in the paper.
    """
    where = "match_probability"
    check_tensor(where, "sqdist", sqdist)
    check_scalar(where, "scale", scale)
    check_scalar(where, "shift", shift)
    return torch.sigmoid(shift - scale * sqdist)


def match_probability_loss(
    sqdist: Tensor,
    *,
    scale: Tensor | float,
    shift: Tensor | float,
    positives: Tensor | None = None,
    pseudo_weight: float = 0.1,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Binary cross entropy of :func:`match_probability` over all pairs, with pseudo-positives.

    The cross entropy with the positives, plus ``pseudo_weight`` times that in which all pairs also
    count as positive that :func:`pseudo_positives` finds along rows, and the same along columns:
    what is nearer than the true partner may be another true one that nobody labelled (Chun 2024).
    The paper's regulariser of the variances is not part of this.

    Args:
        sqdist: (B, C), of all pairs.
        scale, shift: a and b of :func:`match_probability`.
        positives: (B, C) bool; None for the diagonal, B = C.
        pseudo_weight: 0 leaves pseudo-positives out.
        reduction: ``"mean"`` over pairs, ``"sum"`` or ``"none"``: (B, C).
    """
    where = "match_probability_loss"
    check_reduction(where, reduction)
    check_number(where, "pseudo_weight", pseudo_weight)
    check_tensor(where, "sqdist", sqdist)
    check_scalar(where, "scale", scale)
    check_scalar(where, "shift", shift)
    if positives is not None:
        check_real(where, "positives", positives)
    if sqdist.ndim != 2 or (positives is None and sqdist.shape[0] != sqdist.shape[1]):
        raise ValueError(
            f"{where}: sqdist has shape {tuple(sqdist.shape)} with positives "
            f"{'None' if positives is None else 'given'}; expected (B, C), and B = C without."
        )
    (sqdist,) = in_float32(where, sqdist=sqdist)
    if positives is None:
        positives = torch.eye(len(sqdist), dtype=torch.bool, device=sqdist.device)
    if positives.shape != sqdist.shape:
        raise ValueError(
            f"{where}: positives have shape {tuple(positives.shape)}; expected that of sqdist, "
            f"{tuple(sqdist.shape)}."
        )
    logits = shift - scale * sqdist
    loss = _binary(logits, positives)
    if pseudo_weight:
        rows = pseudo_positives(-sqdist, positives)
        columns = pseudo_positives(-sqdist.T, positives.T).T
        loss = loss + pseudo_weight * (_binary(logits, rows) + _binary(logits, columns))
    return reduce(loss, None, reduction)


@torch.no_grad()
def pseudo_positives(similarity: Tensor, positives: Tensor) -> Tensor:
    """The positives, and what is as similar to its row as the best of them: (B, C) bool.

    A row without positives gets none.

    Args:
        similarity: (B, C), larger is nearer.
        positives: (B, C) bool.
    """
    check_tensor("pseudo_positives", "similarity", similarity)
    check_real("pseudo_positives", "positives", positives)
    if similarity.ndim != 2 or positives.shape != similarity.shape:
        raise ValueError(
            f"pseudo_positives: similarity has shape {tuple(similarity.shape)} and positives "
            f"{tuple(positives.shape)}; expected one shape (B, C)."
        )
    positives = positives.bool()
    # A row without positives has best = -inf, which everything reaches: so the last condition.
    best = similarity.masked_fill(~positives, -torch.inf).amax(1, keepdim=True)
    return positives | ((similarity >= best) & positives.any(1, keepdim=True))


def _binary(logits: Tensor, matched: Tensor) -> Tensor:
    return functional.binary_cross_entropy_with_logits(
        logits, matched.to(logits.dtype), reduction="none"
    )


def _trace(var: Tensor, n: int) -> Tensor:
    return var.sum(-1) if var.shape[-1] == n else n * var.squeeze(-1)


def _along(manifold: Manifold, x: Tensor, y: Tensor, var: Tensor) -> Tensor:
    """Variance at x in the direction of y; at x = y, where there is none, 0: nothing is lost, the
    factor of what is across is 0 there."""
    # With one variance for all components, any direction has that one.
    if var.shape[-1] == 1:
        return var.squeeze(-1)
    direction, _ = normalize(components(manifold, x, manifold.logmap(x, y)))
    return (var * direction**2).sum(-1)


def _samples(
    manifold: Manifold,
    mean: Tensor,
    var: Tensor,
    n: int,
    samples: int,
    generator: torch.Generator | None,
) -> Tensor:
    lead = torch.broadcast_shapes(mean.shape[:-1], var.shape[:-1])  # type: ignore[no-untyped-call]
    noise = torch.randn(
        samples, *lead, n, dtype=mean.dtype, device=mean.device, generator=generator
    )
    # sqrt0 has gradient 0 at 0, where the plain root has inf: a law of no width stays a point.
    v = sqrt0(var) * noise
    x = mean.expand(samples, *lead, mean.shape[-1])
    return manifold.expmap(x, from_components(manifold, x, v))


def _mean_over_samples(manifold: Manifold, x: Tensor, y: Tensor) -> Tensor:
    """Samples lead on both sides; the axes behind them broadcast from the right."""
    axes = max(x.ndim, y.ndim)
    x, y = (z.reshape(z.shape[0], *[1] * (axes - z.ndim), *z.shape[1:]) for z in (x, y))
    return manifold.sqdist(x, y).mean(0)
