"""Isometries: a group's laws on every manifold; and against exact images, near and far."""

import math

import exact
import mpmath as mp
import pytest
import torch
from cases import CASES, derivatives_of_differences, normals, points, radius, tangent, thinned

from spaceforms.manifolds import (
    Checked,
    Euclidean,
    Isometry,
    Lorentz,
    PoincareBall,
    Sphere,
    Stereographic,
    point_reflection,
    recentre,
    reflection,
    rotation,
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


def orthogonal(n, seed=0, dtype=F64):
    generator = torch.Generator().manual_seed(seed)
    return torch.linalg.qr(torch.randn(n, n, generator=generator, dtype=F64))[0].to(dtype)


def some(manifold, *size, dtype=F64) -> dict[str, Isometry]:
    """One isometry of each kind, and a product of all."""
    p, q = (points(manifold, *size, 3, seed=s, dtype=dtype) for s in (11, 12))
    a = tangent(manifold, p, normals(manifold, *size, 3, seed=13, dtype=dtype)).detach()
    kinds = {
        "translation": translation(manifold, p, q),
        "rotation": rotation(manifold, orthogonal(3, dtype=dtype)),
        "reflection": reflection(manifold, p, a),
        "point reflection": point_reflection(manifold, q),
    }
    product = kinds["translation"]
    for kind in list(kinds.values())[1:]:
        product = product @ kind
    return kinds | {"product": product}


KINDS = list(some(Euclidean()))


def loss(manifold, *x):
    """A bound on exp(r), which amplifies rounding of coordinates; see the exact tests below."""
    far = max(float(manifold.to_normal(y).detach().norm(dim=-1).max()) for y in x) / radius(
        manifold
    )
    return math.exp(far) if manifold.sign < 0 else 1.0 + far


@pytest.mark.parametrize("kind", KINDS)
def test_distances_and_inner_products_are_preserved(manifold, kind):
    x, y = points(manifold, 20, 3, seed=1), points(manifold, 20, 3, seed=2)
    u, v = (tangent(manifold, x, normals(manifold, 20, 3, seed=s)) for s in (3, 4))
    g = some(manifold, 20)[kind]
    gx, gy = g(x), g(y)
    assert manifold.is_point(gx).all()
    # Each of four factors rounds at a point whose coordinates may have lost exp(r) of their digits.
    allowed = 16 * 4 * U[F64] * loss(manifold, x, y, gx, gy) ** 2
    assert ((manifold.dist(gx, gy) - manifold.dist(x, y)).abs() <= allowed * radius(manifold)).all()
    gu, gv = g.push(x, u), g.push(x, v)
    lengths = manifold.norm(x, u) * manifold.norm(x, v)
    error = manifold.inner(gx, gu, gv) - manifold.inner(x, u, v)
    assert (error.abs() <= allowed * lengths).all()
    assert manifold.is_tangent(gx, gu).all()


@pytest.mark.parametrize("kind", KINDS)
def test_push_is_the_derivative_along_a_geodesic_by_a_difference_quotient(manifold, kind):
    x = points(manifold, 10, 3, seed=1, spread=0.7)
    v = tangent(manifold, x, normals(manifold, 10, 3, seed=3)).detach()
    g = some(manifold, 10)[kind]
    step = 1e-4
    there, back = g(manifold.expmap(x, step * v)), g(manifold.expmap(x, -step * v))
    gx, gv = g(x), g.push(x, v)
    quotient = manifold.logmap(gx, there) / (2 * step) - manifold.logmap(gx, back) / (2 * step)
    allowed = 64 * U[F64] * radius(manifold) * loss(manifold, x, gx) ** 2 / step
    assert (manifold.norm(gx, gv - quotient) <= allowed).all()


def test_several_vectors_at_one_point_are_pushed_as_each_by_itself(manifold):
    x = points(manifold, 4, 3)
    u, v = (tangent(manifold, x, normals(manifold, 4, 3, seed=s)).detach() for s in (5, 6))
    g = some(manifold)["product"]
    together = g.push(x, torch.stack([u, v]))
    assert torch.equal(together, torch.stack([g.push(x, u), g.push(x, v)]))


def test_push_is_transport_to_p_on_to_q_and_on_to_the_image(manifold):
    p, q, x = (points(manifold, 10, 3, seed=s, spread=0.7) for s in (1, 2, 3))
    v = tangent(manifold, x, normals(manifold, 10, 3, seed=4)).detach()
    g = translation(manifold, p, q)
    gx = g(x)
    wanted = manifold.transport(x, p, v)
    wanted = manifold.transport(q, gx, manifold.transport(p, q, wanted))
    error = manifold.norm(gx, g.push(x, v) - wanted)
    assert (error <= 64 * U[F64] * loss(manifold, p, q, x, gx) ** 2 * manifold.norm(x, v)).all()


def far_and_pushed(p, q, x, v):
    """The image of x by the translation and, with the metric there, the exact image of v."""
    model = exact.Model(Lorentz())
    p, q, x, v = (model.free(y) for y in (p, q, x, v))
    y = model.point(exact.translation(model, p, q, x))
    p, q, v = model.point(p), model.point(q), model.vector(x, v)
    share = (model.form(v, p) + model.form(v, q)) / (model.form(p, q) - 1)
    twice = -2 * model.form(v, p)
    return model, y, exact.combined((1, v), (-share, p), (twice - share, q))


@pytest.mark.parametrize("dtype", [F64, F32])
@pytest.mark.parametrize("r", [2.0, 10.0])
@pytest.mark.parametrize("kind", ["any", "axis"])
@pytest.mark.parametrize("count", [4, pytest.param(40, marks=pytest.mark.slow)])
def test_push_keeps_its_digits_far_out(dtype, r, kind, count):
    space = Lorentz()
    p, q, x = rounded(space, kind, r, 3 * count, dtype).unflatten(0, (3, count))
    v = space.proj_tangent(x, torch.randn(count, 4, generator=torch.Generator().manual_seed(1)))
    v = v.to(dtype)
    for i in range(count):
        image = translation(space, p[i], q[i]).push(x[i], v[i])
        with mp.workdps(exact.DIGITS):
            args, step, spread = [y.double() for y in (p[i], q[i], x[i], v[i])], 1e-7, 0.0
            model, y, wanted = far_and_pushed(*args)

            def length(w, model=model, y=y):
                w = [exact.dot(y[1:], w[1:]) / y[0], *w[1:]]
                return float(mp.sqrt(abs(model.form(w, w))))

            # The Riemannian spread of the result under roundings of the inputs.
            for k in range(4):
                for j in range(1, 4):
                    moved = [z.clone() for z in args]
                    moved[k][j] *= 1 + step
                    change = exact.combined((1, far_and_pushed(*moved)[2]), (-1, wanted))
                    spread += length(change) / step
            off = length(exact.combined((1, [mp.mpf(0), *model.free(image)]), (-1, wanted)))
        size = length(wanted)
        if spread * U[dtype] < 1e-3 * size:
            assert off <= 8 * U[dtype] * (size + spread)


@pytest.mark.parametrize("kind", KINDS)
def test_the_inverse_undoes_and_products_associate(manifold, kind):
    x = points(manifold, 10, 3, seed=1)
    kinds = some(manifold, 10)
    g, h, k = kinds[kind], kinds["translation"], kinds["rotation"]
    allowed = 128 * U[F64] * loss(manifold, x, g(x)) ** 2 * radius(manifold)
    for same in (g.inverse() @ g, g @ g.inverse(), g.inverse().inverse() @ g.inverse()):
        assert (manifold.dist(same(x), x) <= allowed).all()
    one, other = ((g @ h) @ k)(x), (g @ (h @ k))(x)
    assert torch.equal(one, other)
    assert torch.equal(one, g(h(k(x))))


def test_a_translation_takes_p_to_q_along_their_geodesic_by_parallel_transport(manifold):
    p, q = points(manifold, 20, 3, seed=1, spread=0.7), points(manifold, 20, 3, seed=2, spread=0.7)
    v = tangent(manifold, p, normals(manifold, 20, 3, seed=3))
    g = translation(manifold, p, q)
    near = {"rtol": 1e-13, "atol": 1e-13 * radius(manifold)}  # 450 u; the condition is up to 100
    torch.testing.assert_close(g(p), q, **near)
    torch.testing.assert_close(g.push(p, v), manifold.transport(p, q, v), **near)
    for t in (-0.7, 0.4, 1.3):
        along, moved = manifold.geodesic(p, q, t), manifold.geodesic(p, q, 1 + t)
        torch.testing.assert_close(g(along), moved, rtol=1e-12, atol=1e-12)


def test_no_translation_and_the_zero_normal_are_the_identity(manifold):
    p, x = points(manifold, 10, 3, seed=1), points(manifold, 10, 3, seed=2)
    for g in (translation(manifold, p, p), reflection(manifold, p, torch.zeros_like(p))):
        allowed = 32 * U[F64] * loss(manifold, p, x) ** 2 * radius(manifold)
        assert (manifold.dist(g(x), x) <= allowed).all()


def test_two_point_reflections_are_a_translation(manifold):
    p, q = points(manifold, 20, 3, seed=1), points(manifold, 20, 3, seed=2)
    x = points(manifold, 20, 3, seed=3)
    g = point_reflection(manifold, manifold.midpoint(p, q)) @ point_reflection(manifold, p)
    wanted = translation(manifold, p, q)(x)
    allowed = 64 * U[F64] * loss(manifold, p, q, x, wanted) ** 2 * radius(manifold)
    assert (manifold.dist(g(x), wanted) <= allowed).all()


def test_a_point_reflection_turns_every_geodesic_through_the_point_around(manifold):
    p, v = points(manifold, 20, 3, seed=1), normals(manifold, 20, 3, seed=2, spread=0.7)
    g, v = point_reflection(manifold, p), tangent(manifold, p, v)
    there, back = manifold.expmap(p, v), manifold.expmap(p, -v)
    torch.testing.assert_close(g(p), p, rtol=4 * U[F64], atol=4 * U[F64])
    torch.testing.assert_close(g(there), back, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(g.push(p, v), -v, rtol=1e-13, atol=1e-13)


def test_a_reflection_swaps_two_points_whose_midpoint_it_fixes(manifold):
    x, y = points(manifold, 20, 3, seed=1), points(manifold, 20, 3, seed=2)
    m = manifold.midpoint(x, y)
    g = reflection(manifold, m, manifold.logmap(m, x))
    allowed = 64 * U[F64] * loss(manifold, x, y) ** 2 * radius(manifold)
    assert (manifold.dist(g(x), y) <= allowed).all()
    assert (manifold.dist(g(g(x)), x) <= allowed).all()
    # What is as far from x as from y is on the mirror.
    a = manifold.logmap(m, x)
    v = tangent(manifold, m, normals(manifold, 20, 3, seed=3, spread=0.7))
    share = manifold.inner(m, a, v) / manifold.inner(m, a, a)
    fixed = manifold.expmap(m, v - share.unsqueeze(-1) * a)
    assert (manifold.dist(g(fixed), fixed) <= allowed * loss(manifold, fixed)).all()


def test_a_rotation_multiplies_normal_coordinates(manifold):
    q, v = orthogonal(3), normals(manifold, 20, 3, seed=1)
    moved = rotation(manifold, q)(manifold.from_normal(v))
    torch.testing.assert_close(moved, manifold.from_normal(v @ q.mT), rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("kind", KINDS)
def test_lorentz_and_ball_have_the_same_isometries(kind):
    images = []
    for space in (Lorentz(-0.3), PoincareBall(-0.3)):
        x = points(space, 20, 3, seed=1, spread=0.7)
        images.append(space.to_normal(some(space, 20)[kind](x)))
    # A rounding of the ball's coordinates moves a point by exp(r)/4 of it; four are applied.
    length = radius(Lorentz(-0.3))
    reach = (images[0].norm(dim=-1, keepdim=True) / length).exp()
    assert ((images[0] - images[1]).abs() <= 16 * U[F64] * length * reach).all()


@pytest.mark.parametrize("weighted", [False, True])
def test_recentred_points_have_their_mean_at_the_origin(manifold, weighted):
    x = points(manifold, 2, 9, 3, seed=1, spread=0.5)
    x = translation(manifold, x[:, :1], points(manifold, 1, 3, seed=5))(x)
    weights = torch.rand(2, 9, dtype=F64) if weighted else None
    moved, g = recentre(manifold, x, weights)
    scale = radius(manifold)
    assert (manifold.to_normal(manifold.mean(moved, weights)).abs() <= 200 * U[F64] * scale).all()
    torch.testing.assert_close(moved, g(x), rtol=0, atol=0)
    torch.testing.assert_close(
        manifold.dist(moved[:, 0], moved[:, 1]), manifold.dist(x[:, 0], x[:, 1])
    )
    torch.testing.assert_close(g.inverse()(moved), x, rtol=1e-11, atol=1e-11)


# -- accuracy --------------------------------------------------------------------------------


def rounded(manifold, kind, r, count, dtype):
    """Points of normal coordinates up to r long: anywhere, on an axis, or close to a line."""
    generator = torch.Generator().manual_seed(int(10 * r))
    v = torch.randn(count, 3, generator=generator, dtype=F64)
    v = v / v.norm(dim=-1, keepdim=True) * r * torch.rand(count, 1, generator=generator, dtype=F64)
    v = v * torch.tensor({"any": [1, 1, 1], "axis": [1, 0, 0], "flat": [1, 1e-5, 1e-9]}[kind])
    return manifold.from_normal(v).to(dtype)


EDGE = {("Lorentz", F64): 100.0, ("Lorentz", F32): 20.0} | {
    (name, t): 14.0 if t == F64 else 7.0 for t in U for name in ("Ball", "Stereographic(-1)")
}
# Images beyond are pulled back to the edge of the dtype.
LONGEST = {("Lorentz", F64): 2.0**339, ("Lorentz", F32): 2.0**39} | {
    (name, t): 1 - 8 * U[t] for t in U for name in ("Ball", "Stereographic(-1)")
}


@pytest.mark.parametrize("kind", ["any", "axis", "flat"])
@pytest.mark.parametrize("far", [False, True])
@pytest.mark.parametrize("dtype", [F64, F32])
@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("count", [3, pytest.param(12, marks=pytest.mark.slow)])
def test_images_are_right_to_eight_units_of_what_their_condition_allows(
    name, dtype, far, kind, count
):
    manifold = MODELS[name]
    model = exact.Model(manifold)
    r = EDGE.get((name, dtype), 1.4) if far else 1.4
    p, q, x = rounded(manifold, kind, r, 3 * count, dtype).unflatten(0, (3, count))
    a = manifold.logmap(p, rounded(manifold, kind, 1.0, count, dtype))
    for i in range(count):
        results = [
            (exact.translation, (p[i], q[i], x[i]), translation(manifold, p[i], q[i])(x[i])),
            (exact.point_reflection, (p[i], x[i]), point_reflection(manifold, p[i])(x[i])),
            (exact.reflection, (p[i], a[i], x[i]), reflection(manifold, p[i], a[i])(x[i])),
        ]
        for function, arguments, image in results:
            off, condition, length = exact.units(model, function, arguments, image, U[dtype])
            # Where rounding an input moves the image by its own size there is no condition number.
            if length < LONGEST.get((name, dtype), math.inf) and condition * U[dtype] < 1e-3:
                assert off <= 8


def test_translating_far_points_costs_no_digit_that_the_points_have():
    space = Lorentz()
    # Along an axis the translation is an addition of distances: 100 - 60 + 30, in nats.
    p, q, x = (space.from_normal(torch.tensor([r, 0.0], dtype=F64)) for r in (60.0, 30.0, 100.0))
    image = translation(space, p, q)(x)
    wanted = space.from_normal(torch.tensor([70.0, 0.0], dtype=F64))
    # Each point is known to 100 u, the rounding of its distance.
    torch.testing.assert_close(image, wanted, rtol=4 * 100 * U[F64], atol=0)
    # Farther apart than any tangent vector may be long.
    p, q, x = (space.from_normal(torch.tensor([r, 0.0])) for r in (25.0, 24.0, -25.0))
    assert float(space.to_normal(translation(space, p, q)(x))[0]) == pytest.approx(-26, rel=1e-6)


@pytest.mark.parametrize("dtype", [F64, F32])
@pytest.mark.parametrize("name", ["Ball", "Lorentz"])
def test_images_too_far_out_stop_at_the_edge_in_their_direction(name, dtype):
    space = MODELS[name]
    far = space.from_normal(torch.tensor([300.0, 400.0], dtype=dtype))
    image = point_reflection(space, far)(space.proj(-far))  # three times as far as far
    torch.testing.assert_close(image, far, rtol=8 * U[dtype], atol=0)


# -- a citizen of torch ----------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_matrices_are_linear_isometries_and_multiply(kind):
    for manifold in (Sphere(2.5), Lorentz(-0.3), Euclidean()):
        g, x = some(manifold)[kind], points(manifold, 5, 3, seed=1)
        m = g.matrix()
        y = torch.cat([x, torch.ones(5, 1, dtype=F64)], -1) if manifold.sign == 0 else x
        size = m.abs().max()
        near = {"rtol": 0, "atol": float(64 * U[F64] * size**2)}
        torch.testing.assert_close((y @ m.mT)[..., : x.shape[-1]] / 10, g(x) / 10, **near)
        if manifold.sign:
            form = torch.diag(torch.tensor([manifold.sign, 1, 1, 1], dtype=F64))
            torch.testing.assert_close(m.mT @ form @ m, form, **near)
        h = some(manifold)["translation"]
        n = h.matrix()
        near["atol"] *= float(n.abs().max() ** 2)
        torch.testing.assert_close((g @ h).matrix(), m @ n, **near)


@pytest.mark.parametrize("kind", KINDS)
def test_isometries_come_in_batches_and_broadcast(manifold, kind):
    g = some(manifold, 4, 1)[kind]
    x = points(manifold, 5, 3, seed=1)
    shape = (5, x.shape[-1]) if kind == "rotation" else (4, 5, x.shape[-1])
    assert g(x).shape == g.push(x, torch.zeros_like(x)).shape == shape


def test_a_batch_of_rotations_turns_each_its_own_point(manifold):
    q = torch.stack([orthogonal(3, seed=s) for s in range(4)])
    x = points(manifold, 4, 3, seed=1)
    together = rotation(manifold, q)(x)
    apart = torch.stack([rotation(manifold, q[i])(x[i]) for i in range(4)])
    torch.testing.assert_close(together, apart, rtol=4 * U[F64], atol=4 * U[F64])


@pytest.mark.parametrize(
    "name", ["Euclidean", "Sphere(2.5)", "PoincareBall(-0.3)", "Lorentz(-0.3)"]
)
def test_derivatives_of_all_orders_and_transforms_go_through(name):
    manifold = CASES[name]
    p, q, x = (points(manifold, 1, 2, seed=s, spread=0.9).requires_grad_() for s in range(3))
    a = tangent(manifold, p.detach(), normals(manifold, 1, 2, seed=4)).requires_grad_()

    def images(p, q, a, x):
        # On the manifold whatever the perturbation.
        p, q, x = (manifold.proj(y) for y in (p, q, x))
        a = manifold.proj_tangent(p, a)
        g = translation(manifold, p, q) @ reflection(manifold, p, a) @ point_reflection(manifold, q)
        return manifold.to_normal(g(x))

    assert derivatives_of_differences(images, (p, q, a, x))
    together = torch.func.vmap(images)(p, q, a, x)
    torch.testing.assert_close(together, images(p, q, a, x), rtol=1e-12, atol=1e-12)


def test_a_learnable_curvature_has_the_slope_of_a_difference_quotient():
    u, v, w = (normals(Lorentz(), 3, seed=s) for s in range(3))

    def image(curvature, learnable=False):
        space = Lorentz(curvature, learnable=learnable)
        g = translation(space, space.from_normal(u), space.from_normal(v))
        return space, space.to_normal(g(space.from_normal(w)))[0]

    space, value = image(-0.7, learnable=True)
    (slope,) = torch.autograd.grad(value, space.parameters())  # by log(-K)
    step = 1e-6
    up, down = (image(-0.7 * math.exp(s))[1] for s in (step, -step))
    # The raw parameter is float32.
    assert float(slope) == pytest.approx(float((up - down) / (2 * step)), rel=1e-6)


def _about(manifold, base, q):
    """How to make isometries of each kind about base points."""
    rotated = orthogonal(3, dtype=base.dtype)
    return {
        "translation": lambda: translation(manifold, base, q) @ translation(manifold, q, base),
        "rotation": lambda: rotation(manifold, rotated),
        "reflection": lambda: reflection(manifold, base, manifold.logmap(base, q).detach()),
        "point reflection": lambda: point_reflection(manifold, base),
        "product": lambda: some(manifold, dtype=base.dtype)["product"],
    }


@pytest.mark.parametrize("manifold", thinned(CASES), indirect=True)
@pytest.mark.parametrize("dtype", [pytest.param(F64, marks=pytest.mark.slow), F32])
@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_nan_at_the_corners_nor_is_a_gradient(manifold, kind, dtype):
    origin = manifold.origin(3, dtype=dtype).detach()
    p, q = (points(manifold, 3, seed=s, dtype=dtype) for s in (11, 12))
    tiny, far = (
        manifold.from_normal(torch.full((3,), size, dtype=dtype)).detach()
        for size in (torch.finfo(dtype).tiny, 1.4 if manifold.sign > 0 else 1e4)
    )
    corners = [origin, p, q, tiny, far, -far if manifold.sign else -1e4 * p]
    corners = [manifold.proj(c).detach() for c in corners]
    bases = torch.stack([p, origin, tiny, far]).unsqueeze(1)
    moved = _about(manifold, bases, q.expand_as(bases))[kind]()
    x = torch.stack(corners).repeat(4, 1, 1).requires_grad_()
    image = moved(x)
    assert image.shape == (4, 6, x.shape[-1])
    (gradient,) = torch.autograd.grad(image.sum(), x)
    assert image.isfinite().all()
    assert gradient.isfinite().all()
    assert manifold.is_point(image.detach()).all()
    x = x.detach()
    v = moved.push(x, manifold.proj_tangent(x, torch.ones_like(x)))
    assert v.isfinite().all()


def test_antipodes_are_points_like_others():
    sphere = Sphere()
    p, q = points(sphere, 3, seed=1), points(sphere, 3, seed=2)
    for g in some(sphere).values():
        torch.testing.assert_close(g(-p), -g(p), rtol=0, atol=32 * U[F64])  # four factors
    jacobian = torch.func.jacrev(translation(sphere, p, q))
    torch.testing.assert_close(jacobian(-p), jacobian(p), rtol=0, atol=32 * U[F64])
    torch.testing.assert_close(translation(sphere, p, -p)(p), -p, rtol=0, atol=8 * U[F64])


@pytest.mark.parametrize("kind", KINDS[:-1])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_float32_rounded(manifold, kind, dtype):
    x = points(manifold, 6, 3, seed=1, spread=0.3).to(dtype)
    g, wide = some(manifold, 6, dtype=dtype)[kind], some(manifold, 6, dtype=dtype)[kind]
    for name in {"p", "q", "a"} & set(vars(wide)):
        setattr(wide, name, getattr(wide, name).float())
    wanted = wide(x.float()).to(dtype)
    inside = wanted.norm(dim=-1) < 0.9 * radius(manifold)
    # On a ball not at the edge, which is another in another dtype.
    if manifold.sign < 0 and not isinstance(manifold, Lorentz):
        assert torch.equal(g(x)[inside], wanted[inside])
    else:
        assert torch.equal(g(x), wanted)
    assert g(x.double()).dtype == F64


def test_isometries_compile_into_one_graph():
    space = Lorentz()
    p, q, x = (points(space, 4, 3, seed=s) for s in range(3))

    turn = rotation(space, orthogonal(3))

    def image(p, q, x):
        return turn.compose(translation(space, p, q))(x)

    compiled = torch.compile(image, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(p, q, x), image(p, q, x), rtol=1e-13, atol=1e-13)


def test_what_is_wrong_is_said():
    space, other = Lorentz(), Lorentz()
    p = points(space, 3, seed=1)
    with pytest.raises(ValueError, match=r"translation: q has shape \(3,\) and p has shape \(4,\)"):
        translation(space, p, p[1:])
    with pytest.raises(ValueError, match="expected square matrices"):
        rotation(space, torch.ones(2, 3))
    with pytest.raises(ValueError, match="dimension 3, and q has shape"):
        rotation(space, torch.eye(2))(p)
    with pytest.raises(ValueError, match="q is on meta; expected both on one device"):
        rotation(space, torch.eye(3, device="meta"))(p)
    with pytest.raises(TypeError, match="manifold is a str; expected a Manifold"):
        point_reflection("Lorentz", p)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="one and the same manifold"):
        point_reflection(space, p) @ point_reflection(other, p)
    with pytest.raises(ValueError, match="are not linear in its coordinates"):
        rotation(PoincareBall(), torch.eye(3)).matrix()
    with pytest.raises(ValueError, match="translation: x has 1 of 1 points off the manifold"):
        translation(Checked(Sphere()), torch.eye(3)[0], torch.eye(3)[1])(torch.ones(3))
    assert repr(point_reflection(space, p)) == "PointReflection(Lorentz(curvature=-1))"
