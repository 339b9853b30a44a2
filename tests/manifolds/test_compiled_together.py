"""Several manifolds compiled in one process: none of them falls back to eager without a word."""

import inspect

import pytest
import torch

from spaceforms.manifolds import Lorentz, PoincareBall, Sphere

SPACES = (Lorentz(-0.7), Lorentz(-0.2), PoincareBall(-0.7), Sphere(1.3))
SHAPES = ((3, 4), (5, 4), (2, 3, 4), (7, 6))


def _graphs(**options):
    """How many graphs each manifold's distance is, over all shapes; the values are checked."""
    torch.compiler.reset()
    made, found = [], []

    def backend(graph, _):
        made.append(graph)
        return graph.forward

    for space in SPACES:
        before, compiled = len(made), torch.compile(space.dist, backend=backend, **options)
        for shape in SHAPES:
            v = torch.randn(*shape, generator=torch.Generator().manual_seed(0))
            x = space.from_normal(v / v.norm(dim=-1, keepdim=True)).detach()
            assert torch.equal(compiled(x, x.flip(0)), space.dist(x, x.flip(0)))
        found.append(len(made) - before)
    torch.compiler.reset()
    return found


@pytest.mark.slow
@pytest.mark.skipif(
    "isolate_recompiles" not in inspect.signature(torch.compile).parameters,
    reason="torch.compile has no isolate_recompiles",
)
def test_each_manifold_has_graphs_of_its_own_where_recompilations_are_isolated():
    """For the first shape, for others of as many axes, for three axes; the number of coordinates
    may take one more."""
    found = _graphs(isolate_recompiles=True, fullgraph=True)
    assert all(2 <= n <= 4 for n in found), found


@pytest.mark.slow
def test_the_compiler_counts_all_manifolds_together_and_says_so_under_fullgraph():
    """As the words of Manifold say: no ninth graph, and an error in place of silence."""
    with pytest.raises(Exception, match=r"fullgraph=True|recompile_limit"):
        _graphs(fullgraph=True)
    torch.compiler.reset()
