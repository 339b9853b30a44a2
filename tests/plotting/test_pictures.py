"""The disk and the surfaces: what comes back, where it is drawn, what is refused."""

import math
import subprocess
import sys

import numpy as np
import pytest
import torch
from cases import CHARTS
from matplotlib import pyplot
from matplotlib.figure import Figure

from spaceforms import plotting
from spaceforms.manifolds import Euclidean, Lorentz, PoincareBall, Sphere
from spaceforms.plotting import disk, hyperboloid, sphere

NORMAL = torch.tensor([[0.0, 0.0], [0.3, 0.4], [-1.2, 0.9]], dtype=torch.float64)


def _axes(solid=False):
    return Figure().add_subplot(projection="3d" if solid else None)


@pytest.mark.parametrize("manifold", [Lorentz(), Lorentz(-0.2), PoincareBall(-3.0)], ids=str)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_one_disk_for_every_model_curvature_and_dtype(manifold, dtype):
    unit = float(manifold.radius)
    picture = disk(manifold.from_normal((unit * NORMAL).to(dtype)), manifold=manifold)
    (drawn,) = picture.points
    r = NORMAL.norm(dim=-1, keepdim=True)
    expected = (r / 2).tanh() * NORMAL / r.clamp(min=1e-9)
    tolerance = 8 * torch.finfo(dtype).eps
    np.testing.assert_allclose(drawn.get_offsets(), expected, atol=tolerance)


def test_the_disk_has_its_boundary_equal_aspect_and_no_ticks():
    picture = disk(manifold=Lorentz())
    assert picture.boundary.get_radius() == 1
    assert picture.ax.get_aspect() == 1
    assert not picture.ax.axison
    assert picture.points == picture.rings == []
    low, high = picture.ax.get_xlim()
    assert low < -1 < 1 < high


def test_rings_are_circles_of_their_distance_and_reach_zooms():
    picture = disk(manifold=PoincareBall(), rings=(2, 1, 9), reach=2.0)
    radii = [circle.get_radius() for circle in picture.rings]
    assert radii == pytest.approx([math.tanh(d / 2) for d in (1, 2, 9)])
    assert [text.get_text() for text in picture.ax.texts] == ["1", "2"]  # no room for 9
    assert picture.ax.get_xlim()[1] == pytest.approx(1.03 * math.tanh(1))


@pytest.mark.parametrize(
    ("draw", "manifold"), [(disk, Lorentz()), (hyperboloid, Lorentz()), (sphere, Sphere())]
)
def test_a_colour_and_a_line_of_the_legend_for_each_label(draw, manifold):
    points = manifold.from_normal(torch.cat([NORMAL, -NORMAL / 2]))
    labels = ["b", "a", "b", "c", "a", "b"]
    picture = draw(points, manifold=manifold, labels=labels)
    assert [artist.get_label() for artist in picture.points] == ["b", "a", "c"]
    texts = [text.get_text() for text in picture.ax.get_legend().get_texts()]
    assert texts == ["b", "a", "c"]
    colours = {tuple(artist.get_facecolor()[0]) for artist in picture.points}
    assert len(colours) == 3


def test_labels_beyond_the_colours_differ_by_marker():
    points = PoincareBall().from_normal(torch.linspace(-1, 1, 20)[:, None].expand(20, 2))
    picture = disk(points, manifold=PoincareBall(), labels=torch.arange(20))
    styles = {
        (tuple(artist.get_facecolor()[0]), artist.get_paths()[0].vertices.tobytes())
        for artist in picture.points
    }
    assert len(styles) == 20
    assert picture.points[3].get_label() == "3"


@pytest.mark.parametrize("solid", [False, True])
def test_what_is_drawn_goes_to_the_axes_given(solid):
    manifold, ax = Lorentz(), _axes(solid)
    points = manifold.from_normal(NORMAL)
    picture = (hyperboloid if solid else disk)(points, manifold=manifold, ax=ax)
    lines = plotting.geodesics(points[:1], points[1:], manifold=manifold, ax=ax)
    shape = plotting.cone(points[1], manifold=manifold, ax=ax)
    assert picture.ax is ax
    artists = [*picture.points, lines, shape.sides, shape.fill]
    assert all(artist.axes is ax for artist in artists)
    ax.get_figure().draw_without_rendering()


def test_surfaces_hold_their_points_without_a_box_and_have_one_scale():
    for draw, manifold, form in (
        (hyperboloid, Lorentz(-0.5), (1, 1, -1)),
        (hyperboloid, PoincareBall(-0.5), (1, 1, -1)),
        (sphere, Sphere(2.0), (1, 1, 1)),
    ):
        points = manifold.from_normal(float(manifold.radius) * NORMAL)
        picture = draw(points, manifold=manifold)
        xyz = picture.points[0].points
        np.testing.assert_allclose((form * xyz**2).sum(1), form[2], rtol=1e-12)
        np.testing.assert_allclose(xyz[0], [0, 0, 1], atol=1e-15)  # the origin up
        assert not picture.ax.axison
        plotting.cone(points[2], manifold=manifold, ax=picture.ax, reach=3.0)
        spans = np.diff(np.reshape(picture.ax.get_w_lims(), (3, 2)), axis=1).ravel()
        scales = spans / picture.ax._box_aspect
        np.testing.assert_allclose(scales, scales[0])


def test_the_hyperboloid_is_drawn_beyond_its_farthest_point():
    points = Lorentz().from_normal(torch.tensor([[2.5, 0.0]]))
    picture = hyperboloid(points, labels=["far"])
    assert picture.ax.get_zlim()[1] >= math.cosh(2.5)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (
            lambda: disk(torch.zeros(3, 5), manifold=PoincareBall()),
            r"plotting\.disk: points.*dimension 5.*expected dimension 2 \(project them first",
        ),
        (
            lambda: disk(Sphere().origin(2).unsqueeze(0), manifold=Sphere()),
            r"disk: manifold is Sphere\(curvature=1\); expected a hyperbolic one.*sphere draws its",
        ),
        (lambda: disk(manifold=Euclidean()), r"plotting\.disk: manifold is Euclidean\(\)"),
        (
            lambda: disk(torch.zeros(3, 2), manifold=PoincareBall(), labels="ab"),
            r"plotting\.disk: there are 2 labels for 3 points",
        ),
        (
            lambda: disk(torch.full((3, 2), math.nan), manifold=PoincareBall()),
            r"plotting\.disk: 3 of 3 rows of points are not finite",
        ),
        (lambda: disk(manifold=Lorentz(), reach=0), r"plotting\.disk: reach is 0; expected"),
        (
            lambda: hyperboloid(manifold=Sphere()),
            r"plotting\.hyperboloid: manifold is Sphere\(curvature=1\); expected a hyperbolic",
        ),
        (
            lambda: sphere(torch.zeros(2, 3), manifold=Lorentz()),
            r"plotting\.sphere: manifold is Lorentz\(curvature=-1\); expected a Sphere",
        ),
        (
            lambda: sphere(Sphere().origin(4).unsqueeze(0)),
            r"plotting\.sphere: points.*dimension 4.*expected dimension 2",
        ),
        (
            lambda: sphere(Sphere().origin(2).unsqueeze(0), labels=[]),
            r"plotting\.sphere: there are 0 labels for 1 points",
        ),
    ],
)
def test_refusals_are_sentences(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()


BALL = PoincareBall()
OUT = torch.ones(3, 2)


@pytest.mark.parametrize(
    ("call", "kind", "sentence"),
    [
        (
            lambda: disk(np.array([["a", "b"]]), manifold=BALL),
            TypeError,
            "disk: points is an array of dtype <U1; expected a torch.Tensor or an array of real",
        ),
        (
            lambda: disk([[0.1, 0.2], [0.3]], manifold=BALL),
            TypeError,
            "disk: points is a list that is no table of numbers .*; expected a torch.Tensor",
        ),
        (
            lambda: disk({0.1, 0.2}, manifold=BALL),
            TypeError,
            "disk: points is a set; expected a torch.Tensor",
        ),
        (
            lambda: disk(OUT, manifold=BALL),
            ValueError,
            "disk: 3 of 3 rows of points are no points of .*",
        ),
        (
            lambda: disk(torch.tensor(1.0), manifold=BALL),
            ValueError,
            r"points has shape \(\); expected more than 0 coordinates",
        ),
        (
            lambda: disk(manifold=BALL, ax=3),
            TypeError,
            "disk: ax is a int; expected a matplotlib A",
        ),
        (lambda: disk(manifold=BALL, ax=_axes(True)), ValueError, "disk: ax has 3 dimensions"),
        (
            lambda: sphere(ax=_axes()),
            ValueError,
            "sphere: ax has 2 dimensions; expected an Axes of 3",
        ),
        (lambda: hyperboloid(ax=_axes()), ValueError, "hyperboloid: ax has 2 dimensions"),
        (
            lambda: plotting.project_disk(OUT[:, :1], manifold=Lorentz()),
            ValueError,
            r"project_disk: points has shape \(3, 1\); expected more than 1 coordinates",
        ),
        (
            lambda: plotting.project_disk(OUT, manifold=BALL),
            ValueError,
            "project_disk: 3 of 3 rows of points are no points of PoincareBall",
        ),
        (
            lambda: plotting.project_disk(OUT / 2, manifold=BALL, groups=["a"]),
            ValueError,
            "project_disk: there are 1 groups for 3 points",
        ),
        (
            lambda: plotting.project_disk(OUT / 2, manifold=BALL, center=OUT / 3),
            ValueError,
            r"center has shape \(3, 2\); expected one point, \(2,\)",
        ),
        (
            lambda: plotting.geodesics(OUT / 2, OUT, manifold=BALL),
            ValueError,
            "geodesics: 3 of 3 rows of y are no points of PoincareBall",
        ),
        (
            lambda: plotting.geodesics(OUT / 2, OUT / 3, manifold=BALL, ax=3),
            TypeError,
            "geodesics: ax is a int",
        ),
        (
            lambda: plotting.cone([0.1, 0.2, 0.3], manifold=BALL),
            ValueError,
            r"cone: apex has shape \(3,\) .*; expected one point of dimension 2",
        ),
        (
            lambda: plotting.names(torch.zeros(1, 3), ["a"]),
            ValueError,
            r"names: places have shape \(1, 3\) without a manifold",
        ),
    ],
)
def test_a_wrong_argument_gets_a_sentence(call, kind, sentence):
    with pytest.raises(kind, match=sentence):
        call()


def test_the_door_lists_what_it_has():
    assert sorted(plotting.__all__) == plotting.__all__
    assert all(getattr(plotting, name).__doc__ for name in plotting.__all__)


def _size(picture) -> list[float]:
    return [float(s) for s in picture.ax.get_figure().get_size_inches()]


@pytest.mark.parametrize(
    ("draw", "manifold"), [(disk, Lorentz()), (hyperboloid, Lorentz()), (sphere, Sphere())]
)
def test_markers_have_the_size_asked_for_and_a_legend_gets_its_room(draw, manifold):
    points = manifold.from_normal(NORMAL)
    plain, named = draw(points, manifold=manifold), draw(points, manifold=manifold, labels="aba")
    assert _size(plain) == [5.0, 5.0]
    assert _size(named) == [6.2, 5.0]
    assert plain.ax.get_legend() is None
    assert [list(a.get_sizes()) for a in (*plain.points, *named.points)] == [[18.0]] * 3
    (artist,) = draw(points, manifold=manifold, size=5.0).points
    assert list(artist.get_sizes()) == [5.0]
    one = draw(points[0], manifold=manifold)
    assert len(one.points) == 1
    # The legend stands outside, at the upper right corner of the axes.
    box = named.ax.get_legend().get_bbox_to_anchor()
    corner = named.ax.transAxes.transform((1.0, 1.0))
    np.testing.assert_allclose((box.x0, box.y0), corner)
    assert not named.ax.get_legend().get_frame_on()


def test_the_disk_and_its_rings_are_outlines_and_the_rings_carry_their_numbers():
    picture = disk(manifold=PoincareBall(), rings=(1.5, 0.5))
    for circle in (picture.boundary, *picture.rings):
        assert not circle.get_fill()
        assert circle.get_center() == (0, 0)
        assert circle in picture.ax.patches
    for distance, text in zip((0.5, 1.5), picture.ax.texts, strict=True):
        assert text.get_text() == f"{distance:g}"
        x, y = text.get_position()
        assert math.hypot(x, y) == pytest.approx(math.tanh(distance / 2))
        assert math.atan2(x, y) == pytest.approx(0.2)
    assert picture.ax.get_xlim() == picture.ax.get_ylim() == (-1.03, 1.03)
    # A number needs a twentieth of the picture, to the last one written and to the boundary.
    radii = (0.02, 0.3, 0.34, 0.38, 0.94, 0.96)
    close = disk(manifold=PoincareBall(), rings=[2 * math.atanh(r) for r in radii])
    written = [math.hypot(*text.get_position()) for text in close.ax.texts]
    assert written == pytest.approx([0.3, 0.38, 0.94])
    assert [c.get_radius() for c in close.rings] == pytest.approx(radii)
    zoomed = disk(manifold=PoincareBall(), rings=[2 * math.atanh(r) for r in radii], reach=0.5)
    written = [math.hypot(*text.get_position()) for text in zoomed.ax.texts]
    assert written == pytest.approx([0.02, 0.3, 0.34, 0.38, 0.94, 0.96])


def test_wireframes_go_as_far_as_they_are_asked_to():
    def tops(picture) -> tuple[float, float]:
        z = picture.wireframe.curves[..., 2]
        return float(z.min()), float(z.max())

    near, far = (Lorentz().from_normal(torch.tensor([[r, 0.0]]).double()) for r in (0.3, 3.0))
    assert tops(hyperboloid()) == pytest.approx((1, math.cosh(1.5)))
    assert tops(hyperboloid(near)) == pytest.approx((1, math.cosh(1.5)))
    assert tops(hyperboloid(far)) == pytest.approx((1, math.cosh(3.15)))
    assert tops(hyperboloid(far, reach=2.0)) == pytest.approx((1, math.cosh(2.0)))
    assert tops(hyperboloid(far[:0])) == pytest.approx((1, math.cosh(1.5)))
    assert tops(sphere()) == pytest.approx((-1, 1))
    form = {hyperboloid: (1, 1, -1), sphere: (1, 1, 1)}
    for draw, signs in form.items():
        for segment in draw().wireframe.curves:
            values = (np.square(segment) * signs).sum(1)
            np.testing.assert_allclose(values, signs[2], rtol=1e-9, atol=1e-9)


def test_refusals_count_the_rows_and_name_what_they_are_called_with():
    points = torch.zeros(3, 2)
    points[1, 0] = math.inf
    with pytest.raises(ValueError, match="disk: 1 of 3 rows of points are not finite"):
        disk(points, manifold=PoincareBall())
    points[1, 0] = 0.6
    with pytest.raises(
        ValueError, match=r"1 of 3 rows of points are no points of .* unit of length is 0\.5"
    ):
        disk(points, manifold=PoincareBall(-4.0))
    with pytest.raises(ValueError, match=r"points have shape \(3, 2\), dimension 1 on Lorentz"):
        disk(points, manifold=Lorentz())
    with pytest.raises(ValueError, match="there are 4 labels for 3 points"):
        disk(points, manifold=PoincareBall(), labels="abcd")
    for manifold in (Sphere(), Euclidean()):
        with pytest.raises(ValueError, match=r"manifold is .*; expected a hyperbolic one"):
            disk(manifold=manifold)
    for manifold in (Lorentz(), Euclidean()):
        with pytest.raises(ValueError, match=r"sphere: manifold is .*; expected a Sphere"):
            sphere(manifold=manifold)
    with pytest.raises(ValueError, match=r"hyperboloid: manifold is Euclidean\(\)"):
        hyperboloid(manifold=Euclidean())
    for reach in (0.0, -1.0, math.nan):
        with pytest.raises(ValueError, match=rf"disk: reach is {reach}; expected a positive"):
            disk(manifold=Lorentz(), reach=reach)


@pytest.mark.parametrize("name", CHARTS)
def test_models_by_way_of_the_quadric_are_drawn_where_the_quadric_is(name):
    model = CHARTS[name]
    space = model.quadric
    v = torch.tensor([[0.3, 0.1], [-0.5, 0.8], [0.0, -0.4]], dtype=torch.float64)
    draw = sphere if model.sign > 0 else disk
    shown = []
    for m in (model, space):
        (artist,) = draw(m.from_normal(v), manifold=m).points
        shown.append(np.asarray(artist.points if model.sign > 0 else artist.get_offsets()))
    np.testing.assert_allclose(*shown, atol=1e-12)


NEW = {
    "disk": lambda: disk(manifold=BALL).ax,
    "sphere": lambda: sphere().ax,
    "hyperboloid": lambda: hyperboloid().ax,
    "geodesics": lambda: plotting.geodesics(OUT / 2, -OUT / 2, manifold=BALL).axes,
    "cone": lambda: plotting.cone(OUT[0] / 2, manifold=BALL).fill.axes,
    "draw_tree": lambda: plotting.draw_tree([("a", "b")]).ax,
    "field": lambda: plotting.field(lambda x: x[:, 0], manifold=BALL).axes,
    "polar_grid": lambda: plotting.polar_grid().axes,
    "names": lambda: plotting.names(OUT / 2, "abc", manifold=BALL)[0][0].axes,
    "small_multiples": lambda: plotting.small_multiples([("a", OUT / 2)], manifold=BALL)[0].ax,
    "radius_histogram": lambda: plotting.radius_histogram({"a": [1.0, 2.0]})[0].axes,
    "rank_histogram": lambda: plotting.rank_histogram({"a": [1.0, 2.0]})[0][0].axes,
    "loss_curves": lambda: plotting.loss_curves([{"step": 1, "loss": 2.0}])[0].axes,
}


@pytest.mark.parametrize("name", NEW)
def test_without_an_axes_there_is_one_new_figure_which_is_the_current_one(name):
    pyplot.figure()
    ax = NEW[name]()
    assert len(pyplot.get_fignums()) == 2
    assert pyplot.gcf() is ax.get_figure()
    assert pyplot.gca() is ax


def test_on_an_axes_of_ones_own_no_figure_is_made():
    ax = _axes()
    disk(OUT / 2, manifold=BALL, ax=ax, labels="abc", rings=(1,))
    plotting.geodesics(OUT / 2, OUT / 3, manifold=BALL, ax=ax)
    plotting.names(OUT / 2, "abc", manifold=BALL, ax=ax)
    plotting.draw_tree([("a", "b")], ax=_axes())
    assert pyplot.get_fignums() == []


def test_the_room_itself_needs_no_backend():
    code = "import sys, spaceforms.plotting; print('matplotlib.pyplot' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
