"""Isometries, hyperplanes and horospheres of Stereographic: through K = 0, and in other charts.

That they are isometries, distances to hyperplanes and Busemann functions, and accurate, is in
test_isometries, test_hyperplanes and test_horospheres, where Stereographic is one of the manifolds.
"""

import math

import exact as ambient
import gyro_reference as exact
import mpmath as mp
import pytest
import torch
from cases import derivatives_of_differences, normal, value_and_slope
from reference import numbers

from spaceforms.manifolds import (
    Checked,
    Euclidean,
    PoincareBall,
    Sphere,
    Stereographic,
    StereographicPlane,
    busemann,
    convert,
    convert_vector,
    horosphere_project,
    hyperplane,
    ideal_point,
    logits,
    point_reflection,
    recentre,
    reflection,
    rotation,
    signed_distance,
    towards,
    translation,
)

F64, F32 = torch.float64, torch.float32
U = {F64: 2.0**-53, F32: 2.0**-24}
CURVATURES = (-1.0, -0.3, -1e-3, -1e-9, -1e-30, 0.0, 1e-30, 1e-9, 1e-3, 0.3, 1.0)


# -- through 0, against gyrovectors in mpmath ----------------------------------------------------


def _negative(x):
    return [-c for c in x]


def exact_translation(k, p, q, x):
    moved = exact.mobius_add(k, _negative(p), x)
    return exact.mobius_add(k, q, exact.gyration(k, q, _negative(p), moved))


def exact_push(k, p, q, x, v):
    """A difference quotient at 60 digits."""
    h = mp.mpf(10) ** -20
    ends = [[c + s * h * d for c, d in zip(x, v, strict=True)] for s in (1, -1)]
    up, down = (exact_translation(k, p, q, y) for y in ends)
    return [(a - b) / (2 * h) for a, b in zip(up, down, strict=True)]


def exact_reflection(k, p, a, x):
    v = exact.logmap(k, p, x)  # conformal: angles are those of the coordinates
    share = 2 * mp.fdot(v, a) / mp.fdot(a, a)
    return exact.expmap(k, p, [c - share * d for c, d in zip(v, a, strict=True)])


def exact_point_reflection(k, p, x):
    return exact.mobius_add(k, p, _negative(exact.mobius_add(k, _negative(p), x)))


def exact_signed_distance(k, p, a, x):
    v = exact.logmap(k, p, x)
    cosine = mp.fdot(v, a) / mp.sqrt(mp.fdot(v, v) * mp.fdot(a, a))
    sine = exact.sn(k, exact.dist(k, p, x)) * cosine
    return mp.re(mp.asin(mp.sqrt(k) * sine) / mp.sqrt(k))


def exact_logits(k, p, a, x):
    return exact.factor(k, p) * mp.sqrt(mp.fdot(a, a)) * exact_signed_distance(k, p, a, x)


OPERATIONS = {
    "translation": (exact_translation, lambda m, p, q, x: translation(m, p, q)(x)),
    "push": (exact_push, lambda m, p, q, x, v: translation(m, p, q).push(x, v)),
    "reflection": (exact_reflection, lambda m, p, a, x: reflection(m, p, a)(x)),
    "point reflection": (exact_point_reflection, lambda m, p, x: point_reflection(m, p)(x)),
    "signed distance": (exact_signed_distance, lambda m, p, a, x: signed_distance(m, x, p, a)),
    "logits": (
        exact_logits,
        lambda m, p, a, x: logits(m, x, p.unsqueeze(-2), a.unsqueeze(-2)).squeeze(-1),
    ),
    "logits by a product": (
        exact_logits,
        lambda m, p, a, x: logits(
            m, x.unsqueeze(-2), p.unsqueeze(-2), a.unsqueeze(-2), matmul=True
        ).flatten(),
    ),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_value_and_derivative_by_curvature_are_exact_through_zero(name):
    definition, function = OPERATIONS[name]
    count = definition.__code__.co_argcount - 1
    arguments = [normal(2, seed=s, length=0.6) for s in range(1, count + 1)]
    chosen = [numbers(a) for a in arguments]
    for k in CURVATURES:
        value, slope = value_and_slope(function, k, *arguments)
        wanted, wanted_slope = exact.at(definition, k, *chosen)
        # No condition number here is above 16.
        size = max(*(abs(c) for c in wanted), mp.mpf("0.6"))
        for a, b in zip(value.tolist(), wanted, strict=True):
            assert abs(mp.mpf(a) - b) <= 16 * U[F64] * size, (k, a, b)
        size = max(*(abs(c) for c in wanted_slope), mp.mpf("0.6"))
        for a, b in zip(slope.tolist(), wanted_slope, strict=True):
            assert abs(mp.mpf(a) - b) <= 64 * U[F64] * size, (k, a, b)


@pytest.mark.parametrize("length", [1e-8, 3e3, 1e7])
def test_what_matters_is_the_curvature_times_the_square_of_a_length(length):
    for share in (-0.3, -1e-9, 0.0, 1e-9, 0.3):
        k = share / length**2
        p, q, x = (normal(2, seed=s, length=0.6 * length) for s in (1, 2, 3))
        scaled = [numbers(y / length) for y in (p, q, x)]
        k_scaled = mp.mpf(k) * mp.mpf(length) ** 2
        for name in ("translation", "signed distance"):
            definition, function = OPERATIONS[name]
            value, slope = value_and_slope(function, k, p, q, x)
            wanted, wanted_slope = exact.at(definition, k_scaled, *scaled)
            for a, b in zip(value.tolist(), wanted, strict=True):
                assert abs(a / length - float(b)) <= 32 * U[F64]
            for a, b in zip(slope.tolist(), wanted_slope, strict=True):
                assert abs(a / length**3 - float(b)) <= 128 * U[F64]


@pytest.mark.parametrize("name", OPERATIONS)
def test_derivatives_by_points_and_curvature_are_those_of_differences(name):
    definition, function = OPERATIONS[name]
    count = definition.__code__.co_argcount - 1
    arguments = [normal(2, seed=s, length=0.6).requires_grad_() for s in range(1, count + 1)]
    for k in (-0.5, 0.0, 0.5):
        space = Stereographic(k)

        def of_space(*a, m=space):
            return function(m, *a)

        assert derivatives_of_differences(of_space, arguments, second=name != "push")


# -- in other charts -----------------------------------------------------------------------------

CHARTS = {-1.0: PoincareBall(-1.0), -0.3: PoincareBall(-0.3), 0.5: Sphere(0.5)}


def there(k, x, v=None):
    """The same point, or vector, on the ball or on the sphere."""
    if k < 0:
        return x if v is None else v
    plane = StereographicPlane(k)
    return convert(x, plane, CHARTS[k]) if v is None else convert_vector(x, v, plane, CHARTS[k])


@pytest.mark.parametrize("k", CHARTS)
def test_they_are_those_of_the_ball_and_the_sphere(k):
    space, chart, r = Stereographic(k), CHARTS[k], abs(k) ** -0.5
    p, q, x = (space.from_normal(normal(40, 3, seed=s, length=r)) for s in (1, 2, 3))
    a, v = (r * normal(40, 3, seed=s) for s in (4, 5))
    p_, q_, x_ = (there(k, y) for y in (p, q, x))
    a_, v_ = there(k, p, a), there(k, x, v)
    turn = torch.linalg.qr(normal(3, 3, seed=6))[0]
    near = {"rtol": 200 * U[F64], "atol": 200 * U[F64] * r}  # all within 3 R: condition below 100
    for one, other in (
        (translation(space, p, q), translation(chart, p_, q_)),
        (reflection(space, p, a), reflection(chart, p_, a_)),
        (point_reflection(space, p), point_reflection(chart, p_)),
        (rotation(space, turn), rotation(chart, turn)),
    ):
        image = one(x)
        torch.testing.assert_close(there(k, image), other(x_), **near)
        torch.testing.assert_close(there(k, image, one.push(x, v)), other.push(x_, v_), **near)
        back = one.inverse()(image)
        torch.testing.assert_close(there(k, back), x_, **near)
    for ask in (signed_distance, lambda *args: logits(*args, matmul=True)):
        torch.testing.assert_close(ask(space, x, p, a), ask(chart, x_, p_, a_), **near)
    torch.testing.assert_close(there(k, recentre(space, x)[0]), recentre(chart, x_)[0], **near)
    base, direction = hyperplane(space, v, a[:, 0])
    base_, direction_ = hyperplane(chart, v, a[:, 0])
    torch.testing.assert_close(there(k, base), base_, **near)
    torch.testing.assert_close(there(k, base, direction), direction_, **near)


@pytest.mark.parametrize("k", [-1.0, -0.3, -1e-8])
def test_horospheres_are_those_of_the_ball_to_the_last_bit(k):
    space, ball = Stereographic(k), PoincareBall(k)
    x, v, xi = 0.5 * normal(20, 3, seed=1, length=1.0), normal(20, 3, seed=2), normal(20, 3, seed=3)
    for ask in (
        lambda m: busemann(m, x, xi),
        lambda m: towards(m, x, xi, 0.7),
        lambda m: horosphere_project(m, x, xi, 0.7),
        lambda m: ideal_point(m, x, v),
    ):
        assert torch.equal(ask(space), ask(ball))
        assert torch.equal(ask(Checked(space)), ask(ball))


def test_horospheres_tend_to_those_of_flat_space_like_the_root_of_the_curvature():
    v, xi = normal(20, 3, seed=1), normal(20, 3, seed=2)
    flat, zero = Euclidean(), Stereographic(0.0)
    for ask in (
        lambda m, x: busemann(m, x, xi),
        lambda m, x: m.to_normal(towards(m, x, xi, 0.7)),
        lambda m, x: m.to_normal(horosphere_project(m, x, xi, 0.7)),
        lambda m, x: ideal_point(m, x, m.transport0(x, m._lift_tangent0(xi))),
    ):
        wanted = ask(flat, flat.from_normal(v))
        limit = ask(zero, zero.from_normal(v))
        torch.testing.assert_close(limit, wanted, rtol=4 * U[F64], atol=4 * U[F64])
        gaps = []
        for k in (-1e-6, -1e-8, -1e-10):
            space = Stereographic(k)
            gaps.append(float((ask(space, space.from_normal(v)) - wanted).abs().max()))
        assert gaps[0] < 20 * math.sqrt(1e-6)
        assert gaps[1] / gaps[0] == pytest.approx(0.1, rel=0.05)
        assert gaps[2] / gaps[1] == pytest.approx(0.1, rel=0.05)


def test_a_learnable_curvature_has_the_busemann_functions_derivative():
    x, xi = normal(3, seed=1, length=0.6), normal(3, seed=2)
    space = Stereographic(-0.7, learnable=True).double()
    (raw,) = space.parameters()
    (slope,) = torch.autograd.grad(busemann(space, x, xi), raw)
    step = 1e-6
    up, down = (busemann(Stereographic(-0.7 + s), x, xi) for s in (step, -step))
    # The quotient's error: a rounding over the step, and its square.
    assert float(slope) == pytest.approx(float(up - down) / (2 * step), rel=1e-8)


# -- for K > 0, near antipodes and infinity ------------------------------------------------------


@pytest.mark.parametrize("k", [0.5, 4.0])
def test_antipodes_are_points_like_others(k):
    space = Stereographic(k)
    p, q, a = (normal(3, seed=s) for s in (1, 2, 3))

    def antipode(x):
        return -x / (k * (x * x).sum(-1, keepdim=True))

    kinds = (translation(space, p, q), reflection(space, p, a), point_reflection(space, p))
    for g in (*kinds, kinds[0] @ kinds[1]):
        torch.testing.assert_close(g(antipode(p)), antipode(g(p)), rtol=64 * U[F64], atol=0)
        # The differential there, where logarithms jump, by the chain rule.
        wanted = torch.func.jacrev(lambda x, g=g: antipode(g(antipode(x))))(antipode(p))
        found = torch.func.jacrev(g)(antipode(p))
        torch.testing.assert_close(found, wanted, rtol=0, atol=256 * U[F64] * float(wanted.norm()))


@pytest.mark.parametrize("dtype", [F64, F32])
def test_what_goes_to_infinity_stops_at_the_edge(dtype):
    space = Stereographic(1.0)
    p, o = normal(3, seed=1, dtype=dtype), torch.zeros(3, dtype=dtype)
    antipode = -p / (p * p).sum()
    image = translation(space, p, o)(antipode)
    assert space.is_point(image)
    # The rounding of the antipode is a distance from it, whose inverse this is.
    assert float(image.norm()) > 0.1 / U[dtype]
    back = translation(space, o, p)(image)
    torch.testing.assert_close(back, antipode, rtol=64 * U[dtype], atol=0)


@pytest.mark.parametrize("kind", ["anywhere", "x near the antipode of p", "q near p"])
@pytest.mark.parametrize("dtype", [F64, F32])
def test_far_beyond_the_equator_images_are_right_to_sixteen_units_of_their_condition(dtype, kind):
    space = Stereographic(1.0)
    model = ambient.Model(space)
    size = 10 ** torch.linspace(-4, 4, 6, dtype=F64)
    for seed in range(6):
        turns = [size.roll(seed + 2 * i)[0] for i in range(3)]  # near the origin, and near infinity
        p, q, x = (normal(3, seed=seed + 9 * i, length=r) for i, r in enumerate(turns))
        nudge = 1 + 1e-3 * normal(3, seed=seed + 40)
        if kind == "q near p":
            q = p * nudge
        if kind == "x near the antipode of p":
            x = -p / (p * p).sum() * nudge
        p, q, x, a = (y.to(dtype) for y in (p, q, x, normal(3, seed=seed + 50)))
        for definition, arguments, value in (
            (ambient.translation, (p, q, x), translation(space, p, q)(x)),
            (ambient.point_reflection, (p, x), point_reflection(space, p)(x)),
            (ambient.reflection, (p, a, x), reflection(space, p, a)(x)),
            (ambient.signed_distance, (x, p, a), signed_distance(space, x, p, a)),
        ):
            off, condition, _ = ambient.units(model, definition, arguments, value, U[dtype])
            # A logarithm, a gyration and an exponential, each of which may take eight: next to
            # infinity translations are seen to take twelve.
            if condition * U[dtype] < 1e-3:
                assert off <= 16, definition.__name__
