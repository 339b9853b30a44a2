"""Qdrant itself, in the memory of this process: vectors of `features`, found and measured again."""

import pytest
import torch
from qdrant_client import QdrantClient
from qdrant_client.models import Distance, PointStruct, VectorParams

from spaceforms.integrations import features
from spaceforms.manifolds import Euclidean, Lorentz, PoincareBall, Sphere
from spaceforms.search import brute_force


def stored(vectors):
    client = QdrantClient(":memory:")
    size = VectorParams(size=vectors.keys.shape[1], distance=Distance.DOT)
    client.create_collection("points", vectors_config=size)
    rows = enumerate(vectors.keys.tolist())
    client.upsert("points", [PointStruct(id=k, vector=row) for k, row in rows])
    return client


def asked(client, vectors, queries, count):
    """The rows that it gives for each query, and the smallest product."""
    found = [
        client.query_points("points", query=row, limit=count).points
        for row in vectors.queries(queries).tolist()
    ]
    rows = torch.tensor([[point.id for point in points] for points in found])
    return rows, torch.tensor([points[-1].score for points in found])


@pytest.mark.parametrize(
    "space", [Lorentz(-0.5), PoincareBall(-2.0), Sphere(0.7), Euclidean()], ids=str
)
def test_its_nearest_by_dot_product_measured_again_are_the_nearest(space):
    seed = torch.Generator().manual_seed(0)
    v = torch.randn(500, 8, dtype=torch.float64, generator=seed) / 3
    points, queries = space.from_normal(v[:450]), space.from_normal(v[450:])
    vectors = features(space, points)
    client = stored(vectors)
    rows, last = asked(client, vectors, queries, 20)
    found = vectors.rerank(queries, rows, k=5)
    wanted = brute_force(space, points, queries, 5)
    assert torch.equal(found.indices, wanted.indices)
    torch.testing.assert_close(found.distances, wanted.distances, rtol=1e-12, atol=1e-12)
    # It compares with every vector, so what is proven of its answers is.
    assert vectors.complete(queries, found.distances, last).all()
    # Its scores are the float32 products, within the bound of those without rounding.
    score = client.query_points("points", query=vectors.queries(queries)[0].tolist(), limit=1)
    exact = vectors.product(queries[:1], found.distances[0, :1])
    bound = vectors.bound(queries[:1], found.distances[0, :1])
    assert abs(score.points[0].score - exact) <= bound


def test_by_cosine_its_order_would_be_another():
    space = Lorentz(-1.0)
    v = torch.tensor([[0.5, 0.0], [3.0, 0.0], [0.6, 0.3]], dtype=torch.float64)
    points = space.from_normal(v)
    vectors = features(space, points[1:])
    rows, _ = asked(stored(vectors), vectors, points[:1], 2)
    assert rows.tolist() == [[1, 0]]
    cosine = torch.nn.functional.cosine_similarity(v[:1], v[1:])
    assert cosine.argmax() == 0
