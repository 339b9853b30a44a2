"""A manifold of a user's: what goes by the interface works on it, the rest refuses it in words."""

import re

import pytest
import torch
from cases import FOREIGN, normals

from spaceforms import stats
from spaceforms.losses import info_nce, sampled_sqdist
from spaceforms.manifolds import (
    Checked,
    Euclidean,
    Lorentz,
    Manifold,
    PoincareBall,
    Product,
    Sphere,
    Stereographic,
    busemann,
    convert,
    convert_vector,
    expmap_differential,
    horosphere_distance,
    horosphere_project,
    hyperplane_distance,
    ideal_point,
    jacobi_field,
    logits,
    logmap_differential,
    point_reflection,
    points_from,
    points_to,
    recentre,
    reflect,
    reflection,
    rotation,
    signed_distance,
    towards,
    translation,
    volume_density,
)
from spaceforms.search import brute_force, build_index

F64 = torch.float64
KLEIN = FOREIGN["foreign Klein(-0.7)"]
LORENTZ = Lorentz(-0.7)
U, V, W = (normals(KLEIN, 6, 3, seed=seed) for seed in range(3))
X, Y, Z = (KLEIN.from_normal(v) for v in (U, V, W))
TOGETHER = Product([KLEIN, LORENTZ], dims=[3, 3])
BOTH = TOGETHER.from_normal(torch.cat([U, V], -1))

BY_COORDINATES = {
    "busemann": lambda m: busemann(m, X, U),
    "horosphere_distance": lambda m: horosphere_distance(m, X, U, 0.1),
    "horosphere_project": lambda m: horosphere_project(m, X, U, 0.1),
    "towards": lambda m: towards(m, X, U, 0.1),
    "ideal_point": lambda m: ideal_point(m, X, V),
    "translation": lambda m: translation(m, X, Y),
    "rotation": lambda m: rotation(m, torch.eye(3)),
    "reflection": lambda m: reflection(m, X, V),
    "point_reflection": lambda m: point_reflection(m, X),
    "recentre": lambda m: recentre(m, X),
    "reflect": lambda m: reflect(m, X, Y, V),
    "signed_distance": lambda m: signed_distance(m, X, Y, V),
    "hyperplane_distance": lambda m: hyperplane_distance(m, X, Y, V),
    "logits": lambda m: logits(m, X, Y, V),
    "logits by a product": lambda m: logits(m, X, Y, V, matmul=True),
    "points_to": lambda m: points_to("geomstats", m, X),
    "points_from": lambda m: points_from("geoopt", m, X),
    "convert": lambda m: convert(X, m, LORENTZ),
    "convert_vector": lambda m: convert_vector(X, V, m, LORENTZ),
    "horopca": lambda m: stats.horopca(m, X, 1),
    "centroid": lambda m: stats.centroid(m, X),
    "lorentz_centroid": lambda m: stats.lorentz_centroid(m, X),
    "einstein_midpoint": lambda m: stats.einstein_midpoint(m, X),
    "gyromidpoint": lambda m: stats.gyromidpoint(m, X),
    "build_index": lambda m: build_index(m, X),
}


@pytest.mark.parametrize("checked", [False, True])
@pytest.mark.parametrize("name", BY_COORDINATES)
def test_what_knows_coordinates_refuses_a_class_that_it_does_not_know(name, checked):
    if name == "build_index":
        pytest.importorskip("faiss")
    with pytest.raises(TypeError, match=r"(manifold|source) is .*Klein.*expected .*Lorentz"):
        BY_COORDINATES[name](Checked(KLEIN) if checked else KLEIN)


@pytest.mark.parametrize("make", [translation, lambda m, p, _: point_reflection(m, p)])
def test_a_product_with_such_a_factor_is_refused_by_that_factor(make):
    with pytest.raises(
        TypeError, match=r"manifold is Klein.*class whose coordinates are not known"
    ):
        make(TOGETHER, BOTH, BOTH.flip(0))


BY_THE_INTERFACE = {
    "mean": lambda m, x, v: m.mean(x),
    "median": lambda m, x, v: stats.geometric_median(m, x),
    "geodesic": lambda m, x, v: m.geodesic(x, x.flip(0), 0.3),
    "expmap": lambda m, x, v: m.expmap(x, v),
}


@pytest.mark.parametrize("name", BY_THE_INTERFACE)
def test_points_that_the_interface_gives_are_those_of_the_hyperboloid(name):
    call = BY_THE_INTERFACE[name]
    found = [
        m.to_normal(call(m, m.from_normal(U), m.transport0(m.from_normal(U), lifted(m, V))))
        for m in (KLEIN, LORENTZ)
    ]
    torch.testing.assert_close(*found, rtol=1e-9, atol=1e-9)


NUMBERS = {
    "info_nce": lambda m, x, y, v, w: info_nce(x, y, manifold=m, scale=3.0),
    "info_nce by tiles": lambda m, x, y, v, w: info_nce(x, y, manifold=m, scale=3.0, tile=2),
    "sampled_sqdist": lambda m, x, y, v, w: sampled_sqdist(x, U**2, y, V**2, manifold=m),
    "expmap_differential": lambda m, x, y, v, w: m.norm(
        m.expmap(x, v), expmap_differential(m, x, v, w)
    ),
    "logmap_differential": lambda m, x, y, v, w: m.norm(
        x, logmap_differential(m, x, y, m.transport(x, y, w))
    ),
    "jacobi_field": lambda m, x, y, v, w: m.norm(m.expmap(x, v), jacobi_field(m, x, v, w, v)),
    "volume_density": lambda m, x, y, v, w: volume_density(m, x, v),
    "pga": lambda m, x, y, v, w: stats.pga(m, x, 2).variances,
    "tangent_pca": lambda m, x, y, v, w: stats.tangent_pca(m, x, 2).transform(y),
    "brute_force": lambda m, x, y, v, w: brute_force(m, x, y, 3).distances,
}


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_that_the_interface_gives_are_those_of_the_hyperboloid(name):
    found = []
    for m in (KLEIN, LORENTZ):
        x, y = m.from_normal(U), m.from_normal(V)
        v, w = (m.transport0(x, lifted(m, c)) for c in (V, W))
        found.append(NUMBERS[name](m, x, y, v, w))
    torch.testing.assert_close(*found, rtol=1e-8, atol=1e-8)


def lifted(m, v):
    """A tangent vector at the origin from components."""
    return torch.cat([torch.zeros_like(v[..., : m.ambient_dim(0)]), v], -1)


@pytest.mark.parametrize("base", [Lorentz, PoincareBall, Sphere, Euclidean, Stereographic, Product])
def test_a_class_that_overrides_a_part_of_a_final_one_is_refused_where_it_is_made(base):
    sentence = re.escape(f"Mine: it overrides _dist of {base.__name__}, whose maps and losses do")
    with pytest.raises(TypeError, match=sentence + ".*expected a class derived from Manifold"):
        type("Mine", (base,), {"_dist": lambda self, x, y, radius: 2 * x})
    with pytest.raises(TypeError, match="it overrides dist of"):
        type("Mine", (type("Mixin", (), {"dist": lambda self, x, y: 0}), base), {})
    assert issubclass(type("Same", (base,), {"__doc__": "Overrides nothing."}), base)


def test_a_class_of_a_users_may_be_derived_from():
    half = type("Half", (type(KLEIN),), {"_dist": lambda self, x, y, radius: 0 * x[..., :1]})
    assert isinstance(half(-1.0), Manifold)
    assert half(-1.0).dist(X, Y).abs().max() == 0
