"""The Fréchet mean far out, from any start, and where there is none."""

import math

import pytest
import torch
from cases import CASES, normals, once, points, radius
from torch.autograd import gradcheck

from spaceforms.manifolds import Lorentz, PoincareBall, Sphere
from spaceforms.manifolds.solvers import frechet_mean
from spaceforms.stats import geometric_median

F64 = torch.float64
EPS = torch.finfo(F64).eps
FAR = [(Lorentz(), 50.0), (Lorentz(-0.3), 100.0), (Lorentz(), 200.0), (Lorentz(), 235.0)]
FAR += [(PoincareBall(), 30.0), (PoincareBall(-2.0), 35.0)]


def directions(*size: int, seed: int = 0) -> torch.Tensor:
    u = torch.randn(*size, generator=torch.Generator().manual_seed(seed), dtype=F64)
    return torch.nn.functional.normalize(u, dim=-1)


@pytest.mark.parametrize(("manifold", "r"), FAR)
def test_logarithms_at_the_mean_of_far_points_add_up_to_nothing(manifold, r):
    x = manifold.from_normal(r * radius(manifold) * directions(20, 4, 3))
    for weights in (None, torch.tensor([1.0, 0.9, 1e-3, 1e-6], dtype=F64).expand(20, 4)):
        m = manifold.mean(x, weights)
        w = (
            torch.full((20, 4), 0.25, dtype=F64)
            if weights is None
            else weights / weights.sum(-1)[:, None]
        )
        pull = (w[..., None] * manifold.logmap(m.unsqueeze(-2), x)).sum(-2)
        # The mean's coordinates are rounded to a length of eps cosh(r_m), and a logarithm turns
        # by d coth(d) of it.
        size = manifold.dist(m, manifold.origin(3, dtype=F64)) / radius(manifold)
        bound = 64 * EPS * 2 * r * radius(manifold) * size.cosh()
        assert (manifold.norm(m, pull) < bound).all()


@pytest.mark.parametrize(("manifold", "r"), FAR)
def test_a_mean_too_far_out_to_be_told_costs_no_more_than_what_it_was_searched_from(manifold, r):
    """With unequal weights the mean itself is far out, where coordinates are rounded to lengths
    above R: no point is the mean, but the best of those met is better than any start."""
    x = manifold.from_normal(r * radius(manifold) * directions(50, 4, 3, seed=2))
    w = torch.rand(50, 4, generator=torch.Generator().manual_seed(0), dtype=F64)
    m = manifold.mean(x, w)
    assert manifold.is_point(m).all()

    def cost(m):
        return (w * manifold.sqdist(m.unsqueeze(-2), x)).sum(-1)

    for start in (manifold.origin(3, dtype=F64).expand(50, -1), *x.unbind(-2)):
        assert (cost(m) <= cost(start) * (1 + 8 * EPS)).all()
    # Nor does a search from there find better, but for what storing the point may change.
    again = manifold.mean(x, w, start=m)
    assert (cost(m) <= cost(again) * (1 + 1e-3)).all()


@pytest.mark.parametrize(("manifold", "r"), FAR)
def test_the_mean_of_two_far_points_is_their_midpoint(manifold, r):
    x, y = (r * radius(manifold) * directions(50, 3, seed=s) for s in (1, 2))
    x, y = manifold.from_normal(x), manifold.from_normal(y)
    mean, middle = manifold.mean(torch.stack([x, y], dim=-2)), manifold.midpoint(x, y)
    size = manifold.dist(middle, manifold.origin(3, dtype=F64)) / radius(manifold)
    assert (manifold.dist(mean, middle) < 64 * EPS * r * radius(manifold) * size.cosh()).all()


@pytest.mark.parametrize("manifold", [Lorentz(), Lorentz(-0.3), PoincareBall()])
def test_the_mean_of_points_on_a_ray_is_at_their_mean_radius(manifold):
    edge = 34.0 if isinstance(manifold, PoincareBall) else 230.0
    r = radius(manifold) * torch.tensor([0.0, 0.1, 0.5, 0.9, 1.0], dtype=F64) * edge
    x = manifold.from_normal(r[:, None] * torch.tensor([0.0, 1.0, 0.0], dtype=F64))
    w = torch.tensor([1.0, 2.0, 3.0, 2.0, 2.0], dtype=F64)
    mean = manifold.to_normal(manifold.mean(x, w))
    assert mean[0] == mean[2] == 0
    # On the ball a radius r is stored with an error of eps e^r: of the farthest point.
    condition = math.exp(edge) / edge if isinstance(manifold, PoincareBall) else 8
    wanted = float((w * r).sum() / w.sum())
    assert abs(float(mean[1]) - wanted) < min(1.0, 4 * EPS * condition) * wanted


@pytest.mark.parametrize("name", once(name for name in CASES if CASES[name].sign <= 0))
def test_the_mean_is_found_from_any_start(name, monkeypatch):
    manifold = CASES[name]
    x = points(manifold, 7, 3, seed=1, spread=2.0)
    mean = manifold.mean(x)
    bound = 2560 * EPS * radius(manifold)
    edge = 35.0 if isinstance(manifold, PoincareBall) else 200.0
    for start in manifold.from_normal(edge * radius(manifold) * directions(8, 3, seed=3)):
        assert manifold.dist(manifold.mean(x, start=start), mean) < bound
    # And with no better start to fall back on, from anywhere that has a direction left.
    monkeypatch.setattr(frechet_mean, "amid", lambda *_: [])
    starts = [manifold.origin(3, dtype=F64), x[0]]
    starts += list(manifold.from_normal(15 * radius(manifold) * directions(8, 3, seed=3)))
    for start in starts:
        assert manifold.dist(manifold.mean(x, start=start), mean) < bound


def test_on_the_sphere_the_start_decides_between_several_minima():
    """Three points around the equator, a little to the north: a minimum near each of them."""
    angle = torch.arange(3, dtype=F64) * 2 * math.pi / 3
    x = Sphere().proj(torch.stack([angle * 0 + 0.01, angle.cos(), angle.sin()], dim=-1))
    found = torch.stack([Sphere().mean(x, start=x[i]) for i in range(3)])
    pull = Sphere().logmap(found[:, None], x).mean(-2)
    assert float(pull.norm(dim=-1).max()) < 64 * EPS


@pytest.mark.parametrize("name", once(CASES))
def test_one_point_equal_points_and_zero_weights(name):
    manifold = CASES[name]
    x = points(manifold, 6, 3, seed=1, spread=0.7)
    close = {"rtol": 16 * EPS, "atol": 16 * EPS * radius(manifold)}
    torch.testing.assert_close(manifold.mean(x[:, None]), x, **close)
    torch.testing.assert_close(manifold.mean(x[:, None].expand(6, 5, -1)), x, **close)
    w = torch.tensor([1.0, 0.0, 2.0, 0.0, 0.0, 1.0], dtype=F64)
    few = manifold.mean(x[w > 0], w[w > 0])
    torch.testing.assert_close(manifold.mean(x, w), few, rtol=64 * EPS, atol=64 * EPS)


MIDDLES = {"mean": lambda m, x, w: m.mean(x, w), "median": geometric_median}


@pytest.mark.parametrize("middle", MIDDLES.values(), ids=MIDDLES)
@pytest.mark.parametrize("name", once(CASES))
def test_few_points_among_many_coordinates_have_the_middle_of_their_span(name, middle):
    """Newton's step is solved for in the span of the points where they are fewer than coordinates;
    the same points in coordinates of their span alone are not fewer."""
    manifold = CASES[name]
    v, w = normals(manifold, 6, 4, 3, seed=2, spread=0.7), torch.tensor([1.0, 2.0, 0.5, 1.0])
    w = w.to(F64).expand(6, 4)
    turn = torch.linalg.qr(directions(20, 3, seed=5))[0].mT  # three orthonormal rows of twenty
    few, many = (
        manifold.to_normal(middle(manifold, manifold.from_normal(u), w)) for u in (v, v @ turn)
    )
    torch.testing.assert_close(few @ turn, many, rtol=1024 * EPS, atol=1024 * EPS)

    def of(u):
        return manifold.to_normal(middle(manifold, manifold.from_normal(u), w[0]))

    # Also where points leave their span, which a step within it would not notice.
    assert gradcheck(of, ((v[0] @ turn).requires_grad_(),), fast_mode=True, rtol=1e-5, atol=1e-7)


def test_points_that_balance_on_a_sphere_have_a_finite_mean_and_gradient():
    x = torch.tensor([[1.0, 0.0, 0.0], [-1.0, 0.0, 0.0]], dtype=F64, requires_grad=True)
    mean = Sphere().mean(x)
    (gradient,) = torch.autograd.grad(mean.sum(), x)
    assert Sphere().is_point(mean)
    assert gradient.isfinite().all()


def test_the_means_of_a_batch_are_those_of_its_sets():
    """No set waits for another, or is moved on by it."""
    near, far = (Lorentz().from_normal(r * directions(5, 3, seed=4)) for r in (0.5, 150.0))
    both = Lorentz().mean(torch.stack([near, far]))
    assert torch.equal(both[0], Lorentz().mean(near))
    torch.testing.assert_close(both[1], Lorentz().mean(far), rtol=1e-9, atol=1e-9)


def test_a_start_of_another_kind_gets_a_sentence():
    x = points(Lorentz(), 4, 3)
    with pytest.raises(ValueError, match=r"Lorentz\.mean: start has shape \(3,\)"):
        Lorentz().mean(x, start=torch.ones(3))
    with pytest.raises(TypeError, match=r"Lorentz\.mean: start is a list"):
        Lorentz().mean(x, start=[1.0, 0.0, 0.0, 0.0])


def test_normals_reach_the_mean_in_float32():
    x = Lorentz().from_normal(normals(Lorentz(), 30, 4, seed=1, spread=3.0))
    mean = Lorentz().mean(x.float())
    assert mean.dtype == torch.float32
    condition = math.cosh(float(Lorentz().to_normal(Lorentz().mean(x)).norm()))
    assert Lorentz().dist(mean.double(), Lorentz().mean(x)) < 64 * 2**-24 * 8 * condition
