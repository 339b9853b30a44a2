"""That the charts are one space: each is pulled back to the ball, or the ball to it."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import sympy as sp

from .algebra import Cs, Derivation, K, Proof, Sn, equation, tn
from .chart_metrics import above, ball, coordinates, graph, half_space, klein, metric, polar, square
from .charts import EVERY_N
from .metric import Metric

Form = Callable[..., Any]

DIRECTIONS = (
    "n = 2 and 3, and every n: both metrics are one of r plus a multiple of the unit sphere's"
)
PLANE = EVERY_N.format("a point and a vector", 2)

R = sp.Symbol("R", positive=True)


def from_ball_to_graph(y: Sequence[Any]) -> list[Any]:
    """Stereographic projection backwards: the space part on the quadric."""
    return [2 * c / (1 + K * square(y)) for c in y]


def from_ball_to_klein(y: Sequence[Any]) -> list[Any]:
    """Both lie on one line through the origin."""
    return [2 * c / (1 - K * square(y)) for c in y]


def from_ball_to_half_space(y: Sequence[Any]) -> list[Any]:
    """Inversion in the sphere of radius sqrt(2) R about (0, ..., 0, R), and upside down.

    So the axes at the origin stay what they are: the last one points up.
    """
    pole = [0] * (len(y) - 1) + [R]
    reach = square([a - b for a, b in zip(y, pole, strict=True)])
    *side, down = [2 * R**2 * (a - b) / reach + b for a, b in zip(y, pole, strict=True)]
    return [*side, -down]


def from_ball_to_hemisphere(y: Sequence[Any]) -> list[Any]:
    """The Klein ball lifted onto the sphere of radius R; first the height."""
    return [R * (1 + K * square(y)) / (1 - K * square(y)), *from_ball_to_klein(y)]


def from_polar_to_ball(x: Sequence[Any]) -> list[Any]:
    """from_normal in polar coordinates: the point at distance r in a direction."""
    radius = tn(K, x[0] / 2)
    if len(x) == 2:
        return [radius * Cs(1, x[1]), radius * Sn(1, x[1])]
    sine = radius * Sn(1, x[1])
    return [radius * Cs(1, x[1]), sine * Cs(1, x[2]), sine * Sn(1, x[2])]


def _prove_isometry(source: Form, target: Form, image: Form) -> Proof:
    residuals: dict[str, list[Any]] = {}
    shown: tuple[sp.Basic, ...] = ()
    for n in (2, 3):
        here = metric(source, n)
        y = here.coordinates if source is polar else coordinates(n, "y")
        there = metric(target, len(image(y)))
        here = Metric(y, source(y))
        pulled = there.pullback(image(y), y).matrix - here.matrix
        # The half-space and the hemisphere are placed by their radius: K = -1/R^2.
        placed = {K: -1 / R**2} if target in (half_space, above) else {}
        residuals[f"pulled-back metric, n = {n}"] = [e.subs(placed) for e in pulled]
        if target is above:
            residuals[f"on the sphere, n = {n}"] = [(square(image(y)) - R**2).subs(placed)]
        if n == 2:
            shown = (equation(r"\varphi", sp.Matrix(image(y))),)
    return Proof(shown, residuals)


def _prove_magnifying_glass(chart: Form, scaled: Form) -> Proof:
    x = coordinates(3)
    residuals = {}
    for sign in (-1, 1):
        unit = Metric(x, chart(x).subs(K, sign))
        pulled = unit.pullback(scaled(x), x).matrix * R**2
        off = pulled - chart(x).subs(K, sign / R**2)
        residuals[f"R^2 times the pulled-back unit metric, K = {sign}/R^2"] = list(off)
    return Proof((equation("g_{K}(x)", R**2 * sp.Symbol(r"{g_{\pm 1}(x/R)}")),), residuals)


def _scaled(x: Sequence[Any]) -> list[Any]:
    return [c / R for c in x]


# name: source, target, map, dimension
ISOMETRIES: dict[str, tuple[Form, Form, Form, str]] = {
    "ball to graph": (ball, graph, from_ball_to_graph, PLANE),
    "ball to Klein": (ball, klein, from_ball_to_klein, PLANE),
    "ball to half-space": (
        *(ball, half_space, from_ball_to_half_space),
        EVERY_N.format("the axis of the pole, a point and a vector", 3),
    ),
    "ball to hemisphere": (ball, above, from_ball_to_hemisphere, PLANE),
    "polar to ball": (polar, ball, from_polar_to_ball, DIRECTIONS),
}


def derivations() -> Iterator[Derivation]:
    """Isometries between the charts, and between curvatures."""
    for name, (source, target, image, dimension) in ISOMETRIES.items():
        yield Derivation(
            f"isometries/{name}",
            "The map is an isometry: it pulls the target's metric back to the source's.",
            dimension,
            image,
            partial(_prove_isometry, source, target),
        )
    for chart in (graph, ball):
        yield Derivation(
            f"isometries/magnifying glass: {chart.__name__}",
            "The space of curvature $K = \\pm 1/R^2$ is the unit one with points divided by R and "
            "lengths multiplied by R: kernels are written for K = -1, 0 and 1 only.",
            PLANE,
            _scaled,
            partial(_prove_magnifying_glass, chart),
        )
