"""Nearest neighbours by an index beside brute force: the same ones, and the time of both.

    python benchmarks/search.py [--points 1000000] [--queries 1000] [--dim 32] [--radius 3] ...

Points of hyperbolic space at distances from the origin that are normal about ``--radius`` (in R)
with a deviation of a tenth of it, in directions of a hundred clusters; or, with ``--siblings S``,
families of a hundred at that radius, S from their midst: neighbours as near as in a tree, however
far out it is. Queries are drawn likewise. ``same`` is the share of the true neighbours that are
found, ``alone`` what FAISS's own first k are of them, without our ranking. Brute force is
``search.brute_force(..., matmul=True)``: all distances by one matrix product in float64. One
thread, unless OMP_NUM_THREADS says more.
"""

import argparse
import time

import torch
from point_sets import clusters, families, recall
from torch import Tensor

from spaceforms.manifolds import Lorentz
from spaceforms.search import Index, Neighbours, brute_force, build_index


def passes(index: Index) -> list[tuple[int, int]]:
    """A list that every pass over FAISS is written to: how many queries, how many candidates."""
    seen: list[tuple[int, int]] = []
    inner = index._candidates

    def counted(rows: Tensor, k: int, count: int) -> tuple[Tensor, Tensor, Tensor]:
        seen.append((len(rows), count))
        return inner(rows, k, count)

    index._candidates = counted  # type: ignore[method-assign]
    return seen


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--points", type=int, default=1_000_000)
    parser.add_argument("--queries", type=int, default=1000)
    parser.add_argument("--dim", type=int, default=32)
    parser.add_argument("--radius", type=float, nargs="+", default=[3.0])
    parser.add_argument("--siblings", type=float)
    parser.add_argument("--k", type=int, default=10)
    parser.add_argument("--factory", nargs="+", default=["Flat", "IVF1024,Flat"])
    parser.add_argument("--nprobe", type=int, default=32)
    options = parser.parse_args()
    space = Lorentz(-1.0)
    print(f"{options.points} points, {options.queries} queries, k = {options.k}, ", end="")
    print(f"n = {options.dim}, {torch.get_num_threads()} thread(s)")
    print(
        f"{'radius':>7} {'index':14}{'build, s':>9}{'search, s':>10}{'same':>8}{'alone':>8}  passes"
    )
    for radius in options.radius:
        if options.siblings is None:
            x = clusters(space, options.points, options.dim, radius, 1)
            q = clusters(space, options.queries, options.dim, radius, 2)
        else:
            size = (options.dim, radius)
            family = (options.siblings, max(1, options.points // 100))
            x = families(space, options.points, *size, 1, *family)
            q = families(space, options.queries, *size, 2, *family)
        start = time.perf_counter()
        true = brute_force(space, x, q, options.k, matmul=True)
        seconds = time.perf_counter() - start
        print(f"{radius:7g} {'brute force':14}{'':>9}{seconds:10.2f}{1:8.4f}", flush=True)
        for factory in options.factory:
            start = time.perf_counter()
            index = build_index(space, x, factory=factory)
            built = time.perf_counter() - start
            if factory.startswith("IVF"):
                index.faiss_index.nprobe = options.nprobe
            seen = passes(index)
            start = time.perf_counter()
            found = index.search(q, options.k)
            seconds = time.perf_counter() - start
            keys = index._form.queries(q.double()).float().numpy()
            first = torch.from_numpy(index.faiss_index.search(keys, options.k)[1])
            alone = Neighbours(space.dist(q.unsqueeze(1), x[first]), first)
            print(
                f"{radius:7g} {factory:14}{built:9.2f}{seconds:10.2f}"
                f"{recall(found, true):8.4f}{recall(alone, true):8.4f}  "
                f"{' '.join(f'{a}x{b}' for a, b in seen)}",
                flush=True,
            )


if __name__ == "__main__":
    main()
