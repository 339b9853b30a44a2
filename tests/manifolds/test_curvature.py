"""Curvature tensor, Jacobi fields, differentials of exp and log: against automatic derivatives."""

import math

import mpmath as mp
import pytest
import torch
from cases import CASES, derivatives_of_differences, normals, points, radius, tangent, thinned

from spaceforms.manifolds import (
    Checked,
    Euclidean,
    Lorentz,
    PoincareBall,
    Sphere,
    expmap_adjoint,
    expmap_differential,
    expmap_differential_inverse,
    jacobi_field,
    logmap_differential,
    logmap_differential_base,
    ricci,
    riemann,
    scalar_curvature,
    sectional,
    volume_density,
)

F64, F32 = torch.float64, torch.float32
EPS = torch.finfo(F64).eps
jvp = torch.func.jvp


def vectors(manifold, x, count, n=3, seed=10):
    return [
        tangent(manifold, x, normals(manifold, *x.shape[:-1], n, seed=seed + k)).detach()
        for k in range(count)
    ]


def close(manifold, x, a, b, tolerance, size):
    """a and b are one vector at x up to ``tolerance`` times ``size``, in the manifold's norm."""
    gap = manifold.norm(x, manifold.proj_tangent(x, a - b)).detach()
    return bool((gap <= tolerance * size).all())


def number(value):
    return value.detach().item()


def frame(manifold, x, n=3):
    """An orthonormal frame at x, (n, m)."""
    return tangent(manifold, x.expand(n, -1), torch.eye(n, dtype=x.dtype))


# -- the curvature tensor -----------------------------------------------------------------------


def test_the_curvature_tensor_has_the_symmetries_of_one(manifold):
    x = points(manifold, 5, 3, seed=1)
    u, v, w, z = vectors(manifold, x, 4)
    size = manifold.norm(x, u) * manifold.norm(x, v) * manifold.norm(x, w)
    k = manifold.curvature.abs().item()
    zero = torch.zeros_like(x)
    bound = 64 * EPS * k
    r = riemann(manifold, x, u, v, w)
    assert close(manifold, x, r, -riemann(manifold, x, v, u, w), bound, size)
    cyclic = r + riemann(manifold, x, v, w, u) + riemann(manifold, x, w, u, v)
    assert close(manifold, x, cyclic, zero, bound, size)
    one = manifold.inner(x, r, z)
    other = manifold.inner(x, riemann(manifold, x, w, z, u), v)
    assert ((one - other).abs() <= bound * size * manifold.norm(x, z)).all()


def test_the_change_of_a_vector_carried_around_a_small_square_is_the_curvature_tensor(manifold):
    x = points(manifold, 3, seed=1, spread=0.5)
    e = frame(manifold, x)
    side = 1e-3 * radius(manifold)
    u, v, w = side * e[0], side * e[1], 0.6 * e[0] + 0.3 * e[1] + 0.5 * e[2]
    # Centred on x: then the error is of fourth order. The corners, and the way around.
    corners = [
        manifold.expmap(x, (a * u + b * v) / 2) for a, b in ((-1, -1), (1, -1), (1, 1), (-1, 1))
    ]
    carried = manifold.transport(x, corners[0], w)
    for start, end in zip(corners, corners[1:] + corners[:1], strict=True):
        carried = manifold.transport(start, end, carried)
    carried = manifold.transport(corners[0], x, carried)
    change = riemann(manifold, x, u, v, w)
    assert close(manifold, x, w - carried, change, 1, 1e-11 + 64 * EPS)
    if manifold.sign:
        assert manifold.norm(x, change).item() > 0.5e-6


def test_sectional_and_ricci_curvature_are_the_contractions_of_the_tensor(manifold):
    x = points(manifold, 4, seed=1)
    u, v = vectors(manifold, x, 2, n=4)
    e = frame(manifold, x, 4)
    k = manifold.curvature.detach()
    area = manifold.inner(x, u, u) * manifold.inner(x, v, v) - manifold.inner(x, u, v) ** 2
    plane = manifold.inner(x, riemann(manifold, x, u, v, v), u) / area
    torch.testing.assert_close(plane.detach(), k, rtol=1e-13, atol=1e-15)
    torch.testing.assert_close(sectional(manifold, x, u, v).detach(), k, rtol=EPS, atol=0)
    traced = sum(manifold.inner(x, riemann(manifold, x, w, u, v), w) for w in e)
    expected = ricci(manifold, x, u, v)
    torch.testing.assert_close(traced, expected, rtol=1e-13, atol=1e-14)
    whole = sum(ricci(manifold, x, w, w) for w in e)
    torch.testing.assert_close(whole, scalar_curvature(manifold, 4), rtol=1e-14, atol=1e-15)


# -- Jacobi fields ------------------------------------------------------------------------------


def test_a_jacobi_field_is_the_variation_of_a_geodesic(manifold):
    x = points(manifold, 3, seed=1, spread=0.5)
    v, value, slope = vectors(manifold, x, 3)
    for t in (0.0, 0.3, 1.0, -0.7):

        def varied(s, t=t):
            start = manifold.expmap(x, s * value)
            velocity = manifold.transport(x, start, v + s * slope)
            return manifold.expmap(start, t * velocity)

        y, expected = jvp(varied, (torch.zeros((), dtype=F64),), (torch.ones((), dtype=F64),))
        field = jacobi_field(manifold, x, v, value, slope, t)
        size = number(manifold.norm(y, expected)) + 1
        assert close(manifold, y, field, expected, 2e-13, size), t


@pytest.mark.parametrize(
    "manifold", thinned(CASES, without=(Euclidean, PoincareBall)), indirect=True
)
def test_a_jacobi_field_solves_the_jacobi_equation(manifold):
    x = points(manifold, 3, seed=2, spread=0.5)
    v, value, slope = vectors(manifold, x, 3)

    def at_start(t):
        """The field, carried back to x, where the covariant derivative is a plain one."""
        y = manifold.expmap(x, t * v)
        return manifold.transport(y, x, jacobi_field(manifold, x, v, value, slope, t))

    def derivative(function):
        return lambda t: jvp(function, (t,), (torch.ones_like(t),))[1]

    for t in (0.0, 0.4, 0.9):
        time = torch.tensor(t, dtype=F64)
        second = derivative(derivative(at_start))(time)
        expected = -riemann(manifold, x, at_start(time), v, v)
        size = 1 + number(manifold.norm(x, expected))
        assert close(manifold, x, second, expected, 1e-12, size), t
    zero = torch.zeros((), dtype=F64)
    assert close(manifold, x, at_start(zero), value, 16 * EPS, 1 + manifold.norm(x, value))
    first = derivative(at_start)(zero)
    assert close(manifold, x, first, slope, 1e-13, 1 + manifold.norm(x, slope))


@pytest.mark.parametrize(
    ("dtype", "r", "length"), [(F64, 20.0, 430.0), (F64, 20.0, -430.0), (torch.float32, 5.0, 50.0)]
)
def test_a_jacobi_field_along_a_long_ray_has_gradients(dtype, r, length):
    space = Lorentz()
    x = space.from_normal(torch.tensor([r, 0.0], dtype=dtype)).detach()
    outward = torch.tensor([math.sinh(r), math.cosh(r), 0.0], dtype=dtype)
    inputs = [u.clone().requires_grad_() for u in (x, length * outward, outward, 0 * outward)]
    field = jacobi_field(space, *inputs)
    # The velocity of the ray, and of it the derivative by the velocity at x, T times as long there.
    wanted = math.cosh(r + length)
    assert abs(number(field[1]) / wanted - 1) <= 8 * torch.finfo(dtype).eps * (r + abs(length))
    gradients = torch.autograd.grad(field[1], inputs)
    assert all(g.isfinite().all() for g in gradients)
    by_value = number(gradients[2][1]) * math.cosh(r) / wanted
    assert abs(by_value - 1) <= 16 * torch.finfo(dtype).eps * (r + abs(length))


def test_jacobi_fields_on_the_sphere_go_on_beyond_the_antipode():
    sphere = Sphere(0.25)
    x = points(sphere, 3, seed=1)
    e = frame(sphere, x)
    for length in (0.5, 3.0, math.pi, 4.0, 2 * math.pi, 7.0, 40.0):
        t = 2 * length  # radius 2
        field = jacobi_field(sphere, x, e[0], e[1], e[2], t)
        # Orthogonal to the great circle, the ambient coordinates of a parallel field are constant.
        expected = math.cos(length) * e[1] + 2 * math.sin(length) * e[2]
        torch.testing.assert_close(field, expected, rtol=0, atol=64 * EPS * (1 + length))
        along = jacobi_field(sphere, x, e[0], e[0], 0 * x, t)
        velocity = math.cos(length) * e[0] - math.sin(length) * x / 2
        torch.testing.assert_close(along, velocity, rtol=0, atol=64 * EPS * (1 + length))


# -- differentials of exp and log ---------------------------------------------------------------

LENGTHS = (0.0, 1e-12, 1e-4, 0.3, 0.999, 1.001, 2.0, 3.0)


@pytest.mark.parametrize("manifold", thinned(CASES), indirect=True)
@pytest.mark.parametrize("length", LENGTHS)
def test_the_differential_of_exp_is_the_automatic_derivative(manifold, length):
    x = points(manifold, 3, seed=1, spread=0.3)
    v, w = vectors(manifold, x, 2)
    v = length * radius(manifold) * v / manifold.norm(x, v).detach()
    y, expected = jvp(lambda a: manifold.expmap(x, a), (v,), (w,))
    result = expmap_differential(manifold, x, v, w)
    size = math.exp(2 * length) * (1 + number(manifold.norm(x, w)))
    assert close(manifold, y, result, expected, 256 * EPS, size)


@pytest.mark.parametrize("manifold", thinned(CASES), indirect=True)
@pytest.mark.parametrize("length", LENGTHS)
def test_adjoint_inverse_and_determinant_belong_to_the_differential(manifold, length):
    x = points(manifold, 3, seed=1, spread=0.3)
    v, u = vectors(manifold, x, 2)
    v = length * radius(manifold) * v / manifold.norm(x, v).detach()
    y = manifold.expmap(x, v)
    w = vectors(manifold, y, 1, seed=20)[0]
    image = expmap_differential(manifold, x, v, u)
    one = manifold.inner(y, image, w)
    other = manifold.inner(x, u, expmap_adjoint(manifold, x, v, w))
    scale = math.exp(2 * length) * number(manifold.norm(x, u) * manifold.norm(y, w))
    assert abs(number(one - other)) <= 256 * EPS * scale
    back = expmap_differential_inverse(manifold, x, v, image)
    # On the sphere the inverse magnifies by d/sin(d), 21 at 3 R.
    assert close(manifold, x, back, u, 2048 * EPS * math.exp(length), manifold.norm(x, u))
    images = torch.stack([expmap_differential(manifold, x, v, e) for e in frame(manifold, x)])
    matrix = torch.stack(
        [torch.stack([manifold.inner(y, a, e) for e in frame(manifold, y)]) for a in images]
    )
    density = volume_density(manifold, x, v)
    bound = 256 * EPS * math.exp(2 * length)
    torch.testing.assert_close(torch.linalg.det(matrix), density, rtol=bound, atol=0)


@pytest.mark.parametrize("manifold", thinned(CASES), indirect=True)
@pytest.mark.parametrize("length", LENGTHS)
def test_the_differential_of_log_is_the_automatic_derivative(manifold, length):
    x = points(manifold, 3, seed=1, spread=0.3)
    v, u = vectors(manifold, x, 2)
    v = length * radius(manifold) * v / manifold.norm(x, v).detach()
    y = manifold.expmap(x, v).detach()
    w = vectors(manifold, y, 1, seed=20)[0]
    size = math.exp(3 * length) * (1 + number(manifold.norm(y, w) + manifold.norm(x, u)))
    _, expected = jvp(lambda b: manifold.logmap(x, b), (y,), (w,))
    result = logmap_differential(manifold, x, y, w)
    assert close(manifold, x, result, expected, 512 * EPS, size)

    def carried(s):
        start = manifold.expmap(x, s * u)
        return manifold.transport(start, x, manifold.logmap(start, y))

    _, expected = jvp(carried, (torch.zeros((), dtype=F64),), (torch.ones((), dtype=F64),))
    result = logmap_differential_base(manifold, x, y, u)
    assert close(manifold, x, result, expected, 512 * EPS, size)


@pytest.mark.parametrize("dtype", [F64, F32])
@pytest.mark.parametrize("sign", [-1, 1])
def test_the_differential_at_the_origin_is_right_to_a_few_units_at_60_digits(sign, dtype):
    manifold = Lorentz() if sign < 0 else Sphere()
    sn = mp.sinh if sign < 0 else mp.sin
    u = torch.finfo(dtype).eps / 2
    x = manifold.origin(2, dtype=dtype)
    for length in (1e-20, 1e-6, 0.1, 0.99, 1.01, 2.5, 3.1415, 6.0, 12.0, 20.0):
        v = torch.tensor([0.0, 0.8, 0.6], dtype=dtype) * length
        for pair in ((0.3, -0.7), (0.8, 0.6), (0.6, -0.8)):
            w = torch.tensor([0.0, *pair], dtype=dtype)
            got = expmap_differential(manifold, x, v, w)[1:]
            a, b = ([mp.mpf(c.item()) for c in t[1:]] for t in (v, w))
            size = mp.hypot(*a)
            along = (a[0] * b[0] + a[1] * b[1]) / size
            # d/ds of sn(|v|) v/|v|, by the product rule: cs along, sn/|v| across.
            cs = mp.cosh(size) if sign < 0 else mp.cos(size)
            exact = [
                cs * along * p / size + sn(size) / size * (q - along * p / size)
                for p, q in zip(a, b, strict=True)
            ]
            # The norm at y of the difference: far out the radial part is cosh times longer in
            # coordinates than it is. The unit vectors along and across:
            e = [p / size for p in a]
            gap = [mp.mpf(g.item()) - p for g, p in zip(got, exact, strict=True)]
            error = mp.hypot((e[0] * gap[0] + e[1] * gap[1]) / cs, e[0] * gap[1] - e[1] * gap[0])
            norm = mp.hypot(along, sn(size) / size * (e[0] * b[1] - e[1] * b[0]))
            # Condition: one for w, |v| cs/sn for the length of v; on the sphere the coordinates
            # of the point turn with the length too.
            bound = 1 + size * (1 + abs(cs / sn(size)))
            stored = abs(cs * along)  # rounding the radial part alone turns it by this much
            assert error <= 16 * u * bound * (norm + mp.hypot(*b) + stored), (length, pair)


def test_far_points_of_the_dtype_have_finite_differentials(curved):
    for dtype in (F64, F32):
        for length in (0.0, 1e-30, 30.0, 1e3, 1e18):
            v = torch.tensor([0.6, 0.0, 0.8], dtype=dtype) * length * radius(curved)
            x = curved.origin(3, dtype=dtype).detach()
            v, w = (tangent(curved, x, t) for t in (v, torch.tensor([0.1, 1, 0.2], dtype=dtype)))
            for function in (expmap_differential, expmap_adjoint, expmap_differential_inverse):
                assert function(curved, x, v, w).isfinite().all(), (function, length)
            assert jacobi_field(curved, x, v, w, w).isfinite().all()


def test_conjugate_points_lose_the_orthogonal_part_only():
    sphere = Sphere()
    x = sphere.origin(2, dtype=F64)
    v, w = (torch.tensor(t, dtype=F64) for t in ([0, math.pi, 0], [0, 0.3, 0.7]))
    image = expmap_differential(sphere, x, v, w)
    torch.testing.assert_close(image, torch.tensor([0, -0.3, 0], dtype=F64), rtol=0, atol=8 * EPS)
    assert logmap_differential(sphere, x, sphere.expmap(x, v), w).isfinite().all()


# -- a citizen of torch -------------------------------------------------------------------------

FUNCTIONS = {
    "riemann": lambda m, x, y, u, v: riemann(m, x, u, v, u),
    "ricci": lambda m, x, y, u, v: ricci(m, x, u, v),
    "jacobi_field": lambda m, x, y, u, v: jacobi_field(m, x, u, v, u, 0.7),
    "expmap_differential": lambda m, x, y, u, v: expmap_differential(m, x, u, v),
    "expmap_adjoint": lambda m, x, y, u, v: expmap_adjoint(m, x, v, u),
    "expmap_differential_inverse": lambda m, x, y, u, v: expmap_differential_inverse(m, x, v, u),
    "logmap_differential": lambda m, x, y, u, v: logmap_differential(m, x, y, u),
    "logmap_differential_base": lambda m, x, y, u, v: logmap_differential_base(m, x, y, u),
}


@pytest.mark.parametrize("manifold", thinned(CASES), indirect=True)
@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("place", ["generic", pytest.param("zero", marks=pytest.mark.slow)])
def test_every_function_has_first_and_second_derivatives(manifold, name, place):
    r = radius(manifold)

    def function(a, b, c):
        x = manifold.from_normal(a)
        y = manifold.from_normal(b)
        u, v = tangent(manifold, x, c), tangent(manifold, x, c.flip(-1) + b - a)
        if name.startswith("logmap"):
            u = tangent(manifold, y if name == "logmap_differential" else x, c)
        return FUNCTIONS[name](manifold, x, y, u, v)

    a, b, c = (normals(manifold, 3, seed=s, spread=0.4) for s in (1, 2, 3))
    if place == "zero":
        b, c = a.clone(), 0 * c if name == "jacobi_field" else c
    arguments = tuple(t.requires_grad_() for t in (a, b, c))
    assert derivatives_of_differences(function, arguments, second=False)
    total = function(*arguments).square().sum()
    gradients = torch.autograd.grad(total, arguments, create_graph=True)
    second = torch.autograd.grad(sum(g.sum() for g in gradients), arguments)
    assert all(g.isfinite().all() for g in second)
    assert r > 0


def test_the_curvature_has_a_derivative_through_a_differential():
    for kind, k in ((Lorentz, -0.7), (PoincareBall, -0.7), (Sphere, 0.7)):
        manifold = kind(k, learnable=True).double()
        step = 1e-6

        def value(m):
            x = m.from_normal(torch.tensor([0.3, -0.2], dtype=F64))
            v, w = (tangent(m, x, torch.tensor(t, dtype=F64)) for t in ([1.4, 0.3], [0.2, 0.9]))
            return m.norm(m.expmap(x, v), expmap_differential(m, x, v, w))

        (got,) = torch.autograd.grad(value(manifold), manifold._magnitude.raw)
        ends = [value(kind(k * math.exp(h))) for h in (step, -step)]
        # A difference quotient is off by eps/step and by step^2.
        torch.testing.assert_close(got, (ends[0] - ends[1]) / (2 * step), rtol=0, atol=1e-9)


@pytest.mark.parametrize("manifold", thinned(CASES), indirect=True)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_goes_under_vmap(manifold, name):
    x, y = points(manifold, 4, 3, seed=1), points(manifold, 4, 3, seed=2)
    base = y if name == "logmap_differential" else x
    u, v = vectors(manifold, base, 2)
    with torch.no_grad():
        expected = FUNCTIONS[name](manifold, x, y, u, v)
        mapped = torch.vmap(lambda *a: FUNCTIONS[name](manifold, *a))(x, y, u, v)
    torch.testing.assert_close(mapped, expected, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("name", ["riemann", "expmap_differential", "logmap_differential_base"])
@pytest.mark.parametrize("kind", [Lorentz, pytest.param(Sphere, marks=pytest.mark.slow)])
def test_the_functions_are_one_graph_for_the_compiler(kind, name):
    manifold = kind()
    x, y = points(manifold, 4, 3, seed=1), points(manifold, 4, 3, seed=2)
    u, v = vectors(manifold, x, 2)
    torch.compiler.reset()
    compiled = torch.compile(FUNCTIONS[name], fullgraph=True, backend="eager")
    expected = FUNCTIONS[name](manifold, x, y, u, v)
    torch.testing.assert_close(compiled(manifold, x, y, u, v), expected, rtol=1e-13, atol=1e-13)


def test_half_precision_is_computed_in_float32_and_rounded_once(manifold):
    x = points(manifold, 5, 3, seed=1, spread=0.3).to(torch.bfloat16)
    v, w = (t.to(torch.bfloat16) for t in vectors(manifold, x.double(), 2))
    got = expmap_differential(manifold, x, v, w)
    assert got.dtype == torch.bfloat16
    wide = expmap_differential(manifold, x.float(), v.float(), w.float())
    assert torch.equal(got, wide.to(torch.bfloat16))
    mixed = expmap_differential(manifold, x, v, w.double())
    assert mixed.dtype == F64


def test_leading_axes_broadcast(manifold):
    x = points(manifold, 4, 1, 3, seed=1)
    v, w = vectors(manifold, x, 2)
    w = w.expand(4, 2, w.shape[-1])
    assert expmap_differential(manifold, x, v, w).shape == (4, 2, x.shape[-1])
    times = torch.linspace(0, 1, 5, dtype=F64)
    assert jacobi_field(manifold, x, v, v, v, times).shape == (4, 5, x.shape[-1])


def test_a_checked_manifold_goes_through():
    manifold = Checked(Lorentz())
    x = manifold.from_normal(torch.tensor([0.1, 0.2], dtype=F64))
    v = manifold.logmap(x, manifold.origin(2, dtype=F64))
    torch.testing.assert_close(
        expmap_differential(manifold, x, v, v), expmap_differential(Lorentz(), x, v, v)
    )


def test_errors_say_what_is_wrong():
    x = torch.zeros(3, dtype=F64)
    with pytest.raises(TypeError, match="riemann: manifold is a int; expected a Manifold"):
        riemann(3, x, x, x, x)
    with pytest.raises(ValueError, match=r"expmap_differential: w has shape \(4,\)"):
        expmap_differential(Euclidean(), x, x, torch.zeros(4, dtype=F64))
    with pytest.raises(TypeError, match="jacobi_field: slope is a float"):
        jacobi_field(Euclidean(), x, x, x, 1.0)
    with pytest.raises(ValueError, match=r"sectional: x has shape .* line has no planes"):
        sectional(Euclidean(), x[:1], x[:1], x[:1])
    with pytest.raises(ValueError, match="scalar_curvature: n is 0; expected"):
        scalar_curvature(Euclidean(), 0)
