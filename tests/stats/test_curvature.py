"""The curvature that fits distances best: of points whose curvature is known, and of trees."""

import networkx as nx
import pytest
import torch
from cases import points

from spaceforms.manifolds import Euclidean, Lorentz, PoincareBall, Sphere, Stereographic
from spaceforms.stats import best_curvature

F64 = torch.float64
SPACES = [
    Lorentz(-1.0),
    Lorentz(-0.2),
    PoincareBall(-3.0),
    Stereographic(-0.5),
    Euclidean(),
    Stereographic(0.3),
    Sphere(0.5),
    Sphere(2.0),
]


def near(manifold, dim=3, count=30):
    return points(manifold, count, dim, seed=4, spread=1.0)


def steepness(found, curvature):
    """The stress a unit of K D^2 away: the smaller slope of the profile beside this curvature."""
    unit = found.diameter**2
    return min(s / abs(k - curvature) / unit for k, s in found.profile if s > 1e-6)


@pytest.mark.parametrize("manifold", SPACES, ids=str)
@pytest.mark.parametrize("more", [0, 2])
def test_points_of_a_space_have_its_curvature(manifold, more):
    found = best_curvature(near(manifold), 3 + more, manifold=manifold)
    k = float(torch.as_tensor(manifold.curvature))
    # The search ends 1e-8 from the least, in units of 1/D^2 and of K D^2 if that is larger, or
    # where the stress is its rounding. That of eigenvalues which should be 0 goes with the square
    # root of theirs: 30 eps cosh(D), where there are more dimensions than the points take.
    size = max(1.0, abs(k) * found.diameter**2)
    rounding = (30 * 2.2e-16) ** (0.5 if more else 1.0) * 2.72 ** min(size**0.5, 20.0)
    slope = steepness(found, k)
    assert slope > 1e-4
    tolerance = (2e-8 * size + rounding / slope) / found.diameter**2
    assert abs(found.curvature - k) < tolerance < 0.05 * max(abs(k), 0.05)
    assert found.stress < 1e-6
    assert found.points == 30


@pytest.mark.parametrize("manifold", [Lorentz(-1.0), Euclidean(), Sphere(0.5)], ids=str)
def test_a_table_twice_as_large_has_a_quarter_of_the_curvature(manifold):
    x = near(manifold)
    table = manifold.cdist(x, x)
    one, two = best_curvature(table, 2), best_curvature(2 * table, 2)
    assert two.curvature == one.curvature / 4
    assert two.stress == one.stress


def test_a_tree_is_clearly_negative_and_a_circle_a_circle():
    tree = torch.tensor(nx.floyd_warshall_numpy(nx.balanced_tree(2, 5)))
    found = best_curvature(tree, 8)
    assert found.curvature * found.diameter**2 < -20
    assert found.stress < 0.8 * found.flat
    circle = best_curvature(torch.tensor(nx.floyd_warshall_numpy(nx.cycle_graph(24))), 1)
    # As long as the circle of curvature (2 pi/24)^2, from pole to pole.
    assert circle.curvature == pytest.approx((2 * torch.pi / 24) ** 2, rel=1e-6)
    assert circle.at_end
    assert circle.stress < 1e-6


def test_the_profile_is_the_stress_at_each_curvature():
    x = near(Lorentz())
    found = best_curvature(x, 3, manifold=Lorentz())
    curvatures = [k for k, _ in found.profile]
    assert curvatures == sorted(curvatures)
    assert found.stress <= min(s for _, s in found.profile)
    assert dict(found.profile)[0.0] == found.flat
    # Flat: what classical scaling leaves, by its definition.
    table = Lorentz().cdist(x, x)
    middle = torch.eye(30, dtype=F64) - 1 / 30
    values, vectors = torch.linalg.eigh(-middle @ table.square() @ middle / 2)
    placed = vectors[:, -3:] * values[-3:].sqrt()
    flat = (torch.cdist(placed, placed) - table).norm() / table.norm()
    assert found.flat == pytest.approx(float(flat), rel=1e-7)


def test_a_wrong_number_of_dimensions_is_seen_by_the_stress():
    x = near(Sphere(0.5))
    low, high = (best_curvature(x, d, manifold=Sphere(0.5)).stress for d in (2, 3))
    assert high < 1e-8
    assert low > 1e-2


def test_of_many_points_a_sample_is_placed():
    x = near(Lorentz(), count=60)
    found = best_curvature(x, 3, manifold=Lorentz(), max_points=20)
    assert found.points == 20
    assert found.curvature == pytest.approx(-1.0, abs=1e-5)


def test_points_that_all_coincide_have_no_curvature():
    with pytest.raises(ValueError, match="all distances are 0; expected two different points"):
        best_curvature(torch.zeros(4, 4), 2)
    with pytest.raises(ValueError, match="dim is 0; expected an integer of at least 1"):
        best_curvature(torch.zeros(4, 4), 0)
