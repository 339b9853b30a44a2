"""Time of each map, forward and backward, beside geoopt's and the textbook's formula.

    python benchmarks/maps.py [--quick] [--compile] [--manifold M] [--map F] [--radius R]
    python benchmarks/maps.py --quick --page docs/speed.md

One process, one thread, the libraries in random order, the median of the processor's time in
repeated runs. A ratio below
1 says that ours is faster.
"""

import argparse
import platform
import random
import statistics
import time
from collections.abc import Callable, Iterable
from datetime import date
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from spaceforms.validation.certificate.evaluate import make

# Features of a batch, of tokens, wide ones, pairs of a graph; 50 negatives of each of 1024 edges.
SHAPES = ((1024, 16), (4096, 128), (4096, 512), (65_536, 32), (1024, 51, 5))
SPACES = {
    "Lorentz": ("Lorentz", -1.0),
    "PoincareBall": ("PoincareBall", -1.0),
    "Sphere": ("Sphere", 1.0),
    "Euclidean": ("Euclidean", 0.0),
    "Stereographic(-1)": ("Stereographic", -1.0),
    "Stereographic(0)": ("Stereographic", 0.0),
    "Stereographic(1)": ("Stereographic", 1.0),
}
# By what they take: x and y, a vector at x, a third vector, normal coordinates.
MAPS = {
    "dist": "xy", "sqdist": "xy", "expmap": "xv", "logmap": "xy", "transport": "xyv",
    "from_normal": "n", "to_normal": "x", "expmap0": "o", "logmap0": "x", "from_space": "n",
    "proj": "x", "exterior_angle": "xy", "half_aperture": "x",
}  # fmt: skip
PAGE = """# Speed

Written by `python benchmarks/maps.py --page docs/speed.md` (`--quick`: two shapes only) on {date}
(torch {torch}, {machine}, one thread, float32). Forward and backward pass of each map, the median
of the processor's time in repeated runs beside geoopt's and the textbook's formula in one process
and random order. A ratio below 1 says that ours is faster; what the others lose in digits is on
[](accuracy.md).
"copying" is the time in which memory is copied that is read and written at the least: the arguments
and the gradient of the result, the result and the gradients of the arguments. Of `Stereographic`
the ball of curvature -1 stands in the place of the textbook.

## Eager

{eager}

## Under `torch.compile`

{compiled}
"""


def _arguments(space: Any, name: str, shape: tuple[int, ...], radius: float) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    normal = [radius * torch.randn(shape, generator=generator) / shape[-1] ** 0.5 for _ in "xyn"]
    x, y = (space.from_normal(n) for n in normal[:2])
    made = {"x": x, "y": y, "v": space.logmap(x, y), "n": normal[2], "o": space.logmap0(x)}
    return [made[kind].detach().requires_grad_() for kind in MAPS[name]]


def _functions(space: str, name: str) -> dict[str, Callable[..., Tensor]]:
    """The map as the libraries have it, ours first."""
    manifold, k = SPACES[space]
    found = {"spaceforms": make("spaceforms", manifold, k), "geoopt": make("geoopt", manifold, k)}
    if manifold == "Stereographic":
        found["ball"] = make("spaceforms", "PoincareBall", -1.0)
    else:
        found["textbook"] = make("textbook", manifold, k)
    maps = {library: getattr(found[library], name, None) for library in found}
    return {library: function for library, function in maps.items() if function is not None}


def _copying(arguments: list[Tensor], result: Tensor) -> Callable[[], Tensor]:
    source = torch.ones(result.numel() + sum(x.numel() for x in arguments))
    target = torch.empty_like(source)
    return lambda: target.copy_(source)


def _seconds(function: Callable[..., Tensor], arguments: list[Tensor], g: Tensor | None) -> float:
    start = time.thread_time()
    result = function(*arguments)
    if g is not None:
        torch.autograd.grad(result, arguments, g, allow_unused=True)
    return time.thread_time() - start


def measure(
    space: str, name: str, shape: tuple[int, ...], *, budget: float, compiled: bool, radius: float
) -> dict[str, float]:
    """Median seconds of the processor by library, of 5 to 100 runs, as there is time for."""
    torch.compiler.reset()  # or the compiler gives up on a function that it has seen too often
    functions = _functions(space, name)
    # On a ball the points of every other stereographic model, of half their length, are points too.
    drawn_on = SPACES[space] if not space.startswith("Stereographic") else ("PoincareBall", -1.0)
    arguments = _arguments(make("spaceforms", *drawn_on), name, shape, radius)
    result = functions["spaceforms"](*arguments)
    g = torch.randn(result.shape, generator=torch.Generator().manual_seed(1))
    calls: dict[str, tuple[Callable[..., Tensor], list[Tensor], Tensor | None]] = {
        library: (torch.compile(function) if compiled else function, arguments, g)
        for library, function in functions.items()
    }
    calls["copying"] = _copying(arguments, result), [], None
    for call in calls.values():
        for _ in range(2):
            _seconds(*call)
    once = sum(_seconds(*call) for call in calls.values())
    times: dict[str, list[float]] = {library: [] for library in calls}
    for _ in range(max(5, min(100, int(budget / once)))):
        for library in random.sample(list(calls), len(calls)):
            times[library].append(_seconds(*calls[library]))
    return {library: statistics.median(some) for library, some in times.items()}


def table(options: argparse.Namespace, shapes: Iterable[tuple[int, ...]], compiled: bool) -> str:
    """Markdown rows, printed as they come."""
    lines = [
        "| map | shape | ours, ms | / geoopt | / textbook | / copying |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    print("\n".join(lines), flush=True)
    for space in options.manifold or SPACES:
        for name in options.map or MAPS:
            if "spaceforms" not in _functions(space, name):
                continue
            for shape in shapes:
                budget = 0.3 if options.quick else 1.0
                how = {"budget": budget, "compiled": compiled, "radius": options.radius}
                times = measure(space, name, shape, **how)
                ours = times["spaceforms"]
                second = "ball" if "ball" in times else "textbook"
                ratios = [
                    f"{ours / times[peer]:.2f}" if peer in times else ""
                    for peer in ("geoopt", second, "copying")
                ]
                size = " x ".join(map(str, shape))
                cells = (f"`{space}.{name}`", size, f"{ours * 1e3:.2f}", *ratios)
                lines.append(f"| {' | '.join(cells)} |")
                print(lines[-1], flush=True)
    return "\n".join(lines)


def main() -> None:
    """Print a table of ratios, or write the page of them."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="the two smaller shapes, fewer runs")
    parser.add_argument("--shape", action="append", help="only this one, as 1024x16; fewer runs")
    parser.add_argument("--compile", action="store_true", help="under torch.compile")
    parser.add_argument("--manifold", choices=SPACES, action="append", help="only this one")
    parser.add_argument("--map", choices=MAPS, action="append", help="only this one")
    parser.add_argument("--radius", type=float, default=1.0, help="of the points, about")
    parser.add_argument("--page", type=Path, help="write both tables, eager and compiled, here")
    options = parser.parse_args()
    torch.set_num_threads(1)
    shapes: Iterable[tuple[int, ...]] = SHAPES[:2] if options.quick else SHAPES
    if options.shape:
        options.quick = True
        shapes = [tuple(map(int, shape.split("x"))) for shape in options.shape]
    if options.page is None:
        table(options, shapes, options.compile)
        return
    eager, compiled = table(options, shapes, False), "Being measured."
    for last in (False, True):  # the first table is kept if the second, of an hour, is broken off
        if last:
            compiled = table(options, SHAPES[:2], True)
        options.page.write_text(
            PAGE.format(
                date=date.today().isoformat(), torch=torch.__version__, machine=platform.machine(),
                eager=eager, compiled=compiled,
            ),
            encoding="utf-8",
        )  # fmt: skip


if __name__ == "__main__":
    main()
