"""TCL's contrasts against their definitions in loops; pooling; the moving average of weights."""

import copy
import math

import pytest
import torch
from cases import CASES, points, thinned
from torch.autograd import gradcheck

from spaceforms.losses import info_nce, momentum_update, rising_momentum
from spaceforms.losses.functional import (
    cross_modal_alignment,
    distilled_targets,
    intra_modal_contrastive,
    local_mutual_information,
    pool_patches,
)
from spaceforms.manifolds import Euclidean, Lorentz, Sphere

F64 = torch.float64
SCALE = 2.5


def _batches(manifold, *seeds, b=4):
    return [points(manifold, b, 3, seed=s, spread=0.8) for s in seeds]


def _softmax(manifold, x, columns):
    logits = (-SCALE * manifold.cdist(x[None], columns)[0]).tolist()
    total = sum(math.exp(value) for value in logits)
    return [math.exp(value) / total for value in logits]


def test_alignment_is_the_cross_entropy_with_the_softened_momentum_softmax(manifold):
    image, text, image_keys, text_keys, image_queue, text_queue = _batches(manifold, *range(6))
    alpha = 0.3
    got = cross_modal_alignment(
        image,
        text,
        image_keys,
        text_keys,
        manifold=manifold,
        scale=SCALE,
        weight=alpha,
        image_queue=image_queue,
        text_queue=text_queue,
        reduction="none",
    )
    sides = (
        (image, image_keys, torch.cat([text_keys, text_queue])),
        (text, text_keys, torch.cat([image_keys, image_queue])),
    )
    for side, (query, teacher, columns) in enumerate(sides):
        for i in range(4):
            p = _softmax(manifold, query[i], columns)
            q = _softmax(manifold, teacher[i], columns)
            wanted = -sum(
                (alpha * q[j] + (1 - alpha) * (i == j)) * math.log(p[j]) for j in range(8)
            )
            assert got[i, side].item() == pytest.approx(wanted, rel=1e-10, abs=0)
    mean = cross_modal_alignment(
        image,
        text,
        image_keys,
        text_keys,
        manifold=manifold,
        scale=SCALE,
        weight=alpha,
        image_queue=image_queue,
        text_queue=text_queue,
    )
    torch.testing.assert_close(mean, got.mean(), rtol=1e-12, atol=0)


def test_without_momentum_and_queue_alignment_is_clip(manifold):
    image, text = _batches(manifold, 1, 2)
    got = cross_modal_alignment(
        image, text, image, text, manifold=manifold, scale=SCALE, weight=0.0
    )
    wanted = info_nce(image, text, manifold=manifold, scale=SCALE)
    torch.testing.assert_close(got, wanted, rtol=1e-12, atol=0)


def test_targets_have_no_gradient_sum_to_one_and_share_the_mass_of_positives():
    space = Lorentz(-0.7, learnable=True)
    query, keys = (x.requires_grad_() for x in _batches(CASES["Lorentz(-0.7, learnable)"], 1, 2))
    positives = torch.tensor([[1, 1, 0, 0], [0, 1, 0, 0], [0, 0, 1, 1], [0, 0, 0, 0]]).bool()
    options = {"manifold": space, "scale": SCALE}
    got = distilled_targets(query, keys, **options, weight=0.4, positives=positives)
    assert not got.requires_grad
    torch.testing.assert_close(
        got.sum(1), torch.tensor([1, 1, 1, 0.4], dtype=F64), rtol=1e-14, atol=0
    )
    hard = distilled_targets(query, keys, **options, weight=0.0, positives=positives)
    assert torch.equal(hard[:3].sum(1), torch.ones(3, dtype=F64))
    assert hard[0].tolist() == [0.5, 0.5, 0, 0]
    assert torch.equal(distilled_targets(query, keys, **options, weight=0.0), torch.eye(4).double())


def test_the_intra_modal_contrast_is_info_nce_over_batch_and_queue(manifold):
    x, keys, queue = _batches(manifold, 1, 2, 3)
    options = {"manifold": manifold, "scale": SCALE}
    got = intra_modal_contrastive(x, keys, queue=queue, **options, reduction="none")
    for i in range(4):
        p = _softmax(manifold, x[i], torch.cat([keys, queue]))
        assert got[i].item() == pytest.approx(-math.log(p[i]), rel=1e-10, abs=0)
    # What a positives' table says is the row's own is no negative: all columns positive, as if
    # each shared the mass.
    table = torch.zeros(4, 8, dtype=torch.bool)
    table[:, :4] = torch.eye(4)
    table[0, 5] = True
    two = intra_modal_contrastive(
        x, keys, queue=queue, positives=table, **options, reduction="none"
    )
    p = _softmax(manifold, x[0], torch.cat([keys, queue]))
    assert two[0].item() == pytest.approx(-(math.log(p[0]) + math.log(p[5])) / 2, rel=1e-10, abs=0)
    torch.testing.assert_close(two[1:], got[1:], rtol=1e-12, atol=0)


def test_local_information_is_its_formula_with_masks_and_kin(manifold):
    x = points(manifold, 4, 3, seed=1, spread=0.8)
    local = points(manifold, 4, 5, 3, seed=2, spread=0.8)
    mask = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [1, 0, 0, 0, 0], [0, 0, 0, 0, 0]]).bool()
    same = torch.zeros(4, 4, dtype=torch.bool)
    same[0, 1] = same[1, 0] = True
    got = local_mutual_information(
        x, local, manifold=manifold, scale=SCALE, mask=mask, same=same, reduction="none"
    )
    for i in range(4):

        def value(k, m, i=i):
            return math.exp(-SCALE * manifold.dist(x[i], local[k, m]).item())

        others = sum(
            value(k, m)
            for k in range(4)
            for m in range(5)
            if k != i and not same[i, k] and mask[k, m]
        )
        own = [value(i, m) for m in range(5) if mask[i, m]]
        wanted = -sum(math.log(e / (e + others)) for e in own) / max(len(own), 1)
        assert got[i].item() == pytest.approx(wanted, rel=1e-10, abs=1e-14)
    mean = local_mutual_information(x, local, manifold=manifold, scale=SCALE, mask=mask, same=same)
    torch.testing.assert_close(mean, got[:3].mean(), rtol=1e-12, atol=0)
    # What is masked is nothing: not its value, and no gradient.
    changed = local.where(mask[..., None], points(manifold, 4, 5, 3, seed=8)).requires_grad_()
    again = local_mutual_information(
        x, changed, manifold=manifold, scale=SCALE, mask=mask, same=same
    )
    torch.testing.assert_close(again, mean, rtol=1e-14, atol=0)
    (gradient,) = torch.autograd.grad(again, changed)
    assert (gradient[~mask] == 0).all()
    assert gradient.isfinite().all()


def test_one_item_has_no_negatives_and_no_loss():
    sphere = Sphere()
    x = points(sphere, 1, 3, seed=1).requires_grad_()
    local = points(sphere, 1, 5, 3, seed=2)
    loss = local_mutual_information(x, local, manifold=sphere, scale=SCALE)
    assert loss == 0
    assert (torch.autograd.grad(loss, x)[0] == 0).all()


@pytest.mark.parametrize("name", thinned(CASES))
def test_pooled_patches_are_the_means_of_their_squares(name):
    manifold = CASES[name]
    grid = points(manifold, 2, 4, 6, 3, seed=1, spread=0.5)
    pooled = pool_patches(grid, manifold=manifold, size=2)
    assert pooled.shape == (2, 6, grid.shape[-1])
    k = 0
    for row in (0, 2):
        for column in (0, 2, 4):
            cell = grid[:, row : row + 2, column : column + 2].flatten(1, 2)
            wanted = manifold.mean(cell)
            torch.testing.assert_close(pooled[:, k], wanted, rtol=0, atol=1e-12)
            k += 1
    assert manifold.is_point(pooled).all()
    assert torch.equal(pool_patches(grid, manifold=manifold, size=1), grid.flatten(1, 2))


def test_all_contrasts_differentiate_and_are_float32_inside():
    space = Lorentz(-0.7)
    v = [
        torch.randn(3, 2, dtype=F64, generator=torch.Generator().manual_seed(s)).requires_grad_()
        for s in range(3)
    ]
    u = torch.randn(3, 4, 2, dtype=F64, generator=torch.Generator().manual_seed(4)).requires_grad_()
    keys = [points(space, 3, 2, seed=s) for s in range(2)]

    def loss(a, b, u, cast=lambda x: x):
        x, y, z = (cast(space.from_normal(w)) for w in (a, b, u))
        options = {"manifold": space, "scale": SCALE}
        k = [cast(key) for key in keys]
        return (
            cross_modal_alignment(x, y, *k, **options)
            + intra_modal_contrastive(x, k[0], **options)
            + local_mutual_information(x, z, **options)
        )

    assert gradcheck(loss, (*v[:2], u))
    with torch.no_grad():
        plain = loss(*v[:2], u, cast=lambda x: x.bfloat16().float())
        with torch.autocast("cpu", dtype=torch.bfloat16):
            low = loss(*v[:2], u, cast=lambda x: x.bfloat16())
    assert low.dtype == torch.float32
    assert torch.equal(low, plain)


def test_the_moving_average_is_exactly_its_formula():
    torch.manual_seed(0)
    source = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2)).double()
    target = copy.deepcopy(source)
    wanted = {name: p.detach().clone() for name, p in target.named_parameters()}
    for _ in range(5):
        with torch.no_grad():
            for p in source.parameters():
                p.add_(torch.randn_like(p))
        source(torch.randn(4, 3, dtype=F64))
        momentum_update(target, source, momentum=0.9)
        for name, p in source.named_parameters():
            wanted[name] = 0.9 * wanted[name] + 0.1 * p.detach()
    for name, p in target.named_parameters():
        torch.testing.assert_close(p.detach(), wanted[name], rtol=1e-14, atol=1e-15)
    assert torch.equal(target[1].running_mean, source[1].running_mean)
    assert target[1].num_batches_tracked == 5
    momentum_update(target, source, momentum=0.0)
    assert torch.equal(target[0].weight, source[0].weight)


def test_a_rising_momentum_forgets_the_initial_weights_and_then_is_the_momentum():
    """Of those a copy keeps the product of t/(t + 9), which is one over binomial(t + 9, 9)."""
    source = torch.nn.Linear(1, 1, bias=False).double()
    target = copy.deepcopy(source)
    with torch.no_grad():
        source.weight.zero_()
        target.weight.fill_(1.0)
    for step in range(30):
        momentum_update(target, source, momentum=rising_momentum(0.995, step))
        kept = 1 / math.comb(step + 10, 9)
        # 30 products, each rounded once, and as many m; 1 - m is taken where m is 0.1 or more.
        torch.testing.assert_close(target.weight.item(), kept, rtol=60 * 2**-53 * 10, atol=0)
    assert rising_momentum(0.995, 1789) < 0.995
    assert rising_momentum(0.995, 1790) == 0.995 == rising_momentum(0.995, 10**6)
    assert rising_momentum(0.0, 5) == 0.0


def test_refusals_are_sentences():
    flat = Euclidean()
    x = torch.ones(3, 2)
    options = {"manifold": flat, "scale": 1.0}
    with pytest.raises(ValueError, match=r"image_queue has 3 points and text_queue 0; expected as"):
        cross_modal_alignment(x, x, x, x, image_queue=x, **options)
    with pytest.raises(ValueError, match=r"text_keys \(2, 2\); expected one shape \(B, m\)"):
        cross_modal_alignment(x, x, x, x[:2], **options)
    with pytest.raises(ValueError, match=r"positives has shape \(3, 3\); expected \(3, 6\)"):
        intra_modal_contrastive(x, x, queue=x, positives=torch.eye(3), **options)
    with pytest.raises(ValueError, match=r"local \(2, 4, 2\); expected \(B, m\) and \(B, M, m\)"):
        local_mutual_information(x, torch.ones(2, 4, 2), **options)
    with pytest.raises(ValueError, match=r"with size 3; expected \(B, H, W, m\) and a size that"):
        pool_patches(torch.ones(1, 4, 6, 2), manifold=flat, size=3)
    one, two = torch.nn.Linear(2, 2), torch.nn.Linear(2, 2, bias=False)
    with pytest.raises(ValueError, match="differ in their parameters; expected a copy"):
        momentum_update(two, one, momentum=0.5)
    with pytest.raises(ValueError, match=r"momentum is 1.5; expected 0 to 1"):
        momentum_update(one, one, momentum=1.5)
