"""Batch normalisation: what it makes of a batch, and what it keeps of many."""

import pytest
import torch
from cases import CASES, CHARTS, normal, once

from spaceforms.layers import Norm
from spaceforms.manifolds import Euclidean, Lorentz, Manifold, PoincareBall, Product, Sphere
from spaceforms.stats import centroid

F64 = torch.float64
N = 4
SPACES: dict[str, Manifold] = {
    **CASES,
    "Klein(-0.7)": CHARTS["Klein(-0.7)"],
    "product": Product([Lorentz(-0.7), Sphere(0.3)]),
}


def batch(space, size=60, seed=1, spread=0.4):
    shift = torch.tensor([0.4, -0.1, 0.2, 0.3], dtype=F64)
    return space.from_normal(shift + spread * normal(size, N, seed=seed)).detach()


@pytest.mark.parametrize("name", once(SPACES))
def test_in_training_the_centroid_becomes_the_bias_and_the_dispersion_the_scale(name):
    space = SPACES[name]
    layer = Norm(space, N, eps=1e-12, dtype=F64)
    with torch.no_grad():
        layer.scale.fill_(0.6)
        layer.bias.copy_(torch.tensor([0.2, 0.1, -0.3, 0.1]))
    x = batch(space)
    y = layer(x)
    beta = space.from_normal(layer.bias.detach())
    # Distances from the centroid, in a product those of each factor, have mean square scale^2.
    parts = [(space, y, beta)]
    if isinstance(space, Product):
        parts = list(zip(space.factors, space.split(y), space.split(beta), strict=True))
    for m, points, centre in parts:
        rms = m.sqdist(points, centre).mean().sqrt()
        torch.testing.assert_close(rms, torch.tensor(0.6, dtype=F64), rtol=1e-9, atol=0)
    # It is centred by logarithms, and the centroid is where those of sn, not those of the distance,
    # add up to 0: rescaled the two differ. Of the inputs, unscaled, they agree.
    with torch.no_grad():
        layer.scale.copy_((layer.running_var - 0.9).div(0.1).sqrt())
        kept = layer(x)
    distance = space.dist(centroid(space, kept), beta)
    assert distance < 1e-9


def test_on_flat_space_it_is_batch_normalisation_with_one_variance():
    x = batch(Euclidean())
    found = Norm(Euclidean(), N, eps=1e-3, dtype=F64)(x)
    centred = x - x.mean(0)
    wanted = centred / (centred.square().sum(-1).mean() + 1e-3).sqrt()
    torch.testing.assert_close(found, wanted, rtol=1e-13, atol=1e-13)


def test_it_is_the_same_on_two_models_of_hyperbolic_space():
    found = []
    for space in (Lorentz(-0.6), PoincareBall(-0.6)):
        layer = Norm(space, N, dtype=F64)
        for seed in range(3):
            y = layer(batch(space, seed=seed))
        found.append((space.to_normal(y), layer.running_mean, layer.running_var))
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", once(SPACES))
def test_running_statistics_tend_to_those_of_the_batch_and_evaluation_uses_them(name):
    space = SPACES[name]
    layer, x = Norm(space, N, momentum=0.5, dtype=F64), batch(space)
    start = layer.running_mean.clone()
    y = layer(x)
    mean = centroid(space, x)
    halfway = space.geodesic(space.from_normal(start), mean, 0.5)
    torch.testing.assert_close(space.from_normal(layer.running_mean), halfway.detach())
    for _ in range(36):  # 2^-37 of the way is left
        y = layer(x)
    assert space.dist(space.from_normal(layer.running_mean), mean) < 1e-10
    layer.eval()
    held = {key: value.clone() for key, value in layer.named_buffers()}
    torch.testing.assert_close(layer(x), y, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(layer(x[:2]), y[:2], rtol=1e-9, atol=1e-9)
    for key, value in layer.named_buffers():
        assert torch.equal(value, held[key])


@pytest.mark.parametrize("name", once(SPACES))
def test_one_point_goes_to_the_bias_with_finite_gradients(name):
    space = SPACES[name]
    layer = Norm(space, N, dtype=F64)
    with torch.no_grad():
        layer.bias.copy_(torch.tensor([0.2, 0.1, -0.3, 0.1]))
    x = batch(space, 1).requires_grad_()
    y = layer(x)
    beta = space.from_normal(layer.bias.detach())
    assert space.dist(y[0], beta) < 1e-10
    (gradient,) = torch.autograd.grad(y.sum(), x)
    assert gradient.isfinite().all()


def test_all_leading_axes_are_the_batch_and_without_parameters_it_has_none():
    space = Lorentz()
    layer, x = Norm(space, N, affine=False, dtype=F64), batch(space)
    assert not [*layer.parameters()]
    torch.testing.assert_close(layer(x.reshape(3, 20, -1)), layer(x).reshape(3, 20, -1))
    layer.reset_parameters()
    assert torch.equal(layer.running_mean, torch.zeros(N, dtype=F64))
    assert torch.equal(layer.running_var, torch.ones(1, dtype=F64))
