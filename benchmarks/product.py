"""Time and memory of `Product([Lorentz(-1.0)] * 64)` beside 64 separate calls.

    python benchmarks/product.py

One process, one thread, in turn, the median of repeated runs; float32, 4 dimensions a factor.
"""

import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor

from spaceforms.manifolds import Lorentz, Product

FACTORS, DIMENSION, ROWS, SQUARE = 64, 4, 4096, 512
_ONE = Lorentz(-1.0)
_ALL = Product([_ONE] * FACTORS)


def separate(x: Tensor, y: Tensor) -> Tensor:
    """The distance of the product by a loop over its factors."""
    parts = zip(x.chunk(FACTORS, -1), y.chunk(FACTORS, -1), strict=True)
    return torch.stack([_ONE.sqdist(a, b) for a, b in parts]).sum(0).sqrt()


def separate_pairs(x: Tensor, y: Tensor) -> Tensor:
    """All distances as a sum of one table for each factor."""
    parts = zip(x.chunk(FACTORS, -1), y.chunk(FACTORS, -1), strict=True)
    tables = [_ONE.cdist(a, b, squared=True, matmul=True) for a, b in parts]
    return (torch.stack(tables).sum(0) + 1e-12).sqrt()


def _seconds(function: Callable[[Tensor, Tensor], Tensor], x: Tensor, y: Tensor) -> float:
    start = time.perf_counter()
    torch.autograd.grad(function(x, y).sum(), (x, y))
    return time.perf_counter() - start


def _kept(function: Callable[[Tensor, Tensor], Tensor], x: Tensor, y: Tensor) -> float:
    """MiB that autograd keeps for the backward pass, beyond the inputs."""
    sizes: dict[int, int] = {}

    def note(t: Tensor) -> Tensor:
        storage = t.untyped_storage()
        sizes[storage.data_ptr()] = storage.nbytes()
        return t

    with torch.autograd.graph.saved_tensors_hooks(note, lambda t: t):
        result = function(x, y)
    inputs = {t.untyped_storage().data_ptr() for t in (x, y)}
    del result
    return sum(size for place, size in sizes.items() if place not in inputs) / 2**20


def main() -> None:
    """Print forward and backward times and what is kept between them."""
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    print(f"{FACTORS} factors of {DIMENSION} dimensions{'product':>22}{'separate':>12}")
    for name, rows, ours, theirs in (
        ("dist", ROWS, _ALL.dist, separate),
        ("cdist", SQUARE, lambda x, y: _ALL.cdist(x, y, matmul=True), separate_pairs),
    ):
        x, y = (
            _ALL.random_normal(rows, FACTORS * DIMENSION, std=0.5, generator=generator)
            for _ in range(2)
        )
        x.requires_grad_()
        y.requires_grad_()
        functions = (ours, theirs)
        times: list[list[float]] = [[], []]
        for _ in range(10):
            for some, function in zip(times, functions, strict=True):
                some.append(_seconds(function, x, y))
        one, other = (statistics.median(some) * 1e3 for some in times)
        print(f"{f'{name}, {rows} x {x.shape[-1]}, ms':40}{one:10.1f}{other:12.1f}", flush=True)
        one, other = (_kept(function, x, y) for function in functions)
        print(f"{'  kept for the backward pass, MiB':40}{one:10.1f}{other:12.1f}", flush=True)


if __name__ == "__main__":
    main()
