"""Sphere and Stereographic next to antipodes, the equator and the edge: against definitions."""

import math

import mpmath as mp
import pytest
import torch
from cases import normal
from gyro_reference import expmap as exact_expmap
from reference import numbers

from spaceforms.manifolds import (
    Euclidean,
    Klein,
    PoincareBall,
    Sphere,
    Stereographic,
    StereographicPlane,
    ball_volume,
    convert,
    expmap_differential,
    jacobi_field,
    logmap_differential,
    logmap_differential_base,
    reflection,
)

F64, F32, F16, BF16 = torch.float64, torch.float32, torch.float16, torch.bfloat16
U = {F64: 2.0**-53, F32: 2.0**-24}


def tensor(*numbers, dtype=F64):
    return torch.tensor(numbers, dtype=dtype)


# -- the sphere ----------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [F64, F32])
@pytest.mark.parametrize("off", [1, 64, 2**12])
@pytest.mark.parametrize("differential", [logmap_differential, logmap_differential_base])
def test_on_one_great_circle_a_logarithm_changes_by_what_runs_along_it(differential, off, dtype):
    """Across it the differential is pi/sin d: 1e7 of what rounding leaves there in float32."""
    a = 0.39
    x = tensor(math.cos(a), 0.0, math.sin(a), 0.0, dtype=dtype)
    b = a + off * 2 * U[dtype]
    y = tensor(-math.cos(b), 0.0, -math.sin(b), 0.0, dtype=dtype)
    base, end = (y, x) if differential is logmap_differential else (x, x)
    w = 3.1 * tensor(-base[2].item(), 0.0, base[0].item(), 0.0, dtype=dtype)
    result = differential(Sphere(1.0), x, y, w)

    def along(p):
        u = [-mp.mpf(p[2].item()), 0, mp.mpf(p[0].item()), 0]
        return [c / mp.sqrt(u[0] ** 2 + u[2] ** 2) for c in u]

    share = mp.fdot(numbers(w), along(base))
    sign = 1 if differential is logmap_differential else -1
    for got, right in zip(result.tolist(), along(end), strict=True):
        assert abs(got - sign * share * right) <= 16 * U[dtype] * abs(share)


@pytest.mark.parametrize("dtype", [F64, F32])
def test_on_a_circle_transport_is_a_rotation_up_to_the_antipode(dtype):
    """Nowhere ill-conditioned, though x + y of points rounded off the circle is nearly along
    y - x: what is left across it was once wrong by a tenth, in float32 for the first point."""
    x = normal(2000, 2, seed=1)
    x[0] = tensor(0.999969482421875, -0.007809936068952084)
    x = Sphere().proj(x.to(dtype))
    y = Sphere().proj(-x)
    turn = lambda z: torch.stack([-z[:, 1], z[:, 0]], -1)  # noqa: E731
    off = (Sphere().transport(x, y, turn(x)) - turn(y)).norm(dim=-1)
    assert off.max() <= 8 * 2 * U[dtype]  # kappa is 1


def test_transport_of_the_longest_vectors_is_finite():
    x, y = tensor([1.0, 0.0, 0.0], [0.0, 1.0, 0.0], dtype=F32)
    result = Sphere().transport(x, y, tensor(0.0, 3e38, 3e38, dtype=F32))
    assert torch.equal(result, tensor(-3e38, 0.0, 3e38, dtype=F32))


@pytest.mark.parametrize("dtype", [F64, F32])
def test_next_to_the_equator_the_gradient_of_an_aperture_is_little(dtype):
    """asin(m/sin r) has the slope -m cos r/(sin r sqrt(sin(r)^2 - m^2)) along the sphere: not what
    a slope off it, of 1, leaves there by projection."""
    space, least = Sphere(1.0), 0.25
    x = space.proj(tensor(3e-4, 0.6, 0.8, dtype=dtype)).requires_grad_()
    (g,) = torch.autograd.grad(space.half_aperture(x, least / 2), x)
    g = g.double() - (g.double() @ x.detach().double()) * x.detach().double()
    t, *s = numbers(x.detach())
    size = mp.sqrt(t * t + mp.fdot(s, s))
    t, s = t / size, [c / size for c in s]
    sine = mp.sqrt(mp.fdot(s, s))
    slope = -least * t / (sine * mp.sqrt(sine**2 - mp.mpf(least) ** 2))
    right = [-slope * sine, *(slope * t * c / sine for c in s)]
    for a, b in zip(g.tolist(), right, strict=True):
        assert abs(a - b) <= 32 * U[dtype] * abs(slope)


@pytest.mark.parametrize("n", [2, 7, 32, 201])
@pytest.mark.parametrize("k", [1.0, 0.9986, 2e-3])
def test_nearly_a_whole_sphere_has_the_volume_of_one(n, k):
    """A power of the rounded radius has n/2 roundings; the whole is a power of K."""
    r = math.pi / math.sqrt(k) - 0.3 / math.sqrt(k * n)
    volume = ball_volume(Sphere(k), torch.tensor(r, dtype=F64), n).item()
    with mp.workdps(40):
        root = mp.sqrt(mp.mpf(k))
        rest = mp.quad(lambda t: mp.sin(t) ** (n - 1), [0, mp.pi - root * mp.mpf(r)])
        whole = 2 * mp.pi ** (mp.mpf(n + 1) / 2) / mp.gamma(mp.mpf(n + 1) / 2)
        area = 2 * mp.pi ** (mp.mpf(n) / 2) / mp.gamma(mp.mpf(n) / 2)
        right = (whole - area * rest) / root**n
        # The derivative by r, of which the rounding of pi - r is a part, is what is missing.
        moved = area * mp.sin(root * mp.mpf(r)) ** (n - 1) * root * mp.mpf(r) / root**n
    assert abs(volume - right) <= 8 * U[F64] * (right + moved)


@pytest.mark.parametrize("dtype", [F16, BF16])
def test_distances_of_antipodes_by_one_product_are_of_the_points_not_their_rounding(dtype):
    a = torch.linspace(0.1, 1.4, 40, dtype=F64)
    x = torch.stack([a.cos(), a.sin() * 0.6, a.sin() * 0.8], dim=-1)
    far = Sphere(1.0).geodesic(x, torch.roll(x, 1, -1), torch.tensor(0.01)).neg().to(dtype)
    x = x.to(dtype)
    table = Sphere(1.0).cdist(x, far, matmul=True).diagonal()
    wide, other = (v.double() / v.double().norm(dim=-1, keepdim=True) for v in (x, far))
    right = math.pi - 2 * ((wide + other).norm(dim=-1) / 2).asin()
    # What the points' own rounding is worth, and the root of float32's by the product.
    assert (table.double() - right).abs().max() <= 4 * torch.finfo(dtype).eps


@pytest.mark.parametrize("length", [1e-4, 1e-2, 1.0, 20.0])
@pytest.mark.parametrize("dtype", [F64, F32])
def test_a_short_vector_on_a_sphere_moves_with_curvature_by_its_third_power(length, dtype):
    """R sin(|v|/R) by log K is (t cos t - sin t) R/2; R and |v| by themselves are of order 1."""
    space = Sphere(0.6, learnable=True).double()
    raw = space._magnitude.raw
    v = torch.tensor([0.6 * length, -0.8 * length], dtype=dtype)
    x = space.from_normal(v)
    slope = torch.tensor(
        [torch.autograd.grad(c, raw, retain_graph=True)[0].item() for c in x], dtype=F64
    )
    with mp.workdps(40):
        r = 1 / mp.sqrt(mp.mpf(0.6))
        size = mp.sqrt(mp.fdot(numbers(v), numbers(v)))
        t = size / r
        right = [-(mp.cos(t) + t * mp.sin(t)) * r / 2]
        right += [(t * mp.cos(t) - mp.sin(t)) * r / 2 * c / size for c in numbers(v)]
        moved = (t * mp.sin(t)) * t * r  # what rounding |v| is worth
    for a, b in zip(slope.tolist(), right, strict=True):
        assert abs(a - b) <= 16 * U[dtype] * (abs(b) + abs(moved))


@pytest.mark.parametrize("dtype", [F16, BF16, F32])
@pytest.mark.parametrize("k", [1.2e-4, 1.0])
def test_what_a_plane_cannot_hold_is_put_at_the_edge_of_the_dtype(k, dtype):
    """float16 ends at 65,504, and R is 90 times the edge that a unit sphere has there."""
    sphere = Sphere(k)
    r = k**-0.5
    x = torch.tensor([[-r, 0.0, 0.0], [0.0, r, 0.0], [-0.6 * r, 0.0, 0.8 * r]], dtype=dtype)
    for target in (Klein(sphere), StereographicPlane(sphere)):
        y = convert(x, sphere, target)
        assert y.isfinite().all()
        assert convert(y, target, sphere).isfinite().all()


# -- Stereographic -------------------------------------------------------------------------------


@pytest.mark.parametrize("k", [0.0, 1e-3, -1e-3])
def test_a_reflection_keeps_what_a_point_has_in_the_hyperplane(k):
    """By way of p, 1.3 away, 1e-22 would be rounded to 0."""
    x = tensor(1e-22, -3e-23, 4e-23, dtype=F32)
    p, a = tensor(0.0, 1.3, 0.0, dtype=F32), tensor(1.0, 0.0, 0.0, dtype=F32)
    image = reflection(Stereographic(k), p, a)(x)
    torch.testing.assert_close(image, x * tensor(-1.0, 1.0, 1.0, dtype=F32), rtol=1e-6, atol=0.0)


@pytest.mark.parametrize("dtype", [F64, F32])
@pytest.mark.parametrize("k", [-1.0, -0.0155, -400.0])
def test_through_the_origin_and_out_again_a_vector_is_carried_in_all_its_digits(k, dtype):
    """A vector across the line, and all of it, is at the other end (1 + K y.y)/(1 + K x.x) sinh d/d
    of what it was: by coordinates out there, the origin's side of it is lost."""
    r = (-k) ** -0.5
    x, v = tensor(0.968 * r, 0.0, dtype=dtype), tensor(-0.51 * r, 0.0, dtype=dtype)
    w = tensor(0.0, 1.0, dtype=dtype)
    with mp.workdps(60):

        def across(x, v):
            y = exact_expmap(mp.mpf(k), [x, mp.mpf(0)], [v, mp.mpf(0)])
            gap_x, gap_y = (1 + mp.mpf(k) * mp.fdot(c, c) for c in ([x], y))
            d = mp.sqrt(-mp.mpf(k)) * 2 * abs(v) / gap_x
            return gap_y / gap_x * mp.sinh(d) / d

        a, b = mp.mpf(x[0].item()), mp.mpf(v[0].item())
        h, right = mp.mpf(10) ** -20, across(a, b)
        moved = abs(across(a * (1 + h), b) - right) + abs(across(a, b * (1 + h)) - right)
        moved = moved / h
    space, one = Stereographic(k), torch.ones((), dtype=dtype)
    for result in (
        expmap_differential(space, x, v, w),
        jacobi_field(space, x, v, torch.zeros_like(w), w, one),
    ):
        assert abs(result[1].item() - right) <= 8 * U[dtype] * (abs(right) + moved)
        assert abs(result[0].item()) <= 8 * U[dtype] * (abs(right) + moved)


@pytest.mark.parametrize("k", [-1.0, -58.86, 0.3])
@pytest.mark.parametrize("reach", [0.05, 0.17, 0.3])
def test_a_distance_of_points_on_both_sides_of_the_origin_has_its_derivative_by_curvature(k, reach):
    """d = 2 (atn|x| + atn|y|), at fixed x and y by K: two terms that are far longer than it."""
    r = abs(k) ** -0.5
    x, y = tensor(reach * r), tensor(-1.1 * reach * r)
    space = Stereographic(k, learnable=True).double()
    (raw,) = space.parameters()
    (slope,) = torch.autograd.grad(space.dist(x, y), raw)

    def half(c, k):
        z = mp.sqrt(abs(k)) * abs(mp.mpf(c.item()))
        return (mp.atanh(z) if k < 0 else mp.atan(z)) / mp.sqrt(abs(k))

    with mp.workdps(60):
        right = mp.diff(lambda k: 2 * (half(x, k) + half(y, k)), mp.mpf(k))
    assert abs(slope.item() - right) <= 32 * U[F64] * abs(right)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16], ids=str)
def test_a_subnormal_vertex_has_a_finite_gradient(dtype):
    """Where the derivative of the angle is beyond the dtype it is a large number, never NaN."""
    tiny = float(torch.finfo(dtype).tiny)
    for space in (PoincareBall(), Euclidean(), Stereographic(0.3), Stereographic(-0.3)):
        for size in (0.1 * tiny, 1e-3 * tiny, tiny):
            for end in ((0.0, 0.0, 0.0), (0.0, size, 0.0), (-size, 0.0, 0.0), (0.5, 0.1, 0.0)):
                x = torch.tensor([size, 0.0, 0.0], dtype=dtype, requires_grad=True)
                y = torch.tensor(end, dtype=dtype, requires_grad=True)
                for slope in torch.autograd.grad(space.exterior_angle(x, y), (x, y)):
                    assert not slope.isnan().any(), (space, size, end)


def test_on_a_ball_the_differential_of_a_long_way_has_the_length_that_its_end_has():
    # The sinh of 11 R and 1 - |y|^2 at the end cancel. With K |v|^2 and |v/R|^2, two roundings of
    # one length, they did not: it was off by 9.9 units of u (1 + kappa), kappa = 3.69.
    k = float.fromhex("-0x1.fa2d41076387bp-6")
    x, v, w = (
        torch.tensor([float.fromhex(c) for c in text.split()], dtype=F32)
        for text in (
            "0x1.4134ep+0 0x1.3090d6p-1 -0x1.786e5ap+0 0x1.68e1d2p-2 "
            "0x1.09cf2p+0 -0x1.38295ep-2 -0x1.df9a7ap-4 -0x1.78da54p-2",
            "0x1.b2e898p+1 0x1.7376fcp+2 -0x1.3d2706p+1 0x1.cb72d2p+1 "
            "-0x1.092966p+2 0x1.713b04p+2 -0x1.f46f12p+1 0x1.314268p+4",
            "0x1.58b1p+1 0x1.0549b2p+4 -0x1.1bed76p+2 0x1.e1b624p+1 "
            "0x1.dee65p+2 0x1.0776cp+1 -0x1.11801ap+1 -0x1.cfe1ecp+1",
        )
    )
    ball = PoincareBall(k)
    found = expmap_differential(ball, x, v, w).double()
    exact = expmap_differential(ball, x.double(), v.double(), w.double())
    assert (found - exact).norm() <= 8 * 2.0**-24 * (1 + 3.7) * exact.norm()
