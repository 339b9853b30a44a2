"""Ways to the root, on points whose cones are known, and against the definition in loops."""

import math

import pytest
import torch

from spaceforms.manifolds import Euclidean, Lorentz, Product, Sphere
from spaceforms.models.evaluation.cone_margin import cone_margin
from spaceforms.models.evaluation.traversal import ROOT, Way, captions, nearest_above, traverse

SPACES = [Lorentz(-2.0), Euclidean(), Sphere(0.3), Product([Lorentz(-1.0), Lorentz(-2.0)])]


def test_texts_on_the_ray_are_met_in_order_and_others_are_not():
    """All on one ray but one, which is nearest to the picture and does not hold it."""
    space = Lorentz()
    v = torch.tensor([[3.0, 0], [2.0, 0], [1.0, 0], [4.0, 0.02]], dtype=torch.float64)
    picture = space.from_normal(torch.tensor([[4.0, 0.0]], dtype=torch.float64))
    texts, root = space.from_normal(v), space.origin(2, dtype=torch.float64)
    (way,) = traverse(picture, texts, root, manifold=space, min_radius=0.1, steps=401)
    assert way.texts == [0, 1, 2, ROOT]
    # A point at radius r is in the cones of texts at smaller radii: the text at 3 is left at r = 3,
    # where its cone begins; the root is nearer than the text at 1 from there on.
    assert way.at == pytest.approx([0.0, 1 / 4, 2 / 4, 3 / 4], abs=2 / 400)
    assert captions(way, ["a", "b", "c", "d"]) == ["a", "b", "c", "[ROOT]"]
    (free,) = traverse(picture, texts, root, manifold=space, steps=401)
    assert free.texts == [3, 0, 1, 2, ROOT]
    assert free.at[-1] == pytest.approx(1 - 0.5 / 4, abs=2 / 400)


@pytest.mark.parametrize("space", SPACES, ids=repr)
@pytest.mark.parametrize("min_radius", [None, 0.2])
def test_the_nearest_holding_text_is_that_of_a_table_of_all_pairs(space, min_radius):
    torch.manual_seed(0)
    make = {"dtype": torch.float64}
    points = space.from_normal(0.7 * torch.randn(20, 4, **make))
    texts = space.from_normal(0.5 * torch.randn(150, 4, **make))
    root = space.origin(4, **make)
    distance = space.dist(points[:, None], texts)
    if min_radius is not None:
        for factor, point, text in _parts(space, points[:, None], texts):
            angle = factor.exterior_angle(text, point)
            distance[angle > factor.half_aperture(text, min_radius)] = math.inf
    least, best = distance.min(1)
    wanted = torch.where(least < space.dist(points, root), best, ROOT).tolist()
    got = nearest_above(points, texts, root, manifold=space, min_radius=min_radius)
    assert got.tolist() == wanted
    assert len(set(wanted)) > 3


def _parts(space, x, y):
    if isinstance(space, Product):
        return list(zip(space.factors, space.split(x), space.split(y), strict=True))
    return [(space, x, y)]


def test_a_way_without_texts_is_the_root():
    space = Sphere()
    root = space.origin(3)
    point = space.from_normal(torch.tensor([[0.0, 1.0, 0.0]]))
    behind = space.from_normal(torch.tensor([[0.0, -3.0, 0.0]]))
    assert traverse(point, behind, root, manifold=space) == [Way([ROOT], [0.0])]
    with pytest.raises(ValueError, match="steps is 1; expected at least 2"):
        traverse(point, behind, root, manifold=space, steps=1)


def test_a_margin_is_at_most_zero_inside_all_cones_of_a_product():
    space = Product([Lorentz(-1.0)] * 2)
    parent = torch.tensor([1.0, 0.0, 1.0, 0.0], dtype=torch.float64)
    aperture = math.asin(0.2 / math.sinh(1))
    for v, inside in (([2.0, 0, 2, 0], True), ([2.0, 0, -2, 0], False), ([0.5, 0, 2, 0], False)):
        child = torch.tensor(v, dtype=torch.float64)
        x, y = space.from_normal(torch.stack([parent, child]))
        margin = float(cone_margin(x, y, manifold=space))
        assert margin == pytest.approx((0 if inside else math.pi) - aperture, rel=1e-12, abs=0)
