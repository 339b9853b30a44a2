"""Who is above whom, from distances: the tables of Nickel and Kiela (2017) and their controls.

A node has so many numbers; with a bias one of them is that. Two tasks: "reconstruction" learns all
pairs (node, ancestor) of the mammals and ranks them; "hidden" learns the direct edges and half of
the others, and ranks the rest. Settings are chosen on what no table shows: the birds, and a fifth
of the hidden pairs.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from spaceforms.datasets import Taxonomy, load_mammals, load_wordnet_nouns
from spaceforms.models.graphs.config import EmbedOptions
from spaceforms.models.graphs.edges import Graph
from spaceforms.models.graphs.measures import graph_metric, popularity, reconstruction
from spaceforms.models.graphs.relation import Relation, relation_of, split
from spaceforms.models.graphs.trainer import Trainer, radii

TASKS = ("reconstruction", "hidden")
_HIDDEN = 0.5  # of the pairs that are no direct edges
_CHOOSING = 0.2  # of those that are hidden


@dataclass(frozen=True)
class Options:
    """One embedding: of what, where, with how many numbers a node, and how it learns."""

    task: str
    space: str
    numbers: int
    seed: int
    bias: bool = False
    wider: int = 2
    choosing: bool = False
    steps: int = 1500
    batch: int = 512
    negatives: int = 20
    lr: float = 0.3
    temperature: float = 1.0
    final_temperature: float = 0.1

    def __post_init__(self) -> None:
        if self.task not in TASKS:
            raise ValueError(f"task is {self.task!r}; expected one of {', '.join(TASKS)}.")
        if self.numbers - self.bias < 1:
            raise ValueError(f"numbers is {self.numbers}; expected one coordinate at least.")


def figures(options: Options) -> dict[str, float]:
    """MAP and mean rank, with those of what has no points; radius and steps."""
    taxonomy = tree(choosing=options.choosing and options.task == "reconstruction")
    graph = Graph(taxonomy.names, taxonomy.parent, taxonomy.child, np.ones(len(taxonomy.edges)))
    every = relation_of(graph, closure=True)
    shown, asked = every, every
    if options.task == "hidden":
        shown, asked = parted(graph, every, seed=options.seed, choosing=options.choosing)
    trainer = trained(graph, shown, options)
    points = trainer.points().double()

    def distance(block: Tensor) -> Tensor:
        found = trainer.space.cdist(points[block], points)
        return found if trainer.number is None else found - trainer.number.detach().double().T

    nodes = (asked.starts[1:] > asked.starts[:-1]).nonzero().squeeze(-1)
    apart = known(every, asked)
    values: dict[str, float] = {}
    costs = {"": distance}
    if not options.choosing:
        costs |= {", popularity": popularity(shown), ", tree metric": steps(graph, nodes)}
    for name, cost in costs.items():
        found = reconstruction(asked, nodes, without(cost, apart))
        values |= {f"MAP{name}": found.map, f"mean rank{name}": found.mean_rank}
        if name:
            values[f"MAP, less{name[1:]}"] = values["MAP"] - found.map
    reach = radii(trainer.space, trainer.points())
    return values | {
        "mean radius": reach.mean,
        "largest radius": reach.largest,
        "numbers": float(points.shape[-1] - trainer.space.ambient_dim(0) + options.bias),
    }


def tree(*, choosing: bool) -> Taxonomy:
    """The mammals of the published tables; the birds, by which settings are chosen."""
    return load_wordnet_nouns().below("bird.n.01") if choosing else load_mammals(published=True)


def parted(
    graph: Graph, every: Relation, *, seed: int, choosing: bool
) -> tuple[Relation, Relation]:
    """(what is learned, what is asked for): each direct edge and half of the rest, the other half.

    Of the hidden pairs a fifth is asked for where settings are chosen, else the others.
    """
    shown, hidden = split(every, graph, _HIDDEN, seed)
    order = np.random.default_rng(seed).permutation(len(hidden.pairs))
    fifth = round(_CHOOSING * len(order))
    rows = np.sort(order[:fifth] if choosing else order[fifth:])
    child, ancestor = hidden.pairs[rows].numpy().T
    return shown, Relation(every.nodes, child, ancestor, None)


def trained(graph: Graph, relation: Relation, options: Options) -> Trainer:
    """Points that have learned the pairs of a relation."""
    per_epoch = -(-len(relation.pairs) // options.batch)
    embed = EmbedOptions(
        edges="",
        out=Path(),
        manifold=options.space,
        dim=options.numbers - options.bias,
        bias=options.bias,
        wider=options.wider,
        batch=options.batch,
        negatives=options.negatives,
        lr=options.lr,
        temperature=options.temperature,
        final_temperature=min(options.final_temperature, options.temperature),
        seed=options.seed,
    )
    trainer = Trainer(graph, relation, embed, max(1, round(options.steps / per_epoch)))
    for _ in trainer.run(lambda: False):
        pass
    return trainer


def steps(graph: Graph, nodes: Tensor) -> Callable[[Tensor], Tensor]:
    """The metric of the tree itself."""
    found = graph_metric(graph, nodes)
    assert found is not None
    return found


def known(every: Relation, asked: Relation) -> Tensor:
    """(nodes, nodes) bool: ancestors that are not asked for, which are no candidates."""
    table = torch.zeros(every.nodes, every.nodes, dtype=torch.bool)
    table[every.pairs[:, 0], every.pairs[:, 1]] = True
    table[asked.pairs[:, 0], asked.pairs[:, 1]] = False
    return table


def without(cost: Callable[[Tensor], Tensor], apart: Tensor) -> Callable[[Tensor], Tensor]:
    """A cost that is infinite where ``apart``."""
    return lambda nodes: cost(nodes).masked_fill(apart[nodes], torch.inf)
