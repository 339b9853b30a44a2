"""Metrics of a hierarchy on a tree small enough to count by hand."""

import itertools
import math

import numpy as np
import pytest

from spaceforms.models.evaluation.tree_metrics import (
    cone_scores,
    path_scores,
    spearman,
    tree_scores,
    tree_tables,
)

#            thing
#         /         \
#      animal       tool
#      /    \         |
#    dog    cat     hammer
#     |
#   puppy
DOG, CAT, HAMMER, PUPPY = range(4)
PATHS = [
    ["thing", "animal", "dog"],
    ["thing", "animal", "cat"],
    ["thing", "tool", "hammer"],
    ["thing", "animal", "dog", "puppy"],
]


@pytest.mark.parametrize(
    ("predicted", "true", "counted"),
    [
        (DOG, DOG, (0, 1, 1, 1, 1)),
        (DOG, CAT, (2, 2, 2 / 4, 2 / 3, 2 / 3)),
        (HAMMER, DOG, (4, 3, 1 / 5, 1 / 3, 1 / 3)),
        (PUPPY, DOG, (1, 2, 3 / 4, 3 / 4, 1)),
        (DOG, PUPPY, (1, 1, 3 / 4, 1, 3 / 4)),
        (PUPPY, HAMMER, (5, 4, 1 / 6, 1 / 4, 1 / 3)),
    ],
)
def test_a_wrong_answer_costs_what_the_tree_says(predicted, true, counted):
    scores = tree_scores(np.array([predicted]), np.array([true]), PATHS)
    assert list(scores) == ["TIE", "LCA", "Jaccard", "precision", "recall"]
    assert [s["mean"] for s in scores.values()] == pytest.approx(list(counted))


def test_tie_is_the_length_of_the_shortest_way_in_the_tree():
    edges = {frozenset(pair) for path in PATHS for pair in itertools.pairwise(path)}
    nodes = sorted(set().union(*edges))
    far = {(a, b): 0 if a == b else 1 if {a, b} in edges else 99 for a in nodes for b in nodes}
    for middle, a, b in itertools.product(nodes, repeat=3):  # Floyd and Warshall
        far[a, b] = min(far[a, b], far[a, middle] + far[middle, b])
    wanted = [[far[p[-1], t[-1]] for t in PATHS] for p in PATHS]
    np.testing.assert_array_equal(tree_tables(PATHS)["TIE"], wanted)


def test_chance_is_the_mean_over_all_answers():
    scores = tree_scores(np.array([DOG, CAT]), np.array([DOG, DOG]), PATHS)
    assert scores["TIE"] == {"mean": 1.0, "chance": (0 + 2 + 4 + 1) / 4}


def test_spearman_is_pearsons_of_mean_ranks():
    assert spearman(np.array([1.0, 2, 3]), np.array([10.0, 100, 1000])) == pytest.approx(1)
    assert spearman(np.array([1.0, 2, 3]), np.array([3.0, 2, 1])) == pytest.approx(-1)
    # Ranks 1.5 1.5 3.5 3.5 and 1 2 3 4: covariance 4, variances 4 and 5.
    a, b = np.array([1.0, 1, 2, 2]), np.array([1.0, 2, 3, 4])
    assert spearman(a, b) == pytest.approx(4 / math.sqrt(20))
    assert math.isnan(spearman(a, np.ones(4)))


def test_cones_are_scored_by_all_their_pairs():
    margin = np.array([[-0.2, 0.1], [0.1, 0.5], [-0.1, 0.3]])
    below = np.array([[True, True], [False, False], [False, True]])
    scores = cone_scores(margin, below)
    pairs = itertools.product(margin[below], margin[~below])
    wins = [1.0 if t < f else 0.5 if t == f else 0.0 for t, f in pairs]
    assert scores["AUC"] == pytest.approx(np.mean(wins))
    assert scores["contained"] == pytest.approx(1 / 3)
    assert scores["falsely contained"] == pytest.approx(1 / 3)


def test_ways_are_scored_by_what_they_met():
    scores = path_scores([[0, 1, 5], [], [2]], [{0, 1}, {0, 1}, {1, 2}])
    assert scores["precision"] == pytest.approx((2 / 3 + 0 + 1) / 3)
    assert scores["recall"] == pytest.approx((1 + 0 + 1 / 2) / 3)
