"""Numbers in sentences."""

import pytest

from spaceforms.datasets.pair import FAULTS
from spaceforms.models.graphs.report import as_table
from spaceforms.models.words import counted, faults_counted


@pytest.mark.parametrize(
    ("number", "words"), [(0, "0 levels"), (1, "1 level"), (2, "2 levels"), (1200, "1,200 levels")]
)
def test_one_is_not_several(number, words):
    assert counted(number, "level") == words


def test_a_fault_of_each_kind_is_said_of_one_and_of_several():
    for kind in FAULTS:
        one = kind.split(" ")[0].removesuffix("s") + kind[kind.index(" ") :]
        assert faults_counted({kind: 1}) == f"1 {one}"
        assert faults_counted({kind: 3}) == f"3 {kind}"
    assert faults_counted({"files refused": 2, "captions empty": 1}) == (
        "2 files refused, 1 caption empty"
    )


def test_a_tree_of_one_edge_has_one_level():
    tree = {"seconds": 0.1, "edge": 2.0, "height": 1, "degree": 1, "angle": 3.0}
    report = {
        "nodes": 2,
        "pairs": 1,
        "map": 1.0,
        "mean_rank": 1.0,
        "nodes_measured": 1,
        "sampled": False,
        "controls": {},
        "radius": {"smallest": 0.0, "largest": 2.0, "mean": 1.0},
        "sarkar": tree | {"proven_distortion": None},
    }
    table = as_table(report, title="two")
    assert "two: 2 nodes, 1 pair\n" in table
    assert "1 level, at most 1 edge at a node" in table
