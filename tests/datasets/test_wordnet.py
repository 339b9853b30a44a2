"""The WordNet files have the counts of Nickel and Kiela (NeurIPS 2017)."""

from pathlib import Path

import numpy as np
import pytest

from spaceforms.datasets import Taxonomy, load_mammals, load_wordnet_nouns
from spaceforms.losses import Hierarchy


def test_nouns() -> None:
    nouns = load_wordnet_nouns()
    assert len(nouns.names) == len(set(nouns.names)) == 82_115
    assert len(nouns.edges) == 84_427
    assert len(nouns.closure()) == 743_241


def test_mammals() -> None:
    mammals = load_mammals()
    closure = mammals.closure()
    assert len(mammals.names) == 1182
    assert len(closure) == 6542
    pairs = {(mammals.names[a], mammals.names[b]) for a, b in closure}
    assert ("dog.n.01", "carnivore.n.01") in pairs
    assert ("carnivore.n.01", "dog.n.01") not in pairs


def test_the_mammals_of_published_tables() -> None:
    published, every = load_mammals(published=True), load_mammals()
    assert len(published.names) == 1180
    assert len(published.closure()) == 6540
    assert set(every.names) - set(published.names) == {"tusker.n.01", "female_mammal.n.01"}


def test_what_lies_below_a_noun_is_a_taxonomy_with_the_same_edges() -> None:
    mammals = load_mammals()
    found = load_wordnet_nouns().below("mammal.n.01")
    assert sorted(found.names) == sorted(mammals.names)
    one, other = ({(t.names[a], t.names[b]) for a, b in t.edges.tolist()} for t in (found, mammals))
    assert one == other
    with pytest.raises(ValueError, match="name is 'unicorn'; expected that of a node"):
        mammals.below("unicorn")


def test_several_parents_count_once() -> None:
    diamond = Taxonomy(("a", "b", "c", "d"), np.array([[3, 1], [3, 2], [1, 0], [2, 0]]))
    assert diamond.closure().tolist() == [[1, 0], [2, 0], [3, 0], [3, 1], [3, 2]]


@pytest.mark.parametrize("edges", [[[0, 1], [1, 0]], [[0, 0]], [[0, 1], [1, 2], [2, 1]]])
def test_a_cycle_gets_a_sentence(edges: list[list[int]]) -> None:
    with pytest.raises(ValueError, match="lies above itself"):
        Taxonomy(("a", "b", "c"), np.array(edges)).closure()


def test_bad_files_get_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "x.tsv").write_text("a\tb\nc\n")
    with pytest.raises(ValueError, match=r"x.tsv: line 2: expected child<tab>parent"):
        load_mammals(tmp_path / "x.tsv")
    np.savez(tmp_path / "x.npz", edges=np.zeros((1, 2)))
    with pytest.raises(ValueError, match=r"x.npz: expected the arrays names, edges; names missing"):
        load_wordnet_nouns(tmp_path / "x.npz")


def test_the_ends_of_edges_are_named_and_none_is_taken_for_the_other() -> None:
    mammals = load_mammals()
    names = mammals.names
    upper = [names[k] for k in mammals.parent]
    assert "mammal.n.01" in upper
    assert "mammal.n.01" not in [names[k] for k in mammals.child]
    with pytest.raises(TypeError, match="positional"):
        Hierarchy(*mammals.edges.T)
    tree = Hierarchy(parent=mammals.parent, child=mammals.child)
    assert tree.depth[names.index("mammal.n.01")] == 0


def test_edges_that_are_none_get_a_sentence(tmp_path: Path) -> None:
    names = np.frombuffer(b"a\nb", np.uint8)
    for edges in (np.zeros(3, np.int64), np.zeros((2, 2)), np.full((1, 2), 7), np.full((1, 2), -1)):
        np.savez(tmp_path / "x.npz", names=names, edges=edges)
        with pytest.raises(ValueError, match=r"x.npz: (expected edges|edges must lie in 0..1)"):
            load_wordnet_nouns(tmp_path / "x.npz")
