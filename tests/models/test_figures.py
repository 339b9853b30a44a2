"""The pictures of a run."""

import pytest
import torch

from spaceforms.manifolds import PoincareBall
from spaceforms.models.evaluation.figures import _disk
from spaceforms.plotting import project_disk


def test_the_few_points_of_a_level_are_larger_and_above_the_many():
    ball, generator = PoincareBall(), torch.Generator().manual_seed(0)
    sizes = {"group": 8, "name": 300}
    places = {k: ball.random_normal(n, 2, generator=generator) for k, n in sizes.items()}
    flat = project_disk(torch.cat([*places.values()]), manifold=ball)
    figure, ax = _disk(places, ("group", "name"), flat, size=9.0)
    few, many = ax.collections
    assert (few.get_label(), many.get_label()) == ("group", "name")
    assert few.get_sizes()[0] >= 4 * many.get_sizes()[0]
    assert few.get_zorder() > many.get_zorder()
    figure.draw_without_rendering()


@pytest.mark.parametrize(("far", "whole"), [(1.0, False), (3.0, True)])
def test_a_disk_that_is_nearly_filled_is_shown_whole(far, whole):
    ball = PoincareBall()
    points = ball.from_normal(torch.tensor([[far, 0.0]]))
    flat = project_disk(points, manifold=ball)
    _, ax = _disk({"name": points}, ("name",), flat, size=9.0)
    assert (ax.get_xlim()[1] > 1) == whole
