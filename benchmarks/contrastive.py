"""Peak memory and time of InfoNCE, dense and tiled, forward and backward.

    python benchmarks/contrastive.py [--sizes 2048 4096 ...] [--page docs/contrastive.md]

Each measurement is a process of its own, float32 on Lorentz in 512 dimensions. Memory is the
largest resident size above that with the points made. Time is that of the process's CPU, beside
four matrix products of the same size (what the tiled form computes of them) in the same process.
The dense form runs where a look at smaller sizes says that it fits in 8 GB.
"""

import argparse
import gc
import json
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import torch
from marked import write_between

from spaceforms.losses import info_nce
from spaceforms.manifolds import Lorentz

WIDTH, BLOCK, LIMIT = 512, 1024, 8192
SIZES = [2048, 4096, 8192, 16384, 32768]


def _points(rows: int, seed: int) -> torch.Tensor:
    """By blocks, so that making them does not raise the peak."""
    generator = torch.Generator().manual_seed(seed)
    space, whole = Lorentz(), torch.empty(rows, WIDTH + 1)
    for i in range(0, rows, BLOCK):
        some = torch.randn(min(BLOCK, rows - i), WIDTH, generator=generator)
        whole[i : i + BLOCK] = space.from_normal(some / WIDTH**0.5)
    return whole.requires_grad_()


def _resident() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def _peak(call: Callable[[], None]) -> tuple[float, float]:
    """MiB above the present, and seconds of this process's CPU."""
    gc.collect()
    before, most, done = _resident(), [0.0], threading.Event()

    def watch() -> None:
        while not done.wait(0.002):
            most[0] = max(most[0], _resident())

    watcher = threading.Thread(target=watch)
    watcher.start()
    start = time.process_time()
    call()
    seconds = time.process_time() - start
    done.set()
    watcher.join()
    return most[0] - before, seconds


def _products(x: torch.Tensor, y: torch.Tensor) -> float:
    """CPU seconds of the table, twice, and of its products with x and y, by blocks of rows."""
    a, b = x.detach()[:, 1:].contiguous(), y.detach()[:, 1:].contiguous()
    start = time.process_time()
    for i in range(0, len(a), BLOCK):
        rows = a[i : i + BLOCK]
        table = rows @ b.T
        torch.mm(rows, b.T, out=table)
        _ = table @ b, table.T @ rows
    return time.process_time() - start


def measure(rows: int, way: str) -> dict[str, float]:
    """One measurement, in this process."""
    torch.set_num_threads(1)
    x, y = _points(rows, 0), _points(rows, 1)
    options = {"manifold": Lorentz(), "scale": 14.3}
    tile = None if way == "dense" else 512
    info_nce(x[:600], y[:600], tile=tile, **options).backward()
    x.grad = y.grad = None
    memory, seconds = _peak(lambda: info_nce(x, y, tile=tile, **options).backward())
    return {"memory": memory, "seconds": seconds, "products": _products(x, y)}


def _apart(rows: int, way: str) -> dict[str, float]:
    command = [sys.executable, __file__, "--one", str(rows), way]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(result.stdout)
    return found


def table(sizes: list[int]) -> str:
    """The measurements as a table in Markdown."""
    lines = [
        "| B | tiled, MiB | dense, MiB | tiled, products | dense, products |",
        "| ---: | ---: | ---: | ---: | ---: |",
    ]
    per_pair = 0.0
    for rows in sizes:
        cells: dict[str, tuple[str, str]] = {}
        for way in ("tiled", "dense"):
            expected = per_pair * rows * rows
            if way == "dense" and (expected > LIMIT or (not per_pair and rows > 4096)):
                cells[way] = ("does not fit", "")
                continue
            found = _apart(rows, way)
            if way == "dense":
                per_pair = max(per_pair, found["memory"] / rows**2)
            cells[way] = (
                f"{found['memory']:,.0f}",
                f"{found['seconds'] / found['products']:.2f}",
            )
        (memory, ratio), (dense, dense_ratio) = cells["tiled"], cells["dense"]
        lines.append(f"| {rows:,} | {memory} | {dense} | {ratio} | {dense_ratio} |")
        print(lines[-1], flush=True)
    return "\n".join(lines)


def main() -> None:
    """Print the table, and write it into a page between its marks."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--page", type=Path)
    parser.add_argument("--one", nargs=2)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(measure(int(options.one[0]), options.one[1])))
        return
    found = table(options.sizes)
    if options.page:
        write_between(options.page, "contrastive", found)


if __name__ == "__main__":
    main()
