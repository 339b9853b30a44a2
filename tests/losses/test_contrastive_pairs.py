"""The other losses of pairs: definitions written out, dense against tiled, refusals."""

import math

import pytest
import torch
from cases import points
from torch.nn.functional import cross_entropy, logsigmoid

from spaceforms.losses import (
    InfoNCE,
    NTXent,
    SigmoidPairs,
    SupervisedContrastive,
    Triplet,
    info_nce,
    nt_xent,
    sigmoid_bias,
    sigmoid_pairs,
    supervised_contrastive,
    triplet,
)
from spaceforms.manifolds import Checked, Euclidean, Lorentz, PoincareBall, Product, Sphere

F64 = torch.float64
B = 9
EXACT = {"rtol": 1e-12, "atol": 1e-13}


def _same(function, x, y, tile=4):
    """Dense and tiled, with their gradients."""
    found = []
    for way in (None, tile):
        pair = x.clone().requires_grad_(), y.clone().requires_grad_()
        numbers = torch.tensor([3.0, 2.0], dtype=F64, requires_grad=True)
        loss = function(*pair, numbers, way)
        g = torch.autograd.grad(loss.sum(), (*pair, numbers), allow_unused=True)
        found.append((loss.detach(), *(z for z in g if z is not None)))
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(other, one, rtol=1e-11, atol=1e-12)
    return found[0][0]


@pytest.mark.parametrize("logits", ["neg_dist", "neg_sqdist", "inner"])
def test_sigmoid_pairs_are_logistic_regressions_dense_and_tiled(manifold, logits):
    x, y = points(manifold, B, 3, seed=1), points(manifold, B, 3, seed=2)
    table = {
        "neg_dist": lambda: -manifold.cdist(x, y),
        "neg_sqdist": lambda: -manifold.cdist(x, y, squared=True),
        "inner": lambda: manifold.cinner(x, y),
    }[logits]().detach()
    sign = 2 * torch.eye(B, dtype=F64) - 1
    wanted = -logsigmoid(sign * (3 * table + 2)).sum(1)

    def loss(x, y, numbers, tile):
        return sigmoid_pairs(
            *(x, y),
            manifold=manifold,
            scale=numbers[0],
            bias=numbers[1],
            logits=logits,
            tile=tile,
            reduction="none",
        )

    torch.testing.assert_close(_same(loss, x, y), wanted, **EXACT)


@pytest.mark.parametrize("kind", ["integers", "table", "groups"])
def test_sigmoid_pairs_take_every_kind_of_target_and_mask(kind):
    space = PoincareBall(-0.4)
    x, y = points(space, B, 3, seed=1), points(space, B + 2, 3, seed=2)
    index = torch.tensor([3, -1, 0, 0, 5, 10, 2, 2, 7])
    family = torch.arange(B) % 3, torch.arange(B + 2) % 4
    share = {
        "integers": (index[:, None] == torch.arange(B + 2)).double(),
        "table": torch.rand(B, B + 2, dtype=F64, generator=torch.Generator().manual_seed(1)),
        "groups": (family[0][:, None] == family[1]).double(),
    }[kind]
    given = {
        "integers": {"targets": index},
        "table": {"targets": share},
        "groups": {"groups": family},
    }[kind]
    kept = torch.arange(B) != 4, torch.arange(B + 2) != 1
    t = -3 * space.cdist(x, y) + 2
    each = -share * logsigmoid(t) - (1 - share) * logsigmoid(-t)
    rows = (each * kept[0][:, None] * kept[1]).sum(1)
    weight = torch.arange(1.0, B + 1, dtype=F64)
    wanted = (rows * weight).sum() / (weight * kept[0]).sum()

    def loss(x, y, numbers, tile):
        return sigmoid_pairs(
            *(x, y),
            manifold=space,
            scale=numbers[0],
            bias=numbers[1],
            tile=tile,
            mask=kept,
            weights=weight,
            **given,
        )

    torch.testing.assert_close(_same(loss, x, y), wanted, **EXACT)


def test_the_sigmoid_bias_puts_a_mean_pair_at_its_frequency():
    space = Lorentz()
    x, y = points(space, 40, 3, seed=1), points(space, 40, 3, seed=2)
    bias = sigmoid_bias(x, y, manifold=space, scale=10.0)
    mean = space.cdist(x, y).mean().item()
    assert bias == pytest.approx(10 * mean - math.log(39), rel=1e-12, abs=0)
    assert torch.sigmoid(torch.tensor(-10 * mean + bias, dtype=F64)).item() == pytest.approx(1 / 40)
    more = sigmoid_bias(x, y, manifold=space, scale=10.0, columns=1000)
    assert more == pytest.approx(10 * mean - math.log(999), rel=1e-12, abs=0)


@pytest.mark.parametrize("logits", ["neg_dist", "inner"])
def test_nt_xent_is_cross_entropy_over_both_views_without_oneself(logits):
    space = Sphere()
    x, y = points(space, B, 3, seed=1), points(space, B, 3, seed=2)
    z = torch.cat([x, y])
    table = 3 * (z @ z.T if logits == "inner" else -space.cdist(z, z))
    table = table.masked_fill(torch.eye(2 * B, dtype=torch.bool), -torch.inf)
    partner = torch.cat([torch.arange(B) + B, torch.arange(B)])

    def loss(x, y, numbers, tile):
        return nt_xent(x, y, manifold=space, scale=numbers[0], logits=logits, tile=tile)

    torch.testing.assert_close(_same(loss, x, y, 5), cross_entropy(table, partner), **EXACT)
    kept = torch.arange(B) < 6
    options = {"manifold": space, "scale": 3.0, "logits": logits}
    torch.testing.assert_close(
        nt_xent(x, y, mask=kept, **options), nt_xent(x[kept], y[kept], **options), **EXACT
    )


def test_supervised_contrastive_is_the_mean_over_the_others_of_the_label():
    space = PoincareBall()
    x = points(space, B, 3, seed=1)
    labels = torch.tensor([0, 0, 1, 1, 1, 2, 0, 3, 1])  # 2 and 3 are alone
    d = -3 * space.cdist(x, x)
    losses = []
    for i in range(B):
        others = [k for k in range(B) if k != i]
        own = [k for k in others if labels[k] == labels[i]]
        lse = torch.logsumexp(d[i, others], 0)
        losses.append(torch.stack([lse - d[i, p] for p in own]).mean() if own else d.new_zeros(()))
    wanted = torch.stack(losses)

    def loss(x, y, numbers, tile):
        return supervised_contrastive(
            x, labels, manifold=space, scale=numbers[0], tile=tile, reduction="none"
        )

    torch.testing.assert_close(_same(loss, x, x), wanted, **EXACT)
    mean = supervised_contrastive(x, labels, manifold=space, scale=3.0)
    torch.testing.assert_close(mean, wanted.sum() / 7, **EXACT)


def test_triplets_are_mined_as_their_definitions_say(manifold):
    x, y = points(manifold, B, 3, seed=1), points(manifold, B, 3, seed=2)
    family = torch.arange(B) % 7, torch.arange(B) % 7
    d = manifold.cdist(x, y)
    for mining in ("hard", "semi-hard"):
        wanted = []
        for i in range(B):
            others = [d[i, j].item() for j in range(B) if family[1][j] != family[0][i]]
            far = min(others)
            if mining == "semi-hard":
                beyond = [o for o in others if o > d[i, i].item()]
                far = min(beyond) if beyond else max(others)
            wanted.append(max(0.0, d[i, i].item() - far + 0.5))
        loss = triplet(
            *(x, y),
            manifold=manifold,
            margin=0.5,
            mining=mining,
            groups=family,
            reduction="none",
        )
        torch.testing.assert_close(loss, torch.tensor(wanted, dtype=F64), rtol=1e-11, atol=1e-11)
    given = triplet(x, y, y.roll(1, 0), manifold=manifold, margin=0.5, squared=True)
    near, far = manifold.sqdist(x, y), manifold.sqdist(x, y.roll(1, 0))
    torch.testing.assert_close(given, (near - far + 0.5).relu().mean(), **EXACT)
    one = torch.zeros(B, dtype=torch.int64)
    assert triplet(x, y, manifold=manifold, groups=(one, one)) == 0


def test_a_squared_triplet_pulls_and_pushes():
    space = Euclidean()
    a = torch.zeros(1, 2, dtype=F64, requires_grad=True)
    p, n = torch.tensor([[1.0, 0]], dtype=F64), torch.tensor([[0, 1.1]], dtype=F64)
    loss = triplet(a, p, n, manifold=space, margin=1.0, squared=True)
    assert loss.item() == pytest.approx(1 - 1.21 + 1)
    (g,) = torch.autograd.grad(loss, a)
    torch.testing.assert_close(g, 2 * (n - p), **EXACT)


def test_modules_are_their_functions_with_scalars_of_their_own():
    space = Lorentz(learnable=True)
    x, y = points(space, B, 3, seed=1), points(space, B, 3, seed=2)
    labels = torch.arange(B) % 3
    options = {"manifold": space}
    module = SigmoidPairs(space, bias=12.0)
    assert sorted(n for n, _ in module.named_parameters()) == ["bias.raw", "scale.raw"]
    assert module.bias().item() == 12.0
    assert module.scale().item() == 10.0
    assert module(x, y) == sigmoid_pairs(x, y, scale=10.0, bias=12.0, **options)
    assert list(NTXent(space).parameters()) == []
    assert NTXent(space)(x, y) == nt_xent(x, y, scale=10.0, **options)
    supervised = SupervisedContrastive(space, scale=5.0, learnable=True)
    assert supervised(x, labels) == supervised_contrastive(x, labels, scale=5.0, **options)
    assert len(list(supervised.parameters())) == 1
    assert Triplet(space, margin=0.3)(x, y) == triplet(x, y, margin=0.3, **options)
    assert list(Triplet(space).parameters()) == []
    tiled = InfoNCE(space, tile=4, label_smoothing=0.1, learnable=False, scale=2.0)
    torch.testing.assert_close(
        tiled(x, y, groups=(labels, labels)),
        info_nce(x, y, scale=2.0, label_smoothing=0.1, groups=(labels, labels), **options),
        **EXACT,
    )
    for one in (module, tiled, Triplet(space)):
        assert "Lorentz" in repr(one)


def _call(change):
    arguments = {"x": torch.ones(3, 3), "y": torch.ones(3, 3), "manifold": Sphere(), "scale": 1.0}
    arguments |= change
    info_nce(arguments.pop("x"), arguments.pop("y"), **arguments)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"y": torch.ones(3, 4)}, r"y has shape \(3, 4\); expected points of one manifold, with"),
        ({"x": torch.ones(0, 3), "y": torch.ones(0, 3)}, r"expected at least one point in each"),
        ({"scale": -1.0}, r"scale is -1.0; expected a positive number"),
        ({"tile": 0}, r"tile is 0; expected 'auto', None or a positive number of rows"),
        (
            {"precision": "half"},
            r"precision is 'half'; expected one of auto, float32, split",
        ),
        ({"label_smoothing": 1.0}, r"label_smoothing is 1.0; expected a number in \[0, 1\)"),
        ({"targets": torch.tensor([0, 1, -2])}, r"targets have -2 at row 2; expected columns"),
        ({"weights": torch.ones(4)}, r"weights of the rows have shape \(4,\); expected \(3,\)"),
        ({"weights": -torch.ones(3)}, r"weights of the rows have -1.0; expected none below 0"),
        ({"mask": torch.ones(3)}, r"mask has dtype torch.float32; expected bool"),
        ({"mask": torch.ones(2, dtype=torch.bool)}, r"mask has shape \(2,\); expected \(3, 3\)"),
        ({"groups": (torch.ones(3), torch.ones(3))}, r"groups of x have .* expected integers"),
        (
            {"groups": (torch.arange(3), torch.arange(3)), "targets": torch.arange(3)},
            r"both targets and groups are given; expected one of them",
        ),
        (
            {"y": torch.tensor([[1.0, 0, 0], [1, torch.nan, 0], [1, 0, 0]]), "check_finite": True},
            r"y has 1 rows of 3 that are not finite, the first is row 1",
        ),
    ],
)
def test_refusals_are_sentences(change, sentence):
    with pytest.raises(ValueError, match=sentence):
        _call(change)


def test_more_refusals_are_sentences():
    x = torch.ones(3, 3)
    with pytest.raises(TypeError, match=r"manifold is a NoneType; expected a Manifold"):
        _call({"manifold": None})
    with pytest.raises(ValueError, match=r"batches of \[2, 3\] points; expected as many positives"):
        triplet(x, x[:2], manifold=Sphere())
    with pytest.raises(ValueError, match=r"margin is 0; expected a positive number"):
        Triplet(Sphere(), margin=0)
    with pytest.raises(ValueError, match=r"expected two views of the same"):
        nt_xent(x, x[:2], manifold=Sphere(), scale=1.0)
    with pytest.raises(ValueError, match=r"mask has shape \(2,\); expected \(3,\)"):
        nt_xent(x, x, manifold=Sphere(), scale=1.0, mask=torch.ones(2, dtype=torch.bool))
    space, z = Product([Sphere(), Sphere()], metric="l1"), torch.ones(3, 4)
    with pytest.raises(NotImplementedError, match=r"expected metric='l2'"):
        info_nce(z, z, manifold=space, scale=1.0, logits="inner")
    with pytest.raises(ValueError, match=r"points off the manifold"):
        info_nce(2 * x, x, manifold=Checked(Sphere()), scale=1.0, tile=2)


def test_signs_that_turn_the_loss_over_are_refused_where_looking_is_free():
    """A negative scale pushes pairs apart; a negative weight rewards it."""
    x, y = torch.randn(2, 4, 3, dtype=F64, generator=torch.Generator().manual_seed(0))
    space, weights = Euclidean(), torch.eye(4, dtype=F64)
    weights[1, 2] = -0.5
    for scale in (-1.0, torch.tensor(-1.0), torch.tensor([-1.0])):
        with pytest.raises(ValueError, match=r"info_nce: scale is -1.0; expected a positive"):
            info_nce(x, y, manifold=space, scale=scale)
    for loss, options in ((info_nce, {}), (sigmoid_pairs, {"bias": 0.0})):
        for tile in (None, 2):
            with pytest.raises(ValueError, match=r"targets have -0.5; expected weights"):
                loss(x, y, manifold=space, scale=1.0, targets=weights, tile=tile, **options)
    # A number that is none is the loss's to show: training names it with the step.
    nan = torch.tensor(torch.nan)
    assert info_nce(x, y, manifold=space, scale=nan).isnan()

    # Inside a transform there is nothing to look at yet, and nothing is looked at.
    def of(scale):
        return info_nce(x, y, manifold=space, scale=scale)

    scales = torch.tensor([1.0, 2.0], dtype=F64)
    got = torch.func.vmap(torch.func.grad(of))(scales)
    for slope, scale in zip(got, scales, strict=True):
        leaf = scale.clone().requires_grad_()
        (wanted,) = torch.autograd.grad(of(leaf), leaf)
        torch.testing.assert_close(slope, wanted, **EXACT)
    assert torch.func.vmap(of)(-scales).isfinite().all()


@pytest.mark.parametrize(
    "options",
    [{}, pytest.param({"targets": torch.eye(6, dtype=F64)}, marks=pytest.mark.slow)],
)
def test_info_nce_is_one_graph_for_the_compiler(options):
    """Also with a learned scale and with weights, whose signs a graph cannot look at."""
    space = Lorentz(-1.0)
    x, y = (points(space, 6, 3, seed=k).detach().requires_grad_() for k in (1, 2))
    scale = torch.tensor(2.0, dtype=F64, requires_grad=True)

    def loss(x, y, scale):
        return info_nce(x, y, manifold=space, scale=scale, **options)

    compiled = torch.compile(loss, fullgraph=True, backend="eager")
    found = []
    for function in (loss, compiled):
        value = function(x, y, scale)
        found.append((value.detach(), *torch.autograd.grad(value, (x, y, scale))))
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(other, one, rtol=1e-12, atol=1e-14)
