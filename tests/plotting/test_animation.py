"""A picture that moves: each frame beside the same map written as complex numbers."""

import math

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from PIL import Image

from spaceforms.manifolds import Euclidean, Lorentz, PoincareBall, Sphere
from spaceforms.plotting import recentring

BALL = PoincareBall(-1.0)
V = torch.randn(12, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
EDGES = [(0, 1), (0, 2), (5, 11)]


def frames(animation):
    """Draw each frame in turn."""
    animation._draw_was_started = True  # or it warns when it is thrown away
    for frame in animation.new_frame_seq():
        animation._draw_frame(frame)
        yield frame


@pytest.mark.parametrize("space", [BALL, Lorentz(-0.3)], ids=str)
def test_every_frame_is_a_translation_along_the_way(space):
    x = space.from_normal(V * float(space.radius))
    ax = Figure(figsize=(3, 3)).add_subplot()
    animation = recentring(x, x[3], manifold=space, edges=EDGES, frames=9, ax=ax)
    collection, lines = ax.collections[:2]
    z = torch.view_as_complex(BALL.from_normal(V)).numpy()
    seen = []
    for _ in frames(animation):
        w = np.asarray(collection.get_offsets()) @ [1, 1j]
        c = _looked_from(z, w)
        np.testing.assert_allclose((z - c) / (1 - np.conj(c) * z), w, atol=1e-12)
        # And lies on the ray to the centre.
        assert abs(c) < 1e-12 or np.angle(c / z[3]) == pytest.approx(0, abs=1e-9)
        seen.append(2 * math.atanh(abs(c)))
        for (a, b), line in zip(EDGES, lines.get_segments(), strict=True):
            np.testing.assert_allclose(line[[0, -1]] @ [1, 1j], w[[a, b]], atol=1e-12)
    whole = 2 * math.atanh(abs(z[3]))
    assert seen == sorted(seen)
    assert seen[0] == pytest.approx(0, abs=1e-12)
    assert seen[-1] == pytest.approx(whole, abs=1e-9)
    assert seen[4] == pytest.approx(whole / 2, abs=1e-9)  # half-way in the middle of the time
    assert abs(w[3]) < 1e-12


def _looked_from(z, w):
    """c of w = (z - c)/(1 - conj(c) z) by least squares: c - conj(c) z w = z - w is real-linear."""
    re, im = np.ones_like(z) - z * w, 1j + 1j * z * w
    rows = np.stack([np.concatenate([re.real, re.imag]), np.concatenate([im.real, im.imag])], 1)
    right = z - w
    (a, b), *_ = np.linalg.lstsq(rows, np.concatenate([right.real, right.imag]), rcond=None)
    return complex(a, b)


@pytest.mark.parametrize("space", [Euclidean(), Sphere(1.0)], ids=str)
def test_other_spaces_are_drawn_in_normal_coordinates(space):
    x = space.from_normal(V / 2)
    ax = Figure(figsize=(3, 3)).add_subplot()
    labels = ["a", "b", "a"] * 4
    made = recentring(x, x[3], manifold=space, frames=5, ax=ax, chart="normal", labels=labels)
    for _ in frames(made):
        pass
    one, two = (np.asarray(c.get_offsets()) for c in ax.collections)
    found = np.empty((12, 2))
    found[[label == "a" for label in labels]] = one
    found[[label == "b" for label in labels]] = two
    # Distances from the middle are those from the centre.
    expected = space.dist(x[3], x)
    np.testing.assert_allclose(np.hypot(*found.T), expected, atol=1e-7)


def test_there_and_back_ends_as_it_began_and_is_a_small_file(tmp_path):
    ax = Figure(figsize=(2, 2), layout="constrained").add_subplot()
    x = BALL.from_normal(V)
    made = recentring(x.numpy(), x[3].tolist(), manifold=BALL, frames=11, back=True, ax=ax)
    places = [np.array(ax.collections[0].get_offsets()) for _ in frames(made)]
    np.testing.assert_allclose(places[-1], places[0], atol=1e-14)
    np.testing.assert_allclose(places[7], places[3], atol=1e-12)
    assert np.hypot(*places[5][3]) < 1e-12
    made.save(tmp_path / "a.gif", writer="pillow", dpi=60)
    with Image.open(tmp_path / "a.gif") as gif:
        assert gif.n_frames >= 5
        assert gif.size == (120, 120)
    assert (tmp_path / "a.gif").stat().st_size < 60_000


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"frames": 1}, "frames is 1; expected at least 2"),
        ({"edges": [(0, 12)]}, "edges name rows from 0 to 12; expected rows of 12 points"),
        ({"edges": [(0.5, 1.0)]}, r"dtype torch.float64; expected \(E, 2\) row numbers"),
        ({"center": V[:2] / 9}, r"center \(2, 2\); expected \(N, 2\) and one point, \(2,\)"),
        ({"center": V[0] * 9}, "1 of 1 rows of center are no points of PoincareBall"),
    ],
)
def test_what_cannot_be_animated_is_said(more, sentence):
    given = {"center": V[0] / 9} | more
    with pytest.raises(ValueError, match=sentence):
        recentring(BALL.from_normal(V), given.pop("center"), manifold=BALL, **given)
