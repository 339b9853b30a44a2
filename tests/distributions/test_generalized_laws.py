"""The generalized Gaussian laws on manifolds: densities, normalisers, samples, refusals."""

import math
from itertools import product

import mpmath as mp
import numpy as np
import pytest
import scipy.stats as st
import torch
from cases import CASES, derivatives_of_differences, points, radius

from spaceforms.distributions import (
    GeneralizedGaussian,
    RiemannianGeneralizedGaussian,
    RiemannianNormal,
    WrappedGeneralizedGaussian,
    WrappedNormal,
)
from spaceforms.manifolds import (
    Euclidean,
    Lorentz,
    PoincareBall,
    Product,
    Sphere,
    diameter,
    sphere_area,
)

F64 = torch.float64
EPS = torch.finfo(F64).eps
SPACES = ["Euclidean", "Sphere(2.5)", "PoincareBall(-0.3)", "Lorentz(-0.7, learnable)"]
COUNT = 10_000
# Kolmogorov: P(sqrt(N) D > z) < 2 exp(-2 z^2). With z = 2.7 a right law fails once in 10^6 seeds.
LIMIT = 2.7 / math.sqrt(COUNT)


def t(value, grad=False):
    return torch.tensor(value, dtype=F64, requires_grad=grad)


def sn_ratio(manifold, length):
    """sn(t)/t, written out."""
    s = length / radius(manifold)
    safe = s.where(s > 0, 1.0)
    bent = {-1: safe.sinh() / safe, 0: torch.ones_like(s), 1: safe.sin() / safe}[manifold.sign]
    return torch.where(s > 0, bent, 1.0)


def half_line(a, b, step=0.25):
    """Nodes and weights for integrals over v > 0 of what falls like exp(-(v/a)^b)."""
    y = torch.arange(-5.8, 4.3, step, dtype=F64)
    u = (y - (-y).exp()).exp()
    # v = a u^(1/b), u = exp(y - e^-y).
    v = a * u ** (1 / b)
    return v, step * v / b * (1 + (-y).exp())


# -- the wrapped law ------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("space", SPACES)
def test_the_wrapped_density_integrates_to_one(space, n):
    manifold = CASES[space]
    scale = t([0.15, 0.1, 0.2])[:n] * radius(manifold)
    shape = t([0.8, 3.0, 1.0] if manifold.sign <= 0 else [2.0, 3.0, 8.0])[:n]
    at = manifold.origin(n, dtype=F64)
    law = WrappedGeneralizedGaussian(manifold, at, scale, shape)
    # The density has ridges where a component is 0: by orthants, in components about the centre.
    rules = [half_line(a.item(), b.item()) for a, b in zip(scale, shape, strict=True)]
    v = torch.cartesian_prod(*(nodes for nodes, _ in rules)).reshape(-1, n)
    weight = torch.cartesian_prod(*(w for _, w in rules)).reshape(-1, n).prod(-1)
    length = v.norm(dim=-1)
    # Beyond a half turn there is no point of the sphere, nor of the ball past float64.
    inside = length < {1: math.pi, 0: math.inf, -1: 30.0}[manifold.sign] * radius(manifold)
    v, weight = v[inside], (weight * sn_ratio(manifold, length) ** (n - 1))[inside]
    total = 0.0
    with torch.no_grad():
        for signs in product((1.0, -1.0), repeat=n):
            x = manifold.from_normal(v * t(signs))
            total += (law.log_prob(x).exp() * weight).sum().item()
    assert total == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("space", SPACES)
def test_the_wrapped_density_does_not_depend_on_where_its_centre_is(space):
    # An isometry of the space that takes the origin to the centre takes one law to the other; the
    # density at exp(v) is a function of v's components alone, here those of the carried frame.
    manifold = CASES[space]
    at = points(manifold, 3, seed=3, spread=0.5).detach()
    scale, shape = t([0.4, 0.2, 0.7]) * radius(manifold), t([0.7, 2.5, 1.0])
    v = t([[0.1, -0.3, 0.2], [0.0, 0.5, 0.0], [-0.9, 0.1, 0.4]]) * radius(manifold)
    frame = manifold._lift_tangent0(torch.eye(3, dtype=F64))
    carried = torch.stack([manifold.transport0(at, axis) for axis in frame])
    x = manifold.expmap(at, (v[..., None] * carried).sum(-2))
    got = WrappedGeneralizedGaussian(manifold, at, scale, shape).log_prob(x)
    inside = torch.from_numpy(st.gennorm.logpdf(v, shape, 0, scale)).sum(-1)
    expected = inside - 2 * sn_ratio(manifold, v.norm(dim=-1)).log()
    torch.testing.assert_close(got.detach(), expected, rtol=1e-11, atol=1e-11)


def test_heavy_tails_on_the_sphere_lack_the_mass_that_the_docstring_says():
    sphere = Sphere()
    law = WrappedGeneralizedGaussian(sphere, sphere.origin(1, dtype=F64), 0.4, 0.5)
    v, w = half_line(0.4, 0.5, 0.01)
    near = v < math.pi
    with torch.no_grad():
        density = law.log_prob(sphere.from_normal(v[near, None])).exp()
    chance = 2 * (density * w[near]).sum().item()
    expected = 1 - 2 * st.gennorm.sf(math.pi, 0.5, scale=0.4)
    assert chance == pytest.approx(expected, abs=3e-3)  # one step of the rule at its edge
    assert expected == pytest.approx(0.77, abs=5e-3)


@pytest.mark.parametrize("space", SPACES)
def test_components_of_wrapped_samples_follow_their_laws(space):
    manifold = CASES[space]
    at = points(manifold, 3, seed=3, spread=0.5).detach()
    scale, shape = t([0.1, 0.3, 0.2]) * radius(manifold), t([0.7, 2.0, 8.0])
    torch.manual_seed(5)
    x = WrappedGeneralizedGaussian(manifold, at, scale, shape).sample((COUNT,))
    assert manifold.is_point(x).all()
    v = manifold._drop_tangent0(manifold.transport0_inverse(at, manifold.logmap(at, x))).detach()
    for k in range(3):
        if manifold.sign > 0 and k == 0:
            continue  # heavy tails wind around
        cdf = st.gennorm(shape[k].item(), scale=scale[k].item()).cdf
        assert st.kstest(v[:, k].numpy(), cdf).statistic < LIMIT


@pytest.mark.parametrize("space", SPACES)
def test_shape_two_is_the_normal_law(space):
    manifold = CASES[space]
    at, x = points(manifold, 2, 3, seed=1, spread=0.5).detach()
    sigma = t([0.3, 0.5, 0.2])
    with torch.no_grad():
        wrapped = WrappedGeneralizedGaussian(manifold, at, math.sqrt(2) * sigma, 2.0).log_prob(x)
        expected = WrappedNormal(manifold, at, sigma).log_prob(x)
        torch.testing.assert_close(wrapped, expected, rtol=1e-13, atol=1e-13)
        a = math.sqrt(2) * 0.6
        law = RiemannianGeneralizedGaussian(manifold, at, a, 2.0)
        other = RiemannianNormal(manifold, at, 0.6)
        for name in ("log_normaliser", "entropy"):
            one, two = getattr(law, name)(), getattr(other, name)()
            torch.testing.assert_close(one, two, rtol=1e-13, atol=1e-13)
        torch.testing.assert_close(law.log_prob(x), other.log_prob(x), rtol=1e-13, atol=1e-13)


# -- the radial law -------------------------------------------------------------------------------


def log_normaliser_by_quadrature(sign, n, a, b):
    """At unit curvature; also the mean of (t/a)^b."""
    a, b = mp.mpf(a), mp.mpf(b)
    sn = {-1: mp.sinh, 0: lambda s: s, 1: mp.sin}[sign]
    cuts = [a * mp.mpf(u) ** (1 / b) for u in (1e-9, 1e-5, 1e-3, 0.1, 1, 2, 4, 8, 16, 32, 64, 150)]
    if sign < 0:
        # Where volume and kernel balance, and as far beyond.
        more = [mp.mpf(k) for k in (1, 2, 4, 8, 12, 16, 24, 32, 48, 64, 128)]
        cuts += more
        while cuts[-1] < 1e4 and (cuts[-1] / a) ** b < (n - 1) * cuts[-1] + 90:
            cuts.append(1.5 * cuts[-1])
    end = mp.pi if sign > 0 else max(cuts)
    cuts = sorted({mp.mpf(0), *(c for c in cuts if c < end), end})
    weight = [
        mp.quad(
            lambda s, k=k: (s / a) ** (k * b) * mp.exp(-((s / a) ** b)) * sn(s) ** (n - 1), cuts
        )
        for k in (0, 1)
    ]
    unit = mp.log(2) + mp.mpf(n) / 2 * mp.log(mp.pi) - mp.loggamma(mp.mpf(n) / 2)
    return float(unit + mp.log(weight[0])), float(weight[1] / weight[0])


CASES_OF_NORMALISERS = [
    (-1, 2, 0.5, 1.0),
    (-1, 3, 0.4, 1.0),
    (-1, 3, 0.7, 1.3),
    (-1, 2, 0.3, 1.05),
    (-1, 5, 2.0, 3.0),
    (-1, 1, 0.5, 0.5),
    (0, 3, 0.7, 0.3),
    (0, 40, 0.7, 1.5),
    (1, 3, 0.4, 0.5),
    (1, 2, 2.0, 8.0),
    (1, 3, 0.2, 1.0),
]


@pytest.mark.parametrize(("sign", "n", "a", "b"), CASES_OF_NORMALISERS)
def test_the_radial_law_has_the_normaliser_of_quadrature(sign, n, a, b):
    manifold = {-1: Lorentz(), 0: Euclidean(), 1: Sphere()}[sign]
    with mp.workdps(20):
        expected, moment = log_normaliser_by_quadrature(sign, n, a, b)
        if sign == 0:
            y = n / mp.mpf(b)
            unit = mp.log(2) + mp.mpf(n) / 2 * mp.log(mp.pi) - mp.loggamma(mp.mpf(n) / 2)
            assert float(unit + n * mp.log(a) + mp.loggamma(y) - mp.log(b)) == pytest.approx(
                expected
            )
    scale, shape = t(a, True), t(b, True)
    law = RiemannianGeneralizedGaussian(manifold, manifold.origin(n, dtype=F64), scale, shape)
    got = law.log_normaliser()
    assert got.item() == pytest.approx(expected, rel=1e-12, abs=1e-12)
    # d log Z/da = b E(t/a)^b / a; and the entropy is log Z + E(t/a)^b.
    (slope,) = torch.autograd.grad(got, scale)
    assert slope.item() == pytest.approx(b * moment / a, rel=1e-11, abs=0)
    assert law.entropy().item() == pytest.approx(expected + moment, rel=1e-11, abs=0)


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("space", SPACES)
def test_the_radial_density_integrates_to_one(space, n):
    # By shells about the origin, on which a density about another centre is not constant.
    manifold = CASES[space]
    at = points(manifold, n, seed=3, spread=0.5).detach()
    law = RiemannianGeneralizedGaussian(manifold, at, 0.6 * radius(manifold), 4.0)
    reach = diameter(manifold).item() if manifold.sign > 0 else 5 * radius(manifold)
    nodes, weights = (torch.from_numpy(q) for q in np.polynomial.legendre.leggauss(100))
    r, w = reach * (nodes + 1) / 2, weights * reach / 2
    if n == 1:
        around, across = t([[1.0], [-1.0]]), t([1.0, 1.0])
    else:
        phi = torch.arange(48, dtype=F64) * (2 * math.pi / 48)
        around = torch.stack([phi.cos(), phi.sin()], -1)
        across = torch.full((48,), 2 * math.pi / 48, dtype=F64)
    if n == 3:
        z, wz = (torch.from_numpy(q) for q in np.polynomial.legendre.leggauss(40))
        s = (1 - z.square()).sqrt()[:, None, None] * around
        around = torch.cat([s, z[:, None, None].expand(-1, 48, 1)], -1).reshape(-1, 3)
        across = (wz[:, None] * across).reshape(-1)
    with torch.no_grad():
        x = manifold.from_normal(r[:, None, None] * around)
        shell = w * sphere_area(manifold, r, n) / sphere_area(Euclidean(), 1.0, n)
        total = (law.log_prob(x).exp() * across * shell[:, None]).sum().item()
    assert total == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize(
    ("space", "n", "b"),
    [
        ("Euclidean", 3, 0.5),
        ("Sphere(2.5)", 2, 0.7),
        ("PoincareBall(-0.3)", 3, 1.5),
        ("Lorentz(-0.7, learnable)", 2, 1.0),
        ("Lorentz(-0.7, learnable)", 1, 0.6),
    ],
)
def test_distances_of_radial_samples_follow_the_law(space, n, b):
    manifold = CASES[space]
    at = points(manifold, n, seed=3, spread=0.5).detach()
    a = 0.4 * radius(manifold)
    torch.manual_seed(7)
    law = RiemannianGeneralizedGaussian(manifold, at, a, b)
    d = manifold.dist(at, law.sample((COUNT,))).detach()
    end = a * 60 ** (1 / b)
    if manifold.sign > 0:
        end = min(end, diameter(manifold).item())
    # Distances in steps even in their n-th root of the kernel's power, by the trapezium rule.
    s = torch.linspace(0, 1, 100_001, dtype=F64) ** max(2 / b, 1)
    grid = s * end
    density = (sn_ratio(manifold, grid) * grid) ** (n - 1) * (-((grid / a) ** b)).exp()
    mass = torch.cat([t([0.0]), torch.cumulative_trapezoid(density, grid)])
    cdf = np.interp(d.sort().values.numpy(), grid.numpy(), (mass / mass[-1]).numpy())
    assert st.kstest(cdf, "uniform").statistic < LIMIT


# -- both -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [WrappedGeneralizedGaussian, RiemannianGeneralizedGaussian])
@pytest.mark.parametrize("space", SPACES)
def test_densities_and_samples_have_the_gradients_of_finite_differences(kind, space):
    manifold = CASES[space]
    v = torch.tensor([[0.2, -0.4], [0.5, 0.1]], dtype=F64)
    arguments = (v[0].requires_grad_(), v[1].requires_grad_(), t(0.4, True), t(1.4, True))

    def density(u, w, a, b):
        law = kind(manifold, manifold.from_normal(u), a, b, validate_args=False)
        return law.log_prob(manifold.from_normal(w))

    arguments = tuple(p.detach().clone().requires_grad_() for p in arguments)
    assert derivatives_of_differences(density, arguments, second=False)
    # Samples move so that each keeps its chance: E f has the derivative of the density's.
    torch.manual_seed(0)
    a, b = t(0.4, True), t(1.4, True)
    at = manifold.from_normal(v[0].detach()).detach()
    size = (4000,)
    law = kind(manifold, at, a.expand(size)[..., None] if kind.__name__[0] == "W" else a, b)
    x = law.rsample(() if kind.__name__[0] == "W" else size)
    square = manifold.sqdist(at, x)
    fresh = kind(manifold, at, 0.4, 1.4).sample(size)
    score = kind(manifold, at, a, b).log_prob(fresh)
    value = manifold.sqdist(at, fresh).detach()
    for parameter in (a, b):
        (got,) = torch.autograd.grad(square.mean(), parameter, retain_graph=True)
        (expected,) = torch.autograd.grad(
            ((value - value.mean()) * score).mean(), parameter, retain_graph=True
        )
        # Both are means of 4000 terms; the second's spread is the larger.
        assert got.item() == pytest.approx(expected.item(), rel=0.25)


@pytest.mark.parametrize("kind", [WrappedGeneralizedGaussian, RiemannianGeneralizedGaussian])
def test_they_are_citizens_of_torch(kind):
    space = Lorentz(-0.7)
    at = points(space, 5, 1, 3, seed=1)
    law = kind(space, at, 0.5, t([1.5, 2.0, 3.0]) if kind.__name__[0] == "R" else t(1.5))
    batch = (5, 3) if kind.__name__[0] == "R" else (5, 1)
    assert (law.batch_shape, law.event_shape, law.n) == (batch, (4,), 3)
    x = law.sample((7,))
    assert x.shape == (7, *batch, 4)
    assert law.log_prob(x).shape == (7, *batch)
    wide = law.expand((2, *batch))
    torch.testing.assert_close(wide.log_prob(x[:2]), law.log_prob(x[:2]), rtol=1e-14, atol=1e-14)
    assert "shape: " in repr(law)
    # A zero residual: defined for any shape.
    here = at[0, 0].detach()
    for b in (1.2, 2.0, 4.0):
        a, s, m = t(0.5, True), t(b, True), here.clone().requires_grad_()
        value = kind(space, m, a, s, validate_args=False).log_prob(here)
        for slope in torch.autograd.grad(value, (m, a, s)):
            assert slope.isfinite().all()
    for dtype in (torch.float32, torch.bfloat16):
        narrow = kind(space, at.to(dtype), 0.5, 1.5)
        y = narrow.sample()
        assert y.dtype == dtype
        full = kind(space, narrow.loc.double(), 0.5, 1.5, validate_args=False)
        torch.testing.assert_close(
            narrow.log_prob(y).double(),
            full.log_prob(y.double()),
            rtol=4 * torch.finfo(dtype).eps,
            atol=1e-3,
        )
    with pytest.raises(ValueError, match="Expected parameter shape"):
        kind(space, at, 0.5, -1.0, validate_args=True)


def test_each_component_has_its_own_scale_and_shape():
    ball = PoincareBall()
    at = points(ball, 4, 2, seed=1)
    law = WrappedGeneralizedGaussian(ball, at, t([0.1, 0.2]), torch.rand(4, 1).double() + 1)
    assert law.scale.shape == law.shape.shape == (4, 2)
    with pytest.raises(ValueError, match=r"WrappedGeneralizedGaussian: shape has shape \(3,\)"):
        WrappedGeneralizedGaussian(ball, at, 0.1, torch.ones(3))
    flat = WrappedGeneralizedGaussian(Euclidean(), at, t([0.1, 0.2]), 0.7)
    x = flat.sample()
    expected = GeneralizedGaussian(at, t([0.1, 0.2]), t(0.7)).log_prob(x).sum(-1)
    torch.testing.assert_close(flat.log_prob(x), expected, rtol=1e-13, atol=1e-13)


def test_on_a_product_the_wrapped_law_is_that_of_its_factors():
    factors = [Lorentz(-0.7), Sphere(0.5), Euclidean()]
    space = Product(factors)
    v, w = torch.randn(2, 5, 6, dtype=F64, generator=torch.Generator().manual_seed(1)) / 3
    scale, shape = torch.linspace(0.3, 0.9, 6).double(), torch.linspace(0.6, 3.0, 6).double()
    law = WrappedGeneralizedGaussian(space, space.from_normal(v), scale, shape)
    expected = torch.zeros(5, dtype=F64)
    parts = zip(*(q.split(2, -1) for q in (v, w, scale, shape)), strict=True)
    for factor, (at, x, a, b) in zip(factors, parts, strict=True):
        one = WrappedGeneralizedGaussian(factor, factor.from_normal(at), a, b)
        expected = expected + one.log_prob(factor.from_normal(x))
    got = law.log_prob(space.from_normal(w))
    torch.testing.assert_close(got, expected, rtol=1e-12, atol=1e-12)
    assert law.sample((3,)).shape == (3, 5, space.ambient_dim(6))


def test_laws_that_cannot_be_normalised_are_refused():
    space = Lorentz(-0.25)
    at = space.origin(3, dtype=F64)  # 1/((n - 1) sqrt(-K)) = 1
    for a, b in ((0.3, 0.9), (1.0, 1.0), (5.0, 1.0)):
        with pytest.raises(
            ValueError, match=r"RiemannianGeneralizedGaussian: shape holds .* finite normaliser at"
        ):
            RiemannianGeneralizedGaussian(space, at, a, b, validate_args=True)
    fine = RiemannianGeneralizedGaussian(space, at, t([0.999, 3.0]), t([1.0, 1.5]))
    assert fine.log_normaliser().isfinite().all()
    with pytest.raises(ValueError, match="scale holds 5; expected one whose law does not lie"):
        RiemannianGeneralizedGaussian(space, at, 5.0, 1.01, validate_args=True)
    # On a line, flat space and the sphere any shape will do.
    RiemannianGeneralizedGaussian(space, space.origin(1), 2.0, 0.5, validate_args=True)
    RiemannianGeneralizedGaussian(Sphere(), Sphere().origin(3), 2.0, 0.5, validate_args=True)
    RiemannianGeneralizedGaussian(Euclidean(), torch.zeros(3), 2.0, 0.5, validate_args=True)
