"""scikit-learn, UMAP and TorchDR themselves, on distances of ours."""

import warnings

import numpy as np
import pytest
import torch
from sklearn.cluster import DBSCAN, AgglomerativeClustering
from sklearn.metrics import silhouette_score
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors

from spaceforms.integrations import distance_matrix, metric, nearest_neighbours, neighbour_graph
from spaceforms.manifolds import Euclidean, Lorentz, Sphere

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of parts that want TensorFlow, and of SWIG's types
    import umap
    from torchdr import AffinityMatcher, NormalizedStudentAffinity

SPACE = Lorentz(-0.5)


def families(count=4, each=30, radius=6.0):
    """Families far out, near to their midst: apart by distance, not by the chart's coordinates."""
    seed = torch.Generator().manual_seed(1)
    midst = torch.nn.functional.normalize(torch.randn(count, 3, generator=seed), dim=1)
    v = radius * midst[:, None] + 0.05 * torch.randn(count, each, 3, generator=seed)
    return v.flatten(0, 1).double(), np.repeat(np.arange(count), each)


V, LABELS = families()
X = SPACE.from_normal(V)


@pytest.mark.parametrize("space", [SPACE, Sphere(0.1), Euclidean()], ids=str)
def test_the_compiled_function_is_the_plain_one(space):
    plain, quick = metric(space), metric(space, compiled=True)
    for u, v in zip(V[:20].numpy(), V[40:60].numpy(), strict=True):
        assert quick(u, v) == pytest.approx(plain(u, v), rel=1e-14, abs=0)


def test_dbscan_and_nearest_neighbours_agree_on_table_graph_and_function():
    table, graph = distance_matrix(SPACE, X), neighbour_graph(SPACE, X, 60)
    found = [
        DBSCAN(eps=3.0, metric="precomputed").fit(table).labels_,
        DBSCAN(eps=3.0, metric="precomputed").fit(graph).labels_,
        DBSCAN(eps=3.0, metric=metric(SPACE), algorithm="brute").fit(V.numpy()).labels_,
        DBSCAN(eps=3.0, metric=metric(SPACE), algorithm="ball_tree").fit(V.numpy()).labels_,
    ]
    for labels in found:
        assert np.array_equal(labels, LABELS)
    near = NearestNeighbors(n_neighbors=5, metric=metric(SPACE), algorithm="ball_tree")
    _, indices = near.fit(V.numpy()).kneighbors()
    assert np.array_equal(np.sort(indices), np.sort(nearest_neighbours(SPACE, X, 6)[0][:, 1:]))


def test_a_classifier_a_clustering_and_a_score_take_the_table():
    table = distance_matrix(SPACE, X)
    classifier = KNeighborsClassifier(3, metric="precomputed").fit(table[::2, ::2], LABELS[::2])
    assert classifier.score(table[1::2, ::2], LABELS[1::2]) == 1.0
    clusters = AgglomerativeClustering(4, metric="precomputed", linkage="average")
    assert silhouette_score(table, clusters.fit_predict(table), metric="precomputed") > 0.5


@pytest.mark.filterwarnings("ignore")  # of numba, pynndescent and UMAP itself
def test_umap_takes_the_neighbours_the_table_and_the_compiled_function():
    knn = (*nearest_neighbours(SPACE, X, 15), None)
    options = {"n_neighbors": 15, "random_state": 0, "n_epochs": 50}
    for made in (
        umap.UMAP(precomputed_knn=knn, **options).fit(V.numpy()),
        umap.UMAP(metric="precomputed", **options).fit(distance_matrix(SPACE, X)),
        umap.UMAP(metric=metric(SPACE, compiled=True), **options).fit(V.numpy()),
    ):
        # Neighbourhoods are those of the space: no edge leaves a family.
        rows, columns = made.graph_.nonzero()
        assert np.array_equal(LABELS[rows], LABELS[columns])


@pytest.mark.filterwarnings("ignore")
def test_torchdr_takes_no_distances_but_affinities_of_them():
    table = torch.from_numpy(distance_matrix(SPACE, X))
    affinity = (-(table**2) / 2).exp().fill_diagonal_(0)
    made = AffinityMatcher(
        affinity_in="precomputed",
        affinity_out=NormalizedStudentAffinity(),
        max_iter=50,
        random_state=0,
        device="cpu",
    ).fit_transform(affinity / affinity.sum())
    assert made.shape == (120, 2)
    assert torch.isfinite(made).all()
