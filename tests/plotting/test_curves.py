"""What is drawn is geometry: arcs meet the boundary at right angles, cones their apex at psi."""

import math

import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgba

from spaceforms.manifolds import Euclidean, Lorentz, PoincareBall, Sphere
from spaceforms.plotting import cone, cone_sides, disk, geodesics, hyperboloid, sphere

HYPERBOLIC = [Lorentz(-1.0), Lorentz(-0.3), PoincareBall(-1.0), PoincareBall(-2.5)]
CURVED = [*HYPERBOLIC, Sphere(1.0), Sphere(0.4)]
EPS = torch.finfo(torch.float64).eps


def _points(manifold, count=12, seed=0):
    """Points up to 1.4 units of length from the origin: inside the hemisphere."""
    generator = torch.Generator().manual_seed(seed)
    reach = 1.4 * float(manifold.radius)
    return manifold.random_uniform(count, 2, radius=reach, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("manifold", HYPERBOLIC, ids=str)
def test_a_geodesic_on_the_disk_lies_on_a_circle_orthogonal_to_the_boundary(manifold):
    x, y = _points(manifold, seed=1), _points(manifold, seed=2)
    lines = geodesics(x, y, manifold=manifold).get_segments()
    assert len(lines) == len(x)
    for z in lines:
        # |z - c|^2 = |c|^2 - 1 is the circle's equation if it meets |z| = 1 at right angles:
        # |z|^2 + 1 = 2 c.z, linear in the centre c, which two of the points determine.
        c = np.linalg.solve(2 * z[[0, -1]], (z[[0, -1]] ** 2).sum(1) + 1)
        residual = (z**2).sum(1) + 1 - 2 * z @ c
        assert np.abs(residual).max() <= 1e3 * EPS * (1 + np.linalg.norm(c))


@pytest.mark.parametrize("manifold", HYPERBOLIC, ids=str)
def test_a_geodesic_through_the_origin_is_a_diameter(manifold):
    v = torch.tensor([0.6, -0.8], dtype=torch.float64)
    ends = manifold.from_normal(v), manifold.from_normal(-2 * v)
    (z,) = geodesics(*ends, manifold=manifold).get_segments()
    assert np.abs(z @ [0.8, 0.6]).max() <= 8 * EPS


def test_geodesics_on_surfaces_stay_on_them_and_in_a_plane_through_the_centre():
    for manifold, draw, form in (
        (Lorentz(-0.5), hyperboloid, np.array([1.0, 1.0, -1.0])),
        (PoincareBall(-2.0), hyperboloid, np.array([1.0, 1.0, -1.0])),
        (Sphere(0.7), sphere, np.ones(3)),
    ):
        x, y = _points(manifold, 3, seed=1), _points(manifold, 3, seed=2)
        ax = draw(x, manifold=manifold).ax
        for z in geodesics(x, y, manifold=manifold, ax=ax).curves:
            np.testing.assert_allclose((form * z * z).sum(1), form[2], rtol=1e-12)
            assert np.linalg.svd(z)[1][2] <= 1e-13 * np.linalg.norm(z)


def test_geodesics_broadcast_one_start_against_many_ends():
    manifold = Lorentz()
    y = _points(manifold, 4)
    lines = geodesics(manifold.origin(2), y, manifold=manifold)
    assert len(lines.get_segments()) == 4


@pytest.mark.parametrize("manifold", CURVED, ids=str)
@pytest.mark.parametrize("min_radius", [0.02, 0.1])
def test_every_point_of_a_side_has_exterior_angle_psi(manifold, min_radius):
    for apex in _points(manifold, 6, seed=3):
        psi = manifold.half_aperture(apex, min_radius)
        sides = cone_sides(apex, manifold=manifold, min_radius=min_radius)
        assert sides.shape == (2, 129, len(apex))
        assert torch.equal(sides[0, 0], sides[1, 0])
        near, far = sides[:, 0], sides[:, -1]
        torch.testing.assert_close(near, apex.expand(2, -1), rtol=8 * EPS, atol=8 * EPS)
        reach = torch.full((2,), float(manifold.radius), dtype=torch.float64)
        torch.testing.assert_close(manifold.dist(apex, far), reach, rtol=1e-12, atol=0)
        angles = manifold.exterior_angle(apex, sides[:, 1:])
        # A point known to u is seen from distance s at an angle known to u/s; the nearest of the
        # points is at 1/128, and the frame at the apex grows as cosh r <= 2.2 does.
        tolerance = 128 * 8 * EPS
        torch.testing.assert_close(angles, psi.expand_as(angles), rtol=0, atol=tolerance)


@pytest.mark.parametrize("manifold", HYPERBOLIC, ids=str)
def test_drawn_sides_leave_the_apex_at_psi_and_reach_the_boundary(manifold):
    # The disk is conformal, so the angle on paper is the angle on the manifold.
    apex = manifold.from_normal(torch.tensor([0.5, 0.7], dtype=torch.float64))
    drawing = cone(apex, manifold=manifold)
    psi = float(manifold.half_aperture(apex))
    turns = []
    for z in drawing.sides.get_segments():
        assert 1 - np.linalg.norm(z[-1]) < 1e-4
        c = np.linalg.solve(2 * z[[0, -1]], (z[[0, -1]] ** 2).sum(1) + 1)
        tangent = np.array([-(z[0] - c)[1], (z[0] - c)[0]])
        tangent *= np.sign(tangent @ (z[1] - z[0]))
        out = z[0]
        cross = out[0] * tangent[1] - out[1] * tangent[0]
        turns.append(math.atan2(cross, out @ tangent))
    assert turns == pytest.approx([psi, -psi], abs=1e-9)


def test_the_inside_of_a_cone_is_filled_on_the_disk_and_on_surfaces():
    manifold = Lorentz()
    apex = manifold.from_normal(torch.tensor([0.9, 0.0], dtype=torch.float64))
    flat = disk(manifold=manifold)
    fill = cone(apex, manifold=manifold, ax=flat.ax).fill
    assert fill.get_path().contains_point((0.95, 0.0))
    assert not fill.get_path().contains_point((0.3, 0.0))
    assert 0 < fill.get_alpha() < 0.5
    ball = Sphere()
    solid = sphere(manifold=ball).ax
    assert cone(ball.from_normal(torch.tensor([0.9, 0.0])), manifold=ball).fill is not None
    assert cone(ball.from_normal(torch.tensor([0.9, 0.0])), manifold=ball, ax=solid).fill.axes


def test_a_cone_near_the_origin_is_a_half_plane():
    manifold = PoincareBall()
    apex = manifold.from_normal(torch.tensor([0.0, 0.1], dtype=torch.float64))
    left, right = cone_sides(apex, manifold=manifold, reach=3.0)
    angle = manifold.exterior_angle(apex, torch.stack([left[-1], right[-1]]))
    torch.testing.assert_close(angle, torch.full_like(angle, math.pi / 2), rtol=1e-12, atol=0)


def test_pictures_leave_a_learnable_manifold_as_it_is():
    manifold = Lorentz(-0.8, learnable=True)
    x = _points(Lorentz(-0.8)).requires_grad_()
    disk(x, manifold=manifold)
    geodesics(x[:3], x[3:6], manifold=manifold)
    cone(x[0], manifold=manifold)
    assert all(p.requires_grad and p.grad is None for p in manifold.parameters())
    assert x.grad is None


def test_refusals_are_sentences():
    manifold = Lorentz()
    with pytest.raises(ValueError, match=r"plotting\.cone: apex is the origin.*expected another"):
        cone(manifold.origin(2), manifold=manifold)
    with pytest.raises(ValueError, match=r"plotting\.cone: apex has shape \(2, 3\).*shape \(3,\)"):
        cone(_points(manifold, 2), manifold=manifold)
    with pytest.raises(ValueError, match=r"plotting\.cone: reach is -1.*positive"):
        cone(_points(manifold)[0], manifold=manifold, reach=-1)
    five = manifold.random_normal(2, 5, dtype=torch.float64)
    with pytest.raises(ValueError, match=r"plotting\.geodesics: points.*dimension 5.*dimension 2"):
        geodesics(five[:1], five[1:], manifold=manifold)
    flat = torch.zeros(1, 2)
    with pytest.raises(ValueError, match=r"plotting\.geodesics: manifold is Euclidean\(\)"):
        geodesics(flat, flat + 1, manifold=Euclidean(), ax=hyperboloid().ax)


def test_curves_have_the_style_asked_for():
    manifold = Lorentz()
    x, y = _points(manifold, 2, seed=1), _points(manifold, 2, seed=2)
    plain = geodesics(x, y, manifold=manifold)
    assert tuple(plain.get_colors()[0]) == to_rgba("#0072B2")
    assert (list(plain.get_linewidths()), plain.get_zorder()) == ([1.0], 2.0)
    two = geodesics(
        x, y, manifold=manifold, color=["red", "blue"], linewidth=[1.0, 3.0], alpha=0.5, zorder=7
    )
    assert [tuple(c) for c in two.get_colors()] == [(1, 0, 0, 0.5), (0, 0, 1, 0.5)]
    assert (list(two.get_linewidths()), two.get_zorder()) == ([1.0, 3.0], 7)
    filled = cone(x[0], manifold=manifold)
    assert tuple(filled.sides.get_colors()[0]) == to_rgba("#D55E00")
    assert filled.fill.get_alpha() == 0.15
    other = cone(x[0], manifold=manifold, color="red", alpha=0.5)
    assert tuple(other.sides.get_colors()[0]) == (1, 0, 0, 1)
    assert tuple(other.fill.get_facecolor()) == (1.0, 0.0, 0.0, 0.5)
    assert other.fill.get_zorder() == 0


def test_a_curve_has_the_points_that_it_needs_and_misses_the_geodesic_by_none_that_is_seen():
    manifold = PoincareBall()
    x, y = _points(manifold, 12, seed=1), _points(manifold, 12, seed=2)
    x = torch.cat([x, manifold.from_normal(torch.tensor([[6.0, 0.0], [0.5, 0.0]]).double())])
    y = torch.cat([y, manifold.from_normal(torch.tensor([[0.0, 6.0], [0.9, 0.0]]).double())])
    lines = geodesics(x, y, manifold=manifold).get_segments()
    assert len(lines[-1]) == 2  # a part of a diameter is straight
    assert len(lines[-2]) == 129
    for start, end, line in zip(x, y, lines, strict=True):
        exact = manifold.geodesic(start, end, torch.linspace(0, 1, 301).double()).numpy()
        along, step = line[:-1], np.diff(line, axis=0)
        t = ((exact[:, None] - along) * step).sum(-1) / (step**2).sum(-1)
        nearest = along + t.clip(0, 1)[..., None] * step
        miss = np.linalg.norm(exact[:, None] - nearest, axis=-1).min(1).max()
        assert miss < 1e-3  # of the radius: an eighth of a point on a page's width


def _ends(drawing, manifold, ax):
    """The distances of the sides' ends from the apex, in units of R, from the drawn numbers."""
    if ax == "solid":
        form = torch.tensor([1.0, 1.0, float(manifold.sign)])
        ends = torch.tensor(drawing.sides.curves)[:, [0, -1]]
        product = (form * ends[:, 0] * ends[:, 1]).sum(-1)
        return (product.acos() if manifold.sign > 0 else (-product).acosh()).tolist()
    sides = torch.tensor(np.array(drawing.sides.get_segments()))
    return PoincareBall().dist(sides[:, 0], sides[:, -1]).tolist()


def test_cones_reach_as_far_as_is_said():
    for manifold, draw in ((Lorentz(-0.3), hyperboloid), (Sphere(2.0), sphere)):
        apex = manifold.from_normal(0.4 * float(manifold.radius) * torch.eye(2).double()[0])
        solid = draw(manifold=manifold).ax
        assert _ends(cone(apex, manifold=manifold, ax=solid), manifold, "solid") == pytest.approx(
            [1.0, 1.0]
        )
        drawn = cone(apex, manifold=manifold, ax=solid, reach=0.7)
        assert _ends(drawn, manifold, "solid") == pytest.approx([0.7, 0.7])
    manifold = PoincareBall(-0.3)
    apex = manifold.from_normal(torch.tensor([0.5, 0.5], dtype=torch.float64))
    drawn = cone(apex, manifold=manifold, reach=2.5)
    assert _ends(drawn, manifold, "flat") == pytest.approx([2.5, 2.5])
    # The boundary: from e^-14 of it the eye sees no gap.
    assert _ends(cone(apex, manifold=manifold), manifold, "flat") == pytest.approx([14] * 2, 1e-6)
    outline = torch.tensor(drawn.fill.get_xy())
    distances = PoincareBall().dist(outline[0], outline)
    assert float(distances.max()) == pytest.approx(2.5)
    assert int((distances > 2.5 - 1e-9).sum()) >= 65  # a ray's end each
    sides = cone_sides(apex, manifold=manifold)
    reached = manifold.dist(apex, sides[:, -1])
    torch.testing.assert_close(reached, torch.full_like(reached, float(manifold.radius)))


@pytest.mark.parametrize("min_radius", [0.1, 0.5])
def test_the_least_radius_of_a_cone_is_passed_on(min_radius):
    manifold = Lorentz()
    apex = manifold.from_normal(torch.tensor([0.9, 0.0], dtype=torch.float64))
    side = cone_sides(apex, manifold=manifold, min_radius=min_radius)[0, -1]
    psi = math.asin(2 * min_radius / math.sinh(0.9))
    assert float(manifold.exterior_angle(apex, side)) == pytest.approx(psi)
    drawn = cone(apex, manifold=manifold, min_radius=min_radius).sides.get_segments()[0]
    wanted = cone_sides(apex, manifold=manifold, min_radius=min_radius, reach=14.0)[0]
    np.testing.assert_allclose(drawn, wanted[:, 1:] / (1 + wanted[:, :1]), atol=1e-9)
    for make in (cone, cone_sides):  # a tenth is what is meant where nothing is said
        plain, same = (make(apex, manifold=manifold, **k) for k in ({}, {"min_radius": 0.1}))
        if make is cone:
            plain, same = (torch.tensor(d.sides.get_segments()[0]) for d in (plain, same))
        assert torch.equal(plain, same)
    with pytest.raises(ValueError, match="reach is 0; expected a positive length"):
        cone(apex, manifold=manifold, reach=0)
