"""Values of the maps against 60 digits, against another model, and against functional equations."""

import math

import pytest
import reference
import torch
from cases import CASES, normals, once, points, radius, tangent
from hypothesis import given, settings, strategies as st

from spaceforms.manifolds import Lorentz, PoincareBall, Stereographic

F64, F32 = torch.float64, torch.float32
U = {F64: 2.0**-53, F32: 2.0**-24}


def close(a, b, factor, scale=1.0, dtype=F64):
    """Equal within ``factor`` units of roundoff of ``scale``."""
    return bool(((a - b).abs() <= factor * U[dtype] * scale).all())


@pytest.mark.parametrize("dtype", [F64, F32])
def test_distance_is_right_to_a_few_units_in_the_last_place_near_the_origin(manifold, dtype):
    x = points(manifold, 40, 4, seed=1, spread=0.7, dtype=dtype)
    y = points(manifold, 40, 4, seed=2, spread=0.7, dtype=dtype)
    worst = max(
        reference.relative_error(manifold.dist(a, b), reference.dist(manifold, a, b))
        for a, b in zip(x, y, strict=True)
    )
    # The condition number of these problems is at most 12 (radius times cosh of it over distance).
    assert worst <= 8 * U[dtype] * 13


@pytest.mark.parametrize("direction", ["random", "radial", "across"])
def test_float32_has_six_digits_of_a_distance_of_1e_4_at_radius_5(direction):
    space = Lorentz()
    generator = torch.Generator().manual_seed(0)
    for n in (2, 16, 128):
        v = torch.randn(30, n, generator=generator, dtype=F64)
        v = 5 * v / v.norm(dim=-1, keepdim=True)
        x = space.from_normal(v)
        step = torch.randn(30, n, generator=generator, dtype=F64)
        if direction == "radial":
            step = v
        if direction == "across":
            step = step - v * (step * v).sum(-1, keepdim=True) / 25
        step = tangent(space, x, 1e-4 * step / step.norm(dim=-1, keepdim=True))
        x, y = x.float(), space.expmap(x, step).float()
        for a, b in zip(x, y, strict=True):
            exact = reference.dist(space, a, b)
            assert reference.relative_error(space.dist(a, b), exact) < 1e-6


@pytest.mark.parametrize("separation", [1e-8, 1e-5, 1e-2])
@pytest.mark.parametrize("manifold", once(CASES), indirect=True)  # a promise of ours
def test_small_distances_keep_their_digits_on_every_manifold(manifold, separation):
    x = points(manifold, 20, 3, seed=1)
    step = normals(manifold, 20, 3, seed=2)
    y = manifold.expmap(x, tangent(manifold, x, separation * step)).detach()
    for a, b in zip(x, y, strict=True):
        exact = reference.dist(manifold, a, b)
        # Points as given are exact data; off-sphere rounding of a point is not (it is relative to
        # the point, not to the separation).
        allowed = 64 * U[F64] * (1 if manifold.sign <= 0 else 1 / separation)
        assert reference.relative_error(manifold.dist(a, b), exact) <= allowed


def test_the_sphere_is_right_near_the_antipode():
    sphere = CASES["Sphere(1)"]
    for gap in (0.0, 1e-9, 1e-4, 0.1):
        x = torch.tensor([1.0, 0.0, 0.0], dtype=F64)
        y = torch.tensor([-math.cos(gap), math.sin(gap), 0.0], dtype=F64)
        assert float(sphere.dist(x, y)) == pytest.approx(math.pi - gap, rel=4 * U[F64], abs=0)
        v = sphere.logmap(x, y)
        assert float(sphere.norm(x, v)) == pytest.approx(math.pi - gap, rel=4 * U[F64], abs=0)
        assert close(sphere.expmap(x, v), y, 16)


@pytest.mark.parametrize("dtype", [F64, F32])
def test_exterior_angle_obeys_the_law_of_cosines(manifold, dtype):
    x = points(manifold, 30, 3, seed=3, dtype=dtype)
    y = points(manifold, 30, 3, seed=4, dtype=dtype)
    for a, b in zip(x, y, strict=True):
        exact = reference.exterior_angle(manifold, a, b)
        angle = manifold.exterior_angle(a, b).detach().item()
        assert abs(angle - float(exact)) <= 400 * U[dtype]


@pytest.mark.parametrize("curvature", [-1.0, -0.3, -4.0])
def test_lorentz_and_ball_are_one_space(curvature):
    hyperboloid, ball = Lorentz(curvature), PoincareBall(curvature)
    u, v, w = (normals(ball, 50, 3, seed=s) for s in (1, 2, 3))
    x, y = hyperboloid.from_normal(u), hyperboloid.from_normal(v)
    p, q = ball.from_normal(u), ball.from_normal(v)
    assert close(hyperboloid.dist(x, y) / ball.dist(p, q), torch.ones(50, dtype=F64), 2000)
    to_normal = hyperboloid.to_normal
    xv, pv = tangent(hyperboloid, x, w), tangent(ball, p, w)
    one, other = hyperboloid.expmap(x, xv), ball.expmap(p, pv)
    torch.testing.assert_close(to_normal(one), ball.to_normal(other), rtol=1e-10, atol=1e-10)
    one = hyperboloid.inner(y, hyperboloid.transport(x, y, xv), hyperboloid.logmap(y, x))
    other = ball.inner(q, ball.transport(p, q, pv), ball.logmap(q, p))
    torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-10)
    for name in ("exterior_angle", "midpoint", "half_aperture", "geodesic"):
        arguments = {"half_aperture": ((x,), (p,)), "geodesic": ((x, y, 0.3), (p, q, 0.3))}
        a, b = arguments.get(name, ((x, y), (p, q)))
        one, other = getattr(hyperboloid, name)(*a), getattr(ball, name)(*b)
        if name in ("midpoint", "geodesic"):
            one, other = hyperboloid.to_normal(one), ball.to_normal(other)
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-10)


@given(seed=st.integers(0, 10**6), spread=st.sampled_from([1e-12, 1e-3, 0.3, 1.0, 1.7]))
@settings(max_examples=15, deadline=None)
@pytest.mark.parametrize("name", once(CASES))
def test_geodesics_and_midpoints_lie_where_they_should(name, seed, spread):
    # What holds of distances, exp, log and transport is in tests/validation/test_conformance.py.
    manifold = CASES[name]
    with torch.no_grad():
        x, y, z = (points(manifold, 3, seed=seed + k, spread=spread) for k in range(3))
        d = manifold.dist(x, y)
        size = 1 + float(d + manifold.dist(y, z)) / radius(manifold)
        # Far out on the ball 1 - |x|^2 has lost exp(r) of its digits, whatever the formula.
        loss = 400 * size * math.exp(7 * spread)
        assert manifold.dist(x, x) == 0
        scale = x.abs().max() + y.abs().max()
        m = manifold.midpoint(x, y)
        assert close(manifold.dist(x, m), d / 2, loss, d + scale)
        assert close(m, manifold.geodesic(x, y, 0.5), loss, scale)
        assert close(manifold.geodesic(x, y, 0.0), x, 4, scale)
        assert close(manifold.geodesic(x, y, 1.0), y, loss, scale)
        for point in (x, m, manifold.proj(x), manifold.from_normal(manifold.to_normal(x))):
            assert manifold.is_point(point)
        assert close(manifold.proj(x), x, 4, scale)


def test_scaling_the_curvature_scales_lengths(curved):
    one = type(curved)(float(curved.sign))
    u, v = normals(one, 20, 3, seed=1), normals(one, 20, 3, seed=2)
    r = radius(curved)
    d = curved.dist(curved.from_normal(r * u), curved.from_normal(r * v))
    torch.testing.assert_close(
        d, r * one.dist(one.from_normal(u), one.from_normal(v)), rtol=1e-12, atol=0
    )
    length = 0.1 * r if isinstance(curved, Stereographic) else 0.1  # not in units of R there
    a = curved.half_aperture(curved.from_normal(r * u), length)
    torch.testing.assert_close(a, one.half_aperture(one.from_normal(u)), rtol=1e-12, atol=0)


@pytest.mark.parametrize("dtype", [F64, F32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("size", [0.0, 1e-45, 1e-30, 1e-7, 1.0, 50.0, 1e4, 1e30])
def test_nothing_is_ever_nan_or_infinite(manifold, dtype, size):
    torch.manual_seed(0)
    # A distance must fit into its dtype, and a vector at the edge of float16 is out of it.
    largest = {torch.float16: 3.0 * radius(manifold) if manifold.sign < 0 else 1e4}.get(dtype, 1e30)
    v = (size * torch.randn(6, 3, dtype=F64)).clamp(-largest, largest).to(dtype)
    x = manifold.from_normal(v).detach().requires_grad_()
    y = manifold.from_normal(torch.randn(6, 3).to(dtype)).detach().requires_grad_()
    u = manifold.logmap(x, y)
    outputs = [
        x, u, manifold.dist(x, y), manifold.expmap(x, u), manifold.transport(x, y, u),
        manifold.midpoint(x, y), manifold.half_aperture(x), manifold.exterior_angle(x, y),
        manifold.exterior_angle(y, x), manifold.to_normal(x), manifold.dist(x, x),
    ]  # fmt: skip
    for output in outputs:
        assert output.dtype == dtype
        assert output.isfinite().all()
    assert manifold.is_point(x).all()
    if size > 1 or 0 < size < 1e-5:
        return  # the gradient of an angle at x is 1/|x| and has no half, in the end no float, to be
    total = sum(o.double().sum() for o in outputs[2:3] + outputs[6:9])
    for gradient in torch.autograd.grad(total, (x, y)):
        assert gradient.isfinite().all()


def test_half_precision_is_float32_rounded_and_autocast_changes_nothing(manifold):
    x, y = (points(manifold, 8, 3, seed=s).to(torch.bfloat16) for s in (1, 2))
    wanted = manifold.dist(x.float(), y.float()).to(torch.bfloat16)
    assert torch.equal(manifold.dist(x, y), wanted)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(manifold.dist(x, y), wanted)
        table = manifold.cdist(x.float(), y.float(), matmul=True)
    assert table.dtype == torch.float32
    assert torch.equal(table, manifold.cdist(x.float(), y.float(), matmul=True))


@pytest.mark.parametrize("manifold", once(CASES), indirect=True)  # a promise of ours
@pytest.mark.parametrize("squared", [False, True])
def test_cdist_is_dist_of_every_pair_and_its_matmul_form_within_its_bound(manifold, squared):
    x, y = points(manifold, 2, 7, 3, seed=1), points(manifold, 2, 5, 3, seed=2)
    pair = manifold.sqdist if squared else manifold.dist
    table = manifold.cdist(x, y, squared=squared)
    wanted = torch.stack([torch.stack([pair(a, b) for b in y[1]]) for a in x[1]])
    # A vectorised and a scalar atan2 may differ in the last place.
    torch.testing.assert_close(table[1], wanted, rtol=4 * U[F64], atol=0)
    fast = manifold.cdist(x.float(), y.float(), squared=squared, matmul=True)
    exact = manifold.cdist(x.float(), y.float(), squared=squared)
    torch.testing.assert_close(fast, exact, rtol=16 * U[F32], atol=1e-6)
    same = manifold.cdist(x, x, matmul=True).diagonal(dim1=-2, dim2=-1)
    assert (same == 0).all()


def test_cinner_is_the_form_of_the_space():
    space = CASES["Lorentz(-0.3)"]
    x, y = points(space, 4, 3, seed=1), points(space, 5, 3, seed=2)
    form = x[:, 1:] @ y[:, 1:].T - x[:, :1] @ y[:, :1].T
    torch.testing.assert_close(space.cinner(x, y), form, rtol=1e-12, atol=1e-12)
    for name in ("Euclidean", "Sphere(2.5)"):
        x, y = points(CASES[name], 4, 3, seed=1), points(CASES[name], 5, 3, seed=2)
        torch.testing.assert_close(CASES[name].cinner(x, y), x @ y.T, rtol=1e-12, atol=1e-12)


def test_the_mean_minimises_and_is_the_midpoint_of_two(manifold):
    x = points(manifold, 5, 9, 3, seed=1, spread=0.6)
    mean = manifold.mean(x)
    pull = manifold.logmap(mean[:, None], x).mean(-2)
    assert float(manifold.norm(mean, manifold.proj_tangent(mean, pull)).detach().max()) < 1e-13
    two = x[:, :2]
    torch.testing.assert_close(
        manifold.mean(two), manifold.midpoint(two[:, 0], two[:, 1]), rtol=1e-12, atol=1e-13
    )
    weights = torch.tensor([3.0, 1.0], dtype=F64)
    torch.testing.assert_close(
        manifold.mean(two, weights.expand(5, 2)),
        manifold.geodesic(two[:, 0], two[:, 1], 0.25),
        rtol=1e-12,
        atol=1e-13,
    )


def test_cones_nest_along_chains(manifold):
    """If b is in a's cone and c in b's, c is in a's: random chains on every manifold."""
    generator = torch.Generator().manual_seed(0)
    r = radius(manifold)
    start = torch.randn(4000, 3, generator=generator, dtype=F64)
    start = (
        start
        / start.norm(dim=-1, keepdim=True)
        * (0.25 + 0.1 * torch.rand(4000, 1, generator=generator, dtype=F64))
        * r
    )
    chain = [manifold.from_normal(start)]
    for _ in range(2):
        x = chain[-1]
        v = manifold.to_normal(x)
        out = v / v.norm(dim=-1, keepdim=True)
        side = torch.randn(4000, 3, generator=generator, dtype=F64)
        side = side - out * (side * out).sum(-1, keepdim=True)
        side = side / side.norm(dim=-1, keepdim=True)
        angle = manifold.half_aperture(x).unsqueeze(-1)  # exactly on the boundary of the cone
        length = 0.4 * r * torch.rand(4000, 1, generator=generator, dtype=F64)
        direction = angle.cos() * out + angle.sin() * side
        chain.append(manifold.expmap(x, tangent(manifold, x, length * direction)))
    a, _, c = chain
    excess = manifold.exterior_angle(a, c) - manifold.half_aperture(a)
    assert float(excess.detach().max()) <= 1e-12


@pytest.mark.parametrize("curvature", [-1.0, -0.4, -3.0])
def test_cones_are_those_of_meru_and_of_ganea(curvature):
    space, ball, c = Lorentz(curvature), PoincareBall(curvature), -curvature
    v, w = normals(space, 200, 4, seed=1), normals(space, 200, 4, seed=2)
    x, y = space.from_normal(v), space.from_normal(w)
    xs = x[:, 1:].norm(dim=-1)
    form = (x[:, 1:] * y[:, 1:]).sum(-1) - x[:, 0] * y[:, 0]
    meru = torch.acos((y[:, 0] + x[:, 0] * c * form) / (xs * ((c * form).square() - 1).sqrt()))
    torch.testing.assert_close(space.exterior_angle(x, y), meru, rtol=1e-9, atol=1e-8)
    meru = torch.asin((2 * 0.1 / (c**0.5 * xs)).clamp(max=1))
    torch.testing.assert_close(space.half_aperture(x, 0.1), meru, rtol=1e-12, atol=0)
    p = ball.from_normal(v) * c**0.5
    r = p.norm(dim=-1)
    ganea = torch.asin((0.1 * (1 - r**2) / r).clamp(max=1))
    torch.testing.assert_close(ball.half_aperture(ball.from_normal(v)), ganea, rtol=1e-12, atol=0)


@pytest.mark.parametrize("n", [1, 2, 8])
def test_uniform_points_have_the_radii_of_their_volume(manifold, n):
    r, reach = radius(manifold), 1.2
    torch.manual_seed(0)
    x = manifold.random_uniform(20_000, n, radius=reach * r, dtype=F64)
    assert manifold.is_point(x).all()
    d = (manifold.to_normal(x).detach().norm(dim=-1) / r).sort().values
    grid = torch.linspace(0, reach, 20_001, dtype=F64)
    sn = {-1: torch.sinh, 0: torch.clone, 1: torch.sin}[manifold.sign](grid)
    exact = torch.cumulative_trapezoid(sn ** (n - 1), grid)
    exact = exact / exact[-1]
    empirical = torch.searchsorted(d, grid[1:]) / len(d)
    assert float((empirical - exact).abs().max()) < 1.95 / len(d) ** 0.5  # Kolmogorov, p = 0.001


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_the_origin_and_the_farthest_points_see_each_other(manifold, dtype):
    v = torch.tensor([0.6, 0.0, 0.8], dtype=dtype) * (1.0 if manifold.sign > 0 else 1e4)
    far = manifold.from_normal(v).detach()
    origin = manifold.origin(3, dtype=dtype).detach()
    length = manifold.to_normal(far).double().norm()
    for ends in ((origin, far), (far, origin), (far, far), (origin, origin)):
        x, y = (t.clone().requires_grad_() for t in ends)
        d = manifold.dist(x, y)
        expected = 0 * length if torch.equal(*ends) else length
        error = 4 * torch.finfo(dtype).eps * expected
        assert (d.double() - expected).abs() <= error
        log = manifold.logmap(x, y)
        # float16 does not hold every square, nor every logarithm.
        v = log.detach() if log.isfinite().all() else torch.zeros_like(log)
        for result in (d, manifold.sqdist(x, y), log, manifold.transport(x, y, v)):
            assert not result.isnan().any()
            if result.requires_grad:
                total = result.double().sum()
                for g in torch.autograd.grad(total, (x, y), retain_graph=True, allow_unused=True):
                    assert g is None or not g.isnan().any()
