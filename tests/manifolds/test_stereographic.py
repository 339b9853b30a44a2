"""Stereographic is the ball, flat space and the projected sphere, and smooth in K through 0."""

import math

import gyro_reference as exact
import mpmath as mp
import pytest
import torch
from cases import derivatives_of_differences, normal, value_and_slope
from reference import numbers

from spaceforms.manifolds import Checked, Euclidean, PoincareBall, Sphere, Stereographic

F64, F32 = torch.float64, torch.float32
U = {F64: 2.0**-53, F32: 2.0**-24}


def points(space, *size, seed=0, **options):
    return space.from_normal(normal(*size, seed=seed, **options)).detach()


def same(a, b, units, scale=1.0, dtype=F64):
    """Equal to within units of roundoff of ``scale``."""
    torch.testing.assert_close(a, b, rtol=units * U[dtype], atol=units * U[dtype] * scale)


# -- the three spaces ----------------------------------------------------------------------------


@pytest.mark.parametrize("k", [-1.0, -0.3, -4.0])
def test_for_negative_curvature_it_is_the_ball(k):
    space, ball, r = Stereographic(k), PoincareBall(k), (-k) ** -0.5
    x, y = (points(ball, 50, 3, seed=s, length=r) for s in (1, 2))
    v, w, t = r * normal(50, 3, seed=3), normal(50, 3, seed=4), torch.linspace(-1, 2, 50)
    for name, arguments in {
        "dist": (x, y), "sqdist": (x, y), "cdist": (x, y), "expmap": (x, v / 8), "logmap": (x, y),
        "transport": (x, y, w), "geodesic": (x, y, t), "midpoint": (x, y), "mean": (x,),
        "from_normal": (v,), "to_normal": (x,), "expmap0": (v,), "logmap0": (x,),
        "transport0": (x, w), "transport0_inverse": (x, w), "inner": (x, v, w), "norm": (x, w),
        "egrad2rgrad": (x, w), "logdetexp": (x, v), "exterior_angle": (x, y), "proj": (3 * x,),
        "is_point": (1.1 * r * w,), "is_tangent": (x, v), "proj_tangent": (x, v),
    }.items():  # fmt: skip
        one, other = getattr(space, name)(*arguments), getattr(ball, name)(*arguments)
        if one.dtype == torch.bool:
            assert torch.equal(one, other), name
        else:
            # No problem here has a condition number beyond 100: distances to the origin are 1 R,
            # and geodesics reach to 3 R beyond.
            same(one, other, 400, float(other.abs().max()))
    same(space.cdist(x, y, matmul=True), ball.cdist(x, y, matmul=True), 2000)
    same(space.half_aperture(x, 0.1 * r), ball.half_aperture(x, 0.1), 100)
    same(space.cinner(x, y) + 1 / k, ball.cinner(x, y), 400, 10 / -k)
    for seed in (0, 1):
        options = {"dtype": F64, "generator": torch.Generator().manual_seed(seed)}
        a = space.random_uniform(9, 3, radius=r, **options)
        options = {"dtype": F64, "generator": torch.Generator().manual_seed(seed)}
        same(a, ball.random_uniform(9, 3, radius=r, **options), 64)


@pytest.mark.parametrize(
    ("k", "x", "y", "dtype"),
    [
        (
            "0x1.69a2a124fd48cp-8",
            "0x1.5166c95cbeb5bp-6 -0x1.54d057fa2901ep-3",
            "-0x1.6615a58870ee0p+7 0x1.0911c82c5667dp+10",
            F64,
        ),
        (
            "0x1.63847146e035fp-4",
            "-0x1.246aba0000000p-3 0x1.14d09e0000000p-2 -0x1.5ec5ba0000000p-3",
            "0x1.6d884e0000000p+2 -0x1.f077580000000p+2 0x1.5a2d2a0000000p+3",
            F32,
        ),
    ],
)
def test_the_form_of_nearly_antipodal_points_has_the_rounding_of_one_quotient(k, x, y, dtype):
    # Next to -2/K rounding the points does nothing to -2 sn(d/2)^2, so 1 + kappa is 1. The square
    # of a chord was off by 9.8 and 9 units of u: its roots and quotients count twice.
    k, x, y = (torch.tensor([float.fromhex(c) for c in v.split()], dtype=F64) for v in (k, x, y))
    found = Stereographic(k.item()).cinner(x[None].to(dtype), y[None].to(dtype)).item()
    (k,), x, y = (numbers(v) for v in (k, x, y))
    with mp.workdps(50):
        step = [b - a for a, b in zip(x, y, strict=True)]
        gaps = (1 + k * mp.fdot(x, x)) * (1 + k * mp.fdot(y, y))
        exact = -2 * mp.fdot(step, step) / gaps
        assert abs(found / exact - 1) <= 8 * U[dtype] * (1 + 0.09)  # the larger kappa of the two


@pytest.mark.parametrize("k", [-1.0, -0.3])
@pytest.mark.parametrize("dtype", [F64, F32])
def test_it_has_the_edge_of_the_ball(k, dtype):
    space, ball = Stereographic(k), PoincareBall(k)
    far = torch.tensor([[40.0, 3.0], [1e30, 0.0], [-200.0, 1e4]], dtype=dtype) / (-k) ** 0.5
    x, p = space.from_normal(far), ball.from_normal(far)
    same(x, p, 16, dtype=dtype)
    assert space.is_point(x).all()
    assert space.is_point(p).all()
    assert ball.is_point(x).all()
    assert not space.is_point(1.001 * x).any()
    assert not Stereographic(-1.0).is_point(torch.tensor([1.0, 0.0]))


def lift(k, x):
    """The point of the sphere that is projected to x, from the antipode of the origin."""
    gap = 1 + k * (x * x).sum(-1, keepdim=True)
    return torch.cat([k**-0.5 * (2 - gap) / gap, 2 * x / gap], dim=-1)


def push(k, x, v):
    """Tangent vectors there, by forward derivatives."""
    x, v = torch.broadcast_tensors(x, v)
    derivative = lambda x, v: torch.func.jvp(lambda z: lift(k, z), (x,), (v,))[1]  # noqa: E731
    return torch.func.vmap(derivative)(x, v)


@pytest.mark.parametrize("k", [1.0, 0.3, 4.0])
@pytest.mark.parametrize("reach", [0.5, 1.5, 2.8, 3.1])
def test_for_positive_curvature_it_is_the_sphere_through_its_projection(k, reach):
    space, sphere, r = Stereographic(k), Sphere(k), k**-0.5
    a, b = (normal(40, 3, seed=s, length=reach * r) for s in (1, 2))
    x, y, w = space.from_normal(a), space.from_normal(b), r * normal(40, 3, seed=3)
    X, Y = sphere.from_normal(a), sphere.from_normal(b)  # on the sphere
    # Of what is compared the sphere's side has the error: it knows a point to u R, which near the
    # antipode of the origin is 2/(1 + cos(reach)) times that in the chart.
    gap = 1 / math.cos(reach / 2) ** 2
    u = 64 * max(1.0, r)
    same(lift(k, x), X, u)
    same(space.to_normal(x), sphere.to_normal(X), u)
    v = w / gap
    opposite = (math.pi - space.dist(x, y) / r).min().item()
    u = u * gap / opposite
    same(space.dist(x, y), sphere.dist(X, Y), u)
    same(space.sqdist(x, y), sphere.sqdist(X, Y), 8 * u)
    same(space.cdist(x, y), sphere.cdist(X, Y), 8 * u / opposite)
    same(space.exterior_angle(x, y), sphere.exterior_angle(X, Y), 8 * u)
    same(space.cinner(x, y) + 1 / k, sphere.cinner(X, Y), 8 * u)
    same(lift(k, space.midpoint(x, y)), sphere.midpoint(X, Y), 4 * u)
    same(lift(k, space.geodesic(x, y, 0.3)), sphere.geodesic(X, Y, 0.3), 8 * u)
    same(lift(k, space.geodesic(x, y, -1.7)), sphere.geodesic(X, Y, -1.7), 16 * u)
    same(lift(k, space.expmap(x, v)), sphere.expmap(X, push(k, x, v)), 8 * u)
    same(space.norm(x, space.logmap(x, y)), space.dist(x, y), 16 * u)
    same(push(k, x, space.logmap(x, y)), sphere.logmap(X, Y), 64 * u * gap)
    moved = push(k, y, space.transport(x, y, v))
    same(moved, sphere.transport(X, Y, push(k, x, v)), 64 * u * gap)
    same(space.inner(x, v, v), sphere.inner(X, push(k, x, v), push(k, x, v)), 16 * u * gap)
    same(space.logdetexp(x, v), sphere.logdetexp(X, push(k, x, v)), 64 * u)
    least = 0.1 * r  # a length here, in units of R there
    same(space.half_aperture(x, least), sphere.half_aperture(X, 0.1), 64 * u)


def test_the_mean_on_the_sphere_is_found_around_infinity_too():
    space, sphere = Stereographic(1.0), Sphere(1.0)
    v = normal(7, 3, seed=1, length=2.9)
    v = torch.cat([v, -v], dim=0) + 0.1 * normal(14, 3, seed=2)
    mean = space.mean(space.from_normal(v))
    wanted = sphere.mean(sphere.from_normal(v))
    assert sphere.dist(sphere.origin(3, dtype=F64), wanted) > 3.0
    same(lift(1.0, mean), wanted, 200)


def test_for_zero_curvature_it_is_flat_space_in_coordinates_of_half_the_length():
    space, flat = Stereographic(0.0), Euclidean()
    assert space.sign == 0
    u, v, w = (normal(20, 3, seed=s) for s in (1, 2, 3))
    x, y = space.from_normal(u), space.from_normal(v)
    assert torch.equal(2 * x, u)
    assert torch.equal(space.to_normal(x), u)
    for name, arguments, others in (
        ("dist", (x, y), (u, v)), ("sqdist", (x, y), (u, v)), ("cdist", (x, y), (u, v)),
        ("exterior_angle", (x, y), (u, v)), ("half_aperture", (x,), (u,)),
        ("norm", (x, w / 2), (u, w)), ("logdetexp", (x, w), (u, w)),
    ):  # fmt: skip
        same(getattr(space, name)(*arguments), getattr(flat, name)(*others), 4)
    for name, arguments, others in (
        ("expmap", (x, w / 2), (u, w)), ("logmap", (x, y), (u, v)), ("midpoint", (x, y), (u, v)),
        ("transport", (x, y, w / 2), (u, v, w)), ("mean", (x,), (u,)),
        ("geodesic", (x, y, 0.3), (u, v, 0.3)),
    ):  # fmt: skip
        same(2 * getattr(space, name)(*arguments), getattr(flat, name)(*others), 4)
    same(space.cinner(x, y), -flat.cdist(u, v, squared=True) / 2, 64, 20)
    assert torch.equal(space.mobius_add(x, y), x + y)
    assert torch.equal(space.gyration(x, y, w), w)
    same(space.mobius_scalar(3.0, x), 3 * x, 4)


@pytest.mark.parametrize("k", [-0.8, -1e-9, 0.0, 1e-9, 0.8])
def test_normal_coordinates_are_at_their_length_for_every_curvature(k):
    space = Stereographic(k)
    v = normal(30, 4, length=1.3)
    d = space.dist(torch.zeros_like(v), space.from_normal(v))
    same(d, torch.full_like(d, 1.3), 8)
    d = space.dist(torch.zeros_like(v), space.expmap0(v))
    same(d, torch.full_like(d, 2.6), 16)
    assert space.radius == 1.0


# -- through K = 0 -------------------------------------------------------------------------------

CURVATURES = [0.0, *(s * k for k in (1e-300, 1e-30, 1e-12, 1e-6, 1e-3, 0.3) for s in (1, -1))]
MATRIX = torch.tensor([[0.3, -0.7], [1.1, 0.4], [0.2, 0.5]], dtype=F64)
MAPS = {
    "dist": (lambda m, x, y, v: m.dist(x, y), "xy"),
    "sqdist": (lambda m, x, y, v: m.sqdist(x, y), "xy"),
    "expmap": (lambda m, x, y, v: m.expmap(x, v), "xv"),
    "logmap": (lambda m, x, y, v: m.logmap(x, y), "xy"),
    "transport": (lambda m, x, y, v: m.transport(x, y, v), "xyv"),
    "geodesic": (lambda m, x, y, v: m.geodesic(x, y, 0.25), "xy"),
    "midpoint": (lambda m, x, y, v: m.midpoint(x, y), "xy"),
    "from_normal": (lambda m, x, y, v: m.from_normal(v), "v"),
    "to_normal": (lambda m, x, y, v: m.to_normal(x), "x"),
    "exterior_angle": (lambda m, x, y, v: m.exterior_angle(x, y), "xy"),
    "half_aperture": (lambda m, x, y, v: m.half_aperture(x, 0.05), "x"),
    "logdetexp": (lambda m, x, y, v: m.logdetexp(x, v), "xv"),
    "inner": (lambda m, x, y, v: m.inner(x, v, v), "xv"),
    "mobius_add": (lambda m, x, y, v: m.mobius_add(x, y), "xy"),
    "gyration": (lambda m, x, y, v: m.gyration(x, y, v), "xyv"),
    "coadd": (lambda m, x, y, v: m.coadd(x, y), "xy"),
}


@pytest.mark.parametrize("name", MAPS)
def test_value_and_derivative_by_curvature_are_exact_through_zero(name):
    function, kinds = MAPS[name]
    arguments = {c: normal(2, seed=s, length=0.6) for s, c in enumerate("xyv", start=1)}
    chosen = [numbers(arguments[c]) for c in kinds]
    for k in CURVATURES:
        value, slope = value_and_slope(function, k, *arguments.values())
        wanted, wanted_slope = exact.at(getattr(exact, name), k, *chosen)
        size = max(abs(c) for c in wanted)
        for a, b in zip(value.tolist(), wanted, strict=True):
            assert abs(mp.mpf(a) - b) <= 16 * U[F64] * size + mp.mpf(10) ** -60, (k, a, b)
        # Its terms are products of lengths of 0.6; the least of the derivatives is a tenth of that.
        size = max(*(abs(c) for c in wanted_slope), mp.mpf("0.1"))
        for a, b in zip(slope.tolist(), wanted_slope, strict=True):
            assert abs(mp.mpf(a) - b) <= 32 * U[F64] * size, (k, a, b)


@pytest.mark.parametrize("length", [1e-8, 3e3, 1e7])
def test_what_matters_is_the_curvature_times_the_square_of_a_length(length):
    """Where |K||x|^2 is moderate though K is not, no switch on |K| alone would see it."""
    for share in (-0.3, -1e-9, 0.0, 1e-9, 0.3):
        k = share / length**2
        x, y = (normal(2, seed=s, length=0.6 * length) for s in (1, 2))
        value, slope = value_and_slope(lambda m, x, y: m.dist(x, y), k, x, y)
        scaled = [numbers(x / length), numbers(y / length)]
        k_scaled = mp.mpf(k) * mp.mpf(length) ** 2
        (wanted,), (wanted_slope,) = exact.at(exact.dist, k_scaled, *scaled)
        # x / length is rounded: a few units more.
        assert abs(value.item() / (length * float(wanted)) - 1) <= 16 * U[F64]
        assert abs(slope.item() / (length**3 * float(wanted_slope)) - 1) <= 64 * U[F64]


def test_geoopt_has_the_wrong_derivative_just_below_zero_and_this_has_not():
    geoopt = pytest.importorskip("geoopt")
    x, y = normal(2, seed=1, length=0.6), normal(2, seed=2, length=0.6)

    def theirs(k):
        space = geoopt.Stereographic(k=torch.tensor(k, dtype=F64), learnable=True)
        return torch.autograd.grad(space.dist(x, y), space.k)[0].item()

    for k in (1e-9, 0.0, -1e-9):
        (wanted,) = exact.at(exact.dist, k, numbers(x), numbers(y))[1]
        _, slope = value_and_slope(lambda m, x, y: m.dist(x, y), k, x, y)
        assert abs(slope.item() / float(wanted) - 1) <= 32 * U[F64]
    (wanted,) = exact.at(exact.dist, -1e-9, numbers(x), numbers(y))[1]
    assert abs(theirs(-1e-9) / float(wanted) - 1) > 0.1


class Total(torch.nn.Module):
    """All maps of a space at once, as a function of its parameter."""

    def __init__(self, space):
        super().__init__()
        self.space = space

    def forward(self, a, b):
        m = self.space
        x, y = m.from_normal(a), m.from_normal(b)
        z = m.expmap(x, m.logmap(x, y) / 3 + m.transport(y, x, y) / 5)
        angles = m.exterior_angle(x, z) + m.half_aperture(x, 0.05) + m.logdetexp(x, b)
        sums = m.mobius_add(x, y) + m.coadd(x, z) + m.gyration(x, y, z) + m.midpoint(y, z)
        return torch.cat([m.dist(x, z)[None], m.sqdist(y, z)[None], angles[None], z, sums])


@pytest.mark.parametrize("k", [0.0, pytest.param(-1e-12, marks=pytest.mark.slow)])
def test_first_and_second_derivatives_go_through_zero(k):
    space = Total(Stereographic(k, learnable=True)).double()
    name, raw = next(iter(space.named_parameters()))
    a, b = (normal(2, seed=s, length=0.7).requires_grad_() for s in (1, 2))

    def function(raw, a, b):
        return torch.func.functional_call(space, {name: raw}, (a, b))

    raw = raw.detach().requires_grad_()
    assert derivatives_of_differences(
        function, (raw, a, b), second=False, check_undefined_grad=False
    )

    weights = normal(7, seed=5)

    def weighted(z):
        return function(z[0], z[1:3], z[3:]) @ weights

    z = torch.cat([raw[None], a, b]).detach()
    slope = torch.func.grad(weighted)
    second = torch.func.jacfwd(slope)(z)
    h = 1e-5
    columns = [(slope(z + h * e) - slope(z - h * e)) / (2 * h) for e in torch.eye(5, dtype=F64)]
    # A central difference: rounding over h, and h^2 of fourth derivatives.
    torch.testing.assert_close(second, torch.stack(columns, dim=-1), rtol=1e-7, atol=1e-7)


def test_a_learned_curvature_changes_its_sign_to_that_of_the_data():
    v = normal(8, 2, seed=3)
    ball = PoincareBall(-0.3)
    wanted = ball.cdist(ball.from_normal(v), ball.from_normal(v))
    space = Stereographic(0.3, learnable=True, bounds=(-1.0, 1.0)).double()
    optimiser = torch.optim.SGD(space.parameters(), lr=12.0)
    signs = {space.sign}
    for _ in range(150):
        optimiser.zero_grad()
        x = space.from_normal(v)
        (space.cdist(x, x) - wanted).square().mean().backward()
        optimiser.step()
        signs.add(space.sign)
    assert signs == {1, -1}
    assert space.curvature.item() == pytest.approx(-0.3, abs=1e-6)


def test_the_curvature_is_exact_at_the_start_and_stays_between_its_bounds():
    for k in (-0.7, 0.0, 0.3, 1e-300):
        for dtype in (F64, F32, torch.bfloat16):
            space = Stereographic(k, learnable=True, bounds=(-1.0, 1.0)).to(dtype)
            assert space.curvature.item() == k
    space = Stereographic(0.1, learnable=True, bounds=(-0.2, 0.5))
    (raw,) = space.parameters()
    for direction in (1.0, -1.0):
        for _ in range(200):
            (slope,) = torch.autograd.grad(space.curvature, raw)
            assert slope > 0
            with torch.no_grad():
                raw += 0.01 * direction
            assert -0.2 < space.curvature.item() < 0.5
    assert repr(Stereographic(0.3, learnable=True, bounds=(-1, 1))) == (
        "Stereographic(curvature=0.3, learnable=True, bounds=(-1, 1))"
    )
    other = Stereographic(learnable=True)
    other.load_state_dict(space.state_dict())
    assert list(Stereographic(0.3).state_dict()) == []


# -- gyrovectors ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "space",
    [*map(Stereographic, (-0.8, -1e-7, 0.0, 1e-7, 0.8)), PoincareBall(-0.8), PoincareBall(-0.3)],
    ids=repr,
)
def test_sums_and_gyrations_are_those_of_their_definitions(space):
    k = float(space.curvature)
    for seed in range(8):
        x, y, v = (normal(3, seed=seed + s, length=0.8) for s in (1, 20, 40))
        a, b, c = numbers(x), numbers(y), numbers(v)
        m = normal(2, 3, seed=seed)
        rows = [numbers(row) for row in m]
        results = {
            "mobius_add": (space.mobius_add(x, y), (a, b)),
            "gyration": (space.gyration(x, y, v), (a, b, c)),
            "coadd": (space.coadd(x, y), (a, b)),
            "mobius_scalar": (space.mobius_scalar(1.7, x), (mp.mpf(1.7), a)),
            "mobius_matvec": (space.mobius_matvec(m, x), (rows, a)),
        }
        for name, (found, arguments) in results.items():
            wanted, _ = exact.at(getattr(exact, name), k, *arguments)
            wanted = torch.tensor([float(c) for c in wanted], dtype=F64)
            # 1 - |K||x|^2 = 0.5 and sums stay below 10 in length.
            same(found, wanted, 100, float(wanted.abs().max()))


@pytest.mark.parametrize(
    "space", [*map(Stereographic, (-0.8, 0.0, 0.8)), PoincareBall(-0.8)], ids=repr
)
def test_the_identities_of_gyrogroups(space):
    x, y, z = (normal(50, 3, seed=s, length=0.7) for s in (1, 2, 3))
    add, gyr, zero = space.mobius_add, space.gyration, torch.zeros_like(x)
    # Sums of three are at most 10 R out, at gaps of 1/40.
    same(add(x, add(y, z)), add(add(x, y), gyr(x, y, z)), 4000, 2.0)  # left gyroassociativity
    same(gyr(x, y, z), add(-add(x, y), add(x, add(y, z))), 4000)
    same(add(x, y), gyr(x, y, add(y, x)), 2000, 2.0)  # gyrocommutativity
    same(gyr(add(x, y), y, z), gyr(x, y, z), 4000)  # the left loop property
    same(gyr(x, y, z).norm(dim=-1), z.norm(dim=-1), 100)
    same(gyr(y, x, gyr(x, y, z)), z, 100)
    same(space.coadd(x, y), add(x, gyr(x, -y, y)), 1000, 2.0)
    assert torch.equal(space.coadd(x, y), space.coadd(y, x))
    same(add(space.cosub(x, y), y), x, 2000)
    same(add(zero, y), y, 8)
    same(add(x, zero), x, 8)
    assert torch.equal(add(-x, x), zero)
    assert torch.equal(space.coadd(-x, x), zero)
    same(add(-x, add(x, y)), y, 2000)  # left cancellation
    same(space.mobius_scalar(2.0, x), add(x, x), 1000, 2.0)
    same(space.mobius_scalar(-1.0, x), -x, 16)
    assert torch.equal(space.mobius_scalar(0.0, x), zero)
    same(space.mobius_matvec(2.0 * torch.eye(3, dtype=F64), x), add(x, x), 1000, 2.0)
    same(space.dist(x, y), space.dist(zero, add(-x, y)), 200)
    same(gyr(y, -x, z), gyr(x, -y, gyr(y, -x, gyr(y, -x, z))), 200)


@pytest.mark.parametrize(
    "space", [*map(Stereographic, (-0.8, 0.0, 0.8, 30.0)), PoincareBall(-0.8)], ids=repr
)
@pytest.mark.parametrize("d", [1e-9, 1e-5, 1e-1])
def test_a_small_difference_keeps_its_digits(space, d):
    k = float(space.curvature)
    for seed in range(10):
        x = normal(3, seed=seed, length=0.9)
        y = x + normal(3, seed=seed + 100, length=d)
        for name, function in (("mobius_add", exact.mobius_add), ("coadd", exact.coadd)):
            wanted, _ = exact.at(function, k, numbers(-x), numbers(y))
            wanted = torch.tensor([float(c) for c in wanted], dtype=F64)
            size = float(wanted.norm())
            assert float((getattr(space, name)(-x, y) - wanted).norm()) <= 32 * U[F64] * size


def test_a_matrix_takes_a_point_to_a_space_of_another_dimension():
    space = Stereographic(-0.5)
    m, x = normal(4, 1, 2, 3, seed=1), points(space, 5, 3, seed=2)
    assert space.mobius_matvec(m, x).shape == (4, 5, 2)
    assert torch.equal(space.mobius_matvec(0 * m, x), torch.zeros(4, 5, 2, dtype=F64))
    half = space.mobius_matvec(m[0, 0].to(torch.bfloat16), x[0].to(torch.bfloat16))
    assert half.dtype == torch.bfloat16
    a, b = normal(3, 3, seed=3) / 2, normal(3, 3, seed=4) / 2
    one = space.mobius_matvec(a, space.mobius_matvec(b, x))
    same(one, space.mobius_matvec(a @ b, x), 200)  # matrices compose


# -- the far side of the sphere ------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [F64, F32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("k", [1e-6, 0.5, 1.0, 1e3])
def test_infinity_is_pulled_back_to_an_edge_that_no_distance_can_tell_from_it(k, dtype):
    space, eps = Stereographic(k), torch.finfo(dtype).eps
    r = k**-0.5
    far = space.proj(torch.tensor([torch.finfo(dtype).max / 4, 0.0], dtype=dtype))
    assert space.is_point(far)
    assert far.isfinite().all()
    d = space.dist(torch.zeros_like(far), far).item()
    reach = far[0].item()  # where float16 overflows before
    assert d == pytest.approx(2 * r * math.atan(reach / r), rel=4 * eps, abs=0)
    if dtype in (F64, F32):
        assert d == pytest.approx(math.pi * r, rel=4 * eps, abs=0)
        assert not space.is_point(64 * far)
        half = torch.tensor([r / 2, 0.0], dtype=dtype)
        for x, y in ((half, far), (far, half), (far, -far), (far, far)):
            v = space.logmap(x, y)
            for out in (v, space.expmap(x, v), space.midpoint(x, y), space.transport(x, y, v)):
                assert out.isfinite().all()


@pytest.mark.parametrize("k", [1.0, 0.25])
def test_a_path_through_infinity_comes_back_on_the_other_side(k):
    space, r = Stereographic(k), k**-0.5
    e = torch.tensor([1.0, 0.0], dtype=F64)
    same(space.from_normal(1.5 * math.pi * r * e), -r * e, 16, r)
    same(space.mobius_scalar(3.0, r * e), -r * e, 16, r)
    x = space.from_normal(3.0 * r * e)
    gap = 1 + k * x[0] ** 2
    y = space.expmap(x, 0.5 * r * e * gap / 2)
    # Half a radian further, of which 2 pi are less: an error of u pi at -2.78 R.
    same(space.to_normal(y), (3.5 - 2 * math.pi) * r * e, 64, r)
    middle = space.midpoint(x, y)
    same(space.to_normal(middle), (3.25 - 2 * math.pi) * r * e, 64, r)
    straight = space.expmap(r * e, math.pi / 2 * r * e)  # to infinity
    assert straight.isfinite().all()
    assert space.is_point(straight)
    assert space.dist(0 * e, straight).item() == pytest.approx(math.pi * r, rel=8 * U[F64], abs=0)
    beyond = space.mobius_add(r * e, r * e)
    assert space.dist(0 * e, beyond).item() == pytest.approx(math.pi * r, rel=8 * U[F64], abs=0)
    assert space.is_point(space.coadd(r * e, r * e))


@pytest.mark.parametrize("far", [3.5, 1e3, 1e6])
@pytest.mark.parametrize("gap", [0.3, 1e-3, 1e-7])
def test_nearly_antipodal_points_on_one_line_lose_nothing_of_their_geodesic(far, gap):
    space = Stereographic(1.0)
    x = torch.tensor([0.0, far], dtype=F64)
    y = torch.tensor([0.0, -math.tan(math.atan(1 / far) - gap / 2)], dtype=F64)
    for a, b in ((x, y), (y, x)):
        for name, found in (
            ("geodesic", space.geodesic(a, b, 0.25)),
            ("midpoint", space.midpoint(a, b)),
            ("logmap", space.logmap(a, b)),
        ):
            wanted, _ = exact.at(getattr(exact, name), 1, numbers(a), numbers(b))
            wanted = torch.tensor([float(c) for c in wanted], dtype=F64)
            # On a line nothing is ill-conditioned but what is near infinity, by its distance to it.
            units = 32 * (1 + float(wanted.norm()))
            assert float((found - wanted).norm()) <= units * U[F64] * float(wanted.norm()), name


def test_antipodes_are_half_a_turn_apart_along_the_line_through_the_origin():
    space = Stereographic(1.0)
    x = torch.tensor([0.5, 0.0], dtype=F64, requires_grad=True)
    y = torch.tensor([-2.0, 0.0], dtype=F64, requires_grad=True)
    d = space.dist(x, y)
    assert d.item() == math.pi
    assert all((g == 0).all() for g in torch.autograd.grad(d, (x, y)))
    assert space.sqdist(x, y).item() == math.pi**2
    for a, b in ((x, y), (y, x)):
        v = space.logmap(a, b)
        assert torch.equal(v.sign(), (b - a).sign())
        same(space.norm(a, v), torch.tensor(math.pi, dtype=F64), 4)
        same(space.expmap(a, v), b, 32, 4.0)
        middle = space.midpoint(a, b)
        angle = (2 * math.atan(0.5) + 2 * math.atan(-2.0)) / 2
        same(space.to_normal(middle)[0], torch.tensor(angle, dtype=F64), 16)
        w = torch.tensor([0.0, 1.0], dtype=F64)
        # Across the way a vector only stretches; along it, it keeps its sense.
        same(space.transport(a, b, w) * (1 + a @ a) / (1 + b @ b), w, 16)
        same(space.transport(a, b, v).sign(), v.sign(), 1)


def test_the_matmul_form_of_distances_reaches_antipodes():
    space = Stereographic(1.0)
    x = torch.tensor([[0.5, 0.0], [1.0, 0.0], [3.0, 4.0]], dtype=F64)
    y = -x / (x * x).sum(-1, keepdim=True)
    table = space.cdist(x, y, matmul=True).diagonal()
    same(table, torch.full((3,), math.pi, dtype=F64), 64 * 2**13)  # half of the digits
    assert space.cdist(x, y, matmul=True, squared=True).isfinite().all()


# -- what may be given ---------------------------------------------------------------------------

S = Stereographic(0.5)


@pytest.mark.parametrize(
    ("call", "kind", "sentence"),
    [
        (lambda: Stereographic(math.nan), ValueError, "Stereographic: curvature is nan; expected"),
        (lambda: Stereographic(math.inf), ValueError, "expected the finite sectional curvature"),
        (lambda: Stereographic("0"), TypeError, "Stereographic: curvature is a str"),
        (
            lambda: Stereographic(0.5, learnable=True, bounds=(-1.0, 0.5)),
            ValueError,
            r"Stereographic: bounds are \(-1.0, 0.5\) with the curvature 0.5",
        ),
        (lambda: Stereographic(0.5, bounds=(-1.0, 1.0)), ValueError, "learnable is False"),
        (
            lambda: S.mobius_add(torch.ones(2), torch.ones(3)),
            ValueError,
            r"Stereographic.mobius_add: y has shape \(3,\) and x has shape \(2,\)",
        ),
        (
            lambda: S.mobius_matvec(torch.ones(2, 3), torch.ones(2)),
            ValueError,
            r"Stereographic.mobius_matvec: m has shape \(2, 3\) and x has shape \(2,\)",
        ),
        (lambda: S.mobius_matvec(torch.ones(2), torch.ones(2)), ValueError, "m has shape"),
        (lambda: S.mobius_matvec([[1.0]], torch.ones(1)), TypeError, "m is a list"),
        (
            lambda: S.mobius_matvec(torch.ones(4, 2, 2), torch.ones(3, 2)),
            ValueError,
            "which does not broadcast with the leading axes",
        ),
        (
            lambda: S.mobius_scalar(torch.ones(3), torch.ones(2, 2)),
            ValueError,
            r"Stereographic.mobius_scalar: r has shape \(3,\)",
        ),
        (lambda: S.gyration(torch.ones(2), torch.ones(2), None), TypeError, "v is a NoneType"),
        (
            lambda: S.random_uniform(3, 2, radius=5.0),
            ValueError,
            r"radius is 5.0; expected a positive number, at most pi R = 4.44288",
        ),
    ],
)
def test_a_wrong_argument_gets_a_sentence(call, kind, sentence):
    with pytest.raises(kind, match=sentence):
        call()


def test_a_state_outside_the_bounds_is_refused():
    space = Stereographic(0.5, learnable=True, bounds=(0.0, 1.0))
    state = Stereographic(-0.5, learnable=True).state_dict()
    with pytest.raises(RuntimeError, match=r"SignedScalar: _curvature\.initial is -0\.5 in the"):
        space.load_state_dict(state)


@pytest.mark.parametrize("k", [-0.5, 0.0, 0.5])
def test_what_is_not_a_number_stays_so(k):
    space, nan = Stereographic(k), torch.full((3, 2), torch.nan)
    x = torch.tensor([0.1, 0.2])
    for out in (
        space.from_normal(nan), space.proj(nan), space.expmap(x, nan), space.logmap(nan, x),
        space.mobius_add(x, nan), space.mobius_add(nan, x), space.gyration(nan, x, x),
        space.midpoint(nan, x), space.coadd(x, nan),
    ):  # fmt: skip
        assert out.isnan().any(-1).all()
    assert space.dist(x, nan).isnan().all()
    assert not space.is_point(nan).any()


def test_checked_looks_at_points_of_the_ball_only():
    with pytest.raises(ValueError, match="points off the manifold"):
        Checked(Stereographic(-0.5)).dist(torch.ones(2), 2 * torch.ones(2))
    x, y = torch.ones(2, 2), 2 * torch.ones(3, 2)
    for space in (S, Stereographic(0.0)):
        assert torch.equal(Checked(space).cdist(x, y), space.cdist(x, y))
        assert torch.equal(Checked(space).cinner(x, y), space.cinner(x, y))
        assert torch.equal(Checked(space).mobius_add(x, x), space.mobius_add(x, x))
