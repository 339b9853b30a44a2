"""Retrieval figures against cases counted by hand and against chance by simulation."""

import numpy as np
import pytest

from spaceforms.models.evaluation.retrieval import accuracy, chance_recall_at, quantiles, recall_at
from spaceforms.models.probvlm.uncertainty import hits_at_1


def test_recall_counts_rows_with_a_relevant_column_among_the_best():
    scores = np.array([[3.0, 2.0, 1.0], [3.0, 2.0, 1.0], [3.0, 2.0, 1.0]])
    relevant = np.eye(3, dtype=bool)
    assert recall_at(scores, relevant, (1, 2, 3)) == pytest.approx([1 / 3, 2 / 3, 1.0])


def test_the_best_of_several_relevant_columns_counts():
    scores = np.array([[0.1, 0.9, 0.5]])
    assert recall_at(scores, np.array([[True, False, True]]), (1, 2)) == [0.0, 1.0]


def test_a_model_that_gives_everything_one_score_gets_nothing_for_it():
    assert recall_at(np.zeros((4, 10)), np.eye(4, 10, dtype=bool), (1, 5, 10)) == [0.0, 0.0, 1.0]


def test_chance_is_what_random_orders_give():
    rng = np.random.default_rng(0)
    relevant = np.zeros((6, 12), dtype=bool)
    for row, count in zip(relevant, (1, 1, 2, 3, 5, 12), strict=True):
        row[:count] = True
    trials = [recall_at(rng.random(relevant.shape), relevant, (1, 3, 20)) for _ in range(4000)]
    spread = np.std(trials, axis=0) / np.sqrt(len(trials))
    exact = np.array(chance_recall_at(relevant, (1, 3, 20)))
    assert (np.abs(np.mean(trials, axis=0) - exact) <= 5 * spread + 1e-12).all()
    assert exact[2] == pytest.approx(1.0, rel=1e-15, abs=0)


def test_accuracy_weighs_pictures_and_macro_weighs_classes():
    scores = np.array([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0], [1.0, 0.0]])
    figures = accuracy(scores, np.array([0, 0, 0, 1]))
    assert figures == {"accuracy": 0.75, "macro": 0.5, "chance": 0.5, "most frequent": 0.75}


def test_quantiles_of_a_known_list():
    figures = quantiles(np.arange(101.0))
    assert figures == {"mean": 50.0, "25%": 25.0, "median": 50.0, "75%": 75.0, "number": 101}


@pytest.mark.parametrize("bad", [slice(None), (2, 0), (1, 1)])
def test_scores_that_are_not_numbers_get_no_figure(bad):
    scores = np.random.default_rng(0).random((4, 3))
    relevant = np.eye(4, 3, dtype=bool)
    relevant[3, 0] = True
    scores[bad] = np.nan
    for figure in (
        lambda: recall_at(scores, relevant),
        lambda: accuracy(scores, np.zeros(4, np.int64)),
        lambda: hits_at_1(scores, relevant),
    ):
        with pytest.raises(ValueError, match=r"of 12 scores are not numbers"):
            figure()


def test_a_row_without_a_relevant_column_is_refused():
    with pytest.raises(ValueError, match="a relevant column in each row"):
        recall_at(np.zeros((2, 3)), np.eye(2, 3, dtype=bool) & False)
