"""The derivations hold, a wrong formula does not, and the code computes what was derived."""

import math
from dataclasses import replace

import pytest
import sympy as sp
import torch

from spaceforms.manifolds import Lorentz, PoincareBall, Sphere
from spaceforms.validation.symbolic import (
    ball as ball,
    ball_exp_gradients as slopes,
    cones as cones,
    frame_transport as transport,
    kernels as kernels,
    page,
    quadric as quadric,
    sphere_transport as sphere_transport,
    transport_pullback as carry,
    volume as volume,
)
from spaceforms.validation.symbolic.algebra import (
    Cs,
    K,
    Sn,
    elementary,
    euclidean_dot,
    tn,
    vanishes,
)
from spaceforms.validation.symbolic.isometries import R
from spaceforms.validation.symbolic.page import Metric, derivations
from spaceforms.validation.symbolic.series import SERIES, _prove_series

DERIVATIONS = {d.name: d for d in derivations()}
_LONG = ("kernels/transport, slopes", "gradient of a transport that does not depend on x")


def _thinned(names) -> list:
    """Those that take over ten seconds are slow."""
    return [pytest.param(n, marks=pytest.mark.slow if n in _LONG else ()) for n in names]


@pytest.mark.parametrize("name", _thinned(DERIVATIONS))
def test_is_proven(name):
    assert DERIVATIONS[name].proof().failures() == []


# -- wrong formulas --------------------------------------------------------------------------------

# Twice nothing is nothing; a dilation is an isometry of the half-space; twice a constant is one.
DOUBLES_HOLD = {
    "charts/euclidean: Christoffel symbols",
    "charts/euclidean: curvature",
    "charts/euclidean: geodesic equation",
    "flat/logdetexp",
    "isometries/ball to half-space",
    "cones/Clairaut",
}


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in DERIVATIONS if name not in DOUBLES_HOLD])
def test_twice_the_right_formula_is_not_proven(name):
    derivation = DERIVATIONS[name]

    def doubled(*args):
        value = derivation.form(*args)
        if isinstance(value, tuple | list):
            return type(value)(2 * part for part in value)
        return 2 * value

    assert derivation.prove(doubled).failures()


FAULTS = {
    "a Christoffel symbol where there is none": (
        "charts/euclidean: Christoffel symbols",
        lambda x, k, i, j: sp.Integer(k == i),
    ),
    "curved Euclidean space": ("charts/euclidean: curvature", lambda: K),
    "the other sign of curvature": ("charts/ball: curvature", lambda: -K),
    "a force on a free particle": ("charts/euclidean: geodesic equation", lambda space, v: v),
    "geodesics of the graph are not straight": (
        "charts/graph: geodesic equation",
        lambda space, v: 0 * v,
    ),
    "inversion at the wrong radius": (
        "isometries/ball to half-space",
        lambda y: [2 * R * c / sum(b**2 for b in y) for c in y],
    ),
    "Klein's point taken for the ball's": ("isometries/ball to Klein", list),
    "exp of unit vectors only": (
        "quadric/expmap",
        lambda x, v, length: Cs(K, length) * x + Sn(K, length) * v,
    ),
    "chord for haversine": ("quadric/dist", lambda dot, x, y: dot(y - x, y - x) / 2),
    "log without its length": ("quadric/logmap", lambda x, y, d: y - Cs(K, d) * x),
    "transport with the other sign": (
        "quadric/transport",
        lambda dot, x, y, v: v + K * dot(y, v) / (1 + K * dot(x, y)) * (x + y),
    ),
    "projection for transport": ("quadric/transport", lambda dot, x, y, v: v - K * dot(y, v) * y),
    "mean of coordinates for midpoint": ("quadric/midpoint", lambda x, y, d: (x + y) / 2),
    "geodesic linear in coordinates": ("quadric/geodesic", lambda x, y, d, t: (1 - t) * x + t * y),
    "exp at half the speed": (
        "ball/expmap",
        lambda dot, x, v, length: ball.expmap(dot, x, v / 2, length / 2),
    ),
    "exp with a Möbius sum in the other order": (
        "ball/expmap",
        lambda dot, x, v, length: ball.mobius_step(
            dot, tn(K, length / ball.gap(dot, x)) / length * v, x
        ),
    ),
    "Euclidean distance on the ball": ("ball/dist", lambda dot, x, y: dot(y - x, y - x) / 4),
    "transport without the gyration": (
        "ball/transport",
        lambda dot, x, y, v: ball.gap(dot, y) / ball.gap(dot, x) * v,
    ),
    "normal coordinates at twice the distance": (
        "ball/from_normal",
        lambda v, length: tn(K, length) / length * v,
    ),
    "volume growing in n directions": (
        "volume/logdetexp",
        lambda n, length: n * sp.log(Sn(K, length) / length),
    ),
    "volume change on flat space": ("flat/logdetexp", sp.Integer),
    "angle at the origin for the exterior angle": (
        "cones/exterior angle",
        lambda r, rho, theta: (Sn(K, rho) * Sn(1, theta), Sn(K, rho) * Cs(1, theta)),
    ),
    "exterior angle of the flat triangle": (
        "cones/exterior angle",
        lambda r, rho, theta: (Sn(K, rho) * Sn(1, theta), Sn(K, rho) * Cs(1, theta) - Sn(K, r)),
    ),
    "Clairaut on a flat space": ("cones/Clairaut", lambda r, sine: r * sine),
    "cone boundary without curvature": (
        "cones/nesting",
        lambda r, c: -sp.asin(c * Cs(K, r) / Sn(K, r)),
    ),
    "chord of the flat space": (
        "kernels/pair, near",
        lambda x, y: (
            euclidean_dot(y.space - x.space, y.space - x.space) / 4,
            *kernels.pair_near(x, y)[1:],
        ),
    ),
    "gradient of a flat distance": (
        "kernels/pair, far",
        lambda x, y: (kernels.pair_far(x, y)[0], 0, *kernels.pair_far(x, y)[2:]),
    ),
    "the sphere's transport with its ends exchanged": (
        "quadric/transport on the sphere, slopes",
        lambda x, y, v, g, far: sphere_transport.transport_slopes(x, y, v, g, far)[::-1],
    ),
    "exponential map that does not turn": (
        "kernels/expmap, slopes",
        lambda r, t, mu, nu: (*kernels.expmap_slopes(r, t, mu, nu)[:2], sp.S.Zero),
    ),
    "gradient of a transport that does not depend on x": (
        "kernels/transport, slopes",
        lambda x, *others: (0 * x.space, *carry.pulled(x, *others)[1:]),
    ),
    "a ball whose conformal factor does not change with x": (
        "ball/expmap, slopes",
        lambda x, v, g, length: (
            slopes.expmap_slopes(x, v, g, length)[0] - x,
            slopes.expmap_slopes(x, v, g, length)[1],
        ),
    ),
    "Napier's analogy upside down": (
        "kernels/transport, far",
        lambda x, y, v, k, facing: transport.transport_far(x, y, v, 1 / k, facing),
    ),
    "even factorials for odd": (
        "functions/series: sinh(sqrt s)/sqrt s",
        lambda i: 1 / sp.factorial(2 * i),
    ),
    "one coefficient late": (
        "functions/series: asin(sqrt s)/sqrt s",
        lambda i: sp.binomial(2 * i, i) / (4**i * (2 * i + 3)),
    ),
}


@pytest.mark.parametrize("fault", _thinned(FAULTS))
def test_a_wrong_formula_is_not_proven(fault):
    name, form = FAULTS[fault]
    assert DERIVATIONS[name].prove(form).failures()


@pytest.mark.parametrize(
    "factor",
    [
        lambda x, y: 4 / (1 + K * (x**2 + y**2)),
        lambda x, y: 1 / (1 + K * (x**2 + y**2)) ** 2,
        lambda x, y: 4 / (1 + K * x**2) ** 2,
    ],
    ids=["not squared", "another curvature", "one coordinate only"],
)
def test_a_metric_that_is_not_of_curvature_k_is_found_out(factor):
    x, y = sp.symbols("x y", real=True)
    metric = Metric((x, y), factor(x, y) * sp.eye(2))
    assert not all(map(vanishes, metric.off_constant_curvature(K)))


@pytest.mark.parametrize("series", SERIES, ids=lambda series: series.name)
def test_a_series_that_is_too_short_or_has_a_wrong_digit_is_found_out(series):
    a = series.used
    wrong_digit = (*a[:3], a[3] * (1 + 2**-51), *a[4:])
    for change in ({"used": a[:6]}, {"used": wrong_digit}, {"cutoff": 16 * series.cutoff}):
        assert _prove_series(replace(series, **change), series.coefficient).failures()


# -- zero ------------------------------------------------------------------------------------------


def test_zero_is_recognised_and_nothing_else():
    x, y = sp.symbols("x y")
    assert vanishes(Cs(K, x) ** 2 + K * Sn(K, x) ** 2 - 1)
    assert vanishes(Sn(K, x + y) - Sn(K, x) * Cs(K, y) - Cs(K, x) * Sn(K, y))
    assert vanishes(Sn(K, 3 * x / 2) - 3 * Sn(K, x / 2) + 4 * K * Sn(K, x / 2) ** 3)
    assert vanishes(Sn(K, x).diff(x, 2) + K * Sn(K, x))
    assert vanishes(Sn(0, x) - x)
    for wrong in (Cs(K, x) ** 2 - K * Sn(K, x) ** 2 - 1, sp.sqrt(x**2) - x, Sn(K, x) - x, 1 / x):
        assert not vanishes(wrong)


# -- the formulas are the code's -------------------------------------------------------------------

F64 = torch.float64
EPS = torch.finfo(F64).eps
SPACES = {"Lorentz": Lorentz(-0.7), "Sphere": Sphere(1.3), "PoincareBall": PoincareBall(-0.7)}


@pytest.fixture(params=SPACES)
def space(request):
    return SPACES[request.param]


class Exact:
    """Two points, a tangent vector and the inner product of a manifold, with 40 digits."""

    def __init__(self, space):
        generator = torch.Generator().manual_seed(1)
        u, v, w = torch.randn(3, 3, generator=generator, dtype=F64)
        self.space, self.u, self.v = space, u, v
        self.x, self.y = space.from_normal(u), space.from_normal(v)
        origin = space.expmap0(torch.zeros(space.ambient_dim(3), dtype=F64))
        self.w = space.transport(origin, self.x, space.logmap0(space.from_normal(w)))
        self.curvature = sp.Float(float(space.curvature), 40)
        self.embedded = not isinstance(space, PoincareBall)

    def dot(self, a, b):
        if not self.embedded:
            return euclidean_dot(a, b)
        return a[0] * b[0] / K + euclidean_dot(a[1:, :], b[1:, :])

    def of(self, x):
        """As the derivations have it: xi = sqrt(abs(K)) x_t first."""
        column = sp.Matrix([sp.Float(c, 40) for c in x.tolist()])
        if self.embedded:
            column[0] *= sp.sqrt(abs(self.curvature))
        return column

    def number(self, value):
        return float(elementary(value, self.curvature).subs(K, self.curvature).evalf(40))

    def numbers(self, column):
        values = [self.number(e) for e in column]
        if self.embedded:
            values[0] /= math.sqrt(abs(self.curvature))
        return torch.tensor(values, dtype=F64)


def assert_close(a, b):
    # Coordinates of order 1, well-conditioned: tens of roundings, none amplified by more than 10.
    torch.testing.assert_close(a, b, rtol=100 * EPS, atol=100 * EPS)


def test_the_maps_compute_the_formulas_that_were_proven(space):
    e = Exact(space)
    x, y, w = e.of(e.x), e.of(e.y), e.of(e.w)
    d = sp.Float(float(space.dist(e.x, e.y)), 40)
    length = sp.Float(float(space.norm(e.x, e.w)), 40)
    if e.embedded:
        h, exp = quadric.haversine(e.dot, x, y), quadric.expmap(x, w, length)
        log, middle = quadric.logmap(x, y, d), quadric.midpoint(x, y, d)
        moved = quadric.transport(e.dot, x, y, w)
    else:
        flat = sp.sqrt(e.dot(w, w))
        h, exp = ball.haversine(e.dot, x, y), ball.expmap(e.dot, x, w, flat)
        log, middle = ball.logmap(e.dot, x, y, d), ball.midpoint(e.dot, x, y, d)
        moved = ball.transport(e.dot, x, y, w)
    assert e.number(Sn(K, d / 2) ** 2) == pytest.approx(e.number(h), rel=100 * EPS, abs=0)
    assert_close(space.expmap(e.x, e.w), e.numbers(exp))
    assert_close(space.logmap(e.x, e.y), e.numbers(log))
    assert_close(space.midpoint(e.x, e.y), e.numbers(middle))
    assert_close(space.transport(e.x, e.y, e.w), e.numbers(moved))
    change = e.number(volume.logdetexp(3, length))
    assert float(space.logdetexp(e.x, e.w)) == pytest.approx(change, rel=100 * EPS, abs=0)


def test_cones_compute_the_formulas_that_were_proven(space):
    e = Exact(space)
    r, rho = (sp.Float(float(t.norm()), 40) for t in (e.u, e.v))
    theta = sp.acos(sp.Float(float(torch.dot(e.u, e.v)), 40) / (r * rho))
    across, along = cones.outward(r, rho, theta)
    angle = math.atan2(e.number(across), e.number(along))
    assert float(space.exterior_angle(e.x, e.y)) == pytest.approx(angle, rel=100 * EPS, abs=0)
    sine = math.sin(float(space.half_aperture(e.x, min_radius=0.1)))
    # min_radius is in units of 1/sqrt(abs(K)).
    constant = 0.2 / math.sqrt(abs(e.curvature))
    assert e.number(cones.clairaut(r, sp.Float(sine))) == pytest.approx(
        constant, rel=100 * EPS, abs=0
    )


# -- the page --------------------------------------------------------------------------------------


def test_the_page_prints_what_was_proven_and_refuses_what_was_not(monkeypatch, tmp_path):
    few = [DERIVATIONS["quadric/transport"], DERIVATIONS["cones/Clairaut"]]
    monkeypatch.setattr(page, "derivations", lambda: tuple(few))
    path = tmp_path / "derivations.md"
    page.write_page(path)
    text = path.read_text()
    assert r"{P_{x\to y}\,v} &= v - \frac{K" in text
    assert text.count("### ") == len(few)
    before = path.stat().st_mtime_ns
    page.write_page(path)
    assert path.stat().st_mtime_ns == before
    few.append(replace(few[0], name="quadric/wrong", form=lambda dot, x, y, v: v))
    with pytest.raises(ArithmeticError, match="quadric/wrong is not proven"):
        page.page()
    assert page.main([]) == 1
