"""Histograms, curves, thumbnails and names: the numbers in the artists, and room between them."""

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from spaceforms.manifolds import Lorentz
from spaceforms.plotting import disk, loss_curves, names, radius_histogram, thumbnails


def _axes():
    return Figure(figsize=(5, 5), layout="constrained").add_subplot()


def test_every_histogram_has_area_one_and_the_root_is_marked():
    ax = _axes()
    radii = {"text": torch.rand(50, requires_grad=True), "image": np.linspace(2, 3, 300)}
    artists = radius_histogram(radii, ax=ax, bins=30)
    assert len(artists) == 2
    for artist in artists:
        data = artist.get_data()
        assert (data.values * np.diff(data.edges)).sum() == pytest.approx(1)
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert texts[0].startswith("text (50; median ")
    assert texts[2] == "root"
    (root,) = ax.lines
    assert list(root.get_xdata()) == [0, 0]
    assert ax.get_xlim()[0] < 0
    assert ax.get_xlabel()
    assert ax.get_ylabel()


def test_points_all_at_the_root_make_a_histogram_too():
    assert radius_histogram({"root": [0.0, 0.0]})[0].get_data().values.sum() > 0


@pytest.mark.parametrize(
    ("radii", "sentence"),
    [
        ({}, "radii is empty"),
        ({"a": []}, "level 'a' has no distances"),
        ({"a": [1.0], "b": [float("nan")]}, "level 'b' has a distance that is negative or not"),
        ({"a": [-1.0]}, "level 'a' has a distance that is negative"),
    ],
)
def test_a_histogram_refuses_in_sentences(radii, sentence):
    with pytest.raises(ValueError, match=rf"plotting\.radius_histogram: {sentence}"):
        radius_histogram(radii)


def test_loss_curves_draw_the_keys_there_are():
    ax = _axes()
    history = [{"step": s, "loss": 4.0 / s, "items/s": 9.0} for s in range(1, 6)]
    history += [{"step": 5, "contrastive": 0.5}]
    loss, contrastive = loss_curves(history, ax=ax)
    assert loss.axes is ax
    assert list(loss.get_xdata()) == [1, 2, 3, 4, 5]
    assert list(contrastive.get_ydata()) == [0.5]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["loss", "contrastive"]
    assert ax.get_ylim()[0] == 0
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("step", "loss")


def test_a_negative_loss_is_in_the_picture():
    (line,) = loss_curves([{"step": 1, "loss": -3.0}, {"step": 2, "loss": -4.0}])
    assert line.axes.get_ylim()[0] < -4


def test_loss_curves_refuse_in_sentences():
    with pytest.raises(ValueError, match=r"plotting\.loss_curves: the history of 1 rows has none"):
        loss_curves([{"step": 1}])
    with pytest.raises(ValueError, match=r"plotting\.loss_curves: row 0 .* expected step too"):
        loss_curves([{"loss": 1.0}])


def test_thumbnails_keep_apart_on_the_page_whatever_the_layout():
    manifold = Lorentz()
    points = manifold.random_normal(200, 2, generator=torch.Generator().manual_seed(0))
    images = np.random.default_rng(0).integers(0, 200, (200, 8, 8, 3), dtype=np.uint8)
    ax = disk(manifold=manifold, ax=_axes()).ax
    artists, kept = thumbnails(points, images, ax=ax, manifold=manifold, size=0.1, most=60)
    ax.set_title("a title\nthat takes\nroom", fontsize=20)
    ax.get_figure().draw_without_rendering()
    assert len(artists) == len(kept) == len(set(kept)) <= 60
    assert kept[0] == 0
    boxes = [artist.get_window_extent() for artist in artists]
    for k, box in enumerate(boxes):
        assert box.width == pytest.approx(box.height)
        for other in boxes[:k]:
            gap = max(abs(box.x0 - other.x0), abs(box.y0 - other.y0))
            assert gap >= box.width * (1 - 1e-9)


def test_white_is_transparent_and_the_rest_is_not():
    image = np.full((1, 4, 4, 3), 255, dtype=np.uint8)
    image[0, 0] = (255, 0, 0)
    (artist,), kept = thumbnails([[0.0, 0.0]], image, ax=_axes())
    rgba = artist.get_array()
    assert (rgba[0] == (255, 0, 0, 255)).all()
    assert (rgba[1:, :, 3] == 0).all()
    assert kept.tolist() == [0]


def test_names_are_written_where_they_can_be_read():
    manifold = Lorentz()
    points = manifold.random_normal(80, 2, generator=torch.Generator().manual_seed(0))
    ax = disk(manifold=manifold, ax=_axes()).ax
    texts = [f"word {k}" for k in range(80)]
    artists, kept = names(points, texts, ax=ax, manifold=manifold, most=30)
    assert [artist.get_text() for artist in artists] == [texts[k] for k in kept]
    assert 5 < len(kept) <= 30
    assert len(ax.texts) == len(kept)  # what did not fit was taken away again
    boxes = [artist.get_window_extent() for artist in artists]
    assert not any(a.overlaps(b) for k, a in enumerate(boxes) for b in boxes[:k])


def test_without_an_axes_there_is_a_new_disk():
    origin = Lorentz().origin(2).unsqueeze(0)
    (word,), _ = names(origin, ["root"], manifold=Lorentz())
    (picture,), _ = thumbnails(origin, np.zeros((1, 2, 2, 3), np.uint8), manifold=Lorentz())
    assert word.axes is not picture.axes
    assert word.axes.patches
    assert picture.axes.patches


def test_thumbnails_and_names_refuse_in_sentences():
    places = np.zeros((3, 2))
    with pytest.raises(ValueError, match=r"plotting\.thumbnails: there are 2 images for 3 places"):
        thumbnails(places, np.zeros((2, 4, 4, 3), np.uint8))
    with pytest.raises(ValueError, match=r"plotting\.thumbnails: images have shape \(3, 4, 4\)"):
        thumbnails(places, np.zeros((3, 4, 4), np.uint8))
    with pytest.raises(ValueError, match=r"plotting\.names: there are 1 texts for 3 places"):
        names(places, ["a"])
