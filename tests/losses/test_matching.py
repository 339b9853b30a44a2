"""Hard negatives, matching, and masked words: frequencies, formulas, corners."""

import math

import pytest
import torch
from torch.nn.functional import cross_entropy

from spaceforms.losses.functional import (
    hard_negatives,
    mask_tokens,
    masked_language_loss,
    matching_loss,
)

F64 = torch.float64
FAR = 5.0
"""Standard errors."""


def test_negatives_are_drawn_from_the_softmax_of_what_is_not_positive():
    row = torch.tensor([3.0, -1.0, 0.5, 2.0, 0.0])
    positives = torch.tensor([True, False, False, True, False])
    draws = 20_000
    drawn = hard_negatives(
        row.expand(draws, -1),
        positives.expand(draws, -1),
        generator=torch.Generator().manual_seed(0),
    )
    assert drawn.found.all()
    frequency = torch.bincount(drawn.column, minlength=5) / draws
    wanted = row.masked_fill(positives, -torch.inf).softmax(0)
    assert (frequency[positives] == 0).all()
    error = (wanted * (1 - wanted) / draws).sqrt()
    assert ((frequency - wanted).abs() <= FAR * error).all()


def test_a_row_without_negatives_says_so_and_extreme_logits_never_give_a_positive():
    positives = torch.eye(3, dtype=torch.bool)
    positives[2] = True
    similarity = torch.tensor([[1e30, -1e30, -1e30], [0, 1e30, -torch.inf], [1.0, 1, 1]])
    for seed in range(50):
        draw = torch.Generator().manual_seed(seed)
        column, found = hard_negatives(similarity, positives, generator=draw)
        assert found.tolist() == [True, True, False]
        assert column[0] in (1, 2)
        assert column[1] == 0
    broken = torch.full((2, 2), torch.nan)
    assert hard_negatives(broken, torch.eye(2, dtype=torch.bool)).column.tolist() == [1, 0]


def test_the_same_seed_gives_the_same_draws():
    similarity = torch.randn(6, 6, generator=torch.Generator().manual_seed(1))
    positives = torch.eye(6, dtype=torch.bool)
    one, two = (
        hard_negatives(similarity, positives, generator=torch.Generator().manual_seed(3))
        for _ in range(2)
    )
    assert torch.equal(one.column, two.column)


def test_the_matching_loss_is_the_two_way_cross_entropy_of_what_is_counted():
    logits = torch.tensor([0.3, -2.0, 4.0, 0.0], dtype=F64)
    matched = torch.tensor([True, False, False, True])
    counted = torch.tensor([True, True, True, False])
    wanted = cross_entropy(
        torch.stack([torch.zeros(4, dtype=F64), logits], 1), matched.long(), reduction="none"
    )
    got = matching_loss(logits, matched, counted=counted, reduction="none")
    torch.testing.assert_close(got, wanted * counted, rtol=1e-13, atol=0)
    mean = matching_loss(logits, matched, counted=counted)
    torch.testing.assert_close(mean, wanted[:3].mean(), rtol=1e-13, atol=0)
    assert matching_loss(logits, matched, counted=torch.zeros(4, dtype=torch.bool)) == 0
    with pytest.raises(ValueError, match=r"matched \(3,\) and counted None; expected one shape"):
        matching_loss(logits, matched[:3])


def test_tokens_are_masked_at_the_rate_and_in_the_shares_of_bert():
    vocabulary, mask_id, n = 50, 50, 200_000
    tokens = torch.randint(
        0, vocabulary, (200, n // 200), generator=torch.Generator().manual_seed(0)
    )
    masked, labels = mask_tokens(
        tokens,
        mask_id=mask_id,
        vocabulary=vocabulary,
        generator=torch.Generator().manual_seed(1),
    )
    special = tokens < 2
    assert (labels[special] == -100).all()
    chosen = labels != -100
    assert torch.equal(labels[chosen], tokens[chosen])
    assert torch.equal(masked[~chosen], tokens[~chosen])

    def share(part, whole, wanted):
        p, k = float(part.sum() / whole.sum()), int(whole.sum())
        assert abs(p - wanted) < FAR * math.sqrt(wanted * (1 - wanted) / k)

    share(chosen, ~special, 0.15)
    share(masked[chosen] == mask_id, chosen[chosen], 0.8)
    # Of the tenth that is replaced one in 48 is replaced by itself.
    share(masked[chosen] == tokens[chosen], chosen[chosen], 0.1 + 0.1 / 48)
    assert not torch.isin(masked[chosen], torch.tensor([0, 1])).any()
    again = mask_tokens(
        tokens, mask_id=mask_id, vocabulary=50, generator=torch.Generator().manual_seed(1)
    )
    assert torch.equal(again.tokens, masked)


def test_the_language_loss_is_its_formula_and_nothing_where_nothing_is_asked():
    draw = torch.Generator().manual_seed(0)
    logits, teacher = (torch.randn(2, 3, 7, dtype=F64, generator=draw) for _ in range(2))
    logits.requires_grad_()
    teacher.requires_grad_()
    labels = torch.tensor([[4, -100, 0], [-100, -100, 6]])
    asked = labels != -100
    hard = cross_entropy(logits[asked], labels[asked], reduction="none")
    soft = cross_entropy(logits[asked], teacher[asked].softmax(-1), reduction="none")
    got = masked_language_loss(logits, labels, teacher=teacher, weight=0.3, reduction="none")
    torch.testing.assert_close(got[asked], 0.7 * hard + 0.3 * soft, rtol=1e-12, atol=0)
    assert (got[~asked] == 0).all()
    mean = masked_language_loss(logits, labels, teacher=teacher, weight=0.3)
    torch.testing.assert_close(mean, got[asked].mean(), rtol=1e-13, atol=0)
    ours, theirs = torch.autograd.grad(mean, (logits, teacher), allow_unused=True)
    assert theirs is None
    assert (ours[~asked] == 0).all()
    plain = masked_language_loss(logits, labels)
    torch.testing.assert_close(plain, hard.mean(), rtol=1e-13, atol=0)
    nothing = masked_language_loss(logits, torch.full((2, 3), -100))
    assert nothing == 0
    assert (torch.autograd.grad(nothing, logits)[0] == 0).all()
    assert masked_language_loss(logits.bfloat16(), labels).dtype == torch.float32


def test_refusals_are_sentences():
    with pytest.raises(ValueError, match=r"positives \(2, 3\); expected one shape \(B, C\)"):
        hard_negatives(torch.ones(2, 2), torch.ones(2, 3, dtype=torch.bool))
    with pytest.raises(ValueError, match=r"rate is 2 with 8 tokens that are not special"):
        mask_tokens(torch.ones(1, 1, dtype=torch.int64), mask_id=10, vocabulary=10, rate=2)
    with pytest.raises(ValueError, match=r"labels \(3,\) and teacher None; expected \(..., V\)"):
        masked_language_loss(torch.ones(2, 4), torch.ones(3, dtype=torch.int64))
