r"""Lower bounds of mutual information from the scores of a batch of pairs.

``scores[i, j]`` = f(x_i, y_j) of a critic f, for a batch of B independent pairs: the diagonal is
drawn from the joint law, everything else from the product of the marginals. Each bound is at most
the mutual information I(X; Y) in expectation (Donsker and Varadhan's up to a bias of order 1/B),
for any critic, and says at which critic it is tight; r is the ratio p(x, y)/(p(x) p(y)). Results
are in nats and to be maximised: a loss is minus one of them. A geometric critic is
:func:`pairwise_logits`.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional

from ..common import in_float32


def info_nce_bound(scores: Tensor) -> Tensor:
    r""":math:`\frac1B\sum_i\log\frac{e^{f_{ii}}}{\frac1B\sum_j e^{f_{ij}}}` (van den Oord et al.
    2018; Poole et al. 2019).

    At most log B whatever the information is. Best at f = log r + any function of x alone, where it
    falls short of I by at most log(1 + chi^2/B), chi^2 = E[r] - 1 under the joint law.

    Args:
        scores: (B, B).

    Returns:
        A scalar in float32 (float64 for float64 scores).
    """
    diagonal, scores = _split("info_nce_bound", scores, 1)
    # The mean of e^f over a row is e^logsumexp / B, whence log B.
    return (diagonal - scores.logsumexp(1)).mean() + math.log(len(scores))


def nwj_bound(scores: Tensor) -> Tensor:
    r""":math:`E_{joint}[f] - E_{product}[e^{f-1}]` (Nguyen, Wainwright & Jordan 2010; Poole et al.
    2019).

    An unbiased estimate of its bound; tight at f = 1 + log r. Its variance grows as e^I.

    Args:
        scores: (B, B), B >= 2.
    """
    diagonal, scores = _split("nwj_bound", scores, 2)
    return diagonal.mean() - (_log_mean_off_diagonal(scores) - 1).exp()


def donsker_varadhan_bound(scores: Tensor) -> Tensor:
    r""":math:`E_{joint}[f] - \log E_{product}[e^f]` (Donsker & Varadhan 1983; Belghazi et al.
    2018).

    Tight at f = log r + any constant. The logarithm of a sample's mean is too small on average:
    the estimate is biased upwards, by half the relative variance of that mean to first order.

    Args:
        scores: (B, B), B >= 2.
    """
    diagonal, scores = _split("donsker_varadhan_bound", scores, 2)
    return diagonal.mean() - _log_mean_off_diagonal(scores)


def jensen_shannon_bound(scores: Tensor) -> Tensor:
    r""":math:`\log 2 - \frac12 E_{joint}[\mathrm{sp}(-f)] - \frac12 E_{product}[\mathrm{sp}(f)]`.

    The f-GAN bound (Nowozin et al. 2016; Hjelm et al. 2019, up to an affine map) of the
    Jensen-Shannon divergence of the joint law and the product, sp(t) = log(1 + e^t): not of the
    mutual information, but maximal at the same critics. An unbiased estimate; at most log 2; tight
    at f = log r.

    Args:
        scores: (B, B), B >= 2.
    """
    diagonal, scores = _split("jensen_shannon_bound", scores, 2)
    # All pairs but those of the diagonal are drawn from the product of the marginals.
    # They are summed and not picked out: how many a mask has, a GPU would be asked.
    number = len(scores) * (len(scores) - 1)
    off = functional.softplus(scores).where(_off_diagonal(scores), 0.0).sum() / number
    return math.log(2) - (functional.softplus(-diagonal).mean() + off) / 2


def _split(where: str, scores: Tensor, least: int) -> tuple[Tensor, Tensor]:
    (scores,) = in_float32(where, scores=scores)
    if scores.ndim != 2 or scores.shape[0] != scores.shape[1] or len(scores) < least:
        raise ValueError(
            f"{where}: scores have shape {tuple(scores.shape)}; expected (B, B) with B >= {least}."
        )
    return scores.diagonal(), scores


def _off_diagonal(scores: Tensor) -> Tensor:
    return ~torch.eye(len(scores), dtype=torch.bool, device=scores.device)


def _log_mean_off_diagonal(scores: Tensor) -> Tensor:
    number = len(scores) * (len(scores) - 1)
    # The mean of e^f is taken by log-sum-exp: a score of 90 has no exponential in float32.
    masked = scores.where(_off_diagonal(scores), -torch.inf)
    return masked.flatten().logsumexp(0) - math.log(number)
