"""From an edge list to a folder with vectors, numbers and a picture."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from ...datasets.disk import write_text
from ..options import formats_of
from ..terminal import Terminal, say
from .config import EmbedOptions, curvature_of, differences, to_json
from .edges import Graph, name_of, read_graph, shape_in_words
from .embedding import (
    CONFIG,
    NAMES,
    REPORT,
    VECTORS,
    Embedding,
    load_tensors,
    read_json,
    save_embedding,
    save_tensors,
)
from .links import judged
from .measures import graph_metric, measured_nodes, popularity, ranks, reconstruction
from .methods import METHODS
from .picture import PICTURES, draw
from .relation import Relation, relation_of, split
from .report import FLAT, GOOD, as_table, edge, flat_solution
from .sarkar_run import sarkar_embedding
from .trainer import Trainer, epochs_of, radii

STATE = "state.safetensors"
FORMATS = ("png", "svg", "pdf")
MADE = (VECTORS, NAMES, REPORT, *(f"{name}.{kind}" for name in PICTURES for kind in FORMATS))
_SAVE_EVERY = 300.0  # seconds
_CELLS = 2**19  # scores of a block, which take many numbers each


Interrupt = Callable[[], AbstractContextManager[Callable[[], bool]]]
"""What is entered while points are trained, and gives a function that says when to stop."""


def _never() -> AbstractContextManager[Callable[[], bool]]:
    return nullcontext(lambda: False)


def embed(options: EmbedOptions, interrupt: Interrupt = _never) -> dict[str, Any] | None:
    """Run ``spaceforms embed``: the figures of its report, or None if it was stopped.

    Args:
        options: what to embed, where and how.
        interrupt: entered while points are trained; what it gives is asked after each step, and
            where it says so a checkpoint is written.

    Raises:
        FileExistsError: the folder holds an embedding, and neither resume nor overwrite is set.
        FileNotFoundError: nothing to resume, or no such edge list.
        ValueError: a line that is no edge, a cycle, options that cannot work.
        FloatingPointError: the loss is not finite.
    """
    stored = _stored(options)
    began = time.perf_counter()
    graph = read_graph(options.edges, options.order, options.relation)
    for note in graph.notes:
        say(f"{options.edges}: {note}.")
    say(f"{options.edges}: {shape_in_words(graph)}")
    if graph.weighted and options.closure and options.method != "sarkar":
        say("Weights count with --closure False; of all pairs, as here, each counts for one.")
    whole = relation_of(graph, closure=options.closure)
    relation, hidden = whole, None
    if options.hidden:
        relation, hidden = split(whole, graph, options.hidden, options.seed)
    read = time.perf_counter() - began
    digest = graph.digest()
    if options.method == "sarkar":
        return _constructed(options, graph, relation, digest)
    if stored and stored.get("graph") != digest:
        raise ValueError(
            f"{options.out} was begun with other edges than those of {options.edges} now; expected "
            "the same, or --overwrite."
        )
    epochs = stored["epochs_made"] if stored else epochs_of(options, graph, relation)
    trainer = Trainer(graph, relation, options, epochs)
    if stored:
        trainer.load_state(load_tensors(options.out / STATE))
    else:
        options.out.mkdir(parents=True, exist_ok=True)
        for name in MADE:
            (options.out / name).unlink(missing_ok=True)
        save_tensors(options.out / STATE, trainer.state())
        write_text(options.out / CONFIG, to_json(options, epochs_made=epochs, graph=digest))
    with interrupt() as stopped:
        _train(trainer, options, stopped)
    save_tensors(options.out / STATE, trainer.state())
    if trainer.done < trainer.steps:
        say(f"{trainer.done:,} of {trainer.steps:,} steps are done.")
        return None

    embedding = _embedding(trainer, graph)
    save_embedding(options.out, embedding)
    curvature = curvature_of(trainer.space)
    write_text(
        options.out / CONFIG,
        to_json(options, epochs_made=epochs, graph=digest, curvature=curvature),
    )
    report = _measure(graph, relation, embedding)
    if hidden is not None:
        report["hidden"] = _judge(whole, relation, hidden, embedding, options.seed)
    report |= {
        "seconds": round(trainer.seconds, 3),
        "seconds_reading": round(read, 3),
        "pairs_per_second": round(epochs * len(trainer.rows) / max(trainer.seconds, 1e-9)),
        "epochs": epochs,
        "at_the_edge": trainer.at_the_edge(),
        "steps": trainer.steps,
        "curvature": curvature,
        "notes": list(graph.notes),
        **trainer.method.figures(embedding.nodes),
    }
    if options.method == "distances" and flat_solution(report, trainer.space):
        say(FLAT)
    if report["at_the_edge"] and report["map"] < GOOD:
        say(edge(report))
    write_text(options.out / REPORT, json.dumps(report, indent=2) + "\n")
    _draw(embedding, whole, options)
    return report


def _constructed(
    options: EmbedOptions, graph: Graph, relation: Relation, digest: str
) -> dict[str, Any]:
    """Points of a tree that nothing is trained for."""
    options.out.mkdir(parents=True, exist_ok=True)
    for name in (*MADE, STATE):
        (options.out / name).unlink(missing_ok=True)
    embedding, found = sarkar_embedding(options, graph)
    save_embedding(options.out, embedding)
    write_text(options.out / CONFIG, to_json(options, graph=digest, curvature=-1.0))
    report = _measure(graph, relation, embedding) | {
        "sarkar": found,
        "seconds": found["seconds"],
        "notes": list(graph.notes),
    }
    write_text(options.out / REPORT, json.dumps(report, indent=2) + "\n")
    _draw(embedding, relation, options)
    return report


@torch.no_grad()
def _draw(embedding: Embedding, relation: Relation, options: EmbedOptions) -> None:
    nodes = measured_nodes(relation)
    draw(
        embedding,
        relation,
        options.out,
        title=name_of(options.edges),
        formats=formats_of(options.format),
        ranks={
            "these points": ranks(relation, nodes, _cost(embedding)),
            "without points: more descendants": ranks(relation, nodes, popularity(relation)),
        },
    )


def _stored(options: EmbedOptions) -> dict[str, Any] | None:
    """The configuration of the run that is gone on with; None for a new one."""
    there = (options.out / CONFIG).is_file()
    if not options.resume:
        if there and not options.overwrite:
            raise FileExistsError(
                f"{options.out} holds an embedding already; go on with it by --resume, replace it "
                "by --overwrite, or name another --out."
            )
        return None
    if not there or not (options.out / STATE).is_file():
        raise FileNotFoundError(
            f"{options.out} has no embedding to go on with; begin one without --resume."
        )
    stored = read_json(options.out / CONFIG)
    changed = differences(options, stored)
    if changed:
        raise ValueError(
            f"{options.out} was begun with another {', '.join(changed)}; expected the options of "
            f"its {CONFIG}, or --overwrite."
        )
    return stored


def _train(trainer: Trainer, options: EmbedOptions, stopped: Callable[[], bool]) -> None:
    """Train to the end or until stopped, under a progress bar; every five minutes it is saved."""
    terminal = Terminal()
    total = trainer.steps * len(trainer.rows) // trainer.per_epoch
    done = trainer.done * len(trainer.rows) // trainer.per_epoch
    saved = time.perf_counter()
    bar = tqdm(
        total=total,
        initial=done,
        unit=" pairs",
        unit_scale=True,
        file=terminal,
        # Where no one watches (a log file) a line now and then is enough.
        mininterval=0.2 if terminal.isatty() else 60,
    )
    with bar:
        for count, loss in trainer.run(stopped):
            bar.update(count)
            if trainer.done % 20 == 0:
                bar.set_postfix_str(f"loss {loss:.3f}", refresh=False)
            if time.perf_counter() - saved > _SAVE_EVERY:
                save_tensors(options.out / STATE, trainer.state())
                saved = time.perf_counter()


def _embedding(trainer: Trainer, graph: Graph) -> Embedding:
    number = None if trainer.number is None else trainer.number.detach().squeeze(-1)
    named = {} if number is None else {str(trainer.method.number): number}
    return Embedding(
        graph.names,
        trainer.points(),
        trainer.space,
        parent=torch.from_numpy(graph.parent),
        child=torch.from_numpy(graph.child),
        method=trainer.options.method,
        bias=named.get("bias"),
        radius=named.get("radius"),
    )


def _cost(embedding: Embedding) -> Callable[[Tensor], Tensor]:
    """(B,) nodes -> (B, N): by the method's score, small for ancestors."""
    method, nodes = METHODS[embedding.method](embedding.manifold), embedding.nodes

    def cost(block: Tensor) -> Tensor:
        rows = block.tensor_split(-(-len(block) * len(embedding) // _CELLS))
        return torch.cat([method.table(nodes[some], nodes).double() for some in rows])

    return cost


def _judge(
    whole: Relation, known: Relation, hidden: Relation, embedding: Embedding, seed: int
) -> dict[str, Any]:
    method, nodes = METHODS[embedding.method](embedding.manifold), embedding.nodes
    cost = _cost(embedding)
    found = judged(
        *(whole, known, hidden),
        cost=cost,
        score=lambda u, v: method.cost(nodes[u], nodes[v]),
        seed=seed,
    )
    return found._asdict()


@torch.no_grad()
def _measure(graph: Graph, relation: Relation, embedding: Embedding) -> dict[str, Any]:
    nodes = measured_nodes(relation)
    found = radii(embedding.manifold, embedding.points)
    result = reconstruction(relation, nodes, _cost(embedding))
    controls = {"popularity": reconstruction(relation, nodes, popularity(relation))._asdict()}
    steps = graph_metric(graph, nodes)
    if steps is not None:
        controls["graph_metric"] = reconstruction(relation, nodes, steps)._asdict()
    return {
        **result._asdict(),
        "controls": controls,
        "nodes": relation.nodes,
        "edges": len(graph.parent),
        "pairs": len(relation.pairs),
        "nodes_measured": len(nodes),
        "sampled": len(nodes) < int((relation.starts[1:] > relation.starts[:-1]).sum()),
        "radius": dataclasses.asdict(found),
    }


def finish(options: EmbedOptions, report: dict[str, Any]) -> str:
    """What is said at the end: a table, and where the rest is."""
    made = ", ".join(name for name in MADE if (options.out / name).is_file())
    return f"{as_table(report, title=name_of(options.edges))}\nWritten to {options.out}: {made}"
