"""Charts: points and tangent vectors between all of them, against definitions at many digits."""

import itertools
import math

import mpmath as mp
import pytest
import sympy as sp
import torch

from spaceforms.manifolds import (
    Checked,
    Euclidean,
    HalfSpace,
    Hemisphere,
    Klein,
    Lorentz,
    NormalCoordinates,
    PoincareBall,
    Sphere,
    StereographicPlane,
    convert,
    convert_vector,
)
from spaceforms.validation.symbolic import chart_metrics as symbolic
from spaceforms.validation.symbolic.isometries import ISOMETRIES, R

DIGITS = 560  # of a double's exponent at the far edge, squared and differenced
HYPERBOLIC = {
    "Lorentz": Lorentz,
    "PoincareBall": PoincareBall,
    "Klein": Klein,
    "HalfSpace": HalfSpace,
    "Hemisphere": Hemisphere,
    "Normal": NormalCoordinates,
}
SPHERICAL = {
    "Sphere": Sphere,
    "Stereographic": StereographicPlane,
    "Gnomonic": Klein,
    "Normal": NormalCoordinates,
}
SIDES = {-1: HYPERBOLIC, 1: SPHERICAL}
PAIRS = [
    pytest.param(sign, a, b, id=f"{sign:+d} {a} {b}")
    for sign, charts in SIDES.items()
    for a, b in itertools.permutations(charts, 2)
]
each_pair = pytest.mark.parametrize(("sign", "a", "b"), PAIRS)
# Distances from the origin in R that a chart of the dtype holds, with a little to spare.
REACH = {
    torch.float32: {"PoincareBall": 15.8, "Klein": 7.9, "Gnomonic": 1.57, -1: 27.9, 1: 3.14},
    torch.float64: {"PoincareBall": 35.9, "Klein": 17.9, "Gnomonic": 1.57, -1: 235, 1: 3.1415},
}
RADII = {-1: [1e-12, 1e-4, 0.3, 0.88, 1.3, 7.8, 15.5, 27.5, 230], 1: [1e-12, 0.3, 0.93, 1.55, 3.13]}
POLE = torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64)


# -- definitions at many digits: coordinates of a chart to the embedded point, and back ------------


def numbers(x):
    return [mp.mpf(float(c)) for c in x]


def dot(a, b):
    return mp.fsum(p * q for p, q in zip(a, b, strict=True))


def norm(a):
    return mp.sqrt(dot(a, a))


def embedded(sign, name, c):
    """(t, s) with t^2 - K |s|^2 = 1."""
    square = dot(c, c)
    if name in ("Lorentz", "Hemisphere"):
        s = c[1:] if name == "Lorentz" else [a / c[0] for a in c[1:]]
        return [mp.sqrt(1 + dot(s, s)), *s]
    if name == "Sphere":
        return [a / mp.sqrt(square) for a in c]
    if name in ("PoincareBall", "Stereographic"):
        gap = 1 + sign * square
        return [(1 - sign * square) / gap] + [2 * a / gap for a in c]
    if name in ("Klein", "Gnomonic"):
        gap = mp.sqrt(1 + sign * square)
        return [1 / gap] + [a / gap for a in c]
    if name == "HalfSpace":
        h = c[-1]
        return [(square + 1) / (2 * h)] + [a / h for a in c[:-1]] + [(square - 1) / (2 * h)]
    r = mp.sqrt(square)
    sn, cs = (mp.sinh(r), mp.cosh(r)) if sign < 0 else (mp.sin(r), mp.cos(r))
    return [cs] + [a * (sn / r if r else 1) for a in c]


def dropped(sign, name, e):
    t, s = e[0], e[1:]
    if name in ("Lorentz", "Sphere"):
        return e
    if name in ("PoincareBall", "Stereographic"):
        return [a / (1 + t) for a in s]
    if name in ("Klein", "Gnomonic"):
        return [a / t for a in s]
    if name == "Hemisphere":
        return [1 / t] + [a / t for a in s]
    if name == "HalfSpace":
        return [a / (t - s[-1]) for a in s[:-1]] + [1 / (t - s[-1])]
    sn = norm(s)
    r = mp.asinh(sn) if sign < 0 else mp.atan2(sn, t)
    return [a * (r / sn if sn else 1) for a in s]


def point(sign, a, b, c):
    return dropped(sign, b, embedded(sign, a, c))


def vector(sign, a, b, c, v):
    """The differential by a central difference that has digits to lose."""
    step = mp.mpf(10) ** -110 / norm(v) * min(abs(x) for x in c if x)
    ahead, behind = (
        point(sign, a, b, [x + k * step * y for x, y in zip(c, v, strict=True)]) for k in (1, -1)
    )
    return [(p - q) / (2 * step) for p, q in zip(ahead, behind, strict=True)]


def condition(function, arguments, exact, free):
    """Sum over coordinates of the change of the result by a relative change of one."""
    total, small = mp.mpf(0), mp.mpf(10) ** -50
    for i, argument in enumerate(arguments):
        for j in range(free, len(argument)):
            moved = [list(argument) for argument in arguments]
            moved[i][j] *= 1 + small
            total += norm([p - q for p, q in zip(function(*moved), exact, strict=True)]) / small
    return total


def situations(sign, a, b, dtype):
    """(chart's point, chart's vector) with directions generic, along and near the last axis."""
    reach = min(REACH[dtype].get(name, REACH[dtype][sign]) for name in (a, b))
    generator = torch.Generator().manual_seed(0)
    for i, r in enumerate(RADII[sign]):
        for k in range(5 if r < reach else 0):
            d = torch.randn(3, generator=generator, dtype=torch.float64)
            d = [d, POLE, -POLE, 1e-3 * d + POLE, 1e-6 * d + POLE.roll(1)][k]
            d = d / d.norm()
            w = torch.randn(3, generator=generator, dtype=torch.float64)
            w = [w, w - (w @ d) * d, d][(k + i) % 3]  # in general, across and along the ray
            n = numbers(r * d)
            at_origin = "Normal"
            x = torch.tensor([float(c) for c in point(sign, at_origin, a, n)], dtype=dtype)
            v = vector(sign, at_origin, a, n, numbers(w))
            yield x, torch.tensor([float(c) for c in v], dtype=dtype)


@pytest.mark.parametrize(
    "dtype", [pytest.param(torch.float32, marks=pytest.mark.slow), torch.float64]
)
@each_pair
def test_points_and_vectors_are_those_of_the_definition(sign, a, b, dtype):
    u = torch.finfo(dtype).eps / 2
    source, target = SIDES[sign][a](float(sign)), SIDES[sign][b](float(sign))
    with mp.workdps(DIGITS):
        for x, v in situations(sign, a, b, dtype):
            free = 1 if a == "Lorentz" else 0
            c, w = numbers(x), numbers(v)
            results = [
                (convert(x, source, target), point, [c]),
                (convert_vector(x, v, source, target), vector, [c, w]),
            ]
            for result, function, arguments in results:

                def f(*z, function=function):
                    return function(sign, a, b, *z)

                exact = f(*arguments)
                error = norm([p - q for p, q in zip(numbers(result), exact, strict=True)])
                bound = 8 * u * (norm(exact) + condition(f, arguments, exact, free))
                assert error <= bound, (x, function.__name__, float(error / bound))


# -- without the definitions ---------------------------------------------------------------------


def sample(sign, name, curvature, *, seed=0, count=6, spread=1.0):
    """Points and vectors of a chart, from normal coordinates."""
    generator = torch.Generator().manual_seed(seed)
    n = spread * torch.randn(count, 3, generator=generator, dtype=torch.float64)
    n = n / (1 + n.norm(dim=-1, keepdim=True)) if sign > 0 else n  # in the hemisphere
    w = torch.randn(count, 3, generator=generator, dtype=torch.float64)
    chart, normal = SIDES[sign][name](curvature), NormalCoordinates(curvature)
    return chart, convert(n, normal, chart), convert_vector(n, w, normal, chart)


@each_pair
def test_vectors_are_the_differential_of_points(sign, a, b):
    curvature = -0.3 if sign < 0 else 0.7
    source, x, v = sample(sign, a, curvature)
    target = SIDES[sign][b](curvature)
    y, w = torch.func.jvp(lambda x: convert(x, source, target), (x,), (v,))
    assert torch.equal(y, convert(x, source, target))
    # Klein coordinates of a point at distance r have the condition number cosh(r)^2.
    torch.testing.assert_close(convert_vector(x, v, source, target), w, rtol=1e-11, atol=1e-11)


def in_chart(form, curvature, x, u, v):
    """u.G(x).v with the symbolic metric of the derivations."""
    symbols = symbolic.coordinates(x.shape[-1])
    matrix = sp.lambdify(symbols, form(symbols).subs(symbolic.K, curvature).tolist(), "math")
    return torch.stack(
        [
            p @ torch.tensor(matrix(*c.tolist()), dtype=x.dtype) @ q
            for c, p, q in zip(x, u, v, strict=True)
        ]
    )


@pytest.mark.parametrize(
    ("sign", "name", "derived"),
    [
        (-1, "Lorentz", "ball to graph"),
        (-1, "Klein", "ball to Klein"),
        (-1, "HalfSpace", "ball to half-space"),
        (-1, "Hemisphere", "ball to hemisphere"),
        (1, "Sphere", "ball to graph"),
        (1, "Gnomonic", "ball to Klein"),
    ],
)
def test_the_map_is_the_one_that_was_proven_to_be_an_isometry(sign, name, derived):
    curvature = 0.25 * sign  # R = 2
    source = PoincareBall(curvature) if sign < 0 else StereographicPlane(curvature)
    _, x, _ = sample(sign, "PoincareBall" if sign < 0 else "Stereographic", curvature)
    symbols = symbolic.coordinates(3)
    image = sp.Matrix(ISOMETRIES[derived][2](symbols)).subs({symbolic.K: curvature, R: 2})
    proven = sp.lambdify(symbols, list(image), "math")
    expected = torch.tensor([proven(*c.tolist()) for c in x], dtype=x.dtype)
    found = convert(x, source, SIDES[sign][name](curvature))
    graph = found[:, 1:] if derived == "ball to graph" else found
    torch.testing.assert_close(graph, expected, rtol=1e-12, atol=1e-13)


def hemisphere(curvature, x, u, v):
    return (u * v).sum(-1) / (-curvature * x[:, 0] ** 2)


@pytest.mark.parametrize(
    ("sign", "name", "metric"),
    [
        (-1, "Klein", symbolic.klein),
        (-1, "HalfSpace", symbolic.half_space),
        (-1, "PoincareBall", symbolic.ball),
        (-1, "Hemisphere", None),
        (1, "Gnomonic", symbolic.klein),
        (1, "Stereographic", symbolic.ball),
    ],
)
def test_the_metric_that_was_derived_for_the_chart_is_kept(sign, name, metric):
    curvature = -0.6 if sign < 0 else 0.6
    chart, x, u = sample(sign, name, curvature, seed=1)
    v = u.roll(1, 0).roll(1, -1)
    if name == "Hemisphere":
        v = v - (x * v).sum(-1, keepdim=True) * -curvature * x
    space = Lorentz(curvature) if sign < 0 else Sphere(curvature)
    expected = space.inner(
        convert(x, chart, space),
        convert_vector(x, u, chart, space),
        convert_vector(x, v, chart, space),
    )
    form = hemisphere if metric is None else lambda *args: in_chart(metric, *args)
    torch.testing.assert_close(form(curvature, x, u, v), expected, rtol=1e-11, atol=1e-11)


def test_two_models_of_the_same_points_have_the_same_distances_and_geometry():
    ball, space = PoincareBall(-0.4), Lorentz(-0.4)
    x, y = (
        convert(sample(-1, "HalfSpace", -0.4, seed=k)[1], HalfSpace(-0.4), ball) for k in (1, 2)
    )
    there = [convert(z, ball, space) for z in (x, y)]
    torch.testing.assert_close(ball.dist(x, y), space.dist(*there), rtol=1e-12, atol=0)
    v = convert_vector(x, ball.logmap(x, y), ball, space)
    torch.testing.assert_close(v, space.logmap(*there), rtol=1e-11, atol=1e-11)
    assert space.is_tangent(there[0], v).all()


def test_geodesics_are_straight_in_klein_and_gnomonic_coordinates():
    for space in (Lorentz(-0.5), Sphere(0.5)):
        v = torch.tensor([[0.3, 0.8, -0.2], [-0.9, 0.1, 0.4]], dtype=torch.float64)
        x, y = space.from_normal(v)
        t = torch.linspace(-0.5, 1.5, 9, dtype=torch.float64)
        path = convert(space.geodesic(x, y, t), space, Klein(space))
        lines = path[1:] - path[0]
        directions = lines / lines.norm(dim=-1, keepdim=True)
        assert (directions - directions[0]).abs().max() < 1e-14


def test_a_dilation_of_the_half_space_is_an_isometry():
    space, chart = Lorentz(-2.0), HalfSpace(-2.0)
    x, y = (sample(-1, "HalfSpace", -2.0, seed=k)[1] for k in (3, 4))
    before, after = (
        space.dist(convert(c * x, chart, space), convert(c * y, chart, space)) for c in (1.0, 7.0)
    )
    torch.testing.assert_close(before, after, rtol=1e-12, atol=0)


def test_the_hemisphere_lies_on_the_sphere_above_the_klein_ball():
    chart, x, v = sample(-1, "Hemisphere", -0.25)
    sphere = Sphere(0.25)
    assert sphere.is_point(x).all()
    assert sphere.is_tangent(x, v).all()
    klein = convert(x, chart, Klein(-0.25))
    torch.testing.assert_close(x[:, 1:], klein, rtol=1e-13, atol=0)
    # From the equator's point (0, ..., 0, -R) the sphere's projection gives the half-space.
    flat = convert(x, chart, HalfSpace(-0.25))
    share = 2 / (2 - x[:, -1:])  # onto the plane through the centre, R = 2
    expected = torch.cat([x[:, 1:-1], x[:, :1]], dim=-1) * share
    torch.testing.assert_close(flat, expected, rtol=1e-12, atol=1e-12)


@each_pair
def test_the_origin_goes_to_the_origin_and_the_axes_there_to_the_axes(sign, a, b):
    curvature = 4.0 * sign
    normal = NormalCoordinates(curvature)
    source, target = SIDES[sign][a](curvature), SIDES[sign][b](curvature)
    zero, axes = torch.zeros(3), torch.eye(3)
    x, u = convert(zero, normal, source), convert_vector(zero, axes, normal, source)
    y, v = convert(zero, normal, target), convert_vector(zero, axes, normal, target)
    assert torch.equal(convert(x, source, target), y)
    torch.testing.assert_close(convert_vector(x, u, source, target), v, rtol=1e-7, atol=0)


def test_heights_near_the_origins_keep_their_digits():
    x = torch.tensor([0.0, 1 + 3 * 2.0**-30], dtype=torch.float64)
    height = convert(x, HalfSpace(-1.0), NormalCoordinates(-1.0))[1].item()
    assert abs(height / math.log1p(3 * 2.0**-30) - 1) < 4 * torch.finfo(torch.float64).eps


def test_a_flat_space_is_its_own_normal_coordinates():
    x, v = torch.tensor([1.0, 2.0]), torch.tensor([3.0, -1.0])
    flat, normal = Euclidean(), NormalCoordinates(0.0)
    assert torch.equal(convert(x, flat, normal), x)
    assert torch.equal(convert_vector(x, v, normal, flat), v)


def test_the_sphere_beyond_the_equator_is_seen_from_the_antipode_only():
    space = Sphere(1.0)
    x = space.from_normal(torch.tensor([[0.0, 3.0], [2.0, 0.0]], dtype=torch.float64))
    plane = convert(x, space, StereographicPlane(1.0))
    expected = torch.tensor([[0.0, math.tan(1.5)], [math.tan(1.0), 0.0]], dtype=torch.float64)
    torch.testing.assert_close(plane, expected, rtol=1e-14, atol=1e-14)
    gnomonic = convert(x, space, Klein(1.0))
    assert gnomonic.isfinite().all()
    edge = convert(gnomonic, Klein(1.0), space)
    assert (edge[:, 0] < 1e-15).all()
    antipode = torch.tensor([-1.0, 0.0, 0.0])
    for chart in (StereographicPlane(1.0), Klein(1.0), NormalCoordinates(1.0)):
        assert convert(antipode, space, chart).isfinite().all()


# -- edges, dtypes, torch ------------------------------------------------------------------------

TABLE = {  # the docstring of convert
    "Lorentz": (11, 28, 28, 236),
    "HalfSpace": (9.0, 28, 28, 236),
    "Hemisphere": (10, 28, 28, 236),
    "PoincareBall": (6.5, 4.4, 15.5, 35.6),
    "Klein": (3.3, 2.2, 7.8, 17.8),
}
DTYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


@pytest.mark.parametrize("k", range(4))
@pytest.mark.parametrize("name", TABLE)
def test_a_chart_reaches_as_far_as_the_table_says_and_no_point_leaves_it(name, k):
    dtype, chart, normal = DTYPES[k], HYPERBOLIC[name](-1.0), NormalCoordinates(-1.0)
    axes = torch.cat([torch.eye(3), -torch.eye(3)]).to(dtype)
    ends = convert(3e4 * axes, normal, chart)
    assert ends.isfinite().all()
    reached = convert(ends.double(), chart, normal).norm(dim=-1)
    # The edge itself has the rounding of the dtype: half of |x| on the ball at its limit.
    torch.testing.assert_close(
        reached, torch.full_like(reached, TABLE[name][k]), rtol=0.03, atol=0.25
    )
    inner = convert(0.9 * TABLE[name][k] * axes, normal, chart)
    for other in HYPERBOLIC.values():
        assert convert(inner, chart, other(-1.0)).isfinite().all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_coordinates_of_any_size_in_the_half_space_are_points_of_every_chart(dtype):
    info = torch.finfo(dtype)
    sizes = [0.0, info.tiny, 1.0, info.max / 2, -info.max / 2]
    heights = [info.tiny, info.eps, 1.0, info.max / 2]
    x = torch.tensor(list(itertools.product(sizes, heights)), dtype=dtype)
    half_space, space = HalfSpace(-1.0), Lorentz(-1.0)
    for kind in HYPERBOLIC.values():
        assert convert(x, half_space, kind(-1.0)).isfinite().all()
    assert space.is_point(convert(x, half_space, space)).all()


@each_pair
def test_half_precision_is_computed_in_float32(sign, a, b):
    _, x, v = sample(sign, a, float(sign), spread=0.5)
    source, target = SIDES[sign][a](float(sign)), SIDES[sign][b](float(sign))
    for dtype in (torch.bfloat16, torch.float16):
        x16, v16 = x.to(dtype), v.to(dtype)
        y, w = convert(x16, source, target), convert_vector(x16, v16, source, target)
        assert torch.equal(y, convert(x16.float(), source, target).to(dtype))
        assert torch.equal(w, convert_vector(x16.float(), v16.float(), source, target).to(dtype))
    assert convert_vector(x16, v, source, target).dtype == torch.float64


@each_pair
def test_gradients_are_finite_at_the_origin_and_right_elsewhere(sign, a, b):
    curvature = float(sign)
    source, target = SIDES[sign][a](curvature), SIDES[sign][b](curvature)
    normal = NormalCoordinates(curvature)
    n = torch.tensor([[0.0, 0.0, 0.0], [1e-30, 0.0, 0.0], [0.3, 0.5, -0.2], [0.9, -0.4, 1.1]])
    n = n.double()
    w = torch.ones_like(n)
    x = convert(n, normal, source).requires_grad_()
    v = convert_vector(n, w, normal, source).requires_grad_()
    gradients = torch.autograd.grad(convert_vector(x, v, source, target).sum(), (x, v))
    assert all(g.isfinite().all() for g in gradients)
    far = (x[2:].detach().requires_grad_(), v[2:].detach().requires_grad_())
    torch.autograd.gradcheck(lambda x, v: convert_vector(x, v, source, target), far)
    torch.autograd.gradcheck(lambda x: convert(x, source, target), far[:1])


@each_pair
def test_gradients_in_float32_are_those_of_float64_up_to_their_condition(sign, a, b):
    u = torch.finfo(torch.float32).eps / 2
    source, target = SIDES[sign][a](float(sign)), SIDES[sign][b](float(sign))
    reach = min(REACH[torch.float32].get(name, REACH[torch.float32][sign]) for name in (a, b))
    generator = torch.Generator().manual_seed(3)

    def gradient(x, c):
        x = x.requires_grad_()
        return torch.autograd.grad((convert(x, source, target) * c).sum(), x)[0].double()

    for r in (1e-6, 0.5, 0.95, 1.4, 2.9, 7.0, 15.0, 25.0):
        if r > reach:
            continue
        v = torch.randn(20, 3, generator=generator, dtype=torch.float64)
        v = r * v / v.norm(dim=-1, keepdim=True)
        x = convert(v, NormalCoordinates(float(sign)), source).float()
        c = torch.randn(target.ambient_dim(3), generator=generator)
        found, exact = gradient(x.clone(), c), gradient(x.double(), c.double())
        # Of the gradient under relative changes of each coordinate of the point and of c.
        condition = exact.norm(dim=-1)
        for j in range(x.shape[-1]):
            step = 1e-6 * torch.eye(x.shape[-1], dtype=torch.float64)[j]
            ends = [gradient(x.double() * (1 + k * step), c.double()) for k in (1, -1)]
            condition = condition + (ends[0] - ends[1]).norm(dim=-1) / 2e-6
        for part in torch.diag(c.double()):
            condition = condition + gradient(x.double(), part).norm(dim=-1)
        assert ((found - exact).norm(dim=-1) <= 32 * u * condition).all(), r


def test_a_learned_curvature_is_shared_and_differentiated():
    space = PoincareBall(-0.7, learnable=True)
    x = torch.tensor([0.3, -0.4], dtype=torch.float64)
    chart = HalfSpace(space)
    convert(x, space, chart).sum().backward()

    def at(curvature):
        return convert(x, PoincareBall(curvature), HalfSpace(curvature)).sum().item()

    step = 1e-6
    # The parameter is log(K/K_0): dK = K d(raw).
    slope = (at(-0.7 * (1 + step)) - at(-0.7 * (1 - step))) / (2 * step)
    raw = next(space.parameters())
    assert abs(raw.grad.item() - slope) < 1e-6  # float32 parameter, difference of that step
    assert chart.curvature.requires_grad


def test_conversions_trace_and_broadcast():
    ball = PoincareBall(-0.5)
    chart = HalfSpace(ball)
    x = torch.rand(4, 1, 3, dtype=torch.float64) / 2
    v = torch.rand(5, 3, dtype=torch.float64)
    whole = convert_vector(x, v, ball, chart)
    assert whole.shape == (4, 5, 3)
    compiled = torch.compile(
        lambda x, v: convert_vector(x, v, ball, chart), fullgraph=True, backend="eager"
    )
    assert torch.equal(compiled(x, v), whole)
    rows = torch.func.vmap(lambda x: convert(x, ball, chart))(x[:, 0])
    assert torch.equal(rows, convert(x[:, 0], ball, chart))


def test_the_line_and_its_half_line():
    x = torch.tensor([[2.0], [0.5]])
    chart, normal = HalfSpace(-1.0), NormalCoordinates(-1.0)
    torch.testing.assert_close(convert(x, chart, normal), x.log())
    v = convert_vector(x, x, chart, normal)
    torch.testing.assert_close(v, torch.ones(2, 1))


# -- bad input -----------------------------------------------------------------------------------

X = torch.tensor([0.1, 0.2])


@pytest.mark.parametrize(
    ("call", "kind", "sentence"),
    [
        (lambda: HalfSpace(1.0), ValueError, r"HalfSpace: curvature is 1\.0; expected a negative"),
        (lambda: HalfSpace(Sphere(1.0)), ValueError, r"expected a negative sectional"),
        (lambda: Klein(0.0), ValueError, r"Klein: curvature is 0\.0; .*negative or positive"),
        (lambda: Klein(float("nan")), ValueError, r"Klein: curvature is nan"),
        (lambda: StereographicPlane(-1.0), ValueError, r"expected a positive sectional"),
        (lambda: Klein("flat"), TypeError, r"Klein: curvature is a str; expected a number"),
        (
            lambda: convert(X, PoincareBall(-1.0), Klein(-2.0)),
            ValueError,
            r"convert: source is PoincareBall\(curvature=-1\) and target is "
            r"Klein\(curvature=-2\); expected one curvature",
        ),
        (
            lambda: convert(X, PoincareBall(-1.0, learnable=True), Klein(-1.0)),
            ValueError,
            r"Klein\(manifold\), to share",
        ),
        (lambda: convert(X, Klein(), Klein(1.0)), ValueError, r"expected one curvature"),
        (lambda: convert(X, Klein(), "ball"), TypeError, r"target is a str; expected a Chart"),
        (lambda: convert([0.1], Klein(), Lorentz()), TypeError, r"convert: x is a list"),
        (lambda: convert(X[:1], Lorentz(), Klein()), ValueError, r"at least 2 coordinates"),
        (
            lambda: convert_vector(X, torch.ones(3), Klein(), Lorentz()),
            ValueError,
            r"convert_vector: v has shape \(3,\) and x has shape \(2,\)",
        ),
        (
            lambda: convert(2 * torch.ones(2), Checked(PoincareBall()), Klein()),
            ValueError,
            r"PoincareBall\.convert: x has 1 of 1 points off the manifold",
        ),
    ],
)
def test_bad_input_gets_a_sentence(call, kind, sentence):
    with pytest.raises(kind, match=sentence):
        call()


def test_the_same_coordinates_come_back_as_they_are():
    for chart in (Klein(), HalfSpace(), Lorentz()):
        assert convert(X, chart, chart) is X
    assert repr(Klein(Lorentz(-0.5))) == "Klein(curvature=-0.5)"
    assert HalfSpace().ambient_dim(3) == 3
    assert Hemisphere().ambient_dim(3) == 4
