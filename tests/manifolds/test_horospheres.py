"""Busemann functions by the limit that defines them, horospheres by their distance."""

import math

import exact
import mpmath as mp
import pytest
import reference
import torch
from cases import CASES, derivatives_of_differences, normals, points, radius, tangent, thinned

from spaceforms.manifolds import (
    Checked,
    Euclidean,
    Lorentz,
    PoincareBall,
    Sphere,
    Stereographic,
    busemann,
    horosphere_distance,
    horosphere_project,
    ideal_point,
    towards,
    translation,
)

F64, F32 = torch.float64, torch.float32
U = {F64: 2.0**-53, F32: 2.0**-24}
OPEN = {name: m for name, m in CASES.items() if m.sign <= 0}
MODELS = {
    "Euclidean": Euclidean(),
    "Ball": PoincareBall(),
    "Lorentz": Lorentz(),
    "Stereographic(-1)": Stereographic(-1.0),
    "Stereographic(0)": Stereographic(0.0),
}


@pytest.fixture(params=thinned(OPEN))
def space(request):
    return OPEN[request.param]


def directions(*size, seed=7, dtype=F64):
    generator = torch.Generator().manual_seed(seed)
    v = torch.randn(*size, generator=generator, dtype=F64)
    return (v / v.norm(dim=-1, keepdim=True)).to(dtype)


def rounding(manifold, *x):
    """What rounding the coordinates of points does to a length: u times exp(r), in the radius."""
    if manifold.sign == 0:
        return U[F64] * 8
    far = max(float(manifold.to_normal(y).detach().norm(dim=-1).max()) for y in x)
    return U[F64] * math.exp(far / radius(manifold)) * radius(manifold)


def test_the_busemann_function_is_the_limit_of_distance_less_time(space):
    x, ideal = points(space, 8, 3, seed=1), directions(8, 3)
    scale = mp.sqrt(abs(mp.mpf(float(space.curvature.detach())))) or mp.mpf(1)
    for a, xi in zip(x, ideal, strict=True):
        n = reference.numbers(xi)
        n = [c / exact.size(n) for c in n]
        time = mp.mpf(1000)
        if space.sign == 0:
            with mp.workdps(150):
                far = mp.mpf(10) ** 60
                share = 2 if isinstance(space, Stereographic) else 1  # points are half of vectors
                gap = exact.combined((share, reference.numbers(a)), (-far, n))
                limit = exact.size(gap) - far * exact.size(n)
        else:
            s = reference.hyperboloid(space, a)
            product = s[0] * mp.cosh(time) - exact.dot(s[1:], n) * mp.sinh(time)
            limit = (mp.acosh(product) - time) / scale
        value = busemann(space, a, xi)
        # Rounding of x counts exp(r) times.
        assert abs(value.detach().item() - float(limit)) <= 16 * rounding(space, a)


@pytest.mark.parametrize("kind", ["any", "axis", "ray", "behind"])
@pytest.mark.parametrize("far", [False, True])
@pytest.mark.parametrize("dtype", [F64, F32])
@pytest.mark.parametrize("name", MODELS)
def test_values_are_right_to_eight_units_of_what_their_condition_allows(name, dtype, far, kind):
    manifold = MODELS[name]
    model = exact.Model(manifold)
    edge = {("Lorentz", F64): 100.0, ("Lorentz", F32): 20.0, ("Ball", F64): 14.0}
    r = edge.get((name, dtype), 7.0) if far else 1.4
    generator = torch.Generator().manual_seed(3)
    length = r * torch.rand(8, 1, generator=generator, dtype=F64)
    ideal = directions(8, 3, dtype=dtype)
    v = length * directions(8, 3, seed=8)
    if kind == "axis":
        ideal = torch.eye(3, dtype=dtype)[[0] * 8]
        v[1::2] = v[1::2] * torch.tensor([1, 1e-4, 1e-9], dtype=F64)
    if kind in ("ray", "behind"):
        v = (1 if kind == "ray" else -1) * length * ideal.double()
    x = manifold.from_normal(v).to(dtype)
    t = (r * torch.randn(8, 1, generator=generator, dtype=F64)).to(dtype)
    longest = {"Lorentz": 2.0 ** (339 if dtype == F64 else 39), "Ball": 1 - 8 * U[dtype]}
    w = tangent(manifold, x, directions(8, 3, seed=9).to(dtype))
    for a, xi, c, b in zip(x, ideal, t, w, strict=True):
        end = ideal_point(manifold, a, b).tolist()
        off, condition, _ = exact.units(model, exact.ideal_point, (a, b), end, U[dtype])
        # Coordinates of a vector at x have no lateral digits left where x is as long as this.
        assert off <= 8 or max(condition, float(a.norm())) * U[dtype] > 1e-3
        results = [
            (exact.busemann, [], busemann(manifold, a, xi)),
            (exact.towards, [c.tolist()], towards(manifold, a, xi, c[0])),
            (exact.horosphere_project, [c.tolist()], horosphere_project(manifold, a, xi, c[0])),
            (exact.horosphere_project, [[0.0]], horosphere_project(manifold, a, xi, 0.0)),
        ]
        for function, more, value in results:
            off, condition, size = exact.units(
                model, function, [a, xi.tolist(), *more], value, U[dtype]
            )
            # Not where an image is pulled back to the edge, nor where there is no condition number,
            # a rounding of an input being as large as what it changes.
            inside = value.ndim == 0 or size < longest.get(name, math.inf)
            if inside and condition * size * U[dtype] < 1e-3 * max(size, 1.0):
                assert off <= 8, function.__name__


def test_it_is_zero_at_the_origin_and_minus_the_distance_on_the_ray(space):
    xi = directions(10, 3)
    assert busemann(space, space.origin(3, dtype=F64), xi).abs().max() == 0
    for r in (1e-9, 0.1, 1.0, 5.0):
        x = space.from_normal(r * radius(space) * xi)
        value = busemann(space, x, xi)
        torch.testing.assert_close(
            value, -space.dist(x, space.origin(3, dtype=F64)), rtol=1e-11, atol=0
        )


def test_it_is_one_lipschitz_with_a_gradient_of_norm_one(space):
    x, y, xi = points(space, 30, 3, seed=1), points(space, 30, 3, seed=2), directions(30, 3)
    change = (busemann(space, x, xi) - busemann(space, y, xi)).abs()
    assert (change <= space.dist(x, y) + 8 * rounding(space, x, y)).all()
    x.requires_grad_()
    (g,) = torch.autograd.grad(busemann(space, x, xi).sum(), x)
    norm = space.norm(x, space.egrad2rgrad(x, g))
    assert ((norm - 1).abs() <= 32 * rounding(space, x) / radius(space)).all()


@pytest.mark.parametrize("name", ["Lorentz(-1)", "Lorentz(-0.3)", "Euclidean"])
def test_an_isometry_takes_ideal_points_along_as_its_matrix_does(name):
    space = CASES[name]
    g = translation(space, points(space, 3, seed=1), points(space, 3, seed=2))
    x = points(space, 30, 3, seed=3)
    v = tangent(space, x, directions(30, 3))
    # The ideal point is the end of the ray through (1, xi), a null vector; g is linear on those.
    null = torch.cat([torch.ones(30, 1, dtype=F64), ideal_point(space, x, v)], dim=-1)
    wanted = (null @ g.matrix().mT)[:, 1:] if space.sign else null[:, 1:]
    wanted = wanted / wanted.norm(dim=-1, keepdim=True)
    image = ideal_point(space, g(x), g.push(x, v))
    assert ((image - wanted).norm(dim=-1) <= 64 * rounding(space, x, g(x)) / radius(space)).all()


def test_isometries_change_it_by_a_constant(space):
    g = translation(space, points(space, 3, seed=1), points(space, 3, seed=2, spread=0.6))
    x, o = points(space, 30, 3, seed=3, spread=0.7), space.origin(3, dtype=F64)
    xi = directions(3)
    image = ideal_point(space, g(o), g.push(o, tangent(space, o, xi)))
    change = busemann(space, g(x), image) - busemann(space, x, xi)
    allowed = 64 * rounding(space, x, g(x))
    assert (change - change.mean()).abs().max() <= allowed
    # The constant is its value where the origin goes.
    assert abs(change[0] - busemann(space, g(o), image)) <= allowed


def test_a_ray_ends_in_its_ideal_point(space):
    x, v = points(space, 20, 3, seed=1, spread=0.7), normals(space, 20, 3, seed=2)
    v = tangent(space, x, v)
    xi = ideal_point(space, x, v)
    assert ((xi.norm(dim=-1) - 1).abs() <= 4 * U[F64]).all()
    unit = v / space.norm(x, v).unsqueeze(-1)
    for t in (0.1 * radius(space), 3 * radius(space)):
        y, z = space.expmap(x, t * unit), towards(space, x, xi, t)
        assert (space.dist(y, z) <= 32 * rounding(space, x, y)).all()
    # Of the direction from x to xi it is xi.
    xi = directions(20, 3)
    back = ideal_point(space, x, space.logmap(x, towards(space, x, xi, radius(space))))
    assert ((back - xi).norm(dim=-1) <= 32 * rounding(space, x) / radius(space)).all()


def test_lorentz_and_ball_agree():
    x, xi = normals(Lorentz(-0.3), 30, 3, seed=1), directions(30, 3)
    values, places = [], []
    for space in (Lorentz(-0.3), PoincareBall(-0.3)):
        y = space.from_normal(x)
        values.append(busemann(space, y, xi))
        places.append(space.to_normal(horosphere_project(space, y, xi, 0.7)))
        places.append(space.to_normal(towards(space, y, xi, -0.4)))
    allowed = {"rtol": 0, "atol": 16 * rounding(space, y)}
    torch.testing.assert_close(*values, **allowed)
    torch.testing.assert_close(places[0], places[2], **allowed)
    torch.testing.assert_close(places[1], places[3], **allowed)


def test_going_towards_the_ideal_point_lowers_it_by_the_way(space):
    x, xi = points(space, 20, 3, seed=1, spread=0.7), directions(20, 3)
    for t in (0.0, 1e-8, 0.3, -0.3, 2.0, -2.0):
        y = towards(space, x, xi, t)
        allowed = 32 * rounding(space, x, y)
        assert space.is_point(y).all()
        assert ((space.dist(x, y) - abs(t)).abs() <= allowed).all()
        fall = busemann(space, x, xi) - busemann(space, y, xi)
        assert ((fall - t).abs() <= allowed).all()
    # It is a geodesic: what is halfway in time is the midpoint.
    half = space.midpoint(x, towards(space, x, xi, 1.0))
    assert (space.dist(half, towards(space, x, xi, 0.5)) <= 32 * rounding(space, x)).all()


def test_the_projection_is_the_nearest_point_of_the_horosphere(space):
    x, xi = points(space, 20, 3, seed=1, spread=0.7), directions(20, 3)
    level = torch.linspace(-2, 2, 20, dtype=F64)
    y = horosphere_project(space, x, xi, level)
    distance = horosphere_distance(space, x, xi, level)
    allowed = 32 * rounding(space, x, y)
    assert (horosphere_distance(space, y, xi, level).abs() <= allowed).all()
    assert ((space.dist(x, y) - distance.abs()).abs() <= allowed).all()
    for seed in range(5):  # other points of the horosphere are no nearer
        z = horosphere_project(space, points(space, 20, 3, seed=10 + seed), xi, level)
        assert (space.dist(x, z) >= distance.abs() - 32 * rounding(space, x, z)).all()


def test_the_length_of_the_direction_does_not_matter(space):
    x, xi = points(space, 5, 3, seed=1), directions(5, 3)
    value = busemann(space, x, xi)
    for factor in (1e-200, 3.0, 1e200):
        torch.testing.assert_close(busemann(space, x, factor * xi), value, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("name", ["Euclidean", "PoincareBall(-0.3)", "Lorentz(-0.3)"])
def test_derivatives_and_transforms_go_through(name):
    space = CASES[name]
    v = torch.cat([normals(space, 3, 3, seed=1), normals(space, 2, 3, seed=2, spread=0.01)])
    v.requires_grad_()
    xi, t = directions(5, 3).requires_grad_(), torch.linspace(-1, 1, 5, dtype=F64)
    t.requires_grad_()

    def outputs(v, xi, t):
        x = space.from_normal(v)
        y = torch.cat([towards(space, x, xi, t), horosphere_project(space, x, xi, t)], dim=-1)
        return busemann(space, x, xi), y

    assert derivatives_of_differences(outputs, (v, xi, t))
    together = torch.func.vmap(outputs)(v, xi, t)
    torch.testing.assert_close(together, outputs(v, xi, t), rtol=1e-13, atol=1e-13)


def test_it_compiles_into_one_graph():
    space = Lorentz()
    x, xi = points(space, 4, 3, seed=1), directions(4, 3)
    compiled = torch.compile(busemann, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(space, x, xi), busemann(space, x, xi))


@pytest.mark.parametrize("dtype", [F64, F32, torch.bfloat16, torch.float16])
def test_nothing_is_nan_and_half_precision_is_float32_rounded(space, dtype):
    # The half dtypes hold no point farther out than this.
    sizes = (0.0, 1e-30, 1e-7, 1.0, 50.0, 1e4) if dtype in U else (0.0, 1e-7, 1.0, 3.0)
    for size in sizes:
        v = (size * radius(space) * directions(6, 3)).to(dtype)
        x, xi = space.from_normal(v).detach(), directions(6, 3).to(dtype)
        for sign in (1, -1):
            y = x.clone().requires_grad_()
            value = busemann(space, y, sign * xi)
            (g,) = torch.autograd.grad(value.sum(), y)
            assert value.dtype == dtype
            assert value.isfinite().all()
            assert g.isfinite().all()
            for t in (0.0, 3.0, -3.0, 1e4, -1e4):
                z = towards(space, x, sign * xi, t)
                assert z.isfinite().all()
                assert space.is_point(z).all()
            for v in (torch.zeros_like(x), space.proj_tangent(x, torch.ones_like(x))):
                assert ideal_point(space, x, v).isfinite().all()
                assert space.is_point(horosphere_project(space, x, sign * xi, t)).all()
            if dtype not in U:
                wide = busemann(space, x.float(), sign * xi.float()).to(dtype)
                assert torch.equal(value, wide)


@pytest.mark.parametrize("dtype", [F64, F32])
def test_what_goes_too_far_stops_at_the_edge_in_the_right_direction(space, dtype):
    xi = directions(6, 3).to(dtype)
    for size in (0.0, 1.0, 20.0, -1e4):
        x = space.from_normal((size * radius(space) * xi).to(dtype))
        z = space.to_normal(towards(space, x, xi, 1e5)) / radius(space)
        assert ((z * xi).sum(-1) > 15).all()
        torch.testing.assert_close(z / z.norm(dim=-1, keepdim=True), xi, rtol=0, atol=8 * U[dtype])


def test_a_learnable_curvature_has_the_slope_of_a_difference_quotient():
    v, xi = normals(Lorentz(), 3, seed=1), directions(3)
    space = Lorentz(-0.7, learnable=True)
    x = space.from_normal(v).detach()
    (slope,) = torch.autograd.grad(busemann(space, x, xi), space.parameters())  # by log(-K)
    step = 1e-6
    up, down = (busemann(Lorentz(-0.7 * math.exp(s)), x, xi) for s in (step, -step))
    assert float(slope) == pytest.approx(float((up - down) / (2 * step)), rel=1e-6)


def test_what_is_wrong_is_said():
    space, x = Lorentz(), points(Lorentz(), 3, seed=1)
    with pytest.raises(ValueError, match="which has no points at infinity"):
        busemann(Sphere(), x, x[1:])
    with pytest.raises(ValueError, match="which has no points at infinity"):
        ideal_point(Sphere(), x, x)
    with pytest.raises(ValueError, match=r"ideal has shape \(4,\).*with 3 coordinates"):
        busemann(space, x, x)
    with pytest.raises(ValueError, match="ideal is on meta; expected both on one device"):
        busemann(space, x, x[1:].to("meta"))
    with pytest.raises(TypeError, match=r"ideal has dtype torch.int64"):
        busemann(space, x, torch.tensor([1, 0, 0]))
    with pytest.raises(TypeError, match="ideal is a list; expected a"):
        busemann(space, x, [1, 0, 0])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="t has shape"):
        towards(space, x.expand(2, 4), x[1:], torch.ones(3))
    with pytest.raises(ValueError, match="points off the manifold"):
        busemann(Checked(PoincareBall()), torch.ones(3), torch.ones(3))
