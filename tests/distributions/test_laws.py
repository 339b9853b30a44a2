"""Densities integrate to one; samples follow them; gradients are those of finite differences."""

import math

import numpy as np
import pytest
import torch
from cases import CASES, derivatives_of_differences, normals, points, radius
from torch.distributions import kl_divergence

from spaceforms.distributions import (
    PowerSpherical,
    RiemannianNormal,
    UniformBall,
    UniformSphere,
    VonMisesFisher,
    WrappedNormal,
)
from spaceforms.manifolds import Euclidean, Lorentz, PoincareBall, Sphere, diameter, sphere_area

F64 = torch.float64
SPACES = ["Euclidean", "Sphere(2.5)", "PoincareBall(-0.3)", "Lorentz(-0.7, learnable)"]
LAWS = {
    "RiemannianNormal": lambda m, x, p: RiemannianNormal(m, x, p * radius(m)),
    "UniformBall": lambda m, x, p: UniformBall(m, 3 * p * radius(m), centre=x),
    "VonMisesFisher": lambda m, x, p: VonMisesFisher(m, x, p * 10),
    "PowerSpherical": lambda m, x, p: PowerSpherical(m, x, p * 10),
    "WrappedNormal": lambda m, x, p: WrappedNormal(m, x, p * radius(m)),
}
PAIRS = [
    (law, space)
    for law in LAWS
    for space in SPACES
    if "Sphere" in space or law not in ("VonMisesFisher", "PowerSpherical")
]
ISOTROPIC = [pair for pair in PAIRS if pair[0] != "WrappedNormal"]


def centre(manifold, n, seed=3):
    return points(manifold, n, seed=seed, spread=0.5)


def legendre(count, low, high):
    nodes, weights = (torch.from_numpy(a) for a in np.polynomial.legendre.leggauss(count))
    return low + (high - low) * (nodes + 1) / 2, weights * (high - low) / 2


def integral(manifold, n, function, reach):
    """Of a function over the ball about the origin, in polar normal coordinates."""
    r, w = legendre(160, 0.0, reach)
    if n == 1:
        directions, across = torch.tensor([[1.0], [-1.0]], dtype=F64), torch.ones(2, dtype=F64)
    else:
        m = 96 if n == 2 else 48  # to rounding, as the tests below see
        phi = torch.arange(m, dtype=F64) * (2 * math.pi / m)
        circle = torch.stack([phi.cos(), phi.sin()], -1)
        across = torch.full((m,), 2 * math.pi / m, dtype=F64)
        directions = circle
        if n == 3:
            z, wz = legendre(24, -1.0, 1.0)
            s = (1 - z.square()).sqrt()
            directions = torch.cat(
                [s[:, None, None] * circle, z[:, None, None].expand(-1, m, 1)], -1
            ).reshape(-1, 3)
            across = (wz[:, None] * across).reshape(-1)
    x = manifold.from_normal(r[:, None, None] * directions)
    unit_area = sphere_area(Euclidean(), 1.0, n)
    shell = w * sphere_area(manifold, r, n) / unit_area
    return (function(x) * across * shell[:, None]).sum()


@pytest.mark.parametrize("n", [1, pytest.param(2, marks=pytest.mark.slow), 3])
@pytest.mark.parametrize(("law", "space"), PAIRS)
def test_the_density_integrates_to_one(law, space, n):
    manifold = CASES[space]
    # A ball's edge is no place for a rule that does not know of it: only about the origin.
    at = manifold.origin(n, dtype=F64) if law == "UniformBall" else centre(manifold, n)
    p = LAWS[law](manifold, at.detach(), 0.4)
    reach = diameter(manifold).item() if manifold.sign > 0 else 8 * radius(manifold)
    if law == "UniformBall":
        reach = p.radius.item() * (1 - 1e-15)
    with torch.no_grad():
        total = integral(manifold, n, lambda x: p.log_prob(x).exp(), reach).item()
    if law == "WrappedNormal" and manifold.sign > 0:
        # Of the wrapped law restricted to |v| < pi R: the chance of that is 1 - 5e-13 at most; the
        # rule meets the pole at the antipode.
        assert total == pytest.approx(1, abs=1e-9)
    else:
        assert total == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("sigma", [0.625, 1.36])
def test_the_wrapped_law_on_the_sphere_lacks_the_mass_that_the_docstring_says(sigma):
    sphere = Sphere()
    p = WrappedNormal(sphere, sphere.origin(2, dtype=F64), sigma)
    total = integral(sphere, 2, lambda x: p.log_prob(x).exp(), math.pi)
    # P(|v| < pi) for a normal vector of the plane.
    expected = 1 - math.exp(-((math.pi / sigma) ** 2) / 2)
    assert total.item() == pytest.approx(expected, abs=1e-12)
    assert expected == pytest.approx({0.625: 1 - 3e-6, 1.36: 0.93}[sigma], abs=1e-3)


# -- samples ------------------------------------------------------------------------------------

COUNT = 20_000
# Kolmogorov: P(sqrt(N) D > z) < 2 exp(-2 z^2). With z = 2.7 a right law fails once in 10^6 seeds.
LIMIT = 2.7 / math.sqrt(COUNT)


def kolmogorov(sample, cumulative):
    u = cumulative(sample.sort().values)
    ranks = torch.arange(len(u) + 1, dtype=F64) / len(u)
    return max((u - ranks[:-1]).max().item(), (ranks[1:] - u).max().item())


def cumulative_of(density, low, high, count=200_001):
    """The distribution function of a density by the trapezium rule."""
    grid = torch.linspace(low, high, count, dtype=F64)
    mass = torch.cumulative_trapezoid(density(grid), grid)
    mass = torch.cat([mass[:1] * 0, mass]) / mass[-1]

    def at(x):
        place = (x - low) / (high - low) * (count - 1)
        left = place.floor().clamp(0, count - 2)
        return mass[left.long()].lerp(mass[left.long() + 1], place - left)

    return at


def sn(manifold, t):
    t = t / radius(manifold)
    return {-1: torch.sinh, 0: lambda s: s, 1: torch.sin}[manifold.sign](t)


@pytest.mark.parametrize("n", [1, 2, 7])
@pytest.mark.parametrize(("law", "space"), ISOTROPIC)
def test_distances_and_directions_of_samples_follow_the_law(law, space, n):
    manifold = CASES[space]
    at = centre(manifold, n).detach()
    p = LAWS[law](manifold, at, 0.4)
    torch.manual_seed(7)
    x = p.sample((COUNT,))
    assert manifold.is_point(x).all()
    v = manifold.logmap(at, x).detach()
    t = manifold.norm(at, v).detach()
    r = radius(manifold)
    reach = math.pi * r if manifold.sign > 0 else 12 * r
    if law == "UniformBall":
        reach = p.radius.item()

    def density(s):
        log_kernel = {
            "RiemannianNormal": -((s / (0.4 * r)) ** 2) / 2,
            "UniformBall": 0 * s,
            "VonMisesFisher": 4 * (s / r).cos(),
            "PowerSpherical": 4 * (1 + (s / r).cos()).clamp(min=0).log(),
        }[law]
        return sn(manifold, s) ** (n - 1) * log_kernel.exp()

    assert kolmogorov(t, cumulative_of(density, 0.0, reach)) < LIMIT
    # A component of a uniform direction, against the direction of the origin's first axis there.
    axis = manifold.transport0(at, manifold._lift_tangent0(torch.eye(n, dtype=F64)[0])).detach()
    cosine = manifold.inner(at, v, axis).detach() / t
    if n == 1:
        assert abs((cosine > 0).double().mean().item() - 0.5) < LIMIT
    else:
        half = cumulative_of(lambda a: a.sin() ** (n - 2), 0.0, math.pi)
        assert kolmogorov(cosine.clamp(-1, 1).acos(), half) < LIMIT


@pytest.mark.parametrize("space", SPACES)
def test_samples_of_the_wrapped_law_are_normal_at_the_centre(space):
    manifold = CASES[space]
    at = centre(manifold, 3).detach()
    scale = torch.tensor([0.3, 0.1, 0.5], dtype=F64) * radius(manifold)
    torch.manual_seed(5)
    x = WrappedNormal(manifold, at, scale).sample((COUNT,))
    v = manifold._drop_tangent0(manifold.transport0_inverse(at, manifold.logmap(at, x)))
    for k in range(3):
        z = v[:, k].detach() / scale[k]
        assert kolmogorov(z, lambda a: (1 + torch.erf(a / math.sqrt(2))) / 2) < LIMIT


def test_uniform_points_of_the_sphere_have_uniform_heights():
    torch.manual_seed(3)
    for k in (1.0, 0.3):
        p = UniformSphere(Sphere(k), 2, dtype=F64)
        x = p.sample((COUNT,))
        for axis in range(3):  # Archimedes
            height = x[:, axis] * math.sqrt(k)
            assert kolmogorov(height, lambda h: (1 + h) / 2) < LIMIT
        assert p.log_prob(x).exp().mean().item() == pytest.approx(
            k / (4 * math.pi), rel=1e-14, abs=0
        )


@pytest.mark.parametrize("n", [40, 512])
@pytest.mark.parametrize("kind", [VonMisesFisher, PowerSpherical])
def test_many_dimensions_have_the_right_mean_cosine(kind, n):
    torch.manual_seed(1)
    p = kind(Sphere(), Sphere().origin(n, dtype=F64), torch.tensor([0.5, 50.0, 2000.0]))
    cosine = p.sample((4000,))[..., 0]
    error = (cosine.mean(0) - p.mean_cosine).abs() / (cosine.std(0) / math.sqrt(4000))
    assert (error < 5).all()  # once in a million


def test_entropy_is_minus_the_mean_log_density_of_samples():
    torch.manual_seed(1)
    for law, space in ISOTROPIC:
        manifold = CASES[space]
        p = LAWS[law](manifold, centre(manifold, 3).detach(), 0.4)
        with torch.no_grad():
            values = -p.log_prob(p.sample((4000,)))
            bound = 5 * values.std() / math.sqrt(4000) + 1e-12
            assert abs(values.mean() - p.entropy()) < bound, (law, space)


# -- gradients ----------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [pytest.param(1, marks=pytest.mark.slow), 3])
@pytest.mark.parametrize(("law", "space"), PAIRS)
def test_log_prob_and_samples_have_the_gradients_of_finite_differences(law, space, n):
    manifold = CASES[space]
    a, b = (normals(manifold, n, seed=s, spread=0.3) for s in (1, 2))
    p = torch.tensor(0.4, dtype=F64)
    arguments = tuple(t.requires_grad_() for t in (a, b, p))

    def density(a, b, p):
        return LAWS[law](manifold, manifold.from_normal(a), p).log_prob(manifold.from_normal(b))

    assert derivatives_of_differences(density, arguments, second=law != "UniformBall")

    def sample(a, p):
        torch.manual_seed(2)
        return LAWS[law](manifold, manifold.from_normal(a), p).rsample((5,))

    assert derivatives_of_differences(sample, (arguments[0], arguments[2]), second=False)


@pytest.mark.parametrize("kind", [Lorentz, PoincareBall, Sphere])
def test_the_curvature_learns_from_densities_and_samples(kind):
    start = math.copysign(0.7, kind(1.0).sign if kind is Sphere else -1)
    raw = kind(start, learnable=True)
    step = 1e-5

    def result(m, law):
        v = torch.tensor([0.3, -0.4, 0.2], dtype=F64)
        torch.manual_seed(0)
        p = {
            "normal": lambda: RiemannianNormal(m, m.from_normal(v), 0.6),
            "wrapped": lambda: WrappedNormal(m, m.from_normal(v), 0.6),
            "ball": lambda: UniformBall(m, 1.1, centre=m.from_normal(v)),
        }[law]()
        moved = m.to_normal(p.rsample((4,))).sum()
        return moved + p.log_prob(m.from_normal(0.9 * v))

    for law in ("normal", "wrapped", "ball"):
        (got,) = torch.autograd.grad(result(raw, law), raw._magnitude.raw)
        up, down = (result(kind(start * math.exp(h)), law) for h in (step, -step))
        # The parameter is float32, and its gradient too.
        assert got.item() == pytest.approx(((up - down) / (2 * step)).item(), rel=1e-6, abs=1e-6)


# -- divergences --------------------------------------------------------------------------------


def test_divergences_are_those_of_quadrature():
    sphere = Sphere(0.5)
    x, y = centre(sphere, 2), centre(sphere, 2, seed=9)
    p, q = VonMisesFisher(sphere, x, 3.0), VonMisesFisher(sphere, y, 1.5)
    power, uniform = PowerSpherical(sphere, x, 3.0), UniformSphere(sphere, 2, dtype=F64)
    for one, other in ((p, q), (p, uniform), (power, uniform)):
        expected = integral(
            sphere,
            2,
            lambda z, a=one, b=other: a.log_prob(z).exp() * (a.log_prob(z) - b.log_prob(z)),
            diameter(sphere).item(),
        )
        assert kl_divergence(one, other).item() == pytest.approx(expected.item(), abs=1e-12)
    assert abs(kl_divergence(p, p).item()) < 1e-15
    with pytest.raises(ValueError, match="kl_divergence: p is on the 2-sphere of curvature"):
        kl_divergence(p, UniformSphere(Sphere(), 2))


def test_a_divergence_between_two_spheres_is_refused():
    def law(n, curvature):
        space = Sphere(curvature)
        return VonMisesFisher(space, space.origin(n, dtype=torch.float64), 2.0)

    for other in (law(3, 1.0), law(2, 0.5)):
        sizes = f"q on the {other.n}-sphere of curvature {float(other.manifold.curvature):g}"
        with pytest.raises(ValueError, match=f"p is on the 2-sphere of curvature 1, {sizes};"):
            kl_divergence(law(2, 1.0), other)
    assert kl_divergence(law(2, 1.0), law(2, 1.0)) == 0
