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
from spaceforms.models.graphs.verdict import verdict


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


def test_of_several_components_the_largest_is_measured_and_said(tmp_path, capsys, quick):
    path = tmp_path / "three.txt"
    path.write_text("a b\na c\nb d\nb e\nc f\nc g\nh i\nj k\nj l\n")
    assert main(["embed", str(path), "--diagnose", "--dim", "2"]) == 0
    said = "measured within the largest of 3 components, which has 7 of 12 nodes"
    assert said in capsys.readouterr().out
    path.write_text("a b\na c\nb d\nb e\nc f\nc g\n")
    assert main(["embed", str(path), "--diagnose", "--dim", "2"]) == 0
    assert "components, which has" not in capsys.readouterr().out


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


def listed(tmp_path, graph, dim=4):
    path = tmp_path / "edges.txt"
    path.write_text("".join(f"n{a} n{b}\n" for a, b in graph.edges()))
    return DiagnoseOptions(str(path), closure=False, dim=dim, seed=1)


@pytest.fixture
def quick(monkeypatch):
    """Fewer nodes whose curvature is sought."""
    monkeypatch.setattr(diagnosis, "_PLACED", 60)


KNOWN = {
    "tree": nx.balanced_tree(3, 4),
    "cycle": nx.cycle_graph(90),
    "grid": nx.convert_node_labels_to_integers(nx.grid_2d_graph(11, 11)),
}


@pytest.mark.parametrize("name", KNOWN)
def test_the_verdict_knows_what_is_known(name, tmp_path, quick):
    report = diagnose(listed(tmp_path, KNOWN[name]))
    found = report["verdict"]["edges"]
    assert found["closest"] == name
    assert found["distances"][name] == min(found["distances"].values()) <= 0.25
    data = report["data"]["edges"]
    for number in (data["relative_delta"], data["relative_mean"], data["stress"]):
        assert f"{number:.3f}" in found["words"]  # the numbers it rests on
    sign = {"tree": "negative", "cycle": "positive", "grid": "positive"}[name]
    assert found["curvature"] == sign
    assert f"Curvature {sign}" in found["words"]


def test_the_verdict_says_when_it_cannot(tmp_path, quick):
    # Half a tree and half a grid is neither.
    both = nx.disjoint_union(nx.balanced_tree(2, 5), KNOWN["grid"])
    both.add_edge(0, 63)
    report = diagnose(listed(tmp_path, both))
    found = report["verdict"]["edges"]
    assert found["closest"] is None
    assert found["words"].startswith("cannot say: 2 delta/diameter")
    data = report["data"]["edges"]
    few = verdict(data | {"points": 9}, report["comparison"])
    assert few["words"].startswith("cannot say: 9 nodes are too few")
    wide = {"relative_delta": 0.3, "relative_delta_at_most": 0.9}
    hasty = verdict(data | wide, report["comparison"])
    assert hasty["closest"] is None
    assert "not found in the time allowed (2 delta/diameter 0.30 to 0.90" in hasty["words"]
    flat = verdict(data | {"stress": 0.2, "flat_stress": 0.21}, report["comparison"])
    assert flat["curvature"] == "none"
    assert "No curvature fits better than none" in flat["words"]


def test_noise_has_the_same_distances_and_no_shape(tmp_path, quick):
    table = torch.from_numpy(nx.floyd_warshall_numpy(KNOWN["tree"]))
    noise = diagnosis._shuffled(table, 0)
    assert torch.equal(noise, noise.T)
    i, j = torch.triu_indices(*table.shape, 1)
    assert torch.equal(noise[i, j].sort().values, table[i, j].sort().values)
    assert not torch.equal(noise, table)
    report = diagnose(listed(tmp_path, KNOWN["tree"]))
    data = report["data"]["edges"]
    assert data["stress"] < 0.75 * data["shuffled"]["stress"]
    # Where the data are noise themselves nothing is said of curvature.
    said = verdict(dict(data) | data["shuffled"], report["comparison"])
    assert said["curvature"] is None
    assert "noise fits as well" in said["words"]


def test_weights_are_no_lengths_and_are_refused_in_a_sentence(tmp_path, capsys, quick):
    path = tmp_path / "weighted.txt"
    path.write_text("a b 0.5\nb c 3\n")
    sentence = "its edges have weights from 0.5 to 3; expected none for --"
    assert main(["embed", str(path), "--diagnose"]) == 1
    assert f"{sentence}diagnose, which counts edges" in capsys.readouterr().err
    words = ["--out", str(tmp_path / "o")]
    assert main(["embed", str(path), *words, "--method", "sarkar", "--dim", "2"]) == 1
    assert f"{sentence}method sarkar" in capsys.readouterr().err
    assert main(["embed", str(path), *words, "--dim", "2", "--epochs", "1", "--overwrite"]) == 0
    assert "Weights count with --closure False" in capsys.readouterr().err
    path.write_text("a b 1\nb c\nb c\n")  # twice the same edge is no weight
    assert main(["embed", str(path), "--diagnose", "--dim", "1"]) == 0


def test_the_help_says_what_it_does(capsys):
    assert main(["embed", "--help"]) == 0
    words = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "With --diagnose nothing is trained" in words
    assert "closest, or that it cannot say" in words
