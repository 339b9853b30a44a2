"""Distances to hyperplanes against exact values and by minimisation; reflections; logits."""

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
    hyperplane,
    hyperplane_distance,
    logits,
    reflect,
    signed_distance,
    translation,
)

F64, F32 = torch.float64, torch.float32
U = {F64: 2.0**-53, F32: 2.0**-24}
MODELS = {
    "Euclidean": Euclidean(),
    "Sphere": Sphere(),
    "Ball": PoincareBall(),
    "Lorentz": Lorentz(),
    "Stereographic(-1)": Stereographic(-1.0),
    "Stereographic(0)": Stereographic(0.0),
    "Stereographic(1)": Stereographic(1.0),
}


@pytest.fixture(params=thinned(CASES))
def manifold(request):
    """One of each kind; the others are for `make test-slow`."""
    return CASES[request.param]


def rounding(manifold, *x):
    """What rounding the coordinates of points does to a length: u times exp(r), in the radius."""
    r = radius(manifold)
    far = max(float(manifold.to_normal(y).detach().norm(dim=-1).max()) for y in x) / r
    return U[F64] * r * (math.exp(far) if manifold.sign < 0 else 1 + far)


def plane(manifold, *size, seed=1, spread=0.7):
    p = points(manifold, *size, seed=seed, spread=spread)
    return p, tangent(manifold, p, normals(manifold, *size, seed=seed + 50)).detach()


def on(manifold, p, a, v):
    """The point of the hyperplane where the geodesic with the tangential part of v ends."""
    v = tangent(manifold, p, v)
    share = manifold.inner(p, a, v) / manifold.inner(p, a, a)
    return manifold.expmap(p, v - share.unsqueeze(-1) * a)


# -- the distance ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["Euclidean", "Sphere(2.5)", "PoincareBall(-0.3)", "Lorentz(-0.3)"]
)
def test_the_distance_is_the_least_over_the_line_found_by_golden_section(name):
    # In two dimensions a hyperplane is a geodesic, and distances are mpmath's.
    manifold = CASES[name]
    for seed in range(3):
        p, a = plane(manifold, 2, seed=seed, spread=0.5)
        x = points(manifold, 2, seed=seed + 9, spread=0.5)
        across = tangent(manifold, p, torch.eye(2, dtype=F64))
        across = across - (manifold.inner(p, across, a) / manifold.inner(p, a, a))[:, None] * a
        v = across[manifold.norm(p, across).argmax()]
        v = v / manifold.norm(p, v) * radius(manifold)

        def at(t, p=p, v=v, x=x):
            return reference.dist(manifold, manifold.expmap(p, float(t) * v), x)

        low, high, golden = mp.mpf(-1.5), mp.mpf(1.5), (mp.sqrt(5) - 1) / 2
        for _ in range(45):
            one, other = high - golden * (high - low), low + golden * (high - low)
            low, high = (low, other) if at(one) < at(other) else (one, high)
        assert abs(low) < 1.4  # inside: a minimum
        assert abs(high) < 1.4
        # The search stops at 1e-9, where a minimum is flat to its square.
        least = float(at((low + high) / 2))
        assert float(hyperplane_distance(manifold, x, p, a)) == pytest.approx(
            least, rel=1e-13, abs=0
        )


def test_points_beside_the_plane_are_as_far_from_it_as_they_were_sent(manifold):
    p, a = plane(manifold, 20, 3)
    foot = on(manifold, p, a, normals(manifold, 20, 3, seed=2, spread=0.6))
    # Along the plane a unit normal stays a normal under transport.
    n = manifold.transport(p, foot, a / manifold.norm(p, a).unsqueeze(-1))
    for t in (0.0, 1e-9, -1e-4, 0.5, -1.2, 1.5 if manifold.sign > 0 else 4.0):
        x = manifold.expmap(foot, t * radius(manifold) * n)
        allowed = 32 * rounding(manifold, x, p, foot)
        value = signed_distance(manifold, x, p, a)
        assert ((value - t * radius(manifold)).abs() <= allowed).all()
        assert torch.equal(hyperplane_distance(manifold, x, p, a), value.abs())


def test_the_law_of_sines_holds_in_the_right_angled_triangle(manifold):
    p, a = plane(manifold, 20, 3)
    x = points(manifold, 20, 3, seed=3, spread=0.7)
    v, r = manifold.logmap(p, x), radius(manifold)
    sn = {-1: torch.sinh, 0: torch.as_tensor, 1: torch.sin}[manifold.sign]
    cosine = manifold.inner(p, v, a) / manifold.norm(p, v) / manifold.norm(p, a)
    wanted = sn(manifold.dist(p, x) / r) * cosine
    value = sn(signed_distance(manifold, x, p, a) / r)
    size = sn(manifold.dist(p, x) / r).abs()
    assert ((value - wanted).abs() <= 64 * size * rounding(manifold, p, x) / r).all()


EDGE = {("Lorentz", F64): 100.0, ("Lorentz", F32): 20.0} | {
    (name, t): 14.0 if t == F64 else 7.0 for t in U for name in ("Ball", "Stereographic(-1)")
}


@pytest.mark.parametrize("kind", ["any", "axis", "flat"])
@pytest.mark.parametrize("far", [False, True])
@pytest.mark.parametrize("dtype", [F64, F32])
@pytest.mark.parametrize("name", MODELS)
def test_values_are_right_to_eight_units_of_what_their_condition_allows(name, dtype, far, kind):
    manifold = MODELS[name]
    model = exact.Model(manifold)
    r = EDGE.get((name, dtype), 1.4) if far else 1.4
    generator = torch.Generator().manual_seed(int(10 * r))
    v = torch.randn(30, 3, generator=generator, dtype=F64)
    v = v / v.norm(dim=-1, keepdim=True) * torch.rand(30, 1, generator=generator, dtype=F64)
    v = r * v * torch.tensor({"any": [1, 1, 1], "axis": [1, 0, 0], "flat": [1, 1e-5, 1e-9]}[kind])
    p, x = manifold.from_normal(v).to(dtype).unflatten(0, (2, 15))
    a = tangent(manifold, p, torch.randn(15, 3, generator=generator, dtype=F64)).to(dtype)
    for i in range(15):
        value = signed_distance(manifold, x[i], p[i], a[i])
        off, condition, size = exact.units(
            model, exact.signed_distance, (x[i], p[i], a[i]), value, U[dtype]
        )
        if (
            condition * size * U[dtype] < 1e-3
        ):  # beyond, rounding an input moves the point off the plane
            assert off <= 8


def test_distances_beyond_the_square_root_of_the_largest_number_have_a_gradient():
    space = Lorentz()
    p, x = (space.from_normal(torch.tensor([r, 0.0])) for r in (-26.0, 27.0))
    a = space.transport0(p, torch.tensor([0.0, 1.0, 0.0]))
    x.requires_grad_()
    value = signed_distance(space, x, p, a)  # sinh of it, 5e22, has no square in float32
    (g,) = torch.autograd.grad(value, x)
    assert value.item() == pytest.approx(53, rel=1e-6)
    assert space.norm(x, space.egrad2rgrad(x, g)).item() == pytest.approx(1, rel=1e-5)


def test_the_gradient_has_norm_one_and_points_away_from_the_plane(manifold):
    p, a = plane(manifold, 30, 3)
    x = points(manifold, 30, 3, seed=3, spread=0.7).requires_grad_()
    value = signed_distance(manifold, x, p, a)
    (g,) = torch.autograd.grad(value.sum(), x)
    g = manifold.egrad2rgrad(x, g)
    slack = 256 * rounding(manifold, x, p) / radius(manifold)
    assert ((manifold.norm(x, g) - 1).abs() <= slack).all()
    foot = manifold.expmap(x, -value.unsqueeze(-1) * g)
    assert (signed_distance(manifold, foot, p, a).abs() <= slack * radius(manifold)).all()


def test_isometries_take_hyperplanes_along(manifold):
    p, a = plane(manifold, 20, 3)
    x = points(manifold, 20, 3, seed=3, spread=0.7)
    g = translation(manifold, points(manifold, 3, seed=4), points(manifold, 3, seed=5, spread=0.6))
    one = signed_distance(manifold, x, p, a)
    other = signed_distance(manifold, g(x), g(p), g.push(p, a))
    allowed = 64 * rounding(manifold, x, p, g(x), g(p)) * (1 + one.abs() / radius(manifold)).exp()
    assert ((one - other).abs() <= allowed).all()


@pytest.mark.parametrize("name", ["Euclidean", "PoincareBall(-0.3)", "Lorentz(-0.3)"])
def test_a_reflection_changes_the_sign_and_the_midpoint_is_on_the_plane(name):
    manifold = CASES[name]
    p, a = plane(manifold, 20, 3)
    x = points(manifold, 20, 3, seed=3, spread=0.7)
    y = reflect(manifold, x, p, a)
    allowed = 64 * rounding(manifold, x, y, p)
    one, other = (signed_distance(manifold, z, p, a) for z in (x, y))
    assert ((one + other).abs() <= allowed).all()
    assert ((manifold.dist(x, y) - 2 * one.abs()).abs() <= allowed).all()
    middle = signed_distance(manifold, manifold.midpoint(x, y), p, a)
    assert (middle.abs() <= allowed).all()
    assert (manifold.dist(reflect(manifold, y, p, a), x) <= allowed).all()
    fixed = on(manifold, p, a, normals(manifold, 20, 3, seed=6, spread=0.6))
    assert (manifold.dist(reflect(manifold, fixed, p, a), fixed) <= allowed).all()


def test_the_poles_of_a_great_sphere_are_right_to_the_last_digits():
    sphere = Sphere()
    p, a = torch.tensor([[1.0, 0, 0], [0, 1, 0]], dtype=F64)
    for gap in (0.0, 1e-9, 1e-5, 0.1):
        x = torch.tensor([math.sin(gap), math.cos(gap), 0], dtype=F64)
        value = float(signed_distance(sphere, x, p, a))
        assert value == pytest.approx(math.pi / 2 - gap, rel=4 * U[F64], abs=0)
        assert float(signed_distance(sphere, -x, p, a)) == pytest.approx(
            -value, rel=4 * U[F64], abs=0
        )


@pytest.mark.parametrize("dtype", [F64, F32])
def test_points_that_rounding_left_off_the_sphere_have_the_distance_of_those_on_it(dtype):
    """Next to a pole too, where the chord from p to x says the cosine to no better than 12 u."""
    p, a = torch.eye(3, dtype=dtype)[:2] * (1 - 12 * U[dtype])
    for gap in (0.01, 0.1, 0.5, 1.0, 1.5):
        x = torch.tensor([math.sin(gap), math.cos(gap), 0], dtype=dtype) * (1 - 12 * U[dtype])
        exact_value = mp.atan2(x[1].item(), x[0].item())
        value = float(signed_distance(Sphere(), x, p, a))
        assert value == pytest.approx(float(exact_value), rel=4 * U[dtype], abs=0)


def test_a_hyperplane_from_direction_and_offset_is_that_far_from_the_origin(manifold):
    z = normals(manifold, 20, 3, seed=1)
    offset = torch.linspace(-1.2, 1.2, 20, dtype=F64) * radius(manifold)
    p, a = hyperplane(manifold, z, offset)
    o = manifold.origin(3, dtype=F64)
    value = signed_distance(manifold, o, p, a)
    torch.testing.assert_close(value, -offset, rtol=1e-13, atol=1e-14)
    torch.testing.assert_close(manifold.norm(p, a), z.norm(dim=-1), rtol=1e-13, atol=0)
    # p is the nearest point: the plane is orthogonal to the ray.
    torch.testing.assert_close(manifold.dist(o, p), offset.abs(), rtol=1e-13, atol=1e-14)


# -- logits ---------------------------------------------------------------------------------------


def test_logits_are_lengths_of_normals_times_signed_distances(manifold):
    p, a = plane(manifold, 5, 3)
    x = points(manifold, 2, 7, 3, seed=3, spread=0.7)
    table = logits(manifold, x, p, a)
    assert table.shape == (2, 7, 5)
    for i in range(7):
        for k in range(5):
            value = signed_distance(manifold, x[1, i], p[k], a[k]) * manifold.norm(p[k], a[k])
            torch.testing.assert_close(table[1, i, k], value, rtol=8 * U[F64], atol=0)


def test_on_the_ball_they_are_those_of_hyperbolic_neural_networks():
    # Ganea et al. 2018, equation 25, written out: Moebius addition and all.
    c = 0.3
    ball = PoincareBall(-c)
    p, a = plane(ball, 4, 3)
    x = points(ball, 6, 1, 3, seed=3, spread=0.7)
    px, p2, x2 = -(p * x).sum(-1), (p * p).sum(-1), (x * x).sum(-1)
    left, right = 1 + 2 * c * px + c * x2, 1 - c * p2
    w = (left[..., None] * -p + right[:, None] * x) / (1 + 2 * c * px + c**2 * p2 * x2)[..., None]
    size = a.norm(dim=-1)
    inner = 2 * math.sqrt(c) * (w * a).sum(-1) / ((1 - c * (w * w).sum(-1)) * size)
    wanted = 2 / (1 - c * p2) * size / math.sqrt(c) * inner.asinh()
    torch.testing.assert_close(logits(ball, x[:, 0], p, a), wanted, rtol=1e-10, atol=1e-10)


def test_on_flat_space_they_are_affine():
    space = Euclidean()
    p, a, x = (torch.randn(*s, 3, dtype=F64) for s in ((4,), (4,), (6,)))
    wanted = x @ a.mT - (p * a).sum(-1)
    torch.testing.assert_close(logits(space, x, p, a), wanted, rtol=1e-13, atol=1e-14)


def test_small_curvature_tends_to_flat_space():
    p, a, x = (torch.randn(*s, 3, dtype=F64) for s in ((4,), (4,), (6,)))
    flat = logits(Euclidean(), x, p, a)
    for manifold in (Lorentz(-1e-10), Sphere(1e-10)):
        base = manifold.from_normal(p)
        curved = logits(manifold, manifold.from_normal(x), base, tangent(manifold, base, a))
        torch.testing.assert_close(curved, flat, rtol=1e-8, atol=1e-8)  # |K| r^2 |a| r


@pytest.mark.parametrize("dtype", [F64, F32, torch.bfloat16])
def test_the_matrix_product_is_the_same_within_its_bound(manifold, dtype):
    p, a = (z.to(dtype) for z in plane(manifold, 5, 3))
    x = points(manifold, 2, 7, 3, seed=3, spread=0.7).to(dtype)
    exact_, fast = (logits(manifold, x, p, a, matmul=m) for m in (False, True))
    assert fast.dtype == dtype
    size = manifold.norm(p.double(), a.double()) * radius(manifold)
    u = U.get(dtype, 2.0**-8)
    # float32: each is right to what rounding the points amounts to; bfloat16: computed in float32.
    worth = rounding(manifold, x.double(), p.double()) ** 2 / radius(manifold) ** 2 / U[F64] ** 2
    allowed = 16 * size * U.get(dtype, U[F32]) * worth + 2 * u * exact_.double().abs()
    assert ((exact_.double() - fast.double()).abs() <= allowed).all()
    batched = logits(manifold, x, p.expand(2, 1, 5, -1), a, matmul=True)
    torch.testing.assert_close(batched, fast, rtol=4 * u, atol=1e-12)


# -- a citizen of torch ---------------------------------------------------------------------------


@pytest.mark.parametrize("matmul", [False, True])
@pytest.mark.parametrize(
    "name", ["Euclidean", "Sphere(2.5)", "PoincareBall(-0.3)", "Lorentz(-0.3)"]
)
def test_derivatives_and_transforms_go_through(name, matmul):
    manifold = CASES[name]
    z, x = normals(manifold, 2, 2, seed=1), normals(manifold, 1, 2, seed=2, spread=0.7)
    offset = torch.tensor([0.3, -0.8], dtype=F64)

    def outputs(x, z, offset):
        p, a = hyperplane(manifold, z, offset)
        return logits(manifold, manifold.from_normal(x), p, a, matmul=matmul)

    inputs = [y.requires_grad_() for y in (x, z, offset)]
    assert derivatives_of_differences(outputs, inputs)
    together = torch.func.vmap(outputs, in_dims=(0, None, None))(*inputs)
    torch.testing.assert_close(together, outputs(*inputs), rtol=1e-13, atol=1e-13)


def test_they_compile_into_one_graph():
    space = Lorentz()
    p, a = plane(space, 5, 3)
    x = points(space, 4, 3, seed=3)
    compiled = torch.compile(logits, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(space, x, p, a), logits(space, x, p, a))


@pytest.mark.parametrize("dtype", [F64, F32, torch.bfloat16, torch.float16])
def test_nothing_is_nan_at_the_corners(manifold, dtype):
    p, a = (y.to(dtype) for y in plane(manifold, 3, seed=1))
    o = manifold.origin(3, dtype=dtype).detach()
    far = 1e4 if dtype in U else 3.0
    places = [manifold.from_normal(torch.full((3,), s, dtype=dtype)) for s in (1e-30, 1.0, far)]
    for base, normal in ((p, a), (p, torch.zeros_like(p)), (o, manifold.proj_tangent(o, o + 1))):
        for place in (o, base, *places, *([-base] if manifold.sign > 0 else [])):
            x = place.detach().clone().requires_grad_()
            b, n = (y.detach().clone().requires_grad_() for y in (base, normal))
            for matmul in (False, True):
                value = logits(manifold, x, b[None], n[None], matmul=matmul).sum()
                value = value + signed_distance(manifold, x, b, n)
                assert value.isfinite()
                assert value.dtype == dtype
                for g in torch.autograd.grad(value, (x, b, n)):
                    assert g.isfinite().all()
            assert not normal.any() or signed_distance(manifold, base, base, normal) == 0


def test_what_is_wrong_is_said():
    space = Lorentz()
    p, a = plane(space, 5, 3)
    x = points(space, 7, 3, seed=3)
    with pytest.raises(ValueError, match=r"Lorentz.signed_distance: x has shape \(7, 4\)"):
        signed_distance(space, x, p, a)
    with pytest.raises(ValueError, match=r"Lorentz.logits: p has shape \(4,\); expected a set"):
        logits(space, x, p[0], a[0])
    with pytest.raises(TypeError, match="manifold is a str; expected a Manifold"):
        logits("Lorentz", x, p, a)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="offset is a float; expected a"):
        hyperplane(space, x, 1.0)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="a has 1 of 1 vectors that are not tangent"):
        signed_distance(Checked(Sphere()), torch.eye(3)[0], torch.eye(3)[1], torch.ones(3))
