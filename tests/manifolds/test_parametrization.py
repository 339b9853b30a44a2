"""Points as parameters of a module, which any optimiser trains."""

import copy
import io
import math

import pytest
import torch
from cases import CASES, normal
from torch.nn.utils import parametrize

from spaceforms.manifolds import Lorentz, OnManifold, PoincareBall, Product, Sphere, on_manifold

F64 = torch.float64


@pytest.mark.parametrize("name", CASES)
def test_a_table_holds_the_points_of_its_numbers(name):
    space = CASES[name]
    n = sum(space.dims) if isinstance(space, Product) else 3
    table = torch.nn.Embedding(5, n, dtype=F64)
    with torch.no_grad():
        v = table.weight.mul_(0.3).clone()
    assert on_manifold(table, "weight", space) is table
    assert torch.equal(table.weight, space.from_normal(v))
    assert space.is_point(table(torch.tensor([0, 4]))).all()
    # The numbers as they were, not there and back through the points.
    assert torch.equal(table.parametrizations.weight.original, v)


def test_adamw_finds_the_frechet_mean():
    space = Lorentz(-0.7)
    x = space.from_normal(normal(20, 3, seed=1))
    holder = torch.nn.Module()
    holder.centre = torch.nn.Parameter(torch.zeros(3, dtype=F64))
    on_manifold(holder, "centre", space)
    adam = torch.optim.AdamW(holder.parameters(), lr=0.1, weight_decay=0.0)
    steps = torch.optim.lr_scheduler.CosineAnnealingLR(adam, 120)
    for _ in range(120):
        adam.zero_grad()
        space.sqdist(holder.centre, x).mean().backward()
        adam.step()
        steps.step()
    # What 120 steps of a rate that falls to 0 leave: the cosine's last ten are below 0.002.
    assert space.dist(holder.centre, space.mean(x)) < 1e-3
    assert space.is_point(holder.centre)


def test_weight_decay_goes_to_the_origin():
    space = PoincareBall()
    table = on_manifold(torch.nn.Embedding(4, 2, dtype=F64), "weight", space)
    start = space.dist(space.origin(2, dtype=F64), table.weight.detach())
    sgd = torch.optim.SGD(table.parameters(), lr=0.5, weight_decay=1.0)
    (0 * table.weight.sum()).backward()
    sgd.step()
    # Normal coordinates are lengths: half of them is half the distance, here to a few roundings.
    half = space.dist(space.origin(2, dtype=F64), table.weight.detach())
    torch.testing.assert_close(half, start / 2, rtol=1e-14, atol=0)


def test_points_may_be_assigned_and_what_is_none_may_not():
    space = Sphere(0.25)
    table = on_manifold(torch.nn.Embedding(6, 3, dtype=F64), "weight", space)
    points = space.from_normal(normal(6, 3, seed=5))
    table.weight = points
    torch.testing.assert_close(table.weight, points, rtol=0, atol=8 * 2**-52 * 2)
    with pytest.raises(
        ValueError, match=r"6 of 6 rows are no points of Sphere.*on_manifold\(module"
    ):
        table.weight = 2 * points
    raw = torch.nn.Linear(3, 4)
    with pytest.raises(ValueError, match=r"4 of 4 rows are no points of Lorentz"):
        parametrize.register_parametrization(raw, "weight", OnManifold(Lorentz()), unsafe=True)


def test_the_parameter_stays_the_object_that_optimisers_and_ties_have():
    table, twin = torch.nn.Embedding(5, 3), torch.nn.Embedding(5, 3)
    twin.weight = table.weight
    sgd = torch.optim.SGD(table.parameters(), lr=1.0)
    before = table.weight.detach().clone()
    on_manifold(table, "weight", Lorentz())
    table(torch.arange(5)).sum().backward()
    sgd.step()
    assert not torch.equal(twin.weight, before)
    assert torch.equal(table.weight, Lorentz().from_normal(twin.weight))


def test_a_learnable_curvature_is_a_parameter_of_the_module():
    space = Lorentz(-1.0, learnable=True)
    table = on_manifold(torch.nn.Embedding(3, 2), "weight", space)
    assert any(p is space._magnitude.raw for p in table.parameters())
    table(torch.tensor([1])).sum().backward()
    assert all(p.grad is not None for p in table.parameters())


def test_it_is_saved_copied_and_taken_off():
    space = Lorentz(-0.5, learnable=True)
    table = on_manifold(torch.nn.Embedding(5, 2), "weight", space)
    other = on_manifold(torch.nn.Embedding(5, 2), "weight", Lorentz(-2.0, learnable=True))
    file = io.BytesIO()
    torch.save(table.state_dict(), file)
    file.seek(0)
    other.load_state_dict(torch.load(file))
    assert torch.equal(other.weight, table.weight)
    twin = copy.deepcopy(table)
    assert torch.equal(twin.weight, table.weight)
    assert twin.parametrizations.weight[0].manifold is not space
    points = table.weight.detach().clone()
    parametrize.remove_parametrizations(table, "weight")
    assert torch.equal(table.weight, points)
    assert isinstance(table.weight, torch.nn.Parameter)


def test_it_compiles_and_is_made_on_the_meta_device():
    table = on_manifold(torch.nn.Embedding(5, 2), "weight", Lorentz())
    rows = torch.tensor([1, 2])
    compiled = torch.compile(table, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(rows), table(rows), rtol=1e-6, atol=1e-6)
    with torch.device("meta"):
        meta = on_manifold(torch.nn.Embedding(5, 2), "weight", Lorentz())
    assert meta.weight.shape == (5, 3)
    assert meta.weight.is_meta


def test_a_table_far_out_keeps_its_numbers():
    v = torch.tensor([[40.0, math.pi], [100.0, 1e-3]], dtype=F64)
    table = torch.nn.Embedding(2, 2, _weight=v.clone())
    on_manifold(table, "weight", Lorentz())
    assert torch.equal(table.parametrizations.weight.original, v)


def _twice():
    once = on_manifold(torch.nn.Linear(2, 2), "weight", Lorentz())
    return on_manifold(once, "weight", Lorentz())


@pytest.mark.parametrize(
    ("call", "kind", "sentence"),
    [
        (
            lambda: on_manifold(torch.nn.ReLU(), "weight", Lorentz()),
            ValueError,
            "weight of ReLU is no parameter of it; expected a module that has parameters",
        ),
        (
            lambda: on_manifold(torch.nn.Linear(2, 2), "wieght", Lorentz()),
            ValueError,
            "wieght of Linear is no parameter of it; expected one of weight, bias",
        ),
        (
            lambda: on_manifold(torch.nn.Embedding(5, 2, max_norm=1.0), "weight", Lorentz()),
            ValueError,
            "Embedding has sparse or max_norm",
        ),
        (_twice, ValueError, "weight of ParametrizedLinear is parametrized already"),
        (
            lambda: on_manifold(torch.zeros(2), "weight", Lorentz()),
            TypeError,
            "module is a Tensor; expected a Module",
        ),
        (
            lambda: on_manifold(torch.nn.Linear(2, 2), "weight", "lorentz"),
            TypeError,
            "on_manifold: manifold is a str",
        ),
        (lambda: OnManifold(None), TypeError, "OnManifold: manifold is a NoneType"),
    ],
)
def test_what_cannot_be_gets_a_sentence(call, kind, sentence):
    with pytest.raises(kind, match=sentence):
        call()
