"""Other libraries' conventions: the rows of docs/notation.md, and geoopt itself."""

import math
import sys

import pytest
import torch
from cases import points

from spaceforms.manifolds import (
    Checked,
    Euclidean,
    Lorentz,
    PoincareBall,
    Sphere,
    curvature_from,
    curvature_to,
    from_geoopt,
    points_from,
    points_to,
    to_geoopt,
)

K = -0.4
EPS = torch.finfo(torch.float64).eps


# -- curvatures ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("convention", "formula"),
    [
        ("geoopt.PoincareBall", lambda k: -k),
        ("geoopt.Stereographic", lambda k: k),
        ("geoopt.Lorentz", lambda k: -1 / k),
        ("MERU", lambda k: -k),
        ("HypLL", lambda k: math.log(math.exp(-k) - 1)),
        ("HGCN", lambda k: -k),
        ("hyperbolix", lambda k: -k),
        ("manify", lambda k: k),
    ],
)
@pytest.mark.parametrize("curvature", [-3.0, -1.0, -0.4])
def test_the_row_of_the_table_gives_the_parameter_and_the_parameter_the_curvature(
    convention, formula, curvature
):
    value = curvature_to(convention, curvature)
    assert value == pytest.approx(formula(curvature), rel=8 * EPS, abs=8 * EPS)
    assert curvature_from(convention, value) == pytest.approx(curvature, rel=8 * EPS, abs=0)


def test_hyplls_softplus_keeps_its_digits_for_small_and_large_curvatures():
    for curvature in (-1e-12, -1e-3, -50.0, -1e4):
        value = curvature_to("HypLL", curvature)
        # Relative error of c = softplus(v) by one of v: v/(c (1 + e^-v)), about log(1/c) at most.
        amplified = 1 + abs(value)
        assert curvature_from("HypLL", value) == pytest.approx(
            curvature, rel=4 * EPS * amplified, abs=0
        )


# -- points --------------------------------------------------------------------------------------


def minkowski(a, b, time):
    product = a * b
    return product.sum(-1) - 2 * product[..., time]


@pytest.mark.parametrize(
    ("library", "time"), [("geomstats", 0), ("pymanopt", 0), ("Manifolds.jl", -1)]
)
def test_on_the_unit_hyperboloid_of_another_library_distances_are_ours_over_the_radius(
    library, time
):
    space = Lorentz(K)
    x, y = points(space, 5, 3, seed=1), points(space, 5, 3, seed=2)
    a, b = points_to(library, space, x), points_to(library, space, y)
    torch.testing.assert_close(minkowski(a, a, time), -torch.ones(5, dtype=a.dtype))
    theirs = torch.acosh(-minkowski(a, b, time))
    torch.testing.assert_close(theirs * space.radius, space.dist(x, y), rtol=1e-10, atol=0)
    torch.testing.assert_close(points_from(library, space, a), x, rtol=2 * EPS, atol=0)


def test_on_the_unit_ball_and_sphere_of_another_library_distances_are_ours_over_the_radius():
    ball, sphere = PoincareBall(K), Sphere(2.5)
    x, y = points(ball, 5, 3, seed=1), points(ball, 5, 3, seed=2)
    a, b = points_to("geomstats", ball, x), points_to("pymanopt", ball, y)
    # Manifolds.jl and pymanopt: acosh(1 + 2 |a - b|^2/((1 - |a|^2)(1 - |b|^2))).
    gaps = (1 - (a * a).sum(-1)) * (1 - (b * b).sum(-1))
    theirs = torch.acosh(1 + 2 * (a - b).square().sum(-1) / gaps)
    torch.testing.assert_close(theirs * ball.radius, ball.dist(x, y), rtol=1e-10, atol=0)
    p, q = points(sphere, 5, 3, seed=1), points(sphere, 5, 3, seed=2)
    for library in ("geomstats", "pymanopt", "Manifolds.jl", "geoopt"):
        a, b = points_to(library, sphere, p), points_to(library, sphere, q)
        theirs = torch.acos((a * b).sum(-1))
        torch.testing.assert_close(theirs * sphere.radius, sphere.dist(p, q), rtol=1e-10, atol=0)
        torch.testing.assert_close(points_from(library, sphere, a), p, rtol=2 * EPS, atol=0)


def test_meru_stores_the_space_part_and_its_distance_is_ours():
    space = Lorentz(K)
    x, y = points(space, 5, 3, seed=1), points(space, 5, 3, seed=2)
    a, b = points_to("MERU", space, x), points_to("MERU", space, y)
    assert a.shape == (5, 3)
    c = curvature_to("MERU", K)
    # Desai et al. 2023, eqs. 1, 3 and 5: x_time = sqrt(1/c + |x|^2), d = acosh(-c <x, y>)/sqrt(c).
    a_time, b_time = (torch.sqrt(1 / c + s.square().sum(-1)) for s in (a, b))
    theirs = torch.acosh(c * (a_time * b_time - (a * b).sum(-1))) / math.sqrt(c)
    torch.testing.assert_close(theirs, space.dist(x, y), rtol=1e-10, atol=0)
    back = points_from("MERU", space, a)
    torch.testing.assert_close(back, x, rtol=4 * EPS, atol=0)


@pytest.mark.parametrize("library", ["geoopt", "HypLL", "HGCN", "hyperbolix", "manify"])
@pytest.mark.parametrize("space", [Lorentz(K), PoincareBall(K), Euclidean()], ids=repr)
def test_where_the_table_says_as_ours_nothing_changes(library, space):
    x = points(space, 2, 3)
    assert torch.equal(points_to(library, space, x), x)
    assert torch.equal(points_from(library, Checked(space), x), x)


def test_tangent_vectors_go_the_same_way():
    space = Lorentz(K)
    x, y = points(space, 5, 3, seed=1), points(space, 5, 3, seed=2)
    a, v = (points_to("Manifolds.jl", space, z) for z in (x, space.logmap(x, y)))
    torch.testing.assert_close(minkowski(a, v, -1), torch.zeros(5, dtype=v.dtype))
    length = minkowski(v, v, -1).sqrt() * space.radius
    torch.testing.assert_close(length, space.dist(x, y), rtol=1e-10, atol=0)


# -- geoopt itself -------------------------------------------------------------------------------


@pytest.mark.parametrize("space", [Lorentz(K), PoincareBall(K), Sphere(1.0), Euclidean()], ids=repr)
def test_geoopts_manifold_of_our_points_has_our_distances_and_comes_back(space):
    pytest.importorskip("geoopt")
    theirs = to_geoopt(space, dtype=torch.float64)
    x, y = points(space, 5, 3, seed=1), points(space, 5, 3, seed=2)
    assert theirs.check_point_on_manifold(x)
    torch.testing.assert_close(theirs.dist(x, y), space.dist(x, y), rtol=1e-9, atol=0)
    v = space.logmap(x, y)
    torch.testing.assert_close(theirs.logmap(x, y), v, rtol=1e-7, atol=1e-9)
    torch.testing.assert_close(theirs.expmap(x, v), y, rtol=1e-7, atol=1e-9)
    ours = from_geoopt(theirs)
    assert type(ours) is type(space)
    torch.testing.assert_close(ours.curvature, space.curvature, rtol=8 * EPS, atol=0)


def test_geoopts_curvatures_are_read_whatever_their_class_and_learned_ones_stay_learned():
    geoopt = pytest.importorskip("geoopt")
    for theirs, ours in (
        (geoopt.Lorentz(k=2.0), Lorentz(-0.5)),
        (geoopt.PoincareBall(c=2.0), PoincareBall(-2.0)),
        (geoopt.PoincareBallExact(c=2.0), PoincareBall(-2.0)),
        (geoopt.Stereographic(k=-0.25), PoincareBall(-0.25)),
    ):
        found = from_geoopt(theirs)
        assert type(found) is type(ours)
        torch.testing.assert_close(found.curvature, ours.curvature, rtol=1e-6, atol=0)
        assert not list(found.parameters())
    learned = from_geoopt(geoopt.Lorentz(k=2.0, learnable=True))
    assert len(list(learned.parameters())) == 1
    assert to_geoopt(learned).k.requires_grad
    assert to_geoopt(PoincareBall(-2.0, learnable=True)).isp_c.requires_grad
    assert to_geoopt(Checked(Lorentz(-2.0))).k.item() == 0.5


def test_what_geoopt_has_not_gets_a_sentence():
    geoopt = pytest.importorskip("geoopt")
    with pytest.raises(ValueError, match=r"k is 0\.\d+; .*StereographicPlane\(k\)"):
        from_geoopt(geoopt.SphereProjection(k=0.5))
    with pytest.raises(ValueError, match=r"k is 0\.0; expected a negative one"):
        from_geoopt(geoopt.Stereographic(k=0.0))
    with pytest.raises(TypeError, match=r"from_geoopt: manifold is .*Stiefel"):
        from_geoopt(geoopt.Stiefel())
    with pytest.raises(TypeError, match="from_geoopt: manifold is 3"):
        from_geoopt(3)
    with pytest.raises(ValueError, match=r"manifold is Sphere\(curvature=2\)"):
        to_geoopt(Sphere(2.0))


def test_without_geoopt_there_is_a_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "geoopt", None)
    monkeypatch.delitem(sys.modules, "spaceforms.manifolds.interop.geoopt_adapter", raising=False)
    for call in (lambda: to_geoopt(Lorentz()), lambda: from_geoopt(None)):
        with pytest.raises(ModuleNotFoundError, match=r"_geoopt needs geoopt, .*\[optim\]"):
            call()


# -- bad input -----------------------------------------------------------------------------------

X = torch.tensor([1.0, 0.0])


@pytest.mark.parametrize(
    ("call", "kind", "sentence"),
    [
        (lambda: curvature_from("geoopt", 1.0), ValueError, r"convention is 'geoopt'; expected"),
        (lambda: curvature_from("MERU", -1.0), ValueError, r"value is -1\.0; expected a positive"),
        (lambda: curvature_from("HypLL", math.inf), ValueError, r"expected a finite number"),
        (lambda: curvature_from("MERU", "1"), TypeError, r"value is a str; expected a number"),
        (
            lambda: curvature_to("geoopt.Lorentz", 0.0),
            ValueError,
            r"curvature is 0\.0; expected a negative sectional curvature for geoopt\.Lorentz",
        ),
        (lambda: points_to("jax", Lorentz(), X), ValueError, r"library is 'jax'; expected one"),
        (lambda: points_to("MERU", Sphere(), X), ValueError, r"MERU's points are those of"),
        (lambda: points_from("geoopt", "ball", X), TypeError, r"manifold is a str"),
        (lambda: points_from("geoopt", Lorentz(), X[:1]), ValueError, r"at least 2 coord"),
        (lambda: points_from("MERU", Lorentz(), X.int()), TypeError, r"dtype torch\.int32"),
    ],
)
def test_bad_input_gets_a_sentence(call, kind, sentence):
    with pytest.raises(kind, match=sentence):
        call()
