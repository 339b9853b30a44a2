r"""Sarkar's construction: a tree in hyperbolic space without training, with a proven distortion.

Each node's children are put at distance t in directions as far as can be from each other and from
the parent (Sarkar 2011, in two dimensions; Sala, De Sa, Gu and Ré 2018 in more, by spherical
codes). With theta the smallest angle between two edges at a node, the bound is derived as follows.

1. In a triangle with sides a, b and the angle theta between them d is at least
   :math:`a + b + 2 \ln s`, :math:`s = \sin(\theta/2)`: by the law of cosines :math:`\cosh d` is
   :math:`s^2 \cosh(a+b) + (1-s^2)\cosh(a-b)`, which is at least :math:`\cosh(a + b + 2\ln s)`
   wherever that sum is not below 0.
2. On a way x_0, x_1, ... of edges the angle at x_i between the geodesic back to x_0 and the next
   edge is at least theta less that between this geodesic and the edge back. In the triangle x_0,
   x_(i-1), x_i with the angle alpha at x_(i-1) the latter, beta, is largest for x_0 at infinity,
   where :math:`\tan(\alpha/2)\tan(\beta/2) = e^{-t}`. Angles therefore stay above the fixed point
   :math:`\alpha = \theta - \beta`, which is
   :math:`\alpha = \theta/2 + \arccos(\cos(\theta/2)\coth(t/2))` and exists if
   :math:`\tanh(t/2) \ge \cos(\theta/2)`.
3. So k edges span at least :math:`k t + 2 (k-1) \ln\sin(\alpha/2)` and at most k t, and one edge t:
   the worst distortion is below :math:`1/(1 + 2\ln\sin(\alpha/2)/t)`.

A point at radius r that is rounded by u in proportion moves by u sinh r: float64 tells nothing from
about r = 36 on, whatever the coordinates, and the digits that a tree takes grow with its radius.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .edges import Ints

Numbers = NDArray[Any]
"""Of float64, or objects that are mpmath's."""

_ROUNDS, _RATE = 300, 0.2  # of the repulsion of directions
_HELD = 1e-3  # error of a distance, in edges, that float64 is to keep


@dataclass(frozen=True)
class Tree:
    """A rooted tree: nodes by their level, the root first."""

    order: Ints
    """(n,), nodes, each after its parent."""
    parent: Ints
    """(n,), of each node; -1 of the root."""
    level: Ints
    """(n,), steps from the root."""

    @property
    def height(self) -> int:
        """The largest level."""
        return int(self.level.max())

    @property
    def degree(self) -> int:
        """The largest number of edges at a node."""
        inner = self.parent[self.parent >= 0]
        degree = np.bincount(inner, minlength=len(self.parent)) + (self.parent >= 0)
        return int(degree.max())


def spanning_tree(nodes: int, one: Ints, two: Ints) -> tuple[Tree, int, int]:
    """The breadth-first tree from the middle of the graph, and what it changed.

    Of several components the middles of the others are joined to that of the largest.

    Args:
        nodes: how many there are.
        one, two: (E,), the ends of the edges.

    Returns:
        The tree, how many edges of the graph are not in it, and how many are its own alone.
    """
    ends, others = np.concatenate([one, two]), np.concatenate([two, one])
    order = np.argsort(ends, kind="stable")
    near, first = others[order], np.searchsorted(ends[order], np.arange(nodes + 1))
    seen = np.zeros(nodes, bool)
    parts: list[tuple[Ints, Ints, Ints]] = []
    for start in range(nodes):
        if not seen[start]:
            found, *_ = _search(start, near, first)
            seen[found] = True
            # Of a tree the middle of a longest way is one of all of them; of a graph nearly so.
            end = int(found[-1])
            found, parent, level = _search(end, near, first)
            middle = int(found[-1])
            for _ in range(int(level[middle]) // 2):
                middle = int(parent[middle])
            parts.append(_search(middle, near, first))
    parts.sort(key=lambda part: -len(part[0]))
    root = int(parts[0][0][0])
    parent, level = np.full(nodes, -1), np.zeros(nodes, np.int64)
    for k, (found, above, steps) in enumerate(parts):
        parent[found], level[found] = above[found], steps[found] + (k > 0)
        if k:
            parent[found[0]] = root
    tree = Tree(np.argsort(level, kind="stable"), parent, level)
    added = len(parts) - 1
    distinct = len(np.unique(np.minimum(one, two) * nodes + np.maximum(one, two)))
    return tree, distinct - (nodes - 1 - added), added


def _search(start: int, near: Ints, first: Ints) -> tuple[Ints, Ints, Ints]:
    """Nodes in the order in which they are reached, parents and levels of all nodes."""
    parent, level = np.full(len(first) - 1, -1), np.full(len(first) - 1, -1)
    level[start] = 0
    found = [start]
    for node in found:
        for other in near[first[node] : first[node + 1]].tolist():
            if level[other] < 0:
                level[other], parent[other] = level[node] + 1, node
                found.append(other)
    return np.array(found), parent, level


def directions(count: int, dim: int, seed: int = 0) -> NDArray[np.float64]:
    """Unit vectors as far apart as can be: (count, dim).

    Equally spaced on the circle, a simplex up to dim + 1, a cross polytope up to 2 dim; beyond, the
    best of what a repulsion from random ones comes to, ordered so that the first ones are the
    farthest apart.
    """
    if dim == 2:
        angle = 2 * np.pi * np.arange(count) / count
        return np.stack([np.cos(angle), np.sin(angle)], axis=1)
    if count <= dim + 1:
        centred = np.eye(count) - 1 / count
        values, vectors = np.linalg.eigh(centred)
        found = np.zeros((count, dim))
        found[:, : count - 1] = vectors[:, values > 0.5]
        length: NDArray[np.float64] = np.linalg.norm(found, axis=1, keepdims=True)
        return found / np.maximum(length, 1e-300) if count > 1 else np.eye(1, dim)
    if count <= 2 * dim:
        return np.concatenate([np.eye(dim), -np.eye(dim)])[:count]
    x = torch.randn(count, dim, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    x = x / x.norm(dim=1, keepdim=True)
    best, farthest = x, -1.0
    for step in range(_ROUNDS):
        cosine = (x @ x.mT).fill_diagonal_(-2)
        nearest = float(cosine.max())
        if 1 - nearest > farthest:
            best, farthest = x, 1 - nearest
        # Down the gradient of a soft maximum of the cosines, which hardens.
        push = ((cosine - nearest) * 10 * 1.03**step).exp() @ x
        x = x - _RATE * (1 - step / _ROUNDS) * push / push.norm(dim=1).max()
        x = x / x.norm(dim=1, keepdim=True)
    chosen = [0]
    gap = (best @ best[0]).clone()
    for _ in range(count - 1):
        gap[chosen[-1]] = torch.inf
        chosen.append(int(gap.argmin()))
        gap = gap.maximum(best @ best[chosen[-1]])
    ordered: NDArray[np.float64] = best[chosen].numpy()
    return ordered


def smallest_angle(unit: NDArray[np.float64]) -> float:
    """Between two of some directions, less the rounding of its cosine."""
    if len(unit) < 2:
        return math.pi
    i, j = np.triu_indices(len(unit), 1)
    chord = np.sqrt(np.maximum(2 - 2 * (unit @ unit.T)[i, j].max(), 0)) if len(unit) > 2 else 2.0
    return max(2 * math.asin(min(chord / 2, 1.0)) - 1e-7, 0.0)


def proven_distortion(edge: float, angle: float) -> float:
    """What the worst distortion of a tree with edges of this length cannot exceed; infinite where
    the edges are too short for the proof. Of a path (angle pi) it is 1."""
    if angle >= math.pi - 1e-6:
        return 1.0
    cosine = math.cos(angle / 2) / math.tanh(edge / 2)
    if cosine > 1:
        return math.inf
    half = (angle / 2 + math.acos(cosine)) / 2
    share = 1 + 2 * math.log(math.sin(half)) / edge
    return 1 / share if share > 0 else math.inf


def edge_for(distortion: float, angle: float) -> float:
    """The shortest edge for which a worst distortion of at most this, above 1, is proven."""
    low, high = 1e-3, 1.0
    while proven_distortion(high, angle) > distortion:
        high *= 2
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (
            (low, middle) if proven_distortion(middle, angle) <= distortion else (middle, high)
        )
    return high


def digits_for(radius: float, edge: float) -> int:
    """Decimal digits of coordinates at which a distance is in error by less than 0.001 edges."""
    return math.ceil((radius + math.log(4 / (_HELD * edge))) / math.log(10))


def place(tree: Tree, unit: NDArray[np.float64], edge: float, digits: int | None = None) -> Numbers:
    """The space part of each node's point at curvature -1: (n, d).

    Each node has a frame, the isometry that takes the origin to it; a child's is its parent's times
    the translation along the child's direction, so that no step cancels.

    Args:
        tree: n nodes.
        unit: (k, d), directions, as many as edges meet at a node; the parent's is the first one.
            In two dimensions each node has its own, equally spaced.
        edge: length of an edge.
        digits: decimal digits of arithmetic by mpmath; float64 if None.
    """
    dim, nodes = unit.shape[1], len(tree.parent)
    numbers = _Arithmetic(digits)
    cosh, sinh = numbers.cosh(edge), numbers.sinh(edge)
    points = numbers.array(np.zeros((nodes, dim)))
    children = np.argsort(tree.parent, kind="stable")[(tree.parent < 0).sum() :]
    first = np.searchsorted(tree.parent[children], np.arange(nodes + 1))
    root = int(tree.order[0])
    frames: dict[int, tuple[Numbers, Numbers | None]] = {
        root: (numbers.array(np.eye(dim + 1)), None)
    }
    codes: dict[int, Numbers] = {}
    for node in tree.order.tolist():
        frame, back = frames.pop(node)
        points[node] = frame[1:, 0]
        below = children[first[node] : first[node + 1]]
        count = len(below) + (back is not None)
        if not len(below):
            continue
        if count not in codes:
            codes[count] = numbers.circle(count) if dim == 2 else numbers.units(unit[:count])
        ways = codes[count]
        if back is not None:
            ways = _turned(ways, back)[1:]
        for child, way in zip(below.tolist(), ways, strict=True):
            shift = numbers.array(np.eye(dim + 1))
            shift[1:, 1:] = shift[1:, 1:] + (cosh - 1) * way[:, None] * way
            shift[0, 0] = cosh
            shift[0, 1:] = shift[1:, 0] = sinh * way
            frames[child] = frame @ shift, -way
    return points


def _turned(ways: Numbers, back: Numbers) -> Numbers:
    """Directions by an isometry that takes the first one to ``back``."""
    # The longer of two differences, for a reflection that takes the first to back or to -back.
    flip = (ways[0] @ back) > 0
    axis = ways[0] + back if flip else ways[0] - back
    mirrored = ways - (2 * (ways @ axis) / (axis @ axis))[:, None] * axis
    turned: Numbers = -mirrored if flip else mirrored
    return turned


class _Arithmetic:
    """Float64, or mpmath's numbers in arrays of objects."""

    def __init__(self, digits: int | None) -> None:
        self.context: Any = None
        if digits is not None:
            self.context = _mpmath().mp.clone()
            self.context.dps = digits

    def array(self, values: Numbers) -> Numbers:
        if self.context is None:
            return values
        found: Numbers = np.frompyfunc(self.context.mpf, 1, 1)(values)
        return found

    def cosh(self, x: float) -> Any:
        return math.cosh(x) if self.context is None else self.context.cosh(x)

    def sinh(self, x: float) -> Any:
        return math.sinh(x) if self.context is None else self.context.sinh(x)

    def circle(self, count: int) -> Numbers:
        if self.context is None:
            return directions(count, 2)
        angles = [2 * self.context.pi * k / count for k in range(count)]
        return np.array([[self.context.cos(a), self.context.sin(a)] for a in angles], object)

    def units(self, values: Numbers) -> Numbers:
        x = self.array(values)
        square = (x * x).sum(1)
        root = (
            np.sqrt(square)
            if self.context is None
            else np.frompyfunc(self.context.sqrt, 1, 1)(square)
        )
        found: Numbers = x / root[:, None]
        return found


def exact_rows(points: Numbers, digits: int) -> Callable[[Tensor], Tensor]:
    """Distances of points of many digits: a function (B,) -> (B, n), rounded at its end alone.

    The products of coordinates are those of integers, at the scale of the digits.
    """
    farthest = int(max((abs(x) for x in points.ravel()), default=0))
    # A product of two times is as large as the square of the farthest coordinate.
    bits = math.ceil(digits * math.log2(10)) + farthest.bit_length() + 16
    whole = np.frompyfunc(lambda value: _shifted(value, bits), 1, 1)
    x = whole(points)
    one = 1 << (2 * bits)
    t = np.frompyfunc(math.isqrt, 1, 1)((x * x).sum(1) + one)

    def length(product: int) -> float:
        above = product - one  # cosh d - 1
        if above <= 0:
            return 0.0
        if above.bit_length() < 2 * bits + 900:
            m = above / one
            return math.log1p(m + math.sqrt(m) * math.sqrt(m + 2))
        return (above.bit_length() - 60 - 2 * bits + 1) * math.log(2) + math.log(
            above >> (above.bit_length() - 60)
        )

    lengths = np.frompyfunc(length, 1, 1)

    def rows(index: Tensor) -> Tensor:
        i = index.numpy()
        product = t[i][:, None] * t[None, :] - x[i] @ x.T
        product[np.arange(len(i)), i] = one
        return torch.from_numpy(lengths(product).astype(np.float64))

    return rows


def _shifted(value: Any, bits: int) -> int:
    """A number of mpmath's times 2^bits, whole."""
    sign, mantissa, exponent, _ = value._mpf_
    shift = exponent + bits
    size: int = int(mantissa) << shift if shift >= 0 else int(mantissa) >> -shift
    return -size if sign else size


def _mpmath() -> Any:
    try:
        import mpmath
    except ImportError as error:
        raise ImportError(
            "more digits than float64 has need mpmath: pip install spaceforms[validation]."
        ) from error
    return mpmath
