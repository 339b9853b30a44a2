"""Differences and their intervals, against scipy and by counting how often they hold the truth."""

import itertools

import numpy as np
import pytest
from compare import MOST, PAIRS, Difference, difference, hits, select, value
from scipy import stats

FIGURE = "image to text R@10"


def recall_run(make_run, variant, seed, hit):
    """A run with a query a concept, right among the first ten or not."""
    rank = np.where(hit, 3, 10).tolist()
    ranks = {"image to text": {"concept": list(range(len(rank))), "rank": rank}}
    return make_run(variant, seed, ranks)


def test_a_figure_of_runs_has_the_interval_of_the_paired_t_test(make_run):
    a, b = np.random.default_rng(0).normal(size=(2, 7))
    runs = [make_run("a", k, score=x) for k, x in enumerate(a)]
    runs += [make_run("b", k, score=x) for k, x in reversed([*enumerate(b)])]
    got = difference(runs, "a", "b", "score", {})
    low, high = stats.ttest_rel(a, b).confidence_interval()
    assert (got.low, got.high) == pytest.approx((low, high), rel=1e-12, abs=0)
    assert (got.mean, got.seeds) == (pytest.approx((a - b).mean(), rel=1e-12, abs=0), 7)
    # Alone against a number: the t-test of one sample.
    got = difference(runs, "a", None, "score", {}, number=0.3)
    low, high = stats.ttest_1samp(a - 0.3, 0).confidence_interval()
    assert (got.low, got.high) == pytest.approx((low, high), rel=1e-12, abs=0)


def test_only_seeds_that_both_have_are_paired(make_run):
    runs = [make_run("a", k, score=float(k)) for k in range(6)]
    runs += [make_run("b", k, score=k - 1.0) for k in (1, 3, 5, 9)]
    runs += [make_run("b", 4, score=float("nan")), make_run("b", 2)]  # nothing measured
    got = difference(runs, "a", "b", "score", {})
    assert got == Difference(1.0, 1.0, 1.0, 3)
    assert difference(runs, "a", "c", "score", {}) is None
    assert difference(runs, "a", "b", "another figure", {}) is None


def test_runs_of_other_places_are_not_taken(make_run):
    runs = [
        make_run(v, 0, at={"w": w}, score=w * s) for v, s in (("a", 3), ("b", 1)) for w in (1, 2)
    ]
    got = difference(runs, "a", "b", "score", {"w": 2})
    assert (got.mean, got.seeds) == (4.0, 1)
    assert np.isnan(got.low)


def test_the_part_of_concepts_is_what_a_paired_bootstrap_finds(make_run):
    """With seeds that agree only the concepts are left."""
    x, y = np.random.default_rng(1).random((2, 400)) < [[0.6], [0.5]]
    runs = [recall_run(make_run, v, s, h) for v, h in (("a", x), ("b", y)) for s in range(5)]
    got = difference(runs, "a", "b", FIGURE, {})
    found = stats.bootstrap(
        (x.astype(float), y.astype(float)),
        lambda a, b, axis: a.mean(axis) - b.mean(axis),
        paired=True,
        method="percentile",
        n_resamples=20000,
        rng=np.random.default_rng(2),
    ).confidence_interval
    # A quantile of 20,000 draws is off by some 2 % of the interval's half, and Student's by 0.3 %.
    assert (got.low, got.high) == pytest.approx((found.low, found.high), abs=0.002)
    assert got.mean == pytest.approx(x.mean() - y.mean(), rel=1e-12, abs=0)


@pytest.mark.parametrize(
    ("by_seed", "by_concept"), [(0.06, 0.1), (0.2, 0.0), (0.0, 0.3), (0.0, 0.0)]
)
def test_the_interval_of_recall_holds_the_truth_where_seeds_and_concepts_vary(
    make_run, by_seed, by_concept
):
    """No effect on the whole, but of each seed and each concept: 95 in a hundred.

    An interval over seeds alone holds 90 of a hundred in the third case, one over concepts alone 60
    in the second.
    """
    generator = np.random.default_rng(3)
    inside, trials, (seeds, concepts) = 0, 500, (5, 60)
    for _ in range(trials):
        chance = 0.5 + by_seed * generator.normal(size=(seeds, 1))
        chance = chance + by_concept * generator.normal(size=(1, concepts))
        runs = []
        for s in range(seeds):
            runs.append(recall_run(make_run, "a", s, generator.random(concepts) < chance[s]))
            runs.append(recall_run(make_run, "b", s, generator.random(concepts) < 0.5))
        got = difference(runs, "a", "b", FIGURE, {})
        inside += got.low < 0 < got.high
    # Three standard errors of such a share of 500.
    assert inside / trials == pytest.approx(0.95, abs=0.03)


def test_unequal_concepts_are_not_compared(make_run):
    runs = [recall_run(make_run, v, s, np.ones(3 + s * (v == "b"))) for v in "ab" for s in range(2)]
    with pytest.raises(ValueError, match=r"a and b at \{\} have other concepts"):
        difference(runs, "a", "b", FIGURE, {})


def test_hits_are_shares_of_each_concepts_queries(make_run):
    generator = np.random.default_rng(4)
    concept, rank = generator.integers(5, 25, size=80), generator.integers(0, 11, size=80)
    ranks = {"image to text": {"concept": concept.tolist(), "rank": rank.tolist()}}
    run = make_run("a", 0, ranks)
    wanted = [np.mean(rank[concept == c] < 5) for c in sorted(set(concept.tolist()))]
    assert hits(run, "image to text R@5") == pytest.approx(wanted)
    assert value(run, "image to text R@5") == pytest.approx(np.mean(wanted))


@pytest.mark.parametrize("margin", [0.0, 0.01])
def test_a_verdict_needs_the_whole_interval_and_five_pairs(margin):
    """Over all orders of the interval's ends and the margin, by the definition."""
    places = [-0.03, -0.02, -0.012, -0.005, 0.004, 0.02]
    for low, high in itertools.combinations(places, 2):
        found = Difference((low + high) / 2, low, high, 5)
        ahead = np.linspace(low, high, 101) > -margin
        wanted = "holds" if ahead.all() else "not decided" if ahead.any() else "does not hold"
        assert found.ahead(margin) == wanted
        if not margin:
            continue
        near = np.abs(np.linspace(low, high, 101)) < margin
        wanted = "holds" if near.all() else "does not hold" if not near.any() else "not decided"
        assert found.within(margin) == wanted
        few = Difference(found.mean, low, high, 4)
        assert few.ahead(margin) == few.within(margin) == "too few seeds"


def test_one_pair_has_no_interval_and_decides_nothing():
    one = Difference(0.5, float("nan"), float("nan"), 1)
    assert one.ahead() == one.within(1.0) == "too few seeds"


@pytest.mark.parametrize(("distance", "spread"), [(0.02, 0.03), (0.01, 0.02), (0.05, 0.04)])
def test_so_many_seeds_decide_in_four_of_five_cases(distance, spread):
    """Against the exact power of Student's test, by the noncentral law."""
    found = Difference(distance, -1.0, 1.0, 5, spread, 0.0)
    seeds = found.seeds_ahead()

    def power(n):
        quantile = stats.t.ppf(0.975, n - 1)
        return stats.nct.sf(quantile, n - 1, distance * n**0.5 / spread)

    # The quantile t(0.8) in place of the noncentral law costs some parts in a thousand.
    assert power(seeds) > 0.795 > power(seeds - 1) - 0.01
    # A margin counts from its own side: equal distances, equal numbers.
    assert Difference(0.0, -1, 1, 5, spread).seeds_ahead(distance) == seeds
    assert Difference(-2 * distance, -1, 1, 5, spread).seeds_ahead(distance) == seeds
    assert Difference(distance / 2, -1, 1, 5, spread).seeds_within(1.5 * distance) == seeds
    assert Difference(-distance / 2, -1, 1, 5, spread).seeds_within(1.5 * distance) == seeds


def test_what_no_number_of_seeds_decides_says_so():
    assert Difference(0.5, np.nan, np.nan, 1).seeds_ahead() is None
    assert Difference(0.5, np.nan, np.nan, 1).seeds_within(1.0) is None
    assert Difference(0.0, -1, 1, 5, 0.1).seeds_ahead() == MOST + 1  # on the margin
    # Concepts alone are as wide as the distance; a little farther, seeds are enough.
    assert Difference(0.1, -1, 1, 5, 0.1, 0.1).seeds_ahead() == MOST + 1
    wide = Difference(0.15, -1, 1, 5, 0.1, 0.1).seeds_ahead()
    assert Difference(0.15, -1, 1, 5, 0.1, 0.0).seeds_ahead() < wide <= MOST
    assert Difference(0.15, -1, 1, 5, 0.0, 0.1).seeds_ahead() == PAIRS


def test_the_two_parts_of_an_interval_are_those_of_seeds_and_of_concepts(make_run):
    generator = np.random.default_rng(5)
    runs = []
    for s in range(6):
        runs.append(recall_run(make_run, "a", s, generator.random(60) < 0.6))
        runs.append(recall_run(make_run, "b", s, generator.random(60) < 0.5))
    got = difference(runs, "a", "b", FIGURE, {})
    means = [
        value(select(runs, "a", {})[s], FIGURE) - value(select(runs, "b", {})[s], FIGURE)
        for s in range(6)
    ]
    assert got.spread == pytest.approx(np.std(means, ddof=1), rel=1e-12, abs=0)
    half = np.hypot(stats.t.ppf(0.975, 5) * got.spread / 6**0.5, got.fixed)
    assert (got.high - got.low) / 2 == pytest.approx(half, rel=1e-12, abs=0)
