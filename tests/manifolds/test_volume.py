"""Volumes of balls and areas of spheres: mpmath, closed forms, Gauss-Bonnet, extremes."""

import math

import mpmath as mp
import pytest
import torch
from cases import CASES, radius, thinned

from spaceforms.manifolds import (
    Euclidean,
    Lorentz,
    Sphere,
    ball_volume,
    diameter,
    injectivity_radius,
    log_ball_volume,
    log_sphere_area,
    sphere_area,
)

F64 = torch.float64
EPS = torch.finfo(F64).eps


def leaf(value):
    return torch.tensor(value, dtype=F64, requires_grad=True)


def grad(value, leaf):
    return torch.autograd.grad(value, leaf)[0].item()


def exact(k, r, n):
    """(log V, d log V/dr) by quadrature at 40 digits, relative to the integrand's peak."""
    with mp.workdps(40):
        k, r = mp.mpf(k), mp.mpf(r)
        root = mp.sqrt(abs(k)) or mp.mpf(1)
        sn = {-1: mp.sinh, 0: lambda t: t, 1: mp.sin}[int(mp.sign(k))]
        peak = min(r, mp.pi / 2 / root) if k > 0 else r

        def density(t):
            return mp.exp((n - 1) * mp.log(sn(root * t) / sn(root * peak))) if t else mp.mpf(n == 1)

        # Crowded at the peak: in high dimension all of the mass is there.
        steps = [mp.mpf(2) ** -j for j in range(12)]
        places = {peak, *(peak * (1 - s) for s in steps), *(peak + (r - peak) * s for s in steps)}
        total = mp.quad(density, sorted(places))
        unit = mp.log(2) + mp.mpf(n) / 2 * mp.log(mp.pi) - mp.loggamma(mp.mpf(n) / 2)
        log_volume = unit + (n - 1) * mp.log(sn(root * peak) / root) + mp.log(total)
        return log_volume, density(r) / total


@pytest.mark.parametrize(
    "n", [1, 2, 40, 3000, *(pytest.param(n, marks=pytest.mark.slow) for n in (3, 7, 512))]
)
@pytest.mark.parametrize("name", ["Euclidean", "Sphere(2.5)", "Lorentz(-1)", "PoincareBall(-0.3)"])
def test_volume_and_its_derivative_are_those_of_quadrature_at_40_digits(name, n):
    manifold = CASES[name]
    for units in (1e-8, 0.3, 1.4, 1.7, 3.0, 30.0):
        if manifold.sign > 0 and units > 3:
            continue
        r = leaf(units * radius(manifold))
        value = log_ball_volume(manifold, r, n)
        log_volume, slope = exact(manifold.curvature.item(), r.item(), n)
        # What rounding r does, n times over, and what rounding the logarithm does.
        allowed = 4 * EPS * (n * (1 + units) + abs(float(log_volume)))
        assert abs(value.item() - log_volume) <= allowed, units
        if slope > 1e-280:
            # The area has n ct(r) r for its condition, and on the sphere pi - r has its rounding.
            condition = n * (1 + units / math.sin(units) if manifold.sign > 0 else 1 + units)
            assert abs(grad(value, r) / slope - 1) <= 8 * EPS * condition, units


def test_low_dimensions_have_the_closed_forms():
    r = torch.tensor([1e-9, 1e-3, 0.5, 1.0, 2.0, 3.0], dtype=F64)

    def check(got, expected):
        # Rounding the logarithm, up to 62 here, and a few of r.
        torch.testing.assert_close(got, expected, rtol=64 * EPS, atol=0)

    for manifold in (Euclidean(), Sphere(), Lorentz()):
        check(ball_volume(manifold, r, 1), 2 * r)
        assert (sphere_area(manifold, r, 1) - 2).abs().max() <= 4 * EPS
    check(ball_volume(Euclidean(), r, 2), math.pi * r**2)
    check(ball_volume(Euclidean(), r, 3), 4 / 3 * math.pi * r**3)
    check(ball_volume(Sphere(), r, 2), 4 * math.pi * (r / 2).sin() ** 2)
    check(ball_volume(Lorentz(), r, 2), 4 * math.pi * (r / 2).sinh() ** 2)
    check(sphere_area(Lorentz(), r, 2), 2 * math.pi * r.sinh())
    check(sphere_area(Sphere(4.0), r / 2, 3), math.pi * r.sin() ** 2)
    check(ball_volume(Lorentz(), r, 3)[2:], (math.pi * ((2 * r).sinh() - 2 * r))[2:])


@pytest.mark.parametrize("n", [1, 2, 3, 10, 100])
def test_the_whole_sphere_has_the_area_of_the_sphere_one_dimension_up(n):
    whole = log_ball_volume(Sphere(0.3), diameter(Sphere(0.3)), n)
    area = log_sphere_area(Euclidean(), radius(Sphere(0.3)), n + 1)
    torch.testing.assert_close(whole, area, rtol=0, atol=8 * EPS * (n + abs(area.item())))


def test_gauss_bonnet_holds_on_a_disk(manifold):
    for units in (1e-3, 0.5, 1.5, 2.9):
        r = leaf(units * radius(manifold))
        volume = ball_volume(manifold, r, 2)
        # K times the area and the integral of the geodesic curvature, the derivative of length.
        bend = grad(sphere_area(manifold, r, 2), r)
        curvature = manifold.curvature.item() * volume.item()
        scale = abs(curvature) + abs(bend)
        assert abs(curvature + bend - 2 * math.pi) <= 16 * EPS * scale


@pytest.mark.parametrize("manifold", thinned(CASES), indirect=True)
@pytest.mark.parametrize("n", [1, 2, 5, 64])
def test_the_derivative_of_the_volume_is_the_area_and_has_more(manifold, n):
    for units in (0.4, 2.5):
        r = leaf(units * radius(manifold))
        volume = ball_volume(manifold, r, n)
        area = sphere_area(manifold, r.detach(), n).item()
        assert grad(volume, r) == pytest.approx(area, rel=64 * n * EPS, abs=0)
        assert torch.autograd.gradgradcheck(lambda s: log_ball_volume(manifold, s, n), (r,))
        assert torch.autograd.gradcheck(lambda s: log_sphere_area(manifold, s, n), (r,))


@pytest.mark.parametrize("k", [-0.7, 0.7])
def test_volumes_have_the_derivative_in_the_curvature_that_scaling_says(k):
    for n in (2, 3, 40):
        manifold = (Lorentz if k < 0 else Sphere)(k, learnable=True)
        r = leaf(1.3)
        value = log_ball_volume(manifold, r, n)
        by_raw, by_r = torch.autograd.grad(value, (manifold._magnitude.raw, r))
        # V = R^n F(r/R), R = |K|^(-1/2), raw = log |K|: dV/draw = (r V_r - n V)/2.
        expected = (1.3 * by_r.item() - n) / 2
        assert by_raw.item() == pytest.approx(expected, rel=2**-22, abs=2**-22)


def test_radii_without_a_ball_or_a_sphere_have_none(manifold):
    for n in (1, 2, 3):
        r = torch.tensor([0.0, -0.0, -1.0], dtype=F64, requires_grad=True)
        volume, area = ball_volume(manifold, r, n), sphere_area(manifold, r, n)
        assert volume.tolist() == [0, 0, 0]
        assert area.tolist() == ([2, 2, 0] if n == 1 else [0, 0, 0])
        at = torch.autograd.grad(volume.sum(), r, retain_graph=True)[0].tolist()
        assert at == ([2, 2, 0] if n == 1 else [0, 0, 0])
        at = torch.autograd.grad(area.sum(), r)[0].tolist()
        assert at == ([2 * math.pi] * 2 + [0] if n == 2 else [0, 0, 0])
        assert log_ball_volume(manifold, r, n).tolist() == [-math.inf] * 3
        if manifold.sign > 0:
            far = torch.tensor([1.0, 1.5, 1e9], dtype=F64) * diameter(manifold).item()
            far.requires_grad_()
            whole = ball_volume(manifold, far, n)
            assert (whole == whole[0]).all()
            assert torch.autograd.grad(whole.sum(), far)[0].tolist() == [0, 0, 0]
            assert sphere_area(manifold, far.detach(), n)[1:].tolist() == [0, 0]


def test_dtypes_shapes_and_numbers(manifold):
    r = torch.rand(3, 2, dtype=torch.float32) + 0.1
    value = ball_volume(manifold, r, 3)
    assert (value.dtype, value.shape) == (torch.float32, (3, 2))
    assert torch.equal(value, ball_volume(manifold, r.double(), 3).float())
    assert log_ball_volume(manifold, 0.5, 3).dtype == F64
    assert log_sphere_area(manifold, r.half(), 5).dtype == torch.float16
    mapped = torch.vmap(lambda s: log_ball_volume(manifold, s, 3))(r.double())
    torch.testing.assert_close(mapped, log_ball_volume(manifold, r.double(), 3))


def test_the_injectivity_radius_is_where_the_sphere_ends(manifold):
    expected = math.pi * radius(manifold) if manifold.sign > 0 else math.inf
    assert injectivity_radius(manifold).item() == pytest.approx(expected, rel=2 * EPS, abs=0)
    assert diameter(manifold).item() == injectivity_radius(manifold).item()


def test_errors_say_what_is_wrong():
    with pytest.raises(ValueError, match=r"ball_volume: n is 2\.5; expected the dimension"):
        ball_volume(Euclidean(), 1.0, 2.5)
    with pytest.raises(TypeError, match="log_ball_volume: manifold is a float"):
        log_ball_volume(1.0, 1.0, 2)
    with pytest.raises(TypeError, match=r"sphere_area: radius has dtype torch\.int64"):
        sphere_area(Euclidean(), torch.tensor(1), 2)


@pytest.mark.parametrize("n", [2, 5, 64, 300])
@pytest.mark.parametrize("name", ["Euclidean", "Sphere(2.5)", "Lorentz(-1)"])
def test_areas_lose_nothing_to_a_logarithm(name, n):
    manifold = CASES[name]
    k = manifold.curvature.item()
    for units in (1e-2, 0.3, 2.0):
        r = units * radius(manifold)
        with mp.workdps(40):
            root = mp.sqrt(abs(mp.mpf(k))) or mp.mpf(1)
            sn = {-1: mp.sinh, 0: lambda t: t, 1: mp.sin}[int(mp.sign(k))]
            unit = 2 * mp.pi ** (mp.mpf(n) / 2) / mp.gamma(mp.mpf(n) / 2)
            area = unit * (sn(root * mp.mpf(r)) / root) ** (n - 1)
            if not 1e-290 < area < 1e290:
                continue
            found = sphere_area(manifold, r, n)
            condition = (n - 1) * (1 + (units / abs(math.tan(units)) if k > 0 else units))
            assert abs(found.item() / area - 1) <= 4 * EPS * (1 + condition)


@pytest.mark.parametrize(("n", "slope"), [(1, 2.0), (2, 0.0), (3, 0.0)])
def test_a_ball_of_radius_zero_grows_like_the_flat_one(n, slope):
    """d/dr of the volume is the area of its boundary: two points for n = 1, nothing else at 0."""
    for manifold in (Euclidean(), Lorentz(-0.7), Sphere(2.0)):
        r = torch.zeros(3, dtype=torch.float64, requires_grad=True)
        volume = ball_volume(manifold, r, n)
        assert volume.tolist() == [0.0] * 3
        (gradient,) = torch.autograd.grad(volume.sum(), r)
        assert gradient.tolist() == [slope] * 3
