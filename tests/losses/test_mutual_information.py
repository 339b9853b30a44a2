"""Bounds of mutual information on Gaussians, whose information and divergence are known."""

import math

import numpy as np
import pytest
import torch

from spaceforms.losses.functional import (
    donsker_varadhan_bound,
    info_nce_bound,
    jensen_shannon_bound,
    nwj_bound,
)

F64 = torch.float64
N, RHO = 8, 0.3  # below 1/3 the estimators' variances have finite variance
INFORMATION = -N / 2 * math.log(1 - RHO**2)
FAR = 5.0
"""Standard errors: a test that is right fails once in two million draws."""


def _log_ratio(rho, n, batch, seed):
    """log p(x, y)/(p(x) p(y)) of all pairs of a batch: the optimal critic."""
    draw = torch.Generator().manual_seed(seed)
    x = torch.randn(batch, n, dtype=F64, generator=draw)
    y = rho * x + math.sqrt(1 - rho**2) * torch.randn(batch, n, dtype=F64, generator=draw)
    squares = (x**2).sum(1)[:, None] + (y**2).sum(1)
    exponent = (2 * rho * x @ y.T - rho**2 * squares) / (2 * (1 - rho**2))
    return exponent - n / 2 * math.log(1 - rho**2)


def _replicates(bound, *, critic=lambda log_ratio: log_ratio, batch=64, times=400):
    values = [float(bound(critic(_log_ratio(RHO, N, batch, seed)))) for seed in range(times)]
    return np.mean(values), np.std(values, ddof=1) / math.sqrt(times)


def test_info_nce_lies_between_the_information_and_it_less_the_chi_square_bound():
    # E[r] under the joint law is (1 - rho^2)^-n; Jensen's inequality in the columns gives the rest.
    chi_square = (1 - RHO**2) ** -N - 1
    gaps = []
    for batch in (16, 128):
        mean, error = _replicates(info_nce_bound, batch=batch)
        assert mean <= INFORMATION + FAR * error
        assert mean >= INFORMATION - math.log1p(chi_square / batch) - FAR * error
        gaps.append(INFORMATION - mean)
    assert gaps[1] < gaps[0] / 2


def test_info_nce_reaches_log_b_and_never_exceeds_it():
    scores = _log_ratio(0.9999, N, 32, 0)  # 34 nats of information
    assert 0.999 * math.log(32) < info_nce_bound(scores) <= math.log(32)
    assert info_nce_bound(torch.zeros(32, 32)) == pytest.approx(0, abs=1e-6)
    shifted = scores + torch.randn(32, 1, dtype=F64, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(info_nce_bound(shifted), info_nce_bound(scores), rtol=1e-12, atol=0)


def test_nwj_is_unbiased_at_the_best_critic_and_below_at_another():
    mean, error = _replicates(nwj_bound, critic=lambda s: 1 + s)
    assert abs(mean - INFORMATION) < FAR * error
    assert error < INFORMATION / 20  # or the line above would say nothing
    worse, error = _replicates(nwj_bound, critic=lambda s: 1 + 0.5 * s)
    assert worse < INFORMATION - FAR * error


def test_donsker_varadhan_is_the_information_and_its_partition_sum_is_unbiased():
    mean, error = _replicates(donsker_varadhan_bound)
    # Biased upwards by half the relative variance of the partition sum, whose size is that of
    # one batch's spread.
    spread = (error * math.sqrt(400)) ** 2
    assert INFORMATION - FAR * error < mean < INFORMATION + FAR * error + spread

    def partition(scores):
        return (scores.diagonal().mean() - donsker_varadhan_bound(scores)).exp()

    mean, error = _replicates(partition)
    assert abs(mean - 1) < FAR * error
    constant, _ = _replicates(donsker_varadhan_bound, critic=lambda s: s + 7, times=3)
    same, _ = _replicates(donsker_varadhan_bound, times=3)
    assert constant == pytest.approx(same, rel=1e-12, abs=0)


def test_jensen_shannon_is_the_divergence_by_quadrature():
    rho, nodes = 0.6, 400  # one dimension: a plane integral
    grid = np.linspace(-9, 9, nodes)
    x, y = np.meshgrid(grid, grid)
    product = np.exp(-(x**2 + y**2) / 2) / (2 * np.pi)
    inside = (x**2 - 2 * rho * x * y + y**2) / (1 - rho**2)
    joint = np.exp(-inside / 2) / (2 * np.pi * math.sqrt(1 - rho**2))
    middle = (joint + product) / 2
    cell = (grid[1] - grid[0]) ** 2
    # Densities below 1e-300 of both would be 0/0; they weigh nothing.
    some = middle > 1e-300

    def divergence(p):
        p, m = p[some], middle[some]
        return float(np.sum(p * np.log(np.maximum(p, 1e-320) / m)) * cell)

    wanted = (divergence(joint) + divergence(product)) / 2
    values = [float(jensen_shannon_bound(_log_ratio(rho, 1, 64, seed))) for seed in range(400)]
    error = np.std(values, ddof=1) / 20
    assert abs(np.mean(values) - wanted) < FAR * error
    assert error < wanted / 20
    assert jensen_shannon_bound(_log_ratio(0.9999, N, 32, 0)) <= math.log(2)


@pytest.mark.parametrize("bound", [nwj_bound, donsker_varadhan_bound, jensen_shannon_bound])
def test_bounds_have_finite_gradients_and_refuse_what_has_no_negatives(bound):
    scores = _log_ratio(RHO, N, 4, 0).requires_grad_()
    (gradient,) = torch.autograd.grad(bound(scores), scores)
    assert gradient.isfinite().all()
    assert bound(scores.detach().bfloat16()).dtype == torch.float32
    with pytest.raises(ValueError, match=r"scores have shape \(1, 1\); expected \(B, B\) with B"):
        bound(torch.zeros(1, 1))
