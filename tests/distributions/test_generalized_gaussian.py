"""The generalized Gaussian law against scipy, mpmath, torch's own laws and quadrature."""

import math
from functools import partial

import mpmath as mp
import numpy as np
import pytest
import scipy.stats as st
import torch
from torch.autograd import gradcheck, gradgradcheck
from torch.distributions import Laplace, Normal, kl_divergence

from spaceforms.distributions import GeneralizedGaussian

F64 = torch.float64
EPS = torch.finfo(F64).eps
SHAPES = [0.05, 0.1, 0.3, 0.5, 0.684, 1.0, 1.5, 2.0, 3.0, 8.0, 50.0, 300.0]


def mostly_slow(shapes, kept):
    """The shapes, those not kept for `make test-slow`."""
    return [b if b in kept else pytest.param(b, marks=pytest.mark.slow) for b in shapes]


def t(value, grad=False):
    return torch.tensor(value, dtype=F64, requires_grad=grad)


def standard(b):
    return GeneralizedGaussian(t(0.0), t(1.0), t(b))


def radii(b, count=400):
    """|z| with |z|^b from 1e-8 to 600, on both sides of 0, and 0."""
    z = torch.logspace(-8, math.log10(600), count, dtype=F64) ** (1 / b)
    return torch.cat([-z.flip(0), t([0.0]), z])


# -- values -------------------------------------------------------------------------------------


@pytest.mark.parametrize("b", SHAPES)
def test_densities_and_chances_are_scipys(b):
    m, a = 0.7, 1.3
    x = m + a * radii(b)
    law = GeneralizedGaussian(t(m), t(a), t(b))
    # The rounding of x - m, taken to the power b, is part of the problem.
    z = np.abs((x.numpy() - m) / a)
    u = z**b
    slope = b * u * (2 + np.abs(m / np.where(z > 0, x.numpy() - m, 1)))
    allowed = 8 * EPS * (slope + u + 1 + abs(math.log(2 * a)) + math.lgamma(1 + 1 / b))
    expected = st.gennorm.logpdf(x.numpy(), b, m, a)
    assert (np.abs(law.log_prob(x).numpy() - expected) <= allowed).all()
    relative = allowed[: len(x) // 2] * max(1.0, b)  # scipy goes through x = |z|^b as well
    below = law.cdf(x).numpy()[: len(x) // 2]
    assert (
        np.abs(below / st.gennorm.cdf(x.numpy(), b, m, a)[: len(x) // 2] - 1) < 1e-12 + relative
    ).all()
    np.testing.assert_allclose(law.cdf(x), st.gennorm.cdf(x.numpy(), b, m, a), atol=1e-12, rtol=0)


@pytest.mark.parametrize("b", mostly_slow(SHAPES, (0.05, 2.0, 300.0)))
def test_chances_and_quantiles_are_the_incomplete_gamma_functions(b):
    with mp.workdps(40):
        a = 1 / mp.mpf(b)
        for u in (1e-12, 1e-3, 0.2, 0.9, a + 0.99, a + 1.01, a + 5, 300):
            z = t(float(mp.mpf(u) ** a))
            x = mp.mpf(z.item()) ** mp.mpf(b)
            tail = mp.gammainc(a, x, regularized=True) / 2
            density = mp.exp(-x) / 2 / mp.gamma(1 + a)
            law = standard(b)
            # Relative roundings of z and of the shape, through the slopes of the chance.
            by_b = mp.diff(lambda c, z=z: mp.gammainc(1 / c, z.item() ** c, regularized=True), b)
            condition = 1 + float((mp.mpf(z.item()) * density + b * abs(by_b) / 2) / tail)
            assert abs(law.cdf(-z).item() / tail - 1) <= 8 * EPS * condition, u
            assert abs(law.cdf(z).item() - (1 - tail)) <= 8 * EPS * float(tail) * condition + EPS, u
            chance = t(float(tail))
            there = law.icdf(chance)
            assert law.icdf(1 - chance) >= 0
            moved = 8 * EPS * float(tail / density) * condition
            assert abs(there.item() + z.item()) <= moved, u


def test_quantiles_are_inverse_and_reach_the_ends():
    q = torch.cat(
        [torch.logspace(-300, -1, 60, dtype=F64), torch.linspace(0.01, 0.99, 99).double()]
    )
    for b in SHAPES[::3]:
        shape = t(b).expand(q.shape).clone().requires_grad_()
        law = GeneralizedGaussian(0.0, 1.0, shape)
        z = law.icdf(q)
        (slope,) = torch.autograd.grad(z.sum(), shape)
        z = z.detach()
        relative = (z.abs() + b * slope.abs()).log() + law.log_prob(z) - q.log()
        condition = relative.exp()  # the density alone is below all numbers
        assert ((law.cdf(z) / q - 1).abs() <= 16 * EPS * (1 + condition)).all()
        law = standard(b)
        assert law.icdf(t(0.5)) == 0
        assert law.icdf(t([0.0, 1.0])).tolist() == [-math.inf, math.inf]
        assert law.cdf(t([-math.inf, 0.0, math.inf])).tolist() == [0.0, 0.5, 1.0]
    with pytest.raises(ValueError, match=r"icdf: value holds 1\.5; expected chances in \[0, 1\]"):
        GeneralizedGaussian(0.0, 1.0, 2.0, validate_args=True).icdf(t(1.5))


@pytest.mark.parametrize("b", SHAPES)
def test_entropy_and_variance_are_scipys_and_quadratures(b):
    a = 1.7
    law = GeneralizedGaussian(t(0.0), t(a), t(b))
    assert law.entropy().item() == pytest.approx(st.gennorm.entropy(b, scale=a), rel=1e-12, abs=0)
    with mp.workdps(30):
        ratio = mp.gamma(3 / mp.mpf(b)) / mp.gamma(1 / mp.mpf(b))
    # The derivative of the logarithm by b is psi at up to 61, over b.
    assert law.variance.item() == pytest.approx(float(a**2 * ratio), rel=1e-13 / min(b, 1), abs=0)
    assert law.stddev.item() == pytest.approx(
        float(a * mp.sqrt(ratio)), rel=1e-13 / min(b, 1), abs=0
    )
    assert law.log_variance.item() == pytest.approx(float(2 * math.log(a) + mp.log(ratio)), 1e-13)
    assert law.mean == law.mode == 0


def test_large_shapes_are_the_uniform_law():
    law = GeneralizedGaussian(t(2.0), t(3.0), t(1e9))
    assert law.log_prob(t([0.0, 4.9])).tolist() == pytest.approx([-math.log(6)] * 2, abs=1e-9)
    assert law.variance.item() == pytest.approx(9 / 3, rel=1e-8)
    assert law.entropy().item() == pytest.approx(math.log(6), rel=1e-8)
    assert law.log_prob(t(5.1)) == -math.inf
    assert law.cdf(t([0.5, 2.9])).tolist() == pytest.approx([0.25, 0.65], abs=1e-8)


def test_shapes_one_and_two_are_torchs_own_laws():
    x = torch.linspace(-9, 9, 400, dtype=F64)
    laplace = Laplace(t(0.3), t(0.8))
    normal = Normal(t(0.3), t(0.8 / math.sqrt(2)))
    for b, other in ((1.0, laplace), (2.0, normal)):
        law = GeneralizedGaussian(t(0.3), t(0.8), t(b))
        torch.testing.assert_close(law.log_prob(x), other.log_prob(x), rtol=1e-14, atol=1e-13)
        torch.testing.assert_close(law.cdf(x), other.cdf(x), rtol=1e-13, atol=1e-15)
        torch.testing.assert_close(law.entropy(), other.entropy())
        torch.testing.assert_close(law.variance, other.variance)


# -- derivatives --------------------------------------------------------------------------------


@pytest.mark.parametrize("b", mostly_slow([0.3, 1.0, 2.0, 8.0], (0.3, 8.0)))
def test_derivatives_are_those_of_finite_differences(b):
    x = t([-1.4, 0.9], True)
    arguments = (t(0.1, True), t(0.8, True), t(b, True))

    def law(m, a, s):
        return GeneralizedGaussian(m, a, s, validate_args=False)

    def density(x, *p):
        return law(*p).log_prob(x)

    def chance(x, *p):
        return law(*p).cdf(x)

    def quantile(q, *p):
        return law(*p).icdf(q)

    def rest(*p):
        return law(*p).entropy(), law(*p).log_variance, law(*p).fisher_information()[1:, 1:]

    q = t([0.02, 0.6], True)
    assert gradcheck(density, (x, *arguments), check_forward_ad=True)
    assert gradgradcheck(density, (x, *arguments))
    for function, first in ((chance, x), (quantile, q)):
        assert gradcheck(function, (first, *arguments))
    assert gradcheck(rest, arguments)


@pytest.mark.slow
@pytest.mark.parametrize("b", [0.3, 1.0, 2.5, 8.0])
def test_chances_and_quantiles_have_second_derivatives(b):
    for function, first in ((standard(b).cdf, [-1.1, 0.6]), (standard(b).icdf, [0.02, 0.6])):
        kind = function.__name__

        def value(x, s, kind=kind):
            return getattr(GeneralizedGaussian(0.0, 1.0, s, validate_args=False), kind)(x)

        arguments = (t(first, True), t(b, True))
        assert gradcheck(value, arguments, check_forward_ad=True)
        assert gradgradcheck(value, arguments, eps=1e-7, atol=1e-4)


@pytest.mark.parametrize("b", [0.05, 0.5, 1.0, 1.5, 2.0, 3.0, 300.0])
def test_all_derivatives_are_defined_at_a_zero_residual(b):
    x, m, a, s = t(0.7, True), t(0.7, True), t(1.3, True), t(b, True)
    value = GeneralizedGaussian(m, a, s).log_prob(x)
    by_x, by_m, by_a, by_s = torch.autograd.grad(value, (x, m, a, s), create_graph=True)
    assert by_x == by_m == 0
    assert by_a.item() == pytest.approx(-1 / 1.3, rel=1e-15, abs=0)
    psi = torch.digamma(1 + 1 / t(b))
    assert by_s.item() == pytest.approx((psi / b**2).item(), rel=1e-14, abs=0)
    (second,) = torch.autograd.grad(by_m, m)
    assert second.item() == pytest.approx(-2 / 1.3**2 if b == 2 else 0, rel=1e-14, abs=0)
    (chance,) = torch.autograd.grad(GeneralizedGaussian(m, a, s).cdf(x), s)
    assert chance == 0


@pytest.mark.parametrize("b", mostly_slow([0.05, 0.7, 2.0, 300.0], (0.7, 300.0)))
def test_the_slope_of_samples_by_the_shape_keeps_their_chance(b):
    torch.manual_seed(0)
    s = t(b, True)
    z = GeneralizedGaussian(0.0, 1.0, s).rsample((200,))
    slopes = torch.stack([torch.autograd.grad(v, s, retain_graph=True)[0] for v in z])
    # Against quadrature: dz/db = -(dF/db)/F'.
    for value, slope in zip(z[:6].tolist(), slopes[:6].tolist(), strict=True):
        with mp.workdps(50):
            half = abs(mp.mpf(value))

            def tail(c, half=half):
                return -mp.gammainc(1 / c, half**c, regularized=True) / 2

            density = mp.exp(-(half ** mp.mpf(b))) / 2 / mp.gamma(1 + 1 / mp.mpf(b))
            expected = -mp.diff(tail, mp.mpf(b)) / density * mp.sign(value)
            scale = half / b**2 * (1 + b * abs(mp.log(half)))
        assert abs(slope - expected) <= 16 * EPS * float(scale)
    # And the forward mode agrees with the reverse one.
    torch.manual_seed(0)
    with torch.autograd.forward_ad.dual_level():
        dual = torch.autograd.forward_ad.make_dual(t(b), t(1.0))
        forward = GeneralizedGaussian(0.0, 1.0, dual, validate_args=False).rsample((200,))
        tangent = torch.autograd.forward_ad.unpack_dual(forward).tangent
    torch.testing.assert_close(tangent, slopes, rtol=1e-14, atol=0)


def test_samples_have_the_gradients_of_an_expectation():
    # E x^2 = a^2 Gamma(3/b)/Gamma(1/b): its derivatives by a and b, from samples.
    torch.manual_seed(0)
    m, a, s = t(0.2, True), t(0.7, True), t(1.4, True)
    law = GeneralizedGaussian(m.expand(100_000), a.expand(100_000), s.expand(100_000))
    per_sample = law.rsample().square()
    got = torch.autograd.grad(per_sample.mean(), (m, a, s))
    closed = GeneralizedGaussian(m, a, s).variance + m.square()
    expected = torch.autograd.grad(closed, (m, a, s))
    for one, other in zip(got, expected, strict=True):
        assert one.item() == pytest.approx(other.item(), rel=0.03, abs=0.01)


# -- samples ------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float32, F64])
@pytest.mark.parametrize("b", [0.3, 1.0, 2.0, 100.0, 300.0])
def test_samples_follow_the_law(b, dtype):
    torch.manual_seed(11)
    count = 20_000
    x = GeneralizedGaussian(torch.tensor(0.5, dtype=dtype), 2.0, b).sample((count,))
    assert x.dtype == dtype
    # Kolmogorov: a right law is beyond 2.7 once in a million seeds.
    # (scipy's own chances go through |z|^b, which underflows for |z| < 0.09 at b = 300.)
    wide = GeneralizedGaussian(t(0.5), t(2.0), t(b))
    distance = st.kstest(x.double(), lambda v: wide.cdf(torch.from_numpy(v)).numpy()).statistic
    assert distance < 2.7 / math.sqrt(count)


def test_large_shapes_have_samples_near_the_centre_in_float32():
    # The gamma variate of order 1/b to the power 1/b, which others take, has none.
    torch.manual_seed(0)
    x = GeneralizedGaussian(torch.tensor(0.0), 1.0, 300.0).sample((10_000,))
    assert abs((x.abs() < 0.5).double().mean() - 0.5) < 5 * 0.5 / 100
    assert x.abs().min() < 1e-2
    assert (x != 0).all()


# -- divergences --------------------------------------------------------------------------------


def divergence_by_quadrature(p, q):
    """By definition, at 30 digits."""
    (mp_, ap, bp), (mq, aq, bq) = ([mp.mpf(v) for v in law] for law in (p, q))

    def log_density(x, m, a, b):
        return -((abs(x - m) / a) ** b) - mp.log(2 * a * mp.gamma(1 + 1 / b))

    reach = [mp_ + s * ap * mp.mpf(u) ** (1 / bp) for s in (-1, 1) for u in (1e-3, 0.5, 2, 10, 80)]
    cuts = sorted({mp_, mq, *reach})
    cuts = [c for c in cuts if min(reach) <= c <= max(reach)]

    def integrand(x):
        one = log_density(x, mp_, ap, bp)
        return mp.exp(one) * (one - log_density(x, mq, aq, bq))

    return mp.quad(integrand, cuts)


@pytest.mark.parametrize(
    ("p", "q"),
    [
        ((0.0, 1.0, 0.7), (0.4, 1.5, 1.3)),
        ((0.0, 1.0, 2.0), (3.0, 0.8, 0.7)),
        ((0.0, 1.0, 8.0), (0.9, 2.0, 3.0)),
        ((1.0, 0.5, 1.0), (-2.0, 3.0, 4.0)),
        ((0.0, 1.0, 30.0), (0.99, 1.0, 0.4)),
    ],
)
def test_divergences_are_those_of_quadrature(p, q):
    with mp.workdps(20):
        expected = float(divergence_by_quadrature(p, q))
    laws = [GeneralizedGaussian(*(t(v) for v in law)) for law in (p, q)]
    assert kl_divergence(*laws).item() == pytest.approx(expected, rel=1e-13, abs=1e-13)


def test_divergences_in_closed_form_agree():
    m, a = t([0.0, 0.3, 2.0, 50.0]), t([0.5, 1.0, 2.0])[:, None]
    for b, other in ((1.0, Laplace), (2.0, lambda m, a: Normal(m, a / math.sqrt(2)))):
        p, q = GeneralizedGaussian(m, a, b), GeneralizedGaussian(t(0.3), t(1.3), b)
        expected = kl_divergence(other(m, a), other(t(0.3), t(1.3)))
        bound = 32 * EPS
        for one in (p, other(m, a)):
            for two in (q, other(t(0.3), t(1.3))):
                torch.testing.assert_close(
                    kl_divergence(one, two), expected, rtol=bound, atol=bound
                )
    # Of shapes that differ, at one centre: the limit of ever nearer ones, and positive.
    p, near = GeneralizedGaussian(t(0.0), t(1.0), t(0.7)), t([0.0, 1e-9, 1e-7])
    together = kl_divergence(p, GeneralizedGaussian(near, t(2.0), t(1.8)))
    torch.testing.assert_close(together, together[:1].expand(3), rtol=1e-12, atol=0)
    assert (together > 0).all()
    assert abs(kl_divergence(p, p).item()) < 8 * EPS


def test_divergences_have_the_gradients_of_finite_differences():
    for shift in (0.4, 3.0):
        p = [t(0.1, True), t(0.8, True), t(0.7, True)]
        q = [t(0.1 + shift, True), t(1.3, True), t(1.6, True)]

        def divergence(*v):
            one, two = (GeneralizedGaussian(*w, validate_args=False) for w in (v[:3], v[3:]))
            return kl_divergence(one, two), kl_divergence(one, Normal(v[3], v[4]))

        assert gradcheck(divergence, (*p, *q))


def test_the_information_is_the_curvature_of_the_divergence():
    # KL(p, p + h) = h' I h / 2 + O(h^3), for shapes where it is smooth; and that of the score.
    p = t([0.3, 0.8, 2.6])
    here = GeneralizedGaussian(*p)

    def to(q):
        return kl_divergence(here, GeneralizedGaussian(*q, validate_args=False))

    moved = p + t([1e-9, 0.0, 0.0])  # off the centre, where the closed form has no such slope
    hessian = torch.autograd.functional.hessian(to, moved)
    torch.testing.assert_close(here.fisher_information(), hessian, rtol=1e-6, atol=1e-6)
    for b in (0.6, 1.7, 8.0):
        law = GeneralizedGaussian(t(0.0), t(1.3), t(b))
        with mp.workdps(20):
            y = 1 / mp.mpf(b)
            z = 2 * mp.gamma(1 + y)

            def mean(f, b=b, z=z, y=y):
                cuts = [mp.mpf(u) ** y for u in (0, 1e-3, 0.3, 1, 3, 12, 60)]
                return 2 * mp.quad(lambda r: mp.exp(-(r**b)) / z * f(r), cuts)

            def score(r, k, b=b, y=y):
                by_b = mp.psi(0, 1 + y) * y**2 - r**b * mp.log(r)
                return (b * r**b - 1) / 1.3 if k == 1 else by_b

            expected = {
                (i, j): mean(lambda r, i=i, j=j, score=score: score(r, i) * score(r, j))
                for i, j in ((1, 1), (1, 2), (2, 2))
            }
            if b > 1:
                expected[0, 0] = mean(lambda r, b=b: (b * r ** (b - 1) / 1.3) ** 2)
        information = law.fisher_information()
        for (i, j), value in expected.items():
            assert information[i, j].item() == pytest.approx(float(value), rel=1e-9), (b, i, j)
        assert information[0, 1] == information[2, 0] == 0
    assert GeneralizedGaussian(0.0, 1.0, 0.5).fisher_information()[0, 0] == math.inf


# -- fitting ------------------------------------------------------------------------------------


@pytest.mark.parametrize("b", [0.3, 0.7, 1.0, 2.0, 8.0, 20.0])
def test_fits_find_the_law_within_its_information(b):
    torch.manual_seed(5)
    true = GeneralizedGaussian(t(3.0), t(0.5), t(b))
    x = true.sample((20_000,))
    law = GeneralizedGaussian.fit(x, loc=3.0)
    inverse = true.fisher_information()[1:, 1:].inverse() / 20_000
    error = torch.stack([law.scale - true.scale, law.shape - true.shape])
    assert (error.abs() < 4.5 * inverse.diagonal().sqrt()).all()
    # It is the maximum: both derivatives of the likelihood vanish.
    parameters = [v.clone().requires_grad_() for v in (law.scale, law.shape)]
    total = GeneralizedGaussian(law.loc, *parameters).log_prob(x).mean()
    for slope, v in zip(torch.autograd.grad(total, parameters), parameters, strict=True):
        assert abs(slope * v) < 1e-9
    free = GeneralizedGaussian.fit(x)
    assert abs(free.loc - 3) < 0.02
    assert free.shape.item() == pytest.approx(b, rel=0.1)
    assert free.log_prob(x).sum() >= law.log_prob(x).sum() - 1e-6


def test_fits_are_scipys():
    x = st.gennorm(1.3, 0.4, 2.0).rvs(3000, random_state=1)
    shape, loc, scale = st.gennorm.fit(x)
    law = GeneralizedGaussian.fit(torch.from_numpy(x))
    # Theirs stops by a simplex's tolerance; ours must be no less likely.
    assert law.shape.item() == pytest.approx(shape, rel=1e-3)
    assert law.scale.item() == pytest.approx(scale, rel=1e-3)
    assert law.loc.item() == pytest.approx(loc, abs=1e-3)
    theirs = st.gennorm.logpdf(x, shape, loc, scale).sum()
    assert law.log_prob(torch.from_numpy(x)).sum().item() >= theirs - 1e-9


def test_weights_count_like_repetitions_and_axes_like_loops():
    torch.manual_seed(2)
    x = GeneralizedGaussian(t(0.0), t(1.0), t([0.8, 1.5, 4.0])).sample((400,))
    times = torch.arange(400) % 3
    by_weight = GeneralizedGaussian.fit(x, weights=times.double()[:, None], dim=0)
    repeated = GeneralizedGaussian.fit(x.repeat_interleave(times, 0), dim=0)
    assert by_weight.batch_shape == (3,)
    for k in range(3):
        one = GeneralizedGaussian.fit(x[:, k], weights=times.double())
        for name in ("loc", "scale", "shape"):
            value = getattr(by_weight, name)[k]
            torch.testing.assert_close(value, getattr(one, name), rtol=1e-9, atol=1e-9)
            torch.testing.assert_close(value, getattr(repeated, name)[k], rtol=1e-8, atol=1e-8)
    cube = x[:396].reshape(4, 99, 3)
    assert GeneralizedGaussian.fit(cube, dim=(0, -1)).batch_shape == (99,)
    flat = GeneralizedGaussian.fit(cube[:, 5].flatten(), loc=0.0)
    law = GeneralizedGaussian.fit(cube, dim=(0, 2), loc=0.0)
    torch.testing.assert_close(law.shape[5], flat.shape, rtol=1e-10, atol=0)
    known = GeneralizedGaussian.fit(x, loc=t([0.0, 0.1, 0.2]), shape=2.0, dim=0)
    torch.testing.assert_close(known.variance, (x - known.loc).square().mean(0))


def test_fits_at_the_edge_of_their_range():
    bounds = (0.1, 50.0)
    two = GeneralizedGaussian.fit(t([-1.0, 1.0, 1.0, -1.0]), loc=0.0, bounds=bounds)
    assert two.shape == 50
    zeros = GeneralizedGaussian.fit(t([0.0] * 9 + [1.0]), loc=0.0, bounds=bounds)
    assert zeros.shape == 0.1
    one = GeneralizedGaussian.fit(t([-1.0, 0.0, 1.0]) * 1e200, shape=1.0)
    assert one.loc.item() == pytest.approx(0, abs=1e187)
    assert one.scale.item() == pytest.approx(2e200 / 3)


# -- a citizen of torch -------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_other_dtypes_are_computed_wide_and_rounded(dtype):
    torch.manual_seed(0)
    for b in (0.3, 0.684, 2.0, 8.0):
        law = GeneralizedGaussian(*(torch.tensor(v, dtype=dtype) for v in (0.3, 0.7, b)))
        x = law.sample((500,))
        assert x.dtype == dtype
        wide = GeneralizedGaussian(law.loc.double(), law.scale.double(), law.shape.double())
        z = (x.double() - wide.loc).abs() / wide.scale
        u, unit = z**wide.shape, torch.finfo(torch.float32).eps
        value, exact = law.log_prob(x).double(), wide.log_prob(x.double())
        normaliser = 1 + math.lgamma(1 + 1 / law.shape.item()) + (1 / law.shape.item()) ** 1.5
        allowed = 4 * unit * (u * (1 + wide.shape) + normaliser)
        if dtype != torch.float32:
            allowed = allowed + torch.finfo(dtype).eps * exact.abs()
        assert ((value - exact).abs() <= allowed).all()
        for name in ("variance", "stddev", "entropy", "cdf", "icdf", "fisher_information"):
            one, two = (getattr(one_of, name) for one_of in (law, wide))
            if name in ("cdf", "icdf"):
                one, two = one(torch.tensor(0.4, dtype=dtype)), two(torch.tensor(0.4, dtype=dtype))
            elif callable(one):
                one, two = one(), two()
            assert one.dtype == dtype
            torch.testing.assert_close(
                one.double(), two.double(), rtol=max(2 * torch.finfo(dtype).eps, 3e-5), atol=1e-5
            )


def test_batches_broadcast_expand_and_print():
    law = GeneralizedGaussian(torch.zeros(4, 1), torch.tensor([1.0, 2.0, 3.0]), 1.5)
    assert (law.batch_shape, law.event_shape) == ((4, 3), ())
    assert law.sample((5,)).shape == law.rsample((5,)).shape == (5, 4, 3)
    wide = law.expand((2, 4, 3))
    x = wide.sample()
    torch.testing.assert_close(wide.log_prob(x), law.log_prob(x))
    assert wide.fisher_information().shape == (2, 4, 3, 3, 3)
    assert "GeneralizedGaussian(loc" in repr(law)
    assert GeneralizedGaussian(0, 1, 2).sample().dtype == torch.get_default_dtype()


def test_it_goes_under_the_transforms_and_the_compiler():
    x, parameters = torch.linspace(-2, 2, 7, dtype=F64), (t(0.1), t(0.9), t(1.4))

    def both(x, m, a, b):
        law = GeneralizedGaussian(m, a, b, validate_args=False)
        return law.log_prob(x) + law.cdf(x) + law.icdf(law.cdf(x))

    def total(x, *p):
        return both(x, *p).sum()

    whole = both(x, *parameters)
    mapped = torch.vmap(lambda v: both(v, *parameters))(x)
    torch.testing.assert_close(mapped, whole, rtol=1e-14, atol=1e-14)
    leaves = [p.clone().requires_grad_() for p in parameters]
    expected = torch.autograd.grad(total(x, *leaves), leaves)
    got = torch.func.grad(total, argnums=(1, 2, 3))(x, *parameters)
    torch.testing.assert_close(got, expected, rtol=1e-13, atol=1e-13)
    for k, slope in enumerate(expected):
        tangents = tuple(t(float(k == j)) for j in range(3))
        _, forward = torch.func.jvp(lambda *p: total(x, *p), parameters, tangents)
        torch.testing.assert_close(forward, slope, rtol=1e-12, atol=1e-12)

    def density(x, *p):
        return GeneralizedGaussian(*p, validate_args=False).log_prob(x)

    torch.compiler.reset()
    compiled = torch.compile(density, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(x, *parameters), density(x, *parameters), rtol=0, atol=0)


def test_errors_say_what_is_wrong():
    make = partial(GeneralizedGaussian, validate_args=True)  # the compiler turns the default off
    with pytest.raises(ValueError, match=r"shapes loc \(2,\), scale \(3,\), shape \(\); expected"):
        make(torch.zeros(2), torch.ones(3), 1.0)
    with pytest.raises(ValueError, match="scale holds 0; expected positive, finite numbers"):
        make(0.0, 0.0, 1.0)
    with pytest.raises(ValueError, match="shape holds -1; expected positive, finite numbers"):
        make(0.0, 1.0, torch.tensor([2.0, -1.0]))
    with pytest.raises(ValueError, match="shape holds inf"):
        make(0.0, 1.0, math.inf)
    with pytest.raises(ValueError, match="loc holds nan"):
        make(math.nan, 1.0, 1.0)
    with pytest.raises(TypeError, match="GeneralizedGaussian: scale is a str"):
        make(0.0, "1", 1.0)
    with pytest.raises(TypeError, match=r"shape has dtype torch\.int64"):
        make(0.0, 1.0, torch.tensor(2))
    assert GeneralizedGaussian(0.0, -1.0, 1.0, validate_args=False).batch_shape == ()
    x = torch.tensor([0.0, 1.0, 2.0])
    for options, error, words in (
        ({"weights": torch.ones(2)}, ValueError, r"weights have shape \(2,\)"),
        ({"weights": -torch.ones(3)}, ValueError, "weights holds -1; expected non-negative"),
        ({"weights": torch.zeros(3)}, ValueError, "sum of weights of 0"),
        ({"bounds": (2.0, 1.0)}, ValueError, r"bounds are \(2.0, 1.0\)"),
        ({"loc": torch.zeros(3)}, ValueError, r"loc has shape \(3,\)"),
        ({"shape": 0.0}, ValueError, "shape holds 0"),
    ):
        with pytest.raises(error, match=words):
            GeneralizedGaussian.fit(x, **options)
    with pytest.raises(ValueError, match="all data of an entry are equal to loc"):
        GeneralizedGaussian.fit(torch.ones(3))
    with pytest.raises(ValueError, match="x holds nan"):
        GeneralizedGaussian.fit(x * math.nan)
    with pytest.raises(TypeError, match=r"x has dtype torch\.int64"):
        GeneralizedGaussian.fit(torch.arange(3))
