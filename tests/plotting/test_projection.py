"""The projection keeps the radius, is deterministic, and tells the truth about the rest."""

import math
import sys

import numpy as np
import pytest
import torch

from spaceforms.manifolds import Euclidean, Lorentz, PoincareBall, Sphere, Stereographic
from spaceforms.plotting import project_disk
from spaceforms.stats.distortion import _correlation, _ranks

ALL = [Euclidean(), Lorentz(-1.0), Lorentz(-0.3), PoincareBall(-2.0), Sphere(1.0), Sphere(0.5)]
BALL = PoincareBall(-1.0)


def _points(manifold, count=40, n=6, seed=0):
    generator = torch.Generator().manual_seed(seed)
    reach = 1.5 * float(manifold.radius)
    return manifold.random_uniform(count, n, radius=reach, generator=generator, dtype=torch.float64)


def _drawn_radius(flat):
    return flat.manifold.to_normal(flat.points).norm(dim=-1)


@pytest.mark.parametrize("manifold", ALL, ids=str)
@pytest.mark.parametrize("n", [1, 2, 3, 6, 64])
@pytest.mark.parametrize("centred", [False, True])
def test_the_distance_from_the_centre_is_kept(manifold, n, centred):
    x = _points(manifold, n=n)
    center = x[7] if centred else None
    flat = project_disk(x, manifold=manifold, center=center)
    base = manifold.origin(n, dtype=torch.float64) if center is None else center
    expected = manifold.dist(base, x) / float(manifold.radius)
    torch.testing.assert_close(_drawn_radius(flat), expected, rtol=1e-13, atol=1e-15)
    # In a space of its own kind: no sphere's points on the Poincaré disk.
    assert flat.points.shape == (40, 3 if manifold.sign > 0 else 2)
    assert flat.manifold.sign == manifold.sign
    assert float(flat.manifold.curvature) == manifold.sign
    assert flat.chart == ("poincare" if manifold.sign < 0 else "normal")
    assert flat.manifold.is_point(flat.points).all()


@pytest.mark.parametrize("manifold", [Lorentz(-0.3), PoincareBall(-2.0)], ids=str)
@pytest.mark.parametrize("centred", [False, True])
def test_the_hyperbolic_plane_loses_nothing(manifold, centred):
    x = _points(manifold, n=2)
    flat = project_disk(x, manifold=manifold, center=x[3] if centred else None)
    assert flat.distortion < 1e-12
    assert flat.rank_correlation == pytest.approx(1, abs=1e-12)
    drawn = BALL.cdist(flat.points, flat.points)
    true = manifold.cdist(x, x) / float(manifold.radius)
    torch.testing.assert_close(drawn, true, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("k", [-2.0, -0.3, 0.0, 0.6])
def test_a_space_of_any_sign_is_drawn_as_the_one_of_its_curvature(k):
    same = Lorentz(k) if k < 0 else Sphere(k) if k else Euclidean()
    v = torch.randn(20, 3, generator=torch.Generator().manual_seed(4), dtype=torch.float64) / 2
    x, y = (space.from_normal(v) for space in (Stereographic(k), same))
    found = project_disk(x, manifold=Stereographic(k), center=x[3])
    expected = project_disk(y, manifold=same, center=y[3])
    torch.testing.assert_close(found.points, expected.points, rtol=1e-12, atol=1e-12)
    assert found.distortion == pytest.approx(expected.distortion, rel=1e-9, abs=1e-12)


def test_the_numbers_are_those_of_all_pairs():
    manifold = Lorentz(-0.7)
    x = _points(manifold, 30, 5)
    flat = project_disk(x, manifold=manifold)
    i, j = np.triu_indices(30, 1)
    true = (manifold.cdist(x, x) / float(manifold.radius)).numpy()[i, j]
    drawn = BALL.cdist(flat.points, flat.points).numpy()[i, j]
    assert flat.distortion == pytest.approx(np.mean(np.abs(drawn / true - 1)), rel=1e-9)
    ranks = [np.argsort(np.argsort(d)) for d in (true, drawn)]
    assert flat.rank_correlation == pytest.approx(np.corrcoef(*ranks)[0, 1], rel=1e-9)
    assert 0 < flat.distortion < 1
    assert f"{flat.distortion:.0%}" in flat.title
    assert flat.name in flat.title


def test_a_sample_of_pairs_is_near_all_of_them_and_memory_is_bounded():
    manifold = Lorentz()
    x = _points(manifold, 400, 5)  # 79,800 pairs
    flat = project_disk(x, manifold=manifold)
    true = manifold.cdist(x, x)
    drawn = BALL.cdist(flat.points, flat.points)
    upper = torch.triu(torch.ones_like(true), 1) > 0
    mean = (drawn / true - 1).abs()[upper].mean()
    assert flat.distortion == pytest.approx(float(mean), rel=0.05)
    project_disk(_points(manifold, 60_000, 3), manifold=manifold)  # 1.8e9 pairs would be 29 GB


def test_the_same_points_give_the_same_picture_whatever_the_global_seed():
    manifold = Sphere()
    x = _points(manifold, 300, 12)
    torch.manual_seed(1)
    first = project_disk(x, manifold=manifold)
    torch.manual_seed(2)
    second = project_disk(x, manifold=manifold)
    assert torch.equal(first.points, second.points)
    assert first[1:4] == second[1:4]


def test_the_sign_of_an_axis_is_not_left_to_rounding():
    # With the mean taken away the coordinates sum to rounding, which must not choose the side.
    manifold = Lorentz()
    x = _points(manifold, 50, 4)
    moved = x[torch.randperm(50, generator=torch.Generator().manual_seed(0))]
    order = torch.randperm(50, generator=torch.Generator().manual_seed(0))
    first, second = project_disk(x, manifold=manifold), project_disk(moved, manifold=manifold)
    torch.testing.assert_close(first.points[order], second.points, rtol=1e-9, atol=1e-9)


def test_groups_lose_their_own_means():
    manifold = Lorentz()
    generator = torch.Generator().manual_seed(0)
    v = 0.1 * torch.randn(60, 5, generator=generator, dtype=torch.float64)
    gap = torch.zeros(60, 5, dtype=torch.float64)
    gap[:30, 0], gap[30:, 0] = 1.0, -1.0
    groups = ["image"] * 30 + ["text"] * 30
    x = manifold.from_normal(v + gap)
    apart = project_disk(x, manifold=manifold)
    mixed = project_disk(x, manifold=manifold, groups=groups)
    side = apart.points[:, 0].sign()  # the gap is the first component
    assert side[:30].unique().numel() == 1
    assert torch.equal(side[30:], -side[:30])
    assert 0.2 < (mixed.points[:30, 0] > 0).double().mean() < 0.8
    assert "mean of each level" in mixed.name


@pytest.mark.parametrize("manifold", ALL, ids=str)
def test_a_point_without_direction_keeps_its_radius(manifold):
    one = manifold.from_normal(torch.tensor([[0.3, 0.4, 0.0, 0.0]], dtype=torch.float64))
    expected = torch.tensor(0.5 / float(manifold.radius), dtype=torch.float64)
    for x in (one, one.expand(3, -1)):
        flat = project_disk(x, manifold=manifold)
        torch.testing.assert_close(_drawn_radius(flat), expected.expand(len(x)))
        assert flat.distortion == 0
    x = torch.cat([_points(manifold, 5, 4), one])
    flat = project_disk(x, manifold=manifold, groups=[*"aaaaab"])  # one is alone in its group
    torch.testing.assert_close(_drawn_radius(flat)[5], expected)


def test_far_points_stop_at_the_edge_of_the_disk():
    x = Lorentz().from_normal(torch.tensor([[300.0, 0, 0], [1.0, 0, 0]], dtype=torch.float64))
    flat = project_disk(x, manifold=Lorentz())
    assert BALL.is_point(flat.points).all()
    assert _drawn_radius(flat)[0] > 35.6
    assert math.isfinite(flat.distortion)


def test_equal_distances_share_their_rank():
    torch.testing.assert_close(
        _ranks(torch.tensor([5.0, 1.0, 5.0, 0.0])), torch.tensor([3.5, 2.0, 3.5, 1.0]).double()
    )
    assert _correlation(torch.ones(3), torch.tensor([1.0, 2, 3])) == 1.0


def test_a_learnable_manifold_stays_where_and_as_it_is():
    manifold = Lorentz(-0.5, learnable=True, bounds=(-2.0, -0.1))
    parameters = [(p, p.data_ptr(), p.requires_grad) for p in manifold.parameters()]
    x = _points(Lorentz(-0.5), 8, 4).requires_grad_()
    flat = project_disk(x, manifold=manifold)
    assert not flat.points.requires_grad
    now = list(manifold.parameters())
    assert all(p is q for (p, *_), q in zip(parameters, now, strict=True))
    assert [(p.data_ptr(), p.requires_grad) for p in now] == [(b, c) for _, b, c in parameters]


@pytest.mark.parametrize(
    ("points", "options", "sentence"),
    [
        (torch.zeros(0, 4), {}, r"points have shape \(0, 4\).*expected \(N, m\) with N >= 1"),
        (torch.zeros(4), {}, r"points have shape \(4,\)"),
        (torch.full((2, 4), math.inf), {}, r"2 of 2 rows of points are not finite"),
        (torch.zeros(3, 4), {"groups": ["a"]}, r"there are 1 groups for 3 points"),
    ],
)
def test_refusals_are_sentences(points, options, sentence):
    with pytest.raises(ValueError, match=rf"plotting\.project_disk: {sentence}"):
        project_disk(points, manifold=PoincareBall(), **options)


def test_the_title_tells_the_method_and_the_losses():
    flat = project_disk(_points(Lorentz(), 30, 5), manifold=Lorentz())
    name = "radius kept, direction by the first two principal components of what is left after"
    assert flat.name == f"{name} the mean"
    assert flat.title == (
        f"{flat.name}\nmean distortion of distances {100 * flat.distortion:.0f}%, "
        f"rank correlation {flat.rank_correlation:.2f}"
    )
    x = _points(Lorentz(), 4, 5)
    grouped = project_disk(x, manifold=Lorentz(), groups="abab")
    assert grouped.name == f"{name} the mean of each level"
    plane = _points(Lorentz(), 4, 2)
    assert project_disk(plane, manifold=Lorentz()).name == "radius and direction kept"


@pytest.mark.parametrize("groups", [None, ["a", "b", "a", "b", "b"] * 6])
def test_the_direction_is_that_of_the_components_of_what_is_left(groups):
    x = _points(Euclidean(), 30, 5) + 1.0
    flat = project_disk(x, manifold=Euclidean(), groups=groups)
    rest = x.numpy().copy()
    of = np.array(groups if groups else ["a"] * 30)
    for group in set(of):
        rest[of == group] -= rest[of == group].mean(0)
    values, vectors = np.linalg.eigh(rest.T @ rest)
    axes = vectors[:, np.argsort(-values)[:2]]
    axes = axes * np.sign(axes[np.abs(axes).argmax(0), [0, 1]])
    wanted = rest @ axes
    wanted /= np.linalg.norm(wanted, axis=1, keepdims=True)
    drawn = flat.points.numpy()
    np.testing.assert_allclose(drawn / np.linalg.norm(drawn, axis=1, keepdims=True), wanted, 1e-9)


def test_equal_points_are_drawn_to_the_right_at_their_distance():
    x = Lorentz().from_normal(torch.tensor([[0.3, -0.9, 1.2]], dtype=torch.float64)).expand(4, -1)
    flat = project_disk(x, manifold=Lorentz())
    r = math.sqrt(0.3**2 + 0.9**2 + 1.2**2)
    expected = torch.tensor([[math.tanh(r / 2), 0.0]], dtype=torch.float64).expand(4, -1)
    torch.testing.assert_close(flat.points, expected)
    for bad in (x[0], x[:0]):
        with pytest.raises(ValueError, match=r"expected \(N, m\) with N >= 1 and m > 1"):
            project_disk(bad, manifold=Lorentz())


def test_by_horopca_the_points_are_those_of_the_method_in_units_of_length(monkeypatch):
    manifold = Lorentz(-0.25)
    x = _points(manifold, 10, 3)
    v = torch.randn(10, 2, generator=torch.Generator().manual_seed(0)).double()

    class Fitted:
        def transform(self, points):
            assert torch.equal(points, x)
            return manifold.from_normal(2.0 * v)

    given = []

    def fitted(*args, **options):
        given.append((*args[2:], options))
        return Fitted()

    # The method itself is tested where it stands; a fit takes seconds.
    monkeypatch.setattr(sys.modules["spaceforms.plotting.projection"], "horopca", fitted)
    flat = project_disk(x, manifold=manifold, method="horopca", center=x[0])
    project_disk(x, manifold=manifold, method="horopca")
    assert given[0][0] == 2
    assert torch.equal(given[0][1]["mean"], x[0])
    assert given[1][1] == {"mean": None}
    torch.testing.assert_close(BALL.to_normal(flat.points), v)
    true, drawn = manifold.cdist(x, x) / 2, BALL.cdist(flat.points, flat.points)
    i, j = np.triu_indices(10, 1)
    assert flat.distortion == pytest.approx(float((drawn / true - 1).abs()[i, j].mean()))
    assert "horospherical" in flat.name
    for bad in ({"manifold": Sphere()}, {"manifold": manifold, "groups": ["a"] * 10}):
        points = _points(Sphere(), 10, 4) if bad["manifold"].sign > 0 else x
        with pytest.raises(ValueError, match=r"method is 'horopca' on .*expected hyperbolic"):
            project_disk(points, method="horopca", **bad)
    with pytest.raises(ValueError, match="method is 'tsne'; expected one of components, horopca"):
        project_disk(x, manifold=manifold, method="tsne")
