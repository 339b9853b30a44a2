"""Normalisers, means and entropies against mpmath: closed forms and quadrature from definitions."""

import math

import mpmath as mp
import pytest
import torch

from spaceforms.distributions import (
    PowerSpherical,
    RiemannianNormal,
    VonMisesFisher,
    WrappedNormal,
)
from spaceforms.manifolds import Euclidean, Lorentz, PoincareBall, Sphere

F64 = torch.float64
EPS = torch.finfo(F64).eps


def leaf(value):
    return torch.tensor(value, dtype=F64, requires_grad=True)


def at_origin(manifold, n):
    return manifold.origin(n, dtype=F64)


def von_mises_fisher(n, kappa):
    """(log Z, A) of the unit n-sphere from Bessel functions, Z of exp(kappa (cos - 1))."""
    with mp.workdps(40):
        nu, k = mp.mpf(n - 1) / 2, mp.mpf(kappa)
        if kappa == 0:
            half = mp.mpf(n + 1) / 2
            return mp.log(2) + half * mp.log(mp.pi) - mp.loggamma(half), mp.mpf(0)
        bessel = mp.besseli(nu, k, maxterms=10**6)
        log_z = mp.mpf(n + 1) / 2 * mp.log(2 * mp.pi) + mp.log(bessel) - nu * mp.log(k) - k
        return log_z, mp.besseli(nu + 1, k, maxterms=10**6) / bessel


@pytest.mark.parametrize("n", [1, 2, 3, 10, 63, 512, 3000])
def test_von_mises_fisher_has_the_bessel_functions_normaliser_and_their_ratio_for_gradient(n):
    for kappa in (0.0, 1e-8, 0.01, 1.0, 30.0, 700.0, 1e4, 1e6):
        k = leaf(kappa)
        law = VonMisesFisher(Sphere(), at_origin(Sphere(), n), k)
        log_z, ratio = von_mises_fisher(n, kappa)
        got = law.log_normaliser()
        # The normaliser is a power of kappa up to the n-th; its logarithm has its own rounding.
        assert abs(got.item() - log_z) <= 4 * EPS * (n + abs(float(log_z))), kappa
        (slope,) = torch.autograd.grad(got, k)
        # Of exp(kappa cos) the derivative would be A; of exp(kappa (cos - 1)) it is A - 1.
        assert abs(slope.item() / (ratio - 1) - 1) <= 64 * EPS, kappa
        # The angle is near a right one in many dimensions, and its cosine has its rounding.
        assert abs(law.mean_cosine.item() - ratio) <= 16 * EPS, kappa


@pytest.mark.parametrize("n", [1, 2, 3, 10, 63, 512, 3000])
def test_power_spherical_has_the_gamma_functions_normaliser(n):
    for kappa in (0.0, 1e-8, 0.01, 0.3, 1.0, 30.0, 700.0, 1e4, 1e6):
        k = leaf(kappa)
        law = PowerSpherical(Sphere(), at_origin(Sphere(), n), k)
        with mp.workdps(40):
            beta = mp.mpf(n) / 2
            alpha = beta + mp.mpf(kappa)
            # De Cao & Aziz 2020, eq. 8, and the kernel here is theirs over 2^kappa.
            log_z = (alpha + beta) * mp.log(2) + beta * mp.log(mp.pi) - mp.mpf(kappa) * mp.log(2)
            log_z += mp.loggamma(alpha) - mp.loggamma(alpha + beta)
            slope = mp.digamma(alpha) - mp.digamma(alpha + beta)
            entropy = log_z - mp.mpf(kappa) * slope
        got = law.log_normaliser()
        allowed = 4 * EPS * (n + abs(float(log_z)))
        assert abs(got.item() - log_z) <= allowed, kappa
        (at,) = torch.autograd.grad(got, k)
        assert abs(at.item() / slope - 1) <= 64 * EPS, kappa
        assert abs(law.entropy().item() - entropy) <= allowed + 64 * EPS * n, kappa
        expected = kappa / (kappa + n)
        cosine = law._law().expectation(lambda t: t.cos()).item()
        assert abs(law.mean_cosine.item() - expected) <= 2 * EPS
        assert abs(cosine - expected) <= 16 * EPS


def riemannian_normal(sign, n, sigma):
    """(log Z, dlog Z/dsigma) at unit curvature by quadrature at 40 digits around the maximum."""
    with mp.workdps(40):
        s = mp.mpf(sigma)
        sn, ct = {
            -1: (mp.sinh, mp.coth),
            0: (lambda t: t, lambda t: 1 / t),
            1: (mp.sin, mp.cot),
        }[sign]
        end = mp.pi if sign > 0 else mp.inf
        mode = mp.mpf(0)
        if n > 1:
            low, high = mp.mpf(0), min(end, (n - 1) * s * s + n * s)
            for _ in range(140):
                middle = (low + high) / 2
                rising = (n - 1) * ct(middle) * s * s > middle
                low, high = (middle, high) if rising else (low, middle)
            mode = low
        peak = (n - 1) * mp.log(sn(mode)) if n > 1 else mp.mpf(0)

        def density(t):
            if n > 1 and t == 0:
                return mp.mpf(0)
            power = (n - 1) * mp.log(sn(t)) if n > 1 else 0
            return mp.exp(power - peak - (t - mode) * (t + mode) / (2 * s * s))

        steps = [-12, -8, -5, -3, -2, -1, -0.5, 0, 0.5, 1, 2, 3, 5, 8, 12]
        places = sorted({min(max(mode + k * s, mp.mpf(0)), end) for k in steps})
        total = mp.quad(density, places)
        moment = mp.quad(lambda t: t * t * density(t), places) / total
        unit = mp.log(2) + mp.mpf(n) / 2 * mp.log(mp.pi) - mp.loggamma(mp.mpf(n) / 2)
        return unit + peak - mode**2 / (2 * s * s) + mp.log(total), moment / s**3


@pytest.mark.parametrize(
    "n", [1, 2, *(pytest.param(n, marks=pytest.mark.slow) for n in (3, 40)), 512]
)
@pytest.mark.parametrize("manifold", [Euclidean(), Sphere(), Lorentz()], ids=repr)
def test_the_riemannian_normal_has_the_normaliser_of_quadrature_at_40_digits(manifold, n):
    for sigma in (1e-4, 0.1, 1.0, 10.0):
        s = leaf(sigma)
        law = RiemannianNormal(manifold, at_origin(manifold, n), s)
        log_z, slope = riemannian_normal(manifold.sign, n, sigma)
        got = law.log_normaliser()
        # Z has sigma^n in it, and e^((n - 1)^2 sigma^2/2) far out: its condition in sigma.
        condition = n + abs(float(slope * sigma)) + abs(float(log_z))
        assert abs(got.item() - log_z) <= 4 * EPS * condition, sigma
        (at,) = torch.autograd.grad(got, s)
        assert abs(at.item() / slope - 1) <= 64 * EPS * (1 + sigma), sigma
        assert law.mean_sqdist.item() == pytest.approx(float(slope) * sigma**3, rel=1e-13, abs=0)


def test_the_riemannian_normal_has_said_and_others_closed_form_in_the_plane():
    # Said, Bombrun & Berthoumieu 2014, eq. 9: Z = 2 pi sqrt(pi/2) s e^(s^2/2) erf(s/sqrt 2).
    for k in (-1.0, -0.3):
        for sigma in (0.05, 0.7, 3.0):
            s = sigma * math.sqrt(-k)
            z = math.sqrt(math.pi / 2) * s * math.exp(s * s / 2) * math.erf(s / math.sqrt(2))
            law = RiemannianNormal(PoincareBall(k), torch.zeros(2, dtype=F64), sigma)
            expected = math.log(2 * math.pi * z / -k)
            assert law.log_normaliser().item() == pytest.approx(expected, abs=64 * EPS)


@pytest.mark.parametrize("n", [1, 2, 20, 512])
def test_the_riemannian_normal_of_flat_space_is_the_normal_law(n):
    loc, x = torch.randn(2, 5, n, dtype=F64, generator=torch.Generator().manual_seed(0))
    law = RiemannianNormal(Euclidean(), loc, 0.7)
    normal = torch.distributions.Independent(torch.distributions.Normal(loc, 0.7), 1)
    torch.testing.assert_close(law.log_prob(x), normal.log_prob(x), rtol=8 * EPS, atol=64 * EPS)
    torch.testing.assert_close(law.entropy(), normal.entropy(), rtol=64 * EPS, atol=0)
    torch.testing.assert_close(
        law.mean_sqdist, torch.full((5,), n * 0.49, dtype=F64), rtol=64 * EPS, atol=0
    )


@pytest.mark.parametrize("n", [1, 2, 3, 40, 512])
@pytest.mark.parametrize("dtype", [F64, torch.float32])
def test_extreme_parameters_give_finite_densities_samples_and_gradients(n, dtype):
    torch.manual_seed(0)
    for kind in (VonMisesFisher, PowerSpherical):
        _finite(kind, Sphere(0.3), n, (0.0, 1e-30, 1e-3, 1e6, 1e12), dtype)
    for manifold in (Sphere(), Lorentz(), PoincareBall()):
        _finite(RiemannianNormal, manifold, n, (1e-6, 1e-4, 1.0, 10.0), dtype)


def _finite(kind, manifold, n, parameters, dtype):
    parameter = torch.tensor(parameters, dtype=dtype, requires_grad=True)
    law = kind(manifold, manifold.origin(n, dtype=dtype), parameter)
    x = law.rsample((3,))
    value = law.log_prob(x.detach())
    assert x.isfinite().all()
    assert value.isfinite().all()
    assert law.entropy().isfinite().all()
    for result in (x.sum(), value.sum()):
        (gradient,) = torch.autograd.grad(result, parameter, retain_graph=True)
        assert gradient.isfinite().all(), (kind, manifold, n)


@pytest.mark.parametrize("n", [2, 3, 40])
@pytest.mark.parametrize("sign", [-1, 1])
def test_the_wrapped_normal_is_right_at_40_digits_near_and_far(n, sign):
    manifold = Lorentz() if sign < 0 else Sphere()
    sn = mp.sinh if sign < 0 else mp.sin
    scale = torch.linspace(0.5, 1.5, n, dtype=F64)
    law = WrappedNormal(manifold, at_origin(manifold, n), scale)
    lengths = (0.0, 1e-9, 0.3, 1.5, 3.0) + ((12.0, 60.0) if sign < 0 else ())
    for length in lengths:
        v = length * torch.sin(torch.arange(1, n + 1, dtype=F64))
        v = v / v.norm() * length if length else v
        got = law.log_prob(manifold.from_normal(v)).item()
        with mp.workdps(40):
            numbers = [mp.mpf(c.item()) for c in v]
            size = mp.sqrt(mp.fsum(c * c for c in numbers))
            square = mp.fsum(
                (c / mp.mpf(s.item())) ** 2 for c, s in zip(numbers, scale, strict=True)
            )
            expected = -square / 2 - n * mp.log(2 * mp.pi) / 2
            expected -= mp.fsum(mp.log(mp.mpf(s.item())) for s in scale)
            bent = (n - 1) * mp.log(sn(size) / size) if size else mp.mpf(0)
        # The point has its rounding, which counts as |v| times the slopes; near the antipode
        # that of log sin is (n - 1) |v| / tan.
        steep = (n - 1) * size / mp.tan(size) if sign > 0 and size else 0
        allowed = 16 * EPS * (n + float(square) + abs(float(bent)) + abs(float(steep)))
        assert abs(got - (expected - bent)) <= allowed, length
