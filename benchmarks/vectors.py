"""Nearest neighbours by databases that know dot products: the share found, and what is proven.

    python benchmarks/vectors.py --page docs/guides/adapters.md     # rewrites the page's tables

Families of a hundred points of hyperbolic space, one unit of distance from their midst, at a radius
(in R); queries drawn likewise; the ten nearest. ``graph``: FAISS's HNSW (M = 32, efConstruction =
80, efSearch = 64) on the coordinates as they are, on ``features`` by inner product, on the
hyperboloid's space part and on normal coordinates by Euclidean distance; of its answer the first
forty are measured by the space's distance. ``scan``: every point is compared, in float32, by eight
bits a number (SQ8) or some four numbers a byte (PQ); forty or four hundred are measured, and of how
many queries it is then known that no point left out is nearer.
"""

import argparse
from pathlib import Path

import faiss
import torch
from marked import write_between
from point_sets import families, recall
from torch import Tensor

from spaceforms.integrations import features
from spaceforms.integrations.vectors import Vectors
from spaceforms.manifolds import Lorentz
from spaceforms.search import Neighbours, brute_force

SPACE, K = Lorentz(-1.0), 10


def graph(keys: Tensor, queries: Tensor, metric: int, count: int) -> Tensor:
    """The rows that HNSW gives for each query."""
    index = faiss.IndexHNSWFlat(keys.shape[1], 32, metric)
    index.hnsw.efConstruction, index.hnsw.efSearch = 80, 64
    index.add(keys.float().contiguous().numpy())
    return torch.from_numpy(index.search(queries.float().contiguous().numpy(), count)[1])


def graphs(x: Tensor, q: Tensor, vectors: Vectors, true: Neighbours) -> list[float]:
    """Shares of the nearest that are among forty of HNSW, for each way to write the points."""
    ways = (
        (x, q, faiss.METRIC_L2),
        (vectors.keys, vectors.queries(q), faiss.METRIC_INNER_PRODUCT),
        (SPACE.space(x), SPACE.space(q), faiss.METRIC_L2),
        (SPACE.to_normal(x), SPACE.to_normal(q), faiss.METRIC_L2),
    )
    return [recall(vectors.rerank(q, graph(*way, 4 * K), K), true) for way in ways]


def scans(q: Tensor, vectors: Vectors, true: Neighbours) -> list[str]:
    """For float32, SQ8 and PQ, of 40 and of 400: the shares found and of queries proven."""
    cells = []
    width = vectors.keys.shape[1]
    subspaces = next(m for m in range(width // 4, 0, -1) if width % m == 0)
    for kind in ("Flat", "SQ8", f"PQ{subspaces}"):
        index = faiss.index_factory(width, kind, faiss.METRIC_INNER_PRODUCT)
        keys = vectors.keys.contiguous().numpy()
        index.train(keys)
        index.add(keys)
        stored = torch.from_numpy(index.reconstruct_n(0, len(keys)))
        lost = float((vectors.keys.double() - stored.double()).norm(dim=1).max())
        for count in (4 * K, 40 * K):
            products, rows = index.search(vectors.queries(q).contiguous().numpy(), count)
            found = vectors.rerank(q, torch.from_numpy(rows), K)
            sure = vectors.complete(
                q, found.distances, torch.from_numpy(products[:, -1]), key_error=lost
            )
            cells.append(f"{recall(found, true):.0%}, {float(sure.double().mean()):.0%}")
    return cells


def main() -> None:
    """Print the tables, or write them into a page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--points", type=int, default=20_000)
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--page", type=Path)
    options = parser.parse_args()
    first = ["| dimension, radius | coordinates | `features` | space part | normal coordinates |"]
    first.append("| --- | --- | --- | --- | --- |")
    kinds = [f"{k}, of {c}" for k in ("float32", "SQ8", "PQ") for c in (4 * K, 40 * K)]
    second = ["| dimension, radius | " + " | ".join(kinds) + " |", "| --- " * 7 + "|"]
    for dim in (16, 64):
        for radius in (2.0, 5.0, 8.0):
            parents = options.points // 100
            x = families(SPACE, options.points, dim, radius, 1, 1.0, parents).double()
            q = families(SPACE, options.queries, dim, radius, 2, 1.0, parents).double()
            x, q = SPACE.proj(x), SPACE.proj(q)
            true = brute_force(SPACE, x, q, K, matmul=True)
            vectors, name = features(SPACE, x), f"| {dim}, {radius:g} | "
            first.append(name + " | ".join(f"{r:.0%}" for r in graphs(x, q, vectors, true)) + " |")
            second.append(name + " | ".join(scans(q, vectors, true)) + " |")
            print(first[-1], second[-1], sep="\n", flush=True)
    table = "\n".join((*first, "", *second))
    if options.page is None:
        print(table)
    else:
        write_between(options.page, "vectors", table)


if __name__ == "__main__":
    main()
