"""Inner products of all pairs by float32 alone: exact where promised, else within the bound."""

import math

import pytest
import torch
from cases import CASES, CHARTS, points
from torch.utils._python_dispatch import TorchDispatchMode

from spaceforms.losses import info_nce, nt_xent, sigmoid_pairs
from spaceforms.manifolds import Lorentz, PoincareBall, Product, Sphere
from spaceforms.manifolds.kernels.pairs import products as pair_products
from spaceforms.manifolds.kernels.pairs.products import (
    inner_products,
    leading_bits,
    products,
    products_on,
    split,
)

F64, F32 = torch.float64, torch.float32


def _vectors(rows, n, spread, seed=0):
    """Coordinates of 26 bits, of sizes that differ by e^spread, more or less."""
    generator = torch.Generator().manual_seed(seed)
    size, v = torch.randn(2, rows, n, generator=generator, dtype=F64)
    mantissa, exponent = (v * (spread * size).exp()).frexp()
    return torch.ldexp((mantissa * 2**26).round(), exponent - 26)


def _exact(a, b):
    """The product of vectors of 26 bits, whose terms have 52, to the last bit of a float64."""
    return math.fsum((a * b).tolist())


@pytest.mark.parametrize("n", [1, 2, 3, 16, 17, 512, 513])
def test_the_leading_bits_have_products_without_rounding_and_the_rest_is_the_rest(n):
    assert n * 4 ** leading_bits(n) <= 2**24
    # The largest sums that there are: all coordinates equal to the grid's end.
    worst = torch.full((1, n), 1 - 2.0**-26, dtype=F64)
    for a in (_vectors(9, n, 0.0), _vectors(9, n, 5.0), worst):
        (high, low), (other, _) = split(a), split(a.flip(0))
        assert high.dtype == low.dtype == F32
        # What is left is half a unit of the grid at most, and rounded to float32.
        unit = 2.0 ** (1 - leading_bits(n)) * a.abs().amax(1, keepdim=True)
        assert (low.abs() <= unit / 2).all()
        assert ((high.double() + low.double() - a).abs() <= 2.0**-25 * unit).all()
        for i, j in ((0, 0), (0, -1), (-1, 0)):
            product = (high @ other.mT)[i, j].item()
            assert product == _exact(high[i].double(), other[j].double())


@pytest.mark.parametrize("spread", [0.0, 1.0, 4.0])
@pytest.mark.parametrize("n", [2, 16, 128, 512])
def test_the_error_is_within_the_bound_and_within_what_was_measured(n, spread):
    a = _vectors(12, n, spread)
    b = torch.cat([a, a.flip(-1), _vectors(12, n, spread, seed=1)])
    wanted = [[_exact(x, y) for y in b] for x in a]
    size = a.norm(dim=1)[:, None] * b.norm(dim=1)
    unit = 2.0 ** -(24 + leading_bits(n))
    off = (inner_products(a, b, "split") - torch.tensor(wanted, dtype=F64)).abs() / size
    assert off.max() <= 8 * n**1.5 * unit
    assert off.max() <= 16 * unit
    rough = (inner_products(a, b, "float32") - torch.tensor(wanted, dtype=F64)).abs() / size
    assert rough.max() <= 13 * 2.0**-24
    assert rough.max() > 4 * off.max()  # what the other two products are for


def test_all_derivatives_are_those_of_the_product():
    a, b = (_vectors(3, 5, 0.5, seed=s).requires_grad_() for s in (1, 2))

    def derivatives(table):
        first = torch.autograd.grad(table.square().sum(), (a, b), create_graph=True)
        return *first, *torch.autograd.grad(sum(g.square().sum() for g in first), (a, b))

    for kind in ("split", "float32"):
        found = derivatives(inner_products(a, b, kind))
        for one, other in zip(found, derivatives(a @ b.mT), strict=True):
            size = 100 * other.abs().max().item()  # the last are sums of some 30 products
            torch.testing.assert_close(one, other, rtol=0, atol=2.0**-24 * size)


SPACES = {
    **{n: CASES[n] for n in ("Euclidean", "Sphere(2.5)", "PoincareBall(-0.3)", "Lorentz(-0.3)")},
    "Stereographic(0.5)": CASES["Stereographic(0.5)"],
    "HalfSpace(-0.7)": CHARTS["HalfSpace(-0.7)"],
    "Product": Product([Lorentz(-0.5), Lorentz(-0.7), Sphere(0.5)], dims=[2, 2, 2]),
    "l1": Product([PoincareBall(-0.5), Sphere(0.5)], dims=[3, 3], metric="l1"),
}


@pytest.mark.parametrize("name", SPACES)
def test_distances_of_float32_points_are_those_one_by_one(name):
    """Of points about a radius from the origin, c = cosh 2 or so, and pairs no nearer than 0.01."""
    space = SPACES[name]
    x = space.from_normal(0.8 * _vectors(12, 6, 0.0)).float()
    y = space.from_normal(0.8 * _vectors(9, 6, 0.0, seed=1)).float()
    wanted, inner = space.cdist(x.double(), y.double()), None
    if name != "l1":
        inner = space.cinner(x.double(), y.double())
    assert wanted.min() > 0.01
    for kind, unit in (("split", 2.0**-24 / 256), ("float32", 2.0**-24)):
        with products(kind):
            found = space.cdist(x, y, matmul=True)
            squared = space.cdist(x, y, matmul=True, squared=True)
            form = None if inner is None else space.cinner(x, y, matmul=True)
        # h is off by some units times cosh 2 squared, d by that over sinh d, and it is float32.
        off = 2.0**-22 * wanted + 16 * unit * math.cosh(2) ** 2 / wanted.clamp(max=1)
        assert ((found.double() - wanted).abs() <= off).all()
        assert ((squared.double() - wanted**2).abs() <= 3 * wanted * off).all()
        if inner is not None:
            assert ((form.double() - inner).abs() <= 2.0**-20 * (1 + inner.abs())).all()


@pytest.mark.parametrize("name", ["Lorentz(-0.3)", "PoincareBall(-0.3)", "Sphere(2.5)"])
def test_coincident_points_are_at_distance_0_and_have_gradient_0(name):
    space = CASES[name]
    x = points(space, 9, 5, seed=1, dtype=F32).requires_grad_()
    for kind in ("split", "float32"):
        with products(kind):
            table = space.cdist(x, x.detach(), matmul=True)
        assert (table.diagonal() == 0).all()
        (g,) = torch.autograd.grad(table.diagonal().sum(), x)
        assert (g == 0).all()


def test_float64_points_have_float64_products_whatever_the_device():
    x = points(Lorentz(), 9, 5, seed=1)
    with products("float32"):
        found = Lorentz().cdist(x, x.flip(0), matmul=True)
    assert torch.equal(found, Lorentz().cdist(x, x.flip(0), matmul=True))


def test_the_choice_is_by_the_device(monkeypatch):
    assert products_on(torch.device("cpu")) == "float64"
    assert products_on(torch.device("mps")) == "float32"
    for capability, kind in (((9, 0), "float64"), ((8, 9), "split"), ((12, 0), "split")):
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _, c=capability: c)
        assert products_on(torch.device("cuda", 0)) == kind


# -- losses ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("tile", [None, 16])
@pytest.mark.parametrize("logits", ["neg_dist", "neg_sqdist", "inner"])
def test_a_loss_by_split_products_has_the_values_and_gradients_of_float64(tile, logits):
    """At radius 4, where the logits of one float32 product are off by 1e-3 and more."""
    generator = torch.Generator().manual_seed(2)
    v = torch.randn(40, 8, generator=generator, dtype=F64)
    v = 4 * v / v.norm(dim=1, keepdim=True)
    near = v + 0.1 * torch.randn(40, 8, generator=generator, dtype=F64)
    space, of = Lorentz(), (torch.arange(40) // 2,) * 2
    x, y = (space.from_normal(a).float().requires_grad_() for a in (v, near))
    options = {"manifold": space, "scale": 0.02 if logits == "inner" else 10.0, "logits": logits}
    exact = info_nce(x.double(), y.double(), groups=of, **options)
    wanted = torch.autograd.grad(exact, (x, y))
    off = {}
    for kind in ("split", "float32"):
        loss = info_nce(x, y, groups=of, tile=tile, precision=kind, **options)
        assert loss.dtype == F32
        off[kind] = abs(loss.item() - exact.item()) / max(1, abs(exact.item()))
        if kind == "split":
            for one, other in zip(torch.autograd.grad(loss, (x, y)), wanted, strict=True):
                size = other.abs().max().item()
                torch.testing.assert_close(one, other, rtol=2e-3, atol=1e-4 * size)
    assert off["split"] < 5e-6
    assert off["split"] < off["float32"] or off["float32"] < 1e-6


class _No64(TorchDispatchMode):
    """As a device that has no float64."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        found = function(*args, **(kwargs or {}))
        for t in found if isinstance(found, list | tuple) else [found]:
            if isinstance(t, torch.Tensor) and t.dtype == F64:
                raise TypeError(f"{function} made a float64")
        return found


@pytest.mark.parametrize("tile", [None, 4])
@pytest.mark.parametrize(
    "name", ["Lorentz(-0.3)", "PoincareBall(-0.3)", "Sphere(2.5)", "Euclidean"]
)
def test_where_there_is_no_float64_none_is_made(name, tile, monkeypatch):
    space = CASES[name]
    x, y = (points(space, 9, 5, seed=s, dtype=F32).requires_grad_() for s in (1, 2))
    options = {"manifold": space, "scale": 3.0, "tile": tile}
    bias = {"bias": 1.0}
    wanted = [nt_xent(x, y, **options), sigmoid_pairs(x, y, **bias, **options)]
    wanted += [info_nce(x, y, logits=kind, **options) for kind in ("neg_dist", "inner")]
    with pytest.raises(TypeError, match="made a float64"), _No64():
        info_nce(x, y, precision="float64", **options)
    monkeypatch.setattr(pair_products, "has_float64", lambda device: False)
    with _No64():
        found = [nt_xent(x, y, **options), sigmoid_pairs(x, y, **bias, **options)]
        found += [info_nce(x, y, logits=kind, **options) for kind in ("neg_dist", "inner")]
        torch.autograd.grad(sum(found), (x, y))
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)
