"""Tables, neighbours and functions of two vectors, against the manifolds' own distances."""

import sys

import mpmath
import numpy as np
import pytest
import torch

from spaceforms.integrations import distance_matrix, metric, nearest_neighbours, neighbour_graph
from spaceforms.manifolds import Euclidean, Lorentz, PoincareBall, Product, Sphere, Stereographic

SPACES = [Euclidean(), Lorentz(-0.5), PoincareBall(-2.0), Sphere(0.3), Stereographic(-1.0)]
SEED = torch.Generator().manual_seed(0)
V = torch.randn(60, 4, dtype=torch.float64, generator=SEED)

each_space = pytest.mark.parametrize("space", SPACES, ids=str)


@each_space
def test_the_function_of_two_vectors_is_the_distance_of_their_points(space):
    x = space.from_normal(V)
    wanted = space.dist(x[:30], x[30:]).numpy()
    found = [metric(space)(u, v) for u, v in zip(V[:30].numpy(), V[30:].numpy(), strict=True)]
    # 8 u (1 + kappa) for dist, kappa below 30 within 5 radii; no antipodes within 1e-3 here.
    np.testing.assert_allclose(found, wanted, rtol=1e-13)


def test_the_function_is_the_hyperbolic_law_of_cosines_at_fifty_digits():
    f = metric(Lorentz(-0.25))
    with mpmath.workdps(50):
        for u, v in [
            ((3.0, 4.0), (4.0, 3.0)),
            ((1e-9, 0.0), (0.0, 2e-9)),
            ((300.0, 1.0), (9.0, 9.0)),
        ]:
            r, s = (mpmath.sqrt(sum(mpmath.mpf(c) ** 2 for c in w)) / 2 for w in (u, v))
            dot = sum(mpmath.mpf(a) * b for a, b in zip(u, v, strict=True)) / (4 * r * s)
            cosh = mpmath.cosh(r) * mpmath.cosh(s) - mpmath.sinh(r) * mpmath.sinh(s) * dot
            wanted = 2 * mpmath.acosh(cosh)
            # 4 u of each factor; sinh(150) carries 150 u
            assert abs(f(u, v) / wanted - 1) < 200 * 2.0**-53


@each_space
def test_the_function_at_the_origin_and_at_coincidence(space):
    f, v = metric(space), [0.3, -0.4]
    assert f(v, v) == f([0.0, 0.0], [0.0, 0.0]) == 0.0
    assert abs(f(v, [0.0, 0.0]) - 0.5) < 2**-50
    assert f(v, [0.0, 0.0]) == f([0.0, 0.0], v)


def test_a_learned_curvature_is_that_of_now():
    space = Lorentz(-1.0, learnable=True)
    with torch.no_grad():
        space._magnitude.raw.fill_(1.0)
    x = space.from_normal(V)
    assert metric(space)(V[0].numpy(), V[1].numpy()) == pytest.approx(
        float(space.dist(x[0], x[1]).detach()), rel=1e-13, abs=0
    )


@each_space
def test_a_table_is_all_distances_symmetric_and_zero_on_its_diagonal(space):
    x = space.from_normal(V)
    table = distance_matrix(space, x)
    assert table.dtype == np.float64
    assert np.array_equal(table, table.T)
    assert not table.diagonal().any()
    wanted = torch.stack([space.dist(p, x) for p in x])
    # A product's rounding of cs(r)^2 u < 1e-11 in sn(d/2)^2, of points at least 0.1 apart.
    np.testing.assert_allclose(table, wanted, rtol=1e-8, atol=0)
    some = distance_matrix(space, x[:3].numpy(), x)
    np.testing.assert_allclose(some, wanted[:3], rtol=1e-8, atol=1e-7)


@each_space
def test_the_nearest_are_those_of_the_table_and_a_point_is_its_own_first(space):
    x = space.from_normal(torch.cat([V, V[:5]]))  # five of them twice
    indices, distances = nearest_neighbours(space, x, 7)
    assert np.array_equal(indices[:, 0], np.arange(65))
    assert not distances[:, 0].any()
    assert all(len(set(row)) == 7 for row in indices)
    table = distance_matrix(space, x)
    np.testing.assert_allclose(np.sort(table, axis=1)[:, :7], distances, rtol=1e-12, atol=1e-7)
    np.testing.assert_allclose(
        np.take_along_axis(table, indices, 1), distances, rtol=1e-12, atol=1e-7
    )


def test_as_many_neighbours_as_are_asked_for_or_a_sentence():
    indices, _ = nearest_neighbours(Euclidean(), V[:3], 3)
    assert indices.shape == (3, 3)
    with pytest.raises(ValueError, match="nearest_neighbours: k is 4; expected 1 to 3, the number"):
        nearest_neighbours(Euclidean(), V[:3], 4)
    with pytest.raises(ValueError, match="k is 0"):
        nearest_neighbours(Euclidean(), V, 0)


@each_space
def test_two_vectors_are_of_one_length(space):
    f = metric(space)
    for u, v in [([0.0, 1.0], [1.0, 2.0, 3.0]), ([1.0, 2.0, 3.0], [0.0, 1.0]), ([], [1.0])]:
        with pytest.raises(ValueError, match="metric: the two vectors have unequal lengths; exp"):
            f(u, v)


@pytest.mark.parametrize(
    ("package", "call"),
    [
        ("numba", lambda: metric(Lorentz(), compiled=True)),
        ("scipy", lambda: neighbour_graph(Euclidean(), V, 3)),
    ],
)
def test_what_is_not_installed_is_named_with_the_way_to_get_it(monkeypatch, package, call):
    class Absent:
        def find_spec(self, name, *_):
            if name.partition(".")[0] == package:
                raise ModuleNotFoundError(f"No module named {package!r}", name=package)

    for name in [m for m in sys.modules if m.partition(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [Absent(), *sys.meta_path])
    sentence = rf"needs {package}, which is not installed: pip install {package}\."
    with pytest.raises(ModuleNotFoundError, match=sentence):
        call()


def test_a_product_has_no_function_of_normal_coordinates():
    with pytest.raises(NotImplementedError, match="a product has no one sign"):
        metric(Product([Lorentz(), Sphere()], dims=[2, 2]))
