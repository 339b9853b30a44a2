"""Laws of a length: the rule, its inverse and the implicit derivative, into the tails."""

import math

import mpmath as mp
import pytest
import torch

from spaceforms.manifolds.kernels.radial.law import RadialLaw, uniform_law

F64 = torch.float64
EPS = torch.finfo(F64).eps
# Far into both tails. (From 1e-10 on the mass that the rule leaves out, 1e-20, is seen.)
CHANCES = (1e-7, 1e-4, 0.01, 0.3, 0.5, 0.9, 0.999, 1 - 1e-7)


def gamma_like(n, scale):
    """t^(n-1) exp(-t^2/2 scale^2): that of the length of a normal vector."""
    return RadialLaw(
        lambda t: (
            (n - 1) * t.log() - (t / scale).square() / 2 if n > 1 else -((t / scale) ** 2) / 2
        ),
        scale.detach() * (math.sqrt(n) + 10),
    )


@pytest.mark.parametrize("n", [1, 2, 3, 50, 2000])
def test_quantiles_are_those_of_the_chi_law_and_so_is_their_derivative(n):
    scale = torch.tensor([[0.01], [1.0], [30.0]], dtype=F64, requires_grad=True)
    u = torch.tensor(CHANCES, dtype=F64).expand(3, -1)
    t = gamma_like(n, scale).quantile(u)
    (slope,) = torch.autograd.grad(t.sum(), scale)
    for row, s in zip(t, scale, strict=True):
        for value, chance in zip(row, CHANCES, strict=True):
            with mp.workdps(40):
                z = (mp.mpf(value.item()) / mp.mpf(s.item())) ** 2 / 2
                reached = mp.gammainc(mp.mpf(n) / 2, 0, z, regularized=True)
                rest = 1 - reached
                density = 2 * z ** (mp.mpf(n) / 2) * mp.exp(-z) / mp.gamma(mp.mpf(n) / 2)
                # An error of the chance, over its change with log t; u itself has its rounding.
                error = abs(reached - mp.mpf(chance)) / density
                allowed = 64 * EPS * (1 + mp.mpf(chance) / density)
                assert error <= allowed, (n, s.item(), chance)
                assert min(reached, rest) >= 0
        # It is a law of scale: t is proportional to it, sample by sample.
    torch.testing.assert_close(slope, (t / scale).sum(-1, keepdim=True), rtol=1e-11, atol=0)


@pytest.mark.parametrize("n", [2, 40])
def test_the_implicit_derivative_keeps_its_digits_in_both_tails(n):
    for chance in CHANCES:
        scale = torch.tensor([1.0], dtype=F64, requires_grad=True)
        t = gamma_like(n, scale).quantile(torch.tensor([chance], dtype=F64))
        (slope,) = torch.autograd.grad(t, scale)
        assert slope.item() == pytest.approx(t.item(), rel=1e-11, abs=0), chance


def test_uniform_laws_of_flat_space_are_powers():
    u = torch.rand(3, 50, dtype=F64, generator=torch.Generator().manual_seed(0))
    for n in (1, 2, 17, 300):
        reach = torch.tensor([[0.1], [1.0], [7.0]], dtype=F64)
        x = uniform_law(n, lambda t: 0 * t, reach).quantile(u)
        torch.testing.assert_close(x, u ** (1 / n), rtol=64 * EPS, atol=0)


def test_the_ends_of_the_chances_are_the_ends_of_the_range():
    law = uniform_law(3, lambda t: 0 * t, torch.ones(1, dtype=F64))
    x = law.quantile(torch.tensor([0.0, 1.0 - EPS / 2], dtype=F64))
    assert (x >= 0).all()
    assert x[0] < 1e-5
    assert 1 - x[1] < 1e-15
