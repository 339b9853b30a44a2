"""Hubs: counted as their definition says, and gone from the distances that make up for them."""

import numpy as np
import pytest
import torch
from scipy import stats
from scipy.spatial.distance import cdist

from spaceforms.manifolds import Lorentz
from spaceforms.search import csls, hubness


def test_hubness_is_the_skewness_of_the_counts_by_another_library():
    generator = np.random.default_rng(0)
    d = cdist(generator.normal(size=(70, 20)), generator.normal(size=(50, 20)))
    near = np.argsort(d, axis=1)[:, :7]
    counts = np.bincount(near.ravel(), minlength=50)
    # Sums of 50 numbers in float64.
    assert hubness(d, 7) == pytest.approx(stats.skew(counts), rel=1e-13)


def test_hubness_of_equal_shares_is_none_and_of_one_hub_is_the_most_there_is():
    n = 30
    cycle = ((np.arange(n)[:, None] - np.arange(n)) % n).astype(float)
    assert hubness(cycle, 4) == 0
    assert hubness(cycle, n) == 0
    one = np.ones((40, n))
    one[:, 3] = 0
    # One count of Q and n - 1 of 0: (n - 2) / sqrt(n - 1).
    assert hubness(one, 1) == pytest.approx((n - 2) / np.sqrt(n - 1), rel=1e-13)


def test_csls_is_what_conneau_et_al_write_of_similarities():
    generator = np.random.default_rng(1)
    s = generator.normal(size=(12, 9))
    k = 4
    r_query = np.array([np.sort(row)[-k:].mean() for row in s])
    r_point = np.array([np.sort(column)[-k:].mean() for column in s.T])
    published = 2 * s - r_query[:, None] - r_point[None, :]
    np.testing.assert_allclose(-2 * csls(-s, k).numpy(), published, rtol=0, atol=1e-14)
    np.testing.assert_allclose(csls(-s, k).T, csls(-s.T, k), rtol=0, atol=1e-15)  # of about 1


def test_csls_takes_no_constant_and_fewer_neighbours_than_k():
    d = torch.arange(6.0, dtype=torch.float64).reshape(2, 3) ** 2
    # Numbers up to 33, each rounded a few times.
    torch.testing.assert_close(csls(d + 8), csls(d), rtol=0, atol=33 * 2**-50)
    assert torch.equal(csls(d, 3), csls(d, 300))


def test_a_point_near_the_root_is_the_neighbour_of_every_text_until_csls():
    """Pictures in the directions of their texts but for one at the root, nearer to each text."""
    space = Lorentz(-1.0)
    torch.manual_seed(0)
    way = torch.nn.functional.normalize(torch.randn(40, 20, dtype=torch.float64), dim=1)
    other = torch.nn.functional.normalize(torch.randn(40, 20, dtype=torch.float64), dim=1)
    texts = space.from_normal(3 * way)
    pictures = space.from_normal(3 * (0.8 * way + 0.6 * other))
    pictures[0] = space.origin(20, dtype=torch.float64)
    d = space.cdist(texts, pictures)
    assert (d.argmin(1) == 0).sum() == 40
    right = csls(d).argmin(1) == torch.arange(40)
    assert right[1:].sum() == 39
    assert hubness(d, 1) > 6
    assert hubness(csls(d), 1) < 2


@pytest.mark.parametrize("function", [hubness, csls])
def test_what_is_no_table_is_refused_in_a_sentence(function):
    name = function.__name__
    with pytest.raises(ValueError, match=rf"search\.{name}: distances have shape \(3,\); expected"):
        function([1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match=rf"search\.{name}: distances have shape \(0, 3\)"):
        function(torch.empty(0, 3))
    with pytest.raises(ValueError, match=rf"search\.{name}: 1 distances are NaN; expected numbers"):
        function([[1.0, float("nan")]])
    with pytest.raises(ValueError, match=rf"search\.{name}: k is 0; expected"):
        function([[1.0, 2.0]], 0)


def test_more_neighbours_than_points_are_no_hubness():
    with pytest.raises(ValueError, match=r"search\.hubness: k is 10; expected 1 to 2, the number"):
        hubness([[1.0, 2.0]])


def test_csls_of_the_largest_numbers_is_finite_and_of_infinite_ones_refused():
    d = torch.full((12, 11), 6e4, dtype=torch.float16)
    assert torch.equal(csls(d), torch.zeros_like(d))
    d[0, 0] = torch.inf
    with pytest.raises(ValueError, match=r"search\.csls: 1 distances are infinite; expected"):
        csls(d)
