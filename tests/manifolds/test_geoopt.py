"""geoopt's optimisers on our manifolds."""

import sys

import pytest
import torch
from cases import CASES, points

from spaceforms.manifolds import Lorentz, as_geoopt

geoopt = pytest.importorskip("geoopt")
FIXED = [name for name in CASES if "learnable" not in name]
OPTIMISERS = {
    "SGD": lambda p: geoopt.optim.RiemannianSGD(p, lr=0.5),
    "SGD with momentum": lambda p: geoopt.optim.RiemannianSGD(p, lr=0.1, momentum=0.8),
    "Adam": lambda p: geoopt.optim.RiemannianAdam(p, lr=0.2, stabilize=10),
}


@pytest.mark.parametrize("optimiser", OPTIMISERS)
@pytest.mark.parametrize("name", FIXED)
def test_an_optimiser_finds_the_frechet_mean(name, optimiser):
    manifold = CASES[name]
    x = points(manifold, 12, 3, seed=1, spread=0.5)
    point = geoopt.ManifoldParameter(points(manifold, 3, seed=9), manifold=as_geoopt(manifold))
    steps = OPTIMISERS[optimiser]([point])
    decay = torch.optim.lr_scheduler.ExponentialLR(steps, 0.98)  # Adam circles at its step size
    for _ in range(300):
        steps.zero_grad()
        (manifold.sqdist(point, x).mean() / 2).backward()
        kept = point.grad.clone()
        steps.step()
        assert torch.equal(point.grad, kept)  # the gradient conversion is pure
        decay.step()
    # Adam's step does not shrink with the gradient: it ends within a few of its last ones.
    assert manifold.dist(point.detach(), manifold.mean(x)) < 5 * decay.get_last_lr()[0]
    assert manifold.is_point(point.detach())


@pytest.mark.parametrize("steps", [1000, pytest.param(100_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", FIXED)
def test_no_point_drifts_off_in_float32(name, steps):
    manifold = CASES[name]
    adapter = as_geoopt(manifold)
    generator = torch.Generator().manual_seed(0)
    x = points(manifold, 4, 3, seed=1, dtype=torch.float32)
    point = geoopt.ManifoldParameter(x.clone(), manifold=adapter)
    walk = geoopt.optim.RiemannianSGD([point], lr=0.05)
    for _ in range(steps):
        # A random pull, and one back so that the walk stays near.
        noise = torch.randn(point.shape, generator=generator)
        point.grad = (
            noise
            + 0.5 * torch.autograd.grad(manifold.sqdist(point, manifold.origin(3)).sum(), point)[0]
        )
        walk.step()
    assert manifold.is_point(point.detach()).all()
    adapter.assert_check_point_on_manifold(point.detach())


def test_the_adapter_answers_geoopts_questions():
    manifold = Lorentz(-0.5)
    adapter = as_geoopt(manifold)
    x, y = points(manifold, 5, 3, seed=1), points(manifold, 5, 3, seed=2)
    v = manifold.logmap(x, y)
    assert adapter.check_point_on_manifold(x)
    assert not adapter.check_point_on_manifold(x + 1)
    assert adapter.check_vector_on_tangent(x, v)
    assert not adapter.check_vector_on_tangent(x, v + 1)
    assert torch.equal(adapter.dist(x, y, keepdim=True), manifold.dist(x, y)[:, None])
    assert torch.equal(adapter.inner(x, v, keepdim=True), manifold.inner(x, v, v)[:, None])
    assert torch.equal(adapter.dist2(x, y), manifold.sqdist(x, y))
    assert torch.equal(adapter.retr(x, v), manifold.expmap(x, v))
    assert torch.equal(adapter.transp(x, y, v), manifold.transport(x, y, v))
    moved, carried = adapter.retr_transp(x, v, v)
    torch.testing.assert_close(moved, y, rtol=1e-12, atol=1e-12)
    assert manifold.is_tangent(moved, carried).all()
    assert adapter.random(7, 4).shape == (7, 4)
    assert "Lorentz(curvature=-0.5)" in adapter.name


def test_without_geoopt_a_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "geoopt", None)
    monkeypatch.delitem(sys.modules, "spaceforms.manifolds._geoopt_adapter", raising=False)
    with pytest.raises(ModuleNotFoundError, match=r"pip install \"spaceforms\[optim\]\""):
        as_geoopt(Lorentz())
