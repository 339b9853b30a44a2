"""The closed-form means against their definitions in three models, and against geoopt."""

import mpmath as mp
import pytest
import reference
import torch
from cases import FORMS as CASES, derivatives_of_differences, normals, once, points, radius

from spaceforms.manifolds import Lorentz, PoincareBall, Sphere
from spaceforms.stats import einstein_midpoint, gyromidpoint, lorentz_centroid

F64 = torch.float64
EPS = torch.finfo(F64).eps
FIXED = [name for name in CASES if "learnable" not in name]
HYPERBOLIC = [name for name in CASES if CASES[name].sign < 0]


def weights(*size: int, seed: int = 7) -> torch.Tensor:
    return torch.rand(*size, generator=torch.Generator().manual_seed(seed), dtype=F64) + 0.1


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
        found = mp.matrix([reference.hyperboloid(manifold, lorentz_centroid(manifold, x, w))])
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
    assert torch.equal(found, lorentz_centroid(manifold, x, w))


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
    m = lorentz_centroid(manifold, x, w)
    d = manifold.dist(m[:, None], x) / radius(manifold)
    slope = {1: torch.sin, 0: lambda d: d, -1: torch.sinh}[manifold.sign](d) / d
    pull = (w * slope).unsqueeze(-1) * manifold.logmap(m[:, None], x)
    assert (manifold.norm(m, pull.sum(-2)) < 64 * EPS * radius(manifold) * d.max().cosh()).all()


@pytest.mark.parametrize("name", once(CASES))
def test_the_centroid_of_two_is_their_midpoint_and_of_one_itself(name):
    manifold = CASES[name]
    x, y = points(manifold, 8, 3, seed=4), points(manifold, 8, 3, seed=5)
    close = {"rtol": 64 * EPS, "atol": 64 * EPS * radius(manifold)}
    both = lorentz_centroid(manifold, torch.stack([x, y], -2))
    torch.testing.assert_close(both, manifold.midpoint(x, y), **close)
    torch.testing.assert_close(lorentz_centroid(manifold, x[:, None]), x, **close)
    alone = lorentz_centroid(manifold, torch.stack([x, y], -2), torch.tensor([2.0, 0.0], dtype=F64))
    torch.testing.assert_close(alone, x, **close)


@pytest.mark.parametrize(("manifold", "r"), [(Lorentz(), 235.0), (PoincareBall(), 35.0)])
def test_far_points_that_balance_have_the_origin_as_centroid(manifold, r):
    v = torch.tensor([[r, 0.0], [-r, 0.0], [0.0, r], [0.0, -r]], dtype=F64)
    x = manifold.from_normal(v).requires_grad_()
    m = lorentz_centroid(manifold, x)
    assert torch.equal(m, manifold.origin(2, dtype=F64))
    (gradient,) = torch.autograd.grad(m.sum(), x)
    assert gradient.isfinite().all()


def test_balanced_points_of_a_sphere_have_the_origin_and_no_gradient():
    x = torch.tensor([[0.0, 1.0], [0.0, -1.0]], dtype=F64, requires_grad=True)
    m = lorentz_centroid(Sphere(), x)
    (gradient,) = torch.autograd.grad(m.sum(), x)
    assert torch.equal(m, Sphere().origin(1, dtype=F64))
    assert gradient.isfinite().all()


@pytest.mark.parametrize("name", FIXED)
def test_the_centroid_is_differentiable_and_batches(name):
    manifold = CASES[name]
    v, w = normals(manifold, 4, 2, seed=6, spread=0.6).requires_grad_(), weights(4).requires_grad_()

    def centroid(v, w):
        return manifold.to_normal(lorentz_centroid(manifold, manifold.from_normal(v), w))

    assert derivatives_of_differences(centroid, (v, w))


def test_the_curvature_of_a_centroid_can_be_learned():
    space = Lorentz(-0.7, learnable=True)
    m = lorentz_centroid(space, space.from_normal(torch.ones(2, 3) * torch.tensor([[1.0], [2.0]])))
    assert torch.autograd.grad(m.sum(), list(space.parameters()))[0].abs() > 0


@pytest.mark.parametrize("name", once(FIXED))
def test_it_goes_under_vmap_and_into_a_graph(name):
    manifold = CASES[name]
    x, w = points(manifold, 6, 5, 3, seed=1, spread=0.8), weights(6, 5)
    wanted = lorentz_centroid(manifold, x, w)
    mapped = torch.func.vmap(lambda x, w: lorentz_centroid(manifold, x, w))(x, w)
    torch.testing.assert_close(mapped, wanted, rtol=4 * EPS, atol=4 * EPS)
    torch.compiler.reset()
    compiled = torch.compile(lorentz_centroid, fullgraph=True, backend="eager")
    assert torch.equal(compiled(manifold, x, w), wanted)


@pytest.mark.parametrize("name", FIXED)
def test_weights_that_mean_nothing_give_nan_for_their_set_only(name):
    manifold = CASES[name]
    x, w = points(manifold, 4, 5, 3, seed=1, spread=0.8), weights(4, 5)
    w[0, 1], w[1], w[2, 0] = -0.1, 0.0, torch.inf
    found = lorentz_centroid(manifold, x, w).isnan()
    assert found[:3].any(-1).all()
    assert not found[3].any()


def test_a_wrong_space_or_wrong_weights_get_a_sentence():
    x = points(Sphere(), 4, 3)
    with pytest.raises(TypeError, match=r"einstein_midpoint: manifold is Sphere.*expected Lor"):
        einstein_midpoint(Sphere(), x)
    with pytest.raises(TypeError, match=r"gyromidpoint: manifold is Sphere"):
        gyromidpoint(Sphere(), x)
    with pytest.raises(TypeError, match=r"lorentz_centroid: manifold is a str"):
        lorentz_centroid("Lorentz", x)
    with pytest.raises(ValueError, match=r"expected a set of points"):
        lorentz_centroid(Sphere(), x[0])
