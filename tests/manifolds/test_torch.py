"""A citizen of torch: compile, func, export, copies, checkpoints, the default dtype."""

import copy
import io
import pickle

import pytest
import torch
from cases import CASES, normals, points, tangent, thinned

from spaceforms.manifolds import Euclidean, Lorentz, PoincareBall, Sphere, Stereographic

MAPS = {
    "dist": lambda m, x, y, v: m.dist(x, y),
    "sqdist": lambda m, x, y, v: m.sqdist(x, y),
    "expmap": lambda m, x, y, v: m.expmap(x, v),
    "logmap": lambda m, x, y, v: m.logmap(x, y),
    "transport": lambda m, x, y, v: m.transport(x, y, v),
    "geodesic": lambda m, x, y, v: m.geodesic(x, y, 0.3),
    "midpoint": lambda m, x, y, v: m.midpoint(x, y),
    "inner": lambda m, x, y, v: m.inner(x, v, v),
    "norm": lambda m, x, y, v: m.norm(x, v),
    "proj": lambda m, x, y, v: m.proj(x),
    "to_normal": lambda m, x, y, v: m.to_normal(x),
    "egrad2rgrad": lambda m, x, y, v: m.egrad2rgrad(x, v),
    "half_aperture": lambda m, x, y, v: m.half_aperture(x),
    "exterior_angle": lambda m, x, y, v: m.exterior_angle(x, y),
    "cones": lambda m, x, y, v: torch.cat(m.cones(x, y), dim=-1),
    "logdetexp": lambda m, x, y, v: m.logdetexp(x, v),
}


def _arguments(manifold):
    x, y = points(manifold, 6, 3, seed=1), points(manifold, 6, 3, seed=2)
    return x, y, manifold.logmap(x, y).detach()


@pytest.mark.parametrize(
    "manifold", thinned(CASES, without=(Euclidean, PoincareBall, Stereographic)), indirect=True
)
@pytest.mark.parametrize("name", MAPS)
def test_every_map_is_one_graph_for_the_compiler(manifold, name):
    torch.compiler.reset()
    arguments = _arguments(manifold)
    compiled = torch.compile(MAPS[name], fullgraph=True, backend="eager")
    assert torch.equal(compiled(manifold, *arguments), MAPS[name](manifold, *arguments))


@pytest.mark.slow
@pytest.mark.parametrize("name", MAPS)
def test_every_map_compiles_to_machine_code_with_the_same_values(manifold, name):
    torch.compiler.reset()
    arguments = _arguments(manifold)
    compiled = torch.compile(MAPS[name], fullgraph=True)
    torch.testing.assert_close(
        compiled(manifold, *arguments), MAPS[name](manifold, *arguments), rtol=1e-12, atol=1e-12
    )


@pytest.mark.slow
def test_the_hyperbolic_distance_compiles_to_machine_code():
    torch.compiler.reset()
    x, y, _ = _arguments(CASES["Lorentz(-0.3)"])
    compiled = torch.compile(CASES["Lorentz(-0.3)"].dist, fullgraph=True)
    torch.testing.assert_close(
        compiled(x, y), CASES["Lorentz(-0.3)"].dist(x, y), rtol=1e-13, atol=0
    )


@pytest.mark.parametrize(
    "manifold", thinned(CASES, without=(Euclidean, PoincareBall)), indirect=True
)
@pytest.mark.parametrize("name", MAPS)
def test_vmap_and_forward_and_reverse_derivatives_agree(manifold, name):
    # From normal coordinates: off the manifold a derivative is nobody's business.
    free = tuple(normals(manifold, 6, 3, seed=seed, spread=0.7) for seed in (1, 2, 3))

    def function(a, b, c):
        x, y, z = (manifold.from_normal(v) for v in (a, b, c))
        return MAPS[name](manifold, x, y, manifold.logmap(x, z))

    batch = function(*free).detach()
    torch.testing.assert_close(
        torch.func.vmap(function)(*free).detach(), batch, rtol=1e-13, atol=1e-14
    )
    directions = tuple(torch.sin(torch.arange(t.numel()).double()).view(t.shape) for t in free)
    value, forward = torch.func.jvp(function, free, directions)
    torch.testing.assert_close(value.detach(), batch, rtol=1e-13, atol=1e-14)
    jacobians = torch.func.vmap(torch.func.jacrev(function, argnums=(0, 1, 2)))(*free)
    reverse = sum(
        (j * d.reshape(6, *[1] * (j.ndim - 2), -1)).sum(-1)
        for j, d in zip(jacobians, directions, strict=True)
    )
    torch.testing.assert_close(forward.detach(), reverse.detach(), rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize("manifold", thinned(CASES), indirect=True)
def test_second_derivatives_agree_where_vectors_are_zero_and_points_coincide(manifold):
    x = points(manifold, 3, seed=1, spread=0.7)
    v, w = (tangent(manifold, x, normals(manifold, 3, seed=s, spread=0.5)) for s in (2, 3))
    end = manifold.expmap(x, v).detach()
    curves = {
        "expmap": lambda t: manifold.expmap(x, t * v),
        "transport": lambda t: manifold.transport(x, manifold.expmap(x, t * v), w),
        "geodesic": lambda t: manifold.geodesic(x, end, t),
        "logmap": lambda t: manifold.logmap(x, manifold.expmap(x, t * v)),
        "sqdist": lambda t: manifold.sqdist(x, manifold.expmap(x, t * v)),
        "logdetexp": lambda t: manifold.logdetexp(x, t * v),
    }
    zero, h = torch.tensor(0.0, dtype=torch.float64), 1e-4

    def derivative(f):
        return lambda t: torch.func.jvp(f, (t,), (torch.ones_like(t),))[1]

    for name, curve in curves.items():
        forward = derivative(derivative(curve))(zero).detach()
        along = torch.cos(torch.arange(max(forward.numel(), 1)).double()).view(forward.shape)
        reverse = torch.func.grad(torch.func.grad(lambda t, f=curve, a=along: (f(t) * a).sum()))
        agree = torch.testing.assert_close
        agree((forward * along).sum(), reverse(zero).detach(), rtol=1e-10, atol=1e-10, msg=name)
        # The error of a difference quotient: h^2 f''''/12 and 4 eps f/h^2, of numbers of order 1.
        quotient = (curve(zero + h) - 2 * curve(zero) + curve(zero - h)).detach() / h**2
        agree(forward, quotient, rtol=2e-6, atol=2e-6, msg=name)


@pytest.mark.parametrize(
    "manifold",
    # Second ones of others are in test_derivatives, by differences.
    thinned(CASES, without=(Euclidean, PoincareBall, Sphere, Stereographic)),
    indirect=True,
)
@pytest.mark.parametrize("name", MAPS)
def test_second_derivatives_agree_in_forward_and_in_reverse_mode(manifold, name):
    free = tuple(normals(manifold, 3, seed=seed, spread=0.7) for seed in (1, 2, 3))
    along = tuple(normals(manifold, 3, seed=seed) for seed in (4, 5, 6))

    def function(t):
        x, y, z = (manifold.from_normal(v + t * d) for v, d in zip(free, along, strict=True))
        return MAPS[name](manifold, x, y, manifold.logmap(x, z)).sum()

    def slope(t):
        return torch.func.jvp(function, (t,), (torch.ones_like(t),))[1]

    t = torch.tensor(0.1, dtype=torch.float64)
    forward = torch.func.jvp(slope, (t,), (torch.ones_like(t),))[1].detach()
    reverse = torch.func.grad(torch.func.grad(function))(t).detach()
    torch.testing.assert_close(forward, reverse, rtol=1e-9, atol=1e-10)


# Torch 2.6 says so of each number that is made a tensor on the way.
@pytest.mark.filterwarnings("ignore:Attempted to insert a get_attr Node:UserWarning")
@pytest.mark.filterwarnings("ignore:Node lifted_tensor_0 target:UserWarning")
def test_dist_exports(manifold):
    class Module(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.manifold = manifold

        def forward(self, x, y):
            return self.manifold.dist(x, y)

    x, y, _ = _arguments(manifold)
    exported = torch.export.export(Module(), (x, y)).module()
    torch.testing.assert_close(exported(y, x), manifold.dist(y, x), rtol=1e-13, atol=0)


@pytest.mark.parametrize("name", MAPS)
def test_empty_strided_and_expanded_inputs_are_inputs_like_others(manifold, name):
    x, y, v = _arguments(manifold)
    expected = MAPS[name](manifold, x, y, v)
    strided = [torch.stack([t, -t], dim=-1)[..., 0] for t in (x, y, v)]
    assert not strided[0].is_contiguous()
    torch.testing.assert_close(MAPS[name](manifold, *strided), expected, rtol=1e-13, atol=1e-14)
    one = MAPS[name](manifold, x[:1].expand(4, -1), y[:1].expand(4, -1), v[:1].expand(4, -1))
    first = expected[:1].expand(4, *expected.shape[1:])
    if one.shape == first.shape:  # not all pairs
        torch.testing.assert_close(one, first, rtol=1e-13, atol=1e-14)
    none = [t[:0].requires_grad_() for t in (x, y, v)]
    result = MAPS[name](manifold, *none)
    assert result.numel() == 0
    if result.requires_grad:
        for g in torch.autograd.grad(result.sum(), none, allow_unused=True):
            assert g is None or g.numel() == 0


def test_leading_axes_broadcast(manifold):
    x = points(manifold, 4, 1, 3, seed=1)
    y = points(manifold, 5, 3, seed=2)
    v = tangent(manifold, x, torch.ones(4, 1, 3, dtype=torch.float64))
    assert manifold.dist(x, y).shape == (4, 5)
    assert manifold.logmap(x, y).shape == manifold.expmap(y, manifold.logmap(y, x)).shape
    assert manifold.transport(x, y, v).shape == (4, 5, x.shape[-1])
    assert manifold.dist(x[0, 0], y[0]).shape == ()
    assert manifold.geodesic(x[0, 0], y[0], torch.linspace(0, 1, 7)).shape == (7, x.shape[-1])
    torch.testing.assert_close(
        manifold.dist(x, y)[2, 3], manifold.dist(x[2, 0], y[3]), rtol=4e-15, atol=0
    )


def test_copies_pickles_and_checkpoints_keep_the_curvature(manifold):
    for other in (copy.deepcopy(manifold), pickle.loads(pickle.dumps(manifold))):
        assert repr(other) == repr(manifold)
        assert torch.equal(other.curvature, manifold.curvature)


def test_a_learned_curvature_loads_into_a_module_built_with_another():
    learned = Lorentz(-2.0, learnable=True)
    with torch.no_grad():
        next(learned.parameters()).add_(0.5)
    file = io.BytesIO()
    torch.save(learned.state_dict(), file)
    file.seek(0)
    other = Lorentz(-1.0, learnable=True)
    other.load_state_dict(torch.load(file, weights_only=True))
    assert torch.equal(other.curvature, learned.curvature)
    assert list(Lorentz(-2.0).state_dict()) == []


def test_the_curvature_is_exact_in_every_dtype():
    for k in (-0.1, -0.7, -3.3):
        for manifold in (
            Lorentz(k),
            Lorentz(k, learnable=True),
            PoincareBall(k, learnable=True, bounds=(-9, -0.01)),
        ):
            assert manifold.curvature.item() == k


def test_the_default_dtype_is_respected():
    before = torch.get_default_dtype()
    try:
        torch.set_default_dtype(torch.float64)
        space = Lorentz(-0.3, learnable=True)
        assert space.origin(2).dtype == torch.float64
        assert space.random_normal(3, 2).dtype == torch.float64
    finally:
        torch.set_default_dtype(before)
