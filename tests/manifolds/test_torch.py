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


# Whose graphs have the kernels of all in them: geodesics beyond their ends are exponentials of
# logarithms, and cones are both angles.
TRACED = ("dist", "transport", "geodesic", "midpoint", "cones", "logdetexp")


@pytest.mark.parametrize(
    "manifold", thinned(CASES, without=(Euclidean, PoincareBall, Stereographic)), indirect=True
)
@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=() if n in TRACED else pytest.mark.slow) for n in MAPS]
)
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


def every(manifold, x, y, v):
    """All maps of the same arguments, so that points and derivatives are computed once for all."""
    return {name: function(manifold, x, y, v) for name, function in MAPS.items()}


@pytest.mark.parametrize(
    "manifold", thinned(CASES, without=(Euclidean, PoincareBall)), indirect=True
)
def test_vmap_and_forward_and_reverse_derivatives_agree(manifold):
    # From normal coordinates: off the manifold a derivative is nobody's business.
    free = tuple(normals(manifold, 6, 3, seed=seed, spread=0.7) for seed in (1, 2, 3))

    def function(a, b, c):
        x, y, z = (manifold.from_normal(v) for v in (a, b, c))
        return every(manifold, x, y, manifold.logmap(x, z))

    def agree(name, got, wanted, rtol, atol):
        torch.testing.assert_close(
            got[name].detach(), wanted, rtol=rtol, atol=atol, msg=lambda m: f"{name}: {m}"
        )

    batch = {name: t.detach() for name, t in function(*free).items()}
    mapped = torch.func.vmap(function)(*free)
    directions = tuple(torch.sin(torch.arange(t.numel()).double()).view(t.shape) for t in free)
    value, forward = torch.func.jvp(function, free, directions)
    jacobians = torch.func.vmap(torch.func.jacrev(function, argnums=(0, 1, 2)))(*free)
    assert set(batch) == set(MAPS)
    for name in MAPS:
        agree(name, mapped, batch[name], 1e-13, 1e-14)
        agree(name, value, batch[name], 1e-13, 1e-14)
        reverse = sum(
            (j * d.reshape(6, *[1] * (j.ndim - 2), -1)).sum(-1)
            for j, d in zip(jacobians[name], directions, strict=True)
        )
        agree(name, forward, reverse.detach(), 1e-10, 1e-11)


@pytest.mark.parametrize("manifold", thinned(CASES), indirect=True)
def test_second_derivatives_agree_where_vectors_are_zero_and_points_coincide(manifold):
    x = points(manifold, 3, seed=1, spread=0.7)
    v, w = (tangent(manifold, x, normals(manifold, 3, seed=s, spread=0.5)) for s in (2, 3))
    end = manifold.expmap(x, v).detach()

    def curves(t):
        y = manifold.expmap(x, t * v)
        return {
            "expmap": y,
            "transport": manifold.transport(x, y, w),
            "geodesic": manifold.geodesic(x, end, t),
            "logmap": manifold.logmap(x, y),
            "sqdist": manifold.sqdist(x, y),
            "logdetexp": manifold.logdetexp(x, t * v),
        }

    zero, h = torch.tensor(0.0, dtype=torch.float64), 1e-4

    def derivative(f):
        return lambda t: torch.func.jvp(f, (t,), (torch.ones_like(t),))[1]

    def along(u):
        return (u * torch.cos(torch.arange(max(u.numel(), 1)).double()).view(u.shape)).sum()

    def total(t):
        return torch.stack([along(u) for u in curves(t).values()])

    forward = {n: u.detach() for n, u in derivative(derivative(curves))(zero).items()}
    reverse = torch.func.vmap(
        lambda weights: torch.func.grad(torch.func.grad(lambda t: total(t) @ weights))(zero)
    )(torch.eye(len(forward), dtype=torch.float64)).detach()
    up, here, down = (curves(zero + s * h) for s in (1, 0, -1))
    for i, (name, got) in enumerate(forward.items()):
        say = {"msg": lambda m, name=name: f"{name}: {m}"}
        torch.testing.assert_close(along(got), reverse[i], rtol=1e-10, atol=1e-10, **say)
        # The error of a difference quotient: h^2 f''''/12 and 4 eps f/h^2, of numbers of order 1.
        quotient = (up[name] - 2 * here[name] + down[name]).detach() / h**2
        torch.testing.assert_close(got, quotient, rtol=2e-6, atol=2e-6, **say)


@pytest.mark.parametrize(
    "manifold",
    # Second ones of others are in test_derivatives, by differences.
    thinned(CASES, without=(Euclidean, PoincareBall, Sphere, Stereographic)),
    indirect=True,
)
def test_second_derivatives_agree_in_forward_and_in_reverse_mode(manifold):
    free = tuple(normals(manifold, 3, seed=seed, spread=0.7) for seed in (1, 2, 3))
    along = tuple(normals(manifold, 3, seed=seed) for seed in (4, 5, 6))

    def function(t):
        x, y, z = (manifold.from_normal(v + t * d) for v, d in zip(free, along, strict=True))
        return torch.stack([u.sum() for u in every(manifold, x, y, manifold.logmap(x, z)).values()])

    def slope(t):
        return torch.func.jvp(function, (t,), (torch.ones_like(t),))[1]

    def reverse(weights):
        return torch.func.grad(torch.func.grad(lambda t: function(t) @ weights))(t)

    t = torch.tensor(0.1, dtype=torch.float64)
    forward = torch.func.jvp(slope, (t,), (torch.ones_like(t),))[1].detach()
    one_by_one = torch.func.vmap(reverse)(torch.eye(len(MAPS), dtype=torch.float64)).detach()
    for name, got, wanted in zip(MAPS, forward, one_by_one, strict=True):
        torch.testing.assert_close(
            got, wanted, rtol=1e-9, atol=1e-10, msg=lambda m, name=name: f"{name}: {m}"
        )


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


def test_a_vector_of_fewer_axes_than_its_points_is_tangent_to_each_of_them(manifold):
    x = points(manifold, 4, 5, 3, seed=1)
    v = torch.linspace(-1, 1, x.shape[-1], dtype=torch.float64)
    tangents = manifold.proj_tangent(x, v)
    assert torch.equal(tangents.expand_as(x), manifold.proj_tangent(x, v.expand_as(x)))
    whole = manifold.is_tangent(x, v.expand_as(x))
    assert torch.equal(manifold.is_tangent(x, v).expand(4, 5), whole)


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
