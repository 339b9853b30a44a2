"""Debiased InfoNCE: right on a population whose false negatives are known; its ends and corners."""

import math

import pytest
import torch
from cases import points

from spaceforms.losses import debiased_info_nce, info_nce
from spaceforms.manifolds import Lorentz, Sphere

F64 = torch.float64


def population(manifold, kinds, copies):
    """Points (kinds * copies, m) in which each kind has so many equal members, and their kinds."""
    kind = torch.arange(kinds).repeat_interleave(copies)
    return points(manifold, kinds, 3, seed=1)[kind], points(manifold, kinds, 3, seed=2)[kind], kind


@pytest.mark.parametrize("logits", ["neg_dist", "neg_sqdist", "inner"])
def test_the_estimate_is_the_mean_over_true_negatives(manifold, logits):
    """In a batch that is the population, kinds being single points, the estimate has no error.

    Of the N others of a row the share (copies - 1) / N are of its kind, with its positive's logit.
    """
    kinds, copies = 4, 3
    x, y, kind = population(manifold, kinds, copies)
    n = kinds * copies - 1
    prior = (copies - 1) / n
    table = {
        "neg_dist": lambda: -manifold.cdist(x, y),
        "neg_sqdist": lambda: -manifold.cdist(x, y, squared=True),
        "inner": lambda: manifold.cinner(x, y),
    }[logits]().detach()
    e = (0.7 * table).exp()
    true = kind[:, None] != kind[None]
    wanted = []
    for t in (e, e.T):
        negatives = n * (t * true).sum(1) / true.sum(1)
        wanted.append(-(t.diagonal() / (t.diagonal() + negatives)).log())
    got = debiased_info_nce(
        x, y, manifold=manifold, scale=0.7, prior=prior, logits=logits, reduction="none"
    )
    # The subtraction can lose the digits by which the positive stands out of the mean.
    lost = float((e.diagonal() / (e.sum(1) - e.diagonal()) * n).max())
    torch.testing.assert_close(
        got.detach(), torch.stack(wanted, 1), rtol=1e-12 * max(lost, 1), atol=1e-13
    )


def test_the_estimate_tends_to_the_mean_over_true_negatives():
    """Kinds that overlap, drawn at random: the others' mean is off by far more than the estimate.

    g is found from the loss, L = log(1 + N g / e^l).
    """
    torch.manual_seed(0)
    space, kinds, rows = Sphere(1.0), 4, 100
    centre = space.from_normal(torch.randn(kinds, 2, dtype=F64))
    found = []
    for _ in range(60):
        kind = torch.randint(kinds, (rows,))
        x, y = (
            space.from_normal(space.to_normal(centre[kind]) + 0.2 * torch.randn(rows, 2))
            for _ in range(2)
        )
        loss = debiased_info_nce(
            x, y, manifold=space, scale=0.5, prior=1 / kinds, symmetric=False, reduction="none"
        )
        e = (-0.5 * space.cdist(x, y)).exp()
        g = loss.expm1() * e.diagonal() / (rows - 1)
        assert g.min() > 0  # nowhere at the floor, which would be another estimate
        others = (e.sum(1) - e.diagonal()) / (rows - 1)
        true = e[kind[:, None] != kind[None]].mean()
        found.append(torch.stack([g.mean() - true, others.mean() - true]))
    off = torch.stack(found)
    of_g, of_others = off.mean(0)
    error = off.std(0) / len(off) ** 0.5
    assert abs(of_g) < 4 * error[0]
    assert of_others > 20 * error[1]


def test_without_a_prior_it_is_info_nce(manifold):
    x, y = points(manifold, 6, 3, seed=1), points(manifold, 6, 3, seed=2)
    for symmetric in (True, False):
        for reduction in ("none", "mean", "sum"):
            options = {
                "manifold": manifold,
                "scale": 2.0,
                "symmetric": symmetric,
                "reduction": reduction,
            }
            got = debiased_info_nce(x, y, prior=0.0, **options)
            torch.testing.assert_close(got, info_nce(x, y, **options), rtol=1e-13, atol=1e-14)


def test_tiled_is_dense_with_its_gradients(manifold):
    if manifold.pair_form("dist", points(manifold, 1, 3, seed=1).shape[-1]) is None:
        pytest.skip("has no tiled form")
    found = []
    for tile in (None, 4):
        x, y = (points(manifold, 9, 3, seed=k).detach().requires_grad_() for k in (1, 2))
        scale = torch.tensor(0.5, dtype=F64, requires_grad=True)
        loss = debiased_info_nce(x, y, manifold=manifold, scale=scale, prior=0.1, tile=tile)
        found.append((loss.detach(), *torch.autograd.grad(loss, (x, y, scale))))
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(other, one, rtol=1e-10, atol=1e-11)


def test_a_row_better_than_its_estimate_is_held_by_the_floor():
    """Positives at distance 0 and others far: the estimate is negative."""
    space = Lorentz()
    x = space.from_normal(torch.tensor([[3.0, 0.0], [-3.0, 0.0], [0.0, 3.0]], dtype=F64))
    x.requires_grad_()
    y = x.detach().clone()
    loss = debiased_info_nce(x, y, manifold=space, scale=1.0, prior=0.2)
    assert loss.item() == 0
    assert torch.autograd.grad(loss, x)[0].eq(0).all()
    loss = debiased_info_nce(x, y, manifold=space, scale=1.0, prior=0.2, floor=0.25)
    assert loss.item() == pytest.approx(-math.log(1 / (1 + 2 * 0.25)), rel=1e-12, abs=0)
    assert torch.autograd.grad(loss, x)[0].isfinite().all()


def test_gradients_are_those_of_differences():
    space = Lorentz(-0.7)
    pair = [points(space, 4, 3, seed=k).detach().requires_grad_() for k in (1, 2)]

    def loss(x, y):
        return debiased_info_nce(x, y, manifold=space, scale=0.3, prior=0.1, floor=1e-3)

    assert torch.autograd.gradcheck(loss, pair)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"prior": 1.0}, r"prior is 1.0; expected a share in \[0, 1\)"),
        ({"prior": -0.1}, r"prior is -0.1; expected a share"),
        ({"floor": -1.0}, r"floor is -1.0; expected a number of at least 0"),
        ({"scale": 0.0}, r"debiased_info_nce: scale is 0.0; expected a positive number"),
        ({"y": torch.ones(3, 2)}, r"x has 2 points and y has 3"),
        ({"x": torch.ones(1, 2), "y": torch.ones(1, 2)}, r"a batch of one point"),
    ],
)
def test_refusals_are_sentences(change, sentence):
    given = {"x": torch.ones(2, 2), "y": torch.ones(2, 2), "scale": 1.0, "prior": 0.1} | change
    with pytest.raises(ValueError, match=sentence):
        debiased_info_nce(given.pop("x"), given.pop("y"), manifold=Sphere(), **given)
