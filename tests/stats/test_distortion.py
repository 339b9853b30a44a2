"""What a map did to distances and to variance."""

import pytest
import torch
from cases import CASES, normals, once, points, radius

from spaceforms.manifolds import Euclidean, Lorentz, PoincareBall
from spaceforms.stats import _rows, distortion, frechet_variance, worst_distortion

F64 = torch.float64
EPS = torch.finfo(F64).eps
FIXED = [name for name in CASES if "learnable" not in name]


@pytest.mark.parametrize("name", FIXED)
def test_the_same_points_are_not_distorted(name):
    x = points(CASES[name], 12, 3, seed=1)
    assert distortion(x, x, manifold=CASES[name]) == (0.0, pytest.approx(1.0), 1.0)


def test_another_model_or_curvature_of_the_same_space_distorts_nothing():
    v = normals(Lorentz(), 12, 3, seed=1)
    x, y = Lorentz().from_normal(v), PoincareBall(-4.0).from_normal(v / 2)
    lost = distortion(x, y, manifold=Lorentz(), image=PoincareBall(-4.0))
    # In units of R; the ball rounds a distance r from the origin to eps e^r.
    assert lost.relative < 64 * EPS * float(v.norm(dim=-1).exp().max())
    assert lost.rank_correlation == pytest.approx(1.0)
    assert lost.variance_kept == pytest.approx(1.0, rel=1e-12, abs=0)


def test_points_twice_as_far_apart_have_distortion_one_and_four_times_the_variance():
    x = points(Euclidean(), 12, 3, seed=1)
    lost = distortion(x, 2 * x, manifold=Euclidean())
    assert lost == (pytest.approx(1.0), pytest.approx(1.0), pytest.approx(4.0))


def test_the_distortion_is_the_mean_over_pairs():
    x = torch.tensor([[0.0], [1.0], [3.0]], dtype=F64)
    y = torch.tensor([[0.0], [2.0], [3.0]], dtype=F64)
    lost = distortion(x, y, manifold=Euclidean())
    # Distances 1, 3, 2 became 2, 3, 1; their ranks 1, 3, 2 became 2, 3, 1.
    assert lost.relative == pytest.approx((1 + 0 + 0.5) / 3)
    assert lost.rank_correlation == pytest.approx(0.5)
    assert lost.variance_kept == pytest.approx(1.0)


def test_one_point_and_coincident_points_are_not_distorted():
    x = points(Lorentz(), 1, 3)
    assert distortion(x, x, manifold=Lorentz()) == (0.0, 1.0, 1.0)
    same = x.expand(5, -1)
    assert distortion(same, same, manifold=Lorentz()) == (0.0, 1.0, 1.0)


def test_more_pairs_than_are_drawn_give_nearly_the_same():
    x = torch.randn(400, 3, generator=torch.Generator().manual_seed(0), dtype=F64)
    y = x * torch.tensor([1.0, 0.8, 0.5], dtype=F64)
    i, j = torch.triu_indices(400, 400, 1)
    true, new = (x[i] - x[j]).norm(dim=-1), (y[i] - y[j]).norm(dim=-1)
    each = (new / true - 1).abs()
    lost = distortion(x, y, manifold=Euclidean())
    assert lost == distortion(x, y, manifold=Euclidean())  # the seed is fixed
    assert abs(lost.relative - float(each.mean())) < 4 * float(each.std()) / 20_000**0.5


@pytest.mark.parametrize("name", once(CASES))
def test_the_frechet_variance_is_the_least_mean_square(name):
    manifold = CASES[name]
    x = points(manifold, 4, 6, 3, seed=2, spread=0.6)
    w = torch.rand(4, 6, generator=torch.Generator().manual_seed(0), dtype=F64)
    least = frechet_variance(manifold, x, w)
    for other in (x[:, 0], x[:, 3], manifold.origin(3, dtype=F64)):
        assert (frechet_variance(manifold, x, w, mean=other) >= least).all()
    two = frechet_variance(manifold, x[:, :2])
    quarter = manifold.sqdist(x[:, 0], x[:, 1]) / 4
    torch.testing.assert_close(two, quarter, rtol=64 * EPS, atol=EPS * radius(manifold) ** 2)


def test_two_numbers_of_points_get_a_sentence():
    x = points(Lorentz(), 4, 3)
    with pytest.raises(ValueError, match=r"distortion: x has shape \(4, 4\) and y \(3, 4\)"):
        distortion(x, x[:3], manifold=Lorentz())
    with pytest.raises(TypeError, match=r"distortion: manifold is a str"):
        distortion(x, x, manifold="Lorentz")


@pytest.mark.parametrize("rows", [1, 5, 1000])
def test_the_worst_distortion_is_that_of_all_pairs_in_blocks_of_any_size(rows, monkeypatch):
    monkeypatch.setattr(_rows, "CELLS", 12 * rows)
    x, y = points(Lorentz(), 12, 3, seed=1), points(Euclidean(), 12, 2, seed=2)
    true = Lorentz().cdist(x, x)
    ratios = [
        float((y[i] - y[j]).norm() / Lorentz().dist(x[i], x[j]))
        for i in range(12)
        for j in range(i)
    ]
    found = worst_distortion(true, y, manifold=Euclidean())
    assert found.expansion == pytest.approx(max(ratios), rel=1e-12, abs=0)
    assert found.contraction == pytest.approx(1 / min(ratios), rel=1e-12, abs=0)
    assert found.distortion == pytest.approx(max(ratios) / min(ratios), rel=1e-12, abs=0)
    part = worst_distortion(lambda i: true[i], y, count=12, manifold=Euclidean(), points=TWO)
    assert part.distortion <= found.distortion
    assert worst_distortion(3 * true, true).distortion == pytest.approx(1.0)


TWO = torch.tensor([3, 7])


def test_points_that_fell_together_are_infinitely_contracted_and_no_distance_is_left_out():
    true = torch.tensor([[0.0, 1, torch.inf], [1, 0, torch.inf], [torch.inf, torch.inf, 0]])
    new = torch.tensor([[0.0, 2, 7], [2, 0, 7], [7, 7, 0]])
    assert worst_distortion(true, new) == (1.0, 2.0, 0.5)
    assert worst_distortion(true, 0 * new) == (torch.inf, 0.0, torch.inf)
    assert worst_distortion(torch.zeros(3, 3), new) == (1.0, 1.0, 1.0)
    with pytest.raises(ValueError, match="true has 3 points and new 2; expected as many"):
        worst_distortion(true, torch.zeros(2, 2))
