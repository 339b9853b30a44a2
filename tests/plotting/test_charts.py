"""Charts, colours and sizes of the disk: each against formulas of its own."""

import math

import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

from spaceforms.manifolds import Euclidean, Lorentz, PoincareBall, Sphere
from spaceforms.plotting import cone, disk, geodesics, names, save, small_multiples

HYPERBOLIC = [Lorentz(-0.5), PoincareBall(-2.0)]


def _points(manifold, count=20, seed=0, reach=1.5):
    generator = torch.Generator().manual_seed(seed)
    radius = reach * float(torch.as_tensor(manifold.radius))
    return manifold.random_uniform(
        count, 2, radius=radius, generator=generator, dtype=torch.float64
    )


def _offsets(picture):
    return np.asarray(picture.points[0].get_offsets())


@pytest.mark.parametrize("manifold", HYPERBOLIC, ids=str)
def test_each_chart_is_the_formula_of_its_model(manifold):
    x = _points(manifold)
    z = _offsets(disk(x, manifold=manifold))
    z = z[:, 0] + 1j * z[:, 1]
    klein = 2 * z / (1 + abs(z) ** 2)
    # By the hyperboloid's point (T, X): (X_1 + i)/(T - X_2), Ratcliffe, section 4.6.
    space, time = 2 * z / (1 - abs(z) ** 2), (1 + abs(z) ** 2) / (1 - abs(z) ** 2)
    half = (space.real + 1j) / (time - space.imag)
    for chart, expected in (("klein", klein), ("half-plane", half)):
        found = _offsets(disk(x, manifold=manifold, chart=chart))
        np.testing.assert_allclose(found[:, 0] + 1j * found[:, 1], expected, atol=1e-12)
    normal = _offsets(disk(x, manifold=manifold, chart="normal"))
    r = np.linalg.norm(normal, axis=1)
    np.testing.assert_allclose(r, 2 * np.arctanh(abs(z)), atol=1e-12)


@pytest.mark.parametrize("manifold", HYPERBOLIC, ids=str)
def test_geodesics_are_straight_on_the_klein_disk_and_circles_about_the_line_on_the_half_plane(
    manifold,
):
    x, y = _points(manifold, 8, 1), _points(manifold, 8, 2)
    ax = disk(manifold=manifold, chart="klein").ax
    for line in geodesics(x, y, manifold=manifold, ax=ax).get_segments():
        assert len(line) == 2
    ax = disk(manifold=manifold, chart="half-plane").ax
    for line in geodesics(x, y, manifold=manifold, ax=ax).get_segments():
        # |z - c|^2 = r^2 with c real: x^2 + y^2 - 2 c x is constant.
        square = (line**2).sum(1)
        c = (square[-1] - square[0]) / (2 * (line[-1, 0] - line[0, 0]))
        constant = square - 2 * c * line[:, 0]
        assert np.ptp(constant) <= 1e-11 * (1 + abs(c) * np.abs(line).max())


@pytest.mark.parametrize("chart", ["poincare", "klein", "half-plane", "normal"])
def test_rings_are_the_circles_of_their_distance_in_each_chart(chart):
    manifold = PoincareBall(-1.0)
    angle = torch.linspace(0, 6, 9, dtype=torch.float64)
    x = manifold.from_normal(1.2 * torch.stack([angle.cos(), angle.sin()], -1))
    picture = disk(x, manifold=manifold, chart=chart, rings=(1.2,))
    (ring,) = picture.rings
    away = np.linalg.norm(_offsets(picture) - np.array(ring.get_center()), axis=1)
    np.testing.assert_allclose(away, ring.get_radius(), rtol=1e-12)


def test_the_rim_is_drawn_where_there_is_one():
    for chart, radius in (("poincare", 1), ("klein", 1)):
        assert disk(manifold=Lorentz(), chart=chart).boundary.get_radius() == radius
    line = disk(manifold=Lorentz(), chart="half-plane").boundary
    assert list(line.get_ydata()) == [0, 0]
    assert disk(manifold=Sphere(), chart="normal").boundary.get_radius() == math.pi
    assert disk(manifold=Euclidean(), chart="normal").boundary is None
    assert disk(manifold=Lorentz(), chart="normal").boundary is None


def test_a_chart_shows_its_own_kind_of_space_only():
    for space in (Sphere(), Euclidean()):
        for chart in ("poincare", "klein", "half-plane"):
            with pytest.raises(ValueError, match=r"plotting\.disk: manifold is .*chart='normal'"):
                disk(manifold=space, chart=chart)
    with pytest.raises(ValueError, match="chart is 'kline'; expected one of poincare, klein"):
        disk(manifold=Lorentz(), chart="kline")
    ax = disk(manifold=Sphere(), chart="normal").ax
    x = _points(Lorentz(), 2)
    with pytest.raises(ValueError, match=r"plotting\.geodesics: .* ax shows a space of curvature"):
        geodesics(x[:1], x[1:], manifold=Lorentz(), ax=ax)
    sphere = Sphere(2.0)
    y = _points(sphere, 2)
    (line,) = geodesics(y[:1], y[1:], manifold=sphere, ax=ax).get_segments()
    r = sphere.dist(sphere.origin(2, dtype=torch.float64), y[0]) * math.sqrt(2)
    assert math.hypot(*line[0]) == pytest.approx(float(r))


def test_cones_and_names_follow_the_chart():
    manifold = PoincareBall()
    apex = manifold.from_normal(torch.tensor([0.9, 0.2], dtype=torch.float64))
    ax = disk(manifold=manifold, chart="klein").ax
    for side in cone(apex, manifold=manifold, ax=ax).sides.get_segments():
        assert np.linalg.svd(side - side[0])[1][1] < 1e-6  # straight
    (word,), _ = names(apex[None], ["here"], manifold=manifold, ax=ax)
    assert math.hypot(*word.xy) == pytest.approx(math.tanh(math.hypot(0.9, 0.2)))


def test_numbers_have_a_bar_levels_a_legend_and_labels_a_colour_each():
    x = _points(Lorentz(), 30)
    number = torch.linspace(0, 1, 30)
    picture = disk(x, manifold=Lorentz(), color=number, title="age")
    (dots,) = picture.points
    assert len({tuple(c) for c in dots.get_facecolors()}) == 30
    bar = picture.ax.get_figure().axes[1]
    assert bar.get_ylabel() == "age"
    light = dots.get_facecolors()[:, :3] @ [0.3, 0.6, 0.1]
    assert (np.diff(light) > 0).all()  # from dark to light, in grey too
    levels = disk(x, manifold=Lorentz(), color=torch.arange(30) % 3, title="level")
    assert [p.get_label() for p in levels.points] == ["0", "1", "2"]
    assert levels.ax.get_legend().get_title().get_text() == "level"
    many = disk(x, manifold=Lorentz(), color=np.arange(30))
    assert many.ax.get_legend() is None
    assert len(many.ax.get_figure().axes) == 2
    texts = disk(x, manifold=Lorentz(), color=["a", "b", "a"] * 10, order=["b"])
    assert [p.get_label() for p in texts.points] == ["b", "a"]
    one = disk(x, manifold=Lorentz(), color="red").points[0]
    assert tuple(one.get_facecolors()[0][:3]) == (1, 0, 0)
    assert one.axes.get_legend() is None


def test_a_narrow_picture_has_its_legend_below():
    figure = Figure(figsize=(3.3, 3.8), layout="constrained")
    ax = figure.add_subplot()
    disk(_points(Lorentz(), 6), manifold=Lorentz(), labels="abcabc", ax=ax)
    figure.draw_without_rendering()
    assert ax.get_legend().get_window_extent().y1 <= ax.get_window_extent().y0 + 1
    assert ax.get_window_extent().width > 0.85 * figure.bbox.width


def test_sizes_are_areas_of_each_point():
    x = _points(Lorentz(), 3)
    (dots,) = disk(x, manifold=Lorentz(), sizes=[1.0, 4.0, 9.0]).points
    assert dots.get_sizes().tolist() == [1.0, 4.0, 9.0]
    by_label = disk(x, manifold=Lorentz(), sizes=[1.0, 4.0, 9.0], labels="aba").points
    assert [p.get_sizes().tolist() for p in by_label] == [[1.0, 9.0], [4.0]]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"labels": "abc", "color": "red"}, "labels and color are both given"),
        ({"color": [1.0, 2.0]}, "there are 2 values of color for 3 points"),
        ({"color": "no colour"}, "color is 'no colour'; expected a colour"),
        ({"color": [1.0, 2.0, math.nan]}, "1 numbers that are not finite; expected one finite"),
        ({"sizes": [1.0]}, "sizes are 1 numbers for 3 points"),
        ({"sizes": [1.0, -2.0, 1.0]}, r"sizes are 3 numbers for 3 points, the least -2"),
    ],
)
def test_colours_and_sizes_are_refused_in_sentences(options, sentence):
    with pytest.raises(ValueError, match=rf"plotting\.disk: .*{sentence}"):
        disk(_points(Lorentz(), 3), manifold=Lorentz(), **options)


def test_small_multiples_draw_each_set_in_its_own_space():
    v = torch.randn(30, 2, generator=torch.Generator().manual_seed(0)).double()
    spaces = [PoincareBall(-2.0), Euclidean(), Sphere(0.2)]
    wide = Lorentz().from_normal(torch.cat([v, v.flip(0)], dim=1))
    panels = [(f"K = {k}", s.from_normal(v), s) for k, s in enumerate(spaces)]
    drawn = small_multiples(
        [*panels, ("wide", wide, Lorentz())], labels=["a", "b"] * 15, edges=[(0, 1), (2, 3)]
    )
    assert [d.ax.name for d in drawn] == ["rectilinear", "rectilinear", "3d", "rectilinear"]
    assert [d.ax.get_title() for d in drawn] == ["K = 0", "K = 1", "K = 2", "wide"]
    assert [d.ax.get_legend() is not None for d in drawn] == [False, False, False, True]
    assert "distortion" in drawn[3].ax.texts[-1].get_text()
    assert not any(d.ax.texts for d in drawn[:3])
    np.testing.assert_allclose(
        np.concatenate([p.get_offsets() for p in drawn[1].points]), [*v[::2], *v[1::2]]
    )
    with pytest.raises(ValueError, match="panels is empty"):
        small_multiples([])
    with pytest.raises(ValueError, match="panel 'x' has no manifold"):
        small_multiples([("x", v)])


@pytest.mark.parametrize("kind", ["png", "svg", "pdf"])
def test_the_same_picture_is_the_same_file(tmp_path, kind):
    written = []
    for k in range(2):
        picture = disk(_points(Lorentz()), manifold=Lorentz(), labels=["a", "b"] * 10)
        save(picture.ax.get_figure(), tmp_path / f"{k}.{kind}")
        written.append((tmp_path / f"{k}.{kind}").read_bytes())
    assert written[0] == written[1]
    with pytest.raises(ValueError, match=r"plotting\.save: .*format 'jpg'; expected one of png"):
        save(picture.ax.get_figure(), tmp_path / "a.jpg")


def test_faces_of_markers_are_the_colours_of_colour_blind_readers():
    first, second = disk(_points(Lorentz(), 2), manifold=Lorentz(), labels="ab").points
    assert tuple(first.get_facecolors()[0][:3]) == to_rgba("#0072B2")[:3]
    assert tuple(second.get_facecolors()[0][:3]) == to_rgba("#D55E00")[:3]
