"""Fields: the values drawn, where, and that a density drawn has the mass of one."""

import math

import numpy as np
import pytest
import torch

from spaceforms.distributions import WrappedNormal
from spaceforms.manifolds import Euclidean, Lorentz, PoincareBall, Sphere
from spaceforms.plotting import disk, field

POLES = {
    "poincare": lambda x, y: 4 / (1 - x * x - y * y) ** 2,
    "klein": lambda x, y: (1 - x * x - y * y) ** -1.5,
    "half-plane": lambda x, y: 1 / (y * y),
    "normal": lambda x, y: np.sinh(np.hypot(x, y)) / np.hypot(x, y),
}


@pytest.mark.parametrize("chart", POLES)
def test_a_density_drawn_in_any_chart_has_the_mass_of_one(chart):
    # By the chart's own element of area, which nothing here computes.
    space = Lorentz(-2.0)
    loc = space.from_normal(torch.tensor([0.2, -0.1], dtype=torch.float64))
    law = WrappedNormal(space, loc, torch.tensor([0.3, 0.2], dtype=torch.float64))
    ax = disk(manifold=space, chart=chart, reach=2.6).ax
    seen = []

    def density(x):
        seen.append(x)
        return law.log_prob(x).exp()

    drawn = field(density, manifold=space, ax=ax, resolution=240)
    assert space.is_point(seen[0]).all()
    values = drawn.get_array().reshape(240, 240)
    (left, right), (low, high) = ax.get_xlim(), ax.get_ylim()
    x, y = np.meshgrid(np.linspace(left, right, 240), np.linspace(low, high, 240))
    cell = (right - left) * (high - low) / 239**2
    with np.errstate(all="ignore"):
        area = POLES[chart](x, y) / 2  # in units of the space's own length
    mass = np.ma.masked_invalid(values * area).filled(0).sum() * cell
    assert mass == pytest.approx(1, abs=0.02)
    assert drawn.get_zorder() < 1


def test_a_field_ends_at_the_rim_and_is_the_function_within():
    ball = PoincareBall()
    drawn = field(lambda x: ball.dist(torch.zeros_like(x), x), manifold=ball, resolution=41)
    values = drawn.get_array().reshape(41, 41)
    place = np.linspace(*drawn.axes.get_xlim(), 41)
    r = np.hypot(*np.meshgrid(place, place))
    assert (values.mask == (r >= 1)).all()
    np.testing.assert_allclose(values[20], 2 * np.arctanh(np.minimum(r[20], 0.999999)), rtol=1e-6)


def test_lines_of_a_distance_are_circles():
    ball = PoincareBall()
    lines = field(lambda x: ball.dist(torch.zeros_like(x), x), manifold=ball, levels=[0.5, 1.0])
    for level, segments in zip((0.5, 1.0), lines.allsegs, strict=True):
        (segment,) = segments
        assert np.linalg.norm(segment, axis=1) == pytest.approx(math.tanh(level / 2), abs=1e-3)


def test_other_spaces_have_fields_in_normal_coordinates_and_refusals_are_sentences():
    for space in (Euclidean(), Sphere(0.5)):
        drawn = field(lambda x: x[:, 0], manifold=space, resolution=9)
        assert drawn.axes.patches or space.sign == 0
    with pytest.raises(
        ValueError, match=r"plotting\.field: function made an array of shape \(\d+, 3"
    ):
        field(lambda x: x, manifold=Lorentz(), resolution=9)
