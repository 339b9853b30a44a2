"""Scores of hyperplanes, points of given distances: at fifty digits, by the papers, through 0."""

import math

import mpmath as mp
import pytest
import torch
from cases import CASES, CHARTS, derivatives_of_differences, normal, value_and_slope

from spaceforms.layers import from_signed_distances, hyperplane_scores
from spaceforms.manifolds import (
    Euclidean,
    Klein,
    Lorentz,
    Manifold,
    PoincareBall,
    Product,
    Sphere,
    Stereographic,
    hyperplane,
    logits,
)

F64, F32 = torch.float64, torch.float32
U = {F64: 2.0**-53, F32: 2.0**-24}
N = 3
KNOWN: dict[str, Manifold] = {**CASES, "Klein(-0.7)": CHARTS["Klein(-0.7)"]}
HYPERBOLIC = {name: m for name, m in KNOWN.items() if m.sign < 0}


def vectors(m: torch.Tensor) -> list[mp.matrix]:
    return [mp.matrix([mp.mpf(float(c)) for c in row]) for row in m]


def exact_score(k: mp.mpf, v: mp.matrix, z: mp.matrix, r: mp.mpf) -> mp.mpf:
    """|z| delta with sn(delta) = sn(|log_p x|) cos(angle to a): by the definition.

    In the flat space around, where x = (cs, sn u) and the form is sign(K) x_0 y_0 + x_s . y_s.
    """
    sign, root = mp.sign(k), mp.sqrt(abs(k))
    cs, sn = (mp.cosh, mp.sinh) if sign < 0 else (mp.cos, mp.sin)
    length = mp.norm(z)
    if k == 0:
        return (mp.fdot(v, z) / length - r) * length

    def along(t: mp.mpf, ray: mp.matrix) -> list[mp.mpf]:
        return [cs(t), *(sn(t) * c for c in ray)]

    def form(x: list[mp.mpf], y: list[mp.mpf]) -> mp.mpf:
        return sign * x[0] * y[0] + mp.fdot(x[1:], y[1:])

    ray, r = z / length, r * root
    x, p = along(mp.norm(v) * root, v / mp.norm(v)), along(r, ray)
    a = [-sign * sn(r), *(cs(r) * c for c in ray)]  # the derivative of p by r
    cosine = sign * form(x, p)
    d = (mp.acosh if sign < 0 else mp.acos)(cosine)
    towards = [(b - cosine * c) / sn(d) for b, c in zip(x, p, strict=True)]
    sine = sn(d) * form(towards, a)
    return (mp.asinh if sign < 0 else mp.asin)(sine) / root * length


@pytest.mark.parametrize("dtype", [F64, F32])
@pytest.mark.parametrize("far", [1e-3, 0.5, 4.0])
@pytest.mark.parametrize("name", KNOWN)
def test_scores_are_those_of_the_definition_at_fifty_digits(name, far, dtype):
    manifold = KNOWN[name]
    k = manifold.curvature.item()
    root = abs(k) ** 0.5 or 1.0
    far = min(far, 1.4) if k > 0 else far
    v = normal(6, N, seed=1, length=far / root, dtype=dtype)
    x = manifold.from_normal(v)
    z, r = normal(4, N, seed=2, dtype=dtype), normal(4, seed=3, dtype=dtype) * 0.5 / root
    found = hyperplane_scores(manifold, x, z, r)
    assert found.dtype == dtype
    points = vectors(manifold.to_normal(x.double()).detach())
    with mp.workdps(50):
        wanted = [
            [
                float(exact_score(mp.mpf(k), p, w, mp.mpf(float(s))))
                for w, s in zip(vectors(z), r, strict=True)
            ]
            for p in points
        ]
    # Rounding the coordinates of x moves it by u e^r R on a hyperbolic space; a sum of n + 1
    # products of size cs(r_x) cs(r_k), six functions after it, all in the dtype at worst.
    size = math.exp(far) * math.cosh(1.5) if k < 0 else 1.0 + far
    bound = 16 * U[dtype] * size / root * z.norm(dim=-1).double()
    assert ((found.double() - torch.tensor(wanted, dtype=F64)).abs() <= bound).all()


@pytest.mark.parametrize("name", KNOWN)
def test_scores_are_the_logits_of_the_hyperplanes(name):
    manifold = KNOWN[name]
    x = manifold.from_normal(0.5 * normal(2, 6, N, seed=1)).detach()
    z, r = normal(4, N, seed=2), 0.4 * normal(4, seed=3)
    wanted = logits(manifold, x, *hyperplane(manifold, z, r))
    # cosh of the farthest point's distance is below 8.
    torch.testing.assert_close(hyperplane_scores(manifold, x, z, r), wanted, rtol=0, atol=1e-13)
    through = hyperplane_scores(manifold, x, z)
    torch.testing.assert_close(through, hyperplane_scores(manifold, x, z, 0 * r), rtol=0, atol=0)


def hyperbolic_networks_plus_plus(x, z, r, c):
    """Equations 6 and 8 of Shimizu et al. 2021 in the ball's coordinates, the scores and the layer.

    Their z and r are in the coordinates of the tangent space at the origin, where the metric is 4:
    half of ours.
    """
    root = c**0.5
    factor = 2 / (1 - c * x.square().sum(-1, keepdim=True))
    length = z.norm(dim=-1)
    inside = factor * root * (x @ (z / length[:, None]).mT) * (2 * root * r).cosh()
    v = 2 * length / root * (inside - (factor - 1) * (2 * root * r).sinh()).asinh()
    w = (root * v).sinh() / root
    return v, w / (1 + (1 + c * w.square().sum(-1, keepdim=True)).sqrt())


@pytest.mark.parametrize("c", [0.4, 1.0, 2.5])
def test_on_the_ball_they_are_those_of_hyperbolic_networks_plus_plus(c):
    ball, space = PoincareBall(-c), Lorentz(-c)
    v = 0.4 * normal(7, N, seed=1)
    z, r = normal(5, N, seed=2), 0.3 * normal(5, seed=3)
    scores, layer = hyperbolic_networks_plus_plus(ball.from_normal(v), z / 2, r / 2, c)
    close = {"rtol": 1e-13, "atol": 1e-14}
    for manifold in (ball, space, Stereographic(-c), Stereographic(-c, learnable=True), Klein(-c)):
        found = hyperplane_scores(manifold, manifold.from_normal(v), z, r)
        torch.testing.assert_close(found, scores, **close)
        y = manifold.to_normal(from_signed_distances(manifold, found))
        torch.testing.assert_close(y, ball.to_normal(layer), **close)


@pytest.mark.parametrize("k", [-1.3, -0.4, 0.4])
def test_they_are_geoopts_scaled_distances_to_planes(k):
    geoopt = pytest.importorskip("geoopt")
    space, theirs = Stereographic(k), geoopt.Stereographic(torch.tensor(k, dtype=F64))
    x = space.from_normal(0.4 * normal(7, N, seed=1))
    z, r = normal(5, N, seed=2), 0.3 * normal(5, seed=3)
    p, a = hyperplane(space, z, r)
    wanted = theirs.dist2plane(x.unsqueeze(-2), p, a, signed=True) * z.norm(dim=-1)
    torch.testing.assert_close(hyperplane_scores(space, x, z, r), wanted, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", KNOWN)
def test_a_point_has_the_distances_that_it_was_made_of(name):
    manifold = KNOWN[name]
    root = abs(manifold.curvature.item()) ** 0.5 or 1.0
    # On the sphere within a right angle/2: here sin^2 of three distances is 0.48 at most.
    d = normal(200, N, seed=1, length=0.69 / root if manifold.sign > 0 else 2.0 / root)
    x = from_signed_distances(manifold, d)
    assert manifold.is_point(x).all()
    back = hyperplane_scores(manifold, x, torch.eye(N, dtype=F64))
    torch.testing.assert_close(back, d, rtol=1e-14, atol=1e-14 * math.cosh(2) / root)


@pytest.mark.parametrize(
    "manifold", [Sphere(2.0), Stereographic(2.0), Stereographic(2.0, learnable=True)]
)
def test_on_the_sphere_what_no_point_has_is_drawn_into_the_hemisphere(manifold):
    r = 2.0**-0.5
    ray = torch.tensor([0.6, 0.0, 0.8], dtype=F64)
    d = (torch.linspace(0, 4, 4001, dtype=F64)[:, None] * ray).requires_grad_()
    x = from_signed_distances(manifold, d)
    v = manifold.to_normal(x)
    length, u = v.norm(dim=-1), ((d / r).clamp(-math.pi / 2, math.pi / 2).sin() ** 2).sum(-1)
    wanted = torch.where(u > 0.5, r * (2 * u).atan(), r * u.clamp(max=0.5).sqrt().asin())
    torch.testing.assert_close(length, wanted, rtol=1e-13, atol=1e-13)
    assert (length < math.pi / 2 * r).all()
    (slope,) = torch.autograd.grad(length[1:].sum(), d)
    along = (slope[1:] * ray).sum(-1)
    # No slope is above that at the joint, 2/sqrt 2 sn cs', and steps of 1e-3 change it by 1e-2.
    assert along.isfinite().all()
    assert along.abs().max() < 2
    assert along.diff().abs().max() < 1e-2


def test_through_flat_space_both_are_continuous_with_their_derivative_by_curvature():
    z, r, x = normal(4, N, seed=2), 0.3 * normal(4, seed=3), 0.4 * normal(5, N, seed=1)
    d = 0.4 * normal(5, N, seed=4)

    def scores(m, x):
        return hyperplane_scores(m, x, z, r)

    for function, argument in ((scores, x), (from_signed_distances, d)):
        value, slope = value_and_slope(function, 0.0, argument)
        h = 1e-4  # the quotients are off by h times a second derivative of about 1
        ahead, behind = (function(Stereographic(k), argument).flatten() for k in (h, -h))
        torch.testing.assert_close((ahead - value) / h, slope, rtol=0, atol=4 * h)
        torch.testing.assert_close((value - behind) / h, slope, rtol=0, atol=4 * h)
        torch.testing.assert_close((ahead - behind) / (2 * h), slope, rtol=0, atol=10 * h * h)


@pytest.mark.parametrize("k", [-0.8, -0.05, 0.0, 0.05, 0.8])
def test_derivatives_are_those_of_differences_by_points_hyperplanes_and_curvature(k):
    space = Stereographic(k, learnable=True).double()
    (raw,) = space.parameters()
    given = [0.3 * normal(3, N, seed=1), normal(2, N, seed=2), 0.3 * normal(2, seed=3)]

    def both(raw, x, z, r):
        scores = torch.func.functional_call(
            _Scores(space), {"space._curvature.raw": raw}, (x, z, r)
        )
        return scores, from_signed_distances(space, scores)

    inputs = [raw.detach().clone().requires_grad_(), *(t.requires_grad_() for t in given)]
    assert derivatives_of_differences(both, inputs)


class _Scores(torch.nn.Module):
    def __init__(self, space):
        super().__init__()
        self.space = space

    def forward(self, x, z, r):
        return hyperplane_scores(self.space, x, z, r)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, F32, F64])
@pytest.mark.parametrize("name", KNOWN)
def test_what_is_far_out_is_finite_and_a_point(name, dtype):
    manifold = KNOWN[name]
    d = torch.tensor([[500.0, -3.0, 1e4], [0.0, 0.0, 0.0], [6e4, 6e4, -6e4]], dtype=dtype)
    d.requires_grad_()
    x = from_signed_distances(manifold, d)
    assert x.dtype == dtype
    assert x.isfinite().all()
    assert manifold.is_point(x).all()
    z, r = torch.eye(N, dtype=dtype), torch.tensor([0.0, 90.0, -300.0], dtype=dtype)
    v = hyperplane_scores(manifold, x, z, r)
    assert v.dtype == dtype
    assert v.isfinite().all()
    (slope,) = torch.autograd.grad(v.sum(), d)
    assert slope.isfinite().all()


def test_those_of_a_product_are_the_sum_over_its_factors():
    space = Product(
        [Lorentz(-0.5), Sphere(0.4), Klein(-0.3), Product([Euclidean(), Stereographic(0.2)])],
        dims=[2, 1, 2, 2],
        weights=[1.0, 2.0, 0.5, 3.0],
    )
    leaves = [*space.factors[:3], *space.factors[3].factors]
    scale = torch.tensor([1.0, 2.0, 0.5, 3.0, 3.0]).double().sqrt()
    v, z, r = 0.4 * normal(6, 7, seed=1), normal(4, 7, seed=2), 0.3 * normal(4, 5, seed=3)
    x = space.from_normal(v)
    total, sizes = 0, [2, 1, 2, 1, 1]
    for m, c, u, w, o in zip(
        leaves, scale, v.split(sizes, -1), z.split(sizes, -1), r.T, strict=True
    ):
        total = total + c * hyperplane_scores(m, m.from_normal(u / c), w, o / c)
    found = hyperplane_scores(space, x, z, r)
    torch.testing.assert_close(found, total, rtol=1e-13, atol=1e-13)
    # And they are the logits of the library's own hyperplanes, of each factor.
    planes = [
        hyperplane(m, w / c, o / c)
        for m, c, w, o in zip(leaves, scale, z.split(sizes, -1), r.T, strict=True)
    ]
    p, a = (torch.cat(parts, -1) for parts in zip(*planes, strict=True))
    torch.testing.assert_close(found, logits(space, x, p, a), rtol=1e-13, atol=1e-13)
    d = 0.2 * normal(6, 7, seed=4)
    y = from_signed_distances(space, d)
    parts = [
        from_signed_distances(m, u / c)
        for m, c, u in zip(leaves, scale, d.split(sizes, -1), strict=True)
    ]
    torch.testing.assert_close(y, torch.cat(parts, -1), rtol=4 * U[F64], atol=4 * U[F64])


def test_what_does_not_fit_gets_a_sentence():
    space, x, z = Lorentz(), Lorentz().origin(3), torch.eye(3)
    with pytest.raises(ValueError, match=r"direction has shape \(3, 3\) .* dimension 2; expected"):
        hyperplane_scores(space, Lorentz().origin(2), z)
    with pytest.raises(ValueError, match=r"offset has shape \(2,\) for 3 directions .*\(3,\)"):
        hyperplane_scores(space, x, z, torch.zeros(2))
    with pytest.raises(NotImplementedError, match=r"hyperplane_scores.*metric l1"):
        hyperplane_scores(Product([space, space], metric="l1"), torch.cat([x, x]), torch.eye(6))
    with pytest.raises(TypeError, match=r"from_signed_distances: manifold is a str"):
        from_signed_distances("Lorentz", x)
