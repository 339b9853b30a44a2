"""The options of ``spaceforms embed``, as they are given and as they are stored."""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from ...manifolds import (
    Euclidean,
    HalfSpace,
    Lorentz,
    Manifold,
    PoincareBall,
    Sphere,
    Stereographic,
)
from ..options import BOOL, FLOAT, INT, absent
from .edges import Order

Space = Literal["lorentz", "ball", "halfspace", "stereographic", "sphere", "euclidean"]
_OF_THE_PROCESS = ("edges", "out", "minutes", "resume", "overwrite")


@dataclass(frozen=True)
class EmbedOptions:
    """Embed the nodes of a graph: from an edge list to vectors, numbers and a picture.

    EDGES is a file of `parent child [weight]` a line, or wordnet:mammals or wordnet:nouns. Fields
    are separated by tabs, commas, semicolons or blanks, as in the first line, or lines are JSON
    ({"parent": "animal", "child": "dog"} or ["animal", "dog"]); quotes around names, a header,
    blank lines, comments (#) and gzip are understood; text is UTF-8. Self-loops are left out,
    duplicates are merged, and several roots and components are fine; a cycle is an error, unless
    --closure False.

    By a softmax over distances each node learns to be nearer to its ancestors than to other nodes
    (Nickel and Kiela 2017). Written to DIR: vectors.safetensors, names.txt, config.json,
    report.json and a picture. From Python: spaceforms.models.load_embedding(DIR).

    With --diagnose nothing is trained: it says how tree-like the graph's distances are and which
    curvature fits them; its own options are in `spaceforms embed --diagnose --help`.
    """

    edges: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="EDGES")]
    """A file of edges, or wordnet:mammals or wordnet:nouns."""
    out: Path
    """Folder for what is made."""
    order: Annotated[
        Order | None, absent("{parent-child,child-parent}", "parent-child, or what a header says")
    ] = None
    """Which end of an edge is written first."""
    closure: Annotated[tyro.conf.FlagConversionOff[bool], tyro.conf.arg(metavar=BOOL)] = True
    """Learn all pairs (ancestor, descendant); False: the edges as they are, by their weights, of
    any graph."""
    manifold: Space = "lorentz"
    """Space of the points: hyperbolic in three models, one that learns its curvature from 0
    (stereographic), the sphere, or flat."""
    dim: int = 10
    """Dimension of the space."""
    method: Literal["distances", "sarkar"] = "distances"
    """Train by distances, or put a tree in its place by Sarkar's construction, which trains
    nothing and preserves numbers of edges (a spanning tree, of a graph that is none)."""
    distortion: Annotated[float | None, absent(FLOAT, "what float64 holds")] = None
    """Of sarkar: the share by which distances may be wrong at worst; its proof says how long the
    edges must be."""
    digits: Annotated[int | None, absent(INT, "float64")] = None
    """Of sarkar: decimal digits of its arithmetic, in which it is measured too."""
    bias: bool = False
    """One number more for each node, by which it is nearer to all: with it general nodes can be
    near everything in flat space too."""
    epochs: Annotated[int | None, absent(INT, "3,000 steps' worth, from 20 to 1,000")] = None
    """Passes over all pairs."""
    minutes: Annotated[float | None, absent(FLOAT, "as --epochs says")] = None
    """In place of --epochs: as many as fit, by the speed of the first steps."""
    batch: int = 512
    """Pairs a step."""
    negatives: int = 20
    """Nodes that are no ancestor, for each pair."""
    lr: float = 0.3
    """Learning rate of Adam on normal coordinates; it falls to 0 as a cosine."""
    temperature: Annotated[float | None, absent(FLOAT, "1; 2 for --dim 1 and 2")] = None
    """Of the softmax, in units of length, at the start."""
    final_temperature: Annotated[float | None, absent(FLOAT, "0.1; 1 for --dim 1 and 2")] = None
    """That at the end, to which it falls: begun there, points of hyperbolic space would stay where
    it is nearly flat."""
    seed: int = 0
    """Of all that is random; on a CPU the same seed gives the same bits."""
    resume: bool = False
    """Go on where Ctrl-C stopped, to the same bits as without it; with the other options as they
    were."""
    overwrite: bool = False
    """Begin anew where DIR holds an embedding already."""

    def __post_init__(self) -> None:
        for name in ("dim", "epochs", "batch", "negatives"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} is {value}; expected at least 1.")
        for name in ("lr", "temperature", "final_temperature", "minutes"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise ValueError(f"{name} is {value}; expected a positive number.")
        if self.dim > 2**16:
            raise ValueError(f"dim is {self.dim}; expected at most {2**16:,}.")
        if self.seed < 0:
            raise ValueError(f"seed is {self.seed}; expected 0 or more.")
        if self.epochs is not None and self.minutes is not None:
            raise ValueError("epochs and minutes are both given; expected at most one of them.")
        if self.method == "sarkar":
            self._check_sarkar()
        elif self.distortion is not None or self.digits is not None:
            raise ValueError("distortion and digits are of --method sarkar; expected none of them.")
        if self.resume and self.overwrite:
            raise ValueError("resume and overwrite are both set; expected at most one of them.")

    def _check_sarkar(self) -> None:
        if self.manifold not in ("lorentz", "ball", "halfspace"):
            raise ValueError(
                f"manifold is {self.manifold}; expected lorentz, ball or halfspace, in which "
                "sarkar puts a tree."
            )
        if self.dim < 2 or self.bias:
            raise ValueError(
                f"dim is {self.dim} and bias {self.bias}; expected a dim of at least 2 and no bias "
                "for sarkar."
            )
        if self.distortion is not None and not 1e-3 <= self.distortion < math.inf:
            raise ValueError(f"distortion is {self.distortion}; expected at least 0.001.")
        if self.digits is not None and not 16 <= self.digits <= 10_000:
            raise ValueError(f"digits is {self.digits}; expected 16 to 10,000.")

    @property
    def temperatures(self) -> tuple[float, float]:
        """That of the first step and that of the end."""
        first, last = (2.0, 1.0) if self.dim <= 2 else (1.0, 0.1)
        first = self.temperature or first
        return first, self.final_temperature or min(first, last)


def make_space(name: Space, curvature: float | None = None) -> Manifold:
    """The space of an option, of curvature -1, 1 or 0, or of one that was learned."""
    if name == "stereographic":
        return Stereographic(curvature or 0.0, learnable=curvature is None)
    if name == "lorentz":
        return Lorentz(-1.0)
    if name == "ball":
        return PoincareBall(-1.0)
    if name == "halfspace":
        return HalfSpace(-1.0)
    return Sphere(1.0) if name == "sphere" else Euclidean()


def to_json(options: EmbedOptions, **more: object) -> str:
    """Options as JSON, with what else is known of the run."""
    return json.dumps(dataclasses.asdict(options) | more, indent=2, default=str) + "\n"


def differences(options: EmbedOptions, stored: dict[str, Any]) -> list[str]:
    """Names of the options in which a resumption differs from the run that it goes on with."""
    mine = json.loads(to_json(options))
    return [
        name
        for name in mine
        if name not in _OF_THE_PROCESS and mine[name] != stored.get(name, mine[name])
    ]
