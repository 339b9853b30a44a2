"""Geodesics at any time, and expmap through the origin and out again, against their definition."""

import math

import exact
import pytest
import torch
from cases import CASES, points
from mpmath import mp

from spaceforms.manifolds import Euclidean, Lorentz, PoincareBall, Sphere, Stereographic

SLOW = pytest.mark.slow  # more of the same
F64, F32 = torch.float64, torch.float32
U = {F64: 2.0**-53, F32: 2.0**-24}
SPACES = [Lorentz(), PoincareBall(), Stereographic(-1.0), Stereographic(0.0), Stereographic(1.0)]
SPACES += [Sphere(), Euclidean()]
HYPERBOLIC = [space for space in SPACES if space.sign < 0]


def name(space):
    return f"{type(space).__name__}({space.sign})"


def at(space, r, angle=0.0, dtype=F64):
    """The point of a plane at a distance from the origin, in a direction."""
    direction = torch.tensor([math.cos(angle), math.sin(angle)], dtype=F64)
    return space.from_normal(r * direction).detach().to(dtype)


def geodesic(model, x, y, t):
    """exp_x(t log_x y), by cosine and sine of the distance in the ambient space."""
    if model.sign == 0:
        return exact.combined((1 - t, x), (t, y))
    a, b = model.point(x), model.point(y)
    c = model.sign * model.form(a, b)
    d = mp.acosh(c) if model.sign < 0 else mp.acos(c)
    if d == 0:
        return list(x)
    sn = mp.sinh if model.sign < 0 else mp.sin
    return model.stored(exact.combined((sn((1 - t) * d) / sn(d), a), (sn(t * d) / sn(d), b)))


def expmap(model, x, v):
    a, w = model.point(x), model.vector(x, v)
    length = mp.sqrt(model.form(w, w))
    return model.stored(exact.combined((mp.cosh(length), a), (mp.sinh(length) / length, w)))


def units(space, function, arguments, result, gradients, cotangent):
    """Errors of a result and of the gradients of cotangent . result by each argument, in units of
    u (|f| + |Df||x|): by differences at 330 digits."""
    model, u = exact.Model(space), U[result.dtype]
    with mp.workdps(exact.DIGITS):
        z, h = [model.free(a) for a in arguments], mp.mpf(10) ** -60
        w = [mp.mpf(c) for c in cotangent]
        places = [(i, j) for i, a in enumerate(z) for j in range(len(a))]

        def moved(*where):
            y = [list(a) for a in z]
            for i, j in where:
                y[i][j] += h
            return function(model, *y)

        f = function(model, *z)
        first = [moved(p) for p in places]
        columns = [[(b - a) / h for a, b in zip(f, g, strict=True)] for g in first]
        size = [abs(z[i][j]) for i, j in places]
        spread = [mp.fsum(abs(c[k]) * s for c, s in zip(columns, size, strict=True))
                  for k in range(len(f))]  # fmt: skip
        off = [a - b for a, b in zip(model.free(result), f, strict=True)]
        worst = [exact.size(off) / (u * (exact.size(f) + exact.size(spread)) + h)]
        phi, one = exact.dot(w, f), [exact.dot(w, g) for g in first]
        for i, gradient in enumerate(gradients):
            rows = [p for p, (k, _) in enumerate(places) if k == i]
            bend = [[(exact.dot(w, moved(places[p], q)) - one[p] - one[b] + phi) / h**2
                     for b, q in enumerate(places)] for p in rows]  # fmt: skip
            slope = [(one[p] - phi) / h for p in rows]
            move = [exact.dot([abs(c) for c in row], size) for row in bend]
            move = [m + exact.dot([abs(c) for c in columns[p]], [abs(c) for c in w])
                    for m, p in zip(move, rows, strict=True)]  # fmt: skip
            off = [a - b for a, b in zip(model.free(gradient), slope, strict=True)]
            allowed = u * (exact.size(slope) + exact.size(move)) + h  # 0 at the other end
            worst.append(exact.size(off) / allowed)
        return [float(c) for c in worst]


def judged(space, function, call, arguments, cotangent=(0.3, -0.7)):
    """``units`` of one call, the cotangent being of the space part."""
    arguments = [a.clone().requires_grad_() for a in arguments]
    result = call(*arguments)
    free = result[1:] if isinstance(space, Lorentz) else result
    w = torch.tensor(cotangent, dtype=result.dtype)[: len(free)]
    found = torch.autograd.grad(free, arguments, w)
    return units(space, function, arguments, result, found, w.tolist())


TIMES = [0.0, 1e-12, 1e-3, 0.25, 0.5, 0.75, 1 - 1e-6, 1.0, 1 + 1e-6, 1.5, 3.0, -1e-9, -0.5, -2.0]
ENDS = [((3.0, 0.0), (2.0, 2.0)), ((9.0, 0.3), (9.0, 1.4)), ((0.0, 0.0), (7.0, 1.0)),
        ((6.0, 0.4), (6.0, 0.4 + math.pi)), ((1e-5, 0.0), (1e-5, 2.0))]  # fmt: skip


@pytest.mark.parametrize("dtype", [F64, F32])
@pytest.mark.parametrize("space", HYPERBOLIC, ids=name)
def test_at_every_time_a_geodesic_and_its_gradients_are_within_the_promise(space, dtype):
    for place, (a, b) in enumerate(ENDS):
        x, y = at(space, *a, dtype=dtype), at(space, *b, dtype=dtype)
        for t in TIMES[place % 3 :: 3]:
            time = torch.tensor(t, dtype=dtype)
            exactly = mp.mpf(time.item())

            def function(model, p, q, t=exactly):
                return geodesic(model, p, q, t)

            def call(p, q, t=time):
                return space.geodesic(p, q, t)

            edge = {F32: (13.0, 26.0), F64: (30.0, 230.0)}[dtype][isinstance(space, Lorentz)]
            reach = abs(t - 0.5) * float(space.dist(x, y)) + max(a[0], b[0])
            if reach < edge:
                value, by_x, by_y = judged(space, function, call, (x, y))
                assert value <= 8, (a, b, t)
                # By the farther end of opposite ones, beyond the nearer: 53 met.
                shot = not 0 <= t <= 1 and isinstance(space, Stereographic) and a[0] == 6.0
                assert max(by_x, by_y) <= (64 if shot else 32), (a, b, t)


@pytest.mark.parametrize("space", HYPERBOLIC, ids=name)
@pytest.mark.parametrize("t", [1e-12, 0.1, 0.5, 1.0])
def test_between_far_opposite_ends_nothing_is_lost(space, t):
    x, y = at(space, 20.0, 0.7), at(space, 20.0, 0.7 + math.pi)
    found = judged(
        space,
        lambda m, p, q: geodesic(m, p, q, mp.mpf(t)),
        lambda p, q: space.geodesic(p, q, torch.tensor(t, dtype=F64)),
        (x, y),
    )
    assert found[0] <= 8
    assert max(found[1:]) <= 32


@pytest.mark.parametrize("dtype", [F64, F32])
@pytest.mark.parametrize("space", HYPERBOLIC, ids=name)
def test_the_ends_are_met_as_distances_tell_it_out_to_the_edge(space, dtype):
    edge = 15.0 if dtype == F32 else 34.0
    for r in (1.0, 10.0, edge):
        x, y = at(space, r, 0.1, dtype), at(space, r, 0.1 + math.pi / 3, dtype)
        for t, end in ((0.0, x), (1.0, y)):
            for time in (t, torch.tensor(t, dtype=dtype)):
                assert space.dist(space.geodesic(x, y, time), end) <= 4 * U[dtype] * math.exp(r)
        if not isinstance(space, Lorentz):
            assert torch.equal(space.geodesic(x, y, 1.0), y)


@pytest.mark.parametrize("case", CASES)
def test_a_geodesic_is_the_same_from_either_end(case):
    manifold = CASES[case]
    x, y = points(manifold, 12, 3, seed=1), points(manifold, 12, 3, seed=2)
    times = torch.tensor([0, 1e-9, 0.1, 0.25, 0.5, 0.75, 1, 1.25, 2, -0.25, -1, 0.6], dtype=F64)
    one, other = manifold.geodesic(x, y, times), manifold.geodesic(y, x, 1 - times)
    torch.testing.assert_close(one, other, rtol=1e-11, atol=1e-12)
    # And a number is a tensor of one: inside [0, 1] the two go by different ways.
    for t in (0.0, 0.3, 0.75, 1.0, 1.5):
        time = torch.tensor(t, dtype=F64)
        torch.testing.assert_close(
            manifold.geodesic(x, y, t), manifold.geodesic(x, y, time), rtol=1e-14, atol=1e-14
        )


@pytest.mark.parametrize("dtype", [F64, F32])
@pytest.mark.parametrize("space", SPACES, ids=name)
@pytest.mark.parametrize(
    "t",
    [-1e30, pytest.param(50.0, marks=SLOW), pytest.param(-300.0, marks=SLOW),
     pytest.param(1e20, marks=SLOW)],
)  # fmt: skip
def test_beyond_the_edge_there_is_a_point_with_finite_gradients(space, dtype, t):
    y = at(space, 0.4, 1.0, dtype)
    for r in (0.0, 1.0):
        x = at(space, r, 0.0, dtype)
        for ends in ((x, y), (y, x), (x, x)):
            a, b = (end.clone().requires_grad_() for end in ends)
            time = torch.tensor(t, dtype=dtype, requires_grad=True)
            z = space.geodesic(a, b, time)
            assert space.is_point(z)
            if torch.equal(a, b):
                torch.testing.assert_close(z, a, rtol=4 * U[dtype], atol=0)
            for gradient in torch.autograd.grad(z.sum(), (a, b, time)):
                assert gradient.isfinite().all()


@pytest.mark.parametrize("space", SPACES, ids=name)
def test_at_no_time_there_is_no_point(space):
    x, y = at(space, 0.5), at(space, 0.7, 1.0)
    for t in (math.nan, math.inf, -math.inf):
        for time in (t, torch.tensor(t, dtype=F64)):
            assert space.geodesic(x, y, time).isnan().any()


@pytest.mark.parametrize("space", SPACES, ids=name)
@pytest.mark.parametrize("t", [1e-12, 1e-6, 0.4, 1 - 1e-9, 1.25])
def test_the_derivative_by_time_is_the_velocity_of_the_definition(space, t):
    x, y = at(space, 1.3), at(space, 0.7, 2.0)
    time = torch.tensor(t, dtype=F64, requires_grad=True)
    z = space.geodesic(x, y, time)
    model = exact.Model(space)
    with mp.workdps(60):
        p, q, h = model.free(x), model.free(y), mp.mpf(10) ** -25
        ends = [geodesic(model, p, q, mp.mpf(t) + s * h) for s in (-1, 1)]
        slope = [float((b - a) / (2 * h)) for a, b in zip(*ends, strict=True)]
    free = z[1:] if isinstance(space, Lorentz) else z
    for coordinate, wanted in zip(free, slope, strict=True):
        (found,) = torch.autograd.grad(coordinate, time, retain_graph=True)
        assert abs(found.item() - wanted) <= 64 * U[F64] * (1 + abs(wanted))


@pytest.mark.parametrize("space", [Sphere(), Stereographic(1.0)], ids=name)
def test_the_gradient_by_the_far_end_vanishes_with_time_digit_for_digit(space):
    x, y = at(space, 0.9), at(space, 2.0, 1.0)
    for t in (1e-12, 1e-6):
        for pair, time in (((x, y), t), ((y, x), 1 - t)):
            far = 1 if time == t else 0
            ends = [end.clone().requires_grad_() for end in pair]
            z = space.geodesic(*ends, torch.tensor(time, dtype=F64))
            (small,) = torch.autograd.grad(z[0], [ends[far]])
            # What is left of 1 - time is exact, and the geodesic is linear in it that near.
            scale = t if time == t else 1 - time
            (unit,) = torch.autograd.grad(space.logmap(x, ends[far])[0], [ends[far]])
            assert float((small / scale - unit).norm()) <= (64 * U[F64] + 4 * t) * float(
                unit.norm()
            )


@pytest.mark.parametrize("dimension", [1, 2])
@pytest.mark.parametrize("space", HYPERBOLIC, ids=name)
def test_a_vector_through_the_origin_and_out_again_keeps_all_digits(space, dimension):
    for r in (-1.2, -3.1, -3.7, -4.0):
        for length in (7.0, 13.3, 16.4, 16.9):
            x = space.from_normal(torch.tensor([r, 0.0][:dimension], dtype=F64)).detach()
            scale = math.cosh(r) if isinstance(space, Lorentz) else 1 / (2 * math.cosh(r / 2) ** 2)
            v = torch.zeros_like(x)
            v[..., 1 if isinstance(space, Lorentz) else 0] = length * scale
            found = judged(space, expmap, space.expmap, (x, v))
            assert found[0] <= 8, (r, length)
            assert max(found[1:]) <= 32, (r, length)


@pytest.mark.parametrize("space", [PoincareBall(), Stereographic(-1.0)], ids=name)
def test_on_a_line_the_gradient_by_the_point_of_a_long_vector_keeps_its_digits(space):
    x, v = torch.tensor([-0.9137854901178277], dtype=F64), torch.tensor([1.35296784], dtype=F64)
    for arguments in ((x, v), (x.to(F32), v.to(F32))):
        found = judged(space, expmap, space.expmap, arguments, (1.0,))
        assert found[0] <= 8
        assert max(found[1:]) <= 32


def test_beyond_far_ends_of_a_ball_what_is_along_the_way_is_not_lost_in_what_is_across():
    space, t = PoincareBall(), -0.84
    found = judged(
        space,
        lambda m, p, q: geodesic(m, p, q, mp.mpf(t)),
        lambda p, q: space.geodesic(p, q, torch.tensor(t, dtype=F64)),
        (at(space, 9.0, 0.7), at(space, 9.0)),
    )
    assert max(found[1:]) <= 16
    # By time, from the origin outwards, of a cotangent nearly across: sech^2 of its part along.
    x = torch.tensor([-0.10926560312509537, -0.6082347631454468, -0.7737041711807251], dtype=F64)
    g = torch.tensor([-0.9444852471351624, 0.39048492908477783, -0.1791643649339676], dtype=F64)
    time = torch.tensor(3.328246593475342, dtype=F32, requires_grad=True)
    z = space.geodesic(x.to(F32), torch.zeros(3), time)
    (by_t,) = torch.autograd.grad(z, time, g.to(F32))
    with mp.workdps(40):
        p, w, s = [mp.mpf(c.item()) for c in x], [mp.mpf(c.item()) for c in g], mp.mpf(time.item())
        half = mp.atanh(exact.size(p))
        slope = -half / mp.cosh((1 - s) * half) ** 2 / exact.size(p)
        terms = [slope * a * b for a, b in zip(p, w, strict=True)]
        # The product's terms, and what the rounding of x and t is worth in sech^2.
        allowed = mp.fsum(map(abs, terms)) + abs(mp.fsum(terms)) * 8 * half * s
        assert abs(mp.mpf(by_t.item()) - mp.fsum(terms)) <= 32 * U[F32] * allowed


@pytest.mark.parametrize("t", [-2.0, -0.18, 1.7])
def test_beyond_ends_that_coincide_or_are_close_a_far_geodesic_has_its_gradients(t):
    space = Lorentz()
    x = torch.tensor([0.0, 17.7, 3.0], dtype=F64)
    time = torch.tensor(t, dtype=F64)
    for y in (x, x + torch.tensor([0.0, 2e-9, -1e-9]), x + torch.tensor([0.0, 1e-4, 2e-7])):
        a, b = x.clone().requires_grad_(), y.clone().requires_grad_()
        z = space.geodesic(a, b, time)
        found = torch.autograd.grad(z[1] - 2 * z[2], (a, b))
        if torch.equal(x, y):  # to first order in the step it is a straight line
            for gradient, share in zip(found, (1 - t, t), strict=True):
                wanted = share * torch.tensor([0.0, 1.0, -2.0], dtype=F64)
                torch.testing.assert_close(gradient, wanted, rtol=64 * U[F64], atol=0)
        else:
            units_ = judged(
                space,
                lambda m, p, q: geodesic(m, p, q, mp.mpf(t)),
                lambda p, q: space.geodesic(p, q, time),
                (x, y),
                (1.0, -2.0),
            )
            assert units_[0] <= 8
            assert max(units_[1:]) <= 32


@pytest.mark.parametrize("dtype", [F64, F32])
@pytest.mark.parametrize("missing", [1e-7, 3e-5, 1e-2])
def test_next_to_the_antipode_on_a_circle_gradients_have_the_digits_of_angles(missing, dtype):
    space, g = Sphere(), torch.tensor([0.04, -0.29], dtype=dtype)
    missing = max(missing, 1e4 * U[dtype])
    with mp.workdps(40):
        for a in (-2.8, 0.36):
            ends = [
                torch.tensor([math.cos(c), math.sin(c)], dtype=F64).to(dtype).requires_grad_()
                for c in (a, a + math.pi - missing)
            ]
            x, y = ([mp.mpf(c.item()) for c in end.detach()] for end in ends)
            one, other = (mp.atan2(*reversed(p)) for p in (x, y))
            way = (other - one) % (2 * mp.pi)
            assert way < mp.pi
            middle, along = one + way / 2, [[-mp.sin(c), mp.cos(c)] for c in (one, other)]
            # log = way e: e turns with x, so that g.x counts; the middle moves half as each end.
            g_e, g_x = (exact.dot([mp.mpf(c.item()) for c in g], p) for p in (along[0], x))
            g_m = exact.dot([mp.mpf(c.item()) for c in g], [-mp.sin(middle), mp.cos(middle)])
            right = {"logmap": (-g_e - way * g_x, g_e), "midpoint": (g_m / 2, g_m / 2)}
            for op, wanted in right.items():
                result = getattr(space, op)(*ends)
                for slope, gradient, e in zip(
                    wanted, torch.autograd.grad(result, ends, g), along, strict=True
                ):
                    got = exact.dot([mp.mpf(c.item()) for c in gradient], e)
                    assert abs(got - slope) <= 32 * U[dtype], (op, a)


def test_on_a_line_next_to_the_antipode_a_stereographic_logarithm_has_its_gradients():
    k = 23.953700255811007
    space = Stereographic(k)
    x = torch.tensor([0.2574228346347809], dtype=F32, requires_grad=True)
    y = torch.tensor([-0.1621779203414917], dtype=F32, requires_grad=True)
    by_x, by_y = (c.item() for c in torch.autograd.grad(space.logmap(x, y).sum(), (x, y)))
    with mp.workdps(40):
        a, b, root = mp.mpf(x.item()), mp.mpf(y.item()), mp.sqrt(mp.mpf(k))
        angle = mp.atan(root * b) - mp.atan(root * a)
        way = (angle if abs(angle) < mp.pi / 2 else angle + mp.pi) / root
        assert abs(by_y - (1 + k * a * a) / (1 + k * b * b)) <= 32 * U[F32] * by_y
        assert abs(by_x - (2 * k * a * way - 1)) <= 32 * U[F32] * (1 + abs(2 * k * a * way))


def test_two_points_one_of_them_near_the_origin_have_their_distance_from_the_nearer_one():
    space = Lorentz()
    pairs = [
        ((3.308183193206787, 0.06789400428533554), (0.7658942937850952, 0.0)),
        ((2.259801149368286, -0.6875820159912109), (0.18789730966091156, 0.0)),
        ((0.973796546459198, 0.0), (7.0226263999938965, -0.11021149903535843)),
    ]
    for x, y in pairs:
        a, b = (torch.tensor([0.0, *p], dtype=F32) for p in (x, y))
        with mp.workdps(40):
            p, q = ([mp.mpf(c.item()) for c in end[1:]] for end in (a, b))
            times = [mp.sqrt(1 + exact.dot(c, c)) for c in (p, q)]
            d = mp.acosh(times[0] * times[1] - exact.dot(p, q))
            # |Df||x|: by |p| d changes as fast as |p|/T, at the most.
            spread = mp.fsum(exact.size(c) / t for c, t in zip((p, q), times, strict=True))
            for found, wanted, slope in (
                (space.dist(a, b), d, 1),
                (space.sqdist(a, b), d * d, 2 * d),
            ):
                allowed = 8 * U[F32] * (wanted + slope * spread)
                assert abs(found.item() - wanted) <= allowed / 2


@pytest.mark.parametrize("k", [-1.0, 0.0, 1.0])
def test_a_multiple_beyond_the_dtype_is_a_point_on_the_ray(k):
    space = Stereographic(k)
    x = torch.tensor([0.99, 0.0], dtype=F32)
    for r in (1e38, 3e38):
        point = space.mobius_scalar(r, x)
        assert space.is_point(point)
        assert point[1] == 0
    assert space.mobius_scalar(math.inf, x).isnan().any()
