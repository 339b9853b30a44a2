"""A tree embedded by hand, perfectly: every figure of it is known."""

import math
from itertools import combinations
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from spaceforms.datasets import load_emoji
from spaceforms.manifolds import Lorentz
from spaceforms.models.evaluation.hierarchy import (
    TEXTS,
    aperture_figures,
    cone_figures,
    depth_figures,
    level_nodes,
    tree_figures,
    way_figures,
)

# Radii, and by how much a child's direction differs from its parent's: within the parent's cone,
# whose half-aperture seen from the origin is about 0.06 at 1, 0.001 at 3 and 1e-6 at 6.
RADIUS = {"group": 1.0, "subgroup": 3.0, "name": 6.0, "picture": 9.0}
TURN = {"group": 1.0, "subgroup": 0.04, "name": 0.0005}


@pytest.fixture(scope="module")
def tree(small_data):
    data = load_emoji(*small_data)
    index = np.arange(0, len(data), 3)
    nodes = level_nodes(data, index)
    axis = {n: k for k, n in enumerate(np.concatenate([nodes[t] for t in TEXTS]))}
    eye = torch.eye(len(axis), dtype=torch.float64)

    def direction(node, level):
        if level == "group":
            return eye[axis[node]]
        above = direction(data.hierarchy.parent[node], TEXTS[TEXTS.index(level) - 1])
        return torch.nn.functional.normalize(above + TURN[level] * eye[axis[node]], dim=0)

    ways = {t: torch.stack([direction(n, t) for n in nodes[t]]) for t in TEXTS}
    name = np.searchsorted(nodes["name"], data.hierarchy.concept_node[data.concept[index]])
    ways["picture"] = ways["name"][name]
    space = Lorentz(-1.0)
    points = {level: space.from_normal(RADIUS[level] * v) for level, v in ways.items()}
    model = {"manifold": space, "min_radius": 0.1}
    return SimpleNamespace(
        data=data, index=index, nodes=nodes, points=points, model=model, name=name
    )


def test_all_cones_hold_their_own_and_nothing_else(tree):
    figures = cone_figures(tree.points, tree.data, tree.index, **tree.model)
    perfect = {"AUC": 1.0, "contained": 1.0, "falsely contained": 0.0}
    levels = [*TEXTS, "picture"]
    pairs = [f"{a} > {b}" for a, b in combinations(levels, 2)]
    assert figures == dict.fromkeys(["texts", "pictures", *pairs], perfect)


def test_apertures_are_those_of_the_radii(tree):
    found = aperture_figures(tree.points, **tree.model)
    wanted = {t: math.degrees(math.asin(0.2 / math.sinh(RADIUS[t]))) for t in TEXTS}
    assert found == pytest.approx(wanted, rel=1e-12, abs=0)


def test_a_picture_of_another_concept_is_outside(tree):
    moved = {**tree.points, "picture": tree.points["picture"].roll(1, 0)}
    figures = cone_figures(moved, tree.data, tree.index, **tree.model)["pictures"]
    right = tree.name == np.roll(tree.name, 1)
    assert figures["contained"] < (1 + right.mean()) / 2
    assert figures["falsely contained"] > 0
    assert figures["AUC"] < 1


def test_a_level_moved_is_seen_in_its_own_pairs_only(tree):
    moved = {**tree.points, "subgroup": tree.points["subgroup"].roll(1, 0)}
    figures = cone_figures(moved, tree.data, tree.index, **tree.model)
    for pair in ("group > name", "name > picture", "group > picture"):
        assert figures[pair] == {"AUC": 1.0, "contained": 1.0, "falsely contained": 0.0}
    for pair in ("subgroup > name", "subgroup > picture"):
        assert figures[pair]["contained"] == 0.0


def test_every_way_meets_name_subgroup_and_group_and_nothing_else(tree):
    root = tree.model["manifold"].origin(len(tree.points["group"][0]) - 1, dtype=torch.float64)
    figures = way_figures(tree.points, root, tree.data, tree.index, **tree.model)
    assert figures == {"precision": 1.0, "recall": 1.0}
    # Without names every way meets two of three.
    points, nodes = tree.points, tree.nodes
    far = points["name"].flip(-1)
    figures = way_figures({**points, "name": far}, root, tree.data, tree.index, **tree.model)
    assert figures["recall"] == pytest.approx(2 / 3)
    assert len(nodes["name"]) == len(far)


def test_depth_goes_with_radius_within_texts(tree):
    radii = {level: np.full(len(x), RADIUS[level]) for level, x in tree.points.items()}
    assert depth_figures(radii, tree.data, tree.index) == {"texts": pytest.approx(1.0)}
    depth = np.array([len(c.wnpath) for c in tree.data.concepts])[tree.data.concept[tree.index]]
    figures = depth_figures({**radii, "picture": 20.0 - depth}, tree.data, tree.index)
    assert figures["pictures, WordNet"] == pytest.approx(-1.0)


def test_answers_are_placed_in_both_hierarchies(tree):
    concept = tree.data.concept[tree.index]
    candidates = np.unique(concept)
    right = (concept[:, None] == candidates[None]).astype(float)
    figures = tree_figures(right, concept, candidates, tree.data)
    assert list(figures) == ["groups", "WordNet"]
    for scores in figures.values():
        assert scores["TIE"]["mean"] == 0
        assert scores["TIE"]["chance"] > 2
        assert scores["recall"]["mean"] == 1
    # Always the first candidate: what each picture then costs, along the paths written out.
    first = np.zeros_like(right)
    first[:, 0] = 1
    concepts = [tree.data.concepts[c] for c in concept]
    answer = tree.data.concepts[candidates[0]]
    costs = [
        0 if c is answer else 2 if c.subgroup == answer.subgroup else 4 if c.group == answer.group
        else 6
        for c in concepts
    ]  # fmt: skip
    figures = tree_figures(first, concept, candidates, tree.data)
    assert figures["groups"]["TIE"]["mean"] == pytest.approx(np.mean(costs))
