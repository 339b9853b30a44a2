"""Divergences of normal laws, and laws made of laws of vectors."""

import math

import pytest
import torch
from cases import CASES, normal, points
from torch.distributions import (
    Categorical,
    Independent,
    MixtureSameFamily,
    Normal,
    TransformedDistribution,
    kl_divergence,
)

from spaceforms.distributions import (
    FromNormal,
    RiemannianNormal,
    WrappedNormal,
    monte_carlo_kl,
)
from spaceforms.manifolds import Euclidean, Lorentz, PoincareBall, Product, Sphere, Stereographic

F64 = torch.float64
OPEN = [Lorentz(-0.7), PoincareBall(-1.3), Stereographic(-0.4), Euclidean()]


@pytest.mark.parametrize("space", OPEN, ids=repr)
@pytest.mark.parametrize("kind", [WrappedNormal, RiemannianNormal])
def test_the_divergence_about_one_centre_is_that_of_samples(space, kind):
    loc = points(space, 3, seed=1)
    a, b = torch.tensor(0.4, dtype=F64), torch.tensor(0.7, dtype=F64)
    p, q = kind(space, loc, a), kind(space, loc, b)
    torch.manual_seed(0)
    found, error = monte_carlo_kl(p, q, 20_000)
    # Five standard errors: wrong by chance once in two million.
    assert abs(kl_divergence(p, q) - found) < 5 * error
    assert kl_divergence(p, q) > 20 * error
    assert kl_divergence(p, p) == 0


def test_of_the_sphere_too_where_a_law_is_proper():
    space = Sphere(0.5)
    loc = points(space, 3, seed=1)
    p, q = (RiemannianNormal(space, loc, torch.tensor(s, dtype=F64)) for s in (0.5, 0.9))
    torch.manual_seed(1)
    found, error = monte_carlo_kl(p, q, 20_000)
    assert abs(kl_divergence(p, q) - found) < 5 * error
    with pytest.raises(NotImplementedError, match="wrapped laws on the sphere"):
        kl_divergence(WrappedNormal(space, loc, 0.5), WrappedNormal(space, loc, 0.9))


def test_on_flat_space_it_is_torchs_whatever_the_centres():
    space, x, y = Euclidean(), normal(4, 3, seed=1), normal(4, 3, seed=2)
    a, b = normal(4, 3, seed=3).exp(), normal(4, 3, seed=4).exp()
    wanted = kl_divergence(Independent(Normal(x, a), 1), Independent(Normal(y, b), 1))
    found = kl_divergence(WrappedNormal(space, x, a), WrappedNormal(space, y, b))
    # Twelve terms of order (a/b)^2, up to 1e4 here, each with a few roundings.
    torch.testing.assert_close(found, wanted, rtol=1e-13, atol=1e-13)
    one, other = (RiemannianNormal(space, c, s) for c, s in ((x, a[:, 0]), (y, b[:, 0])))
    wanted = kl_divergence(
        Independent(Normal(x, a[:, :1].expand(4, 3)), 1),
        Independent(Normal(y, b[:, :1].expand(4, 3)), 1),
    )
    # Its normalisers are quadratures, right to 1e-10.
    torch.testing.assert_close(kl_divergence(one, other), wanted, rtol=1e-9, atol=1e-9)


def test_near_one_another_it_keeps_its_digits():
    """Scales that differ by a share e of themselves: n e^2, of which a difference keeps nothing."""
    space, e = Lorentz(), 2.0**-20
    loc = points(space, 3, seed=1)
    p, q = (WrappedNormal(space, loc, torch.tensor(s, dtype=F64)) for s in (1 + e, 1.0))
    # ((1 + e)^2 - 1)/2 - log(1 + e) = e^2 - e^3/3 + ..., from e + e^2/2 - log1p(e): eps e is lost.
    assert kl_divergence(p, q).item() == pytest.approx(3 * (e * e - e**3 / 3), abs=8 * 2**-52 * e)


def test_apart_it_is_estimated_and_has_gradients():
    space = Lorentz()
    x, y = points(space, 2, 3, seed=1), points(space, 2, 3, seed=2)
    p = WrappedNormal(space, x.requires_grad_(), torch.tensor(0.5, dtype=F64))
    q = WrappedNormal(space, y, torch.tensor(0.5, dtype=F64))
    with pytest.raises(NotImplementedError, match=r"centres .* differ.*monte_carlo_kl"):
        kl_divergence(p, q)
    value, error = monte_carlo_kl(p, q, 2000)
    assert value.shape == error.shape == (2,)
    assert (value > 0).all()
    assert not error.requires_grad
    (slope,) = torch.autograd.grad(value.sum(), x)
    # Towards q's centre it falls.
    way = space.logmap(x.detach(), y)
    assert ((slope * way).sum(-1) < 0).all()
    with pytest.raises(ValueError, match="samples is 1; expected two or more"):
        monte_carlo_kl(p, q, 1)


def test_two_spaces_get_a_sentence():
    p = WrappedNormal(Lorentz(), points(Lorentz(), 3, seed=1), 0.5)
    for q in (
        WrappedNormal(Lorentz(-2.0), points(Lorentz(-2.0), 3, seed=1), 0.5),
        WrappedNormal(PoincareBall(), points(PoincareBall(), 4, seed=1), 0.5),
    ):
        for divergence in (kl_divergence, monte_carlo_kl):
            with pytest.raises(ValueError, match="expected one space"):
                divergence(p, q)
    both = Product([Lorentz(), Euclidean()], dims=[2, 2])
    p = WrappedNormal(both, both.origin(4, dtype=F64), 0.5)
    with pytest.raises(NotImplementedError, match="no closed form here on a product"):
        kl_divergence(p, p)


@pytest.mark.parametrize("space", [*OPEN, Sphere(0.3)], ids=repr)
def test_independent_normal_vectors_become_the_wrapped_normal_law(space):
    scale = torch.tensor([0.3, 0.5, 0.2], dtype=F64)
    made = TransformedDistribution(
        Independent(Normal(torch.zeros(3, dtype=F64), scale), 1), FromNormal(space)
    )
    wanted = WrappedNormal(space, space.origin(3, dtype=F64), scale)
    x = wanted.sample((50,))
    assert made.event_shape == wanted.event_shape
    # Of order 10, from a logarithm and a square each.
    torch.testing.assert_close(made.log_prob(x), wanted.log_prob(x), rtol=0, atol=1e-12)
    drawn = made.rsample((7,))
    assert space.is_point(drawn).all()
    assert made.support.check(drawn).all()


def test_a_mixture_of_vectors_is_a_law_that_integrates_to_one():
    space = Lorentz(-0.5)
    parts = Independent(Normal(normal(4, 2, seed=1), torch.tensor(0.4, dtype=F64)), 1)
    mixture = MixtureSameFamily(Categorical(torch.ones(4, dtype=F64)), parts)
    law = TransformedDistribution(mixture, FromNormal(space))
    # Polar coordinates: the integral of p(x) sn(r) dr dt, by rules that converge exponentially.
    r = torch.linspace(0, 8, 2001, dtype=F64)
    t = torch.arange(100, dtype=F64) * 2 * math.pi / 100
    v = r[:, None, None] * torch.stack([t.cos(), t.sin()], dim=-1)
    root = 0.5**0.5
    density = law.log_prob(space.from_normal(v)).exp().mean(-1) * 2 * math.pi
    total = torch.trapezoid(density * (root * r).sinh() / root, r)
    assert total.item() == pytest.approx(1, abs=5e-6)  # h^2/12 times the slope at 0, about 1


@pytest.mark.parametrize("name", CASES)
def test_the_jacobian_is_that_of_differences(name):
    space = CASES[name]
    n = sum(space.dims) if isinstance(space, Product) else 3
    v = normal(n, seed=3, length=0.6)
    transform = FromNormal(space)
    x = transform(v)
    assert transform.forward_shape(v.shape) == x.shape
    assert transform.inverse_shape(x.shape) == v.shape
    torch.testing.assert_close(transform.inv(x), v, rtol=0, atol=1e-13)
    columns = torch.func.jacfwd(transform)(v).T
    gram = torch.stack([torch.stack([space.inner(x, a, b) for b in columns]) for a in columns])
    found = transform.log_abs_det_jacobian(v, x)
    # Half the logarithm of a determinant whose entries are good to some 1e-14.
    torch.testing.assert_close(found, gram.det().log() / 2, rtol=0, atol=1e-12)


def test_it_is_printed_compared_and_cached():
    space = Lorentz()
    transform = FromNormal(space)
    assert repr(transform) == "FromNormal(Lorentz(curvature=-1))"
    assert transform == FromNormal(space)
    assert transform != FromNormal(Lorentz())
    kept = transform.with_cache(1)
    v = normal(3, seed=1)
    assert kept.inv(kept(v)) is v
    with pytest.raises(TypeError, match="FromNormal: manifold is a str"):
        FromNormal("lorentz")
