"""``spaceforms embed EDGES --diagnose``: what the distances of a graph are like, beside others."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from textwrap import fill
from typing import Annotated, Any

import numpy as np
import torch
import tyro
from torch import Tensor

from ...datasets.disk import write_text
from ...stats import best_curvature, delta_hyperbolicity
from ..options import BOOL, absent
from ..terminal import say
from .edge_rows import Order
from .edges import Graph, Ints, components, name_of, read_graph, shape_in_words
from .paths import check_unweighted, steps_from
from .relation import relation_of
from .verdict import verdict

DIAGNOSIS = "diagnosis.json"
_WHOLE, _SAMPLE = 2_000, 800  # nodes: measured all, or so many of them by chance
_PLACED = 200  # nodes of which the curvature is sought
_BUDGET, _BESIDE = 3 * 10**9, 10**8  # of the search for delta, of the data and of the others
_BLOCK = 64

_NOISE = "    the same distances, shuffled"
_METRICS = {"edges": "Steps along edges", "closure": "Pairs of the closure"}
_LINE = 100  # letters

MEANING = """\
2 delta/diameter is 0 for a tree and 1 at worst; the mean is that of four random nodes. It judges
these distances alone, and they are not what is trained on: ranks of ancestors are. The closure of
the mammals of WordNet has the 1.0 of a grid, and yet hyperbolic space of five dimensions ranks
its ancestors with a MAP above 0.99. K is that of the best placement by eigenvectors in this
dimension, stress the share of the distances that it misses, to compare with that of flat space
(K = 0). Shuffled distances are noise: what fits no better than they do says nothing. A tree fits
the better the more negative K is: its K says no more than "negative".
Whether curvature helps is for training to say, with the controls beside it (--manifold euclidean,
--bias)."""


@dataclass(frozen=True)
class DiagnoseOptions:
    """How tree-like the distances of a graph are, and which curvature fits them, without training.

    Of two metrics of EDGES, the steps along its edges and those along all pairs (ancestor,
    descendant), walked either way, and of a tree, a cycle, a grid and random points of like size:
    the diameter, Gromov's delta by the four-point condition, and the constant curvature K at which
    the nodes are placed best. Of a graph of more than 2,000 nodes 800 are drawn by chance.
    """

    edges: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="EDGES")]
    """A file of edges, or wordnet:mammals or wordnet:nouns."""
    out: Annotated[Path | None, absent("DIR", "printed only")] = None
    """Folder for diagnosis.json."""
    order: Annotated[
        Order | None, absent("{parent-child,child-parent}", "parent-child, or what a header says")
    ] = None
    """Which end of an edge is written first."""
    relation: Annotated[str | None, absent("NAME", "the only one")] = None
    """Of triples (head, relation, tail) those that are taken, several with commas between."""
    closure: Annotated[tyro.conf.FlagConversionOff[bool], tyro.conf.arg(metavar=BOOL)] = True
    """Look at all pairs (ancestor, descendant) too; False: at the edges alone, of any graph."""
    dim: int = 10
    """Dimension in which nodes are placed, and that of the random points."""
    seed: int = 0
    """Of what is drawn."""

    def __post_init__(self) -> None:
        if self.dim < 1:
            raise ValueError(f"dim is {self.dim}; expected at least 1.")
        if self.seed < 0:
            raise ValueError(f"seed is {self.seed}; expected 0 or more.")


def diagnose(options: DiagnoseOptions) -> dict[str, Any]:
    """Run ``spaceforms embed --diagnose``: its figures, also in ``diagnosis.json``.

    Raises:
        OSError: no such edge list, or the folder cannot be written.
        ValueError: a line that is no edge, a cycle, or weights of edges.
    """
    graph = read_graph(options.edges, options.order, options.relation)
    for note in graph.notes:
        say(f"{options.edges}: {note}.")
    say(f"{options.edges}: {shape_in_words(graph)}")
    check_unweighted(graph, options.edges, "--diagnose")
    found = {"edges": _of_graph(graph.parent, graph.child, graph, options)}
    if options.closure:
        child, ancestor = relation_of(graph, closure=True).pairs.numpy().T
        found["closure"] = _of_graph(ancestor, child, graph, options)
    size = found["edges"]["points"]
    beside = {
        name: _figures(table, options, _BESIDE) for name, table in _others(size, options).items()
    }
    report = {
        "edges": options.edges,
        "verdict": {name: verdict(one, beside) for name, one in found.items()},
        "dim": options.dim,
        "seed": options.seed,
        "data": found,
        "comparison": beside,
    }
    if options.out is not None:
        options.out.mkdir(parents=True, exist_ok=True)
        write_text(options.out / DIAGNOSIS, json.dumps(report, indent=2) + "\n")
    return report


def _of_graph(one: Ints, two: Ints, graph: Graph, options: DiagnoseOptions) -> dict[str, Any]:
    """Of steps along edges, within the largest component."""
    nodes = len(graph.names)
    label = components(nodes, graph.parent, graph.child)
    inside = np.flatnonzero(label == np.bincount(label).argmax())
    within = len(inside)
    if within > _WHOLE:
        inside = np.sort(np.random.default_rng(options.seed).choice(inside, _SAMPLE, replace=False))
    rows, chosen = steps_from(nodes, one, two), torch.from_numpy(inside)
    table = torch.empty(len(inside), len(inside), dtype=torch.float64)
    farthest = 0.0
    for start in range(0, len(inside), _BLOCK):
        block = rows(chosen[start : start + _BLOCK])
        table[start : start + _BLOCK] = block[:, chosen]
        farthest = max(farthest, float(block[block.isfinite()].max()))
    # Of a sample, the largest distance between a node of it and any other.
    # The closure hangs together where the edges do.
    parts = {"nodes_of_graph": nodes, "components": len(np.unique(label))}
    return {"nodes": within} | parts | _figures(table, options, _BUDGET, diameter=farthest)


def _figures(
    table: Tensor, options: DiagnoseOptions, budget: int, diameter: float | None = None
) -> dict[str, Any]:
    delta = delta_hyperbolicity(
        table, max_points=max(len(table), 1), budget=budget, seed=options.seed
    )
    diameter = diameter or delta.diameter
    fit = best_curvature(table, options.dim, max_points=_PLACED, seed=options.seed)
    noise = best_curvature(
        _shuffled(table, options.seed), options.dim, max_points=_PLACED, seed=options.seed
    )
    return {
        "points": len(table),
        "diameter": diameter,
        "delta": delta.delta,
        "delta_at_most": delta.upper,
        "relative_delta": 2 * delta.delta / diameter,
        "relative_delta_at_most": 2 * delta.upper / diameter,
        "relative_mean": 2 * delta.mean / diameter,
        "relative_mean_interval": [2 * x / diameter for x in delta.interval],
        "quadruples": delta.quadruples,
        "curvature": fit.curvature,
        "curvature_in_diameters": fit.curvature * fit.diameter**2,
        "curvature_at_end": fit.at_end,
        "stress": fit.stress,
        "flat_stress": fit.flat,
        "points_placed": fit.points,
        "profile": [list(pair) for pair in fit.profile],
        "shuffled": {
            "curvature_in_diameters": noise.curvature * noise.diameter**2,
            "curvature_at_end": noise.at_end,
            "stress": noise.stress,
            "flat_stress": noise.flat,
        },
    }


def _shuffled(table: Tensor, seed: int) -> Tensor:
    """The same distances between pairs drawn by chance: noise of their size."""
    i, j = torch.triu_indices(len(table), len(table), 1)
    order = torch.randperm(len(i), generator=torch.Generator().manual_seed(seed))
    found = torch.zeros_like(table)
    found[i, j] = table[i[order], j[order]]
    return found + found.T


def _others(count: int, options: DiagnoseOptions) -> dict[str, Tensor]:
    """Metrics that are known, of about so many points."""
    count = max(count, 4)
    draw = np.random.default_rng(options.seed)
    every = np.arange(1, count)
    side = math.isqrt(count)
    place = np.arange(side * side).reshape(side, side)
    across = np.stack([place[:, :-1].ravel(), place[:, 1:].ravel()])
    down = np.stack([place[:-1].ravel(), place[1:].ravel()])
    points = torch.from_numpy(draw.standard_normal((count, options.dim)))
    cloud = torch.cdist(points, points, compute_mode="donot_use_mm_for_euclid_dist")
    return {
        "tree": _steps(count, draw.integers(0, every), every),
        "cycle": _steps(count, np.arange(count), (np.arange(count) + 1) % count),
        "grid": _steps(side * side, *np.concatenate([across, down], axis=1)),
        "points": cloud,
    }


def _steps(nodes: int, one: Ints, two: Ints) -> Tensor:
    return steps_from(nodes, one, two)(torch.arange(nodes))


def diagnosis_in_words(report: dict[str, Any]) -> str:
    """The table for a terminal, and what it does and does not say."""
    data, dim = report["data"], report["dim"]
    named = {
        f"{name_of(report['edges'])}, steps along edges": data["edges"],
        "  along pairs of the closure": data.get("closure"),
        "a random tree": report["comparison"]["tree"],
        "a cycle": report["comparison"]["cycle"],
        "a grid": report["comparison"]["grid"],
        f"normal points of {dim} dimensions": report["comparison"]["points"],
    }
    rows = {name: found for name, found in named.items() if found}
    width = max(map(len, (*rows, _NOISE)))
    placed = f"placed in {dim} dimensions"
    lines = [
        f"{'':{width}}  {'':>7}  {'':>8}  {'2 delta/diameter':^20}  {placed:^30}".rstrip(),
        f"{'distances':{width}}  {'nodes':>7}  {'diameter':>8}  {'largest':>12}  {'mean':>6}  "
        f"{'K diameter^2':>12}  {'stress':>7}  {'at K=0':>7}",
    ]
    for name, found in rows.items():
        low, high = found["relative_delta"], found["relative_delta_at_most"]
        largest = f"{low:.3f}" if low == high else f"{low:.2f} to {high:.2f}"
        lines.append(
            f"{name:{width}}  {found['points']:7,}  {found['diameter']:8.4g}  {largest:>12}  "
            f"{found['relative_mean']:6.3f}  {_placed(found)}"
        )
        if found in data.values():
            lines.append(f"{_NOISE:{width}}  {'':>37}  {_placed(found['shuffled'])}")
    if any(found["curvature_at_end"] for found in rows.values()):
        lines.append("* at the end of what is tried: -400, or the pi^2 of a whole sphere")
    if any(found["relative_delta"] != found["relative_delta_at_most"] for found in rows.values()):
        lines.append("a range: between the largest found and a bound, within the time allowed")
    edges = data["edges"]
    if edges["components"] > 1:
        lines.append(
            f"measured within the largest of {edges['components']:,} components, which has "
            f"{edges['nodes']:,} of {edges['nodes_of_graph']:,} nodes: between components there "
            "are no steps"
        )
    if edges["points"] < edges["nodes"]:
        lines.append(
            f"{edges['points']:,} of {edges['nodes']:,} nodes were drawn by chance: delta and "
            "diameter of all are no smaller"
        )
    said = [
        fill(f"{_METRICS[name]}: {found['words']}", _LINE)
        for name, found in report["verdict"].items()
    ]
    return "\n".join([*lines, "", *said, "", MEANING])


def _placed(found: dict[str, Any]) -> str:
    """The last three columns."""
    end = "*" if found["curvature_at_end"] else " "
    return (
        f"{found['curvature_in_diameters']:11.1f}{end}  {found['stress']:7.3f}  "
        f"{found['flat_stress']:7.3f}"
    )
