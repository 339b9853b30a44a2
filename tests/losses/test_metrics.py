"""Measures of uncertainty against scipy, loops and counts by hand."""

import math
from itertools import permutations

import numpy as np
import pytest
import scipy.stats as st
import torch

from spaceforms.distributions import GeneralizedGaussian
from spaceforms.losses.metrics import (
    aleatoric_variance,
    aurc,
    calibration,
    epistemic_variance,
    interval_coverage,
    pit,
    risk_coverage,
)

F64 = torch.float64


def made(count, seed=0, strength=1.0):
    """Uncertainties, and hits that are rarer where they are larger."""
    rng = np.random.default_rng(seed)
    u = rng.gamma(2.0, size=count)
    hit = rng.random(count) < 1 / (1 + np.exp(strength * (u - 2)))
    return torch.from_numpy(u), torch.from_numpy(hit)


# -- variances ------------------------------------------------------------------------------------


def test_the_aleatoric_variance_is_scipys():
    scale = torch.tensor([0.1, 1.0, 7.0], dtype=F64)[:, None]
    shape = torch.tensor([0.3, 1.0, 2.0, 8.0], dtype=F64)
    expected = torch.from_numpy(st.gennorm.var(shape.numpy(), scale=scale.numpy()))
    torch.testing.assert_close(aleatoric_variance(scale, shape), expected, rtol=1e-12, atol=0)
    logs = aleatoric_variance(scale, shape, log=True)
    torch.testing.assert_close(logs, expected.log(), rtol=1e-12, atol=1e-12)
    # Gamma(3/b) is beyond float32 here, its logarithm is not.
    small = aleatoric_variance(torch.tensor(1.0), torch.tensor(0.05), log=True)
    assert small.item() == pytest.approx(math.lgamma(60) - math.lgamma(20), rel=1e-6)


def test_the_epistemic_variance_is_of_each_item_alone():
    samples = torch.from_numpy(np.random.default_rng(0).normal(size=(7, 5, 3)))
    got = epistemic_variance(samples)
    torch.testing.assert_close(got, torch.from_numpy(samples.numpy().var(0)))
    # The batch mates of an item do not count.
    torch.testing.assert_close(epistemic_variance(samples[:, 2:3]), got[2:3], rtol=0, atol=0)
    unbiased = epistemic_variance(samples, correction=1)
    torch.testing.assert_close(unbiased, got * 7 / 6)
    assert epistemic_variance(samples.half()).dtype == torch.float16
    with pytest.raises(ValueError, match=r"samples have shape \(1, 5, 3\); .* at least 2 passes"):
        epistemic_variance(samples[:1], correction=1)


# -- calibration ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("count", "bins"), [(1003, 10), (50, 5), (12, 12), (400, 7)])
def test_bins_have_equal_mass_and_the_correlations_are_scipys(count, bins):
    u, hit = made(count)
    found = calibration(u, hit, bins=bins)
    assert found.count.sum() == count
    assert found.count.max() - found.count.min() <= 1
    order = np.argsort(u.numpy())
    start = 0
    for k, size in enumerate(found.count.tolist()):
        part = order[start : start + size]
        start += size
        assert found.uncertainty[k].item() == pytest.approx(
            u.numpy()[part].mean(), rel=1e-13, abs=0
        )
        assert found.hit[k].item() == pytest.approx(hit.numpy()[part].mean(), rel=1e-13, abs=0)
    level, mean = np.arange(bins), found.hit.numpy()
    assert found.spearman == pytest.approx(st.spearmanr(level, mean).statistic, abs=1e-12)
    assert found.squared_correlation == pytest.approx(
        st.pearsonr(level, mean)[0] ** 2, rel=1e-10, abs=0
    )
    line = st.linregress(found.uncertainty.numpy(), mean)
    residual = mean - line.intercept - line.slope * found.uncertainty.numpy()
    total = ((mean - mean.mean()) ** 2).sum()
    assert found.r2 == pytest.approx(1 - (residual**2).sum() / total, rel=1e-10, abs=0)
    assert found.score == -found.spearman * found.squared_correlation


def test_the_p_value_is_that_of_all_orders():
    for seed in range(2):
        u, hit = made(60, seed=seed, strength=0.3)
        found = calibration(u, hit, bins=6)
        ranks = st.rankdata(found.hit.numpy())
        every = [
            abs(np.corrcoef(np.arange(6), ranks[list(p)])[0, 1]) for p in permutations(range(6))
        ]
        expected = np.mean(np.array(every) >= abs(found.spearman) - 1e-9)
        assert found.p_value == pytest.approx(expected, abs=1e-12)
    # A perfect order of five: two of the 120 are as far from 0.
    u = torch.arange(50.0)
    best = calibration(u, -u, bins=5)
    assert (best.spearman, best.p_value) == (-1.0, 2 / 120)
    assert best.squared_correlation == pytest.approx(1.0)
    assert best.score == pytest.approx(1.0)


def test_the_sampled_p_value_is_near_scipys_and_repeats():
    u, hit = made(300, seed=5, strength=0.1)
    found = calibration(u, hit, bins=10, seed=3)
    level, mean = np.arange(10), found.hit.numpy()
    exact = st.permutation_test(
        (mean,),
        lambda m: st.spearmanr(level, m).statistic,
        permutation_type="pairings",
        n_resamples=1000,
        rng=np.random.default_rng(1),
    ).pvalue
    # Standard errors of 10,000 and of 1,000 draws of a share.
    spread = math.sqrt(exact * (1 - exact) * (1 / 10_000 + 1 / 1_000))
    assert abs(found.p_value - exact) < 4.5 * spread + 1e-3
    assert calibration(u, hit, bins=10, seed=3).p_value == found.p_value
    assert calibration(u, hit, bins=10, seed=4).p_value != found.p_value
    # 20 bins in order: no sampled order is as good, and the observed one is counted in.
    v = torch.arange(40.0)
    assert calibration(v, v, bins=20, orders=999).p_value == 1 / 1000


def test_the_order_of_ties_does_not_count():
    u = torch.tensor([0.0] * 6 + [1.0] * 6)
    hit = torch.tensor([1.0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1])
    found = calibration(u, hit, bins=4)
    torch.testing.assert_close(found.hit, torch.tensor([1 / 2, 1 / 2, 1 / 6, 1 / 6]).double())
    # Ranks 1.5, 1.5, 3.5, 3.5 against 1 to 4.
    assert found.spearman == pytest.approx(-2 / math.sqrt(5), rel=1e-12, abs=0)
    turned = calibration(u, hit[[3, 4, 5, 0, 1, 2, 11, 6, 7, 8, 9, 10]], bins=4)
    assert turned.score == found.score
    flat = calibration(u, torch.ones(12), bins=4)
    assert (flat.spearman, flat.p_value, flat.r2, flat.score) == (0.0, 1.0, 0.0, 0.0)


def test_refusals_of_calibration():
    u, hit = made(20)
    for arguments, options, words in (
        ((u, hit[:3]), {}, r"uncertainty has shape \(20,\) and hit \(3,\)"),
        ((u, hit), {"bins": 21}, "bins is 21 for 20 items; expected 3 to 20"),
        ((u, hit), {"bins": 2}, "bins is 2"),
        ((u * math.nan, hit), {}, "uncertainty holds nan"),
        ((u[:0], hit[:0]), {}, "with N > 0"),
    ):
        with pytest.raises(ValueError, match=words):
            calibration(*arguments, **options)


# -- selection ------------------------------------------------------------------------------------


def test_risk_and_coverage_are_those_of_loops():
    u, hit = made(101, seed=2)
    loss = 1 - hit.double()
    coverage, risk = risk_coverage(u, loss)
    order = u.argsort()
    for k in range(1, 102):
        assert coverage[k - 1] == k / 101
        assert risk[k - 1].item() == pytest.approx(loss[order[:k]].mean().item(), abs=1e-14)
    assert aurc(u, loss) == pytest.approx(risk.mean().item(), rel=1e-15, abs=0)
    assert aurc(loss, loss) <= aurc(u, loss) <= aurc(-loss, loss)
    assert aurc(loss, loss, excess=True) == 0
    # By hand: losses 0, 1, 1 in order give risks 0, 1/2, 2/3; all tied, 2/3 throughout.
    by_hand = torch.tensor([0.0, 1.0, 1.0])
    assert aurc(torch.arange(3.0), by_hand) == pytest.approx((0 + 1 / 2 + 2 / 3) / 3)
    assert aurc(torch.zeros(3), by_hand) == pytest.approx(2 / 3)
    with pytest.raises(ValueError, match=r"risk_coverage: .* loss \(2,\)"):
        risk_coverage(u, loss[:2])


# -- whether a law holds its data -----------------------------------------------------------------


def test_right_laws_cover_what_they_say_and_narrow_ones_less():
    torch.manual_seed(0)
    count = 20_000
    loc, scale = torch.randn(count, dtype=F64), torch.rand(count, dtype=F64) + 0.5
    shape = torch.rand(count, dtype=F64) * 4 + 0.5
    x = GeneralizedGaussian(loc, scale, shape).sample()
    chances = pit(x, loc, scale, shape)
    expected = st.gennorm.cdf(x[:50], shape[:50], loc[:50], scale[:50])
    np.testing.assert_allclose(chances[:50], expected, atol=1e-13)
    assert st.kstest(chances, "uniform").statistic < 2.7 / math.sqrt(count)
    levels = torch.tensor([0.1, 0.5, 0.9])
    covered = interval_coverage(chances, levels)
    spread = (levels * (1 - levels) / count).sqrt()
    assert ((covered - levels).abs() < 5 * spread).all()
    assert (interval_coverage(pit(x, loc, scale / 2, shape), levels) < levels - 5 * spread).all()


def test_intervals_are_counted_by_hand():
    chances = torch.tensor([0.05, 0.3, 0.5, 0.7, 0.99], dtype=F64)
    got = interval_coverage(chances, torch.tensor([0.0, 0.5, 0.92, 1.0], dtype=F64))
    assert got.tolist() == [0.2, 0.6, 0.8, 1.0]
    with pytest.raises(ValueError, match=r"chances hold 1\.01; expected numbers in \[0, 1\]"):
        interval_coverage(chances + 0.51, chances)
    with pytest.raises(ValueError, match="levels hold 2;"):
        interval_coverage(chances, torch.tensor([2.0]))
    with pytest.raises(ValueError, match="chances hold nothing"):
        interval_coverage(chances[:0], chances)
