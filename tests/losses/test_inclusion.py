"""ProLIP's inclusion of normal laws: proven by sympy, and against mpmath's quadrature."""

import math

import mpmath
import pytest
import sympy
import torch
from torch.autograd import gradcheck

from spaceforms.losses.functional import gaussian_inclusion, inclusion_loss

F64 = torch.float64


def t(*values):
    return torch.tensor(values, dtype=F64)


@pytest.mark.slow
def test_sympy_derives_the_closed_form_from_the_integrals():
    """Of the square of a density times another, both normal, by sympy's own integration."""
    x, d = sympy.symbols("x d", real=True)
    s, u = sympy.symbols("s t", positive=True)

    def density(mean, variance):
        return sympy.exp(-((x - mean) ** 2) / (2 * variance)) / sympy.sqrt(2 * sympy.pi * variance)

    def log_integral(product):
        return sympy.log(sympy.integrate(product, (x, -sympy.oo, sympy.oo), conds="none"))

    p, q = density(0, s), density(d, u)
    defined = log_integral(sympy.expand(p**2 * q)) - log_integral(sympy.expand(p * q**2))
    h = (u - s) / (u + s)
    # artanh(h/3) = log((3 + h)/(3 - h))/2.
    closed = (
        sympy.log(u / s) / 2
        - sympy.log((3 + h) / (3 - h)) / 2
        + 4 * h / (9 - h**2) * d**2 / (s + u)
    )
    # Equal derivatives by each letter, and equal at one place: equal.
    for letter in (d, s, u):
        assert sympy.simplify(sympy.diff(defined - closed, letter)) == 0
    place = {d: sympy.Rational(1, 3), s: sympy.Rational(2, 5), u: sympy.Rational(7, 4)}
    assert abs(sympy.N((defined - closed).subs(place), 50)) < 1e-45


@pytest.mark.parametrize(
    ("m", "s", "n", "u"),
    [(0.3, 0.4, -0.2, 2.0), (1.0, 5.0, 0.0, 0.1), (0.0, 1.0, 3.0, 1 + 1e-9), (2.0, 1e-3, 2.1, 0.7)],
)
def test_it_is_the_difference_of_the_logs_of_the_integrals(m, s, n, u):
    with mpmath.workdps(40):

        def integral(power_p, power_q):
            def product(x):
                one = mpmath.npdf(x, m, mpmath.sqrt(s)) ** power_p
                return one * mpmath.npdf(x, n, mpmath.sqrt(u)) ** power_q

            narrow = mpmath.sqrt(min(s, u))
            middle = (power_p * m / mpmath.mpf(s) + power_q * n / mpmath.mpf(u)) / (
                power_p / mpmath.mpf(s) + power_q / mpmath.mpf(u)
            )
            ends = [middle + k * narrow for k in (-40, -12, -4, -1, 0, 1, 4, 12, 40)]
            return mpmath.quad(product, ends)

        wanted = mpmath.log(integral(2, 1)) - mpmath.log(integral(1, 2))
        got = gaussian_inclusion(t(m), t(s).log(), t(n), t(u).log())
        # log s is rounded: a relative error eps |log s| of the variances, and some roundings.
        bound = 2**-52 * (8 + abs(math.log(s)) + abs(math.log(u)))
        # In t - s = 1e-9 the rounding of the logarithms is absolute.
        scale = abs(float(wanted)) + 1 + (m - n) ** 2 / (s + u)
        assert abs(float(got) - float(wanted)) < bound * scale


def test_it_changes_its_sign_with_its_arguments_and_is_nothing_for_equal_widths():
    generator = torch.Generator().manual_seed(0)
    m, n, a, b = torch.randn(4, 50, generator=generator, dtype=F64)
    one, other = gaussian_inclusion(m, a, n, b), gaussian_inclusion(n, b, m, a)
    torch.testing.assert_close(one, -other, rtol=1e-13, atol=1e-15)
    assert ((one > 0) == (b > a)).all()
    assert (gaussian_inclusion(m, a, n, a) == 0).all()
    # A wider y holds x more, and so does one that is farther: as the docstring warns.
    assert (gaussian_inclusion(m, a, n, b + 1) > one).all()
    wide = gaussian_inclusion(m, a, n, a + 1)
    assert (gaussian_inclusion(m, a, m + 2 * (n - m), a + 1) > wide).all()


def test_gradients_hold_and_extremes_are_finite():
    generator = torch.Generator().manual_seed(1)
    laws = [torch.randn(3, 4, generator=generator, dtype=F64).requires_grad_() for _ in range(4)]
    assert gradcheck(gaussian_inclusion, laws, check_forward_ad=True)
    assert gradcheck(lambda *x: inclusion_loss(*x, scale=0.7), laws)
    for a, b in ((-80.0, 80.0), (80.0, -80.0), (0.0, 0.0)):
        given = [torch.tensor([v], requires_grad=True) for v in (0.0, a, 1.0, b)]
        value = gaussian_inclusion(*given)
        value.sum().backward()
        assert value.isfinite().all()
        assert all(x.grad.isfinite().all() for x in given)
    # artanh(1/3) is all that is left beside half the logarithm, and 1/(2 t) of the distance.
    far = gaussian_inclusion(t(0.0), t(-80.0), t(0.0), t(80.0))
    assert float(far) == pytest.approx(80 - math.atanh(1 / 3), rel=1e-14, abs=0)


def test_the_loss_is_minus_the_log_of_the_logistic_function_of_the_sum():
    generator = torch.Generator().manual_seed(2)
    laws = list(torch.randn(4, 5, 3, generator=generator, dtype=F64))
    h = gaussian_inclusion(*laws).sum(-1)
    wanted = torch.log1p((-0.3 * h).exp())
    got = inclusion_loss(*laws, scale=0.3, reduction="none")
    torch.testing.assert_close(got, wanted, rtol=1e-12, atol=0)
    torch.testing.assert_close(inclusion_loss(*laws, scale=0.3), wanted.mean(), rtol=1e-12, atol=0)
    half = [x.to(torch.bfloat16) for x in laws]
    assert inclusion_loss(*half).dtype == torch.float32


def test_what_is_no_law_is_refused():
    x = torch.zeros(3)
    with pytest.raises(ValueError, match=r"inclusion_loss: scale is 0; expected a positive"):
        inclusion_loss(x, x, x, x, scale=0)
    with pytest.raises(ValueError, match=r"gaussian_inclusion: got shapes loc_x \(3,\)"):
        gaussian_inclusion(x, torch.zeros(2), x, x)
    with pytest.raises(ValueError, match=r"all arguments are scalars; expected \(\.\.\., d\)"):
        inclusion_loss(x[0], x[0], x[0], x[0])
    with pytest.raises(TypeError, match="log_var_y has dtype"):
        gaussian_inclusion(x, x, x, torch.zeros(3, dtype=torch.long))
