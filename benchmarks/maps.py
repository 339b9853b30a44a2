"""Time of each map, forward and backward, beside geoopt's and the textbook's formula.

    python benchmarks/maps.py [--quick] [--compile] [--manifold M] [--map F]
    python benchmarks/maps.py --quick --page docs/speed.md

One process, one thread, the libraries in random order, the median of repeated runs. A ratio below
1 says that ours is faster.
"""

import argparse
import platform
import random
import statistics
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from spaceforms.validation.certificate.evaluate import make

SHAPES = ((1024, 16), (4096, 128), (4096, 512), (65_536, 32))
CURVATURE = {"Lorentz": -1.0, "PoincareBall": -1.0, "Sphere": 1.0}
MAPS = ("dist", "sqdist", "expmap", "logmap", "transport")
PAGE = """# Speed

Written by `python benchmarks/maps.py --page docs/speed.md` (`--quick`: two shapes only) on {date}
(torch {torch}, {machine}, one thread, float32). Forward and backward pass of each map, the median
of repeated runs beside geoopt's and the textbook's formula in one process and random order. A
ratio below 1 says that ours is faster; what the others lose in digits is on [](accuracy.md).

## Eager

{eager}

## Under `torch.compile`

{compiled}
"""
LIBRARIES = ("spaceforms", "geoopt", "textbook")


def _arguments(manifold: str, name: str, rows: int, n: int) -> list[Tensor]:
    space = make("spaceforms", manifold, CURVATURE[manifold])
    generator = torch.Generator().manual_seed(0)
    x, y = (space.from_normal(torch.randn(rows, n, generator=generator) / n**0.5) for _ in "xy")
    v = space.logmap(x, y)
    chosen = {"expmap": [x, v], "transport": [x, y, v]}.get(name, [x, y])
    return [t.detach().requires_grad_() for t in chosen]


def _seconds(function: Callable[..., Tensor], arguments: list[Tensor]) -> float:
    start = time.perf_counter()
    result = function(*arguments)
    torch.autograd.grad(result.sum(), arguments, allow_unused=True)
    return time.perf_counter() - start


def measure(
    manifold: str, name: str, rows: int, n: int, *, repeats: int, compiled: bool
) -> dict[str, float]:
    """Median seconds by library."""
    torch.compiler.reset()  # or the compiler gives up on a function that it has seen too often
    arguments = _arguments(manifold, name, rows, n)
    functions: dict[str, Any] = {}
    for library in LIBRARIES:
        space = make(library, manifold, CURVATURE[manifold])
        function = getattr(space, name, None)
        if function is not None:
            functions[library] = torch.compile(function) if compiled else function
    times: dict[str, list[float]] = {library: [] for library in functions}
    for function in functions.values():
        for _ in range(3):
            _seconds(function, arguments)
    for _ in range(repeats):
        for library in random.sample(list(functions), len(functions)):
            times[library].append(_seconds(functions[library], arguments))
    return {library: statistics.median(some) for library, some in times.items()}


def table(options: argparse.Namespace, shapes: tuple[tuple[int, int], ...], compiled: bool) -> str:
    """Markdown rows, printed as they come."""
    lines = [
        "| map | shape | ours, ms | / geoopt | / textbook |",
        "| --- | --- | --- | --- | --- |",
    ]
    print("\n".join(lines), flush=True)
    for manifold in options.manifold or CURVATURE:
        for name in options.map or MAPS:
            for rows, n in shapes:
                repeats = 10 if options.quick else 20
                times = measure(manifold, name, rows, n, repeats=repeats, compiled=compiled)
                ours = times["spaceforms"]
                ratios = [
                    f"{ours / times[peer]:.2f}" if peer in times else "" for peer in LIBRARIES[1:]
                ]
                cells = (f"`{manifold}.{name}`", f"{rows} x {n}", f"{ours * 1e3:.2f}", *ratios)
                lines.append(f"| {' | '.join(cells)} |")
                print(lines[-1], flush=True)
    return "\n".join(lines)


def main() -> None:
    """Print a table of ratios, or write the page of them."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="the two smaller shapes, fewer runs")
    parser.add_argument("--compile", action="store_true", help="under torch.compile")
    parser.add_argument("--manifold", choices=CURVATURE, action="append", help="only this one")
    parser.add_argument("--map", choices=MAPS, action="append", help="only this one")
    parser.add_argument("--page", type=Path, help="write both tables, eager and compiled, here")
    options = parser.parse_args()
    torch.set_num_threads(1)
    shapes = SHAPES[:2] if options.quick else SHAPES
    if options.page is None:
        table(options, shapes, options.compile)
        return
    eager, compiled = table(options, shapes, False), table(options, SHAPES[:2], True)
    options.page.write_text(
        PAGE.format(
            date=date.today().isoformat(), torch=torch.__version__, machine=platform.machine(),
            eager=eager, compiled=compiled,
        ),
        encoding="utf-8",
    )  # fmt: skip


if __name__ == "__main__":
    main()
