"""Points of a graph: the time to a quality, beside gensim's and a textbook's loop; one core.

    python benchmarks/embed.py [--edges wordnet:mammals] [--dim 5] [--epochs 50] ...

*gensim*: its PoincareModel (Nickel and Kiela 2017) with its defaults, ``--epochs`` passes. *ours*:
the command's own loss and settings, with the fewest passes, of 1, 2, 4 and so on, after which MAP
is at least gensim's, each run from the start to the end of its schedule; without gensim, all of
them up to ``--epochs``. *textbook*: the distance of the ball by acosh, its gradient times
(1 - |x|^2)^2/4, plain SGD and a clamp to the ball, in torch, with our batches and negatives.
Seconds are of the processor, in training alone. gensim is not needed: where it is not installed,
its row is left out, and that is said.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from spaceforms.manifolds import Manifold, PoincareBall
from spaceforms.models.graphs.config import EmbedOptions
from spaceforms.models.graphs.edges import Graph, read_graph
from spaceforms.models.graphs.measures import measured_nodes, reconstruction
from spaceforms.models.graphs.relation import Relation, relation_of
from spaceforms.models.graphs.trainer import Trainer


def quality(relation: Relation, space: Manifold, points: Tensor) -> float:
    """MAP."""
    points = points.double()
    return reconstruction(
        relation, measured_nodes(relation), lambda block: space.cdist(points[block], points)
    ).map


def by_gensim(graph: Graph, relation: Relation, dim: int, epochs: int) -> tuple[float, Tensor]:
    """Seconds and points of the ball, in the order of our nodes.

    Raises:
        ModuleNotFoundError: there is no gensim.
    """
    from gensim.models.poincare import PoincareModel

    pairs = [(str(u), str(v)) for u, v in relation.pairs.tolist()]
    model = PoincareModel(pairs, size=dim, seed=0)
    began = time.process_time()
    model.train(epochs=epochs)
    seconds = time.process_time() - began
    points = torch.zeros(relation.nodes, dim, dtype=torch.float64)
    for k in range(relation.nodes):
        if str(k) in model.kv.key_to_index:
            points[k] = torch.from_numpy(model.kv[str(k)].copy())
    return seconds, points


def by_us(
    graph: Graph, relation: Relation, options: EmbedOptions, epochs: int
) -> tuple[float, Trainer]:
    """Seconds, and the trainer at the end."""
    trainer = Trainer(graph, relation, options, epochs)
    began = time.process_time()
    for _ in trainer.run(lambda: False):
        pass
    return time.process_time() - began, trainer


def by_the_book(
    relation: Relation, options: EmbedOptions, epochs: int, lr: float
) -> tuple[float, Tensor]:
    """Seconds and points of the ball."""
    generator = torch.Generator().manual_seed(0)
    size = (relation.nodes, options.dim)
    x = (1e-3 * (2 * torch.rand(*size, generator=generator) - 1)).requires_grad_()
    seconds = 0.0
    for _ in range(epochs):
        order = torch.randperm(len(relation.pairs), generator=generator)
        began = time.process_time()
        for rows in order.split(options.batch):
            child, ancestor = relation.pairs[rows].unbind(-1)
            wrong = relation.negatives(child, options.negatives, generator)
            others = torch.cat([ancestor[:, None], wrong], dim=1)
            u, v = x[child][:, None], x[others]
            gap = (1 - (u * u).sum(-1)) * (1 - (v * v).sum(-1))
            distance = torch.acosh(1 + 2 * ((u - v) ** 2).sum(-1) / gap + 1e-7)
            loss = torch.nn.functional.cross_entropy(
                -distance, torch.zeros(len(rows), dtype=torch.int64), reduction="sum"
            )
            (gradient,) = torch.autograd.grad(loss, x)
            with torch.no_grad():
                x -= lr * gradient * ((1 - (x * x).sum(-1, keepdim=True)) ** 2 / 4)
                length = x.norm(dim=-1, keepdim=True)
                x.copy_(torch.where(length >= 1, x / length * (1 - 1e-5), x))
        seconds += time.process_time() - began
    return seconds, x.detach()


def main() -> None:
    """Print a row a method."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--edges", default="wordnet:mammals")
    parser.add_argument("--dim", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=50, help="of gensim and the textbook")
    parser.add_argument("--negatives", type=int, default=50, help="ours and the textbook's")
    parser.add_argument("--lr", type=float, default=0.3, help="of the textbook's loop")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    graph = read_graph(asked.edges)
    relation = relation_of(graph, closure=True)
    options = EmbedOptions(asked.edges, Path(), dim=asked.dim, negatives=asked.negatives)
    ball = PoincareBall(-1.0)
    print(
        f"{asked.edges}: {relation.nodes:,} nodes, {len(relation.pairs):,} pairs, dim {asked.dim}"
    )
    print(f"{'':34}  {'MAP':>6}  {'seconds':>8}  {'pairs/s':>9}", flush=True)

    def row(name: str, score: float, seconds: float, epochs: int) -> None:
        rate = epochs * len(relation.pairs) / seconds
        print(f"{name:34}  {score:6.4f}  {seconds:8.2f}  {rate:9,.0f}", flush=True)

    wanted = 2.0
    rows: dict[str, Callable[[], tuple[float, Tensor]]] = {
        f"gensim, {asked.epochs} epochs": lambda: by_gensim(
            graph, relation, asked.dim, asked.epochs
        ),
        f"textbook, {asked.epochs} epochs": lambda: by_the_book(
            relation, options, asked.epochs, asked.lr
        ),
    }
    for name, made in rows.items():
        try:
            seconds, points = made()
        except ModuleNotFoundError as error:
            print(f"{name}: left out, as {error.name} is not installed (pip install gensim).")
            continue
        score = quality(relation, ball, points)
        wanted = score if name.startswith("gensim") else wanted
        row(name, score, seconds, asked.epochs)
    epochs = 1
    while True:
        seconds, trainer = by_us(graph, relation, options, epochs)
        score = quality(relation, trainer.space, trainer.points())
        row(f"ours, {epochs} epoch{'s' if epochs > 1 else ''}", score, seconds, epochs)
        if score >= wanted or 2 * epochs > max(asked.epochs, 4):
            break
        epochs *= 2


if __name__ == "__main__":
    main()
