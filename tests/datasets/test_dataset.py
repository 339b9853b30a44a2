"""Captions, augmentation, batches: what is drawn, and that it hangs on its address alone."""

import warnings
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from spaceforms.datasets import (
    Augmentation,
    CaptionMix,
    EmojiData,
    EmojiDataset,
    draw_captions,
    load_emoji,
)
from spaceforms.datasets.augment import to_float
from spaceforms.datasets.dataset import mirrorable
from spaceforms.datasets.draws import uniform


@pytest.fixture(scope="module")
def data() -> EmojiData:
    return load_emoji(size=16)


@pytest.fixture
def dataset(data: EmojiData) -> EmojiDataset:
    return EmojiDataset(data, data.by_vendor().train, augmentation=Augmentation(), seed=3)


def test_uniform_numbers_are_uniform_and_independent() -> None:
    table = uniform(np.arange(20_000), 4, seed=1, epoch=2, stream=3)
    assert table.min() >= 0
    assert table.max() < 1
    np.testing.assert_allclose(table.mean(0), 0.5, atol=0.01)
    np.testing.assert_allclose(np.cov(table.T), np.eye(4) / 12, atol=0.003)
    neighbours = np.corrcoef(table[:-1, 0], table[1:, 0])[0, 1]
    assert abs(neighbours) < 0.03
    for change in ({"seed": 2}, {"epoch": 1}, {"stream": 4}):
        other = uniform(np.arange(20_000), 4, **{"seed": 1, "epoch": 2, "stream": 3, **change})
        assert abs(np.corrcoef(table[:, 0], other[:, 0])[0, 1]) < 0.03


def test_the_caption_mix_has_its_shares(data: EmojiData) -> None:
    concept = data.concepts[data.names.index("dog")]
    count = 6000
    drawn = draw_captions([concept] * count, np.arange(count), seed=0, epoch=0)
    words = [caption.split(", ") for caption in drawn]
    kinds = Counter(
        "words" if w[0] != "dog" else "name" if len(w) == 1 else "name_and_words" for w in words
    )
    assert {k: round(v / count, 1) for k, v in kinds.items()} == {
        "name": 0.4, "name_and_words": 0.3, "words": 0.3
    }  # fmt: skip
    keywords = [tuple(w for w in row if w != "dog") for row in words]
    assert {len(row) for row in keywords} == {0, 1, 2, 3}
    assert all(len(set(row)) == len(row) for row in keywords)
    assert {w for row in keywords for w in row} == set(concept.words)


def test_languages_are_drawn_equally(data: EmojiData) -> None:
    concept = data.concepts[data.names.index("dog")]
    mix = CaptionMix(1.0, 0.0, 0.0, languages=("en", "de", "fr"))
    drawn = Counter(draw_captions([concept] * 3000, np.arange(3000), seed=0, epoch=0, mix=mix))
    assert set(drawn) == {"dog", "Hund", "chien"}
    assert max(drawn.values()) < 1150


def test_no_name_of_a_concept_held_out_is_drawn(data: EmojiData) -> None:
    split = data.by_concept()
    mix = CaptionMix(unspoken=split.unspoken)
    dataset = EmojiDataset(data, split.train, mix=mix)
    spoken = {w.casefold() for c in dataset.batch(range(5000), 0).caption for w in c.split(", ")}
    assert not spoken & split.unspoken
    dog = data.concepts[data.names.index("dog")]
    assert CaptionMix(unspoken=frozenset({"pet"})).words_of(replace(dog, keywords=("Pet",))) == [
        word for word in dog.keywords2 if word != "pet"
    ]


def test_a_language_that_no_name_is_in_gets_a_sentence(data: EmojiData) -> None:
    with pytest.raises(ValueError, match=r"expected languages of ar, de, en, .*, got xx"):
        EmojiDataset(data, mix=CaptionMix(languages=("de", "xx")))


@pytest.mark.parametrize("shares", [(0.5, 0.5, 0.5), (1.2, -0.2, 0.0)])
def test_shares_must_add_up(shares: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match="three shares that add up to 1"):
        CaptionMix(*shares)


def test_an_item_depends_on_its_address_alone(dataset: EmojiDataset) -> None:
    alone = dataset.batch([41], 5)
    among = dataset.batch([7, 41, 300], 5)
    assert among.caption[1] == alone.caption[0]
    # Grid sampling may round differently with the size of the batch; what is drawn may not.
    torch.testing.assert_close(among.image[1], alone.image[0], atol=1e-5, rtol=0)
    again = dataset.batch([7, 41, 300], 5)
    assert torch.equal(again.image, among.image)
    assert not torch.equal(dataset.batch([41], 6).image, alone.image)


def test_an_epoch_can_be_resumed_in_the_middle(dataset: EmojiDataset) -> None:
    whole = list(dataset.batches(64, 2))[-2:]
    rest = list(dataset.batches(64, 2, start=len(dataset) // 64 - 2))
    assert [b.caption for b in rest] == [b.caption for b in whole]
    assert all(torch.equal(a.image, b.image) for a, b in zip(rest, whole, strict=True))
    assert sorted(dataset.order(2)) == list(range(len(dataset)))
    assert not np.array_equal(dataset.order(2), dataset.order(3))


def test_labels_belong_to_pictures(dataset: EmojiDataset, data: EmojiData) -> None:
    dataset.augmentation, dataset.mix = None, CaptionMix(1.0, 0.0, 0.0)
    batch = dataset.batch([5, 600, 5000], 0)
    assert batch.caption == [data.names[c] for c in batch.concept]
    assert torch.equal(batch.image, to_float(data.images[batch.index.numpy()]))
    assert batch.family.tolist() == data.family[batch.concept.numpy()].tolist()
    assert batch.concept.tolist() == data.concept[batch.index.numpy()].tolist()


def test_a_loader_gives_what_batch_gives(dataset: EmojiDataset) -> None:
    dataset.set_epoch(4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # fork in a threaded process
        loader = DataLoader(dataset, batch_size=32, num_workers=1)
        got = next(iter(loader))
    expected = dataset.batch(range(32), 4)
    assert list(got["caption"]) == expected.caption
    assert torch.equal(got["image"], expected.image)
    assert torch.equal(got["concept"], expected.concept)
    assert dataset[3]["caption"] == expected.caption[3]
    with pytest.raises(IndexError):
        dataset[len(dataset)]


def test_no_augmentation_is_the_identity(data: EmojiData) -> None:
    off = Augmentation(**dict.fromkeys(vars(Augmentation()), 0.0))
    images = to_float(data.images[:50])
    torch.testing.assert_close(
        off(images, np.arange(50), seed=0, epoch=0), images, atol=1e-5, rtol=0
    )


def test_two_views_are_independent_draws_of_one_law() -> None:
    move = Augmentation(**{**dict.fromkeys(vars(Augmentation()), 0.0), "brightness": 0.1})
    grey = torch.full((4000, 3, 2, 2), 0.5)
    one, two = (move(grey, np.arange(4000), seed=0, epoch=0, view=k)[:, 0, 0, 0] for k in (0, 1))
    # Of 4000 draws a correlation has the standard error 1/63, a uniform law's variance 1/71.
    assert torch.corrcoef(torch.stack([one, two]))[0, 1].abs() < 4 / 63
    for view in (one, two):
        assert (view - 0.5).abs().max() <= 0.1 + 1e-6
        assert view.var().item() == pytest.approx(0.1**2 / 3, rel=4 / 71)


def test_a_second_view_is_drawn_from_the_picture_and_not_from_the_first_view(
    data: EmojiData,
) -> None:
    both, first = (
        EmojiDataset(data, augmentation=Augmentation(), two_views=two, seed=3).batch(range(9), 5)
        for two in (True, False)
    )
    assert first.view is None
    assert torch.equal(both.image, first.image)
    allowed = np.asarray([mirrorable(data.concepts[c]) for c in both.concept])
    picture = to_float(data.images[both.index.numpy()])
    wanted = Augmentation()(
        picture, both.index.numpy(), seed=3, epoch=5, mirrorable=allowed, view=1
    )
    assert both.view is not None
    assert torch.equal(both.view, wanted)
    assert not torch.equal(both.view, both.image)


def test_a_mirror_only_where_it_is_allowed(data: EmojiData) -> None:
    only = Augmentation(**{**dict.fromkeys(vars(Augmentation()), 0.0), "mirror": 1.0})
    images = to_float(data.images[:2])
    out = only(images, np.arange(2), seed=0, epoch=0, mirrorable=np.array([True, False]))
    torch.testing.assert_close(out[0], images[0].flip(-1), atol=1e-5, rtol=0)
    torch.testing.assert_close(out[1], images[1], atol=1e-5, rtol=0)
    allowed = {c.name for c in data.concepts if mirrorable(c)}
    assert {"dog", "grinning face"} <= allowed
    assert not {"left arrow", "backhand index pointing left", "five-thirty"} & allowed


def test_augmented_pictures_keep_their_ground_and_range(data: EmojiData) -> None:
    white = torch.ones(64, 3, 16, 16)
    still = Augmentation(brightness=0.0)
    torch.testing.assert_close(still(white, np.arange(64), seed=0, epoch=0), white)
    out = Augmentation()(to_float(data.images[:64]), np.arange(64), seed=0, epoch=0)
    assert out.min() >= 0
    assert out.max() <= 1


def test_bad_strengths_get_a_sentence() -> None:
    with pytest.raises(ValueError, match=r"expected shift in \[0, 1\], got -0.1"):
        Augmentation(shift=-0.1)


def test_hue_turns_red_towards_green_and_leaves_grey() -> None:
    off = dict.fromkeys(vars(Augmentation()), 0.0)
    red = torch.tensor([0.9, 0.3, 0.3]).view(1, 3, 1, 1).expand(200, 3, 4, 4)
    out = Augmentation(**{**off, "hue": 120.0})(red, np.arange(200), seed=0, epoch=0)
    cosine = ((out - 0.5)[:, :, 1, 1] @ torch.tensor([0.4, -0.2, -0.2])) / 0.24
    angles = torch.rad2deg(torch.acos(cosine.clamp(-1, 1)))
    assert angles.max() > 110
    assert angles.max() <= 120
    torch.testing.assert_close(out.mean(1), red.mean(1))
    grey = torch.full((5, 3, 4, 4), 0.4)
    turned = Augmentation(**{**off, "hue": 120.0})(grey, np.arange(5), seed=0, epoch=0)
    torch.testing.assert_close(turned, grey)


def test_items_count_from_either_end_and_no_further(data: EmojiData) -> None:
    dataset = EmojiDataset(data)
    count = len(dataset)
    assert [dataset[k]["index"] for k in (0, count - 1, -1, -count)] == [0, count - 1, count - 1, 0]
    item = dataset[700]
    assert item["concept"] == data.concept[700]
    assert item["family"] == data.family[data.concept[700]]
    for position in (count, -count - 1):
        with pytest.raises(IndexError, match=rf"a position below {count}, got {position}$"):
            dataset[position]
    for size in (0, count + 1):
        with pytest.raises(ValueError, match=rf"size in 1\.\.{count}, got {size}$"):
            next(dataset.batches(size, 0))
    assert [len(b) for b in EmojiDataset(data, np.arange(7)).batches(3, 0)] == [3, 3]
    assert [len(b) for b in EmojiDataset(data, np.arange(7)).batches(7, 0)] == [7]


def test_a_dataset_without_options_has_all_pictures_as_they_are(data: EmojiData) -> None:
    dataset, rows = EmojiDataset(data), np.arange(0, len(data), 100)
    batch = dataset.batch(rows, 0)
    assert torch.equal(batch.image, to_float(data.images[rows]))
    assert batch.view is None
    concepts = [data.concepts[c] for c in data.concept[rows]]
    assert batch.caption == draw_captions(concepts, rows, seed=0, epoch=0, mix=CaptionMix())
    assert batch.caption == draw_captions(concepts, rows, seed=0, epoch=0)
    assert batch.caption != EmojiDataset(data, seed=1).batch(rows, 0).caption
    assert [dataset[k]["caption"] for k in rows] == batch.caption
    assert not np.array_equal(dataset.order(0), EmojiDataset(data, seed=1).order(0))


def test_the_texts_above_a_batch_are_those_of_the_tree(data: EmojiData) -> None:
    rows = np.arange(0, len(data), 150)
    batch = EmojiDataset(data).batch(rows, 0)
    concepts = [data.concepts[c] for c in data.concept[rows]]
    for level, texts in zip(("group", "subgroup"), batch.general, strict=True):
        wanted = [getattr(c, level).replace("-", " ").lower() for c in concepts]
        assert [texts.texts[k] for k in texts.place] == wanted
        assert [data.hierarchy.text(int(n)) for n in texts.node] == wanted
        assert len(set(texts.texts)) == len(texts.texts)


def test_words_are_counted_and_drawn_equally(data: EmojiData) -> None:
    dog, count = data.concepts[data.names.index("dog")], 8000
    items = np.arange(count)
    for most in (1, 3, 8):
        mix = CaptionMix(0.0, 0.0, 1.0, max_words=most)
        drawn = draw_captions([dog] * count, items, seed=0, epoch=0, mix=mix)
        lengths = Counter(len(c.split(", ")) for c in drawn)
        possible = min(most, len(dog.words))
        assert set(lengths) == set(range(1, possible + 1))
        # The standard error of a share of 1/most is below 1/(2 sqrt(count)) = 0.0056.
        assert all(abs(lengths[k] / count - 1 / most) < 0.025 for k in range(1, possible))
        for place in (0, possible - 1):  # each word is as likely as any other, first and last
            words = [c.split(", ")[place] for c in drawn if len(c.split(", ")) > place]
            shares = [n / len(words) for n in Counter(words).values()]
            assert len(shares) == len(dog.words)
            assert max(abs(s - 1 / len(dog.words)) for s in shares) < 2.5 / len(words) ** 0.5
    one = replace(dog, keywords=("pet",), keywords2=())
    none = replace(one, keywords=("dog",))
    words_only = CaptionMix(0.0, 0.0, 1.0)
    assert set(draw_captions([one] * 50, items[:50], seed=0, epoch=0, mix=words_only)) == {"pet"}
    assert set(draw_captions([none] * 50, items[:50], seed=0, epoch=0, mix=words_only)) == {"dog"}


def test_caption_mixes_at_their_bounds() -> None:
    assert CaptionMix(0.0, 0.0, 1.0, max_words=8).max_words == 8
    assert CaptionMix(1.0, 0.0, 0.0, max_words=1).words == 0.0
    for most in (0, 9):
        with pytest.raises(ValueError, match=rf"max_words in 1\.\.8, got {most}$"):
            CaptionMix(max_words=most)
    with pytest.raises(ValueError, match="at least one language"):
        CaptionMix(languages=())
    with pytest.raises(ValueError, match=r"got \(0.4, 0.3, 0.30001\)"):
        CaptionMix(words=0.30001)


def _only(**strength: float) -> Augmentation:
    return Augmentation(**dict.fromkeys(vars(Augmentation()), 0.0) | strength)


@pytest.mark.parametrize("name", ["shift", "scale", "stretch", "mirror", "contrast", "turn", "hue"])
def test_strengths_at_their_bounds(name: str) -> None:
    top = 180 if name in ("turn", "hue") else 1
    assert getattr(_only(**{name: top}), name) == top
    for value in (-0.01, top + 0.01):
        with pytest.raises(ValueError, match=rf"expected {name} in \[0, {top}\], got {value}$"):
            _only(**{name: value})


def test_pictures_are_moved_by_what_is_asked_for() -> None:
    side, count = 64, 300
    axis = (torch.arange(side) + 0.5) / side * 2 - 1
    y, x = torch.meshgrid(axis, axis, indexing="ij")

    def moments(move: Augmentation, wide: float = 0.4, high: float = 0.4):
        """Centre, widths along both axes and their covariance, of a dark bell on white."""
        bell = torch.exp(-((x / wide) ** 2 + (y / high) ** 2) * 4).clamp(min=1e-4)
        images = (1 - bell).expand(count, 3, side, side).contiguous()
        dark = 1 - move(images, np.arange(count), seed=0, epoch=0)[:, 0].double()
        dark = dark / dark.sum((1, 2), keepdim=True)
        mean = torch.stack([(dark * t).sum((1, 2)) for t in (x, y)])
        dx, dy = x - mean[0, :, None, None], y - mean[1, :, None, None]
        return mean, *((dark * a).sum((1, 2)) for a in (dx * dx, dy * dy, dx * dy))

    # Of 300 draws the most extreme is within 5 % of the bound, but once in a million times.
    mean, *_ = moments(_only(shift=0.1))
    assert (mean.abs().amax(1) < 0.2 * 1.02).all()  # a share of the side, which is 2 here
    assert (mean.amax(1) > 0.2 * 0.95).all()
    assert (mean.amin(1) < -0.2 * 0.95).all()
    assert torch.corrcoef(mean)[0, 1].abs() < 5 / count**0.5
    _, xx, yy, xy = moments(_only())
    _, big, big_y, _ = moments(_only(scale=0.2))
    ratio = (big / xx).sqrt()
    torch.testing.assert_close(big, big_y, rtol=0.02, atol=0)
    assert 1.2 * 0.95 < ratio.max() < 1.2 * 1.02
    assert 1.2 * 0.95 < 1 / ratio.min() < 1.2 * 1.02
    _, wide, high, _ = moments(_only(stretch=0.2))
    aspect = (wide / high).sqrt()
    assert 1.2 * 0.95 < aspect.max() < 1.2 * 1.02
    assert 1.2 * 0.95 < 1 / aspect.min() < 1.2 * 1.02
    torch.testing.assert_close((wide * high).sqrt(), xx, rtol=0.02, atol=0)
    _, xx, yy, xy = moments(_only(turn=30.0), wide=0.6, high=0.2)
    angle = torch.rad2deg(torch.atan2(2 * xy, xx - yy) / 2)
    assert 30 * 0.95 < angle.max() < 30.5
    assert -30.5 < angle.min() < -30 * 0.95
    area, still = (xx * yy - xy**2), moments(_only(), wide=0.6, high=0.2)
    torch.testing.assert_close(area, still[1] * still[2], rtol=0.05, atol=0)


def test_colours_are_changed_by_what_is_asked_for() -> None:
    count = 400
    colour = torch.tensor([0.7, 0.5, 0.3])
    images = colour.view(1, 3, 1, 1).expand(count, 3, 2, 2)

    def drawn(**strength: float) -> torch.Tensor:
        return _only(**strength)(images, np.arange(count), seed=0, epoch=0)[:, :, 0, 0]

    def bounds(factor: torch.Tensor, half: float) -> None:
        assert 0.95 * half < (factor - 1).max() <= half + 1e-5
        assert 0.95 * half < (1 - factor).max() <= half + 1e-5

    out = drawn(saturation=0.4)
    torch.testing.assert_close(out.mean(1), torch.full((count,), 0.5))
    bounds((out[:, 0] - 0.5) / 0.2, 0.4)
    bounds((out[:, 2] - 0.5) / -0.2, 0.4)
    out = drawn(contrast=0.3)
    for k in range(3):
        bounds((1 - out[:, k]) / (1 - colour[k]), 0.3)
    flips = _only(mirror=0.25)(
        torch.arange(4.0).expand(count, 3, 4, 4) / 4, np.arange(count), seed=0, epoch=0
    )
    share = (flips[:, 0, 0, 0] > 0.5).float().mean()
    assert abs(share - 0.25) < 4 * (0.25 * 0.75 / count) ** 0.5
