"""Sarkar's construction: the proven distortion is kept, in any dimension, at any precision."""

import json
import math

import mpmath
import networkx as nx
import numpy as np
import pytest
import torch

from spaceforms.__main__ import main
from spaceforms.manifolds import Lorentz
from spaceforms.models import load_embedding
from spaceforms.models.graphs import run as run_module
from spaceforms.models.graphs.config import EmbedOptions
from spaceforms.models.graphs.paths import steps_from
from spaceforms.models.graphs.run import embed
from spaceforms.models.graphs.sarkar import (
    digits_for,
    directions,
    edge_for,
    exact_rows,
    place,
    proven_distortion,
    smallest_angle,
    spanning_tree,
)
from spaceforms.stats import worst_distortion

TREES = {
    "random": nx.random_labeled_tree(40, seed=3),
    "binary": nx.balanced_tree(2, 4),
    "star": nx.star_graph(20),
    "caterpillar": nx.from_prufer_sequence([0, 0, 1, 1, 2, 2, 3, 3, 4, 4]),
}


def ends(graph):
    return np.array(list(graph.edges()), np.int64).T


def built(graph, dim, distortion):
    """Tree, directions, edge, radius and digits."""
    tree, *changed = spanning_tree(len(graph), *ends(graph))
    assert changed == [0, 0]
    unit = directions(tree.degree, dim)
    edge = edge_for(1 + distortion, smallest_angle(unit))
    return tree, unit, edge, digits_for(edge * tree.height, edge)


@pytest.mark.parametrize("name", TREES)
@pytest.mark.parametrize("dim", [2, 3, 5])
@pytest.mark.parametrize("distortion", [0.1, 1.0])
def test_the_worst_distortion_is_at_most_the_proven_one(name, dim, distortion):
    graph = TREES[name]
    tree, unit, edge, digits = built(graph, dim, distortion)
    assert proven_distortion(edge, smallest_angle(unit)) <= 1 + distortion
    rows = exact_rows(place(tree, unit, edge, digits), digits)
    found = worst_distortion(steps_from(len(graph), *ends(graph)), rows, count=len(graph))
    # A thousandth of an edge is what the digits leave.
    assert 1 < found.distortion <= (1 + distortion) * 1.002
    # Edges have their length; a way is no longer than its edges.
    assert found.expansion == pytest.approx(edge, rel=2e-3)


def test_shorter_edges_would_break_it():
    # The bound is no empty one: at a third of the edge it is passed, in the same tree.
    graph = TREES["random"]
    tree, unit, edge, digits = built(graph, 2, 0.3)
    rows = exact_rows(place(tree, unit, edge / 3, digits), digits)
    assert worst_distortion(steps_from(40, *ends(graph)), rows, count=40).distortion > 1.3


@pytest.mark.parametrize("dim", [2, 3, 10])
def test_float64_and_many_digits_agree_where_float64_reaches(dim):
    graph = TREES["binary"]
    tree, unit, edge, digits = built(graph, dim, 2.0)
    assert digits <= 15
    x = torch.from_numpy(place(tree, unit, edge))
    exact = place(tree, unit, edge, 40)
    # Rounding moves a point at r by a few eps sinh r for each of its levels.
    size = 64 * tree.height * 2.2e-16 * math.sinh(edge * tree.height)
    assert np.abs(x.numpy() - exact.astype(float)).max() < size
    lorentz = Lorentz()
    table = lorentz.cdist(lorentz.from_space(x), lorentz.from_space(x))
    rows = exact_rows(exact, 40)(torch.arange(len(graph)))
    torch.testing.assert_close(table, rows, rtol=1e-9, atol=2 * size)


def test_distances_of_many_digits_are_those_of_mpmath():
    graph = TREES["random"]
    tree, unit, edge, digits = built(graph, 3, 0.05)
    assert digits > 60
    x = place(tree, unit, edge, digits)
    found = exact_rows(x, digits)(torch.arange(5))
    with mpmath.workdps(3 * digits):
        y = [[mpmath.mpf(v) for v in row] for row in x]
        for i in range(5):
            for j in range(40):
                times = (
                    mpmath.sqrt(1 + mpmath.fdot(y[i], y[i])),
                    mpmath.sqrt(1 + mpmath.fdot(y[j], y[j])),
                )
                d = mpmath.acosh(times[0] * times[1] - mpmath.fdot(y[i], y[j])) if i != j else 0
                assert float(found[i, j]) == pytest.approx(float(d), rel=1e-14, abs=1e-12)


def test_distances_beyond_what_a_float_holds():
    graph = nx.path_graph(9)
    tree, *_ = spanning_tree(9, *ends(graph))
    unit = directions(2, 2)
    rows = exact_rows(place(tree, unit, 400.0, 1500), 1500)
    steps = steps_from(9, *ends(graph))(torch.arange(9))
    torch.testing.assert_close(rows(torch.arange(9)), 400 * steps, rtol=1e-12, atol=0)


@pytest.mark.parametrize(
    ("count", "dim", "angle"),
    [
        (2, 5, 180),
        (6, 2, 60),
        (4, 3, math.degrees(math.acos(-1 / 3))),
        (6, 5, math.degrees(math.acos(-1 / 5))),
        (6, 3, 90),
        (20, 10, 90),
    ],
)
def test_directions_are_as_far_apart_as_is_known(count, dim, angle):
    found = directions(count, dim)
    assert found.shape == (count, dim)
    assert np.abs((found**2).sum(1) - 1).max() < 1e-14
    assert math.degrees(smallest_angle(found)) == pytest.approx(angle, abs=1e-4)


@pytest.mark.parametrize(("count", "best"), [(9, 70.5288), (12, 63.4349), (24, 43.6908)])
def test_directions_in_three_dimensions_come_near_the_best_that_are_known(count, best):
    # Tammes' problem; solved for these (Schütte and van der Waerden 1951; Robinson 1961).
    found = directions(count, 3)
    assert 0.93 * best < math.degrees(smallest_angle(found)) <= best + 1e-3
    # Fewer of them are no nearer.
    assert smallest_angle(found[: count // 2]) >= smallest_angle(found)


def test_the_proven_distortion_falls_with_the_edge_and_is_infinite_for_short_ones():
    angle = 2 * math.pi / 5
    edges = [0.5, 1.0, 2.0, 4.0, 8.0, 16.0]
    bounds = [proven_distortion(edge, angle) for edge in edges]
    assert bounds == sorted(bounds, reverse=True)
    assert bounds[0] == math.inf
    assert 1 < bounds[-1] < 1.2
    assert proven_distortion(0.1, math.pi) == 1.0
    assert proven_distortion(edge_for(1.25, angle), angle) == pytest.approx(1.25, rel=1e-6)


def test_a_graph_becomes_a_breadth_first_tree_from_its_middle():
    graph = nx.disjoint_union_all([nx.path_graph(9), nx.cycle_graph(5), nx.path_graph(1)])
    tree, left_out, added = spanning_tree(15, *ends(graph))
    assert (left_out, added) == (1, 2)
    assert (tree.order[0], tree.height) == (4, 4)
    assert tree.parent[4] == -1
    assert [int(tree.level[tree.parent[k]]) for k in range(15) if k != 4] == [
        int(tree.level[k]) - 1 for k in range(15) if k != 4
    ]


# -- the command


@pytest.fixture
def binary(tmp_path):
    path = tmp_path / "tree.txt"
    path.write_text("".join(f"n{k // 2} n{k}\n" for k in range(2, 32)))
    return path


@pytest.mark.parametrize("manifold", ["lorentz", "ball", "halfspace"])
def test_a_tree_is_embedded_without_training(binary, tmp_path, capsys, manifold):
    out = tmp_path / "out"
    words = ["embed", str(binary), "--method", "sarkar", "--dim", "2", "--manifold", manifold]
    assert main([*words, "--distortion", "1.0", "--out", str(out)]) == 0
    printed = capsys.readouterr()
    assert "neighbours along edges" in printed.out
    assert "at most 2.0000 in exact numbers" in printed.out
    found = json.loads((out / "report.json").read_text())["sarkar"]
    assert found["stored"]["map"] == 1.0
    assert found["stored"]["mean_rank"] == 1.0
    assert found["stored"]["distortion"] <= 2.0
    assert "exact" not in found
    embedding = load_embedding(out)
    assert embedding.points.dtype == torch.float64
    assert {n.name for n in embedding.nearest("n2", 3)} == {"n1", "n4", "n5"}
    assert main([*words, "--out", str(out)]) == 1
    assert "holds an embedding already" in capsys.readouterr().err


def test_what_float64_does_not_hold_is_said_with_the_digits_that_it_takes(
    binary, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(run_module, "draw", lambda *args, **_: None)
    given = {"dim": 2, "method": "sarkar", "distortion": 0.005}
    options = EmbedOptions(str(binary), tmp_path / "one", **given)
    report = embed(options)
    wanted = report["sarkar"]["digits_wanted"]
    assert wanted > 40
    said = capsys.readouterr().err
    assert f"distances take {wanted} decimal digits" in said
    assert f"measured with --digits {wanted}" in said
    assert report["sarkar"]["stored"]["distortion"] > 1.01
    options = EmbedOptions(str(binary), tmp_path / "two", digits=wanted, **given)
    exact = embed(options)["sarkar"]["exact"]
    assert exact["distortion"] <= 1.005 * 1.002
    assert exact["map"] == 1.0


def test_what_is_no_tree_is_said(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(run_module, "draw", lambda *args, **_: None)
    path = tmp_path / "dag.txt"
    path.write_text("a b\na c\nb d\nc d\nx y\n")
    report = embed(EmbedOptions(str(path), tmp_path / "o", dim=3, method="sarkar"))
    said = capsys.readouterr().err
    assert "No tree: a spanning tree leaves out 1 of 5 edges." in said
    assert "2 components: joined by 1 edge " in said
    assert report["sarkar"]["edges_left_out"] == report["sarkar"]["edges_added"] == 1


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"method": "sarkar", "manifold": "sphere"}, "manifold is sphere; expected lorentz, ball"),
        ({"method": "sarkar", "dim": 1}, "dim is 1 and bias False; expected a dim of at least 2"),
        ({"method": "sarkar", "distortion": 0.0}, "distortion is 0.0; expected at least 0.001"),
        ({"method": "sarkar", "digits": 3}, "digits is 3; expected 16 to 10,000"),
        ({"digits": 30}, "distortion and digits are of --method sarkar; expected none of them"),
    ],
)
def test_options_that_sarkar_does_not_have_get_a_sentence(more, sentence, tmp_path):
    with pytest.raises(ValueError, match=sentence):
        EmbedOptions("e.txt", tmp_path, **more)


def test_edges_beyond_the_range_of_float64_are_refused(binary, tmp_path):
    options = EmbedOptions(str(binary), tmp_path / "o", dim=2, method="sarkar", distortion=0.001)
    with pytest.raises(ValueError, match="where float64 overflows; expected at most 300"):
        embed(options)
