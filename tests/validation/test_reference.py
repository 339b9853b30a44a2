"""The reference against itself by other routes: models of one space, defining properties, flint."""

import mpmath as mp
import numpy as np
import pytest

from spaceforms.validation.exact.conditioning import Argument, Problem
from spaceforms.validation.exact.maps import Space, definitions

DIGITS = 60
CLOSE = mp.mpf(10) ** -45
MAPS = definitions()
SPACES = {
    "hyperboloid": Space(-1, "hyperboloid"),
    "ball": Space(-1, "ball"),
    "sphere": Space(1, "sphere"),
    "flat": Space(0, "flat"),
}


@pytest.fixture(autouse=True)
def digits():
    with mp.workdps(DIGITS):
        yield


def vector(*numbers):
    return [mp.mpf(n) for n in numbers]


V, W = ("0.7", "-1.1", "0.2"), ("-0.4", "0.3", "0.9")


def same(a, b):
    return all(abs(p - q) < CLOSE for p, q in zip(a, b, strict=True))


def normal(name, *numbers):
    """A point by its normal coordinates."""
    return MAPS["from_normal"].function(SPACES[name], vector(*numbers))


def norm(v):
    return mp.sqrt(mp.fdot(v, v))


@pytest.mark.parametrize("name", ["dist", "sqdist", "exterior_angle", "half_aperture", "logdetexp"])
def test_the_two_hyperbolic_models_agree(name):
    values = []
    for chart in ("hyperboloid", "ball"):
        space = SPACES[chart]
        x, y = normal(chart, *V), normal(chart, *W)
        a, b = space.lift(x), space.lift(y)
        second = space.pull(a, space.log(a, b))
        if name == "half_aperture":
            values.append(MAPS[name].function(space, x, vector("0.1")))
        elif name == "logdetexp":
            values.append(MAPS[name].function(space, x, second, dimension=3))
        else:
            values.append(MAPS[name].function(space, x, y))
    assert abs(values[0] - values[1]) < CLOSE


@pytest.mark.parametrize("chart", SPACES)
def test_exp_and_log_are_inverse_and_log_has_the_length_of_the_distance(chart):
    space = SPACES[chart]
    x, y = normal(chart, *V), normal(chart, *W)
    v = MAPS["logmap"].function(space, x, y)
    assert same(MAPS["expmap"].function(space, x, v), y)
    d = MAPS["dist"].function(space, x, y)
    assert abs(MAPS["norm"].function(space, x, v) - d) < CLOSE
    assert abs(MAPS["inner"].function(space, x, v, v) - d**2) < CLOSE
    half = MAPS["midpoint"].function(space, x, y)
    assert abs(MAPS["dist"].function(space, x, half) - d / 2) < CLOSE


@pytest.mark.parametrize("chart", SPACES)
def test_exp_solves_the_geodesic_equation(chart):
    """The acceleration in the ambient space is normal: g'' = -K |g'|^2 g."""
    space = SPACES[chart]
    x = space.lift(normal(chart, *V))
    v = space.log(x, space.lift(normal(chart, *W)))
    h = mp.mpf(10) ** -15
    with mp.workdps(100):
        before, now, after = (space.exp(x, [t * c for c in v]) for t in (1 - h, mp.mpf(1), 1 + h))
        second = [(p - 2 * q + r) / h**2 for p, q, r in zip(before, now, after, strict=True)]
        wanted = [-space.sign * space.dot(v, v) * c for c in now]
        assert all(abs(p - q) < 1e-25 for p, q in zip(second, wanted, strict=True))


@pytest.mark.parametrize("chart", SPACES)
def test_transport_keeps_products_and_carries_the_velocity_along(chart):
    space = SPACES[chart]
    x, y = normal(chart, *V), normal(chart, *W)
    there = MAPS["logmap"].function(space, x, y)
    back = MAPS["logmap"].function(space, y, x)
    carried = MAPS["transport"].function(space, x, y, there)
    assert same(carried, [-c for c in back])
    other = MAPS["logmap"].function(space, x, normal(chart, "0.1", "0.2", "-0.3"))
    moved = MAPS["transport"].function(space, x, y, other)
    before = MAPS["inner"].function(space, x, there, other)
    assert abs(MAPS["inner"].function(space, y, carried, moved) - before) < CLOSE


@pytest.mark.parametrize("chart", SPACES)
def test_the_riemannian_gradient_has_the_product_of_the_euclidean_one(chart):
    space = SPACES[chart]
    x, y = normal(chart, *V), normal(chart, *W)
    v = MAPS["logmap"].function(space, x, y)
    g = vector("0.3", "0.5", "-0.2", "0.9")[: len(x) + (chart == "hyperboloid")]
    ambient = space.push(x, v) if chart == "hyperboloid" else v
    sharp = MAPS["egrad2rgrad"].function(space, x, g)
    product = MAPS["inner"].function(space, x, sharp, v)
    assert abs(product - mp.fdot(g, ambient)) < CLOSE


@pytest.mark.parametrize("chart", ["hyperboloid", "ball", "sphere"])
def test_logdetexp_is_the_determinant_of_the_differential(chart):
    """By difference quotients of exp in orthonormal frames, n = 2."""
    space = SPACES[chart]
    x = space.lift(normal(chart, "0.7", "-0.4"))
    v = space.log(x, space.lift(normal(chart, "-0.2", "0.5")))

    def frame(at, first):
        """An orthonormal tangent frame beginning with a multiple of ``first``."""
        length = space.length(first)
        e = [c / length for c in first]
        other = space.log(at, space.lift(normal(chart, "0.1", "0.9")))
        rest = [c - space.dot(other, e) * d for c, d in zip(other, e, strict=True)]
        size = space.length(rest)
        return e, [c / size for c in rest]

    h = mp.mpf(10) ** -30
    with mp.workdps(120):
        end = space.exp(x, v)
        arrival = [-c for c in space.log(end, x)]
        columns = []
        for e in frame(x, v):
            moved = space.exp(x, [a + h * b for a, b in zip(v, e, strict=True)])
            columns.append([(a - b) / h for a, b in zip(moved, end, strict=True)])
        matrix = [[space.dot(c, f) for c in columns] for f in frame(end, arrival)]
        determinant = abs(matrix[0][0] * matrix[1][1] - matrix[0][1] * matrix[1][0])
        free = space.pull(x, v)
        value = MAPS["logdetexp"].function(space, space.drop(x), free, dimension=2)
        assert abs(mp.log(determinant) - value) < 1e-25


def test_rigorous_balls_enclose_the_numbers_of_mpmath():
    flint = pytest.importorskip("flint")

    class Field:
        """What the reference asks of a field, in balls of python-flint."""

        pi = property(lambda self: flint.arb.pi())

        def __getattr__(self, name):
            return lambda x: getattr(x, name)()

    field = Field()
    before = flint.ctx.dps
    flint.ctx.dps = DIGITS
    try:
        for chart, space in SPACES.items():
            rigorous = Space(space.sign, chart, field)
            for name in ("dist", "logmap", "exterior_angle", "midpoint"):
                values = []
                for s, number in ((space, mp.mpf), (rigorous, flint.arb)):
                    points = [
                        MAPS["from_normal"].function(s, [number(c) for c in v]) for v in (V, W)
                    ]
                    out = MAPS[name].function(s, *points)
                    values.append(out if isinstance(out, list) else [out])
                for a, ball in zip(*values, strict=True):
                    assert ball.rad() < flint.arb("1e-45")
                    assert abs(mp.mpf(ball.mid().str(DIGITS, radius=False)) - a) < CLOSE
    finally:
        flint.ctx.dps = before


def _problem(chart, name, points):
    space, definition = SPACES[chart], MAPS[name]

    def function(z, k):
        out = definition.function(space, *z)
        return out if isinstance(out, list) else [out]

    arguments = [Argument(None, np.asarray(p, dtype=np.float64)) for p in points]
    return Problem(
        function, arguments, cotangent=None, output_time=False, curvature=-1.0, scalar=True
    )


def test_the_reduction_to_the_span_gives_the_value_and_spread_of_all_dimensions():
    """In 40 dimensions, against differences in each of the 40 coordinates."""
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((2, 40)) / 8
    problem = _problem("hyperboloid", "dist", [x, y])
    answer = problem.value()
    with mp.workdps(100):
        exact = [[mp.mpf(float(c)) for c in p] for p in (x, y)]
        whole = MAPS["dist"].function(SPACES["hyperboloid"], *exact)
        h, spread = mp.mpf(10) ** -40, mp.mpf(0)
        for i in range(2):
            for j in range(40):
                moved = [list(p) for p in exact]
                moved[i][j] += h
                slope = (MAPS["dist"].function(SPACES["hyperboloid"], *moved) - whole) / h
                spread += abs(slope * exact[i][j])
    assert float(answer.value[0]) == pytest.approx(float(whole), rel=1e-15, abs=0)
    assert float(answer.spread[0]) == pytest.approx(float(spread), rel=1e-12, abs=0)


def test_gradients_of_the_reduced_problem_are_those_of_all_dimensions():
    rng = np.random.default_rng(1)
    x, y = rng.standard_normal((2, 12)) / 4
    gradient = _problem("ball", "sqdist", [x / 4, y / 4]).gradients()[0]
    h = mp.mpf(10) ** -40
    with mp.workdps(120):
        exact = [[mp.mpf(float(c)) for c in p] for p in (x / 4, y / 4)]
        whole = MAPS["sqdist"].function(SPACES["ball"], *exact)
        for j in range(12):
            moved = [list(p) for p in exact]
            moved[0][j] += h
            slope = (MAPS["sqdist"].function(SPACES["ball"], *moved) - whole) / h
            assert float(gradient.value[j]) == pytest.approx(float(slope), rel=1e-14, abs=0)


def test_a_kink_is_seen_and_a_smooth_point_is_not_one():
    x = np.array([0.3, -0.2])
    kink = _problem("ball", "dist", [x, x]).gradients()[0]
    smooth = _problem("ball", "sqdist", [x, x]).gradients()[0]
    assert not kink.smooth
    assert smooth.smooth
