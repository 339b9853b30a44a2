"""Isometries, logits and principal components of products: by the factors, and by definition."""

import pytest
import torch
from cases import derivatives_of_differences

from spaceforms.manifolds import (
    Checked,
    Euclidean,
    Lorentz,
    PoincareBall,
    Product,
    Sphere,
    Stereographic,
    busemann,
    factorwise,
    hyperplane,
    logits,
    point_reflection,
    recentre,
    reflection,
    rotation,
    signed_distance,
    translation,
)
from spaceforms.stats import frechet_variance, horopca, pga, tangent_pca

F64 = torch.float64
U = 2.0**-53
SHARED = Lorentz(-0.6)
SPACES = {
    "one object many times": Product([SHARED] * 3, dims=[2] * 3),
    "any dimension": Product([SHARED] * 3),
    "several curvatures": Product(
        [Lorentz(-1.0), Lorentz(-0.3), Lorentz(-2.0)], dims=[2] * 3, weights=[1.0, 0.5, 2.0]
    ),
    "mixed": Product(
        [PoincareBall(-0.5), Sphere(2.0), SHARED, Euclidean(), SHARED, Stereographic(0.4)],
        dims=[2, 3, 2, 1, 2, 2],
        weights=[0.5, 1.0, 2.0, 3.0, 1.5, 0.7],
    ),
    "nested": Product(
        [Product([Lorentz(-2.0), Euclidean()], dims=[2, 1], weights=[2.0, 1.0]), Sphere(), SHARED],
        dims=[3, 2, 3],
        weights=[1.0, 0.5, 2.0],
    ),
}
METRICS = ("l2", "l1", "max")
EACH = pytest.mark.parametrize("name", SPACES)


def again(space, metric):
    """The same factors in another metric."""
    return Product(space.factors, dims=space.dims, metric=metric, weights=space.weights)


def normal(*size, seed=0):
    return torch.randn(*size, generator=torch.Generator().manual_seed(seed), dtype=F64)


def dimension(space):
    return 6 if space.dims is None else sum(space.dims)


def points(space, *size, seed=0, std=0.4):
    """Well within the injectivity radius of every sphere."""
    return space.from_normal(std * normal(*size, dimension(space), seed=seed))


def vectors(space, x, seed=0):
    at_origin = space._lift_tangent0(normal(*x.shape[:-1], dimension(space), seed=seed))
    return space.transport0(x, at_origin)


def turns(space, seed=0):
    """A rotation of each factor, the identity of one, and of a nested product a translation."""
    made = []
    for i, (factor, part) in enumerate(
        zip(space.factors, space.split(space.origin(dimension(space), dtype=F64)), strict=True)
    ):
        n = part.shape[-1] - factor._extra_coordinates
        if isinstance(factor, Product):
            q = factor.from_normal(0.4 * normal(n, seed=seed))
            made.append(translation(factor, part, q))
        else:
            turn = torch.linalg.qr(normal(n, n, seed=seed + i))[0]
            made.append(rotation(factor, turn) if i != 1 else None)
    return made


def some(space, *size):
    p, q = points(space, *size, seed=11), points(space, *size, seed=12)
    kinds = {
        "translation": translation(space, p, q),
        "point reflection": point_reflection(space, q),
        "factorwise": factorwise(space, turns(space)),
    }
    product = kinds["translation"] @ kinds["factorwise"] @ kinds["point reflection"]
    return kinds | {"product": product}


KINDS = ("translation", "product")  # the second of all three
# All within a distance of 5 or so of the origin, three isometries after one another.
NEAR = {"rtol": 4096 * U, "atol": 4096 * U}


@pytest.mark.parametrize("name", ["several curvatures", "mixed"])
@pytest.mark.parametrize("kind", ["translation", "point reflection", "factorwise"])
def test_distances_are_preserved_under_every_metric(name, kind):
    for metric in METRICS:
        space = again(SPACES[name], metric)
        x, y = points(space, 9, seed=1), points(space, 9, seed=2)
        g = some(space, 9)[kind]
        gx, gy = g(x), g(y)
        assert space.is_point(gx).all()
        torch.testing.assert_close(space.dist(gx, gy), space.dist(x, y), **NEAR)
        v = vectors(space, x, seed=3)
        gv = g.push(x, v)
        assert space.is_tangent(gx, gv).all()
        torch.testing.assert_close(space.norm(gx, gv), space.norm(x, v), **NEAR)


# A product's push is those of the kinds after one another: a translation alone is met once.
@pytest.mark.parametrize(
    ("name", "kind"),
    [
        pytest.param(n, k, marks=() if k == "product" or n == "mixed" else pytest.mark.slow)
        for n in SPACES
        for k in KINDS
    ],
)
def test_push_is_the_differential(name, kind):
    space = SPACES[name]
    x = points(space, 9, seed=1)
    g, v = some(space, 9)[kind], 0.3 * vectors(space, x, seed=3)
    # Of an isometry it is exact along geodesics: g(exp_x v) = exp_gx(push v).
    wanted = g(space.expmap(x, v))
    gx, gv = g(x), g.push(x, v)
    torch.testing.assert_close(space.expmap(gx, gv), wanted, **NEAR)
    jvp = torch.func.jvp(g, (x,), (v,))[1]
    torch.testing.assert_close(gv, jvp, **NEAR)


@EACH
@pytest.mark.parametrize("kind", KINDS)
def test_the_inverse_undoes_and_products_associate(name, kind):
    space = SPACES[name]
    x, kinds = points(space, 9, seed=1), some(space, 9)
    g, h, k = kinds[kind], kinds["translation"], kinds["factorwise"]
    for same in (g.inverse() @ g, g @ g.inverse()):
        torch.testing.assert_close(same(x), x, **NEAR)
    assert torch.equal(((g @ h) @ k)(x), (g @ (h @ k))(x))
    assert torch.equal(((g @ h) @ k)(x), g(h(k(x))))


@EACH
def test_each_factor_has_its_own_isometry(name):
    space = SPACES[name]
    p, q, x = (points(space, 9, seed=s) for s in (1, 2, 3))
    parts = zip(space.factors, *map(space.split, (p, q, x)), strict=True)
    one_by_one = space.join([translation(f, a, b)(y) for f, a, b, y in parts])
    torch.testing.assert_close(translation(space, p, q)(x), one_by_one, rtol=64 * U, atol=64 * U)
    made = turns(space)
    images = [y if g is None else g(y) for g, y in zip(made, space.split(x), strict=True)]
    assert torch.equal(factorwise(space, made)(x), space.join(images))


@EACH
def test_a_translation_takes_p_to_q_by_parallel_transport(name):
    space = SPACES[name]
    p, q = points(space, 9, seed=1), points(space, 9, seed=2)
    v, g = vectors(space, p, seed=3), translation(space, p, q)
    torch.testing.assert_close(g(p), q, **NEAR)
    torch.testing.assert_close(g.push(p, v), space.transport(p, q, v), **NEAR)


@EACH
def test_recentred_points_have_their_mean_at_the_origin(name):
    space = SPACES[name]
    x, weights = points(space, 2, 7, seed=1, std=0.3), normal(2, 7, seed=2).abs()
    moved, g = recentre(space, x, weights)
    torch.testing.assert_close(
        space.to_normal(space.mean(moved, weights)), torch.zeros(2, dimension(space), dtype=F64),
        rtol=0, atol=4096 * U,
    )  # fmt: skip
    torch.testing.assert_close(g.inverse()(moved), x, **NEAR)
    assert torch.equal(g(x), moved)


def test_equal_factors_are_one_call_and_batches_broadcast():
    calls = []
    space = Product([SHARED] * 8, dims=[2] * 8)
    p, q, x = (space.from_normal(normal(*s, 16)) for s in ((4, 1), (4, 1), (5,)))
    original = Lorentz._to_unit

    def counted(self, op, *args, **options):
        calls.append(op)
        return original(self, op, *args, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Lorentz, "_to_unit", counted)
        image = translation(space, p, q)(x)
    assert image.shape == (4, 5, 24)
    assert calls.count("translation") <= 4  # twice what is given, the call, the pair p and q


# -- logits --------------------------------------------------------------------------------------


@EACH
@pytest.mark.parametrize("matmul", [False, True])
def test_logits_are_the_weighted_sums_over_the_factors(name, matmul):
    space = SPACES[name]
    x, p = points(space, 2, 5, seed=1), points(space, 4, seed=2)
    a = vectors(space, p, seed=3)
    wanted = 0.0
    parts = zip(space.factors, *map(space.split, (x, p, a)), strict=True)
    for w, part in zip(space.weights, parts, strict=True):
        wanted = wanted + w * logits(*part, matmul=matmul)
    found = logits(space, x, p, a, matmul=matmul)
    assert found.shape == (2, 5, 4)
    torch.testing.assert_close(found, wanted, rtol=64 * U, atol=64 * U)
    batched = logits(space, x, p.expand(2, 1, 4, -1), a.expand(2, 1, 4, -1), matmul=matmul)
    torch.testing.assert_close(batched, found, rtol=64 * U, atol=64 * U)


def test_logits_of_flat_factors_are_those_of_their_product():
    space = Product([Euclidean(), Euclidean()], dims=[2, 3], weights=[2.0, 0.5])
    x, p, a = normal(6, 5, seed=1), normal(4, 5, seed=2), normal(4, 5, seed=3)
    wanted = space.inner(p, x.unsqueeze(-2) - p, a)  # the metric's own linear form
    torch.testing.assert_close(logits(space, x, p, a), wanted, rtol=64 * U, atol=64 * U)


@EACH
def test_logits_have_the_slope_of_their_normal_at_their_own_point(name):
    space = SPACES[name]
    p = points(space, 4, seed=2)
    a, v = vectors(space, p, seed=3), vectors(space, p, seed=4)
    _, slope = torch.func.jvp(
        lambda t: logits(space, space.expmap(p, t * v), p.unsqueeze(-2), a.unsqueeze(-2)),
        (torch.zeros((), dtype=F64),),
        (torch.ones((), dtype=F64),),
    )
    torch.testing.assert_close(slope.squeeze(-1), space.inner(p, a, v), **NEAR)


# -- tangent PCA ---------------------------------------------------------------------------------


@EACH
def test_tangent_pca_is_that_of_the_logarithms_in_the_products_metric(name):
    space = SPACES[name]
    x = points(space, 30, seed=1, std=0.3)
    found = tangent_pca(space, x, 3)
    mean = space.mean(x)
    gram = space.inner(mean, found.components[:, None], found.components)
    torch.testing.assert_close(gram, torch.eye(3, dtype=F64), rtol=0, atol=256 * U)
    # The covariance as a bilinear form, from inner products alone.
    logs = space.logmap(mean, x)
    table = space.inner(mean, logs[:, None], logs)
    values = torch.linalg.eigvalsh(table / 30).flip(0)[:3]
    torch.testing.assert_close(found.variances, values, rtol=0, atol=256 * U)
    torch.testing.assert_close(found.total_variance, frechet_variance(space, x))
    scores = space.inner(mean, logs[:, None], found.components)
    torch.testing.assert_close(found.transform(x), scores, rtol=0, atol=256 * U)
    whole = tangent_pca(space, x, dimension(space))
    torch.testing.assert_close(whole.project(x), x, **NEAR)


# -- a citizen of torch --------------------------------------------------------------------------


def test_derivatives_and_transforms_go_through():
    curved = Lorentz(-0.7, learnable=True).double()
    space = Product([curved, Sphere(), curved], dims=[1, 1, 1])
    u = [0.5 * normal(2, 3, seed=s) for s in range(4)]

    def outputs(*u):
        p, q, x, y = (space.from_normal(w) for w in u)
        g = translation(space, p, q) @ point_reflection(space, q)
        a = space.logmap(p, q)
        table = logits(space, y, p.unsqueeze(-2), a.unsqueeze(-2))
        return space.to_normal(g(x)), table

    assert derivatives_of_differences(
        outputs, [w[:1].clone().requires_grad_() for w in u], second=False
    )
    together = torch.func.vmap(outputs)(*u)
    torch.testing.assert_close(together, outputs(*u), **NEAR)
    (slope,) = torch.autograd.grad(outputs(*u)[0].sum(), space.parameters())
    assert slope.isfinite()
    assert slope != 0


def test_they_compile_into_one_graph():
    space = Product([Sphere(), Euclidean(), Sphere()], dims=[2, 2, 2])
    p, q, x = (points(space, 4, seed=s) for s in range(3))

    def image(p, q, x):
        return translation(space, p, q)(x)

    compiled = torch.compile(image, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(p, q, x), image(p, q, x), **NEAR)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_dtypes_are_kept(dtype):
    space = SPACES["mixed"]
    p, q, x = (points(space, 4, seed=s).to(dtype) for s in range(3))
    assert translation(space, p, q)(x).dtype == dtype
    assert logits(space, x, p, vectors(space, p.double()).to(dtype)).dtype == dtype


# -- what is refused -----------------------------------------------------------------------------


def test_what_a_product_has_not_is_refused_in_a_sentence():
    space = SPACES["mixed"]
    x = points(space, 4)
    v = vectors(space, x)
    xi = normal(dimension(space))
    for ask, why in (
        (lambda: reflection(space, x, v), "no reflection but those of its factors"),
        (lambda: rotation(space, torch.eye(3)), "factorwise takes a rotation of each factor"),
        (lambda: signed_distance(space, x, x, v), "hyperplanes are those of the factors"),
        (lambda: hyperplane(space, xi, x[0, 0]), "logits takes one of each"),
        (lambda: busemann(space, x, xi), "take one factor of it"),
        (lambda: pga(space, x, 1), "not a geodesic submanifold; see tangent_pca"),
    ):
        with pytest.raises(TypeError, match=f"expected a space of one curvature.*{why}"):
            ask()
    with pytest.raises(TypeError, match="expected Lorentz, PoincareBall or Stereographic"):
        horopca(space, x, 1)
    with pytest.raises(ValueError, match=r"factorwise: there are 2 isometries; expected 6"):
        factorwise(space, [None, None])
    turn = rotation(Sphere(2.0), torch.eye(3, dtype=F64))  # of another object
    with pytest.raises(ValueError, match=r"isometry 1 is of Sphere.*the object factors\[1\]"):
        factorwise(space, [None, turn, None, None, None, None])
    with pytest.raises(TypeError, match="isometry 0 is a int"):
        factorwise(space, [1] * 6)  # type: ignore[list-item]
    with pytest.raises(TypeError, match="expected a Product"):
        factorwise(Sphere(), [turn])
    with pytest.raises(ValueError, match="not linear in its coordinates"):
        translation(space, x, x).matrix()
    linear = again(space, "l1")
    for ask in (
        lambda: logits(linear, x, x, v),
        lambda: tangent_pca(linear, x, 1, mean=x[0]),
        lambda: recentre(linear, x),
    ):
        with pytest.raises(NotImplementedError, match="inner product under the metric l1"):
            ask()
    off = x.clone()
    off[0, 2:6] *= 2  # of the sphere
    with pytest.raises(ValueError, match="1 of 4 points off the manifold"):
        translation(Checked(space), x, x)(off)
