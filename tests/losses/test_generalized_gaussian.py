"""Likelihoods of generalized Gaussian laws and their overlap, against scipy and mpmath."""

import importlib.util
import math
from pathlib import Path

import mpmath as mp
import pytest
import scipy.stats as st
import torch
from torch.autograd import gradcheck, gradgradcheck

from spaceforms.distributions import GeneralizedGaussian
from spaceforms.losses.functional import (
    bounded_shape,
    cross_nll,
    generalized_gaussian_nll,
    log_overlap,
    probvlm_surrogate_nll,
)

F64 = torch.float64
EPS = torch.finfo(F64).eps


def t(value, grad=False):
    return torch.tensor(value, dtype=F64, requires_grad=grad)


# -- the likelihood -------------------------------------------------------------------------------


@pytest.mark.parametrize("b", [0.3, 0.684, 1.0, 2.0, 8.0])
def test_the_loss_is_scipys_density(b):
    x, m, a = torch.linspace(-6, 6, 101, dtype=F64), 0.3, 1.7
    loss = generalized_gaussian_nll(x, t(m), t(math.log(a)), t(b), reduction="none")
    expected = torch.from_numpy(-st.gennorm.logpdf(x.numpy(), b, m, a))
    size = ((x - m) / a).abs() ** b * (1 + b) + 1 + math.lgamma(1 + 1 / b)
    assert ((loss - expected).abs() <= 8 * EPS * size).all()
    for reduction, value in (("sum", expected.sum()), ("mean", expected.mean())):
        got = generalized_gaussian_nll(x, t(m), t(math.log(a)), t(b), reduction=reduction)
        torch.testing.assert_close(got, value, rtol=64 * EPS, atol=0)


@pytest.mark.parametrize("b", [0.3, 1.0, 2.0, 8.0])
def test_the_loss_has_the_gradients_of_finite_differences(b):
    arguments = (t([-1.4, 0.9], True), t(0.1, True), t(-0.2, True), t(b, True))
    assert gradcheck(generalized_gaussian_nll, arguments, check_forward_ad=True)
    assert gradgradcheck(generalized_gaussian_nll, arguments)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, F64])
@pytest.mark.parametrize("b", [0.05, 0.3, 1.0, 1.5, 2.0, 8.0, 300.0])
def test_all_gradients_are_defined_at_a_zero_residual(b, dtype):
    # The scales reach beyond the range of exp in float32.
    for log_scale in (-1000.0, 0.25, 80.0):
        arguments = [torch.tensor(v, dtype=dtype) for v in (0.75, 0.75, log_scale, b)]
        x, m, a, s = (v.requires_grad_() for v in arguments)
        loss = generalized_gaussian_nll(x, m, a, s)
        by_x, by_m, by_a, by_s = torch.autograd.grad(loss, (x, m, a, s))
        assert by_x == by_m == 0
        assert by_a == 1
        shape = s.detach().double()
        psi = -torch.digamma(1 + 1 / shape) / shape**2
        unit = max(torch.finfo(dtype).eps, 1e-6)
        assert by_s.item() == pytest.approx(psi.item(), rel=4 * unit, abs=4 * unit)
        expected = log_scale + math.log(2) + math.lgamma(1 + 1 / shape.item())
        assert loss.item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("residual", "log_scale", "b"),
    [
        (1.0, -88.7, 1.0),  # 2 z of a z at the edge is inf, which 0 times made NaN
        (1e-10, -95.0, 1.0),  # 1/a is no number of float32, the loss is
        (-1e-30, -95.0, 2.0),
        (1.0, -11.0, 8.0),  # a slope by log a of 1.3e39
        (1000.0, -4.0, 8.0),
        (1e30, 65.0, 8.0),
        (1e-30, -60.0, 0.3),
        (3.0, 0.5, 1.5),
    ],
)
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_gradients_are_those_of_float64_up_to_the_largest_number(residual, log_scale, b, reduction):
    most, found = torch.finfo(torch.float32).max, []
    for dtype in (torch.float32, F64):
        given = [torch.tensor(v, dtype=torch.float32) for v in (residual, 0.0, log_scale, b)]
        leaves = [v.to(dtype).requires_grad_() for v in given]
        loss = generalized_gaussian_nll(*leaves, reduction=reduction)
        found.append((loss, *torch.autograd.grad(loss, leaves)))
    for got, wanted in zip(*found, strict=True):
        # A rounding of log a and of r, b log a and b of them in r^b; 8 of each.
        rtol = 8 * 2.0**-24 * (1 + b * (1 + abs(log_scale)))
        torch.testing.assert_close(got.double(), wanted.clamp(-most, most), rtol=rtol, atol=1e-7)


def test_where_the_loss_is_beyond_all_numbers_slopes_have_their_signs():
    for residual, log_scale, b in ((1.0, -89.0, 1.0), (-1000.0, -5.0, 8.0), (1.0, -300.0, 2.0)):
        given = [torch.tensor(v, requires_grad=True) for v in (residual, 0.0, log_scale, b)]
        loss = generalized_gaussian_nll(*given)
        assert loss == torch.inf
        slopes = torch.stack(torch.autograd.grad(loss, given))
        assert slopes.isfinite().all()
        sign = math.copysign(1, residual)
        assert slopes.sign().tolist() == [sign, -sign, -1, 1]
        none = torch.autograd.grad(0 * generalized_gaussian_nll(*given), given)
        assert all(slope == 0 for slope in none)


def test_the_density_of_the_largest_residual_has_a_slope():
    z = torch.tensor(3e38, requires_grad=True)
    one = torch.tensor(1.0)
    law = GeneralizedGaussian(0 * one, one, one, validate_args=False)
    assert torch.autograd.grad(law.log_prob(z), z)[0] == -1


def test_a_shape_that_is_not_positive_is_refused_where_looking_is_free():
    x, wrong = torch.ones(2), torch.tensor([1.5, -1.0])
    with pytest.raises(ValueError, match=r"_nll: shape has -1; expected positive numbers"):
        generalized_gaussian_nll(x, x, x, wrong)
    with pytest.raises(ValueError, match=r"log_overlap: shape_t has 0; expected positive numbers"):
        log_overlap(x, x, x, x, x, 0 * x)
    with pytest.raises(ValueError, match=r"cross_nll: shape_v has -1; expected positive numbers"):
        cross_nll(x, x, wrong, x, x, x, x, x)
    assert generalized_gaussian_nll(x, x, x, torch.nan * x).isnan()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(dtype):
    torch.manual_seed(0)
    x, m, a = (torch.randn(500, dtype=dtype) for _ in range(3))
    shape = bounded_shape(torch.randn(500, dtype=dtype))
    assert shape.dtype == torch.float32
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = generalized_gaussian_nll(x, m, a, shape.to(dtype), reduction="none")
    assert loss.dtype == torch.float32
    wide = (v.double() for v in (x, m, a, shape.to(dtype)))
    expected = generalized_gaussian_nll(*wide, reduction="none")
    assert ((loss - expected).abs() <= 64 * 2**-24 * (1 + expected.abs())).all()


def test_it_is_minus_the_laws_own_log_prob_and_finds_the_law():
    torch.manual_seed(3)
    true = GeneralizedGaussian(t([1.0, -2.0]), t([0.5, 2.0]), t([0.8, 4.0]))
    x = true.sample((20_000,))
    found = GeneralizedGaussian.fit(x, dim=0)
    start = [found.loc, found.scale.log(), found.shape]
    loss = generalized_gaussian_nll(x, *start)
    torch.testing.assert_close(loss, -found.log_prob(x).mean(), rtol=1e-13, atol=0)
    scale, shape = (v.clone().requires_grad_() for v in start[1:])
    by = torch.autograd.grad(generalized_gaussian_nll(x, found.loc, scale, shape), (scale, shape))
    assert all((slope.abs() < 1e-9).all() for slope in by)


def test_bounded_shapes_are_between_their_bounds():
    raw = torch.tensor([-1e4, -3.0, 0.0, 3.0, 1e4], dtype=F64, requires_grad=True)
    shape = bounded_shape(raw)
    assert shape[0] >= 0.3
    assert shape[-1] <= 8
    assert shape[2].item() == pytest.approx(math.sqrt(0.3 * 8), rel=4 * EPS, abs=0)
    odd = shape.log() - math.log(0.3 * 8) / 2
    torch.testing.assert_close(odd, -odd.flip(0), rtol=1e-13, atol=1e-15)
    assert gradcheck(lambda r: bounded_shape(r, 0.5, 3.0), (raw[1:4].detach().requires_grad_(),))
    with pytest.raises(ValueError, match=r"low is 3 and high is 2; expected 0 < low < high"):
        bounded_shape(raw, 3, 2)


# -- the published objective ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def benchmark():
    path = Path(__file__).parents[2] / "benchmarks/shapes.py"
    spec = importlib.util.spec_from_file_location("shapes", path)
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(path.parent))  # as a script has it
        spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("b", [0.7, 1.0, 2.0, 8.0])
def test_the_published_objective_has_one_shape_for_all_data(benchmark, b):
    count = 20_000
    ours, theirs = benchmark.rows([b], count)
    # Ours is within what the information of the data allows.
    law = GeneralizedGaussian(t(0.0), t(1.0), t(b))
    spread = (law.fisher_information()[1:, 1:].inverse() / count).diagonal().sqrt()
    assert abs(ours["scale"] - 1) < 4.5 * spread[0]
    assert abs(ours["shape"] - b) < 4.5 * spread[1]
    assert abs(ours["90 % interval"] - 0.9) < 4.5 * math.sqrt(0.09 / count)
    # Theirs is where Gamma(1/b) is least, psi(1/b) = 0.
    with mp.workdps(20):
        least = float(1 / mp.findroot(lambda y: mp.psi(0, y), 1.46))
    assert least == pytest.approx(0.6842, abs=5e-5)
    assert theirs["shape"] + 1e-4 == pytest.approx(least, rel=1e-4)
    # And the other parameter is that of a Laplace law: E|x| = Gamma(2/b)/Gamma(1/b).
    kappa = (1 / theirs["scale"] + 1e-4) * (theirs["shape"] + 1e-4)
    mean = math.gamma(2 / b) / math.gamma(1 / b)
    assert kappa == pytest.approx(
        1 / mean, rel=5 * law.stddev.item() / mean / math.sqrt(count), abs=0
    )
    rows = benchmark.table([ours, theirs]).splitlines()
    assert len(rows) == 4
    assert f"| {b:g} | published | " in rows[3]


def test_the_published_objective_is_its_formula():
    # Written out in numbers: with c = 1/a + 1e-4, b' = b + 1e-4.
    for r, inverse, b in ((0.5, 1.2, 0.7), (1e-9, 1.0, 2.0), (1e5, 3.0, 8.0), (0.1, 0.0, 0.0)):
        c, s = inverse + 1e-4, b + 1e-4
        expected = min(max(r * c * s, 1e-4), 1e3) - math.log(c) + math.lgamma(1 / s) - math.log(s)
        got = probvlm_surrogate_nll(t(r), t(0.0), t(inverse), t(b))
        assert got.item() == pytest.approx(expected, rel=1e-14, abs=0)


def test_the_cross_loss_is_an_upper_bound():
    torch.manual_seed(0)
    v, u = ((torch.randn(50).double(), torch.randn(50).double() / 2) for _ in range(2))
    shapes = [bounded_shape(torch.randn(50)).double() for _ in range(2)]
    z = torch.randn(2, 50, dtype=F64)
    value = cross_nll(*v, shapes[0], *u, shapes[1], *z, reduction="none")
    one = torch.from_numpy(st.gennorm.logpdf(z[1], shapes[0], v[0], v[1].exp()))
    other = torch.from_numpy(st.gennorm.logpdf(z[0], shapes[1], u[0], u[1].exp()))
    torch.testing.assert_close(value, -one - other, rtol=1e-12, atol=1e-13)
    assert (value >= -2 * (torch.logaddexp(one, other) - math.log(2)) - 1e-12).all()


# -- the overlap ----------------------------------------------------------------------------------


def log_overlap_by_quadrature(m, a, b, n, c, d):
    m, a, b, n, c, d = (mp.mpf(v) for v in (m, a, b, n, c, d))
    levels = (1e-9, 1e-6, 1e-3, 0.03, 0.3, 1, 2, 4, 8, 16, 32, 64, 90)
    cuts, ends = {m, n}, []
    for centre, scale, shape in ((m, a, b), (n, c, d)):
        far = [scale * mp.mpf(u) ** (1 / shape) for u in levels]
        cuts |= {centre + s * r for s in (-1, 1) for r in far}
        ends.append((centre - far[-1], centre + far[-1]))
    low, high = max(e[0] for e in ends), min(e[1] for e in ends)
    cuts = sorted(x for x in cuts if low <= x <= high)
    total = mp.quad(lambda x: mp.exp(-((abs(x - m) / a) ** b) - (abs(x - n) / c) ** d), cuts)
    return mp.log(total) - mp.log(4 * a * c * mp.gamma(1 + 1 / b) * mp.gamma(1 + 1 / d))


def overlap(m, a, b, n, c, d):
    return log_overlap(t(m), t(a).log(), t(b), t(n), t(c).log(), t(d))


@pytest.mark.parametrize(
    "laws",
    [
        (0.0, 1.0, 0.3, 0.5, 1.3, 0.3),
        (0.0, 1.0, 0.3, 1e-3, 1.0, 0.4),
        (0.0, 1.0, 0.3, 2.0, 1.3, 8.0),
        (5.0, 0.1, 3.0, 0.0, 1.0, 0.7),
        (0.0, 1.0, 8.0, 0.9, 0.01, 0.5),
        (0.0, 1e-3, 0.3, 3.0, 2.0, 0.3),
        (0.0, 1.0, 8.0, 1.7, 1.0, 8.0),
        (0.0, 3.0, 1.5, 1.0, 1e-3, 20.0),
        (0.0, 1.0, 0.6, 0.0, 2.0, 3.0),
    ],
)
def test_the_overlap_is_that_of_quadrature(laws):
    with mp.workdps(20):
        expected = float(log_overlap_by_quadrature(*laws))
    assert overlap(*laws).item() == pytest.approx(expected, rel=2e-12, abs=0)
    mirrored = overlap(*laws[3:], *laws[:3])
    assert mirrored.item() == pytest.approx(expected, rel=2e-12, abs=0)


def test_the_overlap_has_its_closed_forms():
    apart = t([0.0, 1e-9, 0.1, 1.0, 30.0])
    a, c = 0.7, 1.9
    # Normal laws: N(apart; 0, (a^2 + c^2)/2).
    square = (a * a + c * c) / 2
    expected = -apart.square() / (2 * square) - math.log(2 * math.pi * square) / 2
    got = log_overlap(apart, t(a).log(), t(2.0), t(0.0), t(c).log(), t(2.0))
    torch.testing.assert_close(got, expected, rtol=1e-13, atol=1e-14)
    # Laplace laws.
    two = a * (-apart / a).exp() - c * (-apart / c).exp()
    expected = (two / (2 * (a * a - c * c))).log()
    got = log_overlap(apart, t(a).log(), t(1.0), t(0.0), t(c).log(), t(1.0))
    torch.testing.assert_close(got, expected, rtol=1e-13, atol=1e-14)
    expected = (apart / a).log1p() - apart / a - math.log(4 * a)
    got = log_overlap(apart, t(a).log(), t(1.0), t(0.0), t(a).log(), t(1.0))
    torch.testing.assert_close(got, expected, rtol=1e-13, atol=1e-14)
    # Against a law of next to no width: the density at its centre.
    narrow = log_overlap(t(0.3), t(1e-9).log(), t(2.0), t(0.0), t(a).log(), t(0.8))
    point = -generalized_gaussian_nll(t(0.3), t(0.0), t(a).log(), t(0.8))
    assert narrow.item() == pytest.approx(point.item(), abs=1e-9)
    # Too far apart for any number but in logarithms.
    far = log_overlap(t(1e6), t(0.0), t(2.0), t(0.0), t(0.0), t(2.0))
    assert far.item() == pytest.approx(
        -(10**12) / 2 - math.log(2 * math.pi) / 2, rel=4 * EPS, abs=0
    )


@pytest.mark.parametrize(
    "laws",
    [
        (0.1, 0.8, 0.7, 1.2, 1.3, 1.6),
        pytest.param((0.4, 1.0, 3.0, -1.5, 0.6, 0.5), marks=pytest.mark.slow),
        (0.0, 0.3, 8.0, 0.2, 1.0, 1.0),
    ],
)
def test_the_overlap_has_the_gradients_of_finite_differences(laws):
    arguments = [t(v, True) for v in laws]
    assert gradcheck(log_overlap, arguments, check_forward_ad=True)
    one = torch.autograd.grad(log_overlap(*arguments), arguments)
    # The derivative by both centres at once is 0.
    assert abs(one[0] + one[3]) <= 64 * EPS * abs(one[0])


def test_many_overlaps_are_those_of_one_by_one():
    torch.manual_seed(0)
    m = torch.randn(1500, dtype=F64, requires_grad=True)  # more than are computed at once
    rest = (t(0.3), t([[0.5], [2.0]]), t(0.1), t(-0.5), t(1.5))
    table = log_overlap(m, *rest)
    assert table.shape == (2, 1500)
    (slope,) = torch.autograd.grad(table.sum(), m)
    for k in (0, 1023, 1024, 1499):
        one = m.detach()[k].requires_grad_()
        two = torch.vmap(lambda b, one=one: log_overlap(one, rest[0], b, *rest[2:]))(rest[1][:, 0])
        torch.testing.assert_close(two, table[:, k], rtol=1e-14, atol=1e-14)
        (alone,) = torch.autograd.grad(two.sum(), one)
        torch.testing.assert_close(alone, slope[k], rtol=1e-12, atol=1e-14)
    assert log_overlap(m[:0], *rest).shape == (2, 0)


def test_the_overlap_at_coincident_centres_and_in_half_precision():
    m = t(0.5, True)
    (slope,) = torch.autograd.grad(log_overlap(m, t(0.1), t(0.7), t(0.5), t(-1.0), t(1.0)), m)
    assert slope == 0
    half = [torch.tensor(v, dtype=torch.bfloat16) for v in (0.5, -1.0, 1.5, 0.25, 0.5, 2.0)]
    value = log_overlap(*half)
    assert value.dtype == torch.float32
    torch.testing.assert_close(
        value.double(), log_overlap(*(v.double() for v in half)), rtol=1e-6, atol=0
    )
    with pytest.raises(TypeError, match=r"log_overlap: shape_t has dtype torch\.int64"):
        log_overlap(*half[:5], torch.tensor(2))
    with pytest.raises(TypeError, match="generalized_gaussian_nll: loc is a float; expected a"):
        generalized_gaussian_nll(half[0], 0.0, half[1], half[2])
    for loss in (generalized_gaussian_nll, probvlm_surrogate_nll):
        with pytest.raises(ValueError, match="reduction is 'max'; expected one of none, mean, sum"):
            loss(*half[:4], reduction="max")
    with pytest.raises(ValueError, match="cross_nll: reduction is 'max'"):
        cross_nll(*half, *half[:2], reduction="max")
    wide = [torch.zeros(2, 3), *[torch.ones(1)] * 2, torch.ones(2)]
    for loss in (generalized_gaussian_nll, probvlm_surrogate_nll):
        with pytest.raises(
            ValueError, match=r"x \(2, 3\), .* shape \(2,\); expected shapes that br"
        ):
            loss(*wide)
    with pytest.raises(ValueError, match=r"log_overlap: got shapes loc_v \(2, 3\)"):
        log_overlap(*wide, *wide[1:3])
    with pytest.raises(ValueError, match=r"cross_nll: .* z_t \(2,\); expected shapes"):
        cross_nll(*wide[:3], *wide[:3], wide[0], wide[3])
