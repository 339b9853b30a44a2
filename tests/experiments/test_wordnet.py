"""The WordNet task: what is asked and what is shown, and figures of points that are known."""

import numpy as np
import pytest
import torch
import wordnet

from spaceforms.datasets import load_mammals
from spaceforms.models.graphs.edges import Graph
from spaceforms.models.graphs.relation import relation_of


@pytest.fixture(scope="module")
def mammals():
    t = load_mammals(published=True)
    return Graph(t.names, t.parent, t.child, np.ones(len(t.edges)))


def _set(relation):
    return {tuple(pair) for pair in relation.pairs.tolist()}


def test_hidden_pairs_are_no_direct_edges_and_are_asked_for_once(mammals):
    every = relation_of(mammals, closure=True)
    direct = {*zip(mammals.child.tolist(), mammals.parent.tolist(), strict=True)}
    shown, test = wordnet.parted(mammals, every, seed=3, choosing=False)
    same, chosen = wordnet.parted(mammals, every, seed=3, choosing=True)
    assert _set(shown) == _set(same) >= direct
    assert _set(shown) | _set(test) | _set(chosen) == _set(every)
    assert len(shown.pairs) + len(test.pairs) + len(chosen.pairs) == len(every.pairs) == 6540
    assert len(chosen.pairs) == round(0.2 * (len(test.pairs) + len(chosen.pairs)))
    assert _set(wordnet.parted(mammals, every, seed=4, choosing=False)[1]) != _set(test)


def test_what_is_known_is_no_candidate(mammals):
    """A cost by which every known ancestor is nearest leaves the hidden ones first."""
    every = relation_of(mammals, closure=True)
    _, asked = wordnet.parted(mammals, every, seed=0, choosing=False)
    apart = wordnet.known(every, asked)
    hidden = torch.zeros_like(apart)
    hidden[asked.pairs[:, 0], asked.pairs[:, 1]] = True
    assert not (apart & hidden).any()
    assert int((apart | hidden).sum()) == len(every.pairs)
    nodes = (asked.starts[1:] > asked.starts[:-1]).nonzero().squeeze(-1)

    def cost(block):
        return torch.ones(len(block), every.nodes, dtype=torch.float64) - (
            2.0 * apart[block] + 1.0 * hidden[block]
        )

    found = wordnet.reconstruction(asked, nodes, wordnet.without(cost, apart))
    assert (found.map, found.mean_rank) == (1.0, 1.0)
    assert wordnet.reconstruction(asked, nodes, cost).mean_rank > 1


def test_a_short_run_has_all_figures_and_as_many_numbers_as_asked_for(monkeypatch):
    tree = load_mammals().below("carnivore.n.01")
    monkeypatch.setattr(wordnet, "tree", lambda *, choosing: tree)
    found = wordnet.figures(
        wordnet.Options("reconstruction", "euclidean", 3, seed=0, bias=True, steps=13)
    )
    assert found["numbers"] == 3
    assert 0 < found["MAP, tree metric"] < found["MAP, popularity"] < 1
    assert 0 < found["MAP"] < 1
    assert found["MAP, less popularity"] == found["MAP"] - found["MAP, popularity"]
    with pytest.raises(ValueError, match="task is 'links'"):
        wordnet.Options("links", "sphere", 2, 0)
