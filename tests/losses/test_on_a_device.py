"""No loss looks at a value on a device, where each look would wait for all that is queued.

Tensors of the device "meta" have no values: whoever looks at one, by ``.item()``, in an ``if``, by
``nonzero`` or a boolean index, or mixes it with a tensor of another device, is told by torch.
"""

import copy
import zlib

import pytest
import torch
from fuzz_table import ROWS, Draw, L

from spaceforms import losses
from spaceforms.losses import common
from spaceforms.losses.pairwise import logits, positives

LOOK = {
    "sigmoid_bias": "gives a number, once before training",
    "pool_patches": "is a Fréchet mean, whose number of steps depends on the points",
    "Hierarchy": "prepares data, on the CPU",
}
NAMES = sorted(
    name
    for name in ROWS
    if name.startswith("losses.")
    and name not in [f"losses.{n}" for n in LOOK]
    and not name.startswith("losses.metrics")  # of a finished run, on the CPU
    and name.removeprefix("losses.") not in ("functional", "metrics", "distributed")
)


def on_meta(value):
    """The same without values; floating-point tensors want a gradient."""
    if isinstance(value, torch.Tensor):
        return value.to("meta").requires_grad_(value.is_floating_point())
    if isinstance(value, torch.nn.Module):
        return copy.deepcopy(value).to("meta")
    if isinstance(value, list | tuple):
        return type(value)(map(on_meta, value))
    return value


def _tensors(found):
    if isinstance(found, torch.Tensor):
        return [found]
    return [t for each in found for t in _tensors(each)] if isinstance(found, list | tuple) else []


def _run(call, given):
    """Forwards and backwards."""
    found = _tensors(call(**given))
    assert all(t.is_meta for t in found)
    sources = [t for t in found if t.requires_grad]
    if sources:
        sum(t.sum() for t in sources).backward()


def _draw(name, space, seed=0):
    row, generator = ROWS[name], torch.Generator().manual_seed(seed)
    return row.make(Draw(generator, torch.float32, L if space is None else space))


def _call(name):
    """That of the row, with a module's own numbers on the device of its points."""
    thing = getattr(losses, name.removeprefix("losses."), None)
    if not (isinstance(thing, type) and issubclass(thing, torch.nn.Module)):
        return ROWS[name].call
    if thing is losses.PointQueue:
        return _queue

    def call(**given):
        ends = [k for k in given if k in ("x", "y", "labels", "parent", "child")]
        ends += [k for k in given if k in ("anchor", "positive")]
        tensors = [given.pop(k) for k in ends]
        return thing(**given).to("meta")(*tensors)

    return call


def _queue(manifold, dim, size, points, ids):
    queue = losses.PointQueue(manifold, dim, size=size).to("meta")
    queue.push(points.detach(), ids)
    return [queue()[0], queue.positives(ids, ids)]


@pytest.mark.parametrize("name", NAMES)
def test_a_loss_looks_at_no_value_on_a_device(name):
    """One space each, another for each name."""
    spaces = ROWS[name].spaces
    space = spaces[zlib.crc32(name.encode()) % len(spaces)]
    _run(_call(name), {k: on_meta(v) for k, v in _draw(name, space).items()})


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_loss_looks_at_no_value_on_a_device_whatever_the_space_and_options(name):
    for space in ROWS[name].spaces:
        for seed in range(3):
            _run(_call(name), {k: on_meta(v) for k, v in _draw(name, space, seed).items()})


@pytest.mark.parametrize("name", LOOK)
def test_what_is_excepted_does_look(name):
    name = f"losses.{name}"
    given = {k: on_meta(v) for k, v in _draw(name, ROWS[name].spaces[0]).items()}
    with pytest.raises((RuntimeError, NotImplementedError), match="meta"):
        ROWS[name].call(**given)


B, C = 5, 4
PAIRS = {
    "one column a row": {"targets": torch.tensor([0, 3, -1, 1, 2])},
    "a table": {"targets": torch.rand(B, C)},
    "groups": {"groups": (torch.arange(B) % 3, torch.arange(C) % 3)},
    "masks": {
        "targets": torch.zeros(B, dtype=torch.long),
        "mask": (torch.ones(B, dtype=torch.bool), None),
        "weights": (torch.rand(B), torch.rand(C)),
    },
    "pairs": {"targets": torch.zeros(B, dtype=torch.long), "mask": torch.rand(B, C) > 0.1},
}


@pytest.mark.parametrize("tile", [None, 2])
@pytest.mark.parametrize("kind", PAIRS)
def test_no_option_of_pairs_makes_info_nce_look(kind, tile):
    x, y = torch.randn(B, 4, device="meta"), torch.randn(C, 4, device="meta", requires_grad=True)
    scale = torch.tensor(3.0, device="meta", requires_grad=True)
    logit = {"masks": "neg_sqdist", "pairs": "inner"}.get(kind, "neg_dist")
    options = {k: on_meta(v) for k, v in PAIRS[kind].items()}
    precision = "split" if kind == "pairs" else "auto"
    losses.info_nce(
        x, y, manifold=L, scale=scale, tile=tile, logits=logit, precision=precision, **options
    ).backward()
    if kind in ("one column a row", "groups"):
        losses.sigmoid_pairs(
            x, y, manifold=L, scale=scale, bias=scale, tile=tile, **options
        ).backward()


@pytest.fixture
def unseen(monkeypatch):
    """As on a device: nobody may look."""
    for module in (common, logits, positives):
        monkeypatch.setattr(module, "can_look", lambda x: False)


@pytest.mark.parametrize("tile", [None, 2])
def test_what_nobody_looks_at_gives_the_same_loss(tile, request):
    generator = torch.Generator().manual_seed(0)
    x, y = (L.random_normal(n, 3, generator=generator, dtype=torch.float64) for n in (B, C))
    made = {}
    for seen in (True, False):
        if not seen:
            request.getfixturevalue("unseen")
        made[seen] = [
            losses.info_nce(x, y, manifold=L, scale=3.0, tile=tile, reduction="sum", **options)
            for options in PAIRS.values()
        ]
    assert made[True] == made[False]


@pytest.mark.usefixtures("unseen")
@pytest.mark.parametrize("kind", ["neg_dist", "inner"])
@pytest.mark.parametrize("tile", [None, 2])
def test_a_column_that_there_is_not_and_a_weight_below_0_are_nan_where_nobody_looks(kind, tile):
    generator = torch.Generator().manual_seed(0)
    x, y = (L.random_normal(n, 3, generator=generator, dtype=torch.float64) for n in (B, C))
    options = {"manifold": L, "scale": 3.0, "tile": tile, "reduction": "none", "logits": kind}
    right, wrong = torch.tensor([0, 3, -1, 1, 2]), torch.tensor([0, C, -1, -2, 2])
    bad = torch.tensor([False, True, False, True, False])
    for loss in (
        lambda t: losses.info_nce(x, y, targets=t, symmetric=False, **options),
        lambda t: losses.sigmoid_pairs(x, y, targets=t, bias=1.0, **options),
    ):
        found, wanted = loss(wrong), loss(right)
        assert torch.equal(found.isnan(), bad)
        torch.testing.assert_close(found[~bad], wanted[~bad], rtol=1e-14, atol=0)
    weights = torch.tensor([1.0, -1.0, 1.0, 1.0, 1.0])
    found = losses.info_nce(x, y, targets=right, symmetric=False, weights=weights, **options)
    assert torch.equal(found.isnan(), weights < 0)
