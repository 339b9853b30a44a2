"""geoopt's optimisers on our manifolds."""

import math
import sys

import mpmath as mp
import numpy as np
import pytest
import torch
from cases import CASES, FORMS, points, radius, thinned

from spaceforms.manifolds import Euclidean, Lorentz, PoincareBall, Sphere, as_geoopt

geoopt = pytest.importorskip("geoopt")
FIXED = [name for name in CASES if "learnable" not in name]
FOUR = [Euclidean(), Lorentz(), PoincareBall(-0.5), Sphere()]
OPTIMISERS = {
    "SGD": lambda p: geoopt.optim.RiemannianSGD(p, lr=0.5),
    "SGD with momentum": lambda p: geoopt.optim.RiemannianSGD(p, lr=0.1, momentum=0.8),
    "Adam": lambda p: geoopt.optim.RiemannianAdam(p, lr=0.2, stabilize=10),
}


@pytest.mark.parametrize(
    "optimiser",
    [pytest.param(o, marks=() if o == "Adam" else pytest.mark.slow) for o in OPTIMISERS],
)
@pytest.mark.parametrize("name", thinned(FIXED))
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


WALKS = {
    "SGD": lambda p: geoopt.optim.RiemannianSGD([p], lr=0.05),
    "Adam": lambda p: geoopt.optim.RiemannianAdam([p], lr=0.05),
}


@pytest.mark.parametrize("steps", [300, pytest.param(100_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    ("name", "walk"),
    [
        *((name, "SGD") for name in FIXED if name in FORMS),
        ("Lorentz(-1)", "Adam"),
        ("Sphere(1)", "Adam"),
    ],
)
def test_no_point_drifts_off_in_float32(name, walk, steps):
    manifold = CASES[name]
    adapter = as_geoopt(manifold)
    generator = torch.Generator().manual_seed(0)
    x = points(manifold, 4, 3, seed=1, dtype=torch.float32)
    point = geoopt.ManifoldParameter(x.clone(), manifold=adapter)
    walker = WALKS[walk](point)
    for _ in range(steps):
        # A random pull, and one back so that the walk stays near.
        noise = torch.randn(point.shape, generator=generator)
        point.grad = (
            noise
            + 0.5 * torch.autograd.grad(manifold.sqdist(point, manifold.origin(3)).sum(), point)[0]
        )
        walker.step()
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
    # SGRHMC steps along vectors that are not tangent: their tangent part is meant.
    sphere, p = as_geoopt(Sphere()), points(Sphere(), 5, 3, seed=1)
    u = Sphere().logmap(p, points(Sphere(), 5, 3, seed=2))
    both = sphere.retr_transp(p, u + p, u - p), sphere.retr_transp(p, u, u)
    for off, on in zip(*both, strict=True):
        torch.testing.assert_close(off, on, rtol=0, atol=1e-14)
    assert adapter.random(7, 4).shape == (7, 4)
    assert "Lorentz(curvature=-0.5)" in adapter.name


def test_the_adapter_has_an_origin_of_any_shape():
    origin = as_geoopt(Lorentz(-0.25)).origin(5, 2, 4, dtype=torch.float64)
    assert origin.shape == (5, 2, 4)
    assert torch.equal(origin[3, 1], Lorentz(-0.25).origin(3, dtype=torch.float64))
    assert isinstance(origin, geoopt.ManifoldTensor)


@pytest.mark.parametrize("name", FIXED)
def test_stacked_parameters_move_each_for_itself(name):
    """Adam's second moment is a number per point, (5, 2, 1): the shape that inner must keep."""
    manifold = CASES[name]
    start, goal = points(manifold, 5, 2, 3, seed=1), points(manifold, 5, 2, 3, seed=2)

    def after(start, goal):
        point = geoopt.ManifoldParameter(start.clone(), manifold=as_geoopt(manifold))
        adam = geoopt.optim.RiemannianAdam([point], lr=0.05, amsgrad=True)
        for _ in range(10):
            adam.zero_grad()
            manifold.sqdist(point, goal).sum().backward()
            adam.step()
        return point.detach()

    together = after(start, goal)
    assert together.shape == start.shape
    assert not torch.equal(together, start)
    torch.testing.assert_close(together[3, 1], after(start[3, 1], goal[3, 1]), rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", FIXED)
def test_sparse_optimisers_move_the_rows_that_were_looked_up(name):
    manifold = CASES[name]
    start = points(manifold, 8, 3, seed=1)
    for kind in (geoopt.optim.SparseRiemannianAdam, geoopt.optim.SparseRiemannianSGD):
        table = torch.nn.Embedding(8, start.shape[-1], sparse=True, dtype=torch.float64)
        table.weight = geoopt.ManifoldParameter(start.clone(), manifold=as_geoopt(manifold))
        steps = kind([table.weight], lr=0.1)
        row = torch.tensor([2, 5])
        for _ in range(3):
            steps.zero_grad()
            manifold.sqdist(table(row[:1]), table(row[1:])).sum().backward()
            steps.step()
        moved = (table.weight.detach() != start).any(-1)
        assert torch.equal(moved.nonzero().squeeze(-1), row)
        assert manifold.dist(*table.weight.detach()[row]) < manifold.dist(*start[row])
        assert manifold.is_point(table.weight.detach()).all()


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # where no step leads lower any more
@pytest.mark.parametrize(
    ("search", "direction"), [("armijo", "steepest"), ("wolfe", "fr"), ("wolfe", "pr")]
)
@pytest.mark.parametrize("name", thinned(FIXED))
def test_line_search_finds_the_frechet_mean(name, search, direction):
    manifold = CASES[name]
    x = points(manifold, 12, 3, seed=1, spread=0.5)
    point = geoopt.ManifoldParameter(x[0].clone(), manifold=as_geoopt(manifold))
    steps = geoopt.optim.RiemannianLineSearch(
        [point], line_search_method=search, cg_method=direction
    )

    def loss():
        steps.zero_grad()
        value = manifold.sqdist(point, x).mean()
        value.backward()
        return value.item()  # SciPy takes it for a number

    for _ in range(15):
        steps.step(loss)
    # It compares values, so it ends at sqrt(eps).
    bound = 1024 * math.sqrt(torch.finfo(torch.float64).eps) * radius(manifold)
    assert manifold.dist(point.detach(), manifold.mean(x)) < bound


def test_a_product_and_a_scaled_space_of_geoopt_take_our_spaces():
    space = geoopt.ProductManifold((as_geoopt(Lorentz()), 4), (as_geoopt(Sphere()), 3))
    x = torch.cat([points(Lorentz(), 5, 3), points(Sphere(), 5, 2)], dim=-1)
    parts = Lorentz().dist(x[0, :4], x[1, :4]), Sphere().dist(x[0, 4:], x[1, 4:])
    torch.testing.assert_close(space.dist(x[0], x[1]), torch.stack(parts).norm())
    double = geoopt.Scaled(as_geoopt(Lorentz()), 2.0)
    torch.testing.assert_close(double.dist(x[0, :4], x[1, :4]), 2 * parts[0])


def embedded(manifold, target, start, steps, rate):
    """Points whose distances are as near to ``target`` as RiemannianAdam brings them."""
    x = geoopt.ManifoldParameter(start.clone(), manifold=as_geoopt(manifold))
    adam = geoopt.optim.RiemannianAdam([x], lr=rate, betas=(0.9, 0.95))
    # Whole steps for a half, then down to a millionth: Adam circles at its step size.
    slower = torch.optim.lr_scheduler.LambdaLR(adam, lambda k: 1e-6 ** max(0.0, 2 * k / steps - 1))
    i, j = torch.triu_indices(len(target), len(target), 1)
    for _ in range(steps):
        adam.zero_grad()
        (manifold.dist(x[i], x[j]) - target[i, j]).square().sum().backward()
        adam.step()
        slower.step()
    return x.detach()


@pytest.mark.parametrize(
    "manifold", [Euclidean(), Lorentz(), PoincareBall(-0.5), Sphere()], ids=str
)
def test_a_path_is_embedded_on_a_geodesic(manifold):
    """Distances 1, 1 and 2 leave one choice: the middle of the ends."""
    target = torch.tensor([[0.0, 1, 2], [1, 0, 1], [2, 1, 0]], dtype=torch.float64)
    start = points(manifold, 3, 2, seed=4, spread=0.3)
    x = embedded(manifold, target, start, 400, 0.1)
    # A middle off the geodesic by h changes lengths by h^2: the stress is flat there, of order 4.
    torch.testing.assert_close(manifold.cdist(x, x), target, rtol=0, atol=1e-3)
    assert manifold.dist(x[1], manifold.midpoint(x[0], x[2])) < 2 * math.sqrt(1e-3)


@pytest.mark.parametrize(
    "manifold", [Euclidean(), Lorentz(), PoincareBall(-0.5), Sphere()], ids=str
)
def test_a_star_of_three_leaves_has_the_edges_that_calculus_gives(manifold):
    """Centre to leaf 1, leaf to leaf 2, which no plane can: it settles for a regular triangle."""
    target = 2 - 2 * torch.eye(4, dtype=torch.float64)
    target[0, 1:] = target[1:, 0] = 1.0
    angle = torch.arange(3, dtype=torch.float64) * 2 * math.pi / 3
    leaves = torch.stack([angle.cos(), angle.sin()], -1) * 0.9
    noise = torch.randn(4, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    start = manifold.from_normal(torch.cat([torch.zeros(1, 2), leaves]) + 0.1 * noise)
    x = embedded(manifold, target, start, 400, 0.05)
    # With leaves at distance r the stress is 3 (r - 1)^2 + 3 (s - 2)^2; sn(s/2) = sn(r) sin(60).
    unit = mp.mpf(radius(manifold))
    sn, arc = {-1: (mp.sinh, mp.asinh), 0: (mp.mpf, mp.mpf), 1: (mp.sin, mp.asin)}[manifold.sign]

    def side(r):
        return 2 * unit * arc(sn(r / unit) * mp.sqrt(3) / 2)

    r = mp.findroot(lambda r: (r - 1) + (side(r) - 2) * mp.diff(side, r), 1.0)
    distances = manifold.cdist(x, x)
    assert (distances[0, 1:] - float(r)).abs().max() < 1e-4
    assert (distances[1, 2:] - float(side(r))).abs().max() < 1e-4


@pytest.mark.parametrize("manifold", [Lorentz(), PoincareBall()], ids=str)
def test_a_binary_tree_of_depth_three_is_embedded_with_its_distances(manifold):
    """Targets that a tree drawn in the hyperbolic plane has, so the least stress is 0."""
    tree = [manifold.origin(2, dtype=torch.float64)]
    heading = [0.0]  # of the edge to a node, in the frame carried from the origin
    for node in range(1, 15):
        parent = (node - 1) // 2
        heading.append(heading[parent] + (math.pi / 3 if node % 2 else -math.pi / 3))
        v = torch.tensor([math.cos(heading[node]), math.sin(heading[node])], dtype=torch.float64)
        step = manifold.transport0(tree[parent], manifold.logmap0(manifold.from_normal(1.5 * v)))
        tree.append(manifold.expmap(tree[parent], step))
    x = torch.stack(tree)
    target = manifold.cdist(x, x)
    for node in range(1, 15):
        assert abs(float(target[node, (node - 1) // 2]) - 1.5) < 1e-12
    noise = 0.2 * torch.randn(
        15, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64
    )
    start = manifold.from_normal(manifold.to_normal(x) + noise)
    assert (manifold.cdist(start, start) - target).abs().max() > 0.3
    found = embedded(manifold, target, start, 300, 0.05)
    assert (manifold.cdist(found, found) - target).abs().max() < 1e-4
    assert manifold.is_point(found).all()


VON_MISES = {
    "Langevin": lambda p: (geoopt.samplers.RSGLD([p], epsilon=0.02), 200),
    "Hamiltonian": lambda p: (geoopt.samplers.RHMC([p], epsilon=0.03, n_steps=10), 80),
    "stochastic Hamiltonian": lambda p: (
        geoopt.samplers.SGRHMC([p], epsilon=0.01, n_steps=60, alpha=0.1),
        8,
    ),
}


@pytest.mark.parametrize("sampler", VON_MISES)
def test_a_sampler_finds_the_resultant_length_of_von_mises_and_fisher(sampler):
    """Density exp(kappa mu.x) on the sphere: E[mu.x] = coth kappa - 1/kappa."""
    torch.manual_seed(0)
    np.random.seed(0)  # noqa: NPY002 (geoopt draws from it)
    kappa, mu = 3.0, torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64)
    chains = Sphere().random_normal(1000, 2, dtype=torch.float64)
    p = geoopt.ManifoldParameter(chains, manifold=as_geoopt(Sphere()))
    steps, count = VON_MISES[sampler](p)
    means = []
    for k in range(count):
        steps.step(lambda: kappa * (p @ mu).sum())
        if k >= count // 2:
            means.append(float((p.detach() @ mu).mean()))
    assert Sphere().is_point(p.detach()).all()
    # A thousand chains know it to 0.3/sqrt(1000) = 0.01; the samplers' own bias is as large.
    assert abs(sum(means) / len(means) - (1 / math.tanh(kappa) - 1 / kappa)) < 0.04


def test_samplers_refuse_the_hyperbolic_models_where_they_would_be_wrong():
    for manifold in (Lorentz(), PoincareBall()):
        p = geoopt.ManifoldParameter(points(manifold, 4, 3), manifold=as_geoopt(manifold))
        with pytest.raises(ValueError, match="reversible"):
            geoopt.samplers.RSGLD([p])


def test_a_sampler_in_normal_coordinates_samples_hyperbolic_space():
    """Density exp(-d^2/2) by volume on the hyperbolic plane: that of d is that times sinh d."""
    torch.manual_seed(0)
    manifold, origin = Lorentz(), Lorentz().origin(2, dtype=torch.float64)
    v = torch.nn.Parameter(torch.randn(1000, 2, dtype=torch.float64))
    steps = geoopt.samplers.RSGLD([v], epsilon=0.02)

    def log_density():
        x = manifold.from_normal(v)
        volume = manifold.logdetexp(origin, manifold.logmap0(x))
        return (volume - manifold.sqdist(origin, x) / 2).sum()

    means = []
    for k in range(200):
        steps.step(log_density)
        if k >= 100:
            means.append(float(v.detach().norm(dim=-1).mean()))
    top = mp.quad(lambda r: r * mp.exp(-r * r / 2) * mp.sinh(r), [0, 10])
    wanted = top / mp.quad(lambda r: mp.exp(-r * r / 2) * mp.sinh(r), [0, 10])
    assert abs(sum(means) / len(means) - float(wanted)) < 0.08


def test_without_geoopt_a_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "geoopt", None)
    monkeypatch.delitem(sys.modules, "spaceforms.manifolds.interop.geoopt_adapter", raising=False)
    with pytest.raises(ModuleNotFoundError, match=r"pip install \"spaceforms\[optim\]\""):
        as_geoopt(Lorentz())
