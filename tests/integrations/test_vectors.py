"""Vectors for databases of dot products: their order, the bound of their error, what is proven."""

import math

import pytest
import torch

from spaceforms.integrations import features
from spaceforms.manifolds import (
    Euclidean,
    HalfSpace,
    Lorentz,
    PoincareBall,
    Product,
    Sphere,
)
from spaceforms.search import brute_force

SPACES = [Lorentz(-0.5), PoincareBall(-2.0), HalfSpace(-1.0), Sphere(0.7), Euclidean()]
each_space = pytest.mark.parametrize("space", SPACES, ids=str)


def points(space, count, radius, dim=12, seed=0):
    """Float64 points at one distance from the origin, in units of R."""
    generator = torch.Generator().manual_seed(seed)
    v = torch.randn(count, dim, dtype=torch.float64, generator=generator)
    return space.from_normal(radius * space.radius * v / v.norm(dim=1, keepdim=True))


@each_space
@pytest.mark.parametrize("radius", [0.1, 1.0, 2.0, 4.0, 6.0, 8.0, 10.0])
def test_float32_products_are_off_by_at_most_the_bound_at_every_radius(space, radius):
    if space.sign > 0:
        radius /= 10 / 3
    x, q = points(space, 300, radius), points(space, 40, radius, seed=1)
    q[:10] = x[:10]
    vectors = features(space, x)
    products = vectors.queries(q) @ vectors.keys.T
    distances = torch.stack([space.dist(p, x) for p in q])
    rows = q.repeat_interleave(300, dim=0)
    exact = vectors.product(rows, distances.flatten()).reshape(products.shape)
    bound = vectors.bound(rows, distances.flatten()).reshape(products.shape)
    error = (products.double() - exact).abs()
    assert (error <= bound).all()
    assert error.max() > bound.max() / 500  # and it is a bound of this error


@each_space
def test_products_order_points_as_distances_do(space):
    x, q = points(space, 200, 1.5), points(space, 20, 1.2, seed=1)
    vectors = features(space, x)
    assert vectors.keys.dtype == vectors.queries(q).dtype == torch.float32
    found = (vectors.queries(q) @ vectors.keys.T).argsort(dim=1, descending=True)
    distances = torch.stack([space.dist(p, x) for p in q])
    ordered = distances.gather(1, found)
    # Products that are nearer than twice the bound may change places, by so much of a distance.
    lost = 2 * vectors.bound(q, distances.max(dim=1).values)
    value = torch.stack([vectors.product(q, d) for d in ordered.T], dim=1)
    assert (value.diff(dim=1) <= lost[:, None]).all()


@each_space
def test_what_is_called_complete_is_what_brute_force_finds(space):
    complete = {}
    for radius in (1.0, 3.0, 9.0) if space.sign < 0 else (1.0,):
        # Five families about a third of R wide: they are far from each other, and narrow angles.
        generator = torch.Generator().manual_seed(0)
        v = torch.randn(5, 1, 12, dtype=torch.float64, generator=generator)
        v = v / v.norm(dim=-1, keepdim=True)
        width = 0.1 / math.sinh(radius) if space.sign < 0 else 0.1
        v = v + width * torch.randn(5, 106, 12, dtype=torch.float64, generator=generator)
        v = radius * space.radius * v / v.norm(dim=-1, keepdim=True)
        family = space.from_normal(v)
        x, q = family[:, :100].flatten(0, 1), family[:, 100:].flatten(0, 1)
        vectors = features(space, x)
        top = (vectors.queries(q) @ vectors.keys.T).topk(40)
        found = vectors.rerank(q, top.indices, 5)
        sure = vectors.complete(q, found.distances, top.values[:, -1])
        true = brute_force(space, x, q, 5)
        # Two of one distance to rounding may change places.
        torch.testing.assert_close(
            found.distances[sure], true.distances[sure], rtol=1e-12, atol=1e-12
        )
        complete[radius] = float(sure.double().mean())
    assert complete[1.0] == 1.0
    if space.sign < 0:  # cosh(9)^2 u is 1, and little can be told within a family
        assert complete[9.0] < 1.0


@each_space
def test_quantised_keys_are_proven_by_the_norm_of_what_they_lost(space):
    x, q = points(space, 500, 1.0), points(space, 30, 1.0, seed=1)
    vectors = features(space, x)
    low, high = vectors.keys.min(0).values, vectors.keys.max(0).values
    step = (high - low).clamp(min=1e-30) / 255  # eight bits a number, as FAISS's SQ8
    stored = low + ((vectors.keys - low) / step).round() * step
    lost = float((vectors.keys.double() - stored.double()).norm(dim=1).max())
    top = (vectors.queries(q) @ stored.T).topk(200)
    found = vectors.rerank(q, top.indices, 5)
    sure = vectors.complete(q, found.distances, top.values[:, -1], key_error=lost)
    assert sure.any()
    true = brute_force(space, x, q, 5)
    torch.testing.assert_close(found.distances[sure], true.distances[sure], rtol=1e-12, atol=1e-12)
    # With all of what it lost unsaid it would be sure of more.
    assert sure.sum() <= vectors.complete(q, found.distances, top.values[:, -1]).sum()


def test_a_learned_curvature_is_that_of_now_and_missing_candidates_are_far():
    space = Lorentz(-0.5, learnable=True)
    x = points(space, 20, 1.0).detach()
    vectors = features(space, x)
    assert torch.equal(vectors.keys, features(Lorentz(-0.5), x).keys)
    found = vectors.rerank(x[:2], torch.tensor([[3, 0, -1], [1, -1, -1]]), 2)
    assert found.indices.tolist() == [[0, 3], [1, -1]]
    assert found.distances[1, 1] == torch.inf


def test_what_has_no_such_vectors_gets_a_sentence():
    with pytest.raises(TypeError, match="search: manifold is a Product; expected one of"):
        features(Product([Lorentz(), Sphere()], dims=[2, 2]), torch.randn(4, 6))
    x = points(Lorentz(), 5, 1.0)
    with pytest.raises(ValueError, match=r"candidates are \(5, 2\) for 5 queries and k is 3"):
        features(Lorentz(), x).rerank(x, torch.zeros(5, 2, dtype=torch.long), 3)


def test_arrays_of_a_database_are_taken_and_words_get_a_sentence():
    """FAISS answers in arrays."""
    space = Lorentz(-0.5)
    x = space.from_normal(torch.randn(30, 4, generator=torch.Generator().manual_seed(1)))
    vectors, queries = features(space, x), x[:3].numpy()
    found = (vectors.queries(queries) @ vectors.keys.T).topk(9)
    near = vectors.rerank(queries, found.indices.numpy(), 2)
    assert torch.equal(near.indices, vectors.rerank(x[:3], found.indices, 2).indices)
    last = found.values[:, -1]
    sure = vectors.complete(queries, near.distances.numpy(), last.numpy())
    assert torch.equal(sure, vectors.complete(x[:3], near.distances, last))
    for call, name in (
        (lambda: vectors.queries("words"), "queries: points is a str"),
        (lambda: vectors.rerank(x[:3], found.values, 2), "rerank: candidates has dtype torch.fl"),
    ):
        with pytest.raises(TypeError, match=rf"^Vectors\.{name}.*; expected a"):
            call()
