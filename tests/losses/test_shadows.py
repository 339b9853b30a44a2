"""Shadows against rays and balls, disks against points of balls, both as orders."""

import math

import mpmath as mp
import pytest
import torch
from torch.autograd import gradcheck

from spaceforms.losses import (
    disk_distance,
    disk_ranking,
    shadow_distance,
    shadow_ranking,
)
from spaceforms.manifolds import (
    Euclidean,
    Lorentz,
    PoincareBall,
    Product,
    Sphere,
    Stereographic,
)

F64 = torch.float64
SPACES = [
    Lorentz(-1.0),
    PoincareBall(-0.7),
    Euclidean(),
    Sphere(0.8),
    Stereographic(-0.5),
    Stereographic(0.4),
]
KINDS = ("umbral", "penumbral")
over_spaces = pytest.mark.parametrize("space", SPACES, ids=str)


def drawn(space, count, n, *, low, high, seed=0):
    """Points whose distances from the origin lie in [low, high]."""
    generator = torch.Generator().manual_seed(seed)
    v = torch.randn(count, n, generator=generator, dtype=F64)
    r = low + (high - low) * torch.rand(count, 1, generator=generator, dtype=F64)
    return space.from_normal(v / v.norm(dim=-1, keepdim=True) * r)


def sphere_about(space, centre, radius, count=720):
    """Points of a plane's circle of a radius about a point (m,)."""
    turn = torch.arange(count, dtype=F64) * (2 * math.pi / count)
    circle = radius * torch.stack([turn.cos(), turn.sin()], dim=-1)
    moved = space.transport0(centre, space.logmap0(space.from_normal(circle)))
    return space.expmap(centre, moved)


def angle_of(space, x):
    v = space.to_normal(x)
    return torch.atan2(v[..., 1], v[..., 0])


def turned(angle):
    """An angle between -pi and pi."""
    return torch.remainder(angle + math.pi, 2 * math.pi) - math.pi


@over_spaces
def test_umbral_is_that_a_ball_lies_in_the_shadow_of_another(space):
    size = 0.15
    parents = drawn(space, 5, 2, low=0.3, high=0.6)
    children = drawn(space, 5, 2, low=0.8, high=1.4, seed=1)
    middle = angle_of(space, parents)
    shade, ball = (
        torch.stack([angle_of(space, sphere_about(space, x, size)) for x in points])
        for points in (parents, children)
    )
    width = turned(shade - middle[:, None]).abs().amax(-1)
    reach = turned(ball - middle[:, None, None]).abs().amax(-1)
    margin = width[:, None] - reach
    found = shadow_distance(parents[:, None], children, manifold=space, size=size)
    clear = margin.abs() > 1e-3  # the angle between neighbours on the circles
    assert ((found < 0) == (margin > 0))[clear].all()
    assert 1 <= (found < 0)[clear].sum() < 20


@over_spaces
def test_penumbral_is_that_a_tangent_to_the_light_goes_by(space):
    # In the plane: the child is in the cone iff the geodesic from it through the parent goes on
    # inwards and meets the light, a ball about the origin.
    size = 0.3
    parents = drawn(space, 5, 2, low=0.5, high=0.7)[:, None]
    children = drawn(space, 8, 2, low=0.8, high=1.3, seed=1)
    t = 1 + torch.linspace(0, 1.2, 500, dtype=F64) / space.dist(parents, children)[..., None]
    way = space.geodesic(children[:, None], parents[..., None, :], t)
    away = space.dist(way, space.origin(2, dtype=F64))
    margin = size - away.amin(-1)
    inwards = away[..., 1] < away[..., 0]
    found = shadow_distance(parents, children, manifold=space, shadow="penumbral", size=size)
    clear = margin.abs() > 1e-3
    assert ((found < 0) == ((margin > 0) & inwards))[clear].all()
    assert 1 <= (found < 0)[clear].sum() < 35


def _edge(space, shadow, size, r_p, s):
    """(r, angle) of the point of the edge at parameter s >= 0, for a parent on the first axis, by
    the law of cosines at 30 digits."""
    k = mp.mpf(float(space.curvature))
    root = mp.sqrt(abs(k))
    sn = (
        (lambda t: mp.sin(root * t) / root)
        if k > 0
        else (lambda t: mp.sinh(root * t) / root)
        if k < 0
        else (lambda t: t)
    )
    alpha = mp.asin(sn(size) / sn(r_p))
    if shadow == "umbral":  # at distance r_p + s, where a ball just touches the shadow's edge
        return r_p + s, alpha - mp.asin(sn(size) / sn(r_p + s))
    # s along the geodesic that leaves the parent at alpha from the outward ray.
    r = _third(k, r_p, s, mp.pi - alpha)
    return r, mp.asin(mp.sin(mp.pi - alpha) * sn(s) / sn(r)) if s else mp.mpf(0)


def _third(k, a, b, angle):
    """The side across an angle between two others."""
    if k == 0:
        return mp.sqrt(a * a + b * b - 2 * a * b * mp.cos(angle))
    root = mp.sqrt(abs(k))
    a, b = root * a, root * b
    if k < 0:
        return mp.acosh(mp.cosh(a) * mp.cosh(b) - mp.sinh(a) * mp.sinh(b) * mp.cos(angle)) / root
    return mp.acos(mp.cos(a) * mp.cos(b) + mp.sin(a) * mp.sin(b) * mp.cos(angle)) / root


@pytest.mark.parametrize("shadow", KINDS)
@over_spaces
def test_the_length_is_the_shortest_way_to_the_edge(space, shadow):
    size, r_p = 0.25, 0.6
    k = mp.mpf(float(space.curvature))
    children = [(0.5, 0.1), (0.9, 0.05), (0.9, 0.5), (1.2, 0.9), (0.7, 2.5)]
    parent = space.from_normal(torch.tensor([r_p, 0.0], dtype=F64))
    with mp.workdps(30):
        for r, angle in children:

            def way(s, r=r, angle=angle):
                edge, at = _edge(space, shadow, mp.mpf(size), mp.mpf(r_p), s)
                return _third(k, mp.mpf(r), edge, mp.mpf(angle) - at)

            low, high = mp.mpf(0), mp.mpf("0.8")
            for _ in range(60):  # the way is convex in s, or shortest at the parent
                one, two = low + (high - low) / 3, high - (high - low) / 3
                low, high = (low, two) if way(one) < way(two) else (one, high)
            wanted = float(way((low + high) / 2))
            v = torch.tensor([r * math.cos(angle), r * math.sin(angle)], dtype=F64)
            c = space.from_normal(v)
            found = float(shadow_distance(parent, c, manifold=space, shadow=shadow, size=size))
            assert abs(found) == pytest.approx(wanted, abs=2e-9)


@pytest.mark.parametrize("shadow", KINDS)
@over_spaces
def test_shadows_are_an_order(space, shadow):
    x = drawn(space, 60, 3, low=0.35, high=1.2)
    table = shadow_distance(x[:, None], x, manifold=space, shadow=shadow, size=0.3)
    within = table <= 1e-12
    assert within.diagonal().all()
    assert 60 < within.sum() < 1800
    both = (within.double() @ within.double()) > 0
    assert (within | ~both).all()  # what two steps reach, one reaches
    assert not (within & within.T & ~torch.eye(60, dtype=torch.bool)).any()


@over_spaces
def test_the_penumbral_cone_is_that_of_entailment(space):
    size, root = 0.4, abs(float(space.curvature)) ** 0.5
    sn = {-1: math.sinh, 0: float, 1: math.sin}[space.sign](size * (root or 1.0))
    if isinstance(space, Stereographic):  # whose cones are in its own unit of length
        sn /= root
    x, y = (drawn(space, 400, 2, low=0.1, high=1.2, seed=s) for s in (0, 1))
    angle, aperture = (t.squeeze(-1) for t in space.cones(x, y, sn / 2))
    found = shadow_distance(x, y, manifold=space, shadow="penumbral", size=size)
    clear = (angle - aperture).abs() > 1e-9
    assert ((found < 0) == (angle < aperture))[clear].all()
    assert 20 < (found < 0).sum() < 380


@pytest.mark.parametrize("shadow", KINDS)
@over_spaces
def test_derivatives_are_those_of_the_lengths(space, shadow):
    x = drawn(space, 4, 2, low=0.4, high=0.7).requires_grad_()
    y = drawn(space, 4, 2, low=0.8, high=1.2, seed=1).requires_grad_()

    def length(x, y):
        return shadow_distance(space.proj(x), space.proj(y), manifold=space, shadow=shadow)

    assert gradcheck(length, (x, y))
    still = space.origin(2, dtype=F64).expand(3, -1).clone().requires_grad_()
    shadow_distance(still, still, manifold=space, shadow=shadow).sum().backward()
    assert still.grad.isfinite().all()


@over_spaces
def test_disks_are_balls_of_points_in_balls(space):
    points = drawn(space, 6, 2, low=0.0, high=0.5)
    radii = torch.tensor([0.05, 0.6, 0.1, 0.4, 0.2, 0.7], dtype=F64)
    circles = torch.stack(
        [sphere_about(space, c, float(s)) for c, s in zip(points, radii, strict=True)]
    )
    out = space.dist(points[:, None, None], circles).amax(-1) - radii[:, None]
    found = disk_distance(points[:, None], points, radii[:, None], radii, manifold=space)
    torch.testing.assert_close(found, out, rtol=0, atol=5e-5)  # of a circle in 720 parts
    assert 6 < (found < 0).sum() < 30


def test_disks_are_an_order_whatever_the_signs_of_radii():
    space = Product([Lorentz(-1.0), Euclidean()], dims=[2, 2])
    generator = torch.Generator().manual_seed(0)
    x = space.from_normal(torch.randn(50, 4, generator=generator, dtype=F64))
    r = 3 * torch.randn(50, generator=generator, dtype=F64)
    table = disk_distance(x[:, None], x, r[:, None], r, manifold=space)
    within = table <= 0
    assert 50 < within.sum() < 1500
    assert (within | ~((within.double() @ within.double()) > 0)).all()


@pytest.mark.parametrize("shadow", KINDS)
def test_rankings_are_their_sums(shadow):
    space = Lorentz(-1.0)
    x = drawn(space, 20, 3, low=0.3, high=2.0)
    p, c, q, d = x[:5], x[5:10], x[:5, None], x[10:20].reshape(5, 2, -1)
    options = {"manifold": space, "shadow": shadow, "size": 0.2}
    found = shadow_ranking(p, c, q, d, margin=0.7, reduction="none", **options)
    for i in range(5):
        wanted = max(0.0, float(shadow_distance(p[i], c[i], **options)))
        for j in range(2):
            wanted += max(0.0, 0.7 - float(shadow_distance(p[i], d[i, j], **options)))
        assert float(found[i]) == pytest.approx(wanted, rel=1e-12, abs=0)
    r = torch.linspace(-1, 1, 20, dtype=F64)
    found = disk_ranking(
        *(p, c, r[:5], r[5:10], q, d, r[:5, None], r[10:20].reshape(5, 2)),
        manifold=space,
        margin=0.7,
        reduction="none",
    )
    for i in range(5):
        wanted = max(0.0, float(space.dist(p[i], c[i]) - r[i] + r[5 + i]))
        for j in range(2):
            away = space.dist(p[i], d[i, j]) - r[i] + r[10 + 2 * i + j]
            wanted += max(0.0, 0.7 - float(away))
        assert float(found[i]) == pytest.approx(wanted, rel=1e-12, abs=0)


X = torch.tensor([0.3, 0.4])
R = torch.tensor(0.1)
BALL = PoincareBall()


@pytest.mark.parametrize(
    ("call", "kind", "sentence"),
    [
        (
            lambda: shadow_distance(X, X, manifold=Product([Euclidean()])),
            TypeError,
            r"expected a space of one curvature: its factors have no light in common",
        ),
        (
            lambda: shadow_distance(X, X, manifold=BALL, shadow="dark"),
            ValueError,
            r"shadow is 'dark'; expected one of umbral, penumbral",
        ),
        (
            lambda: shadow_distance(X, X, manifold=BALL, size=0),
            ValueError,
            r"size is 0; expected a positive length",
        ),
        (
            lambda: shadow_ranking(X, X, X, X, manifold=BALL),
            ValueError,
            r"expected an axis more",
        ),
        (
            lambda: disk_ranking(X, X, R, R, X, X[None], R, R[None], manifold=BALL, margin=0),
            ValueError,
            r"disk_ranking: margin is 0; expected a positive",
        ),
        (
            lambda: disk_distance(X, X, torch.zeros(4), torch.zeros(4, 1), manifold=BALL),
            ValueError,
            r"broadcast to a table",
        ),
    ],
)
def test_refusals_are_sentences(call, kind, sentence):
    with pytest.raises(kind, match=sentence):
        call()
