"""Gromov's delta against all quadruples, graphs whose delta is known, and its own bounds."""

import itertools

import networkx as nx
import pytest
import torch
from cases import points

from spaceforms.manifolds import Euclidean, Lorentz, PoincareBall
from spaceforms.stats import delta_hyperbolicity

F64 = torch.float64
EPS = torch.finfo(F64).eps


def steps(graph):
    """Shortest ways of a graph, (n, n)."""
    nodes = list(graph)
    found = dict(nx.all_pairs_shortest_path_length(graph))
    return torch.tensor([[float(found[a][b]) for b in nodes] for a in nodes], dtype=F64)


def by_definition(table):
    """The largest delta of all quadruples, and their mean."""
    t, each = table.tolist(), []
    for a, b, c, d in itertools.combinations(range(len(t)), 4):
        sums = sorted((t[a][b] + t[c][d], t[a][c] + t[b][d], t[a][d] + t[b][c]))
        each.append((sums[2] - sums[1]) / 2)
    return max(each), sum(each) / len(each)


def connected(nodes, share, seed):
    graph = nx.gnp_random_graph(nodes, share, seed=seed)
    return graph.subgraph(max(nx.connected_components(graph), key=len))


@pytest.mark.parametrize("seed", range(8))
def test_of_a_graph_it_is_that_of_all_quadruples(seed):
    table = steps(connected(18, 0.17, seed))
    found = delta_hyperbolicity(table)
    exact, mean = by_definition(table)
    assert (found.delta, found.exact) == (exact, True)
    low, high = found.interval
    # The interval holds in 95 % of draws; three times as wide in all but one of 10^8.
    assert abs(mean - found.mean) <= 3 * (high - low) / 2


@pytest.mark.parametrize("seed", range(4))
def test_of_points_it_is_that_of_all_quadruples(seed):
    x = points(Lorentz(), 14, 3, seed=seed)
    table = Lorentz().cdist(x, x)
    found = delta_hyperbolicity(x, manifold=Lorentz())
    assert found.exact
    rounding = 8 * EPS * float(table.max())
    assert found.delta == pytest.approx(by_definition(table)[0], abs=rounding)
    assert found.diameter == pytest.approx(float(table.max()), abs=rounding)
    assert found.relative == 2 * found.delta / found.diameter
    of_table = delta_hyperbolicity(table)
    assert of_table.delta == pytest.approx(found.delta, abs=rounding)
    assert delta_hyperbolicity(lambda i: table[i], count=14) == of_table


@pytest.mark.parametrize("nodes", range(4, 24))
def test_a_cycle_has_a_quarter_of_its_nodes(nodes):
    # Half less than its floor where one is left over, e.g. C5: 1/2 (Gromov 1987).
    quarter, rest = divmod(nodes, 4)
    found = delta_hyperbolicity(steps(nx.cycle_graph(nodes)))
    assert (found.delta, found.exact) == (quarter - 0.5 * (rest == 1), True)


@pytest.mark.parametrize("side", [2, 3, 7])
def test_a_square_grid_has_one_less_than_its_side(side):
    found = delta_hyperbolicity(steps(nx.grid_2d_graph(side, side)))
    assert (found.delta, found.relative, found.exact) == (side - 1, 1.0, True)


def test_a_tree_has_none_also_with_lengths_and_without_its_inner_nodes():
    tree = nx.random_labeled_tree(300, seed=2)
    table = steps(tree)
    assert delta_hyperbolicity(table) == delta_hyperbolicity(table, budget=1)
    assert (delta_hyperbolicity(table).delta, delta_hyperbolicity(table).exact) == (0.0, True)
    leaves = torch.tensor([node for node in tree if tree.degree(node) == 1])
    found = delta_hyperbolicity(table[leaves][:, leaves])
    assert (found.delta, found.upper) == (0.0, 0.0)
    generator = torch.Generator().manual_seed(0)
    small = nx.random_labeled_tree(60, seed=2)
    for _, _, edge in small.edges(data=True):
        edge["weight"] = 0.1 + float(torch.rand((), generator=generator, dtype=F64))
    found = delta_hyperbolicity(torch.tensor(nx.floyd_warshall_numpy(small)))
    assert found.delta <= 8 * EPS * found.diameter
    assert found.upper <= 32 * EPS * found.diameter


def test_what_hangs_on_a_graph_changes_nothing():
    cycle = nx.cycle_graph(9)
    bare = delta_hyperbolicity(steps(cycle)).delta
    for node in range(60):  # a tree that grows from a node of the cycle
        cycle.add_edge(1000 + node, 1000 + (node - 1) // 2 if node else 4)
    assert delta_hyperbolicity(steps(cycle)).delta == bare == 1.5


def test_the_hyperbolic_plane_stays_below_the_logarithm_of_two():
    # At K = -1; the bound is reached by quadruples at infinity.
    x = points(PoincareBall(), 60, 2, seed=1, spread=3.0)
    found = delta_hyperbolicity(x, manifold=PoincareBall())
    assert 0.3 < found.delta < 0.6931471805599454
    four = PoincareBall().from_normal(12 * torch.tensor([[1.0, 0], [0, 1], [-1, 0], [0, -1]]))
    # In float64: the ball's edge rounds a distance r from the origin to eps e^r.
    square = delta_hyperbolicity(four.double(), manifold=PoincareBall())
    assert square.delta == pytest.approx(0.6931471805599453, abs=1e-3)


def test_delta_has_the_scale_of_the_distances():
    x = points(Euclidean(), 20, 3, seed=0)
    one, four = (delta_hyperbolicity(k * x, manifold=Euclidean()) for k in (1, 4))
    assert four.delta == 4 * one.delta
    assert four.relative == one.relative


def test_without_the_time_bounds_hold_what_all_of_it_finds():
    x = points(Euclidean(), 120, 3, seed=0)
    exact = delta_hyperbolicity(x, manifold=Euclidean())
    assert exact.exact
    widths = []
    for budget in (1, 10**5, 10**6, 10**7):
        part = delta_hyperbolicity(x, manifold=Euclidean(), budget=budget)
        assert part.delta <= exact.delta <= part.upper
        assert part.quadruples <= exact.quadruples
        widths.append(part.upper - part.delta)
    assert widths == sorted(widths, reverse=True)
    assert widths[0] > 0


def test_a_sample_of_points_finds_no_more_than_all_and_says_so():
    table = steps(nx.cycle_graph(101))
    found = delta_hyperbolicity(table, max_points=30)
    assert found.points == 30
    assert not found.exact
    assert 15 < found.delta <= 25.0 <= found.upper
    assert found.diameter == 50


@pytest.mark.parametrize("count", [1, 2, 3])
def test_fewer_than_four_points_have_none(count):
    found = delta_hyperbolicity(torch.rand(count, 2), manifold=Euclidean())
    assert (found.delta, found.upper, found.mean, found.exact) == (0, 0, 0, True)


def test_points_that_coincide_are_one():
    x = points(Euclidean(), 8, 2, seed=0)
    table = torch.cdist(x, x, compute_mode="donot_use_mm_for_euclid_dist")
    twice = torch.arange(8).repeat(3)
    found = delta_hyperbolicity(table[twice][:, twice])
    assert found.delta == pytest.approx(delta_hyperbolicity(table).delta, abs=4 * EPS)
    assert delta_hyperbolicity(torch.zeros(5, 5)).relative == 0.0


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_table_by_matrix_products_is_one_of_distances(dtype):
    x = torch.randn(40, 5, generator=torch.Generator().manual_seed(0), dtype=dtype)
    table = torch.cdist(x, x, compute_mode="use_mm_for_euclid_dist")
    assert table.diagonal().max() > 0  # the root of rounding
    exact = delta_hyperbolicity(x.double(), manifold=Euclidean())
    slack = 8 * torch.finfo(dtype).eps ** 0.5 * float(table.max())
    assert delta_hyperbolicity(table).delta == pytest.approx(exact.delta, abs=slack)


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        (torch.zeros(3, 4), r"distances has shape \(3, 4\); expected a square table"),
        (torch.full((4, 4), torch.inf), "holds infinite ones; expected finite distances"),
        (torch.full((4, 4), torch.nan), "holds NaN; expected finite distances"),
        (-torch.ones(4, 4), "holds -1; expected no distance below 0"),
        (torch.ones(4, 4), "is no table of distances; expected a symmetric one"),
        (torch.ones(4, 4).triu(1), "is no table of distances; expected a symmetric one"),
    ],
)
def test_what_is_no_table_of_distances_gets_a_sentence(table, sentence):
    with pytest.raises(ValueError, match=sentence):
        delta_hyperbolicity(table)


def test_a_function_needs_a_count_and_gives_rows():
    with pytest.raises(ValueError, match="count is None; expected n where distances is a function"):
        delta_hyperbolicity(lambda i: i)
    with pytest.raises(ValueError, match=r"distances gives \(4,\) for 4 indices; expected"):
        delta_hyperbolicity(lambda i: i.double(), count=4)
    with pytest.raises(ValueError, match="distances gives NaN"):
        delta_hyperbolicity(lambda i: torch.full((len(i), 4), torch.nan), count=4)
