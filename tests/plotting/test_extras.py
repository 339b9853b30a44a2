"""Histograms, curves, thumbnails and names: the numbers in the artists, and room between them."""

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from spaceforms.manifolds import Lorentz
from spaceforms.plotting import (
    disk,
    loss_curves,
    names,
    radius_histogram,
    rank_histogram,
    thumbnails,
)


def _axes():
    return Figure(figsize=(5, 5), layout="constrained").add_subplot()


def test_ridges_are_histograms_as_high_as_each_other_each_in_its_place():
    ax = _axes()
    radii = {"text": torch.rand(50, requires_grad=True), "image": np.linspace(2, 3, 300) ** 2}
    artists = radius_histogram(radii, ax=ax, bins=30)
    assert len(artists) == 2
    bases = []
    for artist, r in zip(artists, radii.values(), strict=True):
        data = artist.get_data()
        counts, _ = np.histogram(np.asarray(torch.as_tensor(r).detach()), data.edges)
        height = data.values - data.baseline
        np.testing.assert_allclose(height / height.max(), counts / counts.max(), atol=1e-12)
        assert height.max() == pytest.approx(1.15)
        bases.append(float(data.baseline))
    assert bases == [1, 0]
    assert list(ax.get_yticks()) == bases
    named = [text.get_text() for text in ax.get_yticklabels()]
    assert named == ["text\n(50)", "image\n(300)"]
    (root,) = ax.lines
    assert list(root.get_xdata()) == [0, 0]
    assert "root" in [text.get_text() for text in ax.texts]
    assert ax.get_xlim()[0] < 0
    assert ax.get_ylim()[1] > 1 + 1.15
    assert ax.get_xlabel()


def test_ranks_are_counted_by_powers_of_two():
    ranks = {"ours": [1, 1, 1, 2, 3.5, 4, 8, 9], "theirs": torch.tensor([1.0, 16.0])}
    ours, theirs = rank_histogram(ranks)
    shares = [bar.get_height() for bar in ours]
    assert shares == pytest.approx([3 / 8, 1 / 8, 2 / 8, 1 / 8, 1 / 8])
    assert [bar.get_height() for bar in theirs] == pytest.approx([0.5, 0, 0, 0, 0.5])
    ax = ours[0].axes
    named = [text.get_text() for text in ax.get_xticklabels()]
    assert named == ["1", "2", "3-4", "5-8", "9-16"]
    assert len(rank_histogram({"perfect": [1, 1]})[0]) == 1
    for bad, said in (({}, "ranks is empty"), ({"a": []}, "no ranks"), ({"a": [0.5]}, "below 1")):
        with pytest.raises(ValueError, match=rf"plotting\.rank_histogram: .*{said}"):
            rank_histogram(bad)


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


def test_a_histogram_has_sixty_bins_up_to_the_farthest_and_says_the_median():
    ax = _axes()
    radii = {"a": np.linspace(1, 2, 1201), "b": np.array([[0.5], [4.0]])}
    one, two = radius_histogram(radii, ax=ax)
    for artist in (one, two):
        edges = artist.get_data().edges
        assert len(artist.get_data().values) == 60
        assert (edges[0], edges[-1]) == (0, pytest.approx(4.08))
        assert artist.get_fill()
    heights, edges = two.get_data().values, two.get_data().edges
    assert (heights > 0).sum() == 2
    assert heights[np.searchsorted(edges, 0.5) - 1] > 0
    assert one.get_facecolor() != two.get_facecolor()
    assert [text.get_text() for text in ax.texts] == ["1.50", "2.25", "root"]
    assert ax.get_xlim() == (pytest.approx(-0.02 * 4.08), pytest.approx(4.08))
    assert len(radius_histogram(radii, bins=7)[0].get_data().values) == 7
    named = radius_histogram(radii, label="centre")[0].axes
    assert [t.get_text() for t in named.texts][-1] == "centre"
    assert radius_histogram({"root": [0.0]})[0].get_data().edges[-1] == 1.0
    assert radius_histogram({"near": [0.0, 1e-3]})  # 0 is a distance


def test_losses_of_one_row_have_a_mark_and_others_are_lines():
    rows = [{"step": 1, "loss": 2.0, "entailment": 0.0}, {"step": 2, "loss": 1.0, "other": 3.0}]
    loss, entailment = loss_curves(rows)
    assert (loss.get_marker(), entailment.get_marker()) == ("None", ".")
    assert loss.get_color() != entailment.get_color()
    assert loss.axes.get_ylim()[0] == 0
    assert list(loss.axes.get_figure().get_size_inches()) == [5.0, 4.0]
    (other,) = loss_curves(rows, keys=("other", "absent"))
    assert (list(other.get_xdata()), list(other.get_ydata())) == ([2], [3.0])
    with pytest.raises(ValueError, match="history of 2 rows has none of absent, missing"):
        loss_curves(rows, keys=("absent", "missing"))
    with pytest.raises(ValueError, match="row 2 of the history has the keys loss, x; expected"):
        loss_curves([*rows, {"loss": 1.0, "x": 2.0}])
    assert len(loss_curves([{"note": 1.0}, *rows])) == 2  # a row without losses needs no step
    (mixed,) = loss_curves([{"step": 1, "loss": 3.0}, {"step": 2, "loss": -1.0}])
    assert mixed.axes.get_ylim()[0] < -1


def test_thumbnails_have_their_size_and_number_and_the_first_come_first():
    ax = _axes()
    ax.set(xlim=(-1, 1), ylim=(-1, 1))
    grid = np.stack(np.meshgrid(np.linspace(-1, 1, 20), np.linspace(-1, 1, 20)), -1).reshape(-1, 2)
    images = np.zeros((len(grid), 2, 2, 3), np.uint8)
    artists, kept = thumbnails(grid, images, ax=ax)
    assert kept.tolist() == list(range(150))
    assert kept.dtype == np.int64
    box = artists[3].get_window_extent().transformed(ax.transData.inverted())
    np.testing.assert_allclose((box.x0 + box.x1, box.y0 + box.y1), 2 * grid[3])
    np.testing.assert_allclose((box.width, box.height), 0.075)
    assert thumbnails(grid, images, ax=ax, most=3)[1].tolist() == [0, 1, 2]
    row = [[0.0, 0.0], [0.25, 0.125], [0.5, 0.0], [0.625, 0.5]]
    assert thumbnails(row, images[:4], ax=ax, size=0.5)[1].tolist() == [0, 2, 3]
    pale = np.full((1, 1, 2, 3), 250, np.uint8)
    pale[0, 0, 1, 2] = 249
    ((artist,), _) = thumbnails([[0.0, 0.0]], pale, ax=ax)
    assert artist.get_array()[0, :, 3].tolist() == [0, 255]
    for bad in (images[:2, ..., :2], images[:2].astype(float)):
        with pytest.raises(ValueError, match=r"images have shape \(2, .*expected \(N, H, W, 3\)"):
            thumbnails(grid[:2], bad, ax=ax)
