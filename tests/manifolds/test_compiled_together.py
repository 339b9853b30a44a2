"""Several manifolds compiled in one process: none of them falls back to eager without a word."""

import inspect
import pickle
from itertools import permutations, product

import pytest
import torch

from spaceforms.manifolds import Euclidean, Lorentz, Manifold, PoincareBall, Sphere, Stereographic
from spaceforms.manifolds.own_code import give_own_code

SHAPES = ((3, 4), (5, 4), (2, 3, 4), (7, 6))


@pytest.fixture(autouse=True)
def _no_graphs_before():
    torch.compiler.reset()
    yield
    torch.compiler.reset()


def _graphs(spaces, shapes, method="dist"):
    """How many graphs a method of each manifold is, over all shapes; the values are checked."""
    made, found = [], []

    def backend(graph, _):
        made.append(graph)
        return graph.forward

    for space in spaces:
        before = len(made)
        compiled = torch.compile(getattr(space, method), backend=backend, fullgraph=True)
        for shape in shapes:
            v = torch.randn(*shape, generator=torch.Generator().manual_seed(0))
            x = space.from_normal(v / v.norm(dim=-1, keepdim=True)).detach()
            assert torch.equal(compiled(x, x.flip(0)), getattr(space, method)(x, x.flip(0)))
        found.append(len(made) - before)
    return found


def test_each_manifold_has_the_limit_of_the_compiler_for_itself():
    with torch._dynamo.config.patch(recompile_limit=2):
        found = _graphs([Lorentz(), PoincareBall(), Sphere()], SHAPES[:2])
    assert max(found) == 2, found  # once a size has changed the others are compiled for any
    assert sum(found) > 2


@pytest.mark.slow
def test_five_manifolds_and_four_shapes_stay_below_the_limit_of_the_compiler():
    """For the first shape, for others of as many axes, for three axes; the number of coordinates
    may take one more. One function for all of them would keep eight."""
    spaces = Lorentz(), PoincareBall(), Sphere(), Euclidean(), Stereographic(-1.0)
    found = _graphs(spaces, SHAPES)
    assert all(1 <= n <= 4 for n in found), found
    assert sum(found) > torch._dynamo.config.recompile_limit, found


@pytest.mark.slow
@pytest.mark.parametrize("learnable", [False, True])
def test_twelve_curvatures_take_no_graph_each(learnable):
    found = _graphs([Lorentz(-1 - i / 2, learnable=learnable) for i in range(12)], SHAPES[:1])
    assert sum(found) <= 3, found


@pytest.mark.slow
@pytest.mark.parametrize("method", ["expmap", "logmap", "exterior_angle"])
def test_three_manifolds_of_a_method(method):
    found = _graphs([Lorentz(), PoincareBall(), Sphere()], SHAPES[:3], method)
    assert all(1 <= n <= 4 for n in found), found


def test_a_class_has_its_own_code_and_the_words_of_the_class_it_is_from():
    for cls in (Lorentz, PoincareBall, Sphere, Euclidean, Stereographic):
        for name in ("dist", "expmap", "random_normal"):
            method = getattr(cls, name)
            assert method.__code__.co_qualname == f"{cls.__name__}.{name}"
            assert method.__doc__
    assert len({id(cls.dist.__code__) for cls in (Lorentz, PoincareBall, Sphere)}) == 3


def test_a_method_that_a_class_overrides_stays_its_own():
    class Twice(Stereographic.__mro__[1]):  # not final
        def dist(self, x, y):
            return 2 * super().dist(x, y)

    class Same(Twice):
        pass

    assert Same.dist is not Twice.dist
    assert Same.dist.__code__.co_code == Twice.dist.__code__.co_code


def test_what_a_class_has_for_the_compiler_hides_nothing_that_was_written():
    """Neither of a base further on, nor, of a final class's heirs, anything at all."""

    class Loud(Manifold):
        def dist(self, x, y):
            raise AssertionError

    class Plain(Manifold):
        pass

    class Both(Plain, Loud):
        pass

    class Mine(Lorentz):
        pass

    class Heir(Mine):
        pass

    assert Both.dist.__code__.co_code == Loud.dist.__code__.co_code
    x = Lorentz().origin(2)
    assert Heir().dist(x, x) == 0
    with pytest.raises(TypeError, match="it overrides dist of Lorentz"):
        type("Other", (Mine,), {"dist": Loud.dist})


def test_super_passes_a_sibling_that_defines_nothing():
    class Loud(Manifold):
        def dist(self, x, y):
            raise AssertionError

    class Plain(Manifold):
        pass

    class Both(Plain, Loud):
        def dist(self, x, y):
            return super().dist(x, y)

    assert super(Both, Both).dist.__code__.co_code == Loud.dist.__code__.co_code
    assert Plain.dist.__code__.co_code == Manifold.dist.__code__.co_code


class _PlainRoot:
    def way(self):
        return ["root"]


class _OwnCodeRoot:
    def __init_subclass__(cls):
        give_own_code(cls, _OwnCodeRoot)

    def way(self):
        return ["root"]


def _ways(root, bases, writers):
    """Where a cooperative method of each class comes by; None if Python refuses the bases."""
    classes = []
    for k, (own, writes) in enumerate(zip(bases, writers, strict=True)):
        body = {}
        if writes:
            # `super()` without arguments is this, by the cell of a class statement.
            body["way"] = lambda self, k=k: [k, *super(classes[k], self).way()]
        try:
            classes.append(type(f"C{k}", tuple(classes[i] for i in own) or (root,), body))
        except TypeError:
            return None
    return [cls().way() for cls in classes]


def test_every_hierarchy_of_four_classes_goes_the_way_that_plain_classes_go():
    kinds = [[b for n in range(k + 1) for b in permutations(range(k), n)] for k in range(4)]
    ways = set()
    for bases, writers in product(product(*kinds), product((False, True), repeat=4)):
        plain = _ways(_PlainRoot, bases, writers)
        assert _ways(_OwnCodeRoot, bases, writers) == plain, (bases, writers)
        ways.add(str(plain))
    assert len(ways) > 100


def test_methods_are_pickled_by_the_name_of_the_class_that_they_are_called_on():
    for method in (Lorentz.dist, Sphere.dist, Manifold.dist, Lorentz.from_space):
        assert pickle.loads(pickle.dumps(method)) is method


def test_the_signature_below_a_decorator_is_kept():
    class Base(Manifold):
        @torch.no_grad()
        def dist(self, x, y, *, power=2):
            return power

    class Same(Base):
        pass

    assert "power" in inspect.signature(Same.dist).parameters


@pytest.mark.slow
@pytest.mark.parametrize("space", [Lorentz(), PoincareBall(), Sphere()], ids=repr)
def test_a_map_that_takes_one_kernel_twice_is_compiled_for_any_size(space):
    """Under ``dynamic=True`` a number of a file is an input of each kernel's graph; torch 2.13
    loses it where two kernels have it."""
    x, y = (space.from_normal(torch.rand(5, 4) + i).detach().requires_grad_() for i in (0, 1))
    t = torch.linspace(-0.2, 1.2, 5)
    geodesic = torch.compile(space.geodesic, backend="eager", dynamic=True, fullgraph=True)
    torch.testing.assert_close(geodesic(x, y, t), space.geodesic(x, y, t))
