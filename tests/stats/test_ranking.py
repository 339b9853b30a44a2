"""Mean rank and mean average precision against their definition in loops."""

import networkx as nx
import pytest
import torch
from cases import points

from spaceforms.manifolds import Euclidean, Lorentz
from spaceforms.stats import (
    _rows,
    mean_average_precision,
    mean_rank,
    reconstruction,
    related_ranks,
)

F64 = torch.float64


def by_definition(table, pairs, of=None):
    """MAP and mean rank in loops; ties half."""
    precisions, ranks = [], []
    for u in range(len(table)) if of is None else of:
        related = [v for a, v in pairs if a == u]
        others = [v for v in range(len(table)) if v != u and v not in related]
        own = []
        for i, d in enumerate(sorted(table[u][v] for v in related), 1):
            wrong = sum((table[u][v] < d) + (table[u][v] == d) / 2 for v in others)
            ranks.append(1 + wrong)
            own.append(i / (i + wrong))
        if own:
            precisions.append(sum(own) / len(own))
    return sum(precisions) / len(precisions), sum(ranks) / len(ranks)


def some_pairs(count, size, seed=0):
    generator = torch.Generator().manual_seed(seed)
    pairs = torch.randint(count, (size, 2), generator=generator).unique(dim=0)
    return pairs[pairs[:, 0] != pairs[:, 1]]


@pytest.mark.parametrize("values", [3, 10**6])  # many ties, hardly any
@pytest.mark.parametrize("rows", [1, 7, 1000])  # in a block
def test_both_are_those_of_the_definition_in_blocks_of_any_size(values, rows, monkeypatch):
    table = torch.randint(values, (25, 25), generator=torch.Generator().manual_seed(1)).double()
    pairs = some_pairs(25, 60)
    monkeypatch.setattr(_rows, "CELLS", 25 * rows)
    expected = by_definition(table.tolist(), pairs.tolist())
    assert reconstruction(table, pairs) == pytest.approx(expected, rel=1e-12, abs=0)
    assert mean_average_precision(table, pairs) == pytest.approx(expected[0], rel=1e-12, abs=0)
    assert mean_rank(table, pairs.flip(0)) == pytest.approx(expected[1], rel=1e-12, abs=0)
    chosen = pairs[:, 0].unique()[::3]
    expected = by_definition(table.tolist(), pairs.tolist(), chosen.tolist())
    assert reconstruction(table, pairs, points=chosen) == pytest.approx(expected, rel=1e-12, abs=0)
    ranks = related_ranks(table, pairs, points=chosen)
    each = [by_definition(table.tolist(), pairs.tolist(), [u])[1] for u in chosen.tolist()]
    parts = ranks.split([int((pairs[:, 0] == u).sum()) for u in chosen])
    assert [float(part.mean()) for part in parts] == pytest.approx(each, rel=1e-12, abs=0)
    assert all((part.diff() >= 0).all() for part in parts)


def test_points_and_rows_give_what_their_table_does():
    x, pairs = points(Lorentz(), 20, 3, seed=0), some_pairs(20, 40)
    table = Lorentz().cdist(x, x)
    found = reconstruction(x, pairs, manifold=Lorentz())
    assert found == reconstruction(table, pairs)
    assert found == reconstruction(lambda i: table[i], pairs, count=20)


def test_the_neighbours_of_a_path_are_found_along_a_line():
    line = torch.arange(12.0)[:, None]
    path = torch.tensor(list(nx.path_graph(12).edges()))
    both = torch.cat([path, path.flip(1)])
    assert reconstruction(line, both, manifold=Euclidean()) == (1.0, 1.0)


def test_no_table_of_all_pairs_is_made():
    count, largest = 20_000, 0

    def rows(index):
        nonlocal largest
        largest = max(largest, len(index))
        return (index[:, None] - torch.arange(count)).abs()

    pairs = torch.stack([torch.arange(0, 400, 2), torch.arange(1, 401, 2)], dim=1)
    assert reconstruction(rows, pairs, count=count).mean_rank == pytest.approx(1.4975)
    assert 1 < largest * count <= _rows.CELLS


@pytest.mark.parametrize(
    ("pairs", "sentence"),
    [
        (torch.zeros(0, 2, dtype=torch.int64), r"pairs has shape \(0, 2\); expected \(P, 2\), P"),
        (torch.tensor([[0, 4]]), "indices from 0 to 4; expected them from 0 to 3"),
        (torch.tensor([[0, -1]]), "indices from -1 to 0; expected them from 0 to 3"),
        (torch.tensor([[1, 1]]), "pairs has one of a point and itself"),
        (torch.tensor([[0, 1], [0, 1]]), "pairs has one that comes twice"),
    ],
)
def test_pairs_that_are_none_get_a_sentence(pairs, sentence):
    with pytest.raises(ValueError, match=sentence):
        reconstruction(torch.rand(4, 4), pairs)


def test_points_without_a_related_one_are_refused():
    pairs = torch.tensor([[0, 1]])
    with pytest.raises(ValueError, match="points has one without a pair"):
        reconstruction(torch.rand(4, 4), pairs, points=torch.tensor([1]))
    with pytest.raises(ValueError, match="points has indices from 7 to 7; expected them from 0"):
        reconstruction(torch.rand(4, 4), pairs, points=torch.tensor([7]))
