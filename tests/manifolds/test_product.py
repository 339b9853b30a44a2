"""Products: against loops over the factors, by functional equations, and in bounded memory."""

import copy
import io
import math
import pickle

import mpmath
import pytest
import reference
import torch
from cases import points
from torch.utils._python_dispatch import TorchDispatchMode

from spaceforms.losses.functional import info_nce
from spaceforms.manifolds import (
    Checked,
    Euclidean,
    Lorentz,
    PoincareBall,
    Product,
    Sphere,
    as_geoopt,
)
from spaceforms.manifolds.product import pairwise

F64, F32 = torch.float64, torch.float32
U = {F64: 2.0**-53, F32: 2.0**-24}
METRICS = ("l2", "l1", "max")


def _make(name, metric="l2"):
    """A product, its dimensions one by one, and its weights."""
    shared = Lorentz(-0.6, learnable=True)
    factors, dims, weights = {
        "one object many times": ([Lorentz(-1.0)] * 6, [2] * 6, None),
        "a learnable object many times": ([shared] * 3, [3] * 3, [1.0, 2.0, 0.5]),
        "several curvatures": ([Lorentz(k) for k in (-0.1, -1.0, -3.0)], [2] * 3, [1.0, 3.0, 0.7]),
        "several learnable balls": (
            [PoincareBall(k, learnable=True) for k in (-0.5, -2.0)], [3] * 2, None
        ),
        "spheres": ([Sphere(1.0), Sphere(4.0), Sphere(0.3)], [2] * 3, None),
        "alternating": (
            [Lorentz(-1.0), Sphere(2.0), Lorentz(-0.3), Euclidean(), Sphere(0.5), Euclidean()],
            [2, 3, 2, 1, 3, 1],
            [0.5, 1.0, 2.0, 3.0, 1.5, 0.7],
        ),
        "nested": (
            [Product([Lorentz(-2.0), Euclidean()], weights=[2.0, 1.0]), Sphere(), shared],
            [4, 2, 3],
            [1.0, 0.5, 2.0],
        ),
    }[name]  # fmt: skip
    space = Product(factors, dims=dims, metric=metric, weights=weights)
    return space, dims, weights or [1.0] * len(dims)


NAMES = (
    "one object many times", "a learnable object many times", "several curvatures",
    "several learnable balls", "spheres", "alternating", "nested",
)  # fmt: skip


def _points(space, dims, *size, seed=0, dtype=F64, std=0.4):
    """Random points, within the injectivity radius of every sphere."""
    generator = torch.Generator().manual_seed(seed)
    return space.random_normal(*size, sum(dims), std=std, generator=generator, dtype=dtype).detach()


def _close(a, b, units, scale=1.0, dtype=F64):
    return bool(((a - b).abs() <= units * U[dtype] * scale).all())


def _combined(metric, weights, each):
    """The definition: a length from those of the factors."""
    w = torch.tensor(weights, dtype=each.dtype)[:, None]
    if metric == "l2":
        return (w * each.square()).sum(0).sqrt()
    return (w * each).sum(0) if metric == "l1" else (w * each).amax(0)


# -- against a loop over the factors ------------------------------------------------------------

MAPS = {
    "expmap": lambda m, x, y, v: m.expmap(x, v),
    "logmap": lambda m, x, y, v: m.logmap(x, y),
    "transport": lambda m, x, y, v: m.transport(x, y, v),
    "transport0": lambda m, x, y, v: m.transport0(y, m.transport0_inverse(x, v)),
    "expmap0": lambda m, x, y, v: m.expmap0(m.logmap0(x)),
    "logmap0": lambda m, x, y, v: m.logmap0(x),
    "geodesic": lambda m, x, y, v: m.geodesic(x, y, 0.3),
    "midpoint": lambda m, x, y, v: m.midpoint(x, y),
    "proj": lambda m, x, y, v: m.proj(x * 1.1),
    "proj_tangent": lambda m, x, y, v: m.proj_tangent(x, v + 1),
}


@pytest.mark.parametrize(
    ("name", "metric"), [*((n, "l2") for n in NAMES), ("alternating", "l1"), ("nested", "max")]
)
@pytest.mark.parametrize("op", MAPS)
def test_every_map_is_that_of_each_factor_under_every_metric(name, op, metric):
    space, dims, _ = _make(name, metric)
    x, y = _points(space, dims, 5, seed=1), _points(space, dims, 5, seed=2)
    v = space.logmap(x, y)
    parts = zip(space.factors, space.split(x), space.split(y), space.split(v), strict=True)
    wanted = torch.cat([MAPS[op](f, *rest) for f, *rest in parts], dim=-1)
    # The same kernels on the same numbers: they differ by rounding of another order of sums only.
    assert _close(MAPS[op](space, x, y, v), wanted, 64, wanted.abs() + 1)


@pytest.mark.parametrize("dtype", [F64, F32])
@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("name", NAMES)
def test_distances_and_norms_combine_those_of_the_factors(name, metric, dtype):
    space, dims, weights = _make(name, metric)
    x, y = (
        _points(space, dims, 9, seed=1, dtype=dtype),
        _points(space, dims, 9, seed=2, dtype=dtype),
    )
    v = space.logmap(x, y)
    parts = list(zip(space.factors, space.split(x), space.split(y), space.split(v), strict=True))
    each = torch.stack([f.dist(p, q) for f, p, q, _ in parts]).double()
    speeds = torch.stack([f.norm(p, u) for f, p, _, u in parts]).double()
    d = _combined(metric, weights, each)
    assert _close(space.dist(x, y), d, 4, d, dtype)
    assert _close(space.sqdist(x, y), d**2, 16, d**2, dtype)
    assert _close(space.norm(x, v), _combined(metric, weights, speeds), 8, d, dtype)


@pytest.mark.parametrize("matmul", [False, True])
@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("name", NAMES)
def test_all_pairs_are_the_distances_one_by_one(name, metric, matmul):
    space, dims, _ = _make(name, metric)
    x, y = _points(space, dims, 2, 7, seed=1), _points(space, dims, 4, seed=2)
    one_by_one = space.dist(x.unsqueeze(-2), y.unsqueeze(-3))
    units = 1e3 if matmul else 8  # a difference of products, over the smallest d of some 0.1
    for squared, wanted in ((False, one_by_one), (True, one_by_one**2)):
        table = space.cdist(x, y, squared=squared, matmul=matmul)
        assert table.shape == (2, 7, 4)
        assert _close(
            table, wanted, units * (1 + space.dist(x, x * 0 + x[:, :1]).max()), wanted + 1
        )


@pytest.mark.parametrize("name", NAMES)
def test_inner_products_add_up_with_the_weights(name):
    space, dims, weights = _make(name)
    x, y, z = (_points(space, dims, 5, seed=s) for s in (1, 2, 3))
    u, v = space.logmap(x, y), space.logmap(x, z)
    split = [space.split(t) for t in (x, u, v)]
    parts = zip(weights, space.factors, *split, strict=True)
    wanted = sum(w * f.inner(p, a, b) for w, f, p, a, b in parts)
    size = space.norm(x, u) * space.norm(x, v)
    assert _close(space.inner(x, u, v), wanted, 16, size)
    assert _close(space.inner(x, u, u), space.norm(x, u) ** 2, 16, space.norm(x, u) ** 2)
    # A sum of w_i times the factors' forms.
    parts = zip(weights, space.factors, space.split(x), space.split(y), strict=True)
    forms = torch.stack([w * f.cinner(p, q) for w, f, p, q in parts])
    assert _close(space.cinner(x, y), forms.sum(0), 32, forms.abs().sum(0) + 1)


@pytest.mark.parametrize("name", NAMES)
def test_the_gradient_of_half_the_squared_distance_is_minus_the_logarithm(name):
    # Of the Riemannian gradient, weights included: a factor's part is w_i times as steep and is
    # divided by w_i.
    space, dims, _ = _make(name)
    x, y = _points(space, dims, 5, seed=1).requires_grad_(), _points(space, dims, 5, seed=2)
    (gradient,) = torch.autograd.grad(space.sqdist(x, y).sum() / 2, x)
    x = x.detach()
    rgrad, log = space.egrad2rgrad(x, gradient), space.logmap(x, y)
    # How much 1/lambda^2 and the projection amplify rounding, at distances of about 1.
    assert _close(rgrad, -log, 400, 1 + log.abs())
    assert space.is_tangent(x, rgrad).all()


def test_the_volume_changes_by_the_product_of_the_factors_changes():
    space, dims, _ = _make("alternating")
    x, y = _points(space, dims, 5, seed=1), _points(space, dims, 5, seed=2)
    v = space.logmap(x, y)
    parts = zip(space.factors, space.split(x), space.split(v), strict=True)
    wanted = sum(f.logdetexp(p, u) for f, p, u in parts)
    assert _close(space.logdetexp(x, v), wanted, 64)
    # And by its definition, at the origin: the derivative of exp in an orthonormal frame there,
    # measured in orthonormal frames along it.
    origin = space.origin(dtype=F64)
    v = space.logmap0(x[0])
    normal = space.to_normal(x[0])

    def frame(direction):
        moved = torch.func.jvp(space.from_normal, (normal,), (direction,))[1]
        carried = space.transport0_inverse(x[0], space.proj_tangent(x[0], moved))
        return space._drop_tangent0(carried)

    jacobian = torch.stack([frame(e) for e in torch.eye(len(normal), dtype=F64)], dim=-1)
    definition = torch.linalg.slogdet(jacobian).logabsdet
    assert _close(space.logdetexp(origin, v), definition, 400)


@pytest.mark.parametrize("name", NAMES)
def test_the_mean_is_that_of_each_factor_and_a_minimum(name):
    space, dims, _ = _make(name)
    x = _points(space, dims, 2, 7, seed=1)
    weights = torch.rand(2, 7, dtype=F64, generator=torch.Generator().manual_seed(0))
    for w in (None, weights):
        parts = zip(space.factors, space.split(x), strict=True)
        wanted = torch.cat([f.mean(p, w) for f, p in parts], dim=-1)
        assert _close(space.mean(x, w), wanted, 64, 1 + wanted.abs())
    mean = space.mean(x)
    cost = space.sqdist(mean.unsqueeze(-2), x).sum(-1)
    for seed in range(5):
        other = space.expmap(mean, 1e-3 * space.logmap(mean, _points(space, dims, 2, seed=seed)))
        assert (space.sqdist(other.unsqueeze(-2), x).sum(-1) > cost).all()


@pytest.mark.parametrize("dtype", [F64, F32])
@pytest.mark.parametrize("metric", METRICS)
def test_distances_are_right_to_a_few_units_in_the_last_place_near_the_origin(metric, dtype):
    space, dims, weights = _make("alternating", metric)
    x, y = (_points(space, dims, 12, seed=s, dtype=dtype) for s in (1, 2))
    got = {
        "dist": space.dist(x, y), "sqdist": space.sqdist(x, y).sqrt(),
        "cdist": space.cdist(x, y).diagonal(),
    }  # fmt: skip
    for i in range(12):
        parts = zip(weights, space.factors, space.split(x[i]), space.split(y[i]), strict=True)
        each = [(w, reference.dist(f, p, q)) for w, f, p, q in parts]
        exact = {
            "l2": mpmath.sqrt(sum(w * d**2 for w, d in each)),
            "l1": sum(w * d for w, d in each),
            "max": max(w * d for w, d in each),
        }[metric]
        for name, d in got.items():
            # As for one factor: 8 u (1 + kappa), kappa about 1 here; of a sphere's stored points,
            # which are off it by rounding, a few more.
            assert reference.relative_error(d[i], exact) <= 24 * U[dtype], name


# -- of the space -------------------------------------------------------------------------------


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("name", NAMES)
def test_the_distance_is_a_metric(name, metric):
    space, dims, _ = _make(name, metric)
    x = _points(space, dims, 12, seed=1, std=0.5)
    d = space.cdist(x, x)
    assert torch.equal(d.diagonal(), torch.zeros(12, dtype=F64))
    assert (d + torch.eye(12) > 0).all()
    assert _close(d, d.T, 16, d)
    around = d.unsqueeze(1) + d.unsqueeze(0)  # d(i, k) + d(j, k)
    assert (d.unsqueeze(-1) <= around * (1 + 32 * U[F64])).all()


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("name", NAMES)
def test_a_geodesic_has_constant_speed_and_exp_and_log_are_inverse(name, metric):
    space, dims, _ = _make(name, metric)
    x, y = _points(space, dims, 5, seed=1), _points(space, dims, 5, seed=2)
    d = space.dist(x, y)
    for s, t in ((0.0, 1.0), (0.2, 0.7), (0.5, 0.6), (-0.1, 0.3)):
        a, b = space.geodesic(x, y, s), space.geodesic(x, y, t)
        assert _close(space.dist(a, b), (t - s) * d, 200, 1 + d)
    v = space.logmap(x, y)
    assert space.is_tangent(x, v).all()
    assert _close(space.norm(x, v), d, 64, d)
    assert _close(space.expmap(x, v), y, 64, 1 + y.abs())
    w = space.transport(x, y, v)
    assert _close(w, -space.logmap(y, x), 200, 1 + w.abs())
    assert _close(space.norm(y, w), d, 200, d)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("name", NAMES)
def test_normal_coordinates_have_the_lengths_of_the_metric(name, metric):
    space, dims, _ = _make(name, metric)
    x = _points(space, dims, 5, seed=1)
    v = space.to_normal(x)
    lengths = torch.stack([p.norm(dim=-1) for p in v.split(dims, dim=-1)])
    origin = space.origin(dtype=F64)
    wanted = {"l2": v.norm(dim=-1), "l1": lengths.sum(0), "max": lengths.amax(0)}[metric]
    if name != "nested" or metric == "l2":  # an l2 factor has the l2 norm of its own lengths
        assert _close(space.dist(origin, x), wanted, 64, wanted)
    assert _close(space.from_normal(v), x, 64, 1 + x.abs())
    assert space.is_point(origin)
    assert _close(space.to_normal(origin), torch.zeros(sum(dims)), 1)


@pytest.mark.parametrize("metric", METRICS)
def test_hyperboloids_and_balls_are_one_product(metric):
    curvatures, weights = (-1.0, -0.3, -4.0), [1.0, 2.0, 0.5]
    one, other = (
        Product([kind(k) for k in curvatures], metric=metric, weights=weights)
        for kind in (Lorentz, PoincareBall)
    )
    generator = torch.Generator().manual_seed(0)
    u, v = (0.5 * torch.randn(20, 9, generator=generator, dtype=F64) for _ in "uv")
    d = one.dist(one.from_normal(u), one.from_normal(v))
    assert _close(d, other.dist(other.from_normal(u), other.from_normal(v)), 200, d)
    m = [s.to_normal(s.midpoint(s.from_normal(u), s.from_normal(v))) for s in (one, other)]
    assert _close(m[0], m[1], 200, 1 + m[0].abs())


def test_euclidean_times_euclidean_is_euclidean():
    product, flat = Product([Euclidean(), Euclidean()], dims=[2, 3]), Euclidean()
    generator = torch.Generator().manual_seed(0)
    x, y = (torch.randn(6, 5, generator=generator, dtype=F64) for _ in "xy")
    assert _close(product.dist(x, y), flat.dist(x, y), 2, flat.dist(x, y))
    assert _close(product.cdist(x, y), flat.cdist(x, y), 4, flat.cdist(x, y))
    for op in ("logmap", "expmap", "midpoint", "cinner"):
        assert _close(getattr(product, op)(x, y), getattr(flat, op)(x, y), 2, 4.0)
    assert torch.equal(product.proj(x), x)
    assert product.ambient_dim(5) == 5


@pytest.mark.parametrize("metric", METRICS)
def test_a_product_of_one_factor_is_the_factor(manifold, metric):
    product = Product([manifold], metric=metric)
    x, y = points(manifold, 4, 3, seed=1), points(manifold, 4, 3, seed=2)
    v = manifold.logmap(x, y)
    for op, arguments in {
        "dist": (x, y), "sqdist": (x, y), "cdist": (x, y), "logmap": (x, y), "expmap": (x, v),
        "transport": (x, y, v), "norm": (x, v), "midpoint": (x, y), "geodesic": (x, y, 0.3),
        "to_normal": (x,), "logmap0": (x,), "transport0_inverse": (x, v), "is_point": (x,),
        "is_tangent": (x, v), "logdetexp": (x, v), "half_aperture": (x,),
        "exterior_angle": (x, y), "proj": (x,), "proj_tangent": (x, v),
    }.items():  # fmt: skip
        wanted = getattr(manifold, op)(*arguments)
        if op == "sqdist" and metric != "l2":  # a square of the distance
            assert _close(product.sqdist(x, y), wanted, 16, wanted)
        else:
            value = getattr(product, op)(*arguments)
            # To the last bit, but that a point is divided by R again to be projected, the step
            # from the origin is taken before the division by R, and three maps have R in them.
            apart = {"expmap", "midpoint", "geodesic", "transport0_inverse"}
            if op in apart | {"to_normal", "logmap0", "proj"}:
                assert _close(value, wanted, 8, 1 + wanted.abs()), op
            else:
                assert torch.equal(value, wanted), op
    if metric == "l2":
        assert torch.equal(product.inner(x, v, v), manifold.inner(x, v, v))
        assert torch.equal(product.egrad2rgrad(x, v), manifold.egrad2rgrad(x, v))
        assert _close(product.mean(x), manifold.mean(x), 8, 4.0)
    assert product.ambient_dim(3) == manifold.ambient_dim(3)
    assert torch.equal(product.curvatures[0], manifold.curvature)


def test_a_product_of_products_is_the_product_of_all():
    inner = Product([Lorentz(-1.0), Sphere()], dims=[2, 3], weights=[2.0, 0.5])
    nested = Product([inner, Euclidean()], dims=[5, 1], weights=[3.0, 1.0])
    flat = Product([Lorentz(-1.0), Sphere(), Euclidean()], dims=[2, 3, 1], weights=[6.0, 1.5, 1.0])
    x, y = _points(flat, [6], 5, seed=1), _points(flat, [6], 5, seed=2)
    assert _close(nested.dist(x, y), flat.dist(x, y), 8, flat.dist(x, y))
    assert _close(nested.sqdist(x, y), flat.sqdist(x, y), 8, flat.sqdist(x, y))
    assert _close(nested.cdist(x, y), flat.cdist(x, y), 8, flat.cdist(x, y))
    assert _close(nested.to_normal(x), flat.to_normal(x), 8, 4.0)
    assert _close(nested.mean(x), flat.mean(x), 64, 4.0)
    for op in ("logmap", "midpoint"):
        assert torch.equal(getattr(nested, op)(x, y), getattr(flat, op)(x, y))
    assert torch.equal(nested.curvatures, flat.curvatures)
    l1 = Product([Product([Euclidean()] * 2, metric="l1")] * 2, metric="max")
    assert l1.dist(torch.zeros(4), torch.tensor([1.0, 2.0, 3.0, -4.0])) == 7.0


# -- curvature ----------------------------------------------------------------------------------


@pytest.mark.parametrize("together", [1, 2**16])
def test_each_learnable_curvature_gets_its_own_gradient(together, monkeypatch):
    monkeypatch.setattr(pairwise, "_TOGETHER", together)
    space = Product([Lorentz(k, learnable=True) for k in (-0.5, -1.0, -3.0)], weights=[1, 2, 3])
    u, v = (
        torch.randn(2, 6, generator=torch.Generator().manual_seed(s), dtype=F64) for s in (1, 2)
    )
    names = [name for name, _ in space.named_parameters()]
    assert len(names) == 3

    class Distances(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.space = space

        def forward(self, u, v):
            x, y = space.from_normal(u), space.from_normal(v)
            return space.cdist(x, y), space.cdist(x, y, matmul=True), space.dist(x, y)

    def distance(*raw):
        # The parameters are these for the call only, not in the backward pass.
        parameters = {f"space.{n}": r for n, r in zip(names, raw, strict=True)}
        return torch.func.functional_call(Distances(), parameters, (u, v))

    raw = [torch.tensor(0.1 * i, dtype=F64, requires_grad=True) for i in range(3)]
    assert torch.autograd.gradcheck(distance, raw, fast_mode=True)
    assert torch.autograd.gradgradcheck(distance, raw, fast_mode=True)


def test_one_object_has_one_curvature_whose_gradient_is_the_sum_of_the_separate_ones():
    one = Lorentz(-0.7, learnable=True)
    shared = Product([one] * 4)
    apart = Product([Lorentz(-0.7, learnable=True) for _ in range(4)])
    v = torch.randn(5, 8, generator=torch.Generator().manual_seed(0), dtype=F64)
    gradients = []
    for space in (shared, apart):
        x = space.from_normal(v)
        space.dist(x, x.roll(1, 0)).sum().backward()
        gradients.append(sum(p.grad for p in space.parameters()))
    assert len(list(shared.parameters())) == 1
    assert len(list(apart.parameters())) == 4
    assert _close(gradients[0].double(), gradients[1].double(), 64, 1 + gradients[0].abs(), F32)
    assert torch.equal(shared.curvatures, one.curvature.expand(4))


def test_a_checkpoint_and_a_copy_have_the_same_curvatures():
    space, dims, _ = _make("nested")
    with torch.no_grad():
        next(space.parameters()).add_(0.3)
    x, y = _points(space, dims, 3, seed=1), _points(space, dims, 3, seed=2)
    fresh, _, _ = _make("nested")
    buffer = io.BytesIO()
    torch.save(space.state_dict(), buffer)
    buffer.seek(0)
    assert not torch.equal(fresh.dist(x, y), space.dist(x, y))
    fresh.load_state_dict(torch.load(buffer, weights_only=True))
    assert len(space.state_dict()) == 2  # one learnable curvature: its start and its parameter
    for other in (fresh, copy.deepcopy(space), pickle.loads(pickle.dumps(space))):
        assert torch.equal(other.dist(x, y), space.dist(x, y))
        assert repr(other) == repr(space)
    clone = copy.deepcopy(space)
    with torch.no_grad():
        next(clone.parameters()).add_(1)
    assert not torch.equal(clone.dist(x, y), space.dist(x, y))  # its own parameters


# -- one call, one table ------------------------------------------------------------------------


class _Watch(TorchDispatchMode):
    """Counts operations and measures the largest result."""

    def __init__(self):
        super().__init__()
        self.calls, self.largest = 0, 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        self.calls += 1
        for t in result if isinstance(result, tuple | list) else [result]:
            if isinstance(t, torch.Tensor):
                self.largest = max(self.largest, t.numel())
        return result


@pytest.mark.parametrize("op", ["dist", "logmap", "midpoint", "transport"])
def test_equal_factors_are_one_call_of_the_kernel(op, monkeypatch):
    calls = []
    name = f"_{op}" if op in ("dist", "midpoint") else f"_{op}_at"
    kernel = getattr(Lorentz, name)
    monkeypatch.setattr(
        Lorentz, name, lambda self, *a: calls.append(a[0].shape) or kernel(self, *a)
    )
    for factors in ([Lorentz(-1.0)] * 64, [Lorentz(-0.1 * (i + 1)) for i in range(64)]):
        space = Product(factors)
        x, y = _points(space, [2] * 64, 7, seed=1), _points(space, [2] * 64, 7, seed=2)
        arguments = (x, y, space.logmap(x, y)) if op == "transport" else (x, y)
        calls.clear()
        getattr(space, op)(*arguments)
        assert calls == [(7, 64, 3)]


@pytest.mark.parametrize("op", ["dist", "expmap", "logmap", "from_normal", "inner", "mean"])
def test_the_number_of_operations_does_not_grow_with_the_number_of_equal_factors(op):
    counts = []
    for k in (4, 64):
        space = Product([Lorentz(-1.0)] * k)
        x, y = _points(space, [2] * k, 5, seed=1, std=1e-3), _points(space, [2] * k, 5, seed=2)
        v = space.logmap(x, y)
        arguments = {
            "dist": (x, y), "logmap": (x, y), "expmap": (x, v), "inner": (x, v, v), "mean": (x,),
            "from_normal": (torch.ones(5, 2 * k),),
        }[op]  # fmt: skip
        with _Watch() as watch:
            getattr(space, op)(*arguments)
        counts.append(watch.calls)
    if op == "mean":  # as many steps as the slowest of the factors needs
        assert counts[1] <= 3 * counts[0]
    else:
        assert counts[0] == counts[1]


@pytest.mark.parametrize("learnable", [False, True])
@pytest.mark.parametrize("matmul", [False, True])
@pytest.mark.parametrize(("metric", "squared"), [("l2", True), *((m, False) for m in METRICS)])
def test_a_table_of_all_pairs_never_has_one_of_each_factor_beside_it(
    metric, squared, matmul, learnable
):
    k, b = 32, 100
    one = [Lorentz(-1.0)] * k
    space = Product(
        [Lorentz(-1.0, learnable=True) for _ in one] if learnable else one, metric=metric
    )
    x, y = (_points(space, [2] * k, b, seed=s).requires_grad_() for s in (1, 2))
    saved = []

    def keep(t):
        saved.append(t)
        return t

    with _Watch() as watch, torch.autograd.graph.saved_tensors_hooks(keep, lambda t: t):
        table = space.cdist(x, y, squared=squared, matmul=matmul)
    # Some factors at a time, no more than 2^16 numbers or one factor's p q m; never k p q.
    most = 2**17  # the kernels have a coordinate or two more than the points
    assert watch.largest <= most < k * b * b
    stored = {t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in saved}
    assert sum(stored.values()) < 8 * 8 * b * b  # eight tables of float64, for 32 factors
    with _Watch() as watch:
        table.sum().backward()
    assert watch.largest <= most


# -- gradients ----------------------------------------------------------------------------------


@pytest.fixture
def one_by_one(monkeypatch):
    """Tables of pairs one factor after the other, computed again for the gradient: as for many
    points, with few."""
    monkeypatch.setattr(pairwise, "_TOGETHER", 1)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("name", ["several learnable balls", "spheres"])
def test_first_and_second_derivatives_are_those_of_finite_differences(name, metric, one_by_one):
    space, dims, _ = _make(name, metric)
    # In normal coordinates, in which no redundant coordinate is moved off its value.
    u = space.to_normal(_points(space, dims, 1, seed=1)).detach().requires_grad_()
    y = _points(space, dims, 2, seed=2)
    functions = [
        lambda a: space.dist(space.from_normal(a), y),
        lambda a: space.sqdist(space.from_normal(a), y),
        lambda a: space.cdist(space.from_normal(a), y),
    ]
    for function in functions:
        assert torch.autograd.gradcheck(function, (u,), fast_mode=True)
        assert torch.autograd.gradgradcheck(function, (u,), fast_mode=True)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("name", NAMES)
def test_gradients_of_all_pairs_are_those_of_the_pairs(name, metric, one_by_one):
    space, dims, _ = _make(name, metric)
    u = space.to_normal(_points(space, dims, 3, seed=1)).detach().requires_grad_()
    x, y = space.from_normal(u), _points(space, dims, 4, seed=2)
    inputs = (u, *space.parameters())
    wanted = torch.autograd.grad(space.dist(x.unsqueeze(1), y).sum(), inputs, retain_graph=True)
    for matmul in (False, True):
        table = space.cdist(x, y, matmul=matmul)
        got = torch.autograd.grad(table.sum(), inputs, retain_graph=True)
        for a, b in zip(got, wanted, strict=True):
            assert _close(a, b, 1e4 if matmul else 400, 1 + b.abs(), b.dtype)


@pytest.mark.parametrize("matmul", [False, True])
@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("name", NAMES)
def test_coincident_points_have_distance_and_gradient_zero(name, metric, matmul):
    space, dims, _ = _make(name, metric)
    x = _points(space, dims, 3, seed=1)
    x[0] = space.origin(dtype=F64).detach()
    y = x.clone().requires_grad_()
    x.requires_grad_()
    for function in (space.dist, space.sqdist):
        value = function(x, y)
        assert torch.equal(value, torch.zeros(3, dtype=F64))
        for g in torch.autograd.grad(value.sum(), (x, y)):
            assert torch.equal(g, torch.zeros_like(g))
    table = space.cdist(x, y, matmul=matmul)
    assert torch.equal(table.diagonal(), torch.zeros(3, dtype=F64))
    for g in torch.autograd.grad(table.diagonal().sum(), (x, y)):
        assert torch.equal(g, torch.zeros_like(g))
    for g in torch.autograd.grad(space.cdist(x, y, matmul=matmul).sum(), (x, y)):
        assert g.isfinite().all()


@pytest.mark.parametrize("metric", METRICS)
def test_where_one_factor_coincides_the_gradient_is_that_of_the_others(metric):
    space = Product([Lorentz(-1.0), Euclidean()], dims=[2, 2], metric=metric)
    x, y = _points(space, [4], 3, seed=1), _points(space, [4], 3, seed=2)
    y[..., :3] = x[..., :3]
    x.requires_grad_()
    for distance in (space.dist(x, y), space.cdist(x, y).diagonal()):
        (g,) = torch.autograd.grad(distance.sum(), x)
        direction = torch.nn.functional.normalize((x - y)[..., 3:], dim=-1)
        assert torch.equal(g[..., :3], torch.zeros(3, 3, dtype=F64))
        assert _close(g[..., 3:], direction, 8)


@pytest.mark.parametrize(("dtype", "sizes"), [(F32, (1e-30, 1e30)), (F64, (1e-250, 1e250))])
def test_the_square_of_no_distance_overflows_or_vanishes_on_the_way(dtype, sizes):
    space = Product([Euclidean()] * 3, weights=[4.0, 1.0, 1.0])
    for size in sizes:
        x = torch.tensor([[0.0] * 6, [1.0, 0, 2.0, 0, 1.0, 0]], dtype=dtype) * size
        x.requires_grad_()
        d, table = space.dist(x[0], x[1]), space.cdist(x, x)
        assert _close(d / size, torch.tensor(3.0), 8, 3.0, dtype)
        assert _close(table[0, 1] / size, torch.tensor(3.0), 8, 3.0, dtype)
        for value in (d, table.sum() / 2):
            (g,) = torch.autograd.grad(value, x)
            wanted = torch.tensor([4.0, 0, 2.0, 0, 1.0, 0], dtype=dtype) / 3
            assert _close(g[1], wanted, 8, 1.0, dtype)


# -- a citizen of torch -------------------------------------------------------------------------

EVERY_MAP = {
    **MAPS,
    "dist": lambda m, x, y, v: m.dist(x, y),
    "sqdist": lambda m, x, y, v: m.sqdist(x, y),
    "cdist": lambda m, x, y, v: m.cdist(x, y),
    "cdist by products": lambda m, x, y, v: m.cdist(x, y, matmul=True),
    "norm": lambda m, x, y, v: m.norm(x, v),
    "inner": lambda m, x, y, v: m.inner(x, v, v),
    "egrad2rgrad": lambda m, x, y, v: m.egrad2rgrad(x, v),
    "to_normal": lambda m, x, y, v: m.to_normal(x),
    "logdetexp": lambda m, x, y, v: m.logdetexp(x, v),
    "split": lambda m, x, y, v: m.join(m.split(x)),
}


@pytest.mark.parametrize(
    ("name", "op"),
    [
        pytest.param(
            "several learnable balls",
            op,
            marks=() if op in ("expmap", "logmap", "dist", "transport") else pytest.mark.slow,
        )
        for op in EVERY_MAP
    ]
    + [("several curvatures", "expmap"), ("nested", "dist"), ("nested", "cdist by products")],
)
def test_every_map_is_one_graph_for_the_compiler(name, op):
    torch.compiler.reset()
    space, dims, _ = _make(name)
    x, y = _points(space, dims, 4, seed=1), _points(space, dims, 4, seed=2)
    v = space.logmap(x, y).detach()
    compiled = torch.compile(EVERY_MAP[op], fullgraph=True, backend="eager")
    assert torch.equal(compiled(space, x, y, v), EVERY_MAP[op](space, x, y, v))


@pytest.mark.parametrize(
    "name",
    [
        "several learnable balls",
        *(pytest.param(n, marks=pytest.mark.slow) for n in ("alternating", "nested")),
    ],
)
@pytest.mark.parametrize("op", EVERY_MAP)
def test_vmap_and_forward_and_reverse_derivatives_agree(name, op):
    space, dims, _ = _make(name)
    # From normal coordinates: off the manifold a derivative is nobody's business.
    free = [space.to_normal(_points(space, dims, 3, 2, seed=seed)).detach() for seed in (1, 2, 3)]

    def function(a, b, c):
        x, y, z = (space.from_normal(v) for v in (a, b, c))
        return EVERY_MAP[op](space, x, y, space.logmap(x, z))

    batch = function(*free).detach()
    mapped = torch.func.vmap(function)(*free).detach()
    assert _close(mapped, batch, 200, 1 + batch.abs())
    directions = tuple(torch.sin(torch.arange(t.numel()).double()).view(t.shape) for t in free)
    _, forward = torch.func.jvp(function, tuple(free), directions)
    value, pull = torch.func.vjp(function, *free)
    back = pull(torch.ones_like(value))
    pulled = sum((g * d).sum() for g, d in zip(back, directions, strict=True))
    assert _close(pulled.detach(), forward.sum().detach(), 1e4, 1 + forward.abs().sum().detach())


@pytest.mark.parametrize("matmul", [False, True])
@pytest.mark.parametrize("metric", ["l1", "max"])
def test_tables_of_the_other_metrics_go_under_vmap_and_its_derivatives(metric, matmul):
    space, dims, _ = _make("alternating", metric)
    x, y = _points(space, dims, 3, 2, seed=1), _points(space, dims, 3, 4, seed=2)

    def table(x, y):
        return space.cdist(x, y, matmul=matmul)

    assert _close(torch.func.vmap(table)(x, y), table(x, y), 400, 1 + table(x, y))
    per_set = torch.func.vmap(torch.func.grad(lambda x, y: table(x, y).sum()))(x, y)
    x.requires_grad_()
    (all_sets,) = torch.autograd.grad(table(x, y).sum(), x)
    assert _close(per_set, all_sets, 1e4, 1 + all_sets.abs())


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("name", ["several curvatures", "alternating"])
def test_no_constant_is_on_another_device_than_the_points(name, metric):
    space, dims, _ = _make(name, metric)
    assert space.origin(device="meta").device.type == "meta"
    v = torch.empty(4, sum(dims), device="meta")
    x = space.from_normal(v)
    for value in (
        x, space.to_normal(x), space.dist(x, x), space.cdist(x, x), space.proj(x),
        space.cdist(x, x, matmul=True), space.expmap(x, space.logmap(x, x)), space.norm(x, x),
    ):  # fmt: skip
        assert value.device.type == "meta"


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("name", NAMES)
def test_half_precision_is_computed_in_float32_and_rounded(name, dtype):
    space, dims, _ = _make(name)
    x, y = (_points(space, dims, 5, seed=s).to(dtype) for s in (1, 2))
    v = space.logmap(x, y)
    assert v.dtype == dtype
    for op, arguments in {
        "dist": (x, y), "sqdist": (x, y), "cdist": (x, y), "norm": (x, v), "expmap": (x, v)
    }.items():  # fmt: skip
        value = getattr(space, op)(*arguments)
        wanted = getattr(space, op)(*(t.float() for t in arguments))
        assert value.dtype == dtype
        assert torch.equal(value, wanted.to(dtype)), op
    assert space.dist(x, y.double()).dtype == F64


def test_the_edge_of_float16_is_that_of_each_factor():
    x = torch.tensor([0.0, 3e4, 0.0, 0.0, 5e4, 4e4], dtype=torch.float16)
    for curvatures in ((-1.0, -1e-4), (-1e-4, -1.0)):  # the radii are 1 and 100
        space = Product([Lorentz(k) for k in curvatures])
        parts = zip(space.factors, space.split(x), strict=True)
        assert torch.equal(space.proj(x), torch.cat([f.proj(p) for f, p in parts]))
        assert space.proj(x).isfinite().all()


# -- losses, optimisers, checks -----------------------------------------------------------------


@pytest.mark.parametrize("logits", ["neg_dist", "neg_sqdist", "inner"])
def test_info_nce_takes_a_product(logits):
    space, dims, _ = _make("alternating")
    x, y = _points(space, dims, 6, seed=1), _points(space, dims, 6, seed=2)
    x.requires_grad_()
    loss = info_nce(x, y, manifold=space, scale=3.0, logits=logits)
    d = space.dist(x.unsqueeze(1), y)
    table = {"neg_dist": -d, "neg_sqdist": -(d**2), "inner": space.cinner(x, y)}[logits] * 3.0
    one, other = (-t.log_softmax(1).diagonal().mean() for t in (table, table.T))
    assert _close(loss.detach(), ((one + other) / 2).detach(), 1e4, loss.detach().abs() + 1)
    loss.backward()
    assert x.grad.isfinite().all()


def test_geoopts_adam_finds_the_mean_on_a_product():
    geoopt = pytest.importorskip("geoopt")
    space, dims, _ = _make("several curvatures")
    x = _points(space, dims, 9, seed=1)
    point = geoopt.ManifoldParameter(_points(space, dims, seed=5), manifold=as_geoopt(space))
    steps = geoopt.optim.RiemannianAdam([point], lr=0.2, stabilize=10)
    decay = torch.optim.lr_scheduler.ExponentialLR(steps, 0.975)
    for _ in range(200):
        steps.zero_grad()
        (space.sqdist(point, x).mean() / 2).backward()
        steps.step()
        decay.step()
    # Adam's step does not shrink with the gradient: it ends within a few of its last ones.
    assert space.dist(point.detach(), space.mean(x)) < 5 * decay.get_last_lr()[0]
    assert space.is_point(point.detach())
    assert as_geoopt(space).random(4, x.shape[-1]).shape == (4, x.shape[-1])


def test_checked_sees_which_points_of_a_product_are_off():
    space, dims, _ = _make("alternating")
    checked = Checked(space)
    x, y = _points(space, dims, 4, seed=1), _points(space, dims, 4, seed=2)
    v = space.logmap(x, y)
    for op, arguments in {
        "dist": (x, y), "logmap": (x, y), "expmap": (x, v), "mean": (x,), "norm": (x, v),
        "transport0_inverse": (x, v), "logdetexp": (x, v), "split": (x,), "origin": (12,),
    }.items():  # fmt: skip
        one, other = getattr(checked, op)(*arguments), getattr(space, op)(*arguments)
        assert torch.equal(torch.as_tensor(one[0]), torch.as_tensor(other[0])), op
    off = x.clone()
    off[2, -1] = torch.nan
    off[1, 3] += 1e-6  # the sphere
    with pytest.raises(ValueError, match=r"Product\.dist: y has 2 of 4 points off the manifold"):
        checked.dist(x, off)
    assert space.is_point(off).tolist() == [True, False, False, True]
    with pytest.raises(NotImplementedError, match=r"Product\.curvature"):
        _ = checked.curvature
    l1, _, _ = _make("alternating", "l1")
    assert torch.equal(Checked(l1).norm(x, v), l1.norm(x, v))
    assert space.is_tangent(x, v).all()
    assert not space.is_tangent(x, v + 1e-6).any()


def test_random_points_are_points_and_have_the_spread_that_was_asked_for():
    generator = torch.Generator().manual_seed(0)
    space, dims, _ = _make("alternating")
    x = space.random_normal(4000, sum(dims), std=0.3, generator=generator, dtype=F64)
    assert space.is_point(x).all()
    # |v|^2/std^2 is chi-squared with n degrees of freedom: its mean has standard error
    # sqrt(2 n/4000). Weights do not matter: std is a length on the product.
    square = space.sqdist(space.origin(dtype=F64), x).mean() / 0.09
    assert abs(square - sum(dims)) < 5 * math.sqrt(2 * sum(dims) / 4000)
    x = space.random_uniform(2, 500, sum(dims), radius=0.8, generator=generator, dtype=F64)
    assert x.shape == (2, 500, space.ambient_dim(sum(dims)))
    origin = space.split(space.origin(dtype=F64))
    for f, part, o, n in zip(space.factors, space.split(x), origin, dims, strict=True):
        d = f.dist(part, o)
        assert d.max() <= 0.8 * (1 + 1e-9)
        assert d.max() > 0.8 * 0.9 ** (1 / n)


# -- splitting and joining, and what is wrong ---------------------------------------------------


def test_split_and_join_are_inverse_and_join_broadcasts():
    space, dims, _ = _make("alternating")
    x = _points(space, dims, 4, seed=1)
    parts = space.split(x)
    assert [p.shape[-1] for p in parts] == [3, 4, 3, 1, 4, 1]
    assert torch.equal(space.join(parts), x)
    joined = space.join([*parts[:-1], parts[-1][0]])
    assert torch.equal(joined[1], torch.cat([*(p[1] for p in parts[:-1]), parts[-1][0]]))
    halves = Product([Lorentz(-1.0)] * 2)
    assert [p.shape for p in halves.split(torch.ones(5, 8))] == [(5, 4), (5, 4)]
    mixed = Product([Lorentz(-1.0), Euclidean()])  # one dimension each, not one width
    assert [p.shape[-1] for p in mixed.split(torch.ones(7))] == [4, 3]


S = Product([Lorentz(-1.0), Sphere()], dims=[2, 3])
L1 = Product([Lorentz(-1.0), Sphere()], dims=[2, 3], metric="l1")


@pytest.mark.parametrize(
    ("call", "kind", "sentence"),
    [
        (lambda: Product([]), ValueError, r"factors is empty; expected at least one manifold"),
        (lambda: Product(Lorentz()), TypeError, r"factors is a Lorentz; expected a list of mani"),
        (lambda: Product([Lorentz(), 3]), TypeError, r"Product: manifold is a int; expected a Man"),
        (lambda: Product([Lorentz()], metric="l3"), ValueError, r"metric is 'l3'; expected one of"),
        (lambda: Product([Lorentz()] * 2, dims=[2]), ValueError, r"dims is \[2\] for 2 factors"),
        (lambda: Product([Lorentz()], dims=[0]), ValueError, r"dims is \[0\].*at least 1"),
        (lambda: Product([Lorentz()], dims=3), TypeError, r"dims is 3; expected a list of whole"),
        (lambda: Product([Lorentz()], dims=[1.5]), TypeError, r"expected a list of whole numbers"),
        (lambda: Product([Lorentz()], weights=[0.0]), ValueError, r"weights is \[0\.0\] for 1 fac"),
        (lambda: Product([Lorentz()], weights=[-1.0]), ValueError, r"expected a positive, finite"),
        (lambda: Product([Lorentz()], weights=[math.inf]), ValueError, r"a positive, finite"),
        (lambda: Product([Lorentz()], weights=[math.nan]), ValueError, r"a positive, finite"),
        (lambda: Product([Lorentz()], weights=[1, 1]), ValueError, r"for 1 factors"),
        (lambda: Product([Lorentz()], weights=torch.ones(1)), TypeError, r"weights is a Tensor"),
        (lambda: Product([S], dims=[4]), ValueError, r"dims has 4 for factor 0.*expected 5 dim"),
        (
            lambda: S.dist(torch.ones(2, 6), torch.ones(6)),
            ValueError,
            r"Product\.dist: x has shape \(2, 6\); expected 7 coordinates, for 2 factors of dim",
        ),
        (
            lambda: Product([Lorentz()] * 4).logmap(torch.ones(10), torch.ones(10)),
            ValueError,
            r"Product\.logmap: x has shape \(10,\); expected 4 n \+ 4 coordinates, for 4 factors",
        ),
        (lambda: S.from_normal(torch.ones(4)), ValueError, r"from_normal: v.*expected 5 dimensio"),
        (lambda: S.random_normal(3, 4), ValueError, r"expected 5 dimensions"),
        (S.random_uniform, ValueError, r"size is \(\); expected leading sizes and then 5 dim"),
        (lambda: S.origin(4), ValueError, r"origin: n is 4; expected 5 dimensions"),
        (lambda: Product([Lorentz()]).origin(), ValueError, r"n is None; expected a number"),
        (lambda: Product([S]).dist(torch.ones(8), torch.ones(8)), ValueError, r"x has shape \(8,"),
        (lambda: S.cdist(torch.ones(7), torch.ones(2, 7)), ValueError, r"expected a set of points"),
        (lambda: S.split(torch.ones(3)), ValueError, r"Product\.split: x has shape \(3,\)"),
        (lambda: S.join([torch.ones(3)]), ValueError, r"join: parts has 1 tensors; expected 2"),
        (
            lambda: S.join([torch.ones(4), torch.ones(3)]),
            ValueError,
            r"join: part 0 has shape \(4,\); expected 3 coordinates, those of Lorentz",
        ),
        (
            lambda: S.join([torch.ones(2, 3), torch.ones(3, 4)]),
            ValueError,
            r"join: part 1 has shape \(3, 4\), which does not broadcast",
        ),
        (lambda: S.join([1.0, torch.ones(3)]), TypeError, r"join: part 0 is a float; expected a"),
        (lambda: S.mean(torch.ones(7)), ValueError, r"Product\.mean: x has shape \(7,\); expected"),
        (lambda: S.curvature, NotImplementedError, r"no one curvature; expected curvatures"),
        (lambda: S.sign, NotImplementedError, r"Product\.sign: a product has no one sign"),
        (lambda: S.radius, NotImplementedError, r"no one radius"),
        (lambda: S.half_aperture(torch.ones(7)), NotImplementedError, r"half_aperture: a product"),
        (
            lambda: S.exterior_angle(torch.ones(7), torch.ones(7)),
            NotImplementedError,
            r"has no cones; expected one factor",
        ),
        (
            lambda: L1.inner(torch.ones(7), torch.ones(7), torch.ones(7)),
            NotImplementedError,
            r"Product\.inner: a product has no inner product under the metric l1; expected",
        ),
        (
            lambda: L1.egrad2rgrad(torch.ones(7), torch.ones(7)),
            NotImplementedError,
            r"Product\.egrad2rgrad: a product has no inner product",
        ),
        (lambda: L1.mean(torch.ones(2, 7)), NotImplementedError, r"mean: a product has no inner"),
        (lambda: L1.cinner(torch.ones(2, 7), torch.ones(2, 7)), NotImplementedError, r"cinner"),
    ],
)  # fmt: skip
def test_the_sentence_names_what_was_got_and_expected_and_where(call, kind, sentence):
    with pytest.raises(kind, match=sentence):
        call()
