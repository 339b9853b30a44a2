"""What a surface hides is faint: against a ray that is followed to the eye by small steps."""

import numpy as np
import pytest
import torch

from spaceforms.manifolds import Lorentz, Sphere
from spaceforms.plotting import cone, geodesics, hyperboloid, sphere
from spaceforms.plotting._solid import hidden


def _followed(manifold, points, direction, top):
    """Whether the way from each point to the eye meets the surface again, by steps."""
    way = np.concatenate([np.linspace(0.02, 60, 40_000)])
    found = []
    for p in points:
        x = p + way[:, None] * direction
        if manifold.sign > 0:
            inside = (x**2).sum(1) < 1
        else:
            inside = x[:, 2] > np.sqrt(1 + (x[:, :2] ** 2).sum(1))
        crossed = np.flatnonzero(np.diff(inside))
        # Leaving from the inner side the first crossing is the surface itself, from the outer none.
        found.append(any(x[k, 2] <= top for k in crossed))
    return np.array(found)


@pytest.mark.parametrize("draw", [hyperboloid, sphere])
@pytest.mark.parametrize("view", [(24, -60), (60, 100), (-20, 30), (5, 200)])
def test_what_is_hidden_is_what_a_ray_says(draw, view):
    manifold = Lorentz() if draw is hyperboloid else Sphere()
    generator = torch.Generator().manual_seed(0)
    reach = 1.6 if draw is hyperboloid else 3.0
    x = manifold.random_uniform(60, 2, radius=reach, generator=generator, dtype=torch.float64)
    picture = draw(x, manifold=manifold, view=view)
    points = picture.points[0].points
    up, around = np.deg2rad(view)
    eye = np.array([np.cos(up) * np.cos(around), np.cos(up) * np.sin(around), np.sin(up)])
    top = picture.wireframe.curves[..., 2].max()
    found = hidden(picture.ax, points)
    steep = draw is hyperboloid and view[0] > 45  # into the bowl, where nothing is hidden
    assert (found.sum() == 0) if steep else (0 < found.sum() < len(found))
    expected = _followed(manifold, points, eye, top)
    assert (found == expected).mean() > 0.96  # steps miss what grazes
    picture.ax.get_figure().draw_without_rendering()
    opacity = np.sort(picture.points[0].get_facecolors()[:, 3])
    assert (opacity < 0.5).sum() == found.sum()


def test_a_turned_picture_hides_other_things():
    manifold = Sphere()
    x = manifold.from_normal(torch.tensor([[1.5, 0.0], [-1.5, 0.0]], dtype=torch.float64))
    picture = sphere(x, view=(0, 0))
    assert hidden(picture.ax, picture.points[0].points).tolist() == [False, True]
    picture.ax.view_init(elev=0, azim=180)
    assert hidden(picture.ax, picture.points[0].points).tolist() == [True, False]


def test_lines_are_cut_where_they_go_behind():
    manifold = Sphere()
    ends = manifold.from_normal(torch.tensor([[1.2, 0.3], [-1.2, 0.3]], dtype=torch.float64))
    ax = sphere(view=(0, 0)).ax
    lines = geodesics(ends[:1], ends[1:], manifold=manifold, ax=ax)
    drawn = cone(ends[0], manifold=manifold, ax=ax)
    ax.get_figure().draw_without_rendering()
    pieces, opacity = lines.get_segments(), lines.get_colors()[:, 3]
    assert len(pieces) == 2
    assert sorted(opacity) == pytest.approx([0.25, 1.0])
    np.testing.assert_allclose(pieces[0][-1], pieces[1][0])  # no gap between
    (inside,) = drawn.fill.get_paths()
    assert len(inside) > 100
    assert lines.curves.shape == (1, 129, 3)


def test_a_solid_picture_is_tight_and_grows_with_what_is_drawn():
    small, large = hyperboloid(reach=1.5).ax, hyperboloid(reach=1.5).ax
    x = Lorentz().from_normal(torch.tensor([[2.5, 0.0], [0.0, 2.5]], dtype=torch.float64))
    geodesics(x[:1], x[1:], manifold=Lorentz(), ax=large)
    assert large.get_zlim()[1] > np.cosh(2.4) > small.get_zlim()[1]
    low, high = small.get_zlim()
    assert 1 - low < 0.02 * (high - low)
    assert not small.axison
