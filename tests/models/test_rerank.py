"""Re-ranking: both logits, among the nearest, and why their sum."""

import numpy as np
import pytest
import torch

from spaceforms.losses import hard_negatives, pairwise_logits
from spaceforms.models.evaluation.evaluate import held_out, image_points, text_points
from spaceforms.models.evaluation.rerank import reranked
from spaceforms.models.evaluation.run import load_run
from spaceforms.models.tcl.matching import Features
from spaceforms.models.training.loop import train


@pytest.fixture
def task(tiny):
    """A run, seven pictures of its data, nine texts, and the contrast's logits of these."""
    config = tiny(model="tcl", queue_size=0, epochs=1)
    train(config)
    run = load_run(config.out)
    data, tests = held_out(run)
    index = next(iter(tests.values()))[:7]
    texts = [data.names[c] for c in np.unique(data.concept)[:9]]
    contrast = run.model.contrastive
    with torch.no_grad():
        logits = pairwise_logits(
            image_points(run, data, index),
            text_points(run, texts),
            manifold=run.model.manifold,
            scale=contrast.scale(),
            logits=contrast.logits,
        ).numpy()
    return run, data, index, texts, logits


def test_scores_are_the_sum_of_both_logits_among_the_nearest(task):
    run, data, index, texts, logits = task
    pictures, captions = reranked(*task, nearest=4)
    assert pictures.shape == (7, 9)
    assert captions.shape == (9, 7)
    model = run.model
    images = torch.from_numpy(data.images[index]).permute(0, 3, 1, 2) / 255
    with torch.no_grad():
        cells = model.image_features(images)
        for i in range(7):
            nearest = set(np.argsort(-logits[i])[:4])
            for j in range(9):
                words, mask = model.text_features(run.tokenizer.encode([texts[j]]))
                match = model.match(Features(cells[i : i + 1], words, mask)).item()
                # Padding and the batch change the order of sums, nothing else.
                both = pytest.approx(logits[i, j] + match, rel=1e-4, abs=1e-5)
                assert pictures[i, j] == (both if j in nearest else -np.inf)
                of_text = set(np.argsort(-logits[:, j])[:4])
                assert captions[j, i] == (both if i in of_text else -np.inf)


def test_a_fusion_encoder_that_knows_nothing_leaves_the_order_as_it_is(task):
    run, *_, logits = task
    with torch.no_grad():
        run.model.matcher.belongs.weight.zero_()
    for table, plain in zip(reranked(*task, nearest=4), (logits, logits.T), strict=True):
        order = np.argsort(-table, axis=1, kind="stable")[:, :4]
        assert np.array_equal(order, np.argsort(-plain, axis=1, kind="stable")[:, :4])


@pytest.mark.slow
def test_the_best_match_against_hard_negatives_is_what_the_contrast_does_not_know():
    """Kinds of pictures and texts with a known law, a contrast that is a little wrong about it:
    counting pairs and the negatives drawn for them gives the docstring's formula."""
    generator = torch.Generator().manual_seed(0)
    kinds, rows, rounds = 4, 1000, 40
    joint = torch.rand(kinds, kinds, generator=generator).double() + 4 * torch.eye(kinds)
    joint /= joint.sum()
    p_picture, p_text = joint.sum(1, keepdim=True), joint.sum(0, keepdim=True)
    ratio = (joint / (p_picture * p_text)).log()
    contrast = ratio + 0.3 * torch.randn(kinds, kinds, generator=generator)
    positive, negative = torch.zeros(kinds, kinds), torch.zeros(kinds, kinds)
    for _ in range(rounds):
        drawn = torch.multinomial(joint.flatten(), rows, replacement=True, generator=generator)
        picture, text = drawn // kinds, drawn % kinds
        table, own = contrast[picture][:, text], torch.eye(rows, dtype=torch.bool)
        texts = text[hard_negatives(table, own, generator=generator).column]
        pictures = picture[hard_negatives(table.T, own, generator=generator).column]
        one = torch.ones(rows)
        positive.index_put_((picture, text), one, accumulate=True)
        negative.index_put_((picture, texts), one, accumulate=True)
        negative.index_put_((pictures, text), one, accumulate=True)
    match = (positive / negative).log()
    mean_row = (contrast.exp() * p_text).sum(1, keepdim=True)
    mean_column = (contrast.exp() * p_picture).sum(0, keepdim=True)
    wanted = ratio - contrast - (1 / mean_row + 1 / mean_column).log()
    # The standard error of a logarithm of two counts; a batch in place of the law moves it by 1/B.
    error = (1 / positive + 1 / negative).sqrt()
    assert ((match - wanted).abs() < 4 * error + 4 * kinds / rows).all()
    # The sum orders texts as the law does; match alone does not, however well it is learned.
    known = match + contrast + (1 / mean_row + 1 / mean_column).log()
    assert torch.equal(known.argmax(1), ratio.argmax(1))
    assert not torch.equal(match.argmax(1), ratio.argmax(1))
