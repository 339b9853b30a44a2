"""The reference of the operations by other routes: limits, defining properties, quadrature."""

import mpmath as mp
import pytest

from spaceforms.validation.exact.charts import space_of
from spaceforms.validation.exact.maps import Space, definitions
from spaceforms.validation.exact.operations import (
    HYPERBOLIC_CHARTS,
    SPHERICAL_CHARTS,
    operations,
)

CLOSE = mp.mpf(10) ** -45
MAPS, OPERATIONS = definitions(), operations()
SPACES = {
    "hyperboloid": Space(-1, "hyperboloid"), "ball": Space(-1, "ball"),
    "sphere": Space(1, "sphere"), "flat": Space(0, "flat"),
}  # fmt: skip
U, V, W = ("0.7", "-1.1", "0.2"), ("-0.4", "0.3", "0.9"), ("0.1", "0.5", "-0.3")


@pytest.fixture(autouse=True)
def digits():
    with mp.workdps(300):
        yield


def vector(*numbers):
    return [mp.mpf(n) for n in numbers]


def point(space, numbers):
    return space.drop(space.exp(space.origin(vector("0", *numbers)), vector("0", *numbers)))


def same(a, b):
    return all(abs(p - q) < CLOSE for p, q in zip(a, b, strict=True))


@pytest.mark.parametrize(
    ("sign", "chart"),
    [(s, c) for s, some in ((-1, HYPERBOLIC_CHARTS), (1, SPHERICAL_CHARTS)) for c in some.values()],
)
def test_a_chart_is_inverted_and_its_vectors_are_those_of_the_space(sign, chart):
    space = space_of(sign, chart)
    x = point(space, V)
    assert same(space.drop(space.lift(x)), x)
    assert abs(space.dot(space.lift(x), space.lift(x)) - sign) < CLOSE
    there = space.log(space.lift(x), space.lift(point(space, U)))
    assert same(space.push(x, space.pull(space.lift(x), there)), there)


def test_the_metric_of_the_half_space_is_that_of_its_definition():
    space = space_of(-1, "halfspace")
    x, v = vector("0.3", "-0.8", "0.6"), vector(*W)
    assert abs(space.length(space.push(x, v)) - mp.sqrt(mp.fdot(v, v)) / x[-1]) < CLOSE


@pytest.mark.parametrize("chart", ["hyperboloid", "ball", "flat"])
def test_the_busemann_function_is_the_limit_that_defines_it(chart):
    space = SPACES[chart]
    x, ideal = space.lift(point(space, V)), vector(*U)
    size = mp.sqrt(mp.fdot(ideal, ideal))
    t = mp.mpf(10) ** (60 if chart == "flat" else 2)
    ray = space.exp(space.origin(x), [t * 0, *[t * c / size for c in ideal]])
    limit = space.dist(x, ray) - t
    value = OPERATIONS["busemann"].function(space, space.drop(x), ideal)
    assert abs(value - limit) < CLOSE * mp.mpf(10) ** 5
    moved = OPERATIONS["horosphere_project"].function(space, space.drop(x), ideal, vector("0.4"))
    assert abs(OPERATIONS["busemann"].function(space, moved, ideal) - mp.mpf("0.4")) < CLOSE


@pytest.mark.parametrize("chart", SPACES)
def test_isometries_keep_distances_and_a_translation_takes_p_to_q(chart):
    space = SPACES[chart]
    p, q, x = (point(space, v) for v in (U, V, W))
    move = OPERATIONS["translation"].function
    assert same(move(space, p, q, p), q)
    d = MAPS["dist"].function
    assert abs(d(space, move(space, p, q, x), q) - d(space, x, p)) < CLOSE
    a = MAPS["logmap"].function(space, p, x)
    back = OPERATIONS["reflection"].function(space, p, x, a)
    assert same(back, OPERATIONS["point_reflection"].function(space, p, x))  # x is on the normal
    distance = OPERATIONS["signed_distance"].function(space, p, x, a)
    far = d(space, p, x)  # on the sphere none is farther than a quarter turn
    assert abs(distance - (min(far, mp.pi - far) if space.sign > 0 else far)) < CLOSE


@pytest.mark.parametrize("chart", SPACES)
def test_the_differentials_of_exp_and_log_are_inverse(chart):
    space = SPACES[chart]
    x, y = point(space, U), point(space, V)
    v, w = MAPS["logmap"].function(space, x, y), MAPS["logmap"].function(space, x, point(space, W))
    image = OPERATIONS["expmap_differential"].function(space, x, v, w)
    back = OPERATIONS["logmap_differential"].function(space, y, x, image)
    assert same(back, w)
    turned = OPERATIONS["logmap_differential_base"].function(space, x, y, v)
    assert same(turned, [-c for c in v])  # along the geodesic


@pytest.mark.parametrize("n", [1, 2, 7])
@pytest.mark.parametrize("chart", ["hyperboloid", "sphere", "flat"])
def test_a_volume_is_the_integral_of_areas(chart, n):
    space, options = SPACES[chart], {"dimension": n, "unit": mp.mpf(2)}
    with mp.workdps(40):
        area = OPERATIONS["sphere_area"].function
        whole = mp.quad(lambda t: area(space, [t], **options), [0, mp.mpf("1.3")])
        value = OPERATIONS["ball_volume"].function(space, [mp.mpf("1.3")], **options)
        assert abs(value / whole - 1) < mp.mpf(10) ** -30


def test_gyrations_are_rotations_and_the_coaddition_commutes():
    space = space_of(1, "ball")
    x, y, v = (vector(*c) for c in (U, V, W))
    turned = OPERATIONS["gyration"].function(space, x, y, v)
    assert abs(mp.fdot(turned, turned) - mp.fdot(v, v)) < CLOSE
    add = OPERATIONS["coadd"].function
    assert same(add(space, x, y), add(space, y, x))
