"""A tree's layout: edges of one length, wedges of siblings disjoint, no edge crosses another."""

import math
from itertools import pairwise

import networkx as nx
import numpy as np
import pytest
import torch

from spaceforms.manifolds import Klein, PoincareBall, convert
from spaceforms.plotting import tree_layout

BALL = PoincareBall(-1.0)


def _random(count, seed, preference=0.0):
    """Parents of a random tree, later nodes below earlier ones."""
    draw = np.random.default_rng(seed)
    return [-1, *(int(draw.integers(int(preference * k), k)) for k in range(1, count))]


TREES = {
    "one": [-1],
    "star": [-1] + [0] * 12,
    "chain": [-1, *range(11)],
    "chain, then a star": [-1, 0, 1, 2] + [3] * 9,
    "binary": [-1] + [(k - 1) // 2 for k in range(1, 63)],
    "random": _random(80, 0),
    "deep": _random(60, 1, 0.7),
    "forest": [-1, -1, 0, 0, 1, -1, 5, 5, 5],
    "heavy child": [-1, 0, 0] + [2] * 20,
}
OPTIONS = [{}, {"edge": 0.3}, {"edge": 0.9}, {"reach": 6.0}]
each_tree = pytest.mark.parametrize("name", TREES)


def _crossing(p, q, r, s):
    """Whether two segments of the Klein disk, so two geodesics, cross inside of both."""

    def side(a, b, c):
        return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])

    first, second = side(p, q, r) * side(p, q, s), side(r, s, p) * side(r, s, q)
    return first < -1e-18 and second < -1e-18


@each_tree
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_every_edge_has_the_length_and_none_crosses_another(name, options):
    parent = torch.tensor(TREES[name])
    found = tree_layout(parent, **options)
    below = (parent >= 0).nonzero().squeeze(-1)
    lengths = BALL.dist(found.points[parent[below]], found.points[below])
    # In the disk a point at the distance r is known to u cosh^2(r/2) in distance.
    bound = 64 * 2.3e-16 * math.cosh(found.edge * (float(found.level.max()) + 1)) ** 2
    torch.testing.assert_close(lengths, torch.full_like(lengths, found.edge), rtol=0, atol=bound)
    flat = convert(found.points, BALL, Klein(-1.0)).numpy()  # where geodesics are straight
    edges = [(int(parent[k]), int(k)) for k in below]
    crossed = [
        (e, f)
        for i, e in enumerate(edges)
        for f in edges[:i]
        if not set(e) & set(f) and _crossing(flat[e[0]], flat[e[1]], flat[f[0]], flat[f[1]])
    ]
    assert crossed == []


@each_tree
def test_a_subtree_stays_in_its_wedge_and_wedges_of_siblings_are_disjoint(name):
    parent = TREES[name]
    found = tree_layout(parent)
    graph = nx.DiGraph([(p, k) for k, p in enumerate(parent) if p >= 0])
    graph.add_nodes_from(range(len(parent)))
    begin, end = found.arcs.numpy().T
    assert (begin < end + 1e-12).all()
    for node in graph:
        children = sorted(graph.successors(node), key=lambda k: begin[k])
        for child in children:
            # Inside the parent's arc, and one after the other around it.
            assert begin[node] - 1e-9 <= begin[child]
            assert end[child] <= end[node] + 1e-9
        for one, other in pairwise(children):
            assert end[one] <= begin[other] + 1e-9
        if parent[node] < 0 and children:
            continue
        # The wedge of geodesic rays from the node to its arc holds all that is below: seen from the
        # node, by an isometry, a descendant is between the two ends of the arc.
        z = torch.complex(*found.points.T).numpy()

        def seen(w, centre=z[node]):
            return (w - centre) / (1 - centre.conj() * w)

        low = seen(np.exp(1j * begin[node]))
        width = np.angle(seen(np.exp(1j * end[node])) / low) % (2 * math.pi)
        for other in nx.descendants(graph, node):
            turn = np.angle(seen(z[other]) / low) % (2 * math.pi)
            assert turn <= width + 1e-9


def test_the_rim_is_shared_by_leaves_or_by_weights():
    parent = [-1, 0, 0, 0, 1, 1, 1, 2, 3, 3]
    arcs = tree_layout(parent, edge=0.5).arcs
    width = (arcs[:, 1] - arcs[:, 0]) / (2 * math.pi)
    assert width[1:4].tolist() == pytest.approx([3 / 6, 1 / 6, 2 / 6])
    assert width[4:].tolist() == pytest.approx([1 / 6] * 6)
    weighted = tree_layout(parent, edge=0.5, weights=[9, 9, 9, 9, 1, 1, 1, 4, 2, 1]).arcs
    width = (weighted[:, 1] - weighted[:, 0]) / (2 * math.pi)
    assert width[1:4].tolist() == pytest.approx([3 / 10, 4 / 10, 3 / 10])
    # What would open wider than 150 degrees to either side is kept to that.
    heavy = tree_layout([-1, 0, 0] + [1] * 30, edge=0.5)
    z = torch.complex(*heavy.points.T)[1]
    ends = torch.polar(torch.ones(2).double(), heavy.arcs[1])
    seen = (ends - z) / (1 - z.conj() * ends)
    away = (seen / (z / z.abs())).angle().abs()
    torch.testing.assert_close(away, torch.full_like(away, 5 / 6 * math.pi))


def test_children_go_clockwise_from_the_top_and_the_root_is_in_the_middle():
    found = tree_layout([-1, 0, 0, 0, 0])
    assert found.points[0].tolist() == [0, 0]
    angles = torch.atan2(found.points[1:, 1], found.points[1:, 0])
    expected = torch.tensor([math.pi / 4, -math.pi / 4, -3 * math.pi / 4, 3 * math.pi / 4])
    torch.testing.assert_close(angles, expected.double())
    assert found.edge == 1.5  # the longest that nobody asked for
    forest = tree_layout([-1, -1])
    assert forest.points.norm(dim=-1).tolist() == pytest.approx([math.tanh(forest.edge / 2)] * 2)
    assert found.level.tolist() == [0, 1, 1, 1, 1]


def test_the_same_tree_is_placed_the_same():
    first, second = (tree_layout(_random(500, 3)) for _ in range(2))
    assert torch.equal(first.points, second.points)


@pytest.mark.parametrize(
    ("parent", "options", "sentence"),
    [
        ([], {}, "parent holds 0 numbers; expected at least one"),
        ([-1, 5], {}, "parent holds 2 numbers from -1 to 5; expected at least one, each from -1"),
        (
            [[0, 1], [0, 2]],
            {},
            r"parent has shape \(2, 2\); expected N numbers, the parent of each",
        ),
        ([("a", "b")], {}, r"parent has shape \(1, 2\); .* Pairs \(parent, child\) are what draw"),
        ([1, 0], {}, "2 nodes have no root above them, as node 0: there is a cycle"),
        ([-1, 2, 1], {}, "2 nodes have no root above them, as node 1"),
        ([-1, 0], {"edge": 0.0}, r"edge is 0\.0, with 1 levels a radius of 0; expected a positive"),
        ([-1, 0, 1], {"edge": 9.0}, r"edge is 9\.0, with 2 levels a radius of 18"),
        ([-1, 0], {"reach": 99.0}, r"reach is 99\.0; expected a positive distance up to 15"),
        ([-1, 0], {"weights": [1.0]}, "weights are 1 numbers for 2 nodes"),
        ([-1, 0], {"weights": [1.0, -1.0]}, "weights are 2 numbers for 2 nodes, the least -1"),
    ],
)
def test_refusals_are_sentences(parent, options, sentence):
    with pytest.raises(ValueError, match=rf"plotting\.tree_layout: {sentence}"):
        tree_layout(parent, **options)
