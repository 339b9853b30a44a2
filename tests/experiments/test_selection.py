"""Choosing by uncertainty is worth what the figures say, and a run as a whole gives them."""

import numpy as np
import pytest
import selection


def test_the_worth_of_a_choice_by_its_definition():
    recall = np.array([0.1, 0.4, 0.2])
    found = selection.worth(np.array([3.0, 1.0, 2.0]), recall)
    assert found["rank correlation"] == pytest.approx(1.0)
    assert found["recall of the chosen"] == found["recall of the best"] == 0.4
    assert found["gain over chance"] == pytest.approx(0.4 - 0.7 / 3)
    other = selection.worth(np.array([1.0, 3.0, 2.0]), recall)
    assert other["rank correlation"] == pytest.approx(-1.0)
    assert other["gain over chance"] == pytest.approx(0.1 - 0.7 / 3)


@pytest.mark.slow
def test_candidates_are_trained_and_judged(tmp_path):
    small = {"image": {"widths": [16, 32], "blocks": [0, 0]}, "text": {"layers": 0}}
    candidates = [{"epochs": epochs, **small} for epochs in (1, 3)]
    options = selection.Options(candidates, seed=0, embed_dim=8, epochs=1, head_epochs=2)
    found = selection.figures(tmp_path, options, "cpu")
    for k in (0, 1):
        assert 0 <= found[f"recall of candidate {k}"] < 0.5
        assert found[f"uncertainty of candidate {k}"] > 0
    shares = [found[f"share of the spread of candidate {k}"] for k in (0, 1)]
    recalls = [found[f"recall of candidate {k}"] for k in (0, 1)]
    chosen = recalls[int(np.argmin(shares))]
    assert found["recall of the chosen, by share of the spread"] == chosen
