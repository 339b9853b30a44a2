"""The Triton kernels give what the torch path gives, in Triton's interpreter on the CPU."""

import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
import torch
from cases import of_one_sign

from spaceforms.losses import info_nce, sigmoid_pairs
from spaceforms.losses.pairwise import fused, fused_sweep
from spaceforms.losses.pairwise.positives import positives_of
from spaceforms.losses.pairwise.readers import PairMask, SigmoidReader, SoftmaxReader
from spaceforms.manifolds import (
    Euclidean,
    Lorentz,
    Product,
    Sphere,
    Stereographic,
)
from spaceforms.manifolds.kernels.pairs.products import leading_bits

# Read where kernels are defined, which is when the first of them is launched.
os.environ.setdefault("TRITON_INTERPRET", "1")
triton = pytest.importorskip(
    "triton", reason="triton is not installed; its kernels are tested in its interpreter"
)

F64 = torch.float64
N, B = 19, 37
SPACES = of_one_sign()
LOGITS = ["neg_dist", "neg_sqdist", "inner"]
# What is asked for, the dtype of the points, and the products that the kernel then takes.
MODES = {
    "float32": ("float32", torch.float32),
    "split": ("auto", torch.float32),
    "bfloat16": ("auto", torch.bfloat16),
}


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Several tiles of several blocks, none of which B and N fill."""
    monkeypatch.setattr(fused_sweep, "FORWARD", fused_sweep.Blocks(16, 32, 64))
    monkeypatch.setattr(fused_sweep, "BACKWARD", fused_sweep.Blocks(16, 16, 64))
    monkeypatch.setattr(fused_sweep, "SIDE", 32)
    monkeypatch.setenv("SPACEFORMS_TRITON", "1")


def draw(space, rows, seed, dtype=torch.float32, spread=0.3):
    generator = torch.Generator().manual_seed(seed)
    v = torch.randn(rows, N, generator=generator, dtype=F64) * spread
    return space.from_normal(v).detach().to(dtype)


def gradients(loss, x, y, scale, space, **options):
    x, y = (p.detach().clone().requires_grad_() for p in (x, y))
    s = torch.tensor(scale, dtype=F64, requires_grad=True)
    value = loss(x, y, manifold=space, scale=s, reduction="sum", **options)
    asked = [x, y, s, *space.parameters()]
    return value.detach(), torch.autograd.grad(value, asked, materialize_grads=True)


def both(loss, x, y, scale, space, monkeypatch, **options):
    """By the kernels; and in float64, of the same points, by torch."""
    ran = []
    pull_all = fused_sweep.pull_all
    monkeypatch.setattr(fused_sweep, "pull_all", lambda *a: ran.append(1) or pull_all(*a))
    ours = gradients(loss, x, y, scale, space, tile=16, **options)
    assert ran, "the kernels were not asked"
    options["precision"] = "float64"
    wanted = gradients(loss, x.double(), y.double(), scale, space, tile=16, **options)
    return ours, wanted


class Bound:
    """What the rounding of products, and of phi, can do to logits and gradients."""

    def __init__(self, mode, x, y, scale, space, logits):
        kind = {"neg_dist": "dist", "neg_sqdist": "sqdist", "inner": "inner"}[logits]
        (term,) = space.pair_form(kind, x.shape[1]).terms
        x, y = x.double(), y.double()
        (a, p, q), (b, r, s) = (term.features(z, term.number) for z in (x, y))
        n = a.shape[1]
        size = (p @ s.T + q @ r.T + a.norm(dim=1)[:, None] * b.norm(dim=1)) / 2
        h = (p @ s.T + q @ r.T - a @ b.T) / 2
        # The bounds of manifolds/kernels/pairs/products.py, of which h has the half; and the
        # rounding of the gaps and of h itself. The positives are not taken from h.
        unit = n * 2.0**-24
        if mode == "split":
            unit = 2.0 ** -(21 + leading_bits(n)) * n**1.5
        off = (unit + 4 * 2.0**-24) * size
        if mode == "split":
            off = unit * size + 2.0**-23 * h.abs()
        h, off = h.detach(), off.detach()
        value, pull = term.value(h, term.number)
        slope = pull(torch.ones_like(h))[0]
        factor = scale * torch.as_tensor(term.factor, dtype=F64).detach()
        apart = ~torch.eye(*h.shape, dtype=torch.bool)
        self.logit = float((factor * (slope.abs() * off + 2.0**-22 * value.abs()))[apart].max())
        # The slope is a root or an inverse of h at the most.
        self.slope = float((off / h.abs())[apart].max()) if logits != "inner" else 0.0
        self.stored = 2.0**-8 if mode == "bfloat16" else 2.0**-21
        # The gradient of each pair's logit by its points: what the weights, which are at most 1
        # of each row and column, are multiplied by.
        points = [z.expand(*h.shape, -1).clone().requires_grad_() for z in (x[:, None], y[None])]
        if logits == "inner":
            pairs = space.cinner(points[0].unsqueeze(-2), points[1].unsqueeze(-2))
        else:
            pairs = (space.dist if logits == "neg_dist" else space.sqdist)(*points)
        found = torch.autograd.grad(scale * pairs.sum(), points)
        self.pair = max(float(g.abs().max()) for g in found)
        # That by a temperature is a logit over it, that by a curvature of the size of either.
        self.total = float(pairs.detach().abs().max()) * max(scale, 1.0)

    def check(self, ours, wanted, terms=2.0):
        """``terms`` bounds the weights of a row."""
        value, (x, y, *numbers) = ours
        exact, (of_x, of_y, *of_numbers) = wanted
        lines = terms * B
        # The sum of B losses, and its own rounding.
        assert abs(float(value) - float(exact)) <= lines * self.logit + 2.0**-22 * abs(float(exact))
        relative = 2 * self.logit + self.slope + self.stored
        # To the dtype of the points a gradient is rounded once more.
        relative += torch.finfo(x.dtype).eps
        for got, right in ((x, of_x), (y, of_y)):
            assert got.dtype == x.dtype
            assert float((got.double() - right).abs().max()) <= relative * terms * self.pair
        for got, right in zip(numbers, of_numbers, strict=True):
            assert float((got - right).abs()) <= relative * lines * max(self.total, self.pair * N)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("logits", LOGITS)
@pytest.mark.parametrize("name", SPACES)
def test_the_kernels_give_the_sums_of_the_torch_path(name, logits, mode, monkeypatch):
    space, (precision, dtype) = SPACES[name].double(), MODES[mode]
    x, y = (draw(space, B, seed, dtype) for seed in (1, 2))
    options = {"logits": logits, "precision": precision}
    bound = Bound(mode, x, y, 5.0, space, logits)
    bound.check(*both(info_nce, x, y, 5.0, space, monkeypatch, **options))


@pytest.mark.parametrize("name", ["Lorentz(-0.7, learnable)", "Sphere(1)", "Euclidean"])
@pytest.mark.parametrize("mode", MODES)
def test_sigmoid_and_its_bias(name, mode, monkeypatch):
    space, (precision, dtype) = SPACES[name].double(), MODES[mode]
    x, y = (draw(space, B, seed, dtype) for seed in (1, 2))
    bias = torch.tensor(4.0, dtype=F64, requires_grad=True)
    options = {"precision": precision, "bias": bias}
    bound = Bound(mode, x, y, 5.0, space, "neg_dist")
    # Of a row every pair counts by itself.
    bound.check(*both(sigmoid_pairs, x, y, 5.0, space, monkeypatch, **options), terms=B)
    found = []
    for points, asked in (((x, y), precision), ((x.double(), y.double()), "float64")):
        loss = sigmoid_pairs(
            *points, manifold=space, scale=5.0, bias=bias, tile=16, precision=asked
        )
        found.append(torch.autograd.grad(loss, bias)[0])
    assert abs(found[0] - found[1]) <= B * bound.logit + 2.0**-21 * abs(found[1])


@pytest.mark.parametrize("scale", [1e-3, 1.0, 100.0])
def test_temperatures_at_their_ends(scale, monkeypatch):
    x, y = (draw(SPACES["Lorentz(-1)"], B, seed, spread=0.5) for seed in (1, 2))
    bound = Bound("split", x, y, scale, SPACES["Lorentz(-1)"], "neg_dist")
    bound.check(*both(info_nce, x, y, scale, SPACES["Lorentz(-1)"], monkeypatch))


@pytest.mark.parametrize("radius", [1e-4, 5.0, 8.0])
def test_points_near_the_origin_and_far_from_it(radius, monkeypatch):
    space = Lorentz()
    x, y = (draw(space, B, seed, spread=radius / N**0.5) for seed in (1, 2))
    bound = Bound("split", x, y, 3.0, space, "neg_dist")
    bound.check(*both(info_nce, x, y, 3.0, space, monkeypatch))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("logits", LOGITS)
@pytest.mark.parametrize("name", ["Lorentz(-1)", "Sphere(1)", "Euclidean", "PoincareBall(-0.3)"])
def test_equal_points_have_finite_gradients(name, logits, mode):
    space, (precision, dtype) = SPACES[name], MODES[mode]
    x = draw(space, 12, 1)
    x = torch.cat([x, x[:3], space.origin(N).detach().expand(2, -1).float()]).to(dtype)
    options = {"precision": precision, "logits": logits, "tile": 8}
    value, found = gradients(info_nce, x, x, 5.0, space, **options)
    options["precision"] = "float64"
    exact, wanted = gradients(info_nce, x.double(), x.double(), 5.0, space, **options)
    # A coincident negative has distance 0, give or take the root of rounding.
    slack = 5 * 8 * 2.0**-11.5
    assert abs(float(value) - float(exact)) <= len(x) * slack
    for got, right in zip(found, wanted, strict=True):
        assert got.isfinite().all()
        most = slack + (2.0**-6 if mode == "bfloat16" else 0)
        assert (got - right).abs().max() <= most * (1 + right.abs().max())


@pytest.mark.parametrize("symmetric", [True, False])
def test_rows_without_a_positive_and_more_columns_than_rows(symmetric, monkeypatch):
    space = Lorentz()
    x, y = draw(space, B, 1), draw(space, B + 9, 2)
    column = torch.arange(B).roll(5)
    column[3::7] = -1
    options = {"targets": column, "symmetric": symmetric}
    ours, wanted = both(info_nce, x, y, 5.0, space, monkeypatch, **options)
    # Positives are no diagonal here: the bound takes the pairs that are none for the near ones.
    bound = Bound("split", x, y, 5.0, space, "neg_dist")
    bound.check(ours, wanted)


@pytest.mark.parametrize("side", [0, 1])
def test_of_one_side_alone_the_gradient_is_the_same(side):
    space = Lorentz()
    points = [draw(space, B, seed).requires_grad_() for seed in (1, 2)]
    wanted = torch.autograd.grad(
        info_nce(*points, manifold=space, scale=5.0, tile=16), points[side]
    )[0]
    points[1 - side] = points[1 - side].detach()
    loss = info_nce(*points, manifold=space, scale=5.0, tile=16)
    assert torch.equal(torch.autograd.grad(loss, points[side])[0], wanted)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of numpy, in the interpreter
@pytest.mark.parametrize("name", ["Lorentz(-1)", "Sphere(1)"])
def test_a_point_that_is_not_a_number_is_seen(name):
    space = SPACES[name]
    x, y = draw(space, B, 1), draw(space, B, 2)
    x[4, 2] = torch.nan
    x.requires_grad_()
    loss = info_nce(x, y, manifold=space, scale=5.0, tile=16)
    assert loss.isnan()
    assert torch.autograd.grad(loss, x)[0][4].isnan().any()


@cache
def _unit_kernel():
    import triton.language as tl

    from spaceforms.losses.kernels import phi

    log1p, asin, missing, distance = phi.log1p, phi.asin, phi.tanh_missing, phi.distance

    @triton.jit
    def kernel(x, out, WHICH: tl.constexpr, log1p, asin, missing, distance):
        at = tl.arange(0, 1024)
        v = tl.load(x + at)
        if WHICH == 0:
            tl.store(out + at, log1p(v))
        elif WHICH == 1:
            tl.store(out + at, asin(v))
        elif WHICH == 2:
            tl.store(out + at, missing(v))
        else:
            d, _half = distance(v, WHICH - 4, 4.8e-7)
            tl.store(out + at, d)

    def run(x, which):
        out = torch.empty_like(x)
        kernel[(1,)](x, out, which, log1p, asin, missing, distance)
        return out

    return run


@pytest.mark.parametrize(
    ("which", "exact", "most"),
    [
        (0, torch.log1p, 1e6),
        (1, torch.asin, 0.5),
        (2, None, 60.0),
        (3, lambda h: 2 * h.sqrt().asinh(), 1e6),
        (4, lambda h: 2 * h.sqrt(), 1e6),
        (5, lambda h: 2 * h.sqrt().asin(), 1 - 1e-5),
    ],
)
def test_functions_of_one_number_have_the_digits_of_float32(which, exact, most):
    x = torch.linspace(-12, 1, 1024, dtype=F64)
    x = (most * 10.0 ** (x - 1)).clamp(max=most).float()
    if exact is None:
        mpmath = pytest.importorskip("mpmath")
        with mpmath.workdps(40):
            wanted = [float(mpmath.tanh(v / 2) - mpmath.mpf(v) / 2) for v in x.tolist()]
        wanted = torch.tensor(wanted, dtype=F64)
    else:
        wanted = exact(x.double())
    got = _unit_kernel()(x, which)
    # tanh t - t loses digits of tanh t in its closed form; on the sphere's far side d is pi less
    # what has lost the digits of 1 - h.
    allowed = 6 * 2.0**-24 * wanted.abs() + torch.finfo(torch.float32).tiny
    if which == 2:
        allowed = allowed + 4 * 2.0**-24 * (x.double() >= 1)
    if which == 5:
        allowed = allowed + 2.0**-24 / (1 - x.double()).sqrt()
    assert ((got.double() - wanted).abs() <= allowed).all()


def test_which_tables_go_this_way(monkeypatch):
    def asked(space, dtype=torch.float32, precision="auto", kind="dist"):
        x = draw(space, 2, 1, dtype)
        return fused.fused_products(space.pair_form(kind, x.shape[1]), x, x, precision)

    assert asked(Lorentz()) == "split"
    assert asked(Lorentz(), precision="float32") == "float32"
    assert asked(Lorentz(), precision="float64") is None
    assert asked(Lorentz(), F64) is None
    # bfloat16 bodies lose nothing where they are the coordinates.
    half = torch.bfloat16
    assert asked(Lorentz(), half) == asked(Lorentz(-4.0), half) == "bfloat16"
    assert asked(Sphere(), half, kind="inner") == asked(Euclidean(), half) == "bfloat16"
    assert asked(Lorentz(-0.7), half) == asked(Lorentz(-1.0, learnable=True), half) == "split"
    assert asked(Sphere(), half) == "split"  # of which the features are those of x/|x|
    assert asked(Stereographic(0.5)) is None
    product = Product([Lorentz(), Euclidean()], dims=[10, 9])
    assert asked(product) is None
    monkeypatch.setenv("SPACEFORMS_TRITON", "0")
    assert asked(Lorentz()) is None
    monkeypatch.setenv("SPACEFORMS_TRITON", "")
    assert asked(Lorentz()) is None  # on a CPU not by itself
    monkeypatch.setenv("SPACEFORMS_TRITON", "yes")
    with pytest.raises(ValueError, match="SPACEFORMS_TRITON is 'yes'; expected 0, 1 or nothing"):
        asked(Lorentz())


def test_which_readers_the_kernels_know():
    each = positives_of("test", None, None, (4, 4), torch.device("cpu"))
    groups = positives_of(
        "test", None, (torch.arange(4), torch.arange(4)), (4, 4), torch.device("cpu")
    )
    mask = PairMask(rows=torch.ones(4, dtype=torch.bool))
    assert fused.is_plain(SoftmaxReader(4, None, each, True, False, False))
    assert not fused.is_plain(SoftmaxReader(4, None, each, True, True, False))
    assert not fused.is_plain(SoftmaxReader(4, None, each, True, False, True))
    assert not fused.is_plain(SoftmaxReader(4, mask, each, True, False, False))
    assert not fused.is_plain(SoftmaxReader(4, None, groups, True, False, False))
    assert fused.is_plain(SigmoidReader(4, None, each))
    assert not fused.is_plain(SigmoidReader(4, mask, each))


_COMPILE = """
import sys
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource, compile
from spaceforms.losses.kernels import tile
body, gap, split = sys.argv[1], sys.argv[2], sys.argv[2] == "fp64"
constants = dict(
    K=100, K2=200, M=64, N=64, STEP=32, PRECISION="tf32x3", REST_PRECISION="tf32x3", SPLIT=split,
    ROUNDING=4.8e-7, NOISE=4.8e-7, KIND=0, SIGN=-1, AT=0.0, KNOWN=True, SIGMOID=False,
    WIDEN=False, SYMMETRIC=True, CURVED=True,
)
of = {"a": body, "b": body, "a_rest": body, "b_rest": body, "a_gaps": gap, "b_gaps": gap,
      "column": "i64", "grad": body}
whole = {"a_row", "b_row", "rest_row", "a_gap_row", "b_gap_row", "first", "rows", "columns"}
for kernel in (tile.forward, tile.backward):
    names = kernel.arg_names
    given = {k: v for k, v in constants.items() if k in names}
    types = {n: "constexpr" if n in given else "i32" if n in whole else "*" + of.get(n, "fp32")
             for n in names}
    made = compile(ASTSource(kernel, types, constexprs=given), target=GPUTarget("cuda", 90, 32))
    assert "wgmma" in made.asm["ptx"]
"""


@pytest.mark.slow
@pytest.mark.parametrize(("body", "gap"), [("bf16", "fp32"), ("fp32", "fp32"), ("fp32", "fp64")])
def test_the_kernels_compile_for_the_tensor_cores_of_sm_90(body, gap):
    """No GPU is needed to compile."""
    environment = {k: v for k, v in os.environ.items() if k != "TRITON_INTERPRET"}
    subprocess.run([sys.executable, "-c", _COMPILE, body, gap], check=True, env=environment)


def test_the_benchmark_prints_its_table():
    command = [sys.executable, "benchmarks/fused_pairs.py", "--device", "cpu", "--repeats", "1"]
    command += ["--sizes", "40", "--widths", "8", "--modes", "bfloat16", "torch"]
    environment = {**os.environ, "TRITON_INTERPRET": "1", "SPACEFORMS_TRITON": "1"}
    root = Path(__file__).resolve().parents[2]
    result = subprocess.run(
        command, capture_output=True, text=True, check=True, env=environment, cwd=root
    )
    rows = result.stdout.splitlines()[2:]
    assert [row.split("|")[3].strip() for row in rows] == ["bfloat16", "torch"]


@pytest.fixture
def by_itself(monkeypatch):
    """As on a CUDA device, where nobody asked for the kernels."""
    monkeypatch.delenv("SPACEFORMS_TRITON")
    monkeypatch.setattr(fused, "fused_on", lambda device: True)
    fused._agrees.cache_clear()
    yield
    fused._agrees.cache_clear()


@pytest.mark.parametrize("products", ["split", "float32", "bfloat16"])
def test_kernels_that_give_what_torch_gives_are_taken(by_itself, products, recwarn):
    assert fused._agrees(torch.device("cpu"), products)
    assert not recwarn


def test_kernels_that_fail_or_are_wrong_are_left_with_a_warning(by_itself, monkeypatch):
    x, y = draw(SPACES["Lorentz(-1)"], B, 0), draw(SPACES["Lorentz(-1)"], B, 1)
    options = {"manifold": SPACES["Lorentz(-1)"], "scale": 3.0, "tile": 16}
    with monkeypatch.context() as patch:
        patch.setenv("SPACEFORMS_TRITON", "0")
        patch.setattr(fused, "fused_on", lambda device: False)
        wanted = info_nce(x, y, **options)

    def wrong(*_):
        raise RuntimeError("no such instruction")

    for name, change, said in (
        ("read_all", wrong, "RuntimeError: no such instruction"),
        ("read_all", lambda *a, true=fused_sweep.read_all: [2 * r for r in true(*a)], "off by"),
    ):
        fused._agrees.cache_clear()
        with monkeypatch.context() as patch:
            patch.setattr(fused_sweep, name, change)
            with pytest.warns(UserWarning, match=f"failed a trial on cpu.*{said}"):
                found = info_nce(x, y, **options)
        assert torch.equal(found, wanted)
