"""What a property is, and the error bounds that tolerances are made of.

A property passes an example if its error is at most 16 u B, or 64 u B where derivatives enter. u is
the unit roundoff of the dtype. B is the error that the exact geometry itself would make of inputs
perturbed by their last place, in first order: grains (what a rounding of a point is worth as a
length, sinh(r) on hyperbolic space), spreads (the same of a tangent vector) and the growth of
Jacobi fields between them. B is B(x, y, ...) in the code below, next to each property; it does not
depend on the manifold under test, so a manifold cannot buy slack by being bad.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from .example import Situation

VALUES = 16.0
"""Units of roundoff for a value: two maps in a row, each with the certificate's 8."""
GRADIENTS = 64.0
"""Units of roundoff where a derivative enters: two, each with the certificate's 32."""

ARGUMENTS = {
    "dist": "xy",
    "sqdist": "xy",
    "expmap": "xv",
    "logmap": "xy",
    "transport": "xyv",
    "inner": "xuv",
    "norm": "xv",
    "proj": "x",
    "proj_tangent": "xv",
    "egrad2rgrad": "xv",
    "retraction": "xv",
    "is_point": "x",
    "is_tangent": "xv",
}
"""What each map is called with."""


class Broken(Exception):
    """An example that a property does not hold for; the message gives the numbers."""


@dataclass(frozen=True)
class Property:
    """A sentence about manifolds, and how it is tried on an example.

    Attributes:
        name: by which it is chosen and reported.
        sentence: what holds.
        needs: maps without which it is skipped.
        fields: points x, y, z and vectors u, v of an example.
        check: (maps, example, unit roundoff) -> None, or raises :class:`Broken`.
        corners: whether examples are extreme as often as not, or everyday ones.
        huge: whether tangent vectors may lead out of what the dtype holds.
        curved: whether a constant curvature must be known.
        once: whether it speaks of no example and is tried once.
    """

    name: str
    sentence: str
    needs: tuple[str, ...]
    fields: str
    check: Callable[[Any, Situation, float], None]
    corners: bool = True
    huge: bool = False
    curved: bool = False
    once: bool = False

    def count(self, examples: int) -> int:
        """How many examples to try: a quarter of everyday ones, which are much alike."""
        if self.once:
            return 1
        return examples if self.corners else max(1, examples // 4)


PROPERTIES: dict[str, Property] = {}
"""Every property by name, in the order in which they are tried."""


def holds(
    sentence: str, needs: str, fields: str, **options: bool
) -> Callable[[Callable[[Any, Situation, float], None]], Callable[[Any, Situation, float], None]]:
    """Register a check under its own name."""

    def register(
        check: Callable[[Any, Situation, float], None],
    ) -> Callable[[Any, Situation, float], None]:
        name = check.__name__
        PROPERTIES[name] = Property(name, sentence, tuple(needs.split()), fields, check, **options)
        return check

    return register


def agree(what: str, error: float, allowed: float) -> None:
    """Raise :class:`Broken` unless error <= allowed; NaN is never allowed."""
    if not error <= allowed and not math.isnan(allowed):
        raise Broken(f"{what}; the error is {error:.3g} and {allowed:.3g} is allowed")


def number(value: Tensor | float) -> float:
    """A scalar result as a float."""
    return float(value.detach()) if isinstance(value, Tensor) else float(value)


def exp_bound(s: Situation, x: Tensor, v: Tensor, y: Tensor) -> float:
    """B of y = exp_x(v), a length: errors of x and v grow with the distance, y is rounded."""
    d = s.domain
    length = d.length(x, v)
    return grown(s, x, v, d.grain(x) + length + d.spread(x, v)) + d.grain(y)


def grown(s: Situation, x: Tensor, v: Tensor, off: float) -> float:
    """What an error ``off`` (in units of roundoff) of x and v becomes at the end of v's geodesic.

    Far out, where a rounding is longer than the vector itself, the geodesic is as long as that.
    """
    d, u = s.domain, torch.finfo(s.dtype).eps / 2
    return d.growth(d.length(x, v) + VALUES * u * (d.grain(x) + d.spread(x, v))) * off


def log_bound(s: Situation, x: Tensor, y: Tensor, v: Tensor) -> float:
    """B of v = log_x(y), a length; it diverges at antipodes."""
    d = s.domain
    moved = d.grain(y) + d.grain(x) * (1 + s.distance / d.radius)
    return d.focus(s.distance) * moved + s.distance + d.spread(x, v)


def transport_bound(s: Situation, v: Tensor, moved: Tensor) -> float:
    """B of a transported vector: holonomy of the triangles by which x and y are off, rounding."""
    d = s.domain
    turned = d.length(s.x, v) * (1 + (d.grain(s.x) + d.grain(s.y)) / d.radius)
    return turned + d.spread(s.x, v) + d.spread(s.y, moved)


def smallest(s: Situation) -> float:
    """What underflow may cost: the smallest normal number in each coordinate, as a length."""
    step = torch.full_like(s.x, torch.finfo(s.dtype).smallest_normal)
    return s.domain.length(s.x, step)
