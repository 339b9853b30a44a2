"""The expected squared distance against quadrature and samples; the matching loss against loops."""

import itertools
import math

import numpy as np
import pytest
import torch
from cases import CASES, normals, points, radius, thinned
from torch.autograd import gradcheck

from spaceforms.losses.functional import (
    match_probability,
    match_probability_loss,
    pseudo_positives,
    sampled_sqdist,
)
from spaceforms.manifolds import Euclidean, Lorentz, Product, Sphere
from spaceforms.manifolds.operations.radial_frame import from_components

F64 = torch.float64
VAR_X = torch.tensor([0.9, 0.2], dtype=F64)
VAR_Y = torch.tensor([0.1, 1.3], dtype=F64)


def _quadrature(manifold, x, var_x, y, var_y, nodes=10):
    """E d^2 over both plane normals by Gauss-Hermite, exact for polynomials of degree 19."""
    z, w = np.polynomial.hermite_e.hermegauss(nodes)
    w = w / w.sum()
    grid = torch.tensor(list(itertools.product(z, repeat=2)), dtype=F64)
    weight = torch.tensor([a * b for a, b in itertools.product(w, repeat=2)], dtype=F64)
    u = from_components(manifold, x.expand(len(grid), -1), grid * var_x.sqrt())
    v = from_components(manifold, y.expand(len(grid), -1), grid * var_y.sqrt())
    square = manifold.cdist(manifold.expmap(x, u), manifold.expmap(y, v), squared=True)
    return weight @ square @ weight


def test_the_error_of_the_second_order_falls_as_the_fourth_power_of_the_deviations(manifold):
    x, y = points(manifold, 2, 2, seed=3, spread=0.5)
    r2 = radius(manifold) ** 2
    errors = []
    for sigma in (0.2, 0.1, 0.05):
        var_x, var_y = VAR_X * r2 * sigma**2, VAR_Y * r2 * sigma**2
        exact = _quadrature(manifold, x, var_x, y, var_y)
        errors.append(abs(sampled_sqdist(x, var_x, y, var_y, manifold=manifold) - exact) / r2)
    if errors[0] < 1e-13:  # flat: the formula is exact
        assert manifold.sign == 0
        assert max(errors) < 1e-13
        return
    # Ratios are 16 up to the next order, sigma^2 of the first.
    assert 16 / 1.3 < errors[0] / errors[1] < 16 * 1.3
    assert 16 / 1.1 < errors[1] / errors[2] < 16 * 1.1


def test_without_the_curvature_term_it_would_be_wrong_at_the_second_order():
    space = Lorentz(-1.0)
    x, y = points(space, 2, 2, seed=3, spread=0.5)
    var = VAR_X * 0.05**2
    exact = _quadrature(space, x, var, y, var)
    flat = space.sqdist(x, y) + 2 * var.sum()
    curved = sampled_sqdist(x, var, y, var, manifold=space)
    assert abs(flat - exact) > 50 * abs(curved - exact)


@pytest.mark.parametrize("name", thinned(CASES))
def test_samples_have_the_expectation_of_quadrature(name):
    manifold = CASES[name]
    x, y = points(manifold, 2, 2, seed=3, spread=0.5)
    r2 = radius(manifold) ** 2
    var_x, var_y = VAR_X * r2 * 0.3**2, VAR_Y * r2 * 0.3**2
    draw = torch.Generator().manual_seed(0)
    means = torch.stack(
        [
            sampled_sqdist(
                x,
                var_x,
                y,
                var_y,
                manifold=manifold,
                method="monte_carlo",
                samples=512,
                generator=draw,
            )
            for _ in range(25)
        ]
    )
    error = means.std() / math.sqrt(25)
    exact = _quadrature(manifold, x, var_x, y, var_y, nodes=16)
    assert abs(means.mean() - exact) < 5 * error


def test_one_variance_for_all_components_is_the_same_as_equal_ones(manifold):
    x, y = points(manifold, 4, 1, 3, seed=1, spread=0.6), points(manifold, 5, 3, seed=2, spread=0.6)
    r2 = radius(manifold) ** 2
    a = torch.rand(4, 1, 1, dtype=F64, generator=torch.Generator().manual_seed(0)) * 0.01 * r2
    one = sampled_sqdist(x, a, y, 0.02 * r2 * torch.ones(1, dtype=F64), manifold=manifold)
    equal = sampled_sqdist(
        x, a.expand(-1, -1, 3), y, 0.02 * r2 * torch.ones(3, dtype=F64), manifold=manifold
    )
    assert one.shape == (4, 5)
    torch.testing.assert_close(one, equal, rtol=1e-12, atol=1e-14 * r2)
    sampled = sampled_sqdist(
        x, a, y, 0.02 * r2 * torch.ones(1, dtype=F64), manifold=manifold, method="monte_carlo"
    )
    assert sampled.shape == (4, 5)


def test_points_that_coincide_and_laws_of_no_width_have_finite_gradients(manifold):
    x = points(manifold, 3, 3, seed=1)
    for width in (0.0, 0.01):
        for method in ("second_order", "monte_carlo"):
            a = x.clone().requires_grad_()
            var = torch.full((3, 3), width, dtype=F64, requires_grad=True)
            square = sampled_sqdist(a, var, x, var, manifold=manifold, method=method)
            if width == 0:
                assert (square == 0).all()
            elif method == "second_order":  # c = 1 where d = 0
                torch.testing.assert_close(
                    square, torch.full((3,), 0.06, dtype=F64), rtol=1e-12, atol=0
                )
            gradients = torch.autograd.grad(square.sum(), (a, var))
            assert all(g.isfinite().all() for g in gradients)


def test_it_stays_within_what_the_triangle_inequality_allows():
    sphere, space = Sphere(), Lorentz()
    x = sphere.from_normal(torch.tensor([[math.pi / 2, 0.0]], dtype=F64))
    var = torch.full((1,), 0.01, dtype=F64)
    antipodal = sampled_sqdist(x, var, -x, var, manifold=sphere)
    s = 2 * math.sqrt(0.02)
    assert antipodal.item() == pytest.approx((math.pi - s) ** 2, rel=1e-12, abs=0)
    # The truth lies above: it is a bound.
    drawn = sampled_sqdist(x, var, -x, var, manifold=sphere, method="monte_carlo", samples=4096)
    assert antipodal < drawn < math.pi**2
    wide = torch.full((1,), 4.0, dtype=F64)
    y = space.from_normal(torch.tensor([[9.0, 0.0]], dtype=F64))
    got = sampled_sqdist(space.origin(2, dtype=F64), wide, y, wide, manifold=space)
    assert got.item() <= (9 + 2 * math.sqrt(8)) ** 2 * (1 + 1e-12)


def test_it_differentiates_in_means_variances_and_half_precision_is_float32_inside(manifold):
    v = normals(manifold, 2, 2, seed=5, spread=0.5).requires_grad_()
    var = torch.tensor([0.02, 0.05], dtype=F64, requires_grad=True)

    def square(v, var):
        x, y = manifold.from_normal(v)
        return sampled_sqdist(x, var, y, 2 * var, manifold=manifold)

    assert gradcheck(square, (v, var))
    x, y = points(manifold, 2, 3, 2, seed=5).bfloat16()
    low = var.detach().bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        got = sampled_sqdist(x, low, y, low, manifold=manifold)
    want = sampled_sqdist(x.float(), low.float(), y.float(), low.float(), manifold=manifold)
    assert got.dtype == torch.float32
    assert torch.equal(got, want)


def test_the_loss_is_its_formula_in_loops():
    square = torch.rand(4, 4, dtype=F64, generator=torch.Generator().manual_seed(0)) * 2
    a, b = 5.0, 4.0
    got = match_probability_loss(square, scale=a, shift=b, pseudo_weight=0.1, reduction="none")
    for i, j in itertools.product(range(4), repeat=2):
        p = 1 / (1 + math.exp(a * float(square[i, j]) - b))

        def entropy(positive, p=p):
            return -math.log(p if positive else 1 - p)

        in_row, in_column = square[i, j] <= square[i, i], square[i, j] <= square[j, j]
        wanted = entropy(i == j) + 0.1 * (entropy(in_row) + entropy(in_column))
        assert got[i, j].item() == pytest.approx(wanted, rel=1e-12, abs=0)
        assert match_probability(square[i, j], scale=a, shift=b).item() == pytest.approx(p)
    mean = match_probability_loss(square, scale=a, shift=b)
    torch.testing.assert_close(mean, got.mean(), rtol=1e-13, atol=0)
    plain = match_probability_loss(square, scale=a, shift=b, pseudo_weight=0)
    assert plain < mean


def test_pseudo_positives_are_what_beats_the_best_positive_of_a_row():
    similarity = torch.tensor([[1.0, 2.0, 3.0], [0.0, 5.0, 5.0], [1.0, 1.0, 1.0]])
    positives = torch.tensor([[1, 1, 0], [0, 1, 0], [0, 0, 0]], dtype=torch.bool)
    wanted = torch.tensor([[1, 1, 1], [0, 1, 1], [0, 0, 0]], dtype=torch.bool)
    assert torch.equal(pseudo_positives(similarity, positives), wanted)


def test_refusals_are_sentences():
    x, var = torch.zeros(3, 2), torch.ones(3, 2)
    with pytest.raises(
        ValueError, match=r"var_y has shape \(3,\); expected \(..., 1\) or \(..., 2\)"
    ):
        sampled_sqdist(x, var, x, torch.ones(3), manifold=Euclidean())
    product, one = Product([Euclidean(), Lorentz()], dims=[1, 1]), torch.ones(1)
    with pytest.raises(TypeError, match=r"method 'second_order'; expected one space form"):
        sampled_sqdist(torch.zeros(3), one, torch.zeros(3), one, manifold=product)
    with pytest.raises(ValueError, match="method is 'exact'; expected one of second_order"):
        sampled_sqdist(x, var, x, var, manifold=Euclidean(), method="exact")
    with pytest.raises(ValueError, match=r"sqdist has shape \(2, 3\) with positives None"):
        match_probability_loss(torch.zeros(2, 3), scale=1.0, shift=0.0)
