"""The gradient by a learnable K, at points near the origin and at any others, against definitions.

What is promised: with g the gradient of a scalar by a result and k = log|K|, the derivative of
<g, f(x; k)> at fixed stored coordinates (Lorentz: at fixed space parts) has an error of at most
32 u times the sum of what it changes by when each coordinate of x, each entry of g and k change by
one part in one.
"""

import math

import mpmath as mp
import pytest
import torch

from spaceforms.losses import functional
from spaceforms.manifolds import (
    Checked,
    Euclidean,
    Lorentz,
    PoincareBall,
    Product,
    Sphere,
    Stereographic,
    busemann,
    signed_distance,
)


def dot(a, b):
    return mp.fsum(p * q for p, q in zip(a, b, strict=True))


# -- the hyperboloid, as its definitions say; k = -K, points and vectors by their space parts -----


def time(x, k):
    return mp.sqrt(1 / k + dot(x, x))


def inner(x, u, v, k):
    return dot(u, v) - dot(x, u) * dot(x, v) / (1 / k + dot(x, x))


def tangent(x, v, k):
    return [dot(x, v) / time(x, k), *v]


def cosh(x, y, k):
    return k * (time(x, k) * time(y, k) - dot(x, y))


def exp(x, v, k):
    t = mp.sqrt(k * inner(x, v, v, k))
    return [mp.cosh(t) * a + mp.sinh(t) / t * b for a, b in zip(x, v, strict=True)]


def log(x, y, k):
    z = cosh(x, y, k)
    f = mp.acosh(z) / mp.sqrt(z * z - 1)
    return [f * (b - z * a) for a, b in zip(x, y, strict=True)]


def carried(x, y, v, k):
    c = k * (dot(y, v) - time(y, k) * dot(x, v) / time(x, k)) / (1 + cosh(x, y, k))
    return [c * (a + b) + w for a, b, w in zip(x, y, v, strict=True)]


def length(x):
    return mp.sqrt(dot(x, x))


def lifted(v, k):
    r = mp.sqrt(k) * length(v)
    return [mp.sinh(r) / r * c for c in v]


def dropped(x, k):
    r = mp.sqrt(k) * length(x)
    return [mp.asinh(r) / r * c for c in x]


def stretched(t, n):
    return (n - 1) * mp.log(mp.sinh(t) / t)


def angle(x, w, k):
    return mp.acos(inner(x, x, w, k) / mp.sqrt(inner(x, x, x, k) * inner(x, w, w, k)))


HYPERBOLOID = {
    "dist": lambda k, x, y: [mp.acosh(cosh(x, y, k)) / mp.sqrt(k)],
    "sqdist": lambda k, x, y: [mp.acosh(cosh(x, y, k)) ** 2 / k],
    "logmap": lambda k, x, y: tangent(x, log(x, y, k), k),
    "expmap": lambda k, x, v: exp(x, v, k),
    "midpoint": lambda k, x, y: exp(x, [c / 2 for c in log(x, y, k)], k),
    "transport": lambda k, x, y, v: tangent(y, carried(x, y, v, k), k),
    "transport0": lambda k, y, v: tangent(y, carried([0 * c for c in y], y, v, k), k),
    "transport0_inverse": lambda k, x, v: [mp.mpf(0), *carried(x, [0 * c for c in x], v, k)],
    "from_normal": lambda k, v: lifted(v, k),
    "to_normal": lambda k, x: dropped(x, k),
    "norm": lambda k, x, v: [mp.sqrt(inner(x, v, v, k))],
    "inner": lambda k, x, u, v: [inner(x, u, v, k)],
    "egrad2rgrad": lambda k, x, g: tangent(
        x, [a + k * dot(x, g) * b for a, b in zip(g, x, strict=True)], k
    ),
    "logdetexp": lambda k, x, v: [stretched(mp.sqrt(k * inner(x, v, v, k)), len(x))],
    "exterior_angle": lambda k, x, y: [angle(x, log(x, y, k), k)],
}
# Results that are points: judged by space parts, the time part being sqrt(-1/K + |x|^2).
POINTS = ("expmap", "midpoint", "from_normal")


# -- the ball, through the hyperboloid ------------------------------------------------------------


def raised(x, k):
    return [2 * c / (1 - k * dot(x, x)) for c in x]


def raised_vector(x, v, k):
    g = 1 - k * dot(x, x)
    return [2 * a / g + 4 * k * dot(x, v) * b / g**2 for a, b in zip(v, x, strict=True)]


def flat(s, k):
    return [c / (1 + mp.sqrt(k) * time(s, k)) for c in s]


def flat_vector(s, w, k):
    t = mp.sqrt(k) * time(s, k)
    change = k * dot(s, w) / t
    return [a / (1 + t) - b * change / (1 + t) ** 2 for a, b in zip(w, s, strict=True)]


def on_ball(name):
    of = HYPERBOLOID[name]

    def value(k, *args):
        if name == "from_normal":
            return flat(of(k, *args), k)
        x = args[0]
        s = raised(x, k)
        if name in ("dist", "sqdist", "to_normal", "exterior_angle"):
            return of(k, *(raised(a, k) for a in args))
        if name == "midpoint":
            return flat(of(k, s, raised(args[1], k)), k)
        if name == "expmap":
            return flat(of(k, s, raised_vector(x, args[1], k)), k)
        if name in ("norm", "inner", "logdetexp"):
            return of(k, s, *(raised_vector(x, v, k) for v in args[1:]))
        if name == "logmap":
            return flat_vector(s, of(k, s, raised(args[1], k))[1:], k)
        if name == "transport":
            t = raised(args[1], k)
            return flat_vector(t, of(k, s, t, raised_vector(x, args[2], k))[1:], k)
        if name == "transport0":
            return flat_vector(s, of(k, s, [2 * c for c in args[1]])[1:], k)
        if name == "transport0_inverse":
            return [c / 2 for c in of(k, s, raised_vector(x, args[1], k))[1:]]
        return [c * (1 - k * dot(x, x)) ** 2 / 4 for c in args[1]]  # egrad2rgrad

    return value


# -- the derivative and what the inputs' rounding does to it --------------------------------------

_STEP = mp.mpf(10) ** -16


def slope(value, k):
    """Of a list, by log k."""
    with mp.workdps(70):
        f = [value(k * mp.exp(j * _STEP)) for j in (-2, -1, 1, 2)]
        return [(a - 8 * b + 8 * c - d) / (12 * _STEP) for a, b, c, d in zip(*f, strict=True)]


def judged(value, k, args, g):
    """(the derivative of <g, value>, the yardstick)."""
    with mp.workdps(70):
        at = slope(lambda k: value(k, *args), k)
        yard = sum(abs(a * b) for a, b in zip(g, at, strict=True))
        h = mp.mpf(10) ** -12
        for i, x in enumerate(args):
            for j, c in enumerate(x):
                moved = [list(a) for a in args]
                moved[i][j] = c * (1 + h)
                change = slope(lambda k, moved=moved: value(k, *moved), k)
                yard += abs(dot(g, change) - dot(g, at)) / h
        later = slope(lambda k: value(k, *args), k * (1 + h))
        return dot(g, at), yard + abs(dot(g, later) - dot(g, at)) / h


def drawn(name, r, dtype, seed):
    """Arguments of about the length r, space parts, in three dimensions."""
    generator = torch.Generator().manual_seed(seed)
    kinds = {"from_normal": 1, "to_normal": 1, "transport": 3, "inner": 3}.get(name, 2)
    a = torch.randn(kinds, 3, generator=generator, dtype=torch.float64)
    a = r * a / a.norm(dim=-1, keepdim=True)
    if seed % 2 and kinds > 1:
        a[1] = a[0] + a[1] / 64  # near one another, or along the ray
    return list(a.to(dtype)), torch.randn(4, generator=generator, dtype=torch.float64).to(dtype)


def stored(manifold, name, vectors):
    if isinstance(manifold, PoincareBall) or name == "from_normal":
        return vectors
    return [torch.cat([torch.zeros(1, dtype=v.dtype), v]) for v in vectors]


def result(manifold, name, args):
    out = getattr(manifold, name)(*args).reshape(-1)
    return out[1:] if name in POINTS and isinstance(manifold, Lorentz) else out


def curvature_derivative(manifold, name, args, g):
    out = result(manifold, name, args)
    scalar = (out * g[: len(out)]).sum()
    (by_raw,) = torch.autograd.grad(scalar, manifold._magnitude.raw)
    return by_raw.item()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["float64", "float32"])
@pytest.mark.parametrize("name", HYPERBOLOID)
@pytest.mark.parametrize("model", [Lorentz, PoincareBall])
def test_the_derivative_by_K_has_its_digits_however_near_the_origin(model, name, dtype):
    u = torch.finfo(dtype).eps / 2
    for seed, r in enumerate((1e-8, 1e-4, 1e-3, 1e-3, 0.1, 0.4)):
        manifold = model(-1.3, learnable=True).double()
        vectors, g = drawn(name, r, dtype, seed)
        got = curvature_derivative(manifold, name, stored(manifold, name, vectors), g)
        exact = [[mp.mpf(c.item()) for c in v] for v in vectors]
        value = HYPERBOLOID[name] if model is Lorentz else on_ball(name)
        k = -mp.mpf(manifold.curvature.item())
        with mp.workdps(70):
            size = len(value(k, *exact))
        right, yard = judged(value, k, exact, [mp.mpf(c.item()) for c in g[:size]])
        assert abs(got - right) <= 32 * u * yard, (r, got, float(right))


def on_the_way(t):
    """The space part of the point at time t."""
    return lambda k, x, y: exp(x, [t * c for c in log(x, y, k)], k)


def derivative_of_geodesic(model, args, t, g):
    manifold = model(-1.3, learnable=True).double()
    x, y = stored(manifold, "", args)
    z = manifold.geodesic(x, y, torch.tensor(t, dtype=x.dtype))
    free = z[1:] if model is Lorentz else z
    (by_raw,) = torch.autograd.grad((free * g[: len(free)]).sum(), manifold._magnitude.raw)
    return by_raw.item(), -mp.mpf(manifold.curvature.item())


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["float64", "float32"])
@pytest.mark.parametrize("t", [0.25, 0.75, -0.5, 1.5])
@pytest.mark.parametrize("model", [Lorentz, PoincareBall])
def test_the_derivative_of_a_geodesic_by_K_has_its_digits_at_every_time(model, t, dtype):
    u = torch.finfo(dtype).eps / 2
    of = on_the_way(mp.mpf(t))
    for seed, r in enumerate((1e-8, 1e-3, 0.3)):
        vectors, g = drawn("geodesic", r, dtype, seed)
        got, k = derivative_of_geodesic(model, vectors, t, g)

        def value(k, x, y):
            if model is Lorentz:
                return of(k, x, y)
            return flat(of(k, raised(x, k), raised(y, k)), k)

        exact = [[mp.mpf(c.item()) for c in v] for v in vectors]
        right, yard = judged(value, k, exact, [mp.mpf(c.item()) for c in g[:3]])
        assert abs(got - right) <= 32 * u * yard, (r, got, float(right))


FAR_AND_SHORT = [
    ("expmap", Lorentz, [0.0, 1e4], [0.0, -1e-4]),
    ("expmap", Lorentz, [-231520464.0], [-41328.6]),
    ("expmap", Lorentz, [3e6, 1.0], [-7e6, 2.0]),
    ("expmap", PoincareBall, [-0.139, -0.169, 0.83], [3.6e-10, 4.4e-10, -1.9e-9]),
    ("expmap", PoincareBall, [0.8735, 0.0], [-4e-5, 0.0]),
    ("logmap", Lorentz, [13.4, 0.0], [13.4001, -5e-6]),
    ("logmap", Lorentz, [-9e7], [4e9]),
    ("geodesic", Lorentz, [13.4, 0.0], [13.4001, -5e-6]),
    ("geodesic", PoincareBall, [0.1278, -0.4141], [0.127801, -0.414102]),
]


@pytest.mark.parametrize(("name", "model", "a", "b"), FAR_AND_SHORT)
def test_far_out_and_by_a_short_way_or_on_a_ray_the_derivative_by_K_has_its_digits(
    name, model, a, b
):
    vectors = [torch.tensor(c, dtype=torch.float64) for c in (a, b)]
    g = torch.tensor([0.0, -0.4, 0.7, 0.3], dtype=torch.float64)[-len(a) - (model is Lorentz) :]
    t = mp.mpf(-0.25)
    if name == "geodesic":
        got, k = derivative_of_geodesic(model, vectors, -0.25, g)
        of = on_the_way(t)

        def value(k, x, y):
            if model is Lorentz:
                return of(k, x, y)
            return flat(of(k, raised(x, k), raised(y, k)), k)
    else:
        manifold = model(-1.3, learnable=True).double()
        got = curvature_derivative(manifold, name, stored(manifold, name, vectors), g)
        k = -mp.mpf(manifold.curvature.item())
        whole = HYPERBOLOID[name] if model is Lorentz else on_ball(name)

        def value(k, x, y):
            out = whole(k, x, y)
            return tangent(x, out[-len(x) :], k) if name == "logmap" else out

    exact = [[mp.mpf(c.item()) for c in v] for v in vectors]
    with mp.workdps(70):
        size = len(value(k, *exact))
    right, yard = judged(value, k, exact, [mp.mpf(c.item()) for c in g[:size]])
    assert abs(got - right) <= 32 * torch.finfo(torch.float64).eps / 2 * yard


ON_A_RAY = [
    ("inner", Lorentz, torch.float32, [[2e11, 3e11], [6.519, 1.227], [-1.6436, -2.5825]]),
    ("norm", Lorentz, torch.float32, [[3.6e7, -1e8], [2.25e-6, 7.7e-7]]),
    ("logdetexp", Lorentz, torch.float32, [[0.0, 2.6e11], [0.0, 7.4e11]]),
    ("logdetexp", Lorentz, torch.float64, [[3e6, 0.0], [7e6, 0.0]]),
    ("transport", Lorentz, torch.float64, [[3e6, 0.0], [8e6, 0.0], [5e5, 0.0]]),
    ("transport", Lorentz, torch.float64, [[3e3, 1.0], [1.0, 50.0], [5e2, 1.0]]),
    ("transport", Lorentz, torch.float32, [[6.7e11], [-5.5e10], [1.55e-8]]),
    # At a right angle, from next to the origin: all of it is as short as x.
    ("transport", Lorentz, torch.float64, [[1e-9, 0.0], [0.0, 100.0], [1.0, 0.0]]),
    ("transport0_inverse", Lorentz, torch.float32, [[-880.6, -519.4], [19606.5, 11858.0]]),
    ("geodesic", Lorentz, torch.float64, [[15.2, 0.1], [3.5, 0.03], [1.000001]]),
    ("geodesic", Lorentz, torch.float64, [[2177.0], [8504.0], [-0.4]]),
    ("exterior_angle", PoincareBall, torch.float32, [[0.8731, 0.0], [0.8730967, 1e-6]]),
]


@pytest.mark.parametrize(("name", "model", "dtype", "arguments"), ON_A_RAY)
def test_far_out_on_a_ray_the_derivative_by_K_is_not_what_is_left_of_longer_terms(
    name, model, dtype, arguments
):
    vectors = [torch.tensor(a, dtype=dtype) for a in arguments]
    exactly = [[mp.mpf(c.item()) for c in v] for v in vectors]
    size = len(arguments[0])
    g = torch.tensor([0.3, -0.4, 0.7], dtype=dtype)
    if name == "geodesic":
        *vectors, t = vectors
        got, k = derivative_of_geodesic(model, vectors, t.item(), g[1:])

        def value(k, x, y, t):
            return exp(x, [t[0] * c for c in log(x, y, k)], k)

        g = g[1:]
    else:
        manifold = model(-1.3, learnable=True).double()
        got = curvature_derivative(manifold, name, stored(manifold, name, vectors), g)
        k = -mp.mpf(manifold.curvature.item())
        value = HYPERBOLOID[name] if model is Lorentz else on_ball(name)
    with mp.workdps(70):
        size = len(value(k, *exactly))
    right, yard = judged(value, k, exactly, [mp.mpf(c.item()) for c in g[:size]])
    assert abs(got - right) <= 32 * torch.finfo(dtype).eps / 2 * yard, (got, float(right))


def height(k, x, ideal):
    """The Busemann function, of space parts."""
    b = mp.sqrt(k) * (time(x, k) - dot(x, ideal) / length(ideal))
    return [mp.log(b) / mp.sqrt(k)]


def side(k, x, p, a):
    """The signed distance from a hyperplane, of space parts."""
    product = dot(x, a) - time(x, k) / time(p, k) * dot(p, a)
    return [mp.asinh(mp.sqrt(k) * product / mp.sqrt(inner(p, a, a, k))) / mp.sqrt(k)]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["float64", "float32"])
@pytest.mark.parametrize("function", [busemann, signed_distance])
@pytest.mark.parametrize("model", [Lorentz, PoincareBall])
def test_horospheres_and_hyperplanes_have_the_digits_of_the_derivative_by_K(model, function, dtype):
    ball = model is PoincareBall

    def value(k, x, *others):
        if function is busemann:
            return height(k, raised(x, k) if ball else x, *others)
        p, a = others
        if ball:
            return side(k, raised(x, k), raised(p, k), raised_vector(p, a, k))
        return side(k, x, p, a)

    ray = [[3.0, 0.0], [1.0, 0.0], [2.0, 0.0]]
    bent = [[3.0, 0.5], [-1.0, 2.0], [0.3, -0.7]]
    for vectors in (ray, bent):
        for r in (1e-8, 1e-3, 0.28) if ball else (1e-8, 1e-3, 0.3, 1e6):
            x, p, a = (torch.tensor(v, dtype=torch.float64) for v in vectors)
            x, p = (r * x).to(dtype), (r * p).to(dtype)
            arguments = [x, a.to(dtype)] if function is busemann else [x, p, a.to(dtype)]
            manifold = model(-1.3, learnable=True).double()
            stored_ = stored(manifold, "", arguments)
            if function is busemann:
                stored_[1] = arguments[1]
            (by_raw,) = torch.autograd.grad(function(manifold, *stored_), manifold._magnitude.raw)
            k = -mp.mpf(manifold.curvature.item())
            exactly = [[mp.mpf(c.item()) for c in v] for v in arguments]
            right, yard = judged(value, k, exactly, [mp.mpf(1)])
            u = torch.finfo(dtype).eps / 2
            assert abs(by_raw.item() - right) <= 32 * u * yard, (vectors, r, float(right))


@pytest.mark.parametrize(
    ("model", "function"),
    [
        (Lorentz, busemann),
        (PoincareBall, busemann),
        (Lorentz, signed_distance),
        (PoincareBall, signed_distance),
    ],
)
def test_their_second_derivatives_by_K_are_those_of_differences(model, function):
    x, p, a = (torch.tensor(c, dtype=torch.float64) for c in ([0.5, 0.2], [-0.1, 0.3], [0.3, -0.7]))

    def slopes(shift):
        manifold = model(-1.3, learnable=True).double()
        with torch.no_grad():
            manifold._magnitude.raw.add_(shift)
        arguments = [z.clone().requires_grad_() for z in stored(manifold, "", [x, p, a])]
        ideal = a.clone().requires_grad_()
        given = [arguments[0], ideal] if function is busemann else arguments
        by = manifold._magnitude.raw
        (first,) = torch.autograd.grad(function(manifold, *given), by, create_graph=True)
        return first, torch.autograd.grad(first, [by, *given])

    h = 1e-6
    difference = (slopes(h)[0].item() - slopes(-h)[0].item()) / (2 * h)
    _, (second, *mixed) = slopes(0.0)
    assert abs(second.item() - difference) <= 1e-7 * max(abs(difference), 1e-3)
    assert all(m.isfinite().all() for m in mixed)


@pytest.mark.parametrize(
    ("k", "x", "v"), [(1.0, 0.5810334086418152, -4.792728e-07), (7.67e-11, 9e5, -16.0)]
)
def test_the_derivative_by_K_of_a_short_stereographic_way_is_of_second_order_in_it(k, x, v):
    manifold = Stereographic(k, learnable=True).double()
    (parameter,) = manifold.parameters()
    x, v = (torch.tensor([c], dtype=torch.float64) for c in (x, v))

    def value(k, x, v):  # half angles add up: tan(atan(root x) + root v/(1 + k x^2))
        root = mp.sqrt(k)
        return [mp.tan(mp.atan(root * x[0]) + root * v[0] / (1 + k * x[0] ** 2)) / root]

    (got,) = torch.autograd.grad(manifold.expmap(x, v).sum(), parameter)
    (rate,) = torch.autograd.grad(manifold.curvature, parameter)
    exactly, number = [[mp.mpf(c.item())] for c in (x, v)], mp.mpf(manifold.curvature.item())
    right, yard = judged(value, number, exactly, [mp.mpf(1)])
    by_log = got.item() / rate.item() * manifold.curvature.item()
    assert abs(by_log - right) <= 32 * torch.finfo(torch.float64).eps / 2 * yard


@pytest.mark.parametrize("name", ["dist", "logmap", "expmap", "transport", "from_normal"])
@pytest.mark.parametrize("model", [Lorentz, PoincareBall])
def test_forward_mode_and_mapped_derivatives_by_K_are_that_of_one_call(model, name):
    for r in (1e-4, 0.3, 0.6):
        manifold = model(-0.7, learnable=True).double()
        vectors, g = drawn(name, r, torch.float64, 2)
        args = stored(manifold, name, vectors)
        right = curvature_derivative(manifold, name, args, g)
        raw = manifold._magnitude.raw.detach()

        def scalar(raw, args=args, manifold=manifold, g=g):
            pair = {"manifold._magnitude.raw": raw}
            out = torch.func.functional_call(_Called(manifold, name), pair, tuple(args))
            return (out * g[: len(out)]).sum()

        _, forward = torch.func.jvp(scalar, (raw,), (torch.ones_like(raw),))
        assert forward.item() == pytest.approx(right, rel=1e-12, abs=0)
        rows = torch.func.vmap(torch.func.grad(scalar))(raw.expand(2))
        assert rows.tolist() == pytest.approx([right] * 2, rel=1e-12, abs=0)


class _Called(torch.nn.Module):
    def __init__(self, manifold, name):
        super().__init__()
        self.manifold, self.name = manifold, name

    def forward(self, *args):
        return result(self.manifold, self.name, args)


@pytest.mark.parametrize("name", ["dist", "sqdist", "logmap", "expmap", "transport", "midpoint"])
@pytest.mark.parametrize("model", [Lorentz, PoincareBall])
def test_second_derivatives_with_K_are_those_of_finite_differences_of_the_first(model, name):
    vectors, g = drawn(name, 0.3, torch.float64, 4)

    def first(raw, *vectors, create=False):
        manifold = model(-0.9, learnable=True).double()
        args = stored(manifold, name, vectors)
        pair = {"manifold._magnitude.raw": raw}
        out = torch.func.functional_call(_Called(manifold, name), pair, tuple(args))
        scalar = (out * g[: len(out)]).sum()
        return torch.autograd.grad(scalar, (raw, vectors[0]), create_graph=create)

    raw = torch.zeros((), dtype=torch.float64, requires_grad=True)
    leaves = [v.clone().requires_grad_() for v in vectors]
    by_raw, _ = first(raw, *leaves, create=True)
    second = torch.autograd.grad(by_raw, (raw, leaves[0]))
    h = 1e-5
    ups, downs = (first((raw.detach() + s).requires_grad_(), *leaves) for s in (h, -h))
    for exact, up, down in zip(second, ups, downs, strict=True):
        assert torch.allclose(exact, (up - down) / (2 * h), rtol=1e-7, atol=1e-9)


def test_a_hessian_in_K_by_forward_over_reverse_is_that_of_reverse_over_reverse():
    for model in (Lorentz, PoincareBall):
        manifold = model(-0.9, learnable=True).double()
        vectors, _ = drawn("dist", 0.3, torch.float64, 4)
        args = stored(manifold, "dist", vectors)

        def scalar(raw, manifold=manifold, args=args):
            pair = {"manifold._magnitude.raw": raw}
            return torch.func.functional_call(_Called(manifold, "dist"), pair, tuple(args))[0]

        raw = torch.zeros((), dtype=torch.float64)
        twice = torch.func.grad(torch.func.grad(scalar))(raw)
        both = torch.func.hessian(scalar)(raw)
        forwards = torch.func.jacfwd(torch.func.jacfwd(scalar))(raw)
        assert both.item() == pytest.approx(twice.item(), rel=1e-11, abs=0)
        assert forwards.item() == pytest.approx(twice.item(), rel=1e-11, abs=0)


def test_a_product_and_a_checked_manifold_have_the_derivative_of_their_factors():
    vectors, _ = drawn("dist", 1e-4, torch.float64, 0)
    for make in (
        Checked,
        lambda m: Product([m, Euclidean()], dims=[3, 1]),
        lambda m: Product([m, Lorentz(-2.0)], dims=[3, 1]),
    ):
        found = []
        for outer in (lambda m: m, make):
            manifold = Lorentz(-0.7, learnable=True).double()
            space = outer(manifold)
            x, y = (
                v if space is manifold or space._checks else torch.cat([v, 0 * v[:1]])
                for v in vectors
            )
            a, b = space.from_normal(x), space.from_normal(y)
            total = space.dist(a, b) + space.norm(a, space.logmap(a, space.midpoint(a, b)))
            found.append(torch.autograd.grad(total, manifold._magnitude.raw)[0].item())
        assert found[1] == pytest.approx(found[0], rel=1e-11, abs=0)


@pytest.mark.parametrize("logits", ["neg_dist", "neg_sqdist"])
def test_a_contrastive_loss_by_tiles_moves_K_as_one_with_the_whole_table_does(logits):
    generator = torch.Generator().manual_seed(0)
    u, v = 1e-3 * torch.randn(2, 12, 3, generator=generator, dtype=torch.float64)
    for model in (Lorentz, PoincareBall):
        found = []
        for tile in (None, 5):
            manifold = model(-0.7, learnable=True).double()
            x, y = manifold.from_normal(u), manifold.from_normal(v)
            loss = functional.info_nce(x, y, manifold=manifold, scale=1e3, logits=logits, tile=tile)
            found.append(torch.autograd.grad(loss, manifold._magnitude.raw)[0].item())
        # Both as the same loss on the ball in Stereographic's formulas, of K itself.
        space = Stereographic(-0.7, learnable=True).double()
        loss = functional.info_nce(
            space.from_normal(u),
            space.from_normal(v),
            manifold=space,
            scale=1e3,
            logits=logits,
            tile=None,
        )
        (by_k,) = torch.autograd.grad(loss, space._curvature.raw)
        right = -0.7 * by_k.item()
        assert found[0] == pytest.approx(right, rel=1e-9)
        assert found[1] == pytest.approx(right, rel=1e-6)


def test_lengths_far_out_still_have_the_derivative_by_K():
    for dtype, r in ((torch.float64, 100.0), (torch.float32, 20.0)):
        manifold = Lorentz(-1.0, learnable=True).double()
        x = manifold.from_normal(torch.tensor([r, 0.0], dtype=dtype)).detach()
        y = manifold.from_normal(torch.tensor([-r, 0.0], dtype=dtype)).detach()
        (by_raw,) = torch.autograd.grad(manifold.dist(x, y), manifold._magnitude.raw)
        # R 2 asinh(|x|/R) each way: by log R, less twice the tanh of r.
        exact = [2 * mp.asinh(mp.mpf(p[1].item())) for p in (x, -y)]
        right = -float(sum(exact) / 2 - 2 * sum(mp.tanh(d / 2) for d in exact) / 2) / 2
        assert by_raw.item() == pytest.approx(right, rel=16 * torch.finfo(dtype).eps, abs=0)


def test_one_part_of_this_module_is_derived():
    """4 sinh^2(d/2)/k = |x - y|^2 - k m^2, and by k it is -m^2/(T_x T_y), m = (T_x - T_y)/k."""
    import sympy as sp

    k, a, b, c = sp.symbols("k a b c", positive=True)  # |x|^2, |y|^2, x.y
    tx, ty = sp.sqrt(1 + k * a), sp.sqrt(1 + k * b)
    h4 = 2 * (tx * ty - 1 - k * c) / k
    claim = -((tx - ty) ** 2) / (k**2 * tx * ty)
    at = {k: sp.Rational(3, 7), a: sp.Rational(1, 5), b: sp.Rational(2, 3), c: sp.Rational(1, 9)}
    assert sp.simplify(h4 - (a + b - 2 * c - (tx - ty) ** 2 / k)) == 0
    assert abs((sp.diff(h4, k) - claim).subs(at).evalf(40)) < sp.Float("1e-38", 40)
    assert math.isfinite(float(claim.subs(at)))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["float64", "float32"])
def test_a_gradient_nearly_normal_to_the_sphere_leaves_no_normal_part(dtype):
    """As every converged optimiser's is: g = a x and a part across 1e-5 as long."""
    generator = torch.Generator().manual_seed(1)
    space = Sphere(1.0)
    x = space.proj(torch.randn(200, 8, generator=generator, dtype=torch.float64)).to(dtype)
    across = space.proj_tangent(x, torch.randn(200, 8, generator=generator, dtype=dtype))
    result = space.egrad2rgrad(x, 3 * x + 1e-5 * across)
    normal = (x.double() * result.double()).sum(-1).abs()
    assert (normal <= 8 * torch.finfo(dtype).eps * result.double().norm(dim=-1)).all()
