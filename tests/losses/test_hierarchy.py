"""Closures against powers of the adjacency matrix, negatives against counting, and embeddings."""

from itertools import pairwise

import geoopt
import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st

from spaceforms.datasets import load_mammals
from spaceforms.losses import Hierarchy, entailment, entailment_ranking
from spaceforms.manifolds import Euclidean, Lorentz, PoincareBall, as_geoopt

F64 = torch.float64


@st.composite
def edges(draw, most=9):
    """Nodes under random names, and edges down a random order: always a DAG."""
    nodes = draw(st.integers(1, most))
    names = draw(st.permutations(range(nodes)))
    every = [(i, j) for i in range(nodes) for j in range(i + 1, nodes)]
    some = draw(st.lists(st.sampled_from(every), max_size=14)) if every else []
    return nodes, [(names[i], names[j]) for i, j in some]


def _built(nodes, pairs):
    return Hierarchy(parent=[p for p, _ in pairs], child=[c for _, c in pairs], nodes=nodes)


@settings(max_examples=60, derandomize=True)
@given(edges())
def test_the_closure_is_that_of_the_powers_of_the_adjacency_matrix(drawn):
    nodes, pairs = drawn
    tree = _built(nodes, pairs)
    step = np.zeros((nodes, nodes), dtype=int)
    for p, c in pairs:
        step[p, c] = 1
    power, distance, depth = np.eye(nodes, dtype=int), {}, np.zeros(nodes, dtype=int)
    for length in range(1, nodes + 1):
        power = np.minimum(power @ step, 1)
        for a, c in zip(*power.nonzero(), strict=True):
            distance.setdefault((int(a), int(c)), length)
        depth[power.any(0)] = length
    assert [tuple(row) for row in tree.pairs.tolist()] == sorted(distance)
    assert tree.distance.tolist() == [distance[row] for row in sorted(distance)]
    assert tree.depth.tolist() == depth.tolist()
    every = torch.arange(nodes)
    table = tree.contains(every[:, None], every)
    assert table.nonzero().tolist() == tree.pairs.tolist()


def test_the_closure_of_the_mammals_is_that_of_the_data_room():
    mammals = load_mammals()
    tree = Hierarchy(parent=mammals.parent, child=mammals.child)
    own = sorted((up, node) for node, up in mammals.closure().tolist())
    assert [tuple(row) for row in tree.pairs.tolist()] == own
    assert int((tree.distance == 1).sum()) == len(mammals.edges)
    assert "1182 nodes, 6542 pairs" in repr(tree)


@settings(max_examples=60, derandomize=True)
@given(edges(), st.sampled_from(["either", "parent", "child"]), st.integers(0, 2**31))
def test_negatives_keep_an_end_and_are_not_in_the_closure(drawn, corrupt, seed):
    nodes, pairs = drawn
    tree = _built(nodes, pairs)
    known = {tuple(row) for row in tree.pairs.tolist()}

    def candidates(p, c):
        """What each corruption may give, written out."""
        child = {(p, w) for w in range(nodes) if w != p and (p, w) not in known}
        parent = {(w, c) for w in range(nodes) if w != c and (w, c) not in known}
        return {"child": child, "parent": parent, "either": child | parent}[corrupt]

    some = [row for row in sorted(known) if candidates(*row)]
    if some:
        generator = torch.Generator().manual_seed(seed)
        drawn_pairs = tree.negatives(torch.tensor(some), 6, corrupt=corrupt, generator=generator)
        assert drawn_pairs.shape == (len(some), 6, 2)
        for row, several in zip(some, drawn_pairs.tolist(), strict=True):
            assert {tuple(pair) for pair in several} <= candidates(*row)
    none = sorted(known - set(some))
    if none:
        with pytest.raises(ValueError, match=rf"the pair \({none[0][0]}, {none[0][1]}\) has no"):
            tree.negatives(torch.tensor(none[:1]), 6, corrupt=corrupt)


def test_negatives_are_uniform():
    #      0        The pair (1, 4): its parent 1 has 4 below it, so 0, 2, 3 and 5 are no children;
    #    1 2 3      its child has 0 and 1 above, so 2, 3 and 5 are no parents.
    #    4   5
    tree = Hierarchy(parent=[0, 0, 0, 1, 3], child=[1, 2, 3, 4, 5])
    generator = torch.Generator().manual_seed(0)
    count = 40_000
    pair = torch.tensor([[1, 4]])
    for corrupt, end, wanted in (("child", 1, [0, 2, 3, 5]), ("parent", 0, [2, 3, 5])):
        drawn = tree.negatives(pair, count, corrupt=corrupt, generator=generator)[0]
        assert (drawn[:, 1 - end] == pair[0, 1 - end]).all()
        seen = torch.bincount(drawn[:, end], minlength=6)
        assert seen.nonzero().flatten().tolist() == wanted
        share = 1 / len(wanted)
        sigma = (count * share * (1 - share)) ** 0.5
        assert ((seen[wanted] - count * share).abs() < 5 * sigma).all()
    drawn = tree.negatives(pair, count, generator=generator)[0]
    kept = int((drawn[:, 0] == 1).sum())
    assert abs(kept - count / 2) < 5 * (count / 4) ** 0.5
    # The root is above all: only the other end can be replaced.
    drawn = tree.negatives(torch.tensor([[0, 4]]), 100, generator=generator)[0]
    assert (drawn[:, 1] == 4).all()


@settings(max_examples=40, derandomize=True)
@given(edges(most=7), st.integers(0, 2**31))
def test_a_cycle_is_named(drawn, seed):
    nodes, pairs = drawn
    tree = _built(nodes, pairs)
    back = tree.pairs.tolist() + [[k, k] for k in range(nodes)]
    a, c = back[seed % len(back)]
    with pytest.raises(ValueError, match="is a cycle") as error:
        _built(nodes, [*pairs, (c, a)])
    named = [int(k) for k in str(error.value).split(": ")[1].split(" is ")[0].split(" -> ")]
    assert named[0] == named[-1]
    assert set(pairwise(named)) <= {*pairs, (c, a)}


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: Hierarchy(parent=[0, 1], child=[1]), r"parent has 2 entries and child has 1"),
        (lambda: Hierarchy(parent=[0], child=[3], nodes=3), r"run from 0 to 3; expected 0 to 2"),
        (lambda: Hierarchy(parent=[-1], child=[1]), r"run from -1 to 1; expected 0 to 1"),
        (
            lambda: Hierarchy(parent=[0.5], child=[1]),
            r"parent has shape \(1,\) and dtype torch.float32",
        ),
        (lambda: Hierarchy(parent=[[0, 1]], child=[1]), r"parent has shape \(1, 2\)"),
        (lambda: Hierarchy(parent=[], child=[], nodes=-1), r"nodes is -1; expected an integer"),
        (
            lambda: Hierarchy(parent=[0], child=[1]).negatives(torch.tensor([0, 1]), 1),
            r"pairs have shape \(2,\)",
        ),
        (
            lambda: Hierarchy(parent=[0], child=[1]).negatives(torch.tensor([[0, 1]]), 0),
            r"count is 0",
        ),
        (
            lambda: Hierarchy(parent=[0], child=[1]).negatives(torch.tensor([[0, 2]]), 1),
            r"pairs have indices from 0 to 2; expected 0 to 1",
        ),
        (
            lambda: Hierarchy(parent=[0], child=[1]).negatives(
                torch.tensor([[0, 1]]), 1, corrupt="both"
            ),
            r"corrupt is 'both'; expected one of either, parent, child",
        ),
    ],
)
def test_refusals_are_sentences(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()


def test_without_edges_there_are_no_pairs():
    tree = Hierarchy(parent=[], child=[], nodes=3)
    assert tree.pairs.shape == (0, 2)
    assert tree.depth.tolist() == [0, 0, 0]
    assert not tree.contains(torch.tensor([0]), torch.tensor([1])).any()
    assert tree.negatives(tree.pairs, 2).shape == (0, 2, 2)


# -- embeddings ------------------------------------------------------------------------------------


def _felines():
    """feline.n.01 and its 59 descendants."""
    mammals = load_mammals()
    whole = Hierarchy(parent=mammals.parent, child=mammals.child)
    root = mammals.names.index("feline.n.01")
    kept = [root, *whole.pairs[whole.pairs[:, 0] == root, 1].tolist()]
    place = {node: k for k, node in enumerate(kept)}
    own = [(place[p], place[c]) for c, p in mammals.edges.tolist() if p in place and c in place]
    return Hierarchy(parent=[p for p, _ in own], child=[c for _, c in own])


@pytest.mark.parametrize(
    "space", [PoincareBall(), Lorentz(), pytest.param(Euclidean(), marks=pytest.mark.slow)], ids=str
)
def test_a_tree_of_sixty_nodes_is_learned(space):
    """In three dimensions, all pairs told apart from all others: F1 above 0.95, from 0.09."""
    tree = _felines()
    assert (tree.nodes, len(tree.pairs)) == (60, 169)
    generator = torch.Generator().manual_seed(0)
    start = torch.randn(60, 3, generator=generator, dtype=F64)
    start = start / start.norm(dim=-1, keepdim=True) / 2
    points = geoopt.ManifoldParameter(space.from_normal(start), manifold=as_geoopt(space))
    optimiser = geoopt.optim.RiemannianAdam([points], lr=0.05)
    p, c = tree.pairs.T
    for _ in range(200):
        wrong = tree.negatives(tree.pairs, 10, generator=generator)
        loss = entailment_ranking(
            *(points[p], points[c], points[wrong[..., 0]], points[wrong[..., 1]]),
            manifold=space,
            margin=0.3,
            hinge="softplus",
            softness=0.05,
        )
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    every, x = torch.arange(60), points.detach()
    chosen = entailment(x[:, None], x, manifold=space, reduction="none") == 0
    chosen.fill_diagonal_(False)
    truth = tree.contains(every[:, None], every)

    def f1(answer):
        return float(2 * (answer & truth).sum() / (answer.sum() + truth.sum()))

    trivial = f1(~torch.eye(60, dtype=torch.bool))
    assert trivial == pytest.approx(0.0911, abs=1e-4)
    assert f1(chosen) > 0.95
