"""Time, memory and TFLOP/s of InfoNCE by the Triton kernels, by shape.

    python benchmarks/fused_pairs.py [--sizes 8192 65536 262144] [--widths 512 768]
        [--space Lorentz] [--logits neg_dist] [--modes bfloat16 split float32 torch]

Needs a CUDA device and triton. Forward and backward, of both sides. TFLOP/s are those of four
matrix products, what the tiled form computes, 8 B^2 D in the time measured; memory is the largest
allocated beyond the points, by torch. "torch" is the torch path of float32 points, with the
products that go by the device. On a CPU, for a look at whether it runs, it takes ``--device cpu``
with SPACEFORMS_TRITON=1 and TRITON_INTERPRET=1, and sizes of some tens.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor

from spaceforms import manifolds
from spaceforms.losses import info_nce

# Precision asked for, dtype of the points, whether by the kernels.
MODES = {
    "bfloat16": ("auto", torch.bfloat16, True),
    "split": ("split", torch.float32, True),
    "float32": ("float32", torch.float32, True),
    "torch": ("auto", torch.float32, False),
}


def _points(space: manifolds.Manifold, rows: int, width: int, seed: int, device: str) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    made = []
    for i in range(0, rows, 4096):
        some = torch.randn(min(4096, rows - i), width, generator=generator)
        made.append(space.from_normal(some / width**0.5).to(device))
    return torch.cat(made)


def _seconds(work: Callable[[], None], device: str, repeats: int) -> tuple[float, float]:
    """The median, and MiB at the most beyond what was there before."""
    work()
    found, most = [], 0.0
    for _ in range(repeats):
        if device == "cuda":
            torch.cuda.synchronize()
            torch.cuda.reset_peak_memory_stats()
            before = torch.cuda.memory_allocated()
        start = time.perf_counter()
        work()
        if device == "cuda":
            torch.cuda.synchronize()
            most = max(most, (torch.cuda.max_memory_allocated() - before) / 2**20)
        found.append(time.perf_counter() - start)
    return statistics.median(found), most


def measure(rows: int, width: int, mode: str, options: argparse.Namespace) -> str:
    """One row of the table."""
    precision, dtype, kernels = MODES[mode]
    space = getattr(manifolds, options.space)()
    x, y = (
        _points(space, rows, width, seed, options.device).to(dtype).requires_grad_()
        for seed in (0, 1)
    )
    scale = torch.tensor(14.3, device=options.device, requires_grad=True)

    def work() -> None:
        loss = info_nce(
            x, y, manifold=space, scale=scale, logits=options.logits, precision=precision, tile=512
        )
        torch.autograd.grad(loss, (x, y, scale))

    before = os.environ.get("SPACEFORMS_TRITON")
    if not kernels:
        os.environ["SPACEFORMS_TRITON"] = "0"
    try:
        seconds, memory = _seconds(work, options.device, options.repeats)
    finally:
        if before is None:
            os.environ.pop("SPACEFORMS_TRITON", None)
        else:
            os.environ["SPACEFORMS_TRITON"] = before
    rate = 8 * rows**2 * width / seconds / 1e12
    return f"| {rows:,} | {width} | {mode} | {1e3 * seconds:,.1f} | {memory:,.0f} | {rate:,.1f} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--sizes", type=int, nargs="+", default=[8192, 16384, 32768, 65536, 262144])
    parser.add_argument("--widths", type=int, nargs="+", default=[512, 768])
    parser.add_argument("--space", default="Lorentz")
    parser.add_argument("--logits", default="neg_dist")
    parser.add_argument("--modes", nargs="+", choices=MODES, default=list(MODES))
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--device", default="cuda")
    options = parser.parse_args()
    if options.device == "cuda":
        print(torch.cuda.get_device_name(), "torch", torch.__version__)
    print("| B | D | products | ms | MiB | TFLOP/s |")
    print("| ---: | ---: | --- | ---: | ---: | ---: |")
    for rows in options.sizes:
        for width in options.widths:
            for mode in options.modes:
                print(measure(rows, width, mode, options), flush=True)


if __name__ == "__main__":
    main()
