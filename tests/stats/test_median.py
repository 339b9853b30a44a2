"""The geometric median against brute minimisation, its optimality test, and its derivatives."""

import math

import mpmath as mp
import pytest
import torch
from cases import CASES, normals, points, radius, thinned

from spaceforms.manifolds import Euclidean, Lorentz, PoincareBall, Sphere
from spaceforms.stats import geometric_median

F64 = torch.float64
EPS = torch.finfo(F64).eps
FIXED = [name for name in CASES if "learnable" not in name]


def weights(*size: int, seed: int = 7) -> torch.Tensor:
    return torch.rand(*size, generator=torch.Generator().manual_seed(seed), dtype=F64) + 0.2


def excess(manifold, m, x, w):
    """Pull of the unit vectors less the weight at m: 0 at a median, unless it is a point: below."""
    w = (w / w.sum(-1, keepdim=True)).unsqueeze(-1)
    logs = manifold.logmap(m.unsqueeze(-2), x)
    d = manifold.norm(m.unsqueeze(-2), logs).unsqueeze(-1)
    here = d == 0
    pull = (w * logs / d.where(~here, 1.0)).sum(-2)
    return manifold.norm(m, pull) - w.where(here, 0.0).sum((-1, -2))


@pytest.mark.parametrize("dtype", [torch.float32, F64])
@pytest.mark.parametrize("r", [pytest.param(1e-3, marks=pytest.mark.slow), 0.5, 4.0])
@pytest.mark.parametrize("name", thinned(FIXED))
def test_the_pull_of_the_points_is_in_balance_at_the_median(name, r, dtype):
    manifold = CASES[name]
    spread = r if manifold.sign <= 0 else 0.5 * min(r, 1.0)
    on = 0
    for k in (3, 4, 9, 40):
        x, w = points(manifold, 20, k, 3, seed=k, spread=spread).to(dtype), weights(20, k).to(dtype)
        m = geometric_median(manifold, x, w)
        m, x = m.double(), x.double()
        left = excess(manifold, m, x, w.double())
        vertex = (m.unsqueeze(-2) == x).all(-1).any(-1)
        assert (left[vertex] <= 8 * torch.finfo(dtype).eps).all()
        # The direction to a point turns by an error of position over its distance (or, far out,
        # by that error itself); the position's error is eps cosh r.
        d = manifold.dist(m.unsqueeze(-2), x).amin(-1) / radius(manifold)
        size = manifold.to_normal(m).norm(dim=-1) / radius(manifold)
        turn = size.cosh() * (1 + size / d)
        assert (left / turn)[~vertex].abs().max() < 4 * torch.finfo(dtype).eps
        on += int(vertex.sum())
    assert 5 < on < 60  # both kinds were met


def cost(manifold, x, w):
    """Sum of distances at 40 digits, from the definition, of two normal coordinates."""

    def embedded(v):
        r = mp.sqrt(v[0] ** 2 + v[1] ** 2)
        cs, sn = {1: (mp.cos, mp.sin), 0: (mp.mpf, mp.mpf), -1: (mp.cosh, mp.sinh)}[manifold.sign]
        return [cs(r), sn(r) / r * v[0], sn(r) / r * v[1]]

    at = [embedded([mp.mpf(float(c)) for c in v]) for v in x]

    def total(a, b):
        p = embedded([a, b])
        terms = []
        for q, weight in zip(at, w, strict=True):
            inner = p[1] * q[1] + p[2] * q[2]
            if manifold.sign == 0:
                d = mp.sqrt((p[1] - q[1]) ** 2 + (p[2] - q[2]) ** 2)
            elif manifold.sign > 0:
                d = mp.acos(p[0] * q[0] + inner)
            else:
                d = mp.acosh(p[0] * q[0] - inner)
            terms.append(mp.mpf(float(weight)) * d)
        return mp.fsum(terms)

    return total


@pytest.mark.parametrize("manifold", [Euclidean(), Sphere(), Lorentz(), PoincareBall()], ids=str)
def test_the_median_is_the_minimum_that_high_precision_finds(manifold):
    v = normals(manifold, 5, 2, seed=5, spread=0.8)
    w = weights(5)
    m = manifold.to_normal(geometric_median(manifold, manifold.from_normal(v), w))
    with mp.workdps(40):
        total = cost(manifold, v, w)

        def gradient(a, b):
            return [mp.diff(total, (a, b), (1, 0)), mp.diff(total, (a, b), (0, 1))]

        start = [float(c) + 0.01 for c in m]
        wanted = mp.findroot(gradient, start, tol=1e-30, maxsteps=10)
        assert max(abs(a - float(c)) for a, c in zip(wanted, m, strict=True)) < 128 * EPS


@pytest.mark.parametrize("name", FIXED)
def test_a_point_of_more_than_half_the_weight_is_the_median(name):
    manifold = CASES[name]
    x = points(manifold, 5, 3, seed=1, spread=0.7)
    w = torch.tensor([1.0, 1.0, 5.0, 1.0, 1.0], dtype=F64)
    assert torch.equal(geometric_median(manifold, x, w), x[2])
    # And so is one that most of the points share.
    shared = torch.cat([x, x[3:4].expand(5, -1)])
    assert torch.equal(geometric_median(manifold, shared), x[3])


@pytest.mark.parametrize("name", FIXED)
def test_three_legs_of_equal_length_meet_at_the_origin(name):
    """Fermat's point of a regular triangle; the leg may be a lot longer than the others."""
    manifold = CASES[name]
    angle = torch.arange(3, dtype=F64) * 2 * math.pi / 3
    legs = torch.tensor([1.0, 1.0, 1.3], dtype=F64)[:, None] * radius(manifold)
    x = manifold.from_normal(legs * torch.stack([angle.cos(), angle.sin()], -1))
    m = manifold.to_normal(geometric_median(manifold, x))
    assert m.abs().max() < 16 * EPS * radius(manifold)


@pytest.mark.parametrize(("manifold", "r"), [(Lorentz(), 100.0), (PoincareBall(), 30.0)])
def test_three_far_legs_meet_at_the_origin(manifold, r):
    angle = torch.arange(3, dtype=F64) * 2 * math.pi / 3
    legs = torch.tensor([1.0, 0.7, 0.5], dtype=F64)[:, None] * r
    x = manifold.from_normal(legs * torch.stack([angle.cos(), angle.sin()], -1))
    m = manifold.to_normal(geometric_median(manifold, x))
    # On the ball a direction is rounded to eps; on both a pull to a few eps, its slope being 1.
    assert m.abs().max() < 64 * EPS


@pytest.mark.parametrize("name", FIXED)
def test_one_point_two_points_and_equal_points(name):
    manifold = CASES[name]
    x = points(manifold, 6, 3, seed=1, spread=0.7)
    assert torch.equal(geometric_median(manifold, x[:, None]), x)
    assert torch.equal(geometric_median(manifold, x[:, None].expand(6, 4, -1)), x)
    two = geometric_median(manifold, x[:2])
    assert torch.equal(two, x[0]) or torch.equal(two, x[1])
    heavy = geometric_median(manifold, x[:2], torch.tensor([1.0, 1.01], dtype=F64))
    assert torch.equal(heavy, x[1])


@pytest.mark.parametrize("name", FIXED)
def test_points_on_a_geodesic_have_the_middle_one_or_an_end_of_the_middle_segment(name):
    manifold = CASES[name]
    a, b = points(manifold, 2, 3, seed=3, spread=0.7)
    time = torch.tensor([0.0, 0.1, 0.45, 0.8, 1.0], dtype=F64)
    x = manifold.geodesic(a, b, time)
    assert torch.equal(geometric_median(manifold, x), x[2])
    even = geometric_median(manifold, x[[0, 1, 3, 4]])
    least = manifold.dist(x[1], x[[0, 1, 3, 4]]).sum()
    assert manifold.dist(even, x[[0, 1, 3, 4]]).sum() <= least * (1 + 8 * EPS)


def test_antipodes_and_points_around_a_sphere_have_a_finite_median_and_gradient():
    x = torch.tensor([[1.0, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0]], dtype=F64).requires_grad_()
    for points_ in (x[:2], x):
        m = geometric_median(Sphere(), points_)
        (gradient,) = torch.autograd.grad(m.sum(), x)
        assert Sphere().is_point(m)
        assert gradient.isfinite().all()


@pytest.mark.parametrize("name", FIXED)
def test_a_rotation_about_the_origin_takes_the_median_along(name):
    manifold = CASES[name]
    v, w = normals(manifold, 8, 7, 3, seed=2, spread=0.7), weights(8, 7)
    generator = torch.Generator().manual_seed(1)
    turn = torch.linalg.qr(torch.randn(3, 3, generator=generator, dtype=F64))[0]
    m = manifold.to_normal(geometric_median(manifold, manifold.from_normal(v), w))
    turned = manifold.to_normal(geometric_median(manifold, manifold.from_normal(v @ turn), w))
    torch.testing.assert_close(m @ turn, turned, rtol=256 * EPS, atol=256 * EPS)


@pytest.mark.parametrize("name", FIXED)
def test_the_median_differentiates_implicitly(name):
    manifold = CASES[name]
    v = normals(manifold, 7, 2, seed=11, spread=0.6).requires_grad_()
    w = weights(7).requires_grad_()

    def median(v, w):
        return manifold.to_normal(geometric_median(manifold, manifold.from_normal(v), w))

    assert (median(v, w)[None] != v).all()
    assert torch.autograd.gradcheck(median, (v, w), fast_mode=True)
    # At a point: the identity in that point.
    heavy = torch.tensor([1.0, 1, 9, 1, 1, 1, 1], dtype=F64)
    jacobian = torch.autograd.functional.jacobian(lambda v: median(v, heavy), v)
    wanted = torch.zeros(2, 7, 2, dtype=F64)
    wanted[:, 2] = torch.eye(2, dtype=F64)
    torch.testing.assert_close(jacobian, wanted, rtol=0, atol=64 * EPS)


def test_an_outlier_does_not_move_the_median_far():
    x = points(Lorentz(), 9, 3, seed=1, spread=0.3)
    out = Lorentz().from_normal(torch.tensor([[200.0, 0.0, 0.0]], dtype=F64))
    with_it = torch.cat([x, out])
    mean, median = Lorentz().mean(with_it), geometric_median(Lorentz(), with_it)
    assert Lorentz().dist(median, Lorentz().mean(x)) < 0.5
    assert Lorentz().dist(mean, Lorentz().mean(x)) > 3


def test_what_is_wrong_gets_a_sentence():
    x = points(Lorentz(), 4, 3)
    with pytest.raises(ValueError, match=r"geometric_median: of 4 weights 1 are negative"):
        geometric_median(Lorentz(), x, torch.tensor([1.0, -1.0, 1.0, 1.0]))
    with pytest.raises(ValueError, match=r"positive, finite sum"):
        geometric_median(Lorentz(), x, torch.zeros(4))
    with pytest.raises(ValueError, match=r"geometric_median: x has shape \(4,\); expected a set"):
        geometric_median(Lorentz(), x[0])
