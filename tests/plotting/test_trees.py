"""Trees and names: what is drawn, where, and that no word covers another."""

import math
import time

import numpy as np
import pytest
import torch
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from spaceforms.manifolds import Lorentz, PoincareBall
from spaceforms.plotting import disk, draw_tree, geodesics, names, thumbnails, tree_layout

BALL = PoincareBall(-1.0)
WORDS = [
    "ash",
    "beech",
    "birch",
    "cedar",
    "elm",
    "fir",
    "hazel",
    "larch",
    "lime",
    "maple",
    "oak",
    "pine",
    "poplar",
    "rowan",
    "spruce",
    "yew",
]
EDGES = [
    ("tree", "leafy"),
    ("tree", "needles"),
    ("leafy", "oak"),
    ("leafy", "elm"),
    ("needles", "fir"),
]


def _sixty():
    """A tree of 60 nodes of up to six levels, with names of up to twelve letters."""
    draw = np.random.default_rng(4)
    parent = [-1] + [int(draw.integers(max(0, k // 3 - 2), max(1, k // 2))) for k in range(1, 60)]
    texts = [f"{WORDS[k % 16]} {WORDS[(7 * k) % 16]}"[:12] for k in range(60)]
    return [(p, k) for k, p in enumerate(parent) if p >= 0], texts


def _corners(text: Text):
    """The corners of a word as it is drawn, by its own measure before it is turned."""
    pen = RendererAgg(*text.figure.bbox.size, text.figure.dpi)
    box = Text.get_window_extent(text, pen)  # without its line
    angle = math.radians(text.get_rotation())
    text.set_rotation(0)
    width, height = Text.get_window_extent(text, pen).size
    text.set_rotation(math.degrees(angle))
    flat = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * [width / 2, height / 2]
    turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    found = flat @ turn + [(box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2]
    # The renderer's box of the turned word is that of these corners.
    np.testing.assert_allclose([*found.min(0), *found.max(0)], box.extents, atol=1.5)
    return found


def _overlap(one, other):
    """Whether two convex polygons overlap, by clipping the first at the sides of the second."""
    kept = one
    for a, b in zip(other, np.roll(other, -1, axis=0), strict=True):
        if not len(kept):
            return False
        side = (b - a)[0] * (kept - a)[:, 1] - (b - a)[1] * (kept - a)[:, 0]
        new = []
        for p, q, s, t in zip(kept, np.roll(kept, -1, 0), side, np.roll(side, -1), strict=True):
            if s >= 0:
                new.append(p)
            if s * t < 0:
                new.append(p + (q - p) * s / (s - t))
        kept = np.array(new).reshape(-1, 2)
    if len(kept) < 3:
        return False
    x, y = kept.T
    return abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2 > 0.5  # of square pixels


def test_all_names_of_sixty_nodes_fit_a_normal_figure_and_cover_no_other():
    edges, texts = _sixty()
    figure = Figure(figsize=(5, 5), layout="constrained")
    tree = draw_tree(edges, names=texts, ax=figure.add_subplot())
    assert sorted(t.get_text() for t in tree.names) == sorted(texts)
    figure.draw_without_rendering()
    corners = [_corners(t) for t in tree.names]
    page = figure.bbox
    for k, one in enumerate(corners):
        assert (one >= page.min - 1).all()
        assert (one <= page.max + 1).all()
        near = [
            c
            for c in corners[:k]
            if (c.min(0) < one.max(0)).all() and (one.min(0) < c.max(0)).all()
        ]
        assert not any(_overlap(one, other) for other in near)


def test_names_near_the_rim_point_outwards_and_stand_upright():
    edges, texts = _sixty()
    tree = draw_tree(edges, names=texts)
    turned = [t for t in tree.names if t.get_rotation()]
    assert len(turned) > 8
    for text in turned:
        x, y = text.xy
        angle = math.radians(text.get_rotation())
        assert abs(math.sin(math.atan2(y, x) - angle)) < 1e-9
        assert math.cos(angle) > -1e-9  # never upside down


def test_the_same_names_are_written_at_the_same_places():
    first, second = (draw_tree(_sixty()[0]) for _ in range(2))
    for one, other in zip(first.names, second.names, strict=True):
        assert one.get_text() == other.get_text()
        assert (one.get_position(), one.get_rotation()) == (
            other.get_position(),
            other.get_rotation(),
        )


def test_the_most_important_come_first():
    places = np.zeros((4, 2))
    places[:, 0] = [0, 0.001, 0.002, 0.5]
    ax = Figure(figsize=(3, 3)).add_subplot()
    ax.set(xlim=(-1, 1), ylim=(-1, 1))
    _, kept = names(places, list("abcd"), ax=ax, importance=[1, 5, 2, 0], most=2)
    assert kept.tolist() == [1, 2]
    with pytest.raises(ValueError, match=r"names: importance has 1 numbers for 4 places"):
        names(places, list("abcd"), ax=ax, importance=[1.0])


def test_names_keep_off_dots_thumbnails_and_the_edge_of_the_picture():
    ax = Figure(figsize=(4, 4)).add_subplot()
    ax.set(xlim=(0, 1), ylim=(0, 1))
    ax.scatter([0.56], [0.5], s=30)  # in the way of a word to the right
    (word,), _ = names([[0.5, 0.5]], ["word"], ax=ax)
    assert word.get_horizontalalignment() == "right"
    (edge,), _ = names([[0.99, 0.2]], ["word"], ax=ax)
    assert edge.get_horizontalalignment() == "right"
    outside = [[-0.2, 0.5], [0.5, -0.2]]
    assert names(outside, ["a", "b"], ax=ax)[1].tolist() == []
    assert len(ax.texts) == 2  # what did not fit was taken away again
    thumbnails([[0.25, 0.25]], np.zeros((1, 2, 2, 3), np.uint8), ax=ax, size=0.3)
    assert names([[0.25, 0.25], [0.8, 0.8]], ["under", "free"], ax=ax)[1].tolist() == [1]
    for bad in (np.zeros(2), np.zeros((2, 3))):
        with pytest.raises(ValueError, match=r"places have shape \(2.* without a manifold"):
            names(bad, ["a", "b"], ax=ax)


def test_a_tree_is_drawn_by_the_layout_with_edges_as_geodesics():
    tree = draw_tree(EDGES)
    assert tree.nodes == ("tree", "leafy", "needles", "oak", "elm", "fir")
    expected = tree_layout([-1, 0, 0, 1, 1, 2])
    assert torch.equal(tree.places, expected.points)
    assert tree.others is None
    assert {t.get_text() for t in tree.names} == set(tree.nodes) == set(tree.named)
    assert tree.named[0] == "tree"
    segments = tree.edges.get_segments()
    assert len(segments) == 5
    for segment, (a, b) in zip(segments, [(0, 1), (0, 2), (1, 3), (1, 4), (2, 5)], strict=True):
        np.testing.assert_allclose(segment[[0, -1]], tree.places[[a, b]], atol=1e-12)
    widths = tree.edges.get_linewidths()
    assert widths[0] > widths[2]  # by level
    colours = {tuple(p.get_facecolors()[0]) for p in tree.disk.points}
    assert len(colours) == 3
    assert tree.ax.get_legend() is None


def test_several_parents_and_several_roots():
    tree = draw_tree(
        [*EDGES, ("needles", "elm"), ("bush", "hazel")],
        labels={
            n: n[0] for n in ("tree", "leafy", "needles", "oak", "elm", "fir", "bush", "hazel")
        },
    )
    (faint,) = tree.others.get_segments()
    number = {node: k for k, node in enumerate(tree.nodes)}
    np.testing.assert_allclose(
        faint[[0, -1]], tree.places[[number["needles"], number["elm"]]], atol=1e-12
    )
    assert len(tree.edges.get_segments()) == 6
    r = BALL.dist(tree.places, torch.zeros_like(tree.places))
    assert float(r[number["tree"]]) == pytest.approx(float(r[number["bush"]]))
    assert float(r.min()) > 0.1  # the middle is empty
    assert tree.ax.get_legend() is not None


def test_learned_points_stay_where_they_are():
    space = Lorentz(-0.5)
    points = space.from_normal(
        torch.randn(5, 2, generator=torch.Generator().manual_seed(0)).double()
    )
    edges = [(4, 0), (4, 1), (0, 2), (0, 3)]
    tree = draw_tree(edges, points=points, manifold=space, names=list("abcde"), chart="klein")
    assert torch.equal(tree.places, points)
    shown = disk(points, manifold=space, chart="klein").points[0].get_offsets()
    dots = np.concatenate([p.get_offsets() for p in tree.disk.points])
    np.testing.assert_allclose(sorted(map(tuple, dots)), sorted(map(tuple, shown)))
    assert {t.get_text() for t in tree.names} <= set("abcde")
    assert draw_tree(edges, points=points, manifold=space, names=False).names == []


@pytest.mark.parametrize(
    ("edges", "options", "sentence"),
    [
        ([], {}, r"edges has 0 rows; expected pairs"),
        ([("a", "b", "c")], {}, r"edges has 1 rows and not all are pairs"),
        ([("a", "b"), ("b", "c"), ("c", "a")], {}, r"(a|b|c) -> .* is a cycle, each a parent of"),
        ([("a", "a")], {}, r"a -> a is a cycle"),
        ([(0, 5)], {"names": ["a", "b"]}, r"an edge names the node 5; expected row numbers from 0"),
        ([(0, 1)], {"points": torch.zeros(2, 2)}, r"points are given without a manifold"),
        (
            [(0, 1)],
            {"points": torch.zeros(2, 2), "manifold": BALL, "names": ["a"]},
            r"there are 1 names for 2 points",
        ),
    ],
)
def test_refusals_are_sentences(edges, options, sentence):
    with pytest.raises(ValueError, match=rf"plotting\.draw_tree: {sentence}"):
        draw_tree(edges, **options)


def test_ten_thousand_points_and_edges_are_drawn_at_once():
    draw = np.random.default_rng(0)
    parent = torch.tensor([-1] + [int(draw.integers(k // 4, k)) for k in range(1, 10_000)])
    began = time.process_time()
    points = tree_layout(parent).points
    picture = disk(points, manifold=BALL, size=2.0)
    lines = geodesics(points[parent[1:]], points[1:], manifold=BALL, ax=picture.ax, linewidth=0.2)
    picture.ax.get_figure().canvas.print_figure("/dev/null", format="png")
    assert len(lines.get_segments()) == 9_999
    assert time.process_time() - began < 6  # of one core: two seconds on an idle one


def _gap(text, ax, place):
    """From a word's rectangle to a place, in points."""
    (x0, y0), (x1, y1) = _corners(text)[[0, 2]]
    x, y = ax.transData.transform(place)
    return math.hypot(max(x0 - x, 0, x - x1), max(y0 - y, 0, y - y1)) / ax.figure.dpi * 72


def test_a_word_stands_beside_no_other_dot_but_has_a_line_to_its_own():
    ax = Figure(figsize=(3, 3)).add_subplot()
    ax.set(xlim=(-1, 1), ylim=(-1, 1))
    turn = np.linspace(0, 2 * np.pi, 8, endpoint=False)
    ring = np.stack([np.cos(turn), np.sin(turn)], axis=1)
    # Dots around the place, in reach of every word beside it.
    places = np.concatenate([[[0, 0]], 0.14 * ring, 0.3 * ring])
    ax.scatter(*places.T, s=12)
    (word,), _ = names(places[:1], ["oak"], ax=ax)
    ax.figure.draw_without_rendering()
    assert word.arrow_patch is not None
    radius = math.sqrt(12) / 2
    gaps = [_gap(word, ax, place) - radius for place in places]
    assert min(gaps) > 2 - 0.8  # what a name keeps from another's dot, less the air around words
    # The line goes from its dot to the edge of the word.
    end, start = word.arrow_patch.get_path().vertices[[-1, 0]]
    to_page = word.arrow_patch.get_transform().transform
    np.testing.assert_allclose(to_page(end), ax.transData.transform([0, 0]), atol=1e-6)
    (x0, y0), (x1, y1) = _corners(word)[[0, 2]]
    x, y = to_page(start)
    assert x0 - 1 <= x <= x1 + 1
    assert y0 - 1 <= y <= y1 + 1
    # And no later word crosses it.
    crossed = np.linspace(to_page(start), to_page(end), 50)
    others, _ = names(places[1:], ["elm"] * 16, ax=ax)
    assert others
    for other in others:
        box = other.get_window_extent()
        assert not any(box.contains(*point) for point in crossed)


def test_names_of_a_dense_cloud_stand_beside_their_points():
    cloud = np.random.default_rng(0).normal(0, 0.2, (4000, 2))
    ax = Figure(figsize=(3, 3)).add_subplot()
    ax.set(xlim=(-1, 1), ylim=(-1, 1))
    ax.scatter(*cloud.T, s=12)
    words, kept = names([[0, 0], [0.05, 0.3]], ["a word", "another"], ax=ax)
    assert kept.tolist() == [0, 1]
    assert all(word.arrow_patch is None for word in words)


@pytest.mark.parametrize("size", [4, 18, 200])
def test_a_word_stands_off_its_own_dot_however_large_that_is(size):
    for place in ([0.2, 0.1], [0.9, 0.0]):  # level, and along the radius
        ax = disk(manifold=BALL, ax=Figure(figsize=(4, 4)).add_subplot()).ax
        ax.scatter(*place, s=size, zorder=3)
        (word,), _ = names([place], ["oak"], ax=ax)
        ax.figure.draw_without_rendering()
        assert _gap(word, ax, place) > math.sqrt(size) / 2
