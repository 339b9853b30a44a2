"""Layers beside the textbook's formulas: what they lose in float32 and what they cost.

    pip install --no-deps hypll==0.1.1                           # if it is to be a line too
    python benchmarks/layers.py --page docs/guides/layers.md     # rewrites the page's tables

Textbook: equations 6 and 8 of Shimizu et al. 2021 (Hyperbolic Neural Networks++) written down in
the coordinates of the ball, and the gyromidpoint as geoopt has it (``weighted_midpoint``). Both are
given the same float32 coordinates.

Errors: of sixteen points at radius r in eight dimensions, against mpmath at fifty digits at the
same coordinates. ``MLR``: of the scores, divided by the largest. ``Linear``: the distance from the
exact point. ``centroid``: of sixteen such points within one unit of distance of each other, the
distance from the exact one.

Milliseconds: 1,024 points of 64 coordinates at radius 1, forward and backward with gradients of
points and weights, on one thread, of the processor (others may share the machine), the least of
``--repeat`` runs; compiled by ``torch.compile``.
"""

import argparse
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import geoopt
import mpmath
import torch
from marked import write_between
from mpmath import mpf
from torch import Tensor

from spaceforms.layers import Linear, from_signed_distances, hyperplane_scores
from spaceforms.manifolds import Lorentz, Manifold, PoincareBall, Stereographic
from spaceforms.stats import centroid

BALL, THEIRS = PoincareBall(-1.0), geoopt.PoincareBall(c=1.0)
POINTS, N = 16, 8


def scores(x: Tensor, z: Tensor, r: Tensor) -> Tensor:
    """Equation 6 at curvature -1; z and r in our units, twice theirs."""
    factor, length = 2 / (1 - x.square().sum(-1, keepdim=True)), z.norm(dim=-1)
    inside = factor * (x @ (z / length[:, None]).mT) * r.cosh() - (factor - 1) * r.sinh()
    return length * inside.asinh()


def layer(x: Tensor, z: Tensor, r: Tensor) -> Tensor:
    """Equation 8."""
    w = scores(x, z, r).sinh()
    return w / (1 + (1 + w.square().sum(-1, keepdim=True)).sqrt())


# -- the same at fifty digits, of lists of numbers -------------------------------------------------


def exact_scores(x: list[mpf], z: list[list[mpf]], r: list[mpf]) -> list[mpf]:
    factor = 2 / (1 - mpmath.fdot(x, x))
    found = []
    for row, offset in zip(z, r, strict=True):
        length = mpmath.sqrt(mpmath.fdot(row, row))
        along = factor * mpmath.fdot(x, row) / length
        inside = along * mpmath.cosh(offset) - (factor - 1) * mpmath.sinh(offset)
        found.append(length * mpmath.asinh(inside))
    return found


def exact_layer(x: list[mpf], z: list[list[mpf]], r: list[mpf]) -> list[mpf]:
    w = [mpmath.sinh(v) for v in exact_scores(x, z, r)]
    return [v / (1 + mpmath.sqrt(1 + mpmath.fdot(w, w))) for v in w]


def exact_centroid(points: list[list[mpf]]) -> list[mpf]:
    """The sum on the hyperboloid, brought back to it, on the ball."""
    factors = [2 / (1 - mpmath.fdot(x, x)) for x in points]
    time = mpmath.fsum(f - 1 for f in factors)
    columns = zip(*points, strict=True)
    space = [mpmath.fsum(f * c for f, c in zip(factors, column, strict=True)) for column in columns]
    size = mpmath.sqrt(time**2 - mpmath.fdot(space, space))
    return [s / (size + time) for s in space]


def apart(x: list[mpf], y: Tensor) -> float:
    """The distance of a point from one in float32; infinite if that is none."""
    other = numbers(y)
    gaps = [1 - mpmath.fdot(x, x), 1 - mpmath.fdot(other, other)]
    if not all(mpmath.isfinite(v) for v in other) or gaps[1] <= 0:
        return float("inf")
    step = [a - b for a, b in zip(x, other, strict=True)]
    return float(2 * mpmath.asinh(mpmath.sqrt(mpmath.fdot(step, step) / (gaps[0] * gaps[1]))))


def numbers(x: Tensor) -> list[mpf]:
    return [mpf(v) for v in x.double().tolist()]


# -- the two tables --------------------------------------------------------------------------------


def errors(radius: float) -> str:
    """A line: ours and the textbook's, for each of the three."""
    seed = torch.Generator().manual_seed(0)
    v, w = torch.randn(2, POINTS, N, dtype=torch.float64, generator=seed)
    x = BALL.from_normal((radius * v / v.norm(dim=-1, keepdim=True)).float())
    z, r = torch.randn(N, N, generator=seed) / N**0.5, torch.randn(N, generator=seed) / 2
    ours = hyperplane_scores(BALL, x, z, r)
    pairs = [(ours, scores(x, z, r)), (from_signed_distances(BALL, ours), layer(x, z, r))]
    midst = BALL.from_normal(torch.full((N,), radius / N**0.5, dtype=torch.float64))
    near = BALL.expmap(
        midst, BALL.proj_tangent(midst, w / 4) / BALL.norm(midst, w)[:, None]
    ).float()
    pairs.append((centroid(BALL, near)[None], THEIRS.weighted_midpoint(near)[None]))
    worst = []
    with mpmath.workdps(50):
        rows, offsets = [numbers(row) for row in z], numbers(r)
        wanted = [exact_scores(numbers(row), rows, offsets) for row in x]
        largest = max(abs(v) for row in wanted for v in row)
        for found in pairs[0]:
            off = [
                abs(mpf(a) - b) / largest
                for row, exact in zip(found.double().tolist(), wanted, strict=True)
                for a, b in zip(row, exact, strict=True)
            ]
            worst.append(float(max(off)))
        exact = [exact_layer(numbers(row), rows, offsets) for row in x]
        for found in pairs[1]:
            worst.append(max(apart(e, row) for e, row in zip(exact, found, strict=True)))
        exact = [exact_centroid([numbers(row) for row in near])]
        for found in pairs[2]:
            worst.append(max(apart(e, row) for e, row in zip(exact, found, strict=True)))
    cells = [f"{value:.0e}" if value < float("inf") else "no point" for value in worst]
    return f"| {radius:g} | " + " | ".join(cells) + " |"


def least(call: Callable[[], Tensor], repeat: int) -> float:
    """Milliseconds of a call and its backward pass, of the processor and not of the clock."""
    times = []
    for _ in range(repeat + 3):
        began = time.process_time()
        call().square().sum().backward()
        times.append(time.process_time() - began)
    return 1e3 * min(times[3:])


def milliseconds(repeat: int) -> list[str]:
    """A line for each layer and space, eager and compiled."""
    torch.manual_seed(0)
    v = torch.randn(1024, 64) / 8
    x = BALL.from_normal(v).requires_grad_()
    z, r = (t.requires_grad_() for t in (torch.randn(64, 64) / 8, torch.randn(64) / 8))
    calls: dict[str, Callable[[], Tensor]] = {
        "`Linear`, textbook on the ball": lambda: layer(x, z, r),
        "centroid, geoopt on the ball": lambda: THEIRS.weighted_midpoint(x),
    }
    for name, call in hypll().items():
        torch.testing.assert_close(call(x, z, r), layer(x, z, r), rtol=1e-4, atol=1e-5)
        calls[name] = partial(call, x, z, r)
    for space in (
        PoincareBall(-1.0),
        PoincareBall(-1.0, learnable=True),
        Lorentz(-1.0, learnable=True),
        Stereographic(-1.0, learnable=True),
    ):
        calls |= ours(space, v)
    lines = []
    for name, call in sorted(calls.items(), key=lambda item: item[0].partition(",")[0]):
        torch._dynamo.reset()
        compiled = torch.compile(call)
        lines.append(f"| {name} | {least(call, repeat):.1f} | {least(compiled, repeat):.1f} |")
    return lines


def hypll() -> dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]]:
    """Its layer, which is :func:`layer`, if it is installed."""
    try:
        from hypll.manifolds.poincare_ball.math.linalg import poincare_fully_connected
    except ModuleNotFoundError:
        return {}
    one = torch.ones(())
    return {"`Linear`, HypLL": lambda x, z, r: poincare_fully_connected(x, z.mT / 2, r / 2, one)}


def ours(space: Manifold, v: Tensor) -> dict[str, Callable[[], Tensor]]:
    """The two layers of a space on points of its own."""
    module = Linear(space, 64, 64)
    x = space.from_normal(v).detach().requires_grad_()
    learned = ", K learned" if any(True for _ in space.parameters()) else ""
    name = f"{type(space).__name__}{learned}"
    return {
        f"`Linear`, {name}": lambda: module(x),
        f"centroid, {name}": lambda: centroid(space, x),
    }


def main() -> None:
    """Print the tables, and write them into a page between its marks."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--page", type=Path, help="rewrite the tables of this page")
    parser.add_argument("--repeat", type=int, default=40, help="runs of which the least is taken")
    options = parser.parse_args()
    torch.set_num_threads(1)
    lines = [
        "| radius | `MLR` | textbook | `Linear` | textbook | centroid | geoopt |",
        "| --- | --- | --- | --- | --- | --- | --- |",
        *(errors(radius) for radius in (1.0, 3.0, 5.0, 7.0, 9.0)),
        "",
        "| | eager | compiled |",
        "| --- | --- | --- |",
        *milliseconds(options.repeat),
    ]
    found = "\n".join(lines)
    print(found)
    if options.page is not None:
        write_between(options.page, "layers", found)


if __name__ == "__main__":
    main()
