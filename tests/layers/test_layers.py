"""What all layers are: modules of torch, of points in and points out, on every manifold."""

import copy
import io

import pytest
import torch
from cases import CASES, CHARTS, FOREIGN, derivatives_of_differences, normal, once
from torch import nn

from spaceforms.layers import MLR, AttentionPool, Lift, Linear, Norm, Pool, Tangent
from spaceforms.manifolds import (
    Euclidean,
    Lorentz,
    Manifold,
    PoincareBall,
    Product,
    Sphere,
    Stereographic,
)
from spaceforms.stats import centroid

F64, F32 = torch.float64, torch.float32
N, OUT = 4, 3
SPACES: dict[str, Manifold] = {
    **CASES,
    "Klein(-0.7)": CHARTS["Klein(-0.7)"],
    "product": Product([Lorentz(-0.7, learnable=True), Sphere(0.4)], weights=[1.0, 2.0]),
}
MAKERS = {
    "Lift": lambda m, **o: Lift(m, N),
    "Linear": lambda m, **o: Linear(m, N, N, **o),
    "MLR": lambda m, **o: MLR(m, N, OUT, **o),
    "Norm": lambda m, **o: Norm(m, N, **o),
    "Pool": lambda m, **o: Pool(m),
    "AttentionPool": lambda m, **o: AttentionPool(m, N, **o),
    "Tangent": lambda m, **o: Tangent(m, nn.Linear(N, OUT + 1, **o)),
}
each_layer = pytest.mark.parametrize("kind", MAKERS)
each_space = pytest.mark.parametrize("name", once(SPACES))


def given(kind, manifold, dtype=F64, size=(5, 6)):
    """What a layer takes, the same points on each manifold."""
    v = 0.4 * normal(*size, N, seed=1)
    return (v if kind == "Lift" else manifold.from_normal(v).detach()).to(dtype)


def made(kind, manifold, dtype=F64):
    """A layer with parameters that are not at their start."""
    torch.manual_seed(3)
    layer = MAKERS[kind](copy.deepcopy(manifold), dtype=dtype)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return layer


def judged(kind, layer, y):
    """Whether a result is what it should be."""
    assert y.isfinite().all()
    if kind != "MLR":
        assert layer.manifold.is_point(y).all()


@each_space
@each_layer
def test_results_are_points_and_everything_that_can_be_learned_has_a_gradient(kind, name):
    layer = made(kind, SPACES[name])
    x = given(kind, SPACES[name]).requires_grad_()
    y = layer(x)
    judged(kind, layer, y)
    weights = normal(*y.shape, seed=4)
    learned = [*layer.named_parameters(), ("x", x)]
    grads = torch.autograd.grad((weights * y).sum(), [p for _, p in learned])
    for (key, _), g in zip(learned, grads, strict=True):
        assert g.isfinite().all(), key
        # A parameter that moves nothing is a mistake. (That of K = 0 moves something too.)
        assert g.abs().max() > 1e-12, key


GRAPHS = [
    pytest.param(
        kind, name, marks=pytest.mark.slow if kind == "Norm" or name != "Lorentz(-1)" else ()
    )
    for kind in MAKERS
    for name in ("Lorentz(-1)", "Stereographic(0, learnable)", "product")
]
"""Tracing takes long, that of translations longest."""


@pytest.mark.parametrize(("kind", "name"), GRAPHS)
def test_one_graph_for_the_compiler(kind, name):
    torch.compiler.reset()
    layer, x = made(kind, SPACES[name]), given(kind, SPACES[name])
    plain = copy.deepcopy(layer)(x)
    compiled = torch.compile(copy.deepcopy(layer), fullgraph=True, backend="eager")(x)
    torch.testing.assert_close(compiled, plain, rtol=1e-12, atol=1e-12)
    torch.compiler.reset()


@each_space
@each_layer
def test_shapes_without_data(kind, name):
    x = given(kind, SPACES[name])
    plain = made(kind, SPACES[name])(x)
    there = made(kind, SPACES[name]).to("meta")(x.to("meta"))
    assert (there.shape, there.dtype) == (plain.shape, plain.dtype)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@each_space
@each_layer
def test_half_precision_is_kept_and_as_good_as_its_points(kind, name, dtype):
    layer, x = made(kind, SPACES[name]), given(kind, SPACES[name], dtype)
    exact = copy.deepcopy(layer)(x.double())
    y = layer.to(dtype)(x)
    assert y.dtype == dtype
    judged(kind, layer, y)
    # Points at distance 1 or so, parameters and a few intermediate points rounded.
    torch.testing.assert_close(y.double(), exact, rtol=0, atol=40 * torch.finfo(dtype).eps)


@each_layer
def test_state_travels_and_copies_are_their_own(kind):
    space = Stereographic(-0.4, learnable=True)
    layer, other = made(kind, space), MAKERS[kind](Stereographic(0.3, learnable=True), dtype=F64)
    x = given(kind, space)
    layer(x)  # that statistics are not those of the start
    file = io.BytesIO()
    torch.save(layer.state_dict(), file)
    file.seek(0)
    other.load_state_dict(torch.load(file))
    assert torch.equal(layer.eval()(x), other.eval()(x))
    twin = copy.deepcopy(layer)
    assert torch.equal(layer(x), twin(x))
    assert not {id(p) for p in twin.parameters()} & {id(p) for p in layer.parameters()}


@each_layer
def test_a_learnable_curvature_is_a_parameter_of_the_layer_and_may_go_through_0(kind):
    x = given(kind, PoincareBall(-1.0))
    layer = made(kind, Stereographic(-0.02, learnable=True))
    points, signs = [], []
    (raw,) = (p for n, p in layer.named_parameters() if n.endswith("_curvature.raw"))
    for step in torch.linspace(0, 0.04, 5):
        with torch.no_grad():
            raw.copy_(step)
        points.append(layer(x).detach())
        signs.append(layer.manifold.sign)
    assert (signs[0], signs[-1]) == (-1, 1)
    # Smooth: a third difference of steps of 0.01 is 1e-6 times a derivative of order 1.
    bend = points[3] - 3 * points[2] + 3 * points[1] - points[0]
    assert bend.abs().max() < 2e-5


@each_layer
def test_derivatives_are_those_of_differences(kind):
    layer, x = (
        made(kind, Stereographic(0.0, learnable=True)).double(),
        given(kind, PoincareBall(), size=(3, 2)),
    )
    names, values = zip(*layer.named_parameters(), strict=True)

    def call(x, *values):
        state = {**dict(layer.named_buffers()), **dict(zip(names, values, strict=True))}
        return torch.func.functional_call(copy.deepcopy(layer), state, (x,))

    inputs = [x.requires_grad_(), *(v.detach().clone().requires_grad_() for v in values)]
    assert derivatives_of_differences(call, inputs)


@each_layer
def test_autocast_changes_nothing(kind):
    layer, x = made(kind, Lorentz(), F32), given(kind, Lorentz(), F32)
    if kind == "Tangent":
        layer.module = nn.Tanh()  # what a module of features does under autocast is its own
    plain = copy.deepcopy(layer)(x)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(layer(x), plain)


# -- what each is ----------------------------------------------------------------------------------


@pytest.mark.parametrize("manifold", [Euclidean(), Stereographic(0.0)])
def test_linear_and_mlr_are_those_of_torch_at_zero_curvature(manifold):
    v = normal(7, N, seed=1)
    for kind in ("Linear", "MLR"):
        layer = made(kind, manifold)
        bias = -layer.weight.norm(dim=-1) * layer.offset
        wanted = nn.functional.linear(v, layer.weight, bias)
        found = layer(manifold.from_normal(v))
        found = manifold.to_normal(found) if kind == "Linear" else found
        torch.testing.assert_close(found, wanted, rtol=1e-14, atol=1e-14)


def test_linear_to_flat_space_gives_the_scores_and_between_models_the_same_points():
    x, v = {}, 0.4 * normal(7, N, seed=1)
    for space in (Lorentz(-0.6), PoincareBall(-0.6), Stereographic(-0.6, learnable=True)):
        torch.manual_seed(0)
        layer = Linear(space, N, OUT, target=Euclidean(), dtype=F64)
        torch.testing.assert_close(layer(space.from_normal(v)), layer.scores(space.from_normal(v)))
        torch.manual_seed(0)
        y = Linear(space, N, OUT, dtype=F64)(space.from_normal(v))
        x[type(space)] = space.to_normal(y)
    first, *others = x.values()
    for other in others:
        torch.testing.assert_close(other, first, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("n", [8, 64])
@pytest.mark.parametrize("out", [8, 64])
def test_linear_keeps_the_distance_from_the_origin_at_the_start(n, out):
    for space in (Lorentz(-0.5), PoincareBall(-2.0), Stereographic(0.0), Sphere(0.5)):
        torch.manual_seed(0)
        x = space.from_normal(normal(200, n, seed=1, length=0.1, dtype=F32))
        layers = [Linear(space, n, out) for _ in range(20)]
        squares = [space.to_normal(layer(x)).square().sum(-1).mean() for layer in layers]
        # The mean of 20 out n squares of normal numbers: its deviation is sqrt(2/(20 out n)), 4%
        # at most, half of that of the root; and 1% of curvature.
        assert abs(torch.stack(squares).mean().sqrt() / 0.1 - 1) < 0.1


def test_lift_makes_points_at_distance_one_of_features_of_variance_one():
    for space in (Lorentz(), Sphere(), Stereographic(0.0)):
        layer = Lift(space, 64)
        x = layer(normal(500, 64, seed=1, dtype=F32))
        assert abs(space.to_normal(x).norm(dim=-1).mean() - 1) < 0.02  # deviation 1/sqrt(128 500)
    assert [*Lift(Lorentz(), 4, learnable=False).parameters()] == []
    assert Lift(Lorentz(), 4, scale=0.3).scale().item() == 0.3
    layer.scale.raw.data.fill_(1.0)
    layer.reset_parameters()
    assert layer.scale().item() == 1 / 8


def test_tangent_is_a_module_of_normal_coordinates():
    space, v = Lorentz(-0.6), normal(9, N, seed=1)
    y = Tangent(space, nn.ReLU())(space.from_normal(v))
    torch.testing.assert_close(space.to_normal(y), v.relu(), rtol=1e-14, atol=1e-14)
    sphere = Tangent(space, nn.Tanh(), target=Sphere())(space.from_normal(v))
    torch.testing.assert_close(Sphere().to_normal(sphere), v.tanh(), rtol=1e-14, atol=1e-14)
    drop = Tangent(space, nn.Dropout(0.5))
    torch.manual_seed(0)
    kept = space.to_normal(drop(space.from_normal(v)))
    assert set((kept / v).round(decimals=9).flatten().tolist()) == {0.0, 2.0}
    assert torch.equal(
        drop.eval()(space.from_normal(v)), space.from_normal(space.to_normal(space.from_normal(v)))
    )


@each_space
def test_pool_is_the_centroid_of_what_the_mask_lets_through(name):
    space = SPACES[name]
    x, w = given("Pool", space), 0.1 + torch.rand(5, 6, dtype=F64)
    mask = torch.rand(5, 6) > 0.4
    mask[0], mask[1] = False, True
    found = Pool(space)(x, w, mask)
    assert torch.equal(found[0], space.origin(N, dtype=F64))
    for i in range(1, 5):
        wanted = centroid(space, x[i, mask[i]], w[i, mask[i]])
        torch.testing.assert_close(found[i], wanted, rtol=1e-13, atol=1e-13)
    rubbish = torch.where(mask.unsqueeze(-1), x, 1e6)
    assert torch.equal(Pool(space)(rubbish, w, mask), found)


@each_space
def test_attention_weighs_by_distance_and_sees_no_order(name):
    layer, x = made("AttentionPool", SPACES[name]), given("Pool", SPACES[name])
    space = layer.manifold
    query = space.from_normal(layer.query)
    w = (-layer.temperature() * space.dist(query, x)).exp()
    torch.testing.assert_close(layer(x), centroid(space, x, w), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(layer(x.flip(-2)), layer(x), rtol=1e-12, atol=1e-12)
    mask = torch.tensor([[False] * 6, [True, True] + [False] * 4])
    found = layer(x[:2], mask)
    assert torch.equal(found[0], space.origin(N, dtype=F64))
    torch.testing.assert_close(found[1], layer(x[1, :2]), rtol=1e-12, atol=1e-12)


WRONG = {
    "a str for a manifold": (lambda: MLR("Lorentz", 3, 2), TypeError, "MLR: manifold is a str"),
    "an unknown class": (
        lambda: Linear(next(iter(FOREIGN.values())), 3, 2),
        TypeError,
        "Linear: manifold is Klein.*coordinates are not known",
    ),
    "n": (lambda: Norm(Lorentz(), 0), ValueError, "Norm: n is 0; expected"),
    "classes": (lambda: MLR(Lorentz(), 3, 1.5), ValueError, "MLR: classes is 1.5; expected"),
    "out": (lambda: Linear(Lorentz(), 3, -1), ValueError, "Linear: out is -1; expected"),
    "dims": (
        lambda: Lift(Product([Lorentz(), Sphere()], dims=[2, 3]), 4),
        ValueError,
        "Lift: .*4; expected 5 dimensions",
    ),
    "target": (
        lambda: Linear(Lorentz(), 3, 3, target=Product([Lorentz(), Sphere()])),
        ValueError,
        "Linear: the dimension is 3; expected 2 n dimensions",
    ),
    "l1": (
        lambda: MLR(Product([Lorentz()] * 2, metric="l1"), 4, 2),
        NotImplementedError,
        "MLR.*metric l1",
    ),
    "width": (
        lambda: Linear(Lorentz(), 3, 2)(torch.ones(5, 3)),
        ValueError,
        r"Linear: x has shape \(5, 3\); expected 4 coordinates.*of dimension 3",
    ),
    "features": (
        lambda: Lift(Lorentz(), 3)(torch.ones(5, 4)),
        ValueError,
        r"Lift: x has shape \(5, 4\); expected 3 features",
    ),
    "integers": (
        lambda: Pool(Lorentz())(torch.ones(5, 4, dtype=torch.long)),
        TypeError,
        "Pool: x has dtype torch.int64; expected a floating",
    ),
    "mask": (
        lambda: Pool(Lorentz())(torch.ones(5, 4), mask=torch.ones(5)),
        TypeError,
        "Pool: mask has dtype torch.float32; expected a boolean",
    ),
    "momentum": (lambda: Norm(Lorentz(), 3, momentum=0.0), ValueError, "Norm: momentum is 0.0"),
    "eps": (lambda: Norm(Lorentz(), 3, eps=-1.0), ValueError, "Norm: eps is -1.0"),
    "module": (lambda: Tangent(Lorentz(), torch.relu), TypeError, "Tangent: module is a .*nn.Mod"),
    "empty": (lambda: Norm(Lorentz(), 3)(torch.ones(0, 4)), ValueError, "at least one point"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_gets_a_sentence(case):
    call, error, sentence = WRONG[case]
    with pytest.raises(error, match=sentence):
        call()


@each_layer
def test_they_say_how_they_were_made(kind):
    shown = repr(MAKERS[kind](Lorentz(-0.5)))
    assert shown.startswith(kind)
    assert "Lorentz(curvature=-0.5)" in shown
