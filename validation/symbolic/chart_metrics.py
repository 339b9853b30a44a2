"""The metrics of the charts, with symbolic curvature."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import sympy as sp

from .algebra import K, Sn
from .metric import Metric

Form = Callable[..., Any]


def coordinates(n: int, letter: str = "x") -> tuple[Any, ...]:
    """x_1, ..., x_n."""
    return tuple(sp.symbols(f"{letter}_1:{n + 1}", real=True))


def square(x: Sequence[Any]) -> Any:
    """Sum of squares."""
    return sum(c**2 for c in x)


def euclidean(x: Sequence[Any]) -> Any:
    """R^n."""
    return sp.eye(len(x))


def graph(x: Sequence[Any]) -> Any:
    """Space part of a point of the sphere or the hyperboloid."""
    s = sp.Matrix(x)
    return sp.eye(len(x)) + K * s * s.T / (1 - K * square(x))


def ball(x: Sequence[Any]) -> Any:
    """Poincaré ball; for K > 0 the stereographic chart of the sphere."""
    return 4 / (1 + K * square(x)) ** 2 * sp.eye(len(x))


def klein(x: Sequence[Any]) -> Any:
    """Klein ball, where geodesics are straight; for K > 0 the gnomonic chart."""
    s, w = sp.Matrix(x), 1 + K * square(x)
    return sp.eye(len(x)) / w - K * s * s.T / w**2


def half_space(x: Sequence[Any]) -> Any:
    """Upper half-space x_n > 0, for K < 0."""
    return sp.eye(len(x)) / (-K * x[-1] ** 2)


def above(x: Sequence[Any]) -> Any:
    """R^(n+1) above x_0 = 0, for K < 0: in it the hemisphere of radius R about 0 is hyperbolic."""
    return sp.eye(len(x)) / (-K * x[0] ** 2)


def polar(x: Sequence[Any]) -> Any:
    """Geodesic polar coordinates (r, theta) or (r, theta, phi) about the origin."""
    turn = Sn(K, x[0]) ** 2
    return sp.diag(1, *([turn, turn * Sn(1, x[1]) ** 2][: len(x) - 1]))


@cache
def metric(form: Form, n: int) -> Metric:
    """The chart's metric on named coordinates, with what was computed from it so far."""
    x = sp.symbols("r theta phi", positive=True)[:n] if form is polar else coordinates(n)
    return Metric(x, form(x))
