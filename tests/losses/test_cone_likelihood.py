"""The law of the exterior angle: its mass, its normaliser at 40 digits, its limits, its use."""

import math
from itertools import pairwise

import mpmath as mp
import pytest
import torch
from cases import CASES, normals, points
from torch.autograd import gradcheck

from spaceforms.losses import ConeLikelihood, cone_log_prob, cone_nll, entailment
from spaceforms.manifolds import Euclidean, Lorentz, PoincareBall, Product

F64 = torch.float64
SHAPES = (0.05, 0.5, 1.0, 1.7, 2.0, 8.0, 50.0)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("aperture", [0.0, 0.02, 0.4, math.pi / 2])
def test_its_mass_on_the_half_turn_is_one(shape, aperture):
    """By tanh-sinh quadrature over the cone, one scale beyond it, and the rest."""
    t = torch.linspace(-4, 4, 641, dtype=F64)
    u = torch.special.expit(math.pi * t.sinh())
    weight = (t[1] - t[0]) * math.pi * t.cosh() * u * (1 - u)
    psi = torch.tensor(aperture, dtype=F64)
    for scale in (0.2, 1.0, 30.0):
        mass = 0.0
        for low, high in pairwise(sorted({0.0, aperture, min(aperture + scale, math.pi), math.pi})):
            density = cone_log_prob(low + (high - low) * u, psi, scale, shape=shape).exp()
            mass += (density * weight).sum().item() * (high - low)
        # Next to the cusp rounding of the angle changes the density, but on eps of the interval.
        assert mass == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("dtype", [F64, torch.float32], ids=str)
@pytest.mark.parametrize("shape", SHAPES)
def test_value_and_gradient_are_those_of_forty_digits(shape, dtype):
    eps = torch.finfo(dtype).eps
    for aperture in (0.0, 1e-3, 0.3, 1.5):
        for scale in (1e-6, 1e-2, 0.3, 3.0, 1e4):
            psi = torch.tensor(aperture, dtype=dtype, requires_grad=True)
            s = torch.tensor(scale, dtype=dtype, requires_grad=True)
            value = cone_log_prob(torch.zeros((), dtype=dtype), psi, s, shape=shape)
            by_psi, by_s = torch.autograd.grad(value, (psi, s))
            with mp.workdps(40):
                p, t, b = mp.mpf(psi.item()), mp.mpf(s.item()), mp.mpf(shape)
                x = ((mp.pi - p) / t) ** b
                tail = t * mp.gammainc(1 / b, 0, x) / b
                z, edge = p + tail, mp.exp(-x)
                # By the fundamental theorem: the tail is the integral of exp(-(u/s)^beta).
                exact_psi, exact_s = -(1 - edge) / z, -(tail - (mp.pi - p) * edge) / (t * z)
                assert abs(value.item() + mp.log(z)) <= 50 * eps
                assert abs(by_psi.item() - exact_psi) <= 50 * eps / z
                assert abs(by_s.item() - exact_s) <= 50 * eps / t


def test_with_shape_one_it_is_the_hinge_over_the_scale_and_a_closed_normaliser(manifold):
    x, y = points(manifold, 40, 3, seed=1), points(manifold, 40, 3, seed=2)
    s = torch.linspace(0.05, 2.0, 40, dtype=F64)
    loss = cone_nll(x, y, s, manifold=manifold, reduction="none")
    psi = manifold.half_aperture(x)
    closed = (psi - s * (-(math.pi - psi) / s).expm1()).log()
    hinge = entailment(x, y, manifold=manifold, reduction="none")
    torch.testing.assert_close(loss, hinge / s + closed, rtol=1e-14, atol=1e-14)
    axis = cone_nll(x, y, s, manifold=manifold, plateau="axis", reduction="none")
    closed = (-s * (-math.pi / s).expm1()).log()
    torch.testing.assert_close(
        axis, manifold.exterior_angle(x, y) / s + closed, rtol=1e-14, atol=1e-14
    )


def test_small_scales_are_uniform_in_the_cone_and_large_ones_everywhere():
    psi = torch.tensor([0.01, 0.3, math.pi / 2], dtype=F64)
    inside = cone_log_prob(0.5 * psi, psi, 1e-200)
    torch.testing.assert_close(inside, -psi.log(), rtol=1e-15, atol=1e-15)
    everywhere = cone_log_prob(torch.tensor([3.0, 1.0, 0.0], dtype=F64), psi, 1e200)
    torch.testing.assert_close(everywhere, -torch.full_like(psi, math.pi).log(), rtol=1e-15, atol=0)


@pytest.mark.parametrize("corner", ["coincident", "parent", "child", "opposite"])
def test_gradients_are_finite_at_the_corners(manifold, corner):
    v = normals(manifold, 3, seed=1)
    p, c = {
        "coincident": (v, v),
        "parent": (0 * v, v),
        "child": (v, 0 * v),
        "opposite": (v, -v),
    }[corner]
    p, c = (manifold.from_normal(t).detach().requires_grad_() for t in (p, c))
    for shape in (0.5, 1.0, 2.0):
        s = torch.tensor(0.3, dtype=F64, requires_grad=True)
        for plateau in ("cone", "axis"):
            loss = cone_nll(p, c, s, manifold=manifold, shape=shape, plateau=plateau)
            for value in (loss, *torch.autograd.grad(loss, (p, c, s))):
                assert value.isfinite().all()


def test_far_out_under_a_tiny_scale_it_is_large_and_finite():
    for dtype in (torch.float32, F64):
        for shape in (0.5, 2.0, 8.0, 50.0):
            a, psi, s = (torch.tensor(t, dtype=dtype) for t in (3.0, 0.1, 1e-12))
            for t in (a, psi, s):
                t.requires_grad_()
            value = cone_log_prob(a, psi, s, shape=shape)
            assert value < -1e6
            for part in (value, *torch.autograd.grad(value, (a, psi, s))):
                assert part.isfinite()


@pytest.mark.parametrize("name", ["Euclidean", "Sphere(2.5)", "PoincareBall(-0.3)", "Lorentz(-1)"])
def test_the_derivative_is_that_of_differences(name):
    manifold = CASES[name]
    v = normals(manifold, 2, 4, 3, seed=3).requires_grad_()
    s = torch.tensor([0.1, 0.5, 1.0, 3.0], dtype=F64, requires_grad=True)

    def loss(v, s):
        parent, child = manifold.from_normal(v)
        return sum(
            cone_nll(parent, child, s, manifold=manifold, shape=b, plateau=where)
            for b, where in ((0.7, "cone"), (2.0, "axis"))
        )

    assert gradcheck(loss, (v, s))


def test_a_product_adds_up_its_factors():
    lorentz, flat = Lorentz(-1.0), Euclidean()
    space = Product([lorentz, flat], dims=[2, 2])
    x, y = space.random_normal(2, 5, 4, generator=torch.Generator().manual_seed(0), dtype=F64)
    s = torch.linspace(0.1, 1.0, 5, dtype=F64)
    each = [
        cone_nll(p, q, s, manifold=f, reduction="none")
        for f, p, q in zip((lorentz, flat), space.split(x), space.split(y), strict=True)
    ]
    loss = cone_nll(x, y, s, manifold=space, reduction="none")
    torch.testing.assert_close(loss, each[0] + each[1], rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize("shape", [1.0, 2.0])
def test_the_maximum_of_likelihood_finds_the_scale_of_each_kind_of_pair(shape):
    """Angles drawn by inverting the distribution function, two kinds with scales 0.2 and 0.8."""
    psi, truth, count = 0.3, torch.tensor([0.2, 0.8], dtype=F64), 20_000
    grid = torch.linspace(0, math.pi, 20_001, dtype=F64)
    density = cone_log_prob(grid, torch.tensor(psi, dtype=F64), truth[:, None], shape=shape).exp()
    cumulative = torch.cat([torch.zeros(2, 1), (density[:, 1:] + density[:, :-1]).cumsum(1)], 1)
    cumulative = cumulative / cumulative[:, -1:]
    u = torch.rand(2, count, generator=torch.Generator().manual_seed(0), dtype=F64)
    angle = grid[torch.searchsorted(cumulative, u).clamp(max=20_000)]
    log_scale = torch.zeros(2, dtype=F64, requires_grad=True)
    optimiser = torch.optim.LBFGS([log_scale], max_iter=50, line_search_fn="strong_wolfe")

    def loss():
        optimiser.zero_grad()
        value = -cone_log_prob(
            angle, torch.tensor(psi, dtype=F64), log_scale.exp()[:, None], shape=shape
        ).mean()
        value.backward()
        return value

    optimiser.step(loss)
    # The standard error by Fisher's information, from the second derivative of the mean.
    curvature = torch.autograd.functional.hessian(
        lambda t: (
            -cone_log_prob(angle, torch.tensor(psi, dtype=F64), t.exp()[:, None], shape=shape)
            .mean(1)
            .sum()
        ),
        log_scale.detach(),
    ).diagonal()
    error = (1 / (count * curvature)).sqrt()
    assert (error < 0.05).all()
    assert ((log_scale.detach() - truth.log()).abs() < 4 * error).all()


def test_the_module_owns_its_scale():
    ball = PoincareBall(-1.0, learnable=True)
    loss = ConeLikelihood(ball, scale=0.4, shape=2.0)
    assert [name for name, _ in loss.named_parameters()] == ["scale.raw"]
    assert list(ConeLikelihood(ball, learnable=False).parameters()) == []
    x, y = points(ball, 6, 2, seed=1), points(ball, 6, 2, seed=2)
    assert loss(x, y) == cone_nll(x, y, 0.4, manifold=ball, shape=2.0)
    log_scale = torch.linspace(-1, 1, 6, dtype=F64)
    torch.testing.assert_close(
        loss(x, y, log_scale),
        cone_nll(x, y, 0.4 * log_scale.exp(), manifold=ball, shape=2.0),
        rtol=1e-15,
        atol=0,
    )
    loss(x, y).backward()
    assert loss.scale.raw.grad != 0
    assert "shape=2" in repr(loss)


X = torch.tensor([0.3, 0.4])


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"scale": 0.0}, r"scale is 0.0; expected a positive number, or a tensor"),
        ({"scale": 1.0, "shape": 0.01}, r"shape is 0.01; expected a number from 0.05 on"),
        ({"scale": 1.0, "shape": torch.ones(())}, r"shape is a Tensor; expected a number"),
        ({"scale": 1.0, "plateau": "edge"}, r"plateau is 'edge'; expected one of cone, axis"),
        ({"scale": 1.0, "reduction": "max"}, r"reduction is 'max'"),
        ({"scale": 1.0, "min_radius": 0.0}, r"min_radius is 0.0"),
    ],
)
def test_refusals_are_sentences(options, sentence):
    with pytest.raises((TypeError, ValueError), match=sentence):
        cone_nll(X, X, options.pop("scale"), manifold=PoincareBall(), **options)
    with pytest.raises(
        ValueError, match=r"cone_log_prob: got shapes angle \(3,\), aperture \(2,\)"
    ):
        cone_log_prob(torch.ones(3), torch.ones(2), 1.0)
    with pytest.raises(ValueError, match=r"ConeLikelihood: shape is 0"):
        ConeLikelihood(PoincareBall(), shape=0)
