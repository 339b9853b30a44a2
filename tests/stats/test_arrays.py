"""Arrays of NumPy and lists are taken as what they are: the result is that of the tensor."""

import numpy as np
import pytest
import torch

from spaceforms import stats
from spaceforms.manifolds import HalfSpace, Lorentz
from spaceforms.manifolds.checks import to_tensor
from spaceforms.search import brute_force, build_index

SPACE = Lorentz(-0.7)
X = SPACE.from_normal(torch.randn(12, 3, generator=torch.Generator().manual_seed(0)).double())
W = torch.arange(1.0, 13.0, dtype=torch.float64)
TABLE = SPACE.cdist(X, X)
PAIRS = torch.tensor([[0, 1], [0, 2], [3, 4], [5, 1]])
IDEAL = torch.eye(3, dtype=torch.float64)[:2]
PCA, PGA = stats.tangent_pca(SPACE, X, 2), stats.pga(SPACE, X, 2)
HORO = stats.horopca(SPACE, X, 2)
CALLS = {
    "centroid": lambda of: stats.centroid(SPACE, of(X), of(W)),
    "of sets": lambda of: stats.centroid(
        SPACE, of(X), of(W), index=of(torch.arange(len(X)) // 2), size=len(X)
    ),
    "lorentz_centroid": lambda of: stats.lorentz_centroid(SPACE, of(X), of(W)),
    "einstein_midpoint": lambda of: stats.einstein_midpoint(SPACE, of(X), of(W)),
    "gyromidpoint": lambda of: stats.gyromidpoint(SPACE, of(X), of(W)),
    "geometric_median": lambda of: stats.geometric_median(SPACE, of(X), of(W)),
    "frechet_variance": lambda of: stats.frechet_variance(SPACE, of(X), of(W), mean=of(X[0])),
    "tangent_pca": lambda of: stats.tangent_pca(SPACE, of(X), 2, of(W), mean=of(X[0])).axes,
    "transform": lambda of: PCA.transform(of(X)),
    "inverse_transform": lambda of: PCA.inverse_transform(of(X[:, :2])),
    "project": lambda of: PGA.project(of(X)),
    "pga": lambda of: stats.pga(SPACE, of(X), 1, of(W), mean=of(X[0])).axes,
    "horopca": lambda of: stats.horopca(SPACE, of(X), 2, mean=of(X[0])).ideal_points,
    "horopca's transform": lambda of: HORO.transform(of(X)),
    "horopca's project": lambda of: HORO.project(of(X)),
    "horospherical_projection": lambda of: stats.horospherical_projection(SPACE, of(X), of(IDEAL)),
    "distortion": lambda of: torch.tensor(stats.distortion(of(X), of(X.flip(0)), manifold=SPACE)),
    "worst_distortion": lambda of: torch.tensor(
        stats.worst_distortion(of(TABLE), of(X), manifold=SPACE, points=of(PAIRS[:, 0]))
    ),
    "delta_hyperbolicity": lambda of: torch.tensor(stats.delta_hyperbolicity(of(TABLE)).delta),
    "best_curvature": lambda of: torch.tensor(stats.best_curvature(of(TABLE), 3).curvature),
    "of points": lambda of: torch.tensor(stats.best_curvature(of(X), 2, manifold=SPACE).stress),
    "of a function": lambda of: torch.tensor(
        stats.delta_hyperbolicity(lambda i: of(TABLE[i]), count=12).mean
    ),
    "reconstruction": lambda of: torch.tensor(
        stats.reconstruction(of(X), of(PAIRS), manifold=SPACE, points=of(PAIRS[:1, 0]))
    ),
    "related_ranks": lambda of: stats.related_ranks(of(TABLE), of(PAIRS)),
    "mean_rank": lambda of: torch.tensor(stats.mean_rank(of(TABLE), of(PAIRS))),
    "mean_average_precision": lambda of: torch.tensor(
        stats.mean_average_precision(of(TABLE), of(PAIRS))
    ),
    "brute_force": lambda of: brute_force(SPACE, of(X), of(X[:3]), 2).indices,
    "build_index": lambda of: build_index(SPACE, of(X)).search(of(X[:3]), 2).distances,
}


@pytest.mark.parametrize("call", CALLS)
def test_arrays_and_lists_give_what_tensors_do(call):
    if call == "build_index":
        pytest.importorskip("faiss")
    found = CALLS[call](lambda x: x)
    for of in (torch.Tensor.numpy, torch.Tensor.tolist):
        torch.testing.assert_close(CALLS[call](of), found, rtol=0, atol=0)


def test_every_public_function_is_among_them():
    functions = {name for name in stats.__all__ if callable(getattr(stats, name))}
    functions -= {name for name in functions if name[0].isupper()}
    assert functions <= set(CALLS)


def test_a_chart_takes_arrays_too():
    space = HalfSpace(-0.7)
    x = space.from_normal(SPACE.to_normal(X))
    found = stats.lorentz_centroid(space, x)
    torch.testing.assert_close(stats.lorentz_centroid(space, x.numpy()), found, rtol=0, atol=0)


def test_a_table_of_whole_numbers_is_one_of_distances():
    path = np.abs(np.subtract.outer(np.arange(6), np.arange(6)))
    assert stats.delta_hyperbolicity(path).delta == 0
    found = stats.best_curvature(torch.from_numpy(path).double(), 1)
    assert stats.best_curvature(path.tolist(), 1) == found


def test_an_array_keeps_its_kind_of_numbers_however_it_lies_in_memory():
    base = np.arange(12.0).reshape(3, 4)
    for array in (
        base[::-1, ::2], base.T, base.astype(">f8"), base.astype(np.float32), base.astype(int),
        base > 3, np.float64(2.0),
    ):  # fmt: skip
        found = to_tensor("f", "x", array)
        np.testing.assert_array_equal(found.numpy(), array)
        assert found.numpy().dtype == np.asarray(array).dtype.newbyteorder("=")
    found = to_tensor("f", "x", base)
    found[0, 0] = 7.0
    assert base[0, 0] == 0.0  # a copy
    base.flags.writeable = False
    to_tensor("f", "x", base)  # without torch's warning
    assert to_tensor("f", "x", [[1, 2]]).dtype == torch.int64
    assert to_tensor("f", "x", ((0.1, 2),))[0, 0].item() == 0.1
    assert to_tensor("f", "x", None) is None
