"""HyCoCLIP's losses against their definition in loops, and their chains."""

import math

import pytest
import torch
from cases import points
from torch.autograd import gradcheck

from spaceforms.losses.functional import (
    chain_contrastive,
    compositional_contrastive,
    compositional_entailment,
)
from spaceforms.manifolds import Euclidean, Lorentz

F64 = torch.float64


def _four(manifold, b=5, n=3):
    return [points(manifold, b, n, seed=s, spread=0.8) for s in range(4)]


def _cross_entropy(manifold, rows, columns, scale, same=None):
    """Row by row, pair by pair."""
    terms = []
    for i, x in enumerate(rows):
        logits = (-scale * manifold.cdist(x[None], columns)[0]).tolist()
        total = math.log(sum(math.exp(value) for value in logits))
        mine = [j for j in range(len(columns)) if (i == j if same is None else same[i][j])]
        terms.append(sum(total - logits[j] for j in mine) / len(mine))
    return terms


def test_the_contrast_is_its_formula_and_parts_are_no_negatives(manifold):
    image, text, part_image, part_text = _four(manifold)
    rows = compositional_contrastive(
        image, text, part_image, part_text, manifold=manifold, scale=3.0, reduction="none"
    )
    wanted = [
        _cross_entropy(manifold, x, y, 3.0)
        for x, y in ((image, text), (text, image), (part_image, text), (part_text, image))
    ]
    torch.testing.assert_close(rows, torch.tensor(wanted, dtype=F64).T, rtol=1e-10, atol=1e-12)
    options = {"manifold": manifold, "scale": 3.0}
    mean = compositional_contrastive(image, text, part_image, part_text, **options)
    torch.testing.assert_close(mean, rows.mean(), rtol=1e-12, atol=0)
    # A part moved changes its own row and no other.
    moved = torch.cat([points(manifold, 1, 3, seed=9), part_text[1:]])
    other = compositional_contrastive(image, text, part_image, moved, **options, reduction="none")
    changed = (other != rows).nonzero().tolist()
    assert changed == [[0, 3]]


def test_the_entailment_is_its_formula(manifold):
    image, text, part_image, part_text = _four(manifold)

    def hinge(parent, child, slack):
        angle = manifold.exterior_angle(parent, child)
        return (angle - slack * manifold.half_aperture(parent, 0.2)).clamp(min=0)

    wanted = (
        hinge(text, image, 0.7)
        + hinge(part_text, part_image, 0.7)
        + hinge(part_image, image, 1.2)
        + hinge(part_text, text, 1.2)
    ) / 2
    options = {"manifold": manifold, "min_radius": 0.2}
    rows = compositional_entailment(image, text, part_image, part_text, **options, reduction="none")
    torch.testing.assert_close(rows.sum(1) / 2, wanted, rtol=1e-12, atol=1e-14)
    mean = compositional_entailment(image, text, part_image, part_text, **options)
    torch.testing.assert_close(mean, wanted.mean(), rtol=1e-12, atol=1e-14)
    total = compositional_entailment(image, text, part_image, part_text, **options, reduction="sum")
    torch.testing.assert_close(total, wanted.sum(), rtol=1e-12, atol=1e-14)


def test_a_chain_of_wholes_and_parts_is_the_contrast_of_each_level_with_the_pictures(manifold):
    group, subgroup, name, picture = _four(manifold, b=4)
    ids = [torch.tensor(i) for i in ([0, 0, 0, 1], [0, 0, 1, 2], [0, 1, 2, 3], [0, 1, 2, 3])]
    levels = [group, subgroup, name, picture]
    rows = chain_contrastive(levels, ids, manifold=manifold, scale=2.0, reduction="none")
    wanted = [
        _cross_entropy(manifold, x, picture, 2.0, (i[:, None] == i).tolist())
        for x, i in zip(levels[:-1], ids[:-1], strict=True)
    ]
    wanted.append(_cross_entropy(manifold, picture, name, 2.0))
    torch.testing.assert_close(rows, torch.tensor(wanted, dtype=F64).T, rtol=1e-10, atol=1e-12)
    mean = chain_contrastive(levels, ids, manifold=manifold, scale=2.0)
    torch.testing.assert_close(mean, rows.mean(), rtol=1e-12, atol=0)


def test_both_losses_differentiate():
    space = Lorentz(-0.7)
    v = [
        torch.randn(3, 2, dtype=F64, generator=torch.Generator().manual_seed(s)).requires_grad_()
        for s in range(4)
    ]

    def loss(*v):
        x = [space.from_normal(u) for u in v]
        contrast = compositional_contrastive(*x, manifold=space, scale=2.0)
        return contrast + compositional_entailment(*x, manifold=space)

    assert gradcheck(loss, v)


def test_refusals_are_sentences():
    flat = Euclidean()
    x = torch.ones(3, 2)
    with pytest.raises(ValueError, match=r"part_text \(2, 2\); expected one shape \(B, m\) of all"):
        compositional_contrastive(x, x, x, x[:2], manifold=flat, scale=1.0)
    with pytest.raises(ValueError, match=r"expected two or more of one shape"):
        chain_contrastive([x], [torch.zeros(3).long()], manifold=flat, scale=1.0)
    with pytest.raises(ValueError, match=r"ids of the shapes \[\(2,\), \(3,\)\] for 2 levels"):
        chain_contrastive(
            [x, x], [torch.zeros(2).long(), torch.zeros(3).long()], manifold=flat, scale=1.0
        )
    with pytest.raises(ValueError, match="reduction is 'max'"):
        compositional_entailment(x, x, x, x, manifold=flat, reduction="max")
