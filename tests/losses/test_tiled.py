"""The tiled form of InfoNCE is the dense one: values, gradients, memory, corners."""

import itertools
from importlib.util import find_spec

import pytest
import torch
from cases import of_one_sign, points

from spaceforms.losses import info_nce
from spaceforms.losses.pairwise import fused
from spaceforms.manifolds import (
    Euclidean,
    Lorentz,
    PoincareBall,
    Product,
    Sphere,
    Stereographic,
)

F64 = torch.float64
B, C, N = 13, 11, 4

SPACES = {
    **of_one_sign(),
    "Stereographic(0)": Stereographic(0.0),
    "Stereographic(-0.5, learnable)": Stereographic(-0.5, learnable=True),
    "Stereographic(0.5, learnable)": Stereographic(0.5, learnable=True),
    "Product, l2": Product([Lorentz(-1.0), Sphere(0.5, learnable=True)], weights=[2.0, 0.5]),
    "Product, l1": Product(
        [Lorentz(-1.0, learnable=True), Euclidean(), Stereographic(0.0, learnable=True)],
        dims=[2, 1, 1],
        metric="l1",
    ),
}
for _space in SPACES.values():
    _space.double()


def _points(space, *size, seed, spread=1.0):
    if isinstance(space, Product):
        generator = torch.Generator().manual_seed(seed)
        v = torch.randn(*size, generator=generator, dtype=F64) * spread * 0.6
        return space.from_normal(v).detach()
    return points(space, *size, seed=seed, spread=spread)


def _value_and_gradients(space, x, y, scale, **options):
    x, y = x.clone().requires_grad_(), y.clone().requires_grad_()
    s = torch.tensor(scale, dtype=F64, requires_grad=True)
    loss = info_nce(x, y, manifold=space, scale=s, **options)
    # Inner products on a sphere do not depend on its curvature.
    inputs = [x, y, s, *space.parameters()]
    gradients = torch.autograd.grad(loss.sum(), inputs, materialize_grads=True)
    return loss.detach(), *gradients


def _same(space, x, y, tile, rtol=1e-12, atol=1e-12, scale=3.0, **options):
    dense = _value_and_gradients(space, x, y, scale, tile=None, **options)
    tiled = _value_and_gradients(space, x, y, scale, tile=tile, **options)
    for one, other in zip(dense, tiled, strict=True):
        torch.testing.assert_close(other, one, rtol=rtol, atol=atol)


@pytest.mark.parametrize("logits", ["neg_dist", "neg_sqdist", "inner"])
@pytest.mark.parametrize("name", SPACES)
def test_tiled_is_dense_on_every_space_with_every_logit(name, logits):
    space = SPACES[name]
    if logits == "inner" and name == "Product, l1":
        pytest.skip("an l1 product has no inner product")
    x, y = _points(space, B, N, seed=1), _points(space, B, N, seed=2)
    for tile in (4, 64):
        _same(space, x, y, tile, logits=logits)


def _targets(kind):
    generator = torch.Generator().manual_seed(3)
    table = torch.rand(B, C, generator=generator, dtype=F64)
    return {
        "integers": {"targets": torch.randint(-1, C, (B,), generator=generator)},
        "positives": {"targets": table > 0.7},
        "soft": {"targets": table * (table > 0.3)},
        "groups": {"groups": (torch.arange(B) % 5, torch.arange(C) % 6)},
    }[kind]


@pytest.mark.parametrize("kind", ["integers", "positives", "soft", "groups"])
@pytest.mark.parametrize("symmetric", [True, False])
def test_tiled_is_dense_with_every_kind_of_target_and_option(kind, symmetric):
    space = Lorentz(-0.7)
    x, y = _points(space, B, N, seed=1), _points(space, C, N, seed=2)
    generator = torch.Generator().manual_seed(5)
    pairs = torch.rand(B, C, generator=generator) > 0.3
    pairs[2] = False  # a row compared with nothing
    masks = (None, pairs, (pairs[:, 0], None), (pairs[:, 1], pairs[3]))
    for mask, smoothing, decoupled in itertools.product(masks, (0.0, 0.1), (False, True)):
        weights = (torch.rand(B, generator=generator), torch.rand(C, generator=generator))
        _same(
            *(space, x, y, 5),
            symmetric=symmetric,
            mask=mask,
            weights=weights,
            label_smoothing=smoothing,
            decoupled=decoupled,
            **_targets(kind),
        )


def test_every_tile_size_gives_the_same():
    space = Lorentz()
    x, y = _points(space, B, N, seed=1), _points(space, B, N, seed=2)
    for tile in (1, 2, 3, 7, 12, 13, 14):
        _same(space, x, y, tile)
        _same(space, x, y, tile, reduction="none", weights=torch.arange(B) / B)


def test_on_the_sphere_it_is_torch_cross_entropy():
    space = Sphere()
    x, y = points(space, B, N, seed=1), points(space, B, N, seed=2)
    logits = 20 * x @ y.T
    index = torch.arange(B)
    for smoothing in (0.0, 0.2):
        rows = torch.nn.functional.cross_entropy(logits, index, label_smoothing=smoothing)
        columns = torch.nn.functional.cross_entropy(logits.T, index, label_smoothing=smoothing)
        loss = info_nce(
            *(x, y),
            manifold=space,
            scale=20.0,
            logits="inner",
            tile=5,
            label_smoothing=smoothing,
        )
        torch.testing.assert_close(loss, (rows + columns) / 2, rtol=1e-13, atol=1e-14)


def test_groups_are_their_table_and_a_masked_batch_is_a_shorter_one():
    space = PoincareBall(-0.3)
    x, y = points(space, B, N, seed=1), points(space, B, N, seed=2)
    family = torch.arange(B) % 4
    for tile in (None, 5):
        options = {"manifold": space, "scale": 3.0, "tile": tile}
        by_table = info_nce(x, y, targets=family[:, None] == family, **options)
        by_groups = info_nce(x, y, groups=(family, family), **options)
        torch.testing.assert_close(by_groups, by_table, rtol=1e-13, atol=0)
        padded = info_nce(x, y, mask=torch.arange(B) < 9, **options)
        torch.testing.assert_close(padded, info_nce(x[:9], y[:9], **options), rtol=1e-13, atol=0)
        doubled = info_nce(x, y, weights=1.0 + (torch.arange(B) == 3), **options)
        each = info_nce(x, y, reduction="none", **options)
        wanted = (each.sum(0) + each[3]) / (B + 1)
        torch.testing.assert_close(doubled, wanted.mean(), rtol=1e-13, atol=0)
        order = torch.randperm(B, generator=torch.Generator().manual_seed(1))
        both = info_nce(x[order], y[order], reduction="none", **options)
        torch.testing.assert_close(both, each[order], rtol=1e-12, atol=1e-14)


def test_decoupled_is_the_ratio_without_the_positive():
    space = Lorentz()
    x, y = points(space, B, N, seed=1), points(space, B, N, seed=2)
    logits = -3 * space.cdist(x, y)
    others = logits.masked_fill(torch.eye(B, dtype=torch.bool), -torch.inf)
    wanted = others.logsumexp(1) - logits.diagonal()
    options = {"manifold": space, "scale": 3.0, "decoupled": True, "symmetric": False}
    for tile in (None, 4):
        loss = info_nce(x, y, tile=tile, reduction="none", **options)
        torch.testing.assert_close(loss, wanted, rtol=1e-12, atol=1e-13)


def _near_pairs(space, rows, n, seed=0, apart=1e-5):
    """Float32 points some distance from one another, and their partners very near by."""
    generator = torch.Generator().manual_seed(seed)
    v = torch.randn(rows, n, generator=generator, dtype=F64)
    step = torch.randn(rows, n, generator=generator, dtype=F64)
    v = v / v.norm(dim=1, keepdim=True)
    return (space.from_normal(a).float() for a in (v, v + apart * step / n**0.5))


@pytest.mark.parametrize("name", ["Euclidean", "Sphere(1)", "Lorentz(-1)", "PoincareBall(-0.3)"])
def test_float32_positives_that_nearly_coincide_keep_their_digits_at_scale_100(name):
    space = SPACES[name]
    x, y = _near_pairs(space, 40, 16)
    options = {"manifold": space, "scale": 100.0, "symmetric": False, "reduction": "none"}
    exact = info_nce(x.double(), y.double(), tile=None, **options)
    negatives = info_nce(x.double(), y.double(), tile=None, decoupled=True, **options)
    assert (negatives < -20).all()  # so the loss is what the positive's logit is good for
    x.requires_grad_()
    loss = info_nce(x, y, tile=16, precision="float32", **options)
    # log(1 + e^-20) and less: nothing but rounding of the positive, a relative 1e-7 of 1e-3 or
    # so, and of the sum, one unit of the logarithm's argument.
    torch.testing.assert_close(loss.double(), exact, rtol=0, atol=2e-7)
    (gradient,) = torch.autograd.grad(loss.sum(), x)
    assert gradient.isfinite().all()


@pytest.mark.parametrize("precision", ["auto", "float32", "float64"])
def test_a_logit_of_float32_products_is_off_by_no_more_than_the_docstring_says(precision):
    for radius in (0.1, 1.0, 3.0, 5.0):
        space, scale = Lorentz(-1.0), 100.0
        generator = torch.Generator().manual_seed(7)
        v = torch.randn(2, 60, 8, generator=generator, dtype=F64)
        v = radius * v / v.norm(dim=-1, keepdim=True)
        x, y = (space.from_normal(a).float() for a in v)
        options = {"manifold": space, "scale": scale, "symmetric": False, "reduction": "none"}
        exact = info_nce(x.double(), y.double(), tile=None, **options)
        loss = info_nce(x, y, tile=16, precision=precision, **options)
        nearest = space.cdist(x.double(), y.double()).amin().item()
        cosh = torch.cosh(torch.tensor(radius, dtype=F64)).item()
        sinh = torch.sinh(torch.tensor(nearest, dtype=F64)).item()
        # The loss moves by no more than its logits; and it is a float32.
        bound = 4e-7 * scale * cosh**2 / sinh + 2.0**-22 * scale * 2 * radius
        if precision != "float32":
            bound = min(bound, 1e-3 / sinh + 2.0**-22 * scale * 2 * radius)
        assert (loss.double() - exact).abs().max() < bound


def test_points_at_radius_12_train_in_float32():
    space = Lorentz()
    generator = torch.Generator().manual_seed(2)
    v = torch.randn(40, 8, generator=generator, dtype=F64)
    v = 12 * v / v.norm(dim=1, keepdim=True)
    x, y = space.from_normal(v).float(), space.from_normal(v * 0.99).float()
    x.requires_grad_()
    loss = info_nce(x, y, manifold=space, scale=10.0, tile=16)
    exact = info_nce(x.double(), y.double(), manifold=space, scale=10.0, tile=None)
    torch.testing.assert_close(loss.double(), exact, rtol=1e-5, atol=1e-6)
    one = torch.autograd.grad(loss, x)[0]
    other = torch.autograd.grad(exact, x)[0]
    assert one.isfinite().all()
    torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4 * other.abs().max().item())


def test_coincident_points_have_finite_gradients(manifold):
    for dtype in (F64, torch.float32):
        x = points(manifold, 6, 3, seed=1, dtype=dtype)
        x = torch.cat([x, x[:3], manifold.origin(3, dtype=dtype).detach().expand(2, -1)])
        x = x.detach().requires_grad_()
        for logits in ("neg_dist", "neg_sqdist", "inner"):
            loss = info_nce(x, x, manifold=manifold, scale=50.0, tile=4, logits=logits)
            (gradient,) = torch.autograd.grad(loss, x)
            dense = info_nce(x, x, manifold=manifold, scale=50.0, tile=None, logits=logits)
            (wanted,) = torch.autograd.grad(dense, x)
            assert gradient.isfinite().all()
            # A coincident negative has distance 0, give or take the root of rounding.
            slack = 50 * 8 * torch.finfo(dtype).eps ** 0.5 * (1 + wanted.abs().max().item())
            torch.testing.assert_close(gradient, wanted, rtol=0, atol=slack)


def test_flags_and_autocast_change_nothing():
    space = Lorentz()
    x, y = (points(space, 40, 8, seed=s, dtype=torch.float32) for s in (1, 2))
    options = {"manifold": space, "scale": 20.0, "tile": 16}
    x.requires_grad_()
    plain = info_nce(x, y, **options)
    wanted = torch.autograd.grad(plain, x)[0]
    before = torch.get_float32_matmul_precision()
    try:
        torch.set_float32_matmul_precision("medium")
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = info_nce(x, y, **options)
            assert torch.get_float32_matmul_precision() == "medium"
            gradient = torch.autograd.grad(loss, x)[0]
    finally:
        torch.set_float32_matmul_precision(before)
    assert torch.equal(loss, plain)
    assert torch.equal(gradient, wanted)
    half = info_nce(x.detach().bfloat16(), y.bfloat16(), **options)
    assert half.dtype == torch.float32
    assert torch.equal(
        half, info_nce(x.detach().bfloat16().float(), y.bfloat16().float(), **options)
    )


def test_the_tiled_form_says_what_it_cannot_do():
    x = points(Lorentz(), 6, 3, seed=1).requires_grad_()
    loss = info_nce(x, x.detach().flip(0), manifold=Lorentz(), scale=1.0, tile=4)
    with pytest.raises(RuntimeError, match="expected first derivatives only: pass tile=None"):
        torch.autograd.grad(loss, x, create_graph=True)
    space = Product([Lorentz(), Euclidean()], dims=[2, 2], metric="max")
    z = space.random_normal(6, 4)
    assert info_nce(z, z.flip(0), manifold=space, scale=1.0).isfinite()
    with pytest.raises(ValueError, match=r"no sum of functions of bilinear forms; expected tile"):
        info_nce(z, z, manifold=space, scale=1.0, tile=4)


def test_nothing_of_the_size_of_the_table_is_kept_for_the_backward_pass():
    space = Lorentz()
    x, y = (points(space, 300, 8, seed=s).requires_grad_() for s in (1, 2))
    sizes = {}

    def note(t):
        sizes[t.untyped_storage().data_ptr()] = t.untyped_storage().nbytes()
        return t

    with torch.autograd.graph.saved_tensors_hooks(note, lambda t: t):
        info_nce(x, y, manifold=space, scale=1.0, tile=64)
    of_points = 2 * x.untyped_storage().nbytes()
    assert sum(sizes.values()) < 6 * of_points < 300 * 300 * 8


_PEAK = """
import resource, sys, threading, time, torch
from spaceforms.losses import info_nce
from spaceforms.losses.pairwise import fused
from spaceforms.manifolds import Lorentz
torch.set_num_threads(1)
rows, width = int(sys.argv[1]), int(sys.argv[2])
space = Lorentz()
def points(seed):
    v = torch.randn(rows, width, generator=torch.Generator().manual_seed(seed)) / width**0.5
    s = torch.empty(rows, width + 1)
    for i in range(0, rows, 256):
        s[i : i + 256] = space.from_normal(v[i : i + 256])
    return s.requires_grad_()
x, y = points(0), points(1)
info_nce(x[:600], y[:600], manifold=space, scale=10.0, tile=256).backward()
x.grad = y.grad = None
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
now = lambda: int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize() / 2**20
before, most, done = now(), [0.0], threading.Event()
def watch():
    while not done.is_set():
        most[0] = max(most[0], now())
        time.sleep(0.005)
watcher = threading.Thread(target=watch)
watcher.start()
info_nce(x, y, manifold=space, scale=10.0, tile=512).backward()
done.set()
watcher.join()
print(most[0] - before)
"""


def _peak(rows, width):
    import subprocess
    import sys

    out = subprocess.run(
        [sys.executable, "-c", _PEAK, str(rows), str(width)],
        capture_output=True,
        text=True,
        check=True,
    )
    return float(out.stdout)


def test_memory_grows_with_the_points_and_not_with_their_pairs():
    # A dense table of 4,096 is 64 MB in float32 and the loss keeps some ten of float64; the
    # points are 1 MB.
    assert _peak(4096, 32) < 64


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_batch_of_32768_in_512_dimensions_takes_less_than_400_mb():
    assert _peak(32768, 512) < 400


@pytest.mark.parametrize("tile", [None, 3])
@pytest.mark.parametrize("logits", ["neg_dist", "neg_sqdist", "inner"])
@pytest.mark.parametrize("space", [Lorentz(), PoincareBall(), Sphere(), Euclidean()], ids=repr)
@pytest.mark.parametrize("kind", ["each its own", "table", "groups"])
def test_a_point_that_is_not_a_number_is_seen_in_the_loss(space, logits, tile, kind):
    x, y = (space.from_normal(torch.randn(8, 4).div(3)) for _ in "xy")
    x[2] = torch.nan
    x = x.requires_grad_()
    options = {
        "each its own": {},
        "table": {"targets": torch.eye(8, dtype=torch.bool)},
        "groups": {"groups": (torch.arange(8), torch.arange(8))},
    }[kind]
    loss = info_nce(x, y, manifold=space, scale=10.0, logits=logits, tile=tile, **options)
    assert loss.isnan()
    (gradient,) = torch.autograd.grad(loss, x)
    assert gradient[2].isnan().any()


@pytest.mark.skipif(find_spec("triton") is not None, reason="triton is installed")
def test_kernels_that_cannot_run_are_left_with_a_warning(monkeypatch):
    x, y = (torch.randn(40, 5, generator=torch.Generator().manual_seed(s)) for s in (0, 1))
    options = {"manifold": Euclidean(), "scale": 2.0, "tile": 16}
    wanted = info_nce(x, y, **options)
    monkeypatch.setattr(fused, "fused_on", lambda device: True)
    fused._agrees.cache_clear()
    with pytest.warns(UserWarning, match=r"failed a trial on cpu \(split; ModuleNotFoundError"):
        found = info_nce(x, y, **options)
    assert torch.equal(found, wanted)
    fused._agrees.cache_clear()
