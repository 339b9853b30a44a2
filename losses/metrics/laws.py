"""Laws that a network predicts: how wide they are, and whether they hold their data."""

import torch
from torch import Tensor

from ...distributions import GeneralizedGaussian
from ...manifolds.checks import check_integer, check_tensor
from ..common import check_elementwise


def aleatoric_variance(scale: Tensor, shape: Tensor, *, log: bool = False) -> Tensor:
    r"""Variance :math:`a^2\,\Gamma(3/b)/\Gamma(1/b)` of generalized Gaussian laws: noise in data.

    (Upadhyay et al. 2023, "ProbVLM", eq. 9.) By logarithms, since :math:`\Gamma(3/b)` is beyond
    float32 from b = 0.086 down.

    Args:
        scale, shape: a and b (...), broadcasting.
        log: give the logarithm, which is finite at any shape.

    Returns:
        (...) in the dtype of the inputs.
    """
    where = "aleatoric_variance"
    check_tensor(where, "scale", scale)
    check_tensor(where, "shape", shape)
    check_elementwise(where, scale=scale, shape=shape)
    # The variance does not depend on the mean; the law wants one.
    law = GeneralizedGaussian(torch.zeros_like(scale), scale, shape, validate_args=False)
    return law.log_variance if log else law.variance


def epistemic_variance(samples: Tensor, *, correction: int = 0) -> Tensor:
    r"""Variance over Monte-Carlo passes, of each item alone: doubt about the model.

    :math:`\frac1M\sum_m(\hat z_m - \bar z)^2` (Upadhyay et al. 2023, eq. 9; Gal & Ghahramani 2016).

    Args:
        samples: (M, ...), the passes in the first axis.
        correction: 0 as in the paper; 1 for the unbiased estimate.

    Returns:
        (...), computed in float32 or better.

    Raises:
        ValueError: fewer passes than correction + 1.
    """
    check_tensor("epistemic_variance", "samples", samples)
    check_integer("epistemic_variance", "correction", correction, 0)
    if samples.ndim == 0 or samples.shape[0] <= correction:
        raise ValueError(
            f"epistemic_variance: samples have shape {tuple(samples.shape)}; expected (M, ...) "
            f"with at least {correction + 1} passes."
        )
    # A variance is a sum of small squares: in bfloat16, of 3 digits, it would be one of roundings.
    wide = samples.to(torch.promote_types(samples.dtype, torch.float32))
    return wide.var(0, correction=correction).to(samples.dtype)


def pit(x: Tensor, loc: Tensor, scale: Tensor, shape: Tensor) -> Tensor:
    """Probability integral transform: the chance F(x) of less, under generalized Gaussian laws.

    Uniform on [0, 1] where the laws are those of the data (Dawid 1984; Gneiting et al. 2007).
    Shapes: all (...), broadcasting.
    """
    given = {"x": x, "loc": loc, "scale": scale, "shape": shape}
    for name, value in given.items():
        check_tensor("pit", name, value)
    check_elementwise("pit", **given)
    return GeneralizedGaussian(loc, scale, shape, validate_args=False).cdf(x)


def interval_coverage(chances: Tensor, levels: Tensor) -> Tensor:
    """Share of data inside of the central intervals of given probabilities.

    Args:
        chances: :func:`pit` of the data (...).
        levels: probabilities of the intervals (L,), such as 0.5 and 0.9.

    Returns:
        (L,), float64: equal to ``levels`` for right laws, below for laws too narrow.

    Raises:
        ValueError: no data, or chances or levels outside of [0, 1].
    """
    for name, x in (("chances", chances), ("levels", levels)):
        check_tensor("interval_coverage", name, x)
        inside = (x >= 0) & (x <= 1)
        if not x.numel() or not inside.all():
            got = f"{x[~inside][0].item():g}" if x.numel() else "nothing"
            raise ValueError(f"interval_coverage: {name} hold {got}; expected numbers in [0, 1].")
    # The central interval of probability p is where |2F - 1| <= p.
    width = (2 * chances.double().flatten() - 1).abs()
    inside = width.unsqueeze(-1) <= levels.double().flatten()
    return inside.double().mean(0)
