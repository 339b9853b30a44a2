"""The similarity of normal coordinates and the configuration of a space: torch alone is needed."""

import json
import pickle

import pytest
import torch

from spaceforms.integrations import similarity
from spaceforms.integrations.spaces import config_of, space_of
from spaceforms.manifolds import (
    Euclidean,
    HalfSpace,
    Klein,
    Lorentz,
    PoincareBall,
    Product,
    Sphere,
    Stereographic,
)

A, B = torch.randn(2, 5, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def test_on_flat_space_it_is_minus_the_euclidean_distance():
    torch.testing.assert_close(similarity(Euclidean())(A, B[:3]), -torch.cdist(A, B[:3]))


@pytest.mark.parametrize("matmul", [False, True])
def test_two_models_of_hyperbolic_space_agree(matmul):
    ours = [similarity(s(-0.5), matmul=matmul)(A, B[:3]) for s in (Lorentz, PoincareBall)]
    assert ours[0].shape == (5, 3)
    # Points within 4 of the origin, where cosh(r/R)^2 < 300: a product's rounding is 300 eps in
    # sinh(d/2)^2, which is no less than 0.01 between these points.
    torch.testing.assert_close(ours[0], ours[1], rtol=1e-11, atol=0)


def test_pairwise_is_the_diagonal_and_from_the_origin_minus_the_length():
    space = Sphere(0.3)
    table, rows = similarity(space)(A, B), similarity(space, pairwise=True)(A, B)
    assert torch.equal(table.diagonal(), rows)
    radial = similarity(space, pairwise=True)(0 * A, A)
    torch.testing.assert_close(radial, -A.norm(dim=-1), rtol=1e-14, atol=0)


def test_half_precision_is_measured_in_float32():
    a, b = A.half(), B.half()
    measured = similarity(Lorentz())(a, b)
    assert measured.dtype == torch.float32
    assert torch.equal(measured, similarity(Lorentz())(a.float(), b.float()))


@pytest.mark.parametrize("pairwise", [False, True])
def test_arrays_are_refused_by_name_as_nothing_can_be_learned_of_them(pairwise):
    fct = similarity(Lorentz(), pairwise=pairwise)
    for pair, name in (((A[0].numpy(), A[0]), "a"), ((A[0], A[0].tolist()), "b")):
        with pytest.raises(
            TypeError, match=rf"^similarity: {name} is a (ndarray|list); expected a"
        ):
            fct(*pair)


def test_a_learned_curvature_is_a_parameter_of_what_holds_it_and_pickles():
    space = Lorentz(-2.0, learnable=True)
    held = torch.nn.ModuleDict({"fct": similarity(space)})
    assert [p is q for p, q in zip(held.parameters(), space.parameters(), strict=True)] == [True]
    held["fct"](A, B).sum().backward()
    assert space._magnitude.raw.grad.abs() > 0
    again = pickle.loads(pickle.dumps(held["fct"]))
    assert torch.equal(again(A, B), held["fct"](A, B))


@pytest.mark.parametrize(
    "space",
    [
        Euclidean(),
        Lorentz(-0.3),
        Sphere(2.0, learnable=True),
        PoincareBall(-1.0, learnable=True, bounds=(-10.0, -0.1)),
        HalfSpace(-2.0),
        Klein(-1.5, learnable=True, bounds=(-2.0, -1.0)),
        Stereographic(0.5, learnable=True, bounds=(-1.0, 1.0)),
    ],
    ids=str,
)
def test_a_space_goes_through_json_and_back(space):
    again = space_of(json.loads(json.dumps(config_of(space))))
    assert repr(again) == repr(space)
    again.load_state_dict(space.state_dict())
    assert torch.equal(again.curvature, space.curvature)


def test_what_a_configuration_cannot_name_gets_a_sentence():
    with pytest.raises(TypeError, match="space is a Product; expected one that a configuration"):
        config_of(Product([Lorentz(), Sphere()], dims=[2, 2]))
    with pytest.raises(ValueError, match="space is 'Minkowski'; expected one of Euclidean"):
        space_of({"space": "Minkowski"})
