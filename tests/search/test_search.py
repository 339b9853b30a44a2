"""Nearest neighbours: an index gives what comparing with every point gives."""

import hashlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from cases import CASES, points

from spaceforms.manifolds import Checked, Euclidean, Lorentz, PoincareBall, Product, Sphere
from spaceforms.search import brute, brute_force, build_index, load_index

SPACES = [
    pytest.param(CASES[name], id=name)
    for name in (
        *("Euclidean", "Sphere(2.5)", "PoincareBall(-0.3)", "Lorentz(-1)"),
        "Lorentz(-0.7, learnable)",
    )
]
DTYPES = [torch.float32, torch.float64]


@pytest.fixture(autouse=True)
def _faiss(request):
    if "sentence" not in request.node.name:
        pytest.importorskip("faiss")


def clustered(space, count, radius, *, seed=0, dtype=torch.float32):
    """Siblings within about 1 of a hundred places at the given distance from the origin, in R."""
    generator = torch.Generator().manual_seed(seed)
    unit = float(space.radius)
    c = torch.randn(100, 4, generator=generator, dtype=torch.float64)
    c = space.from_normal(radius * unit * c / c.norm(dim=-1, keepdim=True))
    w = torch.randn(count, 5, generator=generator, dtype=torch.float64) * (unit / 2)
    w[:, 0] = 0
    c = c[torch.randint(100, (count,), generator=generator)]
    return space.expmap(c, space.transport0(c, w)).to(dtype)


def nearest_by_definition(space, x, queries, k):
    """All distances pair by pair, sorted."""
    return space.dist(queries.double().unsqueeze(-2), x.double()).sort(dim=-1, stable=True)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("space", SPACES)
def test_the_neighbours_are_those_of_brute_force_among_ten_thousand_points(space, dtype):
    x = points(space, 10_000, 6, seed=1, dtype=dtype)
    queries = points(space, 5, 4, 6, seed=2, dtype=dtype)
    found = build_index(space, x).search(queries, 10)
    true = brute_force(space, x, queries, 10, matmul=True)
    assert found.indices.shape == found.distances.shape == (5, 4, 10)
    assert found.distances.dtype == dtype
    assert torch.equal(found.indices, true.indices)
    exact = space.dist(queries.unsqueeze(-2).double(), x[found.indices].double())
    eps = torch.finfo(dtype).eps  # rows of another length round otherwise, in the last place
    torch.testing.assert_close(found.distances, exact.detach().to(dtype), rtol=4 * eps, atol=0)


@pytest.mark.parametrize("matmul", [False, True])
@pytest.mark.parametrize("space", SPACES)
def test_brute_force_sorts_all_distances(space, matmul):
    x, queries = points(space, 3000, 4, seed=1), points(space, 7, 4, seed=2)
    found = brute_force(space, x, queries, 20, matmul=matmul)
    distances, indices = nearest_by_definition(space, x, queries, 20)
    assert torch.equal(found.indices, indices[:, :20])
    torch.testing.assert_close(found.distances, distances[:, :20].detach(), rtol=1e-9, atol=0)


@pytest.mark.parametrize("radius", [2.0, 6.0, 10.0, 20.0])
def test_far_out_where_the_product_has_lost_all_digits_the_neighbours_are_still_found(radius):
    space = Lorentz(-0.5)
    x = clustered(space, 4000, radius)
    queries = x[:10]
    index = build_index(space, x)
    found = index.search(queries, 5)
    distances, _ = nearest_by_definition(space, x, queries, 5)
    torch.testing.assert_close(found.distances, distances[:, :5].float(), rtol=1e-6, atol=0)
    assert torch.equal(found.indices[:, 0], torch.arange(10))
    alone = index.faiss_index.search(index._form.queries(queries.double()).float().numpy(), 5)[1]
    share = (found.indices.unsqueeze(-1) == torch.from_numpy(alone).unsqueeze(-2)).any(-1)
    # What the product by itself finds is all near the origin and next to nothing far out.
    assert share.float().mean() > 0.95 if radius == 2 else True
    assert share.float().mean() < 0.5 if radius > 6 else True


@pytest.mark.parametrize(
    "space", [Lorentz(-1.0), PoincareBall(-2.0), Sphere(0.5), Euclidean()], ids=repr
)
def test_the_bound_of_the_products_rounding_holds(space):
    n = 6
    x = points(space, 2000, n, seed=1, spread=3.0).float()
    queries = points(space, 50, n, seed=2, spread=3.0).float()
    index = build_index(space, x)
    form = index._form
    score, found = index.faiss_index.search(form.queries(queries.double()).float().numpy(), 2000)
    value = torch.from_numpy(score).double() * (1 if form.squared_distances else -1)
    distances = space.dist(queries.double().unsqueeze(1), x.double()[found])
    for row in range(2000 // 40):
        d = distances[:, row * 40]
        off = (value[:, row * 40] - form.value(queries.double(), d)).abs()
        assert (off <= form.noise(queries.double(), d)).all()


def test_equal_points_all_count_and_none_is_missed():
    space = Sphere(1.0)
    x = points(space, 1, 3, dtype=torch.float32).expand(5000, 4)
    found = build_index(space, x).search(x[:2], 3)
    assert torch.equal(found.distances, torch.zeros(2, 3))
    assert (found.indices >= 0).all()


def test_a_point_far_out_does_not_spoil_the_others():
    space = Lorentz(-1.0)
    x = points(space, 3000, 4, seed=1)
    far = space.from_normal(torch.tensor([[200.0, 0, 0, 0], [0, 60.0, 0, 0]], dtype=x.dtype))
    x = torch.cat([x, far])
    queries = torch.cat([points(space, 20, 4, seed=2), far])
    found = build_index(space, x).search(queries, 4)
    distances, indices = nearest_by_definition(space, x, queries, 4)
    assert torch.equal(found.indices, indices[:, :4])
    torch.testing.assert_close(found.distances, distances[:, :4], rtol=1e-12, atol=1e-12)


def test_a_cloud_far_from_the_origin_of_flat_space_is_centred():
    space = Euclidean()
    x = points(space, 5000, 4, seed=1) + 1e6
    queries = x[:20]
    found = build_index(space, x).search(queries, 4)
    _, indices = nearest_by_definition(space, x, queries, 4)
    assert torch.equal(found.indices, indices[:, :4])


@pytest.mark.parametrize(
    ("space", "factory"),
    [
        (Lorentz(-1.0), "IVF16,Flat"),
        (Sphere(1.0), "IVF16,Flat"),
        (Sphere(1.0), "HNSW16"),
        (Euclidean(), "IVF16,Flat"),
        (Euclidean(), "HNSW16"),
    ],
    ids=repr,
)
def test_other_indices_of_faiss_find_most_and_rank_them_exactly(space, factory):
    x, queries = points(space, 5000, 4, seed=1), points(space, 40, 4, seed=2)
    index = build_index(space, x, factory=factory, oversample=8)
    if factory.startswith("IVF"):
        index.faiss_index.nprobe = 8
    found = index.search(queries, 5)
    true = brute_force(space, x, queries, 5)
    assert (found.distances <= true.distances[:, -1:]).double().mean() > 0.8
    assert (found.distances.diff(dim=-1) >= 0).all()
    exact = space.dist(queries.unsqueeze(1), x[found.indices])
    torch.testing.assert_close(found.distances, exact, rtol=4 * torch.finfo(x.dtype).eps, atol=0)


def test_where_an_index_finds_fewer_the_rest_is_marked():
    space = Lorentz(-1.0)
    x = points(space, 2000, 4, seed=1)
    index = build_index(space, x, factory="IVF64,Flat")
    found = index.search(x[:5], 500)  # of one cell of about 30
    missing = found.indices < 0
    assert missing.any()
    assert found.distances[missing].isinf().all()
    assert found.distances[~missing].isfinite().all()


@pytest.mark.parametrize("space", SPACES)
def test_a_saved_index_is_loaded_as_it_was(space, tmp_path):
    x, queries = points(space, 500, 4, seed=1), points(space, 6, 4, seed=2)
    index = build_index(space, x, oversample=3)
    index.save(tmp_path / "folder")
    again = load_index(tmp_path / "folder")
    assert repr(again) == repr(index)
    assert len(again) == 500
    assert again.oversample == 3
    for a, b in zip(index.search(queries, 5), again.search(queries, 5), strict=True):
        assert torch.equal(a, b)


def test_the_curvature_is_that_of_the_day_and_nothing_is_tracked():
    space = Lorentz(-0.7, learnable=True)
    x = points(space, 100, 3).requires_grad_()
    index = build_index(Checked(space), x)
    before = index.search(x[:3], 2)
    assert not before.distances.requires_grad
    with torch.no_grad():
        next(space.parameters()).fill_(1.0)
    assert torch.equal(index.search(x[:3], 2).distances, before.distances)


# -- bad input -----------------------------------------------------------------------------------

L = Lorentz()
X = points(L, 10, 3)


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda: build_index("ball", X), TypeError, r"build_index: manifold is a str; expected"),
        (
            lambda: build_index(L, X.int()),
            TypeError,
            r"points has dtype torch\.int32; expected a floati",
        ),
        (lambda: build_index(L, X[0]), ValueError, r"points have shape \(4,\); expected \(N, m\)"),
        (lambda: build_index(L, X[:0]), ValueError, r"points have shape \(0, 4\)"),
        (lambda: build_index(L, X / 0), ValueError, r"points have entries that are not finite"),
        (lambda: build_index(L, X, factory="Flot"), ValueError, r"factory is 'Flot', which FAISS"),
        (lambda: build_index(L, X, factory="HNSW8"), ValueError, r"'HNSW8' and the manifold Lor"),
        (lambda: build_index(L, X, oversample=0), ValueError, r"oversample is 0; expected"),
        (lambda: build_index(L, X).search(X, 11), ValueError, r"k is 11; expected 1 to 10"),
        (
            lambda: build_index(L, X).search(X[:, 1:], 1),
            ValueError,
            r"queries have shape \(10, 3\)",
        ),
        (lambda: build_index(L, X).search(["a"], 1), TypeError, r"queries is a list that is no"),
        (lambda: brute_force(L, X, X / 0, 1), ValueError, r"queries have entries that are not fin"),
        (lambda: load_index("nowhere"), FileNotFoundError, r"nowhere has no about.json; expected"),
    ],
)
def test_bad_input_is_told(call, kind, message):
    with pytest.raises(kind, match=message):
        call()


def test_without_faiss_a_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(ModuleNotFoundError, match=r"build_index needs faiss, .*\[search\]"):
        build_index(L, X)


@pytest.mark.parametrize("block", [1, 50, 4096 * 3, 2**17])
@pytest.mark.parametrize("matmul", [False, True])
def test_the_size_of_the_blocks_changes_nothing(block, matmul, monkeypatch):
    x, queries = points(L, 300, 4, seed=1), points(L, 2, 9, 4, seed=2)
    whole = brute_force(L, x, queries, 7, matmul=matmul)
    seen, cdist = [], Lorentz.cdist

    def counted(self, a, b, **options):
        assert options == {"matmul": matmul}
        seen.append(len(a) * len(b) * (1 if matmul else a.shape[-1]))
        return cdist(self, a, b, **options)

    monkeypatch.setattr(brute, "_BLOCK", block)
    monkeypatch.setattr(Lorentz, "cdist", counted)
    found = brute_force(L, x, queries, 7, matmul=matmul)
    assert torch.equal(found.indices, whole.indices)
    torch.testing.assert_close(found.distances, whole.distances, rtol=1e-9, atol=1e-9)
    # No block is larger than is said, but one of k points.
    assert all(size <= max(block, 7 * 5 * (1 if block < 4096 else 3)) for size in seen)
    assert len(seen) > 1 or block > 18 * 300 * 5


def test_distances_are_not_by_a_product_unless_asked_for(monkeypatch):
    asked, cdist = [], Lorentz.cdist
    monkeypatch.setattr(
        Lorentz, "cdist", lambda s, a, b, matmul: asked.append(matmul) or cdist(s, a, b)
    )
    x = points(L, 10, 3)
    brute_force(L, x, x, 1)
    brute_force(L, x, x, 1, matmul=True)
    assert asked == [False, True]


def test_one_query_all_points_and_both_dtypes():
    x = points(L, 6, 3, seed=1)
    for found in (brute_force(L, x, x[0], 6), build_index(L, x).search(x[0], 6)):
        assert found.indices.shape == found.distances.shape == (6,)
        assert sorted(found.indices.tolist()) == list(range(6))
        assert found.indices.dtype == torch.int64
    mixed = brute_force(L, x.float(), x, 1).distances
    assert mixed.dtype == build_index(L, x.float()).search(x, 1).distances.dtype == torch.float64
    assert brute_force(L, x.float(), x.float(), 1).distances.dtype == torch.float32
    with pytest.raises(ValueError, match="brute_force: k is 0; expected"):
        brute_force(L, x, x, 0)
    with pytest.raises(ValueError, match=r"Index.search: k is 7; expected 1 to 6"):
        build_index(L, x).search(x, 7)
    with pytest.raises(ValueError, match=r"queries have shape \(\) and points \(6, 4\)"):
        brute_force(L, x, torch.tensor(1.0), 1)
    with pytest.raises(ValueError, match=r"points have shape \(6, 1\); .* m >= 2"):
        brute_force(L, x[:, :1], x[:, :1], 1)
    flat = torch.ones(3, 1, dtype=torch.float64)
    assert brute_force(Euclidean(), flat, flat, 3).distances.eq(0).all()
    bad = x.clone()
    bad[2, 1] = torch.nan
    with pytest.raises(ValueError, match="queries have entries that are not finite"):
        brute_force(L, x, bad, 1)
    with pytest.raises(ValueError, match="points have entries that are not finite"):
        brute_force(L, bad, x, 1)
    with pytest.raises(TypeError, match=r"brute_force: queries .*torch.int64; expected a floating"):
        brute_force(L, x, x.long(), 1)


def test_an_index_is_flat_and_takes_four_candidates_where_nothing_is_said(monkeypatch):
    x = points(L, 100, 3, seed=1)
    index = build_index(L, x)
    assert (index.factory, index.oversample, len(index)) == ("Flat", 4, 100)
    assert repr(index) == "Index(Lorentz(curvature=-1), 100 points, 'Flat')"
    asked = []

    def candidates(rows, k, count, real=index._candidates):
        asked.append((len(rows), k, count))
        return real(rows, k, count)

    monkeypatch.setattr(index, "_candidates", candidates)
    index.search(x[:5], 3)
    assert asked[0] == (5, 3, 12)
    assert [count for *_, count in asked] == [12, 48, 100][: len(asked)]
    for wrong in (0, -1, 2.0, "4"):
        with pytest.raises((ValueError, TypeError), match=rf"oversample is {wrong!r}; expected an"):
            build_index(L, x, oversample=wrong)
    assert build_index(L, x, oversample=1).search(x[:5], 3).indices[:, 0].tolist() == list(range(5))
    with pytest.raises(ValueError, match="factory is 'NSG16' and the manifold Lorentz"):
        build_index(L, x, factory="NSG16")


def test_more_candidates_are_asked_for_until_it_is_certain_or_all_are_compared(monkeypatch):
    x = points(Sphere(1.0), 1, 3, dtype=torch.float32).expand(20_000, 4)
    index = build_index(Sphere(1.0), x)
    counts, compared = [], []

    def candidates(rows, k, count, real=index._candidates):
        counts.append(count)
        return real(rows, k, count)

    def all_of_them(manifold, points_, rows, k):
        compared.append((len(rows), k))
        return brute_force(manifold, points_, rows, k)

    monkeypatch.setattr(index, "_candidates", candidates)
    monkeypatch.setattr("spaceforms.search.index.brute_force", all_of_them)
    found = index.search(x[:2], 3)  # all equal: which are nearest is never certain
    assert counts == [12, 48, 192, 768, 3072, 12288]
    assert compared == [(2, 3)]
    assert found.distances.eq(0).all()


def test_a_product_has_no_form_and_a_missing_module_of_another_name_is_not_hidden(monkeypatch):
    product = Product([Lorentz(), Euclidean()], dims=[2, 2])
    known = "Lorentz, PoincareBall, Sphere, Euclidean"
    with pytest.raises(TypeError, match=f"manifold is a Product; expected one of {known}"):
        build_index(product, product.from_normal(torch.ones(3, 4)))

    def broken(name):
        assert name == "faiss"
        raise ModuleNotFoundError("No module named 'swig'", name="swig")

    monkeypatch.setattr("importlib.import_module", broken)
    with pytest.raises(ModuleNotFoundError, match="swig"):
        build_index(L, X)


def test_flat_points_within_a_unit_are_scaled_and_equal_ones_are_not():
    x = points(Euclidean(), 50, 3, seed=1) * 1e-3
    form = build_index(Euclidean(), x)._form
    assert form.keys(x).abs().max() == 1
    torch.testing.assert_close(form.keys(x).mean(0), torch.zeros(3).double(), rtol=0, atol=1e-12)
    same = build_index(Euclidean(), x[:1].expand(4, -1))
    assert same._form.scale == 1
    assert same.search(x[0], 2).distances.tolist() == [0, 0]


def test_more_cells_than_points_get_a_sentence():
    points = Sphere(1.0).from_normal(torch.randn(10, 3))
    with pytest.raises(ValueError, match=r"'IVF1024,Flat' with 10 points, of which FAISS can make"):
        build_index(Sphere(1.0), points, factory="IVF1024,Flat")


@pytest.fixture
def saved(tmp_path) -> Path:
    """The folder of an index of forty points."""
    generator = torch.Generator().manual_seed(0)
    points = Lorentz(-1.0).from_normal(torch.randn(40, 3, generator=generator))
    build_index(Lorentz(-1.0), points).save(tmp_path / "index")
    return tmp_path / "index"


@pytest.mark.parametrize("name", ["about.json", "index.faiss", "points.pt"])
def test_a_damaged_index_is_refused_with_the_name_of_the_file(saved, name):
    whole = (saved / name).read_bytes()
    rng = np.random.default_rng(1)
    flipped = []
    for at in rng.integers(len(whole), size=20):
        damaged = bytearray(whole)
        damaged[at] ^= 1 << int(rng.integers(8))
        flipped.append(bytes(damaged))
    for content in (b"", b"{}", b"[" * 100_000, whole[: len(whole) // 2], *flipped):
        (saved / name).write_bytes(content)
        try:
            again = load_index(saved)
        except ValueError as error:
            assert "search.load_index: " in str(error)  # noqa: PT017
            assert str(saved) in str(error)  # noqa: PT017
        else:  # a space for a line feed in the JSON
            assert name == "about.json"
            assert again.manifold.curvature == -1.0
    (saved / name).unlink()
    with pytest.raises(FileNotFoundError, match=f"has no {name}"):
        load_index(saved)


@pytest.mark.parametrize(
    "change",
    [
        {"manifold": "os.system"},
        {"curvature": "x"},
        {"curvature": 1.0},
        {"curvature": float("nan")},
        {"oversample": 0},
        {"factory": None},
    ],
)
def test_an_index_of_other_options_is_refused(saved, change):
    about = json.loads((saved / "about.json").read_text())
    del about["digest"]
    about |= change
    digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()
    (saved / "about.json").write_text(json.dumps(about | {"digest": digest}))
    with pytest.raises(ValueError, match=r"about\.json|points\.pt"):
        load_index(saved)
