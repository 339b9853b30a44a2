"""spaceforms embed --diagnose: both metrics of a graph beside known ones, and steps by bits."""

import json

import networkx as nx
import numpy as np
import pytest
import torch

from spaceforms.__main__ import main
from spaceforms.models.graphs import diagnosis
from spaceforms.models.graphs.diagnosis import DiagnoseOptions, diagnose
from spaceforms.models.graphs.paths import steps_from


@pytest.fixture
def edges(tmp_path):
    """A binary tree of 31 nodes and one edge that closes a cycle of four, and a component more."""
    path = tmp_path / "tree.txt"
    rows = [(f"n{k // 2}", f"n{k}") for k in range(2, 32)]
    path.write_text("".join(f"{p} {c}\n" for p, c in [*rows, ("n3", "n8"), ("x", "y")]))
    return path


def as_graph(pairs, nodes):
    graph = nx.Graph(pairs)
    graph.add_nodes_from(range(nodes))
    return graph


@pytest.mark.parametrize(("nodes", "share"), [(150, 0.02), (90, 0.0), (300, 0.004)])
def test_steps_are_the_shortest_ways_from_any_number_of_nodes(nodes, share):
    graph = nx.gnp_random_graph(nodes, share, seed=1)
    ends = np.array(list(graph.edges()), np.int64).reshape(-1, 2)
    found = steps_from(nodes, ends[:, 0], ends[:, 1])(torch.arange(nodes))
    known = dict(nx.all_pairs_shortest_path_length(graph))
    expected = [[known[a].get(b, torch.inf) for b in range(nodes)] for a in range(nodes)]
    assert torch.equal(found, torch.tensor(expected, dtype=torch.float64))
    some = torch.tensor([7, 3, 7])
    assert torch.equal(steps_from(nodes, ends[:, 0], ends[:, 1])(some), found[some])


def test_a_way_of_more_steps_than_a_byte_counts():
    every = np.arange(599)
    found = steps_from(600, every, every + 1)(torch.tensor([0, 300]))
    place = torch.arange(600)
    assert torch.equal(found, (place - torch.tensor([[0], [300]])).abs().double())


def test_the_table_says_which_metric_and_stands_beside_known_ones(edges, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["embed", str(edges), "--diagnose", "--dim", "3", "--out", str(out)]) == 0
    printed = capsys.readouterr()
    assert "33 nodes, 32 edges, 2 roots, 2 components" in printed.err
    for words in ("tree.txt, steps along edges", "along pairs of the closure", "a random tree"):
        assert words in printed.out
    assert "they are not what is trained on" in printed.out
    report = json.loads((out / "diagnosis.json").read_text())
    data, beside = report["data"], report["comparison"]
    # One cycle of four, n3 - n1 - n2 - n4 - n8: five nodes, delta 1/2; in a tree of diameter 8.
    graph = as_graph([(k // 2, k) for k in range(2, 32)] + [(3, 8)], 0)
    assert data["edges"]["diameter"] == nx.diameter(graph)
    assert data["edges"]["delta"] == data["edges"]["delta_at_most"] == 0.5
    assert data["edges"]["nodes"] == data["edges"]["points"] == 31
    assert data["closure"]["diameter"] == 2
    assert data["closure"]["relative_delta"] <= data["closure"]["relative_delta_at_most"] <= 1
    assert beside["tree"]["delta"] == 0
    assert beside["tree"]["curvature"] < 0
    assert beside["cycle"]["delta"] == 7
    assert (beside["grid"]["points"], beside["grid"]["delta"]) == (25, 4)
    assert beside["points"]["curvature"] == pytest.approx(0, abs=1e-6)
    assert beside["points"]["stress"] < 1e-6
    low, high = data["edges"]["relative_mean_interval"]
    assert low <= data["edges"]["relative_mean"] <= high


def test_of_a_large_graph_nodes_are_drawn_and_said(edges, monkeypatch, capsys):
    monkeypatch.setattr(diagnosis, "_WHOLE", 20)
    monkeypatch.setattr(diagnosis, "_SAMPLE", 12)
    assert main(["embed", str(edges), "--diagnose", "--dim", "2"]) == 0
    assert "12 of 31 nodes were drawn by chance" in capsys.readouterr().out


def test_edges_alone_may_have_cycles(tmp_path, capsys):
    path = tmp_path / "cycle.txt"
    path.write_text("a b\nb c\nc d\nd a\n")
    found = diagnose(DiagnoseOptions(str(path), closure=False, dim=2))
    assert list(found["data"]) == ["edges"]
    assert found["data"]["edges"]["relative_delta"] == 1.0
    assert main(["embed", str(path), "--diagnose"]) == 1
    assert "is a cycle" in capsys.readouterr().err
    assert main(["embed", str(path), "--diagnose", "--epochs", "3"]) == 2
    assert main(["embed", str(path), "--diagnose", "--dim", "0"]) == 2
    assert "dim is 0; expected at least 1." in capsys.readouterr().err
