"""The closure experiment: its scores by counting, what its negatives avoid, a run as a whole."""

import closure
import pytest
import torch

from spaceforms.manifolds import Lorentz


def _f1(chosen, truth):
    both = float((chosen & truth).sum())
    return 2 * both / float(chosen.sum() + truth.sum())


def test_the_best_threshold_is_the_best_of_all():
    generator = torch.Generator().manual_seed(0)
    score = torch.randn(60, generator=generator)
    truth = torch.rand(60, generator=generator) < torch.sigmoid(-score)
    best, threshold = closure.best_f1(score, truth)
    each = [_f1(score <= s, truth) for s in score]
    assert best == pytest.approx(max(each))
    assert closure.f1_at(threshold, score, truth) == pytest.approx(best)
    assert closure.f1_of_yes(truth) == pytest.approx(_f1(torch.ones_like(truth), truth))


def test_negatives_are_no_pairs_that_are_shown():
    generator = torch.Generator().manual_seed(0)
    pairs = torch.tensor([[0, 1], [0, 2], [1, 2], [3, 4]])
    known = torch.zeros(5, 5, dtype=torch.bool)
    known[pairs[:, 0], pairs[:, 1]] = True
    wrong = closure.sampled(pairs, 200, known, generator)
    assert not known[wrong[..., 0], wrong[..., 1]].any()
    assert (wrong[..., 0] != wrong[..., 1]).all()
    # In turn the parent and the child are replaced, or the pair is turned round.
    turned = (wrong == pairs[:, None].flip(-1)).all(-1)
    kept = wrong == pairs[:, None]
    assert (kept[:, 0::2, 1] | turned[:, 0::2]).all()
    assert (kept[:, 1::2, 0] | turned[:, 1::2]).all()


def test_an_embedding_begins_at_the_radius_and_learns_what_is_shown():
    pairs = torch.tensor([[0, 1], [0, 2], [0, 3], [1, 3]])
    known = torch.zeros(4, 4, dtype=torch.bool)
    known[pairs[:, 0], pairs[:, 1]] = True
    scores, apart = [], ~torch.eye(4, dtype=torch.bool)
    for steps, lr in ((1, 1e-12), (150, 0.05)):
        options = closure.Options("Lorentz", dim=2, seed=0, steps=steps, lr=lr)
        points = closure.embed(Lorentz(), pairs, known, options)
        angle, aperture = Lorentz().cones(points[:, None], points)
        score = (angle - aperture).squeeze(-1)
        scores.append(closure.best_f1(score[apart], known[apart])[0])
        if steps == 1:
            radius = Lorentz().dist(Lorentz().origin(2, dtype=points.dtype), points)
            torch.testing.assert_close(radius, torch.full_like(radius, options.radius))
    assert scores[0] < scores[1] == 1.0
    with pytest.raises(ValueError, match="space is 'Klein'; expected one of Euclidean, Lorentz"):
        closure.Options("Klein", dim=2, seed=0)


@pytest.mark.slow
def test_hidden_ancestors_of_the_mammals_are_found_beyond_chance():
    found = closure.figures(closure.Options("Lorentz", dim=3, seed=0, steps=60))
    for name in ("F1, hidden", "F1, hidden, all", "F1, closure"):
        assert found[name] > 1.5 * found[f"{name}, chance"]
    # One pair in eleven marks, and the hidden half among all that is no pair.
    assert found["F1, hidden, chance"] == pytest.approx(2 / 12, abs=0.01)
    assert found["F1, closure, chance"] == pytest.approx(2 * 6542 / (6542 + 1182 * 1181), rel=1e-6)
