"""The closed-form means against their definitions in three models, and against geoopt."""

import math

import mpmath as mp
import pytest
import reference
import torch
from cases import (
    CASES as ALL,
    CHARTS,
    FORMS as CASES,
    derivatives_of_differences,
    normals,
    once,
    points,
    radius,
    value_and_slope,
)

from spaceforms.manifolds import (
    Euclidean,
    Klein,
    Lorentz,
    PoincareBall,
    Product,
    Sphere,
    Stereographic,
    rotation,
    translation,
)
from spaceforms.stats import centroid, einstein_midpoint, gyromidpoint, lorentz_centroid

F64 = torch.float64
EPS = torch.finfo(F64).eps
FIXED = [name for name in CASES if "learnable" not in name]
HYPERBOLIC = [name for name in CASES if CASES[name].sign < 0]
EVERY = {
    **ALL,
    "Hemisphere(-0.7)": CHARTS["Hemisphere(-0.7)"],
    "product": Product([Lorentz(-0.7), Euclidean()]),
    "power": Product([Lorentz(-0.7)] * 2),
}
"""With every way that a centroid is taken."""


def weights(*size: int, seed: int = 7) -> torch.Tensor:
    return torch.rand(*size, generator=torch.Generator().manual_seed(seed), dtype=F64) + 0.1


SPREAD = 2 * math.cosh(4)
"""cosh of the farthest point's distance, by which its coordinates' rounding is magnified, in
    units of the radius: normal coordinates of four standard normal numbers reach 4 at times."""


def drawn(manifold, *size):
    """Random points of the space of dimension 4, which may be a product."""
    generator = torch.Generator().manual_seed(1)
    return manifold.random_normal(*size, 4, std=0.6, generator=generator, dtype=F64)


def minkowski(x: mp.matrix, y: mp.matrix) -> mp.mpf:
    return mp.fsum(x[i] * y[i] for i in range(1, len(x))) - x[0] * y[0]


@pytest.mark.parametrize("dtype", [torch.float32, F64])
@pytest.mark.parametrize("manifold", [Lorentz(), PoincareBall(), Lorentz(-0.3), PoincareBall(-2.0)])
@pytest.mark.parametrize("r", [1e-6, 1.0, 6.0, 15.0])
@pytest.mark.parametrize("cone", [1.0, 1e-3])
def test_the_centroid_is_the_normalised_sum_at_fifty_digits(manifold, dtype, r, cone):
    for seed in range(4):
        v = normals(manifold, 5, 3, seed=seed) * cone
        v = v + (1 - cone) * torch.tensor([0.3, -0.5, 0.7], dtype=F64)
        v = v / v.norm(dim=-1).max() * r * radius(manifold)
        x, w = manifold.from_normal(v.to(dtype)), weights(5, seed=seed).to(dtype)
        lifted = mp.matrix([reference.hyperboloid(manifold, point) for point in x])
        total = mp.matrix([reference.numbers(w)]) * lifted
        wanted = total / mp.sqrt(-minkowski(total, total))
        found = mp.matrix([reference.hyperboloid(manifold, centroid(manifold, x, w))])
        error = mp.acosh(max(mp.mpf(1), -minkowski(wanted, found)))
        # Rounding a coordinate moves a point by u sinh r on the hyperboloid. On the ball it moves
        # the farthest of the points by u cosh r, and with it the sum.
        u = torch.finfo(dtype).eps / 2
        rounding = mp.sqrt(wanted[0] ** 2 - 1)
        if isinstance(manifold, PoincareBall):
            rounding = mp.cosh(r) * min(1, 2 * r)
        assert error <= 8 * u * rounding + 8 * u * mp.asinh(rounding)


@pytest.mark.parametrize("name", HYPERBOLIC)
def test_einsteins_midpoint_in_klein_coordinates_is_the_lorentz_centroid(name):
    """Weights times Lorentz factors in Klein coordinates: the same point, the same weights."""
    manifold = CASES[name]
    x, w = points(manifold, 6, 5, 3, seed=1, spread=0.8), weights(6, 5)
    v = manifold.to_normal(x) / radius(manifold)
    klein = v * (v.norm(dim=-1, keepdim=True).tanh() / v.norm(dim=-1, keepdim=True))
    gamma = (1 - klein.square().sum(-1)).rsqrt()
    share = w * gamma
    mean = (share.unsqueeze(-1) * klein).sum(-2) / share.sum(-1, keepdim=True)
    length = mean.norm(dim=-1, keepdim=True)
    wanted = manifold.from_normal(radius(manifold) * mean / length * length.atanh())
    found = einstein_midpoint(manifold, x, w)
    # 1 - |k|^2 has lost a factor gamma^2.
    bound = 64 * EPS * gamma.max().square() * radius(manifold)
    assert (manifold.dist(found, wanted) < bound).all()
    assert torch.equal(found, centroid(manifold, x, w))


@pytest.mark.parametrize("name", [name for name in HYPERBOLIC if "Ball" in name])
def test_the_gyromidpoint_is_ungars_formula_and_geoopts(name):
    manifold = CASES[name]
    geoopt = pytest.importorskip("geoopt")
    x, w = points(manifold, 6, 5, 3, seed=2, spread=0.6), weights(6, 5)
    found = gyromidpoint(manifold, x, w)
    unit = x / radius(manifold)
    factor = 2 / (1 - unit.square().sum(-1, keepdim=True))
    double = (w.unsqueeze(-1) * factor * unit).sum(-2) / (w.unsqueeze(-1) * (factor - 1)).sum(-2)
    # Half a Möbius multiple: tanh(atanh(s)/2) = s/(1 + sqrt(1 - s^2)).
    half = double / (1 + (1 - double.square().sum(-1, keepdim=True)).sqrt())
    bound = 64 * EPS * radius(manifold) * float(factor.max()) ** 2
    assert (manifold.dist(found, half * radius(manifold)) < bound).all()
    theirs = geoopt.Stereographic(manifold.curvature)
    for i in range(6):  # geoopt pushes the denominator 1e-10 away from 0
        assert manifold.dist(found[i], theirs.weighted_midpoint(x[i], w[i])) < bound + 1e-9


@pytest.mark.parametrize("name", FIXED)
def test_the_centroid_minimises_the_squared_chord(name):
    """Its derivative vanishes: sum w grad sn^2(d/2) = sum w sn(d)/d log, to rounding."""
    manifold = CASES[name]
    x, w = points(manifold, 6, 5, 3, seed=3, spread=0.7), weights(6, 5)
    m = centroid(manifold, x, w)
    d = manifold.dist(m[:, None], x) / radius(manifold)
    slope = {1: torch.sin, 0: lambda d: d, -1: torch.sinh}[manifold.sign](d) / d
    pull = (w * slope).unsqueeze(-1) * manifold.logmap(m[:, None], x)
    assert (manifold.norm(m, pull.sum(-2)) < 64 * EPS * radius(manifold) * d.max().cosh()).all()


@pytest.mark.parametrize("name", once(CASES))
def test_the_centroid_of_two_is_their_midpoint_and_of_one_itself(name):
    manifold = CASES[name]
    x, y = points(manifold, 8, 3, seed=4), points(manifold, 8, 3, seed=5)
    close = {"rtol": 64 * EPS, "atol": 64 * EPS * radius(manifold)}
    both = centroid(manifold, torch.stack([x, y], -2))
    torch.testing.assert_close(both, manifold.midpoint(x, y), **close)
    torch.testing.assert_close(centroid(manifold, x[:, None]), x, **close)
    alone = centroid(manifold, torch.stack([x, y], -2), torch.tensor([2.0, 0.0], dtype=F64))
    torch.testing.assert_close(alone, x, **close)


@pytest.mark.parametrize(("manifold", "r"), [(Lorentz(), 235.0), (PoincareBall(), 35.0)])
def test_far_points_that_balance_have_the_origin_as_centroid(manifold, r):
    v = torch.tensor([[r, 0.0], [-r, 0.0], [0.0, r], [0.0, -r]], dtype=F64)
    x = manifold.from_normal(v).requires_grad_()
    m = centroid(manifold, x)
    assert torch.equal(m, manifold.origin(2, dtype=F64))
    (gradient,) = torch.autograd.grad(m.sum(), x)
    assert gradient.isfinite().all()


def test_balanced_points_of_a_sphere_have_the_origin_and_no_gradient():
    x = torch.tensor([[0.0, 1.0], [0.0, -1.0]], dtype=F64, requires_grad=True)
    m = centroid(Sphere(), x)
    (gradient,) = torch.autograd.grad(m.sum(), x)
    assert torch.equal(m, Sphere().origin(1, dtype=F64))
    assert gradient.isfinite().all()


@pytest.mark.parametrize("name", FIXED)
def test_the_centroid_is_differentiable_and_batches(name):
    manifold = CASES[name]
    v, w = normals(manifold, 4, 2, seed=6, spread=0.6).requires_grad_(), weights(4).requires_grad_()

    def coordinates(v, w):
        return manifold.to_normal(centroid(manifold, manifold.from_normal(v), w))

    assert derivatives_of_differences(coordinates, (v, w))


def test_the_curvature_of_a_centroid_can_be_learned():
    space = Lorentz(-0.7, learnable=True)
    m = centroid(space, space.from_normal(torch.ones(2, 3) * torch.tensor([[1.0], [2.0]])))
    assert torch.autograd.grad(m.sum(), list(space.parameters()))[0].abs() > 0


@pytest.mark.parametrize("name", once(FIXED))
def test_it_goes_under_vmap_and_into_a_graph(name):
    manifold = CASES[name]
    x, w = points(manifold, 6, 5, 3, seed=1, spread=0.8), weights(6, 5)
    wanted = centroid(manifold, x, w)
    mapped = torch.func.vmap(lambda x, w: centroid(manifold, x, w))(x, w)
    torch.testing.assert_close(mapped, wanted, rtol=4 * EPS, atol=4 * EPS)
    torch.compiler.reset()
    compiled = torch.compile(centroid, fullgraph=True, backend="eager")
    assert torch.equal(compiled(manifold, x, w), wanted)
    x, w, index = x.reshape(30, -1), w.reshape(30), torch.arange(30) // 5
    found = compiled(manifold, x, w, index=index, size=6)
    torch.testing.assert_close(found, wanted, rtol=4 * EPS, atol=4 * EPS)
    meta = centroid(manifold, x.to("meta"), index=index.to("meta"), size=6)
    assert meta.shape == wanted.shape


@pytest.mark.parametrize("name", EVERY)
def test_sets_of_an_index_have_the_centroids_of_their_points(name):
    manifold = EVERY[name]
    x, w = drawn(manifold, 2, 12), weights(12)
    index = torch.tensor([0, 3, 3, 0, 0, 3, 3, 1, 0, 0, 3, 3], dtype=torch.int32)
    found = centroid(manifold, x, w, index=index, size=5)
    assert found.shape == (2, 5, manifold.ambient_dim(4))
    for i in (0, 1, 3):
        one = centroid(manifold, x[:, index == i], w[index == i])
        # The sum of a set may be taken in another order: of 6 points, 5 roundings.
        assert (manifold.dist(found[:, i], one) < 32 * EPS * SPREAD).all()
    origin = manifold.origin(4, dtype=F64).expand(2, -1)
    assert torch.equal(found[:, 2], origin)
    assert torch.equal(found[:, 4], origin)
    equal = centroid(manifold, x, index=index, size=5)
    assert (manifold.dist(equal[:, 3], centroid(manifold, x[:, index == 3])) < 1e-13).all()
    none = centroid(manifold, x[:, :0], index=index[:0], size=5)
    assert torch.equal(none, origin.unsqueeze(1).expand_as(none))


@pytest.mark.parametrize("name", EVERY)
def test_a_set_of_no_weight_has_the_origin_and_finite_gradients(name):
    manifold = EVERY[name]
    x = drawn(manifold, 3).requires_grad_()
    w = torch.zeros(3, dtype=F64, requires_grad=True)
    m = centroid(manifold, x, w)
    assert torch.equal(m, manifold.origin(4, dtype=F64))
    for gradient in torch.autograd.grad(m.sum(), (x, w)):
        assert gradient.isfinite().all()


@pytest.mark.parametrize("name", EVERY)
def test_weights_that_mean_nothing_give_nan_for_their_set_only(name):
    manifold = EVERY[name]
    x, w = drawn(manifold, 3, 5), weights(3, 5)
    w[0, 1], w[1, 0] = -0.1, torch.inf
    found = centroid(manifold, x, w).isnan()
    assert found[:2].any(-1).all()
    assert not found[2].any()
    index = torch.arange(15) // 5
    found = centroid(manifold, x.flatten(0, 1), w.flatten(), index=index, size=3).isnan()
    assert found[:2].any(-1).all()
    assert not found[2].any()


@pytest.mark.parametrize("name", [name for name in EVERY if EVERY[name]._family != "product"])
def test_it_goes_with_every_isometry(name):
    manifold = EVERY[name]
    x, w = points(manifold, 6, 4, seed=1, spread=0.5), weights(6)
    q = torch.linalg.qr(normals(Euclidean(), 4, 4, seed=2))[0]
    p = points(manifold, 4, seed=3, spread=0.5)
    move = rotation(manifold, q) @ translation(manifold, manifold.origin(4, dtype=F64), p)
    error = manifold.dist(move(centroid(manifold, x, w)), centroid(manifold, move(x), w))
    assert error < 64 * EPS * SPREAD


@pytest.mark.parametrize("k", [-0.7, 0.7])
def test_on_the_stereographic_model_it_is_that_of_the_quadric(k):
    quadric = Lorentz(k) if k < 0 else Sphere(k)
    for scale in (1e-8, 0.3, 1.2):
        v = scale * normals(quadric, 8, 5, 3, seed=1, spread=0.8)
        for space in (Stereographic(k), Stereographic(k, learnable=True)):
            a = quadric.to_normal(centroid(quadric, quadric.from_normal(v), weights(5)))
            b = space.to_normal(centroid(space, space.from_normal(v), weights(5)))
            torch.testing.assert_close(a, b, rtol=64 * EPS, atol=64 * EPS * scale)


@pytest.mark.parametrize("r", [1e-3, 3.0, 12.0])
def test_far_out_with_a_learnable_curvature_it_keeps_the_balls_digits(r):
    v = r * torch.nn.functional.normalize(normals(Euclidean(), 8, 5, 3, seed=1), dim=-1)
    ball, space = PoincareBall(-1.0), Stereographic(-1.0, learnable=True)
    x = ball.from_normal(v)
    a, b = centroid(ball, x, weights(5)), centroid(space, x, weights(5))
    # The rounding of 1 - |x|^2, relative to it: u e^r/4.
    assert (ball.dist(a, b) < 16 * EPS * (1 + math.exp(r)) * min(1, r)).all()


def test_through_flat_space_value_and_derivative_by_curvature_are_continuous():
    """At K = 0 the derivative by K is the limit of difference quotients from both sides."""
    x, w = 0.4 * normals(Euclidean(), 5, 3, seed=1), weights(5)

    def at(k):
        return centroid(Stereographic(k), x, w)

    value, slope = value_and_slope(lambda m: centroid(m, x, w), 0.0)
    torch.testing.assert_close(value, (w.unsqueeze(-1) * x).sum(0) / w.sum(), rtol=8 * EPS, atol=0)
    h = 1e-4  # the quotients are off by h times a second derivative of about 1, and EPS/h
    for side in (-h, h):
        torch.testing.assert_close((at(side) - value) / side, slope, rtol=0, atol=2 * h)
    torch.testing.assert_close((at(h) - at(-h)) / (2 * h), slope, rtol=0, atol=4 * h * h)


def test_that_of_a_product_is_that_of_each_factor():
    space = Product(
        [Lorentz(-0.5), Sphere(0.4), Lorentz(-2.0), Klein(-0.3), Stereographic(0.2)],
        dims=[2, 3, 2, 2, 2],
        metric="l1",
        weights=[1.0, 2.0, 0.5, 1.0, 3.0],
    )
    x = space.random_normal(4, 6, 11, dtype=F64, generator=torch.Generator().manual_seed(0))
    w = weights(4, 6)
    found = space.split(centroid(space, x, w))
    for factor, own, part in zip(space.factors, space.split(x), found, strict=True):
        torch.testing.assert_close(part, centroid(factor, own, w), rtol=16 * EPS, atol=16 * EPS)


def test_a_wrong_space_or_wrong_weights_get_a_sentence():
    x = points(Sphere(), 4, 3)
    with pytest.raises(TypeError, match=r"einstein_midpoint: manifold is Sphere.*expected Lor"):
        einstein_midpoint(Sphere(), x)
    with pytest.raises(TypeError, match=r"gyromidpoint: manifold is Sphere"):
        gyromidpoint(Sphere(), x)
    with pytest.raises(TypeError, match=r"centroid: manifold is a str"):
        centroid("Lorentz", x)
    with pytest.raises(TypeError, match=r"lorentz_centroid: manifold is Sphere"):
        lorentz_centroid(Sphere(), x)
    with pytest.raises(ValueError, match=r"expected a set of points"):
        centroid(Sphere(), x[0])
    index = torch.zeros(4, dtype=torch.long)
    with pytest.raises(ValueError, match=r"centroid: size is None; expected the number of sets"):
        centroid(Sphere(), x, index=index)
    with pytest.raises(ValueError, match=r"size is 2 and index is None; expected both or neither"):
        centroid(Sphere(), x, size=2)
    with pytest.raises(ValueError, match=r"index has shape \(3,\) .*; expected x \(..., k, m\)"):
        centroid(Sphere(), x, index=index[:3], size=2)
    with pytest.raises(TypeError, match=r"index has dtype torch.float32; expected .* integers"):
        centroid(Sphere(), x, index=index.float(), size=2)
